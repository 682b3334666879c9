"""Communities, charters, memberships, members, products and seasons."""

from typing import Any

from tests.api.wrong.shape import FRESH, VILLAGE, WANG, WHY, Wrong, money


def charter(**changes: Any) -> dict[str, Any]:
    return {"valid_from": "2027-01-01", "source": "assembly", "begin_from": "present"} | changes


def rule(value: Any, **more: Any) -> dict[str, Any]:
    return {"value": value, "source": "assembly", **more}


COMMUNITIES = [
    *(
        Wrong(
            f"founding with {name}",
            "operator",
            "POST /communities",
            {"kind": "region", "name": "New", "reference": "new", "currency": "CNY"} | changes,
            problem,
        )
        for name, changes, problem in (
            ("a used reference", {"reference": "hamlet"}, "409 community-exists"),
            ("no such currency", {"currency": "XXX"}, "422 validation"),
            ("no such kind", {"kind": "planet"}, "422 validation"),
            ("no such parent", {"parent": "com_0000000000000000"}, "404 community-not-found"),
            ("a member for a parent", {"parent": "@wang"}, "422 validation"),
            (
                "another currency than its parent",
                {"parent": "@village", "currency": "USD"},
                "422 currency-mismatch",
            ),
        )
    ),
    *(
        Wrong(
            f"a charter with {name}",
            "officer",
            f"POST {VILLAGE}/charters",
            charter(**changes),
            problem,
        )
        for name, changes, problem in (
            ("a day in the past", {"valid_from": "2026-04-12"}, "409 charter-not-later"),
            ("a day that is none", {"valid_from": "2027-02-30"}, "422 validation"),
            ("no such template", {"begin_from": "paradise"}, "404 template-not-found"),
            ("no rules", {"begin_from": "nothing"}, "422 charter-invalid"),
            ("a rule that is none", {"rules": {"luck": rule(1)}}, "422 charter-invalid"),
            (
                "a rule without a source",
                {"rules": {"call_day": {"value": 20}}},
                "422 charter-invalid",
            ),
            ("a text for a number", {"rules": {"call_day": rule("20")}}, "422 charter-invalid"),
            ("a fraction for a number", {"rules": {"call_day": rule(20.5)}}, "422 charter-invalid"),
            ("yes for a number", {"rules": {"call_day": rule(True)}}, "422 charter-invalid"),
            ("a negative number", {"rules": {"call_day": rule(-1)}}, "422 charter-invalid"),
            ("a huge number", {"rules": {"vouch_minor_max": rule(10**17)}}, "422 charter-invalid"),
            (
                "steps that fall",
                {"rules": {"loan_cycle_steps_minor": rule([2, 1])}},
                "422 charter-invalid",
            ),
            (
                "a list in a list",
                {"rules": {"loan_cycle_steps_minor": rule([[1]])}},
                "422 charter-invalid",
            ),
            ("a list for rules", {"rules": ["call_day"]}, "422 validation"),
            ("a number for a rule", {"rules": {"call_day": 20}}, "422 validation"),
            (
                "groups smaller than their least",
                {"rules": {"group_size_max": rule(2)}},
                "422 charter-invalid",
            ),
        )
    ),
    Wrong(
        "a preview of a rule that is none",
        "officer",
        f"POST {VILLAGE}/charters/preview",
        charter(rules={"luck": rule(1)}),
        "422 charter-invalid",
    ),
    Wrong("applying twice", "wang", f"POST {VILLAGE}/members", {}, "409 already-a-member"),
    Wrong(
        "entering a stranger",
        "officer",
        f"POST {VILLAGE}/members",
        {"member": "@stranger"},
        "404 not-found",
    ),
    Wrong(
        "taking in a member",
        "officer",
        f"POST {WANG}/activation",
        {},
        "409 membership-step-not-allowed",
    ),
    Wrong(
        "suspending an applicant",
        "officer",
        f"POST {VILLAGE}/members/@chen/suspension",
        WHY,
        "409 membership-step-not-allowed",
    ),
    Wrong(
        "suspending without a reason", "officer", f"POST {WANG}/suspension", {}, "422 validation"
    ),
    Wrong(
        "resuming an active member",
        "officer",
        f"POST {WANG}/resumption",
        WHY,
        "409 membership-step-not-allowed",
    ),
    Wrong(
        "taking oneself in",
        "chen",
        f"POST {VILLAGE}/members/@chen/activation",
        {},
        "403 not-allowed",
    ),
    Wrong("leaving with a debt", "wang", f"POST {WANG}/departure", WHY, "409 still-bound"),
    Wrong(
        "leaving with a promise",
        "li",
        f"POST {VILLAGE}/members/@li/departure",
        WHY,
        "409 still-bound",
    ),
    Wrong("showing others out", "wu", f"POST {WANG}/departure", WHY, "404 not-found"),
    Wrong(
        "leaving where one never was",
        "operator",
        "POST /communities/@far/members/@wang/departure",
        WHY,
        "404 membership-not-found",
    ),
]

MEMBERS = [
    *(
        Wrong(
            f"registering with {name}",
            "operator",
            "POST /members",
            {"name": "New", **changes},
            problem,
        )
        for name, changes, problem in (
            ("a birth year to come", {"birth_year": 2027}, "422 bad-birth-year"),
            ("a birth year long ago", {"birth_year": 1799}, "422 validation"),
            ("no such household", {"household": "hh_0000000000000000"}, "404 household-not-found"),
            ("a member for a household", {"household": "@wang"}, "422 validation"),
            ("no such community", {"community": "com_0000000000000000"}, "404 community-not-found"),
            ("a role", {"roles": ["operator"]}, "422 validation"),
        )
    ),
    Wrong(
        "a household twice",
        "officer",
        "POST /households",
        {"reference": "hh-1"},
        "409 household-exists",
    ),
    Wrong(
        "moving while in a group",
        "officer",
        "PATCH /members/@wang",
        {"household": "@home"},
        "409 stands-in-group",
        {"If-Match": FRESH},
    ),
    Wrong(
        "changing no field",
        "officer",
        "PATCH /members/@wang",
        {},
        "422 validation",
        {"If-Match": FRESH},
    ),
    Wrong(
        "renaming oneself",
        "wang",
        "PATCH /members/@wang",
        {"name": "x"},
        "403 not-allowed",
        {"If-Match": FRESH},
    ),
    *(
        Wrong(
            f"a token with {name}",
            "wang",
            "POST /members/@wang/tokens",
            {"label": "x", **changes},
            f"422 {problem}",
        )
        for name, changes, problem in (
            ("no lifetime", {"lifetime_days": 0}, "validation"),
            ("a negative lifetime", {"lifetime_days": -1}, "validation"),
            ("a lifetime beyond the setting", {"lifetime_days": 3650}, "bad-lifetime"),
            ("no scopes", {"scopes": []}, "validation"),
            ("a scope that is none", {"scopes": ["everything"]}, "validation"),
            ("no label", {"label": ""}, "validation"),
        )
    ),
    Wrong(
        "a role that is none",
        "operator",
        "POST /members/@wang/roles",
        {"role": "king"},
        "422 validation",
    ),
    Wrong(
        "a role nowhere",
        "operator",
        "POST /members/@wang/roles",
        {"role": "officer", "community": "com_0000000000000000"},
        "404 community-not-found",
    ),
    Wrong(
        "an officer gives a role",
        "officer",
        "POST /members/@wang/roles",
        {"role": "officer", "community": "@village"},
        "403 not-allowed",
    ),
    Wrong(
        "the last operator goes",
        "operator",
        "DELETE /members/@operator/roles/@operation",
        None,
        "409 last-operator",
    ),
]

GOOD_TERMS: dict[str, Any] = {
    "principal_min": money("100.00"),
    "principal_max": money("1000.00"),
    "rate_method": "declining_balance",
    "amortisation": "equal_instalment",
    "yearly_rate_ppm": 96_000,
    "day_count": "30/360",
    "period_unit": "month",
    "period_length": 1,
    "instalments_min": 3,
    "instalments_max": 36,
    "instalment_multiple": money("1.00"),
    "allocation_order": ["interest", "principal"],
    "cover_ratio_bps": 10_000,
    "liability_mode": "several",
}
GOOD_SEASON: dict[str, Any] = {
    "code": "wheat",
    "crop": "wheat",
    "sow_from": "2026-10-01",
    "sow_until": "2026-11-01",
    "harvest_from": "2027-06-01",
    "selling": [{"due_on": "2027-07-01", "weight": 1}],
}
PRODUCTS = [
    Wrong(
        "a product twice",
        "officer",
        f"POST {VILLAGE}/products",
        {"code": "plain", "name": "x"},
        "409 product-exists",
    ),
    Wrong(
        "a product without a code",
        "officer",
        f"POST {VILLAGE}/products",
        {"name": "x"},
        "422 validation",
    ),
    Wrong(
        "a product by a member",
        "wang",
        f"POST {VILLAGE}/products",
        {"code": "mine", "name": "x"},
        "403 not-allowed",
    ),
    *(
        Wrong(
            f"terms with {name}",
            "officer",
            "POST /products/@plain/versions",
            {"terms": GOOD_TERMS | changes, "valid_from": "2026-05-01", "source": "x"},
            f"422 {problem}",
        )
        for name, changes, problem in (
            ("a least above the most", {"principal_min": money("2000.00")}, "terms-invalid"),
            ("two currencies", {"principal_max": money("1000.00", "USD")}, "validation"),
            (
                "a foreign currency",
                {
                    "principal_min": money("1.00", "USD"),
                    "principal_max": money("9.00", "USD"),
                    "instalment_multiple": money("1.00", "USD"),
                },
                "currency-mismatch",
            ),
            ("no principal", {"principal_min": money("0.00")}, "validation"),
            ("a negative rate", {"yearly_rate_ppm": -1}, "validation"),
            ("a rate above the charter's", {"yearly_rate_ppm": 2_000_000}, "rate-above-cap"),
            ("a rate as a fraction", {"yearly_rate_ppm": 0.09}, "validation"),
            ("more instalments than its most", {"instalments_min": 37}, "terms-invalid"),
            ("no such day count", {"day_count": "lunar"}, "validation"),
            ("half an order", {"allocation_order": ["interest"]}, "validation"),
            (
                "the same twice in its order",
                {"allocation_order": ["interest", "interest"]},
                "terms-invalid",
            ),
            ("a multiple of nothing", {"instalment_multiple": money("0.00")}, "validation"),
            ("a foreign multiple", {"instalment_multiple": money("1.00", "USD")}, "validation"),
        )
    ),
    Wrong(
        "a version in the past",
        "officer",
        "POST /products/@plain/versions",
        {"terms": GOOD_TERMS, "valid_from": "2026-04-12", "source": "x"},
        "409 version-out-of-order",
    ),
    Wrong(
        "terms of nothing",
        "officer",
        "POST /products/@plain/versions",
        {"terms": {}, "valid_from": "2026-05-01", "source": "x"},
        "422 validation",
    ),
    *(
        Wrong(
            f"a season with {name}",
            "officer",
            f"POST {VILLAGE}/seasons",
            GOOD_SEASON | changes,
            problem,
        )
        for name, changes, problem in (
            ("a used code", {"code": "rice"}, "409 season-exists"),
            ("its harvest before its sowing", {"harvest_from": "2026-09-01"}, "422 season-invalid"),
            (
                "selling before the harvest",
                {"selling": [{"due_on": "2027-05-01", "weight": 1}]},
                "422 season-invalid",
            ),
            ("no selling", {"selling": []}, "422 validation"),
            ("no weight", {"selling": [{"due_on": "2027-07-01", "weight": 0}]}, "422 validation"),
            (
                "a day twice",
                {"selling": [{"due_on": "2027-07-01", "weight": 1}] * 2},
                "422 season-invalid",
            ),
            ("30 February", {"sow_from": "2026-02-30"}, "422 validation"),
        )
    ),
]
