"""Holds: money of a member's savings that is set aside, and then paid out or let go."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import membership_facts
from app.extensions import db
from app.holds import permissions as _permissions  # noqa: F401  declares this room's actions
from app.holds.schemas import (
    HoldInSchema,
    HoldListArgs,
    HoldPostingInSchema,
    HoldPostingSchema,
    HoldSchema,
    HoldVoidInSchema,
)
from app.holds.views import hold_views
from app.idempotency import money_moving
from app.paging import Page, page_of, paginate
from app.permissions import Facts, permit, requires
from app.savings.views import movement_view
from community.communities import queries as communities
from community.communities.models import Community
from community.ledger import holds as service
from community.ledger.models import Hold
from community.members import queries as members
from community.members.models import Member
from community.savings.service import pay_out_hold

blp = Blueprint("holds", __name__, description="Members' money that is set aside for a while")

_PLACE = "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/holds"


@blp.route(_PLACE, methods=["POST"])
@requires("hold:place")
@blp.arguments(HoldInSchema)
@money_moving(HoldSchema)
def place_hold(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Set a part of a member's free savings aside."""
    session = db.session()
    community, member = _opened(session, "hold:place", community_id, member_id)
    hold = service.place_hold(
        session,
        community_id=community.id,
        member_id=member.id,
        **data,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    [view] = hold_views(session, [hold])
    return view


@blp.route(_PLACE)
@requires("hold:read")
@blp.arguments(HoldListArgs, location="query")
@blp.response(200, page_of(HoldSchema))
def list_member_holds(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """The holds on a member's savings in a community, newest first."""
    session = db.session()
    community, member = _opened(session, "hold:read", community_id, member_id)
    query = service.list_holds(community_id=community.id, member_id=member.id, state=args["state"])
    page = paginate(session, query, key=Hold.id, args=args, newest_first=True)
    return Page(hold_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/holds")
@requires("hold:list")
@blp.arguments(HoldListArgs, location="query")
@blp.response(200, page_of(HoldSchema))
def list_holds(args: dict[str, Any], community_id: str) -> Page:
    """The holds of a community, newest first."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("hold:list", Facts(path=community.path_ids))
    query = service.list_holds(community_id=community.id, state=args["state"])
    page = paginate(session, query, key=Hold.id, args=args, newest_first=True)
    return Page(hold_views(session, page.items), page.next_cursor)


@blp.route("/holds/<pid(hld):hold_id>")
@requires("hold:read")
@blp.response(200, HoldSchema)
def get_hold(hold_id: str) -> Any:
    """One hold."""
    session = db.session()
    hold, _, _ = _found(session, "hold:read", hold_id)
    [view] = hold_views(session, [hold])
    return view


@blp.route("/holds/<pid(hld):hold_id>/posting", methods=["POST"])
@requires("hold:post")
@blp.arguments(HoldPostingInSchema)
@money_moving(HoldPostingSchema)
def post_hold(data: dict[str, Any], hold_id: str) -> Any:
    """Pay the money of a hold out to the member, all of it or a part."""
    session = db.session()
    hold, community, member = _found(session, "hold:post", hold_id)
    receipt = pay_out_hold(
        session,
        hold_id=hold.id,
        amount=data["amount"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    [view] = hold_views(session, [hold])
    return {"hold": view, "receipt": movement_view(community, member, receipt)}


@blp.route("/holds/<pid(hld):hold_id>/void", methods=["POST"])
@requires("hold:void")
@blp.arguments(HoldVoidInSchema)
@money_moving(HoldSchema)
def void_hold(data: dict[str, Any], hold_id: str) -> Any:
    """Let the money of a hold go: it is free again."""
    session = db.session()
    hold, _, _ = _found(session, "hold:void", hold_id)
    hold = service.void_hold(
        session,
        hold_id=hold.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    [view] = hold_views(session, [hold])
    return view


def _opened(
    session: Session, action: str, community_id: str, member_id: str
) -> tuple[Community, Member]:
    """A member's place in a community, if the caller may do this there."""
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit(action, membership_facts(community, member))
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    return community, member


def _found(session: Session, action: str, hold_id: str) -> tuple[Hold, Community, Member]:
    """A hold with whom and where, if the caller may do this with it."""
    hold = service.get_hold(session, hold_id)
    account = service.accounts_of_holds(session, [hold])[hold.account_id]
    community = communities.get_community_by_id(session, account.community_id)
    member = members.get_member_by_id(session, account.member_id)
    permit(action, membership_facts(community, member))
    return hold, community, member
