"""Members with the names of what they point at, as far as the caller may see them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.permissions import Facts, may
from community.communities import queries as communities
from community.members import queries
from community.members.models import ApiToken, Household, Member, RoleGrant
from community.members.principal import Principal


def member_view(session: Session, member: Member, facts: Facts) -> dict[str, Any]:
    """A member, in full or only the name."""
    shown: dict[str, Any] = {
        "public_id": member.public_id,
        "name": member.name,
        "kind": member.kind,
    }
    if not may("member:details", facts):
        return shown
    household = None
    if member.household_id is not None:
        household = queries.get_household_by_id(session, member.household_id).public_id
    return shown | {
        "reference": member.reference,
        "household": household,
        "birth_year": member.birth_year,
        "created_at": member.created_at,
    }


def me_view(session: Session, member: Member, facts: Facts, principal: Principal) -> dict[str, Any]:
    """The caller with communities and roles."""
    return member_view(session, member, facts) | {
        "memberships": [
            {
                "community": community.public_id,
                "name": community.name,
                "kind": community.kind,
                "status": membership.status,
            }
            for membership, community in communities.memberships_of(session, member.id)
        ],
        "roles": roles_view(session, queries.live_grants(session, member.id)),
        "scopes": sorted(principal.scopes),
    }


def roles_view(session: Session, grants: Sequence[RoleGrant]) -> list[dict[str, Any]]:
    """Role grants with their communities' public ids."""
    places = communities.get_communities_by_id(session, (g.community_id for g in grants))
    return [
        {
            "id": grant.public_id,
            "role": grant.role,
            "community": places[grant.community_id].public_id if grant.community_id else None,
            "granted_at": grant.granted_at,
        }
        for grant in grants
    ]


def household_view(session: Session, household: Household) -> dict[str, Any]:
    """A household and who lives in it."""
    return {
        "public_id": household.public_id,
        "reference": household.reference,
        "members": queries.household_members(session, household.id),
    }


def new_token_view(token: ApiToken, secret: str) -> dict[str, Any]:
    """A new token with its secret, which is kept nowhere."""
    return {
        "public_id": token.public_id,
        "label": token.label,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "token": secret,
    }
