"""Loan cases of a peer: terms, events and what the loan looked like after them.

A case has `terms`, `events` and `checks`; a check holds the figures after its first
`after_events` events, seen on its `business_date`. Every figure of a check is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from community.arithmetic import pledges
from community.arithmetic.delinquency import Bucket, Delinquency, Pause, delinquency
from community.arithmetic.events import (
    Charge,
    Disbursement,
    Event,
    InterestPause,
    Payoff,
    RateChange,
    Receipt,
    ReceiptKind,
    Reschedule,
    RowReceipt,
    ShareCharge,
)
from community.arithmetic.replay import DOWN_PAYMENT_KEY, payable, payoff_minor, replay
from community.arithmetic.state import RowState, State
from community.arithmetic.terms import (
    AllocationRule,
    Amortisation,
    Component,
    Contract,
    DayCount,
    EarlyMoney,
    EarlyOrder,
    FutureRule,
    InstalmentBase,
    InterestRounding,
    LateInterest,
    MonthEnd,
    PayoffInterest,
    PeriodUnit,
    Processing,
    RateMethod,
    Recalculation,
    Terms,
)
from tests.oracles.registry import Malformed

KINDS = {
    "repay": ReceiptKind.REPAYMENT,
    "down_payment": ReceiptKind.DOWN_PAYMENT,
    "goodwill_credit": ReceiptKind.GOODWILL_CREDIT,
    "merchant_issued_refund": ReceiptKind.MERCHANT_REFUND,
    "payout_refund": ReceiptKind.PAYOUT_REFUND,
}
FUTURE = {
    "next_installment": FutureRule.NEXT,
    "next_instalment": FutureRule.NEXT,
    "last_installment": FutureRule.LAST,
    "last_instalment": FutureRule.LAST,
    "reamortization": FutureRule.SPREAD,
    "reamortisation": FutureRule.SPREAD,
}
BUCKETS = (
    Bucket("RANGE_1", 1, 3),
    Bucket("RANGE_3", 4, 30),
    Bucket("RANGE_30", 31, 60),
    Bucket("RANGE_60", 61, 90),
    Bucket("RANGE_90", 91, 120),
    Bucket("RANGE_120", 121, 150),
    Bucket("RANGE_150", 151, 180),
    Bucket("RANGE_180", 181, 240),
    Bucket("RANGE_240", 241, None),
)
# What has no part in the arithmetic of the loan itself.
ONLY_PLEDGES = {
    "guarantee",
    "approve",
    "undo_approval",
    "undo_last_repayment",
    "undo_disbursal",
    "recover_from_guarantors",
    "write_off",
}


def check_loan(raw: Mapping[str, Any]) -> list[str]:
    """What differs between a case and our figures. Raises Malformed if it cannot be read."""
    checks = raw.get("checks")
    if not isinstance(raw.get("terms"), Mapping):
        raise Malformed("has no object 'terms'")
    if not isinstance(raw.get("events"), list):
        raise Malformed("has no list 'events'")
    if not isinstance(checks, list) or not checks:
        raise Malformed("has no list 'checks'")
    loan = _Loan(raw)
    found: list[str] = []
    for position, check in enumerate(checks, start=1):
        if not isinstance(check, Mapping):
            raise Malformed(f"check {position} is not an object")
        found += [f"check {position}, {line}" for line in loan.compare(check)]
    return found


class _Loan:
    """One case, read."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw_terms: Mapping[str, Any] = raw["terms"]
        self.tags = set(raw.get("conventions") or ())
        self.events = raw["events"]
        for event in self.events:
            if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
                raise Malformed(f"not an event: {event!r}")
        digits = self.raw_terms.get("currency_digits", 2)
        if not isinstance(digits, int):
            raise Malformed(f"currency_digits is not a number: {digits!r}")
        self.unit = 10**digits
        self.contract = self._contract()

    # Terms

    def _contract(self) -> Contract:
        raw = self.raw_terms
        progressive = raw.get("schedule_type") == "progressive"
        method = _choice(
            {
                "declining_balance": RateMethod.DECLINING_BALANCE,
                "flat": RateMethod.FLAT,
                "none": RateMethod.NONE,
            },
            _need(raw, "interest_method"),
            "interest_method",
        )
        if raw.get("rounding", "HALF_EVEN") != "HALF_EVEN":
            raise Malformed(f"rounding {raw['rounding']!r} is not known here")
        unit, per = _choice(
            {
                "days": (PeriodUnit.DAY, 1),
                "weeks": (PeriodUnit.WEEK, 1),
                "months": (PeriodUnit.MONTH, 1),
                "years": (PeriodUnit.MONTH, 12),
            },
            _need(raw, "repay_unit"),
            "repay_unit",
        )
        daily = raw.get("interest_period") == "daily"
        down = raw.get("down_payment") or {}
        share = raw.get("principal_pct_per_instalment")
        multiple = raw.get("currency_multiple_of")
        terms = Terms(
            rate_method=method,
            amortisation=_choice(
                {
                    "equal_instalments": Amortisation.EQUAL_INSTALMENT,
                    "equal_principal": Amortisation.EQUAL_PRINCIPAL,
                    "fixed_principal_pct": Amortisation.BALLOON,
                },
                _need(raw, "amortisation"),
                "amortisation",
            ),
            yearly_rate_ppm=_rate(_need(raw, "annual_rate_pct")),
            day_count=self._day_count(progressive, daily),
            period_unit=unit,
            period_length=_whole(raw, "repay_every") * per,
            month_end=_choice(
                {
                    None: MonthEnd.CLAMP,
                    "clamp_to_last_day": MonthEnd.CLAMP,
                    "roll_to_first_of_next_month": MonthEnd.ROLL,
                },
                raw.get("month_end"),
                "month_end",
            ),
            grace_principal=raw.get("grace_on_principal") or 0,
            grace_interest=raw.get("grace_on_interest_payment") or 0,
            principal_share_bps=_bps(share) if share is not None else 0,
            down_payment_bps=_bps(down["pct"]) if down else 0,
            down_payment_auto=bool(down.get("auto")),
            instalment_multiple_minor=self._step(raw.get("instalment_multiple_of")),
            amount_multiple_minor=self._step(multiple),
            even_out_last=progressive and method is RateMethod.DECLINING_BALANCE,
            instalment_base=(
                InstalmentBase.THIRTY_DAY_MONTHS
                if daily and not progressive
                else InstalmentBase.PERIODS
            ),
            # The peer's cumulative loans, and its older progressive ones, round every part.
            interest_rounding=(
                InterestRounding.PART
                if not progressive or "prog_round_sub" in self.tags
                else InterestRounding.PERIOD
            ),
            allocation=self._allocation(progressive),
            payoff_interest=(
                PayoffInterest.TO_NEXT_DUE
                if any(e.get("till") == "next_due_date" for e in self.events)
                else PayoffInterest.TO_DAY
            ),
        )
        return Contract(
            self._recalculation(terms, progressive),
            _whole(raw, "number_of_repayments"),
            _day(_need(raw, "start_date")),
        )

    def _day_count(self, progressive: bool, daily: bool) -> DayCount:
        raw = self.raw_terms
        if not daily or raw.get("interest_method") == "flat":
            return DayCount.PERIOD
        year = str(raw.get("days_in_year", "365"))
        year = "365" if year == "n/a" else year
        thirty = progressive and str(raw.get("days_in_month")) == "30"
        return _choice(
            {day_count.value: day_count for day_count in DayCount},
            f"{'30' if thirty else 'actual'}/{year}",
            "days_in_year",
        )

    def _recalculation(self, terms: Terms, progressive: bool) -> Terms:
        types = {event["type"] for event in self.events}
        rule = self.raw_terms.get("interest_recalculation")
        if not rule:
            if "pay_component" not in types and "prog_overdue" not in self.tags:
                return terms
            rule = {"rest": "daily", "strategy": "adjust_last_unpaid"}
        rest = _choice(
            {"daily": Recalculation.DAILY, "same_as_repayment": Recalculation.PERIOD},
            rule.get("rest"),
            "rest",
        )
        compounds = rule.get("compounding", "none") != "none"
        if progressive:
            overdue = "prog_overdue" in self.tags or "recalculate" in types
            late = LateInterest.UNTIL_PAID if overdue else LateInterest.NEVER
        else:
            odd = compounds or rest is Recalculation.PERIOD
            late = LateInterest.RUNNING_PERIOD if odd else LateInterest.UNTIL_PAID
        return replace(
            terms,
            recalculation=rest,
            early_money=_choice(
                {
                    "reduce_instalment": EarlyMoney.REDUCE_INSTALMENT,
                    "reduce_number_of_instalments": EarlyMoney.REDUCE_NUMBER,
                    "adjust_last_unpaid": EarlyMoney.ADJUST_LAST,
                },
                rule.get("strategy"),
                "strategy",
            ),
            early_order=EarlyOrder.ACCRUED if progressive else EarlyOrder.PRINCIPAL,
            late_interest=late,
            compound_late_interest=compounds,
        )

    def _allocation(self, progressive: bool) -> AllocationRule:
        raw = self.raw_terms
        name = raw.get("allocation")
        name = name or (
            "past_due_due_in_advance" if progressive else "penalty_fee_interest_principal"
        )
        if name == "past_due_due_in_advance":
            future = raw.get("future") or {}
            if isinstance(future, str):
                future = {"default": future}
            rules = tuple(
                (_choice(KINDS, kind, "future"), _choice(FUTURE, rule, "future"))
                for kind, rule in future.items()
                if kind != "default"
            )
            default = _choice(FUTURE, future.get("default", "next_instalment"), "future")
            return AllocationRule(
                order=_order(
                    raw.get("component_order") or ["penalty", "fee", "principal", "interest"]
                ),
                processing=Processing(raw.get("processing", "horizontal")),
                future_default=default,
                future=rules,
                pool_same_day=False,
            )
        if "__advance_" in name:
            due, _, advance = name.removeprefix("due_").partition("__advance_")
            return AllocationRule(
                order=_order(due.split("_")),
                advance_order=_order(advance.split("_")),
                due_charges_first=True,
                pool_same_day=False,
            )
        return AllocationRule(order=_order(name.split("_")), pool_same_day=False)

    def _step(self, multiple: Any) -> int:
        if multiple is None:
            return 1
        step = Fraction(str(multiple)) * self.unit
        if step < 1 or step.denominator != 1:
            raise Malformed(f"not a multiple: {multiple!r}")
        return int(step)

    # Events

    def _lived(self, count: int) -> list[tuple[int, Mapping[str, Any]]]:
        """The first events, with what was undone left out; each with its number."""
        kept: dict[int, Mapping[str, Any]] = {}
        for number, event in enumerate(self.events[:count], start=1):
            kind = event["type"]
            if kind == "undo":
                if kept.pop(event.get("target_event"), None) is None:
                    raise Malformed(f"event {number} undoes what is not there")
            elif kind == "undo_auto_down_payment":
                target = kept.get(event.get("target_event"))
                if target is None:
                    raise Malformed(f"event {number} undoes what is not there")
                kept[event["target_event"]] = {**target, "auto_down_payment": False}
            elif kind == "undo_last_repayment":
                paid = [n for n, e in kept.items() if e["type"] == "repay"]
                if not paid:
                    raise Malformed(f"event {number} undoes what is not there")
                del kept[paid[-1]]
            elif kind == "undo_disbursal":
                kept = {n: e for n, e in kept.items() if e["type"] not in ("disburse", "repay")}
            else:
                kept[number] = event
        return list(kept.items())

    def _event(self, number: int, event: Mapping[str, Any]) -> Event | None:
        kind = event["type"]
        if kind in ONLY_PLEDGES or kind == "recalculate":
            return None
        if kind == "disburse":
            return Disbursement(
                _day(_need(event, "date")),
                self.minor(_need(event, "amount")),
                str(number),
                down_payment_auto=event.get("auto_down_payment"),
            )
        if kind in KINDS:
            return Receipt(
                _day(_need(event, "date")),
                self.minor(_need(event, "amount")),
                str(number),
                KINDS[kind],
            )
        if kind == "payoff":
            given = event.get("amount")
            return Payoff(
                _day(_need(event, "date")),
                str(number),
                self.minor(given) if given is not None else None,
            )
        if kind == "pay_component":
            return RowReceipt(
                _day(_need(event, "date")),
                self.minor(_need(event, "amount")),
                str(number),
                Component(_need(event, "component")),
                _day(_need(event, "instalment_due")),
            )
        if kind == "charge":
            return Charge(
                _day(_need(event, "due")),
                self.minor(_need(event, "amount")),
                str(number),
                Component(_need(event, "kind")),
            )
        if kind == "charge_rule":
            return self._charge_rule(number, event)
        if kind == "rate_change":
            return RateChange(
                _day(_need(event, "effective")), _rate(_need(event, "annual_rate_pct"))
            )
        if kind == "interest_pause":
            return InterestPause(_day(_need(event, "start")), _day(_need(event, "end")))
        if kind == "reschedule":
            return self._reschedule(number, event)
        raise Malformed(f"event {number}: {kind!r} is not known here")

    def _charge_rule(self, number: int, event: Mapping[str, Any]) -> ShareCharge:
        words = set(str(_need(event, "basis")).split("_"))
        base = tuple(one for one in Component if one.value in words)
        known = {"instalment", "installment", "overdue", "plus", "principal", "interest"}
        if not base or words - known:
            raise Malformed(f"event {number}: basis {event['basis']!r} is not known here")
        return ShareCharge(
            self.contract.start_on,
            _rate(_need(event, "pct")),
            str(number),
            Component(_need(event, "kind")),
            base=base,
            overdue_only="overdue" in words,
        )

    def _reschedule(self, number: int, event: Mapping[str, Any]) -> Reschedule:
        from_due = _day(_need(event, "from_due"))
        names: dict[str, Any] = {}
        for key, value in event.items():
            if key in ("type", "date", "submitted_on", "from_due") or value is None:
                continue
            name = _reschedule_term(key, value)
            if name == "new_due_on":
                value = _day(value)
            elif name == "yearly_rate_ppm":
                value = _rate(value)
            names[name] = value
        on = event.get("date") or event.get("submitted_on")
        if on is None:
            # No day is given: when all that came before it had happened.
            before = [e["date"] for e in self.events[: number - 1] if "date" in e]
            on = min([max(before, default=event["from_due"]), event["from_due"]])
        return Reschedule(_day(on), from_due, **names)

    # Checks

    def compare(self, check: Mapping[str, Any]) -> list[str]:
        count = check.get("after_events")
        if not isinstance(count, int) or not 0 <= count <= len(self.events):
            raise Malformed(f"after_events is not a number of events: {count!r}")
        lived = self._lived(count)
        events = [event for pair in lived if (event := self._event(*pair)) is not None]
        days = [self.contract.start_on]
        days += [event.on for event in events if not isinstance(event, Charge)]
        days += [_day(e["date"]) for _, e in lived if e["type"] == "recalculate" and "date" in e]
        on = _day(check["business_date"]) if check.get("business_date") else max(days)
        seen = _Seen(self, events, lived, on, check)
        found = []
        for key, expected in check.items():
            if key in ("after_events", "business_date", "pauses"):
                continue
            answer = getattr(seen, f"get_{key}", None)
            if answer is None:
                raise Malformed(f"the figure {key!r} is not known here")
            found += _differences(key, expected, answer(expected))
        return found

    def minor(self, text: Any) -> int:
        exact = _number(text) * self.unit
        if exact.denominator != 1:
            raise Malformed(f"not an amount: {text!r}")
        return int(exact)


def _reschedule_term(key: str, value: Any) -> str:
    """Which term of a reschedule a key means; moves and rates go by several names."""
    words = set(key.split("_"))
    if "rate" in words or "pct" in words:
        return "yearly_rate_ppm"
    if "grace" in words and words & {"principal", "interest"}:
        return "grace_principal" if "principal" in words else "grace_interest"
    if "extra" in words:
        return "extra_instalments"
    if isinstance(value, str) and words & {"due", "to", "new", "date"}:
        return "new_due_on"
    raise Malformed(f"reschedule: {key!r} is not known here")


class _Seen:
    """The loan as our arithmetic sees it at one check; one method a figure."""

    def __init__(
        self,
        loan: _Loan,
        events: list[Event],
        lived: list[tuple[int, Mapping[str, Any]]],
        on: date,
        check: Mapping[str, Any],
    ) -> None:
        self.loan, self.events, self.lived, self.on, self.check = loan, events, lived, on, check
        self._state: State | None = None

    @property
    def state(self) -> State:
        if self._state is None:
            self._state = replay(self.loan.contract, self.events, self.on)
        return self._state

    def money(self, minor: int | Fraction) -> Fraction:
        return Fraction(minor) / self.loan.unit

    # Rows

    def get_rows_full(self, expected: Any) -> list[list[Any]]:
        rows: list[list[Any]] = []
        balance = 0
        waiting = sorted(
            (event for event in self.events if isinstance(event, Disbursement)),
            key=lambda event: event.on,
        )
        for row in self.state.rows:
            while waiting and (
                waiting[0].on < row.due_on or (row.down_payment and waiting[0].on == row.due_on)
            ):
                lent = waiting.pop(0)
                balance += lent.amount_minor
                rows.append([None, None, lent.on, None, self.money(lent.amount_minor), *[None] * 9])
            balance -= row.due.principal_minor
            rows.append(
                [
                    row.number,
                    (row.due_on - row.from_on).days,
                    row.due_on,
                    self._paid_on(row),
                    self.money(balance),
                    *(self.money(part) for part in row.due),
                    self.money(row.due.total_minor),
                    self.money(row.paid.total_minor),
                    self.money(row.in_advance_minor),
                    self.money(row.late_minor),
                    self.money(row.unpaid_minor),
                ]
            )
        return rows

    def _paid_on(self, row: RowState) -> date | None:
        if row.due.total_minor:
            return row.paid_on
        # The peer marks an empty row as met on the first day, but only once it has gone through
        # the loan's history again.
        types = [event["type"] for _, event in self.lived]
        again = "reschedule" in types or "charge" in types or types.count("disburse") > 1
        return self.loan.contract.start_on if again else None

    def get_rows_basic(self, expected: Any) -> list[list[Any]]:
        balances = self._balances()
        return [
            [
                row.number,
                row.due_on,
                self.money(row.due.principal_minor),
                self.money(row.due.interest_minor),
                self.money(balances[row.number]),
            ]
            for row in self.state.rows
        ]

    def _balances(self) -> dict[int, int]:
        """Scheduled balances, or what is really out where the case says so."""
        actual = "balance_actual" in self.loan.tags
        lent = [event for event in self.events if isinstance(event, Disbursement)]
        paid = [
            (receipt.on, part.number, part.amounts.principal_minor)
            for receipt in self.state.receipts.values()
            for part in receipt.parts
        ]
        found, due = {}, 0
        for row in self.state.rows:
            due += row.due.principal_minor
            balance = sum(money.amount_minor for money in lent if money.on < row.due_on) - due
            if actual:
                balance -= sum(
                    money for on, number, money in paid if number > row.number and on <= row.due_on
                )
            found[row.number] = balance
        return found

    def get_rows_sparse(self, expected: Any) -> list[list[Any]]:
        wanted = {row[0] for row in expected if isinstance(row, list) and row}
        return [row[:4] for row in self.get_rows_basic(expected) if row[0] in wanted]

    def get_totals(self, expected: Any) -> list[Fraction]:
        rows = self.state.rows
        dues = [sum(row.due[part] for row in rows) for part in range(4)]
        paid = sum(row.paid.total_minor for row in rows)
        return [
            self.money(total)
            for total in (
                *dues,
                sum(dues),
                paid,
                sum(row.in_advance_minor for row in rows),
                sum(row.late_minor for row in rows),
                sum(dues) - paid,
            )
        ]

    def get_total_interest(self, expected: Any) -> Fraction:
        return self.money(sum(row.due.interest_minor for row in self.state.rows))

    def get_paid_by_instalment(self, expected: Any) -> list[list[Any]]:
        wanted = {row[0] for row in expected if isinstance(row, list) and row}
        return [
            [row.number, self.money(row.paid.total_minor)]
            for row in self.state.rows
            if row.number in wanted
        ]

    # Money in and out

    def get_transactions(self, expected: Any) -> list[list[Any]]:
        found: list[tuple[date, int, list[Any]]] = []
        names = {str(number): event["type"] for number, event in self.lived}
        for place, event in enumerate(self.events):
            if isinstance(event, Disbursement):
                money = self.money(event.amount_minor)
                found.append((event.on, 2 * place, [event.on, "disburse", money, 0, 0, 0, 0, None]))
                down = self.state.receipts.get(DOWN_PAYMENT_KEY + event.key)
                if down is not None:
                    found.append((event.on, 2 * place + 1, self._receipt(down, "down_payment")))
                continue
            receipt = self.state.receipts.get(getattr(event, "key", ""))
            if receipt is not None:
                name = names[receipt.key]
                name = "repay" if name in ("payoff", "pay_component") else name
                found.append((event.on, 2 * place, self._receipt(receipt, name)))
        rows = [row for _, _, row in sorted(found, key=lambda item: item[:2])]
        balance = Fraction(0)
        for row in rows:
            balance += row[2] if row[1] == "disburse" else -row[3]
            row[7] = balance
        if not any(isinstance(row, list) and "disburse" in row for row in expected):
            rows = [row for row in rows if row[1] != "disburse"]
        return rows

    def _receipt(self, receipt: Any, name: str) -> list[Any]:
        parts = [self.money(part) for part in receipt.amounts]
        return [receipt.on, name, self.money(receipt.amount_minor), *parts, None]

    def get_outstanding(self, expected: Any) -> Fraction:
        return self.money(self.state.outstanding.total_minor)

    def get_overpaid(self, expected: Any) -> Fraction:
        return self.money(self.state.overpaid_minor)

    def get_payoff(self, expected: Any) -> dict[str, Any]:
        on = _day(_need(expected, "on"))
        amount = payoff_minor(self.loan.contract, self.events, on)
        return {"on": on, "amount": self.money(amount)}

    def get_payable(self, expected: Any) -> dict[str, Any]:
        on, due_on = _day(_need(expected, "on")), _day(_need(expected, "instalment_due"))
        lent = sum(
            event.amount_minor
            for event in self.events
            if isinstance(event, Disbursement) and event.on < due_on
        )
        for row in payable(self.loan.contract, self.events, on):
            if row.due_on == due_on:
                return {
                    "instalment_due": due_on,
                    "on": on,
                    "outstanding": self.money(lent),
                    "principal": self.money(row.principal_minor),
                    "interest": self.money(row.interest_minor),
                }
            lent -= row.principal_minor
        raise Malformed(f"no instalment is due on {due_on}")

    # Lateness

    def _late(self) -> Delinquency:
        pauses = self.check.get("pauses") or []
        return delinquency(
            self.state,
            grace_days=self.loan.raw_terms.get("delinquency_grace_days", 0),
            pauses=[Pause(_day(start), _day(end)) for start, end in pauses],
            buckets=BUCKETS,
        )

    def get_loan_level(self, expected: Any) -> dict[str, Any]:
        late = self._late()
        return {
            "bucket": late.bucket,
            "delinquent_amount": self.money(late.overdue_minor),
            "delinquent_from": late.delinquent_from_on,
            "delinquent_days": late.delinquent_days,
            "past_due_days": late.past_due_days,
        }

    def get_instalment_level(self, expected: Any) -> list[list[Any]]:
        return [[name, self.money(minor)] for name, minor in self._late().by_bucket]

    # Pledges

    def _pledges(self) -> tuple[pledges.Pledge, ...]:
        principal = self.loan.minor(_need(self.loan.raw_terms, "principal"))
        held: tuple[pledges.Pledge, ...] = ()
        for number, event in self.lived:
            kind = event["type"]
            if kind == "guarantee":
                by, amount = _need(event, "by"), event.get("amount")
                minor = self.loan.minor(amount) if amount is not None else 0
                held += (pledges.Pledge(by, minor, own=by == "self"),)
            elif kind == "approve":
                held = pledges.hold(held)
            elif kind in ("undo_approval", "write_off"):
                held = pledges.free(held)
            elif kind == "repay":
                part = event.get("principal_part")
                minor = (
                    self.loan.minor(part)
                    if part is not None
                    else self.state.receipts[str(number)].amounts.principal_minor
                )
                held = pledges.release(held, minor, principal)
            elif kind == "recover_from_guarantors":
                held = pledges.call(held, principal)
        return held

    def get_on_hold(self, expected: Any) -> dict[str, Any]:
        return {
            pledge.by: _Near(self.money(pledge.held_minor))
            for pledge in self._pledges()
            if pledge.by in expected
        }

    def get_savings_balance(self, expected: Any) -> dict[str, Any]:
        before = {
            event["by"]: _number(event.get("savings_balance", "0"))
            for _, event in self.lived
            if event["type"] == "guarantee"
        }
        return {
            pledge.by: _Near(before[pledge.by] - self.money(pledge.taken_minor))
            for pledge in self._pledges()
            if pledge.by in expected
        }

    def get_missing(self, expected: Any) -> list[str]:
        minimum = self.loan.raw_terms.get("guarantee_minimum_pct") or {}
        return list(
            pledges.missing(
                self._pledges(),
                self.loan.minor(_need(self.loan.raw_terms, "principal")),
                pledges.MinimumPledges(
                    total_bps=_bps(minimum.get("total", 0)),
                    from_guarantors_bps=_bps(minimum.get("from_guarantors", 0)),
                    from_own_funds_bps=_bps(minimum.get("from_own_funds", 0)),
                ),
            )
        )

    def get_approvable(self, expected: Any) -> bool:
        return not self.get_missing(expected)


class _Near(Fraction):
    """An exact figure whose peer was worked out with seven digits: the fourth decimal is noise."""


def _differences(place: str, want: Any, have: Any) -> list[str]:
    if isinstance(want, list) and isinstance(have, list):
        if len(want) != len(have):
            return [f"{place}: expected {len(want)} entries, got {len(have)}: {_short(have)}"]
        found = []
        for i, (w, h) in enumerate(zip(want, have, strict=True), start=1):
            found += _differences(f"{place}[{i}]", w, h)
        return found
    if isinstance(want, Mapping) and isinstance(have, Mapping):
        found = []
        for key, value in want.items():
            if key in have:
                found += _differences(f"{place}[{key}]", value, have[key])
            else:
                found.append(f"{place}[{key}]: expected {value!r}, got nothing")
        return found
    if _same(want, have):
        return []
    return [f"{place}: expected {want!r}, got {_short(have)}"]


def _same(want: Any, have: Any) -> bool:
    if want is None or have is None or isinstance(want, bool) or isinstance(have, bool):
        return want is have
    if isinstance(have, date):
        return want == have.isoformat()
    if isinstance(have, int | Fraction):
        try:
            off = abs(_number(want) - have)
            return off <= Fraction(1, 2000) if isinstance(have, _Near) else not off
        except Malformed:
            return False
    return bool(want == have)


def _short(value: Any) -> str:
    if isinstance(value, Fraction):
        return str(Decimal(value.numerator) / Decimal(value.denominator))
    if isinstance(value, list):
        text = "[" + ", ".join(_short(part) for part in value) + "]"
        return text if len(text) <= 200 else text[:200] + "…"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _need(mapping: Mapping[str, Any], key: str) -> Any:
    if not isinstance(mapping, Mapping) or mapping.get(key) is None:
        raise Malformed(f"has no {key!r}")
    return mapping[key]


def _choice(table: Mapping[Any, Any], value: Any, what: str) -> Any:
    try:
        return table[value]
    except (KeyError, TypeError):
        raise Malformed(f"{what} {value!r} is not known here") from None


def _number(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Malformed(f"not a decimal: {value!r}")
    try:
        return Fraction(Decimal(value))
    except (ArithmeticError, ValueError, OverflowError):
        raise Malformed(f"not a decimal: {value!r}") from None


def _whole(mapping: Mapping[str, Any], key: str) -> int:
    value = _need(mapping, key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(f"{key} is not a whole number: {value!r}")
    return value


def _rate(pct: Any) -> int:
    ppm = _number(pct) * 10_000
    if ppm.denominator != 1:
        raise Malformed(f"a rate has at most four decimals of a percent: {pct!r}")
    return int(ppm)


def _bps(pct: Any) -> int:
    bps = _number(pct) * 100
    if bps.denominator != 1:
        raise Malformed(f"a share has at most two decimals of a percent: {pct!r}")
    return int(bps)


def _day(text: Any) -> date:
    if not isinstance(text, str):
        raise Malformed(f"not a day: {text!r}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Malformed(f"not a day: {text!r}") from None


def _order(names: Sequence[str]) -> tuple[Component, ...]:
    try:
        return tuple(Component(name) for name in names)
    except ValueError as error:
        raise Malformed(str(error)) from None
