"""Models that were made, which one counts, the nights that were scored, and what each loan got."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import JSON

from community.bulk import table_of
from community.database import (
    Base,
    BigId,
    Instant,
    Key,
    Text500,
    UtcTime,
    choice,
    new_public_id,
)
from community.ledger.guards import keep_history


class Band(StrEnum):
    """How much a loan's warning asks for, least first."""

    LOW = "low"
    RAISED = "raised"
    HIGH = "high"


class Basis(StrEnum):
    """What a night's warnings rest on."""

    MODEL = "model"
    RULES = "rules"


class WhyRules(StrEnum):
    """Why a night was scored by rules."""

    NO_MODEL = "no_model"  # none was made, or none was switched on
    DRIFT = "drift"  # today's loans are not like those that the model was made from


class TrainingStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"  # too little history
    FAILED = "failed"


class WarningModel(Base):
    """A model as it was made, from what, with its measures. Never changed."""

    __tablename__ = "warning_models"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("number >= 1", name="versions_count_up"),
        CheckConstraint("seed >= 0", name="seed_not_negative"),
        CheckConstraint("days_late >= 0 AND horizon_days >= 1", name="target"),
        CheckConstraint(
            "bad_loans >= 1 AND bad_loans <= loans AND loans <= rows_count AND months >= 1",
            name="made_from_something",
        ),
        CheckConstraint(
            "observed_from <= observed_until AND observed_until < made_on", name="from_the_past"
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("wmo")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    number: Mapped[int]
    made_on: Mapped[date]
    # The target: later than so many days, within so many.
    days_late: Mapped[int]
    horizon_days: Mapped[int]
    # First and last day on which loans were looked at.
    observed_from: Mapped[date]
    observed_until: Mapped[date]
    months: Mapped[int]
    loans: Mapped[int]
    bad_loans: Mapped[int]
    rows_count: Mapped[int]
    seed: Mapped[int] = mapped_column(BigId)
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    # {card, measures, slices, drift}: see `model.Scorecard`, `model.Measures`.
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]


class ModelActivation(Base):
    """From when which model counts in a community and those inside it; none: the rules do."""

    __tablename__ = "warning_activations"
    __table_args__ = (
        UniqueConstraint("community_id", "number"),
        CheckConstraint("number >= 1", name="activations_count_up"),
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    number: Mapped[int]
    model_id: Mapped[int | None] = mapped_column(ForeignKey("warning_models.id"))
    from_on: Mapped[date]
    reason: Mapped[Text500]
    actor_id: Mapped[int] = mapped_column(ForeignKey("members.id"))
    recorded_at: Mapped[Instant]


class WarningRun(Base):
    """One scoring of a community's loans at the close of a day. Never changed.

    A day that is worked through again and comes to something else gets a further one.
    """

    __tablename__ = "warning_runs"
    __table_args__ = (
        UniqueConstraint("community_id", "on_day", "number"),
        CheckConstraint("number >= 1 AND loans >= 0", name="runs_count_up"),
        CheckConstraint(
            "(basis = 'model') = (why_rules IS NULL)"
            " AND (basis <> 'model' OR model_id IS NOT NULL)"
            " AND (why_rules <> 'drift' OR model_id IS NOT NULL)",
            name="says_why",
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("wrn")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    on_day: Mapped[date]
    number: Mapped[int]
    basis: Mapped[Basis] = mapped_column(choice(Basis, "warning_basis"))
    why_rules: Mapped[WhyRules | None] = mapped_column(choice(WhyRules))
    model_id: Mapped[int | None] = mapped_column(ForeignKey("warning_models.id"))
    charter_id: Mapped[int] = mapped_column(ForeignKey("charters.id"))
    loans: Mapped[int]
    # By feature and of the score, in ten-thousandths; empty without a model.
    drift: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Instant]


class LoanWarning(Base):
    """What a run said of one loan. Never changed."""

    __tablename__ = "loan_warnings"
    __table_args__ = (
        CheckConstraint(
            "probability_ppm >= 0 AND probability_ppm <= 1000000", name="a_probability"
        ),
        CheckConstraint("rules_held >= 0 AND rules_held <= rules_on", name="held_of_those_on"),
        Index("ix_loan_warnings_loan_id", "loan_id", "run_id"),
    )

    run_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("warning_runs.id"), primary_key=True, autoincrement=False
    )
    loan_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("loans.id"), primary_key=True, autoincrement=False
    )
    band: Mapped[Band] = mapped_column(choice(Band, "warning_band"))
    # Null: by rules.
    probability_ppm: Mapped[int | None]
    # Of the charter's rules that are on and look for something, how many found this loan.
    rules_held: Mapped[int]
    rules_on: Mapped[int]
    # [{code, value, thousandths}, …] by a model, [{rule}, …] by rules; `words` says them.
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(JSON)


class ModelTraining(Base):
    """A request for a model, and how far it is. A worker holds a lease while it works."""

    __tablename__ = "warning_trainings"
    __table_args__ = (
        CheckConstraint("seed >= 0", name="seed_not_negative"),
        CheckConstraint("(status = 'running') = (worker IS NOT NULL)", name="somebody_runs_it"),
        CheckConstraint("(worker IS NULL) = (lease_until IS NULL)", name="leases_have_a_worker"),
        CheckConstraint("(status = 'done') = (model_id IS NOT NULL)", name="done_has_its_model"),
        CheckConstraint(
            "(status = 'refused' OR status = 'failed') = (failure IS NOT NULL)",
            name="failed_says_why",
        ),
        Index(
            "ix_warning_trainings_work",
            "status",
            "id",
            postgresql_where=text("status IN ('queued', 'running')"),
            sqlite_where=text("status IN ('queued', 'running')"),
        ),
    )

    id: Mapped[Key]
    public_id: Mapped[str] = mapped_column(
        String(40), unique=True, default=lambda: new_public_id("wtr")
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    seed: Mapped[int] = mapped_column(BigId)
    on_day: Mapped[date]
    status: Mapped[TrainingStatus] = mapped_column(choice(TrainingStatus))
    worker: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    model_id: Mapped[int | None] = mapped_column(ForeignKey("warning_models.id"))
    failure: Mapped[str | None] = mapped_column(String(500))
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    created_at: Mapped[Instant]
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)


for _model in (WarningModel, ModelActivation, WarningRun, LoanWarning):
    keep_history(table_of(_model))
