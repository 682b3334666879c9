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
