"""The first page and a member's own page: for people, without scripts, for nobody else's eyes."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.clock import now, today
from app.extensions import db
from app.transaction import run_unit
from community.communities import service as communities
from community.communities.models import Community
from community.members.models import ApiToken
from community.members.service import revoke_token
from community.savings import service as savings
from community.trust import service as trust
from community.trust.models import VouchSide
from tests.api.people import Person, assert_problem
from tests.api.village import Village, make_village
from tests.village_life import found_village, yuan

ZH, EN = {"Accept-Language": "zh-CN,zh;q=0.9"}, {"Accept-Language": "en-GB,en;q=0.8"}


def show(client: FlaskClient, token: str, **headers: str) -> TestResponse:
    return client.post("/", data={"token": token, "lang": "en"}, headers=headers)


@pytest.fixture
def backed(app: Flask, person: Callable[..., Person]) -> tuple[Person, Person, Community]:
    """A member behind whom another one stands with 1,200 yuan, of which 1,000 are really there."""
    borrower, voucher = person("Li <b>Wei</b>"), person("Zhao & Sons")

    def work(session: Session) -> Community:
        village = found_village(session)
        step: dict[str, Any] = {"on": today(), "now": now()}
        for somebody in (borrower, voucher):
            place = {"community_id": village.id, "member_id": somebody.member_id}
            communities.apply_for_membership(session, **place, **step, actor_id=None)
            communities.activate_membership(session, **place, **step, actor_id=None)
        place = {"community_id": village.id, "member_id": voucher.member_id}
        savings.deposit(session, **place, amount=yuan(1000), **step, actor_id=None)
        return village

    def promise(session: Session, village_id: int) -> None:
        step: dict[str, Any] = {"on": today(), "now": now()}
        place = {"community_id": village_id, "member_id": voucher.member_id}
        trust.lock_stake(session, **place, amount=yuan(1000), **step, actor_id=None)

    def vouch(session: Session, village_id: int) -> None:
        offer = trust.offer_vouch(
            session,
            community_id=village_id,
            voucher_id=voucher.member_id,
            borrower_id=borrower.member_id,
            side=VouchSide.VOUCHER,
            limit=yuan(1200),
            expires_on=today() + timedelta(days=90),
            on=today(),
            now=now(),
            actor_id=None,
        )
        trust.accept_vouch(session, vouch_id=offer.id, on=today(), now=now(), actor_id=None)

    with app.app_context():
        village = run_unit(db.session(), work)
        run_unit(db.session(), promise, village.id)
        run_unit(db.session(), vouch, village.id)
    return borrower, voucher, village


def test_the_first_page_speaks_the_language_that_is_accepted(client: FlaskClient) -> None:
    chinese, english = client.get("/", headers=ZH), client.get("/", headers=EN)
    assert 'lang="zh-CN"' in chinese.text
    assert "我的额度与来由" in chinese.text
    assert 'lang="en"' in english.text
    assert "My limit and why" in english.text
    assert english.headers["Content-Language"] == "en"
    assert "Accept-Language" in english.headers["Vary"]


def test_the_first_page_speaks_chinese_to_who_says_nothing(client: FlaskClient) -> None:
    assert client.get("/").headers["Content-Language"] == "zh-CN"
    assert client.get("/", headers={"Accept-Language": "fr"}).headers["Content-Language"] == "zh-CN"


def test_a_language_that_is_asked_for_counts_more_than_the_browsers(client: FlaskClient) -> None:
    assert "My limit and why" in client.get("/?lang=en", headers=ZH).text
    assert "我的额度" in client.get("/?lang=xx", headers=ZH).text


def test_every_link_of_the_first_page_leads_somewhere(client: FlaskClient) -> None:
    links = set(re.findall(r'(?:href|action)="(/[^"]*)"', client.get("/").text))
    assert {"/api/docs", "/healthz", "/readyz"} <= links
    for link in links:
        with client.get(link) as answer:
            # Tables without migrations are not ready for requests: that is what it says.
            allowed = (200, 503) if link == "/readyz" else (200,)
            assert answer.status_code in allowed, link


def test_pages_load_nothing_from_elsewhere_and_run_no_script(
    client: FlaskClient, backed: tuple[Person, Person, Community]
) -> None:
    for asked in (client.get("/"), show(client, backed[0].token), client.get("/pages/style.css")):
        with asked as answer:
            assert answer.status_code == 200
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert not re.search(r"https?:|url\(|@import|<script|\son[a-z]+=|\sstyle=", answer.text)


def test_a_member_sees_the_limit_and_who_stands_behind_it(
    client: FlaskClient, backed: tuple[Person, Person, Community]
) -> None:
    borrower, _, village = backed
    text = show(client, borrower.token).text
    assert village.name in text
    assert "1,000.00 CNY" in text
    assert "what those behind you can stand for" in text
    assert "Zhao &amp; Sons" in text
    assert "<svg" in text
    assert text.count("<line ") == 1


def test_a_member_sees_what_they_stand_for(
    client: FlaskClient, backed: tuple[Person, Person, Community]
) -> None:
    text = show(client, backed[1].token).text
    assert "At most, if all promises were used: 1,200.00 CNY" in text
    assert "Li &lt;b&gt;Wei&lt;/b&gt;" in text


def test_the_page_shows_the_number_that_the_api_answers(
    client: FlaskClient, backed: tuple[Person, Person, Community]
) -> None:
    borrower, _, village = backed
    answer = borrower.get(
        f"/api/v1/communities/{village.public_id}/members/{borrower.public_id}/credit-limit"
    )
    amount = answer.get_json()["amount"]["amount"]
    assert f"{float(amount):,.2f} CNY" in show(client, borrower.token).text


def test_names_cannot_carry_markup_into_a_page(
    client: FlaskClient, backed: tuple[Person, Person, Community]
) -> None:
    for somebody in backed[:2]:
        assert "<b>Wei" not in show(client, somebody.token).text


def test_who_is_in_no_community_is_told_so(client: FlaskClient, member: Person) -> None:
    text = show(client, member.token).text
    assert "You are in no community" in text
    assert "No loans." in text


@pytest.mark.parametrize("token", ["", "lb_nobody", "x" * 5000, "' OR 1=1 --", "令牌"])
def test_a_wrong_token_shows_the_form_again(client: FlaskClient, token: str) -> None:
    for language, words in (("en", "unknown, expired or revoked"), ("zh-CN", "令牌无效")):
        answer = client.post("/", data={"token": token, "lang": language})
        assert answer.status_code == 401
        assert words in answer.text
        assert 'role="alert"' in answer.text
        assert "<form" in answer.text


def test_a_revoked_token_opens_nothing(app: Flask, client: FlaskClient, member: Person) -> None:
    with app.app_context():
        run_unit(db.session(), _revoke, member.member_id)
    assert show(client, member.token).status_code == 401


def test_the_token_is_neither_kept_nor_shown(client: FlaskClient, member: Person) -> None:
    answer = show(client, member.token)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert member.token not in answer.text
    assert member.token not in str(answer.headers)


def test_a_token_in_the_address_is_not_read(client: FlaskClient, member: Person) -> None:
    assert "Hello" not in client.get(f"/?token={member.token}&lang=en").text
    answer = client.post(f"/?token={member.token}", data={"lang": "en"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_on_another_site_is_refused(
    client: FlaskClient, member: Person, headers: dict[str, str]
) -> None:
    answer = show(client, member.token, **headers)
    assert answer.status_code == 403
    assert "Hello" not in answer.text


def test_our_own_form_is_taken(client: FlaskClient, member: Person) -> None:
    own = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert show(client, member.token, **own).status_code == 200


def test_a_token_that_may_not_read_opens_nothing(
    client: FlaskClient, person: Callable[..., Person]
) -> None:
    writer = person(scopes=frozenset({"write"}))
    assert_problem(show(client, writer.token), 403, "scope-missing")


def _revoke(session: Session, member_id: int) -> None:
    token = session.query(ApiToken).filter_by(member_id=member_id).one()
    revoke_token(session, token=token, now=now())


@pytest.fixture
def saved(app: Flask) -> tuple[Village, Person]:
    """A member of a village with 1,234.50 in and 34.50 out."""
    village = make_village(app)
    person = village.settle("Li <b>Wei</b>")
    for verb, amount in (("deposits", "1234.50"), ("withdrawals", "34.50")):
        body = {"amount": {"amount": amount, "currency": "CNY"}}
        paid = village.officer.post(f"{village.place(person)}/savings/{verb}", body)
        assert paid.status_code == 201, paid.text
    return village, person


ALL_DAYS = {"from": "2020-01-01", "to": "2199-12-31"}


def statement(client: FlaskClient, token: str, **changes: str) -> TestResponse:
    form = {"token": token, "lang": "en", **ALL_DAYS, **changes}
    return client.post("/statement", data=form)


def test_a_member_prints_their_statement(
    client: FlaskClient, saved: tuple[Village, Person]
) -> None:
    village, person = saved
    answer = statement(client, person.token)
    assert answer.status_code == 200
    movements = person.get(f"{village.place(person)}/savings/movements").get_json()["items"]
    for shown in ("Savings deposited", "1,234.50", "Savings withdrawn", "34.50", "1,200.00"):
        assert shown in answer.text
    for movement in movements:
        assert movement["id"] in answer.text
    assert "Li &lt;b&gt;Wei&lt;/b&gt;" in answer.text
    chinese = statement(client, person.token, lang="zh-CN").text
    for shown in ("对账单", "成员储蓄", "存入储蓄", "支取储蓄", "1,200.00"):
        assert shown in chinese


def test_the_statement_is_a_page_like_the_others(
    client: FlaskClient, saved: tuple[Village, Person]
) -> None:
    for answer in (client.get("/statement?lang=en"), statement(client, saved[1].token)):
        assert answer.status_code == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert saved[1].token not in answer.text
        assert not re.search(r"https?:|url\(|@import|<script|\son[a-z]+=|\sstyle=", answer.text)
    with client.get("/pages/style.css") as style:
        assert "@media print" in style.text


def test_an_officer_prints_for_a_member_in_their_care_only(
    app: Flask, client: FlaskClient, saved: tuple[Village, Person]
) -> None:
    village, person = saved
    answer = statement(client, village.officer.token, member=person.public_id)
    assert "1,234.50" in answer.text
    elsewhere = make_village(app, "Beihu")
    neighbour = village.settle("Zhao")
    for other in (elsewhere.officer, neighbour):
        refused = statement(client, other.token, member=person.public_id)
        assert refused.status_code == 404
        assert "1,234.50" not in refused.text
        assert "no such member" in refused.text
    unknown = statement(client, village.officer.token, member="mem_0000000000000000")
    assert unknown.status_code == 404


@pytest.mark.parametrize(
    "changes",
    [{"from": "2026-05-02", "to": "2026-05-01"}, {"from": ""}, {"to": "tomorrow"}, {"to": "9"}],
)
def test_a_period_that_is_none_shows_the_form_again(
    client: FlaskClient, member: Person, changes: dict[str, str]
) -> None:
    answer = statement(client, member.token, **changes)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "the last is not before the first" in answer.text


def test_more_than_a_print_holds_is_refused(
    client: FlaskClient, saved: tuple[Village, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pages.statement.LINES_MAX", 1)
    answer = statement(client, saved[1].token)
    assert answer.status_code == 422
    assert "Choose a shorter one" in answer.text


def test_a_statement_needs_a_token_from_our_own_form(client: FlaskClient, member: Person) -> None:
    assert statement(client, "lb_nobody").status_code == 401
    form = {"token": member.token, **ALL_DAYS}
    foreign = client.post("/statement", data=form, headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403


def test_who_is_nowhere_has_no_statement(client: FlaskClient, member: Person) -> None:
    assert "there is no statement" in statement(client, member.token).text
