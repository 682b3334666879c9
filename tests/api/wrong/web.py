"""Requests that no room ever sees: tokens, addresses, bodies, keys, versions, lists."""

import json

from tests.api.wrong.shape import DEPOSIT, FIVE, VILLAGE, WANG, WITHDRAW, Raw, Wrong, money, paid

TOKENS = [
    Wrong("no token", None, "GET /me", None, "401 bad-token"),
    Wrong("no token on a write", None, DEPOSIT, FIVE, "401 bad-token"),
    *(
        Wrong(name, None, "GET /me", None, "401 bad-token", {"Authorization": header})
        for name, header in {
            "an empty token": "Bearer ",
            "a password instead of a token": "Basic d2FuZzp3YW5n",
            "a token in two pieces": "Bearer abcdefgh abcdefgh",
            "a token that nobody has": f"Bearer {'a' * 43}",
            "an endless token": f"Bearer {'a' * 9000}",
            "a token with quotes": "Bearer '; DROP TABLE api_tokens; --",
        }.items()
    ),
    Wrong("an expired token", "expired", "GET /me", None, "401 token-expired"),
    Wrong("an expired token on a write", "expired", DEPOSIT, FIVE, "401 token-expired"),
    Wrong("a revoked token", "revoked", "GET /me", None, "401 token-revoked"),
    Wrong("a token without write", "reader", "POST /loans", {}, "403 scope-missing"),
    Wrong("a token without read", "writer", "GET /me", None, "403 scope-missing"),
]

ADDRESSES = [
    Wrong("nothing here", "wang", "GET /nothing", None, "404 not-found"),
    Wrong("a wrong method", "wang", "DELETE /me", None, "405 method-not-allowed"),
    Wrong("a problem that is none", None, "GET /problems/none", None, "404 not-found"),
    Wrong("an id of another kind", "officer", "GET /loans/@wang", None, "404 not-found"),
    Wrong("an id in capitals", "officer", "GET /loans/LON_0A", None, "404 not-found"),
    Wrong("a number for an id", "officer", "GET /loans/1", None, "404 not-found"),
    Wrong("an id with NUL", "officer", "GET /members/mem_%00", None, "404 not-found"),
    Wrong("a name with NUL", "wang", "GET /charter-templates/%00", None, "404 not-found"),
    Wrong("a template's path", "wang", "GET /charter-templates/..%2fx", None, "404 not-found"),
    Wrong("no such template", "wang", "GET /charter-templates/x", None, "404 template-not-found"),
    *(
        Wrong(
            f"no such {kind}", "operator", f"GET /{kind}s/{prefix}_{'0' * 16}", None, f"404 {code}"
        )
        for kind, prefix, code in (
            ("member", "mem", "member-not-found"),
            ("household", "hh", "household-not-found"),
            ("group", "grp", "group-not-found"),
            ("vouche", "vch", "vouch-not-found"),
            ("loan", "lon", "loan-not-found"),
            ("group-loan", "gln", "group-loan-not-found"),
            ("call", "cal", "call-not-found"),
            ("product", "prd", "product-not-found"),
            ("season", "sea", "season-not-found"),
        )
    ),
]


BROKEN: dict[str, str | bytes] = {
    "an empty body": "",
    "no JSON": "amount=5",
    "half of a body": '{"amount": {"amount": "5.00", ',
    "a list": "[]",
    "a text": '"five"',
    "a number": "5",
    "null": "null",
    "no UTF-8": b'{"reference": "\xff\xfe"}',
    "UTF-16": '{"reference": "x"}'.encode("utf-16"),
    "NUL in a text": '{"reference": "a\\u0000b"}',
    "NUL in a name": '{"a\\u0000b": "x"}',
    "half of a surrogate pair": '{"reference": "\\ud800"}',
    "NaN": '{"amount": NaN}',
    "infinity": '{"amount": -Infinity}',
    "a number beyond all floats": '{"amount": 1e999}',
    "a whole number without end": '{"amount": ' + "9" * 5000 + "}",
    "deep nesting": '{"a":' * 30 + "1" + "}" * 30,
    "bottomless nesting": '{"a":' + "[" * 50_000 + "]" * 50_000 + "}",
    "a field twice": '{"reference": "a", "reference": "b"}',
    "a field twice further in": '{"amount": {"amount": "1.00", "amount": "9.00"}}',
    "two bodies": '{"amount": {"amount": "1.00", "currency": "CNY"}} {}',
}
BODIES = [
    *(
        Wrong(name, "officer", DEPOSIT, Raw(text), "400 malformed-body")
        for name, text in BROKEN.items()
    ),
    *(
        Wrong(
            f"a body as {media}",
            "officer",
            DEPOSIT,
            Raw(json.dumps(FIVE), media),
            "415 unsupported-media-type",
        )
        for media in (
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            None,
        )
    ),
    Wrong(
        "a body as large as a book",
        "officer",
        DEPOSIT,
        Raw(json.dumps({"reference": "x" * 3_000_000})),
        "413 body-too-large",
    ),
    Wrong("no body", "officer", DEPOSIT, None, "422 validation"),
    Wrong("no fields", "officer", DEPOSIT, {}, "422 validation"),
    Wrong("an unknown field", "officer", DEPOSIT, paid("5.00", on="2026-01-01"), "422 validation"),
    Wrong(
        "an unknown field further in",
        "officer",
        DEPOSIT,
        {"amount": money("5.00") | {"minor": 1}},
        "422 validation",
    ),
    Wrong(
        "a control character",
        "officer",
        DEPOSIT,
        paid("5.00", reference="a\x07b"),
        "422 validation",
    ),
    Wrong("a line break", "officer", DEPOSIT, paid("5.00", reference="a\nb"), "422 validation"),
    Wrong(
        "a text too long", "officer", DEPOSIT, paid("5.00", reference="x" * 81), "422 validation"
    ),
    Wrong(
        "a text of nothing but spaces",
        "operator",
        "POST /members",
        {"name": "   "},
        "422 validation",
    ),
    Wrong(
        "a name of a hundred thousand letters",
        "operator",
        "POST /members",
        {"name": "x" * 100_000},
        "422 validation",
    ),
    Wrong("a list for a text", "operator", "POST /members", {"name": ["x"]}, "422 validation"),
    Wrong(
        "a number for a text", "operator", "POST /households", {"reference": 7}, "422 validation"
    ),
    Wrong("null for a text", "operator", "POST /households", {"reference": None}, "422 validation"),
    Wrong(
        "a text for yes",
        "zhou",
        "PUT /groups/@forming/invitation",
        {"accept": "true"},
        "422 validation",
    ),
    Wrong(
        "one for yes", "zhou", "PUT /groups/@forming/invitation", {"accept": 1}, "422 validation"
    ),
    Wrong(
        "a fraction for a whole number",
        "operator",
        "POST /members",
        {"name": "x", "birth_year": 1980.5},
        "422 validation",
    ),
    Wrong(
        "yes for a whole number",
        "operator",
        "POST /members",
        {"name": "x", "birth_year": True},
        "422 validation",
    ),
    Wrong(
        "a text for a whole number",
        "operator",
        "POST /members",
        {"name": "x", "birth_year": "1980"},
        "422 validation",
    ),
    Wrong(
        "a choice that is none",
        "operator",
        "POST /members",
        {"name": "x", "kind": "ghost"},
        "422 validation",
    ),
    Wrong(
        "a list for a choice",
        "operator",
        "POST /members",
        {"name": "x", "kind": ["person"]},
        "422 validation",
    ),
]


KEYS = [
    Wrong(
        "no key", "officer", DEPOSIT, FIVE, "422 idempotency-key-invalid", {"Idempotency-Key": None}
    ),
    *(
        Wrong(
            f"a key {name}",
            "officer",
            DEPOSIT,
            FIVE,
            "422 idempotency-key-invalid",
            {"Idempotency-Key": key},
        )
        for name, key in {
            "too short": "abc",
            "too long": "a" * 81,
            "with spaces": "abc def ghi",
            "with quotes": '"abcdefgh"',
        }.items()
    ),
    *(
        Wrong(
            f"a used key for {name}",
            "officer",
            request,
            body,
            "409 idempotency-mismatch",
            {"Idempotency-Key": "deposit-of-wang-8"},
        )
        for name, request, body in (
            ("another amount", DEPOSIT, paid("9.00", reference="slip 8")),
            ("another reference", DEPOSIT, paid("8.00", reference="slip 9")),
            (
                "another member",
                f"POST {VILLAGE}/members/@zhao/savings/deposits",
                paid("8.00", reference="slip 8"),
            ),
            ("a withdrawal", WITHDRAW, paid("8.00", reference="slip 8")),
            ("an approval", "POST /loans/@endorsed/approval", None),
        )
    ),
    *(
        Wrong(
            f"no key at {request}",
            who,
            request,
            body,
            "422 idempotency-key-invalid",
            {"Idempotency-Key": None},
        )
        for who, request, body in (
            ("officer", WITHDRAW, FIVE),
            ("wang", f"POST {WANG}/stake-locks", FIVE),
            ("wang", f"POST {WANG}/stake-releases", FIVE),
            ("operator", f"POST {VILLAGE}/lending-pool/deposits", paid("1.00", reference="x")),
            ("officer", "POST /loans/@endorsed/approval", None),
            ("officer", "POST /loans/@approved/disbursement", None),
            ("officer", "POST /loans/@current/repayments", FIVE),
            ("officer", "POST /group-loans/@group_loan/approval", None),
            ("officer", "POST /group-loans/@group_loan/disbursement", None),
            ("officer", "POST /calls/@call/payments", FIVE),
        )
    ),
]

VERSIONS = [
    Wrong(f"{name} at {request}", who, request, body, problem, {"If-Match": tag})
    for who, request, body in (
        ("li", "PATCH /vouches/@live", {"limit": money("200.00")}),
        ("wu", "PATCH /groups/@forming", {"name": "Other"}),
        ("operator", f"PATCH {VILLAGE}", {"name": "Other"}),
        ("officer", "PATCH /members/@wang", {"name": "Other"}),
    )
    for name, tag, problem in (
        ("no If-Match", None, "428 precondition-required"),
        ("a stale If-Match", '"9999"', "412 precondition-failed"),
        ("a version without quotes", "1", "412 precondition-failed"),
        ("any version", "*", "412 precondition-failed"),
    )
]

LISTS = [
    *(
        Wrong(f"a list with {query}", "officer", f"GET {VILLAGE}/members?{query}", None, problem)
        for query, problem in (
            ("cursor=abc", "422 bad-cursor"),
            ("cursor=AAAAAAAAAAAAAAAAAAAAAA", "422 bad-cursor"),
            ("cursor=%F0%9F%98%80", "422 bad-cursor"),
            ("cursor=%00", "400 bad-request"),
            (f"cursor={'a' * 2000}", "422 bad-cursor"),
            ("limit=0", "422 validation"),
            ("limit=-1", "422 validation"),
            ("limit=101", "422 validation"),
            ("limit=ten", "422 validation"),
            ("limit=1.5", "422 validation"),
            (f"limit={'9' * 30}", "422 validation"),
            ("order=name", "422 validation"),
            ("status=dead", "422 validation"),
        )
    ),
    Wrong(
        "a cursor of another list",
        "officer",
        f"GET {VILLAGE}/loans?cursor=@cursor",
        None,
        "422 bad-cursor",
    ),
    Wrong(
        "a cursor of a list elsewhere",
        "operator",
        "GET /communities/@far/members?cursor=@cursor",
        None,
        "422 bad-cursor",
    ),
    *(
        Wrong(
            f"a charter on {day}",
            "officer",
            f"GET {VILLAGE}/charter?on={day}",
            None,
            "422 validation",
        )
        for day in (
            "2026-02-30",
            "0000-01-01",
            "2026-13-01",
            "20260413",
            "2026-4-13",
            "13.04.2026",
            "1899-12-31",
            "2200-01-01",
            "today",
            "2026-04-13T09:00:00Z",
        )
    ),
    Wrong(
        "a charter before there was one",
        "officer",
        f"GET {VILLAGE}/charter?on=2020-01-01",
        None,
        "409 no-charter",
    ),
    *(
        Wrong(
            f"a quote of {query}",
            "wang",
            f"GET {VILLAGE}/quote?product=@plain&{query}",
            None,
            f"422 {problem}",
        )
        for query, problem in (
            ("amount=abc", "invalid"),
            ("amount=-50.00", "principal-out-of-range"),
            ("amount=0", "principal-out-of-range"),
            ("amount=50.001", "invalid"),
            (f"amount={'9' * 15}", "amount-out-of-range"),
            (f"amount={'9' * 30}", "invalid"),
            ("amount=1.00", "principal-out-of-range"),
            ("amount=50.00&instalments=13", "instalments-out-of-range"),
            ("amount=50.00&instalments=0", "validation"),
            ("amount=50.00&instalments=1&season=@rice", "season-needed"),
            ("amount=50.00&instalments=1&on=2026-02-30", "validation"),
            ("instalments=1", "validation"),
        )
    ),
    *(
        Wrong(
            f"who would stand behind {query}",
            "wang",
            f"GET {WANG}/cover-preview?{query}",
            None,
            problem,
        )
        for query, problem in (
            ("amount=5.00", "422 validation"),
            ("product=@plain", "422 validation"),
            ("product=@plain&amount=0", "422 amount-out-of-range"),
            ("product=@plain&amount=-5.00", "422 amount-out-of-range"),
            ("product=@plain&amount=5.001", "422 invalid"),
            ("product=@plain&amount=lots", "422 invalid"),
            ("product=prd_0000000000000000&amount=5.00", "404 product-not-found"),
        )
    ),
    *(
        Wrong(f"a limit with {query}", "wang", f"GET {WANG}/credit-limit?{query}", None, problem)
        for query, problem in (
            ("raise_by=-1", "422 amount-out-of-range"),
            ("raise_by=0", "422 amount-out-of-range"),
            ("raise_by=lots", "422 invalid"),
            ("what_if_voucher=@li", "422 validation"),
            ("what_if_amount=5.00", "422 validation"),
            ("what_if_voucher=@li&what_if_amount=-5.00", "422 amount-out-of-range"),
            ("what_if_voucher=@stranger&what_if_amount=5.00", "404 what-if-not-known"),
            ("what_if_voucher=@wu&what_if_amount=5.00", "404 what-if-not-known"),
            ("what_if_voucher=@plain&what_if_amount=5.00", "422 validation"),
            ("product=@wang", "422 validation"),
            ("product=prd_0000000000000000", "404 product-not-found"),
            ("ceiling=perhaps", "422 validation"),
        )
    ),
]
