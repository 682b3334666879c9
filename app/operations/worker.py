"""`flask worker`: one process for all jobs, beside the servers or instead of them.

Jobs wait as rows and are taken under leases, so any number of workers on any number of hosts may
run, and one that dies is replaced by whoever comes next. Each kind has a thread of its own: a day
that takes an hour keeps no webhook waiting.
"""

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy.orm import Session

from app.businessday.schedule import Schedule
from app.clock import now
from app.extensions import db
from app.personal.work import forget_what_has_run_out
from app.risk.work import work_one
from app.scoring.work import train_one
from app.transaction import run_unit
from app.webhooks.work import tell
from community.idempotency import forget_keys
from config.settings import Settings

logger = logging.getLogger(__name__)

# Keys are kept for days: once an hour is often enough to clear them away.
UPKEEP = timedelta(hours=1)

KINDS = ("webhooks", "stress", "training", "day", "retention", "upkeep")

Stopping = Callable[[], bool]
# Works off what is there of a kind; whether anything was done.
Work = Callable[[Session, Stopping], bool]


class Worker:
    """Works until it is stopped; what is under way is brought to a place to go on from."""

    def __init__(self, app: Flask, only: Collection[str] = ()) -> None:
        self.app = app
        self.stopped = threading.Event()
        settings: Settings = app.extensions["settings"]
        self._pause = settings.worker_poll_seconds
        self._key_days = timedelta(days=settings.idempotency_days)
        self._schedule = Schedule(app)
        self._schedule.stopped = self.stopped
        self._kept_up: datetime | None = None
        jobs: dict[str, Work] = {
            "webhooks": lambda session, stopping: tell(session, stopping=stopping) > 0,
            "stress": lambda session, stopping: work_one(session, stopping=stopping) is not None,
            "training": lambda session, stopping: train_one(session) is not None,
            "upkeep": self._keep_up,
        }
        if self._schedule.at is not None:
            jobs["day"] = self._close_day
        if settings.retention_at is not None:
            jobs["retention"] = lambda session, stopping: forget_what_has_run_out(
                session, stopping=stopping
            )
        self.jobs = {name: work for name, work in jobs.items() if not only or name in only}

    def stop(self) -> None:
        """Take nothing new; `run` returns when what is under way has reached such a place."""
        self.stopped.set()

    def run(self) -> None:
        """Work until `stop`, each kind in a thread."""
        threads = [
            threading.Thread(target=self._work_off, args=(name, work), name=name)
            for name, work in self.jobs.items()
        ]
        for thread in threads:
            thread.start()
        logger.info("working on %s", ", ".join(self.jobs))
        for thread in threads:
            thread.join()

    def run_once(self) -> None:
        """Work off what is there, one kind after the other, until there is nothing more."""
        for name, work in self.jobs.items():
            while not self.stopped.is_set() and self._try(name, work):
                pass

    def _work_off(self, name: str, work: Work) -> None:
        while not self.stopped.is_set():
            if not self._try(name, work):
                self.stopped.wait(self._pause)

    def _try(self, name: str, work: Work) -> bool:
        with self.app.app_context():
            try:
                return work(db.session(), self.stopped.is_set)
            except Exception:
                # The other kinds go on, and this one is tried again after a pause.
                logger.exception("jobs of kind %s", name)
                return False
            finally:
                db.session.remove()

    def _close_day(self, session: Session, stopping: Stopping) -> bool:
        self._schedule.tick()
        return False

    def _keep_up(self, session: Session, stopping: Stopping) -> bool:
        instant = now()
        if self._kept_up is None or instant - self._kept_up >= UPKEEP:
            run_unit(session, forget_keys, before=instant - self._key_days)
            self._kept_up = instant
        return False
