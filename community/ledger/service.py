"""Posting to the books.

This is the hot path of everything that moves money, so it is explicit Core SQL: one lock (the
book), a handful of statements whatever the number of legs, the same on both databases.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast

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

from community.bulk import insert_columns, reserve_ids
from community.errors import InsufficientFunds
from community.ledger.books import book_ids, lock_books
from community.ledger.chain import entry_hash
from community.ledger.errors import AlreadyReversed, DayClosed, EntryNotFound, Unbalanced
from community.ledger.models import DEBIT_KINDS, Account, AccountKind, Book, JournalEntry, Posting
from community.ledger.rules import Leg

_accounts = cast(Table, Account.__table__)
_entries = cast(Table, JournalEntry.__table__)
# Spelled as in the index, constant and all, so that both databases use it.
_owner_key: ColumnElement[int] = literal_column("coalesce(accounts.member_id, 0)", Integer)
# Databases bound the number of parameters of a statement.
_PART = 5_000

# An account's place in its book: its kind, and whose it is (None: a control account).
_Place = tuple[AccountKind, int | None]


class Draft(NamedTuple):
    """An entry that is to be posted. Legs come from `ledger.rules`."""

    community_id: int
    currency: str
    kind: str
    legs: Sequence[Leg]
    on: date
    reference: str
    # When the event really was, if that is another day than `on`.
    value_on: date | None = None
    reverses_id: int | None = None


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
    draft = Draft(community_id, currency, kind, legs, on, reference, value_on, reverses_id)
    return post_all(session, [draft], now=now, actor_id=actor_id)[0]


def post_all(
    session: Session, drafts: Sequence[Draft], *, now: datetime, actor_id: int | None = None
) -> list[int]:
    """Post entries one after another, as `post` would one by one; returns their ids.

    Locks the communities' books, so lock everything else first. Raises Unbalanced, DayClosed,
    InsufficientFunds (an account would be overdrawn after one of the entries).
    Cost: a few statements a book and one an entry, plus one row a leg and an account.
    """
    for draft in drafts:
        if not draft.legs or sum([leg.amount_minor for leg in draft.legs]) != 0:
            raise Unbalanced(f"The legs of {draft.kind} do not sum to zero.")
    ids = book_ids(session, {draft.community_id for draft in drafts})
    books = lock_books(session, ids.values())
    by_account_set: dict[tuple[int, str], list[Draft]] = {}
    for draft in drafts:
        book = books[ids[draft.community_id]]
        if book.closed_through is not None and draft.on <= book.closed_through:
            raise DayClosed(
                f"The books are closed through {book.closed_through}; post to a later day with "
                "a value date.",
                closed_through=book.closed_through.isoformat(),
            )
        by_account_set.setdefault((book.id, draft.currency), []).append(draft)
    accounts = {
        account_set: _move_balances(session, *account_set, [draft.legs for draft in its_drafts])
        for account_set, its_drafts in by_account_set.items()
    }
    entry_ids: list[int] = []
    postings: dict[str, list[Any]] = {
        name: [] for name in ("entry_id", "account_id", "amount_minor", "member_id", "loan_id")
    }
    for draft in drafts:
        book = books[ids[draft.community_id]]
        places = accounts[book.id, draft.currency]
        legs = [
            (places[kind, owner_id], amount, member_id, loan_id)
            for kind, amount, owner_id, member_id, loan_id in draft.legs
        ]
        entry_id = _write_entry(session, book, draft, legs, now=now, actor_id=actor_id)
        entry_ids.append(entry_id)
        columns = zip(*legs, strict=True)
        for filled, more in zip(postings.values(), ([entry_id] * len(legs), *columns), strict=True):
            filled += more
    insert_columns(session, Posting, postings)
    session.flush()
    return entry_ids


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


def _move_balances(
    session: Session, book_id: int, currency: str, entries: Sequence[Sequence[Leg]]
) -> dict[_Place, int]:
    """Move the account of every leg, opened if it was not there; returns account ids by place.

    No account may be overdrawn after any of the entries. The book is locked: nobody else can
    move or open its accounts now.
    """
    steps: list[dict[_Place, int]] = []
    for legs in entries:
        step: dict[_Place, int] = {}
        for kind, amount, owner_id, _, _ in legs:
            place = (kind, owner_id)
            step[place] = step.get(place, 0) + amount
        steps.append(step)
    found = _read_accounts(session, book_id, currency, {place for step in steps for place in step})
    held = {place: balance for place, (_, balance) in found.items()}
    for step in steps:
        for place, change in step.items():
            before = held.get(place, 0)
            _refuse_overdraft(place[0], currency, before, change)
            held[place] = before + change
    ids = {place: account_id for place, (account_id, _) in found.items()}
    moved = sorted(
        (account_id, held[place] - balance)
        for place, (account_id, balance) in found.items()
        if held[place] != balance
    )
    if moved:
        session.connection().execute(
            update(_accounts)
            .where(_accounts.c.id == bindparam("account"))
            .values(balance_minor=_accounts.c.balance_minor + bindparam("change")),
            [{"account": account_id, "change": change} for account_id, change in moved],
        )
    new = sorted(held.keys() - found.keys(), key=lambda place: (place[0].value, place[1] or 0))
    new_ids = reserve_ids(session, Account, len(new))
    insert_columns(
        session,
        Account,
        {
            "id": new_ids,
            "book_id": [book_id] * len(new),
            "kind": [kind for kind, _ in new],
            "member_id": [owner_id for _, owner_id in new],
            "currency": [currency] * len(new),
            "balance_minor": [held[place] for place in new],
        },
    )
    ids.update(zip(new, new_ids, strict=True))
    return ids


def _read_accounts(
    session: Session, book_id: int, currency: str, wanted: Collection[_Place]
) -> dict[_Place, tuple[int, int]]:
    """Id and balance of the accounts that are there, by place."""
    query = select(
        _accounts.c.kind, _accounts.c.member_id, _accounts.c.id, _accounts.c.balance_minor
    ).where(
        _accounts.c.book_id == book_id,
        _accounts.c.kind.in_({kind for kind, _ in wanted}),
        _accounts.c.currency == currency,
    )
    owners = sorted({owner or 0 for _, owner in wanted})
    found: dict[_Place, tuple[int, int]] = {}
    for start in range(0, len(owners), _PART):
        rows = session.execute(query.where(_owner_key.in_(owners[start : start + _PART])))
        found |= {
            (kind, owner): (account_id, held)
            for kind, owner, account_id, held in rows
            if (kind, owner) in wanted
        }
    return found


def _refuse_overdraft(kind: AccountKind, currency: str, held: int, change: int) -> None:
    after = held + change
    if (after < 0) if kind in DEBIT_KINDS else (after > 0):
        raise InsufficientFunds(
            f"The account {kind.value} holds {abs(held)} minor units of {currency}, "
            f"{abs(change)} were asked for.",
            account=kind.value,
            available_minor=abs(held),
            asked_minor=abs(change),
        )


def _write_entry(
    session: Session,
    book: Book,
    draft: Draft,
    legs: Sequence[tuple[int, int, int | None, int | None]],
    *,
    now: datetime,
    actor_id: int | None,
) -> int:
    """Chain the entry of these legs (account, amount, member, loan); its postings are to follow."""
    facts: dict[str, Any] = {
        "seq": book.records + 1,
        "kind": draft.kind,
        "currency": draft.currency,
        "business_on": draft.on,
        "value_on": draft.value_on or draft.on,
        "recorded_at": now,
        "actor_id": actor_id,
        "reference": draft.reference,
        "reverses_id": draft.reverses_id,
    }
    digest = entry_hash(book.head_hash, **facts, legs=legs)
    entry_id: int = session.execute(
        insert(_entries).returning(_entries.c.id),
        {"book_id": book.id, **facts, "prev_hash": book.head_hash, "hash": digest},
    ).scalar_one()
    book.records, book.head_hash = facts["seq"], digest
    return entry_id
