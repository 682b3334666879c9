"""Approvals that compete for the same promises and stakes, with real threads and real commits."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.errors import Conflict, LimitReached, StaleSnapshot
from community.guarantees.checks import check_guarantees
from community.ledger.checks import check_ledger
from community.loans.models import Loan, LoanStatus
from community.trust import service as trust
from community.trust.checks import check_trust
from community.trust.errors import StakeInUse, VouchInUse
from community.trust.models import Standing, Vouch
from tests.lending import NOW, TODAY, cny
from tests.trust_life import staked, trusting_village, vouch

WORKERS = 8


def at_once(engine: Engine, jobs: list[Callable[[Session], Any]]) -> list[Any]:
    """Run each job as a unit of work, several threads at a time; answers or what was raised."""
    make = session_factory(engine)
    answers: list[Any] = [None] * len(jobs)
    waiting = list(enumerate(jobs))
    gate = threading.Barrier(WORKERS)
    taking = threading.Lock()

    def work() -> None:
        gate.wait(timeout=60)
        while True:
            with taking:
                if not waiting:
                    return
                place, job = waiting.pop(0)
            with make() as session:
                try:
                    answers[place] = run_unit(session, job)
                except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
                    answers[place] = error

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return answers


def approval(loan_id: int) -> Callable[[Session], str]:
    def job(session: Session) -> str:
        credit.approve_loan(session, loan_id=loan_id, on=TODAY, now=NOW, actor_id=None)
        return "approved"

    return job


def assert_laws_hold(engine: Engine) -> None:
    with Session(engine) as session:
        for check in (check_trust, check_guarantees, check_ledger):
            assert list(check(session)) == []


@pytest.mark.parametrize("borrowers", [24])
def test_approvals_never_spend_a_promise_or_a_stake_twice(engine: Engine, borrowers: int) -> None:
    """A backer and a middleman, with stakes of 1,000 together, and too many who lean on them."""
    with session_factory(engine)() as session:
        village = trusting_village(session)
        backer = staked(village, "Backer", 700_00)
        middle = staked(village, "Middle", 300_00)
        vouch(village, backer, middle, 650_00)
        loan_ids = []
        for number in range(borrowers):
            borrower = village.person(f"Borrower {number}")
            vouch(village, middle, borrower, 100_00)
            if number % 2:
                vouch(village, backer, borrower, 100_00)
            loan = village.applied(borrower, 100_00)
            session.commit()
            loan_ids.append(loan.id)
    answers = at_once(engine, [approval(loan_id) for loan_id in loan_ids])
    refused = [answer for answer in answers if answer != "approved"]
    assert all(isinstance(answer, Conflict) for answer in refused), refused
    assert all(isinstance(answer, LimitReached | StaleSnapshot) for answer in refused), refused
    # Stakes of 1,000 carry ten loans of 100 whoever comes first, unless those who cannot reach
    # the backer directly met a promise of 650 that was used up: then nothing fits any more.
    with Session(engine) as session:
        approved = session.scalar(
            select(func.count()).select_from(Loan).where(Loan.status == LoanStatus.APPROVED)
        )
        assert approved == len(answers) - len(refused)
        assert approved is not None
        reserved = session.scalar(select(func.sum(Standing.reserved_minor)))
        assert reserved == approved * 100_00
        # What fits is exactly used: nobody who was refused could be approved now.
        left = credit.credit_limits(session, community_id=village.village.id, on=TODAY)
        waiting = session.scalars(
            select(Loan.borrower_id).where(Loan.status == LoanStatus.ENDORSED)
        ).all()
        if not any(isinstance(answer, StaleSnapshot) for answer in refused):
            assert all(left[borrower_id] < 100_00 for borrower_id in waiting)
    assert_laws_hold(engine)


def test_exactly_what_fits_is_approved(engine: Engine) -> None:
    with session_factory(engine)() as session:
        village = trusting_village(session)
        backer = staked(village, "Backer", 500_00)
        loan_ids = []
        for number in range(16):
            borrower = village.person(f"Borrower {number}")
            vouch(village, backer, borrower, 100_00)
            loan_ids.append(village.applied(borrower, 100_00).id)
            session.commit()
    answers = at_once(engine, [approval(loan_id) for loan_id in loan_ids])
    assert answers.count("approved") == 5
    for answer in answers:
        if answer != "approved":
            assert isinstance(answer, CreditLimitExceeded), answer
            assert answer.members["limit"]["amount"] == "0.00"
    assert_laws_hold(engine)


def test_one_borrower_cannot_pass_the_cap_by_two_loans_at_once(engine: Engine) -> None:
    with session_factory(engine)() as session:
        village = trusting_village(session, loan_cycle_steps_minor=[300_00])
        borrower = staked(village, "Borrower", 5_000_00)
        loan_ids = []
        for _ in range(8):
            loan_ids.append(village.applied(borrower, 100_00).id)
            session.commit()
    answers = at_once(engine, [approval(loan_id) for loan_id in loan_ids])
    assert answers.count("approved") == 3
    assert_laws_hold(engine)


def test_lowering_and_releasing_race_with_approvals(engine: Engine) -> None:
    """Whoever comes first has it: the promise and the stake never fall below what rests on them."""
    with session_factory(engine)() as session:
        village = trusting_village(session)
        backer = staked(village, "Backer", 800_00)
        jobs: list[Callable[[Session], Any]] = []
        for number in range(8):
            borrower = village.person(f"Borrower {number}")
            promise = vouch(village, backer, borrower, 100_00)
            loan = village.applied(borrower, 100_00)
            session.commit()
            jobs.append(approval(loan.id))
            jobs.append(_lowering(promise.id, backer.id))
            jobs.append(_release(village.village.id, backer.id))
    answers = at_once(engine, jobs)
    for answer in answers:
        assert answer in ("approved", "lowered", "released") or isinstance(
            answer, CreditLimitExceeded | VouchInUse | StakeInUse | StaleSnapshot
        ), answer
    with Session(engine) as session:
        for row in session.scalars(select(Vouch)):
            assert row.reserved_minor + row.spent_minor <= row.limit_minor
        for standing in session.scalars(select(Standing)):
            assert standing.reserved_minor <= standing.stake_minor
    assert_laws_hold(engine)


def _lowering(vouch_id: int, actor_id: int) -> Callable[[Session], str]:
    def job(session: Session) -> str:
        trust.lower_vouch(session, vouch_id=vouch_id, limit=cny(50_00), now=NOW, actor_id=actor_id)
        return "lowered"

    return job


def _release(community_id: int, member_id: int) -> Callable[[Session], str]:
    def job(session: Session) -> str:
        trust.release_stake(
            session,
            community_id=community_id,
            member_id=member_id,
            amount=cny(50_00),
            on=TODAY,
            now=NOW,
            actor_id=member_id,
        )
        return "released"

    return job
