"""What the rows of members, roles and tokens can prove."""

from collections.abc import Iterator

from sqlalchemy import String, cast, null, select, type_coerce
from sqlalchemy.orm import Session

from community.database import Base
from community.ledger.checks import Breach
from community.members.models import (
    ApiToken,
    EnrolmentCode,
    PageSession,
)
from community.members.service import SCOPES
from community.sealing import CannotOpen, Sealed, keys_of, sealed_columns


def check_members(session: Session) -> Iterator[Breach]:
    """Law 9, the part that rows show: every token is hashed, ends, and is for something."""
    tokens = session.execute(
        select(ApiToken).order_by(ApiToken.id).execution_options(yield_per=1000)
    ).scalars()
    for token in tokens:
        row = ("api_tokens", str(token.id))
        if len(token.digest) != 64:
            yield Breach(9, *row, "is not kept as a digest")
        if token.expires_at <= token.created_at:
            yield Breach(9, *row, "ends before it begins")
        if not set(token.scopes) <= SCOPES:
            yield Breach(9, *row, "has a scope that does not exist")
    yield from _secrets(session)
    yield from _sealed(session)


def _secrets(session: Session) -> Iterator[Breach]:
    for table in (EnrolmentCode, PageSession):
        rows = session.execute(
            select(table.id, table.digest, table.created_at, table.expires_at).order_by(table.id)
        )
        for row in rows:
            if len(row.digest) != 64:
                yield Breach(9, table.__tablename__, str(row.id), "is not kept as a digest")
            if row.expires_at <= row.created_at:
                yield Breach(9, table.__tablename__, str(row.id), "ends before it begins")


def _sealed(session: Session) -> Iterator[Breach]:
    """What is sealed opens in its own row, and is found by its blind index where it has one."""
    keys = keys_of(session.get_bind().dialect)
    for column in sealed_columns(Base.metadata):
        kind, table = column.type, column.table
        assert isinstance(kind, Sealed)
        place = {"table": kind.table, "column": kind.column}
        index = table.c.get(f"{column.name}_index")
        rows = session.execute(
            select(
                cast(table.c[kind.row], String),
                type_coerce(column, String),
                null() if index is None else index,
            )
            .where(column.is_not(None))
            .execution_options(yield_per=1000)
        )
        for name, stored, found in rows:
            try:
                value = keys.open(stored, row=name, **place)
            except CannotOpen:
                yield Breach(9, kind.table, name, "cannot be opened")
                continue
            if index is not None and keys.blind(value, **place) != found:
                yield Breach(9, kind.table, name, "is not found by its blind index")
