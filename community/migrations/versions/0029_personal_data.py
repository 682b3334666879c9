"""Personal identifiers are sealed: references of members and households, login names.

What is there is sealed with the keys of the settings, and gets its blind index. Down again, it is
opened: both ways need the keys.
"""

import sqlalchemy as sa
from alembic import op

from community.sealing import SEALED_CHARACTERS, Keyring, keys_of

revision = "0029"
down_revision = "0027"
branch_labels = None
depends_on = None

# Table, column, what names the row, whether it may be empty.
SEALED = (
    ("households", "reference", "public_id", False),
    ("members", "reference", "public_id", True),
    ("credentials", "login_name", "member_id", False),
)
PORTION = 5_000


def upgrade() -> None:
    for table, column, row, may_lack in SEALED:
        index = f"{column}_index"
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"uq_{table}_{column}"), type_="unique")
            batch.alter_column(
                column,
                existing_type=sa.String(64),
                type_=sa.String(SEALED_CHARACTERS),
                existing_nullable=may_lack,
            )
            batch.add_column(sa.Column(index, sa.String(64), nullable=True))
        _rewrite(table, column, row, seal=True)
        with op.batch_alter_table(table) as batch:
            if not may_lack:
                batch.alter_column(index, existing_type=sa.String(64), nullable=False)
            batch.create_unique_constraint(op.f(f"uq_{table}_{index}"), [index])
            batch.create_check_constraint(
                op.f(f"ck_{table}_{column}_is_sealed"), f"{column} LIKE 'enc1:%:%'"
            )
            if may_lack:
                batch.create_check_constraint(
                    op.f(f"ck_{table}_{column}_is_indexed"),
                    f"({column} IS NULL) = ({index} IS NULL)",
                )


def downgrade() -> None:
    for table, column, row, may_lack in reversed(SEALED):
        index = f"{column}_index"
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_{column}_is_sealed"), type_="check")
            if may_lack:
                batch.drop_constraint(op.f(f"ck_{table}_{column}_is_indexed"), type_="check")
            batch.drop_constraint(op.f(f"uq_{table}_{index}"), type_="unique")
        _rewrite(table, column, row, seal=False)
        with op.batch_alter_table(table) as batch:
            batch.drop_column(index)
            batch.alter_column(
                column,
                existing_type=sa.String(SEALED_CHARACTERS),
                type_=sa.String(64),
                existing_nullable=may_lack,
            )
            batch.create_unique_constraint(op.f(f"uq_{table}_{column}"), [column])


def _rewrite(table: str, column: str, row: str, *, seal: bool) -> None:
    connection = op.get_bind()
    rows = sa.table(
        table, sa.column("id"), sa.column(row), sa.column(column), sa.column(f"{column}_index")
    )
    after = 0
    while True:
        there = connection.execute(
            sa.select(rows.c.id, sa.cast(rows.c[row], sa.String), rows.c[column])
            .where(rows.c.id > after, rows.c[column].is_not(None))
            .order_by(rows.c.id)
            .limit(PORTION)
        ).all()
        if not there:
            return
        keys: Keyring = keys_of(connection.dialect)
        changed = []
        for key, name, value in there:
            where = {"table": table, "column": column}
            if seal:
                new = keys.seal(value, row=name, **where)
                changed.append({"key": key, "new": new, "found": keys.blind(value, **where)})
            else:
                new = keys.open(value, row=name, **where)
                changed.append({"key": key, "new": new, "found": None})
        connection.execute(
            sa.update(rows)
            .where(rows.c.id == sa.bindparam("key"))
            .values({column: sa.bindparam("new"), f"{column}_index": sa.bindparam("found")}),
            changed,
        )
        after = there[-1][0]
