"""Limits on networks of villages and hubs, against flow libraries on the same cut-out and whole.

The peers get all vouches among the members within two steps of a borrower, or the layered network
that two vouches come down to, cut out of our rows in NumPy; the whole-graph cut is measured against
SciPy's maximum flow on the whole network, with a node in front of all standings. All figures are
processor time; values are compared.
"""

import time
from collections.abc import Callable

import igraph
import networkx as nx
import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.max_flow import SimpleMaxFlow
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from graph.array_limits import limit_values, promises_near
from graph.arrays import ArrayNetwork, from_rows
from graph.cuts import CutFinder
from graph.limits import cover_limit, reserve_cover
from graph.overlay import overlaid
from tests.bench.measuring import SIZES, percentiles, print_growth, short, spent
from tests.bench.networks import village_network

ASKED = 400
# NetworkX takes seconds where a hub is near.
ASKED_OF_NETWORKX = 25
SEEDS, SEED_STANDING = 100, 20_000_000

Arcs = tuple[int, NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]
Growth = dict[str, dict[int, float]]


def run(sizes: tuple[int, ...] = SIZES) -> None:
    """Print everything at each size, then how it grows."""
    growth: Growth = {}
    for members in sizes:
        tails, heads, rooms, standings = village_network(members, 10, 1)
        ids = np.arange(members)
        network = from_rows(tails, heads, rooms, ids=ids, standings=standings)
        print(f"   -- {members:,} members, {network.m:,} vouches")
        asked = np.random.default_rng(2).integers(0, members, ASKED).tolist()
        one_borrower(network, asked, growth)
        everybody(network, growth)
        decisions(network, asked[:200], growth)
        whole_graph("standings everywhere", network, asked, growth)
        pool = np.zeros(members, np.int64)
        pool[np.random.default_rng(3).choice(members, SEEDS, replace=False)] = SEED_STANDING
        seeded = from_rows(tails, heads, rooms, ids=ids, standings=pool)
        whole_graph(f"a pool of {SEEDS}", seeded, asked, growth)
    print_growth(growth)


def one_borrower(network: ArrayNetwork, asked: list[int], growth: Growth) -> None:
    """Two vouches, one borrower: ours, then each library on either cut-out."""
    limit_values(network, asked[:1])
    ours, values = [], []
    for b in asked:
        ours.append(spent(lambda b=b: values.append(int(limit_values(network, [b])[0]))))
    p50, p99 = percentiles(ours)
    print(f"   limit of one, two vouches: p50 {short(p50)}, p99 {short(p99)}")
    growth.setdefault("the limit of one, p50", {})[network.n] = p50
    whole = CutFinder(network).values(asked).tolist()
    for what, cut_out in {
        "all flow within two steps": neighbourhood,
        "our layered network": layered,
    }.items():
        best = [np.inf, np.inf]
        told = []
        flows: dict[int, int] = {}
        for name, flow in PEERS.items():
            times = []
            for i, b in enumerate(asked[: ASKED_OF_NETWORKX if name == "NetworkX" else ASKED]):
                started = time.process_time()
                found = flow(cut_out(network, b))
                times.append(time.process_time() - started)
                # Within two steps a unit may pass over more than two vouches.
                assert values[i] <= found <= whole[i], (name, b)
                assert found == flows.setdefault(b, found), (name, b)
                assert cut_out is neighbourhood or found == values[i], (name, b)
            theirs = percentiles(times)
            best = [min(pair) for pair in zip(best, theirs, strict=True)]
            told.append(f"{name} {short(theirs[0])} / {short(theirs[1])}")
        print(f"      {what}, p50 / p99: {', '.join(told)}")
        print(f"      best of them / ours: p50 {best[0] / p50:.1f}, p99 {best[1] / p99:.1f}")


def everybody(network: ArrayNetwork, growth: Growth) -> None:
    """All members in one call."""
    took = float(np.median([spent(lambda: limit_values(network)) for _ in range(3)]))
    print(f"   limits of all, two vouches: {network.n / took:,.0f} limits/s a core")
    growth.setdefault("the limits of all", {})[network.n] = took


def decisions(network: ArrayNetwork, asked: list[int], growth: Growth) -> None:
    """What a decision computes from rows of its own, without compiled code."""
    limits, reserves = [], []
    for b in asked:
        standings, promises = promises_near(network, b, 2)
        found = []
        limits.append(
            spent(lambda s=standings, p=promises, b=b, f=found: f.append(cover_limit(b, s, p)))
        )
        half = found[0].value // 2
        reserves.append(
            spent(lambda s=standings, p=promises, b=b, half=half: reserve_cover(b, s, p, half))
        )
    told = [short(t) for times in (limits, reserves) for t in percentiles(times)]
    print(
        f"   from promises, with its proof: p50 {told[0]}, p99 {told[1]}; "
        f"reserving half of it: p50 {told[2]}, p99 {told[3]}"
    )
    growth.setdefault("the limit of one from promises, p50", {})[network.n] = percentiles(limits)[0]


def whole_graph(name: str, network: ArrayNetwork, asked: list[int], growth: Growth) -> None:
    """The minimum cut nearest to a borrower, whole graph; and what a change before it adds."""
    CutFinder(network).cut(asked[0])
    made: list[CutFinder] = []
    ready = spent(lambda: made.append(CutFinder(network)))
    finder = made[0]
    cuts, values = [], []
    for b in asked:
        cuts.append(spent(lambda b=b: values.append(finder.cut(b).value)))
    p50, p99 = percentiles(cuts)
    source = network.n
    held = np.flatnonzero(network.standing)
    matrix = csr_array(
        (
            np.concatenate([network.out_room, network.standing[held]]).astype(np.int32),
            (
                np.concatenate([network.tails, np.full(held.size, source)]),
                np.concatenate([network.out_head, held]),
            ),
        ),
        shape=(source + 1, source + 1),
    )
    theirs = []
    for b, value in list(zip(asked, values, strict=True))[: 5 if network.n <= 100_000 else 2]:
        found: list[int] = []
        theirs.append(
            spent(lambda b=b, f=found: f.append(int(maximum_flow(matrix, source, b).flow_value)))
        )
        assert found == [value], (b, found, value)
    scipy = float(np.median(theirs))
    print(
        f"   whole-graph cut, {name}: ready in {short(ready)}, p50 {short(p50)}, p99 {short(p99)}; "
        f"SciPy {short(scipy)}, {scipy / p50:,.0f} times ours"
    )
    growth.setdefault(f"a cut, {name}, p50", {})[network.n] = p50
    growth.setdefault(f"making ready for cuts, {name}", {})[network.n] = ready
    # Somebody vouches for the borrower, and the next query has to know: changes pile up.
    rng = np.random.default_rng(4)
    added: dict[str, list[float]] = {"two vouches": [], "whole graph": []}
    laid, later = overlaid(network), finder
    for b in asked[:200]:
        change = {(int(rng.integers(0, network.n - 1)), b): 500}
        if (b, b) in change:
            continue
        # Once before, so that the borrower's rows are at hand for both.
        limit_values(laid, [b])
        before = spent(lambda b=b, laid=laid: limit_values(laid, [b]))
        after = spent(lambda b=b, laid=laid, c=change: limit_values(overlaid(laid, c), [b]))
        added["two vouches"].append(after - before)
        later.value(b)
        before = spent(lambda b=b, later=later: later.value(b))
        after = spent(lambda b=b, later=later, c=change: later.overlaid(c).value(b))
        added["whole graph"].append(after - before)
        laid, later = overlaid(laid, change), later.overlaid(change)
    told = "; ".join(
        f"{what} p50 {short(percentiles(t)[0])}, p99 {short(percentiles(t)[1])}"
        for what, t in added.items()
    )
    print(f"      a vouch given just before adds: {told} (200 changes deep)")


def neighbourhood(network: ArrayNetwork, b: int) -> Arcs:
    """All members within two steps of b and all vouches among them; 0 feeds, 1 is b."""
    direct = network.in_tail[network.in_start[b] : network.in_start[b + 1]]
    second = network.in_tail[in_edges(network, direct)[0]]
    members = np.unique(np.concatenate([direct, second]))
    members = np.concatenate([[b], members[members != b]])
    edges, heads = in_edges(network, members)
    place = np.full(network.n, -1, np.int32) if network.n <= 10_000 else None
    tails = network.in_tail[edges]
    if place is None:
        # For a large network a search costs less than a table of its size.
        order = np.argsort(members)
        at = np.minimum(np.searchsorted(members, tails, sorter=order), members.size - 1)
        tail_place = np.where(members[order[at]] == tails, order[at], -1)
    else:
        place[members] = np.arange(members.size)
        tail_place = place[tails]
    within = tail_place > 0
    return (
        members.size + 1,
        np.concatenate([np.zeros(members.size), 1 + tail_place[within]]).astype(np.int32),
        np.concatenate([1 + np.arange(members.size), 1 + heads[within]]).astype(np.int32),
        np.concatenate([network.standing[members], network.in_room[edges][within]]).astype(
            np.int32
        ),
    )


def in_edges(
    network: ArrayNetwork, places: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of all edges to these members, and the number of the member for each."""
    begins = network.in_start[places]
    sizes = network.in_start[places + 1] - begins
    shift = begins - np.cumsum(sizes) + sizes
    edges = np.repeat(shift, sizes)
    return edges + np.arange(edges.size), np.repeat(np.arange(places.size), sizes)


def layered(network: ArrayNetwork, b: int) -> Arcs:
    """The layered network of two vouches to b: nodes, tails, heads, limits; 0 feeds, 1 takes."""
    tail, room = network.in_tail, network.in_room
    row = slice(int(network.in_start[b]), int(network.in_start[b + 1]))
    direct, first = tail[row], room[row]
    edges, taker = in_edges(network, direct)
    apart = tail[edges] != b
    edges, taker = edges[apart], taker[apart]
    members, place = np.unique(np.concatenate([direct, tail[edges]]), return_inverse=True)
    passing = 2 + members.size
    node = 2 + place
    never = int(first.sum()) + 1
    tails = np.concatenate(
        [
            [0],
            np.zeros(members.size, np.int64),
            node[: direct.size],
            node[direct.size :],
            passing + np.arange(direct.size),
        ]
    )
    heads = np.concatenate(
        [
            [1],
            2 + np.arange(members.size),
            passing + np.arange(direct.size),
            passing + taker,
            np.ones(direct.size, np.int64),
        ]
    )
    limits = np.concatenate(
        [
            network.standing[b : b + 1],
            network.standing[members],
            np.full(direct.size, never),
            room[edges],
            first,
        ]
    )
    return (
        passing + direct.size,
        tails.astype(np.int32),
        heads.astype(np.int32),
        limits.astype(np.int32),
    )


def by_scipy(arcs: Arcs) -> int:
    """Dinic's method in SciPy."""
    nodes, tails, heads, limits = arcs
    return int(
        maximum_flow(csr_array((limits, (tails, heads)), shape=(nodes, nodes)), 0, 1).flow_value
    )


def by_igraph(arcs: Arcs) -> int:
    """Push-relabel in igraph."""
    nodes, tails, heads, limits = arcs
    made = igraph.Graph(n=nodes, edges=np.column_stack([tails, heads]), directed=True)
    return int(made.maxflow_value(0, 1, capacity=limits.tolist()))


def by_ortools(arcs: Arcs) -> int:
    """Push-relabel in OR-Tools."""
    _, tails, heads, limits = arcs
    made = SimpleMaxFlow()
    made.add_arcs_with_capacity(tails, heads, limits)
    made.solve(0, 1)
    return int(made.optimal_flow())


def by_networkx(arcs: Arcs) -> int:
    """NetworkX as it comes."""
    _, tails, heads, limits = arcs
    made = nx.DiGraph()
    made.add_nodes_from([0, 1])
    for tail, head, limit in zip(tails.tolist(), heads.tolist(), limits.tolist(), strict=True):
        made.add_edge(tail, head, capacity=limit)
    return int(nx.maximum_flow_value(made, 0, 1))


PEERS: dict[str, Callable[[Arcs], int]] = {
    "SciPy": by_scipy,
    "igraph": by_igraph,
    "OR-Tools": by_ortools,
    "NetworkX": by_networkx,
}
