"""What the permission table needs to know of cases."""

from sqlalchemy.orm import Session

from app.clock import today
from app.groups.facts import group_facts
from app.monitoring.permissions import CaseFacts
from app.permissions import Facts
from community.communities import queries as communities
from community.groups import queries as groups
from community.monitoring import queries, visits
from community.monitoring.models import CaseRole, RiskCase, Visit


def case_facts(session: Session, case: RiskCase) -> CaseFacts:
    """Facts about a case: a leader knows what rules found in the group, but not about themselves.

    What members reported is known to those in office alone, and not to whom it is about.
    """
    about = frozenset() if case.member_id is None else frozenset({case.member_id})
    if case.subject is not None:
        about |= queries.people_in(session, [case.id]).get(case.id, frozenset())
    leader = None
    if case.group_id is not None and not case.is_confidential:
        leader = groups.is_led_by(groups.get_group_by_id(session, case.group_id), today())
    leaders = frozenset() if leader is None else frozenset({leader}) - about
    taken = frozenset() if case.owner_id is None else frozenset({case.owner_id})
    return CaseFacts(
        path=communities.get_community_by_id(session, case.community_id).path_ids,
        # What is about several people may be a scheme of theirs: none of them is told.
        owner_ids=frozenset() if case.is_confidential or case.subject is not None else about,
        leader_ids=leaders,
        subject_ids=about,
        officer_ids=(taken | leaders if case.owner_role is CaseRole.LEADER else taken) - about,
    )


def visit_facts(session: Session, visit: Visit) -> Facts:
    """Who visits, who is visited, and who leads the group in which it was drawn."""
    group = groups.get_group_by_id(session, visits.round_of(session, visit).group_id)
    known = group_facts(session, group)
    return Facts(
        path=known.path,
        owner_ids=frozenset({visit.visitor_id}),
        related_ids=frozenset({visit.visited_id}),
        leader_ids=known.leader_ids,
    )
