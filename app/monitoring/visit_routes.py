"""Visits of members to members, with photos."""

import secrets
from typing import Any

from flask import Response, request

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.groups.facts import group_facts
from app.marks import accepts
from app.monitoring import views
from app.monitoring.facts import visit_facts
from app.monitoring.schemas import (
    VisitAnswerSchema,
    VisitPhotoSchema,
    VisitRoundInSchema,
    VisitRoundSchema,
    VisitSchema,
)
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.transaction import transactional
from community.groups import queries as groups
from community.monitoring import visits
from community.monitoring.models import Visit, VisitRound
from community.monitoring.visits import SEED_MAX, Place

PICTURES = ("image/jpeg", "image/png", "image/webp")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
PHOTO_BODY = {"required": True, "content": dict.fromkeys(PICTURES, _BYTES)}


def add_routes(blp: Blueprint) -> None:
    """Add them to the room's blueprint."""

    @blp.route("/groups/<pid(grp):group_id>/visit-rounds")
    @requires("visit-round:read")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(VisitRoundSchema))
    def list_visit_rounds(args: dict[str, Any], group_id: str) -> Page:
        """Who visited whom in a group, newest first."""
        session = db.session()
        group = groups.get_group(session, group_id)
        permit("visit-round:read", group_facts(session, group))
        query = visits.list_rounds(group.id)
        page = paginate(session, query, key=VisitRound.id, args=args, newest_first=True)
        return Page([views.round_view(session, row) for row in page.items], page.next_cursor)

    @blp.route("/groups/<pid(grp):group_id>/visit-rounds", methods=["POST"])
    @requires("visit-round:draw")
    @blp.arguments(VisitRoundInSchema)
    @blp.response(201, VisitRoundSchema)
    @transactional
    def draw_visits(data: dict[str, Any], group_id: str) -> dict[str, Any]:
        """Draw who visits whom: from a seed, and the same whenever it is drawn again."""
        session = db.session()
        group = groups.get_group(session, group_id)
        permit("visit-round:draw", group_facts(session, group))
        seed = secrets.randbelow(SEED_MAX) if data["seed"] is None else data["seed"]
        row = visits.draw_round(
            session,
            group_id=group.id,
            purpose=data["purpose"],
            seed=seed,
            due_on=data["due_on"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return views.round_view(session, row)

    @blp.route("/me/visits")
    @requires("own-visit:read")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(VisitSchema))
    def list_my_visits(args: dict[str, Any]) -> Page:
        """Whom the caller is to visit, or has visited, newest first."""
        session = db.session()
        permit("own-visit:read", Facts(owner_ids=frozenset({caller().member_id})))
        query = visits.list_own_visits(caller().member_id)
        page = paginate(session, query, key=Visit.id, args=args, newest_first=True)
        return Page(views.visit_views(session, page.items), page.next_cursor)

    @blp.route("/visits/<pid(vis):visit_id>")
    @requires("visit:read")
    @blp.response(200, VisitSchema)
    def get_visit(visit_id: str) -> dict[str, Any]:
        """One visit: what it asks, what was seen."""
        session = db.session()
        visit = visits.get_visit(session, visit_id)
        permit("visit:read", visit_facts(session, visit))
        return views.visit_views(session, [visit])[0]

    @blp.route("/visits/<pid(vis):visit_id>/answers", methods=["POST"])
    @requires("visit:answer")
    @blp.arguments(VisitAnswerSchema)
    @blp.response(201, VisitSchema)
    @transactional
    def answer_visit(data: dict[str, Any], visit_id: str) -> dict[str, Any]:
        """Say what was seen at a visit."""
        session = db.session()
        visit = visits.get_visit(session, visit_id)
        permit("visit:answer", visit_facts(session, visit))
        place = data.pop("place")
        visit = visits.answer(
            session,
            visit_id=visit.id,
            **data,
            place=None if place is None else Place(**place),
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return views.visit_views(session, [visit])[0]

    @blp.route("/visits/<pid(vis):visit_id>/photos", methods=["POST"])
    @requires("visit:answer")
    @accepts(*PICTURES)
    @blp.doc(requestBody=PHOTO_BODY)
    @blp.response(201, VisitPhotoSchema)
    @transactional
    def add_photo(visit_id: str) -> dict[str, Any]:
        """Add a photo to a visit; the same one again is answered, not kept twice."""
        session = db.session()
        visit = visits.get_visit(session, visit_id)
        permit("visit:answer", visit_facts(session, visit))
        photo = visits.add_photo(
            session,
            visit_id=visit.id,
            content=request.get_data(cache=True),
            media_type=request.mimetype,
            on=today(),
            now=now(),
        )
        return views.photo_view(photo)

    @blp.route("/visits/<pid(vis):visit_id>/photos/<int:number>")
    @requires("visit:read")
    @blp.response(200, {"type": "string", "format": "binary"}, content_type="image/*")
    def get_photo(visit_id: str, number: int) -> Response:
        """The picture itself, as it was sent."""
        session = db.session()
        visit = visits.get_visit(session, visit_id)
        permit("visit:read", visit_facts(session, visit))
        photo = visits.get_photo(session, visit_id=visit.id, number=number)
        return Response(photo.content, mimetype=photo.media_type)
