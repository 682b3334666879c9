"""What permissions need to know about things that belong to a community and what nests in it."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.permissions import Facts
from community.communities import queries as communities
from community.communities.models import Community


def offer_facts(session: Session, community: Community) -> Facts:
    """Facts of a community's products and seasons: they are offered to all that nest in it.

    Whoever is a member, or holds a role, anywhere inside counts as one of those.
    """
    me = caller()
    offices = communities.get_communities_by_id(
        session, [grant.community_id for grant in me.grants]
    )
    mine = communities.paths_of(session, [me.member_id])
    mine += [office.path_ids for office in offices.values()]
    inside = any(community.id in path for path in mine)
    return Facts(path=community.path_ids, member_ids=frozenset({me.member_id} if inside else ()))
