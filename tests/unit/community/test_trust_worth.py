"""What standings and vouches are worth on a day."""

from dataclasses import replace
from datetime import date

import pytest

from community.trust.worth import StandingFacts, VouchFacts

DAY = date(2026, 11, 23)
ANA = StandingFacts(1, 7, 300, 200, DAY, 100, None)


def test_standing_is_stake_and_assessment_less_what_is_reserved() -> None:
    assert ANA.free_on(DAY) == 400
    assert ANA.stake_free_minor == 200


def test_an_assessment_past_its_last_day_backs_nothing_new() -> None:
    assert ANA.free_on(date(2026, 11, 24)) == 200
    assert replace(ANA, assessed_until_on=None).free_on(date(2099, 1, 1)) == 400
    # More was reserved than is left: nothing is free, and nothing is below zero.
    assert replace(ANA, reserved_minor=450).free_on(date(2026, 11, 24)) == 0


def test_pledges_are_locked_savings_alone() -> None:
    assert ANA.free_on(DAY, pledge_only=True) == 200


def test_an_overdue_member_stands_for_nothing() -> None:
    assert replace(ANA, overdue_since_on=DAY).free_on(DAY) == 0


@pytest.mark.parametrize(("overdue", "room"), [(False, 55), (True, 0)])
def test_a_promise_has_the_room_that_is_neither_reserved_nor_spent(
    overdue: bool, room: int
) -> None:
    vouch = VouchFacts(1, "vch_x", 7, 8, 100, 30, 15)
    assert vouch.room(voucher_overdue=overdue) == room
