"""An approval that reserves along ten vouches: against its own statements, and one big lock.

Each of BORROWERS has ten neighbours who stand behind them, each along a vouch of its own; the
approval reserves on all ten. Alone it is sent over HTTP to gunicorn on a PostgreSQL that syncs its
commits, and measured against the very same statements by bare psycopg (as `bench repayment` does).
Then CLIENTS clients approve loans of borrowers who have nothing in common, in this process's
threads: with the locks as they are, and in the naive way that locks the community's row first.
"""

import os
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, make_url, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community
from community.credit import service as credit
from community.engine import make_engine, session_factory
from community.loans.models import Loan
from tests.bench.bench_repayment import (
    SETTINGS,
    RolledBack,
    Seen,
    Village,
    _application,
    _headers,
    _listening,
    _officer,
    _outside,
    _plain,
    _replay,
    _sequences,
)
from tests.databases import make_tables
from tests.hamlet import Hamlet
from tests.servers import fresh_database, postgres_server
from tests.serving import gunicorn

BORROWERS = int(os.environ.get("BORROWERS", "16"))
VOUCHES = 10
PART = 1_000
ALONE = 30
REPLAYS = 20
CLIENTS = 16
EACH = 4  # approvals of each client, each way


def run() -> None:
    """Print the ratio to the floor, and how many times more approvals than under one big lock."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres_server(durable=True, settings=SETTINGS) as server,
        fresh_database(server) as url,
    ):
        make_tables(url)
        village, contested = _fill(url)
        _outside(url, "VACUUM ANALYZE")
        with gunicorn(url, Path(folder), workers=2) as served:
            times = []
            for loan in village.loans[: ALONE + 10]:
                started = time.perf_counter()
                answer = served.call("POST", f"/api/v1/loans/{loan}/approval", token=village.token)
                times.append((time.perf_counter() - started) * 1e3)
                if answer.status != 201:
                    raise RuntimeError(f"{answer.status} {answer.body}")
        floor, statements = _floor(url, Path(folder), village)
        http_ms, floor_ms = statistics.median(times[10:]), statistics.median(floor)
        print(
            f"   load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; over HTTP"
            f" p50 {http_ms:.1f} ms; {statements} statements by psycopg {floor_ms:.2f} ms:"
            f" {http_ms / floor_ms:.2f} × the floor",
            flush=True,
        )
        engine = make_engine(url, pool_size=CLIENTS, lock_timeout_ms=60_000)
        half = len(contested) // 2
        ours = _together(engine, contested[:half], whole=False)
        naive = _together(engine, contested[half:], whole=True)
        engine.dispose()
        print(
            f"   {CLIENTS} clients, borrowers apart: {ours:.1f} approvals/s, with the community's"
            f" row locked first {naive:.1f}: {ours / naive:.2f} times as many",
            flush=True,
        )


def _fill(url: str) -> tuple[Village, list[int]]:
    engine = make_engine(make_url(url).update_query_dict({"options": "-c synchronous_commit=off"}))
    today = datetime.now(UTC).date()
    with session_factory(engine)() as session:
        hamlet = Hamlet(session, day=today - timedelta(days=1))
        hamlet.fund(10**9)
        alone, contested = [], []
        for number in range(BORROWERS):
            name = f"member {number}"
            hamlet.person(name)
            for place in range(VOUCHES):
                neighbour = f"{name}, neighbour {place}"
                hamlet.person(neighbour, stake=PART * 20)
                hamlet.vouch(neighbour, name, PART * 20)
            for _ in range(2 * CLIENTS * EACH // BORROWERS + 1):
                contested.append(hamlet.apply(name, VOUCHES * PART).id)
            for _ in range((ALONE + REPLAYS + 30) // BORROWERS + 1):
                alone.append(hamlet.apply(name, VOUCHES * PART).public_id)
        token = hamlet.do(_officer, hamlet=hamlet)
    engine.dispose()
    return Village(token, alone), contested


def _floor(url: str, folder: Path, village: Village) -> tuple[list[float], int]:
    times, counts = [], []
    loans = village.loans[ALONE + 10 :]
    with (
        _application(url, folder) as app,
        psycopg.connect(_plain(url), options="-c timezone=UTC") as bare,
    ):
        from app.extensions import db

        with app.app_context():
            engine = db.engine
        for number in range(min(REPLAYS, len(loans))):
            before = _sequences(bare)
            seen: list[Seen] = []

            def note(_c: Any, _u: Any, said: str, given: Any, _x: Any, many: bool) -> None:
                seen.append(Seen(said, given, many))  # noqa: B023

            def refuse(_connection: Any) -> None:
                raise RolledBack

            with _listening(engine, before_cursor_execute=note, commit=refuse):
                app.test_client().post(
                    f"/api/v1/loans/{loans[number]}/approval", headers=_headers_only(village)
                )
            for name, value, called in before:
                bare.execute("SELECT setval(%s, %s, %s)", [name, value, called])
            bare.commit()
            times.append(_replay(bare, seen))
            counts.append(len(seen))
    return times[5:], int(statistics.median(counts))


def _headers_only(village: Village) -> dict[str, str]:
    headers = _headers(village)
    headers.pop("Content-Type")
    return headers


def _together(engine: Engine, loan_ids: list[int], *, whole: bool) -> float:
    """Approvals per second of all clients together."""
    gate = threading.Barrier(CLIENTS + 1)
    day = datetime.now(UTC).date()
    now = datetime.now(UTC)
    faults: list[BaseException] = []

    def approve(session: Session, loan_id: int) -> None:
        if whole:
            community_id = session.scalar(select(Loan.community_id).where(Loan.id == loan_id))
            session.execute(
                select(Community.id).where(Community.id == community_id).with_for_update()
            )
        credit.approve_loan(session, loan_id=loan_id, on=day, now=now, actor_id=None)

    def client(first: int) -> None:
        gate.wait()
        try:
            with session_factory(engine)() as session:
                for loan_id in loan_ids[first::CLIENTS]:
                    run_unit(session, approve, loan_id)
        except BaseException as fault:  # noqa: BLE001  told below
            faults.append(fault)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(CLIENTS)]
    for thread in threads:
        thread.start()
    gate.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return len(loan_ids) / (time.perf_counter() - started)
