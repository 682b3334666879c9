"""Trust handed on from member to member, round by round."""

import math

import numpy as np
from numpy.typing import NDArray

from graph.kernels import compiled

Ints = NDArray[np.int64]
Places = NDArray[np.int32]
Reals = NDArray[np.float64]


@compiled
def undirected_rows(
    out_start: Ints,
    out_head: Places,
    in_start: Ints,
    in_tail: Places,
    mutual: bool,
) -> tuple[Ints, Places]:
    """Neighbours of each place, ascending: joined either way, or both ways if `mutual`."""
    n = out_start.size - 1
    start = np.zeros(n + 1, np.int64)
    for v in range(n):
        i, j = out_start[v], in_start[v]
        i_end, j_end = out_start[v + 1], in_start[v + 1]
        both = 0
        while i < i_end and j < j_end:
            a, b = out_head[i], in_tail[j]
            both += a == b
            i += a <= b
            j += b <= a
        rows = i_end - out_start[v] + j_end - in_start[v] - both
        start[v + 1] = start[v] + (both if mutual else rows)
    neighbour = np.empty(start[n], np.int32)
    for v in range(n):
        i, j = out_start[v], in_start[v]
        i_end, j_end = out_start[v + 1], in_start[v + 1]
        to = start[v]
        while i < i_end and j < j_end:
            a, b = out_head[i], in_tail[j]
            if a == b or not mutual:
                neighbour[to] = min(a, b)
                to += 1
            i += a <= b
            j += b <= a
        if not mutual:
            while i < i_end:
                neighbour[to] = out_head[i]
                i += 1
                to += 1
            while j < j_end:
                neighbour[to] = in_tail[j]
                j += 1
                to += 1
    return start, neighbour


@compiled
def given_in_all(start: Ints, room: Ints) -> Reals:
    """Sum of each row."""
    n = start.size - 1
    total = np.empty(n)
    for v in range(n):
        amount = 0.0
        for e in range(start[v], start[v + 1]):
            amount += room[e]
        total[v] = amount
    return total


@compiled
def hand_on(trust: Reals, given: Reals, keep: float, handed: Reals, first: int, last: int) -> float:
    """What places hand on for each unit that they gave; the trust of those who gave nothing."""
    stuck = 0.0
    for v in range(first, last):
        if given[v] > 0.0:
            handed[v] = keep * trust[v] / given[v]
        else:
            handed[v] = 0.0
            stuck += trust[v]
    return stuck


@compiled
def receive(
    in_start: Ints,
    in_tail: Places,
    in_room: Ints,
    handed: Reals,
    home: Reals,
    back: float,
    trust: Reals,
    fresh: Reals,
    first: int,
    last: int,
) -> float:
    """``back p`` and what is handed to each place; by how much that differs from before."""
    residual = 0.0
    e = np.uint64(in_start[first])
    for v in range(first, last):
        received = back * home[v]
        end = np.uint64(in_start[v + 1])
        # Indices without a sign: a negative one would count from the end, which takes a check.
        while e < end:
            received += handed[np.uint32(in_tail[e])] * in_room[e]
            e += np.uint64(1)
        fresh[v] = received
        residual += abs(received - trust[v])
    return residual


@compiled
def even_step(
    start: Ints, neighbour: Places, each: Reals, after: Reals, first: int, last: int
) -> None:
    """One step in which places share all they have evenly among their neighbours."""
    i = np.uint64(start[first])
    for v in range(first, last):
        received = 0.0
        end = np.uint64(start[v + 1])
        while i < end:
            received += each[np.uint32(neighbour[i])]
            i += np.uint64(1)
        after[v] = received / (start[v + 1] - start[v]) if start[v + 1] > start[v] else 0.0


@compiled
def two_blocks(
    start: Ints,
    neighbour: Places,
    chance: Reals,
    known: NDArray[np.bool_],
    tolerance: float,
    most: int,
) -> tuple[Reals, int, float, float, float]:
    """Mean field of a model of two blocks, each round half way to what the neighbours tell.

    `chance`, to be in the far block, is changed. Gives the evidence per place, rounds made,
    largest gap left between chance and evidence, and the ties expected across and in the far block.
    """
    n = chance.size
    evidence = np.zeros(n)
    beside = np.zeros(n)
    ends = float(neighbour.size)
    made = 0
    while True:
        inside = across = volume = mean = 0.0
        i = np.uint64(0)
        for v in range(n):
            near = 0.0
            end = np.uint64(start[v + 1])
            while i < end:
                near += chance[np.uint32(neighbour[i])]
                i += np.uint64(1)
            beside[v] = near
            inside += chance[v] * near
            across += (1.0 - chance[v]) * near
            volume += chance[v] * (start[v + 1] - start[v])
            mean += chance[v] / n
        rest = ends - volume
        gap = 0.0
        if mean <= 0.0 or volume <= 0.0 or rest <= 0.0:
            # One block is empty: there is nothing to tell apart.
            return evidence, made, gap, across, inside / 2.0
        # One tie more of each kind, so that a kind that is not there yet does not count as never.
        far = math.log((inside + 1.0) / (across + 1.0) * rest / volume)
        home = math.log((across + 1.0) / (rest - across + 1.0) * rest / volume)
        prior = math.log(mean / (1.0 - mean))
        for v in range(n):
            if known[v]:
                continue
            degree = start[v + 1] - start[v]
            told = prior + beside[v] * far + (degree - beside[v]) * home
            evidence[v] = told
            gap = max(gap, abs(1.0 / (1.0 + math.exp(min(-told, 700.0))) - chance[v]))
        if gap <= tolerance or made == most:
            return evidence, made, gap, across, inside / 2.0
        for v in range(n):
            if not known[v]:
                now = 1.0 / (1.0 + math.exp(min(-evidence[v], 700.0)))
                chance[v] = (chance[v] + now) / 2.0
        made += 1
