"""A member's own file: who looked at it, all of it to take along, and its end."""

import json
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import func, select, update

from app.clock import now as clock
from app.extensions import db
from community.ledger.models import Event
from community.members.models import ApiToken, Credential, EnrolmentCode, Member, PageSession
from community.members.principal import Role
from community.members.service import create_household
from community.monitoring.models import PeerReport, RiskCase, Visit, VisitPhoto
from community.personal import erasure
from community.personal.models import AccessNote
from community.personal.registry import ABOUT
from community.personal.retention import read_rules, run_out, take_portion
from community.receiving.models import PayerAccount
from community.verification import verify
from tests.api.people import assert_problem, register
from tests.api.world import API, World


def notes(world: World) -> list[tuple[str, str, str]]:
    """Who is noted with wang: the reader, the role, the action."""
    answer = world.call("wang", "GET", "/members/@wang/access-log?limit=100")
    assert answer.status_code == 200
    names = {value: key for key, value in world.ids.items()}
    return [
        (names.get(one["reader"]["id"], one["reader"]["id"]), one["role"], one["action"])
        for one in answer.get_json()["items"]
    ]


def test_the_member_reads_who_looked_at_their_data(world: World) -> None:
    before = Counter(notes(world))
    for who in ("officer", "auditor", "operator", "officer"):
        assert world.call(who, "GET", "/members/@wang").status_code == 200
        assert world.call(who, "GET", "/members/@wang/savings").status_code == 200
    # Their own reading, a fellow's, and one that was refused leave nothing.
    assert world.call("wang", "GET", "/members/@wang").status_code == 200
    assert world.call("zhao", "GET", "/members/@wang").status_code == 200
    assert world.call("wu", "GET", "/members/@wang").status_code == 404
    found = Counter(notes(world))
    looked = {
        (who, who, action)
        for who in ("officer", "auditor", "operator")
        for action in ("member:read", "member:details")
    }
    # Once an hour, however often; what other tests have read before is noted already.
    assert looked <= found.keys()
    assert set(found - before) <= looked
    assert set((found - before).values()) <= {1}


def test_a_reading_is_answered_though_it_cannot_be_noted(world: World) -> None:
    with world.app.app_context():
        holder = db.engine.connect()
        holder.exec_driver_sql("SELECT 1")
        is_sqlite = db.engine.dialect.name == "sqlite"
        holder.rollback()
        if is_sqlite:
            holder.exec_driver_sql("ROLLBACK")
            holder.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            holder.exec_driver_sql("LOCK TABLE access_notes IN ACCESS EXCLUSIVE MODE")
        try:
            answer = world.call("officer", "GET", "/members/@gao")
            assert answer.status_code == 200
        finally:
            holder.rollback()
            holder.close()
        # Once there is room again it is noted: what was lost is not taken for noted.
        assert world.call("officer", "GET", "/members/@gao").status_code == 200
        gao = db.session.scalars(
            select(AccessNote.action)
            .join(Member, Member.id == AccessNote.member_id)
            .where(Member.public_id == world.ids["gao"])
        ).all()
        assert "member:read" in gao
        db.session.rollback()


def test_the_export_holds_what_is_theirs_and_nobody_elses(world: World) -> None:
    answer = world.call("wang", "GET", "/members/@wang/export")
    assert answer.status_code == 200
    told = answer.get_json()
    assert told["member"] == world.ids["wang"]
    data: dict[str, list[dict[str, Any]]] = told["data"]
    assert data.keys() == {name for name, place in ABOUT.items() if place.subjects or place.via}
    assert [row["public_id"] for row in data["members"]] == [world.ids["wang"]]
    for name in ("loans", "instalments", "repayments", "vouches", "accounts", "memberships"):
        assert data[name], name
    assert {loan["borrower_id"] for loan in data["loans"]} == {world.ids["wang"]}
    # No secret, no number of a row, no name of anybody else.
    with world.app.app_context():
        names = {
            row.name: row.public_id
            for row in db.session.execute(select(Member.name, Member.public_id))
        }
        mine = {name for name, public_id in names.items() if public_id == world.ids["wang"]}
        reports = db.session.scalars(select(PeerReport.text)).all()
        db.session.rollback()
    text = json.dumps(data, ensure_ascii=False)
    offices = {"auditor", "officer", "operator"}
    assert not {name for name in names.keys() - mine - offices if f'"{name}"' in text}
    assert not [report for report in reports if report in text]
    for row in (row for rows in data.values() for row in rows):
        assert not row.keys() & {"id", "digest", "password_hash", "reference_index"}
    assert "peer_reports" in told["withheld"]


def test_nobody_is_erased_while_anything_is_live(world: World) -> None:
    answer = world.call("operator", "POST", "/members/@wang/erasure")
    problem = assert_problem(answer, 409, "still-live")
    assert {"loans", "promises", "savings", "memberships"} <= problem["live"].keys()
    assert all(count > 0 for count in problem["live"].values())
    assert world.changed() == []


def test_words_about_members_are_emptied_and_every_law_holds(world: World) -> None:
    """All members of the village at once, whatever they have going on; then nothing of it stays."""
    with world.app.app_context():
        session = db.session()
        session.connection(execution_options={"write_lock": True})
        people = session.scalars(select(Member).order_by(Member.id)).all()
        names = {member.name for member in people} - {"officer", "operator", "auditor", "clerk"}
        texts = [*session.scalars(select(PeerReport.text)), *session.scalars(select(Visit.note))]
        assert len(texts) > 1
        for member in people:
            erasure.take_out(session, member, now=clock())
        session.expire_all()
        assert verify(session).breaches == ()
        assert {name for name in session.scalars(select(Member.name)) if name in names} == set()
        assert session.scalar(select(Member.id).where(Member.reference.is_not(None))) is None
        assert set(session.scalars(select(PeerReport.text))) == {""}
        assert set(session.scalars(select(VisitPhoto.content))) == {b""}
        assert session.scalar(select(Visit.id).where(Visit.latitude_micro.is_not(None))) is None
        for model in (PageSession, Credential, PayerAccount, EnrolmentCode):
            assert session.scalar(select(func.count()).select_from(model)) == 0
        live = select(ApiToken.id).where(ApiToken.revoked_at.is_(None))
        assert session.scalar(live) is None
        session.rollback()
    assert world.changed() == []


def test_whatever_runs_out_goes_and_every_law_holds(world: World) -> None:
    """Ten years on, by the platform's rules; then nothing of it stays done."""

    with world.app.app_context():
        session = db.session()
        session.connection(execution_options={"write_lock": True})
        then = clock() + timedelta(days=3_660)
        session.execute(
            update(RiskCase).values(status="closed", closed_on=RiskCase.due_on, outcome="resolved")
        )
        when: dict[str, Any] = {"now": then, "on": then.date()}
        taken = {}
        for rule in read_rules():
            count = run_out(session, rule, **when)
            assert take_portion(session, rule, **when, limit=10_000) == count
            assert run_out(session, rule, **when) == 0
            taken[rule.kind] = count
        assert {"tokens", "visit_photos", "peer_reports", "case_notes"} <= {
            kind for kind, count in taken.items() if count
        }
        breaches = verify(session).breaches
        assert {breach.table for breach in breaches} <= {"risk_cases"}
        session.rollback()
    assert world.changed() == []


def test_an_erased_member_is_a_number_in_books_that_still_hold(app: Flask) -> None:
    """Registered with a reference and a household, a token and a password; gone with all of it."""
    operator = register(app, roles=[(Role.OPERATOR, None)])
    member = register(app)
    kept = member.public_id
    with app.app_context():
        session = db.session()
        row = session.get_one(Member, member.member_id)
        home = create_household(session, reference="door 7", now=clock())
        row.reference, row.household_id, row.birth_year = "330106-7", home.id, 1961
        session.commit()
    set_password = {"login_name": "13800138000", "password": "a field of rice"}
    assert member.put(f"{API}/members/{kept}/credentials", set_password).status_code == 200
    plain = operator.get(f"{API}/members/{kept}").get_json()
    assert (plain["reference"], plain["birth_year"]) == ("330106-7", 1961)
    mine = member.get(f"{API}/members/{kept}/export").get_json()
    assert mine["data"]["members"][0]["reference"] == "330106-7"
    assert mine["data"]["credentials"][0]["login_name"] == "13800138000"
    assert mine["household"]["reference"] == "door 7"
    done = operator.post(f"{API}/members/{kept}/erasure")
    assert done.status_code == 200, done.text
    told = done.get_json()
    assert told["removed"] == {"credentials": 1}
    expected = {"api_tokens.label", "members.name", "members.reference", "members.birth_year"}
    assert told["emptied"].keys() == {*expected, "households.reference"}
    assert {"table": "members", "why": "identity"} in told["kept"]
    # What let them in does so no longer, and what they were called is in no answer.
    assert_problem(member.get(f"{API}/me"), 401, "token-revoked")
    shown = operator.get(f"{API}/members/{kept}")
    after, etag = shown.get_json(), shown.headers["ETag"]
    assert (after["name"], after["reference"], after["household"]) == (kept, None, None)
    for refused in (
        operator.post(f"{API}/members/{kept}/erasure"),
        operator.patch(f"{API}/members/{kept}", {"name": "Li"}, etag=etag),
        operator.post(f"{API}/members/{kept}/tokens", {"label": "x"}),
        operator.post(f"{API}/members/{kept}/enrolment-codes"),
        operator.post(f"{API}/members/{kept}/roles", {"role": "officer"}),
    ):
        assert_problem(refused, 409, "member-erased")
    with app.app_context():
        assert verify(db.session()).breaches == ()
        event = db.session.scalars(select(Event).where(Event.kind == "member.erased")).one()
        assert event.subject == kept
        assert "330106" not in json.dumps(event.facts)


def test_who_holds_a_role_is_not_erased(app: Flask) -> None:
    operator = register(app, roles=[(Role.OPERATOR, None)])
    officer = register(app, roles=[(Role.AUDITOR, None)])
    problem = assert_problem(
        operator.post(f"{API}/members/{officer.public_id}/erasure"), 409, "still-live"
    )
    assert problem["live"] == {"roles": 1}


def test_a_member_asks_to_be_erased_and_the_office_answers(app: Flask) -> None:
    """Asked, taken back, refused with a reason, asked again, done; all of it in the chain."""
    operator = register(app, roles=[(Role.OPERATOR, None)])
    member = register(app)
    mine = f"{API}/members/{member.public_id}"
    asked = f"{mine}/erasure-request"
    outlook = member.get(f"{mine}/erasure").get_json()
    assert (outlook["live"], outlook["request"], outlook["answer_days"]) == ({}, None, 30)
    assert {"table": "members", "why": "identity"} in outlook["kept"]
    assert "members.name" in outlook["emptied"]
    for wrong in ({}, {"understood": False}, {"understood": 1}):
        assert_problem(member.post(asked, wrong), 422, "validation")
    assert_problem(member.delete(asked), 404, "erasure-not-asked")
    assert_problem(operator.post(asked, {"understood": True}), 403, "not-allowed")
    told = member.post(asked, {"understood": True})
    assert told.status_code == 201, told.text
    due = date.fromisoformat(told.get_json()["due_on"])
    assert due - datetime.fromisoformat(told.get_json()["asked_at"]).date() in (
        timedelta(days=30),
        timedelta(days=31),  # the community's day may be the next one already
    )
    assert_problem(member.post(asked, {"understood": True}), 409, "erasure-asked")
    waiting = operator.get(f"{API}/erasure-requests").get_json()["items"]
    assert [item["member"]["id"] for item in waiting] == [member.public_id]
    assert member.delete(asked).get_json()["state"] == "withdrawn"
    assert operator.get(f"{API}/erasure-requests").get_json()["items"] == []
    assert member.post(asked, {"understood": True}).status_code == 201
    assert_problem(operator.post(f"{asked}/refusal", {"reason": ""}), 422, "validation")
    assert_problem(member.post(f"{asked}/refusal", {"reason": "x"}), 403, "not-allowed")
    refused = operator.post(f"{asked}/refusal", {"reason": "A complaint is open."})
    assert refused.get_json()["state"] == "refused"
    assert_problem(operator.post(f"{asked}/refusal", {"reason": "x"}), 404, "erasure-not-asked")
    known = member.get(f"{mine}/erasure").get_json()["request"]
    assert (known["state"], known["reason"]) == ("refused", "A complaint is open.")
    assert member.post(asked, {"understood": True}).status_code == 201
    done = operator.post(f"{mine}/erasure").get_json()
    assert done["emptied"]["erasure_requests.reason"] == 1
    after = operator.get(f"{mine}/erasure").get_json()["request"]
    assert after["state"] == "done"
    with app.app_context():
        session = db.session()
        assert verify(session).breaches == ()
        kinds = session.scalars(
            select(Event.kind)
            .where(Event.subject == member.public_id, Event.kind.like("member.eras%"))
            .order_by(Event.seq)
        ).all()
        assert [kind.partition("_")[2] or kind for kind in kinds] == [
            "asked",
            "withdrawn",
            "asked",
            "refused",
            "asked",
            "member.erased",
        ]
        facts = session.scalars(select(Event.facts).where(Event.kind == "member.erasure_refused"))
        assert facts.all() == [{}]


def test_what_is_confidential_is_not_told_by_a_refused_wish(world: World) -> None:
    """Zhao has an open case that a report opened; what stands against her wish does not say so."""
    mine = "/members/@zhao/erasure"
    own = world.call("zhao", "GET", mine).get_json()["live"]
    told = world.call("operator", "GET", mine).get_json()["live"]
    assert told.pop("cases") >= 1
    told.pop("complaints", None)
    assert own == told
    asked = world.call("zhao", "POST", f"{mine}-request", json={"understood": True})
    problem = assert_problem(asked, 409, "still-live")
    assert problem["live"] == own
    assert not {"cases", "complaints"} & problem["live"].keys()
    assert world.changed() == []
