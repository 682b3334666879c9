"""Early warning on generated life: making the panel and a model, scoring 100,000 loans.

Lives are made, not read; what becomes of each loan is drawn from causes that are known. On one
thread. Where scikit-learn is installed, gradient boosting is judged on the same later rows.
BENCH_WARNING_BORROWERS sets another size.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import timedelta

import numpy as np

from community.scoring.facts import policy_of
from community.scoring.features import CODES
from community.scoring.model import drift_of, measure, score_rows
from community.scoring.training import Made, make_model, make_panel
from tests.warning_life import FIRST, lenient_rules, make_lives

BORROWERS = int(os.environ.get("BENCH_WARNING_BORROWERS", "20000"))
LOANS, SEED = 100_000, 4


def run() -> None:
    """Make a life, a panel, a model; score."""
    rules = lenient_rules()
    lives = make_lives(BORROWERS, SEED)
    on = FIRST + timedelta(days=24 * 30)
    started = time.process_time()
    panel = make_panel(lives, rules=rules, from_on=FIRST, on=on)
    taken = time.process_time() - started
    rows = panel.bad.size
    print(
        f"   panel: {rows:,} rows of {len(lives.loans):,} loans on {panel.months} month ends in"
        f" {taken:.1f} s of processor time, {rows / taken:,.0f} rows/s"
    )
    started = time.process_time()
    made = make_model(panel, rules=rules, seed=SEED)
    taken = time.process_time() - started
    learnt = made.slices.learn.bad.size
    print(f"   model: learnt from {learnt:,} rows in {taken:.2f} s, {learnt / taken:,.0f} rows/s")
    told = made.measures
    print(
        f"   scorecard on {told.rows:,} later rows: Brier {told.brier:.4f} (rate alone"
        f" {told.brier_base:.4f}), AUC {told.auc or 0:.3f}, lift {told.lift or 0:.2f}, calibration"
        f" error {told.error:.4f} (by chance {told.error_by_chance:.4f})"
    )
    _boosted(made)
    policy = policy_of(rules)
    day = (FIRST + timedelta(days=300)).toordinal()
    started = time.process_time()
    found = lives.rows(day, policy)
    taken = time.process_time() - started
    print(
        f"   rows of one night: {len(found):,} loans in {taken:.1f} s,"
        f" {len(found) / taken:,.0f} loans/s"
    )
    table = np.array([row for _, row in found], np.int64).reshape(-1, len(CODES))
    many = table[np.arange(LOANS) % table.shape[0]]
    started = time.process_time()
    score_rows(made.card, many)
    drift_of(made.card, many, made_from=learnt, chance=0.001)
    taken = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"   {LOANS:,} loans scored, with drift, in {taken:.2f} s; peak memory {peak} MB")


def _boosted(made: Made) -> None:
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        print("   gradient boosting: scikit-learn is not installed, not compared")
        return
    learn, calibrate, judge = made.slices.learn, made.slices.calibrate, made.slices.judge
    # It needs no slice to calibrate on: it may learn from that too.
    both = np.concatenate([learn.rows, calibrate.rows])
    bad = np.concatenate([learn.bad, calibrate.bad])
    forest = HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.05, max_leaf_nodes=15, random_state=SEED
    ).fit(both, bad)
    told = measure(forest.predict_proba(judge.rows)[:, 1], judge.bad, made.card.base_rate)
    print(
        f"   gradient boosting on the same rows: Brier {told.brier:.4f}, AUC {told.auc or 0:.3f},"
        f" lift {told.lift or 0:.2f}, calibration error {told.error:.4f}"
    )
