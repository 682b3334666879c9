"""Everything that is held about a member, to take along: by the registry, table by table.

Of other people it tells public ids, nothing more. What somebody only did, as an officer or beside,
is counted: it is about others.
"""

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, func, or_, select, true
from sqlalchemy.orm import Session

from community.database import Base, MinorUnits
from community.members.models import Household, Member
from community.personal.registry import ABOUT, Place

FORMAT = "lianbao-own-data/1"
_AT_ONCE = 500
Rows = list[dict[str, Any]]


def export(session: Session, *, member: Member, now: datetime) -> dict[str, Any]:
    """All rows about a member, and how often they are named elsewhere."""
    found = rows_about(session, member.id)
    public = _PublicIds(session)
    for name, rows in found.items():
        public.learn(Base.metadata.tables[name], rows)
    data: dict[str, Any] = {}
    for name, rows in found.items():
        table, place = Base.metadata.tables[name], ABOUT[name]
        shown = [c for c in table.columns if c.name not in place.hides and not _is_id(c)]
        data[name] = [{c.name: public.shown(c, row[c.name]) for c in shown} for row in rows]
    home = session.get(Household, member.household_id) if member.household_id else None
    return {
        "format": FORMAT,
        "member": member.public_id,
        "exported_at": now.isoformat(),
        "household": home and {"id": home.public_id, "reference": home.reference},
        "data": data,
        "named_elsewhere": _mentions(session, member.id),
        "withheld": {name: p.withheld for name, p in sorted(ABOUT.items()) if p.withheld},
    }


def rows_about(session: Session, member_id: int, *, whole: bool = False) -> dict[str, Rows]:
    """Rows about a member, by table; parents before what belongs to them.

    `whole` takes in what is confidential, and what others wrote about them.
    """
    found: dict[str, Rows] = {}
    for name in in_order():
        table, place = Base.metadata.tables[name], ABOUT[name]
        if not (place.subjects or place.via):
            continue
        subjects = place.subjects
        if whole:
            subjects += tuple({name for about in place.clears.values() for name in about})
            subjects = tuple(name for name in dict.fromkeys(subjects) if name in table.c)
        by_key: dict[Any, dict[str, Any]] = {}
        for condition in _conditions(table, place, subjects, member_id, found, whole):
            for row in session.execute(select(table).where(condition)).mappings():
                by_key[tuple(row[c.name] for c in table.primary_key)] = dict(row)
        found[name] = [by_key[key] for key in sorted(by_key)]
    return found


def in_order() -> list[str]:
    """Tables of the registry, each behind those that it hangs on."""
    done: list[str] = []
    waiting = sorted(ABOUT)
    while waiting:
        ready = [n for n in waiting if all(parent in done for _, parent in ABOUT[n].via)]
        if not ready:
            raise ValueError(f"the registry goes in a circle: {waiting}")
        done += ready
        waiting = [name for name in waiting if name not in ready]
    return done


def _conditions(
    table: Table,
    place: Place,
    subjects: tuple[str, ...],
    member_id: int,
    found: dict[str, Rows],
    whole: bool,
) -> Iterable[ColumnElement[bool]]:
    open_to = ~table.c[place.unless] if place.unless and not whole else true()
    if subjects:
        yield or_(*(table.c[name] == member_id for name in subjects)) & open_to
    for column, parent in place.via:
        target = next(iter(table.c[column].foreign_keys)).column.name
        keys = [row[target] for row in found[parent]]
        for start in range(0, len(keys), _AT_ONCE):
            yield table.c[column].in_(keys[start : start + _AT_ONCE]) & open_to


def _mentions(session: Session, member_id: int) -> dict[str, int]:
    counts = {}
    for name, place in sorted(ABOUT.items()):
        table = Base.metadata.tables[name]
        for column in place.mentions:
            count = session.scalar(
                select(func.count()).select_from(table).where(table.c[column] == member_id)
            )
            if count:
                counts[f"{name}.{column}"] = count
    return counts


class _PublicIds:
    """What stands for another row outside of the database."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, dict[int, str]] = defaultdict(dict)

    def learn(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        for column in table.columns:
            target = _target(column)
            if target is None or "public_id" not in target.c:
                continue
            known = self._known[target.name]
            ids = sorted({row[column.name] for row in rows} - known.keys() - {None})
            for start in range(0, len(ids), _AT_ONCE):
                part = ids[start : start + _AT_ONCE]
                query = select(target.c.id, target.c.public_id).where(target.c.id.in_(part))
                known.update((key, public_id) for key, public_id in self._session.execute(query))

    def shown(self, column: Column[Any], value: Any) -> Any:
        target = _target(column)
        if target is not None and value is not None:
            return self._known[target.name].get(value)
        return _plain(column, value)


def _is_id(column: Column[Any]) -> bool:
    """Numbers of rows say nothing outside; where they lead has a public id, or is left out."""
    target = _target(column)
    if target is None:
        return bool(column.primary_key) or column.name.endswith("_id_")
    return "public_id" not in target.c


def _target(column: Column[Any]) -> Table | None:
    for key in column.foreign_keys:
        farther = _target(key.column)
        if farther is not None:
            return farther
        if key.column.name == "id":
            return key.column.table
    return None


def _plain(column: Column[Any], value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    # Beyond what a number of JSON keeps exactly, amounts would be read wrong.
    if isinstance(column.type, MinorUnits) and value is not None and abs(value) > 2**53:
        return str(value)
    return str(value) if isinstance(value, str) else value
