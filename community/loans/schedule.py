"""The terms that a loan froze, and what the arithmetic needs of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from community.arithmetic.terms import Contract
from community.products import schedule as products
from community.products.costs import PlannedFee, fees_by_row, fees_of
from community.products.schedule import (
    Row,
    add_months,
    due_dates,
    effective_yearly_rate,
    schedule,
)
from community.products.terms import (
    ProductTerms,
    SeasonCalendar,
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
    "fees_by_row",
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
