"""Telling: books are read on, and what is due is sent; each delivery under a lease of its own."""

import logging
from collections.abc import Callable
from datetime import timedelta

from flask import current_app
from sqlalchemy.orm import Session

from app.businessday.running import new_worker
from app.clock import now
from app.transaction import run_unit
from app.webhooks.sending import retries, send
from community.webhooks import queries, service
from config.settings import Settings

logger = logging.getLogger(__name__)

# Records of one book read in one commit.
PORTION = 200


def tell(session: Session, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Read all books on, send all that is due; how many records were read and deliveries tried.

    Stopped, it finishes the delivery that is under way. Killed, the delivery is sent again
    when its lease has run out: a receiver knows it by its id.
    """
    done = 0
    ids = queries.active_ids(session)
    session.rollback()
    for webhook_id in ids:
        while not stopping():
            read = run_unit(
                session, service.fan_out, webhook_id=webhook_id, now=now(), limit=PORTION
            )
            done += read
            if not read:
                break
    while not stopping() and deliver_one(session):
        done += 1
    return done


def deliver_one(session: Session) -> bool:
    """Send the next delivery that is due. False: there is none."""
    settings: Settings = current_app.extensions["settings"]
    me = new_worker().name
    # Long enough for a name's lookup and the answer; short, as a killed worker's has to run out.
    lease = timedelta(seconds=3 * settings.webhook_timeout_seconds + 15)
    parcel = run_unit(session, service.take, worker=me, lease=lease, now=now(), retries=retries())
    if parcel is None:
        return False
    result = send(parcel, now=now())
    run_unit(
        session,
        service.settle,
        delivery_id=parcel.delivery_id,
        worker=me,
        result=result,
        now=now(),
        retries=retries(),
    )
    if not result.is_taken:
        logger.warning("delivery %s: %s", parcel.public_id, result.fault)
    return True
