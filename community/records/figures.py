"""What a member's record says, added up from rows: counts and sums, and of nobody else.

Money that others paid for a borrower counts for nobody's record, neither the borrower's nor that of
whoever stood behind them.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from community.communities.charter import RiskClass
from community.communities.models import MembershipChange
from community.communities.queries import (
    CharterInForce,
    get_community_by_id,
    get_membership,
)
from community.credit.queries import borrower_facts
from community.guarantees.models import Claim, ClaimGround, Guarantee, GuaranteePayment
from community.loans import queries as loans
from community.loans.models import Loan, LoanStatus, LoanStep, Repayment, RepaymentSource
from community.loans.states import DISBURSED, LIVE
from community.portfolio.models import LoanClassChange
from community.records.models import RecordImport
from community.records.statement import RecordField
from community.trust.models import Assessment, AssessmentKind

_WORSE = tuple(RiskClass)


def figures_of(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    fields: Collection[RecordField],
    charter: CharterInForce,
    on: date,
) -> dict[str, Any]:
    """The figures that these fields ask for, each with its period and what it rests on."""
    since_on = _since(session, community_id, member_id)
    charter_of = get_community_by_id(session, charter.community_id).public_id
    parts = {
        RecordField.LOANS: (_loans, "loan_cycle_steps_minor"),
        RecordField.LATENESS: (_lateness, "class_days"),
        RecordField.DEBTS: (_debts, "owed_per_member_minor_max"),
        RecordField.GUARANTEES: (_guarantees, "vouch_minor_max"),
        RecordField.STANDING: (_standing, "vouch_days_max"),
    }
    return {
        field.value: {
            **gather(session, community_id, member_id, on),
            "from_on": since_on.isoformat(),
            "until_on": on.isoformat(),
            "source": {
                "charter_of": charter_of,
                "charter_version": charter.version,
                "rule": rule,
            },
        }
        for field, (gather, rule) in parts.items()
        if field in fields
    }


def _since(session: Session, community_id: int, member_id: int) -> date:
    membership = get_membership(session, community_id=community_id, member_id=member_id)
    first = session.scalar(
        select(func.min(MembershipChange.changed_on)).where(
            MembershipChange.membership_id == membership.id
        )
    )
    return first or membership.since_on


def _loans(session: Session, community_id: int, member_id: int, on: date) -> dict[str, Any]:
    taken, principal, live, repaid, written_off = session.execute(
        select(
            func.count(),
            func.sum(Loan.disbursed_minor),
            func.sum(case((Loan.status.in_(LIVE), 1), else_=0)),
            func.sum(case((Loan.status == LoanStatus.CLOSED, 1), else_=0)),
            func.sum(case((Loan.status == LoanStatus.WRITTEN_OFF, 1), else_=0)),
        ).where(*_own(community_id, member_id))
    ).one()
    own_money = session.scalar(
        select(func.sum(_to_lender()))
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(
            *_own(community_id, member_id),
            Repayment.source == RepaymentSource.BORROWER,
            Repayment.reversed_on.is_(None),
        )
    )
    facts = borrower_facts(session, community_id=community_id, member_ids=[member_id], on=on)
    return {
        "taken": int(taken),
        "taken_minor": int(principal or 0),
        "live": int(live or 0),
        "repaid": int(repaid or 0),
        "repaid_by_borrower_minor": int(own_money or 0),
        "written_off": int(written_off or 0),
        # Loans repaid that count as a step up in the loan cycle: without anybody's help.
        "cycles": facts[member_id].loans_repaid,
    }


def _lateness(session: Session, community_id: int, member_id: int, on: date) -> dict[str, Any]:
    steps: dict[LoanStatus, int] = {
        status: int(count)
        for status, count in session.execute(
            select(LoanStep.to_status, func.count())
            .join(Loan, Loan.id == LoanStep.loan_id)
            .where(
                *_own(community_id, member_id),
                LoanStep.to_status.in_([LoanStatus.OVERDUE, LoanStatus.CALLED]),
            )
            .group_by(LoanStep.to_status)
        )
    }
    days = dict.fromkeys(_WORSE[1:], 0)
    worst = RiskClass.NORMAL
    changes = session.execute(
        select(Loan.id, Loan.ended_on, LoanClassChange.changed_on, LoanClassChange.to_class)
        .join(Loan, Loan.id == LoanClassChange.loan_id)
        .where(*_own(community_id, member_id))
        .order_by(Loan.id, LoanClassChange.changed_on, LoanClassChange.id)
    ).all()
    for number, (loan_id, ended_on, changed_on, to_class) in enumerate(changes):
        worst = max(worst, to_class, key=_WORSE.index)
        following = changes[number + 1] if number + 1 < len(changes) else None
        last = min(ended_on or on, on)
        if following is not None and following.id == loan_id:
            last = min(last, following.changed_on)
        if to_class is not RiskClass.NORMAL:
            days[to_class] += max((last - changed_on).days, 0)
    return {
        "times_overdue": steps.get(LoanStatus.OVERDUE, 0),
        "times_called": steps.get(LoanStatus.CALLED, 0),
        # Of all loans together, days that they spent in each class below normal.
        "days_by_class": {name.value: count for name, count in days.items()},
        "worst_class": worst.value,
    }


def _debts(session: Session, community_id: int, member_id: int, on: date) -> dict[str, Any]:
    live = loans.live_loans(session, community_id=community_id, borrower_ids=[member_id]).get(
        member_id, []
    )
    dues = loans.dues_of(session, live, on)
    recovered = (
        select(func.coalesce(func.sum(Repayment.recovered_minor), 0))
        .where(Repayment.loan_id == Loan.id, Repayment.reversed_on.is_(None))
        .scalar_subquery()
    )
    given_up = session.scalar(
        select(func.sum(Loan.written_off_minor - recovered)).where(*_own(community_id, member_id))
    )
    # A payment has a claim on the borrower; what was recovered on any of its claims is off.
    claimed = session.scalar(
        select(func.sum(GuaranteePayment.amount_minor - GuaranteePayment.recovered_minor))
        .join(Claim, Claim.payment_id == GuaranteePayment.id)
        .join(Loan, Loan.id == GuaranteePayment.loan_id)
        .where(
            *_own(community_id, member_id),
            Claim.debtor_id == member_id,
            Claim.ground == ClaimGround.BORROWER,
        )
    )
    return {
        "outstanding_minor": sum(loan.outstanding_minor for loan in live),
        "overdue_minor": sum(due.past_due_minor for due in dues.values()),
        "written_off_minor": max(int(given_up or 0), 0),
        "owed_to_guarantors_minor": int(claimed or 0),
    }


def _guarantees(session: Session, community_id: int, member_id: int, on: date) -> dict[str, Any]:
    others_money = (
        select(Repayment.id)
        .where(
            Repayment.loan_id == Loan.id,
            Repayment.source != RepaymentSource.BORROWER,
            Repayment.reversed_on.is_(None),
            _to_lender() > 0,
        )
        .exists()
    )
    by_borrower = and_(Loan.status == LoanStatus.CLOSED, ~others_money)
    count, cap, live, good, bad = session.execute(
        select(
            func.count(),
            func.sum(Guarantee.cap_minor),
            func.sum(case((Loan.status.in_(LIVE), 1), else_=0)),
            func.sum(case((by_borrower, 1), else_=0)),
            func.sum(
                case(
                    (Loan.status == LoanStatus.WRITTEN_OFF, 1),
                    (and_(Loan.status == LoanStatus.CLOSED, others_money), 1),
                    else_=0,
                )
            ),
        )
        .join(Loan, Loan.id == Guarantee.loan_id)
        .where(*_stood_for(community_id, member_id))
    ).one()
    paid, recovered = session.execute(
        select(func.sum(GuaranteePayment.amount_minor), func.sum(GuaranteePayment.recovered_minor))
        .join(Loan, Loan.id == GuaranteePayment.loan_id)
        .join(Repayment, Repayment.id == GuaranteePayment.repayment_id)
        .where(
            Loan.community_id == community_id,
            Loan.borrower_id != member_id,
            GuaranteePayment.payer_id == member_id,
            Repayment.reversed_on.is_(None),
        )
    ).one()
    return {
        "stood_for": int(count),
        "cap_minor": int(cap or 0),
        "live": int(live or 0),
        "repaid_by_borrower": int(good or 0),
        "not_repaid_by_borrower": int(bad or 0),
        "paid_minor": int(paid or 0),
        "recovered_minor": int(recovered or 0),
    }


def _standing(session: Session, community_id: int, member_id: int, on: date) -> dict[str, Any]:
    grant = session.scalar(
        select(Assessment).where(
            Assessment.community_id == community_id,
            Assessment.member_id == member_id,
            Assessment.kind == AssessmentKind.STANDING,
            Assessment.ended_at.is_(None),
            Assessment.expires_on >= on,
            # What rests on another community's word is not passed on as one's own.
            ~select(RecordImport.id).where(RecordImport.assessment_id == Assessment.id).exists(),
        )
    )
    if grant is None:
        return {"assessed_minor": 0, "assessed_until_on": None}
    return {
        # What was paid on calls was given away with it.
        "assessed_minor": grant.amount_minor - grant.used_minor,
        "assessed_until_on": grant.expires_on.isoformat(),
    }


def _own(community_id: int, member_id: int) -> tuple[Any, ...]:
    return (
        Loan.community_id == community_id,
        Loan.borrower_id == member_id,
        Loan.status.in_(DISBURSED),
    )


def _stood_for(community_id: int, member_id: int) -> tuple[Any, ...]:
    return (
        Loan.community_id == community_id,
        Guarantee.guarantor_id == member_id,
        # One's own standing behind one's own loan is no word for another.
        Loan.borrower_id != member_id,
        Loan.status.in_(DISBURSED),
    )


def _to_lender() -> Any:
    return (
        Repayment.principal_minor
        + Repayment.interest_minor
        + Repayment.fee_minor
        + Repayment.penalty_minor
    )
