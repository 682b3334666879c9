"""The pages that everybody meets: the first one, the ways in, one's own home, the papers."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit

BOTH = pytest.mark.parametrize("language", ["zh-CN", "en"])


@BOTH
@pytest.mark.parametrize(
    ("path", "name"),
    [("/", "landing"), ("/sign-in", "sign-in"), ("/sign-in/token", "token"), ("/enrol", "enrol")],
)
def test_the_ways_in(visit: Visit, language: str, path: str, name: str) -> None:
    visit.check(visit(None, language, path), name)


@BOTH
@pytest.mark.parametrize(
    ("who", "path", "name"),
    [
        ("wang", "/me", "member-home"),
        ("zhao", "/me", "member-home-guarantor"),
        ("operator", "/me", "member-home-nowhere"),
        ("wang", "/me/password", "password"),
        ("wang", "/statement", "statement-form"),
        ("wang", "/statement/print?from=2026-01-01&to=2026-04-30", "statement"),
        ("wang", "/receipts/@receipt", "receipt"),
        ("gao", "/receipts/@receipt", "refusal"),
    ],
)
def test_pages_of_whoever_is_signed_in(
    visit: Visit, language: str, who: str, path: str, name: str
) -> None:
    visit.check(visit(who, language, path), name)


def test_a_member_enrols_signs_out_and_in_again(visit: Visit) -> None:
    world = visit.site.world
    issued = world.call("officer", "POST", "/members/@lin/enrolment-codes")
    page = visit(None, "zh-CN", "/enrol")
    page.get_by_label("开通码").fill("AAAA-BBBB-CCCC-DDDD")
    page.get_by_label("登录名或手机号").fill("138 0013 8000")
    page.get_by_label("新密码").fill("short")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("alert")).to_be_focused()
    visit.check(page, "enrol-refused")
    page.get_by_label("开通码").fill(issued.get_json()["code"])
    page.get_by_label("新密码").fill("a field of rice")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_contain_text("密码已设置")
    page.get_by_role("button", name="退出").click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    page.get_by_label("登录名或手机号").fill("13800138000")
    page.get_by_label("密码").fill("a field of wheat")
    page.get_by_role("main").get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_contain_text("登录名或密码不对")
    page.get_by_label("密码").fill("a field of rice")
    page.get_by_role("main").get_by_role("button", name="登录").click()
    expect(page).to_have_url(re.compile("/me$"))
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


def test_the_keyboard_alone_is_enough_to_sign_in(visit: Visit) -> None:
    page = visit(None, "en", "/sign-in/token")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Access token")).to_be_focused()
    page.keyboard.type(visit.site.world.tokens["wang"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/me$"))
