"""How far losses spread: DebtRank, and whether small ones grow.

A creditor whose debtor loses part of its worth writes off that part of the claim, is worth less
itself, and so on. Claims are read as debts, ``A_ij = L_ji``: see `graph.debts`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graph.checks import amount, count
from graph.clearing import Liabilities
from graph.debts import Amounts, Debts, Floats, debts_of
from graph.errors import BadAmount, BadCertificate, BadParameter, NoConvergence

if TYPE_CHECKING:
    from scipy.sparse import csr_array

# Up to this size linear systems are solved: fill-in makes that slow for larger ones.
_SOLVED = 5_000
# How narrow the bounds on the radius should be, and after how many products there is help.
_NARROW = 1e-10
_PRODUCTS = 300


@dataclass(frozen=True, eq=False, repr=False)
class DebtRank:
    """What a shock leads to. Arrays are read-only, by place in ``debts.ids``.

    Attributes
    ----------
    debts : Debts
    shock : numpy.ndarray of float64, shape (n,)
        h(1), the part of each equity that was lost first.
    loss : numpy.ndarray of float64, shape (n,)
        h at the end, from 0 to 1.
    value : float
        ``R = sum_i v_i (h_i - h_i(1))``: the part of all value that contagion adds.
    rounds : int
        Rounds in which losses were handed on.
    """

    debts: Debts
    shock: Floats
    loss: Floats
    value: float
    rounds: int

    def __post_init__(self) -> None:
        for array in (self.shock, self.loss):
            array.flags.writeable = False

    def __repr__(self) -> str:
        return f"DebtRank({self.value:.6g} after {self.rounds} rounds)"

    @property
    def losses(self) -> dict[Hashable, float]:
        """h at the end, by member."""
        return dict(zip(self.debts.ids_of(range(self.debts.n)), self.loss.tolist(), strict=True))


def debt_rank(
    liabilities: Liabilities,
    equity: Amounts,
    shock: Amounts,
    *,
    weights: Amounts | None = None,
    single_hit: bool = False,
    rounds: int | None = None,
) -> DebtRank:
    """Follow a loss of equity through a web of claims.

    With ``Lambda_ij = A_ij / E_i``, A_ij what i is owed by j: ``h(0) = 0``, ``h(1) = shock``,
    ``h_i(t+1) = min(1, h_i(t) + sum_j Lambda_ij (h_j(t) - h_j(t-1)))``. With `single_hit` the
    older form: ``W_ij = min(1, Lambda_ij)``, and everybody hands on what they lost only once, in
    the step after they first lost anything.

    Parameters
    ----------
    liabilities : Debts, ArrayNetwork, networkx graph, or square matrix (dense or sparse)
        Debts, debtor first: see `debts_of`. A matrix of exposures is given transposed.
    equity : mapping of member to number, sequence, or array, shape (n,)
        E_i > 0 for everybody, in the unit of the debts.
    shock : as `equity`
        h_i(1), from 0 to 1. Who a mapping leaves out lost nothing.
    weights : as `equity`, optional
        v_i >= 0. Default: each one's part of all equity, so that R is a part of all equity.
    single_hit : bool
        Default False.
    rounds : int, optional
        Stop after so many rounds: h(1 + rounds). Default: when nobody loses more than a
        10^15th of their equity any more.

    Returns
    -------
    DebtRank

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter
        A number is NaN, infinite or negative, an equity 0, a shock above 1; somebody owes
        themself; a stranger is named; lengths differ.
    NoConvergence
        Losses had not come to rest after 1,000,000 rounds.

    Notes
    -----
    O(debts of those who lost something) a round; compiled. Losses never fall and end at 1, so it
    comes to rest: geometrically where the radius of `leverage_radius` is below 1, else when those
    on a growing circle have lost everything.

    References
    ----------
    Bardoscia, Battiston, Caccioli & Caldarelli (2015), DebtRank: a microscopic foundation for
    shock propagation, PLoS ONE 10(6); Battiston, Puliga, Kaushik, Tasca & Caldarelli (2012),
    DebtRank: too central to fail?, Scientific Reports 2:541, for the single hit.

    Examples
    --------
    >>> chain = [[0, 4, 0], [0, 0, 3], [0, 0, 0]]  # 0 owes 1, who owes 2
    >>> debt_rank(chain, [10, 8, 6], [0.5, 0, 0]).losses
    {0: 0.5, 1: 0.25, 2: 0.125}
    """
    debts = debts_of(liabilities)
    own = _equity(debts, equity)
    first = debts.by_place(shock, "shock")
    if (first > 1).any():
        raise BadParameter(f"a shock is from 0 to 1, got {first.max()}")
    value = _values(debts, own, weights)
    # The kernel counts in 64 bits.
    most = 1_000_000 if rounds is None else min(count(rounds, "rounds", 0), 2**62)
    from graph.kernels import contagion

    loss = first.copy()
    hit = np.flatnonzero(first).astype(np.int32)
    front, spare, touched = (np.empty(debts.n, np.int32) for _ in range(3))
    front[: hit.size] = hit
    passed = (first > 0).astype(np.uint8)
    weight = _leverage(debts, own, single_hit)
    taken, _, left = contagion.spread(
        debts.start,
        debts.creditor,
        weight,
        *debts.by_creditor[:2],
        weight[debts.by_creditor[2]],
        loss,
        front,
        first.copy(),
        hit.size,
        single_hit,
        np.zeros(debts.n, np.float64),
        spare,
        passed,
        most,
        touched,
        0,
    )
    if left and rounds is None:
        raise NoConvergence(f"losses had not come to rest after {most} rounds")
    return DebtRank(debts, first, loss, float(value @ (loss - first)), taken)


def debt_rank_of_each(
    liabilities: Liabilities,
    equity: Amounts,
    members: Iterable[Hashable] | None = None,
    *,
    shock: float = 1.0,
    weights: Amounts | None = None,
    single_hit: bool = False,
) -> dict[Hashable, float]:
    """The DebtRank of members: what contagion adds if one of them alone is hit.

    ``R_k = sum_i v_i (h_i - h_i(1))`` of `debt_rank` with ``h(1) = shock`` at k, 0 elsewhere.

    Parameters
    ----------
    liabilities, equity, weights, single_hit
        As for `debt_rank`.
    members : iterable, optional
        Whom to try. Default everybody.
    shock : float
        From 0 to 1. Default 1: all equity is lost.

    Returns
    -------
    dict of member to float
        In the order of `members` (or of ids).

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter, NoConvergence
        As for `debt_rank`.

    Notes
    -----
    The web is read once, and each shock touches only whom it reaches.

    References
    ----------
    As for `debt_rank`.

    Examples
    --------
    >>> debt_rank_of_each([[0, 4, 0], [0, 0, 3], [0, 0, 0]], [10, 8, 6], weights=[1, 1, 1])
    {0: 0.75, 1: 0.5, 2: 0.0}
    """
    debts = debts_of(liabilities)
    own = _equity(debts, equity)
    value = _values(debts, own, weights)
    if amount(shock, "shock") > 1:
        raise BadParameter(f"a shock is from 0 to 1, got {shock!r}")
    names = debts.ids_of(range(debts.n)) if members is None else list(members)
    places = np.array([debts.place(member) for member in names], np.int32)
    from graph.kernels import contagion

    weight = _leverage(debts, own, single_hit)
    totals, stuck = contagion.each(
        debts.start,
        debts.creditor,
        weight,
        *debts.by_creditor[:2],
        weight[debts.by_creditor[2]],
        value,
        places,
        float(shock),
        single_hit,
        1_000_000,
    )
    if stuck >= 0:
        raise NoConvergence(f"losses from {debts.ids_of([stuck])[0]!r} had not come to rest")
    return dict(zip(names, totals.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Radius:
    """The spectral radius of leverage between two bounds that prove it.

    Attributes
    ----------
    lower, upper : float
        ``min_i (Lambda x)_i / x_i <= radius <= max_i (Lambda x)_i / x_i`` for one x > 0 on the
        circle of debts that decides.
    members : tuple of Hashable
        That circle (a strongly connected part), lowest id first; empty if there is none.
    vector : tuple of float
        x, in the same order.
    """

    lower: float
    upper: float
    members: tuple[Hashable, ...]
    vector: tuple[float, ...]

    @property
    def value(self) -> float:
        """The middle of the bounds."""
        return (self.lower + self.upper) / 2


def leverage_radius(liabilities: Liabilities, equity: Amounts, *, seed: int = 0) -> Radius:
    """The spectral radius of leverage: above 1, small losses grow until somebody has nothing left.

    ``rho(Lambda)``, ``Lambda_ij = A_ij / E_i``; the largest over the strongly connected parts of
    the web, since losses only grow where they come back.

    Parameters
    ----------
    liabilities, equity
        As for `debt_rank`.
    seed : int
        For the vector that the search starts from. Default 0.

    Returns
    -------
    Radius
        The bounds lie within a part in 10^10 where that can be had; they hold in any case.

    Raises
    ------
    BadAmount, BadCapacity, SelfLoop, UnknownNode, BadParameter
        As for `debt_rank`.

    Notes
    -----
    For each part that may still decide, products with ``Lambda + s I`` until the bounds meet;
    after 300 of them from a vector of ARPACK's, and then (up to 5,000 members) by Noda's iteration,
    a linear system each. By Perron and Frobenius the leading vector is positive on a part. O(m) a
    product. Only on larger circles with few chords may the bounds stay wide.

    References
    ----------
    Collatz (1942) and Wielandt (1950) for the bounds; Noda (1971), Note on the computation of the
    maximal eigenvalue, Numerische Mathematik 17; Bardoscia et al. (2015) for the meaning.

    Examples
    --------
    >>> pair = leverage_radius([[0, 2, 0], [8, 0, 5], [0, 0, 0]], [1, 1, 1])
    >>> round(pair.value, 9), pair.members
    (4.0, (0, 1))
    """
    debts = debts_of(liabilities)
    own = _equity(debts, equity)
    count(seed, "seed", 0)
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    weight = _leverage(debts, own, False)
    # By debtor: the transposed Lambda, with the same radius, so the sums are over debtors' rows.
    matrix = csr_array((weight, debts.creditor, debts.start), shape=(debts.n, debts.n))
    _, label = connected_components(matrix, connection="strong")
    sizes = np.bincount(label, minlength=1)
    inside = label[debts.debtor] == label[debts.creditor]
    rows = _sums(debts.debtor[inside], weight[inside], debts.n)
    columns = _sums(debts.creditor[inside], weight[inside], debts.n)
    ceiling = np.minimum(_largest(rows, label, sizes.size), _largest(columns, label, sizes.size))
    best = Radius(0.0, 0.0, (), ())
    highest = 0.0
    order = np.argsort(label, kind="stable")
    ends = np.cumsum(sizes)
    parts = np.flatnonzero(sizes > 1)
    # Within a part members ascend; parts that tie are taken by their lowest member.
    lowest = order[ends - sizes]
    for part in parts[np.lexsort((lowest[parts], -ceiling[parts]))]:
        if ceiling[part] <= best.lower:
            break
        members = order[ends[part] - sizes[part] : ends[part]]
        lower, upper, vector = _perron(matrix[members][:, members], seed)
        highest = max(highest, upper)
        if lower > best.lower:
            best = Radius(lower, upper, tuple(debts.ids_of(members)), tuple(vector.tolist()))
    return Radius(best.lower, max(best.upper, highest), best.members, best.vector)


def check_radius(liabilities: Liabilities, equity: Amounts, radius: Radius) -> None:
    """Hold a radius against its vector: the bounds by definition, the parts by Perron's theorem.

    Parameters
    ----------
    liabilities, equity
        As for `leverage_radius`.
    radius : Radius

    Raises
    ------
    BadCertificate
        The vector is not positive or does not give the lower bound.

    Notes
    -----
    O(m). The lower bound is proved by the vector alone; the upper one for its own part.

    Examples
    --------
    >>> web = [[0, 2], [8, 0]]
    >>> check_radius(web, [1, 1], leverage_radius(web, [1, 1]))
    """
    debts = debts_of(liabilities)
    weight = _leverage(debts, _equity(debts, equity), False)
    x = np.zeros(debts.n, np.float64)
    places = np.array([debts.place(member) for member in radius.members], np.int64)
    x[places] = radius.vector
    if not (x[places] > 0).all():
        raise BadCertificate("the vector is not positive")
    after = _sums(debts.debtor, weight * x[debts.creditor], debts.n)
    ratio = after[places] / x[places]
    least, most = float(ratio.min(initial=np.inf)), float(ratio.max(initial=0.0))
    near = 1e-12 * max(radius.upper, 1.0)
    if places.size and (least < radius.lower - near or most > radius.upper + near):
        raise BadCertificate(f"the vector gives {least} to {most}")


def _equity(debts: Debts, equity: Amounts) -> Floats:
    own = debts.by_place(equity, "equity")
    if not (own > 0).all():
        member = debts.ids_of([int(np.argmin(own))])[0]
        raise BadAmount(f"equity of {member!r}", 0, "above 0")
    return own


def _values(debts: Debts, own: Floats, weights: Amounts | None) -> Floats:
    return own / own.sum() if weights is None else debts.by_place(weights, "weights")


def _leverage(debts: Debts, own: Floats, capped: bool) -> Floats:
    """``A / E`` of the creditor, by debt."""
    weight = debts.owed / own[debts.creditor]
    return np.minimum(weight, 1.0) if capped else weight


def _sums(places: NDArray[Any], values: Floats, n: int) -> Floats:
    return np.bincount(places, values, n).astype(np.float64)


def _largest(values: Floats, label: NDArray[Any], parts: int) -> Floats:
    most = np.zeros(parts, np.float64)
    np.maximum.at(most, label, values)
    return most


def _perron(matrix: csr_array, seed: int) -> tuple[float, float, Floats]:
    """Bounds on the radius of an irreducible matrix >= 0, and the vector > 0 that gives them."""
    start = 0.5 + np.random.default_rng(seed).random(matrix.shape[0])
    found = _closer(matrix, start, _PRODUCTS)
    # Where two eigenvalues lie close together products alone would take too long to part them. On
    # a long circle that defeats ARPACK too.
    for leading in (_by_arpack, _by_noda):
        if found[1] - found[0] <= _NARROW * found[1]:
            break
        again = _closer(matrix, leading(matrix, found), 10 * _PRODUCTS)
        found = min(found, again, key=lambda bounds: bounds[1] - bounds[0])
    return found


def _closer(matrix: csr_array, x: Floats, products: int) -> tuple[float, float, Floats]:
    """The narrowest bounds on the way from a vector > 0 to the leading one."""
    x = np.maximum(x / x.max(), 1e-12)
    best: tuple[float, float, Floats] = (0.0, np.inf, x)
    for _ in range(products):
        after = matrix @ x
        ratio = after / x
        lower, upper = float(ratio.min()), float(ratio.max())
        if upper - lower < best[1] - best[0]:
            best = (lower, upper, x)
        if upper - lower <= _NARROW * upper:
            break
        # The shift keeps an even circle from swinging to and fro for ever.
        x = after + 0.2 * upper * x
        x = np.maximum(x / x.max(), np.finfo(np.float64).tiny)
    return best


def _by_arpack(matrix: csr_array, found: tuple[float, float, Floats]) -> Floats:
    from scipy.sparse.linalg import ArpackError, eigs

    # ARPACK looks for fewer vectors than there are members less one.
    if matrix.shape[0] < 3:
        return found[2]
    try:
        _, vectors = eigs(matrix, k=1, which="LR", v0=found[2], tol=1e-12, maxiter=1_000)
    except ArpackError:
        return found[2]
    leading: Floats = np.abs(vectors[:, 0])
    return leading


def _by_noda(matrix: csr_array, found: tuple[float, float, Floats]) -> Floats:
    """Solve ``(upper I - matrix) y = x`` again and again: y stays positive, bounds close fast."""
    from scipy.sparse import eye_array
    from scipy.sparse.linalg import splu

    lower, upper, x = found
    size = matrix.shape[0]
    if size > _SOLVED:
        return x
    for _ in range(30):
        # A part in 10^13 above the bound keeps the system from being singular at the goal.
        shift = upper * (1 + 1e-13)
        y = splu((shift * eye_array(size) - matrix).tocsc()).solve(x)
        if not (np.isfinite(y).all() and (y > 0).all()):
            break
        x = y / y.max()
        ratio = (matrix @ x) / x
        lower, upper = float(ratio.min()), float(ratio.max())
        if upper - lower <= _NARROW * upper:
            break
    return x
