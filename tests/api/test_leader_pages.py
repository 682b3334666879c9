"""The meeting sheet as a page: a draft on the server, posted once, and what is refused on the way.

The sheet is the API's: the meeting and the collection bear the name of the file of the same day.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.extensions import db
from community.loans.models import Loan
from community.monitoring.models import Attendance, Meeting
from community.receiving.models import Collection, CollectionStatus
from tests.api.world import World, make_world
from tests.reading import Reader, check_html, hidden

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
DAY = "2026-04-13"


@pytest.fixture
def world(template_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of its own for each test: sheets are written here."""
    with make_world(template_url, tmp_path_factory.mktemp("sheets")) as made:
        yield made


class Sheet:
    """A leader before the sheet of the group `active`."""

    def __init__(self, world: World, who: str = "wang") -> None:
        self.world = world
        self.reader = Reader(world.app, "en").sign_in(world.tokens[who])
        self.path = world.named("/lead/groups/@active/sheet")
        self.shown = self.reader.open(self.path)

    def field(self, name: str) -> str:
        """The name of a field of a person or a loan: `paid_@current`."""
        return str(self.world.named(name))

    def send(self, fields: dict[str, str], act: str = "keep", **more: str) -> TestResponse:
        data = {"act": act, **{self.field(k): v for k, v in fields.items()}, **more}
        return self.reader.client.post(
            self.path, data=hidden(self.shown.text) | data, headers=self.reader.headers
        )

    def again(self) -> str:
        self.shown = self.reader.open(self.path)
        return self.shown.text

    def value(self, name: str) -> str:
        found = re.search(rf'name="{self.field(name)}" value="([^"]*)"', self.shown.text)
        assert found is not None, name
        return found[1]


def rows(world: World) -> dict[str, Any]:
    """What the database holds of this day's sheet."""
    with world.app.app_context():
        session = db.session()
        name = world.named(f"@active.{DAY}")
        sheet = session.scalar(select(Collection).where(Collection.client_id == name))
        meeting = session.scalar(select(Meeting).where(Meeting.client_id == name))
        loan = session.scalar(select(Loan).where(Loan.public_id == world.ids["current"]))
        assert loan is not None
        kinds = (
            []
            if meeting is None
            else session.scalars(
                select(Attendance.kind)
                .where(Attendance.meeting_id == meeting.id)
                .order_by(Attendance.member_id)
            )
        )
        found = {
            "sheet": None if sheet is None else (sheet.status, sheet.total_minor),
            "linked": meeting is not None
            and meeting.collection_id == (None if sheet is None else sheet.id),
            "was": sorted(kind.value for kind in kinds),
            "owed": loan.outstanding_minor,
            "sheets": session.scalar(select(func.count(Collection.id))),
        }
        db.session.remove()
        return found


def test_a_draft_books_nothing_and_is_there_again(world: World) -> None:
    sheet = Sheet(world)
    before = rows(world)
    answer = sheet.send(
        {
            "paid_@current": "1,200.5",
            "saved_@sun": "3",
            "is_@zhao": "absent",
            "note_@zhao": "in town",
        },
        minutes="We spoke of a well.",
    )
    assert answer.status_code == 303, answer.text
    after = rows(world)
    assert after["sheet"] == (CollectionStatus.DRAFT, 120_350)
    assert after["linked"]
    assert after["was"] == ["absent", "present", "present"]
    assert after["owed"] == before["owed"]
    text = sheet.again()
    check_html(sheet.shown, "en")
    assert sheet.value("paid_@current") == "1200.50"
    assert sheet.value("saved_@sun") == "3.00"
    assert sheet.value("note_@zhao") == "in town"
    assert "We spoke of a well." in text
    # Written anew, not added; and the day's other sheets are not touched.
    assert sheet.send({"paid_@current": "2.00"}).status_code == 303
    assert rows(world)["sheet"] == (CollectionStatus.DRAFT, 200)
    assert rows(world)["sheets"] == before["sheets"] + 1


def test_it_is_posted_once_and_becomes_a_paper(world: World) -> None:
    sheet = Sheet(world)
    before = rows(world)
    money = {"paid_@current": "100.00", "saved_@zhao": "4.00", "is_@sun": "proxy:@zhao"}
    money["is_@sun"] = world.named(money["is_@sun"])
    first = sheet.send(money, "post", counted="104.00")
    assert first.status_code == 303, first.text
    assert rows(world)["sheet"] == (CollectionStatus.POSTED, 104_00)
    assert rows(world)["owed"] < before["owed"]
    owed = rows(world)["owed"]
    # The same form again, and another one that was open meanwhile: nothing is booked twice.
    assert sheet.send(money, "post", counted="104.00").location == first.location
    other = dict(hidden(sheet.shown.text), form_once="another-key-of-a-form")
    late = sheet.reader.client.post(
        sheet.path,
        data=other | {"act": "post", sheet.field("paid_@current"): "50.00"},
        headers=sheet.reader.headers,
    )
    assert late.location == first.location
    assert rows(world)["owed"] == owed
    assert sheet.reader.open(sheet.path).location == first.location
    paper = sheet.reader.open(first.location)
    check_html(paper, "en")
    # One's own receipt is linked, that of another only numbered.
    assert paper.text.count("/receipts/rcp_") == 1
    assert len(set(re.findall(r"rcp_\w{16}", paper.text))) == 2
    assert "by proxy" in paper.text
    # The API tells the same sheet under the name of the file.
    told = world.call("wang", "GET", f"/collections/{first.location.rpartition('/')[2]}").get_json()
    assert told["client_id"] == world.named(f"@active.{DAY}")
    assert told["status"] == "posted"
    # A plain member of the group finds their own line there, and nobody else's.
    own = Reader(world.app, "en").sign_in(world.tokens["zhao"]).open(first.location).text
    assert own.count("/receipts/rcp_") == 1
    assert "104.00" not in own


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(world: World) -> None:
    sheet = Sheet(world)
    before = rows(world)
    bad = sheet.send({"paid_@current": "12.345", "saved_@sun": "3"})
    assert bad.status_code == 422
    assert f'id="e-{sheet.field("paid_@current")}"' in bad.text
    assert 'value="12.345"' in bad.text
    check_html(bad, "en")
    # More than is owed is the service's to refuse, or to keep as overpaid: here the count is wrong.
    short = sheet.send({"saved_@sun": "3.00"}, "post", counted="4.00")
    assert short.status_code == 422
    assert 'id="e-counted"' in short.text
    nothing = sheet.send({}, "post")
    assert nothing.status_code == 409
    assert "There is no money on the sheet" in nothing.text
    proxy = sheet.send({"is_@sun": world.named("proxy:@zhao"), "is_@zhao": "absent"})
    assert proxy.status_code == 422
    assert "The attendance is not possible" in proxy.text
    gone = sheet.send({}, paid_lon_0123456789abcdef="5.00")
    assert gone.status_code == 422
    assert "has left the sheet" in gone.text
    # Nothing of all that was written, not even half of it.
    assert rows(world) == before


def test_two_who_write_on_one_sheet_do_not_undo_each_other(world: World) -> None:
    mine, theirs = Sheet(world), Sheet(world, "officer")
    assert mine.send({"saved_@sun": "3.00"}).status_code == 303
    late = theirs.send({"saved_@sun": "5.00"})
    assert late.status_code == 412
    assert "It has changed since you read it" in late.text
    assert rows(world)["sheet"] == (CollectionStatus.DRAFT, 300)
    # What the API changes is seen too.
    text = mine.again()
    assert "3.00" in text
    theirs.again()
    assert theirs.send({"saved_@sun": "5.00"}).status_code == 303
    assert rows(world)["sheet"] == (CollectionStatus.DRAFT, 500)


def test_everybody_can_be_filled_in_as_paid_without_a_script(world: World) -> None:
    sheet = Sheet(world)
    filled = sheet.reader.open(sheet.path + "?fill=1&on=2026-05-13")
    sheet.shown = filled
    assert sheet.value("paid_@current") == "187.00"
    # So is the key that fills in one of them: the next instalment, where nothing is due.
    sheet.again()
    assert sheet.send({"paid_@current": "="}).status_code == 303
    assert rows(world)["sheet"] == (CollectionStatus.DRAFT, 187_00)


def test_only_who_leads_or_holds_office_writes(world: World) -> None:
    before = rows(world)
    for who, status in (("zhao", 403), ("auditor", 403), ("gao", 404), ("stranger", 404)):
        reader = Reader(world.app, "en").sign_in(world.tokens[who])
        path = world.named("/lead/groups/@active/sheet")
        proof = hidden(reader.open("/me/password").text)
        answer = reader.client.post(path, data=proof | {"seen": "0.0"}, headers=reader.headers)
        assert answer.status_code == status, who
    assert rows(world) == before


def test_a_draft_under_another_name_is_corrected_emptied_and_posted(world: World) -> None:
    wang = Reader(world.app, "en").sign_in(world.tokens["wang"])
    path = world.named("/lead/sheets/@draft")
    listed = wang.open(world.named("/lead/groups/@active/sheets")).text
    assert path in listed
    assert "without a name" in listed
    form = hidden(wang.open(path).text)
    typed = {"line_1": "2x", "act": "keep"}
    wrong = wang.client.post(path, data=form | typed, headers=wang.headers)
    assert wrong.status_code == 422
    assert 'value="2x"' in wrong.text
    kept = wang.send(path, line_1="2.50", act="keep")
    assert kept.location == path
    assert 'value="2.50"' in wang.open(path).text
    # Whoever has it open from before is told so.
    stale = wang.client.post(path, data=hidden(wrong.text) | {"line_1": "9", "act": "post"})
    assert stale.status_code == 412
    assert wang.send(path, line_1="2", act="burn").status_code == 422
    zhao = Reader(world.app, "en").sign_in(world.tokens["zhao"])
    assert zhao.send(path, shown="/me", act="empty").status_code == 403
    emptied = wang.send(path, line_1="2.50", act="empty")
    assert emptied.location == world.named("/lead/groups/@active/sheets")
    assert "The draft is empty" in wang.open(emptied.location).text
    shown = world.call("wang", "GET", "/collections/@draft").get_json()
    assert (shown["status"], shown["lines"], shown["total"]["amount"]) == ("draft", [], "0.00")
    # Over the API too; empty, it cannot be posted, and written anew it can.
    again = {"lines": [], "deposits": [], "on": shown["on"]}
    same = world.call("wang", "PUT", "/collections/@draft", json=again, headers={"If-Match": '"3"'})
    assert (same.status_code, same.get_json()["total"]["amount"]) == (200, "0.00")
    key = {"Idempotency-Key": "an-empty-sheet"}
    nothing = world.call("wang", "POST", "/collections/@draft/posting", headers=key)
    assert (nothing.status_code, nothing.get_json()["type"]) == (
        409,
        "/problems/nothing-collected",
    )
    line: dict[str, Any] = {"loan": world.ids["current"]}
    line |= {"amount": {"amount": "3.00", "currency": "CNY"}}
    world.call(
        "wang",
        "PUT",
        "/collections/@draft",
        json=again | {"lines": [line]},
        headers={"If-Match": '"4"'},
    )
    form = hidden(wang.open(path).text) | {"line_1": "3", "act": "post"}
    sent = [wang.client.post(path, data=form, headers=wang.headers) for _ in range(2)]
    assert [answer.location for answer in sent] == [path, path]
    paper = wang.open(path)
    check_html(paper, "en")
    assert "rcp_" in paper.text
    shown = world.call("wang", "GET", "/collections/@draft").get_json()
    assert (shown["status"], shown["total"]["amount"]) == ("posted", "3.00")


def test_a_sheet_that_was_cleared_is_an_empty_draft(world: World) -> None:
    sheet = Sheet(world)
    assert sheet.send({"paid_@current": "5"}).status_code == 303
    sheet.again()
    assert sheet.send({"paid_@current": ""}).status_code == 303
    sheet.again()
    assert sheet.value("paid_@current") == ""
