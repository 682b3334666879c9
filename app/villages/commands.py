"""`flask villages --data DIR`: real villages through the main job; see docs/real-data.md."""

from dataclasses import replace
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from community.importing.errors import ImportRefused
from config.settings import Settings

DATABASE = "villages.sqlite3"
FAULTS_SHOWN = 20


@click.command("villages")
@click.option(
    "--data",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the village files; DATA_DIR if left out.",
)
@click.option("--database", help=f"An empty database; the file {DATABASE} if left out.")
@click.option("--keep", is_flag=True, help="Leave the file of the run before, and number this one.")
@click.option("--village", "only", multiple=True, help="Only this village; may be repeated.")
@click.option(
    "--loans-per-village",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="How many households of a village apply alone.",
)
@click.option(
    "--groups-per-village",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="How many groups a village forms at most.",
)
@with_appcontext
def villages(
    folder: Path | None,
    database: str | None,
    keep: bool,
    only: tuple[str, ...],
    loans_per_village: int,
    groups_per_village: int,
) -> None:
    """Import villages, lend in them for two years, and check every law on what came of it.

    Exit status 1 if a law is broken or a limit disagrees with the independent one.
    """
    # The analysis libraries are for those who run this, not for every server process.
    from app import create_app
    from app.villages.files import read_survey
    from app.villages.lending import instant
    from app.villages.recipe import ASSUMED
    from app.villages.run import Options, run

    settings: Settings = current_app.extensions["settings"]
    folder = folder or settings.data_dir
    try:
        survey = read_survey(folder, frozenset(only))
    except FileNotFoundError as fault:
        raise click.ClickException(str(fault)) from fault
    except ImportRefused as refusal:
        for line in refusal.report.fault_lines(FAULTS_SHOWN):
            click.echo(line, err=True)
        raise click.ClickException(f"{refusal.report.kind} cannot be read.") from refusal
    click.echo("read: " + ", ".join(str(path) for path in survey.files))
    settings = replace(settings, fixed_now=instant(ASSUMED.start_on), log_level="WARNING")
    if database is None:
        # A run can be repeated at any time: its file need not survive a power cut.
        file = _fresh_file(settings.var_dir, keep=keep)
        settings = replace(settings, database_url=f"sqlite:///{file}", database_durable=False)
        click.echo(f"database: {file}")
    else:
        settings = replace(settings, database_url=database)
    options = Options(loans_per_village, groups_per_village)
    try:
        # No routes: the run needs the database, the clock and the commands.
        outcome = run(create_app(settings, features=()), survey, options, click.echo)
    except FileExistsError as fault:
        raise click.ClickException(str(fault)) from fault
    if not outcome.holds:
        raise click.exceptions.Exit(1)


def _fresh_file(folder: Path, *, keep: bool) -> Path:
    """Where a run without --database works; what is left of an earlier one goes, unless kept."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / DATABASE
    number = 1
    while keep and file.exists():
        number += 1
        file = folder / DATABASE.replace(".", f"-{number}.")
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    return file


COMMANDS = [villages]
