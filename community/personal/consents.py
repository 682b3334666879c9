"""Withdrawing a consent takes out what was noted by it."""

from datetime import datetime

from sqlalchemy import null, update
from sqlalchemy.orm import Session

from community.members.consents import withdraw_consent
from community.monitoring.models import Visit
from community.monitoring.visits import VISIT_PLACE


def withdraw(session: Session, *, member_id: int, purpose: str, now: datetime) -> None:
    """A member takes a consent back; what it alone allowed goes with it. Locks the member."""
    if withdraw_consent(session, member_id=member_id, purpose=purpose, now=now) and (
        purpose == VISIT_PLACE
    ):
        session.execute(
            update(Visit)
            .where(Visit.visited_id == member_id)
            .values(latitude_micro=null(), longitude_micro=null())
        )
