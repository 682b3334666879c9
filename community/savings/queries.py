"""Reading savings: balances from the books, movements from their receipts."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities.queries import get_community_by_id, memberships_of
from community.ledger.models import Account, AccountKind, Book
from community.ledger.service import available, balance
from community.savings.errors import ReceiptNotFound
from community.savings.models import SavingsMovement


@dataclass(frozen=True, slots=True)
class Balances:
    """What a member has in a community's custody: free savings and stake, in minor units.

    Of the free savings, `held_minor` is on hold and cannot be taken out now.
    """

    community_id: int
    member_id: int
    currency: str
    free_minor: int
    stake_minor: int
    held_minor: int

    @property
    def available_minor(self) -> int:
        return self.free_minor - self.held_minor

    @property
    def total_minor(self) -> int:
        return self.free_minor + self.stake_minor


def balances(session: Session, *, community_id: int, member_id: int) -> Balances:
    """A member's free savings and stake in one community, zero if there never were any."""
    currency = get_community_by_id(session, community_id).currency
    free, stake = (
        balance(
            session,
            community_id=community_id,
            kind=kind,
            currency=currency,
            member_id=member_id,
        )
        for kind in (AccountKind.MEMBER_SAVINGS, AccountKind.MEMBER_STAKE)
    )
    open_minor = available(
        session, community_id=community_id, currency=currency, member_id=member_id
    )
    return Balances(community_id, member_id, currency, free, stake, free - open_minor)


def balances_of_many(
    session: Session, *, community_id: int, member_ids: Collection[int]
) -> dict[int, Balances]:
    """The free savings and the stake of several members in one community, zero where none were."""
    currency = get_community_by_id(session, community_id).currency
    kinds = (AccountKind.MEMBER_SAVINGS, AccountKind.MEMBER_STAKE)
    query = (
        select(Account.member_id, Account.kind, Account.balance_minor, Account.held_minor)
        .join(Book, Book.id == Account.book_id)
        .where(
            Book.community_id == community_id,
            Account.kind.in_(kinds),
            Account.currency == currency,
        )
    )
    found = {
        (member_id, kind): (-balance_minor, held_minor)
        for member_id, kind, balance_minor, held_minor in select_by(
            session, query, Account.member_id, member_ids
        )
    }
    balances = {}
    for member_id in member_ids:
        (free, held), (stake, _) = (found.get((member_id, kind), (0, 0)) for kind in kinds)
        balances[member_id] = Balances(community_id, member_id, currency, free, stake, held)
    return balances


def all_balances(session: Session, member_id: int) -> list[Balances]:
    """A member's savings in each community that they are or were in. Few statements each."""
    return [
        balances(session, community_id=community.id, member_id=member_id)
        for _, community in memberships_of(session, member_id)
    ]


def list_movements(*, community_id: int, member_id: int) -> Select[SavingsMovement]:
    """A member's movements in a community; page by SavingsMovement.id."""
    return select(SavingsMovement).where(
        SavingsMovement.community_id == community_id, SavingsMovement.member_id == member_id
    )


def get_movement(session: Session, public_id: str) -> SavingsMovement:
    """The movement of this receipt. Raises ReceiptNotFound."""
    movement = session.scalar(select(SavingsMovement).where(SavingsMovement.public_id == public_id))
    if movement is None:
        raise ReceiptNotFound()
    return movement


def find_movement_by_reference(session: Session, reference: str) -> SavingsMovement | None:
    """The movement that the outside knows under this reference."""
    return session.scalar(select(SavingsMovement).where(SavingsMovement.reference == reference))
