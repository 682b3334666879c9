"""Who is calling: the bearer token of a request, turned into a Principal.

The caller is read anew for every request, so a revoked token or role ends at once.
"""

import re
from typing import Any

from flask import Flask, current_app, g, request

from app.clock import now, today
from app.extensions import db
from app.marks import current_view, mark_of
from app.rate_limits import count_bad_token
from community.errors import NotAllowed
from community.members.errors import BadToken
from community.members.principal import Principal
from community.members.service import authenticate

API_PREFIX = "/api/"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,200}")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class ScopeMissing(NotAllowed):
    """The token was issued for less than this request does: reading needs read, the rest write."""

    code = "scope-missing"
    title = "The token does not cover this"


def caller() -> Principal:
    """Who makes the request under way. Raises BadToken where nobody had to say who they are."""
    principal: Principal | None = g.get("principal")
    if principal is None:
        raise BadToken("This needs a bearer token.")
    return principal


def acting() -> dict[str, Any]:
    """Who acts in the request under way, and when, as the services ask for it."""
    return {"on": today(), "now": now(), "actor_id": caller().member_id}


def init_app(app: Flask) -> None:
    """Ask for a token on every address of the API that is not marked public."""
    app.before_request(_identify)


def _identify() -> None:
    view = current_view()
    if view is None or request.method == "OPTIONS" or mark_of(view, "_public", False):
        return
    if not request.path.startswith(API_PREFIX):
        return
    try:
        token = _bearer_token()
        principal = authenticate(db.session(), token=token, now=now())
    except BadToken:
        count_bad_token(current_app, request.remote_addr or "")
        raise
    needed = "read" if request.method in _READING else "write"
    if needed not in principal.scopes:
        raise ScopeMissing(f"The token lacks the scope {needed!r}.", scope=needed)
    g.principal = principal


def _bearer_token() -> str:
    header = request.headers.get("Authorization", "")
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer":
        raise BadToken("Send `Authorization: Bearer <token>`.")
    if not _TOKEN.fullmatch(token.strip()):
        raise BadToken("The bearer token is not well formed.")
    return token.strip()
