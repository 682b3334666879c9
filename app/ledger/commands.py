"""`flask ledger verify`: prove the laws. `flask ledger handbook`: print docs/ledger.md."""

import json
from dataclasses import asdict

import click
from flask.cli import AppGroup

from app.extensions import db
from community.communities.queries import find_community_by_reference
from community.ledger.handbook import handbook
from community.verification import LAWS, Report, verify

cli = AppGroup("ledger", help="The books.")


@cli.command("verify")
@click.option("--community", "reference", help="Only this community's book, by its reference.")
@click.option("--most", default=100, show_default=True, help="Show at most this many breaches.")
@click.option("--json", "as_json", is_flag=True, help="The verdict as one JSON object.")
@click.option("--quiet", is_flag=True, help="Only the verdict, no progress.")
def verify_command(reference: str | None, most: int, as_json: bool, quiet: bool) -> None:
    """Check every law that rows can prove; exit 1 and name the rows if one is broken."""
    session = db.session()
    community_id = None
    if reference is not None:
        community = find_community_by_reference(session, reference)
        if community is None:
            raise click.ClickException(f"There is no community {reference!r}.")
        community_id = community.id
    report = verify(
        session,
        most=most,
        note=lambda text: None if quiet else click.echo(f"  {text}", err=True),
        community_id=community_id,
    )
    session.rollback()
    click.echo(_as_json(report) if as_json else _as_text(report))
    if not report.holds:
        raise SystemExit(1)


@cli.command("handbook")
def handbook_command() -> None:
    """Print the chart of accounts and the posting rules, docs/ledger.md."""
    click.echo(handbook(), nl=False)


def _as_text(report: Report) -> str:
    lines = [
        f"BROKEN law {breach.law} ({LAWS.get(breach.law, '')}): "
        f"{breach.table} {breach.row}: {breach.what}"
        for breach in report.breaches
    ]
    verdict = "all laws hold" if report.holds else f"{len(report.breaches)} breaches"
    looked_at = f"{report.entries} entries, {report.postings} postings, {report.events} events"
    return "\n".join([*lines, f"{looked_at}: {verdict}"])


def _as_json(report: Report) -> str:
    return json.dumps(
        {
            "holds": report.holds,
            "entries": report.entries,
            "postings": report.postings,
            "events": report.events,
            "breaches": [
                {**asdict(breach), "name": LAWS.get(breach.law, "")} for breach in report.breaches
            ],
        },
        ensure_ascii=False,
    )
