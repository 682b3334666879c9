"""Circles from rows: found, ranked by what they can cost, named, kept; worked by hand."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.risk import queries
from community.risk.finding import CircleKind
from community.risk.models import CircleName, RiskCircle, RiskCircleMember, RiskRun
from community.risk.service import find_circles
from community.risk.words import say
from community.trust.service import revoke_vouch
from tests.hamlet import Hamlet

RULES: dict[str, Any] = {
    "circle_members_min": 2,
    "circle_members_max": 10,
    "hub_share_bps_max": 9_000,
    "failure_bps": [1_000, 2_000, 3_000, 4_000, 10_000],
    "fail_together_bps": 5_000,
    "assessed_pays_bps": 5_000,
    "circles_advised_max": 5,
    "contingent_bps_max": 30_000,
}


def an_bo_and_cai(session: Session) -> Hamlet:
    """The example of docs/risk-desk.md, in cents.

    An owes 60.00, covered by Bo 30.00 and Cai 30.00. Bo owes 50.00, covered by himself 10.00 and
    An 40.00. An has 45.00 locked; Bo 40.00 and Cai 50.00 are assessed, of which half is counted on.
    """
    hamlet = Hamlet(session, rules=RULES)
    hamlet.fund(1_000_00)
    hamlet.person("an")
    hamlet.person("bo", assessed=40_00)
    hamlet.person("cai", assessed=50_00)
    hamlet.vouch("bo", "an", 40_00)
    hamlet.vouch("cai", "an", 30_00)
    hamlet.vouch("an", "cai", 5_00)
    hamlet.vouch("an", "bo", 45_00)
    hamlet.lend("an", 60_00)
    hamlet.save("an", 45_00)
    hamlet.lock("an", 45_00)
    hamlet.lend("bo", 50_00)
    return hamlet


def search(hamlet: Hamlet) -> RiskRun:
    return hamlet.do(find_circles, community_id=hamlet.community.id, actor_id=None, **hamlet.when)


def circles(session: Session, run: RiskRun) -> list[RiskCircle]:
    return list(
        session.scalars(
            select(RiskCircle).where(RiskCircle.run_id == run.id).order_by(RiskCircle.rank)
        )
    )


def test_a_circle_by_hand(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    run = search(hamlet)
    [circle] = circles(db_session, run)
    assert (circle.kind, circle.size, circle.borrowers) == (CircleKind.CIRCLE, 3, 2)
    assert circle.exposure_minor == 110_00
    # An alone: Bo pays 20 and Cai 25 by hand, 15 are lost. Bo alone: An's stake pays 40, his own 10
    # are lost. Together: Cai 25 and An's stake 40; 35 and 10 are lost.
    assert (circle.worst_pool_minor, circle.worst_members_minor) == (45_00, 65_00)
    # 0.5 * 0.1 * (15 + 10) + 0.5 * 0.1 * 45, and 0.5 * 0.1 * (45 + 40) + 0.5 * 0.1 * 65.
    assert (circle.expected_pool_minor, circle.expected_members_minor) == (3_50, 7_50)
    by_amount = {
        (action["code"], action["amount_minor"]): action for action in reversed(circle.actions)
    }
    # Bo's promise to An replaced: 5 + 10 alone and 15 together lost; 25 + 40 and 65 paid inside.
    # Expected 1.50 + 6.50 of 11.00, at worst 15 + 65 of 110. The outsider pays 30 when An fails.
    replaced = by_amount["replace_vouch", 30_00]
    assert (replaced["expected_change_bps"], replaced["worst_change_bps"]) == (-27_27, -27_27)
    assert (replaced["pool_change_bps"], replaced["moved_minor"]) == (-57_14, 3_00)
    assert replaced["after"]["expected_pool_minor"] == 1_50
    # Bo locks the 40 that he stands for: then only Cai's other half of 10 is ever lost.
    assert circle.actions[0]["code"] == "lock_stake"
    locked = by_amount["lock_stake", 40_00]
    assert (locked["pool_change_bps"], locked["expected_change_bps"]) == (-85_71, -9_09)
    assert locked["after"] == {
        "expected_pool_minor": 50,
        "expected_members_minor": 9_50,
        "worst_pool_minor": 5_00,
        "worst_members_minor": 95_00,
    }
    paid = {
        row.member_id: (row.owed_minor, row.guaranteed_minor, row.worst_paid_minor)
        for row in db_session.scalars(select(RiskCircleMember))
    }
    assert paid == {
        hamlet.people["an"].id: (60_00, 50_00, 40_00),
        hamlet.people["bo"].id: (50_00, 40_00, 0),
        hamlet.people["cai"].id: (0, 30_00, 25_00),
    }
    hamlet.check()


def test_reasons_and_suggestions_are_said_in_both_languages(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    [circle] = circles(db_session, search(hamlet))
    names = {member.id: name for name, member in hamlet.people.items()}
    said = {
        fact["code"]: say(fact, currency="CNY", names=names)
        for fact in [*circle.reasons, *reversed(circle.actions)]
        if fact.get("amount_minor") != 40_00
    }
    assert said["replace_vouch"]["en"] == (
        "Replace this vouch, on which CNY 30.00 rests, by one of somebody outside with locked"
        " savings: expected loss −27.2 % (the pool's −57.1 %), worst loss −27.2 %."
    )
    assert "30.00 元" in said["replace_vouch"]["zh-CN"]
    assert said["cover_inside"]["en"].startswith("100 % of the cover of their loans (CNY 110.00)")
    assert said["mutual_pairs"]["zh-CN"].startswith("圈内有2对成员互相担保")
    assert said["borrow_together"]["en"] == "2 of the 3 owe at the same time."


def test_a_circle_keeps_its_name_and_says_what_a_week_changed(db_session: Session) -> None:
    hamlet = an_bo_and_cai(db_session)
    first = search(hamlet)
    hamlet.day += timedelta(days=7)
    hamlet.person("dai", assessed=10_00)
    hamlet.vouch("dai", "bo", 5_00)
    back = hamlet.vouch("bo", "dai", 5_00)
    second = search(hamlet)
    [was], [now_is] = circles(db_session, first), circles(db_session, second)
    assert was.name_id == now_is.name_id
    assert first.network_version != second.network_version
    name = db_session.get_one(CircleName, now_is.name_id)
    change = queries.circle_file(db_session, name).change
    assert change is not None
    assert change.before is not None
    assert change.since_run.id == first.id
    assert (change.joined, change.left) == ((hamlet.people["dai"].id,), ())
    # Asked twice on the same rows, the answer is the same.
    third = search(hamlet)
    assert third.network_version == second.network_version
    assert [c.name_id for c in circles(db_session, third)] == [was.name_id]
    hamlet.do(revoke_vouch, vouch_id=back.id, actor_id=hamlet.people["bo"].id, now=hamlet.now)
    [again] = circles(db_session, search(hamlet))
    assert (again.name_id, again.size) == (was.name_id, 3)


def test_who_stands_for_much_of_the_book_is_a_hub_of_their_own(db_session: Session) -> None:
    hamlet = Hamlet(db_session, rules={**RULES, "hub_share_bps_max": 5_000})
    hamlet.fund(1_000_00)
    hamlet.person("rich", stake=100_00)
    for name in ("an", "bo"):
        hamlet.person(name)
        hamlet.vouch("rich", name, 40_00)
        hamlet.lend(name, 30_00)
    [hub] = circles(db_session, search(hamlet))
    assert (hub.kind, hub.hub_id, hub.size) == (
        CircleKind.HUB,
        hamlet.people["rich"].id,
        3,
    )
    assert hub.reasons[0] == {
        "code": "hub",
        "member_id": hamlet.people["rich"].id,
        "amount_minor": 60_00,
        "share_bps": 10_000,
        "limit_bps": 5_000,
    }
    # All of it is locked: the members pay, the pool loses nothing.
    assert (hub.worst_pool_minor, hub.worst_members_minor) == (0, 60_00)
    assert (hub.expected_pool_minor, hub.expected_members_minor) == (0, 6_00)
