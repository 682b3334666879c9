"""The most that can travel along paths of at most K arcs: a linear programme, proved exactly.

From three arcs on, an arc may serve in several places of a path, the integer problem is hard, and
the fractional optimum is what is asked for. The programme is solved in floats; flows and prices
are then turned into fractions, and only an answer whose two sides agree exactly is given out.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from graph.checks import count
from graph.errors import NoConvergence
from graph.flow import UNLIMITED, Residual

Arc = tuple[Hashable, Hashable, int]
_Key = TypeVar("_Key")

# Denominators tried in turn when a float becomes a fraction. Vertices of these programmes have
# denominators made of small factors, because every coefficient is 0 or 1.
_DENOMINATORS = (1, 2, 6, 12, 60, 840, 2520, 27720, 720720)
_REFINEMENTS = 6


@dataclass(frozen=True, slots=True)
class BoundedFlow:
    """A flow over short paths and the prices that prove it cannot be beaten.

    Attributes
    ----------
    optimum : Fraction
        Total that arrives, in the units of the capacities.
    flows : dict
        ``(arc number, arcs left to the target, this one included) -> Fraction``, positive only.
    entries : dict
        ``(node, arcs left) -> Fraction``: what enters there from a supply, positive only.
    arc_price, supply_price : dict
        What one more unit of that capacity would add at first; every path of allowed length
        costs at least 1, and ``sum(price * capacity) == optimum``. Zero prices are left out.
    """

    optimum: Fraction
    flows: dict[tuple[int, int], Fraction]
    entries: dict[tuple[Hashable, int], Fraction]
    arc_price: dict[int, Fraction]
    supply_price: dict[Hashable, Fraction]


def bounded_flow(
    arcs: Sequence[Arc],
    supplies: Mapping[Hashable, int | None],
    target: Hashable,
    max_arcs: int,
) -> BoundedFlow:
    """Largest total that reaches `target` along paths of at most `max_arcs` arcs.

    ``max sum_P x_P`` over paths ``P`` with 1..K arcs, with ``sum_{P uses e} x_P <= cap(e)`` and
    ``sum_{P starts at s} x_P <= supply(s)``. Instead of listing paths, one copy of each arc per
    place (1..K arcs from the target) is linked by conservation at each (node, place).

    Parameters
    ----------
    arcs : sequence of (tail, head, capacity)
        Capacities in whole units >= 0; parallel arcs stay apart.
    supplies : mapping of node to int or None
        What can start at a node; ``None`` is without bound. A node that is absent starts nothing.
    target : Hashable
        Where paths end. Arcs that leave it are ignored.
    max_arcs : int
        K >= 1.

    Returns
    -------
    BoundedFlow

    Raises
    ------
    BadParameter
        `max_arcs` < 1.
    NoConvergence
        The solver failed, or its answer could not be proved in fractions.

    Notes
    -----
    At most K copies of each arc. If every copy had the arc's whole capacity it would be a plain
    maximum flow, whose value is a bound from above; where its copies keep within the arc's capacity
    together, or another flow of that value does, it is the optimum and its cut the prices. Most
    neighbourhoods end here. Else a sparse programme of O(K m) variables for HiGHS. A walk that
    meets a node twice counts no more than the simple path inside it, so the value is that of
    simple paths. An empty neighbourhood gives 0.

    References
    ----------
    Baier (2003), Flows with path restrictions, on length-bounded flows.

    Examples
    --------
    >>> arcs = [("a", "b", 3), ("b", "t", 2), ("a", "t", 1)]
    >>> bounded_flow(arcs, {"a": None}, "t", 1).optimum
    Fraction(1, 1)
    >>> bounded_flow(arcs, {"a": None}, "t", 2).optimum
    Fraction(3, 1)
    """
    count(max_arcs, "max_arcs", 1)
    into: dict[Hashable, list[int]] = {}
    for number, (tail, head, _) in enumerate(arcs):
        if tail != target:
            into.setdefault(head, []).append(number)
    # A simple path leaves every node once; longer walks are worth no more.
    max_arcs = min(max_arcs, len({tail for tail, _, _ in arcs if tail != target}))
    columns: list[tuple[int, int]] = []
    nodes: list[tuple[Hashable, int]] = []
    heads: dict[Hashable, None] = {target: None}
    for place in range(1, max_arcs + 1):
        tails: dict[Hashable, None] = {}
        for node in heads:
            for number in into.get(node, ()):
                columns.append((number, place))
                tails[arcs[number][0]] = None
        nodes.extend((tail, place) for tail in tails)
        heads = tails
    doors = [node for node in nodes if node[0] in supplies]
    if not columns or not doors:
        return BoundedFlow(Fraction(0), {}, {}, {}, {})
    found = _without_doubles(arcs, supplies, target, columns, nodes, doors)
    if found is not None:
        return found
    programme = _Programme(arcs, supplies, columns, nodes, doors)
    first, prices = programme.solve([0] * programme.width)
    guess = [Fraction(x) for x in first]
    bound, arc_price, supply_price = programme.proved_prices(prices, target)
    # The solver's tolerance is absolute. Where amounts of very different size meet, what it leaves
    # open is solved again as a small programme of its own, around the rounded answer.
    for _ in range(_REFINEMENTS):
        for size in _DENOMINATORS:
            amounts = [x.limit_denominator(size) for x in guess]
            flows = dict(zip(columns, amounts, strict=False))
            entries = _entries_if_feasible(arcs, supplies, nodes, flows, target)
            if entries is not None:
                total = sum((x for (_, place), x in flows.items() if place == 1), Fraction(0))
                if total == bound:
                    used = {column: x for column, x in flows.items() if x}
                    return BoundedFlow(bound, used, entries, arc_price, supply_price)
        base = [max(0, round(x)) for x in guess]
        change, _ = programme.solve(base)
        guess = [b + Fraction(d) for b, d in zip(base, change, strict=True)]
    raise NoConvergence("the flow of the programme over short paths could not be proved")


def _without_doubles(
    arcs: Sequence[Arc],
    supplies: Mapping[Hashable, int | None],
    target: Hashable,
    columns: Sequence[tuple[int, int]],
    nodes: Sequence[tuple[Hashable, int]],
    doors: Sequence[tuple[Hashable, int]],
) -> BoundedFlow | None:
    """The optimum where a plain maximum flow over all copies of the arcs shows it, else None."""
    source, sink = 0, 1
    place = {node: 2 + i for i, node in enumerate(nodes)}
    place[target, 0] = sink
    bounded = dict.fromkeys(node for node, _ in doors if supplies[node] is not None)
    giver = {node: 2 + len(nodes) + i for i, node in enumerate(bounded)}
    limits = [arcs[number][2] for number, _ in columns]
    most = None
    for _ in range(2):
        net = Residual(2 + len(nodes) + len(giver))
        for node, at in giver.items():
            net.arc(source, at, supplies[node] or 0)
        entry = {
            door: net.arc(giver.get(door[0], source), place[door], UNLIMITED) for door in doors
        }
        copies = [
            net.arc(place[arcs[number][0], steps], place[arcs[number][1], steps - 1], limit)
            for (number, steps), limit in zip(columns, limits, strict=True)
        ]
        value = net.push_all(source, sink)
        if most is None:
            most = value
            near = net.reaching(sink)
            cut = {
                columns[i][0]: Fraction(1)
                for i, copy in enumerate(copies)
                if near[net.head[copy]] and not near[net.head[copy ^ 1]]
            }
            short = {node: Fraction(1) for node, at in giver.items() if near[at]}
        elif value < most:
            return None
        # What copies nearer to the target leave is all that the others may carry.
        left = {number: arcs[number][2] for number, _ in columns}
        fits = True
        for i, copy in enumerate(copies):
            number = columns[i][0]
            limits[i] = left[number]
            used = min(net.flow(copy), left[number])
            fits = fits and used == net.flow(copy)
            left[number] -= used
        if fits:
            flows = {
                c: Fraction(x) for c, e in zip(columns, copies, strict=True) if (x := net.flow(e))
            }
            enters = {door: Fraction(x) for door, e in entry.items() if (x := net.flow(e))}
            return BoundedFlow(Fraction(value), flows, enters, cut, short)
    return None


class _Programme:
    """The rows and columns: one column per (arc, place), then one per door."""

    def __init__(
        self,
        arcs: Sequence[Arc],
        supplies: Mapping[Hashable, int | None],
        columns: Sequence[tuple[int, int]],
        nodes: Sequence[tuple[Hashable, int]],
        doors: Sequence[tuple[Hashable, int]],
    ) -> None:
        self.arcs, self.supplies, self.columns, self.nodes = arcs, supplies, columns, nodes
        self.width = len(columns) + len(doors)
        self.used = sorted({number for number, _ in columns})
        bounded = {node: None for node, _ in doors if supplies[node] is not None}
        self.bounded = list(bounded)
        # Without a bound on a supply its paths still end in arcs: nothing is ever unlimited.
        self.limits = [arcs[number][2] for number in self.used]
        self.limits += [supplies[node] or 0 for node in self.bounded]
        arc_row = {number: row for row, number in enumerate(self.used)}
        supply_row = {node: len(self.used) + row for row, node in enumerate(self.bounded)}
        node_row = {node: row for row, node in enumerate(nodes)}
        self.gain = [0] * self.width
        self.upper: list[tuple[int, int, int]] = []
        self.equal: list[tuple[int, int, int]] = []
        for column, (number, place) in enumerate(columns):
            tail, head, _ = arcs[number]
            self.upper.append((arc_row[number], column, 1))
            self.equal.append((node_row[tail, place], column, 1))
            if place == 1:
                self.gain[column] = -1
            else:
                self.equal.append((node_row[head, place - 1], column, -1))
        for column, door in enumerate(doors, start=len(columns)):
            self.equal.append((node_row[door], column, -1))
            if door[0] in supply_row:
                self.upper.append((supply_row[door[0]], column, 1))

    def solve(self, base: Sequence[int]) -> tuple[list[float], list[float]]:
        """Best change to `base` in floats, and the price of each limit."""
        # Imported here: a decision with two vouches has no use for SciPy, nor time to load it.
        import numpy as np
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        slack = list(self.limits)
        open_ = [0] * len(self.nodes)
        for row, column, sign in self.upper:
            slack[row] -= sign * base[column]
        for row, column, sign in self.equal:
            open_[row] -= sign * base[column]
        lower, upper = [0.0] * self.width, [np.inf] * self.width
        if any(base):
            # Only what is near the base matters, so that all numbers are of one size.
            near = 64 * max([1, *map(abs, open_), *(-s for s in slack)])
            slack = [min(s, near) for s in slack]
            lower = [float(-min(b, near)) for b in base]
            upper = [float(near)] * self.width

        def sparse(entries: Sequence[tuple[int, int, int]], height: int) -> Any:
            # The stubs of SciPy know dense matrices only; linprog takes sparse ones as they are.
            rows, columns, signs = np.array(entries, dtype=np.int64).reshape(-1, 3).T
            return csr_array((signs.astype(float), (rows, columns)), shape=(height, self.width))

        within: Any = np.array([lower, upper]).T
        found = linprog(
            np.array(self.gain, dtype=float),
            A_ub=sparse(self.upper, len(slack)),
            b_ub=np.array(slack, dtype=float),
            A_eq=sparse(self.equal, len(open_)),
            b_eq=np.array(open_, dtype=float),
            bounds=within,
            # A simplex method ends at a corner, whose fractions are simple.
            method="highs-ds",
        )
        if found.status != 0:
            raise NoConvergence(f"the programme over short paths was not solved: {found.message}")
        return (
            [float(x) for x in np.asarray(found.x)],
            [-float(y) for y in np.asarray(found.ineqlin.marginals)],
        )

    def proved_prices(
        self, guess: Sequence[float], target: Hashable
    ) -> tuple[Fraction, dict[int, Fraction], dict[Hashable, Fraction]]:
        """Prices as fractions under which every path costs at least 1, and what they bound."""
        on_arcs = dict(zip(self.used, guess, strict=False))
        on_supplies = dict(zip(self.bounded, guess[len(self.used) :], strict=True))
        for size in _DENOMINATORS:
            arc_price = _fractions(on_arcs, size)
            supply_price = _fractions(on_supplies, size)
            if _prices_hold(
                self.arcs, self.supplies, self.columns, self.nodes, arc_price, supply_price, target
            ):
                bound = sum((self.arcs[e][2] * y for e, y in arc_price.items()), Fraction(0))
                for node, y in supply_price.items():
                    bound += (self.supplies[node] or 0) * y
                return bound, arc_price, supply_price
        raise NoConvergence("the prices of the programme over short paths could not be proved")


def _fractions(guess: Mapping[_Key, float], size: int) -> dict[_Key, Fraction]:
    made = {key: max(Fraction(0), Fraction(y).limit_denominator(size)) for key, y in guess.items()}
    return {key: y for key, y in made.items() if y}


def _prices_hold(
    arcs: Sequence[Arc],
    supplies: Mapping[Hashable, int | None],
    columns: Sequence[tuple[int, int]],
    nodes: Sequence[tuple[Hashable, int]],
    arc_price: Mapping[int, Fraction],
    supply_price: Mapping[Hashable, Fraction],
    target: Hashable,
) -> bool:
    """Whether every allowed path costs at least 1. Columns come with the place rising."""
    zero = Fraction(0)
    cheapest: dict[tuple[Hashable, int], Fraction] = {(target, 0): zero}
    for number, place in columns:
        tail, head, _ = arcs[number]
        price = arc_price.get(number, zero) + cheapest[head, place - 1]
        here = (tail, place)
        if here not in cheapest or price < cheapest[here]:
            cheapest[here] = price
    return all(
        cheapest[node] + supply_price.get(node[0], zero) >= 1
        for node in nodes
        if node[0] in supplies
    )


def _entries_if_feasible(
    arcs: Sequence[Arc],
    supplies: Mapping[Hashable, int | None],
    nodes: Sequence[tuple[Hashable, int]],
    flows: Mapping[tuple[int, int], Fraction],
    target: Hashable,
) -> dict[tuple[Hashable, int], Fraction] | None:
    """What has to enter at each node for conservation, or None where a limit is broken."""
    entry = dict.fromkeys(nodes, Fraction(0))
    carried: dict[int, Fraction] = {}
    for (number, place), x in flows.items():
        if x < 0:
            return None
        if x:
            tail, head, _ = arcs[number]
            carried[number] = carried.get(number, Fraction(0)) + x
            entry[tail, place] += x
            if place > 1 and head != target:
                entry[head, place - 1] -= x
    if any(x > arcs[number][2] for number, x in carried.items()):
        return None
    started: dict[Hashable, Fraction] = {}
    for (node, _), x in entry.items():
        if x < 0 or (x and node not in supplies):
            return None
        started[node] = started.get(node, Fraction(0)) + x
    for node, x in started.items():
        supply = supplies.get(node)
        if supply is not None and x > supply:
            return None
    return {node: x for node, x in entry.items() if x}
