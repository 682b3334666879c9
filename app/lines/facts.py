"""What the permission table needs to know of credit lines."""

from dataclasses import replace

from sqlalchemy.orm import Session

from app.auth import caller
from app.communities.facts import community_facts
from app.groups.facts import group_facts
from app.permissions import Facts
from community.communities import queries as communities
from community.groups import queries as groups
from community.lines import queries
from community.lines.models import CreditLine


def line_facts(session: Session, line: CreditLine) -> Facts:
    """Who is in what holds the line, and whether the caller has a sub-limit on it."""
    if line.group_id is None:
        community = communities.get_community_by_id(session, line.community_id)
        facts = community_facts(session, community)
    else:
        facts = group_facts(session, groups.get_group_by_id(session, line.group_id))
    me = caller().member_id
    own = queries.find_share(session, line_id=line.id, member_id=me)
    # Who is merely asked to join a group does not see its line.
    return replace(
        facts, owner_ids=frozenset(), related_ids=frozenset() if own is None else frozenset({me})
    )
