"""What has run out is counted first, then taken away; the rest and the books stay."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update

from app import create_app
from app.extensions import db
from app.operations.worker import Worker
from app.personal.work import forget_what_has_run_out
from community.engine import session_factory
from community.ledger.models import Event
from community.members.models import ApiToken, MemberKind, PageSession
from community.members.service import register_member
from community.members.signin import open_session
from community.personal.daily import Holder, take_run, work_on
from community.personal.errors import BadRetentionRules, RetentionTakenOver
from community.personal.models import AccessNote, ReaderRole, RetentionRun
from community.personal.retention import KINDS, OWN_RULES, read_rules
from community.verification import verify
from config.settings import Settings
from tests.databases import make_tables
from tests.keys import KEYS

NOW = datetime(2030, 5, 4, 8, tzinfo=UTC)
RULES = {rule.kind: rule.days for rule in read_rules()}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    """A database with a session, a token and a note a day too old, and one a day too young."""
    url = f"sqlite:///{tmp_path}/book.sqlite3"
    make_tables(url)
    app = create_app(
        Settings(
            database_url=url,
            database_durable=False,
            fixed_now=NOW,
            log_level="ERROR",
            secret_key="of no use outside of this test suite",
            var_dir=tmp_path,
            **KEYS,
        )
    )
    with app.app_context():
        session = session_factory(db.engine)()
        ids = [
            register_member(session, kind=MemberKind.PERSON, name=name, now=NOW).id
            for name in ("Li", "Wang")
        ]
        for number, days in enumerate((1, -1)):
            ended = NOW - timedelta(days=RULES["sessions"] + days)
            token = ApiToken(
                member_id=ids[0],
                label="x",
                digest=str(number) * 64,
                scopes=["read"],
                created_at=ended - timedelta(days=1),
                expires_at=ended,
            )
            session.add(token)
            session.flush()
            open_session(
                session,
                member_id=ids[0],
                lifetime=timedelta(hours=1),
                now=ended - timedelta(hours=1),
                token_id=token.id,
            )
            session.add(
                AccessNote(
                    member_id=ids[0],
                    reader_id=ids[1],
                    role=ReaderRole.OFFICER,
                    action="member:read",
                    hour_at=NOW - timedelta(days=RULES["access_notes"] + days),
                )
            )
        session.commit()
        session.close()
    yield app
    with app.app_context():
        db.engine.dispose()


def told(app: Flask, *words: str) -> dict[str, int]:
    done = app.test_cli_runner().invoke(args=["retention", *words])
    assert done.exit_code == 0, done.output
    return {line.split(":")[0]: int(line.split()[1]) for line in done.output.splitlines()}


def test_what_has_run_out_is_counted_then_taken(app: Flask) -> None:
    expected = dict.fromkeys(KINDS, 0) | {"sessions": 1, "access_notes": 1}
    # The session still names the token; with the session gone, the token goes too.
    assert told(app, "run") == expected
    assert told(app, "run") == expected
    assert told(app, "run", "--apply", "--portion", "1") == expected | {"tokens": 1}
    assert told(app, "run") == dict.fromkeys(KINDS, 0)
    with app.app_context():
        for model in (PageSession, ApiToken, AccessNote):
            assert len(db.session.scalars(select(model)).all()) == 1
        db.session.rollback()


def test_rules_are_data_with_their_source(app: Flask) -> None:
    rules = json.loads(OWN_RULES.read_text(encoding="utf-8"))
    assert rules.keys() == KINDS.keys()
    printed = app.test_cli_runner().invoke(args=["retention", "rules"]).output
    for kind, rule in rules.items():
        assert f"{kind}: {rule['days']} days ({rule['source']})" in printed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "has to be a JSON file"),
        ("[]", "an object of kinds"),
        ('{"ledger": {"days": 1, "source": "x"}}', "no kind 'ledger'"),
        ('{"tokens": {"days": 0, "source": "x"}}', "days is a whole number"),
        ('{"tokens": {"days": true, "source": "x"}}', "days is a whole number"),
        ('{"tokens": {"days": 9}}', "whose rule it is"),
        ('{"tokens": 9}', "days is a whole number"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(tmp_path: Path, text: str, said: str) -> None:
    place = tmp_path / "rules.json"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(BadRetentionRules, match=said):
        read_rules(place)


def work(app: Flask, now: datetime = NOW, **how: Any) -> bool:
    """One go of the worker's job at a moment."""
    with app.app_context():
        before, app.extensions["clock"].fixed = app.extensions["clock"].fixed, now
        try:
            return forget_what_has_run_out(db.session(), **how)
        finally:
            app.extensions["clock"].fixed = before
            db.session.remove()


def runs(app: Flask) -> list[RetentionRun]:
    with app.app_context():
        found = list(db.session.scalars(select(RetentionRun).order_by(RetentionRun.on)))
        db.session.expunge_all()
        return found


def test_once_a_day_what_has_run_out_goes(app: Flask) -> None:
    """The day's run, from 03:00 on by the community's clock; the next day has one of its own."""
    early = NOW.replace(hour=18) - timedelta(days=1)  # 02:00 in Shanghai
    assert not work(app, early)
    assert runs(app) == []
    assert work(app)
    [run] = runs(app)
    assert run.on == NOW.date()
    assert run.counts == dict.fromkeys(KINDS, 0) | {"sessions": 1, "access_notes": 1, "tokens": 1}
    assert run.rules["tokens"]["days"] == RULES["tokens"]
    assert "Cybersecurity Law" in run.rules["tokens"]["source"]
    assert (run.finished_at, run.lease_owner) == (NOW, None)
    assert not work(app, NOW + timedelta(hours=3))
    assert len(runs(app)) == 1
    assert told(app, "run") == dict.fromkeys(KINDS, 0)
    with app.app_context():
        event = db.session.scalars(select(Event).where(Event.kind == "retention.run")).one()
        assert event.facts["taken_away"] == run.counts
        assert verify(db.session()).breaches == ()
    # Two days on the other session and note have run out as well.
    assert work(app, NOW + timedelta(days=2))
    assert [run.counts["sessions"] for run in runs(app)] == [1, 1]


def test_a_run_that_was_stopped_or_killed_is_finished_by_the_next(app: Flask) -> None:
    """Stopped after a portion; then held by somebody alive; then its holder is dead."""
    assert not work(app, portion=1, stopping=lambda: True)
    [run] = runs(app)
    assert (run.counts, run.kinds_done, run.finished_at) == ({"sessions": 1}, [], None)
    with app.app_context():
        alive = f"{socket.gethostname()}/{os.getppid()}/x"
        db.session.execute(
            update(RetentionRun).values(lease_owner=alive, lease_until=NOW + timedelta(minutes=5))
        )
        db.session.commit()
    assert not work(app)
    [run] = runs(app)
    assert (run.lease_owner, run.counts) == (alive, {"sessions": 1})
    # Its lease has run out by the next day: what was left is finished before the day's own run.
    later = NOW + timedelta(days=1)
    assert work(app, later)
    assert [(run.on, run.finished_at) for run in runs(app)] == [(NOW.date(), later)]
    assert work(app, later)
    assert [run.on for run in runs(app)] == [NOW.date(), later.date()]
    assert [run.counts["sessions"] for run in runs(app)] == [1, 0]
    assert not work(app, later)


def test_of_two_workers_one_has_the_day(engine: Engine) -> None:
    """Both begin it at the same moment; who was taken for dead writes no more."""
    rules = read_rules()
    holders = [Holder(name, timedelta(minutes=5), lambda _: True) for name in ("a/1/x", "b/1/x")]
    when: dict[str, Any] = {"now": NOW}

    def begin(holder: Holder) -> int | None:
        with session_factory(engine)() as session:
            found = take_run(session, on=NOW.date(), rules=rules, holder=holder, **when)
            session.commit()
            return found

    with session_factory(engine)() as first:
        run_id = take_run(first, on=NOW.date(), rules=rules, holder=holders[0], **when)
        assert run_id is not None
        waits: list[int | None] = []
        other = threading.Thread(target=lambda: waits.append(begin(holders[1])))
        other.start()
        first.commit()
        other.join()
    # Behind the commit it finds the day taken, or, on SQLite, whose holder it was told is dead.
    if waits == [None]:
        waits = [begin(holders[1])]
    assert waits == [run_id]
    with session_factory(engine)() as session:
        with pytest.raises(RetentionTakenOver):
            work_on(session, run_id=run_id, holder=holders[0], limit=9, **when)
        session.rollback()
        assert work_on(session, run_id=run_id, holder=holders[1], limit=9, **when)
        session.commit()
    assert begin(holders[0]) is None


def test_a_host_may_keep_retention_by_hand(app: Flask) -> None:
    settings = app.extensions["settings"]
    assert Settings.from_environ({"RETENTION_AT": "never"}).retention_at is None
    assert Settings.from_environ({}).retention_at == time(3)
    app.extensions["settings"] = replace(settings, retention_at=None)
    assert not work(app)
    assert "retention" not in Worker(app).jobs
    assert runs(app) == []
