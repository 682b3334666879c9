"""Reading consents, records, keys and what was revoked."""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.communities.models import Community
from community.records.errors import ConsentNotFound, RecordNotFound
from community.records.keys import PublicKey
from community.records.models import (
    CreditRecord,
    RecordConsent,
    RecordImport,
    RecordKey,
    RecordRevocation,
)


def get_consent(session: Session, public_id: str) -> RecordConsent:
    """The consent of this public id. Raises ConsentNotFound."""
    found = session.scalar(select(RecordConsent).where(RecordConsent.public_id == public_id))
    if found is None:
        raise ConsentNotFound()
    return found


def get_record(session: Session, public_id: str) -> CreditRecord:
    """The record of this public id. Raises RecordNotFound."""
    found = session.scalar(select(CreditRecord).where(CreditRecord.public_id == public_id))
    if found is None:
        raise RecordNotFound()
    return found


def get_consent_by_id(session: Session, consent_id: int) -> RecordConsent:
    """The consent of this id."""
    return session.get_one(RecordConsent, consent_id)


def consents_of(*, community_id: int, member_id: int) -> Select[RecordConsent]:
    """A member's consents in a community; page by RecordConsent.id."""
    return select(RecordConsent).where(
        RecordConsent.community_id == community_id, RecordConsent.member_id == member_id
    )


def consents_by(member_id: int) -> Select[RecordConsent, Community]:
    """A member's consents in all communities, each with its community; page by RecordConsent.id."""
    return (
        select(RecordConsent, Community)
        .join(Community, Community.id == RecordConsent.community_id)
        .where(RecordConsent.member_id == member_id)
    )


def count_live(session: Session, *, member_id: int, on: date) -> int:
    """How many of a member's consents are live on a day."""
    return (
        session.scalar(
            select(func.count())
            .select_from(RecordConsent)
            .where(
                RecordConsent.member_id == member_id,
                RecordConsent.withdrawn_on.is_(None),
                RecordConsent.until_on >= on,
            )
        )
        or 0
    )


def records_under(consent_id: int) -> Select[CreditRecord]:
    """The records issued under a consent; page by CreditRecord.id."""
    return select(CreditRecord).where(CreditRecord.consent_id == consent_id)


def imports_of(*, community_id: int, member_id: int) -> Select[RecordImport]:
    """What a community took in of a member; page by RecordImport.id."""
    return select(RecordImport).where(
        RecordImport.community_id == community_id, RecordImport.member_id == member_id
    )


def revocations_of(session: Session, record_ids: Collection[int]) -> dict[int, RecordRevocation]:
    """Revocations by the record's id."""
    rows = session.scalars(
        select(RecordRevocation).where(RecordRevocation.record_id.in_(record_ids))
    )
    return {row.record_id: row for row in rows}


def list_keys(session: Session) -> Sequence[RecordKey]:
    """Every key that ever signed, the latest first."""
    return session.scalars(
        select(RecordKey).order_by(RecordKey.from_on.desc(), RecordKey.id.desc())
    ).all()


def own_keys(session: Session) -> dict[str, PublicKey]:
    """The platform's keys, by fingerprint."""
    return {row.kid: public_key(row) for row in list_keys(session)}


def public_key(row: RecordKey) -> PublicKey:
    """A key as it is published."""
    return PublicKey(row.x, row.from_on, row.until_on, row.revoked_on)


def revoked_on(session: Session, on: date) -> list[str]:
    """Public ids of revoked records that would still count on a day: short, however old we are."""
    return list(
        session.scalars(
            select(CreditRecord.public_id)
            .join(RecordRevocation, RecordRevocation.record_id == CreditRecord.id)
            .where(CreditRecord.expires_on >= on)
            .order_by(CreditRecord.public_id)
        )
    )
