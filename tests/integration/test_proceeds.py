"""Use of proceeds and its evidence, money that comes back in a circle, promises to pay."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.communities.charter import Purpose
from community.engine import session_factory
from community.errors import CurrencyMismatch, Invalid
from community.loans.models import Loan, LoanUse
from community.members import service as members
from community.money import Money
from community.monitoring import proceeds
from community.monitoring.errors import NotAWitness, UseRefused
from community.monitoring.models import EvidenceKind
from community.monitoring.proceeds import PromiseState, VerifiedUse
from community.servicing.service import reverse_repayment
from tests.hamlet import yuan
from tests.monitoring_life import Watched, watched

RULES = {
    "risk_low_rules": [],
    "risk_medium_rules": ["broken_promise"],
    "risk_high_rules": ["circular_money"],
    "risk_critical_rules": [],
    "risk_promise_grace_days": 1,
    "proceeds_return_days": 30,
    "call_day": 300,
    "write_off_day": 400,
}


@pytest.fixture
def hamlet(db_session: Session) -> Iterator[Watched]:
    place = watched(db_session, RULES)
    yield place
    place.check_own()


def _use(hamlet: Watched, loan: Loan, amount: int, payee: str | None = None) -> LoanUse:
    return hamlet.do(
        proceeds.state_use,
        loan_id=loan.id,
        purpose=Purpose.STOCK,
        payee_name=payee or "the mill",
        payee_id=hamlet.people[payee].id if payee else None,
        amount=yuan(amount),
        actor_id=loan.borrower_id,
        **hamlet.when,
    )


def _verify(hamlet: Watched, use: LoanUse, amount: Any, by: str = "cai", **facts: Any) -> None:
    given = {"kind": EvidenceKind.INVOICE, "reference": "no. 7", "visit": None, **facts}
    hamlet.do(
        proceeds.verify_use,
        use_id=use.id,
        amount=yuan(amount) if isinstance(amount, int) else amount,
        actor_id=hamlet.people[by].id,
        **given,
        **hamlet.when,
    )


def test_uses_are_within_the_loan_and_evidence_within_the_use(hamlet: Watched) -> None:
    loan = hamlet.lend("ada", 90_00)
    other = hamlet.lend("ben", 10_00)
    use = _use(hamlet, loan, 60_00, "ben")
    with pytest.raises(UseRefused):
        _use(hamlet, loan, 30_01)
    _use(hamlet, loan, 30_00)
    with pytest.raises(CurrencyMismatch):
        _verify(hamlet, use, Money(1, "USD"))
    for by in ("ada", "ben"):  # neither who borrowed nor who was paid
        with pytest.raises(NotAWitness):
            _verify(hamlet, use, 1, by)
    with pytest.raises(Invalid):
        _verify(hamlet, use, 1, kind=EvidenceKind.VISIT)
    _verify(hamlet, use, 20_00)
    _verify(hamlet, use, 13_33)
    with pytest.raises(UseRefused):
        _verify(hamlet, use, 26_68)
    # 33.33 of the 100.00 that is out; Ben's loan says nothing.
    found = proceeds.verified_use(hamlet.session, community=hamlet.community)
    assert found == VerifiedUse(2, 100_00, 90_00, 33_33)
    assert found.verified_bps == 3_333
    hamlet.repay(other, 10_00)
    found = proceeds.verified_use(hamlet.session, community=hamlet.community)
    assert (found.loans, found.verified_bps) == (1, 3_703)
    point = hamlet.session.begin_nested()
    with pytest.raises(DBAPIError):
        hamlet.session.execute(update(LoanUse).values(verified_minor=LoanUse.amount_minor + 1))
    point.rollback()


def test_nothing_out_has_no_ratio(hamlet: Watched) -> None:
    assert proceeds.verified_use(hamlet.session, community=hamlet.community).verified_bps is None


def test_money_that_comes_back_from_a_payee(hamlet: Watched) -> None:
    loan = hamlet.lend("ada", 90_00)
    _use(hamlet, loan, 60_00, "ben")
    assert hamlet.evening()["risk events"] == 0
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 5_00, by="cai")  # a neighbour helps: no payee of anything
    assert hamlet.evening()["risk events"] == 0
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 5_00, by="ben")
    assert hamlet.evening()["risk events"] == 1
    assert hamlet.evening(1)["risk events"] == 0
    [case] = hamlet.cases()
    assert case.member_id == hamlet.people["ada"].id
    assert hamlet.events() == [("circular_money", "high", 2)]
    # Past the thirty days it is ordinary life.
    hamlet.day = date(2026, 4, 2)
    hamlet.repay(loan, 5_00, by="ben")
    assert hamlet.evening()["risk events"] == 0


def test_loans_whose_payees_are_a_ring(hamlet: Watched) -> None:
    loans = {name: hamlet.lend(name, 30_00) for name in ("ada", "ben", "cai")}
    _use(hamlet, loans["ada"], 30_00, "ben")
    _use(hamlet, loans["ben"], 30_00, "cai")
    assert hamlet.evening()["risk events"] == 0
    hamlet.day += timedelta(days=1)
    _use(hamlet, loans["cai"], 30_00, "ada")
    assert hamlet.evening()["risk events"] == 3
    assert len(hamlet.cases()) == 3


def test_a_payee_at_home(hamlet: Watched) -> None:
    home = hamlet.do(members.register_household, reference="hh-1", now=hamlet.now)
    for name in ("ada", "ben"):
        hamlet.do(
            members.move_to_household,
            member_id=hamlet.people[name].id,
            household_id=home.id,
            now=hamlet.now,
            actor_id=None,
        )
    _use(hamlet, hamlet.lend("ada", 30_00), 30_00, "ben")
    assert hamlet.evening()["risk events"] == 1


def _promise(hamlet: Watched, loan: Loan, amount: int, days: int) -> Any:
    return hamlet.do(
        proceeds.promise,
        loan_id=loan.id,
        amount=yuan(amount),
        promised_on=hamlet.day + timedelta(days=days),
        actor_id=loan.borrower_id,
        **hamlet.when,
    )


def _states(hamlet: Watched, loan: Loan) -> list[str]:
    found = proceeds.promises_of(hamlet.session, loan, on=hamlet.day)
    return [seen.state.value for seen in found]


def test_promises_are_kept_or_broken_by_receipts(hamlet: Watched) -> None:
    loan = hamlet.lend("ada", 90_00)
    for wrong in ({"amount": 1, "days": -1},):
        with pytest.raises(Invalid):
            _promise(hamlet, loan, **wrong)
    hamlet.repay(loan, 10_00)
    hamlet.day += timedelta(days=1)
    hamlet.evening()
    hamlet.day += timedelta(days=1)
    _promise(hamlet, loan, 20_00, 2)  # until the 6th, and the 7th is grace
    assert _states(hamlet, loan) == ["open"]
    receipt = hamlet.repay(loan, 15_00)
    hamlet.evening()
    hamlet.evening(2)
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 5_00)  # on the day of grace
    assert _states(hamlet, loan) == ["kept"]
    assert hamlet.evening()["risk events"] == 0
    assert hamlet.evening(1)["risk events"] == 0
    # A cheque that bounced: what looked kept was not.
    hamlet.day += timedelta(days=1)
    hamlet.do(
        reverse_repayment,
        repayment_id=receipt.id,
        reason="bounced",
        actor_id=None,
        **hamlet.when,
    )
    assert _states(hamlet, loan) == [PromiseState.BROKEN.value]
    assert hamlet.evening()["risk events"] == 1
    assert hamlet.evening(1)["risk events"] == 0
    [case] = hamlet.cases()
    assert case.member_id == loan.borrower_id
    # What is paid off is owed no more, so there is nothing to promise.
    hamlet.day += timedelta(days=1)
    hamlet.repay(loan, 75_00)
    with pytest.raises(Invalid):
        _promise(hamlet, loan, 1, 1)
    hamlet.check()


def test_a_promise_is_broken_on_the_evening_after_the_grace(hamlet: Watched) -> None:
    loan = hamlet.lend("ada", 90_00)
    _promise(hamlet, loan, 20_00, 1)
    assert hamlet.evening()["risk events"] == 0
    found = []
    for _ in range(4):
        found.append((_states(hamlet, loan), hamlet.evening(1)["risk events"]))
    # Promised for the 3rd; the 4th is grace; on the 5th it is broken.
    assert [events for _, events in found] == [0, 0, 1, 0]
    assert [states for states, _ in found] == [["open"]] * 3 + [["broken"]]


def test_uses_stated_at_the_same_time_are_within_the_loan(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = watched(session, RULES)
        loan = hamlet.lend("ada", 100_00)
        gate, answers = threading.Barrier(2), []

        def state() -> None:
            with session_factory(engine)() as own:
                gate.wait()
                try:
                    run_unit(
                        own,
                        proceeds.state_use,
                        loan_id=loan.id,
                        purpose=Purpose.STOCK,
                        payee_name="the mill",
                        payee_id=None,
                        amount=yuan(60_00),
                        actor_id=loan.borrower_id,
                        **hamlet.when,
                    )
                    answers.append("stated")
                except UseRefused:
                    answers.append("refused")

        threads = [threading.Thread(target=state) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == ["refused", "stated"]
        hamlet.check()
