"""How far trust reaches between two people: flow from a borrower to a lender.

Here an edge ``a -> b`` with ``room`` c means that a stands good to b for c: the most that b can
make a lose. The borrower can owe the lender at most what can flow from one to the other. (A
credit limit, where vouches lead *to* the borrower, is the business of `graph.limits`.)

All values are exact. Undirected networks are taken as edges both ways.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from graph.checks import count, whole
from graph.errors import BadParameter
from graph.flow import UNLIMITED, Residual
from graph.layered import bounded_flow
from graph.network import require_nodes, rooms_of

if TYPE_CHECKING:
    from graph.network import Network

Pair = tuple[Hashable, Hashable]

# SciPy's maximum flow counts in 32 bits; beyond that our own engine takes over.
_SCIPY_ROOM = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Trust:
    """What one side stands good for to the other, with the cut that proves it.

    Attributes
    ----------
    value : int
        Minor units.
    cut : frozenset of (tail, head)
        The edges out of `side`; their rooms sum to `value`, and without them no chain is left.
    side : frozenset of Hashable
        The smallest set of nodes around the borrower that such a cut can separate.
    """

    value: int
    cut: frozenset[Pair]
    side: frozenset[Hashable]


def max_trust(network: Network, borrower: Hashable, lender: Hashable) -> Trust:
    """Most that the lender can lend the borrower on social collateral alone.

    ``T(s, t) = max flow from s to t = min over sets S with s in S, t not in S of
    sum of room(u, v), u in S, v not in S``.

    Parameters
    ----------
    network : networkx graph
        Edge attribute ``room``, whole minor units >= 0. Not changed.
    borrower, lender : Hashable
        Two different nodes.

    Returns
    -------
    Trust
        Value 0 where no chain leads over.

    Raises
    ------
    UnknownNode, BadParameter
        A node is not in the network; borrower and lender are one.
    BadCapacity, SelfLoop
        An edge is not what it has to be.

    Notes
    -----
    Dinic's method, O(n^2 m) at worst and near linear on networks of vouches, in SciPy where all
    rooms together fit into 32 bits, otherwise in `graph.flow` (slower, without a bound).

    References
    ----------
    Karlan, Mobius, Rosenblat & Szeidl (2009), Trust and social collateral, Quarterly Journal of
    Economics 124(3); Dinic (1970).

    Examples
    --------
    >>> from graph.network import trust_network
    >>> g = trust_network([("b", "x", 4), ("x", "l", 3), ("b", "l", 1)])
    >>> trust = max_trust(g, "b", "l")
    >>> trust.value, sorted(trust.cut), sorted(trust.side)
    (4, [('b', 'l'), ('x', 'l')], ['b', 'x'])
    """
    _check_pair(network, borrower, lender)
    rooms = rooms_of(network)
    value, side = _flow_and_side(list(network), rooms, borrower, lender)
    cut = frozenset(pair for pair in rooms if pair[0] in side and pair[1] not in side)
    return Trust(value, cut, frozenset(side))


def pool_trust(network: Network, borrower: Hashable, lenders: Iterable[Hashable]) -> int:
    """Most that a pool of lenders together can lend the borrower.

    ``T(s, pool) = max flow from s to a node that every lender joins by an edge without limit``.

    Parameters
    ----------
    network, borrower
        As for `max_trust`.
    lenders : iterable of Hashable
        Nodes other than the borrower; one named twice counts once. An empty pool lends 0.

    Returns
    -------
    int
        Minor units.

    Raises
    ------
    UnknownNode, BadParameter, BadCapacity, SelfLoop
        As for `max_trust`.

    Notes
    -----
    One maximum flow.

    References
    ----------
    Karlan et al. (2009).

    Examples
    --------
    >>> from graph.network import trust_network
    >>> pool_trust(trust_network([("b", "x", 4), ("b", "y", 3), ("x", "y", 9)]), "b", ["x", "y"])
    7
    """
    pool = set(lenders)
    require_nodes(network, [borrower, *pool])
    if borrower in pool:
        raise BadParameter("the borrower cannot be among the lenders")
    # Contracting the pool into one node says the same as unlimited edges and needs no such edge.
    together = object()
    rooms: dict[Pair, int] = {}
    for (tail, head), room in rooms_of(network).items():
        if tail not in pool:
            pair = (tail, together if head in pool else head)
            rooms[pair] = rooms.get(pair, 0) + room
    nodes: list[Hashable] = [node for node in network if node not in pool]
    return _flow_and_side([*nodes, together], rooms, borrower, together)[0]


def two_hop_trust(network: Network, borrower: Hashable, lender: Hashable) -> int:
    """Trust over at most one common contact.

    ``T_2(s, t) = c(s, t) + sum over v of min(c(s, v), c(v, t))``; the paths share no edge, so
    the sum is exact.

    Parameters
    ----------
    network, borrower, lender
        As for `max_trust`.

    Returns
    -------
    int
        Minor units.

    Raises
    ------
    UnknownNode, BadParameter, BadCapacity, SelfLoop
        As for `max_trust`.

    Notes
    -----
    O(m) for checking the edges; the sum itself is O(degree).

    References
    ----------
    Karlan et al. (2009), circle of trust K = 2.

    Examples
    --------
    >>> from graph.network import trust_network
    >>> two_hop_trust(trust_network([("b", "x", 4), ("x", "l", 3), ("b", "l", 1)]), "b", "l")
    4
    """
    _check_pair(network, borrower, lender)
    return _two_hops(rooms_of(network), borrower, lender)


def bounded_trust(
    network: Network, borrower: Hashable, lender: Hashable, max_edges: int
) -> Fraction:
    """Trust within a circle: only chains of at most `max_edges` edges count.

    ``max sum_P x_P`` over paths P of at most K edges with ``sum_{P uses e} x_P <= room(e)``.

    Parameters
    ----------
    network, borrower, lender
        As for `max_trust`.
    max_edges : int
        K >= 1.

    Returns
    -------
    Fraction
        Minor units; whole for K <= 2 and for K that no path can exceed. Between, the fractional
        optimum, which may be above the best flow in whole units.

    Raises
    ------
    UnknownNode, BadParameter, BadCapacity, SelfLoop
        As for `max_trust`; `max_edges` is no whole number >= 1.
    NoConvergence
        The optimum could not be proved.

    Notes
    -----
    K = 1 and 2 by closed form, K >= n - 1 by maximum flow, between by the linear programme of
    `graph.layered.bounded_flow` with O(K m) variables.

    References
    ----------
    Karlan et al. (2009); Baier (2003), Flows with path restrictions.

    Examples
    --------
    >>> from graph.network import trust_network
    >>> g = trust_network([("b", "x", 4), ("x", "y", 3), ("y", "l", 2), ("b", "l", 1)])
    >>> [int(bounded_trust(g, "b", "l", k)) for k in (1, 2, 3)]
    [1, 1, 3]
    """
    _check_pair(network, borrower, lender)
    count(max_edges, "max_edges", 1)
    rooms = rooms_of(network)
    if max_edges == 1:
        return Fraction(rooms.get((borrower, lender), 0))
    if max_edges == 2:
        return Fraction(_two_hops(rooms, borrower, lender))
    if max_edges >= len(network) - 1:
        return Fraction(_flow_and_side(list(network), rooms, borrower, lender)[0])
    arcs = [(tail, head, room) for (tail, head), room in rooms.items() if room]
    return bounded_flow(arcs, {borrower: None}, lender, max_edges).optimum


def budgeted_trust(
    network: Network, borrower: Hashable, lender: Hashable, budgets: Mapping[Hashable, int]
) -> int:
    """Trust when a person's vouches together may not exceed a budget.

    ``max flow from s to t with, for every v in budgets, sum of flow through v <= budget(v)``;
    each such node is split in two, joined by an arc of that capacity.

    Parameters
    ----------
    network, borrower, lender
        As for `max_trust`.
    budgets : mapping of node to int
        Whole minor units >= 0. A budget of the borrower bounds all that leaves them, one of the
        lender all that reaches them. Nodes without an entry have no budget.

    Returns
    -------
    int
        Minor units.

    Raises
    ------
    UnknownNode, BadParameter, BadCapacity, SelfLoop
        As for `max_trust`; a budget names an unknown node or is no whole number >= 0.

    Notes
    -----
    One maximum flow on n + (number of budgets) nodes.

    References
    ----------
    Karlan et al. (2009); node capacities after Ford & Fulkerson (1962).

    Examples
    --------
    >>> from graph.network import trust_network
    >>> g = trust_network([("b", "x", 4), ("x", "l", 9)])
    >>> budgeted_trust(g, "b", "l", {"x": 3})
    3
    """
    _check_pair(network, borrower, lender)
    require_nodes(network, budgets)
    # A node is (id, 0) where flow comes in and (id, 1) where it leaves.
    rooms: dict[Pair, int] = {
        ((tail, 1), (head, 0)): room for (tail, head), room in rooms_of(network).items()
    }
    for node in network:
        if node in budgets:
            rooms[(node, 0), (node, 1)] = whole(budgets[node], f"budget of {node!r}")
    # Without a budget both halves are one.
    joined: dict[Hashable, Hashable] = {
        (node, half): (node, half if node in budgets else 0) for node in network for half in (0, 1)
    }
    rooms = {(joined[tail], joined[head]): room for (tail, head), room in rooms.items()}
    nodes = list(dict.fromkeys(joined.values()))
    return _flow_and_side(nodes, rooms, joined[borrower, 0], joined[lender, 1])[0]


def _check_pair(network: Network, borrower: Hashable, lender: Hashable) -> None:
    require_nodes(network, (borrower, lender))
    if borrower == lender:
        raise BadParameter("borrower and lender are one")


def _two_hops(rooms: Mapping[Pair, int], borrower: Hashable, lender: Hashable) -> int:
    return rooms.get((borrower, lender), 0) + sum(
        min(room, rooms.get((head, lender), 0))
        for (tail, head), room in rooms.items()
        if tail == borrower
    )


def _flow_and_side(
    nodes: list[Hashable], rooms: Mapping[Pair, int], source: Hashable, sink: Hashable
) -> tuple[int, set[Hashable]]:
    """Value of the maximum flow, and the nodes that the source still reaches after it."""
    place = {node: i for i, node in enumerate(nodes)}
    if sum(rooms.values()) <= _SCIPY_ROOM:
        return _flow_by_scipy(nodes, place, rooms, source, sink)
    # No room is cut here: an amount above UNLIMITED would be no money.
    if max(rooms.values()) >= UNLIMITED:
        raise BadParameter("a room is beyond any sum of money")
    residual = Residual(len(nodes))
    for (tail, head), room in rooms.items():
        residual.arc(place[tail], place[head], room)
    value = residual.push_all(place[source], place[sink])
    reached = residual.reached_from(place[source])
    return value, {node for node, seen in zip(nodes, reached, strict=True) if seen}


def _flow_by_scipy(
    nodes: list[Hashable],
    place: Mapping[Hashable, int],
    rooms: Mapping[Pair, int],
    source: Hashable,
    sink: Hashable,
) -> tuple[int, set[Hashable]]:
    # Imported here: whoever only needs the closed forms should not wait for SciPy.
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    tails = np.fromiter((place[tail] for tail, _ in rooms), dtype=np.int32, count=len(rooms))
    heads = np.fromiter((place[head] for _, head in rooms), dtype=np.int32, count=len(rooms))
    limits = np.fromiter(rooms.values(), dtype=np.int32, count=len(rooms))
    shape = (len(nodes), len(nodes))
    capacity = csr_array((limits, (tails, heads)), shape=shape)
    found = maximum_flow(capacity, place[source], place[sink])
    # `flow` has the reverse arcs with negative sign, so this is what every arc can still carry.
    left = csr_array(capacity - found.flow)
    left.eliminate_zeros()
    reached = breadth_first_order(left, place[source], return_predecessors=False)
    return int(found.flow_value), {nodes[int(i)] for i in reached}
