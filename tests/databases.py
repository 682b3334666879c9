"""Databases for tests: the platform's tables, in SQLite files and in PostgreSQL."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, make_url

from community.engine import make_engine
from community.models import metadata
from tests.servers import fresh_database

KINDS = ["sqlite", "postgresql"]
# From this size on a table is truncated.
LARGE_BYTES = 1 << 20

_LASTING: dict[str, ExitStack] = {}
_CLEANERS: dict[str, "psycopg.Connection[Any]"] = {}


def make_tables(url: str) -> None:
    """Make all tables as the models say; migrations have a test of their own."""
    engine = make_engine(url, durable=False)
    try:
        create_all(engine)
    finally:
        engine.dispose()


def create_all(bind: Engine | Connection) -> None:
    """Make all tables, with all references.

    One that PostgreSQL got by ALTER TABLE is marked, and left out of what is made after it.
    """
    for table in metadata.tables.values():
        for reference in table.foreign_key_constraints:
            reference._create_rule = None
    metadata.create_all(bind)


@contextmanager
def template_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """A database with all tables and no rows, of the kind that `request.param` names."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'template.sqlite3'}"
        else:
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_url")))
            stack.callback(_leave, url)
        make_tables(url)
        _LASTING[url] = stack
        stack.callback(_LASTING.pop, url)
        yield url


@contextmanager
def sqlite_template(folder: Path) -> Iterator[str]:
    """The same on SQLite, for whoever needs no other kind."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'template.sqlite3'}"
        make_tables(url)
        _LASTING[url] = stack
        stack.callback(_LASTING.pop, url)
        yield url


def lasting_copy(template: str, folder: Path) -> str:
    """The URL of a copy of a template database that lasts as long as the template."""
    return _LASTING[template].enter_context(database_copy(template, folder))


@contextmanager
def database_copy(template: str, folder: Path) -> Iterator[str]:
    """The URL of a copy of a template database, gone when the block ends."""
    if template.startswith("sqlite"):
        copy = folder / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copyfile(template.removeprefix("sqlite:///"), copy)
        yield f"sqlite:///{copy}"
        return
    _leave(template)
    server, _, name = template.rpartition("/")
    with fresh_database(f"{server}/postgres", template=name) as url:
        yield url


@contextmanager
def database_like(template: str, folder: Path) -> Iterator[str]:
    """The URL of a database with all tables and no rows, for one test at a time.

    On PostgreSQL a copy takes half a second: there the template itself is lent out, and emptied
    when the block ends.
    """
    if template.startswith("sqlite"):
        with database_copy(template, folder) as url:
            yield url
        return
    try:
        yield template
    finally:
        _empty(template)


def make_empty(url: str, template: str) -> None:
    """Take all rows out of a database made like `template`. Nobody may be connected to it."""
    if not url.startswith("sqlite"):
        _empty(url)
        return
    file = Path(url.removeprefix("sqlite:///"))
    for ending in ("-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    shutil.copyfile(template.removeprefix("sqlite:///"), file)


def _empty(url: str) -> None:
    """Take all rows out, and whatever tables the test added; whoever is still connected goes.

    Rows are deleted where they are few: a TRUNCATE makes new files, 500 ms for those of a test.
    """
    connection = _cleaner(url)
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
    }
    for name in tables - metadata.tables.keys():
        connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
    question = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {0}, pg_relation_size({0}) WHERE EXISTS (SELECT FROM {1})").format(
            sql.Literal(name), sql.Identifier(name)
        )
        for name in sorted(tables & metadata.tables.keys())
    )
    full = dict(connection.execute(question).fetchall())
    large = [name for name, size in full.items() if size > LARGE_BYTES]
    if large:
        connection.execute(
            sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(
                sql.SQL(", ").join(map(sql.Identifier, large))
            )
        )
    small = full.keys() - set(large)
    with connection.transaction():
        for name in small:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
    connection.execute(
        "SELECT setval(numbers.oid, 1, false) FROM pg_class AS numbers"
        " JOIN pg_depend AS owned ON owned.objid = numbers.oid AND owned.deptype IN ('a', 'i')"
        " JOIN pg_class AS tables ON tables.oid = owned.refobjid"
        " WHERE numbers.relkind = 'S' AND tables.relname = ANY(%s)",
        [list(small)],
    )


def _cleaner(url: str) -> "psycopg.Connection[Any]":
    """The connection that empties a database, kept: a new one has to learn all tables first."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    if plain not in _CLEANERS or _CLEANERS[plain].closed:
        _CLEANERS[plain] = psycopg.connect(plain, autocommit=True)
        # The triggers that guard the journal's past are for the living.
        _CLEANERS[plain].execute("SET session_replication_role = replica")
    return _CLEANERS[plain]


def _leave(url: str) -> None:
    """Nobody may be connected to a database that is copied."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    if plain in _CLEANERS:
        _CLEANERS.pop(plain).close()
