"""The charter: its rules with their sources, its history, and a new version by form.

A new version is written in two steps: the form, then what it changes, rule by rule, with a source
for each; only then it is published.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, request, url_for

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Day, Schema, Text, Whole
from app.marks import limited
from app.pages.forms import Form, read_query
from app.pages.layout import say
from app.pages.office.drafts import Draft, faults_told, in_two_steps, read_draft
from app.pages.office.room import can, enter, pages, show, words
from app.pages.office.values import Value, values_of
from app.permissions import requires
from app.sheets import sheet
from community.communities import queries, service, templates
from community.communities.charter import CharterInvalid, CharterRules
from community.communities.differences import differences
from community.communities.errors import NoCharter
from community.communities.models import Charter, Community

RULES: dict[str, Value] = values_of(CharterRules)
# With which rule a part of the charter begins; each goes on to the next.
PARTS = {
    "group_size_min": "groups",
    "kin_warnings": "warnings",
    "circle_of_trust": "trust",
    "guarantees_count_max": "promises",
    "voucher_half_life_days": "vouchers",
    "at_risk_days": "at_risk",
    "yearly_rate_ppm_max": "rates",
    "refuse_while_peer_late": "habits",
    "line_minor_max": "lines",
    "record_issuers": "records",
    "campaign_reviewers_per_household": "campaigns",
    "liability_modes": "failure",
    "class_days": "classes",
    "member_age_min": "members",
    "event_declarers": "declared",
    "risk_low_rules": "risk",
    "reports_per_span_max": "reports",
    "meeting_quorum_bps": "meetings",
    "visit_photos_max": "visits",
    "circle_members_min": "desk",
}
_HISTORY_MOST = 50


class CharterForm(Schema):
    """What a version has besides its rules."""

    valid_from = Day(required=True)
    source = Text(500, required=True)
    begin_from = Text(60, load_default="present")


class CharterArgs(Schema):
    """Which version; the one in force if none is named."""

    version = Whole(1, from_text=True, load_default=None)


def parts() -> list[tuple[str, list[Value]]]:
    """The rules by the parts of a charter; one that is new stands where it was written down."""
    found: list[tuple[str, list[Value]]] = []
    for name, rule in RULES.items():
        if name in PARTS or not found:
            found.append((PARTS.get(name, "groups"), []))
        found[-1][1].append(rule)
    return found


def rule_name(name: str) -> str:
    """What a rule is called in the reader's language."""
    t = words()
    return t.of("rule", name) if t.find(f"rule.{name}") else name


@pages.listed("charter")
@pages.get("/office/<pid(com):community_id>/charter")
@requires("community:read")
def charter(community_id: str) -> Response:
    """A version of the charter with the source of every rule, what it changed, and all versions."""
    community = enter(community_id, "community:read")
    session = db.session()
    _, args = read_query(CharterArgs())
    shown = _version(community, args.get("version"))
    history = session.scalars(
        queries.list_charters(community.id).order_by(Charter.version.desc()).limit(_HISTORY_MOST)
    ).all()
    before = next(
        (row for row in history if shown is not None and row.version == shown.version - 1), None
    )
    is_own = shown is not None and shown.community_id == community.id
    return show(
        "charter",
        community,
        charter=shown,
        is_own=is_own,
        parts=parts(),
        history=history,
        changes=differences(before.rules, shown.rules)
        if before is not None and shown is not None and is_own
        else None,
        rules=RULES,
        rule_name=rule_name,
        may_adopt=can(community, "community:adopt_charter"),
        templates=templates.names(),
    )


@pages.get("/office/<pid(com):community_id>/charter.csv")
@requires("community:read")
def charter_csv(community_id: str) -> Response:
    """The rules of a version, with their sources, as a sheet."""
    community = enter(community_id, "community:read")
    _, args = read_query(CharterArgs())
    shown = _version(community, args.get("version"))
    if shown is None:
        raise NoCharter("No charter is in force.")
    rows = [
        [name, RULES[name].text(rule["value"], community.currency), rule["source"]]
        for name, rule in shown.rules.items()
        if name in RULES
    ]
    return sheet(f"charter-{shown.version}", ["rule", "value", "source"], rows)


@pages.route("/office/<pid(com):community_id>/charter/new", methods=["GET", "POST"])
@requires("community:adopt_charter")
@limited("heavy")
def new_charter(community_id: str) -> Any:
    """Write a new version; see what it changes; publish it."""
    community = enter(community_id, "community:adopt_charter")

    def check(form: Form, draft: Draft, data: dict[str, Any]) -> Response:
        changes = service.preview_charter(
            db.session(),
            community_id=community.id,
            rules_document=_rules(community, draft, data),
            on=data["valid_from"],
        )
        return show(
            "charter_check",
            community,
            form=form,
            changes=changes,
            rules=RULES,
            draft=draft,
            valid_from=data["valid_from"],
            rule_name=rule_name,
        )

    def work(data: dict[str, Any]) -> str:
        place = enter(community_id, "community:adopt_charter")
        draft = _draft(place, Form(values=dict(request.form.items())))
        if draft.faults:
            raise CharterInvalid(errors={name: text[0] for name, text in draft.faults.items()})
        made = service.adopt_charter(
            db.session(),
            community_id=place.id,
            rules_document=_rules(place, draft, data),
            valid_from=data["valid_from"],
            source=data["source"],
            now=now(),
            on=today(),
            actor_id=caller().member_id,
        )
        return url_for("office.charter", community_id=community_id, version=made.version)

    done = in_two_steps(
        CharterForm,
        draft=lambda form: _draft(community, form),
        editor=lambda form, draft: _editor(community, form, draft),
        check=check,
        work=work,
        start={"begin_from": request.args.get("begin_from", "present")},
    )
    if done.status_code == 303:
        say("office", "charter_published")
    return done


def _version(community: Community, version: int | None) -> Charter | None:
    session = db.session()
    if version is not None:
        return queries.get_charter_version(session, community_id=community.id, version=version)
    return queries.find_charter(session, community.id, today())


def _base(community: Community, begin_from: str) -> Mapping[str, Any]:
    """The rules that the form shows: those in force, or a template's."""
    rules: Mapping[str, Any] = service.draft_rules(
        db.session(),
        community_id=community.id,
        begin_from=begin_from or "present",
        changes={},
        on=today(),
    )
    return rules


def _draft(community: Community, form: Form) -> Draft:
    rules = _base(community, str(form.value("begin_from", "present")))
    base = {name: rule.get("value") for name, rule in rules.items()}
    return read_draft(RULES, base, community.currency, words())


def _rules(community: Community, draft: Draft, data: dict[str, Any]) -> dict[str, Any]:
    """The whole document: changed rules have their own source, or the version's."""
    changes = {
        name: {
            "value": value,
            "source": request.form.get(f"source_{name}", "").strip()[:500] or data["source"],
        }
        for name, value in draft.new.items()
    }
    return service.draft_rules(
        db.session(),
        community_id=community.id,
        begin_from=data["begin_from"],
        changes=changes,
        on=data["valid_from"],
    )


def _editor(community: Community, form: Form, draft: Draft) -> Response:
    form.errors = form.errors | draft.faults
    if isinstance(form.refusal, CharterInvalid):
        # Each rule says what is wrong with it at its own field.
        told: Mapping[str, str] = form.refusal.members.get("errors", {})
        form.errors = form.errors | faults_told(told, RULES, community.currency, words())
        form.refusal = None
    begin_from = str(form.value("begin_from", "present"))
    return show(
        "charter_edit",
        community,
        form=form,
        parts=parts(),
        draft=draft,
        sources={name: rule.get("source") for name, rule in _base(community, begin_from).items()},
        rule_name=rule_name,
        names={"valid_from": words()("valid_from"), "source": words()("source")}
        | {name: rule_name(name) for name in form.errors if name in RULES},
        opened={part for part, rules in parts() if any(r.name in form.errors for r in rules)},
        begin_from=begin_from,
    )
