"""Acts that meet: real threads and real commits, and afterwards the same acts one after another.

Units of work that keep to their locks end as if they had come one by one, in the order in which
they held all that they needed. `race` notes that order; `replayed` lives through it again, alone,
from a copy of the database as it was before; both have to say the same of every act, and leave the
same books.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import REGISTRY
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.engine import make_engine, session_factory
from community.errors import CommunityError
from community.guarantees import service as guarantees
from community.guarantees.failure import advance_loan
from community.ledger.models import Account, JournalEntry, Posting
from community.loans.accrual import accrue
from community.loans.models import Loan, Repayment
from community.models import metadata
from community.servicing import service as servicing
from community.verification import verify
from tests.databases import database_copy
from tests.hamlet import Hamlet, yuan

DONE = "done"
DEADLOCK = "40P01"


class Act(NamedTuple):
    """Something that somebody does; `work` is a unit of work."""

    name: str
    work: Callable[[Session], Any]


class Outcome(NamedTuple):
    """What an act was answered, and its place in the order in which all of them took hold."""

    place: int
    act: Act
    code: str
    detail: str = ""

    @property
    def said(self) -> tuple[str, str, str]:
        return self.act.name, self.code, self.detail


@contextmanager
def copied(engine: Engine, folder: Path) -> Iterator[Engine]:
    """Another database with the same rows, the same numbers too."""
    engine.dispose()  # a database is copied while nobody is connected to it
    with database_copy(engine.url.render_as_string(hide_password=False), folder) as url:
        alone = make_engine(url, durable=False)
        try:
            yield alone
        finally:
            alone.dispose()


def race(engine: Engine, threads: Sequence[Sequence[Act]]) -> list[Outcome]:
    """Every thread's acts, all threads at once; the outcomes in the order that counts.

    Nobody may wait for each other in a circle: that would be a wrong order of locks, which luck
    and further tries hide.
    """
    deadlocks = _deadlocks()
    gate = threading.Barrier(len(threads))
    places = itertools.count()
    outcomes: list[Outcome] = []
    faults: list[BaseException] = []

    def run(acts: Sequence[Act]) -> None:
        gate.wait(60)
        try:
            for act in acts:
                with session_factory(engine)() as session:
                    outcomes.append(_do(session, act, places))
        except BaseException as fault:  # noqa: BLE001  told below, in the test's own thread
            faults.append(fault)

    runners = [threading.Thread(target=run, args=(acts,)) for acts in threads]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(120)
        assert not runner.is_alive()
    if faults:
        raise faults[0]
    assert _deadlocks() == deadlocks
    return sorted(outcomes, key=lambda outcome: outcome.place)


def replayed(engine: Engine, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The same acts one after another, in the order in which they took hold."""
    places = itertools.count()
    with session_factory(engine)() as session:
        return [_do(session, outcome.act, places) for outcome in outcomes]


def assert_as_in_turn(engine: Engine, alone: Engine, outcomes: Sequence[Outcome]) -> None:
    """What the acts said and what they left is what they say and leave one after another.

    `alone` is a copy of the database from before the race.
    """
    told = [outcome.said for outcome in outcomes]
    assert told == [outcome.said for outcome in replayed(alone, outcomes)], told
    left = books_of(engine)
    for name, rows in books_of(alone).items():
        assert left[name] == rows, (name, told)
    for one in (engine, alone):
        with session_factory(one)() as session:
            assert verify(session).breaches == (), told


# Acts of a hamlet


def pay(hamlet: Hamlet, loan: Loan, amount: int) -> Act:
    work = partial(
        guarantees.record_repayment,
        loan_id=loan.id,
        amount=yuan(amount),
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    return Act(f"pay {amount} on {loan.id}", work)


def take_back(hamlet: Hamlet, receipt: Repayment) -> Act:
    work = partial(
        servicing.reverse_repayment,
        repayment_id=receipt.id,
        reason="it bounced",
        actor_id=None,
        **hamlet.when,
    )
    return Act(f"take {receipt.id} back", work)


def age(hamlet: Hamlet, loan: Loan, on: date) -> Act:
    work = partial(advance_loan, loan_id=loan.id, on=on, now=hamlet.now)
    return Act(f"age {loan.id} to {on}", work)


def book_interest(hamlet: Hamlet, on: date) -> Act:
    place = {"community_id": hamlet.community.id, "after_id": 0, "limit": 100}
    return Act(f"accrue {on}", partial(accrue, on=on, now=hamlet.now, **place))


# Books

# What hangs on when and by whom a row was written, not on what happened.
_PASSING = {
    "id", "public_id", "prev_hash", "hash", "head_hash", "recorded_at", "reversed_at", "entry_id",
    "payment_id", "repayment_id", "call_id", "cover_line_id", "account_id", "reverses_id",
    "subject", "facts", "reference", "seq", "version",
}  # fmt: skip


def books_of(engine: Engine) -> dict[str, list[Any]]:
    """All rows but for their numbers; the journal in its order."""
    with session_factory(engine)() as session:
        found = {}
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.name not in _PASSING]
            if columns:
                rows = session.execute(select(*columns)).all()
                found[table.name] = sorted(map(repr, rows))
        legs = session.execute(
            select(
                JournalEntry.seq,
                JournalEntry.kind,
                JournalEntry.business_on,
                JournalEntry.value_on,
                Account.kind,
                Account.member_id,
                Posting.member_id,
                Posting.loan_id,
                Posting.amount_minor,
            )
            .join(Posting, Posting.entry_id == JournalEntry.id)
            .join(Account, Account.id == Posting.account_id)
            .order_by(JournalEntry.book_id, JournalEntry.seq, Posting.id)
        ).all()
        found["the journal"] = list(map(repr, legs))
        return found


def _deadlocks() -> float:
    reason = {"reason": DEADLOCK}
    return REGISTRY.get_sample_value("lianbao_unit_repeats_total", reason) or 0


def _do(session: Session, act: Act, places: "itertools.count[int]") -> Outcome:
    place = -1

    def work(session: Session) -> None:
        nonlocal place
        try:
            act.work(session)
            session.flush()
        finally:
            # All locks are held: whoever has to come after it is still waiting.
            place = next(places)

    try:
        run_unit(session, work)
    except CommunityError as refusal:
        return Outcome(place, act, refusal.code, refusal.detail)
    return Outcome(place, act, DONE)
