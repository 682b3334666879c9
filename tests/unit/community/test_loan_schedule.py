"""Schedules: exact, dated by stated conventions, and never due before the harvest."""

import decimal
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.communities.charter import LiabilityMode
from community.loans.schedule import (
    LoanTerms,
    Row,
    add_months,
    due_dates,
    read_loan_terms,
    schedule,
)
from community.products.costs import dearest_rate
from community.products.errors import ScheduleImpossible
from community.products.schedule import effective_yearly_rate
from community.products.terms import (
    Amortisation,
    Component,
    DayCount,
    PeriodUnit,
    ProductTerms,
    RateMethod,
    SeasonCalendar,
    SellingWindow,
)

MONTHLY = ProductTerms(
    currency="CNY",
    principal_minor_min=1,
    principal_minor_max=10**12,
    rate_method=RateMethod.DECLINING_BALANCE,
    amortisation=Amortisation.EQUAL_INSTALMENT,
    yearly_rate_ppm=120_000,
    day_count=DayCount.THIRTY_360,
    period_unit=PeriodUnit.MONTH,
    period_length=1,
    instalments_min=1,
    instalments_max=120,
    instalment_multiple_minor=1,
    allocation_order=(Component.INTEREST, Component.PRINCIPAL),
    cover_ratio_bps=10_000,
    liability_mode=LiabilityMode.SEVERAL,
)
SEASONAL = replace(
    MONTHLY, amortisation=Amortisation.SEASONAL, day_count=DayCount.ACTUAL_365, instalments_min=1
)
RICE = SeasonCalendar(
    crop="rice",
    sow_from=date(2027, 3, 20),
    sow_until=date(2027, 5, 10),
    harvest_from=date(2027, 9, 20),
    selling=(SellingWindow(date(2027, 10, 15), 60), SellingWindow(date(2027, 12, 1), 40)),
)
START = date(2027, 1, 15)


def amounts(rows: tuple[Row, ...]) -> list[tuple[int, int]]:
    return [(row.principal_minor, row.interest_minor) for row in rows]


@st.composite
def any_terms(draw: st.DrawFn) -> tuple[ProductTerms, int, int, date, SeasonCalendar | None]:
    amortisation = draw(st.sampled_from(Amortisation))
    seasonal = amortisation is Amortisation.SEASONAL
    methods = [m for m in RateMethod if not (seasonal and m is RateMethod.FLAT)]
    method = draw(st.sampled_from(methods))
    terms = replace(
        MONTHLY,
        amortisation=amortisation,
        rate_method=method,
        yearly_rate_ppm=0 if method is RateMethod.NONE else draw(st.integers(1, 1_000_000)),
        day_count=DayCount.ACTUAL_365 if seasonal else draw(st.sampled_from(DayCount)),
        period_unit=draw(st.sampled_from(PeriodUnit)),
        period_length=draw(st.integers(1, 6)),
        instalment_multiple_minor=draw(st.sampled_from([1, 5, 100, 10_000])),
    )
    principal = draw(st.integers(1, 10**11) | st.integers(1, 500))
    start = draw(st.dates(date(2020, 1, 1), date(2040, 12, 31)))
    season = draw(seasons(start)) if seasonal else None
    return terms, principal, draw(st.integers(1, 60)), start, season


@st.composite
def seasons(draw: st.DrawFn, start: date) -> SeasonCalendar:
    harvest = start + timedelta(days=draw(st.integers(1, 300)))
    offsets = draw(st.lists(st.integers(0, 300), min_size=1, max_size=6, unique=True))
    return SeasonCalendar(
        crop="millet",
        sow_from=start - timedelta(days=40),
        sow_until=min(start, harvest - timedelta(days=1)),
        harvest_from=harvest,
        selling=tuple(
            SellingWindow(harvest + timedelta(days=days), draw(st.integers(1, 1000)))
            for days in sorted(offsets)
        ),
    )


@given(any_terms())
@settings(max_examples=300, deadline=None)
def test_rows_sum_to_the_principal_and_nothing_is_negative(
    case: tuple[ProductTerms, int, int, date, SeasonCalendar | None],
) -> None:
    terms, principal, instalments, start, season = case
    rows = schedule(terms, principal, instalments, start, season)
    assert sum(row.principal_minor for row in rows) == principal
    assert all(row.principal_minor >= 0 and row.interest_minor >= 0 for row in rows)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    days = [row.due_on for row in rows]
    assert days == sorted(set(days))
    assert days[0] > start
    if terms.rate_method is RateMethod.NONE:
        assert all(row.interest_minor == 0 for row in rows)
    if season is not None:
        assert days[0] >= season.harvest_from


@given(any_terms())
@settings(max_examples=100, deadline=None)
def test_the_ambient_decimal_context_changes_nothing(
    case: tuple[ProductTerms, int, int, date, SeasonCalendar | None],
) -> None:
    terms, principal, instalments, start, season = case
    expected = schedule(terms, principal, instalments, start, season)
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)):
        assert schedule(terms, principal, instalments, start, season) == expected


@given(st.integers(100, 10**9), st.integers(1, 60), st.integers(1, 600_000))
@settings(max_examples=200, deadline=None)
def test_equal_instalments_follow_the_annuity_formula(
    principal: int, count: int, rate_ppm: int
) -> None:
    rows = schedule(replace(MONTHLY, yearly_rate_ppm=rate_ppm), principal, count, START)
    # The closed form by exact fractions: B r / (1 − (1 + r)^−n).
    rate = Fraction(rate_ppm, 12_000_000)
    exact = principal * rate / (1 - (1 + rate) ** -count)
    for row in rows[:-1]:
        # Half a minor unit of rounding, and what 12 digits of a factor can miss.
        assert abs(row.total_minor - exact) <= Fraction(1, 2) + exact / 10**10


@given(any_terms())
@settings(max_examples=100, deadline=None)
def test_each_rows_interest_is_on_what_was_still_out(
    case: tuple[ProductTerms, int, int, date, SeasonCalendar | None],
) -> None:
    terms, principal, instalments, start, season = case
    if terms.rate_method is RateMethod.FLAT or terms.amortisation is Amortisation.BULLET:
        return
    # Calendar years and mixed counts are worked out in test_arithmetic_properties.
    year_days = {"30/360": 360, "actual/360": 360, "actual/364": 364, "actual/365": 365}
    if terms.day_count not in year_days:
        return
    nominal = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 30}[terms.period_unit]
    balance, before = principal, start
    for row in schedule(terms, principal, instalments, start, season):
        if terms.day_count is DayCount.THIRTY_360:
            years = Fraction(nominal * terms.period_length, 360)
        else:
            years = Fraction((row.due_on - before).days, year_days[terms.day_count])
        exact = balance * Fraction(terms.yearly_rate_ppm, 1_000_000) * years
        assert abs(row.interest_minor - exact) <= Fraction(1, 2) + exact / 10**11
        balance -= row.principal_minor
        before = row.due_on


def test_a_loan_worked_by_hand() -> None:
    # 1,000.00 at 12 % over 3 months: 1 % a month; instalment 1000 × 0.01 / (1 − 1.01⁻³) = 340.02.
    rows = schedule(MONTHLY, 1_000_00, 3, START)
    assert amounts(rows) == [(330_02, 10_00), (333_32, 6_70), (336_66, 3_37)]
    assert [row.total_minor for row in rows] == [340_02, 340_02, 340_03]
    assert [row.due_on for row in rows] == [
        date(2027, 2, 15),
        date(2027, 3, 15),
        date(2027, 4, 15),
    ]


def test_calendar_days_of_365_are_counted_also_in_a_leap_year() -> None:
    terms = replace(
        MONTHLY, day_count=DayCount.ACTUAL_365, amortisation=Amortisation.EQUAL_PRINCIPAL
    )
    rows = schedule(terms, 3_650_00, 2, date(2028, 1, 31))
    # 31 January to 29 February: 29 days of 1.20 a day; then 31 days on half of it.
    assert [(row.due_on, row.principal_minor, row.interest_minor) for row in rows] == [
        (date(2028, 2, 29), 1_825_00, 34_80),
        (date(2028, 3, 31), 1_825_00, 18_60),
    ]


def test_a_month_without_the_day_takes_its_last_one_and_the_next_starts_again() -> None:
    assert due_dates(MONTHLY, 4, date(2027, 1, 31)) == [
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2027, 5, 31),
    ]
    assert add_months(date(2027, 11, 30), 3) == date(2028, 2, 29)


def test_half_a_minor_unit_goes_to_the_even_neighbour() -> None:
    # 0.50 and 1.50 minor units of interest: down to 0, up to 2.
    terms = replace(MONTHLY, amortisation=Amortisation.BULLET, yearly_rate_ppm=120_000)
    assert schedule(terms, 50, 1, START)[0].interest_minor == 0
    assert schedule(terms, 150, 1, START)[0].interest_minor == 2
    annuity = replace(MONTHLY, yearly_rate_ppm=120_000)
    assert schedule(annuity, 50, 1, START)[0].interest_minor == 0
    assert schedule(annuity, 150, 1, START)[0].interest_minor == 2


def test_instalments_are_multiples_and_the_last_takes_the_rest() -> None:
    rows = schedule(replace(MONTHLY, instalment_multiple_minor=100), 1_000_00, 3, START)
    assert [row.total_minor for row in rows] == [340_00, 340_00, 340_07]


def test_flat_interest_is_on_the_whole_principal_over_the_whole_term() -> None:
    rows = schedule(replace(MONTHLY, rate_method=RateMethod.FLAT), 1_000_00, 3, START)
    # 1000 × 12 % × 3/12 = 30.00.
    assert amounts(rows) == [(333_33, 10_00), (333_33, 10_00), (333_34, 10_00)]


def test_equal_principal_falls_in_interest_only() -> None:
    terms = replace(MONTHLY, amortisation=Amortisation.EQUAL_PRINCIPAL)
    assert amounts(schedule(terms, 1_000_00, 3, START)) == [
        (333_33, 10_00),
        (333_33, 6_67),
        (333_34, 3_33),
    ]


def test_a_bullet_is_one_sum_at_the_end_with_simple_interest() -> None:
    terms = replace(MONTHLY, amortisation=Amortisation.BULLET)
    assert schedule(terms, 1_000_00, 6, START) == (Row(1, date(2027, 7, 15), 1_000_00, 60_00),)


def test_a_seasonal_loan_is_repaid_when_the_crop_is_sold() -> None:
    rows = schedule(SEASONAL, 5_000_00, 2, date(2027, 3, 25), RICE)
    # 25 March to 15 October is 204 days on 5,000; 15 October to 1 December is 47 days on 2,000.
    assert [(row.due_on, row.principal_minor, row.interest_minor) for row in rows] == [
        (date(2027, 10, 15), 3_000_00, 335_34),
        (date(2027, 12, 1), 2_000_00, 30_90),
    ]


def test_a_seasonal_loan_needs_its_season_and_money_before_the_harvest() -> None:
    with pytest.raises(ScheduleImpossible):
        schedule(SEASONAL, 5_000_00, 2, date(2027, 3, 25))
    with pytest.raises(ScheduleImpossible):
        schedule(SEASONAL, 5_000_00, 2, RICE.harvest_from, RICE)


@pytest.mark.parametrize("principal, count", [(0, 3), (-1, 3), (100, 0)])
def test_there_is_no_schedule_of_nothing(principal: int, count: int) -> None:
    with pytest.raises(ScheduleImpossible):
        schedule(MONTHLY, principal, count, START)


def test_the_effective_rate_of_a_year_is_known() -> None:
    # 1,000 back as 1,100 after exactly 365 days.
    assert effective_yearly_rate(
        [Row(1, date(2028, 1, 15), 1_000_00, 100_00)], 1_000_00, START
    ) == (100_000)
    # Half a year twice: (1 + r)² = 1.05² for flows 182.5 days apart is 10.25 % a year.
    rows = [Row(1, START + timedelta(days=73), 1_000_00, 20_00)]
    assert effective_yearly_rate(rows, 1_000_00, START) == round((1.02**5 - 1) * 1_000_000)


def test_a_loan_without_interest_has_no_effective_rate() -> None:
    terms = replace(MONTHLY, rate_method=RateMethod.NONE, yearly_rate_ppm=0)
    assert effective_yearly_rate(schedule(terms, 1_000_00, 7, START), 1_000_00, START) == 0


@given(any_terms())
@settings(max_examples=100, deadline=None)
def test_at_the_effective_rate_the_payments_are_worth_the_loan(
    case: tuple[ProductTerms, int, int, date, SeasonCalendar | None],
) -> None:
    terms, principal, instalments, start, season = case
    rows = schedule(terms, principal, instalments, start, season)
    if sum(row.interest_minor for row in rows) > principal:
        return  # years of compound interest leave a float too few digits to say more
    rate = effective_yearly_rate(rows, principal, start) / 1_000_000

    def worth(at: float) -> float:
        return sum(r.total_minor / (1 + at) ** ((r.due_on - start).days / 365) for r in rows)

    assert worth(rate + 2e-6) <= principal * (1 + 1e-9)
    assert worth(max(rate - 2e-6, 0)) >= principal * (1 - 1e-9)


def test_flat_interest_costs_nearly_twice_what_it_says() -> None:
    flat = replace(MONTHLY, rate_method=RateMethod.FLAT)
    rate = effective_yearly_rate(schedule(flat, 1_000_00, 12, START), 1_000_00, START)
    assert 230_000 < rate < 250_000


def test_a_products_dearest_rate_is_that_of_its_shortest_or_longest_loan() -> None:
    terms = replace(MONTHLY, rate_method=RateMethod.FLAT, principal_minor_max=1_000_00)
    terms = replace(terms, instalments_min=1, instalments_max=12)
    short, long = (
        effective_yearly_rate(schedule(terms, 1_000_00, n, START), 1_000_00, START) for n in (1, 12)
    )
    assert dearest_rate(terms, START) == max(short, long) == long
    assert dearest_rate(SEASONAL, START) == SEASONAL.yearly_rate_ppm


def test_frozen_terms_come_back_as_they_were() -> None:
    for terms in (LoanTerms(MONTHLY, 12), LoanTerms(SEASONAL, 2, RICE)):
        assert read_loan_terms(terms.to_document()) == terms
