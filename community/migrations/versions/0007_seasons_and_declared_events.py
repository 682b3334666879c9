"""Seasons with tranches and cash flow; declared events; who may declare them."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OLD_ORDER = "sow_from <= sow_until AND sow_until < harvest_from"
NEW_ORDER = (
    "sow_from <= sow_until AND sow_until < harvest_from AND harvest_from <= sell_from"
    " AND (harvest_until IS NULL OR harvest_until >= harvest_from)"
)
STATUSES = ["draft", "previewed", "applying", "applied", "undoing", "undone"]
RULES = ("event_declarers", "event_deferral_days_max", "event_drift_bps_max")
SHORT_TERM = "Extensions of a short loan never exceed its own first term (贷款通则, article 12)"
# What the templates propose, by the kind of community that they are for.
PROPOSALS: dict[str, tuple[int, str, int, str]] = {
    "region": (
        365,
        f"{SHORT_TERM}; for one crop that is a year",
        100,
        "Template's proposal: a preview that more than one loan in a hundred has left behind is"
        " made again",
    ),
    "industry": (
        180,
        f"{SHORT_TERM}; trade credit runs for half a year",
        100,
        "Template's proposal: a preview that more than one loan in a hundred has left behind is"
        " made again",
    ),
    "interest": (
        90,
        f"{SHORT_TERM}; a circle's loans run for a season",
        0,
        "Template's proposal: a circle is small, every change is looked at again",
    ),
}


def upgrade() -> None:
    _widen_seasons()
    _create_events()
    op.create_index("ix_loans_season_id", "loans", ["season_id", "community_id", "status"])
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_index("ix_loans_season_id", table_name="loans")
    op.drop_table("declared_event_loans")
    op.drop_table("declared_event_steps")
    op.drop_table("declared_events")
    op.drop_index("ix_seasons_crop", table_name="seasons")
    with op.batch_alter_table("seasons") as batch_op:
        batch_op.drop_constraint(op.f("ck_seasons_in_the_order_of_nature"))
        for name in (
            "harvest_until",
            "sell_from",
            "tranches",
            "cash_flow",
            "year_label",
            "notes",
            "source",
            "version",
        ):
            batch_op.drop_column(name)
        batch_op.create_check_constraint(op.f("ck_seasons_in_the_order_of_nature"), OLD_ORDER)


def _widen_seasons() -> None:
    """Add the columns, fill them, then hold them to what the models say."""
    added: list[sa.Column[Any]] = [
        sa.Column("harvest_until", sa.Date(), nullable=True),
        sa.Column("sell_from", sa.Date(), nullable=True),
        sa.Column("tranches", sa.JSON(), nullable=True),
        sa.Column("cash_flow", sa.JSON(), nullable=True),
        sa.Column("year_label", sa.String(length=20), nullable=True),
        sa.Column("notes", sa.String(length=500), nullable=True),
        sa.Column("source", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
    ]
    for column in added:
        op.add_column("seasons", column)
    seasons = sa.table(
        "seasons",
        sa.column("id", BIG),
        sa.column("selling", sa.JSON()),
        *(sa.column(column.name, column.type) for column in added),
    )
    connection = op.get_bind()
    for season_id, selling in connection.execute(sa.select(seasons.c.id, seasons.c.selling)).all():
        first = min(window["due_on"] for window in selling)
        connection.execute(
            seasons.update()
            .where(seasons.c.id == season_id)
            .values(
                sell_from=sa.cast(sa.literal(first), sa.Date())
                if connection.dialect.name == "postgresql"
                else sa.text(f"'{first}'"),
                tranches=[],
                cash_flow=[],
                year_label="",
                notes="",
                source="",
                version=1,
            )
        )
    with op.batch_alter_table("seasons") as batch_op:
        batch_op.drop_constraint(op.f("ck_seasons_in_the_order_of_nature"))
        batch_op.create_check_constraint(op.f("ck_seasons_in_the_order_of_nature"), NEW_ORDER)
        for column in added[1:]:
            batch_op.alter_column(column.name, existing_type=column.type, nullable=False)
    op.create_index("ix_seasons_crop", "seasons", ["crop"])


def _create_events() -> None:
    op.create_table(
        "declared_events",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("crop", sa.String(length=120), nullable=True),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("dues_from", sa.Date(), nullable=False),
        sa.Column("dues_until", sa.Date(), nullable=False),
        sa.Column("effect", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("declared_on", sa.Date(), nullable=False),
        sa.Column("preview", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "happened_on <= dues_from AND dues_from <= dues_until",
            name=op.f("ck_declared_events_days_in_order"),
        ),
        sa.CheckConstraint(
            "status = 'draft' OR (preview IS NOT NULL AND digest IS NOT NULL)",
            name=op.f("ck_declared_events_looked_at_before_applied"),
        ),
        sa.CheckConstraint(
            "kind IN ('flood', 'drought', 'storm', 'pest', 'disease', 'price_collapse', 'other')",
            name=op.f("ck_declared_events_event_kind"),
        ),
        sa.CheckConstraint(
            f"status IN ({_listed(STATUSES)})", name=op.f("ck_declared_events_event_status")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_declared_events_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["charter_id"], ["charters.id"], name=op.f("fk_declared_events_charter_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declared_events")),
        sa.UniqueConstraint("public_id", name=op.f("uq_declared_events_public_id")),
    )
    op.create_index(op.f("ix_declared_events_community_id"), "declared_events", ["community_id"])
    op.create_table(
        "declared_event_steps",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("stepped_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            f"status IN ({_listed(STATUSES)})", name=op.f("ck_declared_event_steps_event_status")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["declared_events.id"], name=op.f("fk_declared_event_steps_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_declared_event_steps_actor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declared_event_steps")),
    )
    op.create_index(op.f("ix_declared_event_steps_event_id"), "declared_event_steps", ["event_id"])
    op.create_table(
        "declared_event_loans",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("event_id", BIG, nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("change_id", BIG, nullable=True),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_minor", sa.BigInteger(), nullable=False),
        sa.Column("deferral_days", sa.Integer(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status IN ('applied', 'undone', 'kept')) = (change_id IS NOT NULL)",
            name=op.f("ck_declared_event_loans_changed_has_its_change"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'refused', 'applied', 'undone', 'kept')",
            name=op.f("ck_declared_event_loans_event_loan_status"),
        ),
        *(
            sa.CheckConstraint(
                f"typeof({name}) IN ('integer', 'null')",
                name=op.f(f"ck_declared_event_loans_{name}_is_whole"),
            ).ddl_if(dialect="sqlite")
            for name in ("before_minor", "after_minor")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["declared_events.id"], name=op.f("fk_declared_event_loans_event_id")
        ),
        sa.ForeignKeyConstraint(
            ["loan_id"], ["loans.id"], name=op.f("fk_declared_event_loans_loan_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declared_event_loans")),
        sa.UniqueConstraint(
            "event_id", "loan_id", name=op.f("uq_declared_event_loans_event_id_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["loan_changes.id"], name=op.f("fk_declared_event_loans_change_id")
        ),
        sa.UniqueConstraint("change_id", name=op.f("uq_declared_event_loans_change_id")),
    )
    op.create_index(
        "ix_declared_event_loans_work", "declared_event_loans", ["event_id", "status", "loan_id"]
    )


def _change_charters(change: Any) -> None:
    """Every stored charter gets the rules that its kind of community's template proposes."""
    charters = sa.table("charters", sa.column("id"), sa.column("community_id"), sa.column("rules"))
    places = sa.table("communities", sa.column("id"), sa.column("kind"))
    connection = op.get_bind()
    rows = connection.execute(
        sa.select(charters.c.id, places.c.kind, charters.c.rules).join_from(
            charters, places, places.c.id == charters.c.community_id
        )
    ).all()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    for charter_id, kind, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document, kind))},
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    days, days_source, drift, drift_source = PROPOSALS[kind]
    return rules | {
        "event_declarers": {
            "value": ["officer", "operator"],
            "source": "Template's proposal: whoever holds office here or above, or operates the"
            " platform",
        },
        "event_deferral_days_max": {"value": days, "source": days_source},
        "event_drift_bps_max": {"value": drift, "source": drift_source},
    }


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in RULES}


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
