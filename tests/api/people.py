"""People who call the API in tests."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.clock import now
from app.extensions import db
from app.transaction import run_unit
from community.members.models import MemberKind
from community.members.principal import Role
from community.members.service import SCOPES, grant_role, issue_token, register_member
from tests.api.documented import assert_documented


@dataclass
class Person:
    """A member with a token. Calls return the response; bodies are JSON objects."""

    app: Flask
    member_id: int
    public_id: str
    token: str

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.call("GET", path, query_string=query)

    def post(
        self,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = "",
        etag: str | None = None,
    ) -> TestResponse:
        """POST; `key` is the Idempotency-Key: a new one by default, none if None."""
        headers = {} if key is None else {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.call("POST", path, json=body, headers=headers | _if_match(etag))

    def put(
        self, path: str, body: dict[str, Any] | None = None, *, etag: str | None = None
    ) -> TestResponse:
        return self.call("PUT", path, json=body, headers=_if_match(etag))

    def patch(
        self, path: str, body: dict[str, Any] | None = None, *, etag: str | None = None
    ) -> TestResponse:
        return self.call("PATCH", path, json=body, headers=_if_match(etag))

    def delete(self, path: str, *, etag: str | None = None) -> TestResponse:
        return self.call("DELETE", path, headers=_if_match(etag))

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", None) or {})
        headers.setdefault("Authorization", f"Bearer {self.token}")
        # A client of its own each time: threads may call at once.
        client: FlaskClient = self.app.test_client()
        answer = client.open(path, method=method, headers=headers, **options)
        assert_documented(self.app, method, path, answer)
        return answer


def register(
    app: Flask,
    name: str = "Wang Fang",
    *,
    roles: Sequence[tuple[Role, int | None]] = (),
    scopes: frozenset[str] = SCOPES,
    lifetime: timedelta = timedelta(days=1),
) -> Person:
    """Enter a member with roles (each with its community's id, None: everywhere) and a token."""

    def work(session: Session) -> Person:
        member = register_member(session, kind=MemberKind.PERSON, name=name, now=now())
        for role, community_id in roles:
            grant_role(
                session, member_id=member.id, role=role, community_id=community_id, now=now()
            )
        _, secret = issue_token(
            session,
            member_id=member.id,
            label="test",
            lifetime=lifetime,
            lifetime_max=timedelta(days=400),
            now=now(),
            scopes=scopes,
        )
        return Person(app, member.id, member.public_id, secret)

    with app.app_context():
        return run_unit(db.session(), work)


def assert_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The response is this problem, in the one shape that all problems have."""
    assert (response.status_code, response.content_type) == (
        status,
        "application/problem+json",
    ), response.text
    body: dict[str, Any] = response.get_json(force=True)
    assert body["type"] == f"/problems/{code}", body
    assert body["status"] == status
    assert {"title", "detail", "instance", "request_id"} <= body.keys()
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"If-Match": etag}
