"""Cover lines, guarantees, calls, payments by guarantors, and recourse claims."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    text,
)
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
    CANCELLED = "cancelled"  # the borrower paid first, or the guarantor was right to dispute it


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
        CheckConstraint(
            "upheld_on IS NULL OR status = 'cancelled'", name="nothing_is_asked_when_upheld"
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
    # The lapsed call whose unpaid part this one asks for.
    after_call_id: Mapped[int | None] = mapped_column(ForeignKey("calls.id"))
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
    # The dispute was right: nothing more is asked, and its promise answers no more for the loan.
    upheld_on: Mapped[date | None]
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
        CheckConstraint("line_id IS NULL OR payer_id IS NULL", name="a_reserve_or_a_member"),
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
    # And with this: the first-loss reserve of the line that the loan draws on.
    line_id: Mapped[int | None] = mapped_column(ForeignKey("credit_lines.id"))
    repayment_id: Mapped[int] = mapped_column(ForeignKey("repayments.id"), unique=True)
    amount_minor: Mapped[Minor]
    # What the borrower does not owe of it any more, to whomever: paid, or let go.
    recovered_minor: Mapped[Minor] = mapped_column(default=0)
    paid_on: Mapped[date]


class ClaimGround(StrEnum):
    """Why this debtor answers for the payment."""

    BORROWER = "borrower"
    COVERED_MEMBER = "covered_member"  # the direct guarantor for whom a second hop paid
    CO_GUARANTOR = "co_guarantor"  # whoever left a share that another paid


class PaidAs(StrEnum):
    """What the claimant paid as, or how the claim came to them."""

    DIRECT = "direct"  # a direct guarantor, by hand
    SECOND_HOP = "second_hop"  # for a direct guarantor who did not pay, by hand
    BEYOND_SHARE = "beyond_share"  # beyond their own share, for a co-guarantor, by hand
    STAKE = "stake"  # their stake was set off
    RESERVE = "reserve"  # the community's reserve fund stood in
    SETTLEMENT = "settlement"  # paid a claimant, and stepped into the claim on those before them


class Claim(Base):
    """What the payer of a guarantee may claim, and from whom (追偿权).

    Claims of one claimant from one payment are linked (a bundle): the same money, owed by several
    debtors in a row, the borrower first. Who settles a claim from behind in the row takes it over
    against those before: a bundle of their own, which names the settlement. See `recourse`.
    """

    __tablename__ = "claims"
    __table_args__ = (
        Index(
            "uq_claims_debtor",
            "payment_id",
            text("coalesce(settlement_id, 0)"),
            "debtor_id",
            unique=True,
        ),
        Index(
            "uq_claims_rank", "payment_id", text("coalesce(settlement_id, 0)"), "rank", unique=True
        ),
        # A claim that was taken over may be of interest alone.
        CheckConstraint(
            "amount_minor >= 0 AND amount_minor + interest_minor > 0", name="amount_is_positive"
        ),
        CheckConstraint(
            "settled_minor >= 0 AND relieved_minor >= 0 AND waived_minor >= 0"
            " AND settled_minor + relieved_minor + waived_minor <= amount_minor",
            name="settled_within_amount",
        ),
        CheckConstraint(
            "interest_settled_minor >= 0 AND interest_relieved_minor >= 0"
            " AND interest_waived_minor >= 0 AND interest_settled_minor"
            " + interest_relieved_minor + interest_waived_minor <= interest_minor",
            name="interest_settled_within",
        ),
        CheckConstraint("(rank = 0) = (ground = 'borrower')", name="borrower_comes_first"),
        CheckConstraint("claimant_id IS NULL OR claimant_id <> debtor_id", name="of_somebody_else"),
        CheckConstraint(
            "rank >= 0 AND rate_ppm >= 0 AND year_days > 0 AND interest_carry >= 0",
            name="interest_rule",
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
    # The settlement by which the claimant stepped into it; null for who paid on the loan.
    settlement_id: Mapped[int | None] = mapped_column(
        ForeignKey("claim_settlements.id", use_alter=True)
    )
    # Null: the community's reserve fund.
    claimant_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    debtor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    ground: Mapped[ClaimGround] = mapped_column(choice(ClaimGround))
    paid_as: Mapped[PaidAs] = mapped_column(choice(PaidAs))
    # The debtor's place in the row: 0 is the borrower.
    rank: Mapped[int]
    amount_minor: Mapped[Minor]
    # Paid by this debtor; fallen away as another debtor paid; let go by the claimant.
    settled_minor: Mapped[Minor] = mapped_column(default=0)
    relieved_minor: Mapped[Minor] = mapped_column(default=0)
    waived_minor: Mapped[Minor] = mapped_column(default=0)
    # Simple interest, booked up to a day; the rule is that of the loan's charter.
    interest_minor: Mapped[Minor] = mapped_column(default=0)
    interest_settled_minor: Mapped[Minor] = mapped_column(default=0)
    interest_relieved_minor: Mapped[Minor] = mapped_column(default=0)
    interest_waived_minor: Mapped[Minor] = mapped_column(default=0)
    interest_through_on: Mapped[date]
    interest_carry: Mapped[int] = mapped_column(BigInteger, default=0)
    rate_ppm: Mapped[int]
    year_days: Mapped[int]
    interest_first: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1)
    created_on: Mapped[date]
    created_at: Mapped[Instant]

    @property
    def principal_open_minor(self) -> int:
        return self.amount_minor - self.settled_minor - self.relieved_minor - self.waived_minor

    @property
    def interest_open_minor(self) -> int:
        return (
            self.interest_minor
            - self.interest_settled_minor
            - self.interest_relieved_minor
            - self.interest_waived_minor
        )

    @property
    def open_minor(self) -> int:
        """What is left of it, with the interest that is booked."""
        return self.principal_open_minor + self.interest_open_minor


# The same for queries.
PRINCIPAL_OPEN_MINOR = (
    Claim.amount_minor - Claim.settled_minor - Claim.relieved_minor - Claim.waived_minor
)
INTEREST_OPEN_MINOR = (
    Claim.interest_minor
    - Claim.interest_settled_minor
    - Claim.interest_relieved_minor
    - Claim.interest_waived_minor
)
OPEN_MINOR = PRINCIPAL_OPEN_MINOR + INTEREST_OPEN_MINOR


class SettlementStatus(StrEnum):
    STATED = "stated"  # the debtor says so; it counts for nothing yet
    CONFIRMED = "confirmed"  # the claimant has the money
    DECLINED = "declined"
    REVERSED = "reversed"  # a correction: it was confirmed in error


class ClaimSettlement(Base):
    """Money that a debtor gave a claimant outside the loan, as both of them say."""

    __tablename__ = "claim_settlements"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0 AND (status IN ('stated', 'declined')"
            " AND principal_minor + interest_minor = 0 OR status IN ('confirmed', 'reversed')"
            " AND principal_minor + interest_minor = amount_minor)",
            name="counts_when_confirmed",
        ),
        CheckConstraint(
            "(status = 'stated') = (answered_on IS NULL)"
            " AND (status = 'reversed') = (reversed_on IS NOT NULL)",
            name="dated_by_status",
        ),
        CheckConstraint("paid_on <= stated_on", name="paid_before_it_was_said"),
        Index("ix_claim_settlements_claim_id", "claim_id"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("cst")
    )
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"))
    amount_minor: Mapped[Minor]
    principal_minor: Mapped[Minor] = mapped_column(default=0)
    interest_minor: Mapped[Minor] = mapped_column(default=0)
    status: Mapped[SettlementStatus] = mapped_column(choice(SettlementStatus))
    # When the money changed hands, as they say; it counts from the day of the confirmation.
    paid_on: Mapped[date]
    stated_by_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    stated_on: Mapped[date]
    answered_on: Mapped[date | None]
    reversed_on: Mapped[date | None]
    reason: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[Instant]


class MovementKind(StrEnum):
    ARISEN = "arisen"
    INTEREST = "interest"
    SETTLED = "settled"
    RELIEVED = "relieved"
    WAIVED = "waived"
    REVERSED = "reversed"


class ClaimMovement(Base):
    """One change of what is open on one claim. Never changed: a correction is a new row."""

    __tablename__ = "claim_movements"
    __table_args__ = (
        CheckConstraint("principal_minor <> 0 OR interest_minor <> 0", name="moves_something"),
        Index("ix_claim_movements_claim_id", "claim_id"),
        Index("ix_claim_movements_settlement_id", "settlement_id"),
    )

    id: Mapped[Key]
    claim_id: Mapped[int] = mapped_column(ForeignKey("claims.id"))
    kind: Mapped[MovementKind] = mapped_column(choice(MovementKind))
    # Up is positive.
    principal_minor: Mapped[Minor]
    interest_minor: Mapped[Minor]
    moved_on: Mapped[date]
    settlement_id: Mapped[int | None] = mapped_column(ForeignKey("claim_settlements.id"))
    repayment_id: Mapped[int | None] = mapped_column(ForeignKey("repayments.id"))
    # The entry beside the books; of a claim behind the borrower's there is none.
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
    reason: Mapped[str] = mapped_column(String(500), default="")
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]
