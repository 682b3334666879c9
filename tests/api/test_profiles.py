"""Profiles and records of vouchers over HTTP: what is refused, listed, and told to whom."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from community.loans import service as loans
from tests import trust_life
from tests.api.people import Person, assert_problem
from tests.api.trust_village import Hamlet, make_hamlet, money
from tests.lending import NOW, TODAY
from tests.trust_life import YEAR_LATER


@pytest.fixture
def hamlet(app: Flask) -> Hamlet:
    app.extensions["clock"].fixed = NOW
    return make_hamlet(
        app,
        voucher_bound_bps=40_000,
        voucher_prior_bps=8_000,
        voucher_prior_cases=5,
        voucher_case_minor=100_00,
        voucher_half_life_days=730,
        voucher_interval_bps=9_000,
    )


def lent(hamlet: Hamlet, borrower: Person, minor: int) -> None:
    """Approved and paid out, on the first day."""
    with hamlet.app.app_context():
        village = hamlet._village()
        village.fund(1_000_00)
        loan = trust_life.approve(village, hamlet._member(borrower), minor)
        act = {"on": TODAY, "now": NOW, "actor_id": None}
        loans.disburse(db.session(), loan_id=loan.id, **act)
        db.session.commit()


def offered(hamlet: Hamlet, giver: Person, other: Person, amount: str) -> Any:
    body = {
        "side": "voucher",
        "other": other.public_id,
        "limit": money(amount),
        "expires_on": YEAR_LATER.isoformat(),
    }
    return giver.post(f"/api/v1/communities/{hamlet.community_id}/vouches", body)


def read(hamlet: Hamlet, who: Person, member: Person, what: str, **query: Any) -> Any:
    path = f"/api/v1/members/{member.public_id}/{what}"
    return who.get(path, community=hamlet.community_id, **query)


def test_a_promise_past_the_record_is_refused_with_its_reasons(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 100_00), hamlet.join("Ben")
    # Four times a base of 100.00, of which 47.287 %.
    refused = assert_problem(offered(hamlet, ana, ben, "189.15"), 409, "voucher-record-bound")
    assert refused["yours"][0]["record"]["allowed"] == money("189.14")
    assert refused["yours"][0]["record"]["lower_ppm"] == 472_870
    assert "own money" in refused["detail"]
    assert offered(hamlet, ana, ben, "189.14").status_code == 201


def test_records_are_read_by_whom_they_concern_and_listed_for_offices(hamlet: Hamlet) -> None:
    ana, ben, eve = hamlet.join("=Ana", 100_00), hamlet.join("Ben"), hamlet.join("Eve")
    hamlet.vouch(ana, ben, 100_00)
    lent(hamlet, ben, 100_00)
    first = read(hamlet, ana, ana, "voucher-record").get_json()
    assert (first["loans_count"], first["mean_ppm"], first["bound"]) == (
        0,
        800_000,
        money("189.14"),
    )
    hamlet.app.extensions["clock"].fixed = NOW + timedelta(days=70)
    late = read(hamlet, ana, ana, "voucher-record").get_json()
    assert (late["loans_count"], late["borrowers_count"], late["good_cases"]) == (1, 1, 0)
    assert late["bad_cases"] > 0
    assert late["loans"][0]["borrower"]["name"] == "Ben"
    assert late["loans"][0]["share_ppm"] == 1_000_000
    assert late["lower_ppm"] < first["lower_ppm"]
    rules = {rule["rule"]: rule for rule in late["rules"]}
    assert (rules["voucher_bound_bps"]["value"], rules["voucher_prior_cases"]["value"]) == (
        40_000,
        5,
    )
    assert all(rule["source"] for rule in late["rules"])
    # As it was on a day that is over.
    past = read(hamlet, ana, ana, "voucher-record", on=TODAY.isoformat()).get_json()
    assert past == {**first, "on": TODAY.isoformat()}
    path = f"/api/v1/communities/{hamlet.community_id}/voucher-records"
    page = hamlet.officer.get(path, limit=1).get_json()
    listed = page["items"][0]
    assert (listed["member"]["id"], page["next_cursor"]) == (ana.public_id, None)
    assert {name: late[name] for name in listed} == listed
    sheet = hamlet.officer.get(path, format="csv")
    assert sheet.content_type.startswith("text/csv")
    header, row = sheet.text.lstrip("\ufeff").splitlines()
    assert header.startswith("member,name,good_cases")
    assert row.split(",")[:2] == [ana.public_id, "'=Ana"]
    assert row.split(",")[5] == str(late["lower_ppm"])
    # Nobody else: no list of debtors can be put together by asking about one after the other.
    for who in (ben, eve):
        assert_problem(who.get(path), 404, "not-found")
        assert_problem(who.get(path, format="csv"), 404, "not-found")
        assert_problem(read(hamlet, who, ana, "voucher-record"), 404, "not-found")
    assert_problem(read(hamlet, eve, ben, "profile"), 404, "not-found")
    assert_problem(read(hamlet, eve, ana, "profile"), 404, "not-found")


def test_a_profile_is_answered_by_relation(hamlet: Hamlet) -> None:
    ana, ben = hamlet.join("Ana", 100_00), hamlet.join("Ben")
    hamlet.vouch(ana, ben, 100_00)
    lent(hamlet, ben, 100_00)

    def figures(who: Person, member: Person) -> dict[str, Any]:
        answer = read(hamlet, who, member, "profile")
        assert answer.status_code == 200, answer.text
        return {item["figure"]: item for item in answer.get_json()["figures"]}

    own = figures(ben, ben)
    assert len(own) == 12
    assert own["repayment"]["values"]["loans"] == 1
    assert own["standing"]["values"]["stake"] == money("0.00")
    assert own["repayment"]["source"]["rules"][0]["rule"] == "par_days"
    assert own["repayment"]["source"]["until_on"] == TODAY.isoformat()
    assert sorted(figures(ana, ben)) == [
        "membership",
        "promises",
        "repayment",
        "vouching_received",
    ]
    # Whom she stands behind sees that, and nothing of her savings or record.
    assert sorted(figures(ben, ana)) == ["membership", "vouching_given"]
    assert len(figures(hamlet.officer, ben)) == 12
