"""`flask demo seed` and `flask demo tokens`: a made-up cooperative to try the platform on."""

import json
import sys
from datetime import date, datetime, timedelta
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.demo.cast import FINISHED, TOWNSHIP, Size
from app.demo.seed import seed
from app.demo.showcase import Showcase, find_showcase
from app.demo.stories import DAYS_PLAYED
from app.extensions import db
from app.transaction import run_unit
from community.bulk import collector_paused
from community.communities.queries import find_community_by_reference
from community.ledger.models import Event
from community.members.models import Member
from community.members.service import issue_token
from community.verification import verify
from config.settings import Settings

cli = AppGroup("demo", help="A made-up cooperative to try the platform on (docs/demo.md).")

_BASE_URL = "http://127.0.0.1:8000"


@cli.command("seed")
@click.option(
    "--households", type=click.IntRange(60, 5_000), default=320, show_default=True, help="How many."
)
@click.option("--seed", "number", default=7, show_default=True, help="Another one, other people.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day after the last day of the story; the present business day if left out.",
)
def seed_command(households: int, number: int, today: datetime | None) -> None:
    """Make people, groups, promises and loans, over months that lie behind us."""
    session = db.session()
    if _is_there(session):
        click.echo("The made-up cooperative is here already; nothing was changed.")
        return
    day = clock.today() if today is None else today.date()
    click.echo(f"{households} households live through {DAYS_PLAYED} days …", err=True)
    with click.progressbar(length=DAYS_PLAYED, file=sys.stderr) as bar:
        first = day - timedelta(days=DAYS_PLAYED + 1)

        def passed(on: date) -> None:
            bar.update((on - first).days - bar.pos)

        # Nearly nothing that is made here is thrown away: looking for it costs a tenth of the time.
        with collector_paused():
            refused = seed(session, Size(households, number, day), passed=passed)
        bar.update(DAYS_PLAYED - bar.pos)
    told = ", ".join(f"{count} {code}" for code, count in sorted(refused.items()))
    click.echo(f"refused on the way: {told or 'nothing'}", err=True)
    report = verify(session)
    session.rollback()
    for breach in report.breaches:
        click.echo(f"BROKEN law {breach.law}: {breach.table} {breach.row}: {breach.what}")
    click.echo(
        f"{report.entries} entries, {report.postings} postings, {report.events} events: "
        + ("all laws hold" if report.holds else f"{len(report.breaches)} breaches")
    )
    if not report.holds:
        raise SystemExit(1)


@cli.command("tokens")
@click.option("--base-url", default=_BASE_URL, show_default=True, help="Where it is served.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True)
def tokens_command(base_url: str, as_json: bool, days: int) -> None:
    """Issue fresh tokens for people worth being for a while, and show what to ask with them."""
    session = db.session()
    if not _is_there(session):
        raise click.ClickException("There is no made-up cooperative here: flask demo seed.")
    shown = run_unit(session, _issue, days=days, base_url=base_url.rstrip("/"))
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=1))
        return
    for line in told(shown):
        click.echo(line)


def told(shown: dict[str, Any]) -> list[str]:
    """Tokens and questions as a page of text."""
    lines = ["Tokens (send as `Authorization: Bearer …`):", ""]
    for person in shown["people"]:
        lines += [f"  {person['role']:<12}{person['name']}: {person['about']}"]
        lines += [f"  {'':<12}{person['token']}", ""]
    lines += ["Ask it something:", ""]
    for question in shown["questions"]:
        lines += [f"  # {question['about']}", f"  {question['curl']}", ""]
    return lines


def _is_there(session: Session) -> bool:
    """Whether the story was told to its end; half a story is refused."""
    township = find_community_by_reference(session, TOWNSHIP)
    finished = session.scalar(select(Event.id).where(Event.kind == FINISHED).limit(1))
    session.rollback()
    if township is not None and finished is None:
        raise click.ClickException(
            "An earlier seeding stopped half-way; begin again with an empty database."
        )
    return finished is not None


def _issue(session: Session, days: int, base_url: str) -> dict[str, Any]:
    showcase = find_showcase(session, clock.today())
    if showcase is None:
        raise click.ClickException("Nobody is left here who could be shown.")
    people = {
        "member": (showcase.member, f"{showcase.village.name}，有一笔贷款，还有授信额度"),
        "leader": (showcase.leader, "联保小组组长"),
        "operator": (showcase.operator, "runs the platform"),
        "cooperative": (showcase.cooperative, "officer of the township and its villages"),
        "auditor": (showcase.auditor, "reads everything, changes nothing"),
    }
    secrets = {role: _token(session, member, days) for role, (member, _) in people.items()}
    return {
        # What README's session needs, as shell variables.
        "variables": {
            "API": f"{base_url}/api/v1",
            "COMMUNITY": showcase.village.public_id,
            "MEMBER": showcase.member.public_id,
            "PRODUCT": showcase.product.public_id,
            **{f"{role.upper()}_TOKEN": secret for role, secret in secrets.items()},
        },
        "people": [
            {
                "role": role,
                "name": member.name,
                "id": member.public_id,
                "about": about,
                "token": secrets[role],
            }
            for role, (member, about) in people.items()
        ],
        "questions": [
            {
                "about": about,
                "path": path,
                "role": role,
                "curl": f"curl -s {base_url}{path} -H 'Authorization: Bearer {secrets[role]}'",
            }
            for about, path, role in _questions(showcase)
        ],
    }


def _questions(showcase: Showcase) -> list[tuple[str, str, str]]:
    """What to ask, where, and as whom."""
    village = f"/api/v1/communities/{showcase.village.public_id}"
    return [
        (
            f"how much may {showcase.member.name} borrow, and why",
            f"{village}/members/{showcase.member.public_id}/credit-limit",
            "member",
        ),
        ("my loans", "/api/v1/me/loans", "member"),
        (
            "a late loan: who was asked to pay for it, and what became of it",
            f"/api/v1/loans/{showcase.late_loan.public_id}/calls",
            "cooperative",
        ),
        (f"what the books of {showcase.village.name} hold", f"{village}/balances", "auditor"),
    ]


def _token(session: Session, member: Member, days: int) -> str:
    settings: Settings = current_app.extensions["settings"]
    _, secret = issue_token(
        session,
        member_id=member.id,
        label="demo",
        lifetime=timedelta(days=min(days, settings.token_lifetime_days_max)),
        lifetime_max=timedelta(days=settings.token_lifetime_days_max),
        now=clock.now(),
        actor_id=member.id,
    )
    return secret
