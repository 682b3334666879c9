"""Holds, trial balance and statements over the API: figures, forms, pages, and who sees what."""

import csv
import io
from typing import Any

import pytest
from flask import Flask

from app.sheets import cell
from community.money import Money
from tests.api.people import Person, assert_problem
from tests.api.village import Village, make_village


def cny(amount: str, **more: Any) -> dict[str, Any]:
    return {"amount": {"amount": amount, "currency": "CNY"}, **more}


def held(amount: str, **more: Any) -> dict[str, Any]:
    return cny(amount, expires_on="2199-01-01", reason="seed", **more)


@pytest.fixture
def village(app: Flask) -> Village:
    return make_village(app)


@pytest.fixture
def saver(village: Village) -> Person:
    """Somebody with three movements: 120.50 in, 20.01 out, 5 in."""
    person = village.settle("Wang Fang")
    place = f"{village.place(person)}/savings"
    for verb, amount in (("deposits", "120.50"), ("withdrawals", "20.01"), ("deposits", "5.00")):
        assert village.officer.post(f"{place}/{verb}", cny(amount)).status_code == 201
    return person


def sheet(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_chart_lists_every_account(village: Village) -> None:
    items = village.officer.get(f"{village.path}/chart").get_json()["items"]
    assert len(items) == 22
    assert items[0] == {
        "code": "1010",
        "account": "savings_cash",
        "class": "asset",
        "side": "debit",
        "owned": False,
        "name_en": "Members' money in custody",
        "name_zh": "成员储蓄托管款",
        "purpose": "Cash and bank money that belongs to members. It is never lent.",
    }


def test_a_trial_balance_as_json_and_as_a_sheet(village: Village, saver: Person) -> None:
    path = f"{village.path}/trial-balance"
    found = village.officer.get(path).get_json()
    assert [(line["account"], line["debit"]["amount"]) for line in found["lines"]] == [
        ("savings_cash", "125.50"),
        ("member_savings", "20.01"),
    ]
    [total] = found["totals"]
    assert total["balances"] is True
    assert total["debit"] == total["credit"] == {"amount": "145.51", "currency": "CNY"}
    assert total["closing_debit"]["amount"] == total["closing_credit"]["amount"] == "105.49"
    by_accept = village.officer.call("GET", path, headers={"Accept": "text/csv"})
    assert by_accept.content_type == "text/csv; charset=utf-8; header=present"
    assert "attachment; filename=" in by_accept.headers["Content-Disposition"]
    assert by_accept.headers["Vary"] == "Accept"
    assert int(by_accept.headers["Content-Length"]) == len(by_accept.data)
    by_query = village.officer.get(path, format="csv")
    assert by_query.text == by_accept.text
    cash, owed, total = sheet(by_query.text)
    assert (cash["code"], cash["name_zh"], cash["closing_debit"]) == (
        "1010",
        "成员储蓄托管款",
        "105.49",
    )
    assert owed["closing_credit"] == "105.49"
    assert (total["account"], total["debit"], total["credit"]) == ("total", "145.51", "145.51")


def test_json_is_what_a_browser_and_a_silent_caller_get(village: Village, saver: Person) -> None:
    path = f"{village.path}/trial-balance"
    for accept in ("*/*", "application/json", "text/html,*/*;q=0.8", "application/json, text/csv"):
        answer = village.officer.call("GET", path, headers={"Accept": accept})
        assert answer.mimetype == "application/json"
    asked = {"headers": {"Accept": "text/csv"}, "query_string": {"format": "json"}}
    assert village.officer.call("GET", path, **asked).mimetype == "application/json"


def test_a_member_reads_their_statement_page_by_page(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/statement"
    whole = saver.get(path).get_json()
    assert whole["name"] == "Wang Fang"
    [savings] = whole["sections"]
    assert (savings["opening"]["amount"], savings["closing"]["amount"]) == ("0.00", "105.49")
    assert (savings["added"]["amount"], savings["taken"]["amount"]) == ("125.50", "20.01")
    assert [
        (item["kind"], item["amount"]["amount"], item["balance"]["amount"])
        for item in whole["items"]
    ] == [
        ("savings.deposit", "120.50", "120.50"),
        ("savings.withdrawal", "-20.01", "100.49"),
        ("savings.deposit", "5.00", "105.49"),
    ]
    receipts = saver.get(f"{village.place(saver)}/savings/movements").get_json()["items"]
    assert [item["receipt"] for item in whole["items"]] == [item["id"] for item in receipts][::-1]
    assert whole["next_cursor"] is None
    paged, cursor = [], ""
    while cursor is not None:
        page = saver.get(path, limit=1, cursor=cursor).get_json()
        assert len(page["items"]) == 1
        assert page["sections"] == whole["sections"]
        paged += page["items"]
        cursor = page["next_cursor"]
    assert paged == whole["items"]


def test_a_cursor_counts_for_its_own_period_only(village: Village, saver: Person) -> None:
    path = f"{village.place(saver)}/statement"
    cursor = saver.get(path, limit=1).get_json()["next_cursor"]
    other = {"cursor": cursor, "from": "2020-01-01"}
    assert_problem(saver.get(path, **other), 422, "bad-cursor")


def test_a_members_statement_as_a_sheet(village: Village, saver: Person) -> None:
    rows = sheet(saver.get(f"{village.place(saver)}/statement", format="csv").text)
    assert [(row["kind"], row["amount"], row["balance"]) for row in rows] == [
        ("opening", "", "0.00"),
        ("savings.deposit", "120.50", "120.50"),
        ("savings.withdrawal", "-20.01", "100.49"),
        ("savings.deposit", "5.00", "105.49"),
        ("closing", "", "105.49"),
    ]


def test_an_accounts_statement_with_debits_and_credits(village: Village, saver: Person) -> None:
    path = f"{village.path}/accounts/savings_cash/statement"
    first = village.officer.get(path, limit=2).get_json()
    assert (first["opening"]["amount"], first["closing"]["amount"]) == ("0.00", "105.49")
    rest = village.officer.get(path, limit=2, cursor=first["next_cursor"]).get_json()
    assert rest["next_cursor"] is None
    lines = first["items"] + rest["items"]
    assert [line["balance"]["amount"] for line in lines] == ["120.50", "100.49", "105.49"]
    assert {line["member"] for line in lines} <= {None, saver.public_id}
    rows = sheet(village.officer.get(path, format="csv").text)
    assert [(row["debit"], row["credit"], row["balance"]) for row in rows] == [
        ("", "", "0.00"),
        ("120.50", "", "120.50"),
        ("", "20.01", "100.49"),
        ("5.00", "", "105.49"),
        ("", "", "105.49"),
    ]
    owed = village.officer.get(f"{village.path}/accounts/member_savings/statement", format="csv")
    assert [row["credit"] for row in sheet(owed.text)[1:4]] == ["120.50", "", "5.00"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+86 138", "'+86 138"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1+1", "'  =1+1"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("李娜", "李娜"),
        ("a=b", "a=b"),
        ("", ""),
        (None, ""),
        (Money(-2001, "CNY"), "-20.01"),
        (7, "7"),
    ],
)
def test_a_text_that_looks_like_a_formula_is_made_harmless(value: Any, shown: str) -> None:
    assert cell(value) == shown


def test_a_formula_in_a_reference_stays_a_text_in_the_sheet(
    village: Village, saver: Person
) -> None:
    path = f"{village.path}/lending-pool/deposits"
    evil = '=HYPERLINK("http://x","y")'
    assert village.operator.post(path, cny("9.00", reference=evil)).status_code == 201
    rows = sheet(
        village.officer.get(f"{village.path}/accounts/lender_funds/statement", format="csv").text
    )
    assert rows[1]["reference"] == f"'{evil}"


def test_a_hold_from_placing_to_its_receipt(village: Village, saver: Person) -> None:
    place = f"{village.place(saver)}/holds"
    placed = village.officer.post(place, held("100.00", reference="paper 7"))
    assert placed.status_code == 201, placed.text
    hold = placed.get_json()
    assert (hold["state"], hold["posted"]["amount"], hold["member"]) == (
        "pending",
        "0.00",
        saver.public_id,
    )
    money = saver.get(f"{village.place(saver)}/savings").get_json()
    assert {name: money[name]["amount"] for name in ("free", "held", "available")} == {
        "free": "105.49",
        "held": "100.00",
        "available": "5.49",
    }
    taking = village.officer.post(f"{village.place(saver)}/savings/withdrawals", cny("5.50"))
    problem = assert_problem(taking, 409, "insufficient-funds")
    assert problem["available_minor"] == 549
    paid = village.officer.post(f"/api/v1/holds/{hold['id']}/posting", cny("60.00")).get_json()
    assert paid["hold"]["state"] == "posted"
    assert paid["receipt"]["amount"]["amount"] == paid["hold"]["posted"]["amount"] == "60.00"
    again = village.officer.post(f"/api/v1/holds/{hold['id']}/posting", {})
    assert assert_problem(again, 409, "hold-ended")["state"] == "posted"
    items = saver.get(f"{village.place(saver)}/statement").get_json()["items"]
    assert items[-1]["receipt"] == paid["receipt"]["id"]
    assert items[-1]["balance"]["amount"] == "45.49"


def test_a_hold_is_let_go_and_listed(village: Village, saver: Person) -> None:
    place = f"{village.place(saver)}/holds"
    hold = village.officer.post(place, held("100.00")).get_json()
    voided = village.officer.post(f"/api/v1/holds/{hold['id']}/void", {"reason": "not needed"})
    assert voided.get_json()["end_reason"] == "not needed"
    assert saver.get(place).get_json()["items"] == [voided.get_json()]
    assert saver.get(f"/api/v1/holds/{hold['id']}").get_json() == voided.get_json()
    for state, count in (("voided", 1), ("pending", 0), ("posted", 0)):
        listed = village.officer.get(f"{village.path}/holds", state=state).get_json()["items"]
        assert len(listed) == count
    assert saver.get(f"{village.place(saver)}/savings").get_json()["held"]["amount"] == "0.00"


def test_an_officer_from_elsewhere_sees_no_statement(
    app: Flask, village: Village, saver: Person
) -> None:
    elsewhere = make_village(app, "Beihu")
    for path in (
        f"{village.place(saver)}/statement",
        f"{village.place(saver)}/holds",
        f"{village.path}/trial-balance",
        f"{village.path}/accounts/savings_cash/statement",
        f"{village.path}/holds",
    ):
        sheet_asked = {"headers": {"Accept": "text/csv"}}
        assert_problem(elsewhere.officer.get(path), 404, "not-found")
        assert_problem(elsewhere.officer.call("GET", path, **sheet_asked), 404, "not-found")
