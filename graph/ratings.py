"""Signed ratings: who is liked, and whose ratings can be relied on.

Ratings carry a weight from -1 to 1, so they are no rooms: they come as rows
``(rater, ratee, weight)``, of any order. Several ratings of the same two count one by one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graph.checks import count, id_key, real
from graph.errors import BadParameter, NoConvergence, SelfLoop

Reals: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]
Rating: TypeAlias = tuple[Hashable, Hashable, float]


@dataclass(frozen=True, slots=True)
class FairnessGoodness:
    """What members are worth to others, and how close their own ratings are to that.

    Attributes
    ----------
    fairness, goodness : dict of Hashable to float
        In [0, 1] and [-1, 1], by member, in the order of ids. Who rated nobody has fairness 1,
        whom nobody rated goodness 1: nothing is known.
    rounds : int
        How often both were worked out.
    residual : float
        Largest gap between a figure and what its formula gives for the others.
    """

    fairness: dict[Hashable, float]
    goodness: dict[Hashable, float]
    rounds: int
    residual: float

    def predicted(self, rater: Hashable, ratee: Hashable) -> float:
        """The weight that a rating of one by the other can be expected to have."""
        return self.fairness[rater] * self.goodness[ratee]


@dataclass(frozen=True, slots=True)
class Rev2:
    """Fairness of users, goodness of items, reliability of ratings; see `rev2`.

    Attributes
    ----------
    fairness : dict of Hashable to float
        In [0, 1], by user, in the order of ids.
    goodness : dict of Hashable to float
        In [-1, 1], by item, in the order of ids.
    reliability : tuple of float
        In [0, 1], in the order of the rows given.
    rounds : int
        How often all three were worked out.
    residual : float
        Largest change in the last round.
    """

    fairness: dict[Hashable, float]
    goodness: dict[Hashable, float]
    reliability: tuple[float, ...]
    rounds: int
    residual: float


def fairness_goodness(
    ratings: Iterable[Rating], *, tolerance: float = 1e-12, most_rounds: int = 1_000
) -> FairnessGoodness:
    """Fairness of raters and goodness of those they rate, each by the other.

    ``g(v) = mean over raters u of f(u) w(u, v)``,
    ``f(u) = 1 - mean over rated v of |w(u, v) - g(v)| / 2``.

    Parameters
    ----------
    ratings : iterable of (rater, ratee, weight)
        Weights in [-1, 1].
    tolerance : float
        Largest residual that is let stand, > 0.
    most_rounds : int
        >= 1.

    Returns
    -------
    FairnessGoodness
        `residual` is the certificate. Rounds halve the distance to the fixed point, which is
        unique, so no figure is further from it than twice that.

    Raises
    ------
    BadParameter
        A row is no triple, a weight is not a number in [-1, 1], or a parameter is outside its
        range.
    SelfLoop
        Somebody rates themself.
    NoConvergence
        The residual was still above the tolerance after all rounds.

    Notes
    -----
    O(ratings) a round, one round for each binary digit: about 40.

    References
    ----------
    Kumar, Spezzano, Subrahmanian & Faloutsos (2016), Edge weight prediction in weighted signed
    networks, ICDM.

    Examples
    --------
    >>> found = fairness_goodness([("a", "c", 1.0), ("b", "c", -1.0), ("d", "c", 1.0)])
    >>> round(found.goodness["c"], 3), round(found.fairness["b"], 3), found.goodness["a"]
    (0.333, 0.333, 1.0)
    """
    _check(tolerance, most_rounds)
    raters, ratees, weights = _columns(ratings)
    for rater, ratee in zip(raters, ratees, strict=True):
        if rater == ratee:
            raise SelfLoop(rater)
    members = sorted({*raters, *ratees}, key=id_key)
    at = {member: place for place, member in enumerate(members)}
    u = np.fromiter((at[member] for member in raters), np.int64, len(raters))
    v = np.fromiter((at[member] for member in ratees), np.int64, len(ratees))
    # Rows in one order, so that sums do not depend on the order they came in.
    order = np.lexsort((weights, v, u))
    u, v, w = u[order], v[order], weights[order]
    n = len(members)
    given, received = _counts(u, n), _counts(v, n)
    fairness, goodness = np.ones(n), np.ones(n)
    residual, rounds = inf, 0
    while residual > tolerance:
        if rounds == most_rounds:
            raise NoConvergence(f"residual {residual:g} above {tolerance:g} after {rounds} rounds")
        good = np.where(received > 0, _sums(v, fairness[u] * w, n) / np.maximum(received, 1), 1.0)
        fair = 1.0 - _sums(u, np.abs(w - good[v]), n) / (2.0 * np.maximum(given, 1))
        # `fair` fits `good`, and `good` the fairness before: what moved is what is left.
        residual = _gap(fair, fairness)
        fairness, goodness = fair, good
        rounds += 1
    return FairnessGoodness(
        dict(zip(members, fairness.tolist(), strict=True)),
        dict(zip(members, goodness.tolist(), strict=True)),
        rounds,
        residual,
    )


def rev2(
    ratings: Iterable[Rating],
    *,
    alpha1: float = 1.0,
    beta1: float = 1.0,
    gamma1: float = 1.0,
    gamma2: float = 1.0,
    tolerance: float = 1e-12,
    most_rounds: int = 10_000,
) -> Rev2:
    """REV2 without behaviour terms: fairness, goodness and reliability, smoothed by medians.

    In turn, from 1 on, with R the reliability of a rating of weight w by user u for item p:

    ``G(p) = clip((b1 median(G) + sum of R w over ratings of p) / (b1 + number of them), -1, 1)``,
    ``R = (g1 F(u) + g2 (1 - |w - G(p)| / 2)) / (g1 + g2)``,
    ``F(u) = (a1 median(F) + sum of R over ratings by u) / (a1 + number of them)``.

    Parameters
    ----------
    ratings : iterable of (user, item, weight)
        Weights in [-1, 1]. Users and items are two sets: the same id in both is two things.
    alpha1, beta1 : float
        How many ratings the median counts as, >= 0.
    gamma1, gamma2 : float
        >= 0, not both 0.
    tolerance : float
        Largest change that is let stand, > 0.
    most_rounds : int
        >= 1.

    Returns
    -------
    Rev2
        Medians are of all users and items before the step.

    Raises
    ------
    BadParameter
        A row is no triple, a weight is not a number in [-1, 1], there is no rating, or a parameter
        is outside its range.
    NoConvergence
        Figures still changed by more than the tolerance after all rounds.

    Notes
    -----
    O(ratings) a round.

    References
    ----------
    Kumar, Hooi, Makhija, Kumar, Faloutsos & Subrahmanian (2018), REV2: fraudulent user prediction
    in rating platforms, WSDM.

    Examples
    --------
    >>> found = rev2([("u1", "p", 1.0), ("u2", "p", 1.0), ("u3", "p", -1.0)])
    >>> found.fairness["u1"] > found.fairness["u3"]
    True
    """
    _check(tolerance, most_rounds)
    for name, value in (
        ("alpha1", alpha1),
        ("beta1", beta1),
        ("gamma1", gamma1),
        ("gamma2", gamma2),
    ):
        if not 0 <= real(value, name) < inf:
            raise BadParameter(f"{name} must be finite and >= 0, got {value!r}")
    if gamma1 + gamma2 == 0:
        raise BadParameter("gamma1 and gamma2 are both 0")
    raters, rated, given = _columns(ratings)
    if not raters:
        raise BadParameter("there is no rating")
    users, items = sorted(set(raters), key=id_key), sorted(set(rated), key=id_key)
    user_at = {user: place for place, user in enumerate(users)}
    item_at = {item: place for place, item in enumerate(items)}
    u = np.fromiter((user_at[user] for user in raters), np.int64, len(raters))
    p = np.fromiter((item_at[item] for item in rated), np.int64, len(rated))
    order = np.lexsort((given, p, u))
    u, p, w = u[order], p[order], given[order]
    by_user, by_item = _counts(u, len(users)), _counts(p, len(items))
    fairness, goodness, reliability = np.ones(len(users)), np.ones(len(items)), np.ones(w.size)
    residual, rounds = inf, 0
    while residual > tolerance:
        if rounds == most_rounds:
            raise NoConvergence(f"change {residual:g} above {tolerance:g} after {rounds} rounds")
        held = beta1 * np.median(goodness) + _sums(p, reliability * w, len(items))
        good = np.clip(held / (beta1 + by_item), -1.0, 1.0)
        agrees = 1.0 - np.abs(w - good[p]) / 2.0
        sure = (gamma1 * fairness[u] + gamma2 * agrees) / (gamma1 + gamma2)
        kept = alpha1 * np.median(fairness) + _sums(u, sure, len(users))
        fair = kept / (alpha1 + by_user)
        residual = max(_gap(fair, fairness), _gap(good, goodness), _gap(sure, reliability))
        fairness, goodness, reliability = fair, good, sure
        rounds += 1
    in_rows = np.empty(w.size)
    in_rows[order] = reliability
    return Rev2(
        dict(zip(users, fairness.tolist(), strict=True)),
        dict(zip(items, goodness.tolist(), strict=True)),
        tuple(in_rows.tolist()),
        rounds,
        residual,
    )


def _check(tolerance: float, most_rounds: int) -> None:
    if not 0 < real(tolerance, "tolerance") < inf:
        raise BadParameter(f"tolerance must be finite and > 0, got {tolerance!r}")
    count(most_rounds, "most_rounds", 1)


def _columns(ratings: Iterable[Rating]) -> tuple[list[Hashable], list[Hashable], Reals]:
    raters: list[Hashable] = []
    ratees: list[Hashable] = []
    weights: list[float] = []
    for row in ratings:
        try:
            rater, ratee, weight = row
        except (TypeError, ValueError):
            raise BadParameter(f"a rating is (rater, ratee, weight), not {row!r}") from None
        if not -1 <= real(weight, f"weight of {rater!r} -> {ratee!r}") <= 1:
            raise BadParameter(f"weight of {rater!r} -> {ratee!r} is outside [-1, 1]: {weight!r}")
        raters.append(rater)
        ratees.append(ratee)
        weights.append(float(weight))
    return raters, ratees, np.array(weights, np.float64)


def _counts(places: Places, n: int) -> Reals:
    return np.bincount(places, minlength=n).astype(np.float64)


def _sums(places: Places, values: Reals, n: int) -> Reals:
    return np.bincount(places, weights=values, minlength=n).astype(np.float64, copy=False)


def _gap(after: Reals, before: Reals) -> float:
    return float(np.abs(after - before).max(initial=0.0))
