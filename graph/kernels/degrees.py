"""Core numbers by degree, where an edge each way between two places counts twice."""

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]


@compiled
def cores(
    out_start: Ints, out_head: Places, in_start: Ints, in_tail: Places, n: int
) -> Places:  # fmt: skip
    """The core number of each place; `in_start` all 0 where the rows hold both ways already."""
    core = np.empty(n, np.int32)
    most = 0
    for v in range(n):
        core[v] = out_start[v + 1] - out_start[v] + in_start[v + 1] - in_start[v]
        most = max(most, core[v])
    begin = np.zeros(most + 2, np.int64)
    for v in range(n):
        begin[core[v] + 1] += 1
    for d in range(most + 1):
        begin[d + 1] += begin[d]
    order = np.empty(n, np.int32)
    at = np.empty(n, np.int64)
    filled = begin[: most + 1].copy()
    for v in range(n):
        at[v] = filled[core[v]]
        order[at[v]] = v
        filled[core[v]] += 1
    # Whoever has least is taken; the others come down by one for each edge to them.
    for i in range(n):
        v = order[i]
        for side in range(2):
            start = out_start if side == 0 else in_start
            other = out_head if side == 0 else in_tail
            for e in range(start[v], start[v + 1]):
                u = other[e]
                if core[u] > core[v]:
                    first = begin[core[u]]
                    w = order[first]
                    order[first] = u
                    order[at[u]] = w
                    at[w] = at[u]
                    at[u] = first
                    begin[core[u]] += 1
                    core[u] -= 1
    return core
