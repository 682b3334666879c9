"""Features of an event never depend on what came later, nor on outcomes of their own."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from tests.bench.real.events import Event, History
from tests.bench.real.first_vouch import find_founder, first_vouches
from tests.bench.real.ties import money_ties, pair_table
from tests.bench.real.villages import KINDS, MONEY, Village

USERS = 12


def some_events(seed, count=120):
    rng = random.Random(seed)
    day = 15_000.0
    events = []
    for _ in range(count):
        day += rng.choice((0.0, 0.01, 0.5, 9.0, 60.0))
        rater, ratee = rng.sample(range(USERS), 2)
        events.append(Event(rater, ratee, rng.choice((-1.0, -0.1, 0.1, 0.1, 0.3, 1.0)), day))
    return events


def altered(events, after, seed):
    rng = random.Random(seed)
    return events[:after] + [
        event._replace(rating=-event.rating, rater=rng.randrange(USERS, USERS + 3))
        for event in events[after:]
    ]


def next_rating_rows(events):
    history, rows = History(), []
    for event in events:
        rows.append(history.before_rating(event.rater, event.ratee, event.day))
        history.add(event)
    return rows


def same(one, other):
    return one.keys() == other.keys() and all(
        a == b or (math.isnan(a) and math.isnan(b))
        for a, b in zip(one.values(), other.values(), strict=True)
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_next_rating_is_foretold_from_earlier_ones(seed):
    events = some_events(seed)
    rows, others = next_rating_rows(events), next_rating_rows(altered(events, 70, seed))
    assert all(same(a, b) for a, b in zip(rows[:70], others[:70], strict=True))
    assert not all(same(a, b) for a, b in zip(rows[70:], others[70:], strict=True))


def test_the_rating_to_foretell_is_not_among_the_features():
    events = some_events(9)
    turned = [*events[:60], events[60]._replace(rating=-events[60].rating)]
    assert same(next_rating_rows(events)[60], next_rating_rows(turned)[60])


@pytest.mark.parametrize("seed", range(4))
def test_a_first_vouch_is_judged_from_earlier_ratings_and_itself(seed):
    events = some_events(seed)
    cut = 40
    before = list(first_vouches(events[:cut], founder=0))
    after = list(first_vouches(altered(events, cut, seed), founder=0))
    assert before
    for one, other in zip(before, after, strict=False):
        assert one.ratee == other.ratee
        assert same(one.features, other.features)


def test_calendar_time_is_no_feature_of_a_first_vouch():
    events = some_events(5)
    later = [event._replace(day=event.day + 4_000) for event in events]
    for one, other in zip(first_vouches(events, 0), first_vouches(later, 0), strict=True):
        assert one.half_year != other.half_year
        for name, value in one.features.items():
            moved = other.features[name]
            assert math.isclose(value, moved, abs_tol=1e-6) or math.isnan(value), name


def test_the_founder_is_found_by_the_vouches_and_not_by_an_id():
    events = [Event(*row, day) for day, row in enumerate([(7, 1, 1.0), (7, 2, 1.0), (1, 2, 1.0)])]
    fraud = {7: False, 1: False, 2: False, 3: True}
    assert find_founder(events, fraud) == 7
    moved = [event._replace(rater=event.rater + 50, ratee=event.ratee + 50) for event in events]
    assert find_founder(moved, {user + 50: label for user, label in fraud.items()}) == 57


def a_village(seed=1, n=14):
    rng = np.random.default_rng(seed)
    home = np.repeat(np.arange(n), 3)
    people = home.size
    reporter, named = rng.integers(0, people, (2, 400))
    apart = home[reporter] != home[named]
    kinds = rng.choice([*KINDS, *MONEY], 400)
    return Village(
        name=1,
        households=np.arange(1001, 1001 + n),
        home=home,
        age=rng.integers(1, 80, people).astype(float),
        female=rng.random(people) < 0.5,
        heads=rng.random(people) < 0.3,
        surveyed=rng.random(people) < 0.5,
        faith=rng.integers(-1, 2, people),
        caste=rng.integers(-1, 3, people),
        reporter=reporter[apart],
        named=named[apart],
        kind=kinds[apart],
        covariates=dict.fromkeys(("leader", "rooms", "beds", "electricity"), np.full(n, np.nan)),
        classes=dict.fromkeys(("religion", "roof", "ownership"), np.full(n, -1)),
        took=np.zeros(n),
    )


def test_features_of_pairs_read_no_report_about_money():
    village = a_village()
    money = np.isin(village.kind, MONEY)
    without = replace(
        village,
        reporter=village.reporter[~money],
        named=village.named[~money],
        kind=village.kind[~money],
    )
    assert money_ties(village).any()
    assert not money_ties(without).any()
    given, expected = pair_table(village).values, pair_table(without).values
    assert np.array_equal(given, expected, equal_nan=True)
    with_more = pair_table(replace(village, kind=np.where(money, "visitgo", village.kind))).values
    assert not np.array_equal(with_more, expected, equal_nan=True)
