"""The learners of the benchmarks, from scikit-learn: seeded, averaged over seeds, never picked.

Each fit runs on one thread and several fits side by side: with two threads inside a fit, a busy
machine spends most of its time waiting at barriers. scikit-learn is loaded by the fits alone, so
that all else can be tested without it.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Job = TypeVar("Job")
Done = TypeVar("Done")
# Fits on training features and labels, gives the chance of True for the test features.
Learner = Callable[[Any, Bools, Any], Floats]


class WeightedLearner(Protocol):
    """A learner that also takes a weight per training row."""

    def __call__(
        self, train: Any, labels: Bools, test: Any, weights: Floats | None = None
    ) -> Floats: ...


def side_by_side(work: Callable[[Job], Done], jobs: Iterable[Job]) -> list[Done]:
    """The results of all jobs in their order, as many at once as there are cores."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        return list(pool.map(work, jobs))


def boosting(seed: int = 0, **settings: Any) -> WeightedLearner:
    """Gradient boosting of small trees on binned features."""
    chosen: dict[str, Any] = {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 30,
        "l2_regularization": 10.0,
        "max_features": 0.3,
        "early_stopping": False,
        **settings,
    }

    def learn(train: Any, labels: Bools, test: Any, weights: Floats | None = None) -> Floats:
        from sklearn.ensemble import HistGradientBoostingClassifier

        use = varying(train)
        if not use.size:
            return np.full(len(test), labels.mean())
        model = HistGradientBoostingClassifier(random_state=seed, **chosen)
        with _one_thread():
            model.fit(train[:, use], labels, sample_weight=weights)
            return np.asarray(model.predict_proba(test[:, use])[:, 1])

    return learn


def forest(trees: int = 300, leaf: int = 3, seed: int = 0) -> WeightedLearner:
    """A random forest; gaps filled below all values."""

    def learn(train: Any, labels: Bools, test: Any, weights: Floats | None = None) -> Floats:
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=seed)
        low = float(np.nanmin(train, initial=0.0)) - 1
        model.fit(np.nan_to_num(train, nan=low), labels, sample_weight=weights)
        return np.asarray(model.predict_proba(np.nan_to_num(test, nan=low))[:, 1])

    return learn


def logistic(strength: float) -> Learner:
    """Logistic regression on normal scores of the features; gaps at the middle."""

    def learn(train: Any, labels: Bools, test: Any) -> Floats:
        from sklearn.linear_model import LogisticRegression

        use = varying(train)
        if not use.size:
            return np.full(len(test), labels.mean())
        scale = [np.sort(column[~np.isnan(column)]) for column in train[:, use].T]
        model = LogisticRegression(C=strength, max_iter=1000)
        with _one_thread():
            model.fit(_placed(train[:, use], scale), labels)
        return np.asarray(model.predict_proba(_placed(test[:, use], scale))[:, 1])

    return learn


def mean_of(learners: Sequence[Learner]) -> Learner:
    """The mean of the learners' log odds, as a chance."""

    def learn(train: Any, labels: Bools, test: Any) -> Floats:
        odds = [log_odds(learner(train, labels, test)) for learner in learners]
        return 1 / (1 + np.exp(-np.mean(odds, axis=0)))

    return learn


def log_odds(chances: Floats) -> Floats:
    """log(p / (1 - p)), kept finite."""
    p = np.clip(chances, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))


def normal_scores(features: Any) -> Any:
    """Each column's ranks as normal deviates (0 where nothing is known): comparable over groups."""
    scores = np.zeros(features.shape, dtype=np.float32)
    for k, column in enumerate(features.T):
        known = ~np.isnan(column)
        if known.any():
            ranks = rankdata(column[known])
            scores[known, k] = ndtri((ranks - 0.5) / ranks.size)
    return scores


def varying(features: Any) -> Any:
    """The columns with at least two different values: binning fails on others."""
    low, high = np.fmin.reduce(features, axis=0), np.fmax.reduce(features, axis=0)
    return np.flatnonzero(high > low)


def out_of_fold(learner: Learner, features: Any, labels: Bools, folds: NDArray[np.int64]) -> Floats:
    """Every row's chance from a model fitted on the other folds."""

    def one(fold: int) -> tuple[NDArray[np.bool_], Floats]:
        test = folds == fold
        return test, learner(features[~test], labels[~test], features[test])

    chances = np.zeros(len(labels))
    for test, scores in side_by_side(one, np.unique(folds).tolist()):
        chances[test] = scores
    return chances


def line(odds: Floats, labels: Bools, judged: Floats) -> Floats:
    """Chances from log odds: a logistic line fitted to some, read at others (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6).fit(odds[:, None], labels)
    return np.asarray(fitted.predict_proba(judged[:, None])[:, 1])


def _one_thread() -> AbstractContextManager[Any]:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _placed(features: Any, scale: list[Any]) -> Any:
    """Where values lie among the training values, as normal deviates."""
    placed = np.zeros(features.shape)
    for k, known in enumerate(scale):
        column = features[:, k]
        middle = np.searchsorted(known, column) + np.searchsorted(known, column, side="right")
        place = np.clip(middle / (2 * known.size), 0.5 / known.size, 1 - 0.5 / known.size)
        placed[:, k] = np.where(np.isnan(column), 0.0, ndtri(place))
    return placed
