"""Money that goes straight to payees: parts, who may get them, when it has to, what is kept."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.charter import Purpose, RiskRule
from community.communities.queries import charter_on
from community.engine import session_factory
from community.errors import CurrencyMismatch
from community.ledger.models import Account, AccountKind, JournalEntry, Posting
from community.loans import service as loans
from community.loans.checks import check_loans
from community.loans.errors import PayeeRefused, PayeesRequired
from community.loans.models import Disbursement, Loan, LoanUse, PayeePayment
from community.loans.payees import Part
from community.money import Money
from community.monitoring import proceeds
from community.monitoring.errors import UseRefused
from community.monitoring.models import EvidenceKind
from community.monitoring.proceeds import VerifiedUse
from community.monitoring.signals import Looking, find_signals
from community.servicing import service as servicing
from tests.hamlet import Hamlet, yuan
from tests.integration.test_lines import ask, hamlet_of, open_line, used
from tests.integration.test_servicing import SEEDED, farmer
from tests.monitoring_life import Watched, watched

RULES = {
    "risk_high_rules": ["circular_money"],
    "risk_low_rules": [],
    "risk_medium_rules": [],
    "risk_critical_rules": [],
    "proceeds_return_days": 30,
    "call_day": 300,
    "write_off_day": 400,
}


def state(
    hamlet: Hamlet,
    loan: Loan,
    amount: int,
    payee: str | None = None,
    purpose: Purpose = Purpose.STOCK,
) -> LoanUse:
    return hamlet.do(
        proceeds.state_use,
        loan_id=loan.id,
        purpose=purpose,
        payee_name=payee or "the mill",
        payee_id=hamlet.people[payee].id if payee else None,
        amount=yuan(amount),
        actor_id=loan.borrower_id,
        **hamlet.when,
    )


def disburse(hamlet: Hamlet, loan: Loan, *parts: tuple[LoanUse, int]) -> Loan:
    return hamlet.do(
        loans.disburse,
        loan_id=loan.id,
        payees=[Part(use.id, yuan(amount)) for use, amount in parts],
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def payments(session: Session) -> list[tuple[int, str, int | None, int]]:
    rows = session.scalars(select(PayeePayment).order_by(PayeePayment.id))
    return [(row.number, row.payee_name, row.payee_id, row.amount_minor) for row in rows]


def entries_out(session: Session) -> list[tuple[str, list[int]]]:
    """Kind of each entry that paid out, and what left the pool by it, leg by leg."""
    rows = session.execute(
        select(JournalEntry.id, JournalEntry.kind, Posting.amount_minor)
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(Account, Account.id == Posting.account_id)
        .where(
            JournalEntry.kind.in_(["loan.disbursed", "loan.paid_to_payees"]),
            Account.kind == AccountKind.LENDING_CASH,
        )
        .order_by(JournalEntry.id, Posting.id)
    ).all()
    found: dict[int, tuple[str, list[int]]] = {}
    for entry_id, kind, amount in rows:
        found.setdefault(entry_id, (kind, []))[1].append(amount)
    return list(found.values())


@pytest.fixture
def hamlet(sqlite_session: Session) -> Iterator[Watched]:
    place = watched(sqlite_session, RULES)
    yield place
    place.check()


def test_parts_go_to_payees_the_rest_to_the_borrower_who_owes_all(hamlet: Watched) -> None:
    plain = hamlet.lend("cai", 90_00, 3)
    loan = hamlet.approve(hamlet.apply("ada", 90_00, 3))
    mill, ben = state(hamlet, loan, 50_00), state(hamlet, loan, 30_00, "ben")
    disburse(hamlet, loan, (mill, 50_00), (ben, 10_00))
    session = hamlet.session
    assert payments(session) == [
        (1, "the mill", None, 50_00),
        (2, "ben", hamlet.people["ben"].id, 10_00),
    ]
    assert entries_out(session) == [
        ("loan.disbursed", [-90_00]),
        ("loan.paid_to_payees", [-50_00, -10_00, -30_00]),
    ]
    # Debt, interest and cover are those of a loan that went to its borrower.
    on = hamlet.day + timedelta(days=20)
    mine, other = (loans.owed(session, loan=each, on=on) for each in (loan, plain))
    assert mine == other
    assert (loan.disbursed_minor, loan.outstanding_minor) == (90_00, 90_00)
    tranche = session.scalars(select(Disbursement).where(Disbursement.loan_id == loan.id)).one()
    assert {row.entry_id for row in session.scalars(select(PayeePayment))} == {tranche.entry_id}


def test_all_of_it_leaves_nothing_for_the_borrower(hamlet: Watched) -> None:
    loan = hamlet.approve(hamlet.apply("ada", 90_00))
    disburse(hamlet, loan, (state(hamlet, loan, 90_00), 90_00))
    assert entries_out(hamlet.session) == [("loan.paid_to_payees", [-90_00])]


def test_a_payee_is_one_of_the_loan_and_gets_what_is_stated_at_most(hamlet: Watched) -> None:
    loan = hamlet.approve(hamlet.apply("ada", 90_00))
    other = hamlet.lend("ben", 10_00)
    mill, own = state(hamlet, loan, 50_00), state(hamlet, loan, 40_00, "ada")
    of_other = state(hamlet, other, 10_00)
    for parts in (
        [(of_other, 1)],
        [(own, 1)],
        [(mill, 50_01)],
        [(mill, 30_00), (mill, 20_01)],
    ):
        with pytest.raises(PayeeRefused):
            disburse(hamlet, loan, *parts)
    with pytest.raises(CurrencyMismatch):
        hamlet.do(
            loans.disburse,
            loan_id=loan.id,
            payees=[Part(mill.id, Money(1, "USD"))],
            actor_id=None,
            **hamlet.when,
        )
    with pytest.raises(PayeeRefused):  # a share of a group loan, of none of whose uses it is
        loans.parts_by_loan(hamlet.session, [Part(of_other.id, yuan(1))], loan_ids=[loan.id])
    assert payments(hamlet.session) == []
    assert loan.disbursed_minor == 0


def test_what_went_straight_is_shown_by_that(hamlet: Watched) -> None:
    """50.00 of 60.00 straight, evidence for what is left of them, none for what the payee has."""
    loan = hamlet.approve(hamlet.apply("ada", 100_00))
    mill = state(hamlet, loan, 60_00)
    shop = state(hamlet, loan, 20_00, "ben")
    show: dict[str, Any] = {
        "kind": EvidenceKind.INVOICE,
        "reference": "no. 7",
        "visit": None,
        "actor_id": hamlet.people["cai"].id,
        **hamlet.when,
    }
    # Shown by an invoice before the payee was paid: counted once.
    hamlet.do(proceeds.verify_use, use_id=shop.id, amount=yuan(15_00), **show)
    disburse(hamlet, loan, (mill, 50_00), (shop, 20_00))
    seen = proceeds.verified_use(hamlet.session, community=hamlet.community)
    assert seen == VerifiedUse(1, 100_00, 80_00, 70_00)
    assert seen.verified_bps == 7_000
    with pytest.raises(UseRefused) as refused:
        hamlet.do(proceeds.verify_use, use_id=mill.id, amount=yuan(10_01), **show)
    assert refused.value.members["left_minor"] == 10_00
    hamlet.do(proceeds.verify_use, use_id=mill.id, amount=yuan(10_00), **show)
    seen = proceeds.verified_use(hamlet.session, community=hamlet.community)
    assert seen.verified_minor == 80_00


def test_a_charter_sends_loans_above_an_amount_straight(sqlite_session: Session) -> None:
    hamlet = watched(sqlite_session, RULES | {"payee_direct_above_minor": 90_00})
    hamlet.lend("ben", 90_00)  # not more than that
    loan = hamlet.approve(hamlet.apply("ada", 90_01))
    mill = state(hamlet, loan, 90_01)
    for parts in ([], [(mill, 90_00)]):
        with pytest.raises(PayeesRequired) as refused:
            disburse(hamlet, loan, *parts)
        assert refused.value.members["rule"] == "payee_direct_above_minor"
        assert refused.value.members["source"] == "test"
        assert refused.value.members["short_minor"] == (1 if parts else 90_01)
    disburse(hamlet, loan, (mill, 90_01))
    hamlet.check()


def test_a_charter_sends_money_for_purposes_straight(sqlite_session: Session) -> None:
    """Of 100.00, 60.00 are for stock: what is not stated for something else may not go home."""
    hamlet = watched(sqlite_session, RULES | {"payee_direct_purposes": ["stock", "equipment"]})
    loan = hamlet.approve(hamlet.apply("ada", 100_00))
    mill = state(hamlet, loan, 60_00)
    with pytest.raises(PayeesRequired) as refused:
        disburse(hamlet, loan, (mill, 60_00))  # 40.00 without a use
    assert refused.value.members["short_minor"] == 40_00
    roof = state(hamlet, loan, 40_00, "ben", Purpose.HOUSING)
    with pytest.raises(PayeesRequired) as refused:
        disburse(hamlet, loan, (mill, 59_99))
    assert refused.value.members["rule"] == "payee_direct_purposes"
    assert refused.value.members["short_minor"] == 1
    # Paid to the roofer, the money for the roof is not there to stand in for the stock's.
    with pytest.raises(PayeesRequired) as refused:
        disburse(hamlet, loan, (mill, 30_00), (roof, 40_00))
    assert refused.value.members["short_minor"] == 30_00
    disburse(hamlet, loan, (mill, 60_00))
    hamlet.check()


def approved(hamlet: Hamlet, season: Any) -> Loan:
    """1,000.00 for rice, in tranches of 600.00 and 400.00."""
    loan = hamlet.do(
        loans.apply,
        community_id=hamlet.community.id,
        borrower_id=hamlet.people["ben"].id,
        product_id=hamlet.product_id,
        principal=yuan(100_000),
        purpose="seed",
        season_id=season.id,
        actor_id=None,
        **hamlet.when,
    )
    return hamlet.approve(loan)


def pay_tranche(hamlet: Hamlet, loan: Loan, *parts: tuple[LoanUse, int]) -> None:
    hamlet.do(
        servicing.pay_tranche,
        loan_id=loan.id,
        payees=[Part(use.id, yuan(amount)) for use, amount in parts],
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def test_each_tranche_of_a_season_has_payees_of_its_own(sqlite_session: Session) -> None:
    hamlet, season = farmer(sqlite_session)
    loan = approved(hamlet, season)
    seed = state(hamlet, loan, 80_000)
    with pytest.raises(PayeeRefused) as refused:
        disburse(hamlet, loan, (seed, 60_001))  # 600.00 go out first
    assert refused.value.members["disbursed_minor"] == 60_000
    disburse(hamlet, loan, (seed, 60_000))
    hamlet.day = SEEDED
    with pytest.raises(PayeeRefused):  # 200.00 of the use are left
        pay_tranche(hamlet, loan, (seed, 20_001))
    pay_tranche(hamlet, loan, (seed, 20_000))
    assert entries_out(hamlet.session) == [
        ("loan.paid_to_payees", [-60_000]),
        ("loan.paid_to_payees", [-20_000, -20_000]),
    ]
    assert loan.disbursed_minor == 100_000
    hamlet.check()


def test_a_draw_on_a_shared_line_goes_straight(sqlite_session: Session) -> None:
    hamlet = hamlet_of(sqlite_session)
    line = open_line(hamlet)
    loan = hamlet.approve(ask(hamlet, line, "ana", 500))
    disburse(hamlet, loan, (state(hamlet, loan, 400, "ben"), 400))
    assert used(hamlet, line) == {"line": 500, "ana": 500}
    assert entries_out(hamlet.session) == [("loan.paid_to_payees", [-400, -100])]
    hamlet.repay(loan, 500)
    hamlet.check()


def test_a_payee_who_pays_it_back_is_a_circle_counted_from_the_tranche(
    sqlite_session: Session,
) -> None:
    """Of the template's 90 days from the first tranche none are left, from the second most."""
    hamlet, season = farmer(sqlite_session)
    hamlet.person("cai")
    loan = approved(hamlet, season)
    use = state(hamlet, loan, 80_000, "cai")
    disburse(hamlet, loan, (use, 60_000))
    first = hamlet.day
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 1_000, by="cai")
    assert len(circles(hamlet)) == 1
    hamlet.day = SEEDED
    pay_tranche(hamlet, loan, (use, 20_000))
    hamlet.day = first + timedelta(days=90)
    assert circles(hamlet) == []  # what came before the tranche is of the first one's days
    again = hamlet.repay(loan, 1_000, by="cai")
    assert circles(hamlet) == [f"{use.public_id}/{again.public_id}"]
    hamlet.day = SEEDED + timedelta(days=90)
    assert circles(hamlet) == []


def circles(hamlet: Hamlet) -> list[str]:
    rules = charter_on(hamlet.session, hamlet.community.id, hamlet.day).rules
    looking = Looking(hamlet.session, hamlet.community, rules, hamlet.day, today=True)
    return [one.finding for one in find_signals(looking, [RiskRule.CIRCULAR_MONEY])]


def test_the_verifier_finds_a_payee_whom_the_loan_does_not_name(hamlet: Watched) -> None:
    loan = hamlet.approve(hamlet.apply("ada", 90_00))
    use = state(hamlet, loan, 60_00, "ben")
    disburse(hamlet, loan, (use, 60_00))
    session = hamlet.session
    point = session.begin_nested()
    session.execute(update(LoanUse).values(payee_name="somebody", amount_minor=50_00))
    session.execute(update(Disbursement).values(amount_minor=55_00))
    told = [breach.what for breach in check_loans(session)]
    assert "paid somebody whom its use does not" in told
    assert "is of 5000, its payee got 6000" in told
    assert "paid out 5500 as tranche 1, its payees got 6000" in told
    assert "went to payees whom no row names" in told
    point.rollback()
    session.expire_all()


def test_rows_of_payees_are_kept_and_held_to_the_disbursement(db_session: Session) -> None:
    hamlet = watched(db_session, RULES)
    loan = hamlet.approve(hamlet.apply("ada", 90_00))
    other = hamlet.lend("ben", 50_00)
    mill, shop = state(hamlet, loan, 40_00), state(hamlet, loan, 50_00)
    of_other = state(hamlet, other, 50_00)
    disburse(hamlet, loan, (mill, 40_00), (shop, 10_00))
    row = db_session.scalars(select(PayeePayment).order_by(PayeePayment.id)).first()
    assert row is not None
    values = {column.name: getattr(row, column.name) for column in PayeePayment.__table__.columns}
    fresh = values | {"id": 999, "public_id": "pyp_x", "number": 3}
    assert_refused(db_session, update(PayeePayment).values(amount_minor=1))
    assert_refused(db_session, delete(PayeePayment))
    for wrong in (
        {"use_id": shop.id, "amount_minor": 40_01},  # of the disbursement 40.00 are left
        {"amount_minor": 1},  # of the use nothing
        {"use_id": shop.id, "amount_minor": 0},
        {"use_id": of_other.id, "amount_minor": 1},  # a use of another loan
        {"use_id": shop.id, "amount_minor": 1, "number": 1},
    ):
        assert_refused(db_session, insert(PayeePayment).values(fresh | wrong))
    right = {"use_id": shop.id, "payee_name": "the mill", "amount_minor": 40_00}
    db_session.execute(insert(PayeePayment).values(fresh | right))


def assert_refused(session: Session, statement: Any) -> None:
    point = session.begin_nested()
    with pytest.raises(DBAPIError):
        session.execute(statement)
    point.rollback()


def test_two_who_pay_out_at_once_pay_once(engine: Engine) -> None:
    sessions = session_factory(engine)
    with sessions() as session:
        place = watched(session, RULES)
        loan = place.approve(place.apply("ada", 90_00))
        use = state(place, loan, 60_00, "ben")
        given: dict[str, Any] = {
            "loan_id": loan.id,
            "payees": [Part(use.id, yuan(60_00))],
            "actor_id": place.officer.id,
            **place.when,
        }
        session.commit()
    barrier, told = threading.Barrier(2), []

    def pay() -> None:
        with sessions() as own:
            barrier.wait()
            try:
                run_unit(own, lambda s: loans.disburse(s, **given).id)
                told.append("paid")
            except Exception as refusal:  # noqa: BLE001  told below
                told.append(type(refusal).__name__)

    threads = [threading.Thread(target=pay) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["StepNotAllowed", "paid"]
    with sessions() as session:
        assert [amount for *_, amount in payments(session)] == [60_00]
