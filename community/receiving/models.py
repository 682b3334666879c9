"""Collection sheets with their lines, lines of bank statements, known accounts of payers."""

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
    Text120,
    Text500,
    UtcTime,
    choice,
    new_public_id,
)
from community.sealing import BlindIndex, Sealed, bind_rows, is_sealed


class CollectionStatus(StrEnum):
    DRAFT = "draft"
    POSTED = "posted"


class LineKind(StrEnum):
    REPAYMENT = "repayment"
    DEPOSIT = "deposit"


class Collection(Base):
    """A group's collection sheet (收款表): money of a meeting, booked all at once or not at all.

    Once posted it never changes: the database refuses, see `guards`.
    """

    __tablename__ = "collections"
    __table_args__ = (
        # The sheet's name in the hands of whoever fills it in, perhaps without a connection.
        UniqueConstraint("group_id", "client_id"),
        CheckConstraint("repaid_minor >= 0 AND deposited_minor >= 0", name="parts_not_negative"),
        CheckConstraint("repaid_minor + deposited_minor = total_minor", name="parts_sum_to_total"),
        CheckConstraint(
            "(status = 'posted') = (posted_at IS NOT NULL)", name="posted_has_its_time"
        ),
        CheckConstraint("status <> 'posted' OR total_minor > 0", name="posted_is_money"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("col")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id"))
    client_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[CollectionStatus] = mapped_column(choice(CollectionStatus))
    collected_on: Mapped[date]
    currency: Mapped[str] = mapped_column(String(3))
    # Always the sum of its lines, of each kind and together.
    repaid_minor: Mapped[Minor]
    deposited_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    entered_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]
    posted_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    posted_at: Mapped[datetime | None] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(default=1)


class CollectionLine(Base):
    """One line: what a member paid on a loan, or brought to save, or that they did not come."""

    __tablename__ = "collection_lines"
    __table_args__ = (
        UniqueConstraint("collection_id", "number"),
        UniqueConstraint("collection_id", "loan_id"),
        UniqueConstraint("repayment_id"),
        UniqueConstraint("movement_id"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
        CheckConstraint("(kind = 'repayment') = (loan_id IS NOT NULL)", name="repaid_is_a_loan"),
        CheckConstraint("kind = 'repayment' OR payer_id IS NULL", name="savers_pay_themselves"),
        CheckConstraint(
            "(repayment_id IS NULL OR kind = 'repayment')"
            " AND (movement_id IS NULL OR kind = 'deposit')",
            name="receipt_of_its_kind",
        ),
        Index("ix_collection_lines_member_id", "member_id"),
    )

    id: Mapped[Key]
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id"))
    number: Mapped[int]
    kind: Mapped[LineKind] = mapped_column(choice(LineKind))
    # The borrower, or whoever saves.
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))
    amount_minor: Mapped[Minor]
    # Somebody else's money: it counts for nobody's record.
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    absent: Mapped[bool]
    note: Mapped[Text120]
    repayment_id: Mapped[int | None] = mapped_column(ForeignKey("repayments.id"))
    movement_id: Mapped[int | None] = mapped_column(ForeignKey("savings_movements.id"))


class BankLineStatus(StrEnum):
    SUSPENSE = "suspense"
    APPLIED = "applied"  # to a loan
    SAVED = "saved"  # to a member's savings
    RETURNED = "returned"  # sent back to the payer


class BankLine(Base):
    """Money that came in by bank: matched to a loan, or in suspense until somebody decides."""

    __tablename__ = "bank_lines"
    __table_args__ = (
        UniqueConstraint("community_id", "reference"),
        UniqueConstraint("repayment_id"),
        UniqueConstraint("movement_id"),
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint(
            "(status = 'suspense') = (settled_at IS NULL)", name="settled_has_its_time"
        ),
        CheckConstraint("(status = 'applied') = (repayment_id IS NOT NULL)", name="applied_once"),
        CheckConstraint("(status = 'saved') = (movement_id IS NOT NULL)", name="saved_once"),
        # Money that was in suspense left it by an entry; money that never was, did not.
        CheckConstraint(
            "(suspense_entry_id IS NULL OR status = 'suspense') = (release_entry_id IS NULL)",
            name="released_once",
        ),
        CheckConstraint(
            "status NOT IN ('suspense', 'returned') OR suspense_entry_id IS NOT NULL",
            name="suspense_is_posted",
        ),
        Index("ix_bank_lines_status", "community_id", "status", "booked_on"),
        is_sealed("payer_account"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("bkl")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    # The bank's own name for the line: the same statement again changes nothing.
    reference: Mapped[str] = mapped_column(String(80))
    booked_on: Mapped[date]
    amount_minor: Mapped[Minor]
    currency: Mapped[str] = mapped_column(String(3))
    payer_name: Mapped[Text120]
    # Sealed, also where the bank named none; found again by `PayerAccount.account_index`.
    payer_account: Mapped[str] = mapped_column(Sealed("bank_lines", "payer_account", "public_id"))
    text: Mapped[Text500]
    statement_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[BankLineStatus] = mapped_column(choice(BankLineStatus))
    # Why it went where it went: {rule, certainty, reason, facts}; see `matching`.
    match: Mapped[dict[str, Any]] = mapped_column(JSON)
    # The member whose account or name it came from, if that is known.
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    suspense_entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
    release_entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
    repayment_id: Mapped[int | None] = mapped_column(ForeignKey("repayments.id"))
    movement_id: Mapped[int | None] = mapped_column(ForeignKey("savings_movements.id"))
    settled_on: Mapped[date | None]
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    settled_note: Mapped[str] = mapped_column(String(500), default="")
    recorded_at: Mapped[Instant]
    version: Mapped[int] = mapped_column(default=1)


class PayerAccount(Base):
    """A bank account that an officer knows to be a member's."""

    __tablename__ = "payer_accounts"
    __table_args__ = (UniqueConstraint("community_id", "account_index"), is_sealed("account"))

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("pac")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    account: Mapped[str] = mapped_column(Sealed("payer_accounts", "account", "public_id"))
    account_index: Mapped[str] = mapped_column(BlindIndex("payer_accounts", "account"))
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    # From which line it was learned.
    bank_line_id: Mapped[int] = mapped_column(ForeignKey("bank_lines.id"))
    noted_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    noted_at: Mapped[Instant]


bind_rows(BankLine, PayerAccount)
