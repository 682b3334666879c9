"""Who reviews whom: drawn by a seed, fair, and refused with the reason where it cannot be."""

from collections import Counter

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.campaigns.draw import (
    Dice,
    DrawImpossible,
    DrawInputs,
    Place,
    Shortage,
    draw,
    reciprocal,
)


@st.composite
def inputs(pick: st.DrawFn) -> DrawInputs:
    """Households, one to three reviewers in some of them, kin barred here and there."""
    households = pick(st.integers(2, 9))
    homes = pick(st.lists(st.integers(1, households), min_size=1, max_size=12))
    reviewers = {100 + number: home for number, home in enumerate(homes)}
    pairs = st.tuples(st.sampled_from(sorted(reviewers)), st.integers(1, households))
    return DrawInputs(
        reviewers=reviewers,
        households=tuple(range(1, households + 1)),
        barred=frozenset(pick(st.lists(pairs, max_size=8))),
        per_household=pick(st.integers(1, 4)),
    )


def may(given_: DrawInputs, who: int, home: int) -> bool:
    return given_.reviewers[who] != home and (who, home) not in given_.barred


def possible(asked: DrawInputs) -> bool:
    """Whether there is such a draw: everybody's least share, and one more for so many, all flow."""
    total = asked.per_household * len(asked.households)
    least, more = divmod(total, len(asked.reviewers))
    network = nx.DiGraph()
    network.add_edge("one more", "end", capacity=more)
    for home in asked.households:
        network.add_edge("begin", ("h", home), capacity=asked.per_household)
        for who in asked.reviewers:
            if may(asked, who, home):
                network.add_edge(("h", home), ("r", who), capacity=1)
    for who in asked.reviewers:
        network.add_edge(("r", who), "end", capacity=least)
        network.add_edge(("r", who), "one more", capacity=1)
    return bool(nx.maximum_flow_value(network, "begin", "end") == total)


@settings(max_examples=200, deadline=None)
@given(asked=inputs(), seed=st.text(max_size=5))
def test_a_draw_keeps_every_rule_or_there_is_none(asked: DrawInputs, seed: str) -> None:
    try:
        places = draw(asked, seed=seed)
    except DrawImpossible as caught:
        shortage = caught
        places = ()
    if not places:
        assert not possible(asked)
        assert shortage.needed > shortage.available
        assert shortage.households or shortage.reviewers
        return
    assert possible(asked)
    assert len(set(places)) == len(places)
    assert all(may(asked, place.reviewer, place.household) for place in places)
    panels = Counter(place.household for place in places)
    assert panels == dict.fromkeys(asked.households, asked.per_household)
    load = Counter(place.reviewer for place in places)
    numbers = [load[who] for who in asked.reviewers]
    assert max(numbers) - min(numbers) <= 1


@settings(max_examples=60, deadline=None)
@given(asked=inputs(), seed=st.text(max_size=5))
def test_no_exchange_of_two_places_would_part_another_pair(asked: DrawInputs, seed: str) -> None:
    try:
        places = draw(asked, seed=seed)
    except DrawImpossible:
        return
    pairs = len(reciprocal(places, asked.reviewers))
    held = set(places)
    for one in places:
        for other in places:
            there = Place(one.reviewer, other.household)
            here = Place(other.reviewer, one.household)
            if (
                there in held
                or here in held
                or not may(asked, there.reviewer, there.household)
                or not may(asked, here.reviewer, here.household)
            ):
                continue
            exchanged = held - {one, other} | {there, here}
            assert len(reciprocal(exchanged, asked.reviewers)) >= pairs


def village(size: int = 12, per: int = 3) -> DrawInputs:
    return DrawInputs({100 + h: h for h in range(size)}, tuple(range(size)), frozenset(), per)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    first = draw(village(), seed="7")
    assert draw(village(), seed="7") == first
    assert draw(village(), seed="8") != first
    # What is stored gives it too.
    assert draw(DrawInputs.read(village().document()), seed="7") == first


def test_the_order_in_which_people_are_given_does_not_matter() -> None:
    asked = village()
    backwards = DrawInputs(
        dict(reversed(list(asked.reviewers.items()))),
        tuple(reversed(asked.households)),
        asked.barred,
        asked.per_household,
    )
    assert draw(backwards, seed="7") == draw(asked, seed="7")


def test_a_draw_is_what_it_was_when_this_was_written() -> None:
    """The random numbers are SHA-256 of text: no library and no release changes them."""
    drawn = draw(village(4, 2), seed="7")
    assert [(place.household, place.reviewer) for place in drawn] == [
        (0, 101),
        (0, 102),
        (1, 100),
        (1, 103),
        (2, 101),
        (2, 103),
        (3, 100),
        (3, 102),
    ]
    assert Dice("7", "visits").shuffled(range(6)) == [0, 1, 2, 5, 4, 3]


def test_everybody_is_as_likely_to_look_at_a_household() -> None:
    """Over 400 seeds each of 11 others looks at household 0 about 400 x 3 / 11 = 109 times."""
    seen = Counter(
        place.reviewer
        for seed in range(400)
        for place in draw(village(), seed=str(seed))
        if place.household == 0
    )
    assert set(seen) == {100 + home for home in range(1, 12)}
    # Four standard deviations of a binomial of 400 at 3/11.
    assert all(abs(count - 109) < 4 * 9 for count in seen.values())


def test_nobody_reviews_each_other_where_that_can_be_avoided() -> None:
    for seed in range(40):
        drawn = draw(village(), seed=str(seed))
        assert reciprocal(drawn, village().reviewers) == set()


def test_where_everybody_has_to_look_at_everybody_pairs_remain() -> None:
    asked = village(4, 3)
    assert len(reciprocal(draw(asked, seed="7"), asked.reviewers)) == 6


@pytest.mark.parametrize(
    ("asked", "shortage", "needed", "available"),
    [
        # Four households, panels of four: nobody may look at their own.
        (village(4, 4), Shortage.TOO_FEW_REVIEWERS, 4, 3),
        # Two reviewers of one household: it has nobody.
        (
            DrawInputs({1: 1, 2: 1}, (1, 2), frozenset(), 1),
            Shortage.TOO_FEW_REVIEWERS,
            1,
            0,
        ),
        # One of three may look at nothing, so the others would have two each and he none.
        (
            DrawInputs({1: 1, 2: 2, 3: 3}, (1, 2, 3, 4), frozenset({(3, 1), (3, 2), (3, 4)}), 1),
            Shortage.TOO_FEW_HOUSEHOLDS,
            1,
            0,
        ),
        # Three of four households only one may look at, who should have one at most.
        (
            DrawInputs(
                {1: 9, 2: 9, 3: 9, 4: 9},
                (1, 2, 3, 4),
                frozenset((who, home) for who in (2, 3, 4) for home in (1, 2, 3)),
                1,
            ),
            Shortage.TOO_FEW_HOUSEHOLDS,
            2,
            1,
        ),
    ],
)
def test_a_shortage_is_named(
    asked: DrawInputs, shortage: Shortage, needed: int, available: int
) -> None:
    with pytest.raises(DrawImpossible) as caught:
        draw(asked, seed="7")
    found = caught.value
    assert (found.shortage, found.needed, found.available) == (shortage, needed, available)


def test_a_village_without_households_draws_nobody() -> None:
    assert draw(DrawInputs({}, (), frozenset(), 3), seed="7") == ()
