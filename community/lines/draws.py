"""What draws take of their lines: the only code that changes what is used.

A draw takes its principal from the approval on, falls with the principal that is out or still to
go out, and takes nothing once it has ended. Whatever it takes, it takes of its line and of its
borrower's sub-limit in the same step, so that their `used` stays the sum of their draws.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, case, literal_column, tuple_
from sqlalchemy.orm import Session

from community.lines.errors import NoSubLimit
from community.lines.models import CreditLine, CreditLineShare, Facility
from community.loans.models import Loan, LoanStatus
from community.loans.states import LIVE
from community.locks import lock, lock_where


@dataclass(frozen=True, slots=True)
class Drawn:
    """The line and the sub-limit of one draw, both locked and as they are now."""

    line: CreditLine
    share: CreditLineShare


def takes_minor(loan: Loan) -> int:
    """What a loan takes of its line: principal that is out, and that is approved to go out."""
    if loan.status is LoanStatus.APPROVED:
        return loan.principal_minor
    if loan.status in LIVE:
        return loan.outstanding_minor + loan.undisbursed_minor
    return 0


def takes() -> ColumnElement[int]:
    """`takes_minor` in SQL."""
    return case(
        (Loan.status == LoanStatus.APPROVED, Loan.principal_minor),
        (
            Loan.status.in_(LIVE),
            Loan.outstanding_minor + Loan.principal_minor - Loan.disbursed_minor,
        ),
        else_=literal_column("0"),
    )


def lock_drawn(session: Session, loans: Iterable[Loan]) -> dict[int, Drawn]:
    """Lock lines and sub-limits of these loans (locked), by loan id; nothing for loans on no line.

    Raises NoSubLimit.
    """
    draws = [(loan, loan.line_id) for loan in loans if loan.line_id is not None]
    if not draws:
        return {}
    lines = lock(session, CreditLine, (line_id for _, line_id in draws))
    pairs = sorted({(line_id, loan.borrower_id) for loan, line_id in draws})
    rows = lock_where(
        session,
        CreditLineShare,
        tuple_(CreditLineShare.line_id, CreditLineShare.member_id).in_(pairs),
    )
    shares = {(share.line_id, share.member_id): share for share in rows.values()}
    found = {}
    for loan, line_id in draws:
        share = shares.get((line_id, loan.borrower_id))
        if share is None:
            raise NoSubLimit()
        found[loan.id] = Drawn(lines[line_id], share)
    return found


def draw(drawn: Drawn, loan: Loan, *, on: date) -> None:
    """An approved loan begins to take of its line. Whoever calls this has checked the headroom.

    The tables refuse what would exceed it all the same: nothing is noted as over here.
    """
    change = takes_minor(loan) - loan.line_used_minor
    for row in (drawn.line, drawn.share):
        end_raise(row, on=on)
        row.used_minor += change
    loan.line_used_minor += change


def follow(drawn: Drawn | None, loan: Loan, *, on: date) -> None:
    """Bring line and sub-limit up to date after the loan has moved; nothing without a line.

    A receipt that is taken back may need more than the line has left: then that is noted as over,
    and nobody draws until it is repaid.
    """
    if drawn is None:
        return
    change = takes_minor(loan) - loan.line_used_minor
    if not change:
        return
    for row in (drawn.line, drawn.share):
        end_raise(row, on=on)
        row.used_minor += change
        note_over(row)
    loan.line_used_minor += change


def end_raise(row: Facility, *, on: date) -> None:
    """Take off a raise whose last day is past; what is used above the limit is noted as over."""
    if row.raised_until_on is not None and row.raised_until_on < on:
        row.raised_minor, row.raised_until_on = 0, None
        note_over(row)


def note_over(row: Facility) -> None:
    """Note what is used above the limit."""
    row.over_minor = max(0, row.used_minor - row.limit_minor - row.raised_minor)
