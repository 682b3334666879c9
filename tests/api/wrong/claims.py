"""Claims, their settlements, waivers and statements."""

from tests.api.wrong.shape import FIVE, VILLAGE, WHY, Wrong, paid

STATE = "POST /claims/@claim/settlements"
WAIVE = "POST /claims/@claim/waiver"
MUCH = paid("46.01")
STATEMENT = f"GET {VILLAGE}/members/@wang/claims-statement"

CLAIMS = [
    *(
        Wrong(f"settling {name}", "dai", STATE, body, problem)
        for name, body, problem in (
            ("more than is left", MUCH, "409 more-than-claimed"),
            ("in another money", paid("5.00", "USD"), "422 currency-mismatch"),
            ("nothing", paid("0.00"), "422 validation"),
            ("before the claim arose", FIVE | {"paid_on": "2026-04-12"}, "422 invalid"),
            ("tomorrow", FIVE | {"paid_on": "2026-04-14"}, "422 invalid"),
            ("with a reason", FIVE | WHY, "422 validation"),
        )
    ),
    Wrong("settling for others", "officer", STATE, FIVE, "403 not-allowed"),
    Wrong("settling a claim of which one knows nothing", "gao", STATE, FIVE, "404 not-found"),
    Wrong(
        "settling no claim",
        "dai",
        f"POST /claims/clm_{'0' * 16}/settlements",
        FIVE,
        "404 claim-not-found",
    ),
    Wrong(
        "confirming one's own word",
        "dai",
        "POST /claim-settlements/@said/confirmation",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "confirming in office",
        "officer",
        "POST /claim-settlements/@said/confirmation",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "confirming twice",
        "li",
        "POST /claim-settlements/@agreed/confirmation",
        None,
        "409 claim-settlement-answered",
    ),
    Wrong(
        "confirming what nobody said",
        "li",
        f"POST /claim-settlements/cst_{'0' * 16}/confirmation",
        None,
        "404 claim-settlement-not-found",
    ),
    Wrong(
        "declining what was confirmed",
        "li",
        "POST /claim-settlements/@agreed/refusal",
        WHY,
        "409 claim-settlement-answered",
    ),
    Wrong(
        "declining without a reason",
        "li",
        "POST /claim-settlements/@said/refusal",
        {},
        "422 validation",
    ),
    Wrong(
        "taking back what was not confirmed",
        "officer",
        "POST /claim-settlements/@said/reversal",
        WHY,
        "409 claim-settlement-answered",
    ),
    Wrong(
        "taking back one's own confirmation",
        "li",
        "POST /claim-settlements/@agreed/reversal",
        WHY,
        "403 not-allowed",
    ),
    *(
        Wrong(f"waiving {name}", who, WAIVE, body, problem)
        for name, who, body, problem in (
            ("one's own debt", "dai", WHY, "403 not-allowed"),
            ("another's claim", "officer", WHY, "403 not-allowed"),
            ("without a reason", "li", {}, "422 validation"),
            ("more than is left", "li", MUCH | WHY, "409 more-than-claimed"),
        )
    ),
    *(
        Wrong(f"a statement of claims {name}", "wang", f"{STATEMENT}?{query}", None, problem)
        for name, query, problem in (
            ("of no side", "side=both", "422 validation"),
            ("of a day that is none", "from=2026-02-30", "422 validation"),
            ("backwards", "from=2026-03-02&to=2026-03-01", "422 period-invalid"),
        )
    ),
    Wrong(
        "a statement of another's claims",
        "zhao",
        STATEMENT,
        None,
        "404 not-found",
    ),
]
