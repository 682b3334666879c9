"""How money in is spread over the rows of a loan.

Three groups, one after the other: what was due before the day, what is due on it, what is due
later. Within a group the rule says whether one instalment follows the other or one component the
other; of what is due later, which instalment comes first.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

from community.arithmetic.factors import half_even
from community.arithmetic.plan import Slot
from community.arithmetic.terms import AllocationRule, Component, FutureRule, Processing

Piece = tuple[Slot, Component, int]


def owed(slot: Slot, component: Component) -> int:
    """What is unpaid of one component of a row."""
    if component is Component.PRINCIPAL:
        return slot.principal - slot.paid_principal
    if component is Component.INTEREST:
        return slot.interest - slot.paid_interest
    if component is Component.FEE:
        return slot.fee - slot.paid_fee
    return slot.penalty - slot.paid_penalty


class Purse:
    """Money of one receipt on its way into the rows."""

    def __init__(self, money: int, pay: Callable[[Slot, Component, int], None]) -> None:
        self.left = money
        self._pay = pay
        self.pieces: list[Piece] = []

    def give(self, slot: Slot, component: Component, most: int) -> int:
        """Pay up to `most` of a component; what was paid."""
        money = min(self.left, most)
        if money <= 0:
            return 0
        self._pay(slot, component, money)
        self.left -= money
        self.pieces.append((slot, component, money))
        return money


def spread(
    purse: Purse,
    slots: Sequence[Slot],
    on: date,
    kind: str,
    rule: AllocationRule,
    falls_due: Callable[[Slot], date],
    *,
    future: bool = True,
) -> None:
    """Pay the rows from the purse by the rule; `future`: also what is not due yet."""
    past = [slot for slot in slots if falls_due(slot) < on]
    today = [slot for slot in slots if falls_due(slot) == on]
    for group in (past, today):
        _in_turn(purse, group, rule.order, rule.processing)
    if not purse.left:
        return
    later = [slot for slot in slots if falls_due(slot) > on]
    if rule.due_charges_first:
        for slot in later:
            _due_charges(purse, slot, on, rule.order)
    if not future:
        return
    order = rule.advance_order or rule.order
    how = rule.future_rule(kind)
    if how is FutureRule.SPREAD:
        _evenly(purse, later, order, rule.processing)
    else:
        rows = later if how is FutureRule.NEXT else later[::-1]
        _in_turn(purse, rows, order, rule.processing)


def _in_turn(
    purse: Purse, slots: Iterable[Slot], order: Sequence[Component], processing: Processing
) -> None:
    slots = list(slots)
    if processing is Processing.HORIZONTAL:
        pairs = [(slot, component) for slot in slots for component in order]
    else:
        pairs = [(slot, component) for component in order for slot in slots]
    for slot, component in pairs:
        if not purse.left:
            return
        purse.give(slot, component, owed(slot, component))


def _due_charges(purse: Purse, slot: Slot, on: date, order: Sequence[Component]) -> None:
    for component in order:
        if component in (Component.FEE, Component.PENALTY):
            penalty = component is Component.PENALTY
            due = sum(
                money
                for due_on, money, is_penalty in slot.charges
                if is_penalty is penalty and due_on <= on
            )
            paid = slot.paid_penalty if penalty else slot.paid_fee
            purse.give(slot, component, due - paid)


def _evenly(
    purse: Purse, slots: Sequence[Slot], order: Sequence[Component], processing: Processing
) -> None:
    stages: list[Sequence[Component]]
    stages = [order] if processing is Processing.HORIZONTAL else [(one,) for one in order]
    for stage in stages:
        while purse.left:
            rows = [slot for slot in slots if any(owed(slot, one) > 0 for one in stage)]
            if not rows:
                break
            whole, count = purse.left, len(rows)
            each = half_even(whole, count)
            for position, slot in enumerate(rows):
                # The last one takes the rounding difference.
                share = whole - each * (count - 1) if position == count - 1 else each
                share = min(share, purse.left)
                for component in stage:
                    share -= purse.give(slot, component, min(share, owed(slot, component)))
