"""Two servers and a worker, each on a host of its own; one server is killed under load."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from community.engine import make_engine
from community.members import service as members
from community.members.models import MemberKind
from community.members.principal import Role
from tests.chaos.books import (
    assert_answers_are_there_once,
    assert_laws_hold,
    brought_minor,
    cash_minor,
    counted,
)
from tests.chaos.load import Record, clients_at_work
from tests.chaos.town import Town, found_town
from tests.databases import make_tables
from tests.hosts.network import HERE, NETWORK, NoHosts, hosts, on
from tests.keys import ENVIRON
from tests.servers import fresh_database, postgres_server, valkey_server
from tests.serving import ROOT, Served, gunicorn

CLIENTS = int(os.environ.get("CLIENTS", "8"))
REQUESTS = int(os.environ.get("REQUESTS", "150"))  # of each client
WORKERS = 2  # of each server
KILLABLE = {"synchronous_commit": "on"}
WAIT_SECONDS = 120
STRESS = {"shock": "common_factor", "draws": 200, "seed": 7}


def main() -> int:
    """Print what was asked, what was asked again, and that nothing answered was lost."""
    try:
        with ExitStack() as stack:
            run(stack)
    except NoHosts as fault:
        print(f"hosts: {fault}", file=sys.stderr)
        return 2
    return 0


def run(stack: ExitStack) -> None:
    addresses = stack.enter_context(hosts("a", "b", "worker"))
    server = stack.enter_context(postgres_server(settings=KILLABLE, network=NETWORK))
    url = stack.enter_context(fresh_database(server))
    make_tables(url)
    engine = make_engine(url)
    stack.callback(engine.dispose)
    town = found_town(engine)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    redis = stack.enter_context(valkey_server(address=HERE)).replace("127.0.0.1", HERE)
    seen_from_there = make_url(url).set(host=HERE).render_as_string(False)
    env = {
        "FIXED_NOW": town.now.isoformat(),
        "REDIS_URL": redis,
        "JOBS_IN_SERVER": "off",
        "RATE_LIMITS": "on",
        "RATE_LIMIT_READ": "100000/minute",
        "RATE_LIMIT_WRITE": "100000/minute",
        "RATE_LIMIT_HEAVY": "100000/minute",
    }
    servers = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        place = {"host": addresses[name], "within": on(name), "workers": WORKERS}
        servers.append(
            stack.enter_context(gunicorn(seen_from_there, folder / name, **place, **env))  # type: ignore[arg-type]
        )
    print(f"servers at {servers[0].host} and {servers[1].host}, worker at {addresses['worker']}")
    stack.enter_context(worker(seen_from_there, folder, env))
    under_load(town, servers, operator(town))


def operator(town: Town) -> str:
    """Somebody who may ask for stress tests."""
    with town.session() as session:
        someone = members.register_member(
            session, kind=MemberKind.PERSON, name="operator", now=town.now
        )
        when = {"member_id": someone.id, "now": town.now}
        members.grant_role(session, role=Role.OPERATOR, community_id=None, **when)
        month = timedelta(days=30)
        token = members.issue_token(session, label="x", lifetime=month, lifetime_max=month, **when)[
            1
        ]
        session.commit()
    return token


@contextmanager
def worker(url: str, folder: Path, env: dict[str, str]) -> Iterator[None]:
    """`flask worker` on its host, stopped when the block ends."""
    settings = {
        "PATH": os.environ.get("PATH", ""),
        **ENVIRON,
        "HOME": str(folder),
        "DATABASE_URL": url,
        "VAR_DIR": str(folder),
        "BUSINESS_TIMEZONE": "UTC",
        "SECRET_KEY": "of no use outside of this test suite",
        **env,
    }
    command = [*on("worker"), sys.executable, "-m", "flask", "--app", "wsgi", "worker"]
    with (folder / "worker.log").open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        if process.wait(60) != 0:
            print((folder / "worker.log").read_text()[-3000:], file=sys.stderr)
            raise AssertionError("the worker did not leave in peace")


def under_load(town: Town, servers: list[Served], token: str) -> None:
    cash, rows = cash_minor(town), counted(town)
    started = time.perf_counter()
    with clients_at_work(servers, town, clients=CLIENTS, requests=REQUESTS, patient=True) as record:
        asked = ask_for_stress(town, servers[1], token)
        await_answers(town, CLIENTS * REQUESTS // 4)
        kill(servers[0])
        print(f"killed {servers[0].host} after {answered(town)} writes kept their answers")
    took = time.perf_counter() - started
    assert_laws_hold(town)
    assert_answers_are_there_once(town, record, rows)
    assert cash_minor(town) - cash == brought_minor(record.done)
    assert answered(town) > CLIENTS * REQUESTS // 4
    tell(record, took)
    draws = await_stress(servers[1], asked, token)
    print(f"the worker did {draws} draws of the stress test that a server was asked for")
    print("laws hold; every acknowledged write is there once, the cash to the cent")


def ask_for_stress(town: Town, served: Served, token: str) -> str:
    path = f"/api/v1/communities/{town.community}/risk/stress-tests"
    said = served.call("POST", path, token=token, body=STRESS)
    assert said.status in (201, 202), said
    return str(said.body["id"])


def await_stress(served: Served, asked: str, token: str) -> int:
    for _ in range(WAIT_SECONDS * 5):
        said = served.call("GET", f"/api/v1/risk/stress-tests/{asked}", token=token)
        if said.body["status"] == "done":
            return int(said.body["draws"])
        threading.Event().wait(0.2)
    raise AssertionError(f"the worker left it undone: {said.body}")


def kill(served: Served) -> None:
    """SIGKILL the whole server, its workers first, as when the power goes."""
    children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
    for pid in (served.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)


def answered(town: Town) -> int:
    """Writes whose answer is kept."""
    plain = make_url(town.url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(plain) as connection:
        [(number,)] = connection.execute("SELECT count(*) FROM idempotency_keys").fetchall()
    return int(number)


def await_answers(town: Town, number: int) -> None:
    for _ in range(WAIT_SECONDS * 20):
        if answered(town) >= number:
            return
        threading.Event().wait(0.05)
    raise AssertionError("the load does not get on")


def tell(record: Record, took: float) -> None:
    statuses = Counter(done.status for done in record.done)
    odd = [done for done in record.done if done.status not in (200, 201, 403, 404, 409, 412, 422)]
    assert odd == [], odd[:3]
    tries = Counter(done.tries for done in record.done)
    replayed = sum(done.replayed for done in record.done)
    print(
        f"{len(record.done)} requests of {CLIENTS} clients answered in {took:.1f} s:"
        f" {dict(sorted(statuses.items()))}; no 5xx reached a client"
    )
    print(
        f"asked again: {sum(n for times, n in tries.items() if times > 1)}, at most"
        f" {max(tries) - 1} times; {replayed} answers came from what was kept"
    )


if __name__ == "__main__":
    sys.exit(main())
