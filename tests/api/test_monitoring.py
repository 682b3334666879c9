"""Cases, meetings, reports, visits over HTTP: who sees what, and what nobody can put together."""

import json
import logging
import re

import pytest

from tests.api.people import assert_problem
from tests.api.test_permissions_matrix import QUERIES, READING, READS, address
from tests.api.world import World, make_world

HERE = "/communities/@village"
LATE = ("ding", "dong", "dai")
NAMES = re.compile(rb"\b[a-z]{3}_[0-9a-z]{16}\b")


@pytest.fixture(scope="module")
def moved(template_url, tmp_path_factory):
    """A world of this module's own: here things happen."""
    with make_world(template_url, tmp_path_factory.mktemp("monitoring")) as made:
        yield made


def _said(world: World, who: str, path: str, **options) -> dict:
    answer = world.call(who, "POST", path, **options)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


@pytest.mark.parametrize("who", ["gao", "zhao", "sun", "wang", "lin"])
def test_no_route_tells_a_member_who_is_late(world: World, who: str) -> None:
    """Every list and every thing, asked by a member whom none of the late loans concerns.

    Not one answer names somebody who is late, or a loan of theirs; also not those of things that
    are about them.
    """
    debtors = {world.ids[name].encode() for name in (*LATE, "late")}
    asked = set()
    for endpoint in READS:
        path = address(world, endpoint, READING)[1] + QUERIES.get(endpoint, "")
        for thing in ("@wang", "@ding", "@" + who):
            asked.add(path.replace("@wang", thing))
    told = {
        path: sorted(debtors & set(NAMES.findall(answer.data)))
        for path in sorted(asked)
        for answer in [world.call(who, "GET", path)]
        # A refusal repeats the address that was asked for.
        if answer.status_code == 200
    }
    assert len(told) > 20
    assert {path: names for path, names in told.items() if names} == {}


def test_officers_see_the_queue_but_not_what_was_reported_of_them(world: World) -> None:
    def about(who: str) -> set[str]:
        answer = world.call(who, "GET", f"{HERE}/cases?limit=100").get_json()
        return {item["id"] for item in answer["items"]}

    mine = {world.ids["of_clerk"]}
    assert about("officer") == about("operator") == about("clerk") | mine
    assert mine.isdisjoint(about("clerk"))
    assert_problem(world.call("clerk", "POST", "/cases/@of_clerk/taking"), 404, "not-found")


def test_a_leaders_list_has_the_groups_cases_and_none_that_was_reported(world: World) -> None:
    items = world.call("wang", "GET", "/groups/@active/cases").get_json()["items"]
    # Another is about the leader: that one is the officers', and on the leader's own list.
    [own] = world.call("wang", "GET", "/me/cases").get_json()["items"]
    assert own["owner_role"] == "officer"
    assert {item["id"] for item in items} == {world.ids["case"], world.ids["closed_case"]}
    assert not any(item["is_confidential"] for item in items)
    # Whom it is about sees what was found, not what others wrote down.
    mine = world.call("zhao", "GET", "/cases/@case").get_json()
    assert [event["rule"] for event in mine["events"]] == ["missed_meetings"]
    assert mine["actions"] == []
    assert world.call("wang", "GET", "/cases/@case").get_json()["actions"] != []
    own = world.call("zhao", "GET", "/me/cases").get_json()["items"]
    assert [item["id"] for item in own] == [world.ids["case"]]


def test_nobody_but_the_case_officer_is_told_who_reported(world: World) -> None:
    secret = world.ids["wu"]
    for who in ("officer", "operator", "auditor", "clerk"):
        shown = world.call(who, "GET", "/cases/@reported")
        assert shown.status_code == 200
        assert secret not in shown.text
        assert "sold the seed" not in shown.text
        listed = world.call(who, "GET", f"{HERE}/cases?limit=100")
        assert secret not in listed.text
    # All days of the case are of the week, and no answer has an hour.
    shown = world.call("officer", "GET", "/cases/@reported").get_json()
    assert shown["opened_on"] == shown["events"][0]["found_on"] == "2026-04-13"
    assert not re.search(r"\d{2}:\d{2}", json.dumps({"events": shown["events"]}))


def test_a_report_is_a_case_in_the_same_request(moved: World) -> None:
    report = {"member": "@sun", "kind": "coercion", "text": "they take his money"}
    path = f"{HERE}/peer-reports"
    answers = [_said(moved, who, path, json=moved.named(report)) for who in ("gao", "guo")]
    assert answers == [{"status": "received"}] * 2
    queue = moved.call("officer", "GET", f"{HERE}/cases?limit=100&status=open").get_json()
    [case] = [
        item
        for item in queue["items"]
        if item["is_confidential"] and item["member"]["id"] == moved.ids["sun"]
    ]
    assert case["severity"] == "critical"
    where = f"/cases/{case['id']}"
    assert_problem(moved.call("officer", "POST", f"{where}/reports-reading"), 403, "not-allowed")
    _said(moved, "officer", f"{where}/taking")
    read = _said(moved, "officer", f"{where}/reports-reading")
    assert {item["reporter"]["id"] for item in read["reports"]} == {
        moved.ids["gao"],
        moved.ids["guo"],
    }
    assert {item["believed_bps"] for item in read["reports"]} == {6_666}
    closing = {"outcome": "false_alarm", "text": "it is his son, and he gives it gladly"}
    assert _said(moved, "officer", f"{where}/closing", json=closing)["outcome"] == "false_alarm"
    rules = moved.call("operator", "GET", f"{HERE}/risk-rules").get_json()["rules"]
    [coercion] = [rule for rule in rules if rule["rule"] == "coercion"]
    assert (coercion["events"], coercion["false_alarms"], coercion["precision_bps"]) == (2, 2, 0)


def test_the_leader_acts_and_closes_and_the_rule_is_measured(moved: World) -> None:
    talk = {"kind": "talk", "text": "his mother was ill"}
    shown = _said(moved, "wang", "/cases/@case/actions", json=talk)
    assert shown["actions"][-1]["by"]["id"] == moved.ids["wang"]
    _said(moved, "wang", "/cases/@case/closing", json={"outcome": "resolved", "text": "he came"})
    rules = moved.call("auditor", "GET", f"{HERE}/risk-rules").get_json()["rules"]
    [missed] = [rule for rule in rules if rule["rule"] == "missed_meetings"]
    assert (missed["right"], missed["false_alarms"], missed["precision_bps"]) == (1, 1, 5_000)
    replay = {"rule": "late", "from_on": "2026-04-01", "until_on": "2026-04-13"}
    found = moved.call("officer", "POST", f"{HERE}/risk-rules/replay", json=replay).get_json()
    assert {item["member"]["id"] for item in found["shown"]} == {moved.ids[who] for who in LATE}


def test_a_meeting_from_paper_is_entered_once(moved: World) -> None:
    text = moved.named(
        "meeting,held_on,member,attendance,proxy,note\n"
        "paper-7,2026-04-12,@wang,present,,\n"
        "paper-7,2026-04-12,@zhao,proxy,@wang,at market\n"
    )
    path = "/groups/@active/meetings/csv"
    sent = [_said(moved, "wang", path, data=text, content_type="text/csv")["id"] for _ in range(2)]
    assert sent[0] == sent[1]
    other = moved.call(
        "wang", "POST", path, data=text.replace("market", "home"), content_type="text/csv"
    )
    assert_problem(other, 409, "meeting-exists")
    where = f"/meetings/{sent[0]}"
    sheet = moved.call(
        "wang", "PUT", f"{where}/collection", json={"collection": moved.ids["sheet"]}
    )
    assert sheet.get_json()["collection"] == moved.ids["sheet"]
    closed = _said(moved, "wang", f"{where}/closing")
    assert (closed["members"], closed["spoken_for"], closed["is_quorate"]) == (3, 2, True)
    plan = moved.call("sun", "GET", "/groups/@active/meeting-plan").get_json()
    assert plan["next_on"][:2] == ["2026-04-13", "2026-04-20"]


def test_a_secret_ballot_tells_its_sums_when_it_is_counted(moved: World) -> None:
    path = "/motions/@secret_motion"
    for who, choice in (("wang", "yes"), ("zhao", "no")):
        shown = _said(moved, who, f"{path}/votes", json={"choice": choice})
        assert (shown["yes"], shown["no"], shown["votes"]) == (None, None, [])
    counted = _said(moved, "wang", f"{path}/counting")
    assert (counted["yes"], counted["no"], counted["status"]) == (1, 1, "rejected")
    assert counted["votes"] == []
    hands = moved.call("sun", "GET", "/motions/@motion").get_json()
    assert hands["votes"] == [
        {"member": {"id": moved.ids["wang"], "name": "wang"}, "choice": "yes"}
    ]


def test_a_visit_with_its_photo(moved: World) -> None:
    photo = b"\xff\xd8\xff\xe0 another field \xff\xd9"
    added = moved.call(
        "zhao", "POST", "/visits/@visit/photos", data=photo, content_type="image/jpeg"
    )
    assert added.status_code == 201
    assert added.get_json()["number"] == 2
    back = moved.call("wang", "GET", "/visits/@visit/photos/2")
    assert (back.data, back.mimetype) == (photo, "image/jpeg")
    seen = {"answers": {"met": True, "planted": False, "healthy": False, "trouble": True}}
    done = _said(moved, "zhao", "/visits/@visit/answers", json=seen)
    assert (done["status"], done["answers"]) == ("done", seen["answers"])
    mine = moved.call("zhao", "GET", "/me/visits").get_json()["items"]
    assert [item["status"] for item in mine] == ["done"]


def test_members_see_the_ratio_and_officers_the_amounts(world: World) -> None:
    for who, sees in (("gao", False), ("officer", True)):
        shown = world.call(who, "GET", f"{HERE}/verified-use").get_json()
        assert shown["verified_bps"] == 0
        assert (shown["stated"] is not None) is sees


def test_the_log_does_not_say_who_reported(moved: World, caplog: pytest.LogCaptureFixture) -> None:
    report = moved.named({"member": "@guo", "kind": "misuse", "text": "x"})
    with caplog.at_level(logging.INFO, "lianbao.requests"):
        moved.call("lin", "GET", "/me")
        _said(moved, "lin", f"{HERE}/peer-reports", json=report)
    facts = [vars(record)["facts"] for record in caplog.records]
    assert [line.get("caller") for line in facts] == [moved.ids["lin"], None]
    assert facts[1]["route"].endswith("/peer-reports")
