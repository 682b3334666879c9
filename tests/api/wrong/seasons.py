"""Season changes, the calendar, and declared events."""

from typing import Any

from tests.api.wrong.shape import FRESH, VILLAGE, WHY, Wrong

MOVE = {"kind": "move", "days": 10, "interest": "runs"}
YEAR = "from=2026-01-01&until=2026-12-31"


def flood(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "flood",
        "crop": "rice",
        "happened_on": "2026-04-01",
        "dues_from": "2026-04-01",
        "dues_until": "2026-12-31",
        "effect": MOVE,
        "reason": "the river came",
    } | changes


SEASONS = [
    *(
        Wrong(f"declaring {name}", "officer", f"POST {VILLAGE}/declared-events", body, problem)
        for name, body, problem in (
            ("nothing", {}, "422 validation"),
            ("a kind that is none", flood(kind="war"), "422 validation"),
            ("what is to come", flood(happened_on="2026-12-01"), "422 declared-event-invalid"),
            ("dues from before", flood(dues_from="2026-03-01"), "422 declared-event-invalid"),
            ("an inverted window", flood(dues_until="2026-03-31"), "422 declared-event-invalid"),
            ("an endless window", flood(dues_until="2036-01-01"), "422 declared-event-invalid"),
            ("30 February", flood(dues_from="2026-02-30"), "422 validation"),
            ("no effect", flood(effect={}), "422 validation"),
            ("no such effect", flood(effect=MOVE | {"kind": "forgive"}), "422 validation"),
            ("a move of no days", flood(effect=MOVE | {"days": 0}), "422 validation"),
            ("a move by text", flood(effect=MOVE | {"days": "10"}), "422 validation"),
            (
                "a move of unknown length",
                flood(effect={"kind": "move", "interest": "runs"}),
                "422 declared-event-invalid",
            ),
            (
                "two effects in one",
                flood(effect=MOVE | {"until": "2027-06-01"}),
                "422 declared-event-invalid",
            ),
            (
                "a freeze that thaws too early",
                flood(effect={"kind": "freeze", "until": "2026-06-01", "interest": "runs"}),
                "422 declared-event-invalid",
            ),
            (
                "a split without steps",
                flood(effect={"kind": "split", "parts": 2, "interest": "runs"}),
                "422 declared-event-invalid",
            ),
            (
                "a deferral of two years",
                flood(effect=MOVE | {"days": 730}),
                "422 deferral-too-long",
            ),
            ("without a reason", flood(reason=" "), "422 validation"),
            ("a status", flood(status="applied"), "422 validation"),
        )
    ),
    Wrong(
        "applying what nobody looked at",
        "officer",
        "POST /declared-events/@disaster/apply",
        {},
        "409 not-previewed",
    ),
    Wrong(
        "undoing what was not applied",
        "officer",
        "POST /declared-events/@disaster/undo",
        WHY,
        "409 wrong-state",
    ),
    Wrong(
        "undoing without a reason",
        "officer",
        "POST /declared-events/@disaster/undo",
        {},
        "422 validation",
    ),
    Wrong(
        "an event that is none",
        "officer",
        "GET /declared-events/dev_0000000000000000",
        None,
        "404 declared-event-not-found",
    ),
    Wrong(
        "a neighbour applies an event",
        "wu",
        "POST /declared-events/@disaster/apply",
        {},
        "404 not-found",
    ),
    Wrong(
        "an auditor applies an event",
        "auditor",
        "POST /declared-events/@disaster/apply",
        {},
        "403 not-allowed",
    ),
    *(
        Wrong(
            f"a calendar {name}",
            "officer",
            f"GET {VILLAGE}/season-calendar?{query}",
            None,
            problem,
        )
        for name, query, problem in (
            ("of no days", "", "422 validation"),
            ("backwards", "from=2026-12-31&until=2026-01-01", "422 validation"),
            ("of a century", "from=2026-01-01&until=2126-01-01", "422 validation"),
            ("by member", f"{YEAR}&by=member", "422 validation"),
            ("by the hour", f"{YEAR}&step=hour", "422 validation"),
            (
                "of no product",
                f"{YEAR}&product=prd_0000000000000000",
                "404 product-not-found",
            ),
        )
    ),
    Wrong(
        "another's calendar",
        "wu",
        f"GET /members/@wang/calendar?{YEAR}",
        None,
        "404 not-found",
    ),
    Wrong(
        "a season changed without its version",
        "officer",
        "PATCH /seasons/@rice",
        {"notes": "x"},
        "428 precondition-required",
    ),
    Wrong(
        "a season changed by somebody faster",
        "officer",
        "PATCH /seasons/@rice",
        {"notes": "x"},
        "412 precondition-failed",
        {"If-Match": '"77"'},
    ),
    *(
        Wrong(
            f"a season changed to {name}",
            "officer",
            "PATCH /seasons/@rice",
            body,
            problem,
            {"If-Match": FRESH},
        )
        for name, body, problem in (
            ("nothing", {}, "422 validation"),
            ("a harvest before sowing", {"harvest_from": "2026-03-01"}, "422 season-invalid"),
            ("another code", {"code": "x"}, "422 validation"),
            (
                "a tranche after the harvest",
                {"tranches": [{"pay_on": "2026-09-02", "weight": 1}]},
                "422 season-invalid",
            ),
            (
                "a window that is none",
                {"cash_flow": [{"window": "rest", "spend_weight": 1, "earn_weight": 1}]},
                "422 validation",
            ),
        )
    ),
]
