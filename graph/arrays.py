"""The network of vouches as arrays: what runs, where NetworkX is what people touch.

Members are numbered 0 … n - 1 in the one order of all ids (`graph.checks.id_key`), so the same
network gives the same arrays whatever the order of its rows. Edges are kept twice, by voucher and
by borrower, each row sorted; several edges between the same two members are one, their rooms
added up. Nothing is ever changed: what came later is an `Overlay`, or a new network.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graph.checks import id_key, whole
from graph.errors import BadCapacity, BadParameter, DuplicateId, SelfLoop, UnknownNode

if TYPE_CHECKING:
    from graph.network import DirectedNetwork, Network

Ints: TypeAlias = NDArray[np.int64]
Places: TypeAlias = NDArray[np.int32]

# What a place in a row can number, and what a room may be so that sums over a cut stay in 64 bits.
MOST_EDGES = 2**31 - 1
MOST_ROOM = 2**52

NO_PLACES: Places = np.empty(0, np.int32)
NO_AMOUNTS: Ints = np.empty(0, np.int64)
_NO_START: Ints = np.zeros(1, np.int64)
for _array in (NO_PLACES, NO_AMOUNTS, _NO_START):
    _array.flags.writeable = False


class Rows(NamedTuple):
    """The incoming rows of a network as a kernel reads them.

    Attributes
    ----------
    start, tail, room : numpy.ndarray
        ``in_start``, ``in_tail``, ``in_room`` of the network below; places from
        ``start.size - 1`` on have no row there.
    standing : numpy.ndarray of int64
        That of the network below.
    changed : numpy.ndarray of int32
        Places whose row is replaced, ascending.
    changed_start, changed_tail, changed_room : numpy.ndarray
        Their rows.
    held : numpy.ndarray of int32
        Places whose standing is replaced, ascending.
    held_standing : numpy.ndarray of int64
        What they have now.
    """

    start: Ints
    tail: Places
    room: Ints
    standing: Ints
    changed: Places
    changed_start: Ints
    changed_tail: Places
    changed_room: Ints
    held: Places
    held_standing: Ints


@dataclass(frozen=True, eq=False, repr=False)
class ArrayNetwork:
    """Members, standings and rooms in compressed rows, by voucher and by borrower.

    Not made directly: see `from_rows`, `from_edges`, `from_networkx` and `as_arrays`. All arrays
    are read-only, and may be mapped from a file that several processes share.

    Attributes
    ----------
    ids : numpy.ndarray of int64, shape (n,), or tuple of Hashable
        Ids by place, ascending.
    standing : numpy.ndarray of int64, shape (n,)
        Minor units by place.
    out_start : numpy.ndarray of int64, shape (n + 1,)
        The edges that leave place i are ``out_start[i] … out_start[i + 1] - 1``.
    out_head : numpy.ndarray of int32, shape (m,)
        Where each leads, ascending within a row.
    out_room : numpy.ndarray of int64, shape (m,)
        Minor units.
    in_start, in_tail, in_room
        The same edges by head: the row of place i holds who vouches for i, ascending.
    in_edge : numpy.ndarray of int32, shape (m,)
        The place of each of these in the rows by voucher.
    """

    ids: Ints | tuple[Hashable, ...]
    standing: Ints
    out_start: Ints
    out_head: Places
    out_room: Ints
    in_start: Ints
    in_tail: Places
    in_room: Ints
    in_edge: Places

    def __post_init__(self) -> None:
        for array in self.arrays().values():
            array.flags.writeable = False

    def arrays(self) -> dict[str, NDArray[np.int64] | NDArray[np.int32]]:
        """All arrays by name, ids only where they are numbers.

        Returns
        -------
        dict of str to numpy.ndarray

        Notes
        -----
        Constant cost; nothing is copied.

        Examples
        --------
        >>> sorted(from_edges([("a", "b", 3)]).arrays())[:2]
        ['in_edge', 'in_room']
        """
        named: dict[str, NDArray[np.int64] | NDArray[np.int32]] = {
            "standing": self.standing,
            "out_start": self.out_start,
            "out_head": self.out_head,
            "out_room": self.out_room,
            "in_start": self.in_start,
            "in_tail": self.in_tail,
            "in_room": self.in_room,
            "in_edge": self.in_edge,
        }
        if isinstance(self.ids, np.ndarray):
            named["ids"] = self.ids
        return named

    @property
    def n(self) -> int:
        """Number of members."""
        return int(self.standing.size)

    @property
    def m(self) -> int:
        """Number of edges, parallel ones counted once."""
        return int(self.out_head.size)

    @property
    def nbytes(self) -> int:
        """What the arrays take in memory or on disk."""
        return sum(array.nbytes for array in self.arrays().values())

    def __repr__(self) -> str:
        return f"ArrayNetwork({self.n} members, {self.m} edges)"

    @cached_property
    def _places(self) -> dict[Hashable, int]:
        return {id_: place for place, id_ in enumerate(self.ids)}

    def place(self, id_: Hashable) -> int:
        """The place of a member.

        Parameters
        ----------
        id_ : Hashable

        Returns
        -------
        int
            0 … n - 1.

        Raises
        ------
        UnknownNode
            The network does not hold this member.

        Notes
        -----
        O(log n) where ids are numbers; otherwise constant after a first call of O(n).

        Examples
        --------
        >>> from_edges([(7, 3, 1)]).place(7)
        1
        """
        if isinstance(self.ids, np.ndarray):
            if not isinstance(id_, int | np.integer) or isinstance(id_, bool):
                raise UnknownNode(id_)
            at = int(self.ids.searchsorted(id_)) if -(2**63) <= id_ < 2**63 else self.n
            if at == self.n or self.ids[at] != id_:
                raise UnknownNode(id_)
            return at
        try:
            return self._places[id_]
        except KeyError:
            raise UnknownNode(id_) from None

    def __contains__(self, id_: Hashable) -> bool:
        try:
            self.place(id_)
        except UnknownNode:
            return False
        return True

    def places(self, ids: Iterable[Hashable] | Ints) -> Places:
        """The places of several members, in their order.

        Parameters
        ----------
        ids : iterable of Hashable, or numpy.ndarray of int64

        Returns
        -------
        numpy.ndarray of int32

        Raises
        ------
        UnknownNode
            Names the first one that the network does not hold.

        Notes
        -----
        O(k log n) for an array of numbers, without a loop in Python.
        """
        if isinstance(ids, np.ndarray) and isinstance(self.ids, np.ndarray):
            at = np.searchsorted(self.ids, ids)
            known = at < self.n
            known[known] = self.ids[at[known]] == ids[known]
            if not known.all():
                raise UnknownNode(int(ids[int(np.argmin(known))]))
            return at.astype(np.int32)
        return np.fromiter((self.place(id_) for id_ in ids), np.int32)

    def id_of(self, place: int) -> Hashable:
        """The member at a place, as a plain Python value."""
        id_ = self.ids[place]
        return int(id_) if isinstance(id_, np.integer) else id_

    def ids_of(self, places: Iterable[int] | NDArray[np.int32] | Ints) -> list[Hashable]:
        """The members at several places, as plain Python values."""
        if isinstance(self.ids, np.ndarray):
            listed: list[Hashable] = self.ids[np.asarray(places, dtype=np.int64)].tolist()
            return listed
        return [self.ids[int(place)] for place in places]

    def room(self, tail: Hashable, head: Hashable) -> int:
        """The room from one member to another, 0 where there is no edge.

        Raises
        ------
        UnknownNode
            The network does not hold one of them.

        Notes
        -----
        O(log n).
        """
        t, h = self.place(tail), self.place(head)
        begin, end = int(self.out_start[t]), int(self.out_start[t + 1])
        at = begin + int(np.searchsorted(self.out_head[begin:end], h))
        return int(self.out_room[at]) if at < end and self.out_head[at] == h else 0

    @cached_property
    def tails(self) -> Places:
        """The tail of each edge, in the order of the rows by voucher: shape (m,)."""
        return np.repeat(np.arange(self.n, dtype=np.int32), np.diff(self.out_start))

    @cached_property
    def _in_rows(self) -> Rows:
        return Rows(
            self.in_start,
            self.in_tail,
            self.in_room,
            self.standing,
            NO_PLACES,
            _NO_START,
            NO_PLACES,
            NO_AMOUNTS,
            NO_PLACES,
            NO_AMOUNTS,
        )

    def in_rows(self) -> Rows:
        """All incoming rows, as a kernel reads them. Constant cost; nothing is copied."""
        return self._in_rows

    def in_row(self, place: int) -> tuple[Places, Ints]:
        """Who vouches for the member at a place, ascending, and the room of each."""
        row = slice(int(self.in_start[place]), int(self.in_start[place + 1]))
        return self.in_tail[row], self.in_room[row]

    def to_networkx(self) -> DirectedNetwork:
        """The same network for people: see `graph.network`.

        Returns
        -------
        networkx.DiGraph
            Node attribute ``standing``, edge attribute ``room``.

        Notes
        -----
        O(n + m), in Python.

        Examples
        --------
        >>> sorted(from_edges([("a", "b", 3)]).to_networkx().edges(data="room"))
        [('a', 'b', 3)]
        """
        import networkx as nx

        ids = self.ids_of(range(self.n))
        made: DirectedNetwork = nx.DiGraph()
        for id_, standing in zip(ids, self.standing.tolist(), strict=True):
            made.add_node(id_, standing=standing)
        heads, rooms = self.out_head.tolist(), self.out_room.tolist()
        for tail, head, room in zip(self.tails.tolist(), heads, rooms, strict=True):
            made.add_edge(ids[tail], ids[head], room=room)
        return made


def from_rows(
    tails: ArrayLike,
    heads: ArrayLike,
    rooms: ArrayLike | None = None,
    *,
    ids: ArrayLike | None = None,
    standings: ArrayLike | None = None,
) -> ArrayNetwork:
    """Build a network from columns of numbers, such as rows just read from a database.

    ``room(u, v) = sum of rooms over the rows (u, v)``.

    Parameters
    ----------
    tails, heads : array of int, shape (m,)
        Who vouches, and for whom.
    rooms : array of int, shape (m,), optional
        Minor units, >= 0. Default 1 each.
    ids : array of int, shape (n,), optional
        All members; needed for those without an edge. Default: all that an edge names.
    standings : array of int, shape (n,), optional
        Minor units, >= 0, in the order of `ids`. Default 0.

    Returns
    -------
    ArrayNetwork

    Raises
    ------
    BadCapacity
        A room or standing is no whole number >= 0, or beyond 2**52 minor units.
    BadParameter
        Columns differ in length, ids are no whole numbers, standings come without ids, or there
        are more edges than 2**31 - 1.
    SelfLoop, UnknownNode, DuplicateId
        An edge leads from a member to themself, names a member that is not in `ids`, or an id is
        there twice.

    Notes
    -----
    O(n log n + m log d) for rows of d edges: one counting sort for each direction, and each row
    sorted by itself.

    Examples
    --------
    >>> network = from_rows([5, 5, 9], [9, 9, 2], [10, 5, 1])
    >>> network, network.room(5, 9)
    (ArrayNetwork(3 members, 2 edges), 15)
    """
    tail_ids, head_ids = _whole_numbers(tails, "tails"), _whole_numbers(heads, "heads")
    if tail_ids.size != head_ids.size:
        raise BadParameter(f"{tail_ids.size} tails, but {head_ids.size} heads")
    amounts = (
        np.ones(tail_ids.size, np.int64) if rooms is None else _amounts(rooms, "a room", tail_ids)
    )
    if ids is None:
        if standings is not None:
            raise BadParameter("standings need ids, to say whose they are")
        members = np.unique(np.concatenate([tail_ids, head_ids]))
        held = np.zeros(members.size, np.int64)
    else:
        named = _whole_numbers(ids, "ids")
        held = (
            np.zeros(named.size, np.int64)
            if standings is None
            else _amounts(standings, "a standing", named)
        )
        members = named
        if members.size > 1 and not (members[1:] > members[:-1]).all():
            order = np.argsort(members, kind="stable")
            members, held = members[order], held[order]
            twice = np.flatnonzero(members[1:] == members[:-1])
            if twice.size:
                raise DuplicateId("members", int(members[twice[0]]))
    loops = np.flatnonzero(tail_ids == head_ids)
    if loops.size:
        raise SelfLoop(int(tail_ids[loops[0]]))
    return _build(members, held, _find(members, tail_ids), _find(members, head_ids), amounts)


def from_edges(
    edges: Iterable[tuple[Hashable, Hashable, int]],
    standings: Mapping[Hashable, int] | None = None,
    *,
    nodes: Iterable[Hashable] = (),
) -> ArrayNetwork:
    """Build a network from edges between any ids.

    Parameters
    ----------
    edges : iterable of (tail, head, room)
        Rooms in minor units, >= 0; those of the same two add up.
    standings : mapping of member to int, optional
        Minor units, >= 0.
    nodes : iterable of Hashable
        Members to hold even without an edge.

    Returns
    -------
    ArrayNetwork

    Raises
    ------
    BadCapacity, SelfLoop, BadParameter
        As for `from_rows`.

    Notes
    -----
    O(n log n + m), in Python; `from_rows` is the fast way.

    Examples
    --------
    >>> from_edges([("ana", "ben", 3), ("ana", "ben", 4)], {"ana": 9}).room("ana", "ben")
    7
    """
    tails: list[Hashable] = []
    heads: list[Hashable] = []
    rooms: list[int] = []
    for tail, head, given in edges:
        if tail == head:
            raise SelfLoop(tail)
        tails.append(tail)
        heads.append(head)
        rooms.append(room_of(given, f"room of {tail!r} -> {head!r}"))
    held = {
        member: room_of(value, f"standing of {member!r}")
        for member, value in (standings or {}).items()
    }
    members = sorted({*tails, *heads, *held, *nodes}, key=id_key)
    at = {id_: place for place, id_ in enumerate(members)}
    return _build(
        _as_ids(members),
        np.fromiter((held.get(id_, 0) for id_ in members), np.int64, len(members)),
        np.fromiter((at[id_] for id_ in tails), np.int32, len(tails)),
        np.fromiter((at[id_] for id_ in heads), np.int32, len(heads)),
        np.array(rooms, np.int64),
    )


def from_networkx(network: Network, *, room: str | None = "room") -> ArrayNetwork:
    """Read a NetworkX graph; it is not changed.

    Parameters
    ----------
    network : networkx graph
        Directed or not (an undirected edge counts both ways), multigraphs included.
    room : str or None
        The edge attribute that holds the room; every edge needs it. None: every edge counts 1,
        and edges that lead from a node to itself are left out.

    Returns
    -------
    ArrayNetwork
        The node attribute ``standing`` where it is there, else 0.

    Raises
    ------
    BadCapacity, SelfLoop
        A room is missing or no whole number >= 0; an edge leads to its own start.

    Notes
    -----
    O(n log n + m), in Python.

    Examples
    --------
    >>> import networkx as nx
    >>> from_networkx(nx.cycle_graph(3, create_using=nx.DiGraph), room=None)
    ArrayNetwork(3 members, 3 edges)
    """
    from graph.network import rooms_of

    standings = {
        node: room_of(value, f"standing of {node!r}")
        for node, value in network.nodes(data="standing", default=0)
    }
    edges: Iterable[tuple[Hashable, Hashable, int]]
    if room is None:
        pairs = {(tail, head) for tail, head in network.edges() if tail != head}
        if not network.is_directed():
            pairs |= {(head, tail) for tail, head in pairs}
        edges = ((tail, head, 1) for tail, head in pairs)
    else:
        edges = ((*pair, amount) for pair, amount in rooms_of(network, room).items())
    return from_edges(edges, standings, nodes=network)


def as_arrays(network: ArrayNetwork | Network, *, room: str | None = "room") -> ArrayNetwork:
    """The network itself when it is an `ArrayNetwork`, else `from_networkx`.

    What every method of this package does first, so that it takes either.
    """
    if isinstance(network, ArrayNetwork):
        return network
    if not hasattr(network, "is_directed"):
        raise BadParameter(f"a network is an ArrayNetwork or a NetworkX graph, not {network!r}")
    return from_networkx(network, room=room)


def replaced(
    network: ArrayNetwork,
    rooms: Mapping[tuple[Hashable, Hashable], int],
    standings: Mapping[Hashable, int],
) -> ArrayNetwork:
    """The same network with other rooms for some pairs and other standings for some members.

    Parameters
    ----------
    network : ArrayNetwork
        Not changed.
    rooms : mapping of (tail, head) to int
        The room from now on; 0 takes the edge away. New members are added.
    standings : mapping of member to int

    Returns
    -------
    ArrayNetwork

    Raises
    ------
    BadCapacity, SelfLoop
        As for `from_edges`.

    Notes
    -----
    O(n + m): one pass, and the rows sorted anew.

    Examples
    --------
    >>> replaced(from_edges([("a", "b", 3)]), {("a", "b"): 0, ("b", "c"): 4}, {"c": 2})
    ArrayNetwork(3 members, 1 edges)
    """
    for (tail, head), value in rooms.items():
        room_of(value, f"room of {tail!r} -> {head!r}")
        if tail == head:
            raise SelfLoop(tail)
    ids = network.ids_of(range(network.n))
    named: set[Hashable] = {*standings, *(id_ for pair in rooms for id_ in pair)}
    fresh = named.difference(ids)
    members = sorted([*ids, *fresh], key=id_key) if fresh else ids
    at = {id_: place for place, id_ in enumerate(members)}
    moved = np.fromiter((at[id_] for id_ in ids), np.int32, network.n)
    standing = np.zeros(len(members), np.int64)
    standing[moved] = network.standing
    for member, value in standings.items():
        standing[at[member]] = room_of(value, f"standing of {member!r}")
    pairs = [(at[tail], at[head]) for tail, head in rooms]
    tails, heads, amounts = moved[network.tails], moved[network.out_head], network.out_room
    if pairs:
        changed = np.array(pairs, np.int64)
        keys = changed[:, 0] * len(members) + changed[:, 1]
        keep = ~np.isin(tails.astype(np.int64) * len(members) + heads, keys)
        now = np.fromiter(rooms.values(), np.int64, len(rooms))
        left = now > 0
        tails = np.concatenate([tails[keep], changed[left, 0].astype(np.int32)])
        heads = np.concatenate([heads[keep], changed[left, 1].astype(np.int32)])
        amounts = np.concatenate([amounts[keep], now[left]])
    return _build(_as_ids(members), standing, tails, heads, amounts)


def _as_ids(members: Ints | Sequence[Hashable]) -> Ints | tuple[Hashable, ...]:
    """An array where all are numbers, else a tuple."""
    if isinstance(members, np.ndarray):
        return members
    if all(type(id_) is int and -(2**63) <= id_ < 2**63 for id_ in members):
        return np.array(members, np.int64)
    return tuple(members)


def _build(
    ids: Ints | tuple[Hashable, ...], standing: Ints, tails: Places, heads: Places, rooms: Ints
) -> ArrayNetwork:
    from graph.kernels import build

    n = len(ids)
    if tails.size > MOST_EDGES or n > MOST_EDGES:
        raise BadParameter(f"more than {MOST_EDGES} edges or members")
    out_start, out_head, out_room = build.out_rows(tails, heads, rooms, n)
    if out_room.size and (out_room.min() < 0 or out_room.max() > MOST_ROOM):
        raise BadCapacity("the rooms between two members together", int(out_room.max()))
    in_start, in_tail, in_room, in_edge = build.in_rows(out_start, out_head, out_room, n)
    return ArrayNetwork(
        ids, standing, out_start, out_head, out_room, in_start, in_tail, in_room, in_edge
    )


def _whole_numbers(given: ArrayLike, what: str) -> Ints:
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise BadParameter(f"{what} must be one column of whole numbers")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise BadParameter(f"{what} must fit into 64 bits")
    # A copy: what somebody else may change must not be a part of a network.
    return array.astype(np.int64, copy=True)


def _amounts(given: ArrayLike, what: str, beside: Ints) -> Ints:
    array = np.asarray(given)
    if array.shape != beside.shape:
        raise BadParameter(f"{array.size} values for {what}, but {beside.size} rows")
    if array.size and array.dtype.kind not in "iu":
        raise BadCapacity(what, array.ravel()[0].item())
    if array.size and (int(array.min()) < 0 or int(array.max()) > MOST_ROOM):
        worst = int(array.min()) if int(array.min()) < 0 else int(array.max())
        raise BadCapacity(what, worst)
    return array.astype(np.int64, copy=True)


def room_of(given: object, what: str) -> int:
    """A whole amount >= 0 that an array can hold.

    Raises
    ------
    BadCapacity
        Not a whole number >= 0, or beyond 2**52 minor units.
    """
    amount = whole(given, what)
    if amount > MOST_ROOM:
        raise BadCapacity(what, amount)
    return amount


def _find(members: Ints, named: Ints) -> Places:
    """The place of each id: by a table where ids lie close together, else by search."""
    if not named.size:
        return np.empty(0, np.int32)
    if not members.size:
        raise UnknownNode(int(named[0]))
    low, high = int(members[0]), int(members[-1])
    outside = (named < low) | (named > high)
    if outside.any():
        raise UnknownNode(int(named[int(np.argmax(outside))]))
    if high - low + 1 == members.size:
        return (named - low).astype(np.int32)
    if high - low < 8 * members.size + 1024:
        table = np.full(high - low + 1, -1, np.int32)
        table[members - low] = np.arange(members.size, dtype=np.int32)
        found: Places = table[named - low]
        missing = found < 0
    else:
        at = np.searchsorted(members, named)
        missing = members[at] != named
        found = at.astype(np.int32)
    if missing.any():
        raise UnknownNode(int(named[int(np.argmax(missing))]))
    return found
