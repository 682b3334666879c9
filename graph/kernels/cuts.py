"""Minimum cuts between all standings and one borrower or some, found near the borrower.

Shortest augmenting paths with labels (Ahuja & Orlin): the label of a member is never more than
their distance from the standings, one step for drawing on a standing and one per vouch. Labels
start from a potential that is computed once for a network, so a search walks straight to the
nearest standing; where it gets stuck the label is raised. A search runs from the borrower
backwards and touches only what it visits, and `undo` clears only what was touched.

What a search writes lies in arrays that are used again: `label` and `slot` for every member,
`nodes`, `carried`, `listed`, `entries`, `path` and `count` for those that it touched. When one of
them is too short the search gives up and the caller makes it longer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled
from graph.kernels.rows import room_of, row_of, standing_of, tail_of
from graph.overlay import Rows

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Bytes = NDArray[np.uint8]

# No standing reaches this member.
DEAD = 2**30
UNTOUCHED = -1

# Columns of `nodes`: one row for each member touched.
PLACE, FIRST, LENGTH, FLOW, NEXT, LIST, NEXT_OF_LIST, DRAWN, NEAR = range(9)
COLUMNS = 9
# Columns of `entries`: edges that have carried something, in a list for each voucher.
BORROWER, EDGE, AFTER = range(3)
# What `fill` counts: rows of `nodes`, cells of `carried`, rows of `entries`; and the last cell of
# `count` that was written to.
NODES, CELLS, ENTRIES, LAST = range(4)
# Answers of `push`, beside a value >= 0: which array was too short.
SHORT_NODES, SHORT_CELLS, SHORT_ENTRIES = -1, -2, -3


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
def touch(rows: Rows, place: int, slot: Places, nodes: Ints, fill: Ints) -> int:
    """The row of a member in `nodes`; UNTOUCHED if there is no room for one more."""
    at = slot[place]
    if at != UNTOUCHED:
        return int(at)
    at = fill[NODES]
    if at == nodes.shape[0]:
        return UNTOUCHED
    fill[NODES] += 1
    slot[place] = at
    first, length = row_of(rows, place)
    nodes[at, PLACE] = place
    nodes[at, FIRST] = first
    nodes[at, LENGTH] = length
    nodes[at, FLOW] = -1
    nodes[at, NEXT] = 0
    nodes[at, LIST] = -1
    nodes[at, NEXT_OF_LIST] = -1
    nodes[at, DRAWN] = 0
    nodes[at, NEAR] = 0
    return int(at)


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
    for b in borrowers:
        root = slot[b]
        deep = 0
        x = root
        while label[b] <= ceiling:
            y = nodes[x, PLACE]
            spare = standing_of(rows, y) - nodes[x, DRAWN]
            if spare > 0 and label[y] == 1:
                # Draw on the standing and carry it along the path, which begins at the borrower.
                path[deep, 0] = x
                for i in range(deep):
                    spare = min(spare, _left(rows, nodes, carried, entries, path, i))
                nodes[x, DRAWN] += spare
                value += spare
                keep = deep
                for i in range(deep - 1, -1, -1):
                    short = _carry(spare, i, nodes, carried, listed, entries, path, fill)
                    if short:
                        return short
                    if not _left(rows, nodes, carried, entries, path, i):
                        keep = i
                # Go on before the first edge that is now full.
                deep = keep
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
            old = label[y]
            now = DEAD
            if spare > 0:
                now = 1
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
    return value


@compiled
def _left(rows: Rows, nodes: Ints, carried: Ints, entries: Places, path: Ints, step: int) -> int:
    """What one step of a path can still carry."""
    x, k = path[step, 0], path[step, 1]
    if k < 0:
        entry = entries[-1 - k]
        return int(carried[nodes[entry[BORROWER], FLOW] + entry[EDGE]])
    room = room_of(rows, nodes[x, FIRST] + k)
    return int(room - carried[nodes[x, FLOW] + k]) if nodes[x, FLOW] >= 0 else room


@compiled
def _carry(
    amount: int,
    step: int,
    nodes: Ints,
    carried: Ints,
    listed: Bytes,
    entries: Places,
    path: Ints,
    fill: Ints,
) -> int:
    """Carry an amount over one step of a path; 0, or which array was too short."""
    x, k = path[step, 0], path[step, 1]
    if k < 0:
        entry = entries[-1 - k]
        carried[nodes[entry[BORROWER], FLOW] + entry[EDGE]] -= amount
        return 0
    if nodes[x, FLOW] < 0:
        begin, end = fill[CELLS], fill[CELLS] + nodes[x, LENGTH]
        if end > carried.size:
            return SHORT_CELLS
        fill[CELLS] = end
        carried[begin:end] = 0
        listed[begin:end] = 0
        nodes[x, FLOW] = begin
    cell = nodes[x, FLOW] + k
    carried[cell] += amount
    if not listed[cell]:
        at = fill[ENTRIES]
        if at == entries.shape[0]:
            return SHORT_ENTRIES
        fill[ENTRIES] += 1
        listed[cell] = 1
        voucher = path[step + 1, 0]
        entries[at, BORROWER], entries[at, EDGE] = x, k
        entries[at, AFTER] = nodes[voucher, LIST]
        nodes[voucher, LIST] = at
    return 0


@compiled
def near(
    rows: Rows,
    borrowers: Places,
    slot: Places,
    nodes: Ints,
    carried: Ints,
    entries: Places,
    path: Ints,
    fill: Ints,
) -> int:
    """After `push`: mark who could still bring something to a borrower, and count them.

    Their rows of `nodes` are listed in the first column of `path`. No standing among them has
    anything left, so all that leads to them from elsewhere is full: the cut nearest to the
    borrowers.
    """
    end = 0
    for b in borrowers:
        s = slot[b]
        if not nodes[s, NEAR]:
            nodes[s, NEAR] = 1
            path[end, 0] = s
            end += 1
    at = 0
    while at < end:
        x = path[at, 0]
        at += 1
        first, flows = nodes[x, FIRST], nodes[x, FLOW]
        for k in range(nodes[x, LENGTH]):
            used = carried[flows + k] if flows >= 0 else 0
            if room_of(rows, first + k) > used:
                s = touch(rows, tail_of(rows, first + k), slot, nodes, fill)
                if s < 0:
                    return SHORT_NODES
                if not nodes[s, NEAR]:
                    nodes[s, NEAR] = 1
                    path[end, 0] = s
                    end += 1
        i = nodes[x, LIST]
        while i >= 0:
            s = entries[i, BORROWER]
            if carried[nodes[s, FLOW] + entries[i, EDGE]] and not nodes[s, NEAR]:
                nodes[s, NEAR] = 1
                path[end, 0] = s
                end += 1
            i = entries[i, AFTER]
    return end


@compiled
def border(
    rows: Rows, slot: Places, nodes: Ints, path: Ints, side: int
) -> tuple[Places, Places, Places, Ints]:
    """The members near the borrowers; and voucher, borrower and room of each edge to them."""
    members = np.empty(side, np.int32)
    edges = 0
    for at in range(side):
        members[at] = nodes[path[at, 0], PLACE]
        edges += nodes[path[at, 0], LENGTH]
    tails = np.empty(edges, np.int32)
    heads = np.empty(edges, np.int32)
    rooms = np.empty(edges, np.int64)
    end = 0
    for at in range(side):
        x = path[at, 0]
        first = nodes[x, FIRST]
        for e in range(first, first + nodes[x, LENGTH]):
            s = slot[tail_of(rows, e)]
            if room_of(rows, e) and (s == UNTOUCHED or not nodes[s, NEAR]):
                tails[end], heads[end] = tail_of(rows, e), members[at]
                rooms[end] = room_of(rows, e)
                end += 1
    return members, tails[:end].copy(), heads[:end].copy(), rooms[:end].copy()


@compiled
def flows(
    rows: Rows, nodes: Ints, carried: Ints, fill: Ints
) -> tuple[Places, Places, Ints, Places, Ints]:
    """Voucher, borrower and amount of each edge that carries; member and amount drawn on."""
    touched = fill[NODES]
    edges, drawn = 0, 0
    for x in range(touched):
        drawn += nodes[x, DRAWN] > 0
        if nodes[x, FLOW] >= 0:
            for cell in range(nodes[x, FLOW], nodes[x, FLOW] + nodes[x, LENGTH]):
                edges += carried[cell] > 0
    tails = np.empty(edges, np.int32)
    heads = np.empty(edges, np.int32)
    amounts = np.empty(edges, np.int64)
    members = np.empty(drawn, np.int32)
    standings = np.empty(drawn, np.int64)
    edges, drawn = 0, 0
    for x in range(touched):
        if nodes[x, DRAWN]:
            members[drawn], standings[drawn] = nodes[x, PLACE], nodes[x, DRAWN]
            drawn += 1
        if nodes[x, FLOW] >= 0:
            for k in range(nodes[x, LENGTH]):
                if carried[nodes[x, FLOW] + k]:
                    tails[edges] = tail_of(rows, nodes[x, FIRST] + k)
                    heads[edges] = nodes[x, PLACE]
                    amounts[edges] = carried[nodes[x, FLOW] + k]
                    edges += 1
    return tails, heads, amounts, members, standings


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
