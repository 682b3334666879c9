"""Who looked at whose file, who asked to be erased, and what retention took away."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Text500, UtcTime, choice


class ReaderRole(StrEnum):
    """By which of their roles somebody was let in."""

    OPERATOR = "operator"
    OFFICER = "officer"
    AUDITOR = "auditor"
    LEADER = "leader"


class AccessNote(Base):
    """Somebody in office looked at a member's data: once for each reader, action and hour."""

    __tablename__ = "access_notes"
    __table_args__ = (
        UniqueConstraint("member_id", "reader_id", "action", "hour_at"),
        CheckConstraint("reader_id <> member_id", name="one_reads_ones_own_unnoted"),
        Index("ix_access_notes_reader_id", "reader_id"),
        Index("ix_access_notes_hour_at", "hour_at"),
    )

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    reader_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    role: Mapped[ReaderRole] = mapped_column(choice(ReaderRole))
    # The permission that was asked for, such as `loan:read`.
    action: Mapped[str] = mapped_column(String(60))
    # The hour in which it was first done, from its beginning.
    hour_at: Mapped[datetime] = mapped_column(UtcTime)


class ErasureState(StrEnum):
    """What became of a wish to be erased."""

    OPEN = "open"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"
    DONE = "done"


class ErasureRequest(Base):
    """A member asked that their personal data be taken out; the office answers by a day."""

    __tablename__ = "erasure_requests"
    __table_args__ = (
        Index(
            "uq_erasure_requests_open",
            "member_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="open_until_settled"),
        CheckConstraint(
            "(settled_at IS NULL) = (settled_by_id IS NULL)", name="somebody_settles_it"
        ),
        CheckConstraint("settled_at >= asked_at", name="settled_after_it_was_asked"),
        CheckConstraint("(state = 'refused') = (reason <> '')", name="refused_with_a_reason"),
        CheckConstraint(
            "state <> 'withdrawn' OR settled_by_id = member_id", name="withdrawn_by_who_asked"
        ),
    )

    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"), index=True)
    state: Mapped[ErasureState] = mapped_column(choice(ErasureState))
    asked_at: Mapped[Instant]
    # By when the office has to have answered.
    due_on: Mapped[date]
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # Why it was refused, for the member to read.
    reason: Mapped[Text500] = mapped_column(default="")


class RetentionRun(Base):
    """One day's taking away of what has run out: by which rules, how much of each kind.

    Whoever works on it holds the lease, and proves it in every commit; one that has run out may be
    taken over.
    """

    __tablename__ = "retention_runs"
    __table_args__ = (
        UniqueConstraint("run_on"),
        CheckConstraint(
            "(finished_at IS NULL) = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)",
            name="leased_until_finished",
        ),
        CheckConstraint("finished_at >= started_at", name="finished_after_it_began"),
    )

    id: Mapped[Key]
    on: Mapped[date] = mapped_column("run_on")
    # The rules that it goes by, with their sources: {"tokens": {"days": 180, "source": "…"}}.
    rules: Mapped[dict[str, Any]] = mapped_column(JSON)
    # What was taken away so far, by kind, and of which kinds nothing is left.
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
    kinds_done: Mapped[list[str]] = mapped_column(JSON)
    lease_owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    started_at: Mapped[Instant]
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
