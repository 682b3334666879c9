"""Proving law 2 for shared lines: what is used is what the live draws take, line by line."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session

from community.communities.models import Community
from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Posting
from community.lines.draws import takes
from community.lines.models import (
    CreditLine,
    CreditLineChange,
    CreditLineShare,
    LineChangeKind,
    LineReserveMove,
    ReserveMoveKind,
)
from community.loans.models import Loan

_INTO = (ReserveMoveKind.PAID_IN, ReserveMoveKind.SET_ASIDE, ReserveMoveKind.REFILLED)
_OPENED = (LineChangeKind.OPENED, LineChangeKind.LIMIT)


def check_lines(session: Session) -> Iterator[Breach]:
    """Breaches of law 2 on lines and sub-limits, and of law 7 on their limits."""
    yield from _draws_take_what_is_out(session)
    yield from _used_is_the_sum_of_draws(session)
    yield from _limits_hold(session)
    yield from _limits_have_their_changes(session)
    yield from _reserves_are_their_moves(session)


def _draws_take_what_is_out(session: Session) -> Iterator[Breach]:
    rows = session.execute(
        select(Loan.id, Loan.line_used_minor, takes())
        .where(Loan.line_id.is_not(None), Loan.line_used_minor != takes())
        .order_by(Loan.id)
    )
    for row_id, noted, out in rows:
        yield Breach(2, "loans", str(row_id), f"takes {noted} of its line, {out} is out")
    strays = session.execute(
        select(Loan.id)
        .join(CreditLine, CreditLine.id == Loan.line_id)
        .join(Community, Community.id == CreditLine.community_id)
        .outerjoin(
            CreditLineShare,
            and_(
                CreditLineShare.line_id == Loan.line_id,
                CreditLineShare.member_id == Loan.borrower_id,
            ),
        )
        .where(
            or_(
                CreditLineShare.id.is_(None),
                CreditLine.community_id != Loan.community_id,
                CreditLine.currency != Community.currency,
            )
        )
        .order_by(Loan.id)
    )
    for (row_id,) in strays:
        yield Breach(2, "loans", str(row_id), "draws on a line that is not for its borrower")


def _used_is_the_sum_of_draws(session: Session) -> Iterator[Breach]:
    by_line = _sums(Loan.line_id)
    total = func.coalesce(by_line.c.total, 0)
    rows = session.execute(
        select(CreditLine.id, CreditLine.used_minor, total)
        .outerjoin(by_line, by_line.c.line_id == CreditLine.id)
        .where(CreditLine.used_minor != total)
        .order_by(CreditLine.id)
    )
    for row_id, used, drawn in rows:
        yield Breach(2, "credit_lines", str(row_id), f"says {used} is used, its draws take {drawn}")
    by_member = _sums(Loan.line_id, Loan.borrower_id)
    total = func.coalesce(by_member.c.total, 0)
    rows = session.execute(
        select(CreditLineShare.id, CreditLineShare.used_minor, total)
        .outerjoin(
            by_member,
            and_(
                by_member.c.line_id == CreditLineShare.line_id,
                by_member.c.borrower_id == CreditLineShare.member_id,
            ),
        )
        .where(CreditLineShare.used_minor != total)
        .order_by(CreditLineShare.id)
    )
    for row_id, used, drawn in rows:
        yield Breach(
            2, "credit_line_shares", str(row_id), f"says {used} is used, its draws take {drawn}"
        )


def _limits_hold(session: Session) -> Iterator[Breach]:
    for model in (CreditLine, CreditLineShare):
        rows = session.execute(
            select(model.id, model.used_minor)
            .where(
                or_(
                    model.used_minor < 0,
                    model.used_minor > model.limit_minor + model.raised_minor + model.over_minor,
                )
            )
            .order_by(model.id)
        )
        for row_id, used in rows:
            yield Breach(2, model.__tablename__, str(row_id), f"uses {used}, more than its limit")


def _limits_have_their_changes(session: Session) -> Iterator[Breach]:
    """Every limit is what its last change says, and no change is missing."""
    counted = (
        select(
            CreditLineChange.line_id,
            func.count().label("count"),
            func.max(CreditLineChange.number).label("last"),
            func.max(
                case((CreditLineChange.kind.in_(_OPENED), CreditLineChange.number), else_=0)
            ).label("limited"),
        )
        .group_by(CreditLineChange.line_id)
        .subquery()
    )
    limited = (
        select(CreditLineChange.after_minor)
        .where(
            CreditLineChange.line_id == CreditLine.id,
            CreditLineChange.number == counted.c.limited,
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(CreditLine.id)
        .outerjoin(counted, counted.c.line_id == CreditLine.id)
        .where(
            or_(
                func.coalesce(counted.c.count, 0) != CreditLine.version,
                func.coalesce(counted.c.last, 0) != CreditLine.version,
                func.coalesce(limited, -1) != CreditLine.limit_minor,
            )
        )
        .order_by(CreditLine.id)
    )
    for (row_id,) in rows:
        yield Breach(7, "credit_lines", str(row_id), "has a limit that its changes do not give")
    change = CreditLineChange
    last = (
        select(change.after_minor)
        .where(
            change.line_id == CreditLineShare.line_id,
            change.member_id == CreditLineShare.member_id,
            change.kind == LineChangeKind.SUB_LIMIT,
        )
        .order_by(change.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(CreditLineShare.id)
        .where(func.coalesce(last, -1) != CreditLineShare.limit_minor)
        .order_by(CreditLineShare.id)
    )
    for (row_id,) in rows:
        yield Breach(
            7, "credit_line_shares", str(row_id), "has a sub-limit that its changes do not give"
        )


def _reserves_are_their_moves(session: Session) -> Iterator[Breach]:
    """A reserve is what was paid in and refilled, less what was used and returned; so the books."""
    move = LineReserveMove
    signed = case((move.kind.in_(_INTO), move.amount_minor), else_=-move.amount_minor)
    by_line = (
        select(move.line_id, func.sum(signed).label("total")).group_by(move.line_id).subquery()
    )
    total = func.coalesce(by_line.c.total, 0)
    rows = session.execute(
        select(CreditLine.id, CreditLine.reserve_minor, total)
        .outerjoin(by_line, by_line.c.line_id == CreditLine.id)
        .where(or_(CreditLine.reserve_minor != total, CreditLine.reserve_minor < 0))
        .order_by(CreditLine.id)
    )
    for row_id, held, moved in rows:
        yield Breach(1, "credit_lines", str(row_id), f"reserves {held}, its moves leave {moved}")
    by_entry = select(move.entry_id, func.sum(signed).label("total")).group_by(move.entry_id)
    noted = by_entry.subquery()
    posted = (
        select(Posting.entry_id, func.sum(Posting.amount_minor).label("total"))
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.LINE_RESERVE)
        .group_by(Posting.entry_id)
        .subquery()
    )
    for first, second in ((noted, posted), (posted, noted)):
        rows = session.execute(
            select(first.c.entry_id)
            .outerjoin(second, second.c.entry_id == first.c.entry_id)
            # Credits are negative.
            .where(first.c.total + func.coalesce(second.c.total, 0) != 0)
            .order_by(first.c.entry_id)
        )
        for (entry_id,) in rows:
            yield Breach(
                1, "journal_entries", str(entry_id), "moves a line's reserve by other than is noted"
            )


def _sums(*keys: Any) -> Any:
    """What draws take, by these columns of their loans."""
    return (
        select(*keys, func.sum(Loan.line_used_minor).label("total"))
        .where(Loan.line_id.is_not(None))
        .group_by(*keys)
        .subquery()
    )
