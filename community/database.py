"""What all tables share: the declarative base, names of constraints, column types, public ids."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Enum, Integer, MetaData, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import JSON, TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

MINOR_MAX = 2**63 - 1


class MinorUnits(TypeDecorator[int]):
    """Whole minor units of a currency. Anything but an int is refused before it can be rounded."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not -MINOR_MAX <= value <= MINOR_MAX:
            raise ValueError(f"minor units are 64-bit integers, not {value!r}")
        return value


class UtcTime(TypeDecorator[datetime]):
    """An instant. Stored in UTC, always handed out with its zone; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def choice(enum: type[StrEnum], name: str = "", *, checked: bool = True) -> Enum:
    """A column of one of the enum's lower-case values, checked by the database.

    A table with two columns of one enum has to `name` their constraints apart. One that takes
    very many rows states the check itself, by `one_of`, and says `checked=False`.
    """
    return Enum(
        enum,
        native_enum=False,
        create_constraint=checked,
        length=32,
        values_callable=lambda members: [member.value for member in members],
        name=name or _snake(enum.__name__),
    )


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that a column has one of these values, for a CHECK.

    Spelled out, as SQLite fills a temporary table for an `IN` of more than two values, anew for
    every row that it checks: that took longer than all the rest of writing an account.
    """
    return " OR ".join(f"{column} = '{value}'" for value in values)


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


BigId = BigInteger().with_variant(Integer, "sqlite")

Key = Annotated[int, mapped_column(BigId, primary_key=True, autoincrement=True)]
Minor = Annotated[int, mapped_column(MinorUnits)]
Instant = Annotated[datetime, mapped_column(UtcTime)]
Document = Annotated[dict[str, Any], mapped_column(JSON)]
Text40 = Annotated[str, mapped_column(String(40))]
Text120 = Annotated[str, mapped_column(String(120))]
Text500 = Annotated[str, mapped_column(String(500))]


class Base(DeclarativeBase):
    """All tables of the platform."""

    metadata = MetaData(naming_convention=NAMING)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


_id_bytes: Callable[[int], bytes] = secrets.token_bytes


@contextmanager
def ids_from(random_bytes: Callable[[int], bytes]) -> Iterator[None]:
    """Public ids of this process come from `random_bytes` meanwhile: the same seed, the same ids.

    For lives that are made up and have to come out the same twice, and never for a server: such
    ids can be guessed, and draws that hang on them (who reviews whom) can be foreseen.
    """
    global _id_bytes
    before, _id_bytes = _id_bytes, random_bytes
    try:
        yield
    finally:
        _id_bytes = before


def id_bytes(count: int) -> bytes:
    """Random bytes that public ids are made of."""
    return _id_bytes(count)


def new_public_id(prefix: str) -> str:
    """An id for the outside: unguessable (80 random bits), so that it tells no counts."""
    bits = int.from_bytes(id_bytes(10))
    return prefix + "_" + "".join(_ALPHABET[(bits >> shift) & 31] for shift in range(75, -1, -5))
