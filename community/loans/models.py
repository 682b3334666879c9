"""Loans, group loans, their instalments and what was paid on them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import (
    Base,
    Instant,
    Key,
    Minor,
    UtcTime,
    choice,
    new_public_id,
)


class LoanStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ENDORSED = "endorsed"
    APPROVED = "approved"
    CURRENT = "current"  # disbursed, nothing late
    OVERDUE = "overdue"
    CALLED = "called"
    CLOSED = "closed"
    WRITTEN_OFF = "written_off"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class GroupLoan(Base):
    """One application of a group: a share for each member who borrows, decided together."""

    __tablename__ = "group_loans"
    __table_args__ = (CheckConstraint("total_minor > 0", name="total_is_positive"),)

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("gln")
    )
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"), index=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    # Always the sum of its shares.
    total_minor: Mapped[Minor]
    submitted_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class Loan(Base):
    """One borrower's loan: alone, or as a share of a group loan."""

    __tablename__ = "loans"
    __table_args__ = (
        CheckConstraint("principal_minor > 0", name="principal_is_positive"),
        CheckConstraint(
            "outstanding_minor >= 0 AND outstanding_minor <= principal_minor",
            name="outstanding_within_principal",
        ),
        CheckConstraint("written_off_minor >= 0", name="written_off_not_negative"),
        # When the loan closes, nothing is outstanding (the cover's part of law 3 is verified).
        CheckConstraint("status <> 'closed' OR outstanding_minor = 0", name="closed_is_paid"),
        CheckConstraint(
            "status NOT IN ('current', 'overdue', 'called', 'closed', 'written_off')"
            " OR disbursed_on IS NOT NULL",
            name="live_is_disbursed",
        ),
        Index("ix_loans_borrower", "borrower_id", "community_id", "status"),
        Index("ix_loans_community_status", "community_id", "status"),
        Index("ix_loans_group_loan_id", "group_loan_id"),
        Index("ix_loans_season_id", "season_id", "community_id", "status"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("lon")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    borrower_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    group_loan_id: Mapped[int | None] = mapped_column(ForeignKey("group_loans.id"))
    product_version_id: Mapped[int] = mapped_column(ForeignKey("product_versions.id"))
    season_id: Mapped[int | None] = mapped_column(ForeignKey("seasons.id"))
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    # Terms as frozen at application: product terms, number of instalments, season's windows.
    terms: Mapped[dict[str, Any]] = mapped_column(JSON)
    principal_minor: Mapped[Minor]
    # Principal that the lender still has out, whoever pays it back; 0 before disbursement.
    outstanding_minor: Mapped[Minor] = mapped_column(default=0)
    written_off_minor: Mapped[Minor] = mapped_column(default=0)
    purpose: Mapped[str] = mapped_column(String(500))
    status: Mapped[LoanStatus] = mapped_column(choice(LoanStatus))
    submitted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    approved_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    disbursed_on: Mapped[date | None]
    overdue_since_on: Mapped[date | None]
    called_on: Mapped[date | None]
    # From this day the whole debt is due, whatever the schedule says.
    accelerated_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]


class LoanStep(Base):
    """One step of a loan's life: from where to where, when, by whom, why."""

    __tablename__ = "loan_steps"

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"), index=True)
    from_status: Mapped[LoanStatus | None] = mapped_column(choice(LoanStatus, "from_status"))
    to_status: Mapped[LoanStatus] = mapped_column(choice(LoanStatus, "to_status"))
    on: Mapped[date] = mapped_column("stepped_on")
    reason: Mapped[str] = mapped_column(String(500), default="")
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class Endorsement(Base):
    """A member's word for a loan application."""

    __tablename__ = "endorsements"
    __table_args__ = (UniqueConstraint("loan_id", "endorser_id"),)

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    endorser_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    comment: Mapped[str] = mapped_column(String(500), default="")
    endorsed_at: Mapped[Instant]


class Instalment(Base):
    """One due of a loan's schedule and what was paid of it."""

    __tablename__ = "instalments"
    __table_args__ = (
        UniqueConstraint("loan_id", "number"),
        CheckConstraint("principal_minor >= 0 AND interest_minor >= 0", name="dues_not_negative"),
        CheckConstraint(
            "paid_principal_minor >= 0 AND paid_principal_minor <= principal_minor"
            " AND paid_interest_minor >= 0 AND paid_interest_minor <= interest_minor",
            name="paid_within_due",
        ),
        Index("ix_instalments_due_on", "due_on"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    number: Mapped[int]
    due_on: Mapped[date]
    principal_minor: Mapped[Minor]
    interest_minor: Mapped[Minor]
    paid_principal_minor: Mapped[Minor] = mapped_column(default=0)
    paid_interest_minor: Mapped[Minor] = mapped_column(default=0)


class RepaymentSource(StrEnum):
    BORROWER = "borrower"
    THIRD_PARTY = "third_party"  # counts neither for the borrower's record nor the voucher's
    STAKE = "stake"  # set off against a stake
    GUARANTOR = "guarantor"  # paid by hand on a call
    RESERVE = "reserve"
    WRITE_OFF = "write_off"  # not money: principal given up


class Repayment(Base):
    """Money received on a loan, with its parts and its receipt number (the public id)."""

    __tablename__ = "repayments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        # Every cent has its place.
        CheckConstraint(
            "principal_minor + interest_minor + recovered_minor + recourse_minor"
            " + overpaid_minor = amount_minor",
            name="parts_sum_to_amount",
        ),
        CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0 AND recovered_minor >= 0"
            " AND recourse_minor >= 0 AND overpaid_minor >= 0",
            name="parts_not_negative",
        ),
        Index("ix_repayments_loan_id", "loan_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rcp")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    source: Mapped[RepaymentSource] = mapped_column(choice(RepaymentSource))
    amount_minor: Mapped[Minor]
    principal_minor: Mapped[Minor]
    interest_minor: Mapped[Minor]
    # On a written-off loan: what the lender gets back after all.
    recovered_minor: Mapped[Minor] = mapped_column(default=0)
    # Passed on to those who paid for the borrower.
    recourse_minor: Mapped[Minor] = mapped_column(default=0)
    overpaid_minor: Mapped[Minor] = mapped_column(default=0)
    received_on: Mapped[date]
    recorded_at: Mapped[Instant]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
