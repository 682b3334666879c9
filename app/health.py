"""Is it alive, is it ready, how much does it do; and the log line of every request."""

import logging
import os
import re
import secrets
import time
from typing import Any

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from sqlalchemy import inspect, text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import cache, db
from app.marks import current_view, mark_of, public
from community.members.errors import BadToken
from config.logging import request_facts
from config.settings import ROOT, Settings

logger = logging.getLogger("lianbao.requests")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

requests_total = Counter(
    "lianbao_requests_total", "Requests answered", ["method", "route", "status"]
)
request_seconds = Histogram(
    "lianbao_request_seconds",
    "Time to answer",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

pages = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Give every request an id, a log line and its headers."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)


@pages.get("/healthz")
@public
def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@pages.get("/readyz")
@public
def readyz() -> tuple[dict[str, Any], int]:
    """The database answers and has the tables of this code; without Redis it is ready, but slow."""
    checks = {"database": database_state(), "redis": cache.state()}
    ready = checks["database"] == "ok"
    status = (
        "ready" if ready and checks["redis"] != "down" else "degraded" if ready else "not ready"
    )
    return {"status": status, "checks": checks}, 200 if ready else 503


@pages.get("/metrics")
@public
def metrics() -> Response:
    """Counters for Prometheus, of all workers of this host."""
    settings: Settings = current_app.extensions["settings"]
    if settings.metrics_token:
        given = request.headers.get("Authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {settings.metrics_token}".encode()):
            raise BadToken("Send the token of METRICS_TOKEN.")
    registry = REGISTRY
    if multiprocess_folder():
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def multiprocess_folder() -> str | None:
    """Where workers count together; config/gunicorn.py names it for the metrics library."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")


def database_state() -> str:
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            heads = _heads()
            if not heads:
                return "ok"
            if not inspect(connection).has_table("alembic_version"):
                return "no tables: run flask db upgrade"
            have = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
            return "ok" if have == heads else "migrations are due: run flask db upgrade"
    except SQLAlchemyError as fault:
        logger.warning("the database does not answer: %s", type(fault).__name__)
        return "down"


def _heads() -> set[str]:
    return revisions()[0]


def revisions() -> tuple[set[str], set[str]]:
    """The newest migrations of this code, and all that it knows."""
    kept: tuple[set[str], set[str]] | None = current_app.extensions.get("migration_revisions")
    if kept is None:
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        folder = ROOT / "community" / "migrations"
        config = Config()
        config.set_main_option("script_location", str(folder))
        kept = set(), set()
        if (folder / "versions").is_dir():
            scripts = ScriptDirectory.from_config(config)
            kept = (
                set(scripts.get_heads()),
                {script.revision for script in scripts.walk_revisions()},
            )
        current_app.extensions["migration_revisions"] = kept
    return kept


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.started = time.perf_counter()
    request_facts.set({"request_id": g.request_id})


def _finish(response: Response) -> Response:
    settings: Settings = current_app.extensions["settings"]
    response.headers["X-Request-Id"] = g.get("request_id", "")
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    headers.setdefault("Content-Security-Policy", _POLICY)
    if "Cache-Control" not in headers:
        # Whoever uses this browser next must not find somebody's debts in it.
        headers["Cache-Control"] = "no-store"
    if settings.production:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    _count(response)
    return response


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def _count(response: Response) -> None:
    # The rule, not the path: a path would name people, and make endlessly many series.
    route = request.url_rule.rule if request.url_rule is not None else "(none)"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    method = request.method if request.method in _METHODS else "OTHER"
    requests_total.labels(method, route, str(response.status_code)).inc()
    request_seconds.labels(method, route).observe(seconds)
    principal = g.get("principal")
    facts: dict[str, Any] = {
        "method": method,
        "route": route,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
    }
    if principal is not None and not mark_of(current_view(), "_unnamed", False):
        facts["caller"] = principal.public_id
    if g.get("problem"):
        facts["problem"] = g.problem
    logger.info("request", extra={"facts": facts})


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _forget(_error: BaseException | None) -> None:
    request_facts.set(None)
