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


@BOTH
def test_a_village_review_from_objection_to_the_next_ones_answers(
    visit: Visit, language: str
) -> None:
    """The officer answers, gives the review up and opens another, in which a member reviews.

    The member reads the other language: each page of both is walked in both.
    """
    page = visit("officer", language, "/cooperative/campaigns/@campaign")
    visit.check(page, "cooperative-board")
    the_answer = say(language, "答复", "Answer")
    page.get_by_role(
        "link", name=say(language, "异议：王秀英家", "Objection: 王秀英's household")
    ).click()
    page.get_by_label(say(language, "结论", "Outcome")).select_option("changed")
    page.get_by_role("textbox", name=the_answer).fill("走访后减半")
    give = page.get_by_role("button", name=say(language, "答复", "Answer it"))
    give.click()
    new_amount = page.get_by_label(say(language, "改为多少", "Changed to"))
    expect(new_amount).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "请填写这一项", "Please fill this in")
    )
    visit.check(page, "cooperative-objection")
    new_amount.fill("8")
    give.click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "异议已答复", "The objection is answered")
    )
    page.get_by_role("link", name="王秀英", exact=True).last.click()
    expect(page.get_by_role("main")).to_contain_text(say(language, "8.00\xa0元", "CNY\xa08.00"))
    page.get_by_role("link", name="spring").click()
    give_up = say(language, "取消这次评议", "Give this review up")
    page.locator("summary", has_text=give_up).click()
    page.get_by_label(say(language, "理由", "Why")).fill("发了大水")
    page.get_by_role("button", name=give_up).click()
    page.get_by_role("link", name=say(language, "整村评议", "Reviews")).click()
    open_it = say(language, "开始整村评议", "Open a village review")
    page.get_by_role("link", name=open_it).click()
    page.get_by_label(say(language, "名称", "Name"), exact=True).fill("秋季整村授信")
    # Kin are written by name; with one of nobody the form says so at the field.
    page.locator("summary", has_text=say(language, "亲属、评议人", "Kin, reviewers")).click()
    kin = page.get_by_role("textbox", name=say(language, "亲属", "Kin"))
    kin.fill("赵国强、王秀梅")
    page.get_by_role("button", name=open_it).click()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "没有叫这个名字的人", "Nobody here is called that")
    )
    kin.fill("赵国强、王秀英")
    page.get_by_role("button", name=open_it).click()
    page.get_by_role("button", name=say(language, "抽评议人", "Draw reviewers")).click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "已办好", "It is done"))

    other = say(language, "en", "zh-CN")
    member = visit("wang", other, "/me/reviews")
    expect(member.get_by_role("main")).to_contain_text(
        say(other, "户等您评议", "households to review")
    )
    member.get_by_role("link", name="秋季整村授信").click()
    homes = member.get_by_role("region", name=say(other, "请您评议的户", "Households to review"))
    # Not a relative's.
    expect(homes).not_to_contain_text("赵国强")
    visit.check(member, "review-campaign")
    homes.get_by_role("link").first.click()
    standing = member.get_by_label(say(other, "这户人名声如何", "How do they stand"))
    hand_in = member.get_by_role("button", name=say(other, "交上去", "Hand it in"))
    limit_head = say(other, "您认为他们能借多少", "How much could they borrow")
    expect(standing).to_be_visible()
    member.get_by_label(say(other, "不了解", "No"), exact=True).check()
    # Who does not know them is asked nothing else.
    expect(standing).to_be_hidden()
    member.get_by_label(say(other, "了解", "Yes"), exact=True).check()
    standing.select_option("4")
    hand_in.click()
    expect(member.get_by_role("alert")).to_contain_text(limit_head)
    visit.check(member, "review-household")
    member.get_by_label(limit_head).fill("0")
    hand_in.click()
    expect(member.get_by_role("status")).to_contain_text(
        say(other, "收到了，谢谢", "Received, thank")
    )
    expect(homes).to_contain_text(say(other, "已答", "answered"))
