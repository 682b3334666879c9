"""Rows of this room with the ids and names of whom and where, for dumping."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.clock import today
from community.communities.models import Community
from community.exposure.previews import notes_on_vouch
from community.members import queries as members
from community.members.models import Member
from community.savings.models import SavingsMovement
from community.trust import queries
from community.trust.guarantee_caps import CapNote
from community.trust.models import Assessment, Vouch
from community.trust.queries import VouchView


def vouch_view(session: Session, vouch: Vouch) -> VouchView:
    """One vouch as of today."""
    return queries.view_vouches(session, [vouch], today())[0]


def made_view(session: Session, vouch: Vouch, notes: Sequence[CapNote]) -> dict[str, Any]:
    """One vouch as of today, with what its voucher should think of."""
    return {**asdict(vouch_view(session, vouch)), "warnings": notes}


def notes_for(
    session: Session,
    community_id: int,
    voucher_id: int,
    borrower_id: int,
    limit_minor: int,
    expires_on: date,
) -> tuple[CapNote, ...]:
    """What the voucher should think of, looked at before the promise is made."""
    return notes_on_vouch(
        session,
        community_id=community_id,
        voucher_id=voucher_id,
        borrower_id=borrower_id,
        limit_minor=limit_minor,
        expires_on=expires_on,
        on=today(),
    )


def stake_view(
    session: Session, community: Community, member: Member, movement: SavingsMovement
) -> dict[str, Any]:
    """A receipt with the standing after it."""
    return {
        "id": movement.public_id,
        "kind": movement.kind,
        "amount_minor": movement.amount_minor,
        "currency": community.currency,
        "on": movement.on,
        "standing": queries.standing_of(
            session,
            community_id=community.id,
            member_id=member.id,
            currency=community.currency,
            on=today(),
        ),
    }


def assessment_views(
    session: Session, community: Community, member: Member, grants: Iterable[Assessment]
) -> list[dict[str, Any]]:
    """A member's grants with the names of who granted them."""
    listed = list(grants)
    people = members.names_of(session, (grant.granted_by_id for grant in listed))
    return [
        {
            "id": grant.public_id,
            "community": community.public_id,
            "member": member.public_id,
            "kind": grant.kind,
            "amount_minor": grant.amount_minor,
            "used_minor": grant.used_minor,
            "currency": community.currency,
            "evidence": grant.evidence,
            "granted_by": people.get(grant.granted_by_id or 0),
            "granted_at": grant.granted_at,
            "expires_on": grant.expires_on,
            "ended_at": grant.ended_at,
        }
        for grant in listed
    ]
