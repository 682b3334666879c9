"""Registers that are brought in as CSV files, the way a real cooperative begins."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.demo.cast import Play
from community.importing.people import import_people, read_people
from community.importing.report import Report
from community.importing.savings import import_savings, read_savings
from community.importing.ties import import_ties, read_ties

PEOPLE = ("reference", "kind", "name", "household", "birth_year", "community", "status", "since_on")
SAVINGS = ("reference", "community", "member", "amount", "moved_on", "kind")
TIES = ("community", "voucher", "borrower", "amount", "said_by", "expires_on")

Rows = Iterable[Sequence[Any]]


def bring_people(play: Play, rows: Rows) -> None:
    """Members, households and memberships, in the order of PEOPLE."""
    _bring(play, "people", PEOPLE, rows, read_people, import_people)


def bring_savings(play: Play, rows: Rows) -> None:
    """A day's sheet of deposits and stake locks, in the order of SAVINGS."""
    _bring(play, "savings", SAVINGS, rows, read_savings, import_savings)


def bring_ties(play: Play, rows: Rows) -> None:
    """Who said to stand behind whom, in the order of TIES."""
    _bring(play, "ties", TIES, rows, read_ties, import_ties)


def _bring(
    play: Play,
    kind: str,
    columns: Sequence[str],
    rows: Rows,
    read: Callable[..., list[Any]],
    write: Callable[..., Report],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    seen = Report(kind)
    found = read(io.BytesIO(text.getvalue().encode()), seen, on=play.on)

    def work(session: Session) -> None:
        write(session, found, seen.copy(), actor_id=play.operator_id, **play.today())

    play.do(work)
