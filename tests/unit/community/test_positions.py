"""What a loan has earned by a day: exact, rounded half-even, and all of it in the end."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.loans.positions import earned_minor

START = date(2027, 1, 31)
AMOUNT = st.integers(min_value=0, max_value=10**15)
DAYS = st.integers(min_value=1, max_value=40 * 366)


@pytest.mark.parametrize(
    ("gone", "earned"),
    # 100 over 8 days is 12.5 a day: halves go to the even neighbour.
    [(-1, 7), (0, 7), (1, 7 + 12), (2, 7 + 25), (3, 7 + 38), (5, 7 + 62), (8, 107), (99, 107)],
)
def test_a_hundred_over_eight_days(gone: int, earned: int) -> None:
    assert earned_minor(7, 100, START, 8, START + timedelta(days=gone)) == earned


@given(before=AMOUNT, interest=AMOUNT, days=DAYS, gone=DAYS)
def test_it_is_the_exact_part_rounded_half_even(
    before: int, interest: int, days: int, gone: int
) -> None:
    gone = min(gone, days)
    exact = before + round(Fraction(interest * gone, days))
    assert earned_minor(before, interest, START, days, START + timedelta(days=gone)) == exact


@given(interest=AMOUNT, days=DAYS, gone=DAYS)
def test_it_never_falls_and_never_exceeds_the_interest(interest: int, days: int, gone: int) -> None:
    today, tomorrow = (
        earned_minor(0, interest, START, days, START + timedelta(days=n)) for n in (gone, gone + 1)
    )
    assert 0 <= today <= tomorrow <= interest
