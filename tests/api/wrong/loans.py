"""Loans, group loans, repayments and calls."""

from typing import Any

from tests.api.wrong.shape import FIVE, NOBODY, VILLAGE, WHY, Wrong, money, paid


def application(**changes: Any) -> dict[str, Any]:
    return {
        "community": "@village",
        "product": "@plain",
        "principal": money("50.00"),
        "instalments": 1,
        "purpose": "seed",
    } | changes


def group_application(**changes: Any) -> dict[str, Any]:
    shares = [
        {"member": "@zhao", "amount": money("20.00")},
        {"member": "@sun", "amount": money("20.00")},
    ]
    return {
        "product": "@plain",
        "total": money("40.00"),
        "shares": shares,
        "instalments": 1,
        "purpose": "seed",
    } | changes


NO_USE = "use_0000000000000000"

LOANS = [
    *(
        Wrong(f"applying with {name}", "wang", "POST /loans", application(**changes), problem)
        for name, changes, problem in (
            ("too little", {"principal": money("9.99")}, "422 principal-out-of-range"),
            ("too much", {"principal": money("10000000.01")}, "422 principal-out-of-range"),
            ("no instalments", {"instalments": 0}, "422 validation"),
            ("too many instalments", {"instalments": 13}, "422 instalments-out-of-range"),
            ("endless instalments", {"instalments": 10**17}, "422 validation"),
            ("a season for no crop", {"season": "@rice"}, "422 season-needed"),
            ("a season that is none", {"season": "sea_0000000000000000"}, "404 season-not-found"),
            ("a member for a product", {"product": "@wang"}, "422 validation"),
            ("no such product", {"product": "prd_0000000000000000"}, "404 product-not-found"),
            ("no such community", {"community": "com_0000000000000000"}, "404 community-not-found"),
            ("no purpose", {"purpose": ""}, "422 validation"),
            ("a novel for a purpose", {"purpose": "x" * 501}, "422 validation"),
            ("another's name", {"borrower": "@li"}, "403 not-allowed"),
            ("nobody's name", {"borrower": NOBODY}, "404 member-not-found"),
            ("a status", {"status": "approved"}, "422 validation"),
        )
    ),
    Wrong(
        "applying elsewhere",
        "wang",
        "POST /loans",
        application(community="@far"),
        "409 not-an-active-member",
    ),
    Wrong(
        "applying while suspended", "feng", "POST /loans", application(), "409 not-an-active-member"
    ),
    Wrong(
        "applying for a stranger",
        "officer",
        "POST /loans",
        application(borrower="@stranger"),
        "409 not-an-active-member",
    ),
    Wrong(
        "endorsing oneself",
        "wang",
        "POST /loans/@submitted/endorsements",
        {},
        "403 endorser-not-eligible",
    ),
    Wrong(
        "endorsing twice", "wu", "POST /loans/@endorsed/endorsements", {}, "409 already-endorsed"
    ),
    Wrong(
        "endorsing what is lent", "zhao", "POST /loans/@current/endorsements", {}, "409 wrong-state"
    ),
    Wrong(
        "endorsing while suspended",
        "feng",
        "POST /loans/@submitted/endorsements",
        {},
        "404 not-found",
    ),
    Wrong(
        "approving without endorsement",
        "officer",
        "POST /loans/@submitted/approval",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "approving twice",
        "officer",
        "POST /loans/@approved/approval",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "approving what was rejected",
        "officer",
        "POST /loans/@rejected/approval",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "approving above the limit",
        "officer",
        "POST /loans/@large/approval",
        None,
        "409 credit-limit-exceeded",
    ),
    Wrong(
        "approving a share alone",
        "officer",
        "POST /loans/@share/approval",
        None,
        "409 decided-together",
    ),
    Wrong(
        "paying out unapproved",
        "officer",
        "POST /loans/@endorsed/disbursement",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "paying out twice",
        "officer",
        "POST /loans/@current/disbursement",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "paying out more than the pool",
        "officer",
        "POST /loans/@unfunded/disbursement",
        None,
        "409 insufficient-funds",
    ),
    *(
        Wrong(
            f"paying out to {name}",
            "officer",
            "POST /loans/@approved/disbursement",
            {"payees": payees},
            problem,
        )
        for name, payees, problem in (
            ("another loan's payee", [{"use": "@use"} | paid("1.00")], "404 loan-use-not-found"),
            ("nobody's payee", [{"use": NO_USE} | paid("1.00")], "404 loan-use-not-found"),
            ("a payee by name", [{"use": "the mill"} | paid("1.00")], "422 validation"),
            ("one payee twice", [{"use": NO_USE} | paid("1.00")] * 2, "422 validation"),
            ("a payee who gets nothing", [{"use": NO_USE} | paid("0.00")], "422 validation"),
            ("everybody", {"all": True}, "422 validation"),
        )
    ),
    Wrong(
        "paying out a share alone",
        "officer",
        "POST /loans/@share/disbursement",
        None,
        "409 decided-together",
    ),
    Wrong(
        "paying out to oneself",
        "wang",
        "POST /loans/@approved/disbursement",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "withdrawing what is lent", "wang", "POST /loans/@current/withdrawal", {}, "409 wrong-state"
    ),
    Wrong(
        "withdrawing another's loan", "li", "POST /loans/@submitted/withdrawal", {}, "404 not-found"
    ),
    Wrong(
        "rejecting without a reason",
        "officer",
        "POST /loans/@submitted/rejection",
        {},
        "422 validation",
    ),
    Wrong(
        "rejecting what is lent",
        "officer",
        "POST /loans/@current/rejection",
        WHY,
        "409 wrong-state",
    ),
    Wrong(
        "cancelling what is not approved",
        "officer",
        "POST /loans/@submitted/cancellation",
        WHY,
        "409 wrong-state",
    ),
    Wrong(
        "cancelling what is lent",
        "officer",
        "POST /loans/@current/cancellation",
        WHY,
        "409 wrong-state",
    ),
    Wrong(
        "cancelling half a group loan",
        "officer",
        "POST /loans/@share/cancellation",
        WHY,
        "409 decided-together",
    ),
    Wrong(
        "cancelling a group loan unapproved",
        "officer",
        "POST /group-loans/@group_loan/cancellation",
        WHY,
        "409 wrong-state",
    ),
    Wrong(
        "repaying before the money came",
        "officer",
        "POST /loans/@approved/repayments",
        FIVE,
        "409 nothing-owed",
    ),
    Wrong(
        "repaying what is repaid",
        "officer",
        "POST /loans/@closed/repayments",
        FIVE,
        "409 nothing-owed",
    ),
    Wrong(
        "repaying what was rejected",
        "officer",
        "POST /loans/@rejected/repayments",
        FIVE,
        "409 nothing-owed",
    ),
    Wrong(
        "repaying tomorrow",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", received_on="2026-04-14"),
        "422 day-not-open",
    ),
    Wrong(
        "repaying before it was lent",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", received_on="2026-01-01"),
        "422 day-not-open",
    ),
    Wrong(
        "repaying on 30 February",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", received_on="2026-02-30"),
        "422 validation",
    ),
    Wrong(
        "repaying out of a stake",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", source="stake"),
        "422 validation",
    ),
    Wrong(
        "a third party without a name",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", source="third_party"),
        "422 validation",
    ),
    Wrong(
        "a name without a third party",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", payer="@li"),
        "422 validation",
    ),
    Wrong(
        "a third party who is nobody",
        "officer",
        "POST /loans/@current/repayments",
        paid("5.00", source="third_party", payer=NOBODY),
        "404 member-not-found",
    ),
    Wrong(
        "a borrower books a repayment",
        "wang",
        "POST /loans/@current/repayments",
        FIVE,
        "403 not-allowed",
    ),
    *(
        Wrong(
            f"a group loan with {name}",
            "wang",
            "POST /groups/@active/loans",
            group_application(**changes),
            problem,
        )
        for name, changes, problem in (
            ("shares that do not sum", {"total": money("40.01")}, "422 shares-do-not-add-up"),
            ("no shares", {"shares": []}, "422 validation"),
            (
                "a share twice",
                {"shares": [{"member": "@zhao", "amount": money("20.00")}] * 2},
                "422 validation",
            ),
            ("two currencies", {"total": money("40.00", "USD")}, "422 validation"),
            (
                "an outsider",
                {"total": money("20.00"), "shares": [{"member": "@li", "amount": money("20.00")}]},
                "409 not-a-signed-member",
            ),
            (
                "nobody",
                {"total": money("20.00"), "shares": [{"member": NOBODY, "amount": money("20.00")}]},
                "404 member-not-found",
            ),
            (
                "a share too small",
                {"total": money("1.00"), "shares": [{"member": "@zhao", "amount": money("1.00")}]},
                "422 principal-out-of-range",
            ),
        )
    ),
    *(
        Wrong(
            f"a quote for a group with {name}",
            "wang",
            "POST /groups/@active/loans/quote",
            {
                name: value
                for name, value in group_application(**changes).items()
                if name not in ("total", "purpose")
            },
            problem,
        )
        for name, changes, problem in (
            ("no shares", {"shares": []}, "422 validation"),
            ("no such product", {"product": "prd_0000000000000000"}, "404 product-not-found"),
            ("too many instalments", {"instalments": 13}, "422 instalments-out-of-range"),
            ("a season too much", {"season": "@rice"}, "422 season-needed"),
            (
                "two currencies",
                {
                    "shares": [
                        {"member": "@zhao", "amount": money("20.00")},
                        {"member": "@sun", "amount": money("20.00", "USD")},
                    ]
                },
                "422 validation",
            ),
            (
                "another currency",
                {"shares": [{"member": "@zhao", "amount": money("20.00", "USD")}]},
                "422 currency-mismatch",
            ),
            (
                "an outsider",
                {"shares": [{"member": "@li", "amount": money("20.00")}]},
                "409 not-a-signed-member",
            ),
            (
                "a share too small",
                {"shares": [{"member": "@zhao", "amount": money("1.00")}]},
                "422 principal-out-of-range",
            ),
            ("a word too much", {"reason": "x"}, "422 validation"),
        )
    ),
    Wrong(
        "a group loan not by the leader",
        "zhao",
        "POST /groups/@active/loans",
        group_application(),
        "403 not-allowed",
    ),
    Wrong(
        "a group loan of a forming group",
        "wu",
        "POST /groups/@forming/loans",
        group_application(),
        "409 group-not-active",
    ),
    Wrong(
        "approving a group loan unendorsed",
        "officer",
        "POST /group-loans/@group_loan/approval",
        None,
        "409 loan-step-not-allowed",
    ),
    Wrong(
        "paying out a group loan unapproved",
        "officer",
        "POST /group-loans/@group_loan/disbursement",
        None,
        "409 loan-step-not-allowed",
    ),
]

CALLS = [
    Wrong(
        "paying more than called",
        "officer",
        "POST /calls/@call/payments",
        paid("50.01"),
        "409 more-than-called",
    ),
    Wrong(
        "paying a paid call",
        "officer",
        "POST /calls/@paid_call/payments",
        FIVE,
        "409 call-not-open",
    ),
    Wrong(
        "a guarantor books a payment", "li", "POST /calls/@call/payments", FIVE, "403 not-allowed"
    ),
    Wrong(
        "disputing a paid call", "li", "POST /calls/@paid_call/dispute", WHY, "409 call-not-open"
    ),
    Wrong("disputing twice", "wei", "POST /calls/@disputed/dispute", WHY, "409 call-not-open"),
    Wrong("disputing another's call", "ding", "POST /calls/@call/dispute", WHY, "403 not-allowed"),
    Wrong("disputing without a reason", "li", "POST /calls/@call/dispute", {}, "422 validation"),
    Wrong(
        "resolving what is not disputed",
        "officer",
        "POST /calls/@call/resolution",
        WHY,
        "409 call-not-open",
    ),
    Wrong(
        "upholding what is not disputed",
        "officer",
        "POST /calls/@call/resolution",
        {**WHY, "upheld": True},
        "409 call-not-open",
    ),
    Wrong(
        "resolving one's own dispute",
        "wei",
        "POST /calls/@disputed/resolution",
        WHY,
        "403 not-allowed",
    ),
    Wrong(
        "promising a paid call",
        "li",
        "POST /calls/@paid_call/promise",
        {"pay_on": "2026-04-15"},
        "409 call-not-open",
    ),
    Wrong(
        "promising yesterday",
        "li",
        "POST /calls/@call/promise",
        {"pay_on": "2026-04-12"},
        "422 invalid",
    ),
    Wrong(
        "promising after the deadline",
        "li",
        "POST /calls/@call/promise",
        {"pay_on": "2027-04-12"},
        "422 invalid",
    ),
    Wrong(
        "promising on 30 February",
        "li",
        "POST /calls/@call/promise",
        {"pay_on": "2027-02-30"},
        "422 validation",
    ),
]

REPORTS = [
    *(
        Wrong(
            f"{path} for {name}",
            "officer",
            f"GET {VILLAGE}/portfolio/{path}?{query}",
            None,
            problem,
        )
        for path in ("par", "par.csv")
        for name, query, problem in (
            ("a day to come", "on=2026-04-14", "422 day-to-come"),
            ("a day that is none", "on=2026-02-30", "422 validation"),
            ("a day before the charter", "on=2026-03-01", "409 no-charter"),
            ("no such breakdown", "by=luck", "422 validation"),
            ("an argument that is none", "day=2026-04-13", "422 validation"),
        )
    ),
    *(
        Wrong(
            f"{path} of {name}", "officer", f"GET {VILLAGE}/portfolio/{path}?{query}", None, problem
        )
        for path in ("vintages", "vintages.csv")
        for name, query, problem in (
            ("a time to come", "until=2026-04-14", "422 day-to-come"),
            ("too many months", "months=61", "422 validation"),
            ("fewer than no months", "months=-1", "422 validation"),
            ("half a month", "months=1.5", "422 validation"),
        )
    ),
    *(
        Wrong(
            f"{path} of {name}", "officer", f"GET {VILLAGE}/portfolio/{path}?{query}", None, problem
        )
        for path in ("roll-rates", "roll-rates.csv")
        for name, query, problem in (
            ("a month under way", "month=2026-04", "422 bad-month"),
            ("a thirteenth month", "month=2026-13", "422 bad-month"),
            ("a month before time", "month=0001-01", "422 bad-month"),
            ("a day", "month=2026-03-01", "422 validation"),
        )
    ),
    Wrong(
        "the class of no loan",
        "officer",
        f"GET /loans/lon_{'0' * 16}/class",
        None,
        "404 loan-not-found",
    ),
]
