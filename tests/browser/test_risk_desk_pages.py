"""The risk desk: the map, a circle, what if, cases and rules, warnings, stress tests."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])
# English is longer, so every page is looked at in English; the most drawn ones in Chinese too.
IN_CHINESE = {"risk-map", "case", "stress"}


def look(visit: Visit, page: Page, name: str) -> None:
    """Check a page that is open, in its language."""
    if page.locator("html").get_attribute("lang") == "en" or name in IN_CHINESE:
        visit.check(page, name)


@BOTH
def test_from_the_map_to_what_helps(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/map?community=@village")
    look(visit, page, "risk-map")
    page.locator("ol.circles h3 a").first.click()
    expect(page).to_have_url(re.compile("/desk/circles/"))
    look(visit, page, "circle")
    page.goto(page.url + "/what-if")
    slider = page.locator("input[type=range]").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    expect(page.locator("output").first).to_have_text(f"{float(slider.input_value()):.2f}")
    page.locator("#f-fails").select_option(index=1)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#result")).to_be_visible()
    look(visit, page, "what-if")
    # From the drawing to somebody, by the keyboard.
    page.goto(visit.site.url + "/desk/map")
    page.locator("svg.riskmap a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/call-plan/"))
    look(visit, page, "call-plan")


@BOTH
def test_a_case_is_taken_and_answered(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/cases?community=@village")
    look(visit, page, "cases")
    page.locator("ul.rows a.strong").last.click()
    taking = page.locator('form[action$="/taking"] button')
    if taking.count():
        taking.click()
        expect(page.get_by_role("status")).to_be_visible()
    page.locator("#f-text").fill("")
    page.locator("main form button").last.click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.locator("#f-text").fill("谈过了，下次开会一定到。")
    page.locator("main form button").last.click()
    expect(page.get_by_role("status")).to_be_visible()
    look(visit, page, "case")
    here = page.url
    for step in ("assignment", "escalation", "closing"):
        page.goto(f"{here}/{step}")
        look(visit, page, f"case-{step}")
    page.goto(visit.site.url + "/desk/rules?rule=late&from_on=2026-03-25&until_on=2026-04-13")
    look(visit, page, "rules")
    page.goto(visit.site.url + "/desk/warnings")
    look(visit, page, "warnings")


@BOTH
def test_a_stress_test_is_asked_for_and_read(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/stress?community=@village")
    page.locator("main a.button").first.click()
    look(visit, page, "stress-form")
    page.locator("#f-draws").fill("200")
    page.locator("#f-mode").select_option("none")
    page.locator("main form button[type=submit]").click()
    # The page comes again by itself until the test is done.
    expect(page.locator("#drawn")).to_be_visible(timeout=30_000)
    look(visit, page, "stress")
    page.goto(visit.site.url + "/desk/stress")
    look(visit, page, "stress-list")
    page.goto(visit.site.url + "/desk/map")
    page.locator("main a.button.quiet", has_text=re.compile("重新|again")).click()
    look(visit, page, "search")
