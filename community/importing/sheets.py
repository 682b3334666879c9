"""Collection sheets as CSV files: handed out, filled in without a connection, read again. Pure.

A row of kind `repayment` is about a loan, one of kind `deposit` about a member's savings. Every row
names its sheet, an id that whoever fills it in makes up, and the day: the same file sent again is
the same sheet. Rows that say nothing (no amount, nobody absent, no note) are passed over.
"""

import csv
import io
import re
from collections.abc import Iterable
from datetime import date
from typing import BinaryIO, NamedTuple

from community.importing import fields
from community.importing.reading import BadCell, Column, read_values
from community.importing.report import Report
from community.receiving.collecting import LINES_MAX
from community.receiving.models import LineKind

_PUBLIC_ID = {
    prefix: re.compile(f"{prefix}_[0-9a-hj-km-np-tv-z]{{16}}") for prefix in ("lon", "mem")
}
_SHEET = re.compile(r"[A-Za-z0-9._~-]{1,64}")


def _loan_id(cell: str) -> str:
    if not _PUBLIC_ID["lon"].fullmatch(cell):
        raise BadCell("This is not a loan's id.", "Leave the cell as it was handed out.")
    return cell


def _member_id(cell: str) -> str:
    if not _PUBLIC_ID["mem"].fullmatch(cell):
        raise BadCell("This is not a member's id.", "Ids are like mem_0123456789abcdef.")
    return cell


def _sheet(cell: str) -> str:
    if not _SHEET.fullmatch(cell):
        raise BadCell(
            "This is no name for a sheet.",
            "Use 1 to 64 letters, digits, dots, underscores, tildes or hyphens.",
        )
    return cell


def _amount(cell: str) -> str:
    return "" if not cell.strip("0.") else fields.amount(cell)


def _yes(cell: str) -> bool:
    if cell not in ("yes", "no"):
        raise BadCell("This is neither yes nor no.", "Write yes if the member was absent.")
    return cell == "yes"


def _note(cell: str) -> str:
    text = " ".join(cell.split())
    if len(text) > 120 or not text.isprintable():
        raise BadCell("The note is too long or does not print.", "Use up to 120 characters.")
    return text


def _anything(cell: str) -> str:
    return cell


COLUMNS = (
    Column("sheet", _sheet),
    Column("collected_on", fields.day),
    Column("kind", fields.one_of(LineKind)),
    Column("member", _member_id, repeats=False),
    Column("loan", _loan_id, required=False, repeats=False),
    Column("amount", _amount, required=False),
    Column("payer", _member_id, required=False, repeats=False),
    Column("absent", _yes, required=False),
    Column("note", _note, required=False),
    # What is told to whoever fills it in; nothing is read from it.
    Column("name", _anything, required=False),
    Column("savings", _anything, required=False),
    Column("past_due", _anything, required=False),
    Column("due_today", _anything, required=False),
    Column("next_due_on", _anything, required=False),
    Column("next_due", _anything, required=False),
    Column("suggested", _anything, required=False),
)


class SheetRow(NamedTuple):
    """One row that says something. Ids are public ones, the amount is text, '' for none."""

    line: int
    sheet: str
    collected_on: date
    kind: LineKind
    member: str
    loan: str | None
    amount: str
    payer: str | None
    absent: bool
    note: str


def read_sheet(stream: BinaryIO, report: Report) -> list[SheetRow]:
    """The rows that say something; what cannot be right whatever the database holds is a fault."""
    found: list[SheetRow] = []
    named: tuple[str, date] | None = None
    for values in read_values(stream, COLUMNS, report):
        line, sheet, day, kind, member, loan, amount, payer, absent, note = values[:10]
        row = SheetRow(
            line, sheet, day, kind, member, loan, amount or "", payer, bool(absent), note or ""
        )
        named = named or (row.sheet, row.collected_on)
        if (row.sheet, row.collected_on) != named:
            reason = "Another sheet or another day than on the first row."
            report.fault(line, "sheet", sheet, reason, "Send one file for each sheet.")
        elif (row.kind is LineKind.REPAYMENT) != (row.loan is not None):
            reason = "A repayment names its loan, a deposit does not."
            report.fault(line, "loan", loan or "", reason, "Leave the cell as it was handed out.")
        elif len(found) >= LINES_MAX:
            report.fault(line, "", "", f"A sheet has at most {LINES_MAX} lines.", "Split it.")
            break
        elif row.amount or row.absent or row.note:
            found.append(row)
    if not found and not report.faults:
        report.fault(0, "", "", "The sheet says nothing.", "Fill in what was paid.")
    return found


def write_sheet(rows: Iterable[dict[str, str]]) -> str:
    """A sheet to be filled in; every row has texts by the names of columns."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [column.name for column in COLUMNS], restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _safe(value) for name, value in row.items()})
    return stream.getvalue()


def _safe(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: names are what people call themselves."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t") else value
