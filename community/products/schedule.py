"""A product's repayment schedules: its terms put into the words of `community.arithmetic`.

The conventions are those of docs/arithmetic.md in their defaults: a month without the day takes
its last one; factors of 12 digits, half-even; one rounding a row; the last row takes the
difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from community.arithmetic import plan, rate
from community.arithmetic.calendar import add_months as add_months
from community.arithmetic.calendar import step
from community.arithmetic.events import Disbursement
from community.arithmetic.terms import Contract, SeasonDue
from community.money import allocate
from community.products.errors import ScheduleImpossible
from community.products.terms import Amortisation, ProductTerms, SeasonCalendar, arithmetic_of


@dataclass(frozen=True, slots=True)
class Row:
    """One due of a schedule."""

    number: int
    due_on: date
    principal_minor: int
    interest_minor: int

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor


def schedule(
    terms: ProductTerms,
    principal_minor: int,
    instalments: int,
    start_on: date,
    season: SeasonCalendar | None = None,
) -> tuple[Row, ...]:
    """The rows of a loan paid out on `start_on`; their principal sums to the loan.

    `instalments` counts periods; a bullet loan has one row, after the last of them. A seasonal
    loan has one row per selling window, whatever `instalments` says, and nothing is due before.
    Raises ScheduleImpossible: no season for a seasonal loan, or its first selling day has come.
    """
    if principal_minor <= 0 or instalments <= 0:
        raise ScheduleImpossible("A schedule needs an amount and at least one instalment.")
    contract = contract_of(terms, instalments, start_on, season)
    rows = plan.schedule(contract, [Disbursement(start_on, principal_minor)])
    return tuple(
        [Row(row.number, row.due_on, row.principal_minor, row.interest_minor) for row in rows]
    )


def contract_of(
    terms: ProductTerms, instalments: int, start_on: date, season: SeasonCalendar | None = None
) -> Contract:
    """The contract of a loan of this product, as the arithmetic takes it.

    Raises ScheduleImpossible as `schedule` does.
    """
    dues: tuple[SeasonDue, ...] = ()
    if terms.amortisation is Amortisation.SEASONAL:
        if season is None:
            raise ScheduleImpossible("A seasonal schedule needs its season.", field="season")
        if start_on >= season.harvest_from:
            raise ScheduleImpossible(
                f"The harvest begins on {season.harvest_from}; money for sowing comes before.",
                field="season",
            )
        dues = tuple(SeasonDue(window.due_on, window.weight) for window in season.selling)
    return Contract(arithmetic_of(terms), instalments, start_on, dues)


def due_dates(terms: ProductTerms, instalments: int, start_on: date) -> list[date]:
    """The due date of each period: whole steps from the start, short months on their last day."""
    unit, length, end = terms.period_unit, terms.period_length, terms.month_end
    return [step(start_on, unit, length * k, end) for k in range(1, instalments + 1)]


def tranches(
    principal_minor: int, calendar: SeasonCalendar, start_on: date | None = None
) -> tuple[tuple[date, int], ...]:
    """When a seasonal loan is paid out, and how much each time; the amounts sum to the loan.

    Shares follow the weights, left-over units go one each to the largest weight, ties to the
    earlier day. Tranches that share nothing are left out. A calendar without tranches pays in one
    sum on the first day of sowing. With `start_on`, whatever should have gone out before that day
    goes out on it.
    """
    if principal_minor <= 0:
        raise ScheduleImpossible("A loan that is paid out has an amount.")
    if not calendar.tranches:
        planned = [(calendar.sow_from, principal_minor)]
    else:
        shares = allocate(principal_minor, [tranche.weight for tranche in calendar.tranches])
        planned = [(t.pay_on, share) for t, share in zip(calendar.tranches, shares, strict=True)]
    by_day: dict[date, int] = {}
    for day, amount in planned:
        paid_on = day if start_on is None else max(day, start_on)
        by_day[paid_on] = by_day.get(paid_on, 0) + amount
    return tuple((day, amount) for day, amount in sorted(by_day.items()) if amount)


def effective_yearly_rate(
    rows: Sequence[Row], principal_minor: int, start_on: date, fees: Sequence[int] = ()
) -> int:
    """The yearly rate by actual cash flows, in ppm: at it, what is paid is worth what was lent.

    `fees` are what each row asks for beside principal and interest.
    """
    paid = [
        rate.Flow(row.due_on, -(row.total_minor + fee))
        for row, fee in zip(rows, fees or [0] * len(rows), strict=True)
    ]
    return rate.effective_yearly_rate([rate.Flow(start_on, principal_minor), *paid])
