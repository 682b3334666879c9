"""A crop's calendar: its windows, its cash flow, and when its loans go out."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from community.products.errors import ScheduleImpossible, SeasonInvalid
from community.products.schedule import tranches
from community.products.terms import Window, read_season

RICE: dict[str, Any] = {
    "crop": "rice",
    "sow_from": "2027-03-20",
    "sow_until": "2027-05-10",
    "harvest_from": "2027-09-20",
    "selling": [{"due_on": "2027-12-01", "weight": 40}, {"due_on": "2027-10-15", "weight": 60}],
}
FIRST, SECOND = date(2027, 3, 10), date(2027, 4, 20)
TRANCHES = [
    {"pay_on": "2027-04-20", "weight": 1},
    {"pay_on": "2027-03-10", "weight": 2},
]


def test_the_windows_of_a_year_follow_each_other() -> None:
    assert read_season(RICE).windows() == {
        Window.SOW: (date(2027, 3, 20), date(2027, 5, 10)),
        Window.GROW: (date(2027, 5, 11), date(2027, 9, 19)),
        Window.HARVEST: (date(2027, 9, 20), date(2027, 10, 14)),
        Window.SELL: (date(2027, 10, 15), date(2027, 12, 1)),
    }
    told = read_season(RICE | {"harvest_until": "2027-11-01"}).windows()
    assert told[Window.HARVEST] == (date(2027, 9, 20), date(2027, 11, 1))


def test_a_calendar_is_stored_and_read_back_whole() -> None:
    flows = [
        {"window": "sell", "spend_weight": 0, "earn_weight": 9},
        {"window": "sow", "spend_weight": 6, "earn_weight": 0},
    ]
    season = read_season(RICE | {"tranches": TRANCHES, "cash_flow": flows})
    assert read_season(season.to_document()) == season
    assert [flow.window for flow in season.cash_flow] == [Window.SOW, Window.SELL]
    assert [tranche.pay_on for tranche in season.tranches] == [FIRST, SECOND]


def test_a_calendar_stored_before_there_were_tranches_is_read() -> None:
    season = read_season(RICE)
    assert (season.tranches, season.cash_flow, season.harvest_until) == ((), (), None)


@pytest.mark.parametrize(
    "change",
    [
        {"harvest_until": "2027-09-19"},
        {"tranches": [{"pay_on": "2027-09-20", "weight": 1}]},
        {"tranches": [{"pay_on": "2027-03-20", "weight": 0}]},
        {"tranches": [{"pay_on": "2027-03-20", "weight": 1.5}]},
        {"tranches": [{"pay_on": "2027-03-20", "weight": 1}] * 2},
        {"tranches": [{"pay_on": f"2027-03-{day:02}", "weight": 1} for day in range(1, 14)]},
        {"tranches": [{"weight": 1}]},
        {"cash_flow": [{"window": "rest", "spend_weight": 1, "earn_weight": 1}]},
        {"cash_flow": [{"window": "sow", "spend_weight": -1, "earn_weight": 1}]},
        {"cash_flow": [{"window": "sow", "spend_weight": 1, "earn_weight": 1}] * 2},
    ],
)
def test_a_calendar_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SeasonInvalid):
        read_season(RICE | change)


def test_tranches_of_a_loan_worked_by_hand() -> None:
    season = read_season(RICE | {"tranches": TRANCHES})
    # A hundred in thirds: 66 and 33, the unit left over goes to the larger weight.
    assert tranches(100, season) == ((FIRST, 67), (SECOND, 33))
    # Paid out late: the first tranche goes out on the day itself, the second keeps its day.
    assert tranches(100, season, date(2027, 4, 1)) == ((date(2027, 4, 1), 67), (SECOND, 33))
    assert tranches(100, season, date(2027, 5, 1)) == ((date(2027, 5, 1), 100),)
    # One unit cannot be split: no tranche of nothing is paid.
    assert tranches(1, season) == ((FIRST, 1),)
    assert tranches(100, read_season(RICE)) == ((date(2027, 3, 20), 100),)
    with pytest.raises(ScheduleImpossible):
        tranches(0, season)


@given(
    principal=st.integers(1, 10**15),
    weights=st.lists(st.integers(1, 1_000_000), min_size=1, max_size=12),
    start=st.none() | st.dates(date(2027, 1, 1), date(2027, 12, 31)),
)
def test_tranches_sum_to_the_loan(principal: int, weights: list[int], start: date | None) -> None:
    planned = [
        {"pay_on": date(2027, 1 + n // 2, 1 + n), "weight": w} for n, w in enumerate(weights)
    ]
    paid = tranches(principal, read_season(RICE | {"tranches": planned}), start)
    assert sum(amount for _, amount in paid) == principal
    assert all(amount > 0 for _, amount in paid)
    days = [day for day, _ in paid]
    assert days == sorted(set(days))
    assert start is None or days[0] >= start
