"""Laws 1 and 8 on real databases: entries balance, the past stays, every change is found."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community, CommunityKind
from community.engine import session_factory
from community.errors import InsufficientFunds
from community.ledger import rules
from community.ledger.checks import check_ledger
from community.ledger.errors import AlreadyReversed, DayClosed, Unbalanced
from community.ledger.events import record_event
from community.ledger.models import (
    DEBIT_KINDS,
    OWNED_KINDS,
    Account,
    AccountKind,
    Book,
    Event,
    JournalEntry,
    Posting,
)
from community.ledger.rules import Leg
from community.ledger.service import Draft, balance, close_through, post, post_all, reverse
from community.members.models import Member, MemberKind

NOW = datetime(2026, 5, 4, 8, 30, tzinfo=UTC)
DAY = date(2026, 5, 4)


def a_community(session: Session, reference: str = "v1") -> Community:
    community = Community(
        kind=CommunityKind.REGION,
        name="Willow Bend",
        reference=reference,
        currency="CNY",
        path="/",
        created_at=NOW,
    )
    session.add(community)
    session.flush()
    community.path = f"/{community.id}/"
    return community


def a_member(session: Session) -> Member:
    member = Member(kind=MemberKind.PERSON, name="Li Na", created_at=NOW)
    session.add(member)
    session.flush()
    return member


def book(session: Session, community_id: int, legs: list[Leg], on: date = DAY) -> int:
    return post(
        session,
        community_id=community_id,
        currency="CNY",
        kind="test.entry",
        legs=legs,
        on=on,
        now=NOW,
        reference="test",
    )


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
    with pytest.raises(DayClosed):
        book(db_session, community.id, rules.capital_received(10))
    book(db_session, community.id, rules.capital_received(10), on=date(2026, 5, 5))
    close_through(db_session, community_id=community.id, on=date(2026, 5, 1))
    assert (
        db_session.scalars(
            select(Book.closed_through).where(Book.community_id == community.id)
        ).one()
        == DAY
    )


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
        "INSERT INTO accounts (book_id, kind, member_id, currency, balance_minor)"
        " SELECT id, :kind, :owner, 'KES', :minor FROM books WHERE community_id = :community"
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


@pytest.mark.parametrize("table", ["journal_entries", "postings", "events"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_the_database_refuses_to_change_the_past(engine: Engine, table: str, verb: str) -> None:
    with session_factory(engine)() as session:
        a_book_with_records(session)
        with pytest.raises(DBAPIError, match="the past is not changed"):
            session.execute(text(verb.format(table)))


def test_postgresql_refuses_to_commit_an_unbalanced_entry(engine: Engine) -> None:
    """SQLite cannot look at an entry at the commit; there the verifier finds it (see below)."""
    with session_factory(engine)() as session:
        community = a_book_with_records(session)
        lopsided(session, community.id)
        if engine.dialect.name == "postgresql":
            with pytest.raises(DBAPIError, match="does not balance"):
                session.commit()
        else:
            session.commit()
            assert any(b.law == 1 for b in check_ledger(session))


def lopsided(session: Session, community_id: int) -> None:
    book_row = session.scalars(select(Book).where(Book.community_id == community_id)).one()
    account = session.scalars(select(Account.id).where(Account.book_id == book_row.id)).first()
    entry = JournalEntry(
        book_id=book_row.id,
        seq=book_row.records + 1,
        kind="forged",
        currency="CNY",
        business_on=DAY,
        value_on=DAY,
        recorded_at=NOW,
        reference="forged",
        prev_hash=book_row.head_hash,
        hash="f" * 64,
    )
    session.add(entry)
    session.flush()
    session.add(Posting(entry_id=entry.id, account_id=account, amount_minor=5))


def a_book_with_records(session: Session) -> Community:
    community, member = a_community(session), a_member(session)
    book(session, community.id, rules.savings_deposited(member.id, 900))
    book(session, community.id, rules.stake_locked({member.id: 400}))
    record_event(
        session,
        community_id=community.id,
        kind="test.happened",
        subject="x",
        actor_id=member.id,
        now=NOW,
        facts={"why": "because"},
    )
    session.commit()
    return community


FORGERIES: dict[str, tuple[int, str, str]] = {
    "an amount": (1, "postings", "UPDATE postings SET amount_minor = 901 WHERE id = 1"),
    "both amounts of an entry": (
        8,
        "journal_entries",
        "UPDATE postings SET amount_minor = amount_minor * 2 WHERE entry_id = 1",
    ),
    "a balance": (
        1,
        "accounts",
        "UPDATE accounts SET balance_minor = balance_minor - 1 WHERE id = 2",
    ),
    "a date": (
        8,
        "journal_entries",
        "UPDATE journal_entries SET value_on = '2020-01-01' WHERE id = 1",
    ),
    "an actor": (8, "events", "UPDATE events SET actor_id = NULL WHERE id = 1"),
    "a fact": (8, "events", 'UPDATE events SET facts = \'{"why": "other"}\' WHERE id = 1'),
    "a missing event": (8, "books", "DELETE FROM events"),
    "the head": (8, "books", "UPDATE books SET head_hash = prev.h FROM (SELECT 'a' AS h) AS prev"),
}


@pytest.mark.parametrize("what", sorted(FORGERIES))
def test_verification_names_the_row_that_was_changed(engine: Engine, what: str) -> None:
    law, table, statement = FORGERIES[what]
    with session_factory(engine)() as session:
        a_book_with_records(session)
        assert list(check_ledger(session)) == []
        _without_guards(session)
        session.execute(text(statement))
        session.flush()
        session.expire_all()
        found = list(check_ledger(session))
    assert found, "the forgery went unseen"
    assert law in {breach.law for breach in found}
    if what not in ("an amount",):
        assert table in {breach.table for breach in found}


def _without_guards(session: Session) -> None:
    """What somebody with the run of the database would do before forging."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET session_replication_role = replica"))
        return
    for (name,) in session.execute(
        text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    ).all():
        session.execute(text(f"DROP TRIGGER {name}"))


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


def test_an_account_changed_past_the_service_is_refused_by_the_database(engine: Engine) -> None:
    with session_factory(engine)() as session:
        a_book_with_records(session)
        with pytest.raises(DBAPIError):
            session.execute(update(Account).values(balance_minor=-Account.balance_minor))
