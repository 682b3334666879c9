"""Import of bank statements: the credits of one community's account.

The bank's reference names a line: it is taken in once. Debits are counted and left alone. What the
lines are for is decided in `receiving`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, BinaryIO, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.bulk import select_by
from community.communities.queries import get_community_by_id
from community.errors import CommunityError
from community.importing import fields
from community.importing.reading import BadCell, Column, Progress, read_values
from community.importing.report import Report
from community.ledger.events import record_event
from community.money import parse_minor
from community.receiving import bank
from community.receiving.bank import Taken
from community.receiving.matching import Line
from community.receiving.models import BankLine

_SIGNED = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,3})?")


def _signed_amount(cell: str) -> str:
    """An amount with a sign if it went out; it stays text until the currency is known."""
    if not _SIGNED.fullmatch(cell):
        raise BadCell(
            "This is not an amount.",
            "Write digits with a point before the decimals, a minus before money that went out: "
            "1200.50 or -3.00.",
        )
    if not cell.strip("+-0."):
        raise BadCell("The amount is zero.", "Leave such rows out.")
    return cell.lstrip("+")


def _free_text(most: int) -> Callable[[str], str]:
    def read(cell: str) -> str:
        text = " ".join(cell.split())
        if len(text) > most:
            raise BadCell(f"The text has more than {most} characters.", "Shorten it.")
        if not text.isprintable():
            raise BadCell("The text holds characters that do not print.", "Remove them.")
        return text

    return read


def _account(cell: str) -> str:
    return "".join(_free_text(64)(cell).split())


COLUMNS = (
    Column("reference", fields.movement_reference, repeats=False),
    Column("booked_on", fields.day),
    Column("amount", _signed_amount),
    Column("currency", fields.currency, required=False),
    Column("payer_name", _free_text(120), required=False),
    Column("payer_account", _account, required=False),
    Column("text", _free_text(500), required=False),
)


class StatementRow(NamedTuple):
    """One row."""

    line: int
    reference: str
    booked_on: date
    amount: str
    currency: str | None
    payer_name: str | None
    payer_account: str | None
    text: str | None

    @property
    def is_debit(self) -> bool:
        return self.amount.startswith("-")


@dataclass
class StatementReport(Report):
    """What an import of a statement found and did, line by line."""

    taken: Taken | None = None


def read_statement(
    stream: BinaryIO,
    report: Report,
    *,
    on: date,
    progress: Progress | None = None,
    rows_max: int | None = None,
) -> list[StatementRow]:
    """Rows that are right as far as can be told from the file alone; the rest are faults.

    With `rows_max`, reading stops at the first row beyond it, which is a fault.
    """
    first: dict[str, StatementRow] = {}
    for values in read_values(stream, COLUMNS, report, progress):
        row = StatementRow._make(values)
        if rows_max is not None and report.rows > rows_max:
            report.fault(row.line, "", "", f"The file has more than {rows_max} rows.", "Split it.")
            break
        if row.booked_on > on:
            report.fault(
                row.line,
                "booked_on",
                row.booked_on.isoformat(),
                f"The day is after {on}, the day of the import.",
                "Give a day that has been, or import with a later --on.",
            )
            continue
        earlier = first.get(row.reference)
        if earlier is None:
            first[row.reference] = row
        elif earlier[1:] == row[1:]:
            report.unchanged += 1
        else:
            report.fault(
                row.line,
                "reference",
                row.reference,
                f"Line {earlier.line} has the same reference with other values.",
                "Give every line of the statement a reference of its own.",
            )
    return list(first.values())


def import_statement(
    session: Session,
    rows: list[StatementRow],
    report: Report,
    *,
    community_id: int,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Take the credits in; raises ImportRefused, having written nothing.

    A line that was taken in before counts as unchanged, if it still says the same. `on` is the
    business day on which everything is booked. Raises DayClosed.
    """
    community = get_community_by_id(session, community_id)
    lines, debits = _lines(rows, community.currency, report)
    fresh = _not_taken_in(session, community_id, lines, report)
    report.refuse_if_faulty()
    taken = bank.take_in(
        session,
        community_id=community_id,
        lines=list(fresh.values()),
        statement_hash=report.digest,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    if progress is not None:
        progress(len(rows))
    report.new = len(fresh)
    report.outcome = {
        "applied": len(taken.applied),
        "in suspense": len(taken.suspense),
        "debits left alone": debits,
    }
    if isinstance(report, StatementReport):
        report.taken = taken
    if fresh:
        record_event(
            session,
            community_id=community_id,
            kind="import.statement",
            subject=community.public_id,
            actor_id=actor_id,
            now=now,
            facts={
                "file_sha256": report.digest,
                "rows": report.rows,
                "applied": len(taken.applied),
                "suspense": len(taken.suspense),
            },
        )
    return report


def _lines(rows: list[StatementRow], currency: str, report: Report) -> tuple[dict[int, Line], int]:
    """The credits by line of the file, and how many debits there are."""
    lines: dict[int, Line] = {}
    debits = 0
    for row in rows:
        said = row.currency or currency
        try:
            amount_minor = parse_minor(row.amount, said)
        except CommunityError as error:
            report.fault(row.line, "amount", row.amount, error.detail, "Correct the amount.")
            continue
        if amount_minor < 0:
            debits += 1
            continue
        lines[row.line] = Line(
            reference=row.reference,
            booked_on=row.booked_on,
            amount_minor=amount_minor,
            currency=said,
            payer_name=row.payer_name or "",
            payer_account=row.payer_account or "",
            text=row.text or "",
        )
    return lines, debits


def _not_taken_in(
    session: Session, community_id: int, lines: dict[int, Line], report: Report
) -> dict[int, Line]:
    """The lines that are new; one taken in before that says something else is a fault."""
    query = select(BankLine).where(BankLine.community_id == community_id)
    there: dict[str, BankLine] = {
        row.reference: row
        for (row,) in select_by(
            session, query, BankLine.reference, {line.reference for line in lines.values()}
        )
    }
    fresh: dict[int, Line] = {}
    for number, line in lines.items():
        before = there.get(line.reference)
        if before is None:
            fresh[number] = line
            continue
        changed = _changed(line, before)
        if changed is None:
            report.unchanged += 1
            continue
        report.fault(
            number,
            changed,
            str(getattr(line, changed.replace("amount", "amount_minor"))),
            f"The line {line.reference} was taken in before with something else.",
            "What is booked is never changed: correct the file.",
        )
    return fresh


def _changed(line: Line, before: BankLine) -> str | None:
    for column, name in (
        ("booked_on", "booked_on"),
        ("amount", "amount_minor"),
        ("currency", "currency"),
        ("payer_name", "payer_name"),
        ("payer_account", "payer_account"),
        ("text", "text"),
    ):
        value: Any = getattr(line, name)
        if value != getattr(before, name):
            return column
    return None
