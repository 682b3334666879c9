"""What a product costs a borrower: its fees on their days, and its dearest rate. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from community.products.schedule import Row, effective_yearly_rate, schedule
from community.products.terms import Amortisation, FeeMoment, ProductTerms


@dataclass(frozen=True, slots=True)
class PlannedFee:
    """A fee of the product on its day."""

    name: str
    due_on: date
    amount_minor: int


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


def fees_by_row(rows: Sequence[Row], fees: Sequence[PlannedFee]) -> list[int]:
    """What each row asks for in fees: those that fall due in its period."""
    found = [0] * len(rows)
    for fee in fees:
        place = next((i for i, row in enumerate(rows) if fee.due_on <= row.due_on), len(rows) - 1)
        found[place] += fee.amount_minor
    return found


def dearest_rate(terms: ProductTerms, start_on: date) -> int:
    """The highest effective yearly rate, in ppm, among the largest loans of each length.

    Only the shortest and the longest are looked at; what lies between is checked loan by loan.
    A seasonal product has no dates of its own: one whole year is taken, its nominal rate.
    """
    if terms.amortisation is Amortisation.SEASONAL:
        return terms.yearly_rate_ppm
    principal = terms.principal_minor_max
    rates = []
    for count in {terms.instalments_min, terms.instalments_max}:
        rows = schedule(terms, principal, count, start_on)
        fees = fees_by_row(rows, fees_of(terms, rows, principal, start_on))
        rates.append(effective_yearly_rate(rows, principal, start_on, fees))
    return max(rates)
