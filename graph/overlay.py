"""What changed since a network was built, laid over it: a snapshot stays, a handful of rows differ.

An overlay is as immutable as the network below it. It keeps the whole incoming row of every
borrower that a change touches, so a search that walks from a borrower to who vouches for them reads
each row in one place: the overlay's, if it has one, else the network's.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, Ints, Places, as_arrays, replaced, room_of
from graph.checks import id_key
from graph.errors import SelfLoop, UnknownNode

if TYPE_CHECKING:
    from graph.network import Network

Pair = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class Rows:
    """The incoming rows of a network as a kernel reads them.

    Attributes
    ----------
    start, tail, room : numpy.ndarray
        ``in_start``, ``in_tail``, ``in_room`` of the network below; places from
        ``start.size - 1`` on have no row there.
    standing : numpy.ndarray of int64, shape (members,)
        With the changes.
    changed : numpy.ndarray of int32
        Places whose row is replaced, ascending.
    changed_start, changed_tail, changed_room : numpy.ndarray
        Their rows.
    """

    start: Ints
    tail: Places
    room: Ints
    standing: Ints
    changed: Places
    changed_start: Ints
    changed_tail: Places
    changed_room: Ints


@dataclass(frozen=True, eq=False, repr=False)
class Overlay:
    """A network with later rooms and standings. Made by `overlaid`.

    Attributes
    ----------
    base : ArrayNetwork
    rooms : dict of (voucher, borrower) to int
        The room that each changed pair has now; 0 where there is none any more.
    standings : dict of member to int
        The standing that each changed member has now.
    added : tuple of Hashable
        Members that the base does not hold; their places follow those of the base.
    """

    base: ArrayNetwork
    rooms: dict[Pair, int]
    standings: dict[Hashable, int]
    added: tuple[Hashable, ...]
    _rows: dict[int, dict[int, int]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of members."""
        return self.base.n + len(self.added)

    def __repr__(self) -> str:
        changed = f"{len(self.rooms)} rooms, {len(self.standings)} standings changed"
        return f"Overlay({self.base!r}, {changed})"

    def place(self, id_: Hashable) -> int:
        """The place of a member; those the base does not hold come after it.

        Raises
        ------
        UnknownNode
            Neither the base nor a change names this member.
        """
        try:
            return self.base.place(id_)
        except UnknownNode:
            if id_ not in self.added:
                raise
            return self.base.n + self.added.index(id_)

    def id_of(self, place: int) -> Hashable:
        """The member at a place."""
        return self.base.id_of(place) if place < self.base.n else self.added[place - self.base.n]

    def in_rows(self) -> Rows:
        """All incoming rows, those of the base not copied.

        Returns
        -------
        Rows

        Notes
        -----
        O(changed rows); standings are copied, O(n), only where one was changed or added.
        """
        changed = sorted(self._rows)
        sizes = [len(self._rows[place]) for place in changed]
        row_start = np.zeros(len(changed) + 1, np.int64)
        np.cumsum(sizes, out=row_start[1:])
        tails: list[int] = []
        rooms: list[int] = []
        for place in changed:
            for tail, room in sorted(self._rows[place].items()):
                tails.append(tail)
                rooms.append(room)
        standing = self.base.standing
        if self.standings or self.added:
            standing = np.concatenate([standing, np.zeros(len(self.added), np.int64)])
            for member, amount in self.standings.items():
                standing[self.place(member)] = amount
        return Rows(
            self.base.in_start,
            self.base.in_tail,
            self.base.in_room,
            standing,
            np.array(changed, np.int32),
            row_start,
            np.array(tails, np.int32),
            np.array(rooms, np.int64),
        )

    def merged(self) -> ArrayNetwork:
        """A network of its own with all changes in it.

        Returns
        -------
        ArrayNetwork
            A changed pair without room is no edge of it.

        Notes
        -----
        O(n + m).

        Examples
        --------
        >>> from graph.arrays import from_edges
        >>> below = from_edges([("a", "b", 3), ("b", "c", 1)])
        >>> merged = overlaid(below, {("a", "b"): 0, ("a", "d"): 7}).merged()
        >>> merged, merged.room("a", "d")
        (ArrayNetwork(4 members, 2 edges), 7)
        """
        return replaced(self.base, self.rooms, self.standings)


def overlaid(
    network: ArrayNetwork | Overlay | Network,
    rooms: Mapping[Pair, int] | None = None,
    standings: Mapping[Hashable, int] | None = None,
) -> Overlay:
    """Lay changes over a network, or further changes over an overlay.

    Parameters
    ----------
    network : ArrayNetwork, Overlay or networkx graph
        Not changed.
    rooms : mapping of (voucher, borrower) to int, optional
        The room that each pair has from now on, in minor units; 0 takes the promise away. A
        member that is not there yet is added.
    standings : mapping of member to int, optional
        The standing that each has from now on.

    Returns
    -------
    Overlay

    Raises
    ------
    BadCapacity, SelfLoop
        A room or standing is no whole number >= 0; a pair is one member.

    Notes
    -----
    O(changes so far + rows of the changed borrowers): nothing of the size of the network.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> what_if = overlaid(from_edges([("a", "b", 3)]), {("a", "b"): 10}, {"a": 5})
    >>> what_if
    Overlay(ArrayNetwork(2 members, 1 edges), 1 rooms, 1 standings changed)
    """
    below = network if isinstance(network, Overlay) else overlaid_nothing(as_arrays(network))
    new_rooms = {
        pair: room_of(value, f"room of {pair[0]!r} -> {pair[1]!r}")
        for pair, value in (rooms or {}).items()
    }
    new_standings = {
        member: room_of(value, f"standing of {member!r}")
        for member, value in (standings or {}).items()
    }
    base = below.base
    named: set[Hashable] = set(new_standings)
    for tail, head in new_rooms:
        if tail == head:
            raise SelfLoop(tail)
        named |= {tail, head}
    known = set(below.added)
    fresh = sorted((id_ for id_ in named if id_ not in known and not _holds(base, id_)), key=id_key)
    made = Overlay(
        base,
        {**below.rooms, **new_rooms},
        {**below.standings, **new_standings},
        (*below.added, *fresh),
        dict(below._rows),
    )
    own: set[int] = set()
    for (tail, head), room in new_rooms.items():
        at = made.place(head)
        if at not in own:
            own.add(at)
            made._rows[at] = dict(made._rows[at]) if at in made._rows else _row(base, at)
        made._rows[at][made.place(tail)] = room
    return made


def overlaid_nothing(base: ArrayNetwork) -> Overlay:
    """An overlay without any change."""
    return Overlay(base, {}, {}, ())


def in_rows_of(network: ArrayNetwork | Overlay) -> Rows:
    """The incoming rows of either, as a kernel reads them."""
    return (network if isinstance(network, Overlay) else overlaid_nothing(network)).in_rows()


def _row(base: ArrayNetwork, place: int) -> dict[int, int]:
    if place >= base.n:
        return {}
    row = slice(int(base.in_start[place]), int(base.in_start[place + 1]))
    return dict(zip(base.in_tail[row].tolist(), base.in_room[row].tolist(), strict=True))


def _holds(base: ArrayNetwork, id_: Hashable) -> bool:
    try:
        base.place(id_)
    except UnknownNode:
        return False
    return True
