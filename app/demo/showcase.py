"""Whom to show a newcomer: found in the data, never assumed."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.demo.cast import AUDITOR, COOPERATIVE, MONTHLY_PRODUCT, OPERATOR, TOWNSHIP
from community.communities.models import Community
from community.communities.queries import find_community_by_reference
from community.credit.service import credit_limits
from community.groups.models import Group, GroupMember, GroupStatus
from community.guarantees.models import Call, CallStatus
from community.loans.models import Loan, LoanStatus
from community.members.models import Member
from community.members.queries import find_member_by_reference, get_member_by_id
from community.products.models import Product
from community.trust.models import Vouch, VouchStatus


@dataclass(frozen=True, slots=True)
class Showcase:
    """People worth a token, and what they can look at."""

    village: Community
    member: Member
    leader: Member
    operator: Member
    cooperative: Member
    auditor: Member
    late_loan: Loan
    # The township's loan in monthly instalments.
    product: Product


def find_showcase(session: Session, on: date) -> Showcase | None:
    """A borrower with a limit left, a leader, a called loan, and those who run the place.

    None if the database does not hold the made-up cooperative, or nothing of the kind any more.
    """
    township = find_community_by_reference(session, TOWNSHIP)
    if township is None:
        return None
    villages = session.scalars(
        select(Community).where(Community.parent_id == township.id).order_by(Community.id)
    ).all()
    ids = [village.id for village in villages]
    borrower = _borrower(session, ids, on)
    late_loan = _late_loan(session, ids)
    officials = [
        find_member_by_reference(session, reference)
        for reference in (OPERATOR, COOPERATIVE, AUDITOR)
    ]
    if borrower is None or late_loan is None or None in officials:
        return None
    member_id, community_id = borrower
    leader_id = _leader(session, community_id, member_id)
    operator, cooperative, auditor = (official for official in officials if official is not None)
    return Showcase(
        village=next(village for village in villages if village.id == community_id),
        member=get_member_by_id(session, member_id),
        leader=get_member_by_id(session, leader_id or member_id),
        operator=operator,
        cooperative=cooperative,
        auditor=auditor,
        late_loan=late_loan,
        product=session.scalars(
            select(Product).where(
                Product.community_id == township.id, Product.code == MONTHLY_PRODUCT
            )
        ).one(),
    )


def _borrower(session: Session, communities: list[int], on: date) -> tuple[int, int] | None:
    """Who has a current loan, several behind them, stands behind others, and may borrow most."""
    rows = session.execute(
        select(Loan.borrower_id, Loan.community_id).where(
            Loan.community_id.in_(communities),
            Loan.status == LoanStatus.CURRENT,
            Loan.group_loan_id.is_(None),
        )
    ).all()
    best: tuple[tuple[bool, bool, bool, int, int], int, int] | None = None
    for community_id in communities:
        wanted = {borrower for borrower, place in rows if place == community_id}
        if not wanted:
            continue
        limits = credit_limits(session, community_id=community_id, on=on, member_ids=wanted)
        backers = _counts(session, community_id, Vouch.borrower_id, Vouch.limit_minor > 0)
        carried = _counts(session, community_id, Vouch.voucher_id, Vouch.reserved_minor > 0)
        for member_id in sorted(wanted):
            worth = (
                limits[member_id] > 0,
                backers.get(member_id, 0) > 2,
                carried.get(member_id, 0) > 0,
                limits[member_id],
                -member_id,
            )
            if best is None or worth > best[0]:
                best = worth, member_id, community_id
    return None if best is None else best[1:]


def _counts(session: Session, community_id: int, side: object, condition: object) -> dict[int, int]:
    rows = session.execute(
        select(side, func.count())  # type: ignore[call-overload]
        .where(Vouch.community_id == community_id, Vouch.status == VouchStatus.LIVE, condition)
        .group_by(side)
    )
    return {member_id: int(count) for member_id, count in rows}


def _leader(session: Session, community_id: int, member_id: int) -> int | None:
    """Who leads the group in which most loans run, and none is late."""
    running = func.count().filter(Loan.status == LoanStatus.CURRENT)
    late = func.count().filter(Loan.status.in_([LoanStatus.OVERDUE, LoanStatus.CALLED]))
    return session.scalar(
        select(Group.leader_id)
        .join(GroupMember, GroupMember.group_id == Group.id)
        .join(
            Loan,
            (Loan.borrower_id == GroupMember.member_id) & (Loan.community_id == community_id),
            isouter=True,
        )
        .where(
            Group.community_id == community_id,
            Group.status == GroupStatus.ACTIVE,
            Group.leader_id != member_id,
        )
        .group_by(Group.id, Group.leader_id)
        .order_by(late, running.desc(), Group.id)
        .limit(1)
    )


def _late_loan(session: Session, communities: list[int]) -> Loan | None:
    asked = (
        select(Call.loan_id, func.count().label("calls"))
        .where(Call.status == CallStatus.OPEN)
        .group_by(Call.loan_id)
        .subquery()
    )
    return session.scalar(
        select(Loan)
        .outerjoin(asked, asked.c.loan_id == Loan.id)
        .where(
            Loan.community_id.in_(communities),
            Loan.status.in_([LoanStatus.CALLED, LoanStatus.OVERDUE, LoanStatus.WRITTEN_OFF]),
        )
        .order_by(func.coalesce(asked.c.calls, 0).desc(), Loan.id)
        .limit(1)
    )
