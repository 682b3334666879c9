"""Rows of this room with the ids and names of whom and where, for dumping."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session

from app.clock import today
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.savings.models import SavingsMovement
from community.trust import queries
from community.trust.models import Assessment, Vouch
from community.trust.queries import VouchView


def vouch_view(session: Session, vouch: Vouch) -> VouchView:
    """One vouch as of today."""
    return queries.view_vouches(session, [vouch], today())[0]


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
