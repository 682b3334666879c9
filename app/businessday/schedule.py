"""The day's clock: closes each business day when it is over, without anybody calling.

In `flask day schedule`, or inside every server process when DAY_CLOSE_AT is set. Any number of
them may tick at once: the lease on a community's day lets one work and the others pass it by.
"""

import logging
import threading
from datetime import date, datetime, time, timedelta

from flask import Flask

from app.businessday.running import Outcome, close_days
from app.clock import Clock
from app.extensions import db
from community.businessday.queries import communities_behind
from community.errors import CommunityError

logger = logging.getLogger(__name__)

TICK = timedelta(minutes=1)


def day_to_close(local_now: datetime, at: time) -> date:
    """The last business day that is over: yesterday from `at` on, until then the day before."""
    over = 1 if local_now.time() >= at else 2
    return local_now.date() - timedelta(days=over)


class Schedule:
    """Ticks until it is stopped, and closes what is to be closed."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.at: time | None = app.extensions["settings"].day_close_at
        self.clock: Clock = app.extensions["clock"]
        self.stopped = threading.Event()

    def run(self) -> None:
        """Tick until `stopped` is set."""
        while not self.stopped.is_set():
            try:
                self.tick()
            except Exception:
                # The next tick tries again; whoever watches the log has to know.
                logger.exception("the business day could not be closed")
            self.stopped.wait(TICK.total_seconds())

    def start(self) -> None:
        """Tick in a thread of this process, if a time is set. It dies with the process."""
        if self.at is not None:
            threading.Thread(target=self.run, name="business day", daemon=True).start()

    def tick(self) -> Outcome | None:
        """Close the last day that is over where it is not closed; None if it is, everywhere."""
        assert self.at is not None
        with self.app.app_context():
            day = day_to_close(self.clock.now().astimezone(self.clock.timezone), self.at)
            session = db.session()
            behind = communities_behind(session, day)
            session.rollback()
            outcome = None
            for community_id in behind:
                try:
                    outcome = close_days(
                        session, communities=[community_id], on=day, stopping=self.stopped.is_set
                    )
                    if self.stopped.is_set():
                        break  # the next start goes on from where this stopped
                except CommunityError as refusal:
                    # One community's trouble is not the others'.
                    logger.error("community %s: %s", community_id, refusal.detail)
            if outcome is not None:
                logger.info("business day %s: %s communities were behind", day, len(behind))
            return outcome
