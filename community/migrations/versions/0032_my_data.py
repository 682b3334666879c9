"""Members ask to be erased."""

import sqlalchemy as sa
from alembic import op

from community.database import UtcTime

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    _requests()


def downgrade() -> None:
    op.drop_table("erasure_requests")


def _requests() -> None:
    op.create_table(
        "erasure_requests",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.Column("settled_by_id", BIG, nullable=True),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'withdrawn', 'refused', 'done')",
            name=op.f("ck_erasure_requests_erasure_state"),
        ),
        sa.CheckConstraint(
            "(state = 'open') = (settled_at IS NULL)",
            name=op.f("ck_erasure_requests_open_until_settled"),
        ),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (settled_by_id IS NULL)",
            name=op.f("ck_erasure_requests_somebody_settles_it"),
        ),
        sa.CheckConstraint(
            "settled_at >= asked_at", name=op.f("ck_erasure_requests_settled_after_it_was_asked")
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (reason <> '')",
            name=op.f("ck_erasure_requests_refused_with_a_reason"),
        ),
        sa.CheckConstraint(
            "state <> 'withdrawn' OR settled_by_id = member_id",
            name=op.f("ck_erasure_requests_withdrawn_by_who_asked"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_erasure_requests_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["settled_by_id"], ["members.id"], name=op.f("fk_erasure_requests_settled_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_requests")),
    )
    op.create_index("ix_erasure_requests_member_id", "erasure_requests", ["member_id"])
    op.create_index(
        "uq_erasure_requests_open",
        "erasure_requests",
        ["member_id"],
        unique=True,
        postgresql_where=OPEN,
        sqlite_where=OPEN,
    )
