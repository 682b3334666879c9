"""Reading collections, bank lines, what is in suspense, and receipts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.guarantees import queries as guarantees
from community.ledger.models import JournalEntry
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan, Repayment
from community.locks import lock_one
from community.receiving.errors import CollectionNotFound
from community.receiving.models import BankLine, BankLineStatus, Collection, CollectionLine
from community.savings import queries as savings
from community.savings.models import SavingsMovement
from community.savings.queries import Balances


@dataclass(frozen=True, slots=True)
class SuspenseDay:
    """What has been in suspense since one day of the bank's, in one currency."""

    booked_on: date
    days: int
    currency: str
    lines: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where a receipt stands in the book: the entry's number and its hash."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class LoanReceipt:
    """Money received on a loan: every part, and how the loan stands today."""

    repayment: Repayment
    loan: Loan
    currency: str
    parts: tuple[tuple[str, int], ...]
    entry: Stamp | None
    on: date
    owed_minor: int
    cover_reserved_minor: int
    cover_held_minor: int

    @property
    def cover_freed_minor(self) -> int:
        """What was reserved for the loan and is not held any more."""
        return self.cover_reserved_minor - self.cover_held_minor


@dataclass(frozen=True, slots=True)
class SavingsReceipt:
    """One movement of a member's savings, and what they have today."""

    movement: SavingsMovement
    entry: Stamp | None
    balances: Balances


# Every part of a receipt has a column of its own beside the whole amount.
PARTS = tuple(
    column.key.removesuffix("_minor")
    for column in Repayment.__mapper__.column_attrs
    if column.key.endswith("_minor") and column.key not in ("amount_minor", "offered_minor")
)


def get_collection(session: Session, public_id: str) -> Collection:
    """The collection of this public id. Raises CollectionNotFound."""
    row = session.scalar(select(Collection).where(Collection.public_id == public_id))
    if row is None:
        raise CollectionNotFound()
    return row


def get_collection_for_update(session: Session, public_id: str) -> Collection:
    """The collection of this public id, locked. Raises CollectionNotFound."""
    return lock_one(session, Collection, get_collection(session, public_id).id)


def find_collection(session: Session, *, group_id: int, client_id: str) -> Collection | None:
    """A group's sheet by the name that whoever fills it in gave it."""
    return session.scalar(
        select(Collection).where(Collection.group_id == group_id, Collection.client_id == client_id)
    )


def list_collections(group_id: int) -> Select[Collection]:
    """A group's sheets, drafts too; page by Collection.id."""
    return select(Collection).where(Collection.group_id == group_id)


def lines_of_many(
    session: Session, collection_ids: Iterable[int]
) -> dict[int, list[CollectionLine]]:
    """The lines of sheets in order, by sheet; one statement."""
    found: dict[int, list[CollectionLine]] = {row: [] for row in collection_ids}
    rows = session.scalars(
        select(CollectionLine)
        .where(CollectionLine.collection_id.in_(found))
        .order_by(CollectionLine.collection_id, CollectionLine.number)
    )
    for line in rows:
        found[line.collection_id].append(line)
    return found


@dataclass(frozen=True, slots=True)
class Numbers:
    """Public ids of what lines became: receipts and their loans, by inner id of the receipt."""

    repayments: dict[int, str]
    loans: dict[int, str]
    movements: dict[int, str]

    def receipt(self, line: CollectionLine | BankLine) -> str | None:
        """The number of the receipt that a line became."""
        if line.repayment_id is not None:
            return self.repayments[line.repayment_id]
        return None if line.movement_id is None else self.movements[line.movement_id]


def numbers_of(session: Session, lines: Sequence[CollectionLine | BankLine]) -> Numbers:
    """What lines became; two statements, however many lines."""
    paid = session.execute(
        select(Repayment.id, Repayment.public_id, Loan.public_id)
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(Repayment.id.in_({line.repayment_id for line in lines if line.repayment_id}))
    ).all()
    saved = session.execute(
        select(SavingsMovement.id, SavingsMovement.public_id).where(
            SavingsMovement.id.in_({line.movement_id for line in lines if line.movement_id})
        )
    ).all()
    return Numbers(
        repayments={row_id: number for row_id, number, _ in paid},
        loans={row_id: loan for row_id, _, loan in paid},
        movements=dict(saved),
    )


def list_bank_lines(community_id: int, status: BankLineStatus | None = None) -> Select[BankLine]:
    """The lines of a community's bank statements; page by BankLine.id."""
    query = select(BankLine).where(BankLine.community_id == community_id)
    return query if status is None else query.where(BankLine.status == status)


def suspense_by_day(session: Session, *, community_id: int, on: date) -> list[SuspenseDay]:
    """What is in suspense, by the day since when, oldest first. One statement."""
    rows = session.execute(
        select(
            BankLine.booked_on,
            BankLine.currency,
            func.count(),
            func.sum(BankLine.amount_minor),
        )
        .where(BankLine.community_id == community_id, BankLine.status == BankLineStatus.SUSPENSE)
        .group_by(BankLine.booked_on, BankLine.currency)
        .order_by(BankLine.booked_on, BankLine.currency)
    )
    return [
        SuspenseDay(booked_on, (on - booked_on).days, currency, lines, int(amount))
        for booked_on, currency, lines, amount in rows
    ]


def find_receipt(session: Session, public_id: str, *, on: date) -> LoanReceipt | SavingsReceipt:
    """The receipt of this number, of a loan or of savings. Raises ReceiptNotFound."""
    repayment = session.scalar(select(Repayment).where(Repayment.public_id == public_id))
    if repayment is None:
        movement = savings.get_movement(session, public_id)
        return SavingsReceipt(
            movement,
            _stamp(session, movement.entry_id),
            savings.balances(
                session, community_id=movement.community_id, member_id=movement.member_id
            ),
        )
    loan = loans.get_loan_by_id(session, repayment.loan_id)
    cover = guarantees.list_lines(session, loan_id=loan.id)
    return LoanReceipt(
        repayment=repayment,
        loan=loan,
        currency=loan_service.currency_of(loan),
        parts=tuple((part, getattr(repayment, f"{part}_minor")) for part in PARTS),
        entry=_stamp(session, repayment.entry_id),
        on=on,
        owed_minor=loan_service.owed(session, loan=loan, on=on).total_minor,
        cover_reserved_minor=sum(line.amount_minor for line in cover),
        cover_held_minor=sum(line.held_minor for line in cover),
    )


def _stamp(session: Session, entry_id: int | None) -> Stamp | None:
    entry = None if entry_id is None else session.get_one(JournalEntry, entry_id)
    return None if entry is None else Stamp(entry.seq, entry.hash)
