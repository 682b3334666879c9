"""Cover lines, guarantees, calls, payments by guarantors, and recourse claims."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from community.database import (
    Base,
    Instant,
    Key,
    Minor,
    Text500,
    UtcTime,
    choice,
    new_public_id,
)


class CoverLine(Base):
    """A path with an amount: whose standing covers a loan, along which promises.

    `held = amount − released − paid` is what the line still reserves on its standing and on each
    of its vouches; the reserved columns there are the sums of their lines.
    """

    __tablename__ = "cover_lines"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "released_minor >= 0 AND paid_minor >= 0 AND called_minor >= 0"
            " AND released_minor + paid_minor <= amount_minor AND called_minor <= amount_minor"
            " AND paid_minor <= called_minor",
            name="parts_within_amount",
        ),
        CheckConstraint(
            "inner_vouch_id IS NOT NULL OR outer_vouch_id IS NULL", name="paths_end_at_borrower"
        ),
        # What went over to another guarantor is held no more, nor ever again.
        CheckConstraint(
            "change_id IS NULL OR released_minor + paid_minor = amount_minor",
            name="handed_over_is_not_held",
        ),
        Index("ix_cover_lines_change_id", "change_id"),
        Index("ix_cover_lines_loan_id", "loan_id"),
        Index("ix_cover_lines_standing_id", "standing_id"),
        Index("ix_cover_lines_inner_vouch_id", "inner_vouch_id"),
        Index("ix_cover_lines_outer_vouch_id", "outer_vouch_id"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    standing_id: Mapped[int] = mapped_column(ForeignKey("standings.id"))
    # The vouch that reaches the borrower; null when the borrower's own standing covers.
    inner_vouch_id: Mapped[int | None] = mapped_column(ForeignKey("vouches.id"))
    # The vouch from the standing's owner to the direct voucher, on a path of two.
    outer_vouch_id: Mapped[int | None] = mapped_column(ForeignKey("vouches.id"))
    amount_minor: Mapped[Minor]
    released_minor: Mapped[Minor] = mapped_column(default=0)
    called_minor: Mapped[Minor] = mapped_column(default=0)
    paid_minor: Mapped[Minor] = mapped_column(default=0)
    # The change by which others took over what the line held.
    change_id: Mapped[int | None] = mapped_column(ForeignKey("cover_changes.id"))

    @property
    def held_minor(self) -> int:
        return self.amount_minor - self.released_minor - self.paid_minor

    @property
    def hops(self) -> int:
        return (self.inner_vouch_id is not None) + (self.outer_vouch_id is not None)


class CoverChangeKind(StrEnum):
    SUBSTITUTION = "substitution"  # another guarantor, named, takes over
    RELEASE = "release"  # the rest of the circle carries it


class CoverChangeStatus(StrEnum):
    PROPOSED = "proposed"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class CoverChange(Base):
    """A guarantor's cover of a live loan that others take over: who agreed when, what moved."""

    __tablename__ = "cover_changes"
    __table_args__ = (
        CheckConstraint("leaving_id <> coming_id", name="to_somebody_else"),
        CheckConstraint(
            "(kind = 'substitution') = (coming_id IS NOT NULL)", name="substitutes_are_named"
        ),
        CheckConstraint(
            "(status = 'proposed') = (ended_at IS NULL)", name="ended_when_not_proposed"
        ),
        # Nobody's cover moves without the consent of all whom it concerns.
        CheckConstraint(
            "status <> 'done' OR (freed_minor > 0 AND taken_minor >= 0"
            " AND leaving_agreed_at IS NOT NULL AND (kind = 'release'"
            " OR (coming_agreed_at IS NOT NULL AND borrower_agreed_at IS NOT NULL)))",
            name="done_when_all_agreed",
        ),
        Index(
            "uq_cover_changes_open",
            "loan_id",
            "leaving_id",
            unique=True,
            postgresql_where=text("status = 'proposed'"),
            sqlite_where=text("status = 'proposed'"),
        ),
        Index("ix_cover_changes_loan_id", "loan_id"),
        Index("ix_cover_changes_coming_id", "coming_id"),
        Index("ix_cover_changes_leaving_id", "leaving_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cvc")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    kind: Mapped[CoverChangeKind] = mapped_column(choice(CoverChangeKind))
    status: Mapped[CoverChangeStatus] = mapped_column(choice(CoverChangeStatus))
    leaving_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    coming_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    reason: Mapped[Text500]
    proposed_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    proposed_at: Mapped[Instant]
    leaving_agreed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    coming_agreed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    borrower_agreed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    done_on: Mapped[date | None]
    # What the leaving guarantor's lines held, and what was held anew in their place before that.
    freed_minor: Mapped[Minor] = mapped_column(default=0)
    taken_minor: Mapped[Minor] = mapped_column(default=0)
    # What they had signed on this loan, and had paid.
    cap_before_minor: Mapped[Minor] = mapped_column(default=0)


class Guarantee(Base):
    """One guarantor's part in one loan: what they stand for at most, and what they paid."""

    __tablename__ = "guarantees"
    __table_args__ = (
        UniqueConstraint("loan_id", "guarantor_id"),
        # Law 4: nobody pays more than they signed.
        CheckConstraint("paid_minor >= 0 AND paid_minor <= cap_minor", name="paid_within_cap"),
        Index("ix_guarantees_guarantor_id", "guarantor_id"),
    )

    id: Mapped[Key]
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    guarantor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    cap_minor: Mapped[Minor]
    paid_minor: Mapped[Minor] = mapped_column(default=0)


class CallStatus(StrEnum):
    OPEN = "open"
    DISPUTED = "disputed"
    PAID = "paid"
    LAPSED = "lapsed"  # the deadline passed; what was not paid moved on
    CANCELLED = "cancelled"  # the borrower paid first


class CallGround(StrEnum):
    OWN = "own"  # the borrower's own locked standing
    DIRECT = "direct"  # a promise to the borrower
    SECOND_HOP = "second_hop"  # a promise to a direct guarantor who did not pay
    CO_GUARANTOR = "co_guarantor"  # joint and several: another's unpaid share


class Call(Base):
    """A dated demand on one guarantor of one loan (代偿通知)."""

    __tablename__ = "calls"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "paid_minor >= 0 AND cancelled_minor >= 0"
            " AND paid_minor + cancelled_minor <= amount_minor",
            name="paid_within_call",
        ),
        Index("ix_calls_loan_id", "loan_id"),
        Index("ix_calls_guarantor", "guarantor_id", "status"),
        Index("ix_calls_deadline", "status", "deadline_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cal")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    guarantor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    ground: Mapped[CallGround] = mapped_column(choice(CallGround))
    # Whose share this is when it is not the guarantor's own: the direct guarantor who did not pay.
    for_guarantor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    amount_minor: Mapped[Minor]
    paid_minor: Mapped[Minor] = mapped_column(default=0)
    cancelled_minor: Mapped[Minor] = mapped_column(default=0)
    status: Mapped[CallStatus] = mapped_column(choice(CallStatus))
    issued_on: Mapped[date]
    deadline_on: Mapped[date]
    promised_on: Mapped[date | None]
    # While a dispute is open the clock of this call stands still.
    disputed_on: Mapped[date | None]
    dispute_reason: Mapped[str | None] = mapped_column(String(500))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[Instant]

    @property
    def open_minor(self) -> int:
        """What is still asked, or, after the deadline, what was left unpaid."""
        return self.amount_minor - self.paid_minor - self.cancelled_minor


class CallLine(Base):
    """Which cover lines a call demands, and how much of each."""

    __tablename__ = "call_lines"
    __table_args__ = (
        UniqueConstraint("call_id", "cover_line_id"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "paid_minor >= 0 AND moved_minor >= 0 AND paid_minor + moved_minor <= amount_minor",
            name="paid_within_amount",
        ),
        Index("ix_call_lines_cover_line_id", "cover_line_id"),
    )

    id: Mapped[Key]
    call_id: Mapped[int] = mapped_column(ForeignKey("calls.id"))
    cover_line_id: Mapped[int] = mapped_column(ForeignKey("cover_lines.id"))
    amount_minor: Mapped[Minor]
    paid_minor: Mapped[Minor] = mapped_column(default=0)
    # No longer asked here: the borrower paid, or the deadline passed and it was asked further out.
    moved_minor: Mapped[Minor] = mapped_column(default=0)

    @property
    def open_minor(self) -> int:
        return self.amount_minor - self.paid_minor - self.moved_minor


class GuaranteePayment(Base):
    """Money that somebody paid for a borrower: by stake, by hand, or from the reserve fund."""

    __tablename__ = "guarantee_payments"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "recovered_minor >= 0 AND recovered_minor <= amount_minor",
            name="recovered_within_amount",
        ),
        Index("ix_guarantee_payments_loan_id", "loan_id"),
        Index("ix_guarantee_payments_payer_id", "payer_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("gpy")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    call_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id"))
    # Null: the community's reserve fund.
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    repayment_id: Mapped[int] = mapped_column(ForeignKey("repayments.id"), unique=True)
    amount_minor: Mapped[Minor]
    recovered_minor: Mapped[Minor] = mapped_column(default=0)
    paid_on: Mapped[date]


class ClaimGround(StrEnum):
    BORROWER = "borrower"
    COVERED_MEMBER = "covered_member"  # the direct guarantor for whom a second hop paid
    CO_GUARANTOR = "co_guarantor"  # whoever left a share that another paid


class Claim(Base):
    """What the payer of a guarantee may claim, and from whom (追偿权).

    Several claims can rest on one payment (the borrower, the covered middle member); money on
    any of them lowers what the payment still has to recover, so nobody is paid twice.
    """

    __tablename__ = "claims"
    __table_args__ = (
        UniqueConstraint("payment_id", "debtor_id", "ground"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "settled_minor >= 0 AND settled_minor <= amount_minor", name="settled_within_amount"
        ),
        Index("ix_claims_debtor_id", "debtor_id"),
        Index("ix_claims_claimant_id", "claimant_id"),
        Index("ix_claims_loan_id", "loan_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("clm")
    )
    loan_id: Mapped[int] = mapped_column(ForeignKey("loans.id"))
    payment_id: Mapped[int] = mapped_column(ForeignKey("guarantee_payments.id"))
    claimant_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    debtor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    ground: Mapped[ClaimGround] = mapped_column(choice(ClaimGround))
    amount_minor: Mapped[Minor]
    settled_minor: Mapped[Minor] = mapped_column(default=0)
    created_on: Mapped[date]
    created_at: Mapped[Instant]
