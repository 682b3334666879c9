"""Shows a village that borrows on its own trust: `make demo`, or `tools/demo.py --check`.

A SQLite file var/demo.sqlite3 is made and filled at the first run, then served by gunicorn with
the platform's own configuration; what to open and which tokens to use is printed. Ctrl-C stops
it. `--check` starts it, asks everything that the page names, stops it, and exits 0 or 1.

Settings: PORT (8000, or the next free one of twenty), VAR_DIR, DEMO_HOUSEHOLDS.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000
PORTS = 20
WORKERS = 2
START_SECONDS = 60
STOP_SECONDS = 40
PAGES = (
    "/",
    "/sign-in",
    "/sign-in/token",
    "/pages/pages.css",
    "/api/docs",
    "/api/v1/openapi.json",
    "/healthz",
    "/readyz",
)


class DemoError(Exception):
    """Something the person can do something about; its text says what."""


class TablesTooOld(DemoError):
    """The file was made by an earlier version of the platform."""


def main(arguments: list[str]) -> int:
    """Make, fill and serve the demonstration; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="start, ask, stop, say whether well")
    options = parser.parse_args(arguments)
    # A stop by `kill` is as clean as one by Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(check=options.check)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 0


def run(*, check: bool) -> int:
    """Everything in turn."""
    var = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
    var.mkdir(parents=True, exist_ok=True)
    database = var / "demo.sqlite3"
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{database}",
        "VAR_DIR": str(var),
        "REDIS_URL": "",
        "PRODUCTION": "0",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "WARNING"),
    }
    if not database.exists():
        make_database(database, environment)
    log = var / "demo.log"
    try:
        return show(environment, log, check=check)
    except TablesTooOld:
        flask(environment, "db", "upgrade")
        return show(environment, log, check=check)


def show(environment: dict[str, str], log: Path, *, check: bool) -> int:
    """Serve the file and print what to do with it, or try all of that."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with log.open("ab") as stream:
        server = serve(port, environment, stream)
        try:
            # The server starts meanwhile.
            told = flask(environment, "demo", "tokens", "--json", "--base-url", base)
            shown = json.loads(told)
            wait_until_ready(server, base, log)
            if check:
                return ask(base, shown)
            keep_variables(log.with_name("demo.env"), shown["variables"])
            tell(base, shown, log)
            server.wait()
            raise DemoError(f"the server stopped by itself; {log} says why")
        finally:
            stop(server)


def make_database(database: Path, environment: dict[str, str]) -> None:
    """Fill a file aside and move it into place, so that half a story is never served."""
    draft = database.with_suffix(".draft")
    remove(draft)
    own = environment | {
        "DATABASE_URL": f"sqlite:///{draft}",
        # Nothing is lost if the machine stops now: the next run begins again.
        "DATABASE_DURABLE": "0",
    }
    flask(own, "db", "upgrade")
    households = os.environ.get("DEMO_HOUSEHOLDS", "320")
    flask(own, "demo", "seed", "--households", households, show=True)
    if draft.with_name(draft.name + "-wal").exists():
        raise DemoError(f"{draft} is in use by another process; stop it and try again")
    draft.rename(database)


def remove(database: Path) -> None:
    """Delete a SQLite file and what lies beside it."""
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def flask(environment: dict[str, str], *words: str, show: bool = False) -> str:
    """Run a command of the platform; what it prints is returned, or shown as it comes."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    pipe = None if show else subprocess.PIPE
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, stdout=pipe, stderr=pipe, text=True
    )
    if done.returncode:
        told = f"{done.stdout or ''}{done.stderr or ''}"
        raise DemoError(f"`flask {' '.join(words)}` failed\n{told}".rstrip())
    return done.stdout or ""


def free_port() -> int:
    """PORT or 8000, or the next free one after it."""
    text = os.environ.get("PORT") or str(FIRST_PORT)
    if not text.isdigit() or not 1 <= int(text) <= 65_535 - PORTS:
        raise DemoError(f"PORT={text} is no port; choose one from 1 to {65_535 - PORTS}")
    for port in range(int(text), int(text) + PORTS + 1):
        with socket.socket() as attempt:
            # As gunicorn will: a port that is only just free again counts as free.
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                attempt.bind(("127.0.0.1", port))
                return port
    raise DemoError(f"no free port from {text} on; name another one: PORT=9000 make demo")


def serve(port: int, environment: dict[str, str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start gunicorn with the platform's configuration."""
    command = [sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"]
    command += ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "wsgi:app"]
    # A session of its own: Ctrl-C reaches this process only, which then stops the server.
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )


def wait_until_ready(server: "subprocess.Popen[bytes]", base: str, log: Path) -> None:
    """Return as soon as the server answers."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise DemoError(f"the server did not start; {log} says why")
        status, body = fetch(f"{base}/readyz")
        if status == 200:
            return
        if b"flask db upgrade" in body:
            raise TablesTooOld("the tables are not up to date")
        time.sleep(0.1)
    raise DemoError(f"the server did not answer within {START_SECONDS} s; {log} may say why")


def stop(server: "subprocess.Popen[bytes]") -> None:
    """Let requests under way finish, then end the server."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def tell(base: str, shown: dict[str, Any], log: Path) -> None:
    """Print what to open and what to ask."""
    print(f"\nLianbao runs at {base} (log: {log})\n")
    print("Open in a browser, and paste one of these tokens")
    print(f"  {base}/sign-in/token\n")
    for person in shown["people"]:
        print(f"  {person['role']:<12}{person['token']}  {person['name']}")
    print("\nWhat each of them finds, step by step: docs/guides")
    print(f"The whole API: {base}/api/docs\n")
    print("Ask it from another terminal")
    for question in shown["questions"]:
        print(f"  # {question['about']}\n  {question['curl']}")
    print("\nCtrl-C stops it.", flush=True)


def keep_variables(path: Path, variables: dict[str, str]) -> None:
    """Write what README's session needs; tokens are for the eyes of this user only."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def ask(base: str, shown: dict[str, Any]) -> int:
    """Request the pages and everything that the printed page names; 1 if one is not answered."""
    tokens = {person["role"]: person["token"] for person in shown["people"]}
    requests = [(path, "") for path in PAGES]
    requests += [(question["path"], tokens[question["role"]]) for question in shown["questions"]]
    requests += [("/api/v1/me", token) for token in tokens.values()]
    failed = 0
    for path, token in requests:
        status, body = fetch(base + path, token)
        good = status == 200 and bool(body)
        failed += not good
        print(f"{'ok' if good else 'FAILED':<7}{status} {len(body):>7} bytes  {path}")
    return 1 if failed else 0


def fetch(url: str, token: str = "") -> tuple[int, bytes]:
    """Status and body of an address; 0 where nobody answers."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # The address is this machine's own, whatever proxy the environment names.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  always http://127.0.0.1
        with opener.open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
