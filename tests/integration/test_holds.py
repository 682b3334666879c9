"""Holds: what is set aside cannot be spent, and is posted, voided or expires exactly once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.models import Community
from community.engine import session_factory
from community.errors import (
    AmountOutOfRange,
    CommunityError,
    CurrencyMismatch,
    InsufficientFunds,
    Invalid,
)
from community.ledger import holds, rules
from community.ledger.checks import check_ledger
from community.ledger.errors import HoldEnded, HoldExists, HoldNotFound
from community.ledger.models import Hold, HoldState, JournalEntry
from community.ledger.service import available, reverse
from community.members.models import Member
from community.money import Money
from community.savings import service as savings
from community.savings.models import SavingsMovement
from tests.books import DAY, NOW, a_community, a_member, book

LAST = DAY + timedelta(days=9)
WHEN: dict[str, Any] = {"on": DAY, "now": NOW, "actor_id": None}


def yuan(amount_minor: int) -> Money:
    return Money(amount_minor, "CNY")


@pytest.fixture
def saver(db_session: Session) -> tuple[Community, Member]:
    """Somebody with 900 in free savings."""
    community, member = a_community(db_session), a_member(db_session)
    book(db_session, community.id, rules.savings_deposited(member.id, 900))
    return community, member


def place(session: Session, community_id: int, member_id: int, amount: int, **changes: Any) -> Hold:
    facts: dict[str, Any] = {"reason": "seed", "expires_on": LAST, **WHEN, **changes}
    return holds.place_hold(
        session, community_id=community_id, member_id=member_id, amount=yuan(amount), **facts
    )


def free(session: Session, community: Community, member: Member) -> int:
    return available(session, community_id=community.id, currency="CNY", member_id=member.id)


def test_a_hold_posts_nothing_and_lessens_what_can_be_taken(
    db_session: Session, saver: tuple[Community, Member]
) -> None:
    community, member = saver
    whose = {"community_id": community.id, "member_id": member.id}
    place(db_session, community.id, member.id, 600)
    assert free(db_session, community, member) == 300
    [deposit] = db_session.scalars(select(JournalEntry.id)).all()
    for taking in (
        lambda: savings.withdraw(db_session, **whose, amount=yuan(301), **WHEN),
        lambda: place(db_session, community.id, member.id, 301),
        lambda: book(db_session, community.id, rules.stake_locked({member.id: 301})),
        lambda: reverse(db_session, entry_id=deposit, on=DAY, now=NOW),
    ):
        with pytest.raises(InsufficientFunds) as refusal:
            taking()
        assert refusal.value.members["available_minor"] == 300
    savings.withdraw(db_session, **whose, amount=yuan(300), **WHEN)
    db_session.commit()
    assert free(db_session, community, member) == 0
    assert list(check_ledger(db_session)) == []


@pytest.mark.parametrize(("amount", "left"), [(None, 300), (600, 300), (1, 899), (599, 301)])
def test_posting_pays_out_and_frees_the_rest(
    db_session: Session, saver: tuple[Community, Member], amount: int | None, left: int
) -> None:
    community, member = saver
    hold = place(db_session, community.id, member.id, 600)
    receipt = savings.pay_out_hold(
        db_session, hold_id=hold.id, amount=None if amount is None else yuan(amount), **WHEN
    )
    db_session.commit()
    assert receipt.amount_minor == hold.posted_minor == (amount or 600)
    assert receipt.entry_id == hold.entry_id
    assert (hold.state, hold.ended_on) == (HoldState.POSTED, DAY)
    assert free(db_session, community, member) == left
    assert list(check_ledger(db_session)) == []
    for again in (
        lambda: savings.pay_out_hold(db_session, hold_id=hold.id, amount=None, **WHEN),
        lambda: holds.void_hold(db_session, hold_id=hold.id, reason="x", **WHEN),
    ):
        with pytest.raises(HoldEnded):
            again()
    assert free(db_session, community, member) == left


def test_voiding_frees_all_of_it(db_session: Session, saver: tuple[Community, Member]) -> None:
    community, member = saver
    hold = place(db_session, community.id, member.id, 900)
    holds.void_hold(db_session, hold_id=hold.id, reason="not needed", **WHEN)
    db_session.commit()
    assert (hold.state, hold.end_reason, hold.posted_minor) == (HoldState.VOIDED, "not needed", 0)
    assert free(db_session, community, member) == 900
    with pytest.raises(HoldEnded):
        savings.pay_out_hold(db_session, hold_id=hold.id, amount=None, **WHEN)
    assert list(check_ledger(db_session)) == []


def test_a_hold_counts_on_its_last_day_and_not_behind_it(
    db_session: Session, saver: tuple[Community, Member]
) -> None:
    community, member = saver
    late: dict[str, Any] = {"community_id": community.id, "now": NOW}
    first = place(db_session, community.id, member.id, 600)
    place(db_session, community.id, member.id, 100, expires_on=LAST + timedelta(days=5))
    assert holds.expire_holds(db_session, on=LAST, **late) == 0
    behind = LAST + timedelta(days=1)
    with pytest.raises(HoldEnded):
        savings.pay_out_hold(
            db_session, hold_id=first.id, amount=None, on=behind, now=NOW, actor_id=None
        )
    assert holds.expire_holds(db_session, on=behind, **late) == 1
    assert holds.expire_holds(db_session, on=behind, **late) == 0
    db_session.commit()
    assert (first.state, first.end_reason, first.ended_on) == (HoldState.VOIDED, "expired", behind)
    assert free(db_session, community, member) == 800
    assert list(check_ledger(db_session)) == []


def test_what_has_expired_holds_no_withdrawal_back(
    db_session: Session, saver: tuple[Community, Member]
) -> None:
    """Also before the day close has come to it."""
    community, member = saver
    place(db_session, community.id, member.id, 900)
    behind = LAST + timedelta(days=1)
    savings.withdraw(
        db_session,
        community_id=community.id,
        member_id=member.id,
        amount=yuan(900),
        on=behind,
        now=NOW,
        actor_id=None,
    )
    db_session.commit()
    assert free(db_session, community, member) == 0
    assert list(check_ledger(db_session)) == []


def test_what_is_no_hold_is_refused(db_session: Session, saver: tuple[Community, Member]) -> None:
    community, member = saver
    refusals: list[tuple[type[CommunityError], Callable[[], object]]] = [
        (AmountOutOfRange, lambda: place(db_session, community.id, member.id, 0)),
        (
            Invalid,
            lambda: place(
                db_session, community.id, member.id, 1, expires_on=DAY - timedelta(days=1)
            ),
        ),
        (InsufficientFunds, lambda: place(db_session, community.id, member.id, 901)),
        (InsufficientFunds, lambda: place(db_session, community.id, a_member(db_session).id, 1)),
        (HoldNotFound, lambda: holds.void_hold(db_session, hold_id=99, reason="x", **WHEN)),
        (HoldNotFound, lambda: holds.get_hold(db_session, "hld_0000000000000000")),
    ]
    for refusal, work in refusals:
        with pytest.raises(refusal):
            work()
    hold = place(db_session, community.id, member.id, 10, reference="paper 7")
    with pytest.raises(HoldExists):
        place(db_session, community.id, member.id, 10, reference="paper 7")
    for amount in (yuan(0), yuan(11)):
        with pytest.raises(AmountOutOfRange):
            savings.pay_out_hold(db_session, hold_id=hold.id, amount=amount, **WHEN)
    with pytest.raises(CurrencyMismatch):
        savings.pay_out_hold(db_session, hold_id=hold.id, amount=Money(1, "USD"), **WHEN)
    with pytest.raises(Invalid):  # legs that take something else than the hold
        holds.post_hold(
            db_session,
            hold_id=hold.id,
            amount_minor=10,
            kind="test.entry",
            legs=rules.savings_withdrawn(member.id, 9),
            reference="x",
            **WHEN,
        )


def test_holds_are_listed_by_whom_and_state(
    db_session: Session, saver: tuple[Community, Member]
) -> None:
    community, member = saver
    one, two = (place(db_session, community.id, member.id, amount) for amount in (1, 2))
    holds.void_hold(db_session, hold_id=one.id, reason="x", **WHEN)

    def listed(**filters: Any) -> list[int]:
        query = holds.list_holds(community_id=community.id, **filters).order_by(Hold.id)
        return [hold.id for hold in db_session.scalars(query)]

    assert listed() == [one.id, two.id]
    assert listed(state=HoldState.PENDING) == [two.id]
    assert listed(member_id=member.id, state=HoldState.VOIDED) == [one.id]
    assert listed(member_id=member.id + 1) == []


def test_at_the_same_time_no_more_is_held_or_taken_than_is_there(engine: Engine) -> None:
    """100 are there: of five holds and five withdrawals of 30 three get through, whichever."""
    community_id, member_id = _committed_saver(engine, 100)

    def hold(session: Session) -> None:
        place(session, community_id, member_id, 30)

    def withdraw(session: Session) -> None:
        savings.withdraw(
            session, community_id=community_id, member_id=member_id, amount=yuan(30), **WHEN
        )

    refused = _at_once(engine, [hold, withdraw] * 5)
    assert len(refused) == 7
    assert all(isinstance(error, InsufficientFunds) for error in refused)
    with session_factory(engine)() as session:
        left = available(session, community_id=community_id, currency="CNY", member_id=member_id)
        assert left == 10
        assert list(check_ledger(session)) == []


def test_a_hold_that_is_posted_and_voided_at_the_same_time_ends_once(engine: Engine) -> None:
    community_id, member_id = _committed_saver(engine, 100)
    with session_factory(engine)() as session:
        hold_id = place(session, community_id, member_id, 100).id
        session.commit()

    def post(session: Session) -> None:
        savings.pay_out_hold(session, hold_id=hold_id, amount=yuan(40), **WHEN)

    def void(session: Session) -> None:
        holds.void_hold(session, hold_id=hold_id, reason="x", **WHEN)

    def expire(session: Session) -> None:
        behind = LAST + timedelta(days=1)
        if not holds.expire_holds(session, community_id=community_id, on=behind, now=NOW):
            raise HoldEnded()

    refused = _at_once(engine, [post, void, expire, post, void, expire])
    assert len(refused) == 5
    assert all(isinstance(error, HoldEnded) for error in refused)
    with session_factory(engine)() as session:
        receipts = session.scalars(select(SavingsMovement.amount_minor)).all()
        left = available(session, community_id=community_id, currency="CNY", member_id=member_id)
        assert left == 100 - sum(receipts)
        assert list(check_ledger(session)) == []


def _committed_saver(engine: Engine, amount: int) -> tuple[int, int]:
    with session_factory(engine)() as session:
        community, member = a_community(session), a_member(session)
        book(session, community.id, rules.savings_deposited(member.id, amount))
        session.commit()
        return community.id, member.id


def _at_once(engine: Engine, jobs: list[Callable[[Session], None]]) -> list[BaseException]:
    """Units of work in threads that start together; returns what they raised."""
    sessions, failures = session_factory(engine), []
    gate = threading.Barrier(len(jobs))

    def run(job: Callable[[Session], None]) -> None:
        gate.wait()
        try:
            with sessions() as session:
                run_unit(session, job)
        except Exception as error:  # noqa: BLE001  what is raised is what the test looks at
            failures.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
