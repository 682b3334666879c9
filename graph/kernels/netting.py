"""Largest circulation by shortest paths in phases, and circulations taken apart into cycles."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def cheapest_payments(
    out_start: Ints,
    out_head: Places,
    debt: Ints,
    in_start: Ints,
    in_tail: Places,
    in_edge: Places,
) -> tuple[Ints, Ints]:
    """Least payments that give everybody the same net position, and the price of each place.

    Primal-dual: payments always move along shortest residual paths, one
    unit of cost for each edge; prices, >= 0, keep ``1 + price[tail] - price[head]`` >= 0 on
    whatever can still be paid and <= 0 on whatever was.
    """
    n = out_start.size - 1
    m = out_head.size
    paid = np.zeros(m, np.int64)
    price = np.zeros(n, np.int64)
    excess = np.zeros(n, np.int64)
    for t in range(n):
        for e in range(out_start[t], out_start[t + 1]):
            excess[t] += debt[e]
            excess[out_head[e]] -= debt[e]
    left = 0
    for v in range(n):
        left += max(excess[v], 0)
    # Whoever still has too much has price 0, so no distance exceeds the length of a path.
    first = np.full(n + 1, -1, np.int64)
    following = np.empty(2 * m + n, np.int64)
    entry = np.empty(2 * m + n, np.int32)
    distance = np.empty(n, np.int64)
    level = np.empty(n, np.int32)
    queue = np.empty(n, np.int32)
    out_at = np.empty(n, np.int64)
    in_at = np.empty(n, np.int64)
    path = np.empty(n, np.int32)
    arc = np.empty(n, np.int64)
    while left > 0:
        _raise_prices(
            out_start, out_head, debt, in_start, in_tail, in_edge,
            paid, price, excess, first, following, entry, distance,
        )  # fmt: skip
        while True:
            sent = _push_level(
                out_start, out_head, debt, in_start, in_tail, in_edge,
                paid, price, excess, level, queue, out_at, in_at, path, arc,
            )  # fmt: skip
            left -= sent
            if sent == 0:
                break
    return paid, price


@compiled
def _raise_prices(
    out_start: Ints,
    out_head: Places,
    debt: Ints,
    in_start: Ints,
    in_tail: Places,
    in_edge: Places,
    paid: Ints,
    price: Ints,
    excess: Ints,
    first: Ints,
    following: Ints,
    entry: Places,
    distance: Ints,
) -> None:
    """Dijkstra by buckets from all who have too much, as far as the nearest who has too little."""
    n = price.size
    far = np.int64(2**62)
    used = 0
    for v in range(n):
        distance[v] = far
        if excess[v] > 0:
            distance[v] = 0
            entry[used] = v
            following[used] = first[0]
            first[0] = used
            used += 1
    reached = np.int64(0)
    top = np.int64(0)
    found = False
    while not found:
        while first[reached] < 0:
            reached += 1
        while first[reached] >= 0:
            at = first[reached]
            first[reached] = following[at]
            u = entry[at]
            if distance[u] != reached:
                continue
            if excess[u] < 0:
                found = True
            for e in range(out_start[u], out_start[u + 1]):
                v = out_head[e]
                d = reached + 1 + price[u] - price[v]
                # What is paid comes last in every test: it is the one that lies far off.
                if d < distance[v] and paid[e] < debt[e]:
                    distance[v] = d
                    entry[used] = v
                    following[used] = first[d]
                    first[d] = used
                    top = max(top, d)
                    used += 1
            for i in range(in_start[u], in_start[u + 1]):
                v = in_tail[i]
                d = reached - 1 + price[u] - price[v]
                if d < distance[v] and paid[in_edge[i]] > 0:
                    distance[v] = d
                    entry[used] = v
                    following[used] = first[d]
                    first[d] = used
                    top = max(top, d)
                    used += 1
    for d in range(reached, top + 1):
        first[d] = -1
    for v in range(n):
        price[v] += min(distance[v], reached)


@compiled
def _push_level(
    out_start: Ints,
    out_head: Places,
    debt: Ints,
    in_start: Ints,
    in_tail: Places,
    in_edge: Places,
    paid: Ints,
    price: Ints,
    excess: Ints,
    level: Places,
    queue: Places,
    out_at: Ints,
    in_at: Ints,
    path: Places,
    arc: Ints,
) -> int:
    """A blocking flow over the shortest of the tight paths; what it carried."""
    n = price.size
    begin = 0
    end = 0
    for v in range(n):
        level[v] = -1
        out_at[v] = out_start[v]
        in_at[v] = in_start[v]
        if excess[v] > 0:
            level[v] = 0
            queue[end] = v
            end += 1
    sources = end
    last = n
    while begin < end:
        u = queue[begin]
        begin += 1
        if level[u] >= last:
            break
        if excess[u] < 0:
            last = level[u]
        for e in range(out_start[u], out_start[u + 1]):
            v = out_head[e]
            if 1 + price[u] == price[v] and level[v] < 0 and paid[e] < debt[e]:
                level[v] = level[u] + 1
                queue[end] = v
                end += 1
        for i in range(in_start[u], in_start[u + 1]):
            v = in_tail[i]
            if price[u] == 1 + price[v] and level[v] < 0 and paid[in_edge[i]] > 0:
                level[v] = level[u] + 1
                queue[end] = v
                end += 1
    if last == n:
        return 0
    total = 0
    for k in range(sources):
        source = queue[k]
        depth = 0
        path[0] = source
        while excess[source] > 0:
            u = path[depth]
            if excess[u] < 0:
                amount = min(excess[source], -excess[u])
                for i in range(depth):
                    e = arc[i]
                    amount = min(amount, debt[e] - paid[e] if e >= 0 else paid[-1 - e])
                for i in range(depth):
                    e = arc[i]
                    if e >= 0:
                        paid[e] += amount
                    else:
                        paid[-1 - e] -= amount
                excess[source] -= amount
                excess[u] += amount
                total += amount
                # Back to the first edge that is used up.
                for i in range(depth):
                    e = arc[i]
                    if (e >= 0 and paid[e] == debt[e]) or (e < 0 and paid[-1 - e] == 0):
                        depth = i
                        break
                continue
            moved = False
            if level[u] < last:
                while out_at[u] < out_start[u + 1]:
                    e = out_at[u]
                    v = out_head[e]
                    if level[v] == level[u] + 1 and 1 + price[u] == price[v] and paid[e] < debt[e]:
                        moved = True
                        arc[depth] = e
                        break
                    out_at[u] += 1
                while not moved and in_at[u] < in_start[u + 1]:
                    e = in_edge[in_at[u]]
                    v = in_tail[in_at[u]]
                    if level[v] == level[u] + 1 and price[u] == 1 + price[v] and paid[e] > 0:
                        moved = True
                        arc[depth] = -1 - e
                        break
                    in_at[u] += 1
            if moved:
                depth += 1
                path[depth] = v
            else:
                level[u] = -1
                if depth == 0:
                    break
                depth -= 1
    return total


@compiled
def order_of_parts(out_start: Ints, out_head: Places, part: Places, parts: int) -> Ints:
    """Numbers for the parts of a network such that edges between two of them lead upwards.

    The parts are its strongly connected components, in any numbering.
    """
    n = part.size
    first = np.full(parts, -1, np.int32)
    following = np.empty(n, np.int32)
    waits = np.zeros(parts, np.int64)
    for v in range(n):
        following[v] = first[part[v]]
        first[part[v]] = v
        for e in range(out_start[v], out_start[v + 1]):
            if part[out_head[e]] != part[v]:
                waits[part[out_head[e]]] += 1
    queue = np.empty(parts, np.int64)
    end = 0
    for c in range(parts):
        if waits[c] == 0:
            queue[end] = c
            end += 1
    number = np.zeros(parts, np.int64)
    for begin in range(parts):
        c = queue[begin]
        number[c] = begin
        v = first[c]
        while v >= 0:
            for e in range(out_start[v], out_start[v + 1]):
                other = part[out_head[e]]
                if other != c:
                    waits[other] -= 1
                    if waits[other] == 0:
                        queue[end] = other
                        end += 1
            v = following[v]
    return number


@compiled
def cycles_by_length(
    out_start: Ints, out_head: Places, flow: Ints, longest: int
) -> tuple[Ints, Places, Ints]:
    """Take cycles out of a flow, the shortest first, until none of at most `longest` is left.

    `flow` is changed: what stays in it is what no such cycle carries. The second result holds the
    places of all cycles one behind the other, the first where each begins, the third its amount.
    """
    n = out_start.size - 1
    starts = [np.int64(0)]
    places = [np.int32(0) for _ in range(0)]
    amounts = [np.int64(0) for _ in range(0)]
    seen = np.full(n, -1, np.int64)
    depth = np.zeros(n, np.int32)
    by = np.zeros(n, np.int64)
    back = np.zeros(n, np.int32)
    queue = np.empty(n, np.int32)
    stamp = 0
    left = np.int64(0)
    for e in range(flow.size):
        left += flow[e]
    length = 2
    while length <= longest:
        for s in range(n):
            while True:
                stamp += 1
                seen[s] = stamp
                depth[s] = 0
                queue[0] = s
                begin = 0
                end = 1
                closing = -1
                while begin < end and closing < 0:
                    u = queue[begin]
                    begin += 1
                    if depth[u] >= length:
                        break
                    for e in range(out_start[u], out_start[u + 1]):
                        if flow[e] == 0:
                            continue
                        v = out_head[e]
                        if v == s:
                            closing = e
                            back[s] = u
                            break
                        # A cycle is found from its lowest place.
                        if v > s and seen[v] != stamp:
                            seen[v] = stamp
                            depth[v] = depth[u] + 1
                            by[v] = e
                            back[v] = u
                            queue[end] = v
                            end += 1
                if closing < 0:
                    break
                last = back[s]
                size = depth[last] + 1
                amount = flow[closing]
                v = last
                while v != s:
                    amount = min(amount, flow[by[v]])
                    v = back[v]
                flow[closing] -= amount
                left -= amount * size
                base = len(places)
                for _ in range(size):
                    places.append(np.int32(s))
                v = last
                for i in range(size - 1, 0, -1):
                    places[base + i] = v
                    flow[by[v]] -= amount
                    v = back[v]
                starts.append(np.int64(len(places)))
                amounts.append(amount)
        if left == 0:
            break
        # One longer at a time while cycles are short enough to be read.
        length += max(1, length // 8) if length + length // 8 <= longest else 1
    return np.array(starts), np.array(places), np.array(amounts)
