"""What begins to bind a group and what ends it, for whoever the caller is permitted to be."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.grouplife.views import viewer
from app.permissions import Facts, permit
from app.risk.gate import let_through
from community.groups import service
from community.groups.models import Group, GroupStatus
from community.guarantees.group_life import dissolve_group
from community.risk import gate
from community.trust.service import activate_group
from community.vouching.records import figures_of


def let_bind(session: Session, group: Group) -> Group:
    """The agreement binds once the cooling-off period is over; through the newcomer gate."""
    ready_at = group.cooling_off_until
    # Any other will be refused.
    if group.status is GroupStatus.COOLING_OFF and ready_at is not None and now() >= ready_at:
        let_through(gate.at_activation(session, group_id=group.id, on=today()), group_id=group.id)
    activate_group(session, **_step(group), records_of=figures_of)
    return group


def give_up(session: Session, group: Group, facts: Facts) -> None:
    """Give up a group that does not bind yet, or end one in which nothing is live."""
    if group.status is GroupStatus.ACTIVE:
        permit("group:end", facts)
        dissolve_group(session, **_step(group), viewer=viewer(facts))
    else:
        service.dissolve(session, group_id=group.id, now=now(), actor_id=caller().member_id)


def _step(group: Group) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "on": today(),
        "now": now(),
        "actor_id": caller().member_id,
    }
