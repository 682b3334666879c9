"""What is done to a running loan: settled early, taken back, charged, changed, paid out further.

Every function locks the loan with its cover, changes the loan's history, and settles what follows
for its cover and its status.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees.cover import LoanCover
from community.guarantees.service import check_money, lock_cover, settle_state
from community.loans import changes, repayments
from community.loans import service as loans
from community.loans.errors import (
    ChangeNotFound,
    ChargeNotFound,
    NotThePayoff,
)
from community.loans.models import (
    ChangeKind,
    Charge,
    ChargeKind,
    Disbursement,
    LoanChange,
    Repayment,
    RepaymentSource,
)
from community.loans.payees import Part
from community.money import Money, format_minor
from community.savings.errors import ReceiptNotFound


def settle_early(
    session: Session,
    *,
    loan_id: int,
    amount: Money,
    on: date,
    now: datetime,
    payer_id: int | None = None,
    source: RepaymentSource = RepaymentSource.BORROWER,
    actor_id: int | None = None,
) -> Repayment:
    """Close a running loan before its time: all principal, what is due, interest up to the day.

    `amount` is what `loans.repayments.payoff` says for the day. Raises NotThePayoff naming it,
    NothingToSettle, CurrencyMismatch.
    """
    cover = lock_cover(session, [loan_id])[loan_id]
    loan = cover.loan
    check_money(loan, amount)
    number = repayments.new_number()
    asked = repayments.payoff(session, loan=loan, on=on, number=number).total_minor
    if amount.amount_minor != asked:
        raise NotThePayoff(
            f"On {on} the loan is settled by {format_minor(asked, amount.currency)}.",
            field="amount",
            payoff_minor=asked,
        )
    repayment = loans.book_repayment(
        session,
        loan=loan,
        amount_minor=asked,
        source=source,
        payer_id=payer_id if payer_id is not None else loan.borrower_id,
        on=on,
        now=now,
        actor_id=actor_id,
        is_payoff=True,
        number=number,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return repayment


def reverse_repayment(
    session: Session,
    *,
    repayment_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Repayment:
    """Take a receipt back: a cheque bounced, the money was somebody else's, the loan was mistaken.

    The loan owes as if the money had never come, and its cover is held again as far as those who
    stood behind it still have room; what is missing is noted on the loan. Raises ReceiptNotFound,
    ReceiptReversed, ReceiptNotReversible, InsufficientFunds when the money has moved on.
    """
    loan_id = session.scalar(select(Repayment.loan_id).where(Repayment.id == repayment_id))
    if loan_id is None:
        raise ReceiptNotFound()
    cover = lock_cover(session, [loan_id])[loan_id]
    loan = cover.loan
    repayment = session.get_one(Repayment, repayment_id, populate_existing=True)
    # Open again first: a closed loan has nothing outstanding.
    loans.reopen(session, loan=loan, on=on, now=now, actor_id=actor_id, reason=reason)
    repayments.reverse_repayment(
        session,
        loan=loan,
        repayment=repayment,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return repayment


def change_plan(
    session: Session,
    *,
    loan_id: int,
    kind: ChangeKind,
    parameters: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    effective_on: date | None = None,
    source: str = "",
) -> LoanChange:
    """Change a running loan's plan; see `loans.changes.change_plan`. Locks the loan's cover."""
    return change_locked(
        session,
        lock_cover(session, [loan_id])[loan_id],
        kind=kind,
        effective_on=on if effective_on is None else effective_on,
        parameters=parameters,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
        source=source,
    )


def change_locked(
    session: Session,
    cover: LoanCover,
    *,
    kind: ChangeKind,
    parameters: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    effective_on: date,
    source: str,
) -> LoanChange:
    """`change_plan` on a loan whose cover is locked already (many loans at once)."""
    change = changes.change_plan(
        session,
        loan=cover.loan,
        kind=kind,
        effective_on=effective_on,
        parameters=parameters,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
        source=source,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return change


def restructure(
    session: Session,
    *,
    loan_id: int,
    kind: ChangeKind,
    parameters: Mapping[str, Any],
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> LoanChange:
    """Give a borrower in trouble a new plan; see `loans.changes.restructure`."""
    cover = lock_cover(session, [loan_id])[loan_id]
    change = changes.restructure(
        session,
        loan=cover.loan,
        kind=kind,
        effective_on=on,
        parameters=parameters,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return change


def undo_change(
    session: Session,
    *,
    change_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> LoanChange:
    """Take one change of plan back; see `loans.changes.undo_change`.

    One that belongs to something, such as a declared event, is taken back with it only.
    """
    loan_id = session.scalar(select(LoanChange.loan_id).where(LoanChange.id == change_id))
    if loan_id is None:
        raise ChangeNotFound()
    cover = lock_cover(session, [loan_id])[loan_id]
    change = session.get_one(LoanChange, change_id, populate_existing=True)
    if change.source:
        raise ChangeNotFound("It belongs to something else and is taken back with it.")
    changes.undo_change(
        session,
        loan=cover.loan,
        change=change,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return change


def undo_changes_locked(
    session: Session,
    cover: LoanCover,
    *,
    source: str,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> list[LoanChange]:
    """Take back every change of plan that a loan had from one source; returns them, newest first.

    The loan's cover is locked. Raises ChangeNotFound if there is none, WrongState of a loan that
    has ended.
    """
    found = changes.find_changes(session, loan_id=cover.loan.id, source=source)[::-1]
    if not found:
        raise ChangeNotFound()
    for change in found:
        changes.undo_change(
            session,
            loan=cover.loan,
            change=change,
            reason=reason,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return found


def add_charge(
    session: Session,
    *,
    loan_id: int,
    kind: ChargeKind,
    amount: Money,
    due_on: date,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Charge:
    """Put a fee or a penalty on a running loan; see `loans.changes.add_charge`."""
    cover = lock_cover(session, [loan_id])[loan_id]
    check_money(cover.loan, amount)
    charge = changes.add_charge(
        session,
        loan=cover.loan,
        kind=kind,
        amount_minor=amount.amount_minor,
        due_on=due_on,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return charge


def waive_charge(
    session: Session,
    *,
    charge_id: int,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> Charge:
    """Let go of a charge; see `loans.changes.waive_charge`."""
    loan_id = session.scalar(select(Charge.loan_id).where(Charge.id == charge_id))
    if loan_id is None:
        raise ChargeNotFound()
    cover = lock_cover(session, [loan_id])[loan_id]
    charge = session.get_one(Charge, charge_id, populate_existing=True)
    changes.waive_charge(
        session,
        loan=cover.loan,
        charge=charge,
        reason=reason,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return charge


def pay_tranche(
    session: Session,
    *,
    loan_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
    payees: Sequence[Part] = (),
) -> Disbursement:
    """Pay out the next tranche of a running loan, on its day or later.

    `payees` get their parts straight, the borrower the rest. Raises TrancheNotDue, WrongState,
    InsufficientFunds, PayeeRefused, PayeesRequired.
    """
    cover = lock_cover(session, [loan_id])[loan_id]
    tranche = loans.pay_tranche(
        session, loan=cover.loan, on=on, now=now, actor_id=actor_id, payees=payees
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return tranche
