"""`flask simulate --seed N`: a made-up life with known truths; see docs/simulation.md."""

import os

import click
from flask.cli import with_appcontext

from config.settings import Settings


@click.command("simulate")
@click.option("--seed", default=1, show_default=True, help="Another one, other lives.")
@click.option("--villages", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option(
    "--months",
    type=click.IntRange(8, 60),
    default=24,
    show_default=True,
    help="Under eight there is no time for what is planted.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=None,
    help="Processes that share the villages; as many as there are processors if left out.",
)
@click.option(
    "--close-every",
    type=click.IntRange(1, 31),
    default=7,
    show_default=True,
    help="So many days are closed in one leap; 1 works every day through.",
)
@with_appcontext
def simulate(seed: int, villages: int, months: int, workers: int | None, close_every: int) -> None:
    """Live through villages in which something is planted, and tell what was found of it.

    In files of its own, one for each process, or in the empty database that DATABASE_URL names.
    Exit status 1 if a law of the books is broken.
    """
    # The analysis libraries are for those who run this, not for every server process.
    from app.simulation.run import Options, databases, make_app, run, told

    settings = Settings.load()
    workers = min(workers or os.cpu_count() or 1, villages)
    urls = databases(settings, seed, workers)
    options = Options(seed, villages, months * 365 // 12, close_every)
    try:
        outcome = run(make_app, urls, options, click.echo)
    except FileExistsError as fault:
        raise click.ClickException(str(fault)) from fault
    for line in told(outcome):
        click.echo(line)
    if outcome.breaches:
        raise click.exceptions.Exit(1)


COMMANDS = [simulate]
