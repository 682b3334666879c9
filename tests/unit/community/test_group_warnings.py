"""What a group is warned of before it signs."""

from typing import Any

import pytest

from community.communities import templates
from community.communities.charter import CharterRules, read_rules
from community.groups.warnings import (
    GroupWarning,
    Person,
    WarningKind,
    family_name,
    warnings_for,
)


def rules(**changes: Any) -> CharterRules:
    document = templates.load("village-cooperative")["rules"]
    for name, value in changes.items():
        document[name] = {"value": value, "source": "test"}
    return read_rules(document)


def found(people: list[Person], **given: Any) -> list[GroupWarning]:
    facts: dict[str, Any] = {
        "rules": rules(),
        "industries": {},
        "crops": {},
        "mutual": (),
    }
    return list(warnings_for(people, **facts | given))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("王芳", "王"),
        ("欧阳修", "欧阳"),
        ("欧阳", "欧"),  # a given name of one character after 欧
        ("司马相如", "司马"),
        (" 李 四 ", "李"),
        ("Wang Fang", "Wang"),
        ("Fang", None),
        ("", None),
    ],
)
def test_a_family_name_stands_first(name: str, family: str | None) -> None:
    assert family_name(name) == family


def test_those_of_one_family_name_may_be_kin() -> None:
    people = [Person(1, "王芳"), Person(2, "王强"), Person(3, "李明"), Person(4, "王丽")]
    [warning] = found(people)
    assert (warning.kind, warning.member_ids) == (WarningKind.FAMILY_NAME, (1, 2, 4))
    assert warning.rule == "kin_warnings"
    assert "王芳、王强、王丽 同姓“王”" in warning.text["zh-CN"]
    assert found(people, rules=rules(kin_warnings=False)) == []


def test_who_was_counted_in_one_household_before_is_pointed_out() -> None:
    people = [
        Person(1, "Wang Fang", frozenset({7})),
        Person(2, "Li Ming", frozenset({8, 7})),
        Person(3, "Zhao Min", frozenset({9})),
    ]
    [warning] = found(people)
    assert (warning.kind, warning.member_ids) == (WarningKind.SHARED_HOUSEHOLD, (1, 2))


@pytest.mark.parametrize(("alike", "warned"), [(2, False), (3, True), (5, True)])
def test_a_livelihood_is_pointed_out_beyond_the_charters_share(alike: int, warned: bool) -> None:
    """Half of the group may live from one crop unremarked: of five, two."""
    people = [Person(n, f"{name} x") for n, name in enumerate("ABCDE")]
    warnings = found(people, crops={"rice": range(alike)})
    assert bool(warnings) is warned
    if warned:
        assert f"{alike} of 5 live from rice" in warnings[0].text["en"]
        assert warnings[0].source == "seasonal loans for the crop"


def test_exactly_the_share_is_not_beyond_it() -> None:
    people = [Person(n, f"{name} x") for n, name in enumerate("ABCD")]
    assert found(people, industries={"tea": {0, 1}}) == []
    [warning] = found(people, industries={"tea": {0, 1, 2, 99}})
    assert warning.member_ids == (0, 1, 2)


def test_a_pair_with_promises_outside_is_pointed_out_once() -> None:
    people = [Person(1, "Wang Fang"), Person(2, "Li Ming")]
    [warning] = found(people, mutual={(2, 1), (1, 2), (1, 3)})
    assert (warning.kind, warning.member_ids) == (WarningKind.MUTUAL_PAIR, (1, 2))
    assert "Wang" in warning.text["en"]
    assert "Wang" not in warning.unnamed["en"]
    assert found(people, mutual={(1, 2)}, rules=rules(mutual_pair_warnings=False)) == []
