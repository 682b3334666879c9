"""Shared credit lines, their sub-limits, and every change of them.

A draw is a loan that names its line. `used_minor` of a line and of a sub-limit is what its live
draws take of it, at every moment: `draws` moves it under the rows' locks.
"""

from datetime import date
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from community.database import (
    Base,
    Instant,
    Key,
    Minor,
    MinorUnits,
    Text120,
    Text500,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history

# Law 2, of lines and of sub-limits. What is above the limit in force is noted as such: the limit
# was lowered, a raise ended, or a receipt was taken back after others had drawn what it freed.
_AMOUNTS = "limit_minor >= 0 AND used_minor >= 0 AND raised_minor >= 0 AND over_minor >= 0"
_WITHIN = "used_minor <= limit_minor + raised_minor + over_minor"
_OVER = "over_minor = 0 OR used_minor = limit_minor + raised_minor + over_minor"
_RAISED = "(raised_minor = 0) = (raised_until_on IS NULL)"


class LineStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # no new draws; those that run go on
    CLOSED = "closed"


class Facility:
    """A limit and what is used of it: of a whole line, or of one member on it."""

    limit_minor: Mapped[Minor]
    used_minor: Mapped[Minor] = mapped_column(default=0)
    # More for a while. From the day after on it counts for nothing, whoever has looked since.
    raised_minor: Mapped[Minor] = mapped_column(default=0)
    raised_until_on: Mapped[date | None]
    over_minor: Mapped[Minor] = mapped_column(default=0)

    def limit_on(self, on: date) -> int:
        """The limit in force on a day, a temporary raise included."""
        if self.raised_until_on is None or self.raised_until_on < on:
            return self.limit_minor
        return self.limit_minor + self.raised_minor

    def headroom_on(self, on: date) -> int:
        """What can still be drawn on a day."""
        return max(0, self.limit_on(on) - self.used_minor)


class CreditLine(Facility, Base):
    """A facility that the members of a community, or of one group in it, draw on together."""

    __tablename__ = "credit_lines"
    __table_args__ = (
        CheckConstraint(_AMOUNTS, name="amounts_not_negative"),
        CheckConstraint(_WITHIN, name="used_within_limit"),
        CheckConstraint(_OVER, name="over_is_what_is_over"),
        CheckConstraint(_RAISED, name="raised_until_a_day"),
        CheckConstraint("from_on <= until_on", name="term_has_days"),
        CheckConstraint("reserve_minor >= 0", name="reserve_not_negative"),
        CheckConstraint("status <> 'closed' OR used_minor = 0", name="closed_is_unused"),
        CheckConstraint("(status = 'closed') = (closed_on IS NOT NULL)", name="closed_on_a_day"),
        # One line of a holder for a product, where the charter says so.
        Index(
            "uq_credit_lines_sole_key",
            "sole_key",
            unique=True,
            postgresql_where=text("status <> 'closed'"),
            sqlite_where=text("status <> 'closed'"),
        ),
        Index("ix_credit_lines_community_id", "community_id"),
        Index("ix_credit_lines_group_id", "group_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cln")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    # Whose line it is: this group's, or the whole community's.
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    # Only loans of this product draw on it; None: of any.
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    name: Mapped[Text120]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[LineStatus] = mapped_column(choice(LineStatus))
    from_on: Mapped[date]
    until_on: Mapped[date]
    # Its first-loss reserve: what its moves leave.
    reserve_minor: Mapped[Minor] = mapped_column(default=0)
    sole_key: Mapped[str | None] = mapped_column(String(80))
    closed_on: Mapped[date | None]
    # The number of its last change.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class CreditLineShare(Facility, Base):
    """A member's sub-limit on a line."""

    __tablename__ = "credit_line_shares"
    __table_args__ = (
        UniqueConstraint("line_id", "member_id"),
        CheckConstraint(_AMOUNTS, name="amounts_not_negative"),
        CheckConstraint(_WITHIN, name="used_within_limit"),
        CheckConstraint(_OVER, name="over_is_what_is_over"),
        CheckConstraint(_RAISED, name="raised_until_a_day"),
        Index("ix_credit_line_shares_member_id", "member_id"),
    )

    id: Mapped[Key]
    line_id: Mapped[int] = mapped_column(ForeignKey("credit_lines.id"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))


class LineChangeKind(StrEnum):
    OPENED = "opened"
    LIMIT = "limit"
    SUB_LIMIT = "sub_limit"
    RAISE = "raise"
    SUB_LIMIT_RAISE = "sub_limit_raise"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    CLOSED = "closed"


class CreditLineChange(Base):
    """Who changed what of a line, when and why; never changed itself."""

    __tablename__ = "credit_line_changes"
    __table_args__ = (UniqueConstraint("line_id", "number"),)

    id: Mapped[Key]
    line_id: Mapped[int] = mapped_column(ForeignKey("credit_lines.id"))
    number: Mapped[int]
    kind: Mapped[LineChangeKind] = mapped_column(choice(LineChangeKind))
    # Whose sub-limit.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    before_minor: Mapped[int | None] = mapped_column(MinorUnits)
    after_minor: Mapped[int | None] = mapped_column(MinorUnits)
    until_on: Mapped[date | None]
    changed_on: Mapped[date]
    reason: Mapped[Text500]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class ReserveMoveKind(StrEnum):
    PAID_IN = "paid_in"  # by a member, out of their savings
    SET_ASIDE = "set_aside"  # by the community, out of its reserve fund
    USED = "used"  # for a draw that was not paid
    REFILLED = "refilled"  # the borrower paid it back after all
    RETURNED = "returned"  # after the line was closed


class LineReserveMove(Base):
    """Money into or out of a line's first-loss reserve; never changed."""

    __tablename__ = "line_reserve_moves"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "kind = 'returned' OR (kind = 'paid_in') = (member_id IS NOT NULL)",
            name="members_pay_in",
        ),
        CheckConstraint(
            "(kind IN ('used', 'refilled')) = (loan_id IS NOT NULL)", name="used_for_a_loan"
        ),
        Index("ix_line_reserve_moves_line_id", "line_id"),
        Index("ix_line_reserve_moves_entry_id", "entry_id"),
    )

    id: Mapped[Key]
    line_id: Mapped[int] = mapped_column(ForeignKey("credit_lines.id"))
    kind: Mapped[ReserveMoveKind] = mapped_column(choice(ReserveMoveKind))
    # Who paid in, or got back; None: the community's reserve fund.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # The draw that it paid for.
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))
    amount_minor: Mapped[Minor]
    moved_on: Mapped[date]
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


for _table in (CreditLineChange, LineReserveMove):
    keep_history(Base.metadata.tables[_table.__tablename__])
