"""`flask risk …`: the desk from the command line, for nights and for large communities."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.clock import now, today
from app.extensions import db
from app.risk.work import PORTION, describe, work_one
from app.transaction import run_unit
from community.communities.models import Community
from community.errors import CommunityError
from community.money import format_minor
from community.risk import desk, queries, service, stress_service
from community.risk.models import StressTest

Answer = TypeVar("Answer")

cli = AppGroup("risk", help="The risk desk.")
_SHOWN = 10


@cli.command("clusters")
@click.option("--community", "reference", default=None, help="One community, by its reference.")
def clusters(reference: str | None) -> None:
    """Look for guarantee circles and keep what is found; findings become cases."""
    for place in places_of(reference):
        session = db.session()
        run = refusing(
            partial(
                run_unit,
                session,
                service.find_circles,
                community_id=place.id,
                actor_id=None,
                on=today(),
                now=now(),
            )
        )
        raised = refusing(
            partial(
                run_unit,
                session,
                desk.watch_desk,
                community_id=place.id,
                on=today(),
                now=now(),
            )
        )
        click.echo(
            f"{place.reference}: {run.circles} circles among {run.members} members and"
            f" {run.vouches} vouches, run {run.number}, rows {run.network_version[:12]};"
            f" {len(raised.events)} events, {raised.opened} cases opened"
        )
        for circle, name in queries.circles_of(session, run, limit=_SHOWN):
            expected = circle.expected_pool_minor + circle.expected_members_minor
            worst = circle.worst_pool_minor + circle.worst_members_minor
            click.echo(
                f"    {circle.rank}. circle {name.number} ({circle.kind.value}, {circle.size}"
                f" members): expected {format_minor(expected, place.currency)}, at worst"
                f" {format_minor(worst, place.currency)} {place.currency}"
            )
        session.rollback()


@cli.command("work")
@click.option("--test", "public_id", default=None, help="One stress test, by its id.")
@click.option("--portion", default=PORTION, type=click.IntRange(1, 10_000), show_default=True)
def work(public_id: str | None, portion: int) -> None:
    """Work off the stress tests that wait. Killed, it begins them anew and says the same."""
    session = db.session()
    wanted = None
    if public_id is not None:
        wanted = refusing(partial(stress_service.get_stress, session, public_id)).id
    done = 0
    with click.progressbar(length=0, label="draws", show_eta=False) as bar:

        def note(drawn: int, draws: int) -> None:
            bar.length = draws
            bar.update(drawn - bar.pos)

        while True:
            test_id = refusing(
                partial(work_one, session, test_id=wanted, portion=portion, note=note)
            )
            if test_id is None:
                break
            done += 1
            click.echo(describe(session.get_one(StressTest, test_id)))
            session.rollback()
            bar.pos = 0
            if wanted is not None:
                break
    click.echo(f"{done} stress tests worked off")


def places_of(reference: str | None) -> list[Community]:
    query = select(Community).order_by(Community.id)
    if reference is not None:
        query = query.where(Community.reference == reference)
    found = list(db.session().scalars(query))
    if not found:
        raise click.ClickException(f"There is no community {reference}.")
    return found


def refusing(work: Callable[[], Answer]) -> Answer:
    """What the domain refuses is told in a line, not as a fault."""
    try:
        return work()
    except CommunityError as refusal:
        raise click.ClickException(refusal.detail) from refusal
