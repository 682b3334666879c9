"""Who looks at a page: sessions by cookie, and proof that a form came from a page of ours.

A session is a row; its cookie holds a random secret that JavaScript cannot read and that other
sites cannot send along with a form. The API never looks at it: there only bearer tokens count.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, current_app, g, redirect, request, session
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.wrappers import Response as AnyResponse

from app.auth import API_PREFIX, ScopeMissing
from app.clock import now
from app.extensions import db
from app.marks import current_view, mark_of
from app.pages.room import Room
from app.pages.words import LANGUAGES, pick, said_of_field
from app.problems import TooManyRequests
from app.transaction import run_unit
from community.errors import NotAllowed
from community.members.signin import find_session, note_seen
from config.settings import Settings

COOKIE = "lianbao_session"
FORM_FIELD = "form_proof"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class FormNotOurs(NotAllowed):
    """A form is sent from the page that showed it, by whoever it was shown to."""

    code = "form-not-ours"
    title = "The form was not sent from its page"


def init_app(app: Flask) -> None:
    """Look at the cookie of every request for a page."""
    settings: Settings = app.extensions["settings"]
    app.config.update(
        SECRET_KEY=settings.secret_key,
        # What a browser is told besides: the language, and what was just done.
        SESSION_COOKIE_NAME="lianbao_page",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.session_cookie_secure,
    )
    app.extensions["sign_in_fallback"] = FixedWindowRateLimiter(MemoryStorage())
    app.add_template_filter(said_of_field)
    app.before_request(_enter)


def language() -> str:
    """The language of the answer: chosen before, else accepted by the browser."""
    return pick(session.get("lang"), request.accept_languages.best_match(LANGUAGES))


def form_proof() -> str:
    """What a form of this browser's session carries; nobody else can know it."""
    known = request.cookies.get(COOKIE, "") if g.get("page_session_id") else ""
    if not known:
        known = session.setdefault("nonce", secrets.token_urlsafe(16))
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, b"form:" + known.encode(), hashlib.sha256).hexdigest()


def sign_in_browser(answer: AnyResponse, secret: str) -> None:
    """Give the browser its session. Whatever it held before counts for nothing."""
    settings: Settings = current_app.extensions["settings"]
    chosen = session.get("lang")
    session.clear()
    if chosen:
        session["lang"] = chosen
    answer.set_cookie(
        COOKIE,
        secret,
        max_age=timedelta(hours=settings.session_hours),
        httponly=True,
        samesite="Lax",
        secure=settings.session_cookie_secure,
    )


def sign_out_browser(answer: AnyResponse) -> None:
    """Take the session from the browser."""
    answer.delete_cookie(COOKIE, httponly=True, samesite="Lax")
    chosen = session.get("lang")
    session.clear()
    if chosen:
        session["lang"] = chosen


def throttle_sign_in(login_name: str) -> None:
    """Count a try at signing in, against the name and the address. Raises TooManyRequests.

    The counters live where the others do; when that store is gone, in this process.
    """
    settings: Settings = current_app.extensions["settings"]
    if not settings.rate_limits:
        return
    name = hashlib.sha256(login_name.strip().casefold().encode()).hexdigest()[:16]
    for rate, kind, value in (
        (settings.rate_limit_sign_in_address, "sign-in-address", request.remote_addr or ""),
        (settings.rate_limit_sign_in, "sign-in-name", name),
    ):
        item = parse(rate)
        try:
            allowed = current_app.extensions["rate_limiter"].limiter.hit(item, "rate", kind, value)
        except Exception:  # noqa: BLE001  whatever ails the store, guessing stays slow
            allowed = current_app.extensions["sign_in_fallback"].hit(item, "rate", kind, value)
        if not allowed:
            raise TooManyRequests(
                "Too many tries at signing in; wait a little.",
                retry_after_seconds=int(item.get_expiry()),
            )


def is_safe_path(target: str) -> bool:
    """Whether somebody may be sent on to this address: a path of ours, and nothing cleverer."""
    parts = urlsplit(target)
    return (
        target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and not parts.scheme
        and not parts.netloc
        and not any(ord(c) < 33 or c == "\\" for c in target)
    )


def _enter() -> Response | AnyResponse | None:
    view = current_view()
    if view is None or request.path.startswith(API_PREFIX):
        return None
    room = current_app.blueprints.get(request.blueprint or "")
    if not isinstance(room, Room):
        return None
    asked = request.args.get("lang")
    if asked in LANGUAGES and session.get("lang") != asked:
        session["lang"] = asked
    _recognise()
    if request.method not in _READING:
        _require_our_form()
    if "principal" not in g and not mark_of(view, "_public", False):
        back: dict[str, Any] = {}
        if request.method in _READING:
            back["next"] = request.full_path.rstrip("?")
        return redirect(f"/sign-in{'?' + urlencode(back) if back else ''}", 303)
    principal = g.get("principal")
    needed = "read" if request.method in _READING else "write"
    if (
        principal is not None
        and not mark_of(view, "_public", False)
        and needed not in principal.scopes
    ):
        raise ScopeMissing(f"The token lacks the scope {needed!r}.", scope=needed)
    return None


def _recognise() -> None:
    secret = request.cookies.get(COOKIE, "")
    if not 0 < len(secret) <= 100:
        return
    settings: Settings = current_app.extensions["settings"]
    found = find_session(
        db.session(),
        secret=secret,
        idle=timedelta(minutes=settings.session_idle_minutes),
        now=now(),
    )
    if found is None:
        return
    g.principal = found.principal
    g.page_session_id = found.session_id
    if found.is_due:
        run_unit(db.session(), note_seen, session_id=found.session_id, now=now())


def _require_our_form() -> None:
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    elsewhere = (site is not None and site not in ("same-origin", "none")) or (
        origin is not None and urlsplit(origin).netloc != request.host
    )
    given = request.form.get(FORM_FIELD, "")
    if elsewhere or not hmac.compare_digest(given.encode(), form_proof().encode()):
        raise FormNotOurs("Open the page again and send the form from there.")
