"""The newcomer gate on requests.

What is let through is told to the officers in the same unit of work as the act itself: either both
are there or neither is. A hold is told in a unit of its own, because the refusal undoes the act's.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.clock import now, today
from app.extensions import db
from app.transaction import in_transaction, transactional
from community.errors import CommunityError
from community.risk import gate
from community.risk.gate import Suspicion
from community.risk.words import say

Answer = TypeVar("Answer")


class _Held(Exception):
    """Somebody waits at the gate: nothing of the unit stays."""

    def __init__(self, found: Sequence[Suspicion]) -> None:
        super().__init__()
        self.found = found


def through_the_gate(
    unit: Callable[..., Answer], *args: Any, refusal: type[CommunityError]
) -> Answer:
    """Run a unit of work that calls `let_through` before it acts.

    Where the charter says that somebody waits: tell the officers, then refuse.
    """
    try:
        return in_transaction(unit, *args)
    except _Held as held:
        found = held.found
    _tell(found)
    raise refusal("An officer has to look at this first, by the charter.")


def let_through(
    found: Sequence[Suspicion], *, membership_id: int | None = None, group_id: int | None = None
) -> None:
    """Within a unit of work, before its act: end it if somebody waits, else tell the officers.

    `membership_id` or `group_id` is what the act locks next.
    """
    held = [one for one in found if one.is_held]
    if held:
        raise _Held(held)
    if found:
        gate.tell(
            db.session(),
            suspicions=found,
            on=today(),
            now=now(),
            membership_id=membership_id,
            group_id=group_id,
        )


def warning_of(found: Sequence[Suspicion]) -> dict[str, Any] | None:
    """What was let through, for the answer to an officer."""
    if not found:
        return None
    [one] = found[:1]
    case = gate.case_of(db.session(), one)
    return {
        "case": None if case is None else case.public_id,
        "words": say(one.alarm.facts, currency="", names={}),
        "facts": one.alarm.facts,
    }


@transactional
def _tell(found: Sequence[Suspicion]) -> None:
    gate.tell(db.session(), suspicions=found, on=today(), now=now())
