"""Which loans a made-up cooperative gives, and what becomes of each. Pure and seeded.

A story fixes the days so that on the last day of the play a call is still open, has just moved
further out, or is long forgotten. Numbers are for 320 households and scale with them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from app.demo.seasons import CropYear
from community.products.schedule import add_months

# The play begins so many days before its last one: long enough for a loan to be made, to fail,
# and to be written off a year after it was called.
DAYS_PLAYED = 640
# Lending begins when groups and promises are there.
LENDING_AFTER = 110


class Ending(StrEnum):
    """What becomes of a loan."""

    CLOSED = "closed"
    CURRENT = "current"
    LATE = "late"
    CALLED = "called"  # guarantors are asked, nobody answered yet
    PROMISED = "promised"  # one of them named a day
    DISPUTED = "disputed"  # one of them objects
    PART_PAID = "part_paid"  # one of them paid a part by hand
    FURTHER_OUT = "further_out"  # deadlines passed: those behind the guarantors are asked
    RECOVERED = "recovered"  # guarantors paid, later the borrower paid them back
    WRITTEN_OFF = "written_off"
    APPLIED = "applied"
    ENDORSED = "endorsed"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"


FAILING = frozenset(
    {
        Ending.CALLED,
        Ending.PROMISED,
        Ending.DISPUTED,
        Ending.PART_PAID,
        Ending.FURTHER_OUT,
        Ending.RECOVERED,
        Ending.WRITTEN_OFF,
    }
)
UNDECIDED = frozenset({Ending.APPLIED, Ending.ENDORSED, Ending.WITHDRAWN, Ending.REJECTED})


@dataclass(frozen=True, slots=True)
class Story:
    """A loan to come: `day` is when it is paid out or, if it never is, applied for.

    `unpaid_from` is the first instalment that the borrower leaves unpaid (1, 2, …).
    """

    ending: Ending
    place: str
    day: date
    months: int = 0
    season: str | None = None
    unpaid_from: int | None = None


# How many of each for 320 households; at least one of each whatever the number.
VILLAGE_LOANS: dict[Ending, int] = {
    Ending.CLOSED: 26,
    Ending.CURRENT: 34,
    Ending.LATE: 8,
    Ending.CALLED: 3,
    Ending.PROMISED: 2,
    Ending.DISPUTED: 2,
    Ending.PART_PAID: 2,
    Ending.FURTHER_OUT: 4,
    Ending.RECOVERED: 4,
    Ending.WRITTEN_OFF: 3,
    Ending.APPLIED: 6,
    Ending.ENDORSED: 5,
    Ending.APPROVED: 4,
    Ending.WITHDRAWN: 2,
    Ending.REJECTED: 3,
}
TRADE_LOANS = {Ending.CLOSED: 3, Ending.CURRENT: 4, Ending.LATE: 1}
CIRCLE_LOANS = {Ending.CLOSED: 5, Ending.CURRENT: 4, Ending.WRITTEN_OFF: 1}
SEASONAL_LOANS_PER_CROP = 6


def scaled(number: int, households: int) -> int:
    """A number for 320 households, for another count of them; at least one."""
    return max(1, round(number * households / 320))


def make_stories(
    draw: random.Random,
    *,
    households: int,
    villages: Sequence[str],
    trade: str,
    circle: str,
    seasons: Sequence[CropYear],
    last: date,
) -> list[Story]:
    """All loans of the play, those that fail first: they choose their borrowers first."""
    stories = []
    for ending, number in VILLAGE_LOANS.items():
        for place in _spread(draw, villages, scaled(number, households)):
            stories.append(_story(draw, ending, place, last))
    for place, loans in ((trade, TRADE_LOANS), (circle, CIRCLE_LOANS)):
        for ending, number in loans.items():
            for _ in range(scaled(number, households)):
                stories.append(_story(draw, ending, place, last))
    lending_from = last - timedelta(days=DAYS_PLAYED - LENDING_AFTER)
    for season in seasons:
        first = max(season.sow_from - timedelta(days=8), lending_from)
        until = min(season.sow_until, last - timedelta(days=2))
        if first >= until:
            continue
        for place in _spread(draw, villages, scaled(SEASONAL_LOANS_PER_CROP, households)):
            day = first + timedelta(days=draw.randint(0, (until - first).days))
            stories.append(Story(Ending.CURRENT, place, day, season=season.code))
    return sorted(stories, key=lambda story: (story.day, story.ending not in FAILING))


def _spread(draw: random.Random, places: Sequence[str], number: int) -> list[str]:
    """Places in turn, beginning anywhere."""
    start = draw.randrange(len(places))
    return [places[(start + turn) % len(places)] for turn in range(number)]


def _story(draw: random.Random, ending: Ending, place: str, last: date) -> Story:
    def ago(least: int, most: int) -> date:
        return last - timedelta(days=draw.randint(least, most))

    if ending in UNDECIDED:
        return Story(ending, place, ago(4, 12), draw.choice((6, 10, 12)))
    if ending is Ending.APPROVED:
        return Story(ending, place, ago(2, 5), draw.choice((6, 12)))
    if ending is Ending.CLOSED:
        months = draw.choice((3, 3, 3, 4, 6))
        return Story(ending, place, ago(31 * months + 20, DAYS_PLAYED - LENDING_AFTER), months)
    if ending is Ending.CURRENT:
        return Story(ending, place, ago(8, 110), draw.choice((6, 8, 10, 12)))
    # When the first unpaid instalment was due. Months of different length may move it by three
    # days; the days' work of `app.demo.seed` comes at the times that these numbers need.
    unpaid_on = {
        Ending.LATE: lambda: ago(7, 22),
        Ending.CALLED: lambda: ago(36, 39),
        Ending.PROMISED: lambda: ago(36, 39),
        Ending.DISPUTED: lambda: ago(36, 39),
        Ending.PART_PAID: lambda: ago(36, 39),
        Ending.FURTHER_OUT: lambda: ago(57, 58),
        Ending.RECOVERED: lambda: ago(200, 300),
        Ending.WRITTEN_OFF: lambda: ago(440, 448),
    }[ending]()
    paid = draw.randint(0, 1) if ending is Ending.WRITTEN_OFF else draw.randint(1, 4)
    day = add_months(unpaid_on, -(paid + 1))
    return Story(ending, place, day, max(6, paid + 4), unpaid_from=paid + 1)
