"""Savings over the cash desk, through HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.api.people import Person, assert_problem, register
from tests.api.village import Village, make_village


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


@pytest.fixture
def saver(village: Village) -> Person:
    return village.settle("Li Wei")


def cny(amount: str) -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "CNY"}}


def free(village: Village, saver: Person) -> str:
    body = saver.get(f"{village.place(saver)}/savings").get_json()
    amount: str = body["free"]["amount"]
    return amount


def test_money_in_money_out_and_a_statement(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/savings"
    paid = village.officer.post(f"{path}/deposits", cny("120.50") | {"reference": "slip 7"})
    assert paid.status_code == 201, paid.text
    receipt = paid.get_json()
    assert (receipt["kind"], receipt["amount"]["amount"]) == ("deposit", "120.50")
    out = village.officer.post(f"{path}/withdrawals", cny("20.01"))
    assert out.status_code == 201
    assert saver.get(path).get_json() == {
        "community": village.public_id,
        "member": saver.public_id,
        "free": {"amount": "100.49", "currency": "CNY"},
        "held": {"amount": "0.00", "currency": "CNY"},
        "available": {"amount": "100.49", "currency": "CNY"},
        "stake": {"amount": "0.00", "currency": "CNY"},
        "total": {"amount": "100.49", "currency": "CNY"},
    }
    first = saver.get(f"{path}/movements", limit=1).get_json()
    rest = saver.get(f"{path}/movements", cursor=first["next_cursor"]).get_json()
    kinds = [item["kind"] for page in (first, rest) for item in page["items"]]
    assert kinds == ["withdrawal", "deposit"]
    everywhere = saver.get(f"/api/v1/members/{saver.public_id}/savings").get_json()
    assert [item["total"]["amount"] for item in everywhere["items"]] == ["100.49"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "validation"),
        ({"amount": "5.00"}, "validation"),
        ({"amount": {"amount": 5, "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "5.001", "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "-5.00", "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "0.00", "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "1e3", "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "9" * 15, "currency": "CNY"}}, "validation"),
        ({"amount": {"amount": "5.00", "currency": "XXX"}}, "validation"),
        ({"amount": {"amount": "5.00", "currency": "USD"}}, "currency-mismatch"),
        (cny("5.00") | {"on": "2020-01-01"}, "validation"),
        (cny("5.00") | {"reference": "x" * 81}, "validation"),
    ],
)
@pytest.mark.parametrize("verb", ["deposits", "withdrawals"])
def test_odd_money_moves_nothing(
    village: Village, saver: Person, verb: str, body: dict[str, Any], code: str
) -> None:
    path = f"{village.place(saver)}/savings"
    assert_problem(village.officer.post(f"{path}/{verb}", body), 422, code)
    assert saver.get(f"{path}/movements").get_json()["items"] == []


def test_no_more_goes_out_than_is_there(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/savings"
    village.officer.post(f"{path}/deposits", cny("5.00"))
    refused = village.officer.post(f"{path}/withdrawals", cny("5.01"))
    assert_problem(refused, 409, "insufficient-funds")
    assert free(village, saver) == "5.00"


def test_the_same_slip_is_booked_once(village: Village, saver: Person) -> None:
    path, slip = f"{village.place(saver)}/savings/deposits", cny("5.00") | {"reference": "7"}
    assert village.officer.post(path, slip).status_code == 201
    assert_problem(village.officer.post(path, slip), 409, "receipt-exists")


def test_a_key_moves_money_once(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/savings/deposits"
    assert_problem(
        village.officer.post(path, cny("5.00"), key=None), 422, "idempotency-key-invalid"
    )
    answers = [village.officer.post(path, cny("5.00"), key="the-same-key") for _ in range(2)]
    assert answers[0].get_json() == answers[1].get_json()
    other = village.officer.post(path, cny("6.00"), key="the-same-key")
    assert_problem(other, 409, "idempotency-mismatch")
    assert free(village, saver) == "5.00"


@pytest.mark.parametrize("verb", ["deposits", "withdrawals"])
def test_a_key_sent_twice_at_the_same_time_moves_money_once(
    village: Village, saver: Person, verb: str
) -> None:
    path = f"{village.place(saver)}/savings"
    village.officer.post(f"{path}/deposits", cny("10.00"))
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: village.officer.post(f"{path}/{verb}", cny("1.00"), key="one-key-1"),
                range(4),
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.get_json()["id"] for answer in answers}) == 1
    assert free(village, saver) == {"deposits": "11.00", "withdrawals": "9.00"}[verb]


def test_savings_at_the_same_time_all_count(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/savings"
    village.officer.post(f"{path}/deposits", cny("3.00"))
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: village.officer.post(f"{path}/withdrawals", cny("1.00")), range(6))
        )
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201, 201, 201, 409, 409, 409]
    assert free(village, saver) == "0.00"


def test_who_may_touch_and_who_may_see_savings(app: Flask, village: Village, saver: Person) -> None:
    neighbour, elsewhere = village.settle(), make_village(app, "Beihu")
    path = f"{village.place(saver)}/savings"
    assert_problem(saver.post(f"{path}/deposits", cny("5.00")), 403, "not-allowed")
    assert_problem(village.auditor.post(f"{path}/deposits", cny("5.00")), 403, "not-allowed")
    for stranger in (neighbour, elsewhere.officer, elsewhere.auditor):
        assert_problem(stranger.post(f"{path}/deposits", cny("5.00")), 404, "not-found")
        assert_problem(stranger.get(path), 404, "not-found")
        assert_problem(stranger.get(f"{path}/movements"), 404, "not-found")
    for reader in (saver, village.officer, village.operator, village.auditor):
        assert reader.get(path).status_code == 200
        assert reader.get(f"{path}/movements").status_code == 200


def test_an_officer_of_one_community_does_not_see_the_money_in_another(
    app: Flask, village: Village, saver: Person
) -> None:
    circle = make_village(app, "Weavers")
    circle.take_in(saver)
    circle.officer.post(f"{circle.place(saver)}/savings/deposits", cny("5.00"))
    listed = village.officer.get(f"/api/v1/members/{saver.public_id}/savings").get_json()["items"]
    assert [item["community"] for item in listed] == [village.public_id]
    seen = village.officer.get(f"{circle.place(saver)}/savings")
    assert_problem(seen, 404, "not-found")


def test_who_is_not_in_the_community_saves_nothing_there(app: Flask, village: Village) -> None:
    stranger = register(app)
    path = f"{village.place(stranger)}/savings/deposits"
    assert_problem(village.officer.post(path, cny("5.00")), 404, "membership-not-found")
    stranger.post(f"{village.path}/members", {})
    assert_problem(village.officer.post(path, cny("5.00")), 409, "not-an-active-member")
