"""Reading and writing many rows at once, by columns: no row objects, few statements.

Rows go to SQLite by executemany and to PostgreSQL as arrays, in portions. All of it runs on the
session's own connection, so that it belongs to the session's transaction. Constraints and foreign
keys hold as for any other insert.
"""

import gc
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    Row,
    Select,
    Table,
    Update,
    any_,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeDecorator, TypeEngine

from community.database import Base, id_bytes
from community.errors import StaleSnapshot

PORTION = 10_000
KEYS_AT_ONCE = 5_000

Key = TypeVar("Key", int, str)
Progress = Callable[[int], None]

# Of every random byte the last five bits count, so that all letters are equally likely.
_LETTERS = bytes(b"0123456789abcdefghjkmnpqrstvwxyz"[byte & 31] for byte in range(256))


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep Python's collector of circles from walking over the many rows that a bulk write holds.

    They hold no circles, and walking them again and again takes a quarter of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def table_of(model: type[Base]) -> Table:
    """The table that a model's rows stand in."""
    return cast(Table, model.__table__)


def new_public_ids(prefix: str, count: int) -> list[str]:
    """Many ids like those of `new_public_id`: 80 random bits each, from one draw.

    They come sorted, so that rows written in this order go through their index from one end to
    the other instead of all over it.
    """
    letters = id_bytes(16 * count).translate(_LETTERS).decode("ascii")
    prefix += "_"
    return sorted([prefix + letters[at : at + 16] for at in range(0, 16 * count, 16)])


def reserve_ids(session: Session, model: type[Base], count: int) -> Sequence[int]:
    """Ids for rows that are about to be inserted, rising."""
    table = table_of(model)
    if not count:
        return []
    if session.get_bind().dialect.name == "postgresql":
        sequence = text(
            "SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)"
        )
        return session.scalars(sequence, {"table": table.name, "count": count}).all()
    # SQLite has one writer at a time: nobody else takes the next ids meanwhile.
    last: int = session.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0
    return range(last + 1, last + 1 + count)


def insert_columns(
    session: Session,
    model: type[Base],
    columns: Mapping[str, Sequence[Any]],
    progress: Progress | None = None,
) -> None:
    """Insert rows that are given by columns of equal length.

    What is not given is NULL or the model's constant default; a column that can be neither is a
    mistake of the caller.
    """
    table = table_of(model)
    dialect = session.get_bind().dialect
    count = len(next(iter(columns.values())))
    if not count:
        return
    given: dict[str, Sequence[Any]] = dict(columns)
    for column in table.columns:
        if column.name in given or column.nullable or column.primary_key:
            continue
        default = column.default
        if default is None or not default.is_scalar:
            raise TypeError(f"{table.name}.{column.name} has to be given")
        given[column.name] = [default.arg] * count  # type: ignore[attr-defined]
    stored = []
    for name, values in given.items():
        if len(values) != count:
            raise TypeError(f"{table.name}.{name} has {len(values)} values of {count}")
        process = _storing(table.c[name].type, dialect)
        if process is not None:
            # Days, states and amounts repeat: each is turned into its stored form once.
            known = {value: process(value) for value in set(values)}
            values = [known[value] for value in values]
        stored.append(values)
    connection = session.connection()
    names = ", ".join(f'"{name}"' for name in given)
    if dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_array_of(table.c[name].type)}[]" for name in given)
        statement = f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays})'  # noqa: S608  names are the models' own
        for start in range(0, count, PORTION):
            portion = tuple(list(values[start : start + PORTION]) for values in stored)
            connection.exec_driver_sql(statement, portion)
            _tell(progress, len(portion[0]))
        return
    marks = ", ".join("?" for _ in given)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'  # noqa: S608  names are the models' own
    for start in range(0, count, PORTION):
        rows = list(zip(*[values[start : start + PORTION] for values in stored], strict=True))
        connection.exec_driver_sql(statement, rows)
        _tell(progress, len(rows))


def count_anew(session: Session, models: Collection[type[Base]], written: int) -> None:
    """Tell PostgreSQL's planner how large these tables have become, after `written` rows.

    PostgreSQL counts by itself only after the commit and up to a minute later; until then a table
    that was empty is thought to be empty still, and a sum over it is planned as row by row: the
    verifier needed minutes instead of seconds after an import. Nothing is done for less than a
    portion, nor on SQLite. Holds a lock on the tables, until the commit, that only another counting
    waits for; tables go in the order of their names.
    """
    if written < PORTION or session.get_bind().dialect.name != "postgresql":
        return
    for name in sorted(table_of(model).name for model in models):
        session.connection().exec_driver_sql(f'ANALYZE "{name}"')


def update_all(session: Session, statement: Update, rows: list[dict[str, Any]]) -> None:
    """Run an update for every row, in portions.

    Each has to hit the row that it was decided on: raises StaleSnapshot when somebody else was
    faster, so that the whole unit of work is run again.
    """
    for start in range(0, len(rows), PORTION):
        portion = rows[start : start + PORTION]
        done = session.connection().execute(statement, portion)
        if done.rowcount != len(portion):
            raise StaleSnapshot()


def select_by(
    session: Session,
    query: Select[*tuple[Any, ...]],
    key: InstrumentedAttribute[Any],
    values: Collection[Any],
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Rows of `query` whose `key`, a text or a number, is one of `values`, however many."""
    ordered = sorted(values)
    for start in range(0, len(ordered), KEYS_AT_ONCE):
        portion = ordered[start : start + KEYS_AT_ONCE]
        yield from session.execute(query.where(_is_among(session, key, portion)))


def _is_among(
    session: Session, key: InstrumentedAttribute[Any], values: list[Any]
) -> ColumnElement[bool]:
    # One parameter for all: a statement with thousands of them takes longer to spell than to run.
    if session.get_bind().dialect.name == "postgresql":
        return key == any_(literal(values, ARRAY(key.type)))
    process = _storing(key.type, session.get_bind().dialect)
    stored = values if process is None else [process(value) for value in values]
    listed = func.json_each(json.dumps(stored)).table_valued("value")
    return key.in_(select(listed.c.value))


def _tell(progress: Progress | None, count: int) -> None:
    if progress is not None:
        progress(count)


def _storing(kind: TypeEngine[Any], dialect: Any) -> Callable[[Any], Any] | None:
    implementation = kind.dialect_impl(dialect)
    return implementation.bind_processor(dialect)


def _array_of(kind: TypeEngine[Any]) -> str:
    # Texts of any length are passed on as they are, so that one too long is refused, not cut.
    plain = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    for family, name in (
        (Boolean, "boolean"),
        (Integer, "bigint"),
        (DateTime, "timestamptz"),
        (Date, "date"),
    ):
        if isinstance(plain, family):
            return name
    return "text"
