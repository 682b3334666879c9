"""A member's savings at the cash desk: what there is, what moved, and money in and out."""

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for

from app.auth import caller
from app.clock import now, today
from app.communities.facts import membership_facts
from app.extensions import db
from app.pages.forms import Form, answer
from app.pages.lists import listed
from app.pages.office.people import place_of
from app.pages.office.room import pages, show
from app.permissions import may, permit, requires
from app.savings import permissions as _permissions  # noqa: F401  declares savings:read
from app.savings.schemas import SavingsMovementInSchema
from community.communities.models import Community
from community.members.models import Member
from community.savings import queries, service
from community.savings.models import SavingsMovement


@pages.get("/office/<pid(com):community_id>/members/<pid(mem):member_id>/savings")
@requires("savings:read")
def savings(community_id: str, member_id: str) -> Response:
    """What a member has here, and every movement, the newest first."""
    community, member = place_of(community_id, member_id)
    session = db.session()
    facts = membership_facts(community, member)
    permit("savings:read", facts)
    found, older, first = listed(
        session,
        queries.list_movements(community_id=community.id, member_id=member.id),
        SavingsMovement.id,
    )
    # What was just moved, if the address says so.
    moved = request.args.get("receipt", "")
    return show(
        "savings",
        community,
        member=member,
        balances=queries.balances(session, community_id=community.id, member_id=member.id),
        movements=found.items,
        may_move=may("savings:deposit", facts),
        taken=next((row for row in found.items if row.public_id == moved), None),
        older=older,
        first=first,
    )


@pages.route(
    "/office/<pid(com):community_id>/members/<pid(mem):member_id>/savings/deposit",
    methods=["GET", "POST"],
)
@requires("savings:deposit")
def deposit(community_id: str, member_id: str) -> Any:
    """Take a member's money into custody."""
    return _moved(community_id, member_id, "savings:deposit", service.deposit)


@pages.route(
    "/office/<pid(com):community_id>/members/<pid(mem):member_id>/savings/withdrawal",
    methods=["GET", "POST"],
)
@requires("savings:withdraw")
def withdraw(community_id: str, member_id: str) -> Any:
    """Pay a member's free savings out."""
    return _moved(community_id, member_id, "savings:withdraw", service.withdraw)


def _moved(
    community_id: str, member_id: str, action: str, move: Callable[..., SavingsMovement]
) -> Any:
    community, member = _permitted(action, community_id, member_id)

    def work(data: dict[str, Any]) -> str:
        place, saver = _permitted(action, community_id, member_id)
        movement = move(
            db.session(),
            community_id=place.id,
            member_id=saver.id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for(
            "office.savings",
            community_id=community_id,
            member_id=member_id,
            receipt=movement.public_id,
        )

    def page(form: Form) -> Response:
        return show(
            "savings_move",
            community,
            form=form,
            member=member,
            is_deposit=action == "savings:deposit",
            balances=queries.balances(db.session(), community_id=community.id, member_id=member.id),
        )

    return answer(SavingsMovementInSchema, work, page, said=("office", "savings_moved"))


def _permitted(action: str, community_id: str, member_id: str) -> tuple[Community, Member]:
    community, member = place_of(community_id, member_id)
    permit(action, membership_facts(community, member))
    return community, member
