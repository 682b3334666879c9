"""Reading business days: what came of them, and where they are still to be done."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.businessday.models import DayStep
from community.businessday.service import add_counts
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
