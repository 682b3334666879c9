"""How well a score tells two kinds of cases apart, and how true its probabilities are.

An outcome is 1 (it happened) or 0; a larger score says that it is more likely. Only the order of
scores counts, except for `brier`. Cases of equal score are never put in an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graph.errors import BadParameter

Ints: TypeAlias = NDArray[np.int64]
Reals: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoreMetrics:
    """All measures of one score; see the functions of the same names."""

    auc: float
    gini: float
    average_precision: float
    brier: float
    ks: float


def auc(outcomes: ArrayLike, scores: ArrayLike) -> float:
    """Chance that a case that happened scores above one that did not.

    ``AUC = (pairs with s_1 > s_0 + half the pairs with s_1 = s_0) / all pairs (1, 0)``.

    Parameters
    ----------
    outcomes : array of 0 and 1, shape (n,)
        Numbers or bools; both have to occur.
    scores : array of float, shape (n,)
        Any numbers but NaN.

    Returns
    -------
    float
        From 0 to 1; one half says nothing.

    Raises
    ------
    BadParameter
        Columns of different or no length, an outcome other than 0 and 1, only one of them, or a
        score that is no number.

    Notes
    -----
    O(n log n): one sort; pairs are counted in whole numbers.

    References
    ----------
    Mann & Whitney (1947); Hanley & McNeil (1982).

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    happened, not_ = _groups(*_checked(outcomes, scores))
    below = np.cumsum(not_) - not_
    twice = int(happened @ (2 * below + not_))
    return twice / (2 * int(happened.sum()) * int(not_.sum()))


def gini(outcomes: ArrayLike, scores: ArrayLike) -> float:
    """The same on a scale where 0 says nothing: ``2 AUC - 1``.

    Parameters
    ----------
    outcomes, scores
        As for `auc`.

    Returns
    -------
    float
        From -1 to 1.

    Raises
    ------
    BadParameter
        As for `auc`.

    Notes
    -----
    O(n log n). Also called Somers' D or accuracy ratio.

    References
    ----------
    Somers (1962).

    Examples
    --------
    >>> gini([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.75
    """
    return 2 * auc(outcomes, scores) - 1


def average_precision(outcomes: ArrayLike, scores: ArrayLike) -> float:
    """Precision at each threshold, weighted by what it adds to recall.

    ``AP = sum_k (R_k - R_{k-1}) P_k`` over the different scores from the highest down.

    Parameters
    ----------
    outcomes, scores
        As for `auc`.

    Returns
    -------
    float
        From 0 to 1; a score that says nothing has about the share of outcomes that are 1.

    Raises
    ------
    BadParameter
        As for `auc`.

    Notes
    -----
    O(n log n).

    References
    ----------
    Davis & Goadrich (2006), The relationship between precision-recall and ROC curves.

    Examples
    --------
    >>> average_precision([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.8])
    0.8333333333333333
    """
    happened, not_ = _groups(*_checked(outcomes, scores))
    happened, not_ = happened[::-1], not_[::-1]
    hits = np.cumsum(happened)
    return float(happened @ (hits / (hits + np.cumsum(not_)))) / int(happened.sum())


def brier(outcomes: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance of stated probabilities from what happened.

    ``sum (p_i - y_i)^2 / n``.

    Parameters
    ----------
    outcomes : array of 0 and 1, shape (n,)
        One of them may be missing.
    probabilities : array of float, shape (n,)
        From 0 to 1.

    Returns
    -------
    float
        From 0, which is best, to 1.

    Raises
    ------
    BadParameter
        As for `auc`, but for a single kind of outcome; or a probability outside [0, 1].

    Notes
    -----
    O(n).

    References
    ----------
    Brier (1950).

    Examples
    --------
    >>> brier([0, 1], [0.25, 0.5])
    0.15625
    """
    happened, stated = _columns(outcomes, probabilities)
    if stated.min() < 0 or stated.max() > 1:
        raise BadParameter("a probability is outside [0, 1]")
    return float(np.mean((stated - happened) ** 2))


def ks(outcomes: ArrayLike, scores: ArrayLike) -> float:
    """Largest distance between the two distributions of scores.

    ``max over s of |share of the 1s with a score <= s - share of the 0s with a score <= s|``.

    Parameters
    ----------
    outcomes, scores
        As for `auc`.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    BadParameter
        As for `auc`.

    Notes
    -----
    O(n log n), in whole numbers up to the last division.

    References
    ----------
    Kolmogorov (1933); Smirnov (1939).

    Examples
    --------
    >>> ks([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.5
    """
    happened, not_ = _groups(*_checked(outcomes, scores))
    all_1, all_0 = int(happened.sum()), int(not_.sum())
    apart = np.abs(np.cumsum(happened) * all_0 - np.cumsum(not_) * all_1)
    return int(apart.max()) / (all_1 * all_0)


def score_metrics(outcomes: ArrayLike, probabilities: ArrayLike) -> ScoreMetrics:
    """All of them for one score that states probabilities.

    Parameters
    ----------
    outcomes, probabilities
        As for `auc` and `brier`.

    Returns
    -------
    ScoreMetrics

    Raises
    ------
    BadParameter
        As for `auc` and `brier`.

    Notes
    -----
    O(n log n).

    References
    ----------
    See the single functions.

    Examples
    --------
    >>> score_metrics([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8]).ks
    0.5
    """
    return ScoreMetrics(
        auc(outcomes, probabilities),
        gini(outcomes, probabilities),
        average_precision(outcomes, probabilities),
        brier(outcomes, probabilities),
        ks(outcomes, probabilities),
    )


def _columns(outcomes: ArrayLike, scores: ArrayLike) -> tuple[Ints, Reals]:
    kinds, given = np.asarray(outcomes), np.asarray(scores)
    if kinds.ndim != 1 or given.ndim != 1 or kinds.size != given.size:
        raise BadParameter(f"outcomes of shape {kinds.shape}, but scores of shape {given.shape}")
    if not kinds.size:
        raise BadParameter("there is no case")
    if kinds.dtype.kind not in "biuf" or not ((kinds == 0) | (kinds == 1)).all():
        raise BadParameter("an outcome is neither 0 nor 1")
    if given.dtype.kind not in "iuf" or np.isnan(given).any():
        raise BadParameter("a score is not a number")
    return kinds.astype(np.int64), given.astype(np.float64)


def _checked(outcomes: ArrayLike, scores: ArrayLike) -> tuple[Ints, Reals]:
    kinds, given = _columns(outcomes, scores)
    if kinds.min() == kinds.max():
        raise BadParameter(f"all outcomes are {int(kinds[0])}: there is nothing to tell apart")
    return kinds, given


def _groups(kinds: Ints, scores: Reals) -> tuple[Ints, Ints]:
    """How many of each kind have each different score, from the lowest score up."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    happened = np.add.reduceat(kinds[order], begins)
    size = np.diff(np.concatenate([begins, [scores.size]]))
    return happened, size - happened
