"""Members, households, roles and tokens through HTTP: what works, what is refused, to whom."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from community.members.principal import Role
from tests.api.people import Person, assert_problem, register
from tests.api.village import Village, make_village
from tests.reading import Reader, hidden

UNKNOWN = "/api/v1/members/mem_0000000000000000"


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


def at(person: Person, rest: str = "") -> str:
    return f"/api/v1/members/{person.public_id}{rest}"


def test_me_says_who_i_am_and_where_i_belong(village: Village) -> None:
    person = village.settle("Li Wei")
    me = person.get("/api/v1/me").get_json()
    assert (me["id"], me["name"], me["scopes"]) == (person.public_id, "Li Wei", ["read", "write"])
    assert [(m["community"], m["status"]) for m in me["memberships"]] == [
        (village.public_id, "active")
    ]
    officer = village.officer.get("/api/v1/me").get_json()
    assert [(r["role"], r["community"]) for r in officer["roles"]] == [
        ("officer", village.public_id)
    ]


def test_without_a_token_nothing_is_told(client: FlaskClient, village: Village) -> None:
    for path in ("/api/v1/me", at(village.officer), village.path, "/api/v1/communities"):
        assert_problem(client.get(path), 401, "bad-token")


def test_there_is_no_list_of_members(village: Village) -> None:
    assert_problem(village.operator.get("/api/v1/members"), 405, "method-not-allowed")


def test_an_officer_registers_a_member_who_has_applied(village: Village) -> None:
    body = {"name": "Zhao Min", "birth_year": 1980, "community": village.public_id}
    made = village.officer.post("/api/v1/members", body)
    assert made.status_code == 201, made.text
    member = made.get_json()
    assert member["kind"] == "person"
    place = village.officer.get(f"{village.path}/members/{member['id']}").get_json()
    assert place["status"] == "applied"


def test_only_operators_register_without_a_community(village: Village) -> None:
    body = {"name": "Zhao Min"}
    assert village.operator.post("/api/v1/members", body).status_code == 201
    assert_problem(village.officer.post("/api/v1/members", body), 403, "not-allowed")


def test_members_and_other_officers_do_not_register(app: Flask, village: Village) -> None:
    body = {"name": "Zhao Min", "community": village.public_id}
    member, elsewhere = village.settle(), make_village(app, "Beihu")
    assert_problem(member.post("/api/v1/members", body), 403, "not-allowed")
    assert_problem(elsewhere.officer.post("/api/v1/members", body), 404, "not-found")
    assert_problem(village.auditor.post("/api/v1/members", body), 403, "not-allowed")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 121},
        {"name": 7},
        {"name": "Zhao\u0007Min"},
        {"name": "Z", "kind": "robot"},
        {"name": "Z", "birth_year": "1980"},
        {"name": "Z", "birth_year": 1980.5},
        {"name": "Z", "birth_year": 10**17},
        {"name": "Z", "household": "hh_1"},
        {"name": "Z", "community": 5},
        {"name": "Z", "is_admin": True},
    ],
)
def test_an_odd_registration_names_the_field(village: Village, body: dict[str, Any]) -> None:
    problem = assert_problem(village.operator.post("/api/v1/members", body), 422, "validation")
    assert problem["errors"]


def test_a_taken_reference_is_refused(village: Village) -> None:
    body = {"name": "Zhao Min", "reference": "N-1"}
    assert village.operator.post("/api/v1/members", body).status_code == 201
    assert_problem(village.operator.post("/api/v1/members", body), 409, "member-exists")
    future = {"name": "Z", "birth_year": 2200}
    assert_problem(village.operator.post("/api/v1/members", future), 422, "bad-birth-year")


def test_who_may_see_a_member(app: Flask, village: Village) -> None:
    person, neighbour = village.settle(), village.settle()
    elsewhere = make_village(app, "Beihu")
    for reader in (person, village.officer, village.operator, village.auditor):
        seen = reader.get(at(person))
        assert (seen.status_code, "birth_year" in seen.get_json()) == (200, True)
    for stranger in (neighbour, elsewhere.officer, elsewhere.auditor):
        assert_problem(stranger.get(at(person)), 404, "not-found")
    assert_problem(person.get(UNKNOWN), 404, "member-not-found")


def test_the_county_officer_looks_after_the_village(app: Flask) -> None:
    county = make_village(app, "County")
    village = make_village(app, "Nanhu", inside=county)
    person, townsman = village.settle(), county.settle()
    assert county.officer.get(at(person)).status_code == 200
    assert_problem(village.officer.get(at(townsman)), 404, "not-found")


def test_fellow_members_of_a_group_see_the_name_and_no_more(village: Village) -> None:
    founder, friend = village.settle("Founder"), village.settle("Friend")
    body = {
        "name": "Group",
        "pair_cap": {"amount": "100.00", "currency": "CNY"},
        "vouch_expires_on": "2027-06-30",
    }
    group = founder.post(f"{village.path}/groups", body).get_json()
    founder.post(f"/api/v1/groups/{group['id']}/invitations", {"member": friend.public_id})
    seen = friend.get(at(founder)).get_json()
    assert seen == {"id": founder.public_id, "name": "Founder", "kind": "person"}


def test_a_name_is_corrected_on_the_version_that_was_read(village: Village) -> None:
    person = village.settle("Li Wie")
    etag = village.officer.get(at(person)).headers["ETag"]
    change = {"name": "Li Wei"}
    assert_problem(village.officer.patch(at(person), change), 428, "precondition-required")
    changed = village.officer.patch(at(person), change, etag=etag)
    assert (changed.status_code, changed.get_json()["name"]) == (200, "Li Wei")
    assert changed.headers["ETag"] != etag
    again = village.officer.patch(at(person), change, etag=etag)
    assert_problem(again, 412, "precondition-failed")
    assert_problem(village.officer.patch(at(person), {}, etag=etag), 422, "validation")
    assert_problem(person.patch(at(person), change, etag=etag), 403, "not-allowed")
    assert_problem(village.auditor.patch(at(person), change, etag=etag), 403, "not-allowed")


def test_households_are_for_their_members_and_officers(app: Flask, village: Village) -> None:
    made = village.officer.post("/api/v1/households", {"reference": "H-1"})
    assert made.status_code == 201, made.text
    home = made.get_json()["id"]
    body = {"name": "Zhao Min", "household": home, "community": village.public_id}
    member = village.officer.post("/api/v1/members", body).get_json()
    assert member["household"] == home
    path = f"/api/v1/households/{home}"
    seen = village.officer.get(path).get_json()
    assert [m["id"] for m in seen["members"]] == [member["id"]]
    elsewhere = make_village(app, "Beihu")
    assert_problem(elsewhere.officer.get(path), 404, "not-found")
    assert_problem(village.settle().get(path), 404, "not-found")
    intruder = {"name": "X", "household": home, "community": elsewhere.public_id}
    assert_problem(elsewhere.officer.post("/api/v1/members", intruder), 404, "not-found")
    again = village.officer.post("/api/v1/households", {"reference": "H-1"})
    assert_problem(again, 409, "household-exists")
    member_asks = village.settle().post("/api/v1/households", {"reference": "H-2"})
    assert_problem(member_asks, 403, "not-allowed")


def test_a_household_stays_while_its_member_stands_in_a_group(village: Village) -> None:
    founder = village.settle()
    etag = village.officer.get(at(founder)).headers["ETag"]
    body = {
        "name": "Group",
        "pair_cap": {"amount": "100.00", "currency": "CNY"},
        "vouch_expires_on": "2027-06-30",
    }
    founder.post(f"{village.path}/groups", body)
    moved = village.officer.patch(at(founder), {"household": None}, etag=etag)
    assert_problem(moved, 409, "stands-in-group")


def test_operators_give_roles_and_take_them_back(village: Village) -> None:
    person = village.settle()
    body = {"role": "officer", "community": village.public_id}
    assert_problem(person.get(f"{village.path}/members"), 403, "not-allowed")
    assert_problem(village.officer.post(at(person, "/roles"), body), 403, "not-allowed")
    granted = village.operator.post(at(person, "/roles"), body)
    assert granted.status_code == 201, granted.text
    assert person.get(f"{village.path}/members").status_code == 200
    role = granted.get_json()["id"]
    listed = person.get(at(person, "/roles")).get_json()["items"]
    assert [item["id"] for item in listed] == [role]
    assert village.operator.delete(at(person, f"/roles/{role}")).status_code == 204
    assert_problem(person.get(f"{village.path}/members"), 403, "not-allowed")
    foreign = village.operator.delete(at(village.officer, f"/roles/{role}"))
    assert_problem(foreign, 404, "role-grant-not-found")


def test_the_last_operator_stays(village: Village) -> None:
    operator = village.operator
    role = operator.get("/api/v1/me").get_json()["roles"][0]["id"]
    assert_problem(operator.delete(at(operator, f"/roles/{role}")), 409, "last-operator")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(app: Flask, village: Village) -> None:
    person = village.settle()
    made = person.post(at(person, "/tokens"), {"label": "phone", "lifetime_days": 2})
    assert made.status_code == 201, made.text
    token = made.get_json()
    phone = Person(app, person.member_id, person.public_id, token["token"])
    assert phone.get("/api/v1/me").status_code == 200
    listed = person.get(at(person, "/tokens"))
    assert token["token"] not in listed.text
    assert token["id"] == listed.get_json()["items"][0]["id"]
    assert person.delete(at(person, f"/tokens/{token['id']}")).status_code == 204
    assert_problem(phone.get("/api/v1/me"), 401, "token-revoked")


def test_a_token_for_reading_does_not_write(app: Flask, village: Village) -> None:
    person = village.settle()
    body = {"label": "screen", "scopes": ["read"]}
    secret = person.post(at(person, "/tokens"), body).get_json()["token"]
    screen = Person(app, person.member_id, person.public_id, secret)
    assert screen.get("/api/v1/me").status_code == 200
    assert_problem(screen.post(at(person, "/tokens"), body), 403, "scope-missing")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"label": "x", "lifetime_days": 0}, "validation"),
        ({"label": "x", "lifetime_days": 366}, "bad-lifetime"),
        ({"label": "x", "scopes": ["admin"]}, "validation"),
        ({"label": "x", "scopes": []}, "validation"),
        ({"lifetime_days": 3}, "validation"),
    ],
)
def test_odd_tokens_are_refused(village: Village, body: dict[str, Any], code: str) -> None:
    assert_problem(village.operator.post(at(village.operator, "/tokens"), body), 422, code)


def test_an_officer_hands_a_token_to_a_member_in_their_care_only(
    app: Flask, village: Village
) -> None:
    body = {"label": "first"}
    person = village.settle()
    assert village.officer.post(at(person, "/tokens"), body).status_code == 201
    # A member of another community too is in others' care as well.
    make_village(app, "Weavers").take_in(person)
    assert_problem(village.officer.post(at(person, "/tokens"), body), 403, "not-allowed")
    # Nobody gains a power by a token that they do not have.
    powerful = village.settle()
    village.operator.post(at(powerful, "/roles"), {"role": "operator"})
    assert_problem(village.officer.post(at(powerful, "/tokens"), body), 403, "not-allowed")
    assert_problem(village.officer.post(at(village.operator, "/tokens"), body), 404, "not-found")
    assert_problem(village.settle().post(at(person, "/tokens"), body), 404, "not-found")
    assert_problem(village.auditor.post(at(person, "/tokens"), body), 403, "not-allowed")


def test_an_expired_token_says_so(app: Flask) -> None:
    late = register(app, lifetime=timedelta(hours=1))
    clock = app.extensions["clock"]
    clock.fixed = clock.now() + timedelta(hours=2)
    assert_problem(late.get("/api/v1/me"), 401, "token-expired")


def test_the_command_line_makes_the_first_operator(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["members", "add-operator", "Chen Jing"])
    assert result.exit_code == 0, result.output
    operator = Person(app, 0, "", result.output.strip())
    me = operator.get("/api/v1/me").get_json()
    assert (me["name"], me["roles"][0]["role"]) == ("Chen Jing", Role.OPERATOR.value)


def test_a_code_used_twice_at_once_serves_once(app: Flask, person: Callable[..., Person]) -> None:
    operator = person("Operator", roles=[(Role.OPERATOR, None)])
    member = person("Li Wei")
    code = operator.post(f"/api/v1/members/{member.public_id}/enrolment-codes").get_json()["code"]
    readers = [Reader(app), Reader(app)]
    forms = [hidden(reader.open("/enrol").text) for reader in readers]
    gate, answers = threading.Barrier(2), [0, 0]

    def enrol(place: int) -> None:
        form = forms[place] | {
            "code": code,
            "login_name": f"name{place}",
            "password": "a field of rice",
        }
        gate.wait()
        answers[place] = readers[place].client.post("/enrol", data=form).status_code

    threads = [threading.Thread(target=enrol, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 422]
