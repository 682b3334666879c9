"""Early warning as the community keeps it: models are made and switched on, nights are scored."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import CharterRules, RiskRule
from community.communities.models import Community
from community.ledger.events import record_event
from community.loans.models import Loan
from community.locks import lock_one
from community.monitoring.cases import switched_on
from community.monitoring.signals import FINDERS, Looking, find_signals
from community.portfolio.figures import at_or_below
from community.scoring.errors import (
    ModelNotGoodEnough,
    TooLittleHistory,
    TrainingNotFound,
    TrainingUnderWay,
)
from community.scoring.facts import policy_of, read_lives
from community.scoring.features import CODES, LoanLife
from community.scoring.model import digest_of, drift_of, read_card, score_rows
from community.scoring.models import (
    Basis,
    LoanWarning,
    ModelActivation,
    ModelTraining,
    TrainingStatus,
    WarningModel,
    WarningRun,
    WhyRules,
)
from community.scoring.queries import model_in_force, run_of
from community.scoring.signals import band_by_rules, band_of
from community.scoring.training import (
    Made,
    drift_document,
    fingerprint,
    make_model,
    make_panel,
    month_ends,
)

_ROWS = 5_000
_PPM = 1_000_000
# A contribution below a twentieth of a log odd is no reason: it moves one in a hundred by nothing.
_TOLD_FROM = 50


@dataclass(frozen=True, slots=True)
class Worker:
    """Who works, and how long they may be silent before another takes over."""

    name: str
    lease: timedelta
    is_gone: Callable[[str], bool] = lambda name: False


def ask_training(
    session: Session,
    *,
    community_id: int,
    seed: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> ModelTraining:
    """Ask for a model from the history of a community and those inside it.

    What can be counted at once is refused at once. Raises TooLittleHistory, NoCharter.
    """
    community = communities.get_community_by_id(session, community_id)
    charter = communities.charter_on(session, community_id, on)
    _check_enough(session, community, charter.rules, on)
    training = ModelTraining(
        community_id=community_id,
        seed=seed,
        on_day=on,
        status=TrainingStatus.QUEUED,
        asked_by_id=actor_id,
        created_at=now,
    )
    session.add(training)
    session.flush()  # its public id goes into the event
    record_event(
        session,
        community_id=community_id,
        kind="warning.training_asked",
        subject=training.public_id,
        actor_id=actor_id,
        now=now,
        facts={"seed": seed},
    )
    return training


def begin_training(
    session: Session, *, worker: Worker, now: datetime, training_id: int | None = None
) -> int | None:
    """Take a training: the given one, else the first that waits; its id, None: nothing to do.

    Raises TrainingNotFound, TrainingUnderWay for a given one.
    """
    query = (
        select(ModelTraining)
        .order_by(ModelTraining.id)
        .with_for_update(skip_locked=training_id is None)
        .execution_options(populate_existing=True)
    )
    if training_id is not None:
        query = query.where(ModelTraining.id == training_id)
    else:
        query = query.where(
            ModelTraining.status.in_([TrainingStatus.QUEUED, TrainingStatus.RUNNING])
        )
    found = list(session.scalars(query))
    if training_id is not None and not found:
        raise TrainingNotFound()
    for training in found:
        if _is_free(training, worker, now):
            training.status = TrainingStatus.RUNNING
            training.worker = worker.name
            training.lease_until = now + worker.lease
            return training.id
        if training_id is not None:
            raise TrainingUnderWay(f"It is {training.status.value}.", status=training.status.value)
    return None


def work_training(session: Session, *, training_id: int) -> Made:
    """Read the history and make the model; writes nothing. Raises TooLittleHistory, NoCharter."""
    training = session.get_one(ModelTraining, training_id)
    community = communities.get_community_by_id(session, training.community_id)
    charter = communities.charter_on(session, community.id, training.on_day)
    return train(
        session, community=community, rules=charter.rules, seed=training.seed, on=training.on_day
    )


def train(
    session: Session, *, community: Community, rules: CharterRules, seed: int, on: date
) -> Made:
    """A model from all loans of a community and those inside it. Raises TooLittleHistory."""
    first = _first_day(session, community)
    if first is None:
        raise TooLittleHistory("Nothing was lent here yet.", loans=0)
    lives = read_lives(
        session,
        community_ids=session.scalars(
            select(Community.id).where(Community.path.startswith(community.path, autoescape=True))
        ).all(),
        from_on=first,
        until_on=on,
        rules=rules,
    )
    return make_model(make_panel(lives, rules=rules, from_on=first, on=on), rules=rules, seed=seed)


def finish_training(
    session: Session, *, training_id: int, worker: Worker, made: Made, now: datetime
) -> WarningModel:
    """Keep the model that a training made. Raises TrainingUnderWay: another has taken it over."""
    training = _mine(session, training_id, worker)
    model = keep_model(
        session,
        community_id=training.community_id,
        made=made,
        seed=training.seed,
        on=training.on_day,
        now=now,
        actor_id=training.asked_by_id,
    )
    training.status = TrainingStatus.DONE
    training.model_id = model.id
    training.worker = training.lease_until = None
    training.finished_at = now
    return model


def give_up_training(
    session: Session,
    *,
    training_id: int,
    worker: Worker,
    reason: str,
    is_refused: bool,
    now: datetime,
) -> ModelTraining:
    """Note that no model came of a training, and why."""
    training = _mine(session, training_id, worker)
    training.status = TrainingStatus.REFUSED if is_refused else TrainingStatus.FAILED
    training.failure = reason[:500]
    training.worker = training.lease_until = None
    training.finished_at = now
    return training


def keep_model(
    session: Session,
    *,
    community_id: int,
    made: Made,
    seed: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> WarningModel:
    """Store a model as the next version of its community."""
    charter = communities.charter_on(session, community_id, on)
    lock_one(session, Community, community_id)  # versions count up
    number = session.scalar(
        select(func.coalesce(func.max(WarningModel.number), 0) + 1).where(
            WarningModel.community_id == community_id
        )
    )
    panel, document = made.panel, made.to_document()
    model = WarningModel(
        community_id=community_id,
        number=number or 1,
        made_on=on,
        days_late=charter.rules.warning_days_late,
        horizon_days=charter.rules.warning_horizon_days,
        observed_from=date.fromordinal(int(panel.days.min())),
        observed_until=date.fromordinal(int(panel.days.max())),
        months=panel.months,
        loans=panel.loan_count,
        bad_loans=panel.bad_loan_count,
        rows_count=int(panel.bad.size),
        seed=seed,
        charter_id=charter.charter_id,
        document=document,
        digest="",
        made_by_id=actor_id,
        created_at=now,
    )
    model.digest = fingerprint(document, model_facts(model))
    session.add(model)
    session.flush()
    record_event(
        session,
        community_id=community_id,
        kind="warning.model_made",
        subject=model.public_id,
        actor_id=actor_id,
        now=now,
        facts={"number": model.number, "digest": model.digest},
    )
    return model


def model_facts(model: WarningModel) -> list[object]:
    """What goes into a model's fingerprint beside its document."""
    return [
        model.days_late,
        model.horizon_days,
        model.observed_from,
        model.observed_until,
        model.loans,
        model.bad_loans,
        model.rows_count,
        model.seed,
    ]


def activate(
    session: Session,
    *,
    community_id: int,
    model: WarningModel | None,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int,
) -> ModelActivation:
    """Have a model count from a day on, or none: then the rules do.

    It may have been made for a community above. Raises ModelNotGoodEnough.
    """
    charter = communities.charter_on(session, community_id, on)
    if model is not None:
        _check_good(model, charter.rules)
    lock_one(session, Community, community_id)
    number = session.scalar(
        select(func.coalesce(func.max(ModelActivation.number), 0) + 1).where(
            ModelActivation.community_id == community_id
        )
    )
    activation = ModelActivation(
        community_id=community_id,
        number=number or 1,
        model_id=None if model is None else model.id,
        from_on=on,
        reason=reason,
        actor_id=actor_id,
        recorded_at=now,
    )
    session.add(activation)
    session.flush()
    record_event(
        session,
        community_id=community_id,
        kind="warning.model_switched",
        subject="rules" if model is None else model.public_id,
        actor_id=actor_id,
        now=now,
        facts={"number": activation.number, "reason": reason},
    )
    return activation


def score_night(
    session: Session, *, community_id: int, on: date, now: datetime
) -> WarningRun | None:
    """Score every loan of a community that is out and well, at the close of a day.

    None: nothing is lent, or it was scored already and came to the same.
    """
    charter_row = communities.find_charter(session, community_id, on)
    if charter_row is None:
        return None
    charter = communities.charter_on(session, community_id, on)
    community = communities.get_community_by_id(session, community_id)
    is_lent = session.scalar(
        select(Loan.id)
        .where(
            Loan.community_id == community_id, Loan.disbursed_on <= on, Loan.outstanding_minor > 0
        )
        .limit(1)
    )
    if is_lent is None:
        return None
    rules = charter.rules
    lives = read_lives(session, community_ids=[community_id], from_on=on, until_on=on, rules=rules)
    scored = lives.rows(on.toordinal(), policy_of(rules))
    held, rules_on = _held(session, community, rules, on)
    model = model_in_force(session, community, on)
    loans = [loan for loan, _ in scored]
    matrix = np.array([row for _, row in scored], np.int64).reshape(-1, len(CODES))
    basis, why, drift = Basis.MODEL, None, dict[str, Any]()
    if model is None:
        basis, why = Basis.RULES, WhyRules.NO_MODEL
    elif scored:
        card = read_card(model.document["card"])
        found = drift_of(
            card,
            matrix,
            made_from=model.document["slices"]["learn"]["rows"],
            chance=rules.warning_drift_chance_ppm / _PPM,
        )
        drift = drift_document(found)
        if found.exceeds(rules.warning_drift_bps_max / 10_000):
            basis, why = Basis.RULES, WhyRules.DRIFT
    rows = (
        _by_model(model, loans, matrix, rules)
        if model is not None and basis is Basis.MODEL
        else _by_rules(loans, held, rules)
    )
    for row, loan in zip(rows, loans, strict=True):
        row["rules_held"] = len(held[loan.loan_id] | held[-loan.borrower_id])
        row["rules_on"] = rules_on
    digest = digest_of(
        {
            "rows": [{**row, "band": row["band"].value} for row in rows],
            "model": None if model is None else model.public_id,
            "why": None if why is None else why.value,
            "charter": charter.charter_id,
        }
    )
    before = run_of(session, community_id, on)
    if before is not None and before.digest == digest:
        return None
    run = WarningRun(
        community_id=community_id,
        on_day=on,
        number=1 if before is None else before.number + 1,
        basis=basis,
        why_rules=why,
        model_id=None if model is None else model.id,
        charter_id=charter.charter_id,
        loans=len(rows),
        drift=drift,
        digest=digest,
        created_at=now,
    )
    session.add(run)
    session.flush()
    for start in range(0, len(rows), _ROWS):
        session.execute(
            insert(LoanWarning), [{"run_id": run.id, **row} for row in rows[start : start + _ROWS]]
        )
    return run


def _by_model(
    model: WarningModel, loans: Sequence[LoanLife], matrix: Any, rules: CharterRules
) -> list[dict[str, Any]]:
    scored = score_rows(read_card(model.document["card"]), matrix)
    chances = np.rint(scored.probabilities * _PPM).astype(np.int64)
    parts = np.rint(scored.contributions * 1000).astype(np.int64)
    rows = []
    for at, loan in enumerate(loans):
        order = np.argsort(-parts[at], kind="stable")[: rules.warning_reasons_max]
        chance = int(chances[at])
        rows.append(
            {
                "loan_id": loan.loan_id,
                "band": band_of(rules, chance),
                "probability_ppm": chance,
                "reasons": [
                    {
                        "code": CODES[place],
                        "value": int(matrix[at, place]),
                        "thousandths": int(parts[at, place]),
                    }
                    for place in order
                    if parts[at, place] >= _TOLD_FROM
                ],
            }
        )
    return rows


def _by_rules(
    loans: Sequence[LoanLife], held: dict[int, set[RiskRule]], rules: CharterRules
) -> list[dict[str, Any]]:
    rows = []
    for loan in loans:
        found = sorted(held[loan.loan_id] | held[-loan.borrower_id])
        rows.append(
            {
                "loan_id": loan.loan_id,
                "band": band_by_rules(rules, len(found)),
                "probability_ppm": None,
                "reasons": [{"rule": rule.value} for rule in found],
            }
        )
    return rows


def _held(
    session: Session, community: Community, rules: CharterRules, on: date
) -> tuple[dict[int, set[RiskRule]], int]:
    """Which rules found a loan (its id) or its borrower (less than zero), and how many are on."""
    wanted = (switched_on(rules) & FINDERS.keys()) - {RiskRule.EARLY_WARNING}
    looking = Looking(session, community, rules, on, today=True)
    held: dict[int, set[RiskRule]] = defaultdict(set)
    for signal in find_signals(looking, wanted):
        if signal.loan_id is not None:
            held[signal.loan_id].add(signal.rule)
        elif signal.member_id is not None:
            held[-signal.member_id].add(signal.rule)
    return held, len(wanted)


def _first_day(session: Session, community: Community) -> date | None:
    return session.scalar(select(func.min(Loan.disbursed_on)).where(at_or_below(community)))


def _check_enough(session: Session, community: Community, rules: CharterRules, on: date) -> None:
    """The counts that need no panel: they are never below what it will have."""
    first = _first_day(session, community)
    until = on - timedelta(days=rules.warning_horizon_days + 1)
    loans = session.scalar(
        select(func.count())
        .select_from(Loan)
        .where(at_or_below(community), Loan.disbursed_on <= until)
    )
    counted = {
        "loans": int(loans or 0),
        "months": 0 if first is None else sum(1 for _ in month_ends(first, until)),
    }
    wanted = {"loans": rules.warning_loans_min, "months": rules.warning_months_min}
    if any(counted[name] < wanted[name] for name in wanted):
        raise TooLittleHistory(
            f"There are {counted['loans']} loans over {counted['months']} month ends whose"
            f" {rules.warning_horizon_days} days are over; the charter asks for"
            f" {wanted['loans']} and {wanted['months']}. Until then its rules stand in.",
            counted=counted,
            wanted=wanted,
        )


def _check_good(model: WarningModel, rules: CharterRules) -> None:
    measures = model.document["measures"]
    beyond = (measures["error"] - measures["error_by_chance"]) * 10_000
    if measures["brier"] >= measures["brier_base"] or beyond > rules.warning_error_bps_max:
        raise ModelNotGoodEnough(
            f"Its Brier score is {measures['brier']:.4f} ({measures['brier_base']:.4f} for the rate"
            f" alone), its calibration error {measures['error']:.4f} (by chance"
            f" {measures['error_by_chance']:.4f}). Wait for more history and make another.",
            brier=measures["brier"],
            brier_base=measures["brier_base"],
            error=measures["error"],
            error_by_chance=measures["error_by_chance"],
            error_bps_max=rules.warning_error_bps_max,
        )


def _is_free(training: ModelTraining, worker: Worker, now: datetime) -> bool:
    if training.status is TrainingStatus.QUEUED:
        return True
    if training.worker is None or training.lease_until is None:
        return False
    return training.lease_until < now or worker.is_gone(training.worker)


def _mine(session: Session, training_id: int, worker: Worker) -> ModelTraining:
    training = session.scalars(
        select(ModelTraining)
        .where(ModelTraining.id == training_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if training.worker != worker.name:
        raise TrainingUnderWay("Another worker has taken it over.", worker=training.worker)
    return training
