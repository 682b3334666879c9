"""Books, accounts, journal entries, postings, holds and the chained record of events."""

from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.database import Base, Instant, Key, Minor, choice, new_public_id, one_of


class AccountKind(StrEnum):
    """What an account holds. Debits are positive, credits negative, everywhere."""

    # Assets.
    SAVINGS_CASH = "savings_cash"  # members' money in custody; never lent out
    LENDING_CASH = "lending_cash"  # the lender's money, out of which loans are paid
    LOAN_PRINCIPAL = "loan_principal"
    INTEREST_RECEIVABLE = "interest_receivable"  # earned by the day close, not yet paid
    FEE_RECEIVABLE = "fee_receivable"
    PENALTY_RECEIVABLE = "penalty_receivable"
    # Owed by the books.
    LENDER_FUNDS = "lender_funds"
    MEMBER_SAVINGS = "member_savings"
    MEMBER_STAKE = "member_stake"
    RESERVE_FUND = "reserve_fund"
    OVERPAYMENT = "overpayment"
    LINE_RESERVE = "line_reserve"  # first-loss reserves of shared lines; in custody
    SUSPENSE = "suspense"  # money that came in and is not matched to anything yet
    LOAN_LOSS_ALLOWANCE = "loan_loss_allowance"  # set aside against the loans that are out
    # Results.
    INTEREST_INCOME = "interest_income"
    FEE_INCOME = "fee_income"
    PENALTY_INCOME = "penalty_income"
    RECOVERY_INCOME = "recovery_income"
    PROVISION_EXPENSE = "provision_expense"
    WRITE_OFF = "write_off"
    # Memorandum: money that members owe each other, beside the books.
    RECOURSE_RECEIVABLE = "recourse_receivable"
    RECOURSE_CONTRA = "recourse_contra"


DEBIT_KINDS = frozenset(
    {
        AccountKind.SAVINGS_CASH,
        AccountKind.LENDING_CASH,
        AccountKind.LOAN_PRINCIPAL,
        AccountKind.INTEREST_RECEIVABLE,
        AccountKind.FEE_RECEIVABLE,
        AccountKind.PENALTY_RECEIVABLE,
        AccountKind.PROVISION_EXPENSE,
        AccountKind.WRITE_OFF,
        AccountKind.RECOURSE_RECEIVABLE,
    }
)
# Kinds of which every member has an account of their own; the others are control accounts.
OWNED_KINDS = frozenset(
    {AccountKind.MEMBER_SAVINGS, AccountKind.MEMBER_STAKE, AccountKind.OVERPAYMENT}
)

_IS_DEBIT = one_of("kind", sorted(DEBIT_KINDS))
_IS_OWNED = one_of("kind", sorted(OWNED_KINDS))


class Book(Base):
    """One community's books: the head of its chain, and the last closed business day.

    The row is the lock under which everything is posted. The book without a community keeps the
    platform's own events.
    """

    __tablename__ = "books"
    __table_args__ = (
        Index("uq_books_community", text("coalesce(community_id, 0)"), unique=True),
        CheckConstraint("records >= 0", name="records_count_up"),
    )

    id: Mapped[Key]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"))
    # How many records (entries and events) the chain has; the last one has this number.
    records: Mapped[int] = mapped_column(default=0)
    head_hash: Mapped[str] = mapped_column(String(64), default="0" * 64)
    closed_through: Mapped[date | None]


class Account(Base):
    """A balance by kind, owner and currency. It always equals the sum of its postings."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "uq_accounts_place",
            "book_id",
            "kind",
            text("coalesce(member_id, 0)"),
            "currency",
            unique=True,
        ),
        CheckConstraint(one_of("kind", AccountKind), name="account_kind"),
        CheckConstraint(f"({_IS_OWNED}) = (member_id IS NOT NULL)", name="owner_if_owned"),
        CheckConstraint(
            # What is on hold has to be there: it is as good as spent.
            f"balance_minor + held_minor = 0 OR (balance_minor + held_minor > 0) = ({_IS_DEBIT})",
            name="never_overdrawn",
        ),
        CheckConstraint(
            "held_minor = 0 OR (held_minor > 0 AND kind = 'member_savings')",
            name="held_on_savings",
        ),
    )

    id: Mapped[Key]
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    kind: Mapped[AccountKind] = mapped_column(choice(AccountKind, checked=False))
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"), index=True)
    currency: Mapped[str] = mapped_column(String(3))
    balance_minor: Mapped[Minor] = mapped_column(default=0)
    # The sum of the pending holds on it.
    held_minor: Mapped[Minor] = mapped_column(default=0)


class JournalEntry(Base):
    """One event in money. Never changed: a correction is a new entry that points at it."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        UniqueConstraint("book_id", "seq"),
        UniqueConstraint("reverses_id"),
        CheckConstraint("value_on <= business_on", name="value_not_later"),
        Index("ix_journal_entries_reference", "reference"),
    )

    id: Mapped[Key]
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(40))
    currency: Mapped[str] = mapped_column(String(3))
    business_on: Mapped[date]
    # When the event really was, if a closed day could not take it any more.
    value_on: Mapped[date]
    recorded_at: Mapped[Instant]
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    # What the entry is about: a loan's, receipt's or import's public id.
    reference: Mapped[str] = mapped_column(String(80))
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class Posting(Base):
    """One leg of an entry. The member and the loan are dimensions over few accounts."""

    __tablename__ = "postings"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0", name="moves_something"),
        Index("ix_postings_entry_id", "entry_id"),
        Index("ix_postings_account_id", "account_id"),
        # Most postings are of no loan.
        Index(
            "ix_postings_loan_id",
            "loan_id",
            postgresql_where=text("loan_id IS NOT NULL"),
            sqlite_where=text("loan_id IS NOT NULL"),
        ),
    )

    id: Mapped[Key]
    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entries.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[Minor]
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    loan_id: Mapped[int | None] = mapped_column(ForeignKey("loans.id"))


class HoldState(StrEnum):
    PENDING = "pending"
    POSTED = "posted"
    VOIDED = "voided"


class Hold(Base):
    """Money of a member's savings that is set aside for a while: it is posted, or let go.

    A pending hold moves nothing in the books; it lessens what its account can give. The book is
    the lock under which holds change.
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_is_positive"),
        CheckConstraint("posted_minor >= 0 AND posted_minor <= amount_minor", name="posted_within"),
        CheckConstraint("expires_on >= placed_on", name="expires_after_placing"),
        CheckConstraint("(state = 'pending') = (ended_on IS NULL)", name="ends_once"),
        CheckConstraint(
            "(state = 'posted') = (entry_id IS NOT NULL)"
            " AND (state = 'posted') = (posted_minor > 0)",
            name="posted_has_entry",
        ),
        Index("ix_holds_account_state", "account_id", "state"),
        Index("ix_holds_expiry", "state", "expires_on"),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("hld")
    )
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[Minor]
    # What of it was posted; the rest was let go with it.
    posted_minor: Mapped[Minor] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(500))
    # The outside's name for the hold: the same paper is not held twice.
    reference: Mapped[str | None] = mapped_column(String(80), unique=True)
    state: Mapped[HoldState] = mapped_column(choice(HoldState))
    placed_on: Mapped[date]
    # The last day on which it counts.
    expires_on: Mapped[date]
    placed_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    placed_at: Mapped[Instant]
    ended_on: Mapped[date | None]
    ended_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    end_reason: Mapped[str] = mapped_column(String(500), default="")
    entry_id: Mapped[int | None] = mapped_column(ForeignKey("journal_entries.id"))


class Event(Base):
    """Something of consequence that happened, chained with the book's entries."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("book_id", "seq"),
        Index("ix_events_subject", "subject"),
    )

    id: Mapped[Key]
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    seq: Mapped[int]
    kind: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
