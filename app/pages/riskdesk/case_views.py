"""What the pages about cases show: the API's views of cases, and how rules did."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import marshmallow as ma
from flask import url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.fields import Day, Schema, Whole
from app.monitoring.facts import case_facts
from app.monitoring.views import case_view, case_views
from app.pages.layout import date_text, money_text, percent_text
from app.pages.words import Words
from app.permissions import Facts, may, permit
from community.communities import queries as communities
from community.communities.charter import RiskRule, Severity
from community.communities.models import Community
from community.members import queries as members
from community.monitoring import cases, queries
from community.monitoring.models import BY_HAND, CaseOutcome, CaseRole, CaseStatus, RiskCase
from community.monitoring.signals import FINDERS

PER_PAGE = 30
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Rules that can be tried on the past, and what a rule of the desk's may be.
REPLAYED = tuple(rule.value for rule in RiskRule if rule in FINDERS)


class QueueArgs(Schema):
    """Which cases the queue shows."""

    community = ma.fields.String(load_default="")
    whose = ma.fields.String(
        load_default="open", validate=ma.validate.OneOf(["open", "mine", "overdue", "closed"])
    )
    severity = ma.fields.Enum(Severity, by_value=ma.fields.String, load_default=None)
    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, load_default=None)
    page = Whole(1, 1_000, from_text=True, load_default=1)


class ReplayArgs(Schema):
    """Which rule, on which span."""

    rule = ma.fields.Enum(RiskRule, by_value=ma.fields.String, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue."""

    cases: tuple[dict[str, Any], ...]
    newer: str
    older: str


def queue_of(session: Session, community: Community, asked: Mapping[str, Any], on: date) -> Queue:
    """The cases asked for, the most urgent first; a fixed number of statements."""
    whose, page = asked["whose"], asked["page"]
    reader = caller().member_id
    query = queries.list_cases(
        community.id,
        reader_id=reader,
        status=CaseStatus.CLOSED if whose == "closed" else CaseStatus.OPEN,
    )
    query = queries.narrowed(
        query,
        severity=asked["severity"],
        rule=asked["rule"],
        past_on=on if whose == "overdue" else None,
        owner_id=reader if whose == "mine" else None,
    )
    query = queries.most_urgent_first(query).offset((page - 1) * PER_PAGE).limit(PER_PAGE + 1)
    rows = list(session.scalars(query))
    signals = queries.rules_in(session, [case.id for case in rows[:PER_PAGE]])
    shown = case_views(session, rows[:PER_PAGE])

    def address(number: int) -> str:
        return url_for(
            "riskdesk.case_queue",
            community=community.public_id,
            whose=whose,
            severity=asked["severity"].value if asked["severity"] else None,
            rule=asked["rule"].value if asked["rule"] else None,
            page=number,
        )

    return Queue(
        cases=tuple(
            view
            | {
                "url": url_for("riskdesk.case", case_id=case.public_id),
                "signals": signals.get(case.id, []),
                "is_late": case.status is CaseStatus.OPEN and case.due_on < on,
                "is_mine": case.owner_id == reader,
            }
            for view, case in zip(shown, rows, strict=False)
        ),
        newer=address(page - 1) if page > 1 else "",
        older=address(page + 1) if len(rows) > PER_PAGE else "",
    )


@dataclass(frozen=True, slots=True)
class CasePage:
    """One case."""

    case: dict[str, Any]
    row: RiskCase
    community: Community
    is_open: bool
    is_late: bool
    is_mine: bool
    may_take: bool
    may_assign: bool
    # Public id and name of those who may get it; by public id, whom actions name.
    officers: tuple[tuple[str, str], ...]
    named: Mapping[str, str]
    may_act: bool
    may_escalate: bool
    may_close: bool
    # The list that it is on.
    may_list: bool
    # By event: what it was found by, as pairs of a word and a value.
    facts: tuple[tuple[tuple[str, str], ...], ...]
    kinds: tuple[str, ...] = tuple(kind.value for kind in BY_HAND)
    outcomes: tuple[str, ...] = tuple(outcome.value for outcome in CaseOutcome)


def case_page(session: Session, case_id: str, on: date, words: Words) -> CasePage:
    """A case, and what the reader may do about it. Raises CaseNotFound, NotFound."""
    row = queries.get_case(session, case_id)
    facts = case_facts(session, row)
    permit("case:read", facts)
    community = communities.get_community_by_id(session, row.community_id)
    view = case_view(session, row, facts)
    is_open = row.status is CaseStatus.OPEN
    may_assign = is_open and may("case:assign", facts)
    officers: dict[str, str] = {}
    if may_assign:
        able = members.names_of(session, cases.able_officers(session, row))
        officers = {each.public_id: each.name for each in able.values()}
    return CasePage(
        case=view,
        row=row,
        community=community,
        is_open=is_open,
        is_late=is_open and row.due_on < on,
        is_mine=row.owner_id == caller().member_id,
        may_take=is_open and row.owner_id != caller().member_id and may("case:take", facts),
        may_assign=may_assign,
        officers=tuple(sorted(officers.items(), key=lambda each: each[1])),
        named=_named(session, view),
        may_act=is_open and may("case:act", facts),
        may_escalate=is_open
        and row.owner_role is not CaseRole.OPERATOR
        and may("case:escalate", facts),
        may_close=is_open and may("case:close", facts),
        may_list=may("case-queue:read", Facts(path=community.path_ids)),
        facts=tuple(
            tuple(
                (_fact_word(name, words), _fact_text(name, value, community.currency, words))
                for name, value in event["facts"].items()
                # What the rule's own text says already.
                if name != "code" and not isinstance(value, dict)
            )
            for event in view["events"]
        ),
    )


def _named(session: Session, view: Mapping[str, Any]) -> dict[str, str]:
    """Whom the actions name to whom the case was given."""
    given = {each["text"] for each in view["actions"] if each["text"].startswith("mem_")}
    return {
        public_id: member.name for public_id, member in members.find_members(session, given).items()
    }


def _fact_word(name: str, words: Words) -> str:
    key = name.removesuffix("_minor")
    return words.of("fact", key) if words.find(f"fact.{key}") else key.replace("_", " ")


def _fact_text(name: str, value: Any, currency: str, words: Words) -> str:
    if name.endswith("_minor") and isinstance(value, int):
        return money_text(words.language, value, currency)
    if name.endswith("_bps") and isinstance(value, int):
        return percent_text(value)
    if name == "rule":
        return Words("office", words.language).find(f"rule.{value}") or str(value)
    if words.find(f"fact_value.{name}.{value}"):
        return words.of("fact_value", f"{name}.{value}")
    if value is None:
        return "–"
    if isinstance(value, str) and _DAY.fullmatch(value):
        return date_text(words.language, date.fromisoformat(value))
    if isinstance(value, list):
        return words("comma").join(str(each) for each in value)
    return str(value)
