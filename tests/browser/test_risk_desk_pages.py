"""The risk desk: the map, a circle, what if, cases and rules, warnings, stress tests."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])


@BOTH
def test_from_the_map_to_what_helps(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/map?community=@village")
    visit.check(page, "risk-map")
    page.locator("ol.circles h3 a").first.click()
    expect(page).to_have_url(re.compile("/desk/circles/"))
    visit.check(page, "circle")
    page.goto(page.url + "/what-if")
    slider = page.locator("input[type=range]").first
    slider.focus()
    for _ in range(200):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("output").first).to_have_text(slider.input_value() + ".00")
    page.locator("#f-fails").select_option(index=1)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#result")).to_be_visible()
    visit.check(page, "what-if")
    # From the drawing to somebody, by the keyboard.
    page.goto(visit.site.url + "/desk/map")
    page.locator("svg.riskmap a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/call-plan/"))
    visit.check(page, "call-plan")


@BOTH
def test_a_case_is_taken_and_answered(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/cases?community=@village")
    visit.check(page, "cases")
    page.locator("ul.rows a.strong").last.click()
    if page.locator("main form button").count() == 2:
        page.locator("main form button").first.click()
        expect(page.get_by_role("status")).to_be_visible()
    page.locator("#f-text").fill("")
    page.locator("main form button").last.click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.locator("#f-text").fill("谈过了，下次开会一定到。")
    page.locator("main form button").last.click()
    expect(page.get_by_role("status")).to_be_visible()
    visit.check(page, "case")
    page.goto(page.url + "/closing")
    visit.check(page, "case-close")
    page.goto(visit.site.url + "/desk/rules?rule=late&from_on=2026-03-25&until_on=2026-04-13")
    visit.check(page, "rules")
    page.goto(visit.site.url + "/desk/warnings")
    visit.check(page, "warnings")


@BOTH
def test_a_stress_test_is_asked_for_and_read(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/stress?community=@village")
    page.locator("main a.button").first.click()
    visit.check(page, "stress-form")
    page.locator("#f-draws").fill("200")
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("status").first).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?watch=1")
    # The page comes again by itself until the test is done.
    expect(page.locator("#drawn")).to_be_visible(timeout=30_000)
    visit.check(page, "stress")
    page.goto(visit.site.url + "/desk/stress")
    visit.check(page, "stress-list")
