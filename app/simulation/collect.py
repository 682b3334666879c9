"""Reading from the rows what the platform found and what was lost, in the words of the plan."""

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.simulation.compare import Finding, Loss
from app.simulation.drive import START, Life
from community.campaigns.models import Campaign, CampaignFinding
from community.loans.models import Loan, Repayment, RepaymentSource
from community.monitoring.models import RiskEvent, RiskEventPerson

# Money of others than the borrower, or principal given up; the same as in monitoring's measures.
_LOSSES = (
    RepaymentSource.STAKE,
    RepaymentSource.GUARANTOR,
    RepaymentSource.RESERVE,
    RepaymentSource.WRITE_OFF,
)


def findings_of(session: Session, life: Life) -> Iterator[Finding]:
    """Risk events, each on the day on which it was found, with all whom it is about."""
    names = life.names
    about: dict[int, set[int]] = defaultdict(set)
    rows = session.execute(
        select(RiskEventPerson.event_id, RiskEventPerson.member_id)
        .join(RiskEvent, RiskEvent.id == RiskEventPerson.event_id)
        .where(RiskEvent.community_id == life.community_id)
    )
    for event_id, member_id in rows:
        about[event_id].add(member_id)
    events = session.scalars(
        select(RiskEvent).where(RiskEvent.community_id == life.community_id).order_by(RiskEvent.id)
    )
    for event in events:
        people = about[event.id] | ({event.member_id} - {None})
        yield Finding(
            event.rule.value,
            (event.found_on - START).days,
            life.village.number,
            frozenset(names[who] for who in people if who is not None),
        )


def asked_in_reviews(session: Session, life: Life) -> int:
    """How many odd answers of single reviewers were put to the officer within a review."""
    findings = session.scalars(
        select(CampaignFinding.reviewers)
        .join(Campaign, Campaign.id == CampaignFinding.campaign_id)
        .where(Campaign.community_id == life.community_id, CampaignFinding.needs_decision)
    )
    return sum(len(reviewers) == 1 for reviewers in findings)


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
