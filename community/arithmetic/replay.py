"""A loan's state from its events. The same events give the same state, in whatever order they came.

replay(contract, events, on)        the state on a day
payoff_minor(contract, events, on)  what settles the loan on a day
payable(contract, events, on)       the rows as they would be paid on a day
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import groupby

from community.arithmetic.allocation import Piece, Purse, owed, spread
from community.arithmetic.errors import HistoryImpossible
from community.arithmetic.events import (
    Accelerate,
    Charge,
    Disbursement,
    Event,
    FreezeDues,
    InterestPause,
    MoveDues,
    Payoff,
    RateChange,
    Receipt,
    ReceiptKind,
    Reschedule,
    RowReceipt,
    ShareCharge,
    SplitDues,
    WriteOff,
)
from community.arithmetic.factors import amount
from community.arithmetic.plan import Plan, Slot
from community.arithmetic.state import Amounts, Part, ReceiptState, Row, RowState, State
from community.arithmetic.terms import (
    Component,
    Contract,
    EarlyOrder,
    PayoffInterest,
    PenaltyBase,
    Recalculation,
)

_RANK: dict[type, int] = {
    Disbursement: 0,
    RateChange: 1,
    InterestPause: 1,
    Reschedule: 1,
    MoveDues: 1,
    SplitDues: 1,
    FreezeDues: 1,
    Accelerate: 1,
    Charge: 2,
    ShareCharge: 2,
    Receipt: 3,
    RowReceipt: 3,
    Payoff: 3,
    WriteOff: 4,
}
_KNOWN_AHEAD = (Charge, RateChange, InterestPause)
DOWN_PAYMENT_KEY = "down payment of "


def replay(contract: Contract, events: Iterable[Event], on: date) -> State:
    """The loan on the day `on`: later events are not looked at, except those known ahead.

    Charges, rate changes and pauses name the day from which they count, not that on which they
    were agreed: they are known from the start, so that adding one later gives what would have
    been, and the rows to come show it.

    Raises HistoryImpossible: money comes before any was lent, two receipts share a key, an amount
    is not positive.
    """
    history = _History(contract, events, on)
    return history.state()


def payoff_minor(contract: Contract, events: Iterable[Event], on: date) -> int:
    """What settles the loan on the day: all principal, what is due, and interest up to the day."""
    known = [event for event in events if event.on <= on or isinstance(event, Charge)]
    return _History(contract, known, on).payoff(on)


def payable(contract: Contract, events: Iterable[Event], on: date) -> tuple[Row, ...]:
    """The rows as a payment on the day would find them: interest only up to that day."""
    history = _History(contract, events, on)
    history.plan.derive(on, cut=on)
    return history.plan.rows()


def in_order(events: Iterable[Event]) -> list[Event]:
    """The events as they are lived through: two lists that are the same in order have one state."""
    return sorted(events, key=lambda event: (event.on, _RANK[type(event)]))


class _Money:
    """A receipt while its parts are being found."""

    __slots__ = ("amount", "key", "kind", "left", "on", "pieces", "principal_left")

    def __init__(self, key: str, on: date, amount_minor: int, kind: str) -> None:
        self.key, self.on, self.amount, self.kind = key, on, amount_minor, kind
        self.left = amount_minor
        self.pieces: list[Piece] = []
        self.principal_left = 0


class _History:
    """The events of a loan, lived through up to a day."""

    def __init__(self, contract: Contract, events: Iterable[Event], on: date) -> None:
        self.terms = contract.terms
        self.plan = Plan(contract)
        self.on = on
        self.receipts: dict[str, _Money] = {}
        self.accelerated_on: date | None = None
        self.written_off_on: date | None = None
        self.paid_principal = 0
        self.shares: list[ShareCharge] = []
        self.derived: tuple[date, date | None] | None = None
        ordered = in_order(
            event for event in events if event.on <= on or isinstance(event, _KNOWN_AHEAD)
        )
        self.shares = [event for event in ordered if isinstance(event, ShareCharge)]
        self._place([event for event in ordered if isinstance(event, Charge)])
        moments = groupby(
            (event for event in ordered if not isinstance(event, (Charge, ShareCharge))),
            key=lambda event: (event.on, _pool(event)),
        )
        for (_, pool), group in moments:
            if pool is not None and self.terms.allocation.pool_same_day:
                self._receive([event for event in group if isinstance(event, Receipt)])
            else:
                for event in group:
                    self._live(event)

    # Events

    def _live(self, event: Event) -> None:
        plan = self.plan
        if isinstance(event, Receipt):
            self._receive([event])
            return
        if isinstance(event, RowReceipt):
            self._receive_row(event)
            return
        if isinstance(event, Payoff):
            self._pay_off(event)
            return
        if plan.settled is not None and not isinstance(event, Disbursement):
            # A settled loan has no plan left to change, and nothing to call in.
            return
        seen_on = min(event.on, self.on)
        self._grow_penalties(seen_on)
        if isinstance(event, Disbursement):
            self._disburse(event)
        elif isinstance(event, RateChange):
            plan.change_rate(event, seen_on)
        elif isinstance(event, InterestPause):
            plan.pause(event)
        elif isinstance(event, Reschedule):
            plan.reschedule(event)
        elif isinstance(event, MoveDues):
            plan.move(event)
        elif isinstance(event, SplitDues):
            plan.split(event)
        elif isinstance(event, FreezeDues):
            plan.freeze(event)
        elif isinstance(event, Accelerate):
            self.accelerated_on = self._stop(event.on, self.accelerated_on)
        elif isinstance(event, WriteOff):
            self.written_off_on = self._stop(event.on, self.written_off_on)
        self.derived = None
        if isinstance(event, Reschedule):
            self._place_again()
        if not isinstance(event, Disbursement):
            self._spend_overpaid(seen_on)

    def _stop(self, on: date, before: date | None) -> date:
        self.plan.interest_stop = min(self.plan.interest_stop or on, on)
        return before or on

    def _disburse(self, event: Disbursement) -> None:
        down = self.plan.disburse(event.on, event.amount_minor, event.on)
        self._spend_overpaid(event.on)
        auto = self.terms.down_payment_auto
        if event.down_payment_auto is not None:
            auto = event.down_payment_auto
        if down and auto:
            key = f"{DOWN_PAYMENT_KEY}{event.key or event.on.isoformat()}"
            receipt = self._new(key, event.on, down, ReceiptKind.DOWN_PAYMENT)
            self._spread([receipt], event.on)

    def _spend_overpaid(self, on: date) -> None:
        """What was paid too much before goes at once into what a new plan asks for."""
        self.derived = None
        left = [money for money in self.receipts.values() if money.left]
        pooled = self.terms.allocation.pool_same_day
        for _, group in groupby(
            left, key=lambda money: (money.on, money.kind) if pooled else money.key
        ):
            self._spread(list(group), on)

    def _receive(self, events: Sequence[Receipt]) -> None:
        on = events[0].on
        self._grow_penalties(on)
        self._spread([self._new(e.key, on, e.amount_minor, e.kind) for e in events], on)

    def _receive_row(self, event: RowReceipt) -> None:
        on = event.on
        self._grow_penalties(on)
        money = self._new(event.key, on, event.amount_minor, ReceiptKind.REPAYMENT)
        slot = next((s for s in self.plan.slots if s.due_on == event.due_on), None)
        if slot is None:
            raise HistoryImpossible("No instalment is due on that day.", field="due_on")
        self._derive(on, None)
        most = event.amount_minor
        if event.component is Component.PRINCIPAL:
            most = min(most, self._principal_open())
        elif not self.plan.recalculates or event.component is not Component.INTEREST:
            most = min(most, owed(slot, event.component))
        purse = Purse(money.left, lambda s, c, m: self._pay(s, c, m, on, on))
        purse.give(slot, event.component, most)
        self._share([money], purse)

    def _pay_off(self, event: Payoff) -> None:
        on = event.on
        self._grow_penalties(on)
        needed = self.payoff(on)
        given = needed if event.amount_minor is None else event.amount_minor
        monies: list[_Money] = []
        if given:
            monies = [self._new(event.key, on, given, ReceiptKind.REPAYMENT)]
            if given < needed:
                self._spread(monies, on)
                return
        elif not self._anything_planned(on):
            return
        cut = self._payoff_cut(on)
        self._derive(on, cut)
        self._drop_charges_after(on)
        if given:
            purse = Purse(given, lambda s, c, m: self._pay(s, c, m, on, on))
            spread(
                purse,
                self.plan.slots,
                on,
                ReceiptKind.REPAYMENT,
                self.terms.allocation,
                self._falls_due,
            )
            self._share(monies, purse)
        self.plan.settled = cut

    def _anything_planned(self, on: date) -> bool:
        """Whether anything is still to come, though nothing of it is asked for a payoff."""
        if not self.plan.disbursed:
            return False
        self._derive(on, None)
        return any(owed(slot, component) for slot in self.plan.slots for component in Component)

    def payoff(self, on: date) -> int:
        """What settles the loan on a day."""
        self._grow_penalties(on)
        cut = self._payoff_cut(on)
        self.plan.derive(on, cut)
        self.derived = (on, cut)
        self._share_charges(on)
        total = 0
        for slot in self.plan.slots:
            total += owed(slot, Component.PRINCIPAL) + owed(slot, Component.INTEREST)
            for component in (Component.FEE, Component.PENALTY):
                total += max(self._charges_by(slot, component, on), 0)
        return total

    def _payoff_cut(self, on: date) -> date:
        if self.terms.payoff_interest is PayoffInterest.TO_DAY:
            return on
        return min((s.due_on for s in self.plan.regular if s.due_on >= on), default=on)

    def _charges_by(self, slot: Slot, component: Component, on: date) -> int:
        """What is unpaid of a row's charges without those that fall due after a day."""
        penalty = component is Component.PENALTY
        later = sum(
            money for due_on, money, is_penalty in slot.charges
            if is_penalty is penalty and due_on > on
        )  # fmt: skip
        return owed(slot, component) - later

    def _drop_charges_after(self, on: date) -> None:
        for slot in self.plan.slots:
            kept = []
            for due_on, money, is_penalty in slot.charges:
                if due_on <= on:
                    kept.append((due_on, money, is_penalty))
                    continue
                paid = slot.paid_penalty if is_penalty else slot.paid_fee
                dropped = min(money, (slot.penalty if is_penalty else slot.fee) - paid)
                if is_penalty:
                    slot.penalty -= dropped
                else:
                    slot.fee -= dropped
            slot.charges = kept

    # Money in

    def _new(self, key: str, on: date, amount_minor: int, kind: str) -> _Money:
        if amount_minor <= 0:
            raise HistoryImpossible("Money in is more than nothing.", field="amount")
        if key in self.receipts:
            raise HistoryImpossible(f"Two receipts have the key {key!r}.", field="key")
        if not self.plan.disbursed:
            raise HistoryImpossible("Money came in before any was lent.", field="on")
        money = _Money(key, on, amount_minor, kind)
        self.receipts[key] = money
        return money

    def _spread(self, monies: Sequence[_Money], on: date) -> None:
        """Pay the rows with receipts of one kind and day, as one sum."""
        plan, rule, kind = self.plan, self.terms.allocation, monies[0].kind
        early = plan.recalculates and plan.settled is None
        counts = plan.counts_from(on) if early else on
        purse = Purse(
            sum(money.left for money in monies), lambda s, c, m: self._pay(s, c, m, on, counts)
        )
        if early and self.terms.early_order is EarlyOrder.PRINCIPAL:
            self._derive(on, None)
            spread(purse, plan.slots, on, kind, rule, self._falls_due, future=False)
            if purse.left:
                self._early_principal(purse, on)
        else:
            self._derive(on, counts if early else None)
            spread(purse, plan.slots, on, kind, rule, self._falls_due)
        self._share(monies, purse)

    def _early_principal(self, purse: Purse, on: date) -> None:
        """Money that nothing due is left for: it pays principal of the running row.

        What is left when all principal is paid goes to interest up to then, and to charges to come.
        """
        plan = self.plan
        slot = next((s for s in plan.regular if s.due_on >= on), None)
        if slot is not None and self.accelerated_on is None:
            for due_on, money, is_penalty in slot.charges:
                if due_on <= on:
                    component = Component.PENALTY if is_penalty else Component.FEE
                    purse.give(slot, component, min(money, owed(slot, component)))
            if self.terms.recalculation is Recalculation.PERIOD:
                purse.give(slot, Component.INTEREST, owed(slot, Component.INTEREST))
            purse.give(slot, Component.PRINCIPAL, self._principal_open())
        if not purse.left:
            return
        self.derived = None
        plan.paid_in_plan = True
        # Interest of the period in which it counts as paid, too, in whatever row it is due.
        self._derive(on, plan.counts_from(on))
        for row in plan.slots:
            for component in self.terms.allocation.order:
                if component is not Component.PRINCIPAL:
                    purse.give(row, component, owed(row, component))

    def _share(self, monies: Sequence[_Money], purse: Purse) -> None:
        """Give the pieces of a sum to the receipts that made it up, in their order."""
        queue = list(monies)
        for slot, component, whole in purse.pieces:
            piece = whole
            while piece:
                money = queue[0]
                part = min(piece, money.left)
                if part:
                    money.pieces.append((slot, component, part))
                    money.left -= part
                    piece -= part
                    if component is Component.PRINCIPAL:
                        self.paid_principal += part
                if not money.left:
                    money.principal_left = self._principal_left()
                    queue.pop(0)
        for money in queue:
            money.principal_left = self._principal_left()
        if self.plan.recalculates:
            self.plan.paid_in_plan = True
            self.derived = None

    def _principal_left(self) -> int:
        return sum(money for _, money in self.plan.disbursed) - self.paid_principal

    def _principal_open(self) -> int:
        """Principal that no row has been paid for, at this moment of a payment."""
        lent = sum(money for _, money in self.plan.disbursed)
        return lent - sum(slot.paid_principal for slot in self.plan.slots)

    def _pay(self, slot: Slot, component: Component, money: int, on: date, counts: date) -> None:
        if component is Component.PRINCIPAL:
            slot.paid_principal += money
            slot.principal_payments.append((counts, money))
            slot.principal = max(slot.principal, slot.paid_principal)
        elif component is Component.INTEREST:
            slot.paid_interest += money
            slot.interest_payments.append((counts, money))
            slot.interest = max(slot.interest, slot.paid_interest)
        elif component is Component.FEE:
            slot.paid_fee += money
        else:
            slot.paid_penalty += money
        if on < slot.due_on:
            slot.in_advance += money
        elif on > slot.due_on:
            slot.late += money
        slot.paid_on = max(slot.paid_on or on, on)

    # What is due

    def _derive(self, on: date, cut: date | None) -> None:
        key = (on if self.plan.recalculates else date.min, cut)
        if self.derived != key:
            self.plan.derive(on, cut)
            self.derived = key
        self._share_charges(on)

    def _falls_due(self, slot: Slot) -> date:
        if self.accelerated_on is None:
            return slot.due_on
        return min(slot.due_on, self.accelerated_on)

    def _place(self, charges: Sequence[Charge]) -> None:
        for charge in charges:
            if charge.amount_minor <= 0:
                raise HistoryImpossible("A charge is more than nothing.", field="amount")
            penalty = charge.kind is Component.PENALTY
            self._put((charge.on, charge.amount_minor, penalty))

    def _put(self, charge: tuple[date, int, bool]) -> None:
        regular = self.plan.regular
        slot = next((s for s in regular if charge[0] <= s.due_on), None)
        if slot is None:
            slots = self.plan.slots
            if not slots[-1].charges_only:
                last = regular[-1].due_on
                slots.append(Slot(last, charge[0], charges_only=True))
            slot = slots[-1]
            slot.due_on = max(slot.due_on, charge[0])
        insert = len(slot.charges)
        while insert and slot.charges[insert - 1][0] > charge[0]:
            insert -= 1
        slot.charges.insert(insert, charge)
        if charge[2]:
            slot.penalty += charge[1]
        else:
            slot.fee += charge[1]

    def _place_again(self) -> None:
        """Charges after the last instalment join the rows that a longer plan now has there."""
        slots = self.plan.slots
        extra = next((slot for slot in slots if slot.charges_only), None)
        if extra is None or extra.paid_fee or extra.paid_penalty:
            return
        slots.remove(extra)
        for charge in extra.charges:
            self._put(charge)

    def _share_charges(self, on: date) -> None:
        """Charges that are a part of each row's own dues."""
        for share in self.shares:
            if share.on > on:
                continue
            for slot in self.plan.slots:
                if slot.charges_only or slot.down:
                    continue
                if share.overdue_only:
                    if slot.due_on >= on or slot.share_charged:
                        continue
                    slot.share_charged = True
                    base = sum(owed(slot, component) for component in share.base)
                else:
                    if slot.share_charged:
                        continue
                    slot.share_charged = True
                    base = sum(
                        slot.principal if one is Component.PRINCIPAL else slot.interest
                        for one in share.base
                    )
                money = amount(base * share.share_ppm, 1_000_000, self.terms.amount_multiple_minor)
                penalty = share.kind is Component.PENALTY
                slot.charges.append((slot.due_on, money, penalty))
                if penalty:
                    slot.penalty += money
                else:
                    slot.fee += money

    def _grow_penalties(self, on: date) -> None:
        """Penalty interest on what is overdue, up to a day."""
        rule = self.terms.penalty
        if rule is None or not self.plan.disbursed or self.written_off_on is not None:
            return
        self._derive(on, None)
        grace = timedelta(days=rule.grace_days)
        for slot in self.plan.slots:
            if slot.charges_only:
                continue
            since = self._falls_due(slot) + grace
            begin = max(slot.late_until or since, since)
            if begin >= on:
                continue
            base = owed(slot, Component.PRINCIPAL)
            if rule.base is PenaltyBase.PRINCIPAL_AND_INTEREST:
                base += owed(slot, Component.INTEREST)
            before = self._penalty_interest(slot)
            slot.late_days += base * (on - begin).days
            slot.late_until = on
            slot.penalty += self._penalty_interest(slot) - before

    def _penalty_interest(self, slot: Slot) -> int:
        rule = self.terms.penalty
        assert rule is not None
        return amount(
            slot.late_days * rule.yearly_rate_ppm,
            rule.year_days * 1_000_000,
            self.terms.amount_multiple_minor,
        )

    # The answer

    def state(self) -> State:
        on, plan = self.on, self.plan
        earned = 0
        if plan.disbursed:
            self._grow_penalties(on)
            self._derive(on, None)
            earned = plan.earned(on)
            self.derived = None
            self._derive(on, None)
        slots = self._kept()
        numbers = {id(slot): number for number, slot in enumerate(slots, start=1)}
        rows = tuple(_row(slot, numbers[id(slot)]) for slot in slots)
        unpaid = [
            (row.unpaid, self._falls_due(slot)) for row, slot in zip(rows, slots, strict=True)
        ]
        whole = _sum(money for money, _ in unpaid)
        late = [(money, due_on) for money, due_on in unpaid if due_on < on and money.total_minor]
        gone = self.written_off_on is not None
        since = None if gone else min((due_on for _, due_on in late), default=None)
        return State(
            on=on,
            rows=rows,
            receipts={key: _receipt(money, numbers) for key, money in self.receipts.items()},
            disbursed_minor=sum(money for _, money in plan.disbursed),
            outstanding=Amounts() if gone else whole,
            overdue=Amounts() if gone else _sum(money for money, _ in late),
            due=Amounts() if gone else _sum(money for money, due_on in unpaid if due_on <= on),
            overdue_since_on=since,
            days_overdue=(on - since).days if since is not None else 0,
            overpaid_minor=sum(money.left for money in self.receipts.values()),
            earned_interest_minor=earned,
            written_off=whole if gone else Amounts(),
        )

    def _kept(self) -> list[Slot]:
        """The rows without the empty ones at the end."""
        slots = list(self.plan.slots)
        regular = [slot for slot in slots if not slot.charges_only]
        while len(regular) > 1 and not _has_any(regular[-1]):
            slots.remove(regular.pop())
        return slots


def _pool(event: Event) -> str | None:
    return event.kind if isinstance(event, Receipt) else None


def _has_any(slot: Slot) -> bool:
    return bool(slot.principal or slot.interest or slot.fee or slot.penalty)


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    principal = interest = fee = penalty = 0
    for money in amounts:
        principal += money.principal_minor
        interest += money.interest_minor
        fee += money.fee_minor
        penalty += money.penalty_minor
    return Amounts(principal, interest, fee, penalty)


def _row(slot: Slot, number: int) -> RowState:
    due = Amounts(slot.principal, slot.interest, slot.fee, slot.penalty)
    paid = Amounts(slot.paid_principal, slot.paid_interest, slot.paid_fee, slot.paid_penalty)
    return RowState(
        number=number,
        from_on=slot.from_on,
        due_on=slot.due_on,
        due=due,
        paid=paid,
        in_advance_minor=slot.in_advance,
        late_minor=slot.late,
        paid_on=slot.paid_on if due == paid and any(due) else None,
        down_payment=slot.down,
        charges_only=slot.charges_only,
    )


def _receipt(money: _Money, numbers: dict[int, int]) -> ReceiptState:
    parts: dict[int, list[int]] = {}
    whole = [0, 0, 0, 0]
    for slot, component, part in money.pieces:
        place = _PLACE[component]
        parts.setdefault(numbers[id(slot)], [0, 0, 0, 0])[place] += part
        whole[place] += part
    return ReceiptState(
        key=money.key,
        on=money.on,
        amount_minor=money.amount,
        amounts=Amounts(*whole),
        overpaid_minor=money.left,
        parts=tuple(Part(number, Amounts(*part)) for number, part in sorted(parts.items())),
        principal_left_minor=money.principal_left,
    )


_PLACE = {
    Component.PRINCIPAL: 0,
    Component.INTEREST: 1,
    Component.FEE: 2,
    Component.PENALTY: 3,
}
