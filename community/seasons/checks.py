"""Proving declared events: what they say they did is what the loans' histories say."""

from collections.abc import Iterator

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from community.errors import CommunityError
from community.ledger.checks import Breach
from community.loans.models import LoanChange
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    DeclaredEventStep,
    EventLoanStatus,
    EventStatus,
)
from community.seasons.plans import IN_FORCE, change_of

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
    """Laws 5 and 7: events can be read, their steps lead to where they are, changes are theirs."""
    yield from _events_are_whole(session)
    yield from _loans_fit_their_event(session)
    yield from _changes_are_theirs(session)


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


def _changes_are_theirs(session: Session) -> Iterator[Breach]:
    """A loan that an event changed has its change, in force or undone like the record of it.

    That the loan's plan follows from its changes is proved with the loans.
    """
    in_force = DeclaredEventLoan.status.in_(IN_FORCE)
    records = session.execute(
        select(DeclaredEventLoan.id, DeclaredEventLoan.status)
        .join(DeclaredEvent, DeclaredEvent.id == DeclaredEventLoan.event_id)
        .join(LoanChange, LoanChange.id == DeclaredEventLoan.change_id)
        .where(
            or_(
                in_force != LoanChange.undone_on.is_(None),
                LoanChange.loan_id != DeclaredEventLoan.loan_id,
                LoanChange.source != DeclaredEvent.public_id,
            )
        )
        .order_by(DeclaredEventLoan.id)
    )
    for record_id, status in records:
        what = f"is {status} but its loan's change of plan is not"
        yield Breach(7, "declared_event_loans", str(record_id), what)
    strays = session.execute(
        select(DeclaredEvent, LoanChange.public_id)
        .join(LoanChange, LoanChange.source == DeclaredEvent.public_id)
        .outerjoin(DeclaredEventLoan, DeclaredEventLoan.change_id == LoanChange.id)
        .where(DeclaredEventLoan.id.is_(None))
        .order_by(LoanChange.id)
    )
    for event, change_id in strays:
        yield _breach(event, f"has no record of the change {change_id} that belongs to it")


def _breach(event: DeclaredEvent, what: str) -> Breach:
    return Breach(7, "declared_events", event.public_id, what)
