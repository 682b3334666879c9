"""Where a network of vouches would fall apart: cores, articulation members, bridges, splitting.

Directions do not count here: two members are tied if either vouches for the other, once even if
both do.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graph.arrays import ArrayNetwork, Ints, Places
from graph.checks import count
from graph.structure import Components, Pairs, both_ways, vouches_of, weak_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graph.network import Network


@dataclass(frozen=True, eq=False, slots=True)
class Cores:
    """How deep inside the network each member sits.

    Attributes
    ----------
    network : ArrayNetwork
    number : numpy.ndarray of int32, shape (n,)
        The core number by place.
    """

    network: ArrayNetwork
    number: Places

    @property
    def highest(self) -> int:
        """The highest core number, 0 without members."""
        return int(self.number.max(initial=0))

    def of(self, member: Hashable) -> int:
        """The core number of a member.

        Raises
        ------
        UnknownNode
            The network does not hold this member.
        """
        return int(self.number[self.network.place(member)])

    def members(self, least: int) -> tuple[Hashable, ...]:
        """The `least`-core: all members whose core number is at least this, ascending."""
        return tuple(self.network.ids_of(np.flatnonzero(self.number >= least)))

    def by_member(self) -> dict[Hashable, int]:
        """Core number by member."""
        ids = self.network.ids_of(range(self.network.n))
        return dict(zip(ids, self.number.tolist(), strict=True))


@dataclass(frozen=True, eq=False, slots=True)
class WeakPoints:
    """Single points of failure.

    Attributes
    ----------
    network : ArrayNetwork
    is_articulation : numpy.ndarray of bool, shape (n,)
        By place: without this member their component falls apart.
    bridges : Pairs
        Ties without which a component falls apart.
    """

    network: ArrayNetwork
    is_articulation: NDArray[np.bool_]
    bridges: Pairs

    @property
    def members(self) -> tuple[Hashable, ...]:
        """All articulation members, ascending."""
        return tuple(self.network.ids_of(np.flatnonzero(self.is_articulation)))


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """A network cut into parts of bounded size.

    Attributes
    ----------
    parts : Components
        Each tied together within itself.
    cut : Pairs
        The vouches, as (guarantor, borrower), between different parts: all of them, and no other
        vouch was cut.
    """

    parts: Components
    cut: Pairs


def core_numbers(network: ArrayNetwork | Network) -> Cores:
    """The core number of each member: the densest part of the network that they belong to.

    The k-core is the largest set of members of whom each is tied to k others of the set; a
    member's core number is the greatest k whose core holds them.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms and directions are not read.

    Returns
    -------
    Cores

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    O(n + m): peeling in rounds, each over those who are left.

    References
    ----------
    Seidman (1983), Network structure and minimum degree; Batagelj & Zaversnik (2003), An O(m)
    algorithm for cores decomposition of networks.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> ring = [("a", "b", 1), ("b", "c", 1), ("c", "a", 1)]
    >>> core_numbers(from_edges([*ring, ("c", "d", 1)])).by_member()
    {'a': 2, 'b': 2, 'c': 2, 'd': 1}
    """
    from graph.kernels import robustness

    rows = vouches_of(network)
    return Cores(rows, robustness.cores(*both_ways(rows)))


def weak_points(network: ArrayNetwork | Network) -> WeakPoints:
    """Articulation members and bridges: who and what holds parts of the network together alone.

    A member is an articulation if taking them out leaves more components among the others; a tie
    is a bridge if taking it out does.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms and directions are not read. Two members who vouch for each other are
        one tie, which may be a bridge.

    Returns
    -------
    WeakPoints

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    O(n + m): one depth-first search without recursion finds both; bridges are then sorted.

    References
    ----------
    Hopcroft & Tarjan (1973), Efficient algorithms for graph manipulation.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> found = weak_points(from_edges([("a", "b", 1), ("b", "a", 1), ("b", "c", 1)]))
    >>> found.members, found.bridges.ids()
    (('b',), (('a', 'b'), ('b', 'c')))
    """
    from graph.kernels import robustness

    rows = vouches_of(network)
    cut, near, far = robustness.weak_points(*both_ways(rows))
    first, second = np.minimum(near, far), np.maximum(near, far)
    order = np.lexsort((second, first))
    return WeakPoints(rows, cut, Pairs(rows, first[order], second[order]))


def split_components(network: ArrayNetwork | Network, most: int) -> Split:
    """Cut components that are too large into parts of at most `most` members each.

    A component that fits stays whole. The others are cut so that few vouches lead from part to
    part: members, then whole parts, join those they are tied to more than by chance, while there
    is room; then whatever still fits together joins; at last single members move where that cuts
    less. Which vouches are cut is exact; that they are few is a rule of thumb and not the least
    possible.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms and directions are not read, but two vouches count twice.
    most : int
        >= 1.

    Returns
    -------
    Split

    Raises
    ------
    SelfLoop, BadParameter
        A member vouches for themself; `most` is no whole number >= 1.

    Notes
    -----
    O(n + m) a round, at most eight rounds a level, and few levels: parts about halve in number, or
    better, from one to the next. Of equal parts the one with the lowest member is taken, so the
    answer is always the same. Against villages that were planted, it cuts about as many vouches as
    lead from village to village.

    References
    ----------
    Meyerhenke, Sanders & Schulz (2014), Partitioning complex networks via size-constrained
    clustering; Newman & Girvan (2004) for what chance would tie.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> two = [("a", "b", 1), ("b", "c", 1), ("c", "a", 1), ("d", "e", 1), ("e", "f", 1)]
    >>> split = split_components(from_edges([*two, ("f", "d", 1), ("a", "d", 1)]), 4)
    >>> split.parts.groups(), split.cut.ids()
    ((('a', 'b', 'c'), ('d', 'e', 'f')), (('a', 'd'),))
    """
    count(most, "most", 1)
    rows = vouches_of(network)
    whole = weak_components(rows)
    label = whole.label.astype(np.int64)
    large = np.flatnonzero(whole.size[whole.label] > most) if rows.n else np.empty(0, np.int64)
    if large.size:
        label[large] = rows.n + _clusters(rows, large, most)
    # A part may have come apart when members in its middle left it.
    heads = rows.out_head
    inside = label[rows.tails] == label[heads]
    parts = _components(rows, rows.tails[inside], heads[inside])
    return Split(parts, Pairs(rows, rows.tails[~inside], heads[~inside]))


# More rounds than this move next to nobody.
_ROUNDS = 8


def _clusters(rows: ArrayNetwork, chosen: Ints, most: int) -> Ints:
    """A cluster for each chosen place, none with more than `most` of them."""
    from scipy import sparse

    from graph.kernels import robustness

    one_way = sparse.csr_array(
        (np.ones(rows.m, np.int64), rows.out_head, rows.out_start), shape=(rows.n, rows.n)
    )
    finest: Any = (one_way + one_way.T).tocsr()[chosen][:, chosen]
    one = np.ones(chosen.size, np.int64)
    ties, size, label = finest, one, np.arange(chosen.size, dtype=np.int64)
    # First who is tied more than by chance; then, while they fit, whoever is tied at all.
    for chance in (True, False):
        while True:
            alone = np.arange(size.size, dtype=np.int32)
            joined = robustness.settled(*_rows_of(ties), size, alone, most, _ROUNDS, chance)
            used, now = np.unique(joined, return_inverse=True)
            if used.size == size.size:
                break
            label = now[label]
            fold = sparse.csr_array(
                (np.ones(now.size, np.int64), (np.arange(now.size), now)),
                shape=(now.size, used.size),
            )
            ties = (fold.T @ ties @ fold).tocsr()
            size = np.bincount(label, minlength=used.size)
    settled = robustness.settled(
        *_rows_of(finest), one, label.astype(np.int32), most, _ROUNDS, False
    )
    return settled.astype(np.int64)


def _rows_of(matrix: Any) -> tuple[Ints, Places, Ints]:
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


def _components(rows: ArrayNetwork, tails: Places, heads: Places) -> Components:
    from scipy import sparse

    from graph.kernels import structure

    ties = sparse.csr_array((np.ones(tails.size, np.int8), (tails, heads)), shape=(rows.n, rows.n))
    if not rows.n:
        return Components(rows, np.empty(0, np.int32), np.empty(0, np.int64))
    groups, label = sparse.csgraph.connected_components(ties, directed=False)
    return Components(rows, *structure.renumbered(label, groups))
