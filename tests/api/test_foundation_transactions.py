"""The edge: run, commit, run again when others got in the way."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask, Response
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.extensions import db
from app.transaction import run_unit
from community.engine import make_engine, session_factory
from community.errors import StaleSnapshot, Unavailable
from community.members.models import Household
from community.members.service import register_household
from config.settings import Settings
from tests.api.conftest import MakeApp
from tests.api.people import Person, assert_problem, register
from tests.api.probe import add_probe, count_households
from tests.databases import make_tables

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def features() -> list[str]:
    """The foundation stands alone."""
    return []


def households(app: Flask) -> int:
    with app.app_context():
        return count_households(db.session)


def test_a_unit_on_a_stale_snapshot_is_run_again_from_the_start(app: Flask, member: Person) -> None:
    add_probe(app)
    answer = member.post("/api/v1/probe/retries/2")
    assert answer.get_json() == {"runs": 3}
    assert households(app) == 1  # the failed runs left nothing


def test_the_last_try_is_told_that_it_is_the_last_and_then_refuses(
    make_app: MakeApp,
) -> None:
    app = make_app(transaction_attempts=3)
    add_probe(app)
    member = register(app)
    assert_problem(member.post("/api/v1/probe/retries/99"), 409, "changed-meanwhile")
    assert app.extensions["probe_runs"] == [False, False, True]
    assert households(app) == 0


def test_a_unique_constraint_that_nobody_foresaw_is_a_conflict(app: Flask, member: Person) -> None:
    add_probe(app)
    problem = assert_problem(member.post("/api/v1/probe/twins"), 409, "conflict")
    assert problem["constraint"] == "uq_households_reference_index"
    assert "reference" in problem["detail"]
    assert households(app) == 0


def test_a_check_constraint_that_nobody_foresaw_is_a_conflict(app: Flask, member: Person) -> None:
    add_probe(app)
    problem = assert_problem(member.post("/api/v1/probe/broken-checks"), 409, "conflict")
    assert problem["constraint"] == "ck_members_only_persons_are_born"


def test_a_unit_inside_a_unit_is_a_mistake(app: Flask) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="inside another"):
        run_unit(db.session(), lambda session: run_unit(session, lambda _inner: None))


def test_units_run_without_an_application_too(settings: Settings) -> None:
    engine = make_engine(settings.database_url, durable=False)
    with session_factory(engine)() as session:
        made = run_unit(session, register_household, reference="H 1", now=NOW)
        assert made.public_id.startswith("hh_")
    with session_factory(engine)() as session:
        assert session.scalar(select(func.count()).select_from(Household)) == 1
    engine.dispose()


def test_counting_up_at_the_same_moment_loses_no_step(settings: Settings) -> None:
    engine = make_engine(settings.database_url, durable=False, pool_size=8)
    make = session_factory(engine)
    with make() as session:
        run_unit(session, register_household, reference="0", now=NOW)
    barrier = threading.Barrier(4)

    def count_up(session: Session) -> None:
        row = session.scalars(select(Household).with_for_update()).one()
        row.reference = str(int(row.reference) + 1)

    def worker() -> None:
        with make() as session:
            barrier.wait(timeout=10)
            for _ in range(10):
                run_unit(session, count_up)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with make() as session:
        assert session.scalars(select(Household.reference)).one() == "40"
    engine.dispose()


def test_two_units_that_lock_in_opposite_order_both_succeed(settings: Settings) -> None:
    """A deadlock is made on purpose: the database ends one unit, and the edge runs it again."""
    engine = make_engine(settings.database_url, durable=False, pool_size=8)
    make = session_factory(engine)
    with make() as session:
        run_unit(session, lambda s: [register_household(s, reference=r, now=NOW) for r in "ab"])
    # The first runs meet once each holds its first row; on SQLite the write lock comes before, so
    # they cannot meet there, and there is nothing to fear.
    meeting = threading.Barrier(2)
    firsts: list[str] = []
    faults: list[BaseException] = []

    def unit(session: Session, order: str) -> None:
        session.scalars(
            select(Household).where(Household.reference_index == order[0]).with_for_update()
        )
        if engine.dialect.name == "postgresql" and order not in firsts:
            firsts.append(order)
            meeting.wait(timeout=10)
        for row in session.scalars(
            select(Household).where(Household.reference_index == order[1]).with_for_update()
        ):
            row.created_at = NOW

    def worker(order: str) -> None:
        try:
            with make() as session:
                run_unit(session, unit, order)
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)

    threads = [threading.Thread(target=worker, args=(order,)) for order in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert faults == []
    engine.dispose()


def test_a_lock_that_is_never_let_go_ends_in_unavailable(settings: Settings) -> None:
    engine = make_engine(settings.database_url, durable=False, lock_timeout_ms=100)
    make = session_factory(engine)
    with make() as session:
        run_unit(session, register_household, reference="a", now=NOW)

    def change(session: Session) -> None:
        session.scalars(select(Household).with_for_update()).one().reference = "b"

    with make() as holder, make() as waiter:
        holder.connection(execution_options={"write_lock": True})
        change(holder)
        holder.flush()
        with pytest.raises(Unavailable) as caught:
            run_unit(waiter, change)
        assert caught.value.members["retry_after_seconds"] > 0
        holder.rollback()
    engine.dispose()


def test_exhausted_tries_leave_the_reason_to_the_caller(settings: Settings) -> None:
    engine = make_engine(settings.database_url, durable=False)
    runs: list[bool] = []

    def stale(session: Session) -> None:
        runs.append(session.info["last_try"])
        raise StaleSnapshot("the limit is now 300.00")

    with session_factory(engine)() as session:
        with pytest.raises(StaleSnapshot, match=r"300\.00"):
            run_unit(session, stale)
        assert runs == [False] * 4 + [True]
        assert "last_try" not in session.info
    engine.dispose()


def test_sqlite_enforces_foreign_keys_and_syncs_every_commit(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'new' / 'place.sqlite3'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        }
    assert pragmas == {
        "foreign_keys": 1,
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 5000,
    }
    engine.dispose()


def test_on_sqlite_a_unit_holds_the_write_lock_from_its_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'locked.sqlite3'}"
    make_tables(url)
    engine = make_engine(url, durable=False, lock_timeout_ms=50)
    make = session_factory(engine)
    with make() as other:

        def unit(session: Session) -> int:
            # Nothing is written yet, and still nobody else may begin to write.
            other.add(Household(reference="b", created_at=NOW))
            with pytest.raises(OperationalError, match="locked"):
                other.flush()
            other.rollback()
            return register_household(session, reference="a", now=NOW).id

        with make() as session:
            run_unit(session, unit)
        assert other.scalars(select(Household.reference)).all() == ["a"]
    engine.dispose()


def test_a_database_that_is_gone_after_the_answer_does_not_spoil_it(
    app: Flask, member: Person
) -> None:
    """What was read still holds a connection when the answer is made: it may break then."""
    add_probe(app)
    broken = []

    @app.after_request
    def lose_the_database(response: Response) -> Response:
        if not broken:
            broken.append(db.session.connection().connection.driver_connection)
            broken[0].close()
        return response

    for _ in range(3):
        answer = member.get("/api/v1/probe/me")
        assert answer.status_code == 200, answer.text
    assert broken
