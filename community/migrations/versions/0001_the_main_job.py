"""The main job: members, communities, groups, savings, trust, loans, guarantees, books."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDED = ("journal_entries", "postings", "events")
REFUSAL = "the past is not changed: post a correction instead"
REFUSE_CHANGE = f"""
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$
"""
REFUSE_UNBALANCED = """
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF COALESCE((SELECT SUM(amount_minor) FROM postings WHERE entry_id = NEW.id), 1) <> 0 THEN
    RAISE EXCEPTION 'journal entry % does not balance', NEW.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "communities",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "region",
                "industry",
                "interest",
                name="community_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("parent_id <> id", name=op.f("ck_communities_not_in_itself")),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["communities.id"], name=op.f("fk_communities_parent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_communities")),
        sa.UniqueConstraint("public_id", name=op.f("uq_communities_public_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_communities_reference")),
    )
    with op.batch_alter_table("communities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_communities_parent_id"), ["parent_id"], unique=False)

    op.create_table(
        "households",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_households")),
        sa.UniqueConstraint("public_id", name=op.f("uq_households_public_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_households_reference")),
    )
    op.create_table(
        "books",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("head_hash", sa.String(length=64), nullable=False),
        sa.Column("closed_through", sa.Date(), nullable=True),
        sa.CheckConstraint("records >= 0", name=op.f("ck_books_records_count_up")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_books_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_books")),
    )
    with op.batch_alter_table("books", schema=None) as batch_op:
        batch_op.create_index(
            "uq_books_community", [sa.literal_column("coalesce(community_id, 0)")], unique=True
        )

    op.create_table(
        "members",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "person",
                "enterprise",
                name="member_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("reference", sa.String(length=64), nullable=True),
        sa.Column(
            "household_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("birth_year", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "birth_year IS NULL OR kind = 'person'", name=op.f("ck_members_only_persons_are_born")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_members_household_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("public_id", name=op.f("uq_members_public_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_members_reference")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index("ix_members_household_id", ["household_id"], unique=False)

    op.create_table(
        "products",
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
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_products_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_products_community_id_code")),
        sa.UniqueConstraint("public_id", name=op.f("uq_products_public_id")),
    )
    op.create_table(
        "seasons",
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
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("crop", sa.String(length=120), nullable=False),
        sa.Column("sow_from", sa.Date(), nullable=False),
        sa.Column("sow_until", sa.Date(), nullable=False),
        sa.Column("harvest_from", sa.Date(), nullable=False),
        sa.Column("selling", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sow_from <= sow_until AND sow_until < harvest_from",
            name=op.f("ck_seasons_in_the_order_of_nature"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_seasons_community_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seasons")),
        sa.UniqueConstraint("community_id", "code", name=op.f("uq_seasons_community_id_code")),
        sa.UniqueConstraint("public_id", name=op.f("uq_seasons_public_id")),
    )
    op.create_table(
        "accounts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("book_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
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
                name="account_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('lending_cash', 'loan_principal', 'recourse_receivable', 'savings_cash', 'write_off') AND balance_minor >= 0) OR (kind NOT IN ('lending_cash', 'loan_principal', 'recourse_receivable', 'savings_cash', 'write_off') AND balance_minor <= 0)",
            name=op.f("ck_accounts_never_overdrawn"),
        ),
        sa.CheckConstraint(
            "(kind IN ('member_savings', 'member_stake', 'overpayment')) = (member_id IS NOT NULL)",
            name=op.f("ck_accounts_owner_if_owned"),
        ),
        sa.CheckConstraint(
            "typeof(balance_minor) IN ('integer', 'null')",
            name=op.f("ck_accounts_balance_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_accounts_book_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_accounts_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accounts_member_id"), ["member_id"], unique=False)
        batch_op.create_index(
            "uq_accounts_place",
            ["book_id", "kind", sa.literal_column("coalesce(member_id, 0)"), "currency"],
            unique=True,
        )

    op.create_table(
        "api_tokens",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_api_tokens_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_tokens_digest")),
        sa.UniqueConstraint("public_id", name=op.f("uq_api_tokens_public_id")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_member_id"), ["member_id"], unique=False)

    op.create_table(
        "assessments",
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
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "standing",
                "repayment_capacity",
                name="assessment_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("used_minor", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.String(length=500), nullable=False),
        sa.Column(
            "granted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_assessments_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(used_minor) IN ('integer', 'null')",
            name=op.f("ck_assessments_used_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_assessments_amount_is_positive")),
        sa.CheckConstraint(
            "used_minor >= 0 AND used_minor <= amount_minor",
            name=op.f("ck_assessments_used_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_assessments_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["members.id"], name=op.f("fk_assessments_granted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_assessments_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
        sa.UniqueConstraint("public_id", name=op.f("uq_assessments_public_id")),
    )
    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.create_index(
            "uq_assessments_live",
            ["community_id", "member_id", "kind"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "charters",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column(
            "created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_charters_versions_count_up")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_charters_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["members.id"], name=op.f("fk_charters_created_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charters")),
        sa.UniqueConstraint(
            "community_id", "valid_from", name=op.f("uq_charters_community_id_valid_from")
        ),
        sa.UniqueConstraint(
            "community_id", "version", name=op.f("uq_charters_community_id_version")
        ),
    )
    op.create_table(
        "events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("book_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name=op.f("fk_events_actor_id")),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_events_book_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("book_id", "seq", name=op.f("uq_events_book_id_seq")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_subject", ["subject"], unique=False)

    op.create_table(
        "groups",
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
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "forming",
                "signing",
                "cooling_off",
                "active",
                "dissolved",
                name="group_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("pair_cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("vouch_expires_on", sa.Date(), nullable=False),
        sa.Column(
            "founder_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("leader_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("leader_until_on", sa.Date(), nullable=True),
        sa.Column("agreement", sa.JSON(), nullable=True),
        sa.Column("agreement_hash", sa.String(length=64), nullable=True),
        sa.Column("charter_version", sa.Integer(), nullable=True),
        sa.Column("cooling_off_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status NOT IN ('signing', 'cooling_off', 'active') OR leader_id IS NOT NULL",
            name=op.f("ck_groups_led_once_formed"),
        ),
        sa.CheckConstraint(
            "typeof(pair_cap_minor) IN ('integer', 'null')",
            name=op.f("ck_groups_pair_cap_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("pair_cap_minor > 0", name=op.f("ck_groups_cap_is_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_groups_community_id")
        ),
        sa.ForeignKeyConstraint(["founder_id"], ["members.id"], name=op.f("fk_groups_founder_id")),
        sa.ForeignKeyConstraint(["leader_id"], ["members.id"], name=op.f("fk_groups_leader_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("public_id", name=op.f("uq_groups_public_id")),
    )
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_groups_community_id"), ["community_id"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("route", sa.String(length=300), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_idempotency_keys_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_idempotency_keys")),
        sa.UniqueConstraint("member_id", "key", name=op.f("uq_idempotency_keys_member_id_key")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index("ix_idempotency_keys_created_at", ["created_at"], unique=False)

    op.create_table(
        "journal_entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("book_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("business_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column(
            "reverses_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("prev_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_journal_entries_actor_id")
        ),
        sa.ForeignKeyConstraint(["book_id"], ["books.id"], name=op.f("fk_journal_entries_book_id")),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["journal_entries.id"], name=op.f("fk_journal_entries_reverses_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("book_id", "seq", name=op.f("uq_journal_entries_book_id_seq")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_journal_entries_reverses_id")),
    )
    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.create_index("ix_journal_entries_reference", ["reference"], unique=False)

    op.create_table(
        "memberships",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "status",
            sa.Enum(
                "applied",
                "active",
                "suspended",
                "left",
                name="membership_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("since_on", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_memberships_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_memberships_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_memberships")),
        sa.UniqueConstraint(
            "community_id", "member_id", name=op.f("uq_memberships_community_id_member_id")
        ),
    )
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.create_index("ix_memberships_member_id", ["member_id"], unique=False)

    op.create_table(
        "product_versions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=500), nullable=False),
        sa.Column(
            "created_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_product_versions_versions_count_up")),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["members.id"], name=op.f("fk_product_versions_created_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_versions_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_versions")),
        sa.UniqueConstraint(
            "product_id", "valid_from", name=op.f("uq_product_versions_product_id_valid_from")
        ),
        sa.UniqueConstraint(
            "product_id", "version", name=op.f("uq_product_versions_product_id_version")
        ),
    )
    op.create_table(
        "role_grants",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "role",
            sa.Enum(
                "officer",
                "operator",
                "auditor",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "granted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_role_grants_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["granted_by_id"], ["members.id"], name=op.f("fk_role_grants_granted_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_role_grants_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grants")),
        sa.UniqueConstraint("public_id", name=op.f("uq_role_grants_public_id")),
    )
    with op.batch_alter_table("role_grants", schema=None) as batch_op:
        batch_op.create_index(
            "uq_role_grants_live",
            ["member_id", "role", sa.literal_column("coalesce(community_id, 0)")],
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )

    op.create_table(
        "standings",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("stake_minor", sa.BigInteger(), nullable=False),
        sa.Column("assessed_minor", sa.BigInteger(), nullable=False),
        sa.Column("assessed_until_on", sa.Date(), nullable=True),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False),
        sa.Column("overdue_since_on", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "typeof(assessed_minor) IN ('integer', 'null')",
            name=op.f("ck_standings_assessed_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(reserved_minor) IN ('integer', 'null')",
            name=op.f("ck_standings_reserved_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(stake_minor) IN ('integer', 'null')",
            name=op.f("ck_standings_stake_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("assessed_minor >= 0", name=op.f("ck_standings_assessed_not_negative")),
        sa.CheckConstraint(
            "reserved_minor >= 0 AND reserved_minor <= stake_minor + assessed_minor",
            name=op.f("ck_standings_reserved_within_standing"),
        ),
        sa.CheckConstraint("stake_minor >= 0", name=op.f("ck_standings_stake_not_negative")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_standings_community_id")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_standings_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_standings")),
        sa.UniqueConstraint(
            "community_id", "member_id", name=op.f("uq_standings_community_id_member_id")
        ),
    )
    with op.batch_alter_table("standings", schema=None) as batch_op:
        batch_op.create_index("ix_standings_member_id", ["member_id"], unique=False)

    op.create_table(
        "group_loans",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "submitted_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "typeof(total_minor) IN ('integer', 'null')",
            name=op.f("ck_group_loans_total_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("total_minor > 0", name=op.f("ck_group_loans_total_is_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_group_loans_community_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_group_loans_group_id")),
        sa.ForeignKeyConstraint(
            ["submitted_by_id"], ["members.id"], name=op.f("fk_group_loans_submitted_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_loans")),
        sa.UniqueConstraint("public_id", name=op.f("uq_group_loans_public_id")),
    )
    with op.batch_alter_table("group_loans", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_loans_group_id"), ["group_id"], unique=False)

    op.create_table(
        "group_members",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "household_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "status",
            sa.Enum(
                "invited",
                "accepted",
                "signed",
                "declined",
                "left",
                name="group_member_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "vote_for_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("exposure_minor", sa.BigInteger(), nullable=True),
        sa.Column("understood_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "invited_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'signed' OR (signed_at IS NOT NULL AND understood_at IS NOT NULL)",
            name=op.f("ck_group_members_signed_after_understanding"),
        ),
        sa.CheckConstraint(
            "typeof(exposure_minor) IN ('integer', 'null')",
            name=op.f("ck_group_members_exposure_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_group_members_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["group_id"], ["groups.id"], name=op.f("fk_group_members_group_id")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["households.id"], name=op.f("fk_group_members_household_id")
        ),
        sa.ForeignKeyConstraint(
            ["invited_by_id"], ["members.id"], name=op.f("fk_group_members_invited_by_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_group_members_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["vote_for_id"], ["members.id"], name=op.f("fk_group_members_vote_for_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_members")),
        sa.UniqueConstraint(
            "group_id", "member_id", name=op.f("uq_group_members_group_id_member_id")
        ),
    )
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_members_member_id"), ["member_id"], unique=False)
        batch_op.create_index(
            "uq_group_members_household",
            ["group_id", "household_id"],
            unique=True,
            postgresql_where=sa.text(
                "status IN ('accepted', 'signed') AND household_id IS NOT NULL"
            ),
            sqlite_where=sa.text("status IN ('accepted', 'signed') AND household_id IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_group_members_living",
            ["community_id", "member_id"],
            unique=True,
            postgresql_where=sa.text("status IN ('accepted', 'signed')"),
            sqlite_where=sa.text("status IN ('accepted', 'signed')"),
        )

    op.create_table(
        "membership_changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "membership_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "status",
            sa.Enum(
                "applied",
                "active",
                "suspended",
                "left",
                name="membership_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["members.id"], name=op.f("fk_membership_changes_actor_id")
        ),
        sa.ForeignKeyConstraint(
            ["membership_id"], ["memberships.id"], name=op.f("fk_membership_changes_membership_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_changes")),
    )
    with op.batch_alter_table("membership_changes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_membership_changes_membership_id"), ["membership_id"], unique=False
        )

    op.create_table(
        "savings_movements",
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
        sa.Column(
            "member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "deposit",
                "withdrawal",
                "stake_lock",
                "stake_release",
                name="savings_movement_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("moved_on", sa.Date(), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=True),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_savings_movements_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "amount_minor > 0", name=op.f("ck_savings_movements_amount_is_positive")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_savings_movements_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_savings_movements_entry_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_savings_movements_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_savings_movements")),
        sa.UniqueConstraint("public_id", name=op.f("uq_savings_movements_public_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_savings_movements_reference")),
    )
    with op.batch_alter_table("savings_movements", schema=None) as batch_op:
        batch_op.create_index(
            "ix_savings_movements_member", ["member_id", "community_id", "id"], unique=False
        )

    op.create_table(
        "vouches",
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
        sa.Column(
            "kind",
            sa.Enum(
                "personal",
                "group",
                name="vouch_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "voucher_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "borrower_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "offered_by",
            sa.Enum(
                "voucher",
                "borrower",
                name="vouch_side",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("limit_minor", sa.BigInteger(), nullable=False),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "offered",
                "live",
                "declined",
                "withdrawn",
                "revoked",
                "expired",
                "replaced",
                name="vouch_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'group') = (group_id IS NOT NULL)",
            name=op.f("ck_vouches_group_kind_has_group"),
        ),
        sa.CheckConstraint(
            "status <> 'offered' OR reserved_minor = 0", name=op.f("ck_vouches_offers_back_nothing")
        ),
        sa.CheckConstraint(
            "typeof(limit_minor) IN ('integer', 'null')",
            name=op.f("ck_vouches_limit_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(reserved_minor) IN ('integer', 'null')",
            name=op.f("ck_vouches_reserved_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(spent_minor) IN ('integer', 'null')",
            name=op.f("ck_vouches_spent_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "reserved_minor >= 0 AND spent_minor >= 0 AND reserved_minor + spent_minor <= limit_minor",
            name=op.f("ck_vouches_reserved_within_limit"),
        ),
        sa.CheckConstraint("voucher_id <> borrower_id", name=op.f("ck_vouches_for_somebody_else")),
        sa.ForeignKeyConstraint(
            ["borrower_id"], ["members.id"], name=op.f("fk_vouches_borrower_id")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_vouches_community_id")
        ),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_vouches_group_id")),
        sa.ForeignKeyConstraint(["voucher_id"], ["members.id"], name=op.f("fk_vouches_voucher_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouches")),
        sa.UniqueConstraint("public_id", name=op.f("uq_vouches_public_id")),
    )
    with op.batch_alter_table("vouches", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vouches_borrower", ["borrower_id", "community_id", "status"], unique=False
        )
        batch_op.create_index("ix_vouches_group_id", ["group_id"], unique=False)
        batch_op.create_index(
            "ix_vouches_voucher", ["voucher_id", "community_id", "status"], unique=False
        )
        batch_op.create_index(
            "uq_vouches_live",
            ["community_id", "voucher_id", "borrower_id", "kind"],
            unique=True,
            postgresql_where=sa.text("status = 'live'"),
            sqlite_where=sa.text("status = 'live'"),
        )
        batch_op.create_index(
            "uq_vouches_offered",
            ["community_id", "voucher_id", "borrower_id", "offered_by"],
            unique=True,
            postgresql_where=sa.text("status = 'offered'"),
            sqlite_where=sa.text("status = 'offered'"),
        )

    op.create_table(
        "loans",
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
        sa.Column(
            "borrower_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "group_loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "product_version_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("season_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "charter_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("outstanding_minor", sa.BigInteger(), nullable=False),
        sa.Column("written_off_minor", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=500), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
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
                name="loan_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "approved_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("disbursed_on", sa.Date(), nullable=True),
        sa.Column("overdue_since_on", sa.Date(), nullable=True),
        sa.Column("called_on", sa.Date(), nullable=True),
        sa.Column("accelerated_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status <> 'closed' OR outstanding_minor = 0", name=op.f("ck_loans_closed_is_paid")
        ),
        sa.CheckConstraint(
            "status NOT IN ('current', 'overdue', 'called', 'closed', 'written_off') OR disbursed_on IS NOT NULL",
            name=op.f("ck_loans_live_is_disbursed"),
        ),
        sa.CheckConstraint(
            "typeof(outstanding_minor) IN ('integer', 'null')",
            name=op.f("ck_loans_outstanding_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(principal_minor) IN ('integer', 'null')",
            name=op.f("ck_loans_principal_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(written_off_minor) IN ('integer', 'null')",
            name=op.f("ck_loans_written_off_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "outstanding_minor >= 0 AND outstanding_minor <= principal_minor",
            name=op.f("ck_loans_outstanding_within_principal"),
        ),
        sa.CheckConstraint("principal_minor > 0", name=op.f("ck_loans_principal_is_positive")),
        sa.CheckConstraint(
            "written_off_minor >= 0", name=op.f("ck_loans_written_off_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["approved_by_id"], ["members.id"], name=op.f("fk_loans_approved_by_id")
        ),
        sa.ForeignKeyConstraint(["borrower_id"], ["members.id"], name=op.f("fk_loans_borrower_id")),
        sa.ForeignKeyConstraint(["charter_id"], ["charters.id"], name=op.f("fk_loans_charter_id")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_loans_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["group_loan_id"], ["group_loans.id"], name=op.f("fk_loans_group_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_version_id"],
            ["product_versions.id"],
            name=op.f("fk_loans_product_version_id"),
        ),
        sa.ForeignKeyConstraint(["season_id"], ["seasons.id"], name=op.f("fk_loans_season_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loans")),
        sa.UniqueConstraint("public_id", name=op.f("uq_loans_public_id")),
    )
    with op.batch_alter_table("loans", schema=None) as batch_op:
        batch_op.create_index(
            "ix_loans_borrower", ["borrower_id", "community_id", "status"], unique=False
        )
        batch_op.create_index("ix_loans_community_status", ["community_id", "status"], unique=False)
        batch_op.create_index("ix_loans_group_loan_id", ["group_loan_id"], unique=False)

    op.create_table(
        "understanding_attempts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "group_member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("agreement_hash", sa.String(length=64), nullable=False),
        sa.Column("questions", sa.JSON(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_member_id"],
            ["group_members.id"],
            name=op.f("fk_understanding_attempts_group_member_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_understanding_attempts")),
    )
    with op.batch_alter_table("understanding_attempts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_understanding_attempts_group_member_id"),
            ["group_member_id"],
            unique=False,
        )

    op.create_table(
        "calls",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "community_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "guarantor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "ground",
            sa.Enum(
                "own",
                "direct",
                "second_hop",
                "co_guarantor",
                name="call_ground",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "for_guarantor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_minor", sa.BigInteger(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "open",
                "disputed",
                "paid",
                "lapsed",
                "cancelled",
                name="call_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("deadline_on", sa.Date(), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("disputed_on", sa.Date(), nullable=True),
        sa.Column("dispute_reason", sa.String(length=500), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_calls_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(cancelled_minor) IN ('integer', 'null')",
            name=op.f("ck_calls_cancelled_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_minor) IN ('integer', 'null')", name=op.f("ck_calls_paid_minor_is_whole")
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_calls_amount_is_positive")),
        sa.CheckConstraint(
            "paid_minor >= 0 AND cancelled_minor >= 0 AND paid_minor + cancelled_minor <= amount_minor",
            name=op.f("ck_calls_paid_within_call"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name=op.f("fk_calls_community_id")
        ),
        sa.ForeignKeyConstraint(
            ["for_guarantor_id"], ["members.id"], name=op.f("fk_calls_for_guarantor_id")
        ),
        sa.ForeignKeyConstraint(
            ["guarantor_id"], ["members.id"], name=op.f("fk_calls_guarantor_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_calls_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
        sa.UniqueConstraint("public_id", name=op.f("uq_calls_public_id")),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index("ix_calls_deadline", ["status", "deadline_on"], unique=False)
        batch_op.create_index("ix_calls_guarantor", ["guarantor_id", "status"], unique=False)
        batch_op.create_index("ix_calls_loan_id", ["loan_id"], unique=False)

    op.create_table(
        "cover_lines",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "standing_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "inner_vouch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "outer_vouch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("released_minor", sa.BigInteger(), nullable=False),
        sa.Column("called_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_cover_lines_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(called_minor) IN ('integer', 'null')",
            name=op.f("ck_cover_lines_called_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_minor) IN ('integer', 'null')",
            name=op.f("ck_cover_lines_paid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(released_minor) IN ('integer', 'null')",
            name=op.f("ck_cover_lines_released_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_cover_lines_amount_is_positive")),
        sa.CheckConstraint(
            "inner_vouch_id IS NOT NULL OR outer_vouch_id IS NULL",
            name=op.f("ck_cover_lines_paths_end_at_borrower"),
        ),
        sa.CheckConstraint(
            "released_minor >= 0 AND paid_minor >= 0 AND called_minor >= 0 AND released_minor + paid_minor <= amount_minor AND called_minor <= amount_minor AND paid_minor <= called_minor",
            name=op.f("ck_cover_lines_parts_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["inner_vouch_id"], ["vouches.id"], name=op.f("fk_cover_lines_inner_vouch_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_cover_lines_loan_id")),
        sa.ForeignKeyConstraint(
            ["outer_vouch_id"], ["vouches.id"], name=op.f("fk_cover_lines_outer_vouch_id")
        ),
        sa.ForeignKeyConstraint(
            ["standing_id"], ["standings.id"], name=op.f("fk_cover_lines_standing_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cover_lines")),
    )
    with op.batch_alter_table("cover_lines", schema=None) as batch_op:
        batch_op.create_index("ix_cover_lines_inner_vouch_id", ["inner_vouch_id"], unique=False)
        batch_op.create_index("ix_cover_lines_loan_id", ["loan_id"], unique=False)
        batch_op.create_index("ix_cover_lines_outer_vouch_id", ["outer_vouch_id"], unique=False)
        batch_op.create_index("ix_cover_lines_standing_id", ["standing_id"], unique=False)

    op.create_table(
        "endorsements",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "endorser_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("comment", sa.String(length=500), nullable=False),
        sa.Column("endorsed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["endorser_id"], ["members.id"], name=op.f("fk_endorsements_endorser_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_endorsements_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsements")),
        sa.UniqueConstraint(
            "loan_id", "endorser_id", name=op.f("uq_endorsements_loan_id_endorser_id")
        ),
    )
    op.create_table(
        "guarantees",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "guarantor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("cap_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(cap_minor) IN ('integer', 'null')",
            name=op.f("ck_guarantees_cap_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_minor) IN ('integer', 'null')",
            name=op.f("ck_guarantees_paid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "paid_minor >= 0 AND paid_minor <= cap_minor",
            name=op.f("ck_guarantees_paid_within_cap"),
        ),
        sa.ForeignKeyConstraint(
            ["guarantor_id"], ["members.id"], name=op.f("fk_guarantees_guarantor_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_guarantees_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guarantees")),
        sa.UniqueConstraint(
            "loan_id", "guarantor_id", name=op.f("uq_guarantees_loan_id_guarantor_id")
        ),
    )
    with op.batch_alter_table("guarantees", schema=None) as batch_op:
        batch_op.create_index("ix_guarantees_guarantor_id", ["guarantor_id"], unique=False)

    op.create_table(
        "instalments",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_interest_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(interest_minor) IN ('integer', 'null')",
            name=op.f("ck_instalments_interest_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_interest_minor) IN ('integer', 'null')",
            name=op.f("ck_instalments_paid_interest_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_principal_minor) IN ('integer', 'null')",
            name=op.f("ck_instalments_paid_principal_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(principal_minor) IN ('integer', 'null')",
            name=op.f("ck_instalments_principal_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "paid_principal_minor >= 0 AND paid_principal_minor <= principal_minor AND paid_interest_minor >= 0 AND paid_interest_minor <= interest_minor",
            name=op.f("ck_instalments_paid_within_due"),
        ),
        sa.CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0",
            name=op.f("ck_instalments_dues_not_negative"),
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_instalments_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instalments")),
        sa.UniqueConstraint("loan_id", "number", name=op.f("uq_instalments_loan_id_number")),
    )
    with op.batch_alter_table("instalments", schema=None) as batch_op:
        batch_op.create_index("ix_instalments_due_on", ["due_on"], unique=False)

    op.create_table(
        "loan_steps",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "from_status",
            sa.Enum(
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
                name="from_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column(
            "to_status",
            sa.Enum(
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
                name="to_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("stepped_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name=op.f("fk_loan_steps_actor_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_loan_steps_loan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_steps")),
    )
    with op.batch_alter_table("loan_steps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_loan_steps_loan_id"), ["loan_id"], unique=False)

    op.create_table(
        "postings",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_postings_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_postings_moves_something")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_postings_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_postings_entry_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_postings_loan_id")),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_postings_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.create_index("ix_postings_account_id", ["account_id"], unique=False)
        batch_op.create_index("ix_postings_entry_id", ["entry_id"], unique=False)
        batch_op.create_index("ix_postings_loan_id", ["loan_id"], unique=False)

    op.create_table(
        "repayments",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("payer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "source",
            sa.Enum(
                "borrower",
                "third_party",
                "stake",
                "guarantor",
                "reserve",
                "write_off",
                name="repayment_source",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("principal_minor", sa.BigInteger(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("recovered_minor", sa.BigInteger(), nullable=False),
        sa.Column("recourse_minor", sa.BigInteger(), nullable=False),
        sa.Column("overpaid_minor", sa.BigInteger(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(interest_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_interest_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(overpaid_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_overpaid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(principal_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_principal_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(recourse_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_recourse_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(recovered_minor) IN ('integer', 'null')",
            name=op.f("ck_repayments_recovered_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_repayments_amount_is_positive")),
        sa.CheckConstraint(
            "principal_minor + interest_minor + recovered_minor + recourse_minor + overpaid_minor = amount_minor",
            name=op.f("ck_repayments_parts_sum_to_amount"),
        ),
        sa.CheckConstraint(
            "principal_minor >= 0 AND interest_minor >= 0 AND recovered_minor >= 0 AND recourse_minor >= 0 AND overpaid_minor >= 0",
            name=op.f("ck_repayments_parts_not_negative"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["members.id"], name=op.f("fk_repayments_actor_id")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entries.id"], name=op.f("fk_repayments_entry_id")
        ),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_repayments_loan_id")),
        sa.ForeignKeyConstraint(["payer_id"], ["members.id"], name=op.f("fk_repayments_payer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repayments")),
        sa.UniqueConstraint("public_id", name=op.f("uq_repayments_public_id")),
    )
    with op.batch_alter_table("repayments", schema=None) as batch_op:
        batch_op.create_index("ix_repayments_loan_id", ["loan_id"], unique=False)

    op.create_table(
        "call_lines",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "cover_line_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("moved_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_call_lines_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(moved_minor) IN ('integer', 'null')",
            name=op.f("ck_call_lines_moved_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(paid_minor) IN ('integer', 'null')",
            name=op.f("ck_call_lines_paid_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_call_lines_amount_is_positive")),
        sa.CheckConstraint(
            "paid_minor >= 0 AND moved_minor >= 0 AND paid_minor + moved_minor <= amount_minor",
            name=op.f("ck_call_lines_paid_within_amount"),
        ),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_lines_call_id")),
        sa.ForeignKeyConstraint(
            ["cover_line_id"], ["cover_lines.id"], name=op.f("fk_call_lines_cover_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_lines")),
        sa.UniqueConstraint(
            "call_id", "cover_line_id", name=op.f("uq_call_lines_call_id_cover_line_id")
        ),
    )
    with op.batch_alter_table("call_lines", schema=None) as batch_op:
        batch_op.create_index("ix_call_lines_cover_line_id", ["cover_line_id"], unique=False)

    op.create_table(
        "guarantee_payments",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("call_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("payer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "repayment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("recovered_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_guarantee_payments_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(recovered_minor) IN ('integer', 'null')",
            name=op.f("ck_guarantee_payments_recovered_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "amount_minor > 0", name=op.f("ck_guarantee_payments_amount_is_positive")
        ),
        sa.CheckConstraint(
            "recovered_minor >= 0 AND recovered_minor <= amount_minor",
            name=op.f("ck_guarantee_payments_recovered_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["call_id"], ["calls.id"], name=op.f("fk_guarantee_payments_call_id")
        ),
        sa.ForeignKeyConstraint(
            ["loan_id"], ["loans.id"], name=op.f("fk_guarantee_payments_loan_id")
        ),
        sa.ForeignKeyConstraint(
            ["payer_id"], ["members.id"], name=op.f("fk_guarantee_payments_payer_id")
        ),
        sa.ForeignKeyConstraint(
            ["repayment_id"], ["repayments.id"], name=op.f("fk_guarantee_payments_repayment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guarantee_payments")),
        sa.UniqueConstraint("public_id", name=op.f("uq_guarantee_payments_public_id")),
        sa.UniqueConstraint("repayment_id", name=op.f("uq_guarantee_payments_repayment_id")),
    )
    with op.batch_alter_table("guarantee_payments", schema=None) as batch_op:
        batch_op.create_index("ix_guarantee_payments_loan_id", ["loan_id"], unique=False)
        batch_op.create_index("ix_guarantee_payments_payer_id", ["payer_id"], unique=False)

    op.create_table(
        "claims",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("loan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "payment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "claimant_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "debtor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "ground",
            sa.Enum(
                "borrower",
                "covered_member",
                "co_guarantor",
                name="claim_ground",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("settled_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_on", sa.Date(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_claims_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(settled_minor) IN ('integer', 'null')",
            name=op.f("ck_claims_settled_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_claims_amount_is_positive")),
        sa.CheckConstraint(
            "settled_minor >= 0 AND settled_minor <= amount_minor",
            name=op.f("ck_claims_settled_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["claimant_id"], ["members.id"], name=op.f("fk_claims_claimant_id")
        ),
        sa.ForeignKeyConstraint(["debtor_id"], ["members.id"], name=op.f("fk_claims_debtor_id")),
        sa.ForeignKeyConstraint(["loan_id"], ["loans.id"], name=op.f("fk_claims_loan_id")),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["guarantee_payments.id"], name=op.f("fk_claims_payment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint(
            "payment_id", "debtor_id", "ground", name=op.f("uq_claims_payment_id_debtor_id_ground")
        ),
        sa.UniqueConstraint("public_id", name=op.f("uq_claims_public_id")),
    )
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.create_index("ix_claims_claimant_id", ["claimant_id"], unique=False)
        batch_op.create_index("ix_claims_debtor_id", ["debtor_id"], unique=False)
        batch_op.create_index("ix_claims_loan_id", ["loan_id"], unique=False)
    guard_the_past()


def guard_the_past() -> None:
    """The database itself refuses to change journal entries, postings and events."""
    if op.get_bind().dialect.name == "sqlite":
        for table in GUARDED:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
                )
        return
    op.execute(REFUSE_CHANGE)
    op.execute(REFUSE_UNBALANCED)
    for table in GUARDED:
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE CONSTRAINT TRIGGER journal_entries_balance AFTER INSERT ON journal_entries "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced()"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for function in ("refuse_change", "refuse_unbalanced"):
            op.execute(f"DROP FUNCTION {function} CASCADE")
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.drop_index("ix_claims_loan_id")
        batch_op.drop_index("ix_claims_debtor_id")
        batch_op.drop_index("ix_claims_claimant_id")

    op.drop_table("claims")
    with op.batch_alter_table("guarantee_payments", schema=None) as batch_op:
        batch_op.drop_index("ix_guarantee_payments_payer_id")
        batch_op.drop_index("ix_guarantee_payments_loan_id")

    op.drop_table("guarantee_payments")
    with op.batch_alter_table("call_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_call_lines_cover_line_id")

    op.drop_table("call_lines")
    with op.batch_alter_table("repayments", schema=None) as batch_op:
        batch_op.drop_index("ix_repayments_loan_id")

    op.drop_table("repayments")
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.drop_index("ix_postings_loan_id")
        batch_op.drop_index("ix_postings_entry_id")
        batch_op.drop_index("ix_postings_account_id")

    op.drop_table("postings")
    with op.batch_alter_table("loan_steps", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_loan_steps_loan_id"))

    op.drop_table("loan_steps")
    with op.batch_alter_table("instalments", schema=None) as batch_op:
        batch_op.drop_index("ix_instalments_due_on")

    op.drop_table("instalments")
    with op.batch_alter_table("guarantees", schema=None) as batch_op:
        batch_op.drop_index("ix_guarantees_guarantor_id")

    op.drop_table("guarantees")
    op.drop_table("endorsements")
    with op.batch_alter_table("cover_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_cover_lines_standing_id")
        batch_op.drop_index("ix_cover_lines_outer_vouch_id")
        batch_op.drop_index("ix_cover_lines_loan_id")
        batch_op.drop_index("ix_cover_lines_inner_vouch_id")

    op.drop_table("cover_lines")
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index("ix_calls_loan_id")
        batch_op.drop_index("ix_calls_guarantor")
        batch_op.drop_index("ix_calls_deadline")

    op.drop_table("calls")
    with op.batch_alter_table("understanding_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_understanding_attempts_group_member_id"))

    op.drop_table("understanding_attempts")
    with op.batch_alter_table("loans", schema=None) as batch_op:
        batch_op.drop_index("ix_loans_group_loan_id")
        batch_op.drop_index("ix_loans_community_status")
        batch_op.drop_index("ix_loans_borrower")

    op.drop_table("loans")
    with op.batch_alter_table("vouches", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_vouches_offered",
            postgresql_where=sa.text("status = 'offered'"),
            sqlite_where=sa.text("status = 'offered'"),
        )
        batch_op.drop_index(
            "uq_vouches_live",
            postgresql_where=sa.text("status = 'live'"),
            sqlite_where=sa.text("status = 'live'"),
        )
        batch_op.drop_index("ix_vouches_voucher")
        batch_op.drop_index("ix_vouches_group_id")
        batch_op.drop_index("ix_vouches_borrower")

    op.drop_table("vouches")
    with op.batch_alter_table("savings_movements", schema=None) as batch_op:
        batch_op.drop_index("ix_savings_movements_member")

    op.drop_table("savings_movements")
    with op.batch_alter_table("membership_changes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_membership_changes_membership_id"))

    op.drop_table("membership_changes")
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_group_members_living",
            postgresql_where=sa.text("status IN ('accepted', 'signed')"),
            sqlite_where=sa.text("status IN ('accepted', 'signed')"),
        )
        batch_op.drop_index(
            "uq_group_members_household",
            postgresql_where=sa.text(
                "status IN ('accepted', 'signed') AND household_id IS NOT NULL"
            ),
            sqlite_where=sa.text("status IN ('accepted', 'signed') AND household_id IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_group_members_member_id"))

    op.drop_table("group_members")
    with op.batch_alter_table("group_loans", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_group_loans_group_id"))

    op.drop_table("group_loans")
    with op.batch_alter_table("standings", schema=None) as batch_op:
        batch_op.drop_index("ix_standings_member_id")

    op.drop_table("standings")
    with op.batch_alter_table("role_grants", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_role_grants_live",
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )

    op.drop_table("role_grants")
    op.drop_table("product_versions")
    with op.batch_alter_table("memberships", schema=None) as batch_op:
        batch_op.drop_index("ix_memberships_member_id")

    op.drop_table("memberships")
    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_journal_entries_reference")

    op.drop_table("journal_entries")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index("ix_idempotency_keys_created_at")

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_groups_community_id"))

    op.drop_table("groups")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_subject")

    op.drop_table("events")
    op.drop_table("charters")
    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_assessments_live",
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )

    op.drop_table("assessments")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_tokens_member_id"))

    op.drop_table("api_tokens")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index("uq_accounts_place")
        batch_op.drop_index(batch_op.f("ix_accounts_member_id"))

    op.drop_table("accounts")
    op.drop_table("seasons")
    op.drop_table("products")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index("ix_members_household_id")

    op.drop_table("members")
    with op.batch_alter_table("books", schema=None) as batch_op:
        batch_op.drop_index("uq_books_community")

    op.drop_table("books")
    op.drop_table("households")
    with op.batch_alter_table("communities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_communities_parent_id"))

    op.drop_table("communities")
