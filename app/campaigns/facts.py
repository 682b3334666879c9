"""What the permission table needs to know of campaigns."""

from sqlalchemy.orm import Session

from app.auth import caller
from app.communities.facts import community_facts
from app.permissions import Facts
from community.campaigns import queries
from community.campaigns.models import (
    Campaign,
    CampaignAssignment,
    CampaignHousehold,
    CampaignObjection,
)
from community.communities import queries as communities
from community.members import queries as members


def campaign_facts(session: Session, campaign: Campaign) -> Facts:
    """Facts about a campaign: who is in its community."""
    community = communities.get_community_by_id(session, campaign.community_id)
    return community_facts(session, community)


def household_facts(session: Session, row: CampaignHousehold) -> Facts:
    """Facts about a household in a campaign: whoever lives in it now owns it."""
    return _owned(
        session,
        queries.get_campaign_by_id(session, row.campaign_id),
        {member.id for member in members.household_members(session, row.household_id)},
    )


def own_facts(session: Session, campaign: Campaign, row: CampaignHousehold | None) -> Facts:
    """Facts about the caller's own household in a campaign, if it is there."""
    return _owned(session, campaign, set() if row is None else {caller().member_id})


def assignment_facts(session: Session, assignment: CampaignAssignment) -> Facts:
    """Facts about one household to review: nobody's but the reviewer's."""
    return Facts(owner_ids=frozenset({assignment.reviewer_id}))


def objection_facts(session: Session, objection: CampaignObjection) -> Facts:
    """Facts about an objection: whose it is."""
    row = session.get_one(CampaignHousehold, objection.campaign_household_id)
    campaign = queries.get_campaign_by_id(session, row.campaign_id)
    return _owned(session, campaign, {objection.objector_id})


def _owned(session: Session, campaign: Campaign, owners: set[int]) -> Facts:
    community = communities.get_community_by_id(session, campaign.community_id)
    return Facts(path=community.path_ids, owner_ids=frozenset(owners))
