"""Classes of risk, provisions, and the charter rules that decide on them."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GUARDED = ("loan_class_changes", "provision_changes")
REFUSAL = "the past is not changed: post a correction instead"
TIERS = ("normal", "special_mention", "substandard", "doubtful", "loss")
SOURCE = "Added with migration 0006: the templates' proposal; decide it in your assembly"
# What the templates propose. A charter without them would be refused when it is read.
RULES = {
    "class_days": [1, 91, 271, 361],
    "class_watch_days": 180,
    "worst_loan_per_member": True,
    "class_crop_seasons": 0,
    "provision_bps": [100, 200, 2500, 5000, 10000],
    "non_accrual_from": "substandard",
    "par_days": [30, 60, 90],
    "restructures_max": 1,
}

charters = sa.table("charters", sa.column("id", sa.BigInteger), sa.column("rules", sa.JSON))


def upgrade() -> None:
    _make_loan_classes()
    _make_class_changes()
    _make_provision_changes()
    _guard()
    added = {name: {"value": value, "source": SOURCE} for name, value in RULES.items()}
    _change_charters(lambda rules: {**added, **rules})


def downgrade() -> None:
    for table in ("provision_changes", "loan_class_changes", "loan_classes"):
        op.drop_table(table)
    _change_charters(lambda rules: {name: rules[name] for name in rules if name not in RULES})


def _make_loan_classes() -> None:
    op.create_table(
        "loan_classes",
        sa.Column("loan_id", _big(), autoincrement=False, nullable=False),
        sa.Column("community_id", _big(), nullable=False),
        sa.Column("own_class", _tier("own_class"), nullable=False),
        sa.Column("risk_class", _tier("risk_class"), nullable=False),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("overdue_since_on", sa.Date(), nullable=True),
        sa.Column("clean_since_on", sa.Date(), nullable=True),
        sa.Column("provision_minor", sa.BigInteger(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("as_of_on", sa.Date(), nullable=False),
        _whole("loan_classes", "provision_minor"),
        sa.CheckConstraint(
            "provision_minor >= 0", name=op.f("ck_loan_classes_provision_not_negative")
        ),
        _key("loan_classes", "loan_id", "loans"),
        _key("loan_classes", "community_id", "communities"),
        sa.PrimaryKeyConstraint("loan_id", name=op.f("pk_loan_classes")),
    )
    op.create_index(
        "ix_loan_classes_community_class", "loan_classes", ["community_id", "risk_class", "loan_id"]
    )


def _make_class_changes() -> None:
    op.create_table(
        "loan_class_changes",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("loan_id", _big(), nullable=False),
        sa.Column("community_id", _big(), nullable=False),
        sa.Column("from_class", _tier("from_class"), nullable=False),
        sa.Column("to_class", _tier("to_class"), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("charter_id", _big(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "from_class <> to_class", name=op.f("ck_loan_class_changes_changes_something")
        ),
        _key("loan_class_changes", "loan_id", "loans"),
        _key("loan_class_changes", "community_id", "communities"),
        _key("loan_class_changes", "charter_id", "charters"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_class_changes")),
    )
    op.create_index(
        "ix_loan_class_changes_loan", "loan_class_changes", ["loan_id", "changed_on", "id"]
    )
    op.create_index(
        "ix_loan_class_changes_community", "loan_class_changes", ["community_id", "changed_on"]
    )


def _make_provision_changes() -> None:
    op.create_table(
        "provision_changes",
        sa.Column("id", _big(), autoincrement=True, nullable=False),
        sa.Column("entry_id", _big(), nullable=False),
        sa.Column("loan_id", _big(), nullable=False),
        sa.Column("risk_class", _tier("risk_class"), nullable=False),
        sa.Column("outstanding_minor", sa.BigInteger(), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_minor", sa.BigInteger(), nullable=False),
        *(
            _whole("provision_changes", name)
            for name in ("outstanding_minor", "before_minor", "after_minor")
        ),
        sa.CheckConstraint(
            "before_minor >= 0 AND after_minor >= 0",
            name=op.f("ck_provision_changes_provisions_not_negative"),
        ),
        sa.CheckConstraint(
            "before_minor <> after_minor", name=op.f("ck_provision_changes_changes_something")
        ),
        sa.CheckConstraint(
            "outstanding_minor >= 0", name=op.f("ck_provision_changes_outstanding_not_negative")
        ),
        _key("provision_changes", "entry_id", "journal_entries"),
        _key("provision_changes", "loan_id", "loans"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provision_changes")),
    )
    op.create_index("ix_provision_changes_entry_id", "provision_changes", ["entry_id"])
    op.create_index("ix_provision_changes_loan", "provision_changes", ["loan_id", "id"])


def _guard() -> None:
    for table in GUARDED:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            continue
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )


def _change_charters(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    bind = op.get_bind()
    for row_id, rules in bind.execute(sa.select(charters.c.id, charters.c.rules)).all():
        bind.execute(sa.update(charters).where(charters.c.id == row_id).values(rules=change(rules)))


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _tier(name: str) -> sa.Enum:
    return sa.Enum(*TIERS, name=name, native_enum=False, create_constraint=True, length=32)


def _whole(table: str, column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _key(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))
