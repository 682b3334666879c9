"""Who looked at whose file."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from community.database import Base, Key, UtcTime, choice


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
