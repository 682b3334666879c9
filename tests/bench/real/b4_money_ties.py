"""Between which households does money flow? From six other kinds of ties, in unseen villages.

Folds are whole villages. Pairs with a direct tie and pairs without one have a model each. Besides
ties the first figures know the households, and how far apart their house numbers are (near
numbers, near houses); "ties only" does not.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.folds import by_group
from tests.bench.real.learners import boosting, log_odds, logistic, normal_scores, side_by_side
from tests.bench.real.metrics import aucs_by_group
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable
from tests.bench.real.ties import KNOWN, NUMBERS, TIES, columns_of, money_ties, pair_table
from tests.bench.real.villages import read_villages

FOLDS = 10
# Of the pairs without a tie or money, this share is trained on.
SHARE = 0.1
SETS = {"": (TIES, KNOWN, NUMBERS), ", no house numbers": (TIES, KNOWN), ", ties only": (TIES,)}
BASELINES = {
    "": (0.970, 0.830),
    ", no house numbers": (0.970, 0.830),
    ", ties only": (0.966, 0.803),
}
GOAL = (0.975, 0.84)


class Pairs(NamedTuple):
    """All pairs of all villages."""

    features: Any
    """As they are; beside them their ranks within the village, as normal deviates."""
    ranks: Any
    money: NDArray[np.bool_]
    direct: NDArray[np.bool_]
    village: NDArray[np.int64]


def run(data: Path) -> list[Result]:
    """Mean AUC per village, over all pairs and over those without a direct tie."""
    pairs, names, groups = read_pairs(data)
    results = []
    for name, baselines in (
        ("direct", (0.9249, None)),
        ("all_two_hop", (0.9255, 0.6977)),
        ("all_paths3", (0.9475, 0.7313)),
    ):
        scores = pairs.features[:, names.index(name)]
        results += _results(f"{name} alone", pairs, scores, baselines, (None, None))
    for label, chosen in SETS.items():
        odds = held_out_odds(pairs, columns_of(groups, chosen))
        results += _results(f"held-out villages{label}", pairs, odds, BASELINES[label], GOAL)
    return results


def read_pairs(data: Path) -> tuple[Pairs, list[str], list[str]]:
    """The pairs, the names of the features and their groups."""
    features, ranks, money, village = [], [], [], []
    names: list[str] = []
    groups: list[str] = []
    for place, each in enumerate(read_villages(data)):
        ties = money_ties(each)
        if not ties.any() or ties.all():
            continue
        table = pair_table(each)
        names, groups = table.names, table.groups
        features.append(table.values)
        ranks.append(normal_scores(features[-1]))
        money.append(ties)
        village.append(np.full(ties.size, place))
    if len(features) < 2:
        raise BadTable("fewer than two villages with money ties")
    values = np.concatenate(features)
    return (
        Pairs(
            values,
            np.concatenate(ranks),
            np.concatenate(money),
            values[:, names.index("direct")] > 0,
            np.concatenate(village),
        ),
        names,
        groups,
    )


def held_out_odds(pairs: Pairs, columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log odds of money between each pair, from models of other villages."""
    folds = by_group(pairs.village, FOLDS, seed=0)
    thinned = pairs.direct | pairs.money
    thinned |= np.random.default_rng(0).random(thinned.size) < SHARE
    boosted = boosting(min_samples_leaf=100)
    linear = logistic(0.1)

    def one(job: tuple[int, bool]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        fold, direct = job
        part = pairs.direct == direct
        train = np.flatnonzero(part & (folds != fold) & thinned)
        test = np.flatnonzero(part & (folds == fold))
        if not test.size:
            return test, np.zeros(0)
        labels = pairs.money[train]
        if labels.all() or not labels.any():
            return test, np.full(test.size, float(labels.any()))
        odds = np.zeros(test.size)
        for learner, values in (
            (boosted, pairs.features),
            (boosted, pairs.ranks),
            (linear, pairs.ranks),
        ):
            chances = learner(values[np.ix_(train, columns)], labels, values[np.ix_(test, columns)])
            odds += log_odds(chances) / 3
        # Thinned pairs were more than they seemed to the model.
        return test, odds if direct else odds + np.log(SHARE)

    jobs = [(int(fold), direct) for fold in np.unique(folds) for direct in (False, True)]
    odds = np.zeros(pairs.money.size)
    for test, found in side_by_side(one, jobs):
        odds[test] = found
    return odds


def _results(
    figure: str,
    pairs: Pairs,
    scores: Any,
    baselines: tuple[float | None, float | None],
    goals: tuple[float | None, float | None],
) -> list[Result]:
    rows = (("all pairs", np.ones(pairs.money.size, bool)), ("no direct tie", ~pairs.direct))
    results = []
    for (name, chosen), baseline, goal in zip(rows, baselines, goals, strict=True):
        each = aucs_by_group(pairs.money[chosen], scores[chosen], pairs.village[chosen])
        if each.size and not (baseline is None and goal is None):
            results.append(
                Result(
                    "B4",
                    f"AUC {name}: {figure}",
                    float(each.mean()),
                    baseline,
                    goal,
                    float(each.std()),
                )
            )
    return results
