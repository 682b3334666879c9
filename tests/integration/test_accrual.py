"""Interest booked as it is earned: hand-worked days, and SQL against the plain formula."""

import random
from datetime import date, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import Engine, func, select, text, true, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from community.bulk import table_of
from community.engine import session_factory
from community.ledger.models import AccountKind, JournalEntry
from community.ledger.service import balance
from community.loans import positions
from community.loans.accrual import EARNED, TAKEN_BACK, Accrued, accrue
from community.loans.models import AccrualLine, Instalment, Loan, LoanPosition, LoanStatus
from community.locks import lock_one
from community.verification import verify
from tests.hamlet import Hamlet

# 1,200.00 at 10 % over six months of 30/360: the first month's interest is 10.00, the second's
# 8.36, and so on; each is earned over the month's calendar days.
TERMS = {
    "rate_method": "declining_balance",
    "amortisation": "equal_principal",
    "yearly_rate_ppm": 100_000,
    "liability_mode": "none",
    "cover_ratio_bps": 0,
}


@pytest.fixture
def hamlet(db_session: Session) -> Hamlet:
    hamlet = Hamlet(db_session, terms=TERMS)
    hamlet.fund(10_000_00)
    hamlet.person("ana")
    hamlet.person("ben")
    return hamlet


def test_a_month_is_earned_day_by_day_to_its_interest(hamlet: Hamlet) -> None:
    hamlet.lend("ana", 1_200_00, 6)  # on 2 March: due on 2 April, 31 days
    seen = {}
    for days in range(32):
        _accrue(hamlet, hamlet.day + timedelta(days=days))
        seen[days] = _held(hamlet, AccountKind.INTEREST_RECEIVABLE)
    # 1000 × 1/31 = 32.26, × 2/31 = 64.52, × 30/31 = 967.74.
    assert (seen[0], seen[1], seen[2], seen[30], seen[31]) == (0, 32, 65, 968, 1000)
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 1000
    # The second month: 1,000.00 still out, 8.33 over 30 days.
    second = hamlet.session.scalars(
        select(Instalment.interest_minor).where(Instalment.number == 2)
    ).one()
    _accrue(hamlet, date(2026, 4, 3))
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 1000 + round(Fraction(second, 30))
    hamlet.check()


def test_a_day_done_again_books_nothing(hamlet: Hamlet) -> None:
    hamlet.lend("ana", 1_200_00, 6)
    day = hamlet.day + timedelta(days=9)
    assert _accrue(hamlet, day).earned_minor == {"CNY": 290}
    assert _accrue(hamlet, day).lines == 0
    assert hamlet.session.scalar(select(func.count()).select_from(AccrualLine)) == 1


def test_one_leap_books_what_single_days_would_have(hamlet: Hamlet) -> None:
    slow = hamlet.lend("ana", 777_77, 5)
    start = hamlet.day
    for days in range(1, 75):
        _accrue(hamlet, start + timedelta(days=days))
    by_days = _receivable(hamlet.session, slow)
    fast = hamlet.lend("ben", 777_77, 5)  # the same day: the hamlet's clock has not moved
    _accrue(hamlet, start + timedelta(days=74))
    assert _receivable(hamlet.session, fast) == by_days > 0
    hamlet.check()


def test_a_payment_takes_the_receivable_first_and_the_rest_is_income(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    hamlet.day += timedelta(days=10)
    _accrue(hamlet, hamlet.day)
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 323  # 1000 × 10/31
    hamlet.repay(loan, 2_00)
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 123
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 323
    hamlet.repay(loan, 5_00)  # 7.00 of 10.00 paid, 3.23 of it earned: the rest is income now
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 0
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 700
    # Until what was paid is earned, nothing more is booked: 1000 × 21/31 = 677, × 22/31 = 710.
    assert _accrue(hamlet, hamlet.day + timedelta(days=11)).lines == 0
    assert _accrue(hamlet, hamlet.day + timedelta(days=12)).earned_minor == {"CNY": 10}
    hamlet.check()


def test_an_earlier_day_takes_back_what_a_later_one_booked(hamlet: Hamlet) -> None:
    """A day that is still open may be worked through after a later one: the later one's again."""
    hamlet.lend("ana", 1_200_00, 6)
    later, earlier = date(2026, 4, 20), date(2026, 3, 12)
    _accrue(hamlet, later)
    held = _held(hamlet, AccountKind.INTEREST_RECEIVABLE)
    done = _accrue(hamlet, earlier)
    assert done.taken_back_minor == {"CNY": held - 323}
    assert _accrue(hamlet, later).earned_minor == {"CNY": held - 323}
    kinds = hamlet.session.scalars(select(JournalEntry.kind).where(JournalEntry.kind != "x"))
    assert {EARNED, TAKEN_BACK} <= set(kinds)
    hamlet.check()


def test_acceleration_drops_what_was_not_due_yet(hamlet: Hamlet) -> None:
    """Called 11 days after the first due: the second month's 11 days are taken back."""
    loan = hamlet.lend("ana", 1_200_00, 6)
    hamlet.wait(31 + 10)
    _accrue(hamlet, hamlet.day)
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) > 1000
    hamlet.wait(1, loan)
    assert loan.accelerated_on == hamlet.day
    _accrue(hamlet, hamlet.day)
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 1000
    _accrue(hamlet, hamlet.day + timedelta(days=30))
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 1000
    hamlet.check()


def test_a_write_off_takes_the_receivable_back_and_ends_the_position(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    hamlet.wait(31 + 61, loan)
    _accrue(hamlet, hamlet.day)
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 0
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 0
    assert hamlet.session.get(LoanPosition, loan.id) is None
    hamlet.check()


def test_an_accrued_loan_is_written_off_whole(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    hamlet.wait(31 + 20)
    _accrue(hamlet, hamlet.day)
    booked = _held(hamlet, AccountKind.INTEREST_INCOME)
    assert booked > 1000
    hamlet.wait(41, loan)
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 0
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 0
    hamlet.check()


def test_a_repaid_loan_leaves_nothing_and_its_position_goes(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    hamlet.day += timedelta(days=10)
    _accrue(hamlet, hamlet.day)
    hamlet.repay(loan, 1_200_00 + 35_00)
    assert loan.status is LoanStatus.CLOSED
    assert _held(hamlet, AccountKind.INTEREST_RECEIVABLE) == 0
    assert _held(hamlet, AccountKind.INTEREST_INCOME) == 3500
    hamlet.check()
    _accrue(hamlet, hamlet.day)
    assert hamlet.session.scalar(select(func.count()).select_from(LoanPosition)) == 0
    hamlet.check()


def test_a_loan_that_stops_accruing_is_taken_back_and_may_begin_again(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    day = hamlet.day + timedelta(days=10)
    place = {"community_id": hamlet.community.id, "loan_ids": [loan.id]}
    _accrue(hamlet, day)
    assert positions.set_accrual(hamlet.session, **place, accrues=False) == 1
    assert positions.set_accrual(hamlet.session, **place, accrues=False) == 0
    assert _accrue(hamlet, day).taken_back_minor == {"CNY": 323}
    assert _accrue(hamlet, day + timedelta(days=1)).lines == 0
    hamlet.check()
    assert positions.set_accrual(hamlet.session, **place, accrues=True) == 1
    assert _accrue(hamlet, day).earned_minor == {"CNY": 323}
    hamlet.check()


def test_stretches_book_an_entry_each_and_sum_to_the_same(hamlet: Hamlet) -> None:
    for name in ("ana", "ben", "ana"):
        hamlet.lend(name, 1_200_00, 6)
    day, amounts = hamlet.day + timedelta(days=10), []
    after: int | None = 0
    while after is not None:
        done = _accrue(hamlet, day, after_id=after, limit=2)
        after = done.last_id
        amounts.append(done.earned_minor.get("CNY", 0))
    assert amounts == [646, 323]
    hamlet.check()


def test_lines_cannot_be_changed(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, terms=TERMS)
        hamlet.fund(10_000_00)
        hamlet.person("ana")
        hamlet.lend("ana", 1_200_00, 6)
        _accrue(hamlet, hamlet.day + timedelta(days=3))
        session.commit()
    for cheat in ("UPDATE accrual_lines SET amount_minor = 1", "DELETE FROM accrual_lines"):
        with pytest.raises(DBAPIError, match="the past is not changed"), engine.begin() as cheater:
            cheater.execute(text(cheat))


def test_the_day_books_interest_of_a_loan_that_somebody_is_busy_with(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, terms=TERMS)
        hamlet.fund(10_000_00)
        hamlet.person("ana")
        loan = hamlet.lend("ana", 1_200_00, 6)
        with session_factory(engine)() as other:
            # A payment holds its loan and then waits for the book, which the day holds.
            lock_one(other, Loan, loan.id)
            assert _accrue(hamlet, hamlet.day + timedelta(days=3)).lines == 1
        hamlet.check()


def test_the_verifier_names_what_was_tampered_with(hamlet: Hamlet) -> None:
    loan = hamlet.lend("ana", 1_200_00, 6)
    _accrue(hamlet, hamlet.day + timedelta(days=3))
    place = update(table_of(LoanPosition))
    hamlet.session.connection().execute(place.values(receivable_minor=96))
    breaches = verify(hamlet.session).breaches
    assert [(breach.law, breach.row) for breach in breaches] == [(1, loan.public_id)]
    assert "has 96 interest receivable, the books hold 97 for it" in breaches[0].what
    hamlet.session.connection().execute(place.values(receivable_minor=97, running_days=30))
    [breach] = verify(hamlet.session).breaches
    assert (breach.law, breach.table, breach.row) == (5, "loan_positions", str(loan.id))
    assert "running_days is 30, the loan's rows say 31" in breach.what
    hamlet.session.connection().execute(place.values(running_days=31))
    entry_id = hamlet.session.scalars(
        select(JournalEntry.id).where(JournalEntry.kind == "capital.received")
    ).one()
    hamlet.session.add(AccrualLine(entry_id=entry_id, loan_id=loan.id, amount_minor=5))
    hamlet.session.flush()
    said = {breach.what for breach in verify(hamlet.session).breaches}
    assert any("books 0 of interest, its lines sum to 5" in what for what in said)


def test_sql_earns_what_the_formula_says(hamlet: Hamlet) -> None:
    """Any amounts and days, on both databases, the largest that the books can hold among them."""
    loan = hamlet.lend("ana", 1_200_00, 6)
    dice = random.Random(8)
    table = table_of(LoanPosition)
    for _ in range(300):
        days = dice.choice([1, 2, 7, 30, 365, 14_640, dice.randint(1, 14_640)])
        interest = dice.choice([0, 1, days, 10**15, dice.randint(0, 10**15), dice.randint(0, 999)])
        before = dice.choice([0, 10**15, dice.randint(0, 10**6)])
        start = date(2026, 3, 2) + timedelta(days=dice.randint(0, 9_000))
        on = start + timedelta(days=dice.randint(-2, days))
        hamlet.session.connection().execute(
            update(table).values(
                earned_before_minor=before,
                running_interest_minor=interest,
                running_from_on=start,
                running_days=days,
            )
        )
        found = hamlet.session.connection().scalar(select(positions.earned_by(on)))
        assert found == positions.earned_minor(before, interest, start, days, on)
    positions.rederive(hamlet.session, true(), on=hamlet.day)
    assert _receivable(hamlet.session, loan) == 0
    hamlet.check()


def test_random_lives_are_earned_to_the_cent(hamlet: Hamlet) -> None:
    """Payments and days in any order: the receivable is what was earned and not paid."""
    dice = random.Random(11)
    lent = [hamlet.lend(name, dice.randint(5_00, 900_00), 6) for name in ("ana", "ben", "ana")]
    for _ in range(25):
        hamlet.day += timedelta(days=dice.randint(0, 6))
        loan = dice.choice(lent)
        if loan.status is LoanStatus.CURRENT and dice.random() < 0.5:
            hamlet.repay(loan, dice.randint(1, 90_00))
        _accrue(hamlet, hamlet.day)
        for loan in lent:
            assert _receivable(hamlet.session, loan) == _expected(hamlet.session, loan, hamlet.day)
    hamlet.check()


def _expected(session: Session, loan: Loan, on: date) -> int:
    """Earned, by fractions over the schedule, less what was paid; nothing of a closed loan."""
    if loan.status is not LoanStatus.CURRENT:
        return 0
    rows = session.scalars(
        select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
    ).all()
    earned, start = 0, loan.disbursed_on
    assert start is not None
    for row in rows:
        gone = min(max((on - start).days, 0), (row.due_on - start).days)
        earned += round(Fraction(row.interest_minor * gone, (row.due_on - start).days))
        start = row.due_on
    return max(earned - sum(row.paid_interest_minor for row in rows), 0)


def _accrue(hamlet: Hamlet, on: date, after_id: int = 0, limit: int = 1_000) -> Accrued:
    return hamlet.do(
        accrue,
        community_id=hamlet.community.id,
        on=on,
        now=hamlet.now,
        after_id=after_id,
        limit=limit,
    )


def _held(hamlet: Hamlet, kind: AccountKind) -> int:
    return balance(hamlet.session, community_id=hamlet.community.id, kind=kind, currency="CNY")


def _receivable(session: Session, loan: Loan) -> int:
    found = session.connection().scalar(
        select(table_of(LoanPosition).c.receivable_minor).where(LoanPosition.loan_id == loan.id)
    )
    return found or 0
