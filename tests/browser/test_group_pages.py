"""What a group decides, in a browser: a member has a say, a leader proposes, in two languages."""

from typing import Any

import pytest
from playwright.sync_api import expect

from app.pages.words import Words
from tests.browser.conftest import Visit

LANGUAGES = ("zh-CN", "en")
# What is looked at besides the journeys, half of it in each language.
PAGES = {
    ("zhao", "zh-CN"): {
        "group-amendment": "/me/amendments/@amendment",
        "group-expulsion": "/me/expulsions/@expulsion",
        "group-active": "/me/groups/@active",
        "member-rating": "/me/voice/ratings?kind=meeting&id=@over",
    },
    ("sun", "en"): {
        "group-agreement": "/me/groups/@active/agreement",
        "group-person": "/me/people/@wang?community=@village",
        "group-staying": "/me/groups/@active/staying",
    },
}


@pytest.mark.parametrize(("who", "language"), list(PAGES))
def test_pages_of_a_group(visit: Visit, who: str, language: str) -> None:
    page = visit(who, language, "/me/groups")
    for name, path in PAGES[who, language].items():
        page.goto(visit.site.url + visit.site.world.named(path))
        visit.check(page, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_member_has_a_say(visit: Visit, language: str) -> None:
    say = Words("member", language)
    page = visit("zhao", language, "/me/groups")
    page.locator("main .rows a").first.click()
    page.get_by_role("link", name=say.of("group_tab", "leader"), exact=True).click()
    page.get_by_role("button", name=say("wish_recall")).click()
    expect(page.get_by_role("status")).to_contain_text(say("wish_noted_said"))
    expect(page.get_by_role("main")).to_contain_text(say("my_wish_is"))
    page.get_by_role("button", name=say("take_wish_back")).click()
    expect(page.get_by_role("button", name=say("wish_recall"))).to_be_visible()
    if language == "en":
        visit.check(page, "group-leader")
    page.get_by_role("link", name=say.of("group_tab", "agreement"), exact=True).click()
    page.locator("main section").nth(1).get_by_role("link").first.click()
    page.get_by_role("link", name=say("answer_questions")).click()
    expect(page.get_by_role("heading", name=say("questions"), level=1)).to_be_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_leader_proposes_takes_back_and_empties_a_draft(visit: Visit, language: str) -> None:
    world = visit.site.world
    line: dict[str, Any] = {"loan": world.ids["current"]}
    line |= {"amount": {"amount": "4.00", "currency": "CNY"}}
    made = world.call(
        "wang",
        "POST",
        "/groups/@active/collection-drafts",
        json={"lines": [line], "client_id": f"by-a-program-{language}"},
    )
    assert made.status_code == 201, made.text
    say, lead = Words("member", language), Words("leader", language)
    page = visit("wang", language, "/lead/groups/@active/people")
    page.get_by_role("link", name=lead("propose_going")).click()
    if language == "zh-CN":
        visit.check(page, "group-expulsion-new")
    page.get_by_role("button", name=say("propose")).click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label(say("who_goes")).select_option(label="赵国强")
    page.get_by_label(say("why_change")).fill("长期在外")
    page.get_by_role("button", name=say("propose")).click()
    expect(page.get_by_role("main")).to_contain_text("长期在外")
    page.get_by_role("button", name=say("take_proposal_back")).click()
    expect(page.get_by_role("status")).to_contain_text(say("proposal_withdrawn_said"))
    page.goto(visit.site.url + world.named("/lead/groups/@active/sheets"))
    row = page.locator("li", has_text=f"by-a-program-{language}")
    row.get_by_role("link").click()
    if language == "en":
        visit.check(page, "leader-draft")
    page.get_by_role("button", name=lead("empty_draft")).click()
    expect(page.get_by_role("status")).to_contain_text(lead("draft_emptied"))
    expect(row).to_contain_text(lead("is_empty"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_group_asks_and_a_member_gives_their_word(visit: Visit, language: str) -> None:
    say = Words("member", language)
    page = visit("wang", language, "/me/groups/@active")
    page.get_by_role("link", name=say("apply_as_group")).click()
    page.get_by_role("link", name=f"{say('choose')} plain").click()
    page.locator("#f-purpose").fill("一起买二十袋稻种和化肥")
    parts = page.locator("fieldset")
    parts.nth(0).locator("input[inputmode=decimal]").fill("30")
    parts.nth(1).locator("input[inputmode=decimal]").fill("5")
    parts.nth(1).locator("input:not([inputmode]):not([type=hidden])").fill("水泵")
    onward = page.get_by_role("button", name=say("go_next"))
    onward.click()
    expect(page.get_by_role("alert")).to_be_focused()
    visit.check(page, "group-apply-shares-refused")
    expect(parts.nth(0).locator("input[inputmode=decimal]")).to_have_value("30")
    parts.nth(1).locator("input[inputmode=decimal]").fill("40")
    onward.click()
    expect(page.get_by_role("heading", name=say("if_one_fails"))).to_be_visible()
    visit.check(page, "group-apply-confirm")
    page.get_by_role("button", name=say("change_shares")).click()
    expect(parts.nth(1).locator("input[inputmode=decimal]")).to_have_value("40")
    onward.click()
    page.get_by_label(say("group_understood")).check()
    page.get_by_role("button", name=say("apply_now")).click()
    expect(page.get_by_role("status")).to_contain_text(say("group_applied_said"))
    place = page.url.removeprefix(visit.site.url)
    other = visit("zhao", language, "/me")
    if language == "zh-CN":
        visit.check(other, "member-home-waiting")
    other.locator(f"a[href='{place}']").click()
    if language == "zh-CN":
        visit.check(other, "group-loan-waiting")
    other.get_by_role("button", name=say("give_word")).click()
    expect(other.get_by_role("status")).to_contain_text(say("endorsed_said"))
    expect(other.get_by_text(say("your_word_waits"))).to_have_count(0)
    if language == "en":
        visit.check(other, "group-loan-endorsed")
