"""Limits for at most two vouches: standings -> direct vouchers -> borrower.

What a direct voucher's promise can carry is filled from their own standing first, then from those
who vouch for them. Only where a standing that two of them wanted ran out does the order matter, and
only then is the whole transport problem laid out and completed by exchanges (Dinic's method).
"""

import numpy as np
from numpy.typing import NDArray

from graph.arrays import Rows
from graph.kernels import compiled
from graph.kernels.rows import room_of, row_of, standing_of, tail_of

Ints = NDArray[np.int64]
Places = NDArray[np.int32]

NEVER_FULL = 2**62


@compiled
def limits(rows: Rows, borrowers: Places, circle: int) -> Ints:
    """The limit of each borrower as if nobody else borrowed; `circle` is 0, 1 or 2."""
    found = np.empty(borrowers.size, np.int64)
    # A table from members to what is left of their standings; a slot counts for one borrower only.
    key = np.empty(0, np.int32)
    left = np.empty(0, np.int64)
    stamp = np.empty(0, np.int32)
    for i in range(borrowers.size):
        b = borrowers[i]
        total = standing_of(rows, b)
        if circle == 0:
            found[i] = total
            continue
        begin, direct = row_of(rows, b)
        need = np.empty(direct, np.int64)
        possible = direct
        for k in range(direct):
            u, room = tail_of(rows, begin + k), room_of(rows, begin + k)
            part = min(standing_of(rows, u), room)
            total += part
            need[k] = room - part
            if circle == 2 and need[k]:
                possible += row_of(rows, u)[1]
        if circle == 1 or possible == direct:
            found[i] = total
            continue
        size = 16
        while size < 2 * possible:
            size *= 2
        if size > key.size:
            key = np.empty(size, np.int32)
            left = np.empty(size, np.int64)
            stamp = np.full(size, -1, np.int32)
        mask = size - 1
        for k in range(direct):
            u, room = tail_of(rows, begin + k), room_of(rows, begin + k)
            if room:
                at = slot_of(key, stamp, mask, i, u)
                key[at], stamp[at] = u, i
                left[at] = standing_of(rows, u) - (room - need[k])
        contested = False
        for k in range(direct):
            missing = need[k]
            if not missing:
                continue
            first, length = row_of(rows, tail_of(rows, begin + k))
            outbid = False
            for e in range(first, first + length):
                w = tail_of(rows, e)
                if w == b:
                    continue
                most = min(room_of(rows, e), standing_of(rows, w))
                if not most:
                    continue
                at = slot_of(key, stamp, mask, i, w)
                if stamp[at] != i:
                    key[at], stamp[at] = w, i
                    left[at] = standing_of(rows, w)
                part = min(missing, most, left[at])
                left[at] -= part
                missing -= part
                if not missing:
                    break
                if part < most:
                    outbid = True
            total += need[k] - missing
            contested |= missing > 0 and outbid
        # Whoever is short although all that can reach them has, stays short.
        found[i] = _with_exchanges(rows, b) if contested else total
    return found


@compiled
def slot_of(key: Places, stamp: Places, mask: int, turn: int, place: int) -> int:
    """Where a member is in the table, or would be: their own slot or the next free one."""
    at = ((place * 0x9E3779B1) >> 13) & mask
    while stamp[at] == turn and key[at] != place:
        at = (at + 1) & mask
    return at


@compiled
def _with_exchanges(rows: Rows, b: int) -> int:
    """The limit of one borrower for two vouches, everything laid out."""
    begin, direct = row_of(rows, b)
    most, wanted = direct, 0
    for k in range(direct):
        most += row_of(rows, tail_of(rows, begin + k))[1]
        wanted += room_of(rows, begin + k)
    size = 16
    while size < 2 * most:
        size *= 2
    key = np.empty(size, np.int32)
    stamp = np.full(size, -1, np.int32)
    number = np.empty(size, np.int32)
    left = np.empty(most, np.int64)
    giver = np.empty(most, np.int32)
    taker = np.empty(most, np.int32)
    room = np.empty(most, np.int64)
    start = np.zeros(direct + 1, np.int64)
    need = np.zeros(direct, np.int64)
    givers = 0
    count = 0
    for k in range(direct):
        start[k] = count
        need[k] = room_of(rows, begin + k)
        if not need[k]:
            continue
        u = tail_of(rows, begin + k)
        first, length = row_of(rows, u)
        # Whoever can be given all that is wanted together is served whatever the others take: what
        # is farther down the row does not matter.
        offered = 0
        for e in range(first - 1, first + length):
            if offered >= wanted:
                break
            # Before the row comes u's own standing, which serves their promise without a limit.
            w = u if e < first else tail_of(rows, e)
            limit = NEVER_FULL if e < first else room_of(rows, e)
            if w == b or not limit:
                continue
            at = slot_of(key, stamp, size - 1, 0, w)
            held = standing_of(rows, w)
            if not held:
                continue
            offered += min(limit, held)
            if stamp[at]:
                key[at], stamp[at], number[at] = w, 0, givers
                left[givers] = held
                givers += 1
            giver[count], taker[count], room[count] = number[at], k, limit
            count += 1
    start[direct] = count
    flow = np.zeros(count, np.int64)
    _fill(start, giver, room, flow, left, need)
    # The edges of each giver, to find whom else they serve.
    gives = np.zeros(givers + 1, np.int64)
    for e in range(count):
        gives[giver[e] + 1] += 1
    for w in range(givers):
        gives[w + 1] += gives[w]
    edge = np.empty(count, np.int32)
    place = gives[:givers].copy()
    for e in range(count):
        edge[place[giver[e]]] = e
        place[giver[e]] += 1
    while _exchange(start, giver, taker, room, flow, left, need, gives, edge):
        pass
    value = standing_of(rows, b)
    for k in range(direct):
        value += room_of(rows, begin + k) - need[k]
    return value


@compiled
def _fill(start: Ints, giver: Places, room: Ints, flow: Ints, left: Ints, need: Ints) -> None:
    """Give greedily, everybody to their own promise first."""
    for k in range(need.size):
        e = start[k]
        if e < start[k + 1] and room[e] == NEVER_FULL:
            flow[e] = min(need[k], left[giver[e]])
            left[giver[e]] -= flow[e]
            need[k] -= flow[e]
    for k in range(need.size):
        for e in range(start[k], start[k + 1]):
            if not need[k]:
                break
            part = min(need[k], room[e] - flow[e], left[giver[e]])
            flow[e] += part
            left[giver[e]] -= part
            need[k] -= part


@compiled
def _exchange(
    start: Ints,
    giver: Places,
    taker: Places,
    room: Ints,
    flow: Ints,
    left: Ints,
    need: Ints,
    gives: Ints,
    edge: Places,
) -> bool:
    """One phase of Dinic's method: all shortest chains of exchanges; False if there is none."""
    direct, givers = need.size, left.size
    rank = np.full(direct, -1, np.int32)
    giver_rank = np.full(givers, -1, np.int32)
    queue = np.empty(direct, np.int32)
    end = 0
    for k in range(direct):
        if need[k]:
            rank[k] = 0
            queue[end] = k
            end += 1
    goal = -1
    at = 0
    while at < end and (goal < 0 or rank[queue[at]] <= goal):
        k = queue[at]
        at += 1
        for e in range(start[k], start[k + 1]):
            w = giver[e]
            if giver_rank[w] >= 0 or flow[e] >= room[e]:
                continue
            giver_rank[w] = rank[k]
            if left[w]:
                goal = rank[k]
            elif goal < 0:
                for i in range(gives[w], gives[w + 1]):
                    v = taker[edge[i]]
                    if rank[v] < 0 and flow[edge[i]]:
                        rank[v] = rank[k] + 1
                        queue[end] = v
                        end += 1
    if goal < 0:
        return False
    next_of = start[:direct].copy()
    next_by = gives[:givers].copy()
    adds = np.empty(goal + 1, np.int32)
    drops = np.empty(goal + 1, np.int32)
    for root in range(direct):
        if rank[root]:
            continue
        # A chain: root takes from a giver, who drops a second taker, who takes from another …
        deep, k = 0, root
        while need[root]:
            while next_of[k] < start[k + 1]:
                e = next_of[k]
                if flow[e] < room[e] and giver_rank[giver[e]] == rank[k]:
                    break
                next_of[k] += 1
            if next_of[k] == start[k + 1]:
                if deep == 0:
                    break
                # Back to the giver before: they must drop somebody else.
                deep -= 1
                next_by[giver[adds[deep]]] += 1
                k = taker[adds[deep]]
            else:
                adds[deep] = next_of[k]
            w = giver[adds[deep]]
            if left[w]:
                part = min(need[root], left[w])
                for i in range(deep + 1):
                    part = min(part, room[adds[i]] - flow[adds[i]])
                    if i < deep:
                        part = min(part, flow[drops[i]])
                for i in range(deep + 1):
                    flow[adds[i]] += part
                    if i < deep:
                        flow[drops[i]] -= part
                left[w] -= part
                need[root] -= part
                deep, k = 0, root
                continue
            while next_by[w] < gives[w + 1]:
                e = edge[next_by[w]]
                if flow[e] and rank[taker[e]] == rank[k] + 1:
                    break
                next_by[w] += 1
            if next_by[w] == gives[w + 1] or deep == goal:
                next_of[k] += 1
            else:
                drops[deep] = edge[next_by[w]]
                deep += 1
                k = taker[drops[deep - 1]]
    return True
