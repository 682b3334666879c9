"""`flask ledger verify`: prove the laws on the whole database."""

import click
from flask.cli import AppGroup

from app.extensions import db
from community.verification import LAWS, verify

cli = AppGroup("ledger", help="The books.")


@cli.command("verify")
@click.option("--most", default=100, show_default=True, help="Show at most this many breaches.")
@click.option("--quiet", is_flag=True, help="Only the verdict.")
def verify_command(most: int, quiet: bool) -> None:
    """Check every law that rows can prove; exit 1 and name the rows if one is broken."""
    session = db.session()
    report = verify(
        session, most=most, note=lambda text: None if quiet else click.echo(f"  {text}", err=True)
    )
    session.rollback()
    for breach in report.breaches:
        name = LAWS.get(breach.law, "")
        click.echo(f"BROKEN law {breach.law} ({name}): {breach.table} {breach.row}: {breach.what}")
    click.echo(
        f"{report.entries} entries, {report.postings} postings, {report.events} events: "
        + ("all laws hold" if report.holds else f"{len(report.breaches)} breaches")
    )
    if not report.holds:
        raise SystemExit(1)
