"""Loans when two do the same thing at the same time, on real databases with real commits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.engine import session_factory
from community.errors import CommunityError
from community.ledger.checks import check_ledger
from community.loans import service
from community.loans.checks import check_loans
from community.loans.models import Endorsement, Loan, LoanStatus, Repayment, RepaymentSource
from community.locks import lock_one
from tests.lending import NOW, TODAY, Village, make_village


def village_on(engine: Engine, prepare: Callable[[Village], Any]) -> Any:
    with session_factory(engine)() as session:
        answer = prepare(make_village(session))
        session.commit()
        return answer


def together(engine: Engine, *acts: Callable[[Session], Any]) -> list[Any]:
    """Each act as a unit of work of its own, begun at the same moment; refusals are answers."""
    start = Barrier(len(acts))

    def run(act: Callable[[Session], Any]) -> Any:
        with session_factory(engine)() as session:
            start.wait()
            try:
                return run_unit(session, act)
            except CommunityError as refusal:
                return refusal.code

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def lawful(engine: Engine) -> bool:
    with session_factory(engine)() as session:
        return [*check_loans(session), *check_ledger(session)] == []


def test_a_loan_is_paid_out_once(engine: Engine) -> None:
    def prepare(village: Village) -> int:
        village.fund(5_000_00)
        return village.approved(village.person()).id

    loan_id = village_on(engine, prepare)

    def act(session: Session) -> str:
        service.disburse(session, loan_id=loan_id, on=TODAY, now=NOW, actor_id=None)
        return "paid"

    assert sorted(together(engine, act, act, act)) == [
        "loan-step-not-allowed",
        "loan-step-not-allowed",
        "paid",
    ]
    assert lawful(engine)


def test_the_whole_debt_is_taken_once(engine: Engine) -> None:
    loan_id = village_on(engine, lambda village: village.disbursed(village.person()).id)

    def act(session: Session) -> str:
        loan = lock_one(session, Loan, loan_id)
        service.book_repayment(
            session,
            loan=loan,
            amount_minor=900_00,
            source=RepaymentSource.BORROWER,
            payer_id=loan.borrower_id,
            on=TODAY,
            now=NOW,
            actor_id=None,
        )
        return "taken"

    assert sorted(together(engine, act, act)) == ["more-than-owed", "taken"]
    with session_factory(engine)() as session:
        assert session.scalar(select(func.sum(Repayment.amount_minor))) == 900_00
    assert lawful(engine)


def test_the_last_two_words_for_a_loan_endorse_it_once(engine: Engine) -> None:
    def prepare(village: Village) -> tuple[int, int, int]:
        loan = village.applied(village.person())
        return loan.id, village.person().id, village.person().id

    loan_id, *endorsers = village_on(engine, prepare)

    def word_of(endorser_id: int) -> Callable[[Session], Any]:
        def act(session: Session) -> str:
            service.endorse(session, loan_id=loan_id, endorser_id=endorser_id, on=TODAY, now=NOW)
            return "given"

        return act

    assert together(engine, *map(word_of, endorsers)) == ["given", "given"]
    with session_factory(engine)() as session:
        assert session.get_one(Loan, loan_id).status is LoanStatus.ENDORSED
        assert session.scalar(select(func.count()).select_from(Endorsement)) == 2
    assert lawful(engine)
