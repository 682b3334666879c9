"""Visits that I am to make, and what I see of others."""

from typing import Any

import marshmallow as ma
from flask import Response, request, url_for

from app.auth import caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.fields import PublicId, Schema, Text
from app.marks import unnamed
from app.monitoring import views
from app.monitoring.facts import visit_facts
from app.monitoring.visit_routes import PICTURES
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.communities.charter import REPORT_RULES, RiskRule
from community.communities.models import MembershipStatus
from community.errors import Invalid
from community.members import queries as members
from community.monitoring import reports, visits
from community.monitoring.models import Visit
from community.monitoring.questions import QUESTIONS

_NOTE_MAX = 2_000


class ReportSchema(Schema):
    """What a member sees of another, and where."""

    community = PublicId("com", required=True)
    member = PublicId("mem", required=True)
    kind = ma.fields.String(
        required=True, validate=ma.validate.OneOf(sorted(rule.value for rule in REPORT_RULES))
    )
    text = Text(_NOTE_MAX, lines=True, required=True)


@pages.listed("visits")
@pages.get("/me/visits")
@requires("own-visit:read")
def my_visits() -> Response:
    """Whom I am to visit, or have visited, newest first."""
    session, me = db.session(), caller().member_id
    permit("own-visit:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, visits.list_own_visits(me), Visit.id)
    return page(
        "member/visits.html",
        visits=views.visit_views(session, found.items),
        older=older,
        first=first,
    )


@pages.route("/me/visits/<pid(vis):visit_id>", methods=["GET", "POST"])
@requires("visit:read")
def visit(visit_id: str) -> Any:
    """One visit: what it asks; answered once."""
    session = db.session()
    found = visits.get_visit(session, visit_id)
    permit("visit:read", visit_facts(session, found))
    asked = [question.key for question in QUESTIONS[visits.round_of(session, found).purpose]]

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        one = visits.get_visit(session, visit_id)
        permit("visit:answer", visit_facts(session, one))
        visits.answer(
            session,
            visit_id=one.id,
            answers={key: data[f"q_{key}"] == "yes" for key in asked},
            note=data["note"],
            place=None,
            seen_at=None,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.visit", visit_id=visit_id)

    fields: dict[str, Any] = {"note": Text(_NOTE_MAX, lines=True, load_default="")}
    for key in asked:
        fields[f"q_{key}"] = ma.fields.String(
            required=True, validate=ma.validate.OneOf(("yes", "no"))
        )
    schema = Schema.from_dict(fields, name="VisitAnswers")()
    return answer(
        schema, work, lambda form: _page(visit_id, form), said=("member", "visit_answered_said")
    )


@pages.post("/me/visits/<pid(vis):visit_id>/photos")
@requires("visit:answer")
def add_photo(visit_id: str) -> Any:
    """Add a photo to a visit."""
    sent = request.files.get("photo")
    content, kind = (sent.read(), sent.mimetype) if sent is not None else (b"", "")

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = visits.get_visit(session, visit_id)
        permit("visit:answer", visit_facts(session, found))
        if not content or kind not in PICTURES:
            raise Invalid("Choose a picture: JPEG, PNG or WebP.", field="photo")
        visits.add_photo(
            session, visit_id=found.id, content=content, media_type=kind, on=today(), now=now()
        )
        return url_for("member.visit", visit_id=visit_id)

    return answer(
        Nothing, work, lambda form: _page(visit_id, form), said=("member", "photo_added_said")
    )


@pages.get("/me/visits/<pid(vis):visit_id>/photos/<int:number>")
@requires("visit:read")
def photo(visit_id: str, number: int) -> Response:
    """The picture itself."""
    session = db.session()
    found = visits.get_visit(session, visit_id)
    permit("visit:read", visit_facts(session, found))
    kept = visits.get_photo(session, visit_id=found.id, number=number)
    return Response(kept.content, mimetype=kept.media_type)


@pages.route("/me/report", methods=["GET", "POST"])
@requires("peer-report:send")
@unnamed
def report() -> Any:
    """Say what I see of another member; only the case's own officer can read from whom it is."""
    session, me = db.session(), caller().member_id
    permit("peer-report:send", Facts(member_ids=frozenset({me})))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        community = communities.get_community(session, data["community"])
        permit("peer-report:send", community_facts(session, community))
        reports.report(
            session,
            community_id=community.id,
            reporter_id=me,
            member_id=members.get_member(session, data["member"]).id,
            kind=RiskRule(data["kind"]),
            text=data["text"],
            on=today(),
            now=now(),
        )
        return url_for("member.my_visits")

    return answer(
        ReportSchema,
        work,
        lambda form: page(
            "member/report.html",
            form=form,
            rules=sorted(rule.value for rule in REPORT_RULES),
            places=[
                community
                for membership, community in communities.memberships_of(session, me)
                if membership.status is MembershipStatus.ACTIVE
            ],
        ),
        said=("member", "reported_said"),
    )


def _page(visit_id: str, form: Form) -> Response:
    session = db.session()
    found = visits.get_visit(session, visit_id)
    permit("visit:read", visit_facts(session, found))
    [shown] = views.visit_views(session, [found])
    return page(
        "member/visit.html",
        status=form.status,
        form=form,
        visit=shown,
        is_mine=found.visitor_id == caller().member_id,
        accepted=",".join(PICTURES),
    )
