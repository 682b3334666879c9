"""Things that happen to a loan in an order that nobody planned."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from community.credit import service as credit
from community.engine import session_factory
from community.guarantees.failure import advance_loan
from community.loans import history
from community.loans.accrual import accrue
from community.loans.errors import PaidByOthers
from community.loans.models import (
    Charge,
    ChargeKind,
    Instalment,
    Loan,
    LoanStatus,
    Repayment,
    RepaymentSource,
)
from community.servicing import service
from tests.hamlet import Hamlet, yuan
from tests.racing import (
    DONE,
    age,
    assert_as_in_turn,
    book_interest,
    copied,
    pay,
    race,
    take_back,
)

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


def charge(hamlet: Hamlet, loan: Loan, amount: int) -> Charge:
    return hamlet.do(
        service.add_charge,
        loan_id=loan.id,
        kind=ChargeKind.FEE,
        amount=yuan(amount),
        due_on=hamlet.day,
        reason="a visit",
        actor_id=None,
        **hamlet.when,
    )


def waive(hamlet: Hamlet, made: Charge) -> None:
    hamlet.do(
        service.waive_charge, charge_id=made.id, reason="a mistake", actor_id=None, **hamlet.when
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


def test_what_the_reserve_paid_moves_within_the_loan(db_session: Session) -> None:
    hamlet = lender(
        db_session,
        INTEREST
        | {
            "liability_mode": "none",
            "cover_ratio_bps": 0,
            "allocation_order": ["fee", "interest", "principal"],
        },
        accelerate_on_call=False,
        call_day=3,
    )
    loan = hamlet.lend("ben", 30_000, 3)
    made = charge(hamlet, loan, 500)
    place: dict[str, Any] = {"community_id": hamlet.community.id, "actor_id": None}
    hamlet.do(credit.fund_reserve, amount=yuan(9_000), reference="in", **place, **hamlet.when)
    hamlet.wait(45, loan)
    [receipt] = hamlet.session.scalars(select(Repayment).where(Repayment.loan_id == loan.id))
    assert (receipt.source, receipt.fee_minor) == (RepaymentSource.RESERVE, 500)
    waive(hamlet, made)
    assert (receipt.fee_minor, receipt.overpaid_minor) == (0, 0)
    assert receipt.principal_minor + receipt.interest_minor == 9_000
    hamlet.check()


def test_what_a_guarantor_paid_and_claims_is_not_let_go(db_session: Session) -> None:
    hamlet = lender(db_session, call_day=3, set_off_stake=False)
    hamlet.person("cai")
    hamlet.person("uma", stake=60_000)
    hamlet.vouch("uma", "cai", 60_000)
    loan = hamlet.lend("cai", 30_000)
    made = charge(hamlet, loan, 500)
    hamlet.wait(45, loan)
    hamlet.repay(loan, 600)
    hamlet.pay(hamlet.calls(loan)["uma"], 30_000)
    assert history.owed(db_session, loan=loan, on=hamlet.day).total_minor == 200
    # Without the fee of 5.00 she would have paid 3.00 too much, and claims them from Cai.
    with pytest.raises(PaidByOthers):
        waive(hamlet, made)
    hamlet.repay(loan, 200)
    assert loan.status is LoanStatus.CLOSED
    hamlet.check()


def test_what_a_later_payer_brought_too_much_is_held_for_them(db_session: Session) -> None:
    hamlet = lender(db_session, INTEREST | {"allocation_order": ["fee", "interest", "principal"]})
    loan = hamlet.lend("ben", 30_000)
    made = charge(hamlet, loan, 500)
    first = hamlet.repay(loan, 30_000)
    second = hamlet.repay(loan, 600, by="ann")
    assert loan.outstanding_minor == 200
    # Ben's money then pays 297.00 of principal, so that of Ann's only 3.00 are left to pay.
    waive(hamlet, made)
    assert (first.fee_minor, first.interest_minor, first.principal_minor) == (0, 300, 29_700)
    assert (second.principal_minor, second.overpaid_minor) == (300, 300)
    assert loan.status is LoanStatus.CLOSED
    hamlet.check()


def test_too_much_money_settles_a_loan_whose_interest_is_worked_out_anew(
    db_session: Session,
) -> None:
    hamlet = lender(db_session, INTEREST | {"recalculation": "daily"})
    loan = hamlet.lend("ben", 30_000, 3)
    hamlet.day += 10 * DAY
    # Early, no more than ten days' interest is owed; the rest of the plan's falls away.
    receipt = hamlet.repay(loan, 40_000)
    assert loan.status is LoanStatus.CLOSED
    assert receipt.principal_minor == 30_000
    assert receipt.overpaid_minor == 10_000 - receipt.interest_minor > 9_850
    hamlet.check()


# Several at once


def test_nine_at_once_on_a_group_of_loans_end_as_if_in_turn(engine: Engine, tmp_path: Path) -> None:
    with session_factory(engine)() as session:
        hamlet = lender(session, PENALTY | {"recalculation": "daily"}, call_day=20)
        hamlet.person("cai")
        hamlet.person("uma", stake=90_000)
        hamlet.vouch("uma", "cai", 60_000)
        loans = [hamlet.lend(name, 30_000, 3) for name in ("ben", "ann", "cai")]
        hamlet.day += 25 * DAY
        first = [hamlet.repay(loan, 4_000) for loan in loans]
        hamlet.day += 20 * DAY
        second = [hamlet.repay(loan, 7_000) for loan in loans]
        # Without its receipts a loan is so late by now that its guarantors are called.
        hamlet.day += 10 * DAY
    days = (hamlet.day - DAY, hamlet.day)
    threads = [[take_back(hamlet, receipt) for receipt in receipts]
               for receipts in (first, first[::-1], second, second[::-1])]  # fmt: skip
    threads += [[pay(hamlet, loan, amount) for loan in loans] for amount in (3_000, 5_000)]
    threads += [[age(hamlet, loan, on) for on in days for loan in group]
                for group in (loans, loans[::-1])]  # fmt: skip
    threads += [[book_interest(hamlet, on) for on in days]]
    with copied(engine, tmp_path) as alone:
        outcomes = race(engine, threads)
        assert_as_in_turn(engine, alone, outcomes)
    for receipt in first + second:
        answers = [one.code for one in outcomes if one.act.name == f"take {receipt.id} back"]
        # Once at most, and not any more when guarantors have answered for what it left.
        assert answers in ([DONE, "receipt-reversed"], ["receipt-not-reversible"] * 2)
    # Whatever else there is to do is done: both days are worked through, and all money is taken
    # that somebody is owed.
    refused = {one.code for one in outcomes if not one.act.name.startswith("take")}
    assert refused <= {DONE, "nothing-owed"}
