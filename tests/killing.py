"""A process that runs `flask …` in children of its own, and lets them be killed at a chosen step.

`python -m tests.killing DATABASE_URL FIXED_NOW FOLDER`; then one line of JSON per child on its
input: {"args": ["day", "close", …], "kill_at": 17}. The child is a real process with connections
of its own. It is killed (SIGKILL) when it comes to its 17th point: before a statement, after one,
or before a commit; null: never. The answer, a line of JSON, says how it ended. Forking spares each
child two seconds of imports.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event

from app import create_app
from app.extensions import db
from config.settings import ROOT, Settings
from tests.keys import KEYS

Run = Callable[[list[str], int | None], int]


@contextmanager
def commands(url: str, now: datetime, folder: Path) -> Iterator[Run]:
    """A function that runs a command in a process, killed at a step; returns how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.killing", url, now.isoformat(), str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(args: list[str], kill_at: int | None = None) -> int:
        process.stdin.write(json.dumps({"args": args, "kill_at": kill_at}) + "\n")
        process.stdin.flush()
        return int(json.loads(process.stdout.readline())["status"])

    try:
        yield run
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main() -> None:
    url, fixed_now, folder = sys.argv[1:]
    app = create_app(
        Settings(
            database_url=url,
            database_durable=False,
            fixed_now=datetime.fromisoformat(fixed_now),
            log_level="ERROR",
            secret_key="of no use outside of this test suite",
            var_dir=Path(folder),
            **KEYS,
        )
    )
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(_run(app, job["args"], job["kill_at"]))
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


def _run(app: Flask, args: list[str], kill_at: int | None) -> int:
    reached = 0

    def count(*_: Any) -> None:
        nonlocal reached
        reached += 1
        if reached == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with app.app_context():
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(db.engine, name, count)
    result = app.test_cli_runner().invoke(args=args)
    if result.exit_code:
        print(result.output, repr(result.exception), file=sys.stderr, flush=True)
    return result.exit_code


if __name__ == "__main__":
    main()
