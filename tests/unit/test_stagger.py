"""Two, two, then the leader: who of a group begins when."""

import pytest

from community.credit.stagger import Stagger, waiting

BATCHES = (2, 2, 1)


def place(shown: str, *, leads: bool = False, has_begun: bool = False, size: int = 5) -> Stagger:
    """`shown` has a letter for each of the others who has begun: y has shown, n has not."""
    return Stagger(size, leads, has_begun, tuple(letter == "y" for letter in shown))


@pytest.mark.parametrize("shown", ["", "n", "y", "yy", "yyn", "yyy", "yynn"[:3]])
def test_a_member_may_begin(shown: str) -> None:
    assert waiting(place(shown), BATCHES) is None


@pytest.mark.parametrize(
    ("shown", "batch", "needed", "waits_for"),
    [("nn", 2, 2, 2), ("yn", 2, 2, 1), ("ynn", 2, 2, 1), ("yyyn", 3, 4, 1), ("yynn", 3, 4, 2)],
)
def test_a_member_waits(shown: str, batch: int, needed: int, waits_for: int) -> None:
    found = waiting(place(shown), BATCHES)
    assert found is not None
    assert (found.batch, found.others_needed, found.waits_for) == (batch, needed, waits_for)


@pytest.mark.parametrize("shown", ["", "y", "yy", "yyy", "yyyn"])
def test_the_leader_is_the_last(shown: str) -> None:
    found = waiting(place(shown, leads=True), BATCHES)
    assert found is not None
    assert (found.batch, found.others_begun, found.others_needed) == (3, len(shown), 4)


def test_the_leader_begins_when_all_have_shown() -> None:
    assert waiting(place("yyyy", leads=True), BATCHES) is None


def test_in_a_smaller_group_the_leader_waits_for_all_others() -> None:
    assert waiting(place("y", leads=True, size=3), BATCHES) is not None
    assert waiting(place("yy", leads=True, size=3), BATCHES) is None


def test_in_a_larger_group_the_last_batch_takes_all_who_remain() -> None:
    assert waiting(place("yyyynn", size=8), BATCHES) is None
    assert waiting(place("yyyynn", leads=True, size=8), BATCHES) is None


def test_who_has_begun_waits_for_nobody() -> None:
    assert waiting(place("nn", has_begun=True), BATCHES) is None


def test_shares_of_one_decision_count_as_begun() -> None:
    assert waiting(place("").after(1), BATCHES) is None
    assert waiting(place("").after(2), BATCHES) is not None


def test_one_batch_is_everybody_at_once() -> None:
    assert waiting(place("nnnn", leads=True), (5,)) is None
