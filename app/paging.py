"""Lists by cursor, and updates by version.

A cursor is where the last page ended. It is sealed: it tells no counts, cannot be made up, and
belongs to one list.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
from flask import Response, after_this_request, current_app, request
from sqlalchemy import ColumnElement, Select, asc, desc
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.fields import Schema, Whole
from app.problems import PreconditionFailed, PreconditionRequired
from community.errors import Invalid

PAGE_SIZE = 50
PAGE_SIZE_MAX = 100


class BadCursor(Invalid):
    """The cursor is not one that this list handed out; begin again without a cursor."""

    code = "bad-cursor"
    title = "The cursor is not of this list"


class PageArgs(Schema):
    """`?cursor=&limit=`. Lists with filters inherit from it and add theirs."""

    cursor = ma.fields.String(
        load_default="", metadata={"description": "`next_cursor` of the page before."}
    )
    limit = Whole(1, PAGE_SIZE_MAX, from_text=True, load_default=PAGE_SIZE)


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a list, and where it goes on (None: it ends here)."""

    items: list[Any]
    next_cursor: str | None


@cache
def page_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """The schema of a page of items of this schema: one and the same for all lists of them."""
    return Schema.from_dict(
        {
            "items": ma.fields.List(ma.fields.Nested(item), required=True),
            "next_cursor": ma.fields.String(allow_none=True, required=True),
        },
        name=f"{item.__name__.removesuffix('Schema')}Page",
    )


def paginate(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    *,
    key: InstrumentedAttribute[int] | ColumnElement[int],
    args: Mapping[str, Any],
    newest_first: bool = False,
    scope: str | None = None,
) -> Page:
    """One page of `statement`, in the order of `key`, a unique integer column such as `Loan.id`.

    `args` is what PageArgs loaded. Items are single objects if the statement selects one thing,
    else rows. A cursor counts for one `scope` only: the path of the request if none is named.
    Reads one row more than the page has.
    """
    place = scope or request.path
    limit = int(args["limit"])
    if args.get("cursor"):
        last = open_cursor(place, str(args["cursor"]))
        statement = statement.where(key < last if newest_first else key > last)
    order = desc(key) if newest_first else asc(key)
    width = len(statement.column_descriptions)
    rows = session.execute(statement.add_columns(key).order_by(order).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    items = [row[0] if width == 1 else row[:-1] for row in rows]
    return Page(items, seal_cursor(place, rows[-1][-1]) if more else None)


def seal_cursor(scope: str, value: int) -> str:
    """An opaque text for a row id (64 bits) of one list."""
    sealed = _shuffle(value.to_bytes(8), _tag(scope), encrypt=True)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def open_cursor(scope: str, cursor: str) -> int:
    """The row id in a cursor of this list. Raises BadCursor."""
    try:
        sealed = base64.urlsafe_b64decode(cursor.encode("ascii") + b"==")
    except ValueError:
        raise BadCursor(field="cursor") from None
    # Only the very text that was handed out: the decoder is lenient about stray characters.
    if len(sealed) != 16 or base64.urlsafe_b64encode(sealed).decode().rstrip("=") != cursor:
        raise BadCursor(field="cursor")
    opened = _shuffle(sealed[:8], sealed[8:], encrypt=False)
    if not hmac.compare_digest(opened[8:], _tag(scope)):
        raise BadCursor(field="cursor")
    return int.from_bytes(opened[:8])


def etag_of(version: int) -> str:
    """The ETag of a row's version."""
    return f'"{version}"'


def show_etag(version: int) -> None:
    """Put the ETag of the row that is answered with on the answer."""

    @after_this_request
    def add(response: Response) -> Response:
        if response.status_code < 400:
            response.headers["ETag"] = etag_of(version)
        return response


def check_etag(version: int) -> None:
    """Go on only if the caller has seen this version. Ask it of the locked row.

    Raises PreconditionRequired without an If-Match header, PreconditionFailed if it names another
    version.
    """
    given = request.headers.get("If-Match", "").strip()
    if not given:
        raise PreconditionRequired("Send If-Match with the ETag that you read.")
    if etag_of(version) not in [tag.strip() for tag in given.split(",")]:
        raise PreconditionFailed("Read it again, then decide again.", etag=etag_of(version))


def _tag(scope: str) -> bytes:
    return hmac.digest(_secret(), b"tag " + scope.encode(), hashlib.sha256)[:8]


def _shuffle(left: bytes, right: bytes, *, encrypt: bool) -> bytes:
    # A Luby-Rackoff permutation of four keyed rounds: without the secret it looks random, and a
    # changed cursor opens to a wrong tag.
    rounds = range(4) if encrypt else range(3, -1, -1)
    for number in rounds:
        if encrypt:
            left, right = right, _xor(left, _mask(number, right))
        else:
            left, right = _xor(right, _mask(number, left)), left
    return left + right


def _mask(number: int, half: bytes) -> bytes:
    return hmac.digest(_secret(), b"round %d " % number + half, hashlib.sha256)[:8]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _secret() -> bytes:
    secret: str = current_app.extensions["settings"].secret_key
    return secret.encode()
