"""What every request has to satisfy before a view sees it.

Text that no database can hold, bodies that are no JSON object, numbers beyond 64 bits: all of
it is refused here with its reason, so that no view has to think of it.
"""

import json
import math
import re
from typing import Any, NoReturn

from flask import Flask, Request, g, request
from webargs import core
from webargs.flaskparser import FlaskParser

from app.auth import API_PREFIX
from app.marks import current_view, mark_of
from app.problems import MalformedBody, UnsupportedMediaType, WebRefusal
from community.errors import NotFound

DEPTH_MAX = 20
_DIGITS_MAX = 18
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class StrictParser(FlaskParser):
    """Hands views the body that the intake has read, and knows every argument it hands over."""

    # None: the schema decides, and ours refuse what they do not know.
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": None}

    def _raw_load_json(self, req: Request) -> Any:
        return g.get("document", core.missing)


def init_app(app: Flask) -> None:
    """Check every request."""
    app.before_request(_check)


def read_document(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises MalformedBody with the reason."""
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_int=_whole_number,
            parse_float=_fraction,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise MalformedBody("The body is not UTF-8.") from None
    except RecursionError:
        raise MalformedBody(f"The body nests deeper than {DEPTH_MAX} levels.") from None
    except json.JSONDecodeError as error:
        raise MalformedBody(
            f"The body is not JSON: line {error.lineno}, column {error.colno}.",
            line=error.lineno,
            column=error.colno,
        ) from None
    if not isinstance(document, dict):
        raise MalformedBody("The body has to be a JSON object.")
    _walk(document, 1)
    return document


def _check() -> None:
    view = current_view()
    if view is None:
        return
    for value in (request.view_args or {}).values():
        if isinstance(value, str) and _UNSTORABLE.search(value):
            raise NotFound()
    for name, value in request.args.items(multi=True):
        if _UNSTORABLE.search(name + value):
            raise WebRefusal("A parameter has characters that cannot be stored.")
    if request.method not in _WITH_BODY or not request.path.startswith(API_PREFIX):
        return
    others = mark_of(view, "_media_types")
    if others is not None:
        if request.mimetype not in others:
            raise UnsupportedMediaType(f"Send {' or '.join(others)}.", accepts=list(others))
        return
    body = request.get_data(cache=True)
    if not body and not request.mimetype:
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Send application/json.", accepts=["application/json"])
    g.document = read_document(body)


def _walk(value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise MalformedBody(f"The body nests deeper than {DEPTH_MAX} levels.")
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise MalformedBody("A text has characters that cannot be stored.")
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(name, depth)
            _walk(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, depth + 1)


def _whole_number(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS_MAX:
        raise MalformedBody(f"Whole numbers have at most {_DIGITS_MAX} digits.")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise MalformedBody("A number is too large.")
    return value


def _no_number(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not a number in JSON.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            # Readers disagree about which one counts: nobody may rely on it.
            raise MalformedBody(f"The field {name!r} is there twice.")
        found[name] = value
    return found
