"""Complaints that are the reader's to answer: what was said, by when, replies and how it ends."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for

from app.auth import acting, caller
from app.clock import today
from app.extensions import db
from app.feedback import views
from app.feedback.facts import complaint_facts
from app.feedback.schemas import TEXT_MAX, ComplaintListArgs, ComplaintTextSchema
from app.fields import Schema, Text
from app.marks import unnamed
from app.pages.forms import Form, answer, read_query
from app.pages.lists import listed
from app.pages.office.room import can, enter, pages, show
from app.pages.office.themes import Place, gathering
from app.permissions import Facts, is_operator, may, permit, requires
from community.communities.models import Community
from community.feedback import complaints as service
from community.feedback import themes
from community.feedback.errors import ComplaintNotFound
from community.feedback.models import Complaint, ComplaintOutcome, ComplaintStatus, FeedbackItem

# Withdrawn it is by who complained, on a page of their own.
OUTCOMES = (ComplaintOutcome.UPHELD, ComplaintOutcome.PARTLY, ComplaintOutcome.REJECTED)


class ComplaintsArgs(ComplaintListArgs):
    """A page of the complaints in one state."""

    status = ma.fields.Enum(
        ComplaintStatus, by_value=ma.fields.String, load_default=ComplaintStatus.OPEN
    )


class Closing(Schema):
    """What a complaint came to."""

    outcome = ma.fields.Enum(
        ComplaintOutcome,
        by_value=ma.fields.String,
        required=True,
        validate=ma.validate.OneOf(OUTCOMES),
    )
    answer = Text(TEXT_MAX, lines=True, required=True)


def queue(community: Community, status: ComplaintStatus) -> Any:
    """The list of what the caller has to answer here; an auditor's holds all."""
    return service.list_complaints(
        community.id,
        reader_id=caller().member_id,
        audits=views.caller_audits(community.path_ids),
        operates=is_operator(caller(), Facts(path=community.path_ids)),
        status=status,
    )


@pages.listed("complaints")
@pages.get("/office/<pid(com):community_id>/complaints")
@requires("complaint-queue:read")
@unnamed
def complaints(community_id: str) -> Response:
    """What the caller has to answer, or has answered; an auditor reads all."""
    community = enter(community_id, "complaint-queue:read")
    _, args = read_query(ComplaintsArgs())
    status = args.get("status", ComplaintStatus.OPEN)
    found, older, first = listed(
        db.session(), queue(community, status), Complaint.id, status=status.value
    )
    return show(
        "complaints",
        community,
        state=status,
        statuses=list(ComplaintStatus),
        complaints=[views.complaint_summary(row) for row in found.items],
        audits=views.caller_audits(community.path_ids),
        on=today(),
        older=older,
        first=first,
    )


@pages.get("/office/<pid(com):community_id>/complaints/<pid(cpl):complaint_id>")
@requires("complaint:read")
@unnamed
def complaint(community_id: str, complaint_id: str) -> Response:
    """One complaint: what was said, by when it is answered, what happened to it."""
    return _complaint_page(*_own(community_id, complaint_id), Form())


@pages.post("/office/<pid(com):community_id>/complaints/<pid(cpl):complaint_id>/replies")
@requires("complaint:reply")
@unnamed
def reply_to_complaint(community_id: str, complaint_id: str) -> Any:
    """Write to who complained; they are told."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, complaint_id, "complaint:reply")[1]
        service.reply(db.session(), complaint_id=found.id, text=data["text"], **acting())
        return _url(community_id, complaint_id)

    return answer(
        ComplaintTextSchema,
        work,
        lambda form: _complaint_page(*_own(community_id, complaint_id, "complaint:reply"), form),
        said=("office", "complaint_replied"),
    )


@pages.post("/office/<pid(com):community_id>/complaints/<pid(cpl):complaint_id>/closing")
@requires("complaint:close")
@unnamed
def close_complaint(community_id: str, complaint_id: str) -> Any:
    """Say what it came to; who complained is told, and may have it looked at again."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, complaint_id, "complaint:close")[1]
        service.close(
            db.session(),
            complaint_id=found.id,
            outcome=data["outcome"],
            text=data["answer"],
            **acting(),
        )
        return _url(community_id, complaint_id)

    return answer(
        Closing,
        work,
        lambda form: _complaint_page(*_own(community_id, complaint_id, "complaint:close"), form),
        said=("office", "complaint_answered"),
    )


@pages.post("/office/<pid(com):community_id>/complaints/<pid(cpl):complaint_id>/theme")
@requires("complaint:place")
@unnamed
def place_complaint(community_id: str, complaint_id: str) -> Any:
    """Count the complaint among those who ask for a theme; its text stays where it is."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = _own(community_id, complaint_id, "complaint:place")[1]
        themes.place(
            session,
            item_id=found.item_id,
            theme=None if data["theme"] is None else themes.get_theme(session, data["theme"]),
            on=today(),
            actor_id=caller().member_id,
        )
        return _url(community_id, complaint_id)

    return answer(
        Place,
        work,
        lambda form: _complaint_page(*_own(community_id, complaint_id, "complaint:place"), form),
        said=("office", "complaint_placed"),
    )


def _own(
    community_id: str, complaint_id: str, action: str = "complaint:read"
) -> tuple[Community, Complaint]:
    community = enter(community_id)
    found = service.get_complaint(db.session(), complaint_id)
    if found.community_id != community.id:
        raise ComplaintNotFound()
    permit(action, complaint_facts(db.session(), found))
    return community, found


def _url(community_id: str, complaint_id: str) -> str:
    return url_for("office.complaint", community_id=community_id, complaint_id=complaint_id)


def _complaint_page(community: Community, found: Complaint, form: Form) -> Response:
    session = db.session()
    # Who complained writes and takes it back on a page of their own.
    is_mine = found.complainant_id == caller().member_id
    facts = complaint_facts(session, found)
    is_open = found.status is ComplaintStatus.OPEN
    item = session.get_one(FeedbackItem, found.item_id)
    may_place = (
        may("complaint:place", facts) and not is_mine and themes.takes_items(session, item.theme_id)
    )
    return show(
        "complaint",
        community,
        form=form,
        complaint=views.complaint_view(session, found),
        is_mine=is_mine,
        on=today(),
        outcomes=OUTCOMES,
        may_reply=is_open and not is_mine and may("complaint:reply", facts),
        may_close=is_open and not is_mine and may("complaint:close", facts),
        sees_themes=can(community, "theme:read"),
        themes=gathering(session, community) if may_place else [],
        may_place=may_place,
    )
