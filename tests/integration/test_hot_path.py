"""What a repayment asks of the database: every statement is a round trip under somebody's lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from community.arithmetic import replay as replaying
from community.arithmetic.events import Event
from community.arithmetic.state import State
from community.arithmetic.terms import Contract
from community.communities import service as communities
from community.communities.models import CommunityKind
from community.engine import session_factory
from community.guarantees import service as guarantees
from community.ledger.books import book_ids, lock_books
from community.ledger.models import Book
from community.loans import history
from community.locks import LockOrderWarning, lock_where
from community.servicing import service as servicing
from community.trust.models import Standing
from tests.hamlet import CURRENCY, Hamlet, yuan

# Of the service alone: a request has the token, the key, the permission and the answer besides.
REPAYMENT_STATEMENTS_MAX = 34
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that reach the database while the block runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if not text.startswith("BEGIN"):  # SQLite's beginning is a statement, PostgreSQL's is not
            seen.append(text)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def a_book(session: Session, reference: str = "hill") -> int:
    community = communities.create_community(
        session,
        kind=CommunityKind.REGION,
        name=reference,
        reference=reference,
        currency=CURRENCY,
        now=NOW,
        actor_id=None,
    )
    session.commit()
    return book_ids(session, [community.id])[community.id]


def test_a_repayment_is_a_bounded_number_of_statements(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(
            session, terms={"rate_method": "declining_balance", "yearly_rate_ppm": 120_000}
        )
        hamlet.fund(100_000)
        hamlet.person("Wang", stake=60_000)
        hamlet.person("Li", stake=100_000)
        hamlet.vouch("Li", "Wang", 60_000)
        loan = hamlet.lend("Wang", 100_000, 6)
        hamlet.repay(loan, 1_000)
        with statements(engine) as seen:
            hamlet.repay(loan, 1_000)
        assert sum("cover_lines" in text for text in seen) >= 2  # cover was read and freed
        assert len(seen) <= REPAYMENT_STATEMENTS_MAX
        assert sum(text.startswith("UPDATE loan_positions") for text in seen) == 1
        hamlet.check()


def test_a_history_is_replayed_once_for_what_is_done_to_it(engine: Engine) -> None:
    with session_factory(engine)() as session, pytest.MonkeyPatch.context() as patch:
        replays: list[date] = []

        def replay(contract: Contract, events: Sequence[Event], on: date) -> State:
            replays.append(on)
            return replaying.replay(contract, events, on)

        patch.setattr(history, "replay", replay)
        hamlet = Hamlet(
            session,
            terms={
                "rate_method": "declining_balance",
                "yearly_rate_ppm": 120_000,
                "recalculation": "daily",
            },
        )
        hamlet.fund(100_000)
        hamlet.person("Wang", stake=100_000)
        loan = hamlet.lend("Wang", 100_000, 6)
        hamlet.day += timedelta(days=9)
        replays.clear()
        # What it would pay, what it pays, and what is owed after it.
        receipt = hamlet.repay(loan, 1_000)
        assert replays == [hamlet.day]
        hamlet.do(
            servicing.reverse_repayment,
            repayment_id=receipt.id,
            reason="it bounced",
            actor_id=None,
            **hamlet.when,
        )
        assert replays == [hamlet.day] * 2
        # The day grew nothing: it is the same history on the same day.
        hamlet.wait(0, loan)
        assert replays == [hamlet.day] * 2
        hamlet.wait(1, loan)
        assert replays[2:] == [hamlet.day]
        hamlet.check()


def test_a_unit_reads_its_book_once(engine: Engine) -> None:
    with session_factory(engine)() as session:
        book_id = a_book(session)
        session.commit()
        with statements(engine) as seen:
            first = lock_books(session, [book_id])
            assert lock_books(session, [book_id]) == first
        assert len(seen) == 1


def test_the_next_unit_sees_what_others_did_to_the_book(engine: Engine) -> None:
    with session_factory(engine)() as session, session_factory(engine)() as other:
        book_id = a_book(session)
        before = lock_books(session, [book_id])[book_id].closed_through
        session.commit()
        lock_books(other, [book_id])[book_id].closed_through = Hamlet.day
        other.commit()
        assert before is None
        assert lock_books(session, [book_id])[book_id].closed_through == Hamlet.day


def test_back_at_a_savepoint_the_book_is_locked_anew(engine: Engine) -> None:
    with session_factory(engine)() as session:
        book_id = a_book(session)
        point = session.begin_nested()
        lock_books(session, [book_id])
        point.rollback()  # on PostgreSQL the lock is gone with it
        with statements(engine) as seen:
            lock_books(session, [book_id])
        assert len(seen) == 1


def test_what_is_locked_by_a_condition_keeps_the_order(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.person("Wang", stake=10)
        lock_books(session, book_ids(session, [hamlet.community.id]).values())
        with pytest.warns(LockOrderWarning, match="standings") as told:
            locked = lock_where(session, Standing, Standing.stake_minor > 0)
        # Told once, and locked all the same: nothing is left unguarded.
        assert len(told) == 1
        assert [row.stake_minor for row in locked.values()] == [10]


def test_what_is_locked_by_a_condition_is_as_it_is_now(engine: Engine) -> None:
    with session_factory(engine)() as session, session_factory(engine)() as other:
        book_id = a_book(session)
        assert session.get_one(Book, book_id).closed_through is None
        session.commit()
        lock_books(other, [book_id])[book_id].closed_through = Hamlet.day
        other.commit()
        assert lock_where(session, Book, Book.closed_through.is_(None)).keys() == set()
        [row] = lock_where(session, Book, Book.closed_through == Hamlet.day).values()
        assert row.closed_through == Hamlet.day


def test_money_for_a_loan_without_a_position_opens_one(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.fund(1_000)
        hamlet.person("Wang", stake=1_000)
        loan = hamlet.lend("Wang", 1_000, 2)
        session.connection().exec_driver_sql("DELETE FROM loan_positions")
        session.commit()
        hamlet.do(guarantees.record_repayment, loan_id=loan.id, amount=yuan(100), **hamlet.when)
        hamlet.check()
