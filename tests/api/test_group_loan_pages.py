"""A group's loan on its pages: asked for by the leader once, endorsed by all, taken back."""

import re

import pytest
from werkzeug.test import TestResponse

from tests.api.world import World
from tests.reading import Reader, check_html, hidden

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
NBSP = "\N{NO-BREAK SPACE}"


def reader(world: World, who: str, language: str = "en") -> Reader:
    return Reader(world.app, language).sign_in(world.tokens[who])


def steps(world: World) -> tuple[str, str]:
    """Where shares are said, and where they are sent."""
    shares = world.named("/me/groups/@active/loans/new/@plain")
    return shares, f"{shares}/confirm"


def named(world: World, field: str) -> str:
    """A field of a member by the name that the page gives it: `share:zhao`."""
    return re.sub(":(wang|zhao|sun)", lambda found: "_" + world.ids[found[1]], field)


def typed(world: World, **changes: str) -> dict[str, str]:
    """Wang 30.00, Zhao 40.00 for a pump of his own, Sun nothing."""
    said = {f"share:{name}_currency": "CNY" for name in ("wang", "zhao", "sun")}
    said |= {"instalments": "2", "purpose": "seed rice", "share:wang": "30", "share:zhao": "40"}
    said |= {"purpose:zhao": "a pump"} | changes
    return {named(world, field): value for field, value in said.items()}


def post(reader: Reader, path: str, data: dict[str, str]) -> TestResponse:
    return reader.client.post(path, data=data, headers=reader.headers)


def apply(world: World) -> str:
    """Wang asks; the address of the group's loan."""
    wang, (shares, confirm) = reader(world, "wang"), steps(world)
    page = wang.send(shares, **typed(world))
    assert page.status_code == 200, page.text
    made = post(wang, confirm, hidden(page.text) | {"understood": "1"})
    assert made.status_code == 303, made.text
    return made.location


def test_the_leader_asks_step_by_step_and_once(world: World) -> None:
    wang, (shares, confirm) = reader(world, "wang"), steps(world)
    world.changed()
    group = wang.open(world.named("/me/groups/@active"))
    assert "Apply for the group" in group.text
    product = wang.open(shares.rpartition("/")[0])
    check_html(product, "en")
    assert shares in product.text
    page = wang.send(shares, **typed(world))
    assert page.status_code == 200
    check_html(page, "en")
    assert world.changed() == []
    # 70.00 in all, and no interest: that is what is repaid, half of it each month.
    assert f"CNY{NBSP}70.00" in page.text
    assert page.text.count(">35.00<") >= 4
    # The others stand behind a share with all of it, the agreement's 100.00 being more; for Wang
    # that is Zhao's 40.00, for Zhao Wang's 30.00, for Sun, who borrows nothing, both: 70.00.
    told = page.text[page.text.index("Pays for others at most") :]
    assert re.findall(r"<span>(\d+\.00)</span>", told)[:3] == ["40.00", "30.00", "70.00"]
    unread = post(wang, confirm, hidden(page.text))
    assert unread.status_code == 422
    check_html(unread, "en")
    assert "Say that you have understood it." in unread.text
    # Back to the shares, everything stands there still.
    back = post(wang, shares, hidden(unread.text) | {"change": "1"})
    check_html(back, "en")
    for text in ('value="30"', 'value="40"', 'value="a pump"', "seed rice"):
        assert text in back.text
    assert world.changed() == []
    data = hidden(unread.text) | {"understood": "1"}
    made = [post(wang, confirm, data) for _ in range(2)]
    assert [answer.status_code for answer in made] == [303, 303]
    assert made[0].location == made[1].location
    where = made[0].location.replace("/me", "")
    shown = world.call("wang", "GET", where).get_json()
    assert (shown["total"]["amount"], shown["stage"]) == ("70.00", "waits_for_words")
    assert [(one["purpose"], one["principal"]["amount"]) for one in shown["shares"]] == [
        ("seed rice", "30.00"),
        ("a pump", "40.00"),
    ]
    first = wang.open(made[0].location)
    check_html(first, "en")
    assert "The group&#39;s application is in." in first.text
    listed = wang.open(world.named("/me/groups/@active/loans"))
    assert made[0].location in listed.text


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"share:zhao": "5"}, "share:zhao", "产品允许的范围"),
        ({"share:wang": "", "share:zhao": "", "purpose:zhao": ""}, "share:wang", "至少写一位"),
        ({"share:zhao": ""}, "share:zhao", "请填写这一项"),
        ({"share:zhao": "many"}, "share:zhao", "请填写金额"),
        ({"share:zhao_currency": "USD"}, "share:zhao", "同一种货币"),
        ({"purpose": ""}, "purpose", "请填写这一项"),
        ({"instalments": "13"}, "instalments", ""),
    ],
)
def test_what_is_refused_stands_at_its_field_with_what_was_typed(
    world: World, changes: dict[str, str], field: str, told: str
) -> None:
    wang, said = reader(world, "wang", "zh-CN"), typed(world, **changes)
    world.changed()
    for path in steps(world):
        page = wang.send(path, shown=steps(world)[0], **said, understood="1")
        assert page.status_code == 422, path
        check_html(page, "zh-CN")
        fault = page.text[page.text.index(f'id="e-{named(world, field)}"') :]
        assert told in fault[:200]
        for name, value in said.items():
            if value and name.startswith(("share", "purpose_")) and "currency" not in name:
                assert f'value="{value}"' in page.text
    assert world.changed() == []


def test_only_its_leader_asks_for_a_group(world: World) -> None:
    zhao, (shares, confirm) = reader(world, "zhao"), steps(world)
    assert "Apply for the group" not in zhao.open(world.named("/me/groups/@active")).text
    path = world.named("/me/profile")
    for step in (shares, confirm):
        assert zhao.send(step, shown=path, **typed(world)).status_code == 403
    far = steps(world)[0].replace(world.ids["plain"], "prd_0000000000000000")
    assert reader(world, "wang").open(far).status_code == 404


def test_all_endorse_and_see_who_is_waited_for(world: World) -> None:
    place = apply(world)
    where = place.replace("/me", "")
    loan = place.rpartition("/")[2]
    people = {name: reader(world, name) for name in ("wang", "zhao", "sun")}
    for who in people.values():
        # What waits stands on one's first page; the group has another application that waits too.
        assert place in who.open("/me").text
    waiting = world.call("sun", "GET", "/me/group-loans/waiting").get_json()["items"]
    assert (waiting[0]["id"], waiting[-1]["id"]) == (loan, world.ids["group_loan"])
    page = people["sun"].open(place)
    assert "Your word is waited for" in page.text
    assert "Not given yet: zhao, yourself." in page.text
    given = people["sun"].send(f"{place}/endorsement", shown=place, comment="good farmers")
    assert given.status_code == 303
    page = people["wang"].open(place)
    assert "good farmers" in page.text
    # One word for each share is enough here.
    assert "to be decided" in page.text
    assert "Your word is waited for" not in page.text
    assert place not in people["zhao"].open("/me").text
    assert world.call("wang", "GET", where).get_json()["stage"] == "waits_for_decision"
    again = people["sun"].send(f"{place}/endorsement", shown="/me/endorsements")
    assert again.status_code == 403
    long = people["zhao"].send(f"{place}/endorsement", shown="/me/endorsements", comment="x" * 501)
    assert long.status_code == 422
    share = world.call("zhao", "GET", where).get_json()["shares"][1]
    assert f"/me/loans/{share['id']}" in page.text
    assert place in people["zhao"].open(f"/me/loans/{share['id']}").text


def test_who_gave_a_word_from_outside_is_not_told_who_is_in_the_group(world: World) -> None:
    place = apply(world)
    where = place.replace("/me", "")
    gao = reader(world, "gao")
    assert gao.open(place).status_code == 404
    first, second = world.call("wang", "GET", where).get_json()["shares"]
    # One who is told the number of a share speaks for that share.
    given = gao.send("/me/endorsements", loan=first["id"])
    assert given.location == f"/me/loans/{first['id']}"
    page = gao.open(place)
    check_html(page, "en")
    assert "Who gave their word: gao" in page.text
    assert "1 more needed." in page.text
    for hidden_text in ("Not given yet", "/me/groups/grp_", f"/me/loans/{second['id']}"):
        assert hidden_text not in page.text
    assert f"/me/loans/{first['id']}" in page.text
    told = world.call("gao", "GET", where).get_json()["endorsements"]
    assert [one["missing"] for one in told] == [None, None]
    # And one who is told the group loan's, for all that is left.
    given = gao.send("/me/endorsements", loan=place.rpartition("/")[2], comment="all of them")
    assert given.location == place
    assert "to be decided" in gao.open(place).text
    assert gao.send("/me/endorsements", loan="grp_0123456789abcdef").status_code == 422


def test_an_application_is_taken_back_by_its_leader_and_not_twice(world: World) -> None:
    place = apply(world)
    wang, path = reader(world, "wang"), f"{place}/withdrawal"
    assert "Withdraw the application" not in reader(world, "zhao").open(place).text
    assert reader(world, "zhao").send(path, shown=place).status_code == 403
    form = wang.open(path)
    check_html(form, "en")
    done = post(wang, path, hidden(form.text) | {"reason": "too dear"})
    assert done.location == place
    page = wang.open(place)
    assert "It was taken back." in page.text
    assert path not in page.text
    refused = wang.send(path, reason="once more")
    assert refused.status_code == 409
    assert "once more" in refused.text


def test_a_quote_is_the_members_quotes_together(world: World) -> None:
    share = {"amount": {"amount": "40.00", "currency": "CNY"}}
    body = {
        "product": "@plain",
        "instalments": 2,
        "shares": [{"member": "@sun"} | share, {"member": "@zhao"} | share],
    }
    quote = world.call("wang", "POST", "/groups/@active/loans/quote", json=world.named(body))
    assert quote.status_code == 200, quote.text
    shown = quote.get_json()
    one = world.call(
        "wang", "GET", "/communities/@village/quote?product=@plain&amount=40.00&instalments=2"
    ).get_json()
    for share in shown["shares"]:
        assert share["schedule"] == one["schedule"]
        assert share["effective_yearly_rate_ppm"] == one["effective_yearly_rate_ppm"]
    assert shown["total"]["amount"] == "80.00"
    body["shares"][0]["amount"] = {"amount": "9.99", "currency": "CNY"}
    for path in ("quote", ""):
        whole = (
            {"total": {"amount": "49.99", "currency": "CNY"}, "purpose": "x"} if not path else {}
        )
        refused = world.call(
            "wang",
            "POST",
            f"/groups/@active/loans/{path}".rstrip("/"),
            json=world.named(body | whole),
        ).get_json()
        assert refused["type"].endswith("principal-out-of-range")
        assert (refused["field"], refused["member"]) == ("shares", world.ids["sun"])
