"""Proving declared events: what they say they did is what the loans' plans are."""

from collections.abc import Iterator

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from community.errors import CommunityError
from community.ledger.checks import Breach
from community.loans.models import Instalment
from community.seasons.effects import read_rows
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    DeclaredEventStep,
    EventLoanStatus,
    EventStatus,
)
from community.seasons.plans import IN_FORCE, change_of

PORTION = 500
# What the loans of an event can be, by what the event is.
FITTING = {
    EventStatus.DRAFT: frozenset[EventLoanStatus](),
    EventStatus.PREVIEWED: frozenset({EventLoanStatus.PLANNED, EventLoanStatus.REFUSED}),
    EventStatus.APPLYING: frozenset(
        {EventLoanStatus.PLANNED, EventLoanStatus.REFUSED, EventLoanStatus.APPLIED}
    ),
    EventStatus.APPLIED: frozenset({EventLoanStatus.REFUSED, EventLoanStatus.APPLIED}),
    EventStatus.UNDOING: frozenset(EventLoanStatus) - {EventLoanStatus.PLANNED},
    EventStatus.UNDONE: frozenset(
        {EventLoanStatus.REFUSED, EventLoanStatus.UNDONE, EventLoanStatus.KEPT}
    ),
}


def check_seasons(session: Session) -> Iterator[Breach]:
    """Laws 5 and 7: events can be read, their steps lead to where they are, plans are theirs."""
    yield from _events_are_whole(session)
    yield from _loans_fit_their_event(session)
    yield from _plans_are_as_changed(session)


def _events_are_whole(session: Session) -> Iterator[Breach]:
    last = (
        select(DeclaredEventStep.event_id, func.max(DeclaredEventStep.id).label("step_id"))
        .group_by(DeclaredEventStep.event_id)
        .subquery()
    )
    rows = session.execute(
        select(DeclaredEvent, DeclaredEventStep.status)
        .outerjoin(last, last.c.event_id == DeclaredEvent.id)
        .outerjoin(DeclaredEventStep, DeclaredEventStep.id == last.c.step_id)
        .order_by(DeclaredEvent.id)
    )
    for event, reached in rows:
        if reached != event.status:
            yield _breach(event, f"is {event.status}, its last step reached {reached}")
        try:
            change_of(event)
        except CommunityError as refusal:
            yield _breach(event, refusal.detail)


def _loans_fit_their_event(session: Session) -> Iterator[Breach]:
    misfits = or_(
        *(
            and_(DeclaredEvent.status == status, DeclaredEventLoan.status.not_in(sorted(fitting)))
            for status, fitting in FITTING.items()
        )
    )
    rows = session.execute(
        select(DeclaredEvent, DeclaredEventLoan.status, func.count())
        .join(DeclaredEventLoan, DeclaredEventLoan.event_id == DeclaredEvent.id)
        .where(misfits)
        .group_by(DeclaredEvent.id, DeclaredEventLoan.status)
        .order_by(DeclaredEvent.id, DeclaredEventLoan.status)
    )
    for event, status, count in rows:
        yield _breach(event, f"is {event.status} but {count} of its loans are {status}")


def _plans_are_as_changed(session: Session) -> Iterator[Breach]:
    """The last change in force of a loan made the plan that its instalments have."""
    newest = (
        select(DeclaredEventLoan.loan_id, func.max(DeclaredEventLoan.place).label("place"))
        .where(DeclaredEventLoan.status.in_(IN_FORCE))
        .group_by(DeclaredEventLoan.loan_id)
        .subquery()
    )
    reached = 0
    while True:
        records = session.execute(
            select(DeclaredEventLoan.id, DeclaredEventLoan.loan_id, DeclaredEventLoan.after)
            .join(
                newest,
                and_(
                    newest.c.loan_id == DeclaredEventLoan.loan_id,
                    newest.c.place == DeclaredEventLoan.place,
                ),
            )
            .where(DeclaredEventLoan.id > reached)
            .order_by(DeclaredEventLoan.id)
            .limit(PORTION)
        ).all()
        if not records:
            return
        reached = records[-1].id
        plans: dict[int, list[tuple[object, int, int]]] = {r.loan_id: [] for r in records}
        rows = session.execute(
            select(
                Instalment.loan_id,
                Instalment.due_on,
                Instalment.principal_minor,
                Instalment.interest_minor,
            )
            .where(Instalment.loan_id.in_(plans))
            .order_by(Instalment.loan_id, Instalment.number)
        )
        for loan_id, due_on, principal, interest in rows:
            plans[loan_id].append((due_on, principal, interest))
        for record in records:
            made = [
                (r.due_on, r.principal_minor, r.interest_minor) for r in read_rows(record.after)
            ]
            if plans[record.loan_id] != made:
                what = f"loan {record.loan_id} has other dues than its last declared event made"
                yield Breach(5, "declared_event_loans", str(record.id), what)


def _breach(event: DeclaredEvent, what: str) -> Breach:
    return Breach(7, "declared_events", event.public_id, what)
