"""What a search for a cut has touched: flows, standings drawn on, and what they prove.

All of it lies in arrays that are used again: `slot` for every member, `nodes`, `carried`, `listed`,
`entries` and `path` for those that a search touched. When one of them is too short the search gives
up and the caller makes it longer.
"""

import numpy as np
from numpy.typing import NDArray

from graph.arrays import Rows
from graph.kernels import compiled
from graph.kernels.rows import room_of, row_of, standing_of, tail_of

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Bytes = NDArray[np.uint8]

UNTOUCHED = -1

# Columns of `nodes`: one row for each member touched.
PLACE, FIRST, LENGTH, FLOW, NEXT, LIST, NEXT_OF_LIST, DRAWN, NEAR, RANK = range(10)
COLUMNS = 10
# Columns of `entries`: edges that have carried something, in a list for each voucher.
BORROWER, EDGE, AFTER = range(3)
# What `fill` counts: rows of `nodes`, cells of `carried`, rows of `entries`; and the last cell of
# `count` that was written to.
NODES, CELLS, ENTRIES, LAST = range(4)
# Answers beside an amount >= 0: which array was too short.
SHORT_NODES, SHORT_CELLS, SHORT_ENTRIES = -1, -2, -3


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
    nodes[at, RANK] = -1
    return int(at)


@compiled
def draw(
    rows: Rows,
    x: int,
    deep: int,
    nodes: Ints,
    carried: Ints,
    listed: Bytes,
    entries: Places,
    path: Ints,
    fill: Ints,
) -> tuple[int, int]:
    """Draw on the standing of x as much as the path from a borrower to x can carry.

    Returns the amount, or which array was too short, and how much of the path is still open: the
    steps before the first that is now full.
    """
    path[deep, 0] = x
    amount = standing_of(rows, nodes[x, PLACE]) - nodes[x, DRAWN]
    for i in range(deep):
        amount = min(amount, _left(rows, nodes, carried, entries, path, i))
    nodes[x, DRAWN] += amount
    keep = deep
    for i in range(deep - 1, -1, -1):
        short = _carry(amount, i, nodes, carried, listed, entries, path, fill)
        if short:
            return short, keep
        if not _left(rows, nodes, carried, entries, path, i):
            keep = i
    return amount, keep


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
