"""Feedback that cannot be given, themes that cannot be so decided, complaints of others."""

from typing import Any

from tests.api.wrong.shape import NOBODY, VILLAGE, WHY, Wrong

RATE = "POST /ratings"
SAY = f"POST {VILLAGE}/feedback-items"
COMPLAIN = f"POST {VILLAGE}/complaints"
PLAIN = {"kind": "product", "id": "@plain"}
LONG = "x" * 2001
TITLED = {"kind": "service", "title": "x", "text": "x"}


def on(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"subject": {"kind": kind, "id": name, **more}, "stars": 3}


FEEDBACK = [
    *(
        Wrong(f"a rating {name}", who, RATE, body, problem)
        for name, who, body, problem in (
            ("of no stars", "wang", {"subject": PLAIN, "stars": 0}, "422 validation"),
            ("of six", "wang", {"subject": PLAIN, "stars": 6}, "422 validation"),
            ("of half a star", "wang", {"subject": PLAIN, "stars": 2.5}, "422 validation"),
            ("of nothing", "wang", {"stars": 3}, "422 validation"),
            ("of a feeling", "wang", on("feeling", "@plain"), "422 validation"),
            ("of a meeting that is a product", "wang", on("meeting", "@plain"), "422 validation"),
            ("of a meeting's version", "wang", on("meeting", "@over", version=1), "422 validation"),
            (
                "of a version that is none",
                "wang",
                on("product", "@plain", version=77),
                "404 feedback-subject-not-found",
            ),
            (
                "of a product that is none",
                "wang",
                on("product", "prd_0000000000000000"),
                "404 product-not-found",
            ),
            ("of others' meeting", "gao", on("meeting", "@over"), "404 not-found"),
            ("of others' motion", "gao", on("motion", "@counted"), "404 not-found"),
            ("of a loan of others", "wang", on("loan", "@late"), "404 not-found"),
            ("of a stranger", "stranger", on("product", "@plain"), "404 not-found"),
            ("of who only looks after it", "operator", on("product", "@plain"), "403 not-allowed"),
            ("before it is decided", "wang", on("motion", "@motion"), "409 not-decided-yet"),
            ("of a theme that is open", "wang", on("theme", "@theme"), "409 not-decided-yet"),
        )
    ),
    *(
        Wrong(f"an item {name}", who, SAY, body, problem)
        for name, who, body, problem in (
            ("that says nothing", "wang", {"kind": "suggestion", "text": " "}, "422 validation"),
            ("that is too long", "wang", {"kind": "suggestion", "text": LONG}, "422 validation"),
            ("that is a complaint", "wang", {"kind": "complaint", "text": "x"}, "422 validation"),
            ("on nothing", "wang", {"kind": "comment", "text": "x"}, "422 invalid"),
            (
                "said before",
                "wang",
                {"kind": "suggestion", "text": "利率太高,希望降低!"},
                "409 said-already",
            ),
            (
                "on a meeting of others",
                "gao",
                {
                    "kind": "comment",
                    "text": "x",
                    "subject": {"kind": "meeting", "id": "@over"},
                },
                "404 feedback-subject-not-found",
            ),
            (
                "of who is suspended",
                "feng",
                {"kind": "suggestion", "text": "x"},
                "409 not-an-active-member",
            ),
        )
    ),
    *(
        Wrong(name, who, request, body, problem)
        for name, who, request, body, problem in (
            ("hidden twice", "officer", "POST /feedback-items/@hidden_item/hiding", WHY,
             "409 feedback-hidden"),
            ("hidden without a reason", "officer", "POST /feedback-items/@item/hiding", {},
             "422 validation"),
            ("an item hidden by its author", "wang", "POST /feedback-items/@item/hiding", WHY,
             "403 not-allowed"),
            ("an item read by others", "gao", "GET /feedback-items/@item", None, "404 not-found"),
            ("an item that is none", "officer", "GET /feedback-items/fbk_0000000000000000", None,
             "404 feedback-not-found"),
            ("a hidden item grouped", "officer", "PUT /feedback-items/@hidden_item/theme",
             {"theme": "@theme"}, "409 feedback-hidden"),
            ("an item into what is decided", "officer", "PUT /feedback-items/@item/theme",
             {"theme": "@done_theme"}, "409 theme-not-open"),
            ("an item into what was merged", "officer", "PUT /feedback-items/@item/theme",
             {"theme": "@merged_theme"}, "409 theme-not-open"),
            ("an item into no theme", "officer", "PUT /feedback-items/@item/theme",
             {"theme": "thm_0000000000000000"}, "404 theme-not-found"),
            ("a theme of a member", "wang", f"POST {VILLAGE}/themes", {"title": "x"},
             "403 not-allowed"),
            ("a theme read by a stranger", "stranger", "GET /themes/@theme", None,
             "404 not-found"),
            ("a theme into itself", "officer", "POST /themes/@open_theme/merging",
             {"into": "@open_theme"}, "422 invalid"),
            ("a theme merged in a vote", "officer", "POST /themes/@theme/merging",
             {"into": "@open_theme"}, "409 theme-not-open"),
            ("a vote of one day", "officer", "POST /themes/@open_theme/polls",
             {"opens_on": "2026-06-01", "closes_on": "2026-06-01"}, "422 poll-not-possible"),
            ("a vote of the past", "officer", "POST /themes/@open_theme/polls",
             {"opens_on": "2026-01-01", "closes_on": "2026-01-07"}, "422 poll-not-possible"),
            ("a second vote on a theme", "officer", "POST /themes/@theme/polls",
             {"opens_on": "2026-06-01", "closes_on": "2026-06-07"}, "409 theme-not-open"),
            ("a vote where there is none", "wang", "POST /themes/@open_theme/votes",
             {"choice": "yes"}, "409 poll-not-open"),
            ("a vote that is over", "wang", "POST /themes/@done_theme/votes", {"choice": "yes"},
             "409 poll-not-open"),
            ("a vote for perhaps", "wang", "POST /themes/@theme/votes", {"choice": "perhaps"},
             "422 validation"),
            ("a vote of a stranger", "stranger", "POST /themes/@theme/votes", {"choice": "yes"},
             "404 not-found"),
            ("accepted without a vote", "officer", "POST /themes/@open_theme/decision",
             {"accepted": True, "reason": "x"}, "409 vote-missing"),
            ("declined without a reason", "officer", "POST /themes/@open_theme/decision",
             {"accepted": False}, "422 validation"),
            ("decided during the vote", "officer", "POST /themes/@theme/decision",
             {"accepted": False, "reason": "x"}, "409 theme-not-open"),
            ("shipped twice", "officer", "POST /themes/@done_theme/shipment",
             {"product": "@brought", "version": 1}, "409 theme-not-accepted"),
            ("shipped in no version", "officer", "POST /themes/@theme/shipment",
             {"product": "@plain", "version": 77}, "404 feedback-subject-not-found"),
            ("a complaint read by another officer", "clerk", "GET /complaints/@complaint", None,
             "404 not-found"),
            ("a complaint read by whom it is against", "officer",
             "GET /complaints/@against_officer", None, "404 not-found"),
            ("a complaint that is none", "officer", "GET /complaints/cpl_0000000000000000", None,
             "404 complaint-not-found"),
            ("a complaint closed by who complained", "wang", "POST /complaints/@complaint/closing",
             {"outcome": "upheld", "text": "x"}, "403 not-the-complaint-owner"),
            ("a complaint withdrawn by its owner", "officer",
             "POST /complaints/@complaint/closing", {"outcome": "withdrawn", "text": "x"},
             "403 not-the-complaint-owner"),
            ("an open complaint reopened", "wang", "POST /complaints/@complaint/reopening",
             {"text": "x"}, "409 complaint-open"),
            ("a complaint answered by a neighbour", "gao", "POST /complaints/@complaint/replies",
             {"text": "x"}, "404 not-found"),
            ("a complaint against oneself", "wang", COMPLAIN, TITLED | {"against": "@wang"},
             "422 invalid"),
            ("a complaint against nobody", "wang", COMPLAIN, TITLED | {"against": NOBODY},
             "404 member-not-found"),
            ("a complaint against a stranger", "wang", COMPLAIN, TITLED | {"against": "@stranger"},
             "404 member-not-found"),
            ("a complaint of a kind that is none", "wang", COMPLAIN, TITLED | {"kind": "x"},
             "422 validation"),
            ("a message of another", "wang", "PUT /messages/@message/reading", {"is_read": True},
             "404 not-found"),
            ("a message read by an officer", "officer", "PUT /messages/@message/reading",
             {"is_read": True}, "404 not-found"),
            ("a message read perhaps", "zhao", "PUT /messages/@message/reading", {"is_read": 1},
             "422 validation"),
            ("themes of a state that is none", "wang", f"GET {VILLAGE}/themes?status=x", None,
             "422 validation"),
            ("complaints of a state that is none", "officer", f"GET {VILLAGE}/complaints?status=x",
             None, "422 validation"),
            ("items of a theme of elsewhere", "foreign",
             "GET /communities/@far/feedback-items?theme=@theme", None, "404 theme-not-found"),
            ("items of a theme that is none", "officer",
             f"GET {VILLAGE}/feedback-items?theme=rates", None, "422 validation"),
            ("items ungrouped perhaps", "officer", f"GET {VILLAGE}/feedback-items?ungrouped=x",
             None, "422 validation"),
            ("calls of a state that is none", "officer", f"GET {VILLAGE}/calls?status=angry", None,
             "422 validation"),
            ("ratings of nothing", "wang", "GET /ratings", None, "422 validation"),
        )
    ),
]  # fmt: skip
