"""Proving what came in: sheets equal their receipts, suspense equals its lines."""

from collections.abc import Iterator

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book, JournalEntry
from community.loans.models import Loan, Repayment
from community.receiving.models import (
    BankLine,
    BankLineStatus,
    Collection,
    CollectionLine,
    CollectionStatus,
    LineKind,
)
from community.savings.models import SavingsMovement


def check_receiving(session: Session) -> Iterator[Breach]:
    """Every sheet and every bank line is what its receipts and the books say."""
    yield from _sheets_are_their_lines(session)
    yield from _lines_are_their_receipts(session)
    yield from _bank_lines_are_their_receipts(session)
    yield from _suspense_is_its_lines(session)
    yield from _entries_are_their_lines(session)


def _sheets_are_their_lines(session: Session) -> Iterator[Breach]:
    """Law 5: a sheet's total is the sum of its lines, posted or not."""
    sums = (
        select(CollectionLine.collection_id, func.sum(CollectionLine.amount_minor).label("minor"))
        .group_by(CollectionLine.collection_id)
        .subquery()
    )
    rows = session.execute(
        select(Collection.public_id, Collection.total_minor, func.coalesce(sums.c.minor, 0))
        .outerjoin(sums, sums.c.collection_id == Collection.id)
        .where(Collection.total_minor != func.coalesce(sums.c.minor, 0))
        .order_by(Collection.id)
    )
    for public_id, total, lines in rows:
        yield Breach(5, "collections", public_id, f"is of {total}, its lines sum to {lines}")


def _lines_are_their_receipts(session: Session) -> Iterator[Breach]:
    """Law 6: each line of money on a posted sheet has its one receipt, and it says the same."""
    has_receipt = or_(
        CollectionLine.repayment_id.is_not(None), CollectionLine.movement_id.is_not(None)
    )
    posted = Collection.status == CollectionStatus.POSTED
    rows = session.execute(
        select(CollectionLine.id, posted, CollectionLine.amount_minor)
        .join(Collection, Collection.id == CollectionLine.collection_id)
        .where(has_receipt != and_(posted, CollectionLine.amount_minor > 0))
        .order_by(CollectionLine.id)
    )
    for row_id, is_posted, minor in rows:
        what = f"has {minor} without a receipt" if is_posted else "has a receipt before its time"
        yield Breach(6, "collection_lines", str(row_id), what)
    repaid = session.execute(
        select(CollectionLine.id, CollectionLine.amount_minor, Repayment.amount_minor)
        .join(Repayment, Repayment.id == CollectionLine.repayment_id)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(
            or_(
                CollectionLine.amount_minor != Repayment.amount_minor,
                CollectionLine.loan_id != Repayment.loan_id,
                CollectionLine.member_id != Loan.borrower_id,
            )
        )
        .order_by(CollectionLine.id)
    )
    saved = session.execute(
        select(CollectionLine.id, CollectionLine.amount_minor, SavingsMovement.amount_minor)
        .join(SavingsMovement, SavingsMovement.id == CollectionLine.movement_id)
        .where(
            or_(
                CollectionLine.kind != LineKind.DEPOSIT,
                CollectionLine.amount_minor != SavingsMovement.amount_minor,
                CollectionLine.member_id != SavingsMovement.member_id,
            )
        )
        .order_by(CollectionLine.id)
    )
    for row_id, minor, receipt in (*repaid, *saved):
        what = f"says {minor}, its receipt says {receipt} or names another"
        yield Breach(5, "collection_lines", str(row_id), what)


def _bank_lines_are_their_receipts(session: Session) -> Iterator[Breach]:
    """Law 5: what came by bank is what the receipt says, in the same community."""
    applied = session.execute(
        select(BankLine.id, BankLine.amount_minor, Repayment.amount_minor)
        .join(Repayment, Repayment.id == BankLine.repayment_id)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(
            or_(
                BankLine.amount_minor != Repayment.amount_minor,
                BankLine.community_id != Loan.community_id,
            )
        )
        .order_by(BankLine.id)
    )
    saved = session.execute(
        select(BankLine.id, BankLine.amount_minor, SavingsMovement.amount_minor)
        .join(SavingsMovement, SavingsMovement.id == BankLine.movement_id)
        .where(
            or_(
                BankLine.amount_minor != SavingsMovement.amount_minor,
                BankLine.community_id != SavingsMovement.community_id,
            )
        )
        .order_by(BankLine.id)
    )
    for row_id, minor, receipt in (*applied, *saved):
        what = f"brought {minor}, its receipt says {receipt} or is elsewhere"
        yield Breach(5, "bank_lines", str(row_id), what)


def _suspense_is_its_lines(session: Session) -> Iterator[Breach]:
    """Law 1: what the books hold in suspense is the sum of the lines that wait."""
    held: dict[tuple[int | None, str], int] = {
        (community_id, currency): -minor
        for community_id, currency, minor in session.execute(
            select(Book.community_id, Account.currency, Account.balance_minor)
            .join(Account, Account.book_id == Book.id)
            .where(Account.kind == AccountKind.SUSPENSE)
        )
    }
    waiting: dict[tuple[int | None, str], int] = {
        (community_id, currency): int(minor)
        for community_id, currency, minor in session.execute(
            select(BankLine.community_id, BankLine.currency, func.sum(BankLine.amount_minor))
            .where(BankLine.status == BankLineStatus.SUSPENSE)
            .group_by(BankLine.community_id, BankLine.currency)
        )
    }
    for place in sorted(held.keys() | waiting.keys(), key=str):
        books, lines = held.get(place, 0), waiting.get(place, 0)
        if books != lines:
            what = f"hold {books} {place[1]} in suspense, the lines that wait sum to {lines}"
            yield Breach(1, "accounts", f"suspense of community {place[0]}", what)


def _entries_are_their_lines(session: Session) -> Iterator[Breach]:
    """Law 1: the entries that a line names are about that line."""
    for column, kinds in (
        (BankLine.suspense_entry_id, ["suspense.received"]),
        (BankLine.release_entry_id, ["suspense.released", "suspense.returned"]),
    ):
        rows = session.execute(
            select(BankLine.id, JournalEntry.kind)
            .join(JournalEntry, JournalEntry.id == column)
            .where(
                or_(
                    JournalEntry.kind.not_in(kinds),
                    JournalEntry.reference != BankLine.public_id,
                )
            )
            .order_by(BankLine.id)
        )
        for row_id, kind in rows:
            yield Breach(
                1, "bank_lines", str(row_id), f"names an entry that is not its own: {kind}"
            )
