"""Refusals of the portfolio room."""

from community.errors import Invalid


class DayToCome(Invalid):
    """Portfolio figures are of today or of a day before."""

    code = "day-to-come"
    title = "The day has not come yet"


class BadMonth(Invalid):
    """A month is written as 2027-03, and roll rates are of one that has ended."""

    code = "bad-month"
    title = "Not a month that has ended"
