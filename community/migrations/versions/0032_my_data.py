"""Members ask to be erased; retention runs daily; accounts of payers and stored answers are sealed.

What is there is sealed with the keys of the settings, the accounts that are known get their blind
index, and of the account by which a line was matched only the end is kept. Down again, it is opened
but for that: both ways need the keys.

Not additive: the servers of before read the columns that are sealed as plain text and would show and
compare the sealed forms, and write plain ones, which the database refuses. Stop them for it.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from community.database import UtcTime, new_public_id
from community.sealing import SEALED_CHARACTERS, Keyring, keys_of

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state = 'open'")


# Table, column, what names the row, what the column was, what it is, whether it may be empty.
SEALED: tuple[tuple[str, str, str, Any, Any, bool], ...] = (
    (
        "bank_lines",
        "payer_account",
        "public_id",
        sa.String(64),
        sa.String(SEALED_CHARACTERS),
        False,
    ),
    ("payer_accounts", "account", "public_id", sa.String(64), sa.String(SEALED_CHARACTERS), False),
    ("idempotency_keys", "body", "key", sa.Text(), sa.Text(), True),
)
PORTION = 5_000


def upgrade() -> None:
    _requests()
    _runs()
    with op.batch_alter_table("payer_accounts") as batch:
        batch.drop_constraint(op.f("uq_payer_accounts_community_id_account"), type_="unique")
        batch.add_column(sa.Column("public_id", sa.String(40), nullable=True))
        batch.add_column(sa.Column("account_index", sa.String(64), nullable=True))
    known = sa.table("payer_accounts", sa.column("id"), sa.column("public_id"))
    connection = op.get_bind()
    for (key,) in connection.execute(sa.select(known.c.id)).all():
        connection.execute(
            sa.update(known).where(known.c.id == key).values(public_id=new_public_id("pac"))
        )
    for table, column, row, before, after, may_lack in SEALED:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=before, type_=after, nullable=may_lack)
        if may_lack:
            there = sa.table(table, sa.column(column))
            connection.execute(sa.update(there).where(there.c[column] == "").values({column: None}))
        _rewrite(table, column, row, seal=True)
        with op.batch_alter_table(table) as batch:
            batch.create_check_constraint(
                op.f(f"ck_{table}_{column}_is_sealed"), f"{column} LIKE 'enc1:%:%'"
            )
    with op.batch_alter_table("payer_accounts") as batch:
        batch.alter_column("public_id", existing_type=sa.String(40), nullable=False)
        batch.alter_column("account_index", existing_type=sa.String(64), nullable=False)
        batch.create_unique_constraint(op.f("uq_payer_accounts_public_id"), ["public_id"])
        batch.create_unique_constraint(
            op.f("uq_payer_accounts_community_id_account_index"), ["community_id", "account_index"]
        )
    _shorten_matches()


def downgrade() -> None:
    with op.batch_alter_table("payer_accounts") as batch:
        batch.drop_constraint(op.f("uq_payer_accounts_community_id_account_index"), type_="unique")
        batch.drop_constraint(op.f("uq_payer_accounts_public_id"), type_="unique")
    connection = op.get_bind()
    for table, column, row, before, after, may_lack in reversed(SEALED):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_{column}_is_sealed"), type_="check")
        _rewrite(table, column, row, seal=False)
        if may_lack:
            there = sa.table(table, sa.column(column))
            connection.execute(
                sa.update(there).where(there.c[column].is_(None)).values({column: ""})
            )
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, existing_type=after, type_=before, nullable=False)
    with op.batch_alter_table("payer_accounts") as batch:
        batch.drop_column("account_index")
        batch.drop_column("public_id")
        batch.create_unique_constraint(
            op.f("uq_payer_accounts_community_id_account"), ["community_id", "account"]
        )
    op.drop_table("retention_runs")
    op.drop_table("erasure_requests")


def _runs() -> None:
    op.create_table(
        "retention_runs",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("run_on", sa.Date(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("kinds_done", sa.JSON(), nullable=False),
        sa.Column("lease_owner", sa.String(120), nullable=True),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.CheckConstraint(
            "(finished_at IS NULL) = (lease_owner IS NOT NULL)"
            " AND (lease_owner IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_retention_runs_leased_until_finished"),
        ),
        sa.CheckConstraint(
            "finished_at >= started_at", name=op.f("ck_retention_runs_finished_after_it_began")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_runs")),
        sa.UniqueConstraint("run_on", name=op.f("uq_retention_runs_run_on")),
    )


def _rewrite(table: str, column: str, row: str, *, seal: bool) -> None:
    connection = op.get_bind()
    keys: Keyring = keys_of(connection.dialect)
    rows = sa.table(
        table, sa.column("id"), sa.column(row), sa.column(column), sa.column("account_index")
    )
    where = {"table": table, "column": column}
    for there in _portions(sa.select(rows.c.id, rows.c[row], rows.c[column]), rows, column):
        changed = []
        for key, name, value in there:
            work = keys.seal if seal else keys.open
            changed.append({"of_row": key, "new": work(value, row=name, **where)})
            if seal and table == "payer_accounts":
                changed[-1]["found"] = keys.blind(value, **where)
        values: dict[str, Any] = {column: sa.bindparam("new")}
        if "found" in changed[0]:
            values["account_index"] = sa.bindparam("found")
        connection.execute(
            sa.update(rows).where(rows.c.id == sa.bindparam("of_row")).values(values), changed
        )


def _shorten_matches() -> None:
    """Of the account by which a line was matched its end is kept, as for new lines."""
    connection = op.get_bind()
    as_json = "CAST(:match AS json)" if connection.dialect.name == "postgresql" else ":match"
    rows = sa.table("bank_lines", sa.column("id"), sa.column("match", sa.JSON()))
    for there in _portions(sa.select(rows.c.id, rows.c.match), rows, "match"):
        changed = []
        for key, match in there:
            facts = [
                [kind, _ending_of(value) if kind == "account" else value]
                for kind, value in match["facts"]
            ]
            if facts != [list(fact) for fact in match["facts"]]:
                changed.append({"of_row": key, "match": json.dumps(match | {"facts": facts})})
        if changed:
            connection.execute(
                sa.text(f"UPDATE bank_lines SET match = {as_json} WHERE id = :of_row"), changed
            )


def _ending_of(account: str) -> str:
    return f"…{account[-4:]}" if len(account) >= 8 else "…"


def _portions(query: Any, rows: Any, column: str) -> Iterator[Any]:
    after = 0
    while True:
        there = (
            op.get_bind()
            .execute(
                query.where(rows.c.id > after, rows.c[column].is_not(None))
                .order_by(rows.c.id)
                .limit(PORTION)
            )
            .all()
        )
        if not there:
            return
        yield there
        after = there[-1][0]


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
