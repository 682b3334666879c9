"""The business day: its runs, where loans stand, what they have earned."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

REFUSAL = "the past is not changed: post a correction instead"

# Where the loans that are out stand, as of their first day: the first business day to come derives
# each for its own date, and books what the loan has earned so far.
FILL = """
INSERT INTO loan_positions (
  loan_id, community_id, product_id, currency, is_live, accrues, outstanding_minor,
  paid_interest_minor, earned_before_minor, running_from_on, running_until_on, running_days,
  running_interest_minor, receivable_minor, oldest_due_on
)
SELECT loans.id, loans.community_id, product_versions.product_id, {currency}, {true}, {true},
       loans.outstanding_minor,
       (SELECT sum(paid_interest_minor) FROM instalments WHERE loan_id = loans.id),
       0, loans.disbursed_on, runs.until_on, {days}, runs.interest_minor, 0,
       (SELECT min(CASE WHEN due_on > loans.accelerated_on THEN loans.accelerated_on
                        ELSE due_on END)
          FROM instalments
         WHERE loan_id = loans.id
           AND (principal_minor > paid_principal_minor
                OR (interest_minor > paid_interest_minor
                    AND (loans.accelerated_on IS NULL OR due_on <= loans.accelerated_on))))
  FROM loans
  JOIN product_versions ON product_versions.id = loans.product_version_id
  JOIN (
    SELECT first.loan_id, first.until_on, sum(instalments.interest_minor) AS interest_minor
      FROM (SELECT i.loan_id, min(i.due_on) AS until_on
              FROM instalments AS i JOIN loans AS l ON l.id = i.loan_id
             WHERE i.due_on > l.disbursed_on
             GROUP BY i.loan_id) AS first
      JOIN instalments
        ON instalments.loan_id = first.loan_id AND instalments.due_on = first.until_on
     GROUP BY first.loan_id, first.until_on
  ) AS runs ON runs.loan_id = loans.id
 WHERE loans.status IN ('current', 'overdue', 'called')
"""


def upgrade() -> None:
    op.create_table(
        "day_runs",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        _key("community_id"),
        sa.Column("day_on", sa.Date(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "working",
                "worked",
                "closed",
                name="day_state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("lease_owner", sa.String(length=120), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'working') = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)"
            " AND (state = 'working') = (finished_at IS NULL)",
            name=op.f("ck_day_runs_leased_while_working"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_day_runs_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_day_runs")),
        sa.UniqueConstraint("community_id", "day_on", name=op.f("uq_day_runs_community_id_day_on")),
    )
    op.create_index(
        "uq_day_runs_working",
        "day_runs",
        ["community_id"],
        unique=True,
        postgresql_where=sa.text("state = 'working'"),
        sqlite_where=sa.text("state = 'working'"),
    )
    op.create_table(
        "day_steps",
        _key("run_id"),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        _key("after_id"),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["day_runs.id"], name=op.f("fk_day_steps_run_id")),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_day_steps")),
    )
    op.create_table(
        "accrual_lines",
        _key("entry_id"),
        _key("loan_id"),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        _whole("accrual_lines", "amount_minor"),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_accrual_lines_moves_something")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_accrual_lines_entry_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_accrual_lines_loan_id")),
        sa.PrimaryKeyConstraint("entry_id", "loan_id", name=op.f("pk_accrual_lines")),
    )
    op.create_table(
        "loan_positions",
        _key("loan_id"),
        _key("community_id"),
        _key("product_id"),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("accrues", sa.Boolean(), nullable=False),
        sa.Column("outstanding_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("earned_before_minor", sa.BigInteger(), nullable=False),
        sa.Column("running_from_on", sa.Date(), nullable=False),
        sa.Column("running_until_on", sa.Date(), nullable=True),
        sa.Column("running_days", sa.Integer(), nullable=False),
        sa.Column("running_interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("receivable_minor", sa.BigInteger(), nullable=False),
        sa.Column("oldest_due_on", sa.Date(), nullable=True),
        *(
            _whole("loan_positions", name)
            for name in (
                "earned_before_minor",
                "outstanding_minor",
                "paid_interest_minor",
                "receivable_minor",
                "running_interest_minor",
            )
        ),
        sa.CheckConstraint(
            "receivable_minor >= 0", name=op.f("ck_loan_positions_receivable_not_negative")
        ),
        sa.CheckConstraint("running_days >= 1", name=op.f("ck_loan_positions_a_period_has_days")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_loan_positions_community_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_loan_positions_loan_id")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_loan_positions_product_id")
        ),
        sa.PrimaryKeyConstraint("loan_id", name=op.f("pk_loan_positions")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index(
        "ix_loan_positions_community", "loan_positions", ["community_id", "loan_id"], unique=False
    )
    if _is_postgresql():
        op.execute(
            "CREATE TRIGGER accrual_lines_keep BEFORE UPDATE OR DELETE ON accrual_lines "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    else:
        for verb in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER accrual_lines_keep_{verb} BEFORE {verb.upper()} ON accrual_lines "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
    _fill()


def downgrade() -> None:
    op.drop_index("ix_loan_positions_community", table_name="loan_positions")
    op.drop_table("loan_positions")
    op.drop_table("accrual_lines")
    op.drop_table("day_steps")
    op.drop_index("uq_day_runs_working", table_name="day_runs")
    op.drop_table("day_runs")


def _fill() -> None:
    if _is_postgresql():
        words = {
            "currency": "loans.terms -> 'product' ->> 'currency'",
            "true": "true",
            "days": "runs.until_on - loans.disbursed_on",
        }
    else:
        words = {
            "currency": "json_extract(loans.terms, '$.product.currency')",
            "true": "1",
            "days": "CAST(strftime('%s', runs.until_on) AS INTEGER) / 86400"
            " - CAST(strftime('%s', loans.disbursed_on) AS INTEGER) / 86400",
        }
    op.get_bind().exec_driver_sql(FILL.format(**words))


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _whole(table: str, column: str) -> sa.CheckConstraint:
    # SQLite's integer columns accept 1.5; PostgreSQL's do not.
    test = f"typeof({column}) IN ('integer', 'null')"
    name = op.f(f"ck_{table}_{column}_is_whole")
    return sa.CheckConstraint(test, name=name).ddl_if(dialect="sqlite")
