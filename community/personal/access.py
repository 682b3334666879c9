"""The access log: notes of who looked at whose data, which the member can read."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, select
from sqlalchemy.dialects import postgresql, sqlite

from community.bulk import table_of
from community.personal.models import AccessNote, ReaderRole


class Look(NamedTuple):
    """One reading of one member's data."""

    member_id: int
    reader_id: int
    role: ReaderRole
    action: str


def hour_of(now: datetime) -> datetime:
    """The hour that a moment is in."""
    return now.replace(minute=0, second=0, microsecond=0)


def note(connection: Connection, looks: Iterable[Look], *, now: datetime) -> None:
    """Write down what was looked at; what is noted of this hour already stays as it is."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    rows = [look._asdict() | {"hour_at": hour_of(now)} for look in sorted(set(looks))]
    connection.execute(insert(table_of(AccessNote)).on_conflict_do_nothing(), rows)


def notes_about(member_id: int) -> Select[AccessNote]:
    """Who looked at a member's data."""
    return select(AccessNote).where(AccessNote.member_id == member_id)
