"""Is somebody a fraud, judged by the first vouch alone? From what was known at that moment.

Labelled users are judged in five folds, ten times over. Beside the labelled users of the other
folds, the model learns from users without a label: how ratings turned out that came later than
the first (bad if their mean is below 0; good if there are three or more and all are positive).
Labelled users are never among these, and both kinds weigh the same in all. Calendar time is no
feature; it judges: the second figure counts only pairs of one half-year.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.events import read_labels, read_ratings
from tests.bench.real.first_vouch import find_founder, first_vouches
from tests.bench.real.folds import by_label
from tests.bench.real.learners import forest, side_by_side
from tests.bench.real.metrics import auc, auc_within, recall_at
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable

FOLDS, REPEATS = 5, 10
ENOUGH = 3

Floats = NDArray[np.float64]


def run(data: Path) -> list[Result]:
    """AUC over all pairs and within half-years, with and without users that have no label."""
    events, fraud = read_ratings(data), read_labels(data)
    vouches = list(first_vouches(events, find_founder(events, fraud)))
    labelled = np.array([v.ratee in fraud for v in vouches])
    if labelled.sum() < 2 * FOLDS:
        raise BadTable(f"fewer than {2 * FOLDS} labelled users whose first rating is positive")
    features = np.array([list(v.features.values()) for v in vouches])
    names = list(vouches[0].features)
    later: dict[int, list[float]] = {}
    for event in events:
        later.setdefault(event.ratee, []).append(event.rating)
    turned = np.array([_turned_out(later[v.ratee][1:]) for v in vouches])
    others = ~labelled & ~np.isnan(turned)
    labels = np.array([fraud[v.ratee] for v in vouches if v.ratee in fraud])
    half_years = np.array([v.half_year for v in vouches])[labelled]
    own = features[labelled]
    more = (features[others], turned[others] > 0)
    results = []
    for name, baselines in (
        ("rating", (0.624, 0.638)),
        ("from_founder", (0.676, 0.673)),
        ("age", (0.731, 0.725)),
    ):
        alone = -np.nan_to_num(own[:, names.index(name)], nan=-1.0)
        results += _results(f"{name} alone", labels, [alone], half_years, baselines, (None, None))
    nothing = (features[:0], turned[:0] > 0)
    for figure, extra, goals in (
        ("labelled users only", nothing, (None, None)),
        ("with users without a label", more, (0.88, 0.80)),
    ):
        chances = _repeated(own, labels, extra)
        results += _results(figure, labels, chances, half_years, (0.849, 0.768), goals)
    for rate, baseline in ((0.10, 0.606), (0.05, 0.548)):
        recalls = [recall_at(labels, one, rate) for one in chances]
        figure = f"recall at {rate:.0%} false alarms"
        spread = float(np.std(recalls))
        results.append(Result("B1", figure, float(np.mean(recalls)), baseline, None, spread))
    return results


def _turned_out(ratings: list[float]) -> float:
    """1 bad, 0 good, NaN if there is too little to say."""
    if ratings and sum(ratings) < 0:
        return 1.0
    return 0.0 if len(ratings) >= ENOUGH and min(ratings) > 0 else np.nan


def _repeated(own: Any, labels: Any, more: tuple[Any, Any]) -> list[Floats]:
    """Chances of fraud from the other folds and from users without a label, once per repeat."""

    def one(job: tuple[int, int]) -> tuple[int, Any, Floats]:
        repeat, fold = job
        test = by_label(labels, FOLDS, seed=repeat) == fold
        train = np.concatenate([own[~test], more[0]])
        outcome = np.concatenate([labels[~test], more[1]])
        share = len(more[1]) / max((~test).sum(), 1)
        weights = np.ones(len(outcome))
        weights[: (~test).sum()] = max(share, 1.0)
        learn = forest(leaf=5 if len(more[1]) else 3, seed=repeat)
        return repeat, test, learn(train, outcome, own[test], weights)

    chances = [np.zeros(len(labels)) for _ in range(REPEATS)]
    jobs = [(repeat, fold) for repeat in range(REPEATS) for fold in range(FOLDS)]
    for repeat, test, found in side_by_side(one, jobs):
        chances[repeat][test] = found
    return chances


def _results(
    figure: str,
    labels: Any,
    scores: list[Floats],
    half_years: Any,
    baselines: tuple[float, float],
    goals: tuple[float | None, float | None],
) -> list[Result]:
    whole = [auc(labels, one) for one in scores]
    within = [auc_within(labels, one, half_years)[0] for one in scores]
    pairs = auc_within(labels, scores[0], half_years)[1]
    return [
        Result(
            "B1",
            f"{name}: {figure}",
            float(np.mean(values)),
            baseline,
            goal,
            float(np.std(values)) if len(values) > 1 else None,
        )
        for name, values, baseline, goal in (
            ("AUC", whole, baselines[0], goals[0]),
            (f"AUC within half-years ({pairs} pairs)", within, baselines[1], goals[1]),
        )
    ]
