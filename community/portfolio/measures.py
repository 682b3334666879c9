"""Small values that reports are made of: shares of a whole, months. Pure."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from community.money import round_half_even
from community.portfolio.errors import BadMonth

# Before it there are no dates in the books; it also keeps the month before within the calendar.
_FIRST_YEAR = 1900


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the loans: how many, how much, and that amount as a share of the whole's."""

    loans: int
    amount_minor: int
    share_bps: int


def part(loans: int, amount_minor: int, whole_minor: int) -> Part:
    """A part of a whole; of nothing it is no share."""
    return Part(loans, amount_minor, share_bps(amount_minor, whole_minor))


def share_bps(amount_minor: int, whole_minor: int) -> int:
    """An amount in ten-thousandths of a whole, halves to the even neighbour; of nothing, 0."""
    return round_half_even(Fraction(10_000 * amount_minor, whole_minor)) if whole_minor else 0


def month_name(day: date) -> str:
    """The month of a day: '2027-03'."""
    return day.isoformat()[:7]


def month_end(month: str) -> date:
    """The last day of '2027-03'. Raises BadMonth."""
    year, number = _read(month)
    return date(year, number, monthrange(year, number)[1])


def end_of_month_before(day: date) -> date:
    """The last day of the month before that of a day."""
    return day.replace(day=1) - timedelta(days=1)


def months_between(first: str, last: str) -> int:
    """How many months one month lies after another."""
    (year, number), (later_year, later_number) = _read(first), _read(last)
    return 12 * (later_year - year) + later_number - number


def months_back(day: date, months: int) -> date:
    """The first day of the month so many months before that of a day."""
    number = 12 * day.year + day.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)


def _read(month: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise BadMonth("A month is written as 2027-03.", field="month") from None
    if day.year < _FIRST_YEAR:
        raise BadMonth("Nothing is known of that time.", field="month")
    return day.year, day.month
