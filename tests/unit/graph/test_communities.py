"""Communities: their worth by its definition, and that the same seed finds the same."""

from __future__ import annotations

from fractions import Fraction

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.arrays import from_edges
from graph.communities import find_communities, modularity
from graph.errors import BadParameter, SelfLoop, UnknownNode
from tests.unit.graph.test_structure import networks, sparse

# What is known to be the best for the karate club, without weights.
KARATE = 0.4197896


@given(networks(), st.data())
def test_modularity_is_what_its_formula_says(g, data):
    labels = {v: data.draw(st.integers(0, 3)) for v in g}
    groups = [[v for v in g if labels[v] == label] for label in range(4)]
    ties = nx.Graph(g)
    m = ties.number_of_edges()
    worth = Fraction(0)
    for group in groups if m else []:
        within = ties.subgraph(group).number_of_edges()
        degrees = sum(ties.degree(v) for v in group)
        worth += Fraction(within, m) - Fraction(degrees, 2 * m) ** 2
    assert modularity(g, groups) == worth
    if m:
        assert float(worth) == pytest.approx(
            nx.community.modularity(ties, [group for group in groups if group])
        )


@given(networks())
def test_what_is_found_is_a_partition_that_is_worth_what_it_says(g):
    found = find_communities(g, tries=1)
    assert sorted(v for group in found.groups for v in group) == sorted(g)
    assert modularity(g, found.groups) == found.modularity
    assert found.modularity >= modularity(g, [[v] for v in g])
    assert [list(group) for group in found.groups] == sorted(map(sorted, found.groups))


def test_the_karate_club_comes_within_one_hundredth_of_the_best():
    club = nx.karate_club_graph()
    for seed in range(5):
        found = find_communities(club, seed=seed)
        assert 0.4155 <= found.modularity <= KARATE + 1e-7
        assert found == find_communities(club, seed=seed)


def test_the_order_of_rows_and_names_in_the_same_order_change_nothing():
    g = sparse(5, 60, 150)
    edges = [(u, v, 1) for u, v in g.edges]
    first = find_communities(from_edges(edges, nodes=g))
    assert find_communities(from_edges(edges[::-1], nodes=g)) == first
    assert find_communities(g) == first
    names = {v: f"m{v:03}" for v in g}
    named = find_communities(
        from_edges([(names[u], names[v], 1) for u, v, _ in edges], nodes=map(names.get, g))
    )
    assert named.groups == tuple(tuple(names[v] for v in group) for group in first.groups)
    assert named.modularity == first.modularity


def test_more_tries_are_never_worth_less():
    g = sparse(9, 80, 200)
    assert find_communities(g, tries=1).modularity <= find_communities(g, tries=4).modularity


def test_networks_without_ties_are_communities_of_one():
    for nodes in ([], ["a"], ["a", "b"]):
        found = find_communities(from_edges([], nodes=nodes))
        assert found.groups == tuple((v,) for v in nodes)
        assert found.modularity == 0
        assert modularity(from_edges([], nodes=nodes), [nodes]) == 0


def test_what_is_no_partition_is_refused():
    g = from_edges([("a", "b", 1)])
    with pytest.raises(BadParameter, match="'b' is in no community"):
        modularity(g, [["a"]])
    with pytest.raises(BadParameter, match="'a' is in more than one"):
        modularity(g, [["a", "b"], ["a"]])
    with pytest.raises(BadParameter, match="'a' is in more than one"):
        modularity(g, [["a", "b", "a"]])
    with pytest.raises(UnknownNode):
        modularity(g, [["a", "b", "c"]])
    with pytest.raises(SelfLoop):
        modularity(nx.DiGraph([("a", "a")]), [["a"]])
    for wrong in (-1, 1.5, True):
        with pytest.raises(BadParameter):
            find_communities(g, seed=wrong)
        with pytest.raises(BadParameter):
            find_communities(g, tries=wrong)
    with pytest.raises(BadParameter):
        find_communities(g, tries=0)


def test_a_network_that_is_asked_stays_as_it_was():
    g = sparse(1, 20, 60)
    before = nx.to_dict_of_dicts(g), dict(g.nodes(data=True))
    find_communities(g)
    assert (nx.to_dict_of_dicts(g), dict(g.nodes(data=True))) == before
