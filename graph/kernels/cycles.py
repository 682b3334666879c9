"""Triangles of every kind, and simple cycles up to a length, over rows both ways."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Marks = NDArray[np.uint8]

# How two places stand to each other, seen from the first: it vouches, is vouched for, or both.
GIVES, TAKES = 1, 2


@compiled
def _upward(
    out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int
) -> tuple[Ints, Places, Marks, Ints]:
    """Each pair once, in the row of the end with fewer edges; and per place its kinds of pairs.

    The last array holds, per place, how many others it only vouches for, is only vouched for by,
    and both: shape (n, 3).
    """
    # A place by how many edges it has, ties in order: a counting sort.
    top = np.int64(0)
    for v in range(n):
        top = max(top, out_start[v + 1] - out_start[v] + in_start[v + 1] - in_start[v])
    begin = np.zeros(top + 2, np.int64)
    for v in range(n):
        begin[out_start[v + 1] - out_start[v] + in_start[v + 1] - in_start[v] + 1] += 1
    for d in range(top + 1):
        begin[d + 1] += begin[d]
    rank = np.empty(n, np.int32)
    for v in range(n):
        d = out_start[v + 1] - out_start[v] + in_start[v + 1] - in_start[v]
        rank[v] = begin[d]
        begin[d] += 1
    stamp = np.zeros(n, np.int32)
    kinds = np.zeros((n, 3), np.int64)
    start = np.zeros(n + 1, np.int64)
    other = np.empty(out_head.size, np.int32)
    how = np.empty(out_head.size, np.uint8)
    written = np.int64(0)
    for v in range(n):
        start[v] = written
        own = rank[v]
        both = 0
        for e in range(in_start[v], in_start[v + 1]):
            stamp[in_tail[e]] = v + 1
        for e in range(out_start[v], out_start[v + 1]):
            w = out_head[e]
            kind = GIVES
            if stamp[w] == v + 1:
                stamp[w] = -(v + 1)
                kind = GIVES | TAKES
                both += 1
            if rank[w] > own:
                other[written] = w
                how[written] = kind
                written += 1
        for e in range(in_start[v], in_start[v + 1]):
            w = in_tail[e]
            if stamp[w] == v + 1 and rank[w] > own:
                other[written] = w
                how[written] = TAKES
                written += 1
        kinds[v, 0] = out_start[v + 1] - out_start[v] - both
        kinds[v, 1] = in_start[v + 1] - in_start[v] - both
        kinds[v, 2] = both
    start[n] = written
    return start, other, how, kinds


@compiled
def triangles(
    out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int
) -> tuple[Ints, Ints]:
    """Triples that are all connected, by how; and what kinds of pairs each place is in.

    Entry ``16 a + 4 b + c`` counts triples (u, v, w) where u stands to v as a, v to w as b, and u
    to w as c; each triple once.
    """
    start, other, how, kinds = _upward(out_start, out_head, in_start, in_tail, n)
    found = np.zeros(64, np.int64)
    mark = np.zeros(n, np.uint8)
    for u in range(n):
        begin, end = start[u], start[u + 1]
        if end - begin < 2:
            continue
        for e in range(begin, end):
            mark[other[e]] = how[e]
        for e in range(begin, end):
            v = other[e]
            first = np.int64(how[e]) << 4
            for f in range(start[v], start[v + 1]):
                c = mark[other[f]]
                if c:
                    found[first | np.int64(how[f]) << 2 | c] += 1
        for e in range(begin, end):
            mark[other[e]] = 0
    return found, kinds


@compiled
def simple_cycles(
    out_start: Ints,
    out_head: Places,
    in_start: Ints,
    in_tail: Places,
    component: Places,
    longest: int,
    most: int,
    steps: int,
) -> tuple[Ints, Places, Places, int, bool]:
    """Simple cycles of 2 … `longest` edges, each from its lowest place on.

    Gives how many there are of each length, the first `most` of them one after the other (their
    lengths, then their places), the edges looked at, and whether that was all.

    From each place, who leads back to it within half of the length is marked first; the way
    forward then only enters what can still close in time.
    """
    n = out_start.size - 1
    count = np.zeros(longest + 1, np.int64)
    listed = np.empty(most, np.int32)
    places = np.empty(64, np.int32)
    written, kept = 0, 0
    radius = max(1, longest // 2)
    back = np.zeros(n, np.int32)
    ball = np.empty(n, np.int32)
    on_path = np.zeros(n, np.bool_)
    path = np.empty(longest, np.int32)
    at = np.empty(longest, np.int64)
    used = 0
    for s in range(n):
        own = component[s]
        # Backwards, by breadth: through higher places of the same component.
        ball[0] = s
        read, size = 0, 1
        level, level_end = 1, 1
        while read < size and level <= radius:
            v = ball[read]
            read += 1
            used += in_start[v + 1] - in_start[v]
            for e in range(in_start[v], in_start[v + 1]):
                w = in_tail[e]
                if w > s and back[w] == 0 and component[w] == own:
                    back[w] = level
                    ball[size] = w
                    size += 1
            if read == level_end:
                level += 1
                level_end = size
        if used > steps:
            return count, listed[:kept].copy(), places[:written].copy(), used, False
        if size > 1:
            path[0] = s
            at[0] = out_start[s]
            depth = 0
            while depth >= 0:
                v = path[depth]
                edge, end = at[depth], out_start[v + 1]
                # `depth` edges lie behind v: the next place may be this far from the start.
                room = longest - depth - 1
                deeper = False
                begin = edge
                while edge < end:
                    w = out_head[edge]
                    edge += 1
                    if w <= s or on_path[w]:
                        continue
                    far = back[w]
                    if far == 0:
                        if room <= radius or component[w] != own:
                            continue
                    elif far > room:
                        continue
                    if far == 1:
                        length = depth + 2
                        count[length] += 1
                        if kept < most:
                            if written + length > places.size:
                                grown = np.empty(2 * places.size + length, np.int32)
                                grown[:written] = places[:written]
                                places = grown
                            for i in range(depth + 1):
                                places[written + i] = path[i]
                            places[written + length - 1] = w
                            written += length
                            listed[kept] = length
                            kept += 1
                    if room > 1:
                        at[depth] = edge
                        depth += 1
                        path[depth] = w
                        at[depth] = out_start[w]
                        on_path[w] = True
                        deeper = True
                        break
                used += edge - begin
                if not deeper:
                    on_path[v] = False
                    depth -= 1
                if used > steps:
                    return count, listed[:kept].copy(), places[:written].copy(), used, False
        for i in range(1, size):
            back[ball[i]] = 0
    return count, listed[:kept].copy(), places[:written].copy(), used, True
