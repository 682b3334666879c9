"""What can happen to a loan, each on its day. A loan's state is a function of these alone.

An undone event is left out of the list. Among the events of a day, disbursements come first, then
changes of the plan (acceleration is one), then charges, then money in, then a write-off; among
equals, the order in which they are given.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from community.arithmetic.terms import Component, PeriodUnit


class ReceiptKind(StrEnum):
    """Kinds of money in. Terms may give each its own rule for instalments that are not due yet."""

    REPAYMENT = "repayment"
    DOWN_PAYMENT = "down_payment"
    GOODWILL_CREDIT = "goodwill_credit"
    MERCHANT_REFUND = "merchant_refund"
    PAYOUT_REFUND = "payout_refund"
    GUARANTOR = "guarantor"


class FrozenInterest(StrEnum):
    """What dues that are put off cost for the longer time."""

    RUNS = "runs"  # interest follows the days on which principal is due
    # No interest from the later of `on` and `from_on` until the last day to which one was put off.
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Disbursement:
    """Money paid out. Interest runs on it from this day."""

    on: date
    amount_minor: int
    key: str = ""
    # Whether the down payment comes with it; None: as the terms say.
    down_payment_auto: bool | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money in. `key` finds its parts in the state."""

    on: date
    amount_minor: int
    key: str
    kind: ReceiptKind = ReceiptKind.REPAYMENT


@dataclass(frozen=True, slots=True)
class RowReceipt:
    """Money in for one component of the instalment of a given due date, whatever the order says."""

    on: date
    amount_minor: int
    key: str
    component: Component
    due_on: date


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee or a penalty. It joins the instalment in whose period `on`, its due date, lies."""

    on: date
    amount_minor: int
    key: str
    kind: Component = Component.FEE


@dataclass(frozen=True, slots=True)
class ShareCharge:
    """A part of every instalment's dues of `base`, as a fee or penalty of that row.

    With `overdue_only` it is charged once, on the day after the due date, on what is unpaid then.
    """

    on: date
    share_ppm: int
    key: str
    kind: Component = Component.FEE
    base: tuple[Component, ...] = (Component.PRINCIPAL, Component.INTEREST)
    overdue_only: bool = False


@dataclass(frozen=True, slots=True)
class RateChange:
    """Another yearly rate: the interest of day `on`, from the evening before, is the first."""

    on: date
    yearly_rate_ppm: int


@dataclass(frozen=True, slots=True)
class InterestPause:
    """The interest of the days `on` to `until_on`, both included, is waived."""

    on: date
    until_on: date


@dataclass(frozen=True, slots=True)
class Reschedule:
    """A new plan from the instalment due on `from_due_on` (or the first one after it).

    `new_due_on` moves it, and all later ones step from there. `extra_instalments` spread what is
    left over more rows. `grace_principal` rows without principal are put before it,
    `grace_interest` rows collect no interest (it is carried on). A new rate counts from the start
    of that instalment's period.
    """

    on: date
    from_due_on: date
    new_due_on: date | None = None
    extra_instalments: int = 0
    grace_principal: int = 0
    grace_interest: int = 0
    yearly_rate_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class MoveDues:
    """What is unpaid on day `on` of the dues from `from_on` to `until_on` is due `days` later."""

    on: date
    from_on: date
    until_on: date
    days: int
    interest: FrozenInterest = FrozenInterest.RUNS


@dataclass(frozen=True, slots=True)
class SplitDues:
    """What is unpaid on day `on` of those dues is split: the first part stays, and each further
    one falls due `step` units after the one before; without a unit, `step` of the loan's periods.
    """

    on: date
    from_on: date
    until_on: date
    parts: int
    step: int = 1
    unit: PeriodUnit | None = None
    interest: FrozenInterest = FrozenInterest.RUNS


@dataclass(frozen=True, slots=True)
class FreezeDues:
    """Time stands still: the first unpaid due from `from_on` to `until_on` falls on `resume_on`,
    and every later one of the loan comes as many months later, or days if the months are not whole.

    `waived`: no interest until `resume_on`.
    """

    on: date
    from_on: date
    until_on: date
    resume_on: date
    interest: FrozenInterest = FrozenInterest.RUNS


@dataclass(frozen=True, slots=True)
class Payoff:
    """The loan is settled: interest counts only up to the day, later interest is dropped.

    Without an amount it is exactly what `payoff_minor` says, perhaps nothing: then what is still to
    come is dropped all the same, and there is no receipt. An amount that falls short settles
    nothing: it is then an ordinary receipt.
    """

    on: date
    key: str
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Accelerate:
    """All principal is due on the day; interest of periods that end later is dropped."""

    on: date


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Nothing more is expected: what is unpaid counts as written off. Money may still come."""

    on: date


Event = (
    Disbursement
    | Receipt
    | RowReceipt
    | Charge
    | ShareCharge
    | RateChange
    | InterestPause
    | Reschedule
    | MoveDues
    | SplitDues
    | FreezeDues
    | Payoff
    | Accelerate
    | WriteOff
)
