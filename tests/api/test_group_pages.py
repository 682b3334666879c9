"""What a group decides, on its pages: founded, amended, led, left, as over the API and once."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.clock import Clock
from app.extensions import db
from community.groups import amendments, queries
from community.groups.models import GroupStatus
from community.groups.understanding import QuestionKind
from community.money import Money
from tests.api.people import Person
from tests.api.test_groups import gather, sign_all
from tests.api.village import Village, make_village
from tests.reading import Reader, check_html

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)


@pytest.fixture
def village(app: Flask) -> Village:
    """Tokens live for a day in these tests, so the days of thinking again are none."""
    return make_village(app, cooling_off_days=0, group_size_min=4)


@pytest.fixture
def active(village: Village) -> tuple[str, list[Person]]:
    """The address of a group that binds five."""
    group, people = sign_all(village)
    assert people[0].post(f"{group}/activation").status_code == 200
    return group.replace("/api/v1", "/me"), people


def reader(person: Person, language: str = "en") -> Reader:
    return Reader(person.app, language).sign_in(person.token)


def ends_at(answer: TestResponse, pattern: str) -> str:
    assert answer.status_code == 303, answer.text
    assert re.fullmatch(pattern, answer.location), answer.location
    return answer.location


def right(app: Flask, amendment_id: str, person: Person) -> dict[str, str]:
    """What somebody types who has understood the proposal."""
    with app.app_context():
        session = db.session()
        asked = amendments.questionnaire(
            session,
            amendment_id=queries.get_amendment(session, amendment_id).id,
            member_id=person.member_id,
        )
        typed = {}
        for question in asked.questions:
            typed[question.id] = str(question.expected)
            if question.kind is QuestionKind.MONEY:
                assert isinstance(question.expected, Money)
                typed[f"{question.id}_currency"] = question.expected.currency
        session.rollback()
    return typed


def test_a_group_is_begun_invited_to_and_written_down(village: Village) -> None:
    people = [village.settle(f"Neighbour {number}") for number in range(4)]
    first, *others = (reader(person) for person in people)
    clock: Clock = village.app.extensions["clock"]
    data = {
        "community": village.public_id,
        "name": "Well",
        "pair_cap": "500",
        "pair_cap_currency": "CNY",
        "vouch_expires_on": (clock.today() + timedelta(days=300)).isoformat(),
    }
    refused = first.send("/me/groups/new", **data | {"vouch_expires_on": "2020-01-01"})
    assert refused.status_code == 422
    check_html(refused, "en")
    assert 'value="500"' in refused.text
    assert 'value="Well"' in refused.text
    place = ends_at(first.send("/me/groups/new", **data), r"/me/groups/grp_\w+")
    # Whom the founder has nothing to do with is not offered, but may be named.
    ends_at(
        first.send(f"{place}/terms", pair_cap="600", pair_cap_currency="CNY", name="Well"), place
    )
    for person, other in zip(people[1:], others, strict=True):
        asked = first.send(f"{place}/invitations", shown=place, member=person.public_id)
        ends_at(asked, place)
        ends_at(other.send(f"{place}/acceptance", shown=place), place)
    # Nobody leads yet: it is not written down.
    assert first.send(f"{place}/fixing", shown=place).status_code == 403
    for voter in (first, *others):
        ends_at(voter.send(f"{place}/vote", shown=place, candidate=people[0].public_id), place)
    ends_at(first.send(f"{place}/fixing", shown=place), place)
    assert "CNY\N{NO-BREAK SPACE}600.00" in first.open(place).text
    # Not before all have signed and thought again.
    early = first.send(f"{place}/activation", shown=place)
    assert early.status_code == 409
    check_html(early, "en")
    ends_at(first.send(f"{place}/reopening", shown=place), place)
    ends_at(first.send(f"{place}/dissolution", shown=place), "/me/groups")
    assert people[0].get("/api/v1/me/groups").get_json()["items"] == []


def test_what_all_have_signed_is_let_bind_by_its_leader_once(village: Village) -> None:
    group, people = sign_all(village)
    place, leader = group.replace("/api/v1", "/me"), reader(people[0])
    assert reader(people[1]).send(f"{place}/activation", shown=place).status_code == 403
    page = leader.open(place)
    sent = [
        leader.client.post(f"{place}/activation", data=form, headers=leader.headers)
        for form in [dict(re.findall(r'hidden" name="(\w+)" value="([^"]*)"', page.text))] * 2
    ]
    assert [answer.status_code for answer in sent] == [303, 303]
    shown = people[0].get(group).get_json()
    assert shown["status"] == GroupStatus.ACTIVE.value
    assert len(people[0].get(f"{group}/agreements").get_json()["items"]) == 1


def test_a_change_goes_from_a_proposal_into_force(
    app: Flask, active: tuple[str, list[Person]]
) -> None:
    place, people = active
    proposer = reader(people[2], "zh-CN")
    path = f"{place}/amendments/new"
    form = proposer.open(path)
    check_html(form, "zh-CN")
    assert 'value="2000.00"' in form.text
    same = {"pair_cap": "2000", "pair_cap_currency": "CNY", "reason": "丰收"}
    refused = proposer.send(path, **same)
    assert refused.status_code == 422
    assert "丰收" in refused.text
    amendment = ends_at(
        proposer.send(path, **same | {"pair_cap": "2500"}), r"/me/amendments/gam_\w+"
    )
    # Proposed twice it is open already; the pages lead to it.
    assert proposer.send(path, **same | {"pair_cap": "2600"}).status_code == 409
    assert amendment in proposer.open(place).text
    assert amendment in reader(people[0]).open(f"{place}/agreement").text
    unread = proposer.send(f"{amendment}/signature", shown=amendment, agreement_hash="0")
    assert unread.status_code == 409
    for person in people:
        who = reader(person)
        page = who.open(amendment)
        assert "CNY\N{NO-BREAK SPACE}10,000.00" in page.text
        hash_ = people[0].get(amendment.replace("/me", "/api/v1")).get_json()["agreement_hash"]
        early = who.send(f"{amendment}/signature", shown=amendment, agreement_hash=hash_)
        assert early.status_code == 409, early.text
        answers = right(app, amendment.rpartition("/")[2], person)
        answered = who.send(f"{amendment}/understanding", **answers)
        ends_at(answered, re.escape(amendment))
        signed = who.send(f"{amendment}/signature", shown=amendment, agreement_hash=hash_)
        ends_at(signed, re.escape(amendment))
    member, leader = reader(people[3]), reader(people[0])
    assert member.send(f"{amendment}/activation", shown=path).status_code in (403, 409)
    ends_at(leader.send(f"{amendment}/activation", shown=amendment), f"{place}/agreement")
    assert "The agreement is in force." in leader.open(f"{place}/agreement").text
    versions = people[4].get(f"{place.replace('/me', '/api/v1')}/agreements").get_json()["items"]
    assert [one["is_in_force"] for one in versions] == [False, True]
    old = member.open(f"{place}/agreements/1")
    check_html(old, "en")
    assert "replaced" in old.text
    assert member.open(f"{place}/agreements/9").status_code == 404


def test_one_no_or_its_proposer_ends_a_proposal(active: tuple[str, list[Person]]) -> None:
    place, people = active
    first, second = reader(people[1]), reader(people[2])
    ends = {"refusal": second, "withdrawal": first}
    for act, who in ends.items():
        made = first.send(
            f"{place}/amendments/new", pair_cap="2500", pair_cap_currency="CNY", reason="x"
        )
        amendment = ends_at(made, r"/me/amendments/gam_\w+")
        if act == "withdrawal":
            # Another's proposal is not theirs to take back.
            assert second.send(f"{amendment}/{act}", shown=amendment).status_code == 403
        ends_at(who.send(f"{amendment}/{act}", shown=amendment), re.escape(amendment))
        over = second.send(f"{amendment}/refusal", shown=f"{place}/amendments/new")
        assert over.status_code == 409
        check_html(over, "en")


def test_a_leader_is_recalled_and_another_elected(active: tuple[str, list[Person]]) -> None:
    place, people = active
    path = f"{place}/leader"
    called = reader(people[3]).send(f"{place}/election", shown=path)
    ends_at(called, re.escape(path))
    assert "election open" in reader(people[3]).open(path).text
    wisher = reader(people[1])
    ends_at(wisher.send(f"{place}/recall", shown=path, recall="1"), re.escape(path))
    assert "You wish the leader to go." in wisher.open(path).text
    # Taken back, it does not count.
    ends_at(wisher.send(f"{place}/recall", shown=path, recall="0"), re.escape(path))
    for person in people[2:4]:
        ends_at(reader(person).send(f"{place}/recall", shown=path, recall="1"), re.escape(path))
    assert "Member 0" in reader(people[4]).open(path).text
    ends_at(reader(people[4]).send(f"{place}/recall", shown=path, recall="1"), re.escape(path))
    page = reader(people[4], "zh-CN").open(path)
    check_html(page, "zh-CN")
    assert "还没有组长" in page.text
    gone = wisher.send(f"{place}/recall", shown=path, recall="1")
    assert gone.status_code == 409
    check_html(gone, "en")
    strange = wisher.send(f"{place}/ballot", shown=path, candidate="mem_0000000000000000")
    assert strange.status_code == 404
    for person in people[:3]:
        voted = reader(person).send(f"{place}/ballot", shown=path, candidate=people[2].public_id)
        ends_at(voted, re.escape(path))
    shown = people[0].get(place.replace("/me", "/api/v1")).get_json()
    assert shown["leader"]["id"] == people[2].public_id


def test_leaving_says_what_holds_and_happens_once(
    village: Village, active: tuple[str, list[Person]]
) -> None:
    place, people = active
    path = f"{place}/staying"
    leaver = reader(people[4])
    assert "Nothing holds you." in leaver.open(path).text
    ends_at(leaver.send(f"{place}/exit", shown=path), "/me/groups")
    assert leaver.open(place).status_code == 404
    stranger = reader(village.settle("Stranger"))
    assert stranger.open(path).status_code == 404
    assert people[4].public_id not in reader(people[0]).open(f"{place}/leader").text


def test_an_expulsion_needs_everybody_else(active: tuple[str, list[Person]]) -> None:
    place, people = active
    first = reader(people[1])
    path = f"{place}/expulsions/new"
    told: dict[str, Any] = {"settlement": "repaid", "reason": "never there"}
    oneself = first.send(path, member=people[1].public_id, **told)
    assert oneself.status_code == 422
    assert "never there" in oneself.text
    unsaid = first.send(path, member=people[4].public_id, settlement="repaid", reason="")
    assert unsaid.status_code == 422
    expulsion = ends_at(
        first.send(path, member=people[4].public_id, **told), r"/me/expulsions/gex_\w+"
    )
    assert expulsion in first.open(f"{place}/staying").text
    about = reader(people[4], "zh-CN").open(expulsion)
    check_html(about, "zh-CN")
    assert "您不投票" in about.text
    early = first.send(f"{expulsion}/effect", shown=expulsion)
    assert early.status_code == 409
    own = reader(people[4]).send(f"{expulsion}/consent", shown=path)
    assert own.status_code == 403
    for person in people[:4]:
        ends_at(reader(person).send(f"{expulsion}/consent", shown=expulsion), re.escape(expulsion))
    assert "4 of 4" in first.open(expulsion).text
    ends_at(first.send(f"{expulsion}/effect", shown=expulsion), re.escape(expulsion))
    assert "they left" in first.open(expulsion).text
    assert reader(people[4]).open(place).status_code == 404
    # It is over: said again, it changes nothing.
    assert first.send(f"{expulsion}/effect", shown=path).status_code == 409


def test_people_of_a_group_see_of_each_other_what_binds_them(
    village: Village, active: tuple[str, list[Person]]
) -> None:
    place, people = active
    other = f"/me/people/{people[3].public_id}?community={village.public_id}"
    assert other.replace("&", "&amp;") in reader(people[1]).open(place).text
    fellow = reader(people[1]).open(other)
    assert "Only what rests on the promise between you" in fellow.text
    assert "Savings" not in fellow.text
    leader = reader(people[0], "zh-CN").open(other)
    check_html(leader, "zh-CN")
    assert "只含您带的小组里的" in leader.text
    api = (
        people[1]
        .get(f"/api/v1/members/{people[3].public_id}/profile", community=village.public_id)
        .get_json()
    )
    assert fellow.text.count("<section") == len(api["figures"]) + 1
    outsider = reader(village.settle("Outsider"))
    assert outsider.open(other).status_code == 404
    assert reader(people[1]).open(other.partition("?")[0]).status_code == 404


def test_before_anybody_signs_a_group_is_only_of_those_in_it(village: Village) -> None:
    group, people = gather(village)
    place = group.replace("/api/v1", "/me")
    page = reader(people[0]).open(place)
    check_html(page, "en")
    # Nobody's profile is opened by a group that does not bind.
    assert "/me/people/" not in page.text
    for part in ("agreement", "leader", "staying"):
        assert reader(people[1]).open(f"{place}/{part}").status_code == 200
    proposed = reader(people[1]).send(
        f"{place}/amendments/new", pair_cap="2500", pair_cap_currency="CNY"
    )
    assert proposed.status_code == 409


def test_who_is_asked_to_join_reads_and_signs(
    app: Flask, village: Village, active: tuple[str, list[Person]]
) -> None:
    place, people = active
    new = village.settle("New Face")
    # Only people whom the proposer is connected with are offered; the form says who.
    asked = reader(people[0]).send(
        f"{place}/amendments/new",
        pair_cap="2000",
        pair_cap_currency="CNY",
        joining=new.public_id,
        reason="she farms next to us",
    )
    amendment = ends_at(asked, r"/me/amendments/gam_\w+")
    mine = reader(new, "zh-CN")
    group = mine.open(place)
    check_html(group, "zh-CN")
    assert amendment in group.text
    # Joining a group that binds is no answer to an invitation: everybody signs.
    assert "/acceptance" not in group.text
    assert "New Face" in reader(people[1]).open(amendment).text
    hash_ = new.get(amendment.replace("/me", "/api/v1")).get_json()["agreement_hash"]
    answers = right(app, amendment.rpartition("/")[2], new)
    ends_at(mine.send(f"{amendment}/understanding", **answers), re.escape(amendment))
    signed = mine.send(f"{amendment}/signature", shown=amendment, agreement_hash=hash_)
    ends_at(signed, re.escape(amendment))
    shown = new.get(amendment.replace("/me", "/api/v1")).get_json()
    assert [one["name"] for one in shown["signed"]] == ["New Face"]
    # Its leader puts it into force, but not before everybody has signed.
    leader, form = reader(people[0]), f"{place}/amendments/new"
    early = leader.send(f"{amendment}/activation", shown=form)
    assert early.status_code == 409
    check_html(early, "en")


def test_what_is_taken_over_is_named_exactly(active: tuple[str, list[Person]]) -> None:
    place, people = active
    first = reader(people[1])
    made = first.send(
        f"{place}/expulsions/new",
        member=people[4].public_id,
        settlement="taken_over",
        reason="moved away",
    )
    expulsion = ends_at(made, r"/me/expulsions/gex_\w+")
    wrong = first.send(
        f"{expulsion}/consent", shown=expulsion, takes_over="5", takes_over_currency="CNY"
    )
    assert wrong.status_code == 409
    check_html(wrong, "en")
    assert "Your promise for the member covers CNY 0.00" in wrong.text
    ends_at(first.send(f"{expulsion}/consent", shown=expulsion), re.escape(expulsion))
    # One no of another ends it, and nobody is told whose.
    other = reader(people[2])
    ends_at(other.send(f"{expulsion}/refusal", shown=expulsion), re.escape(expulsion))
    page = reader(people[3]).open(expulsion)
    assert "refused" in page.text
    assert "Member 2" not in page.text


def test_a_group_in_which_nothing_is_live_is_ended_by_its_leader(
    active: tuple[str, list[Person]],
) -> None:
    place, people = active
    assert "End the group" not in reader(people[1]).open(place).text
    form = f"{place}/amendments/new"
    assert reader(people[1]).send(f"{place}/dissolution", shown=form).status_code == 403
    leader = reader(people[0])
    ends_at(leader.send(f"{place}/dissolution", shown=place), "/me/groups")
    assert "The group has ended." in leader.open("/me/groups").text
