"""Deposits, withdrawals, and savings that become stake and free again.

Every movement is one journal entry and one receipt. The community's book is locked by posting,
so whatever else has to be locked is locked before.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from community.communities.queries import get_community_by_id, require_active
from community.database import new_public_id
from community.errors import AmountOutOfRange, CurrencyMismatch
from community.ledger import rules
from community.ledger.holds import accounts_of_holds, expire_holds_of, get_hold_by_id, post_hold
from community.ledger.rules import Leg
from community.ledger.service import post
from community.money import Money
from community.savings.errors import ReceiptExists
from community.savings.models import SavingsMovement, SavingsMovementKind
from community.savings.queries import find_movement_by_reference


def deposit(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None = None,
) -> SavingsMovement:
    """An active member brings money into the community's custody.

    Raises NotAMember, CurrencyMismatch, AmountOutOfRange, ReceiptExists, DayClosed.
    """
    require_active(session, community_id=community_id, member_id=member_id, hold=True)
    return _move(
        session,
        SavingsMovementKind.DEPOSIT,
        rules.savings_deposited(member_id, amount.amount_minor),
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
        reference=reference,
    )


def withdraw(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None = None,
) -> SavingsMovement:
    """A member takes free savings out, whatever the state of the membership: it is their money.

    Raises InsufficientFunds (stake is not free, nor is what is on hold), CurrencyMismatch,
    AmountOutOfRange, ReceiptExists, DayClosed.
    """
    expire_holds_of(session, community_id=community_id, member_id=member_id, on=on, now=now)
    return _move(
        session,
        SavingsMovementKind.WITHDRAWAL,
        rules.savings_withdrawn(member_id, amount.amount_minor),
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
        reference=reference,
    )


def pay_out_hold(
    session: Session,
    *,
    hold_id: int,
    amount: Money | None,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> SavingsMovement:
    """The money of a hold is paid out to the member, all of it or `amount`; the rest is free again.

    It is a withdrawal with its receipt.
    Raises HoldNotFound, HoldEnded, CurrencyMismatch, AmountOutOfRange, DayClosed.
    """
    hold = get_hold_by_id(session, hold_id)
    place = accounts_of_holds(session, [hold])[hold.account_id]
    given = Money(hold.amount_minor, place.currency) if amount is None else amount
    _check_amount(given, place.currency)
    public_id = new_public_id("rcp")
    entry_id = post_hold(
        session,
        hold_id=hold_id,
        amount_minor=given.amount_minor,
        kind=f"savings.{SavingsMovementKind.WITHDRAWAL.value}",
        legs=rules.savings_withdrawn(place.member_id, given.amount_minor),
        reference=public_id,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    movement = SavingsMovement(
        public_id=public_id,
        community_id=place.community_id,
        member_id=place.member_id,
        kind=SavingsMovementKind.WITHDRAWAL,
        amount_minor=given.amount_minor,
        on=on,
        reference=None,
        entry_id=entry_id,
        recorded_at=now,
    )
    session.add(movement)
    session.flush()  # the receipt is answered with
    return movement


def move_to_stake(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None = None,
) -> SavingsMovement:
    """Free savings become stake, in the books only.

    The standing that the stake gives is kept by `trust.service.lock_stake`, which locks it, calls
    this, and is what others call. Raises NotAMember, InsufficientFunds, CurrencyMismatch,
    AmountOutOfRange.
    """
    require_active(session, community_id=community_id, member_id=member_id, hold=True)
    expire_holds_of(session, community_id=community_id, member_id=member_id, on=on, now=now)
    return _move(
        session,
        SavingsMovementKind.STAKE_LOCK,
        rules.stake_locked({member_id: amount.amount_minor}),
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
        reference=reference,
    )


def move_from_stake(
    session: Session,
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None = None,
) -> SavingsMovement:
    """Stake becomes free savings, in the books only; see `trust.service.release_stake`.

    Raises InsufficientFunds, CurrencyMismatch, AmountOutOfRange.
    """
    return _move(
        session,
        SavingsMovementKind.STAKE_RELEASE,
        rules.stake_released(member_id, amount.amount_minor),
        community_id=community_id,
        member_id=member_id,
        amount=amount,
        on=on,
        now=now,
        actor_id=actor_id,
        reference=reference,
    )


def _move(
    session: Session,
    kind: SavingsMovementKind,
    legs: Sequence[Leg],
    *,
    community_id: int,
    member_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None,
    reference: str | None,
) -> SavingsMovement:
    currency = get_community_by_id(session, community_id).currency
    _check_amount(amount, currency)
    if reference is not None and find_movement_by_reference(session, reference) is not None:
        raise ReceiptExists(f"Reference {reference!r} is taken.", field="reference")
    public_id = new_public_id("rcp")
    entry_id = post(
        session,
        community_id=community_id,
        currency=currency,
        kind=f"savings.{kind.value}",
        legs=legs,
        on=on,
        now=now,
        reference=public_id,
        actor_id=actor_id,
    )
    movement = SavingsMovement(
        public_id=public_id,
        community_id=community_id,
        member_id=member_id,
        kind=kind,
        amount_minor=amount.amount_minor,
        on=on,
        reference=reference,
        entry_id=entry_id,
        recorded_at=now,
    )
    session.add(movement)
    session.flush()  # the same reference at the same time meets the unique constraint here
    return movement


def _check_amount(amount: Money, currency: str) -> None:
    if amount.currency != currency:
        raise CurrencyMismatch(
            f"This community counts in {currency}.",
            expected=currency,
            given=amount.currency,
            field="amount",
        )
    if not amount.is_positive:
        raise AmountOutOfRange("A movement is above zero.", field="amount")
