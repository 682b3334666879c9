"""Netting: the most by linear programming, proved by prices, and rings that add up to it."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from graph.arrays import MOST_ROOM, from_edges
from graph.errors import BadCapacity, BadCertificate, BadParameter
from graph.netting import (
    Netting,
    check_netting,
    net_debts,
    net_positions,
    rings_of,
    rings_up_to,
)


def random_debts(seed, n=10, density=0.25, top=30):
    rng = random.Random(seed)
    return [
        (a, b, rng.choice([0, rng.randint(1, top)]))
        for a in range(n)
        for b in range(n)
        if a != b and rng.random() < density
    ]


def most_by_programme(debts, n):
    """The largest circulation, one variable for each debt."""
    if not debts:
        return 0
    balance = np.zeros((n, len(debts)))
    for e, (a, b, _) in enumerate(debts):
        balance[a, e] += 1
        balance[b, e] -= 1
    bounds = [(0, debt) for *_, debt in debts]
    found = linprog(-np.ones(len(debts)), A_eq=balance, b_eq=np.zeros(n), bounds=bounds)
    assert found.status == 0
    return -found.fun


@pytest.mark.parametrize("density", [0.05, 0.15, 0.3, 0.9])
@pytest.mark.parametrize("seed", range(12))
def test_no_netting_settles_more(seed, density):
    debts = random_debts(seed, density=density)
    network = from_edges(debts, nodes=range(10))
    found = net_debts(network)
    check_netting(found, network)
    assert found.settled == pytest.approx(most_by_programme(debts, 10), abs=1e-6)


@given(st.integers(0, 10**6), st.integers(2, 40), st.floats(0.02, 0.3))
def test_prices_prove_it_on_any_network(seed, n, density):
    network = from_edges(random_debts(seed, n, density, top=10**12), nodes=range(n))
    found = net_debts(network)
    check_netting(found, network)
    rings = rings_of(found)
    assert rings.settled == found.settled == sum(rings.by_length.values())
    assert len(rings.rings) <= len(found.cancelled)
    # All rings together are what is cancelled, debt by debt.
    back: Counter = Counter()
    for ring in rings.rings:
        assert ring.amount > 0
        assert len(set(ring.members)) == len(ring.members) >= 2
        assert ring.members[0] == min(ring.members)
        for pair in zip(ring.members, ring.members[1:] + ring.members[:1], strict=True):
            back[pair] += ring.amount
    assert back == found.cancelled


@given(st.integers(0, 10**6))
def test_nobody_gains_or_loses(seed):
    debts = random_debts(seed)
    found = net_debts(from_edges(debts, nodes=range(10)))
    left = [(a, b, x - found.cancelled.get((a, b), 0)) for a, b, x in debts]
    after = from_edges(left, nodes=range(10))
    assert net_positions(after) == net_positions(from_edges(debts, nodes=range(10)))
    # What is left goes round nowhere.
    assert nx.is_directed_acyclic_graph(nx.DiGraph([(a, b) for a, b, x in left if x]))
    assert net_debts(after).settled == 0


@given(st.integers(0, 10**6))
def test_neither_order_nor_names_change_the_total_and_more_debt_never_lowers_it(seed):
    debts = random_debts(seed)
    rng = random.Random(seed)
    names = [f"{rng.randrange(10**6)}-{v}" for v in range(10)]
    renamed = [(names[a], names[b], x) for a, b, x in rng.sample(debts, len(debts))]
    once = net_debts(from_edges(debts)).settled if debts else 0
    assert net_debts(from_edges(renamed)).settled == once
    assert net_debts(from_edges(debts[::-1])) == net_debts(from_edges(debts))
    assert net_debts(from_edges([*debts, (*rng.sample(range(10), 2), 5)])).settled >= once
    assert net_debts(from_edges([(a, b, 7 * x) for a, b, x in debts])).settled == 7 * once


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_short_rings_first_leave_no_short_ring(seed, longest):
    debts = random_debts(seed, n=8)
    network = from_edges(debts, nodes=range(8))
    found = rings_up_to(network, longest)
    left = {(a, b): x for a, b, x in debts}
    lengths = [len(ring.members) for ring in found.rings]
    assert lengths == sorted(lengths)
    for ring in found.rings:
        for pair in zip(ring.members, ring.members[1:] + ring.members[:1], strict=True):
            left[pair] -= ring.amount
            assert left[pair] >= 0
    rest = nx.DiGraph([pair for pair, x in left.items() if x])
    assert not list(nx.simple_cycles(rest, length_bound=longest))
    assert found.settled <= net_debts(network).settled


def test_rings_of_bounded_length_settle_their_part():
    found = net_debts(from_edges(random_debts(11, n=30, density=0.1)))
    whole = rings_of(found)
    settled = 0
    for longest in range(2, max(whole.by_length) + 1):
        short = rings_of(found, longest=longest)
        assert max(short.by_length, default=0) <= longest
        assert short.settled >= settled
        settled = short.settled
    assert short == whole


def test_a_networkx_graph_is_read_and_not_changed():
    g = nx.DiGraph()
    g.add_weighted_edges_from([("a", "b", 5), ("b", "c", 3), ("c", "a", 4)], weight="room")
    before = nx.to_dict_of_dicts(g)
    found = net_debts(g)
    assert (found.settled, found.total, found.share) == (9, 12, 0.75)
    assert nx.to_dict_of_dicts(g) == before


def test_nothing_owed_is_nothing_settled():
    for network in (from_edges([]), from_edges([("a", "b", 4)]), from_edges([], nodes=["a"])):
        found = net_debts(network)
        check_netting(found, network)
        assert found.settled == 0
        assert found.cancelled == {}
        assert rings_of(found).rings == rings_up_to(network, 4).rings == ()
        assert found.share == rings_of(found).share == 0


def test_large_amounts_stay_exact():
    top = MOST_ROOM
    network = from_edges([("a", "b", top), ("b", "c", top - 1), ("c", "a", top - 2)])
    found = net_debts(network)
    check_netting(found, network)
    assert found.settled == 3 * (top - 2)


def test_long_chains_between_parts_keep_their_prices():
    # Rings joined one behind the other: every join is a debt that goes round nowhere.
    debts = []
    for k in range(50):
        debts += [(4 * k + i, 4 * k + (i + 1) % 3, 3 + i) for i in range(3)]
        debts.append((4 * k, 4 * k + 4, 9))
    network = from_edges(debts)
    found = net_debts(network)
    check_netting(found, network)
    assert found.settled == 50 * 9


def test_what_does_not_prove_itself_is_refused():
    debts = from_edges([("a", "b", 5), ("b", "c", 4), ("c", "a", 9), ("b", "a", 2)])
    found = net_debts(debts)
    broken = [
        dataclasses.replace(found, settled=found.settled - 1),
        dataclasses.replace(found, total=1),
        dataclasses.replace(found, cancelled=found.cancelled | {("c", "a"): 10}),
        dataclasses.replace(found, cancelled=found.cancelled | {("c", "a"): 5}),
        dataclasses.replace(found, cancelled=found.cancelled | {("z", "a"): 1}),
        dataclasses.replace(found, prices=dict.fromkeys("abc", 0)),
        dataclasses.replace(found, prices={"a": 0}),
        # Fair, but not the most.
        Netting(20, 4, {("a", "b"): 2, ("b", "a"): 2}, found.prices),
    ]
    for wrong in broken:
        with pytest.raises(BadCertificate):
            check_netting(wrong, debts)


def test_what_is_refused():
    network = from_edges([("a", "b", 5), ("b", "a", 4)])
    huge = from_edges([(v, w, MOST_ROOM) for v in range(33) for w in range(33) if v != w])
    open_ended = Netting(5, 5, {("a", "b"): 5}, {"a": 0, "b": 0})
    refused = [
        (BadParameter, lambda: rings_up_to(network, 1)),
        (BadParameter, lambda: rings_up_to(network, 2.0)),
        (BadParameter, lambda: rings_of(net_debts(network), 1)),
        (BadParameter, lambda: rings_of(open_ended)),
        (BadParameter, lambda: net_debts(huge)),
        (BadParameter, lambda: net_positions(huge)),
        (BadParameter, lambda: net_debts([("a", "b", 5)])),
        (BadCapacity, lambda: net_debts(nx.DiGraph([("a", "b")]))),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()
