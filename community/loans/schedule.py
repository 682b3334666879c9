"""The terms that a loan froze, and what the arithmetic needs of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from community.arithmetic import plan, rate
from community.arithmetic.events import Disbursement
from community.arithmetic.terms import Contract
from community.products import schedule as products
from community.products.costs import PlannedFee, fees_by_row, fees_of
from community.products.schedule import (
    Row,
    add_months,
    due_dates,
    effective_yearly_rate,
    schedule,
    tranches,
)
from community.products.terms import (
    ProductTerms,
    SeasonCalendar,
    read_season,
    read_terms,
)

__all__ = [
    "Cost",
    "LoanTerms",
    "PlannedFee",
    "Row",
    "add_months",
    "contract_of",
    "cost_of",
    "due_dates",
    "effective_yearly_rate",
    "fees_by_row",
    "fees_of",
    "planned_rows",
    "planned_tranches",
    "read_loan_terms",
    "schedule",
    "yearly_rate_of",
]


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What a loan froze when it was applied for."""

    product: ProductTerms
    instalments: int
    season: SeasonCalendar | None = field(default=None)

    def to_document(self) -> dict[str, Any]:
        """The terms as the loan stores them."""
        return {
            "product": self.product.to_document(),
            "instalments": self.instalments,
            "season": self.season.to_document() if self.season else None,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a loan would cost if it were paid out on a day."""

    # When it goes out, and how much each time.
    tranches: tuple[tuple[date, int], ...]
    rows: tuple[Row, ...]
    principal_minor: int
    interest_minor: int
    fees: tuple[PlannedFee, ...]
    effective_yearly_rate_ppm: int

    @property
    def fees_minor(self) -> int:
        return sum(fee.amount_minor for fee in self.fees)

    @property
    def total_minor(self) -> int:
        return self.principal_minor + self.interest_minor + self.fees_minor

    def fees_by_row(self) -> list[int]:
        """What each row asks for in fees: those that fall due in its period."""
        return fees_by_row(self.rows, self.fees)


def read_loan_terms(document: Mapping[str, Any]) -> LoanTerms:
    """The terms that a loan stored."""
    season = document["season"]
    return LoanTerms(
        product=read_terms(document["product"]),
        instalments=document["instalments"],
        season=read_season(season) if season is not None else None,
    )


def contract_of(terms: LoanTerms, start_on: date) -> Contract:
    """A loan's terms as the arithmetic takes them, from the day of its first money."""
    return products.contract_of(terms.product, terms.instalments, start_on, terms.season)


def planned_tranches(
    terms: LoanTerms, principal_minor: int, start_on: date
) -> tuple[tuple[date, int], ...]:
    """The days and amounts in which a loan goes out that is first paid out on a day.

    A season may have tranches: what should have gone out by the first day goes out on it, and
    before the first of them that one does. Everything else goes out in one sum.
    """
    if terms.season is None or not terms.season.tranches:
        return ((start_on, principal_minor),)
    (_, first), *rest = tranches(principal_minor, terms.season, start_on)
    return ((start_on, first), *rest)


def planned_rows(terms: LoanTerms, principal_minor: int, start_on: date) -> tuple[Row, ...]:
    """The rows of a loan whose tranches go out on their days. Raises ScheduleImpossible."""
    parts = planned_tranches(terms, principal_minor, start_on)
    if len(parts) == 1:
        return schedule(terms.product, principal_minor, terms.instalments, start_on, terms.season)
    rows = plan.schedule(
        contract_of(terms, start_on), [Disbursement(day, amount) for day, amount in parts]
    )
    return tuple(
        Row(row.number, row.due_on, row.principal_minor, row.interest_minor) for row in rows
    )


def yearly_rate_of(
    paid_out: Sequence[tuple[date, int]], rows: Sequence[Row], fees: Sequence[int]
) -> int:
    """The effective yearly rate by all cash that moves, in ppm; `fees` are what each row asks for.

    Raises ScheduleImpossible beyond reason.
    """
    return rate.effective_yearly_rate(
        [
            *(rate.Flow(day, amount) for day, amount in paid_out),
            *(
                rate.Flow(row.due_on, -row.total_minor - fee)
                for row, fee in zip(rows, fees, strict=True)
            ),
        ]
    )


def cost_of(terms: LoanTerms, principal_minor: int, start_on: date) -> Cost:
    """The schedule, the fees and the effective rate of a loan. Raises ScheduleImpossible."""
    parts = planned_tranches(terms, principal_minor, start_on)
    rows = planned_rows(terms, principal_minor, start_on)
    fees = tuple(fees_of(terms.product, rows, principal_minor, start_on))
    return Cost(
        tranches=parts,
        rows=rows,
        principal_minor=principal_minor,
        interest_minor=sum(row.interest_minor for row in rows),
        fees=fees,
        effective_yearly_rate_ppm=yearly_rate_of(parts, rows, fees_by_row(rows, fees)),
    )
