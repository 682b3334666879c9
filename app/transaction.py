"""Where units of work begin and end: the only commit in the code.

A unit is a function. It is run as a whole, and run again as a whole when others got in its way;
so it must do nothing but work on the session until it returns.
"""

import logging
import random
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import current_app, has_app_context, has_request_context
from prometheus_client import Counter
from sqlalchemy.orm import Session

from app.database_faults import as_refusal, busy, is_contention, is_unique_violation
from community.engine import STATEMENT_TIMEOUT, WRITE_LOCK
from community.errors import StaleSnapshot

logger = logging.getLogger(__name__)

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

ATTEMPTS = 5
# The first wait is up to this long, each further one up to twice as long as the one before.
WAIT_SECONDS = 0.02
# Waiting for locks counts too: nobody is kept longer than about this.
PATIENCE_SECONDS = 20.0

repeated = Counter("lianbao_unit_repeats_total", "Units of work that were run again", ["reason"])
given_up = Counter("lianbao_unit_given_up_total", "Units of work whose tries were used up")


def transactional(view: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Run a view or a command as one unit of work. Stands innermost, right above the function.

    The function uses `db.session`, returns its answer, and refuses by raising.
    """

    @wraps(view)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return in_transaction(view, *args, **kwargs)

    return run


def in_transaction(
    work: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Answer:
    """Run `work(*args, **kwargs)`, which uses `db.session`, as one unit of work."""
    from app.extensions import db

    return run_unit(db.session(), lambda _session: work(*args, **kwargs))


def run_unit(
    session: Session,
    work: Callable[Concatenate[Session, Arguments], Answer],
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Answer:
    """Run `work(session, *args, **kwargs)` and commit; nothing of it stays if it raises.

    What was begun on the session before, such as reading the caller, is dropped first. Contention
    (a deadlock, a lock waited for too long, StaleSnapshot) rolls back and runs `work` again, a few
    times, after short random waits; `session.info["last_try"]` tells it when no further run
    follows. Then StaleSnapshot comes through, and contention of the database as Unavailable.
    A constraint that no service foresaw is a Conflict.
    """
    if session.info.get("unit_under_way"):
        raise RuntimeError("a unit of work cannot begin inside another one")
    attempts = _attempts()
    started = time.monotonic()
    session.info["unit_under_way"] = True
    met_unique = False
    try:
        for attempt in range(1, attempts + 1):
            waited = time.monotonic() - started
            last_try = attempt == attempts or waited > PATIENCE_SECONDS
            session.info["last_try"] = last_try
            try:
                session.rollback()
                session.connection(execution_options=_options())
                answer = work(session, *args, **kwargs)
                session.commit()
            except Exception as error:
                session.rollback()
                # Somebody entered the same thing meanwhile: the second run sees it and can
                # refuse, or replay, in its own words.
                unforeseen = is_unique_violation(error) and not met_unique
                met_unique = met_unique or unforeseen
                if last_try or not (unforeseen or is_contention(error)):
                    raise
                repeated.labels(_reason(error)).inc()
                logger.info("unit of work is run again after %s", _reason(error))
                # Jitter only: it decides nothing that anybody could want to foresee.
                time.sleep(random.uniform(0, WAIT_SECONDS * 2 ** (attempt - 1)))
            else:
                return answer
        raise AssertionError("the last try returns or raises")
    except StaleSnapshot:
        given_up.inc()
        raise
    except Exception as error:
        if is_contention(error):
            given_up.inc()
            raise busy() from error
        refusal = as_refusal(error)
        if refusal is not None:
            raise refusal from error
        raise
    finally:
        session.info.pop("unit_under_way", None)
        session.info.pop("last_try", None)


def _options() -> dict[str, Any]:
    # Commands such as an import or a day's closing may take their time; requests may not.
    return {WRITE_LOCK: True} | ({} if has_request_context() else {STATEMENT_TIMEOUT: 0})


def _attempts() -> int:
    if has_app_context():
        return int(current_app.extensions["settings"].transaction_attempts)
    return ATTEMPTS


def _reason(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return (
        getattr(original, "sqlstate", None)
        or getattr(original, "sqlite_errorname", None)
        or type(error).__name__
    )
