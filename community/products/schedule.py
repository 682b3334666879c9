"""A product's repayment schedules: its terms put into the words of `community.arithmetic`.

The conventions are those of docs/arithmetic.md in their defaults: a month without the day takes
its last one; factors of 12 digits, half-even; one rounding a row; the last row takes the
difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from community.arithmetic import plan, rate
from community.arithmetic.calendar import add_months as add_months
from community.arithmetic.calendar import step
from community.arithmetic.events import Disbursement
from community.arithmetic.terms import AllocationRule, Contract, SeasonDue, Terms
from community.arithmetic.terms import Amortisation as How
from community.arithmetic.terms import Component as Part
from community.arithmetic.terms import DayCount as Days
from community.arithmetic.terms import PeriodUnit as Unit
from community.arithmetic.terms import RateMethod as Method
from community.products.errors import ScheduleImpossible
from community.products.terms import Amortisation, ProductTerms, SeasonCalendar


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
    return Contract(arithmetic_terms(terms), instalments, start_on, dues)


@lru_cache(maxsize=1024)
def arithmetic_terms(terms: ProductTerms) -> Terms:
    """A product's terms as the arithmetic takes them."""
    rest = [part for part in Part if part not in {one.value for one in terms.allocation_order}]
    return Terms(
        rate_method=Method(terms.rate_method),
        amortisation=How(terms.amortisation),
        yearly_rate_ppm=terms.yearly_rate_ppm,
        day_count=Days(terms.day_count),
        period_unit=Unit(terms.period_unit),
        period_length=terms.period_length,
        instalment_multiple_minor=terms.instalment_multiple_minor,
        # What the product does not name comes first: penalties and fees.
        allocation=AllocationRule(order=(*rest, *(Part(one) for one in terms.allocation_order))),
    )


def due_dates(terms: ProductTerms, instalments: int, start_on: date) -> list[date]:
    """The due date of each period: whole steps from the start, short months on their last day."""
    unit, length = Unit(terms.period_unit), terms.period_length
    return [step(start_on, unit, length * k) for k in range(1, instalments + 1)]


def effective_yearly_rate(rows: Sequence[Row], principal_minor: int, start_on: date) -> int:
    """The yearly rate by actual cash flows, in ppm: at it, what is paid is worth what was lent."""
    paid = [rate.Flow(row.due_on, -row.total_minor) for row in rows]
    return rate.effective_yearly_rate([rate.Flow(start_on, principal_minor), *paid])


def dearest_rate(terms: ProductTerms, start_on: date) -> int:
    """The highest effective yearly rate, in ppm, among the largest loans of each length.

    Only the shortest and the longest are looked at; what lies between is checked loan by loan.
    A seasonal product has no dates of its own: one whole year is taken, its nominal rate.
    """
    if terms.amortisation is Amortisation.SEASONAL:
        return terms.yearly_rate_ppm
    principal = terms.principal_minor_max
    return max(
        effective_yearly_rate(schedule(terms, principal, count, start_on), principal, start_on)
        for count in {terms.instalments_min, terms.instalments_max}
    )
