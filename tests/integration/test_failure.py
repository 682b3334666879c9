"""Laws 3 and 4: cover frees as debt falls; calls, recourse and write-off are exact to the cent."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.guarantees import service as guarantees
from community.guarantees.cover import lock_cover
from community.guarantees.errors import CallNotOpen, MoreThanCalled, NothingOwed
from community.guarantees.failure import advance_loans, uphold_dispute
from community.guarantees.models import (
    CallGround,
    CallStatus,
    Claim,
    ClaimGround,
    CoverLine,
    Guarantee,
    GuaranteePayment,
)
from community.ledger.models import AccountKind
from community.ledger.service import balance
from community.loans.models import Loan, LoanStatus
from community.trust.models import AssessmentKind, Vouch
from community.trust.standings import grant_assessment, lock_stake
from tests.hamlet import CURRENCY, FAR, Hamlet, yuan


def covered(hamlet: Hamlet) -> Loan:
    """Ben borrows 100: own 10, Uma 30, Xia 40, and Wei 20 behind Uma.

    The limit is 10 + 30 + 40 + min(50, 50, 70 - 30) = 120; 100 of it are reserved.
    """
    hamlet.fund(1_000, reserve=10)
    hamlet.person("ben", stake=10)
    hamlet.person("uma", stake=30)
    hamlet.person("wei", assessed=50)
    hamlet.person("xia", assessed=40)
    hamlet.vouch("uma", "ben", 70)
    hamlet.vouch("wei", "uma", 50)
    hamlet.vouch("xia", "ben", 40)
    return hamlet.lend("ben", 100)


def held(hamlet: Hamlet, loan: Loan) -> dict[tuple[str, int], int]:
    """Held cover by whose standing it is and how many vouches it travels."""
    names = {hamlet.standing(name).id: name for name in hamlet.people}
    lines = hamlet.session.scalars(select(CoverLine).where(CoverLine.loan_id == loan.id))
    return {(names[line.standing_id], line.hops): line.held_minor for line in lines}


def account(hamlet: Hamlet, kind: AccountKind, name: str | None = None) -> int:
    return balance(
        hamlet.session,
        community_id=hamlet.community.id,
        kind=kind,
        currency=CURRENCY,
        member_id=hamlet.people[name].id if name else None,
    )


def test_cover_is_reserved_nearest_first_and_freed_farthest_first(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    assert held(hamlet, loan) == {("ben", 0): 10, ("uma", 1): 30, ("xia", 1): 40, ("wei", 2): 20}
    hamlet.check()
    hamlet.repay(loan, 15)
    assert held(hamlet, loan) == {("ben", 0): 10, ("uma", 1): 30, ("xia", 1): 40, ("wei", 2): 5}
    hamlet.check()
    hamlet.repay(loan, 40)
    # 45 are needed; Wei's 5 go first, then 30 off Uma's 30 and Xia's 40: 12.86 and 17.14.
    assert held(hamlet, loan) == {("ben", 0): 10, ("uma", 1): 15, ("xia", 1): 20, ("wei", 2): 0}
    hamlet.check()
    hamlet.repay(loan, 45)
    assert loan.status is LoanStatus.CLOSED
    assert set(held(hamlet, loan).values()) == {0}
    assert [hamlet.standing(name).reserved_minor for name in hamlet.people] == [0, 0, 0, 0]
    hamlet.check()


def test_what_exceeds_the_debt_is_held_for_the_payer(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    receipt = hamlet.repay(loan, 130)
    assert (receipt.principal_minor, receipt.overpaid_minor) == (100, 30)
    assert account(hamlet, AccountKind.OVERPAYMENT, "ben") == 30
    with pytest.raises(NothingOwed):
        hamlet.repay(loan, 1)


def test_the_whole_way_of_a_loan_that_fails_several(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    due_on = hamlet.day.replace(month=4)
    hamlet.day = due_on
    hamlet.wait(10, loan)
    assert loan.status is LoanStatus.OVERDUE
    assert hamlet.standing("ben").overdue_since_on == due_on
    assert not hamlet.calls(loan)
    hamlet.check()

    hamlet.wait(1, loan)
    # Ben's own 10 and Uma's stake of 30 are set off at once; Uma is asked for Wei's 20 too.
    assert loan.status is LoanStatus.CALLED
    assert loan.outstanding_minor == 60
    uma, xia = hamlet.calls(loan)["uma"], hamlet.calls(loan)["xia"]
    assert (uma.amount_minor, uma.paid_minor) == (50, 30)
    assert (xia.amount_minor, xia.paid_minor, xia.status) == (40, 0, CallStatus.OPEN)
    assert account(hamlet, AccountKind.MEMBER_STAKE, "uma") == 0
    assert account(hamlet, AccountKind.LENDING_CASH) == 1_010 - 100 + 40
    hamlet.check()

    hamlet.pay(xia, 25)
    assert hamlet.standing("xia").assessed_minor == 15
    hamlet.check()
    with pytest.raises(MoreThanCalled):
        hamlet.pay(xia, 16)

    hamlet.wait(6, loan)
    assert (uma.status, xia.status) == (CallStatus.LAPSED, CallStatus.LAPSED)
    wei = hamlet.calls(loan)["wei"]
    assert (wei.amount_minor, wei.ground) == (20, CallGround.SECOND_HOP)
    assert wei.for_guarantor_id == hamlet.people["uma"].id
    hamlet.check()

    hamlet.pay(wei, 20)
    hamlet.check()
    hamlet.wait(1, loan)
    # Several: what Xia left is asked from nobody else; the reserve has 10 of the 15.
    assert account(hamlet, AccountKind.RESERVE_FUND) == 0
    assert loan.outstanding_minor == 5
    hamlet.check()

    hamlet.wait(60, loan)
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert account(hamlet, AccountKind.WRITE_OFF) == 5
    assert set(held(hamlet, loan).values()) == {0}
    hamlet.check()

    # Ben pays 50 after all: 5 to the lender, 45 over 30 + 25 + 20 + 10 of claims.
    receipt = hamlet.repay(loan, 50)
    assert (receipt.recovered_minor, receipt.recourse_minor) == (5, 45)
    back = {
        payment.payer_id: payment.recovered_minor
        for payment in hamlet.session.scalars(select(GuaranteePayment))
    }
    assert back == {
        hamlet.people["uma"].id: 16,
        hamlet.people["xia"].id: 13,
        hamlet.people["wei"].id: 11,
        None: 5,
    }
    assert account(hamlet, AccountKind.MEMBER_SAVINGS, "uma") == 16
    assert account(hamlet, AccountKind.RESERVE_FUND) == 5
    assert account(hamlet, AccountKind.RECOVERY_INCOME) == 5
    hamlet.check()
    receipt = hamlet.repay(loan, 41)
    assert (receipt.recourse_minor, receipt.overpaid_minor) == (40, 1)
    assert account(hamlet, AccountKind.RECOURSE_RECEIVABLE) == 0
    hamlet.check()


def test_whoever_pays_for_another_may_claim_from_both(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    hamlet.wait(6, loan)
    hamlet.pay(hamlet.calls(loan)["wei"], 20)
    payer = hamlet.people["wei"].id
    grounds = {
        claim.ground: claim.debtor_id
        for claim in db_session.scalars(select(Claim).where(Claim.claimant_id == payer))
    }
    assert grounds == {
        ClaimGround.BORROWER: hamlet.people["ben"].id,
        ClaimGround.COVERED_MEMBER: hamlet.people["uma"].id,
    }


def test_a_direct_guarantor_may_pay_what_others_cover_for_them(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["uma"], 20)
    # Uma's promise is used up by 50; Wei's promise to her never was.
    spent = {vouch.voucher_id: vouch.spent_minor for vouch in db_session.scalars(select(Vouch))}
    assert spent[hamlet.people["uma"].id] == 50
    assert spent[hamlet.people["wei"].id] == 0
    assert hamlet.standing("wei").reserved_minor == 0
    hamlet.check()


def test_the_borrowers_money_lowers_the_calls(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    hamlet.repay(loan, 45)
    open_calls = hamlet.calls(loan, CallStatus.OPEN)
    assert sum(call.open_minor for call in open_calls.values()) == loan.outstanding_minor == 15
    hamlet.check()
    hamlet.repay(loan, 15)
    assert loan.status is LoanStatus.CLOSED
    assert not hamlet.calls(loan, CallStatus.OPEN)
    assert set(held(hamlet, loan).values()) == {0}
    # Uma's 30 by stake stays a claim: closing the loan does not settle it.
    assert account(hamlet, AccountKind.RECOURSE_RECEIVABLE) == 30
    hamlet.check()


def test_a_dispute_stops_the_clock_of_that_call_only(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    uma, xia = hamlet.calls(loan)["uma"], hamlet.calls(loan)["xia"]
    hamlet.do(
        guarantees.dispute_call,
        call_id=xia.id,
        member_id=hamlet.people["xia"].id,
        reason="not my signature",
        on=hamlet.day,
        now=hamlet.now,
    )
    hamlet.wait(20, loan)
    assert (uma.status, xia.status) == (CallStatus.LAPSED, CallStatus.DISPUTED)
    hamlet.do(
        guarantees.resolve_dispute,
        call_id=xia.id,
        on=hamlet.day,
        now=hamlet.now,
        reason="the signature stands",
        actor_id=hamlet.officer.id,
    )
    assert xia.deadline_on == xia.issued_on + timedelta(days=5 + 20)
    hamlet.wait(5, loan)
    assert xia.status is CallStatus.OPEN
    hamlet.wait(1, loan)
    assert xia.status is CallStatus.LAPSED
    with pytest.raises(CallNotOpen):
        hamlet.do(
            guarantees.promise_call,
            call_id=xia.id,
            member_id=hamlet.people["xia"].id,
            pay_on=hamlet.day,
            now=hamlet.now,
        )


def test_a_lapsed_call_can_still_be_paid(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    hamlet.wait(6)
    xia = hamlet.calls(loan)["xia"]
    hamlet.wait(0, loan)
    assert xia.status is CallStatus.LAPSED
    hamlet.pay(xia, 10)
    assert (
        hamlet.session.scalars(
            select(Guarantee.paid_minor).where(Guarantee.guarantor_id == hamlet.people["xia"].id)
        ).one()
        == 10
    )
    hamlet.check()


def test_jointly_and_severally_the_others_answer_up_to_what_they_signed(
    db_session: Session,
) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("uma", assessed=40)
    hamlet.person("xia", assessed=60)
    hamlet.vouch("uma", "ben", 40)
    hamlet.vouch("xia", "ben", 60)
    loan = hamlet.lend("ben", 100)
    hamlet.repay(loan, 50)
    assert held(hamlet, loan) == {("uma", 1): 20, ("xia", 1): 30}
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 30)
    hamlet.wait(6, loan)
    more = hamlet.calls(loan)["xia"]
    assert (more.ground, more.amount_minor) == (CallGround.CO_GUARANTOR, 20)
    assert more.for_guarantor_id == hamlet.people["uma"].id
    hamlet.check()
    hamlet.pay(more, 20)
    assert loan.status is LoanStatus.CLOSED
    ground = {
        claim.ground
        for claim in db_session.scalars(
            select(Claim).where(Claim.debtor_id == hamlet.people["uma"].id)
        )
    }
    assert ground == {ClaimGround.CO_GUARANTOR}
    hamlet.check()


def test_jointly_and_severally_nobody_is_asked_beyond_their_cap(db_session: Session) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("uma", assessed=40)
    hamlet.person("xia", assessed=900)
    hamlet.vouch("uma", "ben", 40)
    hamlet.vouch("xia", "ben", 60)
    loan = hamlet.lend("ben", 100)
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 60)
    hamlet.wait(6, loan)
    assert [call.ground for call in hamlet.calls(loan).values()] == [CallGround.DIRECT] * 2
    assert loan.outstanding_minor == 40
    hamlet.check()


def test_a_borrowers_own_assessed_part_is_asked_by_a_deadline_then_across(
    db_session: Session,
) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000, reserve=500)
    hamlet.person("ben", stake=10, assessed=40)
    hamlet.person("xia", assessed=100)
    hamlet.vouch("xia", "ben", 90)
    loan = hamlet.lend("ben", 100)
    assert held(hamlet, loan) == {("ben", 0): 50, ("xia", 1): 50}
    hamlet.wait(42, loan)
    own = hamlet.calls(loan)["ben"]
    assert (own.ground, own.amount_minor) == (CallGround.OWN, 40)
    with pytest.raises(CallNotOpen):
        hamlet.pay(own, 40)
    hamlet.pay(hamlet.calls(loan)["xia"], 50)
    hamlet.check()
    hamlet.wait(6, loan)
    # Nobody else has paid yet: the reserve waits until those who signed were asked.
    more = hamlet.calls(loan)["xia"]
    assert (more.ground, more.amount_minor) == (CallGround.CO_GUARANTOR, 40)
    assert account(hamlet, AccountKind.RESERVE_FUND) == 500
    hamlet.pay(more, 40)
    assert loan.status is LoanStatus.CLOSED
    grounds = [claim.ground for claim in db_session.scalars(select(Claim))]
    assert grounds == [ClaimGround.BORROWER] * 2
    hamlet.check()


def test_a_late_loan_stays_late_since_its_first_missed_due(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("ben", stake=30)
    hamlet.person("xia", assessed=100)
    hamlet.vouch("xia", "ben", 100)
    loan = hamlet.lend("ben", 100, instalments=4)
    first_due = hamlet.day.replace(month=4)
    hamlet.wait(42, loan)
    assert loan.accelerated_on == hamlet.day
    hamlet.repay(loan, 30)
    assert loan.overdue_since_on == first_due
    hamlet.check()


def test_pledge_only_takes_stakes_and_asks_nobody_by_hand(db_session: Session) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "pledge_only"})
    hamlet.fund(1_000)
    hamlet.person("ben", stake=10)
    hamlet.person("uma", stake=30, assessed=500)
    hamlet.person("wei", stake=25)
    hamlet.vouch("uma", "ben", 90)
    hamlet.vouch("wei", "uma", 90)
    loan = hamlet.lend("ben", 65)
    hamlet.wait(42, loan)
    assert not hamlet.calls(loan, CallStatus.OPEN)
    assert loan.status is LoanStatus.CLOSED
    assert [account(hamlet, AccountKind.MEMBER_STAKE, n) for n in ("ben", "uma", "wei")] == [0] * 3
    hamlet.check()


def test_without_liability_nobody_is_called(db_session: Session) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "none", "cover_ratio_bps": 0})
    hamlet.fund(1_000, reserve=30)
    hamlet.person("ben", stake=10)
    loan = hamlet.lend("ben", 100)
    hamlet.wait(42, loan)
    assert not hamlet.calls(loan)
    assert loan.outstanding_minor == 70
    hamlet.wait(60, loan)
    assert loan.status is LoanStatus.WRITTEN_OFF
    assert account(hamlet, AccountKind.MEMBER_STAKE, "ben") == 10
    hamlet.check()


def test_without_acceleration_only_arrears_are_called_and_the_loan_comes_back(
    db_session: Session,
) -> None:
    hamlet = Hamlet(db_session, rules={"accelerate_on_call": False})
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("xia", assessed=100)
    hamlet.vouch("xia", "ben", 100)
    loan = hamlet.lend("ben", 100, instalments=4)
    hamlet.day = hamlet.day.replace(month=4)
    hamlet.wait(11, loan)
    call = hamlet.calls(loan)["xia"]
    assert call.amount_minor == 25
    hamlet.pay(call, 25)
    assert (loan.status, loan.outstanding_minor) == (LoanStatus.CURRENT, 75)
    assert hamlet.standing("ben").overdue_since_on is None
    hamlet.check()


def test_a_partly_paid_call_closes_when_the_borrower_pays_the_rest(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 7)
    hamlet.repay(loan, 53)
    assert loan.status is LoanStatus.CLOSED
    assert hamlet.calls(loan)["xia"].status is CallStatus.PAID
    hamlet.check()


def test_an_approved_loan_that_is_cancelled_frees_its_cover(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("ben", stake=50)
    loan = hamlet.approve(hamlet.apply("ben", 50))
    assert hamlet.standing("ben").reserved_minor == 50
    hamlet.do(
        guarantees.cancel_approved,
        loan_ids=[loan.id],
        to=LoanStatus.WITHDRAWN,
        on=hamlet.day,
        now=hamlet.now,
        actor_id=None,
        reason="no longer needed",
    )
    assert hamlet.standing("ben").reserved_minor == 0
    hamlet.check()


def test_the_days_work_may_run_twice(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    before = {name: call.amount_minor for name, call in hamlet.calls(loan).items()}
    hamlet.wait(0, loan, loan)
    assert {name: call.amount_minor for name, call in hamlet.calls(loan).items()} == before
    hamlet.check()


def test_loans_taken_on_together_keep_to_their_own_promises(db_session: Session) -> None:
    """Several loans of one borrower are locked at once; each asks those who promised on it."""
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("ben")
    made = []
    for name in ("uma", "xia"):
        hamlet.person(name, assessed=50)
        hamlet.vouch(name, "ben", 50)
        made.append(hamlet.lend("ben", 50))
    ids = [loan.id for loan in made]
    promised = {
        loan_id: {db_session.get_one(Vouch, key).voucher_id for key in cover.vouches}
        for loan_id, cover in lock_cover(db_session, ids).items()
    }
    assert promised == {
        made[0].id: {hamlet.people["uma"].id},
        made[1].id: {hamlet.people["xia"].id},
    }
    hamlet.day = hamlet.day.replace(month=4) + timedelta(days=1)
    work = {"loan_ids": ids, **hamlet.when}
    assert hamlet.do(advance_loans, **work) == dict.fromkeys(ids, LoanStatus.OVERDUE)
    assert hamlet.do(advance_loans, **work) == {}
    hamlet.day += timedelta(days=10)
    hamlet.do(advance_loans, loan_ids=ids, **hamlet.when)
    assert [set(hamlet.calls(loan)) for loan in made] == [{"uma"}, {"xia"}]
    hamlet.check()


def test_a_third_partys_money_is_told_apart(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    loan = covered(hamlet)
    receipt = hamlet.repay(loan, 20, by="xia")
    assert receipt.payer_id == hamlet.people["xia"].id
    assert receipt.source.value == "third_party"
    assert not list(db_session.scalars(select(GuaranteePayment)))
    assert yuan(receipt.amount_minor) == yuan(20)


def test_a_guarantor_who_pays_late_in_part_leaves_the_rest_covered(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("uma")
    hamlet.person("wei", assessed=100)
    hamlet.vouch("uma", "ben", 100)
    hamlet.vouch("wei", "uma", 100)
    loan = hamlet.lend("ben", 100)
    hamlet.wait(42, loan)
    uma = hamlet.calls(loan)["uma"]
    hamlet.wait(6, loan)
    wei = hamlet.calls(loan)["wei"]
    assert (uma.status, wei.open_minor) == (CallStatus.LAPSED, 100)
    hamlet.pay(uma, 40)
    # 60 are owed; Wei is asked for them, and Wei's standing still stands for them.
    assert (wei.open_minor, wei.status) == (60, CallStatus.OPEN)
    assert hamlet.standing("wei").reserved_minor == 60
    hamlet.check()
    hamlet.pay(wei, 60)
    assert loan.status is LoanStatus.CLOSED
    hamlet.check()


@pytest.mark.parametrize("of", ["ben", "uma"])
def test_a_stake_that_a_pledge_only_loan_rests_on_is_not_set_off_for_another(
    db_session: Session, of: str
) -> None:
    hamlet = Hamlet(db_session)
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("cai")
    hamlet.person("uma")
    hamlet.person("ada", assessed=500)
    hamlet.save(of, 70)
    place = {"community_id": hamlet.community.id, "member_id": hamlet.people[of].id}
    hamlet.do(lock_stake, **place, amount=yuan(70), actor_id=None, **hamlet.when)
    plain = hamlet.product_id
    hamlet.product_id = hamlet.product("pledge", {"liability_mode": "pledge_only"})
    hamlet.vouch(of, "cai", 50)
    pledged = hamlet.lend("cai", 50)
    hamlet.product_id = plain
    hamlet.do(
        grant_assessment,
        **place,
        kind=AssessmentKind.STANDING,
        amount=yuan(60),
        evidence="seen",
        expires_on=FAR,
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    if of == "uma":
        hamlet.vouch("uma", "ben", 80)
    other = hamlet.lend("ben", 80)
    hamlet.wait(42, other)
    # 20 of the 70 are nobody's yet; the other 60 that the plain loan rests on are assessed.
    assert account(hamlet, AccountKind.MEMBER_STAKE, of) == 50
    assert other.outstanding_minor == 60
    assert hamlet.calls(other)[of].open_minor == 60
    hamlet.wait(0, pledged)
    assert pledged.status is LoanStatus.CLOSED
    assert account(hamlet, AccountKind.MEMBER_STAKE, of) == 0
    hamlet.check()


def test_across_nobody_is_asked_on_a_grant_that_ran_out(db_session: Session) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("uma", assessed=300)
    hamlet.person("xia")
    place = {"community_id": hamlet.community.id, "member_id": hamlet.people["xia"].id}
    hamlet.do(
        grant_assessment,
        **place,
        kind=AssessmentKind.STANDING,
        amount=yuan(200),
        evidence="seen",
        expires_on=hamlet.day + timedelta(days=40),
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )
    hamlet.vouch("uma", "ben", 50)
    hamlet.vouch("xia", "ben", 200)
    loan = hamlet.lend("ben", 100)
    assert hamlet.standing("xia").reserved_minor == 50
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 50)
    hamlet.wait(6, loan)
    # Uma lapsed; beyond what was reserved in time, Xia's grant backs nothing any more.
    assert hamlet.calls(loan)["uma"].status is CallStatus.LAPSED
    assert hamlet.calls(loan)["xia"].ground is CallGround.DIRECT
    assert hamlet.standing("xia").reserved_minor == 0
    hamlet.check()


def test_who_repays_what_was_written_off_is_late_no_more(db_session: Session) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "none", "cover_ratio_bps": 0})
    hamlet.fund(1_000)
    hamlet.person("ben", stake=10)
    loan = hamlet.lend("ben", 100)
    due_on = hamlet.day.replace(month=4)
    hamlet.wait(42, loan)
    hamlet.wait(60, loan)
    hamlet.repay(loan, 99)
    assert (loan.status, hamlet.standing("ben").overdue_since_on) == (
        LoanStatus.WRITTEN_OFF,
        due_on,
    )
    hamlet.repay(loan, 1)
    assert hamlet.standing("ben").overdue_since_on is None
    hamlet.check()


def upheld(hamlet: Hamlet, loan: Loan, name: str) -> None:
    """The guarantor disputes the call on them and is right."""
    call_id = hamlet.calls(loan)[name].id
    hamlet.do(
        guarantees.dispute_call,
        call_id=call_id,
        member_id=hamlet.people[name].id,
        reason="not my signature",
        **hamlet.when,
    )
    hamlet.do(
        uphold_dispute,
        call_id=call_id,
        reason="it was signed by a cousin",
        actor_id=hamlet.officer.id,
        **hamlet.when,
    )


def test_whoever_disputes_rightly_is_free_and_so_is_who_stands_behind_them(
    db_session: Session,
) -> None:
    hamlet = Hamlet(db_session, rules={"set_off_stake": False})
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    assert hamlet.calls(loan)["uma"].amount_minor == 50
    upheld(hamlet, loan, "uma")
    uma = hamlet.calls(loan)["uma"]
    assert (uma.status, uma.open_minor, uma.upheld_on) == (CallStatus.CANCELLED, 0, hamlet.day)
    assert held(hamlet, loan) == {("ben", 0): 0, ("uma", 1): 0, ("xia", 1): 40, ("wei", 2): 0}
    assert [hamlet.standing(name).reserved_minor for name in ("uma", "wei")] == [0, 0]
    hamlet.check()
    with pytest.raises(CallNotOpen):
        hamlet.pay(uma, 1)
    hamlet.pay(hamlet.calls(loan)["xia"], 40)
    hamlet.wait(1, loan)
    # Nobody else is asked for Uma's 50: the reserve has 10 of them.
    assert set(hamlet.calls(loan)) == {"uma", "xia"}
    assert loan.outstanding_minor == 40
    assert not db_session.scalars(
        select(Claim).where(Claim.debtor_id == hamlet.people["uma"].id)
    ).all()
    hamlet.check()


def test_jointly_and_severally_a_right_dispute_asks_the_others_who_claim_from_the_borrower_only(
    db_session: Session,
) -> None:
    hamlet = Hamlet(db_session, terms={"liability_mode": "joint_and_several"})
    hamlet.fund(1_000)
    hamlet.person("ben")
    hamlet.person("uma", assessed=40)
    hamlet.person("xia", assessed=60)
    hamlet.vouch("uma", "ben", 40)
    hamlet.vouch("xia", "ben", 60)
    loan = hamlet.lend("ben", 100)
    hamlet.repay(loan, 50)
    hamlet.wait(42, loan)
    hamlet.pay(hamlet.calls(loan)["xia"], 30)
    upheld(hamlet, loan, "uma")
    more = hamlet.calls(loan)["xia"]
    assert (more.ground, more.amount_minor, more.for_guarantor_id) == (
        CallGround.CO_GUARANTOR,
        20,
        None,
    )
    # Uma has room again, but is not asked a second time.
    hamlet.wait(6, loan)
    assert more.status is CallStatus.LAPSED
    assert list(hamlet.calls(loan, CallStatus.OPEN)) == []
    hamlet.pay(more, 20)
    assert loan.status is LoanStatus.CLOSED
    debtors = set(db_session.scalars(select(Claim.debtor_id)))
    assert debtors == {hamlet.people["ben"].id}
    hamlet.check()


def test_a_dispute_that_nobody_raised_is_not_upheld(db_session: Session) -> None:
    hamlet = Hamlet(db_session, rules={"set_off_stake": False})
    loan = covered(hamlet)
    hamlet.wait(42, loan)
    with pytest.raises(CallNotOpen):
        hamlet.do(
            uphold_dispute,
            call_id=hamlet.calls(loan)["xia"].id,
            reason="kindness",
            actor_id=hamlet.officer.id,
            **hamlet.when,
        )
