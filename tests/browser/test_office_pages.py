"""The office and the auditor's room, as their people use them."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

OFFICE, AUDIT = "/office/@village", "/audit/@village"


@pytest.mark.parametrize(
    ("who", "language", "path", "name"),
    [
        ("operator", "zh-CN", "/office", "office-communities"),
        ("operator", "en", OFFICE, "office-today"),
        ("operator", "zh-CN", f"{OFFICE}/portfolio", "office-portfolio"),
        ("operator", "en", f"{OFFICE}/books", "office-books"),
        ("operator", "zh-CN", f"{OFFICE}/verification?run=1", "office-verification"),
        ("operator", "en", f"{OFFICE}/charter/new", "office-charter-new"),
        ("operator", "zh-CN", f"{OFFICE}/products", "office-products"),
        ("clerk", "zh-CN", f"{OFFICE}/loans/@endorsed", "office-loan"),
        ("clerk", "en", f"{OFFICE}/members", "office-members"),
        ("auditor", "zh-CN", AUDIT, "audit"),
        ("auditor", "en", f"{AUDIT}/events", "audit-events"),
    ],
)
def test_pages_of_the_office(visit: Visit, who: str, language: str, path: str, name: str) -> None:
    visit.check(visit(who, language, path), name)


def test_an_operator_changes_the_charter(visit: Visit) -> None:
    page = visit("operator", "zh-CN", f"{OFFICE}/charter")
    page.get_by_role("link", name="起草新版").click()
    page.get_by_label("由谁决定").fill("五月社员大会")
    page.get_by_label("小组最多人数").fill("两个")
    page.get_by_role("button", name="查看改动").click()
    expect(page.get_by_role("alert")).to_contain_text("请填写数字")
    expect(page.get_by_label("由谁决定")).to_have_value("五月社员大会")
    page.get_by_label("生效日").fill("2027-01-01")
    page.get_by_label("小组最多人数").fill("12")
    page.get_by_role("button", name="查看改动").click()
    expect(page.get_by_role("heading", name="小组最多人数")).to_be_visible()
    # Only what was changed, though every tick of the form was sent along.
    expect(page.get_by_role("main")).to_contain_text("共有 1 条改动")
    visit.check(page, "office-charter-check")
    page.get_by_role("button", name="发布").click()
    expect(page.get_by_role("status")).to_contain_text("新版章程已发布")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_an_operator_changes_the_terms_of_a_product(visit: Visit, language: str) -> None:
    """From the list to a published version: a wrong number, the diff, another example."""
    say = dict(zip(*SAID, strict=True)).__getitem__ if language == "en" else str
    # The world is one: whoever comes second changes what the first has published.
    day, largest = ("2030-01-01", "70,000") if language == "en" else ("2029-01-01", "60,000")
    page = visit("operator", language, f"{OFFICE}/products")
    page.get_by_role("link", name="plain", exact=True).click()
    page.get_by_role("link", name=say("起草新版")).click()
    page.get_by_label(say("生效日")).fill(day)
    page.get_by_label(say("由谁决定")).fill("社员大会")
    page.get_by_label(say("最多可借")).fill("很多")
    page.locator("summary", has_text=say("费用")).last.click()
    page.get_by_label(say("名称"), exact=True).first.fill("手续费")
    page.get_by_label(say("固定金额"), exact=True).first.fill("五")
    page.get_by_role("button", name=say("查看改动")).click()
    expect(page.get_by_role("alert")).to_contain_text(say("请填写数字"))
    expect(page.get_by_label(say("最多可借"))).to_have_value("很多")
    if language == "zh-CN":
        visit.check(page, "office-product-edit")
    page.get_by_label(say("最多可借")).fill(largest)
    page.get_by_label(say("固定金额"), exact=True).first.fill("5")
    page.get_by_role("button", name=say("查看改动")).click()
    expect(page.get_by_role("heading", name=say("改了什么"))).to_be_visible()
    page.get_by_label(say("举例金额")).fill("2000")
    page.get_by_role("button", name=say("按这笔比较")).click()
    expect(page.get_by_role("table").first).to_contain_text("2,000.00")
    visit.check(page, "office-product-check")
    page.get_by_role("button", name=say("发布")).click()
    expect(page.get_by_role("status")).to_contain_text(say("新条款已发布"))
    expect(page.get_by_role("main")).to_contain_text(f"{largest}.00")
    if language == "en":
        visit.check(page, "office-product")


SAID = (
    (
        "起草新版", "生效日", "由谁决定", "最多可借", "费用", "名称", "固定金额", "查看改动",
        "请填写数字", "改了什么", "举例金额", "按这笔比较", "发布", "新条款已发布",
    ),
    (
        "Propose a new version", "In force from", "Who decided it", "Largest loan", "Fees", "Name",
        "Amount", "See what changes", "A number is needed", "What changes", "Example amount",
        "Compare this loan", "Publish", "The new terms are published",
    ),
)  # fmt: skip
