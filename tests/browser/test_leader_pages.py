"""The leader's pages: the group, the meeting sheet from draft to paper, meetings and votes."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit


@pytest.mark.parametrize(
    ("language", "path", "name"),
    [
        ("zh-CN", "/lead", "leader-group"),
        ("zh-CN", "/lead/groups/@active/people", "leader-people"),
        ("zh-CN", "/lead/groups/@active/visits", "leader-visits"),
        ("en", "/lead/groups/@active/meetings", "leader-meetings"),
        ("en", "/lead/groups/@active/report", "leader-report"),
    ],
)
def test_the_pages_of_a_leader(visit: Visit, language: str, path: str, name: str) -> None:
    visit.check(visit("wang", language, path), name)


def test_the_keyboard_fills_a_sheet_and_the_totals_live(visit: Visit) -> None:
    page = visit("wang", "zh-CN", "/lead")
    page.get_by_role("link", name="打开会议表").click()
    expect(page.locator("[data-keys]")).to_be_visible()
    paid = page.locator("input[name^=paid_]").first
    saved = page.locator("input[name^=saved_]")
    paid.focus()
    page.keyboard.press("=")
    expect(paid).to_have_value("187.00")
    page.keyboard.press("Enter")
    expect(saved.first).to_be_focused()
    page.keyboard.type("2,000.5")
    page.keyboard.press("ArrowDown")
    page.keyboard.type("3")
    page.keyboard.press("Shift+Enter")
    expect(saved.first).to_be_focused()
    expect(page.locator("[data-sum=paid]")).to_have_text("187.00")
    expect(page.locator("[data-sum=saved]")).to_have_text("2,003.50")
    expect(page.locator("[data-sum=all]")).to_have_text("2,190.50")
    page.locator("select[name^=is_]").last.select_option("absent")
    expect(page.locator("[data-sum=there]")).to_have_text("2")
    page.get_by_label("点钞合计").fill("2190.40")
    expect(page.locator("[data-difference]")).to_have_text("! 与表上相差 −0.10")
    visit.check(page, "leader-sheet")


def test_a_sheet_from_draft_to_paper_and_a_vote(visit: Visit) -> None:
    page = visit("ma", "en", "/lead")
    page.get_by_role("link", name="Settle the days").click()
    page.get_by_label("Every so many days").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("are settled")
    page.get_by_role("link", name="Open the meeting sheet").click()
    expect(page.locator("[data-keys]")).to_be_visible()
    # The first amount has the cursor by one step, the rest by Enter.
    saved = page.locator("input[name^=saved_]")
    saved.first.focus()
    for amount in ("1", "2.50", "3"):
        page.keyboard.type(amount)
        page.keyboard.press("Enter")
    expect(page.get_by_label("Cash counted")).to_be_focused()
    page.get_by_role("button", name="Keep as draft").click()
    expect(page.get_by_role("status").first).to_contain_text("nothing is booked")
    expect(saved.nth(1)).to_have_value("2.50")
    page.get_by_label("Cash counted").fill("7")
    page.get_by_role("button", name="Post", exact=True).click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("do not add up")
    expect(saved.nth(1)).to_have_value("2.50")
    page.get_by_label("Cash counted").fill("6.5")
    page.get_by_role("button", name="Post", exact=True).click()
    expect(page).to_have_url(re.compile("/lead/sheets/col_"))
    expect(page.get_by_role("button", name="Print")).to_be_visible()
    visit.check(page, "leader-paper")
    page.get_by_role("link", name="To the meeting").click()
    page.locator("summary").click()
    page.get_by_label("What is put to the vote").fill("A shared pump for the lower fields")
    page.get_by_role("button", name="Put something to the vote").click()
    for row in page.locator(".hand").all():
        row.get_by_label("yes").check()
    visit.check(page, "leader-meeting")
    page.get_by_role("button", name="Cast").click()
    page.get_by_role("button", name="Count").click()
    expect(page.locator(".motion")).to_contain_text("carried")
    page.get_by_role("button", name="Close the meeting").click()
    expect(page.get_by_role("status")).to_contain_text("is closed")
    expect(page.get_by_role("main")).to_contain_text("3 of 3 came")
