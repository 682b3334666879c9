"""Consents bound to a purpose: what a member allows beyond what lending itself needs.

The purposes, and the text of each that a member agrees to, are data (`purposes.json`). Whoever does
what needs one asks `require_consent` at the moment of doing it. Carrying a credit record elsewhere
has consents of its own, with recipient and fields: see the room `records`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.locks import lock_one
from community.members.errors import ConsentMissing, ConsentTextOld, PurposeNotFound
from community.members.models import Member, PurposeConsent
from community.members.service import present


@dataclass(frozen=True)
class Purpose:
    """What consent is asked for, and the text that is in force, by language."""

    name: str
    version: str
    texts: tuple[tuple[str, str], ...]


@cache
def purposes() -> dict[str, Purpose]:
    """All purposes by name."""
    place = Path(__file__).with_name("purposes.json")
    document = json.loads(place.read_text(encoding="utf-8"))
    return {
        name: Purpose(
            name, given["version"], tuple((k, v) for k, v in given.items() if k != "version")
        )
        for name, given in document.items()
    }


def get_purpose(name: str) -> Purpose:
    """The purpose of this name. Raises PurposeNotFound."""
    if name not in purposes():
        raise PurposeNotFound(f"Choose from {', '.join(sorted(purposes()))}.", field="purpose")
    return purposes()[name]


def consents_of(session: Session, member_id: int) -> Sequence[PurposeConsent]:
    """What a member consented to, withdrawn ones too, newest first."""
    return session.scalars(
        select(PurposeConsent)
        .where(PurposeConsent.member_id == member_id)
        .order_by(PurposeConsent.id.desc())
    ).all()


def find_consent(session: Session, *, member_id: int, purpose: str) -> PurposeConsent | None:
    """The consent that is in force."""
    return session.scalar(
        select(PurposeConsent).where(
            PurposeConsent.member_id == member_id,
            PurposeConsent.purpose == purpose,
            PurposeConsent.withdrawn_at.is_(None),
        )
    )


def require_consent(session: Session, *, member_id: int, purpose: str) -> None:
    """Refuse what a member has not consented to. Raises ConsentMissing."""
    if find_consent(session, member_id=member_id, purpose=get_purpose(purpose).name) is None:
        raise ConsentMissing(
            "The member has not consented to this, or has withdrawn it.", purpose=purpose
        )


def give_consent(
    session: Session, *, member_id: int, purpose: str, text_version: str, now: datetime
) -> PurposeConsent:
    """A member consents to a purpose, by the text in force; again is no change.

    Raises PurposeNotFound, ConsentTextOld. Locks the member.
    """
    known = get_purpose(purpose)
    if text_version != known.version:
        raise ConsentTextOld(
            f"The text in force is {known.version}: show it first.",
            field="text_version",
            text_version=known.version,
        )
    member = present(lock_one(session, Member, member_id))
    live = find_consent(session, member_id=member_id, purpose=purpose)
    if live is not None and live.text_version == text_version:
        return live
    if live is not None:
        live.withdrawn_at = now
        session.flush()
    consent = PurposeConsent(
        member_id=member_id, purpose=purpose, text_version=text_version, given_at=now
    )
    session.add(consent)
    session.flush()
    _note(session, member, "consent.given", purpose, now)
    return consent


def withdraw_consent(session: Session, *, member_id: int, purpose: str, now: datetime) -> bool:
    """A member takes a consent back; whether there was one. Locks the member."""
    get_purpose(purpose)
    member = lock_one(session, Member, member_id)
    live = find_consent(session, member_id=member_id, purpose=purpose)
    if live is None:
        return False
    live.withdrawn_at = now
    _note(session, member, "consent.withdrawn", purpose, now)
    return True


def _note(session: Session, member: Member, kind: str, purpose: str, now: datetime) -> None:
    record_event(
        session,
        community_id=None,
        kind=kind,
        subject=member.public_id,
        actor_id=member.id,
        now=now,
        facts={"purpose": purpose},
    )
