"""What has run out is counted first, then taken away; the rest and the books stay."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.extensions import db
from community.engine import session_factory
from community.members.models import ApiToken, MemberKind, PageSession
from community.members.service import register_member
from community.members.signin import open_session
from community.personal.errors import BadRetentionRules
from community.personal.models import AccessNote, ReaderRole
from community.personal.retention import KINDS, OWN_RULES, read_rules
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
