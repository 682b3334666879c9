"""What a member's circle stands good for, and which promises a loan rests on.

Works for one borrower on plain values, such as rows just read from a database. Every unit of
cover starts at somebody's standing and travels along vouches to the borrower; K (`circle`) is the
most vouches that one unit may travel. K = 0, 1, 2 and the whole graph are exact maximum flows in
whole numbers; K >= 3 is an exact fractional optimum.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, Protocol

from graph.checks import count, id_key, real, whole
from graph.errors import (
    BadCertificate,
    BadParameter,
    CoverShort,
    DuplicateId,
    GraphError,
    SelfLoop,
    UnknownNode,
)
from graph.flow import UNLIMITED, Residual
from graph.layered import BoundedFlow, bounded_flow

Amount = int | Fraction
Kind = Literal["promise", "standing"]

_SOURCE, _SINK = 0, 1


@dataclass(frozen=True, slots=True)
class Promise:
    """One live vouch with the room that is left on it.

    Parameters
    ----------
    id : Hashable
        Names the vouch. Several between the same two members are kept apart by it.
    voucher, borrower : Hashable
        `voucher` stands behind `borrower`; two different members.
    room : int
        Limit - reserved - spent, in minor units, >= 0.
    age_rank : int or float
        Smaller is older, e.g. a running number or a time stamp. Default 0.

    Raises
    ------
    BadCapacity
        `room` is no whole number >= 0.
    SelfLoop
        Voucher and borrower are one.
    BadParameter
        `age_rank` is no number, or NaN.

    Examples
    --------
    >>> Promise("v1", "ana", "ben", 500).room
    500
    """

    id: Hashable
    voucher: Hashable
    borrower: Hashable
    room: int
    age_rank: int | float = 0

    def __post_init__(self) -> None:
        if type(self.room) is not int or self.room < 0:
            object.__setattr__(self, "room", whole(self.room, f"room of promise {self.id!r}"))
        if type(self.age_rank) is not int:
            real(self.age_rank, f"age_rank of promise {self.id!r}")
        if self.voucher == self.borrower:
            raise SelfLoop(self.voucher)


@dataclass(frozen=True, slots=True)
class CoverPath:
    """An amount, whose standing it uses, and the promises that it travels along.

    Attributes
    ----------
    standing_of : Hashable
        The member whose standing covers.
    promises : tuple of Hashable
        Ids, outermost first; empty for the borrower's own standing.
    amount : int or Fraction
        Minor units, > 0; a Fraction only for K >= 3.
    via : tuple of Hashable
        Members between `standing_of` and the borrower, outermost first.
    """

    standing_of: Hashable
    promises: tuple[Hashable, ...]
    amount: Amount
    via: tuple[Hashable, ...] = ()


@dataclass(frozen=True, slots=True)
class CutItem:
    """A bottleneck: a standing or a promise that the limit runs into.

    `price` is 1 for a cut in whole numbers; for K >= 3 it is the share of `capacity` that counts.
    """

    kind: Kind
    id: Hashable
    capacity: int
    price: Amount = 1


@dataclass(frozen=True, slots=True)
class Raise:
    """By how much the limit would rise if this one promise or standing grew."""

    kind: Kind
    id: Hashable
    gain: Amount


class _Engine(Protocol):
    def raises(self, by: int) -> tuple[Raise, ...]: ...


@dataclass(frozen=True, slots=True)
class CoverLimit:
    """What a borrower's circle stands good for, with its proof.

    Attributes
    ----------
    borrower : Hashable
    circle : int or None
        K; None for the whole graph.
    value : int
        The limit in whole minor units; `optimum` rounded down.
    optimum : int or Fraction
        The exact optimum; differs from `value` only for K >= 3.
    own, direct, second, farther : int or Fraction
        The part of `optimum` that travels 0, 1, 2, more vouches. For K <= 2 as many units as
        possible travel as few vouches as possible; otherwise it is one optimum of several.
    paths : tuple of CoverPath
        Who covers how much through whom; amounts sum to `optimum`. For K <= 2 they are what
        `reserve_cover` answers for the whole limit.
    cut : tuple of CutItem
        The bottleneck nearest to the borrower: ``sum(price * capacity) == optimum``, and every
        allowed path meets it. Items of capacity 0 are part of the proof.
    """

    borrower: Hashable
    circle: int | None
    value: int
    optimum: Amount
    own: Amount
    direct: Amount
    second: Amount
    farther: Amount
    paths: tuple[CoverPath, ...]
    cut: tuple[CutItem, ...]
    _engine: _Engine = field(repr=False, compare=False)

    def raises(self, by: int) -> tuple[Raise, ...]:
        """Every promise and standing that would raise the limit if it alone grew by `by`.

        ``gain(e) = limit(capacity(e) + by) - limit``, largest gain first; ties: promises before
        standings, then the lowest id.

        Parameters
        ----------
        by : int
            Minor units, >= 1.

        Returns
        -------
        tuple of Raise
            Positive gains only; each gain <= `by`.

        Raises
        ------
        BadCapacity, BadParameter
            `by` is no whole number, or 0.

        Notes
        -----
        A capacity can matter only if it lies on the border of both what the standings still
        reach and what still reaches the borrower: two searches, then one augmentation on the
        found flow per candidate, O(m) each. For K >= 3 one linear programme per capacity with a
        positive price. The object keeps its network for this and does not change by it.

        Examples
        --------
        >>> limit = cover_limit("b", {"b": 0, "u": 9}, [Promise(1, "u", "b", 5)])
        >>> limit.raises(10)
        (Raise(kind='standing', id='b', gain=10), Raise(kind='promise', id=1, gain=4))
        """
        if whole(by, "by") == 0:
            raise BadParameter("by must be at least 1")
        return self._engine.raises(int(by))


def with_overlay(promises: Iterable[Promise], overlay: Iterable[Promise]) -> tuple[Promise, ...]:
    """Promises as they would be if those of `overlay` were given too.

    Parameters
    ----------
    promises, overlay : iterable of Promise
        An overlay promise with a new id is added; one with a known id adds its room to that
        promise, whose age stays.

    Returns
    -------
    tuple of Promise
        A new tuple; nothing is changed.

    Raises
    ------
    DuplicateId
        `promises` holds an id twice.
    BadParameter
        A known id, but other members.

    Notes
    -----
    O(m).

    Examples
    --------
    >>> there = [Promise(1, "u", "b", 5)]
    >>> [p.room for p in with_overlay(there, [Promise(1, "u", "b", 20), Promise(2, "w", "b", 7)])]
    [25, 7]
    """
    found: dict[Hashable, Promise] = {}
    for promise in promises:
        if promise.id in found:
            raise DuplicateId("promises", promise.id)
        found[promise.id] = promise
    for extra in overlay:
        base = found.get(extra.id)
        if base is None:
            found[extra.id] = extra
        elif (base.voucher, base.borrower) != (extra.voucher, extra.borrower):
            raise BadParameter(f"promise {extra.id!r} is between other members in the overlay")
        else:
            found[extra.id] = replace(base, room=base.room + extra.room)
    return tuple(found.values())


def cover_limit(
    borrower: Hashable,
    standings: Mapping[Hashable, int],
    promises: Iterable[Promise],
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
    standings : mapping of member to int
        What each member can be made to pay, in minor units, >= 0, reservations subtracted. A
        member without an entry has 0.
    promises : iterable of Promise
        Live vouches with their residual room; those that cannot matter are ignored. A promise
        with room 0 matters for `raises`.
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
        twice.
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
    _check_circle(circle)
    chosen = with_overlay(promises, overlay)
    table = _standings(standings)
    near = _neighbourhood(borrower, table, chosen, circle)
    if circle is not None and circle >= 3:
        return _fractional_limit(borrower, table, near, circle)
    net: _Layered | _Whole
    if circle is None:
        net = _Whole(borrower, table, near)
        net.residual.push_all(_SOURCE, _SINK)
    else:
        net = _Layered(borrower, table, near)
        price = net.residual.push_cheapest(_SOURCE, _SINK)
        net.residual.prefer(net.preference(), price)
    paths = _ordered(net.paths(), table, chosen)
    parts = _by_length(paths)
    value = sum(parts)
    return CoverLimit(borrower, circle, int(value), value, *parts, paths, net.cut(), net)


def reserve_cover(
    borrower: Hashable,
    standings: Mapping[Hashable, int],
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
        As for `cover_limit`.
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
    _check_circle(circle)
    if circle not in (0, 1, 2):
        raise BadParameter("cover is reserved along at most two vouches: circle must be 0, 1 or 2")
    wanted = whole(amount, "amount")
    chosen = with_overlay(promises, ())
    table = _standings(standings)
    net = _Layered(borrower, table, _neighbourhood(borrower, table, chosen, circle))
    price = net.residual.push_cheapest(_SOURCE, _SINK, wanted)
    found = net.value()
    if found < wanted:
        raise CoverShort(wanted, found)
    net.residual.prefer(net.preference(), price)
    return _ordered(net.paths(), table, chosen)


def cover_limits_all(
    standings: Mapping[Hashable, int],
    promises: Iterable[Promise],
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
    0.2 ms a borrower with ten vouches a member. Other K: one `cover_limit` each.

    Examples
    --------
    >>> promises = [Promise(1, "ana", "ben", 130), Promise(2, "cai", "ana", 80)]
    >>> cover_limits_all({"ana": 100, "cai": 50}, promises)
    {'ana': 150, 'cai': 50, 'ben': 130}
    """
    _check_circle(circle)
    table = _standings(standings)
    chosen = with_overlay(promises, ())
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
    return {b: _quick_value(b, table, into, circle) for b in asked}


def check_certificate(
    limit: CoverLimit, standings: Mapping[Hashable, int], promises: Iterable[Promise]
) -> bool:
    """Prove a limit from its own paths and cut, without the code that found it.

    The paths are chains of real promises that end at the borrower, within K, within every room
    and standing, and sum to the limit; every possible path of at most K vouches costs at least 1
    in the prices of the cut; and the cut is worth exactly the limit. By weak duality no flow can
    then be larger.

    Parameters
    ----------
    limit : CoverLimit
    standings, promises
        What it was computed from, overlay included.

    Returns
    -------
    bool
        True; anything else raises.

    Raises
    ------
    BadCertificate
        Names what does not hold.

    Notes
    -----
    O(K m), or O(n m) for the whole graph.

    Examples
    --------
    >>> promises = [Promise(1, "ana", "ben", 130)]
    >>> check_certificate(cover_limit("ben", {"ana": 100}, promises), {"ana": 100}, promises)
    True
    """
    table = _standings(standings)
    by_id = {p.id: p for p in promises}
    _check_paths(limit, table, by_id)
    prices: dict[Kind, dict[Hashable, Amount]] = {"promise": {}, "standing": {}}
    worth: Amount = 0
    for item in limit.cut:
        if item.kind == "promise" and item.id in by_id:
            real_capacity = by_id[item.id].room
        elif item.kind == "standing":
            real_capacity = table.get(item.id, 0)
        else:
            raise BadCertificate(f"the cut names {item.id!r}, which is not there")
        if item.capacity != real_capacity or item.price < 0 or item.id in prices[item.kind]:
            raise BadCertificate(f"the cut has {item.kind} {item.id!r} wrong")
        prices[item.kind][item.id] = item.price
        worth += item.price * item.capacity
    if worth != limit.optimum:
        raise BadCertificate(f"the cut is worth {worth}, the limit is {limit.optimum}")
    cheapest = _cheapest_chains(limit, by_id.values(), prices["promise"])
    for member, price in cheapest.items():
        if prices["standing"].get(member, 0) + price < 1:
            raise BadCertificate(f"the standing of {member!r} gets past the cut")
    return True


def _check_paths(
    limit: CoverLimit, table: Mapping[Hashable, int], by_id: Mapping[Hashable, Promise]
) -> None:
    used: dict[Hashable, Amount] = {}
    drawn: dict[Hashable, Amount] = {}
    for path in limit.paths:
        if path.amount <= 0:
            raise BadCertificate("a path carries nothing")
        if limit.circle is not None and len(path.promises) > limit.circle:
            raise BadCertificate(f"a path of {len(path.promises)} vouches is too long")
        at = path.standing_of
        passed = []
        for id_ in path.promises:
            promise = by_id.get(id_)
            if promise is None or promise.voucher != at or at == limit.borrower:
                raise BadCertificate(f"promise {id_!r} does not continue its path")
            at = promise.borrower
            passed.append(at)
            used[id_] = used.get(id_, 0) + path.amount
        if at != limit.borrower or tuple(passed[:-1]) != path.via:
            raise BadCertificate("a path does not lead to the borrower as it says")
        drawn[path.standing_of] = drawn.get(path.standing_of, 0) + path.amount
    for id_, amount in used.items():
        if amount > by_id[id_].room:
            raise BadCertificate(f"promise {id_!r} carries {amount}, more than its room")
    for member, amount in drawn.items():
        if amount > table.get(member, 0):
            raise BadCertificate(f"{member!r} covers {amount}, more than their standing")
    parts = (limit.own, limit.direct, limit.second, limit.farther)
    if parts != _by_length(limit.paths) or sum(parts) != limit.optimum:
        raise BadCertificate("the paths do not sum to the limit")
    if limit.value != int(limit.optimum):
        raise BadCertificate("the value is not the optimum rounded down")


def _cheapest_chains(
    limit: CoverLimit, promises: Iterable[Promise], price: Mapping[Hashable, Amount]
) -> dict[Hashable, Amount]:
    """Per member the cheapest chain to the borrower within the circle, in cut prices."""
    usable = [p for p in promises if p.voucher != limit.borrower]
    cheapest: dict[Hashable, Amount] = {limit.borrower: 0}
    rounds = len(usable) + 1 if limit.circle is None else limit.circle
    for _ in range(rounds):
        # A new table each round, so that a chain grows by one vouch a round.
        longer = dict(cheapest)
        for p in usable:
            if p.borrower in cheapest:
                total = price.get(p.id, 0) + cheapest[p.borrower]
                if p.voucher not in longer or total < longer[p.voucher]:
                    longer[p.voucher] = total
        if longer == cheapest:
            break
        cheapest = longer
    return cheapest


def _check_circle(circle: object) -> None:
    if circle is not None:
        count(circle, "circle", 0)


def _standings(standings: Mapping[Hashable, int]) -> dict[Hashable, int]:
    return {
        member: value
        if type(value) is int and value >= 0
        else whole(value, f"standing of {member!r}")
        for member, value in standings.items()
    }


def _age(promise: Promise) -> tuple[object, ...]:
    return (promise.age_rank, id_key(promise.id))


def _neighbourhood(
    borrower: Hashable,
    table: Mapping[Hashable, int],
    promises: Sequence[Promise],
    circle: int | None,
) -> list[Promise]:
    """Promises from which the borrower is at most `circle` vouches away, oldest first."""
    into: dict[Hashable, list[Promise]] = {}
    known = borrower in table
    for p in promises:
        if p.voucher == borrower:
            known = True
        else:
            into.setdefault(p.borrower, []).append(p)
    if not known and borrower not in into:
        raise UnknownNode(borrower)
    near: list[Promise] = []
    seen = {borrower}
    edge = [borrower]
    steps = 0
    while edge and (circle is None or steps < circle):
        steps += 1
        beyond: list[Hashable] = []
        for node in edge:
            for p in into.get(node, ()):
                near.append(p)
                if p.voucher not in seen:
                    seen.add(p.voucher)
                    beyond.append(p.voucher)
        edge = beyond
    near.sort(key=_age)
    return near


def _ordered(
    paths: Iterable[CoverPath], table: Mapping[Hashable, int], promises: Iterable[Promise]
) -> tuple[CoverPath, ...]:
    """Fewest vouches first, then larger standing, lower id, older promises."""
    listed = list(paths)
    named = {id_ for path in listed for id_ in path.promises}
    age = {p.id: _age(p) for p in promises if p.id in named}

    def place(path: CoverPath) -> tuple[object, ...]:
        member = path.standing_of
        return (
            len(path.promises),
            -table.get(member, 0),
            id_key(member),
            tuple(age[id_] for id_ in reversed(path.promises)),
        )

    return tuple(sorted(listed, key=place))


def _by_length(paths: Iterable[CoverPath]) -> tuple[Amount, Amount, Amount, Amount]:
    parts: list[Amount] = [0, 0, 0, 0]
    for path in paths:
        parts[min(len(path.promises), 3)] += path.amount
    return (parts[0], parts[1], parts[2], parts[3])


def _by_gain(raises: Iterable[Raise]) -> tuple[Raise, ...]:
    return tuple(sorted(raises, key=lambda r: (-r.gain, r.kind, id_key(r.id))))


class _Network:
    """A residual network that remembers which arc is which standing or promise."""

    def __init__(self, nodes: int) -> None:
        self.residual = Residual(nodes)
        self.standing_arc: dict[Hashable, int] = {}
        self.promise_arc: dict[Hashable, int] = {}

    def value(self) -> int:
        residual = self.residual
        return sum(residual.flow(arc) for arc in self.standing_arc.values())

    def _named_arcs(self) -> Iterator[tuple[Kind, Hashable, int]]:
        for id_, arc in self.promise_arc.items():
            yield "promise", id_, arc
        for member, arc in self.standing_arc.items():
            yield "standing", member, arc

    def cut(self) -> tuple[CutItem, ...]:
        """The minimum cut nearest to the borrower."""
        residual = self.residual
        near = residual.reaching(_SINK)
        items = [
            CutItem(kind, id_, residual.cap[arc] + residual.flow(arc))
            for kind, id_, arc in self._named_arcs()
            if near[residual.head[arc]] and not near[residual.head[arc ^ 1]]
        ]
        return tuple(sorted(items, key=lambda item: (item.kind, id_key(item.id))))

    def raises(self, by: int) -> tuple[Raise, ...]:
        if by >= UNLIMITED:
            raise BadParameter("by is beyond any sum of money")
        residual = self.residual
        fed, near = residual.reached_from(_SOURCE), residual.reaching(_SINK)
        before = residual.cap
        found = []
        for kind, id_, arc in self._named_arcs():
            if fed[residual.head[arc ^ 1]] and near[residual.head[arc]]:
                residual.cap = before.copy()
                residual.cap[arc] += by
                gain = residual.push_all(_SOURCE, _SINK, by)
                found.append(Raise(kind, id_, gain))
        residual.cap = before
        return _by_gain(found)


class _Layered(_Network):
    """The network of at most two vouches.

    source -> member (standing) -> borrower over a promise of the first layer, or -> direct
    voucher over a promise of the second layer -> borrower. The node of a member is fed once and
    serves both roles, so no standing counts twice.
    """

    def __init__(
        self, borrower: Hashable, table: Mapping[Hashable, int], near: Sequence[Promise]
    ) -> None:
        self.borrower = borrower
        self.table = table
        self.first = [p for p in near if p.borrower == borrower]
        self.second = [p for p in near if p.borrower != borrower]
        direct = sorted({p.voucher for p in self.first}, key=id_key)
        others = {p.voucher for p in self.second}.difference(direct)
        members = direct + sorted(others, key=id_key)
        super().__init__(2 + len(members) + len(direct))
        arc = self.residual.arc
        node = {member: 2 + i for i, member in enumerate(members)}
        passing = {member: 2 + len(members) + i for i, member in enumerate(direct)}
        self.standing_arc[borrower] = arc(_SOURCE, _SINK, table.get(borrower, 0))
        for member in members:
            self.standing_arc[member] = arc(_SOURCE, node[member], table.get(member, 0))
        self.own_arc = {member: arc(node[member], passing[member], UNLIMITED) for member in direct}
        for p in self.second:
            self.promise_arc[p.id] = arc(node[p.voucher], passing[p.borrower], p.room, 1)
        for p in self.first:
            self.promise_arc[p.id] = arc(passing[p.voucher], _SINK, p.room, 1)

    def preference(self) -> list[int]:
        """Standings from the largest down, then promises from the oldest on."""
        members = sorted(self.standing_arc, key=lambda m: (-self.table.get(m, 0), id_key(m)))
        promises = sorted(self.first + self.second, key=_age)
        return [self.standing_arc[m] for m in members] + [self.promise_arc[p.id] for p in promises]

    def paths(self) -> Iterator[CoverPath]:
        """Match what comes in at each direct voucher to what goes out, both in order."""
        flow = self.residual.flow
        own = flow(self.standing_arc[self.borrower])
        if own:
            yield CoverPath(self.borrower, (), own)
        incoming: dict[Hashable, list[tuple[Hashable, Hashable | None, int]]] = {}
        for member, arc in self.own_arc.items():
            amount = flow(arc)
            if amount:
                incoming[member] = [(member, None, amount)]
        for p in self.second:
            amount = flow(self.promise_arc[p.id])
            if amount:
                incoming.setdefault(p.borrower, []).append((p.voucher, p.id, amount))
        for p in self.first:
            leaving = flow(self.promise_arc[p.id])
            waiting = incoming.get(p.voucher, [])
            while leaving:
                member, id_, amount = waiting[0]
                part = min(leaving, amount)
                if id_ is None:
                    yield CoverPath(member, (p.id,), part)
                else:
                    yield CoverPath(member, (id_, p.id), part, (p.voucher,))
                leaving -= part
                if part == amount:
                    del waiting[0]
                else:
                    waiting[0] = (member, id_, amount - part)


class _Whole(_Network):
    """The network without a limit on the length of a path."""

    def __init__(
        self, borrower: Hashable, table: Mapping[Hashable, int], near: Sequence[Promise]
    ) -> None:
        self.borrower = borrower
        self.near = near
        members = sorted({p.voucher for p in near}, key=id_key)
        super().__init__(2 + len(members))
        node = {member: 2 + i for i, member in enumerate(members)}
        node[borrower] = _SINK
        for member, at in node.items():
            self.standing_arc[member] = self.residual.arc(_SOURCE, at, table.get(member, 0))
        for p in near:
            self.promise_arc[p.id] = self.residual.arc(node[p.voucher], node[p.borrower], p.room)

    def paths(self) -> Iterator[CoverPath]:
        flow = self.residual.flow
        left: dict[Hashable, int] = {}
        leaving: dict[Hashable, list[Promise]] = {}
        for p in reversed(self.near):
            amount = flow(self.promise_arc[p.id])
            if amount:
                left[p.id] = amount
                leaving.setdefault(p.voucher, []).append(p)
        for member, arc in self.standing_arc.items():
            amount = flow(arc)
            while amount:
                chain = self._walk(member, left, leaving)
                part = min([amount, *(left[p.id] for p in chain)])
                for p in chain:
                    left[p.id] -= part
                amount -= part
                ids = tuple(p.id for p in chain)
                yield CoverPath(member, ids, part, tuple(p.borrower for p in chain[:-1]))

    def _walk(
        self,
        start: Hashable,
        left: dict[Hashable, int],
        leaving: Mapping[Hashable, list[Promise]],
    ) -> list[Promise]:
        """Follow flow to the borrower; a circle met on the way carries nothing and is removed."""
        chain: list[Promise] = []
        place = {start: 0}
        at = start
        while at != self.borrower:
            options = leaving[at]
            while not left[options[-1].id]:
                options.pop()
            step = options[-1]
            chain.append(step)
            at = step.borrower
            if at in place:
                circle = chain[place[at] :]
                part = min(left[p.id] for p in circle)
                for p in circle:
                    left[p.id] -= part
                    place.pop(p.borrower)
                place[at] = len(chain) - len(circle)
                del chain[place[at] :]
            else:
                place[at] = len(chain)
        return chain


class _Fractional:
    """Answers `raises` for K >= 3 by solving again where a price says that it can matter."""

    def __init__(
        self,
        borrower: Hashable,
        supplies: Mapping[Hashable, int],
        near: Sequence[Promise],
        circle: int,
        found: BoundedFlow,
    ) -> None:
        self.borrower = borrower
        self.supplies = supplies
        self.near = near
        self.circle = circle
        self.found = found

    def raises(self, by: int) -> tuple[Raise, ...]:
        # The optimum is concave in each capacity, so one with price 0 cannot add anything.
        before = self.found.optimum
        raised = [Raise("standing", self.borrower, by)]
        arcs = [(p.voucher, p.borrower, p.room) for p in self.near]
        for number in self.found.arc_price:
            tail, head, room = arcs[number]
            grown = [*arcs[:number], (tail, head, room + by), *arcs[number + 1 :]]
            now = bounded_flow(grown, self.supplies, self.borrower, self.circle)
            raised.append(Raise("promise", self.near[number].id, _plain(now.optimum - before)))
        for member in self.found.supply_price:
            more = {**self.supplies, member: self.supplies[member] + by}
            now = bounded_flow(arcs, more, self.borrower, self.circle)
            raised.append(Raise("standing", member, _plain(now.optimum - before)))
        return _by_gain(r for r in raised if r.gain)


def _plain(amount: Fraction) -> Amount:
    return amount.numerator if amount.denominator == 1 else amount


def _fractional_limit(
    borrower: Hashable, table: Mapping[Hashable, int], near: Sequence[Promise], circle: int
) -> CoverLimit:
    arcs = [(p.voucher, p.borrower, p.room) for p in near]
    supplies = {p.voucher: table.get(p.voucher, 0) for p in near}
    found = bounded_flow(arcs, supplies, borrower, circle)
    own = table.get(borrower, 0)
    listed = _fractional_paths(near, found)
    if own:
        listed.append(CoverPath(borrower, (), own))
    paths = _ordered(listed, table, near)
    items = [CutItem("standing", borrower, own)]
    for number, price in found.arc_price.items():
        items.append(CutItem("promise", near[number].id, near[number].room, _plain(price)))
    for member, price in found.supply_price.items():
        items.append(CutItem("standing", member, supplies[member], _plain(price)))
    items.sort(key=lambda item: (item.kind, id_key(item.id)))
    optimum = found.optimum + own
    return CoverLimit(
        borrower,
        circle,
        int(optimum),
        _plain(optimum),
        *_by_length(paths),
        paths,
        tuple(items),
        _Fractional(borrower, supplies, near, circle, found),
    )


def _fractional_paths(near: Sequence[Promise], found: BoundedFlow) -> list[CoverPath]:
    left = dict(found.flows)
    leaving: dict[tuple[Hashable, int], list[int]] = {}
    for number, place in found.flows:
        leaving.setdefault((near[number].voucher, place), []).append(number)
    amounts: dict[tuple[Hashable, tuple[Promise, ...]], Fraction] = {}
    for (member, place), entered in found.entries.items():
        amount = entered
        while amount:
            chain: list[Promise] = []
            used: list[tuple[int, int]] = []
            at = member
            for step in range(place, 0, -1):
                options = leaving[at, step]
                while not left[options[-1], step]:
                    options.pop()
                used.append((options[-1], step))
                chain.append(near[options[-1]])
                at = chain[-1].borrower
            part = min([amount, *(left[key] for key in used)])
            for key in used:
                left[key] -= part
            amount -= part
            simple = (member, tuple(_without_circles(member, chain)))
            amounts[simple] = amounts.get(simple, Fraction(0)) + part
    return [
        CoverPath(
            member,
            tuple(p.id for p in chain),
            _plain(amount),
            tuple(p.borrower for p in chain[:-1]),
        )
        for (member, chain), amount in amounts.items()
    ]


def _without_circles(start: Hashable, chain: Sequence[Promise]) -> list[Promise]:
    """A walk that comes back to a member needs none of what lies between."""
    kept: list[Promise] = []
    visited = [start]
    for p in chain:
        if p.borrower in visited:
            place = visited.index(p.borrower)
            del kept[place:]
            del visited[place + 1 :]
        else:
            kept.append(p)
            visited.append(p.borrower)
    return kept


def _quick_value(
    borrower: Hashable,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    circle: int,
) -> int:
    """The limit for K <= 2 as a transport problem: standings -> direct vouchers -> borrower."""
    total = table.get(borrower, 0)
    rooms = into.get(borrower)
    if circle == 0 or not rooms:
        return total
    # What each direct voucher's promises can still carry, and what each standing still holds.
    need: dict[Hashable, int] = {}
    left: dict[Hashable, int] = {}
    carried: dict[tuple[Hashable, Hashable], int] = {}
    serves: dict[Hashable, set[Hashable]] = {}
    for u, room in rooms.items():
        standing = table.get(u, 0)
        part = min(standing, room)
        total += part
        left[u] = standing - part
        if part:
            carried[u, u] = part
            serves[u] = {u}
        if room > part:
            need[u] = room - part
    if circle == 1:
        return total
    for u, wanted in need.items():
        missing = wanted
        for w, room in into.get(u, {}).items():
            if w == borrower:
                continue
            have = left.get(w)
            if have is None:
                have = table.get(w, 0)
            part = min(have, room, missing)
            if part:
                left[w] = have - part
                carried[w, u] = part
                serves.setdefault(w, set()).add(u)
                missing -= part
                if not missing:
                    break
        total += wanted - missing
        need[u] = missing
    for u, missing in need.items():
        while missing:
            part = _augment(u, missing, borrower, table, into, left, carried, serves)
            if not part:
                break
            missing -= part
            total += part
    return total


def _augment(
    needy: Hashable,
    missing: int,
    borrower: Hashable,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    left: dict[Hashable, int],
    carried: dict[tuple[Hashable, Hashable], int],
    serves: dict[Hashable, set[Hashable]],
) -> int:
    """Bring up to `missing` units to `needy` by letting suppliers change whom they serve."""
    came: dict[Hashable, tuple[Hashable, Hashable] | None] = {needy: None}
    suppliers: dict[Hashable, Hashable] = {}
    edge = [needy]
    while edge:
        beyond: list[Hashable] = []
        for u in edge:
            # A member's own standing serves their own promise without any other limit.
            options: dict[Hashable, int] = {u: UNLIMITED, **into.get(u, {})}
            for w, room in options.items():
                if w == borrower or w in suppliers or room <= carried.get((w, u), 0):
                    continue
                suppliers[w] = u
                if left.get(w, table.get(w, 0)):
                    return _shift(w, missing, table, into, left, carried, serves, came, suppliers)
                for v in serves.get(w, ()):
                    if v not in came:
                        came[v] = (w, u)
                        beyond.append(v)
        edge = beyond
    return 0


def _shift(
    giver: Hashable,
    missing: int,
    table: Mapping[Hashable, int],
    into: Mapping[Hashable, Mapping[Hashable, int]],
    left: dict[Hashable, int],
    carried: dict[tuple[Hashable, Hashable], int],
    serves: dict[Hashable, set[Hashable]],
    came: Mapping[Hashable, tuple[Hashable, Hashable] | None],
    suppliers: Mapping[Hashable, Hashable],
) -> int:
    """Carry the exchange out along the chain that `_augment` found."""
    have = left.get(giver, table.get(giver, 0))
    adds = [(giver, suppliers[giver])]
    drops: list[tuple[Hashable, Hashable]] = []
    step = came[adds[0][1]]
    while step is not None:
        w, u = step
        drops.append((w, adds[-1][1]))
        adds.append((w, u))
        step = came[u]
    part = min(have, missing)
    for w, u in adds:
        if w != u:
            part = min(part, into[u][w] - carried.get((w, u), 0))
    for pair in drops:
        part = min(part, carried[pair])
    left[giver] = have - part
    for w, u in adds:
        carried[w, u] = carried.get((w, u), 0) + part
        serves.setdefault(w, set()).add(u)
    for w, u in drops:
        carried[w, u] -= part
        if not carried[w, u]:
            del carried[w, u]
            serves[w].discard(u)
    return part


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
