"""Receipts of savings movements. The money itself stands in the ledger."""

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from community.database import Base, Instant, Key, Minor, choice, new_public_id, one_of


class SavingsMovementKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    STAKE_LOCK = "stake_lock"
    STAKE_RELEASE = "stake_release"


class SavingsMovement(Base):
    """One deposit, withdrawal, lock or release, with the entry that booked it."""

    __tablename__ = "savings_movements"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(one_of("kind", SavingsMovementKind), name="savings_movement_kind"),
        Index("ix_savings_movements_member", "member_id", "community_id", "id"),
        # Few movements are: what looks for falling stakes does not read the others.
        Index(
            "ix_savings_movements_releases",
            "community_id",
            "moved_on",
            postgresql_where=text("kind = 'stake_release'"),
            sqlite_where=text("kind = 'stake_release'"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rcp")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    kind: Mapped[SavingsMovementKind] = mapped_column(choice(SavingsMovementKind, checked=False))
    amount_minor: Mapped[Minor]
    on: Mapped[date] = mapped_column("moved_on")
    # The outside's name for the movement: the same file imported again changes nothing.
    reference: Mapped[str | None] = mapped_column(String(80), unique=True)
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    recorded_at: Mapped[Instant]
