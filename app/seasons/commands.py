"""`flask seasons …`: declared events that reach more loans than a request should wait for."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from flask.cli import AppGroup
from sqlalchemy import func, select

from app.clock import now, today
from app.extensions import db
from app.seasons.work import PORTION, work_off
from app.transaction import run_unit
from community.errors import CommunityError
from community.seasons import queries, service
from community.seasons.models import DeclaredEvent, DeclaredEventLoan

Answer = TypeVar("Answer")

cli = AppGroup("seasons", help="Declared events.")


@cli.command("preview")
@click.argument("event")
def preview(event: str) -> None:
    """Work out what the event would do to every loan; no loan changes."""
    row = _event(event)
    session = db.session()
    with click.progressbar(length=0, label="loans", show_eta=False) as bar:
        step: dict[str, Any] = {
            "event_id": row.id,
            "on": today(),
            "now": now(),
            "actor_id": None,
        }
        looked_at = _refusing(
            lambda: run_unit(session, service.preview, **step, progress=bar.update)
        )
    found = looked_at.preview or {}
    click.echo(f"{event}: {found['loans']} loans of {found['members']} members would change")
    for reason, count in found["refusals"].items():
        click.echo(f"    {count} are left alone: {reason}")


@cli.command("apply")
@click.argument("event")
@click.option("--reason", default="", help="Why, and where that is written down.")
@click.option(
    "--portion",
    default=PORTION,
    type=click.IntRange(1, 10_000),
    show_default=True,
    help="Loans in one unit of work.",
)
def apply(event: str, reason: str, portion: int) -> None:
    """Apply a previewed event. Killed half-way, run it again and it goes on."""
    _work(event, reason, portion, service.begin_applying, service.apply_some)


@cli.command("undo")
@click.argument("event")
@click.option("--reason", required=True, help="Why it is taken back.")
@click.option(
    "--portion",
    default=PORTION,
    type=click.IntRange(1, 10_000),
    show_default=True,
    help="Loans in one unit of work.",
)
def undo(event: str, reason: str, portion: int) -> None:
    """Put every loan's plan back as if the event had not been. Resumes like apply."""
    _work(event, reason, portion, service.begin_undoing, service.undo_some)


def _work(
    event: str,
    reason: str,
    portion: int,
    begin: Callable[..., DeclaredEvent],
    work: Callable[..., int],
) -> None:
    row_id = _event(event).id
    session = db.session()
    step: dict[str, Any] = {
        "event_id": row_id,
        "on": today(),
        "now": now(),
        "actor_id": None,
    }
    _refusing(lambda: run_unit(session, begin, **step, reason=reason))
    whole = session.scalar(select(func.count()).where(DeclaredEventLoan.event_id == row_id))
    session.rollback()
    with click.progressbar(length=whole or 0, label="loans") as bar:
        work_off(
            session,
            work,
            event_id=row_id,
            actor_id=None,
            limit=portion,
            progress=lambda left: bar.update(max((whole or 0) - left - bar.pos, 0)),
        )
    done = queries.progress_of(session, [row_id])[row_id]
    state = queries.get_event(session, event).status.value
    session.rollback()
    click.echo(
        f"{event} is {state}: {done.applied} changed, {done.refused} refused, "
        f"{done.undone} put back, {done.kept} kept"
    )


def _event(public_id: str) -> DeclaredEvent:
    return _refusing(lambda: queries.get_event(db.session(), public_id))


def _refusing(work: Callable[[], Answer]) -> Answer:
    """What the domain refuses is told in a line, not as a fault."""
    try:
        return work()
    except CommunityError as refusal:
        raise click.ClickException(refusal.detail) from refusal
