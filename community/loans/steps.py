"""The one way in which a loan's status moves: by the table, with a step row and an event."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.loans import states
from community.loans.models import Loan, LoanStatus, LoanStep


def move_loan(
    session: Session,
    *,
    loan: Loan,
    to: LoanStatus,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str = "",
) -> None:
    """Take one step of a loan's life (the loan is locked): status, dates, step row and event.

    Raises StepNotAllowed when the table of states does not have the step.
    """
    states.check_step(loan.status, to)
    record_step(session, loan, loan.status, to, on=on, now=now, actor_id=actor_id, reason=reason)
    loan.status = to
    loan.version += 1
    if to is LoanStatus.SUBMITTED:
        loan.submitted_at = now
    elif to is LoanStatus.APPROVED:
        loan.approved_at = now
    elif to is LoanStatus.CALLED:
        loan.called_on = on
    loan.ended_on = on if to in states.ENDED else None


def record_step(
    session: Session,
    loan: Loan,
    from_status: LoanStatus | None,
    to: LoanStatus,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> None:
    """Write down a step, on its row and in the chain."""
    session.add(
        LoanStep(
            loan_id=loan.id,
            from_status=from_status,
            to_status=to,
            on=on,
            reason=reason,
            actor_id=actor_id,
            recorded_at=now,
        )
    )
    facts: dict[str, Any] = {"on": on.isoformat(), "principal_minor": loan.principal_minor}
    record_event(
        session,
        community_id=loan.community_id,
        kind=f"loan.{to.value}",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts
        | ({"from": from_status.value} if from_status else {})
        | ({"reason": reason} if reason else {}),
    )


def currency_of(loan: Loan) -> str:
    """The currency that a loan is counted in."""
    currency: str = loan.terms["product"]["currency"]
    return currency
