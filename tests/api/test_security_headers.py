"""Every answer, whatever it is, tells browsers what they must not do with it."""

import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from tests.api.conftest import MakeApp

pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
UNKNOWN = {"Authorization": "Bearer lb_nobody-has-this-one"}
# Sent with whatever else there is, so that those that fail are among them too.
METHODS = ("GET", "POST", "OPTIONS", "FROB")


def addresses(app: Flask) -> list[str]:
    plain = [rule.rule for rule in app.url_map.iter_rules() if not rule.arguments]
    return [*plain, "/nowhere", "/api/v1/nowhere", "/api/docs/swagger-ui.css", "/problems/internal"]


def faults(app: Flask, methods: tuple[str, ...] = METHODS) -> tuple[list[str], set[int]]:
    client, found, statuses = app.test_client(), [], set()
    for address in addresses(app):
        for method in methods:
            answer = client.open(address, method=method, headers=UNKNOWN)
            answer.close()
            statuses.add(answer.status_code)
            wrong = {name for name, value in HEADERS.items() if answer.headers.get(name) != value}
            policy = answer.headers.get("Content-Security-Policy", "")
            script = next((part for part in policy.split("; ") if part.startswith("script-")), "")
            if "default-src 'none'" not in policy or script not in ("", "script-src 'self'"):
                wrong.add("Content-Security-Policy")
            if "frame-ancestors 'none'" not in policy:
                wrong.add("frame-ancestors")
            if "Cache-Control" not in answer.headers:
                wrong.add("Cache-Control")
            found += [f"{method} {address} {answer.status_code}: {name}" for name in sorted(wrong)]
    return found, statuses


def test_every_answer_has_them(app: Flask) -> None:
    found, statuses = faults(app)
    assert found == []
    assert {200, 401, 404, 405} <= statuses
    assert "Strict-Transport-Security" not in app.test_client().get("/healthz").headers


def test_faults_of_ours_have_them_and_production_asks_for_tls(make_app: MakeApp) -> None:
    app = make_app(production=True)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_tokens RENAME TO lost"))
    found, statuses = faults(app, ("GET",))
    assert found == []
    assert 500 in statuses
    answer = app.test_client().get("/api/v1/me", headers=UNKNOWN)
    assert answer.status_code == 500
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
