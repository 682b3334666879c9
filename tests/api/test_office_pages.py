"""The office's and the auditor's pages: what is done there is done by the services, once."""

import html
import json
import re
import secrets
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.businessday.running import close_days
from app.clock import now, today
from app.extensions import db
from app.marks import public
from app.pages.office.terms import TERMS as NAMED
from app.pages.words import Words
from community.communities import queries as communities
from community.communities.models import Community
from community.feedback import themes
from community.feedback.models import PollChoice
from community.members import queries as member_queries
from community.members import service as members
from community.members.principal import Role
from community.monitoring.models import CaseStatus, RiskCase
from community.monitoring.queries import count_open_cases, list_cases
from tests.api.conftest import MakeApp
from tests.api.lending import TERMS
from tests.api.test_pages_walk import address, routes
from tests.api.world import World, make_world
from tests.reading import Reader, check_html, hidden

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

VILLAGE = "/office/@village"


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that these tests change, each something else of it."""
    with make_world(template_url, tmp_path_factory.mktemp("office")) as own:
        yield own


def reader(world: World, who: str, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens[who])


def test_an_application_is_approved_once_with_the_limit_before_ones_eyes(own_world: World) -> None:
    officer = reader(own_world, "clerk")
    path = own_world.named(f"{VILLAGE}/loans/@endorsed")
    shown = officer.open(path)
    limit = own_world.call(
        "operator", "GET", "/communities/@village/members/@wang/credit-limit?product=@plain"
    ).get_json()
    amount = f"{float(limit['amount']['amount']):,.2f}"
    assert f'<p class="figure">CNY\N{NO-BREAK SPACE}{amount}</p>' in shown.text
    answer = officer.send(f"{path}/approval", shown=path)
    assert answer.status_code == 303
    assert "the cover is reserved" in officer.open(answer.location).text
    loan = own_world.call("operator", "GET", "/loans/@endorsed").get_json()
    assert loan["status"] == "approved"
    # There is nothing to decide any more, and a second try says so on the page.
    assert "/approval" not in officer.open(path).text
    again = officer.send(f"{path}/approval", shown=own_world.named(f"{VILLAGE}/charter/new"))
    assert again.status_code == 409
    assert "loan-step-not-allowed" not in again.text
    check_html(again, "en")


def test_a_refusal_needs_its_reason(own_world: World) -> None:
    officer = reader(own_world, "clerk", "zh-CN")
    path = own_world.named(f"{VILLAGE}/loans/@submitted")
    without = officer.send(f"{path}/rejection", shown=path)
    assert without.status_code == 422
    assert "请填写这一项" in without.text
    done = officer.send(f"{path}/rejection", shown=path, reason="去年的还没还清")
    assert done.status_code == 303
    loan = own_world.call("operator", "GET", "/loans/@submitted").get_json()
    assert loan["status"] == "rejected"
    assert loan["steps"][-1]["reason"] == "去年的还没还清"


def test_an_applicant_is_taken_in_and_gets_a_code(own_world: World) -> None:
    officer = reader(own_world, "clerk")
    path = own_world.named(f"{VILLAGE}/members/@chen")
    assert (
        own_world.ids["chen"]
        in officer.open(own_world.named(f"{VILLAGE}/members?status=applied")).text
    )
    assert officer.send(f"{path}/activation", shown=path, reason="assembly").status_code == 303
    place = own_world.call("operator", "GET", "/communities/@village/members/@chen").get_json()
    assert place["status"] == "active"
    code = officer.send(f"{path}/code", shown=path)
    assert code.status_code == 200
    [secret] = re.findall(r"<code>((?:[A-Z0-9]{4}-){3}[A-Z0-9]{4})</code>", code.text)
    assert secret not in officer.open(path).text
    chen = Reader(own_world.app)
    done = chen.send(
        "/enrol", code=secret, login_name="chen-of-the-village", password="a field of rice"
    )
    assert done.status_code == 303


def propose(operator: Reader, path: str, **fields: str) -> TestResponse:
    """Send only the rules that are named: a list that is not sent stays as it is."""
    shown = hidden(operator.open(path).text)
    kept = {name: value for name, value in shown.items() if not name.startswith("has_")}
    return operator.client.post(path, data=kept | fields, headers=operator.headers)


def test_a_charter_is_seen_as_a_diff_before_it_is_published(own_world: World) -> None:
    operator = reader(own_world, "operator")
    path = own_world.named(f"{VILLAGE}/charter/new")
    fields = {"valid_from": today_of(own_world), "source": "assembly of May", "step": "check"}
    wrong = propose(operator, path, **fields, group_size_max="2", guarantee_warning_bps="8.005")
    assert wrong.status_code == 422
    assert "There are too many decimals" in wrong.text
    out = propose(operator, path, **fields, guarantee_warning_bps="120")
    assert out.status_code == 422
    assert "This is from 0% to 100%." in out.text
    below = propose(operator, path, **fields, group_size_max="2")
    assert "It is below the smallest size." in below.text
    check = propose(operator, path, **fields, vouch_minor_max="8,000.50", kin_warnings="no")
    assert check.status_code == 200
    assert "CNY\N{NO-BREAK SPACE}10,000.00" in check.text
    assert "CNY\N{NO-BREAK SPACE}8,000.50" in check.text
    check_html(check, "en")
    # What the page shows is what the API's preview says, and nothing is adopted by looking.
    asked = {
        "valid_from": fields["valid_from"],
        "source": fields["source"],
        "begin_from": "present",
        "rules": {"vouch_minor_max": {"value": 800_050, "source": "assembly of May"}},
    }
    told = own_world.call(
        "operator", "POST", "/communities/@village/charters/preview", json=asked
    ).get_json()["differences"]
    assert [(row["before"], row["after"]) for row in told] == [(1_000_000, 800_050)]
    versions = "/communities/@village/charters"
    before = len(own_world.call("operator", "GET", versions).get_json()["items"])
    sent = {
        **{name: value for name, value in fields.items() if name != "step"},
        "vouch_minor_max": "8,000.50",
        "source_vouch_minor_max": "minutes, page 3",
        "begin_from": "present",
        "step": "publish",
    }
    first = propose(operator, path, **sent)
    assert first.status_code == 303
    now = own_world.call("operator", "GET", versions).get_json()["items"]
    assert len(now) == before + 1
    assert now[0]["rules"]["vouch_minor_max"] == {"value": 800_050, "source": "minutes, page 3"}
    shown = operator.open(first.location)
    assert "minutes, page 3" in shown.text
    # The same day again is refused at the field of the day.
    late = propose(operator, path, **sent)
    assert late.status_code == 409
    assert 'id="e-valid_from"' in late.text


def fields_of(text: str) -> list[tuple[str, str]]:
    """What a browser would send of a page's form as it stands, but for its buttons."""
    form = text[text.index('<form method="post" novalidate') :]
    found: list[tuple[str, str]] = []
    for tag in re.findall(r"<input [^>]*>|<select.*?</select>", form, re.S):
        [name] = re.findall(r'name="([^"]*)"', tag)[:1]
        if tag.startswith("<select"):
            chosen = re.findall(r'<option value="([^"]*)"( selected)?', tag)
            value = next((code for code, on in chosen if on), chosen[0][0])
        else:
            [value] = re.findall(r'value="([^"]*)"', tag)[:1]
        found.append((name, html.unescape(value)))
    return found


def draft(person: Reader, path: str, shown: str, step: str, **typed: Any) -> TestResponse:
    """Send the form that stands on a page, with some of its fields filled in otherwise."""
    sent: dict[str, list[str]] = {"step": [step]}
    for name, value in fields_of(shown):
        sent.setdefault(name, []).append(value)
    for name, value in typed.items():
        assert name in sent, name
        sent[name] = value if isinstance(value, list) else [value]
    return person.client.post(path, data=sent, headers=person.headers)


@pytest.fixture
def seed_money(own_world: World) -> str:
    """A product of the village with one version, for a test alone; its address in the API."""
    made = own_world.call(
        "officer",
        "POST",
        "/communities/@village/products",
        json={"code": secrets.token_hex(4), "name": "Seed money"},
    ).get_json()
    path = f"/products/{made['id']}"
    answer = own_world.call(
        "officer",
        "POST",
        f"{path}/versions",
        json={"terms": TERMS, "valid_from": today_of(own_world), "source": "assembly"},
    )
    assert answer.status_code == 201, answer.text
    return path


def test_new_terms_are_seen_as_a_diff_with_their_price_and_published_once(
    own_world: World, seed_money: str
) -> None:
    officer = reader(own_world, "officer")
    here = own_world.named(f"{VILLAGE}{seed_money}")
    before = own_world.call("officer", "GET", seed_money).get_json()["version"]["terms"]
    path = f"{here}/new"
    form = officer.open(path)
    check_html(form, "en")
    tomorrow = tomorrow_of(own_world)
    said = {"valid_from": tomorrow, "source": "minutes of May"}
    check = draft(
        officer,
        path,
        form.text,
        "check",
        **said,
        yearly_rate_ppm="7.25",
        allocation_order=["principal", "interest", "", ""],
        fee_name=["Stamp", ""],
        fee_amount=["3", ""],
        fee_share=["0.5", ""],
    )
    assert check.status_code == 200, check.text
    check_html(check, "en")
    # What the page shows is what the API's preview says, in words.
    fee = {"name": "Stamp", "moment": "disbursement", "amount_minor": 300, "share_bps": 50}
    order = ["principal", "interest"]
    new = {"yearly_rate_ppm": 72_500, "allocation_order": order, "fees": [fee]}
    asked = {"terms": before | new, **said}
    told = own_world.call("officer", "POST", f"{seed_money}/versions/preview", json=asked)
    assert [row["term"] for row in told.get_json()["differences"]] == list(new)
    assert check.text.count('<p class="change">') == 3
    assert "Stamp: CNY\N{NO-BREAK SPACE}3.00 plus 0.5% of principal (when paid out)" in check.text
    example = told.get_json()["example"]
    for cost in (example["before"], example["after"]):
        for part in ("interest", "fees", "total"):
            amount = f"{float(cost[part]['amount']):,.2f}"
            assert f"CNY\N{NO-BREAK SPACE}{amount}" in check.text, part
        rate = f"{cost['effective_yearly_rate_ppm'] / 10_000:.2f}".rstrip("0").rstrip(".")
        assert f"{rate}%" in check.text
    # An example of one's own; one that the draft does not lend is told at its field.
    other = draft(officer, path, check.text, "check", example_principal="99999999")
    assert other.status_code == 422
    assert 'id="e-example_principal"' in other.text
    assert other.text.count('<p class="change">') == 3
    # Back in the form everything is as it was typed.
    back = draft(officer, path, check.text, "edit")
    assert back.status_code == 200
    assert {
        ("yearly_rate_ppm", "7.25"),
        ("fee_name", "Stamp"),
        ("source", "minutes of May"),
    } <= set(fields_of(back.text))
    versions = f"{seed_money}/versions"
    assert len(own_world.call("officer", "GET", versions).get_json()["items"]) == 1
    # Published twice by an impatient finger it is one version, and both land on it.
    first = draft(officer, path, check.text, "publish")
    again = draft(officer, path, check.text, "publish")
    assert (first.status_code, again.status_code) == (303, 303)
    assert first.location == again.location == f"{here}?version=2"
    _, made = own_world.call("officer", "GET", versions).get_json()["items"]
    assert made["terms"] == asked["terms"]
    assert (made["valid_from"], made["source"]) == (tomorrow, "minutes of May")
    shown = officer.open(first.location)
    check_html(shown, "en")
    assert "The new terms are published" in shown.text
    assert "Interest is 7.25% a year" in shown.text


def test_what_terms_cannot_be_is_told_at_the_term(own_world: World, seed_money: str) -> None:
    officer = reader(own_world, "officer", "zh-CN")
    path = own_world.named(f"{VILLAGE}{seed_money}/new")
    form = officer.open(path).text
    said = {"valid_from": tomorrow_of(own_world), "source": "社员大会"}

    def refused(where: str, why: str, status: int = 422, **typed: Any) -> None:
        answer = draft(officer, path, form, "check", **{**said, **typed})
        assert answer.status_code == status, why
        check_html(answer, "zh-CN")
        assert f'id="e-{where}"' in answer.text, why
        assert why in answer.text
        for name, value in typed.items():
            for text in value if isinstance(value, list) else [value]:
                assert (name, text) in fields_of(answer.text), name

    refused("yearly_rate_ppm", "请填写数字", yearly_rate_ppm="九")
    refused("yearly_rate_ppm", "利率超过章程上限", yearly_rate_ppm="90")
    refused("cover_ratio_bps", "须在 0% 到 1000% 之间", cover_ratio_bps="2000")
    refused("principal_minor_max", "不能小于最少可借", principal_minor_max="0.01")
    refused("principal_share_bps", "气球贷必填", amortisation="balloon")
    refused(
        "allocation_order", "须列出利息和本金", allocation_order=["interest", "interest", "", ""]
    )
    refused("fees", "每项费用要有名称", fee_name=["", ""], fee_amount=["2", ""])
    refused("fees", "小数位数太多", fee_name=["税", ""], fee_amount=["2.005", ""])
    refused("valid_from", "生效日太早", status=409, valid_from=today_of(own_world))
    refused("source", "请填写这一项", source="")
    assert len(own_world.call("officer", "GET", f"{seed_money}/versions").get_json()["items"]) == 1


def test_terms_that_were_overtaken_are_looked_at_again(own_world: World, seed_money: str) -> None:
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}{seed_money}/new")
    said = {"valid_from": "2031-01-01", "source": "minutes of May"}
    check = draft(officer, path, officer.open(path).text, "check", **said, yearly_rate_ppm="5")
    assert check.status_code == 200
    terms = own_world.call("officer", "GET", seed_money).get_json()["version"]["terms"]
    other = {
        "terms": terms | {"yearly_rate_ppm": 60_000},
        "valid_from": "2030-01-01",
        "source": "x",
    }
    own_world.call("operator", "POST", f"{seed_money}/versions", json=other)
    late = draft(officer, path, check.text, "publish")
    assert late.status_code == 409
    assert "Another version was published meanwhile" in late.text
    # What was typed is kept, and compared with the version that came.
    now = draft(officer, path, late.text, "check")
    assert now.status_code == 200
    assert '<del><span class="unseen">Before</span> 6%</del>' in now.text
    assert draft(officer, path, now.text, "publish").status_code == 303


def test_a_product_begins_without_terms_and_its_first_ones_are_read(own_world: World) -> None:
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/products")
    fields = {"code": "spring", "name": "Spring sowing"}
    made = officer.send(f"{path}/new", **fields)
    assert made.status_code == 303
    again = officer.send(f"{path}/new", **fields)
    assert again.status_code == 409
    assert 'id="e-code"' in again.text
    shown = officer.open(made.location)
    assert "It has no terms yet" in shown.text
    assert officer.open(f"{made.location}/terms.csv").status_code == 404
    form = officer.open(f"{made.location}/new")
    check_html(form, "en")
    empty = draft(officer, f"{made.location}/new", form.text, "check")
    assert empty.status_code == 422
    numbers = {name: "1" for name, value in fields_of(form.text) if value == "" and name in NAMED}
    said = {"valid_from": today_of(own_world), "source": "assembly"}
    typed: dict[str, Any] = {
        **said,
        **numbers,
        "allocation_order": ["interest", "principal", "", ""],
    }
    check = draft(officer, f"{made.location}/new", form.text, "check", **typed)
    assert check.status_code == 200, check.text
    check_html(check, "en")
    assert "The first version of Spring sowing" in check.text
    done = draft(officer, f"{made.location}/new", check.text, "publish")
    assert done.status_code == 303
    assert "version 1 in force" in officer.open(path).text
    assert "principal_minor_min,1\r\n" in officer.open(f"{made.location}/terms.csv").text


def test_a_disputed_call_is_answered_from_what_it_rests_on(own_world: World) -> None:
    officer = reader(own_world, "officer")
    calls = "/communities/@village/calls"
    [disputed] = own_world.call("officer", "GET", f"{calls}?status=disputed").get_json()["items"]
    call = own_world.call("officer", "GET", "/calls/@disputed").get_json()
    assert call["answers"] == []
    assert (disputed["id"], disputed["disputed_on"]) == (call["id"], today_of(own_world))
    # The lines of a call are lines of the loan's cover, and ask together for what the call asks.
    cover = own_world.call("officer", "GET", f"/loans/{call['loan']}/cover").get_json()["lines"]
    [line] = call["lines"]
    assert line["asked"] == call["amount"]
    assert line["vouches"] in [one["vouches"] for one in cover]
    assert {row["id"] for row in own_world.call("auditor", "GET", calls).get_json()["items"]} > {
        own_world.ids["call"],
        own_world.ids["disputed"],
    }
    assert waiting(own_world, officer)["Disputed calls to answer"] == 1

    path = own_world.named(f"{VILLAGE}/calls/@disputed")
    assert path in officer.open(own_world.named(f"{VILLAGE}/calls")).text
    shown = officer.open(path)
    check_html(shown, "en")
    for told in ("was never asked", "For the loan of dong", "late by days: 11", "CNY\xa050.00"):
        assert told in shown.text
    # Neither answer is chosen beforehand, and what was typed stays.
    unsaid = officer.send(f"{path}/resolution", shown=path, reason="we have her signature")
    assert unsaid.status_code == 422
    assert 'id="e-upheld"' in unsaid.text
    assert "we have her signature</textarea>" in unsaid.text
    check_html(unsaid, "en")
    # Whoever disputes does not answer, whatever they look after.
    grant(own_world, "wei", Role.OFFICER)
    wei = reader(own_world, "wei")
    own = wei.open(path)
    assert "somebody else in office answers it" in own.text
    assert "/resolution" not in own.text
    sent = wei.send(f"{path}/resolution", shown="/me", upheld="yes", reason="I was not asked")
    assert sent.status_code == 403
    said = {"upheld": True, "reason": "I was not asked"}
    refused = own_world.call("wei", "POST", "/calls/@disputed/resolution", json=said)
    assert refused.status_code == 403

    form = hidden(shown.text) | {"upheld": "yes", "reason": "nobody asked her"}
    for _ in range(2):
        done = officer.client.post(f"{path}/resolution", data=form, headers=officer.headers)
        assert (done.status_code, done.location) == (303, path)
    after = own_world.call("officer", "GET", "/calls/@disputed").get_json()
    assert (after["status"], after["upheld_on"]) == ("cancelled", today_of(own_world))
    assert after["lines"][0]["moved"] == call["amount"]
    [answer] = after["answers"]
    assert (answer["upheld"], answer["reason"]) == (True, "nobody asked her")
    # Whoever disputed reads how, and why.
    read = wei.open(own_world.named("/me/calls/@disputed"))
    check_html(read, "en")
    assert "nobody asked her" in read.text
    now = officer.open(path)
    check_html(now, "en")
    assert "The dispute is answered." in now.text
    assert "nobody asked her" in now.text
    assert "/resolution" not in now.text
    assert waiting(own_world, officer)["Disputed calls to answer"] == 0
    # There is nothing to answer any more, and it is said so.
    late = officer.client.post(
        f"{path}/resolution",
        data=form | {"form_once": secrets.token_urlsafe(18)},
        headers=officer.headers,
    )
    assert late.status_code == 409


def test_a_complaint_is_answered_by_its_owner_alone(own_world: World) -> None:
    officer = reader(own_world, "officer")
    queue = own_world.named(f"{VILLAGE}/complaints")
    path, against = (f"{queue}/{own_world.ids[name]}" for name in ("complaint", "against_officer"))
    # Of two complaints one is against the officer, and the other is not the operator's.
    shown = officer.open(queue)
    assert path in shown.text
    assert against not in shown.text
    assert officer.open(against).status_code == 404
    assert reader(own_world, "operator").open(path).status_code == 404
    assert waiting(own_world, officer)["Complaints to answer"] == 1
    both = reader(own_world, "auditor")
    assert waiting(own_world, both)["Complaints to answer"] == 2
    assert "<form" not in both.open(path).text.partition("<main")[2]

    assert "days left: 3" in officer.open(path).text
    unsaid = officer.send(f"{path}/replies", shown=path)
    assert unsaid.status_code == 422
    assert 'id="e-text"' in unsaid.text
    assert officer.send(f"{path}/replies", shown=path, text="which day?").status_code == 303
    theme = own_world.ids["open_theme"]
    assert officer.send(f"{path}/theme", shown=path, theme=theme).status_code == 303
    assert "and complaints: 1" in officer.open(own_world.named(f"{VILLAGE}/themes/{theme}")).text
    assert officer.send(f"{path}/theme", shown=path, out="1", theme="").status_code == 303
    # Withdrawn it is by who complained.
    fields = {"outcome": "withdrawn", "answer": "printed again"}
    assert officer.send(f"{path}/closing", shown=path, **fields).status_code == 422
    done = officer.send(f"{path}/closing", shown=path, **fields | {"outcome": "upheld"})
    assert done.status_code == 303
    closed = officer.open(done.location)
    check_html(closed, "en")
    assert "The complaint is closed." in closed.text
    assert "printed again" in closed.text
    told = own_world.call("wang", "GET", "/complaints/@complaint").get_json()
    assert (told["outcome"], told["theme"]) == ("upheld", None)
    assert [step["kind"] for step in told["steps"]] == ["filed", "replied", "closed"]
    assert path not in officer.open(queue).text
    assert path in officer.open(f"{queue}?status=closed").text
    listed = "/communities/@village/complaints?status="
    for status, count in (("open", 0), ("closed", 1)):
        found = own_world.call("officer", "GET", f"{listed}{status}").get_json()["items"]
        assert len(found) == count
    # Nor does an auditor see one that is against them, or count it.
    grant(own_world, "li", Role.AUDITOR)
    told = {
        "kind": "conduct",
        "title": "rude",
        "text": "at the desk",
        "against": own_world.ids["li"],
    }
    made = own_world.call("sun", "POST", "/communities/@village/complaints", json=told)
    li, other = reader(own_world, "li"), reader(own_world, "auditor")
    path = f"{queue}/{made.get_json()['id']}"
    assert [person.open(path).status_code for person in (li, other)] == [404, 200]
    assert path not in li.open(queue).text
    counts = [waiting(own_world, person)["Complaints to answer"] for person in (li, other)]
    assert counts[0] + 1 == counts[1]


def test_what_members_ask_for_goes_from_a_word_to_the_version_that_brings_it(
    own_world: World,
) -> None:
    officer = reader(own_world, "officer")
    here = own_world.named(VILLAGE)
    items = "/communities/@village/feedback-items"
    texts = ("仓库周末也要开门", "周末仓库要开门", "a noticeboard")
    said = []
    for who, text in zip(("wang", "li", "sun"), texts, strict=True):
        body = {"kind": "suggestion", "text": text}
        said.append(own_world.call(who, "POST", items, json=body).get_json()["id"])
    waits = waiting(own_world, officer)["Suggestions to group"]
    api = own_world.call("officer", "GET", f"{items}?ungrouped=true").get_json()["items"]
    assert waits == len(api)
    assert set(said) < {item["id"] for item in api}

    # A theme begins with one item; the one that is like it goes along with another.
    first, _, third = (f"{here}/feedback/{item}" for item in said)
    assert f'name="also" value="{said[1]}"' in officer.open(first).text
    begun = officer.send(f"{here}/themes/new?item={said[2]}", title="A noticeboard")
    assert begun.status_code == 303
    board = begun.location
    made = officer.send(f"{here}/themes/new", title="Open at the weekend")
    theme = made.location.rpartition("/")[2]
    nowhere = officer.send(f"{first}/theme", shown=first, also=said[1])
    assert nowhere.status_code == 422
    assert 'id="e-theme"' in nowhere.text
    placed = officer.send(f"{first}/theme", shown=first, theme=theme, also=said[1])
    assert (placed.status_code, placed.location) == (303, made.location)
    page = officer.open(made.location)
    assert "Members: 2" in page.text
    assert all(text in page.text for text in texts[:2])
    inside = own_world.call("officer", "GET", f"{items}?theme={theme}").get_json()["items"]
    assert {item["id"] for item in inside} == set(said[:2])
    assert waiting(own_world, officer)["Suggestions to group"] == waits - 3
    assert (
        officer.send(f"{third}/hiding", shown=board, reason="names a neighbour").status_code == 303
    )
    hidden_one = officer.open(third)
    assert texts[2] not in hidden_one.text
    assert "names a neighbour" in hidden_one.text

    # Nothing is accepted that no vote carried; a vote is as long as the charter says.
    early = officer.send(f"{made.location}/decision", shown=board, accepted="yes", reason="good")
    assert early.status_code == 409
    days = {"opens_on": today_of(own_world), "closes_on": today_of(own_world)}
    short = officer.send(f"{made.location}/polls", shown=board, **days)
    assert short.status_code == 422
    assert 'id="e-closes_on"' in short.text
    check_html(short, "en")
    vote_through(own_world, theme)
    assert officer.send(f"{made.location}/decision", shown=board, accepted="yes").status_code == 422
    done = officer.send(f"{made.location}/decision", shown=board, accepted="yes", reason="20 to 0")
    assert done.status_code == 303
    page = officer.open(made.location)
    check_html(page, "en")
    assert "No product version names this theme yet" in page.text
    product = own_world.call(
        "officer", "POST", "/communities/@village/products", json={"code": "open", "name": "Open"}
    ).get_json()["id"]
    version = {"terms": TERMS, "valid_from": today_of(own_world), "source": f"vote on {theme}"}
    assert own_world.call("officer", "POST", f"/products/{product}/versions", json=version)
    ship = officer.send(f"{made.location}/shipment", shown=made.location)
    assert ship.status_code == 303
    shown = officer.open(made.location)
    check_html(shown, "en")
    assert "Open, version 1" in shown.text
    file = own_world.call("wang", "GET", f"/themes/{theme}").get_json()
    assert (file["status"], file["reason"], file["shipped"]["product"]) == (
        "shipped",
        "20 to 0",
        product,
    )
    # What is decided takes nothing more, and another one goes into one that gathers.
    assert "/theme" not in officer.open(first).text.partition("<main")[2].replace("/themes", "")
    assert officer.send(f"{first}/theme", shown=board, theme=theme).status_code == 409
    merged = officer.send(f"{board}/merging", shown=board, into=own_world.ids["open_theme"])
    assert merged.status_code == 303
    assert "A noticeboard" in officer.open(merged.location).text


def waiting(world: World, person: Reader) -> dict[str, int]:
    """What waits on the day page of the village, by what it is called."""
    page = person.open(world.named(VILLAGE)).text
    found = re.findall(r'<a href="[^"]+">([^<]+)</a><b>(\d+)</b>', page)
    return {html.unescape(name): int(count) for name, count in found}


def grant(world: World, who: str, role: Role) -> None:
    with world.app.app_context():
        session = db.session()
        members.grant_role(
            session,
            member_id=member_id(session, world.ids[who]),
            role=role,
            community_id=village_id(session, world),
            now=now(),
        )
        session.commit()


def vote_through(world: World, theme_id: str) -> None:
    """A vote on a theme that all carried, and that was over yesterday."""
    with world.app.app_context():
        session = db.session()
        theme = themes.get_theme(session, theme_id)
        begun = today() - timedelta(days=6)
        themes.put_to_vote(
            session,
            theme_id=theme.id,
            opens_on=begun,
            closes_on=begun + timedelta(days=4),
            on=begun,
            now=now(),
            actor_id=member_id(session, world.ids["officer"]),
        )
        for who in ("wang", "zhao", "sun", "li", "wei", "ding", "guo"):
            themes.vote(
                session,
                theme_id=theme.id,
                member_id=member_id(session, world.ids[who]),
                choice=PollChoice.YES,
                on=begun,
            )
        session.commit()


def member_id(session: Session, public_id: str) -> int:
    return member_queries.get_member(session, public_id).id


def village_id(session: Session, world: World) -> int:
    return communities.get_community(session, world.ids["village"]).id


def test_the_days_page_tells_each_step(own_world: World) -> None:
    with own_world.app.app_context():
        session = db.session()
        village = session.scalars(
            select(Community.id).where(Community.public_id == own_world.ids["village"])
        ).one()
        session.rollback()
        close_days(session, communities=[village], on=today())
    shown = reader(own_world, "operator").open(own_world.named(f"{VILLAGE}/days"))
    check_html(shown, "en")
    [listed] = own_world.call("auditor", "GET", "/communities/@village/business-days").get_json()[
        "items"
    ]
    assert listed["state"] == "closed"
    assert all(step["is_done"] for step in listed["steps"])
    t = Words("office", "en")
    for step in listed["steps"]:
        assert t.of("step", step["name"].replace(" ", "_")) in shown.text


def test_the_auditor_changes_nothing(world: World) -> None:
    auditors = [reader(world, who) for who in ("auditor", "inspector")]
    world.changed()
    posts = [
        rule
        for rule in routes(world.app)
        if "POST" in (rule.methods or ()) and rule.endpoint.startswith(("office.", "auditor."))
    ]
    assert {rule.endpoint for rule in posts} >= {"office.approve", "office.new_charter"}
    assert not any(rule.endpoint.startswith("auditor.") for rule in posts)
    for auditor in auditors:
        for rule in posts:
            answer = auditor.send(address(world, rule), shown="/audit", reason="none")
            assert answer.status_code in (403, 404), rule.endpoint
            check_html(answer, "en")
    assert world.changed() == []


def test_the_auditor_takes_the_chain_along(world: World) -> None:
    auditor = reader(world, "auditor")
    path = world.named("/audit/@village")
    head = world.call("auditor", "GET", "/communities/@village/balances").get_json()
    found = [
        *(row["hash"] for row in map(parse, auditor.open(f"{path}/events.json").text.splitlines())),
        *re.findall(r",([0-9a-f]{64})\r\n", auditor.open(f"{path}/journal.csv").text),
    ]
    # Events and entries together are the whole chain, to its head.
    assert len(set(found)) == head["records"]
    assert head["head_hash"] in found
    told = world.call("auditor", "GET", "/communities/@village/verification").get_json()
    assert told["holds"]
    page = auditor.open(world.named(f"{VILLAGE}/verification?run=1"))
    assert "The books hold" in page.text
    assert f"<dd>{told['events']}</dd>" in page.text


def test_no_count_tells_what_was_reported_about_oneself(world: World) -> None:
    with world.app.app_context():
        session = db.session()
        case = session.scalars(
            select(RiskCase).where(RiskCase.is_confidential, RiskCase.member_id.is_not(None))
        ).first()
        assert case is not None
        for reader_id in (case.member_id, 10**9):
            listed = session.scalars(
                list_cases(case.community_id, reader_id=reader_id, status=CaseStatus.OPEN)
            ).all()
            counted = count_open_cases(session, [case.community_id], reader_id=reader_id)
            assert counted[case.community_id] == len(listed)


@pytest.mark.parametrize(("language", "said"), [("zh-CN", "没有这一页"), ("en", "Not found")])
def test_an_unknown_address_is_told_in_a_page(world: World, language: str, said: str) -> None:
    browser: dict[str, str] = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": language}
    client = world.app.test_client()
    for path, method, status in (
        ("/nowhere", "GET", 404),
        ("/office/com_nobody", "GET", 404),
        ("/statement", "DELETE", 405),
    ):
        answer = client.open(path, method=method, headers=browser)
        assert answer.status_code == status, path
        check_html(answer, language)
    assert said in client.get("/nowhere", headers=browser).text
    assert "GET" in client.delete("/statement", headers=browser).headers["Allow"]
    # Programs are answered as before, wherever they ask.
    assert client.get("/nowhere").mimetype == "application/problem+json"
    assert client.get("/api/v1/nowhere", headers=browser).mimetype == "application/problem+json"


def test_a_fault_is_told_in_a_page_with_nothing_of_it(make_app: MakeApp) -> None:
    app = make_app()

    def broken() -> Any:
        raise ZeroDivisionError("secret figures")

    app.add_url_rule("/broken", view_func=public(broken))
    answer = app.test_client().get(
        "/broken", headers={"Accept": "text/html", "Accept-Language": "zh-CN"}
    )
    assert answer.status_code == 500
    assert "我们这边出了问题" in answer.text
    assert "secret" not in answer.text
    check_html(answer, "zh-CN")


def parse(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)
    return found


def today_of(world: World) -> str:
    with world.app.app_context():
        return today().isoformat()


def tomorrow_of(world: World) -> str:
    with world.app.app_context():
        return (today() + timedelta(days=1)).isoformat()
