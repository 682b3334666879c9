"""Bank statements: taken in once, matched or in suspense, settled once by hand."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, String, func, select, text, type_coerce, update
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.models import CommunityKind
from community.engine import session_factory
from community.errors import CurrencyMismatch, WrongState
from community.idempotency import StoredAnswer, claim_key, store_answer
from community.importing.errors import ImportRefused
from community.importing.statements import StatementReport, import_statement, read_statement
from community.ledger.errors import DayClosed
from community.ledger.models import AccountKind, Event, JournalEntry
from community.ledger.service import balance, close_through
from community.loans.models import Loan, LoanStatus, Repayment, RepaymentSource
from community.members.checks import check_members
from community.models import metadata
from community.personal.rekeying import key_uses, rotate_portion
from community.receiving import bank
from community.receiving.checks import check_receiving
from community.receiving.errors import BankLineSettled
from community.receiving.matching import Line
from community.receiving.models import BankLine, BankLineStatus, PayerAccount
from community.receiving.queries import suspense_by_day
from community.savings.models import SavingsMovement
from community.sealing import Keyring, give_keys, keys_of
from community.verification import verify
from tests.integration.test_collections import circle_on
from tests.integration.test_loans_at_once import together
from tests.keys import DATA_KEYS, INDEX_KEY
from tests.receiving import Circle, bank_line, make_circle

MOVED = {"table": "bank_lines", "column": "payer_account", "row": "bkl_elsewhere"}
HEAD = "reference,booked_on,amount,currency,payer_name,payer_account,text\n"


@pytest.fixture
def circle(db_session: Session) -> Circle:
    return make_circle(db_session)


def take(circle: Circle, *lines: Line) -> dict[str, BankLine]:
    """Take lines in; returns their rows by reference."""
    hamlet = circle.hamlet
    taken = hamlet.do(
        bank.take_in,
        community_id=hamlet.community.id,
        lines=lines,
        statement_hash="0" * 64,
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    return {row.reference: row for row in [*taken.applied, *taken.suspense]}


def settle(circle: Circle, work: Callable[..., BankLine], row: BankLine, **how: Any) -> BankLine:
    act = {"line_id": row.id, "actor_id": circle.hamlet.officer.id, **circle.hamlet.when}
    return circle.hamlet.do(work, **act, **how)


def suspense(circle: Circle, currency: str = "CNY") -> int:
    return balance(
        circle.hamlet.session,
        community_id=circle.hamlet.community.id,
        kind=AccountKind.SUSPENSE,
        currency=currency,
    )


def test_matched_lines_become_receipts_and_the_rest_waits(circle: Circle) -> None:
    hamlet = circle.hamlet
    hamlet.people["cai"].reference = "hill-3"
    rows = take(
        circle,
        bank_line("b1", 100_00, f"for {circle.loans['ann'].public_id}"),
        bank_line("b2", 40_00, "hill-3", payer_name="Uncle Wu"),
        bank_line("b3", 30_00, "no idea"),
        bank_line("b4", 5_00, f"{circle.loans['ann'].public_id}", currency="USD"),
    )
    assert {name: row.status.value for name, row in rows.items()} == {
        "b1": "applied",
        "b2": "applied",
        "b3": "suspense",
        "b4": "suspense",
    }
    assert rows["b1"].match["rule"] == "loan_named"
    assert rows["b1"].match["certainty"] == "certain"
    assert rows["b3"].match["reason"] == "nothing_named"
    assert rows["b4"].match["reason"] == "other_currency"
    session = hamlet.session
    sources = {
        row.loan_id: row.source for row in session.scalars(select(Repayment).order_by(Repayment.id))
    }
    assert sources == {
        circle.loans["ann"].id: RepaymentSource.BORROWER,
        # Neither name nor account is the borrower's.
        circle.loans["cai"].id: RepaymentSource.THIRD_PARTY,
    }
    assert (suspense(circle), suspense(circle, "USD")) == (30_00, 5_00)
    hamlet.check()


def test_what_exceeds_the_debt_is_overpaid_and_what_comes_after_it_waits(circle: Circle) -> None:
    name = circle.loans["bo"].public_id
    later = bank_line("b2", 10_00, name, booked_on=circle.hamlet.day)
    early = bank_line("b1", 310_00, name, booked_on=circle.hamlet.day - timedelta(days=1))
    # By day, whatever the order in the file.
    rows = take(circle, later, early)
    paid = circle.hamlet.session.scalars(select(Repayment)).one()
    assert (paid.id, paid.overpaid_minor) == (rows["b1"].repayment_id, 10_00)
    assert circle.loans["bo"].status is LoanStatus.CLOSED
    assert rows["b2"].match["reason"] == "loan_not_live"
    assert suspense(circle) == 10_00
    circle.hamlet.check()


def test_the_order_of_lines_does_not_matter(circle: Circle) -> None:
    session, name = circle.hamlet.session, circle.loans["bo"].public_id
    lines = [bank_line("b1", 200_00, name), bank_line("b2", 150_00, name), bank_line("b3", 1, "?")]
    found = set()
    for order in permutations(lines):
        with session.begin_nested() as point:
            taken = bank.take_in(
                session,
                community_id=circle.hamlet.community.id,
                lines=order,
                statement_hash="0" * 64,
                actor_id=None,
                **circle.hamlet.when,
            )
            found.add(
                (
                    tuple(row.reference for row in taken.applied),
                    tuple(row.reference for row in taken.suspense),
                    session.scalars(
                        select(Repayment.overpaid_minor).order_by(Repayment.id.desc())
                    ).first(),
                )
            )
            point.rollback()
        session.expire_all()
    assert found == {(("b1", "b2"), ("b3",), 50_00)}


def test_suspense_is_applied_saved_or_sent_back_each_once(circle: Circle) -> None:
    hamlet, session = circle.hamlet, circle.hamlet.session
    hamlet.person("dan")
    rows = take(
        circle, *(bank_line(f"b{n}", n * 10_00, "?", payer_account="77") for n in (1, 2, 3))
    )
    assert suspense(circle) == 60_00
    loan = circle.loans["ann"]
    settle(circle, bank.apply_line, rows["b1"], loan_id=loan.id, payer_id=circle.id("dan"))
    settle(circle, bank.save_line, rows["b2"], member_id=circle.id("dan"), remember=True)
    settle(circle, bank.return_line, rows["b3"], reason="not ours")
    assert suspense(circle) == 0
    paid = session.scalars(select(Repayment)).one()
    assert (paid.amount_minor, paid.source, paid.payer_id) == (
        10_00,
        RepaymentSource.THIRD_PARTY,
        circle.id("dan"),
    )
    saved = session.get_one(SavingsMovement, rows["b2"].movement_id)
    assert (saved.amount_minor, saved.member_id) == (20_00, circle.id("dan"))
    assert [rows[name].status.value for name in ("b1", "b2", "b3")] == [
        "applied",
        "saved",
        "returned",
    ]
    assert rows["b1"].match["rule"] == "by_hand"
    kinds = session.scalars(
        select(JournalEntry.kind).where(JournalEntry.reference == rows["b3"].public_id)
    ).all()
    assert sorted(kinds) == ["suspense.received", "suspense.returned"]
    for row in rows.values():
        for work, how in (
            (bank.apply_line, {"loan_id": loan.id}),
            (bank.save_line, {"member_id": circle.id("dan")}),
            (bank.return_line, {"reason": "again"}),
        ):
            with pytest.raises(BankLineSettled):
                settle(circle, work, row, **how)
    hamlet.check()
    events = session.scalars(select(Event.kind).where(Event.kind.like("bank_line.%"))).all()
    assert sorted(events) == ["bank_line.applied", "bank_line.returned", "bank_line.saved"]


def test_an_account_that_an_officer_knows_is_known_from_then_on(circle: Circle) -> None:
    rows = take(circle, bank_line("b1", 1_00, "?", payer_account="6217"))
    facts = {"loan_id": circle.loans["bo"].id, "remember": True}
    settle(circle, bank.apply_line, rows["b1"], **facts)
    known = take(circle, bank_line("b2", 1_00, "?", payer_account="6217"))["b2"]
    assert known.match["rule"] == "account_known"
    paid = circle.hamlet.session.get_one(Repayment, known.repayment_id)
    assert (paid.loan_id, paid.source) == (circle.loans["bo"].id, RepaymentSource.BORROWER)
    # Its money for another's loan is a third party's.
    name = circle.loans["ann"].public_id
    helped = take(circle, bank_line("b3", 1_00, name, payer_account="6217"))["b3"]
    paid = circle.hamlet.session.get_one(Repayment, helped.repayment_id)
    assert (paid.payer_id, paid.source) == (circle.id("bo"), RepaymentSource.THIRD_PARTY)
    # Another officer knows better: the last word counts.
    rows = take(circle, bank_line("b4", 1_00, f"lon_{'0' * 16}", payer_account="6217"))
    settle(circle, bank.save_line, rows["b4"], member_id=circle.id("cai"), remember=True)
    moved = take(circle, bank_line("b5", 1_00, "?", payer_account="6217"))["b5"]
    assert circle.hamlet.session.get_one(Repayment, moved.repayment_id).loan_id == (
        circle.loans["cai"].id
    )
    circle.hamlet.check()


def test_no_row_holds_an_account_that_can_be_read(circle: Circle) -> None:
    """Lines, known accounts, why a line was matched, stored answers: scanned as they lie there."""
    number, session = "6217009876543210", circle.hamlet.session
    rows = take(circle, bank_line("b1", 1_00, "?", payer_account=number))
    facts = {"loan_id": circle.loans["bo"].id, "remember": True}
    settle(circle, bank.apply_line, rows["b1"], **facts)
    # The last word changes whose account it is, not which; found again by its blind index.
    rows = take(circle, bank_line("b2", 1_00, f"lon_{'0' * 16}", payer_account=number))
    settle(circle, bank.save_line, rows["b2"], member_id=circle.id("bo"), remember=True)
    known = take(circle, bank_line("b3", 1_00, "?", payer_account=number))["b3"]
    assert ("account", "…3210") in [tuple(fact) for fact in known.match["facts"]]
    key: dict[str, Any] = {"member_id": circle.id("bo"), "key": "statement-1"}
    told = json.dumps({"payer_account": number})
    once = {**key, "route": "POST /x", "body_hash": "x", "now": circle.hamlet.now}
    assert claim_key(session, **once) is None
    store_answer(session, **key, status=201, body=told)
    session.flush()
    assert claim_key(session, **once) == StoredAnswer(201, told)

    def plain() -> list[str]:
        return [
            table.name
            for table in metadata.sorted_tables
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
            if number in repr(tuple(row))
        ]

    assert plain() == []
    dialect = session.get_bind().dialect
    before = keys_of(dialect)
    try:
        give_keys(dialect, Keyring((("next", bytes(range(64, 96))), *DATA_KEYS), INDEX_KEY))
        while rotate_portion(session, limit=100):
            pass
        used = {(use.table, use.column): set(use.by) for use in key_uses(session)}
        for place in (
            ("bank_lines", "payer_account"),
            ("payer_accounts", "account"),
            ("idempotency_keys", "body"),
        ):
            assert used[place] == {"next"}
        session.expire_all()
        assert {row.payer_account for row in session.scalars(select(BankLine))} == {number}
        assert session.scalars(select(PayerAccount.account)).all() == [number]
        assert claim_key(session, **once) == StoredAnswer(201, told)
        assert plain() == []
        circle.hamlet.check()
        # Moved by hand into another row it is worth nothing, and the verifier says so.
        session.execute(
            update(BankLine)
            .where(BankLine.id == known.id)
            .values(payer_account=type_coerce(keys_of(dialect).seal(number, **MOVED), String))
        )
        assert [breach.what for breach in check_members(session)] == ["cannot be opened"]
    finally:
        give_keys(dialect, before)


def test_refusals_by_hand_leave_the_line_in_suspense(circle: Circle) -> None:
    hamlet = circle.hamlet
    rows = take(circle, bank_line("b1", 1_00, "?"), bank_line("b2", 1_00, "?", currency="USD"))
    far = hamlet.do(
        communities.create_community,
        kind=CommunityKind.REGION,
        name="Far",
        reference="far",
        currency="CNY",
        now=hamlet.now,
        actor_id=None,
    )
    far_id = far.id
    with pytest.raises(CurrencyMismatch):
        settle(circle, bank.apply_line, rows["b2"], loan_id=circle.loans["bo"].id)
    hamlet.session.execute(
        update(Loan).where(Loan.id == circle.loans["cai"].id).values(community_id=far_id)
    )
    hamlet.session.flush()
    with pytest.raises(WrongState, match="another community"):
        settle(circle, bank.apply_line, rows["b1"], loan_id=circle.loans["cai"].id)
    hamlet.session.execute(
        update(Loan)
        .where(Loan.id == circle.loans["cai"].id)
        .values(community_id=hamlet.community.id)
    )
    hamlet.session.commit()
    assert {row.status for row in rows.values()} == {BankLineStatus.SUSPENSE}
    assert (suspense(circle), suspense(circle, "USD")) == (1_00, 1_00)
    hamlet.check()


def test_suspense_is_listed_by_how_long_it_waits(circle: Circle) -> None:
    day = circle.hamlet.day
    take(
        circle,
        bank_line("b1", 1_00, "?", booked_on=day - timedelta(days=40)),
        bank_line("b2", 2_00, "?", booked_on=day),
        bank_line("b3", 3_00, "?", booked_on=day - timedelta(days=40)),
    )
    community_id = circle.hamlet.community.id
    listed = suspense_by_day(circle.hamlet.session, community_id=community_id, on=day)
    assert [(row.days, row.lines, row.amount_minor) for row in listed] == [
        (40, 2, 4_00),
        (0, 1, 2_00),
    ]


def test_the_verifier_names_suspense_that_the_books_do_not_hold(circle: Circle) -> None:
    session = circle.hamlet.session
    rows = take(circle, bank_line("b1", 1_00, "?"), bank_line("b2", 2_00, "?"))
    place = f"suspense of community {circle.hamlet.community.id}"
    rows["b1"].amount_minor = 1_01
    session.flush()
    assert [(breach.law, breach.row, breach.what) for breach in check_receiving(session)] == [
        (1, place, "hold 300 CNY in suspense, the lines that wait sum to 301")
    ]
    rows["b1"].amount_minor = 1_00
    rows["b1"].suspense_entry_id = rows["b2"].suspense_entry_id
    session.flush()
    [breach] = check_receiving(session)
    assert (breach.table, breach.row) == ("bank_lines", str(rows["b1"].id))
    session.rollback()


# The file.


def imported(circle: Circle, text: str, **more: Any) -> StatementReport:
    hamlet = circle.hamlet
    report = StatementReport("statement")
    rows = read_statement(io.BytesIO(text.encode()), report, on=hamlet.day, **more)
    hamlet.do(
        import_statement,
        rows=rows,
        report=report,
        community_id=hamlet.community.id,
        actor_id=None,
        **hamlet.when,
    )
    return report


def test_a_statement_is_taken_in_once(circle: Circle) -> None:
    loan = circle.loans["ann"].public_id
    text = (
        HEAD
        + f"b1,2026-03-01,100.00,CNY,ann,62 17 00,repay {loan}\n"
        + "b2,2026-03-01,12.00,,,,\n"
        + "b3,2026-03-02,-3.00,CNY,,,bank fee\n"
        + "b2,2026-03-01,12.00,,,,\n"
    )
    first = imported(circle, text)
    assert (first.rows, first.new, first.unchanged) == (4, 2, 1)
    assert first.outcome == {"applied": 1, "in suspense": 1, "debits left alone": 1}
    assert first.taken is not None
    assert first.taken.applied[0].payer_account == "621700"
    again = imported(circle, text)
    assert (again.new, again.unchanged) == (0, 3)
    assert again.outcome == {"applied": 0, "in suspense": 0, "debits left alone": 1}
    session = circle.hamlet.session
    assert session.scalar(select(func.count()).select_from(BankLine)) == 2
    imports = select(func.count()).select_from(Event).where(Event.kind == "import.statement")
    assert session.scalar(imports) == 1
    circle.hamlet.check()


FAULTS = [
    ("b 1,2026-03-01,1.00,CNY,,,\n", 2, "reference"),
    ("b1,2026-3-1,1.00,CNY,,,\n", 2, "booked_on"),
    ("b1,2026-03-03,1.00,CNY,,,\n", 2, "booked_on"),
    ("b1,2026-03-01,1.001,CNY,,,\n", 2, "amount"),
    ("b1,2026-03-01,1e3,CNY,,,\n", 2, "amount"),
    ("b1,2026-03-01,-0.00,CNY,,,\n", 2, "amount"),
    ("b1,2026-03-01,1.00,XXX,,,\n", 2, "currency"),
    (f"b1,2026-03-01,1.00,CNY,{'x' * 121},,\n", 2, "payer_name"),
    (f"b1,2026-03-01,1.00,CNY,,{'9' * 65},\n", 2, "payer_account"),
    (f"b1,2026-03-01,1.00,CNY,,,{'x' * 501}\n", 2, "text"),
    ("b1,2026-03-01,1.00,CNY,,\n", 2, ""),
    ("b1,2026-03-01,1.00,CNY,,,\nb1,2026-03-01,2.00,CNY,,,\n", 3, "reference"),
    ("ok,2026-03-01,1.00,CNY,,,\nold,2026-03-01,8.00,CNY,,,\n", 3, "amount"),
    ("old,2026-03-01,7.00,CNY,,,other words\n", 2, "text"),
]


@pytest.mark.parametrize(("rows", "line", "column"), FAULTS)
def test_one_bad_row_stops_the_whole_statement(
    circle: Circle, rows: str, line: int, column: str
) -> None:
    imported(circle, HEAD + "old,2026-03-01,7.00,CNY,,,\n")
    with pytest.raises(ImportRefused) as caught:
        imported(circle, HEAD + rows)
    faults = caught.value.report.faults
    assert [(fault.line, fault.column) for fault in faults] == [(line, column)]
    assert caught.value.members["faults"][0]["line"] == line
    assert suspense(circle) == 7_00
    circle.hamlet.check()


def test_a_file_that_is_too_long_is_told_to_be_split(circle: Circle) -> None:
    text = HEAD + "".join(f"b{n},2026-03-01,1.00,CNY,,,\n" for n in range(5))
    with pytest.raises(ImportRefused):
        imported(circle, text, rows_max=4)
    assert imported(circle, text, rows_max=5).new == 5


def test_a_closed_day_takes_no_statement(circle: Circle) -> None:
    hamlet = circle.hamlet
    hamlet.do(close_through, community_id=hamlet.community.id, on=hamlet.day)
    with pytest.raises(DayClosed):
        imported(circle, HEAD + "b1,2026-03-01,1.00,CNY,,,\n")
    assert hamlet.session.scalar(select(func.count()).select_from(BankLine)) == 0


# Two at once, with real commits.


@pytest.fixture
def waiting(engine: Engine) -> Iterator[tuple[Circle, int]]:
    """A line of 40.00 in suspense."""
    circle = circle_on(engine)
    with session_factory(engine)() as session:
        taken = bank.take_in(
            session,
            community_id=circle.hamlet.community.id,
            lines=[bank_line("b1", 40_00, "?")],
            statement_hash="0" * 64,
            actor_id=None,
            **circle.hamlet.when,
        )
        line_id = taken.suspense[0].id
        session.commit()
    yield circle, line_id
    with session_factory(engine)() as session:
        assert verify(session).breaches == ()


def test_two_officers_apply_one_line_at_once_and_it_is_applied_once(
    engine: Engine, waiting: tuple[Circle, int]
) -> None:
    circle, line_id = waiting
    act: dict[str, Any] = {"line_id": line_id, "actor_id": circle.id("ann"), **circle.hamlet.when}

    def apply_to(name: str) -> Callable[[Session], str]:
        def work(session: Session) -> str:
            bank.apply_line(session, loan_id=circle.loans[name].id, **act)
            return "done"

        return work

    def save(session: Session) -> str:
        bank.save_line(session, member_id=circle.id("cai"), **act)
        return "done"

    def give_back(session: Session) -> str:
        bank.return_line(session, reason="not ours", **act)
        return "done"

    found = together(engine, apply_to("ann"), apply_to("bo"), save, give_back)
    assert sorted(found) == ["bank-line-settled"] * 3 + ["done"]
    with session_factory(engine)() as session:
        receipts = session.scalar(select(func.count()).select_from(Repayment)) or 0
        saved = select(func.count()).select_from(SavingsMovement)
        deposits = session.scalar(saved.where(SavingsMovement.amount_minor == 40_00)) or 0
        row = session.get_one(BankLine, line_id)
        went = {"applied": (1, 0), "saved": (0, 1), "returned": (0, 0)}
        assert (receipts, deposits) == went[row.status.value]


def test_one_statement_taken_in_twice_at_once_is_booked_once(
    engine: Engine, waiting: tuple[Circle, int]
) -> None:
    circle, _ = waiting
    loan = circle.loans["ann"].public_id
    text = HEAD + f"s1,2026-03-01,100.00,CNY,,,{loan}\ns2,2026-03-01,5.00,CNY,,,\n"

    def act(session: Session) -> int:
        report = StatementReport("statement")
        rows = read_statement(io.BytesIO(text.encode()), report, on=circle.hamlet.day)
        place: dict[str, Any] = {"community_id": circle.hamlet.community.id, **circle.hamlet.when}
        return import_statement(session, rows, report, **place).new

    assert sorted(together(engine, act, act, act)) == [0, 0, 2]
    with session_factory(engine)() as session:
        assert session.scalar(select(func.count()).select_from(Repayment)) == 1
        assert session.scalar(select(func.count()).select_from(BankLine)) == 3
