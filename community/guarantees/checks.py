"""Proving laws 2, 3 and 4: promises, cover and caps, by set-based queries over all rows."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Integer, case, func, literal_column, or_, select
from sqlalchemy.orm import Session, aliased

from community.guarantees.models import (
    INTEREST_OPEN_MINOR,
    OPEN_MINOR,
    PRINCIPAL_OPEN_MINOR,
    Call,
    CallLine,
    Claim,
    ClaimGround,
    ClaimMovement,
    ClaimSettlement,
    CoverChange,
    CoverChangeStatus,
    CoverLine,
    Guarantee,
    GuaranteePayment,
    MovementKind,
    SettlementStatus,
)
from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book, Posting
from community.lines.models import LineReserveMove, ReserveMoveKind
from community.loans.models import Loan, LoanStatus
from community.loans.states import ON_PLAN
from community.products.models import ProductVersion
from community.trust.models import Standing, Vouch

_HELD = CoverLine.amount_minor - CoverLine.released_minor - CoverLine.paid_minor
_COVERED = (LoanStatus.APPROVED, *ON_PLAN, LoanStatus.OVERDUE)


def check_guarantees(session: Session) -> Iterator[Breach]:
    """Breaches of laws 2 (nothing spent twice), 3 (cover matches debt) and 4 (caps)."""
    yield from _reserved_is_the_sum_of_lines(session)
    yield from _cover_matches_debt(session)
    yield from _caps_hold(session)
    yield from _calls_add_up(session)
    yield from _claims_are_their_movements(session)
    yield from _linked_claims_agree(session)
    yield from _settlements_moved_what_they_say(session)
    yield from _recourse_matches_the_books(session)
    yield from _line_reserves_paid_what_they_say(session)
    yield from _handovers_are_whole(session)


def _reserved_is_the_sum_of_lines(session: Session) -> Iterator[Breach]:
    by_standing = _sums(CoverLine.standing_id)
    rows = session.execute(
        select(Standing.id, Standing.reserved_minor, func.coalesce(by_standing.c.total, 0))
        .outerjoin(by_standing, by_standing.c.key == Standing.id)
        .where(Standing.reserved_minor != func.coalesce(by_standing.c.total, 0))
        .order_by(Standing.id)
    )
    for row_id, reserved, total in rows:
        yield Breach(2, "standings", str(row_id), f"reserves {reserved}, its lines hold {total}")
    over = session.execute(
        select(Standing.id)
        .where(Standing.reserved_minor > Standing.stake_minor + Standing.assessed_minor)
        .order_by(Standing.id)
    )
    for (row_id,) in over:
        yield Breach(2, "standings", str(row_id), "reserves more than it stands for")
    inner, outer = _sums(CoverLine.inner_vouch_id), _sums(CoverLine.outer_vouch_id)
    total = func.coalesce(inner.c.total, 0) + func.coalesce(outer.c.total, 0)
    rows = session.execute(
        select(Vouch.id, Vouch.reserved_minor, total)
        .outerjoin(inner, inner.c.key == Vouch.id)
        .outerjoin(outer, outer.c.key == Vouch.id)
        .where(
            or_(
                Vouch.reserved_minor != total,
                Vouch.reserved_minor + Vouch.spent_minor > Vouch.limit_minor,
                Vouch.reserved_minor < 0,
                Vouch.spent_minor < 0,
            )
        )
        .order_by(Vouch.id)
    )
    for row_id, reserved, held in rows:
        yield Breach(
            2, "vouches", str(row_id), f"reserves {reserved} of its limit, its lines hold {held}"
        )


def _cover_matches_debt(session: Session) -> Iterator[Breach]:
    held = _sums(CoverLine.loan_id)
    ratio = ProductVersion.terms["cover_ratio_bps"].as_integer()
    # What is out and what was approved and is still to go out.
    backed = Loan.outstanding_minor + Loan.principal_minor - Loan.disbursed_minor
    # A shortage is on record: a receipt was taken back when its cover backed others already.
    covered = func.coalesce(held.c.total, 0) + Loan.cover_short_minor
    rows = session.execute(
        select(Loan.id, Loan.status, backed, ratio, func.coalesce(held.c.total, 0))
        .join(ProductVersion, ProductVersion.id == Loan.product_version_id)
        .outerjoin(held, held.c.key == Loan.id)
        .where(
            or_(
                Loan.status.in_(_COVERED) & (covered * 10_000 < backed * ratio),
                Loan.status.not_in([*_COVERED, LoanStatus.CALLED])
                & (func.coalesce(held.c.total, 0) != 0),
            )
        )
        .order_by(Loan.id)
    )
    for row_id, status, owed, bps, cover in rows:
        yield Breach(
            3,
            "loans",
            str(row_id),
            f"is {status.value} with {cover} of cover held for {owed} at {bps} bps",
        )


def _caps_hold(session: Session) -> Iterator[Breach]:
    paid = (
        select(
            GuaranteePayment.loan_id,
            GuaranteePayment.payer_id,
            func.sum(GuaranteePayment.amount_minor).label("total"),
        )
        .where(GuaranteePayment.payer_id.is_not(None))
        .group_by(GuaranteePayment.loan_id, GuaranteePayment.payer_id)
        .subquery()
    )
    rows = session.execute(
        select(Guarantee.id, Guarantee.cap_minor, Guarantee.paid_minor, paid.c.total)
        .outerjoin(
            paid,
            (paid.c.loan_id == Guarantee.loan_id) & (paid.c.payer_id == Guarantee.guarantor_id),
        )
        .where(
            or_(
                Guarantee.paid_minor != func.coalesce(paid.c.total, 0),
                Guarantee.paid_minor > Guarantee.cap_minor,
            )
        )
        .order_by(Guarantee.id)
    )
    for row_id, cap, noted, total in rows:
        yield Breach(
            4, "guarantees", str(row_id), f"cap {cap}, says paid {noted}, payments sum to {total}"
        )
    strangers = session.execute(
        select(GuaranteePayment.id)
        .outerjoin(
            Guarantee,
            (Guarantee.loan_id == GuaranteePayment.loan_id)
            & (Guarantee.guarantor_id == GuaranteePayment.payer_id),
        )
        .where(GuaranteePayment.payer_id.is_not(None), Guarantee.id.is_(None))
        .order_by(GuaranteePayment.id)
    )
    for (row_id,) in strangers:
        yield Breach(
            4, "guarantee_payments", str(row_id), "was paid by somebody who signed nothing"
        )


def _calls_add_up(session: Session) -> Iterator[Breach]:
    sums = (
        select(
            CallLine.call_id,
            func.sum(CallLine.amount_minor).label("asked"),
            func.sum(CallLine.paid_minor).label("paid"),
        )
        .group_by(CallLine.call_id)
        .subquery()
    )
    rows = session.execute(
        select(Call.id)
        .join(sums, sums.c.call_id == Call.id)
        .where(or_(Call.amount_minor != sums.c.asked, Call.paid_minor != sums.c.paid))
        .order_by(Call.id)
    )
    for (row_id,) in rows:
        yield Breach(4, "calls", str(row_id), "does not add up from its lines")


def _claims_are_their_movements(session: Session) -> Iterator[Breach]:
    sums = (
        select(
            ClaimMovement.claim_id,
            func.sum(ClaimMovement.principal_minor).label("principal"),
            func.sum(ClaimMovement.interest_minor).label("interest"),
        )
        .group_by(ClaimMovement.claim_id)
        .subquery()
    )
    principal, interest = func.coalesce(sums.c.principal, 0), func.coalesce(sums.c.interest, 0)
    rows = session.execute(
        select(Claim.id, PRINCIPAL_OPEN_MINOR, INTEREST_OPEN_MINOR, principal, interest)
        .outerjoin(sums, sums.c.claim_id == Claim.id)
        .where(or_(principal != PRINCIPAL_OPEN_MINOR, interest != INTEREST_OPEN_MINOR))
        .order_by(Claim.id)
    )
    for row_id, *found in rows:
        left, grown, moved, moved_interest = map(int, found)
        yield Breach(
            4,
            "claims",
            str(row_id),
            f"leaves {left} and {grown} of interest, its movements sum to {moved} and"
            f" {moved_interest}",
        )


def _linked_claims_agree(session: Session) -> Iterator[Breach]:
    """One debt, several debtors: nobody behind owes more of it than those before them."""
    before = aliased(Claim)
    left = before.amount_minor - before.settled_minor - before.relieved_minor - before.waived_minor
    grown = (
        before.interest_minor
        - before.interest_settled_minor
        - before.interest_relieved_minor
        - before.interest_waived_minor
    )
    rows = session.execute(
        select(Claim.id)
        .outerjoin(
            before,
            (before.payment_id == Claim.payment_id)
            & (func.coalesce(before.settlement_id, 0) == func.coalesce(Claim.settlement_id, 0))
            & (before.rank == Claim.rank - 1),
        )
        .where(
            Claim.rank > 0,
            or_(
                before.id.is_(None),
                before.amount_minor != Claim.amount_minor,
                before.loan_id != Claim.loan_id,
                func.coalesce(before.claimant_id, 0) != func.coalesce(Claim.claimant_id, 0),
                left < PRINCIPAL_OPEN_MINOR,
                grown < INTEREST_OPEN_MINOR,
            ),
        )
        .order_by(Claim.id)
    )
    for (row_id,) in rows:
        yield Breach(4, "claims", str(row_id), "differs from the claim that it is linked to")
    source = (
        select(Claim.id)
        .join(GuaranteePayment, GuaranteePayment.id == Claim.payment_id)
        .outerjoin(ClaimSettlement, ClaimSettlement.id == Claim.settlement_id)
        .where(
            or_(
                Claim.loan_id != GuaranteePayment.loan_id,
                Claim.settlement_id.is_(None)
                & (
                    (Claim.amount_minor != GuaranteePayment.amount_minor)
                    | (
                        func.coalesce(Claim.claimant_id, 0)
                        != func.coalesce(GuaranteePayment.payer_id, 0)
                    )
                ),
                Claim.settlement_id.is_not(None)
                & (Claim.amount_minor != ClaimSettlement.principal_minor),
            )
        )
        .order_by(Claim.id)
    )
    for row_id in session.scalars(source):
        yield Breach(4, "claims", str(row_id), "differs from the payment that it arose from")


def _settlements_moved_what_they_say(session: Session) -> Iterator[Breach]:
    moved = (
        select(
            ClaimMovement.settlement_id,
            ClaimMovement.claim_id,
            func.sum(ClaimMovement.principal_minor).label("principal"),
            func.sum(ClaimMovement.interest_minor).label("interest"),
        )
        .where(ClaimMovement.kind.in_([MovementKind.SETTLED, MovementKind.REVERSED]))
        .group_by(ClaimMovement.settlement_id, ClaimMovement.claim_id)
        .subquery()
    )
    counts = case((ClaimSettlement.status == SettlementStatus.CONFIRMED, -1), else_=0)
    rows = session.execute(
        select(ClaimSettlement.id)
        .outerjoin(
            moved,
            (moved.c.settlement_id == ClaimSettlement.id)
            & (moved.c.claim_id == ClaimSettlement.claim_id),
        )
        .where(
            or_(
                func.coalesce(moved.c.principal, 0) != counts * ClaimSettlement.principal_minor,
                func.coalesce(moved.c.interest, 0) != counts * ClaimSettlement.interest_minor,
            )
        )
        .order_by(ClaimSettlement.id)
    )
    for (row_id,) in rows:
        yield Breach(4, "claim_settlements", str(row_id), "differs from what it moved")


def _recourse_matches_the_books(session: Session) -> Iterator[Breach]:
    """Open claims on borrowers, which are each debt once, against the memorandum accounts."""
    chief = Claim.ground == ClaimGround.BORROWER
    still = (
        select(Claim.payment_id, func.sum(PRINCIPAL_OPEN_MINOR).label("total"))
        .where(chief)
        .group_by(Claim.payment_id)
        .subquery()
    )
    rows = session.execute(
        select(GuaranteePayment.id)
        .outerjoin(still, still.c.payment_id == GuaranteePayment.id)
        .where(
            GuaranteePayment.amount_minor - GuaranteePayment.recovered_minor
            != func.coalesce(still.c.total, 0)
        )
        .order_by(GuaranteePayment.id)
    )
    for (row_id,) in rows:
        yield Breach(4, "guarantee_payments", str(row_id), "recovered differs from its claims")
    nobody = literal_column("0", Integer)  # a parameter would differ in the GROUP BY
    payer = func.coalesce(Posting.member_id, nobody)
    noted = (
        select(
            Posting.loan_id,
            payer.label("owner"),
            func.sum(Posting.amount_minor).label("total"),
        )
        .join(Account, Account.id == Posting.account_id)
        .where(Account.kind == AccountKind.RECOURSE_RECEIVABLE)
        .group_by(Posting.loan_id, payer)
        .subquery()
    )
    owner = func.coalesce(Claim.claimant_id, nobody)
    owned = (
        select(
            Claim.loan_id,
            owner.label("owner"),
            func.sum(OPEN_MINOR).label("total"),
            func.min(Claim.id).label("first"),
        )
        .where(chief)
        .group_by(Claim.loan_id, owner)
        .subquery()
    )
    same = (noted.c.loan_id == owned.c.loan_id) & (noted.c.owner == owned.c.owner)
    unequal = session.execute(
        select(owned.c.first, owned.c.total, func.coalesce(noted.c.total, 0))
        .outerjoin(noted, same)
        .where(owned.c.total != func.coalesce(noted.c.total, 0))
        .order_by(owned.c.first)
    )
    for claim_id, owed, books in unequal:
        what = f"its claimant has {owed} to get on the loan, the books note {books}"
        yield Breach(1, "claims", str(claim_id), what)
    strangers = session.execute(
        select(noted.c.loan_id, noted.c.total)
        .outerjoin(owned, same)
        .where(noted.c.total != 0, owned.c.first.is_(None))
        .order_by(noted.c.loan_id)
    )
    for loan_id, total in strangers:
        yield Breach(1, "loans", str(loan_id), f"the books note {total} for somebody without claim")
    yield from _accounts_are_open_claims(session)


def _accounts_are_open_claims(session: Session) -> Iterator[Breach]:
    currency = Loan.terms["product"]["currency"].as_string()
    each = (
        select(
            Loan.community_id.label("community_id"),
            currency.label("currency"),
            (OPEN_MINOR).label("left"),
        )
        .join(Claim, Claim.loan_id == Loan.id)
        .where(Claim.ground == ClaimGround.BORROWER)
        .subquery()
    )
    open_claims = (
        select(each.c.community_id, each.c.currency, func.sum(each.c.left).label("total"))
        .group_by(each.c.community_id, each.c.currency)
        .subquery()
    )
    total = func.coalesce(open_claims.c.total, 0)
    sign = case((Account.kind == AccountKind.RECOURSE_RECEIVABLE, 1), else_=-1)
    rows = session.execute(
        select(Account.id, Account.balance_minor, total)
        .join(Book, Book.id == Account.book_id)
        .outerjoin(
            open_claims,
            (open_claims.c.community_id == Book.community_id)
            & (open_claims.c.currency == Account.currency),
        )
        .where(
            Account.kind.in_([AccountKind.RECOURSE_RECEIVABLE, AccountKind.RECOURSE_CONTRA]),
            Account.balance_minor != sign * total,
        )
        .order_by(Account.id)
    )
    for row_id, balance, owed in rows:
        yield Breach(1, "accounts", str(row_id), f"says {balance}, open claims sum to {owed}")


def _line_reserves_paid_what_they_say(session: Session) -> Iterator[Breach]:
    """What a line's reserve was used and refilled for is what it paid and got back, by loan."""
    move = LineReserveMove
    moved = (
        select(
            move.loan_id,
            func.sum(case((move.kind == ReserveMoveKind.USED, move.amount_minor), else_=0)).label(
                "used"
            ),
            func.sum(
                case((move.kind == ReserveMoveKind.REFILLED, move.amount_minor), else_=0)
            ).label("refilled"),
        )
        .where(move.loan_id.is_not(None))
        .group_by(move.loan_id)
        .subquery()
    )
    paid = (
        select(
            GuaranteePayment.loan_id,
            func.sum(GuaranteePayment.amount_minor).label("amount"),
            func.sum(GuaranteePayment.recovered_minor).label("recovered"),
        )
        .where(GuaranteePayment.line_id.is_not(None))
        .group_by(GuaranteePayment.loan_id)
        .subquery()
    )
    rows = session.execute(
        select(Loan.id)
        .outerjoin(moved, moved.c.loan_id == Loan.id)
        .outerjoin(paid, paid.c.loan_id == Loan.id)
        .where(
            or_(
                func.coalesce(moved.c.used, 0) != func.coalesce(paid.c.amount, 0),
                func.coalesce(moved.c.refilled, 0) != func.coalesce(paid.c.recovered, 0),
            )
        )
        .order_by(Loan.id)
    )
    for (row_id,) in rows:
        yield Breach(
            1, "loans", str(row_id), "has had other money of its line's reserve than that notes"
        )
    strays = session.execute(
        select(GuaranteePayment.id)
        .join(Loan, Loan.id == GuaranteePayment.loan_id)
        .where(
            GuaranteePayment.line_id.is_not(None),
            func.coalesce(Loan.line_id, 0) != GuaranteePayment.line_id,
        )
        .order_by(GuaranteePayment.id)
    )
    for (row_id,) in strays:
        yield Breach(
            1, "guarantee_payments", str(row_id), "was paid by the reserve of another line"
        )


def _handovers_are_whole(session: Session) -> Iterator[Breach]:
    """Law 3: what went over to others did so by a change of that loan which was agreed and done."""
    rows = session.scalars(
        select(CoverLine.id)
        .join(CoverChange, CoverChange.id == CoverLine.change_id)
        .where(
            or_(
                CoverChange.loan_id != CoverLine.loan_id,
                CoverChange.status != CoverChangeStatus.DONE,
            )
        )
        .order_by(CoverLine.id)
    )
    for row_id in rows:
        yield Breach(3, "cover_lines", str(row_id), "was let go by no change that was done")
    gone = (
        select(CoverLine.change_id, func.sum(CoverLine.released_minor).label("released"))
        .group_by(CoverLine.change_id)
        .subquery()
    )
    changes = session.scalars(
        select(CoverChange.id)
        .outerjoin(gone, gone.c.change_id == CoverChange.id)
        .where(
            CoverChange.status == CoverChangeStatus.DONE,
            func.coalesce(gone.c.released, 0) < CoverChange.freed_minor,
        )
        .order_by(CoverChange.id)
    )
    for row_id in changes:
        yield Breach(3, "cover_changes", str(row_id), "says that it freed more than its lines show")


def _sums(key: Any) -> Any:
    return (
        select(key.label("key"), func.sum(_HELD).label("total"))
        .where(key.is_not(None))
        .group_by(key)
        .subquery()
    )
