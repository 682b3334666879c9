"""What rules found about me: each case, whose turn it is, and how it ended."""

from flask import Response, url_for

from app.auth import caller
from app.extensions import db
from app.monitoring import permissions as _permissions  # noqa: F401  declares own-case:read
from app.monitoring.views import case_views
from app.pages.entry import language
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from community.monitoring import queries
from community.monitoring.models import RiskCase


@pages.get("/me/cases")
@requires("own-case:read")
def cases() -> Response:
    """What rules found about me, the newest first; never what somebody reported."""
    session, me = db.session(), caller().member_id
    permit("own-case:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, queries.list_own_cases(me), RiskCase.id)
    rules: dict[int, list[str]] = {}
    for event in queries.events_of(session, [case.id for case in found.items]):
        known = rules.setdefault(event.case_id, [])
        if event.rule.value not in known:
            known.append(event.rule.value)
    return page(
        "member/cases.html",
        cases=[
            view
            | {
                "url": url_for("riskdesk.case", case_id=case.public_id),
                "rules": rules.get(case.id, []),
            }
            for view, case in zip(case_views(session, found.items), found.items, strict=True)
        ],
        # What rules, roles and outcomes are called where cases are answered.
        desk=Words("riskdesk", language()),
        older=older,
        first=first,
    )
