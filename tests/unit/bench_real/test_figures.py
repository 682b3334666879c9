"""The figures and folds of the benchmarks on real data, by hand and by definition."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.real.folds import by_group, by_label
from tests.bench.real.metrics import (
    auc,
    auc_within,
    aucs_by_group,
    calibration_error,
    recall_at,
)
from tests.bench.real.result import Result


def test_auc_within_groups_counts_pairs_of_one_group_only():
    # Group 1: good at 1 and 4, bad at 3: one of two pairs in order. Group 2: a tie. Group 3: none.
    labels = [False, True, False, True, False, True]
    scores = [1, 3, 4, 2, 2, 9]
    groups = [1, 1, 1, 2, 2, 3]
    value, pairs = auc_within(labels, scores, groups)
    assert (value, pairs) == ((1 + 0.5) / 3, 3)
    # Over all: 3 beats 1 and 2 but not 4; 2 beats 1 and ties; 9 beats all.
    assert auc(labels, scores) == (2 + 1.5 + 3) / 9


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=30
    )
)
def test_auc_within_groups_by_counting(rows):
    right = pairs = 0
    for label, score, group in rows:
        for other, less, same in rows:
            if label and not other and group == same:
                pairs += 1
                right += (score > less) + (score == less) / 2
    value, counted = auc_within(*zip(*rows, strict=True))
    assert counted == pairs
    assert math.isnan(value) if not pairs else math.isclose(value, right / pairs)


def test_one_auc_per_group_with_both_labels():
    each = aucs_by_group([1, 0, 1, 1, 0], [2, 1, 5, 5, 7], ["a", "a", "b", "c", "c"])
    assert each.tolist() == [1.0, 0.0]
    assert math.isnan(auc([1, 1], [1, 2]))


def test_recall_at_a_rate_of_false_alarms():
    labels = [1, 1, 1, 1] + [0] * 10
    scores = [9, 8, 5, 1] + [7, 6] + [0] * 8
    assert recall_at(labels, scores, 0.0) == 0.5
    assert recall_at(labels, scores, 0.1) == 0.5
    assert recall_at(labels, scores, 0.2) == 1.0


def test_calibration_error_is_the_gap_between_chance_and_share():
    assert calibration_error([1, 0, 0, 0], [0.25] * 4, bins=1) == 0
    assert math.isclose(calibration_error([1, 1, 0, 0], [0.9, 0.9, 0.2, 0.2], bins=2), 0.15)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(2, 6), st.integers(0, 9))
def test_folds_have_their_share_of_each_label(labels, folds, seed):
    fold = by_label(labels, folds, seed)
    assert ((fold >= 0) & (fold < folds)).all()
    for label in set(labels):
        counts = np.bincount(fold[np.array(labels) == label], minlength=folds)
        assert counts.max() - counts.min() <= 1
    assert (by_label(labels, folds, seed) == fold).all()


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 6), st.integers(0, 9))
def test_a_group_is_never_in_two_folds(groups, folds, seed):
    fold = by_group(groups, folds, seed)
    assert len(set(zip(groups, fold.tolist(), strict=True))) == len(set(groups))
    if len(set(groups)) >= folds:
        assert set(fold.tolist()) == set(range(folds))


def test_a_goal_may_be_a_ceiling():
    assert Result("B1", "AUC", 0.9, None, 0.88).reached
    assert Result("B7", "accepted", 0.2, None, 0.1, smaller_is_better=True).reached is False
    assert Result("B3", "AUC", 0.9, None, None).reached is None
