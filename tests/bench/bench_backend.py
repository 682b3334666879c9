"""NetworkX's functions on arrays, against NetworkX itself: the graph read once, and every time.

Both are asked through NetworkX, on the same graph in the same run, and have to agree. "Read" is
what the conversion takes, once for a graph as NetworkX keeps it. NetworkX is asked once where it
takes long, and not for the triads of 10,000 members, which take it minutes. Times are of the
processor; BENCH_MILLION=1 adds 100,000 members.
"""

from __future__ import annotations

import gc
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import networkx as nx

from graph.backend import BACKEND, register
from tests.bench.networks import village_network

SIZES = [1_000, 10_000, *([100_000] if os.environ.get("BENCH_MILLION") == "1" else [])]
DEGREE, SEED, REPEATS, LONG = 10, 4, 5, 1.0
DIRECTED = [
    "strongly_connected_components",
    "number_strongly_connected_components",
    "weakly_connected_components",
    "core_number",
    "pagerank",
    "triadic_census",
]
UNDIRECTED = ["connected_components", "core_number", "articulation_points", "bridges", "pagerank"]
MOST_TRIADS = 1_000


def run() -> None:
    register()
    with warnings.catch_warnings():
        # That a kept conversion is used is what is measured.
        warnings.filterwarnings("ignore", message="Note: conversions to backend graphs")
        print(f"   {'':40}{'members':>9}{'NetworkX':>10}{'ours':>9}{'':>9}{'read':>7}")
        for n in SIZES:
            tails, heads, rooms, _ = village_network(n, DEGREE, SEED)
            vouches = nx.DiGraph()
            vouches.add_nodes_from(range(n))
            edges = zip(tails.tolist(), heads.tolist(), rooms.tolist(), strict=True)
            vouches.add_weighted_edges_from(edges)
            for graph, names in ((vouches, DIRECTED), (vouches.to_undirected(), UNDIRECTED)):
                compare(graph, [x for x in names if x != "triadic_census" or n <= MOST_TRIADS])


def compare(graph: Any, names: list[str]) -> None:
    for name in names:
        edge_attrs = {"weight": 1} if name == "pagerank" else None
        read, _ = clocked(lambda e=edge_attrs: BACKEND.convert_from_nx(graph, edge_attrs=e), 3)
        asked(name, graph, "lianbao")()
        ours, mine = clocked(asked(name, graph, "lianbao"), REPEATS)
        theirs, reference = clocked(asked(name, graph, "networkx"), REPEATS)
        agree(name, mine, reference)
        kind = "directed" if graph.is_directed() else "undirected"
        print(
            f"   {name + ', ' + kind:48}{len(graph):>9,}{theirs:10.4f}{ours:9.5f}"
            f"{theirs / ours:8.0f}x{read:7.3f}  {theirs / (ours + read):6.1f}x read included"
        )


def asked(name: str, graph: Any, backend: str) -> Callable[[], Any]:
    def ask() -> Any:
        given = getattr(nx, name)(graph, backend=backend)
        return list(given) if isinstance(given, Iterator) else given

    return ask


def clocked(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    took = []
    while len(took) < repeats and sum(took) < LONG:
        gc.collect()
        started = time.process_time()
        found = work()
        took.append(time.process_time() - started)
    return statistics.median(took), found


def agree(name: str, mine: Any, reference: Any) -> None:
    if name == "pagerank":
        assert max(abs(mine[v] - reference[v]) for v in reference) < 1e-12
    elif name == "articulation_points":
        assert sorted(mine) == sorted(reference)
    else:
        assert mine == reference
