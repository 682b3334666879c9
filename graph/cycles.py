"""Short cycles of vouches: triads by type, and simple cycles up to a length within a budget."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, Ints
from graph.checks import count
from graph.structure import both_ways, vouches_of

if TYPE_CHECKING:
    from graph.network import Network

# A pair seen from one side, as in the kernel: it gives a vouch, takes one, or both.
_GIVES, _TAKES, _BOTH = 1, 2, 3
TRIAD_TYPES = (
    *("003", "012", "102", "021D", "021U", "021C", "111D", "111U"),
    *("030T", "030C", "201", "120D", "120U", "120C", "210", "300"),
)


@dataclass(frozen=True, slots=True)
class Triads:
    """All triples of members by how they vouch for each other.

    Attributes
    ----------
    census : dict of str to int
        How many triples are of each of the 16 types, named by the number of mutual, one-way and
        missing pairs, and D(own), U(p), T(ransitive), C(yclic).
    three_cycles : int
        Directed cycles of three vouches. One triple may hold two of them.
    """

    census: dict[str, int]
    three_cycles: int


@dataclass(frozen=True, slots=True)
class Cycles:
    """Simple cycles of vouches up to a length.

    Attributes
    ----------
    by_length : dict of int to int
        How many were found of each length that occurs.
    cycles : tuple of tuple of Hashable
        The first of them, each from its lowest id on along the vouches, in ascending order.
    complete : bool
        Whether every cycle up to this length was counted. If not, the counts are of those found
        when the budget ran out.
    steps : int
        Vouches looked at.
    """

    by_length: dict[int, int]
    cycles: tuple[tuple[Hashable, ...], ...]
    complete: bool
    steps: int

    @property
    def total(self) -> int:
        """Cycles found, listed or not."""
        return sum(self.by_length.values())

    @property
    def all_listed(self) -> bool:
        """Whether `cycles` holds every cycle there is up to this length."""
        return self.complete and self.total == len(self.cycles)


def triads(network: ArrayNetwork | Network) -> Triads:
    """The triad census, and the number of directed 3-cycles.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.

    Returns
    -------
    Triads
        Counts are exact whole numbers of any size; they sum to n (n - 1) (n - 2) / 6.

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    Only triples with three tied pairs are visited, from the end with the fewest ties: O(m^1.5) at
    worst, near linear on networks of vouches, whatever the hubs. Triples with two tied pairs are
    counted from how many pairs of each kind every member has, those with one from the number of
    pairs, and the rest from n.

    References
    ----------
    Holland & Leinhardt (1976), Local structure in social networks; Batagelj & Mrvar (2001), A
    subquadratic triad census algorithm for large sparse networks with small maximum degree.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> found = triads(from_edges([("a", "b", 1), ("b", "c", 1), ("c", "a", 1), ("c", "d", 1)]))
    >>> found.three_cycles, {kind: n for kind, n in found.census.items() if n}
    (1, {'012': 1, '021D': 1, '021C': 1, '030C': 1})
    """
    from graph.kernels import cycles

    rows = vouches_of(network)
    found, kinds = cycles.triangles(*both_ways(rows))
    closed = {
        (code >> 4, code >> 2 & 3, code & 3): number
        for code, number in enumerate(found.tolist())
        if number
    }
    around = sum(
        number * (bool(a & b & _GIVES and c & _TAKES) + bool(a & b & _TAKES and c & _GIVES))
        for (a, b, c), number in closed.items()
    )
    return Triads(_census(rows.n, closed, kinds), around)


def bounded_cycles(
    network: ArrayNetwork | Network,
    longest: int,
    *,
    most: int = 10_000,
    steps: int = 100_000_000,
) -> Cycles:
    """Simple cycles of at most `longest` vouches, within a budget.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.
    longest : int
        Vouches on a cycle, >= 2. Two members who vouch for each other are a cycle of 2.
    most : int
        List this many, >= 0; more are only counted. Default 10,000.
    steps : int
        Stop once this many vouches were looked at, >= 1. Default 100 million, about a second. The
        count passes it by at most what one member's surroundings take.

    Returns
    -------
    Cycles
        Each cycle once, whatever the order of input.

    Raises
    ------
    SelfLoop, BadParameter
        A member vouches for themself; a bound is no whole number or too small.

    Notes
    -----
    From every member as the lowest of its cycles, within the member's own circle. Those who lead
    back in half the length are marked first; the search only enters who can still close in time.
    The work is bounded by `steps`, the answer by `most`; the number of cycles itself grows with
    the power of the length.

    References
    ----------
    Gupta & Suzumura (2021), Finding all bounded-length simple cycles in a directed graph; Johnson
    (1975), Finding all the elementary circuits of a directed graph.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> edges = [("a", "b", 1), ("b", "a", 1), ("b", "c", 1), ("c", "a", 1)]
    >>> found = bounded_cycles(from_edges(edges), 5)
    >>> found.by_length, found.cycles, found.complete
    ({2: 1, 3: 1}, (('a', 'b'), ('a', 'b', 'c')), True)
    """
    from graph.kernels import cycles, structure

    count(longest, "longest", 2)
    count(most, "most", 0)
    count(steps, "steps", 1)
    rows = vouches_of(network)
    component, _ = structure.strong(rows.out_start, rows.out_head, rows.n)
    number, lengths, places, used, complete = cycles.simple_cycles(
        *both_ways(rows)[:4], component, min(longest, max(rows.n, 2)), most, steps
    )
    ids = rows.ids_of(places)
    ends = np.cumsum(lengths).tolist()
    listed = tuple(
        tuple(ids[end - length : end]) for end, length in zip(ends, lengths.tolist(), strict=True)
    )
    by_length = {length: n for length, n in enumerate(number.tolist()) if n}
    return Cycles(by_length, listed, bool(complete), int(used))


def _census(n: int, closed: dict[tuple[int, int, int], int], kinds: Ints) -> dict[str, int]:
    census = dict.fromkeys(TRIAD_TYPES, 0)
    # Every two pairs that meet in a member, first as if the third pair were always missing.
    for (gives, takes, both), members in _tally(kinds).items():
        census["021D"] += members * comb(gives, 2)
        census["021U"] += members * comb(takes, 2)
        census["021C"] += members * gives * takes
        census["111D"] += members * takes * both
        census["111U"] += members * gives * both
        census["201"] += members * comb(both, 2)
    for (a, b, c), number in closed.items():
        # a: u to v, b: v to w, c: u to w. At v the pair with u is seen from the other side.
        for pair in ((a, c), (_turned(a), b), (_turned(b), _turned(c))):
            census[_WEDGES[min(pair), max(pair)]] -= number
        census[_closed_type(a, b, c)] += number
    one_way = int(kinds[:, 0].sum())
    both_ways_ = int(kinds[:, 2].sum()) // 2
    # Each pair meets n - 2 others; a triple holds as many one-way and mutual pairs as it is named.
    of_one_way = sum(int(name[1]) * number for name, number in census.items())
    of_both = sum(int(name[0]) * number for name, number in census.items())
    census["012"] = one_way * max(n - 2, 0) - of_one_way
    census["102"] = both_ways_ * max(n - 2, 0) - of_both
    census["003"] = comb(n, 3) - sum(census.values())
    return census


def _tally(kinds: Ints) -> dict[tuple[int, int, int], int]:
    """How many members have each combination of numbers; most have a common one."""
    rows, members = np.unique(kinds, axis=0, return_counts=True)
    return {
        (gives, takes, both): number
        for (gives, takes, both), number in zip(rows.tolist(), members.tolist(), strict=True)
    }


# Two pairs that meet in a member, by how that member stands in each.
_WEDGES = {
    (_GIVES, _GIVES): "021D",
    (_TAKES, _TAKES): "021U",
    (_GIVES, _TAKES): "021C",
    (_TAKES, _BOTH): "111D",
    (_GIVES, _BOTH): "111U",
    (_BOTH, _BOTH): "201",
}


def _turned(pair: int) -> int:
    """The same pair seen from its other end."""
    return {_GIVES: _TAKES, _TAKES: _GIVES, _BOTH: _BOTH}[pair]


def _closed_type(a: int, b: int, c: int) -> str:
    """The type of a triple whose three pairs are all tied: u to v, v to w, u to w."""
    mutual = (a == _BOTH) + (b == _BOTH) + (c == _BOTH)
    if mutual == 3:
        return "300"
    if mutual == 2:
        return "210"
    # How each of the three stands in its two pairs, one-way ones only.
    stands = (
        (a, c),
        (_turned(a), b),
        (_turned(b), _turned(c)),
    )
    if mutual == 0:
        return "030C" if all(x != y for x, y in stands) else "030T"
    apex = next(pair for pair in stands if _BOTH not in pair)
    return {(_GIVES, _GIVES): "120D", (_TAKES, _TAKES): "120U"}.get(apex, "120C")
