"""How a payment is spread over a loan's instalments. Pure.

Past due comes first, then what is due on the day, then what is due later; within each, the older
instalment first, and inside an instalment the product's order of interest and principal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from community.errors import Invalid
from community.products.terms import Component


@dataclass(frozen=True, slots=True)
class Due:
    """What is unpaid of one instalment."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


@dataclass(frozen=True, slots=True)
class Part:
    """What a payment pays of one instalment."""

    number: int
    principal_minor: int
    interest_minor: int


@dataclass(frozen=True, slots=True)
class Spread:
    """A payment's parts, and what is left when nothing more is owed."""

    parts: tuple[Part, ...]
    leftover_minor: int

    @property
    def principal_minor(self) -> int:
        return sum(part.principal_minor for part in self.parts)

    @property
    def interest_minor(self) -> int:
        return sum(part.interest_minor for part in self.parts)


@dataclass(frozen=True, slots=True)
class Debt:
    """What a loan owes on a day. `overdue` is what fell due before the day and is unpaid."""

    principal_minor: int
    interest_minor: int
    # Due on the day or before it.
    due_minor: int
    overdue_minor: int
    overdue_since_on: date | None
    days_overdue: int

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


def receive(
    rows: Iterable[Due],
    amount_minor: int,
    on: date,
    accelerated_on: date | None,
    order: Sequence[Component],
) -> Spread:
    """The parts of a payment of `amount_minor` on a day. Parts and leftover sum to the amount.

    Of an accelerated loan only the interest that fell due up to `accelerated_on` is still owed.
    """
    if amount_minor < 0:
        raise Invalid("A payment is not negative.", field="amount")
    parts: list[Part] = []
    left = amount_minor
    for row in sorted(payable(rows, accelerated_on), key=lambda row: _rank(row, on)):
        paid = {Component.PRINCIPAL: 0, Component.INTEREST: 0}
        for component in order:
            owed = row.interest_minor if component is Component.INTEREST else row.principal_minor
            paid[component] = min(left, owed)
            left -= paid[component]
        if any(paid.values()):
            parts.append(Part(row.number, paid[Component.PRINCIPAL], paid[Component.INTEREST]))
    return Spread(tuple(parts), left)


def debt(rows: Iterable[Due], on: date, accelerated_on: date | None) -> Debt:
    """What the unpaid instalments owe on a day.

    Interest is owed as the schedule has it. Acceleration makes all principal due on its day.
    """
    owed = [row for row in payable(rows, accelerated_on) if row.total_minor]
    principal = sum(row.principal_minor for row in owed)
    interest = sum(row.interest_minor for row in owed)
    due_days = [(row, _falls_due(row, accelerated_on)) for row in owed]
    late = [day for _, day in due_days if day < on]
    since = min(late, default=None)
    return Debt(
        principal_minor=principal,
        interest_minor=interest,
        due_minor=sum(row.total_minor for row, day in due_days if day <= on),
        overdue_minor=sum(row.total_minor for row, day in due_days if day < on),
        overdue_since_on=since,
        days_overdue=(on - since).days if since is not None else 0,
    )


def payable(rows: Iterable[Due], accelerated_on: date | None) -> list[Due]:
    """The rows without the interest that acceleration dropped."""
    if accelerated_on is None:
        return list(rows)
    return [
        row if row.due_on <= accelerated_on else Due(row.number, row.due_on, row.principal_minor, 0)
        for row in rows
    ]


def _falls_due(row: Due, accelerated_on: date | None) -> date:
    return row.due_on if accelerated_on is None else min(row.due_on, accelerated_on)


def _rank(row: Due, on: date) -> tuple[int, date, int]:
    group = 0 if row.due_on < on else 1 if row.due_on == on else 2
    return group, row.due_on, row.number
