"""Sheets: answers as CSV, for spreadsheets, when the caller asks for them.

UTF-8 with a byte order mark, without which spreadsheets take Chinese for something else. A text
that a spreadsheet would take for a formula gets an apostrophe before it: names come from people.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

import marshmallow as ma
from flask import Response, request, stream_with_context

from community.money import Money, format_minor

JSON, CSV = "json", "csv"
_MEDIA_TYPES = {"application/json": JSON, "text/csv": CSV}
_BYTE_ORDER_MARK = "\ufeff"
# Also in full width, which some spreadsheets read the same.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | int | date | Money | None

# For `@blp.doc`: the other form of an answer.
CSV_DOC: dict[str, Any] = {
    "responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
}


class FormatField(ma.fields.String):
    """`?format=json` or `?format=csv`; left out, the Accept header decides."""

    def __init__(self) -> None:
        super().__init__(
            load_default=None,
            validate=ma.validate.OneOf([JSON, CSV]),
            metadata={
                "description": "Left out, the Accept header decides; JSON if it says nothing."
            },
        )


def wants_csv(asked: str | None) -> bool:
    """Whether to answer with a sheet."""
    if asked is not None:
        return asked == CSV
    best = request.accept_mimetypes.best_match(list(_MEDIA_TYPES), default="application/json")
    return _MEDIA_TYPES[best] == CSV


def sheet(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """A CSV file of this name, sent while its rows are read."""
    answer = Response(
        stream_with_context(_written(header, rows)),
        content_type="text/csv; charset=utf-8; header=present",
    )
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    answer.headers["Vary"] = "Accept"
    return answer


def cell(value: Cell) -> str:
    """A value as it stands in a sheet: amounts and dates plain, texts made harmless."""
    if value is None:
        return ""
    if isinstance(value, Money):
        return format_minor(value.amount_minor, value.currency)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value


def _written(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    page = io.StringIO()
    writer = csv.writer(page)
    yield _BYTE_ORDER_MARK
    writer.writerow(header)
    for row in rows:
        writer.writerow([cell(value) for value in row])
        if page.tell() > _PART_CHARACTERS:
            yield _taken(page)
    yield _taken(page)


_PART_CHARACTERS = 16_384


def _taken(page: io.StringIO) -> str:
    text = page.getvalue()
    page.seek(0)
    page.truncate()
    return text
