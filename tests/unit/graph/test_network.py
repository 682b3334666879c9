"""Networks of vouches: built, checked, read back, never changed."""

from __future__ import annotations

import networkx as nx
import pytest

from graph.errors import BadCapacity, SelfLoop, UnknownNode
from graph.limits import Promise
from graph.network import (
    network_of_promises,
    promises_of_network,
    require_nodes,
    rooms_of,
    trust_network,
)


def test_parallel_vouches_add_up_and_lonely_members_stay():
    g = trust_network([("a", "b", 3), ("a", "b", 4)], {"a": 10, "c": 0}, nodes=["d"])
    assert list(g) == ["a", "c", "d", "b"]
    assert g["a"]["b"]["room"] == 7
    assert g.nodes["a"]["standing"] == 10


@pytest.mark.parametrize("bad", [-1, 1.5, 2.0, float("nan"), True, None, "3"])
def test_a_room_or_standing_that_is_no_whole_amount_is_refused(bad):
    with pytest.raises(BadCapacity):
        trust_network([("a", "b", bad)])
    with pytest.raises(BadCapacity):
        trust_network([], {"a": bad})
    g = nx.DiGraph()
    g.add_edge("a", "b", room=bad)
    with pytest.raises(BadCapacity):
        rooms_of(g)


def test_an_edge_without_a_room_is_refused():
    with pytest.raises(BadCapacity, match="'a' -> 'b'"):
        rooms_of(nx.DiGraph([("a", "b")]))


def test_self_loops_and_strangers_are_refused():
    with pytest.raises(SelfLoop):
        trust_network([("a", "a", 1)])
    g = nx.DiGraph()
    g.add_edge("a", "a", room=1)
    with pytest.raises(SelfLoop):
        rooms_of(g)
    with pytest.raises(UnknownNode, match="'z'"):
        require_nodes(g, ["a", "z"])


def test_promises_go_in_and_come_back():
    promises = [Promise(1, "a", "b", 3), Promise(2, "a", "b", 4), Promise(3, "b", "c", 5)]
    g = network_of_promises({"a": 9}, promises)
    standings, back = promises_of_network(g)
    assert standings == {"a": 9, "b": 0, "c": 0}
    assert back == (Promise(("a", "b"), "a", "b", 7), Promise(("b", "c"), "b", "c", 5))


def test_an_undirected_edge_counts_both_ways_and_parallel_ones_add_up():
    g = nx.MultiGraph()
    g.add_edge(1, 2, room=3)
    g.add_edge(2, 1, room=4)
    assert rooms_of(g) == {(1, 2): 7, (2, 1): 7}


def test_an_empty_network_is_a_network():
    assert rooms_of(trust_network([])) == {}
    assert promises_of_network(trust_network([])) == ({}, ())
