"""Databases for tests: the platform's tables, in SQLite files and in PostgreSQL."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, make_url

from community.engine import make_engine
from community.models import metadata
from tests.servers import fresh_database

KINDS = ["sqlite", "postgresql"]


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
    if request.param == "sqlite":
        url = f"sqlite:///{folder / 'template.sqlite3'}"
        make_tables(url)
        yield url
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        make_tables(url)
        yield url


@contextmanager
def database_copy(template: str, folder: Path) -> Iterator[str]:
    """The URL of a copy of a template database, gone when the block ends."""
    if template.startswith("sqlite"):
        copy = folder / f"{uuid.uuid4().hex}.sqlite3"
        shutil.copyfile(template.removeprefix("sqlite:///"), copy)
        yield f"sqlite:///{copy}"
        return
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
    """Take all rows out, and whatever tables the test added; whoever is still connected goes."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        ]
        for name in set(tables) - metadata.tables.keys():
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(name)))
        known = sorted(set(tables) & metadata.tables.keys())
        question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(
                sql.Literal(name), sql.Identifier(name)
            )
            for name in known
        )
        full = [name for (name,) in connection.execute(question)]
        if full:
            # The triggers that guard the journal's past are for the living.
            connection.execute("SET session_replication_role = replica")
            connection.execute(
                sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(
                    sql.SQL(", ").join(sql.Identifier(name) for name in full)
                )
            )
