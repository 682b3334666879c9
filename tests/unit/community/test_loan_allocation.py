"""A payment on a loan: every cent has its place, and the older debt comes first."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from community.errors import Invalid
from community.loans.allocation import Debt, Due, Part, Spread, debt, receive
from community.products.terms import Component

P, I = Component.PRINCIPAL, Component.INTEREST  # noqa: E741
DAY = date(2027, 6, 15)
ROWS = [
    Due(1, date(2027, 4, 15), 100_00, 10_00),
    Due(2, date(2027, 5, 15), 100_00, 7_00),
    Due(3, date(2027, 6, 15), 100_00, 4_00),
    Due(4, date(2027, 7, 15), 100_00, 1_00),
]

orders = st.sampled_from([(I, P), (P, I)])
dues = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 1_000)), min_size=1, max_size=12
).map(
    lambda rows: [
        Due(n, date(2027, 1, 1) + timedelta(days=30 * n), principal, interest)
        for n, (principal, interest) in enumerate(rows, start=1)
    ]
)
days = st.dates(date(2027, 1, 1), date(2028, 1, 31))
accelerations = st.none() | days


def after(rows: list[Due], spread: Spread) -> list[Due]:
    parts = {part.number: part for part in spread.parts}
    none = Part(0, 0, 0)
    return [
        Due(
            row.number,
            row.due_on,
            row.principal_minor - parts.get(row.number, none).principal_minor,
            row.interest_minor - parts.get(row.number, none).interest_minor,
        )
        for row in rows
    ]


@given(dues, st.integers(0, 200_000), days, accelerations, orders)
@settings(max_examples=300, deadline=None)
def test_every_cent_has_its_place(
    rows: list[Due],
    amount: int,
    on: date,
    accelerated_on: date | None,
    order: tuple[Component, ...],
) -> None:
    spread = receive(rows, amount, on, accelerated_on, order)
    owed = debt(rows, on, accelerated_on)
    assert spread.principal_minor + spread.interest_minor + spread.leftover_minor == amount
    assert spread.leftover_minor == max(0, amount - owed.total_minor)
    rest = after(rows, spread)
    assert all(row.principal_minor >= 0 and row.interest_minor >= 0 for row in rest)
    left = debt(rest, on, accelerated_on)
    assert left.total_minor == owed.total_minor - (amount - spread.leftover_minor)


@given(dues, st.integers(0, 100_000), st.integers(0, 100_000), days, accelerations, orders)
@settings(max_examples=300, deadline=None)
def test_a_payment_in_two_parts_on_a_day_is_the_same_as_one(
    rows: list[Due],
    first: int,
    second: int,
    on: date,
    accelerated_on: date | None,
    order: tuple[Component, ...],
) -> None:
    once = receive(rows, first + second, on, accelerated_on, order)
    half = receive(rows, first, on, accelerated_on, order)
    other = receive(after(rows, half), second, on, accelerated_on, order)
    assert after(after(rows, half), other) == after(rows, once)
    assert half.leftover_minor + other.leftover_minor == once.leftover_minor


@given(dues, st.integers(0, 100_000), days, orders)
@settings(max_examples=200, deadline=None)
def test_nothing_is_paid_of_a_later_instalment_before_the_older_is_whole(
    rows: list[Due], amount: int, on: date, order: tuple[Component, ...]
) -> None:
    rest = after(rows, receive(rows, amount, on, None, order))
    touched = [row.number for row, was in zip(rest, rows, strict=True) if row != was]
    if touched:
        assert all(row.total_minor == 0 for row in rest if row.number < max(touched))


def test_past_due_then_due_then_in_advance_interest_first() -> None:
    spread = receive(ROWS, 218_00, DAY, None, (I, P))
    assert spread.parts == (Part(1, 100_00, 10_00), Part(2, 100_00, 7_00), Part(3, 0, 1_00))


def test_the_products_order_says_what_is_paid_first_inside_an_instalment() -> None:
    assert receive(ROWS, 105_00, DAY, None, (P, I)).parts == (Part(1, 100_00, 5_00),)
    assert receive(ROWS, 105_00, DAY, None, (I, P)).parts == (Part(1, 95_00, 10_00),)


def test_what_nobody_owes_is_left_over() -> None:
    assert receive(ROWS, 423_00, DAY, None, (I, P)).leftover_minor == 1_00


def test_an_accelerated_loan_owes_no_interest_that_fell_due_later() -> None:
    # Of the interest only rows 1 and 2 count; all principal does.
    assert debt(ROWS, DAY, date(2027, 6, 1)).total_minor == 417_00
    spread = receive(ROWS, 500_00, DAY, date(2027, 6, 1), (I, P))
    assert (spread.principal_minor, spread.interest_minor) == (400_00, 17_00)
    assert spread.leftover_minor == 83_00


def test_debt_tells_what_is_late_and_since_when() -> None:
    assert debt(ROWS, DAY, None) == Debt(
        principal_minor=400_00,
        interest_minor=22_00,
        due_minor=321_00,
        overdue_minor=217_00,
        overdue_since_on=date(2027, 4, 15),
        days_overdue=61,
    )


def test_what_is_due_today_is_not_late() -> None:
    late = debt(ROWS[2:], DAY, None)
    assert (late.due_minor, late.overdue_minor, late.days_overdue) == (104_00, 0, 0)


def test_acceleration_makes_all_of_it_late_from_the_day_after() -> None:
    rows = ROWS[3:]
    assert debt(rows, DAY, DAY).overdue_minor == 0
    assert debt(rows, DAY, DAY).due_minor == 100_00
    assert debt(rows, DAY + timedelta(days=1), DAY).overdue_minor == 100_00


def test_a_loan_that_is_paid_owes_nothing() -> None:
    assert debt([Due(1, DAY, 0, 0)], DAY + timedelta(days=99), None) == Debt(0, 0, 0, 0, None, 0)


def test_a_negative_payment_is_refused() -> None:
    with pytest.raises(Invalid):
        receive(ROWS, -1, DAY, None, (I, P))
