"""The risk desk over the API: circles, a stress test from asking to reading, concentration."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from app.extensions import db
from community.verification import verify
from tests.api.people import assert_problem
from tests.api.world import World, make_world

HERE = "/communities/@village/risk"


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which the desk is at work; the laws hold at its end."""
    with make_world(template_url, tmp_path_factory.mktemp("risk")) as made:
        yield made
        with made.app.app_context():
            assert verify(db.session()).breaches == ()


def got(world: World, path: str, who: str = "operator") -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def table(world: World, path: str) -> list[dict[str, str]]:
    answer = world.call("operator", "GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_circles_are_listed_most_costly_first_and_read_in_full(world: World) -> None:
    listed = got(world, f"{HERE}/circles", "auditor")
    assert listed["run"]["circles"] == len(listed["items"]) > 0
    costs = [
        sum(float(item["loss"][part]["amount"]) for part in ("expected_pool", "expected_members"))
        for item in listed["items"]
    ]
    assert costs == sorted(costs, reverse=True)
    first = got(world, f"{HERE}/circles?limit=1")
    assert first["next_rank"] == (1 if len(costs) > 1 else None)
    rows = table(world, f"{HERE}/circles.csv")
    assert [row["rank"] for row in rows] == [str(item["rank"]) for item in listed["items"]]
    file = got(world, f"/risk/circles/{listed['items'][0]['id']}")
    assert file["size"] == len(file["members"])
    assert all(reason["words"].keys() == {"zh-CN", "en"} for reason in file["reasons"])
    assert file["run"]["id"] == listed["run"]["id"]
    # There is no run of a week ago to compare with.
    assert file["change"] is None


def test_a_stress_test_is_asked_for_worked_off_and_read(own_world: World) -> None:
    asked = own_world.call(
        "operator",
        "POST",
        f"{HERE}/stress-tests",
        json={
            "shock": "member",
            "members": [own_world.ids["ding"]],
            "draws": 3,
            "seed": 5,
            "mode": "joint_and_several",
        },
    )
    assert asked.status_code == 202, asked.text
    test = asked.get_json()
    assert (test["draws"], test["seed"], test["members_hit"]) == (3, 5, 1)
    thread = own_world.app.extensions["desk_worker"].thread
    thread.join()
    path = f"/risk/stress-tests/{test['id']}"
    done = got(own_world, path, "auditor")
    assert (done["status"], done["done_draws"], done["restarts"]) == ("done", 3, 0)
    result = done["result"]
    # Nothing but ding's 50 of li's promise can be lost or paid, the same in every draw.
    assert result["lost"]["worst"] == result["lost"]["mean"] == result["lost"]["shortfall"]
    rows = table(own_world, f"{path}/draws.csv")
    assert [row["draw"] for row in rows] == ["1", "2", "3"]
    assert {row["members"] for row in rows} == {result["members"]["worst"]["amount"]}
    members = got(own_world, f"{path}/members")["items"]
    assert {"ding", "li"} <= {member["name"] for member in members}
    assert len(table(own_world, f"{path}/members.csv")) == len(members)
    calls = got(own_world, f"{path}/calls")
    assert [call["guarantor"]["name"] for call in calls["items"]] == ["li"]
    assert calls["next_number"] is None
    # The one that waited before it is done too; the newest is listed first.
    both = got(own_world, f"{HERE}/stress-tests")["items"]
    assert [each["id"] for each in both] == [test["id"], own_world.ids["stress"]]
    assert {each["status"] for each in both} == {"done"}


def test_a_search_is_an_event_and_keeps_names(own_world: World) -> None:
    before = got(own_world, f"{HERE}/circles")
    answer = own_world.call("operator", "POST", f"{HERE}/circles")
    assert answer.status_code == 201, answer.text
    after = got(own_world, f"{HERE}/circles")
    assert after["run"]["number"] == before["run"]["number"] + 1
    assert {item["id"] for item in before["items"]} & {item["id"] for item in after["items"]}
    assert_problem(own_world.call("auditor", "POST", f"{HERE}/circles"), 403, "not-allowed")


def test_the_map_says_of_each_circle_what_the_list_says(world: World) -> None:
    listed = {item["id"]: item for item in got(world, f"{HERE}/circles")["items"]}
    drawn = got(world, f"{HERE}/map", "auditor")
    assert {item["id"] for item in drawn["circles"]} == listed.keys()
    for item in drawn["circles"]:
        assert item["loss"] == listed[item["id"]]["loss"]
        assert got(world, f"/risk/circles/{item['id']}")["actions"] == item["actions"]
        [week] = got(world, f"/risk/circles/{item['id']}/history")["items"]
        assert (week["loss"], week["rank"]) == (item["loss"], item["rank"])
    assert drawn["circles"][0]["level"] == 4
    assert {tie["source"] for tie in drawn["ties"]} <= listed.keys() | {"outside", "others"}
    *lines, rest = table(world, f"{HERE}/map.csv")
    assert [line["rank"] for line in lines] == [str(item["rank"]) for item in drawn["circles"]]
    assert rest["number"] == "others"
    # One circle by itself, the rest put together.
    one = got(world, f"{HERE}/map?limit=1")
    assert one["other_circles"] == len(listed) - 1


def test_what_if_and_call_plan_agree(world: World) -> None:
    circle = world.ids["circle"]
    file = got(world, f"/risk/circles/{circle}")
    debtor = next(each for each in file["members"] if each["owed"]["amount"] != "0.00")
    asked = world.call(
        "auditor", "POST", f"/risk/circles/{circle}/what-if", json={"fails": [debtor["id"]]}
    )
    assert asked.status_code == 200, asked.text
    found = asked.get_json()
    assert found["before"] == found["after"] == file["loss"]
    plan = got(world, f"{HERE}/call-plans/{debtor['id']}")
    assert found["plan_before"] == found["plan_after"] == plan
    assert plan["owed"] == debtor["owed"]
    assert plan["calls"]


def test_concentration_as_json_and_as_a_table(world: World) -> None:
    report = got(world, f"{HERE}/concentration?by=crop")
    shares = [item["share_bps"] for item in report["items"]]
    assert shares == sorted(shares, reverse=True)
    *_, total = table(world, f"{HERE}/concentration.csv?by=crop")
    assert total["hhi"] == str(report["hhi"])
    # One village: all of it lies in one region.
    region = got(world, f"{HERE}/concentration?by=region")
    assert (region["hhi"], region["effective_thousandths"]) == (10_000, 1_000)
    industry = got(world, f"{HERE}/concentration?by=industry")
    assert industry["outstanding"] == report["outstanding"]


def test_alarms_and_the_gate_answer_with_words(world: World) -> None:
    listed = got(world, f"{HERE}/alarms", "auditor")
    assert listed["on"] == "2026-04-13"
    rows = table(world, f"{HERE}/alarms.csv")
    assert len(rows) == sum(len(item["members"]) for item in listed["items"])
    gate = got(world, f"{HERE}/newcomers/@chen")
    assert gate["member"]["name"] == "chen"
    assert gate["alarm"]["facts"]["ties"] == 0
    assert gate["alarm"]["words"]["en"].startswith("Joined on")
