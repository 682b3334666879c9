"""Sorting edges into rows, both ways."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def starts_of(keys: Places, n: int) -> Ints:
    """Where each key's row begins when edges are sorted by key; the last entry is their number."""
    start = np.zeros(n + 1, np.int64)
    for key in keys:
        start[key + 1] += 1
    for i in range(n):
        start[i + 1] += start[i]
    return start


@compiled
def by_head(tails: Places, heads: Places, rooms: Ints, n: int) -> tuple[Places, Places, Ints]:
    """All edges in the order of their heads."""
    start = starts_of(heads, n)
    m = heads.size
    tail = np.empty(m, np.int32)
    head = np.empty(m, np.int32)
    room = np.empty(m, np.int64)
    for e in range(m):
        to = start[heads[e]]
        start[heads[e]] = to + 1
        tail[to] = tails[e]
        head[to] = heads[e]
        room[to] = rooms[e]
    return tail, head, room


@compiled
def out_rows(tails: Places, heads: Places, rooms: Ints, n: int) -> tuple[Ints, Places, Ints]:
    """Rows by tail of edges that come sorted by head: sorted, parallel edges added up.

    A sum beyond 64 bits gives a negative room.
    """
    start = starts_of(tails, n)
    m = tails.size
    place = start[:n].copy()
    head = np.empty(m, np.int32)
    room = np.empty(m, np.int64)
    doubled = False
    for e in range(m):
        t = tails[e]
        to = place[t]
        h = heads[e]
        if to > start[t] and head[to - 1] == h:
            total = room[to - 1] + rooms[e]
            room[to - 1] = total if room[to - 1] >= 0 and total >= 0 else -1
            doubled = True
        else:
            head[to] = h
            room[to] = rooms[e]
            place[t] = to + 1
    if not doubled:
        return start, head, room
    write = 0
    for t in range(n):
        begin = start[t]
        start[t] = write
        for e in range(begin, place[t]):
            head[write] = head[e]
            room[write] = room[e]
            write += 1
    start[n] = write
    return start, head[:write].copy(), room[:write].copy()


@compiled
def in_rows(
    out_start: Ints, out_head: Places, out_room: Ints, n: int
) -> tuple[Ints, Places, Ints, Places]:
    """The same edges by head, tails ascending, and the place of each in the rows by tail."""
    start = starts_of(out_head, n)
    m = out_head.size
    place = start[:n].copy()
    tail = np.empty(m, np.int32)
    room = np.empty(m, np.int64)
    edge = np.empty(m, np.int32)
    for t in range(n):
        for e in range(out_start[t], out_start[t + 1]):
            h = out_head[e]
            to = place[h]
            place[h] = to + 1
            tail[to] = t
            room[to] = out_room[e]
            edge[to] = e
    return start, tail, room, edge
