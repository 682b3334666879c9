"""Reading credit lines, their sub-limits, draws and history."""

from collections.abc import Collection, Sequence
from datetime import date

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.lines.errors import LineNotFound
from community.lines.headroom import Headroom, headroom_of
from community.lines.models import (
    CreditLine,
    CreditLineChange,
    CreditLineShare,
    LineReserveMove,
    ReserveMoveKind,
)
from community.loans.models import Loan, LoanPosition
from community.locks import lock_one


def get_line(session: Session, public_id: str) -> CreditLine:
    """The line of this public id. Raises LineNotFound."""
    line = session.scalar(select(CreditLine).where(CreditLine.public_id == public_id))
    if line is None:
        raise LineNotFound()
    return line


def get_line_for_update(session: Session, public_id: str) -> CreditLine:
    """The line of this public id, locked. Raises LineNotFound."""
    return lock_one(session, CreditLine, get_line(session, public_id).id)


def get_line_by_id(session: Session, line_id: int) -> CreditLine:
    """The line of this id. Raises LineNotFound."""
    line = session.get(CreditLine, line_id)
    if line is None:
        raise LineNotFound()
    return line


def public_ids(session: Session, ids: Collection[int | None]) -> dict[int | None, str]:
    """Public ids of lines by id; None has none."""
    wanted = {line_id for line_id in ids if line_id is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(CreditLine.id, CreditLine.public_id).where(CreditLine.id.in_(wanted))
    )
    return {row.id: row.public_id for row in rows}


def list_lines(*, community_id: int, group_id: int | None = None) -> Select[CreditLine]:
    """Lines of a community and of its groups, or of one group; page by CreditLine.id."""
    statement = select(CreditLine).where(CreditLine.community_id == community_id)
    if group_id is not None:
        statement = statement.where(CreditLine.group_id == group_id)
    return statement


def lines_for(
    *, community_id: int, member_id: int, group_id: int | None = None
) -> Select[CreditLine]:
    """Of these lines those on which the member has a sub-limit; page by CreditLine.id."""
    own = select(CreditLineShare.line_id).where(CreditLineShare.member_id == member_id)
    return list_lines(community_id=community_id, group_id=group_id).where(CreditLine.id.in_(own))


def shares_of(session: Session, line_id: int) -> Sequence[CreditLineShare]:
    """The sub-limits on a line, in the order of their members' ids."""
    return session.scalars(
        select(CreditLineShare)
        .where(CreditLineShare.line_id == line_id)
        .order_by(CreditLineShare.member_id)
    ).all()


def find_share(session: Session, *, line_id: int, member_id: int) -> CreditLineShare | None:
    """A member's sub-limit on a line."""
    return session.scalar(
        select(CreditLineShare).where(
            CreditLineShare.line_id == line_id, CreditLineShare.member_id == member_id
        )
    )


def draws_on(line_id: int, *, member_id: int | None = None) -> Select[Loan]:
    """Loans that name a line, in whatever state, of one member or all; page by Loan.id."""
    statement = select(Loan).where(Loan.line_id == line_id)
    return statement if member_id is None else statement.where(Loan.borrower_id == member_id)


def changes_of(line_id: int, *, member_id: int | None = None) -> Select[CreditLineChange]:
    """What was changed of a line; page by CreditLineChange.id.

    With a member nothing of the sub-limits of others.
    """
    statement = select(CreditLineChange).where(CreditLineChange.line_id == line_id)
    if member_id is None:
        return statement
    whose = CreditLineChange.member_id
    return statement.where(or_(whose.is_(None), whose == member_id))


def headroom(
    session: Session, *, line_id: int, member_id: int, on: date, product_id: int | None = None
) -> Headroom:
    """What a member can still draw on a line on a day, by the rows as they are now."""
    fresh = {"populate_existing": True}
    line = session.scalars(
        select(CreditLine).where(CreditLine.id == line_id), execution_options=fresh
    ).one_or_none()
    if line is None:
        raise LineNotFound()
    share = session.scalars(
        select(CreditLineShare).where(
            CreditLineShare.line_id == line_id, CreditLineShare.member_id == member_id
        ),
        execution_options=fresh,
    ).one_or_none()
    return fresh_headroom(session, line, share, on=on, product_id=product_id)


def fresh_headroom(
    session: Session,
    line: CreditLine,
    share: CreditLineShare | None,
    *,
    on: date,
    product_id: int | None,
) -> Headroom:
    """The same of rows just read or locked: with what is late on the line now, by its charter."""
    rules = communities.charter_on(session, line.community_id, on).rules
    return headroom_of(
        line,
        share,
        on=on,
        product_id=product_id,
        late_minor=late_minor(session, line_id=line.id, on=on),
        late_bps_max=rules.line_late_bps_max,
    )


def late_minor(session: Session, *, line_id: int, on: date) -> int:
    """What draws take of a line of which something fell due before a day and is not paid."""
    late = session.scalar(
        select(func.sum(Loan.line_used_minor))
        .join(LoanPosition, LoanPosition.loan_id == Loan.id)
        .where(Loan.line_id == line_id, LoanPosition.is_live, LoanPosition.oldest_due_on < on)
    )
    return int(late or 0)


def reserve_moves(line_id: int, *, member_id: int | None = None) -> Select[LineReserveMove]:
    """Money into and out of a line's reserve; page by LineReserveMove.id. With a member theirs."""
    statement = select(LineReserveMove).where(LineReserveMove.line_id == line_id)
    return (
        statement if member_id is None else statement.where(LineReserveMove.member_id == member_id)
    )


def paid_in(session: Session, line_id: int) -> dict[int | None, int]:
    """What each has paid into a line's reserve, by member; None: the community, at the end."""
    move = LineReserveMove
    rows = session.execute(
        select(move.member_id, func.sum(move.amount_minor))
        .where(
            move.line_id == line_id,
            move.kind.in_([ReserveMoveKind.PAID_IN, ReserveMoveKind.SET_ASIDE]),
        )
        .group_by(move.member_id)
    )
    found = {member_id: int(total) for member_id, total in rows}
    return dict(sorted(found.items(), key=lambda item: (item[0] is None, item[0] or 0)))
