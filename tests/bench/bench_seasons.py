"""A declared event over thousands of loans: previewed, applied and undone, on both databases.

Each loan's plan is worked out anew, written, kept before and after, and its change chained in the
book; units of work of a hundred loans, durable commits. The floor is one UPDATE of the same
instalments' days in one transaction, which keeps nothing and cannot be undone.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, text
from sqlalchemy.orm import Session

from app.seasons.work import PORTION
from app.transaction import run_unit
from community.engine import make_engine, session_factory
from community.loans.models import Disbursement, Instalment, Loan, LoanStatus
from community.seasons import service
from community.seasons.models import EventKind
from tests.databases import create_all
from tests.lending import NOW, TODAY, make_village
from tests.servers import fresh_database, postgres_server

LOANS = 5_000
REPEATS = 3
MOVE = {"kind": "move", "days": 73, "interest": "runs"}


def run(count: int = LOANS, repeats: int = REPEATS) -> None:
    """Print loans per second (median of the repeats) for each step, and the floor."""
    for name, engine in _engines():
        with session_factory(engine)() as session:
            event_args = _fill(session, count)
            seconds: dict[str, list[float]] = {}
            for _ in range(repeats):
                _measure(session, event_args, seconds)
        floor = statistics.median(seconds["floor"])
        for step in ("preview", "apply", "undo"):
            taken = statistics.median(seconds[step])
            print(
                f"   {name:10} {step:8} {count:,} loans  {count / taken:>8,.0f} loans/s"
                f"  {taken / floor:6.1f} x the floor"
            )
        engine.dispose()


def _measure(session: Session, given: dict[str, Any], seconds: dict[str, list[float]]) -> None:
    event = run_unit(session, service.declare, **given)
    act: dict[str, Any] = {"event_id": event.id, "on": TODAY, "now": NOW, "actor_id": None}

    def timed(step: str, started: float) -> None:
        seconds.setdefault(step, []).append(time.perf_counter() - started)

    started = time.perf_counter()
    run_unit(session, service.preview, **act)
    timed("preview", started)
    started = time.perf_counter()
    run_unit(session, service.begin_applying, **act)
    while run_unit(session, service.apply_some, **act, limit=PORTION):
        pass
    timed("apply", started)
    started = time.perf_counter()
    run_unit(session, service.begin_undoing, **act, reason="x")
    while run_unit(session, service.undo_some, **act, limit=PORTION):
        pass
    timed("undo", started)
    started = time.perf_counter()
    run_unit(session, _floor)
    timed("floor", started)


def _floor(session: Session) -> None:
    later = (
        "date(due_on, '+0 days')" if session.get_bind().dialect.name == "sqlite" else "due_on + 0"
    )
    session.execute(text(f"UPDATE instalments SET due_on = {later}"))


def _fill(session: Session, count: int) -> dict[str, Any]:
    """Live loans for rice with two dues each; their books are left out, no step reads them."""
    village = make_village(session, {"endorsements_min": 0})
    facts = {"product_id": village.seasonal.id, "season_id": village.rice.id, "instalments": None}
    model = village.applied(village.person(), 1_000_00, **facts)
    shared = {
        column.name: getattr(model, column.key)
        for column in Loan.__table__.columns
        if column.name not in ("id", "public_id")
    } | {
        "status": LoanStatus.CURRENT,
        "disbursed_on": TODAY,
        "worked_out_on": TODAY,
        "disbursed_minor": 1_000_00,
        "outstanding_minor": 1_000_00,
    }
    first = model.id + 1
    session.execute(
        insert(Loan),
        [{**shared, "id": first + n, "public_id": f"lon_{n:016}"} for n in range(count)],
    )
    session.execute(
        insert(Disbursement),
        [
            {
                "loan_id": first + n,
                "number": 1,
                "amount_minor": 1_000_00,
                "paid_out_on": TODAY,
                "recorded_at": NOW,
            }
            for n in range(count)
        ],
    )
    sold = date(2027, 10, 15), date(2027, 12, 1)
    dues = [(1, TODAY, sold[0], 600_00, 53_65), (2, *sold, 400_00, 4_94)]
    session.execute(
        insert(Instalment),
        [
            {
                "loan_id": first + n,
                "number": number,
                "from_on": from_on,
                "due_on": due_on,
                "principal_minor": principal,
                "interest_minor": interest,
            }
            for n in range(count)
            for number, from_on, due_on, principal, interest in dues
        ],
    )
    session.commit()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ANALYZE"))
        session.commit()
    return {
        "community_id": village.township.id,
        "kind": EventKind.FLOOD,
        "crop": "rice",
        "happened_on": TODAY,
        "dues_from": TODAY,
        "dues_until": date(2027, 12, 31),
        "effect_document": MOVE,
        "reason": "the river came",
        "on": TODAY,
        "now": NOW,
        "actor_id": None,
    }


def _engines() -> Iterator[tuple[str, Engine]]:
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(f"sqlite:///{Path(folder) / 'bench.sqlite3'}")
        create_all(engine)
        yield "SQLite", engine
    with _postgres() as url:
        engine = make_engine(url)
        create_all(engine)
        yield "PostgreSQL", engine


@contextmanager
def _postgres() -> Iterator[str]:
    with postgres_server(durable=True) as server, fresh_database(server) as url:
        yield url
