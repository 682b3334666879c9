"""Money in on a loan: taken, settled early, taken back, given up.

Every function here works on a loan that the caller has locked.
"""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.arithmetic.replay import payoff_minor
from community.arithmetic.terms import Recalculation
from community.database import new_public_id
from community.errors import Invalid, WrongState
from community.ledger import rules
from community.ledger.events import record_event
from community.ledger.rules import Leg
from community.ledger.service import turned_round
from community.loans import accrual, positions, states
from community.loans.errors import (
    DayNotOpen,
    MoreThanOwed,
    NothingToSettle,
    ReceiptNotReversible,
    ReceiptReversed,
)
from community.loans.history import (
    Debt,
    derive,
    instalments_of,
    owed,
    post,
    project,
    read_history,
    receipt_event,
    receipts_of,
)
from community.loans.models import (
    Disbursement,
    Loan,
    LoanStatus,
    Repayment,
    RepaymentSource,
)
from community.loans.schedule import read_loan_terms
from community.loans.steps import currency_of, move_loan
from community.money import say_amount

# Whoever stands in for the borrower pays on a day of the failing loan's own calendar.
_BY_HAND = (RepaymentSource.BORROWER, RepaymentSource.THIRD_PARTY)
_NEW = "new"


def new_number() -> str:
    """The number of a receipt that is to be booked."""
    return new_public_id("rcp")


def split(
    session: Session,
    *,
    loan: Loan,
    amount_minor: int,
    received_on: date,
    on: date,
    source: RepaymentSource = RepaymentSource.BORROWER,
    number: str = _NEW,
) -> int:
    """What of an amount received on a day would go to the lender; the rest is left over.

    `number` is that of the receipt, if it is to be booked next.
    """
    by_rows = received_on == on and loan.status is not LoanStatus.CLOSED
    # Where interest is worked out anew, money that comes early makes less of it owed.
    recalculates = read_loan_terms(loan.terms).product.recalculation is not Recalculation.NONE
    if loan.status is LoanStatus.WRITTEN_OFF or (by_rows and not recalculates):
        return min(amount_minor, owed(session, loan=loan, on=on).total_minor)
    new = receipt_event(
        key=number, on=received_on, amount_minor=amount_minor, source=source, is_payoff=False
    )
    state = derive(session, loan=loan, on=on, more=[new])
    return state.receipts[number].amounts.total_minor


def book_repayment(
    session: Session,
    *,
    loan: Loan,
    amount_minor: int,
    source: RepaymentSource,
    payer_id: int | None,
    on: date,
    now: datetime,
    actor_id: int | None,
    received_on: date | None = None,
    recourse_minor: int = 0,
    overpaid_minor: int = 0,
    is_payoff: bool = False,
    number: str | None = None,
) -> Repayment:
    """Money for the lender is taken on a loan, spread as its history and its product say.

    `on` is the business day; `received_on` an earlier day on which the money really came: all that
    came later is worked out anew. `amount_minor` is the lender's part, at most what is owed, 0 if
    all goes elsewhere. What the payer gave beyond it stands on the same receipt: `recourse_minor`
    is posted by the caller, `overpaid_minor` is posted here and kept for the payer. On a
    written-off loan the lender's part is a recovery. `is_payoff`: the loan is settled early.
    `number` is the receipt's, if it was given out already (`new_number`).
    The status is left to the caller (`close_if_paid`, `mark_current`).
    Raises MoreThanOwed, DayNotOpen, WrongState before disbursement.
    """
    if loan.status not in states.DISBURSED:
        raise WrongState("Nothing was paid out on this loan.", state=loan.status.value)
    parts = (amount_minor, recourse_minor, overpaid_minor)
    if min(parts) < 0 or sum(parts) == 0 or source is RepaymentSource.WRITE_OFF:
        raise Invalid("A repayment is money.", field="amount")
    if payer_id is None and (source is not RepaymentSource.RESERVE or overpaid_minor):
        raise Invalid("A repayment names its payer.", field="payer_id")
    day = on if received_on is None else received_on
    if day != on:
        check_day(session, loan=loan, received_on=day, on=on)
    written_off = loan.status is LoanStatus.WRITTEN_OFF
    if written_off and amount_minor > owed(session, loan=loan, on=on).total_minor:
        raise _more_than_owed(loan, owed(session, loan=loan, on=on).total_minor, amount_minor)
    repayment = Repayment(
        public_id=number or new_number(),
        loan_id=loan.id,
        payer_id=payer_id,
        source=source,
        amount_minor=sum(parts),
        offered_minor=0 if written_off else amount_minor,
        is_payoff=is_payoff,
        principal_minor=0,
        interest_minor=0,
        fee_minor=0,
        penalty_minor=0,
        recovered_minor=amount_minor if written_off else 0,
        recourse_minor=recourse_minor,
        # Until the history has spread it; see below.
        overpaid_minor=overpaid_minor + (0 if written_off else amount_minor),
        received_on=day,
        recorded_at=now,
        actor_id=actor_id,
    )
    session.add(repayment)
    session.flush()  # the history reads it, and the entry carries its number
    if amount_minor and not written_off:
        receipts = receipts_of(session, loan.id)
        state = derive(session, loan=loan, on=on, receipts=receipts)
        taken = state.receipts[repayment.public_id].amounts.total_minor
        if taken < amount_minor:
            raise _more_than_owed(loan, taken, amount_minor)
        project(
            session,
            loan=loan,
            state=state,
            on=on,
            now=now,
            actor_id=actor_id,
            receipts=receipts,
            with_position=False,  # it follows below, with what was receivable of the interest
        )
    loan.version += 1
    accrued = positions.take_receivable(
        session, loan=loan, interest_minor=repayment.interest_minor, on=on
    )
    kind, legs = _legs_of(loan, repayment, accrued)
    if legs:
        repayment.entry_id = post(
            session,
            loan,
            kind,
            legs,
            reference=repayment.public_id,
            on=on,
            value_on=day,
            now=now,
            actor_id=actor_id,
        )
    return repayment


def payoff(session: Session, *, loan: Loan, on: date, number: str = _NEW) -> Debt:
    """What settles a live loan on a day: all principal, what is due, interest up to the day.

    `number` is that of the receipt, if it is to be booked next.
    Raises NothingToSettle of a loan that owes nothing or whose whole debt is due already.
    """
    if loan.status not in states.LIVE:
        raise NothingToSettle(f"The loan is {loan.status.value}.", state=loan.status.value)
    contract, events = read_history(session, loan)
    amount = payoff_minor(contract, events, on)
    if not amount:
        # Repaid, and more of it is still to go out.
        raise NothingToSettle("Nothing is owed.", state=loan.status.value)
    settled = derive(
        session,
        loan=loan,
        on=on,
        more=[
            receipt_event(
                key=number,
                on=on,
                amount_minor=amount,
                source=RepaymentSource.BORROWER,
                is_payoff=True,
            )
        ],
    )
    taken = settled.receipts[number].amounts
    return Debt(*taken, due_minor=taken.total_minor)


def reverse_repayment(
    session: Session,
    *,
    loan: Loan,
    repayment: Repayment,
    reason: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> None:
    """A receipt is taken back: the history goes on as if its money had never come.

    Posts the reverse of what its parts are now. Raises ReceiptReversed, ReceiptNotReversible.
    """
    if repayment.reversed_on is not None:
        raise ReceiptReversed(f"It was taken back on {repayment.reversed_on}.")
    _check_reversible(session, loan, repayment)
    # Interest that had been receivable is income taken back; the day books it anew as it is owed.
    kind, legs = _legs_of(loan, repayment, 0)
    repayment.reversed_on = on
    repayment.reversed_reason = reason
    repayment.reversed_by_id = actor_id
    repayment.reversed_at = now
    post(
        session,
        loan,
        f"{kind}.reversed",
        turned_round(legs),
        reference=repayment.public_id,
        on=on,
        value_on=repayment.received_on,
        now=now,
        actor_id=actor_id,
        reverses_id=repayment.entry_id,
    )
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.receipt_reversed",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "receipt": repayment.public_id,
            "amount_minor": repayment.amount_minor,
            "reason": reason,
        },
    )
    session.flush()  # the history leaves it out
    if repayment.offered_minor:
        state = derive(session, loan=loan, on=on)
        project(session, loan=loan, state=state, on=on, now=now, actor_id=actor_id)
    loan.version += 1


def check_day(session: Session, *, loan: Loan, received_on: date, on: date) -> None:
    """Refuse a day on which money for the loan cannot have come, or cannot be entered any more.

    What guarantors, stakes and the reserve paid, and what was asked of them, rests on what was
    owed on those days: money is not entered before them. Raises DayNotOpen, naming the days.
    """
    earliest = _earliest_day(session, loan)
    if not earliest <= received_on <= on:
        raise DayNotOpen(
            f"Money is received between {earliest} and {on}.",
            field="received_on",
            earliest_on=earliest.isoformat(),
            latest_on=on.isoformat(),
        )


def open_day(session: Session, *, loan: Loan, received_on: date, on: date) -> date:
    """The day from which money of `received_on` can count: that day, or the first that is open."""
    if loan.status not in states.DISBURSED:
        return on
    return min(max(received_on, _earliest_day(session, loan)), on)


def write_off(
    session: Session,
    *,
    loan: Loan,
    on: date,
    now: datetime,
    actor_id: int | None = None,
    reason: str = "",
) -> Repayment | None:
    """The lender gives up the principal that is still out; the borrower's debt of it stays.

    Unpaid interest, fees and penalties are given up for good: what of them was booked is taken
    back. Posts the write-off. Returns its record, None if no principal was left.
    """
    principal = loan.outstanding_minor
    record = None
    if principal:
        record = Repayment(
            loan_id=loan.id,
            payer_id=None,
            source=RepaymentSource.WRITE_OFF,
            amount_minor=principal,
            principal_minor=principal,
            interest_minor=0,
            offered_minor=principal,
            received_on=on,
            recorded_at=now,
            actor_id=actor_id,
        )
        session.add(record)
        session.flush()  # the entry carries the record's number
        record.entry_id = post(
            session,
            loan,
            "loan.written_off",
            rules.loan_written_off(loan.id, loan.borrower_id, principal),
            reference=record.public_id,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    charged = instalments_of(session, loan.id)
    fees = sum(row.fee_minor - row.paid_fee_minor for row in charged)
    penalties = sum(row.penalty_minor - row.paid_penalty_minor for row in charged)
    for kind, legs in (
        ("loan.fee_waived", rules.fee_waived(loan.id, loan.borrower_id, fees)),
        ("loan.penalty_waived", rules.penalty_waived(loan.id, loan.borrower_id, penalties)),
    ):
        if any(leg.amount_minor for leg in legs):
            post(
                session,
                loan,
                kind,
                legs,
                reference=loan.public_id,
                on=on,
                now=now,
                actor_id=actor_id,
            )
    loan.written_off_minor += principal
    loan.outstanding_minor = 0
    move_loan(
        session,
        loan=loan,
        to=LoanStatus.WRITTEN_OFF,
        on=on,
        now=now,
        actor_id=actor_id,
        reason=reason,
    )
    interest = positions.receivable_minor(session, loan=loan)
    if interest:
        post(
            session,
            loan,
            accrual.TAKEN_BACK,
            rules.interest_taken_back(interest, member_id=loan.borrower_id, loan_id=loan.id),
            reference=loan.public_id,
            on=on,
            now=now,
            actor_id=actor_id,
        )
    positions.follow(session, loan=loan, on=on, receivable_change_minor=-interest)
    return record


def _earliest_day(session: Session, loan: Loan) -> date:
    first = session.scalars(
        select(func.min(Disbursement.paid_out_on)).where(Disbursement.loan_id == loan.id)
    ).one()
    by_rule = session.scalars(
        select(func.max(Repayment.received_on)).where(
            Repayment.loan_id == loan.id,
            Repayment.reversed_on.is_(None),
            (Repayment.source.not_in(_BY_HAND)) | (Repayment.recourse_minor > 0),
        )
    ).one()
    days = [first, by_rule, loan.called_on, loan.accelerated_on]
    if loan.status is LoanStatus.WRITTEN_OFF:
        days.append(loan.ended_on)
    return max(day for day in days if day is not None)


def _check_reversible(session: Session, loan: Loan, repayment: Repayment) -> None:
    if repayment.source not in _BY_HAND:
        what = "Only money that the borrower or a third party paid in is taken back."
    elif loan.status not in states.LIVE | {LoanStatus.CLOSED}:
        what = f"The loan is {loan.status.value}."
    elif loan.status is LoanStatus.CALLED:
        what = "The loan is called: its guarantors were asked for what was left after this money."
    elif repayment.recourse_minor:
        what = "A part of it was passed on to those who had paid for the borrower."
    elif repayment.received_on < _earliest_day(session, loan):
        what = "Guarantors have answered for the loan since."
    else:
        return
    raise ReceiptNotReversible(what)


def _more_than_owed(loan: Loan, owed_minor: int, offered_minor: int) -> MoreThanOwed:
    currency = currency_of(loan)
    return MoreThanOwed(
        f"The loan owes {say_amount(owed_minor, currency)}, "
        f"{say_amount(offered_minor, currency)} were offered.",
        owed_minor=owed_minor,
        offered_minor=offered_minor,
        field="amount",
    )


def _legs_of(loan: Loan, repayment: Repayment, accrued_minor: int) -> tuple[str, Sequence[Leg]]:
    parts = {
        "principal": repayment.principal_minor,
        "interest": repayment.interest_minor - accrued_minor,
        "interest_receivable": accrued_minor,
        "fee": repayment.fee_minor,
        "penalty": repayment.penalty_minor,
    }
    recovered, overpaid = repayment.recovered_minor, repayment.overpaid_minor
    payer_id = repayment.payer_id
    if repayment.source in (RepaymentSource.STAKE, RepaymentSource.RESERVE):
        if recovered or overpaid:
            raise WrongState("A stake or the reserve stands in for live debt only.")
        if repayment.source is RepaymentSource.RESERVE:
            return "loan.paid_from_reserve", rules.loan_paid_from_reserve(loan.id, **parts)
        assert payer_id is not None
        return "loan.paid_from_stake", rules.loan_paid_from_stake(loan.id, payer_id, **parts)
    assert payer_id is not None
    legs = rules.loan_repaid(loan.id, payer_id, **parts, overpaid=overpaid)
    if recovered:
        return "loan.recovered", legs + rules.loan_recovered(loan.id, payer_id, recovered)
    return "loan.repaid", legs
