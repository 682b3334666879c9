"""Communities, charters and memberships with the ids of what they point at."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.reasons import because_view
from community.communities import queries
from community.communities.models import Charter, Community, Membership, MembershipChange
from community.members.models import Member


def community_views(session: Session, rows: Sequence[Community]) -> list[dict[str, Any]]:
    """Communities with their parents' public ids."""
    parents = queries.get_communities_by_id(session, (row.parent_id for row in rows))
    return [
        {
            "id": row.public_id,
            "kind": row.kind,
            "name": row.name,
            "reference": row.reference,
            "currency": row.currency,
            "parent": parents[row.parent_id].public_id if row.parent_id else None,
            "created_at": row.created_at,
        }
        for row in rows
    ]


def community_view(session: Session, community: Community) -> dict[str, Any]:
    """One community."""
    return community_views(session, [community])[0]


def charter_view(session: Session, charter: Charter) -> dict[str, Any]:
    """A charter with the id of the community that adopted it."""
    return {
        "community": queries.get_community_by_id(session, charter.community_id).public_id,
        "version": charter.version,
        "valid_from": charter.valid_from,
        "source": charter.source,
        "rules": charter.rules,
        "created_at": charter.created_at,
    }


def membership_view(
    community: Community,
    member: Member,
    membership: Membership,
    changes: Sequence[MembershipChange] | None = None,
) -> dict[str, Any]:
    """A place in a community, with its history if that is given."""
    shown = {
        "community": community.public_id,
        "member": member,
        "status": membership.status,
        "since_on": membership.since_on,
    }
    if changes is None:
        return shown
    return shown | {
        "changes": [
            {
                "status": change.status,
                "on": change.changed_on,
                "reason": change.reason,
                "because": because_view(change.reason),
            }
            for change in changes
        ]
    }
