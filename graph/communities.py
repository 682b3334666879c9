"""Communities: members with more ties among themselves than by chance. For reading only.

No limit and no call depends on them: they are not unique, and one more vouch may change them. Ties
have no direction and no weight here; two members are tied once, whoever vouches.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from graph.arrays import ArrayNetwork, Ints
from graph.checks import count
from graph.errors import BadParameter
from graph.structure import vouches_of

if TYPE_CHECKING:
    import networkx as nx

    from graph.network import Network


@dataclass(frozen=True, slots=True)
class Communities:
    """A partition of the members.

    Attributes
    ----------
    groups : tuple of tuple of Hashable
        Ids ascending, groups by their lowest.
    modularity : Fraction
        What the partition is worth.
    """

    groups: tuple[tuple[Hashable, ...], ...]
    modularity: Fraction


def find_communities(
    network: ArrayNetwork | Network, *, seed: int = 0, tries: int = 3
) -> Communities:
    """Communities by the Louvain method: the best of a few seeded tries.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms and directions are not read.
    seed : int
        >= 0. The same seed gives the same answer.
    tries : int
        Orders of members to try, >= 1. Default 3.

    Returns
    -------
    Communities
        A good partition, not the best there is.

    Raises
    ------
    SelfLoop, BadParameter
        A member vouches for themself; `seed` or `tries` is no whole number or too small.

    Notes
    -----
    About O(m log n) a try, in Python, by NetworkX.

    References
    ----------
    Blondel, Guillaume, Lambiotte & Lefebvre (2008), Fast unfolding of communities in large
    networks.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> two = [("a", "b", 1), ("b", "c", 1), ("c", "a", 1), ("d", "e", 1), ("e", "f", 1)]
    >>> found = find_communities(from_edges([*two, ("f", "d", 1), ("a", "d", 1)]))
    >>> found.groups, found.modularity
    ((('a', 'b', 'c'), ('d', 'e', 'f')), Fraction(5, 14))
    """
    count(seed, "seed", 0)
    count(tries, "tries", 1)
    rows = vouches_of(network)
    ties = _ties(rows)
    if not ties.size:
        return Communities(tuple((id_,) for id_ in rows.ids_of(range(rows.n))), Fraction(0))
    from networkx.algorithms.community import louvain_communities

    drawn = _drawn(rows, ties)
    best: tuple[Fraction, Ints] | None = None
    for number in range(tries):
        label = np.empty(rows.n, np.int64)
        # Seeds of neighbouring calls share no try.
        found = louvain_communities(drawn, seed=seed * tries + number, weight=None)
        for group, places in enumerate(found):
            label[list(places)] = group
        worth = _modularity(label, ties)
        if best is None or worth > best[0]:
            best = worth, label
    assert best is not None
    members: dict[int, list[Hashable]] = {}
    for group, id_ in zip(best[1].tolist(), rows.ids_of(range(rows.n)), strict=True):
        members.setdefault(group, []).append(id_)
    return Communities(tuple(tuple(ids) for ids in members.values()), best[0])


def modularity(
    network: ArrayNetwork | Network, communities: Iterable[Iterable[Hashable]]
) -> Fraction:
    """How many more ties lie within communities than by chance.

    ``Q = sum over c of (L_c / m - (d_c / 2m)^2)``: m ties in all, L_c of them within c, d_c the
    sum of the degrees in c.

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Not changed; rooms and directions are not read.
    communities : iterable of iterables of members
        Every member in exactly one.

    Returns
    -------
    Fraction
        Exact, from -1/2 to 1; 0 for a network without ties.

    Raises
    ------
    UnknownNode, BadParameter, SelfLoop
        A community names somebody who is not there; a member is in none or in two; a member
        vouches for themself.

    Notes
    -----
    O(m log m).

    References
    ----------
    Newman & Girvan (2004), Finding and evaluating community structure in networks.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> modularity(from_edges([("a", "b", 1), ("c", "d", 1)]), [["a", "b"], ["c", "d"]])
    Fraction(1, 2)
    """
    rows = vouches_of(network)
    label = np.full(rows.n, -1, np.int64)
    for group, members in enumerate(communities):
        for member in members:
            place = rows.place(member)
            if label[place] >= 0:
                raise BadParameter(f"{member!r} is in more than one community, or twice")
            label[place] = group
    if rows.n and label.min() < 0:
        raise BadParameter(f"{rows.id_of(int(np.argmin(label)))!r} is in no community")
    return _modularity(label, _ties(rows))


def _ties(rows: ArrayNetwork) -> Ints:
    """Both ends of every tie, the lower first, ascending: shape (ties, 2)."""
    tails, heads = rows.tails.astype(np.int64), rows.out_head.astype(np.int64)
    keys = np.unique(np.minimum(tails, heads) * rows.n + np.maximum(tails, heads))
    return np.stack([keys // max(rows.n, 1), keys % max(rows.n, 1)], axis=1)


def _drawn(rows: ArrayNetwork, ties: Ints) -> nx.Graph[int]:
    """The ties between places: numbers, so that no order depends on how names are hashed."""
    import networkx as nx

    drawn: nx.Graph[int] = nx.Graph()
    drawn.add_nodes_from(range(rows.n))
    drawn.add_edges_from(ties.tolist())
    return drawn


def _modularity(label: Ints, ties: Ints) -> Fraction:
    m = len(ties)
    if not m:
        return Fraction(0)
    first, second = label[ties[:, 0]], label[ties[:, 1]]
    within = int((first == second).sum())
    degrees = np.bincount(np.concatenate([first, second]))
    squares = sum(degree * degree for degree in degrees.tolist())
    return Fraction(4 * m * within - squares, 4 * m * m)
