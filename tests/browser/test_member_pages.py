"""A member in a browser: asking for a loan, answering a request to vouch."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import BOTH, Visit, say


@BOTH
def test_a_member_asks_for_a_loan_without_a_script(visit: Visit, language: str) -> None:
    page = visit("wang", language, "/me")
    onward = page.get_by_role("button", name=say(language, "下一步", "Next"))
    amount = page.get_by_label(say(language, "金额", "Amount"))
    page.get_by_role("link", name=say(language, "申请贷款", "Apply for a loan")).first.click()
    page.get_by_role("link", name=say(language, "选这个 plain", "Choose plain")).click()
    amount.fill("5")
    onward.click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(amount).to_have_value("5")
    amount.fill("50")
    page.get_by_label(say(language, "分几期还", "Number of instalments")).fill("3")
    onward.click()
    page.get_by_label(say(language, "用途", "Purpose"), exact=True).fill("买两只羊")
    page.locator("#f-payee_name").fill("张记农资店")
    page.get_by_text(say(language, "付给几个人", "Several payees")).click()
    page.get_by_label(say(language, "付给第一位多少", "How much the first one gets")).fill("30")
    page.locator("#f-payee_name_2").fill("大山羊场")
    visit.check(page, "member-apply-payees")
    onward.click()
    expect(page.get_by_role("main")).to_contain_text("李建军")
    onward.click()
    page.get_by_label(say(language, "我读过了", "I have read this")).check()
    page.get_by_role("button", name=say(language, "提交申请", "Apply")).click()
    expect(page).to_have_url(re.compile("/me/loans/lon_"))
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "申请已提交", "Your application is in")
    )
    for text in ("张记农资店", "30.00", "大山羊场", "20.00"):
        expect(page.get_by_role("main")).to_contain_text(text)
    visit.check(page, "member-loan-applied")


@BOTH
def test_a_request_to_vouch_is_answered_with_what_it_means(visit: Visit, language: str) -> None:
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
    page = visit("zhao", language, "/me/vouches")
    page.get_by_role("link", name=say(language, "请您担保", "asks you to stand behind")).click()
    expect(page.get_by_role("main")).to_contain_text(
        say(language, "签了以后最多要付", "The most after signing")
    )
    visit.check(page, "member-vouch-request")
    page.get_by_role("button", name=say(language, "我愿意担保", "I stand behind them")).click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "担保已生效", "The promise counts from now on.")
    )
