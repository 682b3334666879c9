"""The OpenAPI document as it is served: what the routes say of themselves, completed.

Marshmallow and the marks of views give paths, schemas and permissions. Here every operation gets
the problem types that it can answer by status, an example of each body, and the headers of its
answers. Which refusals a route can raise stands in `refusals.json`, read from the code by
`tools/refusals.py`; what every request can meet is decided by the rules below.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask

from app.examples import example_of
from app.problems import PROBLEM_JSON, all_problems, meaning_of, status_of
from app.webhooks import described
from community.errors import CommunityError

VERBS = ("get", "post", "put", "patch", "delete")
_REFUSALS = Path(__file__).with_name("refusals.json")

Operation = dict[str, Any]

_HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "The version of what is answered with: If-Match of the next change.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9]{1,18}"$'},
        "example": '"3"',
    },
    "RequestId": {
        "description": "The request's number in the log; one that you send is kept.",
        "required": True,
        "schema": {"type": "string"},
        "example": "0b58410b12bb8464",
    },
    "RetryAfter": {
        "description": "After how many seconds to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "2",
    },
    "WWWAuthenticate": {
        "description": "How to say who you are.",
        "required": True,
        "schema": {"type": "string"},
        "example": 'Bearer realm="lianbao", error="invalid_token"',
    },
}


def complete(app: Flask) -> dict[str, Any]:
    """The whole document."""
    document: dict[str, Any] = deepcopy(app.extensions["api"].spec.to_dict())
    document["info"] |= {
        "summary": "Lending inside communities, on the trust that people already have.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    document["servers"] = [{"url": "/", "description": "The server that this came from."}]
    components = document["components"]
    components["headers"] = _HEADERS
    moneys: dict[str, dict[str, Any]] = {}
    document["paths"] = _name_money(document["paths"], moneys)
    components["schemas"] = _name_money(components["schemas"], moneys) | moneys
    document["webhooks"] = described.webhooks()
    refusals = _Refusals()
    known: dict[str, dict[str, Any]] = json.loads(_REFUSALS.read_text())
    for verb, places, operation in operations(document):
        facts = known.get(operation["operationId"], {})
        codes = frozenset(facts.get("refusals", ())) | _by_rule(verb, places, operation)
        answers = {
            status: answer for status, answer in operation["responses"].items() if status[0] in "23"
        }
        for answer in answers.values():
            _add_headers(answer, etag=bool(facts.get("etag")))
        operation["responses"] = answers | refusals.by_status(codes)
        if any(given["in"] == "query" for given in operation.get("parameters", [])):
            operation["responses"]["414"] = {"$ref": "#/components/responses/ADDRESS_TOO_LONG"}
        _loosen_body(operation, components["schemas"])
        _add_examples(places, operation, components["schemas"])
    components["responses"] = refusals.components | {"ADDRESS_TOO_LONG": _ADDRESS_TOO_LONG}
    components["examples"] = refusals.examples
    return document


# The server refuses it before there is a request that the platform could answer.
_ADDRESS_TOO_LONG: dict[str, Any] = {
    "description": "The address with its query is longer than 4,000 bytes.",
    "content": {
        "text/html": {
            "schema": {"type": "string"},
            "example": "<html><head><title>Request-URI Too Long</title></head></html>",
        }
    },
}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, list[Any], Operation]]:
    """Verb, the path's own parameters and the operation, of all there are."""
    for path in document["paths"].values():
        for verb in VERBS:
            if verb in path:
                yield verb, path.get("parameters", []), path[verb]


def _name_money(value: Any, moneys: dict[str, dict[str, Any]]) -> Any:
    """The same with one named schema for all amounts, instead of one at each place."""
    if isinstance(value, list):
        return [_name_money(inner, moneys) for inner in value]
    if not isinstance(value, dict):
        return value
    properties = value.get("properties")
    if not isinstance(properties, dict) or properties.keys() != {"amount", "currency"}:
        return {name: _name_money(inner, moneys) for name, inner in value.items()}
    kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
    name = "SignedMoney" if "-" in properties["amount"]["pattern"][:3] else "Money"
    moneys[name] = {
        "type": "object",
        "description": "An amount and its currency.",
        **{part: value[part] for part in ("required", "additionalProperties", "properties")},
        "example": value["example"],
    }
    beside = {part: value[part] for part in ("description", "default") if part in value}
    reference = {"$ref": f"#/components/schemas/{name}"}
    if "null" in kinds:
        return {"anyOf": [reference, {"type": "null"}], **beside}
    return reference | beside


def _loosen_body(operation: Operation, schemas: dict[str, Any]) -> None:
    """A body of which everything may be left out may be left out."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        if schema.get("type") == "object" and not schema.get("required"):
            operation["requestBody"]["required"] = False


def _by_rule(verb: str, places: list[Any], operation: Operation) -> frozenset[str]:
    """What every request of this kind can meet."""
    # A text in the address that nobody can store; a fault of ours; a database that is away.
    codes = {"bad-request", "internal", "unavailable", "too-many-requests"}
    parameters = operation.get("parameters", [])
    if operation.get("security") != []:
        codes |= {"bad-token", "token-expired", "token-revoked", "scope-missing"}
    if places:
        codes.add("not-found")
    if any(place.get("schema", {}).get("type") == "integer" for place in places):
        codes.add("invalid")  # a number that no database can hold
    if verb != "get":
        # Any body is read and looked at, wanted or not; and the database has the last word.
        codes |= {"malformed-body", "body-too-large", "unsupported-media-type"}
        codes |= {"conflict", "invalid", "changed-meanwhile"}
    if "requestBody" in operation or any(given["in"] == "query" for given in parameters):
        codes.add("validation")
    if any(given["name"] == "If-Match" for given in parameters):
        codes |= {"precondition-failed", "precondition-required"}
    return frozenset(codes)


class _Refusals:
    """Answers that refuse: one component for each status and set of problem types that occurs."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self.examples: dict[str, dict[str, Any]] = {}
        self._names: dict[tuple[int, tuple[str, ...]], str] = {}
        self._kinds: dict[str, type[CommunityError]] = {kind.code: kind for kind in all_problems()}

    def by_status(self, codes: frozenset[str]) -> dict[str, dict[str, str]]:
        """References to the answers, by status."""
        grouped: dict[int, list[str]] = {}
        for code in sorted(codes):
            grouped.setdefault(status_of(self._kinds[code]), []).append(code)
        return {
            str(status): {"$ref": f"#/components/responses/{self._name(status, tuple(found))}"}
            for status, found in sorted(grouped.items())
        }

    def _name(self, status: int, codes: tuple[str, ...]) -> str:
        name = self._names.get((status, codes))
        if name is None:
            number = 1 + sum(1 for other, _ in self._names if other == status)
            name = self._names[status, codes] = f"{HTTPStatus(status).name}_{number}"
            self.components[name] = self._answer(status, codes)
            self.examples |= {code: self._example(code) for code in codes}
        return name

    def _answer(self, status: int, codes: tuple[str, ...]) -> dict[str, Any]:
        lines = [f"- `{code}`: {self._kinds[code].title}." for code in codes]
        answer: dict[str, Any] = {
            "description": "\n".join([f"{HTTPStatus(status).phrase}.", "", *lines]),
            "content": {
                PROBLEM_JSON: {
                    "schema": {
                        "$ref": "#/components/schemas/Problem",
                        "properties": {
                            "type": {"enum": [f"/problems/{code}" for code in codes]},
                            "status": {"const": status},
                        },
                    },
                    "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
                }
            },
        }
        _add_headers(answer)
        if status == HTTPStatus.UNAUTHORIZED:
            answer["headers"]["WWW-Authenticate"] = _header("WWWAuthenticate")
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            answer["headers"]["Retry-After"] = _header("RetryAfter")
        return answer

    def _example(self, code: str) -> dict[str, Any]:
        kind = self._kinds[code]
        value: dict[str, Any] = {
            "type": f"/problems/{code}",
            "title": kind.title,
            "status": status_of(kind),
            "detail": meaning_of(kind) or kind.title,
            "instance": "/api/v1/…",
            "request_id": "0b58410b12bb8464",
        }
        if code == "validation":
            value["errors"] = {"purpose": ["Missing data for required field."]}
        return {"value": value}


def _add_headers(answer: dict[str, Any], *, etag: bool = False) -> None:
    headers = answer.setdefault("headers", {})
    headers["X-Request-Id"] = _header("RequestId")
    if etag:
        headers["ETag"] = _header("ETag")


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _add_examples(places: list[Any], operation: Operation, schemas: dict[str, Any]) -> None:
    """An example for every place and parameter and for every body that is JSON or a table."""
    for parameter in (*places, *operation.get("parameters", [])):
        if not {"example", "examples"} & parameter.keys():
            parameter["example"] = example_of(
                parameter["schema"], schemas, name=parameter["name"], lean=True
            )
    bodies = [(True, operation.get("requestBody", {}))]
    bodies += [(False, answer) for answer in operation["responses"].values()]
    for is_request, body in bodies:
        for media_type, content in body.get("content", {}).items():
            if {"example", "examples"} & content.keys() or media_type.startswith("image/"):
                continue
            content["example"] = example_of(
                content["schema"], schemas, name=media_type, lean=is_request
            )
