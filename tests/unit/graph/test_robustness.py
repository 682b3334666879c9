"""Cores, articulation members, bridges and splitting: by definition, and against NetworkX."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges, from_rows
from graph.errors import BadParameter, SelfLoop, UnknownNode
from graph.robustness import core_numbers, split_components, weak_points
from graph.structure import weak_components
from tests.unit.graph.test_structure import networks, sparse


def parts(g):
    return nx.number_connected_components(g) if g else 0


@given(networks())
def test_without_an_articulation_member_or_a_bridge_there_are_more_components(g):
    ties = nx.Graph(g)
    found = weak_points(g)
    whole = parts(ties)
    for v in g:
        left = ties.copy()
        left.remove_node(v)
        # Taking out a member who was alone takes out a component.
        alone = ties.degree(v) == 0
        assert (v in found.members) == (parts(left) > whole - alone)
    for u, v in ties.edges:
        left = ties.copy()
        left.remove_edge(u, v)
        assert ((min(u, v), max(u, v)) in found.bridges.ids()) == (parts(left) > whole)
    assert list(found.members) == sorted(found.members)
    assert list(found.bridges.ids()) == sorted(found.bridges.ids())


@given(networks())
def test_each_core_is_the_largest_set_tied_within_itself(g):
    ties = nx.Graph(g)
    found = core_numbers(g)
    for k in range(found.highest + 2):
        left = ties.copy()
        while weak := [v for v in left if left.degree(v) < k]:
            left.remove_nodes_from(weak)
        assert list(found.members(k)) == sorted(left)
    assert all(found.of(v) == number for v, number in found.by_member().items())


@pytest.mark.parametrize("edges", [300, 450, 700, 3000])
def test_large_networks_agree_with_networkx(edges):
    g = sparse(edges, 400, edges)
    ties = nx.Graph(g)
    assert core_numbers(g).by_member() == nx.core_number(ties)
    found = weak_points(g)
    assert set(found.members) == set(nx.articulation_points(ties))
    assert set(found.bridges.ids()) == {(min(e), max(e)) for e in nx.bridges(ties)}


def test_a_line_of_a_hundred_thousand_members_does_not_overflow():
    n = 100_000
    found = weak_points(from_rows(np.arange(n - 1), np.arange(1, n)))
    assert len(found.bridges) == n - 1
    assert len(found.members) == n - 2


@given(networks(), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_names_directions_and_order_change_nothing_but_names(g, rng):
    names = dict(enumerate("tqxzabykm"))
    turned = [(v, u) if rng.random() < 0.5 else (u, v) for u, v in g.edges]
    rng.shuffle(turned)
    base = from_edges([(u, v, 1) for u, v in g.edges], nodes=g)
    other = from_edges([(names[u], names[v], 1) for u, v in turned], nodes=[names[v] for v in g])
    numbers = core_numbers(base).by_member()
    assert core_numbers(other).by_member() == {names[v]: k for v, k in numbers.items()}
    before, after = weak_points(base), weak_points(other)
    assert set(after.members) == {names[v] for v in before.members}
    assert {frozenset(pair) for pair in after.bridges.ids()} == {
        frozenset((names[u], names[v])) for u, v in before.bridges.ids()
    }


@given(networks())
def test_one_more_vouch_never_lowers_a_core_number(g):
    more = g.copy()
    more.add_edge(0, 1)
    before, after = core_numbers(g).by_member(), core_numbers(more).by_member()
    assert all(after[v] >= number for v, number in before.items())


@given(networks(12), st.integers(1, 12))
def test_a_split_keeps_its_size_and_says_every_vouch_that_it_cut(g, most):
    split = split_components(g, most)
    groups = split.parts.groups()
    assert sorted(v for group in groups for v in group) == sorted(g)
    assert all(len(group) <= most for group in groups)
    assert all(parts(nx.Graph(g.subgraph(group))) == 1 for group in groups)
    part = {v: group for group in groups for v in group}
    assert list(split.cut.ids()) == sorted((u, v) for u, v in g.edges if part[u] != part[v])
    for component in weak_components(g).groups():
        if len(component) <= most:
            assert component in groups


def test_villages_with_few_ways_between_them_are_what_a_split_finds():
    rng = np.random.default_rng(7)
    village = np.repeat(np.arange(8), 25)
    tails = rng.integers(0, 200, 1600)
    heads = village[tails] * 25 + rng.integers(0, 25, 1600)
    keep = tails != heads
    between = [(25 * v, 25 * (v + 1) % 200) for v in range(8)]
    tails = np.r_[tails[keep], [pair[0] for pair in between]]
    heads = np.r_[heads[keep], [pair[1] for pair in between]]
    split = split_components(from_rows(tails, heads), 30)
    assert set(split.cut.ids()) == set(between)
    assert split.parts.largest == 25


def test_the_same_split_whatever_the_order_of_rows():
    g = sparse(3, 300, 900)
    edges = [(u, v, 1) for u, v in g.edges]
    first = split_components(from_edges(edges, nodes=g), 40)
    again = split_components(from_edges(edges[::-1], nodes=g), 40)
    assert first.parts.groups() == again.parts.groups()
    assert first.cut.ids() == again.cut.ids()


def test_empty_networks_have_no_weak_point():
    for nodes in ([], ["a"], ["a", "b"]):
        g = from_edges([], nodes=nodes)
        assert weak_points(g).members == ()
        assert weak_points(g).bridges.ids() == ()
        assert core_numbers(g).by_member() == dict.fromkeys(nodes, 0)
        assert core_numbers(g).highest == 0
        assert split_components(g, 1).parts.groups() == tuple((v,) for v in nodes)


def test_questions_that_make_no_sense_are_refused():
    loop = nx.DiGraph([("a", "a")])
    for ask in (core_numbers, weak_points, lambda g: split_components(g, 2)):
        with pytest.raises(SelfLoop):
            ask(loop)
    g = from_edges([("a", "b", 1)])
    for most in (0, -1, 2.0, True):
        with pytest.raises(BadParameter):
            split_components(g, most)
    with pytest.raises(UnknownNode):
        core_numbers(g).of("c")


def test_a_network_that_is_asked_stays_as_it_was():
    g = sparse(1, 20, 60)
    before = nx.to_dict_of_dicts(g), dict(g.nodes(data=True))
    core_numbers(g)
    weak_points(g)
    split_components(g, 4)
    assert (nx.to_dict_of_dicts(g), dict(g.nodes(data=True))) == before
