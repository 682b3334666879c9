"""The operator at the risk desk: from the map to what helps, a case, a stress test."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import BOTH, Visit


@BOTH
def test_from_the_map_to_what_helps(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/map?community=@village")
    page.locator("ol.circles h3 a").first.click()
    expect(page).to_have_url(re.compile("/desk/circles/"))
    page.goto(page.url + "/what-if")
    slider = page.locator("input[type=range]").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageDown")
    expect(page.locator("output").first).to_have_text(f"{float(slider.input_value()):.2f}")
    page.locator("#f-fails").select_option(index=1)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#result")).to_be_visible()
    visit.check(page, "what-if-result")
    # From the drawing to somebody, by the keyboard.
    page.goto(visit.site.url + "/desk/map")
    page.locator("svg.riskmap a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/call-plan/"))


@BOTH
def test_a_case_is_taken_and_answered(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/cases?community=@village")
    page.locator("ul.rows a.strong").last.click()
    expect(page.locator("#f-text")).to_be_visible()
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
    visit.check(page, "case-answered")


@BOTH
def test_a_stress_test_is_asked_for_and_read(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/stress?community=@village")
    page.locator("main a.button").first.click()
    page.locator("#f-draws").fill("200")
    page.locator("#f-mode").select_option("none")
    page.locator("main form button[type=submit]").click()
    # The page comes again by itself until the test is done.
    expect(page.locator("#drawn")).to_be_visible(timeout=30_000)
    visit.check(page, "stress-done")
