"""The cooperative's pages: the season calendar, declared events, the board of a village review."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit


@pytest.mark.parametrize(
    ("language", "path", "name"),
    [
        ("zh-CN", "/cooperative", "cooperative-calendar"),
        ("en", "/cooperative/@village", "cooperative-calendar"),
        ("zh-CN", "/cooperative/campaigns/@campaign", "cooperative-campaign"),
    ],
)
def test_the_pages_of_a_cooperative(visit: Visit, language: str, path: str, name: str) -> None:
    visit.check(visit("officer", language, path), name)


def test_an_event_is_declared_previewed_applied_and_taken_back(visit: Visit) -> None:
    page = visit("officer", "en", "/cooperative")
    page.get_by_role("link", name="Events").click()
    page.get_by_role("link", name="Declare an event").click()
    page.get_by_label("What happened").select_option("drought")
    page.get_by_label("Crop").select_option("beans")
    page.get_by_label("Due until").fill("2026-12-31")
    page.get_by_role("button", name="Declare and preview").click()
    expect(page.get_by_role("alert")).to_be_focused()
    visit.check(page, "cooperative-declare")
    page.get_by_label("Days later").fill("30")
    page.get_by_label("Why").fill("No rain since March")
    page.get_by_role("button", name="Declare and preview").click()
    loans = page.get_by_role("region", name="Loan by loan")
    expect(loans).to_contain_text("1 Oct 2026")
    expect(loans).to_contain_text("31 Oct 2026")
    expect(loans).to_contain_text("will change")
    page.get_by_role("link", name="中文").click()
    visit.check(page, "cooperative-event")
    page.get_by_role("link", name="English").click()
    page.get_by_label("Why").fill("Decided in the assembly")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("applied to all loans")
    expect(loans).to_contain_text("changed")
    page.get_by_label("Why it is taken back").fill("It rained after all")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("taken back")
    expect(loans).to_contain_text("as before")


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
