"""The desk's evening: circles searched and alarms read, as a schedule would do it."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.simulation.drive import Life, instant
from app.transaction import run_unit
from community.communities import queries as communities
from community.communities.charter import RiskRule
from community.monitoring import cases
from community.monitoring.signals import Signal
from community.risk.alarms import find_alarms
from community.risk.service import find_circles


def look(session: Session, life: Life, on: date) -> None:
    """Look for circles and make cases of what is remarked."""
    place: dict[str, Any] = {"community_id": life.community_id, "on": on, "now": instant(on, 16)}
    run_unit(session, find_circles, **place, actor_id=None)
    run_unit(session, _tell, **place)


def _tell(session: Session, community_id: int, on: date, now: datetime) -> None:
    signals = [
        Signal(
            RiskRule.UNUSUAL_PATTERN,
            on,
            alarm.key[:200],
            alarm.member_ids[0],
            facts=alarm.facts | {"member_ids": list(alarm.member_ids)},
        )
        for alarm in find_alarms(session, community_id=community_id, on=on)
    ]
    cases.raise_events(
        session,
        community_id=community_id,
        signals=signals,
        charter=communities.charter_on(session, community_id, on),
        on=on,
        now=now,
    )
