"""Shared credit lines: limits, sub-limits, their history; loans that draw on them; their rules."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
STATUSES = ["active", "suspended", "closed"]
KINDS = [
    "opened",
    "limit",
    "sub_limit",
    "raise",
    "sub_limit_raise",
    "suspended",
    "resumed",
    "closed",
]
FACILITY = ("limit_minor", "used_minor", "raised_minor", "over_minor")
DECIDE = "Template's proposal; decide it in your assembly"
SOURCES = {
    "stagger_batches": "Grameen Bank's staggered lending, two, two and then the leader (Yunus"
    " 1999); it counts once stagger_instalments_min is above 0",
    "stagger_instalments_min": "Template's proposal: everybody of a group may borrow at once",
    "one_line_per_product": "Template's proposal: one line is easier to watch than several",
}
# What the templates propose, by the kind of community that they are for.
PROPOSALS: dict[str, dict[str, int]] = {
    "region": {
        "line_minor_max": 50_000_000,
        "line_days_max": 1095,
        "line_shares_bps_max": 20_000,
        "line_raise_bps_max": 3_000,
        "line_raise_days_max": 90,
    },
    "industry": {
        "line_minor_max": 500_000_000,
        "line_days_max": 1095,
        "line_shares_bps_max": 20_000,
        "line_raise_bps_max": 3_000,
        "line_raise_days_max": 90,
    },
    "interest": {
        "line_minor_max": 5_000_000,
        "line_days_max": 365,
        "line_shares_bps_max": 10_000,
        "line_raise_bps_max": 2_000,
        "line_raise_days_max": 30,
    },
}
RULES = {*SOURCES, *PROPOSALS["region"]}


def upgrade() -> None:
    op.create_table(
        "credit_lines",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("group_id", BIG, nullable=True),
        sa.Column("product_id", BIG, nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        _choice("status", "line_status", STATUSES),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("sole_key", sa.String(length=80), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        *_facility("credit_lines"),
        sa.CheckConstraint("from_on <= until_on", name=op.f("ck_credit_lines_term_has_days")),
        sa.CheckConstraint(
            "status <> 'closed' OR used_minor = 0", name=op.f("ck_credit_lines_closed_is_unused")
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (closed_on IS NOT NULL)",
            name=op.f("ck_credit_lines_closed_on_a_day"),
        ),
        _key("credit_lines", "community_id", "communities"),
        _key("credit_lines", "group_id", "groups"),
        _key("credit_lines", "product_id", "products"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_lines")),
        sa.UniqueConstraint("public_id", name=op.f("uq_credit_lines_public_id")),
    )
    op.create_index(
        "uq_credit_lines_sole_key",
        "credit_lines",
        ["sole_key"],
        unique=True,
        postgresql_where=sa.text("status <> 'closed'"),
        sqlite_where=sa.text("status <> 'closed'"),
    )
    op.create_index("ix_credit_lines_community_id", "credit_lines", ["community_id"])
    op.create_index("ix_credit_lines_group_id", "credit_lines", ["group_id"])
    op.create_table(
        "credit_line_shares",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("line_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        *_facility("credit_line_shares"),
        _key("credit_line_shares", "line_id", "credit_lines"),
        _key("credit_line_shares", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_line_shares")),
        sa.UniqueConstraint(
            "line_id", "member_id", name=op.f("uq_credit_line_shares_line_id_member_id")
        ),
    )
    op.create_index("ix_credit_line_shares_member_id", "credit_line_shares", ["member_id"])
    op.create_table(
        "credit_line_changes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("line_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _choice("kind", "line_change_kind", KINDS),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("before_minor", sa.BigInteger(), nullable=True),
        sa.Column("after_minor", sa.BigInteger(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        *(_whole("credit_line_changes", name) for name in ("before_minor", "after_minor")),
        _key("credit_line_changes", "line_id", "credit_lines"),
        _key("credit_line_changes", "member_id", "members"),
        _key("credit_line_changes", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_line_changes")),
        sa.UniqueConstraint(
            "line_id", "number", name=op.f("uq_credit_line_changes_line_id_number")
        ),
    )
    _keep("credit_line_changes")
    _widen_loans()
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_index("ix_loans_line_id", table_name="loans")
    with op.batch_alter_table("loans") as batch:
        batch.drop_constraint(op.f("ck_loans_line_used_within_principal"), type_="check")
        batch.drop_constraint(op.f("ck_loans_a_draw_has_its_line"), type_="check")
        if not _is_postgresql():
            batch.drop_constraint(op.f("ck_loans_line_used_minor_is_whole"), type_="check")
        batch.drop_constraint(op.f("fk_loans_line_id"), type_="foreignkey")
        batch.drop_column("line_used_minor")
        batch.drop_column("line_id")
    op.drop_table("credit_line_changes")
    op.drop_table("credit_line_shares")
    op.drop_table("credit_lines")


def _widen_loans() -> None:
    with op.batch_alter_table("loans") as batch:
        batch.add_column(sa.Column("line_id", BIG, nullable=True))
        batch.add_column(
            sa.Column("line_used_minor", sa.BigInteger(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("loans") as batch:
        batch.alter_column("line_used_minor", server_default=None)
        batch.create_foreign_key(op.f("fk_loans_line_id"), "credit_lines", ["line_id"], ["id"])
        batch.create_check_constraint(
            op.f("ck_loans_line_used_within_principal"),
            "line_used_minor >= 0 AND line_used_minor <= principal_minor",
        )
        batch.create_check_constraint(
            op.f("ck_loans_a_draw_has_its_line"), "line_id IS NOT NULL OR line_used_minor = 0"
        )
        if not _is_postgresql():
            batch.create_check_constraint(
                op.f("ck_loans_line_used_minor_is_whole"),
                "typeof(line_used_minor) IN ('integer', 'null')",
            )
    op.create_index("ix_loans_line_id", "loans", ["line_id", "borrower_id"])


def _facility(table: str) -> list[Any]:
    """A limit and what is used of it."""
    return [
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in FACILITY),
        sa.Column("raised_until_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "limit_minor >= 0 AND used_minor >= 0 AND raised_minor >= 0 AND over_minor >= 0",
            name=op.f(f"ck_{table}_amounts_not_negative"),
        ),
        sa.CheckConstraint(
            "used_minor <= limit_minor + raised_minor + over_minor",
            name=op.f(f"ck_{table}_used_within_limit"),
        ),
        sa.CheckConstraint(
            "over_minor = 0 OR used_minor = limit_minor + raised_minor + over_minor",
            name=op.f(f"ck_{table}_over_is_what_is_over"),
        ),
        sa.CheckConstraint(
            "(raised_minor = 0) = (raised_until_on IS NULL)",
            name=op.f(f"ck_{table}_raised_until_a_day"),
        ),
        *(_whole(table, name) for name in FACILITY),
    ]


def _choice(column: str, name: str, values: list[str]) -> sa.Column[Any]:
    kind = sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(column, kind, nullable=False)


def _whole(table: str, column: str) -> Any:
    # Only SQLite's integer columns would take 1.5.
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _key(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


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
    as_json = "CAST(:rules AS json)" if _is_postgresql() else ":rules"
    for charter_id, kind, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document, kind))},
        )


def _with_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    values = {
        "stagger_batches": [2, 2, 1],
        "stagger_instalments_min": 0,
        "one_line_per_product": True,
        **PROPOSALS[kind],
    }
    added = {
        name: {"value": value, "source": SOURCES.get(name, DECIDE)}
        for name, value in values.items()
    }
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in RULES}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
