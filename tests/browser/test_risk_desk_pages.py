"""The risk desk: the map, a circle, what if, cases and rules, stress tests."""

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
    page.keyboard.press("ArrowLeft")
    expect(page.locator("output").first).to_have_text(slider.input_value() + ".00")
    page.locator("#f-fails").select_option(index=1)
    page.locator("main form button[type=submit]").click()
    expect(page.locator("#result")).to_be_visible()
    visit.check(page, "what-if")
    page = visit("auditor", language, "/desk/@village/call-plan/@ding")
    visit.check(page, "call-plan")


@BOTH
def test_a_case_is_taken_and_answered(visit: Visit, language: str) -> None:
    page = visit("operator", language, "/desk/cases?community=@village")
    visit.check(page, "cases")
    page.locator("ul.rows a.strong").first.click()
    visit.check(page, "case")
    page = visit(
        "operator",
        language,
        "/desk/rules?community=@village&rule=late&from_on=2026-03-01&until_on=2026-03-20",
    )
    visit.check(page, "rules")
