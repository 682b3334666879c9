"""`flask import people|communities|ties|savings|statement FILE`: see docs/import.md."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
from flask.cli import AppGroup

from app import clock
from app.extensions import db
from app.transaction import run_unit
from community.bulk import collector_paused
from community.communities.queries import find_community_by_reference, get_community
from community.errors import CommunityError
from community.importing.communities import import_communities, read_communities
from community.importing.errors import ImportRefused
from community.importing.people import import_people, read_people
from community.importing.report import Report
from community.importing.savings import import_savings, read_savings
from community.importing.statements import StatementRow, import_statement, read_statement
from community.importing.ties import import_ties, read_ties
from community.money import CURRENCY_EXPONENTS

cli = AppGroup("import", help="Bring in many rows from CSV files (docs/import.md).")

FAULTS_SHOWN = 20

Read = Callable[..., list[Any]]
Write = Callable[..., Report]


class _DryRun(Exception):
    """Leaves the unit of work without a commit."""


def _options(takes_currency: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def add(command: Callable[..., None]) -> Callable[..., None]:
        options = [
            click.argument("file", type=click.File("rb")),
            click.option(
                "--on",
                type=click.DateTime(["%Y-%m-%d"]),
                help="The business day of the import; today if not given.",
            ),
            click.option("--dry-run", is_flag=True, help="Check everything, write nothing."),
            click.option(
                "--shown",
                type=click.IntRange(min=0),
                default=FAULTS_SHOWN,
                show_default=True,
                help="How many faults to print.",
            ),
            click.option(
                "--report",
                "report_file",
                type=click.Path(dir_okay=False, writable=True, path_type=Path),
                help="Write all faults to this CSV file.",
            ),
        ]
        if takes_currency:
            options.append(
                click.option(
                    "--currency",
                    type=click.Choice(sorted(CURRENCY_EXPONENTS)),
                    help="The currency of rows that name none.",
                )
            )
        for option in reversed(options):
            command = option(command)
        return command

    return add


@cli.command("communities")
@_options(takes_currency=True)
def communities(**options: Any) -> None:
    """Communities of the three kinds, with their first charters."""
    _import("communities", read_communities, import_communities, **options)


@cli.command("people")
@_options(takes_currency=False)
def people(**options: Any) -> None:
    """Members, their households and memberships."""
    _import("people", read_people, import_people, **options)


@cli.command("ties")
@_options(takes_currency=True)
def ties(**options: Any) -> None:
    """Who stands behind whom: one side's word a row, both sides' words make a vouch."""
    _import("ties", read_ties, import_ties, **options)


@cli.command("savings")
@_options(takes_currency=True)
def savings(**options: Any) -> None:
    """Deposits, and savings locked as stake."""
    _import("savings", read_savings, import_savings, **options)


@cli.command("statement")
@click.option("--community", required=True, help="Whose account: its id or its reference.")
@_options(takes_currency=False)
def statement(community: str, **options: Any) -> None:
    """A bank statement: credits go to loans or into suspense (docs/receiving.md)."""
    debits: list[StatementRow] = []

    def read(*args: Any, **facts: Any) -> list[StatementRow]:
        rows = read_statement(*args, **facts)
        debits[:] = [row for row in rows if row.is_debit]
        return rows

    def write(session: Any, rows: list[StatementRow], report: Report, **facts: Any) -> Report:
        place = find_community_by_reference(session, community)
        place = place or get_community(session, community)
        return import_statement(session, rows, report, community_id=place.id, **facts)

    _import("statement", read, write, **options)
    for row in debits:
        click.echo(
            f"line {row.line}: {row.reference} of {row.booked_on} is a debit of {row.amount}: "
            "left alone.",
            err=True,
        )


def _import(kind: str, read: Read, write: Write, **options: Any) -> None:
    with collector_paused():
        _run(kind, read, write, **options)


def _run(
    kind: str,
    read: Read,
    write: Write,
    *,
    file: BinaryIO,
    on: datetime | None,
    dry_run: bool,
    shown: int,
    report_file: Path | None,
    **more: Any,
) -> None:
    day: date = on.date() if on is not None else clock.today()
    read_report = Report(kind)
    with _bar("reading", _size(file)) as progress:
        rows = read(file, read_report, on=day, progress=progress)
    reports: list[Report] = []

    def work(session: Any) -> Report:
        # A unit of work may be run again: each run counts anew.
        report = read_report.copy()
        reports[:] = [report]
        with _bar("writing", _rows_to_write(kind, len(rows))) as progress:
            write(session, rows, report, on=day, now=clock.now(), progress=progress, **more)
        if dry_run:
            raise _DryRun
        return report

    try:
        run_unit(db.session(), work)
    except ImportRefused as refusal:
        _tell_faults(refusal.report, shown, report_file)
        click.echo(refusal.report.summary())
        click.echo("Nothing was written.", err=True)
        sys.exit(1)
    except _DryRun:
        click.echo(reports[0].summary())
        click.echo("This was a dry run: nothing was written.", err=True)
        return
    except CommunityError as error:
        raise click.ClickException(f"{error.detail} Nothing was written.") from error
    click.echo(reports[0].summary())


def _tell_faults(report: Report, shown: int, report_file: Path | None) -> None:
    for text in report.fault_lines(shown):
        click.echo(text, err=True)
    if report_file is not None:
        with report_file.open("w", encoding="utf-8-sig", newline="") as stream:
            report.write_faults(stream)
        click.echo(f"All faults are in {report_file}.", err=True)


def _size(file: BinaryIO) -> int | None:
    """The file's length in bytes as it lies there; None for a pipe."""
    name = getattr(file, "name", None)
    path = Path(name) if isinstance(name, str) else None
    return path.stat().st_size if path is not None and path.is_file() else None


def _rows_to_write(kind: str, rows: int) -> int:
    # A member comes with a membership and its first step.
    return rows * 3 if kind == "people" else rows


@contextmanager
def _bar(label: str, length: int | None) -> Iterator[Callable[[int], None] | None]:
    """A progress bar on the terminal's error stream; nothing where there is no terminal."""
    if not length or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update
