"""Retention as a job: once a day from RETENTION_AT on, by whichever worker is first."""

import logging
from collections.abc import Callable
from datetime import timedelta

from flask import current_app
from sqlalchemy.orm import Session

from app.businessday.running import new_worker
from app.clock import Clock, now
from app.transaction import run_unit
from community.personal import daily
from community.personal.errors import RetentionTakenOver
from community.personal.retention import read_rules
from config.settings import Settings

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
# Rows that are taken away in one unit of work.
PORTION = 500


def forget_what_has_run_out(
    session: Session, *, stopping: Callable[[], bool] = lambda: False, portion: int = PORTION
) -> bool:
    """Work on the day's run until it is finished or `stopping`; whether there was one to work on.

    A run that was left unfinished comes first, so call it again until there is none.
    """
    settings: Settings = current_app.extensions["settings"]
    clock: Clock = current_app.extensions["clock"]
    local = clock.now().astimezone(clock.timezone)
    if settings.retention_at is None or local.time() < settings.retention_at:
        return False
    worker = new_worker(LEASE)
    holder = daily.Holder(worker.name, worker.lease, worker.is_gone)
    run_id = run_unit(
        session,
        daily.take_run,
        on=local.date(),
        rules=read_rules(settings.retention_file),
        holder=holder,
        now=now(),
    )
    if run_id is None:
        return False
    try:
        while not run_unit(
            session, daily.work_on, run_id=run_id, holder=holder, now=now(), limit=portion
        ):
            if stopping():
                run_unit(session, daily.let_go, run_id=run_id, holder=holder, now=now())
                return False
    except RetentionTakenOver:
        logger.warning("retention run %s was taken over", run_id)
        return False
    logger.info("retention run %s is finished", run_id)
    return True
