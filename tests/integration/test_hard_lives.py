"""Things that happen to a loan in an order that nobody planned."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees.failure import advance_loan
from community.loans.accrual import accrue
from community.loans.models import ChargeKind, Instalment, Loan, LoanStatus
from community.servicing import service
from tests.hamlet import Hamlet, yuan

DAY = timedelta(days=1)
INTEREST: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
}
PENALTY = INTEREST | {"penalty_yearly_rate_ppm": 182_500}


def lender(session: Session, terms: dict[str, Any] = INTEREST, **rules: Any) -> Hamlet:
    """A hamlet where Ben and Ann each have a stake of their own that covers what they borrow."""
    hamlet = Hamlet(session, rules={"call_day": 90, "write_off_day": 200} | rules, terms=terms)
    hamlet.fund(1_000_000)
    for name in ("ben", "ann"):
        hamlet.person(name, stake=60_000)
    return hamlet


def rows_of(hamlet: Hamlet, loan: Loan) -> list[Instalment]:
    return list(
        hamlet.session.scalars(
            select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
        )
    )


def close(hamlet: Hamlet, on: date) -> None:
    """What the day close books of interest on a day."""
    hamlet.do(
        accrue,
        community_id=hamlet.community.id,
        on=on,
        now=hamlet.now,
        after_id=0,
        limit=100,
    )


def test_a_fee_alone_that_is_unpaid_makes_a_loan_late(db_session: Session) -> None:
    # The fee is the last thing that money goes to.
    hamlet = lender(db_session, INTEREST | {"allocation_order": ["interest", "principal", "fee"]})
    loan = hamlet.lend("ben", 30_000)
    [row] = rows_of(hamlet, loan)
    hamlet.do(
        service.add_charge,
        loan_id=loan.id,
        kind=ChargeKind.FEE,
        amount=yuan(500),
        due_on=row.due_on,
        reason="a visit",
        actor_id=None,
        **hamlet.when,
    )
    hamlet.repay(loan, 30_300)
    assert (row.paid_minor, row.due_minor) == (30_300, 30_800)
    hamlet.check()
    hamlet.day = row.due_on + DAY
    hamlet.wait(0, loan)
    assert loan.status is LoanStatus.OVERDUE
    hamlet.check()


def test_a_day_worked_late_leaves_what_came_since(db_session: Session) -> None:
    hamlet = lender(db_session, PENALTY)
    loan = hamlet.lend("ben", 30_000, 2)
    late = rows_of(hamlet, loan)[0].due_on + 3 * DAY
    hamlet.day = late
    hamlet.wait(0, loan)
    # The day's work is done after midnight: by then Ben has brought all that he owes.
    hamlet.day = late + DAY
    receipt = hamlet.repay(loan, 40_000)
    taken = receipt.amount_minor - receipt.overpaid_minor
    before = [(row.due_minor, row.paid_minor) for row in rows_of(hamlet, loan)]
    hamlet.do(advance_loan, loan_id=loan.id, on=late, now=hamlet.now)
    close(hamlet, late)
    hamlet.session.expire_all()
    assert receipt.amount_minor - receipt.overpaid_minor == taken
    assert [(row.due_minor, row.paid_minor) for row in rows_of(hamlet, loan)] == before
    hamlet.check()
    # And of a loan that runs on.
    loan = hamlet.lend("ann", 30_000, 2)
    late = rows_of(hamlet, loan)[0].due_on + 3 * DAY
    hamlet.day = late + DAY
    receipt = hamlet.repay(loan, 15_400)
    parts = (receipt.principal_minor, receipt.interest_minor, receipt.penalty_minor)
    hamlet.do(advance_loan, loan_id=loan.id, on=late, now=hamlet.now)
    hamlet.session.expire_all()
    assert (receipt.principal_minor, receipt.interest_minor, receipt.penalty_minor) == parts
    assert receipt.overpaid_minor == 0
    assert loan.status is LoanStatus.CURRENT
    hamlet.check()
