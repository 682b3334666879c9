"""What stands around the routes: health, metrics, logs, the OpenAPI, a Redis that may vanish."""

import io
import json
import logging
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from app.extensions import db
from config.logging import JsonFormatter
from tests.api.conftest import MakeApp
from tests.api.people import Person, assert_problem, register
from tests.api.probe import add_probe
from tests.servers import valkey_server

PAY = "/api/v1/probe/payments"
BODY = {"amount": {"amount": "1.00", "currency": "CNY"}}


@pytest.fixture
def features() -> list[str]:
    """The foundation stands alone."""
    return []


def migrated(app: Flask, version: str) -> None:
    """Make the database say that it stands at this migration, and the code that 'a1' is due."""
    app.extensions["migration_revisions"] = ({"a1"}, {"a0", "a1"})
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32))"
        )
        connection.exec_driver_sql("DELETE FROM alembic_version")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{version}')")


def test_alive_and_ready(client: FlaskClient, app: Flask) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    migrated(app, "a1")
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["checks"]) == (
        200,
        {"database": "ok", "redis": "none"},
    )


def test_with_migrations_due_it_is_not_ready(client: FlaskClient, app: Flask) -> None:
    app.extensions["migration_revisions"] = ({"a1"}, {"a0", "a1"})
    bare = client.get("/readyz")
    assert (bare.status_code, bare.get_json()["checks"]["database"]) == (
        503,
        "no tables: run flask db upgrade",
    )
    migrated(app, "a0")
    due = client.get("/readyz")
    assert due.status_code == 503
    assert "due" in due.get_json()["checks"]["database"]


def test_without_its_database_it_is_alive_but_not_ready(make_app: MakeApp) -> None:
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    app = make_app(database_url=nowhere)
    add_probe(app)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["status"]) == (503, "not ready")
    guess = {"Authorization": "Bearer lb_" + "a" * 43}
    answer = client.get("/api/v1/probe/me", headers=guess)
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_metrics_count_requests_by_route_never_by_path(app: Flask, member: Person) -> None:
    add_probe(app)
    path = f"/api/v1/probe/members/{member.public_id}/payments"
    rule = "/api/v1/probe/members/<pid(mem):member_id>/payments"

    def counted() -> float:
        text = app.test_client().get("/metrics").text
        assert member.public_id not in text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "lianbao_requests_total"
            and sample.labels == {"method": "POST", "route": rule, "status": "201"}
        )

    before = counted()
    assert member.post(path, BODY).status_code == 201
    assert counted() == before + 1


def test_metrics_ask_for_their_token_if_one_is_set(make_app: MakeApp) -> None:
    token = "metrics-token-of-32-characters-or-more"
    client = make_app(metrics_token=token).test_client()
    assert_problem(client.get("/metrics"), 401, "bad-token")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


def test_the_log_tells_who_asked_what_and_keeps_tokens_and_bodies_to_itself(
    make_app: MakeApp,
) -> None:
    app = make_app(log_level="INFO")
    add_probe(app)
    member = register(app, "Wang Xiulan")
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        headers = {"X-Request-Id": "request-one", "Idempotency-Key": "key-number-1"}
        member.call("POST", PAY, json=BODY | {"note": "private note"}, headers=headers)
        member.call("GET", "/api/v1/probe/faults", headers={"X-Request-Id": "request-two"})
        logging.getLogger("other").warning(
            "tried %s at redis://user:pass@host with Bearer abcdefghijkl", member.token
        )
    finally:
        root.removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    request = next(line for line in lines if line["message"] == "request")
    assert request["request_id"] == "request-one"
    assert request["route"] == PAY
    assert (request["method"], request["status"]) == ("POST", 201)
    assert request["caller"] == member.public_id
    assert request["ms"] > 0
    fault = next(line for line in lines if line["level"] == "error")
    assert fault["request_id"] == "request-two"
    assert re.fullmatch("[0-9a-f]{12}", fault["incident"])
    assert "ZeroDivisionError" in fault["exception"]
    for hidden in (member.token, "private note", "Wang Xiulan", "user:pass", "abcdefghijkl"):
        assert hidden not in written.getvalue()


def test_the_openapi_document_is_valid_and_complete(app: Flask, client: FlaskClient) -> None:
    add_probe(app)
    document = client.get("/api/v1/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)
    for path, method, operation in operations:
        assert operation["summary"], (path, method)
        assert {"400", "500", "503"} <= operation["responses"].keys(), (path, method)
    for name, response in document["components"]["responses"].items():
        # An address that is too long never reaches the platform: the server answers.
        told = "text/html" if name == "ADDRESS_TOO_LONG" else "application/problem+json"
        assert list(response.get("content", {})) in ([], [told])
    pay = document["paths"]["/api/v1/probe/members/{member_id}/payments"]["post"]
    header = next(item for item in pay["parameters"] if item["in"] == "header")
    assert (header["name"], header["required"]) == ("Idempotency-Key", True)
    assert pay["x-permission"] == "probe:pay"
    assert "201" in pay["responses"]
    schemas = document["components"]["schemas"]
    assert schemas["Payment"]["properties"]["amount"] == {"$ref": "#/components/schemas/Money"}
    amount = schemas["Money"]
    assert amount["type"] == "object"
    assert set(amount["required"]) == {"amount", "currency"}
    assert document["paths"]["/api/v1/probe/public"]["get"]["security"] == []


def test_the_docs_page_loads_nothing_from_elsewhere(client: FlaskClient) -> None:
    page = client.get("/api/docs")
    assert "<script>" not in page.text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        assert address.startswith("/api/docs/")
        with client.get(address) as answer:
            assert answer.status_code == 200
    assert "/api/v1/openapi.json" in client.get("/api/docs/start.js").text
    for wrong in ("/api/docs/index.html", "/api/docs/..%2f__init__.py", "/api/docs/nothing.js"):
        assert client.get(wrong).status_code == 404


def test_redis_may_vanish_and_come_back(make_app: MakeApp) -> None:
    with valkey_server(own=True) as url:
        port = int(url.rpartition(":")[2].partition("/")[0])
        app = make_app(redis_url=url, rate_limits=True)
        add_probe(app)
        migrated(app, "a1")
        member, client = register(app), app.test_client()
        assert client.get("/readyz").get_json()["checks"]["redis"] == "ok"
        # Kept: the second answer is the first one.
        assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 1}
        assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 1}
        assert member.post(PAY, BODY).status_code == 201
    # Gone: everything is computed, nothing is refused.
    assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 2}
    assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 3}
    assert member.post(PAY, BODY).status_code == 201
    assert member.post("/api/v1/probe/repayments", BODY).status_code == 201
    ready = client.get("/readyz")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "degraded")
    with valkey_server(port=port):
        assert client.get("/readyz").get_json()["status"] == "ready"
        assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 4}
        assert client.get("/api/v1/probe/cached/a").get_json() == {"value": 4}


def test_rate_limits_go_on_without_redis(make_app: MakeApp) -> None:
    with valkey_server(own=True) as url:
        app = make_app(redis_url=url, rate_limits=True, rate_limit_heavy="2/minute")
        add_probe(app)
        client = app.test_client()
        assert client.get("/api/v1/probe/heavy").status_code == 200
    statuses = [client.get("/api/v1/probe/heavy").status_code for _ in range(4)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_a_damaged_value_in_the_cache_is_computed_anew(
    make_app: MakeApp, redis_url: str, tmp_path
) -> None:
    import redis

    app = make_app(redis_url=redis_url)
    add_probe(app)
    name = tmp_path.name
    with redis.Redis.from_url(redis_url) as server:
        server.set(f"cache:probe:{name}", b"{broken")
        assert app.test_client().get(f"/api/v1/probe/cached/{name}").get_json() == {"value": 1}


@pytest.mark.parametrize("args", [["permissions"], ["problems"], ["forget-keys"]])
def test_commands_of_the_foundation_run(app: Flask, args: list[str]) -> None:
    result = app.test_cli_runner().invoke(args=args)
    assert result.exit_code == 0, result.output
    assert result.output


def test_old_idempotency_keys_are_cleared_away(app: Flask, member: Person) -> None:
    add_probe(app)
    clock = app.extensions["clock"]
    assert member.post(PAY, BODY, key="an-old-key").status_code == 201
    runner = app.test_cli_runner()
    assert runner.invoke(args=["forget-keys"]).output == "0 keys cleared away\n"
    with app.app_context():
        real = clock.now()
    clock.fixed = real.replace(year=real.year + 1)
    assert runner.invoke(args=["forget-keys"]).output == "1 keys cleared away\n"
