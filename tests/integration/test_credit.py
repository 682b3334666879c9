"""Limits from rows, and approval, which reserves cover, on real databases."""

from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities.errors import NotAMember
from community.credit import service
from community.credit.errors import ApproverInvolved, CreditLimitExceeded
from community.credit.explain import CreditLimit, WhatIf
from community.errors import CurrencyMismatch, StaleSnapshot
from community.guarantees import service as guarantees
from community.guarantees.checks import check_guarantees
from community.guarantees.models import CoverLine
from community.ledger.models import AccountKind, Event
from community.loans import service as loans
from community.loans.errors import DecidedTogether, StepNotAllowed
from community.loans.models import Loan, LoanStatus
from community.members import service as members
from community.members.models import Member, MemberKind
from community.money import Money, share_bps
from community.products import queries as products
from community.trust.checks import check_trust
from community.trust.models import AssessmentKind, Standing, Vouch
from community.trust.snapshot import neighbourhood
from graph.limits import check_certificate, cover_limit
from tests.lending import MONTHLY, NOW, TODAY, Village, cny, offer
from tests.trust_life import (
    approve,
    assess,
    layered_flow,
    mark_overdue,
    random_village,
    stake,
    staked,
    trusting_village,
    vouch,
)

DAY = timedelta(days=1)


@pytest.fixture
def village(db_session: Session) -> Village:
    return trusting_village(db_session)


def limit_of(village: Village, member: Member, **changes: Any) -> CreditLimit:
    facts: dict[str, Any] = {
        "community_id": village.village.id,
        "member_id": member.id,
        "on": TODAY,
    }
    return service.credit_limit(village.session, **facts | changes)


def values(limit: CreditLimit) -> dict[str, int]:
    return {constraint.name: constraint.value_minor for constraint in limit.constraints}


def three_generations(village: Village) -> tuple[Member, Member, Member]:
    """Cai stands behind Ana, Ana behind Ben."""
    ana, ben = staked(village, "Ana", 100_00), staked(village, "Ben", 5_00)
    cai = staked(village, "Cai", 50_00)
    vouch(village, ana, ben, 130_00)
    vouch(village, cai, ana, 80_00)
    return ana, ben, cai


# The answer


def test_the_answer_names_every_reason_every_path_and_what_would_raise_it(
    village: Village,
) -> None:
    _, ben, _ = three_generations(village)
    limit = limit_of(village, ben, raise_by_minor=10_00)
    assert limit.amount_minor == 135_00
    assert (limit.binding.name, limit.binding.source.version) == ("trust", 1)
    assert limit.binding.source.owner == village.township.public_id
    assert (limit.own_minor, limit.direct_minor, limit.second_minor) == (5_00, 100_00, 30_00)
    assert [
        (path.standing_of.name, [person.name for person in path.via], path.amount_minor)
        for path in limit.paths
    ] == [("Ben", [], 5_00), ("Ana", [], 100_00), ("Cai", ["Ana"], 30_00)]
    assert [(item.kind, item.member.name, item.room_minor) for item in limit.cut] == [
        ("promise", "Ana", 130_00),
        ("standing", "Ben", 5_00),
    ]
    raised = {(item.kind, item.member.name): item.limit_gain_minor for item in limit.raises}
    assert raised == {("promise", "Ana"): 10_00, ("standing", "Ben"): 10_00}
    assert "stand behind you" in limit.remedy


def test_what_would_not_raise_the_limit_itself_gains_nothing(village: Village) -> None:
    _, ben, _ = three_generations(village)
    assess(village, ben, 120_00, AssessmentKind.REPAYMENT_CAPACITY)
    limit = limit_of(village, ben, raise_by_minor=10_00)
    assert (limit.amount_minor, limit.binding.name) == (120_00, "repayment_capacity")
    assert {item.limit_gain_minor for item in limit.raises} == {0}
    assert {item.trust_gain_minor for item in limit.raises} == {10_00}


def test_what_if_a_neighbour_vouched_more(village: Village, db_session: Session) -> None:
    ana, ben, _ = three_generations(village)
    dan = staked(village, "Dan", 60_00)
    vouch(village, dan, ana, 1_00)
    supposed = limit_of(village, ben, what_if=[WhatIf(dan.id, 45_00)])
    assert supposed.amount_minor == 135_00 + 45_00
    assert [(person.name, amount) for person, amount in supposed.what_if] == [("Dan", 45_00)]
    more = limit_of(village, ben, what_if=[WhatIf(ana.id, 20_00)])
    assert more.amount_minor == 135_00 + 20_00
    assert (None,) in [path.vouches for path in supposed.paths]
    mark_overdue(db_session, dan)
    assert limit_of(village, ben, what_if=[WhatIf(dan.id, 45_00)]).amount_minor == 135_00


def test_a_product_adds_its_rules(village: Village, db_session: Session) -> None:
    _, ben, _ = three_generations(village)
    careful = offer(db_session, village.village, "careful", MONTHLY | {"cover_ratio_bps": 12_500})
    version = products.version_on(db_session, careful.id, TODAY)
    limit = limit_of(village, ben, product_version_id=version.id)
    assert values(limit)["cover"] == 108_00
    assert (limit.amount_minor, limit.binding.name) == (108_00, "cover")
    assert limit.product is not None
    assert limit.product.owner == careful.public_id


@pytest.mark.parametrize(
    ("circle", "trust", "cover"), [(1, 100_00, 100_00), (2, 104_00, 104_00), (3, 110_00, 104_00)]
)
def test_the_circle_of_the_charter_counts(
    db_session: Session, circle: int, trust: int, cover: int
) -> None:
    village = trusting_village(db_session, circle_of_trust=circle)
    ana, cai, dan = (
        staked(village, name, minor)
        for name, minor in (("Ana", 100_00), ("Cai", 4_00), ("Dan", 70_00))
    )
    ben = village.person("Ben")
    vouch(village, ana, ben, 130_00)
    vouch(village, cai, ana, 10_00)
    vouch(village, dan, cai, 60_00)
    product = products.version_on(db_session, village.monthly.id, TODAY)
    limit = limit_of(village, ben, product_version_id=product.id, with_ceiling=True)
    assert (values(limit)["trust"], values(limit)["cover"]) == (trust, cover)
    assert limit.ceiling_minor == 110_00
    bulk = service.credit_limits(
        db_session,
        community_id=village.village.id,
        on=TODAY,
        product_version_id=product.id,
        member_ids=[ben.id],
    )
    assert bulk == {ben.id: cover}
    if circle == 3:
        # Cover is reserved along at most two promises, and the refusal says so.
        with pytest.raises(CreditLimitExceeded) as refused:
            approve(village, ben, 104_01)
        assert "two promises" in refused.value.members["binding"]["detail"]["reason"]
        db_session.rollback()
    approve(village, ben, cover)


def test_own_delay_and_a_late_peer_close_the_door(village: Village, db_session: Session) -> None:
    group, people = village.active_group()
    first, second = people[0], people[1]
    stake(village, first, 300_00)
    stake(village, second, 300_00)
    assert limit_of(village, first).amount_minor == 300_00
    mark_overdue(db_session, second)
    assert group.id
    assert (limit_of(village, first).binding.name, limit_of(village, first).amount_minor) == (
        "late_peers",
        0,
    )
    assert limit_of(village, second).binding.name == "own_overdue"


def test_only_active_members_have_a_limit(village: Village, db_session: Session) -> None:
    stranger = members.register_member(db_session, kind=MemberKind.PERSON, name="Stranger", now=NOW)
    with pytest.raises(NotAMember):
        limit_of(village, stranger)


def test_cycle_steps_rise_with_loans_repaid(db_session: Session) -> None:
    village = trusting_village(db_session, loan_cycle_steps_minor=[200_00, 500_00])
    ben = staked(village, "Ben", 900_00)
    assert limit_of(village, ben).amount_minor == 200_00
    loan = approve(village, ben, 150_00)
    assert values(limit_of(village, ben))["loan_cycle"] == 50_00
    village.fund(150_00)
    db_session.commit()
    loans.disburse(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    db_session.commit()
    owed = loans.owed(db_session, loan=loan, on=TODAY).total_minor
    guarantees.record_repayment(db_session, loan_id=loan.id, amount=cny(owed), on=TODAY, now=NOW)
    db_session.commit()
    assert loan.status is LoanStatus.CLOSED
    limit = limit_of(village, ben)
    assert values(limit)["loan_cycle"] == 500_00
    assert limit.facts.owed_minor == 0


# Agreement with an independent path


@pytest.mark.parametrize("seed", range(3))
def test_limits_agree_with_networkx_while_loans_are_approved(
    db_session: Session, seed: int
) -> None:
    village = random_village(db_session, seed, refuse_while_peer_late=False)
    mark_overdue(db_session, village.people[seed])
    approved = 0
    for borrower in village.people:
        flow = layered_flow(db_session, village.village.id, borrower.id, TODAY)
        limit = limit_of(village, borrower)
        assert values(limit)["trust"] == flow
        around = neighbourhood(
            db_session, community_id=village.village.id, borrower_id=borrower.id, on=TODAY
        )
        computed = cover_limit(borrower.id, around.standings, around.promises)
        assert check_certificate(computed, around.standings, around.promises)
        if limit.amount_minor >= 100_00:
            approve(village, borrower, max(100_00, limit.amount_minor // 2))
            approved += 1
            db_session.expire_all()
            after = limit_of(village, borrower)
            assert values(after)["trust"] == layered_flow(
                db_session, village.village.id, borrower.id, TODAY
            )
    assert approved >= 3
    bulk = service.credit_limits(db_session, community_id=village.village.id, on=TODAY)
    assert bulk == {person.id: limit_of(village, person).amount_minor for person in village.people}
    assert list(check_trust(db_session)) == []
    assert list(check_guarantees(db_session)) == []


# Approval


def test_approval_reserves_own_standing_first_then_near_then_far(
    village: Village, db_session: Session
) -> None:
    ana, ben, cai = three_generations(village)
    loan = approve(village, ben, 120_00)
    assert loan.status is LoanStatus.APPROVED
    lines = db_session.scalars(
        select(CoverLine).where(CoverLine.loan_id == loan.id).order_by(CoverLine.id)
    ).all()
    assert [(line.amount_minor, line.hops) for line in lines] == [
        (5_00, 0),
        (100_00, 1),
        (15_00, 2),
    ]
    reserved = dict(db_session.execute(select(Standing.member_id, Standing.reserved_minor)).all())
    assert reserved == {ben.id: 5_00, ana.id: 100_00, cai.id: 15_00}
    vouches = dict(db_session.execute(select(Vouch.voucher_id, Vouch.reserved_minor)).all())
    assert vouches == {ana.id: 115_00, cai.id: 15_00}
    event = db_session.scalars(select(Event).where(Event.kind == "loan.cover_reserved")).one()
    assert event.facts["charter_version"] == 1
    assert [line["amount_minor"] for line in event.facts["lines"]] == [5_00, 100_00, 15_00]
    assert limit_of(village, ben).amount_minor == 15_00


def test_a_loan_above_the_limit_is_refused_with_the_rule_that_binds(
    village: Village, db_session: Session
) -> None:
    _, ben, _ = three_generations(village)
    with pytest.raises(CreditLimitExceeded) as refused:
        approve(village, ben, 135_01)
    told = refused.value.members
    assert told["limit"] == {"amount": "135.00", "currency": "CNY"}
    assert told["asked"] == {"amount": "135.01", "currency": "CNY"}
    assert told["binding"]["name"] == "trust"
    assert told["binding"]["source"] == {
        "kind": "charter",
        "owner": village.township.public_id,
        "version": 1,
    }
    db_session.rollback()
    assert db_session.scalars(select(CoverLine)).all() == []
    loan = db_session.scalars(select(Loan)).one()
    assert loan.status is LoanStatus.ENDORSED


def test_only_an_endorsed_loan_can_be_approved_and_once(
    village: Village, db_session: Session
) -> None:
    ben = staked(village, "Ben", 500_00)
    loan = approve(village, ben, 100_00)
    with pytest.raises(StepNotAllowed):
        service.approve_loan(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)


def test_nobody_approves_a_loan_of_their_own_household(
    village: Village, db_session: Session
) -> None:
    household = members.register_household(db_session, reference="HH-1", now=NOW)
    ben = village.person("Ben", household_id=household.id)
    wife = village.person("Bei", household_id=household.id)
    stake(village, ben, 500_00)
    loan = village.applied(ben, 100_00)
    db_session.commit()
    for actor in (ben, wife):
        with pytest.raises(ApproverInvolved):
            service.approve_loan(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=actor.id)
        db_session.rollback()
    other = village.person("Officer")
    db_session.commit()
    service.approve_loan(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=other.id)


def test_whoever_takes_the_room_in_between_makes_the_unit_run_again(
    village: Village, db_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = staked(village, "Ana", 100_00), village.person("Ben")
    live = vouch(village, ana, ben, 100_00)
    loan = village.applied(ben, 100_00)
    db_session.commit()
    look = service.neighbourhood

    def late_look(*args: Any, **kwargs: Any) -> Any:
        around = look(*args, **kwargs)
        live.limit_minor = 99_99  # somebody lowers the promise right after the snapshot
        db_session.flush()
        return around

    monkeypatch.setattr(service, "neighbourhood", late_look)
    with pytest.raises(StaleSnapshot):
        service.approve_loan(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)
    db_session.rollback()
    # The second run holds the whole neighbourhood before it looks: nobody can come in between.
    service.approve_loan(db_session, loan_id=loan.id, on=TODAY, now=NOW, actor_id=None)


def test_pledges_alone_back_a_pledge_only_product(db_session: Session) -> None:
    village = trusting_village(db_session, liability_modes=["pledge_only", "several"])
    product = offer(
        db_session, village.village, "pledge", MONTHLY | {"liability_mode": "pledge_only"}
    )
    ana, ben = staked(village, "Ana", 200_00), village.person("Ben")
    assess(village, ana, 500_00)
    vouch(village, ana, ben, 900_00)
    version = products.version_on(db_session, product.id, TODAY)
    assert limit_of(village, ben).amount_minor == 700_00
    assert limit_of(village, ben, product_version_id=version.id).amount_minor == 200_00
    with pytest.raises(CreditLimitExceeded):
        approve(village, ben, 200_01, product_id=product.id)
    db_session.rollback()
    approve(village, ben, 200_00, product_id=product.id)
    assert limit_of(village, ben).amount_minor == 500_00


# Group loans


def group_loan(village: Village, shares: dict[Member, int], leader: Member) -> Any:
    made = loans.apply_as_group(
        village.session,
        group_id=village.session.info["group_id"],
        product_id=village.monthly.id,
        shares={member.id: minor for member, minor in shares.items()},
        total=cny(sum(shares.values())),
        purpose="seedlings",
        on=TODAY,
        now=NOW,
        actor_id=leader.id,
        instalments=3,
    )
    village.session.commit()
    return made


def test_shares_of_a_group_loan_are_planned_one_on_what_the_other_left(
    village: Village, db_session: Session
) -> None:
    group, people = village.active_group()
    db_session.info["group_id"] = group.id
    leader, second, backer = people[0], people[1], people[2]
    stake(village, backer, 250_00)
    vouch(village, backer, leader, 250_00)
    vouch(village, backer, second, 250_00)
    too_much = group_loan(village, {leader: 150_00, second: 100_01}, leader)
    with pytest.raises(CreditLimitExceeded) as refused:
        service.approve_group_loan(
            db_session, group_loan_id=too_much.id, on=TODAY, now=NOW, actor_id=None
        )
    assert refused.value.members["borrower"] == second.public_id
    assert refused.value.members["limit"]["amount"] == "100.00"
    db_session.rollback()
    assert db_session.scalars(select(CoverLine)).all() == []
    fits = group_loan(village, {leader: 150_00, second: 100_00}, leader)
    service.approve_group_loan(db_session, group_loan_id=fits.id, on=TODAY, now=NOW, actor_id=None)
    db_session.commit()
    shares = db_session.scalars(select(Loan).where(Loan.group_loan_id == fits.id)).all()
    assert {share.status for share in shares} == {LoanStatus.APPROVED}
    with pytest.raises(DecidedTogether):
        service.approve_loan(db_session, loan_id=shares[0].id, on=TODAY, now=NOW, actor_id=None)
    assert list(check_guarantees(db_session)) == []


# Money for lending


def test_the_pool_and_the_reserve_are_funded_through_the_books(
    village: Village, db_session: Session
) -> None:
    facts: dict[str, Any] = {
        "community_id": village.village.id,
        "reference": "transfer 17",
        "on": TODAY,
        "now": NOW,
        "actor_id": None,
    }
    pool = service.fund_lending_pool(db_session, amount=cny(1_000_00), **facts)
    reserve = service.fund_reserve(db_session, amount=cny(200_00), **facts)
    assert (pool.account, pool.balance.amount_minor) == (AccountKind.LENDING_CASH, 1_000_00)
    assert (reserve.account, reserve.balance.amount_minor) == (AccountKind.RESERVE_FUND, 200_00)
    with pytest.raises(CurrencyMismatch):
        service.fund_reserve(db_session, amount=Money(1, "USD"), **facts)


def test_cover_is_never_below_the_ratio_of_the_principal(
    village: Village, db_session: Session
) -> None:
    """A ratio that does not divide is rounded up: law 3."""
    product = offer(db_session, village.village, "odd", MONTHLY | {"cover_ratio_bps": 3_333})
    ben = staked(village, "Ben", 500_00)
    loan = approve(village, ben, 100_01, product_id=product.id)
    held = sum(
        line.held_minor
        for line in db_session.scalars(select(CoverLine).where(CoverLine.loan_id == loan.id))
    )
    assert held == share_bps(100_01, 3_333, up=True)
    assert Fraction(held) >= Fraction(100_01 * 3_333, 10_000)
