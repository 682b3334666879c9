"""Members of a group acting at the same time: real threads, real commits, both databases."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.groups import errors, queries
from community.groups.models import (
    AmendmentStatus,
    Group,
    GroupAgreement,
    GroupAmendment,
    GroupMember,
)
from community.guarantees import group_life
from community.loans.models import Loan, LoanStatus
from community.trust.models import Vouch, VouchStatus
from community.verification import verify
from tests.circle import CAP, FOUR, RULES, Circle
from tests.hamlet import yuan

Job = Callable[[Session], Any]


@pytest.fixture
def circle(engine: Engine) -> Iterator[Circle]:
    with session_factory(engine)() as session:
        made = Circle(session, rules=RULES)
        made.fund(100_000)
        yield made


def at_once(engine: Engine, *jobs: Job) -> list[Any]:
    """Each job as a unit of work in a thread of its own; its answer, or what it raised."""
    make = session_factory(engine)
    answers: list[Any] = [None] * len(jobs)
    gate = threading.Barrier(len(jobs))

    def work(place: int, job: Job) -> None:
        gate.wait(timeout=60)
        with make() as session:
            try:
                answers[place] = run_unit(session, job)
            except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
                answers[place] = error

    threads = [threading.Thread(target=work, args=item) for item in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return answers


def leaving(circle: Circle, group: Group, name: str) -> Job:
    group_id = group.id
    facts = {**circle.step(group), "member_id": circle.id(name), "actor_id": circle.id(name)}

    def job(session: Session) -> str:
        # As the permission table does: what is read here is old when the lock is had.
        seen = queries.members_of(session, group_id)
        assert seen
        group_life.exit_group(session, **facts)
        return "left"

    return job


def approval(circle: Circle, loan: Loan) -> Job:
    facts = {"loan_id": loan.id, "actor_id": circle.officer.id, **circle.when}

    def job(session: Session) -> str:
        credit.approve_loan(session, **facts)
        return "approved"

    return job


def forcing(circle: Circle, amendment: Any) -> Job:
    facts = {"amendment_id": amendment.id, "actor_id": None, **circle.when}

    def job(session: Session) -> str:
        group_life.put_into_force(session, **facts)
        return "in force"

    return job


def test_two_who_leave_at_once_both_leave_and_each_agreement_follows_the_other(
    engine: Engine, circle: Circle
) -> None:
    circle.bind(*FOUR)
    group = circle.group
    circle.session.commit()
    answers = at_once(engine, leaving(circle, group, "bo"), leaving(circle, group, "ding"))
    assert answers == ["left", "left"]
    circle.session.expire_all()
    assert [row.version for row in circle.session.scalars(select(GroupAgreement))] == [1, 2, 3]
    assert {name for name, (status, _) in circle.places().items() if status == "signed"} == {
        "an",
        "chen",
    }
    assert circle.places()["an"] == ("signed", CAP)
    assert group.short_since_on == circle.day
    assert {k: v[0] for k, v in circle.promises().items() if v[0] == "live"} == {
        "an>chen": "live",
        "chen>an": "live",
    }
    circle.check()


def test_the_same_exit_twice_is_one(engine: Engine, circle: Circle) -> None:
    circle.bind(*FOUR)
    group = circle.group
    circle.session.commit()
    answers = at_once(engine, *[leaving(circle, group, "bo")] * 3)
    assert [answer for answer in answers if answer == "left"] == ["left"]
    refused = [answer for answer in answers if answer != "left"]
    assert all(isinstance(answer, errors.NotInGroup) for answer in refused), refused
    circle.check()


def test_an_exit_and_an_approval_on_the_leavers_promise_exclude_each_other(
    engine: Engine, circle: Circle
) -> None:
    """Five groups; in each, only the leader has anything, and a loan needs the leader's promise."""
    jobs: list[Job] = []
    loans: list[Loan] = []
    for number in range(5):
        leader, borrower, third = (f"{role}{number}" for role in ("lea", "bor", "thi"))
        circle.person(leader, stake=300)
        group = circle.bind(leader, borrower, third, stake=0)
        loan = circle.apply(borrower, CAP)
        jobs += [leaving(circle, group, leader), approval(circle, loan)]
        loans.append(loan)
    circle.session.commit()
    answers = at_once(engine, *jobs)
    for went, approved, loan in zip(answers[::2], answers[1::2], loans, strict=True):
        if approved == "approved":
            assert isinstance(went, errors.GroupStillBinds), (went, approved)
        else:
            assert went == "left"
            assert isinstance(approved, CreditLimitExceeded), approved
        circle.session.refresh(loan)
        assert (loan.status is LoanStatus.APPROVED) == (approved == "approved")
    circle.check()  # law 3: no loan is short of cover


def test_a_lower_cap_and_an_approval_never_leave_a_promise_overspent(
    engine: Engine, circle: Circle
) -> None:
    jobs: list[Job] = []
    for number in range(4):
        names = [f"{role}{number}" for role in ("lea", "bor", "thi")]
        circle.person(names[1])
        circle.bind(*names)
        amendment = circle.propose(names[0], pair_cap=yuan(30))
        circle.agree(amendment, *names)
        jobs += [forcing(circle, amendment), approval(circle, circle.apply(names[1], 150))]
    circle.session.commit()
    answers = at_once(engine, *jobs)
    for forced, approved in zip(answers[::2], answers[1::2], strict=True):
        assert (forced == "in force") != (approved == "approved"), (forced, approved)
        if forced == "in force":
            assert isinstance(approved, CreditLimitExceeded)
        else:
            assert isinstance(forced, errors.CapBelowReserved), forced
    rows = circle.session.scalars(select(Vouch).where(Vouch.status == VouchStatus.LIVE))
    assert all(row.reserved_minor + row.spent_minor <= row.limit_minor for row in rows)
    circle.check()


def test_two_groups_that_admit_the_same_member_get_them_once(
    engine: Engine, circle: Circle
) -> None:
    circle.person("zhu", stake=300)
    proposals = []
    for number in range(2):
        names = [f"{role}{number}" for role in ("lea", "bor", "thi")]
        circle.bind(*names)
        amendment = circle.propose(names[0], joining=[circle.id("zhu")])
        circle.agree(amendment, *names, "zhu")
        proposals.append(amendment)
    circle.session.commit()
    answers = at_once(engine, *(forcing(circle, amendment) for amendment in proposals))
    # The second finds them in the first, and takes them over from there: a transfer.
    assert answers == ["in force", "in force"]
    circle.session.expire_all()
    found = circle.session.scalars(
        select(GroupMember.status).where(GroupMember.member_id == circle.id("zhu"))
    ).all()
    assert sorted(status.value for status in found) == ["left", "signed"]
    assert {row.status for row in circle.session.scalars(select(GroupAmendment))} == {
        AmendmentStatus.IN_FORCE
    }
    assert verify(circle.session).breaches == ()
