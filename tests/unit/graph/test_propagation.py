"""Trust handed on: against matrices written out, and by the laws each method has."""

from __future__ import annotations

import math
import random
from functools import partial

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import propagation
from graph.arrays import from_edges
from graph.errors import BadCapacity, BadParameter, NoConvergence, SelfLoop, UnknownNode
from graph.propagation import eigentrust, sybilrank, two_block_trust


def random_edges(seed, n=12, density=0.25):
    rng = random.Random(seed)
    return [
        (a, b, rng.choice([0, 1, rng.randint(1, 1000)]))
        for a in range(n)
        for b in range(n)
        if a != b and rng.random() < density
    ]


def two_crowds(seed, near=60, far=30, across=8):
    """Two random crowds, and a few ties between them."""
    rng = random.Random(seed)
    g = nx.disjoint_union(
        nx.barabasi_albert_graph(near, 3, seed=seed), nx.barabasi_albert_graph(far, 3, seed=seed)
    )
    while across:
        a, b = rng.randrange(near), near + rng.randrange(far)
        if not g.has_edge(a, b):
            g.add_edge(a, b)
            across -= 1
    return g


def solved(edges, home, restart, n):
    """The same as a system of linear equations."""
    trust = np.zeros((n, n))
    for a, b, room in edges:
        trust[a, b] += room
    rows = trust.sum(1)
    shares = np.where(
        rows[:, None] > 0, trust / np.where(rows > 0, rows, 1)[:, None], home[None, :]
    )
    return np.linalg.solve(np.eye(n) - (1 - restart) * shares.T, restart * home)


@pytest.mark.parametrize("seed", range(20))
def test_eigentrust_solves_its_equations(seed):
    n, restart = 12, [0.05, 0.15, 0.5, 1.0][seed % 4]
    edges = random_edges(seed, n, 0.1 + seed / 50)
    home = np.random.default_rng(seed).random(n) * (np.arange(n) % 3 > 0)
    home /= home.sum()
    found = eigentrust(from_edges(edges, nodes=range(n)), dict(enumerate(home)), restart=restart)
    exact = solved(edges, home, restart, n)
    assert np.abs(found.values - exact).sum() <= found.residual / restart + 1e-14
    assert found.residual <= 1e-10
    assert found.values.sum() == pytest.approx(1, abs=1e-12)
    assert (found.values >= restart * home - 1e-10).all()


def test_the_residual_is_that_of_the_values_given():
    edges, n = random_edges(3), 12
    home = np.zeros(n)
    home[[2, 5]] = 0.5
    found = eigentrust(from_edges(edges, nodes=range(n)), [2, 5], tolerance=0.01)
    trust = np.zeros((n, n))
    for a, b, room in edges:
        trust[a, b] = room
    rows = trust.sum(1)
    shares = np.where(rows[:, None] > 0, trust / np.maximum(rows, 1)[:, None], home)
    step = 0.85 * shares.T @ found.values + 0.15 * home
    assert found.residual == pytest.approx(np.abs(step - found.values).sum(), abs=1e-12)
    assert 1e-10 < found.residual <= 0.01


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_eigentrust_is_linear_in_whom_one_trusts(seed, weight):
    # Only where nobody is stuck: a member without trust to give stands for p itself.
    n = 8
    edges = [*random_edges(seed, n), *((v, (v + 1) % n, 1) for v in range(n))]
    network = from_edges(edges)
    one, other = eigentrust(network, [0]).values, eigentrust(network, [3, 4]).values
    mixed = {0: weight, 3: (1 - weight) / 2, 4: (1 - weight) / 2}
    both = eigentrust(network, mixed).values
    assert both == pytest.approx(weight * one + (1 - weight) * other, abs=1e-8)


def test_eigentrust_agrees_with_networkx():
    g = nx.gnp_random_graph(40, 0.1, seed=3, directed=True)
    rng = random.Random(4)
    for _, _, data in g.edges(data=True):
        data["room"] = rng.randint(1, 9)
    before = nx.to_dict_of_dicts(g)
    found = eigentrust(g, [1, 2, 3]).by_member()
    start = dict.fromkeys([1, 2, 3], 1 / 3)
    peer = nx.pagerank(g, 0.85, start, weight="room", tol=1e-14, max_iter=1000, dangling=start)
    assert found == pytest.approx(peer, abs=1e-9)
    assert nx.to_dict_of_dicts(g) == before


@given(st.integers(0, 10**6))
def test_names_and_the_order_of_rows_change_nothing(seed):
    n = 10
    edges = random_edges(seed, n)
    rng = random.Random(seed)
    names = [f"n{rng.randrange(10**9)}-{v}" for v in range(n)]
    shuffled = [(names[a], names[b], room) for a, b, room in edges]
    rng.shuffle(shuffled)
    plain = from_edges([*edges, (0, 1, 1)], nodes=range(n))
    renamed = from_edges([*shuffled, (names[0], names[1], 1)], nodes=names)
    pairs = [
        (eigentrust(plain, [0, 1]), eigentrust(renamed, [names[1], names[0]])),
        (sybilrank(plain, [0, 1]), sybilrank(renamed, [names[0], names[1], names[0]])),
        (two_block_trust(plain, [0], 7), two_block_trust(renamed, [names[0]], 7)),
    ]
    for one, other in pairs[:2]:
        for v in range(n):
            assert other.of(names[v]) == pytest.approx(one.of(v), abs=1e-9)
    assert eigentrust(from_edges(sorted(edges), nodes=range(n)), [0]).values.tolist() == (
        eigentrust(from_edges(edges[::-1], nodes=range(n)), [0]).values.tolist()
    )


def test_the_one_who_is_trusted_more_gains():
    edges = random_edges(9)
    more = [*edges, (2, 7, 500)]
    before = eigentrust(from_edges(edges, nodes=range(12)), [2])
    after = eigentrust(from_edges(more, nodes=range(12)), [2])
    assert after.of(7) > before.of(7)


@pytest.mark.parametrize("mutual", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_sybilrank_is_the_walk_written_out(seed, mutual):
    n = 14
    g = nx.gnp_random_graph(n, 0.3, seed=seed, directed=True)
    if mutual:
        joined = nx.Graph((a, b) for a, b in g.edges if g.has_edge(b, a))
    else:
        joined = nx.Graph(g.edges)
    seeds = [v for v in joined if joined.degree(v)][:3]
    trust = dict.fromkeys(range(n), 0.0) | dict.fromkeys(seeds, n / len(seeds))
    for _ in range(math.ceil(math.log2(n))):
        trust = {
            v: sum(trust[u] / joined.degree(u) for u in joined[v]) if v in joined else 0.0
            for v in range(n)
        }
    found = sybilrank(g, seeds, mutual=mutual)
    for v in range(n):
        degree = joined.degree(v) if v in joined else 0
        assert found.of(v) == pytest.approx(trust[v] / degree if degree else 0.0)
    assert found.residual < 1e-12


@given(st.integers(0, 10**6), st.integers(0, 30), st.floats(0.1, 1e6))
def test_sybilrank_keeps_all_trust(seed, steps, total):
    g = nx.barabasi_albert_graph(20, 2, seed=seed)
    found = sybilrank(g, [0, 1], steps=steps, total=total)
    held = sum(found.of(v) * g.degree(v) for v in g)
    assert held == pytest.approx(total)


def test_after_many_steps_nothing_is_told_apart():
    g = nx.connected_watts_strogatz_graph(20, 4, 0.3, seed=1)
    found = sybilrank(g, [0], steps=5000, total=1)
    assert found.values == pytest.approx(np.full(20, 1 / (2 * g.number_of_edges())))


@pytest.mark.parametrize("seed", range(10))
def test_two_blocks_keep_a_crowd_out_at_least_as_well_as_the_walk(seed):
    g = two_crowds(seed)
    before = nx.to_dict_of_dicts(g)
    found = two_block_trust(g, [0, 1, 2], 60)
    invented = sum(v >= 60 for v in found.accepted)
    assert len(found.accepted) == 60
    assert invented <= sum(v >= 60 for v in sybilrank(g, [0, 1, 2]).ranked(60))
    assert invented <= 4
    assert {0, 1, 2} <= set(found.accepted[:3])
    assert found.ties_across == pytest.approx(8, abs=6)
    assert nx.to_dict_of_dicts(g) == before


def test_two_blocks_prove_their_own_equations():
    g = two_crowds(5)
    found = two_block_trust(g, [0, 1], 60)
    ids = list(range(90))
    ties = nx.to_numpy_array(g, ids)
    q, degree = found.chance, ties.sum(1)
    beside = ties @ q
    far, across = q @ beside, (1 - q) @ beside
    assert found.ties_beyond == pytest.approx(far / 2)
    assert found.ties_across == pytest.approx(across)
    volume = q @ degree
    rest = degree.sum() - volume
    told = (
        math.log(q.mean() / (1 - q.mean()))
        + beside * math.log((far + 1) / volume**2 / ((across + 1) / (volume * rest)))
        + (degree - beside)
        * math.log((across + 1) / (volume * rest) / ((rest - across + 1) / rest**2))
    )
    assert -found.values[2:] == pytest.approx(told[2:])
    gap = np.abs(1 / (1 + np.exp(-told)) - q)[2:].max()
    assert gap <= 1e-6
    assert found.residual == pytest.approx(gap, abs=1e-12)


def test_two_blocks_accept_everybody_when_asked_to():
    g = two_crowds(2)
    assert set(two_block_trust(g, [0], 90).accepted) == set(g)
    assert two_block_trust(g, [0], 90).chance.max() == 0
    assert two_block_trust(g, [0], 1).accepted == (0,)


def test_ranked_is_by_value_and_then_by_id():
    found = sybilrank(nx.star_graph(5), [0], steps=1)
    assert found.ranked() == [1, 2, 3, 4, 5, 0]
    assert found.ranked(2) == [1, 2]
    with pytest.raises(ValueError):
        found.values[0] = 1


def test_what_is_refused():
    network = from_edges([("a", "b", 1), ("b", "c", 1)], nodes=["alone"])
    loop = nx.DiGraph([("a", "b"), ("b", "b")])
    refused = [
        (UnknownNode, lambda: eigentrust(network, ["z"])),
        (BadParameter, lambda: eigentrust(network, [])),
        (BadParameter, lambda: eigentrust(network, {"a": 0.0})),
        (BadParameter, lambda: eigentrust(network, {"a": -1.0})),
        (BadParameter, lambda: eigentrust(network, {"a": math.nan})),
        (BadParameter, lambda: eigentrust(network, {"a": math.inf})),
        (BadParameter, lambda: eigentrust(network, ["a"], restart=0)),
        (BadParameter, lambda: eigentrust(network, ["a"], restart=1.01)),
        (BadParameter, lambda: eigentrust(network, ["a"], restart=math.nan)),
        (BadParameter, lambda: eigentrust(network, ["a"], tolerance=0)),
        (BadParameter, lambda: eigentrust(network, ["a"], most_rounds=-1)),
        (NoConvergence, lambda: eigentrust(network, ["a"], most_rounds=1)),
        (BadCapacity, lambda: eigentrust(nx.DiGraph([("a", "b")]), ["a"])),
        (SelfLoop, lambda: sybilrank(loop, ["a"])),
        (SelfLoop, lambda: two_block_trust(loop, ["a"], 1)),
        (UnknownNode, lambda: sybilrank(network, ["z"])),
        (BadParameter, lambda: sybilrank(network, [])),
        (BadParameter, lambda: sybilrank(network, ["alone"])),
        (BadParameter, lambda: sybilrank(network, ["a"], mutual=True)),
        (BadParameter, lambda: sybilrank(network, ["a"], total=0)),
        (BadParameter, lambda: sybilrank(network, ["a"], steps=-1)),
        (BadParameter, lambda: sybilrank(network, ["a"], steps=1.5)),
        (BadParameter, lambda: two_block_trust(network, ["a", "b"], 1)),
        (BadParameter, lambda: two_block_trust(network, ["a"], 5)),
        (NoConvergence, lambda: two_block_trust(two_crowds(1), [0], 60, most_rounds=0)),
        (UnknownNode, lambda: sybilrank(network, ["a"]).of("z")),
        (BadParameter, lambda: sybilrank(network, ["a"]).ranked(-1)),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()


@given(st.integers(0, 10**6), st.integers(1, 40))
def test_in_parts_and_by_several_threads_it_is_the_same(seed, part):
    edges = random_edges(seed)
    network = from_edges(edges, nodes=range(12))
    ask = [partial(eigentrust, network, [0], tolerance=1e-12)]
    if any(0 in edge[:2] for edge in edges):
        ask.append(partial(sybilrank, network, [0]))
    for asked in ask:
        whole = asked().values
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(propagation, "_PART", part)
            one, many = asked().values, asked(threads=3).values
        assert one.tolist() == many.tolist()
        assert one == pytest.approx(whole, rel=1e-9, abs=1e-12)
