"""The platform as others run it: real gunicorn workers, called over HTTP."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.keys import ENVIRON

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> str:
        """The problem's code, empty if it is none."""
        if not isinstance(self.body, dict):
            return ""
        return str(self.body.get("type", "")).rpartition("/")[2]


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    log: Path
    pid: int = 0
    host: str = "127.0.0.1"

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Any = None,
        key: str | None = None,
    ) -> Answer:
        """One request on a connection of its own. POSTs carry a fresh Idempotency-Key or `key`."""
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if method == "POST":
            headers["Idempotency-Key"] = key or uuid.uuid4().hex
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, body=text, headers=headers)
            response = connection.getresponse()
            raw = response.read()
            kind = response.headers.get_content_type()
            parsed = json.loads(raw) if kind.endswith("json") else raw.decode()
            return Answer(response.status, dict(response.headers), parsed)
        finally:
            connection.close()


@contextmanager
def gunicorn(
    database_url: str,
    folder: Path,
    *,
    workers: int,
    host: str = "127.0.0.1",
    within: Sequence[str] = (),
    **env: str,
) -> Iterator[Served]:
    """Gunicorn with our own configuration on a free port; stopped when the block ends.

    `within` is a command that starts another one elsewhere, where `host` is its own address.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "gunicorn.log"
    settings = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        **ENVIRON,
        "DATABASE_URL": database_url,
        "VAR_DIR": str(folder),
        "RATE_LIMITS": "off",
        "BUSINESS_TIMEZONE": "UTC",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": "of no use outside of this test suite",
        **env,
    }
    command = [*within, sys.executable, "-m", "gunicorn", "--config", "config/gunicorn.py"]
    command += ["--workers", str(workers), "--bind", f"{host}:{port}", "wsgi:app"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=out, stderr=out)
    try:
        served = Served(port, log, process.pid, host)
        _await(lambda: served.call("GET", "/healthz").status == 200, process, log)
        yield served
    finally:
        process.terminate()
        process.wait(30)


def at_once(jobs: list[Callable[[], Answer]]) -> list[Answer]:
    """Run jobs in threads that start together; answers in the order of the jobs."""
    answers: list[Answer | None] = [None] * len(jobs)
    gate = threading.Barrier(len(jobs))

    def run(place: int) -> None:
        gate.wait()
        answers[place] = jobs[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in answers, "a request was not answered"
    return [answer for answer in answers if answer is not None]


def _await(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    for _ in range(START_SECONDS * 10):
        if process.poll() is not None:
            break
        try:
            if ready():
                return
        except OSError:
            pass
        pause.wait(0.1)
    raise RuntimeError(f"gunicorn did not come up:\n{log.read_text()[-4000:]}")
