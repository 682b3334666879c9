"""What is answered is what the OpenAPI document says, whichever test asked."""

import re
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app import create_app
from app.openapi import VERBS, complete
from app.problems import PROBLEM_JSON
from config.settings import Settings

API = "/api/v1"


@cache
def document() -> dict[str, Any]:
    """The document, made once: it needs no database."""
    return complete(create_app(Settings(database_url="sqlite://")))


@cache
def answers() -> dict[tuple[str, str], dict[str, frozenset[str]]]:
    """By verb and path: the statuses, and for those that refuse the problem types."""
    shared = document()["components"]["responses"]
    found: dict[tuple[str, str], dict[str, frozenset[str]]] = {}
    for path, methods in document()["paths"].items():
        for verb in VERBS:
            if verb in methods:
                found[verb, path] = {
                    status: _types(answer, shared)
                    for status, answer in methods[verb]["responses"].items()
                }
    return found


def _types(answer: dict[str, Any], shared: dict[str, Any]) -> frozenset[str]:
    if "$ref" not in answer:
        return frozenset()
    content = shared[answer["$ref"].rpartition("/")[2]]["content"].get(PROBLEM_JSON)
    # An address that is too long is answered by the server, which knows no problem types.
    return frozenset(content["schema"]["properties"]["type"]["enum"] if content else ())


def assert_documented(app: Flask, method: str, address: str, answer: TestResponse) -> None:
    """An answer's status, and its type if it is a problem, stand in the document."""
    path = address.partition("?")[0]
    if not path.startswith(API) or method == "HEAD":
        return
    try:
        rule, _ = app.url_map.bind("localhost").match(path, method, return_rule=True)
    except HTTPException:
        return
    where = method.lower(), re.sub(r"<(?:[^<>:]*:)?(\w+)>", r"{\1}", rule.rule)
    known = answers().get(where)
    if known is None:
        return
    assert str(answer.status_code) in known, (where, answer.status, answer.text[:300])
    if answer.mimetype == PROBLEM_JSON:
        kind = answer.get_json()["type"]
        assert kind in known[str(answer.status_code)], (where, kind)
