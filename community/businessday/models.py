"""A community's business days: how far each has come, and who works on it."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, BigId, Instant, Key, UtcTime, choice


class DayState(StrEnum):
    WORKING = "working"
    WORKED = "worked"  # all done, the books kept open
    CLOSED = "closed"


class DayRun(Base):
    """One community's business day. A community works on one day at a time.

    Whoever works holds the lease, and proves it in every commit; a lease that has run out may be
    taken over.
    """

    __tablename__ = "day_runs"
    __table_args__ = (
        UniqueConstraint("community_id", "day_on"),
        Index(
            "uq_day_runs_working",
            "community_id",
            unique=True,
            postgresql_where=text("state = 'working'"),
            sqlite_where=text("state = 'working'"),
        ),
        CheckConstraint(
            "(state = 'working') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)"
            " AND (state = 'working') = (finished_at IS NULL)",
            name="leased_while_working",
        ),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    on: Mapped[date] = mapped_column("day_on")
    state: Mapped[DayState] = mapped_column(choice(DayState))
    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)


class DayStep(Base):
    """How far one step of a day has come. Moves in the commit of the work itself."""

    __tablename__ = "day_steps"

    run_id: Mapped[int] = mapped_column(BigId, ForeignKey("day_runs.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    is_done: Mapped[bool] = mapped_column(default=False)
    # The last row that the step has dealt with, in the order of ids.
    after_id: Mapped[int] = mapped_column(BigId, default=0)
    # What came of it, by what it is: {"overdue": 3, "earned CNY": 12050}.
    counts: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
