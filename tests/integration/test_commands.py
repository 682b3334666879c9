"""`flask day close` and `flask ledger verify`, as an operator runs them."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, text

from app import create_app
from app.extensions import db
from community.engine import session_factory
from community.ledger.holds import place_hold
from community.ledger.models import Account, AccountKind, Book, Hold, HoldState
from community.loans.models import Loan, LoanStatus
from community.money import Money
from community.savings.service import deposit
from community.seasons import service as seasons
from community.seasons.models import EventKind
from config.settings import ROOT, Settings
from tests.hamlet import Hamlet
from tests.keys import KEYS
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
            **KEYS,
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


def test_verifying_one_community_looks_at_its_book_only(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    run = app.test_cli_runner()
    whole = run.invoke(args=["ledger", "verify", "--json", "--quiet"])
    one = run.invoke(args=["ledger", "verify", "--community", "hamlet", "--json", "--quiet"])
    assert (whole.exit_code, one.exit_code) == (0, 0)
    # The hamlet is the only community, but its members belong to the platform's own book.
    counted, here = json.loads(whole.output), json.loads(one.output)
    assert here["holds"] is counted["holds"] is True
    assert (here["entries"], here["postings"]) == (counted["entries"], counted["postings"])
    assert 0 < here["events"] < counted["events"]
    with engine.begin() as connection:
        # Not of the books: looked at only when everything is.
        connection.execute(text("UPDATE vouches SET reserved_minor = 79"))
    assert run.invoke(args=["ledger", "verify", "--community", "hamlet"]).exit_code == 0
    assert run.invoke(args=["ledger", "verify", "--quiet"]).exit_code == 1
    unknown = run.invoke(args=["ledger", "verify", "--community", "nowhere"])
    assert unknown.exit_code == 1
    assert "no community 'nowhere'" in unknown.output


def test_verifying_answers_a_program_with_every_breach(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    with engine.begin() as connection:
        change = "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE id = 1"
        connection.execute(text(change))
    result = app.test_cli_runner().invoke(args=["ledger", "verify", "--json", "--quiet"])
    assert result.exit_code == 1
    said = json.loads(result.output)
    assert said["holds"] is False
    first = said["breaches"][0]
    assert (first["law"], first["name"], first["table"], first["row"]) == (
        1,
        "Double entry",
        "accounts",
        "1",
    )


def test_the_handbook_is_printed(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["ledger", "handbook"])
    assert result.output == (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")


def test_closing_a_day_lets_go_of_what_is_no_longer_held(
    app: Flask, engine: Engine, late_loan: tuple[int, date]
) -> None:
    with session_factory(engine)() as session:
        hamlet_id, uma = session.execute(
            select(Book.community_id, Account.member_id)
            .join(Account, Account.book_id == Book.id)
            .where(Account.kind == AccountKind.MEMBER_SAVINGS)
        ).one()
        day = date(2026, 3, 2)
        moment = datetime(2026, 3, 2, 9, tzinfo=UTC)
        when = {"on": day, "now": moment, "actor_id": None}
        whose = {"community_id": hamlet_id, "member_id": uma, "amount": Money(50, "CNY")}
        deposit(session, **whose, **when)
        place_hold(session, **whose, **when, reason="x", expires_on=date(2026, 3, 5))
        session.commit()
    run = app.test_cli_runner()
    for on, state in (("2026-03-05", "pending"), ("2026-03-06", "voided")):
        assert run.invoke(args=["day", "close", "--date", on]).exit_code == 0
        with session_factory(engine)() as session:
            assert session.scalars(select(Hold.state)).one() == HoldState(state)


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
            effect_document={"kind": "move", "days": 30, "interest": "runs"},
            reason="the river came",
            on=LENT_ON,
            now=NOW,
            actor_id=None,
        ).public_id
        session.commit()
    app.extensions["clock"].fixed = NOW
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
