"""Personal identifiers are sealed: references of members and households, login names.

Members consent to purposes and can be erased, who looked at their data is noted, and words and pictures about them may be
taken out of kept history, and nothing put in their place.

What is there is sealed with the keys of the settings, and gets its blind index. Down again, it is
opened: both ways need the keys.
"""

import sqlalchemy as sa
from alembic import op

from community.database import UtcTime
from community.sealing import SEALED_CHARACTERS, Keyring, keys_of

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# Table, column, what names the row, whether it may be empty.
SEALED = (
    ("households", "reference", "public_id", False),
    ("members", "reference", "public_id", True),
    ("credentials", "login_name", "member_id", False),
)
PORTION = 5_000
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAST = "the past is not changed: post a correction instead"
# Kept tables, the column that may be emptied, and all others.
EMPTIED = {
    "case_actions": (
        "text",
        ("id", "case_id", "number", "kind", "acted_on", "actor_id", "recorded_at"),
    ),
    "peer_reports": (
        "text",
        ("id", "public_id", "community_id", "reporter_id", "member_id", "week_on", "event_id"),
    ),
    "visit_photos": (
        "content",
        (
            "id",
            "visit_id",
            "number",
            "media_type",
            "size_bytes",
            "sha256",
            "seen_before",
            "added_at",
        ),
    ),
}
ERASED = "erased_at IS NULL OR name = public_id AND reference IS NULL AND birth_year IS NULL"


def upgrade() -> None:
    _seal()
    with op.batch_alter_table("members") as batch:
        batch.add_column(sa.Column("erased_at", UtcTime(), nullable=True))
    with op.batch_alter_table("members") as batch:
        batch.create_check_constraint(op.f("ck_members_erased_is_nobody"), ERASED)
    op.create_table(
        "access_notes",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("reader_id", BIG, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("hour_at", UtcTime(), nullable=False),
        sa.CheckConstraint(
            "role IN ('operator', 'officer', 'auditor', 'leader')",
            name=op.f("ck_access_notes_reader_role"),
        ),
        sa.CheckConstraint(
            "reader_id <> member_id", name=op.f("ck_access_notes_one_reads_ones_own_unnoted")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_access_notes_member_id")
        ),
        sa.ForeignKeyConstraint(
            ["reader_id"], ["members.id"], name=op.f("fk_access_notes_reader_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_notes")),
        sa.UniqueConstraint(
            "member_id",
            "reader_id",
            "action",
            "hour_at",
            name=op.f("uq_access_notes_member_id_reader_id_action_hour_at"),
        ),
    )
    op.create_index("ix_access_notes_reader_id", "access_notes", ["reader_id"])
    op.create_index("ix_access_notes_hour_at", "access_notes", ["hour_at"])
    op.create_table(
        "purpose_consents",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("member_id", BIG, nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("text_version", sa.String(20), nullable=False),
        sa.Column("given_at", UtcTime(), nullable=False),
        sa.Column("withdrawn_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "withdrawn_at >= given_at",
            name=op.f("ck_purpose_consents_withdrawn_after_it_was_given"),
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("fk_purpose_consents_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purpose_consents")),
    )
    op.create_index(
        "uq_purpose_consents_live",
        "purpose_consents",
        ["member_id", "purpose"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
        sqlite_where=sa.text("withdrawn_at IS NULL"),
    )
    for table, (column, others) in EMPTIED.items():
        _guard(table, _but_emptying(column, others))


def downgrade() -> None:
    for table in EMPTIED:
        _guard(table, "")
    op.drop_table("purpose_consents")
    op.drop_table("access_notes")
    with op.batch_alter_table("members") as batch:
        batch.drop_constraint(op.f("ck_members_erased_is_nobody"), type_="check")
        batch.drop_column("erased_at")
    _open()


def _guard(table: str, but: str) -> None:
    """Make the guard of a kept table anew, for all changes or for all `but` some."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {table}_keep_update")
        when = f"WHEN {but} " if but else ""
        op.execute(
            f"CREATE TRIGGER {table}_keep_update BEFORE UPDATE ON {table} {when}"
            f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
        )
        return
    op.execute(f"DROP TRIGGER {table}_keep ON {table}")
    refuse = "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    if not but:
        op.execute(f"DROP TRIGGER {table}_keep_update ON {table}")
        op.execute(f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} {refuse}")
        return
    op.execute(f"CREATE TRIGGER {table}_keep BEFORE DELETE ON {table} {refuse}")
    op.execute(
        f"CREATE TRIGGER {table}_keep_update BEFORE UPDATE ON {table} "
        f"FOR EACH ROW WHEN ({but}) EXECUTE FUNCTION refuse_change()"
    )


def _but_emptying(column: str, others: tuple[str, ...]) -> str:
    blank, equal = "''", "IS NOT DISTINCT FROM"
    if op.get_bind().dialect.name == "sqlite":
        blank, equal = "x''" if column == "content" else "''", "IS"
    same = [f"NEW.{one} {equal} OLD.{one}" for one in others]
    return f"NOT ({' AND '.join([f'NEW.{column} = {blank}', *same])})"


def _seal() -> None:
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


def _open() -> None:
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
