"""What falls on one member if others fail. Pure, exact in whole minor units.

It is the waterfall of `guarantees.plan`, the same functions that real calls use, with one
assumption: whoever fails pays nothing, neither by hand nor out of locked savings, and everybody
else who is asked pays in full. What is asked of a loan is all the cover that it still holds:
interest and penalties can grow that far.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from community.communities.charter import LiabilityMode
from community.guarantees.plan import (
    HeldLine,
    co_guarantor_shares,
    first_demands,
    outward_demands,
)


@dataclass(frozen=True, slots=True)
class Backing:
    """A loan's cover as it is held now.

    `rooms` says, for every direct guarantor of a joint and several loan, how much of the others'
    shares they may still be asked for besides what their own lines hold.
    """

    borrower_id: int
    mode: LiabilityMode
    lines: Sequence[HeldLine]
    rooms: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fallout:
    """What falls on a member: on each cover line, and for others' shares beyond their lines."""

    lines: Mapping[int, int]
    across_minor: int = 0

    @property
    def total_minor(self) -> int:
        return sum(self.lines.values()) + self.across_minor


NOTHING = Fallout({})


def fallout(backing: Backing, member_id: int, fails: Callable[[int], bool]) -> Fallout:
    """What falls on a member of one loan if these fail; nothing unless the borrower does."""
    if not fails(backing.borrower_id):
        return NOTHING
    held = sum(line.held_minor for line in backing.lines)
    own, demands = first_demands(backing.lines, held)
    mine: dict[int, int] = {}
    shortfalls = [sum(own.values())]
    far: list[int] = []
    for demand in demands:
        direct = demand.guarantor_id
        if direct == member_id:
            mine |= dict(_payable(backing, demand.lines, member_id))
            continue
        if not fails(direct):
            continue
        left = demand.amount_minor
        for outer in outward_demands(backing.lines, direct, demand.amount_minor):
            left -= outer.amount_minor
            if outer.guarantor_id == member_id:
                mine |= dict(_payable(backing, outer.lines, member_id))
            elif fails(outer.guarantor_id):
                far.append(outer.amount_minor)
        shortfalls.append(left)
    across = 0
    if backing.mode is LiabilityMode.JOINT_AND_SEVERAL:
        across = _across(backing, member_id, fails, [*shortfalls, *far])
    return Fallout(mine, across)


def _payable(
    backing: Backing, parts: Mapping[int, int], member_id: int
) -> Iterator[tuple[int, int]]:
    """What of a call has to be paid: where only stakes are pledged, the member's own lines."""
    owners = {line.line_id: line.owner_id for line in backing.lines}
    for line_id, part in parts.items():
        if backing.mode is not LiabilityMode.PLEDGE_ONLY or owners[line_id] == member_id:
            yield line_id, part


def _across(
    backing: Backing, member_id: int, fails: Callable[[int], bool], shortfalls: Sequence[int]
) -> int:
    room = {
        other: left
        for other, left in backing.rooms.items()
        if other == member_id or not fails(other)
    }
    total = 0
    for shortfall in shortfalls:
        for other, share in co_guarantor_shares(room, shortfall).items():
            room[other] -= share
            total += share if other == member_id else 0
    return total
