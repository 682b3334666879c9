"""Working stress tests off: begin, portions, sum up; by command, or in a thread of the server."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy.orm import Session

from app.businessday.running import is_gone, new_worker
from app.clock import now
from app.extensions import db
from app.transaction import run_unit
from community.errors import CommunityError
from community.risk import stress_service as service
from community.risk.models import StressTest
from community.risk.stress import DrawRow, Tally, summed_up

logger = logging.getLogger(__name__)

# Draws between two commits: seconds on a large community.
PORTION = 100
LEASE = timedelta(minutes=5)
THREADS = 2

Note = Callable[[int, int], None]


def work_one(
    session: Session,
    *,
    test_id: int | None = None,
    portion: int = PORTION,
    note: Note = lambda done, draws: None,
    stopping: Callable[[], bool] = lambda: False,
) -> int | None:
    """Work one test off: the given one, else the first that waits; its id, None if there is none.

    Killed, it is begun anew by whoever comes next, and says the same; so too when `stopping` says
    that it has to end: then it goes back into the queue, and the answer is None. Raises what
    `begin` raises, StressUnderWay if another took it over.
    """
    me = service.Worker(new_worker().name, LEASE, is_gone)
    begun = run_unit(session, service.begin, worker=me, now=now(), test_id=test_id)
    if begun is None:
        return None
    mine: dict[str, Any] = {"test_id": begun.test_id, "worker": me}
    try:
        tally, rows = Tally(), list[DrawRow]()
        while len(rows) < begun.draws:
            if stopping():
                run_unit(session, service.put_back, **mine)
                return None
            last = min(len(rows) + portion, begun.draws)
            some = begun.stress.work(range(len(rows) + 1, last + 1), tally, threads=THREADS)
            rows += some
            done = run_unit(session, service.note_draws, **mine, rows=some, now=now())
            note(done, begun.draws)
        summary = summed_up(rows, tail_bps=begun.tail_bps)
        run_unit(
            session,
            service.finish,
            **mine,
            summary=summary,
            tally=tally,
            worst=begun.stress.calls(summary["worst_draw"]),
            now=now(),
        )
    except CommunityError:
        raise
    except Exception as error:
        logger.exception("stress test %s", begun.test_id)
        run_unit(session, service.give_up, **mine, reason=type(error).__name__, now=now())
    return begun.test_id


class DeskWorker:
    """Works off what waits in a thread of this process; it dies with the process.

    Another process may take the same queue: a test is worked on by one of them.
    """

    name = "risk desk"

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.lock = threading.Lock()
        self.thread: threading.Thread | None = None

    def nudge(self) -> threading.Thread | None:
        """See to it that somebody works, after a test was put into the queue.

        None where that is left to `flask worker`.
        """
        if not self.app.extensions["settings"].jobs_in_server:
            return None
        with self.lock:
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self.thread.start()
            return self.thread

    def work(self) -> bool:
        """Work one thing off; whether there was one."""
        return work_one(db.session()) is not None

    def _run(self) -> None:
        with self.app.app_context():
            try:
                while self.work():
                    pass
            except CommunityError as refusal:
                logger.warning("%s: %s", self.name, refusal.detail)
            finally:
                db.session.remove()


def desk_worker() -> DeskWorker:
    """This process's worker."""
    worker: DeskWorker = current_app.extensions["desk_worker"]
    return worker


def describe(test: StressTest) -> str:
    """A line for the command line."""
    return f"{test.public_id} ({test.shock.value}) is {test.status.value}"
