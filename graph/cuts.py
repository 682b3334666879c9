"""The whole-graph limit of one borrower or a group, found near them, with the cut that proves it.

A `CutFinder` is made once for a network: one pass gives the distance of every member from the
standings, and every query then walks straight from the borrower to whoever can cover, and touches
nothing else of the network. Later changes are laid over it without a further pass.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, Ints, Places, as_arrays
from graph.errors import BadParameter
from graph.overlay import Overlay, Pair, overlaid, overlaid_nothing

if TYPE_CHECKING:
    from graph.kernels.cuts import Labels
    from graph.network import Network

# Room for members that a change adds, before the arrays of the size of the network grow.
_SPARE = 1024


@dataclass(frozen=True, slots=True)
class Cut:
    """What all standings together can cover of a borrower or a group, and why not more.

    Attributes
    ----------
    value : int
        The limit in minor units.
    side : frozenset of Hashable
        The smallest set around the borrowers that such a cut can separate.
    pairs : dict of (voucher, borrower) to int
        The room of each vouch that leads into `side`, those without room left out.
    standings : dict of member to int
        The standings inside `side` that are not 0. ``sum(pairs) + sum(standings) == value``, and
        no cover reaches a borrower but through these.
    """

    value: int
    side: frozenset[Hashable]
    pairs: dict[Pair, int]
    standings: dict[Hashable, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """What every vouch and standing carries in one cover of a borrower's whole limit.

    Attributes
    ----------
    vouches : dict of (voucher, borrower) to int
        Minor units, > 0.
    drawn : dict of member to int
        Taken from each standing, > 0; sums to the limit.
    """

    vouches: dict[Pair, int]
    drawn: dict[Hashable, int]


class CutFinder:
    """A network made ready for whole-graph limits.

    ``limit(b) = max flow from all standings to b = min over sets S with b in S of
    sum of room(u, v), u not in S, v in S + sum of standing(w), w in S``.

    Parameters
    ----------
    network : ArrayNetwork, Overlay or networkx graph
        Rooms and standings in whole minor units, see `graph.arrays`. Not changed.

    Raises
    ------
    BadCapacity, SelfLoop
        A NetworkX graph with an edge or standing that is not what it has to be.

    Notes
    -----
    O(n + m) once, and 9 bytes a member for each thread that asks at the same time. A query costs
    what it visits: the vouches of those near the borrower that the limit runs into. Exact in whole
    numbers; at worst O(n^2 m). May be used by several threads.

    References
    ----------
    Ford & Fulkerson (1962), Flows in Networks; Ahuja & Orlin (1991), Distance-directed augmenting
    path algorithms for maximum flow, Naval Research Logistics 38(3).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> vouches = [("ana", "ben", 60), ("cai", "ana", 80), ("dan", "cai", 5)]
    >>> finder = CutFinder(from_edges(vouches, {"ana": 10, "cai": 20, "dan": 50, "ben": 1}))
    >>> finder.value("ben")
    36
    >>> cut = finder.cut("ben")
    >>> sorted(cut.side), cut.pairs, sorted(cut.standings.values())
    (['ana', 'ben', 'cai'], {('dan', 'cai'): 5}, [1, 10, 20])
    >>> finder.overlaid({("dan", "ana"): 100}).value("ben")
    61
    """

    def __init__(self, network: ArrayNetwork | Overlay | Network) -> None:
        overlay = network if isinstance(network, Overlay) else overlaid_nothing(as_arrays(network))
        self._start(overlay, _Base(overlay.base), {})
        if overlay.rooms or overlay.standings:
            self._lower(overlay.rooms, overlay.standings)

    def _start(self, network: Overlay, base: _Base, lower: dict[int, int]) -> None:
        self._network = network
        self._base = base if network.n <= base.size else base.longer(network.n)
        self._lowered = lower

    def __repr__(self) -> str:
        return f"CutFinder({self._network!r})"

    @property
    def network(self) -> Overlay:
        """The network that is searched, with what was laid over it."""
        return self._network

    def overlaid(
        self,
        rooms: Mapping[Pair, int] | None = None,
        standings: Mapping[Hashable, int] | None = None,
    ) -> CutFinder:
        """The same with later rooms and standings: "what if", or what was committed meanwhile.

        Parameters
        ----------
        rooms, standings
            As for `graph.overlay.overlaid`.

        Returns
        -------
        CutFinder
            This one does not change.

        Raises
        ------
        BadCapacity, SelfLoop
            As for `graph.overlay.overlaid`.

        Notes
        -----
        O(changes so far + rows of the changed borrowers + members whom the change brings nearer
        to a standing).
        """
        made = CutFinder.__new__(CutFinder)
        made._start(overlaid(self._network, rooms, standings), self._base, dict(self._lowered))
        made._lower(rooms or {}, standings or {})
        return made

    def value(self, borrower: Hashable) -> int:
        """The whole-graph limit of one borrower.

        Raises
        ------
        UnknownNode
            The network does not hold this member.
        """
        return int(self._values(np.array([self._network.place(borrower)], np.int32))[0])

    def values(self, borrowers: Iterable[Hashable] | Ints | None = None) -> Ints:
        """The limits of many borrowers, each as if nobody else borrowed.

        Parameters
        ----------
        borrowers : iterable of Hashable, or numpy.ndarray of int64, optional
            Default: everybody, in the order of their places.

        Returns
        -------
        numpy.ndarray of int64
            Minor units.

        Raises
        ------
        UnknownNode
            Names the first one that the network does not hold.
        """
        if borrowers is None:
            return self._values(np.arange(self._network.n, dtype=np.int32))
        return self._values(self._network.places(borrowers))

    def cut(self, *borrowers: Hashable) -> Cut:
        """The minimum cut nearest to a borrower, or to a group that borrows together.

        Parameters
        ----------
        *borrowers : Hashable
            One or more members; the limit of several is what they can owe at the same time.

        Returns
        -------
        Cut

        Raises
        ------
        UnknownNode, BadParameter
            The network does not hold one of them; none is named.

        Examples
        --------
        >>> from graph.arrays import from_edges
        >>> finder = CutFinder(from_edges([("u", "a", 5), ("u", "b", 7)], {"u": 9}))
        >>> finder.value("a"), finder.value("b"), finder.cut("a", "b").value
        (5, 7, 9)
        """
        return self._proved(borrowers, flow=False)[0]

    def cut_and_flow(self, *borrowers: Hashable) -> tuple[Cut, Flow]:
        """`cut`, and a cover that is worth as much: each proves the other.

        Where several covers reach the limit it is one of them.

        Raises
        ------
        UnknownNode, BadParameter
            As for `cut`.

        Examples
        --------
        >>> from graph.arrays import from_edges
        >>> CutFinder(from_edges([("u", "a", 5)], {"u": 9})).cut_and_flow("a")[1]
        Flow(vouches={('u', 'a'): 5}, drawn={'u': 5})
        """
        return self._proved(borrowers, flow=True)

    def _values(self, places: Places) -> Ints:
        from graph.kernels import cuts

        found = np.empty(places.size, np.int64)
        rows, labels, done = self._network.in_rows(), self._labels(), 0
        with self._base.scratch(labels) as scratch:
            while done < places.size:
                done, short = cuts.push_each(rows, places, done, found, labels, *scratch.arrays())
                if short:
                    cuts.undo(labels, *scratch.written())
                    scratch.lengthen(short)
        return found

    def _proved(self, borrowers: tuple[Hashable, ...], *, flow: bool) -> tuple[Cut, Flow]:
        from graph.kernels import cuts, touched
        from graph.kernels.rows import standings_of

        if not borrowers:
            raise BadParameter("a cut needs at least one borrower")
        network = self._network
        sinks = np.unique(network.places(borrowers))
        rows, labels = network.in_rows(), self._labels()
        vouches: dict[Pair, int] = {}
        drawn: dict[Hashable, int] = {}
        with self._base.scratch(labels) as s:
            while True:
                value = side = cuts.push(rows, sinks, labels.top, *s.arrays())
                if value >= 0:
                    side = touched.near(
                        rows, sinks, s.slot, s.nodes, s.carried, s.entries, s.path, s.fill
                    )
                if side >= 0:
                    break
                cuts.undo(labels, *s.written())
                s.lengthen(side)
            members, tails, heads, rooms = touched.border(rows, s.slot, s.nodes, s.path, side)
            if flow:
                used_by, used_for, used, who, amount = touched.flows(
                    rows, s.nodes, s.carried, s.fill
                )
                vouches = _by_pair(network, used_by, used_for, used)
                drawn = dict(zip(network.ids_of(who), amount.tolist(), strict=True))
            cuts.undo(labels, *s.written())
        near = network.ids_of(members)
        held = zip(near, standings_of(rows, members).tolist(), strict=True)
        standings = {member: standing for member, standing in held if standing}
        cut = Cut(value, frozenset(near), _by_pair(network, tails, heads, rooms), standings)
        return cut, Flow(vouches, drawn)

    def _labels(self) -> Labels:
        from graph.kernels.cuts import Labels

        lower = self._lowered
        places = np.fromiter(lower, np.int32, len(lower))
        labels = np.fromiter(lower.values(), np.int32, len(lower))
        top = max(self._base.top, int(labels.max())) if lower else self._base.top
        return Labels(self._base.label, places, labels, top)

    def _lower(self, rooms: Mapping[Pair, int], standings: Mapping[Hashable, int]) -> None:
        """Lower the labels of those whom a change brings nearer to a standing.

        What takes room or standing away needs nothing: labels may be too small, never too large.
        """
        place, label, lower = self._network.place, self._base.label, self._lowered
        queue: list[tuple[int, int]] = []

        def offer(at: int, new: int) -> None:
            if new < lower.get(at, int(label[at])):
                lower[at] = new
                heappush(queue, (new, at))

        for member, standing in standings.items():
            if standing:
                offer(place(member), 1)
        for (tail, head), room in rooms.items():
            if room:
                at = place(tail)
                offer(place(head), lower.get(at, int(label[at])) + 1)
        if not queue:
            return
        later: dict[int, list[int]] = {}
        for (tail, head), room in self._network.rooms.items():
            if room:
                later.setdefault(place(tail), []).append(place(head))
        base = self._network.base
        while queue:
            steps, at = heappop(queue)
            if steps > lower[at]:
                continue
            for head in later.get(at, ()):
                offer(head, steps + 1)
            if at < base.n:
                row = slice(int(base.out_start[at]), int(base.out_start[at + 1]))
                for head in base.out_head[row][base.out_room[row] > 0].tolist():
                    offer(head, steps + 1)


class _Base:
    """The potential of a network, and arrays for searches that are used again and again."""

    def __init__(self, network: ArrayNetwork) -> None:
        from graph.kernels import cuts

        label, self.top = cuts.potential(
            network.standing, network.out_start, network.out_head, network.out_room
        )
        self._fit(label, network.n + _SPARE)

    def _fit(self, label: Places, size: int) -> None:
        from graph.kernels import cuts

        self.size = size
        self.label = np.full(size, cuts.DEAD, np.int32)
        self.label[: label.size] = label[:size]
        self._free: list[_Scratch] = []

    def longer(self, size: int) -> _Base:
        """The same for a network with more members."""
        made = _Base.__new__(_Base)
        made.top = self.top
        made._fit(self.label, size + _SPARE)
        return made

    @contextmanager
    def scratch(self, labels: Labels) -> Iterator[_Scratch]:
        # What fails in between is not put back: the next query makes its own.
        try:
            scratch = self._free.pop()
        except IndexError:
            scratch = _Scratch(self.label)
        scratch.label[labels.places] = labels.lower
        yield scratch
        scratch.label[labels.places] = labels.below[labels.places]
        self._free.append(scratch)


class _Scratch:
    """What a search writes to; see `graph.kernels.touched`."""

    def __init__(self, label: Places) -> None:
        from graph.kernels import touched

        self.label = label.copy()
        self.slot = np.full(label.size, touched.UNTOUCHED, np.int32)
        self.fill = np.zeros(4, np.int64)
        self._make_nodes(256)
        self._make_cells(4096)
        self._make_entries(1024)

    def _make_nodes(self, size: int) -> None:
        from graph.kernels import touched

        self.nodes = np.empty((size, touched.COLUMNS), np.int64)
        self.path = np.empty((size + 1, 3), np.int64)
        self.count = np.zeros(size + 2, np.int32)

    def _make_cells(self, size: int) -> None:
        self.carried = np.empty(size, np.int64)
        self.listed = np.empty(size, np.uint8)

    def _make_entries(self, size: int) -> None:
        self.entries = np.empty((size, 3), np.int32)

    def lengthen(self, short: int) -> None:
        """Double what a kernel found too short."""
        from graph.kernels import touched

        if short == touched.SHORT_NODES:
            self._make_nodes(2 * len(self.nodes))
        elif short == touched.SHORT_CELLS:
            self._make_cells(2 * self.carried.size)
        else:
            self._make_entries(2 * len(self.entries))

    def written(self) -> tuple[Places, Places, Ints, Places, Ints]:
        return self.label, self.slot, self.nodes, self.count, self.fill

    def arrays(
        self,
    ) -> tuple[Places, Places, Ints, Ints, NDArray[np.uint8], Places, Ints, Places, Ints]:
        return (
            self.label,
            self.slot,
            self.nodes,
            self.carried,
            self.listed,
            self.entries,
            self.path,
            self.count,
            self.fill,
        )


def _by_pair(network: Overlay, tails: Places, heads: Places, amounts: Ints) -> dict[Pair, int]:
    pairs = zip(network.ids_of(tails), network.ids_of(heads), strict=True)
    return dict(zip(pairs, amounts.tolist(), strict=True))
