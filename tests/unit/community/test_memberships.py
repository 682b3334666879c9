"""The steps of a membership, all of them against all states."""

import itertools

import pytest

from community.communities.errors import MembershipStepNotAllowed
from community.communities.memberships import MembershipStep, after
from community.communities.models import MembershipStatus

ALLOWED = {
    ("applied", "activate"): "active",
    ("active", "suspend"): "suspended",
    ("suspended", "resume"): "active",
    ("applied", "leave"): "left",
    ("active", "leave"): "left",
    ("suspended", "leave"): "left",
}


@pytest.mark.parametrize(
    ("status", "step"), list(itertools.product(MembershipStatus, MembershipStep))
)
def test_only_the_steps_of_the_table_are_possible(
    status: MembershipStatus, step: MembershipStep
) -> None:
    reached = ALLOWED.get((status.value, step.value))
    if reached is not None:
        assert after(status, step).value == reached
        return
    with pytest.raises(MembershipStepNotAllowed) as refusal:
        after(status, step)
    assert refusal.value.members["status"] == status.value
