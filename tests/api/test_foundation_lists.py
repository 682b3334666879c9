"""Lists by cursor, updates by version."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.paging import open_cursor, seal_cursor
from tests.api.people import Person, assert_problem
from tests.api.probe import add_probe

PAY = "/api/v1/probe/payments"
MEMBERS = "/api/v1/probe/members"
HOUSEHOLDS = "/api/v1/probe/households"


@pytest.fixture
def features() -> list[str]:
    """The foundation stands alone."""
    return []


@pytest.fixture
def app(app: Flask) -> Flask:
    add_probe(app)
    return app


def walk(caller: Person, path: str, limit: int) -> list[list[str]]:
    pages, cursor = [], ""
    while cursor is not None:
        page = caller.get(path, limit=limit, **({"cursor": cursor} if cursor else {})).get_json()
        pages.append([item["id"] for item in page["items"]])
        cursor = page["next_cursor"]
    return pages


def test_a_list_is_walked_page_by_page_without_gaps_or_repeats(
    member: Person, person: Callable[..., Person]
) -> None:
    ids = [member.public_id] + [person(f"Member {number}").public_id for number in range(6)]
    assert walk(member, MEMBERS, 3) == [ids[:3], ids[3:6], ids[6:]]
    assert walk(member, MEMBERS, 7) == [ids]
    assert walk(member, MEMBERS, 100) == [ids]


def test_what_is_added_meanwhile_does_not_shift_the_pages(member: Person) -> None:
    for _ in range(4):
        assert (
            member.post(PAY, {"amount": {"amount": "1.00", "currency": "CNY"}}).status_code == 201
        )
    first = member.get(HOUSEHOLDS, limit=2).get_json()
    member.post(PAY, {"amount": {"amount": "1.00", "currency": "CNY"}})
    second = member.get(HOUSEHOLDS, limit=2, cursor=first["next_cursor"]).get_json()
    seen = [item["reference"] for item in first["items"] + second["items"]]
    assert seen == ["1.00 #3", "1.00 #2", "1.00 #1", "1.00 #0"]
    assert second["next_cursor"] is None


def test_an_empty_list_is_a_page(member: Person) -> None:
    assert member.get(HOUSEHOLDS).get_json() == {"items": [], "next_cursor": None}


def test_a_page_has_1_to_100_items(member: Person) -> None:
    for limit in ("0", "101", "-1", "x", "1.5", "1e2", "", "9" * 25, "５"):
        assert_problem(member.get(MEMBERS, limit=limit), 422, "validation")


def test_a_cursor_that_was_not_handed_out_is_refused(
    app: Flask, member: Person, person: Callable[..., Person]
) -> None:
    for number in range(3):
        person(f"Member {number}")
    good = member.get(MEMBERS, limit=2).get_json()["next_cursor"]
    assert member.get(MEMBERS, limit=2, cursor=good).status_code == 200
    changed = ("A" if good[0] != "A" else "B") + good[1:]
    for bad in ("x", "1", changed, good[:-1], good + "A", good + "=", "é", "A" * 22, "A" * 500):
        assert_problem(member.get(MEMBERS, cursor=bad), 422, "bad-cursor")
    # Nor does a cursor of one list open another.
    assert_problem(member.get(HOUSEHOLDS, cursor=good), 422, "bad-cursor")
    assert_problem(member.get(MEMBERS, cursor="a\x00b"), 400, "bad-request")
    assert_problem(member.get(MEMBERS, surprise="1"), 422, "validation")


def test_cursors_open_to_what_was_sealed_and_show_nothing_of_it(app: Flask) -> None:
    with app.app_context():
        sealed = [seal_cursor("/list", number) for number in (0, 1, 2, 2**62)]
        assert [open_cursor("/list", text) for text in sealed] == [0, 1, 2, 2**62]
        assert len({text[:6] for text in sealed}) == 4


def test_an_update_has_to_name_the_version_it_changes(member: Person) -> None:
    path = "/api/v1/probe/me"
    read = member.get(path)
    etag = read.headers["ETag"]
    assert_problem(member.put(path, {"name": "Li Na"}), 428, "precondition-required")
    assert_problem(member.put(path, {"name": "Li Na"}, etag='"99"'), 412, "precondition-failed")
    assert_problem(member.put(path, {"name": "Li Na"}, etag="*"), 412, "precondition-failed")
    assert member.get(path).get_json()["name"] == "Wang Fang"
    changed = member.put(path, {"name": "Li Na"}, etag=etag)
    assert (changed.status_code, changed.get_json()["name"]) == (200, "Li Na")
    assert changed.headers["ETag"] not in ("", etag)
    assert_problem(member.put(path, {"name": "Zhao"}, etag=etag), 412, "precondition-failed")
    assert member.get(path).headers["ETag"] == changed.headers["ETag"]


def test_nobody_reads_a_list_without_a_token(client: FlaskClient) -> None:
    assert_problem(client.get(MEMBERS), 401, "bad-token")
