"""Shared credit lines: opening, changing, drawing."""

from typing import Any

from tests.api.wrong.shape import FRESH, NOBODY, VILLAGE, WHY, Wrong, money

LINE = "/credit-lines/@line"
NO_LINE = "cln_0000000000000000"


def line(**changes: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "limit": money("50.00"),
        "from_on": "2026-05-01",
        "until_on": "2026-12-31",
        "product": "@plain",
        "reason": "x",
    } | changes


def share(who: str, amount: str, currency: str = "CNY") -> dict[str, Any]:
    return {"sub_limits": [{"member": who, "limit": money(amount, currency)}]}


def draw(**changes: Any) -> dict[str, Any]:
    return {
        "community": "@village",
        "product": "@plain",
        "principal": money("10.00"),
        "instalments": 1,
        "purpose": "x",
        "credit_line": "@line",
    } | changes


OPENING = (
    ("nothing", {}, "422 validation"),
    ("no money", line(limit=money("0.00")), "422 validation"),
    ("dollars", line(limit=money("5.00", "USD")), "422 currency-mismatch"),
    ("too much", line(limit=money("500000.01")), "422 credit-line-too-large"),
    ("four years", line(until_on="2030-05-01"), "422 credit-line-term"),
    ("an end before its beginning", line(until_on="2026-04-30"), "422 credit-line-term"),
    ("a sub-limit above it", line(**share("@wang", "50.01")), "422 sub-limit-too-large"),
    ("a sub-limit in dollars", line(**share("@wang", "1.00", "USD")), "422 currency-mismatch"),
    ("a sub-limit for nobody", line(**share(NOBODY, "1.00")), "404 member-not-found"),
    ("a stranger's sub-limit", line(**share("@stranger", "1.00")), "409 not-an-active-member"),
    (
        "two sub-limits for one",
        line(sub_limits=[{"member": "@wang", "limit": money("1.00")}] * 2),
        "422 validation",
    ),
    ("a product of nobody", line(product="prd_0000000000000000"), "404 product-not-found"),
    ("a second line for the same", line(product=None), "409 credit-line-exists"),
)

LINES = [
    *(
        Wrong(f"a line with {name}", "officer", f"POST {VILLAGE}/credit-lines", body, problem)
        for name, body, problem in OPENING
    ),
    Wrong(
        "a line of a group that is not active",
        "officer",
        "POST /groups/@signing/credit-lines",
        line(),
        "409 credit-line-holder-not-ready",
    ),
    Wrong(
        "a sub-limit for somebody of another group",
        "officer",
        "POST /groups/@active/credit-lines",
        line(**share("@gao", "1.00")),
        "409 not-of-the-line-holder",
    ),
    Wrong(
        "changing a line without its version",
        "officer",
        f"PATCH {LINE}",
        WHY | {"limit": money("90.00")},
        "428 precondition-required",
    ),
    Wrong(
        "changing a line without a reason",
        "officer",
        f"PATCH {LINE}",
        {"limit": money("90.00")},
        "422 validation",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a line below one of its sub-limits",
        "officer",
        f"PATCH {LINE}",
        WHY | {"limit": money("59.99")},
        "422 sub-limit-too-large",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a line below what all sub-limits may be",
        "officer",
        f"PATCH {LINE}",
        WHY | {"limit": money("89.99")},
        "409 sub-limits-too-large",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a leader who changes the line",
        "wang",
        f"PATCH {LINE}",
        WHY | {"limit": money("90.00")},
        "403 not-allowed",
    ),
    Wrong(
        "a sub-limit on a line that is none",
        "officer",
        f"PUT /credit-lines/{NO_LINE}/sub-limits/@wang",
        WHY | {"limit": money("1.00")},
        "404 credit-line-not-found",
    ),
    Wrong(
        "a sub-limit below zero",
        "officer",
        f"PUT {LINE}/sub-limits/@wang",
        WHY | {"limit": money("-1.00")},
        "422 validation",
    ),
    Wrong(
        "a raise of a half",
        "officer",
        f"POST {LINE}/raises",
        WHY | {"by": money("50.00"), "until_on": "2026-05-01"},
        "422 temporary-raise-too-large",
    ),
    Wrong(
        "a raise for a year",
        "officer",
        f"POST {LINE}/raises",
        WHY | {"by": money("5.00"), "until_on": "2027-04-01"},
        "422 temporary-raise-term",
    ),
    Wrong(
        "a raise for somebody without a sub-limit",
        "officer",
        f"POST {LINE}/raises",
        WHY | {"by": money("5.00"), "until_on": "2026-05-01", "member": "@gao"},
        "409 no-sub-limit",
    ),
    Wrong(
        "paying a neighbour's savings into a line's reserve",
        "zhao",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("1.00"), "member": "@sun"},
        "403 not-allowed",
    ),
    Wrong(
        "paying the reserve fund into a line's reserve",
        "zhao",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("1.00"), "from_reserve_fund": True},
        "403 not-allowed",
    ),
    Wrong(
        "two payers into a line's reserve",
        "officer",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("1.00"), "member": "@sun", "from_reserve_fund": True},
        "422 validation",
    ),
    Wrong(
        "more than there is into a line's reserve",
        "officer",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("9999.00"), "from_reserve_fund": True},
        "409 insufficient-funds",
    ),
    Wrong(
        "dollars into a line's reserve",
        "wang",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("1.00", "USD")},
        "422 currency-mismatch",
    ),
    Wrong(
        "a stranger's savings into a line's reserve",
        "officer",
        f"POST {LINE}/reserve/contributions",
        {"amount": money("1.00"), "member": "@stranger"},
        "409 not-an-active-member",
    ),
    Wrong(
        "resuming what runs",
        "officer",
        f"POST {LINE}/resumption",
        WHY,
        "409 credit-line-step-not-allowed",
    ),
    Wrong(
        "suspending twice",
        "officer",
        "POST /credit-lines/@common/suspension",
        WHY,
        "409 credit-line-step-not-allowed",
    ),
    Wrong(
        "drawing on a suspended line",
        "wang",
        "POST /loans",
        draw(credit_line="@common"),
        "409 credit-line-not-in-force",
    ),
    Wrong(
        "drawing for another product",
        "wang",
        "POST /loans",
        draw(credit_line="@special"),
        "409 credit-line-for-another-product",
    ),
    Wrong(
        "drawing on a line of others",
        "gao",
        "POST /loans",
        draw(),
        "404 credit-line-not-found",
    ),
    Wrong(
        "drawing on a line without a sub-limit",
        "officer",
        "POST /loans",
        draw(borrower="@gao"),
        "409 no-sub-limit",
    ),
    Wrong(
        "drawing on no line at all",
        "wang",
        "POST /loans",
        draw(credit_line=NO_LINE),
        "404 credit-line-not-found",
    ),
    Wrong(
        "approving a draw above the sub-limit",
        "officer",
        "POST /loans/@draw/approval",
        None,
        "409 credit-limit-exceeded",
    ),
    Wrong(
        "a limit on a line of others",
        "gao",
        f"GET {VILLAGE}/members/@gao/credit-limit?credit_line=@line",
        None,
        "404 credit-line-not-found",
    ),
]
