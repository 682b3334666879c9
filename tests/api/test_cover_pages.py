"""A guarantor leaves a loan on the pages: asked, read, answered, handed over; and over the API."""

import re
from typing import Any

import pytest

from tests.api.test_member_pages import ends_at, reader
from tests.api.world import World
from tests.reading import check_html

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
CHANGE = r"/me/cover-changes/cvc_\w+"
NBSP = "\N{NO-BREAK SPACE}"


def listed(world: World, who: str, show: str) -> list[dict[str, Any]]:
    answer = world.call(who, "GET", f"/me/cover-changes?show={show}")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.get_json()["items"]
    return found


def held(world: World) -> dict[str, str]:
    """What is held on the loan, by whose standing it is."""
    lines = world.call("wang", "GET", "/loans/@current/cover").get_json()["lines"]
    names = {public_id: name for name, public_id in world.ids.items()}
    found = {names[line["standing_of"]]: line["held"]["amount"] for line in lines}
    return {name: amount for name, amount in found.items() if amount != "0.00"}


def promise(world: World, who: str, amount: str) -> None:
    offer = {
        "side": "voucher",
        "other": world.ids["wang"],
        "limit": {"amount": amount, "currency": "CNY"},
        "expires_on": "2027-01-01",
    }
    made = world.call(who, "POST", "/communities/@village/vouches", json=offer)
    assert made.status_code == 201, made.text
    where = f"/vouches/{made.get_json()['id']}/acceptance"
    assert world.call("wang", "POST", where).status_code == 200


def test_cover_is_asked_for_read_agreed_to_and_handed_over(world: World) -> None:
    wang, li, tycoon = (reader(world, who) for who in ("wang", "li", "tycoon"))
    place = f"/me/loans/{world.ids['current']}/cover"
    before = held(world)
    amount = before["li"]
    # One handover of li's cover is open; a second is refused, and what was typed stays.
    asked = {
        "leaving": world.ids["li"],
        "coming_number": world.ids["tycoon"],
        "reason": "she is ill",
    }
    twice = wang.send(f"{place}/substitution", **asked)
    assert twice.status_code == 409
    assert "There is an open change of this cover already" in twice.text
    assert ">she is ill</textarea>" in twice.text
    assert f'value="{world.ids["tycoon"]}"' in twice.text
    # Nobody, or the one who leaves: refused at the field, and the choice stays.
    for coming in ("", world.ids["li"]):
        chosen = {"leaving": world.ids["li"], "coming": coming, "reason": "x"}
        wrong = wang.send(f"{place}/substitution", **chosen)
        assert wrong.status_code == 422
        assert 'id="e-coming"' in wrong.text
    assert re.search(rf'value="{world.ids["li"]}" selected', wrong.text)
    old = f"/me/cover-changes/{world.ids['handover']}"
    assert "Take the request back" in li.open(old).text
    ends_at(li.send(f"{old}/refusal", shown=old), re.escape(old))
    assert world.call("li", "GET", "/cover-changes/@handover").get_json()["status"] == "withdrawn"

    # To leave without a successor is refused as long as nobody else has signed for so much.
    release = f"{place}/release"
    assert release in li.open(place).text
    assert release not in wang.open(place).text
    assert li.send(release, reason="").status_code == 422
    refused = li.send(release, reason="I am old")
    assert refused.status_code == 409
    check_html(refused, "en")
    assert ">I am old</textarea>" in refused.text
    assert f"CNY{NBSP}{amount}" in refused.text
    assert "by locking more savings at the office" in refused.text
    assert held(world) == before

    change = ends_at(wang.send(f"{place}/substitution", **asked), CHANGE)
    where = change.removeprefix("/me")
    assert [one["id"] for one in listed(world, "wang", "asked")] == [where.rpartition("/")[2]]
    assert listed(world, "wang", "to_answer") == []
    for who, page in (("li", li), ("tycoon", tycoon)):
        [waits] = listed(world, who, "to_answer")
        assert {one["id"] for one in waits["waiting_for"]} == {
            world.ids["li"],
            world.ids["tycoon"],
        }
        for path in ("/me", "/me/vouches", "/me/cover-changes"):
            assert change in page.open(path).text, (who, path)
    assert change not in wang.open("/me").text
    # What it would put on who comes is theirs alone to read.
    assert "What you would take on" not in li.open(change).text
    read = tycoon.open(change)
    check_html(read, "en")
    assert "What you would take on" in read.text
    assert f"CNY{NBSP}{amount} is missing now" in read.text
    ends_at(li.send(f"{change}/agreement", shown=change), re.escape(change))
    short = tycoon.send(f"{change}/agreement", shown=change)
    assert short.status_code == 409
    assert "Who could fill it" in short.text
    offer = re.search(r'href="(/me/vouches/new\?[^"]+)"', short.text)
    assert offer is not None
    given = tycoon.open(offer[1].replace("&amp;", "&"))
    assert 'role="alert"' not in given.text
    assert f'value="{world.ids["wang"]}"' in given.text
    assert held(world) == before

    promise(world, "tycoon", "400.00")
    told = world.call("tycoon", "GET", f"{where}/preview").get_json()
    assert (told["own"]["amount"], told["missing"]["amount"]) == (amount, "0.00")
    assert told["cap_after"]["amount"] == amount
    read = tycoon.open(change)
    assert f"you pay up to CNY{NBSP}{amount} on this loan" in read.text
    ends_at(tycoon.send(f"{change}/agreement", shown=change), re.escape(change))
    after = dict(before)
    after["tycoon"] = after.pop("li")
    assert held(world) == after
    assert "has taken li&#39;s place" in tycoon.open(change).text
    assert listed(world, "tycoon", "to_answer") == []
    assert change not in tycoon.open("/me").text
    # Once it is over nobody is told figures of it any more.
    assert world.call("tycoon", "GET", f"{where}/preview").status_code == 409
    # Who left has nothing to do with the loan, but keeps what they agreed to.
    assert li.open(place).status_code == 404
    assert li.open(change).status_code == 200

    # li's promise to wang still stands and has room again, so that the next one may just go.
    gone = ends_at(tycoon.send(release, reason="I travel"), CHANGE)
    page = tycoon.open(gone)
    check_html(page, "en")
    assert "You are released" in page.text
    assert "tycoon is released early" in page.text
    assert held(world) == before
    kinds = [one["kind"] for one in listed(world, "wang", "all")]
    assert kinds == ["release", "substitution", "substitution"]
    paged = world.call("wang", "GET", "/me/cover-changes?limit=2").get_json()
    rest = f"/me/cover-changes?limit=2&cursor={paged['next_cursor']}"
    assert [one["status"] for one in world.call("wang", "GET", rest).get_json()["items"]] == [
        "withdrawn"
    ]


def test_the_ways_lead_to_the_cover_of_a_loan(world: World) -> None:
    cover = f"/me/loans/{world.ids['current']}/cover"
    assert cover in reader(world, "li").open("/me/exposure").text
    assert cover in reader(world, "wang").open(f"/me/loans/{world.ids['current']}").text
