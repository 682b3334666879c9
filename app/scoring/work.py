"""Working trainings off: by command, or in a thread of the server."""

import logging
from datetime import timedelta

from flask import current_app
from sqlalchemy.orm import Session

from app.businessday.running import is_gone, new_worker
from app.clock import now
from app.extensions import db
from app.risk.work import DeskWorker
from app.transaction import run_unit
from community.errors import CommunityError
from community.scoring import service
from community.scoring.errors import TooLittleHistory, TrainingUnderWay

logger = logging.getLogger(__name__)

# Reading the history and making the model is one piece of work: minutes on a large community.
LEASE = timedelta(minutes=30)


def train_one(session: Session, *, training_id: int | None = None) -> int | None:
    """Work one training off: the given one, else the first that waits; its id, None: none waits.

    Killed, it is begun anew by whoever comes next, and says the same. Raises what
    `begin_training` raises, TrainingUnderWay if another took it over.
    """
    me = service.Worker(new_worker().name, LEASE, is_gone)
    begun = run_unit(session, service.begin_training, worker=me, now=now(), training_id=training_id)
    if begun is None:
        return None
    try:
        # Nothing is locked meanwhile: it reads, then works things out.
        made = service.work_training(session, training_id=begun)
        session.rollback()
        run_unit(
            session, service.finish_training, training_id=begun, worker=me, made=made, now=now()
        )
    except TrainingUnderWay:
        raise
    except Exception as error:
        session.rollback()
        is_refused = isinstance(error, CommunityError)
        if not is_refused:
            logger.exception("training %s", begun)
        run_unit(
            session,
            service.give_up_training,
            training_id=begun,
            worker=me,
            reason=error.detail if isinstance(error, CommunityError) else type(error).__name__,
            is_refused=isinstance(error, TooLittleHistory),
            now=now(),
        )
    return begun


class TrainingWorker(DeskWorker):
    """Works off trainings that wait, in a thread of this process."""

    name = "early warning"

    def work(self) -> bool:
        return train_one(db.session()) is not None


def training_worker() -> TrainingWorker:
    """This process's worker."""
    worker: TrainingWorker = current_app.extensions["training_worker"]
    return worker
