"""Reading the incoming rows of a network with an overlay over it.

All functions take `graph.arrays.Rows`. A row is named by two numbers: its first edge and its
number of edges. An edge of the overlay is counted on from the last edge of the network below.
"""

import numpy as np
from numpy.typing import NDArray

from graph.arrays import Rows
from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def row_of(rows: Rows, place: int) -> tuple[int, int]:
    """First edge of a member's incoming row, and how many there are."""
    if rows.changed.size:
        at = np.searchsorted(rows.changed, place)
        if at < rows.changed.size and rows.changed[at] == place:
            begin = rows.changed_start[at]
            return rows.tail.size + begin, rows.changed_start[at + 1] - begin
    if place >= rows.start.size - 1:
        return 0, 0
    begin = rows.start[place]
    return begin, rows.start[place + 1] - begin


@compiled
def tail_of(rows: Rows, edge: int) -> int:
    """Who vouches on an edge."""
    if edge < rows.tail.size:
        return int(rows.tail[edge])
    return int(rows.changed_tail[edge - rows.tail.size])


@compiled
def room_of(rows: Rows, edge: int) -> int:
    """The room of an edge."""
    if edge < rows.tail.size:
        return int(rows.room[edge])
    return int(rows.changed_room[edge - rows.tail.size])


@compiled
def standing_of(rows: Rows, place: int) -> int:
    """A member's standing."""
    if rows.held.size:
        at = np.searchsorted(rows.held, place)
        if at < rows.held.size and rows.held[at] == place:
            return int(rows.held_standing[at])
    if place >= rows.standing.size:
        return 0
    return int(rows.standing[place])


@compiled
def standings_of(rows: Rows, places: Places) -> Ints:
    """The standings of several members."""
    found = np.empty(places.size, np.int64)
    for i in range(places.size):
        found[i] = standing_of(rows, places[i])
    return found
