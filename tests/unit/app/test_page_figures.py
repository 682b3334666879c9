"""What pages draw is as long as the numbers beside it say."""

import pytest

from app.pages.office.portfolio import in_units


@pytest.mark.parametrize(("currency", "length"), [("CNY", 12.34), ("JPY", 1234), ("TND", 1.234)])
def test_bars_are_as_long_as_the_currency_has_decimals(currency: str, length: float) -> None:
    assert in_units(1234, currency) == length
