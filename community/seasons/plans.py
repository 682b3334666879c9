"""A declared event as a change of one loan's plan: made, and taken back.

What happens to the plan is decided by the loan's own history: the change is one more thing that
happened to the loan, and taken back it never did.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from community.arithmetic.events import Event
from community.guarantees.cover import LoanCover
from community.loans.history import event_of
from community.loans.models import ChangeKind, LoanChange
from community.seasons.effects import DuesChange, FreezeDues, MoveDues, read_effect
from community.seasons.models import DeclaredEvent, EventLoanStatus
from community.servicing import service as servicing

# The loan's plan is as the event changed it.
IN_FORCE = (EventLoanStatus.APPLIED, EventLoanStatus.KEPT)


def apply_to_loan(
    session: Session,
    cover: LoanCover,
    *,
    event: DeclaredEvent,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> LoanChange:
    """The plan of a loan, locked with its cover, follows the event from `on` on.

    No money moves. Raises what `loans.changes.change_plan` raises.
    """
    kind, parameters = as_change(change_of(event))
    return servicing.change_locked(
        session,
        cover,
        kind=kind,
        parameters=parameters,
        reason=event.reason,
        on=on,
        now=now,
        actor_id=actor_id,
        effective_on=on,
        source=event.public_id,
    )


def change_of(event: DeclaredEvent) -> DuesChange:
    """What an event does, as typed values."""
    return DuesChange(read_effect(event.effect), event.dues_from, event.dues_until)


def as_change(change: DuesChange) -> tuple[ChangeKind, dict[str, Any]]:
    """What an event does, as loans keep changes of their plans."""
    effect = change.effect
    parameters: dict[str, Any] = {
        "from_on": change.dues_from.isoformat(),
        "until_on": change.dues_until.isoformat(),
        "interest": effect.interest.value,
    }
    if isinstance(effect, MoveDues):
        return ChangeKind.MOVE, parameters | {"days": effect.days}
    if isinstance(effect, FreezeDues):
        return ChangeKind.FREEZE, parameters | {"resume_on": effect.until.isoformat()}
    return ChangeKind.SPLIT, parameters | {
        "parts": effect.parts,
        "unit": effect.step_unit.value,
        "step": effect.step_length,
    }


def as_happening(change: DuesChange, on: date) -> Event:
    """What an event that is applied on a day does, as the arithmetic takes it."""
    kind, parameters = as_change(change)
    return event_of(kind, on, parameters)
