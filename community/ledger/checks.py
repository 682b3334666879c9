"""Proving the books: laws 1 and 8 over everything, in constant memory.

Sums are left to the database; the chain is read in portions. Whatever somebody did to the rows with
the guards off, the first row that shows it is named.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, text, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from community.ledger.chain import GENESIS, entry_hash, event_hash
from community.ledger.guards import POSTGRESQL, POSTGRESQL_FUNCTIONS, SQLITE
from community.ledger.models import (
    Account,
    AccountKind,
    Book,
    Event,
    Hold,
    HoldState,
    JournalEntry,
    Posting,
)

# Records of a chain that are read at once, and how many between two words of progress.
PORTION = 1_000
NOTE_EVERY = 20_000

Note = Callable[[str], None]
Leg = tuple[int, int, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Breach:
    """A law of the design that a row breaks."""

    law: int
    table: str
    row: str
    what: str


def check_ledger(
    session: Session, *, community_id: int | None = None, note: Note = lambda said: None
) -> Iterator[Breach]:
    """Law 1 (entries balance, balances are sums, holds are covered) and law 8 (chains hold).

    First breach first; of one community's book, or of all. `note` is told how far it is.
    """
    yield from _guards_stand(session)
    numbers = list(_numbers_are_numbers(session))
    if numbers:
        yield from numbers
        return  # nothing can be put in order
    query = select(Book.id).order_by(Book.id)
    if community_id is None:
        books: ColumnElement[bool] = true()
        yield from _nothing_is_orphaned(session)
    else:
        query = query.where(Book.community_id == community_id)
        books = Book.community_id == community_id
    yield from _entries_balance(session, books)
    yield from _balances_are_sums(session, books)
    yield from _holds_are_covered(session, books)
    for book_id in session.scalars(query).all():
        yield from _chain_holds(session, book_id, note)


def _guards_stand(session: Session) -> Iterator[Breach]:
    """Whether the triggers are there, awake and as they were written."""
    if session.get_bind().dialect.name == "sqlite":
        found = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        yield from _compared("triggers", SQLITE, dict(found.all()))
        return
    awake = session.scalars(
        text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')")
    ).all()
    yield from _compared("triggers", dict.fromkeys(POSTGRESQL, ""), dict.fromkeys(awake, ""))
    bodies = session.execute(
        text(
            "SELECT proname, prosrc FROM pg_proc"
            " WHERE pronamespace = current_schema()::regnamespace"
        )
    )
    written = {name: body.split("$$")[1] for name, body in POSTGRESQL_FUNCTIONS.items()}
    yield from _compared("functions", written, dict(bodies.all()))


def _compared(what: str, written: dict[str, str], found: dict[str, str]) -> Iterator[Breach]:
    for name, definition in sorted(written.items()):
        if name not in found:
            yield Breach(8, what, name, "a guard of the books is missing or asleep")
        elif found[name].split() != definition.split():
            yield Breach(8, what, name, "a guard of the books was changed")


def _numbers_are_numbers(session: Session) -> Iterator[Breach]:
    """Only SQLite could hold anything else than whole numbers in these columns."""
    if session.get_bind().dialect.name != "sqlite":
        return
    for column in (JournalEntry.seq, Event.seq, Book.records):
        key = column.class_.id
        odd = select(key).where(func.typeof(column) != "integer").order_by(key).limit(1)
        for row_id in session.scalars(odd):
            table = column.class_.__tablename__
            yield Breach(8, table, str(row_id), f"{column.key} is not a whole number")


def _nothing_is_orphaned(session: Session) -> Iterator[Breach]:
    """Rows that lead nowhere would be seen by no other check."""
    pointing: list[tuple[Any, InstrumentedAttribute[Any], Any, str]] = [
        (JournalEntry, JournalEntry.book_id, Book, "journal_entries"),
        (Event, Event.book_id, Book, "events"),
        (Account, Account.book_id, Book, "accounts"),
        (Posting, Posting.entry_id, JournalEntry, "postings"),
        (Posting, Posting.account_id, Account, "postings"),
        (Hold, Hold.account_id, Account, "holds"),
    ]
    for model, column, target, table in pointing:
        query = (
            select(model.id)
            .outerjoin(target, target.id == column)
            .where(target.id.is_(None))
            .order_by(model.id)
        )
        for (row_id,) in _streamed(session, query):
            yield Breach(1, table, str(row_id), f"its {column.key} leads nowhere")


def _entries_balance(session: Session, books: ColumnElement[bool]) -> Iterator[Breach]:
    total = func.sum(Posting.amount_minor)
    query: Select[int, int | None] = (
        select(JournalEntry.id, total)
        .join(Book, Book.id == JournalEntry.book_id)
        .outerjoin(Posting, Posting.entry_id == JournalEntry.id)
        .where(books)
        .group_by(JournalEntry.id)
        .having(or_(total.is_(None), total != 0))
        .order_by(JournalEntry.id)
    )
    for entry_id, amount in _streamed(session, query):
        what = "has no legs" if amount is None else f"is out of balance by {amount}"
        yield Breach(1, "journal_entries", str(entry_id), what)
    foreign = (
        select(Posting.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(Book, Book.id == JournalEntry.book_id)
        .join(Account, Account.id == Posting.account_id)
        .where(
            books,
            or_(Account.currency != JournalEntry.currency, Account.book_id != JournalEntry.book_id),
        )
        .order_by(Posting.id)
    )
    for (posting_id,) in _streamed(session, foreign):
        yield Breach(1, "postings", str(posting_id), "touches another currency or another book")
    later = (
        select(JournalEntry.id)
        .join(Book, Book.id == JournalEntry.book_id)
        .where(books, JournalEntry.value_on > JournalEntry.business_on)
        .order_by(JournalEntry.id)
    )
    for (entry_id,) in _streamed(session, later):
        yield Breach(1, "journal_entries", str(entry_id), "has its value after its business day")


def _balances_are_sums(session: Session, books: ColumnElement[bool]) -> Iterator[Breach]:
    total = func.coalesce(func.sum(Posting.amount_minor), 0)
    query = (
        select(Account.id, Account.kind, Account.balance_minor, total)
        .join(Book, Book.id == Account.book_id)
        .outerjoin(Posting, Posting.account_id == Account.id)
        .where(books)
        .group_by(Account.id, Account.kind, Account.balance_minor)
        .having(Account.balance_minor != total)
        .order_by(Account.id)
    )
    for account_id, kind, held, posted in _streamed(session, query):
        what = f"{kind.value} says {held}, its postings sum to {posted}"
        yield Breach(1, "accounts", str(account_id), what)


def _holds_are_covered(session: Session, books: ColumnElement[bool]) -> Iterator[Breach]:
    pending = func.coalesce(func.sum(Hold.amount_minor), 0)
    query = (
        select(Account.id, Account.held_minor, Account.balance_minor, pending)
        .join(Book, Book.id == Account.book_id)
        .outerjoin(Hold, and_(Hold.account_id == Account.id, Hold.state == HoldState.PENDING))
        .where(books)
        .group_by(Account.id, Account.held_minor, Account.balance_minor)
        .having(
            or_(
                Account.held_minor != pending,
                and_(pending > 0, Account.balance_minor + pending > 0),
            )
        )
        .order_by(Account.id)
    )
    for account_id, held, balance, amount in _streamed(session, query):
        what = f"{held} minor units are on hold, its pending holds sum to {amount}"
        if held == amount:
            what = f"{amount} minor units are on hold, it holds {-balance}"
        yield Breach(1, "accounts", str(account_id), what)
    moved = (
        select(func.coalesce(func.sum(Posting.amount_minor), 0))
        .where(Posting.entry_id == Hold.entry_id, Posting.account_id == Hold.account_id)
        .correlate(Hold)
        .scalar_subquery()
    )
    wrong = (
        select(Hold.id, Hold.state, Hold.posted_minor, moved)
        .join(Account, Account.id == Hold.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(
            books,
            or_(
                Account.kind != AccountKind.MEMBER_SAVINGS,
                and_(
                    Hold.state == HoldState.POSTED,
                    or_(Hold.entry_id.is_(None), Hold.posted_minor != moved),
                ),
                and_(Hold.state != HoldState.POSTED, Hold.entry_id.is_not(None)),
            ),
        )
        .order_by(Hold.id)
    )
    for hold_id, state, posted, amount in _streamed(session, wrong):
        what = f"is {state.value} with {posted} posted, its entry moved {amount}"
        yield Breach(1, "holds", str(hold_id), what)


@dataclass(frozen=True, slots=True)
class _Record:
    """A link of a chain. `digest` hashes it behind a head; it is '' if the row cannot be read."""

    table: str
    id: int
    seq: int
    prev_hash: str
    hash: str
    digest: Callable[[str], str]


def _chain_holds(session: Session, book_id: int, note: Note) -> Iterator[Breach]:
    """Walk a book's records in order and recompute every hash; stops at the first break."""
    records, head_hash = session.execute(
        select(Book.records, Book.head_hash).where(Book.id == book_id)
    ).one()
    head, expected = GENESIS, 1
    entries = _links(session, _ENTRY, JournalEntry, book_id, _hashed_entries)
    events = _links(session, _EVENT, Event, book_id, _hashed_events)
    for record in heapq.merge(entries, events, key=lambda link: link.seq):
        where = (record.table, str(record.id))
        if record.seq != expected:
            lost = record.seq > expected
            what = "is missing" if lost else f"is there twice: {record.table} {record.id}"
            yield Breach(8, *where, f"record {min(expected, record.seq)} of book {book_id} {what}")
            return
        if record.prev_hash != head:
            yield Breach(8, *where, "does not follow the record before it")
            return
        if record.digest(head) != record.hash:
            yield Breach(8, *where, "was changed after it was written")
            return
        if record.seq > records:
            yield Breach(8, *where, f"stands behind the head of book {book_id}")
            return
        head, expected = record.hash, expected + 1
        if record.seq % NOTE_EVERY == 0:
            note(f"book {book_id}: {record.seq:,} of {records:,} records")
    if (records, head_hash) != (expected - 1, head):
        yield Breach(8, "books", str(book_id), "the chain ends before its recorded head")


_ENTRY = (
    JournalEntry.id,
    JournalEntry.seq,
    JournalEntry.prev_hash,
    JournalEntry.hash,
    JournalEntry.kind,
    JournalEntry.currency,
    JournalEntry.business_on,
    JournalEntry.value_on,
    JournalEntry.recorded_at,
    JournalEntry.actor_id,
    JournalEntry.reference,
    JournalEntry.reverses_id,
)
_EVENT = (
    Event.id,
    Event.seq,
    Event.prev_hash,
    Event.hash,
    Event.kind,
    Event.subject,
    Event.actor_id,
    Event.recorded_at,
    Event.facts,
)
_Hashing = Callable[[Session, Sequence[Row[*tuple[Any, ...]]]], Iterator[_Record]]


def _links(
    session: Session,
    columns: Sequence[InstrumentedAttribute[Any]],
    model: type[JournalEntry] | type[Event],
    book_id: int,
    hashed: _Hashing,
) -> Iterator[_Record]:
    """The records of one table in a book, by number, read in portions."""
    last = -1
    bare = select(*columns[:4]).where(model.book_id == book_id).order_by(model.seq, model.id)
    while True:
        part = bare.where(model.seq > last).limit(PORTION)
        found = session.execute(part).all()
        if not found:
            return
        whole = select(*columns).where(model.id.in_([row.id for row in found]))
        try:
            yield from hashed(session, session.execute(whole.order_by(model.seq, model.id)).all())
        except (ValueError, TypeError):
            # Somebody wrote what no column of this type can be: find out which row.
            yield from _one_by_one(session, columns, model, found, hashed)
        last = found[-1].seq


def _one_by_one(
    session: Session,
    columns: Sequence[InstrumentedAttribute[Any]],
    model: type[JournalEntry] | type[Event],
    found: Sequence[Row[*tuple[Any, ...]]],
    hashed: _Hashing,
) -> Iterator[_Record]:
    for row in found:
        try:
            one = session.execute(select(*columns).where(model.id == row.id)).all()
        except (ValueError, TypeError):
            yield _Record(
                model.__tablename__, row.id, row.seq, row.prev_hash, row.hash, lambda head: ""
            )
        else:
            yield from hashed(session, one)


def _hashed_entries(session: Session, rows: Sequence[Row[*tuple[Any, ...]]]) -> Iterator[_Record]:
    legs: dict[int, list[Leg]] = {row.id: [] for row in rows}
    for entry_id, *leg in session.execute(
        select(
            Posting.entry_id,
            Posting.account_id,
            Posting.amount_minor,
            Posting.member_id,
            Posting.loan_id,
        )
        .where(Posting.entry_id.in_(legs))
        .order_by(Posting.id)
    ):
        legs[entry_id].append(tuple(leg))  # type: ignore[arg-type]

    def digest(row: Row[*tuple[Any, ...]]) -> Callable[[str], str]:
        return lambda head: entry_hash(
            head,
            seq=row.seq,
            kind=row.kind,
            currency=row.currency,
            business_on=row.business_on,
            value_on=row.value_on,
            recorded_at=row.recorded_at,
            actor_id=row.actor_id,
            reference=row.reference,
            reverses_id=row.reverses_id,
            legs=legs[row.id],
        )

    for row in rows:
        yield _Record("journal_entries", row.id, row.seq, row.prev_hash, row.hash, digest(row))


def _hashed_events(session: Session, rows: Sequence[Row[*tuple[Any, ...]]]) -> Iterator[_Record]:
    def digest(row: Row[*tuple[Any, ...]]) -> Callable[[str], str]:
        return lambda head: event_hash(
            head,
            seq=row.seq,
            kind=row.kind,
            subject=row.subject,
            actor_id=row.actor_id,
            recorded_at=row.recorded_at,
            facts=row.facts,
        )

    for row in rows:
        yield _Record("events", row.id, row.seq, row.prev_hash, row.hash, digest(row))


def _streamed(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
    """Rows in portions; what is not read to its end is closed on the server."""
    found = session.execute(query.execution_options(yield_per=PORTION))
    try:
        yield from found
    finally:
        found.close()
