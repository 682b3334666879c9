"""Money coming in, through HTTP: sheets and their files, bank statements, receipts, their page."""

import csv
import gzip
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.extensions import db
from community.ledger.models import JournalEntry
from community.verification import verify
from tests.api.people import assert_problem
from tests.api.world import World, make_world
from tests.reading import Reader, check_html

GROUP = "/groups/@active"
VILLAGE = "/communities/@village"
HEAD = "reference,booked_on,amount,payer_name,text\n"


def cny(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


@pytest.fixture(scope="module")
def own_world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which money comes in; the laws hold at its end."""
    with make_world(template_url, tmp_path_factory.mktemp("receiving")) as made:
        yield made
        with made.app.app_context():
            assert verify(db.session()).breaches == ()


def post(world: World, who: str, path: str, body: Any = None, key: str = "") -> TestResponse:
    """A POST with a key; a text is a CSV file."""
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    if isinstance(body, str | bytes):
        data = world.named(body) if isinstance(body, str) else body
        return world.call(who, "POST", path, headers=headers, data=data, content_type="text/csv")
    return world.call(who, "POST", path, headers=headers, json=world.named(body))


def read(world: World, who: str, path: str) -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_the_leader_sees_everybody_and_a_member_themself(own_world: World) -> None:
    whole = read(own_world, "wang", f"{GROUP}/collection-sheet")
    assert [member["name"] for member in whole["members"]] == ["wang", "zhao", "sun"]
    [loan] = whole["members"][0]["loans"]
    assert loan["id"] == own_world.ids["current"]
    assert loan["suggested"] == loan["next_due"]
    own = read(own_world, "zhao", f"{GROUP}/collection-sheet")
    assert [member["name"] for member in own["members"]] == ["zhao"]
    sheet = read(own_world, "zhao", "/collections/@sheet")
    assert [line["member"]["name"] for line in sheet["lines"]] == ["zhao"]
    assert sheet["total"] == cny("2.00")
    everybody = read(own_world, "wang", "/collections/@sheet")
    assert [line["member"]["name"] for line in everybody["lines"]] == ["zhao", "sun"]
    [listed] = [
        row
        for row in read(own_world, "sun", f"{GROUP}/collections")["items"]
        if row["id"] == own_world.ids["sheet"]
    ]
    assert [line["member"]["name"] for line in listed["lines"]] == ["sun"]
    rows = list(csv.DictReader(io.StringIO(_sheet_csv(own_world, "zhao"))))
    assert {row["name"] for row in rows} == {"zhao"}


def _sheet_csv(world: World, who: str) -> str:
    answer = world.call(who, "GET", f"{GROUP}/collection-sheet.csv")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    return answer.get_data(as_text=True)


def test_a_sheet_goes_out_as_a_file_and_comes_back_as_receipts_once(own_world: World) -> None:
    rows = list(csv.DictReader(io.StringIO(_sheet_csv(own_world, "wang"))))
    assert [(row["name"], row["kind"]) for row in rows] == [
        ("wang", "repayment"),
        ("wang", "deposit"),
        ("zhao", "deposit"),
        ("sun", "deposit"),
    ]
    rows[0] |= {"amount": "4.00", "payer": own_world.ids["li"], "note": "li was so kind"}
    rows[2]["amount"] = "1.50"
    filled = io.StringIO()
    writer = csv.DictWriter(filled, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    first = post(own_world, "wang", f"{GROUP}/collections/csv", filled.getvalue())
    assert first.status_code == 201, first.text
    sheet = first.get_json()
    assert (sheet["status"], sheet["repaid"], sheet["deposited"], sheet["total"]) == (
        "posted",
        cny("4.00"),
        cny("1.50"),
        cny("5.50"),
    )
    assert sheet["client_id"] == rows[0]["sheet"]
    # Sent again from the phone, with another key and packed: the same sheet.
    packed = gzip.compress(filled.getvalue().encode())
    again = post(own_world, "wang", f"{GROUP}/collections/csv", packed)
    assert again.get_json() == sheet
    repayment, deposit = (
        read(own_world, "officer", f"/receipts/{line['receipt']}") for line in sheet["lines"]
    )
    assert repayment["loan"]["source"] == "third_party"
    assert repayment["loan"]["payer"]["name"] == "li"
    assert deposit["savings"]["kind"] == "deposit"


def test_a_key_covers_one_file_only(own_world: World) -> None:
    path, key = f"{VILLAGE}/bank-statements", "the-same-key-twice"
    one = post(own_world, "officer", path, HEAD + "k1,2026-04-01,1.00,,?\n", key)
    assert one.status_code == 201, one.text
    replayed = post(own_world, "officer", path, HEAD + "k1,2026-04-01,1.00,,?\n", key)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    other = post(own_world, "officer", path, HEAD + "k2,2026-04-01,1.00,,?\n", key)
    assert_problem(other, 409, "idempotency-mismatch")


def test_a_draft_is_changed_with_its_version_and_posted_once(own_world: World) -> None:
    line = {"loan": "@current", "amount": cny("1.00")}
    entered = post(own_world, "officer", f"{GROUP}/collection-drafts", {"lines": [line]})
    assert entered.status_code == 201, entered.text
    assert entered.get_json()["lines"][0]["receipt"] is None
    path = f"/collections/{entered.get_json()['id']}"
    body = own_world.named({"lines": [line | {"amount": cny("2.00")}], "total": cny("2.00")})
    tag = {"If-Match": entered.headers["ETag"]}
    changed = own_world.call("wang", "PUT", path, json=body, headers=tag)
    assert changed.status_code == 200, changed.text
    assert changed.headers["ETag"] == '"2"'
    stale = own_world.call("wang", "PUT", path, json=body, headers=tag)
    assert_problem(stale, 412, "precondition-failed")
    posted = post(own_world, "wang", f"{path}/posting")
    assert posted.status_code == 201, posted.text
    assert post(own_world, "wang", f"{path}/posting").get_json() == posted.get_json()
    late = own_world.call("wang", "PUT", path, json=body, headers={"If-Match": '"3"'})
    assert_problem(late, 409, "collection-posted")


def test_a_statement_is_told_line_by_line_and_suspense_is_settled(own_world: World) -> None:
    before = read(own_world, "auditor", f"{VILLAGE}/suspense")
    text = (
        HEAD
        + f"h1,2026-04-01,2.00,wang,for {own_world.ids['current']}\n"
        + "h2,2026-04-01,7.00,somebody,?\n"
        + "h3,2026-04-01,-9.00,,fee\n"
    )
    answer = post(own_world, "officer", f"{VILLAGE}/bank-statements", text)
    assert answer.status_code == 201, answer.text
    told = answer.get_json()
    [applied], [waiting], [debit] = told["applied"], told["suspense"], told["debits"]
    assert applied["match"] == {
        "rule": "loan_named",
        "certainty": "certain",
        "reason": None,
        "facts": [
            {"kind": "loan", "value": own_world.ids["current"]},
            {"kind": "payer", "value": "name"},
        ],
    }
    assert applied["loan"] == own_world.ids["current"]
    assert (waiting["status"], waiting["match"]["reason"]) == ("suspense", "nothing_named")
    assert (debit["reference"], debit["amount"]) == ("h3", "-9.00")
    after = read(own_world, "auditor", f"{VILLAGE}/suspense")
    assert after["lines"] == before["lines"] + 1
    assert after["by_day"][0]["booked_on"] == "2026-04-01"
    path = f"/bank-lines/{waiting['id']}"
    saved = post(own_world, "officer", f"{path}/deposit", {"member": "@sun", "note": "asked"})
    assert saved.status_code == 201, saved.text
    assert (saved.get_json()["status"], saved.get_json()["settled_by"]["name"]) == (
        "saved",
        "officer",
    )
    listed = read(own_world, "officer", f"{VILLAGE}/bank-lines?status=saved")["items"]
    assert [row["reference"] for row in listed] == ["h2"]
    bad = post(own_world, "officer", f"{VILLAGE}/bank-statements", HEAD + "h9,2026-4-1,1,,\n")
    [fault] = assert_problem(bad, 422, "import-refused")["faults"]
    assert (fault["line"], fault["column"]) == (2, "booked_on")


def test_a_statement_is_imported_by_command_once(own_world: World, tmp_path: Path) -> None:
    path = tmp_path / "statement.csv.gz"
    text = HEAD + f"c1,2026-04-01,2.00,,{own_world.ids['current']}\nc2,2026-04-01,-3.00,,fee\n"
    path.write_bytes(gzip.compress(text.encode()))
    run = own_world.app.test_cli_runner().invoke
    args = ["import", "statement", str(path), "--community"]
    dry = run(args=[*args, "hamlet", "--dry-run"])
    first, again = (run(args=[*args, name]) for name in ("hamlet", own_world.ids["village"]))
    counts = "0 refused (1 applied, 0 in suspense, 1 debits left alone)"
    for done in (dry, first):
        assert done.exit_code == 0, done.output
        assert done.stdout == f"statement: 2 rows, 1 new, 0 unchanged, {counts}\n"
        assert "c2 of 2026-04-01 is a debit of -3.00: left alone." in done.stderr
    assert again.stdout.startswith("statement: 2 rows, 0 new, 1 unchanged, 0 refused")
    nowhere = run(args=[*args, "nowhere"])
    assert (nowhere.exit_code, nowhere.stdout) == (1, "")
    path.write_text(HEAD + "c3,2026-04-01,1e3,,\n")
    bad = run(args=[*args, "hamlet"])
    assert bad.exit_code == 1
    assert "line 2, column amount: '1e3': This is not an amount." in bad.stderr


def test_a_receipt_says_where_every_cent_went_and_where_it_is_booked(own_world: World) -> None:
    receipt = read(own_world, "wang", "/receipts/@receipt")
    assert receipt["amount"] == cny("10.00")
    parts = {part["part"]: part["amount"]["amount"] for part in receipt["loan"]["parts"]}
    assert parts["principal"] == "10.00"
    assert sum(int(amount.replace(".", "")) for amount in parts.values()) == 10_00
    assert {"interest", "recovered", "recourse", "overpaid"} <= parts.keys()
    with own_world.app.app_context():
        entry = db.session.query(JournalEntry).filter_by(hash=receipt["entry"]["hash"]).one()
        assert (entry.seq, entry.reference) == (receipt["entry"]["number"], receipt["id"])
    cover = receipt["loan"]["cover"]
    reserved, freed, held = (
        int(cover[name]["amount"].replace(".", "")) for name in ("reserved", "freed", "held")
    )
    assert reserved == freed + held == 600_00
    assert freed > 0


def test_a_payer_sees_the_receipt_and_not_the_loan(own_world: World) -> None:
    paid = post(
        own_world,
        "officer",
        "/loans/@current/repayments",
        {"amount": cny("1.00"), "source": "third_party", "payer": "@gao"},
    )
    assert paid.status_code == 201, paid.text
    receipt = read(own_world, "gao", f"/receipts/{paid.get_json()['id']}")
    assert receipt["amount"] == cny("1.00")
    assert (receipt["loan"]["left"], receipt["loan"]["cover"]) == (None, None)
    assert_problem(own_world.call("gao", "GET", "/loans/@current"), 404, "not-found")


def page(world: World, who: str, name: str, language: str) -> TestResponse:
    reader = Reader(world.app, language).sign_in(world.tokens[who])
    return reader.open(f"/receipts/{world.ids.get(name, name)}")


def test_a_receipt_is_a_page_in_both_languages(own_world: World) -> None:
    unknown = own_world.app.test_client().get(f"/receipts/{own_world.ids['receipt']}?lang=en")
    assert unknown.status_code == 303
    assert "10.00" not in unknown.text
    english = page(own_world, "wang", "receipt", "en")
    chinese = page(own_world, "wang", "receipt", "zh-CN")
    for shown, words, language in (
        (english, "Where it went", "en"),
        (chinese, "这笔钱的去向", "zh-CN"),
    ):
        assert shown.status_code == 200
        assert words in shown.text
        assert "10.00" in shown.text
        assert own_world.ids["receipt"] in shown.text
        assert re.search("[0-9a-f]{64}", shown.text)
        check_html(shown, language)


def test_a_receipt_of_savings_is_a_page_too(own_world: World) -> None:
    lines = read(own_world, "zhao", "/collections/@sheet")["lines"]
    shown = page(own_world, "zhao", lines[0]["receipt"], "en")
    assert shown.status_code == 200
    assert "Free savings" in shown.text


@pytest.mark.parametrize("who", ["gao", "stranger"])
def test_a_receipts_page_opens_for_nobody_else(own_world: World, who: str) -> None:
    shown = page(own_world, who, "receipt", "en")
    assert shown.status_code == 404
    assert "10.00" not in shown.text
    check_html(shown, "en")
