"""Reading the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from community.database import Base
from community.ledger.chain import GENESIS
from community.ledger.models import (
    DEBIT_KINDS,
    Account,
    AccountKind,
    Book,
    Event,
    JournalEntry,
    Posting,
)


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg; `owner` is whose account it is, if the kind has owners."""

    account: AccountKind
    owner: str | None
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """A journal entry with its legs."""

    number: int
    kind: str
    business_on: date
    value_on: date
    recorded_at: datetime
    reference: str
    reverses: int | None
    prev_hash: str
    hash: str
    legs: tuple[LegView, ...]


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What all accounts of a kind hold together, positive on the kind's normal side."""

    account: AccountKind
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class BookView:
    """A community's balances and the head of its chain."""

    closed_through: date | None
    records: int
    head_hash: str
    balances: tuple[BalanceView, ...]


def entries_of(community_id: int) -> Select[JournalEntry]:
    """The journal of a community."""
    return (
        select(JournalEntry)
        .join(Book, Book.id == JournalEntry.book_id)
        .where(Book.community_id == community_id)
    )


def events_of(community_id: int) -> Select[Event]:
    """The events in a community's chain; page by Event.id."""
    return (
        select(Event).join(Book, Book.id == Event.book_id).where(Book.community_id == community_id)
    )


@dataclass(frozen=True, slots=True)
class EventView:
    """An event with who did it: nobody where a day or an import did."""

    number: int
    kind: str
    subject: str
    recorded_at: datetime
    actor: str | None
    actor_name: str
    facts: dict[str, Any]
    prev_hash: str
    hash: str


def event_views(session: Session, events: Sequence[Event]) -> list[EventView]:
    """Events with the names of who acted. One statement, however many."""
    members = Base.metadata.tables["members"]
    who = {
        row.id: row
        for row in session.execute(
            select(members.c.id, members.c.public_id, members.c.name).where(
                members.c.id.in_({event.actor_id for event in events} - {None})
            )
        )
    }
    return [
        EventView(
            number=event.seq,
            kind=event.kind,
            subject=event.subject,
            recorded_at=event.recorded_at,
            actor=who[event.actor_id].public_id if event.actor_id in who else None,
            actor_name=who[event.actor_id].name if event.actor_id in who else "",
            facts=event.facts,
            prev_hash=event.prev_hash,
            hash=event.hash,
        )
        for event in events
    ]


def entry_views(session: Session, entries: Sequence[JournalEntry]) -> list[EntryView]:
    """Entries with their legs, in the order given. Two statements, however many entries."""
    # The members' table lives in a higher room, so it goes by name.
    members = Base.metadata.tables["members"]
    rows = session.execute(
        select(Posting.entry_id, Account.kind, members.c.public_id, Posting.amount_minor)
        .join(Account, Account.id == Posting.account_id)
        .outerjoin(members, members.c.id == Account.member_id)
        .where(Posting.entry_id.in_([entry.id for entry in entries]))
        .order_by(Posting.id)
    ).all()
    reversed_entry = aliased(JournalEntry)
    numbers: dict[int, int] = dict(
        session.execute(
            select(reversed_entry.id, reversed_entry.seq).where(
                reversed_entry.id.in_([entry.reverses_id for entry in entries if entry.reverses_id])
            )
        ).all()
    )
    return [
        EntryView(
            number=entry.seq,
            kind=entry.kind,
            business_on=entry.business_on,
            value_on=entry.value_on,
            recorded_at=entry.recorded_at,
            reference=entry.reference,
            reverses=numbers[entry.reverses_id] if entry.reverses_id else None,
            prev_hash=entry.prev_hash,
            hash=entry.hash,
            legs=tuple(
                LegView(kind, owner, amount, entry.currency)
                for entry_id, kind, owner, amount in rows
                if entry_id == entry.id
            ),
        )
        for entry in entries
    ]


def balances_of(session: Session, community_id: int, currency: str) -> BookView:
    """Balances by kind and the head of the chain; a community without postings has none."""
    book = session.scalar(select(Book).where(Book.community_id == community_id))
    if book is None:
        return BookView(None, 0, GENESIS, ())
    rows = session.execute(
        select(Account.kind, func.sum(Account.balance_minor))
        .where(Account.book_id == book.id, Account.currency == currency)
        .group_by(Account.kind)
        .order_by(Account.kind)
    )
    return BookView(
        closed_through=book.closed_through,
        records=book.records,
        head_hash=book.head_hash,
        balances=tuple(
            BalanceView(kind, int(held) if kind in DEBIT_KINDS else -int(held), currency)
            for kind, held in rows
        ),
    )


def closed_through(session: Session, community_id: int) -> date | None:
    """The last closed business day of a community."""
    return session.scalar(select(Book.closed_through).where(Book.community_id == community_id))
