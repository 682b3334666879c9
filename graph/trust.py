"""How far trust reaches between two people: flow from a borrower to a lender.

Here an edge ``a -> b`` with ``room`` c means that a stands good to b for c: the most that b can
make a lose. The borrower can owe the lender at most what can flow from one to the other. (A
credit limit, where vouches lead *to* the borrower, is the business of `graph.limits`.)

All values are exact. Undirected networks are taken as edges both ways; standings do not matter.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from graph.array_limits import promises_near
from graph.arrays import ArrayNetwork, as_arrays, from_rows, room_of
from graph.checks import count
from graph.cuts import Cut, CutFinder
from graph.errors import BadParameter
from graph.layered import bounded_flow

if TYPE_CHECKING:
    from graph.network import Network

Pair = tuple[Hashable, Hashable]

# More than all rooms out of one member together.
_NO_END = 2**62


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


def max_trust(network: ArrayNetwork | Network, borrower: Hashable, lender: Hashable) -> Trust:
    """Most that the lender can lend the borrower on social collateral alone.

    ``T(s, t) = max flow from s to t = min over sets S with s in S, t not in S of
    sum of room(u, v), u in S, v not in S``.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
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
    One search for distances from the lender, O(n + m), then shortest augmenting paths from the
    borrower on, which touch only what lies near: see `graph.cuts`. O(n^2 m) at worst.

    References
    ----------
    Karlan, Mobius, Rosenblat & Szeidl (2009), Trust and social collateral, Quarterly Journal of
    Economics 124(3); Ahuja & Orlin (1991).

    Examples
    --------
    >>> from graph.network import trust_network
    >>> g = trust_network([("b", "x", 4), ("x", "l", 3), ("b", "l", 1)])
    >>> trust = max_trust(g, "b", "l")
    >>> trust.value, sorted(trust.cut), sorted(trust.side)
    (4, [('b', 'l'), ('x', 'l')], ['b', 'x'])
    """
    arrays = as_arrays(network)
    _check_pair(arrays, borrower, lender)
    cut = _cut(arrays, borrower, [lender])
    # The network was turned round for the search, so its pairs are too.
    return Trust(cut.value, frozenset((tail, head) for head, tail in cut.pairs), cut.side)


def pool_trust(
    network: ArrayNetwork | Network, borrower: Hashable, lenders: Iterable[Hashable]
) -> int:
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
    arrays = as_arrays(network)
    pool = set(lenders)
    arrays.places([borrower, *pool])
    if borrower in pool:
        raise BadParameter("the borrower cannot be among the lenders")
    return _cut(arrays, borrower, pool).value


def two_hop_trust(network: ArrayNetwork | Network, borrower: Hashable, lender: Hashable) -> int:
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
    O(degree) on an ArrayNetwork; reading a NetworkX graph is O(n + m).

    References
    ----------
    Karlan et al. (2009), circle of trust K = 2.

    Examples
    --------
    >>> from graph.network import trust_network
    >>> two_hop_trust(trust_network([("b", "x", 4), ("x", "l", 3), ("b", "l", 1)]), "b", "l")
    4
    """
    arrays = as_arrays(network)
    _check_pair(arrays, borrower, lender)
    return _two_hops(arrays, borrower, lender)


def bounded_trust(
    network: ArrayNetwork | Network, borrower: Hashable, lender: Hashable, max_edges: int
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
    arrays = as_arrays(network)
    _check_pair(arrays, borrower, lender)
    count(max_edges, "max_edges", 1)
    if max_edges == 1:
        return Fraction(arrays.room(borrower, lender))
    if max_edges == 2:
        return Fraction(_two_hops(arrays, borrower, lender))
    if max_edges >= arrays.n - 1:
        return Fraction(_cut(arrays, borrower, [lender]).value)
    _, near = promises_near(arrays, lender, max_edges)
    arcs = [(p.voucher, p.borrower, p.room) for p in near if p.room]
    return bounded_flow(arcs, {borrower: None}, lender, max_edges).optimum


def budgeted_trust(
    network: ArrayNetwork | Network,
    borrower: Hashable,
    lender: Hashable,
    budgets: Mapping[Hashable, int],
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
    arrays = as_arrays(network)
    _check_pair(arrays, borrower, lender)
    # Members with a budget are two nodes: flow comes in at their place, and leaves at a new one.
    split = arrays.places(budgets)
    given = [room_of(budget, f"budget of {member!r}") for member, budget in budgets.items()]
    leaves = np.arange(arrays.n)
    leaves[split] = arrays.n + np.arange(split.size)
    halves = from_rows(
        np.concatenate([leaves[arrays.tails], split]),
        np.concatenate([arrays.out_head, leaves[split]]),
        np.concatenate([arrays.out_room, np.array(given, np.int64)]),
        ids=np.arange(arrays.n + split.size),
    )
    return _cut(halves, arrays.place(borrower), [int(leaves[arrays.place(lender)])]).value


def _check_pair(network: ArrayNetwork, borrower: Hashable, lender: Hashable) -> None:
    network.places([borrower, lender])
    if borrower == lender:
        raise BadParameter("borrower and lender are one")


def _two_hops(network: ArrayNetwork, borrower: Hashable, lender: Hashable) -> int:
    s, t = network.place(borrower), network.place(lender)
    out = slice(network.out_start[s], network.out_start[s + 1])
    into = slice(network.in_start[t], network.in_start[t + 1])
    _, first, second = np.intersect1d(
        network.out_head[out], network.in_tail[into], assume_unique=True, return_indices=True
    )
    over = np.minimum(network.out_room[out][first], network.in_room[into][second])
    return network.room(borrower, lender) + int(over.sum())


def _cut(network: ArrayNetwork, borrower: Hashable, lenders: Iterable[Hashable]) -> Cut:
    """The minimum cut nearest to the borrower, found in the network turned round.

    There all comes from the lenders' standings, which have no end, and runs to the borrower.
    """
    standing = np.zeros(network.n, np.int64)
    standing[network.places(lenders)] = _NO_END
    turned = ArrayNetwork(
        network.ids,
        standing,
        out_start=network.in_start,
        out_head=network.in_tail,
        out_room=network.in_room,
        in_start=network.out_start,
        in_tail=network.out_head,
        in_room=network.out_room,
        in_edge=network.in_edge,
    )
    return CutFinder(turned).cut(borrower)
