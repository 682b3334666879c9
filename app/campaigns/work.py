"""Granting a campaign: household by household, each a commit of its own."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from app.transaction import run_unit
from community.campaigns import granting
from community.campaigns.granting import Left
from community.errors import CommunityError, StaleSnapshot, Unavailable


def grant_all(
    session: Session,
    *,
    campaign_id: int,
    on: date,
    now: datetime,
    actor_id: int,
    enough: Callable[[], bool] = lambda: False,
) -> Left:
    """Grant every household that waits, until none is left or `enough` says so.

    A household that is refused its grant keeps the reason, and the others go on. Killed between
    two households or inside one, it goes on where it stopped when it is run again.
    """
    act: dict[str, Any] = {"now": now, "actor_id": actor_id}
    run_unit(session, granting.begin_granting, campaign_id=campaign_id, on=on, **act)
    done = 0
    while not enough():
        found = run_unit(session, granting.next_to_grant, campaign_id=campaign_id, after_id=done)
        if found is None:
            break
        try:
            run_unit(session, granting.grant, row_id=found, on=on, **act)
        except (StaleSnapshot, Unavailable):
            raise
        except CommunityError as refusal:
            run_unit(session, granting.note_hindrance, row_id=found, refusal=refusal, **act)
        done = found
    return run_unit(session, granting.finish, campaign_id=campaign_id, on=on, **act)
