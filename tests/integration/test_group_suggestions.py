"""Groups that the engine suggests out of a community's rows, worked by hand."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from community.members import service as members
from community.trust.group_suggestions import (
    NotSuited,
    candidates_of,
    connections_of,
    suggest_groups,
)
from tests.circle import RULES, Circle

# Six people; what each of two has promised the other.
TIES = {"ab": 50, "bc": 40, "ac": 30, "de": 60, "ef": 20, "df": 10, "ad": 5}


@pytest.fixture
def six(db_session: Session) -> Circle:
    circle = Circle(db_session, rules=RULES)
    for name in "abcdef":
        circle.person(name)
    for (one, other), minor in TIES.items():
        circle.vouch(one, other, minor)
        circle.vouch(other, one, minor + 7)
    # Not returned: it counts nothing.
    circle.vouch("a", "f", 1000)
    return circle


def suggested(circle: Circle, names: str = "abcdef") -> Any:
    return suggest_groups(
        circle.session,
        community_id=circle.community.id,
        candidate_ids=[circle.id(name) for name in names],
        on=circle.day,
    )


def named(circle: Circle, ids: Any) -> str:
    names = {member.id: name for name, member in circle.people.items()}
    return "".join(sorted(names[i] for i in ids))


def test_groups_hold_those_who_promised_each_other_most(six: Circle) -> None:
    found = suggested(six)
    # 50 + 40 + 30 and 60 + 20 + 10.
    assert [(named(six, g.member_ids), g.trust_minor) for g in found.groups] == [
        ("abc", 120),
        ("def", 90),
    ]
    assert (found.trust_minor, found.bound_minor, found.is_best) == (210, 210, True)
    one, other, least = found.groups[0].weakest
    assert (named(six, (one, other)), least) == ("ac", 30)
    assert (found.left_over, found.not_suited) == ((), {})


def test_a_household_is_in_a_group_once(six: Circle) -> None:
    home = six.do(members.create_household, reference="H-1", now=six.now)
    for name in "ac":
        six.do(
            members.move_to_household,
            member_id=six.id(name),
            household_id=home.id,
            now=six.now,
            actor_id=None,
        )
    # Of all ways to part a and c into threes, {a, b, f} and {c, d, e} is best: 50 + 60.
    found = suggested(six)
    assert {named(six, g.member_ids) for g in found.groups} == {"abf", "cde"}
    assert found.trust_minor == 110


def test_who_cannot_stand_in_a_group_is_left_out_with_the_reason(six: Circle) -> None:
    six.person("g")
    six.bind("w", "x", "y", stake=0)
    six.person("g2", stake=10)
    six.standing("g2").overdue_since_on = six.day
    six.session.commit()
    found = suggest_groups(
        six.session,
        community_id=six.community.id,
        candidate_ids=[six.id(name) for name in [*"abcdef", "w", "g2"]],
        on=six.day,
    )
    assert found.not_suited == {six.id("w"): NotSuited.IN_A_GROUP, six.id("g2"): NotSuited.OVERDUE}
    assert found.trust_minor == 210


def test_too_few_are_left_over_for_their_number(six: Circle) -> None:
    found = suggested(six, "ab")
    assert found.groups == ()
    assert named(six, found.left_over) == "ab"
    assert found.because == {"size": 2}
    assert suggested(six, "").groups == ()


def test_candidates_and_connections(six: Circle) -> None:
    place = {"community_id": six.community.id}
    # The officer of the hamlet is a member too.
    assert named(six, set(candidates_of(six.session, **place, limit=9)) - {six.officer.id}) == (
        "abcdef"
    )
    assert named(six, connections_of(six.session, **place, member_id=six.id("a"))) == "bcdf"
    six.vouch("a", "e", 1)
    assert named(six, connections_of(six.session, **place, member_id=six.id("a"))) == "bcdef"
