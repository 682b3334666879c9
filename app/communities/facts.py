"""What the permission table needs to know of communities and memberships."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.permissions import Facts
from community.communities import queries
from community.communities.models import Community, MembershipStatus
from community.members.models import Member


def community_facts(session: Session, community: Community) -> Facts:
    """Facts about a community. Of its members only the caller matters, so only they are read."""
    own = queries.find_membership(session, community_id=community.id, member_id=caller().member_id)
    inside = own is not None and own.status is not MembershipStatus.LEFT
    return Facts(
        path=community.path_ids,
        member_ids=frozenset({caller().member_id}) if inside else frozenset(),
    )


def membership_facts(community: Community, member: Member) -> Facts:
    """Facts about what a member has in a community."""
    return Facts(path=community.path_ids, owner_ids=frozenset({member.id}))
