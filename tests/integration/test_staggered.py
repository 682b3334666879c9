"""Staggered lending and late peers, on loans and on draws of a group's line."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from community.credit import service as credit
from community.credit.errors import CreditLimitExceeded
from community.engine import session_factory
from community.errors import Conflict
from community.groups.models import Group
from community.lines import service as lines
from community.loans.models import Loan, LoanStatus
from community.members.models import Member
from community.verification import verify
from tests.integration.test_credit_races import approval, at_once
from tests.lending import NOW, TODAY, Village, cny
from tests.trust_life import mark_overdue, stake, trusting_village


def group_of_five(session: Session, **charter: Any) -> tuple[Village, Group, list[Member]]:
    """Everybody has a stake of their own; the first leads."""
    village = trusting_village(session, **charter)
    village.fund(50_000_00)
    group, people = village.active_group()
    for person in people:
        stake(village, person, 5_000_00)
    return village, group, people


def ask(village: Village, who: Member, line_id: int | None = None) -> Loan:
    if line_id is None:
        loan = village.applied(who, 300_00, instalments=3)
    else:
        loan = lines.apply(
            village.session,
            line_id=line_id,
            community_id=village.village.id,
            borrower_id=who.id,
            product_id=village.monthly.id,
            principal=cny(300_00),
            instalments=3,
            purpose="seed",
            on=TODAY,
            now=NOW,
            actor_id=who.id,
        )
    village.session.commit()
    return loan


def refused(village: Village, loan: Loan) -> dict[str, Any]:
    with pytest.raises(CreditLimitExceeded) as caught:
        credit.approve_loan(village.session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    village.session.rollback()
    return caught.value.members


def approve(village: Village, loan: Loan) -> None:
    credit.approve_loan(village.session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    village.session.commit()


def test_two_begin_and_the_leader_is_the_last(db_session: Session) -> None:
    village, _, (leader, a, b, c, _d) = group_of_five(db_session, stagger_instalments_min=1)
    loans = {person.id: ask(village, person) for person in (leader, a, b, c)}
    said = refused(village, loans[leader.id])
    assert said["binding"]["name"] == "staggered"
    assert said["binding"]["rule"] == "stagger_batches"
    approve(village, loans[a.id])
    approve(village, loans[b.id])
    said = refused(village, loans[c.id])
    detail = said["binding"]["detail"]
    assert (detail["batch"], detail["others_needed"], detail["waits_for"]) == (2, 2, 2)
    limits = credit.credit_limits(
        db_session, community_id=village.village.id, on=TODAY, member_ids=[c.id, a.id]
    )
    assert limits[c.id] == 0
    assert limits[a.id] > 0


def test_without_the_rule_everybody_begins_at_once(db_session: Session) -> None:
    village, _, people = group_of_five(db_session)
    asked = [ask(village, person) for person in people]
    for loan in asked:
        approve(village, loan)
    assert {loan.status for loan in asked} == {LoanStatus.APPROVED}


def test_draws_of_a_groups_line_are_staggered_and_wait_for_late_peers(db_session: Session) -> None:
    village, group, (_, a, b, c, d) = group_of_five(
        db_session, stagger_instalments_min=1, refuse_while_peer_late=True
    )
    line = lines.open_line(
        db_session,
        community_id=village.village.id,
        group_id=group.id,
        name="seed",
        limit=cny(2_000_00),
        sub_limits={person.id: cny(500_00) for person in (a, b, c, d)},
        from_on=TODAY,
        until_on=TODAY + timedelta(days=300),
        reason="x",
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    db_session.commit()
    draws = [ask(village, person, line.id) for person in (a, b, c)]
    approve(village, draws[0])
    mark_overdue(db_session, d)
    said = refused(village, draws[1])
    assert said["binding"]["name"] == "late_peers"
    mark_overdue(db_session, d, None)
    approve(village, draws[1])
    assert refused(village, draws[2])["binding"]["name"] == "staggered"
    assert line.used_minor == 600_00
    assert verify(db_session).breaches == ()


def test_all_of_a_group_ask_at_once_and_two_begin(engine: Engine) -> None:
    with session_factory(engine)() as session:
        village, _, people = group_of_five(session, stagger_instalments_min=1)
        ids = [ask(village, person).id for person in people[1:] for _ in range(2)]
    answers = at_once(engine, [approval(loan_id) for loan_id in ids])
    failures = [answer for answer in answers if answer != "approved"]
    assert all(isinstance(answer, Conflict) for answer in failures), failures
    with Session(engine) as session:
        begun = select(Loan.borrower_id).where(Loan.status == LoanStatus.APPROVED).distinct()
        assert len(session.scalars(begun).all()) == 2


@pytest.mark.parametrize(("limit_minor", "fits"), [(599_99, False), (600_00, True)])
def test_all_shares_of_a_group_loan_fit_on_the_line_or_none(
    db_session: Session, limit_minor: int, fits: bool
) -> None:
    village, group, (leader, a, b, *_) = group_of_five(db_session)
    line = lines.open_line(
        db_session,
        community_id=village.village.id,
        group_id=group.id,
        name="seed",
        limit=cny(limit_minor),
        sub_limits={person.id: cny(300_00) for person in (a, b)},
        from_on=TODAY,
        until_on=TODAY + timedelta(days=300),
        reason="x",
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    db_session.commit()
    group_loan = lines.apply_as_group(
        db_session,
        line_id=line.id,
        group_id=group.id,
        product_id=village.monthly.id,
        shares={a.id: 300_00, b.id: 300_00},
        total=cny(600_00),
        instalments=3,
        purpose="seed",
        on=TODAY,
        now=NOW,
        actor_id=leader.id,
    )
    db_session.commit()
    decision: dict[str, Any] = {"on": TODAY, "now": NOW, "actor_id": None}
    if fits:
        credit.approve_group_loan(db_session, group_loan_id=group_loan.id, **decision)
        db_session.commit()
    else:
        with pytest.raises(CreditLimitExceeded) as caught:
            credit.approve_group_loan(db_session, group_loan_id=group_loan.id, **decision)
        db_session.rollback()
        assert caught.value.members["binding"]["name"] == "shared_line"
        assert caught.value.members["limit"]["amount"] == "299.99"
    db_session.refresh(line)
    assert line.used_minor == (600_00 if fits else 0)
    assert verify(db_session).breaches == ()
