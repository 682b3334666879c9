"""The terms that a loan froze. The arithmetic on them is `products.schedule`, offered here too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from community.products.schedule import (
    Row,
    add_months,
    due_dates,
    effective_yearly_rate,
    schedule,
)
from community.products.terms import ProductTerms, SeasonCalendar, read_season, read_terms

__all__ = [
    "LoanTerms",
    "Row",
    "add_months",
    "due_dates",
    "effective_yearly_rate",
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
