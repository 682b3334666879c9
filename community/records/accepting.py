"""A community takes in a record of another one, and grants standing for it: dated, once, a share.

Whose records count is the charter's word. An issuer on this platform is named by its public id, and
its records are checked against the platform's own keys and revocations. One elsewhere is named with
its public key, `com_…@<x>`, and its signed list of revocations has to come with the record.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules
from community.errors import CurrencyMismatch
from community.ledger.events import record_event
from community.locks import lock_one
from community.members import queries as members
from community.money import Money, share_bps
from community.records import queries
from community.records.errors import (
    IssuerNotAccepted,
    RecordNotForThis,
    RecordOfSomebodyElse,
    RecordRefused,
    RecordShowsArrears,
    RecordTooOld,
    RecordUsedAlready,
    StandingGrantedAlready,
)
from community.records.keys import PublicKey, by_kid
from community.records.models import CreditRecord, RecordConsent, RecordImport, RecordRevocation
from community.records.signing import NotReadable, read_object, read_text
from community.records.statement import KIND, RecordField, RecordPurpose
from community.records.verifying import Failure, Fault, Verdict, verify_record
from community.trust import standings
from community.trust.models import Assessment, AssessmentKind, Standing

# What a record has to show before it gives standing.
NEEDED = (RecordField.STANDING, RecordField.DEBTS)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Whose record it says it is, and the keys that may sign for them."""

    public_id: str
    keys: Mapping[str, PublicKey]
    is_here: bool


def take_record(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    text: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    revocations: str | None = None,
) -> RecordImport:
    """Grant a member the charter's share of the standing that a record shows.

    Locks the record's consent, if it is of this platform, then what an assessment locks. Raises
    RecordRefused, IssuerNotAccepted, RecordTooOld, RecordOfSomebodyElse, RecordNotForThis,
    RecordShowsArrears, RecordUsedAlready, StandingGrantedAlready, CurrencyMismatch, and what
    `standings.grant_assessment` raises.
    """
    text = text.strip()
    charter = communities.charter_on(session, community_id, on)
    rules = charter.rules
    community = communities.get_community_by_id(session, community_id)
    communities.require_active(session, community_id=community_id, member_id=member_id)
    member = members.get_member_by_id(session, member_id)
    issuer = _issuer(session, text, rules)
    verdict = verify_record(
        text,
        keys=issuer.keys,
        on=on,
        audience=community.public_id,
        revocations=None if issuer.is_here else revocations,
    )
    failures = list(verdict.failures)
    revocations_on = verdict.revocations_on
    if not issuer.is_here:
        failures += _list_failures(verdict, revocations, rules, on)
    elif not failures:
        # The list is signed from these very rows.
        failures += _failures_here(session, verdict, text)
        revocations_on = on
    payload = verdict.payload
    if failures or payload is None or revocations_on is None:
        raise _refused(failures)
    _check_subject(payload, member.public_id, issuer)
    amount = _amount(payload, community.currency, rules, on)
    if session.scalar(
        select(RecordImport.id).where(
            RecordImport.issuer == issuer.public_id, RecordImport.record == payload["jti"]
        )
    ):
        raise RecordUsedAlready(record=payload["jti"])
    # Whoever grants them standing at the same time waits here, or is seen below.
    standing_id = standings.ensure_standing(session, community_id=community_id, member_id=member_id)
    lock_one(session, Standing, standing_id)
    _check_no_grant(session, community_id, member_id)
    there = payload["figures"]["standing"]
    assessment = standings.grant_assessment(
        session,
        community_id=community_id,
        member_id=member_id,
        kind=AssessmentKind.STANDING,
        amount=amount,
        evidence=(
            f"Credit record {payload['jti']} of {issuer.public_id}, issued on"
            f" {payload['issued_on']}, signed with {verdict.kid}: {there['assessed_minor']} minor"
            f" units assessed there, of which {rules.record_standing_bps} per 10,000"
            f" (record_standing_bps)"
        ),
        expires_on=min(
            date.fromisoformat(payload["expires_on"]),
            date.fromisoformat(there["assessed_until_on"]),
            on + timedelta(days=rules.vouch_days_max),
        ),
        on=on,
        now=now,
        actor_id=actor_id,
    )
    taken = RecordImport(
        community_id=community_id,
        member_id=member_id,
        issuer=issuer.public_id,
        record=payload["jti"],
        kid=verdict.kid,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        payload=dict(payload),
        issued_on=date.fromisoformat(payload["issued_on"]),
        revocations_on=revocations_on,
        assessed_there_minor=there["assessed_minor"],
        share_bps=rules.record_standing_bps,
        amount_minor=amount.amount_minor,
        assessment_id=assessment.id,
        charter_id=charter.charter_id,
        taken_on=on,
        actor_id=actor_id,
        created_at=now,
    )
    session.add(taken)
    session.flush()  # two that bring the same record meet its unique key here
    record_event(
        session,
        community_id=community_id,
        kind="credit_record.taken",
        subject=payload["jti"],
        actor_id=actor_id,
        now=now,
        facts={
            "issuer": issuer.public_id,
            "member": member.public_id,
            "assessment": assessment.public_id,
            "amount_minor": amount.amount_minor,
            "digest": taken.digest,
        },
    )
    return taken


def read_issuers(rules: CharterRules) -> dict[str, str | None]:
    """Accepted issuers and, of those elsewhere, the public key that the charter pins."""
    found = {}
    for entry in rules.record_issuers:
        public_id, _, x = entry.partition("@")
        found[public_id] = x or None
    return found


def _issuer(session: Session, text: str, rules: CharterRules) -> _Issuer:
    """Whose record a text says it is; that it is true, the signature has to show."""
    try:
        claimed = read_object(read_text(text, KIND).payload, Fault.FIELD).get("iss")
    except NotReadable as error:
        raise _refused([Failure(Fault(error.fault), str(error))]) from None
    accepted = read_issuers(rules)
    if not isinstance(claimed, str) or claimed not in accepted:
        raise IssuerNotAccepted(rule="record_issuers")
    pinned = accepted[claimed]
    if pinned is None:
        return _Issuer(claimed, queries.own_keys(session), True)
    return _Issuer(claimed, by_kid([PublicKey(pinned)]), False)


def _failures_here(session: Session, verdict: Verdict, text: str) -> list[Failure]:
    """What the platform's own rows say against a record that is signed with its own key."""
    assert verdict.payload is not None
    record = session.scalar(
        select(CreditRecord).where(CreditRecord.public_id == verdict.payload["jti"])
    )
    if record is None or record.text != text:
        return [Failure(Fault.SIGNATURE, "The platform did not issue this record.")]
    # Whoever withdraws meanwhile waits for us, and then finds what we have granted.
    lock_one(session, RecordConsent, record.consent_id)
    revoked = session.scalar(
        select(RecordRevocation.id).where(RecordRevocation.record_id == record.id)
    )
    if revoked is None:
        return []
    return [Failure(Fault.REVOKED, "The member or the issuer has revoked it.", "jti")]


def _list_failures(
    verdict: Verdict, revocations: str | None, rules: CharterRules, on: date
) -> list[Failure]:
    if revocations is None:
        return [Failure(Fault.LIST, "Bring the issuer's signed list of revocations with it.")]
    as_of = verdict.revocations_on
    if as_of is not None and (on - as_of).days > rules.record_list_days_max:
        return [
            Failure(
                Fault.LIST_TOO_OLD,
                f"The list of revocations is of {as_of}; the charter admits lists of"
                f" {rules.record_list_days_max} days (record_list_days_max).",
            )
        ]
    return []


def _check_subject(payload: Mapping[str, Any], member: str, issuer: _Issuer) -> None:
    """On one platform a member has one id; elsewhere the member said under which we know them."""
    known_as = payload["sub"] if issuer.is_here else payload.get("recipient_subject")
    if known_as != member:
        raise RecordOfSomebodyElse(
            "" if issuer.is_here else "The consent has to name the member's id here.",
            remedy="recipient_subject",
        )


def _amount(payload: Mapping[str, Any], currency: str, rules: CharterRules, on: date) -> Money:
    """The standing that a record gives: a share of what was assessed there."""
    age = (on - date.fromisoformat(payload["issued_on"])).days
    if age > rules.record_days_max:
        raise RecordTooOld(
            f"It is {age} days old.",
            rule="record_days_max",
            record_days_max=rules.record_days_max,
        )
    missing = [field.value for field in NEEDED if field not in payload["figures"]]
    if RecordPurpose.STANDING not in payload["purposes"] or missing:
        raise RecordNotForThis(
            purpose=RecordPurpose.STANDING.value, fields=[field.value for field in NEEDED]
        )
    if payload["currency"] != currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {currency}.",
            expected=currency,
            given=payload["currency"],
        )
    figures = payload["figures"]
    if figures["debts"]["overdue_minor"]:
        raise RecordShowsArrears(overdue_minor=figures["debts"]["overdue_minor"])
    there = figures["standing"]
    until = there["assessed_until_on"]
    amount = share_bps(there["assessed_minor"], rules.record_standing_bps)
    if until is None or date.fromisoformat(until) < on or not amount:
        raise RecordNotForThis(
            "The record shows no standing of which anything counts here.",
            rule="record_standing_bps",
            record_standing_bps=rules.record_standing_bps,
        )
    return Money(amount, currency)


def _check_no_grant(session: Session, community_id: int, member_id: int) -> None:
    live = session.scalar(
        select(Assessment.public_id).where(
            Assessment.community_id == community_id,
            Assessment.member_id == member_id,
            Assessment.kind == AssessmentKind.STANDING,
            Assessment.ended_at.is_(None),
        )
    )
    if live is not None:
        raise StandingGrantedAlready(assessment=live)


def _refused(failures: list[Failure]) -> RecordRefused:
    return RecordRefused(
        " ".join(failure.detail for failure in failures),
        failures=[
            {"fault": failure.fault.value, "detail": failure.detail, "field": failure.field}
            for failure in failures
        ],
    )
