"""What the database itself holds against changing the past.

Journal entries, postings, accrual lines and events refuse UPDATE and DELETE; on PostgreSQL a
deferred trigger also refuses the commit of an entry that does not balance. Migrations state the
same in their own text, and a test compares the triggers that are there with `GUARDED`.
"""

from sqlalchemy import DDL, Table, event
from sqlalchemy.schema import ExecutableDDLElement

from community.ledger.models import Event, JournalEntry, Posting

GUARDED = ("journal_entries", "postings", "events", "accrual_lines")

_REFUSE = "the past is not changed: post a correction instead"

SQLITE = {
    f"{table}_keep_{verb}": (
        f"CREATE TRIGGER {table}_keep_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
    )
    for table in GUARDED
    for verb in ("update", "delete")
}

POSTGRESQL_FUNCTIONS = (
    f"""
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '{_REFUSE}' USING ERRCODE = 'restrict_violation'; END $$
""",
    """
CREATE OR REPLACE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF COALESCE((SELECT SUM(amount_minor) FROM postings WHERE entry_id = NEW.id), 1) <> 0 THEN
    RAISE EXCEPTION 'journal entry % does not balance', NEW.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
""",
)

POSTGRESQL = {
    **{
        f"{table}_keep": (
            f"CREATE TRIGGER {table}_keep BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        for table in GUARDED
    },
    "journal_entries_balance": (
        "CREATE CONSTRAINT TRIGGER journal_entries_balance AFTER INSERT ON journal_entries "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unbalanced()"
    ),
}


def guard(table: Table) -> None:
    """Have the triggers of a guarded table made whenever the table is."""
    for function in POSTGRESQL_FUNCTIONS:
        event.listen(table, "after_create", _ddl(function, "postgresql"))
    for dialect, statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for statement in statements.values():
            if f" ON {table.name} " in statement:
                event.listen(table, "after_create", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    # DDL() fills in %-patterns of its own.
    ddl: ExecutableDDLElement = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    return ddl.execute_if(dialect=dialect)


for _model in (JournalEntry, Posting, Event):
    guard(_model.metadata.tables[_model.__tablename__])
