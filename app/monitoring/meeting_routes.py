"""Meetings of groups, motions and votes."""

from collections.abc import Iterable
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.groups.facts import group_facts
from app.marks import accepts, versioned
from app.monitoring import views
from app.monitoring.schemas import (
    MeetingChangeSchema,
    MeetingInSchema,
    MeetingPlanInSchema,
    MeetingPlanSchema,
    MeetingSchema,
    MeetingSheetSchema,
    MotionInSchema,
    MotionSchema,
    MotionVoteInSchema,
)
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, may, permit, requires
from app.transaction import transactional
from community.groups import queries as groups
from community.groups.models import Group
from community.loans import queries as loans
from community.locks import lock_one
from community.members import queries as members
from community.members.errors import MemberNotFound
from community.monitoring import meetings
from community.monitoring.errors import AttendanceRefused
from community.monitoring.meetings import Present
from community.monitoring.models import Meeting, MeetingPlan, Motion
from community.receiving import queries as receiving

CSV_BODY = {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
PLANNED = 6


def add_routes(blp: Blueprint) -> None:
    """Add them to the room's blueprint."""

    @blp.route("/groups/<pid(grp):group_id>/meeting-plan")
    @requires("meeting:read")
    @blp.response(200, MeetingPlanSchema)
    def get_meeting_plan(group_id: str) -> dict[str, Any]:
        """When and where a group meets next."""
        session = db.session()
        group, _ = _group(session, group_id, "meeting:read")
        return _plan_view(meetings.get_plan(session, group.id))

    @blp.route("/groups/<pid(grp):group_id>/meeting-plan", methods=["PUT"])
    @requires("meeting:write")
    @blp.arguments(MeetingPlanInSchema)
    @blp.response(200, MeetingPlanSchema)
    @transactional
    def set_meeting_plan(data: dict[str, Any], group_id: str) -> dict[str, Any]:
        """Settle when and where a group meets."""
        session = db.session()
        group, _ = _group(session, group_id, "meeting:write")
        plan = meetings.set_plan(
            session, group_id=group.id, **data, now=now(), actor_id=caller().member_id
        )
        return _plan_view(plan)

    @blp.route("/groups/<pid(grp):group_id>/meetings")
    @requires("meeting:read")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(MeetingSchema))
    def list_meetings(args: dict[str, Any], group_id: str) -> Page:
        """A group's meetings, newest first."""
        session = db.session()
        group, _ = _group(session, group_id, "meeting:read")
        query = meetings.list_meetings(group.id)
        page = paginate(session, query, key=Meeting.id, args=args, newest_first=True)
        items = [views.meeting_view(session, meeting) for meeting in page.items]
        return Page(items, page.next_cursor)

    @blp.route("/groups/<pid(grp):group_id>/meetings", methods=["POST"])
    @requires("meeting:write")
    @blp.arguments(MeetingInSchema)
    @blp.response(201, MeetingSchema)
    @transactional
    def enter_meeting(data: dict[str, Any], group_id: str) -> dict[str, Any]:
        """Write down a meeting; the same one again, by its client's id, is answered."""
        session = db.session()
        group, _ = _group(session, group_id, "meeting:write")
        return _entered(
            session,
            group,
            _lines(session, data["attendance"]),
            client_id=data["client_id"],
            held_on=data["held_on"],
            place=data["place"],
            minutes=data["minutes"],
        )

    @blp.route("/groups/<pid(grp):group_id>/meetings/csv", methods=["POST"])
    @requires("meeting:write")
    @accepts("text/csv")
    @blp.doc(requestBody=CSV_BODY)
    @blp.response(201, MeetingSchema)
    @transactional
    def enter_meeting_csv(group_id: str) -> dict[str, Any]:
        """Write down a meeting that was filled in as a file; it names itself: entered once."""
        session = db.session()
        group, _ = _group(session, group_id, "meeting:write")
        name, held_on, found = meetings.read_attendance(request.get_data(cache=True))
        lines = [
            {"member": x.member, "kind": x.kind, "proxy": x.proxy, "note": x.note} for x in found
        ]
        return _entered(session, group, _lines(session, lines), client_id=name, held_on=held_on)

    @blp.route("/meetings/<pid(mtg):meeting_id>")
    @requires("meeting:read")
    @blp.response(200, MeetingSchema)
    def get_meeting(meeting_id: str) -> dict[str, Any]:
        """One meeting: who came, what was decided."""
        session = db.session()
        meeting, _ = _meeting(session, meeting_id, "meeting:read")
        show_etag(meeting.version)
        return views.meeting_view(session, meeting)

    @blp.route("/meetings/<pid(mtg):meeting_id>", methods=["PUT"])
    @requires("meeting:write")
    @versioned
    @blp.arguments(MeetingChangeSchema)
    @blp.response(200, MeetingSchema)
    @transactional
    def change_meeting(data: dict[str, Any], meeting_id: str) -> dict[str, Any]:
        """Write an open meeting anew: who came, and the minutes."""
        session = db.session()
        meeting, _ = _meeting(session, meeting_id, "meeting:write")
        meeting = lock_one(session, Meeting, meeting.id)
        check_etag(meeting.version)
        meetings.change(
            session,
            meeting=meeting,
            lines=_lines(session, data["attendance"]),
            minutes=data["minutes"],
            on=today(),
        )
        show_etag(meeting.version)
        return views.meeting_view(session, meeting)

    @blp.route("/meetings/<pid(mtg):meeting_id>/collection", methods=["PUT"])
    @requires("meeting:write")
    @blp.arguments(MeetingSheetSchema)
    @blp.response(200, MeetingSchema)
    @transactional
    def link_meeting_sheet(data: dict[str, Any], meeting_id: str) -> dict[str, Any]:
        """Say which collection sheet is this meeting's."""
        session = db.session()
        meeting, _ = _meeting(session, meeting_id, "meeting:write")
        sheet = receiving.get_collection(session, data["collection"])
        meeting = lock_one(session, Meeting, meeting.id)
        meetings.link_collection(session, meeting=meeting, collection=sheet)
        return views.meeting_view(session, meeting)

    @blp.route("/meetings/<pid(mtg):meeting_id>/closing", methods=["POST"])
    @requires("meeting:write")
    @blp.response(201, MeetingSchema)
    @transactional
    def close_meeting(meeting_id: str) -> dict[str, Any]:
        """Close a meeting: who came is counted, and what is still put to the vote."""
        session = db.session()
        meeting, _ = _meeting(session, meeting_id, "meeting:write")
        meeting = meetings.close(
            session, meeting_id=meeting.id, on=today(), now=now(), actor_id=caller().member_id
        )
        return views.meeting_view(session, meeting)

    @blp.route("/meetings/<pid(mtg):meeting_id>/motions", methods=["POST"])
    @requires("meeting:propose")
    @blp.arguments(MotionInSchema)
    @blp.response(201, MotionSchema)
    @transactional
    def propose_motion(data: dict[str, Any], meeting_id: str) -> dict[str, Any]:
        """Put something to the vote at a meeting."""
        session = db.session()
        meeting, _ = _meeting(session, meeting_id, "meeting:propose")
        loan = data.pop("loan")
        motion = meetings.propose(
            session,
            meeting_id=meeting.id,
            loan_id=None if loan is None else loans.get_loan(session, loan).id,
            **data,
            now=now(),
            actor_id=caller().member_id,
        )
        return views.motion_view(session, motion)

    @blp.route("/motions/<pid(mot):motion_id>")
    @requires("meeting:read")
    @blp.response(200, MotionSchema)
    def get_motion(motion_id: str) -> dict[str, Any]:
        """One motion; of a secret ballot the sums once it is counted, and never a vote."""
        session = db.session()
        motion, _ = _motion(session, motion_id, "meeting:read")
        return views.motion_view(session, motion)

    @blp.route("/motions/<pid(mot):motion_id>/votes", methods=["POST"])
    @requires("meeting:vote")
    @blp.arguments(MotionVoteInSchema)
    @blp.response(201, MotionSchema)
    @transactional
    def vote(data: dict[str, Any], motion_id: str) -> dict[str, Any]:
        """Cast one's vote, or that of whoever gave one their proxy."""
        session = db.session()
        motion, facts = _motion(session, motion_id, "meeting:vote")
        whose = caller().member_id
        if data["member"] is not None:
            whose = members.get_member(session, data["member"]).id
        motion = meetings.vote(
            session,
            motion_id=motion.id,
            member_id=whose,
            choice=data["choice"],
            actor_id=caller().member_id,
            by_leader=may("meeting:write", facts),
        )
        return views.motion_view(session, motion)

    @blp.route("/motions/<pid(mot):motion_id>/counting", methods=["POST"])
    @requires("meeting:write")
    @blp.response(201, MotionSchema)
    @transactional
    def count_motion(motion_id: str) -> dict[str, Any]:
        """Count the votes: it is carried, rejected, or void without a quorum."""
        session = db.session()
        motion, _ = _motion(session, motion_id, "meeting:write")
        motion = meetings.count_motion(
            session, motion_id=motion.id, on=today(), now=now(), actor_id=caller().member_id
        )
        return views.motion_view(session, motion)


def _group(session: Session, public_id: str, action: str) -> tuple[Group, Facts]:
    group = groups.get_group(session, public_id)
    facts = group_facts(session, group)
    permit(action, facts)
    return group, facts


def _meeting(session: Session, public_id: str, action: str) -> tuple[Meeting, Facts]:
    meeting = meetings.get_meeting(session, public_id)
    facts = group_facts(session, groups.get_group_by_id(session, meeting.group_id))
    permit(action, facts)
    return meeting, facts


def _motion(session: Session, public_id: str, action: str) -> tuple[Motion, Facts]:
    motion = meetings.get_motion(session, public_id)
    meeting = session.get_one(Meeting, motion.meeting_id)
    facts = group_facts(session, groups.get_group_by_id(session, meeting.group_id))
    permit(action, facts)
    return motion, facts


def _entered(session: Session, group: Group, lines: list[Present], **facts: Any) -> dict[str, Any]:
    meeting = meetings.enter(
        session,
        group_id=group.id,
        lines=lines,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        **facts,
    )
    show_etag(meeting.version)
    return views.meeting_view(session, meeting)


def _lines(session: Session, rows: Iterable[dict[str, Any]]) -> list[Present]:
    """Lines with people looked up; an unknown one is refused like one who is not in the group."""

    def known(public_id: str | None) -> int | None:
        if public_id is None:
            return None
        try:
            return members.get_member(session, public_id).id
        except MemberNotFound:
            raise AttendanceRefused("Somebody on the list is not in the group.") from None

    found = []
    for row in rows:
        member_id = known(row["member"])
        assert member_id is not None
        found.append(Present(member_id, row["kind"], known(row["proxy"]), row["note"]))
    return found


def _plan_view(plan: MeetingPlan) -> dict[str, Any]:
    return {
        "first_on": plan.first_on,
        "every_days": plan.every_days,
        "place": plan.place,
        "next_on": meetings.planned(plan, on=today(), count=PLANNED),
    }
