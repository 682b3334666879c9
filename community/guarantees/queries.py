"""Reading calls, claims and what somebody stands behind."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union
from sqlalchemy.orm import Session

from community.guarantees.errors import CallNotFound, CoverChangeNotFound
from community.guarantees.models import (
    Call,
    CallLine,
    CallStatus,
    Claim,
    ClaimGround,
    ClaimSettlement,
    CoverChange,
    CoverChangeStatus,
    CoverLine,
    Guarantee,
    SettlementStatus,
)
from community.ledger.models import Event
from community.loans.models import Loan, Repayment
from community.trust.models import Standing, Vouch


class CoverChangeShow(StrEnum):
    """Which changes of cover: all of one's own, those one has to answer, those one asked for."""

    ALL = "all"
    TO_ANSWER = "to_answer"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class LineView:
    """One cover line with the people on it, outermost first."""

    standing_of_id: int
    outer_vouch: str | None
    inner_vouch: str | None
    via_id: int | None
    amount_minor: int
    held_minor: int
    called_minor: int
    paid_minor: int


@dataclass(frozen=True, slots=True)
class DisputeAnswer:
    """Whether a dispute was right, and why; who said so stays in the book."""

    upheld: bool
    reason: str
    answered_at: datetime


_UPHELD, _NOT_UPHELD = "call.dispute_upheld", "call.dispute_resolved"


def get_call(session: Session, public_id: str) -> Call:
    call = session.scalar(select(Call).where(Call.public_id == public_id))
    if call is None:
        raise CallNotFound()
    return call


def guarantor_ids(session: Session, *, loan_id: int) -> frozenset[int]:
    """Whoever stands behind the loan now or paid for it: they may see it."""
    return guarantors_of(session, [loan_id])[loan_id]


def guarantors_of(session: Session, loan_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """The same of several loans, by loan; one statement."""
    held = CoverLine.amount_minor - CoverLine.released_minor
    signed = (
        select(Guarantee.loan_id, Guarantee.guarantor_id)
        .join(CoverLine, CoverLine.loan_id == Guarantee.loan_id)
        # Whose cover went over to others altogether has nothing to do with it any more.
        .where(Guarantee.loan_id.in_(loan_ids), Guarantee.cap_minor > 0, held > 0)
    )
    called = select(Call.loan_id, Call.guarantor_id).where(Call.loan_id.in_(loan_ids))
    found: dict[int, set[int]] = {loan_id: set() for loan_id in loan_ids}
    for loan_id, member_id in session.execute(union(signed, called)):
        found[loan_id].add(member_id)
    return {loan_id: frozenset(ids) for loan_id, ids in found.items()}


def get_cover_change(session: Session, public_id: str) -> CoverChange:
    """A change of cover. Raises CoverChangeNotFound."""
    change = session.scalar(select(CoverChange).where(CoverChange.public_id == public_id))
    if change is None:
        raise CoverChangeNotFound()
    return change


def cover_changes_of(loan_id: int) -> Select[CoverChange]:
    """What was proposed and done about who covers a loan; page by CoverChange.id."""
    return select(CoverChange).where(CoverChange.loan_id == loan_id)


def cover_changes_with(member_id: int, show: CoverChangeShow) -> Select[CoverChange]:
    """The changes of cover that a member leaves, comes by, or whose loan is theirs.

    Page by CoverChange.id.
    """
    own = select(Loan.id).where(Loan.borrower_id == member_id)
    borrows = CoverChange.loan_id.in_(own)
    if show is CoverChangeShow.ASKED:
        return select(CoverChange).where(CoverChange.proposed_by_id == member_id)
    if show is CoverChangeShow.ALL:
        return select(CoverChange).where(
            or_(CoverChange.leaving_id == member_id, CoverChange.coming_id == member_id, borrows)
        )
    return select(CoverChange).where(
        CoverChange.status == CoverChangeStatus.PROPOSED,
        or_(
            and_(CoverChange.leaving_id == member_id, CoverChange.leaving_agreed_at.is_(None)),
            and_(CoverChange.coming_id == member_id, CoverChange.coming_agreed_at.is_(None)),
            and_(borrows, CoverChange.borrower_agreed_at.is_(None)),
        ),
    )


def calls_of_loan(loan_id: int) -> Select[Call]:
    """The calls on a loan's guarantors."""
    return select(Call).where(Call.loan_id == loan_id)


def calls_on(guarantor_id: int) -> Select[Call]:
    """The calls on one guarantor."""
    return select(Call).where(Call.guarantor_id == guarantor_id)


def list_calls(community_id: int, status: CallStatus | None = None) -> Select[Call]:
    """The calls on a community's loans, all or those in one state; page by Call.id."""
    query = select(Call).where(Call.community_id == community_id)
    return query if status is None else query.where(Call.status == status)


def call_lines(session: Session, call: Call) -> list[tuple[CallLine, LineView]]:
    """What a call rests on: how much it asks of which cover line, and who stands on that one."""
    asked = session.scalars(
        select(CallLine).where(CallLine.call_id == call.id).order_by(CallLine.id)
    ).all()
    lines = _line_views(session, CoverLine.id.in_([item.cover_line_id for item in asked]))
    return [(item, lines[item.cover_line_id]) for item in asked]


def dispute_answers(session: Session, call: Call) -> list[DisputeAnswer]:
    """How disputes of a call were answered, oldest first, as the community's book has it."""
    rows = session.execute(
        select(Event.kind, Event.facts, Event.recorded_at)
        .where(Event.subject == call.public_id, Event.kind.in_([_UPHELD, _NOT_UPHELD]))
        .order_by(Event.id)
    )
    return [DisputeAnswer(kind == _UPHELD, facts["reason"], at) for kind, facts, at in rows]


def repayments_of(loan_id: int) -> Select[Repayment]:
    """The receipts of a loan."""
    return select(Repayment).where(Repayment.loan_id == loan_id)


def held_minor(session: Session, *, loan_id: int) -> int:
    """How much cover a loan holds now."""
    held = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor
    found = session.scalar(
        select(func.coalesce(func.sum(held), 0)).where(CoverLine.loan_id == loan_id)
    )
    return int(found or 0)


def held_by_leaving(session: Session, changes: Iterable[CoverChange]) -> dict[int, int]:
    """By change: how much of the loan's cover rests on who leaves now; one statement."""
    held = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor
    ids = [change.id for change in changes]
    found = session.execute(
        select(CoverChange.id, func.sum(held))
        .join(CoverLine, CoverLine.loan_id == CoverChange.loan_id)
        .where(
            CoverChange.id.in_(ids),
            select(Vouch.id)
            .where(
                or_(Vouch.id == CoverLine.inner_vouch_id, Vouch.id == CoverLine.outer_vouch_id),
                Vouch.voucher_id == CoverChange.leaving_id,
            )
            .exists(),
        )
        .group_by(CoverChange.id)
    )
    return dict.fromkeys(ids, 0) | {change_id: int(held or 0) for change_id, held in found}


def list_lines(session: Session, *, loan_id: int) -> list[LineView]:
    """A loan's cover, path by path."""
    return list(_line_views(session, CoverLine.loan_id == loan_id).values())


def _line_views(session: Session, which: ColumnElement[bool]) -> dict[int, LineView]:
    lines = session.scalars(select(CoverLine).where(which).order_by(CoverLine.id)).all()
    owners = dict(
        session.execute(
            select(Standing.id, Standing.member_id).where(
                Standing.id.in_({line.standing_id for line in lines})
            )
        ).all()
    )
    vouches = {
        vouch.id: vouch
        for vouch in session.scalars(
            select(Vouch).where(
                Vouch.id.in_(
                    {line.inner_vouch_id for line in lines}
                    | {line.outer_vouch_id for line in lines} - {None}
                )
            )
        )
    }
    return {
        line.id: LineView(
            standing_of_id=owners[line.standing_id],
            outer_vouch=_public(vouches, line.outer_vouch_id),
            inner_vouch=_public(vouches, line.inner_vouch_id),
            via_id=(
                vouches[line.inner_vouch_id].voucher_id
                if line.outer_vouch_id is not None and line.inner_vouch_id is not None
                else None
            ),
            amount_minor=line.amount_minor,
            held_minor=line.held_minor,
            called_minor=line.called_minor,
            paid_minor=line.paid_minor,
        )
        for line in lines
    }


def paid_for_others(session: Session, *, member_id: int, community_id: int) -> tuple[int, int]:
    """What a member paid for others in a community, and how much of it came back."""
    row = session.execute(
        select(
            func.coalesce(func.sum(Claim.amount_minor), 0),
            func.coalesce(func.sum(Claim.settled_minor + Claim.relieved_minor), 0),
        )
        .join(Loan, Loan.id == Claim.loan_id)
        .outerjoin(ClaimSettlement, ClaimSettlement.id == Claim.settlement_id)
        .where(
            Claim.claimant_id == member_id,
            Loan.community_id == community_id,
            Claim.ground == ClaimGround.BORROWER,
            func.coalesce(ClaimSettlement.status, SettlementStatus.CONFIRMED)
            == SettlementStatus.CONFIRMED,
        )
    ).one()
    return int(row[0]), int(row[1])


def _public(vouches: dict[int, Vouch], vouch_id: int | None) -> str | None:
    return None if vouch_id is None else vouches[vouch_id].public_id
