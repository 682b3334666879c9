"""A calendar of things that happen, played in order, each as a unit of work on its own day."""

import heapq
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from app.transaction import run_unit

Answer = TypeVar("Answer")

# Offices open at nine in the morning, Chinese time.
_OPENING = time(1, 0, tzinfo=UTC)
_OFFICE_MINUTES = 8 * 60


class Life:
    """Days that pass. What happens on the same day happens in the order in which it was planned."""

    def __init__(self, session: Session, first: date) -> None:
        self.session = session
        self.on = first
        self._minute = 0
        self._order = count()
        self._planned: list[tuple[date, int, Callable[[], None]]] = []

    @property
    def now(self) -> datetime:
        """The instant of what is happening."""
        minute = min(self._minute, _OFFICE_MINUTES)
        return datetime.combine(self.on, _OPENING) + timedelta(minutes=minute)

    def at(self, day: date, happening: Callable[[], None]) -> None:
        """Plan something; what should have happened already happens next."""
        heapq.heappush(self._planned, (max(day, self.on), next(self._order), happening))

    def play(self, last: date, passed: Callable[[date], None] = lambda day: None) -> None:
        """Let everything happen that is planned up to a day."""
        while self._planned and self._planned[0][0] <= last:
            day, _, happening = heapq.heappop(self._planned)
            if day != self.on:
                self.on, self._minute = day, 0
                passed(day)
            happening()
        self.on, self._minute = last, 0

    def do(self, work: Callable[..., Answer], **facts: Any) -> Answer:
        """One unit of work, now: `facts` are handed on to it."""
        self._minute += 1
        return run_unit(self.session, work, **facts)
