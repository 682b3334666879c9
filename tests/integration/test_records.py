"""Whose money counts: a loan that others repaid is nobody's good record."""

from itertools import product
from typing import Any

import pytest
from sqlalchemy.orm import Session

from community.credit.queries import borrower_facts
from community.credit.service import credit_limit
from community.loans.models import Loan, LoanStatus, RepaymentSource
from community.loans.queries import repayments_of
from community.receiving import bank, collecting
from tests.hamlet import Hamlet
from tests.receiving import Circle, bank_line, make_circle

STEPS = {"loan_cycle_steps_minor": [100_00, 250_00, 10**9]}


def steps(hamlet: Hamlet, name: str) -> int:
    member_id = hamlet.people[name].id
    community_id = hamlet.community.id
    facts = borrower_facts(
        hamlet.session, community_id=community_id, member_ids=[member_id], on=hamlet.day
    )
    everybody = borrower_facts(
        hamlet.session, community_id=community_id, member_ids=None, on=hamlet.day
    )
    known = everybody.get(member_id)
    assert (known.loans_repaid if known else 0) == facts[member_id].loans_repaid
    return facts[member_id].loans_repaid


@pytest.mark.parametrize("first", [None, "bo"])
@pytest.mark.parametrize("second", [None, "bo"])
def test_a_step_is_a_loan_that_the_borrower_repaid(
    db_session: Session, first: str | None, second: str | None
) -> None:
    hamlet = Hamlet(db_session, rules=STEPS)
    hamlet.person("ann", stake=300_00)
    hamlet.person("bo")
    hamlet.fund(300_00)
    loan = hamlet.lend("ann", 100_00, 2)
    hamlet.repay(loan, 50_00, by=first)
    hamlet.repay(loan, 50_00, by=second)
    assert loan.status is LoanStatus.CLOSED
    own = first is None and second is None
    assert steps(hamlet, "ann") == (1 if own else 0)
    assert steps(hamlet, "bo") == 0
    # And so is the limit: the second step of the ladder, or still the first.
    limit = credit_limit(
        db_session,
        community_id=hamlet.community.id,
        member_id=hamlet.people["ann"].id,
        on=hamlet.day,
    )
    assert limit.amount_minor == (250_00 if own else 100_00)
    hamlet.check()


def test_what_exceeds_the_debt_repaid_nothing_and_spoils_nothing(db_session: Session) -> None:
    """A third party's money for a loan that needs none of it is held for them, no more."""
    hamlet = Hamlet(db_session, rules=STEPS)
    hamlet.person("ann", stake=300_00)
    hamlet.fund(300_00)
    loan = hamlet.lend("ann", 100_00)
    hamlet.repay(loan, 110_00)
    assert steps(hamlet, "ann") == 1


def called_hamlet(session: Session, stake: int, reserve: int = 0) -> tuple[Hamlet, Loan]:
    """Ann's loan of 100.00, covered by bo; ten days late, bo is called."""
    hamlet = Hamlet(session)
    hamlet.person("ann")
    if stake:
        hamlet.person("bo", stake=stake)
    else:
        hamlet.person("bo", assessed=100_00)
    hamlet.vouch("bo", "ann", 100_00)
    hamlet.fund(300_00, reserve)
    loan = hamlet.lend("ann", 100_00)
    hamlet.wait(31, loan)
    hamlet.wait(11, loan)
    return hamlet, loan


def sources(loan: Loan, session: Session) -> set[RepaymentSource]:
    return {row.source for row in session.scalars(repayments_of(loan.id))}


def test_a_guarantors_money_counts_for_neither(db_session: Session) -> None:
    hamlet, loan = called_hamlet(db_session, stake=0)
    hamlet.pay(hamlet.calls(loan)["bo"], 100_00)
    assert loan.status is LoanStatus.CLOSED
    assert sources(loan, db_session) == {RepaymentSource.GUARANTOR}
    assert (steps(hamlet, "ann"), steps(hamlet, "bo")) == (0, 0)


def test_a_stakes_money_counts_for_neither(db_session: Session) -> None:
    hamlet, loan = called_hamlet(db_session, stake=100_00)
    hamlet.wait(6, loan)
    assert RepaymentSource.STAKE in sources(loan, db_session)
    assert (steps(hamlet, "ann"), steps(hamlet, "bo")) == (0, 0)


def test_the_reserves_money_counts_for_neither(db_session: Session) -> None:
    hamlet, loan = called_hamlet(db_session, stake=0, reserve=200_00)
    for days in (6, 10, 60):
        hamlet.wait(days, loan)
    assert RepaymentSource.RESERVE in sources(loan, db_session)
    assert (steps(hamlet, "ann"), steps(hamlet, "bo")) == (0, 0)


def paid_by_sheet(circle: Circle, payer: str | None) -> None:
    payer_id = None if payer is None else circle.id(payer)
    entries = [circle.entry("ann", 300_00, payer_id=payer_id)]
    circle.hamlet.do(collecting.collect, entries=entries, **circle.meeting)


def paid_by_bank(circle: Circle, payer: str | None) -> None:
    more: dict[str, Any] = {"payer_name": payer or "ann"}
    line = bank_line("b1", 300_00, circle.loans["ann"].public_id, **more)
    hamlet = circle.hamlet
    place = {"community_id": hamlet.community.id, "actor_id": None, **hamlet.when}
    hamlet.do(bank.take_in, lines=[line], statement_hash="0" * 64, **place)


def paid_from_suspense(circle: Circle, payer: str | None) -> None:
    hamlet = circle.hamlet
    act = {"actor_id": hamlet.officer.id, **hamlet.when}
    taken = hamlet.do(
        bank.take_in,
        community_id=hamlet.community.id,
        lines=[bank_line("b1", 300_00, "?")],
        statement_hash="0" * 64,
        **act,
    )
    hamlet.do(
        bank.apply_line,
        line_id=taken.suspense[0].id,
        loan_id=circle.loans["ann"].id,
        payer_id=None if payer is None else circle.id(payer),
        **act,
    )


@pytest.mark.parametrize(
    ("way", "payer"),
    list(product([paid_by_sheet, paid_by_bank, paid_from_suspense], [None, "bo"])),
)
def test_every_way_in_flags_whose_money_it_is(
    db_session: Session, way: Any, payer: str | None
) -> None:
    circle = make_circle(db_session)
    way(circle, payer)
    loan = circle.loans["ann"]
    assert loan.status is LoanStatus.CLOSED
    expected = RepaymentSource.BORROWER if payer is None else RepaymentSource.THIRD_PARTY
    assert sources(loan, db_session) == {expected}
    assert steps(circle.hamlet, "ann") == (1 if payer is None else 0)
    assert steps(circle.hamlet, "bo") == 0
    circle.hamlet.check()
