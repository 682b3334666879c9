"""Running loans over the API: settled early, taken back, charged, changed, restructured."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.people import assert_problem
from tests.api.world import World, make_world
from tests.reading import Reader


@pytest.fixture
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of one test's own: here things happen."""
    with make_world(template_url, tmp_path_factory.mktemp("servicing")) as made:
        yield made


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def read(world: World, path: str, who: str = "officer") -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def send(world: World, path: str, body: dict[str, Any] | None = None, who: str = "officer") -> Any:
    headers = {"Idempotency-Key": path.replace("/", ".").replace("@", "~")[-60:]}
    answer = world.call(who, "POST", path, json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.get_json()


def plan(loan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["due_on"], row["total"]["amount"]) for row in loan["schedule"]]


def test_a_borrower_sees_what_would_settle_their_loan_and_an_officer_settles_it(
    own_world: World,
) -> None:
    due = read(own_world, "/loans/@settling/payoff", "tycoon")
    # 12 of principal and a fee of 3; the loan bears no interest.
    assert (due["principal"], due["fee"], due["total"]) == (cny("12.00"), cny("3.00"), cny("15.00"))
    assert due["saved_interest"] == cny("0.00")
    receipt = send(own_world, "/loans/@settling/payoff", {"amount": due["total"]})
    assert (receipt["loan_status"], receipt["outstanding"]) == ("closed", cny("0.00"))
    assert (receipt["principal"], receipt["fee"]) == (cny("12.00"), cny("3.00"))


def test_a_receipt_that_is_taken_back_says_so_everywhere(own_world: World) -> None:
    before = read(own_world, "/loans/@current")
    back = send(own_world, "/receipts/@receipt/reversal", {"reason": "The cheque bounced"})
    assert (back["reversed_on"], back["reversed_reason"]) == ("2026-04-13", "The cheque bounced")
    after = read(own_world, "/loans/@current")
    owed = [int(loan["owed"]["total"]["amount"].replace(".", "")) for loan in (before, after)]
    assert owed[1] - owed[0] == 10_00
    [listed] = [row for row in after["repayments"] if row["id"] == back["id"]]
    assert listed["reversed_on"] == "2026-04-13"
    shown = read(own_world, "/receipts/@receipt", "wang")["loan"]
    assert (shown["reversed_on"], shown["reversed_reason"]) == ("2026-04-13", "The cheque bounced")
    told = {"en": "Taken back on 13\N{NO-BREAK SPACE}Apr 2026", "zh-CN": "已于 2026年4月13日 撤销"}
    for language, words in told.items():
        reader = Reader(own_world.app, language).sign_in(own_world.tokens["wang"])
        page = reader.open(f"/receipts/{own_world.ids['receipt']}")
        assert words in page.text
        assert "The cheque bounced" in page.text
    again = own_world.call(
        "officer",
        "POST",
        "/receipts/@receipt/reversal",
        json={"reason": "Once more"},
        headers={"Idempotency-Key": "take-it-back-again"},
    )
    assert_problem(again, 409, "receipt-reversed")


def test_money_of_an_earlier_day_is_entered_with_its_day(own_world: World) -> None:
    body = {"amount": cny("5.00"), "received_on": "2026-04-13"}
    receipt = send(own_world, "/loans/@current/repayments", body)
    assert receipt["received_on"] == "2026-04-13"
    early = own_world.call(
        "officer",
        "POST",
        "/loans/@current/repayments",
        json=body | {"received_on": "2026-04-01"},
        headers={"Idempotency-Key": "before-it-was-lent"},
    )
    problem = assert_problem(early, 422, "day-not-open")
    assert (problem["earliest_on"], problem["latest_on"]) == ("2026-04-13", "2026-04-13")


def test_a_charge_is_owed_until_it_is_waived(own_world: World) -> None:
    fee = {"kind": "fee", "amount": cny("4.00"), "reason": "a copy", "due_on": "2026-05-01"}
    charged = send(own_world, "/loans/@settling/charges", fee)
    [_, charge] = charged["charges"]
    assert (charge["reason"], charge["due_on"], charge["waived_on"]) == (
        "a copy",
        "2026-05-01",
        None,
    )
    assert charged["owed"]["fee"] == cny("7.00")
    waived = send(own_world, f"/charges/{charge['id']}/waiver", {"reason": "paid in kind"})
    assert waived["owed"]["fee"] == cny("3.00")
    assert waived["charges"][1]["waived_on"] == "2026-04-13"


def test_a_plan_is_changed_and_as_if_it_had_never_been(own_world: World) -> None:
    before = read(own_world, "/loans/@current")
    change = {
        "kind": "move",
        "reason": "the road is flooded",
        "from_on": "2026-05-01",
        "until_on": "2026-05-31",
        "days": 20,
    }
    changed = send(own_world, "/loans/@current/plan-changes", change)
    assert plan(changed) != plan(before)
    [row] = changed["plan_changes"]
    assert (row["kind"], row["parameters"]["days"], row["restructuring"]) == ("move", 20, False)
    undone = send(own_world, f"/plan-changes/{row['id']}/undoing", {"reason": "it was not"})
    assert plan(undone) == plan(before)
    assert undone["plan_changes"][0]["undone_reason"] == "it was not"


def test_a_restructured_loan_is_told_apart_and_limited_by_its_charter(own_world: World) -> None:
    change = {
        "kind": "reschedule",
        "reason": "the harvest failed",
        "restructuring": True,
        "from_due_on": "2026-05-01",
        "extra_instalments": 3,
    }
    loan = send(own_world, "/loans/@current/plan-changes", change)
    assert (loan["status"], loan["restructured_on"]) == ("restructured", "2026-04-13")
    assert len(loan["schedule"]) == 6
    at_risk = read(own_world, "/communities/@village/portfolio/par")["total"]["restructured"]
    assert (at_risk["loans"], at_risk["amount"]) == (1, loan["outstanding"])
    allowed = read(own_world, "/communities/@village/charter")["rules"]["restructures_max"]["value"]
    for extra in range(1, allowed):
        send(
            own_world,
            "/loans/@current/plan-changes",
            change | {"extra_instalments": extra, "reason": f"again, {extra}"},
        )
    refused = own_world.call("officer", "POST", "/loans/@current/plan-changes", json=change)
    assert_problem(refused, 409, "restructured-too-often")
