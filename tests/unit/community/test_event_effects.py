"""What a declared event does to the dues of one loan: by hand, and whatever the dues are."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from community.products.terms import DayCount, PeriodUnit
from community.seasons.effects import (
    DuesChange,
    Effect,
    FreezeDues,
    InterestRule,
    LoanRate,
    MoveDues,
    PlanRow,
    SplitDues,
    Unpaid,
    change_dues,
    change_plan,
    deferral_days,
    pay_rows,
    read_effect,
    read_rows,
    touches,
    years_between,
)
from community.seasons.errors import EventInvalid

STANDS, RUNS, WAIVED = InterestRule.STANDS, InterestRule.RUNS, InterestRule.WAIVED
# 10 % a year, so that a year's interest on 1,000.00 is 100.00 and 73 days' is 20.00.
TEN = LoanRate(100_000, DayCount.ACTUAL_365)
OCTOBER, DECEMBER = date(2027, 10, 15), date(2027, 12, 1)
DUES = (Unpaid(OCTOBER, 600_00, 36_00), Unpaid(DECEMBER, 400_00, 10_00))


def change(effect: Effect, first: date = OCTOBER, last: date = DECEMBER) -> DuesChange:
    return DuesChange(effect, first, last)


def test_moved_dues_keep_their_amounts_when_interest_stands() -> None:
    moved = change_dues(DUES, change(MoveDues(73, STANDS)), TEN)
    assert moved == (
        Unpaid(date(2027, 12, 27), 600_00, 36_00),
        Unpaid(date(2028, 2, 12), 400_00, 10_00),
    )


def test_moved_dues_cost_the_longer_time_when_interest_runs() -> None:
    # 73 days are a fifth of a year: 12.00 on 600.00, 8.00 on 400.00.
    moved = change_dues(DUES, change(MoveDues(73, RUNS)), TEN)
    assert [due.interest_minor for due in moved] == [48_00, 18_00]
    assert [due.principal_minor for due in moved] == [600_00, 400_00]


def test_waived_interest_is_that_of_the_windows_own_days() -> None:
    # The window begins 73 days before the first due: 12.00 of its 36.00 are for these days. The
    # second is due 120 days after the window begins: 13.15 on 400.00, but it has only 10.00.
    first = OCTOBER - timedelta(days=73)
    frozen = change(FreezeDues(date(2028, 3, 1), WAIVED), first)
    changed = change_dues(DUES, frozen, TEN)
    assert changed == (
        Unpaid(date(2028, 3, 1), 600_00, 24_00),
        Unpaid(date(2028, 3, 1), 400_00, 0),
    )


def test_what_a_due_does_not_have_is_not_taken_from_the_next() -> None:
    first = OCTOBER - timedelta(days=73)
    dues = [Unpaid(OCTOBER, 600_00, 2_00), Unpaid(OCTOBER, 100_00, 9_00)]
    changed = change_dues(dues, change(FreezeDues(date(2028, 3, 1), WAIVED), first), TEN)
    # 12.00 of the first would be given up, it has 2.00; of the second it is 2.00 of its 9.00.
    assert [due.interest_minor for due in changed] == [0, 7_00]


def test_a_due_is_split_into_parts_by_months() -> None:
    split = SplitDues(3, PeriodUnit.MONTH, 1, STANDS)
    changed = change_dues([Unpaid(date(2027, 10, 31), 100, 11)], change(split), TEN)
    # The parts of 100 are 34, 33, 33; those of 11 are 4, 4, 3. November has no 31st.
    assert changed == (
        Unpaid(date(2027, 10, 31), 34, 4),
        Unpaid(date(2027, 11, 30), 33, 4),
        Unpaid(date(2027, 12, 31), 33, 3),
    )


def test_what_lies_outside_of_the_window_is_left_alone() -> None:
    only_december = change(MoveDues(10, RUNS), date(2027, 10, 16))
    changed = change_dues(DUES, only_december, TEN)
    assert changed[0] == DUES[0]
    assert changed[1].due_on == date(2027, 12, 11)
    # Fallen due the day before the window: late it was, and late it stays.
    assert not touches([PlanRow(OCTOBER, 600_00, 36_00)], only_december)


def test_what_was_paid_stays_on_its_day() -> None:
    row = PlanRow(OCTOBER, 600_00, 36_00, 100_00, 36_00)
    changed = change_plan([row, PlanRow(DECEMBER, 400_00, 10_00)], change(MoveDues(73, RUNS)), TEN)
    assert changed == (
        PlanRow(OCTOBER, 100_00, 36_00, 100_00, 36_00),
        # Only what is still out costs the longer time: a fifth of 10 % on 500.00.
        PlanRow(date(2027, 12, 27), 500_00, 10_00),
        PlanRow(date(2028, 2, 12), 400_00, 18_00),
    )


def test_a_third_of_a_cent_is_not_lost_three_times() -> None:
    # 1 % on 33.33 for a year is a third of a unit each: together one, given to one due only.
    rate = LoanRate(10_000, DayCount.ACTUAL_365)
    dues = [Unpaid(date(2027, 10, day), 33, 0) for day in (1, 2, 3)]
    changed = change_dues(dues, change(MoveDues(365, RUNS), date(2027, 10, 1)), rate)
    assert [due.interest_minor for due in changed] == [0, 1, 0]


def test_years_by_both_counts() -> None:
    first, last = date(2027, 1, 31), date(2027, 3, 31)
    assert years_between(first, last, DayCount.THIRTY_360) == Fraction(60, 360)
    assert years_between(first, last, DayCount.ACTUAL_365) == Fraction(59, 365)


def test_payments_go_to_the_earlier_due_each_for_itself() -> None:
    plan = (PlanRow(OCTOBER, 600, 36), PlanRow(DECEMBER, 400, 10))
    assert pay_rows(plan, 700, 40) == (
        PlanRow(OCTOBER, 600, 36, 600, 36),
        PlanRow(DECEMBER, 400, 10, 100, 4),
    )
    assert pay_rows(plan, 0, 47) is None


def test_the_longest_deferral_is_known_before_any_loan_is_seen() -> None:
    assert change(MoveDues(9, STANDS)).deferral_days_max == 9
    frozen = change(FreezeDues(date(2028, 1, 1), STANDS), OCTOBER, DECEMBER)
    assert frozen.deferral_days_max == (date(2028, 1, 1) - OCTOBER).days
    split = change(SplitDues(4, PeriodUnit.MONTH, 1, STANDS), date(2027, 2, 1), date(2027, 12, 31))
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


days = st.dates(date(2026, 1, 1), date(2029, 12, 31))
rules = st.sampled_from(InterestRule)
effects: st.SearchStrategy[Effect] = st.one_of(
    st.builds(MoveDues, days=st.integers(1, 700), interest=rules),
    st.builds(
        SplitDues,
        parts=st.integers(2, 12),
        step_unit=st.sampled_from(PeriodUnit),
        step_length=st.integers(1, 9),
        interest=rules,
    ),
    st.builds(FreezeDues, until=st.dates(date(2030, 1, 1), date(2031, 1, 1)), interest=rules),
)
rates = st.builds(LoanRate, st.integers(0, 400_000), st.sampled_from(DayCount))
amounts = st.integers(0, 10**12)
unpaid_dues = st.lists(st.builds(Unpaid, days, amounts, amounts), max_size=12)


@st.composite
def plan_rows(draw: st.DrawFn) -> PlanRow:
    principal, interest = draw(amounts), draw(amounts)
    return PlanRow(
        draw(days),
        principal,
        interest,
        draw(st.integers(0, principal)),
        draw(st.integers(0, interest)),
    )


@st.composite
def changes(draw: st.DrawFn) -> DuesChange:
    first, last = sorted([draw(days), draw(days)])
    return DuesChange(draw(effects), first, last)


@given(dues=unpaid_dues, made=changes(), rate=rates)
def test_principal_is_neither_made_nor_lost(
    dues: list[Unpaid], made: DuesChange, rate: LoanRate
) -> None:
    changed = change_dues(dues, made, rate)
    assert sum(d.principal_minor for d in changed) == sum(d.principal_minor for d in dues)
    assert min((min(d.principal_minor, d.interest_minor) for d in changed), default=0) >= 0
    assert [d.due_on for d in changed] == sorted(d.due_on for d in changed)
    untouched = [d for d in dues if not made.reaches(d.due_on)]
    assert all(due in changed for due in untouched)


@given(dues=unpaid_dues, made=changes(), rate=rates)
def test_interest_is_what_the_rule_says_to_the_unit(
    dues: list[Unpaid], made: DuesChange, rate: LoanRate
) -> None:
    before = sum(d.interest_minor for d in dues)
    after = sum(d.interest_minor for d in change_dues(dues, made, rate))
    touched = [d for d in dues if made.reaches(d.due_on)]
    if made.effect.interest is STANDS:
        assert after == before
    elif made.effect.interest is RUNS:
        # Worked out a second way: all parts on their days, one exact sum, rounded once.
        free = DuesChange(_standing(made.effect), made.dues_from, made.dues_until)
        longer = Fraction(0)
        for due in touched:
            for part in change_dues([due], free, rate):
                longer += rate.interest(part.principal_minor, due.due_on, part.due_on)
        assert after - before == round(longer)
    else:
        # Each due gives up at most its own: what one does not have is not taken from another.
        most = sum(
            (
                min(
                    rate.interest(d.principal_minor, made.dues_from, d.due_on),
                    Fraction(d.interest_minor),
                )
                for d in touched
            ),
            Fraction(0),
        )
        assert 0 <= before - after <= round(most)


@given(rows=st.lists(plan_rows(), max_size=10), made=changes(), rate=rates)
def test_what_was_paid_is_paid_still(rows: list[PlanRow], made: DuesChange, rate: LoanRate) -> None:
    changed = change_plan(rows, made, rate)
    for name in ("principal_minor", "paid_principal_minor", "paid_interest_minor"):
        assert sum(getattr(r, name) for r in changed) == sum(getattr(r, name) for r in rows)
    assert all(row.paid_principal_minor <= row.principal_minor for row in changed)
    assert all(row.paid_interest_minor <= row.interest_minor for row in changed)
    if not touches(rows, made):
        assert sorted(map(repr, changed)) == sorted(map(repr, rows))
    assert read_rows([row.to_document() for row in changed]) == changed


@given(rows=st.lists(plan_rows(), max_size=6), made=changes())
def test_no_due_is_put_off_for_longer_than_was_said(rows: list[PlanRow], made: DuesChange) -> None:
    assert deferral_days(rows, made) <= made.deferral_days_max


@given(rows=st.lists(plan_rows(), min_size=1, max_size=8), data=st.data())
def test_what_is_paid_on_a_plan_adds_up(rows: list[PlanRow], data: st.DataObject) -> None:
    room = [sum(r.unpaid.principal_minor for r in rows), sum(r.unpaid.interest_minor for r in rows)]
    principal, interest = (data.draw(st.integers(0, most)) for most in room)
    paid = pay_rows(rows, principal, interest)
    assert paid is not None
    more = [
        sum(getattr(r, n) for r in paid) - sum(getattr(r, n) for r in rows)
        for n in ("paid_principal_minor", "paid_interest_minor")
    ]
    assert more == [principal, interest]
    assume(principal)
    assert pay_rows(rows, room[0] + 1, 0) is None


@given(made=effects)
def test_an_effect_is_stored_and_read_back(made: Effect) -> None:
    assert read_effect(made.to_document()) == made


def _standing(effect: Effect) -> Effect:
    return read_effect(effect.to_document() | {"interest": "stands"})
