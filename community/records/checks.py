"""Proving records: under a live consent, revoked with it, signed as stored; grants are shares."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Book, Event, JournalEntry
from community.money import share_bps
from community.records import queries
from community.records.models import (
    CreditRecord,
    RecordConsent,
    RecordImport,
    RecordKey,
    RecordRevocation,
)
from community.records.verifying import verify_record
from community.trust.models import Assessment

_EMPTY = "0" * 64


def check_records(session: Session) -> Iterator[Breach]:
    """Breaches of law 7 (consent, evidence) and of law 8 (signature, head of the book)."""
    yield from _consents_hold(session)
    yield from _texts_hold(session)
    yield from _grants_are_shares(session)


def _consents_hold(session: Session) -> Iterator[Breach]:
    rows = session.execute(
        select(CreditRecord.id)
        .join(RecordConsent, RecordConsent.id == CreditRecord.consent_id)
        .where(
            or_(
                CreditRecord.issued_on < RecordConsent.given_on,
                CreditRecord.expires_on > RecordConsent.until_on,
                CreditRecord.issued_on > RecordConsent.withdrawn_on,
            )
        )
        .order_by(CreditRecord.id)
    )
    for (row_id,) in rows:
        yield Breach(7, "credit_records", str(row_id), "was issued without a live consent")
    rows = session.execute(
        select(CreditRecord.id)
        .join(RecordConsent, RecordConsent.id == CreditRecord.consent_id)
        .outerjoin(RecordRevocation, RecordRevocation.record_id == CreditRecord.id)
        .where(RecordConsent.withdrawn_on.is_not(None), RecordRevocation.id.is_(None))
        .order_by(CreditRecord.id)
    )
    for (row_id,) in rows:
        yield Breach(7, "credit_records", str(row_id), "counts though its consent was withdrawn")


def _texts_hold(session: Session) -> Iterator[Breach]:
    keys = queries.own_keys(session)
    rows = session.execute(
        select(CreditRecord, RecordConsent, RecordKey.kid, Book.id)
        .join(RecordConsent, RecordConsent.id == CreditRecord.consent_id)
        .join(RecordKey, RecordKey.id == CreditRecord.key_id)
        .outerjoin(Book, Book.community_id == RecordConsent.community_id)
        .order_by(CreditRecord.id)
        .execution_options(yield_per=500)
    )
    for record, consent, kid, book_id in rows:
        key = keys[kid]
        if key.revoked_on is not None:
            continue
        verdict = verify_record(
            record.text, keys={kid: key}, on=record.issued_on, audience=consent.recipient
        )
        payload = verdict.payload
        if not verdict.holds or payload is None or payload["jti"] != record.public_id:
            yield Breach(8, "credit_records", str(record.id), "is not what was signed")
            continue
        if payload["expires_on"] != record.expires_on.isoformat():
            yield Breach(8, "credit_records", str(record.id), "is not what was signed")
        if not _was_head(session, book_id, payload["book"]["records"], payload["book"]["head"]):
            yield Breach(8, "credit_records", str(record.id), "names a head the book never had")


def _was_head(session: Session, book_id: int | None, records: int, head: str) -> bool:
    if not records:
        return head == _EMPTY
    return any(
        session.scalar(
            select(model.id).where(
                model.book_id == book_id, model.seq == records, model.hash == head
            )
        )
        is not None
        for model in (JournalEntry, Event)
    )


def _grants_are_shares(session: Session) -> Iterator[Breach]:
    rows = session.execute(
        select(RecordImport, Assessment.amount_minor, Assessment.expires_on)
        .outerjoin(
            Assessment,
            and_(
                Assessment.id == RecordImport.assessment_id,
                Assessment.community_id == RecordImport.community_id,
                Assessment.member_id == RecordImport.member_id,
            ),
        )
        .order_by(RecordImport.id)
    )
    for taken, granted, expires_on in rows:
        due = share_bps(taken.assessed_there_minor, taken.share_bps)
        there = taken.payload["figures"]["standing"]["assessed_minor"]
        if (
            taken.assessed_there_minor != there
            or not granted == taken.amount_minor == due
            or expires_on > date.fromisoformat(taken.payload["expires_on"])
        ):
            yield Breach(7, "record_imports", str(taken.id), "gave other standing than it may")
