"""The cooperative: an event from its declaration to its undoing; the board of a review."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import BOTH, Visit, say


@BOTH
def test_an_event_is_declared_previewed_applied_and_taken_back(visit: Visit, language: str) -> None:
    page = visit("officer", language, "/cooperative")
    page.get_by_role("link", name=say(language, "灾害与行情", "Events")).click()
    page.get_by_role("link", name=say(language, "宣布一件事", "Declare an event")).click()
    page.get_by_label(say(language, "发生了什么", "What happened")).select_option("drought")
    page.get_by_label(say(language, "作物", "Crop")).select_option("beans")
    page.get_by_label(say(language, "到哪天到期的", "Due until")).fill("2026-12-31")
    declare = page.get_by_role("button", name=say(language, "宣布并预览", "Declare and preview"))
    declare.click()
    expect(page.get_by_role("alert")).to_be_focused()
    visit.check(page, "cooperative-declare-refused")
    page.get_by_label(say(language, "推迟天数", "Days later")).fill("30")
    page.get_by_label(say(language, "理由", "Why")).fill(
        say(language, "三月以来没有下雨", "No rain since March")
    )
    declare.click()
    loans = page.get_by_role("region", name=say(language, "逐笔贷款", "Loan by loan"))
    expect(loans).to_contain_text(say(language, "2026年10月1日", "1 Oct 2026"))
    expect(loans).to_contain_text(say(language, "2026年10月31日", "31 Oct 2026"))
    expect(loans).to_contain_text(say(language, "会变", "will change"))
    visit.check(page, "cooperative-previewed")
    page.get_by_label(say(language, "理由", "Why")).fill(
        say(language, "社员大会决定", "Decided in the assembly")
    )
    page.get_by_role("button", name=say(language, "应用", "Apply"), exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "已应用到所有贷款", "applied to all loans")
    )
    expect(loans).to_contain_text(say(language, "已改", "changed"))
    page.get_by_label(say(language, "为什么撤回", "Why it is taken back")).fill(
        say(language, "后来下了雨", "It rained after all")
    )
    page.get_by_role("button", name=say(language, "撤回", "Take it back")).click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "已撤回", "taken back"))
    expect(loans).to_contain_text(say(language, "已恢复", "as before"))


@BOTH
def test_the_board_of_a_review_is_read_from_the_calendar_on(visit: Visit, language: str) -> None:
    page = visit("officer", language, "/cooperative")
    expect(page.locator("svg.seasons")).to_be_visible()
    page.get_by_role("link", name=say(language, "整村评议", "Reviews")).click()
    page.get_by_role("link", name="spring").click()
    expect(page).to_have_url(re.compile("/cooperative/campaigns/"))
    board = page.get_by_role("main")
    expect(board).to_contain_text("18/18")
    expect(board.locator("table").first).to_contain_text("钱文斌")


def test_a_village_review_from_objection_to_the_next_ones_answers(visit: Visit) -> None:
    """The officer answers, gives the review up and opens another, in which a member reviews."""
    page = visit("officer", "zh-CN", "/cooperative/campaigns/@campaign")
    page.get_by_role("link", name="异议：王秀英家").click()
    page.get_by_label("结论").select_option("changed")
    page.get_by_role("textbox", name="答复").fill("走访后减半")
    page.get_by_role("button", name="答复").click()
    expect(page.get_by_label("改为多少")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("请填写这一项")
    visit.check(page, "cooperative-objection")
    page.get_by_label("改为多少").fill("8")
    page.get_by_role("button", name="答复").click()
    expect(page.get_by_role("status")).to_contain_text("异议已答复")
    page.get_by_role("link", name="王秀英", exact=True).last.click()
    expect(page.get_by_role("main")).to_contain_text("8.00 元")
    visit.check(page, "cooperative-household")
    page.get_by_role("link", name="spring").click()
    page.locator("summary", has_text="取消这次评议").click()
    page.get_by_label("理由").fill("发了大水")
    page.get_by_role("button", name="取消这次评议").click()
    page.get_by_role("link", name="整村评议").click()
    page.get_by_role("link", name="开始整村评议").click()
    page.get_by_label("名称").fill("秋季整村授信")
    page.get_by_role("button", name="开始整村评议").click()
    page.get_by_role("button", name="抽评议人").click()
    expect(page.get_by_role("status")).to_contain_text("已办好")

    member = visit("wang", "en", "/me/reviews")
    expect(member.get_by_role("main")).to_contain_text("households wait for you")
    member.get_by_role("link", name="秋季整村授信").click()
    visit.check(member, "review-campaign")
    member.get_by_role("region", name="Households to review").get_by_role("link").first.click()
    expect(member.get_by_label("How do they stand")).to_be_visible()
    member.get_by_label("No", exact=True).check()
    # Who does not know them is asked nothing else.
    expect(member.get_by_label("How do they stand")).to_be_hidden()
    member.get_by_label("Yes", exact=True).check()
    member.get_by_label("How do they stand").select_option("4")
    member.get_by_role("button", name="Hand it in").click()
    expect(member.get_by_role("alert")).to_contain_text("How much could they borrow")
    visit.check(member, "review-household")
    member.get_by_label("How much could they borrow").fill("0")
    member.get_by_role("button", name="Hand it in").click()
    expect(member.get_by_role("status")).to_contain_text("Received, thank you")
    expect(member.get_by_role("region", name="Households to review")).to_contain_text("answered")
