"""Circles within circles: against NetworkX at every size of promise, and by hand."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges, from_rows
from graph.errors import BadParameter
from graph.nested import nested_circles

MEMBERS = 9


@st.composite
def promises(draw):
    """Promises between a few members, of few or of many different amounts; nothing among them."""
    pairs = st.tuples(st.integers(0, MEMBERS - 1), st.integers(0, MEMBERS - 1))
    chosen = draw(st.sets(pairs.filter(lambda pair: pair[0] != pair[1]), min_size=1, max_size=40))
    most = draw(st.sampled_from((1, 3, 40)))
    return [(one, other, draw(st.integers(0, most))) for one, other in sorted(chosen)]


@settings(max_examples=120)
@given(promises())
def test_they_are_the_strong_components_at_every_amount(rows) -> None:
    wanted = {}
    for least in sorted({amount for *_, amount in rows if amount}):
        made = nx.DiGraph([(a, b) for a, b, amount in rows if amount >= least])
        for group in nx.strongly_connected_components(made):
            if len(group) > 1:
                wanted[frozenset(group)] = least
    network = from_rows(*np.array(rows).T)
    found = nested_circles(network)
    assert {frozenset(network.ids_of(c.places)): c.amount for c in found} == wanted
    assert [len(c.places) for c in found] == sorted((len(c.places) for c in found), reverse=True)
    # The same ones where only some sizes are asked for.
    some = nested_circles(network, least=3, most=5)
    assert some == tuple(c for c in found if 3 <= len(c.places) <= 5)


def test_a_ring_of_large_promises_within_a_village_of_small_ones() -> None:
    village = from_edges(
        [("a", "b", 9), ("b", "c", 9), ("c", "a", 8), ("c", "d", 1), ("d", "a", 2), ("d", "e", 9)]
    )
    found = [(circle.amount, village.ids_of(circle.places)) for circle in nested_circles(village)]
    assert found == [(1, ["a", "b", "c", "d"]), (8, ["a", "b", "c"])]


def test_nothing_promised_is_no_circle_and_sizes_are_numbers() -> None:
    assert nested_circles(from_edges([])) == ()
    assert nested_circles(from_edges([("a", "b", 0), ("b", "a", 0)])) == ()
    with pytest.raises(BadParameter, match="least"):
        nested_circles(from_edges([]), least=0)
    with pytest.raises(BadParameter, match="most"):
        nested_circles(from_edges([]), most=0)
