"""The figures of loans that classes and reports rest on, as SQL: one place for each definition."""

from datetime import date
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    ScalarSelect,
    SQLColumnExpression,
    String,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from community.communities.models import Community
from community.loans.models import (
    Disbursement,
    Instalment,
    Loan,
    LoanPosition,
    LoanStatus,
    Repayment,
)
from community.loans.states import LIVE

IS_RESTRUCTURED: ColumnElement[bool] = Loan.restructured_on.is_not(None)
DUE_MINOR: ColumnElement[int] = (
    Instalment.principal_minor
    + Instalment.interest_minor
    + Instalment.fee_minor
    + Instalment.penalty_minor
)
RECEIVED_MINOR: ColumnElement[int] = (
    Repayment.principal_minor
    + Repayment.interest_minor
    + Repayment.fee_minor
    + Repayment.penalty_minor
)
# What was taken back never came.
CAME: ColumnElement[bool] = Repayment.reversed_on.is_(None)

IS_LIVE: ColumnElement[bool] = Loan.status.in_(LIVE)


class DaysAfter(GenericFunction[date]):
    """`DaysAfter(day, n)`: the calendar day n days after a day, on either database."""

    type = Date()
    inherit_cache = True


@compiles(DaysAfter, "postgresql")
def _days_after_postgresql(element: DaysAfter, compiler: SQLCompiler, **kw: object) -> str:
    day, days = element.clauses
    return f"({compiler.process(day, **kw)} + CAST({compiler.process(days, **kw)} AS INTEGER))"


@compiles(DaysAfter, "sqlite")
def _days_after_sqlite(element: DaysAfter, compiler: SQLCompiler, **kw: object) -> str:
    day, days = element.clauses
    return f"date({compiler.process(day, **kw)}, {compiler.process(days, **kw)} || ' days')"


def falls_due(accelerated_on: SQLColumnExpression[date | None]) -> ColumnElement[date]:
    """When an instalment has to be paid: acceleration makes later ones due on its day."""
    day: ColumnElement[date] = case(
        (accelerated_on < Instalment.due_on, accelerated_on), else_=Instalment.due_on
    )
    return day


def overdue_since(on: date) -> ColumnElement[date | None]:
    """Since when a loan, joined with its position, owes something that fell due before the day.

    The position knows: no instalment is read, however many loans there are.
    """
    day = LoanPosition.oldest_due_on
    since: ColumnElement[date | None] = case((and_(IS_LIVE, day < on), day))
    return since


def paid_until(on: date, *conditions: ColumnElement[bool]) -> CTE:
    """What was paid on each loan until a day, that day included; summed once."""
    return (
        select(
            Repayment.loan_id,
            func.sum(Repayment.principal_minor).label("principal_minor"),
            func.sum(RECEIVED_MINOR).label("total_minor"),
        )
        .join(Loan, Loan.id == Repayment.loan_id)
        .where(Repayment.received_on <= on, CAME, *conditions)
        .group_by(Repayment.loan_id)
        .cte("paid")
    )


def later_tranches(on: date, name: str) -> Subquery:
    """What was paid out after a day on loans that were out by then: further tranches."""
    return (
        select(Disbursement.loan_id, func.sum(Disbursement.amount_minor).label("minor"))
        .where(Disbursement.number > 1, Disbursement.paid_out_on > on)
        .group_by(Disbursement.loan_id)
        .subquery(name)
    )


def outstanding_at(on: date, *conditions: ColumnElement[bool]) -> Subquery:
    """Loans that were out on a day, with their outstanding principal and since when late, then.

    Re-derived from schedules and receipts: since payments fill instalments in the order of their
    days, the first instalment that the sum of payments does not reach is the first unpaid one.
    """
    paid = paid_until(on, was_out(on), *conditions)
    late = _late_at(on, paid, was_out(on), *conditions)
    later = later_tranches(on, "later")
    left = (
        Loan.disbursed_minor
        - func.coalesce(later.c.minor, 0)
        - func.coalesce(paid.c.principal_minor, 0)
    )
    return (
        select(
            Loan.id.label("loan_id"),
            left.label("outstanding_minor"),
            type_coerce(late.c.since_on, Date).label("overdue_since_on"),
            func.coalesce(Loan.restructured_on <= on, false()).label("is_restructured"),
        )
        .outerjoin(paid, paid.c.loan_id == Loan.id)
        .outerjoin(later, later.c.loan_id == Loan.id)
        .outerjoin(late, late.c.loan_id == Loan.id)
        .where(was_out(on), left > 0, *conditions)
        .subquery("loans_out")
    )


def _late_at(on: date, paid: CTE, *conditions: ColumnElement[bool]) -> Subquery:
    """Loans of which more had fallen due before a day than was paid by it, and since when."""
    accelerated_on: ColumnElement[date | None] = type_coerce(
        case((Loan.accelerated_on <= on, Loan.accelerated_on), else_=null()), Date
    )
    due_on = falls_due(accelerated_on)
    # Most loans are not late: only of those that are, the dues are put in order.
    short = (
        select(
            Instalment.loan_id, func.coalesce(func.max(paid.c.total_minor), 0).label("paid_minor")
        )
        .join(Loan, Loan.id == Instalment.loan_id)
        .outerjoin(paid, paid.c.loan_id == Instalment.loan_id)
        .where(due_on < on, *conditions)
        .group_by(Instalment.loan_id)
        .having(func.sum(DUE_MINOR) > func.coalesce(func.max(paid.c.total_minor), 0))
        .subquery("short")
    )
    owed = (
        select(
            Instalment.loan_id,
            short.c.paid_minor,
            due_on.label("due_on"),
            func.sum(DUE_MINOR)
            .over(
                partition_by=Instalment.loan_id,
                order_by=(Instalment.due_on, Instalment.number),
            )
            .label("total_minor"),
        )
        .join(short, short.c.loan_id == Instalment.loan_id)
        .join(Loan, Loan.id == Instalment.loan_id)
        .where(due_on < on)
        .subquery("owed")
    )
    return (
        select(owed.c.loan_id, func.min(owed.c.due_on).label("since_on"))
        .where(owed.c.total_minor > owed.c.paid_minor)
        .group_by(owed.c.loan_id)
        .subquery("late")
    )


def was_out(on: date) -> ColumnElement[bool]:
    """The loan had been paid out by a day and had not ended by it."""
    return and_(Loan.disbursed_on <= on, or_(Loan.ended_on.is_(None), Loan.ended_on > on))


def at_or_below(community: Community) -> ColumnElement[bool]:
    """Loans of a community and of those inside it."""
    inside = select(Community.id).where(Community.path.startswith(community.path, autoescape=True))
    return Loan.community_id.in_(inside)


def unrecovered(loan: type[Loan] = Loan) -> ColumnElement[bool]:
    """A loan that was written off and of which something is still owed."""
    recovered: ScalarSelect[int] = (
        select(func.coalesce(func.sum(Repayment.recovered_minor), 0))
        .where(Repayment.loan_id == loan.id, CAME)
        .correlate(loan)
        .scalar_subquery()
    )
    return and_(loan.status == LoanStatus.WRITTEN_OFF, loan.written_off_minor > recovered)


def month_of(day: SQLColumnExpression[Any]) -> ColumnElement[str]:
    """The month of a day, as '2027-03'."""
    month: ColumnElement[str] = func.substr(cast(day, String), 1, 7)
    return month
