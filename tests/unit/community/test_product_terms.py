"""What a product's terms and a crop's calendar may be."""

from typing import Any

import pytest

from community.communities import templates
from community.communities.charter import CharterRules, read_rules
from community.products.caps import check_liability_mode, check_rate, percent
from community.products.errors import (
    LiabilityModeNotAllowed,
    RateAboveCap,
    SeasonInvalid,
    TermsInvalid,
)
from community.products.terms import SeasonCalendar, read_season, read_terms

MONTHLY: dict[str, Any] = {
    "currency": "CNY",
    "principal_minor_min": 100_00,
    "principal_minor_max": 50_000_00,
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 100_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 36,
    "instalment_multiple_minor": 1,
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}
RICE: dict[str, Any] = {
    "crop": "rice",
    "sow_from": "2027-03-20",
    "sow_until": "2027-05-10",
    "harvest_from": "2027-09-20",
    "selling": [
        {"due_on": "2027-12-01", "weight": 40},
        {"due_on": "2027-10-15", "weight": 60},
    ],
}


def test_terms_come_back_as_they_were_stored() -> None:
    terms = read_terms(MONTHLY)
    assert terms.to_document() == MONTHLY
    assert read_terms(terms.to_document()) == terms


@pytest.mark.parametrize(
    "change, blamed",
    [
        ({"currency": "XXX"}, "currency"),
        ({"currency": 7}, "currency"),
        ({"principal_minor_min": 0}, "principal_minor_min"),
        ({"principal_minor_min": 1.5}, "principal_minor_min"),
        ({"principal_minor_min": True}, "principal_minor_min"),
        ({"principal_minor_max": 99_99}, "principal_minor_max"),
        ({"instalments_max": 2}, "instalments_max"),
        ({"instalments_max": 10**6}, "instalments_max"),
        ({"yearly_rate_ppm": -1}, "yearly_rate_ppm"),
        ({"yearly_rate_ppm": 0}, "yearly_rate_ppm"),
        ({"rate_method": "none"}, "yearly_rate_ppm"),
        ({"rate_method": "magic"}, "rate_method"),
        ({"rate_method": ["flat"]}, "rate_method"),
        ({"amortisation": "seasonal"}, "day_count"),
        (
            {"amortisation": "seasonal", "day_count": "actual/365", "rate_method": "flat"},
            "rate_method",
        ),
        ({"allocation_order": ["interest"]}, "allocation_order"),
        ({"allocation_order": ["interest", "interest"]}, "allocation_order"),
        ({"allocation_order": [["interest"], 3]}, "allocation_order"),
        ({"allocation_order": "interest"}, "allocation_order"),
        ({"period_length": 300, "instalments_max": 600}, "period_length"),
        ({"liability_mode": "everybody"}, "liability_mode"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_terms_that_cannot_be_are_refused_by_name(change: dict[str, Any], blamed: str) -> None:
    with pytest.raises(TermsInvalid) as refusal:
        read_terms(MONTHLY | change)
    assert blamed in refusal.value.members["errors"]


@pytest.mark.parametrize("term", sorted(MONTHLY))
def test_every_term_has_to_be_given(term: str) -> None:
    document = {name: value for name, value in MONTHLY.items() if name != term}
    with pytest.raises(TermsInvalid) as refusal:
        read_terms(document)
    assert refusal.value.members["errors"] == {term: "This term is missing."}


def test_selling_windows_are_kept_in_the_order_of_their_days() -> None:
    season = read_season(RICE)
    assert isinstance(season, SeasonCalendar)
    assert [(str(w.due_on), w.weight) for w in season.selling] == [
        ("2027-10-15", 60),
        ("2027-12-01", 40),
    ]
    assert read_season(season.to_document()) == season


@pytest.mark.parametrize(
    "change",
    [
        {"sow_until": "2027-09-20"},
        {"sow_from": "2027-05-11"},
        {"harvest_from": "2027-10-16"},
        {"selling": []},
        {"selling": [{"due_on": "2027-10-15", "weight": 0}]},
        {"selling": [{"due_on": "2027-10-15", "weight": 1.5}]},
        {"selling": [{"due_on": "2027-10-15", "weight": 1}] * 2},
        {"selling": [{"weight": 1}]},
        {"selling": 3},
        {"sow_from": "spring"},
        {"sow_from": None},
    ],
)
def test_a_calendar_against_nature_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SeasonInvalid):
        read_season(RICE | change)


def test_a_rate_above_the_cap_is_refused_with_the_basis_of_the_cap() -> None:
    charter = _charter()
    check_rate(charter.yearly_rate_ppm_max, charter, charter_version=3)
    with pytest.raises(RateAboveCap) as refusal:
        check_rate(charter.yearly_rate_ppm_max + 1, charter, charter_version=3)
    assert refusal.value.members["rate_cap_basis"] == charter.rate_cap_basis
    assert charter.rate_cap_basis in refusal.value.detail
    assert refusal.value.members["charter_version"] == 3


def test_a_liability_mode_that_the_charter_does_not_list_is_refused() -> None:
    charter = _charter()
    for mode in ("several", "joint_and_several", "pledge_only", "none"):
        terms = read_terms(MONTHLY | {"liability_mode": mode})
        if terms.liability_mode in charter.liability_modes:
            check_liability_mode(terms, charter)
        else:
            with pytest.raises(LiabilityModeNotAllowed):
                check_liability_mode(terms, charter)


def test_rates_are_written_as_people_read_them() -> None:
    assert [percent(n) for n in (0, 126_825, 120_000, 1)] == [
        "0 %",
        "12.6825 %",
        "12 %",
        "0.0001 %",
    ]


def _charter() -> CharterRules:
    return read_rules(templates.load("village-cooperative")["rules"])
