"""Refusals and faults as `application/problem+json`, one shape for all of them.

Each kind of refusal is a class of the tree under `CommunityError`; the table below gives kinds
their HTTP status, and a subclass answers as its nearest listed ancestor. Refusals that only the
web knows stand at the end of this file.
"""

import json
import logging
import secrets
from http import HTTPStatus
from typing import Any, ClassVar

import marshmallow as ma
from apispec import APISpec
from flask import Blueprint, Flask, Response, g, jsonify, render_template_string, request
from flask_smorest import Api
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from app.marks import public
from community.errors import (
    CommunityError,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    Unavailable,
)
from community.members.errors import BadToken

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"

STATUS: dict[type[CommunityError], int] = {
    CommunityError: 400,
    BadToken: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Unavailable: 503,
}


class WebRefusal(CommunityError):
    """A request that is refused before the domain is asked."""

    status: ClassVar[int] = 400
    code = "bad-request"
    title = "The request cannot be understood"


class MalformedBody(WebRefusal):
    """The body is not a JSON object in UTF-8, nests too deep, or holds what nobody can store."""

    code = "malformed-body"
    title = "The body is not acceptable JSON"


class MethodNotAllowed(WebRefusal):
    """The address exists, but not with this method; the Allow header names those it has."""

    status = 405
    code = "method-not-allowed"
    title = "This method is not available here"


class NotAcceptable(WebRefusal):
    """None of the media types that the caller accepts is available."""

    status = 406
    code = "not-acceptable"
    title = "Not available in an accepted media type"


class PreconditionFailed(WebRefusal):
    """The thing has changed since the caller read it; read again, then decide again."""

    status = 412
    code = "precondition-failed"
    title = "It has changed since you read it"


class BodyTooLarge(WebRefusal):
    """The body is longer than MAX_BODY_BYTES."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"


class UnsupportedMediaType(WebRefusal):
    """The body's media type is not one that this address reads, which is JSON nearly everywhere."""

    status = 415
    code = "unsupported-media-type"
    title = "The body's media type is not understood"


class ValidationFailed(WebRefusal):
    """Fields are missing, unknown, or out of shape or range; `errors` lists them by name."""

    status = 422
    code = "validation"
    title = "Some fields are not right"


class PreconditionRequired(WebRefusal):
    """An update has to say which version it changes: If-Match with the ETag of the last answer."""

    status = 428
    code = "precondition-required"
    title = "If-Match is missing"


class TooManyRequests(WebRefusal):
    """The caller asks more often than the rate limit allows; Retry-After says when to go on."""

    status = 429
    code = "too-many-requests"
    title = "Too many requests"


class InternalFault(WebRefusal):
    """Our mistake. The incident's number finds it in the log; nothing was done."""

    status = 500
    code = "internal"
    title = "Something went wrong on our side"


# What the framework itself refuses.
_BY_HTTP_STATUS: dict[int, type[CommunityError]] = {
    400: WebRefusal,
    401: BadToken,
    403: NotAllowed,
    404: NotFound,
    405: MethodNotAllowed,
    406: NotAcceptable,
    409: Conflict,
    412: PreconditionFailed,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    422: ValidationFailed,
    428: PreconditionRequired,
    429: TooManyRequests,
    503: Unavailable,
}


def status_of(kind: type[CommunityError]) -> int:
    """The HTTP status that a refusal answers with."""
    if issubclass(kind, WebRefusal):
        return kind.status
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def all_problems() -> list[type[CommunityError]]:
    """Every refusal that is loaded, by code."""
    found: set[type[CommunityError]] = set()
    waiting: list[type[CommunityError]] = [CommunityError]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting.extend(kind.__subclasses__())
    return sorted(found, key=lambda kind: kind.code)


def problem_page() -> str:
    """The text of docs/problems.md: a heading for every problem type."""
    lines = [
        "# Problem types",
        "",
        "Every refusal is `application/problem+json` with a stable `type` of `/problems/<code>`.",
        "Clients branch on the type; titles and details may be reworded. Each body also has",
        "`status`, `detail`, `instance` (the path), `request_id`, and the members that its kind",
        "needs. This page is what `flask problems` prints.",
        "",
    ]
    for kind in all_problems():
        lines += [f"## {kind.code}", "", f"**{status_of(kind)}** · {kind.title}.", ""]
        if meaning_of(kind):
            lines += [meaning_of(kind), ""]
    return "\n".join(lines)


def meaning_of(kind: type[CommunityError]) -> str:
    """What a refusal's docstring says, in one paragraph."""
    return " ".join((kind.__doc__ or "").split())


def problem_response(
    kind: type[CommunityError],
    detail: str = "",
    *,
    members: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The answer for one refusal."""
    status = status_of(kind)
    members = dict(members or {})
    page = _as_page(kind, detail, members)
    if page is not None:
        page.headers.update(headers or {})
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            page.headers["Retry-After"] = str(members.get("retry_after_seconds", 2))
        return page
    body = {
        **members,
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": status,
        "detail": detail or kind.title,
        "instance": request.path,
        "request_id": g.get("request_id", ""),
    }
    answer = Response(
        json.dumps(body, ensure_ascii=False, default=str), status, mimetype=PROBLEM_JSON
    )
    answer.headers.update(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="lianbao", error="invalid_token"'
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(members.get("retry_after_seconds", 2))
    if answer.mimetype == PROBLEM_JSON:
        # Problem documents are JSON, so UTF-8; the media type knows no charset.
        answer.headers["Content-Type"] = PROBLEM_JSON
    g.problem = kind.code
    return answer


# Addresses of ours that people do not read: programs, and who looks after the machines.
_FOR_PROGRAMS = ("/api/", "/problems", "/healthz", "/readyz", "/metrics")


def _as_page(kind: type[CommunityError], detail: str, members: dict[str, Any]) -> Response | None:
    """The same for somebody with a browser, in their language; None where programs ask.

    Browsers say that they take HTML; whoever does not is a program, wherever they ask.
    """
    if request.path.startswith(_FOR_PROGRAMS) or "text/html" not in request.headers.get(
        "Accept", ""
    ):
        return None
    from app.pages.layout import refusal_page

    try:
        return refusal_page(kind(detail, **members))
    except Exception:
        # What keeps the page from being written, such as a database that is gone, is told plainly.
        logger.exception("a refusal could not be shown as a page")
        return None


def refuse(error: CommunityError) -> Response:
    """Answer a refusal of the domain or of the web."""
    return problem_response(type(error), error.detail, members=error.members)


def answer_database_fault(error: SQLAlchemyError) -> Response:
    """Answer what the database refused outside a unit of work."""
    from app.database_faults import as_refusal

    refusal = as_refusal(error)
    return refuse(refusal) if refusal is not None else answer_fault(error)


def answer_fault(error: Exception) -> Response:
    """Log a fault of ours under an incident number, and tell the caller nothing but that."""
    incident = secrets.token_hex(6)
    logger.error("incident %s", incident, exc_info=error, extra={"facts": {"incident": incident}})
    return problem_response(
        InternalFault,
        f"Something went wrong on our side. Please name incident {incident} when you ask.",
        members={"incident": incident},
    )


class ProblemSchema(ma.Schema):
    """A problem document (RFC 9457). Further members depend on the type."""

    class Meta:
        unknown = ma.INCLUDE

    type = ma.fields.String(
        required=True, metadata={"description": "Stable; what clients branch on."}
    )
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    instance = ma.fields.String(required=True)
    request_id = ma.fields.String(required=True)
    errors = ma.fields.Dict(metadata={"description": "Field names and what is wrong with each."})


class ProblemApi(Api):
    """flask-smorest, with problem documents for every error, labelled as such in the OpenAPI."""

    ERROR_SCHEMA = ProblemSchema
    spec: APISpec

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what the framework refuses."""
        if error.code is None or error.code < 400:
            return error.get_response()  # type: ignore[return-value]  # a redirect
        if error.code == HTTPStatus.INTERNAL_SERVER_ERROR:
            return answer_fault(getattr(error, "original_exception", None) or error)
        kind = _BY_HTTP_STATUS.get(error.code, WebRefusal)
        headers = {
            name: value
            for name, value in error.get_headers()
            if name.lower() in ("allow", "retry-after")
        }
        data = getattr(error, "data", None) or {}
        errors = data.get("errors") or data.get("messages")
        if kind is ValidationFailed:
            return problem_response(
                kind,
                "Some fields are not right; `errors` names them.",
                members={"errors": _flatten_location(errors)},
                headers=headers,
            )
        detail = error.description or "" if kind is not NotFound else "There is nothing here."
        return problem_response(kind, detail, headers=headers)

    def _register_error_handlers(self) -> None:
        super()._register_error_handlers()
        app: Flask = self._app
        app.register_error_handler(CommunityError, refuse)
        app.register_error_handler(SQLAlchemyError, answer_database_fault)
        app.register_error_handler(Exception, answer_fault)

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase}
            if status >= HTTPStatus.BAD_REQUEST:
                response["content"] = {PROBLEM_JSON: {"schema": self.ERROR_SCHEMA}}
            self.spec.components.response(status.name, response, lazy=True)
        self.spec.components.response(
            self.DEFAULT_ERROR_RESPONSE_NAME,
            {
                "description": "A refusal; its type is one of those listed under /problems.",
                "content": {PROBLEM_JSON: {"schema": self.ERROR_SCHEMA}},
            },
            lazy=True,
        )


def _flatten_location(errors: Any) -> Any:
    """Drop the outermost level, which only says where the fields were (json, query, …)."""
    if isinstance(errors, dict) and len(errors) == 1:
        inner = next(iter(errors.values()))
        return inner if isinstance(inner, dict) else {"body": inner}
    return errors


pages = Blueprint("problems", __name__)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head>
<body><h1>{{ title }}</h1><p>Status {{ status }}, type <code>{{ type }}</code></p>
<p>{{ meaning }}</p></body></html>
"""


@pages.get("/problems")
@public
def list_problems() -> dict[str, Any]:
    """All problem types."""
    return {"items": [_describe(kind) for kind in all_problems()]}


@pages.get("/problems/<code>")
@public
def show_problem(code: str) -> Response | str:
    """What one problem type means."""
    kind = next((kind for kind in all_problems() if kind.code == code), None)
    if kind is None:
        raise NotFound("There is no such problem type.")
    facts = _describe(kind)
    best = request.accept_mimetypes.best_match(["application/json", "text/html"])
    if best == "text/html":
        return render_template_string(_PAGE, **facts)
    return jsonify(facts)


def _describe(kind: type[CommunityError]) -> dict[str, Any]:
    return {
        "type": f"/problems/{kind.code}",
        "title": kind.title,
        "status": status_of(kind),
        "meaning": meaning_of(kind),
    }
