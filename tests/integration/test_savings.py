"""Deposits, withdrawals and stake, booked to the cent, on both databases."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.errors import NotAMember
from community.communities.models import Community
from community.errors import AmountOutOfRange, CurrencyMismatch, InsufficientFunds
from community.ledger.checks import check_ledger
from community.ledger.models import JournalEntry
from community.members.models import Member
from community.money import Money
from community.savings import queries, service
from community.savings.checks import check_savings
from community.savings.errors import ReceiptExists
from tests.village_life import NOW, ON, found_village, settle, yuan


@pytest.fixture
def village(db_session: Session) -> Community:
    return found_village(db_session)


@pytest.fixture
def saver(db_session: Session, village: Community) -> Member:
    return settle(db_session, village)


def move(village: Community, saver: Member, amount: Money, **facts: Any) -> dict[str, Any]:
    return {
        "community_id": village.id,
        "member_id": saver.id,
        "amount": amount,
        "on": ON,
        "now": NOW,
        "actor_id": None,
    } | facts


def held(session: Session, village: Community, saver: Member) -> tuple[int, int]:
    found = queries.balances(session, community_id=village.id, member_id=saver.id)
    return found.free_minor, found.stake_minor


def test_every_movement_is_booked_and_has_its_receipt(
    db_session: Session, village: Community, saver: Member
) -> None:
    service.deposit(db_session, **move(village, saver, yuan(500)))
    service.withdraw(db_session, **move(village, saver, Money(1, "CNY")))
    service.move_to_stake(db_session, **move(village, saver, yuan(300)))
    last = service.move_from_stake(db_session, **move(village, saver, yuan(100)))
    db_session.commit()
    assert held(db_session, village, saver) == (29_999, 20_000)
    statement = queries.list_movements(community_id=village.id, member_id=saver.id)
    movements = db_session.scalars(statement.order_by(text("savings_movements.id"))).all()
    assert [(m.kind.value, m.amount_minor) for m in movements] == [
        ("deposit", 50_000),
        ("withdrawal", 1),
        ("stake_lock", 30_000),
        ("stake_release", 10_000),
    ]
    entry = db_session.get_one(JournalEntry, last.entry_id)
    assert (entry.reference, entry.kind) == (last.public_id, "savings.stake_release")
    assert list(check_savings(db_session)) == []
    assert list(check_ledger(db_session)) == []


def test_nobody_takes_out_more_than_is_free(
    db_session: Session, village: Community, saver: Member
) -> None:
    service.deposit(db_session, **move(village, saver, yuan(500)))
    service.move_to_stake(db_session, **move(village, saver, yuan(300)))
    with pytest.raises(InsufficientFunds):
        service.withdraw(db_session, **move(village, saver, Money(20_001, "CNY")))
    with pytest.raises(InsufficientFunds):
        service.move_to_stake(db_session, **move(village, saver, Money(20_001, "CNY")))
    with pytest.raises(InsufficientFunds):
        service.move_from_stake(db_session, **move(village, saver, Money(30_001, "CNY")))
    assert held(db_session, village, saver) == (20_000, 30_000)
    entries = db_session.scalar(select(func.count()).select_from(JournalEntry))
    assert entries == 2


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        (Money(0, "CNY"), AmountOutOfRange),
        (Money(-1, "CNY"), AmountOutOfRange),
        (Money(100, "USD"), CurrencyMismatch),
    ],
)
@pytest.mark.parametrize("verb", ["deposit", "withdraw", "move_to_stake", "move_from_stake"])
def test_odd_amounts_move_nothing(
    db_session: Session,
    village: Community,
    saver: Member,
    verb: str,
    amount: Money,
    refusal: type[Exception],
) -> None:
    with pytest.raises(refusal):
        getattr(service, verb)(db_session, **move(village, saver, amount))
    assert held(db_session, village, saver) == (0, 0)


def test_who_left_takes_their_money_but_brings_none(
    db_session: Session, village: Community, saver: Member
) -> None:
    service.deposit(db_session, **move(village, saver, yuan(5)))
    db_session.commit()
    communities.leave_community(
        db_session,
        community_id=village.id,
        member_id=saver.id,
        on=ON,
        reason="moved",
        now=NOW,
        actor_id=None,
    )
    with pytest.raises(NotAMember):
        service.deposit(db_session, **move(village, saver, yuan(5)))
    with pytest.raises(NotAMember):
        service.move_to_stake(db_session, **move(village, saver, yuan(5)))
    service.withdraw(db_session, **move(village, saver, yuan(5)))
    assert held(db_session, village, saver) == (0, 0)


def test_the_same_paper_is_not_booked_twice(
    db_session: Session, village: Community, saver: Member
) -> None:
    service.deposit(db_session, **move(village, saver, yuan(5), reference="sheet 7, line 3"))
    with pytest.raises(ReceiptExists):
        service.deposit(db_session, **move(village, saver, yuan(5), reference="sheet 7, line 3"))
    assert held(db_session, village, saver) == (500, 0)


def test_the_money_of_one_community_is_not_that_of_another(
    db_session: Session, village: Community, saver: Member
) -> None:
    circle = found_village(db_session, "Weavers")
    place = {"community_id": circle.id, "member_id": saver.id, "on": ON, "now": NOW}
    communities.apply_for_membership(db_session, **place, actor_id=None)
    communities.activate_membership(db_session, **place, actor_id=None)
    service.deposit(db_session, **move(village, saver, yuan(5)))
    with pytest.raises(InsufficientFunds):
        service.withdraw(db_session, **move(circle, saver, yuan(1)))
    assert [b.total_minor for b in queries.all_balances(db_session, saver.id)] == [500, 0]


def test_the_check_names_a_receipt_that_says_something_else_than_the_books(
    db_session: Session, village: Community, saver: Member
) -> None:
    movement = service.deposit(db_session, **move(village, saver, yuan(5)))
    movement.amount_minor = 600
    db_session.flush()
    breaches = list(check_savings(db_session))
    assert [(b.law, b.row) for b in breaches] == [(1, str(movement.id))]
