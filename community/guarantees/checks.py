"""Proving laws 2, 3 and 4: promises, cover and caps, by set-based queries over all rows."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from community.guarantees.models import (
    Call,
    CallLine,
    Claim,
    ClaimGround,
    CoverChange,
    CoverChangeStatus,
    CoverLine,
    Guarantee,
    GuaranteePayment,
)
from community.ledger.checks import Breach
from community.ledger.models import Account, AccountKind, Book, Posting
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
    yield from _recourse_matches_the_books(session)
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


def _recourse_matches_the_books(session: Session) -> Iterator[Breach]:
    settled = (
        select(Claim.payment_id, func.sum(Claim.settled_minor).label("total"))
        .where(Claim.ground == ClaimGround.BORROWER)
        .group_by(Claim.payment_id)
        .subquery()
    )
    rows = session.execute(
        select(GuaranteePayment.id)
        .outerjoin(settled, settled.c.payment_id == GuaranteePayment.id)
        .where(GuaranteePayment.recovered_minor != func.coalesce(settled.c.total, 0))
        .order_by(GuaranteePayment.id)
    )
    for (row_id,) in rows:
        yield Breach(4, "guarantee_payments", str(row_id), "recovered differs from its claims")
    claims = select(
        GuaranteePayment.loan_id,
        func.sum(GuaranteePayment.amount_minor - GuaranteePayment.recovered_minor).label("due"),
    ).group_by(GuaranteePayment.loan_id)
    due = claims.subquery()
    books = (
        select(Posting.loan_id, func.sum(Posting.amount_minor).label("noted"))
        .join(Account, Account.id == Posting.account_id)
        .join(Book, Book.id == Account.book_id)
        .where(Account.kind == AccountKind.RECOURSE_RECEIVABLE)
        .group_by(Posting.loan_id)
        .subquery()
    )
    unequal = session.execute(
        select(Loan.id, func.coalesce(due.c.due, 0), func.coalesce(books.c.noted, 0))
        .outerjoin(due, due.c.loan_id == Loan.id)
        .outerjoin(books, books.c.loan_id == Loan.id)
        .where(func.coalesce(due.c.due, 0) != func.coalesce(books.c.noted, 0))
        .order_by(Loan.id)
    )
    for loan_id, owed, noted in unequal:
        yield Breach(
            1, "loans", str(loan_id), f"guarantors have {owed} to recover, the books note {noted}"
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
