"""Retention once a day: a run of its own for each day, in portions, under a lease.

A run freezes the rules that it began with, so that what was taken away can be told from them. One
that was stopped is finished first, by whoever comes next: the rows themselves tell what is left.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.personal.errors import RetentionTakenOver
from community.personal.models import RetentionRun
from community.personal.retention import Rule, take_portion


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that works on a run: its name, and how long it may be silent."""

    name: str
    lease: timedelta
    # Whether a process of this name is known to be dead, so that its lease need not be waited for.
    is_gone: Callable[[str], bool]


def take_run(
    session: Session, *, on: date, rules: Sequence[Rule], holder: Holder, now: datetime
) -> int | None:
    """The run to work on: one that was not finished, else that of `on`; None: there is none to do.

    None too while another process holds it, or was first.
    """
    last = session.scalar(
        runs().order_by(RetentionRun.on.desc()).limit(1).execution_options(populate_existing=True)
    )
    if last is not None and last.finished_at is None:
        return _take_over(session, last, holder, now)
    if last is not None and last.on >= on:
        return None
    dialect = session.get_bind().dialect.name
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return session.scalar(
        make(RetentionRun)
        .values(
            on=on,
            rules={rule.kind: {"days": rule.days, "source": rule.source} for rule in rules},
            counts={},
            kinds_done=[],
            lease_owner=holder.name,
            lease_until=now + holder.lease,
            started_at=now,
        )
        .on_conflict_do_nothing()
        .returning(RetentionRun.id)
    )


def work_on(session: Session, *, run_id: int, holder: Holder, now: datetime, limit: int) -> bool:
    """Take the next portion away, at most `limit` rows of one kind; whether the run is finished.

    Raises RetentionTakenOver when the lease is another's now.
    """
    _renew(session, run_id, holder, now + holder.lease)
    run = session.get_one(RetentionRun, run_id, populate_existing=True)
    for kind, given in run.rules.items():
        if kind in run.kinds_done:
            continue
        rule = Rule(kind, given["days"], given["source"])
        count = take_portion(session, rule, now=now, on=run.on, limit=limit)
        run.counts = run.counts | {kind: run.counts.get(kind, 0) + count}
        if count == limit:
            return False
        run.kinds_done = [*run.kinds_done, kind]
    run.finished_at, run.lease_owner, run.lease_until = now, None, None
    record_event(
        session,
        community_id=None,
        kind="retention.run",
        subject=f"retention {run.on.isoformat()}",
        actor_id=None,
        now=now,
        facts={
            "days": {kind: given["days"] for kind, given in run.rules.items()},
            "taken_away": run.counts,
        },
    )
    return True


def let_go(session: Session, *, run_id: int, holder: Holder, now: datetime) -> None:
    """End a lease before its time, so that another goes on at once. Raises RetentionTakenOver."""
    _renew(session, run_id, holder, now - timedelta(seconds=1))


def runs() -> Select[RetentionRun]:
    """All runs; page by RetentionRun.id."""
    return select(RetentionRun)


def _take_over(session: Session, run: RetentionRun, holder: Holder, now: datetime) -> int | None:
    owner, until = run.lease_owner, run.lease_until
    assert owner is not None
    assert until is not None
    if owner != holder.name and until > now and not holder.is_gone(owner):
        return None
    # Of two who find the same dead process one is first; the other finds the row changed.
    return session.scalar(
        update(RetentionRun)
        .where(
            RetentionRun.id == run.id,
            RetentionRun.lease_owner == owner,
            RetentionRun.lease_until == until,
        )
        .values(lease_owner=holder.name, lease_until=now + holder.lease)
        .returning(RetentionRun.id)
        .execution_options(synchronize_session=False)
    )


def _renew(session: Session, run_id: int, holder: Holder, until: datetime) -> None:
    renewed = session.scalar(
        update(RetentionRun)
        .where(RetentionRun.id == run_id, RetentionRun.lease_owner == holder.name)
        .values(lease_until=until)
        .returning(RetentionRun.id)
        .execution_options(synchronize_session=False)
    )
    if renewed is None:
        raise RetentionTakenOver()
