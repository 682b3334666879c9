"""The whole space of terms and histories, for properties that hold everywhere in it."""

from __future__ import annotations

import os
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

settings.register_profile(
    "many",
    max_examples=10_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("few", max_examples=100, deadline=None)
PROFILE = settings.get_profile(os.environ.get("ARITHMETIC_PROFILE", "few"))

AMOUNTS = st.integers(1, 500) | st.integers(1_000, 10**7) | st.integers(1, 10**12)


@dataclass(frozen=True)
class Life:
    """A contract and what happened; receipts have days of their own."""

    contract: Contract
    events: tuple[Event, ...]
    until_on: date


@st.composite
def all_terms(draw: st.DrawFn, **fixed: Any) -> Terms:
    """Any terms; what is given is fixed."""
    method = fixed.pop("rate_method", None) or draw(st.sampled_from(RateMethod))
    values: dict[str, Any] = {
        "rate_method": method,
        "amortisation": draw(st.sampled_from(Amortisation)),
        "yearly_rate_ppm": (
            0 if method is RateMethod.NONE else draw(st.integers(1, 600_000) | st.just(0))
        ),
        "day_count": draw(st.sampled_from(DayCount)),
        "period_unit": draw(st.sampled_from(PeriodUnit)),
        "period_length": draw(st.integers(1, 4)),
        "month_end": draw(st.sampled_from(MonthEnd)),
        "grace_principal": draw(st.just(0) | st.integers(0, 4)),
        "grace_interest": draw(st.just(0) | st.integers(0, 4)),
        "principal_share_bps": draw(st.integers(0, 3_000)),
        "down_payment_bps": draw(st.just(0) | st.integers(0, 5_000)),
        "down_payment_auto": draw(st.booleans()),
        "instalment_multiple_minor": draw(st.sampled_from([1, 1, 100, 5_000])),
        "amount_multiple_minor": draw(st.sampled_from([1, 1, 1, 10])),
        "interest_rounding": draw(st.sampled_from(InterestRounding)),
        "instalment_base": draw(st.sampled_from(InstalmentBase)),
        "even_out_last": draw(st.booleans()),
        "recalculation": draw(st.sampled_from(Recalculation)),
        "early_money": draw(st.sampled_from(EarlyMoney)),
        "early_order": draw(st.sampled_from(EarlyOrder)),
        "late_interest": draw(st.sampled_from(LateInterest)),
        "compound_late_interest": draw(st.booleans()),
        "payoff_interest": draw(st.sampled_from(PayoffInterest)),
        "allocation": draw(rules()),
        "penalty": draw(st.none() | penalties()),
    }
    return Terms(**{**values, **fixed})


@st.composite
def rules(draw: st.DrawFn) -> AllocationRule:
    orders = st.permutations(list(Component)).map(tuple)
    return AllocationRule(
        order=draw(orders),
        advance_order=draw(st.none() | orders),
        processing=draw(st.sampled_from(Processing)),
        future_default=draw(st.sampled_from(FutureRule)),
        future=((ReceiptKind.GOODWILL_CREDIT, draw(st.sampled_from(FutureRule))),),
        due_charges_first=draw(st.booleans()),
    )


@st.composite
def penalties(draw: st.DrawFn) -> PenaltyRule:
    return PenaltyRule(
        yearly_rate_ppm=draw(st.integers(1, 500_000)),
        grace_days=draw(st.integers(0, 10)),
        base=draw(st.sampled_from(PenaltyBase)),
    )


@st.composite
def contracts(draw: st.DrawFn, **fixed: Any) -> Contract:
    terms = draw(all_terms(**fixed))
    start = draw(st.dates(date(2019, 1, 1), date(2031, 12, 31)))
    season = ()
    if terms.amortisation is Amortisation.SEASONAL:
        days = sorted(draw(st.sets(st.integers(1, 500), min_size=1, max_size=5)))
        season = tuple(
            SeasonDue(start + timedelta(days=days_on), draw(st.integers(1, 100)))
            for days_on in days
        )
    return Contract(terms, draw(st.integers(1, 14)), start, season)


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
    more = draw(st.lists(st.integers(0, span - 1), max_size=2)) if span > 1 else []
    later = [
        Disbursement(contract.start_on + timedelta(days=days), draw(AMOUNTS), f"d{i}")
        for i, days in enumerate(sorted(more), start=1)
    ]
    return (first, *later)


@st.composite
def lives(draw: st.DrawFn, *, changes: bool = True, **fixed: Any) -> Life:
    """A loan's history: money out and in, charges, and changes of the plan."""
    contract = draw(contracts(**fixed))
    lent = draw(disbursements(contract))
    total = sum(money.amount_minor for money in lent)
    end = last_day(contract)
    span = (end - contract.start_on).days
    events: list[Event] = list(lent)
    days = sorted(draw(st.sets(st.integers(0, span + 40), max_size=5)))
    for i, day in enumerate(days):
        events.append(
            Receipt(
                contract.start_on + timedelta(days=day),
                draw(st.integers(1, max(total // 3, 1)) | st.integers(1, 2 * total)),
                f"r{i}",
                draw(st.sampled_from([ReceiptKind.REPAYMENT, ReceiptKind.GOODWILL_CREDIT])),
            )
        )
    for i, day in enumerate(draw(st.lists(st.integers(0, span + 10), max_size=2))):
        kind = draw(st.sampled_from([Component.FEE, Component.PENALTY]))
        on = contract.start_on + timedelta(days=day)
        events.append(Charge(on, draw(st.integers(1, 5_000)), f"c{i}", kind))
    if draw(st.booleans()):
        events.append(
            ShareCharge(
                contract.start_on,
                draw(st.integers(1, 50_000)),
                "share",
                overdue_only=draw(st.booleans()),
            )
        )
    if changes:
        for day in draw(st.sets(st.integers(1, span + 5), max_size=2)):
            events.append(draw(plan_changes(contract, contract.start_on + timedelta(days=day))))
    until = contract.start_on + timedelta(days=draw(st.integers(0, span + 60)))
    return Life(contract, tuple(events), until)


@st.composite
def plan_changes(draw: st.DrawFn, contract: Contract, on: date) -> Event:
    """Something that changes the plan from a day on."""
    start, end = contract.start_on, last_day(contract)
    span = (end - start).days
    from_on = start + timedelta(days=draw(st.integers(0, span)))
    until_on = from_on + timedelta(days=draw(st.integers(0, span)))
    one_sum = contract.terms.amortisation in (Amortisation.BULLET, Amortisation.SEASONAL)
    due_on = start + timedelta(days=draw(st.integers(0, span)))
    return draw(
        st.one_of(
            st.builds(RateChange, on=st.just(on), yearly_rate_ppm=st.integers(0, 600_000)),
            st.builds(
                InterestPause,
                on=st.just(on),
                until_on=st.integers(0, 60).map(lambda days: on + timedelta(days=days)),
            ),
            st.builds(
                Reschedule,
                on=st.just(on),
                from_due_on=st.just(due_on),
                extra_instalments=st.just(0) if one_sum else st.integers(0, 4),
                grace_principal=st.just(0) if one_sum else st.integers(0, 2),
                grace_interest=st.integers(0, 2),
                yearly_rate_ppm=st.none() | st.integers(0, 600_000),
            ),
            st.builds(
                MoveDues,
                on=st.just(on),
                from_on=st.just(from_on),
                until_on=st.just(until_on),
                days=st.integers(0, 400),
                interest=st.sampled_from(FrozenInterest),
            ),
            st.builds(
                SplitDues,
                on=st.just(on),
                from_on=st.just(from_on),
                until_on=st.just(until_on),
                parts=st.integers(1, 4),
                step=st.integers(1, 3),
                unit=st.none() | st.sampled_from(PeriodUnit),
                interest=st.sampled_from(FrozenInterest),
            ),
            st.builds(
                FreezeDues,
                on=st.just(on),
                from_on=st.just(from_on),
                until_on=st.just(until_on),
                resume_on=st.integers(1, 400).map(lambda days: until_on + timedelta(days=days)),
                interest=st.sampled_from(FrozenInterest),
            ),
            st.just(Accelerate(on)),
        )
    )
