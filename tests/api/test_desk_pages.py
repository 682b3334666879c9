"""The cash desk: loans paid out, repayments and savings taken, once each, as the API does it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from app.extensions import db
from tests.api.world import World, make_world
from tests.reading import Reader, check_html

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)

VILLAGE = "/office/@village"
SPACE = "\N{NO-BREAK SPACE}"


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that these tests change, each something else of it."""
    with make_world(template_url, tmp_path_factory.mktemp("desk")) as own:
        yield own


def reader(world: World, who: str, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens[who])


def yuan(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


def loan_of(world: World, name: str) -> Any:
    return world.call("operator", "GET", f"/loans/@{name}").get_json()


def test_a_loan_is_paid_out_once_part_of_it_straight_to_its_payee(own_world: World) -> None:
    asked = {
        "purpose": "stock",
        "payee_name": "the seed shop",
        "amount": yuan("20.00"),
    }
    made = own_world.call("officer", "POST", "/loans/@approved/uses", json=asked)
    assert made.status_code == 201, made.text
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@approved")
    shown = officer.open(path)
    check_html(shown, "en")
    assert f'<p class="figure">CNY{SPACE}30.00</p>' in shown.text
    assert "the seed shop · stock" in shown.text
    # More than the use says is refused, told at the payees, and what was typed stays.
    much = officer.send(f"{path}/payout", shown=path, payee_0="25")
    assert much.status_code == 422
    check_html(much, "en")
    assert 'href="#f-payees"' in much.text
    assert 'name="payee_0" type="text" value="25"' in much.text
    wrong = officer.send(f"{path}/payout", shown=path, payee_0="all")
    assert wrong.status_code == 422
    assert '<a href="#f-payee_0">the seed shop</a>' in wrong.text
    assert loan_of(own_world, "approved")["status"] == "approved"
    waiting = officer.open(own_world.named(f"{VILLAGE}/loans?status=approved")).text
    count = len(set(re.findall(r"/loans/(lon_\w+)", waiting)))
    day = officer.open(own_world.named(VILLAGE)).text
    assert f"Approved loans to pay out</a><b>{count}</b>" in day
    # Sent twice by an impatient finger it goes out once.
    fields = hidden_of(officer, path) | {"payee_0": "15.00"}
    for _ in range(2):
        done = officer.client.post(f"{path}/payout", data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    after = loan_of(own_world, "approved")
    assert after["status"] == "current"
    [out] = after["disbursements"]
    assert out["to_borrower"]["amount"] == "15.00"
    assert [(part["payee_name"], part["amount"]["amount"]) for part in out["payees"]] == [
        ("the seed shop", "15.00")
    ]
    page = officer.open(done.location)
    check_html(page, "en")
    assert "Paid out; the schedule begins today" in page.text
    assert f"CNY{SPACE}15.00 paid straight" in page.text
    assert "/payout" not in page.text
    late = officer.send(f"{path}/payout", shown=own_world.named(f"{VILLAGE}/charter/new"))
    assert late.status_code in (409, 422)


def test_shares_of_a_group_loan_are_approved_and_paid_out_together(own_world: World) -> None:
    own_world.call("li", "POST", "/group-loans/@group_loan/endorsements", json={})
    officer = reader(own_world, "officer", "zh-CN")
    path = own_world.named(f"{VILLAGE}/loans/@share")
    assert officer.send(f"{path}/approval", shown=path).status_code == 303
    shown = officer.open(path)
    check_html(shown, "zh-CN")
    # Both shares of 20.00.
    assert f'<p class="figure">40.00{SPACE}元</p>' in shown.text
    assert officer.send(f"{path}/payout", shown=path).status_code == 303
    shares = own_world.call("operator", "GET", "/group-loans/@group_loan").get_json()["shares"]
    assert [share["status"] for share in shares] == ["current", "current"]


def test_a_repayment_is_taken_once_and_its_receipt_is_there_to_print(own_world: World) -> None:
    officer = reader(own_world, "officer")
    loan = own_world.named(f"{VILLAGE}/loans/@current")
    path = f"{loan}/repayment"
    before = loan_of(own_world, "current")
    shown = officer.open(path)
    check_html(shown, "en")
    for part in ("principal", "interest", "fee", "penalty"):
        owed = f"{float(before['owed'][part]['amount']):,.2f}"
        assert f"<dd>CNY{SPACE}{owed}</dd>" in shown.text, part
    nobody = officer.send(path, amount="5", payer="mem_0123456789abcdef")
    assert nobody.status_code == 422
    assert 'id="e-payer"' in nobody.text
    none = officer.send(path, amount="", received_on="")
    assert 'id="e-amount"' in none.text
    ahead = officer.send(path, amount="5", received_on="2031-01-01")
    assert ahead.status_code == 422
    check_html(ahead, "en")
    assert len(loan_of(own_world, "current")["repayments"]) == len(before["repayments"])
    # Somebody else pays; sent twice it is taken once.
    fields = hidden_of(officer, path) | {"amount": "7.50", "payer": own_world.ids["li"]}
    for _ in range(2):
        done = officer.client.post(path, data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    after = loan_of(own_world, "current")["repayments"]
    assert len(after) == len(before["repayments"]) + 1
    assert after[-1]["source"] == "third_party"
    page = officer.open(done.location)
    check_html(page, "en")
    assert page.text.count(f'href="/receipts/{after[-1]["id"]}"') == 2
    receipt = officer.open(f"/receipts/{after[-1]['id']}")
    assert f"CNY{SPACE}7.50" in receipt.text
    # A receipt of another loan is not shown as this one's.
    other = officer.open(f"{own_world.named(f'{VILLAGE}/loans/@closed')}?receipt={after[-1]['id']}")
    assert "Print the receipt" not in other.text


def test_a_long_life_costs_no_more_statements_than_a_short_one(own_world: World) -> None:
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@current")

    def statements() -> int:
        count = 0

        def note(*_: Any) -> None:
            nonlocal count
            count += 1

        officer.open(path)  # who looked is noted once
        with own_world.app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        assert officer.open(path).status_code == 200
        event.remove(engine, "before_cursor_execute", note)
        return count

    short = statements()
    for number in range(3):
        use = own_world.call(
            "officer",
            "POST",
            "/loans/@current/uses",
            json={"purpose": "crop", "payee_name": f"shop {number}", "amount": yuan("2.00")},
        ).get_json()
        own_world.call(
            "officer",
            "POST",
            f"/loan-uses/{use['id']}/evidence",
            json={"kind": "seen", "amount": yuan("1.00"), "reference": "seed"},
        )
        own_world.call(
            "officer",
            "POST",
            "/loans/@current/repayments",
            json={"amount": yuan("1.00")},
            headers={"Idempotency-Key": f"one-more-{number}"},
        )
    assert officer.open(path).text.count("seen: seed") == 3
    assert statements() == short


def test_what_settles_a_loan_is_taken_at_the_desk(own_world: World) -> None:
    officer = reader(own_world, "officer")
    loan = own_world.named(f"{VILLAGE}/loans/@settling")
    payoff = own_world.call("officer", "GET", "/loans/@settling/payoff").get_json()
    page = officer.open(f"{loan}/repayment")
    total = f"{float(payoff['total']['amount']):,.2f}"
    assert f"CNY{SPACE}{total} today settles all of it." in page.text
    less = officer.send(f"{loan}/settlement", shown=f"{loan}/repayment", amount="0.01")
    assert less.status_code in (409, 422)
    check_html(less, "en")
    done = officer.send(f"{loan}/settlement", shown=f"{loan}/repayment")
    assert done.status_code == 303, done.text
    assert loan_of(own_world, "settling")["status"] == "closed"
    assert "The loan is settled." in officer.open(done.location).text


def test_savings_come_and_go_at_the_desk_and_the_saver_sees_it(own_world: World) -> None:
    officer = reader(own_world, "officer")
    person = own_world.named(f"{VILLAGE}/members/@zhao")
    whose = "/communities/@village/members/@zhao/savings"
    before = own_world.call("zhao", "GET", whose).get_json()
    page = f"{person}/savings/deposit"
    fields = hidden_of(officer, page) | {"amount": "12.00", "reference": "slip 77"}
    for _ in range(2):
        done = officer.client.post(page, data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    shown = officer.open(done.location)
    check_html(shown, "en")
    assert "Print the receipt" in shown.text
    again = officer.send(page, amount="12.00", reference="slip 77")
    assert again.status_code == 409
    check_html(again, "en")
    much = officer.send(f"{person}/savings/withdrawal", amount="99999")
    assert much.status_code == 409
    assert 'name="amount" type="text" value="99999"' in much.text
    out = officer.send(f"{person}/savings/withdrawal", amount="2.00")
    assert out.status_code == 303
    after = own_world.call("zhao", "GET", whose).get_json()
    assert float(after["free"]["amount"]) == float(before["free"]["amount"]) + 10
    free = f"CNY{SPACE}{float(after['available']['amount']):,.2f}"
    zhao = reader(own_world, "zhao")
    for path in ("/me/savings", own_world.named("/me/savings/@village")):
        mine = zhao.open(path)
        check_html(mine, "en")
        assert f'<p class="figure">{free}</p>' in mine.text
        assert "slip 77" in mine.text
        assert "\N{MINUS SIGN}2.00" in mine.text
    assert free in officer.open(person).text
    assert 'href="/me/savings"' in zhao.open("/me").text
    # Who left may still take out what is theirs, but brings nothing.
    assert (
        officer.send(
            own_world.named(f"{VILLAGE}/members/@feng/savings/deposit"), amount="1"
        ).status_code
        == 409
    )


def test_money_on_a_call_is_taken_once_with_its_receipt(own_world: World) -> None:
    officer = reader(own_world, "officer", "zh-CN")
    loan = own_world.named(f"{VILLAGE}/loans/@late")
    path = f"{loan}/calls/{own_world.ids['call']}/payment"
    assert path in officer.open(loan).text
    check_html(officer.open(path), "zh-CN")
    much = officer.send(path, amount="99999")
    assert much.status_code in (409, 422)
    check_html(much, "zh-CN")
    fields = hidden_of(officer, path) | {"amount": "4.00"}
    for _ in range(2):
        done = officer.client.post(path, data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    call = own_world.call("officer", "GET", "/calls/@call").get_json()
    assert call["paid"]["amount"] == "4.00"
    shown = officer.open(done.location)
    check_html(shown, "zh-CN")
    assert "打印收据" in shown.text
    other = own_world.named(f"{VILLAGE}/loans/@current/calls/@call/payment")
    assert officer.open(other).status_code == 404


def test_the_next_part_of_a_seasonal_loan_goes_out_once(own_world: World) -> None:
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@sown")
    before = loan_of(own_world, "sown")
    left = float(before["principal"]["amount"]) - float(before["disbursed"]["amount"])
    shown = officer.open(path)
    check_html(shown, "en")
    assert "Pay out the next part" in shown.text
    assert f"CNY{SPACE}{left:,.2f}" in shown.text
    fields = hidden_of(officer, path)
    for _ in range(2):
        done = officer.client.post(f"{path}/next-part", data=fields, headers=officer.headers)
        assert done.status_code == 303, done.text
    after = loan_of(own_world, "sown")
    assert len(after["disbursements"]) == len(before["disbursements"]) + 1
    assert "Pay out the next part" not in officer.open(path).text


def test_what_others_paid_is_seen_and_taken_at_the_desk(own_world: World) -> None:
    claim = own_world.call("li", "GET", "/claims/@claim").get_json()
    owed = f"CNY{SPACE}{float(claim['left']['amount']):,.2f}"
    own_world.ids["failed"] = claim["loan"]
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@failed")
    shown = officer.open(path).text
    assert f"<dt>Owed to those who paid</dt><dd>{owed}</dd>" in shown
    assert f"{path}/repayment" in shown
    done = officer.send(f"{path}/repayment", amount="1.00")
    assert done.status_code == 303, done.text


def test_an_approved_loan_is_given_up_before_money_goes_out(own_world: World) -> None:
    officer = reader(own_world, "officer")
    path = own_world.named(f"{VILLAGE}/loans/@unfunded")
    short = officer.send(f"{path}/payout", shown=path)
    assert short.status_code == 409
    check_html(short, "en")
    without = officer.send(f"{path}/cancellation", shown=path, by_borrower="yes")
    assert without.status_code == 422
    assert "<details open>" in without.text
    done = officer.send(f"{path}/cancellation", shown=path, by_borrower="yes", reason="sold a cow")
    assert done.status_code == 303, done.text
    after = loan_of(own_world, "unfunded")
    assert (after["status"], after["steps"][-1]["reason"]) == ("withdrawn", "sold a cow")
    held = own_world.call("officer", "GET", "/loans/@unfunded/cover").get_json()["held"]
    assert held["amount"] == "0.00"
    assert "its cover is free" in officer.open(done.location).text


def test_whoever_may_says_what_shows_a_use(own_world: World) -> None:
    officer = reader(own_world, "officer")
    loan = own_world.named(f"{VILLAGE}/loans/@late")
    path = f"{loan}/uses/{own_world.ids['use']}"
    assert path in officer.open(loan).text
    much = officer.send(path, kind="invoice", amount="31", reference="invoice 12")
    assert much.status_code == 422
    check_html(much, "en")
    assert 'name="reference" type="text" value="invoice 12"' in much.text
    done = officer.send(path, kind="invoice", amount="30", reference="invoice 12")
    assert done.status_code == 303, done.text
    shown = officer.open(loan)
    check_html(shown, "en")
    assert "officer · invoice: invoice 12" in shown.text
    assert path not in shown.text
    # The payee is no witness; and the use of another loan is not there.
    clerk = reader(own_world, "clerk")
    assert clerk.send(path, kind="seen", amount="1", reference="x").status_code in (403, 409)
    elsewhere = own_world.named(f"{VILLAGE}/loans/@current/uses/@use")
    assert officer.open(elsewhere).status_code == 404


def test_a_leader_says_what_shows_the_use_of_a_share(own_world: World) -> None:
    asked = {
        "purpose": "crop",
        "payee_name": "the seed shop",
        "amount": yuan("9.00"),
    }
    use = own_world.call("officer", "POST", "/loans/@share/uses", json=asked).get_json()
    own_world.ids["use_of_share"] = use["id"]
    path = own_world.named("/me/loans/@share/uses/@use_of_share/evidence")
    leader = reader(own_world, "wang", "zh-CN")
    assert path in leader.open(own_world.named("/me/loans/@share")).text
    check_html(leader.open(path), "zh-CN")
    done = leader.send(path, kind="seen", amount="9", reference="三亩稻田已种")
    assert done.status_code == 303, done.text
    assert "三亩稻田已种" in leader.open(done.location).text
    # Its borrower sees it, and is not asked.
    zhao = reader(own_world, "zhao")
    assert path not in zhao.open(own_world.named("/me/loans/@share")).text
    assert zhao.open(path).status_code == 403


def test_members_read_what_rules_found_about_them(own_world: World) -> None:
    told = own_world.call("zhao", "GET", "/me/cases").get_json()["items"]
    assert own_world.ids["case"] in [case["id"] for case in told]
    zhao = reader(own_world, "zhao")
    page = zhao.open("/me/cases")
    check_html(page, "en")
    assert re.findall(r'href="/desk/cases/(cas_\w+)"', page.text) == [case["id"] for case in told]
    assert 'href="/me/cases"' in zhao.open("/me/profile").text
    for case in told:
        assert zhao.open(f"/desk/cases/{case['id']}").status_code == 200


def hidden_of(person: Reader, path: str) -> dict[str, str]:
    """The proof and the key that a page's forms carry."""
    return dict(
        re.findall(r'type="hidden" name="(form_\w+)" value="([^"]*)"', person.open(path).text)
    )
