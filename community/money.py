"""Money as exact integers: an amount in minor units and its currency.

No float can enter and no cent can get lost: divisions are only offered as allocations whose
parts sum to the whole, with the remainder rule stated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from community.errors import AmountOutOfRange, CurrencyMismatch, Invalid

# ISO 4217 exponents of the currencies that the platform is ready for.
CURRENCY_EXPONENTS: dict[str, int] = {
    "CNY": 2, "USD": 2, "EUR": 2, "INR": 2, "KES": 2, "TZS": 2, "PHP": 2, "BDT": 2, "MXN": 2,
    "IDR": 2, "THB": 2, "VND": 0, "JPY": 0, "XOF": 0, "RWF": 0, "UGX": 0, "TND": 3, "JOD": 3,
}  # fmt: skip

# A column of 64 bits holds more, but sums over a whole book must fit too.
AMOUNT_MINOR_MAX = 10**15

_DECIMAL = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount: `amount_minor` whole minor units of `currency` (ISO 4217)."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise Invalid("Money is counted in whole minor units.", field="amount_minor")
        if self.currency not in CURRENCY_EXPONENTS:
            raise Invalid(f"Unknown currency {self.currency!r}.", field="currency")

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read `"120.50"` exactly; refuse more decimals than the currency has."""
        if currency not in CURRENCY_EXPONENTS:
            raise Invalid(f"Unknown currency {currency!r}.", field="currency")
        return cls(parse_minor(text, currency), currency)

    def __str__(self) -> str:
        return format_minor(self.amount_minor, self.currency)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.amount_minor + self._same(other), self.currency)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.amount_minor - self._same(other), self.currency)

    def __neg__(self) -> Self:
        return type(self)(-self.amount_minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        return self.amount_minor < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.amount_minor <= self._same(other)

    def __bool__(self) -> bool:
        raise TypeError("Ask for is_positive or compare amounts: zero money is still money.")

    @property
    def is_positive(self) -> bool:
        return self.amount_minor > 0

    def _same(self, other: Self) -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(
                f"{self.currency} and {other.currency} cannot be put together.",
                expected=self.currency,
                given=other.currency,
            )
        return other.amount_minor


def parse_minor(text: object, currency: str) -> int:
    """Minor units of a decimal text; refuses floats, exponents, spaces and too many decimals."""
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise Invalid("An amount is a text of digits such as '120.50'.", field="amount")
    exponent = CURRENCY_EXPONENTS[currency]
    whole, _, decimals = text.partition(".")
    if len(decimals) > exponent:
        raise Invalid(f"{currency} has {exponent} decimals.", field="amount")
    minor = int(whole.lstrip("-") + decimals.ljust(exponent, "0"))
    if minor > AMOUNT_MINOR_MAX:
        raise AmountOutOfRange("The amount is larger than the books can hold.", field="amount")
    return -minor if text.startswith("-") else minor


def format_minor(amount_minor: int, currency: str) -> str:
    """Decimal text of minor units with all the currency's decimals: 12050 CNY is '120.50'."""
    exponent = CURRENCY_EXPONENTS[currency]
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def say_amount(amount_minor: int, currency: str, language: str = "en") -> str:
    """An amount in a sentence, as the pages show it: 'CNY 2,000.00', '2,000.00 元'."""
    whole, point, decimals = format_minor(abs(amount_minor), currency).partition(".")
    figure = f"{'-' if amount_minor < 0 else ''}{int(whole):,}{point}{decimals}"
    if language == "en":
        return f"{currency} {figure}"
    return f"{figure} {'元' if currency == 'CNY' else currency}"


def round_half_even(value: Fraction) -> int:
    """The nearest whole minor unit; exact halves go to the even neighbour."""
    return round(value)


def share_bps(amount_minor: int, bps: int, *, up: bool = False) -> int:
    """`bps` ten-thousandths of an amount, rounded down, or up where cover must not fall short."""
    product = amount_minor * bps
    return -(-product // 10_000) if up else product // 10_000


def allocate(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights so that the parts sum to it exactly.

    Everybody gets the rounded-down share; the units left over go one each to the largest
    weights, ties to the earlier position. All weights zero: only a zero total can be split.
    """
    if total_minor < 0 or any(weight < 0 for weight in weights):
        raise Invalid("Only amounts and weights from zero up can be allocated.")
    base = sum(weights)
    if base == 0:
        if total_minor:
            raise Invalid("There is nobody to allocate this amount to.")
        return [0] * len(weights)
    parts = [total_minor * weight // base for weight in weights]
    left = total_minor - sum(parts)
    order = sorted(range(len(weights)), key=lambda i: (-weights[i], i))
    for i in order[:left]:
        parts[i] += 1
    return parts
