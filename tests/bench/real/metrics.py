"""What a score is worth within groups and as a chance, beside `graph.scores`. NumPy only."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graph import scores as graph_scores

Floats = NDArray[np.float64]
NAN = float("nan")


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """`graph.scores.auc`, but NaN where one of the labels does not occur."""
    y, s = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    if y.all() or not y.any():
        return NAN
    return graph_scores.auc(y, s)


def auc_within(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> tuple[float, int]:
    """The same over pairs of one group only, all groups' pairs together; and how many pairs."""
    y, s, g = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float), np.asarray(groups)
    right, pairs = 0.0, 0
    for group in np.unique(g):
        own = g == group
        here = int(y[own].sum()) * int((~y[own]).sum())
        if here:
            right += auc(y[own], s[own]) * here
            pairs += here
    return (right / pairs if pairs else NAN), pairs


def aucs_by_group(labels: ArrayLike, scores: ArrayLike, groups: ArrayLike) -> Floats:
    """One AUC per group that holds both labels."""
    y, s, g = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float), np.asarray(groups)
    each = [auc(y[g == group], s[g == group]) for group in np.unique(g)]
    return np.array([value for value in each if value == value])


def recall_at(labels: ArrayLike, scores: ArrayLike, false_alarms: float) -> float:
    """Largest share of positives found by a threshold with at most that share of false alarms."""
    y, s = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float)
    if y.all() or not y.any():
        return NAN
    best = 0.0
    for threshold in np.unique(s):
        if (s[~y] >= threshold).mean() <= false_alarms:
            best = max(best, float((s[y] >= threshold).mean()))
    return best


def calibration_error(labels: ArrayLike, chances: ArrayLike, bins: int = 10) -> float:
    """Mean over bins of equal size of |mean chance - share of positives|."""
    y, p = np.asarray(labels, dtype=float), np.asarray(chances, dtype=float)
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    gaps = [abs(p[part].mean() - y[part].mean()) * part.size for part in parts if part.size]
    return float(sum(gaps) / max(p.size, 1))
