"""What the arithmetic answers with: planned rows, and a loan's state on a day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple


class Row(NamedTuple):
    """One due of a schedule."""

    number: int
    from_on: date
    due_on: date
    principal_minor: int
    interest_minor: int
    # The part of a disbursement that is paid back on its own day.
    down_payment: bool = False

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


class Amounts(NamedTuple):
    """Money by component, in minor units."""

    principal_minor: int = 0
    interest_minor: int = 0
    fee_minor: int = 0
    penalty_minor: int = 0

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor + self.fee_minor + self.penalty_minor


class Part(NamedTuple):
    """What one receipt paid of one row."""

    number: int
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class RowState:
    """One due on a day: what is due and paid of it, and when it was paid."""

    number: int
    from_on: date
    due_on: date
    due: Amounts
    paid: Amounts
    # Paid before the due date, and after it.
    in_advance_minor: int
    late_minor: int
    # When nothing was left; None while something is unpaid, and of rows with nothing due.
    paid_on: date | None
    down_payment: bool = False
    # An extra row for charges after the last instalment.
    charges_only: bool = False

    @property
    def unpaid(self) -> Amounts:
        return Amounts(*(due - paid for due, paid in zip(self.due, self.paid, strict=True)))

    @property
    def unpaid_minor(self) -> int:
        return self.due.total_minor - self.paid.total_minor


@dataclass(frozen=True, slots=True)
class ReceiptState:
    """One receipt's parts: amounts + overpaid = amount."""

    key: str
    on: date
    amount_minor: int
    amounts: Amounts
    overpaid_minor: int
    parts: tuple[Part, ...]
    # Principal outstanding after it.
    principal_left_minor: int


@dataclass(frozen=True, slots=True)
class State:
    """A loan on the day `on`, by the events up to it."""

    on: date
    rows: tuple[RowState, ...]
    receipts: Mapping[str, ReceiptState]
    disbursed_minor: int
    # Everything still owed by the plan, interest as scheduled to the end.
    outstanding: Amounts
    # Due before `on` and unpaid.
    overdue: Amounts
    # Due on `on` or before, and unpaid.
    due: Amounts
    overdue_since_on: date | None
    days_overdue: int
    overpaid_minor: int
    # Interest up to the close of `on`, whether due or not.
    earned_interest_minor: int
    written_off: Amounts = field(default=Amounts())

    @property
    def closed(self) -> bool:
        """Nothing is owed any more, after something was lent."""
        return bool(self.disbursed_minor) and not self.outstanding.total_minor
