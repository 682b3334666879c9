"""A backend for NetworkX: ``nx.core_number(G, backend="lianbao")`` runs on arrays.

Lianbao runs from its checkout, so NetworkX cannot find it among what is installed; `register`
tells NetworkX of it. From then on any covered function takes ``backend="lianbao"``. The graph is
converted once, and NetworkX keeps the conversion with the graph until an edge or node is added or
taken away by its methods (it warns when it uses one; ``nx.config.warnings_to_ignore.add("cache")``
says that this is understood).

Simple graphs are covered, directed or not. For a multigraph, and where the triads of some nodes
only are asked for, NetworkX is told that they are not, and does what it was told to do then: raise,
or fall back to its own code.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, Ints, Places, from_rows

if TYPE_CHECKING:
    from graph.network import Network

NAME = "lianbao"

Reals = NDArray[np.float64]
Sides = tuple[Ints, Places, Ints, Places, int]


@dataclass(frozen=True, eq=False)
class ArrayGraph:
    """A simple graph in compressed rows, nodes and rows in the order in which NetworkX has them.

    Attributes
    ----------
    nodes : sequence of Hashable
    start : numpy.ndarray of int64, shape (n + 1,)
    head : numpy.ndarray of int32
        Places. An undirected edge is in the rows of both its ends.
    directed : bool
    weights : mapping of str to numpy.ndarray of float64
        Edge attributes, in the order of `head`; for one that is not here every edge counts 1.
    """

    nodes: Sequence[Hashable]
    start: Ints
    head: Places
    directed: bool
    weights: Mapping[str, Reals] = field(default_factory=dict)

    __networkx_backend__ = NAME

    def is_directed(self) -> bool:
        """As NetworkX asks."""
        return self.directed

    def is_multigraph(self) -> bool:
        """As NetworkX asks; never."""
        return False

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.nodes)

    @cached_property
    def tails(self) -> Ints:
        """The tail of each entry of the rows."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    @cached_property
    def sides(self) -> Sides:
        """Rows by tail and by head; undirected rows hold both ways, and nothing is by head."""
        n = len(self)
        if not self.directed:
            return self.start, self.head, np.zeros(n + 1, np.int64), np.empty(0, np.int32), n
        from graph.kernels import build

        one = np.ones(self.head.size, np.int64)
        in_start, in_tail, _, _ = build.in_rows(self.start, self.head, one, n)
        return self.start, self.head, in_start, in_tail, n

    def sets(self, label: Places, count: int) -> Iterator[set[Hashable]]:
        """The nodes by label 0 … count - 1."""
        order = np.argsort(label, kind="stable").tolist()
        ends = np.cumsum(np.bincount(label, minlength=count)).tolist()
        nodes = self.nodes
        begin = 0
        for end in ends[:count]:
            yield {nodes[i] for i in order[begin:end]}
            begin = end


def graph_of(network: ArrayNetwork) -> ArrayGraph:
    """A network of vouches as a directed graph that NetworkX can be given.

    Parameters
    ----------
    network : ArrayNetwork
        Its rooms become the edge attribute ``room``.

    Returns
    -------
    ArrayGraph

    Notes
    -----
    O(n + m) for the rooms as floats and the list of ids; rows are shared.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> register()
    >>> ring = graph_of(from_edges([("a", "b", 1), ("b", "a", 1), ("b", "c", 1)]))
    >>> [sorted(circle) for circle in nx.strongly_connected_components(ring)]
    [['c'], ['a', 'b']]
    """
    return ArrayGraph(
        network.ids_of(range(network.n)),
        network.out_start,
        network.out_head,
        True,
        {"room": network.out_room.astype(np.float64)},
    )


def register() -> None:
    """Tell NetworkX of this backend; once is enough, more does nothing.

    NetworkX looks for backends among installed packages when it is imported. What it would have
    noted then is noted here: the entry point, what it covers, its (empty) configuration; and that
    there is a backend at all, without which it would not ask.

    Notes
    -----
    Constant cost. It holds for the whole process.

    Examples
    --------
    >>> register()
    >>> nx.core_number(nx.cycle_graph(3), backend="lianbao")
    {0: 2, 1: 2, 2: 2}
    """
    from importlib.metadata import EntryPoint

    known: Any = nx.utils.backends
    if NAME in known.backends:
        return
    known.backends[NAME] = EntryPoint(NAME, "graph.backend:BACKEND", "networkx.backends")
    known.backend_info[NAME] = info()
    settings: Any = nx.config
    settings.backends = known.Config(**settings.backends, **{NAME: known.Config()})
    known._dispatchable.__call__ = known._dispatchable._call_if_any_backends_installed


def info() -> dict[str, Any]:
    """What NetworkX wants to know of a backend.

    Examples
    --------
    >>> "bridges" in info()["functions"]
    True
    """
    return {
        "backend_name": NAME,
        "project": NAME,
        "package": "graph",
        "short_summary": "Compiled loops over compressed arrays.",
        "functions": {name: {} for name in COVERED},
    }


class Backend:
    """What NetworkX calls. The functions carry NetworkX's names and answer as its own do."""

    @staticmethod
    def convert_from_nx(graph: Network, **wanted: Any) -> ArrayGraph:
        """The graph as arrays, with the edge attributes that NetworkX asks for."""
        if graph.is_multigraph():
            raise NotImplementedError("multigraphs are not covered")
        nodes = list(graph)
        place = {node: i for i, node in enumerate(nodes)}
        # Plain dictionaries where the graph has them; its views would take ten times as long.
        adjacency = dict(graph.adjacency())
        rows = [adjacency[node] for node in nodes]
        start = np.zeros(len(nodes) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, rows), np.int64, len(rows)), out=start[1:])
        heads = map(place.__getitem__, chain.from_iterable(rows))
        head = np.fromiter(heads, np.int32, int(start[-1]))
        weights = {}
        for name, default in (wanted.get("edge_attrs") or {}).items():
            given = (data.get(name, default) for row in rows for data in row.values())
            try:
                weights[name] = np.fromiter(given, np.float64, head.size)
            except (TypeError, ValueError) as error:
                raise NotImplementedError(f"{name} is not a number everywhere") from error
        return ArrayGraph(nodes, start, head, graph.is_directed(), weights)

    @staticmethod
    def convert_to_nx(given: Any, **_: Any) -> Any:
        """A NetworkX graph again where it is one of ours; anything else as it is."""
        if not isinstance(given, ArrayGraph):
            return given
        made: Any = nx.DiGraph() if given.directed else nx.Graph()
        made.add_nodes_from(given.nodes)
        nodes, head = given.nodes, given.head.tolist()
        made.add_edges_from((nodes[t], nodes[h]) for t, h in zip(given.tails, head, strict=True))
        for name, weight in given.weights.items():
            for t, h, value in zip(given.tails, head, weight.tolist(), strict=True):
                made[nodes[t]][nodes[h]][name] = value
        return made

    @staticmethod
    def can_run(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool | str:
        """Whether a call is covered, or why not."""
        graph = args[0] if args else kwargs["G"]
        if graph.is_multigraph():
            return "multigraphs are not covered"
        for position, option in enumerate(COVERED[name], start=1):
            given = args[position] if len(args) > position else kwargs.get(option)
            if given is not None:
                return f"{option} is not covered"
        return True

    @staticmethod
    def strongly_connected_components(G: ArrayGraph) -> Iterator[set[Hashable]]:  # noqa: N803
        """Components before those that lead to them, as NetworkX finds them."""
        yield from G.sets(*_strong(G))

    @staticmethod
    def number_strongly_connected_components(G: ArrayGraph) -> int:  # noqa: N803
        return _strong(G)[1]

    @staticmethod
    def is_strongly_connected(G: ArrayGraph) -> bool:  # noqa: N803
        _some(G)
        return _strong(G)[1] == 1

    @staticmethod
    def weakly_connected_components(G: ArrayGraph) -> Iterator[set[Hashable]]:  # noqa: N803
        """Components by their first nodes."""
        yield from G.sets(*_weak(G))

    @staticmethod
    def number_weakly_connected_components(G: ArrayGraph) -> int:  # noqa: N803
        return _weak(G)[1]

    @staticmethod
    def is_weakly_connected(G: ArrayGraph) -> bool:  # noqa: N803
        _some(G)
        return _weak(G)[1] == 1

    connected_components = weakly_connected_components
    number_connected_components = number_weakly_connected_components
    is_connected = is_weakly_connected

    @staticmethod
    def core_number(G: ArrayGraph) -> dict[Hashable, int]:  # noqa: N803
        from graph.kernels import degrees

        if (G.tails == G.head).any():
            raise nx.NetworkXNotImplemented("Input graph has self loops: no core numbers.")
        return dict(zip(G.nodes, degrees.cores(*G.sides).tolist(), strict=True))

    @staticmethod
    def articulation_points(G: ArrayGraph) -> Iterator[Hashable]:  # noqa: N803
        """In the order of the nodes."""
        cut, _, _ = _weak_points(G)
        yield from (G.nodes[i] for i in np.flatnonzero(cut).tolist())

    @staticmethod
    def bridges(
        G: ArrayGraph,  # noqa: N803
        root: Hashable | None = None,
    ) -> Iterator[tuple[Hashable, Hashable]]:
        """In the order of the edges; of the component of `root` only, where there is one."""
        near, far = _bridges(G, root)
        n = len(G)
        keys = np.minimum(near, far).astype(np.int64) * n + np.maximum(near, far)
        # An undirected edge is listed where its earlier end is.
        is_bridge = np.isin(G.tails * n + G.head, keys)
        tails, heads = G.tails[is_bridge].tolist(), G.head[is_bridge].tolist()
        yield from ((G.nodes[t], G.nodes[h]) for t, h in zip(tails, heads, strict=True))

    @staticmethod
    def has_bridges(G: ArrayGraph, root: Hashable | None = None) -> bool:  # noqa: N803
        return _bridges(G, root)[0].size > 0

    @staticmethod
    def triadic_census(G: ArrayGraph, nodelist: None = None) -> dict[str, int]:  # noqa: N803
        from graph.cycles import triads

        counted = G.tails != G.head
        rows = from_rows(G.tails[counted], G.head[counted], ids=np.arange(len(G)))
        return dict(triads(rows).census)

    @staticmethod
    def pagerank(
        G: ArrayGraph,  # noqa: N803
        alpha: float = 0.85,
        personalization: Mapping[Hashable, float] | None = None,
        max_iter: int = 100,
        tol: float = 1.0e-6,
        nstart: Mapping[Hashable, float] | None = None,
        weight: str | None = "weight",
        dangling: Mapping[Hashable, float] | None = None,
    ) -> dict[Hashable, float]:
        """The rounds that NetworkX goes through, and where it stops, on rows made once."""
        from scipy.sparse import csr_array

        n = len(G)
        if not n:
            return {}
        given = None if weight is None else G.weights.get(weight)
        amount = np.ones(G.head.size) if given is None else given
        total = np.bincount(G.tails, amount, minlength=n)
        share = np.divide(1.0, total, out=np.zeros(n), where=total != 0)
        step = csr_array((amount * share[G.tails], G.head, G.start), shape=(n, n)).T.tocsr()

        def spread(chosen: Mapping[Hashable, float] | None) -> Reals:
            if chosen is None:
                return np.full(n, 1.0 / n)
            values = np.array([chosen.get(node, 0) for node in G.nodes], np.float64)
            shares: Reals = values / values.sum()
            return shares

        if personalization is not None and not sum(personalization.get(v, 0) for v in G.nodes):
            raise ZeroDivisionError
        home, rank = spread(personalization), spread(nstart)
        refuge = home if dangling is None else spread(dangling)
        hanging = np.flatnonzero(total == 0)
        for _ in range(max_iter):
            last = rank
            rank = alpha * (step @ last + last[hanging].sum() * refuge) + (1 - alpha) * home
            if np.abs(rank - last).sum() < n * tol:
                return dict(zip(G.nodes, rank.tolist(), strict=True))
        raise nx.PowerIterationFailedConvergence(max_iter)


# By function: its arguments that have to be left out.
COVERED: dict[str, tuple[str, ...]] = {
    "articulation_points": (),
    "bridges": (),
    "connected_components": (),
    "core_number": (),
    "has_bridges": (),
    "is_connected": (),
    "is_strongly_connected": (),
    "is_weakly_connected": (),
    "number_connected_components": (),
    "number_strongly_connected_components": (),
    "number_weakly_connected_components": (),
    "pagerank": (),
    "strongly_connected_components": (),
    "triadic_census": ("nodelist",),
    "weakly_connected_components": (),
}

BACKEND = Backend()


def _strong(graph: ArrayGraph) -> tuple[Places, int]:
    from graph.kernels import structure

    return structure.strong(graph.start, graph.head, len(graph))


def _weak(graph: ArrayGraph) -> tuple[Places, int]:
    from graph.kernels import structure

    return structure.weak(graph.start, graph.head, len(graph))


def _weak_points(graph: ArrayGraph) -> tuple[NDArray[np.bool_], Places, Places]:
    from graph.kernels import robustness

    return robustness.weak_points(*graph.sides)


def _bridges(graph: ArrayGraph, root: Hashable | None) -> tuple[Places, Places]:
    _, near, far = _weak_points(graph)
    if root is None:
        return near, far
    if root not in graph.nodes:
        raise nx.NodeNotFound(f"Root node {root} is not in graph")
    label, _ = _weak(graph)
    kept = label[near] == label[graph.nodes.index(root)]
    return near[kept], far[kept]


def _some(graph: ArrayGraph) -> None:
    if not len(graph):
        raise nx.NetworkXPointlessConcept("Connectivity is undefined for the null graph.")
