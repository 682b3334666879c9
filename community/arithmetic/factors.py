"""Interest factors: exact integers from rates and days.

A factor is the interest on one unit of principal, with 12 significant digits, rounded half-even.
It is kept as a pair of whole numbers, so that interest is one integer product and one rounding.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from community.arithmetic.calendar import nominal_years, period_years, span_years, step
from community.arithmetic.terms import (
    Amortisation,
    Contract,
    DayCount,
    InstalmentBase,
    PeriodUnit,
    Terms,
)

# The ambient decimal context, which anybody may change, has no part in any result.
FACTORS = Context(prec=12, rounding=ROUND_HALF_EVEN)
_MILLION = 1_000_000
# How many answers the terms of one product keep.
_MEMORY = 4096

Ratio = tuple[int, int]
NOTHING: Ratio = (0, 1)


def half_even(numerator: int, denominator: int) -> int:
    """The nearest whole number to a fraction; exact halves go to the even neighbour."""
    whole, rest = divmod(numerator, denominator)
    rest *= 2
    if rest > denominator or (rest == denominator and whole & 1):
        return whole + 1
    return whole


def to_multiple(numerator: int, denominator: int, multiple: int) -> int:
    """The nearest multiple; exact halves go to the even one."""
    return half_even(numerator, denominator * multiple) * multiple


def amount(numerator: int, denominator: int, multiple: int) -> int:
    """An amount of money: half-even to minor units, or half up to a coarser multiple."""
    if multiple == 1:
        return half_even(numerator, denominator)
    return (2 * numerator + denominator * multiple) // (2 * denominator * multiple) * multiple


def plus(one: Ratio, other: Ratio) -> Ratio:
    """The exact sum. It is not reduced: that would take longer than what follows."""
    if one[1] == other[1]:
        return one[0] + other[0], one[1]
    return one[0] * other[1] + other[0] * one[1], one[1] * other[1]


def twelve_digits(numerator: int, denominator: int) -> Ratio:
    """A factor as it is used: 12 significant digits."""
    if not numerator:
        return NOTHING
    return FACTORS.divide(Decimal(numerator), Decimal(denominator)).as_integer_ratio()


def annuity(factors: Sequence[Ratio]) -> Ratio:
    """The equal instalment on one unit: Π(1 + f) / F, with F_1 = 1, F_k = 1 + F_(k-1) (1 + f_k)."""
    growth, weight, one = Decimal(1), Decimal(0), Decimal(1)
    for numerator, denominator in factors:
        grown = FACTORS.add(one, FACTORS.divide(Decimal(numerator), Decimal(denominator)))
        growth = FACTORS.multiply(growth, grown)
        weight = FACTORS.add(one, FACTORS.multiply(weight, grown))
    return (Fraction(growth) / Fraction(weight)).as_integer_ratio()


@dataclass(slots=True)
class Grid:
    """A contract's periods: where each begins and ends, and what part of a year it is.

    It goes on past the last instalment, so that interest between any two days is defined: a part
    of a period bears its share, by days, of the whole period's factor.
    """

    terms: Terms
    bounds: list[date]
    # From which day, and from which bound on, further bounds are stepped off.
    anchor_on: date
    anchor_at: int
    # The first bound is where interest begins to be defined; before it there is none.
    years: list[Fraction]

    def copy(self) -> "Grid":
        return Grid(self.terms, list(self.bounds), self.anchor_on, self.anchor_at, list(self.years))

    def bound(self, index: int) -> date:
        """The end of period `index` (from 1); 0 is the start."""
        while len(self.bounds) <= index:
            self._extend()
        return self.bounds[index]

    def period_of(self, day: date) -> int:
        """The period, from 1, with begin <= day < end."""
        while self.bounds[-1] <= day:
            self._extend()
        return max(bisect_right(self.bounds, day), 1)

    def rebase(self, index: int, day: date) -> None:
        """Let period `index` end on another day, and all later ones step off from there."""
        del self.bounds[index:]
        del self.years[index - 1 :]
        self.anchor_on, self.anchor_at = day, index
        self.append(day)

    def factor(self, index: int, rate_ppm: int) -> Ratio:
        """The factor of the whole period `index` at a yearly rate."""
        self.bound(index)
        years, per = self.years[index - 1].as_integer_ratio()
        key = (years, per, rate_ppm)
        memory = self.terms.memory
        found = memory.get(key)
        if found is None:
            exact = rate_ppm * years, per * _MILLION
            # A bullet loan has one interest figure, rounded once.
            bullet = self.terms.amortisation is Amortisation.BULLET
            found = memory[key] = exact if bullet else twelve_digits(*exact)
        ratio: Ratio = found
        return ratio

    def between(self, from_on: date, to_on: date, rate_ppm: int) -> Ratio:
        """The exact factor between any two days at one rate."""
        total = NOTHING
        if to_on <= from_on or not rate_ppm:
            return total
        index = self.period_of(from_on)
        while from_on < to_on:
            begin, end = self.bound(index - 1), self.bound(index)
            stop = min(end, to_on)
            numerator, denominator = self.factor(index, rate_ppm)
            days = (end - begin).days
            part = (stop - max(from_on, begin)).days
            if part != days:
                numerator, denominator = numerator * part, denominator * days
            total = plus(total, (numerator, denominator)) if total[0] else (numerator, denominator)
            from_on = stop
            index += 1
        return total

    def _extend(self) -> None:
        terms = self.terms
        index = len(self.bounds)
        if terms.amortisation is Amortisation.SEASONAL:
            self.append(step(self.bounds[-1], PeriodUnit.MONTH, 12))
            return
        count = (index - self.anchor_at) * terms.period_length
        self.append(step(self.anchor_on, terms.period_unit, count, terms.month_end))

    def append(self, day: date) -> None:
        """One more period, up to a day."""
        terms, before = self.terms, self.bounds[-1]
        self.bounds.append(day)
        if terms.amortisation is Amortisation.SEASONAL:
            self.years.append(span_years(terms.day_count, before, day))
        else:
            self.years.append(
                period_years(terms.day_count, terms.period_unit, terms.period_length, before, day)
            )


@dataclass(frozen=True, slots=True)
class Frame:
    """What all loans of the same terms, length and first day share. Nobody changes it."""

    grid: Grid
    bounds: tuple[date, ...]
    # Of every period at the terms' own rate.
    factors: tuple[Ratio, ...]
    # The equal instalment on one unit, over the periods with principal.
    instalment: Ratio


def frame_of(contract: Contract) -> Frame:
    """The frame of a contract, worked out once."""
    terms = contract.terms
    key = (contract.instalments, contract.start_on, contract.season)
    memory = terms.memory
    found = memory.get(key)
    if found is None:
        if len(memory) > _MEMORY:
            memory.clear()
        found = memory[key] = _new_frame(contract)
    frame: Frame = found
    return frame


def _new_frame(contract: Contract) -> Frame:
    terms = contract.terms
    grid = Grid(terms, [contract.start_on], contract.start_on, 0, [])
    if terms.amortisation is Amortisation.SEASONAL:
        for due in contract.season:
            grid.append(due.due_on)
    else:
        grid.bound(contract.instalments)
    rate = terms.yearly_rate_ppm if terms.bears_interest else 0
    factors = tuple(grid.factor(index, rate) for index in range(1, len(grid.bounds)))
    paying = factors[terms.grace_principal :] or factors[-1:]
    if terms.instalment_base is InstalmentBase.THIRTY_DAY_MONTHS:
        paying = (nominal_factor(terms, rate),) * len(paying)
    return Frame(grid, tuple(grid.bounds), factors, annuity(paying))


def nominal_factor(terms: Terms, rate_ppm: int) -> Ratio:
    """The factor of any period with months of 30 days, from which instalments may be worked out."""
    assert terms.instalment_base is InstalmentBase.THIRTY_DAY_MONTHS
    day_count = terms.day_count
    if day_count is DayCount.PERIOD:
        day_count = DayCount.THIRTY_365
    years, per = nominal_years(day_count, terms.period_unit, terms.period_length).as_integer_ratio()
    return twelve_digits(rate_ppm * years, per * _MILLION)
