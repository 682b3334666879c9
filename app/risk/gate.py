"""The newcomer gate on requests: told in a unit of its own, because a refusal undoes its unit."""

from collections.abc import Sequence
from typing import Any

from app.clock import now, today
from app.extensions import db
from app.transaction import transactional
from community.errors import CommunityError
from community.risk import gate
from community.risk.gate import Suspicion
from community.risk.words import say


def hold_if_said(found: Sequence[Suspicion], refusal: type[CommunityError]) -> None:
    """Where the charter says that somebody waits: tell the officers, then refuse."""
    held = [one for one in found if one.is_held]
    if held:
        _tell(held)
        raise refusal("An officer has to look at this first, by the charter.")


def warning_of(found: Sequence[Suspicion]) -> dict[str, Any] | None:
    """Tell the officers what was let through, and say it for the answer to one of them."""
    if not found:
        return None
    _tell(found)
    session = db.session()
    [one] = found[:1]
    case = gate.case_of(session, one)
    return {
        "case": None if case is None else case.public_id,
        "words": say(one.alarm.facts, currency="", names={}),
        "facts": one.alarm.facts,
    }


def tell_quietly(found: Sequence[Suspicion]) -> None:
    """Tell the officers; whoever asked hears nothing of it."""
    if found:
        _tell(found)


@transactional
def _tell(found: Sequence[Suspicion]) -> None:
    gate.tell(db.session(), suspicions=found, on=today(), now=now())
