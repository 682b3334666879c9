"""Schedules: terms and money out, dated rows in; and what changes of the plan make of them.

    schedule(contract, disbursements)   the planned rows

`Plan` is the working form that `replay` drives: rows that know what was paid of them, and
`derive`, which works out every row's principal and interest anew from what has happened so far.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

from community.arithmetic.calendar import ONE_DAY, add_months, step
from community.arithmetic.errors import HistoryImpossible, ScheduleImpossible
from community.arithmetic.events import (
    Disbursement,
    FreezeDues,
    FrozenInterest,
    InterestPause,
    MoveDues,
    RateChange,
    Reschedule,
    SplitDues,
)
from community.arithmetic.factors import (
    NOTHING,
    Ratio,
    amount,
    annuity,
    frame_of,
    half_even,
    nominal_factor,
    plus,
    to_multiple,
    twelve_digits,
)
from community.arithmetic.state import Row
from community.arithmetic.terms import (
    Amortisation,
    Contract,
    EarlyMoney,
    EarlyOrder,
    InstalmentBase,
    InterestRounding,
    LateInterest,
    RateMethod,
    Recalculation,
)
from community.money import allocate

_MILLION = 1_000_000


@dataclass(slots=True, eq=False)
class Slot:
    """One row while the plan is worked on."""

    from_on: date
    due_on: date
    # Its period in the grid; 0 when its days are not those of one.
    period: int = 0
    down: bool = False
    charges_only: bool = False
    holds_principal: bool = False
    defers_interest: bool = False
    # The whole instalment, or its principal alone: what the amortisation wants.
    target: int | None = None
    fixed: int | None = None
    flat: int = 0
    weight: int = 1
    # A change of the plan begins here: what early money did to earlier rows ends.
    marked: bool = False
    # Worked out by `derive`.
    opening: int = 0
    principal: int = 0
    interest: int = 0
    # Kept by `replay`.
    fee: int = 0
    penalty: int = 0
    charges: list[tuple[date, int, bool]] = field(default_factory=list)
    paid_principal: int = 0
    paid_interest: int = 0
    paid_fee: int = 0
    paid_penalty: int = 0
    in_advance: int = 0
    late: int = 0
    paid_on: date | None = None
    # What was paid of principal and interest, and from when it counts.
    principal_payments: list[tuple[date, int]] = field(default_factory=list)
    interest_payments: list[tuple[date, int]] = field(default_factory=list)
    # What was paid of its principal and interest before it was put off, and when it was due then:
    # the one bears no interest for the longer time, the other is not asked for again by rows that
    # now come before it.
    settled: list[tuple[date, int, int]] = field(default_factory=list)
    # Penalty interest: money × days so far, and up to when.
    late_days: int = 0
    late_until: date | None = None
    share_charged: bool = False

    @property
    def regular(self) -> bool:
        return not (self.down or self.charges_only)


def schedule(contract: Contract, disbursements: Sequence[Disbursement]) -> tuple[Row, ...]:
    """The planned rows; their principal sums to what was paid out.

    A down payment's row carries `down_payment`; rows in which nothing is due are left out at the
    end. Raises ScheduleImpossible.
    """
    if len(disbursements) == 1:
        rows = _plain_schedule(contract, disbursements[0])
        if rows is not None:
            return rows
    plan = Plan(contract)
    for money in sorted(disbursements, key=lambda money: money.on):
        plan.disburse(money.on, money.amount_minor)
    if not plan.disbursed:
        raise ScheduleImpossible("A schedule needs an amount.")
    plan.derive()
    return plan.rows()


_PLAIN = frozenset(
    (Amortisation.EQUAL_INSTALMENT, Amortisation.EQUAL_PRINCIPAL, Amortisation.INTEREST_ONLY)
)


def _plain_schedule(contract: Contract, money: Disbursement) -> tuple[Row, ...] | None:
    """The rows of a loan paid out in one sum on its first day; None if its terms need a `Plan`."""
    terms = contract.terms
    if (
        terms.amortisation not in _PLAIN
        or terms.rate_method is RateMethod.FLAT
        or money.on != contract.start_on
        or terms.down_payment_bps
        or terms.grace_interest
        or terms.amount_multiple_minor != 1
        or money.amount_minor <= 0
    ):
        return None
    frame = frame_of(contract)
    lent, held, bears = money.amount_minor, terms.grace_principal, terms.bears_interest
    count = len(frame.factors)
    if terms.amortisation is Amortisation.INTEREST_ONLY:
        parts = plain_parts(lent, frame.factors, held, None, 0)
    elif bears and terms.amortisation is Amortisation.EQUAL_INSTALMENT:
        numerator, denominator = frame.instalment
        target = to_multiple(lent * numerator, denominator, terms.instalment_multiple_minor)
        parts = plain_parts(lent, frame.factors, held, target, 0)
        paying = max(count - held, 1)
        if terms.even_out_last and paying > 1:
            gap = sum(parts[-1]) - target
            if abs(gap) > paying // 2:
                other = target + half_even(gap, paying)
                tried = plain_parts(lent, frame.factors, held, other, 0)
                if abs(sum(tried[-1]) - other) < abs(gap):
                    parts = tried
    else:
        fixed = to_multiple(lent, max(count - held, 1), terms.instalment_multiple_minor)
        parts = plain_parts(lent, frame.factors, held, None, fixed)
    while len(parts) > 1 and parts[-1] == (0, 0):
        parts.pop()
    bounds = frame.bounds
    return tuple(
        [
            Row(k + 1, bounds[k], bounds[k + 1], principal, interest)
            for k, (principal, interest) in enumerate(parts)
        ]
    )


def plain_parts(
    balance: int, factors: Sequence[Ratio], held: int, target: int | None, fixed: int
) -> list[tuple[int, int]]:
    """Principal and interest of rows whose balance changes on due dates alone.

    The first `held` rows repay no principal, the last one all that is left; between them a row
    pays what is left of `target` after its interest, or `fixed`.
    """
    parts = []
    last = len(factors) - 1
    for k, (numerator, denominator) in enumerate(factors):
        interest, rest = divmod(balance * numerator, denominator)
        rest += rest
        if rest > denominator or (rest == denominator and interest & 1):
            interest += 1
        if k == last:
            principal = balance
        elif k < held:
            principal = 0
        else:
            principal = fixed if target is None else target - interest
            if principal < 0:
                principal = 0
            elif principal > balance:
                principal = balance
        parts.append((principal, interest))
        balance -= principal
    return parts


class Plan:
    """The rows of a loan, and everything that decides what is due in them."""

    def __init__(self, contract: Contract) -> None:
        terms = contract.terms
        self.contract = contract
        self.terms = terms
        self.frame = frame_of(contract)
        self.grid = self.frame.grid.copy()
        # Nothing but one disbursement on the first day has made the rows what they are.
        self.plain = (
            terms.amortisation is not Amortisation.BULLET
            and not terms.down_payment_bps
            and not terms.grace_interest
            and terms.amount_multiple_minor == 1
            and terms.rate_method is not RateMethod.FLAT
        )
        self.disbursed: list[tuple[date, int]] = []
        self.rates: list[tuple[date, int]] = []
        self.pauses: list[tuple[date, date]] = []
        # No interest of periods that end later (acceleration), or of days from then on (payoff).
        self.interest_stop: date | None = None
        self.settled: date | None = None
        self.flat_principal = 0
        # Under recalculation: money has come in, and the rows depend on it.
        self.paid_in_plan = False
        self.recalculates = (
            terms.recalculation is not Recalculation.NONE
            and terms.bears_interest
            and terms.rate_method is RateMethod.DECLINING_BALANCE
        )
        # By a row that took more than was due: what it left last, and what later rows aimed for.
        self.aims: dict[Slot, tuple[int, dict[Slot, Slot]]] = {}
        self.slots = self._first_slots()

    def _first_slots(self) -> list[Slot]:
        contract, grid, terms = self.contract, self.grid, self.terms
        if terms.amortisation is Amortisation.BULLET:
            last = grid.bound(contract.instalments)
            return [Slot(contract.start_on, last, period=int(contract.instalments == 1))]
        if terms.amortisation is Amortisation.SEASONAL:
            weights = [due.weight for due in contract.season]
        else:
            weights = [1] * contract.instalments
        return [
            Slot(
                grid.bounds[index],
                grid.bounds[index + 1],
                period=index + 1,
                holds_principal=index < terms.grace_principal,
                defers_interest=index < terms.grace_interest,
                weight=weight,
            )
            for index, weight in enumerate(weights)
        ]

    @property
    def regular(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.regular]

    def rows(self) -> tuple[Row, ...]:
        """The rows as derived, without the empty ones at the end."""
        slots = [slot for slot in self.slots if not slot.charges_only]
        while len(slots) > 1 and not slots[-1].principal and not slots[-1].interest:
            slots.pop()
        return tuple(
            Row(number, slot.from_on, slot.due_on, slot.principal, slot.interest, slot.down)
            for number, slot in enumerate(slots, start=1)
        )

    # What changes the plan

    def disburse(self, on: date, amount_minor: int, seen_on: date | None = None) -> int:
        """Money goes out; the rows that end later are planned anew. The down payment, if any.

        `seen_on` is the day from which what is unpaid counts as late; without it nothing does.
        """
        if amount_minor <= 0:
            raise ScheduleImpossible("Money that is paid out is more than nothing.")
        if on < self.contract.start_on:
            raise ScheduleImpossible("No money is paid out before the loan's first day.")
        if self.settled is not None or self.interest_stop is not None:
            raise HistoryImpossible("No money is paid out after a loan was settled or called in.")
        regular = self.regular
        first = next((i for i, slot in enumerate(regular) if slot.due_on > on), None)
        if first is None:
            raise ScheduleImpossible("Money was paid out after the last due date.")
        if self.disbursed or on != self.contract.start_on:
            self.plain = False
        insort(self.disbursed, (on, amount_minor), key=lambda money: money[0])
        down = 0
        if self.terms.down_payment_bps:
            down = min(
                amount_minor,
                self._multiple(amount_minor * self.terms.down_payment_bps, 10_000),
            )
        if down:
            self.slots.append(Slot(on, on, down=True, fixed=down))
            self._sort()
        if self.terms.rate_method is RateMethod.FLAT:
            self.flat_principal += amount_minor
            self._add_flat(regular[first:], on, amount_minor)
        self._retarget(first, seen_on)
        return down

    def change_rate(self, event: RateChange, seen_on: date) -> None:
        """A new rate from the evening before `event.on`; rows from then on are planned anew."""
        self.plain = False
        since = event.on - ONE_DAY
        self.rates.append((since, event.yearly_rate_ppm))
        self.rates.sort(key=lambda rate: rate[0])
        regular = self.regular
        first = next((i for i, slot in enumerate(regular) if slot.due_on > since), None)
        if first is None:
            return
        if self.terms.rate_method is RateMethod.FLAT:
            self._renew_flat(regular[first:])
        self._retarget(first, seen_on)

    def pause(self, event: InterestPause) -> None:
        """The days from `on` to `until_on` bear no interest; instalments stay."""
        if event.until_on < event.on:
            raise HistoryImpossible("A pause ends after it began.", field="until_on")
        self.plain = False
        self.pauses.append((event.on - ONE_DAY, event.until_on))

    def reschedule(self, event: Reschedule) -> None:
        """A new plan from one instalment on."""
        regular = self.regular
        first = next((i for i, s in enumerate(regular) if s.due_on >= event.from_due_on), None)
        if first is None:
            raise HistoryImpossible("No instalment is due from that day on.", field="from_due_on")
        extra = event.extra_instalments + event.grace_principal
        one_sum = (Amortisation.BULLET, Amortisation.SEASONAL)
        if extra and self.terms.amortisation in one_sum:
            raise ScheduleImpossible("These loans have no further instalments to add.")
        self.plain = False
        begin = regular[first].from_on
        if event.new_due_on is not None and event.new_due_on <= begin:
            raise HistoryImpossible("A due date stays after the one before.", field="new_due_on")
        if event.yearly_rate_ppm is not None:
            self.rates = [rate for rate in self.rates if rate[0] < begin]
            self.rates.append((begin, event.yearly_rate_ppm))
        self._redate(regular, first, event.new_due_on, extra)
        regular = self.regular
        for slot in regular[first : first + event.grace_principal]:
            slot.holds_principal = True
        for slot in regular[first : first + event.grace_interest]:
            slot.defers_interest = True
        if self.terms.rate_method is RateMethod.FLAT:
            self._renew_flat(regular[first:])
        self._retarget(first, event.on)

    def move(self, event: MoveDues) -> None:
        """Unpaid dues of a window fall due some days later."""
        if event.days < 0:
            raise HistoryImpossible("Dues are moved to a later day.", field="days")
        moved = self._pinned(event.on, event.from_on, event.until_on)
        for slot in moved:
            self._put_off(slot, slot.due_on + timedelta(days=event.days))
        self._waive(event, [slot.due_on for slot in moved])
        self._realign()

    def split(self, event: SplitDues) -> None:
        """Unpaid dues of a window are paid in parts."""
        if event.parts < 1 or event.step < 1:
            raise HistoryImpossible("Dues are split into parts some periods apart.", field="parts")
        terms = self.terms
        unit = terms.period_unit if event.unit is None else event.unit
        length = event.step * (terms.period_length if event.unit is None else 1)
        days = []
        for slot in self._pinned(event.on, event.from_on, event.until_on):
            shares = allocate(slot.principal - slot.paid_principal, [1] * event.parts)
            flats = allocate(max(slot.flat - slot.paid_interest, 0), [1] * event.parts)
            slot.fixed = slot.paid_principal + shares[0]
            if slot.flat:
                slot.flat += flats[0] - sum(flats)
            for k in range(1, event.parts):
                due_on = step(slot.due_on, unit, length * k, terms.month_end)
                self.slots.append(Slot(due_on, due_on, fixed=shares[k], flat=flats[k]))
                days.append(due_on)
        self._waive(event, days)
        self._realign()

    def freeze(self, event: FreezeDues) -> None:
        """Time stands still for the unpaid dues from a window on."""
        frozen = self._pinned(event.on, event.from_on, event.until_on)
        if not frozen:
            return
        since, resume_on = min(slot.due_on for slot in frozen), event.resume_on
        if resume_on <= since:
            raise HistoryImpossible("Frozen dues resume later.", field="resume_on")
        months = (resume_on.year - since.year) * 12 + resume_on.month - since.month
        whole = add_months(since, months) == resume_on
        for slot in self.regular:
            if slot.due_on >= since and _unpaid(slot):
                # Whole months keep the day of the month; anything else is counted in days.
                self._put_off(
                    slot,
                    add_months(slot.due_on, months) if whole else slot.due_on + (resume_on - since),
                )
        self._waive(event, [resume_on])
        self._realign()

    def _put_off(self, slot: Slot, due_on: date) -> None:
        principal = slot.paid_principal - sum(paid for _, paid, _ in slot.settled)
        interest = slot.paid_interest - sum(paid for _, _, paid in slot.settled)
        if principal or interest:
            slot.settled.append((slot.due_on, principal, interest))
        slot.due_on = due_on

    def _waive(self, event: MoveDues | SplitDues | FreezeDues, days: Sequence[date]) -> None:
        """No interest until the last of the days to which dues were put off, if that was said."""
        begin = max(event.on, event.from_on)
        if event.interest is FrozenInterest.WAIVED and begin < max(days, default=begin):
            self.pauses.append((begin, max(days)))

    def _pinned(self, on: date, from_on: date, until_on: date) -> list[Slot]:
        """Keep every row's principal as it is planned now; the window's rows with something left.

        From here on the interest follows from the days on which principal is due.
        """
        self.derive(on)
        self.plain = False
        found = []
        for slot in self.slots:
            if not slot.regular:
                continue
            slot.target, slot.fixed = None, slot.principal
            slot.holds_principal = slot.marked = False
            if from_on <= slot.due_on <= until_on and _unpaid(slot):
                found.append(slot)
        self.aims.clear()
        return found

    def _realign(self) -> None:
        """Rows in the order of their days, each from the one before it."""
        self.aims.clear()
        self._sort()
        before = self.contract.start_on
        for slot in self.slots:
            if slot.regular:
                slot.from_on = before
                if slot.period and (
                    self.grid.bound(slot.period - 1) != before
                    or self.grid.bound(slot.period) != slot.due_on
                ):
                    slot.period = 0
                before = slot.due_on

    def _redate(self, regular: list[Slot], first: int, new_due_on: date | None, extra: int) -> None:
        slots = regular[first:]
        if all(slot.period for slot in slots):
            at = slots[0].period
            if new_due_on is not None:
                self.grid.rebase(at, new_due_on)
            for _ in range(extra):
                slots.append(Slot(slots[-1].due_on, slots[-1].due_on))
                self.slots.append(slots[-1])
            for index, slot in enumerate(slots, start=at):
                slot.period = index
                slot.from_on, slot.due_on = self.grid.bound(index - 1), self.grid.bound(index)
            self._sort()
            return
        # Days that a declared event moved are no longer steps of the grid: all come later alike.
        if new_due_on is not None:
            late = new_due_on - slots[0].due_on
            for slot in slots:
                slot.due_on += late
        terms, last = self.terms, slots[-1].due_on
        for k in range(1, extra + 1):
            due_on = step(last, terms.period_unit, terms.period_length * k, terms.month_end)
            self.slots.append(Slot(due_on, due_on))
        self._realign()

    def _sort(self) -> None:
        # Stable: a down payment's row comes after an instalment of the same day.
        self.slots.sort(key=lambda slot: (slot.due_on, slot.charges_only, slot.down))

    # What the amortisation wants

    def _retarget(self, first: int, on: date | None) -> None:
        """Plan the regular rows from `first` on anew, on their scheduled opening balance."""
        self.aims.clear()
        regular = self.regular
        if first == 0 and len(self.disbursed) == 1 and not self.terms.down_payment_bps:
            balance = self.disbursed[0][1]
        else:
            self.derive(on)
            balance = regular[first].opening
        rows = regular[first:]
        rows[0].marked = first > 0
        for slot in rows[1:]:
            slot.marked = False
        self._aim(rows, balance)
        if self.terms.even_out_last and rows[-1].target is not None:
            self._even_out(rows, on)

    def _aim(self, rows: list[Slot], balance: int) -> None:
        terms = self.terms
        paying = [slot for slot in rows if not slot.holds_principal] or rows[-1:]
        count = len(paying)
        amortisation = terms.amortisation
        target: int | None = None
        fixed: int | None = None
        if amortisation is Amortisation.SEASONAL:
            shares = allocate(balance, [slot.weight for slot in paying])
            for slot, share in zip(paying, shares, strict=True):
                slot.fixed = share
            return
        if amortisation is Amortisation.BALLOON:
            lent = self._net_lent()
            fixed = self._money(lent * terms.principal_share_bps, 10_000)
        elif amortisation in (Amortisation.INTEREST_ONLY, Amortisation.BULLET):
            fixed = 0
        elif terms.rate_method is RateMethod.FLAT:
            each = self._multiple(balance, count)
            whole = each + self._multiple(paying[0].flat, 1)
            for slot in rows:
                slot.target, slot.fixed = None, max(whole - slot.flat, 0)
            return
        elif amortisation is Amortisation.EQUAL_PRINCIPAL or not self._bears_interest(rows):
            fixed = self._multiple(balance, count)
        else:
            target = self._equal_instalment(paying, balance)
        for slot in rows:
            slot.target, slot.fixed = target, fixed

    def _bears_interest(self, rows: list[Slot]) -> bool:
        if self.terms.rate_method is RateMethod.NONE:
            return False
        return any(self._rate_on(slot.from_on) for slot in rows) or any(
            rate for day, rate in self.rates if day > rows[0].from_on
        )

    def _equal_instalment(self, paying: list[Slot], balance: int) -> int:
        if self.plain and len(paying) == max(
            len(self.frame.factors) - self.terms.grace_principal, 1
        ):
            return self._multiple(balance * self.frame.instalment[0], self.frame.instalment[1])
        numerator, denominator = annuity([self._whole_factor(slot) for slot in paying])
        return self._multiple(balance * numerator, denominator)

    def _whole_factor(self, slot: Slot) -> Ratio:
        """A row's factor by its rates, as if there were no pause."""
        if self.terms.instalment_base is InstalmentBase.THIRTY_DAY_MONTHS:
            return nominal_factor(self.terms, self._rate_on(slot.from_on))
        if slot.period and not self._rate_changes_in(slot.from_on, slot.due_on):
            return self.grid.factor(slot.period, self._rate_on(slot.from_on))
        return twelve_digits(*self._factor(slot.from_on, slot.due_on, ()))

    def _even_out(self, rows: list[Slot], on: date | None) -> None:
        """Try once to bring the last instalment closer to the others."""
        paying = [slot for slot in rows if not slot.holds_principal] or rows[-1:]
        count, last = len(paying), rows[-1]
        before = last.target
        if count < 2 or before is None:
            return
        self.derive(on)
        gap = last.principal + last.interest - before
        if abs(gap) <= count // 2:
            return
        other = before + self._money(gap, count)
        for slot in rows:
            slot.target = other
        self.derive(on)
        if abs(last.principal + last.interest - other) >= abs(gap):
            for slot in rows:
                slot.target = before

    def _net_lent(self) -> int:
        return sum(money for _, money in self.disbursed) - sum(
            slot.fixed or 0 for slot in self.slots if slot.down
        )

    # Flat interest

    def _add_flat(self, rows: list[Slot], on: date, amount_minor: int) -> None:
        """Flat interest of money paid out on a day, spread over the rows that end later."""
        years = self._years(rows, on)
        rate = Fraction(self._rate_on(on)) / _MILLION
        self._spread_flat(rows, amount_minor * rate * years)

    def _renew_flat(self, rows: list[Slot]) -> None:
        """Flat interest of these rows anew: each period at the rate in which it began."""
        total = Fraction(0)
        for slot in rows:
            years = self._years([slot], slot.from_on)
            total += self.flat_principal * Fraction(self._rate_on(slot.from_on)) * years / _MILLION
            slot.flat = 0
        self._spread_flat(rows, total)

    def _spread_flat(self, rows: list[Slot], exact: Fraction) -> None:
        left = self._money(*exact.as_integer_ratio())
        each = self._money(left, len(rows))
        for slot in rows[:-1]:
            part = min(each, left)
            slot.flat += part
            left -= part
        rows[-1].flat += left

    def _years(self, rows: list[Slot], on: date) -> Fraction:
        years = Fraction(0)
        grid = self.grid
        for slot in rows:
            index = grid.period_of(slot.from_on)
            begin, due_on = max(slot.from_on, on), slot.due_on
            while begin < due_on:
                low, high = grid.bound(index - 1), grid.bound(index)
                days = (min(high, due_on) - max(begin, low)).days
                years += grid.years[index - 1] * Fraction(days, (high - low).days)
                begin = high
                index += 1
        return years

    # Amounts

    def _money(self, numerator: int, denominator: int) -> int:
        return amount(numerator, denominator, self.terms.amount_multiple_minor)

    def _multiple(self, numerator: int, denominator: int) -> int:
        """An instalment: a multiple of both the instalment's and the amounts' step."""
        if self.terms.instalment_multiple_minor == 1:
            return self._money(numerator, denominator)
        whole = to_multiple(numerator, denominator, self.terms.instalment_multiple_minor)
        return self._money(whole, 1)

    # Rates

    def _rate_on(self, day: date) -> int:
        rate = self.terms.yearly_rate_ppm
        for since, other in self.rates:
            if since > day:
                break
            rate = other
        return rate

    def _rate_changes_in(self, from_on: date, to_on: date) -> bool:
        return any(from_on < since < to_on for since, _ in self.rates)

    def _factor(self, from_on: date, to_on: date, pauses: Sequence[tuple[date, date]]) -> Ratio:
        """The exact factor between two days, by the rates in force and without paused days."""
        if not self.rates and not pauses:
            return self.grid.between(from_on, to_on, self.terms.yearly_rate_ppm)
        cuts = {from_on, to_on}
        cuts.update(since for since, _ in self.rates if from_on < since < to_on)
        for pause in pauses:
            cuts.update(day for day in pause if from_on < day < to_on)
        days = sorted(cuts)
        total = NOTHING
        for begin, end in pairwise(days):
            if any(low <= begin and end <= high for low, high in pauses):
                continue
            total = plus(total, self.grid.between(begin, end, self._rate_on(begin)))
        return total

    # Working out the rows

    def derive(self, on: date | None = None, cut: date | None = None) -> None:
        """Every row's principal and interest, seen on the day `on`.

        `cut`: interest counts only up to that day, so that the rows say what would be payable.
        """
        terms = self.terms
        if self.settled is not None and (cut is None or cut > self.settled):
            cut = self.settled
        if self.plain and cut is None and self.interest_stop is None and not self._lives(on):
            self._derive_plain()
            return
        recalculates = self.recalculates
        changes = self._balance_changes(on) if recalculates else {}
        for day, money in self.disbursed:
            changes[day] = changes.get(day, 0) + money
        prepaid: list[tuple[date, int]] = []
        for slot in self.slots:
            for day, principal, interest in slot.settled:
                if not recalculates:
                    # Under recalculation it left on the day on which it was paid.
                    changes[day] = changes.get(day, 0) - principal
                if terms.rate_method is not RateMethod.FLAT:
                    prepaid.append((day, interest))
        prepaid.sort()
        walk = _Balance(changes)
        late_from = self._running_from(on) if recalculates and on is not None else None
        regular = self.regular
        last = regular[-1]
        accrued_order = terms.early_order is EarlyOrder.ACCRUED
        lent = out = carry = deferred = 0
        # What was paid ahead of its turn stays in its row: earlier rows leave room for it.
        to_lend = sum(money for _, money in self.disbursed)
        ahead_of = sum(slot.paid_principal for slot in self.slots)
        renewed: dict[Slot, Slot] = {}
        for slot in self.slots:
            if slot.charges_only:
                continue
            while lent < len(self.disbursed) and (
                self.disbursed[lent][0] < slot.due_on
                or (slot.down and self.disbursed[lent][0] == slot.due_on)
            ):
                out += self.disbursed[lent][1]
                to_lend -= self.disbursed[lent][1]
                lent += 1
            ahead_of -= slot.paid_principal
            room = max(out + to_lend - ahead_of, 0)
            slot.opening = out
            if slot.down:
                slot.principal = max(min(slot.fixed or 0, out, room), slot.paid_principal)
                slot.interest = 0
                out -= slot.principal
                self._leave(slot, walk, on, late_from)
                continue
            while prepaid and prepaid[0][0] <= slot.due_on:
                carry -= prepaid.pop(0)[1]
            own = carry + self._interest(slot, walk, cut)
            if terms.rate_method is not RateMethod.FLAT:
                own += sum(interest for _, _, interest in slot.settled)
            carry = 0
            if slot.marked:
                renewed = {}
            aim = renewed.get(slot, slot)
            if slot is last:
                planned = out
            elif slot.holds_principal:
                planned = 0
            elif aim.fixed is not None:
                planned = min(aim.fixed, out)
            elif aim.target is not None:
                planned = min(max(aim.target - own, 0), out)
            else:
                planned = 0
            if slot.defers_interest and slot is not last:
                deferred += own
                interest = 0
            else:
                interest, deferred = own + deferred, 0
            ahead = slot.paid_principal > planned
            accrued_ahead = ahead and recalculates and accrued_order and slot is not last
            if accrued_ahead or interest < slot.paid_interest:
                # Its principal was paid before its interest had grown, or more interest than has
                # grown: the difference goes on to the next row.
                carry, interest = interest - slot.paid_interest, slot.paid_interest
                if recalculates and accrued_order and aim.target is not None and slot is not last:
                    planned = min(max(aim.target - interest, 0), out)
            if self.interest_stop is not None and slot.due_on > self.interest_stop:
                interest, carry = slot.paid_interest, 0
            slot.interest = interest
            # What was paid stays, even of money that was only paid out on the due date.
            slot.principal = max(min(planned, room, out), slot.paid_principal)
            out -= slot.principal
            if ahead and recalculates and terms.early_money is EarlyMoney.REDUCE_INSTALMENT:
                renewed = self._renewed(regular, slot, out)
            if recalculates:
                self._leave(slot, walk, on, late_from)
            else:
                walk.balance -= slot.principal - sum(principal for _, principal, _ in slot.settled)

    def _lives(self, on: date | None) -> bool:
        """Whether the rows depend on what was paid, or not paid, by a day."""
        if not self.recalculates:
            return False
        return self.paid_in_plan or (on is not None and on > self.slots[0].due_on)

    def _derive_plain(self) -> None:
        """`derive` for rows that nothing has changed; `plain_parts` for each row's own aim."""
        balance = self.disbursed[0][1]
        factors = self.frame.factors
        last = self.slots[len(factors) - 1]
        for slot, (numerator, denominator) in zip(self.slots, factors, strict=False):
            slot.opening = balance
            interest = half_even(balance * numerator, denominator)
            if slot is last:
                principal = balance
            elif slot.holds_principal:
                principal = 0
            elif slot.fixed is not None:
                principal = min(slot.fixed, balance)
            else:
                principal = min(max((slot.target or 0) - interest, 0), balance)
            slot.principal, slot.interest = principal, interest
            balance -= principal

    def earned(self, on: date) -> int:
        """Interest up to the close of a day."""
        stopped = self.settled is not None or self.interest_stop is not None
        if self.plain and not stopped and not self._lives(on):
            return self._earned_plain(on)
        self.derive(on, cut=on)
        return sum(slot.interest for slot in self.slots)

    def _earned_plain(self, on: date) -> int:
        total = 0
        for slot, (numerator, denominator) in zip(self.slots, self.frame.factors, strict=False):
            if slot.due_on <= on:
                total += slot.interest
                continue
            days = max((on - slot.from_on).days, 0)
            whole = (slot.due_on - slot.from_on).days
            return total + half_even(slot.opening * numerator * days, denominator * whole)
        return total

    def _renewed(self, regular: list[Slot], slot: Slot, out: int) -> dict[Slot, Slot]:
        """What the rows after one aim for, when more was paid in it than was due."""
        found = self.aims.get(slot)
        if found is None or found[0] != out:
            # Else it comes out as it did when the money before was spread.
            found = self.aims[slot] = out, self._aims_after(regular, slot, out)
        return found[1]

    def _aims_after(self, regular: list[Slot], slot: Slot, out: int) -> dict[Slot, Slot]:
        later = regular[regular.index(slot) + 1 :]
        # Less than nothing: money that goes out on the due date was paid back in its row already.
        if not later or out <= 0:
            return {}
        drafts = [
            Slot(
                row.from_on,
                row.due_on,
                period=row.period,
                holds_principal=row.holds_principal,
                flat=row.flat,
                weight=row.weight,
            )
            for row in later
        ]
        self._aim(drafts, out)
        return dict(zip(later, drafts, strict=True))

    def _interest(self, slot: Slot, walk: "_Balance", cut: date | None) -> int:
        from_on, due_on = slot.from_on, slot.due_on
        pieces = walk.pieces(from_on, due_on)
        if not self.terms.bears_interest and not self.rates:
            return 0
        if self.terms.rate_method is RateMethod.NONE:
            return 0
        if self.terms.rate_method is RateMethod.FLAT:
            if cut is None or cut >= due_on:
                return slot.flat
            if cut <= from_on:
                return 0
            return self._money(slot.flat * (cut - from_on).days, (due_on - from_on).days)
        if cut is not None and cut < due_on:
            pieces = [(begin, min(end, cut), balance) for begin, end, balance in pieces
                      if begin < cut]  # fmt: skip
        by_part = self.terms.interest_rounding is InterestRounding.PART
        if slot.period and not self.rates and not self.pauses:
            # A period of the grid at one rate: money × days, of the days that it has.
            numerator, denominator = self.grid.factor(slot.period, self.terms.yearly_rate_ppm)
            denominator *= (due_on - from_on).days
            weights = [balance * (end - begin).days for begin, end, balance in pieces]
            if by_part:
                return sum([self._money(weight * numerator, denominator) for weight in weights])
            return self._money(sum(weights) * numerator, denominator)
        total, rounded = NOTHING, 0
        for begin, end, balance in pieces:
            if not balance:
                continue
            numerator, denominator = self._factor(begin, end, self.pauses)
            numerator *= balance
            if by_part:
                rounded += self._money(numerator, denominator)
            else:
                total = plus(total, (numerator, denominator))
        return rounded if by_part else self._money(*total)

    # Under recalculation: the balance that bears interest is the one that is really out

    def _balance_changes(self, on: date | None) -> dict[date, int]:
        changes: dict[date, int] = {}
        late_from = self._running_from(on) if on is not None else None
        for slot in self.slots:
            for day, money in slot.principal_payments:
                self._pay_back(changes, slot.due_on, day, money, late_from)
            if self.terms.compound_late_interest:
                for day, money in slot.interest_payments:
                    if day > slot.due_on:
                        self._pay_back(changes, slot.due_on, day, money, late_from)
                        changes[slot.due_on] = changes.get(slot.due_on, 0) + money
        return changes

    def _pay_back(
        self, changes: dict[date, int], due_on: date, day: date, money: int, late_from: date | None
    ) -> None:
        rule = self.terms.late_interest
        if day > due_on and rule is not LateInterest.UNTIL_PAID:
            changes[due_on] = changes.get(due_on, 0) - money
            if rule is LateInterest.NEVER or late_from is None or day <= late_from:
                return
            changes[late_from] = changes.get(late_from, 0) + money
        changes[day] = changes.get(day, 0) - money

    def _leave(self, slot: Slot, walk: "_Balance", on: date | None, late_from: date | None) -> None:
        """What is unpaid of a row leaves the balance when it is due, or goes on as late money."""
        unpaid = slot.principal
        if self.recalculates:
            unpaid -= slot.paid_principal
        if not unpaid and not self.terms.compound_late_interest:
            return
        late = self.recalculates and on is not None and slot.due_on < on
        if not late or self.terms.late_interest is LateInterest.NEVER:
            walk.change(slot.due_on, -unpaid)
            return
        assert on is not None
        changes: dict[date, int] = {}
        on = self.counts_from(on)
        self._pay_back(changes, slot.due_on, on, unpaid, late_from)
        if self.terms.compound_late_interest:
            interest = slot.interest - slot.paid_interest
            self._pay_back(changes, slot.due_on, on, interest, late_from)
            changes[slot.due_on] = changes.get(slot.due_on, 0) + interest
        for day, money in changes.items():
            walk.change(day, money)

    def counts_from(self, on: date) -> date:
        """From when money of a day counts: that day, or the end of its period."""
        if self.terms.recalculation is Recalculation.PERIOD:
            return min((slot.due_on for slot in self.regular if slot.due_on >= on), default=on)
        return on

    def _running_from(self, on: date) -> date:
        """The last due date before a day."""
        return max((slot.due_on for slot in self.regular if slot.due_on < on), default=on)


class _Balance:
    """A balance that changes on given days, walked through once from the start."""

    __slots__ = ("balance", "changes", "days", "position")

    def __init__(self, changes: dict[date, int]) -> None:
        self.changes = changes
        self.days = sorted(changes)
        self.position = 0
        self.balance = 0

    def change(self, day: date, money: int) -> None:
        """A change on a day that has not been walked past, or at once."""
        if not money:
            return
        if day in self.changes and self.days.index(day) >= self.position:
            self.changes[day] += money
            return
        self.changes[day] = money
        insort(self.days, day, lo=self.position)

    def pieces(self, from_on: date, to_on: date) -> list[tuple[date, date, int]]:
        """The balance between two days, in parts of one amount each; changes of `to_on` wait."""
        days, changes = self.days, self.changes
        pieces: list[tuple[date, date, int]] = []
        begin = from_on
        while self.position < len(days) and days[self.position] < to_on:
            day = days[self.position]
            if day > begin:
                pieces.append((begin, day, self.balance))
                begin = day
            self.balance += changes[day]
            self.position += 1
        if begin < to_on:
            pieces.append((begin, to_on, self.balance))
        return pieces


def _unpaid(slot: Slot) -> bool:
    return (
        slot.principal + slot.interest + slot.fee + slot.penalty
        > slot.paid_principal + slot.paid_interest + slot.paid_fee + slot.paid_penalty
    )
