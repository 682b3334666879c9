"""What a network says about a pair of members: the material of predictions.

Nothing here is fitted. Each feature is a number that can be worked out by hand and shown to the
two members, such as how many contacts they share; a model may weigh them, or a person.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, Places, as_arrays
from graph.checks import count
from graph.errors import BadParameter

if TYPE_CHECKING:
    from graph.network import Network

# Pairs at once, and members from whom walks start at once: what bounds the memory.
_PAIRS = 65_536
_STARTS = 256
# Chance that a walk goes on.
_ON = 0.7


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """One row per pair, in the order of the pairs, one column per feature.

    Attributes
    ----------
    pairs : tuple of (s, t)
    names : tuple of str
    values : numpy.ndarray of float64, shape (pairs, names)
        Read-only.
    """

    pairs: tuple[tuple[Hashable, Hashable], ...]
    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        self.values.flags.writeable = False

    def column(self, name: str) -> NDArray[np.float64]:
        """One feature of all pairs.

        Parameters
        ----------
        name : str

        Returns
        -------
        numpy.ndarray of float64, shape (pairs,)

        Raises
        ------
        BadParameter
            There is no such feature.

        Notes
        -----
        Constant cost; nothing is copied.

        Examples
        --------
        >>> from graph.arrays import from_edges
        >>> network = from_edges([("ana", "ben", 3), ("ben", "cy", 2)])
        >>> pair_features(network, [("ana", "cy")]).column("two_hop").tolist()
        [2.0]
        """
        if name not in self.names:
            raise BadParameter(f"no feature {name!r}; there are {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]


def pair_features(
    network: ArrayNetwork | Network,
    pairs: Iterable[tuple[Hashable, Hashable]] | NDArray[np.int64],
    *,
    steps: int = 4,
) -> PairFeatures:
    """Direct room, shared contacts, short chains and walks between the members of each pair.

    With ``c`` the rooms, ``u = c + c'`` the rooms both ways together, ``N(i)`` the contacts of i
    (``u(i, j) > 0``) and ``k(i)`` their number, for a pair ``(s, t)``::

        room, room_back      c(s, t), c(t, s)
        two_hop              c(s, t) + sum over v of min(c(s, v), c(v, t))
        two_hop_back         the same from t to s
        common               |N(s) and N(t)|
        jaccard              common / |N(s) or N(t)|, 0 where both are empty
        adamic_adar          sum over common v of 1 / log k(v)
        resource             sum over common v of 1 / k(v)
        paths3               sum over i in N(s), j in N(t), j in N(i) of 1 / sqrt(k(i) k(j))
        walk, walk_back      chance that a walk from s (from t), which follows u and ends with
                             chance 0.3 before each step, at the latest after `steps` steps,
                             ends at t (at s)
        degree_product       k(s) k(t)

    Parameters
    ----------
    network : ArrayNetwork or networkx graph
        Edge attribute ``room``, whole minor units >= 0. Not changed.
    pairs : iterable of (s, t), or numpy.ndarray of int64, shape (pairs, 2)
        Two different members each; a pair may come twice.
    steps : int
        Longest walk, >= 1.

    Returns
    -------
    PairFeatures

    Raises
    ------
    UnknownNode, BadParameter
        A member is not in the network; a pair names one member twice; steps below 1.
    BadCapacity, SelfLoop
        An edge of a NetworkX graph is not what it has to be.

    Notes
    -----
    Per distinct s or t the edges within `steps` hops, per pair the contacts of both; memory of
    256 rows of the network and 65,536 pairs at a time. An edge with room 0 is no contact. The
    walks that make up `paths3` may turn back, so direct contacts have high values.

    References
    ----------
    two_hop: Karlan, Mobius, Rosenblat & Szeidl (2009), Trust and social collateral, Quarterly
    Journal of Economics 124(3). adamic_adar: Adamic & Adar (2003), Friends and neighbors on the
    Web, Social Networks 25(3). resource: Zhou, Lü & Zhang (2009), Predicting missing links via
    local information, European Physical Journal B 71. paths3: Kovács et al. (2019),
    Network-based prediction of protein interactions, Nature Communications 10. walk: Liu & Lü
    (2010), Link prediction based on local random walk, Europhysics Letters 89.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> network = from_edges([("ana", "ben", 3), ("ben", "cy", 2), ("cy", "dan", 5)])
    >>> found = pair_features(network, [("ana", "cy"), ("ana", "dan")])
    >>> found.column("common").tolist(), found.column("paths3").round(3).tolist()
    ([1.0, 0.0], [0.0, 0.5])
    """
    from scipy.sparse import csr_array

    arrays = as_arrays(network)
    steps = count(steps, "steps", 1)
    listed, starts, ends = _places_of_pairs(arrays, pairs)
    same = np.flatnonzero(starts == ends)
    if same.size:
        raise BadParameter(f"a pair needs two members, not {listed[int(same[0])]!r}")
    held = arrays.out_room > 0
    shape = (arrays.n, arrays.n)
    rooms = csr_array(
        (arrays.out_room[held].astype(float), (arrays.tails[held], arrays.out_head[held])), shape
    )
    columns = {**_direct(rooms, starts, ends), **_walked(rooms, starts, ends, steps)}
    names = tuple(name for name in _NAMES if name in columns)
    values = np.column_stack([columns[name] for name in names])
    return PairFeatures(listed, names, values)


def _places_of_pairs(
    arrays: ArrayNetwork, pairs: Iterable[tuple[Hashable, Hashable]] | NDArray[np.int64]
) -> tuple[tuple[tuple[Hashable, Hashable], ...], Places, Places]:
    if isinstance(pairs, np.ndarray):
        if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
            raise BadParameter("an array of pairs holds whole numbers in two columns")
        places = arrays.places(pairs.ravel().astype(np.int64)).reshape(pairs.shape)
        return tuple((s, t) for s, t in pairs.tolist()), places[:, 0], places[:, 1]
    listed = tuple((s, t) for s, t in pairs)
    starts = arrays.places([s for s, _ in listed])
    return listed, starts, arrays.places([t for _, t in listed])


_NAMES = (
    "room",
    "room_back",
    "two_hop",
    "two_hop_back",
    "common",
    "jaccard",
    "adamic_adar",
    "resource",
    "paths3",
    "walk",
    "walk_back",
    "degree_product",
)

_Column = NDArray[np.float64]


def _direct(rooms: Any, starts: Any, ends: Any) -> dict[str, _Column]:
    """What the rows of the two members say, side by side."""
    names = [n for n in _NAMES if n not in ("paths3", "walk", "walk_back")]
    columns = {name: np.zeros(starts.size) for name in names}
    back = rooms.T.tocsr()
    ties = (rooms + back).tocsr()
    ties.data[:] = 1.0
    degree = np.diff(ties.indptr).astype(float)
    # A contact that two members share has at least two contacts.
    weight = {
        "common": np.ones(degree.size),
        "adamic_adar": 1 / np.log(np.maximum(degree, 2)),
        "resource": 1 / np.maximum(degree, 1),
    }
    for begin in range(0, starts.size, _PAIRS):
        part = slice(begin, begin + _PAIRS)
        s, t = starts[part], ends[part]
        for name, way, other in (("room", rooms, back), ("room_back", back, rooms)):
            rows, facing = way[s], other[t]
            columns[name][part] = _picked(way, s, t)
            over = "two_hop" + name.removeprefix("room")
            columns[over][part] = columns[name][part] + rows.minimum(facing).sum(axis=1)
        shared = ties[s] * ties[t]
        for name, by in weight.items():
            columns[name][part] = shared @ by
        both = degree[s] + degree[t] - columns["common"][part]
        columns["jaccard"][part] = columns["common"][part] / np.maximum(both, 1)
        columns["degree_product"][part] = degree[s] * degree[t]
    return columns


def _walked(rooms: Any, starts: Any, ends: Any, steps: int) -> dict[str, _Column]:
    """What chains of three steps and walks from each member lead to."""
    from scipy.sparse import csr_array, diags_array

    columns = {name: np.zeros(starts.size) for name in ("paths3", "walk", "walk_back")}
    both = (rooms + rooms.T).tocsr()
    ties = both.copy()
    ties.data[:] = 1.0
    roots = diags_array(1 / np.sqrt(np.maximum(np.diff(ties.indptr), 1.0)))
    middle = (roots @ ties @ roots).tocsr()
    total = both.sum(axis=1)
    onward = (diags_array(1 / np.maximum(total, 1.0)) @ both).tocsr()
    for name, here, there in (("walk", starts, ends), ("walk_back", ends, starts)):
        order = np.argsort(here, kind="stable")
        distinct, first = np.unique(here[order], return_index=True)
        bounds = np.append(first, here.size)
        for begin in range(0, distinct.size, _STARTS):
            members = distinct[begin : begin + _STARTS]
            rows = order[bounds[begin] : bounds[begin + members.size]]
            place, other = np.searchsorted(members, here[rows]), there[rows]
            at = csr_array(
                (np.ones(members.size), (np.arange(members.size), members)),
                (members.size, rooms.shape[0]),
            )
            if name == "walk":
                columns["paths3"][rows] = _picked(ties[members] @ middle @ ties, place, other)
            ended = np.zeros(rows.size)
            for step in range(1, steps + 1):
                at = at @ onward
                chance = _ON**step * (1 - _ON if step < steps else 1.0)
                ended += chance * _picked(at, place, other)
            columns[name][rows] = ended
    return columns


def _picked(matrix: Any, rows: Any, columns: Any) -> _Column:
    if not rows.size:
        return np.zeros(0)
    return np.asarray(matrix.tocsr()[rows, columns], dtype=float).ravel()
