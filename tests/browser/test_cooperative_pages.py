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
