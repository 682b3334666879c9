"""The auditor's pages: read everything, change nothing, verify the chain, take it along.

There is no form in this room that posts. Books, charters, loans and members are read in the
office, where auditors see every page and may use none of its forms.
"""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response
from sqlalchemy import ColumnElement, Select

from app.auth import caller
from app.clock import today
from app.communities.facts import community_facts
from app.extensions import db
from app.marks import limited
from app.monitoring import permissions as _cases  # noqa: F401  declares who reads cases
from app.monitoring.views import case_views
from app.pages.auditor import permissions as _permissions  # noqa: F401  declares who may come in
from app.pages.entry import language
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.office.start import counts_of, looked_after
from app.pages.riskdesk.case_views import case_page
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import permit, requires
from app.sheets import Cell, sheet
from community.communities import queries as communities
from community.communities.models import Community
from community.ledger import queries as ledger
from community.ledger.models import Event, JournalEntry
from community.money import Money
from community.monitoring import queries as cases
from community.monitoring.errors import CaseNotFound
from community.monitoring.models import RiskCase

pages = Room("auditor", __name__)

_LISTED = 30
# What an export reads at once.
_PORTION = 500
_EVENT_COLUMNS = (
    "number",
    "recorded_at",
    "kind",
    "subject",
    "actor",
    "facts",
    "prev_hash",
    "hash",
)
_ENTRY_COLUMNS = (
    "number",
    "business_on",
    "value_on",
    "recorded_at",
    "kind",
    "reference",
    "reverses",
    "account",
    "owner",
    "currency",
    "amount",
    "prev_hash",
    "hash",
)


@pages.listed("communities")
@pages.get("/audit")
@requires("audit:list")
def home() -> Response:
    """The communities whose books one may look into."""
    permit("audit:list")
    found, older, first = looked_after()
    return page(
        "auditor/home.html",
        communities=found,
        counts=counts_of(db.session(), [community.id for community in found]),
        older=older,
        first=first,
    )


@pages.listed("audit")
@pages.get("/audit/<pid(com):community_id>")
@requires("audit:read")
def overview(community_id: str) -> Response:
    """What there is to read about a community, and to take along."""
    community = _enter(community_id, "audit:read")
    session = db.session()
    return page(
        "auditor/overview.html",
        community=community,
        book=ledger.balances_of(session, community.id, community.currency),
        month=today().replace(day=1),
    )


@pages.listed("events")
@pages.get("/audit/<pid(com):community_id>/events")
@requires("event:read")
def events(community_id: str) -> Response:
    """The events of a community's chain, newest first: who did what, with every fact."""
    community = _enter(community_id, "event:read")
    session = db.session()
    found, older, first = listed(session, ledger.events_of(community.id), Event.id, rows=_LISTED)
    return page(
        "auditor/events.html",
        community=community,
        events=ledger.event_views(session, found.items),
        as_text=lambda facts: json.dumps(facts, ensure_ascii=False, indent=1),
        older=older,
        first=first,
    )


@pages.get("/audit/<pid(com):community_id>/cases")
@requires("case-queue:read")
def case_list(community_id: str) -> Response:
    """All cases of a community that its list may show, open and closed."""
    community = _enter(community_id, "case-queue:read")
    session = db.session()
    query = cases.list_cases(community.id, reader_id=caller().member_id)
    found, older, first = listed(
        session, query, RiskCase.list_key, newest_first=False, rows=_LISTED
    )
    return page(
        "auditor/cases.html",
        community=community,
        cases=case_views(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/audit/<pid(com):community_id>/cases/<pid(cas):case_id>")
@requires("case:read")
def case(community_id: str, case_id: str) -> Response:
    """One case: what opened it, and what was done about it."""
    community = _enter(community_id, "case-queue:read")
    session = db.session()
    found = cases.get_case(session, case_id)
    if found.community_id != community.id:
        raise CaseNotFound()
    desk = Words("riskdesk", language())
    return page(
        "auditor/case.html",
        community=community,
        view=case_page(session, case_id, today(), desk),
        desk=desk,
    )


@pages.get("/audit/<pid(com):community_id>/events.csv")
@requires("event:read")
@limited("heavy")
def events_csv(community_id: str) -> Response:
    """Every event of the chain, oldest first, as a sheet."""
    community = _enter(community_id, "event:read")
    rows: Iterator[list[Cell]] = (
        [
            event.number,
            event.recorded_at.isoformat(),
            event.kind,
            event.subject,
            event.actor or "",
            json.dumps(event.facts, ensure_ascii=False, sort_keys=True),
            event.prev_hash,
            event.hash,
        ]
        for event in _all_events(community)
    )
    return sheet(f"events-{community.public_id}", _EVENT_COLUMNS, rows)


@pages.get("/audit/<pid(com):community_id>/events.json")
@requires("event:read")
@limited("heavy")
def events_json(community_id: str) -> Response:
    """The same as JSON, one event a line: for checking the chain by other means."""
    community = _enter(community_id, "event:read")
    lines = [
        json.dumps(
            {
                "number": event.number,
                "recorded_at": event.recorded_at.isoformat(),
                "kind": event.kind,
                "subject": event.subject,
                "actor": event.actor,
                "facts": event.facts,
                "prev_hash": event.prev_hash,
                "hash": event.hash,
            },
            ensure_ascii=False,
        )
        for event in _all_events(community)
    ]
    return _file("\n".join(lines) + "\n", f"events-{community.public_id}.jsonl")


@pages.get("/audit/<pid(com):community_id>/journal.csv")
@requires("ledger:read")
@limited("heavy")
def journal_csv(community_id: str) -> Response:
    """Every leg of every entry, oldest first, as a sheet."""
    community = _enter(community_id, "ledger:read")
    return sheet(f"journal-{community.public_id}", _ENTRY_COLUMNS, _all_legs(community))


def _enter(community_id: str, action: str) -> Community:
    session = db.session()
    community = communities.get_community(session, community_id)
    facts = community_facts(session, community)
    permit("audit:read", facts)
    permit(action, facts)
    return community


def _portions(query: Select[Any], key: ColumnElement[int] | Any) -> Iterator[list[Any]]:
    """All rows of a query in the order of a key, read in portions."""
    session, after = db.session(), 0
    while True:
        rows = list(session.scalars(query.where(key > after).order_by(key).limit(_PORTION)))
        if rows:
            yield rows
            after = rows[-1].id
        if len(rows) < _PORTION:
            return


def _all_events(community: Community) -> Iterator[ledger.EventView]:
    for rows in _portions(ledger.events_of(community.id), Event.id):
        yield from ledger.event_views(db.session(), rows)


def _all_legs(community: Community) -> Iterator[list[Any]]:
    for rows in _portions(ledger.entries_of(community.id), JournalEntry.id):
        for entry in ledger.entry_views(db.session(), rows):
            for leg in entry.legs:
                yield [
                    entry.number,
                    entry.business_on,
                    entry.value_on,
                    entry.recorded_at.isoformat(),
                    entry.kind,
                    entry.reference,
                    entry.reverses,
                    leg.account.value,
                    leg.owner,
                    leg.currency,
                    Money(leg.amount_minor, leg.currency),
                    entry.prev_hash,
                    entry.hash,
                ]


def _file(text: str, name: str) -> Response:
    answer = Response(text, mimetype="application/x-ndjson")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
