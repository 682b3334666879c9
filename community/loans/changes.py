"""Charges on a loan and changes of its plan: each a row, then the history is worked out anew.

Every function here works on a loan that the caller has locked; what follows for its cover and its
status is settled in the room that keeps the cover.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import read_rules
from community.communities.models import Charter
from community.errors import Invalid, WrongState
from community.ledger.events import record_event
from community.loans import states
from community.loans.errors import (
    ChangeNotFound,
    ChargeNotFound,
    ChargeWaived,
    PlanNotChanged,
    RestructuredTooOften,
)
from community.loans.history import derive, event_of, project, read_history, replay_once
from community.loans.models import ChangeKind, Charge, ChargeKind, Loan, LoanChange, LoanStatus
from community.loans.repayments import check_day
from community.loans.schedule import read_loan_terms
from community.loans.steps import move_loan


def add_charge(
    session: Session,
    *,
    loan: Loan,
    kind: ChargeKind,
    amount_minor: int,
    due_on: date,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Charge:
    """Put a fee or a penalty on a live loan; it is owed from its due day, today or later.

    Raises WrongState, Invalid.
    """
    _check_live(loan)
    if amount_minor <= 0:
        raise Invalid("A charge is a positive amount.", field="amount")
    if due_on < on:
        raise Invalid(f"A charge falls due today ({on}) or later.", field="due_on")
    charge = Charge(
        loan_id=loan.id,
        kind=kind,
        amount_minor=amount_minor,
        due_on=due_on,
        reason=reason,
        actor_id=actor_id,
        recorded_at=now,
    )
    session.add(charge)
    session.flush()  # the history reads it
    _note(
        session,
        loan,
        "loan.charge_added",
        {"charge": charge.public_id, "kind": kind.value, "amount_minor": amount_minor,
         "due_on": due_on.isoformat(), "reason": reason},
        now=now,
        actor_id=actor_id,
    )  # fmt: skip
    work_out(session, loan=loan, on=on, now=now, actor_id=actor_id)
    return charge


def waive_charge(
    session: Session,
    *,
    loan: Loan,
    charge: Charge,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Let go of a charge; what was paid on it goes to what else is owed. Raises ChargeWaived."""
    _check_live(loan)
    if charge.waived_on is not None:
        raise ChargeWaived(f"It was waived on {charge.waived_on}.")
    charge.waived_on = on
    session.flush()  # the history leaves it out
    _note(
        session,
        loan,
        "loan.charge_waived",
        {"charge": charge.public_id, "reason": reason},
        now=now,
        actor_id=actor_id,
    )
    work_out(session, loan=loan, on=on, now=now, actor_id=actor_id)


def change_plan(
    session: Session,
    *,
    loan: Loan,
    kind: ChangeKind,
    effective_on: date,
    parameters: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    source: str = "",
    is_restructuring: bool = False,
) -> LoanChange:
    """Change a live loan's plan from a day on that has come.

    `parameters` are those of the change in `loans.history.event_of`. Raises WrongState, DayNotOpen,
    PlanNotChanged when nothing would follow from it, Invalid for parameters that cannot be read.
    """
    _check_live(loan)
    if loan.accelerated_on is not None:
        raise PlanNotChanged("All of the loan is due: there is no plan left to change.")
    if effective_on != on:
        check_day(session, loan=loan, received_on=effective_on, on=on)
    try:
        event = event_of(kind, effective_on, parameters)
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(f"The change cannot be read: {error}.", field="parameters") from None
    contract, events = read_history(session, loan)
    before = replay_once(session, contract, events, on)
    state = replay_once(session, contract, [*events, event], on)
    plans = [[(row.due_on, row.due) for row in one.rows] for one in (before, state)]
    if plans[0] == plans[1]:
        raise PlanNotChanged("Nothing of the loan's plan would change.")
    change = LoanChange(
        loan_id=loan.id,
        kind=kind,
        effective_on=effective_on,
        parameters=dict(parameters),
        reason=reason,
        source=source,
        is_restructuring=is_restructuring,
        days_overdue=before.days_overdue,
        actor_id=actor_id,
        recorded_at=now,
    )
    session.add(change)
    session.flush()  # its id orders it among the loan's changes
    _note(
        session,
        loan,
        "loan.plan_changed",
        {
            "change": change.public_id,
            "kind": kind.value,
            "effective_on": effective_on.isoformat(),
            "parameters": dict(parameters),
            "days_overdue": before.days_overdue,
            "reason": reason,
        }
        | ({"source": source} if source else {}),
        now=now,
        actor_id=actor_id,
    )
    project(session, loan=loan, state=state, on=on, now=now, actor_id=actor_id)
    return change


def restructure(
    session: Session,
    *,
    loan: Loan,
    kind: ChangeKind,
    effective_on: date,
    parameters: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> LoanChange:
    """Give a borrower in trouble a new plan, as often as the charter of the loan allows.

    What was late before stays on the change's record; the loan counts as restructured until it
    ends. Raises what `change_plan` raises, RestructuredTooOften.
    """
    allowed = read_rules(session.get_one(Charter, loan.charter_id).rules).restructures_max
    if loan.restructure_count >= allowed:
        raise RestructuredTooOften(
            f"The charter allows {allowed} restructurings of a loan; this one had "
            f"{loan.restructure_count}.",
            rule="restructures_max",
            restructures_max=allowed,
            restructure_count=loan.restructure_count,
        )
    change = change_plan(
        session,
        loan=loan,
        kind=kind,
        effective_on=effective_on,
        parameters=parameters,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
        is_restructuring=True,
    )
    loan.restructure_count += 1
    loan.restructured_on = on
    if loan.status is LoanStatus.CURRENT:
        move_loan(
            session,
            loan=loan,
            to=LoanStatus.RESTRUCTURED,
            on=on,
            now=now,
            actor_id=actor_id,
            reason=reason,
        )
    return change


def undo_change(
    session: Session,
    *,
    loan: Loan,
    change: LoanChange,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Take a change of plan back: the plan is as if it had never been. Raises ChangeNotFound."""
    _check_live(loan)
    if change.undone_on is not None or change.is_restructuring:
        raise ChangeNotFound("There is no such change to take back.")
    change.undone_on = on
    change.undone_reason = reason
    change.undone_by_id = actor_id
    session.flush()  # the history leaves it out
    _note(
        session,
        loan,
        "loan.plan_change_undone",
        {"change": change.public_id, "reason": reason},
        now=now,
        actor_id=actor_id,
    )
    work_out(session, loan=loan, on=on, now=now, actor_id=actor_id)


def work_out(
    session: Session, *, loan: Loan, on: date, now: datetime, actor_id: int | None
) -> None:
    """Work a live loan's history out anew, as of a day, and write what follows."""
    state = derive(session, loan=loan, on=on)
    project(session, loan=loan, state=state, on=on, now=now, actor_id=actor_id)


def bring_to_day(session: Session, *, loan: Loan, on: date, now: datetime) -> None:
    """Write the penalties and the interest that only time added to a live loan (locked)."""
    if loan.status in states.LIVE and read_loan_terms(loan.terms).product.moves_daily:
        work_out(session, loan=loan, on=on, now=now, actor_id=None)


def find_changes(session: Session, *, loan_id: int, source: str) -> list[LoanChange]:
    """What was changed on a loan for a reason of this name and is not taken back, oldest first."""
    return list(
        session.scalars(
            select(LoanChange)
            .where(
                LoanChange.loan_id == loan_id,
                LoanChange.source == source,
                LoanChange.undone_on.is_(None),
            )
            .order_by(LoanChange.id)
        )
    )


def get_change(session: Session, public_id: str) -> LoanChange:
    """A change of plan by the id that the outside knows. Raises ChangeNotFound."""
    change = session.scalar(select(LoanChange).where(LoanChange.public_id == public_id))
    if change is None:
        raise ChangeNotFound()
    return change


def get_charge(session: Session, public_id: str) -> Charge:
    """A charge by the id that the outside knows. Raises ChargeNotFound."""
    charge = session.scalar(select(Charge).where(Charge.public_id == public_id))
    if charge is None:
        raise ChargeNotFound()
    return charge


def _check_live(loan: Loan) -> None:
    if loan.status not in states.LIVE:
        raise WrongState("The loan is not running.", state=loan.status.value)


def _note(
    session: Session,
    loan: Loan,
    kind: str,
    facts: dict[str, Any],
    *,
    now: datetime,
    actor_id: int | None,
) -> None:
    record_event(
        session,
        community_id=loan.community_id,
        kind=kind,
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
