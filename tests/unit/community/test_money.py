"""Law 5: money is exact. Nothing gets lost, nothing but whole minor units gets in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.errors import AmountOutOfRange, CurrencyMismatch, Invalid
from community.money import (
    CURRENCY_EXPONENTS,
    Money,
    allocate,
    format_minor,
    parse_minor,
    share_bps,
)

AMOUNTS = st.integers(min_value=0, max_value=10**15)
CURRENCIES = st.sampled_from(sorted(CURRENCY_EXPONENTS))


@given(total=AMOUNTS, weights=st.lists(AMOUNTS, min_size=1, max_size=12))
def test_parts_sum_to_the_whole_and_differ_from_their_share_by_less_than_one(
    total: int, weights: list[int]
) -> None:
    if not sum(weights):
        return
    parts = allocate(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)
        assert weight or not part


@given(weights=st.lists(AMOUNTS, min_size=1, max_size=12), data=st.data())
def test_no_part_exceeds_its_weight_when_the_weights_cover_the_total(
    weights: list[int], data: st.DataObject
) -> None:
    if not sum(weights):
        return
    total = data.draw(st.integers(0, sum(weights)))
    assert all(p <= w for p, w in zip(allocate(total, weights), weights, strict=True))


def test_the_cents_left_over_go_to_the_largest_then_to_the_first() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(11, [3, 4, 4]) == [3, 4, 4]
    assert allocate(8, [2, 3, 2]) == [2, 4, 2]


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [-1, 2]), (1, [0, 0])])
def test_what_cannot_be_allocated_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(Invalid):
        allocate(total, weights)


@given(amount=st.integers(-(10**15), 10**15), currency=CURRENCIES)
def test_writing_and_reading_an_amount_returns_it(amount: int, currency: str) -> None:
    assert parse_minor(format_minor(amount, currency), currency) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.",
        ".5",
        "1e3",
        " 1",
        "1 ",
        "+1",
        "1,5",
        "NaN",
        "Infinity",
        "١",
        "1.234",
        "--1",
        1,
        1.0,
    ],
)
def test_only_plain_digits_are_an_amount(text: object) -> None:
    with pytest.raises(Invalid):
        parse_minor(text, "CNY")


def test_amounts_that_the_books_cannot_hold_are_refused() -> None:
    assert parse_minor("9999999999999.99", "CNY") == 999_999_999_999_999
    with pytest.raises(AmountOutOfRange):
        parse_minor("10000000000000.01", "CNY")


@pytest.mark.parametrize("amount", [1.0, True, "1", None])
def test_money_is_made_of_whole_numbers_only(amount: object) -> None:
    with pytest.raises(Invalid):
        Money(amount, "CNY")  # type: ignore[arg-type]


def test_currencies_never_mix_and_money_has_no_truth_value() -> None:
    with pytest.raises(CurrencyMismatch):
        Money(1, "CNY") + Money(1, "USD")
    with pytest.raises(CurrencyMismatch):
        _ = Money(1, "CNY") < Money(2, "USD")
    with pytest.raises(TypeError):
        bool(Money(0, "CNY"))


@given(a=AMOUNTS, b=AMOUNTS)
def test_adding_then_subtracting_returns(a: int, b: int) -> None:
    assert Money(a, "INR") + Money(b, "INR") - Money(b, "INR") == Money(a, "INR")


@given(amount=AMOUNTS, bps=st.integers(0, 20_000))
def test_cover_rounds_up_and_shares_round_down(amount: int, bps: int) -> None:
    up, down = share_bps(amount, bps, up=True), share_bps(amount, bps)
    assert down * 10_000 <= amount * bps <= up * 10_000
    assert up - down in (0, 1)
