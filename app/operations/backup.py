"""A backup is a folder: the database at one moment, and a manifest that says what it holds.

Taken while everybody goes on writing: PostgreSQL's own pg_dump under an exported snapshot, SQLite's
online backup. The manifest names the heads of all books as of that same moment. A head is the hash
over everything before it, so whoever restores can see that nothing is missing and nothing changed.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, inspect, text

from community.engine import STATEMENT_TIMEOUT
from community.models import metadata
from config.settings import for_a_child

FORMAT = 1
MANIFEST = "manifest.json"
_FILES = {"postgresql": "database.dump", "sqlite": "database.sqlite3"}
_DUMP = ("--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=60s")
_PIECE = 1024 * 1024


class BackupError(Exception):
    """It cannot be done; the text says why, and what to do."""


@dataclass(frozen=True)
class Head:
    """Where a community's book stands; `community` is its reference, None for the platform's."""

    community: str | None
    records: int
    head_hash: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds, and how to know that it is whole."""

    made_at: str
    database: str
    revision: str
    file: str
    bytes: int
    sha256: str
    books: tuple[Head, ...]

    def write(self, folder: Path) -> None:
        """Put it beside the dump, in order and line by line, for people too."""
        document = {"format": FORMAT, **asdict(self)}
        _write_synced(folder / MANIFEST, json.dumps(document, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a backup. Raises BackupError."""
        try:
            document = json.loads((folder / MANIFEST).read_text("utf-8"))
            if document.pop("format") != FORMAT:
                raise BackupError(
                    f"{folder}: another format of backup than {FORMAT}; restore it with the "
                    "version that made it."
                )
            books = tuple(Head(**head) for head in document.pop("books"))
            manifest = cls(**document, books=books)
            if manifest.file != _FILES[manifest.database]:
                raise KeyError(manifest.file)  # no path that leads elsewhere
        except FileNotFoundError:
            raise BackupError(f"{folder}: no backup; {MANIFEST} is not there.") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
            raise BackupError(f"{folder / MANIFEST}: cannot be read ({fault!r}).") from None
        return manifest


def back_up(engine: Engine, folder: Path, *, programs: Path | None, now: datetime) -> Manifest:
    """Write a backup into `folder`, which must not be there yet: whole, or not at all."""
    if folder.exists():
        raise BackupError(f"{folder}: is there already; name a folder that is not.")
    kind = engine.dialect.name
    draft = folder.with_name(folder.name + ".partial")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    # Everybody's debts: nobody but the owner reads it.
    draft.chmod(0o700)
    dump = draft / _FILES[kind]
    try:
        if kind == "sqlite":
            revision, books = _copy_sqlite(engine, dump)
        else:
            revision, books = _dump_postgresql(engine, dump, programs)
        dump.chmod(0o600)
        manifest = Manifest(
            made_at=now.isoformat(timespec="seconds"),
            database=kind,
            revision=revision,
            file=dump.name,
            bytes=dump.stat().st_size,
            sha256=_digest(dump),
            books=books,
        )
        manifest.write(draft)
        _sync(dump)
        draft.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def restore(engine: Engine, folder: Path, *, programs: Path | None, known: set[str]) -> Manifest:
    """Fill the engine's database, which has to be empty, from a backup; whole, or not at all.

    `known` are the revisions that this code can bring up to date. What came is compared with the
    manifest. Raises BackupError.
    """
    manifest = Manifest.read(folder)
    dump = folder / manifest.file
    if manifest.database != engine.dialect.name:
        raise BackupError(
            f"{folder}: a backup of {manifest.database} does not go into {engine.dialect.name}; "
            f"let DATABASE_URL name a {manifest.database} database."
        )
    if manifest.revision not in known:
        raise BackupError(
            f"{folder}: has migration {manifest.revision}, which this version does not know; "
            "restore it with the version that made it, or a later one."
        )
    if not dump.is_file():
        raise BackupError(f"{dump}: is not there; the backup is not whole.")
    if dump.stat().st_size != manifest.bytes or _digest(dump) != manifest.sha256:
        raise BackupError(f"{dump}: is not what {MANIFEST} says; the backup is damaged.")
    with engine.connect() as connection:
        if _tables(connection):
            raise BackupError(
                "The database that DATABASE_URL names is not empty; a backup is restored into an "
                "empty one only. Make a new database, and name that."
            )
    if manifest.database == "sqlite":
        _restore_sqlite(engine, dump, manifest)
    else:
        _restore_postgresql(engine, dump, programs, manifest)
    return manifest


def _copy_sqlite(engine: Engine, dump: Path) -> tuple[str, tuple[Head, ...]]:
    with engine.connect() as connection, closing(sqlite3.connect(dump)) as copy:
        # All pages in one step: one reader's view of the file, which keeps no writer waiting.
        source: Any = connection.connection.driver_connection
        source.backup(copy)
        # One file, without a journal beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
    with _opened(engine.url.set(database=str(dump))) as connection:
        return _state(connection)


def _restore_sqlite(engine: Engine, dump: Path, manifest: Manifest) -> None:
    target = Path(str(engine.url.database))
    if str(target) in ("None", "", ":memory:"):
        raise BackupError("DATABASE_URL: names no file; a backup is restored into one.")
    draft = target.with_name(target.name + ".restoring")
    try:
        shutil.copyfile(dump, draft)
        draft.chmod(0o600)
        with _opened(engine.url.set(database=str(draft))) as connection:
            _compare(connection, manifest)
        _sync(draft)
        engine.dispose()
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)
        draft.rename(target)
        _sync(target.parent)
    finally:
        for ending in ("", "-wal", "-shm"):
            draft.with_name(draft.name + ending).unlink(missing_ok=True)


def _dump_postgresql(
    engine: Engine, dump: Path, programs: Path | None
) -> tuple[str, tuple[Head, ...]]:
    with (
        engine.connect().execution_options(
            isolation_level="REPEATABLE READ", **{STATEMENT_TIMEOUT: 0}
        ) as connection,
        connection.begin(),
    ):
        # What is read here and what pg_dump reads is the same moment.
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        found = _state(connection)
        _run(
            "pg_dump",
            [*_DUMP, f"--snapshot={snapshot}", f"--file={dump}"],
            engine,
            programs,
        )
    return found


def _restore_postgresql(
    engine: Engine, dump: Path, programs: Path | None, manifest: Manifest
) -> None:
    _run(
        "pg_restore",
        ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(dump)],
        engine,
        programs,
    )
    with engine.connect().execution_options(**{STATEMENT_TIMEOUT: 0}) as connection:
        _compare(connection, manifest)


def _run(program: str, arguments: list[str], engine: Engine, programs: Path | None) -> None:
    """Run one of PostgreSQL's programs on a database, its password where nobody else looks."""
    found = shutil.which(program, path=None if programs is None else str(programs))
    if found is None:
        where = "the PATH" if programs is None else str(programs)
        raise BackupError(
            f"There is no {program} in {where}; install PostgreSQL's client programs of the "
            "server's version or later, or name their folder in POSTGRES_PROGRAMS."
        )
    asked = engine.dialect.create_connect_args(engine.url)[1]
    asked = {name: value for name, value in asked.items() if isinstance(value, str | int)}
    # A list of processes shows arguments to everybody, so the password goes another way.
    password = asked.pop("password", None)
    environment = for_a_child(**({} if password is None else {"PGPASSWORD": str(password)}))
    done = subprocess.run(  # noqa: S603  a program of PostgreSQL's, no shell
        [found, "--no-password", f"--dbname={make_conninfo(**asked)}", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-5:]
        raise BackupError(f"{program} failed, and nothing was kept: {' / '.join(said)}")


def _state(connection: Connection) -> tuple[str, tuple[Head, ...]]:
    """The revision and the heads of all books. Raises BackupError where there are no tables."""
    if not {"alembic_version", "books"} <= _tables(connection):
        raise BackupError("The database has no tables of ours; `flask db upgrade` makes them.")
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    rows = connection.execute(
        text(
            "SELECT communities.reference, books.records, books.head_hash FROM books"
            " LEFT JOIN communities ON communities.id = books.community_id ORDER BY books.id"
        )
    )
    return str(revision), tuple(Head(*row) for row in rows)


def _compare(connection: Connection, manifest: Manifest) -> None:
    """What came is what was saved: the revision, every book's head, and numbers that go on."""
    revision, books = _state(connection)
    if (revision, books) != (manifest.revision, manifest.books):
        raise BackupError("What was restored is not what the manifest says: do not use it.")
    behind = _sequences_behind(connection)
    if behind:
        raise BackupError(f"Numbers would be given twice in {', '.join(behind)}: do not use it.")


def _sequences_behind(connection: Connection) -> list[str]:
    """Tables whose next number is taken already (PostgreSQL; SQLite looks at the rows itself)."""
    if connection.dialect.name == "sqlite":
        return []
    behind = []
    for name in sorted(_tables(connection) & metadata.tables.keys()):
        column = metadata.tables[name].autoincrement_column
        if column is None:
            continue
        sequence = connection.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": name, "column": column.name},
        )
        if sequence is None:
            continue
        last = connection.scalar(
            text("SELECT coalesce(pg_sequence_last_value(CAST(:name AS regclass)), 0)"),
            {"name": sequence},
        )
        highest = connection.exec_driver_sql(
            f"SELECT coalesce(max({column.name}), 0) FROM {name}"  # noqa: S608  names of ours
        ).scalar_one()
        if highest > (last or 0):
            behind.append(name)
    return behind


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


@contextmanager
def _opened(url: URL) -> Iterator[Connection]:
    # Not the platform's engine: that would put a journal beside the file.
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _write_synced(file: Path, content: str) -> None:
    file.write_text(content, "utf-8")
    file.chmod(0o600)
    _sync(file)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
