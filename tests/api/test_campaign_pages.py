"""A village review on pages: members review and object, officers decide, visit and grant."""

import re

import pytest
from flask import Flask

from tests.api.people import Person
from tests.api.test_campaigns import RULES, Reviewed, made_village
from tests.api.test_trust import offer
from tests.reading import Reader, check_html, hidden

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


@pytest.fixture
def reviewed(app: Flask) -> Reviewed:
    return made_village(app, **RULES)


def as_person(person: Person, language: str = "en") -> Reader:
    return Reader(person.app, language).sign_in(person.token)


def links(text: str, part: str) -> list[str]:
    return list(dict.fromkeys(re.findall(rf'href="([^"]*/{part}/[^"]*)"', text)))


def board_of(reviewed: Reviewed) -> str:
    return reviewed.path.replace("/api/v1/", "/cooperative/")


def mine_in(reviewed: Reviewed) -> str:
    return reviewed.path.replace("/api/v1/campaigns/", "/me/reviews/")


def test_a_member_reviews_those_they_know_and_may_think_again(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    first, second, *_ = reviewed.people
    me, other = as_person(first), as_person(second, "zh-CN")
    assert "households to review: 3" in me.open("/me/reviews").text
    shown = me.open(mine_in(reviewed))
    check_html(shown, "en")
    homes = links(shown.text, "households")
    assert len(homes) == 3
    check_html(me.open(homes[0]), "en")
    # Nothing said, or only half of it, is told at the field; what was typed stays.
    empty = me.send(homes[0])
    assert empty.status_code == 422
    assert 'id="e-knows"' in empty.text
    half = me.send(homes[0], knows="yes", limit="many", against="owes me a pig")
    assert half.status_code == 422
    assert 'id="e-limit"' in half.text
    assert "owes me a pig" in half.text
    half = me.send(homes[0], knows="yes", limit="5", reputation="")
    assert 'id="e-reputation"' in half.text
    said = {"knows": "yes", "reputation": "4", "limit": "777.77", "against": "owes me a pig"}
    done = me.send(homes[0], **said)
    assert (done.status_code, done.location) == (303, mine_in(reviewed))
    # It can be changed; who says no says nothing else, whatever stood in the other fields.
    again = me.open(homes[0]).text
    assert 'value="777.77"' in again
    assert me.send(homes[0], **said | {"knows": "no"}).status_code == 303
    [kept] = [one for one in reviewed.asked(first) if one["answered_at"]]
    assert (kept["knows_household"], kept["limit"], kept["reason_against"]) == (False, None, None)
    # It is nobody else's, and the answer stands on no page of others.
    assert other.open(homes[0]).status_code == 404
    officer = as_person(reviewed.officer)
    for page in (
        board_of(reviewed),
        *links(officer.open(board_of(reviewed)).text, "campaign-households"),
    ):
        text = officer.open(page).text
        assert "777.77" not in text
        assert "Nothing is shown before the round is closed" in text
        assert "Nobody answered" not in text
    before = hidden(me.open(homes[0]).text)
    reviewed.answer_all()
    reviewed.step("round-closure")
    closed = me.open(homes[0])
    assert "The round is closed" in closed.text
    late = me.client.post(homes[0], data=before | said, headers=me.headers)
    assert late.status_code == 409


def test_officers_decide_visit_and_publish_from_the_board(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    reviewed.answer_all()
    first = reviewed.people[0]
    [odd, *_] = reviewed.asked(first)
    reviewed.say(first, odd["id"], "9000.00")
    officer = as_person(reviewed.officer)
    board = board_of(reviewed)
    assert officer.send(board, act="close").status_code == 303
    shown = officer.open(board).text
    [finding] = links(shown, "campaign-findings")
    # Publishing waits until everything is decided and seen, and says so.
    early = officer.send(board, act="publish")
    assert early.status_code == 409
    assert "1 findings wait for a decision" in early.text
    without = officer.send(finding, decision="exclude", reason="")
    assert without.status_code == 422
    assert 'id="e-reason"' in without.text
    assert officer.send(finding, decision="exclude", reason="his brother").status_code == 303
    decided = officer.open(finding)
    check_html(decided, "en")
    assert "his brother" in decided.text
    assert "<form class=" not in decided.text
    again = officer.send(finding, shown=board, decision="keep", reason="after all")
    assert again.status_code == 409
    to_visit = [row["id"] for row in reviewed.rows() if row["to_be_visited"]]
    assert to_visit
    for row in to_visit:
        path = f"/cooperative/campaign-households/{row}"
        page = officer.open(path)
        check_html(page, "en")
        assert "1,000.00" in page.text  # what reviewers said, now that all rounds are closed
        vague = officer.send(path, act="visit", result="changed", note="half the field")
        assert vague.status_code == 422
        assert 'id="e-amount"' in vague.text
        above = officer.send(path, act="visit", result="changed", amount="99999999", note="x")
        assert above.status_code == 422
        assert 'id="e-amount"' in above.text
        seen = {"act": "visit", "result": "changed", "amount": "321", "note": "half the field"}
        assert officer.send(path, **seen).status_code == 303
    [row, *_] = [row for row in reviewed.rows() if row["to_be_visited"]]
    assert (row["amount"]["amount"], row["visit"]["note"]) == ("321.00", "half the field")
    assert officer.send(board, act="publish").status_code == 303
    # A member may not do any of it, and learns of no household.
    member = as_person(first)
    for path in (board, finding, f"/cooperative/campaign-households/{row['id']}"):
        assert member.open(path).status_code in (403, 404)
        assert member.send(path, shown="/me/reviews", act="revoke").status_code in (403, 404)


def test_an_objection_is_raised_answered_and_then_all_is_granted(reviewed: Reviewed) -> None:
    reviewed.step("draw")
    reviewed.answer_all()
    reviewed.step("round-closure")
    reviewed.visit_all()
    reviewed.step("publication")
    first, second, *_ = reviewed.people
    me, officer = as_person(second), as_person(reviewed.officer)
    mine, board = mine_in(reviewed), board_of(reviewed)
    assert "Yours is CNY 800.00" in me.open(mine).text
    form = f"{mine}/objection"
    check_html(me.open(form), "en")
    nobody = me.send(form, about="other", member="mem_0000000000000000", reason="his roof leaks")
    assert nobody.status_code == 422
    assert 'id="e-member"' in nobody.text
    assert "his roof leaks" in nobody.text
    fields = {"about": "other", "member": first.public_id, "reason": "his roof leaks"}
    assert me.send(form, **fields).status_code == 303
    twice = me.send(form, **fields)
    assert twice.status_code == 409
    assert "You have an open objection" in twice.text
    # Whom they review, and whom they have a promise with, are offered by name; others are not.
    offered = me.open(form).text
    asked = {who["name"] for one in reviewed.asked(second) for who in one["people"]}
    [number] = [place for place in (0, 2, 3, 4) if f"Villager {place}" not in asked]
    neighbour = reviewed.people[number]
    option = f'<option value="{neighbour.public_id}">Villager {number}</option>'
    assert option not in offered
    vouch = offer(reviewed.hamlet, second, neighbour, "5.00").get_json()["id"]
    assert neighbour.post(f"/api/v1/vouches/{vouch}/acceptance").status_code == 200
    assert option in me.open(form).text
    [path] = links(officer.open(board).text, "campaign-objections")
    check_html(officer.open(path), "en")
    vague = officer.send(path, outcome="changed", answer="half the roof")
    assert vague.status_code == 422
    assert 'id="e-amount"' in vague.text
    # An amount that was typed before another outcome was chosen is not meant.
    said = {"outcome": "rejected", "amount": "300", "answer": "it was mended"}
    shown = officer.open(path)
    assert officer.send(path, **said).status_code == 303
    assert "it was mended" in me.open(mine).text
    assert "his roof leaks" in shown.text
    assert officer.send(path, shown=board, **said).status_code == 409
    # One's own amount is changed, and both sides read to how much.
    assert me.send(form, about=second.public_id, reason="a bad harvest").status_code == 303
    [other] = [
        each for each in links(officer.open(board).text, "campaign-objections") if each != path
    ]
    said = {"outcome": "changed", "amount": "300", "answer": "by half"}
    assert officer.send(other, **said).status_code == 303
    for page in (officer.open(other), me.open(mine)):
        assert "by half (CNY\N{NO-BREAK SPACE}300.00)" in page.text
    # Grants begin when the objection period is over, and are pressed as often as needed.
    early = officer.send(board, act="grant")
    assert early.status_code == 409
    check_html(early, "en")
    reviewed.days_later(8)
    officer = as_person(reviewed.officer)
    done = officer.send(board, act="grant")
    assert (done.status_code, done.location) == (303, board)
    shown = officer.open(board)
    assert "All households are granted" in shown.text
    assert {row["status"] for row in reviewed.rows()} == {"granted"}
    me = as_person(second, "zh-CN")
    assert "已授信" in me.open(mine).text
    # Taken back with a reason, which the household reads.
    [own] = [row["id"] for row in reviewed.rows() if row["holder"]["id"] == second.public_id]
    home = f"/cooperative/campaign-households/{own}"
    assert officer.send(home, act="revoke", reason="").status_code == 422
    assert officer.send(home, act="revoke", reason="moved away").status_code == 303
    assert "moved away" in me.open(mine).text


def test_a_review_is_opened_and_given_up(reviewed: Reviewed) -> None:
    officer, board = as_person(reviewed.officer), board_of(reviewed)
    path = f"/cooperative/{reviewed.hamlet.community_id}/campaigns/new"
    running = officer.send(path, name="Summer")
    assert running.status_code == 409
    assert 'value="Summer"' in running.text
    assert officer.send(board, act="cancel", reason="").status_code == 422
    assert officer.send(board, act="cancel", reason="the flood").status_code == 303
    assert "cancelled" in officer.open(board).text
    wrong = officer.send(path, name="Summer", seed="a b")
    assert wrong.status_code == 422
    assert 'id="e-seed"' in wrong.text
    first, second, *_ = reviewed.people
    twins = [reviewed.hamlet.join("Twin") for _ in range(2)]
    for kin, why in (
        ("mem_1", "Write two members a line"),
        (first.public_id, "Write two members a line"),
        (f"{first.public_id} mem_0000000000000000", "is no member"),
        ("Villager 0, Villager 1, Villager 2", "Write two members a line"),
        # Named is whoever is active here, and alone of that name.
        ("Villager 0, Officer", "Nobody here is called"),
        ("Villager 0, Twin", twins[1].public_id),
    ):
        refused = officer.send(path, name="Summer", kin=kin)
        assert refused.status_code == 422
        assert 'id="e-kin"' in refused.text
        assert why in refused.text
        assert kin in refused.text
    # By name and by number alike.
    made = officer.send(
        path,
        name="Summer",
        seed="7-1-3",
        kin=f"Villager 0，{second.public_id}\r\n",
    )
    assert made.status_code == 303
    assert officer.send(made.location, act="draw").status_code == 303
    found = reviewed.officer.get(made.location.replace("/cooperative/", "/api/v1/")).get_json()
    assert (found["name"], found["status"]) == ("Summer", "reviewing")
    # The number drawn, and the campaign that it is for.
    assert found["seed"].startswith("7-1-3:")
    path = found["id"]
    asked = first.get(f"/api/v1/campaigns/{path}/my-assignments").get_json()["items"]
    reviews = {who["id"] for one in asked for who in one["people"]}
    assert len(reviews) == 3
    assert second.public_id not in reviews
