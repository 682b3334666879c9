"""Feedback over the API: who sees names and who counts, from a word to the message about it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from app.extensions import db
from community.verification import verify
from tests.api.people import assert_problem
from tests.api.world import World, make_world

# The matrix, the wrong requests and the attacks are on both databases.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True, scope="session")


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which people speak up; the laws hold at its end."""
    with make_world(template_url, tmp_path_factory.mktemp("feedback")) as made:
        yield made
        with made.app.app_context():
            assert verify(db.session()).breaches == ()


def got(world: World, who: str, path: str) -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def sent(world: World, who: str, path: str, body: dict[str, Any], method: str = "POST") -> Any:
    answer = world.call(who, method, path, json=world.named(body))
    assert answer.status_code in (200, 201), answer.text
    return answer.get_json()


def test_what_people_ask_for_and_what_became_of_it(world: World) -> None:
    listed = got(world, "gao", "/communities/@village/themes")["items"]
    by_title = {theme["title"]: theme for theme in listed}
    assert {name: theme["status"] for name, theme in by_title.items()} == {
        "rates": "voting",
        "meetings": "open",
        "harvest": "shipped",
        "meeting place": "merged",
    }
    rates, harvest = by_title["rates"], by_title["harvest"]
    assert (rates["askers"], rates["polls"][0]["yes"]) == (2, None)
    assert harvest["shipped"]["product"] == world.ids["brought"]
    assert harvest["polls"][0]["status"] == "carried"
    assert by_title["meeting place"]["merged_into"] == world.ids["open_theme"]
    assert by_title["meetings"]["merged"] == [world.ids["merged_theme"]]
    voting = got(world, "gao", "/communities/@village/themes?status=voting")["items"]
    assert [theme["title"] for theme in voting] == ["rates"]


def test_names_are_for_who_may_see_them(world: World) -> None:
    for who in ("officer", "operator", "auditor"):
        file = got(world, who, "/themes/@theme")
        assert {item["author"]["name"] for item in file["items"]} == {"wang", "sun"}
    shown = got(world, "wang", "/themes/@theme")
    assert (shown["askers"], shown["items"], shown["complaints"]) == (2, None, 0)
    # Back from the version: counts for members, names for the others.
    [brought] = got(world, "gao", "/products/@brought/themes?version=1")["items"]
    assert (brought["title"], brought["askers"], brought["items"]) == ("harvest", 1, None)
    [brought] = got(world, "auditor", "/products/@brought/themes")["items"]
    assert [item["author"]["name"] for item in brought["items"]] == ["zhao"]
    assert got(world, "gao", "/products/@brought/themes?version=2")["items"] == []


def test_a_hidden_text_is_for_its_author_and_the_auditor(world: World) -> None:
    path = "/feedback-items/@hidden_item"
    assert got(world, "li", path)["text"] == got(world, "auditor", path)["text"] == "nonsense"
    seen = got(world, "officer", path)
    assert (seen["text"], seen["hidden_reason"]) == (None, "nonsense")


def test_means_are_shown_and_nobodys_stars(world: World) -> None:
    seen = got(world, "wang", "/ratings?kind=product&id=@plain")
    [mean] = seen["means"]
    # 5 + 4 + 3 + 2 + 4 of five: 3.6, so three and a half.
    assert (mean["raters"], mean["half_stars"], seen["own_stars"]) == (5, 7, 5)
    assert got(world, "gao", "/ratings?kind=product&id=@plain")["own_stars"] is None
    few = got(world, "wang", "/ratings?kind=meeting&id=@over")
    assert (few["means"], few["own_stars"]) == ([], 3)
    text = got(world, "wang", "/feedback-items/@remark")
    assert text["subject"] == {"kind": "product", "id": world.ids["plain"], "version": 1}


def test_alike_items_are_suggested_to_officers(world: World) -> None:
    [found] = got(world, "officer", "/feedback-items/@item/alike")["items"]
    assert found["item"]["author"]["name"] == "sun"
    assert 2_500 <= found["alike_bps"] < 10_000


def test_a_complaint_is_read_by_three_and_listed_for_its_owner(world: World) -> None:
    def listed(who: str) -> list[int]:
        rows = got(world, who, "/communities/@village/complaints")["items"]
        return [row["number"] for row in rows]

    assert {who: listed(who) for who in ("officer", "clerk", "operator", "auditor")} == {
        "officer": [1],
        "clerk": [2],
        "operator": [],
        "auditor": [2, 1],
    }
    assert [row["number"] for row in got(world, "wang", "/me/complaints")["items"]] == [2, 1]
    seen = got(world, "wang", "/complaints/@against_officer")
    assert (seen["owner"]["name"], seen["against"]["name"]) == ("clerk", "officer")


def test_messages_are_in_both_languages_and_ones_own(world: World) -> None:
    told = got(world, "zhao", "/me/messages")["items"]
    assert [message["kind"] for message in told] == ["theme_shipped", "theme_accepted"]
    assert all(set(message["words"]) == {"zh-CN", "en"} for message in told)
    assert "harvest" in told[0]["words"]["zh-CN"]
    assert told[0]["product"] == world.ids["brought"]
    assert got(world, "gao", "/me/messages")["items"] == []


def test_a_complaint_from_filing_to_reopening(own_world: World) -> None:
    world = own_world
    filed = sent(
        world,
        "gao",
        "/communities/@village/complaints",
        {"kind": "conduct", "title": "rude", "text": "shouted at me", "against": "@clerk"},
    )
    assert (filed["number"], filed["owner"]["name"]) == (3, "officer")
    path = f"/complaints/{filed['id']}"
    sent(world, "officer", f"{path}/replies", {"text": "I shall ask"})
    sent(world, "officer", f"{path}/theme", {"theme": "@open_theme"}, "PUT")
    closed = sent(world, "officer", f"{path}/closing", {"outcome": "upheld", "text": "sorry"})
    assert (closed["status"], closed["outcome"]) == ("closed", "upheld")
    assert_problem(
        world.call("gao", "POST", f"{path}/replies", json={"text": "x"}), 409, "complaint-closed"
    )
    again = sent(world, "gao", f"{path}/reopening", {"text": "he did it again"})
    # The clerk is whom it is against: the operator looks at it now, and the officer no more.
    assert (again["owner"]["name"], again["reopened_count"]) == ("operator", 1)
    assert world.call("officer", "GET", path).status_code == 404
    told = got(world, "gao", "/me/messages")["items"]
    assert [row["kind"] for row in told] == ["complaint_closed", "complaint_replied"]
    shown = got(world, "wang", "/themes/@open_theme")
    assert (shown["askers"], shown["complaints"]) == (1, 1)
    # Its text is in no list of the officers'.
    listed = got(world, "officer", "/communities/@village/feedback-items")["items"]
    assert "shouted at me" not in {item["text"] for item in listed}


def test_from_a_vote_to_a_message(own_world: World) -> None:
    world = own_world
    today = date.fromisoformat(world.app.extensions["clock"].fixed.date().isoformat())
    item = sent(
        world,
        "gao",
        "/communities/@village/feedback-items",
        {"kind": "suggestion", "text": "a smaller first instalment"},
    )
    theme = sent(world, "officer", "/communities/@village/themes", {"title": "first instalment"})
    sent(world, "officer", f"/feedback-items/{item['id']}/theme", {"theme": theme["id"]}, "PUT")
    days = {
        "opens_on": today.isoformat(),
        "closes_on": (today + timedelta(days=2)).isoformat(),
    }
    poll = sent(world, "officer", f"/themes/{theme['id']}/polls", days)
    for who in ("wang", "gao"):
        voted = sent(world, who, f"/themes/{theme['id']}/votes", {"choice": "yes"})
        assert voted == {"status": "counted"}
    twice = world.call("gao", "POST", f"/themes/{theme['id']}/votes", json={"choice": "no"})
    assert_problem(twice, 409, "voted-already")
    assert poll["yes"] is None
    path = f"/feedback-items/{item['id']}"
    trail = got(world, "gao", path)
    assert trail["asked_for"]["status"] == "voting"
    assert trail["placements"][0]["because"] == "grouped"
    assert got(world, "officer", path)["messages"] is None
    other = sent(world, "officer", "/communities/@village/themes", {"title": "others"})
    sent(world, "officer", f"/feedback-items/{world.ids['item']}/theme", {"theme": None}, "PUT")
    sent(world, "officer", f"/feedback-items/{world.ids['item']}/theme", {"theme": other["id"]},
         "PUT")  # fmt: skip
    sent(
        world,
        "officer",
        f"/themes/{other['id']}/decision",
        {"accepted": False, "reason": "the law"},
    )
    trail = got(world, "wang", "/feedback-items/@item")
    assert [row["because"] for row in trail["placements"]] == ["grouped", "taken_out", "grouped"]
    [message] = trail["messages"]
    assert "the law" in message["words"]["en"]
    assert got(world, "wang", "/me/messages?unread=true")["items"][0]["id"] == message["id"]
    read = sent(world, "wang", f"/messages/{message['id']}/reading", {"is_read": True}, "PUT")
    assert read["read_at"] is not None
    left = got(world, "wang", "/me/messages?unread=true")["items"]
    assert message["id"] not in {row["id"] for row in left}
    sent(world, "gao", "/ratings", {"subject": {"kind": "theme", "id": other["id"]}, "stars": 1})
    sent(world, "officer", f"{path}/hiding", {"reason": "twice"})
    merged = sent(world, "officer", "/themes/@open_theme/merging",
                  {"into": sent(world, "officer", "/communities/@village/themes",
                                {"title": "all meetings"})["id"]})  # fmt: skip
    assert merged["merged"] == [world.ids["open_theme"]]
