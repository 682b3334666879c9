"""Holds on members' savings: money set aside for a while, then posted or let go.

A pending hold posts nothing. It lessens what the account can give, for every posting there is,
since `service.post` reads it with the balance. Holds change under the lock of their book, which is
taken last; so lock everything else first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.errors import AmountOutOfRange, CurrencyMismatch, InsufficientFunds, Invalid
from community.ledger.books import lock_books
from community.ledger.errors import HoldEnded, HoldExists, HoldNotFound
from community.ledger.events import record_event
from community.ledger.models import Account, AccountKind, Book, Hold, HoldState
from community.ledger.rules import Leg
from community.ledger.service import post
from community.money import Money, say_amount

EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """Whose savings a hold is on, and where."""

    community_id: int
    member_id: int
    currency: str


def place_hold(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    reason: str,
    on: date,
    expires_on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None = None,
) -> Hold:
    """Set a part of a member's free savings aside until it is posted, voided or expires.

    `expires_on` is the last day on which it counts. Locks the book.
    Raises AmountOutOfRange, Invalid, HoldExists, CurrencyMismatch, InsufficientFunds.
    """
    if not amount.is_positive:
        raise AmountOutOfRange("A hold is above zero.", field="amount")
    if expires_on < on:
        raise Invalid("A hold expires today or later.", field="expires_on")
    if reference is not None and session.scalar(select(Hold.id).where(Hold.reference == reference)):
        raise HoldExists(f"Reference {reference!r} is taken.", field="reference")
    account = _locked_savings(session, community_id, member_id)
    if account is not None and account.currency != amount.currency:
        raise CurrencyMismatch(
            f"These savings are in {account.currency}.",
            expected=account.currency,
            given=amount.currency,
            field="amount",
        )
    expire_holds_of(session, community_id=community_id, member_id=member_id, on=on, now=now)
    free = 0 if account is None else -account.balance_minor - account.held_minor
    if account is None or amount.amount_minor > free:
        raise InsufficientFunds(
            f"{say_amount(free, amount.currency)} are free, "
            f"{say_amount(amount.amount_minor, amount.currency)} were to be set aside.",
            account=AccountKind.MEMBER_SAVINGS.value,
            available_minor=free,
            asked_minor=amount.amount_minor,
        )
    account.held_minor += amount.amount_minor
    hold = Hold(
        account_id=account.id,
        amount_minor=amount.amount_minor,
        posted_minor=0,
        reason=reason,
        reference=reference,
        state=HoldState.PENDING,
        placed_on=on,
        expires_on=expires_on,
        placed_by_id=actor_id,
        placed_at=now,
        end_reason="",
    )
    session.add(hold)
    session.flush()  # the same reference at the same time meets the unique constraint here
    _record(
        session,
        community_id,
        "hold.placed",
        hold,
        now=now,
        actor_id=actor_id,
        amount_minor=amount.amount_minor,
        expires_on=expires_on.isoformat(),
    )
    return hold


def post_hold(
    session: Session,
    *,
    hold_id: int,
    amount_minor: int,
    kind: str,
    legs: Sequence[Leg],
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> int:
    """Let the money of a hold move by one entry, all of it or a part; the rest is free again.

    `legs` take exactly `amount_minor` out of the savings that the hold is on, and go through
    `service.post` like any others. Returns the entry's id. Locks the book.
    Raises HoldNotFound, HoldEnded, AmountOutOfRange, and what `post` raises.
    """
    hold, account, held = _locked_hold(session, hold_id)
    if hold.expires_on < on:
        raise HoldEnded(f"The hold expired on {hold.expires_on}.", state=EXPIRED)
    if not 0 < amount_minor <= hold.amount_minor:
        raise AmountOutOfRange(
            f"The hold is on {say_amount(hold.amount_minor, account.currency)}, "
            f"{say_amount(amount_minor, account.currency)} were asked for.",
            held_minor=hold.amount_minor,
            asked_minor=amount_minor,
            field="amount",
        )
    taken = sum(
        leg.amount_minor
        for leg in legs
        if leg.kind is AccountKind.MEMBER_SAVINGS and leg.owner_id == held.member_id
    )
    if taken != amount_minor:
        raise Invalid("The legs have to take what the hold lets go.", taken_minor=taken)
    account.held_minor -= hold.amount_minor
    session.flush()  # posting reads the balance and what is on hold by statements of its own
    entry_id = post(
        session,
        community_id=held.community_id,
        currency=held.currency,
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=reference,
        actor_id=actor_id,
    )
    hold.state = HoldState.POSTED
    hold.posted_minor, hold.entry_id = amount_minor, entry_id
    hold.ended_on, hold.ended_by_id = on, actor_id
    session.flush()
    _record(
        session,
        held.community_id,
        "hold.posted",
        hold,
        now=now,
        actor_id=actor_id,
        posted_minor=amount_minor,
    )
    return entry_id


def void_hold(
    session: Session,
    *,
    hold_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Hold:
    """Let the whole of a hold go: the money is free again. Locks the book.

    Raises HoldNotFound, HoldEnded.
    """
    hold, account, held = _locked_hold(session, hold_id)
    _let_go(
        session,
        hold,
        account,
        held.community_id,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    return hold


def expire_holds(session: Session, *, community_id: int, on: date, now: datetime) -> int:
    """Void every hold of a community whose last day is over; returns how many. Locks the book."""
    return _expire(session, _over(community_id, on), on=on, now=now)


def expire_holds_of(
    session: Session, *, community_id: int, member_id: int, on: date, now: datetime
) -> int:
    """The same for one member, before they take money out: what expired does not hold it back."""
    return _expire(
        session, _over(community_id, on).where(Account.member_id == member_id), on=on, now=now
    )


def get_hold(session: Session, public_id: str) -> Hold:
    """The hold of this public id. Raises HoldNotFound."""
    hold = session.scalar(select(Hold).where(Hold.public_id == public_id))
    if hold is None:
        raise HoldNotFound()
    return hold


def get_hold_by_id(session: Session, hold_id: int) -> Hold:
    """The hold of this inner id. Raises HoldNotFound."""
    hold = session.get(Hold, hold_id)
    if hold is None:
        raise HoldNotFound()
    return hold


def accounts_of_holds(session: Session, holds: Collection[Hold]) -> dict[int, HeldAccount]:
    """Whose savings holds are on, by account id; one statement."""
    rows = session.execute(
        select(Account.id, Book.community_id, Account.member_id, Account.currency)
        .join(Book, Book.id == Account.book_id)
        .where(Account.id.in_({hold.account_id for hold in holds}))
    )
    found: dict[int, HeldAccount] = {}
    for account_id, community_id, member_id, currency in rows:
        # A hold is on a member's savings, in a community's book.
        assert community_id is not None
        assert member_id is not None
        found[account_id] = HeldAccount(community_id, member_id, currency)
    return found


def list_holds(
    *, community_id: int, member_id: int | None = None, state: HoldState | None = None
) -> Select[Hold]:
    """The holds of a community or of one member there; page by Hold.id."""
    query = (
        select(Hold)
        .join(Account, Account.id == Hold.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(Book.community_id == community_id)
    )
    if member_id is not None:
        query = query.where(Account.member_id == member_id)
    return query if state is None else query.where(Hold.state == state)


def _over(community_id: int, on: date) -> Select[Hold]:
    pending = list_holds(community_id=community_id, state=HoldState.PENDING)
    return pending.where(Hold.expires_on < on).order_by(Hold.id)


def _expire(session: Session, over: Select[Hold], *, on: date, now: datetime) -> int:
    first = session.scalar(over.limit(1))
    if first is None:
        return 0  # most days: nothing to lock
    held = accounts_of_holds(session, [first])[first.account_id]
    lock_books(session, [_book_of(session, first.account_id)])
    # Read again under the lock: somebody may have posted or voided one meanwhile.
    holds = session.scalars(over.execution_options(populate_existing=True)).all()
    for hold in holds:
        _let_go(
            session,
            hold,
            _account(session, hold.account_id),
            held.community_id,
            reason=EXPIRED,
            on=on,
            now=now,
            actor_id=None,
        )
    return len(holds)


def _let_go(
    session: Session,
    hold: Hold,
    account: Account,
    community_id: int,
    *,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    account.held_minor -= hold.amount_minor
    hold.state = HoldState.VOIDED
    hold.ended_on, hold.ended_by_id, hold.end_reason = on, actor_id, reason
    session.flush()
    _record(session, community_id, "hold.voided", hold, now=now, actor_id=actor_id, reason=reason)


def _locked_hold(session: Session, hold_id: int) -> tuple[Hold, Account, HeldAccount]:
    """A pending hold with its account, under the lock of its book."""
    account_id = session.scalar(select(Hold.account_id).where(Hold.id == hold_id))
    if account_id is None:
        raise HoldNotFound()
    lock_books(session, [_book_of(session, account_id)])
    hold = session.get_one(Hold, hold_id, populate_existing=True)
    if hold.state is not HoldState.PENDING:
        raise HoldEnded(f"The hold is {hold.state.value}.", state=hold.state.value)
    return hold, _account(session, account_id), accounts_of_holds(session, [hold])[account_id]


def _locked_savings(session: Session, community_id: int, member_id: int) -> Account | None:
    """A member's savings under the lock of their book; None if they never had any there."""
    query = (
        select(Account)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id,
            Account.kind == AccountKind.MEMBER_SAVINGS,
            Account.member_id == member_id,
        )
    )
    account = session.scalar(query)
    if account is None:
        return None
    lock_books(session, [account.book_id])
    return _account(session, account.id)


def _account(session: Session, account_id: int) -> Account:
    """The account as it is now, under the lock of its book."""
    return session.get_one(Account, account_id, populate_existing=True)


def _book_of(session: Session, account_id: int) -> int:
    return session.scalars(select(Account.book_id).where(Account.id == account_id)).one()


def _record(
    session: Session,
    community_id: int,
    kind: str,
    hold: Hold,
    *,
    now: datetime,
    actor_id: int | None,
    **facts: int | str,
) -> None:
    record_event(
        session,
        community_id=community_id,
        kind=kind,
        subject=hold.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
