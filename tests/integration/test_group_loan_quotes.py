"""A group's loan seen as one: what it costs, who answers for whom, whose word it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.charter import LiabilityMode
from community.groups.models import GroupMember, GroupMemberStatus
from community.loans import group_loans, queries, service
from community.loans.errors import GroupNotReady, NotTheLeader, PrincipalOutOfRange
from community.loans.group_loans import Answering, Stage, answering, stage_of
from community.loans.models import GroupLoan, LoanStatus
from community.members import service as members
from community.products.terms import read_terms
from tests.lending import MONTHLY, NOW, TODAY, Village, cny, make_village

RULES = {"endorsements_min": 2}


@pytest.fixture
def village(sqlite_session: Session) -> Village:
    return make_village(sqlite_session, RULES)


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    """The statements that are sent within the block."""
    sent: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        sent.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", note)


def ask(village: Village, group: Any, people: list[Any], **changes: Any) -> GroupLoan:
    """The first of a group asks for 500.00 and 300.00 for the second."""
    facts: dict[str, Any] = {
        "group_id": group.id,
        "product_id": village.monthly.id,
        "shares": {people[0].id: 500_00, people[1].id: 300_00},
        "total": cny(800_00),
        "instalments": 3,
        "purpose": "seedlings",
        "on": TODAY,
        "now": NOW,
        "actor_id": people[0].id,
    }
    made = service.apply_as_group(village.session, **facts | changes)
    village.session.commit()
    return made


def quoted(village: Village, group: Any, shares: dict[int, int], **changes: Any) -> Any:
    facts: dict[str, Any] = {
        "group_id": group.id,
        "product_id": village.monthly.id,
        "shares": shares,
        "currency": "CNY",
        "instalments": 3,
        "on": TODAY,
        "actor_id": group.leader_id,
    }
    return group_loans.quote_as_group(village.session, **facts | changes)


def test_a_group_pays_what_its_members_pay(village: Village) -> None:
    group, people = village.active_group()
    alone: dict[str, Any] = {
        "community_id": village.village.id,
        "product_id": village.monthly.id,
        "instalments": 3,
        "on": TODAY,
    }
    quote = quoted(village, group, {people[0].id: 500_00, people[1].id: 300_00})
    for borrower, minor in ((people[0].id, 500_00), (people[1].id, 300_00)):
        assert quote.shares[borrower] == service.quote(
            village.session, **alone, principal=cny(minor)
        )
    # 0.8 % a month: 4.00 + 2.68 + 1.34 on 500.00, 2.40 + 1.61 + 0.81 on 300.00.
    assert (quote.principal_minor, quote.interest_minor) == (800_00, 8_02 + 4_82)
    assert (quote.fees_minor, quote.total_minor) == (0, 812_84)
    rates = [share.effective_yearly_rate_ppm for share in quote.shares.values()]
    assert min(rates) <= quote.effective_yearly_rate_ppm <= max(rates)
    # Two alike cost together what each of them costs.
    alike = quoted(village, group, {people[0].id: 500_00, people[1].id: 500_00})
    one = alike.shares[people[0].id]
    assert alike.effective_yearly_rate_ppm == one.effective_yearly_rate_ppm


def test_a_quote_is_refused_as_the_application_would_be(village: Village) -> None:
    group, people = village.active_group()
    first, second = people[0].id, people[1].id
    for act in (
        lambda shares: quoted(village, group, shares),
        lambda shares: ask(village, group, people, shares=shares, total=cny(sum(shares.values()))),
    ):
        with pytest.raises(PrincipalOutOfRange) as refused:
            act({first: 500_00, second: 99_99})
        assert refused.value.members["member"] == people[1].public_id
        assert refused.value.members["field"] == "shares"
        village.session.rollback()
    with pytest.raises(NotTheLeader):
        quoted(village, group, {second: 500_00}, actor_id=second)
    group.status = type(group.status).DISSOLVED
    with pytest.raises(GroupNotReady):
        quoted(village, group, {first: 500_00})


def test_each_share_may_have_its_own_purpose(village: Village) -> None:
    group, people = village.active_group()
    made = ask(village, group, people, purposes={people[1].id: "a pump"})
    shares = queries.list_shares(village.session, made.id)
    assert [share.purpose for share in shares] == ["seedlings", "a pump"]


@pytest.mark.parametrize(
    ("mode", "first", "second", "third"),
    [
        # Half of 500.01 is covered, a cent rounded up: 250.01; half of 100.00 is 50.00.
        # The agreement lets 200.00 be asked of each for each.
        ("several", {2: 50_00}, {1: 200_00}, {1: 200_00, 2: 50_00}),
        ("pledge_only", {2: 50_00}, {1: 200_00}, {1: 200_00, 2: 50_00}),
        # What one of them leaves unpaid the others pay, each up to the promise.
        ("joint_and_several", {2: 200_00}, {1: 200_00}, {1: 200_00, 2: 200_00}),
        ("none", {}, {}, {}),
    ],
)
def test_who_answers_for_whom_and_for_how_much(
    mode: str, first: dict[int, int], second: dict[int, int], third: dict[int, int]
) -> None:
    terms = replace(read_terms(MONTHLY), cover_ratio_bps=5_000, liability_mode=LiabilityMode(mode))
    found = answering(terms, {1: 500_01, 2: 100_00}, [3, 1, 2], 200_00)
    assert found == (Answering(1, first), Answering(2, second), Answering(3, third))
    assert found[2].at_most_minor == sum(third.values())
    # Without cover nobody is asked, whatever the liability.
    bare = replace(terms, cover_ratio_bps=0)
    assert {one.at_most_minor for one in answering(bare, {1: 500_01}, [1, 2], 200_00)} == {0}


S = LoanStatus


@pytest.mark.parametrize(
    ("statuses", "stage"),
    [
        ([S.SUBMITTED, S.ENDORSED], Stage.WAITS_FOR_WORDS),
        ([S.ENDORSED, S.ENDORSED], Stage.WAITS_FOR_DECISION),
        ([S.APPROVED, S.APPROVED], Stage.WAITS_FOR_MONEY),
        ([S.CLOSED, S.OVERDUE], Stage.BEING_REPAID),
        ([S.CLOSED, S.WRITTEN_OFF], Stage.OVER),
        ([S.REJECTED, S.REJECTED], Stage.REJECTED),
        ([S.WITHDRAWN], Stage.WITHDRAWN),
        ([S.EXPIRED], Stage.EXPIRED),
    ],
)
def test_how_far_a_group_loan_is(statuses: list[LoanStatus], stage: Stage) -> None:
    assert stage_of(statuses) is stage
    assert stage_of(statuses[::-1]) is stage


def test_it_waits_for_the_word_of_whoever_may_still_give_one(db_session: Session) -> None:
    session, village = db_session, make_village(db_session, RULES)
    group, people = village.active_group()
    home = members.register_household(session, reference="h-1", now=NOW)
    for person in (people[0], people[4]):
        members.move_to_household(
            session, member_id=person.id, household_id=home.id, now=NOW, actor_id=None
        )
    session.commit()
    made = ask(village, group, people)

    def waits_for() -> list[int]:
        return [
            number
            for number, person in enumerate(people)
            if session.scalars(group_loans.waiting_for(person.id)).all() == [made]
        ]

    def missing() -> list[list[int]]:
        [file] = group_loans.files_of(session, [made])
        ids = [person.id for person in people]
        return [[ids.index(one) for one in file.missing[share.id]] for share in file.shares]

    # The first and the last share a purse: neither speaks for the first one's share.
    assert waits_for() == [0, 1, 2, 3, 4]
    assert missing() == [[1, 2, 3], [0, 2, 3, 4]]
    word: dict[str, Any] = {"group_loan_id": made.id, "on": TODAY, "now": NOW}
    for number in (2, 4):
        service.endorse_group_loan(session, **word, endorser_id=people[number].id)
    session.commit()
    # The second one's share has its two words; the first one's waits for one more.
    assert waits_for() == [1, 3]
    assert missing() == [[1, 3], []]
    communities.suspend_membership(
        session,
        community_id=village.village.id,
        member_id=people[3].id,
        reason="away",
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    session.commit()
    assert waits_for() == [1]
    assert missing() == [[1], []]
    place = session.query(GroupMember).filter_by(group_id=group.id, member_id=people[1].id).one()
    place.status = GroupMemberStatus.ACCEPTED
    session.commit()
    assert waits_for() == []
    place.status = GroupMemberStatus.SIGNED
    service.endorse_group_loan(session, **word, endorser_id=people[1].id)
    assert waits_for() == []
    [file] = group_loans.files_of(session, [made])
    assert file.stage is Stage.WAITS_FOR_DECISION
    assert set(file.needed.values()) == {0}


def test_reading_many_asks_no_more_than_reading_one(village: Village) -> None:
    session = village.session
    group, people = village.active_group()
    made = [ask(village, group, people) for _ in range(3)]

    def statements(rows: list[GroupLoan]) -> int:
        session.expire_all()
        [row.id for row in rows]
        with counted(session) as asked:
            group_loans.files_of(session, rows)
        return len(asked)

    assert statements(made) == statements(made[:1])
