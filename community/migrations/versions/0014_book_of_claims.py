"""The book of claims: movements, settlements between members, interest, and their charter rules."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSE = "the past is not changed: post a correction instead"
PAID_AS = ["direct", "second_hop", "beyond_share", "stake", "reserve", "settlement"]
STATUSES = ["stated", "confirmed", "declined", "reversed"]
KINDS = ["arisen", "interest", "settled", "relieved", "waived", "reversed"]
AMOUNTS = (
    "relieved_minor",
    "waived_minor",
    "interest_minor",
    "interest_settled_minor",
    "interest_relieved_minor",
    "interest_waived_minor",
)
CHECKS = {
    "amount_is_positive": "amount_minor >= 0 AND amount_minor + interest_minor > 0",
    "settled_within_amount": "settled_minor >= 0 AND relieved_minor >= 0 AND waived_minor >= 0"
    " AND settled_minor + relieved_minor + waived_minor <= amount_minor",
    "interest_settled_within": "interest_settled_minor >= 0 AND interest_relieved_minor >= 0"
    " AND interest_waived_minor >= 0 AND interest_settled_minor"
    " + interest_relieved_minor + interest_waived_minor <= interest_minor",
    "borrower_comes_first": "(rank = 0) = (ground = 'borrower')",
    "of_somebody_else": "claimant_id IS NULL OR claimant_id <> debtor_id",
    "interest_rule": "rank >= 0 AND rate_ppm >= 0 AND year_days > 0 AND interest_carry >= 0",
}
OLD_CHECKS = {
    "amount_is_positive": "amount_minor > 0",
    "settled_within_amount": "settled_minor >= 0 AND settled_minor <= amount_minor",
}
# What the templates propose.
RULES: dict[str, tuple[Any, str]] = {
    "recourse_yearly_rate_ppm": (
        0,
        "Template's proposal: neighbours who paid get back what they paid; decide it in your"
        " assembly",
    ),
    "recourse_year_days": (
        365,
        "Template's proposal: actual days over 365, as for private loans",
    ),
    "recourse_interest_first": (
        True,
        "Interest before principal where nothing else is agreed (民法典, article 561)",
    ),
}


def upgrade() -> None:
    with op.batch_alter_table("calls") as batch:
        batch.add_column(sa.Column("after_call_id", BIG, nullable=True))
        batch.create_foreign_key(op.f("fk_calls_after_call_id"), "calls", ["after_call_id"], ["id"])
    _make_settlements()
    _widen_claims()
    _make_movements()
    _tell_the_past()
    _keep("claim_movements")
    _change_charters(_with_rules)


def downgrade() -> None:
    _change_charters(_without_rules)
    op.drop_table("claim_movements")
    op.drop_index("uq_claims_debtor", table_name="claims")
    op.drop_index("uq_claims_rank", table_name="claims")
    with op.batch_alter_table("claims") as batch:
        batch.drop_constraint(op.f("fk_claims_settlement_id"), type_="foreignkey")
        for name in CHECKS:
            batch.drop_constraint(op.f(f"ck_claims_{name}"), type_="check")
        batch.drop_constraint(op.f("ck_claims_paid_as"), type_="check")
        if not _is_postgresql():
            for name in AMOUNTS:
                batch.drop_constraint(op.f(f"ck_claims_{name}_is_whole"), type_="check")
    op.drop_table("claim_settlements")
    # Older versions know of the borrower's payments only: what was taken over is the first
    # claimant's again.
    op.execute("DELETE FROM claims WHERE settlement_id IS NOT NULL")
    op.execute(
        "UPDATE claims SET settled_minor = CASE WHEN ground <> 'borrower' THEN 0 ELSE"
        " (SELECT p.recovered_minor FROM guarantee_payments p WHERE p.id = claims.payment_id) END"
    )
    with op.batch_alter_table("claims") as batch:
        for name in (
            "settlement_id",
            "paid_as",
            "rank",
            *AMOUNTS,
            "interest_through_on",
            "interest_carry",
            "rate_ppm",
            "year_days",
            "interest_first",
            "version",
        ):
            batch.drop_column(name)
    with op.batch_alter_table("claims") as batch:
        for name, condition in OLD_CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_claims_{name}"), condition)
        batch.create_unique_constraint(
            op.f("uq_claims_payment_id_debtor_id_ground"), ["payment_id", "debtor_id", "ground"]
        )
    with op.batch_alter_table("calls") as batch:
        batch.drop_constraint(op.f("fk_calls_after_call_id"), type_="foreignkey")
        batch.drop_column("after_call_id")


def _make_settlements() -> None:
    op.create_table(
        "claim_settlements",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("claim_id", BIG, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        _choice("status", "settlement_status", STATUSES),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("stated_by_id", BIG, nullable=False),
        sa.Column("stated_on", sa.Date(), nullable=False),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.Column("reversed_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "amount_minor > 0", name=op.f("ck_claim_settlements_amount_is_positive")
        ),
        sa.CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0 AND (status IN ('stated', 'declined')"
            " AND principal_minor + interest_minor = 0 OR status IN ('confirmed', 'reversed')"
            " AND principal_minor + interest_minor = amount_minor)",
            name=op.f("ck_claim_settlements_counts_when_confirmed"),
        ),
        sa.CheckConstraint(
            "(status = 'stated') = (answered_on IS NULL)"
            " AND (status = 'reversed') = (reversed_on IS NOT NULL)",
            name=op.f("ck_claim_settlements_dated_by_status"),
        ),
        sa.CheckConstraint(
            "paid_on <= stated_on", name=op.f("ck_claim_settlements_paid_before_it_was_said")
        ),
        *(
            _whole("claim_settlements", name)
            for name in ("amount_minor", "principal_minor", "interest_minor")
        ),
        _key("claim_settlements", "claim_id", "claims"),
        _key("claim_settlements", "stated_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_settlements")),
        sa.UniqueConstraint("public_id", name=op.f("uq_claim_settlements_public_id")),
    )
    op.create_index("ix_claim_settlements_claim_id", "claim_settlements", ["claim_id"])


def _widen_claims() -> None:
    paid_as = sa.Enum(*PAID_AS, name="paid_as", native_enum=False, length=32)
    with op.batch_alter_table("claims") as batch:
        batch.add_column(sa.Column("settlement_id", BIG, nullable=True))
        batch.add_column(sa.Column("paid_as", paid_as, nullable=True))
        batch.add_column(sa.Column("rank", sa.Integer(), nullable=True))
        for name in AMOUNTS:
            batch.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("interest_through_on", sa.Date(), nullable=True))
        batch.add_column(
            sa.Column("interest_carry", sa.BigInteger(), nullable=False, server_default="0")
        )
        batch.add_column(sa.Column("rate_ppm", sa.Integer(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("year_days", sa.Integer(), nullable=False, server_default="365"))
        batch.add_column(
            sa.Column("interest_first", sa.Boolean(), nullable=False, server_default=sa.true())
        )
        batch.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.execute(
        "UPDATE claims SET rank = CASE WHEN ground = 'borrower' THEN 0 ELSE 1 END,"
        " interest_through_on = created_on,"
        " paid_as = (SELECT CASE WHEN p.payer_id IS NULL THEN 'reserve'"
        " WHEN r.source = 'stake' THEN 'stake' WHEN c.ground = 'second_hop' THEN 'second_hop'"
        " WHEN c.ground = 'co_guarantor' THEN 'beyond_share' ELSE 'direct' END"
        " FROM guarantee_payments p JOIN repayments r ON r.id = p.repayment_id"
        " LEFT JOIN calls c ON c.id = p.call_id WHERE p.id = claims.payment_id)"
    )
    # What the borrower paid was never taken off the claims beside theirs.
    op.execute(
        "UPDATE claims SET relieved_minor = (SELECT p.recovered_minor FROM guarantee_payments p"
        " WHERE p.id = claims.payment_id) WHERE ground <> 'borrower'"
    )
    with op.batch_alter_table("claims") as batch:
        batch.alter_column("paid_as", existing_type=paid_as, nullable=False)
        batch.alter_column("rank", existing_type=sa.Integer(), nullable=False)
        batch.alter_column("interest_through_on", existing_type=sa.Date(), nullable=False)
        for name in (
            *AMOUNTS,
            "interest_carry",
            "rate_ppm",
            "year_days",
            "interest_first",
            "version",
        ):
            batch.alter_column(name, server_default=None)
        for name in OLD_CHECKS:
            batch.drop_constraint(op.f(f"ck_claims_{name}"), type_="check")
        batch.drop_constraint(op.f("uq_claims_payment_id_debtor_id_ground"), type_="unique")
        batch.create_foreign_key(
            op.f("fk_claims_settlement_id"), "claim_settlements", ["settlement_id"], ["id"]
        )
    with op.batch_alter_table("claims") as batch:
        for name, condition in CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_claims_{name}"), condition)
        listed = ", ".join(f"'{value}'" for value in PAID_AS)
        batch.create_check_constraint(op.f("ck_claims_paid_as"), f"paid_as IN ({listed})")
        if not _is_postgresql():
            for name in AMOUNTS:
                batch.create_check_constraint(
                    op.f(f"ck_claims_{name}_is_whole"), f"typeof({name}) IN ('integer', 'null')"
                )
    taken_over = sa.text("coalesce(settlement_id, 0)")
    for name in ("debtor", "rank"):
        column = "debtor_id" if name == "debtor" else name
        op.create_index(
            f"uq_claims_{name}", "claims", ["payment_id", taken_over, column], unique=True
        )


def _make_movements() -> None:
    op.create_table(
        "claim_movements",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("claim_id", BIG, nullable=False),
        _choice("kind", "movement_kind", KINDS),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("settlement_id", BIG, nullable=True),
        sa.Column("repayment_id", BIG, nullable=True),
        sa.Column("entry_id", BIG, nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "principal_minor <> 0 OR interest_minor <> 0",
            name=op.f("ck_claim_movements_moves_something"),
        ),
        *(_whole("claim_movements", name) for name in ("principal_minor", "interest_minor")),
        _key("claim_movements", "claim_id", "claims"),
        _key("claim_movements", "settlement_id", "claim_settlements"),
        _key("claim_movements", "repayment_id", "repayments"),
        _key("claim_movements", "entry_id", "journal_entries"),
        _key("claim_movements", "actor_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim_movements")),
    )
    for name in ("claim_id", "settlement_id"):
        op.create_index(f"ix_claim_movements_{name}", "claim_movements", [name])


def _tell_the_past() -> None:
    """What is known of claims from before: when they arose, and what was paid on them since."""
    into = (
        "INSERT INTO claim_movements (claim_id, kind, principal_minor, interest_minor, moved_on,"
        " repayment_id, reason, recorded_at) "
    )
    op.execute(
        into + "SELECT c.id, 'arisen', c.amount_minor, 0, c.created_on, p.repayment_id, '',"
        " c.created_at FROM claims c JOIN guarantee_payments p ON p.id = c.payment_id ORDER BY c.id"
    )
    # The days of single payments are not known any more: all of it on the last one's.
    op.execute(
        into + "SELECT c.id, CASE WHEN c.ground = 'borrower' THEN 'settled' ELSE 'relieved' END,"
        " -(c.settled_minor + c.relieved_minor), 0, r.received_on, r.id, '', r.recorded_at"
        " FROM claims c JOIN repayments r ON r.id = (SELECT max(x.id) FROM repayments x"
        " WHERE x.loan_id = c.loan_id AND x.recourse_minor > 0)"
        " WHERE c.settled_minor + c.relieved_minor > 0 ORDER BY c.id"
    )


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
    return rules | {name: rule for name, rule in added.items() if name not in rules}


def _without_rules(rules: dict[str, Any]) -> dict[str, Any]:
    return {name: rule for name, rule in rules.items() if name not in RULES}


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
