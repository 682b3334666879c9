"""One loan's plan under declared events: changed, and put back as if one of them had never been.

Each change keeps the plan that it met and the plan that it made. Taking one back begins at the
plan that it met, lets what was paid since be paid there, and makes the later changes anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger.events import record_event
from community.loans import service as loans
from community.loans.models import Instalment, Loan
from community.loans.schedule import read_loan_terms
from community.locks import lock_once
from community.seasons.effects import (
    DuesChange,
    LoanRate,
    PlanRow,
    change_plan,
    pay_rows,
    read_effect,
    read_rows,
)
from community.seasons.models import DeclaredEvent, DeclaredEventLoan, EventLoanStatus

# A change that is part of the loan's plan as it is now.
IN_FORCE = (EventLoanStatus.APPLIED, EventLoanStatus.KEPT)


@dataclass(frozen=True, slots=True)
class LoanChange:
    """An event's change of one loan: made, or taken back."""

    event_id: int
    dues: DuesChange
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Replanned:
    """A loan's plan before and after."""

    before: tuple[PlanRow, ...]
    after: tuple[PlanRow, ...]


def apply_to_loan(
    session: Session,
    *,
    loan_id: int,
    change: LoanChange,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Replanned | None:
    """The loan's plan follows a declared event's change, or does as if it had never been made.

    What was paid and booked stays so; no money moves. The day since when the loan is overdue
    follows what is still unpaid; its status is left to the caller. None, and nothing is changed,
    when a change cannot be taken back because more interest was paid than the plan without it
    has. Locks the loan.
    """
    loan = lock_once(session, Loan, loan_id)
    # What is pending belongs to other loans: all of a portion is written at once.
    with session.no_autoflush:
        rows = _instalments(session, loan.id)
        before = _plan(rows)
        rate = LoanRate.of(read_loan_terms(loan.terms).product)
        if change.taken_back:
            after = _without(session, loan.id, change, before, rate)
            if after is None:
                return None
        else:
            after = change_plan(before, change.dues, rate)
    _write(session, loan.id, rows, after)
    loan.version += 1
    if loan.overdue_since_on is not None:
        since = loans.owed(session, loan=loan, on=on).overdue_since_on
        loan.overdue_since_on = since or loan.overdue_since_on
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.dues_restored" if change.taken_back else "loan.dues_changed",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "on": on.isoformat(),
            "event": session.get_one(DeclaredEvent, change.event_id).public_id,
            "unpaid_before_minor": unpaid_minor(before),
            "unpaid_after_minor": unpaid_minor(after),
        },
    )
    return Replanned(before, after)


def unpaid_minor(rows: Sequence[PlanRow]) -> int:
    """What is unpaid of a plan, principal and interest."""
    return sum(row.unpaid_minor for row in rows)


def _plan(instalments: Sequence[Instalment]) -> tuple[PlanRow, ...]:
    return tuple(
        PlanRow(
            row.due_on,
            row.principal_minor,
            row.interest_minor,
            row.paid_principal_minor,
            row.paid_interest_minor,
        )
        for row in instalments
    )


def _without(
    session: Session,
    loan_id: int,
    change: LoanChange,
    present: tuple[PlanRow, ...],
    rate: LoanRate,
) -> tuple[PlanRow, ...] | None:
    """The plan without one change; later ones are made anew on it, and note what they made."""
    records = session.scalars(
        select(DeclaredEventLoan)
        .where(DeclaredEventLoan.loan_id == loan_id, DeclaredEventLoan.status.in_(IN_FORCE))
        .order_by(DeclaredEventLoan.place)
        .execution_options(populate_existing=True)
    ).all()
    own = next(record for record in records if record.event_id == change.event_id)
    later = [record for record in records if (record.place or 0) > (own.place or 0)]
    plan: tuple[PlanRow, ...] | None = read_rows(own.before)
    paid = _paid(read_rows(own.after))
    remade = []
    for record in later:
        met = read_rows(record.before)
        plan = _pay_on(plan, paid, _paid(met))
        if plan is None:
            return None
        event = session.get_one(DeclaredEvent, record.event_id)
        made = change_plan(plan, change_of(event), rate)
        remade.append((record, plan, made))
        plan, paid = made, _paid(read_rows(record.after))
    plan = _pay_on(plan, paid, _paid(present))
    if plan is not None:
        for record, met, made in remade:
            record.before = [row.to_document() for row in met]
            record.after = [row.to_document() for row in made]
            record.before_minor, record.after_minor = unpaid_minor(met), unpaid_minor(made)
    return plan


def change_of(event: DeclaredEvent) -> DuesChange:
    """What an event does, as typed values."""
    return DuesChange(read_effect(event.effect), event.dues_from, event.dues_until)


def _paid(rows: Sequence[PlanRow]) -> tuple[int, int]:
    return (
        sum(row.paid_principal_minor for row in rows),
        sum(row.paid_interest_minor for row in rows),
    )


def _pay_on(
    plan: tuple[PlanRow, ...] | None, before: tuple[int, int], after: tuple[int, int]
) -> tuple[PlanRow, ...] | None:
    if plan is None or before == after:
        return plan
    return pay_rows(plan, after[0] - before[0], after[1] - before[1])


def _write(
    session: Session, loan_id: int, instalments: Sequence[Instalment], rows: Sequence[PlanRow]
) -> None:
    """The loan's instalments become these rows; a number keeps its row as long as it is used."""
    for number, row in enumerate(rows, start=1):
        values = {
            "due_on": row.due_on,
            "principal_minor": row.principal_minor,
            "interest_minor": row.interest_minor,
            "paid_principal_minor": row.paid_principal_minor,
            "paid_interest_minor": row.paid_interest_minor,
        }
        if number > len(instalments):
            session.add(Instalment(loan_id=loan_id, number=number, **values))
        else:
            for name, value in values.items():
                setattr(instalments[number - 1], name, value)
    for spare in instalments[len(rows) :]:
        session.delete(spare)


def _instalments(session: Session, loan_id: int) -> Sequence[Instalment]:
    return session.scalars(
        select(Instalment)
        .where(Instalment.loan_id == loan_id)
        .order_by(Instalment.number)
        # The loan's lock guards them: what the session read before it may be old.
        .execution_options(populate_existing=True)
    ).all()
