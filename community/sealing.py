"""Personal identifiers, sealed in the database: columns that only who holds the keys can read.

`Sealed` is a column type over AES-256-GCM. Stored is `enc1:<key id>:<nonce and ciphertext>`, bound
to its table, its column and its row: moved into another row it does not open. Nothing can be looked
for in such a column; where equality is asked for, a `BlindIndex` stands beside it: an HMAC of the
value, by a key of its own.

The keys hang on the engine (`community.engine`), so that each database is read by its own.
"""

import base64
import hmac
import os
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    MetaData,
    String,
    Text,
    cast,
    event,
    inspect,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapper
from sqlalchemy.types import TypeDecorator

KEY_BYTES = 32
MARK = "enc1"
_NONCE = 12
_KEY_ID = re.compile(r"[a-z0-9-]{1,32}")
# What a text of 64 characters can become.
SEALED_CHARACTERS = 420
_ON_DIALECT = "lianbao_keys"


class CannotOpen(Exception):
    """A sealed value that these keys do not open, or that was moved or altered."""


class Bound(str):
    """A value together with the row that it belongs to, ready to be sealed."""

    __slots__ = ("row",)

    row: str

    def __new__(cls, value: str, row: object) -> "Bound":
        bound = super().__new__(cls, value)
        bound.row = str(row)
        return bound


class Digest(str):
    """A blind index as it is stored."""

    __slots__ = ()


class Keyring:
    """The keys of a database: the first seals, all open; one more makes blind indexes."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], index_key: bytes) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        for key_id, key in keys:
            if not _KEY_ID.fullmatch(key_id) or len(key) != KEY_BYTES:
                raise ValueError(f"a key is a short id and {KEY_BYTES} bytes")
        if len(index_key) != KEY_BYTES:
            raise ValueError(f"the index key has {KEY_BYTES} bytes")
        self.first = keys[0][0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self._index_key = index_key

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._ciphers

    def seal(self, value: str, *, table: str, column: str, row: str) -> str:
        """The stored form of a value of this row, by the first key."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self.first].encrypt(
            nonce, value.encode(), _place(table, column, row)
        )
        text = base64.urlsafe_b64encode(nonce + sealed).decode()
        return f"{MARK}:{self.first}:{text}"

    def open(self, stored: str, *, table: str, column: str, row: str) -> str:
        """The value of a stored form. Raises CannotOpen."""
        where = f"{table}.{column} of {row}"
        key_id = key_of(stored)
        if key_id is None:
            raise CannotOpen(f"{where} is not sealed")
        if key_id not in self._ciphers:
            raise CannotOpen(f"{where} is sealed by {key_id!r}, which is not among the keys")
        try:
            raw = base64.urlsafe_b64decode(stored.split(":", 2)[2])
            opened = self._ciphers[key_id].decrypt(
                raw[:_NONCE], raw[_NONCE:], _place(table, column, row)
            )
        except (InvalidTag, ValueError):
            raise CannotOpen(f"{where} was altered, or belongs to another row") from None
        return opened.decode()

    def blind(self, value: str, *, table: str, column: str) -> Digest:
        """What equality of this value is found by."""
        text = f"{table}|{column}|{value}".encode()
        return Digest(hmac.new(self._index_key, text, sha256).hexdigest())


def key_of(stored: str) -> str | None:
    """The id of the key that a stored form names; None if it is no stored form."""
    mark, _, rest = stored.partition(":")
    key_id, colon, _ = rest.partition(":")
    return key_id if mark == MARK and colon else None


_elsewhere: list[Keyring] = []


def use(keys: Keyring) -> None:
    """Let engines that are given no keys take these: tools and tests without settings."""
    _elsewhere[:] = [keys]


def give_keys(dialect: Dialect, keys: Keyring | None) -> None:
    """Hang the keys on an engine's dialect, where the column types find them."""
    found = keys or (_elsewhere[0] if _elsewhere else None)
    if found is not None:
        setattr(dialect, _ON_DIALECT, found)


def keys_of(dialect: Dialect) -> Keyring:
    """The keys of an engine."""
    keys = getattr(dialect, _ON_DIALECT, None)
    if not isinstance(keys, Keyring):
        raise RuntimeError("the engine was made without keys for personal data")
    return keys


class Sealed(TypeDecorator[str]):
    """A text that is sealed; `row` is the column by which its row is known for ever.

    Read, it is the plain text. Written by a mapped object it is bound to its row by itself
    (`bind_rows`); other writers hand in a `Bound`. A plain text is refused: it would be a
    comparison, and those go by the blind index.
    """

    impl = String(SEALED_CHARACTERS)
    cache_ok = True

    def __init__(self, table: str, column: str, row: str, *, is_long: bool = False) -> None:
        super().__init__()
        if is_long:
            self.impl = Text()
        self.table = table
        self.column = column
        self.row = row
        self.is_long = is_long

    def column_expression(self, column: Any) -> ColumnElement[Any]:
        """Read the row's name along: without it the value does not open."""
        row: ColumnElement[Any] = column.table.c[self.row]
        return type_coerce(cast(row, String) + "|" + type_coerce(column, String), self)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Bound):
            raise TypeError(f"{self.table}.{self.column} is sealed: compare its blind index")
        return keys_of(dialect).seal(value, table=self.table, column=self.column, row=value.row)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        row, _, stored = value.partition("|")
        opened = keys_of(dialect).open(stored, table=self.table, column=self.column, row=row)
        return Bound(opened, row)


class BlindIndex(TypeDecorator[str]):
    """What a sealed column is looked up by. Give it, and compare it with, the plain value."""

    impl = String(64)
    cache_ok = True

    def __init__(self, table: str, column: str) -> None:
        super().__init__()
        self.table = table
        self.column = column

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or isinstance(value, Digest):
            return value
        return keys_of(dialect).blind(value, table=self.table, column=self.column)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else Digest(value)


def is_sealed(column: str) -> CheckConstraint:
    """The law that nobody writes this column plain."""
    return CheckConstraint(f"{column} LIKE '{MARK}:%:%'", name=f"{column}_is_sealed")


def sealed_columns(metadata: MetaData) -> list[Column[Any]]:
    """Every sealed column of these tables, in the order of their names."""
    return [
        column
        for _, table in sorted(metadata.tables.items())
        for column in table.columns
        if isinstance(column.type, Sealed)
    ]


def bind_rows(*models: type[Any]) -> None:
    """Bind sealed values of mapped objects to their rows, and fill their blind indexes."""
    for model in models:
        event.listen(model, "before_insert", _bind)
        event.listen(model, "before_update", _bind)


def _bind(mapper: Mapper[Any], _connection: Any, target: Any) -> None:
    table = mapper.local_table
    attributes = inspect(target).attrs
    for column in table.columns:
        kind = column.type
        if not isinstance(kind, Sealed) or not attributes[column.key].history.has_changes():
            continue
        value = getattr(target, column.key)
        row = table.c[kind.row]
        if getattr(target, row.key) is None and row.default is not None:
            setattr(target, row.key, row.default.arg(None))
        if value is not None:
            value = Bound(value, getattr(target, row.key))
        setattr(target, column.key, value)
        if f"{column.key}_index" in table.c:
            setattr(target, f"{column.key}_index", None if value is None else str(value))


def _place(table: str, column: str, row: str) -> bytes:
    return f"{table}|{column}|{row}".encode()
