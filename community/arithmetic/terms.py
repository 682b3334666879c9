"""What a loan's arithmetic needs to know, as typed values. Every term has a default.

Amounts are whole minor units, rates parts per million a year, ratios ten thousandths. The
conventions behind every choice are stated, each with a worked example, in docs/arithmetic.md.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

from community.arithmetic.errors import ScheduleImpossible


class RateMethod(StrEnum):
    DECLINING_BALANCE = "declining_balance"  # on the principal that is still out
    FLAT = "flat"  # on the whole principal over the whole term
    NONE = "none"


class Amortisation(StrEnum):
    EQUAL_INSTALMENT = "equal_instalment"
    EQUAL_PRINCIPAL = "equal_principal"
    BULLET = "bullet"  # principal and interest in one sum at the end of the term
    INTEREST_ONLY = "interest_only"  # interest every period, principal at the end
    BALLOON = "balloon"  # a fixed part of the principal every period, the rest at the end
    SEASONAL = "seasonal"  # on given days by given weights


class DayCount(StrEnum):
    """How long a period is as a part of a year: what is counted / what it is divided by.

    `30` counts a month as 30 days; weeks and days always have their own length.
    """

    THIRTY_360 = "30/360"
    THIRTY_364 = "30/364"
    THIRTY_365 = "30/365"
    THIRTY_ACTUAL = "30/actual"
    ACTUAL_360 = "actual/360"
    ACTUAL_364 = "actual/364"
    ACTUAL_365 = "actual/365"
    ACTUAL_ACTUAL = "actual/actual"  # each year's days by that year's length
    PERIOD = "period"  # months / 12, weeks / 52, days / 365, whatever the calendar says


class PeriodUnit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class MonthEnd(StrEnum):
    """When a month lacks the start's day. Either way the next step counts from the start again."""

    CLAMP = "clamp"  # its last day
    ROLL = "roll"  # the 1st of the next month


class Component(StrEnum):
    """What money can be owed for."""

    PENALTY = "penalty"
    FEE = "fee"
    INTEREST = "interest"
    PRINCIPAL = "principal"


class Processing(StrEnum):
    HORIZONTAL = "horizontal"  # one instalment with all its components, then the next
    VERTICAL = "vertical"  # one component of all instalments, then the next


class FutureRule(StrEnum):
    """Which instalment that is not due yet takes money first."""

    NEXT = "next"
    LAST = "last"
    SPREAD = "spread"  # evenly over all of them


class Recalculation(StrEnum):
    """Whether what is really paid, and when, changes the interest."""

    NONE = "none"
    DAILY = "daily"  # money counts from its own day
    PERIOD = "period"  # money counts from the end of the period in which it came


class EarlyMoney(StrEnum):
    """What principal paid before its time shortens, under recalculation."""

    REDUCE_INSTALMENT = "reduce_instalment"
    REDUCE_NUMBER = "reduce_number"
    ADJUST_LAST = "adjust_last"


class EarlyOrder(StrEnum):
    """What money pays that comes before an instalment is due, under recalculation."""

    ACCRUED = "accrued"  # the row as it stands that day, in the allocation's order
    PRINCIPAL = "principal"  # principal of the running row alone, without limit


class LateInterest(StrEnum):
    """Whether principal that is late goes on bearing interest, under recalculation."""

    UNTIL_PAID = "until_paid"
    RUNNING_PERIOD = "running_period"  # only since the last due date
    NEVER = "never"  # as if it had been paid on time


class InterestRounding(StrEnum):
    PERIOD = "period"  # the sum of a period is rounded
    PART = "part"  # each part of a period with a balance or rate of its own is rounded


class InstalmentBase(StrEnum):
    """From which factors the equal instalment is worked out."""

    PERIODS = "periods"  # those that the interest is charged by
    THIRTY_DAY_MONTHS = "thirty_day_months"  # months of 30 days, though interest counts real days


class PayoffInterest(StrEnum):
    TO_DAY = "to_day"
    TO_NEXT_DUE = "to_next_due"


class PenaltyBase(StrEnum):
    PRINCIPAL = "principal"
    PRINCIPAL_AND_INTEREST = "principal_and_interest"


DEFAULT_ORDER = (Component.PENALTY, Component.FEE, Component.INTEREST, Component.PRINCIPAL)


@dataclass(frozen=True, slots=True)
class AllocationRule:
    """How a payment is spread: past due first, then due on the day, then in advance.

    `order` holds inside each group; `advance_order`, if given, inside the last one. `future` names
    the rule for kinds of money that do not follow `future_default`. `due_charges_first`: charges
    that have fallen due, of instalments that have not, come before those instalments.
    """

    order: tuple[Component, ...] = DEFAULT_ORDER
    advance_order: tuple[Component, ...] | None = None
    processing: Processing = Processing.HORIZONTAL
    future_default: FutureRule = FutureRule.NEXT
    future: tuple[tuple[str, FutureRule], ...] = ()
    due_charges_first: bool = False
    # Receipts of one kind and day are spread as one sum, and then shared out in their order.
    pool_same_day: bool = True

    def __post_init__(self) -> None:
        for order in (self.order, self.advance_order or self.order):
            if sorted(order) != sorted(Component):
                raise ScheduleImpossible(
                    "An allocation order names each component once.", field="allocation"
                )

    def future_rule(self, kind: str) -> FutureRule:
        """The rule for money of this kind."""
        return next((rule for name, rule in self.future if name == kind), self.future_default)


@dataclass(frozen=True, slots=True)
class PenaltyRule:
    """A yearly rate on what is overdue, for each day after `grace_days` past the due date."""

    yearly_rate_ppm: int
    grace_days: int = 0
    base: PenaltyBase = PenaltyBase.PRINCIPAL
    year_days: int = 365


@dataclass(frozen=True)
class Terms:
    """Everything about a loan but its amount, its length and its days."""

    rate_method: RateMethod = RateMethod.DECLINING_BALANCE
    amortisation: Amortisation = Amortisation.EQUAL_INSTALMENT
    yearly_rate_ppm: int = 0
    day_count: DayCount = DayCount.THIRTY_360
    period_unit: PeriodUnit = PeriodUnit.MONTH
    period_length: int = 1
    month_end: MonthEnd = MonthEnd.CLAMP
    # Periods at the start without principal.
    grace_principal: int = 0
    # Periods at the start whose interest is collected with the first period after them.
    grace_interest: int = 0
    # Balloon: the part of the principal that each instalment but the last repays.
    principal_share_bps: int = 0
    # Part of every disbursement that is paid back on its own day, as a row of its own.
    down_payment_bps: int = 0
    # Whether that row is paid by the disbursement itself, without a receipt.
    down_payment_auto: bool = False
    # Instalments are whole multiples of this, the last takes the rest; 1: every minor unit.
    instalment_multiple_minor: int = 1
    # Every amount is a whole multiple of this, half up; 1: minor units, half-even.
    amount_multiple_minor: int = 1
    interest_rounding: InterestRounding = InterestRounding.PERIOD
    instalment_base: InstalmentBase = InstalmentBase.PERIODS
    # Try once to bring the last instalment closer to the others.
    even_out_last: bool = False
    recalculation: Recalculation = Recalculation.NONE
    early_money: EarlyMoney = EarlyMoney.ADJUST_LAST
    early_order: EarlyOrder = EarlyOrder.ACCRUED
    late_interest: LateInterest = LateInterest.UNTIL_PAID
    # Under recalculation: late interest bears interest like late principal.
    compound_late_interest: bool = False
    payoff_interest: PayoffInterest = PayoffInterest.TO_DAY
    allocation: AllocationRule = AllocationRule()
    penalty: PenaltyRule | None = None

    def __post_init__(self) -> None:
        for name in ("yearly_rate_ppm", "grace_principal", "grace_interest"):
            if getattr(self, name) < 0:
                raise ScheduleImpossible(f"{name} is not negative.", field=name)
        for name in ("period_length", "instalment_multiple_minor", "amount_multiple_minor"):
            if getattr(self, name) < 1:
                raise ScheduleImpossible(f"{name} is at least 1.", field=name)
        for name in ("principal_share_bps", "down_payment_bps"):
            if not 0 <= getattr(self, name) <= 10_000:
                raise ScheduleImpossible(f"{name} is from 0 to 10000.", field=name)

    @property
    def bears_interest(self) -> bool:
        return self.rate_method is not RateMethod.NONE and self.yearly_rate_ppm > 0

    @cached_property
    def memory(self) -> dict[Any, Any]:
        """Factors worked out before for these terms. It changes no result."""
        return {}


@dataclass(frozen=True, slots=True)
class SeasonDue:
    """A day on which part of a seasonal loan falls due, and how much of it (relative weight)."""

    due_on: date
    weight: int


@dataclass(frozen=True, slots=True)
class Contract:
    """Terms, how many periods, from which day; `season` for seasonal loans."""

    terms: Terms
    instalments: int
    start_on: date
    season: tuple[SeasonDue, ...] = ()

    def __post_init__(self) -> None:
        if self.terms.amortisation is Amortisation.SEASONAL:
            days = [due.due_on for due in self.season]
            if not days:
                raise ScheduleImpossible("A seasonal schedule needs its season.", field="season")
            if days != sorted(set(days)) or days[0] <= self.start_on:
                raise ScheduleImpossible(
                    "Seasonal dues have days of their own, in order, after the start.",
                    field="season",
                )
            if any(due.weight < 1 for due in self.season):
                raise ScheduleImpossible("A weight is at least 1.", field="season")
        elif self.instalments < 1:
            raise ScheduleImpossible("A schedule needs at least one instalment.")
