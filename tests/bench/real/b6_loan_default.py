"""Will a loan be repaid? From its terms and the borrower, later loans judged by earlier ones.

The listing date orders the loans and is no feature. MonthlyLoanPayment is left out of the main
figures: where it is smaller than amount and rate imply, it was lowered after the loan was given,
and such loans hardly ever failed (0.9 % of 785 at 0.90-0.99 of the implied payment, where 37 %
of all did). What that column adds is printed beside, for comparison with scores that use it.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from community.scoring.features import NONE
from community.scoring.model import fit_card, score_rows
from graph.scores import brier
from tests.bench.real.folds import by_label
from tests.bench.real.learners import boosting, line, log_odds, logistic, side_by_side
from tests.bench.real.metrics import auc, calibration_error
from tests.bench.real.result import Result
from tests.bench.real.tables import BadTable, Table, codes, numbers, read_table, texts

GRADES = ("AA", "A", "B", "C", "D", "E", "HR", "NC")
CLASSES = ("ListingCategory", "EmploymentStatus", "Occupation", "BorrowerState")
BAD = ("chargedoff", "defaulted")
TRAINED = 0.7
# Of the training loans, the last part calibrates.
CALIBRATES = 0.2
MONTHS = 36.0

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.int64]


def run(data: Path) -> list[Result]:
    """(a) five random folds, (b) the last 30 % by date; Brier score and calibration of (b)."""
    table = read_table(
        data, "prosper_2006_2009_closed", ("CreditGrade", "LoanStatus", "ListingCreationDate")
    )
    dates = np.array(table["ListingCreationDate"])
    # ISO dates: the order of texts is that of time.
    order = np.argsort(dates, kind="stable")
    table = {name: [column[k] for k in order] for name, column in table.items()}
    bad = np.array([status.strip().lower() in BAD for status in table["LoanStatus"]])
    if bad.sum() < 20 or (~bad).sum() < 20:
        raise BadTable("fewer than 20 loans of either outcome")
    cut = int(bad.size * TRAINED)
    before, after = np.arange(cut), np.arange(cut, bad.size)
    variants = {
        "listing only": loan_features(table),
        "without recommendations": loan_features(table, recommendations=False),
        "with the recorded payment": loan_features(table, payment=True),
    }
    classes = class_codes(table)
    grade = variants["listing only"][:, 0]
    results = [
        Result("B6", "AUC (a): credit grade alone", auc(bad, np.nan_to_num(grade)), 0.654, None),
        Result(
            "B6",
            "AUC (b): credit grade alone",
            auc(bad[after], np.nan_to_num(grade[after])),
            None,
            None,
        ),
    ]
    folds = by_label(bad, 5, seed=0)

    def one_fold(job: tuple[str, int]) -> tuple[str, Rows, Floats]:
        name, fold = job
        test = np.flatnonzero(folds == fold)
        train = np.flatnonzero(folds != fold)
        return name, test, scores(variants[name], classes, bad, train, test)

    spread_out = {name: np.zeros(bad.size) for name in variants}
    for name, test, odds in side_by_side(one_fold, [(n, f) for n in variants for f in range(5)]):
        spread_out[name][test] = odds
    later = side_by_side(lambda n: scores(variants[n], classes, bad, before, after), variants)
    for name, odds in zip(variants, later, strict=True):
        each = [auc(bad[folds == f], spread_out[name][folds == f]) for f in range(5)]
        past = 0.749 if name == "without recommendations" else 0.747
        mean, spread = float(np.mean(each)), float(np.std(each))
        results.append(Result("B6", f"AUC (a) in 5 folds: {name}", mean, past, None, spread))
        results.append(Result("B6", f"AUC (b): {name}", auc(bad[after], odds), 0.696, 0.72))
    chances = calibrated(variants["listing only"], classes, bad, before, later[0])
    usual = float(bad[before].mean())
    results += [
        Result("B6", "Brier (b)", brier(bad[after], chances), None, None),
        Result(
            "B6",
            "Brier (b): everybody the past share",
            brier(bad[after], np.full(after.size, usual)),
            None,
            None,
        ),
        Result(
            "B6",
            "calibration error (b), 10 bins",
            calibration_error(bad[after], chances),
            None,
            None,
        ),
        Result(
            "B6",
            "mean chance - share that failed (b)",
            float(chances.mean() - bad[after].mean()),
            None,
            None,
        ),
    ]
    card = by_card(variants["listing only"], classes, bad, before, after)
    results += [
        Result("B6", "AUC (b): the platform's scorecard", auc(bad[after], card), 0.696, None),
        Result("B6", "Brier (b): the scorecard", brier(bad[after], card), None, None),
        Result(
            "B6",
            "calibration error (b): the scorecard",
            calibration_error(bad[after], card),
            None,
            None,
        ),
    ]
    return results


def by_card(features: Any, classes: Any, bad: Bools, train: Rows, test: Rows) -> Floats:
    """Chances of failing by the scorecard of `community.scoring`, made as the platform makes it.

    It takes whole numbers from 0 up: each column in ten-thousandths above its least value.
    """
    cut = int(train.size * (1 - CALIBRATES))
    coded = class_rates(classes, bad, train, test)
    columns = np.vstack(
        [
            np.hstack([features[rows], known])
            for rows, known in zip((train, test), coded, strict=True)
        ]
    )
    above = np.round(
        (columns - np.min(np.where(np.isnan(columns), np.inf, columns), axis=0)) * 10_000
    )
    rows = np.where(np.isnan(above), NONE, above).astype(np.int64)
    learn, calibrate, judge = rows[:cut], rows[cut : train.size], rows[train.size :]
    codes_of = [str(at) for at in range(rows.shape[1])]
    failed = bad[train].astype(np.int64)
    card = fit_card(learn, failed[:cut], calibrate, failed[cut:], codes_of)
    return score_rows(card, judge).probabilities


def scores(features: Any, classes: Any, bad: Bools, train: Rows, test: Rows) -> Floats:
    """Log odds of failing: the mean of boosted trees (two seeds) and a logistic model."""
    coded = class_rates(classes, bad, train, test)
    fitted = np.hstack([features[train], coded[0]])
    judged = np.hstack([features[test], coded[1]])
    trees = [
        boosting(seed, max_leaf_nodes=4, max_iter=400, learning_rate=0.03, min_samples_leaf=60)
        for seed in (0, 1)
    ]
    boosted = np.mean([learn(fitted, bad[train], judged) for learn in trees], axis=0)
    linear = logistic(0.1)(fitted, bad[train], judged)
    return (log_odds(boosted) + log_odds(linear)) / 2


def calibrated(features: Any, classes: Any, bad: Bools, train: Rows, odds: Floats) -> Floats:
    """Chances from log odds, by a line fitted to the last training loans, judged by the others."""
    cut = int(train.size * (1 - CALIBRATES))
    inner = scores(features, classes, bad, train[:cut], train[cut:])
    return line(inner, bad[train[cut:]], odds)


def loan_features(
    table: Table, *, recommendations: bool = True, payment: bool = False
) -> NDArray[np.float64]:
    """A row per loan, in order of listing; the first column is the credit grade."""
    grade = np.array([_grade(cell) for cell in texts(table, "CreditGrade")])
    rate, apr = numbers(table, "BorrowerRate"), numbers(table, "BorrowerAPR")
    amount, income = numbers(table, "LoanOriginalAmount"), numbers(table, "StatedMonthlyIncome")
    score, debt = numbers(table, "CreditScoreAvg"), numbers(table, "DebtToIncomeRatio")
    term = np.where(np.isnan(numbers(table, "Term")), MONTHS, numbers(table, "Term"))
    monthly = rate / 12
    with np.errstate(divide="ignore", invalid="ignore"):
        implied = np.where(
            monthly > 0, amount * monthly / (1 - (1 + monthly) ** -term), amount / term
        )
    everybody = [""] * grade.size
    grades = texts(table, "CreditGrade")
    columns = [
        grade,
        score,
        amount,
        income,
        debt,
        numbers(table, "IsBorrowerHomeowner"),
        implied / np.maximum(income, 100),
        amount / np.maximum(income, 100),
        (income <= 0).astype(float),
        (amount % 500 == 0).astype(float),
        (np.round(rate * 1000) % 10 == 0).astype(float),
        apr - rate,
        rate,
        # Beside the loans listed just before: of the same grade, and of all.
        *against_recent(grades, rate, 200),
        *against_recent(everybody, rate, 500),
        against_recent(grades, amount, 200)[1],
        against_recent(everybody, score, 500)[1],
    ]
    if recommendations:
        columns.append(numbers(table, "Recommendations"))
    if payment:
        paid = numbers(table, "MonthlyLoanPayment")
        columns += [paid, paid / implied]
    features = np.column_stack(columns)
    return np.where(np.isfinite(features), features, np.nan)


def against_recent(groups: Sequence[str], values: Floats, last: int) -> tuple[Floats, Floats]:
    """Difference from the mean, and rank, among the group's last values before each."""
    recent: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=last))
    above, rank = np.full(values.size, np.nan), np.full(values.size, np.nan)
    for k, (group, value) in enumerate(zip(groups, values.tolist(), strict=True)):
        held = recent[group]
        if value != value:
            continue
        if len(held) >= 20:
            past = np.array(held)
            above[k] = value - past.mean()
            rank[k] = (past < value).mean() + (past == value).mean() / 2
        held.append(value)
    return above, rank


def class_codes(table: Table) -> NDArray[np.int64]:
    """Classes as numbers, a column each."""
    return np.column_stack([codes(texts(table, name)) for name in CLASSES])


def class_rates(
    classes: NDArray[np.int64], bad: Bools, train: Rows, test: Rows, prior: float = 30.0
) -> tuple[Floats, Floats]:
    """Share that failed in each class, drawn to the mean; training loans from other folds."""
    folds = np.random.default_rng(0).integers(0, 5, train.size)
    fitted = np.zeros((train.size, classes.shape[1]))
    judged = np.zeros((test.size, classes.shape[1]))
    for k in range(classes.shape[1]):
        judged[:, k] = _rates(classes[train, k], bad[train], classes[test, k], prior)
        for fold in range(5):
            own = folds == fold
            others = train[~own]
            fitted[own, k] = _rates(classes[others, k], bad[others], classes[train[own], k], prior)
    return fitted, judged


def _rates(known: Iterable[int], bad: Bools, asked: NDArray[np.int64], prior: float) -> Floats:
    places = np.asarray(known) + 1
    room = int(max(places.max(initial=0), asked.max(initial=-1) + 1)) + 1
    failed = np.bincount(places, bad, minlength=room)
    counted = np.bincount(places, minlength=room)
    mean = float(bad.mean()) if bad.size else 0.5
    return np.asarray(((failed + prior * mean) / (counted + prior))[asked + 1])


def _grade(cell: str) -> float:
    return float(GRADES.index(cell)) if cell in GRADES else np.nan
