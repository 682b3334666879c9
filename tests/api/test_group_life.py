"""A group that binds, through HTTP: amended, led, left, expelled from, ended."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.clock import Clock
from app.extensions import db
from community.trust.models import Vouch
from tests.api.people import Person, assert_problem
from tests.api.test_groups import cny, gather, sign_all
from tests.api.village import Village, make_village

CAP = 2000


@pytest.fixture
def village(app: Flask) -> Village:
    """Tokens live for a day in these tests, so the days of thinking again are none."""
    return make_village(app, cooling_off_days=0, group_size_min=4)


@pytest.fixture
def active(village: Village) -> tuple[str, list[Person]]:
    group, people = sign_all(village)
    assert people[0].post(f"{group}/activation").status_code == 200
    return group, people


def propose(group: str, person: Person, **terms: Any) -> str:
    made = person.post(f"{group}/amendments", terms)
    assert made.status_code == 201, made.text
    return f"/api/v1/amendments/{made.get_json()['id']}"


def right(asked: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    answers = []
    for question in asked["questions"]:
        name = question["id"]
        if name == "exposure_some":
            count = question["text"]["en"].count("Member ") + question["text"]["en"].count("New ")
            answers.append({"question": name, "money": cny(figures["cap"] * count)})
        elif question["kind"] == "money":
            answers.append({"question": name, "money": cny(figures[name])})
        else:
            answers.append({"question": name, "choice": figures[name]})
    return {"agreement_hash": asked["agreement_hash"], "answers": answers}


def sign(amendment: str, person: Person, **figures: Any) -> None:
    asked = person.get(f"{amendment}/understanding").get_json()
    known = {"promise_ends": "no", "own_loan_on_top": "yes", "runs_until": "yes"} | figures
    known["exposure_one"] = figures["cap"]
    answered = person.post(f"{amendment}/understanding", right(asked, known))
    assert answered.get_json()["passed"] is True, answered.text
    signed = person.post(f"{amendment}/signature", {"agreement_hash": asked["agreement_hash"]})
    assert signed.status_code == 201, signed.text


def promises(app: Flask) -> list[tuple[str, int]]:
    with app.app_context():
        rows = db.session().query(Vouch).order_by(Vouch.id).all()
        return sorted((row.status.value, row.limit_minor) for row in rows)


def test_an_amendment_with_a_new_member_from_proposal_to_force(
    app: Flask, village: Village, active: tuple[str, list[Person]]
) -> None:
    group, people = active
    new = village.settle("New Face")
    assert_problem(new.get(group), 404, "not-found")
    amendment = propose(
        group, people[2], pair_cap=cny(1500), joining=[new.public_id], reason="a better year"
    )
    seen = new.get(amendment).get_json()
    assert (seen["exposure_before"], seen["exposure_after"]) == (cny(8000), cny(7500))
    assert [person["name"] for person in seen["joining"]] == ["New Face"]
    assert len(seen["missing"]) == 6
    assert "It replaces version 1" in seen["text"]["en"]
    assert new.get(group).get_json()["amendment"] == seen["id"]
    assert new.get(f"{amendment}/statement").get_json() == {
        "agreement_hash": seen["agreement_hash"],
        "here": cny(7500),
        "elsewhere": cny(0),
        "together": cny(7500),
        "parts": [],
        "leaves": [],
    }
    for person in people:
        sign(amendment, person, cap=1500, exposure_all=7500, exposure_change=500)
    # Who joins stood for nothing before.
    sign(amendment, new, cap=1500, exposure_all=7500, exposure_change=7500)
    assert new.get(amendment).get_json()["status"] == "cooling_off"
    assert set(promises(app)) == {("live", 200_000)}
    assert_problem(people[1].post(f"{amendment}/activation"), 403, "not-allowed")
    done = people[0].post(f"{amendment}/activation")
    assert done.status_code == 200, done.text
    members = done.get_json()["members"]
    assert [m["exposure"] for m in members] == [cny(7500)] * 6
    assert promises(app) == [("live", 150_000)] * 30
    listed = new.get(f"{group}/agreements").get_json()["items"]
    assert [(item["version"], item["basis"], item["is_in_force"]) for item in listed] == [
        (1, "signed", False),
        (2, "signed", True),
    ]
    old = new.get(f"{group}/agreements/1").get_json()
    assert len(old["signed"]) == 5
    assert old["facts"]["pair_cap_minor"] == 200_000
    assert new.get(group).get_json()["amendment"] is None


def test_a_statement_counts_what_is_promised_elsewhere_and_the_questions_ask_for_it(
    village: Village,
) -> None:
    group, people = gather(village)
    clock: Clock = village.app.extensions["clock"]
    offer = people[1].post(
        f"{village.path}/vouches",
        {
            "side": "voucher",
            "other": village.settle("Friend").public_id,
            "limit": cny(700),
            "expires_on": (clock.today() + timedelta(days=90)).isoformat(),
        },
    )
    assert offer.status_code == 201, offer.text
    accepted = village.people[-1].post(f"/api/v1/vouches/{offer.get_json()['id']}/acceptance")
    assert accepted.status_code == 200, accepted.text
    assert people[0].post(f"{group}/agreement").status_code == 201
    told = people[1].get(f"{group}/statement").get_json()
    assert (told["here"], told["elsewhere"], told["together"]) == (
        cny(8000),
        cny(700),
        cny(8700),
    )
    assert told["parts"] == [
        {"community": village.public_id, "personal": cny(700), "groups": cny(0)}
    ]
    asked = people[1].get(f"{group}/understanding").get_json()
    figures = {
        "cap": CAP,
        "exposure_all": 8000,
        "exposure_one": CAP,
        "exposure_together": 8000,
        "promise_ends": "no",
        "own_loan_on_top": "yes",
    }
    wrong = people[1].post(f"{group}/understanding", right(asked, figures)).get_json()
    [verdict] = [verdict for verdict in wrong["verdicts"] if not verdict["right"]]
    assert verdict["question"] == "exposure_together"
    assert verdict["explanation"]["en"] == "CNY 8,000.00 + CNY 700.00 = CNY 8,700.00"
    assert verdict["explanation"]["zh-CN"] == "8,000.00 元 + 700.00 元 = 8,700.00 元"
    again = right(wrong["again"], figures | {"exposure_together": 8700})
    assert people[1].post(f"{group}/understanding", again).get_json()["passed"] is True
    # The others have promised nothing elsewhere: they are not asked.
    others = people[2].get(f"{group}/understanding").get_json()["questions"]
    assert "exposure_together" not in {question["id"] for question in others}


def test_a_refused_amendment_leaves_all_as_it_was(
    app: Flask, active: tuple[str, list[Person]]
) -> None:
    group, people = active
    before = people[0].get(group).get_json()
    amendment = propose(group, people[1], pair_cap=cny(3000))
    sign(amendment, people[1], cap=3000, exposure_all=12000, exposure_change=4000)
    refused = people[4].post(f"{amendment}/refusal")
    assert (refused.status_code, refused.get_json()["status"]) == (200, "refused")
    assert_problem(people[0].post(f"{amendment}/activation"), 409, "group-proposal-closed")
    assert people[0].get(group).get_json() == before
    assert set(promises(app)) == {("live", 200_000)}


def test_an_exit_names_what_binds_and_takes_the_promises_along(
    app: Flask, village: Village, active: tuple[str, list[Person]]
) -> None:
    group, people = active
    assert people[4].get(f"{group}/bonds").get_json() == {"bonds": [], "hidden": 0}
    left = people[4].post(f"{group}/exit")
    assert left.status_code == 200, left.text
    assert_problem(people[4].get(group), 404, "not-found")
    assert promises(app) == [("live", 200_000)] * 12 + [("revoked", 0)] * 8
    seen = people[0].get(group).get_json()
    assert [m["exposure"] for m in seen["members"]] == [cny(6000)] * 4
    assert seen["short_since_on"] is None
    # With the next the group is short: the charter's days to become whole begin.
    assert people[3].post(f"{group}/exit").status_code == 200
    seen = people[0].get(group).get_json()
    assert (seen["short_since_on"] is None, seen["must_dissolve"]) == (False, False)
    text = people[0].get(f"{group}/agreements/3").get_json()["text"]["en"]
    assert f"Member 3 ({people[3].public_id}) is no longer in the group." in text


def test_a_leader_is_recalled_and_another_elected(active: tuple[str, list[Person]]) -> None:
    group, people = active
    called = people[3].post(f"{group}/election")
    assert (called.status_code, called.get_json()["election"]["is_due"]) == (201, True)
    for person in people[1:4]:
        seen = person.put(f"{group}/recall", {"recall": True}).get_json()
    assert seen["leader"] is None
    assert seen["election"] == {
        "open_since_on": seen["election"]["open_since_on"],
        "is_due": True,
        "is_led": False,
        "acting_days_left": None,
        "votes_needed": 3,
    }
    assert seen["my_recall"] is False
    for person in people[:3]:
        voted = person.put(f"{group}/vote", {"candidate": people[2].public_id}).get_json()
    assert voted["leader"]["id"] == people[2].public_id
    assert voted["election"]["is_due"] is False


def test_an_expulsion_needs_every_other_member(active: tuple[str, list[Person]]) -> None:
    group, people = active
    made = people[0].post(
        f"{group}/expulsions",
        {"member": people[4].public_id, "settlement": "taken_over", "reason": "never there"},
    )
    assert made.status_code == 201, made.text
    expulsion = f"/api/v1/expulsions/{made.get_json()['id']}"
    assert people[4].get(expulsion).get_json()["my_part"] is None
    assert people[1].get(expulsion).get_json()["my_part"] == cny(0)
    for person in people[:3]:
        assert person.put(f"{expulsion}/consent", {"takes_over": cny(0)}).status_code == 200
    short = assert_problem(people[0].post(f"{expulsion}/effect"), 409, "group-not-unanimous")
    assert (short["missing"], short["needed"]) == (1, 4)
    assert people[3].put(f"{expulsion}/consent", {}).status_code == 200
    assert people[0].post(f"{expulsion}/effect").status_code == 200
    assert_problem(people[4].get(group), 404, "not-found")
    assert people[0].get(expulsion).get_json()["status"] == "effected"


def test_a_group_that_binds_is_not_its_founders_to_end(active: tuple[str, list[Person]]) -> None:
    group, people = active
    for person in people[1:4]:
        person.put(f"{group}/vote", {"candidate": people[1].public_id})
    assert_problem(people[0].post(f"{group}/dissolution"), 403, "not-allowed")
    ended = people[1].post(f"{group}/dissolution")
    assert (ended.status_code, ended.get_json()["status"]) == (200, "dissolved"), ended.text


def test_warnings_name_kin_to_all_and_pairs_to_themselves(village: Village) -> None:
    group, people = gather(village)  # all are called Member
    clock: Clock = village.app.extensions["clock"]
    until = (clock.today() + timedelta(days=90)).isoformat()
    for one, other in ((1, 2), (2, 1)):
        body = {
            "side": "voucher",
            "other": people[other].public_id,
            "limit": cny(5),
            "expires_on": until,
        }
        made = people[one].post(f"{village.path}/vouches", body).get_json()
        people[other].post(f"/api/v1/vouches/{made['id']}/acceptance")
    found = {w["kind"]: w for w in people[1].get(f"{group}/warnings").get_json()["warnings"]}
    assert set(found) == {"family_name", "mutual_pair"}
    assert [m["name"] for m in found["mutual_pair"]["members"]] == ["Member 1", "Member 2"]
    assert found["family_name"]["count"] == 5
    assert found["family_name"]["rule"] == "kin_warnings"
    [hidden] = [
        w
        for w in people[4].get(f"{group}/warnings").get_json()["warnings"]
        if w["kind"] == "mutual_pair"
    ]
    assert (hidden["members"], hidden["count"]) == ([], 2)
    assert "Member" not in hidden["text"]["en"]
    told = village.officer.get(f"{group}/warnings").get_json()["warnings"]
    assert [len(w["members"]) for w in told] == [5, 2]
    # A warning refuses nothing.
    assert people[0].post(f"{group}/agreement").status_code == 201


def test_a_group_for_one_product_says_so(village: Village) -> None:
    founder = village.settle()
    clock: Clock = village.app.extensions["clock"]
    body = {
        "name": "x",
        "pair_cap": cny(100),
        "vouch_expires_on": (clock.today() + timedelta(days=90)).isoformat(),
        "product": "prd_0000000000000000",
    }
    assert_problem(founder.post(f"{village.path}/groups", body), 404, "product-not-found")
    product = village.officer.post(
        f"{village.path}/products", {"code": "seed", "name": "Seed money"}
    )
    assert product.status_code == 201, product.text
    made = founder.post(f"{village.path}/groups", body | {"product": product.get_json()["id"]})
    assert made.get_json()["product_name"] == "Seed money"
