"""Repayment schedules: terms and an amount in, dated rows out. Pure and exact.

Conventions. A month's due date keeps the day of the start; in a shorter month it is that month's
last day, and the next step counts from the start again. The factor of a period is the yearly rate
times the period's part of a year (see `DayCount`), with 12 significant digits, rounded half-even.
A row's interest is the balance times its factor, rounded half-even to the minor unit. The equal
instalment is

    balance × Π(1 + f_k) / F,   F_1 = 1, F_k = 1 + F_(k-1) × (1 + f_k),

rounded half-even to the product's multiple. The last row takes the difference, so that principal
always sums to the loan. Rows in which nothing would be due are left out at the end.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from scipy.optimize import brentq

from community.money import allocate
from community.products.errors import ScheduleImpossible
from community.products.terms import (
    Amortisation,
    DayCount,
    PeriodUnit,
    ProductTerms,
    RateMethod,
    SeasonCalendar,
)

# Factors carry 12 significant digits; amounts are rounded once, from products kept exactly. The
# ambient decimal context, which anybody may change, has no part in it.
FACTORS = Context(prec=12, rounding=ROUND_HALF_EVEN)
EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)

_MILLION = Decimal(1_000_000)
_NOMINAL_DAYS = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 30}
_HIGHEST_RATE = 1e9


@dataclass(frozen=True, slots=True)
class Row:
    """One due of a schedule."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


def schedule(
    terms: ProductTerms,
    principal_minor: int,
    instalments: int,
    start_on: date,
    season: SeasonCalendar | None = None,
) -> tuple[Row, ...]:
    """The rows of a loan paid out on `start_on`; their principal sums to the loan.

    `instalments` counts periods; a bullet loan has one row, after the last of them. A seasonal
    loan has one row per selling window, whatever `instalments` says, and nothing is due before.
    Raises ScheduleImpossible: no season for a seasonal loan, or its first selling day has come.
    """
    if principal_minor <= 0 or instalments <= 0:
        raise ScheduleImpossible("A schedule needs an amount and at least one instalment.")
    if terms.amortisation is Amortisation.SEASONAL:
        return _seasonal(terms, principal_minor, start_on, season)
    days = due_dates(terms, instalments, start_on)
    if terms.amortisation is Amortisation.BULLET:
        return (Row(1, days[-1], principal_minor, _simple(terms, principal_minor, days, start_on)),)
    if terms.rate_method is RateMethod.FLAT:
        return _flat(terms, principal_minor, days, start_on)
    return _declining(terms, principal_minor, days, start_on)


def due_dates(terms: ProductTerms, instalments: int, start_on: date) -> list[date]:
    """The due date of each period: whole steps from the start, short months on their last day."""
    steps = [terms.period_length * k for k in range(1, instalments + 1)]
    try:
        if terms.period_unit is PeriodUnit.MONTH:
            return [add_months(start_on, step) for step in steps]
        unit = _NOMINAL_DAYS[terms.period_unit]
        return [start_on + timedelta(days=unit * step) for step in steps]
    except (OverflowError, ValueError):
        raise ScheduleImpossible("The term runs out of the calendar.") from None


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or the last day of that month if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def period_factor(terms: ProductTerms, from_on: date, to_on: date) -> Decimal:
    """Interest per unit of principal over one period, 12 significant digits."""
    if terms.day_count is DayCount.THIRTY_360:
        days, year = _NOMINAL_DAYS[terms.period_unit] * terms.period_length, 360
    else:
        days, year = (to_on - from_on).days, 365
    return _factor(terms.yearly_rate_ppm, days, year)


def tranches(
    principal_minor: int, calendar: SeasonCalendar, start_on: date | None = None
) -> tuple[tuple[date, int], ...]:
    """When a seasonal loan is paid out, and how much each time; the amounts sum to the loan.

    Shares follow the weights, left-over units go one each to the largest weight, ties to the
    earlier day. Tranches that share nothing are left out. A calendar without tranches pays in one
    sum on the first day of sowing. With `start_on`, whatever should have gone out before that day
    goes out on it.
    """
    if principal_minor <= 0:
        raise ScheduleImpossible("A loan that is paid out has an amount.")
    if not calendar.tranches:
        planned = [(calendar.sow_from, principal_minor)]
    else:
        shares = allocate(principal_minor, [tranche.weight for tranche in calendar.tranches])
        planned = [(t.pay_on, share) for t, share in zip(calendar.tranches, shares, strict=True)]
    by_day: dict[date, int] = {}
    for day, amount in planned:
        paid_on = day if start_on is None else max(day, start_on)
        by_day[paid_on] = by_day.get(paid_on, 0) + amount
    return tuple((day, amount) for day, amount in sorted(by_day.items()) if amount)


def effective_yearly_rate(
    rows: Sequence[Row], principal_minor: int, start_on: date, fees: Sequence[int] = ()
) -> int:
    """The yearly rate by actual cash flows, in ppm: at it, what is paid is worth what was lent.

    The r of `principal = Σ paid_k / (1 + r) ^ (days_k / 365)`, to the nearest ppm. It compares
    products, whatever their method; it moves no money. `fees` are what each row asks for beside
    principal and interest. Raises ScheduleImpossible beyond reason.
    """
    flows = [
        ((row.due_on - start_on).days / 365, row.total_minor + fee)
        for row, fee in zip(rows, fees or [0] * len(rows), strict=True)
    ]
    if sum(paid for _, paid in flows) <= principal_minor:
        return 0

    def worth(rate: float) -> float:
        return float(sum(paid / (1 + rate) ** years for years, paid in flows) - principal_minor)

    high = 1.0
    while worth(high) > 0:
        high *= 10
        if high > _HIGHEST_RATE:
            raise ScheduleImpossible("The yearly rate of these cash flows is beyond reason.")
    return round(float(brentq(worth, 0.0, high, xtol=1e-12, rtol=1e-14)) * 1_000_000)


def _declining(
    terms: ProductTerms, principal_minor: int, days: Sequence[date], start_on: date
) -> tuple[Row, ...]:
    factors = [
        period_factor(terms, before, day)
        for before, day in zip([start_on, *days], days, strict=False)
    ]
    multiple = terms.instalment_multiple_minor
    equal_principal = terms.amortisation is Amortisation.EQUAL_PRINCIPAL
    target = (
        _to_multiple(Fraction(principal_minor, len(days)), multiple)
        if equal_principal
        else _equal_instalment(principal_minor, factors, multiple)
    )
    rows = []
    balance = principal_minor
    for number, (day, factor) in enumerate(zip(days, factors, strict=True), start=1):
        interest = _times(balance, factor)
        wanted = target if equal_principal else target - interest
        # A coarse multiple may ask for less than the interest, or for more than is left.
        principal = balance if number == len(days) else min(max(wanted, 0), balance)
        rows.append(Row(number, day, principal, interest))
        balance -= principal
    return _without_empty_tail(rows)


def _equal_instalment(balance: int, factors: Sequence[Decimal], multiple: int) -> int:
    growth, weight = Decimal(1), Decimal(0)
    for factor in factors:
        grown = FACTORS.add(Decimal(1), factor)
        growth = FACTORS.multiply(growth, grown)
        weight = FACTORS.add(Decimal(1), FACTORS.multiply(weight, grown))
    # One division, rounded once, by exact fractions.
    return _to_multiple(Fraction(balance) * Fraction(growth) / Fraction(weight), multiple)


def _flat(
    terms: ProductTerms, principal_minor: int, days: Sequence[date], start_on: date
) -> tuple[Row, ...]:
    count, multiple = len(days), terms.instalment_multiple_minor
    balance, interest_left = principal_minor, _simple(terms, principal_minor, days, start_on)
    interest_each = round(Fraction(interest_left, count))
    # The instalment as a whole is a multiple; its interest stays exact.
    instalment = _to_multiple(Fraction(principal_minor, count), multiple) + _to_multiple(
        Fraction(interest_each), multiple
    )
    rows = []
    for number, day in enumerate(days, start=1):
        last = number == count
        interest = interest_left if last else min(interest_each, interest_left)
        principal = balance if last else min(max(instalment - interest, 0), balance)
        rows.append(Row(number, day, principal, interest))
        balance -= principal
        interest_left -= interest
    return _without_empty_tail(rows)


def _seasonal(
    terms: ProductTerms, principal_minor: int, start_on: date, season: SeasonCalendar | None
) -> tuple[Row, ...]:
    if season is None:
        raise ScheduleImpossible("A seasonal schedule needs its season.", field="season")
    if start_on >= season.harvest_from:
        raise ScheduleImpossible(
            f"The harvest begins on {season.harvest_from}; money for sowing comes before.",
            field="season",
        )
    shares = allocate(principal_minor, [window.weight for window in season.selling])
    rows = []
    balance, before = principal_minor, start_on
    for number, (window, share) in enumerate(zip(season.selling, shares, strict=True), start=1):
        factor = _factor(terms.yearly_rate_ppm, (window.due_on - before).days, 365)
        rows.append(Row(number, window.due_on, share, _times(balance, factor)))
        balance -= share
        before = window.due_on
    return tuple(rows)


def _simple(terms: ProductTerms, principal_minor: int, days: Sequence[date], start_on: date) -> int:
    """Simple interest on the whole principal over the whole term, rounded once."""
    if terms.day_count is DayCount.THIRTY_360:
        nominal = _NOMINAL_DAYS[terms.period_unit] * terms.period_length * len(days)
        years = Fraction(nominal, 360)
    else:
        years = Fraction((days[-1] - start_on).days, 365)
    return round(principal_minor * Fraction(terms.yearly_rate_ppm, 1_000_000) * years)


def _factor(yearly_rate_ppm: int, days: int, year_days: int) -> Decimal:
    rate = EXACT.divide(Decimal(yearly_rate_ppm), _MILLION)
    return FACTORS.divide(EXACT.multiply(rate, Decimal(days)), Decimal(year_days))


def _times(balance_minor: int, factor: Decimal) -> int:
    # 60 digits hold every product of a 64-bit amount and a 12-digit factor exactly.
    product = EXACT.multiply(Decimal(balance_minor), factor)
    return int(product.to_integral_value(rounding=ROUND_HALF_EVEN, context=EXACT))


def _to_multiple(amount: Fraction, multiple: int) -> int:
    return round(amount / multiple) * multiple


def _without_empty_tail(rows: list[Row]) -> tuple[Row, ...]:
    while len(rows) > 1 and rows[-1].total_minor == 0:
        rows.pop()
    return tuple(rows)
