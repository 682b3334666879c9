"""The class of each loan, how it came to it, and what was set aside for it when."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.communities.charter import RiskClass
from community.database import Base, BigId, Instant, Key, Minor, choice


class LoanClass(Base):
    """What a loan is today: one row a loan, from its first classification on.

    A row is written only when something of it changes: `as_of_on` is the day of the last change,
    and the row is right for every day since on which loans were classified.
    """

    __tablename__ = "loan_classes"
    __table_args__ = (
        CheckConstraint("provision_minor >= 0", name="provision_not_negative"),
        Index(
            "ix_loan_classes_community_class", "community_id", "left_on", "risk_class", "loan_id"
        ),
        # What a day looks for among many: what was late, what is set aside for nothing any more.
        Index(
            "ix_loan_classes_late",
            "community_id",
            "loan_id",
            postgresql_where=text("overdue_since_on IS NOT NULL"),
            sqlite_where=text("overdue_since_on IS NOT NULL"),
        ),
        Index(
            "ix_loan_classes_to_release",
            "community_id",
            "loan_id",
            postgresql_where=text("left_on IS NOT NULL AND provision_minor <> 0"),
            sqlite_where=text("left_on IS NOT NULL AND provision_minor <> 0"),
        ),
    )

    loan_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("loans.id"), primary_key=True, autoincrement=False
    )
    # The loan's own, so that a community's rows are found without its loans.
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    # By the loan's own facts, watch included.
    own_class: Mapped[RiskClass] = mapped_column(choice(RiskClass, "own_class"))
    # What counts: the worst of the member's loans where the charter says so.
    risk_class: Mapped[RiskClass] = mapped_column(choice(RiskClass, "risk_class"))
    since_on: Mapped[date]
    # The first due that is not paid; None: nothing is late.
    overdue_since_on: Mapped[date | None]
    # No arrears since this day, while it matters for an upgrade.
    clean_since_on: Mapped[date | None]
    # Set aside for it, as last posted.
    provision_minor: Mapped[Minor] = mapped_column(default=0)
    # The loan was closed or written off, and left the portfolio.
    left_on: Mapped[date | None]
    as_of_on: Mapped[date]


class LoanClassChange(Base):
    """A loan came from one class to another; never changed. Every loan begins as normal."""

    __tablename__ = "loan_class_changes"
    __table_args__ = (
        CheckConstraint("from_class <> to_class", name="changes_something"),
        Index("ix_loan_class_changes_loan", "loan_id", "changed_on", "id"),
        Index("ix_loan_class_changes_community", "community_id", "changed_on"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    from_class: Mapped[RiskClass] = mapped_column(choice(RiskClass, "from_class"))
    to_class: Mapped[RiskClass] = mapped_column(choice(RiskClass, "to_class"))
    changed_on: Mapped[date]
    # [{"rule": …, "class": …, facts}, …], the deciding one first.
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    recorded_at: Mapped[Instant]


class ProvisionChange(Base):
    """What one entry of the books set aside or released for one loan; never changed.

    An entry is posted for many loans at once: its amount is the sum of these rows.
    """

    __tablename__ = "provision_changes"
    __table_args__ = (
        CheckConstraint("before_minor >= 0 AND after_minor >= 0", name="provisions_not_negative"),
        CheckConstraint("before_minor <> after_minor", name="changes_something"),
        CheckConstraint("outstanding_minor >= 0", name="outstanding_not_negative"),
        Index("ix_provision_changes_entry_id", "entry_id"),
        Index("ix_provision_changes_loan", "loan_id", "id"),
    )

    id: Mapped[Key]
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    # What the amount follows from.
    risk_class: Mapped[RiskClass] = mapped_column(choice(RiskClass))
    outstanding_minor: Mapped[Minor]
    before_minor: Mapped[Minor]
    after_minor: Mapped[Minor]
