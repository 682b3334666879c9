"""The first page, a member's own page and the papers: for people, in two languages."""

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
from community.savings import service as savings
from community.trust import service as trust
from community.trust.models import VouchSide
from tests.api.people import Person
from tests.api.village import Village, make_village
from tests.reading import Reader, check_html
from tests.village_life import found_village, yuan

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

ZH, EN = {"Accept-Language": "zh-CN,zh;q=0.9"}, {"Accept-Language": "en-GB,en;q=0.8"}


def read(person: Person, path: str, language: str = "en") -> TestResponse:
    return Reader(person.app, language).sign_in(person.token).open(path)


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
    assert "我的额度与来由" in chinese.text
    assert "My limit and why" in english.text
    check_html(chinese, "zh-CN")
    check_html(english, "en")
    assert "Accept-Language" in english.headers["Vary"]
    assert client.get("/", headers={"Accept-Language": "fr"}).headers["Content-Language"] == "zh-CN"


def test_a_language_that_is_chosen_stays(client: FlaskClient) -> None:
    assert "My limit and why" in client.get("/?lang=en", headers=ZH).text
    assert "My limit and why" in client.get("/", headers=ZH).text
    assert "My limit and why" in client.get("/?lang=xx", headers=ZH).text
    # The other language of this same page, with what was asked for.
    page = client.get("/sign-in?next=/statement", headers=ZH).text
    assert 'href="/sign-in?next=%2Fstatement&amp;lang=zh-CN"' in page


def test_every_link_of_the_first_page_leads_somewhere(client: FlaskClient) -> None:
    links = set(re.findall(r'(?:href|action|src)="(/[^"]*)"', client.get("/").text))
    assert {"/api/docs", "/healthz", "/readyz", "/sign-in"} <= links
    for link in links:
        with client.get(link) as answer:
            # Tables without migrations are not ready for requests: that is what it says.
            allowed = (200, 503) if link == "/readyz" else (200,)
            assert answer.status_code in allowed, link


def test_static_files_are_kept_until_they_change(client: FlaskClient) -> None:
    for name in ("pages.css", "pages.js", "icon.svg"):
        with client.get(f"/pages/{name}") as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
            assert not re.search(r"https?://(?!www.w3.org)|url\(|@import", answer.text)
    for name in ("../routes.py", "..%2froutes.py", "nothing.css"):
        assert client.get(f"/pages/{name}").status_code == 404


def test_a_member_sees_the_limit_and_who_stands_behind_it(
    backed: tuple[Person, Person, Community],
) -> None:
    answer = read(backed[0], "/me")
    check_html(answer, "en")
    for shown in ("CNY\N{NO-BREAK SPACE}1,000.00", "Zhao &amp; Sons", "Li &lt;b&gt;Wei&lt;/b&gt;"):
        assert shown in answer.text
    assert "<b>Wei" not in answer.text
    chinese = read(backed[0], "/me", "zh-CN")
    check_html(chinese, "zh-CN")
    assert "1,000.00\N{NO-BREAK SPACE}元" in chinese.text


def test_the_drawings_numbers_come_as_a_sheet(backed: tuple[Person, Person, Community]) -> None:
    borrower, voucher, village = backed
    path = f"/me/behind-me/{village.public_id}.csv"
    answer = read(borrower, path)
    assert answer.mimetype == "text/csv"
    assert "Zhao & Sons,directly,1000.00" in answer.text
    assert path in read(borrower, "/me").text
    # Nobody stands behind the voucher: there is no drawing, and so no sheet of it.
    assert read(voucher, "/me/behind-me/com_0000000000000000.csv").status_code == 404


def test_a_member_sees_what_they_stand_for(backed: tuple[Person, Person, Community]) -> None:
    answer = read(backed[1], "/me")
    assert "Li &lt;b&gt;Wei" in answer.text
    assert "CNY\N{NO-BREAK SPACE}1,200.00" in answer.text


def test_the_page_shows_the_number_that_the_api_answers(
    backed: tuple[Person, Person, Community],
) -> None:
    borrower, _, village = backed
    limit = borrower.get(
        f"/api/v1/communities/{village.public_id}/members/{borrower.public_id}/credit-limit"
    ).get_json()
    amount = f"{float(limit['amount']['amount']):,.2f}"
    assert f'<p class="figure">CNY\N{NO-BREAK SPACE}{amount}</p>' in read(borrower, "/me").text


def test_who_is_in_no_community_is_told_so(member: Person) -> None:
    assert "in no community" in read(member, "/me").text


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


def statement(person: Person, language: str = "en", **changes: str) -> TestResponse:
    query = "&".join(f"{name}={value}" for name, value in (ALL_DAYS | changes).items())
    return read(person, f"/statement/print?{query}", language)


def test_a_member_prints_their_statement(saved: tuple[Village, Person]) -> None:
    village, person = saved
    answer = statement(person)
    check_html(answer, "en")
    movements = person.get(f"{village.place(person)}/savings/movements").get_json()["items"]
    for shown in ("Savings deposited", "1,234.50", "Savings withdrawn", "34.50", "1,200.00"):
        assert shown in answer.text
    for movement in movements:
        assert movement["id"] in answer.text
    assert "Li &lt;b&gt;Wei&lt;/b&gt;" in answer.text
    chinese = statement(person, "zh-CN")
    check_html(chinese, "zh-CN")
    for shown in ("对账单", "成员储蓄", "存入储蓄", "支取储蓄", "1,200.00"):
        assert shown in chinese.text


def test_an_officer_prints_for_a_member_in_their_care_only(
    app: Flask, saved: tuple[Village, Person]
) -> None:
    village, person = saved
    assert "1,234.50" in statement(village.officer, member=person.public_id).text
    elsewhere = make_village(app, "Beihu")
    neighbour = village.settle("Zhao")
    for other in (elsewhere.officer, neighbour):
        refused = statement(other, member=person.public_id)
        assert refused.status_code == 404
        assert "1,234.50" not in refused.text
        assert "No such member" in refused.text
    assert statement(village.officer, member="mem_0000000000000000").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [{"from": "2026-05-02", "to": "2026-05-01"}, {"from": ""}, {"to": "tomorrow"}, {"to": "9"}],
)
def test_a_period_that_is_none_shows_the_form_again(
    member: Person, changes: dict[str, str]
) -> None:
    answer = statement(member, **changes)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    check_html(answer, "en")


def test_more_than_a_print_holds_is_refused(
    saved: tuple[Village, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pages.papers.views.LINES_MAX", 1)
    answer = statement(saved[1])
    assert answer.status_code == 422
    assert "more in this time than one print holds" in answer.text


def test_who_is_nowhere_has_no_statement(member: Person) -> None:
    assert "there is no statement" in statement(member).text
