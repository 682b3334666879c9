"""Checks on accounts and savings movements that SQLite can make quickly.

SQLite fills a temporary table for every `IN` of more than two values, anew for each row. And the
index of postings by loan leaves out those that belong to none, which are most of them.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ACCOUNT_KINDS = [
    "savings_cash",
    "lending_cash",
    "loan_principal",
    "interest_receivable",
    "fee_receivable",
    "penalty_receivable",
    "lender_funds",
    "member_savings",
    "member_stake",
    "reserve_fund",
    "overpayment",
    "suspense",
    "loan_loss_allowance",
    "interest_income",
    "fee_income",
    "penalty_income",
    "recovery_income",
    "provision_expense",
    "write_off",
    "recourse_receivable",
    "recourse_contra",
]
DEBIT_KINDS = [
    "fee_receivable",
    "interest_receivable",
    "lending_cash",
    "loan_principal",
    "penalty_receivable",
    "provision_expense",
    "recourse_receivable",
    "savings_cash",
    "write_off",
]
OWNED_KINDS = ["member_savings", "member_stake", "overpayment"]
MOVEMENT_KINDS = ["deposit", "withdrawal", "stake_lock", "stake_release"]


def upgrade() -> None:
    is_debit = _spelled_out(DEBIT_KINDS)
    _hold(
        _spelled_out,
        f"({_spelled_out(OWNED_KINDS)}) = (member_id IS NOT NULL)",
        f"balance_minor = 0 OR (balance_minor > 0) = ({is_debit})",
    )
    _index_postings_by_loan(sa.text("loan_id IS NOT NULL"))


def downgrade() -> None:
    is_debit = _listed(DEBIT_KINDS)
    is_credit = is_debit.replace("kind IN", "kind NOT IN")
    _hold(
        _listed,
        f"({_listed(OWNED_KINDS)}) = (member_id IS NOT NULL)",
        f"({is_debit} AND balance_minor >= 0) OR ({is_credit} AND balance_minor <= 0)",
    )
    _index_postings_by_loan(None)


def _hold(one_of: Callable[[list[str]], str], owner_if_owned: str, never_overdrawn: str) -> None:
    # SQLite makes the table anew: its index over an expression has to be made again by hand.
    op.drop_index("uq_accounts_place", table_name="accounts")
    _replace_checks(
        "accounts",
        {
            "account_kind": one_of(ACCOUNT_KINDS),
            "owner_if_owned": owner_if_owned,
            "never_overdrawn": never_overdrawn,
        },
    )
    op.create_index(
        "uq_accounts_place",
        "accounts",
        ["book_id", "kind", sa.text("coalesce(member_id, 0)"), "currency"],
        unique=True,
    )
    _replace_checks("savings_movements", {"savings_movement_kind": one_of(MOVEMENT_KINDS)})


def _replace_checks(table: str, checks: dict[str, str]) -> None:
    with op.batch_alter_table(table) as batch_op:
        for name, condition in checks.items():
            batch_op.drop_constraint(op.f(f"ck_{table}_{name}"))
            batch_op.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)


def _index_postings_by_loan(where: sa.TextClause | None) -> None:
    op.drop_index("ix_postings_loan_id", table_name="postings")
    op.create_index(
        "ix_postings_loan_id",
        "postings",
        ["loan_id"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _spelled_out(kinds: list[str]) -> str:
    return " OR ".join(f"kind = '{kind}'" for kind in kinds)


def _listed(kinds: list[str]) -> str:
    return "kind IN (" + ", ".join(f"'{kind}'" for kind in kinds) + ")"
