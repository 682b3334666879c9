"""What a declared event does to the dues of one loan: by hand, and whatever the loan is."""

from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from community.arithmetic.errors import HistoryImpossible, ScheduleImpossible
from community.arithmetic.events import (
    Accelerate,
    Disbursement,
    Event,
    FrozenInterest,
    Payoff,
    Receipt,
    ShareCharge,
)
from community.arithmetic.replay import replay
from community.arithmetic.state import Amounts
from community.arithmetic.terms import (
    Amortisation,
    Contract,
    DayCount,
    PeriodUnit,
    RateMethod,
    SeasonDue,
    Terms,
)
from community.seasons.effects import (
    DuesChange,
    Effect,
    FreezeDues,
    MoveDues,
    PlanRow,
    SplitDues,
    deferral_days,
    read_effect,
    read_rows,
    touches,
)
from community.seasons.errors import EventInvalid
from community.seasons.plans import as_happening
from tests.unit.community.arithmetic_space import PROFILE, Life, lives

RUNS, WAIVED = FrozenInterest.RUNS, FrozenInterest.WAIVED
# 10 % a year on 1,000.00: 20.00 in 73 days, a fifth of a year. October is 219 days after the money
# went out (60.00), December 47 days later (400.00: 5.15).
LENT_ON = date(2027, 3, 10)
OCTOBER, DECEMBER = date(2027, 10, 15), date(2027, 12, 1)
TERMS: dict[str, Any] = {
    "rate_method": RateMethod.DECLINING_BALANCE,
    "amortisation": Amortisation.SEASONAL,
    "yearly_rate_ppm": 100_000,
    "day_count": DayCount.ACTUAL_365,
}
LENT = Disbursement(LENT_ON, 1_000_00)
FLOOD = date(2027, 10, 1)


def change(effect: Effect, first: date = FLOOD, last: date = DECEMBER) -> DuesChange:
    return DuesChange(effect, first, last)


def plan(*events: Event, on: date = FLOOD, **terms: Any) -> list[tuple[Any, ...]]:
    """Day, principal and interest of a loan's dues."""
    return [
        (row.due_on, row.due.principal_minor, row.due.interest_minor)
        for row in replay(contract_of(**terms), [LENT, *events], on).rows
    ]


def contract_of(**terms: Any) -> Contract:
    dues = (SeasonDue(OCTOBER, 60), SeasonDue(DECEMBER, 40))
    return Contract(Terms(**TERMS | terms), 2, LENT_ON, season=dues)


def flooded(effect: Effect, *events: Event, **facts: Any) -> list[tuple[Any, ...]]:
    window = {name: facts.pop(name) for name in ("first", "last") if name in facts}
    on = facts.get("on", FLOOD)
    return plan(*events, as_happening(change(effect, **window), on), **facts)


def test_the_plan_without_an_event() -> None:
    assert plan() == [(OCTOBER, 600_00, 60_00), (DECEMBER, 400_00, 5_15)]


def test_moved_dues_cost_the_longer_time_when_interest_runs() -> None:
    # 73 days more on 1,000.00: 20.00.
    assert flooded(MoveDues(73, RUNS)) == [
        (date(2027, 12, 27), 600_00, 80_00),
        (date(2028, 2, 12), 400_00, 5_15),
    ]


def test_waived_interest_begins_with_the_window_and_ends_with_the_last_new_day() -> None:
    # 205 days to 1 October: 56.16. Then nothing until 12 February, on which all is due.
    assert flooded(MoveDues(73, WAIVED)) == [
        (date(2027, 12, 27), 600_00, 56_16),
        (date(2028, 2, 12), 400_00, 0),
    ]
    # An event that is applied later waives nothing of the days before.
    late = OCTOBER + timedelta(days=5)
    assert flooded(MoveDues(73, WAIVED), on=late)[0] == (date(2027, 12, 27), 600_00, 61_37)


def test_a_due_is_split_into_parts_by_months() -> None:
    # 800.00 for 31 days, 600.00 for 16; the last part of October bears 5 days more on 600.00 less
    # December's 200.00.
    split = SplitDues(3, PeriodUnit.MONTH, 1, RUNS)
    assert flooded(split) == [
        (OCTOBER, 200_00, 60_00),
        (date(2027, 11, 15), 200_00, 6_79),
        (DECEMBER, 133_34, 2_63),
        (date(2027, 12, 15), 200_00, 1_79),
        (date(2028, 1, 1), 133_33, 1_24),
        (date(2028, 2, 1), 133_33, 1_13),
    ]


def test_time_stands_still_for_all_that_follows() -> None:
    # The window names October only; December comes 62 days later too.
    frozen = FreezeDues(date(2027, 12, 16), WAIVED)
    assert flooded(frozen, last=OCTOBER) == [
        (date(2027, 12, 16), 600_00, 56_16),
        (date(2028, 2, 1), 400_00, 5_15),
    ]


def test_what_lies_outside_of_the_window_is_left_alone() -> None:
    moved = flooded(MoveDues(10, RUNS), first=date(2027, 10, 16))
    # 400.00 for 57 days.
    assert moved == [(OCTOBER, 600_00, 60_00), (date(2027, 12, 11), 400_00, 6_25)]
    # Fallen due the day before the window: late it was, and late it stays.
    row = PlanRow(OCTOBER, Amounts(600_00, 60_00), Amounts())
    assert not touches([row], change(MoveDues(10, RUNS), date(2027, 10, 16)))


def test_what_was_paid_of_a_due_bears_no_interest_for_the_longer_time() -> None:
    # 60.00 interest and 500.00 of October are paid: 500.00 of 1,000.00 are put off, 10.00.
    paid = Receipt(FLOOD - timedelta(days=1), 560_00, "early")
    assert flooded(MoveDues(73, RUNS), paid) == [
        (date(2027, 12, 27), 600_00, 70_00),
        (date(2028, 2, 12), 400_00, 5_15),
    ]


def test_paid_interest_is_not_asked_for_again_by_a_due_that_now_comes_before() -> None:
    paid = Receipt(FLOOD - timedelta(days=1), 560_00, "early")
    # October alone is put off, by 73 days, past December: that asks for 47 days on the 500.00 that
    # are out; 60.00 were paid for the days before. Then 100.00 are out for 26 days.
    once = flooded(MoveDues(73, RUNS), paid, last=OCTOBER)
    assert once == [(DECEMBER, 400_00, 6_44), (date(2027, 12, 27), 600_00, 60_71)]
    # Both are put off, 10.00 interest and 50.00 principal more are paid of October's, and it is
    # put off once more, past the other: 450.00 for 47 days, then 50.00 for 26.
    more = Receipt(FLOOD + timedelta(days=1), 60_00, "more")
    first = as_happening(change(MoveDues(73, RUNS)), FLOOD)
    second = as_happening(change(MoveDues(73, RUNS), last=date(2028, 1, 1)), DECEMBER)
    assert plan(paid, more, first, second, on=DECEMBER) == [
        (date(2028, 2, 12), 400_00, 5_79),
        (date(2028, 3, 9), 600_00, 70_36),
    ]


def test_flat_interest_is_agreed_and_neither_runs_nor_is_waived() -> None:
    before = plan(rate_method=RateMethod.FLAT)
    for interest in FrozenInterest:
        after = flooded(MoveDues(73, interest), rate_method=RateMethod.FLAT)
        assert [row[1:] for row in after] == [row[1:] for row in before]


def test_the_longest_deferral_is_known_before_any_loan_is_seen() -> None:
    assert change(MoveDues(9, RUNS)).deferral_days_max == 9
    frozen = change(FreezeDues(date(2028, 1, 1), RUNS), OCTOBER, DECEMBER)
    assert frozen.deferral_days_max == (date(2028, 1, 1) - OCTOBER).days
    split = change(SplitDues(4, PeriodUnit.MONTH, 1, RUNS), date(2027, 2, 1), date(2027, 12, 31))
    # From May to August or June to September: 92 days; three months are never longer.
    assert split.deferral_days_max == 92


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"kind": "move", "days": 10},
        {"kind": "move", "days": 0, "interest": "runs"},
        {"kind": "move", "days": 1.5, "interest": "runs"},
        {"kind": "move", "days": True, "interest": "runs"},
        {"kind": "move", "days": 10, "interest": "doubles"},
        {"kind": "move", "days": 10, "interest": "runs", "until": "2028-01-01"},
        {"kind": "split", "parts": 1, "step_unit": "month", "step_length": 1, "interest": "runs"},
        {"kind": "split", "parts": 2, "step_unit": "year", "step_length": 1, "interest": "runs"},
        {"kind": "split", "parts": 60, "step_unit": "month", "step_length": 9, "interest": "runs"},
        {"kind": "freeze", "until": "soon", "interest": "runs"},
        {"kind": "freeze", "until": None, "interest": "runs"},
        {"kind": "forgive", "interest": "runs"},
    ],
)
def test_an_effect_that_cannot_be_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(EventInvalid):
        read_effect(document)


interests = st.sampled_from(FrozenInterest)
effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(MoveDues, days=st.integers(1, 700), interest=interests),
    st.builds(
        SplitDues,
        parts=st.integers(2, 12),
        step_unit=st.sampled_from(PeriodUnit),
        step_length=st.integers(1, 9),
        interest=interests,
    ),
    st.builds(FreezeDues, until=st.dates(date(2040, 1, 1), date(2041, 1, 1)), interest=interests),
)
days = st.dates(date(2026, 1, 1), date(2029, 12, 31))
amounts = st.builds(Amounts, *[st.integers(0, 10**12)] * 4)


@st.composite
def plan_rows(draw: st.DrawFn) -> PlanRow:
    due = draw(amounts)
    return PlanRow(draw(days), due, Amounts(*(draw(st.integers(0, most)) for most in due)))


@st.composite
def changes(draw: st.DrawFn) -> DuesChange:
    first, last = sorted([draw(days), draw(days)])
    return DuesChange(draw(effects), first, last)


@PROFILE
@given(life=lives(), effect=effects, data=st.data())
def test_what_is_owed_and_paid_of_principal_and_charges_stays(
    life: Life, effect: Effect, data: st.DataObject
) -> None:
    """Whatever the terms and whatever happened: an event moves days and interest, no more."""
    assume(not any(isinstance(event, (Payoff, Accelerate, ShareCharge)) for event in life.events))
    on = life.until_on
    # Money of the day comes after the event.
    assume(not any(isinstance(event, Receipt) and event.on == on for event in life.events))
    first = on + timedelta(days=data.draw(st.integers(-60, 60)))
    made = DuesChange(effect, first, first + timedelta(days=data.draw(st.integers(0, 400))))
    try:
        before = replay(life.contract, life.events, on)
        after = replay(life.contract, [*life.events, as_happening(made, on)], on)
    except (HistoryImpossible, ScheduleImpossible):
        assume(False)
        return
    for name in ("principal_minor", "fee_minor"):
        was, now = ([getattr(row.due, name) for row in one.rows] for one in (before, after))
        assert sum(now) == sum(was)
    assert {key: money.amounts for key, money in after.receipts.items()} == {
        key: money.amounts for key, money in before.receipts.items()
    }
    assert all(min(row.due) >= 0 and min(row.unpaid) >= 0 for row in after.rows)


@PROFILE
@given(
    paid=st.integers(1, 1_000_00),
    paid_on=st.dates(LENT_ON, date(2027, 12, 31)),
    first=st.dates(LENT_ON, date(2028, 1, 31)),
    span=st.integers(0, 300),
    later=st.lists(st.integers(1, 400), min_size=1, max_size=3),
)
def test_interest_is_that_of_each_part_up_to_its_own_day(
    paid: int, paid_on: date, first: date, span: int, later: list[int]
) -> None:
    """A second way: every part of a due, paid before or put off, for the days that it was out."""
    events: list[Event] = [Receipt(paid_on, paid, "r")]
    on = paid_on + timedelta(days=1)
    exact = Fraction(0)
    parts = [[due_on, principal, 0] for due_on, principal, _ in plan()]
    contract = contract_of()
    for count in later:
        seen = replay(contract, [LENT, *events], on).rows
        moved = MoveDues(count, RUNS)
        made = change(moved, first, first + timedelta(days=span))
        for row in seen:
            if row.unpaid_minor and made.reaches(row.due_on):
                part = next(p for p in parts if p[:2] == [row.due_on, row.due.principal_minor])
                exact += (row.paid.principal_minor - part[2]) * _years(row.due_on)
                part[0], part[2] = row.due_on + timedelta(days=count), row.paid.principal_minor
        events.append(as_happening(made, on))
        on += timedelta(days=1)
    exact += sum((principal - gone) * _years(due_on) for due_on, principal, gone in parts)
    rows = replay(contract, [LENT, *events], on).rows
    assert abs(sum(row.due.interest_minor for row in rows) - exact / 10) <= 2 * len(later)


@given(rows=st.lists(plan_rows(), max_size=6), made=changes())
def test_no_due_is_put_off_for_longer_than_was_said(rows: list[PlanRow], made: DuesChange) -> None:
    assert deferral_days(rows, made) <= made.deferral_days_max


@given(rows=st.lists(plan_rows(), max_size=6), made=effects)
def test_effects_and_plans_are_stored_and_read_back(rows: list[PlanRow], made: Effect) -> None:
    assert read_effect(made.to_document()) == made
    assert read_rows([row.to_document() for row in rows]) == tuple(rows)


def _years(until_on: date) -> Fraction:
    return Fraction((until_on - LENT_ON).days, 365)
