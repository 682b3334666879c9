"""`flask keys`: what seals personal identifiers. `flask retention`: what is kept how long."""

from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from app.clock import now, today
from app.extensions import db
from app.transaction import run_unit
from community.personal import rekeying, retention
from community.personal.errors import BadRetentionRules
from community.personal.registry import as_table
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


retention_group = AppGroup("retention", help="How long personal data is kept.")


@retention_group.command("rules")
def rules() -> None:
    """Print how long each kind is kept, and who says so."""
    for rule in _rules():
        click.echo(f"{rule.kind}: {rule.days} days ({rule.source})")


@retention_group.command("registry")
def registry_table() -> None:
    """Print where personal data lies, the table of docs/personal-data.md."""
    click.echo("\n".join(as_table()))


@retention_group.command("run")
@click.option("--apply", "is_meant", is_flag=True, help="Take it away; without, it is counted.")
@click.option("--portion", default=500, show_default=True, type=click.IntRange(1, 10_000))
def run(*, is_meant: bool, portion: int) -> None:
    """Count what has run out, or take it away, in portions; stopped, it goes on another time."""
    when: dict[str, Any] = {"now": now(), "on": today()}
    for rule in _rules():
        count = retention.run_out(db.session(), rule, **when)
        if is_meant:
            count = 0
            step: dict[str, Any] = {**when, "rule": rule, "limit": portion}
            while done := run_unit(db.session(), retention.take_portion, **step):
                count += done
        click.echo(f"{rule.kind}: {count} {'taken away' if is_meant else 'have run out'}")
    db.session.rollback()


def _rules() -> list[retention.Rule]:
    try:
        return retention.read_rules(current_app.extensions["settings"].retention_file)
    except BadRetentionRules as fault:
        raise click.ClickException(fault.detail) from None


COMMANDS = [keys, retention_group]
