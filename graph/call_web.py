"""Who is called for how much over a whole web of debts and pledges, in real numbers.

The two modes of liability as they are defined; `graph.call_units` gives the same in whole minor
units, for money that is really paid.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Generic, TypeVar

from graph.checks import amount, count
from graph.errors import BadParameter, NoConvergence, SelfLoop, UnknownNode
from graph.exact import solve_exactly

Number = int | float | Fraction
Pledge = tuple[Hashable, Hashable, Number]
PledgeKey = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class SeveralOutcome:
    """Where several liability comes to rest.

    Attributes
    ----------
    shortfall : dict of member to number
        S_i: what of i's own debt i cannot pay after what was seized from them for others.
    called, paid : dict of (guarantor, borrower) to number
        Positive amounts only.
    paid_total : dict of guarantor to number
        x_g, every member.
    loss : dict of borrower to number
        What the lender of each member loses.
    defaulted : tuple
        Members with a shortfall, in the order of `own_debt_due`.
    rounds : tuple of tuple of float
        Shortfalls after each round from "nobody is called", in the order of `own_debt_due`.
    exact : bool
        Whether the numbers are the exact fixed point in Fractions (else floats).
    """

    shortfall: dict[Hashable, Number]
    called: dict[PledgeKey, Number]
    paid: dict[PledgeKey, Number]
    paid_total: dict[Hashable, Number]
    loss: dict[Hashable, Number]
    defaulted: tuple[Hashable, ...]
    rounds: tuple[tuple[float, ...], ...]
    exact: bool


def several_pro_rata(
    own_debt_due: Mapping[Hashable, Number] | Sequence[Number],
    resources: Mapping[Hashable, Number] | Sequence[Number],
    pledges: Iterable[Pledge],
    *,
    max_rounds: int = 100_000,
) -> SeveralOutcome:
    """Several liability: each guarantor pays their share, and nobody pays for another's.

    With ``s_gi = q_gi / sum_g q_gi``: ``S_i = max(0, D_i - (w_i - x_i))``, ``call_gi = min(q_gi,
    s_gi * S_i)``, ``x_g = min(w_g, sum_i call_gi)`` shared pro rata over g's calls, ``loss_i =
    S_i - sum_g paid_gi``. What is seized for others makes g's own debt harder to pay; the map
    from S to the next S never falls, and iterating it from x = 0 leads to the least fixed point.

    Parameters
    ----------
    own_debt_due : mapping of member to number, or sequence
        D_i >= 0, in any one unit of money. In a sequence the position is the member.
    resources : mapping or sequence
        w_i >= 0 for the same members.
    pledges : iterable of (guarantor, borrower, cap)
        q_gi >= 0; several between the same two add up.
    max_rounds : int
        Give up after so many rounds. Default 100,000.

    Returns
    -------
    SeveralOutcome
        In Fractions where the fixed point could be solved and verified, otherwise in floats.

    Raises
    ------
    BadCapacity, UnknownNode, SelfLoop, BadParameter
        A number is NaN, infinite or negative; a pledge names a stranger or oneself; the members
        of the two lists differ.
    NoConvergence
        Not at rest after `max_rounds` rounds.

    Notes
    -----
    O(m) a round, geometric convergence unless shares turn in a full circle. The exact answer
    solves the linear system of the members in default, O(d^3) in Fractions; it is taken only if
    it maps to itself exactly and agrees with the iteration.

    References
    ----------
    Eisenberg & Noe (2001), Systemic risk in financial systems, Management Science 47(2), for the
    fixed point; Knaster and Tarski for the least one.

    Examples
    --------
    >>> done = several_pro_rata([10, 10, 10], [4, 10, 12], [(1, 0, 6), (2, 1, 6), (0, 2, 6)])
    >>> [int(s) for s in done.shortfall.values()], [int(x) for x in done.loss.values()]
    ([10, 6, 4], [4, 0, 0])
    """
    count(max_rounds, "max_rounds", 1)
    members, exact = _web(own_debt_due, resources, pledges)
    web = exact.in_floats()
    scale = max([1.0, *web.debts, *web.means])
    shortfall = web.next_shortfall([0.0] * len(members))
    rounds = [tuple(shortfall)]
    while True:
        after = web.next_shortfall(web.seized(web.called(shortfall)))
        rounds.append(tuple(after))
        moved = max((abs(a - b) for a, b in zip(after, shortfall, strict=True)), default=0.0)
        shortfall = after
        if moved <= 1e-15 * scale:
            break
        if len(rounds) > max_rounds:
            raise NoConvergence(f"calls had not come to rest after {max_rounds} rounds")
    solved = _fixed_point(exact, shortfall, scale)
    if solved is None:
        return _several_outcome(members, web, shortfall, tuple(rounds), False)
    return _several_outcome(members, exact, solved, tuple(rounds), True)


@dataclass(frozen=True, slots=True)
class JointOutcome:
    """Where joint and several liability comes to rest.

    Attributes
    ----------
    own_shortfall : dict of member to float
        ``max(0, D_i - cash_i)`` at the end.
    covered : dict of member to float
        What guarantors paid for each member.
    loss : dict of borrower to float
        ``own_shortfall - covered``.
    cash_left : dict of member to float
    rounds : tuple of dict of (guarantor, borrower) to float
        Positive payments of each round.
    """

    own_shortfall: dict[Hashable, float]
    covered: dict[Hashable, float]
    loss: dict[Hashable, float]
    cash_left: dict[Hashable, float]
    rounds: tuple[dict[PledgeKey, float], ...]


def joint_and_several(
    own_debt_due: Mapping[Hashable, Number] | Sequence[Number],
    resources: Mapping[Hashable, Number] | Sequence[Number],
    pledges: Iterable[Pledge],
    *,
    smallest: float = 1e-12,
    max_rounds: int = 100_000,
) -> JointOutcome:
    """Joint and several liability: what one cannot pay is called again from the others.

    Each round: ``need_i = max(0, D_i - cash_i) - covered_i``; every guarantor of i with pledge
    and cash left is called for ``min(rest of pledge, need_i * rest of pledge / sum of these
    rests)``; one whose calls exceed their cash pays all of them pro rata; cash and pledges
    shrink, covered grows.

    Parameters
    ----------
    own_debt_due, resources, pledges
        As for `several_pro_rata`.
    smallest : float
        The round whose largest payment is below this is the last. Default 1e-12.
    max_rounds : int
        Give up after so many rounds. Default 100,000.

    Returns
    -------
    JointOutcome

    Raises
    ------
    BadCapacity, UnknownNode, SelfLoop, BadParameter
        As for `several_pro_rata`.
    NoConvergence
        Still paying after `max_rounds` rounds.

    Notes
    -----
    O(m) a round, at most n + m rounds to exhaust somebody, a geometric tail in rings. Worked
    with 60 decimal digits, so that the number of rounds does not hang on rounding.

    Examples
    --------
    >>> done = joint_and_several([10, 10, 10], [4, 10, 12], [(1, 0, 6), (2, 1, 6), (0, 2, 6)])
    >>> len(done.rounds), done.loss, done.cash_left
    (3, {0: 4.0, 1: 0.0, 2: 0.0}, {0: 0.0, 1: 4.0, 2: 6.0})
    """
    count(max_rounds, "max_rounds", 1)
    members, web = _web(own_debt_due, resources, pledges)
    with localcontext(prec=60):
        debts = [_decimal(x) for x in web.debts]
        cash = [_decimal(x) for x in web.means]
        rest = {pair: _decimal(q) for pair, q in web.caps.items()}
        # What is smaller than this is left over by rounding. It must not count as cash: somebody
        # who has none is not called, and the others answer for the whole.
        dust = max([Decimal(1), *debts, *cash, *rest.values()]).scaleb(-40)
        covered = [Decimal(0)] * len(members)
        rounds: list[dict[tuple[int, int], Decimal]] = []
        while True:
            paid = _joint_round(debts, cash, rest, covered)
            if not paid:
                break
            if len(rounds) == max_rounds:
                raise NoConvergence(f"guarantors were still paying after {max_rounds} rounds")
            for (g, i), part in paid.items():
                cash[g] = _left(cash[g] - part, dust)
                rest[g, i] = _left(rest[g, i] - part, dust)
                covered[i] += part
            rounds.append(paid)
            if max(paid.values()) < smallest:
                break
        short = [max(Decimal(0), d - c) for d, c in zip(debts, cash, strict=True)]
        loss = [s - c for s, c in zip(short, covered, strict=True)]
    return JointOutcome(
        dict(zip(members, map(float, short), strict=True)),
        dict(zip(members, map(float, covered), strict=True)),
        dict(zip(members, map(float, loss), strict=True)),
        dict(zip(members, map(float, cash), strict=True)),
        tuple(
            {(members[g], members[i]): float(part) for (g, i), part in paid.items()}
            for paid in rounds
        ),
    )


def _joint_round(
    debts: Sequence[Decimal],
    cash: Sequence[Decimal],
    rest: Mapping[tuple[int, int], Decimal],
    covered: Sequence[Decimal],
) -> dict[tuple[int, int], Decimal]:
    """Positive payments of one round, all worked out from the state before it."""
    open_ = {pair: q for pair, q in rest.items() if q > 0 and cash[pair[0]] > 0}
    pool = [Decimal(0)] * len(debts)
    for (_, i), q in open_.items():
        pool[i] += q
    calls: dict[tuple[int, int], Decimal] = {}
    asked = [Decimal(0)] * len(debts)
    for (g, i), q in open_.items():
        need = max(Decimal(0), debts[i] - cash[i]) - covered[i]
        if need > 0:
            calls[g, i] = min(q, need * q / pool[i])
            asked[g] += calls[g, i]
    return {
        (g, i): call if asked[g] <= cash[g] else call * cash[g] / asked[g]
        for (g, i), call in calls.items()
    }


_N = TypeVar("_N", float, Fraction)


@dataclass(frozen=True, slots=True)
class _Web(Generic[_N]):
    """Debts, means and caps by member number, all of one kind of number."""

    debts: list[_N]
    means: list[_N]
    caps: dict[tuple[int, int], _N]
    pledged: list[_N]
    zero: _N

    def called(self, shortfall: Sequence[_N]) -> dict[tuple[int, int], _N]:
        """``min(q_gi, q_gi / Q_i * S_i)`` for every pledge."""
        return {
            (g, i): q * shortfall[i] / self.pledged[i] if shortfall[i] < self.pledged[i] else q
            for (g, i), q in self.caps.items()
        }

    def asked(self, called: Mapping[tuple[int, int], _N]) -> list[_N]:
        """Sum of the calls on each member."""
        sums = [self.zero] * len(self.debts)
        for (g, _), call in called.items():
            sums[g] = sums[g] + call
        return sums

    def seized(self, called: Mapping[tuple[int, int], _N]) -> list[_N]:
        """``x_g = min(w_g, sum of calls on g)``."""
        return [min(w, a) for w, a in zip(self.means, self.asked(called), strict=True)]

    def next_shortfall(self, seized: Sequence[_N]) -> list[_N]:
        """``S_i = max(0, D_i - (w_i - x_i))``."""
        return [
            max(self.zero, d - (w - x))
            for d, w, x in zip(self.debts, self.means, seized, strict=True)
        ]

    def in_floats(self) -> "_Web[float]":
        return _Web(
            [float(x) for x in self.debts],
            [float(x) for x in self.means],
            {pair: float(q) for pair, q in self.caps.items()},
            [float(x) for x in self.pledged],
            0.0,
        )


def _web(
    own_debt_due: Mapping[Hashable, Number] | Sequence[Number],
    resources: Mapping[Hashable, Number] | Sequence[Number],
    pledges: Iterable[Pledge],
) -> tuple[list[Hashable], _Web[Fraction]]:
    debts = _by_member(own_debt_due, "own debt")
    means = _by_member(resources, "resources")
    if debts.keys() != means.keys():
        raise BadParameter("own debts and resources must name the same members")
    members = list(debts)
    place = {member: i for i, member in enumerate(members)}
    caps: dict[tuple[int, int], Fraction] = {}
    for guarantor, borrower, cap in pledges:
        for member in (guarantor, borrower):
            if member not in place:
                raise UnknownNode(member)
        if guarantor == borrower:
            raise SelfLoop(guarantor)
        pair = (place[guarantor], place[borrower])
        held = amount(cap, f"pledge of {guarantor!r} for {borrower!r}")
        if held:
            caps[pair] = caps.get(pair, Fraction(0)) + held
    # One order, so that sums of floats do not depend on the order of input.
    caps = {pair: caps[pair] for pair in sorted(caps)}
    pledged = [Fraction(0)] * len(members)
    for (_, i), q in caps.items():
        pledged[i] += q
    web = _Web(list(debts.values()), [means[m] for m in members], caps, pledged, Fraction(0))
    return members, web


def _by_member(
    given: Mapping[Hashable, Number] | Sequence[Number], what: str
) -> dict[Hashable, Fraction]:
    pairs: Iterable[tuple[Hashable, Number]]
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    return {member: amount(x, f"{what} of {member!r}") for member, x in pairs}


def _left(rest: Decimal, dust: Decimal) -> Decimal:
    return rest if rest > dust else Decimal(0)


def _decimal(x: Fraction) -> Decimal:
    return Decimal(x.numerator) / Decimal(x.denominator)


# Fractions grow with the size of the system; above this many members in default floats are kept.
_EXACT_MEMBERS = 120


def _fixed_point(web: _Web[Fraction], near: Sequence[float], scale: float) -> list[Fraction] | None:
    """Solve for the fixed point that the iteration came close to, and verify it exactly.

    Near it, it is known who is in default, whose guarantors are called to the full, and who has
    nothing left; given that, every S_i is linear in the others.
    """
    close = 1e-9 * scale
    active = [i for i, s in enumerate(near) if s > close]
    if len(active) > _EXACT_MEMBERS:
        return None
    full = {i for i in active if near[i] >= float(web.pledged[i]) - close}
    floats = web.in_floats()
    spent = {
        g
        for g, (a, w) in enumerate(
            zip(floats.asked(floats.called(near)), floats.means, strict=True)
        )
        if a >= w - close
    }
    row = {i: r for r, i in enumerate(active)}
    size = len(active)
    matrix = [[Fraction(int(r == c)) for c in range(size + 1)] for r in range(size)]
    for i, r in row.items():
        matrix[r][size] = web.debts[i] if i in spent else web.debts[i] - web.means[i]
    for (g, i), q in web.caps.items():
        if g in row and g not in spent and i in row:
            if i in full:
                matrix[row[g]][size] += q
            else:
                matrix[row[g]][row[i]] -= q / web.pledged[i]
    found = solve_exactly(matrix)
    if found is None:
        return None
    shortfall = [Fraction(0)] * len(near)
    for i, r in row.items():
        shortfall[i] = found[r]
    if any(abs(float(s) - n) > 1e-6 * scale for s, n in zip(shortfall, near, strict=True)):
        return None
    again = web.next_shortfall(web.seized(web.called(shortfall)))
    return shortfall if again == shortfall else None


def _several_outcome(
    members: Sequence[Hashable],
    web: _Web[_N],
    shortfall: Sequence[_N],
    rounds: tuple[tuple[float, ...], ...],
    exact: bool,
) -> SeveralOutcome:
    called = web.called(shortfall)
    asked = web.asked(called)
    paid = {
        (g, i): call if asked[g] <= web.means[g] else call * web.means[g] / asked[g]
        for (g, i), call in called.items()
    }
    loss = list(shortfall)
    for (_, i), part in paid.items():
        loss[i] = loss[i] - part

    def named(amounts: Mapping[tuple[int, int], _N]) -> dict[PledgeKey, Number]:
        return {(members[g], members[i]): x for (g, i), x in amounts.items() if x}

    def listed(amounts: Iterable[_N]) -> dict[Hashable, Number]:
        return dict(zip(members, amounts, strict=True))

    return SeveralOutcome(
        shortfall=listed(shortfall),
        called=named(called),
        paid=named(paid),
        paid_total=listed(web.seized(called)),
        loss=listed(loss),
        defaulted=tuple(m for m, s in zip(members, shortfall, strict=True) if s > 0),
        rounds=rounds,
        exact=exact,
    )
