"""`flask day close`: take every loan to a business day, then close the day in the books."""

from datetime import date, datetime

import click
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clock import now, today
from app.extensions import db
from app.transaction import run_unit
from community.communities.models import Community
from community.guarantees.failure import advance_loan, loans_to_advance
from community.ledger.holds import expire_holds
from community.ledger.service import close_through
from community.trust.service import expire_vouches
from community.trust.standings import expire_assessments

cli = AppGroup("day", help="The business day.")


@cli.command("close")
@click.option("--date", "on", type=click.DateTime(["%Y-%m-%d"]), help="The day; today if left out.")
@click.option("--community", "reference", help="Only this community, by its reference.")
@click.option("--keep-open", is_flag=True, help="Do the day's work but let it take postings still.")
def close(on: datetime | None, reference: str | None, keep_open: bool) -> None:
    """Age loans, call guarantors, let deadlines pass, write off; then close the day.

    Every loan is a unit of work of its own: killed half-way, run it again and it goes on.
    """
    day = on.date() if on else today()
    session = db.session()
    query = select(Community.id).order_by(Community.id)
    if reference is not None:
        query = query.where(Community.reference == reference)
    communities = session.scalars(query).all()
    session.rollback()
    if not communities:
        raise click.ClickException(f"There is no community {reference!r}.")
    moved = 0
    for community_id in communities:
        moved += close_community(session, community_id, day, keep_open=keep_open)
    state = "worked through" if keep_open else "closed"
    click.echo(f"{day} {state}: {len(communities)} communities, {moved} late loans looked at")


def close_community(
    session: Session, community_id: int, day: date, *, keep_open: bool = False
) -> int:
    """One community's day; returns how many loans were looked at."""
    for sweep in (expire_vouches, expire_assessments, expire_holds):
        run_unit(session, sweep, community_id=community_id, on=day, now=now())
    late = loans_to_advance(session, community_id=community_id, on=day)
    session.rollback()
    for loan_id in late:
        run_unit(session, advance_loan, loan_id=loan_id, on=day, now=now())
    if not keep_open:
        run_unit(session, close_through, community_id=community_id, on=day)
    return len(late)
