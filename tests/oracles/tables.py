"""Data files of the cases: CSV, compressed or not."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

from tests.oracles.registry import Malformed


def table(path: Path, *columns: str) -> list[tuple[str, ...]]:
    """These columns of all rows, as the text that is there."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    missing = set(columns) - set(header)
    if missing:
        raise Malformed(f"{path.name} has no column {', '.join(sorted(missing))}")
    at = [header.index(name) for name in columns]
    return [tuple(row[i] for i in at) for row in reader if row]


def id_of(text: str) -> int | str:
    """A whole number where it is one, so that ids sort by value."""
    return int(text) if text.removeprefix("-").isdecimal() else text
