"""The made-up cooperative: it lives by the laws, on both databases the same, and is made once."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select, text

from app import create_app
from app.demo.cast import TOWNSHIP
from app.demo.people import make_villages
from app.demo.seasons import crop_years
from app.extensions import db
from app.transaction import run_unit
from community.communities.models import CommunityKind
from community.communities.service import create_community
from community.models import metadata
from config.settings import ROOT, Settings
from tests.databases import KINDS, database_copy, template_database
from tests.keys import ENVIRON, KEYS

NOW = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
HOUSEHOLDS = "60"
# Small, so that it takes seconds: every state that docs/demo.md names is there all the same.
SEED = ["demo", "seed", "--households", HOUSEHOLDS, "--seed", "7"]

pytestmark = pytest.mark.slow


def make_app(url: str, folder: Path) -> Flask:
    return create_app(
        Settings(
            database_url=url,
            database_durable=False,
            secret_key="of no use outside of this test suite",
            rate_limits=False,
            log_level="WARNING",
            var_dir=folder,
            **KEYS,
            fixed_now=NOW,
        )
    )


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=list(words))


def count_rows(app: Flask) -> dict[str, int]:
    with app.app_context():
        session = db.session()
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


def ask(app: Flask, statement: str) -> list[tuple[Any, ...]]:
    with app.app_context():
        return [tuple(row) for row in db.session().execute(text(statement))]


@pytest.fixture(scope="module")
def demonstration(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """A folder in which `tools/demo.py --check` ran for the first time, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo(folder, "--check")


@pytest.fixture(scope="module")
def seeded(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    demonstration: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> Iterator[dict[str, tuple[Flask, str]]]:
    """The cooperative of 60 households by kind of database, with what the seeding said."""
    folder, first = demonstration
    with ExitStack() as stack:
        asked = SimpleNamespace(param="postgresql", getfixturevalue=request.getfixturevalue)
        url = stack.enter_context(template_database(asked, folder))  # type: ignore[arg-type]
        on_postgresql = make_app(url, folder)
        made = {
            "sqlite": (make_app(f"sqlite:///{folder / 'demo.sqlite3'}", folder), first.stdout),
            "postgresql": (on_postgresql, run(on_postgresql, *SEED).output),
        }
        yield made
        for app, _ in made.values():
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


@pytest.fixture(params=KINDS)
def village(
    request: pytest.FixtureRequest, seeded: dict[str, tuple[Flask, str]]
) -> tuple[Flask, str]:
    return seeded[request.param]


@pytest.fixture
def app(village: tuple[Flask, str]) -> Flask:
    return village[0]


def test_the_seeding_ends_with_all_laws_proved(village: tuple[Flask, str]) -> None:
    app, said = village
    assert "all laws hold" in said
    verified = run(app, "ledger", "verify", "--quiet")
    assert verified.exit_code == 0, verified.output


def test_loans_are_there_in_every_state_that_the_documentation_names(app: Flask) -> None:
    found = dict(ask(app, "SELECT status, count(*) FROM loans GROUP BY status"))
    assert found.keys() == {
        "submitted",
        "endorsed",
        "approved",
        "current",
        "overdue",
        "called",
        "closed",
        "written_off",
        "rejected",
        "withdrawn",
    }
    assert found["current"] > 5
    assert found["closed"] > 5
    assert ask(app, "SELECT 1 FROM group_loans LIMIT 1")
    assert ask(app, "SELECT 1 FROM loans WHERE season_id IS NOT NULL AND status = 'current'")


def test_calls_are_open_answered_and_long_past(app: Flask) -> None:
    states = {status for (status,) in ask(app, "SELECT DISTINCT status FROM calls")}
    assert {"open", "paid", "lapsed", "disputed"} <= states
    assert ask(app, "SELECT 1 FROM calls WHERE promised_on IS NOT NULL")
    assert ask(app, "SELECT 1 FROM claims WHERE settled_minor > 0")
    sources = {source for (source,) in ask(app, "SELECT DISTINCT source FROM repayments")}
    assert sources == {"borrower", "guarantor", "stake", "reserve", "write_off"}


def test_people_communities_groups_and_promises_are_of_every_kind(app: Flask) -> None:
    assert dict(ask(app, "SELECT kind, count(*) FROM communities GROUP BY kind")) == {
        "region": 5,
        "industry": 1,
        "interest": 1,
    }
    members = {status for (status,) in ask(app, "SELECT DISTINCT status FROM memberships")}
    assert members == {"applied", "active", "suspended", "left"}
    groups = {status for (status,) in ask(app, "SELECT DISTINCT status FROM groups")}
    assert {"active", "forming"} <= groups
    vouches = {status for (status,) in ask(app, "SELECT DISTINCT status FROM vouches")}
    assert {"offered", "live", "revoked", "expired"} <= vouches


def test_no_booking_lies_on_or_after_the_present_day(app: Flask) -> None:
    [(last,)] = ask(app, "SELECT max(business_on) FROM journal_entries")
    assert str(last) <= "2026-11-22"
    [(recorded,)] = ask(app, "SELECT max(recorded_at) FROM events WHERE kind <> 'token.issued'")
    assert str(recorded) < "2026-11-23"


def test_entries_of_a_book_follow_each_other_in_time(app: Flask) -> None:
    rows = ask(app, "SELECT book_id, business_on, recorded_at FROM journal_entries ORDER BY id")
    last: dict[int, tuple[str, str]] = {}
    for book, on, recorded in rows:
        assert last.get(book, ("", "")) <= (str(on), str(recorded))
        last[book] = str(on), str(recorded)


def test_the_same_seed_gives_the_same_figures_on_both_databases(
    seeded: dict[str, tuple[Flask, str]],
) -> None:
    first, second = (app for app, _ in seeded.values())
    # The demonstration has issued tokens, events say so, and it has looked at people.
    counts = [count_rows(app) for app in (first, second)]
    for count in counts:
        del count["access_notes"]
    assert all(count.pop("api_tokens") + count.pop("events") for count in counts)
    assert counts[0] == counts[1]
    for statement in (
        "SELECT kind, count(*) FROM events WHERE kind <> 'token.issued' GROUP BY kind ORDER BY 1",
        "SELECT m.reference_index, l.principal_minor, l.outstanding_minor, l.written_off_minor,"
        " l.status FROM loans l JOIN members m ON m.id = l.borrower_id ORDER BY l.id",
        "SELECT voucher_id, borrower_id, limit_minor, reserved_minor, spent_minor, status"
        " FROM vouches ORDER BY id",
        "SELECT book_id, kind, sum(balance_minor) FROM accounts GROUP BY book_id, kind"
        " ORDER BY book_id, kind",
        "SELECT guarantor_id, ground, amount_minor, paid_minor, status FROM calls ORDER BY id",
        "SELECT name, birth_year FROM members ORDER BY id",
    ):
        assert ask(first, statement) == ask(second, statement)


def test_a_second_seeding_changes_nothing(app: Flask) -> None:
    rows, heads = count_rows(app), ask(app, "SELECT id, head_hash FROM books ORDER BY id")
    again = run(app, *SEED)
    assert again.exit_code == 0
    assert "nothing was changed" in again.output
    assert count_rows(app) == rows
    assert ask(app, "SELECT id, head_hash FROM books ORDER BY id") == heads


def test_tokens_open_what_the_page_says(app: Flask) -> None:
    before = count_rows(app)["api_tokens"]
    told = run(app, "demo", "tokens", "--json")
    assert told.exit_code == 0, told.output
    shown = json.loads(told.output)
    people = {person["role"]: person for person in shown["people"]}
    assert people.keys() == {"member", "leader", "operator", "cooperative", "auditor"}
    assert count_rows(app)["api_tokens"] == before + 5
    client = app.test_client()
    for person in people.values():
        answer = client.get("/api/v1/me", headers=_bearer(person["token"]))
        assert answer.status_code == 200
        assert person["name"] in answer.get_data(as_text=True)
    answers = []
    for question in shown["questions"]:
        [role] = [role for role, person in people.items() if person["token"] in question["curl"]]
        answer = client.get(question["path"], headers=_bearer(people[role]["token"]))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        answers.append(answer.get_json())
    limit, loans, calls, books = answers
    assert float(limit["amount"]["amount"]) > 0
    assert limit["paths"]
    assert loans["items"]
    assert calls["items"]
    assert books["balances"]
    # Nobody who is not concerned sees the calls.
    [path] = [q["path"] for q in shown["questions"] if q["path"].endswith("/calls")]
    outsider = client.get(path, headers=_bearer(people["member"]["token"]))
    assert outsider.status_code in (200, 404)


def test_half_a_story_is_not_taken_for_a_whole_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    asked = SimpleNamespace(param="sqlite", getfixturevalue=request.getfixturevalue)
    with (
        template_database(asked, tmp_path) as template,  # type: ignore[arg-type]
        database_copy(template, tmp_path) as url,
    ):
        app = make_app(url, tmp_path)
        with app.app_context():
            run_unit(
                db.session(),
                create_community,
                kind=CommunityKind.REGION,
                name="Half",
                reference=TOWNSHIP,
                currency="CNY",
                now=NOW,
                actor_id=None,
            )
        for command in (SEED, ["demo", "tokens"]):
            result = run(app, *command)
            assert result.exit_code == 1
            assert "half-way" in result.output
        with app.app_context():
            db.engine.dispose()


def test_make_demo_checks_itself_and_may_be_run_again(
    demonstration: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    folder, first = demonstration
    assert first.returncode == 0, first.stdout + first.stderr
    assert "FAILED" not in first.stdout
    made = (folder / "demo.sqlite3").stat().st_ino
    second = demo(folder, "--check")
    assert second.returncode == 0, second.stdout + second.stderr
    assert (folder / "demo.sqlite3").stat().st_ino == made
    assert "households" not in second.stderr
    assert second.stdout.count("ok ") == first.stdout.count("ok ") >= 15


def test_make_demo_stops_cleanly(
    demonstration: tuple[Path, "subprocess.CompletedProcess[str]"],
) -> None:
    running, page = start_demo(demonstration[0])
    port = int(page.partition("http://127.0.0.1:")[2].partition(" ")[0])
    assert page.count("lb_") >= 5
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 0
    assert running.stdout is not None
    running.stdout.close()
    with closing(socket.socket()) as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_calendar_of_crops_never_asks_for_money_before_harvest() -> None:
    seasons = crop_years(NOW.date().replace(year=2020), NOW.date().replace(year=2030))
    assert len(seasons) == 30
    for season in seasons:
        assert season.sow_from <= season.sow_until < season.harvest_from
        assert all(day >= season.harvest_from for day, _ in season.selling)


def test_households_are_as_many_as_asked_for_and_headed_by_adults() -> None:
    import random

    villages = make_villages(random.Random(1), 321, 2025)
    homes = [home for village in villages for home in village.homes]
    assert len(homes) == 321
    assert 900 < sum(len(home.people) for home in homes) < 1300
    assert all(2025 - home.head.birth_year >= 27 for home in homes)


def demo(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "tools/demo.py", *arguments],
        cwd=ROOT,
        env=demo_environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start_demo(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    """A demonstration that serves, and what it printed."""
    running = subprocess.Popen(
        [sys.executable, "tools/demo.py"],
        cwd=ROOT,
        env=demo_environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    page = ""
    for line in running.stdout:
        page += line
        if "Ctrl-C stops it" in line:
            break
    return running, page


def demo_environment(folder: Path) -> dict[str, str]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = min(probe.getsockname()[1], 65_000)
    own = {
        "VAR_DIR": str(folder),
        "PORT": str(port),
        "DEMO_HOUSEHOLDS": HOUSEHOLDS,
        "FIXED_NOW": NOW.isoformat(),
    }
    return os.environ | ENVIRON | own


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
