"""Features of pairs against NetworkX and their definitions."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.arrays import from_edges, from_networkx
from graph.errors import BadCapacity, BadParameter, SelfLoop, UnknownNode
from graph.features import pair_features
from graph.network import trust_network
from graph.trust import two_hop_trust

MEMBERS = 7


@st.composite
def networks(draw):
    pairs = [(a, b) for a in range(MEMBERS) for b in range(MEMBERS) if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=20))
    edges = [(a, b, draw(st.integers(0, 9))) for a, b in chosen]
    return trust_network(edges, nodes=range(MEMBERS))


def every_pair():
    return [(a, b) for a in range(MEMBERS) for b in range(MEMBERS) if a != b]


@settings(max_examples=60, deadline=None)
@given(networks())
def test_shared_contacts_are_those_of_networkx(network):
    found = pair_features(network, every_pair())
    ties = nx.Graph()
    ties.add_nodes_from(network)
    ties.add_edges_from((a, b) for a, b, room in network.edges(data="room") if room)
    for name, judge in (
        ("jaccard", nx.jaccard_coefficient),
        ("adamic_adar", nx.adamic_adar_index),
        ("resource", nx.resource_allocation_index),
        ("degree_product", nx.preferential_attachment),
    ):
        expected = [value for *_, value in judge(ties, every_pair())]
        assert np.allclose(found.column(name), expected), name
    shared = [len(set(nx.common_neighbors(ties, a, b))) for a, b in every_pair()]
    assert found.column("common").tolist() == shared


@settings(max_examples=60, deadline=None)
@given(networks())
def test_two_hop_is_that_of_trust_both_ways(network):
    found = pair_features(network, every_pair())
    for k, (a, b) in enumerate(every_pair()):
        assert found.column("two_hop")[k] == two_hop_trust(network, a, b)
        assert found.column("two_hop_back")[k] == two_hop_trust(network, b, a)
        assert found.column("room")[k] == network.get_edge_data(a, b, {"room": 0})["room"]
        assert found.column("room_back")[k] == network.get_edge_data(b, a, {"room": 0})["room"]


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(1, 5))
def test_chains_and_walks_are_as_defined(network, steps):
    found = pair_features(network, every_pair(), steps=steps)
    rooms = nx.to_numpy_array(network, nodelist=range(MEMBERS), weight="room")
    both = rooms + rooms.T
    ties = (both > 0).astype(float)
    contacts = ties.sum(axis=1)
    onward = both / np.maximum(both.sum(axis=1, keepdims=True), 1)
    ended = sum(
        0.7**k * (0.3 if k < steps else 1) * np.linalg.matrix_power(onward, k)
        for k in range(1, steps + 1)
    )
    for k, (s, t) in enumerate(every_pair()):
        chains = sum(
            1 / math.sqrt(contacts[i] * contacts[j])
            for i in range(MEMBERS)
            for j in range(MEMBERS)
            if ties[s, i] and ties[i, j] and ties[j, t]
        )
        assert math.isclose(found.column("paths3")[k], chains, abs_tol=1e-9)
        assert math.isclose(found.column("walk")[k], ended[s, t], abs_tol=1e-9)
        assert math.isclose(found.column("walk_back")[k], ended[t, s], abs_tol=1e-9)


@settings(max_examples=30, deadline=None)
@given(networks(), st.permutations(range(MEMBERS)))
def test_other_names_and_another_order_change_nothing(network, names):
    found = pair_features(network, every_pair())
    renamed = nx.relabel_nodes(network, dict(enumerate(names)))
    turned = [(names[a], names[b]) for a, b in reversed(every_pair())]
    assert np.allclose(pair_features(renamed, turned).values[::-1], found.values)


def test_arrays_of_ids_and_networkx_give_the_same_and_stay_as_they_were():
    network = trust_network([(3, 5, 4), (5, 8, 2), (8, 3, 1), (8, 9, 7)])
    before = list(network.edges(data=True))
    pairs = [(3, 8), (9, 3), (3, 8)]
    found = pair_features(network, pairs)
    assert found.pairs == ((3, 8), (9, 3), (3, 8))
    assert list(network.edges(data=True)) == before
    of_arrays = pair_features(from_networkx(network), np.array(pairs))
    assert of_arrays.pairs == found.pairs
    assert (of_arrays.values == found.values).all()
    with pytest.raises(ValueError):
        found.values[0, 0] = 1


def test_many_starts_are_taken_in_portions(monkeypatch):
    network = from_edges([(k, (k * 7 + 1) % 40, k) for k in range(40) if (k * 7 + 1) % 40 != k])
    pairs = [(a, b) for a in range(40) for b in range(40) if a != b]
    whole = pair_features(network, pairs)
    monkeypatch.setattr("graph.features._STARTS", 7)
    monkeypatch.setattr("graph.features._PAIRS", 11)
    assert np.allclose(pair_features(network, pairs).values, whole.values)


def test_no_pairs_and_no_edges():
    network = trust_network([], nodes=["a", "b"])
    assert pair_features(network, []).values.shape == (0, 12)
    assert not pair_features(network, [("a", "b")]).values.any()


@pytest.mark.parametrize(
    "pairs, error",
    [
        ([("a", "z")], UnknownNode),
        ([("a", "a")], BadParameter),
        (np.array([1, 2]), BadParameter),
        (np.array([[0.5, 1.0]]), BadParameter),
    ],
)
def test_pairs_that_are_none_are_refused(pairs, error):
    with pytest.raises(error):
        pair_features(from_edges([("a", "b", 1)]), pairs)


def test_bad_networks_steps_and_names_are_refused():
    loop = nx.DiGraph()
    loop.add_edge("a", "a", room=1)
    with pytest.raises(SelfLoop):
        pair_features(loop, [])
    part = nx.DiGraph()
    part.add_edge("a", "b", room=0.5)
    with pytest.raises(BadCapacity):
        pair_features(part, [("a", "b")])
    network = from_edges([("a", "b", 1)])
    with pytest.raises(BadParameter):
        pair_features(network, [("a", "b")], steps=0)
    with pytest.raises(BadParameter):
        pair_features(network, [("a", "b")]).column("luck")
