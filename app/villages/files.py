"""The three files of a folder of villages, read with the importer's own reader.

Every fault has its line, column, reason and remedy. Files may be packed (.csv.gz) or plain (.csv).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.villages.recipe import HEAD, HouseholdRow, PersonRow, TieRow
from community.importing.errors import ImportRefused
from community.importing.reading import BadCell, Column, read_values
from community.importing.report import Report

PEOPLE, TIES, HOUSEHOLDS = "village_people", "village_ties", "village_households"
ENDINGS = (".csv.gz", ".csv")
AGE_MAX = 120


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that a folder holds."""

    people: list[PersonRow]
    ties: list[TieRow]
    households: list[HouseholdRow]
    # Which files were read, in the order people, ties, households.
    files: tuple[Path, ...]


def find_file(folder: Path, name: str) -> Path | None:
    """The file of this name, packed or plain; None if there is neither."""
    return next((folder / f"{name}{e}" for e in ENDINGS if (folder / f"{name}{e}").is_file()), None)


def read_survey(folder: Path, only: frozenset[str] = frozenset()) -> Survey:
    """Read a folder; `only` names villages, empty: all of them.

    Raises FileNotFoundError for a missing folder or file, ImportRefused with all faults of a file.
    """
    paths = {name: find_file(folder, name) for name in (PEOPLE, TIES, HOUSEHOLDS)}
    missing = [name for name in (PEOPLE, TIES) if paths[name] is None]
    if missing:
        raise FileNotFoundError(
            f"There is no {' and no '.join(f'{name}.csv.gz or .csv' for name in missing)} in "
            f"{folder}."
        )
    people = _read(paths[PEOPLE], PEOPLE, _PERSON, _person, ("village", "person"), only)
    ties = _read(paths[TIES], TIES, _TIE, TieRow._make, (), only)
    households = _read(
        paths[HOUSEHOLDS], HOUSEHOLDS, _HOUSEHOLD, _household, ("village", "household"), only
    )
    if only and (unknown := only - {person.village for person in people}):
        raise FileNotFoundError(f"There is no village {', '.join(sorted(unknown))} in {folder}.")
    return Survey(people, ties, households, tuple(path for path in paths.values() if path))


def _read(
    path: Path | None,
    name: str,
    columns: tuple[Column, ...],
    make: Callable[[tuple[Any, ...]], Any],
    key: tuple[str, ...],
    only: frozenset[str],
) -> list[Any]:
    if path is None:
        return []
    report = Report(path.name)
    seen: dict[tuple[str, ...], int] = {}
    rows = []
    with path.open("rb") as stream:
        for values in read_values(stream, columns, report):
            row = make(values)
            if key:
                place = tuple(getattr(row, part) for part in key)
                first = seen.setdefault(place, row.line)
                if first != row.line:
                    report.fault(
                        row.line,
                        key[-1],
                        place[-1],
                        f"Line {first} has the same {' and '.join(key)}.",
                        f"Give every {key[-1]} one row.",
                    )
            if not only or row.village in only:
                rows.append(row)
    if not report.faults and not rows and name != HOUSEHOLDS:
        report.fault(0, "", "", "The file has no rows.", "Give it at least one.")
    if report.faults:
        report.faults.sort(key=lambda fault: fault.line)
        raise ImportRefused(report)
    return rows


def _number(cell: str) -> str:
    """A village's, household's or person's number; any short text without spaces will do."""
    if len(cell) > 20 or not cell.isprintable() or " " in cell or ";" in cell:
        raise BadCell("This is not a number or short name.", "Write it without spaces.")
    return cell


def _age(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 3 and int(cell) <= AGE_MAX):
        raise BadCell(
            f"This is not an age from 0 to {AGE_MAX}.",
            "Write full years, or leave the cell empty if it is not known.",
        )
    return int(cell)


def _rooms(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 2):
        raise BadCell("This is not a number of rooms.", "Write digits, or leave the cell empty.")
    return int(cell)


def _yes(cell: str) -> bool:
    if cell not in ("0", "1"):
        raise BadCell("This is neither 0 nor 1.", "Write 1 for yes; 0 or nothing for no.")
    return cell == "1"


def _unread(_cell: str) -> None:
    """A column that the run has no business with, such as caste and religion."""


def _left_out(name: str) -> Column:
    return Column(name, _unread, required=False)


_PERSON = (
    Column("village", _number),
    Column("person", _number, repeats=False),
    Column("household", _number),
    _left_out("gender"),
    Column("age", _age, required=False),
    Column("resp_status", str, required=False),
    _left_out("religion"),
    _left_out("caste"),
    Column("surveyed", _yes, required=False),
)
_TIE = (
    Column("village", _number),
    Column("respondent", _number),
    Column("asker", _number),
    Column("helper", _number),
    Column("kind", _number),
)
_HOUSEHOLD = (
    Column("village", _number),
    Column("household", _number, repeats=False),
    _left_out("took_microfinance"),
    _left_out("leader"),
    _left_out("religion"),
    Column("roof", _number, required=False),
    Column("rooms", _rooms, required=False),
    _left_out("beds"),
    _left_out("electricity"),
    Column("ownership", _number, required=False),
)


def _person(values: tuple[Any, ...]) -> PersonRow:
    line, village, person, household, _, age, status, _, _, surveyed = values
    return PersonRow(
        line, village, person, household, age, status == HEAD, bool(surveyed or status)
    )


def _household(values: tuple[Any, ...]) -> HouseholdRow:
    line, village, household, _, _, _, roof, rooms, _, _, ownership = values
    return HouseholdRow(line, village, household, roof or "", rooms, ownership == "OWNED")
