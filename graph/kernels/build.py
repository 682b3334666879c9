"""Sorting edges into rows, both ways."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]

# From this length on a row is sorted by halves, not by insertion.
LONG_ROW = 40


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
def out_rows(tails: Places, heads: Places, rooms: Ints, n: int) -> tuple[Ints, Places, Ints]:
    """Rows by tail: heads ascending, parallel edges added up.

    A sum beyond 64 bits gives a negative room.
    """
    start = starts_of(tails, n)
    m = tails.size
    place = start[:n].copy()
    head = np.empty(m, np.int32)
    room = np.empty(m, np.int64)
    for e in range(m):
        to = place[tails[e]]
        place[tails[e]] = to + 1
        head[to] = heads[e]
        room[to] = rooms[e]
    # Rows are short: sorting each where it lies is cheaper than a second pass over all edges.
    write = 0
    for t in range(n):
        begin, end = start[t], place[t]
        _sort_row(head, room, begin, end)
        start[t] = write
        for e in range(begin, end):
            if write > start[t] and head[write - 1] == head[e]:
                total = room[write - 1] + room[e]
                room[write - 1] = total if room[write - 1] >= 0 and total >= 0 else -1
            else:
                head[write] = head[e]
                room[write] = room[e]
                write += 1
    start[n] = write
    if write == m:
        return start, head, room
    return start, head[:write].copy(), room[:write].copy()


@compiled
def _sort_row(head: Places, room: Ints, begin: int, end: int) -> None:
    if end - begin > LONG_ROW:
        order = np.argsort(head[begin:end])
        head[begin:end] = head[begin:end][order]
        room[begin:end] = room[begin:end][order]
        return
    for e in range(begin + 1, end):
        h, r = head[e], room[e]
        at = e
        while at > begin and head[at - 1] > h:
            head[at] = head[at - 1]
            room[at] = room[at - 1]
            at -= 1
        head[at] = h
        room[at] = r


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
