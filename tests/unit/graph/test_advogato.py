"""Acceptance by flow: by its certificate, by enumeration, and by the bound that makes it safe."""

from __future__ import annotations

import dataclasses
import random

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.advogato import advogato, advogato_levels, check_accepted
from graph.arrays import from_edges
from graph.errors import BadCapacity, BadCertificate, BadParameter, UnknownNode

CAPACITIES = [9, 4, 3, 2, 1]


def random_network(seed, n=12, density=0.2):
    rng = random.Random(seed)
    edges = [
        (a, b, rng.randint(0, 3))
        for a in range(n)
        for b in range(n)
        if a != b and rng.random() < density
    ]
    return from_edges(edges, nodes=range(n))


def split_network(network, seeds, capacities, least=0):
    """The network of the definition, in NetworkX."""
    certificates = nx.DiGraph()
    certificates.add_nodes_from(network.ids_of(range(network.n)))
    for a, b, room in network.to_networkx().edges(data="room"):
        if room >= least:
            certificates.add_edge(a, b)
    certificates.add_edges_from(("root", s) for s in seeds)
    distance = nx.single_source_shortest_path_length(certificates, "root")
    net = nx.DiGraph()
    for v, far in distance.items():
        room = capacities[min(far, len(capacities) - 1)]
        net.add_edge((v, 0), (v, 1), capacity=room - 1)
        if v != "root":
            net.add_edge((v, 0), "sink", capacity=1)
        for w in certificates[v]:
            net.add_edge((v, 1), (w, 0))
    return net


@pytest.mark.parametrize("least", [0, 2])
@pytest.mark.parametrize("seed", range(25))
def test_as_many_are_accepted_as_the_definition_says_and_the_flow_proves_it(seed, least):
    network = random_network(seed)
    found = advogato(network, [0, 1], CAPACITIES, least=least)
    net = split_network(network, [0, 1], CAPACITIES, least)
    assert found.count == nx.maximum_flow_value(net, ("root", 0), "sink")
    check_accepted(found, network, [0, 1], CAPACITIES, least=least)
    assert found.certain <= found.accepted <= found.possible


@pytest.mark.parametrize("seed", range(15))
def test_certain_and_possible_are_what_all_and_some_largest_sets_hold(seed):
    network = random_network(seed, n=9)
    found = advogato(network, [0, 1], [6, 3, 2, 1])
    for member in range(9):
        net = split_network(network, [0, 1], [6, 3, 2, 1])
        if ((member, 0), "sink") not in net.edges:
            assert member not in found.possible
            continue
        # Left out: as many without them? Forced in: as many with them?
        without = net.copy()
        without.remove_edge((member, 0), "sink")
        spare = nx.maximum_flow_value(without, ("root", 0), "sink") == found.count
        assert (member in found.certain) == (not spare)
        lower = net.copy()
        # A unit that must arrive: worth more than all others together.
        for edge in lower.edges:
            if edge[1] == "sink":
                lower.edges[edge]["weight"] = -1 if edge[0][0] == member else 0
        best = nx.max_flow_min_cost(lower, ("root", 0), "sink")
        assert (member in found.possible) == (best[member, 0]["sink"] == 1)


@given(st.integers(0, 10**6))
def test_inventing_members_gains_no_more_than_the_confused_can_hand_on(seed):
    rng = random.Random(seed)
    network = random_network(seed)
    confused = rng.sample(range(12), 2)
    edges = [
        *((a, b, room) for a, b, room in network.to_networkx().edges(data="room")),
        *((c, f"fake{i}", 3) for c in confused for i in rng.sample(range(20), 5)),
        *((f"fake{i}", f"fake{j}", 3) for i in range(20) for j in range(20) if i != j),
    ]
    attacked = from_edges(edges, nodes=range(12))
    found = advogato(attacked, [0, 1], CAPACITIES)
    fakes = sum(isinstance(member, str) for member in found.accepted)
    bound = sum(
        CAPACITIES[min(found.distance[c], len(CAPACITIES) - 1)] - 1
        for c in confused
        if c in found.distance
    )
    assert fakes <= bound


@given(st.integers(0, 10**6))
def test_names_change_nothing_but_names(seed):
    network = random_network(seed)
    rng = random.Random(seed)
    names = [f"{rng.randrange(10**6)}-{v}" for v in range(12)]
    edges = list(network.to_networkx().edges(data="room"))
    rng.shuffle(edges)
    renamed = from_edges(((names[a], names[b], room) for a, b, room in edges), nodes=names)
    one = advogato(network, [0, 1], CAPACITIES)
    other = advogato(renamed, [names[1], names[0]], CAPACITIES)
    assert one.count == other.count
    assert {names[v] for v in one.certain} == other.certain
    assert {names[v] for v in one.possible} == other.possible


def test_a_certificate_that_shortens_no_way_never_accepts_fewer():
    for seed in range(20):
        network = random_network(seed)
        before = advogato(network, [0, 1], CAPACITIES)
        edges = list(network.to_networkx().edges(data="room"))
        for a in before.distance:
            for b in before.distance:
                if a != b and before.distance[b] <= before.distance[a] + 1:
                    more = from_edges([*edges, (a, b, 1)], nodes=range(12))
                    assert advogato(more, [0, 1], CAPACITIES).count >= before.count
                    break


def test_one_run_per_level():
    network = random_network(7, density=0.4)
    by_level = advogato_levels(network, [0], CAPACITIES)
    assert list(by_level) == [0, 1, 2, 3]
    for level, found in by_level.items():
        assert found == advogato(network, [0], CAPACITIES, least=level)


def test_what_does_not_prove_itself_is_refused():
    network = random_network(3)
    found = advogato(network, [0, 1], CAPACITIES)
    some = next(iter(found.accepted - {0, 1}))
    (pair, flow), *_ = found.handed.items()
    broken = [
        dataclasses.replace(found, count=found.count + 1),
        dataclasses.replace(found, accepted=found.accepted - {some}),
        dataclasses.replace(found, handed=found.handed | {pair: flow + 1}),
        dataclasses.replace(found, handed=found.handed | {(11, 11): 1}),
        dataclasses.replace(found, from_root={0: found.count, 7: 1}),
        dataclasses.replace(found, distance=found.distance | {0: 2}),
        # Fair and within capacities, but not the largest.
        dataclasses.replace(
            found, count=2, accepted=frozenset({0, 1}), handed={}, from_root={0: 1, 1: 1}
        ),
    ]
    for wrong in broken:
        with pytest.raises(BadCertificate):
            check_accepted(wrong, network, [0, 1], CAPACITIES)


def test_what_is_refused():
    network = from_edges([("a", "b", 1)])
    many = from_edges([(0, v, v) for v in range(1, 70)])
    refused = [
        (UnknownNode, lambda: advogato(network, ["z"], [2])),
        (BadParameter, lambda: advogato(network, [], [2])),
        (BadParameter, lambda: advogato(network, ["a"], [])),
        (BadParameter, lambda: advogato(network, ["a"], [2, 0])),
        (BadCapacity, lambda: advogato(network, ["a"], [2.0])),
        (BadCapacity, lambda: advogato(network, ["a"], [-1])),
        (BadParameter, lambda: advogato(network, ["a"], [2], least=-1)),
        (BadParameter, lambda: advogato_levels(many, [0], [2])),
        (BadCapacity, lambda: advogato(nx.DiGraph([("a", "b")]), ["a"], [2])),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()
