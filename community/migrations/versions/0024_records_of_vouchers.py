"""What a record as a voucher admits, and the charter rules that records are made by."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
# What the templates propose; the size of a case is the first loan of each kind's template.
CASES = {"region": 1_000_000, "industry": 10_000_000, "interest": 200_000}
PROPOSALS: dict[str, tuple[int | None, str]] = {
    "voucher_half_life_days": (
        730,
        "Template's proposal: what happened two years ago, two harvests back, weighs half",
    ),
    "voucher_prior_bps": (
        8000,
        "Template's proposal: four fifths, below what group lenders report, so that nobody begins with a record that others had to earn",
    ),
    "voucher_prior_cases": (
        5,
        "Template's proposal: as after five loans; about ten of one's own outweigh it",
    ),
    "voucher_case_minor": (
        None,
        "Template's proposal: the charter's first loan; a smaller one says less",
    ),
    "voucher_interval_bps": (
        9000,
        "Template's proposal: nine tenths of what is believed, half of the rest on either side",
    ),
    "voucher_bound_bps": (
        0,
        "Template's proposal: off until loans have been repaid here; then, say, 40000 for four times one's base at a record that is beyond doubt",
    ),
}


def upgrade() -> None:
    op.create_table(
        "voucher_bounds",
        sa.Column("check_id", BIG, autoincrement=False, nullable=False),
        sa.Column("promised_minor", sa.BigInteger(), nullable=False),
        sa.Column("base_minor", sa.BigInteger(), nullable=False),
        sa.Column("bound_bps", sa.Integer(), nullable=False),
        sa.Column("lower_ppm", sa.Integer(), nullable=False),
        sa.Column("allowed_minor", sa.BigInteger(), nullable=False),
        sa.Column("good_cases_micro", BIG, nullable=False),
        sa.Column("bad_cases_micro", BIG, nullable=False),
        *(_whole(name) for name in ("promised_minor", "base_minor", "allowed_minor")),
        sa.CheckConstraint(
            "promised_minor >= 0 AND promised_minor <= allowed_minor",
            name=op.f("ck_voucher_bounds_promised_within_bound"),
        ),
        sa.CheckConstraint(
            "base_minor >= 0 AND bound_bps > 0", name=op.f("ck_voucher_bounds_bound_is_set")
        ),
        sa.CheckConstraint(
            "lower_ppm BETWEEN 0 AND 1000000", name=op.f("ck_voucher_bounds_lower_is_a_share")
        ),
        sa.CheckConstraint(
            "good_cases_micro >= 0 AND bad_cases_micro >= 0",
            name=op.f("ck_voucher_bounds_cases_count_up"),
        ),
        sa.ForeignKeyConstraint(
            ["check_id"], ["promise_checks.id"], name=op.f("fk_voucher_bounds_check_id")
        ),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_voucher_bounds")),
    )
    _keep("voucher_bounds", "check_id")
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_table("voucher_bounds")


def _keep(table: str, key: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_keep_all BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_keep_insert BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE ({key} = NEW.{key})) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
    )
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
        )


def _whole(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')",
        name=op.f(f"ck_voucher_bounds_{column}_is_whole"),
    ).ddl_if(dialect="sqlite")


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
    added = {
        name: {"value": CASES[kind] if value is None else value, "source": source}
        for name, (value, source) in PROPOSALS.items()
    }
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in PROPOSALS}
