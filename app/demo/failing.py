"""Repayments, the days' work, and what people do about a loan that fails."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.businessday.running import PORTION
from app.demo.cast import CURRENCY, Neighbour, Place, Play
from app.demo.stories import Ending, Story
from community.guarantees import claims as claims_book
from community.guarantees import failure
from community.guarantees import service as guarantees
from community.guarantees.models import Call, CallGround, CallStatus, Claim, ClaimGround
from community.ledger.service import close_through
from community.loans import service as loans
from community.loans.accrual import accrue
from community.loans.models import Loan, LoanStatus
from community.money import Money
from community.trust import service as trust

# Guarantors who pay by hand look at their calls on these days after the first unpaid due.
_HANDS_ON = (62, 70, 80)
_BACK_ON_THEIR_FEET = 120


def plan_failure(
    play: Play, place: Place, story: Story, loan_id: int, borrower: Neighbour, unpaid_on: date
) -> None:
    """What people will do about it; what the platform does comes by the days' work."""
    borrower.in_trouble = True
    if story.ending in (Ending.PROMISED, Ending.DISPUTED, Ending.PART_PAID):
        play.life.at(play.last, partial(_answer_call, play, place, story.ending, loan_id))
    elif story.ending is Ending.RECOVERED:
        for days in _HANDS_ON:
            play.life.at(
                unpaid_on + timedelta(days=days),
                partial(_guarantors_pay, play, place, loan_id, 100),
            )
        play.life.at(
            unpaid_on + timedelta(days=_BACK_ON_THEIR_FEET),
            partial(repay, play, place, loan_id, borrower, None),
        )


def repay(
    play: Play, place: Place, loan_id: int, borrower: Neighbour, wanted_minor: int | None
) -> None:
    """A payment at the till; without an amount all that is owed, to guarantors too."""
    closed = play.attempt(
        _repay,
        play=play,
        loan_id=loan_id,
        wanted_minor=wanted_minor,
        actor_id=place.officer.member_id,
    )
    if closed:
        borrower.borrowing = borrower.in_trouble = False


def _repay(
    session: Session, play: Play, loan_id: int, wanted_minor: int | None, actor_id: int
) -> bool:
    """Pay what was planned, at most what is owed; True when nothing is left."""
    loan = session.get_one(Loan, loan_id)
    owed = loans.owed(session, loan=loan, on=play.on).total_minor
    if wanted_minor is None:
        claims = session.scalars(
            select(Claim).where(Claim.loan_id == loan_id, Claim.ground == ClaimGround.BORROWER)
        )
        amount = owed + claims_book.open_minor(claims, play.on)
    else:
        amount = min(wanted_minor, owed)
    if amount:
        guarantees.record_repayment(
            session,
            loan_id=loan_id,
            amount=Money(amount, CURRENCY),
            actor_id=actor_id,
            **play.today(),
        )
    return loan.status is LoanStatus.CLOSED


def _answer_call(play: Play, place: Place, ending: Ending, loan_id: int) -> None:
    """The first guarantor who is still asked pays a part, names a day, or objects."""
    calls = play.do(_open_calls, loan_id=loan_id)
    if not calls:
        play.refused["(no call to answer)"] += 1
        return
    call_id, guarantor_id, open_minor, deadline_on = calls[0]
    if ending is Ending.PART_PAID:
        _pay_call(play, place, call_id, open_minor * 40 // 100)
    elif ending is Ending.PROMISED:
        play.attempt(
            guarantees.promise_call,
            call_id=call_id,
            member_id=guarantor_id,
            pay_on=deadline_on,
            now=play.life.now,
        )
    else:
        play.attempt(
            guarantees.dispute_call,
            call_id=call_id,
            member_id=guarantor_id,
            reason="借款人说上月已经还过一期，请核对收据",
            **play.today(),
        )


def _guarantors_pay(play: Play, place: Place, loan_id: int, percent: int) -> None:
    for call_id, _, open_minor, _ in play.do(_open_calls, loan_id=loan_id):
        _pay_call(play, place, call_id, open_minor * percent // 100)


def _pay_call(play: Play, place: Place, call_id: int, amount_minor: int) -> None:
    if amount_minor:
        play.attempt(
            guarantees.pay_call,
            call_id=call_id,
            amount=Money(amount_minor, CURRENCY),
            actor_id=place.officer.member_id,
            **play.today(),
        )


def do_the_day(play: Play) -> None:
    """What `flask day close` does, with the day's own instant; past months are closed."""
    month_before = play.on.replace(day=1) - timedelta(days=1)
    for place in play.lenders():
        facts: dict[str, Any] = {"community_id": place.community_id}
        play.do(close_through, **facts, on=month_before)
        play.do(trust.expire_vouches, **facts, **play.today())
        play.do(trust.expire_assessments, **facts, **play.today())
        play.do(accrue, **facts, **play.today(), after_id=0, limit=PORTION)
        for loan_id in play.do(failure.loans_to_advance, **facts, on=play.on):
            play.do(failure.advance_loan, loan_id=loan_id, **play.today())


def _open_calls(session: Session, loan_id: int) -> Sequence[tuple[int, int, int, date]]:
    calls = session.scalars(
        select(Call)
        .where(
            Call.loan_id == loan_id,
            Call.status == CallStatus.OPEN,
            # The borrower's own falls with the debt; nobody pays it apart.
            Call.ground != CallGround.OWN,
        )
        .order_by(Call.id)
    )
    return [(call.id, call.guarantor_id, call.open_minor, call.deadline_on) for call in calls]
