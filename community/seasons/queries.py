"""Reading declared events, and how far one is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.communities.models import Community
from community.loans.models import Loan
from community.members.models import Member
from community.seasons.errors import DeclaredEventNotFound
from community.seasons.models import (
    DeclaredEvent,
    DeclaredEventLoan,
    DeclaredEventStep,
    EventLoanStatus,
    EventStatus,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of an event's loans are in which state."""

    planned: int
    refused: int
    applied: int
    undone: int
    kept: int


def get_event(session: Session, public_id: str) -> DeclaredEvent:
    """A declared event by the id that the outside knows. Raises DeclaredEventNotFound."""
    event = session.scalar(select(DeclaredEvent).where(DeclaredEvent.public_id == public_id))
    if event is None:
        raise DeclaredEventNotFound()
    return event


def list_events(
    community: Community, statuses: Collection[EventStatus] = ()
) -> Select[DeclaredEvent]:
    """Events declared for a community or for what nests in it; page by DeclaredEvent.id."""
    query = (
        select(DeclaredEvent)
        .join(Community, Community.id == DeclaredEvent.community_id)
        .where(Community.path.startswith(community.path, autoescape=True))
    )
    return query.where(DeclaredEvent.status.in_(statuses)) if statuses else query


def steps_of(session: Session, event_id: int) -> Sequence[DeclaredEventStep]:
    """The steps of an event, oldest first."""
    return session.scalars(
        select(DeclaredEventStep)
        .where(DeclaredEventStep.event_id == event_id)
        .order_by(DeclaredEventStep.id)
    ).all()


def progress_of(session: Session, event_ids: Collection[int]) -> dict[int, Progress]:
    """How far each of these events is, by id; one statement."""
    counts = {event_id: dict.fromkeys(EventLoanStatus, 0) for event_id in event_ids}
    rows = session.execute(
        select(DeclaredEventLoan.event_id, DeclaredEventLoan.status, func.count())
        .where(DeclaredEventLoan.event_id.in_(event_ids))
        .group_by(DeclaredEventLoan.event_id, DeclaredEventLoan.status)
    )
    for event_id, status, count in rows:
        counts[event_id][status] = count
    return {
        event_id: Progress(**{status.value: count for status, count in found.items()})
        for event_id, found in counts.items()
    }


def loans_of(
    event_id: int, statuses: Collection[EventLoanStatus] = ()
) -> Select[DeclaredEventLoan, Loan, Member]:
    """An event's loans, each with the loan and its borrower; page by DeclaredEventLoan.id."""
    query = (
        select(DeclaredEventLoan, Loan, Member)
        .join(Loan, Loan.id == DeclaredEventLoan.loan_id)
        .join(Member, Member.id == Loan.borrower_id)
        .where(DeclaredEventLoan.event_id == event_id)
    )
    return query.where(DeclaredEventLoan.status.in_(statuses)) if statuses else query
