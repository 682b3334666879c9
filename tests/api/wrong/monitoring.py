"""Cases, and rules tried on the past."""

from typing import Any

from tests.api.wrong.shape import FIVE, FRESH, NOBODY, VILLAGE, Raw, Wrong, paid

ACT = "POST /cases/@case/actions"
CLOSE = "POST /cases/@case/closing"
REPLAY = f"POST {VILLAGE}/risk-rules/replay"
SPAN = {"rule": "late", "from_on": "2026-04-01", "until_on": "2026-04-02"}
TALK = {"kind": "talk", "text": "x"}
SOLVED = {"outcome": "resolved", "text": "x"}
MEET = "POST /groups/@active/meetings"
MEET_CSV = "POST /groups/@active/meetings/csv"
CHANGE = "PUT /meetings/@meeting"
VOTE = "POST /motions/@motion/votes"
DRAW = "POST /groups/@active/visit-rounds"
ROUND = {"purpose": "crop", "due_on": "2026-06-01"}
ANSWER = "POST /visits/@visit/answers"
PHOTO = "POST /visits/@visit/photos"
USE = "POST /loans/@late/uses"
STATED = {"purpose": "stock", "payee_name": "x", **FIVE}
SHOW = "POST /loan-uses/@use/evidence"
SHOWN = {"kind": "seen", "reference": "x", **FIVE}
REPORT = f"POST {VILLAGE}/peer-reports"
SAID = {"member": "@gao", "kind": "misuse", "text": "sold the seed"}
HEAD = "meeting,held_on,member,attendance\n"


def held(*lines: tuple[str, str, str | None], on: str = "2026-04-01") -> dict[str, Any]:
    return {
        "held_on": on,
        "attendance": [
            {"member": member, "attendance": kind, "proxy": proxy} for member, kind, proxy in lines
        ],
    }


MONITORING = [
    *(
        Wrong(f"a meeting with {name}", "wang", MEET, body, problem)
        for name, body, problem in (
            ("a day to come", held(on="2027-01-01"), "422 invalid"),
            ("no day", {}, "422 validation"),
            ("somebody else's member", held(("@li", "present", None)), "422 attendance-refused"),
            (
                "nobody",
                held(("mem_0000000000000000", "present", None)),
                "422 attendance-refused",
            ),
            ("a proxy of nobody", held(("@zhao", "proxy", None)), "422 attendance-refused"),
            ("a proxy who was away", held(("@zhao", "proxy", "@sun")), "422 attendance-refused"),
            ("a feeling", held(("@zhao", "bored", None)), "422 validation"),
        )
    ),
    *(
        Wrong(f"a report {name}", who, REPORT, SAID | change, problem)
        for name, who, change, problem in (
            ("of oneself", "wu", {"member": "@wu"}, "422 invalid"),
            ("of nobody", "wu", {"member": "mem_0000000000000000"}, "404 member-not-found"),
            ("of a stranger", "wu", {"member": "@stranger"}, "404 member-not-found"),
            ("of lateness", "wu", {"kind": "late"}, "422 validation"),
            ("without a word", "wu", {"text": ""}, "422 validation"),
            ("of somebody suspended", "feng", {}, "409 not-an-active-member"),
            ("from elsewhere", "stranger", {}, "404 not-found"),
        )
    ),
    Wrong(
        "a reported case closed by who has not taken it",
        "clerk",
        "POST /cases/@reported/closing",
        SOLVED,
        "403 not-the-case-officer",
    ),
    Wrong(
        "reports read by another officer",
        "clerk",
        "POST /cases/@reported/reports-reading",
        None,
        "403 not-allowed",
    ),
    Wrong(
        "what was reported of an officer, by that officer",
        "clerk",
        "GET /cases/@of_clerk",
        None,
        "404 not-found",
    ),
    Wrong("what was reported of oneself", "gao", "GET /cases/@reported", None, "404 not-found"),
    Wrong("what one reported oneself", "wu", "GET /cases/@reported", None, "404 not-found"),
    Wrong("visits due yesterday", "wang", DRAW, ROUND | {"due_on": "2026-01-01"}, "422 invalid"),
    Wrong("visits for nothing", "wang", DRAW, ROUND | {"purpose": "x"}, "422 validation"),
    Wrong("visits drawn by a fellow", "zhao", DRAW, ROUND, "404 not-found"),
    Wrong("a visit half answered", "zhao", ANSWER, {"answers": {"met": True}}, "422 invalid"),
    Wrong(
        "a visit answered by a number", "zhao", ANSWER, {"answers": {"met": 1}}, "422 validation"
    ),
    Wrong("another's visit answered", "wang", ANSWER, {"answers": {}}, "403 not-allowed"),
    Wrong("a photo that is a text", "zhao", PHOTO, Raw("x", "image/png"), "422 photo-refused"),
    Wrong("a photo in words", "zhao", PHOTO, {}, "415 unsupported-media-type"),
    Wrong("a photo of nobody", "zhao", "GET /visits/@visit/photos/9", None, "404 visit-not-found"),
    Wrong(
        "a visit answered again",
        "sun",
        "POST /visits/@visited/answers",
        {"answers": {"met": True}},
        "409 visit-done",
    ),
    *(
        Wrong(f"a use {name}", who, USE, STATED | change, problem)
        for name, who, change, problem in (
            ("of more than the loan", "ding", paid("20.01"), "422 loan-use-refused"),
            ("in dollars", "ding", paid("1.00", "USD"), "422 currency-mismatch"),
            ("for nobody", "ding", {"payee_name": ""}, "422 validation"),
            ("for nobody known", "ding", {"payee": NOBODY}, "404 member-not-found"),
            ("stated by a guarantor", "li", {}, "403 not-allowed"),
        )
    ),
    Wrong("evidence by the payee", "clerk", SHOW, SHOWN, "403 not-a-witness"),
    Wrong("evidence by the borrower", "ding", SHOW, SHOWN, "403 not-allowed"),
    Wrong("evidence of more", "officer", SHOW, SHOWN | paid("30.01"), "422 loan-use-refused"),
    Wrong(
        "evidence by a visit to another",
        "officer",
        SHOW,
        SHOWN | {"kind": "visit", "visit": "@visited"},
        "422 invalid",
    ),
    Wrong(
        "evidence for nothing",
        "officer",
        "POST /loan-uses/use_0000000000000000/evidence",
        SHOWN,
        "404 loan-use-not-found",
    ),
    Wrong(
        "a promise for yesterday",
        "ding",
        "POST /loans/@late/promises",
        FIVE | {"promised_on": "2026-01-01"},
        "422 invalid",
    ),
    Wrong(
        "a promise on what is paid",
        "tycoon",
        "POST /loans/@closed/promises",
        FIVE | {"promised_on": "2026-06-01"},
        "422 invalid",
    ),
    Wrong("a meeting of a fellow", "zhao", MEET, held(), "403 not-allowed"),
    Wrong("a meeting as no file", "wang", MEET_CSV, Raw("x", "text/csv"), "422 invalid"),
    Wrong(
        "a meeting's file with nobody in it",
        "wang",
        MEET_CSV,
        Raw(HEAD + "x,2026-04-01,someone,present\n", "text/csv"),
        "422 attendance-refused",
    ),
    Wrong(
        "a meeting changed unseen", "wang", CHANGE, {"attendance": []}, "428 precondition-required"
    ),
    Wrong(
        "whoever voted taken off the list",
        "wang",
        CHANGE,
        {"attendance": []},
        "422 attendance-refused",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a closed meeting changed",
        "wang",
        "PUT /meetings/@over",
        {"attendance": []},
        "409 meeting-closed",
        {"If-Match": FRESH},
    ),
    Wrong(
        "a motion at a closed meeting",
        "zhao",
        "POST /meetings/@over/motions",
        {"subject": "general", "text": "x", "ballot": "open"},
        "409 meeting-closed",
    ),
    Wrong("a vote of who was away", "sun", VOTE, {"choice": "yes"}, "403 vote-refused"),
    Wrong("a second vote", "wang", VOTE, {"choice": "no"}, "403 vote-refused"),
    Wrong(
        "another's vote at a secret ballot",
        "wang",
        "POST /motions/@secret_motion/votes",
        {"choice": "no", "member": "@zhao"},
        "403 vote-refused",
    ),
    Wrong(
        "a vote when all are counted",
        "wang",
        "POST /motions/@counted/votes",
        {"choice": "yes"},
        "409 motion-closed",
    ),
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
    Wrong(
        "a case given to who holds no office",
        "operator",
        "POST /cases/@case/assignment",
        {"member": "@li"},
        "422 not-an-officer-here",
    ),
    Wrong(
        "a closed case given away",
        "operator",
        "POST /cases/@closed_case/assignment",
        {"member": "@officer"},
        "409 case-closed",
    ),
    Wrong(
        "a case about a clerk given to the clerk",
        "operator",
        "POST /cases/@of_clerk/assignment",
        {"member": "@clerk"},
        "403 not-the-case-officer",
    ),
    Wrong(
        "a closed case handed up",
        "operator",
        "POST /cases/@closed_case/escalation",
        {"text": "x"},
        "409 case-closed",
    ),
    Wrong(
        "a case handed up without a word",
        "operator",
        "POST /cases/@case/escalation",
        {},
        "422 validation",
    ),
    Wrong(
        "a reported case handed up by who has not taken it",
        "operator",
        "POST /cases/@reported/escalation",
        {"text": "x"},
        "403 not-the-case-officer",
    ),
    Wrong(
        "cases of a severity that is none",
        "officer",
        f"GET {VILLAGE}/cases?severity=x",
        None,
        "422 validation",
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
