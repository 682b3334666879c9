"""`flask import`: what it prints, its exit codes, and that a killed one leaves nothing."""

import gzip
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select

from app.extensions import db
from community.members.models import Member
from config.settings import ROOT
from tests.databases import make_tables
from tests.keys import ENVIRON

COMMUNITIES = (
    "reference,kind,name,currency,parent,charter_template\n"
    "hill,region,Hill village,CNY,,village-cooperative\n"
)
PEOPLE = "reference,name,birth_year,community\nwang,王伟,1980,hill\nli,李娜,1975,hill\n"
COUNTED = ("households", "members", "memberships", "membership_changes", "events")


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def village(runner: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "communities.csv"
    path.write_text(COMMUNITIES)
    assert runner.invoke(args=["import", "communities", str(path)]).exit_code == 0


def members(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count(Member.id))) or 0


@pytest.mark.usefixtures("village")
def test_a_file_is_imported_once_and_the_summary_says_so(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE, encoding="utf-8-sig")
    first = runner.invoke(args=["import", "people", str(path)])
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout == (
        "people: 2 rows, 2 new, 0 unchanged, 0 refused (2 memberships, 0 new households)\n"
    )
    packed = tmp_path / "people.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    again = runner.invoke(args=["import", "people", str(packed)])
    assert again.stdout.startswith("people: 2 rows, 0 new, 2 unchanged, 0 refused")
    piped = runner.invoke(args=["import", "people", "-"], input=packed.read_bytes())
    assert piped.stdout == again.stdout
    assert members(app) == 2


@pytest.mark.usefixtures("village")
def test_bad_rows_are_told_and_nothing_is_written(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    path, told = tmp_path / "people.csv", tmp_path / "faults.csv"
    path.write_text(PEOPLE + "".join(f"p{i},Name,85,hill\n" for i in range(30)))
    done = runner.invoke(args=["import", "people", str(path), "--report", str(told)])
    assert done.exit_code == 1
    assert done.stdout == "people: 32 rows, 0 new, 0 unchanged, 30 refused\n"
    lines = done.stderr.splitlines()
    assert lines[0] == (
        "line 4, column birth_year: '85': This is not a year from 1850 on. "
        "Write the year in four digits."
    )
    assert lines[20] == "… and 10 more"
    assert lines[-1] == "Nothing was written."
    assert len(told.read_text(encoding="utf-8-sig").splitlines()) == 31
    assert members(app) == 0


@pytest.mark.usefixtures("village")
def test_a_dry_run_counts_like_the_real_one_and_writes_nothing(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    dry = runner.invoke(args=["import", "people", str(path), "--dry-run"])
    assert dry.exit_code == 0
    assert members(app) == 0
    assert runner.invoke(args=["import", "people", str(path)]).stdout == dry.stdout
    assert members(app) == 2


@pytest.mark.usefixtures("village")
def test_the_business_day_can_be_named(runner: FlaskCliRunner, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("reference,name,community,since_on\na,A,hill,2020-02-02\n")
    early = runner.invoke(args=["import", "people", str(path), "--on", "2020-02-01"])
    assert early.exit_code == 1
    assert "after 2020-02-01" in early.stderr
    assert runner.invoke(args=["import", "people", str(path)]).exit_code == 0


def test_wrong_use_is_told_apart_from_wrong_rows(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["import", "people", "/nowhere.csv"]).exit_code == 2
    assert runner.invoke(args=["import", "savings", "-", "--currency", "RMB"]).exit_code == 2
    assert runner.invoke(args=["import", "loans", "-"]).exit_code == 2


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    url = f"sqlite:///{tmp_path / 'killed.sqlite3'}"
    make_tables(url)
    return os.environ | {
        **ENVIRON,
        "DATABASE_URL": url,
        "VAR_DIR": str(tmp_path),
        "PYTHONWARNINGS": "default",
    }


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "import", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_an_import_that_is_killed_leaves_nothing_and_can_be_run_again(
    environment: dict[str, str], tmp_path: Path
) -> None:
    count = 25_000
    communities, people = tmp_path / "c.csv", tmp_path / "p.csv"
    communities.write_text(COMMUNITIES)
    people.write_text(
        "reference,name,household,community\n"
        + "".join(f"p{i},Person {i},h{i // 4},hill\n" for i in range(count))
    )
    with start(environment, "communities", str(communities)) as first:
        _, err = first.communicate(timeout=60)
        assert first.returncode == 0, err
    database = tmp_path / "killed.sqlite3"
    log = Path(f"{database}-wal")

    def rows() -> list[int]:
        with closing(sqlite3.connect(database)) as connection:
            return [
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in COUNTED
            ]

    before = rows()
    with start(environment, "people", str(people)) as running:
        deadline = time.monotonic() + 60
        # Pages reach the log while the transaction is still open.
        while not (log.exists() and log.stat().st_size > 2_000_000):
            assert running.poll() is None, "it was over before it could be killed"
            assert time.monotonic() < deadline
        running.send_signal(signal.SIGKILL)
        assert running.wait(30) == -signal.SIGKILL
    assert rows() == before
    with start(environment, "people", str(people)) as again:
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, err
    assert out.decode().startswith(f"people: {count} rows, {count} new, 0 unchanged, 0 refused")
    assert rows()[:4] == [count // 4, count, count, count]
