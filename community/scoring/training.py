"""Making a model from history: the panel, its slices, the fit, the measures. Pure but for reading.

A row is one loan on one month's last day, well on that day, whose horizon is over. What is learnt
from, calibrated on and judged by never share a borrower, and the judging days come later: every
outcome that was learnt from was known before the first of them.
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from community.communities.charter import CharterRules
from community.scoring.errors import TooLittleHistory
from community.scoring.facts import Lives, policy_of
from community.scoring.features import CODES, comes_into_trouble
from community.scoring.model import (
    Drift,
    Measures,
    Scorecard,
    digest_of,
    drift_of,
    fit_card,
    measure,
    score_rows,
)

Ints = NDArray[np.int64]
# Of the borrowers, who are learnt from and who are calibrated on; the rest are judged by.
LEARN_SHARE, CALIBRATE_SHARE = 0.5, 0.2
# Of the months, the later ones that are judged by.
LATER_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Panel:
    """A row a loan and month's last day, with what became of it."""

    rows: Ints
    bad: Ints
    loans: Ints
    borrowers: Ints
    days: Ints

    @property
    def loan_count(self) -> int:
        return int(np.unique(self.loans).size)

    @property
    def bad_loan_count(self) -> int:
        return int(np.unique(self.loans[self.bad == 1]).size)

    @property
    def months(self) -> int:
        return int(np.unique(self.days).size)

    def where(self, chosen: NDArray[np.bool_]) -> "Panel":
        return Panel(
            self.rows[chosen],
            self.bad[chosen],
            self.loans[chosen],
            self.borrowers[chosen],
            self.days[chosen],
        )

    def has_both(self) -> bool:
        """Whether some came into trouble and some did not."""
        return bool(self.bad.size) and 0 < int(self.bad.sum()) < self.bad.size


@dataclass(frozen=True, slots=True)
class Slices:
    learn: Panel
    calibrate: Panel
    judge: Panel


@dataclass(frozen=True, slots=True)
class Made:
    """A model and how good it is on what it was not made from."""

    panel: Panel
    slices: Slices
    card: Scorecard
    measures: Measures
    drift: Drift

    def to_document(self) -> dict[str, Any]:
        """What is stored of it."""
        return {
            "card": self.card.to_document(),
            "measures": self.measures.to_document(),
            "drift": drift_document(self.drift),
            "slices": {
                name: {
                    "rows": int(part.bad.size),
                    "bad": int(part.bad.sum()),
                    "borrowers": int(np.unique(part.borrowers).size),
                    "from": date.fromordinal(int(part.days.min())).isoformat(),
                    "until": date.fromordinal(int(part.days.max())).isoformat(),
                }
                for name, part in (
                    ("learn", self.slices.learn),
                    ("calibrate", self.slices.calibrate),
                    ("judge", self.slices.judge),
                )
            },
        }


def drift_document(drift: Drift) -> dict[str, Any]:
    """A drift as it is stored, in ten-thousandths."""
    return {
        "score_bps": round(drift.score * 10_000),
        "by_chance_bps": round(drift.score_by_chance * 10_000),
        "features": {code: round(value * 10_000) for code, value in drift.features.items()},
    }


def month_ends(from_on: date, until_on: date) -> Iterator[date]:
    """The last days of months within a span."""
    day = from_on
    while day <= until_on:
        last = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        if last <= until_on:
            yield last
        day = last + timedelta(days=1)


def make_panel(lives: Lives, *, rules: CharterRules, from_on: date, on: date) -> Panel:
    """The panel of all month ends whose horizon was over by a day."""
    policy = policy_of(rules)
    rows: list[tuple[int, ...]] = []
    facts: list[tuple[int, int, int, int]] = []
    for end in month_ends(from_on, on - timedelta(days=policy.horizon_days + 1)):
        day = end.toordinal()
        for loan, row in lives.rows(day, policy):
            rows.append(row)
            bad = comes_into_trouble(loan, day, policy)
            facts.append((bad, loan.loan_id, loan.borrower_id, day))
    told = np.array(facts, np.int64).reshape(-1, 4)
    return Panel(
        np.array(rows, np.int64).reshape(-1, len(CODES)),
        told[:, 0],
        told[:, 1],
        told[:, 2],
        told[:, 3],
    )


def check_history(panel: Panel, rules: CharterRules) -> None:
    """Refuse to make a model from less than the charter asks for. Raises TooLittleHistory."""
    counted = {
        "loans": panel.loan_count,
        "bad_loans": panel.bad_loan_count,
        "months": panel.months,
    }
    wanted = {
        "loans": rules.warning_loans_min,
        "bad_loans": rules.warning_bad_min,
        "months": rules.warning_months_min,
    }
    if any(counted[name] < wanted[name] for name in wanted):
        raise TooLittleHistory(
            f"There are {counted['loans']} loans, {counted['bad_loans']} of them came into trouble,"
            f" over {counted['months']} month ends; the charter asks for {wanted['loans']},"
            f" {wanted['bad_loans']} and {wanted['months']}.",
            counted=counted,
            wanted=wanted,
        )


def slice_panel(panel: Panel, *, seed: int, horizon_days: int) -> Slices:
    """Learn, calibrate and judge: by borrower, by the seed, and by time."""
    days = np.unique(panel.days)
    later = max(1, round(days.size * LATER_SHARE))
    first_later = int(days[-later])
    early = panel.days + horizon_days < first_later
    place = np.array([_place(seed, int(borrower)) for borrower in panel.borrowers])
    learn = early & (place < LEARN_SHARE)
    calibrate = early & (place >= LEARN_SHARE) & (place < LEARN_SHARE + CALIBRATE_SHARE)
    used = np.unique(panel.borrowers[learn | calibrate])
    judge = (panel.days >= first_later) & ~np.isin(panel.borrowers, used)
    return Slices(panel.where(learn), panel.where(calibrate), panel.where(judge))


def _place(seed: int, borrower_id: int) -> float:
    """Where the seed puts a borrower, from 0 to 1: the same whoever else is there."""
    return int.from_bytes(sha256(f"{seed}/{borrower_id}".encode()).digest()[:6]) / 2**48


def make_model(panel: Panel, *, rules: CharterRules, seed: int) -> Made:
    """A model from a panel. Raises TooLittleHistory."""
    check_history(panel, rules)
    slices = slice_panel(panel, seed=seed, horizon_days=rules.warning_horizon_days)
    for name, part in (
        ("learnt from", slices.learn),
        ("calibrated on", slices.calibrate),
        ("judged by", slices.judge),
    ):
        if not part.has_both():
            raise TooLittleHistory(
                f"Of the loans that it would be {name}, all or none came into trouble.",
                slice=name,
            )
    learn, calibrate, judge = slices.learn, slices.calibrate, slices.judge
    card = fit_card(learn.rows, learn.bad, calibrate.rows, calibrate.bad)
    said = score_rows(card, judge.rows).probabilities
    return Made(
        panel,
        slices,
        card,
        measure(said, judge.bad, card.base_rate),
        drift_of(
            card,
            judge.rows,
            made_from=learn.bad.size,
            chance=rules.warning_drift_chance_ppm / 1_000_000,
        ),
    )


def fingerprint(document: dict[str, Any], facts: Sequence[object]) -> str:
    """What a stored model is known by: its document, and what it was made for and from."""
    return digest_of({"document": document, "facts": [str(fact) for fact in facts]})
