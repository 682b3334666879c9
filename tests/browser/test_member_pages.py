"""A member in a browser: asking for a loan, answering a request to vouch."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.api.world import World
from tests.browser.conftest import BOTH, Visit, say

CNY_90 = {"amount": "90.00", "currency": "CNY"}
UNTIL = "2027-01-01"
LOAN = {
    "community": "@village",
    "product": "@plain",
    "principal": {"amount": "60.00", "currency": "CNY"},
    "purpose": "修鸡舍",
    "instalments": 3,
}


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


def _lent_to_qian(world: World) -> None:
    """Qian owes 60, which rests on tycoon's promise; sun, who has standing, promised too."""

    def done(who: str, path: str, **body: Any) -> str:
        key = {"Idempotency-Key": "qian-" + path.rpartition("/")[2]}
        answer = world.call(who, "POST", path, json=world.named(body), headers=key)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.get_json().get("id", ""))

    def promise(who: str) -> None:
        what = {"side": "voucher", "other": "@qian", "limit": CNY_90, "expires_on": UNTIL}
        made = done(who, "/communities/@village/vouches", **what)
        done("qian", f"/vouches/{made}/acceptance")

    promise("tycoon")
    world.ids["qians"] = done("qian", "/loans", **LOAN)
    done("wu", "/loans/@qians/endorsements")
    done("officer", "/loans/@qians/approval")
    what = {"kind": "standing", "amount": CNY_90, "evidence": "seen", "expires_on": UNTIL}
    done("officer", "/communities/@village/members/@sun/assessments", **what)
    promise("sun")


@BOTH
def test_a_guarantee_is_handed_over(visit: Visit, language: str) -> None:
    world = visit.site.world
    _lent_to_qian(world)
    page = visit("qian", language, "/me/loans/@qians")
    page.get_by_role(
        "link", name=say(language, "担保明细和交接", "Cover in detail, handing over")
    ).click()
    page.get_by_role("link", name=say(language, "请人接替", "Ask somebody to take over")).click()
    coming = page.get_by_label(say(language, "谁接替", "Who takes over"))
    coming.select_option(world.ids["sun"])
    send = page.get_by_role("button", name=say(language, "发出请求", "Send the request"))
    send.click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(coming).to_have_value(world.ids["sun"])
    visit.check(page, "member-cover-substitute-refused")
    page.get_by_label(say(language, "理由", "Reason")).fill("郑万山要出国半年")
    send.click()
    page.wait_for_url(re.compile("/me/cover-changes/cvc_"))
    world.ids["qians_change"] = page.url.rpartition("/")[2]
    agreed = world.call("tycoon", "POST", "/cover-changes/@qians_change/agreement")
    assert agreed.status_code == 200, agreed.text

    page = visit("sun", language, "/me")
    page.get_by_role("link", name=say(language, "孙丽华接替郑万山", "takes over from")).click()
    main = page.get_by_role("main")
    expect(main).to_contain_text(say(language, "您要担的", "What you would take on"))
    visit.check(page, "member-cover-change-asked")
    page.get_by_role("button", name=say(language, "我愿意接替", "I take over")).click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "您已同意", "You have agreed"))
    expect(main).to_contain_text(say(language, "已接替", "has taken"))
    visit.check(page, "member-cover-change-done")
    cover = world.call("qian", "GET", "/loans/@qians/cover").get_json()
    assert {line["standing_of"] for line in cover["lines"] if line["held"]["amount"] != "0.00"} == {
        world.ids["sun"]
    }
