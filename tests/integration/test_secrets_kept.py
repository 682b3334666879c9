"""No secret reaches a log: put wherever a request can carry one, through refusals and faults."""

import json
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from community.engine import make_engine, session_factory
from community.members import service as members
from config.logging import masked
from tests.databases import make_tables
from tests.hamlet import Hamlet
from tests.serving import Served, gunicorn

# What a person would be sorry to find in a log, one for each place.
WORDS = (
    "hush-body-1",
    "hush-form-2",
    "hush-query-3",
    "hush-head-4",
    "hush-cookie-5",
    "hush-line-6",
)
PATHS = ("/api/v1/me", "/api/v1/members", "/api/v1/nowhere", "/healthz", "/api/v1/webhooks")
DAYS = timedelta(days=9)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Served, str, str]]:
    url = f"sqlite:///{tmp_path}/secrets.sqlite3"
    make_tables(url)
    engine = make_engine(url, durable=False)
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        _, token = hamlet.do(
            members.issue_token,
            member_id=hamlet.officer.id,
            label="x",
            lifetime=DAYS,
            lifetime_max=DAYS,
            now=hamlet.now,
        )
    engine.dispose()
    now = hamlet.now.isoformat()
    with gunicorn(url, tmp_path, workers=1, LOG_LEVEL="DEBUG", FIXED_NOW=now) as running:
        yield running, token, url


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as wire:
        wire.sendall(request)
        wire.shutdown(socket.SHUT_WR)
        found = b""
        while piece := wire.recv(65_536):
            found += piece
    return found


def requests(token: str) -> list[bytes]:
    """Requests of many shapes, right and wrong ones, with secrets in all their places."""
    body, form, query, head, cookie, line = WORDS
    found = []
    for method in ("GET", "POST", "PUT", "FROB"):
        for path in PATHS:
            for kind, content in (
                ("application/json", json.dumps({"name": "x", "password": body, body: body})),
                ("application/json", f'{{"password": "{body}", '),
                ("application/x-www-form-urlencoded", f"password={form}&token={form}"),
                ("text/plain", form),
            ):
                for auth in (f"Bearer {token}", f"Bearer {head}-not-a-token", f"Basic {head}"):
                    found.append(
                        f"{method} {path}?token={query}&api_key={quote(query)} HTTP/1.1\r\n"
                        f"Host: x\r\nConnection: close\r\nAuthorization: {auth}\r\n"
                        f"X-Api-Key: {head}\r\nX-Request-Id: {head}!\r\n"
                        f"Cookie: session={cookie}\r\n"
                        f"Idempotency-Key: {head}\r\nContent-Type: {kind}\r\n"
                        f"Content-Length: {len(content)}\r\n\r\n{content}"
                    )
    found += [
        # What the server itself refuses, before the application sees it.
        f"GET /{line} oops HTTP/1.1 more\r\nHost: x\r\n\r\n",
        f"GET /x?{line} HTTP/9.9\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nX-Api-Key {head}\r\n\r\n",
        f"GET / HTTP/1.1\r\nX-Api-Key : {head}\r\n\r\n",
        f"GET /{line * 500} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {line}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {line}\r\n\r\n",
    ]
    return [each.encode() for each in found]


def test_no_secret_reaches_the_log(served: tuple[Served, str, str]) -> None:
    running, token, url = served
    statuses = set()
    for request in requests(token):
        answer = raw(running.port, request)
        statuses.add(int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0)
    # And when everything fails: the table behind the token is gone.
    engine = make_engine(url, durable=False)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE api_tokens RENAME TO lost"))
    engine.dispose()
    for request in requests(token)[:24]:
        answer = raw(running.port, request)
        statuses.add(int(answer.split(b" ", 2)[1]))
    log = running.log.read_text()
    assert {200, 400, 401, 404, 405, 422, 500} <= statuses
    assert log.count('"status": 500') > 5
    assert "Traceback" in log
    for secret in (*WORDS, token, token[3:], "of no use outside"):
        assert secret not in log, [line for line in log.splitlines() if secret in line][:2]


@pytest.mark.parametrize(
    "said",
    [
        "postgresql://us:{}@db.example/lianbao failed",
        "postgresql://us:p@{}@db.example/lianbao failed",
        "connection to host=db.example password={} failed",
        "redis://:{}@db.example:6379/0",
        "GET /x?access_token={}&x=1",
        'a body of {{"password": "{}", "x": 1}}',
        "{{'client_secret': '{}'}}",
        "Authorization: Basic {}",
        "Authorization: Bearer {}",
        "a token lb_{}",
        "a secret whsec_{}",
        "Cookie: session={}",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        "DETAIL:  Failing row contains (7, {}, null).",
        "DETAIL:  Key (reference)=({}) already exists.",
    ],
)
def test_what_looks_like_a_secret_is_masked(said: str) -> None:
    assert "hush-hush-hush" not in masked(said.format("hush-hush-hush"))


def test_what_is_none_is_left_alone() -> None:
    for plain in (
        "12 tokens were issued",
        "the secret of a good harvest",
        "http://example.org/path",
        "no password: it is not needed",
    ):
        assert masked(plain) == plain
    assert re.fullmatch(r"https://\[hidden\]@x/y", masked("https://us:them@x/y"))
