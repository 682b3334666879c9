"""`flask backup|restore|config check|worker`: see docs/operations.md."""

import signal
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from app.clock import now
from app.extensions import cache, db
from app.health import database_state, revisions
from app.operations.backup import BackupError, Manifest, back_up, restore
from app.operations.worker import KINDS, Worker
from community.verification import verify
from config.settings import Settings, described, doubts

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


config_commands = AppGroup("config", help="The settings (config/example.env).")


@config_commands.command("check")
@click.option("--connect", is_flag=True, help="Ask the database and Redis for an answer as well.")
def config_check(connect: bool) -> None:
    """Show every setting as it counts, and what may not be meant so.

    Settings that cannot be are listed, all at once, and it exits with 1, as every start does.
    """
    settings: Settings = current_app.extensions["settings"]
    for name, value in described(settings).items():
        click.echo(f"{name}={value}")
    for doubt in [*doubts(settings), *settings.omissions]:
        click.echo(f"doubtful: {doubt}", err=True)
    if connect:
        checks = {"database": database_state(), "redis": cache.state()}
        for name, state in checks.items():
            click.echo(f"{name}: {state}")
        if checks["database"] != "ok" or checks["redis"] == "down":
            raise SystemExit(1)


@click.command("worker")
@click.option("--only", multiple=True, type=click.Choice(KINDS), help="Jobs of this kind only.")
@click.option("--once", is_flag=True, help="Work off what is there, then leave.")
@with_appcontext
def worker_command(only: tuple[str, ...], once: bool) -> None:
    """Work jobs off: webhooks, stress tests, business days (with DAY_CLOSE_AT), upkeep.

    Any number may run, on as many hosts. SIGTERM stops it at the next place to go on from.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    worker = Worker(app, only)
    before = {
        name: signal.signal(name, lambda *_: worker.stop())
        for name in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        worker.run_once() if once else worker.run()
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


COMMANDS = [backup_command, restore_command, config_commands, worker_command]
