"""Webhooks over HTTP: the secret is shown once, and what could not be delivered is looked after."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.clock import now
from app.extensions import db
from app.transaction import run_unit
from community.ledger.events import record_event
from community.webhooks import queries, service
from tests.api.people import assert_problem
from tests.api.village import Village, make_village

pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
WEBHOOKS = "/api/v1/webhooks"
URL = "https://bank.example/hooks"


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


def ask(village: Village, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = village.operator.call(method, path, **({} if body is None else {"json": body}))
    assert answer.status_code == status, answer.text
    return answer.get_json()


def make_webhook(village: Village, *kinds: str) -> Any:
    body = {"url": URL, "kinds": kinds, "community": village.public_id}
    return ask(village, "POST", WEBHOOKS, body, 201)


def test_a_webhook_from_its_secret_to_its_end(village: Village) -> None:
    made = make_webhook(village, "loan.*", "call.issued")
    assert made["secret"].startswith("whsec_")
    assert (made["state"], made["community"]) == ("active", village.public_id)
    path = f"{WEBHOOKS}/{made['id']}"
    listed = ask(village, "GET", WEBHOOKS)["items"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert "secret" not in str([listed, ask(village, "GET", path)])
    renewed = ask(village, "POST", f"{path}/secret")
    assert renewed["secret"] != made["secret"]
    for state in ("paused", "active", "ended"):
        shown = ask(village, "POST", f"{path}/state", {"state": state, "reason": "a trial"})
        assert shown["state"] == state
        assert shown["reason"] == ("" if state == "active" else "a trial")
    assert shown["ended_at"] is not None
    back = village.operator.call("POST", f"{path}/state", json={"state": "active"})
    assert_problem(back, 409, "webhook-ended")
    assert_problem(village.operator.call("POST", f"{path}/secret"), 409, "webhook-ended")


def test_what_was_given_up_is_found_and_sent_anew(app: Flask, village: Village) -> None:
    made = make_webhook(village, "case.opened")
    path = f"{WEBHOOKS}/{made['id']}"
    with app.app_context():
        give_up_one_of_two(db.session(), village.community_id, made["id"])
    before = ask(village, "GET", path)
    assert (before["dead"], before["waiting"], before["delivered"]) == (1, 1, 0)
    (dead,) = ask(village, "GET", f"{path}/deliveries?state=dead")["items"]
    assert (dead["fault"], dead["last_status"], dead["attempts"]) == ("500", 500, 1)
    anew = f"/api/v1/webhook-deliveries/{dead['id']}/redelivery"
    waiting = ask(village, "POST", anew)
    assert (waiting["state"], waiting["attempts"]) == ("waiting", 0)
    assert_problem(village.operator.call("POST", anew), 409, "delivery-not-dead")
    after = ask(village, "GET", path)
    assert (after["dead"], after["waiting"]) == (0, 2)


def give_up_one_of_two(session: Session, community_id: int, webhook: str) -> None:
    when = now()
    once = service.Retries(1, timedelta(seconds=1), timedelta(seconds=1))

    def open_cases(session: Session) -> None:
        for subject in ("cas_0000000000000001", "cas_0000000000000002"):
            record_event(
                session,
                community_id=community_id,
                kind="case.opened",
                subject=subject,
                actor_id=None,
                now=when,
                facts={},
            )

    run_unit(session, open_cases)
    webhook_id = queries.get_webhook(session, webhook).id
    run_unit(session, service.fan_out, webhook_id=webhook_id, now=when, limit=9)
    lease = timedelta(minutes=1)
    parcel = run_unit(session, service.take, worker="us", lease=lease, now=when, retries=once)
    assert parcel is not None
    run_unit(
        session,
        service.settle,
        delivery_id=parcel.delivery_id,
        worker="us",
        result=service.Result(500, "500"),
        now=when,
        retries=once,
    )
