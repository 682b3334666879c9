"""Members, households, roles and tokens, on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from community.ledger.models import Event
from community.members import queries, service
from community.members.checks import check_members
from community.members.errors import (
    BadLifetime,
    BadToken,
    HouseholdExists,
    LastOperator,
    MemberExists,
    MemberNotFound,
    NotBorn,
    TokenExpired,
    TokenRevoked,
    UnknownScope,
)
from community.members.models import ApiToken, Member, MemberKind
from community.members.principal import Role
from tests.village_life import NOW, found_village


def enter(session: Session, name: str = "Li Wei", **facts: Any) -> Member:
    return service.register_member(session, kind=MemberKind.PERSON, name=name, now=NOW, **facts)


def issue(session: Session, member: Member, **facts: Any) -> tuple[ApiToken, str]:
    given = {
        "label": "phone",
        "lifetime": timedelta(days=1),
        "lifetime_max": timedelta(days=30),
        "now": NOW,
    } | facts
    return service.issue_token(session, member_id=member.id, **given)


def test_a_reference_stands_for_one_member(db_session: Session) -> None:
    enter(db_session, reference="N-1")
    with pytest.raises(MemberExists):
        enter(db_session, reference="N-1")
    found = queries.find_member_by_reference(db_session, "N-1")
    assert found is not None
    assert found.name == "Li Wei"


def test_a_household_reference_stands_for_one_household(db_session: Session) -> None:
    home = service.create_household(db_session, reference="H-1", now=NOW)
    with pytest.raises(HouseholdExists):
        service.create_household(db_session, reference="H-1", now=NOW)
    assert service.register_household(db_session, reference="H-1", now=NOW) is home


@pytest.mark.parametrize(
    ("kind", "year"), [("enterprise", 1990), ("person", 2027), ("person", 1800)]
)
def test_only_persons_are_born_and_not_in_the_future(
    db_session: Session, kind: str, year: int
) -> None:
    with pytest.raises(NotBorn):
        service.register_member(
            db_session, kind=MemberKind(kind), name="X", now=NOW, birth_year=year
        )


def test_a_change_counts_the_version_and_is_recorded_without_the_name(db_session: Session) -> None:
    member = enter(db_session, "Li Wie")
    service.rename_member(db_session, member_id=member.id, name="Li Wei", now=NOW, actor_id=None)
    service.rename_member(db_session, member_id=member.id, name="Li Wei", now=NOW, actor_id=None)
    db_session.commit()
    assert (member.name, member.version) == ("Li Wei", 2)
    events = db_session.scalars(select(Event).where(Event.subject == member.public_id)).all()
    assert [event.kind for event in events] == ["member.registered", "member.changed"]
    assert "Li W" not in str([event.facts for event in events])


def test_members_move_between_households(db_session: Session) -> None:
    home = service.create_household(db_session, reference="H-2", now=NOW)
    member = enter(db_session)
    service.move_to_household(
        db_session, member_id=member.id, household_id=home.id, now=NOW, actor_id=None
    )
    assert [m.id for m in queries.household_members(db_session, home.id)] == [member.id]
    service.move_to_household(
        db_session, member_id=member.id, household_id=None, now=NOW, actor_id=None
    )
    assert queries.households_of(db_session, [member.id]) == {member.id: None}


def test_a_token_tells_who_carries_it_until_it_ends(db_session: Session) -> None:
    member = enter(db_session)
    token, secret = issue(db_session, member, scopes=frozenset({"read"}))
    assert secret not in (token.digest, token.public_id)
    principal = service.authenticate(db_session, token=secret, now=NOW)
    assert (principal.member_id, principal.scopes) == (member.id, {"read"})
    with pytest.raises(TokenExpired):
        service.authenticate(db_session, token=secret, now=NOW + timedelta(days=1))
    service.revoke_token(db_session, token=token, now=NOW)
    with pytest.raises(TokenRevoked):
        service.authenticate(db_session, token=secret, now=NOW)
    with pytest.raises(BadToken):
        service.authenticate(db_session, token=secret + "x", now=NOW)
    assert list(check_members(db_session)) == []


@pytest.mark.parametrize("days", [0, 31])
def test_a_token_lives_neither_too_short_nor_too_long(db_session: Session, days: int) -> None:
    with pytest.raises(BadLifetime):
        issue(db_session, enter(db_session), lifetime=timedelta(days=days))


@pytest.mark.parametrize("scopes", [set(), {"read", "all"}])
def test_a_token_is_for_known_scopes(db_session: Session, scopes: set[str]) -> None:
    with pytest.raises(UnknownScope):
        issue(db_session, enter(db_session), scopes=frozenset(scopes))


def test_a_role_counts_in_its_community_and_below_until_it_is_revoked(db_session: Session) -> None:
    county = found_village(db_session, "County")
    village = found_village(db_session, "Nanhu", parent=county)
    member = enter(db_session)
    facts = {"member_id": member.id, "role": Role.OFFICER, "community_id": county.id, "now": NOW}
    grant = service.grant_role(db_session, **facts)
    assert service.grant_role(db_session, **facts) is grant
    _, secret = issue(db_session, member)
    principal = service.authenticate(db_session, token=secret, now=NOW)
    assert principal.holds(Role.OFFICER, path=village.path_ids)
    assert not principal.holds(Role.OFFICER)
    assert not principal.holds(Role.AUDITOR, path=village.path_ids)
    service.revoke_role(db_session, grant=grant, now=NOW)
    principal = service.authenticate(db_session, token=secret, now=NOW)
    assert not principal.holds(Role.OFFICER, path=village.path_ids)
    assert service.grant_role(db_session, **facts) is not grant


def test_the_platform_keeps_an_operator(db_session: Session) -> None:
    first, second = enter(db_session, "First"), enter(db_session, "Second")
    facts = {"role": Role.OPERATOR, "community_id": None, "now": NOW}
    one = service.grant_role(db_session, member_id=first.id, **facts)
    with pytest.raises(LastOperator):
        service.revoke_role(db_session, grant=one, now=NOW)
    service.grant_role(db_session, member_id=second.id, **facts)
    service.revoke_role(db_session, grant=one, now=NOW)
    assert queries.live_grants(db_session, first.id) == []


def test_names_are_read_for_many_at_once(db_session: Session) -> None:
    people = [enter(db_session, f"M{n}") for n in range(3)]
    found = queries.names_of(db_session, [*(p.id for p in people), None, 10**9])
    assert {key: named.name for key, named in found.items()} == {
        person.id: person.name for person in people
    }


def test_an_unknown_public_id_is_not_found(db_session: Session) -> None:
    with pytest.raises(MemberNotFound):
        queries.get_member(db_session, "mem_0000000000000000")
