"""Savings: deposits and withdrawals over the cash desk, balances and statements."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import membership_facts
from app.extensions import db
from app.idempotency import money_moving
from app.members.facts import member_facts
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import permit, requires
from app.savings import permissions as _permissions  # noqa: F401  declares this room's actions
from app.savings.schemas import (
    SavingsBalancesListSchema,
    SavingsBalancesSchema,
    SavingsMovementInSchema,
    SavingsMovementSchema,
)
from app.savings.views import balances_view, balances_views, movement_view
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.savings import queries, service
from community.savings.models import SavingsMovement

blp = Blueprint("savings", __name__, description="Members' savings and their stake")

_PLACE = "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/savings"


@blp.route(_PLACE)
@requires("savings:read")
@blp.response(200, SavingsBalancesSchema)
def get_balances(community_id: str, member_id: str) -> Any:
    """What a member has in a community: free savings and stake."""
    session = db.session()
    community, member = _opened(session, "savings:read", community_id, member_id)
    found = queries.balances(session, community_id=community.id, member_id=member.id)
    return balances_view(community, member, found)


@blp.route("/members/<pid(mem):member_id>/savings")
@requires("member:details")
@blp.response(200, SavingsBalancesListSchema)
def list_balances(member_id: str) -> Any:
    """A member's savings in those of their communities whose books the caller may see."""
    session = db.session()
    member = members.get_member(session, member_id)
    permit("member:details", member_facts(session, member))
    return {"items": balances_views(session, member)}


@blp.route(_PLACE + "/movements")
@requires("savings:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(SavingsMovementSchema))
def list_movements(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """A member's statement, newest first."""
    session = db.session()
    community, member = _opened(session, "savings:read", community_id, member_id)
    statement = queries.list_movements(community_id=community.id, member_id=member.id)
    page = paginate(session, statement, key=SavingsMovement.id, args=args, newest_first=True)
    views = [movement_view(community, member, movement) for movement in page.items]
    return Page(views, page.next_cursor)


@blp.route(_PLACE + "/deposits", methods=["POST"])
@requires("savings:deposit")
@blp.arguments(SavingsMovementInSchema)
@money_moving(SavingsMovementSchema)
def deposit(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Take a member's money into custody."""
    session = db.session()
    community, member = _opened(session, "savings:deposit", community_id, member_id)
    movement = service.deposit(
        session,
        community_id=community.id,
        member_id=member.id,
        amount=data["amount"],
        reference=data["reference"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return movement_view(community, member, movement)


@blp.route(_PLACE + "/withdrawals", methods=["POST"])
@requires("savings:withdraw")
@blp.arguments(SavingsMovementInSchema)
@money_moving(SavingsMovementSchema)
def withdraw(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Pay a member's free savings out."""
    session = db.session()
    community, member = _opened(session, "savings:withdraw", community_id, member_id)
    movement = service.withdraw(
        session,
        community_id=community.id,
        member_id=member.id,
        amount=data["amount"],
        reference=data["reference"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return movement_view(community, member, movement)


def _opened(
    session: Session, action: str, community_id: str, member_id: str
) -> tuple[Community, Member]:
    """A member's account in a community, if the caller may do this with it."""
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit(action, membership_facts(community, member))
    # Nobody's account is where they never were.
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    return community, member
