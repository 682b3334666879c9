"""Running loans: entered late, taken back, settled early, charged, changed, restructured."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees import service as guarantees
from community.guarantees.models import CoverLine
from community.ledger.models import Account, AccountKind, JournalEntry, Posting
from community.loans import history, repayments
from community.loans import service as loans
from community.loans.errors import (
    ChangeNotFound,
    ChargeWaived,
    DayNotOpen,
    NothingToSettle,
    NotThePayoff,
    PlanNotChanged,
    ReceiptNotReversible,
    ReceiptReversed,
    RestructuredTooOften,
    SeasonOver,
    StepNotAllowed,
    TrancheNotDue,
)
from community.loans.models import (
    ChangeKind,
    ChargeKind,
    Instalment,
    Loan,
    LoanStatus,
    Repayment,
)
from community.portfolio.at_risk import portfolio_at_risk
from community.portfolio.rolls import roll_rates
from community.products import service as products
from community.servicing import service
from tests.hamlet import Hamlet, yuan

DAY = timedelta(days=1)
INTEREST: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
}
PENALTY = INTEREST | {"penalty_yearly_rate_ppm": 182_500, "penalty_grace_days": 2}
FEES = [
    {"name": "form", "moment": "disbursement", "amount_minor": 100, "share_bps": 50},
    {"name": "visit", "moment": "instalment", "amount_minor": 25},
]


def lender(session: Session, terms: dict[str, Any] = INTEREST, **rules: Any) -> Hamlet:
    """A hamlet where Ben and Ann each have a stake of their own that covers what they borrow."""
    hamlet = Hamlet(session, rules={"call_day": 90, "write_off_day": 200} | rules, terms=terms)
    hamlet.fund(1_000_000)
    for name in ("ben", "ann"):
        hamlet.person(name, stake=60_000)
    return hamlet


def plan(hamlet: Hamlet, loan: Loan) -> list[tuple[Any, ...]]:
    """Every figure of a loan's instalments."""
    rows = hamlet.session.scalars(
        select(Instalment).where(Instalment.loan_id == loan.id).order_by(Instalment.number)
    )
    return [
        (row.due_on, row.principal_minor, row.interest_minor, row.fee_minor, row.penalty_minor,
         row.paid_principal_minor, row.paid_interest_minor, row.paid_fee_minor,
         row.paid_penalty_minor)
        for row in rows
    ]  # fmt: skip


def parts(receipt: Repayment) -> tuple[date, int, int, int, int, int]:
    return (
        receipt.received_on,
        receipt.amount_minor,
        receipt.principal_minor,
        receipt.interest_minor,
        receipt.penalty_minor,
        receipt.overpaid_minor,
    )


def booked(hamlet: Hamlet, loan: Loan) -> dict[AccountKind, int]:
    """What the books hold of each kind for a loan."""
    rows = hamlet.session.execute(
        select(Account.kind, Posting.amount_minor)
        .join(Account, Account.id == Posting.account_id)
        .where(Posting.loan_id == loan.id)
    )
    held: dict[AccountKind, int] = {}
    for kind, amount in rows:
        held[kind] = held.get(kind, 0) + amount
    return {kind: amount for kind, amount in held.items() if amount}


def late_money(hamlet: Hamlet, loan: Loan, amount: int, received_on: date) -> Repayment:
    return hamlet.do(
        guarantees.record_repayment,
        loan_id=loan.id,
        amount=yuan(amount),
        received_on=received_on,
        actor_id=None,
        **hamlet.when,
    )


def take_back(hamlet: Hamlet, receipt: Repayment) -> Repayment:
    return hamlet.do(
        service.reverse_repayment,
        repayment_id=receipt.id,
        reason="the cheque bounced",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def change(hamlet: Hamlet, loan: Loan, kind: ChangeKind, act: Any = None, **parameters: Any) -> Any:
    return hamlet.do(
        act or service.change_plan,
        loan_id=loan.id,
        kind=kind,
        parameters=parameters,
        reason="the well is dry",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


# Money of an earlier day


@pytest.mark.parametrize("terms", [INTEREST, PENALTY], ids=["plain", "with penalties"])
def test_money_entered_late_leaves_what_would_have_been(
    db_session: Session, terms: dict[str, Any]
) -> None:
    hamlet = lender(db_session, terms)
    start = hamlet.day
    in_time, entered_late = hamlet.lend("ben", 30_000, 6), hamlet.lend("ann", 30_000, 6)
    first, second, now = start + 50 * DAY, start + 70 * DAY, start + 80 * DAY
    hamlet.day = first
    hamlet.repay(in_time, 4_000)
    hamlet.day = second
    for loan in (in_time, entered_late):
        hamlet.repay(loan, 9_000)
    hamlet.day = now
    hamlet.wait(0, in_time, entered_late)
    assert plan(hamlet, in_time) != plan(hamlet, entered_late)
    late_money(hamlet, entered_late, 4_000, first)
    hamlet.wait(0, in_time, entered_late)
    assert plan(hamlet, in_time) == plan(hamlet, entered_late)
    assert booked(hamlet, in_time) == booked(hamlet, entered_late)
    told = [
        sorted(parts(receipt) for receipt in history.receipts_of(db_session, loan.id))
        for loan in (in_time, entered_late)
    ]
    assert told[0] == told[1]
    assert (in_time.status, in_time.overdue_since_on, in_time.outstanding_minor) == (
        entered_late.status,
        entered_late.overdue_since_on,
        entered_late.outstanding_minor,
    )
    hamlet.check()


def test_an_entry_in_the_books_keeps_its_day_and_says_when_the_money_came(
    db_session: Session,
) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    came = hamlet.day + 10 * DAY
    hamlet.day += 15 * DAY
    receipt = late_money(hamlet, loan, 1_000, came)
    entry = db_session.get_one(JournalEntry, receipt.entry_id)
    assert (entry.business_on, entry.value_on, receipt.received_on) == (hamlet.day, came, came)


def test_money_cannot_come_before_the_loan_or_tomorrow(db_session: Session) -> None:
    hamlet = lender(db_session)
    paid_out = hamlet.day
    loan = hamlet.lend("ben", 30_000, 6)
    hamlet.day += 10 * DAY
    for day in (paid_out - DAY, hamlet.day + DAY):
        with pytest.raises(DayNotOpen) as refusal:
            late_money(hamlet, loan, 1_000, day)
        assert refusal.value.members["earliest_on"] == paid_out.isoformat()
    hamlet.check()


def test_money_is_not_entered_before_what_guarantors_did(db_session: Session) -> None:
    hamlet = lender(db_session, call_day=10)
    loan = hamlet.lend("ben", 30_000, 6)
    hamlet.wait(60, loan)
    assert loan.called_on == hamlet.day  # the stake was set off on this day
    with pytest.raises(DayNotOpen):
        late_money(hamlet, loan, 1_000, hamlet.day - DAY)
    hamlet.check()


def test_a_closed_loan_takes_money_of_an_earlier_day_and_holds_the_rest_for_the_payer(
    db_session: Session,
) -> None:
    hamlet = lender(db_session, PENALTY)
    loan = hamlet.lend("ben", 10_000, 1)
    due_on = hamlet.day.replace(month=4)
    hamlet.day = due_on + 12 * DAY
    hamlet.wait(0, loan)
    # Ten days past the days of grace at 18.25 % a year: 5 a day on 100.00.
    assert history.owed(db_session, loan=loan, on=hamlet.day).penalty_minor == 50
    paid = hamlet.repay(loan, 10_150)
    assert (paid.penalty_minor, loan.status) == (50, LoanStatus.CLOSED)
    hamlet.check()
    # The interest and half of the principal had come in time: half of the penalty falls away.
    late_money(hamlet, loan, 5_100, due_on)
    assert (paid.principal_minor, paid.penalty_minor, paid.overpaid_minor) == (5_000, 25, 5_125)
    assert loan.status is LoanStatus.CLOSED
    assert booked(hamlet, loan)[AccountKind.PENALTY_INCOME] == -25
    hamlet.check()


# Taken back


def test_taking_a_receipt_back_restores_the_loan_as_it_was(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    hamlet.day += 40 * DAY
    hamlet.repay(loan, 3_000)
    before = (plan(hamlet, loan), booked(hamlet, loan), loan.outstanding_minor, loan.status)
    held = hamlet.standing("ben").reserved_minor
    receipt = hamlet.repay(loan, 12_345)
    assert hamlet.standing("ben").reserved_minor < held
    take_back(hamlet, receipt)
    assert (plan(hamlet, loan), booked(hamlet, loan), loan.outstanding_minor, loan.status) == before
    assert hamlet.standing("ben").reserved_minor == held
    assert (receipt.reversed_on, receipt.reversed_reason) == (hamlet.day, "the cheque bounced")
    hamlet.check()
    with pytest.raises(ReceiptReversed):
        take_back(hamlet, receipt)


def test_taking_an_early_receipt_back_moves_the_parts_of_later_ones(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    twin = hamlet.lend("ann", 30_000, 6)
    hamlet.day += 35 * DAY
    first = hamlet.repay(loan, 5_000)
    hamlet.day += 35 * DAY
    later, alone = hamlet.repay(loan, 4_000), hamlet.repay(twin, 4_000)
    assert parts(later) != parts(alone)
    take_back(hamlet, first)
    assert parts(later) == parts(alone)
    assert plan(hamlet, loan) == plan(hamlet, twin)
    assert booked(hamlet, loan) == booked(hamlet, twin)
    moved = db_session.scalars(
        select(JournalEntry).where(JournalEntry.kind == "loan.receipt_moved")
    ).all()
    assert [entry.reference for entry in moved] == [later.public_id]
    hamlet.check()


def test_a_closed_loan_runs_again_with_its_cover(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    last = hamlet.repay(loan, 40_000)
    assert (loan.status, hamlet.standing("ben").reserved_minor) == (LoanStatus.CLOSED, 0)
    take_back(hamlet, last)
    assert (loan.status, loan.outstanding_minor, loan.ended_on) == (
        LoanStatus.CURRENT,
        30_000,
        None,
    )
    assert (hamlet.standing("ben").reserved_minor, loan.cover_short_minor) == (30_000, 0)
    hamlet.check()


def test_cover_that_backs_another_loan_by_now_is_short_and_said_so(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 40_000, 6)
    last = hamlet.repay(loan, 50_000)
    hamlet.lend("ben", 45_000, 6)
    take_back(hamlet, last)
    # 60,000 of stake, 45,000 of it for the new loan.
    assert (hamlet.standing("ben").reserved_minor, loan.cover_short_minor) == (60_000, 25_000)
    hamlet.check()
    hamlet.repay(loan, 10_000)
    assert loan.cover_short_minor == loan.outstanding_minor - 15_000
    hamlet.check()
    hamlet.repay(loan, 26_000)
    assert loan.cover_short_minor == 0
    hamlet.check()


def test_what_others_acted_on_is_not_taken_back(db_session: Session) -> None:
    hamlet = lender(db_session, call_day=10, accelerate_on_call=False)
    hamlet.person("uma", assessed=30_000)
    hamlet.person("eve")
    hamlet.vouch("uma", "eve", 30_000)
    loan = hamlet.lend("eve", 12_000, 3)
    receipt = hamlet.repay(loan, 500)
    hamlet.wait(50, loan)
    assert loan.status is LoanStatus.CALLED
    with pytest.raises(ReceiptNotReversible):
        take_back(hamlet, receipt)
    hamlet.pay(hamlet.calls(loan)["uma"], 1_000)
    by_guarantor = db_session.scalars(
        select(Repayment).where(Repayment.loan_id == loan.id).order_by(Repayment.id.desc())
    ).first()
    assert by_guarantor is not None
    with pytest.raises(ReceiptNotReversible):
        take_back(hamlet, by_guarantor)
    hamlet.check()


# Settled early


def test_settling_early_asks_for_interest_up_to_the_day_only(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 36_500, 12)
    hamlet.day += 15 * DAY
    due = repayments.payoff(db_session, loan=loan, on=hamlet.day)
    planned = history.owed(db_session, loan=loan, on=hamlet.day)
    # Half of a month's 1 % on 365.00: 15 of 31 days, 176.6 minor units.
    assert (due.principal_minor, due.interest_minor) == (36_500, 177)
    assert planned.interest_minor > 2_000
    settle: dict[str, Any] = {"loan_id": loan.id, "actor_id": None, **hamlet.when}
    with pytest.raises(NotThePayoff) as refusal:
        hamlet.do(service.settle_early, amount=yuan(36_676), **settle)
    assert refusal.value.members["payoff_minor"] == 36_677
    receipt = hamlet.do(service.settle_early, amount=yuan(36_677), **settle)
    assert (receipt.principal_minor, receipt.interest_minor) == (36_500, 177)
    assert (loan.status, loan.outstanding_minor) == (LoanStatus.CLOSED, 0)
    assert sum(row[2] for row in plan(hamlet, loan)) == 177
    hamlet.check()
    with pytest.raises(NothingToSettle):
        hamlet.do(service.settle_early, amount=yuan(1), **settle)
    # Taken back, all of the plan's interest is there again.
    take_back(hamlet, receipt)
    assert history.owed(db_session, loan=loan, on=hamlet.day) == planned
    hamlet.check()


# Fees and penalties


def test_the_products_fees_are_charged_booked_and_paid_first(db_session: Session) -> None:
    hamlet = lender(db_session, INTEREST | {"fees": FEES})
    loan = hamlet.lend("ben", 30_000, 3)
    # At once 1.00 and 0.5 % of 300.00; 0.25 with each instalment.
    assert [row[3] for row in plan(hamlet, loan)] == [250 + 25, 25, 25]
    assert booked(hamlet, loan)[AccountKind.FEE_RECEIVABLE] == 325
    receipt = hamlet.repay(loan, 300)
    assert (receipt.fee_minor, receipt.interest_minor) == (275, 25)
    assert booked(hamlet, loan)[AccountKind.FEE_RECEIVABLE] == 50
    assert booked(hamlet, loan)[AccountKind.FEE_INCOME] == -325
    hamlet.check()


def test_a_charge_is_owed_from_its_day_and_waived_it_frees_what_was_paid(
    db_session: Session,
) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 3)
    hamlet.day += 5 * DAY
    before = plan(hamlet, loan)
    charge = hamlet.do(
        service.add_charge,
        loan_id=loan.id,
        kind=ChargeKind.PENALTY,
        amount=yuan(500),
        due_on=hamlet.day + 40 * DAY,
        reason="misuse",
        actor_id=None,
        **hamlet.when,
    )
    assert [row[4] for row in plan(hamlet, loan)] == [0, 500, 0]
    first = before[0][1] + before[0][2]
    receipt = hamlet.repay(loan, first + 200)
    assert receipt.penalty_minor == 200
    hamlet.check()
    waive: dict[str, Any] = {"charge_id": charge.id, "reason": "an error", "actor_id": None}
    hamlet.do(service.waive_charge, **waive, **hamlet.when)
    assert (receipt.penalty_minor, receipt.amount_minor) == (0, first + 200)
    assert AccountKind.PENALTY_RECEIVABLE not in booked(hamlet, loan)
    assert AccountKind.PENALTY_INCOME not in booked(hamlet, loan)
    with pytest.raises(ChargeWaived):
        hamlet.do(service.waive_charge, **waive, **hamlet.when)
    hamlet.check()


def test_penalties_grow_by_the_day_and_are_written_by_the_days_work(db_session: Session) -> None:
    hamlet = lender(db_session, PENALTY)
    loan = hamlet.lend("ben", 20_000, 2)
    first = plan(hamlet, loan)[0]
    hamlet.day = first[0]
    for late, days in ((2, 0), (3, 1), (12, 10)):
        hamlet.day = first[0] + late * DAY
        hamlet.wait(0, loan)
        # 18.25 % a year is 5 in 10,000 a day on the principal that is late.
        expected = (first[1] * 5 * days + 5_000) // 10_000
        assert sum(row[4] for row in plan(hamlet, loan)) == pytest.approx(expected, abs=1)
        hamlet.check()
    once = plan(hamlet, loan)
    hamlet.wait(0, loan)
    assert plan(hamlet, loan) == once


# Changes of plan


CHANGES: list[tuple[ChangeKind, dict[str, Any]]] = [
    (ChangeKind.RATE, {"yearly_rate_ppm": 60_000}),
    (ChangeKind.PAUSE, {"until_on": "2026-04-30"}),
    (ChangeKind.MOVE, {"from_on": "2026-04-01", "until_on": "2026-05-31", "days": 45}),
    (ChangeKind.SPLIT, {"from_on": "2026-04-01", "until_on": "2026-05-31", "parts": 3}),
    (
        ChangeKind.FREEZE,
        {
            "from_on": "2026-05-01",
            "until_on": "2026-07-31",
            "resume_on": "2026-11-02",
            "interest": "waived",
        },
    ),
    (ChangeKind.RESCHEDULE, {"from_due_on": "2026-05-02", "extra_instalments": 4}),
]


@pytest.mark.parametrize("kind, parameters", CHANGES, ids=[kind.value for kind, _ in CHANGES])
def test_a_change_of_plan_keeps_the_debt_and_taken_back_leaves_no_trace(
    db_session: Session, kind: ChangeKind, parameters: dict[str, Any]
) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    hamlet.day += 20 * DAY
    hamlet.repay(loan, 2_000)
    before, books = plan(hamlet, loan), booked(hamlet, loan)
    made = change(hamlet, loan, kind, **parameters)
    after = plan(hamlet, loan)
    assert after != before
    assert sum(row[1] for row in after) == 30_000
    assert loan.outstanding_minor == 30_000 - sum(row[5] for row in after)
    hamlet.check()
    undo: dict[str, Any] = {"change_id": made.id, "reason": "it rained", "actor_id": None}
    hamlet.do(service.undo_change, **undo, **hamlet.when)
    assert (plan(hamlet, loan), booked(hamlet, loan)) == (before, books)
    hamlet.check()
    with pytest.raises(ChangeNotFound):
        hamlet.do(service.undo_change, **undo, **hamlet.when)


def test_a_change_without_effect_is_refused(db_session: Session) -> None:
    hamlet = lender(db_session)
    loan = hamlet.lend("ben", 30_000, 6)
    with pytest.raises(PlanNotChanged):
        change(hamlet, loan, ChangeKind.MOVE, from_on="2030-01-01", until_on="2030-02-01", days=5)


def test_restructuring_is_limited_keeps_how_late_it_was_and_is_never_forgotten(
    db_session: Session,
) -> None:
    hamlet = lender(db_session, restructures_max=1)
    loan = hamlet.lend("ben", 30_000, 6)
    due_on = plan(hamlet, loan)[0][0]
    hamlet.day = due_on + 20 * DAY
    hamlet.wait(0, loan)
    assert loan.status is LoanStatus.OVERDUE
    made = change(
        hamlet,
        loan,
        ChangeKind.RESCHEDULE,
        service.restructure,
        from_due_on=due_on.isoformat(),
        new_due_on=(hamlet.day + 30 * DAY).isoformat(),
        extra_instalments=6,
    )
    assert (made.days_overdue, loan.restructure_count, loan.restructured_on) == (20, 1, hamlet.day)
    assert loan.status is LoanStatus.RESTRUCTURED
    hamlet.check()
    with pytest.raises(RestructuredTooOften) as refusal:
        change(hamlet, loan, ChangeKind.RATE, service.restructure, yearly_rate_ppm=1)
    assert refusal.value.members["rule"] == "restructures_max"
    with pytest.raises(ChangeNotFound):
        hamlet.do(
            service.undo_change,
            change_id=made.id,
            reason="regret",
            actor_id=None,
            **hamlet.when,
        )
    hamlet.wait(40, loan)
    assert loan.status is LoanStatus.OVERDUE
    hamlet.repay(loan, history.owed(db_session, loan=loan, on=hamlet.day).due_minor)
    assert loan.status is LoanStatus.RESTRUCTURED
    hamlet.check()


# Tranches


SEEDED = date(2026, 5, 11)
HARVEST = date(2026, 9, 1)
# A thousandth a day: 60.00 of every 100.00 go out at once, the rest in May; half falls due in
# September, after 200 days, half 20 days later.
SEASONAL: dict[str, Any] = {
    "rate_method": "declining_balance",
    "amortisation": "seasonal",
    "day_count": "actual/365",
    "yearly_rate_ppm": 365_000,
}


def farmer(session: Session, weights: tuple[int, int] = (60, 40)) -> tuple[Hamlet, Any]:
    """A hamlet that lends for rice in two tranches, and the season's id."""
    hamlet = Hamlet(session, rules={"yearly_rate_ppm_max": 600_000}, terms=SEASONAL)
    hamlet.fund(1_000_000)
    hamlet.person("ben", assessed=200_000)
    season = hamlet.do(
        products.add_season,
        community_id=hamlet.community.id,
        code="rice",
        crop="rice",
        sow_from=date(2026, 3, 10),
        sow_until=date(2026, 5, 20),
        harvest_from=HARVEST,
        selling=[{"due_on": "2026-09-18", "weight": 1}, {"due_on": "2026-10-08", "weight": 1}],
        tranches=[
            {"pay_on": "2026-03-12", "weight": weights[0]},
            {"pay_on": SEEDED.isoformat(), "weight": weights[1]},
        ],
        now=hamlet.now,
        actor_id=None,
    )
    return hamlet, season


def sown(hamlet: Hamlet, season: Any) -> Loan:
    """1,000.00 for rice, of which the first tranche goes out today."""
    loan = hamlet.do(
        loans.apply,
        community_id=hamlet.community.id,
        borrower_id=hamlet.people["ben"].id,
        product_id=hamlet.product_id,
        principal=yuan(100_000),
        purpose="seed",
        season_id=season.id,
        actor_id=None,
        **hamlet.when,
    )
    hamlet.approve(loan)
    return hamlet.do(loans.disburse, loan_id=loan.id, actor_id=hamlet.officer.id, **hamlet.when)


def pay_tranche(hamlet: Hamlet, loan: Loan) -> Any:
    return hamlet.do(
        service.pay_tranche, loan_id=loan.id, actor_id=hamlet.officer.id, **hamlet.when
    )


def held(hamlet: Hamlet, loan: Loan) -> int:
    query = select(CoverLine).where(CoverLine.loan_id == loan.id)
    return sum(line.held_minor for line in hamlet.session.scalars(query))


def test_a_loan_goes_out_in_tranches_and_bears_interest_on_what_is_out(
    db_session: Session,
) -> None:
    hamlet, season = farmer(db_session)
    offer = loans.quote(
        db_session,
        community_id=hamlet.community.id,
        product_id=hamlet.product_id,
        principal=yuan(100_000),
        on=hamlet.day,
        season_id=season.id,
    )
    start = hamlet.day
    # Before the first tranche's own day it goes out when it is asked for.
    assert offer.tranches == ((start, 60_000), (SEEDED, 40_000))
    # 600.00 for 200 days and 400.00 for 130, then 500.00 for 20.
    assert [(row.principal_minor, row.interest_minor) for row in offer.rows] == [
        (50_000, 12_000 + 5_200),
        (50_000, 1_000),
    ]
    growth = 1 + offer.effective_yearly_rate_ppm / 1_000_000
    flows = [(0, -60_000), (70, -40_000), (200, 67_200), (220, 51_000)]
    assert abs(sum(minor / growth ** (days / 365) for days, minor in flows)) < 1
    loan = sown(hamlet, season)
    assert (loan.disbursed_minor, loan.outstanding_minor) == (60_000, 60_000)
    assert [row[1:3] for row in plan(hamlet, loan)] == [(30_000, 12_000), (30_000, 600)]
    # What is still to go out is covered too.
    assert held(hamlet, loan) == 100_000
    hamlet.check()
    hamlet.day = SEEDED - DAY
    with pytest.raises(TrancheNotDue):
        pay_tranche(hamlet, loan)
    hamlet.day = SEEDED
    tranche = pay_tranche(hamlet, loan)
    assert (tranche.number, tranche.amount_minor) == (2, 40_000)
    assert [row[1:3] for row in plan(hamlet, loan)] == [(50_000, 17_200), (50_000, 1_000)]
    assert (loan.outstanding_minor, held(hamlet, loan)) == (100_000, 100_000)
    hamlet.check()
    with pytest.raises(TrancheNotDue):
        pay_tranche(hamlet, loan)


def test_a_loan_that_was_settled_does_not_get_its_first_tranche_again(db_session: Session) -> None:
    """A closed loan becomes current again when a receipt is taken back: not by more money."""
    hamlet, season = farmer(db_session, weights=(50, 50))
    loan = sown(hamlet, season)
    hamlet.wait(10)
    due = repayments.payoff(hamlet.session, loan=loan, on=hamlet.day).total_minor
    hamlet.do(service.settle_early, loan_id=loan.id, amount=yuan(due), actor_id=None, **hamlet.when)
    assert loan.status is LoanStatus.CLOSED
    with pytest.raises(StepNotAllowed) as refused:
        hamlet.do(loans.disburse, loan_id=loan.id, actor_id=None, **hamlet.when)
    assert "current" not in refused.value.members["allowed"]
    hamlet.session.refresh(loan)
    assert (loan.status, loan.disbursed_minor) == (LoanStatus.CLOSED, 50_000)
    hamlet.check()


def test_a_tranche_is_not_out_before_its_day_in_reports_of_the_past(db_session: Session) -> None:
    hamlet, season = farmer(db_session)
    loan = sown(hamlet, season)
    assert loan.disbursed_on is not None
    month = f"{loan.disbursed_on:%Y-%m}"
    hamlet.day = SEEDED
    pay_tranche(hamlet, loan)
    hamlet.day = SEEDED + 30 * DAY
    where: dict[str, Any] = {"community": hamlet.community, "today": hamlet.day}
    days = (SEEDED - DAY, SEEDED)
    assert [
        portfolio_at_risk(db_session, on=on, **where).total.outstanding_minor for on in days
    ] == [
        60_000,
        100_000,
    ]
    moves = [roll_rates(db_session, month=each, **where).rolls for each in (month, "2026-05")]
    # New in its month; in the next, what was out as it began.
    assert [[roll.loans.amount_minor for roll in rolls] for rolls in moves] == [[60_000], [60_000]]


def test_what_went_out_later_bears_interest_later(db_session: Session) -> None:
    hamlet, season = farmer(db_session)
    loan = sown(hamlet, season)
    hamlet.day = SEEDED + 4 * DAY
    pay_tranche(hamlet, loan)
    assert [row[2] for row in plan(hamlet, loan)] == [12_000 + 5_040, 1_000]
    hamlet.check()


def test_whatever_is_due_by_the_first_day_goes_out_on_it(db_session: Session) -> None:
    hamlet, season = farmer(db_session)
    hamlet.day = SEEDED + DAY
    loan = sown(hamlet, season)
    assert (loan.disbursed_minor, loan.undisbursed_minor) == (100_000, 0)


def test_a_loan_that_waits_for_money_closes_only_when_none_comes_any_more(
    db_session: Session,
) -> None:
    hamlet, season = farmer(db_session)
    repaid, settled = sown(hamlet, season), sown(hamlet, season)
    hamlet.day += 10 * DAY
    hamlet.repay(repaid, 72_600)
    assert (repaid.status, held(hamlet, repaid)) == (LoanStatus.CURRENT, 40_000)
    with pytest.raises(NothingToSettle):
        repayments.payoff(db_session, loan=repaid, on=hamlet.day)
    due = repayments.payoff(db_session, loan=settled, on=hamlet.day).total_minor
    assert due == 60_600
    hamlet.do(
        service.settle_early, loan_id=settled.id, amount=yuan(due), actor_id=None, **hamlet.when
    )
    assert (settled.status, held(hamlet, settled)) == (LoanStatus.CLOSED, 0)
    hamlet.check()
    hamlet.day = HARVEST
    with pytest.raises(SeasonOver):
        pay_tranche(hamlet, repaid)
    hamlet.wait(0, repaid)
    assert (repaid.status, held(hamlet, repaid)) == (LoanStatus.CLOSED, 0)
    hamlet.check()


def test_an_event_and_a_tranche_meet_in_one_history(db_session: Session) -> None:
    hamlet, season = farmer(db_session)
    loan = sown(hamlet, season)
    hamlet.day += 10 * DAY
    made = change(
        hamlet,
        loan,
        ChangeKind.MOVE,
        from_on="2026-09-01",
        until_on="2026-09-30",
        days=10,
    )
    hamlet.day = SEEDED
    pay_tranche(hamlet, loan)
    # 600.00 for 210 days and 400.00 for 140, then 500.00 for 10.
    assert [row[1:3] for row in plan(hamlet, loan)] == [(50_000, 18_200), (50_000, 500)]
    hamlet.check()
    hamlet.do(service.undo_change, change_id=made.id, reason="dry", actor_id=None, **hamlet.when)
    assert [row[1:3] for row in plan(hamlet, loan)] == [(50_000, 17_200), (50_000, 1_000)]
    hamlet.check()
