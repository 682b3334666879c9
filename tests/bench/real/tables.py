"""Reading the data files: gzipped or plain CSV into columns."""

import csv
import gzip
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Table = dict[str, list[str]]


class BadTable(Exception):
    """A data file without a column that the protocol needs, or with too little in it."""


def read_table(data: Path, name: str, needed: Iterable[str] = ()) -> Table:
    """The columns of ``name.csv.gz`` (or ``name.csv``), as text.

    A missing file is a FileNotFoundError that names it, a missing column a BadTable.
    """
    path = data / f"{name}.csv.gz"
    plain = data / f"{name}.csv"
    if not path.exists() and plain.exists():
        with plain.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    else:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    header = rows[0] if rows else []
    lacking = sorted(set(needed) - set(header))
    if lacking:
        raise BadTable(f"{path.name} has no column {', '.join(lacking)}")
    body = [row for row in rows[1:] if len(row) == len(header)]
    return {column: [row[k] for row in body] for k, column in enumerate(header)}


def size(table: Table) -> int:
    """Number of rows."""
    return len(next(iter(table.values()), []))


def texts(table: Table, column: str) -> list[str]:
    """A column, or empty cells where the file does not have it."""
    return table.get(column) or [""] * size(table)


def numbers(table: Table, column: str) -> Floats:
    """A column as floats: NaN where a cell is empty or no number, or the column is not there."""
    return np.array([_number(cell) for cell in texts(table, column)], dtype=np.float64)


def codes(cells: Iterable[str]) -> Ints:
    """Texts as numbers 0, 1, … in the order of the alphabet; empty cells as -1."""
    cells = list(cells)
    known = {cell: k for k, cell in enumerate(sorted(set(cells) - {""}))}
    return np.array([known.get(cell, -1) for cell in cells], dtype=np.int64)


def _number(cell: str) -> float:
    low = cell.strip().lower()
    if low in ("true", "false"):
        return float(low == "true")
    try:
        return float(low)
    except ValueError:
        return float("nan")
