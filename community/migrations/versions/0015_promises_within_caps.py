"""Caps on what one member promises for others, and cover that goes from one guarantor to another."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
RULES: dict[str, tuple[Any, str]] = {
    "guarantees_count_max": (
        30,
        "Template's proposal: whoever stands behind more people than they can keep in mind watches"
        " over none of them; decide it in your assembly",
    ),
    "guarantee_ratio_bps_max": (
        0,
        "Template's proposal: no cap by ratio until standings have been assessed; then, say, 30000"
        " for three times one's standing",
    ),
    "guarantee_base": (
        "standing",
        "Template's proposal: promises are measured against what a member can be made to pay",
    ),
    "guarantee_warning_bps": (5000, "Template's proposal: a warning from half of a cap on"),
    "circle_warning_members": (
        4,
        "Promises that run in a circle stand for nothing more if all of it fails (担保圈); short"
        " ones are pointed out",
    ),
    "at_risk_days": (
        30,
        "The threshold of PAR30, portfolio at risk: more than 30 days late counts as at risk",
    ),
    "at_risk_from": (
        "substandard",
        "贷款风险分类: from substandard (次级) on a loan counts as non-performing",
    ),
}


def upgrade() -> None:
    op.create_table(
        "promise_checks",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("vouch_id", BIG, nullable=True),
        sa.Column("group_id", BIG, nullable=True),
        sa.Column("count_after", sa.Integer(), nullable=False),
        sa.Column("count_max", sa.Integer(), nullable=False),
        sa.Column("promised_minor", sa.BigInteger(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("allowed_minor", sa.BigInteger(), nullable=True),
        sa.Column("checked_on", sa.Date(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        *(
            _whole("promise_checks", name)
            for name in ("promised_minor", "base_minor", "allowed_minor")
        ),
        sa.CheckConstraint(
            "count_after >= 0 AND count_after <= count_max",
            name=op.f("ck_promise_checks_count_within_cap"),
        ),
        sa.CheckConstraint(
            "promised_minor >= 0 AND base_minor >= 0"
            " AND (allowed_minor IS NULL OR promised_minor <= allowed_minor)",
            name=op.f("ck_promise_checks_promised_within_cap"),
        ),
        sa.CheckConstraint(
            "vouch_id IS NOT NULL OR group_id IS NOT NULL",
            name=op.f("ck_promise_checks_for_a_vouch_or_a_group"),
        ),
        _key("promise_checks", "community_id", "communities"),
        _key("promise_checks", "member_id", "members"),
        _key("promise_checks", "charter_id", "charters"),
        _key("promise_checks", "vouch_id", "vouches"),
        _key("promise_checks", "group_id", "groups"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_checks")),
    )
    op.create_index(
        "ix_promise_checks_member", "promise_checks", ["community_id", "member_id", "id"]
    )
    op.create_index("ix_promise_checks_vouch_id", "promise_checks", ["vouch_id"])
    op.create_index("ix_promise_checks_group_id", "promise_checks", ["group_id"])
    _keep("promise_checks")
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_table("promise_checks")


def _keep(table: str) -> None:
    if _is_postgresql():
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
        )


def _whole(table: str, column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def _change_charters(change: Any) -> None:
    """Every stored charter gets the rules that the templates propose."""
    charters = sa.table("charters", sa.column("id"), sa.column("rules"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(charters.c.id, charters.c.rules)).all()
    as_json = "CAST(:rules AS json)" if _is_postgresql() else ":rules"
    for charter_id, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document))},
        )


def _with_rules(rules: dict[str, Any]) -> dict[str, Any]:
    added = {name: {"value": value, "source": source} for name, (value, source) in RULES.items()}
    return added | rules


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in RULES}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
