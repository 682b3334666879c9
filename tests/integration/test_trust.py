"""Vouches, stakes and assessments on real databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities.errors import NotAMember
from community.errors import CurrencyMismatch, InsufficientFunds, Invalid
from community.groups.errors import SomebodyOverdue
from community.groups.models import GroupStatus
from community.ledger.checks import check_ledger
from community.ledger.models import AccountKind, Event
from community.ledger.service import balance
from community.members import service as members
from community.members.models import MemberKind
from community.money import Money
from community.trust import queries, service
from community.trust.checks import check_trust
from community.trust.errors import (
    AssessmentInUse,
    ExpiryOutOfRange,
    GroupVouchIsFixed,
    NotYourOwnAssessment,
    NotYourSide,
    OfferExists,
    OverdueGivesNoVouch,
    StakeInUse,
    VouchForOneself,
    VouchInUse,
    VouchNotOpen,
    VouchOnlyLowers,
    VouchTooLarge,
)
from community.trust.models import (
    Assessment,
    AssessmentKind,
    Standing,
    Vouch,
    VouchKind,
    VouchSide,
    VouchStatus,
)
from community.trust.snapshot import locked_neighbourhoods, neighbourhood, whole_community
from tests import village_life
from tests.lending import NOW, TODAY, Village, cny
from tests.trust_life import (
    YEAR_LATER,
    approve,
    assess,
    mark_overdue,
    offer,
    stake,
    staked,
    trusting_village,
    vouch,
)

DAY = timedelta(days=1)


@pytest.fixture
def village(db_session: Session) -> Village:
    return trusting_village(db_session)


def accept(session: Session, offered: Vouch, actor: Any) -> Vouch:
    live = service.accept_vouch(session, vouch_id=offered.id, on=TODAY, now=NOW, actor_id=actor.id)
    session.commit()
    return live


# Offers


def test_a_vouch_is_live_only_when_both_sides_have_spoken(
    village: Village, db_session: Session
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    offered = offer(village, ana, ben, 500_00)
    assert offered.status is VouchStatus.OFFERED
    around = neighbourhood(
        db_session, community_id=village.village.id, borrower_id=ben.id, on=TODAY
    )
    assert around.promises == ()
    with pytest.raises(NotYourSide):
        accept(db_session, offered, ana)
    live = accept(db_session, offered, ben)
    assert (live.status, live.accepted_at, live.limit_minor) == (VouchStatus.LIVE, NOW, 500_00)
    with pytest.raises(VouchNotOpen):
        accept(db_session, offered, ben)
    kinds = db_session.scalars(
        select(Event.kind).where(Event.subject == live.public_id).order_by(Event.id)
    ).all()
    assert kinds == ["vouch.offered", "vouch.accepted"]


def test_an_offer_that_meets_the_other_sides_offer_accepts_it_at_the_smaller_amount(
    village: Village,
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    asked = offer(village, ana, ben, 800_00, VouchSide.BORROWER)
    live = offer(village, ana, ben, 300_00, expires_on=YEAR_LATER - DAY)
    assert live.id == asked.id
    assert live.status is VouchStatus.LIVE
    assert (live.limit_minor, live.expires_on) == (300_00, YEAR_LATER - DAY)


def test_one_side_has_one_offer_on_the_table(village: Village, db_session: Session) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    first = offer(village, ana, ben, 100_00)
    with pytest.raises(OfferExists):
        offer(village, ana, ben, 200_00)
    with pytest.raises(NotYourSide):
        service.withdraw_vouch(db_session, vouch_id=first.id, now=NOW, actor_id=ben.id)
    service.withdraw_vouch(db_session, vouch_id=first.id, now=NOW, actor_id=ana.id)
    db_session.commit()
    second = offer(village, ana, ben, 200_00)
    with pytest.raises(NotYourSide):
        service.decline_vouch(db_session, vouch_id=second.id, now=NOW, actor_id=ana.id)
    service.decline_vouch(db_session, vouch_id=second.id, now=NOW, actor_id=ben.id)
    db_session.commit()
    assert (first.status, second.status) == (VouchStatus.WITHDRAWN, VouchStatus.DECLINED)
    with pytest.raises(VouchNotOpen):
        accept(db_session, second, ben)


def test_an_offer_ends_by_itself(village: Village, db_session: Session) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    offered = offer(village, ana, ben, 100_00, expires_on=TODAY + DAY)
    later = TODAY + 2 * DAY
    with pytest.raises(VouchNotOpen):
        service.accept_vouch(db_session, vouch_id=offered.id, on=later, now=NOW, actor_id=ben.id)
    again = service.offer_vouch(
        db_session,
        community_id=village.village.id,
        voucher_id=ana.id,
        borrower_id=ben.id,
        side=VouchSide.VOUCHER,
        limit=cny(100_00),
        expires_on=YEAR_LATER,
        on=later,
        now=NOW,
        actor_id=ana.id,
    )
    assert (offered.status, again.status) == (VouchStatus.EXPIRED, VouchStatus.OFFERED)


def test_an_accepted_offer_amends_the_live_promise_of_the_pair(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 1_000_00), village.person("Ben")
    live = vouch(village, ana, ben, 500_00)
    more = offer(village, ana, ben, 900_00, expires_on=YEAR_LATER + DAY)
    assert accept(db_session, more, ben).id == live.id
    assert (live.limit_minor, live.expires_on) == (900_00, YEAR_LATER + DAY)
    assert more.status is VouchStatus.REPLACED
    approve(village, ben, 700_00)
    less = offer(village, ana, ben, 699_99)
    with pytest.raises(VouchInUse):
        accept(db_session, less, ben)


def test_a_lapsed_promise_makes_room_for_a_new_one_without_a_sweep(
    village: Village, db_session: Session
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    old = vouch(village, ana, ben, 500_00, expires_on=TODAY + DAY)
    offered = offer(village, ana, ben, 600_00)
    new = service.accept_vouch(
        db_session, vouch_id=offered.id, on=TODAY + 2 * DAY, now=NOW, actor_id=ben.id
    )
    assert new.id == offered.id
    assert (old.status, new.status) == (VouchStatus.EXPIRED, VouchStatus.LIVE)


def test_what_no_state_could_make_right_is_refused(village: Village) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    with pytest.raises(VouchForOneself):
        offer(village, ana, ana, 100_00)
    with pytest.raises(VouchTooLarge):
        offer(village, ana, ben, 20_000_01)
    with pytest.raises(Invalid):
        offer(village, ana, ben, 0)
    for expires_on in (TODAY, TODAY + 1096 * DAY):
        with pytest.raises(ExpiryOutOfRange):
            offer(village, ana, ben, 100_00, expires_on=expires_on)


def test_promises_are_made_in_the_communitys_currency(
    village: Village, db_session: Session
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    facts: dict[str, Any] = {
        "community_id": village.village.id,
        "voucher_id": ana.id,
        "borrower_id": ben.id,
        "side": VouchSide.VOUCHER,
        "expires_on": YEAR_LATER,
        "on": TODAY,
        "now": NOW,
        "actor_id": ana.id,
    }
    with pytest.raises(CurrencyMismatch):
        service.offer_vouch(db_session, limit=Money(100, "USD"), **facts)
    with pytest.raises(NotYourSide):
        service.offer_vouch(db_session, limit=cny(100), **facts | {"actor_id": ben.id})


def test_both_sides_have_to_be_active_members(village: Village, db_session: Session) -> None:
    ana = village.person("Ana")
    stranger = members.register_member(db_session, kind=MemberKind.PERSON, name="Stranger", now=NOW)
    with pytest.raises(NotAMember):
        offer(village, ana, stranger, 100_00)
    ben = village.person("Ben")
    offered = offer(village, ana, ben, 100_00)
    communities.suspend_membership(
        db_session,
        community_id=village.village.id,
        member_id=ana.id,
        reason="moved away",
        on=TODAY,
        now=NOW,
        actor_id=None,
    )
    with pytest.raises(NotAMember):
        accept(db_session, offered, ben)


def test_whoever_is_overdue_anywhere_gives_no_new_promise(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 100_00), village.person("Ben")
    offered = offer(village, ana, ben, 100_00)
    mark_overdue(db_session, ana)
    with pytest.raises(OverdueGivesNoVouch):
        accept(db_session, offered, ben)
    db_session.rollback()
    with pytest.raises(OverdueGivesNoVouch):
        offer(village, ana, village.person("Cai"), 100_00)
    db_session.rollback()
    # Others may still stand behind them.
    vouch(village, ben, ana, 100_00)


# Lowering, revoking, expiring


def test_a_promise_is_lowered_never_below_what_rests_on_it(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 1_000_00), village.person("Ben")
    live = vouch(village, ana, ben, 1_000_00)
    approve(village, ben, 600_00)

    def lower(minor: int, actor: Any = ana) -> Vouch:
        return service.lower_vouch(
            db_session, vouch_id=live.id, limit=cny(minor), now=NOW, actor_id=actor.id
        )

    with pytest.raises(VouchInUse) as refused:
        lower(599_99)
    assert refused.value.members["least"] == "600.00"
    with pytest.raises(VouchOnlyLowers):
        lower(1_000_00)
    with pytest.raises(NotYourSide):
        lower(700_00, ben)
    with pytest.raises(Invalid):
        lower(0)
    assert lower(600_00).limit_minor == 600_00


def test_a_revoked_promise_backs_nothing_new_and_keeps_what_rests_on_it(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 1_000_00), village.person("Ben")
    live = vouch(village, ana, ben, 1_000_00)
    approve(village, ben, 600_00)
    with pytest.raises(NotYourSide):
        service.revoke_vouch(db_session, vouch_id=live.id, now=NOW, actor_id=ben.id)
    service.revoke_vouch(db_session, vouch_id=live.id, now=NOW, actor_id=ana.id)
    db_session.commit()
    assert (live.status, live.limit_minor, live.reserved_minor) == (
        VouchStatus.REVOKED,
        600_00,
        600_00,
    )
    with pytest.raises(VouchNotOpen):
        service.revoke_vouch(db_session, vouch_id=live.id, now=NOW, actor_id=ana.id)
    exposure = queries.exposure_of(
        db_session,
        community_id=village.village.id,
        member_id=ana.id,
        currency="CNY",
        on=TODAY,
    )
    assert (exposure.now_minor, exposure.most_minor) == (600_00, 600_00)
    db_session.commit()
    # The pair can begin anew.
    assert vouch(village, ana, ben, 50_00).status is VouchStatus.LIVE


def test_promises_expire_by_date_and_the_sweep_says_so(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 1_000_00), village.person("Ben")
    live = vouch(village, ana, ben, 400_00, expires_on=TODAY + DAY)
    offered = offer(village, ben, ana, 1_00, expires_on=TODAY + DAY)
    where = {"community_id": village.village.id, "borrower_id": ben.id}
    assert neighbourhood(db_session, on=TODAY + DAY, **where).promises[0].room == 400_00
    assert neighbourhood(db_session, on=TODAY + 2 * DAY, **where).promises == ()
    assert service.expire_vouches(db_session, on=TODAY + DAY, now=NOW) == 0
    assert service.expire_vouches(db_session, on=TODAY + 2 * DAY, now=NOW) == 2
    assert service.expire_vouches(db_session, on=TODAY + 2 * DAY, now=NOW) == 0
    assert {live.status, offered.status} == {VouchStatus.EXPIRED}


def test_exposure_names_everybody_somebody_stands_behind(
    village: Village, db_session: Session
) -> None:
    ana, ben, cai = staked(village, "Ana", 900_00), village.person("Ben"), village.person("Cai")
    vouch(village, ana, ben, 500_00)
    vouch(village, ana, cai, 300_00)
    approve(village, ben, 200_00)
    exposure = queries.exposure_of(
        db_session, community_id=village.village.id, member_id=ana.id, currency="CNY", on=TODAY
    )
    assert (exposure.now_minor, exposure.most_minor) == (200_00, 800_00)
    assert [(line.borrower.name, line.now_minor) for line in exposure.lines] == [
        ("Ben", 200_00),
        ("Cai", 0),
    ]


# Stakes and assessments


def test_a_stake_moves_in_the_books_and_in_the_standing_together(
    village: Village, db_session: Session
) -> None:
    ana = staked(village, "Ana", 500_00)
    place: dict[str, Any] = {"community_id": village.village.id, "member_id": ana.id}
    step: dict[str, Any] = {**place, "on": TODAY, "now": NOW, "actor_id": ana.id}

    def held(kind: AccountKind) -> int:
        return balance(db_session, kind=kind, currency="CNY", **place)

    assert (held(AccountKind.MEMBER_STAKE), held(AccountKind.MEMBER_SAVINGS)) == (500_00, 0)
    with pytest.raises(InsufficientFunds), db_session.begin_nested():
        service.lock_stake(db_session, amount=cny(1), **step)
    db_session.expire_all()
    service.release_stake(db_session, amount=cny(200_00), **step)
    standing = queries.standing_of(db_session, currency="CNY", on=TODAY, **place)
    assert (standing.stake_minor, standing.free_minor) == (300_00, 300_00)
    assert (held(AccountKind.MEMBER_STAKE), held(AccountKind.MEMBER_SAVINGS)) == (300_00, 200_00)
    with pytest.raises(CurrencyMismatch):
        service.lock_stake(db_session, amount=Money(1, "USD"), **step)
    with pytest.raises(StakeInUse):
        service.release_stake(db_session, amount=cny(300_01), **step)
    db_session.commit()
    assert list(check_trust(db_session)) == []
    assert list(check_ledger(db_session)) == []


def test_reserved_stake_stays_locked_even_where_an_assessment_would_do(
    village: Village, db_session: Session
) -> None:
    ana = staked(village, "Ana", 500_00)
    assess(village, ana, 500_00)
    approve(village, ana, 400_00)
    step: dict[str, Any] = {
        "community_id": village.village.id,
        "member_id": ana.id,
        "on": TODAY,
        "now": NOW,
        "actor_id": ana.id,
    }
    with pytest.raises(StakeInUse) as refused:
        service.release_stake(db_session, amount=cny(100_01), **step)
    assert refused.value.members["free"] == {"amount": "100.00", "currency": "CNY"}
    service.release_stake(db_session, amount=cny(100_00), **step)


def test_an_assessment_counts_until_its_last_day(village: Village, db_session: Session) -> None:
    ana = staked(village, "Ana", 100_00)
    assess(village, ana, 300_00, expires_on=TODAY + DAY)
    where = {"community_id": village.village.id, "borrower_id": ana.id}
    assert neighbourhood(db_session, on=TODAY + DAY, **where).standings[ana.id] == 400_00
    assert neighbourhood(db_session, on=TODAY + 2 * DAY, **where).standings[ana.id] == 100_00
    pledged = neighbourhood(db_session, on=TODAY, pledge_only=True, **where)
    assert pledged.standings[ana.id] == 100_00


def test_a_new_grant_replaces_the_old_one_but_not_below_what_is_reserved(
    village: Village, db_session: Session
) -> None:
    ana = village.person("Ana")
    first = assess(village, ana, 300_00)
    approve(village, ana, 200_00)
    with pytest.raises(AssessmentInUse), db_session.begin_nested():
        assess(village, ana, 199_99)
    db_session.expire_all()
    second = assess(village, ana, 200_00)
    db_session.commit()
    assert first.ended_at == NOW
    assert second.ended_at is None
    assert list(check_trust(db_session)) == []


def test_an_ended_grant_stays_for_the_loans_that_rest_on_it(
    village: Village, db_session: Session
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    used, unused = assess(village, ana, 300_00), assess(village, ben, 300_00)
    approve(village, ana, 200_00)
    for grant in (used, unused):
        service.end_assessment(db_session, assessment_id=grant.id, on=TODAY, now=NOW, actor_id=None)
        db_session.commit()
    assert used.ended_at is None
    assert unused.ended_at == NOW
    for member in (ana, ben):
        around = neighbourhood(
            db_session, community_id=village.village.id, borrower_id=member.id, on=TODAY
        )
        assert around.standings[member.id] == 0
    db_session.flush()
    assert list(check_trust(db_session)) == []
    assert service.expire_assessments(db_session, on=TODAY, now=NOW) == 0


def test_grants_end_by_date_when_nothing_rests_on_them(
    village: Village, db_session: Session
) -> None:
    ana, ben = village.person("Ana"), village.person("Ben")
    used = assess(village, ana, 300_00, expires_on=TODAY)
    unused = assess(village, ben, 300_00, expires_on=TODAY)
    capacity = assess(village, ben, 900_00, AssessmentKind.REPAYMENT_CAPACITY, TODAY)
    approve(village, ana, 200_00)
    assert service.expire_assessments(db_session, on=TODAY + DAY, now=NOW) == 2
    assert used.ended_at is None
    assert NOW == unused.ended_at == capacity.ended_at
    db_session.flush()
    assert list(check_trust(db_session)) == []


def test_nobody_assesses_their_own_household(village: Village, db_session: Session) -> None:
    household = members.register_household(db_session, reference="HH-1", now=NOW)
    ana = village.person("Ana", household_id=household.id)
    ben = village.person("Ben", household_id=household.id)
    for actor in (ana, ben):
        with pytest.raises(NotYourOwnAssessment):
            service.grant_assessment(
                db_session,
                community_id=village.village.id,
                member_id=ana.id,
                kind=AssessmentKind.STANDING,
                amount=cny(100),
                evidence="I know them",
                expires_on=YEAR_LATER,
                on=TODAY,
                now=NOW,
                actor_id=actor.id,
            )


def test_a_new_standing_of_somebody_overdue_elsewhere_is_overdue(
    village: Village, db_session: Session
) -> None:
    ana = staked(village, "Ana", 100_00)
    mark_overdue(db_session, ana)
    step: dict[str, Any] = {"on": TODAY, "now": NOW, "actor_id": None}
    place = {"community_id": village.township.id, "member_id": ana.id}
    communities.apply_for_membership(db_session, **place, **step)
    communities.activate_membership(db_session, **place, **step)
    stake(village, ana, 50_00, village.township.id)
    view = queries.standing_of(
        db_session,
        community_id=village.township.id,
        member_id=ana.id,
        currency="CNY",
        on=TODAY,
    )
    assert (view.overdue_since_on, view.free_minor) == (TODAY, 0)


# What the graph sees


def test_an_overdue_member_backs_nobody_and_passes_nothing_on(
    village: Village, db_session: Session
) -> None:
    ana, ben, cai = staked(village, "Ana", 900_00), staked(village, "Ben", 900_00), village.person()
    vouch(village, ana, ben, 500_00)
    vouch(village, ben, cai, 500_00)
    mark_overdue(db_session, ben)
    around = neighbourhood(
        db_session, community_id=village.village.id, borrower_id=cai.id, on=TODAY
    )
    assert around.standings == {ana.id: 900_00, ben.id: 0, cai.id: 0}
    assert sorted(promise.room for promise in around.promises) == [0, 500_00]


def test_a_snapshot_sees_what_others_wrote_and_not_what_the_session_remembers(
    village: Village, db_session: Session
) -> None:
    ana, ben = staked(village, "Ana", 900_00), village.person("Ben")
    live = vouch(village, ana, ben, 500_00)
    db_session.flush()
    table: Any = Vouch.__table__
    db_session.connection().execute(
        update(table).where(table.c.id == live.id).values(limit_minor=123_00)
    )
    assert live.limit_minor == 500_00  # the session does not know yet
    around = neighbourhood(
        db_session, community_id=village.village.id, borrower_id=ben.id, on=TODAY
    )
    assert [promise.room for promise in around.promises] == [123_00]
    held = locked_neighbourhoods(
        db_session, community_id=village.village.id, borrower_ids=[ben.id], on=TODAY
    )
    assert [promise.room for promise in held[ben.id].promises] == [123_00]
    everybody = whole_community(db_session, community_id=village.village.id, on=TODAY)
    assert [promise.room for promise in everybody.promises] == [123_00]


def test_standing_of_one_community_counts_only_there(village: Village, db_session: Session) -> None:
    ana = staked(village, "Ana", 900_00)
    elsewhere = neighbourhood(
        db_session, community_id=village.township.id, borrower_id=ana.id, on=TODAY
    )
    assert elsewhere.standings == {ana.id: 0}


# Groups


def test_an_active_group_stands_behind_each_other(db_session: Session) -> None:
    village = village_life.found_village(db_session, cooling_off_days=0)
    group, people = village_life.sign_all(db_session, village)
    late = people[2]
    service.ensure_standing(db_session, community_id=village.id, member_id=late.id)
    mark_overdue(db_session, late)
    step: dict[str, Any] = {
        "group_id": group.id,
        "on": village_life.ON,
        "now": village_life.NOW,
        "actor_id": people[0].id,
    }
    with pytest.raises(SomebodyOverdue):
        service.activate_group(db_session, **step)
    mark_overdue(db_session, late, None)
    service.activate_group(db_session, **step)
    assert group.status is GroupStatus.ACTIVE
    vouches = db_session.scalars(select(Vouch).where(Vouch.group_id == group.id)).all()
    assert len(vouches) == 5 * 4
    assert {(v.kind, v.status, v.limit_minor, v.expires_on) for v in vouches} == {
        (VouchKind.GROUP, VouchStatus.LIVE, group.pair_cap_minor, group.vouch_expires_on)
    }
    one = vouches[0]
    with pytest.raises(GroupVouchIsFixed):
        service.revoke_vouch(db_session, vouch_id=one.id, now=NOW, actor_id=one.voucher_id)
    db_session.commit()
    assert list(check_trust(db_session)) == []


# Checks can fail


def test_a_stake_that_is_not_in_the_books_is_found(village: Village, db_session: Session) -> None:
    ana = staked(village, "Ana", 100_00)
    db_session.commit()
    standing = db_session.scalars(select(Standing).where(Standing.member_id == ana.id)).one()
    standing.stake_minor += 1
    db_session.flush()
    [breach] = check_trust(db_session)
    assert (breach.law, breach.table, breach.row) == (2, "standings", str(standing.id))


def test_an_assessment_that_was_not_granted_is_found(village: Village, db_session: Session) -> None:
    ana = village.person("Ana")
    grant = assess(village, ana, 100_00)
    db_session.flush()
    db_session.execute(
        update(Assessment).where(Assessment.id == grant.id).values(amount_minor=99_00)
    )
    [breach] = check_trust(db_session)
    assert "counts 10000 as assessed, 9900 is granted" in breach.what
