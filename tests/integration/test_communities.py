"""Communities, charters in force, and memberships, on both databases."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from community.communities import queries, service
from community.communities.charter import CharterInvalid
from community.communities.checks import check_communities
from community.communities.errors import (
    AlreadyAMember,
    CharterNotLater,
    CommunityExists,
    MembershipNotFound,
    MembershipStepNotAllowed,
    NestedTooDeep,
    NoCharter,
    NotAMember,
    StepOutOfOrder,
    StillBound,
    TooYoung,
)
from community.communities.models import Community, CommunityKind, MembershipStatus
from community.errors import CurrencyMismatch, Invalid
from community.ledger.models import Event
from community.members.models import Member, MemberKind
from community.members.service import register_member
from tests.village_life import NOW, ON, found_village, rules, settle


def found(session: Session, reference: str, **facts: Any) -> Community:
    given: dict[str, Any] = {
        "kind": CommunityKind.REGION,
        "name": reference,
        "currency": "CNY",
        "now": NOW,
        "actor_id": None,
    }
    return service.create_community(session, reference=reference, **(given | facts))


def adopt(session: Session, community: Community, valid_from: date, **changes: Any) -> Any:
    on = changes.pop("on", None)
    return service.adopt_charter(
        session,
        community_id=community.id,
        rules_document=rules(**changes),
        valid_from=valid_from,
        source="assembly of the village",
        now=NOW,
        actor_id=None,
        on=on,
    )


def enter(session: Session, **facts: Any) -> Member:
    return register_member(session, kind=MemberKind.PERSON, name="Li Wei", now=NOW, **facts)


def step(community: Community, member: Member, on: date = ON, **facts: Any) -> dict[str, Any]:
    return {
        "community_id": community.id,
        "member_id": member.id,
        "on": on,
        "now": NOW,
        "actor_id": None,
    } | facts


def test_a_path_names_all_communities_above(db_session: Session) -> None:
    county = found(db_session, "county")
    town = found(db_session, "town", parent_id=county.id)
    village = found(db_session, "village", parent_id=town.id)
    assert village.path_ids == (county.id, town.id, village.id)
    assert list(check_communities(db_session)) == []


def test_a_reference_stands_for_one_community(db_session: Session) -> None:
    found(db_session, "nanhu")
    with pytest.raises(CommunityExists):
        found(db_session, "nanhu")


def test_what_is_inside_counts_in_the_same_currency(db_session: Session) -> None:
    county = found(db_session, "county")
    with pytest.raises(CurrencyMismatch):
        found(db_session, "village", parent_id=county.id, currency="KES")
    with pytest.raises(Invalid):
        found(db_session, "village", currency="XXX")


def test_communities_do_not_nest_without_end(db_session: Session) -> None:
    top = found(db_session, "top")
    top.path = "/" + "1/" * 127
    db_session.flush()
    with pytest.raises(NestedTooDeep):
        found(db_session, "below", parent_id=top.id)


def test_the_charter_in_force_is_that_of_the_day(db_session: Session) -> None:
    village = found(db_session, "village")
    adopt(db_session, village, date(2026, 1, 1), call_day=20)
    adopt(db_session, village, date(2026, 7, 1), call_day=25)
    days = {
        date(2026, 1, 1): (1, 20),
        date(2026, 6, 30): (1, 20),
        date(2026, 7, 1): (2, 25),
        date(2030, 1, 1): (2, 25),
    }
    for on, (version, call_day) in days.items():
        charter = queries.charter_on(db_session, village.id, on)
        assert (charter.version, charter.rules.call_day) == (version, call_day)
    with pytest.raises(NoCharter):
        queries.charter_on(db_session, village.id, date(2025, 12, 31))


def test_without_a_charter_of_its_own_the_nearest_one_above_counts(db_session: Session) -> None:
    county = found(db_session, "county")
    town = found(db_session, "town", parent_id=county.id)
    village = found(db_session, "village", parent_id=town.id)
    adopt(db_session, county, date(2026, 1, 1), call_day=20)
    assert queries.charter_on(db_session, village.id, ON).community_id == county.id
    adopt(db_session, town, date(2020, 1, 1), call_day=25)
    # The town's is older and still nearer.
    assert queries.charter_on(db_session, village.id, ON).rules.call_day == 25
    assert queries.charter_on(db_session, county.id, ON).rules.call_day == 20


def test_a_new_version_begins_later_and_not_in_the_past(db_session: Session) -> None:
    village = found(db_session, "village")
    adopt(db_session, village, date(2026, 1, 1), on=ON)
    for valid_from in (date(2026, 1, 1), date(2025, 1, 1)):
        with pytest.raises(CharterNotLater):
            adopt(db_session, village, valid_from)
    with pytest.raises(CharterNotLater):
        adopt(db_session, village, ON - timedelta(days=1), on=ON)
    assert adopt(db_session, village, ON, on=ON).version == 2


def test_a_faulty_charter_leaves_nothing(db_session: Session) -> None:
    village = found(db_session, "village")
    with pytest.raises(CharterInvalid):
        adopt(db_session, village, ON, call_day="30")
    assert queries.last_charter(db_session, village.id) is None


def test_a_membership_goes_its_way_with_dates_and_reasons(db_session: Session) -> None:
    village = found_village(db_session)
    member = enter(db_session)
    days = [ON + timedelta(days=n) for n in range(6)]
    apply, activate, leave = (
        service.apply_for_membership,
        service.activate_membership,
        service.leave_community,
    )
    membership = apply(db_session, **step(village, member, days[0]))
    activate(db_session, **step(village, member, days[1]))
    service.suspend_membership(db_session, **step(village, member, days[2], reason="left no word"))
    service.resume_membership(db_session, **step(village, member, days[3], reason="came back"))
    leave(db_session, **step(village, member, days[4], reason="moved away"))
    apply(db_session, **step(village, member, days[5], reason="came home"))
    db_session.commit()
    changes = queries.list_changes(db_session, membership.id)
    assert [(c.status.value, c.changed_on, c.reason) for c in changes] == [
        ("applied", days[0], "applied"),
        ("active", days[1], "taken in"),
        ("suspended", days[2], "left no word"),
        ("active", days[3], "came back"),
        ("left", days[4], "moved away"),
        ("applied", days[5], "came home"),
    ]
    assert (membership.status, membership.since_on) == (MembershipStatus.APPLIED, days[5])
    kinds = db_session.scalars(
        select(Event.kind).where(Event.subject == member.public_id).order_by(Event.id)
    ).all()
    assert kinds.count("membership.active") == 2
    assert list(check_communities(db_session)) == []


def test_the_check_names_a_membership_that_was_changed_past_its_history(
    db_session: Session,
) -> None:
    village = found_village(db_session)
    settle(db_session, village)
    db_session.flush()
    db_session.execute(text("UPDATE memberships SET status = 'suspended'"))
    breaches = list(check_communities(db_session))
    assert [(breach.law, breach.table) for breach in breaches] == [(8, "memberships")]


def test_nobody_applies_twice(db_session: Session) -> None:
    village = found_village(db_session)
    member = settle(db_session, village)
    with pytest.raises(AlreadyAMember):
        service.apply_for_membership(db_session, **step(village, member))


def test_a_step_from_the_wrong_state_or_out_of_time_is_refused(db_session: Session) -> None:
    village = found_village(db_session)
    member = settle(db_session, village)
    with pytest.raises(MembershipStepNotAllowed):
        service.activate_membership(db_session, **step(village, member))
    with pytest.raises(StepOutOfOrder):
        service.suspend_membership(
            db_session, **step(village, member, ON - timedelta(days=1), reason="x")
        )
    with pytest.raises(MembershipNotFound):
        service.suspend_membership(db_session, **step(village, enter(db_session), reason="x"))


def test_whoever_is_bound_stays(db_session: Session) -> None:
    village = found_village(db_session)
    member = settle(db_session, village)
    with pytest.raises(StillBound) as refusal:
        service.leave_community(
            db_session,
            **step(village, member, reason="moves"),
            still_bound=["They owe on a loan.", "They stand in a group."],
        )
    assert refusal.value.members["reasons"] == ["They owe on a loan.", "They stand in a group."]
    queries.require_active(db_session, community_id=village.id, member_id=member.id)


@pytest.mark.parametrize(("year", "old_enough"), [(2009, False), (2008, True), (None, True)])
def test_the_charter_says_how_old_members_are(
    db_session: Session, year: int | None, old_enough: bool
) -> None:
    village = found_village(db_session)
    member = enter(db_session, birth_year=year)
    service.apply_for_membership(db_session, **step(village, member))
    if old_enough:
        service.activate_membership(db_session, **step(village, member))
        return
    with pytest.raises(TooYoung):
        service.activate_membership(db_session, **step(village, member))


@pytest.mark.parametrize("status", ["none", "applied", "suspended", "left"])
def test_only_active_members_count(db_session: Session, status: str) -> None:
    village = found_village(db_session)
    member = enter(db_session)
    if status != "none":
        service.apply_for_membership(db_session, **step(village, member))
    if status in ("suspended", "left"):
        service.activate_membership(db_session, **step(village, member))
        end = {
            "suspended": service.suspend_membership,
            "left": service.leave_community,
        }[status]
        end(db_session, **step(village, member, reason="x"))
    with pytest.raises(NotAMember):
        queries.require_active(db_session, community_id=village.id, member_id=member.id)


def test_a_member_of_many_communities_is_in_reach_of_all_their_officers(
    db_session: Session,
) -> None:
    county = found_village(db_session, "County")
    village = found_village(db_session, "Nanhu", parent=county)
    circle = found_village(db_session, "Weavers")
    member = settle(db_session, village)
    service.apply_for_membership(db_session, **step(circle, member))
    assert set(queries.reach_of(db_session, [member.id])) == {county.id, village.id, circle.id}
    assert len(queries.memberships_of(db_session, member.id)) == 2


def test_lists_hold_ones_own_communities_and_those_below_ones_office(db_session: Session) -> None:
    county = found_village(db_session, "County")
    village = found_village(db_session, "Nanhu", parent=county)
    other = found_village(db_session, "Beihu")
    member = settle(db_session, other)

    def listed(**facts: Any) -> set[int]:
        statement = queries.list_communities(member_id=member.id, **facts)
        return {community.id for community in db_session.scalars(statement)}

    assert listed() == {other.id}
    assert listed(below=[county.id]) == {county.id, village.id, other.id}
    assert listed(below=[village.id]) == {village.id, other.id}
    assert listed(everywhere=True) >= {county.id, village.id, other.id}
