"""A network of arrays from columns, against SciPy's one direction, igraph, rustworkx, NetworkX."""

import statistics
from collections.abc import Callable

import igraph
import networkx as nx
import numpy as np
import rustworkx
from scipy.sparse import csr_array

from graph.arrays import from_rows
from tests.bench.measuring import SIZES, print_growth, short, spent
from tests.bench.networks import Ints, village_network

OURS, SCIPY = "ours, both directions", "SciPy, one"
REPEATS = 5
# What takes minutes beyond this size is left out there.
LARGEST = {"igraph": 100_000, "rustworkx": 100_000, "NetworkX": 10_000}


def run(sizes: tuple[int, ...] = SIZES, repeats: int = REPEATS) -> None:
    """Print the time of each at each size, the ratio to SciPy, and what ours takes in memory."""
    growth: dict[str, dict[int, float]] = {OURS: {}, SCIPY: {}}
    for members in sizes:
        tails, heads, rooms, standings = village_network(members, 10, 1)
        ids = np.arange(members)
        network = from_rows(tails, heads, rooms, ids=ids, standings=standings)
        matrix = csr_array((rooms, (tails, heads)), shape=(members, members))
        matrix.sort_indices()
        assert np.array_equal(network.out_start, matrix.indptr)
        assert np.array_equal(network.out_head, matrix.indices)
        assert np.array_equal(network.out_room, matrix.data)
        ways = ways_to_build(ids, tails, heads, rooms, standings)
        times: dict[str, list[float]] = {
            name: [] for name in ways if members <= LARGEST.get(name, members)
        }
        for _ in range(repeats if members <= 100_000 else 3):
            for name, taken in times.items():
                taken.append(spent(ways[name]))
        took = {name: statistics.median(taken) for name, taken in times.items()}
        scipy = took[SCIPY]
        told = ", ".join(f"{name} {short(t)} ({t / scipy:.1f})" for name, t in took.items())
        print(f"   {members:,} members, {network.m:,} vouches (ratio to SciPy): {told}")
        print(
            f"   memory of ours: {network.nbytes / 1e6:,.1f} MB, of SciPy's one direction: "
            f"{(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes) / 1e6:,.1f} MB"
        )
        for name, by_size in growth.items():
            by_size[members] = took[name]
    print_growth(growth)


def ways_to_build(
    ids: Ints, tails: Ints, heads: Ints, rooms: Ints, standings: Ints
) -> dict[str, Callable[[], object]]:
    """Ours and the peers, each from the columns."""
    n = ids.size
    pairs = np.column_stack([tails, heads])

    def rows() -> list[tuple[int, int, int]]:
        return list(zip(tails.tolist(), heads.tolist(), rooms.tolist(), strict=True))

    return {
        OURS: lambda: from_rows(tails, heads, rooms, ids=ids, standings=standings),
        SCIPY: lambda: csr_array((rooms, (tails, heads)), shape=(n, n)),
        "igraph": lambda: igraph.Graph(n, pairs, directed=True, edge_attrs={"room": rooms}),
        "rustworkx": lambda: rustworkx.PyDiGraph().extend_from_weighted_edge_list(rows()),
        "NetworkX": lambda: nx.DiGraph().add_weighted_edges_from(rows(), "room"),
    }
