"""Indexes that lead a business day to what has to be done, among very many loans and promises."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# name → table, columns, condition on PostgreSQL, condition on SQLite where it is spelled otherwise
INDEXES: dict[str, tuple[str, list[str], str | None, str | None]] = {
    "ix_vouches_expiry": ("vouches", ["community_id", "status", "expires_on"], None, None),
    "ix_assessments_expiry": (
        "assessments",
        ["community_id", "expires_on"],
        "ended_at IS NULL",
        None,
    ),
    "ix_holds_expiry": ("holds", ["state", "expires_on"], None, None),
    "ix_loans_part_paid_out": (
        "loans",
        ["community_id", "id"],
        "disbursed_minor > 0 AND disbursed_minor < principal_minor",
        None,
    ),
    "ix_loans_restructured": ("loans", ["community_id", "id"], "restructured_on IS NOT NULL", None),
    "ix_loan_positions_due": ("loan_positions", ["community_id", "oldest_due_on"], None, None),
    "ix_loan_positions_stopped": (
        "loan_positions",
        ["community_id", "loan_id"],
        "NOT accrues",
        "accrues = 0",
    ),
    "ix_loan_classes_late": (
        "loan_classes",
        ["community_id", "loan_id"],
        "overdue_since_on IS NOT NULL",
        None,
    ),
    "ix_loan_classes_to_release": (
        "loan_classes",
        ["community_id", "loan_id"],
        "left_on IS NOT NULL AND provision_minor <> 0",
        None,
    ),
}
BY_CLASS = "ix_loan_classes_community_class"


def upgrade() -> None:
    for name, (table, columns, condition, spelled) in INDEXES.items():
        here = None if condition is None else sa.text(condition)
        there = here if spelled is None else sa.text(spelled)
        op.create_index(name, table, columns, postgresql_where=here, sqlite_where=there)
    op.drop_index(BY_CLASS, table_name="loan_classes")
    op.create_index(BY_CLASS, "loan_classes", ["community_id", "left_on", "risk_class", "loan_id"])


def downgrade() -> None:
    op.drop_index(BY_CLASS, table_name="loan_classes")
    op.create_index(BY_CLASS, "loan_classes", ["community_id", "risk_class", "loan_id"])
    for name, (table, *_) in reversed(INDEXES.items()):
        op.drop_index(name, table_name=table)
