"""What members do on their pages: asked and done as over the API, once, and with the way on."""

import re
from io import BytesIO
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.extensions import db
from community.groups import queries as groups
from community.groups import service as group_service
from community.groups.understanding import QuestionKind
from community.money import Money
from tests.api.world import World
from tests.reading import Reader, check_html, hidden

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
ASKED = {
    "community": "@village",
    "product": "@plain",
    "principal": "50",
    "principal_currency": "CNY",
    "instalments": "3",
    "purpose": "two goats",
    "use": "animals",
}


def reader(world: World, who: str, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens[who])


def ends_at(answer: TestResponse, pattern: str) -> str:
    assert answer.status_code == 303, answer.text
    assert re.fullmatch(pattern, answer.location), answer.location
    return answer.location


def query(world: World, **changes: str) -> str:
    said = world.named(ASKED) | changes
    return "?" + "&".join(f"{name}={value}" for name, value in said.items())


def test_asking_for_a_loan_writes_at_the_last_step_and_once(world: World) -> None:
    wang = reader(world, "wang")
    world.changed()
    for step in ("terms", "purpose", "people", "confirm"):
        page = wang.open(f"/me/apply/{step}{query(world)}")
        assert page.status_code == 200, step
        check_html(page, "en")
    assert world.changed() == []
    assert "CNY\N{NO-BREAK SPACE}50.00" in page.text
    form = hidden(page.text)
    unread = wang.client.post("/me/apply/confirm", data=form, headers=wang.headers)
    assert unread.status_code == 422
    assert "Please tick this box first." in unread.text
    data = hidden(unread.text) | {"understood": "1", "payee_name": "Zhang"}
    made = wang.client.post("/me/apply/confirm", data=data, headers=wang.headers)
    loan = ends_at(made, r"/me/loans/lon_\w+")
    again = wang.client.post("/me/apply/confirm", data=data, headers=wang.headers)
    assert again.location == loan
    shown = world.call("wang", "GET", loan.removeprefix("/me")).get_json()
    assert (shown["purpose"], shown["principal"]["amount"]) == ("two goats", "50.00")
    assert (shown["status"], shown["instalments"]) == ("submitted", 3)
    uses = world.call("wang", "GET", f"{loan.removeprefix('/me')}/uses").get_json()["items"]
    assert [(use["payee_name"], use["amount"]["amount"]) for use in uses] == [("Zhang", "50.00")]
    page = wang.open(loan)
    assert "Your application is in." in page.text
    assert loan.rpartition("/")[2] in page.text


def test_several_payees_get_their_parts_and_one_the_rest(world: World) -> None:
    wang = reader(world, "wang")
    payees = {"payee_name": "Zhang", "payee_part": "30", "payee_part_currency": "CNY"}
    payees |= {"payee_name_2": "Goat farm", "payee_use_2": "animals", "use": "stock"}
    page = wang.open(f"/me/apply/confirm{query(world, **payees)}")
    check_html(page, "en")
    assert "CNY\N{NO-BREAK SPACE}20.00" in page.text
    data = hidden(page.text) | {"understood": "1"}
    made = [
        wang.client.post("/me/apply/confirm", data=data, headers=wang.headers) for _ in range(2)
    ]
    loan = ends_at(made[0], r"/me/loans/lon_\w+")
    assert made[1].location == loan
    uses = world.call("wang", "GET", f"{loan.removeprefix('/me')}/uses").get_json()["items"]
    assert [(use["payee_name"], use["amount"]["amount"], use["purpose"]) for use in uses] == [
        ("Zhang", "30.00", "stock"),
        ("Goat farm", "20.00", "animals"),
    ]


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"payee_part": "5"}, "payee_name", "Please fill this in."),
        ({"payee_name": "A", "payee_part": "51"}, "payee_part", "no more than the loan"),
        ({"payee_name": "A", "payee_name_2": "B"}, "payee_part_2", "only one may get the rest"),
        (
            {"payee_name": "A", "payee_name_3": "B", "payee_part_3": "50"},
            "payee_part_3",
            "no more than the loan",
        ),
    ],
)
def test_parts_that_make_no_sense_are_told_at_their_field(
    world: World, changes: dict[str, str], field: str, told: str
) -> None:
    page = reader(world, "wang").open(f"/me/apply/people{query(world, **changes)}")
    assert page.status_code == 422
    check_html(page, "en")
    assert f'id="e-{field}"' in page.text
    assert told in page.text
    for typed in changes.values():
        assert f'value="{typed}"' in page.text


@pytest.mark.parametrize(
    ("step", "changes", "told"),
    [
        ("purpose", {"principal": "5"}, "The product does not lend this amount"),
        ("purpose", {"instalments": "13"}, "The product does not allow this number of instalments"),
        ("purpose", {"principal": "lots"}, "f-principal"),
        ("people", {"purpose": ""}, "Please fill this in."),
        ("confirm", {"use": "gambling"}, "f-use"),
        ("confirm", {"principal": "5.001"}, "f-principal"),
    ],
)
def test_a_wrong_step_is_shown_again_with_what_was_typed(
    world: World, step: str, changes: dict[str, str], told: str
) -> None:
    page = reader(world, "wang").open(f"/me/apply/{step}{query(world, **changes)}")
    assert page.status_code == 422
    check_html(page, "en")
    assert told in page.text
    assert 'role="alert"' in page.text
    if "principal" in changes:
        assert f'value="{changes["principal"]}"' in page.text


def test_without_a_product_one_begins_at_the_beginning(world: World) -> None:
    wang = reader(world, "wang")
    for step in ("terms", "purpose", "people", "confirm"):
        ends_at(wang.open(f"/me/apply/{step}"), "/me/apply")
    # What one may not know is not there.
    far = query(world, community=world.ids["far"])
    assert wang.open(f"/me/apply/terms{far}").status_code == 404


def test_more_than_the_limit_says_why_and_what_helps(world: World) -> None:
    page = reader(world, "wang").open(f"/me/apply/people{query(world, principal='9000')}")
    assert page.status_code == 200
    assert "beyond your limit" in page.text
    assert "what those behind you can stand for" in page.text
    assert "Cover missing" in page.text


def test_what_if_is_answered_of_neighbours_only(world: World) -> None:
    wang = reader(world, "wang")
    path = f"/me/limits/{world.ids['village']}?amount=2000&voucher="
    page = wang.open(path + world.ids["li"])
    assert page.status_code == 200
    api = world.call(
        "wang",
        "GET",
        "/communities/@village/members/@wang/credit-limit?what_if_voucher=@li"
        "&what_if_amount=2000.00",
    ).get_json()
    assert f"{float(api['amount']['amount']):,.2f}" in page.text
    assert wang.open(path + world.ids["wu"]).status_code == 404
    assert wang.open(path + "nobody").status_code == 422


def test_a_promise_is_offered_answered_lowered_and_ended(world: World) -> None:
    gao, zhao = reader(world, "gao"), reader(world, "zhao")
    said = {
        "community": world.ids["village"],
        "side": "borrower",
        "other": world.ids["zhao"],
        "limit": "30",
        "limit_currency": "CNY",
        "expires_on": "2026-12-01",
    }
    # First it is shown what it would be, then it can be sent.
    asked_for = "&".join(f"{name}={value}" for name, value in said.items())
    made = gao.send("/me/vouches/new", shown=f"/me/vouches/new?{asked_for}", **said)
    vouch = ends_at(made, r"/me/vouches/vch_\w+")
    # What it means is shown to who would sign, and to nobody else.
    assert "What it means for you" not in gao.open(vouch).text
    asked = zhao.open(vouch)
    assert "What it means for you" in asked.text
    assert "The most after signing" in asked.text
    # Nobody accepts for another.
    assert gao.send(f"{vouch}/acceptance", shown=vouch).status_code == 403
    ends_at(zhao.send(f"{vouch}/acceptance", shown=vouch), r"/me/vouches/vch_\w+")
    lower = {"limit": "20", "limit_currency": "CNY"}
    ends_at(zhao.send(f"{vouch}/limit", shown=vouch, **lower), re.escape(vouch))
    assert zhao.send(f"{vouch}/limit", shown=vouch, limit="lots").status_code == 422
    where = f"/vouches/{vouch.rpartition('/')[2]}"
    assert world.call("zhao", "GET", where).get_json()["limit"]["amount"] == "20.00"
    ends_at(zhao.send(f"{vouch}/revocation", shown=vouch), re.escape(vouch))
    assert world.call("zhao", "GET", where).get_json()["status"] == "revoked"
    offered = f"/me/vouches/{world.ids['offered']}"
    ends_at(gao.send(f"{offered}/refusal", shown=offered), "/me/vouches")


def test_a_call_is_promised_and_disputed_and_a_claim_confirmed(world: World) -> None:
    li = reader(world, "li")
    call = f"/me/calls/{world.ids['call']}"
    ends_at(li.send(f"{call}/promise", shown=call, pay_on="2026-04-15"), re.escape(call))
    assert "15\N{NO-BREAK SPACE}Apr 2026" in li.open(call).text
    ends_at(li.send(f"{call}/dispute", shown=call, reason="paid already"), re.escape(call))
    said = f"/me/settlements/{world.ids['said']}"
    claim = f"/me/claims/{world.ids['claim']}"
    before = world.call("li", "GET", "/claims/@claim").get_json()
    ends_at(li.send(f"{said}/confirmation", shown=claim), re.escape(claim))
    after = world.call("li", "GET", "/claims/@claim").get_json()
    assert float(before["due_today"]["amount"]) - float(after["due_today"]["amount"]) == 5
    doubted = f"/me/settlements/{world.ids['doubted']}"
    ends_at(li.send(f"{doubted}/refusal", shown=claim, reason="nothing came"), re.escape(claim))
    ends_at(li.send(f"{claim}/waiver", shown=claim, reason="a friend"), re.escape(claim))
    assert world.call("li", "GET", "/claims/@claim").get_json()["due_today"]["amount"] == "0.00"


def test_a_group_is_understood_before_it_is_signed(world: World) -> None:
    guo, group = reader(world, "guo"), world.ids["signing"]
    place = f"/me/groups/{group}"
    assert "Answer them" in guo.open(place).text
    with world.app.app_context():
        row = groups.get_group(db.session(), group)
        who = (
            db.session()
            .execute(
                db.text("SELECT id FROM members WHERE public_id = :one"), {"one": world.ids["guo"]}
            )
            .scalar_one()
        )
        asked = group_service.questionnaire(db.session(), group_id=row.id, member_id=who)
        right: dict[str, Any] = {}
        for question in asked.questions:
            expected = question.expected
            right[question.id] = str(expected)
            if question.kind is QuestionKind.MONEY:
                assert isinstance(expected, Money)
                right[f"{question.id}_currency"] = expected.currency
        db.session.rollback()
    wrong = {name: "1" if name + "_currency" in right else text for name, text in right.items()}
    told = guo.send(f"{place}/understanding", **wrong)
    assert told.status_code == 200
    assert "Not all right yet" in told.text
    # What is asked again may be other questions: those are answered as they are now.
    assert guo.send(f"{place}/signature", shown=place, agreement_hash="0").status_code >= 400


def test_invitations_are_answered_and_groups_left_before_they_bind(world: World) -> None:
    zhou, place = reader(world, "zhou"), f"/me/groups/{world.ids['forming']}"
    # Of one household with somebody in it: told so, and still free to decline.
    refused = zhou.send(f"{place}/acceptance", shown=place)
    assert refused.status_code == 409
    assert "Two members of one household" in refused.text
    ends_at(zhou.send(f"{place}/refusal", shown=place), "/me/groups")
    qian, vote = reader(world, "qian"), {"candidate": world.ids["wu"]}
    ends_at(qian.send(f"{place}/vote", shown=place, **vote), re.escape(place))
    ends_at(qian.send(f"{place}/step-back", shown=place), "/me/groups")
    ma, cooling = reader(world, "ma"), f"/me/groups/{world.ids['cooling']}"
    assert "Cooling-off until" in ma.open(cooling).text
    ends_at(ma.send(f"{cooling}/step-back", shown=cooling), "/me/groups")


def test_a_visit_is_answered_and_photographed(world: World) -> None:
    zhao, place = reader(world, "zhao"), f"/me/visits/{world.ids['visit']}"
    page = zhao.open(place)
    names = set(re.findall(r'name="(q_\w+)"', page.text))
    assert zhao.send(place, **dict.fromkeys(names, "maybe")).status_code == 422
    sent = zhao.client.post(
        f"{place}/photos",
        data=hidden(page.text) | {"photo": (BytesIO(b"text"), "a.txt", "text/plain")},
        headers=zhao.headers,
    )
    assert sent.status_code == 422
    ends_at(zhao.send(place, note="good", **dict.fromkeys(names, "yes")), re.escape(place))
    shown = world.call("zhao", "GET", "/visits/@visit").get_json()
    assert (shown["status"], shown["note"]) == ("done", "good")
    # Once: who comes again is told so.
    assert zhao.send(place, **dict.fromkeys(names, "no")).status_code in (409, 422)


def test_members_speak_up_and_follow_what_became_of_it(world: World) -> None:
    sun, village = reader(world, "sun"), world.ids["village"]
    made = sun.send("/me/voice/say", community=village, text="lend before sowing")
    item = ends_at(made, r"/me/voice/items/fbk_\w+")
    assert "lend before sowing" in sun.open(item).text
    told = {"community": village, "kind": "service", "title": "closed", "text": "at noon"}
    complaint = ends_at(sun.send("/me/voice/complain", **told), r"/me/voice/complaints/cpl_\w+")
    ends_at(sun.send(f"{complaint}/replies", shown=complaint, text="again"), re.escape(complaint))
    ends_at(sun.send(f"{complaint}/withdrawal", shown=complaint, text="ok"), re.escape(complaint))
    withdrawn = sun.open(complaint)
    check_html(withdrawn, "en")
    assert "taken back" in withdrawn.text
    # It is read by nobody but who complained and who answers.
    assert reader(world, "gao").open(complaint).status_code == 404
    theme = f"/me/voice/themes/{world.ids['theme']}"
    ends_at(sun.send(f"{theme}/votes", shown=theme, choice="yes"), re.escape(theme))
    assert sun.send(f"{theme}/votes", shown=theme, choice="no").status_code >= 400
    report = {"community": village, "member": world.ids["gao"], "kind": "misuse", "text": "sold"}
    ends_at(sun.send("/me/report", **report), "/me/visits")


def test_words_for_a_loan_promises_and_uses(world: World) -> None:
    sun, wang = reader(world, "sun"), reader(world, "wang")
    loan = f"/me/loans/{world.ids['submitted']}"
    ends_at(sun.send("/me/endorsements", loan=world.ids["submitted"]), re.escape(loan))
    assert wang.send("/me/endorsements", loan=world.ids["submitted"]).status_code >= 400
    said = {"use": "stock", "payee_name": "mill", "amount": "20", "amount_currency": "CNY"}
    ends_at(wang.send(f"{loan}/uses", **said), re.escape(loan))
    assert wang.send(f"{loan}/uses", **said).status_code >= 400
    ends_at(wang.send(f"{loan}/withdrawal", reason="not needed"), re.escape(loan))
    current = f"/me/loans/{world.ids['current']}"
    word = {"amount": "5", "amount_currency": "CNY", "promised_on": "2026-04-20"}
    ends_at(wang.send(f"{current}/promises", **word), re.escape(current))
    assert (
        wang.send(f"{current}/promises", **word | {"promised_on": "2020-01-01"}).status_code == 422
    )


def test_a_meeting_is_rated_on_a_scale_and_again(world: World) -> None:
    path = world.named("/me/voice/ratings?kind=meeting&id=@over")
    zhao = reader(world, "zhao", "zh-CN")
    page = zhao.open(path)
    check_html(page, "zh-CN")
    assert page.text.count('type="radio"') == 5
    assert " checked" not in page.text
    for stars in ("", "0", "6", "x"):
        wrong = zhao.send(path, stars=stars)
        assert wrong.status_code == 422
        assert 'id="e-stars"' in wrong.text
    for stars in ("2", "4"):
        ends_at(zhao.send(path, stars=stars), re.escape(path))
        assert f'value="{stars}" checked' in zhao.open(path).text
    shown = world.call("zhao", "GET", path.removeprefix("/me/voice")).get_json()
    assert (shown["own_stars"], shown["means"]) == (4, [])
    # Whom it does not concern is not told that it is there; nonsense is nowhere.
    assert reader(world, "gao").open(path).status_code == 404
    assert zhao.open("/me/voice/ratings?kind=weather&id=x").status_code == 404
    early = reader(world, "wang").open(world.named("/me/voice/ratings?kind=loan&id=@submitted"))
    assert 'type="radio"' not in early.text
