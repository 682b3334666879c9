"""The risk desk asked for what it cannot do."""

from tests.api.wrong.shape import VILLAGE, Wrong

_ASK = f"POST {VILLAGE}/risk/stress-tests"

RISK = [
    *(
        Wrong(f"a stress test {name}", "operator", _ASK, body, problem)
        for name, body, problem in (
            ("without a shock", {}, "422 validation"),
            ("of a shock that is none", {"shock": "luck"}, "422 validation"),
            ("of nobody", {"shock": "member"}, "422 bad-shock"),
            ("of a stranger", {"shock": "member", "members": ["@stranger"]}, "422 bad-shock"),
            ("of a price without a fall", {"shock": "price", "crop": "rice"}, "422 bad-shock"),
            (
                "of a village elsewhere",
                {"shock": "village", "village": "@far"},
                "422 bad-shock",
            ),
            ("without draws", {"shock": "common_factor", "draws": 0}, "422 validation"),
            ("of too many draws", {"shock": "common_factor", "draws": 10_001}, "422 validation"),
            ("of a fall beyond all", {"shock": "price", "fall_bps": 10_001}, "422 validation"),
            (
                "under a liability that is none",
                {"shock": "common_factor", "mode": "x"},
                "422 validation",
            ),
            ("with half a seed", {"shock": "common_factor", "seed": 0.5}, "422 validation"),
        )
    ),
    *(
        Wrong(f"GET {path}?{query}", "operator", f"GET {VILLAGE}/risk/{path}?{query}", None, told)
        for path, query, told in (
            ("circles", "limit=0", "422 validation"),
            ("circles", "after_rank=-1", "422 validation"),
            ("concentration", "by=luck", "422 validation"),
            ("concentration.csv", "by=luck", "422 validation"),
            ("stress-tests", "cursor=x", "422 bad-cursor"),
        )
    ),
    *(
        Wrong(f"what if {name}", "operator", "POST /risk/circles/@circle/what-if", body, problem)
        for name, body, problem in (
            (
                "nobody's vouch were replaced",
                {"replaced": ["vch_0000000000000000"]},
                "422 bad-change",
            ),
            ("a stranger failed", {"fails": ["@stranger"]}, "422 bad-change"),
            (
                "somebody locked more than they have",
                {
                    "locked": [
                        {
                            "member": "@li",
                            "amount": {"amount": "99999.00", "currency": "CNY"},
                        }
                    ]
                },
                "422 bad-change",
            ),
            (
                "a limit were in other money",
                {"limits": [{"vouch": "@live", "amount": {"amount": "1.00", "currency": "USD"}}]},
                "422 currency-mismatch",
            ),
            (
                "a limit were below nothing",
                {"limits": [{"vouch": "@live", "amount": {"amount": "-1.00", "currency": "CNY"}}]},
                "422 validation",
            ),
        )
    ),
    Wrong(
        "the call plan of who is no member here",
        "operator",
        f"GET {VILLAGE}/risk/call-plans/@stranger",
        None,
        "404 membership-not-found",
    ),
    Wrong(
        "a map of too many circles",
        "operator",
        f"GET {VILLAGE}/risk/map?limit=1000",
        None,
        "422 validation",
    ),
    Wrong(
        "a history of no weeks",
        "operator",
        "GET /risk/circles/@circle/history?weeks=0",
        None,
        "422 validation",
    ),
    Wrong(
        "an auditor starts a search",
        "auditor",
        f"POST {VILLAGE}/risk/circles",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "the operator reads a circle that is none",
        "operator",
        "GET /risk/circles/cir_0000000000000000",
        None,
        "404 circle-not-found",
    ),
    Wrong(
        "the operator reads a stress test that is none",
        "operator",
        "GET /risk/stress-tests/str_0000000000000000",
        None,
        "404 stress-not-found",
    ),
    Wrong(
        "circles where nobody looked",
        "operator",
        "GET /communities/@far/risk/circles",
        None,
        "404 risk-run-not-found",
    ),
]
