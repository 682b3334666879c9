"""A logistic scorecard: binned features, weights of evidence, calibration, measures. Pure.

Numbers in, numbers and explanations out; the same rows and seed give the same model to the bit.
Probabilities are floats here and whole parts of a million where they are stored.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import chi2, rankdata

from community.scoring.features import CODES, NONE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# How a model is made, noted with it. Not policy: whoever changes one makes another model.
# Where bins are cut, by rank: finer at the top, where the trouble is.
CUTS = (0.2, 0.4, 0.6, 0.8, 0.9, 0.96, 0.98, 0.99)
# A bin holds this share of the rows; of many rows less will do, as long as it is so many.
BIN_SHARE_MIN, BIN_SHARE_LEAST, BIN_ROWS_ENOUGH = 0.03, 0.008, 180
PENALTY = 1.0
SMOOTHING = 0.5
GROUPS = 10
_STEPS, _CLOSE = 100, 1e-10
_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One feature of a scorecard."""

    code: str
    # A value falls into the first bin whose edge it does not exceed, else into the last.
    edges: tuple[int, ...]
    # By bin: log odds of trouble there against all, and the share of the rows it was made from.
    evidence: tuple[float, ...]
    shares: tuple[float, ...]
    coefficient: float
    # Of the evidence, over all rows: the average loan.
    mean: float


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Everything that a probability follows from."""

    intercept: float
    parts: tuple[Part, ...]
    # Calibration: log odds = shift + slope · log odds of the card.
    shift: float
    slope: float
    base_rate: float
    # Of the scores of the rows it was made from: nine edges, ten shares.
    score_edges: tuple[float, ...]
    score_shares: tuple[float, ...]

    def to_document(self) -> dict[str, Any]:
        """The card as it is stored."""
        return {
            "intercept": self.intercept,
            "shift": self.shift,
            "slope": self.slope,
            "base_rate": self.base_rate,
            "score_edges": list(self.score_edges),
            "score_shares": list(self.score_shares),
            "made_with": {
                "cuts": list(CUTS),
                "bin_share_min": BIN_SHARE_MIN,
                "bin_share_least": BIN_SHARE_LEAST,
                "bin_rows_enough": BIN_ROWS_ENOUGH,
                "penalty": PENALTY,
                "smoothing": SMOOTHING,
            },
            "parts": [
                {
                    "code": part.code,
                    "edges": list(part.edges),
                    "evidence": list(part.evidence),
                    "shares": list(part.shares),
                    "coefficient": part.coefficient,
                    "mean": part.mean,
                }
                for part in self.parts
            ],
        }


def read_card(document: Mapping[str, Any]) -> Scorecard:
    """The card that a document stores."""
    return Scorecard(
        intercept=document["intercept"],
        parts=tuple(
            Part(
                part["code"],
                tuple(part["edges"]),
                tuple(part["evidence"]),
                tuple(part["shares"]),
                part["coefficient"],
                part["mean"],
            )
            for part in document["parts"]
        ),
        shift=document["shift"],
        slope=document["slope"],
        base_rate=document["base_rate"],
        score_edges=tuple(document["score_edges"]),
        score_shares=tuple(document["score_shares"]),
    )


def digest_of(document: Mapping[str, Any]) -> str:
    """The fingerprint of a document, whatever the order of its names."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Scored:
    """Probabilities; by row and feature, what it adds to the log odds of the average loan."""

    probabilities: Floats
    contributions: Floats


def fit_card(
    learn: Ints,
    learn_bad: Ints,
    calibrate: Ints,
    calibrate_bad: Ints,
    codes: Sequence[str] = CODES,
) -> Scorecard:
    """A scorecard from rows in the order of `codes`, calibrated on rows of other borrowers.

    A feature whose coefficient would speak against its own evidence is left out: it repeats what
    others say, and as a reason it would be nonsense.
    """
    bad = learn_bad.astype(np.float64)
    edges = [bin_edges(learn[:, at]) for at in range(len(codes))]
    places = [_places(learn[:, at], edges[at]) for at in range(len(codes))]
    evidence, shares = [], []
    for at in range(len(codes)):
        found = _evidence(places[at], bad, len(edges[at]) + 1)
        evidence.append(found[0])
        shares.append(found[1])
    x = np.column_stack([evidence[at][places[at]] for at in range(len(codes))])
    used = [at for at in range(len(codes)) if np.ptp(x[:, at]) > 0]
    while True:
        intercept, slopes = fit_logistic(x[:, used], bad, PENALTY)
        if not used or slopes.min() >= 0:
            break
        del used[int(slopes.argmin())]
    coefficients = np.zeros(len(codes))
    coefficients[used] = slopes
    parts = tuple(
        Part(
            code,
            tuple(int(edge) for edge in edges[at]),
            _rounded(evidence[at]),
            _rounded(shares[at]),
            round(float(coefficients[at]), _DIGITS),
            round(float(x[:, at].mean()), _DIGITS),
        )
        for at, code in enumerate(codes)
    )
    raw = Scorecard(
        round(intercept, _DIGITS), parts, 0.0, 1.0, round(float(bad.mean()), _DIGITS), (), ()
    )
    held_out = _log_odds(raw, calibrate)[0]
    shift, slope = _platt(held_out, calibrate_bad.astype(np.float64))
    card = Scorecard(
        raw.intercept,
        parts,
        round(shift, _DIGITS),
        round(slope, _DIGITS),
        raw.base_rate,
        (),
        (),
    )
    scores = score_rows(card, learn).probabilities
    cuts = np.unique(np.round(np.quantile(scores, np.arange(1, GROUPS) / GROUPS), _DIGITS))
    counted = np.bincount(np.searchsorted(cuts, scores, side="left"), minlength=cuts.size + 1)
    return Scorecard(
        raw.intercept,
        parts,
        card.shift,
        card.slope,
        raw.base_rate,
        _rounded(cuts),
        _rounded(counted / scores.size),
    )


def score_rows(card: Scorecard, rows: Ints) -> Scored:
    """Calibrated probabilities of rows, and what each feature has to do with them."""
    logits, parts = _log_odds(card, rows)
    return Scored(expit(card.shift + card.slope * logits), card.slope * parts)


def bin_edges(values: Ints) -> Ints:
    """Upper edges of all bins but the last: what is unknown and zero apart, the rest by rank."""
    edges: list[int] = []
    rest = values
    enough = min(BIN_SHARE_MIN * values.size, BIN_ROWS_ENOUGH)
    least = max(1, int(np.ceil(max(BIN_SHARE_LEAST * values.size, enough))))
    for alone in (NONE, 0):
        count = int((rest == alone).sum())
        if count >= least and rest.size - count >= least:
            edges.append(alone)
            rest = rest[rest > alone]
    for share in CUTS:
        edge = int(np.quantile(rest, share, method="lower"))
        below = int((rest <= edge).sum()) - int((rest <= (edges[-1] if edges else NONE - 1)).sum())
        if below >= least and int((rest > edge).sum()) >= least:
            edges.append(edge)
    return np.array(sorted(set(edges)), np.int64)


def fit_logistic(x: Floats, bad: Floats, penalty: float) -> tuple[float, Floats]:
    """Intercept and coefficients of a logistic regression, by Newton's steps; ridge on the latter.

    Steps are halved until they improve, so that it always ends.
    """
    design = np.column_stack([np.ones(bad.size), x])
    ridge = np.full(design.shape[1], penalty)
    ridge[0] = 0.0
    beta = np.zeros(design.shape[1])
    rate = float(np.clip(bad.mean(), 1e-9, 1 - 1e-9))
    beta[0] = np.log(rate / (1 - rate))
    at = _loss(design, bad, ridge, beta)
    for _ in range(_STEPS):
        chance = expit(design @ beta)
        slope = design.T @ (bad - chance) - ridge * beta
        weight = np.maximum(chance * (1 - chance), 1e-12)
        step = np.linalg.solve((design.T * weight) @ design + np.diag(ridge + 1e-12), slope)
        size = 1.0
        while size > 1e-6:
            then = _loss(design, bad, ridge, beta + size * step)
            if then <= at:
                break
            size /= 2
        beta = beta + size * step
        if np.abs(size * step).max() < _CLOSE:
            break
        at = then
    return float(beta[0]), beta[1:]


def _loss(design: Floats, bad: Floats, ridge: Floats, beta: Floats) -> float:
    logits = design @ beta
    return float(np.logaddexp(0, logits).sum() - bad @ logits + 0.5 * (ridge * beta) @ beta)


def _platt(logits: Floats, bad: Floats) -> tuple[float, float]:
    """Shift and slope that make log odds true on rows of borrowers who were not learnt from."""
    shift, slopes = fit_logistic(logits.reshape(-1, 1), bad, SMOOTHING)
    # A card that says the opposite of what happens is worth nothing: then the rate alone counts.
    return shift, max(float(slopes[0]), 0.0)


def _evidence(places: Ints, bad: Floats, bins: int) -> tuple[Floats, Floats]:
    """By bin: log of its share of the bad over its share of the good; and its share of all rows."""
    count = np.bincount(places, minlength=bins).astype(np.float64)
    worse = np.bincount(places, weights=bad, minlength=bins)
    all_bad = bad.sum()
    odds = (all_bad + SMOOTHING) / (bad.size - all_bad + SMOOTHING)
    # Half a row of the average kind in every bin keeps small ones near the average.
    found = np.log((worse + SMOOTHING * odds) / (count - worse + SMOOTHING)) - np.log(odds)
    return found, count / max(count.sum(), 1)


def _places(values: Ints, edges: Ints) -> Ints:
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def _log_odds(card: Scorecard, rows: Ints) -> tuple[Floats, Floats]:
    parts = np.empty((rows.shape[0], len(card.parts)))
    for at, part in enumerate(card.parts):
        places = _places(rows[:, at], np.array(part.edges, np.int64))
        evidence = np.array(part.evidence)[places]
        parts[:, at] = part.coefficient * (evidence - part.mean)
    means = sum(part.coefficient * part.mean for part in card.parts)
    return card.intercept + means + parts.sum(axis=1), parts


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), _DIGITS) for value in values)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A tenth of the loans by score: what was said on average, and what came."""

    rows: int
    said: float
    came: float


@dataclass(frozen=True, slots=True)
class Measures:
    """How good probabilities were."""

    rows: int
    bad: int
    brier: float
    # Of saying the earlier rate for everybody.
    brier_base: float
    auc: float | None
    # Trouble among the tenth with the highest scores, as a multiple of trouble among all.
    lift: float | None
    error: float
    # What the calibration error of a perfect forecast would be by chance, on so many rows.
    error_by_chance: float
    curve: tuple[CurvePoint, ...]

    def to_document(self) -> dict[str, Any]:
        """The measures as they are stored."""
        return {
            "rows": self.rows,
            "bad": self.bad,
            "brier": _short(self.brier),
            "brier_base": _short(self.brier_base),
            "auc": None if self.auc is None else _short(self.auc),
            "lift": None if self.lift is None else _short(self.lift),
            "error": _short(self.error),
            "error_by_chance": _short(self.error_by_chance),
            "curve": [
                {"rows": point.rows, "said": _short(point.said), "came": _short(point.came)}
                for point in self.curve
            ],
        }


def _short(value: float) -> float:
    return round(value, 6)


def measure(said: Floats, bad: Ints, base_rate: float) -> Measures:
    """Brier, calibration, order and lift of probabilities against what came."""
    came = bad.astype(np.float64)
    order = np.argsort(-said, kind="stable")
    tenth = max(1, said.size // 10)
    rate = float(came.mean())
    positives = float(came.sum())
    negatives = came.size - positives
    auc = None
    if positives and negatives:
        ranks = rankdata(said)
        auc = float(
            (ranks[came == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
        )
    curve, error, chance = [], 0.0, 0.0
    for part in np.array_split(order[::-1], min(GROUPS, said.size)):
        mean, seen = float(said[part].mean()), float(came[part].mean())
        curve.append(CurvePoint(part.size, mean, seen))
        error += part.size / said.size * abs(mean - seen)
        # The mean distance of a normal from its mean is √(2/π) of its spread.
        spread = np.sqrt(float((said[part] * (1 - said[part])).sum())) / part.size
        chance += part.size / said.size * float(np.sqrt(2 / np.pi) * spread)
    return Measures(
        rows=said.size,
        bad=int(positives),
        brier=float(((said - came) ** 2).mean()),
        brier_base=float(((base_rate - came) ** 2).mean()),
        auc=auc,
        lift=float(came[order[:tenth]].mean()) / rate if rate else None,
        error=error,
        error_by_chance=chance,
        curve=tuple(curve),
    )


def stability(before: Sequence[float], counts: Ints) -> float:
    """The population stability index of counts now against shares before.

    A bin that is empty on one side counts as half a row.
    """
    total = int(counts.sum())
    if not total:
        return 0.0
    now = np.maximum(counts, SMOOTHING) / total
    then = np.maximum(np.array(before), SMOOTHING / max(total, 1000))
    return float(((now - then) * np.log(now / then)).sum())


def stability_by_chance(bins: int, rows: int, rows_before: int, chance: float) -> float:
    """The index that is exceeded with this chance when nothing has changed.

    It is then distributed as χ² with one degree less than bins, times (1/rows + 1/rows before).
    """
    if bins < 2 or not rows or not rows_before:
        return 0.0
    return float(chi2.isf(chance, bins - 1)) * (1 / rows + 1 / rows_before)


@dataclass(frozen=True, slots=True)
class Drift:
    """How far rows are from those that a model was made from: by feature, and in their score."""

    score: float
    score_by_chance: float
    features: dict[str, float]

    def exceeds(self, bound: float) -> bool:
        """Whether the scores moved beyond the bound, and beyond what chance would do."""
        return self.score > max(bound, self.score_by_chance)


def drift_of(card: Scorecard, rows: Ints, *, made_from: int, chance: float) -> Drift:
    """Rows of now against the rows that a model was made from."""
    scores = score_rows(card, rows).probabilities
    cuts = np.array(card.score_edges)
    counts = np.bincount(np.searchsorted(cuts, scores, side="left"), minlength=cuts.size + 1)
    features = {}
    for at, part in enumerate(card.parts):
        places = _places(rows[:, at], np.array(part.edges, np.int64))
        features[part.code] = stability(
            part.shares, np.bincount(places, minlength=len(part.shares))
        )
    return Drift(
        stability(card.score_shares, counts),
        stability_by_chance(len(card.score_shares), rows.shape[0], made_from, chance),
        features,
    )
