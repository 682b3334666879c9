"""A member's pages in a browser: asking for a loan, answering a request, what became of a word.

Every page is checked once, half of them in each language; the journeys go through both.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

ASKED = "?community=@village&product=@plain&principal=50&instalments=3&purpose=seed&use=crop"
# Who looks at what: one sign-in for each of them.
PAGES = {
    ("wang", "zh-CN"): {
        "member-limit": "/me/limits/@village?voucher=@li&amount=2000",
        "member-apply-people": f"/me/apply/people{ASKED}",
        "member-loan": "/me/loans/@current",
        "member-item": "/me/voice/items/@item",
    },
    ("li", "en"): {
        "member-vouch": "/me/vouches/@live",
        "member-exposure": "/me/exposure",
        "member-call": "/me/calls/@call",
        "member-claim": "/me/claims/@claim",
    },
    ("guo", "zh-CN"): {
        "member-group": "/me/groups/@signing",
        "member-questions": "/me/groups/@signing/understanding",
    },
    ("zhao", "en"): {"member-visit": "/me/visits/@visit", "member-profile": "/me/profile"},
}


@pytest.mark.parametrize(("who", "language"), list(PAGES))
def test_pages_of_members(visit: Visit, who: str, language: str) -> None:
    page = visit(who, language, "/me")
    for name, path in PAGES[who, language].items():
        page.goto(visit.site.url + visit.site.world.named(path))
        visit.check(page, name)


def test_a_member_asks_for_a_loan_without_a_script(visit: Visit) -> None:
    page = visit("wang", "zh-CN", "/me")
    page.get_by_role("link", name="申请贷款").first.click()
    page.get_by_role("link", name="选这个 plain").click()
    page.get_by_label("金额").fill("5")
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("金额")).to_have_value("5")
    page.get_by_label("金额").fill("50")
    page.get_by_label("分几期还").fill("3")
    page.get_by_role("button", name="下一步").click()
    page.get_by_label("用途", exact=True).fill("买两只羊")
    page.locator("#f-payee_name").fill("张记农资店")
    page.get_by_text("付给几个人").click()
    page.get_by_label("付给第一位多少").fill("30")
    page.locator("#f-payee_name_2").fill("大山羊场")
    visit.check(page, "member-apply-purpose")
    page.get_by_role("button", name="下一步").click()
    expect(page.get_by_role("main")).to_contain_text("李建军")
    page.get_by_role("button", name="下一步").click()
    visit.check(page, "member-apply-confirm")
    page.get_by_label("我读过了").check()
    page.get_by_role("button", name="提交申请").click()
    expect(page).to_have_url(re.compile("/me/loans/lon_"))
    expect(page.get_by_role("status")).to_contain_text("申请已提交")
    for text in ("张记农资店", "30.00", "大山羊场", "20.00"):
        expect(page.get_by_role("main")).to_contain_text(text)


def test_a_request_to_vouch_is_answered_with_what_it_means(visit: Visit) -> None:
    world = visit.site.world
    asked = world.call(
        "gao",
        "POST",
        "/communities/@village/vouches",
        json={
            "side": "borrower",
            "other": world.ids["zhao"],
            "limit": {"amount": "30.00", "currency": "CNY"},
            "expires_on": "2026-12-01",
        },
    )
    assert asked.status_code == 201, asked.text
    page = visit("zhao", "en", "/me/vouches")
    page.get_by_role("link", name="asks you to stand behind them").click()
    expect(page.get_by_role("main")).to_contain_text("The most after signing")
    visit.check(page, "member-vouch-request")
    page.get_by_role("button", name="I stand behind them").click()
    expect(page.get_by_role("status")).to_contain_text("The promise counts from now on.")
