"""Proving the books: laws 1 and 8 over everything, streamed in constant memory."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.ledger.chain import GENESIS, entry_hash, event_hash
from community.ledger.models import Account, Book, Event, JournalEntry, Posting


@dataclass(frozen=True, slots=True)
class Breach:
    """A law of the design that a row breaks."""

    law: int
    table: str
    row: str
    what: str


def check_ledger(session: Session) -> Iterator[Breach]:
    """Law 1 (entries balance, balances are sums) and law 8 (chains hold), first breach first."""
    yield from _entries_balance(session)
    yield from _balances_are_sums(session)
    for book in session.scalars(select(Book).order_by(Book.id)):
        yield from _chain_holds(session, book)


def _entries_balance(session: Session) -> Iterator[Breach]:
    sums = (
        select(Posting.entry_id, func.sum(Posting.amount_minor).label("total"))
        .group_by(Posting.entry_id)
        .subquery()
    )
    rows = session.execute(
        select(JournalEntry.id, sums.c.total)
        .outerjoin(sums, sums.c.entry_id == JournalEntry.id)
        .where((sums.c.total.is_(None)) | (sums.c.total != 0))
        .order_by(JournalEntry.id)
    )
    for entry_id, total in rows:
        what = "has no legs" if total is None else f"is out of balance by {total}"
        yield Breach(1, "journal_entries", str(entry_id), what)
    foreign = session.execute(
        select(Posting.id)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .join(Account, Account.id == Posting.account_id)
        .where(
            (Account.currency != JournalEntry.currency) | (Account.book_id != JournalEntry.book_id)
        )
        .order_by(Posting.id)
    )
    for (posting_id,) in foreign:
        yield Breach(1, "postings", str(posting_id), "touches another currency or another book")


def _balances_are_sums(session: Session) -> Iterator[Breach]:
    sums = (
        select(Posting.account_id, func.sum(Posting.amount_minor).label("total"))
        .group_by(Posting.account_id)
        .subquery()
    )
    rows = session.execute(
        select(Account.id, Account.kind, Account.balance_minor, func.coalesce(sums.c.total, 0))
        .outerjoin(sums, sums.c.account_id == Account.id)
        .where(Account.balance_minor != func.coalesce(sums.c.total, 0))
        .order_by(Account.id)
    )
    for account_id, kind, held, total in rows:
        yield Breach(
            1, "accounts", str(account_id), f"{kind.value} says {held}, its postings sum to {total}"
        )


def _chain_holds(session: Session, book: Book) -> Iterator[Breach]:
    """Walk a book's records in order and recompute every hash; stops at the first break."""
    head, expected = GENESIS, 1
    for table, record, digest in _records(session, book.id):
        where = (table, str(record.id))
        if record.seq != expected:
            yield Breach(8, *where, f"record {expected} of book {book.id} is missing")
            return
        if record.prev_hash != head:
            yield Breach(8, *where, "does not follow the record before it")
            return
        if digest(head) != record.hash:
            yield Breach(8, *where, "was changed after it was written")
            return
        head, expected = record.hash, expected + 1
    if (book.records, book.head_hash) != (expected - 1, head):
        yield Breach(8, "books", str(book.id), "the chain ends before its recorded head")


def _records(session: Session, book_id: int):  # type: ignore[no-untyped-def]
    """Entries and events of a book merged by number, each with the function that hashes it."""
    with ExitStack() as streams:
        yield from _merged(session, book_id, streams)


def _merged(session: Session, book_id: int, streams: ExitStack):  # type: ignore[no-untyped-def]
    # A stream that nobody reads to its end, such as that of a book without entries, stays open on
    # the server until it is closed.
    entries = session.execute(
        select(JournalEntry)
        .where(JournalEntry.book_id == book_id)
        .order_by(JournalEntry.seq)
        .execution_options(yield_per=500)
    ).scalars()
    events = session.execute(
        select(Event)
        .where(Event.book_id == book_id)
        .order_by(Event.seq)
        .execution_options(yield_per=500)
    ).scalars()
    postings = session.execute(
        select(Posting)
        .join(JournalEntry, JournalEntry.id == Posting.entry_id)
        .where(JournalEntry.book_id == book_id)
        .order_by(JournalEntry.seq, Posting.id)
        .execution_options(yield_per=2000)
    ).scalars()
    for stream in (entries, events, postings):
        streams.callback(stream.close)
    legs_by_entry = groupby(postings, key=lambda posting: posting.entry_id)
    following: list[tuple[int, list[tuple[int, int, int | None, int | None]]]] = []

    def legs_of(entry_id: int) -> list[tuple[int, int, int | None, int | None]]:
        if not following:
            for owner, group in legs_by_entry:
                following.append(
                    (owner, [(p.account_id, p.amount_minor, p.member_id, p.loan_id) for p in group])
                )
                break
        if following and following[0][0] == entry_id:
            return following.pop()[1]
        return []

    entry, event = next(entries, None), next(events, None)
    while entry is not None or event is not None:
        if event is None or (entry is not None and entry.seq <= event.seq):
            assert entry is not None
            legs = legs_of(entry.id)
            yield (
                "journal_entries",
                entry,
                lambda head, e=entry, legs=legs: entry_hash(
                    head,
                    seq=e.seq,
                    kind=e.kind,
                    currency=e.currency,
                    business_on=e.business_on,
                    value_on=e.value_on,
                    recorded_at=e.recorded_at,
                    actor_id=e.actor_id,
                    reference=e.reference,
                    reverses_id=e.reverses_id,
                    legs=legs,
                ),
            )
            session.expunge(entry)
            entry = next(entries, None)
        else:
            yield (
                "events",
                event,
                lambda head, e=event: event_hash(
                    head,
                    seq=e.seq,
                    kind=e.kind,
                    subject=e.subject,
                    actor_id=e.actor_id,
                    recorded_at=e.recorded_at,
                    facts=e.facts,
                ),
            )
            session.expunge(event)
            event = next(events, None)
