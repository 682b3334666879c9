"""Communities, charters and memberships through HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.clock import Clock
from tests.api.people import Person, assert_problem, register
from tests.api.village import Village, make_village
from tests.village_life import rules

COMMUNITIES = "/api/v1/communities"


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


def tomorrow(app: Flask) -> str:
    clock: Clock = app.extensions["clock"]
    return (clock.today() + timedelta(days=1)).isoformat()


def found(person: Person, **facts: Any) -> Any:
    body = {"kind": "region", "name": "Xihu", "reference": "xihu", "currency": "CNY"} | facts
    return person.post(COMMUNITIES, body)


def test_an_operator_founds_communities_of_all_kinds_inside_each_other(village: Village) -> None:
    for kind in ("region", "industry", "interest"):
        made = found(village.operator, kind=kind, reference=kind, parent=village.public_id)
        assert made.status_code == 201, made.text
        assert made.get_json()["parent"] == village.public_id
        inside = f"{COMMUNITIES}/{made.get_json()['id']}"
        # The charter comes from above, and so does the officer.
        assert village.officer.get(f"{inside}/charter").get_json()["community"] == (
            village.public_id
        )


@pytest.mark.parametrize(
    ("facts", "status", "code"),
    [
        ({"currency": "XXX"}, 422, "validation"),
        ({"currency": "KES"}, 422, "currency-mismatch"),
        ({"kind": "city"}, 422, "validation"),
        ({"name": None}, 422, "validation"),
        ({"parent": "com_0000000000000000"}, 404, "community-not-found"),
        ({"path": "/1/"}, 422, "validation"),
    ],
)
def test_odd_communities_are_refused(
    village: Village, facts: dict[str, Any], status: int, code: str
) -> None:
    body = {"parent": village.public_id} | facts
    assert_problem(found(village.operator, **body), status, code)


def test_a_reference_is_taken_once(village: Village) -> None:
    assert found(village.operator).status_code == 201
    assert_problem(found(village.operator), 409, "community-exists")


def test_only_operators_found_communities(village: Village) -> None:
    for person in (village.officer, village.auditor, village.settle()):
        assert_problem(found(person), 403, "not-allowed")


def test_the_list_holds_what_each_may_see(app: Flask, village: Village) -> None:
    inner = make_village(app, "Hamlet", inside=village)
    other = make_village(app, "Beihu")
    member, stranger = other.settle(), register(app)

    def listed(person: Person) -> set[str]:
        return {item["id"] for item in person.get(COMMUNITIES).get_json()["items"]}

    assert listed(member) == {other.public_id}
    assert listed(stranger) == set()
    assert listed(village.officer) == {village.public_id, inner.public_id}
    assert listed(inner.auditor) == {inner.public_id}
    assert listed(village.operator) == {village.public_id, inner.public_id, other.public_id}


def test_lists_go_on_by_cursor(village: Village) -> None:
    for number in range(3):
        village.settle(f"Member {number}")
    names: list[str] = []
    cursor = ""
    for _ in range(3):
        page = village.officer.get(f"{village.path}/members", limit=1, cursor=cursor).get_json()
        names += [item["member"]["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert names == ["Member 0", "Member 1", "Member 2"]
    assert cursor is None
    odd = village.officer.get(f"{village.path}/members", cursor="AAAA")
    assert_problem(odd, 422, "bad-cursor")
    odd = village.officer.get(f"{village.path}/members", limit=0)
    assert_problem(odd, 422, "validation")


def test_whoever_is_not_in_a_community_does_not_learn_of_it(app: Flask, village: Village) -> None:
    stranger, other = register(app), make_village(app, "Beihu")
    for path in ("", "/charter", "/charters", "/members", "/groups"):
        assert_problem(stranger.get(village.path + path), 404, "not-found")
        assert_problem(other.officer.get(village.path + path), 404, "not-found")


def test_a_name_is_changed_on_the_version_that_was_read(village: Village) -> None:
    seen = village.operator.get(village.path)
    etag = seen.headers["ETag"]
    renamed = village.operator.patch(village.path, {"name": "Nanhu Xin"}, etag=etag)
    assert (renamed.status_code, renamed.get_json()["name"]) == (200, "Nanhu Xin")
    stale = village.operator.patch(village.path, {"name": "Xin"}, etag=etag)
    assert_problem(stale, 412, "precondition-failed")
    officer = village.officer.patch(village.path, {"name": "Xin"}, etag=etag)
    assert_problem(officer, 403, "not-allowed")


def test_a_charter_is_previewed_then_adopted_from_a_day_on(app: Flask, village: Village) -> None:
    body = {
        "valid_from": tomorrow(app),
        "source": "assembly, minute 12",
        "begin_from": "present",
        "rules": {"call_day": {"value": 45, "source": "minute 12"}},
    }
    preview = village.officer.post(f"{village.path}/charters/preview", body).get_json()
    assert preview["differences"] == [
        {"rule": "call_day", "before": 30, "after": 45, "source": "minute 12"}
    ]
    adopted = village.officer.post(f"{village.path}/charters", body)
    assert (adopted.status_code, adopted.get_json()["version"]) == (201, 2), adopted.text
    member = village.settle()
    today = member.get(f"{village.path}/charter").get_json()
    then = member.get(f"{village.path}/charter", on=tomorrow(app)).get_json()
    assert [c["rules"]["call_day"]["value"] for c in (today, then)] == [30, 45]
    assert then["rules"]["call_day"]["source"] == "minute 12"
    versions = member.get(f"{village.path}/charters").get_json()["items"]
    assert [charter["version"] for charter in versions] == [2, 1]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"begin_from": "nothing"}, 422, "charter-invalid"),
        ({"begin_from": "none-such"}, 404, "template-not-found"),
        ({"valid_from": "2026-01-01"}, 409, "charter-not-later"),
        ({"valid_from": "2026-02-01"}, 409, "charter-not-later"),
        ({"valid_from": "tomorrow"}, 422, "validation"),
        ({"rules": {"call_day": {"value": 30.5, "source": "x"}}}, 422, "charter-invalid"),
        ({"rules": {"call_day": {"value": 45}}}, 422, "charter-invalid"),
        ({"rules": {"liability_modes": {"value": [[1]], "source": "x"}}}, 422, "charter-invalid"),
        ({"rules": {"call_day": 45}}, 422, "validation"),
        ({"rules": [1]}, 422, "validation"),
        ({"source": ""}, 422, "validation"),
    ],
)
def test_odd_charters_are_refused_and_leave_nothing(
    app: Flask, village: Village, changes: dict[str, Any], status: int, code: str
) -> None:
    body = {
        "valid_from": tomorrow(app),
        "source": "assembly",
        "begin_from": "village-cooperative",
        "rules": {},
    } | changes
    assert_problem(village.officer.post(f"{village.path}/charters", body), status, code)
    listed = village.officer.get(f"{village.path}/charters").get_json()["items"]
    assert len(listed) == 1


def test_members_and_auditors_do_not_adopt_charters(app: Flask, village: Village) -> None:
    body = {"valid_from": tomorrow(app), "source": "me", "rules": rules()}
    for person in (village.settle(), village.auditor):
        for path in ("/charters", "/charters/preview"):
            assert_problem(person.post(village.path + path, body), 403, "not-allowed")


def test_templates_are_for_everybody(village: Village) -> None:
    names = village.officer.get("/api/v1/charter-templates").get_json()["items"]
    assert "village-cooperative" in names
    template = village.officer.get("/api/v1/charter-templates/savers-circle").get_json()
    assert template["kind"] == "interest"
    odd = village.officer.get("/api/v1/charter-templates/none")
    assert_problem(odd, 404, "template-not-found")


def test_without_a_charter_the_answer_says_so(app: Flask, village: Village) -> None:
    early = village.officer.get(f"{village.path}/charter", on="2020-01-01")
    assert_problem(early, 409, "no-charter")


def test_a_member_applies_is_taken_in_suspended_resumed_and_leaves(
    app: Flask, village: Village
) -> None:
    person = register(app, "Li Wei")
    place = village.place(person)
    applied = person.post(f"{village.path}/members", {"reason": "moved here"})
    assert (applied.status_code, applied.get_json()["status"]) == (201, "applied"), applied.text
    steps = [
        ("activation", "active"),
        ("suspension", "suspended"),
        ("resumption", "active"),
        ("departure", "left"),
    ]
    for step, status in steps:
        done = village.officer.post(f"{place}/{step}", {"reason": f"{step} decided"})
        assert (done.status_code, done.get_json()["status"]) == (200, status), done.text
    history = person.get(place).get_json()["changes"]
    assert [(c["status"], c["reason"]) for c in history] == [
        ("applied", "moved here"),
        ("active", "activation decided"),
        ("suspended", "suspension decided"),
        ("active", "resumption decided"),
        ("left", "departure decided"),
    ]


def test_steps_out_of_order_are_refused(app: Flask, village: Village) -> None:
    person = village.settle()
    place, reason = village.place(person), {"reason": "x"}
    again = person.post(f"{village.path}/members", {})
    assert_problem(again, 409, "already-a-member")
    for step in ("activation", "resumption"):
        refused = village.officer.post(f"{place}/{step}", reason)
        assert_problem(refused, 409, "membership-step-not-allowed")
    missing = village.officer.post(f"{place}/suspension", {})
    assert_problem(missing, 422, "validation")
    nowhere = village.officer.post(f"{village.place(register(app))}/activation", reason)
    assert_problem(nowhere, 404, "membership-not-found")


def test_who_decides_on_memberships(app: Flask, village: Village) -> None:
    person, neighbour, other = village.settle(), village.settle(), make_village(app, "Beihu")
    path, reason = f"{village.place(person)}/suspension", {"reason": "x"}
    assert_problem(person.post(path, reason), 403, "not-allowed")
    assert_problem(village.auditor.post(path, reason), 403, "not-allowed")
    assert_problem(neighbour.post(path, reason), 404, "not-found")
    assert_problem(other.officer.post(path, reason), 404, "not-found")
    assert_problem(neighbour.get(village.place(person)), 404, "not-found")
    departure = f"{village.place(person)}/departure"
    assert_problem(neighbour.post(departure, reason), 404, "not-found")
    assert person.post(departure, reason).status_code == 200


def test_an_officer_enters_applications_of_members_in_their_care_only(
    app: Flask, village: Village
) -> None:
    circle = make_village(app, "Weavers", inside=village)
    mine, foreign = village.settle(), make_village(app, "Beihu").settle()
    body = {"member": mine.public_id}
    assert village.officer.post(f"{circle.path}/members", body).status_code == 201
    body = {"member": foreign.public_id}
    assert_problem(village.officer.post(f"{circle.path}/members", body), 404, "not-found")
    assert_problem(mine.post(f"{village.path}/members", body), 404, "not-found")


def test_savings_and_groups_bind_a_member(village: Village) -> None:
    person = village.settle()
    place = village.place(person)
    money = {"amount": {"amount": "10.00", "currency": "CNY"}}
    village.officer.post(f"{place}/savings/deposits", money)
    body = {
        "name": "Group",
        "pair_cap": {"amount": "100.00", "currency": "CNY"},
        "vouch_expires_on": "2027-06-30",
    }
    group = person.post(f"{village.path}/groups", body).get_json()
    bound = assert_problem(person.post(f"{place}/departure", {"reason": "x"}), 409, "still-bound")
    assert bound["reasons"] == ["They stand in a group.", "They have savings here."]
    person.post(f"/api/v1/groups/{group['id']}/step-back")
    village.officer.post(f"{place}/savings/withdrawals", money)
    assert person.post(f"{place}/departure", {"reason": "x"}).status_code == 200


def test_only_officers_and_auditors_list_members(village: Village) -> None:
    person = village.settle("Li Wei")
    for reader in (village.officer, village.auditor, village.operator):
        listed = reader.get(f"{village.path}/members", status="active").get_json()["items"]
        assert [item["member"]["id"] for item in listed] == [person.public_id]
        assert reader.get(f"{village.path}/members", status="left").get_json()["items"] == []
    assert_problem(person.get(f"{village.path}/members"), 403, "not-allowed")
    odd = village.officer.get(f"{village.path}/members", status="gone")
    assert_problem(odd, 422, "validation")
