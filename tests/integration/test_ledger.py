"""Laws 1 and 8 on real databases: entries balance, the past stays, every change is found."""

import threading
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community
from community.engine import session_factory
from community.errors import InsufficientFunds
from community.ledger import rules
from community.ledger.checks import check_ledger
from community.ledger.errors import AlreadyReversed, DayClosed, Unbalanced, ValueDateLater
from community.ledger.events import record_event
from community.ledger.models import (
    DEBIT_KINDS,
    OWNED_KINDS,
    AccountKind,
    Book,
    Event,
    JournalEntry,
)
from community.ledger.rules import Leg
from community.ledger.service import Draft, balance, close_through, post_all, reverse
from tests.books import DAY, NOW, a_community, a_member, book


def held(
    session: Session, community: Community, kind: AccountKind, member: int | None = None
) -> int:
    return balance(session, community_id=community.id, kind=kind, currency="CNY", member_id=member)


def test_balances_follow_postings(db_session: Session) -> None:
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.savings_deposited(member.id, 5_000))
    book(db_session, community.id, rules.savings_withdrawn(member.id, 1_200))
    db_session.commit()
    assert held(db_session, community, AccountKind.MEMBER_SAVINGS, member.id) == 3_800
    assert held(db_session, community, AccountKind.SAVINGS_CASH) == 3_800
    assert list(check_ledger(db_session)) == []


def test_an_overdraft_is_refused_and_moves_nothing(db_session: Session) -> None:
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.savings_deposited(member.id, 100))
    db_session.commit()
    with pytest.raises(InsufficientFunds) as refusal:
        book(db_session, community.id, rules.savings_withdrawn(member.id, 101))
    assert refusal.value.members["available_minor"] == 100
    db_session.rollback()
    assert held(db_session, community, AccountKind.MEMBER_SAVINGS, member.id) == 100


@pytest.mark.parametrize(
    "legs",
    [
        [],
        [Leg(AccountKind.LENDING_CASH, 5), Leg(AccountKind.LENDER_FUNDS, -4)],
        [Leg(AccountKind.LENDING_CASH, 5)],
    ],
)
def test_legs_that_do_not_balance_are_refused(db_session: Session, legs: list[Leg]) -> None:
    community = a_community(db_session)
    with pytest.raises(Unbalanced):
        book(db_session, community.id, legs)


def test_a_closed_day_takes_no_more_postings(db_session: Session) -> None:
    community = a_community(db_session)
    close_through(db_session, community_id=community.id, on=DAY)
    with pytest.raises(DayClosed) as refusal:
        book(db_session, community.id, rules.capital_received(10))
    assert refusal.value.members == {"closed_through": "2026-05-04", "first_open_on": "2026-05-05"}
    book(db_session, community.id, rules.capital_received(10), on=date(2026, 5, 5))
    close_through(db_session, community_id=community.id, on=date(2026, 5, 1))
    assert (
        db_session.scalars(
            select(Book.closed_through).where(Book.community_id == community.id)
        ).one()
        == DAY
    )


def test_a_correction_goes_to_the_open_day_with_the_value_of_the_closed_one(
    db_session: Session,
) -> None:
    community, member = a_community(db_session), a_member(db_session)
    entry_id = book(db_session, community.id, rules.savings_deposited(member.id, 700))
    close_through(db_session, community_id=community.id, on=DAY)
    with pytest.raises(DayClosed):
        reverse(db_session, entry_id=entry_id, on=DAY, now=NOW)
    tomorrow = DAY + timedelta(days=1)
    undone = db_session.get_one(
        JournalEntry, reverse(db_session, entry_id=entry_id, on=tomorrow, now=NOW)
    )
    assert (undone.business_on, undone.value_on) == (tomorrow, DAY)
    late = book(
        db_session,
        community.id,
        rules.savings_deposited(member.id, 70),
        on=tomorrow,
        value_on=DAY - timedelta(days=40),
    )
    db_session.commit()
    assert db_session.get_one(JournalEntry, late).value_on == date(2026, 3, 25)
    assert list(check_ledger(db_session)) == []


def test_a_value_date_is_not_later_than_its_business_day(db_session: Session) -> None:
    community = a_community(db_session)
    with pytest.raises(ValueDateLater) as refusal:
        book(
            db_session,
            community.id,
            rules.capital_received(10),
            value_on=DAY + timedelta(days=1),
        )
    assert refusal.value.members["field"] == "value_on"


def test_entries_posted_together_leave_the_books_that_they_leave_one_by_one(
    db_session: Session,
) -> None:
    places = [a_community(db_session, reference) for reference in ("v1", "v2", "v3", "v4")]
    member, other = a_member(db_session), a_member(db_session)
    for place in places[:2]:
        book(db_session, place.id, rules.savings_deposited(member.id, 50))
    legs = [
        rules.many_savings_deposited({member.id: 700, other.id: 90}),
        rules.stake_locked({member.id: 700, other.id: 90}),
        rules.stake_released(other.id, 90),
        rules.capital_received(1_000),
    ]
    together = [
        Draft(place.id, "CNY", "test.entry", its_legs, DAY, "test")
        for its_legs in legs
        for place in (places[0], places[2])
    ]
    ids = post_all(db_session, together, now=NOW)
    # The stake that the first entries give is there for the later ones, in each book.
    for its_legs in legs:
        book(db_session, places[1].id, its_legs)
    with pytest.raises(InsufficientFunds):
        book(db_session, places[3].id, legs[1])
    db_session.commit()
    entries = {
        entry.id: entry
        for entry in db_session.scalars(select(JournalEntry).where(JournalEntry.id.in_(ids)))
    }
    assert [entries[entry_id].seq for entry_id in ids] == [2, 1, 3, 2, 4, 3, 5, 4]
    for kind, owner in [
        (AccountKind.SAVINGS_CASH, None),
        (AccountKind.MEMBER_SAVINGS, member.id),
        (AccountKind.MEMBER_SAVINGS, other.id),
        (AccountKind.MEMBER_STAKE, member.id),
        (AccountKind.MEMBER_STAKE, other.id),
        (AccountKind.LENDING_CASH, None),
        (AccountKind.LENDER_FUNDS, None),
    ]:
        assert held(db_session, places[0], kind, owner) == held(db_session, places[1], kind, owner)
    assert held(db_session, places[0], AccountKind.MEMBER_STAKE, member.id) == 700
    assert list(check_ledger(db_session)) == []


def test_entries_posted_together_are_refused_together(db_session: Session) -> None:
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.savings_deposited(member.id, 100))
    close_through(db_session, community_id=community.id, on=date(2026, 5, 1))
    db_session.commit()

    def draft(legs: list[Leg], on: date = DAY) -> Draft:
        return Draft(community.id, "CNY", "test.entry", legs, on, "test")

    deposit = draft(rules.savings_deposited(member.id, 500))
    for bad, refusal in [
        # In the end there would be enough; when it is booked there is not.
        ([draft(rules.savings_withdrawn(member.id, 101)), deposit], InsufficientFunds),
        ([deposit, draft(rules.capital_received(5), date(2026, 5, 1))], DayClosed),
        ([deposit, draft([Leg(AccountKind.LENDING_CASH, 5)])], Unbalanced),
        ([deposit, draft([])], Unbalanced),
    ]:
        with pytest.raises(refusal):
            post_all(db_session, bad, now=NOW)
        db_session.rollback()
    assert held(db_session, community, AccountKind.MEMBER_SAVINGS, member.id) == 100
    assert db_session.scalars(select(func.count()).select_from(JournalEntry)).one() == 1
    assert list(check_ledger(db_session)) == []


@pytest.mark.parametrize(
    ("kind", "minor"),
    [(kind, -1 if kind in DEBIT_KINDS else 1) for kind in AccountKind] + [("purse", 0)],
)
def test_the_database_itself_keeps_every_account_on_its_side(
    db_session: Session, kind: str, minor: int
) -> None:
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.capital_received(1))
    insert = text(
        "INSERT INTO accounts (book_id, kind, member_id, currency, balance_minor, held_minor)"
        " SELECT id, :kind, :owner, 'KES', :minor, 0 FROM books WHERE community_id = :community"
    )
    values = {
        "kind": str(kind),
        "owner": member.id if kind in OWNED_KINDS else None,
        "community": community.id,
    }
    for wrong in ({"minor": minor}, {"minor": 0, "owner": None if values["owner"] else member.id}):
        with pytest.raises(IntegrityError), db_session.begin_nested():
            db_session.execute(insert, values | wrong)
    if minor:
        db_session.execute(insert, values | {"minor": -minor})


def test_reversing_restores_every_balance_and_can_be_done_once(db_session: Session) -> None:
    community, member = a_community(db_session), a_member(db_session)
    entry = book(db_session, community.id, rules.savings_deposited(member.id, 700))
    reversal = reverse(db_session, entry_id=entry, on=DAY, now=NOW)
    db_session.commit()
    assert held(db_session, community, AccountKind.MEMBER_SAVINGS, member.id) == 0
    assert db_session.get_one(JournalEntry, reversal).reverses_id == entry
    with pytest.raises(AlreadyReversed):
        reverse(db_session, entry_id=entry, on=DAY, now=NOW)
    db_session.rollback()
    assert list(check_ledger(db_session)) == []


def test_events_and_entries_share_one_chain(db_session: Session) -> None:
    community = a_community(db_session)
    for amount in (1, 2, 3):
        book(db_session, community.id, rules.capital_received(amount))
        record_event(
            db_session,
            community_id=community.id,
            kind="test.happened",
            subject="x",
            actor_id=None,
            now=NOW,
            facts={"amount": amount, "name": "李娜", "parts": [1, {"b": 2, "a": None}]},
        )
        db_session.commit()
    numbers = sorted(
        [*db_session.scalars(select(JournalEntry.seq)), *db_session.scalars(select(Event.seq))]
    )
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert list(check_ledger(db_session)) == []


def test_an_event_of_a_unit_that_fails_is_not_written(db_session: Session) -> None:
    community = a_community(db_session)
    db_session.commit()
    record_event(
        db_session,
        community_id=community.id,
        kind="test.never",
        subject="x",
        actor_id=None,
        now=NOW,
        facts={},
    )
    db_session.rollback()
    db_session.commit()
    assert db_session.scalars(select(func.count()).select_from(Event)).one() == 0


def test_many_writers_make_one_unbroken_chain(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions() as session:
        community = a_community(session)
        members = [a_member(session).id for _ in range(4)]
        session.commit()
        community_id = community.id
    failures: list[BaseException] = []

    def deposit(member_id: int) -> None:
        with sessions() as session:
            for amount in range(1, 11):
                run_unit(
                    session,
                    lambda s, amount=amount: book(
                        s, community_id, rules.savings_deposited(member_id, amount)
                    ),
                )

    _run([lambda m=m: deposit(m) for m in members], failures)
    assert failures == []
    with sessions() as session:
        found = session.get_one(Community, community_id)
        assert [held(session, found, AccountKind.MEMBER_SAVINGS, m) for m in members] == [55] * 4
        assert list(check_ledger(session)) == []
        assert session.scalars(select(func.count()).select_from(JournalEntry)).one() == 40


def test_two_writers_cannot_take_the_same_money(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions() as session:
        community = a_community(session)
        member_id, community_id = a_member(session).id, community.id
        book(session, community_id, rules.savings_deposited(member_id, 100))
        session.commit()
    refused: list[BaseException] = []

    def withdraw() -> None:
        with sessions() as session:
            run_unit(
                session,
                lambda s: book(s, community_id, rules.savings_withdrawn(member_id, 30)),
            )

    _run([withdraw] * 8, refused)
    assert len(refused) == 5
    assert all(isinstance(error, InsufficientFunds) for error in refused)
    with sessions() as session:
        found = session.get_one(Community, community_id)
        assert held(session, found, AccountKind.MEMBER_SAVINGS, member_id) == 10
        assert list(check_ledger(session)) == []


def _run(jobs: list[Callable[[], None]], failures: list[BaseException]) -> None:
    """Run jobs in threads that start together; collect what they raise."""
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[], None]) -> None:
        gate.wait()
        try:
            job()
        except Exception as error:  # noqa: BLE001  what is raised is what the test looks at
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
