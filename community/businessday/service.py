"""Working through business days: whose turn it is, portion by portion, to the end.

A day is worked by units of work that each commit portions together with the place reached, so a
process may be killed at any moment and another go on. One process works on a community's day at a
time: it holds a lease, and every unit renews it or fails, so a process that was taken for dead
and is not cannot write any more.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from community.businessday.errors import DayPassed, DayTakenOver, DayUnderWay
from community.businessday.models import DayRun, DayState, DayStep
from community.businessday.steps import CLOSE, STEPS, Portion, Task
from community.communities import queries as communities
from community.ledger.models import Book
from community.locks import holds_locks
from community.portfolio.queries import has_portfolio

_DAY = timedelta(days=1)
_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works on days: its name, and how long it may be silent."""

    name: str
    lease: timedelta
    # Whether a worker of this name is known to be dead, so that its lease need not be waited for.
    is_gone: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Turn:
    """A day that a worker holds the lease of."""

    run_id: int
    community_id: int
    on: date


@dataclass(frozen=True, slots=True)
class Done:
    """One portion of a day: of which step, what came of it, how long it took."""

    step: str
    counts: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Unit:
    """What one unit of work did, portion by portion, and whether the day is finished with it."""

    portions: tuple[Done, ...]
    is_finished: bool


def take_turn(
    session: Session, *, community_id: int, on: date, worker: Worker, now: datetime
) -> Turn | None:
    """The next day of a community that is to be worked on so that `on` is done; None: it is done.

    Days follow one another: one that was begun is finished first, and every day between the last
    one and `on` has a run of its own. A community's first day is `on`. A day kept open is worked
    through anew. Raises DayUnderWay, DayPassed.
    """
    last = session.scalar(
        select(DayRun)
        .where(DayRun.community_id == community_id)
        .order_by(DayRun.on.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if last is not None and last.state is DayState.WORKING:
        return None if last.on > on else _take_over(session, last, worker, now)
    if last is not None and last.on >= on:
        return _again(session, last, on, worker, now)
    closed_through = session.scalar(
        select(Book.closed_through).where(Book.community_id == community_id)
    )
    day = on if last is None else last.on + _DAY
    if closed_through is not None:
        day = max(day, closed_through + _DAY)
    if day > on:
        raise DayPassed(
            f"The books are closed through {closed_through} already.", on=on.isoformat()
        )
    run = DayRun(
        community_id=community_id,
        on=day,
        state=DayState.WORKING,
        lease_owner=worker.name,
        lease_until=now + worker.lease,
        started_at=now,
    )
    session.add(run)
    session.flush()  # another one that began at the same moment is found out here
    return Turn(run.id, community_id, run.on)


def work_on(
    session: Session,
    *,
    turn: Turn,
    worker: Worker,
    now: datetime,
    limit: int,
    keep_open: bool = False,
) -> Unit:
    """Do the next portions of a day, each at most `limit` rows of a step; finish it after the last.

    The unit goes on from step to step until one has more to do, or takes locks behind which the
    next could not take its own: where nothing is to do, a day is very few commits. `keep_open`
    leaves the books open to further postings of the day. Raises DayTakenOver when the lease is
    another's now.
    """
    _renew(session, turn, worker, now)
    # Held, so that what the steps ask of it again and again is in the session.
    community = communities.get_community_by_id(session, turn.community_id)
    has_loans = has_portfolio(session, community.id)
    steps = [step for step in STEPS if not (keep_open and step.name == CLOSE)]
    rows = {
        row.name: row
        for row in session.scalars(
            select(DayStep)
            .where(DayStep.run_id == turn.run_id)
            .execution_options(populate_existing=True)
        )
    }
    done: list[Done] = []
    reached: list[DayStep] = []
    is_finished = False
    for step in steps:
        row = rows.get(step.name)
        if row is None:
            row = DayStep(run_id=turn.run_id, name=step.name, is_done=False, after_id=0, counts={})
        elif row.is_done:
            continue
        if holds_locks(session) and not step.locks_book_only:
            break
        started = time.perf_counter()
        portion = Portion()
        if has_loans or not step.is_for_loans:
            portion = step.work(session, Task(community.id, turn.on, now, row.after_id, limit))
        row.counts = add_counts(row.counts, portion.counts)
        row.is_done = portion.last_id is None
        row.after_id = portion.last_id or row.after_id
        reached.append(row)
        done.append(Done(step.name, portion.counts, time.perf_counter() - started))
        if not row.is_done:
            break
    else:
        is_finished = True
        session.execute(
            update(DayRun)
            .where(DayRun.id == turn.run_id)
            .values(
                state=DayState.WORKED if keep_open else DayState.CLOSED,
                lease_owner=None,
                lease_until=None,
                finished_at=now,
            )
        )
    session.add_all(reached)  # at the end, so that they are written at once
    return Unit(tuple(done), is_finished)


def let_go(session: Session, *, turn: Turn, worker: Worker, now: datetime) -> None:
    """End a lease before its time, so that another goes on at once. Raises DayTakenOver."""
    _renew(session, turn, replace(worker, lease=-_MOMENT), now)


def add_counts(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """The sums of two sets of counts."""
    return counts | {name: counts.get(name, 0) + count for name, count in more.items()}


def _take_over(session: Session, run: DayRun, worker: Worker, now: datetime) -> Turn:
    owner, until = run.lease_owner, run.lease_until
    assert owner is not None
    assert until is not None
    if owner != worker.name and until > now and not worker.is_gone(owner):
        raise DayUnderWay(
            f"The day {run.on} is being worked on by {owner}, whose lease runs until "
            f"{until:%Y-%m-%d %H:%M:%S} UTC.",
            on=run.on.isoformat(),
            worker=owner,
            until=until.isoformat(),
        )
    # Of two who find the same dead worker one is first; the other finds the row changed.
    taken = session.execute(
        update(DayRun)
        .where(DayRun.id == run.id, DayRun.lease_owner == owner, DayRun.lease_until == until)
        .values(lease_owner=worker.name, lease_until=now + worker.lease)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:  # type: ignore[attr-defined]
        raise DayUnderWay(f"The day {run.on} was taken by another process.", on=run.on.isoformat())
    return Turn(run.id, run.community_id, run.on)


def _again(session: Session, last: DayRun, on: date, worker: Worker, now: datetime) -> Turn | None:
    if last.on > on:
        known = session.scalar(
            select(func.count())
            .select_from(DayRun)
            .where(DayRun.community_id == last.community_id, DayRun.on == on)
        )
        if not known:
            raise DayPassed(
                f"The day {on} was never worked through, and {last.on} has been.",
                on=on.isoformat(),
            )
        return None
    if last.state is DayState.CLOSED:
        return None
    session.execute(delete(DayStep).where(DayStep.run_id == last.id))
    last.state, last.finished_at = DayState.WORKING, None
    last.lease_owner, last.lease_until = worker.name, now + worker.lease
    session.flush()
    return Turn(last.id, last.community_id, last.on)


def _renew(session: Session, turn: Turn, worker: Worker, now: datetime) -> None:
    renewed = session.execute(
        update(DayRun)
        .where(
            DayRun.id == turn.run_id,
            DayRun.state == DayState.WORKING,
            DayRun.lease_owner == worker.name,
        )
        .values(lease_until=now + worker.lease)
        .execution_options(synchronize_session=False)
    )
    if renewed.rowcount != 1:  # type: ignore[attr-defined]
        raise DayTakenOver(f"The day {turn.on} is another process's now.", on=turn.on.isoformat())
