"""The recipe that turns a survey of villages into members, promises and loans."""

import re
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import networkx as nx

from app.villages import recipe
from app.villages.independent import layered_network
from app.villages.recipe import (
    ASSUMED,
    Assumed,
    Behaviour,
    Confirmed,
    Due,
    HouseholdRow,
    PersonRow,
    Side,
    TieRow,
)
from community.communities import templates
from community.communities.charter import read_rules
from community.products.terms import read_terms

PAGE = Path(__file__).parents[3] / "docs" / "real-data.md"
MONEY, GOODS = ASSUMED.money_minor, ASSUMED.goods_minor


def person(number: str, household: str, age: int | None = 40, **facts: bool) -> PersonRow:
    return PersonRow(
        2, "7", number, household, age, facts.get("head", False), facts.get("surveyed", False)
    )


def said(*ties: tuple[str, str, str, str], people: list[PersonRow] | None = None):  # type: ignore[no-untyped-def]
    """Words of ties given as (respondent, asker, helper, kind) among three couples."""
    people = people or [
        person(f"{home}{place}", home) for home in ("1", "2", "3") for place in ("1", "2")
    ]
    villages = recipe.settle_villages(people, [], age_min=18)
    rows = [TieRow(line, "7", *tie) for line, tie in enumerate(ties, start=2)]
    found, dropped = recipe.words(villages, rows)
    return [(w.voucher, w.borrower, w.side, w.amount_minor) for w in found], dict(dropped)


def test_the_surveyed_head_is_the_borrower_of_record_else_the_lowest_numbered_adult() -> None:
    assert recipe.head_of([person("9", "1"), person("10", "1", head=True)]) == "10"
    assert recipe.head_of([person("12", "1", head=True), person("5", "1", head=True)]) == "5"
    assert recipe.head_of([person("10", "1"), person("9", "1")]) == "9"
    assert recipe.head_of([]) is None


def test_of_unknown_age_only_who_was_surveyed_is_an_adult() -> None:
    assert recipe.is_adult(person("1", "1", None, surveyed=True), 18)
    assert not recipe.is_adult(person("1", "1", None), 18)
    assert recipe.is_adult(person("1", "1", 18), 18)
    assert not recipe.is_adult(person("1", "1", 17, surveyed=True), 18)


def test_a_household_of_children_has_no_borrower_of_record() -> None:
    [village] = recipe.settle_villages([person("1", "1", 9), person("2", "2")], [], age_min=18)
    assert village.homes["1"].head is None
    assert [home.number for home in village.heads()] == ["2"]


def test_the_helpers_household_stands_behind_the_askers_by_the_respondents_word() -> None:
    words, _ = said(("11", "11", "21", "borrowmoney"))
    assert words == [("2", "1", Side.BORROWER, MONEY)]
    words, _ = said(("21", "11", "21", "receivemoney"))
    assert words == [("2", "1", Side.VOUCHER, MONEY)]


def test_a_topic_counts_once_a_side_whoever_and_however_it_was_said() -> None:
    words, _ = said(
        ("11", "11", "21", "borrowmoney"),
        ("12", "12", "22", "receivemoney"),
        ("12", "12", "21", "keroricego"),
        ("11", "11", "21", "visitgo"),
    )
    assert words == [("2", "1", Side.BORROWER, MONEY + GOODS)]


def test_what_cannot_be_a_word_is_left_out_and_counted() -> None:
    words, dropped = said(
        ("11", "11", "12", "borrowmoney"),
        ("11", "11", "99", "borrowmoney"),
        ("31", "11", "21", "borrowmoney"),
        ("11", "11", "21", "visitgo"),
        ("11", "11", "21", "medic"),
        people=None,
    )
    assert words == []
    assert sum(dropped.values()) == 5
    assert dropped["inside one household"] == 1
    assert dropped["somebody who is not listed in the village"] == 1
    assert dropped["said by neither household"] == 1
    assert dropped["of an unknown kind"] == 1


def test_savings_follow_adults_and_rooms_and_stakes_are_full_yuan() -> None:
    facts = HouseholdRow(2, "7", "1", "tile", 3, True)
    [village] = recipe.settle_villages(
        [person("1", "1"), person("2", "1"), person("3", "2")], [facts], age_min=18
    )
    known, unknown = village.homes["1"], village.homes["2"]
    adult, room = ASSUMED.savings_per_adult_minor, ASSUMED.savings_per_room_minor
    assert recipe.savings_minor(known) == 2 * adult + 3 * room
    assert recipe.savings_minor(unknown) == adult
    assert recipe.stake_minor(333_33) == 333_33 * ASSUMED.stake_bps // 10_000 // 100 * 100
    assert recipe.in_circle(known)
    assert not recipe.in_circle(unknown)


def test_groups_grow_from_the_strongest_ties_and_nobody_is_in_two() -> None:
    ties = [
        Confirmed("1", "2", 500),
        Confirmed("2", "1", 500),
        Confirmed("3", "1", 300),
        Confirmed("4", "3", 200),
        Confirmed("4", "5", 900),
        Confirmed("6", "7", 100),
    ]
    # 1-2 are worth 1,000 together; 3 comes next, then 4; 5 knows only one of them.
    assert recipe.form_groups(ties, size_min=4, size_max=5, most=9) == [("1", "2", "3", "4")]
    assert recipe.form_groups(ties, size_min=3, size_max=3, most=1) == [("1", "2", "3")]
    # Beyond the smallest size two ties are needed.
    both = [*ties, Confirmed("5", "1", 1)]
    assert recipe.form_groups(both, size_min=4, size_max=5, most=9) == [("1", "2", "3", "4", "5")]
    assert recipe.form_groups(ties[-1:], size_min=3, size_max=5, most=9) == []


def test_payments_of_who_does_not_fail_sum_to_the_dues_or_take_all_that_is_left() -> None:
    dues = [Due(date(2025, 2, 1) + timedelta(days=30 * n), 333_33 + n) for n in range(4)]
    seen = set()
    for number in range(400):
        reference = f"7/{number}"
        behaviour = recipe.behaviour_of(reference)
        seen.add(behaviour)
        plan = recipe.payments(reference, dues)
        given = sum(payment.amount_minor or 0 for payment in plan)
        if behaviour is Behaviour.EARLY:
            assert plan[-1].amount_minor is None
        elif behaviour is Behaviour.FAILS:
            assert given < sum(due.amount_minor for due in dues)
        else:
            assert given == sum(due.amount_minor for due in dues)
        assert [payment.on for payment in plan] == sorted(payment.on for payment in plan)
    assert seen == set(Behaviour)


def test_about_as_many_fail_as_is_said_to_be_assumed() -> None:
    failing = sum(recipe.behaviour_of(f"{n}") is Behaviour.FAILS for n in range(5_000))
    assert abs(failing / 5_000 - ASSUMED.fails_bps / 10_000) < 0.01


def test_lots_depend_on_nothing_but_the_reference() -> None:
    # SHA-256 of "fails|0" and so on, first 64 bits: a change of these changes every run.
    assert [recipe.lot("fails", n) for n in range(3)] == [9373, 8730, 3289]
    names = [str(n) for n in range(20)]
    assert recipe.choose(names, 5, "x") == recipe.choose(reversed(names), 5, "x")
    assert recipe.choose(names, 5, "x", first={"3"})[0] == "3"


def test_nobody_asks_for_less_than_the_product_lends() -> None:
    least = ASSUMED.principal_minor_min
    assert recipe.share_minor(0) is None
    for limit in range(0, 8_000_00, 333_33):
        for asked in (recipe.principal_minor(limit, "7/1"), recipe.share_minor(limit)):
            assert asked is None or (asked >= least and asked % 100_00 == 0)
    assert recipe.smaller_principal_minor(least) is None
    assert recipe.smaller_principal_minor(3 * least) is not None


def test_charter_and_products_of_the_run_can_be_adopted() -> None:
    rules = read_rules(recipe.charter_document(templates.load("village-cooperative")))
    assert rules.group_size_max == recipe.CHARTER_CHANGES["group_size_max"]
    for terms in recipe.PRODUCTS.values():
        assert read_terms(terms).liability_mode in rules.liability_modes


def test_every_assumed_figure_stands_on_the_page_about_real_data() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+)`", page))
    assert {item.name for item in fields(Assumed)} <= named
    assert set(recipe.CHARTER_CHANGES) <= named
    assert set(recipe.KINDS) <= set(re.findall(r"[a-z]+", page))
    for minor in (ASSUMED.money_minor, ASSUMED.assessed_minor, ASSUMED.principal_minor_max):
        assert f"{minor // 100:,}.00" in page


def test_the_layered_network_uses_every_vouch_in_one_layer_and_every_standing_once() -> None:
    # 2 and 3 stand behind 1; 3 also behind 2; 4 only behind 3; 1's own promises do not return.
    standings = {1: 10, 2: 100, 3: 50, 4: 70}
    vouches = {(2, 1): 80, (3, 1): 60, (3, 2): 40, (4, 3): 30, (1, 2): 500}
    network = layered_network(1, standings, vouches)
    # Own 10; over 2→1 80 of 2's own 100; over 3→1 60: 50 of 3's own and 10 of 4's.
    assert nx.maximum_flow_value(network, "pool", "borrower") == 10 + 80 + 60
    alone = layered_network(4, standings, vouches)
    assert nx.maximum_flow_value(alone, "pool", "borrower") == 70
