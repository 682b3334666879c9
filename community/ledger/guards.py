"""What the database itself holds against changing the past.

- Entries, postings and events refuse UPDATE, DELETE and TRUNCATE.
- A record is written right after the head of its book. Moving the head on to it seals it: the head
  has to be the hash of that very record, none may be missing on the way, and an entry has to
  balance. A sealed entry takes no more legs. PostgreSQL refuses to commit what is not sealed.
- A leg belongs to an account of the entry's book and currency.
- Books and accounts keep their places; a closed day is not opened again.
- A hold ends once, and what it was stays.

SQLite's INSERT OR REPLACE takes a row away without asking the triggers on DELETE: those on INSERT
refuse a row whose keys are there already. Whoever owns the tables can still take the guards away:
`checks` looks whether they are in place, and finds what was changed without them. Migrations state
the same in their own text, and a test compares.
"""

import re

from sqlalchemy import DDL, LargeBinary, Table, UniqueConstraint, event
from sqlalchemy.schema import ExecutableDDLElement

from community.ledger.models import Account, Book, Event, Hold, JournalEntry, Posting

GUARDED = ("journal_entries", "postings", "events")
# What besides may not lose a row.
KEPT = ("books", "accounts", "holds")

_PAST = "the past is not changed: post a correction instead"
_NEXT = "a record follows the head of its book"
_LEG = "a leg belongs to an entry that is being written, in its book and currency"
_PLACE = "books and accounts keep their places"
_HEAD = "the head of a book is the hash of its last record"
_UNSEALED = "a record is sealed by the head of its book before it is kept"
_BALANCE = "a journal entry does not balance"
_CLOSED = "a closed day is not opened again"
_HOLD = "a hold ends once and keeps what it was"

# Of the rows NEW and OLD of a book; both databases read it.
_HEAD_IS_WRONG = """
  (NEW.records <> OLD.records OR NEW.head_hash <> OLD.head_hash)
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
  )"""
_SEALED_IS_LOPSIDED = """
  EXISTS (SELECT 1 FROM journal_entries
          WHERE book_id = NEW.id AND seq > OLD.records AND seq <= NEW.records
            AND COALESCE((SELECT SUM(amount_minor) FROM postings
                          WHERE entry_id = journal_entries.id), 1) <> 0)"""
_IS_MOVED = "NEW.id <> OLD.id OR COALESCE(NEW.community_id, 0) <> COALESCE(OLD.community_id, 0)"
_IS_REOPENED = """
  OLD.closed_through IS NOT NULL
  AND (NEW.closed_through IS NULL OR NEW.closed_through < OLD.closed_through)"""
_HOLD_IS_CHANGED = """
  OLD.state <> 'pending' OR NEW.id <> OLD.id OR NEW.public_id <> OLD.public_id
  OR NEW.account_id <> OLD.account_id OR NEW.amount_minor <> OLD.amount_minor
  OR COALESCE(NEW.reference, '') <> COALESCE(OLD.reference, '')"""
_FOLLOWS = """
  EXISTS (SELECT 1 FROM books
          WHERE id = NEW.book_id AND records + 1 = NEW.seq AND head_hash = NEW.prev_hash)"""

_NOT_REPLACED = (
    "CREATE TRIGGER {0}_keep_insert BEFORE INSERT ON {0} "
    "WHEN EXISTS (SELECT 1 FROM {0} WHERE {1}) "
    "BEGIN SELECT RAISE(ABORT, '{2}'); END"
)
_REFUSE = "SELECT RAISE(ABORT, '{}') WHERE {};"


def _sqlite(name: str, when: str, *refusals: str) -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} {when}\nBEGIN\n{chr(10).join(refusals)}\nEND"


SQLITE: dict[str, str] = dict(
    [
        *(
            _sqlite(
                f"{table}_keep_{verb}",
                f"BEFORE {verb.upper()} ON {table}",
                f"SELECT RAISE(ABORT, '{_PAST}');",
            )
            for table in GUARDED
            for verb in ("update", "delete")
        ),
        *(
            _sqlite(
                f"{table}_keep_delete",
                f"BEFORE DELETE ON {table}",
                f"SELECT RAISE(ABORT, '{_PAST}');",
            )
            for table in KEPT
        ),
        _sqlite(
            "journal_entries_next",
            "BEFORE INSERT ON journal_entries",
            _REFUSE.format(
                _PAST,
                "EXISTS (SELECT 1 FROM journal_entries WHERE id = NEW.id"
                " OR (book_id = NEW.book_id AND seq = NEW.seq) OR reverses_id = NEW.reverses_id)",
            ),
            _REFUSE.format(_NEXT, f"NOT {_FOLLOWS.strip()}"),
        ),
        _sqlite(
            "events_next",
            "BEFORE INSERT ON events",
            _REFUSE.format(
                _PAST,
                "EXISTS (SELECT 1 FROM events WHERE id = NEW.id"
                " OR (book_id = NEW.book_id AND seq = NEW.seq))",
            ),
            _REFUSE.format(
                _NEXT,
                "NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records < NEW.seq)",
            ),
        ),
        _sqlite(
            "postings_next",
            "BEFORE INSERT ON postings",
            _REFUSE.format(_PAST, "EXISTS (SELECT 1 FROM postings WHERE id = NEW.id)"),
            _REFUSE.format(
                _LEG,
                "NOT EXISTS (SELECT 1 FROM journal_entries AS e, books AS b, accounts AS a"
                " WHERE e.id = NEW.entry_id AND b.id = e.book_id AND e.seq = b.records + 1"
                " AND a.id = NEW.account_id AND a.book_id = e.book_id AND a.currency = e.currency)",
            ),
        ),
        _sqlite(
            "accounts_next",
            "BEFORE INSERT ON accounts",
            _REFUSE.format(
                _PLACE,
                "EXISTS (SELECT 1 FROM accounts WHERE id = NEW.id OR (book_id = NEW.book_id"
                " AND kind = NEW.kind AND coalesce(member_id, 0) = coalesce(NEW.member_id, 0)"
                " AND currency = NEW.currency))",
            ),
        ),
        _sqlite(
            "accounts_keep",
            "BEFORE UPDATE OF id, book_id, kind, member_id, currency ON accounts",
            f"SELECT RAISE(ABORT, '{_PLACE}');",
        ),
        # A book that is there is not opened again, and whoever tries finds it: no refusal.
        _sqlite(
            "books_next",
            "BEFORE INSERT ON books",
            _REFUSE.format(_PLACE, "EXISTS (SELECT 1 FROM books WHERE id = NEW.id)"),
            "SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM books"
            " WHERE coalesce(community_id, 0) = coalesce(NEW.community_id, 0));",
        ),
        _sqlite(
            "books_keep",
            "BEFORE UPDATE ON books",
            _REFUSE.format(
                _PLACE,
                _IS_MOVED,
            ),
            _REFUSE.format(_CLOSED, _IS_REOPENED.strip()),
            _REFUSE.format(_HEAD, _HEAD_IS_WRONG.strip()),
            _REFUSE.format(_BALANCE, _SEALED_IS_LOPSIDED.strip()),
        ),
        _sqlite(
            "holds_next",
            "BEFORE INSERT ON holds",
            _REFUSE.format(
                _HOLD,
                "EXISTS (SELECT 1 FROM holds WHERE id = NEW.id OR public_id = NEW.public_id"
                " OR reference = NEW.reference)",
            ),
        ),
        _sqlite(
            "holds_keep",
            "BEFORE UPDATE ON holds",
            _REFUSE.format(_HOLD, _HOLD_IS_CHANGED.strip()),
        ),
    ]
)


def _function(name: str, *body: str) -> str:
    lines = "\n".join(body)
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        f"BEGIN\n{lines}\nEND $$"
    )


def _raise(text: str, state: str = "restrict_violation") -> str:
    return f"RAISE EXCEPTION '{text}' USING ERRCODE = '{state}';"


def _refuse(text: str, condition: str, state: str = "restrict_violation") -> str:
    return f"IF {condition.strip()} THEN\n  {_raise(text, state)}\nEND IF;"


POSTGRESQL_FUNCTIONS: dict[str, str] = {
    "refuse_change": _function("refuse_change", _raise(_PAST)),
    "keep_place": _function("keep_place", _raise(_PLACE)),
    "next_entry": _function("next_entry", _refuse(_NEXT, f"NOT {_FOLLOWS.strip()}"), "RETURN NEW;"),
    "next_event": _function(
        "next_event",
        _refuse(
            _NEXT, "NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records < NEW.seq)"
        ),
        "RETURN NEW;",
    ),
    # Once for a statement, however many legs it brings.
    "next_postings": _function(
        "next_postings",
        _refuse(
            _LEG,
            "EXISTS (SELECT 1 FROM added JOIN journal_entries AS e ON e.id = added.entry_id"
            " JOIN books AS b ON b.id = e.book_id JOIN accounts AS a ON a.id = added.account_id"
            " WHERE e.seq <> b.records + 1 OR a.book_id <> e.book_id"
            " OR a.currency <> e.currency)",
        ),
        "RETURN NULL;",
    ),
    "keep_book": _function(
        "keep_book",
        _refuse(_PLACE, _IS_MOVED),
        _refuse(_CLOSED, _IS_REOPENED),
        _refuse(_HEAD, _HEAD_IS_WRONG),
        _refuse(_BALANCE, _SEALED_IS_LOPSIDED, "check_violation"),
        "RETURN NEW;",
    ),
    "keep_hold": _function("keep_hold", _refuse(_HOLD, _HOLD_IS_CHANGED), "RETURN NEW;"),
    "refuse_unsealed": _function(
        "refuse_unsealed",
        _refuse(
            _UNSEALED,
            "NOT EXISTS (SELECT 1 FROM books WHERE id = NEW.book_id AND records >= NEW.seq)",
        ),
        "RETURN NULL;",
    ),
}


def _postgresql(name: str, when: str, function: str, each: str = "ROW") -> tuple[str, str]:
    return name, f"CREATE TRIGGER {name} {when} FOR EACH {each} EXECUTE FUNCTION {function}()"


POSTGRESQL: dict[str, str] = dict(
    [
        *(
            _postgresql(f"{table}_keep", f"BEFORE UPDATE OR DELETE ON {table}", "refuse_change")
            for table in GUARDED
        ),
        *(
            _postgresql(f"{table}_keep_delete", f"BEFORE DELETE ON {table}", "refuse_change")
            for table in KEPT
        ),
        *(
            _postgresql(
                f"{table}_keep_all", f"BEFORE TRUNCATE ON {table}", "refuse_change", "STATEMENT"
            )
            for table in (*GUARDED, *KEPT)
        ),
        _postgresql("journal_entries_next", "BEFORE INSERT ON journal_entries", "next_entry"),
        _postgresql("events_next", "BEFORE INSERT ON events", "next_event"),
        _postgresql(
            "postings_next",
            "AFTER INSERT ON postings REFERENCING NEW TABLE AS added",
            "next_postings",
            "STATEMENT",
        ),
        _postgresql(
            "accounts_keep",
            "BEFORE UPDATE OF id, book_id, kind, member_id, currency ON accounts",
            "keep_place",
        ),
        _postgresql("books_keep", "BEFORE UPDATE ON books", "keep_book"),
        _postgresql("holds_keep", "BEFORE UPDATE ON holds", "keep_hold"),
        *(
            (
                f"{table}_sealed",
                f"CREATE CONSTRAINT TRIGGER {table}_sealed AFTER INSERT ON {table} "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_unsealed()",
            )
            for table in ("journal_entries", "events")
        ),
    ]
)

_MODELS = (Book, Account, JournalEntry, Posting, Hold, Event)


def _guard(table: Table) -> None:
    for function in POSTGRESQL_FUNCTIONS.values():
        event.listen(table, "after_create", _ddl(function, "postgresql"))
    for dialect, statements in (("sqlite", SQLITE), ("postgresql", POSTGRESQL)):
        for statement in statements.values():
            if _table_of(statement) == table.name:
                event.listen(table, "after_create", _ddl(statement, dialect))


def keep_history(table: Table, *, may_empty: str = "") -> None:
    """Have a table of another room keep its rows too, from the moment it is made.

    It refuses UPDATE and DELETE, TRUNCATE on PostgreSQL, and INSERT OR REPLACE on SQLite. The
    column `may_empty`, a text or a picture about somebody, may be emptied: it can be taken out of
    the past, and nothing can be put in its place.
    """
    # The trigger's function is made with the journal.
    table.add_is_dependent_on(JournalEntry.metadata.tables[JournalEntry.__tablename__])
    name = table.name
    statements = [
        (
            "postgresql",
            f"CREATE TRIGGER {name}_keep BEFORE UPDATE OR DELETE ON {name} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        ),
        (
            "postgresql",
            f"CREATE TRIGGER {name}_keep_all BEFORE TRUNCATE ON {name} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ),
        (
            "sqlite",
            _NOT_REPLACED.format(name, _is_there(table), _PAST),
        ),
        *(
            (
                "sqlite",
                f"CREATE TRIGGER {name}_keep_{verb} BEFORE {verb.upper()} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{_PAST}'); END",
            )
            for verb in ("update", "delete")
        ),
    ]
    for dialect, statement in statements:
        for one in (
            _but_emptying(table, may_empty, dialect, statement) if may_empty else [statement]
        ):
            event.listen(table, "after_create", _ddl(one, dialect))


def _but_emptying(table: Table, column: str, dialect: str, statement: str) -> list[str]:
    """The same guard, for all changes but one: that the column is emptied and nothing else."""
    name = table.name
    blank = "x''" if isinstance(table.c[column].type, LargeBinary) else "''"
    equal = "IS"
    if dialect == "postgresql":
        blank, equal = "''", "IS NOT DISTINCT FROM"
    same = [f"NEW.{one.name} {equal} OLD.{one.name}" for one in table.columns if one.name != column]
    other = f"NOT ({' AND '.join([f'NEW.{column} = {blank}', *same])})"
    if " BEFORE UPDATE OR DELETE ON " in statement:
        # What may be asked of a change cannot be asked of a deletion: a trigger for each.
        return [
            statement.replace("UPDATE OR DELETE", "DELETE"),
            f"CREATE TRIGGER {name}_keep_update BEFORE UPDATE ON {name} "
            f"FOR EACH ROW WHEN ({other}) EXECUTE FUNCTION refuse_change()",
        ]
    if " BEFORE UPDATE ON " in statement:
        return [statement.replace(" BEGIN ", f" WHEN {other} BEGIN ")]
    return [statement]


def _is_there(table: Table) -> str:
    """Whether one of the keys of the row NEW is a kept row's."""
    assert not any(index.unique for index in table.indexes), table.name
    uniques = sorted(
        [column.name for column in item.columns]
        for item in table.constraints
        if isinstance(item, UniqueConstraint)
    )
    keys = [[column.name for column in table.primary_key], *uniques]
    same = (" AND ".join(f"{column} = NEW.{column}" for column in key) for key in keys)
    return " OR ".join(f"({key})" for key in same)


def _table_of(statement: str) -> str:
    found = re.search(r" ON (\w+)", statement)
    assert found is not None
    return found[1]


def _ddl(statement: str, dialect: str) -> ExecutableDDLElement:
    # DDL() fills in %-patterns of its own.
    ddl: ExecutableDDLElement = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
    return ddl.execute_if(dialect=dialect)


for _model in _MODELS:
    _guard(_model.metadata.tables[_model.__tablename__])
