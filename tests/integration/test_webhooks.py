"""Webhooks, sent to a receiver that listens, fails, dawdles, and is gone."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from sqlalchemy import Engine, select, update

from app import create_app
from app.extensions import db
from app.transaction import run_unit
from app.webhooks import described
from app.webhooks.sending import sealer
from app.webhooks.work import tell
from community.engine import session_factory
from community.verification import verify
from community.webhooks import service
from community.webhooks.addresses import Rules, is_allowed
from community.webhooks.kinds import KINDS
from community.webhooks.models import (
    DeliveryState,
    WebhookCursor,
    WebhookDelivery,
    WebhookState,
    WebhookSubscription,
)
from community.webhooks.signing import Sealer
from config.settings import ROOT, Settings
from tests.hamlet import Hamlet
from tests.keys import ENVIRON, KEYS

SECRET = "of no use outside of this test suite"
ANYWHERE = Rules(http=True, private=True)
on_sqlite = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
Answer = Callable[[BaseHTTPRequestHandler], None]


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def dawdle(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then, for as long as somebody listens."""
    try:
        while True:
            handler.wfile.write(b"H")
            handler.wfile.flush()
            threading.Event().wait(0.2)
    except OSError:
        pass


@dataclass
class Receiver:
    """What came in, and what is to be answered: 204 when nothing else is."""

    url: str = ""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.came]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.came.append(({k.lower(): v for k, v in self.headers.items()}, body))
            (found.answers.pop(0) if found.answers else status(204))(self)

        def do_GET(self) -> None:
            found.elsewhere.append(self.path)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}/hooks?of=us"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Place:
    """A hamlet whose news are told."""

    app: Flask
    hamlet: Hamlet
    webhook: int = 0
    secret: str = ""

    def subscribe(self, url: str, *kinds: str) -> None:
        with self.app.app_context():
            made, self.secret = self.hamlet.do(
                service.subscribe,
                community_id=self.hamlet.community.id,
                url=url,
                kinds=kinds,
                rules=ANYWHERE,
                sealer=sealer(),
                now=self.hamlet.now,
                actor_id=None,
            )
        self.webhook = made.id

    def tell(self, *, after: timedelta = timedelta()) -> int:
        clock = self.app.extensions["clock"]
        clock.fixed = max(clock.fixed + after, self.hamlet.now)
        with self.app.app_context():
            done = tell(db.session())
            db.session.remove()
        self.hamlet.session.rollback()
        self.hamlet.session.expire_all()
        return done

    def deliveries(self, state: DeliveryState | None = None) -> list[WebhookDelivery]:
        rows = self.hamlet.session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id))
        return [row for row in rows if state in (None, row.state)]


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Iterator[Place]:
    with session_factory(engine)() as session:
        hamlet = Hamlet(session)
        hamlet.fund(1_000)
        hamlet.person("ben")
        hamlet.person("uma", stake=100)
        hamlet.vouch("uma", "ben", 100)
        app = create_app(
            Settings(
                database_url=engine.url.render_as_string(hide_password=False),
                database_durable=False,
                log_level="ERROR",
                secret_key=SECRET,
                var_dir=tmp_path,
                fixed_now=hamlet.now,
                webhook_http=True,
                webhook_private_addresses=True,
                webhook_attempts=6,
                webhook_timeout_seconds=1,
                **KEYS,
            )
        )
        yield Place(app, hamlet)
    with app.app_context():
        db.engine.dispose()


def test_a_loans_life_is_told_in_order_signed_and_without_its_people(
    place: Place, receiver: Receiver
) -> None:
    """On both databases: what is read of a book, and how deliveries are leased, is theirs."""
    place.hamlet.lend("ben", 20)  # before anybody listened
    place.subscribe(receiver.url, "loan.*", "call.*")
    loan = place.hamlet.lend("ben", 60)
    place.hamlet.repay(loan, 25)
    place.hamlet.wait(60, loan)
    assert place.tell() > 0
    told = receiver.told
    of_loan = [each["type"] for each in told if each["data"]["subject"] == loan.public_id]
    assert of_loan == [
        "loan.draft",
        "loan.submitted",
        "loan.endorsed",
        "loan.approved",
        "loan.cover_reserved",
        "loan.disbursed",
        "loan.current",
        "loan.repaid",
        "loan.paid_from_stake",
        "loan.overdue",
        "loan.called",
        "loan.closed",
    ]
    assert [each["type"] for each in told if each["type"].startswith("call.")] == ["call.issued"]
    seqs = [each["data"]["seq"] for each in told]
    assert seqs == sorted(set(seqs))
    key = base64.b64decode(place.secret.removeprefix("whsec_"))
    for headers, body in receiver.came:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{mac}"
        document = json.loads(body)
        assert document["id"] == headers["webhook-id"]
        # As the OpenAPI document promises: the body by its kind, and each header.
        promised = described.webhooks()[document["type"]]["post"]
        for content in promised["requestBody"]["content"].values():
            Draft202012Validator(content["schema"]).validate(document)
        for given in promised["parameters"]:
            Draft202012Validator(given["schema"]).validate(headers[given["name"]])
        # Ids, the kind and instants: no name, no amount, nobody who did it.
        assert set(document) == {"id", "type", "timestamp", "data"}
        assert set(document["data"]) == {"subject", "community", "seq"}
        assert document["data"]["community"] == place.hamlet.community.public_id
    assert {each.state for each in place.deliveries()} == {DeliveryState.DELIVERED}
    assert place.tell() == 0
    assert verify(place.hamlet.session).breaches == ()
    # What is sealed says nothing of the secret.
    sealed = place.hamlet.session.scalars(select(WebhookSubscription.secret_sealed)).one()
    assert place.secret.removeprefix("whsec_") not in sealed
    # The verifier sees a delivery of what is in no book, and a book read past its end.
    session = place.hamlet.session
    session.execute(update(WebhookDelivery).values(kind="loan.imagined"))
    session.execute(update(WebhookCursor).values(after_seq=10**6))
    tables = {breach.table for breach in verify(session).breaches}
    session.rollback()
    assert tables == {"webhook_deliveries", "webhook_cursors"}


def test_two_workers_share_what_is_due_and_keep_the_order(place: Place) -> None:
    place.subscribe("http://127.0.0.1:9/", "loan.*")
    for _ in range(2):
        place.hamlet.apply("ben", 10)
    now = place.hamlet.now
    retries = service.Retries(5, timedelta(seconds=1), timedelta(seconds=9))
    given: dict[str, Any] = {"lease": timedelta(minutes=1), "now": now, "retries": retries}
    session = place.hamlet.session
    run_unit(session, service.fan_out, webhook_id=place.webhook, now=now, limit=100)
    with session_factory(session.get_bind())() as other:
        first = run_unit(session, service.take, worker="a", **given)
        second = run_unit(other, service.take, worker="b", **given)
        assert first is not None
        assert second is not None
        # Each has the beginning of one loan's life; what follows waits for it.
        assert {each.document["type"] for each in (first, second)} == {"loan.draft"}
        assert run_unit(other, service.take, worker="b", **given) is None
        # Whose lease ran out is not believed any more.
        given["now"] = now + timedelta(minutes=2)
        again = run_unit(other, service.take, worker="c", **given)
        assert again is not None
        taken = next(p for p in (first, second) if p.delivery_id == again.delivery_id)
        settle: dict[str, Any] = {"delivery_id": taken.delivery_id, "now": now, "retries": retries}
        result = service.Result(200)
        late = {"a": first, "b": second}
        name = next(name for name, parcel in late.items() if parcel is taken)
        assert not run_unit(session, service.settle, worker=name, result=result, **settle)
        assert run_unit(other, service.settle, worker="c", result=result, **settle)


@on_sqlite
def test_what_fails_is_tried_again_ever_later(place: Place, receiver: Receiver) -> None:
    place.subscribe(receiver.url, "loan.*")
    receiver.answers = [
        status(500),
        status(302, Location="/elsewhere"),
        hang_up,
        dawdle,
        status(503),
        status(200),
    ]
    place.hamlet.apply("ben", 10)
    waits, faults = [], []
    after = timedelta()
    while not place.deliveries(DeliveryState.DELIVERED):
        place.tell(after=after)
        first = place.deliveries()[0]
        if first.next_at is not None:
            after = first.next_at - place.app.extensions["clock"].fixed
            waits.append(after.total_seconds())
            faults.append(first.fault)
    assert waits == [15, 30, 60, 120, 240]
    assert faults[:2] == ["500: not taken", "302: redirects are not followed"]
    assert faults[2].startswith("the connection failed")
    assert faults[3:] == ["the receiver did not answer in time", "503: not taken"]
    assert receiver.elsewhere == []
    # It was the same delivery each time, and nothing of that loan was told before it.
    ids = [headers["webhook-id"] for headers, _ in receiver.came]
    assert len(set(ids[:6])) == 1
    assert len({body for _, body in receiver.came[:6]}) == 1
    assert place.deliveries()[0].attempts == 6


@on_sqlite
def test_what_nobody_takes_is_given_up_and_can_be_sent_anew(
    place: Place, receiver: Receiver
) -> None:
    place.subscribe(receiver.url, "loan.draft")
    receiver.answers = [status(500)] * 6
    place.hamlet.apply("ben", 10)
    for _ in range(6):
        place.tell(after=timedelta(days=1))
    (dead,) = place.deliveries(DeliveryState.DEAD)
    assert (dead.attempts, dead.fault, dead.last_status) == (6, "500: not taken", 500)
    place.tell(after=timedelta(days=9))
    assert len(receiver.came) == 6
    place.hamlet.do(service.redeliver, delivery_id=dead.id, now=place.hamlet.now)
    place.tell()
    assert len(place.deliveries(DeliveryState.DELIVERED)) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1


@on_sqlite
def test_a_receiver_that_is_gone_is_left_alone_until_somebody_says_so(
    place: Place, receiver: Receiver
) -> None:
    place.subscribe(receiver.url, "loan.*")
    receiver.answers = [status(410)]
    place.hamlet.apply("ben", 10)
    place.tell()
    webhook = place.hamlet.session.get_one(WebhookSubscription, place.webhook)
    assert webhook.state is WebhookState.PAUSED
    assert "410" in webhook.reason
    place.hamlet.apply("ben", 10)
    assert place.tell(after=timedelta(days=1)) == 0
    assert len(receiver.came) == 1
    state: dict[str, Any] = {"webhook_id": place.webhook, "now": place.hamlet.now}
    for to in (WebhookState.ACTIVE, WebhookState.ENDED):
        place.hamlet.do(service.set_state, **state, state=to, reason="x", actor_id=None)
        place.tell()
        place.hamlet.apply("ben", 5)
    # From where it stopped: nothing of the pause is lost; and nothing after its end.
    types = [each["type"] for each in receiver.told]
    assert (types.count("loan.draft"), types.count("loan.endorsed")) == (2, 2)
    assert place.tell() == 0


@on_sqlite
def test_a_worker_killed_while_it_sends_is_followed_by_another(
    place: Place, receiver: Receiver, tmp_path: Path, engine: Engine
) -> None:
    place.subscribe(receiver.url, "loan.draft")
    place.hamlet.apply("ben", 10)
    arrived, killed = threading.Event(), threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        killed.wait()

    receiver.answers = [hold]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        **ENVIRON,
        "DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "VAR_DIR": str(tmp_path),
        "SECRET_KEY": SECRET,
        "FIXED_NOW": place.hamlet.now.isoformat(),
        "WEBHOOK_HTTP": "1",
        "WEBHOOK_PRIVATE_ADDRESSES": "1",
        "WEBHOOK_TIMEOUT_SECONDS": "60",
    }
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--once"]
    with subprocess.Popen([*command, "--only", "webhooks"], cwd=ROOT, env=environment) as process:
        try:
            assert arrived.wait(100)
        finally:
            process.send_signal(signal.SIGKILL)
    killed.set()
    place.tell()
    assert len(receiver.came) == 1, "its lease counts still"
    place.tell(after=timedelta(minutes=4))
    assert [headers["webhook-id"] for headers, _ in receiver.came] == [
        place.deliveries(DeliveryState.DELIVERED)[0].public_id
    ] * 2


@on_sqlite
def test_nothing_is_sent_where_it_must_not_go(place: Place, receiver: Receiver) -> None:
    port = receiver.url.partition("127.0.0.1:")[2]
    place.subscribe(f"http://localhost:{port}", "loan.draft")
    place.hamlet.apply("ben", 10)
    settings = place.app.extensions["settings"]
    # A name that leads inside, found out when it is looked up for sending.
    place.app.extensions["settings"] = replace(settings, webhook_private_addresses=False)
    place.hamlet.session.execute(
        update(WebhookSubscription).values(url=f"http://localhost.localdomain:{port}")
    )
    place.hamlet.session.commit()
    place.tell()
    (waiting,) = place.deliveries()
    assert waiting.fault in (
        "url: leads into a private network, to which nothing is sent.",
        "the receiver's name was not found",
    )
    # And a secret that no key opens any more is no reason to send without a signature.
    place.app.extensions["settings"] = replace(settings, webhook_keys="another key " * 4)
    place.tell(after=timedelta(days=1))
    assert place.deliveries()[0].fault == "no key of WEBHOOK_KEYS opens the secret; renew it"
    assert receiver.came == []


def test_addresses_inside_are_known_however_they_are_written() -> None:
    inside = ("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "::1", "fc00::1")
    never = ("169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::", "255.255.255.255")
    hidden = ("64:ff9b::a00:1", "2002:a00:1::", "::ffff:169.254.169.254")
    for address in inside:
        assert (is_allowed(address, Rules()), is_allowed(address, ANYWHERE)) == (False, True)
    assert not is_allowed("::ffff:10.0.0.1", Rules())
    for address in (*never, *hidden):
        assert not is_allowed(address, ANYWHERE), address
    for address in ("8.8.8.8", "2606:4700::1111"):
        assert is_allowed(address, Rules())


def test_keys_are_changed_without_losing_what_they_sealed() -> None:
    old, new = "an old key, as long as it has to be", "a new key, as long as it has to be"
    sealed = Sealer([old]).seal("whsec_x")
    assert Sealer([new, old]).open(sealed) == "whsec_x"
    assert Sealer([new]).open(Sealer([new, old]).seal("whsec_x")) == "whsec_x"


def test_every_kind_that_is_recorded_can_be_asked_for_or_is_kept_back() -> None:
    """Texts such as "loan.approved" in the domain, outside of what lists them all."""
    families = {kind.partition(".")[0] for kind in KINDS}
    kept_back = {"case.reports_read"}
    written = set()
    for room in ("loans", "guarantees", "monitoring", "credit", "seasons", "servicing"):
        for file in (ROOT / "community" / room).glob("*.py"):
            for kind in re.findall(r'"([a-z_]+\.[a-z_]+)"', file.read_text()):
                written |= {kind} if kind.partition(".")[0] in families else set()
    assert written - set(KINDS) <= kept_back
    assert written & kept_back == kept_back
