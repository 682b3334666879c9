"""Where loans stand: one narrow row each, so that a day's work on most loans is arithmetic in SQL.

A position is derived from the loan and its instalments by `refresh`; whoever changes those calls
it afterwards. It changes under the lock of the community's book, like a balance: the business day
books what thousands of loans have earned under that one lock.

Interest is earned evenly over the days of an instalment's period:

    earned(on) = interest of the instalments that have ended
               + round_half_even(interest of the running one × days gone / days of its period)

An instalment ends on its due day, with all of its interest; acceleration drops the interest that
falls due after it. Whole numbers only, here and in SQL.
"""

from collections.abc import Collection
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import FunctionElement

from community.bulk import table_of
from community.ledger.books import book_ids, lock_books
from community.loans.models import Instalment, Loan, LoanPosition
from community.loans.states import LIVE
from community.products.models import ProductVersion

_positions = table_of(LoanPosition)
_instalments = table_of(Instalment)
_loans = table_of(Loan)


def earned_minor(before_minor: int, interest_minor: int, from_on: date, days: int, on: date) -> int:
    """Interest earned through a day: what ended before, and a part of what runs for `days`.

    Parts are rounded half-even. In whole numbers of 64 bits: the product of an amount and days
    would not fit, so the amount is divided first and only its remainder multiplied.
    """
    gone = min(max((on - from_on).days, 0), days)
    whole, rest = divmod(interest_minor, days)
    part, over = divmod(rest * gone, days)
    part += whole * gone
    return before_minor + part + (1 if 2 * over > days or (2 * over == days and part % 2) else 0)


def earned_by(on: date | ColumnElement[date]) -> ColumnElement[int]:
    """`earned_minor` of a row of `loan_positions`, in SQL. The row has to be refreshed for `on`."""
    p = _positions.c
    gone = case(
        (p.running_from_on < on, days_between(p.running_from_on, on)), else_=literal_column("0")
    )
    rest = (p.running_interest_minor % p.running_days) * gone
    part = (p.running_interest_minor // p.running_days) * gone + rest // p.running_days
    twice = _times_two(rest % p.running_days)
    rounds_up = or_(
        twice > p.running_days,
        and_(twice == p.running_days, part % literal_column("2") == literal_column("1")),
    )
    return (
        p.earned_before_minor
        + part
        + case((rounds_up, literal_column("1")), else_=literal_column("0"))
    )


def receivable_by(on: date | ColumnElement[date]) -> ColumnElement[int]:
    """What a position should have booked as earned and not paid, at the end of a day, in SQL."""
    p = _positions.c
    open_minor = earned_by(on) - p.paid_interest_minor
    return case(
        (and_(p.is_live, p.accrues, open_minor > literal_column("0")), open_minor),
        else_=literal_column("0"),
    )


def open_position(session: Session, *, loan: Loan, on: date) -> None:
    """A loan that was just paid out gets its position. Its instalments are there."""
    assert loan.disbursed_on is not None
    product_id = session.scalars(
        select(ProductVersion.product_id).where(ProductVersion.id == loan.product_version_id)
    ).one()
    session.connection().execute(
        insert(_positions).values(
            loan_id=loan.id,
            community_id=loan.community_id,
            product_id=product_id,
            currency=loan.terms["product"]["currency"],
            is_live=True,
            outstanding_minor=0,
            paid_interest_minor=0,
            earned_before_minor=0,
            running_from_on=loan.disbursed_on,
            running_days=1,
            running_interest_minor=0,
        )
    )
    refresh(session, community_id=loan.community_id, loan_ids=[loan.id], on=on)


def refresh(
    session: Session,
    *,
    community_id: int,
    loan_ids: Collection[int],
    on: date,
    receivable_change_minor: int = 0,
) -> None:
    """Derive these loans' positions anew, as of a day, after the loans or instalments changed.

    `receivable_change_minor` was posted to the receivable of the loan beside it (one loan). Locks
    the book. Two statements, whatever the number of loans.
    """
    assert len(loan_ids) == 1 or not receivable_change_minor
    session.flush()  # it is derived from rows
    lock_book(session, community_id)
    rederive(
        session,
        _positions.c.loan_id.in_(sorted(loan_ids)),
        on=on,
        receivable_change_minor=receivable_change_minor,
    )


def follow(session: Session, *, loan: Loan, on: date, receivable_change_minor: int = 0) -> None:
    """Bring the position of one loan up to date, or open it for a loan that runs without one."""
    session.flush()  # it is derived from rows
    lock_book(session, loan.community_id)
    found = _rederive_one(
        session, loan_id=loan.id, on=on, receivable_change_minor=receivable_change_minor
    )
    if not found and loan.status in LIVE:
        open_position(session, loan=loan, on=on)


def rolling(condition: ColumnElement[bool], on: ColumnElement[date]) -> Update:
    """Derives the positions under `condition` whose running instalment is another one by a day."""
    p = _positions.c
    elsewhere = or_(p.running_from_on > on, p.running_until_on < on)
    return _rederiving(and_(condition, elsewhere), on=on, receivable_change_minor=0)


def take_receivable(session: Session, *, loan: Loan, interest_minor: int, on: date) -> int:
    """Interest of a loan was paid: returns how much of it was booked as receivable before.

    Locks the book, and brings the position up to date with the loan and its instalments.
    """
    taken = min(receivable_minor(session, loan=loan), interest_minor)
    follow(session, loan=loan, on=on, receivable_change_minor=-taken)
    return taken


def receivable_minor(session: Session, *, loan: Loan) -> int:
    """Interest of a loan that is booked as earned and not paid. Locks the book."""
    lock_book(session, loan.community_id)
    found = session.scalar(
        select(_positions.c.receivable_minor).where(_positions.c.loan_id == loan.id)
    )
    return found or 0


def set_accrual(
    session: Session, *, community_id: int, loan_ids: Collection[int], accrues: bool
) -> int:
    """Stop booking interest of these loans as it is earned, or begin again; returns how many.

    The next day takes back what was booked and not paid, or books it anew. The borrower's debt
    is the same. Locks the book.
    """
    lock_book(session, community_id)
    changed = session.connection().execute(
        update(_positions)
        .where(_positions.c.loan_id.in_(sorted(loan_ids)), _positions.c.accrues != accrues)
        .values(accrues=accrues)
    )
    return changed.rowcount


def lock_book(session: Session, community_id: int) -> None:
    """Take the lock under which a community's positions change, and its accounts."""
    lock_books(session, [book_ids(session, [community_id])[community_id]])


def rederive(
    session: Session,
    condition: ColumnElement[bool],
    *,
    on: date,
    receivable_change_minor: int = 0,
) -> int:
    """Write what positions under `condition` derive from their loans' rows; returns how many."""
    done = session.connection().execute(
        _rederiving(condition, on=on, receivable_change_minor=receivable_change_minor)
    )
    return done.rowcount


def _rederive_one(
    session: Session, *, loan_id: int, on: date, receivable_change_minor: int
) -> bool:
    done = session.connection().execute(
        _rederiving_one(),
        {"loan": loan_id, "day": on, "receivable_change": receivable_change_minor},
    )
    return bool(done.rowcount)


@cache
def _rederiving_one() -> Update:
    # Spelled once: putting it together anew takes longer than the database takes to run it.
    return _rederiving(
        _positions.c.loan_id == bindparam("loan", type_=BigInteger),
        on=bindparam("day", type_=Date),
        receivable_change_minor=bindparam("receivable_change", type_=BigInteger),
    )


def _rederiving(
    condition: ColumnElement[bool],
    *,
    on: date | ColumnElement[date],
    receivable_change_minor: int | ColumnElement[int],
) -> Update:
    p, i, loan = _positions.c, _instalments.c, _loans.c
    ends = loan.accelerated_on
    # What the schedule still means: acceleration drops the interest that falls due after it.
    bears = or_(ends.is_(None), i.due_on <= ends)
    ended = and_(bears, i.due_on <= on)
    falls_due = case((and_(ends.is_not(None), i.due_on > ends), ends), else_=i.due_on)
    nothing = literal_column("0", Integer)
    unpaid = (
        i.principal_minor > i.paid_principal_minor,
        and_(bears, i.interest_minor > i.paid_interest_minor),
        i.fee_minor > i.paid_fee_minor,
        i.penalty_minor > i.paid_penalty_minor,
    )
    derived = (
        select(
            p.loan_id,
            loan.status.in_(LIVE).label("is_live"),
            loan.outstanding_minor,
            func.sum(i.paid_interest_minor).label("paid_interest_minor"),
            func.sum(case((ended, i.interest_minor), else_=nothing)).label("before_minor"),
            func.coalesce(func.max(case((ended, i.due_on))), loan.disbursed_on).label("from_on"),
            func.min(
                case((and_(bears, i.due_on > on, i.due_on > loan.disbursed_on), i.due_on))
            ).label("until_on"),
            func.min(case((or_(*unpaid), falls_due))).label("oldest_due_on"),
        )
        .select_from(_positions)
        .join(_loans, loan.id == p.loan_id)
        .join(_instalments, i.loan_id == p.loan_id)
        .where(condition)
        .group_by(
            p.loan_id, loan.status, loan.outstanding_minor, loan.disbursed_on, loan.accelerated_on
        )
        .subquery("derived")
    )
    d = derived.c
    running = (
        select(func.coalesce(func.sum(i.interest_minor), nothing))
        # Said so that nobody goes by the day: very many loans have a due on one.
        .where(i.loan_id == d.loan_id, days_between(i.due_on, d.until_on) == literal_column("0"))
        .scalar_subquery()
    )
    return (
        update(_positions)
        # The condition once more: else the planner may read the whole table to find a few.
        .where(p.loan_id == d.loan_id, condition)
        .values(
            is_live=d.is_live,
            outstanding_minor=d.outstanding_minor,
            paid_interest_minor=_as_minor(d.paid_interest_minor),
            earned_before_minor=_as_minor(d.before_minor),
            running_from_on=d.from_on,
            running_until_on=d.until_on,
            running_days=case(
                (d.until_on.is_(None), literal_column("1")),
                else_=days_between(d.from_on, d.until_on),
            ),
            running_interest_minor=_as_minor(running),
            oldest_due_on=d.oldest_due_on,
            receivable_minor=p.receivable_minor + receivable_change_minor,
        )
    )


class days_between(FunctionElement[int]):  # noqa: N801  reads as a function of SQL
    """Whole days from one date to another, in SQL."""

    type = Integer()
    inherit_cache = True


@compiles(days_between, "postgresql")
def _days_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(part, **options) for part in element.clauses)
    return f"({end} - {start})"


@compiles(days_between, "sqlite")
def _days_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (
        f"CAST(strftime('%s', {compiler.process(part, **options)}) AS INTEGER)"
        for part in element.clauses
    )
    return f"(({end} - {start}) / 86400)"


def _times_two(amount: ColumnElement[int]) -> ColumnElement[int]:
    return amount * literal_column("2", Integer)


def _as_minor(amount: ColumnElement[Any]) -> ColumnElement[int]:
    # PostgreSQL's sums of 64-bit numbers are decimals.
    return amount.cast(_positions.c.paid_interest_minor.type)
