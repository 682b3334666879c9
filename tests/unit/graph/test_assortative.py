"""Pairs under joint liability, against every way to pair everybody off."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from graph.assortative import assortative_matching, pair_payoffs
from graph.errors import BadParameter


def pairings(members):
    if not members:
        yield ()
        return
    first, *rest = members
    for other in rest:
        for more in pairings([m for m in rest if m != other]):
            yield ((first, other), *more)


def totals(success, *terms):
    u = pair_payoffs(success, *terms)
    place = {m: i for i, m in enumerate(success)}
    return {
        pairs: sum(u[place[i], place[j]] + u[place[j], place[i]] for i, j in pairs)
        for pairs in pairings(sorted(success))
    }


@pytest.mark.parametrize("seed", range(40))
def test_best_and_worst_of_all_pairings(seed):
    rng = random.Random(seed)
    success = {f"m{i}": rng.choice([0.3, 0.5, rng.random()]) for i in range(rng.choice([2, 4, 8]))}
    terms = (rng.uniform(1, 3), rng.uniform(0, 2), rng.choice([-0.5, 0.0, 0.5, 1.5]))
    every = totals(success, *terms)
    found = assortative_matching(success, *terms)
    assert found.best_total == pytest.approx(max(every.values()), abs=1e-12)
    assert found.worst_total == pytest.approx(min(every.values()), abs=1e-12)
    assert every[found.best] == pytest.approx(found.best_total, abs=1e-12)
    assert every[found.worst] == pytest.approx(found.worst_total, abs=1e-12)
    # By definition, from four payoffs of people who differ in one thing each.
    step = pair_payoffs({"a": 0.4, "b": 0.6, "c": 0.9, "d": 0.2}, *terms)
    mixed = (step[0, 2] - step[0, 3] - step[1, 2] + step[1, 3]) / ((0.4 - 0.6) * (0.9 - 0.2))
    assert found.cross_derivative == pytest.approx(mixed)


def test_many_members_against_a_matching_of_networkx():
    rng = random.Random(5)
    success = {i: rng.random() for i in range(60)}
    u = pair_payoffs(success, 2.0, 1.1, 0.4)
    whole = nx.Graph()
    for i in success:
        for j in range(i):
            whole.add_edge(i, j, weight=u[i, j] + u[j, i])
    matched = nx.max_weight_matching(whole, maxcardinality=True)
    found = assortative_matching(success, 2.0, 1.1, 0.4)
    assert found.best_total == pytest.approx(sum(u[i, j] + u[j, i] for i, j in matched))
    assert found.best_total > found.worst_total
    ranked = [success[m] for pair in sorted(found.best, key=lambda p: -success[p[0]]) for m in pair]
    assert all(abs(a - b) < 0.2 for a, b in pairwise(ranked))


def test_the_order_of_members_changes_nothing():
    success = {"a": 0.5, "b": 0.5, "c": 0.9, "d": 0.1}
    one = assortative_matching(success, 2.0, 1.0, 0.5)
    assert assortative_matching(dict(reversed(success.items())), 2.0, 1.0, 0.5) == one
    assert one.best == (("a", "c"), ("b", "d"))
    assert assortative_matching({}, 2.0, 1.0, 0.5).best == ()
    assert pair_payoffs({}, 2.0, 1.0, 0.5).shape == (0, 0)
    assert pair_payoffs({"a": np.float64(1)}, 2.0, 1.0, 0.5).tolist() == [[1.0]]


@pytest.mark.parametrize(
    "wrong",
    [
        ({"a": 1.1, "b": 0.5}, 2.0, 1.0, 0.5),
        ({"a": -0.1, "b": 0.5}, 2.0, 1.0, 0.5),
        ({"a": float("nan"), "b": 0.5}, 2.0, 1.0, 0.5),
        ({"a": True, "b": 0.5}, 2.0, 1.0, 0.5),
        ({"a": 0.5, "b": 0.5}, float("inf"), 1.0, 0.5),
        ({"a": 0.5, "b": 0.5}, 2.0, -1.0, 0.5),
        ({"a": 0.5, "b": 0.5}, 2.0, 1.0, float("nan")),
        ({"a": 0.5}, 2.0, 1.0, 0.5),
    ],
)
def test_what_is_no_probability_or_amount_is_refused(wrong):
    with pytest.raises(BadParameter):
        assortative_matching(*wrong)
    if len(wrong[0]) == 2:
        with pytest.raises(BadParameter):
            pair_payoffs(*wrong)
