"""Circles within circles: who hang together by large promises alone.

Strong components at every size of promise at once. A village is often one circle, by small words
between neighbours; a few who promise each other much are a circle of their own as soon as smaller
promises are left out. The circles of all sizes lie within each other: any two are apart, or one is
part of the other, so that there are fewer of them than members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, Ints, as_arrays, from_rows
from graph.checks import count
from graph.structure import strong_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graph.network import Network


@dataclass(frozen=True, slots=True)
class Nested:
    """One circle: all its members stand behind each other by promises of at least `amount`.

    Attributes
    ----------
    amount : int
        The largest for which this is so.
    places : tuple of int
        Its members, ascending.
    """

    amount: int
    places: tuple[int, ...]


def nested_circles(
    network: ArrayNetwork | Network, *, least: int = 2, most: int | None = None
) -> tuple[Nested, ...]:
    """Every strong component of the promises of at least x, for every x.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed. Promises of nothing tie nobody.
    least, most : int
        Members of the circles that are listed; `most` None: however many.

    Returns
    -------
    tuple of Nested
        Large circles before those within them; then by their lowest member.

    Raises
    ------
    BadParameter
        `least` or `most` is no whole number >= 1.

    Notes
    -----
    O(m log n log k) for k different amounts, and O(listed members). Amounts are halved: what hangs
    together by the upper half is looked at alone, then counts as one member for the lower half, so
    that every promise goes one way only.

    References
    ----------
    Tarjan (1983), An improved algorithm for hierarchical clustering using strong components.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> village = from_edges(
    ...     [("a", "b", 9), ("b", "c", 9), ("c", "a", 8), ("c", "d", 1), ("d", "a", 2)]
    ... )
    >>> [(circle.amount, village.ids_of(circle.places)) for circle in nested_circles(village)]
    [(1, ['a', 'b', 'c', 'd']), (8, ['a', 'b', 'c'])]
    """
    least = count(least, "least", 1)
    rows = as_arrays(network)
    most = rows.n if most is None else count(most, "most", 1)
    tree = _Tree(rows.n)
    given = rows.out_room > 0
    amounts = np.unique(rows.out_room[given])
    tree.grow(
        rows.tails[given].astype(np.int64),
        rows.out_head[given].astype(np.int64),
        np.searchsorted(amounts, rows.out_room[given]),
        0,
        amounts.size - 1,
    )
    found = [
        Nested(int(amounts[level]), tuple(places)) for level, places in tree.listed(least, most)
    ]
    found.sort(key=lambda circle: (-len(circle.places), circle.places))
    return tuple(found)


class _Tree:
    """Members are leaves, by place; a circle is the parent of the circles and members within it."""

    def __init__(self, n: int) -> None:
        self.n = self.size = n
        self.parent = np.arange(max(2 * n, 1), dtype=np.int64)
        self.level = np.full(max(2 * n, 1), -1, np.int64)
        self.members = np.ones(max(2 * n, 1), np.int64)

    def grow(self, tails: Ints, heads: Ints, steps: Ints, low: int, high: int) -> None:
        """Circles at all steps from `low` to `high`; every edge is there at `low`."""
        if not tails.size:
            return
        middle = (low + high + 1) // 2
        nodes, group = self._components(tails, heads, steps >= middle)
        one, other = group[np.searchsorted(nodes, tails)], group[np.searchsorted(nodes, heads)]
        if low == high:
            self._join(nodes, group, low)
            return
        inside = (one == other) & (steps >= middle)
        self.grow(tails[inside], heads[inside], steps[inside], middle, high)
        apart = one != other
        tails, heads = self._tops(tails[apart]), self._tops(heads[apart])
        self.grow(tails, heads, np.minimum(steps[apart], middle - 1), low, middle - 1)

    def _components(self, tails: Ints, heads: Ints, chosen: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        nodes = np.unique(np.concatenate([tails, heads]))
        found = strong_components(from_rows(tails[chosen], heads[chosen], ids=nodes))
        return nodes, found.label.astype(np.int64)

    def _join(self, nodes: Ints, group: Ints, level: int) -> None:
        sizes = np.bincount(group)
        new = np.flatnonzero(sizes > 1)
        numbers = np.full(sizes.size, -1, np.int64)
        numbers[new] = np.arange(self.size, self.size + new.size)
        joined = numbers[group] >= 0
        self.parent[nodes[joined]] = numbers[group[joined]]
        self.members[self.size : self.size + new.size] = 0
        np.add.at(self.members, numbers[group[joined]], self.members[nodes[joined]])
        self.level[self.size : self.size + new.size] = level
        self.size += new.size

    def _tops(self, nodes: Ints) -> Ints:
        """The largest circle so far that each is in."""
        tops = nodes
        while True:
            above = self.parent[tops]
            if (above == tops).all():
                return tops
            tops = above

    def listed(self, least: int, most: int) -> list[tuple[int, list[int]]]:
        """Level and members of the circles of such sizes."""
        parents = self.parent[: self.size].tolist()
        counts = self.members[: self.size].tolist()
        members: dict[int, list[int]] = {}
        for leaf in range(self.n):
            node = leaf
            while parents[node] != node and counts[parents[node]] <= most:
                node = parents[node]
                if counts[node] >= least:
                    members.setdefault(node, []).append(leaf)
        return [(int(self.level[node]), members[node]) for node in members]
