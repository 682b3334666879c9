"""Savings with the ids of whom and where."""

from typing import Any

from sqlalchemy.orm import Session

from app.communities.facts import membership_facts
from app.permissions import may
from community.communities import queries as communities
from community.communities.models import Community
from community.members.models import Member
from community.savings import queries
from community.savings.models import SavingsMovement
from community.savings.queries import Balances


def movement_view(
    community: Community, member: Member, movement: SavingsMovement
) -> dict[str, Any]:
    """A receipt."""
    return {
        "id": movement.public_id,
        "community": community.public_id,
        "member": member.public_id,
        "kind": movement.kind,
        "amount_minor": movement.amount_minor,
        "currency": community.currency,
        "on": movement.on,
        "reference": movement.reference,
        "recorded_at": movement.recorded_at,
    }


def balances_view(community: Community, member: Member, found: Balances) -> dict[str, Any]:
    """Balances in one community."""
    return {
        "community": community.public_id,
        "member": member.public_id,
        "free_minor": found.free_minor,
        "held_minor": found.held_minor,
        "available_minor": found.available_minor,
        "stake_minor": found.stake_minor,
        "total_minor": found.total_minor,
        "currency": found.currency,
    }


def balances_views(session: Session, member: Member) -> list[dict[str, Any]]:
    """Balances in those communities where the caller may see them."""
    return [
        balances_view(
            community,
            member,
            queries.balances(session, community_id=community.id, member_id=member.id),
        )
        for _, community in communities.memberships_of(session, member.id)
        if may("savings:read", membership_facts(community, member))
    ]
