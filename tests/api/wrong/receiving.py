"""Collection sheets, bank statements, lines in suspense, receipts."""

from typing import Any

from tests.api.wrong.shape import FIVE, FRESH, NOBODY, VILLAGE, WHY, Raw, Wrong, money

COLLECT = "POST /groups/@active/collections"
CSV = "POST /groups/@active/collections/csv"
DRAFT = "POST /groups/@active/collection-drafts"
STATEMENT = f"POST {VILLAGE}/bank-statements"
APPLY = "POST /bank-lines/@unmatched/application"
LOAN = {"loan": "@current", **FIVE}
HEAD = "reference,booked_on,amount\n"
SHEET_HEAD = "sheet,collected_on,kind,member,loan,amount\n"


def sheet(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"lines": list(lines), **more}


def csv(text: str) -> Raw:
    return Raw(text, "text/csv")


RECEIVING = [
    *(
        Wrong(f"a sheet with {name}", "wang", COLLECT, body, problem)
        for name, body, problem in (
            ("no lines", {}, "422 validation"),
            (
                "a line of nothing",
                sheet(LOAN | {"amount": money("0.00")}),
                "422 collection-line-refused",
            ),
            ("less than nothing", sheet(LOAN | {"amount": money("-5.00")}), "422 validation"),
            ("an amount in words", sheet(LOAN | {"amount": "five"}), "422 validation"),
            ("dollars", sheet(LOAN | {"amount": money("5.00", "USD")}), "422 currency-mismatch"),
            ("a loan twice", sheet(LOAN, LOAN), "422 collection-line-refused"),
            (
                "a loan of nobody",
                sheet({"loan": "lon_0000000000000000", **FIVE}),
                "422 collection-line-refused",
            ),
            ("a loan of another", sheet({"loan": "@late", **FIVE}), "422 collection-line-refused"),
            (
                "a loan not paid out",
                sheet({"loan": "@approved", **FIVE}),
                "422 collection-line-refused",
            ),
            ("a member for a loan", sheet({"loan": "@wang", **FIVE}), "422 validation"),
            (
                "the borrower as third party",
                sheet(LOAN | {"payer": "@wang"}),
                "422 collection-line-refused",
            ),
            ("nobody as third party", sheet(LOAN | {"payer": NOBODY}), "404 member-not-found"),
            ("perhaps absent", sheet(LOAN | {"absent": "perhaps"}), "422 validation"),
            ("a novel for a note", sheet(LOAN | {"note": "x" * 121}), "422 validation"),
            (
                "savings of a stranger",
                {"deposits": [{"member": "@li", **FIVE}]},
                "422 collection-line-refused",
            ),
            (
                "savings of nobody",
                {"deposits": [{"member": NOBODY, **FIVE}]},
                "422 collection-line-refused",
            ),
            (
                "savings of nothing",
                {"deposits": [{"member": "@sun", "amount": money("0.00")}]},
                "422 validation",
            ),
            ("a total that is another", sheet(LOAN, total=money("5.01")), "422 collection-total"),
            (
                "a total in dollars",
                sheet(LOAN, total=money("5.00", "USD")),
                "422 currency-mismatch",
            ),
            ("a day to come", sheet(LOAN, on="2027-01-01"), "422 invalid"),
            ("a name of two words", sheet(LOAN, client_id="two words"), "422 validation"),
            ("a status", sheet(LOAN, status="posted"), "422 validation"),
            ("too many lines", sheet(*[LOAN] * 401), "422 validation"),
            (
                "nobody there",
                sheet(LOAN | {"amount": money("0.00"), "absent": True}),
                "409 nothing-collected",
            ),
        )
    ),
    *(
        Wrong(f"a sheet file with {name}", "wang", CSV, csv(text), "422 import-refused")
        for name, text in (
            ("nothing in it", ""),
            ("only a header", SHEET_HEAD),
            ("another header", "sheet,amount\nx,5\n"),
            ("a loan that is none", SHEET_HEAD + "x,2026-04-01,repayment,@wang,17,5\n"),
            ("no loan for a repayment", SHEET_HEAD + "x,2026-04-01,repayment,@wang,,5\n"),
            ("a loan for a deposit", SHEET_HEAD + "x,2026-04-01,deposit,@wang,@current,5\n"),
            (
                "two sheets",
                SHEET_HEAD + "x,2026-04-01,deposit,@wang,,5\ny,2026-04-01,deposit,@sun,,5\n",
            ),
            ("a comma in the amount", SHEET_HEAD + 'x,2026-04-01,deposit,@wang,,"5,00"\n'),
            ("a byte of another code", b"sheet\xff\n"),
        )
    ),
    Wrong(
        "a sheet file with a fraction of a fen",
        "wang",
        CSV,
        csv(SHEET_HEAD + "x,2026-04-01,deposit,@wang,,5.001\n"),
        "422 invalid",
    ),
    Wrong("a sheet file as JSON", "wang", CSV, {"lines": []}, "415 unsupported-media-type"),
    Wrong("a plain member collects", "zhao", COLLECT, sheet(LOAN), "403 not-allowed"),
    Wrong("a plain member drafts", "zhao", DRAFT, sheet(LOAN), "403 not-allowed"),
    Wrong(
        "a draft with a loan twice", "wang", DRAFT, sheet(LOAN, LOAN), "422 collection-line-refused"
    ),
    Wrong(
        "a plain member posts", "zhao", "POST /collections/@draft/posting", None, "403 not-allowed"
    ),
    Wrong(
        "changing a posted sheet",
        "wang",
        "PUT /collections/@sheet",
        sheet(LOAN),
        "409 collection-posted",
        {"If-Match": FRESH},
    ),
    Wrong(
        "changing a draft unread",
        "wang",
        "PUT /collections/@draft",
        sheet(LOAN),
        "428 precondition-required",
    ),
    Wrong(
        "changing a draft of before",
        "wang",
        "PUT /collections/@draft",
        sheet(LOAN),
        "412 precondition-failed",
        {"If-Match": '"7"'},
    ),
    Wrong(
        "renaming a draft",
        "wang",
        "PUT /collections/@draft",
        sheet(LOAN, client_id="x"),
        "422 validation",
        {"If-Match": FRESH},
    ),
    Wrong(
        "no such sheet",
        "wang",
        "GET /collections/col_0000000000000000",
        None,
        "404 collection-not-found",
    ),
    *(
        Wrong(f"a statement with {name}", "officer", STATEMENT, csv(text), problem)
        for name, text, problem in (
            ("nothing in it", "", "422 import-refused"),
            ("another header", "a,b\n1,2\n", "422 import-refused"),
            ("a day to come", HEAD + "x,2027-01-01,5.00\n", "422 import-refused"),
            ("an amount in words", HEAD + "x,2026-04-01,five\n", "422 import-refused"),
            (
                "one reference for two",
                HEAD + "x,2026-04-01,5\nx,2026-04-01,6\n",
                "422 import-refused",
            ),
            ("a line that was another", HEAD + "bank-0,2026-04-01,5.00\n", "422 import-refused"),
            (
                "too many rows",
                HEAD + "".join(f"x{n},2026-04-01,1\n" for n in range(201)),
                "422 import-refused",
            ),
        )
    ),
    Wrong("a statement as JSON", "officer", STATEMENT, {}, "415 unsupported-media-type"),
    Wrong("a member brings a statement", "wang", STATEMENT, csv(HEAD), "404 not-found"),
    *(
        Wrong(f"applying a bank line to {name}", "officer", APPLY, body, problem)
        for name, body, problem in (
            ("nothing", {}, "422 validation"),
            ("no such loan", {"loan": "lon_0000000000000000"}, "404 loan-not-found"),
            ("a loan not paid out", {"loan": "@approved"}, "409 nothing-owed"),
            ("a loan that is paid", {"loan": "@closed"}, "409 nothing-owed"),
            ("a loan by nobody", {"loan": "@current", "payer": NOBODY}, "404 member-not-found"),
        )
    ),
    *(
        Wrong(
            f"{what} a line that is settled",
            "officer",
            f"POST /bank-lines/@settled/{path}",
            body,
            "409 bank-line-settled",
        )
        for what, path, body in (
            ("applying", "application", {"loan": "@current"}),
            ("saving", "deposit", {"member": "@wang"}),
            ("returning", "return", WHY),
        )
    ),
    Wrong(
        "saving a bank line for a stranger",
        "officer",
        "POST /bank-lines/@unmatched/deposit",
        {"member": "@stranger"},
        "409 not-an-active-member",
    ),
    Wrong(
        "returning without a reason",
        "officer",
        "POST /bank-lines/@unmatched/return",
        {},
        "422 validation",
    ),
    Wrong(
        "no such bank line",
        "officer",
        "GET /bank-lines/bkl_0000000000000000",
        None,
        "404 bank-line-not-found",
    ),
    Wrong(
        "bank lines of no status",
        "officer",
        f"GET {VILLAGE}/bank-lines?status=lost",
        None,
        "422 validation",
    ),
    Wrong("a member reads bank lines", "wang", f"GET {VILLAGE}/bank-lines", None, "404 not-found"),
    Wrong(
        "no such receipt",
        "wang",
        "GET /receipts/rcp_0000000000000000",
        None,
        "404 receipt-not-found",
    ),
    Wrong("a neighbour's receipt", "gao", "GET /receipts/@receipt", None, "404 not-found"),
]
