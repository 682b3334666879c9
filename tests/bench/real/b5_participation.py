"""Which households joined the lender? In villages whose outcomes the model has not seen.

Features are ranked within the village. Without outcomes of peers: the household, its place in the
network, and what its contacts are like on average. With them: who of its contacts and of the
nearest house numbers joined, the household's own outcome always left out. No feature is an average
over a whole village without the household itself: that would give its outcome away.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.learners import (
    Learner,
    boosting,
    logistic,
    mean_of,
    normal_scores,
    out_of_fold,
)
from tests.bench.real.metrics import aucs_by_group
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable, numbers, read_table
from tests.bench.real.villages import (
    CLASSES,
    KINDS,
    MONEY,
    OTHER,
    Village,
    read_villages,
)

Matrix = NDArray[np.float64]
Columns = dict[str, Matrix]


def run(data: Path) -> list[Result]:
    """Mean AUC within villages: covariates, with the network, with peers' outcomes."""
    villages = read_villages(data, with_outcomes=True)
    union = read_table(data, "village_household_union", ("household_a", "household_b"))
    ends = np.column_stack([numbers(union, "household_a"), numbers(union, "household_b")])
    blocks: dict[str, list[Any]] = {"own": [], "network": [], "peers": [], "near": []}
    took, name = [], []
    for place, village in enumerate(v for v in villages if 0 < np.nansum(v.took) < v.n):
        ties = _contacts(village, ends)
        known = covariates(village, _seen(villages))
        for block, columns in (
            ("own", known),
            ("network", positions(village, ties, known)),
            ("peers", peers(village, ties)),
            ("near", near_houses(village)),
        ):
            blocks[block].append(normal_scores(np.column_stack(list(columns.values()))))
        took.append(village.took > 0)
        name.append(np.full(village.n, place))
    if len(took) < 2:
        raise BadTable("fewer than two villages with outcomes")
    features = {block: np.concatenate(parts) for block, parts in blocks.items()}
    labels, groups = np.concatenate(took), np.concatenate(name)
    trees = boosting(max_leaf_nodes=4, max_iter=120, learning_rate=0.04, min_samples_leaf=60)
    both = mean_of([logistic(0.003), trees])
    rows: tuple[tuple[str, tuple[str, ...], Learner, float, float | None], ...] = (
        ("covariates", ("own",), both, 0.592, None),
        ("with the network", ("own", "network"), both, 0.591, 0.62),
        ("with contacts' outcomes", ("own", "network", "peers"), both, 0.675, 0.72),
        ("and outcomes next door", ("own", "network", "peers", "near"), both, 0.675, 0.72),
    )
    results = []
    for figure, chosen, learner, baseline, goal in rows:
        table = np.hstack([features[block] for block in chosen])
        chances = out_of_fold(learner, table, labels, groups)
        each = aucs_by_group(labels, chances, groups)
        mean, spread = float(each.mean()), float(each.std())
        results.append(Result("B5", f"AUC in villages: {figure}", mean, baseline, goal, spread))
    return results


def covariates(village: Village, seen: dict[str, list[int]]) -> Columns:
    """What is known of a household and its people."""
    adult = village.age >= 18
    size = village.count(np.ones(village.home.size, bool))
    adults, women = village.count(adult), village.count(adult & village.female)
    prime = village.female & adult & (village.age <= 57)
    columns = {
        "size": size,
        "adults": adults,
        "women": women,
        "women_under_58": village.count(prime),
        "children": village.count(village.age < 15),
        "surveyed": village.count(village.surveyed),
        "share_children": village.count(village.age < 15) / np.maximum(size, 1),
        "share_women": women / np.maximum(adults, 1),
        "woman_head": village.count(village.female & village.heads),
        "age": _mean_age(village, ~np.isnan(village.age)),
        "age_women": _mean_age(village, adult & village.female),
        "oldest": _oldest(village),
        **village.covariates,
        "rooms_each": village.covariates["rooms"] / np.maximum(size, 1),
    }
    for name in CLASSES:
        for value in seen[name]:
            columns[f"{name}{value}"] = (village.classes[name] == value).astype(float)
    for name, classes in (("faith", village.faith), ("caste", village.caste)):
        for value in seen[name]:
            columns[f"{name}{value}"] = (village.count(classes == value) > 0).astype(float)
    return columns


def positions(village: Village, ties: Matrix, known: Columns) -> Columns:
    """Where a household stands in the network, and what its contacts are like."""
    degree = ties.sum(axis=1)
    onward = ties / np.maximum(degree, 1)[:, None]
    columns: Columns = {
        "degree": degree,
        "contacts_degree": onward @ degree,
        "clustering": ((ties @ ties) * ties).sum(axis=1) / np.maximum(degree * (degree - 1), 1),
    }
    _, vectors = np.linalg.eigh(ties)
    columns["eigenvector"] = np.abs(vectors[:, -1])
    leaders = np.nan_to_num(village.covariates["leader"])
    columns["leaders"], columns["share_leaders"] = ties @ leaders, onward @ leaders
    start = 0.3 * leaders / max(leaders.sum(), 1)
    walk = np.linalg.solve(np.eye(village.n) - 0.7 * onward.T, start)
    columns["from_leaders"] = walk / np.maximum(degree, 1)
    for kind in (*MONEY, *KINDS):
        reports = village.reports(kind)
        columns[f"says_{kind}"], columns[f"said_of_{kind}"] = reports.sum(axis=1), reports.sum(0)
    for name, values in known.items():
        missing = np.isnan(values)
        middle = values[~missing].mean() if not missing.all() else 0.0
        columns[f"contacts_{name}"] = onward @ np.where(missing, middle, values)
    return columns


def peers(village: Village, ties: Matrix) -> Columns:
    """Outcomes of contacts, and of theirs; never the household's own."""
    took = village.took
    degree = ties.sum(axis=1)
    among = ties @ took
    # Of each contact, the share of joiners among its other contacts.
    others = (among[None, :] - took[:, None]) / np.maximum(degree - 1, 1)[None, :]
    columns = {
        "joined": among,
        "share_joined": among / np.maximum(degree, 1),
        "share_joined_twice": (ties * others).sum(axis=1) / np.maximum(degree, 1),
    }
    for kinds in (MONEY, *OTHER, (*MONEY, *KINDS)):
        reports = village.reports(*kinds)
        both = reports + reports.T
        columns[f"joined_{kinds[0]}_{len(kinds)}"] = (both > 0) @ took
        columns[f"share_{kinds[0]}_{len(kinds)}"] = (both @ took) / np.maximum(both.sum(1), 1)
    return columns


def near_houses(village: Village) -> Columns:
    """Outcomes of the houses with the nearest numbers, weighted by nearness."""
    apart = np.abs(village.households[:, None] - village.households[None, :]).astype(float)
    columns = {}
    for width in (2.0, 6.0):
        near = np.exp(-apart / width)
        np.fill_diagonal(near, 0)
        columns[f"near{width:g}"] = near @ village.took / np.maximum(near.sum(axis=1), 1e-12)
    return columns


def _contacts(village: Village, ends: Matrix) -> Matrix:
    """Who is joined with whom by a tie of any kind."""
    ties = np.zeros((village.n, village.n))
    inside = np.isin(ends, village.households).all(axis=1)
    a, b = np.searchsorted(village.households, ends[inside].astype(np.int64)).T
    ties[a, b] = ties[b, a] = 1.0
    np.fill_diagonal(ties, 0)
    return ties


def _seen(villages: list[Village]) -> dict[str, list[int]]:
    """All classes that occur, so that every village has the same columns."""
    columns = {name: [v.classes[name] for v in villages] for name in CLASSES}
    columns |= {"faith": [v.faith for v in villages], "caste": [v.caste for v in villages]}
    return {
        name: [int(value) for value in np.unique(np.concatenate(parts)) if value >= 0]
        for name, parts in columns.items()
    }


def _mean_age(village: Village, people: NDArray[np.bool_]) -> Matrix:
    total = np.bincount(village.home[people], village.age[people], minlength=village.n)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / village.count(people))


def _oldest(village: Village) -> Matrix:
    oldest = np.full(village.n, -np.inf)
    known = ~np.isnan(village.age)
    np.maximum.at(oldest, village.home[known], village.age[known])
    return np.where(np.isinf(oldest), np.nan, oldest)
