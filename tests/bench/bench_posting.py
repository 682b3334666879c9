"""Posting to the books: one deposit after the other, and one sheet of many, on both databases.

Each figure is the median of several rounds on a fresh database. The peer is the same rows written
by bare statements of the driver, without our services, in as many transactions.
"""

import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community, CommunityKind
from community.engine import make_engine, session_factory
from community.ledger import rules
from community.ledger.service import post
from community.members.models import Member, MemberKind
from tests.databases import create_all
from tests.servers import fresh_database, postgres_server

ENTRIES = 400
LEGS = 2_000
ROUNDS = 5
DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)


def run() -> None:
    """Print the time of an entry and of a leg, ours and the peer's."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        for kind in ("sqlite", "postgresql"):
            with _database(kind, Path(folder), server) as url:
                engine = make_engine(url, durable=False)
                try:
                    create_all(engine)
                    _measure(kind, engine)
                finally:
                    engine.dispose()


@contextmanager
def _database(kind: str, folder: Path, server: str) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.sqlite3'}"
        return
    with fresh_database(server) as url:
        yield url


def _measure(kind: str, engine: Engine) -> None:
    with session_factory(engine)() as session:
        community_id, member_ids = _people(session)
        ours, sheet, bare = [], [], []
        for number in range(ROUNDS):
            ours.append(_timed(_deposits, session, community_id, member_ids[0]) / ENTRIES)
            amounts = dict.fromkeys(member_ids, 100)
            started = time.perf_counter()
            run_unit(session, _post, community_id, rules.many_savings_deposited(amounts))
            sheet.append((time.perf_counter() - started) / LEGS)
            session.rollback()
            started = time.perf_counter()
            _bare(engine, number)
            bare.append((time.perf_counter() - started) / ENTRIES)
        one, leg, peer = (statistics.median(times) for times in (ours, sheet, bare))
        print(
            f"   {kind:<11} one entry {one * 1e3:6.2f} ms ({one / peer:.1f} x the bare statements'"
            f" {peer * 1e3:.2f} ms), a leg of a large one {leg * 1e6:6.1f} µs"
        )


def _timed(work: Callable[..., None], *given: object) -> float:
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started


def _deposits(session: Session, community_id: int, member_id: int) -> None:
    for _ in range(ENTRIES):
        run_unit(session, _post, community_id, rules.savings_deposited(member_id, 100))


def _post(session: Session, community_id: int, legs: list[rules.Leg]) -> int:
    return post(
        session,
        community_id=community_id,
        currency="CNY",
        kind="savings.deposit",
        legs=legs,
        on=DAY,
        now=NOW,
        reference="bench",
    )


def _people(session: Session) -> tuple[int, list[int]]:
    community = Community(
        kind=CommunityKind.REGION,
        name="Bench",
        reference="bench",
        currency="CNY",
        path="/",
        created_at=NOW,
    )
    people = [Member(kind=MemberKind.PERSON, name="x", created_at=NOW) for _ in range(LEGS - 1)]
    session.add_all([community, *people])
    session.commit()
    return community.id, [person.id for person in people]


def _bare(engine: Engine, number: int) -> None:
    """The rows of as many entries, on tables without keys or guards, by bare statements."""
    with engine.begin() as connection:
        for statement in (
            "DROP TABLE IF EXISTS bare_books",
            "DROP TABLE IF EXISTS bare_legs",
            "CREATE TABLE bare_books (id INTEGER PRIMARY KEY, balance BIGINT, head TEXT)",
            "CREATE TABLE bare_legs (entry BIGINT, account BIGINT, amount BIGINT)",
            "INSERT INTO bare_books VALUES (1, 0, ''), (2, 0, '')",
        ):
            connection.execute(text(statement))
    for entry in range(ENTRIES):
        with engine.begin() as connection:
            lock = "" if engine.dialect.name == "sqlite" else " FOR UPDATE"
            connection.execute(text(f"SELECT balance, head FROM bare_books WHERE id = 1{lock}"))
            head = hashlib.sha256(f"{number} {entry}".encode()).hexdigest()
            connection.execute(
                text("UPDATE bare_books SET balance = balance + 100, head = :head"), {"head": head}
            )
            connection.execute(
                text("INSERT INTO bare_legs VALUES (:e, 1, 100), (:e, 2, -100)"), {"e": entry}
            )
