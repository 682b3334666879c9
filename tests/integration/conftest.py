"""Sessions on real databases without the web.

`db_session` is on both kinds of database, everything rolled back after the test, also what the code
commits. `engine` is a database of the test's own, for several sessions that really commit.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from community.engine import make_engine
from tests.databases import (
    KINDS,
    database_copy,
    database_like,
    make_tables,
    template_database,
)


@pytest.fixture(scope="session", params=KINDS)
def template_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with all tables and no rows, of either kind; see `tests.databases`."""
    with template_database(request, tmp_path_factory.mktemp("template")) as url:
        yield url


@pytest.fixture(scope="session")
def shared_engine(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all tests that roll back."""
    with database_copy(template_url, tmp_path_factory.mktemp("shared")) as url:
        engine = make_engine(url, durable=False)
        yield engine
        engine.dispose()


@pytest.fixture
def db_session(shared_engine: Engine) -> Iterator[Session]:
    """A session of which nothing stays; commits and rollbacks of the code keep inside."""
    with shared_engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        outer.rollback()


@pytest.fixture(scope="session")
def sqlite_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One SQLite database for tests that roll back, where the kind of database changes nothing."""
    url = f"sqlite:///{tmp_path_factory.mktemp('one') / 'shared.sqlite3'}"
    make_tables(url)
    engine = make_engine(url, durable=False)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_session(sqlite_engine: Engine) -> Iterator[Session]:
    """Like `db_session`, on SQLite alone."""
    with sqlite_engine.connect() as connection:
        outer = connection.begin()
        with Session(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        ) as session:
            yield session
        outer.rollback()


@pytest.fixture
def engine(template_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A database of this test's own."""
    with database_like(template_url, tmp_path) as url:
        engine = make_engine(url, durable=False)
        yield engine
        engine.dispose()
