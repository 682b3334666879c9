"""Days past due, with a grace and pauses, and the bucket that they fall into. Pure.

The conventions are a peer's: a pause takes its days off every due, also off those that fell due
after it began; a due by itself has no grace; buckets are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from community.arithmetic.state import State


@dataclass(frozen=True, slots=True)
class Bucket:
    """Days from `days_from` to `days_until` (None: without end), both included."""

    name: str
    days_from: int
    days_until: int | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Days on which nothing gets older: from `start_on` until the day before `end_on`."""

    start_on: date
    end_on: date


@dataclass(frozen=True, slots=True)
class Delinquency:
    """How late a loan is. `by_bucket` sorts its unpaid dues, each by its own days."""

    past_due_days: int
    delinquent_from_on: date | None
    delinquent_days: int
    overdue_minor: int
    bucket: str | None
    by_bucket: tuple[tuple[str, int], ...]


def paused_days(pauses: Sequence[Pause], on: date) -> int:
    """The days that pauses have taken off up to a day."""
    return sum(max((min(pause.end_on, on) - pause.start_on).days, 0) for pause in pauses)


def bucket_of(days: int, buckets: Sequence[Bucket]) -> str | None:
    """The bucket of so many days, if any."""
    for bucket in buckets:
        if bucket.days_from <= days and (bucket.days_until is None or days <= bucket.days_until):
            return bucket.name
    return None


def delinquency(
    state: State, *, grace_days: int, pauses: Sequence[Pause], buckets: Sequence[Bucket]
) -> Delinquency:
    """How late a loan is on the day of its state."""
    paused = paused_days(pauses, state.on)
    by_bucket = dict.fromkeys((bucket.name for bucket in buckets), 0)
    for row in state.rows:
        if row.due_on < state.on and row.unpaid_minor:
            name = bucket_of((state.on - row.due_on).days - paused, buckets)
            if name is not None:
                by_bucket[name] += row.unpaid_minor
    since = state.overdue_since_on
    start = since + timedelta(days=grace_days) if since is not None else None
    days = max((state.on - start).days - paused, 0) if start is not None else 0
    return Delinquency(
        past_due_days=state.days_overdue,
        delinquent_from_on=start,
        delinquent_days=days,
        overdue_minor=state.overdue.total_minor,
        bucket=bucket_of(days, buckets),
        by_bucket=tuple((name, money) for name, money in by_bucket.items() if money),
    )
