"""Early warning as answers and sheets."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from app.sheets import Cell
from community.loans.models import Loan
from community.members.models import Member
from community.scoring.features import OF_OTHERS
from community.scoring.models import (
    LoanWarning,
    ModelActivation,
    ModelTraining,
    WarningModel,
    WarningRun,
)
from community.scoring.queries import WarningFile
from community.scoring.words import Words, say_chance, say_held, say_reason, say_why


def _words(said: Words) -> dict[str, str]:
    return {"zh": said["zh-CN"], "en": said["en"]}


def training_view(training: ModelTraining, model: WarningModel | None) -> dict[str, Any]:
    return {
        "id": training.public_id,
        "seed": training.seed,
        "on": training.on_day,
        "status": training.status,
        "model": None if model is None else model.public_id,
        "failure": training.failure,
        "created_at": training.created_at,
        "finished_at": training.finished_at,
    }


def activation_view(activation: ModelActivation, model: WarningModel | None) -> dict[str, Any]:
    return {
        "number": activation.number,
        "model": None if model is None else model.public_id,
        "from_on": activation.from_on,
        "reason": activation.reason,
    }


def model_view(model: WarningModel, version: int, *, is_in_force: bool) -> dict[str, Any]:
    return {
        "id": model.public_id,
        "number": model.number,
        "is_in_force": is_in_force,
        "made_on": model.made_on,
        "days_late": model.days_late,
        "horizon_days": model.horizon_days,
        "observed_from": model.observed_from,
        "observed_until": model.observed_until,
        "months": model.months,
        "loans": model.loans,
        "bad_loans": model.bad_loans,
        "rows": model.rows_count,
        "seed": model.seed,
        "charter_version": version,
        "digest": model.digest,
        "measures": model.document["measures"],
    }


def card_view(
    model: WarningModel, version: int, *, is_in_force: bool, run: WarningRun | None
) -> dict[str, Any]:
    card = model.document["card"]
    is_its = run is not None and run.model_id == model.id and bool(run.drift)
    return model_view(model, version, is_in_force=is_in_force) | {
        "base_rate": card["base_rate"],
        "intercept": card["intercept"],
        "shift": card["shift"],
        "slope": card["slope"],
        "parts": card["parts"],
        "slices": [
            {
                "name": name,
                "rows": part["rows"],
                "bad": part["bad"],
                "borrowers": part["borrowers"],
                "from_on": date.fromisoformat(part["from"]),
                "until_on": date.fromisoformat(part["until"]),
            }
            for name, part in model.document["slices"].items()
        ],
        "drift_then": model.document["drift"],
        "drift_now": run.drift if is_its and run is not None else None,
    }


def run_view(run: WarningRun, model: WarningModel | None, version: int) -> dict[str, Any]:
    return {
        "id": run.public_id,
        "on": run.on_day,
        "number": run.number,
        "basis": run.basis,
        "why_rules": run.why_rules,
        "words": None if run.why_rules is None else _words(say_why(run.why_rules)),
        "model": None if model is None else model.public_id,
        "loans": run.loans,
        "charter_version": version,
    }


def warning_view(
    warning: LoanWarning,
    loan: Loan,
    borrower: Member,
    model: WarningModel | None,
    *,
    for_borrower: bool = False,
) -> dict[str, Any]:
    """What was said of a loan.

    To the borrower nothing that tells of others, and no figure from which it could be worked out:
    a probability less what the shown reasons add is what the hidden ones add.
    """
    ppm = warning.probability_ppm
    is_scored = ppm is not None and model is not None
    said = say_held(warning.rules_held, warning.rules_on)
    if ppm is not None and model is not None and not for_borrower:
        said = say_chance(ppm, days=model.horizon_days, late=model.days_late)
    return {
        "loan": loan.public_id,
        "borrower": {"id": borrower.public_id, "name": borrower.name},
        "band": warning.band,
        "probability_ppm": None if for_borrower else ppm,
        "rules_held": warning.rules_held,
        "rules_on": warning.rules_on,
        "words": _words(said),
        "reasons": [
            {
                "code": reason.get("code", reason.get("rule")),
                "words": _words(say_reason(reason)),
                "log_odds": reason["thousandths"] / 1000
                if is_scored and not for_borrower
                else None,
            }
            for reason in warning.reasons
            if not (for_borrower and reason.get("code") in OF_OTHERS)
        ],
    }


def file_view(told: WarningFile, *, for_borrower: bool) -> dict[str, Any]:
    return warning_view(
        told.warning, told.loan, told.borrower, told.model, for_borrower=for_borrower
    ) | {"run": run_view(told.run, told.model, told.charter_version)}


def warnings_table(
    run: WarningRun | None,
    rows: Iterable[tuple[LoanWarning, Loan, Member]],
) -> tuple[list[str], Iterator[list[Cell]]]:
    """A line a loan, with its reasons in words."""
    columns = ["on", "basis", "loan", "member", "name", "band", "probability_ppm"]
    columns += ["rules_held", "rules_on", "reasons"]

    def lines() -> Iterator[list[Cell]]:
        if run is None:
            return
        for warning, loan, borrower in rows:
            yield [
                run.on_day.isoformat(),
                run.basis.value,
                loan.public_id,
                borrower.public_id,
                borrower.name,
                warning.band.value,
                warning.probability_ppm,
                warning.rules_held,
                warning.rules_on,
                "".join(say_reason(reason)["zh-CN"] for reason in warning.reasons),
            ]

    return columns, lines()
