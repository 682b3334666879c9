"""Will a loan go bad? From what was known when it was listed, trained on earlier listings only.

Protocol (b): the first 70 % by listing date train, the rest is scored; the date itself is no
feature. What a rate or an amount means changes with the market, so each also enters by its place
among the listings just before it. Two learners of different kinds are averaged, their settings
fixed; nothing is fitted on later rows. (Protocol (a) needs the rows that are held back.)
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.real.folds import by_label
from tests.bench.real.learners import boosting, logistic, mean_of
from tests.bench.real.metrics import auc, brier, calibration_error
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable, Table, codes, numbers, read_table, size, texts

Floats = NDArray[np.float64]
TRAINED = 0.7
BAD = ("Chargedoff", "Defaulted")
GRADES = ["AA", "A", "B", "C", "D", "E", "HR", "NC"]
CATEGORIES = ("ListingCategory", "EmploymentStatus", "Occupation", "BorrowerState")
SEEDS = 3
# Listings looked back on for a place among them, and how many are needed to say anything.
LOOK_BACK, LOOK_BACK_LEAST = 200, 20
# A category's share of bad loans is drawn towards the share of all by so many loans.
SHRINKAGE = 30


def run(data: Path) -> list[Result]:
    """AUC, Brier score and calibration of the later 30 %."""
    table = in_order(read_table(data, "prosper_2006_2009_closed", ["LoanStatus", "CreditGrade"]))
    bad = np.array([status in BAD for status in table["LoanStatus"]])
    cut = int(bad.size * TRAINED)
    if cut < 200 or not 0 < bad[:cut].sum() < cut or not 0 < bad[cut:].sum() < bad.size - cut:
        raise BadTable("prosper_2006_2009_closed has too few loans of either kind")
    features = causal_features(table)
    kinds = np.stack([codes(texts(table, name)) for name in CATEGORIES], axis=1)
    train = np.hstack([features[:cut], shares_out_of_fold(kinds[:cut], bad[:cut])])
    test = np.hstack([features[cut:], shares(kinds[:cut], bad[:cut], kinds[cut:])])
    learners = [logistic(0.1)]
    learners += [
        boosting(seed, max_iter=400, max_leaf_nodes=4, learning_rate=0.03, min_samples_leaf=60)
        for seed in range(SEEDS)
    ]
    trees = mean_of(learners[1:])
    chances = mean_of([learners[0], trees])(train, bad[:cut], test)
    grade = features[cut:, 0]
    late = bad[cut:]
    base = np.full(late.size, bad[:cut].mean())
    return [
        Result("B6", "AUC, later 30 % of the listings", auc(late, chances), 0.696, 0.72),
        Result("B6", "AUC of the credit grade alone", auc(late, grade), None, None),
        Result("B6", "Brier score", brier(late, chances), brier(late, base), None, None, True),
        Result("B6", "calibration error", calibration_error(late, chances), None, None, None, True),
        Result("B6", "share of bad loans, foreseen", float(chances.mean()), None, None),
        Result("B6", "share of bad loans, as it was", float(late.mean()), None, None),
    ]


def in_order(table: Table) -> Table:
    """The rows by their listing date."""
    order = sorted(range(size(table)), key=texts(table, "ListingCreationDate").__getitem__)
    return {name: [column[k] for k in order] for name, column in table.items()}


def causal_features(table: Table) -> Any:
    """A row per loan, in order of listing: its own figures, and their places among earlier ones."""
    grades = texts(table, "CreditGrade")
    grade = np.array([GRADES.index(g) if g in GRADES else np.nan for g in grades])
    rate, apr = numbers(table, "BorrowerRate"), numbers(table, "BorrowerAPR")
    amount, income = numbers(table, "LoanOriginalAmount"), numbers(table, "StatedMonthlyIncome")
    score = numbers(table, "CreditScoreAvg")
    earning = np.maximum(income, 100)
    monthly = rate / 12
    with np.errstate(divide="ignore", invalid="ignore"):
        instalment = amount * monthly / (1 - (1 + monthly) ** -36)
    everybody: Sequence[Hashable] = [0] * grade.size
    return np.stack(
        [
            grade,
            rate,
            apr,
            apr - rate,
            score,
            amount,
            income,
            numbers(table, "DebtToIncomeRatio"),
            numbers(table, "IsBorrowerHomeowner"),
            numbers(table, "Recommendations"),
            instalment / earning,
            amount / earning,
            (income <= 0).astype(float),
            (amount % 500 == 0).astype(float),
            place_among_earlier(grades, rate),
            place_among_earlier(everybody, rate),
            place_among_earlier(grades, amount),
            place_among_earlier(everybody, score),
        ],
        axis=1,
    )


def place_among_earlier(groups: Iterable[Hashable], values: Floats) -> Floats:
    """Share of the earlier rows of the same group, the latest of them, that lie below a value."""
    before: dict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=LOOK_BACK))
    places = np.full(values.size, np.nan)
    for k, (group, value) in enumerate(zip(groups, values.tolist(), strict=True)):
        seen = before[group]
        if len(seen) >= LOOK_BACK_LEAST:
            earlier = np.array(seen)
            places[k] = (earlier < value).mean() + (earlier == value).mean() / 2
        if value == value:
            seen.append(value)
    return places


def shares(kinds: Any, bad: Any, asked: Any) -> Floats:
    """Each category's share of bad loans among the known rows, drawn towards the share of all."""
    base = float(bad.mean())
    found = np.full(asked.shape, base)
    for column in range(kinds.shape[1]):
        for kind in np.unique(kinds[:, column]):
            own = kinds[:, column] == kind
            share = (bad[own].sum() + SHRINKAGE * base) / (own.sum() + SHRINKAGE)
            found[asked[:, column] == kind, column] = share
    return found


def shares_out_of_fold(kinds: Any, bad: Any) -> Floats:
    """The same for the known rows themselves, each from the folds that it is not in."""
    fold = by_label(bad, 5, 0)
    found = np.zeros(kinds.shape)
    for k in range(5):
        own = fold == k
        found[own] = shares(kinds[~own], bad[~own], kinds[own])
    return found
