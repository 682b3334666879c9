"""The pages that everybody meets: the first one, the ways in, one's own home, the papers."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import BOTH, PATIENCE, Visit, say


@BOTH
@pytest.mark.parametrize(
    ("who", "path", "name"),
    [
        ("zhao", "/me", "member-home-guarantor"),
        ("operator", "/me", "member-home-nowhere"),
        ("gao", "/receipts/@receipt", "refusal"),
    ],
)
def test_other_states_of_pages(visit: Visit, language: str, who: str, path: str, name: str) -> None:
    visit.check(visit(who, language, path), name)


@BOTH
def test_a_member_enrols_signs_out_and_in_again(visit: Visit, language: str) -> None:
    world = visit.site.world
    issued = world.call("officer", "POST", "/members/@lin/enrolment-codes")
    page = visit(None, language, "/enrol")
    code = page.get_by_label(say(language, "开通码", "Enrolment code"))
    name = page.get_by_label(say(language, "登录名或手机号", "Login name or telephone number"))
    new = page.get_by_label(say(language, "新密码", "New password"))
    save = page.get_by_role("button", name=say(language, "保存", "Save"))
    code.fill("AAAA-BBBB-CCCC-DDDD")
    name.fill("138 0013 8000")
    new.fill("short")
    save.click()
    expect(page.get_by_role("alert")).to_be_focused()
    visit.check(page, "enrol-refused")
    code.fill(issued.get_json()["code"])
    new.fill("a field of rice")
    save.click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "密码已设置", "Your password is set")
    )
    page.get_by_role("button", name=say(language, "退出", "Sign out")).click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    password = page.get_by_label(say(language, "密码", "Password"))
    enter = page.get_by_role("main").get_by_role("button", name=say(language, "登录", "Sign in"))
    name.fill("13800138000")
    password.fill("a field of wheat")
    enter.click()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "登录名或密码不对", "The name or the password is not right")
    )
    password.fill("a field of rice")
    enter.click()
    expect(page).to_have_url(re.compile("/me$"))
    # The other language is one step away, on the same page.
    page.get_by_role("link", name=say(language, "English", "中文")).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(say(language, "Hello", "您好"))


@BOTH
def test_the_keyboard_alone_is_enough_to_sign_in(visit: Visit, language: str) -> None:
    page = visit(None, language, "/sign-in/token")
    page.keyboard.press("Tab")
    expect(
        page.get_by_role("link", name=say(language, "跳到正文", "Skip to the content"))
    ).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label(say(language, "访问令牌", "Access token"))).to_be_focused()
    page.keyboard.type(visit.site.world.tokens["wang"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/me$"))


def test_pages_serve_on_a_slow_line_and_without_scripts(visit: Visit) -> None:
    """Over 20 kB a second with half a second each way, which is what a village may have."""
    context = visit.browser.new_context(locale="zh-CN", java_script_enabled=False)
    visit.open_contexts.append(context)
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 500, "downloadThroughput": 20_000, "uploadThroughput": 8_000},
    )
    over_the_line: list[str] = []
    at_hand: set[str] = set()
    line.on("Network.requestServedFromCache", lambda told: at_hand.add(told["requestId"]))

    def came(told: dict[str, Any]) -> None:
        if not told["response"]["fromDiskCache"] and told["requestId"] not in at_hand:
            over_the_line.append(told["response"]["url"])

    line.on("Network.responseReceived", came)
    world = visit.site.world
    page.goto(visit.site.url + "/sign-in/token?lang=zh-CN", timeout=PATIENCE)
    page.get_by_label("访问令牌").fill(world.tokens["wang"])
    page.get_by_role("main").get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("您好")
    page.get_by_role("link", name="申请贷款").first.click()
    page.get_by_role("link", name="选这个").first.click()
    page.get_by_label("金额").fill("1")
    page.get_by_label("分几期还").fill("3")
    page.get_by_role("button", name="下一步").click()
    # Refused without a script too, with what was typed and the reason at the field.
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("金额")).to_have_value("1")
    # Style and icon came once and were kept; each page is one request.
    fixed = [url for url in over_the_line if "/pages/" in url]
    assert 0 < len(fixed) == len(set(fixed)) <= 4
