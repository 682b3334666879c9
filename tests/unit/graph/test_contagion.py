"""DebtRank against its recursion, and the radius of leverage against the whole spectrum."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from graph.arrays import from_edges
from graph.contagion import check_radius, debt_rank, debt_rank_of_each, leverage_radius
from graph.errors import BadAmount, BadCertificate, BadParameter, SelfLoop, UnknownNode

SEEDS = st.integers(0, 100_000)


def web(seed, most=9):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, most + 1))
    debts = rng.integers(1, 20, (n, n)) * (rng.random((n, n)) < rng.choice([0.2, 0.5, 0.9]))
    np.fill_diagonal(debts, 0)
    equity = rng.integers(1, 60, n).astype(float)
    shock = np.round(rng.random(n) * (rng.random(n) < 0.4), 3)
    return debts, equity, shock


def by_recursion(debts, equity, shock, rounds):
    leverage = debts.T / equity[:, None]
    before, now = np.zeros(len(equity)), shock
    for _ in range(rounds):
        before, now = now, np.minimum(1, now + leverage @ (now - before))
    return now


def hit_once(debts, equity, shock):
    weight = np.minimum(1, debts.T / equity[:, None])
    loss, state = shock.copy(), np.where(shock > 0, "D", "U")
    while (state == "D").any():
        failing = state == "D"
        loss = np.minimum(1, loss + weight[:, failing] @ loss[failing])
        state[failing] = "I"
        state[(loss > 0) & (state == "U")] = "D"
    return loss


def test_a_chain_worked_by_hand():
    # 0 loses half; 1 is owed 4 by 0 and has 8: loses a quarter; 2 is owed 3 and has 6: an eighth.
    debts = [[0, 4, 0], [0, 0, 3], [0, 0, 0]]
    done = debt_rank(debts, [10, 8, 6], [0.5, 0, 0], weights=[0.5, 0.25, 0.25])
    assert done.losses == {0: 0.5, 1: 0.25, 2: 0.125}
    assert done.value == pytest.approx(0.25 * 0.375)
    assert done.rounds == 3
    # Without weights: the part of all equity that is lost, here 2 + 0.75 of 24.
    assert debt_rank(debts, [10, 8, 6], {0: 0.5}).value == pytest.approx(2.75 / 24)


def test_on_a_ring_the_two_forms_differ():
    ring = [[0, 0, 0.5], [0.5, 0, 0], [0, 0.5, 0]]
    twice = debt_rank(ring, [1, 1, 1], [0, 0, 0.5])
    assert twice.loss.tolist() == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    once = debt_rank(ring, [1, 1, 1], [0, 0, 0.5], single_hit=True)
    assert once.loss.tolist() == pytest.approx([0.125, 0.25, 0.5625])


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_losses_follow_the_recursion_round_by_round(seed):
    debts, equity, shock = web(seed)
    for rounds in (0, 1, 2, 5):
        done = debt_rank(debts, equity, shock, rounds=rounds)
        np.testing.assert_allclose(
            done.loss, by_recursion(debts, equity, shock, rounds), atol=1e-12
        )
    done = debt_rank(debts, equity, shock)
    np.testing.assert_allclose(
        done.loss, by_recursion(debts, equity, shock, done.rounds + 50), atol=1e-9
    )
    assert np.all((done.loss >= shock) & (done.loss <= 1))
    once = debt_rank(debts, equity, shock, single_hit=True)
    np.testing.assert_allclose(once.loss, hit_once(debts, equity, shock), atol=1e-12)


@given(SEEDS, st.booleans())
@settings(max_examples=60, deadline=None)
def test_of_each_is_a_shock_to_one_alone(seed, single_hit):
    debts, equity, _ = web(seed)
    ranks = debt_rank_of_each(debts, equity, shock=0.7, single_hit=single_hit)
    for member, rank in ranks.items():
        alone = debt_rank(debts, equity, {member: 0.7}, single_hit=single_hit)
        assert rank == pytest.approx(alone.value, abs=1e-12)
    assert debt_rank_of_each(debts, equity, [0], shock=0.7, single_hit=single_hit)[0] == ranks[0]


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_the_radius_lies_between_its_bounds_and_the_vector_proves_them(seed):
    debts, equity, _ = web(seed)
    radius = leverage_radius(debts, equity)
    check_radius(debts, equity, radius)
    wanted = np.abs(np.linalg.eigvals(debts.T / equity[:, None])).max()
    acyclic = nx.is_directed_acyclic_graph(nx.from_numpy_array(debts, create_using=nx.DiGraph))
    if acyclic:
        assert radius.value == 0
        assert radius.members == ()
    else:
        assert radius.lower * (1 - 1e-9) <= wanted <= radius.upper * (1 + 1e-9)
        assert radius.upper - radius.lower <= 1e-9 * radius.upper


def test_large_circles_even_ones_and_those_with_a_narrow_gap():
    n = 701
    for size in (n, n - 1):
        ring = from_edges([(i, (i + 1) % size, 3) for i in range(size)])
        assert leverage_radius(ring, np.full(size, 2.0)).value == pytest.approx(1.5)
    # Two close-knit halves with one bridge each way: the second eigenvalue is nearly the first.
    rng = np.random.default_rng(2)
    debts = np.zeros((160, 160))
    for half in (slice(0, 80), slice(80, 160)):
        debts[half, half] = rng.random((80, 80)) < 0.1
    debts[0, 80] = debts[80, 0] = 1
    np.fill_diagonal(debts, 0)
    sparse = csr_array(debts)
    radius = leverage_radius(sparse, np.ones(160))
    check_radius(sparse, np.ones(160), radius)
    assert leverage_radius(sparse, np.ones(160)) == radius
    wanted = np.abs(np.linalg.eigvals(debts)).max()
    assert radius.lower * (1 - 1e-9) <= wanted <= radius.upper * (1 + 1e-9)
    assert radius.upper - radius.lower <= 1e-8 * radius.upper


def test_small_losses_grow_when_the_radius_is_above_one():
    pair = np.array([[0, 3], [3, 0]])
    for equity, all_lost in ((2.9, True), (3.1, False)):
        value = leverage_radius(pair, [equity] * 2).value
        assert (value > 1) == all_lost
        done = debt_rank(pair, [equity] * 2, [1e-3, 0])
        assert (done.loss.min() == 1) == all_lost


@given(SEEDS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_names_and_order_change_nothing_but_names(seed, rng):
    debts, equity, shock = web(seed)
    n = len(equity)
    edges = [
        (f"m{i}", f"m{j}", int(debts[i, j])) for i in range(n) for j in range(n) if debts[i, j]
    ]
    rng.shuffle(edges)
    network = from_edges(edges, nodes=[f"m{i}" for i in range(n)])
    own = {f"m{i}": equity[i] for i in rng.sample(range(n), n)}
    named = debt_rank(network, own, {f"m{i}": shock[i] for i in range(n)})
    plain = debt_rank(debts, equity, shock)
    np.testing.assert_allclose(list(named.losses.values()), plain.loss, atol=1e-12)
    assert named.value == pytest.approx(plain.value, abs=1e-12)
    as_graph = network.to_networkx()
    assert leverage_radius(as_graph, own).value == pytest.approx(
        leverage_radius(debts, equity).value, rel=1e-8
    )


def test_what_makes_no_sense_is_refused():
    debts = [[0, 1], [1, 0]]
    for ask in (
        lambda own: debt_rank(debts, own, [0, 0]),
        lambda own: debt_rank_of_each(debts, own),
        lambda own: leverage_radius(debts, own),
    ):
        for bad in (0, -1, float("nan"), float("inf"), True, None):
            with pytest.raises(BadAmount):
                ask([1, bad])
        with pytest.raises(BadParameter):
            ask([1])
        with pytest.raises(UnknownNode):
            ask({0: 1, 1: 1, 7: 1})
    for bad in (-0.1, float("nan"), True):
        with pytest.raises(BadAmount):
            debt_rank(debts, [1, 1], [bad, 0])
        with pytest.raises(BadAmount):
            debt_rank_of_each(debts, [1, 1], shock=bad)
        with pytest.raises(BadAmount):
            debt_rank(debts, [1, 1], [0, 0], weights=[1, bad])
    with pytest.raises(BadParameter, match="from 0 to 1"):
        debt_rank(debts, [1, 1], [1.5, 0])
    with pytest.raises(BadParameter, match="from 0 to 1"):
        debt_rank_of_each(debts, [1, 1], shock=1.5)
    with pytest.raises(BadParameter):
        debt_rank(debts, [1, 1], [0, 0], rounds=-1)
    with pytest.raises(BadParameter):
        leverage_radius(debts, [1, 1], seed=-1)
    with pytest.raises(SelfLoop):
        leverage_radius([[1]], [1])
    with pytest.raises(UnknownNode):
        debt_rank_of_each(debts, [1, 1], [5])


def test_a_radius_that_is_not_proved_is_seen():
    debts = [[0, 2], [8, 0]]
    radius = leverage_radius(debts, [1, 1])
    with pytest.raises(BadCertificate, match="gives"):
        check_radius(debts, [1, 1], replace(radius, lower=4.1, upper=4.2))
    with pytest.raises(BadCertificate, match="not positive"):
        check_radius(debts, [1, 1], replace(radius, vector=(0.0, 1.0)))


def test_more_rounds_than_can_be_counted_end_at_rest():
    web = ([[0, 1], [1, 0]], [4, 4], [0.5, 0])
    assert debt_rank(*web, rounds=2**70).loss.tolist() == pytest.approx(debt_rank(*web).loss)
