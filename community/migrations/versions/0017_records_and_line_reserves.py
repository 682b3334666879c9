"""Credit records, and first-loss reserves of shared lines; the rules of both."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
DECIDE = "Template's proposal; decide it in your assembly"
MOVES = ["paid_in", "set_aside", "used", "refilled", "returned"]
# The kinds of account before; the new one stands where the model has it.
KINDS = [
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
RULES: dict[str, tuple[Any, str]] = {
    "line_late_bps_max": (
        10_000,
        "Template's proposal: a late draw stops its borrower and their group, not the whole line;"
        " 0 stops everybody while one is late",
    ),
    "record_issuers": (
        [],
        "Template's proposal: no community's records count until the assembly names it",
    ),
    "record_standing_bps": (
        5_000,
        "Template's proposal: half of what others assessed, as they know the member and we do not"
        " yet",
    ),
    "record_days_max": (30, DECIDE),
    "record_list_days_max": (7, DECIDE),
    "record_valid_days_max": (90, DECIDE),
    "record_consent_days_max": (
        365,
        "Template's proposal; consent is asked for anew every year (个人信息保护法, article 14:"
        " informed, and for a stated purpose)",
    ),
}


def upgrade() -> None:
    op.create_table(
        "record_keys",
        _id(),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("x", sa.String(length=43), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("revoked_on", sa.Date(), nullable=True),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        _created(),
        sa.CheckConstraint(
            "until_on IS NULL OR from_on <= until_on", name=op.f("ck_record_keys_days_in_order")
        ),
        sa.CheckConstraint(
            "revoked_on IS NULL OR until_on IS NOT NULL",
            name=op.f("ck_record_keys_revoked_signs_no_more"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_record_keys_kid")),
    )
    op.create_index(
        "uq_record_keys_live",
        "record_keys",
        ["is_live"],
        unique=True,
        postgresql_where=sa.text("until_on IS NULL"),
        sqlite_where=sa.text("until_on IS NULL"),
    )
    op.create_table(
        "record_consents",
        _id(),
        _public_id(),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("recipient", sa.String(length=120), nullable=False),
        sa.Column("recipient_subject", sa.String(length=120), nullable=True),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("withdrawn_on", sa.Date(), nullable=True),
        _created(),
        sa.CheckConstraint("given_on <= until_on", name=op.f("ck_record_consents_term_has_days")),
        sa.CheckConstraint(
            "withdrawn_on IS NULL OR withdrawn_on >= given_on",
            name=op.f("ck_record_consents_withdrawn_after_given"),
        ),
        _key("record_consents", "community_id", "communities"),
        _key("record_consents", "member_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_consents")),
        sa.UniqueConstraint("public_id", name=op.f("uq_record_consents_public_id")),
    )
    op.create_index(
        "ix_record_consents_member_id", "record_consents", ["member_id", "community_id"]
    )
    op.create_table(
        "credit_records",
        _id(),
        _public_id(),
        sa.Column("consent_id", BIG, nullable=False),
        sa.Column("key_id", BIG, nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        _created(),
        sa.CheckConstraint("issued_on <= expires_on", name=op.f("ck_credit_records_days_in_order")),
        _key("credit_records", "consent_id", "record_consents"),
        _key("credit_records", "key_id", "record_keys"),
        _key("credit_records", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_records")),
        sa.UniqueConstraint("public_id", name=op.f("uq_credit_records_public_id")),
    )
    op.create_index("ix_credit_records_consent_id", "credit_records", ["consent_id"])
    op.create_table(
        "record_revocations",
        _id(),
        sa.Column("record_id", BIG, nullable=False),
        sa.Column("revoked_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        _created(),
        _key("record_revocations", "record_id", "credit_records"),
        _key("record_revocations", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_revocations")),
        sa.UniqueConstraint("record_id", name=op.f("uq_record_revocations_record_id")),
    )
    op.create_table(
        "record_imports",
        _id(),
        sa.Column("community_id", BIG, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("issuer", sa.String(length=40), nullable=False),
        sa.Column("record", sa.String(length=40), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("revocations_on", sa.Date(), nullable=False),
        sa.Column("assessed_there_minor", sa.BigInteger(), nullable=False),
        sa.Column("share_bps", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("assessment_id", BIG, nullable=False),
        sa.Column("charter_id", BIG, nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        _created(),
        _whole("record_imports", "assessed_there_minor"),
        _whole("record_imports", "amount_minor"),
        sa.CheckConstraint(
            "amount_minor > 0 AND amount_minor <= assessed_there_minor",
            name=op.f("ck_record_imports_a_share_of_theirs"),
        ),
        _key("record_imports", "community_id", "communities"),
        _key("record_imports", "member_id", "members"),
        _key("record_imports", "assessment_id", "assessments"),
        _key("record_imports", "charter_id", "charters"),
        _key("record_imports", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_imports")),
        sa.UniqueConstraint("issuer", "record", name=op.f("uq_record_imports_issuer_record")),
        sa.UniqueConstraint("assessment_id", name=op.f("uq_record_imports_assessment_id")),
    )
    op.create_index("ix_record_imports_member_id", "record_imports", ["member_id", "community_id"])
    for table in ("credit_records", "record_revocations", "record_imports"):
        _keep(table)
    _make_line_reserves()
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_table("line_reserve_moves")
    with _without_triggers():
        _hold_kinds(KINDS)
        with op.batch_alter_table("guarantee_payments") as batch:
            batch.drop_constraint(
                op.f("ck_guarantee_payments_a_reserve_or_a_member"), type_="check"
            )
            batch.drop_constraint(op.f("fk_guarantee_payments_line_id"), type_="foreignkey")
            batch.drop_column("line_id")
        with op.batch_alter_table("credit_lines") as batch:
            batch.drop_constraint(op.f("ck_credit_lines_reserve_not_negative"), type_="check")
            if not _is_postgresql():
                batch.drop_constraint(op.f("ck_credit_lines_reserve_minor_is_whole"), type_="check")
            batch.drop_column("reserve_minor")
    for table in (
        "record_imports",
        "record_revocations",
        "credit_records",
        "record_consents",
        "record_keys",
    ):
        op.drop_table(table)


def _make_line_reserves() -> None:
    with _without_triggers():
        at = KINDS.index("suspense")
        _hold_kinds([*KINDS[:at], "line_reserve", *KINDS[at:]])
        with op.batch_alter_table("guarantee_payments") as batch:
            batch.add_column(sa.Column("line_id", BIG, nullable=True))
            batch.create_foreign_key(
                op.f("fk_guarantee_payments_line_id"), "credit_lines", ["line_id"], ["id"]
            )
            batch.create_check_constraint(
                op.f("ck_guarantee_payments_a_reserve_or_a_member"),
                "line_id IS NULL OR payer_id IS NULL",
            )
        with op.batch_alter_table("credit_lines") as batch:
            batch.add_column(
                sa.Column("reserve_minor", sa.BigInteger(), nullable=False, server_default="0")
            )
        with op.batch_alter_table("credit_lines") as batch:
            # The default was for the rows that were there.
            batch.alter_column("reserve_minor", server_default=None)
            batch.create_check_constraint(
                op.f("ck_credit_lines_reserve_not_negative"), "reserve_minor >= 0"
            )
            if not _is_postgresql():
                batch.create_check_constraint(
                    op.f("ck_credit_lines_reserve_minor_is_whole"),
                    "typeof(reserve_minor) IN ('integer', 'null')",
                )
    kind = sa.Enum(
        *MOVES, name="reserve_move_kind", native_enum=False, create_constraint=True, length=32
    )
    op.create_table(
        "line_reserve_moves",
        _id(),
        sa.Column("line_id", BIG, nullable=False),
        sa.Column("kind", kind, nullable=False),
        sa.Column("member_id", BIG, nullable=True),
        sa.Column("loan_id", BIG, nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("entry_id", BIG, nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        _whole("line_reserve_moves", "amount_minor"),
        sa.CheckConstraint(
            "amount_minor > 0", name=op.f("ck_line_reserve_moves_amount_is_positive")
        ),
        sa.CheckConstraint(
            "kind = 'returned' OR (kind = 'paid_in') = (member_id IS NOT NULL)",
            name=op.f("ck_line_reserve_moves_members_pay_in"),
        ),
        sa.CheckConstraint(
            "(kind IN ('used', 'refilled')) = (loan_id IS NOT NULL)",
            name=op.f("ck_line_reserve_moves_used_for_a_loan"),
        ),
        _key("line_reserve_moves", "line_id", "credit_lines"),
        _key("line_reserve_moves", "member_id", "members"),
        _key("line_reserve_moves", "loan_id", "loans"),
        _key("line_reserve_moves", "entry_id", "journal_entries"),
        _key("line_reserve_moves", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_line_reserve_moves")),
    )
    op.create_index("ix_line_reserve_moves_line_id", "line_reserve_moves", ["line_id"])
    op.create_index("ix_line_reserve_moves_entry_id", "line_reserve_moves", ["entry_id"])
    _keep("line_reserve_moves")


def _hold_kinds(kinds: list[str]) -> None:
    """The kinds of account that there may be."""
    # SQLite makes the table anew: its index over an expression has to be made again by hand.
    op.drop_index("uq_accounts_place", table_name="accounts")
    with op.batch_alter_table("accounts") as batch:
        batch.drop_constraint(op.f("ck_accounts_account_kind"), type_="check")
        batch.create_check_constraint(
            op.f("ck_accounts_account_kind"), " OR ".join(f"kind = '{kind}'" for kind in kinds)
        )
    op.create_index(
        "uq_accounts_place",
        "accounts",
        ["book_id", "kind", sa.text("coalesce(member_id, 0)"), "currency"],
        unique=True,
    )


@contextmanager
def _without_triggers() -> Iterator[None]:
    """SQLite makes a table anew to alter it: triggers on it, or that name it, go before.

    They come back as they were.
    """
    if _is_postgresql():
        yield
        return
    connection = op.get_bind()
    found = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    ).all()
    for name, _ in found:
        op.execute(f"DROP TRIGGER {name}")
    yield
    for _, statement in found:
        connection.exec_driver_sql(statement)


def _id() -> sa.Column[Any]:
    return sa.Column("id", BIG, autoincrement=True, nullable=False)


def _public_id() -> sa.Column[Any]:
    return sa.Column("public_id", sa.String(length=40), nullable=False)


def _created() -> sa.Column[Any]:
    return sa.Column("created_at", sa.DateTime(timezone=True), nullable=False)


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
    charters = sa.table("charters", sa.column("id"), sa.column("rules"))
    connection = op.get_bind()
    as_json = "CAST(:rules AS json)" if _is_postgresql() else ":rules"
    for charter_id, rules in connection.execute(sa.select(charters.c.id, charters.c.rules)).all():
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
