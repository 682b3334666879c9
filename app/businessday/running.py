"""Driving business days: every portion is a unit of work, until nothing is left.

The same function serves the command, the schedule and tests. Several processes, on as many hosts
as there are, may run it at once: each community's day is worked on by one of them.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now
from app.transaction import run_unit
from community.businessday.errors import DayTakenOver, DayUnderWay
from community.businessday.queries import DayReport, report_of
from community.businessday.service import Done, Turn, Worker, let_go, take_turn, work_on
from community.communities.models import Community

# One portion holds a community's book, so payments there wait for it: about half a second.
PORTION = 20_000
# How long a worker may be silent before another takes over. A portion takes seconds.
LEASE = timedelta(minutes=5)

Note = Callable[[Turn, Done], None]


@dataclass
class Outcome:
    """What a process did: the runs it worked on, and what it left to others."""

    on: date
    communities: int
    run_ids: set[int] = field(default_factory=set)
    # Community's reference → who works on it.
    held: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    step_seconds: dict[str, float] = field(default_factory=dict)
    report: DayReport = field(default_factory=lambda: DayReport(0, {}))


def close_days(
    session: Session,
    *,
    communities: Sequence[int],
    on: date,
    keep_open: bool = False,
    limit: int = PORTION,
    worker: Worker | None = None,
    note: Note = lambda turn, done: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Take communities through their business days up to `on`; those of others are passed over.

    When `stopping` says so, the portion under way is finished and the day left to whoever comes
    next. Raises what `take_turn` raises, but for DayUnderWay.
    """
    me = worker or new_worker()
    outcome = Outcome(on, len(communities))
    started = time.perf_counter()
    for community_id in communities:
        if stopping():
            break
        try:
            _close_community(session, community_id, me, outcome, keep_open, limit, note, stopping)
        except (DayUnderWay, DayTakenOver) as refusal:
            reference = session.scalars(
                select(Community.reference).where(Community.id == community_id)
            ).one()
            outcome.held[reference] = refusal.detail
    outcome.seconds = time.perf_counter() - started
    outcome.report = report_of(session, outcome.run_ids)
    session.rollback()
    return outcome


def new_worker(lease: timedelta = LEASE) -> Worker:
    """This process as a worker, under a name that no other has."""
    name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    return Worker(name, lease, is_gone)


def is_gone(name: str) -> bool:
    """Whether a worker was a process of this host that is no longer there.

    Of other hosts nothing is known: their leases have to run out.
    """
    host, pid, _ = name.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    # Our own number under another name: we were started anew, and inherited it.
    return int(pid) == os.getpid() or not _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _close_community(
    session: Session,
    community_id: int,
    me: Worker,
    outcome: Outcome,
    keep_open: bool,
    limit: int,
    note: Note,
    stopping: Callable[[], bool],
) -> None:
    while not stopping():
        turn = run_unit(
            session, take_turn, community_id=community_id, on=outcome.on, worker=me, now=now()
        )
        if turn is None:
            return
        outcome.run_ids.add(turn.run_id)
        finished = False
        while not finished:
            if stopping():
                run_unit(session, let_go, turn=turn, worker=me, now=now())
                return
            started = time.perf_counter()
            unit = run_unit(
                session,
                work_on,
                turn=turn,
                worker=me,
                now=now(),
                limit=limit,
                keep_open=keep_open,
            )
            finished = unit.is_finished
            rest = time.perf_counter() - started
            for done in unit.portions:
                rest -= done.seconds
                # Writing down and committing count for the step with which the unit ended.
                seconds = done.seconds + (rest if done is unit.portions[-1] else 0.0)
                outcome.step_seconds[done.step] = outcome.step_seconds.get(done.step, 0.0) + seconds
                note(turn, done)
        if turn.on == outcome.on:
            return
