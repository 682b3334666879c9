"""What holds a network together, seen without directions, over its rows both ways.

The undirected network is never written out: a place is walked along its row by voucher and then
its row by borrower, and a pair that vouches both ways is met twice.
"""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Flags = NDArray[np.bool_]


@compiled
def cores(out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int) -> Places:
    """The core number of each place."""
    stamp = np.full(n, -1, np.int32)
    again = np.zeros(in_tail.size, np.bool_)
    degree = np.empty(n, np.int32)
    for v in range(n):
        for e in range(out_start[v], out_start[v + 1]):
            stamp[out_head[e]] = v
        met = out_start[v + 1] - out_start[v]
        for e in range(in_start[v], in_start[v + 1]):
            twice = stamp[in_tail[e]] == v
            again[e] = twice
            met += not twice
        degree[v] = met
    left = np.arange(n).astype(np.int32)
    queue = np.empty(n, np.int32)
    core = np.full(n, -1, np.int32)
    k = 0
    size = n
    while size:
        # Only who is still there is looked through, so that all rounds together cost O(m).
        kept, written = 0, 0
        least = np.int64(out_head.size) * 2 + 1
        for i in range(size):
            v = left[i]
            if core[v] >= 0:
                continue
            if degree[v] <= k:
                core[v] = k
                queue[written] = v
                written += 1
            else:
                left[kept] = v
                kept += 1
                if degree[v] < least:
                    least = degree[v]
        size = kept
        if written == 0:
            k = int(least)
            continue
        read = 0
        while read < written:
            v = queue[read]
            read += 1
            for e in range(out_start[v], out_start[v + 1]):
                w = out_head[e]
                d = degree[w] - 1
                degree[w] = d
                if d == k:
                    core[w] = k
                    queue[written] = w
                    written += 1
            for e in range(in_start[v], in_start[v + 1]):
                if again[e]:
                    continue
                w = in_tail[e]
                d = degree[w] - 1
                degree[w] = d
                if d == k:
                    core[w] = k
                    queue[written] = w
                    written += 1
        k += 1
    return core


@compiled
def weak_points(
    out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int
) -> tuple[Flags, Places, Places]:
    """Which places are articulation points; and both ends of each bridge, in no order."""
    later = out_head.size + 1
    number = np.zeros(n, np.int32)
    low_of = np.empty(n, np.int32)
    stack = np.empty(n, np.int32)
    # Edges by voucher and the end of their rows are 0 … m, those by borrower from m + 1 on.
    paused = np.empty(n, np.int64)
    cut = np.zeros(n, np.bool_)
    near = np.empty(n, np.int32)
    far = np.empty(n, np.int32)
    bridges, order = 0, 0
    for first in range(n):
        if number[first] != 0:
            continue
        v, parent, depth, branches = first, -1, 0, 0
        order += 1
        own = low = order
        number[v] = own
        edge = out_start[v]
        while True:
            fresh = -1
            if edge < later:
                end = out_start[v + 1]
                while edge < end:
                    w = out_head[edge]
                    edge += 1
                    seen = number[w]
                    if seen == 0:
                        fresh = w
                        break
                    if seen < low and w != parent:
                        low = seen
                if fresh < 0:
                    edge = later + in_start[v]
            if fresh < 0:
                at, end = edge - later, in_start[v + 1]
                while at < end:
                    w = in_tail[at]
                    at += 1
                    seen = number[w]
                    if seen == 0:
                        fresh = w
                        break
                    if seen < low and w != parent:
                        low = seen
                edge = later + at
            if fresh >= 0:
                low_of[v] = low
                stack[depth] = v
                paused[depth] = edge
                depth += 1
                parent = v
                v = fresh
                order += 1
                own = low = order
                number[v] = own
                edge = out_start[v]
                continue
            if depth == 0:
                cut[v] = branches > 1
                break
            child, reached = v, low
            child_own = own
            depth -= 1
            v = stack[depth]
            edge = paused[depth]
            own = number[v]
            low = low_of[v]
            if reached == child_own:
                near[bridges] = v
                far[bridges] = child
                bridges += 1
            if depth == 0:
                parent = -1
                branches += 1
            else:
                parent = stack[depth - 1]
                if reached >= own:
                    cut[v] = True
            if reached < low:
                low = reached
    return cut, near[:bridges].copy(), far[:bridges].copy()


@compiled
def settled(
    start: Ints,
    other: Places,
    weight: Ints,
    size: Ints,
    cluster: Places,
    most: int,
    rounds: int,
    chance: bool,
) -> Places:
    """Clusters after nodes, in order, moved to the cluster they are tied to most.

    Ties are written both ways. A node stays where nothing is better and moves only where there is
    room; of equals the cluster with the lowest number takes it. With `chance`, what two would be
    tied by their numbers of ties alone is taken off, so that hubs do not draw everybody.
    """
    n = size.size
    now = cluster.copy()
    load = np.zeros(n, np.int64)
    degree = np.zeros(n, np.int64)
    drawn = np.zeros(n, np.int64)
    total = np.int64(0)
    for v in range(n):
        load[now[v]] += size[v]
        for e in range(start[v], start[v + 1]):
            degree[v] += weight[e]
        total += degree[v]
        drawn[now[v]] += degree[v]
    tied = np.zeros(n, np.int64)
    # Scores are whole numbers: ties times `scale`, less what chance would give times the same.
    scale = total if chance else np.int64(1)
    for _ in range(rounds):
        moved = False
        for v in range(n):
            for e in range(start[v], start[v + 1]):
                if other[e] != v:
                    tied[now[other[e]]] += weight[e]
            own = now[v]
            mine = degree[v] if chance else np.int64(0)
            best = own
            most_tied = scale * tied[own] - mine * (drawn[own] - degree[v])
            for e in range(start[v], start[v + 1]):
                c = now[other[e]]
                if c == own or load[c] + size[v] > most:
                    continue
                score = scale * tied[c] - mine * drawn[c]
                if score > most_tied or (score == most_tied and best != own and c < best):
                    best = c
                    most_tied = score
            for e in range(start[v], start[v + 1]):
                tied[now[other[e]]] = 0
            if best != own:
                load[own] -= size[v]
                load[best] += size[v]
                drawn[own] -= degree[v]
                drawn[best] += degree[v]
                now[v] = best
                moved = True
        if not moved:
            break
    return now
