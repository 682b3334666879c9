"""Accounts for interest earned, fees, penalties, suspense and provisions."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD_KINDS = [
    "savings_cash",
    "lending_cash",
    "loan_principal",
    "lender_funds",
    "member_savings",
    "member_stake",
    "reserve_fund",
    "overpayment",
    "interest_income",
    "recovery_income",
    "write_off",
    "recourse_receivable",
    "recourse_contra",
]
NEW_KINDS = [
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
OLD_DEBITS = ["lending_cash", "loan_principal", "recourse_receivable", "savings_cash", "write_off"]
NEW_DEBITS = [
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


def upgrade() -> None:
    _hold(NEW_KINDS, NEW_DEBITS)


def downgrade() -> None:
    _hold(OLD_KINDS, OLD_DEBITS)


def _hold(kinds: list[str], debits: list[str]) -> None:
    is_debit = f"kind IN ({_listed(debits)})"
    # SQLite makes the table anew: its index over an expression has to be made again by hand.
    op.drop_index("uq_accounts_place", table_name="accounts")
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.drop_constraint(op.f("ck_accounts_account_kind"))
        batch_op.drop_constraint(op.f("ck_accounts_never_overdrawn"))
        batch_op.create_check_constraint(
            op.f("ck_accounts_account_kind"), f"kind IN ({_listed(kinds)})"
        )
        batch_op.create_check_constraint(
            op.f("ck_accounts_never_overdrawn"),
            f"({is_debit} AND balance_minor >= 0)"
            f" OR (kind NOT IN ({_listed(debits)}) AND balance_minor <= 0)",
        )
    op.create_index(
        "uq_accounts_place",
        "accounts",
        ["book_id", "kind", sa.text("coalesce(member_id, 0)"), "currency"],
        unique=True,
    )


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
