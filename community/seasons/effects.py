"""What a declared event does to dues, as typed values; and what a loan's plan looks like. Pure.

The arithmetic of it is the loans' own (`arithmetic.events.MoveDues` and its neighbours). Only what
is unpaid of the dues of a window is put off: what was late before the event stays late.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from community.arithmetic.calendar import step
from community.arithmetic.events import FrozenInterest
from community.arithmetic.state import Amounts
from community.arithmetic.terms import PeriodUnit
from community.seasons.errors import EventInvalid

DAYS_MAX = 3660
PARTS_MAX = 60
_UNIT_DAYS_MAX = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31}


@dataclass(frozen=True, slots=True)
class MoveDues:
    """Every due of the window falls due some days later."""

    days: int
    interest: FrozenInterest

    def to_document(self) -> dict[str, Any]:
        """The effect as it is stored."""
        return {"kind": "move", "days": self.days, "interest": self.interest.value}


@dataclass(frozen=True, slots=True)
class SplitDues:
    """Every due of the window is split into equal parts: the first on its day, then by steps."""

    parts: int
    step_unit: PeriodUnit
    step_length: int
    interest: FrozenInterest

    def to_document(self) -> dict[str, Any]:
        """The effect as it is stored."""
        return {
            "kind": "split",
            "parts": self.parts,
            "step_unit": self.step_unit.value,
            "step_length": self.step_length,
            "interest": self.interest.value,
        }


@dataclass(frozen=True, slots=True)
class FreezeDues:
    """Nothing of the window falls due before a day; then all of it does."""

    until: date
    interest: FrozenInterest

    def to_document(self) -> dict[str, Any]:
        """The effect as it is stored."""
        return {
            "kind": "freeze",
            "until": self.until.isoformat(),
            "interest": self.interest.value,
        }


Effect = MoveDues | SplitDues | FreezeDues


@dataclass(frozen=True, slots=True)
class DuesChange:
    """An effect and the window of due days that it reaches."""

    effect: Effect
    dues_from: date
    dues_until: date

    def reaches(self, due_on: date) -> bool:
        """Whether a due of this day is inside the window."""
        return self.dues_from <= due_on <= self.dues_until

    @property
    def deferral_days_max(self) -> int:
        """The most days by which any due of the window is put off."""
        last = max(self.dues_from, self.dues_until)
        if isinstance(self.effect, FreezeDues):
            return (self.effect.until - self.dues_from).days
        # Months are of different lengths: no day of the window is put off for longer than this.
        days = range((last - self.dues_from).days + 1)
        return max(
            (_days_of(self.effect, day)[-1] - day).days
            for day in (self.dues_from + timedelta(days=n) for n in days)
        )


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One due of a loan's plan with what was paid of it."""

    due_on: date
    due: Amounts
    paid: Amounts

    @property
    def unpaid(self) -> Amounts:
        return Amounts(*(due - paid for due, paid in zip(self.due, self.paid, strict=True)))

    @property
    def unpaid_minor(self) -> int:
        return self.due.total_minor - self.paid.total_minor

    def to_document(self) -> list[Any]:
        """The row as it is stored: its day, what is due and what is paid by component."""
        return [self.due_on.isoformat(), *self.due, *self.paid]


def touches(rows: Iterable[PlanRow], change: DuesChange) -> bool:
    """Whether anything unpaid of the plan falls due inside the window."""
    return any(_is_touched(row, change) for row in rows)


def deferral_days(rows: Iterable[PlanRow], change: DuesChange) -> int:
    """The most days by which a due of this plan is put off."""
    return max(
        (
            (_days_of(change.effect, row.due_on)[-1] - row.due_on).days
            for row in rows
            if _is_touched(row, change)
        ),
        default=0,
    )


def read_effect(document: Mapping[str, Any]) -> Effect:
    """A typed effect. Raises EventInvalid for what is missing, unknown or out of range."""
    try:
        given = dict(document)
        kind = given.pop("kind")
        interest = FrozenInterest(given.pop("interest"))
        if kind == "move":
            effect: Effect = MoveDues(_whole(given.pop("days"), 1, DAYS_MAX), interest)
        elif kind == "split":
            effect = SplitDues(
                _whole(given.pop("parts"), 2, PARTS_MAX),
                PeriodUnit(given.pop("step_unit")),
                _whole(given.pop("step_length"), 1, DAYS_MAX),
                interest,
            )
            unit_days = _UNIT_DAYS_MAX[effect.step_unit]
            if (effect.parts - 1) * effect.step_length * unit_days > DAYS_MAX:
                raise ValueError(f"the last part is more than {DAYS_MAX} days away")
        elif kind == "freeze":
            until = given.pop("until")
            day = until if isinstance(until, date) else date.fromisoformat(until)
            effect = FreezeDues(day, interest)
        else:
            raise ValueError(f"there is no effect {kind!r}")
    except KeyError as error:
        raise EventInvalid(f"The effect lacks {error}.", field="effect") from None
    except (TypeError, ValueError) as error:
        raise EventInvalid(f"The effect cannot be read: {error}.", field="effect") from None
    if given:
        raise EventInvalid(f"The effect has no {sorted(given)[0]!r}.", field="effect")
    return effect


def read_rows(document: Iterable[Sequence[Any]]) -> tuple[PlanRow, ...]:
    """The rows of a stored plan."""
    return tuple(
        PlanRow(date.fromisoformat(row[0]), Amounts(*row[1:5]), Amounts(*row[5:]))
        for row in document
    )


def unpaid_minor(rows: Iterable[PlanRow]) -> int:
    """What is unpaid of a plan in all."""
    return sum(row.unpaid_minor for row in rows)


def _days_of(effect: Effect, due_on: date) -> list[date]:
    """The days on which a due of this day falls due under the effect, in order."""
    if isinstance(effect, MoveDues):
        return [due_on + timedelta(days=effect.days)]
    if isinstance(effect, FreezeDues):
        return [max(due_on, effect.until)]
    steps = range(0, effect.step_length * effect.parts, effect.step_length)
    return [step(due_on, effect.step_unit, count) for count in steps]


def _is_touched(row: PlanRow, change: DuesChange) -> bool:
    return row.unpaid_minor > 0 and change.reaches(row.due_on)


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"a whole number from {least} to {most} is needed")
    return value
