"""Complaints: filed, answered, closed, reopened; for who complained, their owner, auditors."""

from typing import Any

from app.auth import acting, caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.feedback import views
from app.feedback.facts import complaint_facts
from app.feedback.schemas import (
    ComplaintClosingSchema,
    ComplaintInSchema,
    ComplaintListArgs,
    ComplaintSchema,
    ComplaintSummarySchema,
    ComplaintTextSchema,
    ItemPlaceSchema,
)
from app.marks import unnamed
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, is_operator, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.feedback import complaints, themes
from community.feedback.models import Complaint
from community.members import queries as members


def add_routes(blp: Blueprint) -> None:
    """Add them to the room's blueprint."""

    @blp.route("/communities/<pid(com):community_id>/complaints", methods=["POST"])
    @requires("complaint:file")
    @unnamed
    @blp.arguments(ComplaintInSchema)
    @blp.response(201, ComplaintSchema)
    @transactional
    def file_complaint(data: dict[str, Any], community_id: str) -> dict[str, Any]:
        """Complain: it gets a number, somebody who owns it, and a day to be answered by."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("complaint:file", community_facts(session, community))
        against = data.pop("against")
        complaint = complaints.file(
            session,
            community_id=community.id,
            complainant_id=caller().member_id,
            against_id=None if against is None else members.get_member(session, against).id,
            **data,
            on=today(),
            now=now(),
        )
        return views.complaint_view(session, complaint)

    @blp.route("/communities/<pid(com):community_id>/complaints")
    @requires("complaint-queue:read")
    @blp.arguments(ComplaintListArgs, location="query")
    @blp.response(200, page_of(ComplaintSummarySchema))
    def list_complaints(args: dict[str, Any], community_id: str) -> Page:
        """What the caller has to answer in a community, newest first; an auditor reads all."""
        session = db.session()
        community = communities.get_community(session, community_id)
        facts = Facts(path=community.path_ids)
        permit("complaint-queue:read", facts)
        query = complaints.list_complaints(
            community.id,
            reader_id=caller().member_id,
            audits=views.caller_audits(community.path_ids),
            operates=is_operator(caller(), facts),
            status=args["status"],
        )
        page = paginate(session, query, key=Complaint.id, args=args, newest_first=True)
        return Page([views.complaint_summary(row) for row in page.items], page.next_cursor)

    @blp.route("/me/complaints")
    @requires("own-complaint:read")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(ComplaintSummarySchema))
    def list_my_complaints(args: dict[str, Any]) -> Page:
        """What the caller complained of, newest first."""
        me = caller().member_id
        permit("own-complaint:read", Facts(owner_ids=frozenset({me})))
        query = complaints.list_own_complaints(me)
        page = paginate(db.session(), query, key=Complaint.id, args=args, newest_first=True)
        return Page([views.complaint_summary(row) for row in page.items], page.next_cursor)

    @blp.route("/complaints/<pid(cpl):complaint_id>")
    @requires("complaint:read")
    @blp.response(200, ComplaintSchema)
    def get_complaint(complaint_id: str) -> dict[str, Any]:
        """One complaint and what happened to it."""
        return views.complaint_view(db.session(), _complaint("complaint:read", complaint_id))

    @blp.route("/complaints/<pid(cpl):complaint_id>/replies", methods=["POST"])
    @requires("complaint:reply")
    @unnamed
    @blp.arguments(ComplaintTextSchema)
    @blp.response(201, ComplaintSchema)
    @transactional
    def reply_to_complaint(data: dict[str, Any], complaint_id: str) -> dict[str, Any]:
        """Write to the other side; they are told."""
        complaint = complaints.reply(
            db.session(), complaint_id=_complaint("complaint:reply", complaint_id).id, **_by(data)
        )
        return views.complaint_view(db.session(), complaint)

    @blp.route("/complaints/<pid(cpl):complaint_id>/closing", methods=["POST"])
    @requires("complaint:close")
    @unnamed
    @blp.arguments(ComplaintClosingSchema)
    @blp.response(201, ComplaintSchema)
    @transactional
    def close_complaint(data: dict[str, Any], complaint_id: str) -> dict[str, Any]:
        """Say what it came to, if it is yours to answer; withdraw it, if it is your own."""
        complaint = complaints.close(
            db.session(), complaint_id=_complaint("complaint:close", complaint_id).id, **_by(data)
        )
        return views.complaint_view(db.session(), complaint)

    @blp.route("/complaints/<pid(cpl):complaint_id>/reopening", methods=["POST"])
    @requires("complaint:reopen")
    @unnamed
    @blp.arguments(ComplaintTextSchema)
    @blp.response(201, ComplaintSchema)
    @transactional
    def reopen_complaint(data: dict[str, Any], complaint_id: str) -> dict[str, Any]:
        """Have somebody else look at it again, within the charter's days and so often."""
        complaint = complaints.reopen(
            db.session(), complaint_id=_complaint("complaint:reopen", complaint_id).id, **_by(data)
        )
        return views.complaint_view(db.session(), complaint)

    @blp.route("/complaints/<pid(cpl):complaint_id>/theme", methods=["PUT"])
    @requires("complaint:place")
    @unnamed
    @blp.arguments(ItemPlaceSchema)
    @blp.response(200, ComplaintSchema)
    @transactional
    def place_complaint(data: dict[str, Any], complaint_id: str) -> dict[str, Any]:
        """Count a complaint among those who ask for a theme: only its owner does, and no text."""
        session = db.session()
        complaint = _complaint("complaint:place", complaint_id)
        theme = None if data["theme"] is None else themes.get_theme(session, data["theme"])
        themes.place(
            session,
            item_id=complaint.item_id,
            theme=theme,
            on=today(),
            actor_id=caller().member_id,
        )
        return views.complaint_view(session, complaint)


def _complaint(action: str, complaint_id: str) -> Complaint:
    session = db.session()
    complaint = complaints.get_complaint(session, complaint_id)
    permit(action, complaint_facts(session, complaint))
    return complaint


def _by(data: dict[str, Any]) -> dict[str, Any]:
    return data | acting()
