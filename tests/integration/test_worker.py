"""`flask worker`: all kinds of jobs, stopped at any place, gone on with by the next."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app import create_app
from app.businessday.running import close_days, new_worker
from app.extensions import db
from app.operations.worker import KINDS, Stopping, Worker
from app.risk.work import work_one
from community.businessday.models import DayRun, DayState
from community.engine import session_factory
from community.risk import stress_service
from community.risk.models import ShockKind, StressStatus, StressTest
from config.settings import ROOT, Settings
from tests.hamlet import Hamlet
from tests.keys import ENVIRON, KEYS

pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
DAY = date(2026, 3, 2)
SECRET = "of no use outside of this test suite"


@pytest.fixture
def hamlet(engine: Engine) -> Iterator[Hamlet]:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.fund(1_000)
        hamlet.person("ben")
        hamlet.person("uma", stake=100)
        hamlet.vouch("uma", "ben", 100)
        hamlet.lend("ben", 80, 4)
        hamlet.do(
            stress_service.ask_stress,
            community_id=hamlet.community.id,
            asked=stress_service.Asked(ShockKind.COMMON_FACTOR),
            draws=40,
            seed=1,
            actor_id=None,
            **hamlet.when,
        )
        yield hamlet


@pytest.fixture
def app(engine: Engine, tmp_path: Path) -> Iterator[Flask]:
    app = create_app(
        Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            database_durable=False,
            log_level="ERROR",
            secret_key=SECRET,
            var_dir=tmp_path,
            day_close_at=time(0, 30),
            fixed_now=datetime.combine(DAY + timedelta(days=1), time(12), UTC),
            **KEYS,
        )
    )
    yield app
    with app.app_context():
        db.engine.dispose()


def test_one_command_does_every_kind_of_job(hamlet: Hamlet, app: Flask) -> None:
    assert set(Worker(app).jobs) == set(KINDS)
    result = app.test_cli_runner().invoke(args=["worker", "--once"])
    assert result.exit_code == 0, result.output
    hamlet.session.expire_all()
    assert hamlet.session.scalars(select(StressTest.status)).one() is StressStatus.DONE
    run = hamlet.session.scalars(select(DayRun)).one()
    assert (run.on, run.state) == (DAY, DayState.CLOSED)


def test_a_stress_test_that_is_stopped_goes_back_and_says_the_same(
    hamlet: Hamlet, app: Flask
) -> None:
    noted: list[int] = []
    with app.app_context():
        stopped = work_one(
            db.session(),
            portion=10,
            note=lambda done, _draws: noted.append(done),
            stopping=lambda: len(noted) == 2,
        )
        assert stopped is None
        test = db.session().scalars(select(StressTest)).one()
        assert (test.status, test.worker, test.restarts) == (StressStatus.QUEUED, None, 1)
        test_id = test.id
        assert work_one(db.session(), portion=10) == test_id
        # And asked for again, with nobody in its way: the same seed says the same.
        first = db.session().get_one(StressTest, test_id).result
    again = hamlet.do(
        stress_service.ask_stress,
        community_id=hamlet.community.id,
        asked=stress_service.Asked(ShockKind.COMMON_FACTOR),
        draws=40,
        seed=1,
        actor_id=None,
        **hamlet.when,
    )
    with app.app_context():
        assert work_one(db.session()) == again.id
        assert db.session().get_one(StressTest, again.id).result == first


def test_a_day_that_is_stopped_is_gone_on_with_by_another_host_at_once(
    hamlet: Hamlet, app: Flask
) -> None:
    asked: list[int] = []

    def after_three() -> bool:
        asked.append(1)
        return len(asked) > 3

    place = {"communities": [hamlet.community.id], "on": DAY, "limit": 1}
    with app.app_context():
        close_days(db.session(), **place, stopping=after_three)
        run = db.session().scalars(select(DayRun)).one()
        assert run.state is DayState.WORKING
        # Of another host's worker nothing is known but its lease.
        other = replace(new_worker(), name="elsewhere/1/x", is_gone=lambda name: False)
        outcome = close_days(db.session(), **place, worker=other)
        assert outcome.held == {}
        db.session().expire_all()
        assert db.session().scalars(select(DayRun.state)).one() is DayState.CLOSED


def test_a_kind_that_fails_does_not_stop_the_others(
    hamlet: Hamlet, app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(app, ["stress", "upkeep"])
    failed = threading.Event()
    work = worker.jobs["stress"]

    def fail(session: Session, stopping: Stopping) -> bool:
        failed.set()
        raise RuntimeError("a fault of ours")

    def after_the_fault(session: Session, stopping: Stopping) -> bool:
        failed.wait()
        done = work(session, stopping)
        worker.stop()
        return done

    worker.jobs = {"upkeep": fail, "stress": after_the_fault}
    worker.run()
    assert "jobs of kind upkeep" in caplog.text
    hamlet.session.expire_all()
    assert hamlet.session.scalars(select(StressTest.status)).one() is StressStatus.DONE


def test_sigterm_ends_a_worker_that_waits(engine: Engine, hamlet: Hamlet, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        **ENVIRON,
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "VAR_DIR": str(tmp_path),
        "SECRET_KEY": SECRET,
        "WORKER_POLL_SECONDS": "3600",
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    with subprocess.Popen(
        [*command, "--only", "upkeep", "--only", "webhooks"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        line = ""
        while "working on" not in line:
            line = process.stderr.readline()
            assert line, "it ended before it began"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
