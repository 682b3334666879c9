"""Circles, mutual pairs, stars and chains: by definition, against NetworkX, under renaming."""

from __future__ import annotations

import random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges, from_rows
from graph.errors import BadCapacity, BadParameter, SelfLoop, UnknownNode
from graph.indebtedness import contingent_ratios
from graph.structure import (
    longest_chain,
    mutual_pairs,
    stars,
    strong_components,
    weak_components,
)

MEMBERS = 9


@st.composite
def networks(draw, members=MEMBERS):
    """A directed NetworkX graph of a few members, with every density."""
    pairs = st.tuples(st.integers(0, members - 1), st.integers(0, members - 1))
    edges = draw(st.sets(pairs.filter(lambda pair: pair[0] != pair[1]), max_size=3 * members))
    made = nx.DiGraph()
    made.add_nodes_from(range(draw(st.integers(0, members))))
    made.add_edges_from(edges)
    return made


def sparse(seed, members, edges):
    """A larger one, whose searches go deep."""
    rng = random.Random(seed)
    made = nx.DiGraph()
    made.add_nodes_from(range(members))
    made.add_edges_from(rng.sample(range(members), 2) for _ in range(edges))
    return made


@given(networks())
def test_a_circle_is_all_who_reach_each_other(g):
    found = strong_components(g)
    reach = {v: nx.descendants(g, v) | {v} for v in g}
    for u in g:
        assert set(found.of(u)) == {v for v in g if v in reach[u] and u in reach[v]}
    groups = found.groups()
    assert sorted(v for group in groups for v in group) == sorted(g)
    assert [list(group) for group in groups] == sorted(sorted(group) for group in groups)
    assert found.groups(2) == tuple(group for group in groups if len(group) > 1)
    assert found.largest == max(map(len, groups), default=0)


@given(networks())
def test_weak_components_mutual_pairs_and_stars_follow_their_definitions(g):
    weak = {frozenset(group) for group in weak_components(g).groups()}
    assert weak == {frozenset(group) for group in nx.weakly_connected_components(g)}
    pairs = mutual_pairs(g)
    assert list(pairs.ids()) == sorted((u, v) for u, v in g.edges if u < v and g.has_edge(v, u))
    assert len(pairs) == len(pairs.ids())
    found = stars(g, least=2)
    out = sorted(((v, d) for v, d in g.out_degree if d >= 2), key=lambda item: (-item[1], item[0]))
    into = sorted(((v, d) for v, d in g.in_degree if d >= 2), key=lambda item: (-item[1], item[0]))
    assert (list(found.guarantors), list(found.borrowers)) == (out, into)


@given(networks())
def test_the_longest_chain_is_a_chain_and_none_is_longer(g):
    found = longest_chain(g)
    circle = {v: group for group in strong_components(g).groups() for v in group}
    assert len(found.vouches) == found.length
    assert all(g.has_edge(u, v) and circle[u] != circle[v] for u, v in found.vouches)
    for (_, before), (after, _) in zip(found.vouches, found.vouches[1:], strict=False):
        assert circle[before] == circle[after]
    slow = nx.dag_longest_path_length(nx.condensation(g)) if g else 0
    assert found.length == slow


@pytest.mark.parametrize("edges", [300, 450, 700, 1500])
def test_large_sparse_networks_agree_with_networkx(edges):
    g = sparse(edges, 400, edges)
    strong = {frozenset(group) for group in strong_components(g).groups()}
    assert strong == {frozenset(group) for group in nx.strongly_connected_components(g)}
    assert longest_chain(g).length == nx.dag_longest_path_length(nx.condensation(g))


def test_a_search_of_a_hundred_thousand_members_deep_does_not_overflow():
    n = 100_000
    ring = from_rows(np.arange(n), np.r_[1:n, 0])
    assert strong_components(ring).largest == n
    line = from_rows(np.arange(n - 1), np.arange(1, n))
    assert longest_chain(line).length == n - 1
    assert strong_components(line).largest == 1


@given(networks(), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_names_and_the_order_of_rows_change_nothing_but_names(g, rng):
    edges = list(g.edges)
    rng.shuffle(edges)
    # Names in another order than the numbers.
    names = dict(enumerate("tqxzabykm"))
    base = from_edges([(u, v, 1) for u, v in g.edges], nodes=g)
    same = from_edges([(u, v, 5) for u, v in edges], nodes=reversed(list(g)))
    other = from_edges([(names[u], names[v], 1) for u, v in edges], nodes=[names[v] for v in g])
    for ask in (strong_components, weak_components):
        assert ask(base).groups() == ask(same).groups()
        renamed = {frozenset(names[v] for v in group) for group in ask(base).groups()}
        assert {frozenset(group) for group in ask(other).groups()} == renamed
    assert longest_chain(base) == longest_chain(same)
    assert longest_chain(base).length == longest_chain(other).length
    assert mutual_pairs(base).ids() == mutual_pairs(same).ids()
    assert {frozenset(pair) for pair in mutual_pairs(other).ids()} == {
        frozenset((names[u], names[v])) for u, v in mutual_pairs(base).ids()
    }
    assert stars(base) == stars(same)
    assert set(stars(other).guarantors) == {(names[v], d) for v, d in stars(base).guarantors}


@given(networks())
def test_one_more_vouch_never_parts_a_circle(g):
    more = g.copy()
    more.add_edge(0, 1)
    for group in strong_components(g).groups():
        assert set(group) <= set(strong_components(more).of(group[0]))


def test_an_undirected_tie_counts_both_ways_and_several_vouches_are_one():
    tie = nx.Graph([("a", "b")])
    assert mutual_pairs(tie).ids() == (("a", "b"),)
    twice = nx.MultiDiGraph([("a", "b"), ("a", "b"), ("a", "c")])
    assert stars(twice, least=2).guarantors == (("a", 2),)


def test_a_network_without_members_or_vouches_has_no_circle():
    for nodes in ([], ["a"], ["a", "b"]):
        g = from_edges([], nodes=nodes)
        assert strong_components(g).groups(2) == ()
        assert weak_components(g).groups() == tuple((v,) for v in nodes)
        assert longest_chain(g).vouches == ()
        assert mutual_pairs(g).ids() == ()
        assert strong_components(g).largest == min(len(nodes), 1)


def test_questions_that_make_no_sense_are_refused():
    loop = nx.DiGraph([("a", "a")])
    for ask in (strong_components, weak_components, mutual_pairs, stars, longest_chain):
        with pytest.raises(SelfLoop):
            ask(loop)
        with pytest.raises(BadParameter):
            ask([("a", "b")])
    g = from_edges([("a", "b", 1)])
    for least in (0, 1.5, True):
        with pytest.raises(BadParameter):
            stars(g, least=least)
        with pytest.raises(BadParameter):
            strong_components(g).groups(least)
    with pytest.raises(UnknownNode):
        strong_components(g).of("c")


def test_a_network_that_is_asked_stays_as_it_was():
    g = sparse(1, 20, 60)
    before = nx.to_dict_of_dicts(g), dict(g.nodes(data=True))
    for ask in (strong_components, weak_components, mutual_pairs, stars, longest_chain):
        ask(g)
    assert (nx.to_dict_of_dicts(g), dict(g.nodes(data=True))) == before


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]),
        st.integers(0, 2**52),
    ),
    st.dictionaries(st.integers(0, 5), st.integers(0, 2**52)),
    st.lists(st.integers(0, 2**52), min_size=6, max_size=6),
    st.fractions(0, 5),
)
def test_contingent_ratios_are_exact(caps, debts, carry, limit):
    network = from_edges([(u, v, cap) for (u, v), cap in caps.items()])
    found = contingent_ratios(network, debts, dict(enumerate(carry)), limit=limit)
    flagged = []
    for u, capacity in enumerate(carry):
        burden = found.burdens[u]
        carried = debts.get(u, 0) + sum(cap for (g, _), cap in caps.items() if g == u)
        assert burden.borrowers == sum(g == u for g, _ in caps)
        assert burden.own_debt + burden.guaranteed == carried
        if capacity:
            assert burden.ratio * capacity == carried
        else:
            assert burden.ratio == (None if carried else 0)
        if carried > limit * capacity:
            flagged.append(u)
    assert list(found.flagged) == flagged


def test_many_large_guarantees_do_not_overflow():
    network = from_edges([(0, v, 2**52) for v in range(1, 5000)])
    found = contingent_ratios(network, {}, {0: 1})
    assert found.burdens[0].ratio == 4999 * 2**52


def test_ratios_refuse_what_is_no_amount():
    network = from_edges([("a", "b", 5)])
    with pytest.raises(BadParameter, match="'a' owes or guarantees"):
        contingent_ratios(network, {}, {"b": 1})
    with pytest.raises(BadParameter):
        contingent_ratios(network, {"c": 1}, {"a": 1})
    for amount in (-1, 1.0, float("nan"), True):
        with pytest.raises(BadCapacity):
            contingent_ratios(network, {"a": amount}, {"a": 1})
        with pytest.raises(BadCapacity):
            contingent_ratios(network, {}, {"a": amount})
    for limit in (-1, 1.0, float("nan"), True):
        with pytest.raises(BadParameter):
            contingent_ratios(network, {}, {"a": 1}, limit=limit)
    with pytest.raises(BadCapacity):
        contingent_ratios(nx.DiGraph([("a", "b")]), {}, {"a": 1})
