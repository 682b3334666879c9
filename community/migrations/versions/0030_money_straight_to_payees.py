"""Money that goes straight to payees, and the charter rules that send it there."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from community.database import UtcTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
MORE = "what goes to payees is within the disbursement and a use of its loan"
EXCEEDS = """(SELECT COALESCE(SUM(amount_minor), 0) FROM payee_payments
   WHERE disbursement_id = NEW.disbursement_id) + NEW.amount_minor
    > (SELECT amount_minor FROM disbursements WHERE id = NEW.disbursement_id)
  OR (SELECT COALESCE(SUM(amount_minor), 0) FROM payee_payments
      WHERE use_id = NEW.use_id) + NEW.amount_minor
    > (SELECT amount_minor FROM loan_uses WHERE id = NEW.use_id)
  OR (SELECT loan_id FROM loan_uses WHERE id = NEW.use_id)
    <> (SELECT loan_id FROM disbursements WHERE id = NEW.disbursement_id)"""
# What the templates propose.
PROPOSALS: dict[str, tuple[Any, str]] = {
    "payee_direct_above_minor": (
        0,
        "Template's proposal: off; a bank's rule for loans to persons begins at 300,000 yuan (个人贷款管理办法)",
    ),
    "payee_direct_purposes": (
        [],
        "Template's proposal: off; then, say, stock: seed and fertiliser come from a shop that can be paid",
    ),
}


def upgrade() -> None:
    op.create_table(
        "payee_payments",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("disbursement_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("use_id", BIG, nullable=False),
        sa.Column("payee_name", sa.String(120), nullable=False),
        sa.Column("payee_id", BIG, nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", UtcTime(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payee_payments_amount_is_positive")),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_payee_payments_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursements.id"],
            name=op.f("fk_payee_payments_disbursement_id"),
        ),
        sa.ForeignKeyConstraint(
            ["use_id"], ["loan_uses.id"], name=op.f("fk_payee_payments_use_id")
        ),
        sa.ForeignKeyConstraint(
            ["payee_id"], ["members.id"], name=op.f("fk_payee_payments_payee_id")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_payee_payments_entry_id")
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_payee_payments_actor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payee_payments")),
        sa.UniqueConstraint("public_id", name=op.f("uq_payee_payments_public_id")),
        sa.UniqueConstraint(
            "disbursement_id", "number", name=op.f("uq_payee_payments_disbursement_id_number")
        ),
    )
    op.create_index("ix_payee_payments_use_id", "payee_payments", ["use_id"])
    _guard()
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_table("payee_payments")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION guard_payee_payment()")


def _guard() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER payee_payments_keep BEFORE UPDATE OR DELETE ON payee_payments "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            "CREATE TRIGGER payee_payments_keep_all BEFORE TRUNCATE ON payee_payments "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        op.execute(f"""
CREATE OR REPLACE FUNCTION guard_payee_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM disbursements WHERE id = NEW.disbursement_id FOR NO KEY UPDATE;
  PERFORM 1 FROM loan_uses WHERE id = NEW.use_id FOR NO KEY UPDATE;
  IF {EXCEEDS} THEN
    RAISE EXCEPTION '{MORE}' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
""")
        op.execute(
            "CREATE TRIGGER payee_payments_within BEFORE INSERT ON payee_payments "
            "FOR EACH ROW EXECUTE FUNCTION guard_payee_payment()"
        )
        return
    op.execute(
        "CREATE TRIGGER payee_payments_keep_insert BEFORE INSERT ON payee_payments "
        "WHEN EXISTS (SELECT 1 FROM payee_payments WHERE (id = NEW.id)"
        " OR (disbursement_id = NEW.disbursement_id AND number = NEW.number)"
        " OR (public_id = NEW.public_id)) "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
    )
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER payee_payments_keep_{verb} BEFORE {verb.upper()} ON payee_payments "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END"
        )
    op.execute(
        "CREATE TRIGGER payee_payments_within BEFORE INSERT ON payee_payments "
        f"WHEN {EXCEEDS} BEGIN SELECT RAISE(ABORT, '{MORE}'); END"
    )


def _change_charters(change: Any) -> None:
    """Every stored charter gets the rules that the templates propose."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, rules FROM charters")).all()
    as_json = "CAST(:rules AS json)" if connection.dialect.name == "postgresql" else ":rules"
    for charter_id, rules in rows:
        document = json.loads(rules) if isinstance(rules, str) else rules
        connection.execute(
            sa.text(f"UPDATE charters SET rules = {as_json} WHERE id = :id"),
            {"id": charter_id, "rules": json.dumps(change(document))},
        )


def _with_rules(rules: dict[str, Any]) -> dict[str, Any]:
    added = {
        name: {"value": value, "source": source} for name, (value, source) in PROPOSALS.items()
    }
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in PROPOSALS}
