"""Taking an applicant in passes the newcomer gate: the same for the API and for pages."""

from app.clock import today
from app.extensions import db
from app.risk.gate import let_through
from community.communities import queries
from community.communities.models import MembershipStatus
from community.risk import gate
from community.risk.gate import Suspicion


def ask_the_gate(community_id: int, member_id: int) -> list[Suspicion]:
    """Within the unit of work that takes them in, before it does; what was let through."""
    session = db.session()
    place = {"community_id": community_id, "member_id": member_id}
    membership = queries.get_membership(session, **place)
    found: list[Suspicion] = []
    # Any other will be refused, or is nobody new.
    if membership.status is MembershipStatus.APPLIED:
        found = gate.at_admission(session, **place, on=today())
    let_through(found, membership_id=membership.id)
    return found
