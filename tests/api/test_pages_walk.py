"""Every route of the pages, signed out and as each kind of people; new ones are found here.

A page is allowed, or it is refused as its permission says (403, 404): never a fault, never English
in a Chinese page's frame, always well formed, always under the strict policy.
"""

import re

import pytest
from flask import Flask
from sqlalchemy import String, Text, select
from werkzeug.routing import Rule

from app.extensions import db
from app.marks import mark_of, view_of
from app.pages.room import Room
from app.pages.words import sources
from app.permissions import PERMISSIONS
from community.communities.models import Charter
from community.database import Base
from community.reasons import read_because
from community.sealing import Sealed
from tests.api.world import World
from tests.reading import Reader, check_html, foreign_words, words_in

# What does not depend on the kind of database is asked on one.
pytestmark = pytest.mark.parametrize("template_url", ["sqlite"], indirect=True)
KINDS = ("wang", "gao", "zhao", "officer", "operator", "auditor", "foreign", "stranger")
# What stands for an id in an address, by its argument; more names where a page needs others.
THINGS = {
    "community_id": "@village",
    "receipt_id": "@receipt",
    "loan_id": "@current",
    "use_id": "@use",
    "group_loan_id": "@group_loan",
    "group_id": "@active",
    "member_id": "@wang",
    "circle_id": "@circle",
    "case_id": "@case",
    "stress_id": "@stress",
    "name": "pages.css",
    "collection_id": "@sheet",
    "meeting_id": "@meeting",
    "event_id": "@disaster",
    "campaign_id": "@campaign",
    "kind": "savings_cash",
    "vouch_id": "@live",
    "call_id": "@call",
    "cover_change_id": "@handover",
    "claim_id": "@claim",
    "settlement_id": "@said",
    "message_id": "@message",
    "item_id": "@item",
    "complaint_id": "@complaint",
    "theme_id": "@theme",
    "visit_id": "@visit",
    "product_id": "@plain",
    "finding_id": "@finding",
    "campaign_household_id": "@reviewed_home",
    "objection_id": "@objection",
    "assignment_id": "@to_review",
    "number": "1",
    "version": "1",
    "amendment_id": "@amendment",
    "expulsion_id": "@expulsion",
    "consent_id": "@consent",
    "webhook_id": "@webhook",
    "delivery_id": "@delivery",
    "record_id": "@record",
    "purpose": "visit_place",
}
# A page may want another thing than the usual one.
INSTEAD = {
    "office.portfolio_csv": {"name": "par"},
    "office.entry": {"number": "@entry"},
    "office.verify_use": {"loan_id": "@late"},
    "office.pay_call": {"loan_id": "@late"},
    "member.verify_use": {"loan_id": "@late"},
}
# The office is for whoever holds an office there, or audits it: to others it is not there.
MEMBERS = ("wang", "gao", "zhao", "foreign", "stranger")
STRANGERS = dict.fromkeys(("foreign", "stranger"), 404)
# Who reads everything here and is no member.
NO_MEMBERS = {"operator": 409, "auditor": 409, **STRANGERS}
NEIGHBOURS = dict.fromkeys(("gao", "zhao"), 404)
# Who gets something else than a page: 403 or 404 by the permission table. All others get 200.
REFUSED: dict[str, dict[str, int]] = {
    "papers.receipt": {
        "gao": 404,
        "zhao": 404,
        "foreign": 404,
        "stranger": 404,
    },
    # A group's pages are for its leader (wang) and those in office or audit; meetings and sheets
    # for everybody in it (zhao), each with what is theirs.
    **{
        f"leader.{name}": {"zhao": 403, **dict.fromkeys(("gao", "foreign", "stranger"), 404)}
        for name in ("group", "meeting_sheet", "sheet_csv", "sheets")
    },
    "leader.plan": {
        "zhao": 403,
        "auditor": 403,
        **dict.fromkeys(("gao", "foreign", "stranger"), 404),
    },
    # Reports are for members of the village who may read the group.
    "leader.report": dict.fromkeys(("operator", "auditor", "gao", "foreign", "stranger"), 404),
    "leader.group_visits": dict.fromkeys(("zhao", "gao", "foreign", "stranger"), 404),
    **{
        f"leader.{name}": dict.fromkeys(("gao", "foreign", "stranger"), 404)
        for name in ("paper", "meeting", "group_meetings", "people")
    },
    # What a village owes in all is for those in office or audit; a campaign for everybody in it,
    # its board for those in office or audit.
    **{
        f"cooperative.{name}": dict.fromkeys(("wang", "gao", "zhao", "foreign", "stranger"), 404)
        for name in ("season_calendar", "seasons_csv", "dues_csv", "events", "event", "event_csv")
    },
    "cooperative.declare": {
        "auditor": 403,
        **dict.fromkeys(("wang", "gao", "zhao", "foreign", "stranger"), 404),
    },
    **{
        f"cooperative.{name}": dict.fromkeys(("wang", "gao", "zhao", "foreign", "stranger"), 404)
        for name in ("finding",)
    },
    # The reviewed household is wang's, who may know of it, but not who said what; the objection
    # is zhao's.
    "cooperative.campaign_household": {
        "wang": 403,
        **dict.fromkeys(("gao", "zhao", "foreign", "stranger"), 404),
    },
    "cooperative.objection": dict.fromkeys(("wang", "gao", "foreign", "stranger"), 404),
    "cooperative.open_campaign": {
        **dict.fromkeys(("wang", "gao", "zhao", "auditor"), 403),
        **dict.fromkeys(("foreign", "stranger"), 404),
    },
    "review.campaign": dict.fromkeys(("foreign", "stranger"), 404),
    "review.review": dict.fromkeys(set(KINDS) - {"wang"}, 404),
    "review.object_to": {
        **dict.fromkeys(("operator", "auditor"), 403),
        **dict.fromkeys(("foreign", "stranger"), 404),
    },
    "cooperative.campaigns": dict.fromkeys(("foreign", "stranger"), 404),
    "cooperative.campaign": dict.fromkeys(("wang", "gao", "zhao", "foreign", "stranger"), 404),
    # Those behind whom nobody stands in the village have no drawing.
    "member.behind_me_csv": dict.fromkeys(set(KINDS) - {"wang", "gao", "zhao"}, 404),
    # Auditors change nothing: they may read, and so are told that they may not act.
    "office.new_charter": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.register": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.new_product": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.new_product_version": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.pay_call": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.take_repayment": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.deposit": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.withdraw": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.verify_use": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    "office.new_theme": dict.fromkeys(MEMBERS, 404) | {"auditor": 403},
    # It is the officer's to answer; who complained reads it on a page of their own.
    "office.complaint": dict.fromkeys((*MEMBERS, "operator"), 404),
    "auditor.home": {"wang": 403, "gao": 403, "zhao": 403, "stranger": 403},
    # Everybody may know that there is an office.
    "office.home": {"wang": 403, "gao": 403, "zhao": 403, "stranger": 403},
    "member.apply_terms": STRANGERS,
    "member.apply_purpose": STRANGERS,
    "member.apply_people": NO_MEMBERS,
    "member.apply_people_csv": NO_MEMBERS,
    "member.apply_confirm": NO_MEMBERS,
    # A consent is read here by whoever gave it; the office has its own list.
    **{
        f"member.{name}": dict.fromkeys(set(KINDS) - {"wang"}, 404)
        for name in ("my_record", "record_text")
    },
    # What is of no community is for operators, and whoever audits everything.
    **{
        f"platform.{name}": dict.fromkeys(set(KINDS) - {"operator"}, 403)
        for name in ("webhooks", "new_webhook", "erasures", "retention")
    },
    "platform.webhook": dict.fromkeys(set(KINDS) - {"operator", "auditor"}, 404),
    # A member is erased by whoever answers for them.
    "platform.erasure_request": {
        **dict.fromkeys(("wang", "zhao", "auditor"), 403),
        "gao": 404,
        **STRANGERS,
    },
    "member.asked_themes": STRANGERS,
    "member.asked_theme": STRANGERS,
    "member.call": {"wang": 404, **NEIGHBOURS, **STRANGERS},
    "member.claim": {"wang": 404, **NEIGHBOURS, **STRANGERS},
    "member.complaint": {**NEIGHBOURS, "operator": 404, **STRANGERS},
    "member.exposure_csv": dict.fromkeys(("operator", "auditor", "foreign", "stranger"), 404),
    "member.limit": dict.fromkeys(("operator", "auditor", "foreign", "stranger"), 404),
    **{
        f"member.{name}": {"gao": 404, **STRANGERS}
        for name in (
            *("group", "agreement", "agreement_version", "amendment"),
            *("leadership", "staying", "expulsion"),
        )
    },
    # Who is in the group proposes; the others may read it, or not even that.
    **{
        f"member.{name}": {
            "gao": 404,
            **dict.fromkeys(("officer", "operator", "auditor"), 403),
            **STRANGERS,
        }
        for name in ("propose_amendment", "propose_expulsion", "understand_amendment")
    },
    # Terms are its leader's and its founder's to change.
    "member.change_terms": {
        "gao": 404,
        **dict.fromkeys(("zhao", "officer", "operator", "auditor"), 403),
        **STRANGERS,
    },
    # A group's loans are for those in it; its leader asks for one and takes it back.
    **{f"member.{name}": {"gao": 404, **STRANGERS} for name in ("group_loans_page", "group_loan")},
    **{
        f"member.{name}": {
            "gao": 404,
            **dict.fromkeys(("zhao", "officer", "operator", "auditor"), 403),
            **STRANGERS,
        }
        for name in ("group_apply", "group_apply_shares")
    },
    "member.withdraw_group_loan": {
        "gao": 404,
        **dict.fromkeys(("zhao", "auditor"), 403),
        **STRANGERS,
    },
    "member.person": {"gao": 404, **STRANGERS},
    "member.rating": STRANGERS,
    "member.loan": {**NEIGHBOURS, **STRANGERS},
    "member.cover": {**NEIGHBOURS, **STRANGERS},
    "member.cover_change": {**NEIGHBOURS, **STRANGERS},
    # The three agree on it; who looks after the loan reads it.
    "member.substitute": {
        **NEIGHBOURS,
        **dict.fromkeys(("officer", "operator", "auditor"), 403),
        **STRANGERS,
    },
    "member.release_early": {
        **NEIGHBOURS,
        **dict.fromkeys(("wang", "officer", "operator", "auditor"), 403),
        **STRANGERS,
    },
    "member.my_item": {**NEIGHBOURS, **STRANGERS},
    "member.photo": {"gao": 404, **STRANGERS},
    "member.visit": {"gao": 404, **STRANGERS},
    "member.vouch": {**NEIGHBOURS, **STRANGERS},
    "member.promise_payment": {**NEIGHBOURS, "auditor": 403, **STRANGERS},
    "member.state_use": {**NEIGHBOURS, "auditor": 403, **STRANGERS},
    # Who was never a member has no account.
    "member.savings_in": {"operator": 404, "auditor": 404, **STRANGERS},
    "member.verify_use": {"auditor": 403, "wang": 404, **NEIGHBOURS, **STRANGERS},
    "member.withdraw_loan": {**NEIGHBOURS, "auditor": 403, **STRANGERS},
    # Its members have shown it, and are led back to the group.
    "member.understand": {
        **dict.fromkeys(("wang", "zhao"), 303),
        "gao": 404,
        **dict.fromkeys(("officer", "operator", "auditor"), 403),
        **STRANGERS,
    },
}
# The desk is for who operates and who audits; a search is started by operators alone.
REFUSED |= {
    f"riskdesk.{name}": dict.fromkeys(set(KINDS) - {"operator", "auditor"}, 404)
    for name in (
        "risk_map",
        "map_csv",
        "circle",
        "history_csv",
        "members_csv",
        "promises_csv",
        "what_if_form",
        "call_plan",
        "call_plan_csv",
        "stress_list",
        "stress",
        "stress_json",
        "stress_draws_csv",
        "stress_members_csv",
        "stress_calls_csv",
    )
}
for step in ("search", "ask_stress"):
    REFUSED[f"riskdesk.{step}"] = dict.fromkeys(set(KINDS) - {"operator"}, 404) | {"auditor": 403}
# Cases and rules: officers too. The case is about zhao, in the group that wang leads.
OUTSIDE = dict.fromkeys(("wang", "gao", "zhao", "foreign", "stranger"), 404)
REFUSED |= {"riskdesk.rules_csv": OUTSIDE, "riskdesk.warnings_csv": OUTSIDE}
# An officer of another community sees that one's.
ELSEWHERE = dict.fromkeys(OUTSIDE.keys() - {"foreign"}, 404)
REFUSED |= {f"riskdesk.{name}": ELSEWHERE for name in ("case_queue", "rules", "warnings")}
NEITHER = dict.fromkeys(("gao", "foreign", "stranger"), 404)
REFUSED |= {"riskdesk.case": NEITHER}
for step in ("assign_case", "escalate_case", "close_case"):
    REFUSED[f"riskdesk.{step}"] = NEITHER | {"zhao": 403, "auditor": 403}
# Who leads the group answers the case; it is given away by those who hold office.
REFUSED["riskdesk.assign_case"]["wang"] = 403
# By room, where all its pages are alike.
REFUSED_IN_ROOM = {
    "office": dict.fromkeys(MEMBERS, 404),
    "auditor": dict.fromkeys((*MEMBERS, "officer"), 404),
}
# Pages whose address needs more than ids.
ASKED = "?community=@village&product=@plain&principal=50&instalments=3&purpose=seed&use=crop"
QUERY = {
    "papers.statement": "?from=2026-01-01&to=2026-04-30",
    "member.person": "?community=@village",
    "member.rating": "?kind=product&id=@plain",
    "member.apply_terms": ASKED,
    "member.apply_purpose": ASKED,
    "member.apply_people": ASKED,
    "member.apply_people_csv": ASKED,
    "member.apply_confirm": ASKED,
}


def routes(app: Flask) -> list[Rule]:
    """Every route of a room of pages."""
    return [
        rule
        for rule in app.url_map.iter_rules()
        if isinstance(app.blueprints.get(rule.endpoint.rpartition(".")[0]), Room)
    ]


def address(world: World, rule: Rule) -> str:
    def thing(found: "re.Match[str]") -> str:
        things = THINGS | INSTEAD.get(rule.endpoint, {})
        assert found[1] in things, f"{rule.rule}: say in THINGS what stands for {found[1]}"
        return world.named(things[found[1]])

    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", thing, rule.rule)


def written_in(world: World) -> set[str]:
    """The words that people wrote: names, reasons, purposes, sources of their own rules.

    What the platform itself wrote down is no excuse: codes, sources of ours, reasons that it knows.
    """
    with world.app.app_context():
        session = db.session()
        charters = session.scalars(select(Charter.rules))
        theirs = {rule["source"] for rules in charters for rule in rules.values()}
        texts = [*sources().values(), *(theirs - sources().keys())]
        for table in Base.metadata.sorted_tables:
            columns = [each for each in table.columns if type(each.type) in (String, Text, Sealed)]
            if columns := [each for each in columns if each.name not in ("kind", "rule")]:
                texts += [text for row in session.execute(select(*columns)) for text in row if text]
    return {word for text in texts if read_because(text) is None for word in words_in(text)}


def is_public(app: Flask, rule: Rule, method: str) -> bool:
    return bool(mark_of(view_of(app, rule.endpoint, method), "_public", False))


def test_every_page_is_public_or_declares_its_permission(world: World) -> None:
    app = world.app
    for rule in routes(app):
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            action = mark_of(view_of(app, rule.endpoint, method), "_permission")
            assert is_public(app, rule, method) or action in PERMISSIONS, f"{method} {rule.rule}"


def test_signed_out_every_page_leads_to_the_door(world: World) -> None:
    reader = Reader(world.app)
    for rule in routes(world.app):
        path = address(world, rule)
        if "GET" in (rule.methods or ()):
            with reader.open(path) as answer:
                if is_public(world.app, rule, "GET"):
                    assert answer.status_code == 200, rule.rule
                else:
                    assert answer.status_code == 303, rule.rule
                    assert answer.location.startswith("/sign-in?next="), rule.rule
        if "POST" in (rule.methods or ()):
            # Without the form's proof nothing is done, whoever asks.
            assert reader.client.post(path).status_code == 403, rule.rule


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("who", KINDS)
def test_each_kind_sees_what_is_theirs(world: World, who: str, language: str) -> None:
    reader = Reader(world.app, language).sign_in(world.tokens[who])
    world.changed()
    written = written_in(world)
    for rule in routes(world.app):
        if "GET" not in (rule.methods or ()) or is_public(world.app, rule, "GET"):
            continue
        path = address(world, rule) + world.named(QUERY.get(rule.endpoint, ""))
        answer = reader.open(path)
        room = REFUSED_IN_ROOM.get(rule.endpoint.partition(".")[0], {})
        expected = REFUSED.get(rule.endpoint, room).get(who, 200)
        assert answer.status_code == expected, f"{who} {rule.endpoint}"
        if answer.mimetype == "text/html" and expected != 303:
            said = check_html(answer, language)
            foreign = foreign_words(said, language, written)
            assert foreign == set(), f"{language} {rule.endpoint}"
    assert world.changed() == []
