"""Signed ratings: against the definitions written out, one rating at a time."""

from __future__ import annotations

import math
import random
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadParameter, NoConvergence, SelfLoop
from graph.ratings import fairness_goodness, rev2


def random_ratings(seed, n=8, m=25):
    rng = random.Random(seed)
    return [
        (*rng.sample(range(n), 2), rng.choice([-1.0, 1.0, rng.uniform(-1, 1)])) for _ in range(m)
    ]


@given(st.integers(0, 10**6))
def test_fairness_and_goodness_fit_each_other(seed):
    ratings = random_ratings(seed)
    found = fairness_goodness(ratings)
    f, g = found.fairness, found.goodness
    for v in g:
        received = [f[u] * w for u, to, w in ratings if to == v]
        assert g[v] == pytest.approx(mean(received) if received else 1, abs=1e-11)
        given_ = [abs(w - g[to]) / 2 for u, to, w in ratings if u == v]
        assert f[v] == pytest.approx(1 - mean(given_) if given_ else 1, abs=1e-11)
        assert 0 <= f[v] <= 1
        assert -1 <= g[v] <= 1
    assert found.residual <= 1e-12
    u, v, _ = ratings[0]
    assert found.predicted(u, v) == f[u] * g[v]


def test_turned_ratings_turn_goodness_and_leave_fairness():
    ratings = random_ratings(5)
    plain, turned = (
        fairness_goodness(ratings),
        fairness_goodness([(u, v, -w) for u, v, w in ratings]),
    )
    assert turned.fairness == pytest.approx(plain.fairness)
    rated = {v for _, v, _ in ratings}
    assert {v: -turned.goodness[v] for v in rated} == pytest.approx(
        {v: plain.goodness[v] for v in rated}
    )


@given(st.integers(0, 10**6))
def test_neither_order_nor_names_matter(seed):
    ratings = random_ratings(seed)
    rng = random.Random(seed)
    shuffled = rng.sample(ratings, len(ratings))
    assert fairness_goodness(shuffled) == fairness_goodness(ratings)
    one, other = rev2(ratings), rev2(shuffled)
    assert (one.fairness, one.goodness) == (other.fairness, other.goodness)
    where = dict(zip(ratings, one.reliability, strict=True))
    assert all(where[row] == r for row, r in zip(shuffled, other.reliability, strict=True))
    names = [f"{rng.randrange(10**6)}-{v}" for v in range(8)]
    renamed = rev2([(names[u], names[v], w) for u, v, w in ratings])
    assert {names[u]: x for u, x in one.fairness.items()} == pytest.approx(renamed.fairness)


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (0, 0, 1, 1), (2, 0.5, 0, 1), (0, 2, 1, 0.5)])
def test_rev2_fits_its_definition(weights):
    a1, b1, g1, g2 = weights
    for seed in range(10):
        ratings = random_ratings(seed)
        found = rev2(ratings, alpha1=a1, beta1=b1, gamma1=g1, gamma2=g2)
        f, g, r = found.fairness, found.goodness, found.reliability
        middle_f, middle_g = median(f.values()), median(g.values())
        for p in g:
            held = [r[i] * w for i, (_, item, w) in enumerate(ratings) if item == p]
            right = (b1 * middle_g + sum(held)) / (b1 + len(held))
            assert g[p] == pytest.approx(max(-1, min(1, right)), abs=1e-9)
        for i, (u, p, w) in enumerate(ratings):
            right = (g1 * f[u] + g2 * (1 - abs(w - g[p]) / 2)) / (g1 + g2)
            assert r[i] == pytest.approx(right, abs=1e-9)
        for u in f:
            held = [r[i] for i, (user, *_) in enumerate(ratings) if user == u]
            right = (a1 * middle_f + sum(held)) / (a1 + len(held))
            assert f[u] == pytest.approx(right, abs=1e-9)


def test_users_and_items_are_two_sets():
    found = rev2([("x", "x", 1.0), ("y", "x", -1.0)])
    assert set(found.fairness) == {"x", "y"}
    assert set(found.goodness) == {"x"}


def test_nothing_rated_is_nothing_known():
    assert fairness_goodness([]).goodness == {}


def test_what_is_refused():
    good = [("a", "b", 1.0)]
    mixed = [("a", "c", 1.0), ("b", "c", -1.0), ("d", "c", 0.3)]
    refused = [
        (SelfLoop, lambda: fairness_goodness([("a", "a", 0.5)])),
        (BadParameter, lambda: fairness_goodness([("a", "b", 1.1)])),
        (BadParameter, lambda: fairness_goodness([("a", "b", math.nan)])),
        (BadParameter, lambda: fairness_goodness([("a", "b", "1")])),
        (BadParameter, lambda: fairness_goodness([("a", "b")])),
        (BadParameter, lambda: fairness_goodness([7])),
        (BadParameter, lambda: fairness_goodness(good, tolerance=0)),
        (BadParameter, lambda: fairness_goodness(good, most_rounds=0)),
        (NoConvergence, lambda: fairness_goodness(mixed, most_rounds=2)),
        (BadParameter, lambda: rev2([])),
        (BadParameter, lambda: rev2([("a", "b", -1.5)])),
        (BadParameter, lambda: rev2(good, alpha1=-1)),
        (BadParameter, lambda: rev2(good, beta1=math.nan)),
        (BadParameter, lambda: rev2(good, gamma1=0, gamma2=0)),
        (BadParameter, lambda: rev2(good, gamma1=math.inf)),
        (NoConvergence, lambda: rev2(mixed, most_rounds=2)),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()
