"""Is somebody a fraud, from the ratings that they gave? Weak evidence: the protocol says why.

Labelled members who rated anybody, only what they gave out, ten folds. A member who was banned
stops rating, so whatever tells how long somebody was active leaks the label; and labels were made
from ratings received, which therefore stay out. B1 and B2 are the honest tests.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.events import Event, read_labels, read_ratings
from tests.bench.real.folds import by_label
from tests.bench.real.learners import forest, out_of_fold
from tests.bench.real.metrics import auc
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable

FOLDS, REPEATS = 10, 3


def run(data: Path) -> list[Result]:
    """AUC of a forest on outgoing behaviour, and of the span of activity alone."""
    given: dict[int, list[Event]] = defaultdict(list)
    for event in read_ratings(data):
        given[event.rater].append(event)
    people = [(user, bad) for user, bad in read_labels(data).items() if user in given]
    if len({bad for _, bad in people}) < 2 or len(people) < 2 * FOLDS:
        raise BadTable("bitcoin_otc_labels has too few members of either kind who rated")
    features = np.stack([outgoing(given[user]) for user, _ in people])
    fraud = np.array([bad for _, bad in people])
    each = [
        auc(fraud, out_of_fold(forest(seed=seed), features, fraud, by_label(fraud, FOLDS, seed)))
        for seed in range(REPEATS)
    ]
    spread = float(np.std(each))
    return [
        Result("B3", "AUC, forest on what was given", float(np.mean(each)), 0.944, None, spread),
        Result("B3", "AUC, short span of activity alone", auc(fraud, -features[:, 1]), 0.892, None),
    ]


def outgoing(events: list[Event]) -> NDArray[np.float64]:
    """How somebody rates: how often, over how long, how high, how evenly."""
    ratings = np.array([event.rating for event in events], dtype=float)
    days = np.array([event.day for event in events], dtype=float)
    gaps = np.diff(days) if days.size > 1 else np.zeros(1)
    return np.array(
        [
            ratings.size,
            days[-1] - days[0],
            ratings.mean(),
            ratings.std(),
            ratings.min(),
            ratings.max(),
            (ratings < 0).mean(),
            (ratings == ratings.max()).mean(),
            (np.abs(ratings) >= np.abs(ratings).max()).mean(),
            len({event.ratee for event in events}) / ratings.size,
            gaps.mean(),
            np.median(gaps),
        ]
    )
