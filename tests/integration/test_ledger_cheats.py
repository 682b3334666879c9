"""Cheating by raw SQL: what the database can refuse it refuses; the rest the verifier finds.

`CHEATS` are tried on books with their guards. `FORGERIES` are done by somebody who owns the tables:
guards, references and checks are put to sleep meanwhile and woken again, so that only the rows show
it; the verifier has to name the row first of all.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from community.engine import make_engine, session_factory
from community.ledger.checks import check_ledger
from community.ledger.guards import SQLITE
from tests.books import a_book_with_records
from tests.databases import database_copy

PAST = "the past is not changed"
NEXT = "a record follows the head"
LEG = "a leg belongs to an entry that is being written"
PLACE = "books and accounts keep their places"
HEAD = "the head of a book is the hash of its last record"
CLOSED = "a closed day is not opened again"
HOLD = "a hold ends once"
FOREIGN = "foreign key|FOREIGN KEY"

ENTRY = (
    "{verb} INTO journal_entries (id, book_id, seq, kind, currency, business_on, value_on,"
    " recorded_at, reference, reverses_id, prev_hash, hash) SELECT {id}, 1, {seq}, 'forged', 'CNY',"
    " '2026-05-04', '{value_on}', '2026-05-04 08:30:00', 'x', {reverses}, {prev}, '{hash}'"
    " FROM books WHERE id = 1"
)
EVENT = (
    "{verb} INTO events (id, book_id, seq, kind, subject, recorded_at, facts, prev_hash, hash)"
    " SELECT {id}, 1, {seq}, 'forged', 'x', '2026-05-04 08:30:00', '{{}}', head_hash, 'f'"
    " FROM books WHERE id = 1"
)


def entry(
    verb: str = "INSERT",
    *,
    id: int = 99,
    seq: str = "records + 1",
    prev: str = "head_hash",
    hash: str = "f",
    value_on: str = "2026-05-04",
    reverses: str = "NULL",
) -> str:
    return ENTRY.format(
        verb=verb, id=id, seq=seq, prev=prev, hash=hash, value_on=value_on, reverses=reverses
    )


def event(verb: str = "INSERT", *, id: int = 99, seq: str = "records + 1") -> str:
    return EVENT.format(verb=verb, id=id, seq=seq)


def legs(*amounts: int, entry_id: int = 99) -> str:
    rows = ", ".join(f"({entry_id}, {n}, {amount})" for n, amount in enumerate(amounts, 1))
    return f"INSERT INTO postings (entry_id, account_id, amount_minor) VALUES {rows}"


SEALED = "UPDATE books SET records = records + 1, head_hash = 'f' WHERE id = 1"
REPLACE = "INSERT OR REPLACE"


@dataclass(frozen=True)
class Cheat:
    """Statements of which the last one, or the commit behind it, is refused."""

    name: str
    refusal: str
    statements: tuple[str, ...]
    on: tuple[str, ...] = ("sqlite", "postgresql")


def cheat(name: str, refusal: str, *statements: str, on: str = "sqlite postgresql") -> Cheat:
    return Cheat(name, refusal, statements, tuple(on.split()))


CHEATS = [
    *(
        cheat(f"{verb} of {table}", PAST, statement.format(table))
        for table in ("journal_entries", "postings", "events")
        for verb, statement in (
            ("an update", "UPDATE {} SET id = id"),
            ("a deletion", "DELETE FROM {}"),
        )
    ),
    *(
        cheat(f"a truncation of {table}", PAST, f"TRUNCATE {table} CASCADE", on="postgresql")
        for table in ("journal_entries", "postings", "events", "holds", "accounts", "books")
    ),
    cheat("a truncation from far above", PAST, "TRUNCATE members CASCADE", on="postgresql"),
    cheat("moving a leg to another account", PAST, "UPDATE postings SET account_id = 3"),
    cheat("a change that replaces", PAST, "UPDATE OR REPLACE postings SET id = 2", on="sqlite"),
    cheat(
        "an upsert",
        PAST,
        "INSERT INTO postings (id, entry_id, account_id, amount_minor) VALUES (1, 1, 1, 5)"
        " ON CONFLICT (id) DO UPDATE SET amount_minor = 5",
    ),
    # Entries.
    cheat("an entry out of turn", NEXT, entry(seq="records + 2")),
    cheat("an entry of long ago", f"{NEXT}|{PAST}", entry(seq="2")),
    cheat("an entry that follows nothing", NEXT, entry(prev="'x'")),
    cheat("sealing what does not balance", "does not balance", entry(), legs(5, -4), SEALED),
    cheat("sealing what has no legs", "does not balance", entry(), SEALED),
    cheat("a value of tomorrow", "(?i)check", entry(value_on="2026-05-05")),
    cheat("replacing an entry", PAST, entry(REPLACE, id=1), on="sqlite"),
    cheat("replacing an entry by its number", PAST, entry(REPLACE, seq="1"), on="sqlite"),
    cheat(
        "replacing the reversal of an entry",
        PAST,
        entry(id=98, reverses="1"),
        legs(5, -5, entry_id=98),
        SEALED,
        entry(REPLACE, reverses="1"),
        on="sqlite",
    ),
    # Events.
    cheat("an event out of turn", f"{NEXT}|{PAST}", event(seq="records")),
    cheat("replacing an event", PAST, event(REPLACE, id=1), on="sqlite"),
    cheat("replacing an event by its number", PAST, event(REPLACE, seq="records"), on="sqlite"),
    # Legs.
    cheat("more legs for an old entry", LEG, legs(5, -5, entry_id=1)),
    cheat("one leg for an old entry", LEG, legs(5, entry_id=2)),
    cheat("a leg for no entry", f"{LEG}|{FOREIGN}", legs(5, entry_id=77)),
    cheat(
        "a leg on an account of another book",
        LEG,
        "INSERT INTO books (id, records, head_hash) VALUES (50, 0, 'x')",
        "INSERT INTO accounts (id, book_id, kind, currency, balance_minor, held_minor)"
        " VALUES (1000, 50, 'savings_cash', 'CNY', 0, 0)",
        entry(),
        "INSERT INTO postings (entry_id, account_id, amount_minor) VALUES (99, 1000, 5)",
    ),
    cheat(
        "a leg in another currency",
        LEG,
        "INSERT INTO accounts (id, book_id, kind, currency, balance_minor, held_minor)"
        " VALUES (1000, 1, 'savings_cash', 'USD', 0, 0)",
        entry(),
        "INSERT INTO postings (entry_id, account_id, amount_minor) VALUES (99, 1000, 5)",
    ),
    cheat(
        "replacing a leg",
        PAST,
        entry(),
        f"{REPLACE} INTO postings (id, entry_id, account_id, amount_minor) VALUES (1, 99, 1, 5)",
        on="sqlite",
    ),
    # Books.
    cheat("editing a head", HEAD, "UPDATE books SET head_hash = 'f'"),
    cheat("moving a head on", HEAD, "UPDATE books SET records = records + 1, head_hash = 'f'"),
    cheat("moving a head back", HEAD, "UPDATE books SET records = records - 1"),
    cheat(
        "moving a head back to a true record",
        HEAD,
        "UPDATE books SET records = 1, head_hash ="
        " (SELECT hash FROM journal_entries WHERE seq = 1)",
    ),
    cheat("sealing with another hash", HEAD, entry(), legs(5, -5), SEALED.replace("'f'", "'g'")),
    cheat("moving a book", PLACE, "UPDATE books SET community_id = NULL"),
    cheat("renumbering a book", PLACE, "UPDATE books SET id = 60"),
    cheat("deleting a book", PAST, "DELETE FROM books"),
    cheat(
        "opening a closed day",
        CLOSED,
        "UPDATE books SET closed_through = '2026-05-04'",
        "UPDATE books SET closed_through = '2026-05-03'",
    ),
    cheat(
        "opening all days",
        CLOSED,
        "UPDATE books SET closed_through = '2026-05-04'",
        "UPDATE books SET closed_through = NULL",
    ),
    cheat(
        "replacing a book",
        PLACE,
        f"{REPLACE} INTO books (id, community_id, records, head_hash) VALUES (1, 1, 0, 'x')",
        on="sqlite",
    ),
    # Accounts.
    cheat("deleting an account", f"{PAST}|{FOREIGN}", "DELETE FROM accounts"),
    cheat("giving an account away", PLACE, "UPDATE accounts SET member_id = NULL WHERE id = 1"),
    cheat(
        "an account of another kind", PLACE, "UPDATE accounts SET kind = 'suspense' WHERE id = 2"
    ),
    cheat("an account of another currency", PLACE, "UPDATE accounts SET currency = 'USD'"),
    cheat(
        "turning balances round", "(?i)check", "UPDATE accounts SET balance_minor = -balance_minor"
    ),
    cheat(
        "spending what is on hold",
        "(?i)check",
        "UPDATE accounts SET balance_minor = -1 WHERE id = 1",
    ),
    cheat(
        "holding what is not there",
        "(?i)check",
        "UPDATE accounts SET held_minor = 9999 WHERE id = 1",
    ),
    cheat("holding cash", "(?i)check", "UPDATE accounts SET held_minor = 1 WHERE id = 2"),
    cheat(
        "replacing an account",
        PLACE,
        f"{REPLACE} INTO accounts (id, book_id, kind, currency, balance_minor, held_minor)"
        " VALUES (1, 1, 'lending_cash', 'CNY', 900, 0)",
        on="sqlite",
    ),
    cheat(
        "replacing an account by its place",
        PLACE,
        f"{REPLACE} INTO accounts (book_id, kind, currency, balance_minor, held_minor)"
        " VALUES (1, 'savings_cash', 'CNY', 1, 0)",
        on="sqlite",
    ),
    # Holds.
    cheat("waking an ended hold", HOLD, "UPDATE holds SET reason = 'x' WHERE state = 'posted'"),
    cheat("a larger hold", HOLD, "UPDATE holds SET amount_minor = 51 WHERE state = 'pending'"),
    cheat("moving a hold", HOLD, "UPDATE holds SET account_id = 3 WHERE state = 'pending'"),
    cheat("deleting a hold", PAST, "DELETE FROM holds"),
    cheat(
        "a hold posted without an entry",
        "(?i)check",
        "UPDATE holds SET state = 'posted', ended_on = '2026-05-05' WHERE state = 'pending'",
    ),
    cheat(
        "replacing a hold",
        HOLD,
        f"{REPLACE} INTO holds SELECT * FROM holds WHERE id = 2",
        on="sqlite",
    ),
]


@pytest.fixture(scope="module")
def books(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A book with records, for tests of which nothing stays."""
    with database_copy(template_url, tmp_path_factory.mktemp("cheats")) as url:
        engine = make_engine(url, durable=False)
        with session_factory(engine)() as session:
            a_book_with_records(session)
            assert list(check_ledger(session)) == []
        yield engine
        engine.dispose()


@pytest.mark.parametrize("item", CHEATS, ids=lambda item: item.name.replace(" ", "-"))
def test_the_database_refuses(books: Engine, item: Cheat) -> None:
    """With the message of the guard; or as no statement of this database at all."""
    refusal = item.refusal if books.dialect.name in item.on else "syntax error"
    *first, last = item.statements if books.dialect.name in item.on else item.statements[-1:]
    # Away from any session of ours, as a stranger with a console would.
    with books.connect() as connection, connection.begin() as transaction:
        for statement in first:
            connection.execute(text(statement))
        with pytest.raises(DBAPIError, match=refusal):
            connection.execute(text(last))
        transaction.rollback()


@pytest.mark.parametrize("statements", [(entry(), legs(5, -5)), (event(),)], ids=["entry", "event"])
def test_what_is_never_sealed_is_refused_at_the_commit_or_found(
    books: Engine, statements: tuple[str, ...]
) -> None:
    """SQLite asks nothing at a commit: there the verifier finds it, and nothing can follow it."""
    with books.connect() as connection, connection.begin() as transaction:
        for statement in statements:
            connection.execute(text(statement))
        if books.dialect.name == "postgresql":
            with pytest.raises(DBAPIError, match="is sealed by the head"):
                connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        else:
            with session_factory(books)(bind=connection) as session:
                found = [breach for breach in check_ledger(session) if breach.law == 8]
            assert found[0].row == "99"
        transaction.rollback()


def test_a_second_book_of_a_community_is_not_opened(books: Engine) -> None:
    statement = "INSERT INTO books (community_id, records, head_hash) VALUES (1, 0, 'x')"
    with books.connect() as connection, connection.begin() as transaction:
        if books.dialect.name == "postgresql":
            with pytest.raises(DBAPIError, match="uq_books_community"):
                connection.execute(text(statement))
        else:
            # As when two open it at the same time: the later one finds it there.
            for verb in ("INSERT", REPLACE):
                connection.execute(text(statement.replace("INSERT", verb)))
            assert connection.execute(text("SELECT id, records > 0 FROM books")).all() == [(1, 1)]
        transaction.rollback()


@dataclass(frozen=True)
class Forgery:
    """What was changed, and the breach that is named first."""

    name: str
    statements: tuple[str, ...]
    law: int
    where: str
    what: str
    on: tuple[str, ...] = ("sqlite", "postgresql")


def forgery(
    name: str, where: str, what: str, *statements: str, law: int, on: str = "sqlite postgresql"
) -> Forgery:
    return Forgery(name, statements, law, where, what, tuple(on.split()))


CHANGED = "was changed after it was written"
FORGERIES = [
    forgery(
        "one amount",
        "journal_entries 1",
        "is out of balance by 1",
        "UPDATE postings SET amount_minor = 901 WHERE id = 1",
        law=1,
    ),
    forgery(
        "both amounts of an entry and the balances",
        "journal_entries 1",
        CHANGED,
        "UPDATE postings SET amount_minor = amount_minor * 2 WHERE entry_id = 1",
        "UPDATE accounts SET balance_minor = balance_minor + 900 WHERE id = 2",
        "UPDATE accounts SET balance_minor = balance_minor - 900 WHERE id = 1",
        law=8,
    ),
    forgery(
        "a leg moved to another account",
        "accounts 1",
        "member_savings says -440, its postings sum to 460",
        "UPDATE postings SET account_id = 3 WHERE entry_id = 1 AND account_id = 1",
        law=1,
    ),
    forgery(
        "a leg taken away",
        "journal_entries 2",
        "is out of balance by 400",
        "DELETE FROM postings WHERE entry_id = 2 AND amount_minor < 0",
        law=1,
    ),
    forgery(
        "all legs taken away",
        "journal_entries 2",
        "has no legs",
        "DELETE FROM postings WHERE entry_id = 2",
        law=1,
    ),
    forgery(
        "a leg added",
        "journal_entries 2",
        "is out of balance by 5",
        "INSERT INTO postings (entry_id, account_id, amount_minor) VALUES (2, 1, 5)",
        law=1,
    ),
    forgery(
        "two legs added",
        "journal_entries 2",
        CHANGED,
        "INSERT INTO postings (entry_id, account_id, amount_minor) VALUES (2, 1, 5), (2, 1, -5)",
        law=8,
    ),
    forgery(
        "legs of nobody",
        "postings 99",
        "its entry_id leads nowhere",
        "INSERT INTO postings (id, entry_id, account_id, amount_minor) VALUES (99, 77, 1, 5)",
        law=1,
    ),
    forgery(
        "a leg on no account",
        "postings 1",
        "its account_id leads nowhere",
        "UPDATE postings SET account_id = 77 WHERE id = 1",
        law=1,
    ),
    forgery(
        "a leg of another member",
        "journal_entries 1",
        CHANGED,
        "UPDATE postings SET member_id = NULL WHERE id = 2",
        law=8,
    ),
    forgery(
        "another currency",
        "postings 1",
        "touches another currency or another book",
        "UPDATE journal_entries SET currency = 'USD' WHERE id = 1",
        law=1,
    ),
    forgery(
        "a balance",
        "accounts 2",
        "savings_cash says 841, its postings sum to 840",
        "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE id = 2",
        law=1,
    ),
    forgery(
        "an account lost",
        "postings 3",
        "its account_id leads nowhere",
        "DELETE FROM holds",
        "DELETE FROM accounts WHERE id = 1",
        "UPDATE postings SET account_id = 3 WHERE id = 2",
        law=1,
    ),
    forgery(
        "a value date",
        "journal_entries 1",
        CHANGED,
        "UPDATE journal_entries SET value_on = '2020-01-01' WHERE id = 1",
        law=8,
    ),
    forgery(
        "a kind",
        "journal_entries 3",
        CHANGED,
        "UPDATE journal_entries SET kind = 'savings.deposit' WHERE id = 3",
        law=8,
    ),
    forgery("an actor", "events 1", CHANGED, "UPDATE events SET actor_id = 1 WHERE id = 1", law=8),
    forgery(
        "a fact",
        "events 4",
        CHANGED,
        'UPDATE events SET facts = \'{"why": "other"}\' WHERE id = 4',
        law=8,
    ),
    forgery(
        "an entry lost",
        "journal_entries 3",
        "record 2 of book 1 is missing",
        "DELETE FROM postings WHERE entry_id = 2",
        "DELETE FROM journal_entries WHERE id = 2",
        "UPDATE accounts SET balance_minor = balance_minor - 400 WHERE id = 1",
        "UPDATE accounts SET balance_minor = 0 WHERE id = 3",
        law=8,
    ),
    forgery(
        "an event lost",
        "events 3",
        "record 5 of book 1 is missing",
        "DELETE FROM events WHERE id = 2",
        law=8,
    ),
    forgery(
        "the last events lost",
        "books 1",
        "the chain ends before its recorded head",
        "DELETE FROM events WHERE id > 2",
        law=8,
    ),
    forgery(
        "a link",
        "events 2",
        "does not follow the record before it",
        "UPDATE events SET prev_hash = 'x' WHERE id = 2",
        law=8,
    ),
    forgery(
        "a head",
        "books 1",
        "the chain ends before its recorded head",
        "UPDATE books SET head_hash = 'x'",
        law=8,
    ),
    forgery(
        "a head moved back",
        "events 4",
        "stands behind the head of book 1",
        "UPDATE books SET records = records - 1,"
        " head_hash = (SELECT hash FROM events WHERE id = 3)",
        law=8,
    ),
    forgery(
        "a book lost", "journal_entries 1", "its book_id leads nowhere", "DELETE FROM books", law=1
    ),
    forgery(
        "a record twice",
        "events 1",
        "record 3 of book 1 is there twice: events 1",
        "UPDATE events SET seq = 3 WHERE id = 1",
        law=8,
    ),
    forgery(
        "more on hold",
        "accounts 1",
        "51 minor units are on hold, its pending holds sum to 50",
        "UPDATE accounts SET held_minor = 51 WHERE id = 1",
        law=1,
    ),
    forgery(
        "a hold made larger",
        "accounts 1",
        "50 minor units are on hold, its pending holds sum to 70",
        "UPDATE holds SET amount_minor = 70 WHERE id = 2",
        law=1,
    ),
    forgery(
        "a hold lost",
        "accounts 1",
        "50 minor units are on hold, its pending holds sum to 0",
        "DELETE FROM holds WHERE id = 2",
        law=1,
    ),
    forgery(
        "a hold that posted more",
        "holds 1",
        "is posted with 61 posted, its entry moved 60",
        "UPDATE holds SET posted_minor = 61 WHERE id = 1",
        law=1,
    ),
    forgery(
        "a hold that points elsewhere",
        "holds 1",
        "is posted with 60 posted, its entry moved 400",
        "UPDATE holds SET entry_id = 2 WHERE id = 1",
        law=1,
    ),
    forgery(
        "a hold of cash",
        "holds 1",
        "is posted with 60 posted, its entry moved -60",
        "UPDATE holds SET account_id = 2 WHERE id = 1",
        law=1,
    ),
    # Only SQLite stores what a column's type does not admit.
    forgery(
        "a date that is none",
        "journal_entries 2",
        CHANGED,
        "UPDATE journal_entries SET recorded_at = 'no day' WHERE id = 2",
        law=8,
        on="sqlite",
    ),
    forgery(
        "facts that are none",
        "events 3",
        CHANGED,
        "UPDATE events SET facts = 'because' WHERE id = 3",
        law=8,
        on="sqlite",
    ),
    forgery(
        "a number that is none",
        "events 2",
        "seq is not a whole number",
        "UPDATE events SET seq = 'x' WHERE id = 2",
        law=8,
        on="sqlite",
    ),
    forgery(
        "a balance that is not covered",
        "accounts 1",
        "50 minor units are on hold, it holds 0",
        "UPDATE accounts SET balance_minor = 0 WHERE id = 1",
        "UPDATE postings SET account_id = 3 WHERE account_id = 1 AND entry_id < 3",
        "UPDATE postings SET account_id = 3 WHERE account_id = 1 AND entry_id = 3",
        "UPDATE accounts SET balance_minor = -840 WHERE id = 3",
        law=1,
        on="sqlite",
    ),
]


@pytest.mark.parametrize("item", FORGERIES, ids=lambda item: item.name.replace(" ", "-"))
def test_the_verifier_names_the_first_broken_row(books: Engine, item: Forgery) -> None:
    with _guards_asleep(books) as connection:
        if books.dialect.name not in item.on:
            with pytest.raises(DBAPIError, match=r"invalid input syntax|violates check constraint"):
                _run(connection, item.statements)
            return
        _run(connection, item.statements)
        _wake(connection)
        with session_factory(books)(bind=connection) as session:
            found = list(check_ledger(session))
            here = list(check_ledger(session, community_id=1))
    assert found, "the forgery went unseen"
    first = found[0]
    assert (first.law, f"{first.table} {first.row}", first.what) == (
        item.law,
        item.where,
        item.what,
    ), found
    # Rows that lead nowhere belong to no book.
    assert "leads nowhere" in first.what or here[0] == first, "one book alone shows it too"


@contextmanager
def _guards_asleep(books: Engine) -> Iterator[Connection]:
    """A connection of somebody with the run of the database; nothing of it stays."""
    with books.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if books.dialect.name == "sqlite":
            for pragma in ("foreign_keys = OFF", "ignore_check_constraints = ON"):
                driver.execute(f"PRAGMA {pragma}")
        with connection.begin() as transaction:
            if books.dialect.name == "sqlite":
                _run(connection, [f"DROP TRIGGER {name}" for name in SQLITE])
            else:
                _run(connection, ["SET LOCAL session_replication_role = replica"])
            yield connection
            transaction.rollback()
        if books.dialect.name == "sqlite":
            for pragma in ("foreign_keys = ON", "ignore_check_constraints = OFF"):
                driver.execute(f"PRAGMA {pragma}")


def _wake(connection: Connection) -> None:
    """The guards stand again, as if nothing had been."""
    if connection.dialect.name == "sqlite":
        _run(connection, SQLITE.values())
    else:
        _run(connection, ["SET LOCAL session_replication_role = origin"])


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(text(statement))


GUARDS_GONE: dict[str, dict[str, tuple[str, ...]]] = {
    "triggers postings_next": {
        "sqlite": ("DROP TRIGGER postings_next",),
        "postgresql": ("DROP TRIGGER postings_next ON postings",),
    },
    "triggers books_keep": {
        "sqlite": ("DROP TRIGGER books_keep",),
        "postgresql": ("ALTER TABLE books DISABLE TRIGGER USER",),
    },
    "triggers holds_keep": {
        "sqlite": (
            "DROP TRIGGER holds_keep",
            "CREATE TRIGGER holds_keep BEFORE UPDATE ON holds BEGIN SELECT 1; END",
        ),
        "postgresql": ("ALTER TABLE holds ENABLE REPLICA TRIGGER holds_keep",),
    },
    "functions refuse_change": {
        "postgresql": (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NEW; END $$",
        ),
    },
}


@pytest.mark.parametrize("guard", GUARDS_GONE)
def test_the_verifier_misses_a_guard_that_is_gone_asleep_or_changed(
    books: Engine, guard: str
) -> None:
    statements = GUARDS_GONE[guard].get(books.dialect.name, ())
    with books.connect() as connection, connection.begin() as transaction:
        _run(connection, statements)
        with session_factory(books)(bind=connection) as session:
            found = [f"{breach.table} {breach.row}" for breach in check_ledger(session)]
        transaction.rollback()
    assert (guard in found) == bool(statements), found
