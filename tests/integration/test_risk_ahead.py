"""What the risk desk says would happen is what happens: the same failures, lived by rows."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.charter import LiabilityMode
from community.communities.models import Community
from community.errors import CommunityError
from community.guarantees.failure import advance_loans
from community.guarantees.models import Call, CallStatus
from community.loans.models import Loan, Repayment
from community.risk.ahead import fail
from community.risk.book import read_desk
from community.trust.models import Standing, Vouch
from tests.hamlet import Hamlet

NAMES = ["an", "bo", "cai", "dai", "fu", "gu", "hao"]


def random_hamlet(session: Session, seed: int, mode: LiabilityMode) -> Hamlet:
    """Seven who promise each other at random, and borrow as far as that carries."""
    rng = random.Random(seed)
    terms = {
        "liability_mode": mode.value,
        "cover_ratio_bps": rng.choice([7_000, 10_000, 10_000, 12_000]),
    }
    rules = {"accelerate_on_call": True, "set_off_stake": rng.random() < 0.8}
    hamlet = Hamlet(session, rules=rules, terms=terms)
    hamlet.fund(100_000)
    for name in NAMES:
        hamlet.person(name, stake=rng.choice([0, 7, 20, 31]), assessed=rng.choice([0, 0, 13, 40]))
    for voucher in NAMES:
        for borrower in NAMES:
            if voucher != borrower and rng.random() < 0.45:
                hamlet.vouch(voucher, borrower, rng.randint(5, 45))
    for name in rng.sample(NAMES, 4):
        for amount in (70, 40, 20, 10):
            try:
                hamlet.lend(name, amount)
            except CommunityError:
                continue
            break
    # Some may promise what was assessed of others in the meantime: leave one promise ended.
    ended = session.scalars(select(Vouch).where(Vouch.reserved_minor > 0).limit(1)).first()
    if ended is not None and rng.random() < 0.3:
        ended.expires_on = hamlet.day
        session.commit()
    return hamlet


def live_through(hamlet: Hamlet, failing: set[int], loans: list[int]) -> None:
    """Day by day until everything is given up; who is called pays by hand what was assessed."""
    desk = read_desk(hamlet.session, community=hamlet.community, on=hamlet.day)
    hand = {
        member: 0 if member in failing else purse.assessed_minor
        for member, purse in desk.book.purses.items()
    }
    for days in (41, *[6] * 6, 60):
        hamlet.day += timedelta(days=days)
        hamlet.do(advance_loans, loan_ids=loans, **hamlet.when)
        open_calls = select(Call).where(Call.status == CallStatus.OPEN).order_by(Call.id)
        for call in list(hamlet.session.scalars(open_calls)):
            amount = min(call.open_minor, hand.get(call.guarantor_id, 0))
            if amount:
                hand[call.guarantor_id] -= amount
                hamlet.pay(call, amount)


def paid_for_others(hamlet: Hamlet) -> dict[int, int]:
    paid: dict[int, int] = {}
    rows = hamlet.session.execute(
        select(Repayment.payer_id, Loan.borrower_id, Repayment.principal_minor).join(
            Loan, Loan.id == Repayment.loan_id
        )
    )
    for payer, borrower, amount in rows:
        if payer is not None and payer != borrower:
            paid[payer] = paid.get(payer, 0) + amount
    return paid


@pytest.mark.parametrize(
    ("mode", "seed"),
    [("several", 4), ("joint_and_several", 2), ("joint_and_several", 3), ("pledge_only", 5)],
)
def test_what_the_desk_foretells_is_what_happens(db_session: Session, mode: str, seed: int) -> None:
    hamlet = random_hamlet(db_session, seed, LiabilityMode(mode))
    desk = read_desk(db_session, community=hamlet.community, on=hamlet.day)
    loans = [loan.loan_id for loan in desk.book.loans]
    assert len(loans) >= 2
    failing = {loan.borrower_id for loan in desk.book.loans[:: 1 + seed % 2]}
    told = fail(desk.book, failing)
    hit = [loan.loan_id for loan in desk.book.loans if loan.borrower_id in failing]
    live_through(hamlet, failing, hit)
    rows = {loan.id: loan for loan in db_session.scalars(select(Loan))}
    assert {loan_id: rows[loan_id].written_off_minor for loan_id in hit} == told.lost
    assert paid_for_others(hamlet) == told.paid
    assert sum(call.amount_minor for call in told.calls) == sum(
        call.amount_minor for call in db_session.scalars(select(Call))
    )
    left = dict(db_session.execute(select(Standing.member_id, Standing.stake_minor)).all())
    gone = {
        member
        for member, purse in desk.book.purses.items()
        if purse.stake_minor and member not in failing and left[member] == 0
    }
    assert gone == set(told.ruined)


def test_a_community_of_nobody_has_nothing_to_lose(db_session: Session) -> None:
    hamlet = Hamlet(db_session)
    place = db_session.get_one(Community, hamlet.community.id)
    desk = read_desk(db_session, community=place, on=hamlet.day)
    assert fail(desk.book, {1, 2}).lost_minor == 0 == desk.network.m
