"""A member and their own data: who looked, what they consented to, taking it along, its end."""

import json

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_wang_carries_a_record_and_takes_her_data_along(visit: Visit) -> None:
    # The officer looks at a loan of hers, and at her membership.
    office = visit("officer", "en", "/office/@village/members/@wang")
    expect(office.get_by_role("heading", level=1)).to_have_text("王秀英")
    page = visit("wang", "zh-CN", "/me/profile")
    page.get_by_role("link", name="我的数据").click()
    expect(page.get_by_role("main")).to_contain_text("陈会计")
    visit.check(page, "member-data")
    page.get_by_role("link", name="全部记录").click()
    expect(page.get_by_role("main")).to_contain_text("以干事身份查看：您的成员资格")
    visit.check(page, "member-data-looks")
    page.get_by_role("link", name="我的数据").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="下载我的数据").click()
    told = json.loads(download.value.path().read_text())
    assert told["format"] == "lianbao-own-data/1"
    assert told["data"]["members"][0]["name"] == "王秀英"
    page.get_by_role("link", name="查看和更改").click()
    place = page.get_by_role("region", name="记下走访的位置")
    expect(place).to_be_visible()
    if place.get_by_role("button", name="我同意").count():
        place.get_by_role("button", name="我同意").click()
    place.get_by_role("button", name="撤回同意").click()
    place.get_by_role("button", name="我同意").click()
    expect(place.get_by_text("已同意", exact=False).first).to_be_visible()
    visit.check(page, "member-data-consents")
    page.get_by_role("link", name="带一份信用记录").click()
    page.get_by_label("给谁").fill("某县农村商业银行")
    page.get_by_role("button", name="我同意").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("给谁")).to_have_value("某县农村商业银行")
    visit.check(page, "member-data-carry-refused")
    page.get_by_label("决定给不给我贷款").check()
    page.get_by_label("借过的贷款和还清的次数").check()
    page.get_by_label("有效到").fill("2026-07-01")
    page.get_by_role("button", name="我同意").click()
    page.get_by_role("button", name="开一份记录").click()
    with page.expect_download() as signed:
        page.get_by_role("link", name="下载这份记录").click()
    assert signed.value.path().read_text().count(".") == 2
    visit.check(page, "member-data-record")
    page.get_by_role("button", name="撤回同意").click()
    expect(page.get_by_role("region", name="开出的记录")).to_contain_text("已作废")


def test_whoever_has_left_asks_to_be_erased(visit: Visit) -> None:
    page = visit("wang", "en", "/me/data")
    page.get_by_role("link", name="See what it means").click()
    expect(page.get_by_role("region", name="It cannot be asked for yet")).to_contain_text("loans")
    visit.check(page, "member-data-erasure-refused")
    register(visit, "newcomer", "周小雨")
    page = visit("newcomer", "en", "/me/data")
    visit.check(page, "member-data-nothing")
    page.get_by_role("link", name="See what it means").click()
    page.get_by_role("button", name="Ask to be erased").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("main")).to_contain_text("Tick this")
    page.get_by_label("I understand", exact=False).check()
    visit.check(page, "member-data-erasure")
    page.get_by_role("button", name="Ask to be erased").click()
    visit.check(page, "member-data-erasure-asked")
    page.get_by_role("button", name="I stay").click()
    expect(page.get_by_role("main")).to_contain_text("taken back")


def register(visit: Visit, key: str, name: str) -> None:
    """Somebody who is in no community, and so has nothing live."""
    world = visit.site.world
    made = world.call("operator", "POST", "/members", json={"name": name})
    world.ids[key] = made.get_json()["id"]
    token = world.call("operator", "POST", f"/members/@{key}/tokens", json={"label": "phone"})
    world.tokens[key] = token.get_json()["token"]
