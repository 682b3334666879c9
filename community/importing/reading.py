"""CSV files as checked cells with line numbers. Pure: streams in, tuples out.

Files are UTF-8, with or without byte order mark, plain or packed by gzip (told by the content, so
that it works on a pipe). Another encoding is never guessed: a name read wrongly looks like a name.
"""

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, BinaryIO, cast

from community.importing.report import Fault, Report

# Beyond this a file is to be split: a row in memory takes up to half a kilobyte.
ROWS_MAX = 5_000_000
LINE_CHARACTERS_MAX = 100_000
KNOWN_CELLS_MAX = 200_000

_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_GZIP_MAGIC = b"\x1f\x8b"

Progress = Callable[[int], None]


class BadCell(Exception):
    """A cell that cannot be right whatever the database holds."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file: its name and how a cell is read (`check` raises BadCell).

    One that is not required may be absent or have empty cells, which read as None. In a column
    that repeats few values, equal cells become one value in memory, read once.
    """

    name: str
    check: Callable[[str], Any]
    required: bool = True
    repeats: bool = True

    def read(self, cell: str) -> Any:
        """The value of a cell."""
        if cell:
            return self.check(cell)
        if self.required:
            raise BadCell("The cell is empty.", f"Give every row its {self.name}.")
        return None

    def reader(self) -> Callable[[str], Any]:
        """`read`, in the quickest form for many rows."""
        if self.repeats:
            return _Known(self).__getitem__
        return self.check if self.required else self.read


class _Known(dict[str, Any]):
    """Cells that were read before."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, cell: str) -> Any:
        value = self._column.read(cell)
        if len(self) < KNOWN_CELLS_MAX:
            self[cell] = value
        return value


class _Stop(Exception):
    """The file cannot be read on from this line."""

    def __init__(self, line: int, value: str, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.line, self.value, self.reason, self.remedy = line, value, reason, remedy


def read_values(
    stream: BinaryIO,
    columns: Sequence[Column],
    report: Report,
    progress: Progress | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Rows of a CSV file as (line number, value of each column …), streamed.

    Every bad cell is a fault in the report, and its row is left out.
    """
    readers = [column.reader() for column in columns]
    for line, cells in read_table(stream, columns, report, progress):
        try:
            yield (line, *[read(cell) for read, cell in zip(readers, cells, strict=True)])
        except BadCell:
            report.left_out.add(cells[0])
            report.faults.extend(_bad_cells(line, columns, cells))


def _bad_cells(line: int, columns: Sequence[Column], cells: Sequence[str]) -> Iterator[Fault]:
    for column, cell in zip(columns, cells, strict=True):
        try:
            column.read(cell)
        except BadCell as bad:
            yield Fault(line, column.name, cell, bad.reason, bad.remedy)


def read_table(
    stream: BinaryIO,
    columns: Sequence[Column],
    report: Report,
    progress: Progress | None = None,
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Rows of a CSV file as (line number, cells in the order of `columns`), streamed.

    Faults of the file's shape go into the report, and the reading goes on where it can: a row
    with too many or too few cells is left out; after a wrong header, broken quotes or bytes that
    are not UTF-8 there is nothing to go on with. Lines without any text count for nothing. The
    report gets the number of rows and, at the end, the digest. `progress` is called with the
    number of bytes taken from `stream`.
    """
    source = _Source(stream, progress)
    try:
        yield from _rows(source, columns, report)
    except _Stop as stop:
        report.fault(stop.line, "", stop.value, stop.reason, stop.remedy)
    report.digest = source.digest()


def _rows(
    source: "_Source", columns: Sequence[Column], report: Report
) -> Iterator[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(_lines(source.text()), strict=True)
    header: list[str] | None = None
    width, in_order, pick = 0, False, None
    line = 0
    while True:
        # The row begins after the last line of the row before it: cells may hold line breaks.
        start = line + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise _Stop(
                start,
                "",
                f"The quotes do not match here ({error}).",
                'Quote a cell as "…" and write a quote inside it twice; the rest was not read.',
            ) from None
        line = reader.line_num
        if len(row) != width:
            if not any(row):
                continue
            if header is None:
                header = row
                places = _places(start, header, columns)
                width, in_order = len(row), places == list(range(len(row)))
                pick = itemgetter(*places) if len(places) > 1 else None
                continue
            report.rows += 1
            report.fault(
                start,
                "",
                ",".join(row),
                f"The row has {len(row)} cells, the header has {width}.",
                "Quote cells that hold commas, and give every row all its commas.",
            )
            continue
        if not any(row):
            continue
        report.rows += 1
        if report.rows > ROWS_MAX:
            raise _Stop(start, "", f"The file has more than {ROWS_MAX} rows.", "Split it.")
        if in_order:
            yield start, tuple(row)
        else:
            row.append("")
            yield start, pick(row) if pick else (row[0],)
    if header is None:
        raise _Stop(
            0, "", "The file is empty.", f"Begin it with {','.join(c.name for c in columns)}"
        )


def _places(line: int, header: Sequence[str], columns: Sequence[Column]) -> list[int]:
    """Where each column stands in a row; absent ones stand one past the end."""
    names = [column.name for column in columns]
    faults = []
    missing = [c.name for c in columns if c.required and c.name not in header]
    unknown = [name or "(empty)" for name in header if name not in names]
    twice = sorted({name for name in header if name in names and header.count(name) > 1})
    for what, found in (("missing", missing), ("unknown", unknown), ("twice there", twice)):
        if found:
            faults.append(f"{what}: {', '.join(found)}")
    if faults:
        raise _Stop(
            line,
            ",".join(header),
            f"The header is not right ({'; '.join(faults)}).",
            "Its columns are "
            + ", ".join(c.name if c.required else f"{c.name} (may be left out)" for c in columns)
            + "; nothing else was read.",
        )
    return [header.index(name) if name in header else len(header) for name in names]


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        try:
            line = text.readline(LINE_CHARACTERS_MAX + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _Stop(
                number,
                "",
                f"The packed file is damaged ({error}).",
                "Copy it again from where it came.",
            ) from None
        if not line:
            return
        if len(line) > LINE_CHARACTERS_MAX:
            raise _Stop(
                number,
                line[:100],
                f"The line is longer than {LINE_CHARACTERS_MAX} characters.",
                "Is this a CSV file?",
            )
        if not line.isascii():
            alien = _NOT_UTF8.search(line)
            if alien:
                byte = ord(alien[0]) - 0xDC00
                raise _Stop(
                    number,
                    "",
                    f"Byte {byte:#04x} at place {alien.start() + 1} is not UTF-8.",
                    "Save the file as UTF-8 (in spreadsheets: 'CSV UTF-8'); GB18030 and others "
                    "are not guessed.",
                )
        yield line


class _Source:
    """The bytes of a file: counted as they come, unpacked, and hashed as they go."""

    def __init__(self, stream: BinaryIO, progress: Progress | None) -> None:
        counted = io.BufferedReader(_Counted(stream, progress), 1 << 16)
        packed = counted.peek(2)[:2] == _GZIP_MAGIC
        unpacked = cast(BinaryIO, gzip.GzipFile(fileobj=counted)) if packed else counted
        self._hashed = _Hashed(unpacked)

    def text(self) -> io.TextIOWrapper:
        # newline="": the CSV reader tells the ends of rows from line breaks inside cells.
        return io.TextIOWrapper(
            io.BufferedReader(self._hashed, 1 << 16),
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
        )

    def digest(self) -> str:
        return self._hashed.sha256.hexdigest()


class _Counted(io.RawIOBase):
    def __init__(self, stream: BinaryIO, progress: Progress | None) -> None:
        self._stream, self._progress = stream, progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        if self._progress is not None and data:
            self._progress(len(data))
        return len(data)


class _Hashed(io.RawIOBase):
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        self.sha256.update(data)
        buffer[: len(data)] = data
        return len(data)
