"""Vintages: the loans paid out in one month, and how many of them ever went bad by what age."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    func,
    literal,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community
from community.loans.models import Instalment, Loan, LoanStatus, Repayment, RepaymentSource
from community.portfolio.errors import DayToCome
from community.portfolio.figures import (
    CAME,
    DUE_MINOR,
    RECEIVED_MINOR,
    DaysAfter,
    at_or_below,
    falls_due,
    month_of,
)
from community.portfolio.measures import Part, month_name, months_back, months_between, part


@dataclass(frozen=True, slots=True)
class EverLate:
    """Loans that were at some time more than `days` late, and the principal paid out on them."""

    days: int
    loans: Part


@dataclass(frozen=True, slots=True)
class Age:
    """A cohort so many months after the month in which it was paid out, all until then."""

    months_on_book: int
    ever_late: tuple[EverLate, ...]
    # The principal given up.
    written_off: Part


@dataclass(frozen=True, slots=True)
class Cohort:
    """The loans paid out in a month. Shares are of the principal paid out."""

    month: str
    loans: int
    disbursed_minor: int
    ages: tuple[Age, ...]


@dataclass(frozen=True, slots=True)
class VintageReport:
    """Cohorts by month, oldest first; months without a loan are left out."""

    until: date
    currency: str
    charter_version: int
    cohorts: tuple[Cohort, ...]


# Loans and amount by month paid out and month in which it happened.
_Happened = dict[str, list[tuple[str, int, int]]]


def vintages(
    session: Session, *, community: Community, until: date, today: date, months: int
) -> VintageReport:
    """The cohorts of the last `months` months before that of `until`, and of that month itself.

    Re-derived from schedules and receipts; lateness is lateness of the debt, whoever paid it. The
    thresholds are the charter's `par_days`. One statement each, one for the sizes, one for what
    was written off. Cost: instalments and receipts of the cohorts, sorted by day. Raises
    DayToCome, NoCharter.
    """
    if until > today:
        raise DayToCome(field="until", today=today.isoformat())
    charter = communities.charter_on(session, community.id, until)
    mine = (
        at_or_below(community),
        Loan.disbursed_on.between(months_back(until, months), until),
    )
    sizes = session.execute(
        select(
            month_of(Loan.disbursed_on).label("month"),
            func.count(),
            func.sum(Loan.disbursed_minor),
        )
        .where(*mine)
        .group_by("month")
        .order_by("month")
    ).all()
    days = charter.rules.par_days
    late = {number: _happened(session, _first_late(number, until, *mine)) for number in days}
    lost = _happened(session, _written_off(until, *mine))
    cohorts = []
    for month, loans, disbursed in sizes:
        ages = []
        for age in range(months_between(month, month_name(until)) + 1):
            ages.append(
                Age(
                    months_on_book=age,
                    ever_late=tuple(
                        EverLate(number, _until(late[number][month], month, age, int(disbursed)))
                        for number in days
                    ),
                    written_off=_until(lost[month], month, age, int(disbursed)),
                )
            )
        cohorts.append(Cohort(month, loans, int(disbursed), tuple(ages)))
    return VintageReport(until, community.currency, charter.version, tuple(cohorts))


def _first_late(days: int, until: date, *mine: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Loans by the month in which they were first more than `days` late.

    Dues count on the day on which they would be so late, payments on theirs and before the dues of
    that day: from the first day on which the dues exceed the payments the loan is so late.
    """
    day = type_coerce(DaysAfter(falls_due(Loan.accelerated_on), days + 1), Date)
    dues = (
        select(
            Instalment.loan_id,
            day.label("day"),
            literal(1).label("place"),
            DUE_MINOR.label("minor"),
        )
        .join(Loan, Loan.id == Instalment.loan_id)
        .where(day <= until, *mine)
    )
    payments = (
        select(
            Repayment.loan_id,
            Repayment.received_on,
            literal(0),
            -RECEIVED_MINOR,
        )
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(
            Repayment.source != RepaymentSource.WRITE_OFF,
            Repayment.received_on <= until,
            CAME,
            *mine,
        )
    )
    moves = union_all(dues, payments).subquery("moves")
    unpaid = func.sum(moves.c.minor).over(
        partition_by=moves.c.loan_id, order_by=(moves.c.day, moves.c.place), rows=(None, 0)
    )
    runs = select(moves.c.loan_id, moves.c.day, unpaid.label("unpaid")).subquery("runs")
    first = (
        select(runs.c.loan_id, func.min(runs.c.day).label("day"))
        .where(runs.c.unpaid > 0)
        .group_by(runs.c.loan_id)
        .subquery("first")
    )
    return (
        select(
            month_of(Loan.disbursed_on).label("month"),
            month_of(first.c.day).label("happened"),
            func.count(),
            func.sum(Loan.disbursed_minor),
        )
        .join(first, first.c.loan_id == Loan.id)
        .group_by("month", "happened")
    )


def _written_off(until: date, *mine: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            month_of(Loan.disbursed_on).label("month"),
            month_of(Loan.ended_on).label("happened"),
            func.count(),
            func.sum(Loan.written_off_minor),
        )
        .where(Loan.status == LoanStatus.WRITTEN_OFF, Loan.ended_on <= until, *mine)
        .group_by("month", "happened")
    )


def _happened(session: Session, query: Select[*tuple[Any, ...]]) -> _Happened:
    found: _Happened = defaultdict(list)
    for month, happened, loans, minor in session.execute(query):
        found[month].append((happened, loans, int(minor)))
    return found


def _until(happened: Iterable[tuple[str, int, int]], month: str, age: int, whole: int) -> Part:
    known = [
        (loans, minor) for when, loans, minor in happened if months_between(month, when) <= age
    ]
    return part(sum(loans for loans, _ in known), sum(minor for _, minor in known), whole)
