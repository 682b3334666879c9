"""Sheets: answers as CSV, for spreadsheets, when the caller asks for them.

UTF-8 with a byte order mark, without which spreadsheets take Chinese for something else. A text
that a spreadsheet would take for a formula gets an apostrophe before it: names come from people.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import marshmallow as ma
from flask import Response, request

from community.money import Money, format_minor

JSON, CSV = "json", "csv"
_MEDIA_TYPES = {"application/json": JSON, "text/csv": CSV}
_BYTE_ORDER_MARK = "\ufeff"
_MEMORY_BYTES = 1_000_000
_PART_BYTES = 65_536
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
    """A CSV file of this name.

    It is written before it is sent, on the disk if it is long: what fails half-way is a problem
    answer and not half a file, and the database is not kept waiting for a slow reader.
    """
    file = SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115  closed with the answer
    page = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    page.write(_BYTE_ORDER_MARK)
    writer = csv.writer(page)
    writer.writerow(header)
    writer.writerows([cell(value) for value in row] for row in rows)
    size = page.tell()
    page.seek(0)
    page.detach()
    answer = Response(
        _sent(file),
        content_type="text/csv; charset=utf-8; header=present",
    )
    answer.call_on_close(file.close)  # also if nobody reads it, as with HEAD
    answer.content_length = size
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


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(_PART_BYTES):
            yield part
