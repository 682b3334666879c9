"""The life of a group, a place and a proposal, by the one table; and its page."""

from enum import StrEnum

import pytest

from community.groups.elections import carried
from community.groups.errors import GroupStepNotAllowed, PlaceStepNotAllowed, ProposalClosed
from community.groups.models import (
    AmendmentStatus,
    ExpulsionStatus,
    GroupMemberStatus,
    GroupStatus,
)
from community.groups.states import (
    AMENDMENTS,
    EXPULSIONS,
    PLACES,
    STEPS,
    Step,
    check_amendment,
    check_expulsion,
    check_place,
    check_step,
    possible,
)
from config.settings import ROOT

P = GroupMemberStatus


def reachable(table: dict[StrEnum, frozenset[StrEnum]], start: StrEnum) -> set[StrEnum]:
    found, waiting = {start}, [start]
    while waiting:
        for status in table[waiting.pop()] - found:
            found.add(status)
            waiting.append(status)
    return found


def test_every_step_is_in_the_table_and_every_state_is_reached() -> None:
    assert set(STEPS) == set(Step)
    ways = {
        status: frozenset(
            move.to for move in STEPS.values() if status in move.in_ and move.to is not None
        )
        for status in GroupStatus
    }
    assert reachable(ways, GroupStatus.FORMING) == set(GroupStatus)
    assert ways[GroupStatus.DISSOLVED] == frozenset()
    # What binds never forms again: it changes by amendment, or ends.
    assert ways[GroupStatus.ACTIVE] == {GroupStatus.DISSOLVED}


def test_only_signatures_and_time_make_a_group_bind() -> None:
    before = [step for step, move in STEPS.items() if move.to is GroupStatus.ACTIVE]
    assert before == [Step.ACTIVATE]
    assert STEPS[Step.ACTIVATE].in_ == {GroupStatus.COOLING_OFF}
    assert [s for s, m in STEPS.items() if m.to is GroupStatus.COOLING_OFF] == [Step.ALL_SIGNED]


def test_a_refusal_names_where_the_step_belongs_and_what_is_possible() -> None:
    with pytest.raises(GroupStepNotAllowed) as caught:
        check_step(GroupStatus.DISSOLVED, Step.EXIT)
    assert caught.value.members["allowed_in"] == ["active"]
    assert caught.value.members["possible"] == possible(GroupStatus.DISSOLVED) == []


def test_nobody_is_bound_but_by_a_signature_and_whoever_went_is_asked_anew() -> None:
    assert set(PLACES) == set(P)
    for ended in (P.DECLINED, P.LEFT, P.EXPELLED):
        assert PLACES[ended] == {P.INVITED}
    assert [place for place in P if P.EXPELLED in PLACES[place]] == [P.SIGNED]
    with pytest.raises(PlaceStepNotAllowed):
        check_place(P.DECLINED, P.SIGNED)
    with pytest.raises(PlaceStepNotAllowed):
        check_place(None, P.SIGNED)


@pytest.mark.parametrize(
    ("table", "status", "check"),
    [
        (AMENDMENTS, AmendmentStatus, check_amendment),
        (EXPULSIONS, ExpulsionStatus, check_expulsion),
    ],
)
def test_a_proposal_ends_once(table: object, status: type[StrEnum], check: object) -> None:
    assert set(table) == set(status)
    start = next(iter(status))
    assert reachable(table, start) == set(status)
    ends = [one for one in status if not table[one]]
    assert len(ends) == 4
    for end in ends:
        with pytest.raises(ProposalClosed):
            check(end, start)


def test_an_amendment_is_in_force_only_after_cooling_off() -> None:
    before = [one for one in AmendmentStatus if AmendmentStatus.IN_FORCE in AMENDMENTS[one]]
    assert before == [AmendmentStatus.COOLING_OFF]


@pytest.mark.parametrize(
    ("yes", "members", "result"),
    [(0, 1, False), (1, 1, True), (1, 2, False), (2, 3, True), (2, 4, False), (3, 4, True)],
)
def test_more_than_half_of_all_members_carry_a_recall(yes: int, members: int, result: bool) -> None:
    assert carried(yes, members) is result


def test_the_page_has_the_table() -> None:
    """docs/groups.md says of every step where it is possible and where it leads."""
    page = (ROOT / "docs" / "groups.md").read_text()
    for step, move in STEPS.items():
        where = ", ".join(_read(one) for one in GroupStatus if one in move.in_)
        row = f"| {step.value} | {where} | {_read(move.to) if move.to else '–'} |"
        assert row in page, row
    for table in (PLACES, AMENDMENTS, EXPULSIONS):
        for status, allowed in table.items():
            if allowed:
                names = ", ".join(sorted(_read(one) for one in allowed))
                row = f"| {_read(status)} | {names} |"
                assert row in page, row


def _read(status: StrEnum) -> str:
    return status.value.replace("_", " ")
