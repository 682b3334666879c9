"""Whole-village credit over HTTP: blind while it is reviewed, each household's own afterwards."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from community.members import service as members
from community.members.models import Member
from community.members.principal import Role
from tests.api.people import Person, assert_problem, register
from tests.api.trust_village import Hamlet, make_hamlet, money
from tests.lending import NOW

WHY = {"reason": "so it was decided"}
RULES: dict[str, Any] = {
    "campaign_reviewers_per_household": 3,
    "campaign_known_min": 2,
    "campaign_rounds_max": 1,
    "campaign_grant_share_bps": 8_000,
    "campaign_recheck_bps": 2_000,
    "campaign_bias_answers_min": 50,
    "campaign_agreement_ppm": 0,
}


@dataclass
class Reviewed:
    """Five households, a person in each, and a campaign over them."""

    hamlet: Hamlet
    people: list[Person]
    path: str
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def officer(self) -> Person:
        return self.hamlet.officer

    def step(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.officer.post(f"{self.path}/{name}", body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def asked(self, who: Person) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = who.get(f"{self.path}/my-assignments").get_json()["items"]
        return found

    def say(self, who: Person, assignment: str, amount: str, **more: Any) -> Any:
        body = {"knows_household": True, "reputation": 4, "limit": money(amount), **more}
        return who.put(f"/api/v1/campaign-assignments/{assignment}/answer", body)

    def answer_all(self, amount: str = "1000.00") -> None:
        for person in self.people:
            for one in self.asked(person):
                answer = self.say(person, one["id"], amount)
                assert answer.status_code == 200, answer.text

    def rows(self) -> list[dict[str, Any]]:
        answer = self.officer.get(f"{self.path}/households")
        found: list[dict[str, Any]] = answer.get_json()["items"]
        return found

    def visit_all(self) -> None:
        for row in self.rows():
            if row["to_be_visited"]:
                where = f"/api/v1/campaign-households/{row['id']}/visit"
                seen = self.officer.post(where, {"result": "confirmed", "note": "as they say"})
                assert seen.get_json()["visit"]["result"] == "confirmed"

    def days_later(self, days: int) -> None:
        """Time goes by, and everybody has a new token."""
        moment = NOW + timedelta(days=days)
        self.hamlet.app.extensions["clock"].fixed = moment
        with self.hamlet.app.app_context():
            for person in (self.officer, *self.people):
                _, person.token = members.issue_token(
                    db.session(),
                    member_id=person.member_id,
                    label="later",
                    lifetime=timedelta(days=1),
                    lifetime_max=timedelta(days=1),
                    now=moment,
                )
            db.session.commit()


@pytest.fixture
def reviewed(app: Flask) -> Reviewed:
    return made_village(app, **RULES)


def made_village(app: Flask, **rules: Any) -> Reviewed:
    """Five households, and a review over them that is open."""
    app.extensions["clock"].fixed = NOW
    hamlet = make_hamlet(app, **rules)
    people = [hamlet.join(f"Villager {number}") for number in range(5)]
    with app.app_context():
        session = db.session()
        for number, person in enumerate(people):
            home = members.register_household(session, reference=f"hh-{number}", now=NOW)
            session.get_one(Member, person.member_id).household_id = home.id
        session.commit()
    opened = hamlet.officer.post(
        f"/api/v1/communities/{hamlet.community_id}/campaigns", {"name": "Spring", "seed": "3-5-1"}
    )
    assert opened.status_code == 201, opened.text
    return Reviewed(hamlet, people, f"/api/v1/campaigns/{opened.get_json()['id']}")


def test_a_campaign_from_opening_to_grant(reviewed: Reviewed) -> None:
    """All suggest 1,000.00; four fifths are 800.00 for each household."""
    first, *_ = reviewed.people
    assert reviewed.step("draw")["status"] == "reviewing"
    asked = reviewed.asked(first)
    assert len(asked) == 3
    assert set(asked[0]["questions"]) == {"zh-CN", "en"}
    assert first.public_id not in {who["id"] for one in asked for who in one["people"]}
    reviewed.answer_all()
    assert reviewed.step("round-closure")["status"] == "checking"
    reviewed.visit_all()
    published = reviewed.step("publication")
    assert (published["published_on"], published["objections_until_on"]) == (
        "2027-03-25",
        "2027-04-01",
    )
    own = first.get(f"{reviewed.path}/my-household").get_json()
    assert (own["status"], own["amount"]) == ("proposed", money("800.00"))
    assert own["grounds"]["centre"] == money("1000.00")
    assert own["grounds"]["text"]["en"] == (
        "3 reviewed your household, 3 of them know it. The middle of what they suggest is CNY"
        " 1,000.00. Credit is proposed. Yours is CNY 800.00 (charter version 1: 80 % of the middle,"
        " up to the cap for a household; a visit or an objection may change it)."
    )
    assert "中间数是 1,000.00 元" in own["grounds"]["text"]["zh-CN"]
    reviewed.days_later(8)
    run = reviewed.step("grants")
    assert (run["left"], run["campaign"]["status"]) == (0, "granted")
    standing = first.get(reviewed.hamlet.at(first, "standing")).get_json()
    assert standing["assessed"] == money("800.00")
    granted = first.get(f"{reviewed.path}/my-household").get_json()
    assert (granted["status"], granted["expires_on"]) == ("granted", "2028-04-02")
    where = f"/api/v1/campaign-households/{granted['id']}/revocation"
    assert_problem(first.post(where, WHY), 403, "not-allowed")
    revoked = reviewed.officer.post(where, WHY).get_json()
    assert (revoked["status"], revoked["revoked_reason"]) == ("revoked", WHY["reason"])
    standing = first.get(reviewed.hamlet.at(first, "standing")).get_json()
    assert standing["assessed"] == money("0.00")


def test_the_review_is_blind(reviewed: Reviewed) -> None:
    """Nobody sees an answer but who gave it; officers only count them, until the round closes."""
    reviewed.step("draw")
    first, second, *_ = reviewed.people
    [mine, *_] = reviewed.asked(first)
    said = reviewed.say(first, mine["id"], "777.77", reason_against="owes me a pig")
    assert said.get_json()["limit"] == money("777.77")
    assert_problem(reviewed.say(second, mine["id"], "1.00"), 404, "not-found")
    assert mine["id"] not in {one["id"] for one in reviewed.asked(second)}
    auditor = register(reviewed.hamlet.app, "Auditor", roles=[(Role.AUDITOR, None)])
    village = f"/api/v1/communities/{reviewed.hamlet.community_id}"
    pages = [
        reviewed.path,
        f"{reviewed.path}/households",
        f"{reviewed.path}/reviewers",
        f"{reviewed.path}/findings",
        f"{reviewed.path}/objections",
        f"{reviewed.path}/my-assignments",
        f"{village}/campaigns",
        f"{village}/entries",
    ]
    for who in (reviewed.officer, auditor, second):
        for page in pages:
            text = who.get(page).text
            assert "777.77" not in text
            assert "77777" not in text
            assert "pig" not in text
    for row in reviewed.rows():
        answers = f"/api/v1/campaign-households/{row['id']}/answers"
        assert_problem(reviewed.officer.get(answers), 409, "campaign-answers-blind")
        assert row["status"] is None
    counted = reviewed.officer.get(f"{reviewed.path}/reviewers").get_json()["items"]
    assert sorted(one["answered"] for one in counted) == [0, 0, 0, 0, 1]
    assert {one["assigned"] for one in counted} == {3}
    reviewed.answer_all()
    changed = reviewed.say(first, mine["id"], "888.88")
    assert (changed.status_code, changed.get_json()["limit"]) == (200, money("888.88"))
    reviewed.step("round-closure")
    row = next(one for one in reviewed.rows() if one["household"] == mine["household"])
    answers = f"/api/v1/campaign-households/{row['id']}/answers"
    listed = reviewed.officer.get(answers).get_json()["items"]
    assert {one["limit"]["amount"] for one in listed} == {"1000.00", "888.88"}
    assert_problem(reviewed.say(first, mine["id"], "1.00"), 409, "campaign-round-closed")
    # Those who live there learn sums once it is published, and never who said what.
    [owner] = [who for who in reviewed.people if who.public_id == row["holder"]["id"]]
    assert_problem(owner.get(answers), 403, "not-allowed")
    assert owner.get(f"{reviewed.path}/my-household").get_json()["grounds"] is None
    reviewed.visit_all()
    reviewed.step("publication")
    text = owner.get(f"{reviewed.path}/my-household").text
    assert "888.88" not in text
    assert first.public_id not in text


def test_the_village_sees_sums_and_nobody_s_figure(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    reviewed.answer_all()
    reviewed.step("round-closure")
    reviewed.visit_all()
    first, second, *_ = reviewed.people
    assert first.get(reviewed.path).get_json()["board"] is None
    reviewed.step("publication")
    seen = first.get(reviewed.path).get_json()
    assert seen["board"] == {
        "households": 5,
        "proposed": 5,
        "granted": 0,
        "proposed_total": money("4000.00"),
        "granted_total": money("0.00"),
    }
    # With it who reviews whom could be drawn again.
    assert seen["seed"] is None
    assert_problem(first.get(f"{reviewed.path}/households"), 404, "not-found")
    other = second.get(f"{reviewed.path}/my-household").get_json()["id"]
    assert_problem(first.get(f"/api/v1/campaign-households/{other}"), 404, "not-found")


@pytest.mark.parametrize("seen", ["nothing", "counts"])
def test_the_village_sees_no_more_than_its_charter_says(app: Flask, seen: str) -> None:
    app.extensions["clock"].fixed = NOW
    hamlet = make_hamlet(app, **RULES | {"campaign_board_sees": seen, "campaign_recheck_bps": 0})
    people = [hamlet.join(f"Villager {number}") for number in range(4)]
    with app.app_context():
        session = db.session()
        for person in people:
            home = members.register_household(session, reference=person.public_id, now=NOW)
            session.get_one(Member, person.member_id).household_id = home.id
        session.commit()
    opened = hamlet.officer.post(
        f"/api/v1/communities/{hamlet.community_id}/campaigns", {"name": "Spring"}
    ).get_json()
    village = Reviewed(hamlet, people, f"/api/v1/campaigns/{opened['id']}")
    village.step("draw")
    village.answer_all()
    village.step("round-closure")
    board = village.step("publication")["board"]
    assert board["proposed_total"] == money("3200.00")
    shown = people[0].get(village.path).get_json()["board"]
    if seen == "nothing":
        assert shown is None
    else:
        assert (shown["proposed"], shown["proposed_total"]) == (4, None)


def test_objections_are_told_to_officers_and_to_who_raised_them(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    reviewed.answer_all()
    reviewed.step("round-closure")
    reviewed.visit_all()
    reviewed.step("publication")
    first, second, third, *_ = reviewed.people
    path = f"{reviewed.path}/objections"
    raised = second.post(path, {"member": first.public_id, "reason": "his roof leaks"})
    assert raised.status_code == 201, raised.text
    objection = raised.get_json()["id"]
    assert raised.get_json()["objector"]["id"] == second.public_id
    assert [one["id"] for one in reviewed.officer.get(path).get_json()["items"]] == [objection]
    assert first.get(path).get_json()["items"] == []
    assert third.get(path).get_json()["items"] == []
    answer = f"/api/v1/campaign-objections/{objection}/answer"
    body = {"outcome": "changed", "amount": money("300.00"), "answer": "half the roof"}
    assert_problem(third.post(answer, body), 404, "not-found")
    assert_problem(second.post(answer, body), 403, "not-allowed")
    done = reviewed.officer.post(answer, body).get_json()
    assert (done["status"], done["amount"]) == ("changed", money("300.00"))
    # What the other now gets is not the objector's to know.
    [own] = second.get(path).get_json()["items"]
    assert (own["status"], own["amount"], own["answer"]) == ("changed", None, "half the roof")
    changed = first.get(f"{reviewed.path}/my-household").get_json()
    assert changed["amount"] == money("300.00")


def test_a_finding_goes_out_with_names_facts_and_rule(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    reviewed.answer_all()
    first = reviewed.people[0]
    [mine, *_] = reviewed.asked(first)
    reviewed.say(first, mine["id"], "9000.00")
    reviewed.step("round-closure")
    [finding] = reviewed.officer.get(f"{reviewed.path}/findings").get_json()["items"]
    assert [who["id"] for who in finding["reviewers"]] == [first.public_id]
    assert (finding["rule"], finding["charter_version"]) == ("campaign_outlier_mads_bps", 1)
    [fact] = finding["facts"]["answers"]
    assert (fact["household"], fact["limit_minor"]) == (mine["household"], 9000_00)
    assert "Villager 0" in finding["text"]["zh-CN"]
    reviewed.visit_all()
    left = assert_problem(
        reviewed.officer.post(f"{reviewed.path}/publication"), 409, "campaign-unfinished"
    )
    assert left["findings"] == [finding["id"]]
    where = f"/api/v1/campaign-findings/{finding['id']}/decision"
    assert_problem(first.post(where, WHY | {"decision": "keep"}), 404, "not-found")
    decided = reviewed.officer.post(where, WHY | {"decision": "exclude"}).get_json()
    assert (decided["decision"], decided["decided_reason"]) == ("exclude", WHY["reason"])
    row = next(one for one in reviewed.rows() if one["household"] == mine["household"])
    assert row["grounds"]["answers"] == 2
    assert reviewed.step("cancellation", WHY)["status"] == "cancelled"
