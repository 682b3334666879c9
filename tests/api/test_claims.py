"""The book of claims through HTTP: what each side reads, says and confirms; statements to the cent.

Li paid 50.00 for Dai on 13 April, has 4.00 of it back, and 5.00 and 6.00 are said to have been
given; see `tests.api.world`.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.extensions import db
from community.verification import verify
from tests.api.people import assert_problem
from tests.api.world import World, make_world

LI = "/communities/@village/members/@li/claims-statement"
DAI = "/communities/@village/members/@dai/claims-statement"


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of this module's own: here things happen."""
    with make_world(template_url, tmp_path_factory.mktemp("claims")) as made:
        yield made


def post(world: World, who: str, path: str, body: Any = None, key: str = "") -> TestResponse:
    headers = {"Idempotency-Key": key or f"{who}{path}".replace("/", ".").replace("@", "-")[-70:]}
    return world.call(who, "POST", path, json=body, headers=headers)


def movements(world: World, who: str, path: str) -> list[tuple[str, str, str]]:
    found = world.call(who, "GET", path).get_json()
    return [
        (line["kind"], line["principal"]["amount"], line["balance"]["amount"])
        for line in found["lines"]
    ]


def test_the_book_of_a_claim_from_both_sides(own_world: World) -> None:
    world = own_world
    for who, side in (("li", "claimed"), ("dai", "owed")):
        [claim] = world.call(who, "GET", f"/me/claims?side={side}").get_json()["items"]
        assert claim["id"] == world.ids["claim"]
        assert (claim["ground"], claim["paid_as"]) == ("borrower", "direct")
        assert (claim["amount"], claim["settled"], claim["left"]) == (
            cny("50.00"),
            cny("4.00"),
            cny("46.00"),
        )
    assert world.call("dai", "GET", "/me/claims?side=claimed").get_json()["items"] == []
    listed = world.call("officer", "GET", "/communities/@village/members/@dai/claims")
    assert [claim["id"] for claim in listed.get_json()["items"]] == [world.ids["claim"]]

    said = post(world, "li", "/claim-settlements/@said/confirmation")
    assert said.status_code == 201, said.text
    assert (said.get_json()["status"], said.get_json()["left"]) == ("confirmed", cny("41.00"))
    again = post(world, "li", "/claim-settlements/@said/confirmation")
    assert again.get_json() == said.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    other = post(world, "li", "/claim-settlements/@said/confirmation", key="another-key")
    assert_problem(other, 409, "claim-settlement-answered")
    doubted = world.call(
        "li", "POST", "/claim-settlements/@doubted/refusal", json={"reason": "nothing came"}
    )
    assert doubted.get_json()["status"] == "declined"
    waived = post(world, "li", "/claims/@claim/waiver", {"amount": cny("1.00"), "reason": "a gift"})
    assert (waived.get_json()["waived"], waived.get_json()["left"]) == (cny("1.00"), cny("40.00"))
    back = post(world, "officer", "/claim-settlements/@agreed/reversal", {"reason": "not hers"})
    assert (back.get_json()["status"], back.get_json()["left"]) == ("reversed", cny("44.00"))

    detail = world.call("dai", "GET", "/claims/@claim").get_json()
    assert [(row["kind"], row["principal"]["amount"]) for row in detail["history"]] == [
        ("arisen", "50.00"),
        ("settled", "-4.00"),
        ("settled", "-5.00"),
        ("waived", "-1.00"),
        ("reversed", "4.00"),
    ]
    assert [row["status"] for row in detail["settlements"]] == [
        "confirmed",
        "declined",
        "reversed",
    ]
    assert (detail["left"], detail["due_today"]) == (cny("44.00"), cny("44.00"))
    with world.app.app_context():
        assert verify(db.session()).breaches == ()
        db.session.remove()


def test_a_statement_says_what_was_what_moved_and_what_is_left(own_world: World) -> None:
    """After the story above: run alone, the claim stands where the world left it."""
    world = own_world
    lines = movements(world, "li", LI)
    assert lines[:2] == [("arisen", "50.00", "50.00"), ("settled", "-4.00", "46.00")]
    assert movements(world, "dai", f"{DAI}?side=owed") == lines
    found = world.call("li", "GET", LI).get_json()
    assert found["opening"] == cny("0.00")
    assert found["closing"]["amount"] == lines[-1][2]
    assert found["running_interest"] == cny("0.00")
    before = world.call("li", "GET", f"{LI}?from=2026-01-01&to=2026-04-01").get_json()
    assert (before["lines"], before["closing"]) == ([], cny("0.00"))
    assert before["running_interest"] is None
    after = world.call("li", "GET", f"{LI}?from=2026-05-01&to=2026-05-31").get_json()
    assert after["opening"] == after["closing"] == found["closing"]

    answer = world.call("li", "GET", f"{LI}?format=csv")
    assert answer.content_type.startswith("text/csv")
    header, first, *rows, last = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert header[:4] == ["date", "claim", "other", "kind"]
    assert first[3:] == ["opening", "CNY", "", "", "0.00"]
    assert [(row[3], row[5], row[7]) for row in rows] == lines
    assert {row[2] for row in rows} == {world.ids["dai"]}
    assert last[3] == "closing"
    assert last[7] == lines[-1][2]


def test_a_statement_shows_nothing_of_other_peoples_loans(own_world: World) -> None:
    world = own_world
    paid = post(world, "officer", "/calls/@call/payments", {"amount": cny("7.00")})
    assert paid.status_code == 201, paid.text
    mine = world.call("li", "GET", LI)
    assert {line["other"] for line in mine.get_json()["lines"]} == {
        world.ids["dai"],
        world.ids["ding"],
    }
    theirs = [
        world.call("dai", "GET", f"{DAI}?side={side}&format={form}").text
        for side in ("owed", "claimed")
        for form in ("json", "csv")
    ]
    theirs.append(world.call("dai", "GET", "/me/claims").text)
    theirs.append(world.call("dai", "GET", "/claims/@claim").text)
    for text in theirs:
        assert world.ids["ding"] not in text
    for text in (mine.text, *theirs[:4]):
        assert "lon_" not in text
    [claim] = [
        claim
        for claim in world.call("li", "GET", "/me/claims").get_json()["items"]
        if claim["debtor"] == world.ids["ding"]
    ]
    hidden = world.call("dai", "GET", f"/claims/{claim['id']}")
    assert_problem(hidden, 404, "not-found")
