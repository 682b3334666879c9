"""Sealed columns under new keys: in portions, each a unit of work; the rows tell what is done.

A row that is sealed by the first key is done. So a run that was stopped goes on where it was, and
rows written meanwhile, which the first key seals, need nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, String, Table, bindparam, cast, func, select, type_coerce, update
from sqlalchemy.orm import Session

from community.database import Base
from community.sealing import MARK, Sealed, key_of, keys_of, sealed_columns


@dataclass
class KeyUse:
    """Which keys seal the values of one column."""

    table: str
    column: str
    by: Counter[str] = field(default_factory=Counter)


def key_uses(session: Session) -> list[KeyUse]:
    """By which keys the values of each sealed column are sealed, by key id."""
    found = []
    for column in sealed_columns(Base.metadata):
        use = KeyUse(column.table.name, column.name)
        raw = type_coerce(column, String)
        others = select(raw).where(column.is_not(None)).limit(1)
        while (stored := session.scalar(others)) is not None:
            key_id = key_of(stored) or ""
            mine = raw.startswith(f"{MARK}:{key_id}:", autoescape=True)
            use.by[key_id] = session.scalar(select(func.count()).where(mine)) or 0
            others = others.where(~mine)
        found.append(use)
    return found


def rotate_portion(session: Session, *, limit: int) -> int:
    """Seal at most `limit` values anew by the first key; how many there were. Raises CannotOpen.

    Every value is changed only from what was read, so that nobody's newer one is lost.
    """
    keys = keys_of(session.get_bind().dialect)
    for column in sealed_columns(Base.metadata):
        rows = _portion(session, column, limit, f"{MARK}:{keys.first}:%")
        if not rows:
            continue
        place = {"table": column.table.name, "column": column.name}
        done = [
            {
                "of_row": key,
                "was": stored,
                "becomes": keys.seal(keys.open(stored, row=row, **place), row=row, **place),
            }
            for key, row, stored in rows
        ]
        raw = type_coerce(column, String)
        session.connection().execute(
            update(_table(column))
            .where(
                _table(column).c.id == bindparam("of_row"), raw == bindparam("was", type_=String)
            )
            .values({column: bindparam("becomes", type_=String)}),
            done,
        )
        return len(done)
    return 0


def reindex(session: Session) -> int:
    """Make all blind indexes anew by the index key; how many. Nobody may be writing meanwhile.

    One unit of work: half of the values under another key would let a name be taken twice.
    """
    count = 0
    keys = keys_of(session.get_bind().dialect)
    for column in sealed_columns(Base.metadata):
        table = _table(column)
        if f"{column.name}_index" not in table.c:
            continue
        place = {"table": table.name, "column": column.name}
        rows = session.execute(select(table.c.id, column).where(column.is_not(None))).all()
        if rows:
            session.connection().execute(
                update(table)
                .where(table.c.id == bindparam("of_row"))
                .values({f"{column.name}_index": bindparam("found")}),
                [{"of_row": key, "found": keys.blind(value, **place)} for key, value in rows],
            )
        count += len(rows)
    return count


def _portion(session: Session, column: Column[Any], limit: int, done: str) -> list[Any]:
    kind = column.type
    assert isinstance(kind, Sealed)
    table = _table(column)
    raw = type_coerce(column, String)
    return list(
        session.execute(
            select(table.c.id, cast(table.c[kind.row], String), raw)
            .where(raw.not_like(done))
            .order_by(table.c.id)
            .limit(limit)
        )
    )


def _table(column: Column[Any]) -> Table:
    table = column.table
    assert isinstance(table, Table)
    return table
