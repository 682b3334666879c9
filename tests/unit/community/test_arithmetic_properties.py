"""What holds for every loan whatever its terms and whatever happened to it.

`make properties` runs each of these on ten thousand loans.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from community.arithmetic import replay as replaying
from community.arithmetic.calendar import step
from community.arithmetic.errors import HistoryImpossible, ScheduleImpossible
from community.arithmetic.events import (
    Charge,
    Disbursement,
    Event,
    FreezeDues,
    InterestPause,
    MoveDues,
    Payoff,
    RateChange,
    Receipt,
    Reschedule,
    SplitDues,
)
from community.arithmetic.plan import Plan, schedule
from community.arithmetic.replay import payoff_minor, replay
from community.arithmetic.state import Amounts, State
from community.arithmetic.terms import (
    Amortisation,
    Contract,
    DayCount,
    EarlyMoney,
    EarlyOrder,
    RateMethod,
    Recalculation,
    Terms,
)
from tests.unit.community.arithmetic_space import (
    AMOUNTS,
    PLACES,
    PROFILE,
    Life,
    contracts,
    disbursements,
    last_day,
    lives,
)
from tests.unit.community.plain_plan import PlainPlan

DAYS = st.integers(0, 400)
NUMBERS = st.integers(1, 10**6)
CHANGES = (RateChange, InterestPause, Reschedule, MoveDues, SplitDues, FreezeDues)
FEW_PLACES = st.lists(PLACES, min_size=1, max_size=5)


def lived(life: Life, *more: object, on: date | None = None) -> State:
    """The state of a life; lives that cannot be are passed over."""
    try:
        return replay(life.contract, (*life.events, *more), on or life.until_on)  # type: ignore[arg-type]
    except (HistoryImpossible, ScheduleImpossible):
        assume(False)
        raise


@PROFILE
@given(st.data())
def test_principal_sums_to_what_was_lent_and_nothing_is_negative(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    lent = data.draw(disbursements(contract))
    rows = schedule(contract, lent)
    assert sum(row.principal_minor for row in rows) == sum(money.amount_minor for money in lent)
    assert all(row.principal_minor >= 0 and row.interest_minor >= 0 for row in rows)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    days = [row.due_on for row in rows]
    assert days == sorted(days)
    regular = [row.due_on for row in rows if not row.down_payment]
    assert regular == sorted(set(regular))
    if not contract.terms.bears_interest:
        assert not any(row.interest_minor for row in rows)


@PROFILE
@given(st.data())
def test_the_quick_way_to_plain_rows_gives_what_the_long_one_gives(data: st.DataObject) -> None:
    contract = data.draw(contracts(down_payment_bps=0, grace_interest=0, amount_multiple_minor=1))
    money = Disbursement(contract.start_on, data.draw(AMOUNTS))
    quick = schedule(contract, [money])
    plan = Plan(contract)
    plan.plain = False
    plan.disburse(money.on, money.amount_minor)
    plan.derive()
    assert plan.rows() == quick
    seen = replay(contract, [money], contract.start_on)
    rows = [(r.from_on, r.due_on, r.due.principal_minor, r.due.interest_minor) for r in seen.rows]
    assert rows == [(r.from_on, r.due_on, r.principal_minor, r.interest_minor) for r in quick]


@PROFILE
@given(lives(), st.booleans())
def test_the_quick_arithmetic_gives_what_the_long_one_gives(life: Life, renews: bool) -> None:
    if renews:
        terms = replace(
            life.contract.terms,
            rate_method=RateMethod.DECLINING_BALANCE,
            recalculation=Recalculation.DAILY,
            early_money=EarlyMoney.REDUCE_INSTALMENT,
        )
        life = replace(life, contract=replace(life.contract, terms=terms))
    quick = lived(life)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "Plan", PlainPlan)
        assert lived(life) == quick


@pytest.mark.parametrize(
    "change",
    [
        RateChange(date(2026, 2, 20), 300_000),
        Reschedule(date(2026, 2, 20), date(2026, 4, 1), extra_instalments=3),
        SplitDues(date(2026, 2, 20), date(2026, 4, 1), date(2026, 5, 30), 3),
        MoveDues(date(2026, 2, 20), date(2026, 5, 1), date(2026, 5, 30), 10),
        FreezeDues(date(2026, 2, 20), date(2026, 4, 1), date(2026, 5, 30), date(2026, 8, 3)),
        Disbursement(date(2026, 2, 20), 50_000),
    ],
)
def test_what_rows_aim_for_is_worked_out_anew_when_the_plan_changes(change: Event) -> None:
    contract = Contract(
        Terms(
            yearly_rate_ppm=240_000,
            recalculation=Recalculation.DAILY,
            early_money=EarlyMoney.REDUCE_INSTALMENT,
            early_order=EarlyOrder.PRINCIPAL,
        ),
        6,
        date(2026, 1, 1),
    )
    # The first row is paid ahead, and leaves the same before the change and after it.
    events = (
        Disbursement(date(2026, 1, 1), 100_000),
        Receipt(date(2026, 1, 5), 40_000, "early"),
        Receipt(date(2026, 2, 10), 5_000, "before"),
        change,
        Receipt(date(2026, 2, 25), 5_000, "after"),
    )
    life = Life(contract, events, date(2026, 3, 1))
    quick = lived(life)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "Plan", PlainPlan)
        assert lived(life) == quick


def years_of(contract: Contract, from_on: date, to_on: date) -> Fraction:
    """The part of a year between two days of one period, worked out anew, day by day."""
    terms = contract.terms
    counted, _, per = terms.day_count.value.partition("/")
    length = terms.period_length
    seasonal = terms.amortisation is Amortisation.SEASONAL
    unit = terms.period_unit
    if terms.day_count is DayCount.PERIOD and not seasonal:
        return Fraction(length, {"day": 365, "week": 52, "month": 12}[unit])
    real = (to_on - from_on).days
    if counted == "30" and seasonal:
        days = 30 * ((to_on.year - from_on.year) * 12 + to_on.month - from_on.month)
        days += min(to_on.day, 30) - min(from_on.day, 30)
    elif counted == "30":
        days = {"day": 1, "week": 7, "month": 30}[unit] * length
    else:
        days = real
    if per != "actual":
        return Fraction(days, int(per or 365))
    years = Fraction(0)
    for ordinal in range(from_on.toordinal() + 1, to_on.toordinal() + 1):
        # A day belongs to the year in which it ends; 31 December is the last of its year.
        years += Fraction(1, 366 if isleap(date.fromordinal(ordinal).year) else 365)
    return years * days / real


@PROFILE
@given(st.data())
def test_interest_is_what_the_day_count_says(data: st.DataObject) -> None:
    contract = data.draw(
        contracts(
            rate_method=RateMethod.DECLINING_BALANCE,
            grace_interest=0,
            down_payment_bps=0,
            amount_multiple_minor=1,
        )
    )
    terms = contract.terms
    amount = data.draw(AMOUNTS)
    balance = amount
    rate = Fraction(terms.yearly_rate_ppm, 1_000_000)
    before = contract.start_on
    for row in schedule(contract, [Disbursement(contract.start_on, amount)]):
        if terms.amortisation is Amortisation.BULLET:
            years, begin = Fraction(0), contract.start_on
            for k in range(1, contract.instalments + 1):
                count = terms.period_length * k
                end = step(contract.start_on, terms.period_unit, count, terms.month_end)
                years += years_of(contract, begin, end)
                begin = end
        else:
            years = years_of(contract, before, row.due_on)
        exact = balance * rate * years
        # Half a minor unit of rounding, and what twelve digits of a factor can miss.
        assert abs(row.interest_minor - exact) <= Fraction(1, 2) + exact / 10**11
        balance -= row.principal_minor
        before = row.due_on


@PROFILE
@given(lives())
def test_nothing_is_off_by_a_minor_unit(life: Life) -> None:
    state = lived(life)
    lent = sum(
        event.amount_minor
        for event in life.events
        if isinstance(event, Disbursement) and event.on <= life.until_on
    )
    assert state.disbursed_minor == lent
    assert sum(row.due.principal_minor for row in state.rows) == lent
    for row in state.rows:
        assert all(0 <= paid <= due for paid, due in zip(row.paid, row.due, strict=True))
        assert row.in_advance_minor + row.late_minor <= row.paid.total_minor
    by_row = {row.number: [0, 0, 0, 0] for row in state.rows}
    for receipt in state.receipts.values():
        assert receipt.amounts.total_minor + receipt.overpaid_minor == receipt.amount_minor
        assert receipt.amounts == Amounts(
            *(sum(part.amounts[i] for part in receipt.parts) for i in range(4))
        )
        assert min(receipt.amounts) >= 0 <= receipt.overpaid_minor
        for part in receipt.parts:
            for i, money in enumerate(part.amounts):
                by_row[part.number][i] += money
    assert {row.number: list(row.paid) for row in state.rows} == by_row
    for i in range(4):
        unpaid = sum(row.due[i] - row.paid[i] for row in state.rows)
        assert state.outstanding[i] == unpaid
        assert 0 <= state.overdue[i] <= state.due[i] <= state.outstanding[i]
    if state.overpaid_minor and state.outstanding.total_minor:
        # What was over when it came stays over; only a change of plan of that day or later can
        # make something owed anew.
        over = {key for key, receipt in state.receipts.items() if receipt.overpaid_minor}
        day = min(e.on for e in life.events if isinstance(e, Receipt | Payoff) and e.key in over)
        unchanged = tuple(e for e in life.events if not (isinstance(e, CHANGES) and e.on >= day))
        plain = lived(replace(life, events=unchanged))
        assert plain.overpaid_minor == 0 or plain.outstanding.total_minor == 0
    assert (state.days_overdue > 0) == bool(state.overdue.total_minor)
    assert 0 <= state.earned_interest_minor <= sum(row.due.interest_minor for row in state.rows)


@PROFILE
@given(lives(), DAYS)
def test_payoff_on_any_day_leaves_nothing(life: Life, later: int) -> None:
    on = life.until_on + timedelta(days=later)
    # A payoff does not look at what is agreed for later.
    known = tuple(e for e in life.events if e.on <= on or isinstance(e, Charge))
    before = lived(replace(life, events=known), on=on)
    amount = payoff_minor(life.contract, life.events, on)
    assert 0 <= amount <= before.outstanding.total_minor
    after = lived(life, Payoff(on, "settled"), on=on)
    assert after.outstanding.total_minor == 0
    if amount == 0:
        assert "settled" not in after.receipts
        return
    assert after.receipts["settled"].amount_minor == amount
    assert after.receipts["settled"].overpaid_minor == 0
    assert after == lived(life, Payoff(on, "settled", amount), on=on)
    until_then = Life(life.contract, tuple(e for e in life.events if e.on <= on), on)
    years_on = lived(until_then, Payoff(on, "settled"), on=on + timedelta(days=800))
    assert years_on.outstanding.total_minor == years_on.overdue.total_minor == 0
    # Under recalculation an ordinary payment stops interest by itself, perhaps at less.
    if amount > 1 and life.contract.terms.recalculation is Recalculation.NONE:
        short = lived(life, Payoff(on, "settled", amount - 1), on=on)
        assert short.outstanding.total_minor > 0


@PROFILE
@given(lives(), st.data())
def test_a_payment_split_in_two_on_its_day_gives_the_same_state(
    life: Life, data: st.DataObject
) -> None:
    receipts = [e for e in life.events if isinstance(e, Receipt) and e.amount_minor > 1]
    assume(receipts)
    whole = receipts[data.draw(DAYS) % len(receipts)]
    first = data.draw(NUMBERS) % (whole.amount_minor - 1) + 1
    parts = [
        replace(whole, amount_minor=first, key="first"),
        replace(whole, amount_minor=whole.amount_minor - first, key="second"),
    ]
    split = Life(
        life.contract,
        tuple(
            part
            for event in life.events
            for part in (parts if event is whole else [event])
        ),
        life.until_on,
    )  # fmt: skip
    one, two = lived(life), lived(split)
    assert replace(one, receipts={}) == replace(two, receipts={})
    if whole.on <= life.until_on:
        joined = [two.receipts["first"], two.receipts["second"]]
        for i in range(4):
            assert sum(r.amounts[i] for r in joined) == one.receipts[whole.key].amounts[i]


@PROFILE
@given(lives(), st.randoms(use_true_random=False))
def test_the_order_of_entry_does_not_matter(life: Life, random: object) -> None:
    events = list(life.events)
    random.shuffle(events)  # type: ignore[attr-defined]
    one, two = lived(life), lived(replace(life, events=tuple(events)))
    assert one == replace(two, receipts={key: two.receipts[key] for key in one.receipts})


@PROFILE
@given(lives(), st.data())
def test_leaving_an_event_out_restores_what_would_have_been(
    life: Life, data: st.DataObject
) -> None:
    before = lived(life)
    on = life.contract.start_on + timedelta(days=data.draw(DAYS))
    number = data.draw(NUMBERS)
    for extra in (
        Receipt(on, number, "extra"),
        Charge(on, number, "extra"),
        RateChange(on, number),
    ):
        replay_or_refuse(life, extra)
    assert lived(life) == before


def replay_or_refuse(life: Life, extra: object) -> None:
    try:
        replay(life.contract, (*life.events, extra), life.until_on)  # type: ignore[arg-type]
    except (HistoryImpossible, ScheduleImpossible):
        return


@PROFILE
@given(st.data())
def test_every_loan_that_is_paid_when_due_ends(data: st.DataObject) -> None:
    contract = data.draw(contracts())
    events: list[object] = list(data.draw(disbursements(contract)))
    end = last_day(contract)
    days = [contract.start_on, *(row.due_on for row in schedule(contract, events))]  # type: ignore[arg-type]
    for i, on in enumerate(sorted(set(days))):
        due = replay(contract, events, on).due.total_minor  # type: ignore[arg-type]
        if due:
            events.append(Receipt(on, due, f"r{i}"))
    state = replay(contract, events, end)  # type: ignore[arg-type]
    assert state.closed
    assert state.overpaid_minor == 0
    assert not any(row.late_minor for row in state.rows)


@PROFILE
@given(st.data())
def test_interest_is_earned_day_by_day_up_to_the_schedules(data: st.DataObject) -> None:
    contract = data.draw(contracts(recalculation=Recalculation.NONE))
    lent = data.draw(disbursements(contract))
    end = last_day(contract)
    span = (end - lent[-1].on).days
    days = sorted(place * span // 1_000 for place in data.draw(FEW_PLACES))
    earned = [
        replay(contract, lent, lent[-1].on + timedelta(days=day)).earned_interest_minor
        for day in [*days, span]
    ]
    assert earned == sorted(earned)
    assert earned[-1] == sum(row.interest_minor for row in schedule(contract, lent))
