"""`flask keys status`, `rotate` and `reindex`: the keys that seal personal identifiers."""

import click
from flask.cli import AppGroup

from app.extensions import db
from app.transaction import run_unit
from community.personal import rekeying
from community.sealing import CannotOpen, keys_of

keys = AppGroup("keys", help="The keys that seal personal identifiers.")


@keys.command("status")
def status() -> None:
    """Print which keys seal how many values; exit 1 if one of them is missing."""
    session = db.session()
    known = keys_of(session.get_bind().dialect)
    is_missing = False
    for use in rekeying.key_uses(session):
        parts = []
        for key_id, count in sorted(use.by.items()):
            note = " (first)" if key_id == known.first else "" if key_id in known else " (missing)"
            is_missing = is_missing or key_id not in known
            parts.append(f"{count} by {key_id or 'no key'}{note}")
        click.echo(f"{use.table}.{use.column}: {', '.join(parts) or 'nothing sealed'}")
    session.rollback()
    if is_missing:
        raise SystemExit(1)


@keys.command("rotate")
@click.option("--portion", default=500, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--portions-max", default=0, help="Stop after so many portions; 0: when all is done.")
def rotate(portion: int, portions_max: int) -> None:
    """Seal everything by the first key. Stopped, it goes on where it was; nobody has to wait."""
    total = portions = 0
    try:
        while done := run_unit(db.session(), rekeying.rotate_portion, limit=portion):
            total += done
            portions += 1
            if portions == portions_max:
                break
    except CannotOpen as fault:
        raise click.ClickException(
            f"{fault}. Give PERSONAL_DATA_KEYS every key that `flask keys status` names."
        ) from None
    click.echo(f"{total} values sealed anew")


@keys.command("reindex")
def reindex() -> None:
    """Make all blind indexes anew, after PERSONAL_INDEX_KEY was changed; stop the servers first."""
    click.echo(f"{run_unit(db.session(), rekeying.reindex)} blind indexes made anew")


COMMANDS = [keys]
