"""Caps on what one member promises for others, and cover that goes from one guarantor to another."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
KINDS = ["substitution", "release"]
STATUSES = ["proposed", "done", "refused", "withdrawn"]
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
    _make_cover_changes()
    with op.batch_alter_table("cover_lines") as batch:
        batch.add_column(sa.Column("change_id", BIG, nullable=True))
        batch.create_foreign_key(
            op.f("fk_cover_lines_change_id"), "cover_changes", ["change_id"], ["id"]
        )
        batch.create_check_constraint(
            op.f("ck_cover_lines_handed_over_is_not_held"),
            "change_id IS NULL OR released_minor + paid_minor = amount_minor",
        )
    op.create_index("ix_cover_lines_change_id", "cover_lines", ["change_id"])
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_index("ix_cover_lines_change_id", table_name="cover_lines")
    with op.batch_alter_table("cover_lines") as batch:
        batch.drop_constraint(op.f("ck_cover_lines_handed_over_is_not_held"), type_="check")
        batch.drop_constraint(op.f("fk_cover_lines_change_id"), type_="foreignkey")
        batch.drop_column("change_id")
    op.drop_table("cover_changes")
    op.drop_table("promise_checks")


def _make_cover_changes() -> None:
    amounts = ("freed_minor", "taken_minor", "cap_before_minor")
    op.create_table(
        "cover_changes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("kind", _one_of("cover_change_kind", KINDS), nullable=False),
        sa.Column("status", _one_of("cover_change_status", STATUSES), nullable=False),
        sa.Column("leaving_id", BIG, nullable=False),
        sa.Column("coming_id", BIG, nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("proposed_by_id", BIG, nullable=True),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leaving_agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("coming_agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("borrower_agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_on", sa.Date(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in amounts),
        *(_whole("cover_changes", name) for name in amounts),
        sa.CheckConstraint(
            "leaving_id <> coming_id", name=op.f("ck_cover_changes_to_somebody_else")
        ),
        sa.CheckConstraint(
            "(kind = 'substitution') = (coming_id IS NOT NULL)",
            name=op.f("ck_cover_changes_substitutes_are_named"),
        ),
        sa.CheckConstraint(
            "(status = 'proposed') = (ended_at IS NULL)",
            name=op.f("ck_cover_changes_ended_when_not_proposed"),
        ),
        sa.CheckConstraint(
            "status <> 'done' OR (freed_minor > 0 AND taken_minor >= 0"
            " AND leaving_agreed_at IS NOT NULL AND (kind = 'release'"
            " OR (coming_agreed_at IS NOT NULL AND borrower_agreed_at IS NOT NULL)))",
            name=op.f("ck_cover_changes_done_when_all_agreed"),
        ),
        _key("cover_changes", "loan_id", "loans"),
        _key("cover_changes", "leaving_id", "members"),
        _key("cover_changes", "coming_id", "members"),
        _key("cover_changes", "proposed_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cover_changes")),
        sa.UniqueConstraint("public_id", name=op.f("uq_cover_changes_public_id")),
    )
    open_ones = sa.text("status = 'proposed'")
    op.create_index(
        "uq_cover_changes_open",
        "cover_changes",
        ["loan_id", "leaving_id"],
        unique=True,
        postgresql_where=open_ones,
        sqlite_where=open_ones,
    )
    for column in ("loan_id", "coming_id", "leaving_id"):
        op.create_index(f"ix_cover_changes_{column}", "cover_changes", [column])


def _one_of(name: str, values: list[str]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


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
