"""Shared credit lines: what is used is what is out, and never more than the limit."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.errors import CurrencyMismatch, StaleSnapshot
from community.guarantees import service as guarantees
from community.lines import queries, service
from community.lines.errors import (
    LineExists,
    LineForAnotherProduct,
    LineInUse,
    LineNotInForce,
    LineStepNotAllowed,
    LineTooLarge,
    LineTooLong,
    NoSubLimit,
    RaiseTooLarge,
    RaiseTooLong,
    SubLimitsTooLarge,
    SubLimitTooLarge,
)
from community.lines.models import CreditLine, CreditLineChange, LineStatus
from community.loans import service as loans
from community.loans.models import Loan, LoanStatus
from community.money import Money
from community.servicing import service as servicing
from community.verification import verify
from tests.hamlet import Hamlet, yuan
from tests.integration.test_credit_races import at_once
from tests.integration.test_laws_random import NAMES as LIFE_NAMES
from tests.integration.test_laws_random import Life

NAMES = ("ana", "ben", "cai")


def hamlet_of(session: Session, stake: int = 5_000, **rules: Any) -> Hamlet:
    hamlet = Hamlet(session, rules=rules)
    hamlet.fund(100_000)
    for name in NAMES:
        hamlet.person(name, stake=stake)
    return hamlet


def open_line(hamlet: Hamlet, limit: int = 1_000, each: int = 600, **changes: Any) -> CreditLine:
    """A line of the hamlet from today for a year, with the same sub-limit for everybody."""
    given: dict[str, Any] = {
        "community_id": hamlet.community.id,
        "name": "Seed money",
        "limit": yuan(limit),
        "sub_limits": {
            hamlet.people[name].id: yuan(each) for name in NAMES if name in hamlet.people
        },
        "from_on": hamlet.day,
        "until_on": hamlet.day + timedelta(days=364),
        "reason": "decided in the assembly",
        "actor_id": hamlet.officer.id,
        **hamlet.when,
    }
    return hamlet.do(service.open_line, **(given | changes))


def act(hamlet: Hamlet, line: CreditLine, **given: Any) -> dict[str, Any]:
    why = {"reason": "because", "actor_id": hamlet.officer.id}
    return {"line_id": line.id, **why, **hamlet.when, **given}


def ask(hamlet: Hamlet, line: CreditLine, who: str, principal: int, instalments: int = 1) -> Loan:
    return hamlet.do(
        service.apply,
        line_id=line.id,
        community_id=hamlet.community.id,
        borrower_id=hamlet.people[who].id,
        product_id=hamlet.product_id,
        principal=yuan(principal),
        purpose="seed",
        instalments=instalments,
        actor_id=hamlet.people[who].id,
        **hamlet.when,
    )


def draw(hamlet: Hamlet, line: CreditLine, who: str, principal: int, instalments: int = 1) -> Loan:
    loan = hamlet.approve(ask(hamlet, line, who, principal, instalments))
    return hamlet.do(loans.disburse, loan_id=loan.id, actor_id=None, **hamlet.when)


def used(hamlet: Hamlet, line: CreditLine) -> dict[str, int]:
    """What is used of the line and, by name, of each sub-limit that is used."""
    hamlet.session.expire_all()
    names = {member.id: name for name, member in hamlet.people.items()}
    shares = queries.shares_of(hamlet.session, line.id)
    return {"line": line.used_minor} | {
        names[share.member_id]: share.used_minor for share in shares if share.used_minor
    }


def refusal(hamlet: Hamlet, loan: Loan) -> dict[str, Any]:
    with pytest.raises(CreditLimitExceeded) as caught:
        hamlet.approve(loan)
    hamlet.check()
    return caught.value.members


def test_a_draw_takes_from_approval_and_frees_as_it_is_repaid(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    asked = ask(hamlet, line, "ana", 500, 5)
    assert used(hamlet, line) == {"line": 0}
    hamlet.approve(asked)
    assert used(hamlet, line) == {"line": 500, "ana": 500}
    hamlet.do(loans.disburse, loan_id=asked.id, actor_id=None, **hamlet.when)
    assert used(hamlet, line) == {"line": 500, "ana": 500}
    other = draw(hamlet, line, "ben", 300, 3)
    assert used(hamlet, line) == {"line": 800, "ana": 500, "ben": 300}
    first = hamlet.repay(asked, 130)
    assert used(hamlet, line) == {"line": 670, "ana": 370, "ben": 300}
    hamlet.repay(other, 300)
    assert used(hamlet, line) == {"line": 370, "ana": 370}
    hamlet.check()
    hamlet.do(
        servicing.reverse_repayment,
        repayment_id=first.id,
        reason="bounced",
        actor_id=None,
        **hamlet.when,
    )
    assert used(hamlet, line) == {"line": 500, "ana": 500}
    hamlet.repay(asked, 500)
    assert used(hamlet, line) == {"line": 0}
    hamlet.check()


def test_a_cancelled_draw_frees_the_line(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    loan = hamlet.approve(ask(hamlet, line, "ana", 500))
    hamlet.do(
        guarantees.cancel_approved,
        loan_ids=[loan.id],
        to=LoanStatus.WITHDRAWN,
        actor_id=None,
        reason="not needed",
        **hamlet.when,
    )
    assert used(hamlet, line) == {"line": 0}
    hamlet.check()


def test_a_draw_that_is_given_up_frees_the_line(db_session: Session) -> None:
    """Called on day 11, the stake of 200 set off; the rest is written off past day 60."""
    hamlet = hamlet_of(db_session, set_off_stake=True, reserve_fund_stands_in=False)
    hamlet.product_id = hamlet.product("half", {"cover_ratio_bps": 5_000})
    line = open_line(hamlet)
    loan = draw(hamlet, line, "ana", 400)
    hamlet.wait(31 + 11, loan)
    assert loan.status is LoanStatus.CALLED
    assert used(hamlet, line) == {"line": 200, "ana": 200}
    hamlet.check()
    hamlet.wait(60, loan)
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert used(hamlet, line) == {"line": 0}
    hamlet.check()


def test_the_line_and_the_sub_limit_bind_to_the_cent(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)  # 1,000 with 600 for each
    draw(hamlet, line, "ana", 400)
    said = refusal(hamlet, ask(hamlet, line, "ana", 201))
    assert said["limit"] == {"amount": "2.00", "currency": "CNY"}
    assert said["binding"]["name"] == "sub_limit"
    assert said["binding"]["source"]["owner"] == line.public_id
    assert said["binding"]["detail"] == {
        "line": line.public_id,
        "name": "Seed money",
        "line_limit_minor": 1_000,
        "line_used_minor": 400,
        "line_headroom_minor": 600,
        "sub_limit_minor": 600,
        "sub_limit_used_minor": 400,
        "sub_limit_headroom_minor": 200,
    }
    draw(hamlet, line, "ana", 200)
    said = refusal(hamlet, ask(hamlet, line, "ben", 401))
    assert said["binding"]["name"] == "shared_line"
    assert said["limit"] == {"amount": "4.00", "currency": "CNY"}
    draw(hamlet, line, "ben", 400)
    assert used(hamlet, line) == {"line": 1_000, "ana": 600, "ben": 400}
    assert refusal(hamlet, ask(hamlet, line, "cai", 1))["limit"]["amount"] == "0.00"
    # A loan on no line is none of its business.
    hamlet.lend("cai", 700)
    assert used(hamlet, line)["line"] == 1_000


def test_the_credit_limit_names_the_line(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    draw(hamlet, line, "ana", 450)
    limit = credit.credit_limit(
        db_session,
        community_id=hamlet.community.id,
        member_id=hamlet.people["ben"].id,
        on=hamlet.day,
        line_id=line.id,
    )
    found = {item.name: item.value_minor for item in limit.constraints}
    assert (found["shared_line"], found["sub_limit"]) == (550, 600)
    assert (limit.binding.name, limit.amount_minor) == ("shared_line", 550)
    assert limit.binding.source.version == 4  # opened, and three sub-limits
    without = credit.credit_limit(
        db_session,
        community_id=hamlet.community.id,
        member_id=hamlet.people["ben"].id,
        on=hamlet.day,
    )
    assert "shared_line" not in {item.name for item in without.constraints}
    assert without.amount_minor == 5_000


def test_a_receipt_taken_back_may_need_more_than_is_left(db_session: Session) -> None:
    """What it freed is drawn by others: noted as over, and nobody draws until it is repaid."""
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    loan = draw(hamlet, line, "ana", 600)
    paid = hamlet.repay(loan, 500)
    draw(hamlet, line, "ben", 600)
    draw(hamlet, line, "cai", 300)
    assert used(hamlet, line)["line"] == 1_000
    hamlet.do(
        servicing.reverse_repayment,
        repayment_id=paid.id,
        reason="bounced",
        actor_id=None,
        **hamlet.when,
    )
    assert used(hamlet, line) == {"line": 1_500, "ana": 600, "ben": 600, "cai": 300}
    assert (line.limit_minor, line.over_minor) == (1_000, 500)
    hamlet.check()
    assert refusal(hamlet, ask(hamlet, line, "cai", 1))["limit"]["amount"] == "0.00"
    hamlet.repay(loan, 501)
    assert used(hamlet, line)["line"] == 999
    assert line.over_minor == 0
    draw(hamlet, line, "cai", 1)
    hamlet.check()


def test_a_raise_ends_by_its_day_whoever_looks(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    until = hamlet.day + timedelta(days=9)
    hamlet.do(service.raise_for_a_while, **act(hamlet, line), by=yuan(200), until_on=until)
    draw(hamlet, line, "ana", 600)
    draw(hamlet, line, "ben", 550)
    assert used(hamlet, line)["line"] == 1_150
    hamlet.wait(9)
    assert line.headroom_on(hamlet.day) == 50
    third = ask(hamlet, line, "cai", 50)
    hamlet.wait(1)
    # Nothing was written since, and the raise is over.
    assert line.raised_minor == 200
    assert refusal(hamlet, third)["binding"]["detail"]["line_limit_minor"] == 1_000
    loan = db_session.scalars(select(Loan).where(Loan.line_id == line.id).order_by(Loan.id)).first()
    assert loan is not None
    hamlet.repay(loan, 100)
    assert used(hamlet, line)["line"] == 1_050
    assert (line.raised_minor, line.raised_until_on, line.over_minor) == (0, None, 50)
    hamlet.repay(loan, 100)
    hamlet.approve(third)
    assert (line.used_minor, line.over_minor) == (1_000, 0)
    hamlet.check()


def test_a_sub_limit_is_raised_for_a_while(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    ana = hamlet.people["ana"].id
    until = hamlet.day + timedelta(days=3)
    hamlet.do(
        service.raise_for_a_while,
        **act(hamlet, line, member_id=ana),
        by=yuan(180),
        until_on=until,
    )
    draw(hamlet, line, "ana", 780)
    assert used(hamlet, line) == {"line": 780, "ana": 780}
    hamlet.wait(4)
    said = refusal(hamlet, ask(hamlet, line, "ana", 1))
    assert said["binding"]["detail"]["sub_limit_minor"] == 600
    for by, day, error in (
        (181, until, RaiseTooLarge),  # 30 % of 600
        (1, hamlet.day + timedelta(days=90), RaiseTooLong),
        (1, hamlet.day - timedelta(days=1), RaiseTooLong),
    ):
        with pytest.raises(error):
            hamlet.do(
                service.raise_for_a_while,
                **act(hamlet, line, member_id=ana),
                by=yuan(by),
                until_on=day,
            )


def test_suspended_no_new_draws_and_running_ones_go_on(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    loan = draw(hamlet, line, "ana", 500)
    asked = ask(hamlet, line, "ben", 100)
    hamlet.do(service.suspend, **act(hamlet, line))
    said = refusal(hamlet, asked)
    assert said["binding"]["detail"]["reason"] == "The line is suspended."
    with pytest.raises(LineNotInForce):
        ask(hamlet, line, "ben", 100)
    with pytest.raises(LineStepNotAllowed):
        hamlet.do(service.suspend, **act(hamlet, line))
    hamlet.repay(loan, 200)
    assert used(hamlet, line) == {"line": 300, "ana": 300}
    hamlet.do(service.resume, **act(hamlet, line))
    hamlet.approve(asked)
    assert used(hamlet, line) == {"line": 400, "ana": 300, "ben": 100}
    hamlet.check()


def test_lowering_below_what_is_used(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet, each=300)
    loan = draw(hamlet, line, "ana", 300)
    draw(hamlet, line, "ben", 300)
    with pytest.raises(LineInUse) as caught:
        hamlet.do(service.change_limit, **act(hamlet, line), limit=yuan(599))
    assert caught.value.members["used_minor"] == 600
    hamlet.do(service.change_limit, **act(hamlet, line), limit=yuan(600))
    hamlet.do(
        service.change_limit,
        **act(hamlet, line),
        limit=yuan(500),
        no_new_draws_until_below=True,
    )
    assert (line.limit_minor, line.used_minor, line.over_minor) == (500, 600, 100)
    hamlet.check()
    asked = ask(hamlet, line, "cai", 50)
    assert refusal(hamlet, asked)["binding"]["name"] == "shared_line"
    hamlet.repay(loan, 150)
    assert used(hamlet, line)["line"] == 450
    hamlet.approve(asked)
    assert (line.used_minor, line.over_minor) == (500, 0)
    # A sub-limit the same way.
    ben = hamlet.people["ben"].id
    with pytest.raises(LineInUse):
        hamlet.do(service.change_sub_limit, **act(hamlet, line, member_id=ben), limit=yuan(299))
    hamlet.do(
        service.change_sub_limit,
        **act(hamlet, line, member_id=ben),
        limit=yuan(0),
        no_new_draws_until_below=True,
    )
    share = queries.find_share(db_session, line_id=line.id, member_id=ben)
    assert share is not None
    assert (share.limit_minor, share.used_minor, share.over_minor) == (0, 300, 300)
    hamlet.check()


def test_a_line_is_closed_once_nothing_is_drawn(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    loan = draw(hamlet, line, "ana", 500)
    with pytest.raises(LineInUse):
        hamlet.do(service.close, **act(hamlet, line))
    hamlet.repay(loan, 500)
    hamlet.do(service.close, **act(hamlet, line))
    assert (line.status, line.closed_on) == (LineStatus.CLOSED, hamlet.day)
    with pytest.raises(LineStepNotAllowed):
        hamlet.do(service.change_limit, **act(hamlet, line), limit=yuan(1))
    hamlet.check()
    # The holder may have another now.
    open_line(hamlet)


def test_what_the_charter_allows(db_session: Session) -> None:
    hamlet = hamlet_of(
        db_session, line_minor_max=1_200, line_days_max=365, line_shares_bps_max=20_000
    )
    for changes, error in (
        ({"limit": 1_201}, LineTooLarge),
        ({"until_on": hamlet.day + timedelta(days=365)}, LineTooLong),
        ({"from_on": hamlet.day + timedelta(days=365)}, LineTooLong),
        ({"sub_limits": {hamlet.people["ana"].id: yuan(1_001)}}, SubLimitTooLarge),
        ({"sub_limits": {hamlet.people["ana"].id: Money(1, "USD")}}, CurrencyMismatch),
    ):
        with pytest.raises(error):
            open_line(hamlet, **changes)
    with pytest.raises(SubLimitsTooLarge) as caught:
        open_line(hamlet, each=667)  # 2,001 for 1,000
    assert caught.value.members["most_minor"] == 2_000
    assert db_session.scalars(select(CreditLine)).all() == []
    line = open_line(hamlet)
    with pytest.raises(LineExists):
        open_line(hamlet)
    open_line(hamlet, product_id=hamlet.product_id)
    day = hamlet.day + timedelta(days=5)
    with pytest.raises(LineTooLarge):
        hamlet.do(service.raise_for_a_while, **act(hamlet, line), by=yuan(201), until_on=day)
    with pytest.raises(SubLimitTooLarge):
        hamlet.do(service.change_limit, **act(hamlet, line), limit=yuan(599))
    hamlet.check()


def test_who_may_draw_for_what(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    other = hamlet.product("other", {})
    line = open_line(hamlet, product_id=other)
    with pytest.raises(LineForAnotherProduct):
        ask(hamlet, line, "ana", 100)
    free = open_line(hamlet, sub_limits={hamlet.people["ana"].id: yuan(600)})
    with pytest.raises(NoSubLimit):
        ask(hamlet, free, "ben", 100)
    hamlet.wait(365)
    with pytest.raises(LineNotInForce):
        ask(hamlet, free, "ana", 100)


def test_the_history_says_who_changed_what_and_why(db_session: Session) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet, sub_limits={})
    ana = hamlet.people["ana"].id
    hamlet.do(service.change_sub_limit, **act(hamlet, line, member_id=ana), limit=yuan(600))
    hamlet.do(service.change_limit, **act(hamlet, line, reason="more rain"), limit=yuan(1_100))
    day = hamlet.day + timedelta(days=3)
    hamlet.do(service.raise_for_a_while, **act(hamlet, line), by=yuan(100), until_on=day)
    hamlet.do(service.suspend, **act(hamlet, line))
    rows = db_session.scalars(queries.changes_of(line.id).order_by(CreditLineChange.id)).all()
    assert [
        (row.number, row.kind.value, row.member_id, row.before_minor, row.after_minor, row.until_on)
        for row in rows
    ] == [
        (1, "opened", None, None, 1_000, None),
        (2, "sub_limit", ana, None, 600, None),
        (3, "limit", None, 1_000, 1_100, None),
        (4, "raise", None, 1_100, 1_200, day),
        (5, "suspended", None, None, None, None),
    ]
    assert rows[2].reason == "more rain"
    assert {row.actor_id for row in rows} == {hamlet.officer.id}
    for statement in (
        "UPDATE credit_line_changes SET reason = 'x'",
        "DELETE FROM credit_line_changes",
    ):
        with pytest.raises(DatabaseError), db_session.begin_nested():
            db_session.execute(text(statement))
    hamlet.check()


def test_the_story_of_the_docs(db_session: Session) -> None:
    """The table of docs/shared-credit.md, row by row."""
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)

    def row(ana: int, ben: int, cai: int, limit: int, left: int) -> None:
        shares = {"ana": ana, "ben": ben, "cai": cai}
        found = used(hamlet, line)
        assert found == {"line": ana + ben + cai} | {n: v for n, v in shares.items() if v}
        assert (line.limit_on(hamlet.day), line.headroom_on(hamlet.day)) == (limit, left)
        hamlet.check()

    first = draw(hamlet, line, "ana", 500)
    row(500, 0, 0, 1_000, 500)
    draw(hamlet, line, "ben", 400)
    row(500, 400, 0, 1_000, 100)
    assert refusal(hamlet, ask(hamlet, line, "ana", 101))["limit"]["amount"] == "1.00"
    until = hamlet.day + timedelta(days=9)
    hamlet.do(service.raise_for_a_while, **act(hamlet, line), by=yuan(200), until_on=until)
    row(500, 400, 0, 1_200, 300)
    last = draw(hamlet, line, "cai", 300)
    row(500, 400, 300, 1_200, 0)
    hamlet.wait(10)
    row(500, 400, 300, 1_000, 0)
    transfer = hamlet.repay(first, 250)
    row(250, 400, 300, 1_000, 50)
    draw(hamlet, line, "ben", 50)
    row(250, 450, 300, 1_000, 0)
    hamlet.do(
        servicing.reverse_repayment,
        repayment_id=transfer.id,
        reason="bounced",
        actor_id=None,
        **hamlet.when,
    )
    row(500, 450, 300, 1_000, 0)
    assert line.over_minor == 250
    hamlet.repay(first, 500)
    hamlet.repay(last, 300)
    row(0, 450, 0, 1_000, 550)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_lines SET used_minor = 1001",
        "UPDATE credit_lines SET used_minor = -1",
        "UPDATE credit_lines SET limit_minor = 499",
        "UPDATE credit_lines SET over_minor = 1",
        "UPDATE credit_lines SET status = 'closed', closed_on = '2026-03-02'",
        "UPDATE credit_line_shares SET used_minor = 601",
        "UPDATE credit_line_shares SET raised_minor = 5",
        "UPDATE loans SET line_used_minor = 501",
        "UPDATE loans SET line_id = NULL",
    ],
)
def test_the_tables_hold_the_law_by_themselves(db_session: Session, statement: str) -> None:
    hamlet = hamlet_of(db_session)
    line = open_line(hamlet)
    draw(hamlet, line, "ana", 500)
    with pytest.raises(DatabaseError), db_session.begin_nested():
        db_session.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE credit_lines SET used_minor = 499", "credit_lines"),
        (
            "UPDATE credit_line_shares SET used_minor = 499 WHERE used_minor > 0",
            "credit_line_shares",
        ),
        ("UPDATE loans SET line_used_minor = 499 WHERE line_used_minor > 0", "loans"),
        ("UPDATE credit_lines SET limit_minor = 1001", "credit_lines"),
        ("UPDATE credit_line_shares SET limit_minor = 700", "credit_line_shares"),
        ("UPDATE credit_lines SET version = 5", "credit_lines"),
    ],
)
def test_the_verifier_finds_what_was_changed_by_hand(
    db_session: Session, statement: str, table: str
) -> None:
    hamlet = hamlet_of(db_session)
    draw(hamlet, open_line(hamlet), "ana", 500)
    hamlet.check()
    db_session.execute(text(statement))
    assert table in {breach.table for breach in verify(db_session).breaches}


def test_sixteen_at_once_never_use_more_than_the_line(engine: Engine) -> None:
    """Everybody's own stake covers them; a line of 1,000 has room for five draws of 200."""
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        people = [hamlet.person(f"member {number}", stake=500) for number in range(16)]
        line = open_line(
            hamlet,
            sub_limits={person.id: yuan(100 if n == 0 else 125) for n, person in enumerate(people)},
        )
        for person in people[1:]:
            hamlet.do(
                service.change_sub_limit,
                **act(hamlet, line, member_id=person.id),
                limit=yuan(125),
            )
        ids = [ask(hamlet, line, f"member {number}", 120).id for number in range(1, 16)]
        ids.append(ask(hamlet, line, "member 0", 101).id)
        when = dict(hamlet.when)

    def job(loan_id: int) -> Any:
        def approve(session: Session) -> str:
            credit.approve_loan(session, loan_id=loan_id, actor_id=None, **when)
            return "approved"

        return approve

    answers = at_once(engine, [job(loan_id) for loan_id in ids])
    # 8 x 120 = 960: no more fits; the sub-limit of 100 never gives 101.
    assert answers.count("approved") == 8, answers
    refused = [answer for answer in answers if answer != "approved"]
    assert all(isinstance(answer, CreditLimitExceeded) for answer in refused), refused
    assert {answer.members["binding"]["name"] for answer in refused} <= {"shared_line", "sub_limit"}
    with Session(engine) as session:
        line = session.scalars(select(CreditLine)).one()
        assert (line.used_minor, line.over_minor) == (960, 0)
        assert verify(session).breaches == ()


def test_draws_race_with_lowering_suspending_and_repaying(engine: Engine) -> None:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.fund(100_000)
        people = [hamlet.person(f"member {number}", stake=500) for number in range(8)]
        line = open_line(hamlet, sub_limits={person.id: yuan(175) for person in people})
        running = [draw(hamlet, line, f"member {number}", 100).id for number in range(4)]
        waiting = [ask(hamlet, line, f"member {number}", 100).id for number in range(8)]
        common = act(hamlet, line)
        when = dict(hamlet.when)
    jobs: list[Any] = []
    for loan_id in waiting:
        jobs.append(
            lambda session, loan_id=loan_id: (
                credit.approve_loan(session, loan_id=loan_id, actor_id=None, **when).status.value
            )
        )
    for loan_id in running:
        jobs.append(
            lambda session, loan_id=loan_id: (
                guarantees.record_repayment(
                    session, loan_id=loan_id, amount=yuan(60), **when
                ).amount_minor
            )
        )
    jobs.append(lambda session: service.change_limit(session, **common, limit=yuan(700)).version)
    jobs.append(lambda session: service.suspend(session, **common).version)
    answers = at_once(engine, jobs)
    assert answers[8:12] == [60] * 4
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    allowed = (CreditLimitExceeded, LineInUse, StaleSnapshot)
    assert all(isinstance(answer, allowed) for answer in failures), failures
    with Session(engine) as session:
        line = session.scalars(select(CreditLine)).one()
        assert (line.status, line.over_minor) == (LineStatus.SUSPENDED, 0)
        assert line.used_minor == 400 - 240 + 100 * answers.count("approved")
        assert verify(session).breaches == ()


class LineLife(Life):
    """A random life in which loans draw on a line that officers keep changing."""

    def __init__(self, session: Session, seed: int) -> None:
        super().__init__(session, seed)
        self.line = open_line(
            self.hamlet,
            limit=4_000,
            # All but one may draw.
            sub_limits={self.hamlet.people[n].id: yuan(1_300) for n in LIFE_NAMES[:-1]},
        )
        self.steps += [self.change_line, self.change_share, self.raise_line, self.stop_or_go] * 2

    def lend(self) -> None:
        who = self.dice.choice(list(self.hamlet.people))
        amount, count = self.dice.randint(50, 2_500), self.dice.randint(1, 5)
        if self.dice.random() < 0.3:
            self.hamlet.lend(who, amount, count)
        else:
            draw(self.hamlet, self.line, who, amount, count)

    def change_line(self) -> None:
        self.hamlet.do(
            service.change_limit,
            **act(self.hamlet, self.line),
            limit=yuan(self.dice.choice([2_000, 3_000, 5_000])),
            no_new_draws_until_below=self.dice.random() < 0.5,
        )

    def change_share(self) -> None:
        member = self.dice.choice(list(self.hamlet.people.values()))
        self.hamlet.do(
            service.change_sub_limit,
            **act(self.hamlet, self.line, member_id=member.id),
            limit=yuan(self.dice.choice([0, 500, 1_500])),
            no_new_draws_until_below=self.dice.random() < 0.5,
        )

    def raise_line(self) -> None:
        member = self.dice.choice([None, *self.hamlet.people.values()])
        self.hamlet.do(
            service.raise_for_a_while,
            **act(self.hamlet, self.line, member_id=None if member is None else member.id),
            by=yuan(self.dice.choice([50, 300])),
            until_on=self.hamlet.day + timedelta(days=self.dice.choice([0, 5, 20])),
        )

    def stop_or_go(self) -> None:
        running = self.line.status is LineStatus.ACTIVE
        step = service.suspend if running and self.dice.random() < 0.3 else service.resume
        self.hamlet.do(step, **act(self.hamlet, self.line))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_used_is_what_is_out_whatever_happens(engine: Engine, seed: int) -> None:
    """Counted here from the loans alone, after every step."""
    steps = 40 if engine.dialect.name == "sqlite" else 18
    with session_factory(engine)() as session:
        life = LineLife(session, seed)
        most = 0
        for number in range(steps):
            what = life.step()
            session.expire_all()
            out: dict[int, int] = {}
            for loan in session.scalars(select(Loan).where(Loan.line_id == life.line.id)):
                taken = 0
                if loan.status is LoanStatus.APPROVED:
                    taken = loan.principal_minor
                elif loan.status.value in ("current", "overdue", "called", "restructured"):
                    taken = loan.outstanding_minor + loan.principal_minor - loan.disbursed_minor
                out[loan.borrower_id] = out.get(loan.borrower_id, 0) + taken
            shares = queries.shares_of(session, life.line.id)
            assert {share.member_id: share.used_minor for share in shares} == {
                share.member_id: out.get(share.member_id, 0) for share in shares
            }, (seed, number, what)
            assert life.line.used_minor == sum(out.values()), (seed, number, what)
            most = max(most, life.line.used_minor)
            assert verify(session).breaches == (), (seed, number, what)
            session.rollback()
        assert most > 0
