"""A loan's history: what happened to it, as events, and the rows that follow from them.

The arithmetic (`community.arithmetic`) knows one function: the state of a loan on a day from its
events. Whatever happens to a loan is first a row of its own (a tranche, a receipt, a charge, a
change of plan); then `derive` replays all of them and `project` writes what follows: the
instalments, the parts of every receipt, what is outstanding. So money that is entered late with
its own day, or taken back, leaves what would have been. What that changes in the books is posted.
"""

from collections.abc import Collection, Mapping, Sequence
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
from community.arithmetic.replay import in_order, replay
from community.arithmetic.state import Amounts, State
from community.arithmetic.terms import Component, Contract, PeriodUnit
from community.ledger import rules
from community.ledger import service as ledger
from community.ledger.rules import Leg
from community.loans import models, positions, states
from community.loans.errors import PaidByOthers
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
_LAST_REPLAY = "last_replay"
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
    return replay_once(session, contract, [*events, *more], on)


def replay_once(session: Session, contract: Contract, events: Sequence[Event], on: date) -> State:
    """`replay`, which the session does not do twice running for the same loan, events and day.

    What money would pay is asked before it is booked, and what is owed afterwards: all of it is one
    state. Nothing can make the answer old, as it is a function of what is compared here.
    """
    lived = contract, in_order(events), on
    last = session.info.get(_LAST_REPLAY)
    if last is not None and last[0] == lived:
        kept: State = last[1]
        return kept
    state = replay(contract, events, on)
    session.info[_LAST_REPLAY] = lived, state
    return state


def read_history(
    session: Session,
    loan: Loan,
    *,
    without: str = "",
    receipts: Sequence[Repayment] | None = None,
) -> tuple[Contract, list[Event]]:
    """What a loan froze, and everything that happened to it and was not taken back."""
    return read_histories(session, [loan], without=without, receipts=receipts)[loan.id]


def read_histories(
    session: Session,
    loans: Collection[Loan],
    *,
    without: str = "",
    without_source: str = "",
    receipts: Sequence[Repayment] | None = None,
) -> dict[int, tuple[Contract, list[Event]]]:
    """The histories of many loans (paid out) by their ids; four statements for all of them.

    `without` leaves the receipt of that number out, `without_source` all changes that belong to it.
    `receipts` are the loans' receipts where the caller has read them already.
    """
    ids = [loan.id for loan in loans]
    events: dict[int, list[Event]] = {loan_id: [] for loan_id in ids}
    tranches = session.scalars(
        select(models.Disbursement)
        .where(models.Disbursement.loan_id.in_(ids))
        .order_by(models.Disbursement.number)
    )
    for tranche in tranches:
        events[tranche.loan_id].append(
            Disbursement(tranche.paid_out_on, tranche.amount_minor, str(tranche.number))
        )
    changes = session.scalars(
        select(LoanChange)
        .where(LoanChange.loan_id.in_(ids), LoanChange.undone_on.is_(None))
        .order_by(LoanChange.id)
    )
    for change in changes:
        if not without_source or change.source != without_source:
            events[change.loan_id].append(
                event_of(change.kind, change.effective_on, change.parameters)
            )
    charges = session.scalars(
        select(models.Charge)
        .where(models.Charge.loan_id.in_(ids), models.Charge.waived_on.is_(None))
        .order_by(models.Charge.id)
    )
    for charge in charges:
        component = Component(charge.kind.value)
        events[charge.loan_id].append(
            Charge(charge.due_on, charge.amount_minor, charge.public_id, component)
        )
    for receipt in _receipts(session, ids) if receipts is None else receipts:
        if receipt.offered_minor and receipt.public_id != without:
            events[receipt.loan_id].append(
                receipt_event(
                    key=receipt.public_id,
                    on=receipt.received_on,
                    amount_minor=receipt.offered_minor,
                    source=receipt.source,
                    is_payoff=receipt.is_payoff,
                )
            )
    histories = {}
    for loan in loans:
        if loan.accelerated_on is not None:
            events[loan.id].append(Accelerate(loan.accelerated_on))
        assert loan.disbursed_on is not None
        contract = contract_of(read_loan_terms(loan.terms), loan.disbursed_on)
        histories[loan.id] = (contract, events[loan.id])
    return histories


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
    if kind in (ChangeKind.MOVE, ChangeKind.SPLIT, ChangeKind.FREEZE):
        window = day("from_on"), day("until_on")
        interest = FrozenInterest(parameters.get("interest", FrozenInterest.RUNS))
        if kind is ChangeKind.MOVE:
            return MoveDues(on, *window, parameters["days"], interest)
        if kind is ChangeKind.FREEZE:
            return FreezeDues(on, *window, day("resume_on"), interest)
        unit = parameters.get("unit")
        return SplitDues(
            on,
            *window,
            parameters["parts"],
            parameters.get("step", 1),
            None if unit is None else PeriodUnit(unit),
            interest,
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
    if receipts is None:
        receipts = receipts_of(session, loan.id)
    moves = [(_moved(receipt, state), receipt) for receipt in receipts]
    # Principal is owed again before another receipt pays it: nothing is overdrawn in between.
    for move, receipt in sorted(moves, key=lambda item: item[0]):
        _move_parts(session, loan, receipt, move, on=on, now=now, actor_id=actor_id)
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
    return _receipts(session, [loan_id])


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


def _receipts(session: Session, loan_ids: Collection[int]) -> Sequence[Repayment]:
    return session.scalars(
        select(Repayment)
        .where(
            Repayment.loan_id.in_(loan_ids),
            Repayment.reversed_on.is_(None),
            Repayment.source != RepaymentSource.WRITE_OFF,
        )
        .order_by(Repayment.id)
        .execution_options(populate_existing=True)
    ).all()


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


def _moved(receipt: Repayment, state: State) -> Amounts:
    """By how much the whole history now gives other parts to a receipt than it has."""
    given = state.receipts.get(receipt.public_id)
    parts = given.amounts if given is not None else Amounts()
    return Amounts(*(new - getattr(receipt, name) for new, name in zip(parts, _DUE, strict=True)))


def _move_parts(
    session: Session,
    loan: Loan,
    receipt: Repayment,
    move: Amounts,
    *,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """Move a receipt's parts within its loan, to overpayment or out of it, and post it.

    Raises PaidByOthers when less would be taken of what somebody else paid: they claim it back.
    """
    if not any(move):
        return
    for name, change in zip(_DUE, move, strict=True):
        setattr(receipt, name, getattr(receipt, name) + change)
    receipt.overpaid_minor -= move.total_minor
    if receipt.entry_id is None:
        return  # it is being booked now, with these parts
    if move.total_minor and receipt.source in _BY_RULE:
        raise PaidByOthers(
            "Guarantors or the reserve paid this, and have their claims for it.",
            receipt=receipt.public_id,
        )
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
