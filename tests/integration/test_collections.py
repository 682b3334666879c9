"""Collection sheets: what they show, that they are booked whole or not at all, and once."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from community.engine import session_factory
from community.errors import CommunityError, CurrencyMismatch, Invalid
from community.guarantees import service as guarantees
from community.ledger.errors import DayClosed
from community.ledger.service import close_through
from community.loans.models import Loan, LoanStatus, Repayment, RepaymentSource
from community.locks import lock_one
from community.money import Money
from community.receiving import collecting
from community.receiving.checks import check_receiving
from community.receiving.collecting import Entry
from community.receiving.errors import (
    CollectionExists,
    CollectionPosted,
    LineNotCollectable,
    LineRefused,
    NothingCollected,
    SheetDoesNotAddUp,
)
from community.receiving.models import Collection, CollectionLine, CollectionStatus
from community.receiving.sheet import sheet_of
from community.savings.models import SavingsMovement
from community.savings.queries import balances
from community.verification import verify
from tests.hamlet import yuan
from tests.integration.test_loans_at_once import together
from tests.receiving import Circle, make_circle


@pytest.fixture
def circle(db_session: Session) -> Circle:
    return make_circle(db_session)


def receipts(session: Session) -> list[tuple[int, int, RepaymentSource]]:
    rows = session.scalars(select(Repayment).order_by(Repayment.id))
    return [(row.loan_id, row.amount_minor, row.source) for row in rows]


def test_the_sheet_shows_what_is_due_seen_from_the_day(circle: Circle) -> None:
    hamlet = circle.hamlet
    hamlet.save("bo", 12_00)
    hamlet.repay(circle.loans["cai"], 100_00)
    # Lent on 2 March in three parts of 100.00: 2 April, 2 May, 2 June.
    hamlet.day += timedelta(days=31 + 30)
    shown = sheet_of(hamlet.session, group=circle.group, on=hamlet.day)
    ann, bo, cai = shown.members
    figures = [
        (
            item.dues.past_due_minor,
            item.dues.due_today_minor,
            item.dues.next_due_minor,
            item.dues.owed_minor,
            item.suggested_minor,
        )
        for member in (ann, bo, cai)
        for item in member.loans
    ]
    assert figures[0] == (100_00, 100_00, 100_00, 300_00, 200_00)
    assert figures[2] == (0, 100_00, 100_00, 200_00, 100_00)
    assert (bo.savings.free_minor, bo.savings.stake_minor) == (12_00, 300_00)
    assert [m.who.name for m in shown.members] == ["ann", "bo", "cai"]
    hamlet.day -= timedelta(days=10)
    early = sheet_of(hamlet.session, group=circle.group, on=hamlet.day).members[2].loans[0]
    # Nothing due yet: the next due is suggested.
    assert (early.dues.due_minor, early.suggested_minor) == (0, 100_00)
    assert str(early.dues.next_due_on) == "2026-05-02"


def test_the_sheet_takes_fewer_statements_than_it_has_members(db_session: Session) -> None:
    people = [f"p{number}" for number in range(12)]
    circle = make_circle(db_session, *people, principal=30_00)
    db_session.expire_all()
    db_session.refresh(circle.group)
    seen: list[str] = []

    def count(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    bind = db_session.connection()
    event.listen(bind, "before_cursor_execute", count)
    shown = sheet_of(db_session, group=circle.group, on=circle.hamlet.day)
    event.remove(bind, "before_cursor_execute", count)
    assert len(shown.members) == 12
    assert 0 < len(seen) <= 8, seen


def test_a_sheet_becomes_ordinary_receipts(circle: Circle) -> None:
    hamlet = circle.hamlet
    sheet = hamlet.do(
        collecting.collect,
        entries=[
            circle.entry("ann", 100_00),
            circle.entry("bo", 50_00, payer_id=circle.id("ann"), note="brought by ann"),
            circle.entry("cai", 0, absent=True),
            circle.deposit("cai", 7_00),
        ],
        total=yuan(157_00),
        **circle.meeting,
    )
    assert (sheet.status, sheet.repaid_minor, sheet.deposited_minor, sheet.total_minor) == (
        CollectionStatus.POSTED,
        150_00,
        7_00,
        157_00,
    )
    assert receipts(hamlet.session) == [
        (circle.loans["ann"].id, 100_00, RepaymentSource.BORROWER),
        (circle.loans["bo"].id, 50_00, RepaymentSource.THIRD_PARTY),
    ]
    lines = collecting.lines_of(hamlet.session, sheet.id)
    assert [bool(line.repayment_id) for line in lines] == [True, True, False, False]
    assert lines[3].movement_id is not None
    saved = balances(hamlet.session, community_id=hamlet.community.id, member_id=circle.id("cai"))
    assert saved.free_minor == 7_00
    # Cover goes with the debt, as at the counter.
    assert hamlet.standing("ann").reserved_minor == 200_00
    hamlet.check()


def refused(circle: Circle, *entries: Entry, **more: Any) -> CommunityError:
    """A sheet that is refused; nothing of it is there afterwards."""
    with pytest.raises(CommunityError) as caught:
        circle.hamlet.do(collecting.collect, entries=list(entries), **circle.meeting | more)
    session = circle.hamlet.session
    assert receipts(session) == []
    assert session.scalar(select(func.count()).select_from(Collection)) == 0
    circle.hamlet.check()
    return caught.value


def test_one_bad_line_stops_the_whole_sheet(circle: Circle) -> None:
    hamlet = circle.hamlet
    good = circle.entry("ann", 100_00)
    hamlet.person("dan")
    dan = Entry(circle.id("dan"), yuan(1_00))
    for bad in (
        dan,
        Entry(circle.id("bo"), yuan(1_00), loan_id=circle.loans["cai"].id),
        circle.entry("bo", 0),
        circle.entry("bo", 1_00, payer_id=circle.id("bo")),
        Entry(circle.id("bo"), yuan(-1_00), loan_id=circle.loans["bo"].id),
        circle.deposit("bo", 0),
        Entry(circle.id("bo"), yuan(1_00), payer_id=circle.id("ann")),
        good,
    ):
        refusal = refused(circle, good, bad)
        assert isinstance(refusal, LineRefused)
        assert refusal.members["line"] == 2
    foreign = Entry(circle.id("bo"), Money(1, "USD"), loan_id=circle.loans["bo"].id)
    assert isinstance(refused(circle, good, foreign), CurrencyMismatch)
    assert isinstance(refused(circle, good, total=yuan(99_99)), SheetDoesNotAddUp)
    assert isinstance(refused(circle, good, total=Money(100_00, "USD")), CurrencyMismatch)
    assert isinstance(refused(circle), Invalid)
    tomorrow = hamlet.day + timedelta(days=1)
    assert isinstance(refused(circle, good, collected_on=tomorrow), Invalid)
    assert isinstance(refused(circle, circle.entry("bo", 0, absent=True)), NothingCollected)
    # Found only when the second line is booked: the first one is not there either.
    hamlet.do(close_through, community_id=hamlet.community.id, on=hamlet.day)
    assert isinstance(refused(circle, good, circle.deposit("bo", 1)), DayClosed)


def test_a_loan_that_ended_meanwhile_stops_the_sheet_and_is_named(circle: Circle) -> None:
    hamlet = circle.hamlet
    draft = hamlet.do(
        collecting.enter,
        entries=[circle.entry("ann", 100_00), circle.entry("bo", 10_00)],
        **circle.meeting,
    )
    hamlet.repay(circle.loans["bo"], 300_00)
    with pytest.raises(LineNotCollectable) as caught:
        hamlet.do(
            collecting.post,
            collection_id=draft.id,
            actor_id=circle.id("ann"),
            **hamlet.when,
        )
    assert caught.value.members["line"] == 2
    assert circle.loans["ann"].outstanding_minor == 300_00
    hamlet.check()


def test_a_draft_changes_until_it_is_posted_and_never_after(circle: Circle) -> None:
    hamlet, session = circle.hamlet, circle.hamlet.session
    draft = hamlet.do(collecting.enter, entries=[circle.entry("ann", 1_00)], **circle.meeting)
    assert receipts(session) == []
    locked = lock_one(session, Collection, draft.id)
    fresh = [circle.entry("ann", 2_00), circle.deposit("bo", 3_00)]
    days = {"collected_on": hamlet.day, "on": hamlet.day}
    step = {"collection_id": draft.id, "actor_id": circle.id("ann"), **hamlet.when}
    # Emptied, it stays a draft, and is nothing to post.
    hamlet.do(collecting.change, collection=locked, entries=[], **days)
    assert (draft.total_minor, collecting.lines_of(session, draft.id)) == (0, [])
    with pytest.raises(NothingCollected):
        hamlet.do(collecting.post, **step)
    locked = lock_one(session, Collection, draft.id)
    hamlet.do(collecting.change, collection=locked, entries=fresh, **days)
    assert (draft.total_minor, draft.version) == (5_00, 3)
    hamlet.do(collecting.post, **step)
    # Posting again answers what is posted.
    again = hamlet.do(collecting.post, **step)
    assert (again.id, again.version) == (draft.id, 4)
    assert receipts(session) == [(circle.loans["ann"].id, 2_00, RepaymentSource.BORROWER)]
    with pytest.raises(CollectionPosted):
        hamlet.do(collecting.change, collection=draft, entries=fresh, **days)
    hamlet.check()


def test_the_same_sheet_again_is_the_same_sheet(circle: Circle) -> None:
    hamlet, session = circle.hamlet, circle.hamlet.session
    sheet = {"client_id": "phone-7.1", **circle.meeting}
    whole = [circle.entry("ann", 300_00)]
    first = hamlet.do(collecting.collect, entries=whole, **sheet)
    # The loan is closed by it: the sheet is found all the same.
    assert circle.loans["ann"].status is LoanStatus.CLOSED
    assert hamlet.do(collecting.collect, entries=whole, **sheet).id == first.id
    assert len(receipts(session)) == 1
    with pytest.raises(CollectionExists):
        hamlet.do(collecting.collect, entries=[circle.entry("ann", 299_00)], **sheet)
    hamlet.check()


def test_the_database_refuses_to_change_a_posted_sheet(circle: Circle) -> None:
    hamlet, session = circle.hamlet, circle.hamlet.session
    sheet = hamlet.do(collecting.collect, entries=[circle.entry("ann", 9_00)], **circle.meeting)
    draft = hamlet.do(collecting.enter, entries=[circle.entry("bo", 9_00)], **circle.meeting)
    for statement in (
        f"UPDATE collections SET total_minor = 8, repaid_minor = 8 WHERE id = {sheet.id}",
        f"UPDATE collections SET status = 'draft', posted_at = NULL WHERE id = {sheet.id}",
        f"DELETE FROM collections WHERE id = {sheet.id}",
        f"UPDATE collection_lines SET amount_minor = 8 WHERE collection_id = {sheet.id}",
        f"DELETE FROM collection_lines WHERE collection_id = {sheet.id}",
        f"UPDATE collection_lines SET collection_id = {sheet.id}, number = 2 "
        f"WHERE collection_id = {draft.id}",
        # A draft is not posted with a total that its lines do not have.
        f"UPDATE collections SET status = 'posted', posted_at = created_at, total_minor = 800, "
        f"repaid_minor = 800 WHERE id = {draft.id}",
        f"INSERT INTO collections SELECT {draft.id + 1}, 'col_x', community_id, group_id, 'x', "
        "'posted', collected_on, currency, repaid_minor, deposited_minor, total_minor, "
        f"entered_by_id, created_at, posted_by_id, created_at, 1 FROM collections "
        f"WHERE id = {draft.id}",
    ):
        with pytest.raises(DBAPIError, match="posted sheet"), session.begin_nested():
            session.execute(text(statement))
    hamlet.check()


def test_the_verifier_names_a_sheet_that_does_not_add_up(circle: Circle) -> None:
    hamlet, session = circle.hamlet, circle.hamlet.session
    hamlet.do(collecting.collect, entries=[circle.entry("ann", 9_00)], **circle.meeting)
    draft = hamlet.do(collecting.enter, entries=[circle.entry("bo", 9_00)], **circle.meeting)
    # Only a draft can be tampered with; the receipt of a posted line is another table's row.
    session.execute(
        update(CollectionLine)
        .where(CollectionLine.collection_id == draft.id)
        .values(amount_minor=8)
    )
    paid = session.scalars(select(Repayment)).one()
    paid.amount_minor, paid.principal_minor, paid.offered_minor = 8_00, 8_00, 8_00
    session.flush()
    found = [(breach.table, breach.what) for breach in check_receiving(session)]
    assert found == [
        ("collections", "is of 900, its lines sum to 8"),
        ("collection_lines", "says 900, its receipt says 800 or names another"),
    ]
    session.rollback()


# Two at once, with real commits.


def circle_on(engine: Engine) -> Circle:
    with session_factory(engine)() as session:
        circle = make_circle(session)
        session.commit()
        for loan in circle.loans.values():
            session.refresh(loan)
        session.expunge_all()
        return circle


def lawful(engine: Engine) -> bool:
    with session_factory(engine)() as session:
        return verify(session).breaches == ()


def test_the_same_sheet_posted_twice_at_once_is_booked_once(engine: Engine) -> None:
    circle = circle_on(engine)
    entries = [circle.entry("ann", 100_00), circle.entry("bo", 100_00), circle.deposit("cai", 5)]

    def act(session: Session) -> int:
        sheet = {**circle.meeting, "client_id": "phone-7.1"}
        return collecting.collect(session, entries=entries, **sheet).id

    found = together(engine, act, act, act)
    assert len(set(found)) == 1
    with session_factory(engine)() as session:
        assert session.scalar(select(func.count()).select_from(Repayment)) == 2
        deposits = select(SavingsMovement).where(SavingsMovement.amount_minor == 5)
        assert len(session.scalars(deposits).all()) == 1
    assert lawful(engine)


def test_a_draft_posted_twice_at_once_is_booked_once(engine: Engine) -> None:
    circle = circle_on(engine)
    with session_factory(engine)() as session:
        entries = [circle.entry("ann", 100_00), circle.entry("cai", 30_00)]
        draft_id = collecting.enter(session, entries=entries, **circle.meeting).id
        session.commit()

    def act(session: Session) -> str:
        step = {"actor_id": circle.id("ann"), **circle.hamlet.when}
        return collecting.post(session, collection_id=draft_id, **step).status.value

    assert together(engine, act, act, act) == ["posted"] * 3
    with session_factory(engine)() as session:
        assert session.scalar(select(func.sum(Repayment.amount_minor))) == 130_00
    assert lawful(engine)


def test_a_sheet_and_a_repayment_of_the_same_loan_at_once_both_count_once(engine: Engine) -> None:
    circle = circle_on(engine)
    loan_id = circle.loans["bo"].id

    def sheet(session: Session) -> str:
        # Named against the order of ids: locks are taken in order all the same.
        entries = [circle.entry(name, 200_00) for name in ("cai", "bo", "ann")]
        collecting.collect(session, entries=entries, **circle.meeting)
        return "sheet"

    def counter(session: Session) -> str:
        guarantees.record_repayment(
            session, loan_id=loan_id, amount=yuan(200_00), actor_id=None, **circle.hamlet.when
        )
        return "counter"

    assert sorted(together(engine, sheet, counter)) == ["counter", "sheet"]
    with session_factory(engine)() as session:
        loan = session.get_one(Loan, loan_id)
        assert (loan.status, loan.outstanding_minor) == (LoanStatus.CLOSED, 0)
        rows = session.scalars(select(Repayment).where(Repayment.loan_id == loan_id)).all()
        # 400.00 for 300.00: whoever came second left 100.00 for themself.
        assert sum(row.overpaid_minor for row in rows) == 100_00
    assert lawful(engine)


def test_a_sheet_finds_a_loan_that_the_counter_has_just_closed(engine: Engine) -> None:
    circle = circle_on(engine)
    loan_id = circle.loans["bo"].id

    def sheet(session: Session) -> str:
        entries = [circle.entry("ann", 100_00), circle.entry("bo", 100_00)]
        collecting.collect(session, entries=entries, **circle.meeting)
        return "sheet"

    def counter(session: Session) -> str:
        guarantees.record_repayment(
            session, loan_id=loan_id, amount=yuan(300_00), actor_id=None, **circle.hamlet.when
        )
        return "counter"

    answers = sorted(together(engine, sheet, counter))
    # Either the sheet was first, and the rest was overpaid, or it was refused as a whole.
    assert answers in (
        ["counter", "sheet"],
        ["collection-line-not-live", "counter"],
        ["collection-line-refused", "counter"],
    )
    with session_factory(engine)() as session:
        paid = session.scalar(select(func.count()).select_from(Repayment))
        assert paid == (3 if answers[1] == "sheet" else 1)
    assert lawful(engine)
