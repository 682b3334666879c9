"""How often somebody may ask. All numbers are settings; repayments are never counted (law 10).

Counters live in Redis when there is one, so that all servers count together. When it stops they
go on at once in the process's own memory.
"""

import hashlib

from flask import Flask, current_app, g, request
from flask_limiter import Limiter
from limits import parse

from app.marks import current_view, mark_of
from app.problems import TooManyRequests
from config.settings import Settings

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def init_app(app: Flask) -> None:
    """Count requests of this application."""
    settings: Settings = app.extensions["settings"]
    options: dict[str, str | int] = {}
    if settings.redis_url:
        options = {
            "socket_timeout": 0.25,  # type: ignore[dict-item]
            "socket_connect_timeout": 0.25,  # type: ignore[dict-item]
            "max_connections": settings.redis_pool_size,
        }
    limiter = Limiter(
        key_func=_caller_key,
        default_limits=[_limit_of_this_request],
        storage_uri=settings.redis_url or "memory://",
        storage_options=options,
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        enabled=settings.rate_limits,
        headers_enabled=True,
        retry_after="delta-seconds",
        key_prefix="rate",
    )
    limiter.request_filter(_is_never_refused)
    limiter.init_app(app)
    app.extensions["rate_limiter"] = limiter


def count_bad_token(app: Flask, address: str) -> None:
    """Count a wrong token against the address it came from; raises TooManyRequests."""
    settings: Settings = app.extensions["settings"]
    if not settings.rate_limits:
        return
    limiter: Limiter = app.extensions["rate_limiter"]
    limit = parse(settings.rate_limit_bad_tokens)
    try:
        allowed = limiter.limiter.hit(limit, "rate", "bad-token", address)
    except Exception:  # noqa: BLE001  whatever the counter's store says, a wrong token stays wrong
        return
    if not allowed:
        raise TooManyRequests("Too many wrong tokens from this address.")


def _limit_of_this_request() -> str:
    settings: Settings = current_app.extensions["settings"]
    kind = mark_of(current_view(), "_rate") or ("read" if request.method in _READING else "write")
    return str(getattr(settings, f"rate_limit_{kind}"))


def _caller_key() -> str:
    principal = g.get("principal")
    if principal is not None:
        return str(principal.public_id)
    return hashlib.sha256((request.remote_addr or "").encode()).hexdigest()[:16]


def _is_never_refused() -> bool:
    return bool(mark_of(current_view(), "_never_refused", False))
