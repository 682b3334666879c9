"""What changed since a network was built, laid over it: a snapshot stays, a handful of rows differ.

An overlay is as immutable as the network below it. It keeps the whole incoming row of every
borrower that a change touches, so a search that walks from a borrower to who vouches for them reads
each row in one place: the overlay's, if it has one, else the network's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from graph.arrays import (
    NO_AMOUNTS,
    NO_PLACES,
    ArrayNetwork,
    Ints,
    Places,
    Rows,
    as_arrays,
    replaced,
    room_of,
)
from graph.checks import id_key
from graph.errors import SelfLoop

if TYPE_CHECKING:
    from graph.network import Network

Pair = tuple[Hashable, Hashable]
Row = tuple[Places, Ints]
_Array = TypeVar("_Array", Places, Ints)


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
    _rows: dict[int, Row] = field(default_factory=dict)

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {id_: self.base.n + i for i, id_ in enumerate(self.added)}

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
        at = self._places.get(id_) if self.added else None
        return self.base.place(id_) if at is None else at

    def __contains__(self, id_: Hashable) -> bool:
        return id_ in self._places or id_ in self.base

    def room(self, tail: Hashable, head: Hashable) -> int:
        """The room from one member to another, 0 where there is no edge.

        Raises
        ------
        UnknownNode
            Neither the base nor a change names one of them.
        """
        tails, rooms = self.in_row(self.place(head))
        at = int(np.searchsorted(tails, self.place(tail)))
        return int(rooms[at]) if at < tails.size and tails[at] == self.place(tail) else 0

    def places(self, ids: Iterable[Hashable] | Ints) -> Places:
        """The places of several members, in their order."""
        if isinstance(ids, np.ndarray) and not self.added:
            return self.base.places(ids)
        listed = ids.tolist() if isinstance(ids, np.ndarray) else ids
        return np.fromiter((self.place(id_) for id_ in listed), np.int32)

    def id_of(self, place: int) -> Hashable:
        """The member at a place."""
        return self.base.id_of(place) if place < self.base.n else self.added[place - self.base.n]

    def ids_of(self, places: Iterable[int] | Places | Ints) -> list[Hashable]:
        """The members at several places, as plain Python values."""
        if not self.added:
            return self.base.ids_of(places)
        return [self.id_of(int(place)) for place in places]

    def in_row(self, place: int) -> Row:
        """Who vouches for the member at a place, ascending, and the room of each."""
        return self._rows.get(place) or _row(self.base, place)

    def in_rows(self) -> Rows:
        """All incoming rows, those of the base not copied.

        Returns
        -------
        Rows

        Notes
        -----
        O(changed rows and standings) when first asked for, nothing of the size of the network.
        """
        return self._in_rows

    @cached_property
    def _in_rows(self) -> Rows:
        rows = self.base.in_rows()
        if self._rows:
            order = sorted(self._rows)
            listed = [self._rows[place] for place in order]
            begin = np.zeros(len(order) + 1, np.int64)
            np.cumsum([tails.size for tails, _ in listed], out=begin[1:])
            rows = rows._replace(
                changed=_kept(np.array(order, np.int32)),
                changed_start=_kept(begin),
                changed_tail=_kept(np.concatenate([tails for tails, _ in listed])),
                changed_room=_kept(np.concatenate([rooms for _, rooms in listed])),
            )
        if self.standings:
            places = np.fromiter((self.place(member) for member in self.standings), np.int32)
            amounts = np.fromiter(self.standings.values(), np.int64)
            order_of = np.argsort(places)
            rows = rows._replace(
                held=_kept(places[order_of]), held_standing=_kept(amounts[order_of])
            )
        return rows

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
    fresh = sorted((id_ for id_ in named if id_ not in below), key=id_key)
    made = Overlay(
        base,
        {**below.rooms, **new_rooms},
        {**below.standings, **new_standings},
        (*below.added, *fresh),
        dict(below._rows),
    )
    by_head: dict[int, list[tuple[int, int]]] = {}
    for (tail, head), room in new_rooms.items():
        by_head.setdefault(made.place(head), []).append((made.place(tail), room))
    for at, changes in by_head.items():
        made._rows[at] = _changed(below.in_row(at), changes)
    return made


def overlaid_nothing(base: ArrayNetwork) -> Overlay:
    """An overlay without any change."""
    return Overlay(base, {}, {}, ())


def in_rows_of(network: ArrayNetwork | Overlay) -> Rows:
    """The incoming rows of either, as a kernel reads them."""
    return network.in_rows()


def _kept(array: _Array) -> _Array:
    array.flags.writeable = False
    return array


def _row(base: ArrayNetwork, place: int) -> Row:
    return base.in_row(place) if place < base.n else (NO_PLACES, NO_AMOUNTS)


def _changed(row: Row, changes: list[tuple[int, int]]) -> Row:
    """The row with other rooms for some tails."""
    tails, rooms = row
    new_tails, new_rooms = np.array(sorted(changes), np.int64).T
    at = np.searchsorted(tails, new_tails)
    there = np.zeros(at.size, bool)
    inside = at < tails.size
    there[inside] = tails[at[inside]] == new_tails[inside]
    now = rooms.copy()
    now[at[there]] = new_rooms[there]
    if there.all():
        return tails, now
    fresh = ~there
    return (
        np.insert(tails, at[fresh], new_tails[fresh]).astype(np.int32),
        np.insert(now, at[fresh], new_rooms[fresh]),
    )
