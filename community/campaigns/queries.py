"""Reading campaigns: households, panels, answers, findings, objections."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.campaigns.errors import (
    AssignmentNotFound,
    CampaignFindingNotFound,
    CampaignHouseholdNotFound,
    CampaignNotFound,
    ObjectionNotFound,
)
from community.campaigns.models import (
    Campaign,
    CampaignAnswer,
    CampaignAssignment,
    CampaignFinding,
    CampaignHousehold,
    CampaignObjection,
    CampaignReviewer,
    CampaignRound,
    CampaignStatus,
    HouseholdStatus,
)
from community.communities.charter import CharterRules, read_rules
from community.communities.models import Charter, Membership, MembershipStatus
from community.locks import lock_one
from community.members.models import Member, MemberKind

# Rounds are closed: answers are no secret any more to who looks after the campaign.
UNBLINDED = frozenset(
    {
        CampaignStatus.CHECKING,
        CampaignStatus.PUBLISHED,
        CampaignStatus.GRANTING,
        CampaignStatus.GRANTED,
    }
)
# Households see their figures, the village what the charter shows it.
PUBLIC = frozenset({CampaignStatus.PUBLISHED, CampaignStatus.GRANTING, CampaignStatus.GRANTED})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reviewer is: how many households, how many answered; nothing of what was said."""

    reviewer: CampaignReviewer
    assigned: int
    answered: int


@dataclass(frozen=True, slots=True)
class Board:
    """A campaign in sums."""

    households: int
    proposed: int
    granted: int
    proposed_minor: int
    granted_minor: int


def get_campaign(session: Session, public_id: str) -> Campaign:
    """The campaign of this public id. Raises CampaignNotFound."""
    found = session.scalar(select(Campaign).where(Campaign.public_id == public_id))
    if found is None:
        raise CampaignNotFound()
    return found


def get_campaign_by_id(session: Session, campaign_id: int) -> Campaign:
    """The campaign of this id. Raises CampaignNotFound."""
    found = session.get(Campaign, campaign_id)
    if found is None:
        raise CampaignNotFound()
    return found


def list_campaigns(community_id: int) -> Select[Campaign]:
    """A community's campaigns; page by Campaign.id."""
    return select(Campaign).where(Campaign.community_id == community_id)


def find_running(session: Session, community_id: int) -> Campaign | None:
    """The campaign of a community that is under way."""
    return session.scalar(
        select(Campaign).where(
            Campaign.community_id == community_id,
            Campaign.status.not_in([CampaignStatus.GRANTED, CampaignStatus.CANCELLED]),
        )
    )


def charter_of(session: Session, campaign: Campaign) -> Charter:
    """The charter that counts for a campaign: that of the day on which it was opened."""
    return session.get_one(Charter, campaign.charter_id)


def rules_of(session: Session, campaign: Campaign) -> CharterRules:
    """The rules that count for a campaign."""
    return read_rules(charter_of(session, campaign).rules)


def get_household(session: Session, public_id: str) -> CampaignHousehold:
    """A household in a campaign. Raises CampaignHouseholdNotFound."""
    found = session.scalar(
        select(CampaignHousehold).where(CampaignHousehold.public_id == public_id)
    )
    if found is None:
        raise CampaignHouseholdNotFound()
    return found


def find_household(
    session: Session, *, campaign_id: int, household_id: int | None
) -> CampaignHousehold | None:
    """A household's row in a campaign."""
    return session.scalar(
        select(CampaignHousehold).where(
            CampaignHousehold.campaign_id == campaign_id,
            CampaignHousehold.household_id == household_id,
        )
    )


def list_households(
    campaign_id: int, status: HouseholdStatus | None = None
) -> Select[CampaignHousehold]:
    """A campaign's households; page by CampaignHousehold.id."""
    statement = select(CampaignHousehold).where(CampaignHousehold.campaign_id == campaign_id)
    return statement if status is None else statement.where(CampaignHousehold.status == status)


def get_assignment(session: Session, public_id: str) -> CampaignAssignment:
    """One household to review. Raises AssignmentNotFound."""
    found = session.scalar(
        select(CampaignAssignment).where(CampaignAssignment.public_id == public_id)
    )
    if found is None:
        raise AssignmentNotFound()
    return found


def assignments_of(campaign_id: int, *, reviewer_id: int) -> Select[CampaignAssignment]:
    """What a reviewer was drawn for; page by CampaignAssignment.id."""
    return select(CampaignAssignment).where(
        CampaignAssignment.campaign_id == campaign_id,
        CampaignAssignment.reviewer_id == reviewer_id,
    )


def waiting_for(
    session: Session, campaign_ids: Collection[int], *, reviewer_id: int
) -> dict[int, int]:
    """How many households wait for a reviewer's answer, by campaign; none are left out."""
    rows = session.execute(
        select(CampaignAssignment.campaign_id, func.count())
        .where(
            CampaignAssignment.campaign_id.in_(campaign_ids),
            CampaignAssignment.reviewer_id == reviewer_id,
            CampaignAssignment.answered_at.is_(None),
            CampaignAssignment.is_closed.is_(False),
        )
        .group_by(CampaignAssignment.campaign_id)
    )
    return {campaign_id: int(count) for campaign_id, count in rows}


def list_reviewers(campaign_id: int) -> Select[CampaignReviewer]:
    """Who may be drawn in a campaign; page by CampaignReviewer.id."""
    return select(CampaignReviewer).where(CampaignReviewer.campaign_id == campaign_id)


def progress_of(session: Session, reviewers: Iterable[CampaignReviewer]) -> list[Progress]:
    """How far these reviewers of one campaign are."""
    listed = list(reviewers)
    if not listed:
        return []
    rows = session.execute(
        select(
            CampaignAssignment.reviewer_id,
            func.count(),
            func.count(CampaignAssignment.answered_at),
        )
        .where(CampaignAssignment.campaign_id == listed[0].campaign_id)
        .group_by(CampaignAssignment.reviewer_id)
    )
    counts = {reviewer_id: (assigned, answered) for reviewer_id, assigned, answered in rows}
    return [Progress(one, *counts.get(one.member_id, (0, 0))) for one in listed]


def rounds_of(session: Session, campaign_id: int) -> Sequence[CampaignRound]:
    """What was drawn, round by round."""
    return session.scalars(
        select(CampaignRound)
        .where(CampaignRound.campaign_id == campaign_id)
        .order_by(CampaignRound.number)
    ).all()


def answers_of(
    session: Session, campaign_id: int, *, household_id: int | None = None
) -> Sequence[CampaignAnswer]:
    """Answers of closed rounds, of all households or one."""
    statement = select(CampaignAnswer).where(CampaignAnswer.campaign_id == campaign_id)
    if household_id is not None:
        statement = statement.where(CampaignAnswer.household_id == household_id)
    return session.scalars(statement.order_by(CampaignAnswer.id)).all()


def list_findings(campaign_id: int) -> Select[CampaignFinding]:
    """A campaign's findings; page by CampaignFinding.id."""
    return select(CampaignFinding).where(CampaignFinding.campaign_id == campaign_id)


def get_finding(session: Session, public_id: str) -> CampaignFinding:
    """One finding. Raises CampaignFindingNotFound."""
    found = session.scalar(select(CampaignFinding).where(CampaignFinding.public_id == public_id))
    if found is None:
        raise CampaignFindingNotFound()
    return found


def list_objections(
    campaign_id: int, *, objector_id: int | None = None
) -> Select[CampaignObjection]:
    """Objections in a campaign, of everybody or of one; page by CampaignObjection.id."""
    statement = (
        select(CampaignObjection)
        .join(CampaignHousehold, CampaignHousehold.id == CampaignObjection.campaign_household_id)
        .where(CampaignHousehold.campaign_id == campaign_id)
    )
    if objector_id is None:
        return statement
    return statement.where(CampaignObjection.objector_id == objector_id)


def objections_on(session: Session, row_id: int) -> Sequence[CampaignObjection]:
    """What was raised against one household's grant, oldest first."""
    return session.scalars(
        select(CampaignObjection)
        .where(CampaignObjection.campaign_household_id == row_id)
        .order_by(CampaignObjection.id)
    ).all()


def get_objection(session: Session, public_id: str) -> CampaignObjection:
    """One objection. Raises ObjectionNotFound."""
    found = session.scalar(
        select(CampaignObjection).where(CampaignObjection.public_id == public_id)
    )
    if found is None:
        raise ObjectionNotFound()
    return found


def board_of(session: Session, campaign_id: int) -> Board:
    """A campaign in sums: what the village may see, as far as its charter goes."""
    row = CampaignHousehold
    granted = row.granted_on.is_not(None)
    proposed = granted | row.status.in_([HouseholdStatus.PROPOSED])
    households, some, minor, given, given_minor = session.execute(
        select(
            func.count(),
            func.count().filter(proposed),
            func.coalesce(func.sum(row.amount_minor).filter(proposed), 0),
            func.count().filter(granted),
            func.coalesce(func.sum(row.amount_minor).filter(granted), 0),
        ).where(row.campaign_id == campaign_id)
    ).one()
    return Board(households, some, given, int(minor), int(given_minor))


def people_with_a_household(session: Session, community_id: int) -> dict[int, int]:
    """Active persons of a community by id, with the household that they are entered with."""
    rows = session.execute(
        select(Member.id, Member.household_id)
        .join(Membership, Membership.member_id == Member.id)
        .where(
            Membership.community_id == community_id,
            Membership.status == MembershipStatus.ACTIVE,
            Member.kind == MemberKind.PERSON,
            Member.household_id.is_not(None),
        )
        .order_by(Member.id)
    )
    return {member_id: household_id for member_id, household_id in rows if household_id}


def taking_part(session: Session, *, campaign_id: int, member_ids: Collection[int]) -> set[int]:
    """Those of the members whose household is in the campaign."""
    return set(
        session.scalars(
            select(Member.id)
            .join(CampaignHousehold, CampaignHousehold.household_id == Member.household_id)
            .where(CampaignHousehold.campaign_id == campaign_id, Member.id.in_(member_ids))
        )
    )


def live_grant_ids(
    session: Session, *, community_id: int, before: date, after_id: int, limit: int
) -> list[int]:
    """Granted rows whose last day is over, up their ids."""
    return list(
        session.scalars(
            select(CampaignHousehold.id)
            .join(Campaign, Campaign.id == CampaignHousehold.campaign_id)
            .where(
                Campaign.community_id == community_id,
                CampaignHousehold.status == HouseholdStatus.GRANTED,
                CampaignHousehold.expires_on < before,
                CampaignHousehold.id > after_id,
            )
            .order_by(CampaignHousehold.id)
            .limit(limit)
        )
    )


def live_grants_of(
    session: Session, *, community_id: int, household_id: int | None = None
) -> dict[int, tuple[int, int]]:
    """Live grants of a community, of one household or all: household and holder by row."""
    statement = (
        select(CampaignHousehold.id, CampaignHousehold.household_id, CampaignHousehold.holder_id)
        .join(Campaign, Campaign.id == CampaignHousehold.campaign_id)
        .where(
            Campaign.community_id == community_id,
            CampaignHousehold.status == HouseholdStatus.GRANTED,
        )
    )
    if household_id is not None:
        statement = statement.where(CampaignHousehold.household_id == household_id)
    return {row_id: (home, holder) for row_id, home, holder in session.execute(statement)}


def get_campaign_for_update(session: Session, public_id: str) -> Campaign:
    """The campaign of this public id, locked. Raises CampaignNotFound."""
    return lock_one(session, Campaign, get_campaign(session, public_id).id)
