"""Oracle method ``score_metrics``."""

from __future__ import annotations

from graph.scores import auc, average_precision, brier, gini, ks
from tests.oracles.registry import Case, Malformed, method

_MEASURES = {
    "auc": auc,
    "gini": gini,
    "average_precision": average_precision,
    "brier": brier,
    "ks": ks,
}


@method("score_metrics")
def score_metrics(case: Case) -> None:
    outcomes = case.need("default")
    scores = next((v for k, v in case.input.items() if k.startswith("score")), None)
    if not isinstance(outcomes, list) or not isinstance(scores, list):
        raise Malformed("input has no list of outcomes and none of scores")
    for key, measure in _MEASURES.items():
        if case.wants(key):
            case.compare(key, measure(outcomes, scores))
