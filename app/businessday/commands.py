"""`flask day close|schedule`: see docs/business-day.md."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import func, select

from app.businessday.running import PORTION, Note, Outcome, close_days
from app.businessday.schedule import Schedule
from app.clock import now, today
from app.extensions import db
from community.businessday.service import Done, Turn
from community.communities.models import Community
from community.errors import CommunityError
from community.loans.models import LoanPosition
from community.money import format_minor

cli = AppGroup("day", help="The business day (docs/business-day.md).")


@cli.command("close")
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if left out.")
@click.option("--community", "reference", help="Only this community, by its reference.")
@click.option("--keep-open", is_flag=True, help="Do the day's work but let it take postings still.")
@click.option(
    "--portion",
    type=click.IntRange(min=1),
    default=PORTION,
    show_default=True,
    help="Loans worked on in one commit.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the report as JSON.")
@click.option("--lines", is_flag=True, help="A line for every portion instead of the bar.")
def close(
    on: datetime | None,
    reference: str | None,
    keep_open: bool,
    portion: int,
    as_json: bool,
    lines: bool,
) -> None:
    """Accrue interest, age loans, call guarantors, write off; then close the day.

    Killed half-way, run it again and it goes on where it was. Days left out since the last one
    are worked through first. Exits with 1 when another process works on a community.
    """
    day = on.date() if on else today()
    session = db.session()
    query = select(Community.id).order_by(Community.id)
    if reference is not None:
        query = query.where(Community.reference == reference)
    communities = session.scalars(query).all()
    loans = session.scalar(
        select(func.count())
        .select_from(LoanPosition)
        .where(LoanPosition.community_id.in_(communities))
    )
    session.rollback()
    if not communities:
        raise click.ClickException(f"There is no community {reference!r}.")
    with _progress(loans or 0, lines) as note:
        try:
            outcome = close_days(
                session,
                communities=communities,
                on=day,
                keep_open=keep_open,
                limit=portion,
                note=note,
            )
        except CommunityError as refusal:
            raise click.ClickException(refusal.detail) from refusal
    _tell(outcome, "worked through" if keep_open else "closed", as_json)
    for name, why in outcome.held.items():
        click.echo(f"{name}: {why}", err=True)
    if outcome.held:
        sys.exit(1)


@cli.command("schedule")
def schedule() -> None:
    """Stay, and close every day when it is over, at the time that DAY_CLOSE_AT says.

    May run on several hosts at once, and be stopped at any time.
    """
    clock: Schedule = current_app.extensions["business_day"]
    if clock.at is None:
        raise click.ClickException("Set DAY_CLOSE_AT, such as 00:30.")
    clock.run()


def _tell(outcome: Outcome, state: str, as_json: bool) -> None:
    if as_json:
        document = {
            "day": outcome.on.isoformat(),
            "state": state,
            "communities": outcome.communities,
            "days_worked": outcome.report.runs,
            "steps": outcome.report.counts,
            "held_by_others": outcome.held,
            "seconds": round(outcome.seconds, 3),
            "step_seconds": {
                name: round(seconds, 3) for name, seconds in outcome.step_seconds.items()
            },
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for counts in outcome.report.counts.values():
        for name, count in counts.items():
            if count:
                click.echo(f"  {name}: {_shown(name, count)}")
    mine = outcome.communities - len(outcome.held)
    click.echo(
        f"{outcome.on} {state}: {mine} communities, {outcome.report.runs} days worked, "
        f"{outcome.seconds:.1f} s"
    )


def _shown(name: str, count: int) -> str:
    currency = name.rpartition(" ")[2]
    return format_minor(count, currency) if currency.isupper() else str(count)


@contextmanager
def _progress(loans: int, lines: bool) -> Iterator[Note]:
    """A line a portion, or a bar on a terminal, or nothing."""
    if lines:
        yield _line
        return
    if not loans or not sys.stderr.isatty():
        yield lambda turn, done: None
        return
    days: set[date] = set()
    with click.progressbar(length=loans, label="loans", file=sys.stderr) as bar:

        def step(turn: Turn, done: Done) -> None:
            if turn.on not in days:
                days.add(turn.on)
                bar.label = f"{turn.on}"
            bar.update(done.counts.get("loans looked at", 0))

        yield step


def _line(turn: Turn, done: Done) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in done.counts.items() if count)
    click.echo(f"{now():%H:%M:%S} {turn.on} {done.step}: {counts or '-'}", err=True)
