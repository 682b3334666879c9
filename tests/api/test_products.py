"""Products and seasons through HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from community.members.principal import Role
from tests.api.lending import TERMS, Hamlet, make_hamlet
from tests.api.people import Person, assert_problem
from tests.lending import SELLING, TODAY

SEASON: dict[str, Any] = {
    "code": "wheat-2027",
    "crop": "wheat",
    "sow_from": "2027-03-20",
    "sow_until": "2027-05-10",
    "harvest_from": "2027-09-20",
    "selling": SELLING,
}


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    return make_hamlet(app)


def test_an_officer_offers_a_product_and_members_read_it(hamlet: Hamlet) -> None:
    made = hamlet.officer.post(
        f"/api/v1/communities/{hamlet.village}/products", {"code": "new", "name": "New"}
    )
    assert made.status_code == 201, made.text
    product = made.json["id"]
    assert made.json["version"] is None
    version = hamlet.officer.post(
        f"/api/v1/products/{product}/versions",
        {"terms": TERMS, "valid_from": TODAY.isoformat(), "source": "the committee"},
    )
    assert version.status_code == 201, version.text
    # What may be left out has the value that it says.
    assert version.json["terms"] == TERMS | {
        "instalment_multiple": {"amount": "0.01", "currency": "CNY"},
        "month_end": "clamp",
        "grace_principal": 0,
        "grace_interest": 0,
        "principal_share_bps": 0,
        "processing": "horizontal",
        "future_rule": "next",
        "recalculation": "none",
        "early_money": "adjust_last",
        "penalty_yearly_rate_ppm": 0,
        "penalty_grace_days": 0,
        "penalty_base": "principal",
        "fees": [],
    }
    seen = hamlet.borrower.get(f"/api/v1/products/{product}")
    assert seen.json["version"] == version.json
    listed = hamlet.borrower.get(f"/api/v1/communities/{hamlet.village}/products").json["items"]
    assert [item["code"] for item in listed] == ["monthly", "seasonal", "new"]
    versions = hamlet.borrower.get(f"/api/v1/products/{product}/versions").json["items"]
    assert [item["version"] for item in versions] == [1]


def test_an_officer_enters_a_season_and_members_read_it(hamlet: Hamlet) -> None:
    made = hamlet.officer.post(f"/api/v1/communities/{hamlet.village}/seasons", SEASON)
    assert made.status_code == 201, made.text
    assert made.json["selling"] == SELLING
    assert hamlet.borrower.get(f"/api/v1/seasons/{made.json['id']}").json == made.json
    listed = hamlet.borrower.get(f"/api/v1/communities/{hamlet.village}/seasons").json["items"]
    assert [item["code"] for item in listed] == ["rice-2027", "wheat-2027"]


def test_members_change_nothing_and_strangers_see_nothing(
    hamlet: Hamlet, person: Callable[..., Person]
) -> None:
    path = f"/api/v1/communities/{hamlet.village}/products"
    assert_problem(hamlet.borrower.post(path, {"code": "x", "name": "X"}), 403, "not-allowed")
    stranger = person("Stranger")
    for address in (path, f"/api/v1/products/{hamlet.monthly}", f"/api/v1/seasons/{hamlet.rice}"):
        assert_problem(stranger.get(address), 404, "not-found")
    assert_problem(stranger.post(path, {"code": "x", "name": "X"}), 404, "not-found")
    clerk = person("Clerk", roles=[(Role.OFFICER, hamlet.village_id)])
    assert clerk.get(f"/api/v1/products/{hamlet.monthly}").status_code == 200
    version = {"terms": TERMS, "valid_from": "2027-04-01", "source": "nobody"}
    answer = clerk.post(f"/api/v1/products/{hamlet.monthly}/versions", version)
    assert_problem(answer, 403, "not-allowed")
    auditor = person("Auditor", roles=[(Role.AUDITOR, None)])
    assert auditor.get(path).status_code == 200
    assert_problem(auditor.post(path, {"code": "x", "name": "X"}), 403, "not-allowed")


TERMS_REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"yearly_rate_ppm": 120_000}, 422, "rate-above-cap"),
    ({"yearly_rate_ppm": 0}, 422, "terms-invalid"),
    ({"yearly_rate_ppm": -1}, 422, "validation"),
    ({"yearly_rate_ppm": "9.6"}, 422, "validation"),
    ({"rate_method": "magic"}, 422, "validation"),
    ({"allocation_order": ["interest", "interest"]}, 422, "terms-invalid"),
    ({"principal_min": {"amount": "100.00", "currency": "USD"}}, 422, "validation"),
    ({"principal_min": 100}, 422, "validation"),
    ({"liability_mode": "none", "cover_ratio_bps": 0}, 422, "liability-mode-not-allowed"),
    ({"liability_mode": "none"}, 422, "terms-invalid"),
    ({"colour": "red"}, 422, "validation"),
]


def test_terms_that_cannot_be_are_refused(hamlet: Hamlet) -> None:
    for change, status, code in TERMS_REFUSED:
        answer = hamlet.officer.post(
            f"/api/v1/products/{hamlet.monthly}/versions",
            {
                "terms": TERMS | change,
                "valid_from": (TODAY + timedelta(days=1)).isoformat(),
                "source": "the committee",
            },
        )
        assert_problem(answer, status, code)
        # Looking at it is refused for the same.
        look = f"/api/v1/products/{hamlet.monthly}/versions/preview"
        assert_problem(hamlet.officer.post(look, draft_of(change)), status, code)
        versions = hamlet.officer.get(f"/api/v1/products/{hamlet.monthly}/versions").json["items"]
        assert len(versions) == 1


def draft_of(change: dict[str, Any], **facts: Any) -> dict[str, Any]:
    tomorrow = (TODAY + timedelta(days=1)).isoformat()
    return {"terms": TERMS | change, "valid_from": tomorrow, "source": "the committee", **facts}


def test_a_version_is_looked_at_before_it_is_published(hamlet: Hamlet) -> None:
    path = f"/api/v1/products/{hamlet.monthly}/versions"
    more = {"amount": "60000.00", "currency": "CNY"}
    fee = {"name": "Stamp", "moment": "disbursement", "amount_minor": 12_00, "share_bps": 0}
    draft = draft_of({"principal_max": more, "yearly_rate_ppm": 84_000, "fees": [fee]})
    shown = hamlet.officer.post(f"{path}/preview", draft)
    assert shown.status_code == 200, shown.text
    assert (shown.json["version"], shown.json["follows"]) == (2, 1)
    assert shown.json["differences"] == [
        {"term": "principal_max", "before": TERMS["principal_max"], "after": more},
        {"term": "yearly_rate_ppm", "before": 96_000, "after": 84_000},
        {"term": "fees", "before": [], "after": [fee]},
    ]
    # The largest and longest loan that both lend; as it is now, it is the quote's to the cent.
    example = shown.json["example"]
    assert (example["instalments"], example["season"]) == (36, None)
    asked = {
        "product": hamlet.monthly,
        "amount": "50000.00",
        "instalments": 36,
        "on": draft["valid_from"],
    }
    quoted = f"/api/v1/communities/{hamlet.village}/quote"
    quote = hamlet.officer.get(quoted, **asked).json
    assert example["before"] == {name: quote[name] for name in example["before"]}
    assert example["after"]["fees"] == {"amount": "12.00", "currency": "CNY"}
    # Nothing was published by looking; what is published then costs what was shown.
    assert len(hamlet.officer.get(path).json["items"]) == 1
    assert hamlet.officer.post(path, draft | {"follows": 1}).status_code == 201
    quote = hamlet.officer.get(quoted, **asked).json
    assert example["after"] == {name: quote[name] for name in example["after"]}
    # Who looked at version 1 has not seen version 2.
    late = draft_of({}, follows=1) | {"valid_from": (TODAY + timedelta(days=2)).isoformat()}
    for address in (path, f"{path}/preview"):
        body = assert_problem(hamlet.officer.post(address, late), 409, "version-moved-on")
        assert (body["field"], body["last_version"]) == ("follows", 2)


def test_an_example_of_ones_own_has_to_be_one_that_is_lent(hamlet: Hamlet) -> None:
    path = f"/api/v1/products/{hamlet.monthly}/versions/preview"

    def look(example: dict[str, Any], change: dict[str, Any]) -> Any:
        return hamlet.officer.post(path, draft_of(change, example=example))

    small = {"amount": "50.00", "currency": "CNY"}
    lower = look({"principal": small, "instalments": 3}, {"principal_min": small})
    # 50 yuan were not lent before: there is no cost to compare with.
    assert lower.json["example"]["before"] is None
    assert lower.json["example"]["after"]["principal"] == small
    assert_problem(look({"principal": small}, {}), 422, "principal-out-of-range")
    assert_problem(look({"instalments": 37}, {}), 422, "instalments-out-of-range")
    assert_problem(look({"season": hamlet.rice}, {}), 422, "season-needed")
    told = look({"season": "sea_0000000000000000"}, {})
    assert_problem(told, 404, "season-not-found")


def test_a_seasonal_draft_follows_the_next_harvest(hamlet: Hamlet) -> None:
    path = f"/api/v1/products/{hamlet.seasonal}/versions/preview"
    seasonal = {"amortisation": "seasonal", "day_count": "actual/365", "instalments_min": 1}
    shown = hamlet.officer.post(path, draft_of(seasonal | {"yearly_rate_ppm": 90_000}))
    assert shown.status_code == 200, shown.text
    assert shown.json["example"]["season"] == hamlet.rice
    assert [row["due_on"] for row in shown.json["example"]["after"]["schedule"]] == [
        window["due_on"] for window in SELLING
    ]
    # After the harvest there is none to follow, and so no example.
    late = draft_of(seasonal) | {"valid_from": "2028-01-01"}
    shown = hamlet.officer.post(path, late)
    assert shown.status_code == 200, shown.text
    assert shown.json["example"] is None


def test_the_refusal_of_a_rate_names_the_basis_of_the_cap(hamlet: Hamlet) -> None:
    answer = hamlet.officer.post(
        f"/api/v1/products/{hamlet.monthly}/versions",
        {
            "terms": TERMS | {"yearly_rate_ppm": 120_000},
            "valid_from": (TODAY + timedelta(days=1)).isoformat(),
            "source": "the committee",
        },
    )
    body = assert_problem(answer, 422, "rate-above-cap")
    assert body["rate_cap_basis"] == "4 x one-year LPR at the contract date"
    assert body["charter_version"] == 1
    assert body["field"] == "yearly_rate_ppm"


def test_a_season_against_nature_is_refused(hamlet: Hamlet) -> None:
    path = f"/api/v1/communities/{hamlet.village}/seasons"
    changes: list[tuple[dict[str, Any], str]] = [
        ({"sow_until": "2027-09-20"}, "season-invalid"),
        ({"selling": []}, "validation"),
        ({"selling": [{"due_on": "2027-09-01", "weight": 1}]}, "season-invalid"),
        ({"selling": [{"due_on": "2027-10-15", "weight": 0}]}, "validation"),
    ]
    for change, code in changes:
        assert_problem(hamlet.officer.post(path, SEASON | change), 422, code)
    # The township's season of that code does not stand in the village's way; a second does.
    again = SEASON | {"code": "rice-2027"}
    assert hamlet.officer.post(path, again).status_code == 201
    assert_problem(hamlet.officer.post(path, again), 409, "season-exists")
