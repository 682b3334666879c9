"""`flask day close` and `flask ledger verify`, as an operator runs them."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text

from app import create_app
from app.extensions import db
from community.engine import session_factory
from community.ledger.models import Book
from community.loans.models import Loan, LoanStatus
from community.seasons import service as seasons
from community.seasons.models import EventKind
from config.settings import Settings
from tests.hamlet import Hamlet
from tests.lending import NOW, make_village
from tests.lending import TODAY as LENT_ON


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            database_durable=False,
            log_level="ERROR",
            secret_key="of no use outside of this test suite",
            var_dir=tmp_path,
        )
    )
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def late_loan(engine: Engine) -> tuple[int, date]:
    """A loan that Ben does not pay, with its due day."""
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.fund(1_000)
        hamlet.person("ben")
        hamlet.person("uma", stake=100)
        hamlet.vouch("uma", "ben", 100)
        return hamlet.lend("ben", 80).id, date(2026, 4, 2)


def test_closing_days_takes_a_late_loan_through_its_calls(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    loan_id, due_on = late_loan
    run = app.test_cli_runner()
    for days, status in [(0, "current"), (1, "overdue"), (10, "overdue"), (11, "closed")]:
        day = (due_on + timedelta(days=days)).isoformat()
        result = run.invoke(args=["day", "close", "--date", day])
        assert result.exit_code == 0, result.output
        assert f"{day} closed: 1 communities" in result.output
        assert _status(engine, loan_id) == LoanStatus(status)
    # Uma's stake has paid it all; the books are closed to the day, and hold.
    with session_factory(engine)() as session:
        closed = session.scalars(select(Book.closed_through).where(Book.community_id == 1)).one()
    assert closed == due_on + timedelta(days=11)
    assert run.invoke(args=["ledger", "verify"]).exit_code == 0


def test_the_same_day_may_be_closed_again(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    run = app.test_cli_runner()
    day = (late_loan[1] + timedelta(days=5)).isoformat()
    for _ in range(2):
        assert run.invoke(args=["day", "close", "--date", day]).exit_code == 0
    assert _status(engine, late_loan[0]) is LoanStatus.OVERDUE


def test_an_unknown_community_is_refused(app: Flask, late_loan: tuple[int, date]) -> None:
    result = app.test_cli_runner().invoke(args=["day", "close", "--community", "nowhere"])
    assert result.exit_code == 1
    assert "no community 'nowhere'" in result.output


def test_verifying_names_law_and_row_and_exits_with_1(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    run = app.test_cli_runner()
    result = run.invoke(args=["ledger", "verify", "--quiet"])
    assert result.exit_code == 0
    assert "all laws hold" in result.output
    with engine.begin() as connection:
        connection.execute(text("UPDATE vouches SET reserved_minor = 79"))
    result = run.invoke(args=["ledger", "verify", "--quiet"])
    assert result.exit_code == 1
    assert "BROKEN law 2 (No promise is spent twice): vouches 1" in result.output


def _status(engine: Engine, loan_id: int) -> LoanStatus:
    with session_factory(engine)() as session:
        return session.scalars(select(Loan.status).where(Loan.id == loan_id)).one()


def test_an_event_is_previewed_applied_and_undone_by_commands(app: Flask, engine: Engine) -> None:
    with session_factory(engine)() as session:
        village = make_village(session)
        village.disbursed(
            village.person(),
            product_id=village.seasonal.id,
            season_id=village.rice.id,
            instalments=None,
        )
        event = seasons.declare(
            session,
            community_id=village.township.id,
            kind=EventKind.FLOOD,
            crop="rice",
            happened_on=LENT_ON,
            dues_from=LENT_ON,
            dues_until=date(2027, 12, 31),
            effect_document={"kind": "move", "days": 30, "interest": "stands"},
            reason="the river came",
            on=LENT_ON,
            now=NOW,
            actor_id=None,
        ).public_id
        session.commit()
    run = app.test_cli_runner()
    early = run.invoke(args=["seasons", "apply", event])
    assert (early.exit_code, early.output) == (1, "Error: Preview the event first\n")
    seen = run.invoke(args=["seasons", "preview", event])
    assert f"{event}: 1 loans of 1 members would change" in seen.output
    done = run.invoke(args=["seasons", "apply", event, "--reason", "decided"])
    assert f"{event} is applied: 1 changed, 0 refused, 0 put back, 0 kept" in done.output
    gone = run.invoke(args=["seasons", "undo", event, "--reason", "it dried up"])
    assert f"{event} is undone: 0 changed, 0 refused, 1 put back, 0 kept" in gone.output
    missing = run.invoke(args=["seasons", "preview", "dev_0000000000000000"])
    assert (missing.exit_code, missing.output) == (1, "Error: No such declared event\n")
