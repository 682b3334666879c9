"""What members could owe for others: figures worked by hand, against real calls, in few statements.

Amounts are plain minor units.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from community.communities.charter import RiskClass
from community.exposure.register import Register, register_of
from community.guarantees.models import Call, CallStatus
from community.loans.models import Loan, LoanStatus
from community.members.models import Member, MemberKind
from community.portfolio.models import LoanClass
from community.trust.models import PromiseCheck, Vouch, VouchKind, VouchSide, VouchStatus
from community.verification import verify
from tests.hamlet import FAR, Hamlet


def register(hamlet: Hamlet, name: str) -> Register:
    return register_of(
        hamlet.session,
        community_id=hamlet.community.id,
        member_id=hamlet.people[name].id,
        on=hamlet.day,
    )


def figures(hamlet: Hamlet, name: str) -> tuple[int, ...]:
    """Signed at most, reserved, called, if all fail, if those at risk fail, if nobody else pays."""
    found = register(hamlet, name)
    return (
        found.most_minor,
        found.reserved_minor,
        found.called_minor,
        found.if_all_fail_minor,
        found.if_at_risk_fail_minor,
        found.if_nobody_else_pays_minor,
    )


def lent(session: Session, mode: str) -> tuple[Hamlet, Loan]:
    """Ben borrows 100: own 10, Uma 30, Xia 40, and Wei 20 behind Uma.

    All is assessed, so that nothing pays before somebody does by hand; but where only stakes are
    pledged they are stakes.
    """
    hamlet = Hamlet(session, terms={"liability_mode": mode})
    hamlet.fund(1_000)
    kind = "stake" if mode == "pledge_only" else "assessed"
    for name, amount in (("ben", 10), ("uma", 50), ("wei", 50), ("xia", 90)):
        hamlet.person(name, **{kind: amount})
    hamlet.vouch("uma", "ben", 70)
    hamlet.vouch("wei", "uma", 20)
    hamlet.vouch("xia", "ben", 80)
    return hamlet, hamlet.lend("ben", 150)


def only_payer(hamlet: Hamlet, loan: Loan, who: str) -> int:
    """What comes of the loan if everybody fails but this one, who pays whatever is asked."""
    hamlet.wait(45, loan)
    assert loan.status in (LoanStatus.CALLED, LoanStatus.CLOSED)
    for _ in range(6):
        for call in hamlet.session.scalars(
            select(Call).where(Call.loan_id == loan.id, Call.status == CallStatus.OPEN)
        ).all():
            if call.guarantor_id == hamlet.people[who].id:
                hamlet.pay(call, call.open_minor)
        hamlet.wait(6, loan)
    calls = hamlet.session.scalars(
        select(Call).where(Call.loan_id == loan.id, Call.guarantor_id == hamlet.people[who].id)
    ).all()
    return sum(call.paid_minor for call in calls)


# Uma and Xia carry 50 and 80 of the 150 themselves and Ben 10; Wei stands for 10 behind Uma.
# Several: each their shares. Uma is asked first for what Wei carries.
# Joint and several: what Ben leaves (10) and, if Uma fails, nothing of hers beyond Wei is Xia's:
# her promise is used up.


def test_each_is_asked_for_what_they_stand_for(db_session: Session) -> None:
    hamlet, _ = lent(db_session, "several")
    assert figures(hamlet, "uma") == (70, 60, 0, 60, 0, 60)
    # Wei owes only if Ben fails, and Uma fails for him.
    assert figures(hamlet, "wei") == (20, 10, 0, 10, 0, 10)
    assert figures(hamlet, "xia") == (80, 80, 0, 80, 0, 80)
    assert figures(hamlet, "ben") == (0, 0, 0, 0, 0, 0)
    [line] = register(hamlet, "wei").lines
    assert line.borrower.name == "uma"
    [part] = line.loans
    assert (part.borrower.name, part.second_hop, part.reserved_minor) == ("ben", True, 10)
    hamlet.check()


def test_where_stakes_are_pledged_only_ones_own_lines_count(db_session: Session) -> None:
    hamlet, _ = lent(db_session, "pledge_only")
    # Of the 60 that rest on Uma's promise, Wei's stake carries 10.
    assert figures(hamlet, "uma") == (70, 60, 0, 50, 0, 50)
    assert figures(hamlet, "wei") == (20, 10, 0, 10, 0, 10)


@pytest.mark.parametrize("behind_uma", [False, True])
def test_jointly_others_shares_come_on_top_up_to_the_promise(
    db_session: Session, behind_uma: bool
) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000)
    for name, amount in (("ben", 10), ("uma", 50), ("xia", 100)):
        hamlet.person(name, assessed=amount)
    hamlet.vouch("uma", "ben", 70)
    hamlet.vouch("xia", "ben", 60)
    loan = hamlet.lend("ben", 90)
    if behind_uma:
        hamlet.vouch("xia", "uma", 5)
    # Own 10, then Xia's promise of 60, the larger standing first, and 20 of Uma's 50.
    assert figures(hamlet, "xia")[1:] == (60, 0, 60, 0, 60)
    # Uma's room: 50 are left of her promise, 30 of her standing. Ben's own 10 are asked of her if
    # he fails; Xia's 60 too if she pays nothing, but Uma does not stand behind her.
    assert figures(hamlet, "uma")[1:] == (20, 0, 30, 0, 50)
    hamlet.repay(loan, 40)
    # 50 are left: own 10, and of the 40 Xia holds 30 and Uma 10. Now Xia has room of 30: Ben's 10
    # are shared by rooms, 30 of Xia's and 40 of Uma's, 4.29 and 5.71; with Uma's 10 it is all hers.
    assert figures(hamlet, "xia")[1:] == (30, 0, 50 if behind_uma else 34, 0, 50)
    hamlet.check()
    said = register(hamlet, "xia").if_nobody_else_pays_minor
    assert only_payer(hamlet, loan, "xia") == said


@pytest.mark.parametrize("mode", ["several", "joint_and_several", "pledge_only"])
@pytest.mark.parametrize("who", ["uma", "wei", "xia"])
def test_real_calls_ask_what_the_register_says(db_session: Session, mode: str, who: str) -> None:
    hamlet, loan = lent(db_session, mode)
    said = register(hamlet, who).if_nobody_else_pays_minor
    assert only_payer(hamlet, loan, who) == said
    hamlet.check()


def test_at_risk_is_late_for_long_or_of_a_bad_class(db_session: Session) -> None:
    hamlet = Hamlet(db_session, rules={"at_risk_days": 5, "call_day": 40})
    hamlet.fund(1_000)
    for name in ("ana", "ben"):
        hamlet.person(name)
    hamlet.person("uma", assessed=100)
    hamlet.vouch("uma", "ana", 30)
    hamlet.vouch("uma", "ben", 50)
    first, second = hamlet.lend("ana", 20), hamlet.lend("ben", 40)
    assert figures(hamlet, "uma") == (80, 60, 0, 60, 0, 60)
    hamlet.wait(31 + 5, first)  # due after a month
    assert first.overdue_since_on is not None
    late = (hamlet.day - first.overdue_since_on).days
    assert figures(hamlet, "uma")[4] == (20 if late > 5 else 0)
    hamlet.wait(6 - late if late < 6 else 0, first)
    assert figures(hamlet, "uma") == (80, 60, 0, 60, 20, 60)
    assert [line.borrower_at_risk for line in register(hamlet, "uma").lines] == [True, False]
    for loan_class, expected in ((RiskClass.SPECIAL_MENTION, 20), (RiskClass.SUBSTANDARD, 60)):
        row = hamlet.session.get(LoanClass, second.id) or LoanClass(
            loan_id=second.id,
            community_id=hamlet.community.id,
            since_on=hamlet.day,
            as_of_on=hamlet.day,
            provision_minor=0,
        )
        row.own_class = row.risk_class = loan_class
        hamlet.session.add(row)
        hamlet.session.commit()
        assert figures(hamlet, "uma")[4] == expected


def test_what_is_called_is_shown(db_session: Session) -> None:
    hamlet, loan = lent(db_session, "several")
    hamlet.wait(45, loan)
    assert figures(hamlet, "uma")[2] == 60
    hamlet.pay(hamlet.calls(loan)["uma"], 25)
    assert figures(hamlet, "uma")[1:4] == (35, 35, 35)


def test_a_thousand_promises_take_as_many_statements_as_ten(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("uma", assessed=100)
    hamlet.person("ben")
    hamlet.vouch("uma", "ben", 50)
    hamlet.lend("ben", 30)
    promise(hamlet, 9)
    with statements(db_session) as few:
        assert len(register(hamlet, "uma").lines) == 10
    promise(hamlet, 990)
    with statements(db_session) as many:
        assert len(register(hamlet, "uma").lines) == 1_000
    assert len(many) == len(few) <= 12
    # The promises themselves: one statement.
    assert sum("FROM vouches" in sent for sent in many) == 1


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """The statements that a session sends while the block runs."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    session.commit()
    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def promise(hamlet: Hamlet, count: int) -> None:
    """Promises of Uma for as many people, as rows."""
    people = [
        Member(
            kind=MemberKind.PERSON,
            name=f"person {number}",
            birth_year=1980,
            created_at=hamlet.now,
        )
        for number in range(count)
    ]
    hamlet.session.add_all(people)
    hamlet.session.flush()
    hamlet.session.add_all(
        Vouch(
            community_id=hamlet.community.id,
            kind=VouchKind.PERSONAL,
            voucher_id=hamlet.people["uma"].id,
            borrower_id=person.id,
            offered_by=VouchSide.VOUCHER,
            limit_minor=5,
            reserved_minor=0,
            spent_minor=0,
            status=VouchStatus.LIVE,
            offered_at=hamlet.now,
            accepted_at=hamlet.now,
            expires_on=FAR,
        )
        for person in people
    )
    hamlet.session.commit()


def test_what_was_looked_at_is_kept_and_proved(db_session: Session) -> None:
    hamlet = Hamlet(db_session, rules={"guarantee_ratio_bps_max": 20_000})
    hamlet.person("uma", assessed=50)
    hamlet.person("ben")
    vouch = hamlet.vouch("uma", "ben", 60)
    kept = db_session.scalars(select(PromiseCheck)).one()
    assert (kept.vouch_id, kept.count_after, kept.count_max) == (vouch.id, 1, 30)
    assert (kept.promised_minor, kept.base_minor, kept.allowed_minor) == (60, 50, 100)
    hamlet.check()
    for broken in (
        "UPDATE promise_checks SET promised_minor = 1",
        "DELETE FROM promise_checks",
        "INSERT INTO promise_checks (id, community_id, member_id, charter_id, vouch_id,"
        " count_after, count_max, promised_minor, base_minor, allowed_minor, checked_on,"
        " checked_at) SELECT id + 1, community_id, member_id, charter_id, vouch_id, 31, 30, 1, 1,"
        " NULL, checked_on, checked_at FROM promise_checks",
        "INSERT INTO promise_checks (id, community_id, member_id, charter_id, vouch_id,"
        " count_after, count_max, promised_minor, base_minor, allowed_minor, checked_on,"
        " checked_at) SELECT id + 1, community_id, member_id, charter_id, vouch_id, 1, 30, 2, 1,"
        " 1, checked_on, checked_at FROM promise_checks",
    ):
        with pytest.raises(DatabaseError), db_session.begin_nested():
            db_session.execute(text(broken))
    # A promise grown behind everybody's back, and a cap that no charter has.
    vouch.limit_minor = 61
    db_session.add(
        PromiseCheck(
            community_id=kept.community_id,
            member_id=kept.member_id,
            charter_id=kept.charter_id,
            group_id=None,
            vouch_id=vouch.id,
            count_after=40,
            count_max=40,
            promised_minor=5,
            base_minor=50,
            allowed_minor=100,
            checked_on=hamlet.day,
            checked_at=hamlet.now,
        )
    )
    db_session.commit()
    found = {(breach.law, breach.table) for breach in verify(db_session).breaches}
    assert {(7, "promise_checks"), (2, "vouches")} <= found


def test_promises_past_their_day_count_with_what_rests_on_them(db_session: Session) -> None:
    hamlet, _ = lent(db_session, "several")
    hamlet.day = FAR + timedelta(days=1)
    assert figures(hamlet, "uma")[:2] == (60, 60)
    assert register(hamlet, "uma").count == 1
