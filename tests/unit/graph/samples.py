"""Seeded random networks of vouches, and slow obvious answers to compare with."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
from scipy.optimize import linprog

from graph.limits import Promise


def village(
    seed: int, members: int = 8, *, top: int = 30, density: float = 0.35
) -> tuple[dict[Hashable, int], list[Promise]]:
    """Standings and promises with zeros, parallel promises and circles among them."""
    rng = random.Random(seed)
    names = [f"m{i}" for i in range(members)]
    standings: dict[Hashable, int] = {m: rng.choice([0, rng.randint(1, top)]) for m in names}
    promises = []
    for u in names:
        for v in names:
            if u == v:
                continue
            for _ in range(2 if rng.random() < 0.1 else 1):
                if rng.random() < density:
                    room = rng.choice([0, rng.randint(1, top), rng.randint(1, top)])
                    promises.append(Promise(len(promises), u, v, room, rng.randint(0, 9)))
    return standings, promises


def layered_network(
    borrower: Hashable, standings: Mapping[Hashable, int], promises: Sequence[Promise]
) -> Any:
    """The explicit network of at most two vouches, in NetworkX, with an arc node per promise."""
    net: Any = nx.DiGraph()
    net.add_edge("pool", "end", capacity=standings.get(borrower, 0))
    direct = {p.voucher for p in promises if p.borrower == borrower}
    for member in {p.voucher for p in promises} - {borrower}:
        net.add_edge("pool", ("member", member), capacity=standings.get(member, 0))
    for member in direct:
        net.add_edge(("member", member), ("passing", member))
    for p in promises:
        if p.voucher == borrower:
            continue
        if p.borrower == borrower:
            net.add_edge(("passing", p.voucher), ("promise", p.id), capacity=p.room)
            net.add_edge(("promise", p.id), "end")
        elif p.borrower in direct:
            net.add_edge(("member", p.voucher), ("promise", p.id), capacity=p.room)
            net.add_edge(("promise", p.id), ("passing", p.borrower))
    return net


def two_vouch_value(
    borrower: Hashable, standings: Mapping[Hashable, int], promises: Sequence[Promise]
) -> int:
    net = layered_network(borrower, standings, promises)
    return int(nx.maximum_flow_value(net, "pool", "end"))


def simple_paths(
    borrower: Hashable, promises: Sequence[Promise], longest: int
) -> Iterator[tuple[Hashable, tuple[Promise, ...]]]:
    """Every simple path of 1..longest vouches to the borrower, outermost first."""
    stack: list[tuple[Promise, ...]] = [(p,) for p in promises if p.borrower == borrower]
    while stack:
        path = stack.pop()
        yield path[0].voucher, path
        if len(path) < longest:
            passed = {p.voucher for p in path} | {borrower}
            stack += [
                (p, *path)
                for p in promises
                if p.borrower == path[0].voucher and p.voucher not in passed
            ]


def value_over_simple_paths(
    borrower: Hashable,
    standings: Mapping[Hashable, int],
    promises: Sequence[Promise],
    longest: int,
) -> float:
    """The fractional optimum, with one variable per path."""
    paths = list(simple_paths(borrower, promises, longest))
    own = standings.get(borrower, 0)
    if not paths:
        return float(own)
    limits = [p.room for p in promises]
    place = {p.id: row for row, p in enumerate(promises)}
    starts = sorted({start for start, _ in paths}, key=str)
    row_of = {start: len(limits) + i for i, start in enumerate(starts)}
    limits += [standings.get(start, 0) for start in starts]
    matrix = np.zeros((len(limits), len(paths)))
    for column, (start, path) in enumerate(paths):
        matrix[row_of[start], column] = 1
        for p in path:
            matrix[place[p.id], column] = 1
    found = linprog(-np.ones(len(paths)), A_ub=matrix, b_ub=limits, method="highs")
    assert found.status == 0
    return own - float(found.fun)
