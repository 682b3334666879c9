"""Cases, and rules tried on the past."""

from tests.api.wrong.shape import VILLAGE, Wrong

ACT = "POST /cases/@case/actions"
CLOSE = "POST /cases/@case/closing"
REPLAY = f"POST {VILLAGE}/risk-rules/replay"
SPAN = {"rule": "late", "from_on": "2026-04-01", "until_on": "2026-04-02"}
TALK = {"kind": "talk", "text": "x"}
SOLVED = {"outcome": "resolved", "text": "x"}

MONITORING = [
    Wrong(
        "an action that comes about by itself",
        "wang",
        ACT,
        TALK | {"kind": "closed"},
        "422 validation",
    ),
    Wrong("an action without a word", "wang", ACT, {"kind": "talk"}, "422 validation"),
    Wrong("an action of whom it is about", "zhao", ACT, TALK, "403 not-allowed"),
    Wrong("an action of a fellow", "sun", ACT, TALK, "404 not-found"),
    Wrong(
        "a case of nobody", "wang", "GET /cases/cas_0000000000000000", None, "404 case-not-found"
    ),
    Wrong(
        "an outcome that there is not", "wang", CLOSE, SOLVED | {"outcome": "x"}, "422 validation"
    ),
    Wrong(
        "closing what is closed",
        "officer",
        "POST /cases/@closed_case/closing",
        SOLVED,
        "409 case-closed",
    ),
    Wrong(
        "taking what is closed",
        "officer",
        "POST /cases/@closed_case/taking",
        None,
        "409 case-closed",
    ),
    Wrong("a leader takes a case", "wang", "POST /cases/@case/taking", None, "403 not-allowed"),
    Wrong(
        "a replay of days to come",
        "officer",
        REPLAY,
        SPAN | {"until_on": "2027-04-01"},
        "422 bad-span",
    ),
    Wrong("a replay of a report", "officer", REPLAY, SPAN | {"rule": "misuse"}, "422 bad-span"),
    Wrong(
        "a replay with a rule that there is not",
        "officer",
        REPLAY,
        SPAN | {"charter": {"colour": "red"}},
        "422 charter-invalid",
    ),
]
