"""A loan's history: what happened to it, as events, and the rows that follow from them.

The arithmetic (`community.arithmetic`) knows one function: the state of a loan on a day from its
events. Whatever happens to a loan is first a row of its own (a tranche, a receipt, a charge, a
change of plan); then `derive` replays all of them and `project` writes what follows: the
instalments, the parts of every receipt, what is outstanding. So money that is entered late with
its own day, or taken back, leaves what would have been. What that changes in the books is posted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.arithmetic.events import (
    Accelerate,
    Charge,
    Disbursement,
    Event,
    FreezeDues,
    FrozenInterest,
    InterestPause,
    MoveDues,
    Payoff,
    RateChange,
    Receipt,
    ReceiptKind,
    Reschedule,
    SplitDues,
)
from community.arithmetic.replay import replay
from community.arithmetic.state import Amounts, State
from community.arithmetic.terms import Component, Contract
from community.ledger import rules
from community.ledger import service as ledger
from community.ledger.rules import Leg
from community.loans import models, positions, states
from community.loans.models import (
    ChangeKind,
    Instalment,
    Loan,
    LoanChange,
    LoanStatus,
    Repayment,
    RepaymentSource,
)
from community.loans.schedule import contract_of, read_loan_terms
from community.loans.steps import currency_of

_DUE = ("principal_minor", "interest_minor", "fee_minor", "penalty_minor")
_PAID = tuple(f"paid_{name}" for name in _DUE)
# Money of these comes by itself, on its day, and is never entered with an earlier one.
_BY_RULE = (RepaymentSource.STAKE, RepaymentSource.GUARANTOR, RepaymentSource.RESERVE)


@dataclass(frozen=True, slots=True)
class Debt:
    """What a loan owes on a day. `overdue` is what fell due before the day and is unpaid."""

    principal_minor: int = 0
    interest_minor: int = 0
    fee_minor: int = 0
    penalty_minor: int = 0
    # Due on the day or before it.
    due_minor: int = 0
    overdue_minor: int = 0
    overdue_since_on: date | None = None
    days_overdue: int = 0

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor + self.fee_minor + self.penalty_minor


def owed(session: Session, *, loan: Loan, on: date) -> Debt:
    """What the lender may still receive on a loan, as of a day; nothing before disbursement.

    Of a written-off loan it is the principal given up, less what was recovered since.
    """
    if loan.status is LoanStatus.WRITTEN_OFF:
        recovered = session.scalar(
            select(func.coalesce(func.sum(Repayment.recovered_minor), 0)).where(
                Repayment.loan_id == loan.id, Repayment.reversed_on.is_(None)
            )
        )
        left = loan.written_off_minor - int(recovered or 0)
        since = loan.overdue_since_on if left else None
        days = (on - since).days if since is not None else 0
        return Debt(left, 0, 0, 0, left, left, since, days)
    if loan.status not in states.LIVE:
        return Debt()
    if read_loan_terms(loan.terms).product.moves_daily:
        return debt_of(derive(session, loan=loan, on=on))
    return _debt_of_rows(instalments_of(session, loan.id), on, loan.accelerated_on)


def debt_of(state: State) -> Debt:
    """What a replayed loan owes on the day of its state."""
    return Debt(
        *state.outstanding,
        due_minor=state.due.total_minor,
        overdue_minor=state.overdue.total_minor,
        overdue_since_on=state.overdue_since_on,
        days_overdue=state.days_overdue,
    )


def derive(
    session: Session,
    *,
    loan: Loan,
    on: date,
    more: Sequence[Event] = (),
    without: str = "",
    receipts: Sequence[Repayment] | None = None,
) -> State:
    """The loan (paid out, not written off) on a day, by all its events and some `more`.

    `without` leaves the receipt of that number out. `receipts` are those of `receipts_of`, if the
    caller has read them under the loan's lock.
    """
    contract, events = read_history(session, loan, without=without, receipts=receipts)
    return replay(contract, [*events, *more], on)


def read_history(
    session: Session,
    loan: Loan,
    *,
    without: str = "",
    receipts: Sequence[Repayment] | None = None,
) -> tuple[Contract, list[Event]]:
    """What a loan froze, and everything that happened to it and was not taken back."""
    if receipts is None:
        receipts = receipts_of(session, loan.id)
    tranches = session.scalars(
        select(models.Disbursement)
        .where(models.Disbursement.loan_id == loan.id)
        .order_by(models.Disbursement.number)
    ).all()
    events: list[Event] = [
        Disbursement(tranche.paid_out_on, tranche.amount_minor, str(tranche.number))
        for tranche in tranches
    ]
    changes = session.scalars(
        select(LoanChange)
        .where(LoanChange.loan_id == loan.id, LoanChange.undone_on.is_(None))
        .order_by(LoanChange.id)
    )
    events += [event_of(change.kind, change.effective_on, change.parameters) for change in changes]
    charges = session.scalars(
        select(models.Charge)
        .where(models.Charge.loan_id == loan.id, models.Charge.waived_on.is_(None))
        .order_by(models.Charge.id)
    )
    events += [
        Charge(charge.due_on, charge.amount_minor, charge.public_id, Component(charge.kind.value))
        for charge in charges
    ]
    events += [
        receipt_event(
            key=receipt.public_id,
            on=receipt.received_on,
            amount_minor=receipt.offered_minor,
            source=receipt.source,
            is_payoff=receipt.is_payoff,
        )
        for receipt in receipts
        if receipt.offered_minor and receipt.public_id != without
    ]
    if loan.accelerated_on is not None:
        events.append(Accelerate(loan.accelerated_on))
    assert loan.disbursed_on is not None
    return contract_of(read_loan_terms(loan.terms), loan.disbursed_on), events


def receipt_event(
    *, key: str, on: date, amount_minor: int, source: RepaymentSource, is_payoff: bool
) -> Event:
    """A receipt as the arithmetic takes it."""
    if is_payoff:
        return Payoff(on, key, amount_minor)
    kind = ReceiptKind.GUARANTOR if source in _BY_RULE else ReceiptKind.REPAYMENT
    return Receipt(on, amount_minor, key, kind)


def event_of(kind: ChangeKind, on: date, parameters: Mapping[str, Any]) -> Event:
    """A change of plan as the arithmetic takes it; its parameters are those of the event."""
    day = partial(_day, parameters)
    if kind is ChangeKind.RATE:
        return RateChange(on, parameters["yearly_rate_ppm"])
    if kind is ChangeKind.PAUSE:
        return InterestPause(on, date.fromisoformat(parameters["until_on"]))
    if kind is ChangeKind.MOVE:
        return MoveDues(on, day("from_on"), day("until_on"), parameters["days"])
    if kind is ChangeKind.SPLIT:
        return SplitDues(
            on, day("from_on"), day("until_on"), parameters["parts"], parameters.get("step", 1)
        )
    if kind is ChangeKind.FREEZE:
        return FreezeDues(
            on,
            day("from_on"),
            day("until_on"),
            day("resume_on"),
            FrozenInterest(parameters.get("interest", FrozenInterest.RUNS)),
        )
    new_due_on = parameters.get("new_due_on")
    return Reschedule(
        on,
        day("from_due_on"),
        new_due_on=None if new_due_on is None else date.fromisoformat(new_due_on),
        extra_instalments=parameters.get("extra_instalments", 0),
        grace_principal=parameters.get("grace_principal", 0),
        grace_interest=parameters.get("grace_interest", 0),
        yearly_rate_ppm=parameters.get("yearly_rate_ppm"),
    )


def project(
    session: Session,
    *,
    loan: Loan,
    state: State,
    on: date,
    now: datetime,
    actor_id: int | None,
    receipts: Sequence[Repayment] | None = None,
    with_position: bool = True,
) -> None:
    """Write what follows from a loan's events (the loan is locked) and post what it moves.

    Instalments are those of the state; receipts get its parts. A receipt whose parts moved and
    fees and penalties that came or went are posted on `on`. `receipts` are those of `receipts_of`,
    if the caller has read them under the loan's lock. Without `with_position` the caller brings
    the loan's position up to date.
    """
    rows = instalments_of(session, loan.id)
    fees = sum(row.due.fee_minor for row in state.rows) - sum(row.fee_minor for row in rows)
    penalties = sum(row.due.penalty_minor for row in state.rows) - sum(
        row.penalty_minor for row in rows
    )
    book = partial(post, session, loan, reference=loan.public_id, on=on, now=now, actor_id=actor_id)
    # Charged before it is paid, paid back before it is waived: no receivable is ever overdrawn.
    if fees > 0:
        book("loan.fee_charged", rules.fee_charged(loan.id, loan.borrower_id, fees))
    if penalties > 0:
        book("loan.penalty_charged", rules.penalty_charged(loan.id, loan.borrower_id, penalties))
    _write_rows(session, loan, rows, state)
    for receipt in receipts_of(session, loan.id) if receipts is None else receipts:
        _move_parts(session, loan, receipt, state, on=on, now=now, actor_id=actor_id)
    if fees < 0:
        book("loan.fee_waived", rules.fee_waived(loan.id, loan.borrower_id, -fees))
    if penalties < 0:
        book("loan.penalty_waived", rules.penalty_waived(loan.id, loan.borrower_id, -penalties))
    loan.outstanding_minor = state.outstanding.principal_minor
    loan.worked_out_on = state.on
    if loan.overdue_since_on is not None:
        loan.overdue_since_on = state.overdue_since_on or loan.overdue_since_on
    loan.version += 1
    if with_position:
        positions.follow(session, loan=loan, on=on)


def instalments_of(session: Session, loan_id: int) -> Sequence[Instalment]:
    """A loan's instalments in order, as they are now."""
    return session.scalars(
        select(Instalment)
        .where(Instalment.loan_id == loan_id)
        .order_by(Instalment.number)
        # The loan's lock guards them: what the session read before it may be old.
        .execution_options(populate_existing=True)
    ).all()


def receipts_of(session: Session, loan_id: int) -> Sequence[Repayment]:
    """Money that a loan received and that was not taken back, in the order of its entry."""
    return session.scalars(
        select(Repayment)
        .where(
            Repayment.loan_id == loan_id,
            Repayment.reversed_on.is_(None),
            Repayment.source != RepaymentSource.WRITE_OFF,
        )
        .order_by(Repayment.id)
        .execution_options(populate_existing=True)
    ).all()


def post(
    session: Session,
    loan: Loan,
    kind: str,
    legs: Sequence[Leg],
    *,
    reference: str,
    on: date,
    now: datetime,
    actor_id: int | None,
    value_on: date | None = None,
    reverses_id: int | None = None,
) -> int:
    """Post to the book of a loan's community, in the loan's currency."""
    return ledger.post(
        session,
        community_id=loan.community_id,
        currency=currency_of(loan),
        kind=kind,
        legs=legs,
        on=on,
        now=now,
        reference=reference,
        actor_id=actor_id,
        value_on=value_on,
        reverses_id=reverses_id,
    )


def _write_rows(session: Session, loan: Loan, rows: Sequence[Instalment], state: State) -> None:
    found = {row.number: row for row in rows}
    for row in state.rows:
        values = {
            "from_on": row.from_on,
            "due_on": row.due_on,
            **dict(zip(_DUE, row.due, strict=True)),
            **dict(zip(_PAID, row.paid, strict=True)),
        }
        kept = found.pop(row.number, None)
        if kept is None:
            session.add(Instalment(loan_id=loan.id, number=row.number, **values))
            continue
        for name, value in values.items():
            if getattr(kept, name) != value:
                setattr(kept, name, value)
    for surplus in found.values():
        session.delete(surplus)
    session.flush()  # what is read next are the rows as they are now


def _move_parts(
    session: Session,
    loan: Loan,
    receipt: Repayment,
    state: State,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Give a receipt the parts that the whole history gives it; the difference is posted."""
    given = state.receipts.get(receipt.public_id)
    parts = given.amounts if given is not None else Amounts()
    old = Amounts(*(getattr(receipt, name) for name in _DUE))
    if parts == old:
        return
    move = Amounts(*(new - was for new, was in zip(parts, old, strict=True)))
    for name, value in zip(_DUE, parts, strict=True):
        setattr(receipt, name, value)
    receipt.overpaid_minor -= move.total_minor
    if receipt.entry_id is None:
        return  # it is being booked now, with these parts
    # Only over-the-counter money moves, and it has a payer.
    assert receipt.payer_id is not None
    post(
        session,
        loan,
        "loan.receipt_moved",
        rules.receipt_moved(
            loan.id,
            receipt.payer_id,
            principal=move.principal_minor,
            interest=move.interest_minor,
            fee=move.fee_minor,
            penalty=move.penalty_minor,
        ),
        reference=receipt.public_id,
        on=on,
        now=now,
        value_on=receipt.received_on,
        actor_id=actor_id,
    )


def _debt_of_rows(rows: Sequence[Instalment], on: date, accelerated_on: date | None) -> Debt:
    """What is unpaid of rows that no day changes. Acceleration makes all of it due on its day."""
    unpaid = [row for row in rows if row.paid_minor < row.due_minor]
    falls_due = [
        (row, row.due_on if accelerated_on is None else min(row.due_on, accelerated_on))
        for row in unpaid
    ]
    since = min((day for _, day in falls_due if day < on), default=None)
    principal, interest, fee, penalty = (
        sum(getattr(row, due) - getattr(row, paid) for row in unpaid)
        for due, paid in zip(_DUE, _PAID, strict=True)
    )
    return Debt(
        principal,
        interest,
        fee,
        penalty,
        due_minor=sum(row.due_minor - row.paid_minor for row, day in falls_due if day <= on),
        overdue_minor=sum(row.due_minor - row.paid_minor for row, day in falls_due if day < on),
        overdue_since_on=since,
        days_overdue=(on - since).days if since is not None else 0,
    )


def _day(parameters: Mapping[str, Any], name: str) -> date:
    return date.fromisoformat(parameters[name])
