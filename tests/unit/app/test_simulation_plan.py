"""The plan of lives: the same by seed, possible to live, and with all truths in it."""

from collections import Counter
from dataclasses import replace

import pytest

from app.simulation.assumed import ASSUMED
from app.simulation.plan import Kind, Person, Plan, What, make_plan, opinion, payments

# Nobody pays late or early: what a person does is what is looked at.
PUNCTUAL = replace(ASSUMED, late_a_little=0, late_much=0, pays_early=0)
DUES = [(30, 100), (60, 100), (90, 100), (120, 100)]


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(3, villages=9, days=400)


def test_the_same_seed_gives_the_same_lives_and_another_one_others(plan: Plan) -> None:
    assert make_plan(3, villages=9, days=400) == plan
    assert make_plan(4, villages=9, days=400).villages[0].acts != plan.villages[0].acts


def test_nobody_does_anything_before_they_joined_and_days_follow_each_other(plan: Plan) -> None:
    for village in plan.villages:
        here: set[str] = set()
        for act in village.acts:
            if act.what is What.JOIN:
                here.add(act.who)
            elif act.what is not What.REVIEW:
                assert {act.who, act.other} - {""} <= here, act
        days = [act.day for act in village.acts]
        assert days == sorted(days)
        assert days[0] >= 0
        assert days[-1] < 400


def test_each_truth_has_a_village_of_its_own(plan: Plan) -> None:
    assert Counter(truth.kind for truth in plan.planted) == {
        Kind.RING: 3,
        Kind.PANEL: 1,
        Kind.INVENTED: 1,
        Kind.FLOOD: 1,
        Kind.PYRAMID: 1,
    }
    assert len({truth.village for truth in plan.planted}) == 7
    for truth in plan.planted:
        assert truth.people <= plan.villages[truth.village].people.keys()
        assert not truth.people & truth.helpers


def test_honest_life_has_what_looks_like_trouble(plan: Plan) -> None:
    """Pairs who promise each other, and newcomers tied to newcomers, where nothing is planted."""
    pairs = newcomers = 0
    guilty = {truth.village for truth in plan.planted}
    for village in plan.villages:
        if village.number in guilty:
            continue
        promises = {(a.who, a.other) for a in village.acts if a.what is What.PROMISE}
        pairs += sum(one < other and (other, one) in promises for one, other in promises)
        newcomers += sum(person.joins > 10 for person in village.people.values())
    assert pairs > 40
    assert newcomers > 4


def test_whoever_quits_brings_nothing_more_unless_they_come_back() -> None:
    person = Person("an", "h1", "paddy", 4_000, quits=60)
    assert payments(person, "1", DUES, PUNCTUAL) == [(30, 100)]
    person.back = 150
    # Then they bring all that is owed.
    assert payments(person, "1", DUES, PUNCTUAL) == [(30, 100), (150, None)]


def test_after_a_dry_time_what_fell_due_in_it_is_brought() -> None:
    person = Person("an", "h1", "paddy", 4_000, dry=[(50, 100)])
    brought = payments(person, "1", DUES, PUNCTUAL)
    assert [amount for _, amount in brought] == [100] * 4
    assert brought[0][0] == 30
    assert all(100 <= day <= 120 for day, _ in brought[1:3])
    assert brought[3][0] == 120


def test_the_panel_lifts_its_own_households_and_nobody_elses(plan: Plan) -> None:
    [truth] = [truth for truth in plan.planted if truth.kind is Kind.PANEL]
    village = plan.villages[truth.village]
    one, other = sorted(truth.people)[:2]
    home = village.people[other].home
    worth = max(p.worth_yuan for p in village.people.values() if p.home == home)
    review = village.panel_review
    lifted = opinion(village, review, one, home)
    assert lifted is not None
    assert lifted >= worth * 1.5
    outsider = next(who for who in village.reviewers if who not in truth.people)
    honest = [opinion(village, review, who, home) for who in village.reviewers[:12]]
    said = sorted(yuan for yuan in honest if yuan is not None)
    assert said[len(said) // 2] < lifted
    # What somebody thinks is the same whenever they are asked.
    assert opinion(village, review, outsider, home) == opinion(village, review, outsider, home)
