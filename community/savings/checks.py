"""What the receipts of savings can prove against the books."""

from collections.abc import Iterator

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Posting
from community.savings.models import SavingsMovement, SavingsMovementKind

# What a movement does to the member's free savings; credits are negative in the books.
_TO_FREE_SAVINGS = {
    SavingsMovementKind.DEPOSIT: -1,
    SavingsMovementKind.STAKE_RELEASE: -1,
    SavingsMovementKind.WITHDRAWAL: 1,
    SavingsMovementKind.STAKE_LOCK: 1,
}


def check_savings(session: Session) -> Iterator[Breach]:
    """Law 1, the part that receipts show: each says what its entry did to the member's savings.

    Several receipts of one member may share an entry; then their sum is compared.
    """
    effect = case(
        *(
            (SavingsMovement.kind == kind, sign * SavingsMovement.amount_minor)
            for kind, sign in _TO_FREE_SAVINGS.items()
        )
    )
    told = (
        select(
            SavingsMovement.entry_id,
            SavingsMovement.member_id,
            func.sum(effect).label("amount"),
            func.min(SavingsMovement.id).label("first"),
        )
        .group_by(SavingsMovement.entry_id, SavingsMovement.member_id)
        .subquery()
    )
    booked = (
        select(
            Posting.entry_id,
            Account.member_id,
            func.sum(Posting.amount_minor).label("amount"),
        )
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.MEMBER_SAVINGS)
        .group_by(Posting.entry_id, Account.member_id)
        .subquery()
    )
    rows = session.execute(
        select(told.c.first, told.c.amount, func.coalesce(booked.c.amount, 0))
        .outerjoin(
            booked,
            (booked.c.entry_id == told.c.entry_id) & (booked.c.member_id == told.c.member_id),
        )
        .where(told.c.amount != func.coalesce(booked.c.amount, 0))
        .order_by(told.c.first)
    )
    for row_id, amount, posted in rows:
        yield Breach(
            1, "savings_movements", str(row_id), f"says {amount}, its entry moved {posted}"
        )
