"""The terms that a loan froze, and what the arithmetic needs of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from community.arithmetic.terms import Contract, SeasonDue
from community.products.schedule import (
    Row,
    add_months,
    due_dates,
    effective_yearly_rate,
    schedule,
)
from community.products.terms import (
    Amortisation,
    FeeMoment,
    ProductTerms,
    SeasonCalendar,
    arithmetic_of,
    read_season,
    read_terms,
)

__all__ = [
    "LoanTerms",
    "PlannedFee",
    "Row",
    "add_months",
    "contract_of",
    "due_dates",
    "effective_yearly_rate",
    "fees_of",
    "read_loan_terms",
    "schedule",
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
class PlannedFee:
    """A fee of the product on its day."""

    name: str
    due_on: date
    amount_minor: int


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
    windows = terms.season.selling if terms.season is not None else ()
    seasonal = terms.product.amortisation is Amortisation.SEASONAL
    return Contract(
        terms=arithmetic_of(terms.product),
        instalments=terms.instalments,
        start_on=start_on,
        season=tuple(SeasonDue(window.due_on, window.weight) for window in windows)
        if seasonal
        else (),
    )


def fees_of(
    terms: ProductTerms, rows: Sequence[Row], principal_minor: int, start_on: date
) -> list[PlannedFee]:
    """The product's fees on a loan paid out on a day: at once, and with each instalment."""
    planned = []
    for fee in terms.fees:
        if fee.moment is FeeMoment.DISBURSEMENT:
            planned.append(PlannedFee(fee.name, start_on, fee.on(principal_minor)))
        else:
            planned += [
                PlannedFee(fee.name, row.due_on, fee.on(row.principal_minor)) for row in rows
            ]
    return [fee for fee in planned if fee.amount_minor]
