"""`flask members`: what has to be possible before anybody holds a token."""

from datetime import timedelta

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db
from app.transaction import run_unit
from community.members.models import MemberKind
from community.members.principal import Role
from community.members.service import grant_role, issue_token, register_member

cli = AppGroup("members", help="Members, from the server's own command line.")


@cli.command("add-operator")
@click.argument("name")
@click.option("--days", default=90, show_default=True, help="Lifetime of the token.")
def add_operator(name: str, days: int) -> None:
    """Register a platform operator and print a bearer token, once."""
    secret = run_unit(db.session(), _add_operator, name=name, days=days)
    click.echo(secret)


def _add_operator(session: Session, *, name: str, days: int) -> str:
    member = register_member(session, kind=MemberKind.PERSON, name=name, now=now())
    grant_role(session, member_id=member.id, role=Role.OPERATOR, community_id=None, now=now())
    _, secret = issue_token(
        session,
        member_id=member.id,
        label="first token, from the command line",
        lifetime=timedelta(days=days),
        lifetime_max=timedelta(days=current_app.extensions["settings"].token_lifetime_days_max),
        now=now(),
    )
    return secret
