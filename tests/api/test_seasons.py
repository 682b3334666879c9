"""The season calendar and declared events through HTTP."""

import csv
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from app.extensions import db
from community.loans import service as loans
from community.members.principal import Role
from community.members.service import grant_role, issue_token
from community.products import service as products
from tests.api.people import Person, assert_problem
from tests.api.world import API
from tests.hamlet import Hamlet, yuan

SOWN, SOLD = date(2026, 4, 1), date(2026, 10, 15)
RICE: dict[str, Any] = {
    "code": "rice-2026",
    "crop": "rice",
    "sow_from": SOWN,
    "sow_until": date(2026, 5, 10),
    "harvest_from": date(2026, 9, 20),
    "selling": [{"due_on": "2026-10-15", "weight": 60}, {"due_on": "2026-12-01", "weight": 40}],
}
TERMS = {"amortisation": "seasonal", "day_count": "actual/365"}
FLOOD: dict[str, Any] = {
    "kind": "flood",
    "crop": "rice",
    "happened_on": "2026-03-02",
    "dues_from": "2026-10-01",
    "dues_until": "2026-12-31",
    "effect": {"kind": "freeze", "until": "2027-02-01", "interest": "waived"},
    "reason": "the river came",
}
YEAR = {"from": "2026-01-01", "until": "2027-12-31"}


class Farm:
    """A hamlet whose members borrowed for rice, its officer and one of the borrowers."""

    def __init__(self, app: Flask, session: Session) -> None:
        self.app = app
        self.hamlet = Hamlet(session)
        app.extensions["clock"].fixed = self.hamlet.now
        self.hamlet.fund(10_000_00)
        self.product_id = self.hamlet.product("seasonal", TERMS)
        self.season = self.hamlet.do(
            products.add_season,
            community_id=self.hamlet.community.id,
            now=self.hamlet.now,
            actor_id=None,
            **RICE,
        )
        self.community = self.hamlet.community.public_id
        grant_role(
            session,
            member_id=self.hamlet.officer.id,
            role=Role.OFFICER,
            community_id=self.hamlet.community.id,
            now=self.hamlet.now,
        )
        self.officer = self._caller("officer", self.hamlet.officer)

    def lend(self, name: str, minor: int) -> str:
        member = self.hamlet.people.get(name) or self.hamlet.person(name, assessed=5_000_00)
        loan = self.hamlet.do(
            loans.apply,
            community_id=self.hamlet.community.id,
            borrower_id=member.id,
            product_id=self.product_id,
            principal=yuan(minor),
            purpose="seed",
            season_id=self.season.id,
            actor_id=member.id,
            **self.hamlet.when,
        )
        self.hamlet.approve(loan)
        self.hamlet.do(loans.disburse, loan_id=loan.id, actor_id=None, **self.hamlet.when)
        return loan.public_id

    def caller(self, name: str) -> Person:
        return self._caller(name, self.hamlet.people[name])

    def _caller(self, name: str, member: Any) -> Person:
        _, token = self.hamlet.do(
            issue_token,
            member_id=member.id,
            label=name,
            lifetime=timedelta(days=2),
            lifetime_max=timedelta(days=2),
            now=self.hamlet.now,
        )
        return Person(self.app, member.id, member.public_id, token)


@pytest.fixture
def farm(app: Flask) -> Any:
    with app.app_context():
        yield Farm(app, db.session())


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def test_a_flood_from_draft_to_undone(farm: Farm) -> None:
    loan, _ = farm.lend("wang", 1_000_00), farm.lend("li", 500_00)
    before = farm.officer.get(f"{API}/loans/{loan}").json["schedule"]
    made = farm.officer.post(f"{API}/communities/{farm.community}/declared-events", FLOOD)
    assert made.status_code == 201, made.text
    event = made.json
    assert (event["status"], event["preview"]) == ("draft", None)
    assert {key: event[key] for key in FLOOD} == FLOOD
    path = f"{API}/declared-events/{event['id']}"

    seen = farm.officer.post(f"{path}/preview")
    assert seen.status_code == 200, seen.text
    assert seen.json["preview"] == {
        "loans": 2,
        "members": 2,
        "refusals": [],
        "months": [
            {"month": "2026-10", "before": cny("900.00"), "after": cny("0.00")},
            {"month": "2026-12", "before": cny("600.00"), "after": cny("0.00")},
            {"month": "2027-02", "before": cny("0.00"), "after": cny("900.00")},
            {"month": "2027-03", "before": cny("0.00"), "after": cny("600.00")},
        ],
    }
    assert farm.officer.get(f"{API}/loans/{loan}").json["schedule"] == before
    first = farm.officer.get(f"{path}/loans", limit=1).json
    assert first["next_cursor"]
    rest = farm.officer.get(f"{path}/loans", limit=1, cursor=first["next_cursor"]).json
    assert {first["items"][0]["loan"], rest["items"][0]["loan"]} >= {loan}
    assert first["items"][0]["after"][0]["due_on"] == "2027-02-01"

    done = farm.officer.post(f"{path}/apply", {"reason": "assembly of 2 March"})
    assert done.status_code == 200, done.text
    assert done.json["status"] == "applied"
    assert done.json["progress"]["applied"] == 2
    after = farm.officer.get(f"{API}/loans/{loan}").json["schedule"]
    assert [row["due_on"] for row in after] == ["2027-02-01", "2027-03-20"]
    # Sent again, as after a lost answer: nothing happens twice.
    assert farm.officer.post(f"{path}/apply", {}).json == done.json

    gone = farm.officer.post(f"{path}/undo", {"reason": "the water was low"})
    assert gone.status_code == 200, gone.text
    assert farm.officer.get(f"{API}/loans/{loan}").json["schedule"] == before
    steps = [(step["status"], step["by"]) for step in gone.json["steps"]]
    names = ["draft", "previewed", "applying", "applied", "undoing", "undone"]
    assert steps == [(name, farm.officer.public_id) for name in names]
    assert_problem(farm.officer.post(f"{path}/apply", {}), 409, "wrong-state")
    listed = farm.officer.get(
        f"{API}/communities/{farm.community}/declared-events", status="undone"
    )
    assert [item["id"] for item in listed.json["items"]] == [event["id"]]


def test_a_changed_portfolio_is_told_with_what_changed(farm: Farm) -> None:
    farm.lend("wang", 1_000_00)
    event = farm.officer.post(f"{API}/communities/{farm.community}/declared-events", FLOOD).json[
        "id"
    ]
    farm.officer.post(f"{API}/declared-events/{event}/preview")
    late = farm.lend("li", 500_00)
    refused = farm.officer.post(f"{API}/declared-events/{event}/apply", {})
    body = assert_problem(refused, 409, "portfolio-changed")
    assert body["changed"] == {
        "loans": 1,
        "added": 1,
        "altered": 0,
        "gone": 0,
        "some": [late],
    }
    farm.officer.post(f"{API}/declared-events/{event}/preview")
    assert farm.officer.post(f"{API}/declared-events/{event}/apply", {}).status_code == 200


def test_what_is_not_done_in_time_is_done_by_the_next_request(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.seasons.work.PORTION", 1)
    monkeypatch.setattr("app.seasons.routes.REQUEST_SECONDS", -1.0)
    farm.lend("wang", 1_000_00), farm.lend("li", 500_00)
    event = farm.officer.post(f"{API}/communities/{farm.community}/declared-events", FLOOD).json[
        "id"
    ]
    farm.officer.post(f"{API}/declared-events/{event}/preview")
    first = farm.officer.post(f"{API}/declared-events/{event}/apply", {})
    assert (first.status_code, first.json["status"]) == (202, "applying")
    assert first.json["progress"]["applied"] == 1
    second = farm.officer.post(f"{API}/declared-events/{event}/apply", {})
    assert (second.status_code, second.json["status"]) == (200, "applied")


def test_the_calendar_and_its_sheet(farm: Farm) -> None:
    farm.lend("wang", 1_000_00)
    farm.lend("wang", 500_00)
    path = f"{API}/communities/{farm.community}/season-calendar"
    found = farm.officer.get(path, **YEAR, by="crop,region").json
    assert found["dues"][0] == {
        "crop": "rice",
        "region": farm.community,
        "product": None,
        "from_on": "2026-10-01",
        "window": None,
        "loans": 2,
        "members": 1,
        "principal": cny("900.00"),
        "interest": cny("0.00"),
        "fee": cny("0.00"),
        "penalty": cny("0.00"),
        "paid": cny("0.00"),
        "due": cny("900.00"),
    }
    sheet = farm.officer.get(f"{path}.csv", **YEAR, by="crop,region")
    assert sheet.mimetype == "text/csv"
    rows = list(csv.DictReader(StringIO(sheet.text)))
    assert [(row["day"], row["region"], row["due"]) for row in rows] == [
        ("2026-10-01", "Hamlet", "900.00"),
        ("2026-12-01", "Hamlet", "600.00"),
    ]
    windows = farm.officer.get(path, **YEAR, step="window").json["dues"]
    assert [(line["window"], line["due"]) for line in windows] == [("sell", cny("1500.00"))]
    own = farm.caller("wang")
    mine = own.get(f"{API}/members/{own.public_id}/calendar", **YEAR).json["items"]
    assert [(due["due_on"], due["due"]["amount"]) for due in mine] == [
        ("2026-10-15", "600.00"),
        ("2026-10-15", "300.00"),
        ("2026-12-01", "400.00"),
        ("2026-12-01", "200.00"),
    ]


def test_a_formula_for_a_crop_stays_a_text_in_the_sheet(farm: Farm) -> None:
    farm.season.crop = "=1+1"
    db.session().commit()
    farm.lend("wang", 1_000_00)
    path = f"{API}/communities/{farm.community}/season-calendar.csv"
    assert "\r\ndue,2026-10-01,,'=1+1," in farm.officer.get(path, **YEAR).text


def test_a_season_changes_by_its_version_until_a_loan_rests_on_it(farm: Farm) -> None:
    path = f"{API}/seasons/{farm.season.public_id}"
    read = farm.officer.get(path)
    change = {
        "tranches": [{"pay_on": "2026-03-20", "weight": 1}],
        "cash_flow": [{"window": "sow", "spend_weight": 3, "earn_weight": 0}],
        "source": "the station",
    }
    changed = farm.officer.patch(path, change, etag=read.headers["ETag"])
    assert changed.status_code == 200, changed.text
    assert {key: changed.json[key] for key in change} == change
    assert changed.json["in_use"] is False
    assert_problem(
        farm.officer.patch(path, change, etag=read.headers["ETag"]), 412, "precondition-failed"
    )
    farm.lend("wang", 1_000_00)
    again = farm.officer.patch(path, change, etag=changed.headers["ETag"])
    assert_problem(again, 409, "season-in-use")
    assert farm.officer.get(path).json["in_use"] is True
