"""A backup taken while people pay, restored elsewhere: the same books, and life goes on."""

import json
import os
import shlex
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import stamp
from sqlalchemy import Engine, inspect, make_url, select, text

from app import create_app
from app.extensions import db
from app.health import revisions
from app.operations.backup import BackupError, Manifest, back_up, restore
from community.engine import make_engine, session_factory
from community.ledger.models import Book
from community.savings import service as savings
from community.verification import verify
from config.settings import Settings
from tests.hamlet import Hamlet, yuan
from tests.keys import KEYS
from tests.servers import fresh_database, postgres_programs

PASSWORD = "hush-hush-not-in-any-list"
# Waits until somebody has paid in meanwhile, then does what it was asked for.
SLOW = """#!/bin/sh
echo "$PGPASSWORD $@" >> {folder}/asked
touch {folder}/begun
while [ "$(basename $0)" = pg_dump ] && [ ! -e {folder}/paid ]; do sleep 0.02; done
exec {program} "$@"
"""


@dataclass
class Place:
    """A database with a hamlet in it, PostgreSQL's programs, and room for backups."""

    engine: Engine
    app: Flask
    folder: Path
    programs: Path
    hamlet: Hamlet

    def run(self, *args: str, app: Flask | None = None) -> tuple[int, str]:
        result = (app or self.app).test_cli_runner().invoke(args=args)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    def backed_up(self) -> Path:
        code, said = self.run("backup", str(self.folder / "saved"))
        assert code == 0, said
        return self.folder / "saved"


@pytest.fixture
def place(engine: Engine, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    with ExitStack() as stack:
        programs = tmp_path / "programs"
        programs.mkdir()
        if engine.dialect.name == "postgresql":
            real = stack.enter_context(postgres_programs())
            for name in ("pg_dump", "pg_restore"):
                script = SLOW.format(
                    folder=shlex.quote(str(programs)), program=shlex.quote(str(real / name))
                )
                (programs / name).write_text(script)
                (programs / name).chmod(stat.S_IRWXU)
        app = stack.enter_context(served(engine.url.set(password=secret(engine)), programs))
        with app.app_context():
            stamp()
        session = stack.enter_context(session_factory(engine)())
        hamlet = Hamlet(session)
        hamlet.fund(1_000)
        hamlet.person("ben")
        hamlet.person("uma", stake=100)
        hamlet.vouch("uma", "ben", 100)
        hamlet.repay(hamlet.lend("ben", 80), 30)
        yield Place(engine, app, tmp_path, programs, hamlet)


def secret(engine: Engine) -> str | None:
    return PASSWORD if engine.dialect.name == "postgresql" else None


@contextmanager
def served(url: Any, programs: Path) -> Iterator[Flask]:
    app = create_app(
        Settings(
            database_url=make_url(url).render_as_string(hide_password=False),
            database_durable=False,
            log_level="ERROR",
            secret_key="of no use outside of this test suite",
            var_dir=programs,
            postgres_programs=programs,
            **KEYS,
        )
    )
    try:
        yield app
    finally:
        with app.app_context():
            db.engine.dispose()


@contextmanager
def empty_database(place: Place, request: pytest.FixtureRequest) -> Iterator[str]:
    if place.engine.dialect.name == "sqlite":
        yield f"sqlite:///{place.folder}/elsewhere/restored.sqlite3"
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


def heads(engine: Engine) -> list[tuple[int, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(Book.records, Book.head_hash).order_by(Book.id))
        return [(row[0], row[1]) for row in rows]


def test_saved_while_people_pay_and_restored_elsewhere(
    place: Place, request: pytest.FixtureRequest
) -> None:
    reached = [heads(place.engine)]
    enough, over = threading.Event(), threading.Event()

    def pay_in() -> None:
        (place.programs / "begun").touch() if place.engine.dialect.name == "sqlite" else None
        during = 0
        with session_factory(place.engine)() as session:
            while not over.is_set():
                member = place.hamlet.people["uma"]
                savings.deposit(
                    session,
                    community_id=1,
                    member_id=member.id,
                    amount=yuan(7),
                    actor_id=None,
                    on=place.hamlet.day,
                    now=place.hamlet.now,
                )
                session.commit()
                reached.append(heads(place.engine))
                during += (place.programs / "begun").exists()
                if during == 3:
                    (place.programs / "paid").touch()
                    enough.set()

    payer = threading.Thread(target=pay_in)
    payer.start()
    try:
        saved = place.backed_up()
        assert enough.wait(30)
    finally:
        over.set()
        payer.join()
    place.hamlet.save("uma", 7)
    manifest = Manifest.read(saved)
    kept = [(head.records, head.head_hash) for head in manifest.books]
    # The books of one moment, after which people went on paying.
    assert kept in reached
    assert heads(place.engine) != kept
    assert manifest.revision in revisions_of(place.app)
    with empty_database(place, request) as url, served(url, place.programs) as elsewhere:
        code, said = place.run("restore", str(saved), app=elsewhere)
        assert (code, "all laws hold" in said) == (0, True), said
        assert place.run("ledger", "verify", "--quiet", app=elsewhere)[0] == 0
        restored = make_engine(url)
        try:
            assert heads(restored) == kept
            # Life goes on there: numbers are not given twice, the past is guarded as before.
            with session_factory(restored)() as session:
                place.hamlet.session = session
                place.hamlet.person("late comer", stake=10)
                assert verify(session).breaches == ()
                with pytest.raises(Exception, match="the past is not changed"):
                    session.execute(text("DELETE FROM events"))
        finally:
            restored.dispose()
        # Nothing is ever restored over what somebody works with.
        code, said = place.run("restore", str(saved), app=elsewhere)
        assert code == 1
        assert "not empty" in said
    if place.engine.dialect.name == "postgresql":
        asked = (place.programs / "asked").read_text().splitlines()
        assert asked[0].partition(" ")[0] == PASSWORD
        assert PASSWORD not in asked[0].partition(" ")[2]


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("template_url", [kind], indirect=True)


@of_kind("postgresql")  # SQLite has no sequences: the next number is one more than the highest
def test_a_number_that_would_be_given_twice_is_found(
    place: Place, request: pytest.FixtureRequest
) -> None:
    with place.engine.begin() as connection:
        connection.execute(text("SELECT setval('books_id_seq', 1)"))
    (place.programs / "paid").touch()
    saved = place.backed_up()
    with (
        empty_database(place, request) as url,
        pytest.raises(BackupError, match="twice in books"),
    ):
        restored_to(url, saved, place)


@of_kind("sqlite")
def test_what_is_damaged_or_strange_is_refused(
    place: Place, request: pytest.FixtureRequest
) -> None:
    saved = place.backed_up()
    dump = next(saved.glob("database.*"))
    whole = dump.read_bytes()
    document = json.loads((saved / "manifest.json").read_text())
    # Nobody but the owner reads what everybody owes.
    assert {os.stat(file).st_mode & 0o077 for file in (saved, *saved.iterdir())} == {0}
    code, said = place.run("backup", str(saved))
    assert (code, "is there already" in said) == (1, True)
    url = f"sqlite:///{place.folder}/elsewhere/restored.sqlite3"

    def refused(why: str, **changed: Any) -> None:
        (saved / "manifest.json").write_text(json.dumps({**document, **changed}))
        with pytest.raises(BackupError, match=why):
            restored_to(url, saved, place)
        with make_engine(url).connect() as connection:
            assert inspect(connection).get_table_names() == []

    refused("does not know", revision="9999")
    refused("another format", format=2)
    refused("cannot be read", file="../../etc/passwd")
    refused("does not go into", database="postgresql", file="database.dump")
    moved = [document["books"][0] | {"head_hash": "0" * 64}, *document["books"][1:]]
    refused("not what the manifest says", books=moved)
    dump.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("is damaged")
    dump.unlink()
    refused("not whole")
    (saved / "manifest.json").unlink()
    code, said = place.run("restore", str(saved))
    assert (code, "no backup" in said) == (1, True)


@of_kind("postgresql")
def test_without_the_programs_it_says_what_to_install(place: Place) -> None:
    nowhere = place.folder / "nowhere"
    with pytest.raises(BackupError, match=r"no pg_dump in .*install"):
        back_up(place.engine, place.folder / "x", programs=nowhere, now=place.hamlet.now)
    (place.programs / "pg_dump").write_text("#!/bin/sh\necho 'server version mismatch' >&2; exit 1")
    with pytest.raises(BackupError, match="nothing was kept: server version mismatch"):
        back_up(place.engine, place.folder / "x", programs=place.programs, now=place.hamlet.now)
    assert not [path for path in place.folder.iterdir() if path.name.startswith("x")]


def restored_to(url: str, saved: Path, place: Place) -> None:
    engine = make_engine(url)
    try:
        restore(engine, saved, programs=place.programs, known=revisions_of(place.app))
    finally:
        engine.dispose()


def revisions_of(app: Flask) -> set[str]:
    with app.app_context():
        return revisions()[0]
