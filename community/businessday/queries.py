"""Reading business days: what came of them, and where they are still to be done."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.businessday.models import DayRun, DayStep
from community.businessday.service import add_counts
from community.businessday.steps import STEPS
from community.communities.models import Community
from community.ledger.models import Book


@dataclass(frozen=True, slots=True)
class DayReport:
    """What came of a set of runs: by step, what was counted."""

    runs: int
    counts: dict[str, dict[str, int]]


def report_of(session: Session, run_ids: Collection[int]) -> DayReport:
    """What the steps of these runs counted, summed, from first to last process."""
    counts: dict[str, dict[str, int]] = {}
    rows = select_by(
        session, select(DayStep.name, DayStep.counts), DayStep.run_id, frozenset(run_ids)
    )
    for name, found in rows:
        counts[name] = add_counts(counts.get(name, {}), found)
    return DayReport(len(run_ids), counts)


@dataclass(frozen=True, slots=True)
class StepView:
    """One step of a day: whether it is done, begun, or still to come, and what it counted."""

    name: str
    is_done: bool
    is_begun: bool
    # The last row that it has dealt with, in the order of ids.
    after_id: int
    counts: dict[str, int]


def runs_of(community_id: int) -> Select[DayRun]:
    """A community's business days that were ever begun; page by DayRun.id."""
    return select(DayRun).where(DayRun.community_id == community_id)


def steps_of(session: Session, run_ids: Collection[int]) -> dict[int, tuple[StepView, ...]]:
    """By run: its steps in their order, those not begun included. One statement for all."""
    found: dict[int, dict[str, DayStep]] = {run_id: {} for run_id in run_ids}
    for step in session.scalars(select(DayStep).where(DayStep.run_id.in_(found))):
        found[step.run_id][step.name] = step
    order = [step.name for step in STEPS]
    return {
        run_id: tuple(
            StepView(
                name,
                name in rows and rows[name].is_done,
                name in rows,
                rows[name].after_id if name in rows else 0,
                dict(rows[name].counts) if name in rows else {},
            )
            # Steps that a day had when it was worked, and that there are no more, come last.
            for name in (*order, *sorted(rows.keys() - set(order)))
        )
        for run_id, rows in found.items()
    }


def communities_behind(session: Session, on: date) -> list[int]:
    """Communities, by id, whose books still take postings of a day."""
    return list(
        session.scalars(
            select(Community.id)
            .outerjoin(Book, Book.community_id == Community.id)
            .where(Book.closed_through.is_(None) | (Book.closed_through < on))
            .order_by(Community.id)
        )
    )
