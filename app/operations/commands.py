"""`flask backup`, `flask restore`: see docs/operations.md."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from app.clock import now
from app.extensions import db
from app.health import revisions
from app.operations.backup import BackupError, Manifest, back_up, restore
from community.verification import verify
from config.settings import Settings

_FOLDER = click.Path(path_type=Path)


@click.command("backup")
@click.argument("folder", type=_FOLDER)
@with_appcontext
def backup_command(folder: Path) -> None:
    """Write the database into FOLDER, which must not be there yet; others may go on writing."""
    settings: Settings = current_app.extensions["settings"]
    try:
        manifest = back_up(db.engine, folder, programs=settings.postgres_programs, now=now())
    except BackupError as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"{folder}: {_described(manifest)}")


@click.command("restore")
@click.argument("folder", type=_FOLDER)
@click.option("--no-verify", is_flag=True, help="Leave the laws to `flask ledger verify`.")
@with_appcontext
def restore_command(folder: Path, no_verify: bool) -> None:
    """Fill the empty database that DATABASE_URL names from FOLDER, then prove the laws."""
    settings: Settings = current_app.extensions["settings"]
    heads, known = revisions()
    try:
        manifest = restore(db.engine, folder, programs=settings.postgres_programs, known=known)
    except BackupError as fault:
        raise click.ClickException(str(fault)) from fault
    click.echo(f"{folder}: {_described(manifest)}; restored, with the same heads of books")
    if manifest.revision not in heads:
        click.echo("Its tables are of an earlier version: run flask db upgrade, then ledger verify")
        return
    if no_verify:
        return
    session = db.session()
    report = verify(session)
    session.rollback()
    for breach in report.breaches:
        click.echo(f"BROKEN law {breach.law}: {breach.table} {breach.row}: {breach.what}")
    if not report.holds:
        raise SystemExit(1)
    click.echo(f"{report.entries} entries, {report.events} events: all laws hold")


def _described(manifest: Manifest) -> str:
    return (
        f"{manifest.database} of {manifest.made_at}, migration {manifest.revision}, "
        f"{len(manifest.books)} books, {manifest.bytes} bytes, sha256 {manifest.sha256[:12]}"
    )


COMMANDS = [backup_command, restore_command]
