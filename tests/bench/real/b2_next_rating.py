"""Will the next rating be negative? From strictly earlier ratings, in order of time.

The model sees the first 70 % of the events; each of the last 30 % is scored from a history of all
events before it. Settings were chosen on the last third of the first 70 %.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.events import Event, History, read_ratings
from tests.bench.real.learners import boosting, side_by_side
from tests.bench.real.metrics import auc
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable

TRAINED = 0.7
SEEDS = 4


def run(data: Path) -> list[Result]:
    """AUC over the last 30 %; over those never rated before; over those rated, never badly."""
    events = read_ratings(data)
    if len(events) < 100:
        raise BadTable("bitcoin_otc_ratings has fewer than 100 ratings")
    features, names = causal_features(events)
    bad = np.array([event.rating < 0 for event in events])
    cut = int(len(events) * TRAINED)
    train, test = features[:cut], features[cut:]

    def fit(seed: int) -> NDArray[np.float64]:
        learn = boosting(max_leaf_nodes=6, max_iter=400, learning_rate=0.04, seed=seed)
        return learn(train, bad[:cut], test)

    by_seed = side_by_side(fit, range(SEEDS))
    chances = np.mean(by_seed, axis=0)
    labels = bad[cut:]
    new = test[:, names.index("ratee_got_n")] == 0
    clean = ~new & (test[:, names.index("ratee_got_bad")] == 0)
    rows = [
        ("AUC of the next rating being negative", slice(None), 0.9175, 0.93),
        (f"AUC, never rated before ({new.sum()})", new, 0.8205, 0.85),
        (f"AUC, rated but never badly ({clean.sum()})", clean, 0.8846, None),
    ]
    return [
        Result(
            "B2",
            figure,
            auc(labels[chosen], chances[chosen]),
            baseline,
            goal,
            float(np.std([auc(labels[chosen], one[chosen]) for one in by_seed])),
        )
        for figure, chosen, baseline, goal in rows
        # Without both outcomes there is nothing to tell apart.
        if not math.isnan(auc(labels[chosen], chances[chosen]))
    ]


def causal_features(events: list[Event]) -> tuple[Any, list[str]]:
    """A row per event from those before it, and the names of the columns."""
    history = History()
    names: list[str] = []
    rows = []
    for event in events:
        features = history.before_rating(event.rater, event.ratee, event.day)
        names = names or list(features)
        rows.append(np.array([features[name] for name in names], dtype=np.float32))
        history.add(event)
    return np.stack(rows), names
