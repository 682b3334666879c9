"""What a member's circle stands good for, and which promises a loan rests on.

Works for one borrower on plain values, such as rows just read from a database. Every unit of
cover starts at somebody's standing and travels along vouches to the borrower; K (`circle`) is the
most vouches that one unit may travel. K = 0, 1, 2 and the whole graph are exact maximum flows in
whole numbers; K >= 3 is an exact fractional optimum.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

from graph.certificates import check_certificate
from graph.checks import whole
from graph.cover import SINK, SOURCE, LayeredCover, WholeCover, neighbourhood, ordered
from graph.errors import BadParameter, CoverShort, GraphError, UnknownNode
from graph.many_limits import quick_value
from graph.promises import (
    CoverLimit,
    CoverPath,
    CutItem,
    Promise,
    Raise,
    by_length,
    check_circle,
    standings_table,
    with_overlay,
)
from graph.short_cover import fractional_limit

if TYPE_CHECKING:
    from graph.arrays import ArrayNetwork
    from graph.network import Network
    from graph.overlay import Overlay


def cover_limit(
    borrower: Hashable,
    standings: Mapping[Hashable, int] | ArrayNetwork | Overlay | Network,
    promises: Iterable[Promise] = (),
    *,
    circle: int | None = 2,
    overlay: Iterable[Promise] = (),
) -> CoverLimit:
    """The most that the borrower's circle stands good for.

    ``max sum_P x_P`` over paths P of at most K vouches that end at the borrower and do not pass
    through the borrower before, with ``sum_{P uses v} x_P <= room(v)`` for every promise v and
    ``sum_{P starts at u} x_P <= standing(u)`` for every member u.

    Parameters
    ----------
    borrower : Hashable
        Must appear in `standings` or in a promise.
    standings : mapping of member to int; or ArrayNetwork, Overlay or networkx graph
        What each member can be made to pay, in minor units, >= 0, reservations subtracted. A
        member without an entry has 0. A network holds the vouches too; their ids are then
        ``(voucher, borrower)``, and what would be is laid over it by `graph.overlay.overlaid`.
    promises : iterable of Promise
        Live vouches with their residual room; those that cannot matter are ignored. A promise
        with room 0 matters for `raises`. None beside a network.
    circle : int or None
        K: the most vouches on a path. 0, 1, 2 in whole numbers; >= 3 the fractional optimum;
        None the whole graph, any length. Default 2.
    overlay : iterable of Promise
        "What if": see `with_overlay`.

    Returns
    -------
    CoverLimit

    Raises
    ------
    UnknownNode
        The borrower appears nowhere. Give them a standing of 0 to get a limit of 0.
    BadCapacity, BadParameter, DuplicateId
        A standing is no whole number >= 0; `circle` is no whole number or None; an id is there
        twice; promises come beside a network.
    NoConvergence
        K >= 3 only: the optimum could not be proved.

    Notes
    -----
    K <= 2: one node per member, fed by the standing, serves its direct and its second-hop role;
    a promise to the borrower stands in the first layer only, any other in the second only. So it
    is a plain maximum flow: about 1 ms for some hundred promises, no import beyond the standard
    library. Whole graph: O(n^2 m) at worst. K >= 3: see `graph.layered.bounded_flow`.
    Nothing in the answer depends on the order of input, except which of several optimal flows is
    shown when there is no limit of 2 on the length of paths.

    References
    ----------
    Karlan, Mobius, Rosenblat & Szeidl (2009), Trust and social collateral, Quarterly Journal of
    Economics 124(3).

    Examples
    --------
    Ana has 100 and vouches 60 for Ben; Cai has 50 and vouches 80 for Ana.

    >>> promises = [Promise(1, "ana", "ben", 130), Promise(2, "cai", "ana", 80)]
    >>> limit = cover_limit("ben", {"ana": 100, "cai": 50, "ben": 5}, promises)
    >>> limit.value, limit.own, limit.direct, limit.second
    (135, 5, 100, 30)
    >>> [(item.kind, item.id) for item in limit.cut]
    [('promise', 1), ('standing', 'ben')]
    """
    check_circle(circle)
    chosen = with_overlay(promises, overlay)
    if not isinstance(standings, Mapping):
        from graph.array_limits import promises_near, whole_limit
        from graph.cuts import CutFinder

        _refuse_both(chosen)
        if circle is None:
            return whole_limit(CutFinder(standings), borrower)
        standings, chosen = promises_near(standings, borrower, circle)
    table = standings_table(standings)
    near = neighbourhood(borrower, table, chosen, circle)
    if circle is not None and circle >= 3:
        return fractional_limit(borrower, table, near, circle)
    net: LayeredCover | WholeCover
    if circle is None:
        net = WholeCover(borrower, table, near)
        net.residual.push_all(SOURCE, SINK)
    else:
        net = LayeredCover(borrower, table, near)
        price = net.residual.push_cheapest(SOURCE, SINK)
        net.residual.prefer(net.preference(), price)
    paths = ordered(net.paths(), table, chosen)
    parts = by_length(paths)
    value = sum(parts)
    return CoverLimit(borrower, circle, int(value), value, *parts, paths, net.cut(), net)


def reserve_cover(
    borrower: Hashable,
    standings: Mapping[Hashable, int] | ArrayNetwork | Overlay | Network,
    promises: Iterable[Promise],
    amount: int,
    *,
    circle: int = 2,
) -> tuple[CoverPath, ...]:
    """Cover exactly `amount` with the fewest vouches, and say along which paths.

    Minimise ``sum_P x_P * (vouches on P)`` subject to the limits of `cover_limit` and
    ``sum_P x_P == amount``. Among all covers that reach this minimum, choose the one that takes
    as much as possible from the member with the largest standing, then from the second largest,
    and so on (equal standings: lowest id first); among those, the one that puts as much as
    possible on the oldest promise, then on the second oldest, and so on (equal age: lowest id
    first). Ids are ordered by `graph.checks.id_key`.

    Parameters
    ----------
    borrower, standings, promises
        As for `cover_limit`. A network knows no ages: its vouches are all of one age.
    amount : int
        Minor units, >= 0.
    circle : int
        0, 1 or 2. A stored cover line has at most two vouches, and with three the whole-number
        problem is hard.

    Returns
    -------
    tuple of CoverPath
        Amounts are ints and sum to `amount`; no path appears twice; fewest vouches first, then
        larger standing, lower id, older promises. Empty for 0.

    Raises
    ------
    CoverShort
        The limit is smaller than `amount`; the error carries `limit`.
    UnknownNode, BadCapacity, BadParameter, DuplicateId
        As for `cover_limit`.

    Notes
    -----
    A cheapest flow with prices, then for each standing and promise in the order above one search
    for a free exchange. All in whole numbers, nothing is weighed against anything else; a few
    milliseconds for some hundred promises. The totals per standing and per promise are unique.
    Where a middle member receives on several promises and passes on over several, what comes in
    is matched to what goes out in order: own standing first, then by age and id.

    References
    ----------
    Ford & Fulkerson (1962), Flows in Networks.

    Examples
    --------
    >>> promises = [Promise(1, "ana", "ben", 130), Promise(2, "cai", "ana", 80)]
    >>> for path in reserve_cover("ben", {"ana": 100, "cai": 50, "ben": 5}, promises, 120):
    ...     print(path.standing_of, path.promises, path.amount)
    ben () 5
    ana (1,) 100
    cai (2, 1) 15
    """
    check_circle(circle)
    if circle not in (0, 1, 2):
        raise BadParameter("cover is reserved along at most two vouches: circle must be 0, 1 or 2")
    wanted = whole(amount, "amount")
    chosen = with_overlay(promises, ())
    if not isinstance(standings, Mapping):
        from graph.array_limits import promises_near

        _refuse_both(chosen)
        standings, chosen = promises_near(standings, borrower, circle)
    table = standings_table(standings)
    net = LayeredCover(borrower, table, neighbourhood(borrower, table, chosen, circle))
    price = net.residual.push_cheapest(SOURCE, SINK, wanted)
    found = net.value()
    if found < wanted:
        raise CoverShort(wanted, found)
    net.residual.prefer(net.preference(), price)
    return ordered(net.paths(), table, chosen)


def cover_limits_all(
    standings: Mapping[Hashable, int] | ArrayNetwork | Overlay | Network,
    promises: Iterable[Promise] = (),
    *,
    circle: int | None = 2,
    borrowers: Iterable[Hashable] | None = None,
) -> dict[Hashable, int]:
    """The value of `cover_limit` for many borrowers, each as if nobody else borrowed.

    Parameters
    ----------
    standings, promises, circle
        As for `cover_limit`.
    borrowers : iterable of member, optional
        Default: everybody with a standing or a promise.

    Returns
    -------
    dict of member to int
        Minor units, in the order of `borrowers`.

    Raises
    ------
    UnknownNode, BadCapacity, BadParameter, DuplicateId, NoConvergence
        As for `cover_limit`.

    Notes
    -----
    For K <= 2 the promises are indexed once; each borrower is a small transport problem between
    standings and direct vouchers, filled greedily and then completed by augmenting paths. About
    0.2 ms a borrower with ten vouches a member. Other K: one `cover_limit` each. On a network in
    compiled loops: see `graph.array_limits.limit_values`.

    Examples
    --------
    >>> promises = [Promise(1, "ana", "ben", 130), Promise(2, "cai", "ana", 80)]
    >>> cover_limits_all({"ana": 100, "cai": 50}, promises)
    {'ana': 150, 'cai': 50, 'ben': 130}
    """
    check_circle(circle)
    chosen = with_overlay(promises, ())
    if not isinstance(standings, Mapping):
        from graph.array_limits import limit_values
        from graph.arrays import as_arrays
        from graph.overlay import Overlay

        _refuse_both(chosen)
        network = standings if isinstance(standings, Overlay) else as_arrays(standings)
        named = network.ids_of(range(network.n)) if borrowers is None else list(borrowers)
        asked = None if borrowers is None else named
        values = limit_values(network, asked, circle=circle)
        return dict(zip(named, values.tolist(), strict=True))
    table = standings_table(standings)
    members: dict[Hashable, None] = dict.fromkeys(table)
    into: dict[Hashable, dict[Hashable, int]] = {}
    for p in chosen:
        members[p.voucher] = members[p.borrower] = None
        if p.room:
            rooms = into.setdefault(p.borrower, {})
            rooms[p.voucher] = rooms.get(p.voucher, 0) + p.room
    asked = list(members if borrowers is None else borrowers)
    for member in asked:
        if member not in members:
            raise UnknownNode(member)
    if circle is None or circle > 2:
        return {b: cover_limit(b, table, chosen, circle=circle).value for b in asked}
    return {b: quick_value(b, table, into, circle) for b in asked}


def _refuse_both(promises: tuple[Promise, ...]) -> None:
    if promises:
        raise BadParameter("a network holds its vouches; lay more over it by graph.overlay")


__all__ = [
    "CoverLimit",
    "CoverPath",
    "CutItem",
    "GraphError",
    "Promise",
    "Raise",
    "check_certificate",
    "cover_limit",
    "cover_limits_all",
    "reserve_cover",
    "with_overlay",
]
