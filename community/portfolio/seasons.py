"""How many seasons of its crop a late seasonal loan has stayed unpaid. Pure."""

from collections.abc import Iterable
from datetime import date

from community.products.terms import SeasonCalendar

_YEAR_DAYS = 365


def seasons_missed(calendars: Iterable[SeasonCalendar], since_on: date, on: date) -> int:
    """Seasons that were sown on the first unpaid day or after it, and sold to the end before `on`.

    `calendars` are the seasons of the loan's crop. A community that has not entered its seasons
    gets no longer grace for it: every full year counts as one.
    """
    ended = sum(
        calendar.sow_from >= since_on and calendar.selling[-1].due_on < on for calendar in calendars
    )
    return max(ended, (on - since_on).days // _YEAR_DAYS)
