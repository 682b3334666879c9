"""What a declared event does to the dues of one loan. Pure and exact.

Only what is unpaid moves, and only if it falls due inside the event's window: what was late before
the event stays late from its own day. Principal is never created or lost. What interest does for
the longer time is the event's choice:

- `stands`: the scheduled interest stays as it is, the longer time costs nothing;
- `runs`: the longer time costs the loan's own rate on the principal that is put off,
  principal × yearly rate × years between the old day and the new one;
- `waived`: the longer time costs nothing, and the interest that the schedule has for the time from
  the window's first day to the due's own day is given up, at most what is unpaid of it.

Amounts to add or to give up are worked out as exact fractions, summed over the loan's dues in the
order of their days, and the running sum is rounded half-even; each due gets the difference. So the
whole is rounded once, however many parts a due was split into.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, assert_never

from community.money import allocate
from community.products.schedule import add_months
from community.products.terms import DayCount, PeriodUnit, ProductTerms
from community.seasons.errors import EventInvalid

DAYS_MAX = 3660
PARTS_MAX = 60
_MILLION = 1_000_000
_UNIT_DAYS_MAX = {PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31}


class InterestRule(StrEnum):
    """What the longer time costs."""

    STANDS = "stands"
    RUNS = "runs"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class MoveDues:
    """Every due of the window falls due some days later."""

    days: int
    interest: InterestRule

    def to_document(self) -> dict[str, Any]:
        """The effect as it is stored."""
        return {"kind": "move", "days": self.days, "interest": self.interest.value}


@dataclass(frozen=True, slots=True)
class SplitDues:
    """Every due of the window is split into equal parts: the first on its day, then by steps."""

    parts: int
    step_unit: PeriodUnit
    step_length: int
    interest: InterestRule

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
    interest: InterestRule

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
class Unpaid:
    """What is unpaid of a due."""

    due_on: date
    principal_minor: int
    interest_minor: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One due of a loan's plan with what was paid of it."""

    due_on: date
    principal_minor: int
    interest_minor: int
    paid_principal_minor: int = 0
    paid_interest_minor: int = 0

    @property
    def unpaid(self) -> Unpaid:
        return Unpaid(
            self.due_on,
            self.principal_minor - self.paid_principal_minor,
            self.interest_minor - self.paid_interest_minor,
        )

    @property
    def unpaid_minor(self) -> int:
        return self.unpaid.principal_minor + self.unpaid.interest_minor

    def to_document(self) -> list[Any]:
        """The row as it is stored: its day, and four amounts."""
        return [
            self.due_on.isoformat(),
            self.principal_minor,
            self.interest_minor,
            self.paid_principal_minor,
            self.paid_interest_minor,
        ]


@dataclass(frozen=True, slots=True)
class LoanRate:
    """What a year of a loan costs, and how long a time is as a part of a year."""

    yearly_rate_ppm: int
    day_count: DayCount

    @classmethod
    def of(cls, terms: ProductTerms) -> "LoanRate":
        """The rate of a loan's frozen terms."""
        return cls(terms.yearly_rate_ppm, terms.day_count)

    def interest(self, principal_minor: int, from_on: date, to_on: date) -> Fraction:
        """The exact interest on an amount from one day to a later one."""
        years = years_between(from_on, to_on, self.day_count)
        return principal_minor * Fraction(self.yearly_rate_ppm, _MILLION) * years


def years_between(from_on: date, to_on: date, day_count: DayCount) -> Fraction:
    """The part of a year from one day to a later one.

    30/360: every month has 30 days, the 31st counts as the 30th.
    """
    match day_count:
        case DayCount.ACTUAL_365:
            return Fraction((to_on - from_on).days, 365)
        case DayCount.THIRTY_360:
            months = (to_on.year - from_on.year) * 12 + to_on.month - from_on.month
            return Fraction(months * 30 + min(to_on.day, 30) - min(from_on.day, 30), 360)
    assert_never(day_count)


def change_dues(unpaid: Iterable[Unpaid], change: DuesChange, rate: LoanRate) -> tuple[Unpaid, ...]:
    """The unpaid dues as they are after the event, in the order of their days.

    Their principal sums to what it was; so does their interest where it stands. A due outside the
    window is handed back as it came.
    """
    effect = change.effect
    changed: list[Unpaid] = []
    exact, given = Fraction(0), 0
    for due in sorted(unpaid, key=lambda due: due.due_on):
        if not change.reaches(due.due_on):
            changed.append(due)
            continue
        days = _days_of(effect, due.due_on)
        ones = [1] * len(days)
        principals = allocate(due.principal_minor, ones)
        interests = allocate(due.interest_minor, ones)
        for day, principal, interest in zip(days, principals, interests, strict=True):
            if effect.interest is InterestRule.RUNS:
                exact += rate.interest(principal, due.due_on, day)
            elif effect.interest is InterestRule.WAIVED:
                waived = rate.interest(principal, change.dues_from, due.due_on)
                exact -= min(waived, Fraction(interest))
            # Never below zero, whatever a rounding of the sum would like to take here.
            extra = max(round(exact) - given, -interest)
            given += extra
            changed.append(Unpaid(day, principal, interest + extra))
    return tuple(sorted(changed, key=lambda due: due.due_on))


def change_plan(rows: Sequence[PlanRow], change: DuesChange, rate: LoanRate) -> tuple[PlanRow, ...]:
    """A loan's whole plan after the event, in the order of days.

    What was paid of a due stays on its day, as a due of that amount; what is unpaid of it moves.
    """
    kept = [row for row in rows if not _is_touched(row, change)]
    touched = [row for row in rows if _is_touched(row, change)]
    for row in touched:
        if row.paid_principal_minor or row.paid_interest_minor:
            principal, interest = row.paid_principal_minor, row.paid_interest_minor
            kept.append(PlanRow(row.due_on, principal, interest, principal, interest))
    moved = change_dues([row.unpaid for row in touched], change, rate)
    kept += [PlanRow(due.due_on, due.principal_minor, due.interest_minor) for due in moved]
    return tuple(sorted(kept, key=lambda row: row.due_on))


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


def pay_rows(
    rows: Sequence[PlanRow], principal_minor: int, interest_minor: int
) -> tuple[PlanRow, ...] | None:
    """The plan with more of it paid: each amount on its own, the earlier due first.

    None if the plan does not have so much unpaid.
    """
    paid = []
    for row in sorted(rows, key=lambda row: row.due_on):
        principal = min(principal_minor, row.unpaid.principal_minor)
        interest = min(interest_minor, row.unpaid.interest_minor)
        principal_minor -= principal
        interest_minor -= interest
        paid.append(
            PlanRow(
                row.due_on,
                row.principal_minor,
                row.interest_minor,
                row.paid_principal_minor + principal,
                row.paid_interest_minor + interest,
            )
        )
    return None if principal_minor or interest_minor else tuple(paid)


def read_effect(document: Mapping[str, Any]) -> Effect:
    """A typed effect. Raises EventInvalid for what is missing, unknown or out of range."""
    try:
        given = dict(document)
        kind = given.pop("kind")
        interest = InterestRule(given.pop("interest"))
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
    return tuple(PlanRow(date.fromisoformat(row[0]), *row[1:]) for row in document)


def _days_of(effect: Effect, due_on: date) -> list[date]:
    """The days on which a due of this day falls due under the effect, in order."""
    if isinstance(effect, MoveDues):
        return [due_on + timedelta(days=effect.days)]
    if isinstance(effect, FreezeDues):
        return [max(due_on, effect.until)]
    steps = [effect.step_length * part for part in range(effect.parts)]
    if effect.step_unit is PeriodUnit.MONTH:
        return [add_months(due_on, step) for step in steps]
    unit = 7 if effect.step_unit is PeriodUnit.WEEK else 1
    return [due_on + timedelta(days=unit * step) for step in steps]


def _is_touched(row: PlanRow, change: DuesChange) -> bool:
    return row.unpaid_minor > 0 and change.reaches(row.due_on)


def _whole(value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"a whole number from {least} to {most} is needed")
    return value
