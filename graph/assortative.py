"""Who pairs with whom under joint liability: safe borrowers with safe ones.

In a pair each repays the own loan, and when the partner fails pays a joint liability besides.
Success is independent and known to the members, not to the lender.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import fsum, isfinite

import numpy as np
from numpy.typing import NDArray

from graph.checks import id_key, real
from graph.errors import BadParameter

Pair = tuple[Hashable, Hashable]


@dataclass(frozen=True, slots=True)
class PairMatching:
    """The ways to pair everybody off that pay most and least together.

    Attributes
    ----------
    best, worst : tuple of (Hashable, Hashable)
        Everybody in one pair, ids ascending within a pair and by pairs.
    best_total, worst_total : float
        Sum of the payoffs to all members.
    cross_derivative : float
        d2 U / dp_i dp_j: what a better partner is worth more to a better borrower.
    """

    best: tuple[Pair, ...]
    best_total: float
    worst: tuple[Pair, ...]
    worst_total: float
    cross_derivative: float


def pair_payoffs(
    success: Mapping[Hashable, float], project_return: float, repayment: float, liability: float
) -> NDArray[np.float64]:
    """What each member can expect beside each partner.

    ``U[i, j] = R - p_i r - p_i (1 - p_j) q``.

    Parameters
    ----------
    success : mapping of member to float
        p, the probability that a member's project succeeds, 0 … 1.
    project_return : float
        R, expected return of a project, the same for all.
    repayment : float
        r, due from a member who succeeds, >= 0.
    liability : float
        q, due besides when the partner fails.

    Returns
    -------
    numpy.ndarray of float64, shape (n, n)
        Rows and columns in the order of `success`; the diagonal is a partner just like oneself.

    Raises
    ------
    BadParameter
        A number is NaN or infinite, p is outside 0 … 1 or r below 0.

    Notes
    -----
    O(n^2).

    References
    ----------
    Ghatak (1999), Group lending, local information and peer selection, Journal of Development
    Economics 60(1).

    Examples
    --------
    >>> pair_payoffs({"ana": 1.0, "ben": 0.5}, 2.0, 1.0, 0.5).tolist()
    [[1.0, 0.75], [1.5, 1.375]]
    """
    _check(success, project_return, repayment, liability)
    p = np.array(list(success.values()), np.float64)
    payoffs: NDArray[np.float64] = (
        project_return - p[:, None] * repayment - p[:, None] * (1 - p[None, :]) * liability
    )
    return payoffs


def assortative_matching(
    success: Mapping[Hashable, float], project_return: float, repayment: float, liability: float
) -> PairMatching:
    """Pair everybody off so that all together can expect most, and so that least.

    ``sum over pairs of U[i, j] + U[j, i] = sum of (R - p_i (r + q)) + 2 q sum over pairs of
    p_i p_j``, so only the products count. For q > 0 they are greatest when members are paired in
    the order of p, each with the next, and least when the first is paired with the last, the
    second with the last but one: exchanging partners among any two pairs shows it. For q < 0 it
    is the other way round; for q = 0 all are the same.

    Parameters
    ----------
    success, project_return, repayment, liability
        As for `pair_payoffs`; an even number of members.

    Returns
    -------
    PairMatching
        Of members with the same p the one with the lower id comes first.

    Raises
    ------
    BadParameter
        As for `pair_payoffs`, or the number of members is odd.

    Notes
    -----
    O(n log n).

    References
    ----------
    Ghatak (1999); Becker (1973), A theory of marriage, Journal of Political Economy 81(4).

    Examples
    --------
    >>> found = assortative_matching({"a": 0.9, "b": 0.5, "c": 0.8, "d": 0.6}, 2.0, 1.0, 0.5)
    >>> found.best, found.worst
    ((('a', 'c'), ('b', 'd')), (('a', 'b'), ('c', 'd')))
    """
    _check(success, project_return, repayment, liability)
    if len(success) % 2:
        raise BadParameter(f"{len(success)} members cannot all be paired off")
    ranked = sorted(success, key=lambda member: (-success[member], id_key(member)))
    half = len(ranked) // 2
    alike = _pairs(list(zip(ranked[::2], ranked[1::2], strict=True)))
    unlike = _pairs(list(zip(ranked[:half], ranked[half:][::-1], strict=True)))
    best, worst = (alike, unlike) if liability >= 0 else (unlike, alike)

    def total(pairs: tuple[Pair, ...]) -> float:
        return fsum(
            project_return - success[i] * repayment - success[i] * (1 - success[j]) * liability
            for one, other in pairs
            for i, j in ((one, other), (other, one))
        )

    return PairMatching(best, total(best), worst, total(worst), float(liability))


def _pairs(pairs: list[Pair]) -> tuple[Pair, ...]:
    each: list[Pair] = [(i, j) if id_key(i) < id_key(j) else (j, i) for i, j in pairs]
    return tuple(sorted(each, key=id_key))


def _check(
    success: Mapping[Hashable, float], project_return: float, repayment: float, liability: float
) -> None:
    for member, p in success.items():
        if not 0 <= real(p, f"success of {member!r}") <= 1:
            raise BadParameter(f"success of {member!r} must be 0 … 1, got {p!r}")
    for what, value in {
        "project_return": project_return,
        "repayment": repayment,
        "liability": liability,
    }.items():
        if not isfinite(real(value, what)):
            raise BadParameter(f"{what} must be finite, got {value!r}")
    if repayment < 0:
        raise BadParameter(f"repayment must be >= 0, got {repayment!r}")
