"""Savings, stakes, vouches and assessments."""

from typing import Any

from tests.api.wrong.shape import (
    DEPOSIT,
    FIVE,
    FRESH,
    NOBODY,
    VILLAGE,
    WANG,
    WITHDRAW,
    Wrong,
    money,
    paid,
)

SAVINGS = [
    Wrong("more than saved", "officer", WITHDRAW, paid("8.01"), "409 insufficient-funds"),
    Wrong("the stake", "officer", WITHDRAW, paid("400.00"), "409 insufficient-funds"),
    Wrong(
        "a slip booked before",
        "officer",
        DEPOSIT,
        paid("1.00", reference="slip 8"),
        "409 receipt-exists",
    ),
    Wrong(
        "a lock above the savings",
        "wang",
        f"POST {WANG}/stake-locks",
        paid("8.01"),
        "409 insufficient-funds",
    ),
    Wrong(
        "a stake that loans rest on",
        "wang",
        f"POST {WANG}/stake-releases",
        paid("500.00"),
        "409 stake-in-use",
    ),
    Wrong(
        "a stake that is none",
        "zhao",
        f"POST {VILLAGE}/members/@zhao/stake-releases",
        FIVE,
        "409 stake-in-use",
    ),
    Wrong(
        "more than the stake",
        "tycoon",
        f"POST {VILLAGE}/members/@tycoon/stake-releases",
        paid("90001.00"),
        "409 stake-in-use",
    ),
    Wrong(
        "a deposit of a suspended member",
        "officer",
        f"POST {VILLAGE}/members/@feng/savings/deposits",
        FIVE,
        "409 not-an-active-member",
    ),
    Wrong(
        "a deposit of an applicant",
        "officer",
        f"POST {VILLAGE}/members/@chen/savings/deposits",
        FIVE,
        "409 not-an-active-member",
    ),
]


def vouch(**changes: Any) -> dict[str, Any]:
    return {
        "side": "voucher",
        "other": "@li",
        "limit": money("5.00"),
        "expires_on": "2027-01-01",
    } | changes


def thought_of(**changes: Any) -> dict[str, Any]:
    return {"borrower": "@li", "limit": money("5.00"), "expires_on": "2027-01-01"} | changes


def going_over(leaving: str, coming: str) -> dict[str, str]:
    return {"leaving": leaving, "coming": coming, "reason": "li moves away"}


LOOK = f"POST {VILLAGE}/vouch-previews"
SUBSTITUTE = "POST /loans/@current/substitutions"
OFFER = f"POST {VILLAGE}/vouches"
VOUCHES = [
    Wrong("a vouch for oneself", "wang", OFFER, vouch(other="@wang"), "422 vouch-for-oneself"),
    Wrong(
        "a vouch above the charter's most",
        "wu",
        OFFER,
        vouch(limit=money("10000.01")),
        "422 vouch-too-large",
    ),
    Wrong(
        "a vouch that ended", "wu", OFFER, vouch(expires_on="2026-04-13"), "422 expiry-out-of-range"
    ),
    Wrong(
        "a vouch for a lifetime",
        "wu",
        OFFER,
        vouch(expires_on="2199-12-31"),
        "422 expiry-out-of-range",
    ),
    Wrong(
        "a vouch until 30 February", "wu", OFFER, vouch(expires_on="2027-02-30"), "422 validation"
    ),
    Wrong(
        "a vouch until the year 0", "wu", OFFER, vouch(expires_on="0000-01-01"), "422 validation"
    ),
    Wrong("a look at oneself", "wang", LOOK, thought_of(borrower="@wang"), "422 vouch-for-oneself"),
    Wrong(
        "a look above the charter's most",
        "wu",
        LOOK,
        thought_of(limit=money("10000.01")),
        "422 vouch-too-large",
    ),
    Wrong(
        "a look at a stranger",
        "wu",
        LOOK,
        thought_of(borrower="@stranger"),
        "409 not-an-active-member",
    ),
    Wrong(
        "a look by the other side", "wang", "GET /vouches/@live/preview", None, "403 not-allowed"
    ),
    Wrong(
        "a look at what is over", "wu", "GET /vouches/@declined/preview", None, "409 vouch-not-open"
    ),
    Wrong(
        "a guarantor who covers nothing goes",
        "wang",
        SUBSTITUTE,
        going_over("@zhao", "@guo"),
        "409 covers-nothing",
    ),
    Wrong(
        "a second change of one cover",
        "wang",
        SUBSTITUTE,
        going_over("@li", "@gao"),
        "409 cover-change-open",
    ),
    Wrong(
        "the borrower takes over",
        "li",
        SUBSTITUTE,
        going_over("@li", "@wang"),
        "403 not-in-cover-change",
    ),
    Wrong(
        "a stranger takes over",
        "li",
        SUBSTITUTE,
        going_over("@li", "@stranger"),
        "409 not-an-active-member",
    ),
    Wrong(
        "leaving what is called",
        "li",
        "POST /loans/@late/early-release",
        {"reason": "x"},
        "409 cover-is-called",
    ),
    Wrong(
        "leaving while a change is open",
        "li",
        "POST /loans/@current/early-release",
        {"reason": "x"},
        "409 cover-change-open",
    ),
    Wrong(
        "a change that is not theirs",
        "wei",
        "POST /cover-changes/@handover/agreement",
        None,
        "404 not-found",
    ),
    Wrong(
        "changes of cover of no kind", "li", "GET /me/cover-changes?show=x", None, "422 validation"
    ),
    Wrong(
        "what a change means for another",
        "li",
        "GET /cover-changes/@handover/preview",
        None,
        "403 not-allowed",
    ),
    Wrong("a vouch until a number", "wu", OFFER, vouch(expires_on=20270101), "422 validation"),
    Wrong("a vouch of neither side", "wu", OFFER, vouch(side="both"), "422 validation"),
    Wrong("a vouch for a loan", "wu", OFFER, vouch(other="@current"), "422 validation"),
    Wrong("a vouch for nobody", "wu", OFFER, vouch(other=NOBODY), "404 member-not-found"),
    Wrong(
        "a vouch for a stranger", "wu", OFFER, vouch(other="@stranger"), "409 not-an-active-member"
    ),
    Wrong("a vouch by a suspended member", "feng", OFFER, vouch(), "409 not-an-active-member"),
    Wrong("a vouch by somebody overdue", "ding", OFFER, vouch(), "409 overdue-gives-no-vouch"),
    Wrong("a second offer", "wu", OFFER, vouch(other="@gao"), "409 vouch-offer-exists"),
    Wrong(
        "accepting one's own offer",
        "wu",
        "POST /vouches/@offered/acceptance",
        None,
        "403 not-your-side",
    ),
    Wrong(
        "accepting a declined vouch",
        "guo",
        "POST /vouches/@declined/acceptance",
        None,
        "409 vouch-not-open",
    ),
    Wrong(
        "accepting a revoked vouch",
        "lin",
        "POST /vouches/@revoked_vouch/acceptance",
        None,
        "409 vouch-not-open",
    ),
    Wrong("accepting twice", "wang", "POST /vouches/@live/acceptance", None, "409 vouch-not-open"),
    Wrong(
        "declining a live vouch", "wang", "POST /vouches/@live/refusal", None, "409 vouch-not-open"
    ),
    Wrong(
        "declining one's own offer",
        "wu",
        "POST /vouches/@offered/refusal",
        None,
        "403 not-your-side",
    ),
    Wrong(
        "withdrawing a live vouch",
        "li",
        "POST /vouches/@live/withdrawal",
        None,
        "409 vouch-not-open",
    ),
    Wrong(
        "withdrawing the other's offer",
        "gao",
        "POST /vouches/@offered/withdrawal",
        None,
        "403 not-your-side",
    ),
    Wrong(
        "revoking an offer", "wu", "POST /vouches/@offered/revocation", None, "409 vouch-not-open"
    ),
    Wrong(
        "revoking twice",
        "wu",
        "POST /vouches/@revoked_vouch/revocation",
        None,
        "409 vouch-not-open",
    ),
    Wrong(
        "revoking as the borrower",
        "wang",
        "POST /vouches/@live/revocation",
        None,
        "403 not-your-side",
    ),
    Wrong(
        "lowering below what is reserved",
        "li",
        "PATCH /vouches/@live",
        {"limit": money("1.00")},
        "409 vouch-in-use",
        {"If-Match": FRESH},
    ),
    Wrong(
        "raising alone",
        "li",
        "PATCH /vouches/@live",
        {"limit": money("400.00")},
        "409 vouch-only-lowers",
        {"If-Match": FRESH},
    ),
    Wrong(
        "lowering as the borrower",
        "wang",
        "PATCH /vouches/@live",
        {"limit": money("200.00")},
        "403 not-your-side",
        {"If-Match": FRESH},
    ),
    Wrong(
        "lowering to dollars",
        "li",
        "PATCH /vouches/@free",
        {"limit": money("5.00", "USD")},
        "422 currency-mismatch",
        {"If-Match": FRESH},
    ),
    Wrong(
        "lowering an offer",
        "wu",
        "PATCH /vouches/@offered",
        {"limit": money("1.00")},
        "409 vouch-not-open",
        {"If-Match": FRESH},
    ),
    Wrong(
        "an officer changes a promise",
        "officer",
        "PATCH /vouches/@live",
        {"limit": money("200.00")},
        "403 not-allowed",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a grant above its term",
        "officer",
        f"POST {VILLAGE}/members/@gao/assessments",
        {"kind": "standing", "amount": money("5.00"), "evidence": "x", "expires_on": "2026-01-01"},
        "422 expiry-out-of-range",
    ),
    Wrong(
        "a grant to oneself",
        "clerk",
        f"POST {VILLAGE}/members/@clerk/assessments",
        {"kind": "standing", "amount": money("5.00"), "evidence": "x", "expires_on": "2027-01-01"},
        "403 not-your-own-assessment",
    ),
    Wrong(
        "a grant below what is reserved",
        "officer",
        f"POST {VILLAGE}/members/@li/assessments",
        {"kind": "standing", "amount": money("1.00"), "evidence": "x", "expires_on": "2027-01-01"},
        "409 assessment-in-use",
    ),
    Wrong(
        "ending a grant twice",
        "officer",
        "POST /assessments/@ended/end",
        None,
        "409 assessment-ended",
    ),
    Wrong(
        "a member ends a grant", "gao", "POST /assessments/@assessment/end", None, "403 not-allowed"
    ),
]
