"""Circles, cores, weak points, triads and cycles, against NetworkX, SciPy, igraph and rustworkx.

Every peer answers the same question on the same network in the same run, and has to agree.
Reading the network into a library is not counted for anybody. A library is left out beyond the size
where it would take minutes. Time is processor time: nobody here works in several threads, and
others on the machine then count less. BENCH_MILLION=1 adds a million members.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import igraph
import networkx as nx
import numpy as np
import rustworkx
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from graph.arrays import ArrayNetwork, from_rows
from graph.communities import find_communities
from graph.cycles import bounded_cycles, triads
from graph.robustness import core_numbers, split_components, weak_points
from graph.structure import (
    longest_chain,
    mutual_pairs,
    strong_components,
    weak_components,
)
from tests.bench.networks import village_network

SIZES = [1_000, 10_000, 100_000, *([1_000_000] if os.environ.get("BENCH_MILLION") == "1" else [])]
DEGREE, SEED, REPEATS = 10, 4, 5
# NetworkX and rustworkx take minutes to be filled with more members than this.
MOST_FILLED = 100_000


@dataclass
class Peers:
    """The same network in every library."""

    ours: ArrayNetwork
    matrix: Any
    igraph: Any
    igraph_ties: Any
    rustworkx: Any
    rustworkx_ties: Any
    networkx: Any
    networkx_ties: Any


Ask = Callable[[Peers], Any]


@dataclass
class Question:
    """What is asked, ours first; answers are compared as numbers."""

    name: str
    ours: Ask
    peers: dict[str, Ask]
    # Beyond this many members a peer is not asked.
    up_to: dict[str, int] = field(default_factory=dict)


def _sizes(labels: Any) -> tuple[int, int]:
    sizes = np.bincount(np.asarray(labels))
    return int(sizes.size), int(sizes.max())


def _groups(groups: Any) -> tuple[int, int]:
    sizes = [len(group) for group in groups]
    return len(sizes), max(sizes)


def _both(found: Any) -> tuple[int, int]:
    return found.size.size, found.largest


def _in_order(census: Any) -> tuple[int, ...]:
    names = [
        *("003", "012", "102", "021D", "021U", "021C", "111D", "111U"),
        *("030T", "030C", "201", "120D", "120U", "120C", "210", "300"),
    ]
    return tuple(int(getattr(census, f"t{name}")) for name in names)


def _cyclic(p: Peers) -> int:
    """Closed walks of three steps, each counted from three starts."""
    return int((p.matrix @ p.matrix).multiply(p.matrix.T.tocsr()).sum()) // 3


QUESTIONS = [
    Question(
        "strong components",
        lambda p: _both(strong_components(p.ours)),
        {
            "scipy": lambda p: _sizes(connected_components(p.matrix, connection="strong")[1]),
            "igraph": lambda p: _sizes(p.igraph.connected_components(mode="strong").membership),
            "rustworkx": lambda p: _groups(rustworkx.strongly_connected_components(p.rustworkx)),
            "networkx": lambda p: _groups(nx.strongly_connected_components(p.networkx)),
        },
    ),
    Question(
        "weak components",
        lambda p: _both(weak_components(p.ours)),
        {
            "scipy": lambda p: _sizes(connected_components(p.matrix, connection="weak")[1]),
            "igraph": lambda p: _sizes(p.igraph.connected_components(mode="weak").membership),
            "rustworkx": lambda p: _groups(rustworkx.weakly_connected_components(p.rustworkx)),
            "networkx": lambda p: _groups(nx.weakly_connected_components(p.networkx)),
        },
    ),
    Question(
        "mutual pairs",
        lambda p: len(mutual_pairs(p.ours)),
        {
            "scipy": lambda p: p.matrix.multiply(p.matrix.T.tocsr()).nnz // 2,
            "igraph": lambda p: p.igraph.dyad_census().mutual,
            "networkx": lambda p: sum(p.networkx.has_edge(v, u) for u, v in p.networkx.edges) // 2,
        },
    ),
    Question(
        "k-core",
        lambda p: int(core_numbers(p.ours).number.sum()),
        {
            "igraph": lambda p: sum(p.igraph_ties.coreness()),
            "rustworkx": lambda p: sum(rustworkx.core_number(p.rustworkx_ties).values()),
            "networkx": lambda p: sum(nx.core_number(p.networkx_ties).values()),
        },
    ),
    Question(
        "bridges",
        lambda p: len(weak_points(p.ours).bridges),
        {
            "igraph": lambda p: len(p.igraph_ties.bridges()),
            "rustworkx": lambda p: len(rustworkx.bridges(p.rustworkx_ties)),
            "networkx": lambda p: sum(1 for _ in nx.bridges(p.networkx_ties)),
        },
    ),
    Question(
        "articulation",
        lambda p: int(weak_points(p.ours).is_articulation.sum()),
        {
            "igraph": lambda p: len(p.igraph_ties.articulation_points()),
            "rustworkx": lambda p: len(rustworkx.articulation_points(p.rustworkx_ties)),
            "networkx": lambda p: len(set(nx.articulation_points(p.networkx_ties))),
        },
    ),
    Question(
        "directed triangles",
        lambda p: triads(p.ours).three_cycles,
        {
            "scipy": _cyclic,
            "networkx": lambda p: (
                sum(
                    len(p.networkx.pred[u].keys() & p.networkx.succ[v]) for u, v in p.networkx.edges
                )
                // 3
            ),
        },
        {"scipy": 100_000},
    ),
    Question(
        "triad census",
        lambda p: tuple(triads(p.ours).census.values()),
        {
            "igraph": lambda p: _in_order(p.igraph.triad_census()),
            "networkx": lambda p: tuple(nx.triadic_census(p.networkx).values()),
        },
        {"igraph": 10_000, "networkx": 1_000},
    ),
    Question(
        "longest chain",
        lambda p: longest_chain(p.ours).length,
        {"networkx": lambda p: nx.dag_longest_path_length(nx.condensation(p.networkx))},
    ),
    Question(
        "cycles up to 4",
        lambda p: bounded_cycles(p.ours, 4, most=0, steps=10**10).total,
        {"igraph": lambda p: len(p.igraph.simple_cycles(mode=igraph.OUT, max=4))},
        {"igraph": 1_000},
    ),
]


def run() -> None:
    """Print medians, the ratio to the best peer and to NetworkX, and how the times grow."""
    _warm_up()
    took: dict[str, list[float]] = {}
    for members in SIZES:
        peers = _peers(members)
        print(f"   {members:,} members, {peers.ours.m:,} vouches", flush=True)
        for question in QUESTIONS:
            took.setdefault(question.name, []).append(_answer(question, peers))
        _alone(peers, took)
        del peers
        gc.collect()
    print(
        f"   growth from {SIZES[0]:,} to {SIZES[-1]:,} members, time ~ n^x. Above 1.1: the steps a "
        "vouch takes stay the same,\n   but reads by member find their number in the fastest "
        "cache at 1,000 and in main memory at the end."
    )
    for name, times in took.items():
        shown = ", ".join(f"{1000 * t:,.2f}" for t in times)
        print(f"      {name:20} {shown} ms; exponent {_exponent(times):.2f}", flush=True)


def _answer(question: Question, peers: Peers) -> float:
    """Ask ours and all who can; the median time of ours."""
    members = peers.ours.n
    mine, ours = _timed(question.ours, peers)
    told = []
    best = networkx = math.inf
    for name, ask in question.peers.items():
        if members > question.up_to.get(name, members):
            continue
        if getattr(peers, "matrix" if name == "scipy" else name) is None:
            continue
        theirs, answer = _timed(ask, peers)
        if answer != ours:
            raise RuntimeError(f"{question.name}: ours {ours}, {name} {answer}")
        told.append(f"{name} {1000 * theirs:,.1f}")
        if name == "networkx":
            networkx = theirs
        else:
            best = min(best, theirs)
    line = f"      {question.name:20} {1000 * mine:,.2f} ms; {', '.join(told) or 'no peer'}"
    if best < math.inf:
        line += f"; {mine / best:.2f} of the best"
    if networkx < math.inf:
        line += f"; {networkx / mine:,.0f} × NetworkX"
    print(line, flush=True)
    return mine


def _alone(peers: Peers, took: dict[str, list[float]]) -> None:
    """What no library answers in the same way."""
    members, ours = peers.ours.n, peers.ours
    if members <= 100_000:
        once, split = _timed(lambda _: split_components(ours, 500), peers)
        took.setdefault("split into 500s", []).append(once)
        print(
            f"      split into ≤ 500     {1000 * once:,.1f} ms: {split.parts.size.size:,} parts, "
            f"{len(split.cut) / ours.m:.1%} of the vouches cut",
            flush=True,
        )
    if members <= 1_000:
        once, found = _timed(lambda _: find_communities(ours), peers)
        print(
            f"      communities          {1000 * once:,.1f} ms, modularity "
            f"{float(found.modularity):.4f}",
            flush=True,
        )


def _timed(ask: Ask, peers: Peers) -> tuple[float, Any]:
    """Median processor time and the answer; what takes long is asked once."""
    times: list[float] = []
    answer = None
    while len(times) < REPEATS and sum(times) < 3:
        started = time.process_time()
        answer = ask(peers)
        times.append(time.process_time() - started)
    return statistics.median(times), answer


def _peers(members: int) -> Peers:
    # One in twenty is a newcomer whom one member vouches for: the bridges of the network.
    settled = members - members // 20
    tails, heads, _, _ = village_network(settled, DEGREE, SEED)
    newcomers = np.arange(settled, members)
    sponsors = np.random.default_rng(SEED).integers(0, settled, newcomers.size)
    ours = from_rows(np.r_[tails, sponsors], np.r_[heads, newcomers], ids=np.arange(members))
    edges = np.stack([ours.tails, ours.out_head], axis=1)
    ones = np.ones(ours.m, np.int32)
    matrix = sparse.csr_array((ones, (edges[:, 0], edges[:, 1])), shape=(members, members))
    ties = np.unique(np.sort(edges, axis=1), axis=0)
    both = [igraph.Graph(n=members, edges=edges, directed=True), igraph.Graph(members, ties)]
    rust: list[Any] = [None, None]
    if members <= MOST_FILLED:
        for place, (kind, pairs) in enumerate(
            ((rustworkx.PyDiGraph, edges), (rustworkx.PyGraph, ties))
        ):
            rust[place] = kind()
            rust[place].add_nodes_from(range(members))
            rust[place].add_edges_from_no_data(list(map(tuple, pairs.tolist())))
    net: list[Any] = [None, None]
    if members <= MOST_FILLED:
        for place, (kind, pairs) in enumerate(((nx.DiGraph, edges), (nx.Graph, ties))):
            net[place] = kind()
            net[place].add_nodes_from(range(members))
            net[place].add_edges_from(pairs.tolist())
    return Peers(ours, matrix, *both, *rust, *net)


def _warm_up() -> None:
    """Compilation is not measured."""
    small = Peers(from_rows([0, 1, 2, 0], [1, 2, 0, 2]), *[None] * 7)
    for question in QUESTIONS:
        question.ours(small)
    bounded_cycles(small.ours, 3)
    split_components(small.ours, 2)


def _exponent(times: list[float]) -> float:
    """The slope of time over size, both as logarithms, by least squares."""
    sizes = SIZES[: len(times)]
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])
