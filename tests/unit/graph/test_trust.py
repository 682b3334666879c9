"""Trust between two people: by hand, against NetworkX, and by its own proof."""

from __future__ import annotations

import random
from fractions import Fraction

import networkx as nx
import pytest

from graph.errors import BadCapacity, BadParameter, UnknownNode
from graph.layered import bounded_flow
from graph.network import rooms_of, trust_network
from graph.trust import bounded_trust, budgeted_trust, max_trust, pool_trust, two_hop_trust

# P can lose 6 to Q and 2 to R; Q 3 to R and 1 to T; R 4 to T.
#   P -> Q -> T 1, P -> R -> T 2, P -> Q -> R -> T 2 (R's 4 is then full)   = 5
EDGES = [("p", "q", 6), ("p", "r", 2), ("q", "r", 3), ("q", "t", 1), ("r", "t", 4)]


def random_network(seed, n=8, *, top=20, density=0.35):
    rng = random.Random(seed)
    edges = [
        (u, v, rng.randint(0, top))
        for u in range(n)
        for v in range(n)
        if u != v and rng.random() < density
    ]
    return trust_network(edges, nodes=range(n))


def test_the_worked_network():
    g = trust_network(EDGES)
    trust = max_trust(g, "p", "t")
    assert trust.value == 5
    assert trust.cut == {("q", "t"), ("r", "t")}
    assert trust.side == {"p", "q", "r"}
    assert [bounded_trust(g, "p", "t", k) for k in (1, 2, 3, 4, 9)] == [0, 3, 5, 5, 5]
    assert two_hop_trust(g, "p", "t") == 3
    assert budgeted_trust(g, "p", "t", {"q": 2}) == 4
    assert budgeted_trust(g, "p", "t", {"p": 3}) == 3
    assert budgeted_trust(g, "p", "t", {"t": 1, "q": 0}) == 1
    assert budgeted_trust(g, "p", "t", {}) == 5
    assert pool_trust(g, "p", ["t"]) == 5
    assert pool_trust(g, "p", ["r", "t", "t"]) == 6
    assert pool_trust(g, "p", []) == 0


def test_no_chain_is_no_trust():
    g = trust_network(EDGES, nodes=["alone"])
    assert max_trust(g, "p", "alone").value == 0
    assert max_trust(g, "alone", "p").side == {"alone"}
    assert bounded_trust(g, "t", "p", 3) == 0
    assert max_trust(trust_network([], nodes=["a", "b"]), "a", "b").value == 0


@pytest.mark.parametrize("factor", [1, 10**9])
def test_values_and_cuts_agree_with_networkx_whatever_the_size_of_the_amounts(factor):
    # The larger amounts leave 32 bits and so take the other engine.
    for seed in range(80):
        g = random_network(seed)
        for _, _, edge in g.edges(data=True):
            edge["room"] *= factor
        trust = max_trust(g, 0, 1)
        assert trust.value == nx.maximum_flow_value(g, 0, 1, capacity="room")
        rooms = rooms_of(g)
        assert trust.value == sum(rooms[pair] for pair in trust.cut)
        left = g.copy()
        left.remove_edges_from([*trust.cut, *(pair for pair, room in rooms.items() if not room)])
        assert not nx.has_path(left, 0, 1)
        assert 0 in trust.side
        assert 1 not in trust.side


def test_the_side_is_the_smallest_that_a_minimum_cut_separates():
    # Both edges are minimum cuts; the first leaves the borrower alone.
    g = trust_network([("a", "b", 2), ("b", "c", 2)])
    assert max_trust(g, "a", "c").side == {"a"}
    big = trust_network([("a", "b", 2 * 10**10), ("b", "c", 2 * 10**10)])
    assert max_trust(big, "a", "c").side == {"a"}


def test_pools_and_budgets_agree_with_networkx_on_explicit_networks():
    for seed in range(60):
        g = random_network(seed)
        joined = nx.DiGraph()
        joined.add_nodes_from([*g, "pool"])
        joined.add_weighted_edges_from(g.edges(data="room"), weight="capacity")
        joined.add_edge(1, "pool")
        joined.add_edge(2, "pool")
        assert pool_trust(g, 0, [1, 2]) == nx.maximum_flow_value(joined, 0, "pool")
        rng = random.Random(seed)
        budgets = {v: rng.randint(0, 15) for v in range(2, 8) if rng.random() < 0.7}
        split = nx.DiGraph()
        for v in g:
            split.add_edge(
                (v, "in"), (v, "out"), **({"capacity": budgets[v]} if v in budgets else {})
            )
        for u, v, room in g.edges(data="room"):
            split.add_edge((u, "out"), (v, "in"), capacity=room)
        slow = nx.maximum_flow_value(split, (0, "in"), (1, "out"))
        assert budgeted_trust(g, 0, 1, budgets) == slow


def test_trust_within_a_circle_grows_with_it_up_to_the_whole():
    for seed in range(40):
        g = random_network(seed, 7)
        values = [bounded_trust(g, 0, 1, k) for k in range(1, 8)]
        assert values == sorted(values)
        assert values[-1] == max_trust(g, 0, 1).value
        assert values[1] == two_hop_trust(g, 0, 1)
        assert all(isinstance(value, Fraction) for value in values)


def test_two_hops_agree_with_the_programme_for_short_paths():
    for seed in range(40):
        g = random_network(seed)
        arcs = [(u, v, room) for (u, v), room in rooms_of(g).items()]
        assert bounded_flow(arcs, {0: None}, 1, 2).optimum == two_hop_trust(g, 0, 1)


def test_an_undirected_tie_carries_trust_both_ways():
    g = nx.Graph()
    g.add_edge("a", "b", room=3)
    g.add_edge("b", "c", room=2)
    assert max_trust(g, "a", "c").value == max_trust(g, "c", "a").value == 2
    assert two_hop_trust(g, "c", "a") == 2


def test_one_more_edge_or_more_room_never_lowers_trust():
    for seed in range(40):
        g = random_network(seed)
        before = max_trust(g, 0, 1).value
        more = trust_network([*g.edges(data="room"), (seed % 7, 7, 5)], nodes=g)
        assert max_trust(more, 0, 1).value >= before


def test_the_network_that_is_asked_stays_as_it_was():
    g = trust_network(EDGES, {"p": 5})
    before = nx.to_dict_of_dicts(g), dict(g.nodes(data=True))
    max_trust(g, "p", "t")
    pool_trust(g, "p", ["t"])
    bounded_trust(g, "p", "t", 3)
    budgeted_trust(g, "p", "t", {"q": 2})
    assert (nx.to_dict_of_dicts(g), dict(g.nodes(data=True))) == before


def test_questions_that_make_no_sense_are_refused():
    g = trust_network(EDGES)
    asks = (
        max_trust,
        two_hop_trust,
        lambda g, b, t: bounded_trust(g, b, t, 3),
        lambda g, b, t: budgeted_trust(g, b, t, {}),
    )
    for ask in asks:
        with pytest.raises(UnknownNode):
            ask(g, "p", "stranger")
        with pytest.raises(BadParameter):
            ask(g, "p", "p")
    with pytest.raises(BadParameter):
        pool_trust(g, "p", ["p", "t"])
    with pytest.raises(UnknownNode):
        budgeted_trust(g, "p", "t", {"stranger": 1})
    with pytest.raises(BadCapacity):
        budgeted_trust(g, "p", "t", {"q": 1.5})
    for edges in (0, -1, 2.0, True):
        with pytest.raises(BadParameter):
            bounded_trust(g, "p", "t", edges)
