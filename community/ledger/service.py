"""Posting to the books.

This is the hot path of everything that moves money, so it is explicit Core SQL: one lock (the
book), a handful of statements whatever the number of legs, the same on both databases.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
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

from community.bulk import count_anew, insert_columns, reserve_ids
from community.errors import InsufficientFunds
from community.ledger.books import book_ids, lock_books
from community.ledger.chain import entry_hash
from community.ledger.errors import (
    AlreadyReversed,
    DayClosed,
    EntryNotFound,
    Unbalanced,
    ValueDateLater,
)
from community.ledger.models import DEBIT_KINDS, Account, AccountKind, Book, JournalEntry, Posting
from community.ledger.rules import Leg
from community.money import say_amount

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

    `on` is the business day, which has to be open; `value_on` is when the event really was, the
    same day if it is left out. Locks the community's book, so lock everything else first. Legs
    come from `ledger.rules`.
    Raises Unbalanced, DayClosed, ValueDateLater, InsufficientFunds (an account would be overdrawn,
    or what is on hold would be spent).
    Cost: a fixed number of statements, plus one row a leg.
    """
    draft = Draft(community_id, currency, kind, legs, on, reference, value_on, reverses_id)
    return post_all(session, [draft], now=now, actor_id=actor_id)[0]


def post_all(
    session: Session, drafts: Sequence[Draft], *, now: datetime, actor_id: int | None = None
) -> list[int]:
    """Post entries one after another, as `post` would one by one; returns their ids.

    Locks the communities' books, so lock everything else first. Raises what `post` raises; no
    account may be overdrawn after any of the entries.
    Cost: a few statements a book and one an entry, plus one row a leg and an account.
    """
    for draft in drafts:
        if not draft.legs or sum([leg.amount_minor for leg in draft.legs]) != 0:
            raise Unbalanced(f"The legs of {draft.kind} do not sum to zero.")
        if draft.value_on is not None and draft.value_on > draft.on:
            raise ValueDateLater(
                f"The value date {draft.value_on} is later than the business day {draft.on}.",
                value_on=draft.value_on.isoformat(),
                business_on=draft.on.isoformat(),
                field="value_on",
            )
    ids = book_ids(session, {draft.community_id for draft in drafts})
    books = lock_books(session, ids.values())
    by_account_set: dict[tuple[int, str], list[Draft]] = {}
    for draft in drafts:
        book = books[ids[draft.community_id]]
        _check_open(book, draft.on)
        by_account_set.setdefault((book.id, draft.currency), []).append(draft)
    accounts = {
        account_set: _move_balances(session, *account_set, [draft.legs for draft in its_drafts])
        for account_set, its_drafts in by_account_set.items()
    }
    entry_ids: list[int] = []
    for draft in drafts:
        book = books[ids[draft.community_id]]
        places = accounts[book.id, draft.currency]
        legs = [
            (places[kind, owner_id], amount, member_id, loan_id)
            for kind, amount, owner_id, member_id, loan_id in draft.legs
        ]
        entry_ids.append(_write_entry(session, book, draft, legs, now=now, actor_id=actor_id))
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

    The correction stands on the open day `on`, with the value date of what it corrects.
    Raises EntryNotFound, AlreadyReversed, DayClosed, InsufficientFunds when the money has moved on.
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


def turned_round(legs: Iterable[Leg]) -> list[Leg]:
    """The legs of an event that is taken back."""
    return [leg._replace(amount_minor=-leg.amount_minor) for leg in legs]


def available(session: Session, *, community_id: int, currency: str, member_id: int) -> int:
    """What a member may take out of their savings: what is there, less what is on hold."""
    found = session.execute(
        select(Account.balance_minor, Account.held_minor)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id,
            Account.kind == AccountKind.MEMBER_SAVINGS,
            Account.currency == currency,
            _owner_key == member_id,
        )
    ).one_or_none()
    return 0 if found is None else -found.balance_minor - found.held_minor


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
    """Close the business days up to `on`: they take no more postings, and never will again."""
    book_id = book_ids(session, [community_id])[community_id]
    book = lock_books(session, [book_id])[book_id]
    if book.closed_through is None or book.closed_through < on:
        book.closed_through = on


def _check_open(book: Book, on: date) -> None:
    if book.closed_through is not None and on <= book.closed_through:
        first_open_on = book.closed_through + timedelta(days=1)
        raise DayClosed(
            f"The books are closed through {book.closed_through}; the first open day is "
            f"{first_open_on}. Post there, with the value date of when it was.",
            closed_through=book.closed_through.isoformat(),
            first_open_on=first_open_on.isoformat(),
        )


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
    after = {place: balance for place, (_, balance, _) in found.items()}
    for step in steps:
        for place, change in step.items():
            before = after.get(place, 0)
            held = found[place][2] if place in found else 0
            _refuse_overdraft(place[0], currency, before, held, change)
            after[place] = before + change
    ids = {place: account_id for place, (account_id, _, _) in found.items()}
    moved = sorted(
        (account_id, after[place] - balance)
        for place, (account_id, balance, _) in found.items()
        if after[place] != balance
    )
    if moved:
        session.connection().execute(
            update(_accounts)
            .where(_accounts.c.id == bindparam("account"))
            .values(balance_minor=_accounts.c.balance_minor + bindparam("change")),
            [{"account": account_id, "change": change} for account_id, change in moved],
        )
    new = sorted(after.keys() - found.keys(), key=lambda place: (place[0].value, place[1] or 0))
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
            "balance_minor": [after[place] for place in new],
        },
    )
    # The books' guards join these with the postings to come.
    count_anew(session, (Account,), len(new))
    ids.update(zip(new, new_ids, strict=True))
    return ids


def _read_accounts(
    session: Session, book_id: int, currency: str, wanted: Collection[_Place]
) -> dict[_Place, tuple[int, int, int]]:
    """Id, balance and what is on hold of the accounts that are there, by place."""
    query = select(
        _accounts.c.kind,
        _accounts.c.member_id,
        _accounts.c.id,
        _accounts.c.balance_minor,
        _accounts.c.held_minor,
    ).where(
        _accounts.c.book_id == book_id,
        _accounts.c.kind.in_({kind for kind, _ in wanted}),
        _accounts.c.currency == currency,
    )
    owners = sorted({owner or 0 for _, owner in wanted})
    found: dict[_Place, tuple[int, int, int]] = {}
    for start in range(0, len(owners), _PART):
        rows = session.execute(query.where(_owner_key.in_(owners[start : start + _PART])))
        found |= {
            (kind, owner): (account_id, balance_minor, held_minor)
            for kind, owner, account_id, balance_minor, held_minor in rows
            if (kind, owner) in wanted
        }
    return found


def _refuse_overdraft(
    kind: AccountKind, currency: str, balance_minor: int, held_minor: int, change: int
) -> None:
    after = balance_minor + change
    if (after < 0) if kind in DEBIT_KINDS else (after + held_minor > 0):
        on_hold = f", {say_amount(held_minor, currency)} of them on hold" if held_minor else ""
        raise InsufficientFunds(
            f"The account {kind.value} holds {say_amount(abs(balance_minor), currency)}"
            f"{on_hold}, {say_amount(abs(change), currency)} were asked for.",
            account=kind.value,
            available_minor=abs(balance_minor) - held_minor,
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
    """Write and chain the entry of these legs (account, amount, member, loan).

    The database seals an entry as the book's head moves on to it, so its legs come first.
    """
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
    accounts, amounts, member_ids, loan_ids = zip(*legs, strict=True)
    insert_columns(
        session,
        Posting,
        {
            "entry_id": [entry_id] * len(legs),
            "account_id": accounts,
            "amount_minor": amounts,
            "member_id": member_ids,
            "loan_id": loan_ids,
        },
    )
    book.records, book.head_hash = facts["seq"], digest
    session.flush()
    return entry_id
