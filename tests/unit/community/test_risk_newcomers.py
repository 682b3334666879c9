"""Who is known, and which newcomers hang together and on whom; by hand, without a database."""

from datetime import date, timedelta

import numpy as np

from community.communities import templates
from community.communities.charter import CharterRules, read_rules
from community.risk.alarms import Alarm, invented_rings_of, known_of, newcomers_of
from graph.arrays import from_rows

START = date(2026, 1, 1)


def rules() -> CharterRules:
    """The village template's, by which half a year makes somebody known, and three are a ring."""
    return read_rules(templates.load("village-cooperative")["rules"])


def joined(*days: int) -> dict[int, date]:
    """Members 1, 2, … by the day on which they joined."""
    return {at: START + timedelta(days=day) for at, day in enumerate(days, 1)}


def rings(ties: list[tuple[int, int]], since: dict[int, date], on: int) -> list[Alarm]:
    """Rings on a day, every tie a promise both ways."""
    ends = sorted({*ties, *((b, a) for a, b in ties)})
    network = from_rows(
        np.array([a for a, _ in ends], np.int64),
        np.array([b for _, b in ends], np.int64),
        ids=np.array(sorted(since), np.int64),
    )
    day = START + timedelta(days=on)
    return invented_rings_of(network, newcomers_of(network, since, on=day, rules=rules()), rules())


def known(since: dict[int, date], on: int) -> set[int]:
    return known_of(since, on=START + timedelta(days=on), rules=rules())


def test_who_is_here_for_longer_than_the_charter_says_is_known() -> None:
    since = joined(0, 0, 0, 19, 20, 100)
    # Half of six are here for more than 180 days on the 181st.
    assert known(since, 181) == {1, 2, 3}
    assert known(since, 200) == {1, 2, 3, 4}
    assert known_of({}, on=START, rules=rules()) == set()


def test_a_young_community_knows_the_half_that_was_there_first() -> None:
    assert known(joined(0, 0, 0, 0, 3, 9), 10) == {1, 2, 3, 4}
    # Six over a month: the third one's day is the middle.
    assert known(joined(0, 5, 10, 15, 20, 25), 30) == {1, 2, 3}
    # A crowd of newcomers does not make itself known, even if it is most of the members.
    assert known(joined(0, 0, 190, 190, 190, 190, 190), 200) == {1, 2}


def test_three_newcomers_of_one_door_are_a_ring_and_of_two_doors_are_not() -> None:
    since = joined(*[0] * 8, 200, 205, 210)
    inside = [(9, 10), (10, 11)]
    [ring] = rings([*inside, (1, 9)], since, 220)
    assert ring.member_ids == (9, 10, 11)
    assert (ring.facts["known_through"], ring.facts["ties_to_known"]) == (1, 1)
    assert ring.facts["ties_inside"] == 2
    # One accomplice may promise all of them: it stays one door.
    [ring] = rings([*inside, (1, 9), (1, 10), (1, 11)], since, 220)
    assert (ring.facts["known_through"], ring.facts["ties_to_known"]) == (1, 3)
    assert rings([*inside, (1, 9), (2, 11)], since, 220) == []
    # Nobody knows them at all.
    assert rings(inside, since, 220)[0].facts["known_through"] == 0
    # Two are too few, and so are three who are not tied to each other.
    assert rings([(9, 10), (1, 9)], since, 220) == []
    assert rings([(1, 9), (1, 10), (1, 11)], since, 220) == []


def test_more_doors_carry_more_newcomers() -> None:
    since = joined(*[0] * 8, *[200] * 6)
    chain = [(at, at + 1) for at in range(9, 14)]
    assert rings([*chain, (1, 9), (2, 14)], since, 220)[0].member_ids == tuple(range(9, 15))
    assert rings([*chain, (1, 9), (2, 12), (3, 14)], since, 220) == []


def test_founders_of_a_young_village_are_no_ring() -> None:
    since = joined(0, 0, 0, 1, 1, 2)
    everybody = [(a, b) for a in range(1, 7) for b in range(a + 1, 7)]
    assert rings(everybody, since, 7) == []
