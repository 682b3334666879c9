"""One key signs records at a time, also when somebody writes a second one that is not live.

The index over `is_live` counted on its being true of every key, which nothing held: of two keys
without a last day one could say false.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

NAME = "ck_record_keys_live_until_its_last_day"


def upgrade() -> None:
    with op.batch_alter_table("record_keys") as batch:
        batch.create_check_constraint(op.f(NAME), "is_live")


def downgrade() -> None:
    with op.batch_alter_table("record_keys") as batch:
        batch.drop_constraint(op.f(NAME), type_="check")
