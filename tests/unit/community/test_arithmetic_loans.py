"""Loans worked by hand, and histories that cannot be. More figures stand in docs/arithmetic.md."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from community.arithmetic.errors import HistoryImpossible, ScheduleImpossible
from community.arithmetic.events import (
    Accelerate,
    Charge,
    Disbursement,
    FreezeDues,
    InterestPause,
    MoveDues,
    Payoff,
    Receipt,
    ReceiptKind,
    Reschedule,
    RowReceipt,
    SplitDues,
    WriteOff,
)
from community.arithmetic.plan import schedule
from community.arithmetic.pledges import MinimumPledges, Pledge, call, free, hold, missing, release
from community.arithmetic.rate import Flow, effective_yearly_rate, flows_of
from community.arithmetic.replay import payoff_minor, replay
from community.arithmetic.terms import (
    AllocationRule,
    Amortisation,
    Component,
    Contract,
    DayCount,
    EarlyMoney,
    EarlyOrder,
    FutureRule,
    PenaltyBase,
    PenaltyRule,
    RateMethod,
    Recalculation,
    SeasonDue,
    Terms,
)

START = date(2027, 1, 15)
# 1,000.00 at 1 % a month: 330.02 + 10.00, 333.32 + 6.70, 336.66 + 3.37.
LOAN = Contract(Terms(yearly_rate_ppm=120_000), 3, START)
LENT = Disbursement(START, 1_000_00, "lent")
FEBRUARY, MARCH, APRIL = date(2027, 2, 15), date(2027, 3, 15), date(2027, 4, 15)


def test_an_overdue_row_is_counted_from_its_due_date() -> None:
    state = replay(LOAN, [LENT, Receipt(FEBRUARY, 300_00, "r")], date(2027, 3, 1))
    assert state.overdue.total_minor == 40_02
    assert (state.overdue_since_on, state.days_overdue) == (FEBRUARY, 14)
    assert state.outstanding.total_minor == 720_07
    assert replay(LOAN, [LENT], FEBRUARY).days_overdue == 0


def test_the_penalty_grows_by_the_day_on_what_is_unpaid() -> None:
    rule = PenaltyRule(365_000, base=PenaltyBase.PRINCIPAL_AND_INTEREST)
    loan = replace(LOAN, terms=replace(LOAN.terms, penalty=rule))
    # A thousandth a day on 340.02 for ten days, then on 140.02 (and 3.40 paid first).
    receipt = Receipt(FEBRUARY + timedelta(days=10), 203_40, "r")
    events = [LENT, receipt]
    state = replay(loan, events, FEBRUARY + timedelta(days=10))
    assert state.rows[0].due.penalty_minor == 3_40
    assert state.receipts["r"].amounts.penalty_minor == 3_40
    assert state.rows[0].unpaid.total_minor == 140_02
    later = replay(loan, events, FEBRUARY + timedelta(days=20))
    assert later.rows[0].due.penalty_minor == 4_80
    # Had the money come on time, there would have been none.
    backdated = replay(loan, [LENT, replace(receipt, on=FEBRUARY, amount_minor=340_02)], MARCH)
    assert backdated.rows[0].due.penalty_minor == 0


def test_accelerated_principal_is_overdue_at_once_and_later_interest_is_dropped() -> None:
    on = FEBRUARY + timedelta(days=1)
    state = replay(LOAN, [LENT, Accelerate(on)], on + timedelta(days=1))
    assert [row.due.interest_minor for row in state.rows] == [10_00, 0, 0]
    assert state.overdue.total_minor == 1_010_00


def test_money_after_a_write_off_is_still_counted() -> None:
    events = [LENT, WriteOff(MARCH), Receipt(APRIL, 100_00, "late")]
    state = replay(LOAN, events, APRIL)
    assert state.outstanding.total_minor == 0
    assert state.receipts["late"].amounts.total_minor == 100_00
    assert state.written_off.total_minor == 1_000_00 + 16_70 - 100_00
    assert state.days_overdue == 0


def test_money_that_was_paid_too_much_goes_into_new_money() -> None:
    free_loan = replace(LOAN, terms=Terms())
    events = [LENT, Receipt(START, 1_100_00, "r")]
    assert replay(free_loan, events, START).overpaid_minor == 100_00
    more = Disbursement(FEBRUARY, 300_00, "more")
    state = replay(free_loan, [*events, more], FEBRUARY)
    assert state.overpaid_minor == 0
    assert state.outstanding.total_minor == 200_00
    assert state.receipts["r"].amounts.principal_minor == 1_100_00


def test_a_flat_loan_settles_for_its_share_of_the_running_interest() -> None:
    flat = replace(LOAN, terms=replace(LOAN.terms, rate_method=RateMethod.FLAT))
    # 14 of the 28 days of the second period: half of 10.00, and the whole first one.
    assert payoff_minor(flat, [LENT], date(2027, 3, 1)) == 1_000_00 + 10_00 + 5_00


def test_a_seasonal_loan_moves_and_keeps_its_interest_running() -> None:
    terms = Terms(
        amortisation=Amortisation.SEASONAL,
        yearly_rate_ppm=365_000,
        day_count=DayCount.ACTUAL_365,
    )
    dues = (SeasonDue(date(2027, 10, 15), 60), SeasonDue(date(2027, 12, 1), 40))
    loan = Contract(terms, 1, START, dues)
    # A thousandth a day on 1,000.00 for 273 days, then on 400.00 for 47.
    rows = replay(loan, [LENT], START).rows
    assert [row.due[:2] for row in rows] == [(600_00, 273_00), (400_00, 18_80)]
    moved = MoveDues(date(2027, 9, 1), date(2027, 10, 1), date(2027, 10, 31), 61)
    rows = replay(loan, [LENT, moved], moved.on).rows
    # December's 400.00 is now first, after 320 days; then 600.00 for 14 more.
    assert [(row.due_on, *row.due[:2]) for row in rows] == [
        (date(2027, 12, 1), 400_00, 320_00),
        (date(2027, 12, 15), 600_00, 8_40),
    ]


def test_a_frozen_loan_keeps_what_was_paid_and_the_days_of_the_month() -> None:
    paid = Receipt(FEBRUARY, 340_02, "r")
    freeze = FreezeDues(MARCH, MARCH, MARCH, date(2027, 9, 15))
    state = replay(LOAN, [LENT, paid, freeze], MARCH)
    assert [row.due_on for row in state.rows] == [
        FEBRUARY,
        date(2027, 9, 15),
        date(2027, 10, 15),
    ]
    assert state.rows[0].paid_on == FEBRUARY


def test_a_split_due_keeps_what_was_paid_in_its_first_part() -> None:
    free_loan = replace(LOAN, terms=Terms())
    part = Receipt(START, 100_00, "r")
    split = SplitDues(START + timedelta(days=1), FEBRUARY, FEBRUARY, 2)
    rows = replay(free_loan, [LENT, part, split], MARCH).rows
    # 333.33 less 100.00 is split into 116.67 and 116.66.
    assert [(row.due_on, row.due.principal_minor) for row in rows] == [
        (FEBRUARY, 216_67),
        (MARCH, 333_33),
        (MARCH, 116_66),
        (APRIL, 333_34),
    ]
    assert rows[0].paid.principal_minor == 100_00


def test_splitting_a_flat_due_splits_its_interest_too() -> None:
    flat = replace(LOAN, terms=replace(LOAN.terms, rate_method=RateMethod.FLAT))
    rows = replay(flat, [LENT, SplitDues(START, MARCH, MARCH, 2)], START).rows
    assert [row.due[:2] for row in rows] == [
        (333_33, 10_00),
        (166_67, 5_00),
        (333_34, 10_00),
        (166_66, 5_00),
    ]


def test_money_paid_on_the_last_row_leaves_room_for_it_in_a_new_plan() -> None:
    rule = AllocationRule(future_default=FutureRule.LAST)
    loan = replace(LOAN, terms=Terms(allocation=rule))
    # 900.00 pays April and March whole and most of February; a new plan asks for no row twice.
    events = [LENT, Receipt(START, 900_00, "r"), Reschedule(START, MARCH, extra_instalments=2)]
    state = replay(loan, events, START)
    assert sum(row.due.principal_minor for row in state.rows) == 1_000_00
    assert state.outstanding.total_minor == 100_00
    assert all(row.unpaid.principal_minor >= 0 for row in state.rows)


def test_a_tranche_is_planned_as_if_all_were_paid_on_time() -> None:
    terms = Terms(yearly_rate_ppm=120_000, recalculation=Recalculation.DAILY)
    later = Disbursement(date(2027, 4, 1), 500_00, "more")
    plain = Contract(Terms(yearly_rate_ppm=120_000), 6, START)
    daily = Contract(terms, 6, START)
    assert schedule(daily, [LENT, later]) == schedule(plain, [LENT, later])


def test_money_beyond_the_last_row_pays_a_charge_to_come() -> None:
    terms = replace(LOAN.terms, recalculation=Recalculation.DAILY, early_order=EarlyOrder.PRINCIPAL)
    loan = replace(LOAN, terms=terms)
    fee = Charge(date(2027, 5, 10), 5_00, "fee")
    payment = Receipt(APRIL, 1_100_00, "r")
    state = replay(loan, [LENT, fee, payment], date(2027, 5, 20))
    assert state.outstanding.total_minor == 0
    assert state.receipts["r"].amounts.fee_minor == 5_00


def test_kinds_of_money_may_look_at_the_future_from_either_end() -> None:
    rule = AllocationRule(future=((ReceiptKind.GOODWILL_CREDIT, FutureRule.LAST),))
    loan = replace(LOAN, terms=Terms(allocation=rule))
    gift = Receipt(START, 50_00, "gift", ReceiptKind.GOODWILL_CREDIT)
    state = replay(loan, [LENT, gift, Receipt(START, 20_00, "own")], START)
    assert [row.paid.total_minor for row in state.rows] == [20_00, 0, 50_00]


def test_settling_drops_charges_that_are_not_due_yet() -> None:
    charges = [Charge(FEBRUARY, 5_00, "near"), Charge(APRIL, 7_00, "far", Component.PENALTY)]
    assert payoff_minor(LOAN, [LENT, *charges], FEBRUARY) == 1_015_00
    state = replay(LOAN, [LENT, *charges, Payoff(FEBRUARY, "end")], APRIL)
    assert state.closed
    assert sum(row.due.penalty_minor for row in state.rows) == 0


def test_a_payoff_for_which_nothing_is_asked_drops_what_is_to_come() -> None:
    principal_first = AllocationRule(
        order=(Component.PENALTY, Component.FEE, Component.PRINCIPAL, Component.INTEREST)
    )
    loan = replace(LOAN, terms=replace(LOAN.terms, allocation=principal_first))
    # All but the last row's interest, which no day has earned yet.
    events = [LENT, Receipt(START, 1_016_70, "ahead")]
    assert payoff_minor(loan, events, FEBRUARY) == 0
    assert replay(loan, events, APRIL).outstanding.total_minor == 3_37
    settled = replay(loan, [*events, Payoff(FEBRUARY, "end")], APRIL)
    assert settled.closed
    assert settled.receipts.keys() == {"ahead"}
    # A loan that owes nothing at all is not settled by it: more of it may go out.
    repaid = [LENT, Receipt(START, 1_020_07, "all"), Payoff(START, "end")]
    more = Disbursement(FEBRUARY, 100_00, "more")
    assert replay(loan, [*repaid, more], FEBRUARY).outstanding.principal_minor == 100_00


def test_one_component_of_one_row_can_be_paid() -> None:
    part = RowReceipt(START, 4_00, "r", Component.INTEREST, MARCH)
    state = replay(LOAN, [LENT, part], START)
    assert state.rows[1].paid == (0, 4_00, 0, 0)


@pytest.mark.parametrize(
    "events",
    [
        [Receipt(START, 1_00, "r")],
        [LENT, Receipt(START, 0, "r")],
        [LENT, Receipt(START, 1_00, "r"), Receipt(FEBRUARY, 1_00, "r")],
        [LENT, Charge(START, 0, "c")],
        [LENT, InterestPause(MARCH, FEBRUARY)],
        [LENT, MoveDues(START, FEBRUARY, MARCH, -1)],
        [LENT, SplitDues(START, FEBRUARY, MARCH, 0)],
        [LENT, FreezeDues(START, FEBRUARY, MARCH, FEBRUARY)],
        [LENT, Reschedule(START, date(2028, 1, 1))],
        [LENT, Reschedule(START, MARCH, new_due_on=FEBRUARY)],
        [LENT, Accelerate(FEBRUARY), Disbursement(MARCH, 1_00)],
        [LENT, RowReceipt(START, 1_00, "r", Component.FEE, date(2027, 3, 1))],
    ],
)
def test_histories_that_cannot_be_are_refused(events: list[object]) -> None:
    with pytest.raises(HistoryImpossible):
        replay(LOAN, events, APRIL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "money",
    [[], [Disbursement(START, 0)], [Disbursement(START - timedelta(days=1), 1)],
     [Disbursement(APRIL, 1)]],
)  # fmt: skip
def test_money_that_no_plan_can_repay_is_refused(money: list[Disbursement]) -> None:
    with pytest.raises(ScheduleImpossible):
        schedule(LOAN, money)


@pytest.mark.parametrize(
    "wrong",
    [
        {"yearly_rate_ppm": -1},
        {"period_length": 0},
        {"amount_multiple_minor": 0},
        {"down_payment_bps": 10_001},
    ],
)
def test_terms_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ScheduleImpossible):
        Terms(**wrong)  # type: ignore[arg-type]


def test_contracts_out_of_range_are_refused() -> None:
    seasonal = Terms(amortisation=Amortisation.SEASONAL)
    for contract in (
        lambda: Contract(Terms(), 0, START),
        lambda: Contract(seasonal, 1, START),
        lambda: Contract(seasonal, 1, START, (SeasonDue(START, 1),)),
        lambda: Contract(seasonal, 1, START, (SeasonDue(APRIL, 0),)),
        lambda: AllocationRule(order=(Component.FEE,)),
    ):
        with pytest.raises(ScheduleImpossible):
            contract()


def test_under_daily_rest_a_late_row_costs_its_late_days() -> None:
    terms = Terms(
        yearly_rate_ppm=365_000,
        day_count=DayCount.ACTUAL_365,
        recalculation=Recalculation.DAILY,
        amortisation=Amortisation.EQUAL_PRINCIPAL,
    )
    loan = Contract(terms, 2, START)
    # A thousandth a day: 31 days on 1,000.00; then 28 on 500.00, and 8 on the other 500.00 too.
    on_time = [LENT, Receipt(FEBRUARY, 531_00, "r")]
    assert replay(loan, on_time, MARCH).rows[1].due.interest_minor == 14_00
    late = [LENT, Receipt(FEBRUARY + timedelta(days=8), 531_00, "r")]
    assert replay(loan, late, MARCH).rows[1].due.interest_minor == 18_00
    assert replay(loan, [LENT], FEBRUARY + timedelta(days=8)).rows[1].due.interest_minor == 18_00


def test_pledges_are_held_freed_and_called() -> None:
    pledged = [Pledge("own", 60_00, own=True), Pledge("a", 40_00), Pledge("b", 20_00)]
    minimum = MinimumPledges(total_bps=10_000, from_guarantors_bps=6_000, from_own_funds_bps=6_001)
    assert missing(pledged, 100_00, minimum) == ("from_own_funds",)
    held = hold(pledged)
    # 60.00 of 100.00 repaid frees 72.00 of 120.00: all 60.00 of a and b, then 12.00 of its own.
    assert [one.held_minor for one in release(held, 60_00, 100_00)] == [48_00, 0, 0]
    # More is pledged than was lent: everybody is called for five sixths.
    assert [one.taken_minor * 6 for one in call(held, 100_00)] == [300_00, 200_00, 100_00]
    assert not any(one.held_minor for one in free(held))


def test_the_effective_rate_counts_tranches_and_fees() -> None:
    year = timedelta(days=365)
    # 1,000 out, 1,000 more after a year, 2,310 back after two: 1.1² + 1.1 = 2.31.
    flows = [Flow(START, 1_000), Flow(START + year, 1_000), Flow(START + 2 * year, -2_310)]
    assert effective_yearly_rate(flows) == 100_000
    # A fee of 100 kept back: 900 in hand, 990 back after a year.
    assert effective_yearly_rate(
        [Flow(START, 1_000), Flow(START, -100), Flow(START + year, -990)]
    ) == (100_000)
    assert effective_yearly_rate(flows_of([LENT], [])) == 0
    with pytest.raises(ScheduleImpossible):
        effective_yearly_rate([Flow(START, -1), Flow(START + year, 5), Flow(START + year, -9)])
    with pytest.raises(ScheduleImpossible):
        effective_yearly_rate([Flow(START, 1), Flow(START + timedelta(days=1), -(10**9))])


def test_deferred_interest_of_the_period_is_paid_from_what_is_left_over() -> None:
    terms = Terms(
        amortisation=Amortisation.SEASONAL,
        yearly_rate_ppm=120_000,
        grace_interest=2,
        recalculation=Recalculation.PERIOD,
        early_order=EarlyOrder.PRINCIPAL,
    )
    season = (SeasonDue(MARCH, 1), SeasonDue(date(2027, 7, 15), 1))
    loan = Contract(terms, 1, START, season)
    # The money counts from 15 March on: two months of 1,000.00 at 1 %, asked for in July.
    state = replay(loan, [LENT, Receipt(START, 1_050_00, "r")], date(2027, 4, 1))
    assert state.outstanding.total_minor == 0
    assert state.receipts["r"].amounts.interest_minor == 20_00
    assert state.overpaid_minor == 30_00


def test_a_tranche_paid_back_before_it_goes_out_is_planned_on_no_later_row() -> None:
    terms = Terms(
        amortisation=Amortisation.SEASONAL,
        yearly_rate_ppm=120_000,
        recalculation=Recalculation.DAILY,
        early_money=EarlyMoney.REDUCE_INSTALMENT,
        early_order=EarlyOrder.PRINCIPAL,
    )
    season = (SeasonDue(MARCH, 1), SeasonDue(date(2027, 7, 15), 1))
    loan = Contract(terms, 1, START, season)
    tranche = Disbursement(MARCH, 500_00, "more")
    state = replay(loan, [LENT, Receipt(START, 2_000_00, "r"), tranche], MARCH)
    assert state.outstanding.total_minor == 0
    assert state.overpaid_minor == 500_00
    assert sum(row.due.principal_minor for row in state.rows) == 1_500_00
