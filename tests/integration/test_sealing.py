"""Personal identifiers are sealed: read by whoever has the keys, found in no copy of the file."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import String, func, select, text, type_coerce, update
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from app import create_app
from app.extensions import db
from community.engine import make_engine, session_factory
from community.members import queries, service
from community.members.models import Credential, Household, Member, MemberKind
from community.sealing import CannotOpen, Keyring
from community.verification import verify
from config.settings import Settings
from tests.databases import make_tables
from tests.keys import DATA_KEYS, INDEX_KEY, KEYS

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
NEW = ("next", bytes(range(64, 96)))
REFERENCES = [f"330106-1987-{number:04}" for number in range(7)]


def enter(session: Session) -> None:
    """Seven members of seven households; the first signs in by a telephone number."""
    for reference in REFERENCES:
        home = service.create_household(session, reference=f"door-{reference}", now=NOW)
        member = service.register_member(
            session,
            kind=MemberKind.PERSON,
            name="李伟",
            reference=reference,
            household_id=home.id,
            now=NOW,
        )
    session.add(
        Credential(
            member_id=member.id,
            login_name="+8613800138000",
            password_hash="$argon2id$x",
            created_at=NOW,
            changed_at=NOW,
        )
    )
    session.commit()


def test_what_is_sealed_is_read_and_found_again(db_session: Session) -> None:
    enter(db_session)
    db_session.expunge_all()
    found = queries.find_member_by_reference(db_session, REFERENCES[3])
    assert found is not None
    assert found.reference == REFERENCES[3]
    listed = db_session.scalars(select(Member.reference).order_by(Member.id)).all()
    assert listed == REFERENCES
    with pytest.raises(StatementError, match="compare its blind index"):
        db_session.scalar(select(Member).where(Member.reference == REFERENCES[3]))
    found.reference = "another"
    db_session.flush()
    db_session.expire_all()
    assert queries.find_member_by_reference(db_session, REFERENCES[3]) is None
    again = queries.find_member_by_reference(db_session, "another")
    assert (again, found.reference) == (found, "another")
    found.reference = None
    db_session.flush()
    assert db_session.scalar(select(Member.reference_index).where(Member.id == found.id)) is None


def test_the_same_value_never_looks_the_same_and_opens_nowhere_else(db_session: Session) -> None:
    enter(db_session)
    raw = type_coerce(Member.reference, String)
    first, second = db_session.execute(select(Member.id, raw).order_by(Member.id).limit(2)).all()
    keys = Keyring(DATA_KEYS, INDEX_KEY)
    place = {"table": "members", "column": "reference", "row": "mem_1"}
    assert keys.seal("x", **place) != keys.seal("x", **place)
    for other in ({"table": "households"}, {"column": "name"}, {"row": "mem_2"}):
        with pytest.raises(CannotOpen, match="another row"):
            keys.open(keys.seal("x", **place), **(place | other))
    # Moved by hand into another row, with its index: that row cannot be read any more.
    db_session.execute(text(f"UPDATE members SET reference_index = 'x' WHERE id = {first.id}"))
    db_session.execute(
        update(Member).where(Member.id == second.id).values(reference=type_coerce(first[1], String))
    )
    with pytest.raises(CannotOpen, match="another row"):
        db_session.scalar(select(Member.reference).where(Member.id == second.id))


def test_no_plain_value_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "book.sqlite3"
    url = f"sqlite:///{file}"
    make_tables(url)
    engine = make_engine(url, durable=False)
    with session_factory(engine)() as session:
        enter(session)
    engine.dispose()
    raw = file.read_bytes()
    dump = "\n".join(sqlite3.connect(file).iterdump())
    for secret in (*REFERENCES, "door-", "13800138000"):
        assert secret.encode() not in raw
        assert secret not in dump
    assert dump.count("enc1:test:") == 15


def test_other_keys_read_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/book.sqlite3"
    make_tables(url)
    engine = make_engine(url, durable=False)
    with session_factory(engine)() as session:
        enter(session)
    engine.dispose()
    stranger = make_engine(url, keys=Keyring([("test", bytes(32))], INDEX_KEY))
    with session_factory(stranger)() as session, pytest.raises(CannotOpen):
        session.scalars(select(Member.reference)).all()
    stranger.dispose()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with seven members."""
    url = f"sqlite:///{tmp_path}/book.sqlite3"
    make_tables(url)
    engine = make_engine(url, durable=False)
    with session_factory(engine)() as session:
        enter(session)
    engine.dispose()
    return url


def application(url: str, folder: Path, **keys: object) -> Flask:
    settings = {"secret_key": "of no use outside of this test suite", "log_level": "ERROR"}
    return create_app(
        Settings(
            database_url=url,
            database_durable=False,
            var_dir=folder,
            **(KEYS | settings | keys),
        )
    )


def run(app: Flask, *words: str) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=list(words))
    with app.app_context():
        db.engine.dispose()
    return done.exit_code, done.output


def test_keys_are_rotated_in_portions_and_from_where_it_stopped(url: str, tmp_path: Path) -> None:
    before = application(url, tmp_path)
    code, told = run(before, "keys", "status")
    assert code == 0
    assert "members.reference: 7 by test (first)" in told
    both = application(url, tmp_path, personal_data_keys=(NEW, *DATA_KEYS))
    # Stopped after two portions, one login name and two doors: the rest goes on later.
    code, told = run(both, "keys", "rotate", "--portion", "2", "--portions-max", "2")
    assert (code, "3 values" in told) == (0, True)
    with both.app_context():
        raw = type_coerce(Household.reference, String)
        mine = func.count().filter(raw.startswith("enc1:next:"))
        assert db.session.execute(select(mine, func.count()).select_from(Household)).one() == (2, 7)
        assert len(db.session.scalars(select(Household.reference)).all()) == 7
    code, told = run(both, "keys", "rotate", "--portion", "2")
    assert (code, "12 values" in told) == (0, True)
    assert "0 values" in run(both, "keys", "rotate")[1]
    only_new = application(url, tmp_path, personal_data_keys=(NEW,))
    with only_new.app_context():
        found = queries.find_member_by_reference(db.session(), REFERENCES[6])
        assert found is not None
        assert found.reference == REFERENCES[6]
        assert verify(db.session()).breaches == ()
    assert run(only_new, "keys", "status")[0] == 0
    # Without the key that it is sealed by, status says so, and nothing is rotated.
    code, told = run(before, "keys", "status")
    assert code == 1
    assert "7 by next (missing)" in told
    code, told = run(before, "keys", "rotate")
    assert code == 1
    assert "next" in told


def test_a_new_index_key_is_made_known_by_reindexing(url: str, tmp_path: Path) -> None:
    other = application(url, tmp_path, personal_index_key=bytes(32))
    with other.app_context():
        assert queries.find_member_by_reference(db.session(), REFERENCES[0]) is None
        said = {breach.what for breach in verify(db.session()).breaches}
    assert said == {"is not found by its blind index"}
    assert run(other, "keys", "reindex") == (0, "15 blind indexes made anew\n")
    with other.app_context():
        assert queries.find_member_by_reference(db.session(), REFERENCES[0]) is not None
        assert verify(db.session()).breaches == ()
