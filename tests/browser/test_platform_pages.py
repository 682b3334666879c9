"""The platform's pages: receivers are told, wishes to be erased answered, what has run out goes."""

from datetime import timedelta

from playwright.sync_api import expect

from app.extensions import db
from app.personal.work import forget_what_has_run_out
from tests.browser.conftest import Visit
from tests.browser.test_my_data_pages import register


def test_an_operator_has_a_bank_told(visit: Visit) -> None:
    page = visit("operator", "en", "/office")
    page.get_by_role("main").get_by_role("link", name="Webhooks").click()
    visit.check(page, "platform-webhooks")
    page.get_by_role("link", name="New webhook").click()
    page.get_by_label("Address of the receiver").fill("http://10.0.0.1/hook")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Loans loan.*").check()
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing is sent to this address")
    expect(page.get_by_label("Loans loan.*")).to_be_checked()
    visit.check(page, "platform-webhook-refused")
    page.get_by_label("Address of the receiver").fill("https://bank.example/hooks/lianbao")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("main")).to_contain_text("whsec_")
    visit.check(page, "platform-webhook-secret")
    # Sent again, nothing more is made, and the secret is not shown a second time.
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("https://bank.example/hooks/lianbao")
    expect(page.get_by_role("main")).not_to_contain_text("whsec_")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("main")).to_contain_text("paused")
    page.goto(visit.site.url + "/platform/webhooks")
    expect(page.get_by_role("link", name="bank.example")).to_have_count(1)


def test_what_was_given_up_is_sent_again(visit: Visit) -> None:
    page = visit("operator", "zh-CN", "/platform/webhooks/@webhook?state=dead")
    visit.check(page, "platform-webhook")
    page.get_by_role("button", name="重新发送").click()
    expect(page.get_by_role("status")).to_contain_text("会从头再发")


def test_a_wish_to_be_erased_is_answered(visit: Visit) -> None:
    register(visit, "leaving", "林晓燕")
    world = visit.site.world
    asked = world.call(
        "leaving", "POST", "/members/@leaving/erasure-request", json={"understood": True}
    )
    assert asked.status_code == 201, asked.text
    page = visit("operator", "zh-CN", "/platform/erasures")
    visit.check(page, "platform-erasures")
    page.get_by_role("link", name="林晓燕").click()
    page.get_by_role("button", name="执行删除").click()
    expect(page.get_by_role("main")).to_contain_text("请先勾选")
    visit.check(page, "platform-erasure")
    page.get_by_label("我已核对").check()
    page.get_by_role("button", name="执行删除").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(world.ids["leaving"])


def test_what_retention_took_away(visit: Visit) -> None:
    app = visit.site.world.app
    with app.app_context():
        clock = app.extensions["clock"]
        before, clock.fixed = clock.fixed, clock.fixed + timedelta(days=1)
        assert forget_what_has_run_out(db.session())
        clock.fixed = before
        db.session.remove()
    page = visit("operator", "en", "/platform/retention")
    visit.check(page, "platform-retention")
