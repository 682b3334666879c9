"""The whole space of terms and histories, for properties that hold everywhere in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from community.arithmetic.calendar import step
from community.arithmetic.events import (
    Accelerate,
    Charge,
    Disbursement,
    Event,
    FreezeDues,
    FrozenInterest,
    InterestPause,
    MoveDues,
    RateChange,
    Receipt,
    ReceiptKind,
    Reschedule,
    ShareCharge,
    SplitDues,
)
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
    PenaltyBase,
    PenaltyRule,
    PeriodUnit,
    Processing,
    RateMethod,
    Recalculation,
    SeasonDue,
    Terms,
)

# `make properties` asks for ten thousand; the daily run has to be quick.
PROFILE = settings(
    max_examples=int(os.environ.get("ARITHMETIC_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

# Every strategy is made once, and draws plain numbers that are then put into place: strategies that
# are made anew for every loan would take most of the time.
AMOUNTS = st.integers(1, 500) | st.integers(1_000, 10**7) | st.integers(1, 10**12)
PLACES = st.integers(0, 1_000)
TWO_PLACES = st.tuples(PLACES, PLACES)
ORDERS = st.permutations(list(Component)).map(tuple)
RULES = st.builds(
    AllocationRule,
    order=ORDERS,
    advance_order=st.none() | ORDERS,
    processing=st.sampled_from(Processing),
    future_default=st.sampled_from(FutureRule),
    future=st.sampled_from(FutureRule).map(lambda rule: ((ReceiptKind.GOODWILL_CREDIT, rule),)),
    due_charges_first=st.booleans(),
)
PENALTIES = st.builds(
    PenaltyRule,
    yearly_rate_ppm=st.integers(1, 500_000),
    grace_days=st.integers(0, 10),
    base=st.sampled_from(PenaltyBase),
)
VALUES = st.fixed_dictionaries(
    {
        "rate_method": st.sampled_from(RateMethod),
        "amortisation": st.sampled_from(Amortisation),
        "yearly_rate_ppm": st.integers(1, 600_000) | st.just(0),
        "day_count": st.sampled_from(DayCount),
        "period_unit": st.sampled_from(PeriodUnit),
        "period_length": st.integers(1, 4),
        "month_end": st.sampled_from(MonthEnd),
        "grace_principal": st.just(0) | st.integers(0, 4),
        "grace_interest": st.just(0) | st.integers(0, 4),
        "principal_share_bps": st.integers(0, 3_000),
        "down_payment_bps": st.just(0) | st.integers(0, 5_000),
        "down_payment_auto": st.booleans(),
        "instalment_multiple_minor": st.sampled_from([1, 1, 100, 5_000]),
        "amount_multiple_minor": st.sampled_from([1, 1, 1, 10]),
        "interest_rounding": st.sampled_from(InterestRounding),
        "instalment_base": st.sampled_from(InstalmentBase),
        "even_out_last": st.booleans(),
        "recalculation": st.sampled_from(Recalculation),
        "early_money": st.sampled_from(EarlyMoney),
        "early_order": st.sampled_from(EarlyOrder),
        "late_interest": st.sampled_from(LateInterest),
        "compound_late_interest": st.booleans(),
        "payoff_interest": st.sampled_from(PayoffInterest),
        "allocation": RULES,
        "penalty": st.none() | PENALTIES,
    }
)
STARTS = st.dates(date(2019, 1, 1), date(2031, 12, 31))
COUNTS = st.integers(1, 14)
SEASONS = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 100)),
    min_size=1,
    max_size=5,
    unique_by=lambda due: due[0],
)
LATER_MONEY = st.lists(st.tuples(PLACES, AMOUNTS), max_size=2)
KINDS = st.sampled_from([ReceiptKind.REPAYMENT, ReceiptKind.GOODWILL_CREDIT])
RECEIPTS = st.lists(
    st.tuples(PLACES, st.integers(1, 400) | st.integers(1, 2_000), KINDS), max_size=5
)
CHARGES = st.lists(
    st.tuples(PLACES, st.integers(1, 5_000), st.sampled_from([Component.FEE, Component.PENALTY])),
    max_size=2,
)
SHARES = st.none() | st.tuples(st.integers(1, 50_000), st.booleans())
RATES = st.integers(0, 600_000)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("rate"), RATES),
        st.tuples(st.just("pause"), st.integers(0, 60)),
        st.tuples(
            st.just("reschedule"),
            PLACES,
            st.integers(0, 4),
            st.integers(0, 2),
            st.integers(0, 2),
            st.none() | RATES,
        ),
        st.tuples(
            st.just("move"),
            PLACES,
            PLACES,
            st.integers(0, 400),
            st.sampled_from(FrozenInterest),
        ),
        st.tuples(
            st.just("split"),
            PLACES,
            PLACES,
            st.integers(1, 4),
            st.integers(1, 3),
            st.none() | st.sampled_from(PeriodUnit),
            st.sampled_from(FrozenInterest),
        ),
        st.tuples(
            st.just("freeze"),
            PLACES,
            PLACES,
            st.integers(1, 400),
            st.sampled_from(FrozenInterest),
        ),
        st.tuples(st.just("accelerate")),
    ),
    max_size=2,
)


@dataclass(frozen=True)
class Life:
    """A contract and what happened; receipts have days of their own."""

    contract: Contract
    events: tuple[Event, ...]
    until_on: date


@st.composite
def contracts(draw: st.DrawFn, **fixed: Any) -> Contract:
    """Any contract; terms that are given are fixed."""
    values = {**draw(VALUES), **fixed}
    if values["rate_method"] is RateMethod.NONE:
        values["yearly_rate_ppm"] = 0
    terms = Terms(**values)
    start = draw(STARTS)
    season: tuple[SeasonDue, ...] = ()
    if terms.amortisation is Amortisation.SEASONAL:
        season = tuple(
            SeasonDue(start + timedelta(days=days), weight)
            for days, weight in sorted(draw(SEASONS))
        )
    return Contract(terms, draw(COUNTS), start, season)


def last_day(contract: Contract) -> date:
    """The last due date of the plan as agreed."""
    if contract.season:
        return contract.season[-1].due_on
    terms = contract.terms
    count = terms.period_length * contract.instalments
    return step(contract.start_on, terms.period_unit, count, terms.month_end)


@st.composite
def disbursements(draw: st.DrawFn, contract: Contract) -> tuple[Disbursement, ...]:
    """One to three, none of them on or after the last due date."""
    span = (last_day(contract) - contract.start_on).days
    first = Disbursement(contract.start_on, draw(AMOUNTS), "d0")
    later = [
        Disbursement(
            contract.start_on + timedelta(days=place * (span - 1) // 1_000), money, f"d{i}"
        )
        for i, (place, money) in enumerate(sorted(draw(LATER_MONEY)), start=1)
    ]
    return (first, *later)


@st.composite
def lives(draw: st.DrawFn, *, changes: bool = True, **fixed: Any) -> Life:
    """A loan's history: money out and in, charges, and changes of the plan."""
    contract = draw(contracts(**fixed))
    start = contract.start_on
    span = (last_day(contract) - start).days

    def day(place: int) -> date:
        return start + timedelta(days=place * (span + 40) // 1_000)

    lent = draw(disbursements(contract))
    total = sum(money.amount_minor for money in lent)
    events: dict[Any, Event] = {("lent", money.on): money for money in lent}
    for i, (place, permille, kind) in enumerate(draw(RECEIPTS)):
        # One a day: the order in which they are given decides nothing.
        amount = max(total * permille // 1_000, 1)
        events[day(place)] = Receipt(day(place), amount, f"r{i}", kind)
    for i, (place, amount, kind) in enumerate(draw(CHARGES)):
        events[f"charge {i}"] = Charge(day(place), amount, f"c{i}", kind)
    share = draw(SHARES)
    if share is not None:
        events["share"] = ShareCharge(start, share[0], "share", overdue_only=share[1])
    if changes:
        for place, change in zip(draw(TWO_PLACES), draw(CHANGES), strict=False):
            on = day(max(place, 1))
            events["change", on] = _change(contract, on, day, change)
    return Life(contract, tuple(events.values()), day(draw(PLACES)))


def _change(contract: Contract, on: date, day: Callable[[int], date], drawn: Any) -> Event:
    """Something that changes the plan from a day on."""
    kind, *values = drawn
    if kind == "rate":
        return RateChange(on, values[0])
    if kind == "pause":
        return InterestPause(on, on + timedelta(days=values[0]))
    if kind == "accelerate":
        return Accelerate(on)
    if kind == "reschedule":
        place, extra, principal, interest, rate = values
        one_sum = contract.terms.amortisation in (Amortisation.BULLET, Amortisation.SEASONAL)
        return Reschedule(
            on,
            day(place),
            extra_instalments=0 if one_sum else extra,
            grace_principal=0 if one_sum else principal,
            grace_interest=interest,
            yearly_rate_ppm=rate,
        )
    from_on, until_on = sorted((day(values[0]), day(values[1])))
    if kind == "move":
        return MoveDues(on, from_on, until_on, *values[2:])
    if kind == "split":
        return SplitDues(on, from_on, until_on, *values[2:])
    return FreezeDues(on, from_on, until_on, until_on + timedelta(days=values[2]), values[3])
