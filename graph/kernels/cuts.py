"""Minimum cuts between all standings and one borrower or some, found near the borrower.

Shortest augmenting paths with labels (Ahuja & Orlin): the label of a member is never more than
their distance from the standings, one step for drawing on a standing and one per vouch. Labels
start from a potential that is computed once for a network, so a search walks straight to the
nearest standing; where it gets stuck the label is raised. A search runs from the borrower
backwards and touches only what it visits, and `undo` clears only what was touched. See
`graph.kernels.touched` for the arrays that it writes to; beside these there are `label`, for every
member, and `count`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.arrays import Rows
from graph.kernels import compiled
from graph.kernels.rows import room_of, standing_of, tail_of
from graph.kernels.touched import (
    AFTER,
    BORROWER,
    DRAWN,
    EDGE,
    FIRST,
    FLOW,
    LAST,
    LENGTH,
    LIST,
    NEXT,
    NEXT_OF_LIST,
    NODES,
    PLACE,
    RANK,
    SHORT_NODES,
    UNTOUCHED,
    draw,
    touch,
)

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Bytes = NDArray[np.uint8]

# No standing reaches this member.
DEAD = 2**30
# How often labels are raised, per member touched, before they are measured instead.
PATIENCE = 16


class Labels(NamedTuple):
    """A potential, with an overlay's lower labels over it.

    Attributes
    ----------
    below : numpy.ndarray of int32
        The potential of the network below.
    places, lower : numpy.ndarray of int32
        Who has a lower label, and which.
    top : int
        The largest label besides DEAD.
    """

    below: Places
    places: Places
    lower: Places
    top: int


@compiled
def potential(
    standing: Ints, out_start: Ints, out_head: Places, out_room: Ints
) -> tuple[Places, int]:
    """Per member 1 + vouches from the nearest standing, or DEAD; and the largest of them."""
    n = standing.size
    label = np.full(n, DEAD, np.int32)
    queue = np.empty(n, np.int32)
    end = 0
    for w in range(n):
        if standing[w]:
            label[w] = 1
            queue[end] = w
            end += 1
    at = 0
    top = 1
    while at < end:
        w = queue[at]
        at += 1
        for e in range(out_start[w], out_start[w + 1]):
            u = out_head[e]
            if label[u] == DEAD and out_room[e]:
                label[u] = label[w] + 1
                top = label[u]
                queue[end] = u
                end += 1
    return label, top


@compiled
def push(
    rows: Rows,
    borrowers: Places,
    top: int,
    label: Places,
    slot: Places,
    nodes: Ints,
    carried: Ints,
    listed: Bytes,
    entries: Places,
    path: Ints,
    count: Places,
    fill: Ints,
) -> int:
    """Push all that the standings can bring to the borrowers, and say how much it is.

    `label` holds the potential and is changed for members touched; `top` is the largest potential.
    """
    value = 0
    for b in borrowers:
        s = touch(rows, b, slot, nodes, fill)
        if s < 0:
            return SHORT_NODES
        own = standing_of(rows, b)
        value += own - nodes[s, DRAWN]
        nodes[s, DRAWN] = own
    # Members touched whose label is above `top`, by label; nobody untouched has such a label. Where
    # a label has no member any more, all above it are cut off from the standings.
    ceiling = DEAD - 1
    raised = 0
    for b in borrowers:
        root = slot[b]
        deep = 0
        x = root
        while label[b] <= ceiling and raised <= PATIENCE * fill[NODES]:
            y = nodes[x, PLACE]
            spare = standing_of(rows, y) - nodes[x, DRAWN]
            if spare > 0 and label[y] == 1:
                amount, deep = draw(rows, x, deep, nodes, carried, listed, entries, path, fill)
                if amount < 0:
                    return amount
                value += amount
                x = path[deep, 0]
                continue
            want = label[y] - 1
            # Someone who vouches for y, one step nearer to a standing, with room left …
            k = nodes[x, NEXT]
            length, first, flows = nodes[x, LENGTH], nodes[x, FIRST], nodes[x, FLOW]
            while k < length:
                w = tail_of(rows, first + k)
                if label[w] == want:
                    used = carried[flows + k] if flows >= 0 else 0
                    if room_of(rows, first + k) > used:
                        break
                k += 1
            nodes[x, NEXT] = k
            if k < length:
                s = touch(rows, tail_of(rows, first + k), slot, nodes, fill)
                if s < 0:
                    return SHORT_NODES
                path[deep, 0], path[deep, 1] = x, k
                deep += 1
                x = s
                continue
            # … or someone for whom y already covers something, which then comes from elsewhere.
            i = nodes[x, NEXT_OF_LIST]
            while i >= 0:
                s = entries[i, BORROWER]
                if label[nodes[s, PLACE]] == want and carried[nodes[s, FLOW] + entries[i, EDGE]]:
                    break
                i = entries[i, AFTER]
            nodes[x, NEXT_OF_LIST] = i
            if i >= 0:
                path[deep, 0], path[deep, 1] = x, -1 - i
                deep += 1
                x = entries[i, BORROWER]
                continue
            # Stuck: the label was too low.
            raised += 1
            old = label[y]
            now = DEAD
            for k in range(length):
                w = tail_of(rows, first + k)
                if label[w] + 1 < now:
                    used = carried[flows + k] if flows >= 0 else 0
                    if room_of(rows, first + k) > used:
                        now = label[w] + 1
            i = nodes[x, LIST]
            while i >= 0:
                s = entries[i, BORROWER]
                if label[nodes[s, PLACE]] + 1 < now and carried[nodes[s, FLOW] + entries[i, EDGE]]:
                    now = label[nodes[s, PLACE]] + 1
                i = entries[i, AFTER]
            if old > top:
                count[old - top] -= 1
                if count[old - top] == 0:
                    ceiling = min(ceiling, old)
            if now > ceiling:
                now = DEAD
            elif now > top:
                count[now - top] += 1
                fill[LAST] = max(fill[LAST], now - top)
            label[y] = now
            nodes[x, NEXT] = 0
            nodes[x, NEXT_OF_LIST] = nodes[x, LIST]
            if deep:
                deep -= 1
                x = path[deep, 0]
        if raised > PATIENCE * fill[NODES]:
            # Where distances are long, labels creep: better to measure them again and again.
            more = push_in_rounds(rows, b, slot, nodes, carried, listed, entries, path, fill)
            if more < 0:
                return more
            value += more
    return value


@compiled
def push_in_rounds(
    rows: Rows,
    b: int,
    slot: Places,
    nodes: Ints,
    carried: Ints,
    listed: Bytes,
    entries: Places,
    path: Ints,
    fill: Ints,
) -> int:
    """Push all that the standings can bring to one borrower, by Dinic's method from there."""
    value = 0
    root = slot[b]
    while True:
        for x in range(fill[NODES]):
            nodes[x, RANK] = -1
        # Steps to the borrower, as far as the nearest who have something left; the third column
        # of `path` holds the queue.
        nodes[root, RANK] = 0
        path[0, 2] = root
        at, end, goal = 0, 1, -1
        while at < end and (goal < 0 or nodes[path[at, 2], RANK] < goal):
            x = path[at, 2]
            at += 1
            first, length, flows = nodes[x, FIRST], nodes[x, LENGTH], nodes[x, FLOW]
            k, i = 0, nodes[x, LIST]
            while k < length or i >= 0:
                s = -1
                if k < length:
                    used = carried[flows + k] if flows >= 0 else 0
                    if room_of(rows, first + k) > used:
                        s = touch(rows, tail_of(rows, first + k), slot, nodes, fill)
                        if s < 0:
                            return SHORT_NODES
                    k += 1
                else:
                    if carried[nodes[entries[i, BORROWER], FLOW] + entries[i, EDGE]]:
                        s = entries[i, BORROWER]
                    i = entries[i, AFTER]
                if s >= 0 and nodes[s, RANK] < 0:
                    nodes[s, RANK] = nodes[x, RANK] + 1
                    path[end, 2] = s
                    end += 1
                    if standing_of(rows, nodes[s, PLACE]) > nodes[s, DRAWN]:
                        goal = nodes[s, RANK]
        if goal < 0:
            return value
        for at in range(end):
            x = path[at, 2]
            nodes[x, NEXT] = 0
            nodes[x, NEXT_OF_LIST] = nodes[x, LIST]
        deep, x = 0, root
        while True:
            rank = nodes[x, RANK]
            if rank == goal and standing_of(rows, nodes[x, PLACE]) > nodes[x, DRAWN]:
                amount, deep = draw(rows, x, deep, nodes, carried, listed, entries, path, fill)
                if amount < 0:
                    return amount
                value += amount
                x = path[deep, 0]
                continue
            length, first, flows = nodes[x, LENGTH], nodes[x, FIRST], nodes[x, FLOW]
            k = nodes[x, NEXT] if rank < goal else length
            while k < length:
                s = slot[tail_of(rows, first + k)]
                if s >= 0 and nodes[s, RANK] == rank + 1:
                    used = carried[flows + k] if flows >= 0 else 0
                    if room_of(rows, first + k) > used:
                        break
                k += 1
            nodes[x, NEXT] = k
            if k < length:
                path[deep, 0], path[deep, 1] = x, k
                x = slot[tail_of(rows, first + k)]
                deep += 1
                continue
            i = nodes[x, NEXT_OF_LIST] if rank < goal else -1
            while i >= 0:
                s = entries[i, BORROWER]
                if nodes[s, RANK] == rank + 1 and carried[nodes[s, FLOW] + entries[i, EDGE]]:
                    break
                i = entries[i, AFTER]
            nodes[x, NEXT_OF_LIST] = i
            if i >= 0:
                path[deep, 0], path[deep, 1] = x, -1 - i
                x = entries[i, BORROWER]
                deep += 1
                continue
            if deep == 0:
                break
            # A dead end: the step to it is not taken again.
            deep -= 1
            x = path[deep, 0]
            if path[deep, 1] >= 0:
                nodes[x, NEXT] = path[deep, 1] + 1
            else:
                nodes[x, NEXT_OF_LIST] = entries[-1 - path[deep, 1], AFTER]


@compiled
def undo(
    labels: Labels, label: Places, slot: Places, nodes: Ints, count: Places, fill: Ints
) -> None:
    """Leave everything as it was before `push`."""
    for x in range(fill[NODES]):
        place = nodes[x, PLACE]
        slot[place] = UNTOUCHED
        label[place] = labels.below[place]
    label[labels.places] = labels.lower
    count[: fill[LAST] + 1] = 0
    fill[:] = 0


@compiled
def push_each(
    rows: Rows,
    borrowers: Places,
    done: int,
    found: Ints,
    labels: Labels,
    label: Places,
    slot: Places,
    nodes: Ints,
    carried: Ints,
    listed: Bytes,
    entries: Places,
    path: Ints,
    count: Places,
    fill: Ints,
) -> tuple[int, int]:
    """`push` for one borrower after another, from the one numbered `done` on.

    Returns how many are done, and 0 or which array was too short for the next one.
    """
    for i in range(done, borrowers.size):
        value = push(
            rows,
            borrowers[i : i + 1],
            labels.top,
            label,
            slot,
            nodes,
            carried,
            listed,
            entries,
            path,
            count,
            fill,
        )
        if value < 0:
            return i, value
        found[i] = value
        undo(labels, label, slot, nodes, count, fill)
    return borrowers.size, 0
