"""Whom a group of seeds accepts by certificates, with a bound on how many invented ones get in.

The flow of acceptance leaves a virtual root over the seeds; everybody on the way keeps one unit
and hands on the rest of their capacity, which falls with the distance from the root. What a crowd
of invented members can take is what those who certified them can hand on, however large it is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, as_arrays
from graph.checks import count, whole
from graph.errors import BadCertificate, BadParameter

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from graph.network import Network

Ints: TypeAlias = NDArray[np.int64]
Pair: TypeAlias = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Whom the seeds accept, and the flow that proves it.

    Attributes
    ----------
    count : int
        Size of every largest acceptable set; the root is not counted.
    accepted : frozenset of Hashable
        One such set.
    certain, possible : frozenset of Hashable
        Members of all such sets, and of at least one; these two do not depend on any order.
    distance : dict of Hashable to int
        Certificates from the root, which is at 0, to each member that it reaches; seeds at 1.
    handed : dict of (certifier, certified) to int
        Flow over certificates, where there is some.
    from_root : dict of Hashable to int
        Flow from the root to seeds, where there is some.
    """

    count: int
    accepted: frozenset[Hashable]
    certain: frozenset[Hashable]
    possible: frozenset[Hashable]
    distance: dict[Hashable, int]
    handed: dict[Pair, int]
    from_root: dict[Hashable, int]


def advogato(
    network: Network | ArrayNetwork,
    seeds: Iterable[Hashable],
    capacities: Sequence[int],
    *,
    least: int = 0,
) -> Accepted:
    """Advogato's trust metric: a largest flow of acceptance from the seeds.

    Maximum flow from the root in the network where every member v is split: ``in -> out`` of
    capacity ``c(v) - 1``, ``in -> sink`` of capacity 1, certificates ``out -> in`` without limit,
    ``c(v)`` by the distance of v from the root. v is accepted when its unit arrives.

    Parameters
    ----------
    network : networkx graph or ArrayNetwork
        Edges are certificates, their ``room`` the level.
    seeds : iterable of Hashable
        Whom the root certifies; one named twice counts once.
    capacities : sequence of int
        >= 1, by distance: the first is the root's, the second the seeds', the last holds for all
        further out.
    least : int
        Only certificates of at least this level count. Default 0: all.

    Returns
    -------
    Accepted

    Raises
    ------
    BadCapacity, SelfLoop
        As for `graph.arrays.from_networkx`.
    UnknownNode
        A seed is not in the network.
    BadParameter
        No seed, no capacity, a capacity below 1, `least` no whole number >= 0.

    Notes
    -----
    One maximum flow by Dinic's method on 2n + 3 nodes, of value at most n; 6,000 members with
    54,000 certificates take some hundredths of a second.

    Let a member be confused who is no invention but certifies one. At most the sum of ``c(v) - 1``
    over confused members are accepted by mistake, since all flow to inventions passes them.

    Which set is largest need not be unique: `certain` and `possible` say what all and what some
    have in common, from what is left of the capacities after the flow.

    References
    ----------
    Levien (2000 and later), Attack-resistant trust metrics; Levien & Aiken (1998).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> given = from_edges([("s", "a", 1), ("s", "b", 1), ("a", "c", 1)])
    >>> found = advogato(given, ["s"], [9, 2, 1])
    >>> found.count, sorted(found.certain), sorted(found.possible)
    (2, ['s'], ['a', 'b', 's'])
    """
    count(least, "least", 0)
    arrays = as_arrays(network)
    limits = _limits(capacities)
    return _accept(arrays, _places(arrays, seeds), limits, least)


def advogato_levels(
    network: Network | ArrayNetwork, seeds: Iterable[Hashable], capacities: Sequence[int]
) -> dict[int, Accepted]:
    """One run of `advogato` for each level of certificates, on those of that level or higher.

    Parameters
    ----------
    network, seeds, capacities
        As for `advogato`.

    Returns
    -------
    dict of int to Accepted
        By level, ascending: the different rooms of the network. A member's own level is the
        highest at which they are accepted.

    Raises
    ------
    BadCapacity, SelfLoop, UnknownNode, BadParameter
        As for `advogato`; more than 64 different rooms, which are then no levels.

    Notes
    -----
    One maximum flow a level.

    References
    ----------
    Levien (2000 and later).

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> given = from_edges([("s", "a", 2), ("a", "b", 1)])
    >>> {level: found.count for level, found in advogato_levels(given, ["s"], [9, 3, 2]).items()}
    {1: 3, 2: 2}
    """
    arrays = as_arrays(network)
    limits = _limits(capacities)
    places = _places(arrays, seeds)
    levels = np.unique(arrays.out_room).tolist()
    if len(levels) > 64:
        raise BadParameter(f"{len(levels)} different rooms are no levels of certificates")
    return {level: _accept(arrays, places, limits, level) for level in levels}


def check_accepted(
    found: Accepted,
    network: Network | ArrayNetwork,
    seeds: Iterable[Hashable],
    capacities: Sequence[int],
    *,
    least: int = 0,
) -> None:
    """Recompute from its parts whether an answer of `advogato` holds.

    Checks that flow is within capacities and conserved at every member, that exactly the accepted
    keep a unit, and that no flow is larger: what the root still reaches leaves no way to the sink.

    Parameters
    ----------
    found : Accepted
    network, seeds, capacities, least
        What it was computed from.

    Raises
    ------
    BadCertificate
        Says what does not fit.

    Notes
    -----
    O(n + m), in Python.

    Examples
    --------
    >>> from graph.arrays import from_edges
    >>> given = from_edges([("s", "a", 1), ("s", "b", 1)])
    >>> check_accepted(advogato(given, ["s"], [9, 2, 1]), given, ["s"], [9, 2, 1])
    """
    arrays = as_arrays(network)
    limits = _limits(capacities)
    ids = arrays.ids_of(range(arrays.n))
    onward: dict[Hashable, list[Hashable]] = {id_: [] for id_ in ids}
    certifiers: dict[Hashable, list[Hashable]] = {id_: [] for id_ in ids}
    rows = zip(arrays.tails.tolist(), arrays.out_head.tolist(), arrays.out_room, strict=True)
    for t, h, room in rows:
        if room >= least:
            onward[ids[t]].append(ids[h])
            certifiers[ids[h]].append(ids[t])
    named = {arrays.id_of(int(place)) for place in _places(arrays, seeds)}
    distance = dict.fromkeys(named, 1)
    queue = list(named)
    for member in queue:
        for other in onward[member]:
            if other not in distance:
                distance[other] = distance[member] + 1
                queue.append(other)
    if distance != found.distance:
        raise BadCertificate("the distances are not those from the root")

    def passes(member: Hashable) -> int:
        return limits[min(distance[member], len(limits) - 1)] - 1

    arrives: dict[Hashable, int] = dict.fromkeys(ids, 0)
    leaves: dict[Hashable, int] = dict.fromkeys(ids, 0)
    for seed, flow in found.from_root.items():
        if seed not in named or flow <= 0:
            raise BadCertificate(f"the root hands {flow} to {seed!r}")
        arrives[seed] += flow
    for (tail, head), flow in found.handed.items():
        if head not in onward.get(tail, ()) or flow <= 0:
            raise BadCertificate(f"{tail!r} hands {flow} to {head!r} without a certificate")
        leaves[tail] += flow
        arrives[head] += flow
    for member in ids:
        kept = arrives[member] - leaves[member]
        if kept != (member in found.accepted):
            raise BadCertificate(f"{member!r} keeps {kept}")
        if leaves[member] and leaves[member] > passes(member):
            raise BadCertificate(f"{member!r} hands on {leaves[member]}, more than they may")
    value = sum(found.from_root.values())
    if not found.count == len(found.accepted) == value <= limits[0] - 1:
        raise BadCertificate(f"a flow of {value} does not accept {found.count}")
    if value < limits[0] - 1:
        _check_no_larger(found, named, onward, certifiers, {m: passes(m) for m in distance}, leaves)


def _check_no_larger(
    found: Accepted,
    seeds: set[Hashable],
    onward: Mapping[Hashable, list[Hashable]],
    certifiers: Mapping[Hashable, list[Hashable]],
    passes: Mapping[Hashable, int],
    leaves: Mapping[Hashable, int],
) -> None:
    """No way is left from the root to a member who could still keep a unit."""
    # (member, 0) is where flow comes in, (member, 1) where it leaves.
    queue: list[tuple[Hashable, int]] = [(seed, 0) for seed in seeds]
    seen = set(queue)
    for member, half in queue:
        if half == 0:
            if member not in found.accepted:
                raise BadCertificate(f"{member!r} could be accepted as well")
            ways = [(member, 1)] if leaves[member] < passes[member] else []
            ways += [(t, 1) for t in certifiers[member] if found.handed.get((t, member), 0)]
        else:
            ways = [(head, 0) for head in onward[member]]
            ways += [(member, 0)] if leaves[member] else []
        for way in ways:
            if way not in seen:
                seen.add(way)
                queue.append(way)


def _limits(capacities: Sequence[int]) -> list[int]:
    limits = [whole(value, "a capacity") for value in capacities]
    if not limits or min(limits) < 1:
        raise BadParameter("capacities must be whole numbers >= 1, at least one")
    return limits


def _places(arrays: ArrayNetwork, seeds: Iterable[Hashable]) -> NDArray[np.int32]:
    places = np.unique(arrays.places(seeds))
    if not places.size:
        raise BadParameter("at least one seed is needed")
    return places


def _accept(
    arrays: ArrayNetwork, seeds: NDArray[np.int32], limits: list[int], least: int
) -> Accepted:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    n = arrays.n
    counts = arrays.out_room >= least
    tails, heads = arrays.tails[counts].astype(np.int64), arrays.out_head[counts].astype(np.int64)
    distance = _distances(n, tails, heads, seeds)
    reached = np.flatnonzero(distance)
    capacity = np.array([min(limit - 1, n) for limit in limits], np.int64)
    # Member v is 2 v where flow comes in and 2 v + 1 where it leaves; then root and sink.
    entry, root, sink = 2 * n, 2 * n + 1, 2 * n + 2
    passes = capacity[np.minimum(distance[reached], len(limits) - 1)]
    known = distance[tails] > 0
    tails, heads = tails[known], heads[known]
    arcs_from = np.concatenate(
        [[entry], np.full(seeds.size, root), 2 * reached, 2 * reached, 2 * tails + 1]
    )
    arcs_to = np.concatenate(
        [
            [root],
            2 * seeds.astype(np.int64),
            np.full(reached.size, sink),
            2 * reached + 1,
            2 * heads,
        ]
    )
    # More than n never flows, so n is no limit.
    rooms = np.concatenate(
        [
            [capacity[0]],
            np.full(seeds.size, n),
            np.ones(reached.size, np.int64),
            passes,
            np.full(tails.size, n),
        ]
    ).astype(np.int32)
    shape = (2 * n + 3, 2 * n + 3)
    network = csr_array((rooms, (arcs_from, arcs_to)), shape=shape)
    network.eliminate_zeros()
    result = maximum_flow(network, entry, sink)
    left = csr_array(network - result.flow)
    left.eliminate_zeros()
    # After the flow, who still reaches the sink could hand their unit on; whom the sink reaches
    # backwards could take over the unit of somebody.
    gives = breadth_first_order(csr_array(left.T), sink, return_predecessors=False)
    takes = breadth_first_order(left, sink, return_predecessors=False)
    can_give, can_take = np.zeros(2 * n + 3, np.bool_), np.zeros(2 * n + 3, np.bool_)
    can_give[gives] = True
    can_take[takes] = True
    flow = csr_array(result.flow)
    entries = 2 * reached
    kept = _over(flow, entries, np.full(reached.size, sink)) > 0
    handed = _over(flow, 2 * tails + 1, 2 * heads)
    used = np.flatnonzero(handed)
    begun = _over(flow, np.full(seeds.size, root), 2 * seeds.astype(np.int64))

    def members(places: Ints) -> list[Hashable]:
        return arrays.ids_of(places)

    return Accepted(
        int(result.flow_value),
        frozenset(members(reached[kept])),
        frozenset(members(reached[kept & ~can_give[entries]])),
        frozenset(members(reached[kept | can_take[entries]])),
        dict(zip(members(reached), distance[reached].tolist(), strict=True)),
        dict(
            zip(
                zip(members(tails[used]), members(heads[used]), strict=True),
                handed[used].tolist(),
                strict=True,
            )
        ),
        dict(
            zip(members(seeds[begun > 0].astype(np.int64)), begun[begun > 0].tolist(), strict=True)
        ),
    )


def _over(flow: csr_array, tails: Ints, heads: Ints) -> Ints:
    """Flow over some arcs."""
    # SciPy gives a sparse array back where it is asked for none.
    if not tails.size:
        return np.zeros(0, np.int64)
    return np.asarray(flow[tails, heads]).ravel().astype(np.int64)


def _distances(n: int, tails: Ints, heads: Ints, seeds: NDArray[np.int32]) -> Ints:
    """Certificates from the root, 0 for who cannot be reached."""
    distance = np.zeros(n, np.int64)
    distance[seeds] = 1
    step = 1
    while True:
        here = heads[distance[tails] == step]
        here = here[distance[here] == 0]
        if not here.size:
            return distance
        step += 1
        distance[here] = step
