"""Running loans: settled early, taken back, charged, changed, paid out further."""

from typing import Any

from tests.api.wrong.shape import FIVE, NOBODY, WHY, Wrong, money

PAYOFF = "POST /loans/@settling/payoff"
CHARGE = "POST /loans/@current/charges"
CHANGE = "POST /loans/@current/plan-changes"
FEE = FIVE | WHY | {"kind": "fee"}
MOVE = WHY | {"kind": "move", "from_on": "2026-04-01", "until_on": "2026-05-01", "days": 9}


def moved(**changes: Any) -> dict[str, Any]:
    body = MOVE | changes
    return {name: value for name, value in body.items() if value is not None}


SERVICING = [
    Wrong("settling for less", "officer", PAYOFF, FIVE, "422 not-the-payoff"),
    Wrong("settling by oneself", "tycoon", PAYOFF, FIVE, "403 not-allowed"),
    Wrong(
        "settling what is closed",
        "officer",
        "POST /loans/@closed/payoff",
        FIVE,
        "409 nothing-to-settle",
    ),
    Wrong(
        "settling what never went out",
        "officer",
        "POST /loans/@approved/payoff",
        FIVE,
        "409 nothing-to-settle",
    ),
    Wrong(
        "settling in dollars",
        "officer",
        PAYOFF,
        {"amount": money("12.00", "USD")},
        "422 currency-mismatch",
    ),
    Wrong(
        "settling for nobody", "officer", PAYOFF, FIVE | {"payer": NOBODY}, "404 member-not-found"
    ),
    Wrong(
        "the payoff of the past century",
        "wang",
        "GET /loans/@current/payoff?on=1999-99-99",
        None,
        "422 validation",
    ),
    Wrong(
        "money before the loan",
        "officer",
        "POST /loans/@current/repayments",
        FIVE | {"received_on": "2026-01-01"},
        "422 day-not-open",
    ),
    Wrong(
        "money of tomorrow",
        "officer",
        "POST /loans/@current/repayments",
        FIVE | {"received_on": "2031-01-01"},
        "422 day-not-open",
    ),
    Wrong(
        "taking back nothing",
        "officer",
        "POST /receipts/rcp_0000000000000000/reversal",
        WHY,
        "404 receipt-not-found",
    ),
    Wrong(
        "taking back without a reason",
        "officer",
        "POST /receipts/@receipt/reversal",
        {"reason": ""},
        "422 validation",
    ),
    Wrong(
        "taking back by the payer",
        "wang",
        "POST /receipts/@receipt/reversal",
        WHY,
        "403 not-allowed",
    ),
    *(
        Wrong(f"a charge with {name}", "officer", CHARGE, FEE | changes, problem)
        for name, changes, problem in (
            ("no amount", {"amount": money("0.00")}, "422 validation"),
            ("a debt for an amount", {"amount": money("-5.00")}, "422 validation"),
            ("dollars", {"amount": money("5.00", "USD")}, "422 currency-mismatch"),
            ("a kind of its own", {"kind": "gift"}, "422 validation"),
            ("a day that has been", {"due_on": "2026-01-01"}, "422 invalid"),
            ("no reason", {"reason": ""}, "422 validation"),
        )
    ),
    Wrong(
        "charging what is closed", "officer", "POST /loans/@closed/charges", FEE, "409 wrong-state"
    ),
    Wrong("charging oneself", "wang", CHARGE, FEE, "403 not-allowed"),
    Wrong(
        "waiving nothing",
        "officer",
        "POST /charges/chg_0000000000000000/waiver",
        WHY,
        "404 charge-not-found",
    ),
    *(
        Wrong(f"a change with {name}", "officer", CHANGE, body, problem)
        for name, body, problem in (
            ("no kind", moved(kind=None), "422 validation"),
            ("no days", moved(days=None), "422 validation"),
            ("days backwards", moved(days=-9), "422 validation"),
            ("a rate besides", moved(yearly_rate_ppm=1), "422 validation"),
            ("its end before its start", moved(until_on="2026-03-01"), "422 validation"),
            (
                "a window of another age",
                moved(from_on="2040-01-01", until_on="2040-02-01"),
                "409 plan-not-changed",
            ),
            (
                "parts of one",
                WHY
                | {"kind": "split", "from_on": "2026-04-01", "until_on": "2026-05-01", "parts": 1},
                "422 validation",
            ),
            ("a usurer's rate", WHY | {"kind": "rate", "yearly_rate_ppm": 10**9}, "422 validation"),
        )
    ),
    Wrong(
        "changing what is not out",
        "officer",
        "POST /loans/@approved/plan-changes",
        MOVE,
        "409 wrong-state",
    ),
    Wrong("changing one's own plan", "wang", CHANGE, MOVE, "403 not-allowed"),
    Wrong(
        "undoing nothing",
        "officer",
        "POST /plan-changes/chn_0000000000000000/undoing",
        WHY,
        "404 change-not-found",
    ),
    Wrong(
        "a tranche of what is all out",
        "officer",
        "POST /loans/@current/disbursements",
        None,
        "409 tranche-not-due",
    ),
    Wrong(
        "a tranche for oneself",
        "tycoon",
        "POST /loans/@sown/disbursements",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "a tranche of what never went out",
        "officer",
        "POST /loans/@approved/disbursements",
        None,
        "409 wrong-state",
    ),
    Wrong(
        "a tranche of a loan that is late",
        "officer",
        "POST /loans/@late/disbursements",
        None,
        "409 wrong-state",
    ),
    *(
        Wrong(f"dues with {name}", "officer", CHANGE, moved(**changes), "422 validation")
        for name, changes in {
            "interest that stands": {"interest": "stands"},
            "days and a unit": {"unit": "month"},
            "parts of a year": {"kind": "split", "days": None, "parts": 2, "unit": "year"},
        }.items()
    ),
]
