"""Limits on a network of arrays: values by compiled loops, certificates by cutting out what counts.

A certificate names promises, so the vouches that a limit depends on are read out of the arrays as
`Promise` values, with ``(voucher, borrower)`` as id, and handed to the exact methods for those.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from graph.arrays import ArrayNetwork, Ints, as_arrays
from graph.checks import count, id_key
from graph.cuts import CutFinder
from graph.limits import cover_limit
from graph.overlay import Overlay, Pair, overlaid
from graph.promises import CoverLimit, CutItem, Promise, Raise, by_gain

if TYPE_CHECKING:
    from graph.network import Network


def limit_values(
    network: ArrayNetwork | Overlay | Network,
    borrowers: Iterable[Hashable] | Ints | None = None,
    *,
    circle: int | None = 2,
) -> Ints:
    """Limits of one, some or all members, each as if nobody else borrowed.

    The value of `graph.limits.cover_limit`, on the rooms and standings of the network.

    Parameters
    ----------
    network : ArrayNetwork, Overlay or networkx graph
        Not changed.
    borrowers : iterable of Hashable, or numpy.ndarray of int64, optional
        Default: everybody, in the order of their places.
    circle : int or None
        K: 0, 1, 2, or None for the whole graph; a larger K is solved one by one, in fractions.

    Returns
    -------
    numpy.ndarray of int64
        Minor units.

    Raises
    ------
    UnknownNode
        Names the first borrower that the network does not hold.
    BadParameter
        `circle` is no whole number >= 0 or None.
    BadCapacity, SelfLoop, NoConvergence
        A NetworkX graph is not what it has to be; K >= 3 only: no proof.

    Notes
    -----
    K <= 2: about 10 microseconds a borrower with ten vouches a member; what is read are the rows
    of those direct vouchers whose own standing does not fill their promise, and no more of a row
    than it takes to fill it. Only where two of them want the same standing and it runs out is the
    whole transport problem laid out, O(vouches within two steps) and Dinic's method on that.
    Whole graph: see `graph.cuts.CutFinder`, which this makes anew, O(n + m), with every call.

    References
    ----------
    Karlan, Mobius, Rosenblat & Szeidl (2009), Trust and social collateral, Quarterly Journal of
    Economics 124(3); Dinic (1970).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("ana", "ben", 130), ("cai", "ana", 80)], {"ana": 100, "cai": 50})
    >>> limit_values(network).tolist(), limit_values(network, ["ben"], circle=1).tolist()
    ([150, 130, 50], [100])
    """
    if circle is not None:
        count(circle, "circle", 0)
    read = _read(network)
    if circle is None:
        return CutFinder(read).values(borrowers)
    places = np.arange(read.n, dtype=np.int32) if borrowers is None else read.places(borrowers)
    if circle <= 2:
        from graph.kernels import cover

        return cover.limits(read.in_rows(), places, circle)
    values = (cover_limit(id_, read, circle=circle).value for id_ in read.ids_of(places))
    return np.fromiter(values, np.int64, places.size)


def promises_near(
    network: ArrayNetwork | Overlay | Network, borrower: Hashable, circle: int
) -> tuple[dict[Hashable, int], tuple[Promise, ...]]:
    """The vouches within some steps of a borrower, and the standings behind them.

    Parameters
    ----------
    network : ArrayNetwork, Overlay or networkx graph
        Not changed.
    borrower : Hashable
    circle : int
        A vouch counts if it is the first of at most this many that lead to the borrower.

    Returns
    -------
    standings : dict of member to int
    promises : tuple of Promise
        Those without room too. Their id is ``(voucher, borrower)``, their age is unknown.

    Raises
    ------
    UnknownNode, BadParameter
        The network does not hold the borrower; `circle` is no whole number >= 0.
    BadCapacity, SelfLoop
        A NetworkX graph is not what it has to be.

    Notes
    -----
    O(what is returned), in Python; reading a NetworkX graph is O(n + m).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("ana", "ben", 60), ("cai", "ana", 80)], {"ana": 10, "cai": 5})
    >>> standings, promises = promises_near(network, "ben", 1)
    >>> standings, [(p.id, p.room) for p in promises]
    ({'ana': 10, 'ben': 0}, [(('ana', 'ben'), 60)])
    """
    count(circle, "circle", 0)
    read = _read(network)
    start = read.place(borrower)
    seen = {start}
    edge = [start]
    rows: list[tuple[int, list[int], list[int]]] = []
    for _ in range(circle):
        beyond: list[int] = []
        for at in edge:
            tails, rooms = read.in_row(at)
            listed = tails.tolist()
            rows.append((at, listed, rooms.tolist()))
            for tail in listed:
                if tail not in seen:
                    seen.add(tail)
                    beyond.append(tail)
        edge = beyond
    members = list(seen)
    name = dict(zip(members, read.ids_of(members), strict=True))
    return _standings(read, members), tuple(
        Promise((name[tail], name[at]), name[tail], name[at], room)
        for at, tails, rooms in rows
        for tail, room in zip(tails, rooms, strict=True)
        if tail != start
    )


def whole_graph_value(
    network: ArrayNetwork | Overlay | Network, borrower: Hashable, extra: Iterable[Promise] = ()
) -> int:
    """The whole-graph limit of one borrower, supposing some more promises.

    Parameters
    ----------
    network : ArrayNetwork, Overlay or networkx graph
        Not changed.
    borrower : Hashable
        May be a newcomer, whom the network does not hold: then only `extra` leads to them.
    extra : iterable of Promise
        Their rooms add to those that are there.

    Returns
    -------
    int
        Minor units.

    Raises
    ------
    BadCapacity, SelfLoop
        As for `graph.overlay.overlaid`.

    Notes
    -----
    As for `graph.cuts.CutFinder`, which is made anew.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("ana", "ben", 30)], {"ana": 100})
    >>> whole_graph_value(network, "ben", [Promise(1, "ana", "ben", 25)])
    55
    """
    read = _read(network)
    rooms: dict[Pair, int] = {}
    for promise in extra:
        pair = (promise.voucher, promise.borrower)
        if pair not in rooms:
            there = promise.voucher in read and promise.borrower in read
            rooms[pair] = read.room(*pair) if there else 0
        rooms[pair] += promise.room
    newcomer = {} if borrower in read else {borrower: 0}
    return CutFinder(overlaid(read, rooms, newcomer)).value(borrower)


def whole_limit(finder: CutFinder, borrower: Hashable) -> CoverLimit:
    """The whole-graph limit of a borrower with paths, cut and what would raise it.

    Parameters
    ----------
    finder : CutFinder
    borrower : Hashable

    Returns
    -------
    CoverLimit
        With ``circle=None``; it proves itself against all promises of the network
        (`graph.limits.check_certificate`). Promise ids are ``(voucher, borrower)``.

    Raises
    ------
    UnknownNode
        The network does not hold this member.

    Notes
    -----
    One query for the cut and a flow; then the exact method for promises on the vouches that carry
    something or lead to the borrower's side of the cut. `raises` asks one query for each standing
    and vouch of the cut.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> vouches = [("ana", "ben", 60), ("cai", "ana", 80)]
    >>> limit = whole_limit(CutFinder(from_edges(vouches, {"ana": 10, "cai": 20})), "ben")
    >>> limit.value, limit.direct, limit.second
    (30, 10, 20)
    >>> limit.raises(100)[0]
    Raise(kind='standing', id='ben', gain=100)
    """
    network = finder.network
    cut, flow = finder.cut_and_flow(borrower)
    promises = []
    involved = {borrower}
    for head in sorted({*cut.side, *(head for _, head in flow.vouches)}, key=id_key):
        tails, rooms = network.in_row(network.place(head))
        for tail, room in zip(network.ids_of(tails), rooms.tolist(), strict=True):
            # All that crosses the border proves the cut, all that carries proves the flow.
            if head in cut.side or (tail, head) in flow.vouches:
                promises.append(Promise((tail, head), tail, head, room))
                involved.add(tail)
    standings = _standings(network, network.places(involved).tolist())
    limit = cover_limit(borrower, standings, promises, circle=None)
    return replace(limit, _engine=_Queries(finder, limit))


class _Queries:
    """Answers `raises` by asking the whole network, one query per item of the cut."""

    def __init__(self, finder: CutFinder, limit: CoverLimit) -> None:
        self.finder = finder
        self.limit = limit

    def raises(self, by: int) -> tuple[Raise, ...]:
        # Whatever raises a limit alone lies in every minimum cut.
        gains = (Raise(item.kind, item.id, self._gain(item, by)) for item in self.limit.cut)
        return by_gain(raised for raised in gains if raised.gain)

    def _gain(self, item: CutItem, by: int) -> int:
        more = item.capacity + by
        if item.kind == "standing":
            grown = self.finder.overlaid(standings={item.id: more})
        else:
            grown = self.finder.overlaid({cast("Pair", item.id): more})
        return grown.value(self.limit.borrower) - self.limit.value


def _read(network: ArrayNetwork | Overlay | Network) -> ArrayNetwork | Overlay:
    return network if isinstance(network, Overlay) else as_arrays(network)


def _standings(network: ArrayNetwork | Overlay, places: list[int]) -> dict[Hashable, int]:
    base, now = (
        (network, {}) if isinstance(network, ArrayNetwork) else (network.base, network.standings)
    )
    held = [int(base.standing[at]) if at < base.n else 0 for at in places]
    table = dict(zip(network.ids_of(places), held, strict=True))
    return {member: now.get(member, held) for member, held in table.items()}
