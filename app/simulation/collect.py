"""Reading from the rows what the platform found and what was lost, in the words of the plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.simulation.compare import Finding, Loss
from app.simulation.drive import START, Life
from community.campaigns.models import Campaign, CampaignFinding
from community.loans.models import Loan, Repayment, RepaymentSource
from community.monitoring.models import RiskEvent

# Money of others than the borrower, or principal given up; the same as in monitoring's measures.
_LOSSES = (
    RepaymentSource.STAKE,
    RepaymentSource.GUARANTOR,
    RepaymentSource.RESERVE,
    RepaymentSource.WRITE_OFF,
)


def findings_of(session: Session, life: Life) -> Iterator[Finding]:
    """Risk events, and what was odd in the answers of a review, on the day it was found."""
    names = life.names
    events = session.scalars(
        select(RiskEvent).where(RiskEvent.community_id == life.community_id).order_by(RiskEvent.id)
    )
    for event in events:
        kind = event.facts.get("code")
        rule = event.rule.value if kind is None else f"{event.rule.value}/{kind}"
        people = _people(event.facts, event.member_id, names)
        yield Finding(rule, (event.found_on - START).days, life.village.number, people)
    rows = session.execute(
        select(CampaignFinding.kind, CampaignFinding.reviewers, Campaign.opened_on)
        .join(Campaign, Campaign.id == CampaignFinding.campaign_id)
        .where(Campaign.community_id == life.community_id)
        .order_by(CampaignFinding.id)
    )
    for kind, reviewers, opened_on in rows:
        people = frozenset(names[who] for who in reviewers)
        day = (opened_on - START).days
        yield Finding(f"review/{kind.value}", day, life.village.number, people)


def _people(
    facts: Mapping[str, Any], member_id: int | None, names: Mapping[int, str]
) -> frozenset[str]:
    listed = facts.get("member_ids") or ([] if member_id is None else [member_id])
    return frozenset(names[who] for who in listed if who in names)


def losses_of(session: Session, life: Life) -> Iterator[Loss]:
    """The days on which others paid for a loan, or it was written off."""
    names = life.names
    rows = session.execute(
        select(
            Repayment.received_on, Loan.borrower_id, func.sum(Repayment.amount_minor).label("minor")
        )
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(
            Loan.community_id == life.community_id,
            Repayment.source.in_(_LOSSES),
            Repayment.reversed_on.is_(None),
        )
        .group_by(Repayment.received_on, Loan.borrower_id)
        .order_by(Repayment.received_on, Loan.borrower_id)
    )
    for on, borrower_id, amount in rows:
        yield Loss((on - START).days, life.village.number, names[borrower_id], int(amount))
