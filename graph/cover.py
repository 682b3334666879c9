"""Networks of promises around one borrower, for exact cover in whole numbers.

The engines of `graph.limits` for at most two vouches and for the whole graph.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from graph.checks import id_key
from graph.errors import BadParameter, UnknownNode
from graph.flow import UNLIMITED, Residual
from graph.promises import CoverPath, CutItem, Kind, Promise, Raise, age_of, by_gain

SOURCE, SINK = 0, 1


def neighbourhood(
    borrower: Hashable,
    table: Mapping[Hashable, int],
    promises: Sequence[Promise],
    circle: int | None,
) -> list[Promise]:
    """Promises from which the borrower is at most `circle` vouches away, oldest first.

    Examples
    --------
    >>> promises = [Promise(1, "cai", "ana", 8), Promise(2, "ana", "ben", 5)]
    >>> [p.id for p in neighbourhood("ben", {}, promises, 1)]
    [2]
    """
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
    near.sort(key=age_of)
    return near


def ordered(
    paths: Iterable[CoverPath], table: Mapping[Hashable, int], promises: Iterable[Promise]
) -> tuple[CoverPath, ...]:
    """Fewest vouches first, then larger standing, lower id, older promises."""
    listed = list(paths)
    named = {id_ for path in listed for id_ in path.promises}
    age = {p.id: age_of(p) for p in promises if p.id in named}

    def place(path: CoverPath) -> tuple[object, ...]:
        member = path.standing_of
        return (
            len(path.promises),
            -table.get(member, 0),
            id_key(member),
            tuple(age[id_] for id_ in reversed(path.promises)),
        )

    return tuple(sorted(listed, key=place))


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
        near = residual.reaching(SINK)
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
        fed, near = residual.reached_from(SOURCE), residual.reaching(SINK)
        before = residual.cap
        found = []
        for kind, id_, arc in self._named_arcs():
            if fed[residual.head[arc ^ 1]] and near[residual.head[arc]]:
                residual.cap = before.copy()
                residual.cap[arc] += by
                gain = residual.push_all(SOURCE, SINK, by)
                found.append(Raise(kind, id_, gain))
        residual.cap = before
        return by_gain(found)


class LayeredCover(_Network):
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
        self.standing_arc[borrower] = arc(SOURCE, SINK, table.get(borrower, 0))
        for member in members:
            self.standing_arc[member] = arc(SOURCE, node[member], table.get(member, 0))
        self.own_arc = {member: arc(node[member], passing[member], UNLIMITED) for member in direct}
        for p in self.second:
            self.promise_arc[p.id] = arc(node[p.voucher], passing[p.borrower], p.room, 1)
        for p in self.first:
            self.promise_arc[p.id] = arc(passing[p.voucher], SINK, p.room, 1)

    def preference(self) -> list[int]:
        """Standings from the largest down, then promises from the oldest on."""
        members = sorted(self.standing_arc, key=lambda m: (-self.table.get(m, 0), id_key(m)))
        promises = sorted(self.first + self.second, key=age_of)
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


class WholeCover(_Network):
    """The network without a limit on the length of a path."""

    def __init__(
        self, borrower: Hashable, table: Mapping[Hashable, int], near: Sequence[Promise]
    ) -> None:
        self.borrower = borrower
        self.near = near
        members = sorted({p.voucher for p in near}, key=id_key)
        super().__init__(2 + len(members))
        node = {member: 2 + i for i, member in enumerate(members)}
        node[borrower] = SINK
        for member, at in node.items():
            self.standing_arc[member] = self.residual.arc(SOURCE, at, table.get(member, 0))
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
