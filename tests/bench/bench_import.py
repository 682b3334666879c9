"""CSV import into an SQLite file, against plain sqlite3 inserts of the same rows.

End to end: reading, checking, writing, durable commit. The peer gets the finished rows and the
same empty tables with the same constraints, and does nothing but insert and commit.
"""

import io
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from app.transaction import run_unit
from community.bulk import collector_paused
from community.engine import make_engine, session_factory
from community.importing.communities import import_communities, read_communities
from community.importing.people import import_people, read_people
from community.importing.report import Report
from community.importing.savings import import_savings, read_savings
from community.importing.ties import import_ties, read_ties
from tests.databases import create_all

ROWS = 100_000
COMMUNITIES = 40
REPEATS = 3
ON = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

Kind = tuple[str, Callable[..., Any], Callable[..., Report], list[str]]
KINDS: list[Kind] = [
    (
        "people",
        read_people,
        import_people,
        ["households", "members", "memberships", "membership_changes"],
    ),
    ("ties", read_ties, import_ties, ["vouches"]),
    (
        "savings",
        read_savings,
        import_savings,
        ["accounts", "journal_entries", "postings", "savings_movements", "standings"],
    ),
]


def run(rows: int = ROWS, repeats: int = REPEATS) -> None:
    """Print rows per second (median) and the time in multiples of the peer's."""
    files = {
        "people": people_csv(rows),
        "ties": ties_csv(rows),
        "savings": savings_csv(rows),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind, *_ in KINDS}
    peer: dict[str, list[float]] = {kind: [] for kind, *_ in KINDS}
    processor: dict[str, list[float]] = {kind: [] for kind, *_ in KINDS}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.sqlite3"
            engine = make_engine(f"sqlite:///{path}")
            create_all(engine)
            _import(engine, "communities", read_communities, import_communities, communities_csv())
            for kind, read, write, tables in KINDS:
                started, cpu = time.perf_counter(), time.process_time()
                _import(engine, kind, read, write, files[kind])
                seconds[kind].append(time.perf_counter() - started)
                processor[kind].append(time.process_time() - cpu)
                peer[kind].append(_peer(path, tables, Path(folder)))
            engine.dispose()
    for kind, *_ in KINDS:
        ours, theirs = statistics.median(seconds[kind]), statistics.median(peer[kind])
        print(
            f"   {kind:8} {rows:,} rows  {rows / ours:>8,.0f} rows/s  {ours:6.2f} s "
            f"({statistics.median(processor[kind]):.2f} s of processor)  "
            f"{ours / theirs:4.1f} × plain inserts ({theirs:.2f} s)"
        )


def _import(
    engine: Engine,
    kind: str,
    read: Callable[..., Any],
    write: Callable[..., Report],
    text: str,
) -> None:
    report = Report(kind)
    with collector_paused():
        rows = read(io.BytesIO(text.encode()), report, on=ON)
        with session_factory(engine)() as session:
            run_unit(session, write, rows, report, on=ON, now=NOW)
    if report.new != report.rows:
        raise RuntimeError(report.summary())


def _peer(path: Path, tables: list[str], folder: Path) -> float:
    """Seconds to insert the rows of these tables into an empty copy of the schema, and commit."""
    source = sqlite3.connect(path)
    target_path = folder / "peer.sqlite3"
    target_path.unlink(missing_ok=True)
    target = sqlite3.connect(target_path, isolation_level=None)
    target.execute("PRAGMA journal_mode = WAL")
    target.execute("PRAGMA synchronous = FULL")
    # Plain inserts: the guards of the books want each entry in its turn, with its head.
    schema = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'"
    for (statement,) in source.execute(schema):
        target.execute(statement)
    rows = {table: source.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    started = time.perf_counter()
    target.execute("BEGIN IMMEDIATE")
    for table, table_rows in rows.items():
        marks = ", ".join("?" for _ in table_rows[0])
        target.executemany(f"INSERT INTO {table} VALUES ({marks})", table_rows)
    target.execute("COMMIT")
    elapsed = time.perf_counter() - started
    target.close()
    source.close()
    return elapsed


def communities_csv() -> str:
    """Villages of their own, with the template's charter."""
    lines = ["reference,kind,name,currency,parent,charter_template,valid_from,since_on"]
    lines += [
        f"v{i},region,Village {i},CNY,,village-cooperative,2026-01-01,2026-01-01"
        for i in range(COMMUNITIES)
    ]
    return "\n".join(lines)


def people_csv(rows: int) -> str:
    """Four people a household, one membership each."""
    lines = ["reference,kind,name,household,birth_year,community,status,since_on"]
    lines += [
        f"p{i},person,Person {i},h{i // 4},{1940 + i % 60},v{i % COMMUNITIES},active,2026-01-01"
        for i in range(rows)
    ]
    return "\n".join(lines)


def ties_csv(rows: int) -> str:
    """Half of the rows answer another one, so that half as many vouches become live as rows."""
    rng = random.Random(7)
    lines = ["community,voucher,borrower,amount,said_by,expires_on"]
    pairs: set[tuple[int, int]] = set()
    people = max(rows // COMMUNITIES, 20)
    while len(lines) <= rows:
        village = len(lines) % COMMUNITIES
        a, b = (rng.randrange(people) * COMMUNITIES + village for _ in range(2))
        if a == b or (a, b) in pairs:
            continue
        pairs.add((a, b))
        amount = rng.randrange(1, 50) * 100
        lines.append(f"v{village},p{a},p{b},{amount}.00,voucher,2027-06-30")
        lines.append(f"v{village},p{a},p{b},{amount + 50},borrower,2027-06-30")
    return "\n".join(lines[: rows + 1])


def savings_csv(rows: int) -> str:
    """A deposit and a lock a member, over five days."""
    lines = ["reference,community,member,amount,currency,moved_on,kind"]
    for i in range(rows):
        member, is_lock = i // 2, i % 2
        amount, kind = ("50.00", "stake_lock") if is_lock else ("120.50", "deposit")
        village, day = member % COMMUNITIES, member // COMMUNITIES % 5 + 1
        lines.append(f"s{i},v{village},p{member},{amount},CNY,2026-11-{day:02d},{kind}")
    return "\n".join(lines)
