"""From frozen answers to what is proposed for each household, and who is visited.

Everything here is derived: from the answers of closed rounds, who is excluded, what visits found,
and the campaign's own charter. The verifier derives it again.
"""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.campaigns import queries
from community.campaigns.draw import Dice
from community.campaigns.findings import Assessed, Opinion, Outcome, Verdict, assess
from community.campaigns.models import (
    Campaign,
    CampaignAnswer,
    CampaignHousehold,
    CampaignReviewer,
    HouseholdStatus,
    VisitResult,
)
from community.campaigns.states import moved
from community.lines.queries import get_line_by_id


def assessed(session: Session, campaign: Campaign) -> Assessed:
    """What the answers of closed rounds come to, excluded reviewers set aside."""
    reviewers = session.scalars(
        select(CampaignReviewer).where(CampaignReviewer.campaign_id == campaign.id)
    ).all()
    households = session.scalars(
        select(CampaignHousehold.household_id).where(CampaignHousehold.campaign_id == campaign.id)
    ).all()
    return assess(
        map(opinion_of, queries.answers_of(session, campaign.id)),
        households=households,
        homes={one.member_id: one.household_id for one in reviewers},
        rules=queries.rules_of(session, campaign),
        excluded={one.member_id for one in reviewers if one.excluded_on is not None},
    )


def opinion_of(answer: CampaignAnswer) -> Opinion:
    """The figures of an answer."""
    return Opinion(
        reviewer=answer.reviewer_id,
        household=answer.household_id,
        knows=answer.knows,
        limit_minor=answer.limit_minor,
        is_against=answer.against is not None,
    )


def propose(
    session: Session, campaign: Campaign, rows: Iterable[CampaignHousehold], found: Assessed
) -> None:
    """Write what is found to the households' rows, which are locked, and draw who is visited."""
    by_household = {outcome.household: outcome for outcome in found.outcomes}
    listed = list(rows)
    most = line_limit(session, campaign)
    sampled = sample(campaign, found, queries.rules_of(session, campaign).campaign_recheck_bps)
    for row in listed:
        outcome = by_household[row.household_id]
        row.verdict = outcome.verdict
        row.grounds = grounds_of(outcome)
        row.proposed_minor = outcome.proposed_minor
        if most is not None:
            row.proposed_minor = min(row.proposed_minor, most)
        row.is_sampled = row.household_id in sampled
        settle(row)
        row.version += 1


def settle(row: CampaignHousehold) -> None:
    """What the verdict and the visit make of a household before publication."""
    if row.verdict is not Verdict.PROPOSED:
        # Through proposed, where a visit had refused it before its panel was found wanting.
        if row.status is HouseholdStatus.REFUSED:
            row.status = moved(row.status, HouseholdStatus.PROPOSED)
        row.status = moved(row.status, HouseholdStatus.WITHHELD)
    elif row.visit_result is VisitResult.REFUSED:
        if row.status is not HouseholdStatus.REFUSED:
            row.status = moved(row.status, HouseholdStatus.PROPOSED)
        row.status = moved(row.status, HouseholdStatus.REFUSED)
    else:
        row.status = moved(row.status, HouseholdStatus.PROPOSED)
    row.amount_minor = amount_before_objections(row)


def amount_before_objections(row: CampaignHousehold) -> int:
    """What a household is to get by its answers and its visit."""
    if row.verdict is not Verdict.PROPOSED or row.visit_result is VisitResult.REFUSED:
        return 0
    if row.visit_result is VisitResult.CHANGED:
        return row.visit_minor or 0
    return row.proposed_minor


def grounds_of(outcome: Outcome) -> dict[str, int | None]:
    """The figures of an outcome, as they are stored and shown."""
    return {
        "answers": outcome.answers,
        "known": outcome.known,
        "against": outcome.against,
        "centre_minor": outcome.centre_minor,
        "spread_bps": outcome.spread_bps,
    }


def sample(campaign: Campaign, found: Assessed, share_bps: int) -> frozenset[int]:
    """Which of the households with a proposal are visited: the first in the order of the seed.

    The order is one of all households, so that an excluded reviewer changes little of it.
    """
    order = Dice(seed_of(campaign), "visits").shuffled(
        outcome.household for outcome in found.outcomes
    )
    proposed = {
        outcome.household for outcome in found.outcomes if outcome.verdict is Verdict.PROPOSED
    }
    count = -(-len(proposed) * share_bps // 10_000)
    return frozenset([home for home in order if home in proposed][:count])


def seed_of(campaign: Campaign) -> str:
    """The seed as it is used: with the campaign's id, which nobody can choose."""
    return f"{campaign.seed}:{campaign.public_id}"


def line_limit(session: Session, campaign: Campaign) -> int | None:
    """The limit of the campaign's line: no sub-limit is above it."""
    if campaign.line_id is None:
        return None
    return get_line_by_id(session, campaign.line_id).limit_minor
