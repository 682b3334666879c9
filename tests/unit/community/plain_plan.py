"""The arithmetic the long way round: what is quick in `Plan` is held equal to this."""

from datetime import date
from fractions import Fraction
from itertools import pairwise
from typing import Any

from community.arithmetic.plan import Plan, Slot
from community.arithmetic.terms import InterestRounding, RateMethod


class PlainPlan(Plan):
    """Interest by exact fractions, from one change of anything to the next; nothing is kept."""

    @property
    def plain(self) -> bool:  # type: ignore[override]
        return False

    @plain.setter
    def plain(self, _value: bool) -> None:
        pass

    def _renewed(self, regular: list[Slot], slot: Slot, out: int) -> dict[Slot, Slot]:
        return self._aims_after(regular, slot, out)

    def _interest(self, slot: Slot, walk: Any, cut: date | None) -> int:
        if self.terms.rate_method is not RateMethod.DECLINING_BALANCE:
            return super()._interest(slot, walk, cut)
        amounts = [
            balance * self._share_of_a_unit(begin, end if cut is None else min(end, cut))
            for begin, end, balance in walk.pieces(slot.from_on, slot.due_on)
        ]
        if self.terms.interest_rounding is InterestRounding.PART:
            return sum(self._money(*exact.as_integer_ratio()) for exact in amounts)
        return self._money(*sum(amounts, Fraction(0)).as_integer_ratio())

    def _share_of_a_unit(self, from_on: date, to_on: date) -> Fraction:
        grid = self.grid
        last = grid.period_of(max(to_on, from_on))
        cuts = {from_on, to_on, *(grid.bound(index) for index in range(last + 1))}
        cuts.update(since for since, _ in self.rates)
        cuts.update(day for pause in self.pauses for day in pause)
        total = Fraction(0)
        for begin, end in pairwise(sorted(day for day in cuts if from_on <= day <= to_on)):
            if any(low <= begin and end <= high for low, high in self.pauses):
                continue
            index = grid.period_of(begin)
            days = (grid.bound(index) - grid.bound(index - 1)).days
            whole = Fraction(*grid.factor(index, self._rate_on(begin)))
            total += whole * (end - begin).days / days
        return total
