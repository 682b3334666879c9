"""How far the business day has come, what each step did, and whether the books hold."""

import marshmallow as ma
from flask import Response

from app.businessday.views import day_views
from app.extensions import db
from app.fields import Schema
from app.marks import limited
from app.pages.forms import read_query
from app.pages.lists import listed
from app.pages.office.room import enter, pages, show, words
from app.permissions import requires
from community.businessday.models import DayRun
from community.businessday.queries import runs_of
from community.ledger import queries as ledger
from community.verification import LAWS, Report, verify

_LISTED = 10


class VerificationArgs(Schema):
    """`?run=1` looks at the book now."""

    run = ma.fields.Boolean(load_default=False)


def step_name(name: str) -> str:
    """What a step is called; one that only older days had keeps its own name."""
    text, key = words(), name.replace(" ", "_")
    return text.of("step", key) if text.find(f"step.{key}") else name


def count_name(name: str) -> str:
    """What it counted."""
    text, key = words(), name.replace(" ", "_")
    return text.of("count", key) if text.find(f"count.{key}") else name


@pages.listed("days")
@pages.get("/office/<pid(com):community_id>/days")
@requires("day:read")
def days(community_id: str) -> Response:
    """The business days: where the present one is, and what each step did."""
    community = enter(community_id, "day:read")
    session = db.session()
    found, older, first = listed(session, runs_of(community.id), DayRun.id, rows=_LISTED)
    return show(
        "days",
        community,
        step_name=step_name,
        count_name=count_name,
        days=day_views(session, found.items),
        closed_through=ledger.closed_through(session, community.id),
        older=older,
        first=first,
    )


@pages.listed("verification")
@pages.get("/office/<pid(com):community_id>/verification")
@requires("ledger:read")
@limited("heavy")
def verification(community_id: str) -> Response:
    """Check the community's book now, and say what was found. It changes nothing: a reading."""
    community = enter(community_id, "ledger:read")
    session = db.session()
    _, args = read_query(VerificationArgs())
    report: Report | None = None
    if args.get("run"):
        report = verify(session, community_id=community.id)
    return show(
        "verification",
        community,
        report=report,
        laws=[1, 8],
        book=ledger.balances_of(session, community.id, community.currency),
        breached={breach.law for breach in report.breaches} if report else set(),
        law_names=LAWS,
    )
