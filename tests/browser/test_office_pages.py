"""The office and the auditor's room, as their people use them."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.conftest import BOTH, Visit, say

OFFICE, AUDIT = "/office/@village", "/audit"


@BOTH
def test_an_operator_changes_the_charter(visit: Visit, language: str) -> None:
    page = visit("operator", language, f"{OFFICE}/charter")
    decided = page.get_by_label(say(language, "由谁决定", "Who decided it"))
    largest = page.get_by_label(say(language, "小组最多人数", "Largest group"))
    see = page.get_by_role("button", name=say(language, "查看改动", "See what changes"))
    page.get_by_role("link", name=say(language, "起草新版", "Propose a new version")).click()
    decided.fill("五月社员大会")
    largest.fill("两个")
    see.click()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "请填写数字", "A number is needed")
    )
    expect(decided).to_have_value("五月社员大会")
    page.get_by_label(say(language, "生效日", "In force from")).fill("2027-01-01")
    largest.fill("12")
    see.click()
    expect(
        page.get_by_role("heading", name=say(language, "小组最多人数", "Largest group"))
    ).to_be_visible()
    # Only what was changed, though every tick of the form was sent along.
    expect(page.get_by_role("main")).to_contain_text(say(language, "共有 1 条改动", "Changes: 1"))
    visit.check(page, "office-charter-check")
    page.get_by_role("button", name=say(language, "发布", "Publish")).click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "新版章程已发布", "The new charter version is published")
    )


@BOTH
def test_an_officer_decides_pays_out_and_takes_a_repayment(visit: Visit, language: str) -> None:
    """A day at the desk: one loan from its application to its first receipt."""
    shop = say(language, "供销社种子店", "The seed shop")
    world = visit.site.world

    def ask(who: str, path: str, body: dict[str, Any]) -> str:
        answer = world.call(who, "POST", path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json().get("id", ""))

    def yuan(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "CNY"}

    plain = {"community": world.ids["village"], "product": world.ids["plain"]}
    world.ids["desk"] = ask(
        "wang", "/loans", {**plain, "principal": yuan("12"), "instalments": 2, "purpose": "稻种"}
    )
    ask("li", "/loans/@desk/endorsements", {})
    stated = {"purpose": "stock", "payee_name": shop, "amount": yuan("8")}
    ask("wang", "/loans/@desk/uses", stated)
    page = visit("officer", language, f"{OFFICE}/loans/@desk")
    main = page.get_by_role("main")
    page.get_by_role("button", name=say(language, "批准", "Approve"), exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "已批准", "the cover is reserved")
    )
    page.get_by_label(shop).fill("9")
    pay = page.get_by_role("button", name=say(language, "现在放款", "Pay it out now"))
    pay.click()
    expect(page.get_by_role("alert")).to_contain_text(
        say(language, "不能直接付给收款人", "straight")
    )
    expect(page.get_by_label(shop)).to_have_value("9")
    visit.check(page, "office-loan-payout-refused")
    page.get_by_label(shop).fill("8")
    pay.click()
    expect(page.get_by_role("status")).to_contain_text(say(language, "已放款", "Paid out"))
    expect(main).to_contain_text(say(language, "直接付给收款人 8.00", "8.00 paid straight"))
    page.get_by_role("link", name=say(language, "收还款", "Take a repayment")).click()
    page.get_by_label(say(language, "收到的金额", "Amount received")).fill("6.5")
    page.get_by_role("button", name=say(language, "记下还款", "Write it down")).click()
    expect(page.get_by_role("status")).to_contain_text(
        say(language, "还款已记下", "The repayment is written down")
    )
    visit.check(page, "office-loan-repaid")
    page.get_by_role("link", name=say(language, "打印收据", "Print the receipt")).click()
    expect(main).to_contain_text("6.50")


@BOTH
def test_an_auditor_reads_proves_and_takes_along(visit: Visit, language: str) -> None:
    page = visit("auditor", language, AUDIT)
    page.get_by_role("main").get_by_role("link", name="Hamlet").click()
    expect(page).to_have_url(re.compile("/audit/com_"))
    place = page.url
    page.get_by_role("link", name=say(language, "核验账簿", "Verify the book")).click()
    expect(page.get_by_role("main")).to_contain_text(say(language, "账簿无误", "The books hold"))
    page.goto(place)
    main = page.get_by_role("main")
    main.get_by_role("link", name=say(language, "事件", "Events"), exact=True).click()
    first = main.locator("details").first
    first.locator("summary").click()
    expect(first.locator("pre")).to_be_visible()
    with page.expect_download() as started:
        main.get_by_role("link", name="CSV").click()
    rows = Path(started.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert rows[0].startswith("number,recorded_at,kind"), rows[0]
    assert len(rows) > 100
    # Whatever an auditor opens, nothing there sends anything but the way out.
    for path in (OFFICE, f"{OFFICE}/charter", f"{OFFICE}/loans/@endorsed", "/desk/cases/@case"):
        visit.go(page, path)
        expect(page.locator("main form[method=post]")).to_have_count(0)


@BOTH
def test_an_operator_changes_the_terms_of_a_product(visit: Visit, language: str) -> None:
    """From the list to a published version: a wrong number, the diff, another example."""
    en = dict(zip(*SAID, strict=True))

    def say(zh: str) -> str:
        return en[zh] if language == "en" else zh

    # The world is one: whoever comes second changes what the first has published.
    day, largest = ("2030-01-01", "70,000") if language == "en" else ("2029-01-01", "60,000")
    page = visit("operator", language, f"{OFFICE}/products")
    page.get_by_role("link", name="plain", exact=True).click()
    page.get_by_role("link", name=say("起草新版")).click()
    page.get_by_label(say("生效日")).fill(day)
    page.get_by_label(say("由谁决定")).fill("社员大会")
    page.get_by_label(say("最多可借")).fill("很多")
    page.locator("summary", has_text=say("费用")).last.click()
    page.get_by_label(say("名称"), exact=True).first.fill("手续费")
    page.get_by_label(say("固定金额"), exact=True).first.fill("五")
    page.get_by_role("button", name=say("查看改动")).click()
    expect(page.get_by_role("alert")).to_contain_text(say("请填写数字"))
    expect(page.get_by_label(say("最多可借"))).to_have_value("很多")
    if language == "zh-CN":
        visit.check(page, "office-product-edit")
    page.get_by_label(say("最多可借")).fill(largest)
    page.get_by_label(say("固定金额"), exact=True).first.fill("5")
    page.get_by_role("button", name=say("查看改动")).click()
    expect(page.get_by_role("heading", name=say("改了什么"))).to_be_visible()
    page.get_by_label(say("举例金额")).fill("2000")
    page.get_by_role("button", name=say("按这笔比较")).click()
    expect(page.get_by_role("table").first).to_contain_text("2,000.00")
    visit.check(page, "office-product-check")
    page.get_by_role("button", name=say("发布")).click()
    expect(page.get_by_role("status")).to_contain_text(say("新条款已发布"))
    expect(page.get_by_role("main")).to_contain_text(f"{largest}.00")
    if language == "en":
        visit.check(page, "office-product")


@BOTH
def test_an_officer_answers_what_members_said(visit: Visit, language: str) -> None:
    """From the day page: a disputed call, a complaint, and a suggestion that begins a theme."""
    page = visit("officer", language, OFFICE)
    main, alert, told = (
        page.get_by_role("main"),
        page.get_by_role("alert"),
        page.get_by_role("status"),
    )

    def button(chinese: str, english: str) -> Locator:
        return page.get_by_role("button", name=say(language, chinese, english), exact=True)

    def link(chinese: str, english: str) -> Locator:
        return main.get_by_role("link", name=say(language, chinese, english), exact=True)

    link("待答复的代偿异议", "Disputed calls to answer").click()
    link("魏东", "魏东").click()
    expect(main).to_contain_text("was never asked")
    reason = page.get_by_label(say(language, "理由", "Reason"), exact=True)
    reason.fill("签字的担保合同在档案里")
    button("答复", "Give this answer").click()
    expect(alert).to_contain_text(say(language, "请填写这一项", "Please fill this in"))
    expect(reason).to_have_value("签字的担保合同在档案里")
    visit.check(page, "office-dispute-refused")
    page.get_by_label(say(language, "您的答复", "Your answer")).select_option("no")
    button("答复", "Give this answer").click()
    expect(told).to_contain_text(say(language, "异议已答复", "The dispute is answered"))
    expect(main).to_contain_text("签字的担保合同在档案里")
    visit.check(page, "office-dispute-answered")

    visit.go(page, OFFICE)
    link("待答复的投诉", "Complaints to answer").click()
    main.get_by_role("link", name="a receipt is missing").click()
    page.get_by_label(say(language, "给投诉人的话", "Your words")).fill("收据已补打，请来领取。")
    button("发出回复", "Send the reply").click()
    expect(told).to_contain_text(say(language, "已发给投诉人", "Sent to who complains"))
    expect(main).to_contain_text("收据已补打，请来领取。")

    visit.go(page, OFFICE)
    link("待归类的意见", "Suggestions to group").click()
    link("clear terms", "clear terms").click()
    link("以此新建议题", "Begin a theme with it").click()
    page.get_by_label(say(language, "议题名称", "In one sentence")).fill("条款要写得让人看懂")
    button("新建议题", "Begin a theme").click()
    expect(told).to_contain_text(say(language, "议题已建立", "The theme is begun"))
    button("付诸表决", "Put it to the vote").click()
    expect(told).to_contain_text(say(language, "议题已付诸表决", "The theme is put to the vote"))
    visit.check(page, "office-theme-voting")


SAID = (
    (
        "起草新版", "生效日", "由谁决定", "最多可借", "费用", "名称", "固定金额", "查看改动",
        "请填写数字", "改了什么", "举例金额", "按这笔比较", "发布", "新条款已发布",
    ),
    (
        "Propose a new version", "In force from", "Who decided it", "Largest loan", "Fees", "Name",
        "Amount", "See what changes", "A number is needed", "What changes", "Example amount",
        "Compare this loan", "Publish", "The new terms are published",
    ),
)  # fmt: skip
