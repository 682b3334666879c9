"""What the permission table needs to know of groups."""

from sqlalchemy.orm import Session

from app.clock import today
from app.permissions import Facts
from community.communities import queries as communities
from community.groups import queries
from community.groups.models import Group


def group_facts(session: Session, group: Group) -> Facts:
    """Facts about a group: who is in it, who is asked, who leads."""
    places = [place for place, _ in queries.members_of(session, group.id)]
    living = frozenset(p.member_id for p in places if p.status in queries.LIVING)
    leader = queries.is_led_by(group, today())
    return Facts(
        path=communities.get_community_by_id(session, group.community_id).path_ids,
        owner_ids=living & {group.founder_id},
        related_ids=frozenset(p.member_id for p in places if p.status in queries.LISTED),
        leader_ids=frozenset() if leader is None else living & {leader},
        member_ids=living,
    )
