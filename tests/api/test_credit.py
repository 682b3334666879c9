"""Limits, approval and the lender's money over HTTP."""

import threading
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from community.members.principal import Role
from tests.api.people import Person, assert_problem, register
from tests.api.trust_village import Hamlet, make_hamlet, money
from tests.lending import NOW
from tests.trust_life import mark_overdue
from tests.village_life import found_village


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    app.extensions["clock"].fixed = NOW
    return make_hamlet(app)


def three_generations(hamlet: Hamlet) -> tuple[Person, Person, Person]:
    ana, ben, cai = hamlet.join("Ana", 100_00), hamlet.join("Ben", 5_00), hamlet.join("Cai", 50_00)
    hamlet.vouch(ana, ben, 130_00)
    hamlet.vouch(cai, ana, 80_00)
    return ana, ben, cai


def test_a_limit_is_an_object_that_says_why(hamlet: Hamlet) -> None:
    ana, ben, cai = three_generations(hamlet)
    answer = ben.get(hamlet.at(ben, "credit-limit"), raise_by="10.00", ceiling="true")
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["amount"] == money("135.00")
    assert body["binding"]["name"] == "trust"
    assert body["binding"]["rule"] == "leverage_bps"
    assert body["binding"]["source"]["kind"] == "charter"
    assert [item["name"] for item in body["constraints"]] == [
        "trust",
        "owed_per_member",
        "loan_cycle",
    ]
    assert [
        (path["standing_of"]["name"], [p["id"] for p in path["via"]], path["amount"]["amount"])
        for path in body["paths"]
    ] == [("Ben", [], "5.00"), ("Ana", [], "100.00"), ("Cai", [ana.public_id], "30.00")]
    assert {(item["kind"], item["member"]["name"]) for item in body["cut"]} == {
        ("promise", "Ana"),
        ("standing", "Ben"),
    }
    raised = {(item["kind"], item["member"]["id"]): item for item in body["raises"]}
    assert raised["promise", ana.public_id]["limit_gain"] == money("10.00")
    assert raised["promise", ana.public_id]["towards"]["id"] == ben.public_id
    assert body["ceiling"] == money("135.00")
    assert body["raise_by"] == money("10.00")
    assert cai.public_id


def test_a_ceiling_from_a_network_file_is_as_the_rows_are_now(hamlet: Hamlet, app: Flask) -> None:
    ana, ben, cai = three_generations(hamlet)
    asked = {"what_if_voucher": ana.public_id, "what_if_amount": "5.00"}

    def ceiling(person: Person, **more: str) -> tuple[Any, ...]:
        body = person.get(hamlet.at(person, "credit-limit"), ceiling="true", **more).get_json()
        told = body["ceiling_from"]
        return body["ceiling"]["amount"], told["kind"], told["read_again"]

    assert ceiling(ben) == ("135.00", "rows", 0)
    supposed = ceiling(ben, **asked)
    assert supposed == ("140.00", "rows", 0)

    runner = app.test_cli_runner()
    assert "No community has a network file." in runner.invoke(args=["networks", "show"]).stdout
    built = runner.invoke(args=["networks", "build"])
    assert built.exit_code == 0, built.output
    assert "2 promises" in built.stdout
    assert ceiling(ben) == ("135.00", "file", 0)
    assert ceiling(ben, **asked) == ("140.00", "file", 0)

    # Written after the file, and seen by the very next question.
    hamlet.vouch(cai, ben, 10_00)
    assert ceiling(ben) == ("145.00", "file", 1)
    dan = hamlet.join("Dan", 7_00)
    assert ceiling(dan) == ("7.00", "file", 2)
    shown = runner.invoke(args=["networks", "show"])
    assert "2 members written since, in place" in shown.stdout
    assert runner.invoke(args=["networks", "build", "--json"]).exit_code == 0
    assert ceiling(ben) == ("145.00", "file", 0)
    nowhere = runner.invoke(args=["networks", "build", "--community", "nowhere"])
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")


def test_a_product_is_named_in_the_question(hamlet: Hamlet) -> None:
    _, ben, _ = three_generations(hamlet)
    path = hamlet.at(ben, "credit-limit")
    product = hamlet.village.monthly.public_id
    body = ben.get(path, product=product).get_json()
    assert body["product"] == {"kind": "product", "owner": product, "version": 1}
    assert {"cover", "product"} <= {item["name"] for item in body["constraints"]}
    assert_problem(ben.get(path, product="prd_0000000000000000"), 404, "product-not-found")


def test_what_if_is_answered_about_those_one_has_to_do_with(hamlet: Hamlet) -> None:
    ana, ben, cai = three_generations(hamlet)
    path = hamlet.at(ben, "credit-limit")
    more = {"what_if_voucher": ana.public_id, "what_if_amount": "20.00"}
    body = ben.get(path, **more).get_json()
    assert body["amount"] == money("155.00")
    assert body["what_if"] == [
        {"voucher": {"id": ana.public_id, "name": "Ana"}, "amount": money("20.00")}
    ]
    # How much Cai could stand for is not Ben's to find out; an officer may ask.
    strange = {"what_if_voucher": cai.public_id, "what_if_amount": "20.00"}
    assert_problem(ben.get(path, **strange), 404, "what-if-not-known")
    assert hamlet.officer.get(path, **strange).get_json()["amount"] == money("155.00")
    nobody = {"what_if_voucher": "mem_0000000000000000", "what_if_amount": "20.00"}
    assert_problem(ben.get(path, **nobody), 404, "what-if-not-known")
    itself = {"what_if_voucher": ben.public_id, "what_if_amount": "20.00"}
    assert_problem(hamlet.officer.get(path, **itself), 404, "what-if-not-known")


@pytest.mark.parametrize(
    "query",
    [
        {"raise_by": "-1.00"},
        {"raise_by": "0.00"},
        {"raise_by": "1e5"},
        {"raise_by": "0.001"},
        {"raise_by": "99999999999999999"},
        {"what_if_amount": "5.00"},
        {"what_if_voucher": "mem_0000000000000000"},
        {"product": "prd_1"},
        {"ceiling": "perhaps"},
        {"surprise": "1"},
    ],
)
def test_wrong_questions_are_refused(hamlet: Hamlet, query: dict[str, str]) -> None:
    ana = hamlet.join("Ana")
    answer = ana.get(hamlet.at(ana, "credit-limit"), **query)
    assert answer.status_code == 422, answer.text
    assert answer.get_json(force=True)["type"] in (
        "/problems/validation",
        "/problems/invalid",
        "/problems/amount-out-of-range",
    )


def test_limits_are_for_the_member_and_for_officers(hamlet: Hamlet) -> None:
    ana, ben, _ = three_generations(hamlet)
    path = hamlet.at(ben, "credit-limit")
    assert_problem(ana.get(path), 404, "not-found")
    with hamlet.app.app_context():
        other = found_village(db.session(), "Elsewhere")
        db.session.commit()
    elsewhere = register(hamlet.app, "Officer elsewhere", roles=[(Role.OFFICER, other.id)])
    assert_problem(elsewhere.get(path), 404, "not-found")
    assert hamlet.officer.get(path).status_code == 200


def test_approval_reserves_and_is_done_once_per_key(hamlet: Hamlet) -> None:
    _, ben, _ = three_generations(hamlet)
    loan = hamlet.applied(ben, 100_00)
    path = f"/api/v1/loans/{loan}/approval"
    first = hamlet.officer.post(path, key="approval-0001")
    assert first.status_code == 201
    assert (first.get_json()["id"], first.get_json()["status"]) == (loan, "approved")
    again = hamlet.officer.post(path, key="approval-0001")
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert_problem(hamlet.officer.post(path), 409, "loan-step-not-allowed")
    assert ben.get(hamlet.at(ben, "credit-limit")).get_json()["amount"] == money("35.00")
    cover = ben.get(f"/api/v1/loans/{loan}/cover").get_json()
    assert cover["held"] == money("100.00")


def test_a_loan_above_the_limit_is_a_conflict_that_names_the_rule(hamlet: Hamlet) -> None:
    _, ben, _ = three_generations(hamlet)
    loan = hamlet.applied(ben, 135_01)
    problem = assert_problem(
        hamlet.officer.post(f"/api/v1/loans/{loan}/approval"), 409, "credit-limit-exceeded"
    )
    assert problem["limit"] == money("135.00")
    assert problem["asked"] == money("135.01")
    assert problem["binding"]["name"] == "trust"
    assert "stand behind you" in problem["remedy"]
    assert ben.get(f"/api/v1/loans/{loan}").get_json()["status"] == "endorsed"


def test_only_officers_approve_and_never_their_own(hamlet: Hamlet) -> None:
    ana, ben, _ = three_generations(hamlet)
    loan = hamlet.applied(ben, 10_00 * 10)
    path = f"/api/v1/loans/{loan}/approval"
    assert_problem(ben.post(path), 403, "not-allowed")
    assert_problem(hamlet.join("Dan").post(path), 404, "not-found")
    assert_problem(hamlet.officer.post(path, key=None), 422, "idempotency-key-invalid")
    assert_problem(
        hamlet.officer.post("/api/v1/loans/lon_0000000000000000/approval"), 404, "loan-not-found"
    )
    assert ana.public_id


def test_an_officer_does_not_decide_on_their_own_loan(hamlet: Hamlet) -> None:
    borrower = register(
        hamlet.app, "Officer Ben", roles=[(Role.OFFICER, hamlet.village.township.id)]
    )
    with hamlet.app.app_context():
        village = hamlet._village()
        village.join(hamlet._member(borrower))
        village.session.commit()
    loan = hamlet.applied(borrower, 100_00)
    path = f"/api/v1/loans/{loan}/approval"
    assert_problem(borrower.post(path), 403, "approver-involved")


def test_whoever_is_overdue_borrows_nothing(hamlet: Hamlet) -> None:
    _, ben, _ = three_generations(hamlet)
    with hamlet.app.app_context():
        village = hamlet._village()
        mark_overdue(village.session, hamlet._member(ben))
    body = ben.get(hamlet.at(ben, "credit-limit")).get_json()
    assert (body["amount"], body["binding"]["name"]) == (money("0.00"), "own_overdue")
    assert body["remedy"] == "Pay what is overdue."


def test_the_lenders_money_is_the_operators(hamlet: Hamlet) -> None:
    ana = hamlet.join("Ana")
    base = f"/api/v1/communities/{hamlet.community_id}"
    body = {"amount": money("1000.00"), "reference": "bank slip 4711"}
    for what in ("lending-pool", "reserve-fund"):
        path = f"{base}/{what}/deposits"
        funded = hamlet.operator.post(path, body)
        assert funded.status_code == 201
        assert funded.get_json()["balance"] == money("1000.00")
        assert_problem(hamlet.officer.post(path, body), 403, "not-allowed")
        assert_problem(ana.post(path, body), 403, "not-allowed")
        assert_problem(register(hamlet.app, "Stranger").post(path, body), 404, "not-found")
        wrong = body | {"amount": money("1.00", "USD")}
        assert_problem(hamlet.operator.post(path, wrong), 422, "currency-mismatch")


def test_concurrent_approvals_over_http_approve_exactly_what_fits(hamlet: Hamlet) -> None:
    backer = hamlet.join("Backer", 300_00)
    loans = []
    for number in range(10):
        borrower = hamlet.join(f"Borrower {number}")
        hamlet.vouch(backer, borrower, 100_00)
        loans.append(hamlet.applied(borrower, 100_00))
    answers: list[Any] = []
    gate = threading.Barrier(len(loans))

    def approve(loan: str) -> None:
        gate.wait(timeout=30)
        answers.append(hamlet.officer.post(f"/api/v1/loans/{loan}/approval"))

    threads = [threading.Thread(target=approve, args=(loan,)) for loan in loans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 3 + [409] * 7
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "credit-limit-exceeded")


def test_who_would_stand_behind_a_loan_is_who_stands_behind_it_once_approved(
    hamlet: Hamlet,
) -> None:
    ana, ben, cai = three_generations(hamlet)
    path = hamlet.at(ben, "cover-preview")
    product = hamlet.village.monthly.public_id
    # Own standing first, then one promise away, then two: 5 + 100 + 15.
    body = ben.get(path, product=product, amount="120.00").get_json()
    assert [
        (one["standing_of"]["name"], [via["name"] for via in one["via"]], one["amount"]["amount"])
        for one in body["paths"]
    ] == [("Ben", [], "5.00"), ("Ana", [], "100.00"), ("Cai", ["Ana"], "15.00")]
    assert (body["cover"], body["short"]) == (money("120.00"), money("0.00"))
    assert body["admitted"] is (float(body["limit"]["amount"]["amount"]) >= 120)
    # More than there is: what is there, and what is missing.
    more = ben.get(path, product=product, amount="150.00").get_json()
    assert (more["short"], more["admitted"]) == (money("15.00"), False)
    assert sum(float(one["amount"]["amount"]) for one in more["paths"]) == 135
    # Nobody else's to know.
    assert_problem(ana.get(path, product=product, amount="5.00"), 404, "not-found")
    assert_problem(cai.get(path, product=product, amount="5.00"), 404, "not-found")
    assert hamlet.officer.get(path, product=product, amount="5.00").status_code == 200
