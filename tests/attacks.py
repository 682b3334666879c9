"""Attacks on constraints by raw SQL, made up from the tables themselves.

Two sessions of somebody with a console: the first does what is allowed, or all that there is room
for, and does not commit yet; the second does what is not allowed once the first has. Whether that
is refused, and by what, is what `Attack` tells. A database with one writer takes them in turn.
Whatever was committed is put back, past the guards.
"""

import itertools
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Table,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeDecorator

from app.database_faults import constraint_name

NOWHERE = 999_999_999
TRIES_MAX = 1_500
ROWS_MAX = 12

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Refusal:
    """By which constraint something was refused ('' if it cannot be told), and the words."""

    name: str
    said: str


class Arena:
    """A database under attack, and three ways into it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"
        self.first, self.second, self.watcher = (engine.connect() for _ in range(3))
        self.one_writer = not self.is_postgresql
        self._fresh = itertools.count(1)

    def close(self) -> None:
        for connection in (self.first, self.second, self.watcher):
            connection.rollback()
            connection.close()

    def rows(self, table: Table, where: str = "", first: Iterable[str] = ()) -> list[Row]:
        """Some rows of a table as they are, first those with values in the columns `first`."""
        question = f"SELECT * FROM {table.name}"
        question += f" WHERE {where}" if where else ""
        order = [column.name for column in table.primary_key]
        lacking = [f"CASE WHEN {name} IS NULL THEN 1 ELSE 0 END" for name in first]
        if lacking:
            order.insert(0, f"({' + '.join(lacking)})")
        question += f" ORDER BY {', '.join(order)} LIMIT {ROWS_MAX}"
        found = [dict(row) for row in self.watcher.execute(text(question)).mappings()]
        self.watcher.rollback()
        return found

    def key_of(self, table: Table, row: Row) -> str:
        return " AND ".join(f"{column.name} = {row[column.name]!r}" for column in table.primary_key)

    def refused(self, *statements: str, given: Row | None = None) -> Refusal | None:
        """Try statements alone; nothing of them stays. None: they were taken."""
        try:
            for statement in statements:
                self.first.execute(text(statement), given or {})
            if self.is_postgresql:
                self.first.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        except DBAPIError as error:
            return Refusal(constraint_name(error), str(error.orig))
        finally:
            self.first.rollback()
        return None

    def duel(self, ours: Sequence[str], theirs: Sequence[str], given: Row | None = None) -> Any:
        """What becomes of `theirs` when `ours` was there first and commits before it.

        `theirs` begins while `ours` is not committed yet, where the database has two writers.
        """
        self.first.rollback()
        try:
            for statement in ours:
                self.first.execute(text(statement), given or {})
        except DBAPIError:
            self.first.rollback()
            raise
        if self.one_writer:
            self.first.commit()
            return self._try(theirs, given)
        answer: list[Refusal | None] = []
        self.second.rollback()
        pid = self.second.execute(text("SELECT pg_backend_pid()")).scalar_one()
        other = threading.Thread(target=lambda: answer.append(self._try(theirs, given)))
        other.start()
        while other.is_alive() and not self._waits(pid):
            other.join(0.001)
        self.first.commit()
        other.join(60)
        return answer[0]

    def _waits(self, pid: int) -> bool:
        waiting = self.watcher.execute(
            text("SELECT cardinality(pg_blocking_pids(:pid)) > 0"), {"pid": pid}
        ).scalar_one()
        self.watcher.rollback()
        return bool(waiting)

    def _try(self, statements: Sequence[str], given: Row | None) -> Refusal | None:
        try:
            for statement in statements:
                self.second.execute(text(statement), given or {})
            if self.is_postgresql:
                self.second.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        except DBAPIError as error:
            return Refusal(constraint_name(error), str(error.orig))
        finally:
            self.second.rollback()
        return None

    @contextmanager
    def past_the_guards(self) -> Iterator[Connection]:
        """A committed change by somebody who owns the tables: to set the scene, and to clear it."""
        connection = self.watcher
        connection.rollback()
        self._ask_for_references(connection, False)
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            self._ask_for_references(connection, True)

    def _ask_for_references(self, connection: Connection, asked: bool) -> None:
        if self.is_postgresql:
            role = "origin" if asked else "replica"
            connection.execute(text(f"SET session_replication_role = {role}"))
            connection.commit()
        else:
            driver: Any = connection.connection.driver_connection
            driver.execute(f"PRAGMA foreign_keys = {'ON' if asked else 'OFF'}")

    @contextmanager
    def kept(self, *tables: Table) -> Iterator[None]:
        """Whatever is committed meanwhile to these tables is put back as it was."""
        before = {table: self._all(table) for table in tables}
        try:
            yield
        finally:
            for connection in (self.first, self.second):
                connection.rollback()
            for table, rows in before.items():
                self._put_back(table, rows)

    def _all(self, table: Table) -> dict[str, Row]:
        found = self.watcher.execute(text(f"SELECT * FROM {table.name}")).mappings().all()
        self.watcher.rollback()
        return {self.key_of(table, row): dict(row) for row in found}

    def _put_back(self, table: Table, rows: Mapping[str, Row]) -> None:
        now = self._all(table)
        wrong = [key for key in rows if key in now and now[key] != rows[key]]
        gone = [key for key in [*now, *wrong] if key not in rows or key in wrong]
        lost = [key for key in rows if key not in now or key in wrong]
        if not gone and not lost:
            return
        with self.past_the_guards() as connection:
            guards = [] if self.is_postgresql else self._guards_of(connection, table)
            for name, _ in guards:
                connection.execute(text(f"DROP TRIGGER {name}"))
            if not self.is_postgresql:
                for key in wrong:
                    changed = ", ".join(f"{name} = :{name}" for name in rows[key])
                    connection.execute(
                        text(f"UPDATE {table.name} SET {changed} WHERE {key}"), rows[key]
                    )
                gone = [key for key in gone if key not in wrong]
                lost = [key for key in lost if key not in wrong]
            for key in dict.fromkeys(gone):
                connection.execute(text(f"DELETE FROM {table.name} WHERE {key}"))
            for key in lost:
                row = rows[key]
                connection.execute(text(self.insert(table, row)), self.plain(row))
            for _, statement in guards:
                connection.exec_driver_sql(statement)

    def _guards_of(self, connection: Connection, table: Table) -> list[tuple[str, str]]:
        found = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
            (table.name,),
        )
        return [(name, statement) for name, statement in found]

    def may_be_written_anew(self, table: Table, row: Row) -> bool:
        """Whether its guards let a row be written that is gone: not once it is history."""
        with self.kept(table):
            self.take_away(table, row)
            return self.refused(self.insert(table, row), given=self.plain(row)) is None

    def take_away(self, table: Table, row: Row) -> None:
        with self.past_the_guards() as connection:
            connection.execute(text(f"DELETE FROM {table.name} WHERE {self.key_of(table, row)}"))

    def insert(self, table: Table, row: Row, changes: Mapping[str, str] | None = None) -> str:
        """An INSERT of a row whose values are bound by name, some replaced by SQL."""
        changes = changes or {}
        columns = re.compile(rf"(?<![.\w])({'|'.join(row)})\b")
        bound = {name: columns.sub(r":\1", value) for name, value in changes.items()}
        values = ", ".join(bound.get(name, f":{name}") for name in row)
        return f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({values})"

    def plain(self, row: Row) -> dict[str, Any]:
        """A row's values as the driver takes them."""
        if not self.is_postgresql:
            return dict(row)
        from psycopg.types.json import Json

        return {
            name: Json(value) if isinstance(value, dict | list) else value
            for name, value in row.items()
        }

    def cloned(self, table: Table) -> Row | None:
        """Another row like one of the table, committed, to which nothing refers.

        None where rows are kept for ever: there nobody can take one away.
        """
        [column] = table.primary_key
        for row in self.rows(table):
            fresh = self.fresh_key(table)
            changes = fresh | fresh_uniques(table)
            for references in table.foreign_key_constraints:
                for item in references.columns:
                    if item.nullable and item.unique:
                        changes[item.name] = "NULL"
            statement = copy(table, self.key_of(table, row), changes)
            key = f"{column.name} = {fresh[column.name]}"
            if self.refused(statement, f"DELETE FROM {table.name} WHERE {key}") is None:
                self.first.execute(text(statement))
                self.first.commit()
                # A guard may have found such a row, and written none.
                return next(iter(self.rows(table, key)), None)
        return None

    def fresh_key(self, table: Table, changes: Iterable[str] = ()) -> dict[str, str]:
        """A primary key that no row has, nor with `changes` to it."""
        columns = list(table.primary_key)
        if len(columns) > 1:
            return {} if {column.name for column in columns} & set(changes) else fresh_in(columns)
        return {columns[0].name: str(NOWHERE + next(self._fresh))}


# What to try.


def checks_of(table: Table, engine: Engine) -> list[CheckConstraint]:
    """The checks of a table that this kind of database has."""
    there = {item["name"] for item in inspect(engine).get_check_constraints(table.name)}
    found = [item for item in table.constraints if isinstance(item, CheckConstraint)]
    return [item for item in found if item.name in there]


def uniques_of(table: Table) -> list[UniqueConstraint | Index]:
    """Unique constraints and unique indexes; primary keys are but numbers."""
    found: list[UniqueConstraint | Index] = [
        item for item in table.constraints if isinstance(item, UniqueConstraint)
    ]
    found += [index for index in table.indexes if index.unique]
    return sorted(found, key=lambda unique: str(unique.name))


def references_of(table: Table) -> list[ForeignKeyConstraint]:
    return list(table.foreign_key_constraints)


def condition_of(check: CheckConstraint, engine: Engine) -> str:
    return str(
        check.sqltext.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    )


def values_for(column: "Column[Any]", near: Iterable[str]) -> list[str]:
    """SQL that gives a column something it may not have."""
    kind: Any = column.type
    if isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    values = ["NULL"] if column.nullable else []
    if isinstance(kind, Enum):
        return values + [repr(value) for value in ("?", *kind.enums)]
    if isinstance(kind, Date):
        return [*values, "'1900-01-01'", "'2999-01-01'"]
    if isinstance(kind, DateTime):
        return [*values, "'1900-01-01 00:00:00'"]
    if isinstance(kind, String):
        return [*values, "'?'", "''", "'x'"]
    if kind.python_type is bool:
        return [*values, "TRUE", "FALSE"]
    if kind.python_type is int:
        beyond = [f"{name} + 1" for name in near if name != column.name]
        parts = [f"{column.name} - 0.5", "0.5"]
        return ["-1", "0", f"{column.name} + 1", *beyond, "1", "1000000000000", *parts, *values]
    return values


def columns_in(table: Table, condition: str) -> list[str]:
    return [column.name for column in table.columns if re.search(rf"\b{column.name}\b", condition)]


def assignments(
    table: Table, names: Sequence[str], sizes: Sequence[int], helpers: Sequence[str] = ()
) -> Iterator[dict[str, str]]:
    """Values for so many of the columns at a time; helpers only beside others."""
    every = [*names, *helpers]
    numbers = [name for name in every if table.columns[name].type.python_type is int]
    choices = {name: values_for(table.columns[name], numbers) for name in every}
    for size in sizes:
        for chosen in itertools.combinations(every, size):
            if not set(chosen) & set(names) or (helpers and not set(chosen) & set(helpers)):
                continue
            for values in itertools.product(*(choices[name] for name in chosen)):
                yield dict(zip(chosen, values, strict=True))


def update(table: Table, key: str, changes: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name} = {value}" for name, value in changes.items())
    return f"UPDATE {table.name} SET {listed} WHERE {key}"


def nothing_in(table: Table, key: str) -> str:
    """A change that changes nothing, but holds the row."""
    last = list(table.columns)[-1].name
    return f"UPDATE {table.name} SET {last} = {last} WHERE {key}"


def copy(table: Table, key: str, changes: Mapping[str, str]) -> str:
    """Another row like one that is there, with some columns changed."""
    names = [column.name for column in table.columns]
    values = ", ".join(changes.get(name, name) for name in names)
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {values} FROM {table.name}"
        f" WHERE {key}"
    )


def fresh_uniques(
    table: Table, but: Iterable[str] = (), turn: int = 0, fresh: Iterable[str] = ()
) -> dict[str, str]:
    """Changes that make a copied row's unique keys its own, without touching columns of `but`.

    The bits of `turn` choose a second-best column, key by key, or none if there is but one: an
    index may not count the row. `fresh` have new values already.
    """
    changes: dict[str, str] = {}
    for place, unique in enumerate(uniques_of(table)):
        named = columns_of(table, unique)
        if set(named) & {*changes, *fresh}:
            continue
        changes |= fresh_in(
            [table.columns[name] for name in named if name not in but], turn >> place
        )
    return changes


def fresh_in(columns: Sequence["Column[Any]"], turn: int = 0) -> dict[str, str]:
    """A change that makes a key of these columns another one, in the best column or the second."""
    # The first columns of a key say whose it is, the last which.
    ways = sorted(
        (way, -place, column.name, value)
        for place, column in enumerate(columns)
        for way, value in [_fresh_value(column)]
    )
    return {name: value for *_, name, value in ways[turn % 2 : turn % 2 + 1]}


def _fresh_value(column: "Column[Any]") -> tuple[int, str]:
    """SQL that makes a column's value another one, and how gladly it is used: least first."""
    name, kind = column.name, column.type
    if column.foreign_keys:
        # NULL where there is no other row; one made for an attack may go away.
        reference = min(column.foreign_keys, key=_breadth)
        key, target = reference.column.name, reference.column.table.name
        others = f"o.{key} <> {name} AND o.{key} < {NOWHERE}"
        return 3, f"(SELECT max(o.{key}) FROM {target} AS o WHERE {others})"
    if kind.python_type is bool:
        return 4, f"NOT {name}"
    if isinstance(kind, Enum):
        one, other, *_ = kind.enums
        return 4, f"CASE WHEN {name} = '{one}' THEN '{other}' ELSE '{one}' END"
    if isinstance(kind, String):
        # Short ones keep their length, long ones have room for what makes them new.
        return 0, f"substr({name}, 1, {min(30, kind.length or 30) - 1}) || '~'"
    if isinstance(kind, Date):
        return 2, "'2999-01-01'"
    return 1, f"{name} + 1000"


def _breadth(reference: "ForeignKey") -> tuple[int, str]:
    """Those of one column before those of several."""
    assert reference.constraint is not None
    return len(reference.constraint.elements), reference.target_fullname


def columns_of(table: Table, unique: UniqueConstraint | Index) -> list[str]:
    """The columns of a key, also those within an expression."""
    parts: Iterable[Any] = unique.columns
    if isinstance(unique, Index):
        parts = unique.expressions
    named = [getattr(part, "name", None) or str(part) for part in parts]
    return columns_in(table, " ".join(named))


def predicate_of(unique: UniqueConstraint | Index, engine: Engine) -> str:
    """Which rows a unique index counts; '' for all."""
    if isinstance(unique, UniqueConstraint):
        return ""
    where = unique.dialect_options[engine.dialect.name]["where"]
    return "" if where is None else str(where)


def other_row(
    arena: Arena, table: Table, row: Row, unique: UniqueConstraint | Index, turn: int
) -> str:
    """Another row with the same key as `row`, and other keys of its own beside it."""
    columns = columns_of(table, unique)
    changes = fresh_uniques(table, columns, turn)
    return arena.insert(table, row, arena.fresh_key(table, changes) | changes)
