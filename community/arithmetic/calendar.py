"""Days: steps of a schedule, and the parts of a year between two days."""

from calendar import isleap, monthrange
from datetime import date, timedelta
from fractions import Fraction

from community.arithmetic.errors import ScheduleImpossible
from community.arithmetic.terms import DayCount, MonthEnd, PeriodUnit

ONE_DAY = timedelta(days=1)
_NOMINAL_DAYS = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 30}
_PER_YEAR = {PeriodUnit.DAY: 365, PeriodUnit.WEEK: 52, PeriodUnit.MONTH: 12}
_YEAR_DAYS = {
    DayCount.THIRTY_360: 360,
    DayCount.THIRTY_364: 364,
    DayCount.THIRTY_365: 365,
    DayCount.ACTUAL_360: 360,
    DayCount.ACTUAL_364: 364,
    DayCount.ACTUAL_365: 365,
}
_THIRTY = frozenset(
    (DayCount.THIRTY_360, DayCount.THIRTY_364, DayCount.THIRTY_365, DayCount.THIRTY_ACTUAL)
)


def add_months(day: date, months: int, month_end: MonthEnd = MonthEnd.CLAMP) -> date:
    """The same day of a later month; if that month is shorter, what `month_end` says."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    number = day.day
    if number > 28 and number > (last := monthrange(year, month)[1]):
        if month_end is MonthEnd.CLAMP:
            return date(year, month, last)
        return date(year, month, last) + ONE_DAY
    return date(year, month, number)


def step(day: date, unit: PeriodUnit, count: int, month_end: MonthEnd = MonthEnd.CLAMP) -> date:
    """The day `count` units later. Raises ScheduleImpossible beyond the calendar."""
    try:
        if unit is PeriodUnit.MONTH:
            return add_months(day, count, month_end)
        return day + timedelta(days=_NOMINAL_DAYS[unit] * count)
    except (OverflowError, ValueError):
        raise ScheduleImpossible("The term runs out of the calendar.") from None


def nominal_years(day_count: DayCount, unit: PeriodUnit, length: int) -> Fraction:
    """A period's part of a year with months of 30 days, whatever the calendar says."""
    if day_count is DayCount.PERIOD:
        return Fraction(length, _PER_YEAR[unit])
    return Fraction(_NOMINAL_DAYS[unit] * length, _YEAR_DAYS.get(day_count, 365))


def period_years(
    day_count: DayCount, unit: PeriodUnit, length: int, from_on: date, to_on: date
) -> Fraction:
    """The part of a year that the period of `length` units between two days is."""
    if day_count is DayCount.PERIOD:
        return Fraction(length, _PER_YEAR[unit])
    if day_count in _THIRTY:
        nominal = _NOMINAL_DAYS[unit] * length
        if day_count is DayCount.THIRTY_ACTUAL:
            # Its nominal days, spread over the years in which its real days lie.
            return nominal * _actual_years(from_on, to_on) / (to_on - from_on).days
        return Fraction(nominal, _YEAR_DAYS[day_count])
    return span_years(day_count, from_on, to_on)


def span_years(day_count: DayCount, from_on: date, to_on: date) -> Fraction:
    """The part of a year between any two days, when no period says how long it is."""
    year = _YEAR_DAYS.get(day_count)
    if day_count in _THIRTY:
        days = thirty_day_days(from_on, to_on)
        if year is None:
            return days * _actual_years(from_on, to_on) / (to_on - from_on).days
        return Fraction(days, year)
    if day_count is DayCount.ACTUAL_ACTUAL:
        return _actual_years(from_on, to_on)
    return Fraction((to_on - from_on).days, year or 365)


def thirty_day_days(from_on: date, to_on: date) -> int:
    """Days between two days with months of 30: the 31st counts as the 30th."""
    months = (to_on.year - from_on.year) * 12 + to_on.month - from_on.month
    return 30 * months + min(to_on.day, 30) - min(from_on.day, 30)


def year_length(day: date) -> int:
    return 366 if isleap(day.year) else 365


def _actual_years(from_on: date, to_on: date) -> Fraction:
    # Split at 31 December: the day that ends on 1 January belongs to the new year.
    years = Fraction(0)
    while to_on.year > from_on.year:
        last = date(from_on.year, 12, 31)
        years += Fraction((last - from_on).days, year_length(from_on))
        if last.year == date.max.year:
            return years
        following = date(from_on.year + 1, 12, 31)
        end = min(to_on, following)
        years += Fraction((end - last).days, year_length(following))
        from_on = end
        if from_on == to_on:
            return years
    return years + Fraction((to_on - from_on).days, year_length(from_on))
