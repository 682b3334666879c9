"""Is somebody a fraud, judged only by the ratings that they gave? Read with care.

A warning: trivial features win here. A fraud who was banned stops rating, so that the time between
first and last rating gives the label away. The figures without times say more, and B1 and B2 are
the honest tests. Published, 10-fold: REV2 0.90, FraudEagle 0.89, Trustiness 0.82, BIRDNEST 0.71.
"""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.ratings import fairness_goodness, rev2
from tests.bench.real.events import Event, Features, read_labels, read_ratings
from tests.bench.real.folds import by_label
from tests.bench.real.learners import forest, side_by_side
from tests.bench.real.metrics import auc
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable

FOLDS, REPEATS = 10, 5
# Not the time itself, but what passes between ratings.
TIMED = ("span", "per_day", "busiest_day", "gap")


def run(data: Path) -> list[Result]:
    """10-fold AUC of forests on what was given, with and without times, and of single figures."""
    events, fraud = read_ratings(data), read_labels(data)
    given: dict[int, list[Event]] = {}
    for event in events:
        given.setdefault(event.rater, []).append(event)
    users = [user for user in sorted(fraud) if user in given]
    labels = np.array([fraud[user] for user in users])
    if labels.sum() < FOLDS or (~labels).sum() < FOLDS:
        raise BadTable(f"fewer than {FOLDS} labelled raters of either label")
    behaviour = [outgoing(given[user]) for user in users]
    names = list(behaviour[0])
    features = np.array([list(row.values()) for row in behaviour])
    untimed = np.array([k for k, name in enumerate(names) if name not in TIMED])
    triples = [(e.rater, e.ratee, e.rating) for e in events]
    fairness = fairness_goodness(triples, tolerance=1e-9).fairness
    grid = [
        rev2(triples, alpha1=a, beta1=b, gamma1=g, tolerance=1e-6).fairness
        for a, b, g in product((0.0, 1.0, 2.0), (0.0, 1.0, 2.0), (0.0, 1.0))
    ]
    scores = np.array([[run[user] for run in grid] for user in users])
    results = [
        Result(
            "B3", "AUC: fairness alone", auc(labels, [-fairness[u] for u in users]), 0.802, None
        ),
        Result(
            "B3",
            "AUC: span alone (leaks)",
            auc(labels, -features[:, names.index("span")]),
            0.892,
            None,
        ),
    ]
    for figure, table, baseline in (
        ("REV2 fairness on a grid", scores, 0.873),
        ("what was given, no times", features[:, untimed], None),
        ("what was given and REV2, no times", np.hstack([features[:, untimed], scores]), None),
        ("what was given, with times (leaks)", features, 0.944),
    ):
        each = _repeated(table, labels)
        mean, spread = float(np.mean(each)), float(np.std(each))
        results.append(Result("B3", f"AUC: {figure}", mean, baseline, None, spread))
    return results


def outgoing(given: list[Event]) -> Features:
    """What somebody's ratings of others look like, in order of time."""
    ratings = np.array([event.rating for event in given])
    days = np.array([event.day for event in given])
    span = float(days[-1] - days[0])
    gaps = np.diff(days)
    busiest = max(int(((days >= day) & (days < day + 1)).sum()) for day in days)
    return {
        "gave": ratings.size,
        "mean": float(ratings.mean()),
        "deviation": float(ratings.std()),
        "lowest": float(ratings.min()),
        "highest": float(ratings.max()),
        "bad_share": float((ratings < 0).mean()),
        "worst_share": float((ratings <= -0.9).mean()),
        "best_share": float((ratings >= 0.9).mean()),
        "one_share": float((np.abs(ratings) <= 0.1).mean()),
        "span": span,
        "per_day": ratings.size / (span + 1),
        "busiest_day": busiest,
        "gap": float(np.median(gaps)) if gaps.size else np.nan,
    }


def _repeated(table: Any, labels: NDArray[np.bool_]) -> list[float]:
    def one(job: tuple[int, int]) -> tuple[int, Any, Any]:
        repeat, fold = job
        test = by_label(labels, FOLDS, seed=repeat) == fold
        return repeat, test, forest(seed=repeat)(table[~test], labels[~test], table[test])

    chances = np.zeros((REPEATS, labels.size))
    for repeat, test, found in side_by_side(one, list(np.ndindex(REPEATS, FOLDS))):
        chances[repeat, test] = found
    return [auc(labels, one_) for one_ in chances]
