"""The way of a joint-liability group, through HTTP."""

from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from app.clock import Clock
from tests.api.people import Person, assert_problem, register
from tests.api.village import Village, make_village

CAP = 2000


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


def cny(yuan: int) -> dict[str, str]:
    return {"amount": f"{yuan}.00", "currency": "CNY"}


def terms(village: Village, **changes: Any) -> dict[str, Any]:
    clock: Clock = village.app.extensions["clock"]
    end: date = clock.today() + timedelta(days=300)
    return {
        "name": "Third brigade",
        "pair_cap": cny(CAP),
        "vouch_expires_on": end.isoformat(),
    } | changes


def form(village: Village, founder: Person, **changes: Any) -> str:
    made = founder.post(f"{village.path}/groups", terms(village, **changes))
    assert made.status_code == 201, made.text
    return f"/api/v1/groups/{made.get_json()['id']}"


def gather(village: Village, size: int = 5) -> tuple[str, list[Person]]:
    people = [village.settle(f"Member {number}") for number in range(size)]
    group = form(village, people[0])
    for person in people[1:]:
        invited = people[0].post(f"{group}/invitations", {"member": person.public_id})
        assert invited.status_code == 201, invited.text
        assert person.put(f"{group}/invitation", {"accept": True}).status_code == 200
    for person in people:
        voted = person.put(f"{group}/vote", {"candidate": people[0].public_id})
        assert voted.status_code == 200, voted.text
    return group, people


def answers_to(questionnaire: dict[str, Any], **wrong: Any) -> dict[str, Any]:
    """What somebody writes who reads the questions and knows the cap and the names."""
    answers = []
    for question in questionnaire["questions"]:
        name, text = question["id"], question["text"]["en"]
        if name in wrong:
            answers.append({"question": name} | wrong[name])
        elif name == "exposure_all":
            answers.append({"question": name, "money": cny(CAP * 4)})
        elif name == "exposure_one":
            answers.append({"question": name, "money": cny(CAP)})
        elif name == "exposure_some":
            answers.append({"question": name, "money": cny(CAP * text.count("Member "))})
        else:
            choice = {"promise_ends": "no", "own_loan_on_top": "yes"}[name]
            answers.append({"question": name, "choice": choice})
    return {"agreement_hash": questionnaire["agreement_hash"], "answers": answers}


def understand(group: str, person: Person) -> str:
    asked = person.get(f"{group}/understanding").get_json()
    answered = person.post(f"{group}/understanding", answers_to(asked))
    assert answered.get_json()["passed"] is True, answered.text
    digest: str = asked["agreement_hash"]
    return digest


def sign_all(village: Village) -> tuple[str, list[Person]]:
    group, people = gather(village)
    assert people[0].post(f"{group}/agreement").status_code == 201
    for person in people:
        body = {"agreement_hash": understand(group, person)}
        signed = person.post(f"{group}/signature", body)
        assert signed.status_code == 201, signed.text
    return group, people


def test_a_group_from_the_first_invitation_until_it_binds(village: Village) -> None:
    # Tokens live for a day in these tests, so the days of thinking again are none.
    short = make_village(village.app, "Beihu", cooling_off_days=0)
    group, people = sign_all(short)
    cooling = people[1].get(group).get_json()
    assert cooling["status"] == "cooling_off"
    assert [m["exposure"] for m in cooling["members"]] == [cny(CAP * 4)] * 5
    assert_problem(people[1].post(f"{group}/activation"), 403, "not-allowed")
    active = people[0].post(f"{group}/activation")
    assert (active.status_code, active.get_json()["status"]) == (200, "active"), active.text
    assert_problem(people[1].post(f"{group}/step-back"), 409, "group-step-not-allowed")
    listed = people[2].get("/api/v1/me/groups").get_json()["items"]
    assert [item["status"] for item in listed] == ["active"]


def test_nothing_binds_while_it_cools_off(village: Village) -> None:
    group, people = sign_all(village)
    assert_problem(people[0].post(f"{group}/activation"), 409, "still-cooling-off")
    back = people[3].post(f"{group}/step-back")
    assert (back.status_code, back.get_json()["status"]) == (200, "forming")
    seen = people[0].get(group).get_json()
    assert [(m["status"], m["signed_at"]) for m in seen["members"]] == [("accepted", None)] * 4
    # Whoever left does not see it any more.
    assert_problem(people[3].get(group), 404, "not-found")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"pair_cap": cny(20_001)}, 422, "cap-too-high"),
        ({"pair_cap": {"amount": "1.00", "currency": "USD"}}, 422, "currency-mismatch"),
        ({"pair_cap": cny(0)}, 422, "validation"),
        ({"pair_cap": {"amount": "-1.00", "currency": "CNY"}}, 422, "validation"),
        ({"vouch_expires_on": "2026-01-01"}, 422, "promise-term"),
        ({"vouch_expires_on": "2100-01-01"}, 422, "promise-term"),
        ({"vouch_expires_on": "2027-02-30"}, 422, "validation"),
        ({"name": ""}, 422, "validation"),
        ({"leader": "mem_0000000000000000"}, 422, "validation"),
    ],
)
def test_odd_terms_form_no_group(
    village: Village, changes: dict[str, Any], status: int, code: str
) -> None:
    founder = village.settle()
    made = founder.post(f"{village.path}/groups", terms(village, **changes))
    assert_problem(made, status, code)
    assert founder.get("/api/v1/me/groups").get_json()["items"] == []


def test_a_group_is_formed_by_active_members(app: Flask, village: Village) -> None:
    stranger, founder = register(app), village.settle()
    body = terms(village)
    assert_problem(stranger.post(f"{village.path}/groups", body), 404, "not-found")
    assert_problem(village.officer.post(f"{village.path}/groups", body), 403, "not-allowed")
    village.officer.post(f"{village.place(founder)}/suspension", {"reason": "x"})
    refused = founder.post(f"{village.path}/groups", body)
    assert_problem(refused, 409, "not-an-active-member")


def test_a_group_is_seen_by_those_in_it_and_those_who_look_after_it(
    app: Flask, village: Village
) -> None:
    founder, invited, neighbour = village.settle(), village.settle(), village.settle()
    group = form(village, founder)
    assert_problem(invited.get(group), 404, "not-found")
    founder.post(f"{group}/invitations", {"member": invited.public_id})
    for reader in (founder, invited, village.officer, village.auditor, village.operator):
        assert reader.get(group).status_code == 200
    other = make_village(app, "Beihu")
    for stranger in (neighbour, other.officer, other.auditor):
        assert_problem(stranger.get(group), 404, "not-found")
        assert_problem(stranger.post(f"{group}/activation"), 404, "not-found")
    listed = village.officer.get(f"{village.path}/groups", status="forming").get_json()["items"]
    assert [item["name"] for item in listed] == ["Third brigade"]
    assert_problem(neighbour.get(f"{village.path}/groups"), 403, "not-allowed")
    assert_problem(founder.get("/api/v1/groups/grp_0000000000000000"), 404, "group-not-found")


def test_invitations_tell_nothing_about_strangers(app: Flask, village: Village) -> None:
    founder, foreign = village.settle(), make_village(app, "Beihu").settle()
    suspended = village.settle()
    village.officer.post(f"{village.place(suspended)}/suspension", {"reason": "x"})
    group = form(village, founder)
    nobody = "mem_0000000000000000"
    for member in (foreign.public_id, suspended.public_id, nobody):
        refused = founder.post(f"{group}/invitations", {"member": member})
        assert_problem(refused, 404, "member-not-found")


def test_an_invitation_is_answered_by_the_invited_once(village: Village) -> None:
    founder, friend, neighbour = village.settle(), village.settle(), village.settle()
    group = form(village, founder)
    founder.post(f"{group}/invitations", {"member": friend.public_id})
    again = founder.post(f"{group}/invitations", {"member": friend.public_id})
    assert_problem(again, 409, "already-in-group")
    assert_problem(neighbour.put(f"{group}/invitation", {"accept": True}), 404, "not-found")
    assert_problem(founder.put(f"{group}/invitation", {"accept": True}), 409, "not-invited")
    assert_problem(friend.put(f"{group}/invitation", {"accept": "yes"}), 422, "validation")
    # Who is only invited cannot invite others or vote.
    asked = friend.post(f"{group}/invitations", {"member": neighbour.public_id})
    assert_problem(asked, 403, "not-allowed")
    voted = friend.put(f"{group}/vote", {"candidate": founder.public_id})
    assert_problem(voted, 403, "not-allowed")
    assert friend.put(f"{group}/invitation", {"accept": False}).status_code == 200
    assert_problem(friend.get(group), 404, "not-found")


def test_a_member_stands_in_one_group_of_a_community(village: Village) -> None:
    founder, friend = village.settle(), village.settle()
    first, _ = form(village, founder), form(village, friend)
    refused = founder.post(f"{village.path}/groups", terms(village))
    assert_problem(refused, 409, "in-another-group")
    founder.post(f"{first}/invitations", {"member": friend.public_id})
    refused = friend.put(f"{first}/invitation", {"accept": True})
    assert_problem(refused, 409, "in-another-group")


def test_votes_are_secret_and_for_members(village: Village) -> None:
    group, people = gather(village)
    seen = people[1].get(group).get_json()
    assert seen["leader"] == {"id": people[0].public_id, "name": "Member 0"}
    assert seen["my_vote"] == people[0].public_id
    assert "vote" not in str(seen["members"])
    outsider = village.settle()
    voted = people[1].put(f"{group}/vote", {"candidate": outsider.public_id})
    assert_problem(voted, 422, "not-a-candidate")


def test_terms_change_on_the_version_that_was_read_by_leader_or_founder(village: Village) -> None:
    group, people = gather(village)
    etag = people[0].get(group).headers["ETag"]
    body = {"pair_cap": cny(500)}
    assert_problem(people[1].patch(group, body, etag=etag), 403, "not-allowed")
    assert_problem(people[0].patch(group, body), 428, "precondition-required")
    changed = people[0].patch(group, body, etag=etag)
    assert changed.get_json()["pair_cap"] == cny(500)
    assert_problem(people[0].patch(group, body, etag=etag), 412, "precondition-failed")
    assert_problem(people[0].patch(group, {}, etag=etag), 422, "validation")


def test_an_agreement_needs_a_leader_and_enough_members(village: Village) -> None:
    group, people = gather(village, 4)
    assert_problem(people[1].post(f"{group}/agreement"), 403, "not-allowed")
    assert_problem(people[0].get(f"{group}/agreement"), 409, "group-step-not-allowed")
    assert_problem(people[0].get(f"{group}/understanding"), 409, "group-step-not-allowed")
    refused = assert_problem(people[0].post(f"{group}/agreement"), 409, "group-size")
    assert (refused["size"], refused["size_min"]) == (4, 5)


def test_the_agreement_is_read_in_two_languages(village: Village) -> None:
    group, people = gather(village)
    people[0].post(f"{group}/agreement")
    agreement = people[3].get(f"{group}/agreement").get_json()
    assert "8,000.00 元" in agreement["text"]["zh-CN"]
    assert "CNY 8,000.00" in agreement["text"]["en"]
    assert len(agreement["facts"]["members"]) == 5
    assert agreement["agreement_hash"] == people[1].get(group).get_json()["agreement_hash"]
    late = village.settle()
    refused = people[0].post(f"{group}/invitations", {"member": late.public_id})
    assert_problem(refused, 409, "group-step-not-allowed")
    reopened = people[0].delete(f"{group}/agreement")
    assert (reopened.status_code, reopened.get_json()["status"]) == (200, "forming")


def test_nobody_signs_what_they_have_not_understood(village: Village) -> None:
    group, people = gather(village)
    people[0].post(f"{group}/agreement")
    person = people[2]
    asked = person.get(f"{group}/understanding").get_json()
    assert "expected" not in str(asked)
    signature = {"agreement_hash": asked["agreement_hash"]}
    assert_problem(person.post(f"{group}/signature", signature), 409, "not-understood")
    wrong = answers_to(asked, exposure_all={"money": cny(CAP)})
    answered = person.post(f"{group}/understanding", wrong).get_json()
    assert answered["passed"] is False
    (verdict,) = [v for v in answered["verdicts"] if not v["right"]]
    assert verdict["question"] == "exposure_all"
    assert "CNY 8,000.00" in verdict["explanation"]["en"]
    assert answered["again"]["attempt"] == 1
    assert_problem(person.post(f"{group}/signature", signature), 409, "not-understood")
    again = person.post(f"{group}/understanding", answers_to(answered["again"])).get_json()
    assert (again["passed"], again["again"]) == (True, None)
    assert person.post(f"{group}/signature", signature).status_code == 201
    assert_problem(person.post(f"{group}/signature", signature), 409, "already-signed")
    other = {"agreement_hash": "0" * 64}
    assert_problem(people[3].post(f"{group}/signature", other), 409, "agreement-changed")


@pytest.mark.parametrize(
    "answers",
    [
        [],
        "all",
        [{"question": "exposure_all"}],
        [{"question": "exposure_all", "money": cny(1), "choice": "yes"}],
        [{"question": "promise_ends", "choice": "maybe"}],
        [{"question": "exposure_all", "money": 8000}],
        [{"question": "promise_ends", "choice": "no"}] * 2,
        [{"question": f"q{n}", "choice": "no"} for n in range(21)],
    ],
)
def test_odd_answers_are_not_a_try(village: Village, answers: Any) -> None:
    group, people = gather(village)
    digest = people[0].post(f"{group}/agreement").get_json()["agreement_hash"]
    body = {"agreement_hash": digest, "answers": answers}
    assert_problem(people[1].post(f"{group}/understanding", body), 422, "validation")
    assert people[1].get(f"{group}/understanding").get_json()["attempt"] == 0


def test_understanding_and_signing_are_for_the_member_alone(village: Village) -> None:
    group, people = gather(village)
    digest = people[0].post(f"{group}/agreement").get_json()["agreement_hash"]
    for other in (village.officer, village.operator, village.auditor):
        assert_problem(other.get(f"{group}/understanding"), 403, "not-allowed")
        signed = other.post(f"{group}/signature", {"agreement_hash": digest})
        assert_problem(signed, 403, "not-allowed")
    assert people[1].get(f"{group}/understanding").status_code == 200


def test_a_forming_group_is_given_up_by_its_founder_or_an_officer(village: Village) -> None:
    group, people = gather(village)
    assert_problem(people[1].post(f"{group}/dissolution"), 403, "not-allowed")
    gone = people[0].post(f"{group}/dissolution")
    assert (gone.status_code, gone.get_json()["status"]) == (200, "dissolved")
    second = form(village, people[1])
    assert village.officer.post(f"{second}/dissolution").status_code == 200
