"""Invented members and pyramids, each planted, and a village in which there is none."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from community.risk.alarms import AlarmKind, find_alarms, gate
from community.risk.concentration import herfindahl
from community.savings.service import withdraw
from tests.hamlet import Hamlet, yuan

RULES: dict[str, Any] = {
    "newcomer_days": 100,
    "newcomer_trust_bps": 2_000,
    "invented_ring_min": 3,
    "inflow_days": 90,
    "inflow_below_min": 6,
    "inflow_alike_bps": 5_000,
    "inflow_payout_bps": 3_000,
}


def mutual(hamlet: Hamlet, one: str, other: str) -> None:
    hamlet.vouch(one, other, 5)
    hamlet.vouch(other, one, 5)


def old_village(session: Session) -> Hamlet:
    """Five who all know each other, for longer than anybody is new."""
    hamlet = Hamlet(session, rules=RULES)
    names = ["an", "bo", "cai", "dai", "fu"]
    for name in names:
        hamlet.person(name)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            mutual(hamlet, one, other)
    hamlet.day += timedelta(days=200)
    return hamlet


def alarms(hamlet: Hamlet) -> dict[AlarmKind, list[tuple[int, ...]]]:
    found: dict[AlarmKind, list[tuple[int, ...]]] = {}
    for alarm in find_alarms(hamlet.session, community_id=hamlet.community.id, on=hamlet.day):
        found.setdefault(alarm.kind, []).append(alarm.member_ids)
    return found


def ids(hamlet: Hamlet, *names: str) -> tuple[int, ...]:
    return tuple(sorted(hamlet.people[name].id for name in names))


def test_a_ring_of_invented_members_is_told_and_a_known_newcomer_is_not(
    db_session: Session,
) -> None:
    hamlet = old_village(db_session)
    ring = ["x1", "x2", "x3", "x4"]
    for name in [*ring, "good"]:
        hamlet.person(name)
    for at, one in enumerate(ring):
        for other in ring[at + 1 :]:
            mutual(hamlet, one, other)
    for friend in ("an", "bo", "cai"):
        mutual(hamlet, "good", friend)
    # As many promises one way as they like: only those that are returned are ties.
    for one in ring:
        hamlet.vouch(one, "an", 5)
    assert alarms(hamlet) == {AlarmKind.INVENTED_RING: [ids(hamlet, *ring)]}
    place = {"community_id": hamlet.community.id, "on": hamlet.day}
    asked = gate(db_session, member_id=hamlet.people["x1"].id, **place)
    assert asked is not None
    assert asked.facts["ties_to_known"] == 0
    assert gate(db_session, member_id=hamlet.people["good"].id, **place) is None
    assert gate(db_session, member_id=hamlet.people["an"].id, **place) is None
    # With time they are known as members like any others: the gate is for those who are new.
    hamlet.day += timedelta(days=101)
    assert alarms(hamlet) == {}


def test_a_pyramid_of_deposits_is_told_from_the_top(db_session: Session) -> None:
    hamlet = old_village(db_session)
    below = {"an": ["p1", "p2", "p3"], "p1": ["q1", "q2"], "p2": ["q3"], "p3": ["q4"]}
    for top, names in below.items():
        for name in names:
            hamlet.day += timedelta(days=1)
            hamlet.person(name)
            hamlet.vouch(top, name, 1)
            # The entrance share that everybody pays, and the ticket.
            hamlet.save(name, 50)
            hamlet.save(name, 1_000)
    # Whoever sold tickets hands them in: that is no new money.
    for name, amount in (("an", 3_000), ("p1", 2_000), ("p2", 1_000), ("p3", 1_000)):
        hamlet.save(name, amount)
    # Four who sold nothing brought 1,050, three sellers a ticket each: 7,200. The last unit makes
    # three tenths of what goes out to those above.
    for name, amount in (("an", 2_000), ("p1", 159), ("p3", 1)):
        assert AlarmKind.PYRAMID not in alarms(hamlet)
        hamlet.do(
            withdraw,
            community_id=hamlet.community.id,
            member_id=hamlet.people[name].id,
            amount=yuan(amount),
            actor_id=None,
            **hamlet.when,
        )
    [found] = [
        alarm
        for alarm in find_alarms(db_session, community_id=hamlet.community.id, on=hamlet.day)
        if alarm.kind is AlarmKind.PYRAMID
    ]
    assert found.member_ids[0] == hamlet.people["an"].id
    assert found.facts["levels"] == 2
    assert found.facts["below"] == 7
    assert (found.facts["came_in_minor"], found.facts["paid_out_minor"]) == (7_200, 2_160)
    assert (found.facts["ticket_minor"], found.facts["alike_bps"]) == (1_000, 10_000)
    # A quarter later nothing of it is new any more.
    hamlet.day += timedelta(days=100)
    assert AlarmKind.PYRAMID not in alarms(hamlet)


def test_an_old_village_raises_no_alarm(db_session: Session) -> None:
    assert alarms(old_village(db_session)) == {}


def test_concentration_by_hand() -> None:
    # 50, 30 and 20 of 100: 0.25 + 0.09 + 0.04 = 0.38; 1 / 0.38 = 2.6316 equal parts.
    assert herfindahl([50, 30, 20]) == (3_800, 2_632)
    assert herfindahl([7]) == (10_000, 1_000)
    assert herfindahl([1, 1, 1, 1]) == (2_500, 4_000)
    assert herfindahl([]) == (0, 0)
