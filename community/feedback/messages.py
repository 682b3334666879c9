"""A member's messages: written in the unit of work that they tell of, read by that member alone."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.feedback.errors import MessageNotFound
from community.feedback.models import Message, MessageKind


def tell(
    session: Session,
    *,
    community_id: int,
    member_ids: Collection[int],
    kind: MessageKind,
    about: str,
    facts: dict[str, Any],
    on: date,
    theme_id: int | None = None,
    complaint_id: int | None = None,
    product_version_id: int | None = None,
) -> int:
    """One message to each member, unless they were told this already; how many were written."""
    told = {
        row[0]
        for row in select_by(
            session,
            select(Message.member_id).where(Message.about == about),
            Message.member_id,
            set(member_ids),
        )
    }
    fresh = sorted(set(member_ids) - told)
    session.add_all(
        Message(
            community_id=community_id,
            member_id=member_id,
            kind=kind,
            about=about,
            theme_id=theme_id,
            complaint_id=complaint_id,
            product_version_id=product_version_id,
            facts=facts,
            sent_on=on,
        )
        for member_id in fresh
    )
    session.flush()
    return len(fresh)


def list_messages(member_id: int, *, unread: bool = False) -> Select[Message]:
    """A member's messages; page by Message.id."""
    query = select(Message).where(Message.member_id == member_id)
    return query.where(Message.read_at.is_(None)) if unread else query


def get_message(session: Session, public_id: str) -> Message:
    """The message of this public id. Raises MessageNotFound."""
    found = session.scalar(select(Message).where(Message.public_id == public_id))
    if found is None:
        raise MessageNotFound()
    return found


def mark(message: Message, *, is_read: bool, now: datetime) -> Message:
    """Read, or to be read again; the first reading keeps its time."""
    message.read_at = (message.read_at or now) if is_read else None
    return message
