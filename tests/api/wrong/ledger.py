"""Holds, trial balances and statements."""

from tests.api.wrong.shape import HOLD, UNTIL, VILLAGE, WANG, WHY, Wrong, paid

_STATEMENTS = (
    ("officer", f"GET {VILLAGE}/trial-balance"),
    ("officer", f"GET {VILLAGE}/accounts/savings_cash/statement"),
    ("wang", f"GET {WANG}/statement"),
)

LEDGER = [
    *(
        Wrong(f"{name} of {request}", who, f"{request}?{query}", None, problem)
        for who, request in _STATEMENTS
        for name, query, problem in (
            ("a period that ends first", "from=2026-05-02&to=2026-05-01", "422 period-invalid"),
            ("a day that is none", "from=2026-02-30", "422 validation"),
            ("a day of another age", "to=0001-01-01", "422 validation"),
            ("words for a day", "from=yesterday", "422 validation"),
            ("a form that is none", "format=pdf", "422 validation"),
            ("a filter that is none", "colour=red", "422 validation"),
        )
    ),
    *(
        Wrong(f"{name} of {request}", who, f"{request}?{query}", None, problem)
        for who, request in _STATEMENTS[1:]
        for name, query, problem in (
            ("a made-up cursor", "cursor=AAAAAAAAAAAAAAAAAAAAAA", "422 bad-cursor"),
            ("another list's cursor", "cursor=@cursor", "422 bad-cursor"),
            ("too long a page", "limit=101", "422 validation"),
        )
    ),
    Wrong(
        "no such account",
        "officer",
        f"GET {VILLAGE}/accounts/gold/statement",
        None,
        "404 account-kind-not-found",
    ),
    Wrong(
        "a statement where one never was",
        "operator",
        "GET /communities/@far/members/@wang/statement",
        None,
        "404 membership-not-found",
    ),
    Wrong(
        "holds in a state that is none",
        "officer",
        f"GET {VILLAGE}/holds?state=lost",
        None,
        "422 validation",
    ),
    Wrong(
        "no such hold", "operator", "GET /holds/hld_0000000000000000", None, "404 hold-not-found"
    ),
    Wrong("holding too much", "officer", HOLD, paid("999.00", **UNTIL), "409 insufficient-funds"),
    Wrong(
        "holding until yesterday",
        "officer",
        HOLD,
        paid("1.00", reason="x", expires_on="2020-01-01"),
        "422 invalid",
    ),
    Wrong("holding without an end", "officer", HOLD, paid("1.00", reason="x"), "422 validation"),
    Wrong(
        "holding without a reason",
        "officer",
        HOLD,
        paid("1.00", expires_on="2027-01-01"),
        "422 validation",
    ),
    Wrong(
        "holding the same paper twice",
        "officer",
        HOLD,
        paid("1.00", **UNTIL, reference="hold"),
        "409 hold-exists",
    ),
    Wrong("a member holds their own money", "wang", HOLD, paid("1.00", **UNTIL), "403 not-allowed"),
    Wrong(
        "holding where one never was",
        "operator",
        "POST /communities/@far/members/@wang/holds",
        paid("1.00", **UNTIL),
        "404 membership-not-found",
    ),
    Wrong(
        "posting more than is held",
        "officer",
        "POST /holds/@hold/posting",
        paid("1.01"),
        "422 amount-out-of-range",
    ),
    Wrong("voiding for no reason", "officer", "POST /holds/@hold/void", {}, "422 validation"),
    Wrong(
        "voiding no hold",
        "officer",
        "POST /holds/hld_0000000000000000/void",
        WHY,
        "404 hold-not-found",
    ),
]
