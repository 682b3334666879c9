"""Score metrics: against counting all pairs and all thresholds."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import BadParameter
from graph.scores import auc, average_precision, brier, gini, ks, score_metrics

# Few different values, so that most samples have ties.
CASES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=2
).filter(lambda cases: len({kind for kind, _ in cases}) == 2)


@given(CASES)
def test_all_measures_by_counting(cases):
    kinds, scores = zip(*cases, strict=True)
    ones = [s for kind, s in cases if kind]
    zeros = [s for kind, s in cases if not kind]
    twice = sum(2 * (a > b) + (a == b) for a in ones for b in zeros)
    area = Fraction(twice, 2 * len(ones) * len(zeros))
    found = score_metrics(kinds, scores)
    assert found.auc == float(area)
    assert found.gini == pytest.approx(float(2 * area - 1), abs=1e-15)
    levels = sorted(set(scores))
    apart = max(
        abs(
            Fraction(sum(s <= at for s in ones), len(ones))
            - Fraction(sum(s <= at for s in zeros), len(zeros))
        )
        for at in levels
    )
    assert found.ks == float(apart)
    precision, recall = Fraction(0), Fraction(0)
    for at in reversed(levels):
        hits, taken = sum(s >= at for s in ones), sum(s >= at for s in scores)
        now = Fraction(hits, len(ones))
        precision += (now - recall) * Fraction(hits, taken)
        recall = now
    assert found.average_precision == pytest.approx(float(precision))
    assert found.brier == pytest.approx(sum((s - k) ** 2 for k, s in cases) / len(cases))


@given(CASES)
def test_only_the_order_of_scores_counts(cases):
    kinds, scores = np.array(cases).T
    for measure in (auc, gini, average_precision, ks):
        assert measure(kinds, np.exp(5 * scores) - 9) == measure(kinds, scores)
        assert measure(kinds[::-1], scores[::-1]) == pytest.approx(measure(kinds, scores))
    assert auc(kinds, -scores) == pytest.approx(1 - auc(kinds, scores))
    assert auc(1 - kinds, scores) == pytest.approx(1 - auc(kinds, scores))
    assert ks(1 - kinds, -scores) == pytest.approx(ks(kinds, scores))


def test_the_ends_of_the_scale():
    assert (
        auc([False, True], [0, 1]) == average_precision([0, 1], [0, 1]) == ks([0, 1], [0, 1]) == 1
    )
    assert auc([0, 1], [1, 0]) == 0
    assert auc([0, 1, 1, 0], [3, 3, 3, 3]) == 0.5
    assert ks([0, 1, 1, 0], [3, 3, 3, 3]) == 0
    assert average_precision([0, 1, 1, 0], [3, 3, 3, 3]) == 0.5
    assert auc([0.0, 1.0], [-math.inf, math.inf]) == 1
    assert brier([1, 1], [1.0, 0.5]) == 0.125


def test_many_cases_do_not_run_over():
    kinds = np.arange(200_000) % 2
    scores = np.arange(200_000) // 2
    assert auc(kinds, scores) == 0.5


@pytest.mark.parametrize("measure", [auc, gini, average_precision, brier, ks, score_metrics])
def test_what_is_refused(measure):
    refused = [
        ([], []),
        ([0, 1], [0.5]),
        ([[0, 1]], [[0.5, 0.5]]),
        ([0, 2], [0.5, 0.5]),
        ([0, math.nan], [0.5, 0.5]),
        (["0", "1"], [0.5, 0.5]),
        ([0, 1], [0.5, math.nan]),
        ([0, 1], ["a", "b"]),
        ([0, 1], [True, False]),
        (0, 1),
    ]
    if measure is not brier:
        refused += [([0, 0], [0.5, 0.5]), ([1], [0.5])]
    if measure in (brier, score_metrics):
        refused += [([0, 1], [0.5, 1.01]), ([0, 1], [-0.1, 0.5])]
    for outcomes, scores in refused:
        with pytest.raises(BadParameter):
            measure(outcomes, scores)
