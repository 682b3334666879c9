"""The network of vouches as a NetworkX graph, checked, and back to plain values.

Attribute names: an edge ``u -> v`` carries ``room`` (int, minor units, >= 0: what u can still be
made to pay for v), a node may carry ``standing`` (int, minor units, >= 0, default 0). No function
here changes a graph that it is given.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

import networkx as nx

from graph.checks import id_key, whole
from graph.errors import SelfLoop, UnknownNode
from graph.limits import Promise

if TYPE_CHECKING:
    Network: TypeAlias = nx.Graph[Hashable]
    DirectedNetwork: TypeAlias = nx.DiGraph[Hashable]


def trust_network(
    edges: Iterable[tuple[Hashable, Hashable, int]],
    standings: Mapping[Hashable, int] | None = None,
    *,
    nodes: Iterable[Hashable] = (),
) -> DirectedNetwork:
    """Build a directed network from vouches; several between the same two add up.

    ``room(u, v) = sum of the rooms of all given edges (u, v)``.

    Parameters
    ----------
    edges : iterable of (voucher, borrower, room)
        Room in whole minor units >= 0.
    standings : mapping of member to int, optional
        Becomes the node attribute ``standing``; its members become nodes.
    nodes : iterable of Hashable, optional
        Further members without edges.

    Returns
    -------
    networkx.DiGraph
        Nodes in the order of first appearance: `standings`, `nodes`, then `edges`.

    Raises
    ------
    BadCapacity
        A room or standing is NaN, negative, a float, a bool or no number at all.
    SelfLoop
        An edge leads from a member to themself.

    Notes
    -----
    O(n + m). Without edges the network is just its nodes.

    Examples
    --------
    >>> g = trust_network([("a", "b", 3), ("a", "b", 4)], {"a": 10})
    >>> g["a"]["b"]["room"], g.nodes["a"]["standing"]
    (7, 10)
    """
    made: DirectedNetwork = nx.DiGraph()
    for member, standing in (standings or {}).items():
        made.add_node(member, standing=whole(standing, f"standing of {member!r}"))
    made.add_nodes_from(nodes)
    for tail, head, given in edges:
        if tail == head:
            raise SelfLoop(tail)
        room = whole(given, f"room of {tail!r} -> {head!r}")
        if made.has_edge(tail, head):
            made[tail][head]["room"] += room
        else:
            made.add_edge(tail, head, room=room)
    return made


def network_of_promises(
    standings: Mapping[Hashable, int], promises: Iterable[Promise]
) -> DirectedNetwork:
    """Draw promises as a network; parallel promises add up to one edge.

    ``room(u, v) = sum of the rooms of the promises from u to v``.

    Parameters
    ----------
    standings : mapping of member to int
        Minor units, >= 0.
    promises : iterable of Promise

    Returns
    -------
    networkx.DiGraph

    Raises
    ------
    BadCapacity
        A standing is no whole number >= 0.

    Notes
    -----
    O(n + m).

    Examples
    --------
    >>> sorted(network_of_promises({"a": 1}, [Promise(7, "a", "b", 5)]).edges(data="room"))
    [('a', 'b', 5)]
    """
    return trust_network(((p.voucher, p.borrower, p.room) for p in promises), standings)


def promises_of_network(
    network: Network,
) -> tuple[dict[Hashable, int], tuple[Promise, ...]]:
    """Read standings and promises from a network; the id of a promise is (voucher, borrower).

    Parameters
    ----------
    network : networkx graph
        Directed; in an undirected one each edge counts as a promise both ways.

    Returns
    -------
    (dict of member to int, tuple of Promise)
        Every node has a standing, 0 where the attribute is missing. Promises are sorted by id;
        parallel edges of a multigraph add up.

    Raises
    ------
    BadCapacity, SelfLoop
        As for `trust_network`; an edge without ``room`` is refused too.

    Notes
    -----
    O(n + m log m).

    Examples
    --------
    >>> standings, promises = promises_of_network(trust_network([("a", "b", 3)], {"a": 9}))
    >>> standings, [(p.id, p.room) for p in promises]
    ({'a': 9, 'b': 0}, [(('a', 'b'), 3)])
    """
    standings = {
        member: whole(standing, f"standing of {member!r}")
        for member, standing in network.nodes(data="standing", default=0)
    }
    rooms = rooms_of(network)
    promises = (Promise(pair, *pair, rooms[pair]) for pair in sorted(rooms, key=id_key))
    return standings, tuple(promises)


def rooms_of(network: Network, attribute: str = "room") -> dict[tuple[Hashable, Hashable], int]:
    """Read and check every edge: (tail, head) -> room.

    Parameters
    ----------
    network : networkx graph
        Directed or not (an undirected edge counts both ways), multigraphs included.
    attribute : str
        The edge attribute that holds the room. Default ``room``.

    Returns
    -------
    dict of (tail, head) to int

    Raises
    ------
    BadCapacity
        ``room`` is missing or no whole number >= 0.
    SelfLoop
        An edge leads from a node to itself.

    Notes
    -----
    O(m).

    Examples
    --------
    >>> rooms_of(trust_network([("a", "b", 3)]))
    {('a', 'b'): 3}
    """
    rooms: dict[tuple[Hashable, Hashable], int] = {}
    both_ways = not network.is_directed()
    given: object
    for tail, head, given in network.edges(data=attribute):
        if tail == head:
            raise SelfLoop(tail)
        room = whole(given, f"room of {tail!r} -> {head!r}")
        rooms[tail, head] = rooms.get((tail, head), 0) + room
        if both_ways:
            rooms[head, tail] = rooms.get((head, tail), 0) + room
    return rooms


def require_nodes(network: Network, nodes: Iterable[Hashable]) -> None:
    """Refuse a node that the network does not hold.

    Parameters
    ----------
    network : networkx graph
    nodes : iterable of Hashable

    Raises
    ------
    UnknownNode
        Names the first one that is missing.

    Notes
    -----
    O(number of `nodes`).

    Examples
    --------
    >>> require_nodes(trust_network([("a", "b", 3)]), ["c"])
    Traceback (most recent call last):
        ...
    graph.errors.UnknownNode: 'c' is not in the network
    """
    for node in nodes:
        if node not in network:
            raise UnknownNode(node)
