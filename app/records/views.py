"""Rows of this room with the ids of whom and where, for dumping."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from app.clock import today
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.records import queries
from community.records.models import CreditRecord, RecordConsent, RecordImport
from community.records.verifying import Verdict
from community.trust.models import Assessment


def consent_views(
    session: Session, community: Community, consents: Iterable[RecordConsent]
) -> list[dict[str, Any]]:
    """Consents in a community, with their members' names."""
    listed = list(consents)
    people = members.names_of(session, (consent.member_id for consent in listed))
    return [
        {
            "id": consent.public_id,
            "community": community.public_id,
            "member": people[consent.member_id],
            "recipient": consent.recipient,
            "recipient_subject": consent.recipient_subject,
            "purposes": consent.purposes,
            "fields_": consent.fields,
            "given_on": consent.given_on,
            "until_on": consent.until_on,
            "withdrawn_on": consent.withdrawn_on,
            "is_live": consent.is_live_on(today()),
            "created_at": consent.created_at,
        }
        for consent in listed
    ]


def record_views(
    session: Session, consent: RecordConsent, records: Iterable[CreditRecord]
) -> list[dict[str, Any]]:
    """Records under a consent; the schema decides whether their text is shown."""
    listed = list(records)
    revoked = queries.revocations_of(session, [record.id for record in listed])
    return [
        {
            "id": record.public_id,
            "consent": consent.public_id,
            "issued_on": record.issued_on,
            "expires_on": record.expires_on,
            "revoked_on": revoked[record.id].revoked_on if record.id in revoked else None,
            "created_at": record.created_at,
            "text": record.text,
        }
        for record in listed
    ]


def import_views(
    session: Session, community: Community, member: Member, rows: Iterable[RecordImport]
) -> list[dict[str, Any]]:
    """What a community took in of a member, with the grants."""
    found = []
    for row in rows:
        grant = session.get_one(Assessment, row.assessment_id)
        found.append(
            {
                "community": community.public_id,
                "member": member.public_id,
                "issuer": row.issuer,
                "record": row.record,
                "kid": row.kid,
                "digest": row.digest,
                "issued_on": row.issued_on,
                "revocations_on": row.revocations_on,
                "assessed_there_minor": row.assessed_there_minor,
                "share_bps": row.share_bps,
                "amount_minor": row.amount_minor,
                "currency": community.currency,
                "assessment": grant.public_id,
                "expires_on": grant.expires_on,
                "taken_on": row.taken_on,
            }
        )
    return found


def verdict_view(verdict: Verdict) -> dict[str, Any]:
    """Whether a record holds, and why not."""
    return {
        "holds": verdict.holds,
        "failures": list(verdict.failures),
        "kid": verdict.kid,
        "revocations_on": verdict.revocations_on,
        "payload": None if verdict.payload is None else dict(verdict.payload),
    }
