"""Applying and undoing events: portions of loans, each committed, until all are done."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.clock import now, today
from app.transaction import run_unit

# Loans in one unit of work: the event and so many loans are locked for as long as it takes.
PORTION = 100


def work_off(
    session: Session,
    portion: Callable[..., int],
    *,
    event_id: int,
    actor_id: int | None,
    limit: int | None = None,
    enough: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda left: None,
) -> int:
    """Run `apply_some` or `undo_some` until nothing is left or `enough` says so; what is left.

    `limit` loans at a time. Killed between two portions or inside one, it goes on where it stopped
    when it is run again.
    """
    step: dict[str, Any] = {"event_id": event_id, "actor_id": actor_id, "limit": limit or PORTION}
    while True:
        left = run_unit(session, portion, on=today(), now=now(), **step)
        progress(left)
        if not left or enough():
            return left
