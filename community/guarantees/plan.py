"""Who is asked for how much when a loan fails. Pure, exact in whole minor units.

The same functions plan, simulate and execute. Shares are pro rata to what is held; units that do
not divide go one each to the largest share, then to the lowest id.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from community.money import allocate
from graph.calls import Line, outward_calls, plan_calls


@dataclass(frozen=True, slots=True)
class HeldLine:
    """A cover line as the plan sees it.

    `owner_id` is whose standing it is; `direct_id` the member who promised to the borrower (None:
    the borrower's own standing); `outer_id` the member who covers that one (None: nobody).
    """

    line_id: int
    owner_id: int
    direct_id: int | None
    outer_id: int | None
    held_minor: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What one guarantor is asked for, line by line (line id → amount)."""

    guarantor_id: int
    for_guarantor_id: int | None
    lines: Mapping[int, int]

    @property
    def amount_minor(self) -> int:
        return sum(self.lines.values())


def first_demands(
    lines: Sequence[HeldLine], amount_minor: int
) -> tuple[dict[int, int], list[Demand]]:
    """What the borrower's own lines answer for, and the calls on those who promised to them.

    Shares are `graph.calls.plan_calls`: own standing first, then direct guarantors pro rata to
    what travels over their promise. Within one guarantor's share the lines on their own standing
    come first: those further out are asked only for what the guarantor leaves unpaid.
    """
    plan = plan_calls([_line(line) for line in lines], amount_minor)
    own = {int(str(line_id)): part for line_id, part in plan.set_off.items()}
    demands = []
    for call in plan.calls:
        direct = int(str(call.member))
        behind = [line for line in lines if line.direct_id == direct]
        demands.append(Demand(direct, None, near_first(behind, call.amount)))
    return own, demands


def near_first(lines: Iterable[HeldLine], amount_minor: int) -> dict[int, int]:
    """Put a payment on a guarantor's lines: own standing first, then those farther, pro rata."""
    pool = list(lines)
    near = _in_order(line for line in pool if line.outer_id is None)
    far = _in_order(line for line in pool if line.outer_id is not None)
    parts = _split(amount_minor, near)
    parts |= _split(amount_minor - sum(parts.values()), far)
    return parts


def outward_demands(lines: Sequence[HeldLine], direct_id: int, unpaid_minor: int) -> list[Demand]:
    """What a direct guarantor left unpaid, asked from those who cover them, as far as they do."""
    plan = outward_calls([_line(line) for line in lines], direct_id, unpaid_minor)
    return [
        Demand(
            int(str(call.member)),
            direct_id,
            {int(str(line_id)): part for line_id, part in call.lines.items()},
        )
        for call in plan.calls
    ]


def co_guarantor_shares(room: Mapping[int, int], shortfall_minor: int) -> dict[int, int]:
    """Joint and several: an unpaid share is split over the others pro rata to the room that each
    still has under what they signed; nobody is asked beyond it.
    """
    members = sorted(member for member, left in room.items() if left > 0)
    parts = _within(shortfall_minor, [room[member] for member in members])
    return {member: part for member, part in zip(members, parts, strict=True) if part}


def released_parts(lines: Sequence[tuple[int, int, int]], amount_minor: int) -> dict[int, int]:
    """How a release goes over lines given as (line id, vouches on the path, held).

    The farthest paths are freed first, pro rata among equals; own standing last.
    """
    parts: dict[int, int] = {}
    left = amount_minor
    for hops in sorted({hops for _, hops, _ in lines}, reverse=True):
        level = sorted((line_id, held) for line_id, h, held in lines if h == hops and held)
        taken = _within(left, [held for _, held in level])
        parts |= {line_id: part for (line_id, _), part in zip(level, taken, strict=True) if part}
        left -= sum(taken)
    return parts


def _line(line: HeldLine) -> Line:
    promises = ("outer", "inner")[2 - (line.direct_id is not None) - (line.outer_id is not None) :]
    middle = line.direct_id if line.outer_id is not None else None
    return Line(line.line_id, line.owner_id, promises, line.held_minor, middle)


def _split(amount_minor: int, lines: Sequence[HeldLine]) -> dict[int, int]:
    parts = _within(amount_minor, [line.held_minor for line in lines])
    return {line.line_id: part for line, part in zip(lines, parts, strict=True) if part}


def _within(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Pro rata parts of an amount, never more than the weights hold."""
    total = min(max(amount_minor, 0), sum(weights))
    return allocate(total, weights)


def _in_order(lines: Iterable[HeldLine]) -> list[HeldLine]:
    return sorted(lines, key=lambda line: line.line_id)
