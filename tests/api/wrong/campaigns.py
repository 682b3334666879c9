"""Whole-village credit: opening, answering, deciding, objecting, granting."""

from typing import Any

from tests.api.wrong.shape import NOBODY, VILLAGE, WHY, Wrong, money

CAMPAIGN = "/campaigns/@campaign"
HOME = "/campaign-households/@reviewed_home"
OBJECTION = "/campaign-objections/@objection"


def new(**changes: Any) -> dict[str, Any]:
    return {"name": "autumn"} | changes


def said(**changes: Any) -> dict[str, Any]:
    return {
        "knows_household": True,
        "reputation": 3,
        "debts": "none",
        "limit": money("5.00"),
    } | changes


def answered(**changes: Any) -> dict[str, Any]:
    return {"outcome": "changed", "amount": money("5.00"), "answer": "looked into"} | changes


LATE_STEPS = ("draw", "round-closure", "publication")

CAMPAIGNS = [
    Wrong(
        "a second campaign at a time",
        "officer",
        f"POST {VILLAGE}/campaigns",
        new(),
        "409 campaign-running",
    ),
    Wrong(
        "a campaign without a name",
        "officer",
        f"POST {VILLAGE}/campaigns",
        {},
        "422 validation",
    ),
    Wrong(
        "a campaign with a seed of spaces",
        "officer",
        f"POST {VILLAGE}/campaigns",
        new(seed="a b"),
        "422 validation",
    ),
    Wrong(
        "a campaign with kin of three",
        "officer",
        f"POST {VILLAGE}/campaigns",
        new(kin=[["@wang", "@zhao", "@gao"]]),
        "422 validation",
    ),
    Wrong(
        "a campaign that a member opens",
        "wang",
        f"POST {VILLAGE}/campaigns",
        new(),
        "403 not-allowed",
    ),
    *(
        Wrong(
            f"the {step} of a campaign that is published",
            "officer",
            f"POST {CAMPAIGN}/{step}",
            None,
            "409 campaign-step-not-allowed",
        )
        for step in LATE_STEPS
    ),
    Wrong(
        "an answer after the round",
        "wang",
        "PUT /campaign-assignments/@to_review/answer",
        said(),
        "409 campaign-round-closed",
    ),
    Wrong(
        "an answer of somebody else",
        "zhao",
        "PUT /campaign-assignments/@to_review/answer",
        said(),
        "404 not-found",
    ),
    Wrong(
        "an answer that an officer gives for somebody",
        "officer",
        "PUT /campaign-assignments/@to_review/answer",
        said(),
        "404 not-found",
    ),
    *(
        Wrong(
            f"an answer with {name}",
            "wang",
            "PUT /campaign-assignments/@to_review/answer",
            said(**changes),
            "422 validation",
        )
        for name, changes in (
            ("a limit below zero", {"limit": money("-1.00")}),
            ("a reputation of six", {"reputation": 6}),
            ("debts that are no word of ours", {"debts": "many"}),
            ("a perhaps", {"knows_household": "perhaps"}),
        )
    ),
    Wrong(
        "a decision on what is decided",
        "officer",
        "POST /campaign-findings/@finding/decision",
        WHY | {"decision": "exclude"},
        "409 campaign-step-not-allowed",
    ),
    Wrong(
        "a decision without a reason",
        "officer",
        "POST /campaign-findings/@finding/decision",
        {"decision": "exclude"},
        "422 validation",
    ),
    Wrong(
        "a visit after publication",
        "officer",
        f"POST {HOME}/visit",
        {"result": "confirmed", "note": "x"},
        "409 campaign-step-not-allowed",
    ),
    Wrong(
        "an objection to nobody",
        "zhao",
        f"POST {CAMPAIGN}/objections",
        WHY | {"member": NOBODY},
        "404 campaign-household-not-found",
    ),
    Wrong(
        "an objection to somebody without a household",
        "zhao",
        f"POST {CAMPAIGN}/objections",
        WHY | {"member": "@wu"},
        "404 campaign-household-not-found",
    ),
    Wrong(
        "the same objection twice",
        "zhao",
        f"POST {CAMPAIGN}/objections",
        WHY | {"member": "@wang"},
        "409 campaign-objection-raised",
    ),
    Wrong(
        "an objection without a reason",
        "gao",
        f"POST {CAMPAIGN}/objections",
        {"member": "@wang"},
        "422 validation",
    ),
    Wrong(
        "an answer to an objection with too much",
        "officer",
        f"POST {OBJECTION}/answer",
        answered(amount=money("100.01")),
        "422 campaign-amount",
    ),
    Wrong(
        "an answer to an objection in dollars",
        "officer",
        f"POST {OBJECTION}/answer",
        answered(amount=money("5.00", "USD")),
        "422 currency-mismatch",
    ),
    Wrong(
        "a change without its amount",
        "officer",
        f"POST {OBJECTION}/answer",
        answered(amount=None),
        "422 invalid",
    ),
    Wrong(
        "an answer that leaves an objection open",
        "officer",
        f"POST {OBJECTION}/answer",
        answered(outcome="open"),
        "422 validation",
    ),
    Wrong(
        "an answer by whoever objected",
        "zhao",
        f"POST {OBJECTION}/answer",
        answered(),
        "403 not-allowed",
    ),
    Wrong(
        "granting while objections can be raised",
        "officer",
        f"POST {CAMPAIGN}/grants",
        None,
        "409 campaign-objection-period",
    ),
    Wrong(
        "revoking what is not granted yet",
        "officer",
        f"POST {HOME}/revocation",
        WHY,
        "409 campaign-step-not-allowed",
    ),
    Wrong(
        "cancelling without a reason",
        "officer",
        f"POST {CAMPAIGN}/cancellation",
        {},
        "422 validation",
    ),
    Wrong(
        "a campaign that is none",
        "officer",
        "GET /campaigns/cmp_0000000000000000",
        None,
        "404 campaign-not-found",
    ),
]
