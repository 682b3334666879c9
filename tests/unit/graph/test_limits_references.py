"""The limit engine against slow obvious answers on seeded random networks."""

from __future__ import annotations

import random
from dataclasses import replace

import networkx as nx
import pytest

from graph.checks import id_key
from graph.limits import (
    check_certificate,
    cover_limit,
    cover_limits_all,
    reserve_cover,
)
from tests.unit.graph.samples import (
    layered_network,
    two_vouch_value,
    value_over_simple_paths,
    village,
)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_two_vouches_equal_networkx_on_the_explicit_layered_network(start):
    for seed in range(start, start + 50):
        standings, promises = village(seed, 4 + seed % 9)
        everybody = cover_limits_all(standings, promises)
        for borrower in ("m0", "m1"):
            limit = cover_limit(borrower, standings, promises)
            assert limit.value == two_vouch_value(borrower, standings, promises)
            assert limit.value == everybody[borrower]
            assert check_certificate(limit, standings, promises)


def test_each_gain_equals_a_fresh_limit_with_that_one_capacity_grown():
    for seed in range(60):
        standings, promises = village(seed, 7)
        for circle in (1, 2, None):
            limit = cover_limit("m0", standings, promises, circle=circle)
            told = {(r.kind, r.id): r.gain for r in limit.raises(10)}
            for i, p in enumerate(promises):
                grown = [*promises[:i], replace(p, room=p.room + 10), *promises[i + 1 :]]
                now = cover_limit("m0", standings, grown, circle=circle).value
                assert told.pop(("promise", p.id), 0) == now - limit.value
            for member in standings:
                more = {**standings, member: standings[member] + 10}
                now = cover_limit("m0", more, promises, circle=circle).value
                assert told.pop(("standing", member), 0) == now - limit.value
            assert not told


def test_gains_with_three_vouches_equal_fresh_limits():
    for seed in range(6):
        standings, promises = village(seed, 6)
        limit = cover_limit("m0", standings, promises, circle=3)
        told = {(r.kind, r.id): r.gain for r in limit.raises(10)}
        for i, p in enumerate(promises):
            grown = [*promises[:i], replace(p, room=p.room + 10), *promises[i + 1 :]]
            now = cover_limit("m0", standings, grown, circle=3).optimum
            assert told.get(("promise", p.id), 0) == now - limit.optimum


@pytest.mark.parametrize("circle", [3, 4])
def test_longer_circles_equal_the_programme_over_all_simple_paths(circle):
    for seed in range(40):
        # Rooms of 1 to 3 tie promises to one another, which is what makes fractions.
        standings, promises = village(seed, 7, top=3 if seed % 2 else 40)
        limit = cover_limit("m0", standings, promises, circle=circle)
        slow = value_over_simple_paths("m0", standings, promises, circle)
        assert float(limit.optimum) == pytest.approx(slow, abs=1e-6)
        assert limit.value == int(limit.optimum)
        assert check_certificate(limit, standings, promises)


def test_the_ceiling_equals_networkx_maximum_flow():
    for seed in range(100):
        standings, promises = village(seed, 9)
        net = nx.DiGraph()
        net.add_nodes_from(["pool", "m0"])
        for member, standing in standings.items():
            net.add_edge("pool", member, capacity=standing)
        for p in promises:
            if p.voucher != "m0":
                known = net.get_edge_data(p.voucher, p.borrower, {"capacity": 0})["capacity"]
                net.add_edge(p.voucher, p.borrower, capacity=known + p.room)
        limit = cover_limit("m0", standings, promises, circle=None)
        assert limit.value == nx.maximum_flow_value(net, "pool", "m0")
        assert check_certificate(limit, standings, promises)


def test_reserving_reaches_the_least_number_of_vouches_and_the_preferred_totals():
    # One cheapest flow in NetworkX, with the vouches, every standing and every promise in the
    # stated order as the digits of one huge whole-number weight, knows the only right totals.
    for seed in range(120):
        standings, promises = village(seed, 4 + seed % 5, top=6)
        limit = cover_limit("m0", standings, promises).value
        amount = random.Random(seed).randint(0, limit)
        paths = reserve_cover("m0", standings, promises, amount)
        assert sum(path.amount for path in paths) == amount
        assert len({(p.standing_of, p.promises) for p in paths}) == len(paths)
        drawn: dict[object, int] = {}
        for path in paths:
            for thing in (("standing", path.standing_of), *path.promises):
                drawn[thing] = drawn.get(thing, 0) + path.amount
        assert drawn == _preferred_totals(standings, promises, amount)


def _preferred_totals(standings, promises, amount):
    net = layered_network("m0", standings, promises)
    members = sorted(standings, key=lambda m: (-standings[m], id_key(m)))
    order = [("standing", m) for m in members]
    order += [p.id for p in sorted(promises, key=lambda p: (p.age_rank, id_key(p.id)))]
    digit = {thing: 1000 ** (len(order) - i) for i, thing in enumerate(order)}
    arcs = {("standing", "m0"): ("pool", "end")}
    for member in standings:
        if ("member", member) in net and member != "m0":
            arcs["standing", member] = ("pool", ("member", member))
    for p in promises:
        if ("promise", p.id) in net:
            arcs[p.id] = next(iter(net.in_edges(("promise", p.id))))
    for thing, arc in arcs.items():
        vouch = 0 if isinstance(thing, tuple) else 1000 ** (len(order) + 2)
        net.edges[arc]["weight"] = vouch - digit[thing]
    net.add_nodes_from(["pool", "end"])
    net.nodes["pool"]["demand"], net.nodes["end"]["demand"] = -amount, amount
    flow = nx.min_cost_flow(net)
    totals = {thing: flow[tail][head] for thing, (tail, head) in arcs.items()}
    return {thing: units for thing, units in totals.items() if units}


def test_the_answer_does_not_depend_on_the_order_of_input():
    rng = random.Random(5)
    for seed in range(60):
        standings, promises = village(seed, 8)
        limit = cover_limit("m0", standings, promises)
        paths = reserve_cover("m0", standings, promises, limit.value // 2)
        shuffled = rng.sample(promises, len(promises))
        members = dict(rng.sample(list(standings.items()), len(standings)))
        again = cover_limit("m0", members, shuffled)
        assert again == limit
        assert again.raises(7) == limit.raises(7)
        assert reserve_cover("m0", members, shuffled, limit.value // 2) == paths


def test_the_shown_paths_are_those_that_would_be_reserved_for_the_whole_limit():
    for seed in range(60):
        standings, promises = village(seed, 8)
        limit = cover_limit("m0", standings, promises)
        assert reserve_cover("m0", standings, promises, limit.value) == limit.paths
