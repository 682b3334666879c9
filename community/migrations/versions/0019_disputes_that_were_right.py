"""A call whose dispute was upheld: nothing more is asked on it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls") as batch:
        batch.add_column(sa.Column("upheld_on", sa.Date(), nullable=True))
        batch.create_check_constraint(
            op.f("ck_calls_nothing_is_asked_when_upheld"),
            "upheld_on IS NULL OR status = 'cancelled'",
        )


def downgrade() -> None:
    with op.batch_alter_table("calls") as batch:
        batch.drop_constraint(op.f("ck_calls_nothing_is_asked_when_upheld"), type_="check")
        batch.drop_column("upheld_on")
