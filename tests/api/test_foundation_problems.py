"""One shape for every refusal, whoever refuses."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from community.members.principal import Role
from tests.api.conftest import MakeApp
from tests.api.people import Person, assert_problem, register
from tests.api.probe import add_probe, count_households

PAY = "/api/v1/probe/payments"
MONEY = {"amount": "1.00", "currency": "CNY"}


@pytest.fixture
def features() -> list[str]:
    """The foundation stands alone."""
    return []


@pytest.fixture
def app(app: Flask) -> Flask:
    add_probe(app)
    return app


def test_without_a_token_nobody_gets_in(client: FlaskClient) -> None:
    for header in ("", "Basic abc", "Bearer", "Bearer \x01\x02", "Bearer " + "x" * 500):
        answer = client.get("/api/v1/probe/me", headers={"Authorization": header})
        assert_problem(answer, 401, "bad-token")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    unknown = client.get("/api/v1/probe/me", headers={"Authorization": "Bearer " + "a" * 43})
    assert_problem(unknown, 401, "bad-token")


def test_an_expired_and_a_revoked_token_say_which(app: Flask, member: Person) -> None:
    from sqlalchemy import select

    from app.clock import now
    from app.extensions import db
    from app.transaction import run_unit
    from community.members.models import ApiToken
    from community.members.service import revoke_token

    clock = app.extensions["clock"]
    with app.app_context():
        later = now().replace(year=now().year + 1)
    clock.fixed = later
    assert_problem(member.get("/api/v1/probe/me"), 401, "token-expired")
    clock.fixed = None
    with app.app_context():
        run_unit(
            db.session(),
            lambda s: revoke_token(s, token=s.scalars(select(ApiToken)).one(), now=now()),
        )
    assert_problem(member.get("/api/v1/probe/me"), 401, "token-revoked")


def test_a_reading_token_cannot_write(app: Flask, person: Callable[..., Person]) -> None:
    reader = person(scopes=frozenset({"read"}))
    assert reader.get("/api/v1/probe/me").status_code == 200
    problem = assert_problem(reader.post(PAY, {"amount": MONEY}), 403, "scope-missing")
    assert problem["scope"] == "write"


def test_unknown_addresses_and_methods(client: FlaskClient, member: Person) -> None:
    assert_problem(client.get("/api/v1/nowhere"), 404, "not-found")
    assert_problem(client.get("/nowhere"), 404, "not-found")
    assert_problem(member.post("/api/v1/probe/members/mem_x/payments", {}), 404, "not-found")
    assert_problem(member.get("/api/v1/probe/cached/a%00b"), 404, "not-found")
    answer = client.delete("/api/v1/probe/public")
    assert_problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["Allow"]


def test_what_one_may_read_but_not_change_is_403_and_what_one_may_not_read_404(
    app: Flask, member: Person, person: Callable[..., Person]
) -> None:
    problem = assert_problem(member.post("/api/v1/probe/mine"), 403, "not-allowed")
    assert problem["action"] == "probe:act"
    assert_problem(member.post("/api/v1/probe/others"), 404, "not-found")
    operator = person(roles=[(Role.OPERATOR, None)])
    assert operator.post("/api/v1/probe/others").status_code == 200


def test_a_view_that_forgets_to_ask_permission_does_not_answer(member: Person) -> None:
    answer = member.get("/api/v1/probe/forgetful")
    assert_problem(answer, 500, "internal")
    assert "somebody" not in answer.text


MALFORMED: list[tuple[str, Any]] = [
    ("not JSON", b"{"),
    ("empty but announced", b""),
    ("not UTF-8", b'{"note": "\xff\xfe"}'),
    ("an array", b"[1]"),
    ("a text", b'"x"'),
    ("null", b"null"),
    ("a field twice", b'{"note": "a", "note": "b"}'),
    ("NaN", b'{"count": NaN}'),
    ("infinite", b'{"count": 1e999}'),
    ("a number of 30 digits", b'{"count": ' + b"9" * 30 + b"}"),
    ("a number of 5000 digits", b'{"count": ' + b"9" * 5000 + b"}"),
    ("a zero character", b'{"note": "a\\u0000b"}'),
    ("a zero character in a name", b'{"a\\u0000b": 1}'),
    ("half a character", b'{"note": "\\ud800"}'),
    ("nesting of 30", b'{"a":' * 30 + b"1" + b"}" * 30),
    ("nesting of 100,000", b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
]


def test_a_malformed_body_is_refused_with_its_reason(member: Person) -> None:
    for name, body in MALFORMED:
        answer = member.call(
            "POST",
            PAY,
            data=body,
            content_type="application/json",
            headers={"Idempotency-Key": "some-good-key"},
        )
        assert answer.status_code == 400, name
        problem = assert_problem(answer, 400, "malformed-body")
        assert problem["detail"]


def test_other_media_types_are_refused(member: Person) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "text/csv"):
        answer = member.call("POST", PAY, data=b"{}", content_type=media_type)
        problem = assert_problem(answer, 415, "unsupported-media-type")
        assert problem["accepts"] == ["application/json"]
    file = member.call("POST", "/api/v1/probe/files", data=b"a,b", content_type="text/csv")
    assert file.status_code == 200
    assert_problem(member.post("/api/v1/probe/files", {}), 415, "unsupported-media-type")


def test_a_body_that_is_too_long_is_refused(make_app: MakeApp) -> None:
    app = make_app(max_body_bytes=2_000)
    add_probe(app)
    member = register(app)
    answer = member.post(PAY, {"amount": MONEY, "note": "x" * 3_000})
    assert_problem(answer, 413, "body-too-large")


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("amount", {}),
    ("amount", {"amount": 120.5}),
    ("amount", {"amount": "120.50"}),
    ("amount", {"amount": None}),
    ("amount", {"amount": {"amount": 120, "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "120.505", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "1e3", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "NaN", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "-1.00", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "0.00", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "99999999999999.00", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "9" * 40, "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "1.00", "currency": "XXX"}}),
    ("amount", {"amount": {"amount": "1.00", "currency": ["CNY"]}}),
    ("amount", {"amount": {"amount": "１.00", "currency": "CNY"}}),
    ("amount", {"amount": {"amount": "1.00", "currency": "CNY", "extra": 1}}),
    ("note", {"amount": MONEY, "note": "x" * 81}),
    ("note", {"amount": MONEY, "note": "bell \x07"}),
    ("purpose", {"amount": MONEY, "purpose": "   "}),
    ("note", {"amount": MONEY, "note": 5}),
    ("on", {"amount": MONEY, "on": "2026-02-30"}),
    ("on", {"amount": MONEY, "on": "20260230"}),
    ("on", {"amount": MONEY, "on": "9999-12-31"}),
    ("at", {"amount": MONEY, "at": "2026-11-23T10:00:00"}),
    ("at", {"amount": MONEY, "at": "0001-01-01T00:00:00+14:00"}),
    ("count", {"amount": MONEY, "count": "5"}),
    ("count", {"amount": MONEY, "count": 5.0}),
    ("count", {"amount": MONEY, "count": True}),
    ("count", {"amount": MONEY, "count": 101}),
    ("member_id", {"amount": MONEY, "member_id": "com_0123456789abcdef"}),
    ("member_id", {"amount": MONEY, "member_id": 7}),
    ("surprise", {"amount": MONEY, "surprise": 1}),
]


def test_a_field_that_is_not_right_is_named(app: Flask, member: Person) -> None:
    for field, body in INVALID:
        answer = member.post(PAY, body)
        assert answer.status_code == 422, body
        problem = assert_problem(answer, 422, "validation")
        assert list(problem["errors"]) == [field], body
    with app.app_context():
        assert count_households(db.session) == 0


def test_a_right_body_passes(member: Person) -> None:
    body = {
        "amount": MONEY,
        "note": "  化肥 ",
        "on": "2026-11-23",
        "at": "2026-11-23T10:00:00+08:00",
        "count": 100,
        "member_id": member.public_id,
    }
    answer = member.post(PAY, body)
    assert answer.status_code == 201
    assert answer.get_json()["reference"].startswith("1.00 化肥#")


def test_a_fault_of_ours_tells_its_incident_and_nothing_else(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/api/v1/probe/faults", "/api/v1/probe/database-faults"):
        caplog.clear()
        answer = client.get(path)
        problem = assert_problem(answer, 500, "internal")
        for inner in ("secret", "Traceback", "no_such_table", "ZeroDivision"):
            assert inner not in answer.text
        logged = next(record for record in caplog.records if record.levelno >= logging.ERROR)
        assert problem["incident"] in logged.getMessage()
        assert logged.exc_info is not None


def test_a_caller_who_asks_too_often_is_slowed_down(make_app: MakeApp) -> None:
    app = make_app(rate_limits=True, rate_limit_write="2/minute", rate_limit_heavy="1/minute")
    add_probe(app)
    member, other = register(app), register(app, "Li Wei")
    body = {"amount": MONEY}
    assert [member.post(PAY, body).status_code for _ in range(2)] == [201, 201]
    refused = member.post(PAY, body)
    assert_problem(refused, 429, "too-many-requests")
    assert int(refused.headers["Retry-After"]) > 0
    # Others, and other addresses, are not concerned.
    assert other.post(PAY, body).status_code == 201
    assert member.get("/api/v1/probe/me").status_code == 200
    client = app.test_client()
    assert client.get("/api/v1/probe/heavy").status_code == 200
    assert_problem(client.get("/api/v1/probe/heavy"), 429, "too-many-requests")


def test_a_repayment_is_never_refused_for_being_one_too_many(make_app: MakeApp) -> None:
    app = make_app(rate_limits=True, rate_limit_write="1/minute")
    add_probe(app)
    member = register(app)
    answers = [member.post("/api/v1/probe/repayments", {"amount": MONEY}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [201] * 5


def test_guessing_tokens_is_slowed_down_by_address(make_app: MakeApp) -> None:
    app = make_app(rate_limits=True, rate_limit_bad_tokens="2/minute")
    add_probe(app)
    member = register(app)
    client = app.test_client()
    guess = {"Authorization": "Bearer lb_" + "a" * 43}
    assert [client.get("/api/v1/probe/me", headers=guess).status_code for _ in range(4)] == [
        401,
        401,
        429,
        429,
    ]
    assert member.get("/api/v1/probe/me").status_code == 200


def test_problem_types_explain_themselves(client: FlaskClient) -> None:
    items = client.get("/problems").get_json()["items"]
    assert {"/problems/validation", "/problems/idempotency-mismatch"} <= {i["type"] for i in items}
    for item in items:
        page = client.get(item["type"])
        assert (page.status_code, page.get_json()["title"]) == (200, item["title"])
    html = client.get("/problems/validation", headers={"Accept": "text/html"})
    assert html.content_type.startswith("text/html")
    assert_problem(client.get("/problems/<script>"), 404, "not-found")


def test_every_answer_carries_its_request_id_and_safe_headers(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": "from-the-proxy.1"})
    assert answer.headers["X-Request-Id"] == "from-the-proxy.1"
    for unsafe in ("short", "a b c d e f g h", "x" * 65, '"><script>'):
        answer = client.get("/healthz", headers={"X-Request-Id": unsafe})
        assert answer.headers["X-Request-Id"] not in ("", unsafe)
    for path in ("/healthz", "/api/docs", "/api/v1/nowhere", "/api/v1/probe/faults"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        script = next(
            part for part in headers["Content-Security-Policy"].split("; ") if "script" in part
        )
        assert script == "script-src 'self'"
    assert json.loads(client.get("/healthz").text) == {"status": "ok"}
