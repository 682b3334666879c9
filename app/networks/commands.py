"""`flask networks build|show`: see docs/networks.md."""

import json
from dataclasses import asdict
from datetime import datetime

import click
from flask.cli import AppGroup
from sqlalchemy import select

from app.clock import now, today
from app.extensions import db
from app.networks.building import build_networks
from app.networks.folder import network_folder
from community.communities.models import Community
from community.trust.networks import describe_networks

cli = AppGroup("networks", help="Network files for analysis (docs/networks.md).")


@cli.command("build")
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if left out.")
@click.option("--community", "reference", help="Only this community, by its reference.")
@click.option(
    "--from-rows", is_flag=True, help="Read all rows, even where a file could be patched."
)
@click.option("--json", "as_json", is_flag=True, help="What was built, as JSON.")
def build(on: datetime | None, reference: str | None, from_rows: bool, as_json: bool) -> None:
    """Write the network files of communities anew and put them in force."""
    session = db.session()
    query = select(Community.id, Community.reference).order_by(Community.id)
    if reference is not None:
        query = query.where(Community.reference == reference)
    found = {row.id: row.reference for row in session.execute(query)}
    session.rollback()
    if not found:
        raise click.ClickException(f"There is no community {reference!r}.")
    built = build_networks(
        session,
        communities=list(found),
        on=on.date() if on else today(),
        now=now(),
        folder=network_folder(),
        from_rows_only=from_rows,
    )
    if as_json:
        rows = [{"community": found[id_], **asdict(one)} for id_, one in built.items()]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for id_, one in built.items():
        click.echo(
            f"{found[id_]}: {one.members:,} members, {one.edges:,} promises, "
            f"{one.size / 1e6:.1f} MB ({one.version})"
        )


@cli.command("show")
def show() -> None:
    """List the files in force, how old they are, and what was written since."""
    session = db.session()
    lines = describe_networks(session, network_folder())
    session.rollback()
    if not lines:
        click.echo("No community has a network file. Make some with `flask networks build`.")
    for line in lines:
        state = "in place" if line.is_here else "not in this folder: rows are read instead"
        click.echo(
            f"{line.reference}: of {line.day_on}, built {line.built_at:%Y-%m-%d %H:%M} UTC, "
            f"{line.written_since} members written since, {state}"
            if line.version
            else f"{line.reference}: a first build was begun and did not finish; run it again"
        )
