"""Two who act on one loan at the same moment: each pair ends as if one had come after the other."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from community.engine import session_factory
from community.guarantees import service as guarantees
from community.ledger.models import AccountKind
from community.ledger.service import balance, close_through
from community.loans import repayments
from community.loans import service as loans
from community.loans.history import instalments_of, receipts_of
from community.loans.models import ChangeKind, Loan, LoanStatus
from community.servicing import service as servicing
from tests.hamlet import CURRENCY, Hamlet, yuan
from tests.racing import (
    DONE,
    Act,
    age,
    assert_as_in_turn,
    book_interest,
    copied,
    pay,
    race,
    take_back,
)

# The same pair meets so many times, each on a loan of its own.
MEETINGS = 3
TERMS: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
    "recalculation": "daily",
    "liability_mode": "none",
    "cover_ratio_bps": 0,
}


@pytest.fixture
def hamlet(engine: Engine) -> Iterator[Hamlet]:
    """A lender who asks for no cover, so that every loan stands alone but for the book."""
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, rules={"call_day": 30, "write_off_day": 90}, terms=TERMS)
        hamlet.fund(1_000_000)
        for number in range(MEETINGS):
            hamlet.person(f"ben {number}")
        yield hamlet


def lent(hamlet: Hamlet) -> list[Loan]:
    return [hamlet.lend(f"ben {number}", 30_000, 3) for number in range(MEETINGS)]


def meet(
    hamlet: Hamlet, engine: Engine, folder: Path, pairs: Sequence[tuple[Act, Act]]
) -> list[list[str]]:
    """What both of every pair were told, the first one's answer first."""
    hamlet.session.commit()  # it lets go of its connection
    told, outcomes = [], []
    with copied(engine, folder) as alone:
        for pair in pairs:
            both = race(engine, [[act] for act in pair])
            by_name = {outcome.act.name: outcome.code for outcome in both}
            told.append([by_name[act.name] for act in pair])
            outcomes += both
        assert_as_in_turn(engine, alone, outcomes)
    hamlet.session.expire_all()
    return told


def again(act: Act) -> Act:
    return act._replace(name=f"{act.name} again")


def test_two_who_pay_all_of_it(hamlet: Hamlet, engine: Engine, tmp_path: Path) -> None:
    running = lent(hamlet)
    hamlet.day += timedelta(days=31)
    pairs = [(pay(hamlet, loan, 30_400), again(pay(hamlet, loan, 30_400))) for loan in running]
    for told in meet(hamlet, engine, tmp_path, pairs):
        # The loan is closed, and nobody owes what the other one brings.
        assert sorted(told) == [DONE, "nothing-owed"]
    assert {loan.status for loan in running} == {LoanStatus.CLOSED}
    hamlet.check()


def test_two_who_pay_more_than_the_half(hamlet: Hamlet, engine: Engine, tmp_path: Path) -> None:
    running = lent(hamlet)
    pairs = [(pay(hamlet, loan, 20_000), pay(hamlet, loan, 21_000)) for loan in running]
    assert meet(hamlet, engine, tmp_path, pairs) == [[DONE, DONE]] * MEETINGS
    assert {loan.status for loan in running} == {LoanStatus.CLOSED}
    for number in range(MEETINGS):
        member_id = hamlet.people[f"ben {number}"].id
        place = {"community_id": hamlet.community.id, "currency": CURRENCY, "member_id": member_id}
        # 300.00 were owed: what came beyond it is its payer's.
        assert balance(hamlet.session, kind=AccountKind.OVERPAYMENT, **place) == 11_000
    hamlet.check()


def test_a_payment_and_a_payoff(hamlet: Hamlet, engine: Engine, tmp_path: Path) -> None:
    running = lent(hamlet)
    hamlet.day += timedelta(days=20)
    asked = repayments.payoff(hamlet.session, loan=running[0], on=hamlet.day).total_minor
    pairs = [(pay(hamlet, loan, 5_000), settle(hamlet, loan, asked)) for loan in running]
    for told in meet(hamlet, engine, tmp_path, pairs):
        assert told in ([DONE, "not-the-payoff"], ["nothing-owed", DONE])
    hamlet.check()


def test_a_payment_and_the_day_that_gives_up(
    hamlet: Hamlet, engine: Engine, tmp_path: Path
) -> None:
    running = lent(hamlet)
    hamlet.day += timedelta(days=31 + 91)
    pairs = [(pay(hamlet, loan, 5_000), age(hamlet, loan, hamlet.day)) for loan in running]
    assert meet(hamlet, engine, tmp_path, pairs) == [[DONE, DONE]] * MEETINGS
    for loan in running:
        # Paid before, less is given up; paid afterwards, it is a recovery.
        [receipt] = receipts_of(hamlet.session, loan.id)
        assert loan.status is LoanStatus.WRITTEN_OFF
        assert loan.written_off_minor == 30_000 - receipt.principal_minor
        assert receipt.recovered_minor == (0 if receipt.principal_minor else 5_000)
    hamlet.check()


def test_a_payment_and_a_new_plan(hamlet: Hamlet, engine: Engine, tmp_path: Path) -> None:
    running = lent(hamlet)
    hamlet.day += timedelta(days=20)
    pairs = [(pay(hamlet, loan, 5_000), stretch(hamlet, loan)) for loan in running]
    assert meet(hamlet, engine, tmp_path, pairs) == [[DONE, DONE]] * MEETINGS
    assert [len(instalments_of(hamlet.session, loan.id)) for loan in running] == [5] * MEETINGS
    hamlet.check()


def test_a_receipt_taken_back_and_the_books_closed(
    hamlet: Hamlet, engine: Engine, tmp_path: Path
) -> None:
    running = lent(hamlet)
    pairs = []
    for loan in running:
        hamlet.day += timedelta(days=1)
        receipt = hamlet.repay(loan, 5_000)
        pairs.append((take_back(hamlet, receipt), close(hamlet)))
    for told in meet(hamlet, engine, tmp_path, pairs):
        assert told in ([DONE, DONE], ["day-closed", DONE])
    hamlet.check()


def test_money_out_and_a_change_of_mind(hamlet: Hamlet, engine: Engine, tmp_path: Path) -> None:
    waiting = [
        hamlet.approve(hamlet.apply(f"ben {number}", 30_000, 3)) for number in range(MEETINGS)
    ]
    pairs = [(pay_out(hamlet, loan), cancel(hamlet, loan)) for loan in waiting]
    for told in meet(hamlet, engine, tmp_path, pairs):
        assert told in ([DONE, "wrong-state"], ["loan-step-not-allowed", DONE])
    hamlet.check()


def settle(hamlet: Hamlet, loan: Loan, amount: int) -> Act:
    work = partial(servicing.settle_early, loan_id=loan.id, amount=yuan(amount), **hamlet.when)
    return Act(f"settle {loan.id}", work)


def stretch(hamlet: Hamlet, loan: Loan) -> Act:
    first, *_ = instalments_of(hamlet.session, loan.id)
    work = partial(
        servicing.change_plan,
        loan_id=loan.id,
        kind=ChangeKind.RESCHEDULE,
        parameters={"from_due_on": first.due_on.isoformat(), "extra_instalments": 2},
        reason="a bad harvest",
        actor_id=None,
        **hamlet.when,
    )
    return Act(f"stretch {loan.id}", work)


def close(hamlet: Hamlet) -> Act:
    """What is left of a day when all of its loans are worked through."""

    def work(session: Session) -> None:
        book_interest(hamlet, hamlet_day).work(session)
        close_through(session, community_id=hamlet.community.id, on=hamlet_day)

    hamlet_day = hamlet.day
    return Act(f"close {hamlet_day}", work)


def pay_out(hamlet: Hamlet, loan: Loan) -> Act:
    work = partial(loans.disburse, loan_id=loan.id, actor_id=None, **hamlet.when)
    return Act(f"pay {loan.id} out", work)


def cancel(hamlet: Hamlet, loan: Loan) -> Act:
    work = partial(
        guarantees.cancel_approved,
        loan_ids=[loan.id],
        to=LoanStatus.WITHDRAWN,
        reason="not needed",
        actor_id=None,
        **hamlet.when,
    )
    return Act(f"cancel {loan.id}", work)
