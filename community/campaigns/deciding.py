"""What people decide in a campaign: on findings, after visits, on objections; and publication.

Nobody decides on their own household, on what was found of themselves, or on their own words.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.campaigns import outcomes, queries
from community.campaigns.errors import (
    AmountAboveCap,
    CampaignFindingNotFound,
    CampaignHouseholdNotFound,
    CampaignUnfinished,
    FindingDecided,
    LineDoesNotFit,
    NothingToVisit,
    NotInPeriod,
    ObjectionAnswered,
    ObjectionNotFound,
    ObjectionRaised,
    OwnCampaignMatter,
)
from community.campaigns.findings import Verdict
from community.campaigns.models import (
    Campaign,
    CampaignFinding,
    CampaignHousehold,
    CampaignObjection,
    CampaignReviewer,
    Decision,
    HouseholdStatus,
    ObjectionStatus,
    VisitResult,
)
from community.campaigns.service import locked, note
from community.campaigns.states import Step, after, moved
from community.communities import queries as communities
from community.errors import CurrencyMismatch, Invalid
from community.lines.models import CreditLineShare
from community.lines.queries import get_line_by_id
from community.locks import lock, lock_where
from community.members import queries as members
from community.money import Money, format_minor, share_bps


def decide(
    session: Session,
    *,
    finding_id: int,
    decision: Decision,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
    reviewer_ids: Collection[int] | None = None,
) -> CampaignFinding:
    """An officer keeps the answers of flagged reviewers, or sets aside those of all or of some.

    What is proposed follows anew. Locks the campaign, its households, reviewers and the finding.
    Raises FindingDecided, OwnCampaignMatter, CampaignStepNotAllowed.
    """
    campaign = locked(session, _campaign_of_finding(session, finding_id))
    after(campaign.status, Step.DECIDE)
    people = lock_where(session, CampaignReviewer, CampaignReviewer.campaign_id == campaign.id)
    reviewers = {one.member_id: one for one in people.values()}
    row = lock(session, CampaignFinding, [finding_id])[finding_id]
    if not row.needs_decision or row.decision is not None:
        raise FindingDecided(decision=row.decision.value if row.decision else None)
    check_not_own(session, actor_id, {reviewers[who].household_id for who in row.reviewers})
    chosen = set(row.reviewers) if reviewer_ids is None else set(reviewer_ids)
    if not chosen <= set(row.reviewers) or not chosen:
        raise Invalid("Name some of the finding's reviewers.", field="reviewers")
    row.decision, row.decided_reason = decision, reason
    row.decided_on, row.decided_by_id = on, actor_id
    excluded = [who for who in sorted(chosen) if reviewers[who].excluded_on is None]
    if decision is Decision.EXCLUDE:
        for who in excluded:
            reviewers[who].excluded_on, reviewers[who].excluded_reason = on, reason
            reviewers[who].excluded_by_id = actor_id
        session.flush()  # who is excluded is read below
        rows = lock_where(session, CampaignHousehold, CampaignHousehold.campaign_id == campaign.id)
        outcomes.propose(session, campaign, rows.values(), outcomes.assessed(session, campaign))
    names = members.names_of(session, row.reviewers)
    note(
        session,
        campaign,
        "finding_decided",
        actor_id,
        now,
        {
            "finding": row.public_id,
            "kind": row.kind.value,
            "decision": decision.value,
            "reviewers": [names[who].public_id for who in sorted(chosen)],
            "reason": reason,
            "on": on.isoformat(),
        },
    )
    return row


def visit(
    session: Session,
    *,
    row_id: int,
    result: VisitResult,
    remark: str,
    on: date,
    now: datetime,
    actor_id: int,
    amount: Money | None = None,
) -> CampaignHousehold:
    """An officer enters what a visit to a drawn household found; entered again, it is corrected.

    Locks the campaign and the household. Raises NothingToVisit, OwnCampaignMatter, AmountAboveCap.
    """
    campaign, row = _locked_row(session, row_id)
    after(campaign.status, Step.VISIT)
    if not row.is_sampled or row.verdict is not Verdict.PROPOSED:
        raise NothingToVisit(household=row.public_id)
    check_not_own(session, actor_id, {row.household_id})
    if (result is VisitResult.CHANGED) is (amount is None):
        raise Invalid("A changed proposal, and only that, names its amount.", field="amount")
    if amount is not None:
        _check_amount(session, campaign, amount)
    row.visit_result, row.visit_note = result, remark
    row.visit_minor = None if amount is None else amount.amount_minor
    row.visited_on, row.visited_by_id = on, actor_id
    outcomes.settle(row)
    row.version += 1
    note(
        session,
        campaign,
        "visited",
        actor_id,
        now,
        {
            "household": row.public_id,
            "result": result.value,
            "amount_minor": row.amount_minor,
            "note": remark,
            "on": on.isoformat(),
        },
    )
    return row


def publish(
    session: Session, *, campaign_id: int, on: date, now: datetime, actor_id: int | None
) -> Campaign:
    """Each household sees its own figure and grounds; objections may be raised for some days.

    Locks the campaign. Raises CampaignUnfinished (findings or visits are left), LineDoesNotFit.
    """
    campaign = locked(session, campaign_id)
    to = after(campaign.status, Step.PUBLISH)
    undecided = session.scalars(
        select(CampaignFinding.public_id).where(
            CampaignFinding.campaign_id == campaign.id,
            CampaignFinding.needs_decision,
            CampaignFinding.decision.is_(None),
        )
    ).all()
    unvisited = session.scalars(
        select(CampaignHousehold.public_id).where(
            CampaignHousehold.campaign_id == campaign.id,
            CampaignHousehold.is_sampled,
            CampaignHousehold.visited_on.is_(None),
        )
    ).all()
    if undecided or unvisited:
        raise CampaignUnfinished(
            f"{len(undecided)} findings wait for a decision, {len(unvisited)} households for a"
            " visit.",
            findings=sorted(undecided)[:20],
            households=sorted(unvisited)[:20],
        )
    _check_line(session, campaign, on)
    days = queries.rules_of(session, campaign).campaign_objection_days
    campaign.status = to
    campaign.published_on = on
    campaign.objections_until_on = on + timedelta(days=days)
    board = queries.board_of(session, campaign.id)
    note(
        session,
        campaign,
        "published",
        actor_id,
        now,
        {
            "on": on.isoformat(),
            "objections_until_on": campaign.objections_until_on.isoformat(),
            "households": board.households,
            "proposed": board.proposed,
            "proposed_minor": board.proposed_minor,
        },
    )
    return campaign


def object_to(
    session: Session,
    *,
    row_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> CampaignObjection:
    """Any active member objects, with a reason, to what is proposed for a household.

    Locks the campaign. Raises NotInPeriod, ObjectionRaised, NotAMember.
    """
    campaign, row = _locked_row(session, row_id)
    after(campaign.status, Step.OBJECT)
    communities.require_active(session, community_id=campaign.community_id, member_id=actor_id)
    if campaign.objections_until_on is None or on > campaign.objections_until_on:
        raise NotInPeriod(
            "The objection period is over.",
            until_on=campaign.objections_until_on and campaign.objections_until_on.isoformat(),
        )
    for earlier in queries.objections_on(session, row.id):
        if earlier.objector_id == actor_id and earlier.status is ObjectionStatus.OPEN:
            raise ObjectionRaised(objection=earlier.public_id)
    objection = CampaignObjection(
        campaign_household_id=row.id,
        objector_id=actor_id,
        reason=reason,
        raised_on=on,
        status=ObjectionStatus.OPEN,
    )
    session.add(objection)
    session.flush()  # the event names it
    note(
        session,
        campaign,
        "objection_raised",
        actor_id,
        now,
        {
            "objection": objection.public_id,
            "household": row.public_id,
            "reason": reason,
            "on": on.isoformat(),
        },
    )
    return objection


def answer_objection(
    session: Session,
    *,
    objection_id: int,
    outcome: ObjectionStatus,
    text: str,
    on: date,
    now: datetime,
    actor_id: int,
    amount: Money | None = None,
) -> CampaignObjection:
    """An officer answers: rejected, or upheld, which changes the grant or stops it.

    Locks the campaign, the household and the objection. Raises ObjectionAnswered,
    OwnCampaignMatter, AmountAboveCap, LineDoesNotFit.
    """
    found = session.get(CampaignObjection, objection_id)
    if found is None:
        raise ObjectionNotFound()
    campaign, row = _locked_row(session, found.campaign_household_id)
    after(campaign.status, Step.ANSWER_OBJECTION)
    objection = lock(session, CampaignObjection, [objection_id])[objection_id]
    if objection.status is not ObjectionStatus.OPEN:
        raise ObjectionAnswered(state=objection.status.value)
    if objection.objector_id == actor_id:
        raise OwnCampaignMatter()
    check_not_own(session, actor_id, {row.household_id})
    if outcome is ObjectionStatus.OPEN:
        raise Invalid("An answer rejects, changes or stops.", field="outcome")
    if (outcome is ObjectionStatus.CHANGED) is (amount is None):
        raise Invalid("A change, and only that, names its amount.", field="amount")
    if amount is not None:
        _check_amount(session, campaign, amount)
    objection.amount_minor = None if amount is None else amount.amount_minor
    objection.status, objection.answer = outcome, text
    objection.answered_on, objection.answered_by_id = on, actor_id
    objection.answered_as = campaign.version
    if amount is not None:
        if row.status is not HouseholdStatus.PROPOSED:
            row.status = moved(row.status, HouseholdStatus.PROPOSED)
        row.amount_minor = amount.amount_minor
        session.flush()  # the line is asked for all of them
        _check_line(session, campaign, on)
    elif outcome is ObjectionStatus.STOPPED:
        if row.status is HouseholdStatus.WITHHELD:
            row.status = moved(row.status, HouseholdStatus.PROPOSED)
        row.status = moved(row.status, HouseholdStatus.REFUSED)
        row.amount_minor = 0
    row.version += 1
    note(
        session,
        campaign,
        "objection_answered",
        actor_id,
        now,
        {
            "objection": objection.public_id,
            "household": row.public_id,
            "outcome": outcome.value,
            "amount_minor": row.amount_minor,
            "answer": text,
            "on": on.isoformat(),
        },
    )
    return objection


def check_not_own(session: Session, actor_id: int, households: Iterable[int]) -> None:
    """Go on only if none of these is the actor's household. Raises OwnCampaignMatter."""
    if members.households_of(session, [actor_id]).get(actor_id) in set(households):
        raise OwnCampaignMatter()


def _campaign_of_finding(session: Session, finding_id: int) -> int:
    found = session.get(CampaignFinding, finding_id)
    if found is None:
        raise CampaignFindingNotFound()
    return found.campaign_id


def _locked_row(session: Session, row_id: int) -> tuple[Campaign, CampaignHousehold]:
    found = session.get(CampaignHousehold, row_id)
    if found is None:
        raise CampaignHouseholdNotFound()
    campaign = locked(session, found.campaign_id)
    return campaign, lock(session, CampaignHousehold, [row_id])[row_id]


def _check_amount(session: Session, campaign: Campaign, amount: Money) -> None:
    if amount.currency != campaign.currency:
        raise CurrencyMismatch(
            f"The community keeps its books in {campaign.currency}.",
            expected=campaign.currency,
            given=amount.currency,
        )
    if not amount.is_positive:
        raise Invalid("Give a positive amount, or stop the grant.", field="amount")
    most = queries.rules_of(session, campaign).campaign_household_minor_max
    if amount.amount_minor > most:
        raise AmountAboveCap(
            f"A campaign grants a household {format_minor(most, campaign.currency)} at most.",
            field="amount",
            rule="campaign_household_minor_max",
            most_minor=most,
        )
    line = outcomes.line_limit(session, campaign)
    if line is not None and amount.amount_minor > line:
        raise LineDoesNotFit(
            f"The line's limit is {format_minor(line, campaign.currency)}.",
            field="amount",
            line_limit_minor=line,
        )


def _check_line(session: Session, campaign: Campaign, on: date) -> None:
    """All proposed sub-limits, with those of others on the line, are within its charter's share."""
    if campaign.line_id is None:
        return
    line = get_line_by_id(session, campaign.line_id)
    rules = communities.charter_on(session, campaign.community_id, on).rules
    mine = select(CampaignHousehold.holder_id).where(
        CampaignHousehold.campaign_id == campaign.id,
        CampaignHousehold.status == HouseholdStatus.PROPOSED,
    )
    others = session.scalar(
        select(func.sum(CreditLineShare.limit_minor)).where(
            CreditLineShare.line_id == line.id, CreditLineShare.member_id.not_in(mine)
        )
    )
    proposed = session.scalar(
        select(func.sum(CampaignHousehold.amount_minor)).where(
            CampaignHousehold.campaign_id == campaign.id,
            CampaignHousehold.status == HouseholdStatus.PROPOSED,
        )
    )
    total = int(others or 0) + int(proposed or 0)
    most = share_bps(line.limit_minor, rules.line_shares_bps_max)
    if total > most:
        raise LineDoesNotFit(
            f"All sub-limits together would be {format_minor(total, line.currency)}, the charter"
            f" allows {format_minor(most, line.currency)} on this line.",
            rule="line_shares_bps_max",
            total_minor=total,
            most_minor=most,
        )
