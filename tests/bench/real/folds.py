"""Folds, seeded: rows in equal shares of each label, or whole groups."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


def by_label(labels: ArrayLike, folds: int, seed: int) -> Ints:
    """The fold of each row, every fold with its share of each label."""
    y = np.asarray(labels)
    rng = np.random.default_rng(seed)
    fold = np.zeros(y.size, dtype=np.int64)
    start = 0
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        fold[rows] = (start + np.arange(rows.size)) % folds
        start += rows.size
    return fold


def by_group(groups: ArrayLike, folds: int, seed: int) -> Ints:
    """The fold of each row, every group in one fold, folds of nearly equal numbers of groups."""
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(names.size) % min(folds, max(names.size, 1))
    return order[place].astype(np.int64)
