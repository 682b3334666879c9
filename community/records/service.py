"""Consents, records issued under them, revocation, and the keys that sign.

Lock order: the consent, the key, then the book. A record and the withdrawal of its consent meet at
the consent's row: whatever was issued before is revoked, and nothing is issued after.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import MembershipStatus
from community.database import new_public_id
from community.errors import Invalid
from community.ledger.books import book_ids, lock_books
from community.ledger.events import record_event
from community.locks import lock, lock_one
from community.members import queries as members
from community.records import queries
from community.records.errors import (
    ConsentIsYourOwn,
    ConsentNotFound,
    ConsentNotLive,
    ConsentTooLong,
    RecordKeyNotFound,
    RecordRevoked,
    SigningKeyMissing,
    SigningKeyRetired,
)
from community.records.figures import figures_of
from community.records.models import (
    CreditRecord,
    RecordConsent,
    RecordImport,
    RecordKey,
    RecordRevocation,
)
from community.records.signing import Signer
from community.records.statement import (
    KIND,
    VERSION,
    RecordField,
    RecordPurpose,
    expiry_instant,
)
from community.records.verifying import LIST_KIND, list_payload
from community.trust import standings
from community.trust.models import Assessment


def give_consent(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    recipient: str,
    purposes: Collection[RecordPurpose],
    fields: Collection[RecordField],
    until_on: date,
    on: date,
    now: datetime,
    actor_id: int | None,
    recipient_subject: str | None = None,
) -> RecordConsent:
    """A member lets a recipient have these fields of their record, for these purposes, until a day.

    Raises ConsentIsYourOwn, MembershipNotFound, ConsentTooLong, Invalid.
    """
    if actor_id != member_id:
        raise ConsentIsYourOwn()
    membership = communities.get_membership(session, community_id=community_id, member_id=member_id)
    # Who has left may still carry their record; who never came has none.
    if membership.status is MembershipStatus.APPLIED:
        raise ConsentNotLive("There is no record of whoever is not a member yet.")
    if not purposes or not fields:
        raise Invalid("Name at least one purpose and one field.", field="fields")
    rules = communities.charter_on(session, community_id, on).rules
    if not 1 <= (until_on - on).days + 1 <= rules.record_consent_days_max:
        raise ConsentTooLong(
            f"A consent lasts for 1 to {rules.record_consent_days_max} days.",
            field="until_on",
            rule="record_consent_days_max",
            record_consent_days_max=rules.record_consent_days_max,
        )
    consent = RecordConsent(
        community_id=community_id,
        member_id=member_id,
        recipient=recipient,
        recipient_subject=recipient_subject,
        purposes=sorted(purpose.value for purpose in purposes),
        fields=sorted(field.value for field in fields),
        given_on=on,
        until_on=until_on,
        created_at=now,
    )
    session.add(consent)
    session.flush()  # the event names it
    _note(
        session,
        consent,
        "record_consent.given",
        now,
        actor_id,
        recipient=recipient,
        purposes=consent.purposes,
        fields=consent.fields,
        until_on=until_on.isoformat(),
    )
    return consent


def withdraw_consent(
    session: Session,
    *,
    consent_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> RecordConsent:
    """A member withdraws a consent: every record under it is revoked, and what rests on it ends.

    Standing that a community of this platform granted on such a record backs nothing new from now
    on; loans that rest on it run on. Locks the consent. Raises ConsentIsYourOwn, ConsentNotLive.
    """
    consent = _locked(session, consent_id)
    if actor_id != consent.member_id:
        raise ConsentIsYourOwn()
    if consent.withdrawn_on is not None:
        raise ConsentNotLive(
            "It is withdrawn already.", withdrawn_on=consent.withdrawn_on.isoformat()
        )
    consent.withdrawn_on = on
    records = session.scalars(queries.records_under(consent.id).order_by(CreditRecord.id)).all()
    _note(
        session,
        consent,
        "record_consent.withdrawn",
        now,
        actor_id,
        reason=reason,
        revoked=[record.public_id for record in records],
    )
    _revoke(session, records, reason=reason, on=on, now=now, actor_id=actor_id)
    return consent


def revoke_record(
    session: Session,
    *,
    record_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> CreditRecord:
    """One record no longer counts: the member takes it back, or an officer finds it wrong.

    The consent stays. Locks the consent. Raises RecordRevoked.
    """
    record = session.get_one(CreditRecord, record_id)
    consent = _locked(session, record.consent_id)
    if queries.revocations_of(session, [record.id]):
        raise RecordRevoked()
    _note(
        session,
        consent,
        "credit_record.revoked",
        now,
        actor_id,
        record=record.public_id,
        reason=reason,
    )
    _revoke(session, [record], reason=reason, on=on, now=now, actor_id=actor_id)
    return record


def issue_record(
    session: Session,
    *,
    consent_id: int,
    signer: Signer | None,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> CreditRecord:
    """Sign a statement of a member's record under a live consent.

    What it says is as of the head of the community's book that it names, under the book's lock.
    Locks the consent, then the book. Raises ConsentNotLive, SigningKeyMissing, SigningKeyRetired.
    """
    if signer is None:
        raise SigningKeyMissing()
    consent = _locked(session, consent_id)
    if not consent.is_live_on(on):
        raise ConsentNotLive(
            "It was withdrawn." if consent.withdrawn_on else "It has run out.",
            until_on=consent.until_on.isoformat(),
        )
    key = register_key(session, signer=signer, on=on, now=now, actor_id=actor_id)
    community = communities.get_community_by_id(session, consent.community_id)
    member = members.get_member_by_id(session, consent.member_id)
    charter = communities.charter_on(session, community.id, on)
    latest = on + timedelta(days=charter.rules.record_valid_days_max - 1)
    expires_on = min(consent.until_on, latest)
    fields = [RecordField(name) for name in consent.fields]
    [book_id] = book_ids(session, [community.id]).values()
    book = lock_books(session, [book_id])[book_id]
    record_id = new_public_id("rec")
    payload: dict[str, Any] = {
        "v": VERSION,
        "iss": community.public_id,
        "issuer_name": community.name,
        "sub": member.public_id,
        "aud": consent.recipient,
        "jti": record_id,
        "iat": int(now.timestamp()),
        "exp": expiry_instant(expires_on),
        "issued_on": on.isoformat(),
        "expires_on": expires_on.isoformat(),
        "purposes": consent.purposes,
        "consent": {
            "id": consent.public_id,
            "given_on": consent.given_on.isoformat(),
            "until_on": consent.until_on.isoformat(),
            "fields": consent.fields,
        },
        "currency": community.currency,
        "figures": figures_of(
            session,
            community_id=community.id,
            member_id=member.id,
            fields=fields,
            charter=charter,
            on=on,
        ),
        "book": {"records": book.records, "head": book.head_hash},
    }
    if RecordField.NAME in fields:
        payload["name"] = member.name
    if consent.recipient_subject is not None:
        payload["recipient_subject"] = consent.recipient_subject
    record = CreditRecord(
        public_id=record_id,
        consent_id=consent.id,
        key_id=key.id,
        issued_on=on,
        expires_on=expires_on,
        text=signer.sign(KIND, payload),
        actor_id=actor_id,
        created_at=now,
    )
    session.add(record)
    record_event(
        session,
        community_id=community.id,
        kind="credit_record.issued",
        subject=record_id,
        actor_id=actor_id,
        now=now,
        facts={
            "consent": consent.public_id,
            "recipient": consent.recipient,
            "key": key.kid,
            "expires_on": expires_on.isoformat(),
        },
    )
    session.flush()  # the answer shows it
    return record


def signed_revocations(session: Session, *, signer: Signer | None, on: date, now: datetime) -> str:
    """The list of revoked records as of today, signed: their ids, and nothing else of them.

    Its key is a published one from then on. Raises SigningKeyMissing, SigningKeyRetired.
    """
    if signer is None:
        raise SigningKeyMissing()
    register_key(session, signer=signer, on=on, now=now, actor_id=None)
    payload = list_payload(
        issued_on=on,
        issued_at=int(now.timestamp()),
        records=queries.revoked_on(session, on),
    )
    return signer.sign(LIST_KIND, payload)


def register_key(
    session: Session, *, signer: Signer, on: date, now: datetime, actor_id: int | None
) -> RecordKey:
    """The row of the key that signs, made at its first use; the key before it signs no more.

    A key that another has followed, or that was revoked, stays so. Raises SigningKeyRetired.
    """
    found = session.scalar(select(RecordKey).where(RecordKey.kid == signer.kid))
    if found is None:
        found = _rotate(session, signer, on=on, now=now, actor_id=actor_id)
    if found.until_on is not None:
        raise SigningKeyRetired(kid=found.kid, until_on=found.until_on.isoformat())
    return found


def revoke_key(
    session: Session, *, kid: str, reason: str, on: date, now: datetime, actor_id: int | None
) -> RecordKey:
    """A key's private half is in wrong hands: nothing that it signed counts any more.

    Raises RecordKeyNotFound.
    """
    key_id = session.scalar(select(RecordKey.id).where(RecordKey.kid == kid))
    if key_id is None:
        raise RecordKeyNotFound()
    key = lock_one(session, RecordKey, key_id)
    if key.revoked_on is None:
        key.revoked_on = on
        key.until_on = key.until_on or max(on, key.from_on)
        _note_key(session, key, "record_key.revoked", now, actor_id, reason=reason)
    return key


def _revoke(
    session: Session,
    records: Sequence[CreditRecord],
    *,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """These records of a locked consent count no more, nor does standing that rests on them."""
    done = queries.revocations_of(session, [record.id for record in records])
    for record in records:
        if record.id not in done:
            session.add(
                RecordRevocation(
                    record_id=record.id,
                    revoked_on=on,
                    reason=reason,
                    actor_id=actor_id,
                    created_at=now,
                )
            )
    session.flush()  # the answer shows them
    granted = session.scalars(
        select(Assessment.id)
        .join(RecordImport, RecordImport.assessment_id == Assessment.id)
        .where(
            RecordImport.record.in_([record.public_id for record in records]),
            Assessment.ended_at.is_(None),
        )
        .order_by(Assessment.id)
    ).all()
    for assessment_id in granted:
        standings.end_assessment(
            session, assessment_id=assessment_id, on=on, now=now, actor_id=None
        )


def _rotate(
    session: Session, signer: Signer, *, on: date, now: datetime, actor_id: int | None
) -> RecordKey:
    live = select(RecordKey.id).where(RecordKey.until_on.is_(None))
    for before in lock(session, RecordKey, session.scalars(live).all()).values():
        if before.kid != signer.kid and before.until_on is None:
            before.until_on = max(on, before.from_on)
            _note_key(session, before, "record_key.retired", now, actor_id)
    session.flush()  # one key is live: the old one ends before the new one begins
    dialect = session.get_bind().dialect.name
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    made = session.execute(
        # Two units may meet at the first use: the loser's insert is dropped, then it reads.
        make(RecordKey).on_conflict_do_nothing().returning(RecordKey.id),
        [
            {
                "kid": signer.kid,
                "x": signer.x,
                "from_on": on,
                "until_on": None,
                "revoked_on": None,
                "is_live": True,
                "created_at": now,
            }
        ],
    ).all()
    found = session.scalars(
        select(RecordKey)
        .where(RecordKey.kid == signer.kid)
        .execution_options(populate_existing=True)
    ).one()
    if made:
        _note_key(session, found, "record_key.first_used", now, actor_id)
    return found


def _locked(session: Session, consent_id: int) -> RecordConsent:
    consent = lock(session, RecordConsent, [consent_id]).get(consent_id)
    if consent is None:
        raise ConsentNotFound()
    return consent


def _note(
    session: Session,
    consent: RecordConsent,
    kind: str,
    now: datetime,
    actor_id: int | None,
    **facts: Any,
) -> None:
    member = members.get_member_by_id(session, consent.member_id).public_id
    record_event(
        session,
        community_id=consent.community_id,
        kind=kind,
        subject=consent.public_id,
        actor_id=actor_id,
        now=now,
        facts={"member": member, **facts},
    )


def _note_key(
    session: Session, key: RecordKey, kind: str, now: datetime, actor_id: int | None, **facts: str
) -> None:
    # A key signs for all communities: the platform's own book keeps it.
    record_event(
        session,
        community_id=None,
        kind=kind,
        subject=key.kid,
        actor_id=actor_id,
        now=now,
        facts={"x": key.x, **facts},
    )
