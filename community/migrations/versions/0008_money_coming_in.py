"""Collection sheets, lines of bank statements, known accounts of payers."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

REFUSAL = "a posted sheet is not changed"
UNEVEN = "the lines of a posted sheet sum to its total"
SUM = "(SELECT COALESCE(SUM(amount_minor), 0) FROM collection_lines WHERE collection_id = NEW.id)"
POSTED = "EXISTS (SELECT 1 FROM collections WHERE id = {row}.collection_id AND status = 'posted')"
GUARD_COLLECTION = f"""
CREATE FUNCTION guard_collection() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.status = 'posted' THEN
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  IF NEW.status = 'posted' AND (TG_OP = 'INSERT' OR NEW.total_minor <> {SUM}) THEN
    RAISE EXCEPTION '{UNEVEN}' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
GUARD_COLLECTION_LINE = f"""
CREATE FUNCTION guard_collection_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND {POSTED.format(row="OLD")}
     OR TG_OP <> 'DELETE' AND {POSTED.format(row="NEW")} THEN
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "posted",
                name="collection_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("collected_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("repaid_minor", sa.BigInteger(), nullable=False),
        sa.Column("deposited_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "entered_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "posted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'posted') = (posted_at IS NOT NULL)",
            name=op.f("ck_collections_posted_has_its_time"),
        ),
        sa.CheckConstraint(
            "status <> 'posted' OR total_minor > 0", name=op.f("ck_collections_posted_is_money")
        ),
        sa.CheckConstraint(
            "typeof(deposited_minor) IN ('integer', 'null')",
            name=op.f("ck_collections_deposited_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(repaid_minor) IN ('integer', 'null')",
            name=op.f("ck_collections_repaid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(total_minor) IN ('integer', 'null')",
            name=op.f("ck_collections_total_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "repaid_minor + deposited_minor = total_minor",
            name=op.f("ck_collections_parts_sum_to_total"),
        ),
        sa.CheckConstraint(
            "repaid_minor >= 0 AND deposited_minor >= 0",
            name=op.f("ck_collections_parts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_collections_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["entered_by_id"], ["members.id"], name=op.f("fk_collections_entered_by_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_collections_group_id")),
        sa.ForeignKeyConstraint(
            ["posted_by_id"], ["members.id"], name=op.f("fk_collections_posted_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
        sa.UniqueConstraint(
            "group_id", "client_id", name=op.f("uq_collections_group_id_client_id")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_collections_public_id")),
    )
    op.create_table(
        "bank_lines",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payer_name", sa.String(length=120), nullable=False),
        sa.Column("payer_account", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.Column("statement_hash", sa.String(length=64), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "suspense",
                "applied",
                "saved",
                "returned",
                name="bank_line_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("match", sa.JSON(), nullable=False),
        sa.Column("payer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "suspense_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "release_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "repayment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "movement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("settled_on", sa.Date(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "settled_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("settled_note", sa.String(length=500), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(status = 'applied') = (repayment_id IS NOT NULL)",
            name=op.f("ck_bank_lines_applied_once"),
        ),
        sa.CheckConstraint(
            "(status = 'saved') = (movement_id IS NOT NULL)", name=op.f("ck_bank_lines_saved_once")
        ),
        sa.CheckConstraint(
            "(status = 'suspense') = (settled_at IS NULL)",
            name=op.f("ck_bank_lines_settled_has_its_time"),
        ),
        sa.CheckConstraint(
            "(suspense_entry_id IS NULL OR status = 'suspense') = (release_entry_id IS NULL)",
            name=op.f("ck_bank_lines_released_once"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('suspense', 'returned') OR suspense_entry_id IS NOT NULL",
            name=op.f("ck_bank_lines_suspense_is_posted"),
        ),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_bank_lines_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_bank_lines_amount_is_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_bank_lines_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"], ["savings_movements.id"], name=op.f("fk_bank_lines_movement_id")
        ),
        sa.ForeignKeyConstraint(["payer_id"], ["members.id"], name=op.f("fk_bank_lines_payer_id")),
        sa.ForeignKeyConstraint(
            ["release_entry_id"],
            ["journal_entries.id"],
            name=op.f("fk_bank_lines_release_entry_id"),
        ),
        sa.ForeignKeyConstraint(
            ["repayment_id"], ["repayments.id"], name=op.f("fk_bank_lines_repayment_id")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["members.id"], name=op.f("fk_bank_lines_settled_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["suspense_entry_id"],
            ["journal_entries.id"],
            name=op.f("fk_bank_lines_suspense_entry_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_lines")),
        sa.UniqueConstraint(
            "community_id", "reference", name=op.f("uq_bank_lines_community_id_reference")
        ),
        sa.UniqueConstraint("movement_id", name=op.f("uq_bank_lines_movement_id")),
        sa.UniqueConstraint("public_id", name=op.f("uq_bank_lines_public_id")),
        sa.UniqueConstraint("repayment_id", name=op.f("uq_bank_lines_repayment_id")),
    )
    op.create_index("ix_bank_lines_status", "bank_lines", ["community_id", "status", "booked_on"])

    op.create_table(
        "collection_lines",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "collection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "repayment",
                "deposit",
                name="line_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("payer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("absent", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=120), nullable=False),
        sa.Column(
            "repayment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "movement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.CheckConstraint(
            "(kind = 'repayment') = (loan_id IS NOT NULL)",
            name=op.f("ck_collection_lines_repaid_is_a_loan"),
        ),
        sa.CheckConstraint(
            "(repayment_id IS NULL OR kind = 'repayment') AND (movement_id IS NULL OR kind = 'deposit')",
            name=op.f("ck_collection_lines_receipt_of_its_kind"),
        ),
        sa.CheckConstraint(
            "kind = 'repayment' OR payer_id IS NULL",
            name=op.f("ck_collection_lines_savers_pay_themselves"),
        ),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_collection_lines_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "amount_minor >= 0", name=op.f("ck_collection_lines_amount_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_collection_lines_collection_id")
        ),
        sa.ForeignKeyConstraint(
            ["loan_id"], ["loans.id"], name=op.f("fk_collection_lines_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_collection_lines_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["movement_id"], ["savings_movements.id"], name=op.f("fk_collection_lines_movement_id")
        ),
        sa.ForeignKeyConstraint(
            ["payer_id"], ["members.id"], name=op.f("fk_collection_lines_payer_id")
        ),
        sa.ForeignKeyConstraint(
            ["repayment_id"], ["repayments.id"], name=op.f("fk_collection_lines_repayment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_lines")),
        sa.UniqueConstraint(
            "collection_id", "loan_id", name=op.f("uq_collection_lines_collection_id_loan_id")
        ),
        sa.UniqueConstraint(
            "collection_id", "number", name=op.f("uq_collection_lines_collection_id_number")
        ),
        sa.UniqueConstraint("movement_id", name=op.f("uq_collection_lines_movement_id")),
        sa.UniqueConstraint("repayment_id", name=op.f("uq_collection_lines_repayment_id")),
    )
    op.create_index("ix_collection_lines_member_id", "collection_lines", ["member_id"])

    op.create_table(
        "payer_accounts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "bank_line_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "noted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["bank_line_id"], ["bank_lines.id"], name=op.f("fk_payer_accounts_bank_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_payer_accounts_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_payer_accounts_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["noted_by_id"], ["members.id"], name=op.f("fk_payer_accounts_noted_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payer_accounts")),
        sa.UniqueConstraint(
            "community_id", "account", name=op.f("uq_payer_accounts_community_id_account")
        ),
    )
    _guard()


def _guard() -> None:
    """A posted sheet does not change, and its lines sum to its total."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(GUARD_COLLECTION)
        op.execute(GUARD_COLLECTION_LINE)
        op.execute(
            "CREATE TRIGGER collections_keep BEFORE INSERT OR UPDATE OR DELETE ON collections "
            "FOR EACH ROW EXECUTE FUNCTION guard_collection()"
        )
        op.execute(
            "CREATE TRIGGER collection_lines_keep BEFORE INSERT OR UPDATE OR DELETE "
            "ON collection_lines FOR EACH ROW EXECUTE FUNCTION guard_collection_line()"
        )
        return
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER collections_keep_{verb} BEFORE {verb.upper()} ON collections "
            f"WHEN OLD.status = 'posted' BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
    op.execute(
        "CREATE TRIGGER collections_begin BEFORE INSERT ON collections "
        f"WHEN NEW.status = 'posted' BEGIN SELECT RAISE(ABORT, '{UNEVEN}'); END"
    )
    op.execute(
        "CREATE TRIGGER collections_sum BEFORE UPDATE ON collections "
        f"WHEN NEW.status = 'posted' AND NEW.total_minor <> {SUM} "
        f"BEGIN SELECT RAISE(ABORT, '{UNEVEN}'); END"
    )
    for verb, rows in (("insert", ["NEW"]), ("update", ["OLD", "NEW"]), ("delete", ["OLD"])):
        posted = " OR ".join(POSTED.format(row=row) for row in rows)
        op.execute(
            f"CREATE TRIGGER collection_lines_keep_{verb} BEFORE {verb.upper()} ON collection_lines "
            f"WHEN {posted} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def downgrade() -> None:
    for table in ("payer_accounts", "collection_lines", "bank_lines", "collections"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for function in ("guard_collection", "guard_collection_line"):
            op.execute(f"DROP FUNCTION {function}")
