"""Triads and bounded cycles: every one by definition, none missing, never more than the budget."""

from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.arrays import from_edges
from graph.cycles import bounded_cycles, triads
from graph.errors import BadParameter, SelfLoop
from tests.unit.graph.test_structure import networks, sparse


def by_networkx(g, longest):
    """All simple cycles, each from its lowest member on, in ascending order."""
    cycles = list(nx.simple_cycles(g, longest)) if g else []
    return sorted(tuple(c[c.index(min(c)) :] + c[: c.index(min(c))]) for c in cycles)


@given(networks())
def test_the_census_agrees_with_networkx(g):
    assert triads(g).census == nx.triadic_census(g)


@pytest.mark.parametrize("edges", [100, 400, 1200])
def test_the_census_of_larger_networks_agrees_too(edges):
    g = sparse(edges, 60, edges)
    found = triads(g)
    assert found.census == nx.triadic_census(g)
    assert sum(found.census.values()) == 60 * 59 * 58 // 6


@given(networks())
def test_three_cycles_are_the_cycles_of_three(g):
    found = triads(g).three_cycles
    assert found == sum(len(cycle) == 3 for cycle in by_networkx(g, 3))
    assert found == bounded_cycles(g, 3).by_length.get(3, 0)


@given(networks(7), st.integers(2, 9))
def test_every_cycle_up_to_the_length_is_found_once(g, longest):
    found = bounded_cycles(g, longest)
    assert list(found.cycles) == by_networkx(g, longest)
    assert found.complete
    assert found.all_listed
    for cycle in found.cycles:
        assert len(set(cycle)) == len(cycle) <= longest
        assert cycle[0] == min(cycle)
        assert all(g.has_edge(u, v) for u, v in zip(cycle, cycle[1:] + cycle[:1], strict=True))
    counted = {length: sum(len(c) == length for c in found.cycles) for length in found.by_length}
    assert found.by_length == counted


@pytest.mark.parametrize("longest", [3, 4, 5, 6])
def test_larger_networks_have_the_same_cycles_as_in_networkx(longest):
    g = sparse(longest, 120, 360)
    assert list(bounded_cycles(g, longest).cycles) == by_networkx(g, longest)


def test_counting_goes_on_where_listing_stops():
    g = sparse(2, 30, 150)
    whole = bounded_cycles(g, 6)
    some = bounded_cycles(g, 6, most=10)
    none = bounded_cycles(g, 6, most=0)
    assert some.cycles == whole.cycles[:10]
    assert none.cycles == ()
    assert some.by_length == none.by_length == whole.by_length
    assert some.complete
    assert not some.all_listed
    assert some.total == len(whole.cycles) > 10


def test_a_complete_network_of_sixty_members_stops_at_the_budget():
    g = nx.complete_graph(60, create_using=nx.DiGraph)
    found = bounded_cycles(g, 60, most=5, steps=100_000)
    assert not found.complete
    assert not found.all_listed
    assert len(found.cycles) == 5
    # The budget is looked at once a row.
    assert 100_000 < found.steps <= 100_000 + 2 * 60 * 60
    assert found == bounded_cycles(g, 60, most=5, steps=100_000)


@given(networks(7), st.integers(1, 60))
def test_a_small_budget_finds_a_beginning_of_all_cycles(g, steps):
    whole, part = bounded_cycles(g, 5), bounded_cycles(g, 5, steps=steps)
    assert part.cycles == whole.cycles[: len(part.cycles)]
    if part.complete:
        assert part == whole
    else:
        assert part.steps > steps


@given(networks(7), st.randoms(use_true_random=False))
def test_names_and_the_order_of_rows_change_nothing_but_names(g, rng):
    edges = list(g.edges)
    rng.shuffle(edges)
    names = dict(enumerate("tqxzaby"))
    base = from_edges([(u, v, 1) for u, v in g.edges], nodes=g)
    same = from_edges([(u, v, 2) for u, v in edges], nodes=g)
    other = from_edges([(names[u], names[v], 1) for u, v in edges], nodes=[names[v] for v in g])
    assert triads(base) == triads(same) == triads(other)
    assert bounded_cycles(base, 5) == bounded_cycles(same, 5)
    assert bounded_cycles(base, 5).by_length == bounded_cycles(other, 5).by_length
    turned = {frozenset(map(names.get, c)) for c in bounded_cycles(base, 5).cycles}
    assert {frozenset(c) for c in bounded_cycles(other, 5).cycles} == turned


@given(networks(7))
def test_one_more_vouch_never_takes_a_cycle_away(g):
    more = g.copy()
    more.add_edge(0, 1)
    assert set(bounded_cycles(g, 5).cycles) <= set(bounded_cycles(more, 5).cycles)
    assert triads(g).three_cycles <= triads(more).three_cycles


def test_empty_networks_have_no_cycle():
    for nodes in ([], ["a"], ["a", "b"], ["a", "b", "c"]):
        g = from_edges([], nodes=nodes)
        assert bounded_cycles(g, 5).cycles == ()
        assert triads(g).census["003"] == (len(nodes) == 3)
        assert sum(triads(g).census.values()) == (len(nodes) == 3)


def test_questions_that_make_no_sense_are_refused():
    loop = nx.DiGraph([("a", "a")])
    for ask in (triads, lambda g: bounded_cycles(g, 3)):
        with pytest.raises(SelfLoop):
            ask(loop)
    g = from_edges([("a", "b", 1)])
    for wrong in (-1, 1.5, True, float("nan")):
        with pytest.raises(BadParameter):
            bounded_cycles(g, wrong)
        with pytest.raises(BadParameter):
            bounded_cycles(g, 3, most=wrong)
        with pytest.raises(BadParameter):
            bounded_cycles(g, 3, steps=wrong)
    with pytest.raises(BadParameter):
        bounded_cycles(g, 1)
    with pytest.raises(BadParameter):
        bounded_cycles(g, 3, steps=0)


def test_a_network_that_is_asked_stays_as_it_was():
    g = sparse(1, 20, 60)
    before = nx.to_dict_of_dicts(g), dict(g.nodes(data=True))
    triads(g)
    bounded_cycles(g, 5)
    assert (nx.to_dict_of_dicts(g), dict(g.nodes(data=True))) == before
