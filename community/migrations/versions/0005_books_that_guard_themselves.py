"""Holds beside balances, value dates that are not later, and books that guard themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DEBITS = (
    "fee_receivable",
    "interest_receivable",
    "lending_cash",
    "loan_principal",
    "penalty_receivable",
    "provision_expense",
    "recourse_receivable",
    "savings_cash",
    "write_off",
)
IS_DEBIT = " OR ".join(f"kind = '{kind}'" for kind in DEBITS)
BEFORE = f"balance_minor = 0 OR (balance_minor > 0) = ({IS_DEBIT})"
AFTER = f"balance_minor + held_minor = 0 OR (balance_minor + held_minor > 0) = ({IS_DEBIT})"
PAST = "the past is not changed: post a correction instead"
OLD_GUARDED = ("journal_entries", "postings", "events")
REFUSE_UNBALANCED = """
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF COALESCE((SELECT SUM(amount_minor) FROM postings WHERE entry_id = NEW.id), 1) <> 0 THEN
    RAISE EXCEPTION 'journal entry % does not balance', NEW.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""

SQLITE = {
    "journal_entries_keep_update": """
CREATE TRIGGER journal_entries_keep_update BEFORE UPDATE ON journal_entries
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "journal_entries_keep_delete": """
CREATE TRIGGER journal_entries_keep_delete BEFORE DELETE ON journal_entries
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "postings_keep_update": """
CREATE TRIGGER postings_keep_update BEFORE UPDATE ON postings
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "postings_keep_delete": """
CREATE TRIGGER postings_keep_delete BEFORE DELETE ON postings
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "events_keep_update": """
CREATE TRIGGER events_keep_update BEFORE UPDATE ON events
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "events_keep_delete": """
CREATE TRIGGER events_keep_delete BEFORE DELETE ON events
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "books_keep_delete": """
CREATE TRIGGER books_keep_delete BEFORE DELETE ON books
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "accounts_keep_delete": """
CREATE TRIGGER accounts_keep_delete BEFORE DELETE ON accounts
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "holds_keep_delete": """
CREATE TRIGGER holds_keep_delete BEFORE DELETE ON holds
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead');
END
""",
    "journal_entries_next": """
CREATE TRIGGER journal_entries_next BEFORE INSERT ON journal_entries
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead') WHERE EXISTS (SELECT 1 FROM journal_entries WHERE id = NEW.id OR (book_id = NEW.book_id AND seq = NEW.seq) OR reverses_id = NEW.reverses_id);
SELECT RAISE(ABORT, 'a record follows the head of its book') WHERE NOT EXISTS (SELECT 1 FROM books
          WHERE id = NEW.book_id AND records + 1 = NEW.seq AND head_hash = NEW.prev_hash);
END
""",
    "events_next": """
CREATE TRIGGER events_next BEFORE INSERT ON events
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead') WHERE EXISTS (SELECT 1 FROM events WHERE id = NEW.id OR (book_id = NEW.book_id AND seq = NEW.seq));
SELECT RAISE(ABORT, 'a record follows the head of its book') WHERE NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records < NEW.seq);
END
""",
    "postings_next": """
CREATE TRIGGER postings_next BEFORE INSERT ON postings
BEGIN
SELECT RAISE(ABORT, 'the past is not changed: post a correction instead') WHERE EXISTS (SELECT 1 FROM postings WHERE id = NEW.id);
SELECT RAISE(ABORT, 'a leg belongs to an entry that is being written, in its book and currency') WHERE NOT EXISTS (SELECT 1 FROM journal_entries AS e, books AS b, accounts AS a WHERE e.id = NEW.entry_id AND b.id = e.book_id AND e.seq = b.records + 1 AND a.id = NEW.account_id AND a.book_id = e.book_id AND a.currency = e.currency);
END
""",
    "accounts_next": """
CREATE TRIGGER accounts_next BEFORE INSERT ON accounts
BEGIN
SELECT RAISE(ABORT, 'books and accounts keep their places') WHERE EXISTS (SELECT 1 FROM accounts WHERE id = NEW.id OR (book_id = NEW.book_id AND kind = NEW.kind AND coalesce(member_id, 0) = coalesce(NEW.member_id, 0) AND currency = NEW.currency));
END
""",
    "accounts_keep": """
CREATE TRIGGER accounts_keep BEFORE UPDATE OF id, book_id, kind, member_id, currency ON accounts
BEGIN
SELECT RAISE(ABORT, 'books and accounts keep their places');
END
""",
    "books_next": """
CREATE TRIGGER books_next BEFORE INSERT ON books
BEGIN
SELECT RAISE(ABORT, 'books and accounts keep their places') WHERE EXISTS (SELECT 1 FROM books WHERE id = NEW.id);
SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM books WHERE coalesce(community_id, 0) = coalesce(NEW.community_id, 0));
END
""",
    "books_keep": """
CREATE TRIGGER books_keep BEFORE UPDATE ON books
BEGIN
SELECT RAISE(ABORT, 'books and accounts keep their places') WHERE NEW.id <> OLD.id OR COALESCE(NEW.community_id, 0) <> COALESCE(OLD.community_id, 0);
SELECT RAISE(ABORT, 'a closed day is not opened again') WHERE OLD.closed_through IS NOT NULL
  AND (NEW.closed_through IS NULL OR NEW.closed_through < OLD.closed_through);
SELECT RAISE(ABORT, 'the head of a book is the hash of its last record') WHERE (NEW.records <> OLD.records OR NEW.head_hash <> OLD.head_hash)
  AND (
    NEW.records <= OLD.records
    OR NEW.records - OLD.records
      <> (SELECT count(*) FROM journal_entries
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records)
       + (SELECT count(*) FROM events
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records)
    OR (NOT EXISTS (SELECT 1 FROM journal_entries
                    WHERE book_id = NEW.id AND seq = NEW.records AND hash = NEW.head_hash)
        AND NOT EXISTS (SELECT 1 FROM events
                        WHERE book_id = NEW.id AND seq = NEW.records AND hash = NEW.head_hash))
  );
SELECT RAISE(ABORT, 'a journal entry does not balance') WHERE EXISTS (SELECT 1 FROM journal_entries
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records
            AND COALESCE((SELECT SUM(amount_minor) FROM postings
                          WHERE entry_id = journal_entries.id), 1) <> 0);
END
""",
    "holds_next": """
CREATE TRIGGER holds_next BEFORE INSERT ON holds
BEGIN
SELECT RAISE(ABORT, 'a hold ends once and keeps what it was') WHERE EXISTS (SELECT 1 FROM holds WHERE id = NEW.id OR public_id = NEW.public_id OR reference = NEW.reference);
END
""",
    "holds_keep": """
CREATE TRIGGER holds_keep BEFORE UPDATE ON holds
BEGIN
SELECT RAISE(ABORT, 'a hold ends once and keeps what it was') WHERE OLD.state <> 'pending' OR NEW.id <> OLD.id OR NEW.public_id <> OLD.public_id
  OR NEW.account_id <> OLD.account_id OR NEW.amount_minor <> OLD.amount_minor
  OR COALESCE(NEW.reference, '') <> COALESCE(OLD.reference, '');
END
""",
}
FUNCTIONS = {
    "refuse_change": """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'the past is not changed: post a correction instead' USING ERRCODE = 'restrict_violation';
END $$
""",
    "keep_place": """
CREATE OR REPLACE FUNCTION keep_place() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
RAISE EXCEPTION 'books and accounts keep their places' USING ERRCODE = 'restrict_violation';
END $$
""",
    "next_entry": """
CREATE OR REPLACE FUNCTION next_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF NOT EXISTS (SELECT 1 FROM books
          WHERE id = NEW.book_id AND records + 1 = NEW.seq AND head_hash = NEW.prev_hash) THEN
  RAISE EXCEPTION 'a record follows the head of its book' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NEW;
END $$
""",
    "next_event": """
CREATE OR REPLACE FUNCTION next_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records < NEW.seq) THEN
  RAISE EXCEPTION 'a record follows the head of its book' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NEW;
END $$
""",
    "next_postings": """
CREATE OR REPLACE FUNCTION next_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF EXISTS (SELECT 1 FROM added JOIN journal_entries AS e ON e.id = added.entry_id JOIN books AS b ON b.id = e.book_id JOIN accounts AS a ON a.id = added.account_id WHERE e.seq <> b.records + 1 OR a.book_id <> e.book_id OR a.currency <> e.currency) THEN
  RAISE EXCEPTION 'a leg belongs to an entry that is being written, in its book and currency' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NULL;
END $$
""",
    "keep_book": """
CREATE OR REPLACE FUNCTION keep_book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF NEW.id <> OLD.id OR COALESCE(NEW.community_id, 0) <> COALESCE(OLD.community_id, 0) THEN
  RAISE EXCEPTION 'books and accounts keep their places' USING ERRCODE = 'restrict_violation';
END IF;
IF OLD.closed_through IS NOT NULL
  AND (NEW.closed_through IS NULL OR NEW.closed_through < OLD.closed_through) THEN
  RAISE EXCEPTION 'a closed day is not opened again' USING ERRCODE = 'restrict_violation';
END IF;
IF (NEW.records <> OLD.records OR NEW.head_hash <> OLD.head_hash)
  AND (
    NEW.records <= OLD.records
    OR NEW.records - OLD.records
      <> (SELECT count(*) FROM journal_entries
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records)
       + (SELECT count(*) FROM events
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records)
    OR (NOT EXISTS (SELECT 1 FROM journal_entries
                    WHERE book_id = NEW.id AND seq = NEW.records AND hash = NEW.head_hash)
        AND NOT EXISTS (SELECT 1 FROM events
                        WHERE book_id = NEW.id AND seq = NEW.records AND hash = NEW.head_hash))
  ) THEN
  RAISE EXCEPTION 'the head of a book is the hash of its last record' USING ERRCODE = 'restrict_violation';
END IF;
IF EXISTS (SELECT 1 FROM journal_entries
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records
            AND COALESCE((SELECT SUM(amount_minor) FROM postings
                          WHERE entry_id = journal_entries.id), 1) <> 0) THEN
  RAISE EXCEPTION 'a journal entry does not balance' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
END $$
""",
    "keep_hold": """
CREATE OR REPLACE FUNCTION keep_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF OLD.state <> 'pending' OR NEW.id <> OLD.id OR NEW.public_id <> OLD.public_id
  OR NEW.account_id <> OLD.account_id OR NEW.amount_minor <> OLD.amount_minor
  OR COALESCE(NEW.reference, '') <> COALESCE(OLD.reference, '') THEN
  RAISE EXCEPTION 'a hold ends once and keeps what it was' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NEW;
END $$
""",
    "refuse_unsealed": """
CREATE OR REPLACE FUNCTION refuse_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
IF NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records >= NEW.seq) THEN
  RAISE EXCEPTION 'a record is sealed by the head of its book before it is kept' USING ERRCODE = 'restrict_violation';
END IF;
RETURN NULL;
END $$
""",
}
POSTGRESQL = {
    "journal_entries_keep": """
CREATE TRIGGER journal_entries_keep BEFORE UPDATE OR DELETE ON journal_entries FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "postings_keep": """
CREATE TRIGGER postings_keep BEFORE UPDATE OR DELETE ON postings FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "events_keep": """
CREATE TRIGGER events_keep BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "books_keep_delete": """
CREATE TRIGGER books_keep_delete BEFORE DELETE ON books FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "accounts_keep_delete": """
CREATE TRIGGER accounts_keep_delete BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "holds_keep_delete": """
CREATE TRIGGER holds_keep_delete BEFORE DELETE ON holds FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    "journal_entries_keep_all": """
CREATE TRIGGER journal_entries_keep_all BEFORE TRUNCATE ON journal_entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "postings_keep_all": """
CREATE TRIGGER postings_keep_all BEFORE TRUNCATE ON postings FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "events_keep_all": """
CREATE TRIGGER events_keep_all BEFORE TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "books_keep_all": """
CREATE TRIGGER books_keep_all BEFORE TRUNCATE ON books FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "accounts_keep_all": """
CREATE TRIGGER accounts_keep_all BEFORE TRUNCATE ON accounts FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "holds_keep_all": """
CREATE TRIGGER holds_keep_all BEFORE TRUNCATE ON holds FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
""",
    "journal_entries_next": """
CREATE TRIGGER journal_entries_next BEFORE INSERT ON journal_entries FOR EACH ROW EXECUTE FUNCTION next_entry()
""",
    "events_next": """
CREATE TRIGGER events_next BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION next_event()
""",
    "postings_next": """
CREATE TRIGGER postings_next AFTER INSERT ON postings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION next_postings()
""",
    "accounts_keep": """
CREATE TRIGGER accounts_keep BEFORE UPDATE OF id, book_id, kind, member_id, currency ON accounts FOR EACH ROW EXECUTE FUNCTION keep_place()
""",
    "books_keep": """
CREATE TRIGGER books_keep BEFORE UPDATE ON books FOR EACH ROW EXECUTE FUNCTION keep_book()
""",
    "holds_keep": """
CREATE TRIGGER holds_keep BEFORE UPDATE ON holds FOR EACH ROW EXECUTE FUNCTION keep_hold()
""",
    "journal_entries_sealed": """
CREATE CONSTRAINT TRIGGER journal_entries_sealed AFTER INSERT ON journal_entries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unsealed()
""",
    "events_sealed": """
CREATE CONSTRAINT TRIGGER events_sealed AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unsealed()
""",
}


def upgrade() -> None:
    # SQLite makes a table anew to alter it: its triggers, and those that name it, go before.
    _drop_old_guards()
    _accounts_anew(upwards=True)
    with op.batch_alter_table("journal_entries") as batch_op:
        batch_op.create_check_constraint(
            op.f("ck_journal_entries_value_not_later"), "value_on <= business_on"
        )
    _create_holds()
    if _is_sqlite():
        for statement in SQLITE.values():
            op.execute(statement)
        return
    for statement in (*FUNCTIONS.values(), *POSTGRESQL.values()):
        op.execute(statement)


def downgrade() -> None:
    if _is_sqlite():
        for name in SQLITE:
            op.execute(f"DROP TRIGGER {name}")
    else:
        for name in FUNCTIONS:
            op.execute(f"DROP FUNCTION {name} CASCADE")
    with op.batch_alter_table("holds") as batch_op:
        batch_op.drop_index("ix_holds_account_state")
    op.drop_table("holds")
    with op.batch_alter_table("journal_entries") as batch_op:
        batch_op.drop_constraint(op.f("ck_journal_entries_value_not_later"), type_="check")
    _accounts_anew(upwards=False)
    _create_old_guards()


def _accounts_anew(*, upwards: bool) -> None:
    # An index over an expression is not carried over to the new table: it is made again by hand.
    op.drop_index("uq_accounts_place", table_name="accounts")
    with op.batch_alter_table("accounts") as batch_op:
        batch_op.drop_constraint(op.f("ck_accounts_never_overdrawn"), type_="check")
        if upwards:
            batch_op.add_column(
                sa.Column("held_minor", sa.BigInteger(), nullable=False, server_default="0")
            )
            batch_op.create_check_constraint(
                op.f("ck_accounts_held_on_savings"),
                "held_minor = 0 OR (held_minor > 0 AND kind = 'member_savings')",
            )
            if _is_sqlite():
                batch_op.create_check_constraint(
                    op.f("ck_accounts_held_minor_is_whole"),
                    "typeof(held_minor) IN ('integer', 'null')",
                )
        else:
            batch_op.drop_constraint(op.f("ck_accounts_held_on_savings"), type_="check")
            if _is_sqlite():
                batch_op.drop_constraint(op.f("ck_accounts_held_minor_is_whole"), type_="check")
            batch_op.drop_column("held_minor")
        batch_op.create_check_constraint(
            op.f("ck_accounts_never_overdrawn"), AFTER if upwards else BEFORE
        )
    if upwards:
        # The default was for the rows that were there.
        with op.batch_alter_table("accounts") as batch_op:
            batch_op.alter_column("held_minor", server_default=None)
    op.create_index(
        "uq_accounts_place",
        "accounts",
        ["book_id", "kind", sa.text("coalesce(member_id, 0)"), "currency"],
        unique=True,
    )


def _create_holds() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "holds",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("posted_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "posted",
                "voided",
                name="hold_state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("placed_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("placed_by_id", number, nullable=True),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("ended_by_id", number, nullable=True),
        sa.Column("end_reason", sa.String(length=500), nullable=False),
        sa.Column("entry_id", number, nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_holds_amount_is_positive")),
        sa.CheckConstraint(
            "posted_minor >= 0 AND posted_minor <= amount_minor",
            name=op.f("ck_holds_posted_within"),
        ),
        sa.CheckConstraint("expires_on >= placed_on", name=op.f("ck_holds_expires_after_placing")),
        sa.CheckConstraint(
            "(state = 'pending') = (ended_on IS NULL)", name=op.f("ck_holds_ends_once")
        ),
        sa.CheckConstraint(
            "(state = 'posted') = (entry_id IS NOT NULL)"
            " AND (state = 'posted') = (posted_minor > 0)",
            name=op.f("ck_holds_posted_has_entry"),
        ),
        sa.CheckConstraint(
            "typeof(amount_minor) IN ('integer', 'null')",
            name=op.f("ck_holds_amount_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        sa.CheckConstraint(
            "typeof(posted_minor) IN ('integer', 'null')",
            name=op.f("ck_holds_posted_minor_is_whole"),
        ).ddl_if(dialect="sqlite"),
        *(
            sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_holds_{column}"))
            for column, target in (
                ("account_id", "accounts.id"),
                ("placed_by_id", "members.id"),
                ("ended_by_id", "members.id"),
                ("entry_id", "journal_entries.id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
        sa.UniqueConstraint("public_id", name=op.f("uq_holds_public_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_holds_reference")),
    )
    with op.batch_alter_table("holds") as batch_op:
        batch_op.create_index("ix_holds_account_state", ["account_id", "state"], unique=False)


def _drop_old_guards() -> None:
    if _is_sqlite():
        for table in OLD_GUARDED:
            for verb in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_keep_{verb}")
        return
    for function in ("refuse_change", "refuse_unbalanced"):
        op.execute(f"DROP FUNCTION {function} CASCADE")


def _create_old_guards() -> None:
    if _is_sqlite():
        for table in OLD_GUARDED:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{PAST}'); END"
                )
        return
    op.execute(FUNCTIONS["refuse_change"])
    op.execute(REFUSE_UNBALANCED)
    for table in OLD_GUARDED:
        op.execute(
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE CONSTRAINT TRIGGER journal_entries_balance AFTER INSERT ON journal_entries "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced()"
    )


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"
