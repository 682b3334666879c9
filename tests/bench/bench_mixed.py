"""A mixed day by 64 clients on PostgreSQL: 70 of 100 requests read, 30 write money and promises.

Read are limits, loans, exposure, savings and collection sheets of eight villages; written are
repayments, deposits, applications and offers of promises. Clients run in a process of their own.
The ceilings, in the same run, on the same gunicorn: a bare Flask application that answers a small
JSON, and one that reads a row of PostgreSQL first. Processor time is read from the system, so it
is seen where the time goes. Afterwards every law is verified. CLIENTS and SECONDS may be given.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from community.engine import make_engine, session_factory
from community.members import service as members
from community.members.models import Member
from community.products.models import Product
from community.verification import verify
from tests.bench.bench_repayment import _officer, _outside, _plain
from tests.bench.measuring import percentiles
from tests.circle import RULES, Circle
from tests.databases import make_tables
from tests.servers import fresh_database, postgres_server, valkey_server
from tests.serving import ROOT, gunicorn

CLIENTS = int(os.environ.get("CLIENTS", "64"))
SECONDS = float(os.environ.get("SECONDS", "180"))
CEILING_SECONDS = 10.0
VILLAGES = 8
MEMBERS = 24
CIRCLE = 5
WORKERS = 2
PRINCIPAL = 2_400_000
SETTINGS = {"shared_buffers": "256MB"}
TERMS = {
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 120_000,
}
# Of a hundred requests: reading first, writing below.
MIX = {"limit": 25, "loan": 20, "exposure": 10, "savings": 5, "sheet": 10}
MIX |= {"repay": 12, "deposit": 10, "apply": 5, "offer": 3}
READ = {"limit", "loan", "exposure", "savings", "sheet"}
TICKS = os.sysconf("SC_CLK_TCK")


def run() -> None:
    """Print requests per second, latencies, processor time by part, ratios to the ceilings."""
    with (
        tempfile.TemporaryDirectory() as name,
        postgres_server(durable=True, settings=SETTINGS) as server,
        fresh_database(server) as url,
        valkey_server(own=True) as redis,
    ):
        folder = Path(name)
        make_tables(url)
        asks = _fill(url)
        _outside(url, "VACUUM ANALYZE")
        print(
            f"   {VILLAGES} villages of {MEMBERS} borrowers; load of the machine"
            f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
            flush=True,
        )
        with gunicorn(url, folder, workers=WORKERS, REDIS_URL=redis) as there:
            day = _clients(there.port, asks, SECONDS, {"servers": there.pid}, url)
        _tell(day)
        with _bare(url) as (port, pid):
            for path, what in (("/plain", "bare Flask"), ("/row", "bare Flask and one row")):
                one = [_ask(path, 1, "GET", [_one(path)])]
                bare = _clients(port, one, CEILING_SECONDS, {"servers": pid}, url)
                rate = len(bare["done"]) / bare["seconds"]
                ours = len(day["done"]) / day["seconds"]
                print(
                    f"   {what}: {rate:,.0f} requests/s, p50 {_times(bare)[0]:.1f} ms; the mixed"
                    f" day does 1 of {rate / ours:.1f} of that",
                    flush=True,
                )
        engine = make_engine(url)
        with session_factory(engine)() as session:
            proof = verify(session)
        engine.dispose()
        if not proof.holds:
            raise RuntimeError(f"laws are broken: {proof.breaches[:3]}")
        print(f"   verified afterwards: {proof.entries:,} entries, every law holds", flush=True)


def _fill(url: str) -> list[dict[str, Any]]:
    """The villages; gives what clients may ask, with ids and tokens."""
    engine = make_engine(make_url(url).update_query_dict({"options": "-c synchronous_commit=off"}))
    today = datetime.now(UTC).date()
    which: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with session_factory(engine)() as session:
        for place in range(VILLAGES):
            circle = Circle(
                session,
                day=today - timedelta(days=31),
                rules=RULES,
                terms=TERMS,
                reference=f"village {place}",
            )
            circle.fund(3 * MEMBERS * PRINCIPAL)
            circle.bind(*(f"member {n}" for n in range(CIRCLE)), cap=1_000, stake=PRINCIPAL)
            for number in range(CIRCLE, MEMBERS):
                circle.person(f"member {number}", stake=PRINCIPAL)
            for number in range(MEMBERS):
                for step in (1, 2):
                    circle.vouch(
                        f"member {number}", f"member {(number + step) % MEMBERS}", PRINCIPAL // 4
                    )
            loans = [circle.lend(f"member {n}", PRINCIPAL, 12).public_id for n in range(MEMBERS)]
            officer = circle.do(_officer, hamlet=circle)
            product = session.get_one(Product, circle.product_id).public_id
            base = f"/communities/{circle.community.public_id}"
            people = [circle.people[f"member {number}"] for number in range(MEMBERS)]
            for number, member in enumerate(people):
                token = circle.do(_token, member=member)
                own = f"{base}/members/{member.public_id}"
                other = people[(number + 5) % MEMBERS].public_id
                which["limit"].append(_one(f"{own}/credit-limit", token))
                which["loan"].append(_one(f"/loans/{loans[number]}", token))
                which["exposure"].append(_one(f"{own}/exposure-register", token))
                which["savings"].append(_one(f"{own}/savings", token))
                which["repay"].append(
                    _one(f"/loans/{loans[number]}/repayments", officer, _amount("1.00"))
                )
                which["deposit"].append(_one(f"{own}/savings/deposits", officer, _amount("2.00")))
                which["apply"].append(
                    _one("/loans", token, _application(circle, product, str(number)))
                )
                which["offer"].append(
                    _one(
                        f"{base}/vouches",
                        token,
                        {
                            "side": "voucher",
                            "other": other,
                            "limit": {"amount": "1.00", "currency": "CNY"},
                            "expires_on": str(today + timedelta(days=300)),
                        },
                    )
                )
            which["sheet"].append(
                _one(f"/groups/{circle.group.public_id}/collection-sheet", officer)
            )
    engine.dispose()
    return [
        _ask(name, weight, "GET" if name in READ else "POST", which[name])
        for name, weight in MIX.items()
    ]


def _application(circle: Circle, product: str, purpose: str) -> dict[str, Any]:
    return {
        "community": circle.community.public_id,
        "product": product,
        "principal": {"amount": "10.00", "currency": "CNY"},
        "instalments": 6,
        "purpose": f"seed {purpose}",
    }


def _token(session: Any, *, member: Member) -> str:
    day = timedelta(days=1)
    when = {"label": "bench", "lifetime": day, "lifetime_max": day, "now": datetime.now(UTC)}
    _, token = members.issue_token(session, member_id=member.id, **when)
    return token


def _amount(text: str) -> dict[str, Any]:
    return {"amount": {"amount": text, "currency": "CNY"}}


def _one(path: str, token: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    prefix = "/api/v1" if token else ""
    return {"path": prefix + path, "token": token, "body": body or {}}


def _ask(name: str, weight: int, method: str, which: list[dict[str, Any]]) -> dict[str, Any]:
    numbered = "reference" if name == "deposit" else ""
    return {
        "name": name,
        "weight": weight,
        "method": method,
        "which": which,
        "numbered": numbered,
    }


def _clients(
    port: int, asks: list[dict[str, Any]], seconds: float, pids: dict[str, int], url: str
) -> dict[str, Any]:
    """What all clients met, and seconds of processor time of everybody meanwhile."""
    job = {"port": port, "clients": CLIENTS, "seconds": seconds, "seed": 1, "asks": asks}
    with psycopg.connect(_plain(url)) as bare:
        [(backend,)] = bare.execute("SELECT pg_backend_pid()").fetchall()
        # While it is connected: afterwards there is no such process to ask for its parent.
        pids = pids | {"PostgreSQL": _parent(int(backend))}
    before = {name: _processor_seconds(pid) for name, pid in pids.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.clients"],
        input=json.dumps(job),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    result["spent"] = {
        name: _processor_seconds(pid) - before[name] for name, pid in pids.items()
    } | {"clients": result["cpu"]}
    return result


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _processor_seconds(pid: int) -> float:
    """Of the process, of its children that live, and of those that are gone."""
    spent = 0.0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except FileNotFoundError:
            continue
        spent += sum(map(int, fields[11:15])) / TICKS
    return spent


def _times(result: dict[str, Any]) -> tuple[float, float]:
    return percentiles([took for _, _, took in result["done"]])


def _tell(day: dict[str, Any]) -> None:
    done, seconds = day["done"], day["seconds"]
    statuses = Counter(status for _, status, _ in done)
    p50, p99 = _times(day)
    reads = sum(name in READ for name, _, _ in done)
    print(
        f"   {CLIENTS} clients, {seconds:.0f} s: {len(done):,} requests ({reads / len(done):.0%}"
        f" read), {len(done) / seconds:.1f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms;"
        f" statuses {dict(sorted(statuses.items()))}"
    )
    by_name: dict[str, list[float]] = defaultdict(list)
    for name, _, took in done:
        by_name[name].append(took)
    for name in MIX:
        if by_name[name]:
            half, late = percentiles(by_name[name])
            mean = statistics.mean(by_name[name])
            print(
                f"   {name:<10}{len(by_name[name]):>7,}  p50 {half:7.0f} ms  p99 {late:7.0f} ms"
                f"  mean {mean:7.0f} ms"
            )
    each = ", ".join(
        f"{name} {spent / len(done) * 1e3:.1f} ms" for name, spent in sorted(day["spent"].items())
    )
    print(f"   processor time per request: {each}", flush=True)
    # 409: what two clients want of the same people at once, such as a second offer between them.
    if any(status >= 400 and status != 409 for status in statuses):
        raise RuntimeError(f"refused or failed: {day['said'][:5]}")


@contextmanager
def _bare(url: str) -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    # As config/gunicorn.py serves the platform, without what checks its settings.
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4"]
    command += ["--keep-alive", "5", "--no-control-socket", "--workers", str(WORKERS)]
    command += ["--bind", f"127.0.0.1:{port}", "tests.bench.bare:app"]
    env = os.environ | {"BARE_DATABASE_URL": _plain(url)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    run()
