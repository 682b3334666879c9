"""Components, mutual pairs and the longest chain, over rows by voucher and by borrower."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def strong(start: Ints, head: Places, n: int) -> tuple[Places, int]:
    """The strongly connected component of each place, and how many there are.

    Components are numbered so that an edge between two of them leads to the lower number.

    One number per place serves as order of discovery, as the lowest that it reaches, and as its
    component: finished components count down from n, and so never look lower than a live place.
    """
    mark = np.zeros(n, np.int32)
    # The way down grows from the left, places that wait for their component from the right.
    stack = np.empty(n, np.int32)
    waiting = n
    paused = np.empty(n, np.int64)
    number = np.empty(n, np.int32)
    order, component = 0, n
    for first in range(n):
        if mark[first] != 0:
            continue
        v, depth = first, 0
        order += 1
        own = low = order
        mark[v] = own
        edge, end = start[v], start[v + 1]
        while True:
            fresh = -1
            while edge < end:
                w = head[edge]
                edge += 1
                seen = mark[w]
                if seen == 0:
                    fresh = w
                    break
                if seen < low:
                    low = seen
            if fresh >= 0:
                mark[v] = low
                stack[depth] = v
                paused[depth] = edge
                number[depth] = own
                depth += 1
                v = fresh
                order += 1
                own = low = order
                mark[v] = own
                edge, end = start[v], start[v + 1]
                continue
            if low == own:
                order -= 1
                while waiting < n and mark[stack[waiting]] >= own:
                    mark[stack[waiting]] = component
                    waiting += 1
                    order -= 1
                mark[v] = component
                component -= 1
            else:
                mark[v] = low
                waiting -= 1
                stack[waiting] = v
            if depth == 0:
                break
            reached = low
            depth -= 1
            v = stack[depth]
            edge, end = paused[depth], start[v + 1]
            own = number[depth]
            low = mark[v]
            # A component of its own reached nothing below its number, which is above v's.
            if reached < low:
                low = reached
    for v in range(n):
        mark[v] = n - mark[v]
    return mark, n - component


@compiled
def weak(start: Ints, head: Places, n: int) -> tuple[Places, int]:
    """The weakly connected component of each place, numbered by lowest place; and how many.

    Each place points to a lower one of its component, or to itself if there is none.
    """
    up = np.arange(n).astype(np.int32)
    for v in range(n):
        top = up[v]
        while up[top] != top:
            top = up[top]
        for e in range(start[v], start[v + 1]):
            w = head[e]
            above = up[w]
            if above == top:
                continue
            while above != w:
                # On the way up, every place learns who is above the one above it.
                further = up[above]
                up[w] = further
                w = above
                above = further
            if w < top:
                up[top] = w
                top = w
            else:
                up[w] = top
    label = np.empty(n, np.int32)
    count = 0
    for v in range(n):
        if up[v] == v:
            label[v] = count
            count += 1
        else:
            label[v] = label[up[v]]
    return label, count


@compiled
def renumbered(label: Places, count: int) -> tuple[Places, Ints]:
    """Labels in the order of their lowest places, and how many places carry each."""
    now = np.full(count, -1, np.int32)
    size = np.zeros(count, np.int64)
    made = np.empty(label.size, np.int32)
    used = 0
    for v in range(label.size):
        old = label[v]
        if now[old] < 0:
            now[old] = used
            used += 1
        made[v] = now[old]
        size[now[old]] += 1
    return made, size


@compiled
def mutual(
    out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int
) -> tuple[Places, Places]:
    """Pairs that vouch for each other: the lower place, ascending, and the higher one."""
    stamp = np.full(n, -1, np.int32)
    low = np.empty(out_head.size // 2, np.int32)
    high = np.empty(out_head.size // 2, np.int32)
    found = 0
    for v in range(n):
        for e in range(out_start[v], out_start[v + 1]):
            stamp[out_head[e]] = v
        for e in range(in_start[v], in_start[v + 1]):
            w = in_tail[e]
            if w > v and stamp[w] == v:
                low[found] = v
                high[found] = w
                found += 1
    return low[:found].copy(), high[:found].copy()


@compiled
def chain(
    start: Ints, head: Places, component: Places, count: int, n: int
) -> tuple[Places, Places, Places]:
    """Longest chain of the condensation, from every component on.

    Per component, as `strong` numbers them: its number of edges, and the edge it starts with (tail
    and head, -1 at an end); the first place and the lowest head where several are as long.
    """
    begin = np.zeros(count + 1, np.int64)
    for v in range(n):
        begin[component[v] + 1] += 1
    for c in range(count):
        begin[c + 1] += begin[c]
    member = np.empty(n, np.int32)
    place = begin[:count].copy()
    for v in range(n):
        member[place[component[v]]] = v
        place[component[v]] += 1
    length = np.zeros(count, np.int32)
    tail = np.full(count, -1, np.int32)
    to = np.full(count, -1, np.int32)
    for c in range(count):
        for i in range(begin[c], begin[c + 1]):
            v = member[i]
            for e in range(start[v], start[v + 1]):
                d = component[head[e]]
                if d != c and length[d] + 1 > length[c]:
                    length[c] = length[d] + 1
                    tail[c] = v
                    to[c] = head[e]
    return length, tail, to
