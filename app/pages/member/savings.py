"""My savings in each of my communities: what there is, what is locked, and every movement."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.communities.facts import membership_facts
from app.extensions import db
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.permissions import Facts, permit, requires
from app.savings import permissions as _permissions  # noqa: F401  declares savings:read
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.savings import queries
from community.savings.models import SavingsMovement
from community.savings.queries import Balances

# Of each community; all of them stand on its own page.
_LAST_ONES = 5


@dataclass(frozen=True, slots=True)
class PlaceSavings:
    """What I have in one community, and what moved last."""

    community: Community
    balances: Balances
    movements: Sequence[SavingsMovement]
    count: int


@pages.get("/me/savings")
@requires("savings:read")
def savings() -> Response:
    """What I have in each community that I am or was in."""
    session, me = db.session(), caller().member_id
    permit("savings:read", Facts(owner_ids=frozenset({me})))
    return page(
        "member/savings.html",
        places=[
            _place(session, community, me)
            for _, community in communities.memberships_of(session, me)
        ],
    )


@pages.get("/me/savings/<pid(com):community_id>")
@requires("savings:read")
def savings_in(community_id: str) -> Response:
    """Every movement in one community, the newest first."""
    session, me = db.session(), caller().member_id
    community = communities.get_community(session, community_id)
    permit("savings:read", membership_facts(community, members.get_member_by_id(session, me)))
    communities.get_membership(session, community_id=community.id, member_id=me)
    found, older, first = listed(
        session,
        queries.list_movements(community_id=community.id, member_id=me),
        SavingsMovement.id,
    )
    return page(
        "member/savings_in.html",
        community=community,
        balances=queries.balances(session, community_id=community.id, member_id=me),
        movements=found.items,
        older=older,
        first=first,
    )


def _place(session: Session, community: Community, me: int) -> PlaceSavings:
    moved = queries.list_movements(community_id=community.id, member_id=me)
    return PlaceSavings(
        community=community,
        balances=queries.balances(session, community_id=community.id, member_id=me),
        movements=session.scalars(
            moved.order_by(SavingsMovement.id.desc()).limit(_LAST_ONES)
        ).all(),
        count=session.scalar(select(func.count()).select_from(moved.subquery())) or 0,
    )
