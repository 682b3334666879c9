"""The newcomer gate over HTTP: officers are warned, whoever stands at it hears nothing."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from app.extensions import db
from community.communities.models import Membership, MembershipStatus
from community.monitoring.models import RiskEvent
from tests.api.people import Person, assert_problem, register
from tests.api.test_groups import sign_all
from tests.api.trust_village import money
from tests.api.village import Village, make_village
from tests.lending import NOW
from tests.reading import Reader
from tests.trust_life import YEAR_LATER

RULES: dict[str, Any] = {
    "newcomer_days": 5,
    "newcomer_trust_bps": 2_000,
    "gate_crowd_min": 3,
    "gate_admission": "warn",
    "gate_first_vouch": "warn",
    "risk_low_rules": ["newcomer"],
}


def promise(village: Village, giver: Person, taker: Person) -> Any:
    """Offered, and accepted by the other side; the answer of the acceptance."""
    offered = giver.post(
        f"{village.path}/vouches",
        {
            "side": "voucher",
            "other": taker.public_id,
            "limit": money("5.00"),
            "expires_on": YEAR_LATER.isoformat(),
        },
    )
    assert offered.status_code == 201, offered.text
    return taker.post(f"/api/v1/vouches/{offered.get_json()['id']}/acceptance")


def old_village(app: Flask, **rules: Any) -> tuple[Village, list[Person]]:
    """Three who have promised each other for longer than anybody is new."""
    village = make_village(app, **RULES | rules)
    known = [village.settle(name) for name in ("An", "Bo", "Cai")]
    for one in known:
        for other in known:
            if one is not other:
                assert promise(village, one, other).status_code == 200
    with app.app_context():
        # They came longer ago; tokens do not live so long.
        db.session.execute(
            update(Membership)
            .where(Membership.member_id.in_([person.member_id for person in known]))
            .values(since_on=NOW.date() - timedelta(days=10))
        )
        db.session.commit()
    return village, known


def applicant(village: Village, name: str) -> Person:
    person = register(village.app, name)
    answer = person.post(
        f"{village.path}/members", {"member": person.public_id, "reason": "moved here"}
    )
    assert answer.status_code in (200, 201), answer.text
    return person


def admit(village: Village, person: Person) -> Any:
    return village.officer.post(f"{village.place(person)}/activation", {"reason": "taken in"})


def cases(village: Village) -> list[Any]:
    items = village.officer.get(f"{village.path}/cases").get_json()["items"]
    return [village.officer.get(f"/api/v1/cases/{item['id']}").get_json() for item in items]


@pytest.fixture(autouse=True)
def _time(app: Flask) -> None:
    app.extensions["clock"].fixed = NOW


def test_a_crowd_whom_nobody_knows_is_pointed_out_to_the_officer(app: Flask) -> None:
    village, [an, *_] = old_village(app)
    people = [applicant(village, name) for name in ("x1", "x2", "x3")]
    answers = [admit(village, person) for person in people]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    warnings = [answer.get_json()["warning"] for answer in answers]
    assert warnings[:2] == [None, None]
    assert warnings[2]["facts"]["unknown"] == 3
    assert warnings[2]["words"].keys() == {"zh-CN", "en"}
    [case] = cases(village)
    assert case["id"] == warnings[2]["case"]
    assert [one["name"] for one in case["people"]] == ["x3"]
    # Whom it is about finds nothing of it, under no address.
    assert people[2].get("/api/v1/me/cases").get_json()["items"] == []
    assert people[2].get(f"/api/v1/cases/{case['id']}").status_code == 404
    # Their place in the community says nothing of it either.
    assert "warning" not in people[2].get(village.place(people[2])).get_json()
    # Known by somebody: two are left whom nobody knows, and the next one is the third again.
    for other in (people[0], people[1]):
        for giver, taker in ((an, other), (other, an)):
            assert promise(village, giver, taker).status_code == 200
    fourth = admit(village, applicant(village, "x4"))
    assert fourth.get_json()["warning"] is None
    assert len(cases(village)) == 1


def test_a_held_applicant_waits_until_the_case_is_closed(app: Flask) -> None:
    village, _ = old_village(app, gate_admission="hold", gate_crowd_min=1)
    person = applicant(village, "x1")
    assert_problem(admit(village, person), 409, "admission-held")
    assert_problem(admit(village, person), 409, "admission-held")
    [case] = cases(village)
    assert [event["facts"]["stage"] for event in case["events"]] == ["admission"]
    closing = {"outcome": "false_alarm", "text": "his aunt vouches for him by word"}
    assert village.officer.post(f"/api/v1/cases/{case['id']}/closing", closing).status_code == 201
    admitted = admit(village, person)
    assert admitted.status_code == 200
    assert admitted.get_json()["warning"]["case"] == case["id"]
    assert len(cases(village)) == 1


def test_first_promises_between_two_whom_nobody_knows_are_told_to_officers_alone(
    app: Flask,
) -> None:
    village, [an, bo, _] = old_village(app)
    x1, x2, good = (village.settle(name) for name in ("x1", "x2", "good"))
    # With somebody who is known: an ordinary first promise.
    assert promise(village, an, good).status_code == 200
    assert cases(village) == []
    told = promise(village, x1, x2)
    assert told.status_code == 200
    assert "warning" not in told.get_json()
    found = cases(village)
    assert {tuple(sorted(one["name"] for one in case["people"])) for case in found} == {
        ("x1", "x2")
    }
    assert len(found) == 2  # the first that x1 gives, and the first that x2 takes
    # A second one in the same direction is no first.
    assert promise(village, x1, good).status_code == 200
    assert len(cases(village)) == 2
    assert bo.get(f"{village.path}/cases").status_code == 404


def test_a_held_first_promise_stays_an_offer(app: Flask) -> None:
    village, _ = old_village(app, gate_first_vouch="hold")
    x1, x2 = village.settle("x1"), village.settle("x2")
    held = promise(village, x1, x2)
    assert_problem(held, 409, "first-vouch-held")
    # It says who decides, and nothing of why.
    assert set(held.get_json()) <= {"type", "title", "status", "detail", "instance", "request_id"}
    listed = x2.get(f"{village.place(x2)}/vouches").get_json()["items"]
    assert [one["status"] for one in listed] == ["offered"]
    for case in cases(village):
        closing = {"outcome": "resolved", "text": "seen at home"}
        village.officer.post(f"/api/v1/cases/{case['id']}/closing", closing)
    accepted = x2.post(f"/api/v1/vouches/{listed[0]['id']}/acceptance")
    assert (accepted.status_code, accepted.get_json()["status"]) == (200, "live")


def test_nobody_is_asked_about_where_nobody_is_known_yet(app: Flask) -> None:
    village = make_village(app, **RULES | {"gate_crowd_min": 1})
    answers = [admit(village, applicant(village, name)) for name in ("x1", "x2")]
    assert [answer.get_json()["warning"] for answer in answers] == [None, None]


def test_a_group_in_which_nobody_is_known_is_a_first_promise_of_its_members(app: Flask) -> None:
    village, [an, *_] = old_village(app, cooling_off_days=0)
    group, people = sign_all(village)
    # One of them has promised before, to somebody who is known: for them it is no first promise.
    assert promise(village, people[4], an).status_code == 200
    active = people[0].post(f"{group}/activation")
    assert (active.status_code, active.get_json()["status"]) == (200, "active"), active.text
    assert "warning" not in active.get_json()
    found = cases(village)
    facts = [event["facts"] for case in found for event in case["events"]]
    assert {(one["stage"], one["code"], one["members"]) for one in facts} == {
        ("first_vouch", "first_group", 5)
    }
    assert len(found) == 4
    assert people[0].get(f"{village.path}/cases").status_code == 404


def test_a_held_group_does_not_bind_until_the_cases_are_closed(app: Flask) -> None:
    village, _ = old_village(app, gate_first_vouch="hold", cooling_off_days=0)
    group, people = sign_all(village)
    assert_problem(people[0].post(f"{group}/activation"), 409, "first-vouch-held")
    assert people[0].get(group).get_json()["status"] == "cooling_off"
    found = cases(village)
    assert len(found) == 5
    for case in found:
        closing = {"outcome": "resolved", "text": "seen at home"}
        village.officer.post(f"/api/v1/cases/{case['id']}/closing", closing)
    active = people[0].post(f"{group}/activation")
    assert (active.status_code, active.get_json()["status"]) == (200, "active"), active.text
    assert len(cases(village)) == 5


def test_a_warning_is_written_with_the_act_or_not_at_all(app: Flask) -> None:
    """After every commit on the way: admitted and warned of, or neither."""
    village, _ = old_village(app, gate_crowd_min=1)
    person = applicant(village, "x1")
    seen: list[tuple[bool, int]] = []

    def look(_session: Session) -> None:
        with Session(db.engine) as other:
            status = other.scalars(
                select(Membership.status).where(Membership.member_id == person.member_id)
            ).one()
            events = other.scalar(select(func.count()).select_from(RiskEvent)) or 0
            seen.append((status is MembershipStatus.ACTIVE, events))

    event.listen(Session, "after_commit", look)
    try:
        assert admit(village, person).get_json()["warning"] is not None
    finally:
        event.remove(Session, "after_commit", look)
    assert set(seen) <= {(False, 0), (True, 1)}
    assert (True, 1) in seen


def test_pages_pass_the_same_gate(app: Flask) -> None:
    village, _ = old_village(app, gate_first_vouch="hold", gate_admission="hold", gate_crowd_min=1)
    x1, x2 = village.settle("x1"), village.settle("x2")
    offered = x1.post(
        f"{village.path}/vouches",
        {
            "side": "voucher",
            "other": x2.public_id,
            "limit": money("5.00"),
            "expires_on": YEAR_LATER.isoformat(),
        },
    ).get_json()["id"]
    held = (
        Reader(app)
        .sign_in(x2.token)
        .send(f"/me/vouches/{offered}/acceptance", shown=f"/me/vouches/{offered}")
    )
    assert held.status_code == 409
    assert "waits for an officer" in held.text
    assert len(cases(village)) == 2
    person = applicant(village, "x3")
    place = f"/office/{village.path.rpartition('/')[2]}/members/{person.public_id}"
    refused = (
        Reader(app)
        .sign_in(village.officer.token)
        .send(f"{place}/activation", shown=place, reason="taken in")
    )
    assert refused.status_code == 409
    assert len(cases(village)) == 3
