"""Other systems are told of what the books record: receivers, places reached, deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
WAITS = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("community_id", BIG, nullable=True),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("secret_sealed", sa.String(500), nullable=False),
        sa.Column("state", _one_of("webhook_state", "active", "paused", "ended"), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("created_by_id", BIG, nullable=True),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        _check("webhook_subscriptions", "ends_once", "(state = 'ended') = (ended_at IS NOT NULL)"),
        _check("webhook_subscriptions", "stops_for_a_reason", "state = 'active' OR reason <> ''"),
        _reference("webhook_subscriptions", "community_id", "communities"),
        _reference("webhook_subscriptions", "created_by_id", "members"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_subscriptions")),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_subscriptions_public_id")),
    )
    op.create_index(
        "ix_webhook_subscriptions_community_id", "webhook_subscriptions", ["community_id"]
    )
    op.create_table(
        "webhook_cursors",
        sa.Column("subscription_id", BIG, autoincrement=False, nullable=False),
        sa.Column("book_id", BIG, autoincrement=False, nullable=False),
        sa.Column("after_seq", sa.Integer(), nullable=False),
        _check("webhook_cursors", "within_the_book", "after_seq >= 0"),
        _reference("webhook_cursors", "subscription_id", "webhook_subscriptions"),
        _reference("webhook_cursors", "book_id", "books"),
        sa.PrimaryKeyConstraint("subscription_id", "book_id", name=op.f("pk_webhook_cursors")),
    )
    waits = "state = 'waiting'"
    deliveries = "webhook_deliveries"
    op.create_table(
        deliveries,
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(40), nullable=False),
        sa.Column("subscription_id", BIG, nullable=False),
        sa.Column("book_id", BIG, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("subject", sa.String(80), nullable=False),
        sa.Column("recorded_at", AT, nullable=False),
        sa.Column(
            "state", _one_of("delivery_state", "waiting", "delivered", "dead"), nullable=False
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", AT, nullable=True),
        sa.Column("lease_owner", sa.String(120), nullable=True),
        sa.Column("lease_until", AT, nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("fault", sa.String(500), nullable=False),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("settled_at", AT, nullable=True),
        _check(deliveries, "attempts_not_negative", "attempts >= 0"),
        _check(deliveries, "waits_until", f"({waits}) = (next_at IS NOT NULL)"),
        _check(deliveries, "settles_once", f"({waits}) = (settled_at IS NULL)"),
        _check(
            deliveries,
            "leased_while_it_waits",
            f"(lease_owner IS NULL) = (lease_until IS NULL) AND (lease_owner IS NULL OR {waits})",
        ),
        _check(deliveries, "dies_of_something", "state <> 'dead' OR fault <> ''"),
        _reference(deliveries, "subscription_id", "webhook_subscriptions"),
        _reference(deliveries, "book_id", "books"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("public_id", name=op.f("uq_webhook_deliveries_public_id")),
        sa.UniqueConstraint(
            "subscription_id",
            "book_id",
            "seq",
            name=op.f("uq_webhook_deliveries_subscription_id_book_id_seq"),
        ),
    )
    for name, columns in (
        ("due", ["next_at", "id"]),
        ("order", ["subscription_id", "subject", "id"]),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}",
            deliveries,
            columns,
            postgresql_where=WAITS,
            sqlite_where=WAITS,
        )


def downgrade() -> None:
    op.drop_table("webhook_deliveries")
    op.drop_table("webhook_cursors")
    op.drop_table("webhook_subscriptions")


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def _reference(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _one_of(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
