"""Early warning: models, nights that were scored, what each loan got; the charter rules they need.

A warning is a finding of a rule of its own, so what rules may find is one more. Charters get the
template's numbers, and the rule among those of medium severity: it finds nothing before an officer
has switched a model on.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RULE = "early_warning"
SEVERITY = "risk_medium_rules"
CHECK = "ck_risk_events_risk_rule"
PAST = "the past is not changed: post a correction instead"
# What the templates propose, and where that is from: the same for every kind of community.
PROPOSALS: dict[str, tuple[Any, str]] = {
    "warning_days_late": (
        30,
        "The common measure of portfolio at risk, PAR30",
    ),
    "warning_horizon_days": (
        90,
        "Template's proposal: a season's quarter, long enough to talk and to help",
    ),
    "warning_loans_min": (
        500,
        "Template's proposal: fewer loans cannot be split into those learnt from and those judged by",
    ),
    "warning_bad_min": (
        150,
        "Ten outcomes for each of fifteen features: Peduzzi and others, Journal of Clinical Epidemiology 49 (1996) 1373",
    ),
    "warning_months_min": (
        12,
        "Template's proposal: one whole year, so that every season was seen",
    ),
    "warning_bands_bps": (
        [1000, 3000],
        "Template's proposal: one in ten is talked to, three in ten are visited; decide it by how many your officers can see",
    ),
    "warning_rules_held": (
        [1, 3],
        "Template's proposal until there is a model: one rule is a word, three are a pattern",
    ),
    "warning_reasons_max": (
        3,
        "Template's proposal: as many as are read before a talk",
    ),
    "warning_error_bps_max": (
        300,
        "Template's proposal: of a hundred loans, three more or fewer than was said, beyond chance",
    ),
    "warning_drift_bps_max": (
        2500,
        "The industry's rule of thumb for a population that has changed: N. Siddiqi, Credit Risk Scorecards (2006), index above 0.25",
    ),
    "warning_drift_chance_ppm": (
        1000,
        "Template's proposal: a false standing back once in some three years of nights",
    ),
}
# The tables of history, and the keys of each.
KEPT: dict[str, tuple[str, ...]] = {
    "warning_models": ("id", "community_id, number", "public_id"),
    "warning_activations": ("id", "community_id, number"),
    "warning_runs": ("id", "community_id, on_day, number", "public_id"),
    "loan_warnings": ("run_id, loan_id",),
}


def upgrade() -> None:
    op.create_table(
        "warning_models",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("days_late", sa.Integer(), nullable=False),
        sa.Column("horizon_days", sa.Integer(), nullable=False),
        sa.Column("observed_from", sa.Date(), nullable=False),
        sa.Column("observed_until", sa.Date(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("loans", sa.Integer(), nullable=False),
        sa.Column("bad_loans", sa.Integer(), nullable=False),
        sa.Column("rows_count", sa.Integer(), nullable=False),
        sa.Column("seed", BIG, nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("made_by_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "bad_loans >= 1 AND bad_loans <= loans AND loans <= rows_count AND months >= 1",
            name=op.f("ck_warning_models_made_from_something"),
        ),
        sa.CheckConstraint(
            "days_late >= 0 AND horizon_days >= 1", name=op.f("ck_warning_models_target")
        ),
        sa.CheckConstraint("number >= 1", name=op.f("ck_warning_models_versions_count_up")),
        sa.CheckConstraint(
            "observed_from <= observed_until AND observed_until < made_on",
            name=op.f("ck_warning_models_from_the_past"),
        ),
        sa.CheckConstraint("seed >= 0", name=op.f("ck_warning_models_seed_not_negative")),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_warning_models_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_warning_models_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["made_by_id"], ["members.id"], name=op.f("fk_warning_models_made_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warning_models")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_warning_models_community_id_number")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_warning_models_public_id")),
    )
    op.create_table(
        "warning_activations",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model_id", BIG, nullable=True),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number >= 1", name=op.f("ck_warning_activations_activations_count_up")),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_warning_activations_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_warning_activations_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["warning_models.id"], name=op.f("fk_warning_activations_model_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warning_activations")),
        sa.UniqueConstraint(
            "community_id", "number", name=op.f("uq_warning_activations_community_id_number")
        ),
    )
    op.create_table(
        "warning_runs",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "basis",
            sa.Enum(
                "model",
                "rules",
                name="warning_basis",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "why_rules",
            sa.Enum(
                "no_model",
                "drift",
                name="why_rules",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("model_id", BIG, nullable=True),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("loans", sa.Integer(), nullable=False),
        sa.Column("drift", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(basis = 'model') = (why_rules IS NULL) AND (basis <> 'model' OR model_id IS NOT NULL) AND (why_rules <> 'drift' OR model_id IS NOT NULL)",
            name=op.f("ck_warning_runs_says_why"),
        ),
        sa.CheckConstraint(
            "number >= 1 AND loans >= 0", name=op.f("ck_warning_runs_runs_count_up")
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_warning_runs_charter_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_warning_runs_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["warning_models.id"], name=op.f("fk_warning_runs_model_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warning_runs")),
        sa.UniqueConstraint(
            "community_id",
            "on_day",
            "number",
            name=op.f("uq_warning_runs_community_id_on_day_number"),
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_warning_runs_public_id")),
    )
    op.create_table(
        "warning_trainings",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("seed", BIG, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "queued",
                "running",
                "done",
                "refused",
                "failed",
                name="training_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("worker", sa.String(length=120), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("model_id", BIG, nullable=True),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.Column("asked_by_id", BIG, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'done') = (model_id IS NOT NULL)",
            name=op.f("ck_warning_trainings_done_has_its_model"),
        ),
        sa.CheckConstraint(
            "(status = 'refused' OR status = 'failed') = (failure IS NOT NULL)",
            name=op.f("ck_warning_trainings_failed_says_why"),
        ),
        sa.CheckConstraint(
            "(status = 'running') = (worker IS NOT NULL)",
            name=op.f("ck_warning_trainings_somebody_runs_it"),
        ),
        sa.CheckConstraint(
            "(worker IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_warning_trainings_leases_have_a_worker"),
        ),
        sa.CheckConstraint("seed >= 0", name=op.f("ck_warning_trainings_seed_not_negative")),
        sa.ForeignKeyConstraint(
            ["asked_by_id"], ["members.id"], name=op.f("fk_warning_trainings_asked_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_warning_trainings_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["warning_models.id"], name=op.f("fk_warning_trainings_model_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warning_trainings")),
        sa.UniqueConstraint("public_id", name=op.f("uq_warning_trainings_public_id")),
    )
    op.create_index(
        "ix_warning_trainings_work",
        "warning_trainings",
        ["status", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('queued', 'running')"),
        sqlite_where=sa.text("status IN ('queued', 'running')"),
    )
    op.create_table(
        "loan_warnings",
        sa.Column("run_id", BIG, autoincrement=False, nullable=False),
        sa.Column("loan_id", BIG, autoincrement=False, nullable=False),
        sa.Column(
            "band",
            sa.Enum(
                "low",
                "raised",
                "high",
                name="warning_band",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("probability_ppm", sa.Integer(), nullable=True),
        sa.Column("rules_held", sa.Integer(), nullable=False),
        sa.Column("rules_on", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "probability_ppm >= 0 AND probability_ppm <= 1000000",
            name=op.f("ck_loan_warnings_a_probability"),
        ),
        sa.CheckConstraint(
            "rules_held >= 0 AND rules_held <= rules_on",
            name=op.f("ck_loan_warnings_held_of_those_on"),
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_loan_warnings_loan_id")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["warning_runs.id"], name=op.f("fk_loan_warnings_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "loan_id", name=op.f("pk_loan_warnings")),
    )
    op.create_index(
        "ix_loan_warnings_loan_id", "loan_warnings", ["loan_id", "run_id"], unique=False
    )
    for table, keys in KEPT.items():
        _keep(table, keys)
    with _without_triggers():
        _rules([*_rules_now(), RULE])
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    with _without_triggers():
        _rules([rule for rule in _rules_now() if rule != RULE])
    for table in ("loan_warnings", "warning_runs", "warning_activations", "warning_trainings"):
        op.drop_table(table)
    op.drop_table("warning_models")


def _rules_now() -> list[str]:
    """What rules may find as the database stands: another room may have added its own."""
    checks = sa.inspect(op.get_bind()).get_check_constraints("risk_events")
    [text] = [check["sqltext"] for check in checks if check["name"] == CHECK]
    return re.findall(r"'(\w+)'", text)


def _rules(names: list[str]) -> None:
    listed = ", ".join(f"'{name}'" for name in names)
    with op.batch_alter_table("risk_events") as batch:
        batch.drop_constraint(op.f(CHECK), type_="check")
        batch.create_check_constraint(op.f(CHECK), f"rule IN ({listed})")


def _change_charters(change: Any) -> None:
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, rules FROM charters")).all()
    as_json = "CAST(:rules AS json)" if _is_postgresql() else ":rules"
    for charter_id, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document))},
        )


def _with_rules(rules: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": source} for name, (value, source) in PROPOSALS.items()
    }
    found = rules | {name: rule for name, rule in added.items() if name not in rules}
    named = [
        item
        for name, rule in found.items()
        if name.startswith("risk_") and name.endswith("_rules")
        for item in rule["value"]
    ]
    if SEVERITY in found and RULE not in named:
        rule = found[SEVERITY]
        found[SEVERITY] = rule | {"value": [*rule["value"], RULE]}
    return found


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """Without the numbers, and without the rule wherever it was switched on."""
    left = {name: rule for name, rule in rules.items() if name not in PROPOSALS}
    return {
        name: rule | {"value": [item for item in rule["value"] if item != RULE]}
        if name.startswith("risk_") and name.endswith("_rules")
        else rule
        for name, rule in left.items()
    }


@contextmanager
def _without_triggers() -> Iterator[None]:
    """SQLite makes a table anew to alter it: triggers on it, or that name it, go before.

    They come back as they were.
    """
    if _is_postgresql():
        yield
        return
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    ).all()
    for name, _ in found:
        op.execute(f"DROP TRIGGER {name}")
    yield
    for _, statement in found:
        connection.exec_driver_sql(statement)


def _keep(table: str, keys: tuple[str, ...]) -> None:
    if _is_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
        )
    there = " OR ".join(_is_there(key.split(", ")) for key in keys)
    op.execute(
        f"CREATE TRIGGER {table}_keep_insert BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {there}) "
        f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
    )


def _is_there(key: list[str]) -> str:
    return "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")"


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
