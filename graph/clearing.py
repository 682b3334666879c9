"""What everybody can pay when all debts fall due at once, and some cannot pay in full.

Eisenberg and Noe's clearing vector, and Rogers and Veraart's with costs of default. Everybody pays
in full or all that there is, shared among creditors in proportion to what each is owed. Where
several vectors clear, everything here is about the greatest: rings of members who owe one another
and have no cash at all can still pay all of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graph.arrays import ArrayNetwork, Places
from graph.checks import amount, count
from graph.debts import Amounts, Debts, Floats, Number, debts_of
from graph.errors import BadCertificate, BadParameter, NoConvergence
from graph.exact import solve_exactly

if TYPE_CHECKING:
    from graph.network import Network

# Whatever `debts_of` reads: Debts, a network, a dense or sparse matrix.
Liabilities: TypeAlias = "Debts | ArrayNetwork | Network | Any"

# Who is short by less than this part of the debt pays in full: as in `graph.kernels.clearing`.
SLACK = 1e-11
# Linear systems up to this size are solved as dense ones.
_DENSE = 600
# Fractions grow with every step of a solution.
_EXACT_MEMBERS = 120


@dataclass(frozen=True, eq=False, repr=False)
class Clearing:
    """Who pays how much. Arrays are read-only, by place in ``debts.ids``.

    Attributes
    ----------
    debts : Debts
    outside : numpy.ndarray of float64, shape (n,)
        e_i, assets from outside the web.
    alpha, beta : float
        What is left of outside assets, and of what others pay, when somebody defaults.
    pay : numpy.ndarray of float64, shape (n,)
        p_i.
    equity : numpy.ndarray of float64, shape (n,)
        What is left after paying; 0 for those in default.
    round_of : numpy.ndarray of int32, shape (n,)
        The round of `fictitious_default` in which a member defaults, 0 for never.
    in_fractions : tuple of Fraction or None
        `pay` without any rounding, where that was asked for.
    """

    debts: Debts
    outside: Floats
    alpha: float
    beta: float
    pay: Floats
    equity: Floats
    round_of: Places
    in_fractions: tuple[Fraction, ...] | None = None

    def __post_init__(self) -> None:
        for array in (self.outside, self.pay, self.equity, self.round_of):
            array.flags.writeable = False

    def __repr__(self) -> str:
        failed = int((self.round_of > 0).sum())
        return f"Clearing({self.debts.n} members, {failed} in default)"

    @property
    def payments(self) -> dict[Hashable, Number]:
        """p by member, in fractions where they are known."""
        return self._by_member(
            self.pay.tolist() if self.in_fractions is None else self.in_fractions
        )

    @property
    def obligations(self) -> dict[Hashable, Number]:
        """pbar by member."""
        return self._by_member(self.debts.obligation.tolist())

    @property
    def equities(self) -> dict[Hashable, Number]:
        """What is left after paying, by member."""
        return self._by_member(self.equity.tolist())

    @cached_property
    def rounds(self) -> tuple[tuple[Hashable, ...], ...]:
        """Who defaults in each round, lowest id first; empty if nobody does."""
        failed = np.flatnonzero(self.round_of > 0)
        made: list[list[Hashable]] = [[] for _ in range(int(self.round_of.max(initial=0)))]
        for member, number in zip(
            self.debts.ids_of(failed), self.round_of[failed].tolist(), strict=True
        ):
            made[number - 1].append(member)
        return tuple(map(tuple, made))

    @property
    def defaulted(self) -> tuple[Hashable, ...]:
        """All who cannot pay in full, lowest id first."""
        return tuple(self.debts.ids_of(np.flatnonzero(self.round_of > 0)))

    def _by_member(self, values: Iterable[Number]) -> dict[Hashable, Number]:
        return dict(zip(self.debts.ids_of(range(self.debts.n)), values, strict=True))


def clearing_vector(
    liabilities: Liabilities,
    assets: Amounts,
    *,
    alpha: Number = 1,
    beta: Number = 1,
    max_passes: int = 10_000,
) -> Clearing:
    """Find the greatest clearing vector by letting payments fall from full until they rest.

    With L_ij owed by i to j, ``pbar_i = sum_j L_ij``, ``Pi_ij = L_ij / pbar_i`` and e_i outside
    assets: ``p_i = pbar_i`` if ``pbar_i <= e_i + sum_j Pi_ji p_j``, otherwise
    ``p_i = alpha e_i + beta sum_j Pi_ji p_j``. Alpha = beta = 1 is Eisenberg and Noe.

    Parameters
    ----------
    liabilities : Debts, ArrayNetwork, networkx graph, or square matrix (dense or sparse)
        Who owes whom how much: see `debts_of`.
    assets : mapping of member to number, sequence, or array, shape (n,)
        e_i >= 0, in the unit of the debts; in a sequence by place. Who a mapping leaves out has 0.
    alpha, beta : number
        In [0, 1]. Default 1: default costs nothing.
    max_passes : int
        Give up after adding up everybody's receipts so often. Default 10,000.

    Returns
    -------
    Clearing
        In floats, good to about one part in 10^14 of what each owes times 1 / (1 - r), r the
        largest part of a payment that comes back within the members in default.

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter
        A number is NaN, infinite or negative; somebody owes themself; a stranger has assets;
        a cost is outside [0, 1].
    NoConvergence
        Payments still fell: members in default owe one another nearly everything.
        `fictitious_default` solves such webs.

    Notes
    -----
    O(m) and then only what falls: members in default pass on each fall in their payment, the
    newly short join when the others rest, so that rounds are those of `fictitious_default`.
    Compiled. The map never falls as p rises and is continuous from above, so the way down from
    pbar ends in the greatest fixed point (Tarski); a way up may stop where nothing clears.

    References
    ----------
    Eisenberg & Noe (2001), Systemic risk in financial systems, Management Science 47(2); Rogers &
    Veraart (2013), Failure and rescue in an interbank network, Management Science 59(4).

    Examples
    --------
    >>> done = clearing_vector([[0, 8, 0], [0, 0, 6], [0, 0, 0]], [4, 1, 0])
    >>> done.payments, done.rounds
    ({0: 4.0, 1: 5.0, 2: 0.0}, ((0,), (1,)))
    >>> clearing_vector([[0, 1], [1, 0]], [0, 0]).payments
    {0: 1.0, 1: 1.0}
    """
    debts, outside, a, b = _read(liabilities, assets, alpha, beta)
    count(max_passes, "max_passes", 1)
    from graph.kernels import clearing

    pay, inflow, round_of, left = clearing.greatest(
        debts.start,
        debts.creditor,
        debts.owed,
        debts.share,
        *debts.by_creditor[:2],
        debts.share_by_creditor,
        debts.obligation,
        outside,
        a,
        b,
        max_passes,
    )
    if left < 0:
        raise NoConvergence(f"payments still fell after {max_passes} passes")
    return _clearing(debts, outside, a, b, pay, inflow, round_of)


def fictitious_default(
    liabilities: Liabilities,
    assets: Amounts,
    *,
    alpha: Number = 1,
    beta: Number = 1,
    exact: bool = False,
) -> Clearing:
    """Find the greatest clearing vector by rounds of defaults, a linear system each.

    Start from ``p = pbar``; mark D, all who cannot pay in full from what they would receive;
    solve ``p_i = alpha e_i + beta (sum over j in D of Pi_ji p_j + sum over others of L_ji)`` for
    i in D; mark again, until nobody new is marked.

    Parameters
    ----------
    liabilities, assets, alpha, beta
        As for `clearing_vector`.
    exact : bool
        Work in fractions, without a tolerance: who is short by however little defaults.
        For up to 120 members in default. Default False.

    Returns
    -------
    Clearing
        With ``in_fractions`` if `exact`.

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter
        As for `clearing_vector`; too many members in default for an exact answer.
    NoConvergence
        A system could not be solved in floating point. (Exactly, none is singular: of members who
        owe only one another, the last to be marked cannot have been short.)

    Notes
    -----
    At most n rounds. A system of d members costs O(d^3) up to 600 of them, more are solved sparse:
    fill-in makes that slow where tens of thousands default together.

    References
    ----------
    As for `clearing_vector`.

    Examples
    --------
    >>> done = fictitious_default([[0, 2, 1], [2, 0, 1], [0, 0, 0]], [0, 1, 0], exact=True)
    >>> done.payments
    {0: Fraction(6, 5), 1: Fraction(9, 5), 2: Fraction(0, 1)}
    """
    debts, outside, a, b = _read(liabilities, assets, alpha, beta)
    if exact:
        return _exact_rounds(debts, debts.exactly_by_place(assets, "assets"), alpha, beta)
    from scipy.sparse import csr_array, eye_array
    from scipy.sparse.linalg import spsolve

    shares = csr_array((debts.share, debts.creditor, debts.start), shape=(debts.n, debts.n))
    pay = debts.obligation.copy()
    round_of = np.zeros(debts.n, np.int32)
    rounds = 0
    inflow = _received(debts, pay)
    while True:
        short = outside + inflow < debts.obligation - SLACK * debts.obligation
        fresh = short & (round_of == 0)
        if not fresh.any():
            return _clearing(debts, outside, a, b, pay, inflow, round_of)
        rounds += 1
        round_of[fresh] = rounds
        failed = np.flatnonzero(round_of)
        others = np.where(round_of == 0, debts.obligation, 0.0)
        right = a * outside[failed] + b * _received(debts, others)[failed]
        inner = shares[failed][:, failed].T
        if failed.size <= _DENSE:
            try:
                found = np.linalg.solve(np.eye(failed.size) - b * inner.toarray(), right)
            except np.linalg.LinAlgError:
                raise NoConvergence("the members in default owe only one another") from None
        else:
            found = spsolve((eye_array(failed.size) - b * inner).tocsc(), right)
        if not np.isfinite(found).all():
            raise NoConvergence("the members in default owe only one another")
        pay[failed] = np.clip(found, 0.0, debts.obligation[failed])
        inflow = _received(debts, pay)


def check_clearing(clearing: Clearing, tolerance: float = 1e-9) -> None:
    """Prove that a vector clears and that no greater one does, whatever way it was found.

    1. ``0 <= p <= pbar``. 2. p is what the map makes of it. 3. Nobody else could do better: without
    costs of default, from every member in default D a chain of debts leads out of D. (If a
    greater vector p' cleared, ``d = p' - p`` would satisfy ``d_i <= sum_j Pi_ji d_j`` on D, and sum
    to more than it receives unless those with d > 0 owe only one another.) With costs, an upper
    bound that starts from pbar and is lowered by the map must leave every member of D short;
    then every clearing vector has D in default and solves the same linear equations.

    Parameters
    ----------
    clearing : Clearing
    tolerance : float
        Relative to what passes through each member's hands. Default 1e-9.

    Raises
    ------
    BadCertificate
        Says which of the three does not hold.
    NoConvergence
        With costs: the bound still fell after 100,000 rounds.

    Notes
    -----
    O(m) for each link of the longest chain; with costs of default O(m) for each round of the bound.
    In NumPy, apart from the loops that found the answer.

    References
    ----------
    As for `clearing_vector`.

    Examples
    --------
    >>> check_clearing(clearing_vector([[0, 8, 0], [0, 0, 6], [0, 0, 0]], [4, 1, 0]))
    """
    debts, pay, outside = clearing.debts, clearing.pay, clearing.outside
    owed = debts.obligation
    if not (np.all(pay >= 0) and np.all(pay <= owed)):
        raise BadCertificate("a payment is below 0 or above what is owed")
    inflow = _received(debts, pay)
    near = tolerance * (owed + outside + inflow)
    failed = outside + inflow < owed - np.minimum(near, SLACK * owed)
    mapped = np.where(failed, clearing.alpha * outside + clearing.beta * inflow, owed)
    off = np.abs(mapped - pay) > near
    if off.any():
        worst = debts.ids_of([int(np.argmax(off))])[0]
        raise BadCertificate(f"{worst!r} does not pay what the others' payments leave them")
    if clearing.alpha < 1 or clearing.beta < 1:
        _check_forced(clearing, failed)
    if clearing.beta == 1 and not _leads_out(debts, failed).all():
        raise BadCertificate("some members in default owe only one another: they could pay more")


def _check_forced(clearing: Clearing, failed: NDArray[np.bool_]) -> None:
    """Everybody in default is so in every clearing vector."""
    debts, outside = clearing.debts, clearing.outside
    owed = debts.obligation
    bound = owed.copy()
    forced = np.zeros(debts.n, np.bool_)
    for _ in range(100_000):
        inflow = _received(debts, bound)
        forced |= outside + inflow < owed - SLACK * owed
        if (forced | ~failed).all():
            return
        lower = np.where(forced, clearing.alpha * outside + clearing.beta * inflow, owed)
        if not (lower < bound - 1e-15 * owed).any():
            raise BadCertificate("a member in default could pay in full")
        bound = np.minimum(bound, lower)
    raise NoConvergence("the bound on payments still fell after 100000 rounds")


def _leads_out(debts: Debts, failed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """From whom a chain of debts leads to somebody who has not failed."""
    reached = ~failed
    inner = failed[debts.debtor]
    tails, heads = debts.debtor[inner], debts.creditor[inner]
    while True:
        steps = tails[reached[heads]]
        if not steps.size:
            return reached
        reached[steps] = True
        left = ~reached[tails]
        tails, heads = tails[left], heads[left]


def _read(
    liabilities: Liabilities, assets: Amounts, alpha: Number, beta: Number
) -> tuple[Debts, Floats, float, float]:
    debts = debts_of(liabilities)
    for name, cost in (("alpha", alpha), ("beta", beta)):
        if amount(cost, name) > 1:
            raise BadParameter(f"{name} must be from 0 to 1, got {cost!r}")
    return debts, debts.by_place(assets, "assets"), float(alpha), float(beta)


def _received(debts: Debts, pay: Floats) -> Floats:
    """``sum_j Pi_ji p_j``."""
    passed = pay[debts.debtor] * debts.share
    return np.bincount(debts.creditor, passed, debts.n).astype(np.float64)


def _clearing(
    debts: Debts,
    outside: Floats,
    alpha: float,
    beta: float,
    pay: Floats,
    inflow: Floats,
    round_of: Places,
) -> Clearing:
    rest = np.maximum(outside + inflow - debts.obligation, 0.0)
    equity = np.where(round_of > 0, 0.0, rest)
    return Clearing(debts, outside, alpha, beta, pay, equity, round_of)


def _exact_rounds(debts: Debts, outside: list[Fraction], alpha: Number, beta: Number) -> Clearing:
    a, b, n = Fraction(alpha), Fraction(beta), debts.n
    edges = [
        (int(i), int(j), amount(x, "a debt"))
        for i, j, x in zip(debts.debtor, debts.creditor, debts.given, strict=True)
    ]
    owed = [Fraction(0)] * n
    for i, _, x in edges:
        owed[i] += x
    pay = list(owed)
    round_of = np.zeros(n, np.int32)
    rounds = 0
    while True:
        inflow = [Fraction(0)] * n
        for i, j, x in edges:
            inflow[j] += x * pay[i] / owed[i]
        fresh = [i for i in range(n) if not round_of[i] and outside[i] + inflow[i] < owed[i]]
        if not fresh:
            break
        rounds += 1
        round_of[fresh] = rounds
        failed = np.flatnonzero(round_of).tolist()
        if len(failed) > _EXACT_MEMBERS:
            raise BadParameter(f"more than {_EXACT_MEMBERS} in default: too many for fractions")
        row = {i: r for r, i in enumerate(failed)}
        size = len(failed)
        rows = [[Fraction(int(r == c)) for c in range(size + 1)] for r in range(size)]
        for i, r in row.items():
            rows[r][size] = a * outside[i]
        for i, j, x in edges:
            if j in row:
                if i in row:
                    rows[row[j]][row[i]] -= b * x / owed[i]
                else:
                    rows[row[j]][size] += b * x
        found = solve_exactly(rows)
        assert found is not None, "see `fictitious_default`: no such system is singular"
        for i, r in row.items():
            pay[i] = found[r]
    equity = [Fraction(0) if round_of[i] else outside[i] + inflow[i] - owed[i] for i in range(n)]
    return Clearing(
        debts,
        np.array([float(x) for x in outside], np.float64),
        float(a),
        float(b),
        np.minimum(np.array([float(x) for x in pay], np.float64), debts.obligation),
        np.array([float(x) for x in equity], np.float64),
        round_of,
        tuple(pay),
    )
