"""Roll rates: into which class the loans of each class came from one month's end to the next."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, String, Subquery, case, cast, func, or_, select
from sqlalchemy.orm import Session

from community.communities.charter import RiskClass
from community.communities.models import Community
from community.loans.models import Loan, LoanStatus
from community.portfolio.errors import BadMonth
from community.portfolio.figures import at_or_below, later_tranches, paid_until, was_out
from community.portfolio.measures import Part, end_of_month_before, month_end, part
from community.portfolio.models import LoanClassChange

NEW = "new"  # paid out within the month
CLOSED = "closed"
WRITTEN_OFF = "written_off"
FROM_STATES = (*(tier.value for tier in RiskClass), NEW)
TO_STATES = (*(tier.value for tier in RiskClass), CLOSED, WRITTEN_OFF)


@dataclass(frozen=True, slots=True)
class Roll:
    """Loans that came from one state to another; the share is of all that were in the first.

    Amounts are the principal outstanding at the start, of new loans what was paid out by the end.
    """

    from_state: str
    to_state: str
    loans: Part


@dataclass(frozen=True, slots=True)
class RollReport:
    """The moves of a month: only those that happened, states in their order, best first."""

    from_on: date
    to_on: date
    currency: str
    rolls: tuple[Roll, ...]


def roll_rates(session: Session, *, community: Community, month: str, today: date) -> RollReport:
    """The moves between the classes within a month, for a community and those inside it.

    Classes are those of the recorded history, a loan without one being normal; amounts are
    re-derived from receipts. One statement. Raises BadMonth.
    """
    to_on = month_end(month)
    if to_on > today:
        raise BadMonth("The month has not ended yet.", field="month", today=today.isoformat())
    from_on = end_of_month_before(to_on)
    here = at_or_below(community)
    before, after = _class_at(from_on, community), _class_at(to_on, community)
    paid = paid_until(from_on, here)
    # Tranches that were still to come: at the start, and for new loans at the end.
    later, still_later = later_tranches(from_on, "later"), later_tranches(to_on, "still_later")
    to_come = case((Loan.disbursed_on > from_on, still_later.c.minor), else_=later.c.minor)
    out_minor = Loan.disbursed_minor - func.coalesce(to_come, 0)
    from_state = case((Loan.disbursed_on > from_on, NEW), else_=_tier(before)).label("from_state")
    to_state = case(
        ((Loan.ended_on <= to_on) & (Loan.status == LoanStatus.WRITTEN_OFF), WRITTEN_OFF),
        (Loan.ended_on <= to_on, CLOSED),
        else_=_tier(after),
    ).label("to_state")
    found = session.execute(
        select(
            from_state,
            to_state,
            func.count(),
            func.sum(out_minor - func.coalesce(paid.c.principal_minor, 0)),
        )
        .outerjoin(before, before.c.loan_id == Loan.id)
        .outerjoin(after, after.c.loan_id == Loan.id)
        .outerjoin(paid, paid.c.loan_id == Loan.id)
        .outerjoin(later, later.c.loan_id == Loan.id)
        .outerjoin(still_later, still_later.c.loan_id == Loan.id)
        .where(here, or_(was_out(from_on), _paid_out_within(from_on, to_on)))
        .group_by("from_state", "to_state")
    )
    cells = {(start, end): (loans, int(minor)) for start, end, loans, minor in found}
    whole = {
        state: sum(minor for (start, _), (_, minor) in cells.items() if start == state)
        for state in FROM_STATES
    }
    return RollReport(
        from_on=from_on,
        to_on=to_on,
        currency=community.currency,
        rolls=tuple(
            Roll(start, end, part(*cells[start, end], whole[start]))
            for start in FROM_STATES
            for end in TO_STATES
            if (start, end) in cells
        ),
    )


def _class_at(on: date, community: Community) -> Subquery:
    """The class that loans had at the end of a day, of those that ever had one but normal."""
    last = (
        select(LoanClassChange.loan_id, func.max(LoanClassChange.id).label("id"))
        .join(Loan, Loan.id == LoanClassChange.loan_id)
        .where(LoanClassChange.changed_on <= on, at_or_below(community))
        .group_by(LoanClassChange.loan_id)
        .subquery()
    )
    return (
        select(LoanClassChange.loan_id, LoanClassChange.to_class)
        .join(last, last.c.id == LoanClassChange.id)
        .subquery()
    )


def _tier(at: Subquery) -> ColumnElement[Any]:
    return func.coalesce(cast(at.c.to_class, String), RiskClass.NORMAL.value)


def _paid_out_within(from_on: date, to_on: date) -> ColumnElement[bool]:
    return (Loan.disbursed_on > from_on) & (Loan.disbursed_on <= to_on)
