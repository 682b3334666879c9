"""Histories of loans: tranches, charges, changes of plan, receipts that are taken back."""

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PARTS = ("principal", "interest", "fee", "penalty")
OLD_STATUSES = [
    "draft",
    "submitted",
    "endorsed",
    "approved",
    "current",
    "overdue",
    "called",
    "closed",
    "written_off",
    "rejected",
    "withdrawn",
    "expired",
]
NEW_STATUSES = [*OLD_STATUSES[:7], "restructured", *OLD_STATUSES[7:]]
LIVE = "'current', 'overdue', 'called'"


def upgrade() -> None:
    _new_tables()
    with op.batch_alter_table("loans") as batch:
        batch.add_column(
            sa.Column("disbursed_minor", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch.add_column(
            sa.Column("cover_short_minor", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch.add_column(sa.Column("restructured_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("worked_out_on", sa.Date(), nullable=True))
        batch.add_column(
            sa.Column("restructure_count", sa.Integer(), nullable=False, server_default="0")
        )
    op.execute("UPDATE loans SET disbursed_minor = principal_minor WHERE disbursed_on IS NOT NULL")
    with op.batch_alter_table("loans") as batch:
        batch.alter_column("disbursed_minor", server_default=None)
        batch.alter_column("cover_short_minor", server_default=None)
        batch.alter_column("restructure_count", server_default=None)
        _statuses(batch, "loans", "loan_status", "status", NEW_STATUSES)
        batch.drop_constraint(op.f("ck_loans_live_is_disbursed"))
        batch.create_check_constraint(
            op.f("ck_loans_live_is_disbursed"),
            f"status NOT IN ({LIVE}, 'restructured', 'closed', 'written_off')"
            " OR disbursed_on IS NOT NULL",
        )
        batch.create_check_constraint(
            op.f("ck_loans_disbursed_within_principal"),
            "disbursed_minor >= outstanding_minor AND disbursed_minor <= principal_minor",
        )
        batch.create_check_constraint(
            op.f("ck_loans_restructures_count_up"), "restructure_count >= 0"
        )
        batch.create_check_constraint(
            op.f("ck_loans_restructured_has_its_day"),
            "(restructure_count = 0) = (restructured_on IS NULL)",
        )
        batch.create_check_constraint(
            op.f("ck_loans_cover_short_not_negative"), "cover_short_minor >= 0"
        )
        _whole(batch, "loans", "disbursed_minor", "cover_short_minor")
    with op.batch_alter_table("loan_steps") as batch:
        _statuses(batch, "loan_steps", "from_status", "from_status", NEW_STATUSES)
        _statuses(batch, "loan_steps", "to_status", "to_status", NEW_STATUSES)
    _instalments()
    _repayments()
    op.execute(
        "UPDATE instalments SET interest_minor = paid_interest_minor WHERE EXISTS"
        " (SELECT 1 FROM loans WHERE loans.id = instalments.loan_id"
        " AND instalments.due_on > loans.accelerated_on)"
    )
    op.execute(
        "UPDATE loans SET worked_out_on = CASE WHEN accelerated_on > COALESCE(last.day, '0001-01-01')"
        " THEN accelerated_on ELSE COALESCE(last.day, disbursed_on) END FROM"
        " (SELECT loans.id AS loan_id, MAX(repayments.received_on) AS day FROM loans"
        "   LEFT JOIN repayments ON repayments.loan_id = loans.id GROUP BY loans.id) AS last"
        " WHERE last.loan_id = loans.id AND disbursed_on IS NOT NULL"
    )
    # What went out before was one tranche, on the day that the loan says.
    op.execute(
        "INSERT INTO disbursements (loan_id, number, amount_minor, paid_out_on, recorded_at)"
        " SELECT id, 1, principal_minor, disbursed_on, COALESCE(approved_at, created_at)"
        " FROM loans WHERE disbursed_on IS NOT NULL ORDER BY id"
    )


def downgrade() -> None:
    """Back to one tranche and no history of changes; loans that need them stand in the way."""
    with op.batch_alter_table("repayments") as batch:
        batch.drop_index("ix_repayments_received_on")
        batch.drop_constraint(op.f("fk_repayments_reversed_by_id"), type_="foreignkey")
        _drop(
            batch,
            "repayments",
            checks=(
                "parts_sum_to_amount",
                "parts_not_negative",
                "lender_within_offered",
                "reversed_with_its_reason",
            ),
            whole=("fee_minor", "penalty_minor", "offered_minor"),
            columns=(
                "offered_minor",
                "is_payoff",
                "fee_minor",
                "penalty_minor",
                "reversed_on",
                "reversed_reason",
                "reversed_by_id",
                "reversed_at",
            ),
        )
        batch.create_check_constraint(
            op.f("ck_repayments_parts_sum_to_amount"),
            "principal_minor + interest_minor + recovered_minor + recourse_minor"
            " + overpaid_minor = amount_minor",
        )
        batch.create_check_constraint(
            op.f("ck_repayments_parts_not_negative"),
            "principal_minor >= 0 AND interest_minor >= 0 AND recovered_minor >= 0"
            " AND recourse_minor >= 0 AND overpaid_minor >= 0",
        )
    added = ("fee_minor", "penalty_minor", "paid_fee_minor", "paid_penalty_minor")
    with op.batch_alter_table("instalments") as batch:
        _drop(
            batch,
            "instalments",
            checks=("dues_not_negative", "paid_within_due", "begins_before_it_is_due"),
            whole=added,
            columns=("from_on", *added),
        )
        batch.create_check_constraint(
            op.f("ck_instalments_dues_not_negative"), "principal_minor >= 0 AND interest_minor >= 0"
        )
        batch.create_check_constraint(
            op.f("ck_instalments_paid_within_due"),
            "paid_principal_minor >= 0 AND paid_principal_minor <= principal_minor"
            " AND paid_interest_minor >= 0 AND paid_interest_minor <= interest_minor",
        )
    with op.batch_alter_table("loan_steps") as batch:
        _statuses(batch, "loan_steps", "from_status", "from_status", OLD_STATUSES)
        _statuses(batch, "loan_steps", "to_status", "to_status", OLD_STATUSES)
    with op.batch_alter_table("loans") as batch:
        _statuses(batch, "loans", "loan_status", "status", OLD_STATUSES)
        _drop(
            batch,
            "loans",
            checks=(
                "live_is_disbursed",
                "disbursed_within_principal",
                "restructures_count_up",
                "restructured_has_its_day",
                "cover_short_not_negative",
            ),
            whole=("disbursed_minor", "cover_short_minor"),
            columns=(
                "disbursed_minor",
                "cover_short_minor",
                "restructured_on",
                "worked_out_on",
                "restructure_count",
            ),
        )
        batch.create_check_constraint(
            op.f("ck_loans_live_is_disbursed"),
            f"status NOT IN ({LIVE}, 'closed', 'written_off') OR disbursed_on IS NOT NULL",
        )
    for table in ("loan_changes", "loan_charges", "disbursements"):
        op.drop_table(table)


def _new_tables() -> None:
    op.create_table(
        "disbursements",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_out_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("entry_id", BIG, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_disbursements_amount_is_positive")),
        _is_whole("disbursements", "amount_minor"),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name="fk_disbursements_actor_id"),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name="fk_disbursements_entry_id"
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name="fk_disbursements_loan_id"),
        sa.PrimaryKeyConstraint("id", name="pk_disbursements"),
        sa.UniqueConstraint("loan_id", "number", name="uq_disbursements_loan_id_number"),
    )
    op.create_table(
        "loan_charges",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column("kind", _enum("charge_kind", ["fee", "penalty"]), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("waived_on", sa.Date(), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_loan_charges_amount_is_positive")),
        _is_whole("loan_charges", "amount_minor"),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name="fk_loan_charges_actor_id"),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name="fk_loan_charges_loan_id"),
        sa.PrimaryKeyConstraint("id", name="pk_loan_charges"),
        sa.UniqueConstraint("public_id", name="uq_loan_charges_public_id"),
    )
    op.create_index("ix_loan_charges_loan_id", "loan_charges", ["loan_id"])
    op.create_table(
        "loan_changes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", BIG, nullable=False),
        sa.Column(
            "kind",
            _enum("change_kind", ["rate", "pause", "reschedule", "move", "split", "freeze"]),
            nullable=False,
        ),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("is_restructuring", sa.Boolean(), nullable=False),
        sa.Column("days_overdue", sa.Integer(), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_on", sa.Date(), nullable=True),
        sa.Column("undone_reason", sa.String(length=500), nullable=True),
        sa.Column("undone_by_id", BIG, nullable=True),
        sa.CheckConstraint(
            "(undone_on IS NULL) = (undone_reason IS NULL)",
            name=op.f("ck_loan_changes_undone_with_its_reason"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name="fk_loan_changes_actor_id"),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name="fk_loan_changes_loan_id"),
        sa.ForeignKeyConstraint(
            ["undone_by_id"], ["members.id"], name="fk_loan_changes_undone_by_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_loan_changes"),
        sa.UniqueConstraint("public_id", name="uq_loan_changes_public_id"),
    )
    op.create_index("ix_loan_changes_loan_id", "loan_changes", ["loan_id"])
    op.create_index("ix_loan_changes_source", "loan_changes", ["source"])


def _instalments() -> None:
    added = ("fee_minor", "penalty_minor", "paid_fee_minor", "paid_penalty_minor")
    with op.batch_alter_table("instalments") as batch:
        batch.add_column(sa.Column("from_on", sa.Date(), nullable=True))
        for name in added:
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    # A period begins where the one before ended, the first one on the day of the money.
    op.execute(
        "UPDATE instalments SET from_on = COALESCE("
        " (SELECT before.due_on FROM instalments AS before"
        "   WHERE before.loan_id = instalments.loan_id"
        "   AND before.number = instalments.number - 1),"
        " (SELECT disbursed_on FROM loans WHERE loans.id = instalments.loan_id))"
    )
    with op.batch_alter_table("instalments") as batch:
        batch.alter_column("from_on", nullable=False)
        for name in added:
            batch.alter_column(name, server_default=None)
        batch.drop_constraint(op.f("ck_instalments_dues_not_negative"))
        batch.drop_constraint(op.f("ck_instalments_paid_within_due"))
        batch.create_check_constraint(
            op.f("ck_instalments_dues_not_negative"),
            " AND ".join(f"{part}_minor >= 0" for part in PARTS),
        )
        batch.create_check_constraint(
            op.f("ck_instalments_paid_within_due"),
            " AND ".join(
                f"paid_{part}_minor >= 0 AND paid_{part}_minor <= {part}_minor" for part in PARTS
            ),
        )
        batch.create_check_constraint(
            op.f("ck_instalments_begins_before_it_is_due"), "from_on <= due_on"
        )
        _whole(batch, "instalments", *added)


def _repayments() -> None:
    added = ("fee_minor", "penalty_minor")
    with op.batch_alter_table("repayments") as batch:
        for name in added:
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(
            sa.Column("offered_minor", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch.add_column(
            sa.Column("is_payoff", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.add_column(sa.Column("reversed_on", sa.Date(), nullable=True))
        batch.add_column(sa.Column("reversed_reason", sa.String(length=500), nullable=True))
        batch.add_column(sa.Column("reversed_by_id", BIG, nullable=True))
        batch.add_column(sa.Column("reversed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE repayments SET offered_minor = principal_minor + interest_minor")
    with op.batch_alter_table("repayments") as batch:
        for name in (*added, "offered_minor", "is_payoff"):
            batch.alter_column(name, server_default=None)
        batch.drop_constraint(op.f("ck_repayments_parts_sum_to_amount"))
        batch.drop_constraint(op.f("ck_repayments_parts_not_negative"))
        batch.create_check_constraint(
            op.f("ck_repayments_parts_sum_to_amount"),
            "principal_minor + interest_minor + fee_minor + penalty_minor + recovered_minor"
            " + recourse_minor + overpaid_minor = amount_minor",
        )
        batch.create_check_constraint(
            op.f("ck_repayments_parts_not_negative"),
            "principal_minor >= 0 AND interest_minor >= 0 AND fee_minor >= 0"
            " AND penalty_minor >= 0 AND recovered_minor >= 0 AND recourse_minor >= 0"
            " AND overpaid_minor >= 0",
        )
        batch.create_check_constraint(
            op.f("ck_repayments_lender_within_offered"),
            "principal_minor + interest_minor + fee_minor + penalty_minor <= offered_minor"
            " AND offered_minor + recourse_minor + recovered_minor <= amount_minor",
        )
        batch.create_check_constraint(
            op.f("ck_repayments_reversed_with_its_reason"),
            "(reversed_on IS NULL) = (reversed_reason IS NULL)",
        )
        batch.create_foreign_key(
            op.f("fk_repayments_reversed_by_id"), "members", ["reversed_by_id"], ["id"]
        )
        batch.create_index("ix_repayments_received_on", ["received_on"])
        _whole(batch, "repayments", *added, "offered_minor")


def _statuses(
    batch: BatchOperations, table: str, name: str, column: str, values: list[str]
) -> None:
    listed = ", ".join(f"'{value}'" for value in values)
    batch.drop_constraint(op.f(f"ck_{table}_{name}"))
    batch.create_check_constraint(op.f(f"ck_{table}_{name}"), f"{column} IN ({listed})")


def _drop(
    batch: BatchOperations,
    table: str,
    *,
    checks: tuple[str, ...],
    whole: tuple[str, ...],
    columns: tuple[str, ...],
) -> None:
    if op.get_bind().dialect.name == "sqlite":
        checks += tuple(f"{column}_is_whole" for column in whole)
    for check in checks:
        batch.drop_constraint(op.f(f"ck_{table}_{check}"))
    for column in columns:
        batch.drop_column(column)


def _whole(batch: BatchOperations, table: str, *columns: str) -> None:
    # Only SQLite's integer columns would take 1.5.
    if op.get_bind().dialect.name == "sqlite":
        for column in columns:
            batch.create_check_constraint(
                op.f(f"ck_{table}_{column}_is_whole"), f"typeof({column}) IN ('integer', 'null')"
            )


def _is_whole(table: str, column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"typeof({column}) IN ('integer', 'null')", name=op.f(f"ck_{table}_{column}_is_whole")
    ).ddl_if(dialect="sqlite")


def _enum(name: str, values: list[str]) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
