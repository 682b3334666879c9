"""A member asks to be erased: what would go and what stays, asking, taking it back, the answer.

Nobody erases themselves by a press of a button: the office looks first, since what is told in
confidence may be open, of which the member learns nothing here. How long it may take is data with
its source (`erasure.json`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.locks import lock_one
from community.members.models import Member
from community.members.service import present
from community.personal.erasure import is_about, live_parts
from community.personal.errors import ErasureAsked, ErasureNotAsked, StillLive
from community.personal.export import rows_about
from community.personal.models import ErasureRequest, ErasureState
from community.personal.registry import ABOUT

# Of what is open here the member need not know: neighbours reported in confidence, or complained.
CONFIDENTIAL = frozenset({"cases", "complaints"})


@dataclass(frozen=True)
class Term:
    """Within how many days the office answers, and who says so."""

    days: int
    source: str


@dataclass(frozen=True)
class Outlook:
    """What erasure would do to a member's data today."""

    # What is not over yet, as far as the reader may know; with any of it nothing is erased.
    live: Mapping[str, int]
    # Tables of which rows would be deleted, and of which texts would be emptied.
    removed: tuple[str, ...]
    emptied: tuple[str, ...]
    # Tables of which rows stay under no name, each with the reason.
    kept: tuple[tuple[str, str], ...]
    answer_days: int
    answer_source: str


@cache
def answer_term() -> Term:
    """Within how many days a request is answered."""
    document = json.loads(Path(__file__).with_name("erasure.json").read_text(encoding="utf-8"))
    return Term(document["answer"]["days"], document["answer"]["source"])


def outlook(session: Session, member_id: int, *, is_own: bool) -> Outlook:
    """What would go, what would stay and why, and what stands against it. Changes nothing.

    Who looks at their own learns nothing of what is confidential.
    """
    removed: list[str] = []
    emptied = ["members.name"]
    kept: list[tuple[str, str]] = []
    found = rows_about(session, member_id)
    for name, rows in sorted(found.items()):
        if not rows:
            continue
        place = ABOUT[name]
        if place.is_deleted:
            removed.append(name)
            continue
        kept.append((name, place.why.value))
        if name != "members":
            filled = (
                column
                for column, subjects in place.clears.items()
                if any(
                    row[column] not in (None, "", b"", {})
                    and is_about(place, row, subjects, member_id, found)
                    for row in rows
                )
            )
            emptied += [f"{name}.{column}" for column in filled]
    term = answer_term()
    return Outlook(
        known_live(session, member_id) if is_own else live_parts(session, member_id),
        tuple(removed),
        tuple(emptied),
        tuple(kept),
        term.days,
        term.source,
    )


def known_live(session: Session, member_id: int) -> dict[str, int]:
    """What keeps a member from being erased and is no secret from them."""
    live = live_parts(session, member_id)
    return {name: count for name, count in live.items() if name not in CONFIDENTIAL}


def ask(session: Session, *, member_id: int, on: date, now: datetime) -> ErasureRequest:
    """A member asks to be erased. Locks the member.

    Raises MemberErased, ErasureAsked; StillLive names what they have to bring to an end first.
    """
    member = present(lock_one(session, Member, member_id))
    if find_open(session, member_id) is not None:
        raise ErasureAsked("The office answers it; you can take it back until then.")
    live = known_live(session, member_id)
    if live:
        told = ", ".join(f"{count} {name}" for name, count in live.items())
        raise StillLive(f"First bring to an end: {told}.", live=live)
    request = ErasureRequest(
        member_id=member_id,
        state=ErasureState.OPEN,
        asked_at=now,
        due_on=on + timedelta(days=answer_term().days),
    )
    session.add(request)
    session.flush()
    _note(session, member, "member.erasure_asked", now, member_id, due_on=request.due_on)
    return request


def take_back(session: Session, *, member_id: int, now: datetime) -> ErasureRequest:
    """The member wants to stay after all. Locks the member. Raises ErasureNotAsked."""
    member = lock_one(session, Member, member_id)
    request = _open(session, member_id)
    _settle(request, ErasureState.WITHDRAWN, now=now, actor_id=member_id)
    _note(session, member, "member.erasure_withdrawn", now, member_id)
    return request


def refuse(
    session: Session, *, member_id: int, reason: str, now: datetime, actor_id: int
) -> ErasureRequest:
    """The office says why it cannot be now. Locks the member. Raises ErasureNotAsked."""
    member = lock_one(session, Member, member_id)
    request = _open(session, member_id)
    request.reason = reason
    _settle(request, ErasureState.REFUSED, now=now, actor_id=actor_id)
    # The reason is the member's to read: the chain, which keeps for ever, does not repeat it.
    _note(session, member, "member.erasure_refused", now, actor_id)
    return request


def find_open(session: Session, member_id: int) -> ErasureRequest | None:
    """The request that the office has not answered yet."""
    return session.scalar(
        open_requests()
        .where(ErasureRequest.member_id == member_id)
        .execution_options(populate_existing=True)
    )


def find_latest(session: Session, member_id: int) -> ErasureRequest | None:
    """The last request of a member, answered or not."""
    return session.scalar(
        select(ErasureRequest)
        .where(ErasureRequest.member_id == member_id)
        .order_by(ErasureRequest.id.desc())
        .limit(1)
    )


def open_requests() -> Select[ErasureRequest]:
    """Requests that wait for an answer; page by ErasureRequest.id."""
    return select(ErasureRequest).where(ErasureRequest.state == ErasureState.OPEN)


def _open(session: Session, member_id: int) -> ErasureRequest:
    request = find_open(session, member_id)
    if request is None:
        raise ErasureNotAsked()
    return request


def _settle(request: ErasureRequest, state: ErasureState, *, now: datetime, actor_id: int) -> None:
    request.state, request.settled_at, request.settled_by_id = state, now, actor_id


def _note(
    session: Session, member: Member, kind: str, now: datetime, actor_id: int, **facts: date
) -> None:
    record_event(
        session,
        community_id=None,
        kind=kind,
        subject=member.public_id,
        actor_id=actor_id,
        now=now,
        facts={name: value.isoformat() for name, value in facts.items()},
    )
