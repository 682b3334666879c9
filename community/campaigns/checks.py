"""Law 7 for campaigns: draws, outcomes and grants are worked out again from their rows."""

from collections.abc import Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from community.campaigns import outcomes, queries
from community.campaigns.draw import DrawInputs, draw
from community.campaigns.models import (
    Campaign,
    CampaignAnswer,
    CampaignAssignment,
    CampaignHousehold,
    CampaignObjection,
    HouseholdStatus,
    ObjectionStatus,
)
from community.campaigns.service import answers_digest
from community.ledger.checks import Breach
from community.ledger.models import Event
from community.trust.models import Assessment, AssessmentKind

_DERIVED = (HouseholdStatus.PROPOSED, HouseholdStatus.GRANTED)


def check_campaigns(session: Session) -> Iterator[Breach]:
    """Breaches of laws 2, 7 and 8 in campaigns; a village at a time."""
    for campaign in session.scalars(select(Campaign).order_by(Campaign.id)):
        yield from _draws(session, campaign)
        yield from _answers(session, campaign)
        if campaign.status in queries.UNBLINDED:
            yield from _outcomes(session, campaign)
    yield from _grants(session)


def _draws(session: Session, campaign: Campaign) -> Iterator[Breach]:
    rounds = queries.rounds_of(session, campaign.id)
    if len(rounds) != campaign.round:
        yield Breach(7, "campaigns", str(campaign.id), "has a round without its draw")
    for one in rounds:
        seed = f"{outcomes.seed_of(campaign)}:{one.number}"
        places = {
            (place.reviewer, place.household)
            for place in draw(DrawInputs.read(one.inputs), seed=seed)
        }
        rows = session.execute(
            select(CampaignAssignment.reviewer_id, CampaignAssignment.household_id).where(
                CampaignAssignment.campaign_id == campaign.id,
                CampaignAssignment.round == one.number,
            )
        )
        if {(reviewer, home) for reviewer, home in rows} != places:
            yield Breach(
                7, "campaign_rounds", str(one.id), "has assignments that its seed does not give"
            )


def _answers(session: Session, campaign: Campaign) -> Iterator[Breach]:
    """Frozen answers are those whose digest the chain keeps."""
    kept = {
        event.facts["round"]: event.facts["answers_hash"]
        for event in session.scalars(
            select(Event).where(
                Event.subject == campaign.public_id, Event.kind == "campaign.round_closed"
            )
        )
    }
    answers: dict[int, list[CampaignAnswer]] = {number: [] for number in kept}
    for answer in queries.answers_of(session, campaign.id):
        answers.setdefault(answer.round, []).append(answer)
    for number, listed in answers.items():
        if kept.get(number) != answers_digest(listed):
            yield Breach(
                8,
                "campaigns",
                str(campaign.id),
                f"has answers of round {number} that are not those it was closed with",
            )


def _outcomes(session: Session, campaign: Campaign) -> Iterator[Breach]:
    found = outcomes.assessed(session, campaign)
    rules = queries.rules_of(session, campaign)
    sampled = outcomes.sample(campaign, found, rules.campaign_recheck_bps)
    by_household = {outcome.household: outcome for outcome in found.outcomes}
    upheld = {
        objection.campaign_household_id: objection
        for objection in session.scalars(
            select(CampaignObjection)
            .join(
                CampaignHousehold, CampaignHousehold.id == CampaignObjection.campaign_household_id
            )
            .where(
                CampaignHousehold.campaign_id == campaign.id,
                CampaignObjection.status.in_([ObjectionStatus.CHANGED, ObjectionStatus.STOPPED]),
            )
            # Answered last, counts last.
            .order_by(CampaignObjection.answered_as)
        )
    }
    rows = session.scalars(
        select(CampaignHousehold)
        .where(CampaignHousehold.campaign_id == campaign.id)
        .order_by(CampaignHousehold.id)
    )
    for row in rows:
        outcome = by_household[row.household_id]
        where = ("campaign_households", str(row.id))
        if row.verdict is not outcome.verdict or row.grounds != outcomes.grounds_of(outcome):
            yield Breach(7, *where, "has an outcome that its answers do not give")
        # A line may have been lower when it was proposed.
        if row.proposed_minor > outcome.proposed_minor or (
            campaign.line_id is None and row.proposed_minor != outcome.proposed_minor
        ):
            yield Breach(7, *where, "has a proposal that its answers do not give")
        if row.is_sampled != (row.household_id in sampled):
            yield Breach(7, *where, "is to be visited though its seed does not say so, or not")
        if row.status not in _DERIVED:
            continue
        objection = upheld.get(row.id)
        amount = (
            outcomes.amount_before_objections(row)
            if objection is None
            else objection.amount_minor or 0
        )
        if row.amount_minor != amount:
            yield Breach(7, *where, f"is to get {row.amount_minor}, decisions give {amount}")


def _grants(session: Session) -> Iterator[Breach]:
    """What is granted is an assessment of the holder of that amount, until that day."""
    rows = session.execute(
        select(CampaignHousehold.id)
        .outerjoin(Assessment, Assessment.id == CampaignHousehold.assessment_id)
        .where(
            CampaignHousehold.granted_on.is_not(None),
            or_(
                Assessment.id.is_(None),
                Assessment.member_id != CampaignHousehold.holder_id,
                Assessment.amount_minor != CampaignHousehold.amount_minor,
                Assessment.kind != AssessmentKind.STANDING,
                Assessment.expires_on > CampaignHousehold.expires_on,
            ),
        )
        .order_by(CampaignHousehold.id)
    )
    for (row_id,) in rows:
        yield Breach(7, "campaign_households", str(row_id), "was granted what no assessment shows")
