"""The way of a joint-liability group, and everything that stops it, on both databases."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from community.communities import service as communities
from community.errors import AmountOutOfRange, CurrencyMismatch
from community.groups import errors, queries, service
from community.groups.agreement import agreement_hash
from community.groups.checks import check_groups
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.ledger.models import Event
from community.members import service as members
from community.members.errors import MemberNotFound
from community.members.models import Member
from community.money import Money
from tests.village_life import (
    NOW,
    ON,
    PROMISE_END,
    found_village,
    gather,
    right_answers,
    settle,
    sign_all,
    understand_and_sign,
    yuan,
)


def step(group: Group, **facts: Any) -> dict[str, Any]:
    return {"group_id": group.id, "on": ON, "now": NOW, "actor_id": None} | facts


def form(session: Session, village: Any, founder: Member, **facts: Any) -> Group:
    given: dict[str, Any] = {
        "name": "Third brigade",
        "pair_cap": yuan(2000),
        "vouch_expires_on": PROMISE_END,
        "on": ON,
        "now": NOW,
        "actor_id": founder.id,
    }
    return service.form_group(
        session, community_id=village.id, founder_id=founder.id, **(given | facts)
    )


def fix(session: Session, group: Group, **facts: Any) -> Group:
    return service.fix_agreement(session, **step(group, **facts))


def answer(
    session: Session, group: Group, person: Member, answers: Mapping[str, Any]
) -> service.Answered:
    return service.answer_questions(
        session,
        group_id=group.id,
        member_id=person.id,
        agreement_hash=group.agreement_hash or "",
        answers=answers,
        now=NOW,
        actor_id=person.id,
    )


def sign(session: Session, group: Group, person: Member) -> Group:
    return service.sign(
        session, **step(group), member_id=person.id, agreement_hash=group.agreement_hash or ""
    )


def statuses(session: Session, group: Group) -> list[str]:
    return [place.status.value for place, _ in queries.members_of(session, group.id)]


def test_a_group_goes_all_its_way(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = sign_all(db_session, village)
    assert group.status is GroupStatus.COOLING_OFF
    assert group.cooling_off_until == NOW + timedelta(days=3)
    later = group.cooling_off_until
    service.mark_active(db_session, **step(group, now=later, on=later.date()))
    db_session.commit()
    assert (group.status, group.activated_at) == (GroupStatus.ACTIVE, later)
    assert list(check_groups(db_session)) == []
    peers = queries.active_peers(db_session, community_id=village.id, member_id=people[0].id)
    assert peers == [person.id for person in people[1:]]
    kinds = db_session.scalars(
        select(Event.kind).where(Event.subject == group.public_id).order_by(Event.id)
    ).all()
    assert kinds[0] == "group.formed"
    assert kinds[-1] == "group.activated"
    assert kinds.count("group.signed") == 5


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"pair_cap": yuan(20_001)}, errors.CapTooHigh),
        ({"pair_cap": yuan(0)}, AmountOutOfRange),
        ({"pair_cap": Money(1, "USD")}, CurrencyMismatch),
        ({"vouch_expires_on": ON}, errors.PromiseTooLong),
        ({"vouch_expires_on": ON + timedelta(days=1096)}, errors.PromiseTooLong),
    ],
)
def test_the_charter_bounds_what_a_group_promises(
    db_session: Session, facts: dict[str, Any], refusal: type[Exception]
) -> None:
    village = found_village(db_session)
    founder = settle(db_session, village)
    with pytest.raises(refusal):
        form(db_session, village, founder, **facts)
    group = form(db_session, village, founder)
    with pytest.raises(refusal):
        service.change_terms(db_session, **step(group), **facts)


def test_terms_change_while_a_group_forms(db_session: Session) -> None:
    village = found_village(db_session)
    group, _ = gather(db_session, village)
    version = group.version
    service.change_terms(db_session, **step(group), name="East lane", pair_cap=yuan(500))
    assert (group.name, group.pair_cap_minor, group.version) == ("East lane", 50_000, version + 1)
    fix(db_session, group)
    with pytest.raises(errors.GroupStepNotAllowed):
        service.change_terms(db_session, **step(group), name="West lane")


def test_only_members_of_the_community_can_be_asked(db_session: Session) -> None:
    village, other = found_village(db_session), found_village(db_session, "Beihu")
    founder, stranger = settle(db_session, village), settle(db_session, other)
    group = form(db_session, village, founder)
    with pytest.raises(MemberNotFound):
        service.invite(db_session, **step(group), member_id=stranger.id, inviter_id=founder.id)
    with pytest.raises(errors.NotInGroup):
        service.invite(db_session, **step(group), member_id=founder.id, inviter_id=stranger.id)


def test_a_member_is_asked_once_and_may_be_asked_again_after_a_no(db_session: Session) -> None:
    village = found_village(db_session)
    founder, friend = settle(db_session, village), settle(db_session, village)
    group = form(db_session, village, founder)
    ask = step(group) | {"member_id": friend.id, "inviter_id": founder.id}
    service.invite(db_session, **ask)
    with pytest.raises(errors.AlreadyInGroup):
        service.invite(db_session, **ask)
    service.decline_invitation(
        db_session, group_id=group.id, member_id=friend.id, now=NOW, actor_id=friend.id
    )
    with pytest.raises(errors.NotInvited):
        service.accept_invitation(db_session, **step(group), member_id=friend.id)
    service.invite(db_session, **ask)
    service.accept_invitation(db_session, **step(group), member_id=friend.id)
    assert statuses(db_session, group) == ["accepted", "accepted"]


def test_a_full_group_asks_nobody(db_session: Session) -> None:
    village = found_village(db_session, group_size_max=5)
    group, people = gather(db_session, village, 5)
    with pytest.raises(errors.GroupFull):
        service.invite(
            db_session,
            **step(group),
            member_id=settle(db_session, village).id,
            inviter_id=people[0].id,
        )


def test_two_of_one_household_do_not_stand_in_one_group(db_session: Session) -> None:
    village = found_village(db_session)
    home = members.create_household(db_session, reference="H-1", now=NOW)
    founder = settle(db_session, village, household_id=home.id)
    wife = settle(db_session, village, household_id=home.id)
    group = form(db_session, village, founder)
    service.invite(db_session, **step(group), member_id=wife.id, inviter_id=founder.id)
    with pytest.raises(errors.SameHousehold):
        service.accept_invitation(db_session, **step(group), member_id=wife.id)


def test_the_database_too_refuses_two_of_one_household(db_session: Session) -> None:
    village = found_village(db_session)
    home = members.create_household(db_session, reference="H-1", now=NOW)
    group, _ = gather(db_session, village)
    places = queries.living_members(db_session, group.id)
    places[0].household_id = places[1].household_id = home.id
    with pytest.raises(IntegrityError):
        db_session.flush()


def test_who_marries_into_a_members_household_stops_the_agreement(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = gather(db_session, village)
    home = members.create_household(db_session, reference="H-1", now=NOW)
    for person in people[:2]:
        members.move_to_household(
            db_session, member_id=person.id, household_id=home.id, now=NOW, actor_id=None
        )
    with pytest.raises(errors.SameHousehold):
        fix(db_session, group)


def test_a_member_stands_in_one_living_group_of_a_community(db_session: Session) -> None:
    village, circle = found_village(db_session), found_village(db_session, "Weavers")
    founder, friend = settle(db_session, village, "A"), settle(db_session, village, "B")
    first, second = form(db_session, village, founder), form(db_session, village, friend)
    with pytest.raises(errors.InAnotherGroup):
        form(db_session, village, founder)
    service.invite(db_session, **step(first), member_id=friend.id, inviter_id=founder.id)
    with pytest.raises(errors.InAnotherGroup):
        service.accept_invitation(db_session, **step(first), member_id=friend.id)
    service.step_back(db_session, **step(second), member_id=friend.id)
    service.accept_invitation(db_session, **step(first), member_id=friend.id)
    db_session.commit()
    # Another community is another matter.
    communities.apply_for_membership(
        db_session, community_id=circle.id, member_id=friend.id, on=ON, now=NOW, actor_id=None
    )
    db_session.commit()
    communities.activate_membership(
        db_session, community_id=circle.id, member_id=friend.id, on=ON, now=NOW, actor_id=None
    )
    assert form(db_session, circle, friend).status is GroupStatus.FORMING


def test_a_leader_has_more_than_half_also_when_others_join(db_session: Session) -> None:
    village = found_village(db_session)
    founder = settle(db_session, village)
    group = form(db_session, village, founder)
    service.vote_leader(db_session, **step(group), voter_id=founder.id, candidate_id=founder.id)
    assert group.leader_id == founder.id
    friend = settle(db_session, village)
    service.invite(db_session, **step(group), member_id=friend.id, inviter_id=founder.id)
    with pytest.raises(errors.NotACandidate):
        service.vote_leader(db_session, **step(group), voter_id=founder.id, candidate_id=friend.id)
    service.accept_invitation(db_session, **step(group), member_id=friend.id)
    assert group.leader_id is None
    service.vote_leader(db_session, **step(group), voter_id=friend.id, candidate_id=founder.id)
    assert group.leader_id == founder.id
    assert group.leader_until_on == ON + timedelta(days=365)


def test_an_active_group_elects_anew_with_a_majority_of_new_votes(db_session: Session) -> None:
    group, people = sign_all(db_session, found_village(db_session))
    service.mark_active(db_session, **step(group, now=NOW + timedelta(days=3)))
    for number, voter in enumerate(people[:3]):
        assert group.leader_id == people[0].id, f"after {number} votes"
        service.vote_leader(db_session, **step(group), voter_id=voter.id, candidate_id=people[4].id)
    assert group.leader_id == people[4].id
    # The votes are used up: one alone moves nothing.
    service.vote_leader(db_session, **step(group), voter_id=people[0].id, candidate_id=people[1].id)
    assert group.leader_id == people[4].id


def test_an_agreement_needs_size_and_leader(db_session: Session) -> None:
    village = found_village(db_session)
    small, _ = gather(db_session, village, 4)
    with pytest.raises(errors.GroupSizeNotMet):
        fix(db_session, small)
    group, people = gather(db_session, village, 5)
    for person in people:
        service.vote_leader(db_session, **step(group), voter_id=person.id, candidate_id=person.id)
    with pytest.raises(errors.NoLeader):
        fix(db_session, group)


def test_an_agreement_needs_members_who_are_active_and_not_overdue(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = gather(db_session, village)
    with pytest.raises(errors.SomebodyOverdue) as refusal:
        fix(db_session, group, overdue_ids={people[3].id, 10**9})
    assert people[3].public_id not in str(refusal.value.members)
    db_session.commit()
    communities.suspend_membership(
        db_session,
        community_id=village.id,
        member_id=people[2].id,
        on=ON,
        reason="x",
        now=NOW,
        actor_id=None,
    )
    db_session.commit()
    with pytest.raises(errors.SomebodyInactive) as inactive:
        fix(db_session, group, overdue_ids={10**9})
    assert inactive.value.members["members"] == [people[2].public_id]


def test_the_agreement_says_what_everybody_may_have_to_pay(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = gather(db_session, village, cap=yuan(1500))
    late = settle(db_session, village)
    service.invite(db_session, **step(group), member_id=late.id, inviter_id=people[0].id)
    fix(db_session, group)
    assert group.agreement is not None
    assert agreement_hash(group.agreement) == group.agreement_hash
    assert {m["exposure_minor"] for m in group.agreement["members"]} == {4 * 150_000}
    exposures = [p.exposure_minor for p in queries.living_members(db_session, group.id)]
    assert exposures == [600_000] * 5
    # An open invitation lapses.
    assert statuses(db_session, group)[-1] == "declined"
    db_session.expire_all()
    assert agreement_hash(group.agreement) == group.agreement_hash


def test_nobody_signs_before_understanding(db_session: Session) -> None:
    group, people = gather(db_session, found_village(db_session))
    fix(db_session, group)
    with pytest.raises(errors.NotUnderstood):
        sign(db_session, group, people[1])
    asked = service.questionnaire(db_session, group_id=group.id, member_id=people[1].id)
    wrong = right_answers(asked.questions) | {"exposure_all": Money(799_999, "CNY")}
    result = answer(db_session, group, people[1], wrong)
    assert not result.passed
    assert [v.question.id for v in result.verdicts if not v.right] == ["exposure_all"]
    assert result.again is not None
    assert result.again.attempt == 1
    with pytest.raises(errors.NotUnderstood):
        sign(db_session, group, people[1])
    assert answer(db_session, group, people[1], right_answers(result.again.questions)).passed
    sign(db_session, group, people[1])
    with pytest.raises(errors.AlreadySigned):
        sign(db_session, group, people[1])
    with pytest.raises(errors.AlreadySigned):
        answer(db_session, group, people[1], {})


def test_every_try_is_kept_with_its_questions(db_session: Session) -> None:
    group, people = gather(db_session, found_village(db_session))
    fix(db_session, group)
    place = queries.get_place(db_session, group_id=group.id, member_id=people[1].id)
    answer(db_session, group, people[1], {"exposure_all": yuan(1), "promise_ends": "yes"})
    answer(db_session, group, people[1], {})
    kept = queries.list_attempts(db_session, place.id)
    assert [attempt.passed for attempt in kept] == [False, False]
    assert kept[0].answers == {
        "exposure_all": {"amount_minor": 100, "currency": "CNY"},
        "promise_ends": {"choice": "yes"},
    }
    assert kept[0].questions["exposure_all"]["expected"] == {
        "amount_minor": 800_000,
        "currency": "CNY",
    }


def test_a_signature_names_the_agreement_that_was_read(db_session: Session) -> None:
    group, people = gather(db_session, found_village(db_session))
    fix(db_session, group)
    with pytest.raises(errors.AgreementChanged):
        service.sign(db_session, **step(group), member_id=people[0].id, agreement_hash="0" * 64)


def test_understanding_counts_for_the_agreement_it_was_shown_on(db_session: Session) -> None:
    group, people = gather(db_session, found_village(db_session))
    fix(db_session, group)
    asked = service.questionnaire(db_session, group_id=group.id, member_id=people[0].id)
    answer(db_session, group, people[0], right_answers(asked.questions))
    service.reopen(db_session, **step(group))
    service.change_terms(db_session, **step(group), pair_cap=yuan(3000))
    fix(db_session, group)
    with pytest.raises(errors.NotUnderstood):
        sign(db_session, group, people[0])


def test_whoever_steps_back_voids_all_signatures(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = sign_all(db_session, village, 6)
    service.step_back(
        db_session, **step(group, now=NOW + timedelta(days=2)), member_id=people[5].id
    )
    assert group.status is GroupStatus.FORMING
    assert (group.agreement, group.agreement_hash, group.cooling_off_until) == (None, None, None)
    assert statuses(db_session, group) == ["accepted"] * 5 + ["left"]
    places = queries.living_members(db_session, group.id)
    assert {(p.signed_at, p.understood_at, p.exposure_minor) for p in places} == {
        (None, None, None)
    }
    # The five go on without the sixth, on another agreement.
    fix(db_session, group)
    with pytest.raises(errors.NotUnderstood):
        sign(db_session, group, people[0])
    for person in people[:5]:
        understand_and_sign(db_session, group, person)
    assert list(check_groups(db_session)) == []


def test_a_leader_who_steps_back_leads_no_more(db_session: Session) -> None:
    group, people = sign_all(db_session, found_village(db_session), 6)
    service.step_back(db_session, **step(group), member_id=people[0].id)
    assert group.leader_id is None


def test_after_the_cooling_off_period_nobody_steps_back(db_session: Session) -> None:
    group, people = sign_all(db_session, found_village(db_session))
    over = NOW + timedelta(days=3)
    with pytest.raises(errors.CoolingOffOver):
        service.step_back(db_session, **step(group, now=over), member_id=people[1].id)
    service.mark_active(db_session, **step(group, now=over))
    with pytest.raises(errors.GroupStepNotAllowed):
        service.step_back(db_session, **step(group, now=over), member_id=people[1].id)


def test_a_group_does_not_bind_before_the_cooling_off_period_ends(db_session: Session) -> None:
    group, _ = sign_all(db_session, found_village(db_session))
    with pytest.raises(errors.StillCoolingOff):
        service.mark_active(db_session, **step(group, now=NOW + timedelta(days=3, microseconds=-1)))


def test_the_cooling_off_period_is_that_of_the_agreement(db_session: Session) -> None:
    village = found_village(db_session, cooling_off_days=7)
    group, people = gather(db_session, village)
    fix(db_session, group)
    for person in people:
        understand_and_sign(db_session, group, person)
    assert group.cooling_off_until == NOW + timedelta(days=7)


def test_what_the_agreement_needed_is_asked_again_when_it_begins(db_session: Session) -> None:
    group, people = sign_all(db_session, found_village(db_session))
    with pytest.raises(errors.SomebodyOverdue):
        service.mark_active(
            db_session, **step(group, now=NOW + timedelta(days=3)), overdue_ids={people[2].id}
        )
    with pytest.raises(errors.PromiseTooLong):
        service.mark_active(
            db_session, **step(group, now=NOW + timedelta(days=400), on=date(2027, 12, 31))
        )


def test_a_group_that_does_not_bind_can_be_given_up(db_session: Session) -> None:
    village = found_village(db_session)
    group, people = sign_all(db_session, village)
    service.dissolve(db_session, group_id=group.id, now=NOW, actor_id=None)
    assert statuses(db_session, group) == ["left"] * 5
    assert queries.companions_of(db_session, people[0].id) == frozenset()
    assert form(db_session, village, people[0]).status is GroupStatus.FORMING


def test_companions_are_those_who_share_a_group(db_session: Session) -> None:
    village = found_village(db_session)
    _, people = gather(db_session, village)
    stranger = settle(db_session, village)
    ids = {person.id for person in people}
    assert queries.companions_of(db_session, people[0].id) == ids - {people[0].id}
    assert queries.companions_of(db_session, stranger.id) == frozenset()


def test_the_check_names_who_is_bound_without_having_understood(db_session: Session) -> None:
    group, _ = sign_all(db_session, found_village(db_session))
    db_session.flush()
    place = queries.living_members(db_session, group.id)[0]
    db_session.execute(
        text("UPDATE understanding_attempts SET passed = :no WHERE group_member_id = :id"),
        {"no": False, "id": place.id},
    )
    breaches = list(check_groups(db_session))
    assert [(b.law, b.table, b.row) for b in breaches] == [(4, "group_members", str(place.id))]


def test_the_check_names_an_agreement_that_was_changed(db_session: Session) -> None:
    group, _ = sign_all(db_session, found_village(db_session))
    assert group.agreement is not None
    group.agreement = group.agreement | {"pair_cap_minor": 1}
    db_session.flush()
    assert [(b.law, b.table) for b in check_groups(db_session)] == [(8, "groups")]


def test_the_database_too_keeps_signatures_to_those_who_understood(db_session: Session) -> None:
    group, people = gather(db_session, found_village(db_session))
    place = db_session.scalars(
        select(GroupMember).where(GroupMember.member_id == people[0].id)
    ).one()
    assert group.status is GroupStatus.FORMING
    place.status = GroupMemberStatus.SIGNED
    with pytest.raises(IntegrityError):
        db_session.flush()
