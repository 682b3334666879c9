"""A repayment over HTTP on PostgreSQL, against its own statements run by a bare driver.

LOANS current loans of one lender, each covered by its borrower's stake and by two neighbours'
promises, on a server that syncs every commit. Repayments are sent to the real gunicorn by one
client, then by four. The floor: the requests are answered in this process and rolled back at their
commit, all sequences are put back, and the statements that were seen (token, key, locks, rows,
balances, chain) are run with the very same parameters by psycopg in one transaction that commits.
Then the same requests once more in this process, counted and profiled: where the rest goes.
"""

import cProfile
import http.client
import json
import os
import pstats
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from flask import Flask
from psycopg import sql
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.orm import Session

from app import create_app
from app.extensions import db
from community.engine import make_engine, session_factory
from community.members import service as members
from community.members.principal import Role
from config.settings import Settings
from tests.databases import make_tables
from tests.hamlet import Hamlet
from tests.keys import KEYS
from tests.servers import fresh_database, postgres_server
from tests.serving import Served, gunicorn

LOANS = int(os.environ.get("LOANS", "120"))
ALONE = 120  # requests of the one client
TOGETHER = 240  # requests of the four
CLIENTS = 4
REPLAYS = 60
PROFILED = 60
PRINCIPAL = 240_000
AMOUNT = 1_000  # minor units; small, so that no loan is paid off here
TERMS = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
}
SETTINGS = {"shared_buffers": "256MB"}

# Parts of a request, each by functions (end of the file's path, name) that do not call each other.
PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "token and roles": (("app/auth.py", "_identify"),),
    "body and schema": (("webargs/core.py", "parse"), ("app/intake.py", "_read_body")),
    "key taken, answer kept": (
        ("community/idempotency.py", "claim_key"),
        ("community/idempotency.py", "store_answer"),
    ),
    "permission and its facts": (
        ("community/loans/queries.py", "get_loan"),
        ("app/loans/facts.py", "loan_facts"),
        ("app/permissions.py", "permit"),
    ),
    "cover locked and read": (("community/guarantees/cover.py", "lock_cover"),),
    "history read": (("community/loans/history.py", "read_history"),),
    "history replayed": (("community/arithmetic/replay.py", "replay"),),
    "rows and position written": (
        ("community/loans/history.py", "project"),
        ("community/loans/positions.py", "take_receivable"),
    ),
    "posted to the book": (("community/loans/history.py", "post"),),
    "cover freed, status, standings": (("community/guarantees/service.py", "settle_state"),),
    "answer dumped": (
        ("app/guarantees/views.py", "receipt"),
        ("marshmallow/schema.py", "dump"),
    ),
    "commit": (("sqlalchemy/orm/session.py", "commit"),),
}


class Seen(NamedTuple):
    """A statement as the driver was given it."""

    text: str
    parameters: Any
    many: bool


class RolledBack(Exception):
    """Ends a request that is only watched."""


class Village(NamedTuple):
    """What clients need to know."""

    token: str
    loans: list[str]


def run() -> None:
    """Print latencies, repayments per second, the ratio to the floor, and where the rest goes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server(durable=True, settings=SETTINGS) as server,
        fresh_database(server) as url,
    ):
        make_tables(url)
        started = time.perf_counter()
        village = _fill(url)
        _outside(url, "VACUUM ANALYZE")
        print(
            f"   {len(village.loans)} loans made in {time.perf_counter() - started:.0f} s, "
            f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            flush=True,
        )
        with gunicorn(url, Path(folder), workers=2) as served:
            _send(served, village, 1, 30)  # every worker has compiled its statements
            alone = _send(served, village, 1, ALONE)
            together = _send(served, village, CLIENTS, TOGETHER)
        with _application(url, Path(folder)) as app:
            floor, statements = _floor(app, url, village)
            _tell(1, *alone)
            _tell(CLIENTS, *together)
            http_ms, floor_ms = statistics.median(alone[0]), statistics.median(floor)
            print(
                f"   the floor: {statements} statements by psycopg in one transaction "
                f"{floor_ms:.2f} ms; over HTTP {http_ms / floor_ms:.2f} × the floor",
                flush=True,
            )
            _tell_where(app, village, http_ms)


def _tell(clients: int, times_ms: Sequence[float], seconds: float) -> None:
    ordered = sorted(times_ms)
    print(
        f"   {clients} client{'s' if clients > 1 else ' '}: p50 {statistics.median(ordered):.1f} "
        f"ms, p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms, "
        f"{len(ordered) / seconds:.1f} repayments/s",
        flush=True,
    )


def _fill(url: str) -> Village:
    """A lender's community: loans that rest half on a stake, half on two neighbours' promises."""
    engine = make_engine(make_url(url).update_query_dict({"options": "-c synchronous_commit=off"}))
    today = datetime.now(UTC).date()
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, day=today - timedelta(days=31), terms=TERMS)
        hamlet.fund(LOANS * PRINCIPAL)
        guarantors = [f"guarantor {number}" for number in range(LOANS // 4)]
        for name in guarantors:
            hamlet.person(name, stake=3 * PRINCIPAL)
        loans = []
        for number in range(LOANS):
            name = f"member {number}"
            hamlet.person(name, stake=PRINCIPAL // 2)
            for step in (0, 1):
                hamlet.vouch(guarantors[(number + step) % len(guarantors)], name, PRINCIPAL // 4)
            loans.append(hamlet.lend(name, PRINCIPAL, 12).public_id)
        token = hamlet.do(_officer, hamlet=hamlet)
    engine.dispose()
    return Village(token, loans)


def _officer(session: Session, *, hamlet: Hamlet) -> str:
    who, now = hamlet.officer.id, datetime.now(UTC)
    members.grant_role(
        session, member_id=who, role=Role.OFFICER, community_id=hamlet.community.id, now=now
    )
    _, token = members.issue_token(
        session,
        member_id=who,
        label="bench",
        lifetime=timedelta(days=1),
        lifetime_max=timedelta(days=1),
        now=now,
    )
    return token


def _body() -> dict[str, Any]:
    return {"amount": {"amount": f"{AMOUNT // 100}.{AMOUNT % 100:02}", "currency": "CNY"}}


def _headers(village: Village) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {village.token}",
        "Content-Type": "application/json",
        "Idempotency-Key": uuid.uuid4().hex,
    }


def _path(village: Village, number: int) -> str:
    return f"/api/v1/loans/{village.loans[number % len(village.loans)]}/repayments"


def _send(
    served: Served, village: Village, clients: int, requests: int
) -> tuple[list[float], float]:
    """Milliseconds of every request, and the seconds of all. Each client keeps its connection."""
    times: list[float] = []
    faults: list[str] = []
    gate = threading.Barrier(clients + 1)

    def client(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        gate.wait()
        for number in range(first, requests, clients):
            body = json.dumps(_body())
            started = time.perf_counter()
            connection.request("POST", _path(village, number), body, _headers(village))
            answer = connection.getresponse()
            said = answer.read()
            times.append((time.perf_counter() - started) * 1e3)
            if answer.status != 201:
                faults.append(f"{answer.status} {said[:300]!r}")
        connection.close()

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if faults or len(times) != requests:
        raise RuntimeError(f"{len(faults)} of {requests} failed: {faults[:2]}")
    return times, seconds


@contextmanager
def _application(url: str, folder: Path) -> Iterator[Flask]:
    """The application in this process, on the same database."""
    app = create_app(
        Settings(
            database_url=url,
            database_pool_size=1,
            secret_key="of no use outside of this bench",
            business_timezone=ZoneInfo("UTC"),
            rate_limits=False,
            log_level="CRITICAL",
            var_dir=folder,
            **KEYS,
        )
    )
    yield app
    app.extensions["cache"].close()
    with app.app_context():
        db.engine.dispose()


def _floor(app: Flask, url: str, village: Village) -> tuple[list[float], int]:
    """Milliseconds of each replay, and how many statements one has."""
    times, counts = [], []
    with psycopg.connect(_plain(url), options="-c timezone=UTC") as bare:
        for number in range(REPLAYS):
            before = _sequences(bare)
            seen = _watch(app, village, number)
            for name, value, called in before:
                bare.execute("SELECT setval(%s, %s, %s)", [name, value, called])
            bare.commit()
            times.append(_replay(bare, seen))
            counts.append(len(seen))
    return times[10:], int(statistics.median(counts))


def _sequences(bare: psycopg.Connection[Any]) -> list[tuple[str, int, bool]]:
    names = [name for (name,) in bare.execute("SELECT sequencename FROM pg_sequences")]
    states = []
    for name in names:
        row = bare.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
        ).fetchone()
        assert row is not None
        states.append((name, row[0], row[1]))
    bare.commit()
    return states


def _watch(app: Flask, village: Village, number: int) -> list[Seen]:
    """The statements of one repayment that is taken back at its commit."""
    seen: list[Seen] = []

    def note(
        _connection: Connection, _cursor: Any, text: str, given: Any, _context: Any, many: bool
    ) -> None:
        seen.append(Seen(text, given, many))

    def refuse(_connection: Connection) -> None:
        raise RolledBack

    with app.app_context():
        engine = db.engine
    with _listening(engine, before_cursor_execute=note, commit=refuse):
        answer = _ask(app, village, number)
    if answer != 500 or not any("UPDATE books" in item.text for item in seen):
        raise RuntimeError(f"the watched request was answered {answer}")
    return seen


def _replay(bare: psycopg.Connection[Any], seen: Sequence[Seen]) -> float:
    started = time.perf_counter()
    with bare.cursor() as cursor:
        for text, parameters, many in seen:
            if many:
                cursor.executemany(text, parameters)
                continue
            cursor.execute(text, parameters)
            if cursor.description:
                cursor.fetchall()
    bare.commit()
    return (time.perf_counter() - started) * 1e3


@contextmanager
def _listening(engine: Engine, **listeners: Any) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


def _ask(app: Flask, village: Village, number: int) -> int:
    client = app.test_client()
    return client.post(
        _path(village, number), data=json.dumps(_body()), headers=_headers(village)
    ).status_code


def _tell_where(app: Flask, village: Village, http_ms: float) -> None:
    """Where a repayment's time goes: in this process, first by the clock, then by the profiler."""
    spent, began = [0.0], [0.0]

    def start(*_: Any) -> None:
        began[0] = time.perf_counter()

    def stop(*_: Any) -> None:
        spent[0] += time.perf_counter() - began[0]

    with app.app_context():
        engine = db.engine
    walls, cpus, waits = [], [], []
    with _listening(engine, before_cursor_execute=start, after_cursor_execute=stop):
        for number in range(PROFILED):
            spent[0], wall, cpu = 0.0, time.perf_counter(), time.process_time()
            status = _ask(app, village, number)
            if status != 201:
                raise RuntimeError(f"answered {status}")
            walls.append((time.perf_counter() - wall) * 1e3)
            cpus.append((time.process_time() - cpu) * 1e3)
            waits.append(spent[0] * 1e3)
    wall_ms, cpu_ms, wait_ms = (statistics.median(times) for times in (walls, cpus, waits))
    print(
        f"   in this process {wall_ms:.1f} ms, of it {wait_ms:.1f} ms inside the driver, "
        f"{cpu_ms:.1f} ms of CPU in Python; {http_ms - wall_ms:.1f} ms more over HTTP",
        flush=True,
    )
    profile = cProfile.Profile()
    profile.enable()
    for number in range(PROFILED):
        _ask(app, village, number)
    profile.disable()
    _tell_parts(pstats.Stats(profile), wall_ms)


def _tell_parts(profiled: pstats.Stats, wall_ms: float) -> None:
    entries: dict[Any, Any] = profiled.stats  # type: ignore[attr-defined]
    whole = sum(own for _, _, own, _, _ in entries.values())
    if os.environ.get("PROFILE"):
        profiled.sort_stats("cumulative").print_stats(70)
        profiled.sort_stats("tottime").print_stats(40)
    for part, functions in PARTS.items():
        took = sum(
            entry[3]
            for (file, _, name), entry in entries.items()
            if any(file.endswith(end) and name == wanted for end, wanted in functions)
        )
        print(f"   {part:<32}{took / whole:6.1%}  about {took / whole * wall_ms:5.2f} ms")


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(False)


def _outside(url: str, *statements: str) -> None:
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
