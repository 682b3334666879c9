"""Who is called for how much when a loan fails. One function for plans, stress tests and reality.

`split_exact`, `plan_calls` and `outward_calls` work in whole minor units and lose nothing.
What is due and pledged over a whole web is found under the same roof: `web_calls` in whole minor
units, and the real-number definitions `several_pro_rata` and `joint_and_several`.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from graph.call_units import WebCalls, check_web_calls, web_calls
from graph.call_web import JointOutcome, SeveralOutcome, joint_and_several, several_pro_rata
from graph.checks import id_key, whole
from graph.errors import BadParameter, DuplicateId

__all__ = [
    "Call",
    "CallPlan",
    "JointOutcome",
    "Line",
    "OutwardCalls",
    "SeveralOutcome",
    "WebCalls",
    "check_web_calls",
    "joint_and_several",
    "outward_calls",
    "plan_calls",
    "several_pro_rata",
    "split_exact",
    "web_calls",
]


@overload
def split_exact(
    total: int, weights: Mapping[Hashable, int], *, capped: bool = False
) -> dict[Hashable, int]: ...
@overload
def split_exact(total: int, weights: Sequence[int], *, capped: bool = False) -> list[int]: ...
def split_exact(
    total: int, weights: Mapping[Hashable, int] | Sequence[int], *, capped: bool = False
) -> dict[Hashable, int] | list[int]:
    """Split an amount in proportion to weights so that the parts sum to it exactly.

    ``part_i = floor(total * w_i / W)``; the ``r = total - sum of parts`` units that are left go
    one each to the r largest weights, the lowest id first among equals. So a part is never below
    its exact share rounded down, never more than one unit above it, and weight 0 gets nothing.

    Parameters
    ----------
    total : int
        Minor units, >= 0.
    weights : mapping of id to int, or sequence of int
        Whole numbers >= 0. In a sequence the position is the id.
    capped : bool
        Refuse a total above the sum of the weights; no part is then above its weight.
        Default False.

    Returns
    -------
    dict of id to int, or list of int
        In the order and form of `weights`.

    Raises
    ------
    BadCapacity
        The total or a weight is no whole number >= 0.
    BadParameter
        There is something to split but all weights are 0; or `capped` and too large a total.

    Notes
    -----
    O(n log n). Capped: if the total is the sum of the weights, nothing is left over; if it is
    less, every exact share is below its weight, so one unit more stays within the weight.

    Examples
    --------
    >>> split_exact(100, {"a": 1, "b": 1, "c": 1})
    {'a': 34, 'b': 33, 'c': 33}
    >>> split_exact(5, [1, 6, 3])
    [0, 4, 1]
    """
    amount = whole(total, "total")
    if isinstance(weights, Mapping):
        checked = {id_: whole(w, f"weight of {id_!r}") for id_, w in weights.items()}
        return _split(amount, checked, capped)
    numbered: dict[Hashable, int] = {i: whole(w, f"weight {i}") for i, w in enumerate(weights)}
    return list(_split(amount, numbered, capped).values())


def _split(total: int, weights: Mapping[Hashable, int], capped: bool) -> dict[Hashable, int]:
    whole_weight = sum(weights.values())
    if capped and total > whole_weight:
        raise BadParameter(f"{total} is more than the {whole_weight} that the weights allow")
    if not total:
        return dict.fromkeys(weights, 0)
    if not whole_weight:
        raise BadParameter(f"nobody carries weight, so {total} cannot be split")
    parts = {id_: total * w // whole_weight for id_, w in weights.items()}
    rest = total - sum(parts.values())
    # The rest is smaller than the number of weights above 0, so one unit each is enough.
    for id_ in sorted(weights, key=lambda i: (-weights[i], id_key(i)))[:rest]:
        parts[id_] += 1
    return parts


@dataclass(frozen=True, slots=True)
class Line:
    """One cover line of a loan: a path with the amount it still holds.

    Parameters
    ----------
    id : Hashable
    standing_of : Hashable
        Whose standing covers.
    promises : tuple of Hashable
        0, 1 or 2 promise ids, outermost first.
    held : int
        Reserved and not yet called or released, minor units, >= 0.
    middle : Hashable or None
        The member between `standing_of` and the borrower; given exactly when there are two
        promises.

    Raises
    ------
    BadCapacity, BadParameter
        `held` is no whole number >= 0; more than two promises; a middle member too many or
        missing.
    """

    id: Hashable
    standing_of: Hashable
    promises: tuple[Hashable, ...]
    held: int
    middle: Hashable | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", whole(self.held, f"held of line {self.id!r}"))
        if len(self.promises) > 2:
            raise BadParameter(f"line {self.id!r} has more than two promises")
        if (self.middle is not None) != (len(self.promises) == 2):
            raise BadParameter(f"line {self.id!r}: two promises need a middle member, fewer none")

    @property
    def guarantor(self) -> Hashable | None:
        """Who stands next to the borrower: the middle member, or whose standing it is.

        None for the borrower's own standing.
        """
        if not self.promises:
            return None
        return self.standing_of if self.middle is None else self.middle


@dataclass(frozen=True, slots=True)
class Call:
    """What one member is asked to pay, and on which lines it counts.

    Attributes
    ----------
    member : Hashable
    amount : int
        Minor units, > 0.
    lines : dict of line id to int
        Sums to `amount`; lines that get nothing are left out.
    """

    member: Hashable
    amount: int
    lines: dict[Hashable, int]


@dataclass(frozen=True, slots=True)
class CallPlan:
    """The first round of calls for one loan.

    Attributes
    ----------
    set_off : dict of line id to int
        Taken from the borrower's own standing, before anybody is called.
    calls : tuple of Call
        One per direct guarantor: largest amount first, then lowest id.
    uncovered : int
        What no line holds. ``sum(set_off) + sum(calls) + uncovered == amount``.
    """

    set_off: dict[Hashable, int]
    calls: tuple[Call, ...]
    uncovered: int


@dataclass(frozen=True, slots=True)
class OutwardCalls:
    """The second round: what moved one vouch further out.

    Attributes
    ----------
    calls : tuple of Call
        One per member who covers the one that did not pay.
    uncovered : int
        What they do not hold. ``sum(calls) + uncovered == unpaid``.
    """

    calls: tuple[Call, ...]
    uncovered: int


def plan_calls(lines: Iterable[Line], amount: int) -> CallPlan:
    """Say who is called first for an amount of a failed loan.

    The borrower's own standing is set off first, as far as it holds. What is left is called from
    the direct guarantors in proportion to ``held(g) = sum of held over the lines that reach the
    borrower over g`` (their own and those behind them), then within a guarantor over the lines in
    proportion to ``held``. Every split is `split_exact`: the cents left over go to the largest,
    then the lowest id.

    Parameters
    ----------
    lines : iterable of Line
        All cover lines of one loan.
    amount : int
        What is due, minor units, >= 0. May exceed what the lines hold.

    Returns
    -------
    CallPlan

    Raises
    ------
    BadCapacity, DuplicateId
        `amount` is no whole number >= 0; two lines carry one id.

    Notes
    -----
    O(n log n) in the lines; independent of their order. No line is called above what it holds.

    Examples
    --------
    >>> lines = [Line(1, "ben", (), 10), Line(2, "ana", ("v",), 60)]
    >>> plan = plan_calls([*lines, Line(3, "cai", ("x", "v"), 30, "ana")], 55)
    >>> plan.set_off, plan.calls, plan.uncovered
    ({1: 10}, (Call(member='ana', amount=45, lines={2: 30, 3: 15}),), 0)
    """
    due = whole(amount, "amount")
    own: dict[Hashable, int] = {}
    behind: dict[Hashable, dict[Hashable, int]] = {}
    for line in _sorted_lines(lines):
        if line.guarantor is None:
            own[line.id] = line.held
        else:
            behind.setdefault(line.guarantor, {})[line.id] = line.held
    taken = min(due, sum(own.values()))
    set_off = {id_: part for id_, part in _split(taken, own, capped=True).items() if part}
    held = {member: sum(mine.values()) for member, mine in behind.items()}
    called = min(due - taken, sum(held.values()))
    asked = _split(called, held, capped=True)
    return CallPlan(set_off, _calls(asked, behind), due - taken - called)


def outward_calls(lines: Iterable[Line], guarantor: Hashable, unpaid: int) -> OutwardCalls:
    """Move what a direct guarantor did not pay one vouch further out.

    It is called from those who cover the guarantor for this loan, in proportion to ``held(w) =
    sum of held over the lines w -> guarantor -> borrower``, at most what these lines hold.

    Parameters
    ----------
    lines : iterable of Line
        The cover lines of the loan as they are now: `held` less what was already paid on them.
    guarantor : Hashable
        Who did not pay.
    unpaid : int
        Minor units, >= 0.

    Returns
    -------
    OutwardCalls

    Raises
    ------
    BadCapacity, DuplicateId
        As for `plan_calls`.

    Notes
    -----
    O(n log n); a guarantor without anybody behind leaves everything uncovered.

    Examples
    --------
    >>> lines = [Line(2, "ana", ("v",), 60), Line(3, "cai", ("x", "v"), 30, "ana")]
    >>> outward_calls(lines, "ana", 45)
    OutwardCalls(calls=(Call(member='cai', amount=30, lines={3: 30}),), uncovered=15)
    """
    due = whole(unpaid, "unpaid")
    behind: dict[Hashable, dict[Hashable, int]] = {}
    for line in _sorted_lines(lines):
        if line.middle is not None and line.middle == guarantor:
            behind.setdefault(line.standing_of, {})[line.id] = line.held
    held = {member: sum(mine.values()) for member, mine in behind.items()}
    called = min(due, sum(held.values()))
    return OutwardCalls(_calls(_split(called, held, capped=True), behind), due - called)


def _sorted_lines(lines: Iterable[Line]) -> list[Line]:
    listed = sorted(lines, key=lambda line: id_key(line.id))
    seen: set[Hashable] = set()
    for line in listed:
        if line.id in seen:
            raise DuplicateId("lines", line.id)
        seen.add(line.id)
    return listed


def _calls(
    asked: Mapping[Hashable, int], behind: Mapping[Hashable, Mapping[Hashable, int]]
) -> tuple[Call, ...]:
    calls = []
    for member, amount in asked.items():
        if amount:
            parts = _split(amount, behind[member], capped=True)
            calls.append(Call(member, amount, {id_: part for id_, part in parts.items() if part}))
    return tuple(sorted(calls, key=lambda call: (-call.amount, id_key(call.member))))
