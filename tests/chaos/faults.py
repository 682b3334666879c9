"""Killing what serves: workers of gunicorn, and the server processes of PostgreSQL."""

import os
import random
import signal
import threading
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from tests.serving import Served

_PAUSE = threading.Event()
_SECONDS = 60


def kill_worker(served: Served, dice: random.Random) -> int:
    """SIGKILL one of gunicorn's workers; gunicorn starts another."""
    children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
    return _kill(dice.choice([int(child) for child in children]))


def kill_backend(url: str, dice: random.Random) -> int:
    """SIGKILL a process of PostgreSQL that serves the platform, best one that holds a transaction.

    PostgreSQL then throws out all sessions, reads its log again, and goes on.
    """
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'lianbao' ORDER BY pid"
        ).fetchall()
        busy = [pid for pid, state in rows if state in ("active", "idle in transaction")]
        killed = _kill(dice.choice(busy or [pid for pid, _ in rows]))
        # Until it is noticed new sessions are taken, only to be thrown out with the others.
        _await_thrown_out(connection)
    await_database(url)
    return killed


def _await_thrown_out(connection: psycopg.Connection) -> None:
    for _ in range(_SECONDS * 20):
        try:
            connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return
        _PAUSE.wait(0.05)
    raise RuntimeError("PostgreSQL did not notice that one of its processes was killed")


def await_database(url: str) -> None:
    """Until PostgreSQL takes sessions again."""
    for _ in range(_SECONDS * 20):
        try:
            psycopg.connect(_plain(url), connect_timeout=5).close()
        except psycopg.OperationalError:
            _PAUSE.wait(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not come back")


def _kill(pid: int) -> int:
    os.kill(pid, signal.SIGKILL)
    return pid


def _plain(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(False)
