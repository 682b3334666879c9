"""What a charter sets against a product's terms. Pure."""

from community.communities.charter import CharterRules
from community.products.errors import LiabilityModeNotAllowed, RateAboveCap
from community.products.terms import ProductTerms


def check_rate(
    yearly_rate_ppm: int, charter: CharterRules, *, charter_version: int, **members: str
) -> None:
    """Refuse a yearly rate above the charter's cap; the refusal names the cap's basis."""
    if yearly_rate_ppm > charter.yearly_rate_ppm_max:
        raise RateAboveCap(
            f"{percent(yearly_rate_ppm)} a year is above the cap of "
            f"{percent(charter.yearly_rate_ppm_max)}: {charter.rate_cap_basis}",
            rule="yearly_rate_ppm_max",
            rate_cap_basis=charter.rate_cap_basis,
            yearly_rate_ppm=yearly_rate_ppm,
            yearly_rate_ppm_max=charter.yearly_rate_ppm_max,
            charter_version=charter_version,
            **members,
        )


def check_liability_mode(terms: ProductTerms, charter: CharterRules) -> None:
    """Refuse a liability mode that the charter does not list."""
    if terms.liability_mode not in charter.liability_modes:
        raise LiabilityModeNotAllowed(
            f"The charter allows {', '.join(charter.liability_modes)}.",
            rule="liability_modes",
            field="liability_mode",
            allowed=[mode.value for mode in charter.liability_modes],
        )


def percent(ppm: int) -> str:
    """A rate in ppm as people read it: 126825 is '12.6825 %'."""
    text = f"{ppm // 10_000}.{ppm % 10_000:04d}".rstrip("0").rstrip(".")
    return f"{text} %"
