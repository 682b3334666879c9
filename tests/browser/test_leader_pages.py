"""The leader: the meeting sheet from draft to paper, by the keyboard; a meeting with a vote."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import BOTH, Visit, say


@BOTH
def test_the_keyboard_fills_a_sheet_and_the_totals_live(visit: Visit, language: str) -> None:
    page = visit("wang", language, "/lead")
    page.get_by_role("link", name=say(language, "打开会议表", "Open the meeting sheet")).click()
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
    page.get_by_label(say(language, "点钞合计", "Cash counted")).fill("2190.40")
    expect(page.locator("[data-difference]")).to_have_text(
        say(language, "! 与表上相差 −0.10", "! differs by −0.10")
    )
    visit.check(page, "leader-sheet")


@BOTH
def test_a_sheet_from_draft_to_paper_and_a_vote(visit: Visit, language: str) -> None:
    page = visit("ma", language, "/lead")
    page.get_by_role("link", name=say(language, "定开会的日子", "Settle the days")).click()
    page.get_by_label(say(language, "隔多少天一次", "Every so many days")).fill("30")
    page.get_by_role("button", name=say(language, "保存", "Save")).click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "已定下", "are settled"))
    page.get_by_role("link", name=say(language, "打开会议表", "Open the meeting sheet")).click()
    expect(page.locator("[data-keys]")).to_be_visible()
    # The first amount has the cursor by one step, the rest by Enter.
    saved = page.locator("input[name^=saved_]")
    counted = page.get_by_label(say(language, "点钞合计", "Cash counted"))
    post = page.get_by_role("button", name=say(language, "入账", "Post"), exact=True)
    saved.first.focus()
    for amount in ("1", "2.50", "3"):
        page.keyboard.type(amount)
        page.keyboard.press("Enter")
    expect(counted).to_be_focused()
    page.get_by_role("button", name=say(language, "存草稿", "Keep as draft")).click()
    expect(page.get_by_role("status").first).to_contain_text(
        say(language, "没有入账", "nothing is booked")
    )
    expect(saved.nth(1)).to_have_value("2.50")
    counted.fill("7")
    post.click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "与点钞数不符", "do not add up")
    )
    expect(saved.nth(1)).to_have_value("2.50")
    counted.fill("6.5")
    post.click()
    expect(page).to_have_url(re.compile("/lead/sheets/col_"))
    expect(page.get_by_role("button", name=say(language, "打印", "Print"))).to_be_visible()
    page.get_by_role("link", name=say(language, "去这次会议", "To the meeting")).click()
    page.locator("summary").click()
    page.get_by_label(say(language, "提案内容", "What is put to the vote")).fill(
        say(language, "合买一台水泵", "A shared pump for the lower fields")
    )
    page.get_by_role("button", name=say(language, "提出表决", "Put something to the vote")).click()
    for row in page.locator(".hand").all():
        row.get_by_label(say(language, "赞成", "yes")).check()
    visit.check(page, "leader-voting")
    page.get_by_role("button", name=say(language, "记下", "Cast")).click()
    page.get_by_role("button", name=say(language, "计票", "Count")).click()
    expect(page.locator(".motion")).to_contain_text(say(language, "通过", "carried"))
    page.get_by_role("button", name=say(language, "结束会议", "Close the meeting")).click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "会议已结束", "is closed"))
    expect(page.get_by_role("main")).to_contain_text(say(language, "3 人中到 3 人", "3 of 3 came"))
