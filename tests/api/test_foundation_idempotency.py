"""Once means once: repeated, changed and simultaneous requests with one key."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.extensions import db
from community.idempotency import IdempotencyKey
from tests.api.people import Person, assert_problem
from tests.api.probe import add_probe, count_households

PATH = "/api/v1/probe/payments"
BODY = {"amount": {"amount": "120.50", "currency": "CNY"}, "note": "seed"}
KEY = "a-key-of-the-caller"


@pytest.fixture
def features() -> list[str]:
    """The foundation stands alone."""
    return []


def payments(app: Flask) -> int:
    with app.app_context():
        return count_households(db.session)


def keys(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0


def test_a_repeated_request_gets_the_first_answer_and_takes_effect_once(
    app: Flask, member: Person
) -> None:
    add_probe(app)
    first = member.post(PATH, BODY, key=KEY)
    again = member.post(PATH, BODY, key=KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.data == again.data
    assert first.get_json()["id"].startswith("hh_")
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert payments(app) == 1


def test_the_same_meaning_in_other_spelling_is_the_same_request(app: Flask, member: Person) -> None:
    add_probe(app)
    first = member.post(PATH, BODY, key=KEY)
    spelled = '{ "note":"seed",  "amount": {"currency":"CNY","amount":"120.50"} }'
    again = member.call(
        "POST",
        PATH,
        data=spelled,
        content_type="application/json",
        headers={"Idempotency-Key": KEY},
    )
    assert again.data == first.data
    assert payments(app) == 1


def test_a_used_key_is_refused_for_another_body_or_another_route(
    app: Flask, member: Person
) -> None:
    add_probe(app)
    assert member.post(PATH, BODY, key=KEY).status_code == 201
    other_body = member.post(PATH, BODY | {"note": "other"}, key=KEY)
    assert_problem(other_body, 409, "idempotency-mismatch")
    other_path = f"/api/v1/probe/members/{member.public_id}/payments"
    assert_problem(member.post(other_path, BODY, key=KEY), 409, "idempotency-mismatch")
    assert payments(app) == 1


def test_a_key_belongs_to_its_caller(
    app: Flask, member: Person, person: Callable[..., Person]
) -> None:
    add_probe(app)
    other = person("Li Wei")
    mine = member.post(PATH, BODY, key=KEY)
    theirs = other.post(PATH, BODY, key=KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in theirs.headers
    assert payments(app) == 2
    assert member.post(PATH, BODY, key=KEY).data == mine.data
    assert other.post(PATH, BODY, key=KEY).data == theirs.data
    assert mine.data != theirs.data


def test_a_refusal_keeps_nothing_so_the_key_stays_free(app: Flask, member: Person) -> None:
    add_probe(app)
    refused = member.post(PATH, BODY | {"note": "refuse"}, key=KEY)
    assert_problem(refused, 422, "invalid")
    crashed = member.post(PATH, BODY | {"note": "crash"}, key=KEY)
    assert "secret" not in str(assert_problem(crashed, 500, "internal"))
    assert (payments(app), keys(app)) == (0, 0)
    assert member.post(PATH, BODY, key=KEY).status_code == 201


def test_moving_money_needs_a_well_formed_key(app: Flask, member: Person) -> None:
    add_probe(app)
    for key in (None, "short", "x" * 81, "spaces are bad", "é" * 10):
        refused = member.post(PATH, BODY, key=key)
        problem = assert_problem(refused, 422, "idempotency-key-invalid")
        assert problem["header"] == "Idempotency-Key"
    assert payments(app) == 0


def together(calls: list[Callable[[], TestResponse]]) -> list[TestResponse]:
    """Make calls in threads that start at the same moment."""
    barrier = threading.Barrier(len(calls))
    answers: dict[int, TestResponse] = {}

    def run(number: int, call: Callable[[], TestResponse]) -> None:
        barrier.wait(timeout=10)
        answers[number] = call()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return [answers[number] for number in range(len(calls))]


def test_many_requests_with_one_key_at_the_same_moment_take_effect_once(
    app: Flask, member: Person
) -> None:
    add_probe(app)
    answers = together([lambda: member.post(PATH, BODY, key=KEY)] * 6)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    replayed = [answer for answer in answers if "Idempotency-Replayed" in answer.headers]
    assert len(replayed) == 5
    assert (payments(app), keys(app)) == (1, 1)


def test_a_second_request_waits_while_the_first_is_under_way(app: Flask, member: Person) -> None:
    first_inside, second_sent = threading.Event(), threading.Event()

    def inside() -> None:
        first_inside.set()
        assert second_sent.wait(timeout=10)

    add_probe(app, inside)

    def second() -> TestResponse:
        assert first_inside.wait(timeout=10)
        second_sent.set()
        return member.post(PATH, BODY, key=KEY)

    first_answer, second_answer = together([lambda: member.post(PATH, BODY, key=KEY), second])
    assert (first_answer.status_code, second_answer.status_code) == (201, 201)
    assert second_answer.headers["Idempotency-Replayed"] == "true"
    assert payments(app) == 1


def test_a_second_request_takes_over_when_the_first_fails(app: Flask, member: Person) -> None:
    first_inside, second_sent = threading.Event(), threading.Event()

    def inside() -> None:
        if first_inside.is_set():
            return
        first_inside.set()
        assert second_sent.wait(timeout=10)
        raise ZeroDivisionError

    add_probe(app, inside)

    def second() -> TestResponse:
        assert first_inside.wait(timeout=10)
        second_sent.set()
        return member.post(PATH, BODY, key=KEY)

    first_answer, second_answer = together([lambda: member.post(PATH, BODY, key=KEY), second])
    assert_problem(first_answer, 500, "internal")
    assert second_answer.status_code == 201
    assert "Idempotency-Replayed" not in second_answer.headers
    assert payments(app) == 1


def test_different_keys_at_the_same_moment_all_take_effect(app: Flask, member: Person) -> None:
    add_probe(app)
    bodies = [BODY | {"note": f"number {number}"} for number in range(6)]

    def call(body: dict[str, Any]) -> Callable[[], TestResponse]:
        return lambda: member.post(PATH, body)

    answers = together([call(body) for body in bodies])
    assert [answer.status_code for answer in answers] == [201] * 6
    assert payments(app) == 6
