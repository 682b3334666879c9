"""A shared credit line over HTTP, from its opening to its closing."""

from typing import Any

import pytest
from flask import Flask

from tests.api.people import Person, assert_problem
from tests.api.trust_village import Hamlet, make_hamlet, money
from tests.lending import NOW

WHY = {"reason": "so it was decided"}


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    app.extensions["clock"].fixed = NOW
    return make_hamlet(app)


def opened(hamlet: Hamlet, *people: Person) -> dict[str, Any]:
    """A line of 1,000.00 with 600.00 for each, from the day of the test."""
    answer = hamlet.officer.post(
        f"/api/v1/communities/{hamlet.community_id}/credit-lines",
        {
            "name": "Seed money",
            "limit": money("1000.00"),
            "from_on": "2027-03-25",
            "until_on": "2028-03-24",
            "sub_limits": [
                {"member": person.public_id, "limit": money("600.00")} for person in people
            ],
            **WHY,
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == f'"{1 + len(people)}"'
    body: dict[str, Any] = answer.get_json()
    return body


def asked(hamlet: Hamlet, who: Person, line: str, amount: str) -> str:
    answer = who.post(
        "/api/v1/loans",
        {
            "community": hamlet.community_id,
            "product": hamlet.village.monthly.public_id,
            "principal": money(amount),
            "instalments": 3,
            "purpose": "seed",
            "credit_line": line,
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.get_json()["credit_line"] == line
    loan: str = answer.get_json()["id"]
    return loan


def test_a_line_is_drawn_on_and_each_sees_their_own(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 2_000_00), hamlet.join("Ben", 2_000_00)
    line = opened(hamlet, ana, ben)
    path = f"/api/v1/credit-lines/{line['id']}"
    loan = asked(hamlet, ana, line["id"], "500.00")
    approval = hamlet.officer.post(f"/api/v1/loans/{loan}/approval")
    assert approval.status_code == 201, approval.text

    seen = ben.get(path).get_json()
    assert (seen["used"], seen["headroom"]) == (money("500.00"), money("500.00"))
    assert [item["member"]["name"] for item in seen["sub_limits"]] == ["Ben"]
    assert seen["sub_limits"][0]["headroom"] == money("600.00")
    assert ben.get(path + "/draws").get_json()["items"] == []
    [own] = ana.get(path + "/draws").get_json()["items"]
    assert (own["loan"], own["takes"]) == (loan, money("500.00"))

    everything = hamlet.officer.get(path).get_json()
    assert {
        item["member"]["name"]: item["used"]["amount"] for item in everything["sub_limits"]
    } == {
        "Ana": "500.00",
        "Ben": "0.00",
    }
    [listed] = ben.get(f"/api/v1/communities/{hamlet.community_id}/credit-lines").get_json()[
        "items"
    ]
    assert (listed["id"], listed["group"], listed["status"]) == (line["id"], None, "active")

    limit = ben.get(hamlet.at(ben, "credit-limit"), credit_line=line["id"]).get_json()
    assert limit["amount"] == money("500.00")
    assert limit["binding"]["name"] == "shared_line"
    assert limit["binding"]["source"] == {"kind": "credit_line", "owner": line["id"], "version": 3}
    # Ana has 100.00 left of her sub-limit.
    too_much = asked(hamlet, ana, line["id"], "100.01")
    refusal = hamlet.officer.post(f"/api/v1/loans/{too_much}/approval")
    assert_problem(refusal, 409, "credit-limit-exceeded")
    problem = refusal.get_json(force=True)
    assert problem["limit"] == money("100.00")
    assert problem["binding"]["detail"]["line"] == line["id"]
    assert problem["binding"]["detail"]["sub_limit_headroom_minor"] == 100_00


def test_a_line_is_changed_with_a_reason(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana", 2_000_00)
    line = opened(hamlet, ana)
    path, officer = f"/api/v1/credit-lines/{line['id']}", hamlet.officer
    body = {"limit": money("900.00"), **WHY}
    assert_problem(officer.patch(path, body), 428, "precondition-required")
    assert_problem(officer.patch(path, body, etag='"1"'), 412, "precondition-failed")
    changed = officer.patch(path, body, etag='"2"')
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"3"')
    assert changed.get_json()["limit"] == money("900.00")
    smaller = officer.put(f"{path}/sub-limits/{ana.public_id}", {"limit": money("500.00"), **WHY})
    assert smaller.get_json()["sub_limits"][0]["limit"] == money("500.00")
    raised = officer.post(
        f"{path}/raises", {"by": money("100.00"), "until_on": "2027-04-05", **WHY}
    ).get_json()
    assert (raised["limit_in_force"], raised["raised_by"]) == (money("1000.00"), money("100.00"))
    assert raised["raised_until_on"] == "2027-04-05"
    assert officer.post(f"{path}/suspension", WHY).get_json()["status"] == "suspended"
    assert officer.post(f"{path}/resumption", WHY).get_json()["status"] == "active"
    assert officer.post(f"{path}/closure", WHY).get_json()["status"] == "closed"
    history = ana.get(f"{path}/history").get_json()["items"]
    assert [(item["number"], item["kind"]) for item in history] == [
        (1, "opened"),
        (2, "sub_limit"),
        (3, "limit"),
        (4, "sub_limit"),
        (5, "raise"),
        (6, "suspended"),
        (7, "resumed"),
        (8, "closed"),
    ]
    assert history[2]["before"] == money("1000.00")
    assert {item["by"]["name"] for item in history} == {"Officer"}
    assert {item["reason"] for item in history} == {WHY["reason"]}


def test_a_member_does_not_see_what_is_changed_of_others(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 1_000_00), hamlet.join("Ben")
    line = opened(hamlet, ana, ben)
    history = ben.get(f"/api/v1/credit-lines/{line['id']}/history").get_json()["items"]
    assert [item["member"] and item["member"]["name"] for item in history] == [None, "Ben"]
