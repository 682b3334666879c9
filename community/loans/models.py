"""Loans, group loans, their instalments, what was paid on them and what they have earned."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    and_,
    literal_column,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.communities.charter import Purpose
from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Minor,
    Text120,
    UtcTime,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class LoanStatus(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ENDORSED = "endorsed"
    APPROVED = "approved"
    CURRENT = "current"  # disbursed, nothing late
    OVERDUE = "overdue"
    CALLED = "called"
    RESTRUCTURED = "restructured"  # on a new plan, nothing late on it
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


_PART_PAID_OUT = "disbursed_minor > 0 AND disbursed_minor < principal_minor"


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
            "status NOT IN ('current', 'overdue', 'called', 'restructured', 'closed',"
            " 'written_off') OR disbursed_on IS NOT NULL",
            name="live_is_disbursed",
        ),
        CheckConstraint(
            "disbursed_minor >= outstanding_minor AND disbursed_minor <= principal_minor",
            name="disbursed_within_principal",
        ),
        CheckConstraint("restructure_count >= 0", name="restructures_count_up"),
        CheckConstraint(
            "(restructure_count = 0) = (restructured_on IS NULL)", name="restructured_has_its_day"
        ),
        CheckConstraint("cover_short_minor >= 0", name="cover_short_not_negative"),
        CheckConstraint(
            "line_used_minor >= 0 AND line_used_minor <= principal_minor",
            name="line_used_within_principal",
        ),
        CheckConstraint("line_id IS NOT NULL OR line_used_minor = 0", name="a_draw_has_its_line"),
        Index("ix_loans_borrower", "borrower_id", "community_id", "status"),
        Index("ix_loans_community_status", "community_id", "status"),
        Index("ix_loans_group_loan_id", "group_loan_id"),
        Index("ix_loans_season_id", "season_id", "community_id", "status"),
        # Few loans are either: what looks for them does not read the others.
        Index(
            "ix_loans_part_paid_out",
            "community_id",
            "id",
            postgresql_where=text(_PART_PAID_OUT),
            sqlite_where=text(_PART_PAID_OUT),
        ),
        Index(
            "ix_loans_restructured",
            "community_id",
            "id",
            postgresql_where=text("restructured_on IS NOT NULL"),
            sqlite_where=text("restructured_on IS NOT NULL"),
        ),
        Index("ix_loans_line_id", "line_id", "borrower_id"),
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
    # The shared credit line that it draws on, and what it takes of it now.
    line_id: Mapped[int | None] = mapped_column(ForeignKey("credit_lines.id"))
    line_used_minor: Mapped[Minor] = mapped_column(default=0)
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    # Terms as frozen at application: product terms, number of instalments, season's windows.
    terms: Mapped[dict[str, Any]] = mapped_column(JSON)
    principal_minor: Mapped[Minor]
    # Paid out so far; a seasonal loan may go out in several tranches.
    disbursed_minor: Mapped[Minor] = mapped_column(default=0)
    # Principal that the lender still has out, whoever pays it back; 0 before disbursement.
    outstanding_minor: Mapped[Minor] = mapped_column(default=0)
    written_off_minor: Mapped[Minor] = mapped_column(default=0)
    # Cover that could not be held again after a receipt was taken back; made good or called.
    cover_short_minor: Mapped[Minor] = mapped_column(default=0)
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
    # The last restructuring; how often it was restructured is limited by the charter.
    restructured_on: Mapped[date | None]
    restructure_count: Mapped[int] = mapped_column(default=0)
    # The day as of which its instalments were worked out last.
    worked_out_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]

    @property
    def undisbursed_minor(self) -> int:
        """What was approved and is still to be paid out; nothing once the loan has ended."""
        return 0 if self.ended_on is not None else self.principal_minor - self.disbursed_minor


# Some of the money went out, and some of it is still to go, or will not any more. As in the index.
PART_PAID_OUT = and_(
    Loan.disbursed_minor > literal_column("0"), Loan.disbursed_minor < Loan.principal_minor
)


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


class Disbursement(Base):
    """Money that went out on a loan: one row a tranche."""

    __tablename__ = "disbursements"
    __table_args__ = (
        UniqueConstraint("loan_id", "number"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    number: Mapped[int]
    amount_minor: Mapped[Minor]
    paid_out_on: Mapped[date]
    recorded_at: Mapped[Instant]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))


class LoanUse(Base):
    """What a part of a loan's money is for, and who gets it (资金用途)."""

    __tablename__ = "loan_uses"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "verified_minor >= 0 AND verified_minor <= amount_minor", name="verified_within_amount"
        ),
        Index("ix_loan_uses_loan_id", "loan_id"),
        Index("ix_loan_uses_payee_id", "payee_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("use")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    purpose: Mapped[Purpose] = mapped_column(choice(Purpose))
    payee_name: Mapped[Text120]
    # The payee, if they are a member.
    payee_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    amount_minor: Mapped[Minor]
    # Always the sum of its evidence.
    verified_minor: Mapped[Minor] = mapped_column(default=0)
    stated_on: Mapped[date]
    stated_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class PayeePayment(Base):
    """A part of a disbursement that went straight to a payee whom the loan names. Never changed.

    What is left of the disbursement went to the borrower, who owes the whole.
    """

    __tablename__ = "payee_payments"
    __table_args__ = (
        UniqueConstraint("disbursement_id", "number"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        Index("ix_payee_payments_use_id", "use_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("pyp")
    )
    disbursement_id: Mapped[int] = mapped_column(ForeignKey("disbursements.id"))
    number: Mapped[int]
    # A use of the same loan: `guards` holds it to that.
    use_id: Mapped[int] = mapped_column(ForeignKey("loan_uses.id"))
    # Who was paid: what the use said then.
    payee_name: Mapped[Text120]
    payee_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    amount_minor: Mapped[Minor]
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    paid_on: Mapped[date]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class ChargeKind(StrEnum):
    FEE = "fee"
    PENALTY = "penalty"


class Charge(Base):
    """A fee or a penalty put on a loan; waived, it stays on record and is owed no more."""

    __tablename__ = "loan_charges"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        Index("ix_loan_charges_loan_id", "loan_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("chg")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    kind: Mapped[ChargeKind] = mapped_column(choice(ChargeKind))
    amount_minor: Mapped[Minor]
    due_on: Mapped[date]
    reason: Mapped[str] = mapped_column(String(500))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]
    waived_on: Mapped[date | None]


class ChangeKind(StrEnum):
    """What can happen to a loan's plan. The arithmetic of each is in `arithmetic`."""

    RATE = "rate"
    PAUSE = "pause"  # interest stands still
    RESCHEDULE = "reschedule"
    MOVE = "move"
    SPLIT = "split"
    FREEZE = "freeze"


class LoanChange(Base):
    """A change of a loan's plan from a day on. Taken back, the plan is as if it had not been."""

    __tablename__ = "loan_changes"
    __table_args__ = (
        CheckConstraint(
            "(undone_on IS NULL) = (undone_reason IS NULL)", name="undone_with_its_reason"
        ),
        Index("ix_loan_changes_loan_id", "loan_id"),
        Index("ix_loan_changes_source", "source"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("chn")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    kind: Mapped[ChangeKind] = mapped_column(choice(ChangeKind))
    effective_on: Mapped[date]
    # What `loans.history` reads for the kind.
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    reason: Mapped[str] = mapped_column(String(500))
    # What it belongs to, such as a declared event's public id; empty: decided for this loan alone.
    source: Mapped[str] = mapped_column(String(80), default="")
    is_restructuring: Mapped[bool] = mapped_column(default=False)
    # How late the loan was before: a new plan does not make that undone.
    days_overdue: Mapped[int]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]
    undone_on: Mapped[date | None]
    undone_reason: Mapped[str | None] = mapped_column(String(500))
    undone_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))


_COMPONENTS = ("principal", "interest", "fee", "penalty")


class Instalment(Base):
    """One due of a loan's schedule and what was paid of it: always what its history says."""

    __tablename__ = "instalments"
    __table_args__ = (
        UniqueConstraint("loan_id", "number"),
        CheckConstraint(
            " AND ".join(f"{part}_minor >= 0" for part in _COMPONENTS), name="dues_not_negative"
        ),
        CheckConstraint(
            " AND ".join(
                f"paid_{part}_minor >= 0 AND paid_{part}_minor <= {part}_minor"
                for part in _COMPONENTS
            ),
            name="paid_within_due",
        ),
        CheckConstraint("from_on <= due_on", name="begins_before_it_is_due"),
        Index("ix_instalments_due_on", "due_on"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    number: Mapped[int]
    # The period whose interest it asks for; a charge after the term has a row of its own.
    from_on: Mapped[date]
    due_on: Mapped[date]
    principal_minor: Mapped[Minor]
    interest_minor: Mapped[Minor]
    fee_minor: Mapped[Minor] = mapped_column(default=0)
    penalty_minor: Mapped[Minor] = mapped_column(default=0)
    paid_principal_minor: Mapped[Minor] = mapped_column(default=0)
    paid_interest_minor: Mapped[Minor] = mapped_column(default=0)
    paid_fee_minor: Mapped[Minor] = mapped_column(default=0)
    paid_penalty_minor: Mapped[Minor] = mapped_column(default=0)

    @hybrid_property
    def due_minor(self) -> int:
        return self.principal_minor + self.interest_minor + self.fee_minor + self.penalty_minor

    @hybrid_property
    def paid_minor(self) -> int:
        return (
            self.paid_principal_minor
            + self.paid_interest_minor
            + self.paid_fee_minor
            + self.paid_penalty_minor
        )


class RepaymentSource(StrEnum):
    BORROWER = "borrower"
    THIRD_PARTY = "third_party"  # counts neither for the borrower's record nor the voucher's
    STAKE = "stake"  # set off against a stake
    GUARANTOR = "guarantor"  # paid by hand on a call
    RESERVE = "reserve"
    WRITE_OFF = "write_off"  # not money: principal given up


class Repayment(Base):
    """Money received on a loan, with its parts and its receipt number (the public id).

    The parts are what the loan's whole history makes of the money: money that is entered later
    with an earlier day, or taken back, may move them. Every such move is posted.
    """

    __tablename__ = "repayments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        # Every cent has its place.
        CheckConstraint(
            "principal_minor + interest_minor + fee_minor + penalty_minor + recovered_minor"
            " + recourse_minor + overpaid_minor = amount_minor",
            name="parts_sum_to_amount",
        ),
        CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0 AND fee_minor >= 0"
            " AND penalty_minor >= 0 AND recovered_minor >= 0 AND recourse_minor >= 0"
            " AND overpaid_minor >= 0",
            name="parts_not_negative",
        ),
        CheckConstraint(
            "principal_minor + interest_minor + fee_minor + penalty_minor <= offered_minor"
            " AND offered_minor + recourse_minor + recovered_minor <= amount_minor",
            name="lender_within_offered",
        ),
        CheckConstraint(
            "(reversed_on IS NULL) = (reversed_reason IS NULL)", name="reversed_with_its_reason"
        ),
        Index("ix_repayments_loan_id", "loan_id"),
        Index("ix_repayments_received_on", "received_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("rcp")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    source: Mapped[RepaymentSource] = mapped_column(choice(RepaymentSource))
    amount_minor: Mapped[Minor]
    # What of it was taken for the lender. Parts may move later, this does not.
    offered_minor: Mapped[Minor] = mapped_column(default=0)
    # It settled the loan early: interest counted up to its day only.
    is_payoff: Mapped[bool] = mapped_column(default=False)
    principal_minor: Mapped[Minor]
    interest_minor: Mapped[Minor]
    fee_minor: Mapped[Minor] = mapped_column(default=0)
    penalty_minor: Mapped[Minor] = mapped_column(default=0)
    # On a written-off loan: what the lender gets back after all.
    recovered_minor: Mapped[Minor] = mapped_column(default=0)
    # Passed on to those who paid for the borrower.
    recourse_minor: Mapped[Minor] = mapped_column(default=0)
    overpaid_minor: Mapped[Minor] = mapped_column(default=0)
    received_on: Mapped[date]
    recorded_at: Mapped[Instant]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
    # Taken back (a cheque that bounced, money of somebody else): the row stays, its money does not.
    reversed_on: Mapped[date | None]
    reversed_reason: Mapped[str | None] = mapped_column(String(500))
    reversed_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    reversed_at: Mapped[datetime | None] = mapped_column(UtcTime)

    @property
    def lender_minor(self) -> int:
        """What of it went to what the loan owes the lender."""
        return self.principal_minor + self.interest_minor + self.fee_minor + self.penalty_minor


class LoanPosition(Base):
    """Where a loan stands, on one narrow row: what the business day reads and writes.

    All but `receivable_minor` and `accrues` follows from the loan and its instalments, and is
    written by `positions.refresh` alone. It changes under the lock of the community's book. The
    row is there from the pay-out until the loan has ended and nothing of it is receivable.
    """

    __tablename__ = "loan_positions"
    __table_args__ = (
        CheckConstraint("running_days >= 1", name="a_period_has_days"),
        CheckConstraint("receivable_minor >= 0", name="receivable_not_negative"),
        Index("ix_loan_positions_community", "community_id", "loan_id"),
        Index("ix_loan_positions_due", "community_id", "oldest_due_on"),
        Index(
            "ix_loan_positions_stopped",
            "community_id",
            "loan_id",
            postgresql_where=text("NOT accrues"),
            sqlite_where=text("accrues = 0"),
        ),
        # The day writes every row: room on each page keeps the new version beside the old one.
        {"postgresql_with": {"fillfactor": 70}},
    )

    loan_id: Mapped[int] = mapped_column(BigId, ForeignKey("loans.id"), primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    currency: Mapped[str] = mapped_column(String(3))
    is_live: Mapped[bool]
    # Whether interest is booked as it is earned; if not, as it is paid.
    accrues: Mapped[bool] = mapped_column(default=True)
    outstanding_minor: Mapped[Minor]
    paid_interest_minor: Mapped[Minor]
    # Interest of the instalments that have ended, and of the one that runs (none: 0 over 1 day).
    earned_before_minor: Mapped[Minor]
    running_from_on: Mapped[date]
    running_until_on: Mapped[date | None]
    running_days: Mapped[int]
    running_interest_minor: Mapped[Minor]
    # Booked as earned and not paid yet.
    receivable_minor: Mapped[Minor] = mapped_column(default=0)
    # The earliest day on which something falls due that is unpaid.
    oldest_due_on: Mapped[date | None]


class AccrualLine(Base):
    """One loan's part of an entry that books interest as earned, or takes it back."""

    __tablename__ = "accrual_lines"
    __table_args__ = (CheckConstraint("amount_minor <> 0", name="moves_something"),)

    entry_id: Mapped[int] = mapped_column(BigId, ForeignKey("journal_entries.id"), primary_key=True)
    loan_id: Mapped[int] = mapped_column(BigId, ForeignKey("loans.id"), primary_key=True)
    # Negative in an entry that takes back.
    amount_minor: Mapped[Minor]


keep_history(Base.metadata.tables[AccrualLine.__tablename__])
keep_history(Base.metadata.tables[PayeePayment.__tablename__])
