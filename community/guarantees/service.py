"""Repayments that free cover, and what guarantors do about their calls."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.errors import CurrencyMismatch, Invalid, WrongState
from community.guarantees import claims
from community.guarantees.cover import (
    PENDING,
    LoanCover,
    hold_again,
    lock_cover,
    pay_line,
    release,
    release_line,
    reserve,
)
from community.guarantees.errors import (
    CallNotFound,
    CallNotOpen,
    MoreThanCalled,
    NothingOwed,
    NotTheGuarantor,
)
from community.guarantees.models import (
    Call,
    CallGround,
    CallStatus,
    GuaranteePayment,
)
from community.guarantees.plan import near_first
from community.ledger.events import record_event
from community.lines import reserves as line_reserves
from community.lines.draws import follow
from community.loans import repayments, states
from community.loans import service as loans
from community.loans.errors import DecidedTogether
from community.loans.models import Loan, LoanStatus, Repayment, RepaymentSource
from community.money import Money, allocate, say_amount
from community.reasons import because

__all__ = [
    "cancel_approved",
    "check_money",
    "dispute_call",
    "lock_cover",
    "pay_call",
    "promise_call",
    "record_repayment",
    "reserve",
    "resolve_dispute",
    "settle_state",
]

_LATE_ENTRY = because("late_entry")


def record_repayment(
    session: Session,
    *,
    loan_id: int,
    amount: Money,
    on: date,
    now: datetime,
    payer_id: int | None = None,
    source: RepaymentSource = RepaymentSource.BORROWER,
    actor_id: int | None = None,
    received_on: date | None = None,
) -> Repayment:
    """Take money for a loan: the lender until whole, then whoever paid for the borrower.

    `on` is the business day, `received_on` the day on which the money really came, if it is entered
    late: everything since is then as it would have been. What is left after lender and claims is
    held for the payer. Frees cover down to what the remaining debt needs, closes the loan when
    nothing is owed. Raises NothingOwed (no debt and no claim), CurrencyMismatch, Invalid,
    DayNotOpen.
    """
    cover = lock_cover(session, [loan_id])[loan_id]
    return repay_locked(
        session,
        cover,
        amount=amount,
        on=on,
        now=now,
        payer_id=payer_id,
        source=source,
        actor_id=actor_id,
        received_on=received_on,
    )


def repay_locked(
    session: Session,
    cover: LoanCover,
    *,
    amount: Money,
    on: date,
    now: datetime,
    payer_id: int | None,
    source: RepaymentSource,
    actor_id: int | None,
    received_on: date | None = None,
) -> Repayment:
    """`record_repayment` on a loan whose cover is locked already (a whole sheet at once)."""
    loan = cover.loan
    payer = payer_id if payer_id is not None else loan.borrower_id
    day = on if received_on is None else received_on
    check_money(loan, amount)
    if day != on and loan.status in states.DISBURSED:
        repayments.check_day(session, loan=loan, received_on=day, on=on)
    number = repayments.new_number()
    to_lender = _for_lender(session, loan, amount.amount_minor, day=day, on=on, number=number)
    claimed = claims.open_minor(cover.claims, on)
    if not to_lender and not claimed:
        raise NothingOwed("Neither the lender nor a guarantor has anything to get on this loan.")
    to_claims = min(amount.amount_minor - to_lender, claimed)
    if loan.status is LoanStatus.CLOSED and to_lender:
        loans.reopen(session, loan=loan, on=on, now=now, actor_id=actor_id, reason=_LATE_ENTRY)
    repayment = loans.book_repayment(
        session,
        loan=loan,
        amount_minor=to_lender,
        recourse_minor=to_claims,
        overpaid_minor=amount.amount_minor - to_lender - to_claims,
        source=source,
        payer_id=payer,
        on=on,
        now=now,
        actor_id=actor_id,
        received_on=day,
        number=number,
    )
    if to_claims:
        of_line = _recovered_by_line(cover)
        entry_id = claims.settle_by_borrower(
            session,
            loan=loan,
            claims=cover.claims,
            payments=cover.payments,
            repayment=repayment,
            payer_id=payer,
            amount_minor=to_claims,
            on=on,
            now=now,
            actor_id=actor_id,
        )
        repayment.entry_id = repayment.entry_id or entry_id
        refilled = _recovered_by_line(cover) - of_line
        if refilled and cover.drawn is not None:
            # It came to the reserve fund with the rest, and goes on to the line's reserve.
            line_reserves.refill(
                session,
                line=cover.drawn.line,
                loan_id=loan.id,
                amount_minor=refilled,
                on=on,
                now=now,
                actor_id=actor_id,
            )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return repayment


def check_money(loan: Loan, amount: Money) -> None:
    """Money for a loan is positive and in the loan's currency."""
    if amount.currency != loans.currency_of(loan):
        raise CurrencyMismatch(
            f"The loan is in {loans.currency_of(loan)}.", expected=loans.currency_of(loan)
        )
    if not amount.is_positive:
        raise Invalid("A repayment is a positive amount.", field="amount")


def _for_lender(
    session: Session, loan: Loan, amount_minor: int, *, day: date, on: date, number: str
) -> int:
    """What of the money the lender takes, if it came on `day`."""
    if loan.status not in states.DISBURSED:
        return 0
    return repayments.split(
        session, loan=loan, amount_minor=amount_minor, received_on=day, on=on, number=number
    )


def settle_state(
    session: Session, cover: LoanCover, *, on: date, now: datetime, actor_id: int | None
) -> None:
    """After a loan's history moved: calls, cover, and the status that follow.

    Cover that is not needed any more is freed; cover that is needed again is held again as far as
    there is room, and what cannot be had is noted as short. A called loan's cover only falls. What
    a draw takes of its line follows.
    """
    _settle_cover(session, cover, on=on, now=now, actor_id=actor_id)
    follow(cover.drawn, cover.loan, on=on)


def _settle_cover(
    session: Session, cover: LoanCover, *, on: date, now: datetime, actor_id: int | None
) -> None:
    loan = cover.loan
    owed = loans.owed(session, loan=loan, on=on)
    if loan.status is LoanStatus.WRITTEN_OFF and owed.total_minor == 0:
        # Given up, but repaid after all: the borrower is late with nothing any more.
        loan.overdue_since_on = None
        mark_overdue_standings(session, cover)
    if loan.status not in states.LIVE:
        return
    if loan.status is LoanStatus.CALLED:
        _lower_calls(session, cover, owed.total_minor, actor_id=actor_id, now=now)
        needed = min(cover.held_minor, owed.total_minor)
    else:
        needed = cover.needed_minor
    waits = loan.undisbursed_minor > 0 and loans.waits_for_money(session, loan=loan, on=on)
    if owed.total_minor == 0 and not waits:
        needed = 0
    release(session, cover, max(cover.held_minor - needed, 0))
    if cover.held_minor < needed:
        hold_again(session, cover, needed - cover.held_minor)
    _note_shortage(session, cover, max(needed - cover.held_minor, 0), actor_id=actor_id, now=now)
    closed = not waits and loans.close_if_paid(
        session, loan=loan, on=on, now=now, actor_id=actor_id, debt=owed
    )
    # A called loan comes back only with the cover that a current one needs; accelerated, never,
    # and the day since when it is late stays what it was.
    covered = loan.status is not LoanStatus.CALLED or cover.held_minor >= cover.needed_minor
    if not closed and loan.accelerated_on is None and covered:
        loans.mark_current(session, loan=loan, on=on, now=now, actor_id=actor_id)
    mark_overdue_standings(session, cover)


def _note_shortage(
    session: Session, cover: LoanCover, short_minor: int, *, actor_id: int | None, now: datetime
) -> None:
    loan = cover.loan
    if loan.status is LoanStatus.CALLED or short_minor == loan.cover_short_minor:
        return
    loan.cover_short_minor = short_minor
    loan.version += 1
    record_event(
        session,
        community_id=loan.community_id,
        kind="loan.cover_short",
        subject=loan.public_id,
        actor_id=actor_id,
        now=now,
        facts={"short_minor": short_minor, "held_minor": cover.held_minor},
    )


def mark_overdue_standings(session: Session, cover: LoanCover) -> None:
    """Note on every standing of the borrower since when something of theirs is overdue."""
    borrower = cover.loan.borrower_id
    session.flush()  # the loan's own change must be seen by the query
    since = session.scalar(
        select(Loan.overdue_since_on)
        .where(
            Loan.borrower_id == borrower,
            Loan.status.in_([LoanStatus.OVERDUE, LoanStatus.CALLED, LoanStatus.WRITTEN_OFF]),
            Loan.overdue_since_on.is_not(None),
        )
        .order_by(Loan.overdue_since_on)
        .limit(1)
    )
    for standing in cover.standings.values():
        if standing.member_id == borrower:
            standing.overdue_since_on = since


def pay_call(
    session: Session,
    *,
    call_id: int,
    amount: Money,
    on: date,
    now: datetime,
    actor_id: int | None = None,
) -> GuaranteePayment:
    """A called guarantor pays by hand, in full or in part, also after the deadline.

    Never more than the call, what is owed, or their signed cap. The payer gets claims against
    the borrower and whoever they stood in for. Raises CallNotFound, CallNotOpen, MoreThanCalled,
    CapReached.
    """
    call, cover = locked_call(session, call_id)
    if call.status not in (CallStatus.OPEN, CallStatus.DISPUTED, CallStatus.LAPSED):
        raise CallNotOpen(f"The call is {call.status.value}.", status=call.status.value)
    if call.ground is CallGround.OWN:
        raise CallNotOpen("The borrower repays the loan itself; this call falls with the debt.")
    if cover.loan.status is not LoanStatus.CALLED:
        raise CallNotOpen("The loan is not called any more.", status=cover.loan.status.value)
    if amount.currency != loans.currency_of(cover.loan):
        raise CurrencyMismatch(
            f"The loan is in {loans.currency_of(cover.loan)}.",
            expected=loans.currency_of(cover.loan),
        )
    if not amount.is_positive:
        raise Invalid("A payment is a positive amount.", field="amount")
    owed = loans.owed(session, loan=cover.loan, on=on).total_minor
    # What moved further out can be paid late all the same, while the cover is still held.
    open_minor = min(payable_minor(cover, call), owed)
    if amount.amount_minor > open_minor:
        raise MoreThanCalled(
            f"{say_amount(open_minor, amount.currency)} are asked on this call.",
            open_minor=open_minor,
        )
    payment = pay_on_call(
        session,
        cover,
        call,
        amount.amount_minor,
        source=RepaymentSource.GUARANTOR,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    settle_state(session, cover, on=on, now=now, actor_id=actor_id)
    return payment


def payable_minor(cover: LoanCover, call: Call) -> int:
    """What can still be paid on a call: its open part, as far as its lines are still held."""
    held = sum(
        min(item.open_minor, cover.lines[item.cover_line_id].held_minor)
        for item in cover.call_lines
        if item.call_id == call.id
    )
    return min(call.open_minor, held)


def pay_on_call(
    session: Session,
    cover: LoanCover,
    call: Call,
    amount_minor: int,
    *,
    source: RepaymentSource,
    on: date,
    now: datetime,
    actor_id: int | None,
    only_lines: frozenset[int] | None = None,
) -> GuaranteePayment:
    """Book a payment on a call and put it on the call's lines, own standing first."""
    items = {item.cover_line_id: item for item in cover.call_lines if item.call_id == call.id}
    pool = [
        cover.as_held(line, min(items[line_id].open_minor, line.held_minor))
        for line_id, line in cover.lines.items()
        if line_id in items and (only_lines is None or line_id in only_lines)
    ]
    if call.ground is CallGround.DIRECT:
        parts = near_first(pool, amount_minor)
    else:
        weights = [line.held_minor for line in pool]
        parts = {
            line.line_id: part
            for line, part in zip(pool, allocate(amount_minor, weights), strict=True)
            if part
        }
    for line_id, part in parts.items():
        items[line_id].paid_minor += part
        pay_line(
            cover,
            cover.lines[line_id],
            part,
            payer_id=call.guarantor_id,
            from_stake=source is RepaymentSource.STAKE,
        )
    call.paid_minor += amount_minor
    call.version += 1
    if call.open_minor == 0:
        call.status = CallStatus.PAID
    repayment = loans.book_repayment(
        session,
        loan=cover.loan,
        amount_minor=amount_minor,
        source=source,
        payer_id=call.guarantor_id,
        on=on,
        now=now,
        actor_id=actor_id,
    )
    return note_payment(
        session, cover, repayment, call=call, payer_id=call.guarantor_id, on=on, now=now
    )


def note_payment(
    session: Session,
    cover: LoanCover,
    repayment: Repayment,
    *,
    call: Call | None,
    payer_id: int | None,
    on: date,
    now: datetime,
    line_id: int | None = None,
) -> GuaranteePayment:
    """Give whoever paid for the borrower their claims, and note them beside the books.

    Without a payer it was the community's reserve fund, or the reserve of the line that is named.
    """
    loan = cover.loan
    payment = GuaranteePayment(
        loan_id=loan.id,
        call_id=None if call is None else call.id,
        payer_id=payer_id,
        line_id=line_id,
        repayment_id=repayment.id,
        amount_minor=repayment.amount_minor,
        recovered_minor=0,
        paid_on=on,
    )
    session.add(payment)
    session.flush()  # claims name the payment
    cover.payments[payment.id] = payment
    cover.claims += claims.arise(
        session,
        loan=loan,
        payment=payment,
        source=repayment.source,
        call=call,
        on=on,
        now=now,
    )
    record_event(
        session,
        community_id=loan.community_id,
        kind="guarantee.paid",
        subject=loan.public_id,
        actor_id=payer_id,
        now=now,
        facts={"payment": payment.public_id, "amount_minor": payment.amount_minor},
    )
    return payment


def cancel_approved(
    session: Session,
    *,
    loan_ids: Sequence[int],
    to: LoanStatus,
    on: date,
    now: datetime,
    actor_id: int | None,
    reason: str,
) -> None:
    """Approved loans that are not paid out after all: their cover is freed, all of it at once.

    The shares of a group loan are named together. Raises StepNotAllowed, DecidedTogether.
    """
    covers = lock_cover(session, loan_ids)
    groups = {cover.loan.group_loan_id for cover in covers.values()} - {None}
    shares = set(session.scalars(select(Loan.id).where(Loan.group_loan_id.in_(groups))))
    if not shares <= covers.keys():
        raise DecidedTogether("Use the group loan that this share belongs to.")
    for cover in covers.values():
        if cover.loan.status is not LoanStatus.APPROVED:
            raise WrongState(
                "Only a loan that is approved and not paid out can be cancelled.",
                state=cover.loan.status.value,
            )
        loans.move_loan(
            session, loan=cover.loan, to=to, on=on, now=now, actor_id=actor_id, reason=reason
        )
        release(session, cover, cover.held_minor)
        follow(cover.drawn, cover.loan, on=on)


def promise_call(
    session: Session, *, call_id: int, member_id: int, pay_on: date, now: datetime
) -> Call:
    """A called guarantor says on which day they will pay; the deadline stays as it is."""
    call, cover = _own_open_call(session, call_id, member_id)
    if not call.issued_on <= pay_on <= call.deadline_on:
        raise Invalid("Promise a day between the call and its deadline.", field="pay_on")
    call.promised_on = pay_on
    call.version += 1
    _note(session, cover, call, "call.promised", member_id, now, {"pay_on": pay_on.isoformat()})
    return call


def dispute_call(
    session: Session, *, call_id: int, member_id: int, reason: str, on: date, now: datetime
) -> Call:
    """A called guarantor disputes; the clock of this call stands still until it is resolved."""
    call, cover = _own_open_call(session, call_id, member_id)
    call.status = CallStatus.DISPUTED
    call.disputed_on = on
    call.dispute_reason = reason
    call.version += 1
    _note(session, cover, call, "call.disputed", member_id, now, {"reason": reason})
    return call


def resolve_dispute(
    session: Session, *, call_id: int, on: date, now: datetime, reason: str, actor_id: int
) -> Call:
    """The call stands; its deadline moves by the days for which the clock stood still.

    `failure.uphold_dispute` is the other answer.
    """
    call, cover = locked_call(session, call_id)
    if call.status is not CallStatus.DISPUTED or call.disputed_on is None:
        raise CallNotOpen("The call is not disputed.", status=call.status.value)
    call.deadline_on += max(on - call.disputed_on, timedelta(0))
    call.status = CallStatus.OPEN
    call.disputed_on = None
    call.version += 1
    _note(session, cover, call, "call.dispute_resolved", actor_id, now, {"reason": reason})
    return call


def _recovered_by_line(cover: LoanCover) -> int:
    """What the first-loss reserve of the loan's line has got back of what it paid."""
    return sum(
        payment.recovered_minor
        for payment in cover.payments.values()
        if payment.line_id is not None
    )


def _lower_calls(
    session: Session, cover: LoanCover, owed_minor: int, *, actor_id: int | None, now: datetime
) -> None:
    """Calls never ask for more than is owed: the youngest calls are lowered first.

    The borrower's own is the oldest: their money frees the others before themselves.
    """
    pending = [call for call in cover.calls.values() if call.status in PENDING]
    excess = sum(call.open_minor for call in pending) - owed_minor
    for call in sorted(pending, key=lambda call: call.id, reverse=True):
        if excess <= 0:
            return
        cut = min(excess, call.open_minor)
        excess -= cut
        items = [item for item in cover.call_lines if item.call_id == call.id]
        items.sort(key=lambda item: (-cover.lines[item.cover_line_id].hops, -item.id))
        left = cut
        for item in items:
            line = cover.lines[item.cover_line_id]
            # What somebody else paid on the line meanwhile is asked in vain, and held no more.
            in_vain = max(item.open_minor - line.held_minor, 0)
            part = min(left, item.open_minor)
            if part:
                item.moved_minor += part
                release_line(session, line, max(part - in_vain, 0))
                left -= part
        call.cancelled_minor += cut
        call.version += 1
        if call.open_minor == 0:
            call.status = CallStatus.PAID if call.paid_minor else CallStatus.CANCELLED
        _note(session, cover, call, "call.lowered", actor_id, now, {"by_minor": cut})


def locked_call(session: Session, call_id: int) -> tuple[Call, LoanCover]:
    """A call with all that its loan's cover touches, locked. Raises CallNotFound."""
    loan_id = session.scalar(select(Call.loan_id).where(Call.id == call_id))
    if loan_id is None:
        raise CallNotFound()
    cover = lock_cover(session, [loan_id])[loan_id]
    return cover.calls[call_id], cover


def _own_open_call(session: Session, call_id: int, member_id: int) -> tuple[Call, LoanCover]:
    call, cover = locked_call(session, call_id)
    if call.guarantor_id != member_id:
        raise NotTheGuarantor()
    if call.status is not CallStatus.OPEN:
        raise CallNotOpen(f"The call is {call.status.value}.", status=call.status.value)
    return call, cover


def _note(
    session: Session,
    cover: LoanCover,
    call: Call,
    kind: str,
    actor_id: int | None,
    now: datetime,
    facts: dict[str, object],
) -> None:
    record_event(
        session,
        community_id=cover.loan.community_id,
        kind=kind,
        subject=call.public_id,
        actor_id=actor_id,
        now=now,
        facts=facts,
    )
