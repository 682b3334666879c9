"""Portfolio figures over the API: as JSON, as tables, and to whom of a loan's class."""

import csv
import io
from typing import Any

import pytest

from tests.api.world import World

HERE = "/communities/@village/portfolio"
REPORTS = ("par", "vintages", "roll-rates", "classes")


def got(world: World, path: str, who: str = "officer") -> Any:
    answer = world.call(who, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def table(world: World, path: str) -> list[dict[str, str]]:
    answer = world.call("officer", "GET", path)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_par_by_officer_as_json_and_as_a_table(world: World) -> None:
    report = got(world, f"{HERE}/par?by=officer")
    [row] = report["items"]
    assert row["name"] == "officer"
    assert (report["on"], report["basis"], report["by"]) == ("2026-04-13", "rows", "officer")
    assert {**row, "key": None, "name": None} == report["total"]
    # wang's 587, the tycoon's 12 and 5 for beans, and ding's and dong's 50 each.
    assert row["outstanding"]["amount"] == "704.00"
    assert [each["days"] for each in row["at_risk"]] == [30, 60, 90]
    line, total = table(world, f"{HERE}/par.csv?by=officer")
    assert line["key"] == row["key"]
    assert (line["outstanding"], line["currency"]) == (row["outstanding"]["amount"], "CNY")
    assert total["name"] == "total"
    assert total["par_30_amount"] == row["at_risk"][0]["amount"]["amount"]


def test_par_of_a_past_day_is_rederived(world: World) -> None:
    report = got(world, f"{HERE}/par?on=2026-04-12")
    assert (report["basis"], report["items"], report["by"]) == ("history", [], None)
    # ding's, dong's and dai's 50 each, the tycoon's 5; wang's was paid out on the 13th.
    assert report["total"]["loans"] == 4
    assert report["total"]["outstanding"]["amount"] == "155.00"


def test_classes_with_what_is_set_aside_for_them(world: World) -> None:
    report = got(world, f"{HERE}/classes")
    by_class = {item["class"]: item for item in report["items"]}
    assert list(by_class) == ["normal", "special_mention", "substandard", "doubtful", "loss"]
    # wang's 587, the tycoon's 12 and 5 are normal: 1 %, of 590, 12 and 5 when it was set aside.
    assert by_class["normal"]["amount"]["amount"] == "604.00"
    assert by_class["normal"]["provision"]["amount"] == "6.07"
    lines = table(world, f"{HERE}/classes.csv")
    assert [line["class"] for line in lines] == [*by_class, "unclassified"]
    assert lines[0]["provision"] == "6.07"


def test_vintages_and_roll_rates(world: World) -> None:
    report = got(world, f"{HERE}/vintages?months=1")
    assert [cohort["month"] for cohort in report["items"]] == ["2026-03", "2026-04"]
    assert [age["months_on_book"] for age in report["items"][0]["ages"]] == [0, 1]
    lines = table(world, f"{HERE}/vintages.csv?months=1")
    assert [(line["month"], line["months_on_book"]) for line in lines] == [
        ("2026-03", "0"),
        ("2026-03", "1"),
        ("2026-04", "0"),
    ]
    rolls = got(world, f"{HERE}/roll-rates")
    assert (rolls["from_on"], rolls["to_on"]) == ("2026-02-28", "2026-03-31")
    [move] = rolls["items"]
    assert (move["from"], move["to"], move["loans"], move["share_bps"]) == (
        "new",
        "normal",
        4,
        10_000,
    )
    [line] = table(world, f"{HERE}/roll-rates.csv?month=2026-03")
    assert (line["from"], line["to"], line["amount"]) == ("new", "normal", "155.00")


@pytest.mark.parametrize("report", REPORTS)
def test_a_community_without_loans_has_reports_of_nothing(world: World, report: str) -> None:
    for path in (report, f"{report}.csv"):
        answer = world.call("operator", "GET", f"/communities/@far/portfolio/{path}")
        assert answer.status_code == 200, answer.text


def test_a_borrower_sees_why_their_loan_is_in_its_class_but_not_what_is_set_aside(
    world: World,
) -> None:
    mine, theirs = (got(world, "/loans/@late/class", who) for who in ("ding", "officer"))
    assert mine["provision"] is None
    assert theirs["provision"]["currency"] == "CNY"
    assert {**theirs, "provision": None} == mine
    assert mine["class"] == "special_mention"
    assert mine["reasons"][0]["class"] == "special_mention"
    [change] = mine["history"]
    assert (change["from"], change["to"], change["on"]) == (
        "normal",
        "special_mention",
        "2026-04-13",
    )
    assert change["reasons"] == mine["reasons"]
    assert change["charter_version"] == 1


def test_a_normal_loan_says_so_and_an_application_has_no_class(world: World) -> None:
    normal = got(world, "/loans/@current/class")
    assert normal["reasons"] == [{"rule": "class_days", "class": "normal", "days_overdue": 0}]
    assert (normal["class"], normal["own_class"], normal["history"]) == ("normal", "normal", [])
    none = got(world, "/loans/@submitted/class")
    assert (none["class"], none["reasons"], none["days_overdue"]) == (None, [], 0)
