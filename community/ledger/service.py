"""Posting to the books.

This is the hot path of everything that moves money, so it is explicit Core SQL: one lock (the
book), a handful of statements whatever the number of legs, the same on both databases.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    Table,
    bindparam,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import Session

from community.errors import InsufficientFunds
from community.ledger.books import book_ids, lock_books
from community.ledger.chain import entry_hash
from community.ledger.errors import AlreadyReversed, DayClosed, EntryNotFound, Unbalanced
from community.ledger.models import DEBIT_KINDS, Account, AccountKind, Book, JournalEntry, Posting
from community.ledger.rules import Leg

_accounts = cast(Table, Account.__table__)
_entries = cast(Table, JournalEntry.__table__)
_postings = cast(Table, Posting.__table__)
# Spelled as in the index, constant and all, so that both databases use it.
_owner_key: ColumnElement[int] = literal_column("coalesce(accounts.member_id, 0)", Integer)
# Databases bound the number of parameters of a statement.
_PART = 500


def post(
    session: Session,
    *,
    community_id: int,
    currency: str,
    kind: str,
    legs: Sequence[Leg],
    on: date,
    now: datetime,
    reference: str,
    actor_id: int | None = None,
    value_on: date | None = None,
    reverses_id: int | None = None,
) -> int:
    """Write one journal entry with its legs and move the balances; returns the entry's id.

    Locks the community's book, so lock everything else first. Legs come from `ledger.rules`.
    Raises Unbalanced, DayClosed, InsufficientFunds (an account would be overdrawn).
    Cost: a fixed number of statements, plus one row a leg.
    """
    if not legs or sum(leg.amount_minor for leg in legs) != 0:
        raise Unbalanced(f"The legs of {kind} do not sum to zero.")
    book_id = book_ids(session, [community_id])[community_id]
    book = lock_books(session, [book_id])[book_id]
    if book.closed_through is not None and on <= book.closed_through:
        raise DayClosed(
            f"The books are closed through {book.closed_through}; post to a later day with "
            "a value date.",
            closed_through=book.closed_through.isoformat(),
        )
    places = _accounts_for(session, book_id, currency, legs)
    _move_balances(session, currency, legs, places)
    return _write_entry(
        session,
        book,
        legs=[
            (
                places[leg.kind, leg.owner_id],
                leg.amount_minor,
                leg.member_id,
                leg.loan_id,
            )
            for leg in legs
        ],
        kind=kind,
        currency=currency,
        on=on,
        value_on=value_on or on,
        now=now,
        actor_id=actor_id,
        reference=reference,
        reverses_id=reverses_id,
    )


def reverse(
    session: Session,
    *,
    entry_id: int,
    on: date,
    now: datetime,
    actor_id: int | None = None,
) -> int:
    """Undo an entry by a new one with every leg turned round; the old one stays as it is.

    Raises EntryNotFound, AlreadyReversed, InsufficientFunds when the money has moved on.
    """
    entry = session.get(JournalEntry, entry_id)
    if entry is None:
        raise EntryNotFound()
    community_id = session.scalars(select(Book.community_id).where(Book.id == entry.book_id)).one()
    assert community_id is not None  # the platform's own book takes no entries
    lock_books(session, [entry.book_id])
    if session.scalar(select(JournalEntry.id).where(JournalEntry.reverses_id == entry_id)):
        raise AlreadyReversed()
    rows = session.execute(
        select(Account.kind, Account.member_id, Posting)
        .join(Account, Account.id == Posting.account_id)
        .where(Posting.entry_id == entry_id)
        .order_by(Posting.id)
    )
    return post(
        session,
        community_id=community_id,
        currency=entry.currency,
        kind=f"{entry.kind}.reversed",
        legs=[
            Leg(kind, -posting.amount_minor, owner_id, posting.member_id, posting.loan_id)
            for kind, owner_id, posting in rows
        ],
        on=on,
        now=now,
        actor_id=actor_id,
        reference=entry.reference,
        value_on=entry.value_on,
        reverses_id=entry_id,
    )


def balance(
    session: Session,
    *,
    community_id: int,
    kind: AccountKind,
    currency: str,
    member_id: int | None = None,
) -> int:
    """What an account holds, as a positive number on its normal side; zero if never used."""
    found = session.scalar(
        select(Account.balance_minor)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id,
            Account.kind == kind,
            Account.currency == currency,
            _owner_key == (member_id or 0),
        )
    )
    amount = found or 0
    return amount if kind in DEBIT_KINDS else -amount


def close_through(session: Session, *, community_id: int, on: date) -> None:
    """Close the business days up to `on`: they take no more postings."""
    book_id = book_ids(session, [community_id])[community_id]
    book = lock_books(session, [book_id])[book_id]
    if book.closed_through is None or book.closed_through < on:
        book.closed_through = on


def _accounts_for(
    session: Session, book_id: int, currency: str, legs: Iterable[Leg]
) -> dict[tuple[AccountKind, int | None], int]:
    """The account of every leg, opened with a zero balance if it was not there."""
    wanted = {(leg.kind, leg.owner_id) for leg in legs}
    found = _read_accounts(session, book_id, currency, wanted)
    missing = sorted(wanted - found.keys(), key=lambda place: (place[0].value, place[1] or 0))
    if missing:
        # The book is locked: nobody else can open the same account now.
        session.execute(
            insert(_accounts),
            [
                {
                    "book_id": book_id,
                    "kind": kind,
                    "member_id": owner_id,
                    "currency": currency,
                    "balance_minor": 0,
                }
                for kind, owner_id in missing
            ],
        )
        found = _read_accounts(session, book_id, currency, wanted)
    return found


def _read_accounts(
    session: Session,
    book_id: int,
    currency: str,
    wanted: set[tuple[AccountKind, int | None]],
) -> dict[tuple[AccountKind, int | None], int]:
    query = select(_accounts.c.kind, _accounts.c.member_id, _accounts.c.id).where(
        _accounts.c.book_id == book_id,
        _accounts.c.kind.in_({kind for kind, _ in wanted}),
        _accounts.c.currency == currency,
    )
    owners = sorted({owner or 0 for _, owner in wanted})
    found: dict[tuple[AccountKind, int | None], int] = {}
    for start in range(0, len(owners), _PART):
        rows = session.execute(query.where(_owner_key.in_(owners[start : start + _PART])))
        found |= {
            (kind, owner): account_id for kind, owner, account_id in rows if (kind, owner) in wanted
        }
    return found


def _move_balances(
    session: Session,
    currency: str,
    legs: Iterable[Leg],
    places: dict[tuple[AccountKind, int | None], int],
) -> None:
    changes: dict[int, int] = {}
    for leg in legs:
        account_id = places[leg.kind, leg.owner_id]
        changes[account_id] = changes.get(account_id, 0) + leg.amount_minor
    moved = {account_id: change for account_id, change in changes.items() if change}
    _refuse_overdraft(session, currency, moved)
    if moved:
        session.connection().execute(
            update(_accounts)
            .where(_accounts.c.id == bindparam("account"))
            .values(balance_minor=_accounts.c.balance_minor + bindparam("change")),
            [{"account": account_id, "change": moved[account_id]} for account_id in sorted(moved)],
        )


def _refuse_overdraft(session: Session, currency: str, moved: dict[int, int]) -> None:
    # Only movements against an account's normal side can overdraw it, and those are few.
    ids = list(moved)
    for start in range(0, len(ids), _PART):
        rows = session.execute(
            select(_accounts.c.id, _accounts.c.kind, _accounts.c.balance_minor).where(
                _accounts.c.id.in_(ids[start : start + _PART])
            )
        )
        for account_id, kind, held in rows:
            after = held + moved[account_id]
            if (after < 0) if kind in DEBIT_KINDS else (after > 0):
                raise InsufficientFunds(
                    f"The account {kind.value} holds {abs(held)} minor units of {currency}, "
                    f"{abs(moved[account_id])} were asked for.",
                    account=kind.value,
                    available_minor=abs(held),
                    asked_minor=abs(moved[account_id]),
                )


def _write_entry(
    session: Session,
    book: Book,
    *,
    legs: list[tuple[int, int, int | None, int | None]],
    kind: str,
    currency: str,
    on: date,
    value_on: date,
    now: datetime,
    actor_id: int | None,
    reference: str,
    reverses_id: int | None,
) -> int:
    seq = book.records + 1
    digest = entry_hash(
        book.head_hash,
        seq=seq,
        kind=kind,
        currency=currency,
        business_on=on,
        value_on=value_on,
        recorded_at=now,
        actor_id=actor_id,
        reference=reference,
        reverses_id=reverses_id,
        legs=legs,
    )
    entry_id: int = session.execute(
        insert(_entries)
        .values(
            book_id=book.id,
            seq=seq,
            kind=kind,
            currency=currency,
            business_on=on,
            value_on=value_on,
            recorded_at=now,
            actor_id=actor_id,
            reference=reference,
            reverses_id=reverses_id,
            prev_hash=book.head_hash,
            hash=digest,
        )
        .returning(_entries.c.id)
    ).scalar_one()
    session.execute(
        insert(_postings),
        [
            {
                "entry_id": entry_id,
                "account_id": account_id,
                "amount_minor": amount,
                "member_id": member_id,
                "loan_id": loan_id,
            }
            for account_id, amount, member_id, loan_id in legs
        ],
    )
    book.records, book.head_hash = seq, digest
    session.flush()
    return entry_id
