"""Commands of the foundation: `flask permissions`, `flask problems`, `flask forget-keys`."""

from datetime import timedelta

import click
from flask import current_app
from flask.cli import with_appcontext

from app.clock import now
from app.extensions import db
from app.permissions import PERMISSIONS
from app.problems import problem_page
from app.transaction import run_unit
from community.idempotency import forget_keys


@click.command("permissions")
def permissions() -> None:
    """Print who may do what."""
    for action, predicates in sorted(PERMISSIONS.items()):
        click.echo(action)
        for predicate in predicates:
            click.echo(f"    {' '.join((predicate.__doc__ or predicate.__name__).split())}")


@click.command("problems")
def problems() -> None:
    """Print the page of problem types, docs/problems.md."""
    click.echo(problem_page(), nl=False)


@click.command("forget-keys")
@with_appcontext
def forget_idempotency_keys() -> None:
    """Clear away idempotency keys older than IDEMPOTENCY_DAYS."""
    before = now() - timedelta(days=current_app.extensions["settings"].idempotency_days)
    count = run_unit(db.session(), forget_keys, before=before)
    click.echo(f"{count} keys cleared away")


COMMANDS = [permissions, problems, forget_idempotency_keys]
