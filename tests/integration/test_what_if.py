"""What a circle would cost, and who would be called: worked by hand, and lived through."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees.failure import advance_loans
from community.guarantees.models import Call
from community.loans.models import Loan
from community.risk import queries
from community.risk.book import read_desk
from community.risk.errors import BadChange
from community.risk.network_map import OUTSIDE, risk_map
from community.risk.what_if import Changes, WhatIf, call_plan, promises_within, what_if
from community.trust.models import Vouch
from tests.hamlet import Hamlet
from tests.integration.test_risk_circles import an_bo_and_cai, search

# What is worked out does not depend on the kind of database.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


def vouch_of(hamlet: Hamlet, giver: str, taker: str) -> str:
    found = hamlet.session.scalar(
        select(Vouch.public_id).where(
            Vouch.voucher_id == hamlet.people[giver].id,
            Vouch.borrower_id == hamlet.people[taker].id,
        )
    )
    assert found is not None
    return found


def suppose(hamlet: Hamlet, **changes: object) -> WhatIf:
    given: dict[str, object] = {"limits": {}} | changes
    return what_if(
        hamlet.session,
        community=hamlet.community,
        inside=[hamlet.people[name].id for name in ("an", "bo", "cai")],
        changes=Changes(**given),  # type: ignore[arg-type]
        on=hamlet.day,
    )


def figures(found: WhatIf) -> list[tuple[int, int, int, int]]:
    return [
        (
            cost.expected_pool_minor,
            cost.expected_members_minor,
            cost.worst_pool_minor,
            cost.worst_members_minor,
        )
        for cost in (found.before, found.after)
    ]


NOW = (3_50, 7_50, 45_00, 65_00)


def test_nothing_supposed_is_what_the_search_says(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    found = suppose(hamlet)
    assert figures(found) == [NOW, NOW]
    assert (found.expected_change_bps, found.worst_change_bps, found.moved_minor) == (0, 0, 0)
    assert found.plan_before is found.plan_after is None


def test_suggestions_come_to_what_the_search_said(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    replaced = suppose(hamlet, replaced=(vouch_of(hamlet, "bo", "an"),))
    assert (replaced.expected_change_bps, replaced.worst_change_bps) == (-27_27, -27_27)
    assert replaced.moved_minor == 3_00
    assert replaced.after.expected_pool_minor == 1_50
    locked = suppose(hamlet, locked={hamlet.people["bo"].public_id: 40_00})
    assert figures(locked) == [NOW, (50, 9_50, 5_00, 95_00)]


def test_a_lower_limit_takes_what_is_free_first_and_then_cover(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    vouch = vouch_of(hamlet, "bo", "an")
    # 30 of the 40 are in use: down to 30 nothing rests on what goes.
    assert figures(suppose(hamlet, limits={vouch: 30_00})) == [NOW, NOW]
    # At 10: An alone, Bo pays 10 and Cai 25 by hand, 25 are lost; Bo alone and together as before.
    # 0.05 * (25 + 10) + 0.05 * 45, and 0.05 * (35 + 40) + 0.05 * 65.
    assert figures(suppose(hamlet, limits={vouch: 10_00})) == [NOW, (4_00, 7_00, 45_00, 65_00)]
    # What is replaced has no limit of its own any more.
    both = suppose(hamlet, limits={vouch: 0}, replaced=(vouch,))
    assert both.after == suppose(hamlet, replaced=(vouch,)).after
    # Nothing of this is written, and nothing of it hangs on the order.
    assert figures(suppose(hamlet)) == [NOW, NOW]


def test_two_promises_replaced_are_both_stood_for(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    found = suppose(hamlet, replaced=(vouch_of(hamlet, "bo", "an"), vouch_of(hamlet, "cai", "an")))
    # An's 60 are covered from outside; Bo's own 10 are lost, alone (0.05 * 10) and together.
    assert found.after.expected_pool_minor == 1_00
    assert found.after.worst_pool_minor == 10_00
    # From outside 60 are paid where An fails: 0.05 * 60 alone and 0.05 * 60 together.
    assert found.moved_minor == 6_00


def test_what_cannot_be_supposed_is_refused(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    hamlet.person("far", assessed=10_00)
    hamlet.person("away", assessed=10_00)
    hamlet.vouch("far", "away", 5_00)
    bo = hamlet.people["bo"].public_id
    wrong: list[tuple[dict[str, object], str]] = [
        ({"limits": {vouch_of(hamlet, "far", "away"): 0}}, "limits"),
        ({"replaced": ("vch_0000000000000000",)}, "limits"),
        ({"locked": {bo: 40_01}}, "locked"),
        ({"locked": {hamlet.people["far"].public_id: 1}}, "locked"),
        ({"failing": (hamlet.people["far"].public_id,)}, "fails"),
    ]
    for changes, field in wrong:
        with pytest.raises(BadChange) as refusal:
            suppose(hamlet, **changes)
        assert refusal.value.members["field"] == field


def test_a_member_who_fails_before_and_after(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    an = hamlet.people["an"].public_id
    found = suppose(hamlet, failing=(an,), replaced=(vouch_of(hamlet, "bo", "an"),))
    assert found.plan_before is not None
    assert found.plan_after is not None
    assert (found.plan_before.owed_minor, found.plan_before.outcome.lost_minor) == (60_00, 15_00)
    assert found.plan_after.outcome.lost_minor == 5_00
    names = {member.id: name for name, member in hamlet.people.items()}
    assert [names.get(each.call.guarantor_id) for each in found.plan_after.calls] == [None, "cai"]


def test_a_plan_is_what_happens_day_by_day(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    [loan] = db_session.scalars(select(Loan).where(Loan.borrower_id == hamlet.people["an"].id))
    # The day on which the only payment is due.
    hamlet.day += timedelta(days=31)
    plan = call_plan(
        db_session,
        community=hamlet.community,
        member_id=hamlet.people["an"].id,
        on=hamlet.day,
    )
    for _ in range(20):
        hamlet.day += timedelta(days=1)
        hamlet.do(advance_loans, loan_ids=[loan.id], **hamlet.when)
    real = db_session.scalars(select(Call).order_by(Call.id)).all()
    assert [(call.guarantor_id, call.issued_on, call.deadline_on) for call in real] == [
        (each.call.guarantor_id, each.on, each.deadline_on) for each in plan.calls
    ]
    assert [each.call.amount_minor for each in plan.calls] == [call.amount_minor for call in real]


def test_the_map_has_all_promises_once(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    hamlet.person("far", assessed=10_00)
    hamlet.vouch("far", "bo", 5_00)
    run = search(hamlet)
    found = risk_map(db_session, run, on=hamlet.day, limit=10, named=10)
    [circle] = found.circles
    assert (circle.level, circle.expected_minor, found.others) == (4, 11_00, 0)
    # Within: 40 + 30 + 5 + 45 promised, 30 + 30 + 40 in use; from outside: far's 5.
    assert [
        (tie.source, tie.target, tie.vouches, tie.amount_minor, tie.reserved_minor)
        for tie in found.ties
    ] == [(OUTSIDE, 1, 1, 5_00, 0), (1, 1, 4, 120_00, 100_00)]
    assert len(found.promises) == 4
    assert found.outside_members == 1
    # Not drawn by itself it is one of the others, and no member of it is read.
    none = risk_map(db_session, run, on=hamlet.day, limit=0, named=0)
    assert (none.others, none.others_expected_minor, none.others_worst_minor) == (1, 11_00, 110_00)
    assert (none.promises, none.people) == ((), {})


def test_promises_and_weeks_of_a_circle(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    inside = [hamlet.people[name].id for name in ("an", "bo", "cai")]
    desk = read_desk(db_session, community=hamlet.community, on=hamlet.day)
    told = promises_within(db_session, desk, inside, most=3)
    assert [(each.amount_minor, each.reserved_minor) for each in told] == [
        (45_00, 40_00),
        (40_00, 30_00),
        (30_00, 30_00),
    ]
    first = search(hamlet)
    for days in (1, 7, 1):
        hamlet.day += timedelta(days=days)
        last = search(hamlet)
    name = queries.circles_of(db_session, last, limit=1)[0][1]
    weeks = queries.history_of(db_session, name, limit=10)
    # The last search of each week.
    assert [run.number for run, _ in weeks] == [4, 2]
    assert first.number == 1
    assert queries.history_of(db_session, name, limit=1)[0][0].number == 4
