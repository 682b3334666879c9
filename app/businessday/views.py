"""Business days with their steps, for dumping and for pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from community.businessday.models import DayRun, DayState
from community.businessday.queries import StepView, steps_of


@dataclass(frozen=True, slots=True)
class DayView:
    """A day with its steps in their order."""

    on: date
    state: DayState
    started_at: datetime
    finished_at: datetime | None
    steps: tuple[StepView, ...]

    @property
    def done(self) -> int:
        """How many of the steps are done."""
        return sum(step.is_done for step in self.steps)


def day_views(session: Session, runs: Sequence[DayRun]) -> list[DayView]:
    """Days with their steps; one statement for all of them."""
    steps = steps_of(session, [run.id for run in runs])
    return [
        DayView(run.on, run.state, run.started_at, run.finished_at, steps[run.id]) for run in runs
    ]
