"""How the platform talks to its database: one engine, wired the same for SQLite and PostgreSQL.

Whoever needs tables without the web (tests of the domain, tools) makes an engine and sessions
here; the web makes its engine here too, so that both obey the same rules.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

from community.sealing import Keyring, give_keys

# A session that is going to write asks for this execution option on its connection.
WRITE_LOCK = "write_lock"
# How long statements of one transaction may take, where that differs from the engine's (ms).
STATEMENT_TIMEOUT = "statement_timeout_ms"

# Pages of an SQLite file that a connection may keep, taken as they are needed. With SQLite's own
# 2 MiB a large write throws pages of its indexes out and reads them in again.
PAGE_CACHE_KIB = 16 * 1024


def make_engine(
    url: str | URL,
    *,
    pool_size: int = 5,
    durable: bool = True,
    lock_timeout_ms: int = 5_000,
    statement_timeout_ms: int = 15_000,
    keys: Keyring | None = None,
    **options: Any,
) -> Engine:
    """An engine on which the laws can be kept.

    SQLite: foreign keys are enforced, readers never wait for the writer (WAL), and a transaction
    that asks for the write lock takes it at its start. `durable` syncs every commit to the disk:
    a payment that was acknowledged must survive a power cut. Only tests, which throw their files
    away, do without.

    PostgreSQL: READ COMMITTED, since services lock the rows that they decide on; nobody waits
    longer than `lock_timeout_ms` for a lock, no statement runs longer than
    `statement_timeout_ms` (0: without end).

    `keys` seal personal identifiers and open them; without any they cannot be read or written.
    """
    url = database_url(url)
    # Statements that fail must not carry members' data into the log.
    options.setdefault("hide_parameters", True)
    if url.get_backend_name() == "sqlite":
        engine = _make_sqlite(url, pool_size, durable, lock_timeout_ms, options)
        give_keys(engine.dialect, keys)
        return engine
    settings = {
        "lock_timeout": str(lock_timeout_ms),
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
        "timezone": "UTC",
        "application_name": "lianbao",
    }
    flags = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = url.query.get("options")
    engine = create_engine(
        url.difference_update_query(["options"]),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        # What the address itself asks for comes last and so counts.
        connect_args={
            "options": f"{flags} {given}" if isinstance(given, str) else flags,
            "connect_timeout": 5,
        },
        **options,
    )
    event.listen(engine, "begin", _begin_postgresql)
    give_keys(engine.dialect, keys)
    return engine


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose rows stay readable after the commit, so that an answer reads nothing again."""
    return sessionmaker(engine, expire_on_commit=False)


def database_url(url: str | URL) -> URL:
    """The address with the driver that we use filled in."""
    parsed = make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _make_sqlite(
    url: URL, pool_size: int, durable: bool, lock_timeout_ms: int, options: dict[str, Any]
) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if in_memory:
        # Every connection to memory is a database of its own: all share one.
        options.setdefault("poolclass", StaticPool)
    else:
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        options.setdefault("pool_size", pool_size)
        options.setdefault("max_overflow", pool_size)
    engine = create_engine(
        url,
        # None: the driver begins nothing by itself; `_begin_sqlite` decides how to begin.
        connect_args={"isolation_level": None, "check_same_thread": False},
        **options,
    )
    synchronous = "FULL" if durable else "OFF"

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {lock_timeout_ms}")
        cursor.execute("PRAGMA foreign_keys = ON")
        if not in_memory:
            cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute(f"PRAGMA cache_size = -{PAGE_CACHE_KIB}")
        cursor.close()

    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can find itself unable to: another one wrote
    # in between. Who is going to write therefore says so at the start, and waits its turn there.
    wants_lock = connection.get_execution_options().get(WRITE_LOCK)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if wants_lock else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    timeout_ms = connection.get_execution_options().get(STATEMENT_TIMEOUT)
    if timeout_ms is not None:
        # Who takes long over statements takes long between them too, reading a file for example.
        # Both in one statement: a command may begin very many transactions.
        connection.exec_driver_sql(
            f"SELECT set_config('statement_timeout', '{int(timeout_ms)}', true),"
            " set_config('idle_in_transaction_session_timeout', '0', true)"
        ).close()
