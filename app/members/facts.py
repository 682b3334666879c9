"""What the permission table needs to know of members and households."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.members.permissions import MemberFacts
from app.permissions import Facts
from community.communities import queries as communities
from community.groups import queries as groups
from community.members import queries
from community.members.models import Household, Member
from community.members.principal import Role


def member_facts(session: Session, member: Member) -> MemberFacts:
    """Facts about a member: theirs, their group's, and their communities' officers'."""
    paths = communities.paths_of(session, [member.id])
    return MemberFacts(
        path=tuple(sorted({place for path in paths for place in path})),
        paths=tuple(paths),
        owner_ids=frozenset({member.id}),
        related_ids=groups.companions_of(session, member.id),
        in_office=bool(queries.live_grants(session, member.id)),
    )


def household_facts(session: Session, household: Household) -> Facts:
    """Facts about a household: it is its members', and their communities' officers'."""
    ids = [member.id for member in queries.household_members(session, household.id)]
    if not ids:
        # A household in which nobody lives yet is at the disposal of every officer.
        grants = caller().grants
        offices = {g.community_id for g in grants if g.role is Role.OFFICER and g.community_id}
        return Facts(path=tuple(sorted(offices)))
    return Facts(path=communities.reach_of(session, ids), owner_ids=frozenset(ids))
