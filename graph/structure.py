"""Circles, mutual pairs, stars and chains: the shape of a network of vouches.

An edge leads from a guarantor to a borrower. Only that it is there counts here, not its room: a
vouch whose room is used up still ties two members. Answers keep their arrays by place (see
`graph.arrays`) and give ids when asked, so that a network of a million members costs no list of
names that nobody reads.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, Ints, Places, as_arrays
from graph.checks import count
from graph.errors import SelfLoop

if TYPE_CHECKING:
    from graph.network import Network

Pair = tuple[Hashable, Hashable]


@dataclass(frozen=True, eq=False, slots=True)
class Components:
    """Members put into groups, each in exactly one.

    Attributes
    ----------
    network : ArrayNetwork
    label : numpy.ndarray of int32, shape (n,)
        The group of each place; groups are numbered by their lowest member.
    size : numpy.ndarray of int64, shape (groups,)
        Members by group.
    """

    network: ArrayNetwork
    label: Places
    size: Ints

    @property
    def largest(self) -> int:
        """Members of the largest group, 0 where there is none."""
        return int(self.size.max(initial=0))

    def groups(self, least: int = 1) -> tuple[tuple[Hashable, ...], ...]:
        """All groups of at least `least` members: ids ascending, groups by their lowest.

        Raises
        ------
        BadParameter
            `least` is no whole number >= 1.

        Notes
        -----
        O(n), and O(listed members) in Python.

        Examples
        --------
        >>> from graph.arrays import from_edges
        >>> found = strong_components(from_edges([("a", "b", 1), ("b", "a", 1), ("b", "c", 1)]))
        >>> found.groups(), found.groups(2)
        ((('a', 'b'), ('c',)), (('a', 'b'),))
        """
        chosen = self.size >= count(least, "least", 1)
        places = np.flatnonzero(chosen[self.label]) if self.label.size else np.empty(0, np.int64)
        places = places[np.argsort(self.label[places], kind="stable")]
        ids = self.network.ids_of(places)
        ends = np.cumsum(self.size[chosen]).tolist()
        begins = [0, *ends[:-1]]
        return tuple(tuple(ids[i:j]) for i, j in zip(begins, ends, strict=bool(ends)))

    def of(self, member: Hashable) -> tuple[Hashable, ...]:
        """The group of a member.

        Raises
        ------
        UnknownNode
            The network does not hold this member.

        Notes
        -----
        O(n).
        """
        label = self.label[self.network.place(member)]
        return tuple(self.network.ids_of(np.flatnonzero(self.label == label)))


@dataclass(frozen=True, eq=False, slots=True)
class Pairs:
    """Pairs of members, ascending by the first, then the second.

    Attributes
    ----------
    network : ArrayNetwork
    first, second : numpy.ndarray of int32, shape (pairs,)
        Places.
    """

    network: ArrayNetwork
    first: Places
    second: Places

    def __len__(self) -> int:
        return int(self.first.size)

    def ids(self) -> tuple[Pair, ...]:
        """The pairs as ids."""
        firsts, seconds = self.network.ids_of(self.first), self.network.ids_of(self.second)
        return tuple(zip(firsts, seconds, strict=True))


@dataclass(frozen=True, slots=True)
class Stars:
    """Members on whom many vouches meet; most first, then the lowest id.

    Attributes
    ----------
    guarantors : tuple of (member, int)
        Who vouches for many, and for how many different members.
    borrowers : tuple of (member, int)
        Whom many vouch for, and how many different members.
    """

    guarantors: tuple[tuple[Hashable, int], ...]
    borrowers: tuple[tuple[Hashable, int], ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """The longest chain of vouches from circle to circle, never returning to one.

    Attributes
    ----------
    length : int
        Vouches that lead from one circle (or single member) to another.
    vouches : tuple of (guarantor, borrower)
        One such chain: where a vouch ends, the next begins in the same circle.
    """

    length: int
    vouches: tuple[Pair, ...]


def strong_components(network: ArrayNetwork | Network) -> Components:
    """Guarantee circles: members who all stand behind each other along chains of vouches.

    u and v are in one group if and only if a chain of vouches leads from u to v and one from v to
    u. A circle is a group of two or more: ``.groups(2)``.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.

    Returns
    -------
    Components

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    O(n + m): one depth-first search without recursion, with 20 bytes a member beside the network.

    References
    ----------
    Tarjan (1972), Depth-first search and linear graph algorithms; Pearce (2016), A space-efficient
    algorithm for finding strongly connected components.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> ring = from_edges([("a", "b", 5), ("b", "c", 5), ("c", "a", 5), ("c", "d", 5)])
    >>> strong_components(ring).groups(2)
    (('a', 'b', 'c'),)
    """
    from graph.kernels import structure

    rows = vouches_of(network)
    label, groups = structure.strong(rows.out_start, rows.out_head, rows.n)
    return Components(rows, *structure.renumbered(label, groups))


def weak_components(network: ArrayNetwork | Network) -> Components:
    """Members whom vouches tie together at all, whatever their direction.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.

    Returns
    -------
    Components

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    Next to O(n + m): one pass over the vouches that joins what they tie, O(m log n) at worst.

    References
    ----------
    Tarjan & van Leeuwen (1984), Worst-case analysis of set union algorithms.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> weak_components(from_edges([("a", "b", 1), ("c", "b", 1)], nodes=["d"])).groups()
    (('a', 'b', 'c'), ('d',))
    """
    from graph.kernels import structure

    rows = vouches_of(network)
    label, groups = structure.weak(rows.out_start, rows.out_head, rows.n)
    return Components(rows, label, np.bincount(label, minlength=groups))


def mutual_pairs(network: ArrayNetwork | Network) -> Pairs:
    """Pairs of members who vouch for each other, each pair once, its lower id first.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.

    Returns
    -------
    Pairs

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    O(n + m).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> mutual_pairs(from_edges([("b", "a", 1), ("a", "b", 9), ("b", "c", 1)])).ids()
    (('a', 'b'),)
    """
    from graph.kernels import structure

    rows = vouches_of(network)
    return Pairs(rows, *structure.mutual(*both_ways(rows)))


def stars(network: ArrayNetwork | Network, *, least: int = 3) -> Stars:
    """Hubs: who vouches for at least `least` different members, and whom as many vouch for.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.
    least : int
        >= 1. Default 3.

    Returns
    -------
    Stars

    Raises
    ------
    SelfLoop, BadParameter
        A member vouches for themself; `least` is no whole number >= 1.

    Notes
    -----
    O(n), once there are rows: several vouches between the same two are one.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> stars(from_edges([("k", m, 1) for m in "abc"]))
    Stars(guarantors=(('k', 3),), borrowers=())
    """
    count(least, "least", 1)
    rows = vouches_of(network)
    return Stars(_hubs(rows, rows.out_start, least), _hubs(rows, rows.in_start, least))


def longest_chain(network: ArrayNetwork | Network) -> Chain:
    """The farthest that one failure can travel along vouches from circle to circle.

    The longest path of the condensation: every circle counts as one node, so no chain returns.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms are not read.

    Returns
    -------
    Chain
        Of several as long, one with members as low as possible step by step.

    Raises
    ------
    SelfLoop
        A member vouches for themself.

    Notes
    -----
    O(n + m): circles come out in an order in which every chain is known before it is extended.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> longest_chain(from_edges([("a", "b", 1), ("b", "a", 1), ("a", "c", 1), ("c", "d", 1)]))
    Chain(length=2, vouches=(('a', 'c'), ('c', 'd')))
    """
    from graph.kernels import structure

    rows = vouches_of(network)
    component, groups = structure.strong(rows.out_start, rows.out_head, rows.n)
    if not groups:
        return Chain(0, ())
    length, tail, head = structure.chain(rows.out_start, rows.out_head, component, groups, rows.n)
    longest = int(length.max())
    if not longest:
        return Chain(0, ())
    # Components of one length are told apart by the edge that they start with.
    best = np.flatnonzero(length == longest)
    at = int(best[int(np.argmin(tail[best]))])
    walked: list[tuple[int, int]] = []
    while tail[at] >= 0:
        walked.append((int(tail[at]), int(head[at])))
        at = int(component[head[at]])
    return Chain(longest, tuple((rows.id_of(t), rows.id_of(h)) for t, h in walked))


def vouches_of(network: ArrayNetwork | Network) -> ArrayNetwork:
    """The arrays of a network of which only the vouches count, whatever their rooms.

    Raises
    ------
    SelfLoop, BadParameter
        A member vouches for themself; this is no network.
    """
    if not isinstance(network, ArrayNetwork) and hasattr(network, "has_edge"):
        for member in network:
            if network.has_edge(member, member):
                raise SelfLoop(member)
    return as_arrays(network, room=None)


def both_ways(rows: ArrayNetwork) -> tuple[Ints, Places, Ints, Places, int]:
    """The rows by voucher and by borrower, as most kernels read them, and the number of places."""
    return rows.out_start, rows.out_head, rows.in_start, rows.in_tail, rows.n


def _hubs(rows: ArrayNetwork, start: Ints, least: int) -> tuple[tuple[Hashable, int], ...]:
    degree = np.diff(start)
    found = np.flatnonzero(degree >= least)
    found = found[np.argsort(-degree[found], kind="stable")]
    return tuple(zip(rows.ids_of(found), degree[found].tolist(), strict=True))
