"""Reading the book of claims: one claim with its history, and a member's statements."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from community.guarantees.claims import bundles, open_minor
from community.guarantees.errors import ClaimNotFound, SettlementNotFound
from community.guarantees.models import (
    Claim,
    ClaimGround,
    ClaimMovement,
    ClaimSettlement,
    GuaranteePayment,
    MovementKind,
)
from community.ledger.statements import Period
from community.loans.models import Loan


class Side(StrEnum):
    """On which side of claims a member stands."""

    CLAIMED = "claimed"  # they paid, and may claim it back
    OWED = "owed"  # others may claim from them


@dataclass(frozen=True, slots=True)
class Line:
    """One movement of a statement. `amount_minor` is what it changes, up positive."""

    moved_on: date
    claim: str
    other_id: int | None  # the other side: the debtor, or the claimant (None: the reserve fund)
    kind: MovementKind
    principal_minor: int
    interest_minor: int
    balance_minor: int

    @property
    def amount_minor(self) -> int:
        return self.principal_minor + self.interest_minor


@dataclass(frozen=True, slots=True)
class RecourseStatement:
    """What a member had to get (or to pay) when a period began, what moved, what was left."""

    side: Side
    period: Period
    opening_minor: int
    lines: tuple[Line, ...]
    closing_minor: int
    # Interest that has grown since it was booked; only known of today.
    running_minor: int | None


def claimed_on(session: Session, *, loan_id: int, on: date) -> int:
    """What the borrower owes to those who paid for them on a loan, interest and all."""
    return open_minor(session.scalars(select(Claim).where(Claim.loan_id == loan_id)), on)


def get_claim(session: Session, public_id: str) -> Claim:
    claim = session.scalar(select(Claim).where(Claim.public_id == public_id))
    if claim is None:
        raise ClaimNotFound()
    return claim


def get_claim_by_id(session: Session, claim_id: int) -> Claim:
    return session.get_one(Claim, claim_id)


def get_settlement(session: Session, public_id: str) -> ClaimSettlement:
    found = session.scalar(select(ClaimSettlement).where(ClaimSettlement.public_id == public_id))
    if found is None:
        raise SettlementNotFound()
    return found


def claims_of(
    member_id: int, *, side: Side | None = None, community_id: int | None = None
) -> Select[Claim]:
    """Claims that a member has, or that others have against them, or both; also those settled."""
    query = select(Claim).where(_on_side(member_id, side))
    if community_id is not None:
        query = query.join(Loan, Loan.id == Claim.loan_id)
        query = query.where(Loan.community_id == community_id)
    return query


def payments_of(session: Session, claims: Iterable[Claim]) -> dict[int, GuaranteePayment]:
    """The payments that claims arose from, by their id."""
    ids = {claim.payment_id for claim in claims}
    rows = session.scalars(select(GuaranteePayment).where(GuaranteePayment.id.in_(ids)))
    return {payment.id: payment for payment in rows}


def interest_today(session: Session, claims: Collection[Claim], on: date) -> dict[int, int]:
    """Open interest of claims on a day, also what is not booked yet, by the claim's id."""
    ids = {claim.payment_id for claim in claims}
    linked = session.scalars(select(Claim).where(Claim.payment_id.in_(ids)))
    return {
        claim.id: amount
        for one in bundles(linked)
        for claim, amount in zip(one.claims, one.interest(on), strict=True)
    }


def movements_of(session: Session, claim_id: int) -> list[ClaimMovement]:
    """What moved on a claim, oldest first."""
    query = select(ClaimMovement).where(ClaimMovement.claim_id == claim_id)
    return list(session.scalars(query.order_by(ClaimMovement.id)))


def settlements_of(session: Session, claim_id: int) -> list[ClaimSettlement]:
    """What debtor and claimant said of a claim, oldest first."""
    query = select(ClaimSettlement).where(ClaimSettlement.claim_id == claim_id)
    return list(session.scalars(query.order_by(ClaimSettlement.id)))


def statement(
    session: Session,
    *,
    member_id: int,
    community_id: int,
    currency: str,
    side: Side,
    period: Period,
    today: date,
) -> RecourseStatement:
    """A member's statement in one community and currency.

    Who paid sees each debt once, by their claim on the borrower: what somebody behind the borrower
    pays shows there as relieved. Who owes sees every claim on them. Loans are not named.
    """
    mine = (
        _on_side(member_id, side),
        Loan.community_id == community_id,
        Loan.terms["product"]["currency"].as_string() == currency,
        # Of linked claims the borrower's stands for the money.
        *([Claim.ground == ClaimGround.BORROWER] if side is Side.CLAIMED else []),
    )
    moved = (
        select(ClaimMovement)
        .join(Claim, Claim.id == ClaimMovement.claim_id)
        .join(Loan, Loan.id == Claim.loan_id)
        .where(*mine)
    )
    opening = int(
        session.scalar(
            moved.with_only_columns(
                func.coalesce(
                    func.sum(ClaimMovement.principal_minor + ClaimMovement.interest_minor), 0
                )
            ).where(ClaimMovement.moved_on < period.from_on)
        )
        or 0
    )
    other = Claim.debtor_id if side is Side.CLAIMED else Claim.claimant_id
    rows = session.execute(
        moved.with_only_columns(
            ClaimMovement.moved_on,
            Claim.public_id,
            other,
            ClaimMovement.kind,
            ClaimMovement.principal_minor,
            ClaimMovement.interest_minor,
        )
        .where(ClaimMovement.moved_on.between(period.from_on, period.to_on))
        .order_by(ClaimMovement.moved_on, ClaimMovement.id)
    )
    balance = opening
    lines = []
    for moved_on, claim, other_id, kind, principal, interest in rows:
        balance += principal + interest
        lines.append(Line(moved_on, claim, other_id, kind, principal, interest, balance))
    running = None
    if period.to_on >= today:
        claims = session.scalars(
            select(Claim).join(Loan, Loan.id == Claim.loan_id).where(*mine)
        ).all()
        open_now = interest_today(session, claims, today)
        running = sum(open_now[claim.id] - claim.interest_open_minor for claim in claims)
    return RecourseStatement(side, period, opening, tuple(lines), balance, running)


def _on_side(member_id: int, side: Side | None) -> ColumnElement[bool]:
    if side is None:
        return or_(Claim.claimant_id == member_id, Claim.debtor_id == member_id)
    return (Claim.claimant_id if side is Side.CLAIMED else Claim.debtor_id) == member_id
