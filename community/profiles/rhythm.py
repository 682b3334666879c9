"""How regularly somebody saves, and how late they pay: counting over days. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from statistics import median


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Months with something in them, of how many; days between one and the next."""

    count: int
    months: int
    months_with: int
    gap_days_median: int | None
    gap_days_longest: int | None  # up to the last day looked at
    last_on: date | None


def months_between(first: date, last: date) -> int:
    """Calendar months that a span touches."""
    return (last.year - first.year) * 12 + last.month - first.month + 1


def rhythm_of(days: Iterable[date], first: date, last: date) -> Rhythm:
    """The rhythm of what happened on these days, within a span that begins and ends with it."""
    within = sorted(day for day in days if first <= day <= last)
    gaps = [(after - before).days for before, after in pairwise(sorted(set(within)))]
    open_gap = [(last - within[-1]).days] if within else []
    return Rhythm(
        count=len(within),
        months=months_between(first, last),
        months_with=len({(day.year, day.month) for day in within}),
        gap_days_median=round(median(gaps)) if gaps else None,
        gap_days_longest=max(gaps + open_gap, default=None),
        last_on=within[-1] if within else None,
    )


@dataclass(frozen=True, slots=True)
class Paid:
    """One due of a loan: so much of it was paid by the borrower, all of it on a day or not yet."""

    due_on: date
    due_minor: int
    own_minor: int
    own_on: date | None

    def days_late(self, on: date) -> int:
        """Up to the day it was paid, or up to `on`."""
        return max(((self.own_on or on) - self.due_on).days, 0)


def meet(
    dues: Sequence[tuple[date, int]], receipts: Sequence[tuple[date, int]], on: date
) -> list[Paid]:
    """The borrower's own money, in the order it came, on the oldest dues; dues up to a day."""
    days = [day for day, _ in receipts if day <= on]
    money = [minor for day, minor in receipts if day <= on]
    found = []
    at = 0
    for due_on, due in dues:
        if due_on > on or not due:
            continue
        left, last = due, None
        while left and at < len(money):
            part = min(left, money[at])
            left -= part
            money[at] -= part
            last = days[at]
            at += not money[at]
        found.append(Paid(due_on, due, due - left, None if left else last))
    return found


@dataclass(frozen=True, slots=True)
class Band:
    """Dues that were late by so many days: from, and up to (None: without end)."""

    from_days: int
    to_days: int | None
    dues: int
    minor: int


def late_bands(paid: Iterable[Paid], bounds: Sequence[int], on: date) -> list[Band]:
    """Dues by how late they were paid, or are: on time, then up to each bound, then beyond."""
    edges = [0, *bounds]
    counts = [[0, 0] for _ in range(len(edges) + 1)]
    for due in paid:
        days = due.days_late(on)
        place = sum(days > edge for edge in edges)
        counts[place][0] += 1
        counts[place][1] += due.due_minor
    starts = [0, *(edge + 1 for edge in edges)]
    ends: list[int | None] = [*edges, None]
    return [
        Band(start, end, count, minor)
        for start, end, (count, minor) in zip(starts, ends, counts, strict=True)
    ]
