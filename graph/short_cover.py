"""Cover over at most three vouches or more: an exact fractional optimum."""

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction

from graph.checks import id_key
from graph.cover import ordered
from graph.layered import BoundedFlow, bounded_flow
from graph.promises import (
    Amount,
    CoverLimit,
    CoverPath,
    CutItem,
    Promise,
    Raise,
    by_gain,
    by_length,
)


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
        return by_gain(r for r in raised if r.gain)


def _plain(amount: Fraction) -> Amount:
    return amount.numerator if amount.denominator == 1 else amount


def fractional_limit(
    borrower: Hashable, table: Mapping[Hashable, int], near: Sequence[Promise], circle: int
) -> CoverLimit:
    """The limit of `graph.limits.cover_limit` for K >= 3; `near` are the promises that count.

    Examples
    --------
    >>> chain = [Promise(1, "b", "a", 9), Promise(2, "c", "b", 7), Promise(3, "d", "c", 5)]
    >>> fractional_limit("a", {"d": 20}, chain, 3).value
    5
    """
    arcs = [(p.voucher, p.borrower, p.room) for p in near]
    supplies = {p.voucher: table.get(p.voucher, 0) for p in near}
    found = bounded_flow(arcs, supplies, borrower, circle)
    own = table.get(borrower, 0)
    listed = _fractional_paths(near, found)
    if own:
        listed.append(CoverPath(borrower, (), own))
    paths = ordered(listed, table, near)
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
        *by_length(paths),
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
