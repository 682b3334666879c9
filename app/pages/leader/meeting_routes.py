"""Meetings, motions and votes; who is in the group and who is to join; visits."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, redirect, request, url_for

from app.auth import acting, caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.feedback.facts import thing_facts
from app.fields import PublicId, Schema, Text
from app.grouplife.views import (
    amendment_views,
    expulsion_views,
    found_warnings,
    may_be_asked,
    warnings_kept,
)
from app.groups.facts import group_facts
from app.groups.views import group_view
from app.marks import limited, unnamed
from app.monitoring import views as monitoring_views
from app.monitoring.schemas import (
    MeetingPlanInSchema,
    MotionInSchema,
    PeerReportInSchema,
    VisitRoundInSchema,
)
from app.pages.forms import Form, Nothing, answer, read
from app.pages.layout import page, say
from app.pages.leader.views import led_group
from app.pages.lists import listed
from app.pages.room import Room
from app.permissions import Facts, may, permit, requires
from app.profiles.facts import opens_profiles_of
from app.transaction import in_transaction
from community.communities import queries as communities
from community.communities.charter import RiskRule
from community.errors import CommunityError, Invalid, NotAllowed, NotFound
from community.groups import amendments, expulsions, service
from community.groups import queries as groups
from community.loans import queries as loans
from community.members import queries as members
from community.monitoring import meetings, reports, visits
from community.monitoring.models import (
    AttendanceKind,
    Choice,
    Meeting,
    MeetingStatus,
    Motion,
    VisitRound,
)
from community.monitoring.visits import SEED_MAX
from community.trust.queries import overdue_members

_GROUP = "/lead/groups/<pid(grp):group_id>"
ROUNDS_LISTED = 6
Work = Callable[[dict[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Act:
    """One of the things that a page's buttons do: its form, and the action that it is."""

    schema: type[ma.Schema] | ma.Schema
    action: str
    work: Work
    said: tuple[str, str]


class NewMotion(MotionInSchema):
    """A motion of a form: the loan is named, or nothing is chosen."""


class Chosen(Schema):
    """A member that was picked."""

    member = PublicId("mem", required=True)


class Admission(Chosen):
    """Who is to join, and why."""

    reason = Text(500, load_default="")


def acts_for(found: dict[str, Act]) -> tuple[str, Act | None]:
    """Which button was pressed. Raises Invalid for one that is not on the page."""
    name = pressed(found)
    return name, found.get(name)


def pressed(buttons: Collection[str]) -> str:
    """The name of the button that was pressed; none where nothing was sent. Raises Invalid."""
    if request.method != "POST":
        return ""
    name = request.form.get("act", "")
    if name not in buttons:
        raise Invalid("There is no such button on this page.", field="act")
    return name


def respond(act: Act | None, facts: Facts, show: Callable[[Form], Response]) -> Any:
    """Do what the pressed button says, or show the page."""
    if act is None:
        return show(Form())
    permit(act.action, facts)

    def work(data: dict[str, Any]) -> str:
        target = act.work(data)
        say(*act.said)
        return target

    return answer(act.schema, work, show)


def add_routes(pages: Room) -> None:
    """Add them to the leader's room."""
    _add_meetings(pages)
    _add_people(pages)
    _add_visits(pages)
    _add_reports(pages)


def _add_meetings(pages: Room) -> None:
    @pages.route(_GROUP + "/plan", methods=["GET", "POST"])
    @requires("meeting:write")
    def plan(group_id: str) -> Any:
        """When and where the group meets."""
        session = db.session()
        group, _ = led_group(session, group_id, "meeting:write")
        kept = meetings.find_plan(session, group.id)

        def work(data: dict[str, Any]) -> str:
            row = groups.get_group(db.session(), group_id)
            meetings.set_plan(
                db.session(), group_id=row.id, **data, now=now(), actor_id=caller().member_id
            )
            return url_for("leader.group", group_id=group_id)

        def show(form: Form) -> Response:
            return page("leader/plan.html", form=form, group=group)

        start = {"first_on": today().isoformat(), "every_days": "30", "place": ""}
        if kept is not None:
            start = {
                "first_on": kept.first_on.isoformat(),
                "every_days": str(kept.every_days),
                "place": kept.place,
            }
        return answer(MeetingPlanInSchema, work, show, start=start, said=("leader", "plan_set"))

    @pages.get(_GROUP + "/meetings")
    @requires("meeting:read")
    def group_meetings(group_id: str) -> Response:
        """A group's meetings, newest first."""
        session = db.session()
        group, facts = led_group(session, group_id, "meeting:read")
        found, older, first = listed(session, meetings.list_meetings(group.id), Meeting.id)
        return page(
            "leader/meetings.html",
            group=group,
            meetings=found.items,
            older=older,
            first=first,
            may_write=may("meeting:write", facts),
        )

    @pages.route("/lead/meetings/<pid(mtg):meeting_id>", methods=["GET", "POST"])
    @requires("meeting:read")
    @limited("heavy")
    def meeting(meeting_id: str) -> Any:
        """One meeting: who came, what was put to the vote and decided."""
        session = db.session()
        row = meetings.get_meeting(session, meeting_id)
        group = groups.get_group_by_id(session, row.group_id)
        facts = group_facts(session, group)
        permit("meeting:read", facts)
        here = url_for("leader.meeting", meeting_id=meeting_id)
        motion_id = request.form.get("motion", "")

        def this_motion() -> Motion:
            motion = meetings.get_motion(db.session(), motion_id)
            if motion.meeting_id != meetings.get_meeting(db.session(), meeting_id).id:
                raise Invalid("The motion is another meeting's.", field="motion")
            return motion

        def propose(data: dict[str, Any]) -> str:
            loan = data.pop("loan")
            meetings.propose(
                db.session(),
                meeting_id=meetings.get_meeting(db.session(), meeting_id).id,
                loan_id=None if loan is None else loans.get_loan(db.session(), loan).id,
                **data,
                now=now(),
                actor_id=caller().member_id,
            )
            return here

        def vote(data: dict[str, Any]) -> str:
            motion = this_motion()
            cast = [(name, data[name]) for name in sorted(data) if name.startswith("vote_")]
            voters = members.find_members(
                db.session(), {name.removeprefix("vote_") for name, choice in cast if choice}
            )
            for name, choice in cast:
                if choice:
                    meetings.vote(
                        db.session(),
                        motion_id=motion.id,
                        member_id=voters[name.removeprefix("vote_")].id,
                        choice=Choice(choice),
                        actor_id=caller().member_id,
                        by_leader=may("meeting:write", facts),
                    )
            return here

        def count(data: dict[str, Any]) -> str:
            meetings.count_motion(db.session(), motion_id=this_motion().id, **acting())
            return here

        def close(data: dict[str, Any]) -> str:
            found = meetings.get_meeting(db.session(), meeting_id)
            meetings.close(db.session(), meeting_id=found.id, **acting())
            return here

        choices = ma.validate.OneOf(["", *(choice.value for choice in Choice)])
        ballot = Schema.from_dict(
            {
                name: ma.fields.String(load_default="", validate=choices)
                for name in request.form
                if name.startswith("vote_mem_")
            },
            name="BallotForm",
        )
        _, act = acts_for(
            {
                "propose": Act(
                    NewMotion, "meeting:propose", propose, said=("leader", "motion_put")
                ),
                "vote": Act(ballot, "meeting:vote", vote, said=("leader", "vote_cast")),
                "count": Act(Nothing, "meeting:write", count, said=("leader", "motion_counted")),
                "close": Act(Nothing, "meeting:write", close, said=("leader", "meeting_closed")),
            }
        )

        def show(form: Form) -> Response:
            found = meetings.get_meeting(db.session(), meeting_id)
            view = monitoring_views.meeting_view(db.session(), found)
            return page(
                "leader/meeting.html",
                form=form,
                view=view,
                group=group,
                spoken=_spoken_for(view),
                opens=_public_ids(opens_profiles_of(group, facts)),
                community=communities.get_community_by_id(
                    db.session(), group.community_id
                ).public_id,
                me=members.get_member_by_id(db.session(), caller().member_id).public_id,
                is_open=found.status is MeetingStatus.OPEN,
                may_rate=may("rating:give", thing_facts(db.session(), found)),
                may_write=may("meeting:write", facts),
                may_vote=may("meeting:vote", facts),
            )

        return respond(act, facts, show)


def _public_ids(member_ids: Collection[int]) -> set[str]:
    return {one.public_id for one in members.names_of(db.session(), member_ids).values()}


def _spoken_for(view: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Whose votes can be cast: id, name, and the id of whoever speaks for them."""
    there = (AttendanceKind.PRESENT, AttendanceKind.PROXY)
    return [
        (
            line["member"]["id"],
            line["member"]["name"],
            (line["proxy"] or line["member"])["id"],
        )
        for line in view["attendance"]
        if line["attendance"] in there
    ]


def _add_people(pages: Room) -> None:
    @pages.route(_GROUP + "/people", methods=["GET", "POST"])
    @requires("group:read")
    @limited("heavy")
    def people(group_id: str) -> Any:
        """Who is in the group, who leads it, who is to join or to go."""
        session = db.session()
        _, facts = led_group(session, group_id, "group:read")
        here = url_for("leader.people", group_id=group_id)
        me = caller().member_id

        def on_group() -> dict[str, Any]:
            return {"group_id": groups.get_group(db.session(), group_id).id, **acting()}

        def member_of(data: dict[str, Any]) -> int:
            return members.get_member(db.session(), data["member"]).id

        def invite(data: dict[str, Any]) -> str:
            service.invite(db.session(), **on_group(), member_id=member_of(data), inviter_id=me)
            return here

        def admit(data: dict[str, Any]) -> str:
            unit = db.session()
            joining = member_of(data)
            row = groups.get_group(unit, group_id)
            living = [place.member_id for place in groups.living_members(unit, row.id)]
            everybody = sorted({*living, joining})
            amendments.propose(
                unit,
                **on_group(),
                proposer_id=me,
                joining=[joining],
                reason=data["reason"],
                overdue_ids=overdue_members(unit, everybody),
                warnings=warnings_kept(found_warnings(unit, row, everybody)),
            )
            return here

        def elect(data: dict[str, Any]) -> str:
            service.vote_leader(
                db.session(), **on_group(), voter_id=me, candidate_id=member_of(data)
            )
            return here

        def refuse_amendment(data: dict[str, Any]) -> str:
            amendments.refuse(
                db.session(), amendment_id=_open_amendment(), member_id=me, **acting()
            )
            return here

        def withdraw_amendment(data: dict[str, Any]) -> str:
            amendments.withdraw(
                db.session(), amendment_id=_open_amendment(), member_id=me, **acting()
            )
            return here

        def _open_amendment() -> int:
            row = groups.get_group(db.session(), group_id)
            found = groups.open_amendment(db.session(), row.id)
            if found is None:
                raise Invalid("Nothing is proposed any more.")
            return found.id

        def refuse_expulsion(data: dict[str, Any]) -> str:
            expulsions.refuse(db.session(), expulsion_id=_expulsion(), member_id=me, **acting())
            return here

        def withdraw_expulsion(data: dict[str, Any]) -> str:
            expulsions.withdraw(db.session(), expulsion_id=_expulsion(), member_id=me, **acting())
            return here

        def _expulsion() -> int:
            row = groups.get_group(db.session(), group_id)
            found = groups.get_expulsion(db.session(), request.form.get("expulsion", ""))
            if found.group_id != row.id:
                raise Invalid("The proposal is another group's.")
            return found.id

        _, act = acts_for(
            {
                "invite": Act(Chosen, "group:invite", invite, said=("leader", "invited_them")),
                "admit": Act(
                    Admission, "group:propose", admit, said=("leader", "admission_proposed")
                ),
                "elect": Act(Chosen, "group:vote", elect, said=("leader", "vote_cast")),
                "refuse": Act(
                    Nothing,
                    "group:refuse_amendment",
                    refuse_amendment,
                    said=("leader", "refused_it"),
                ),
                "withdraw": Act(
                    Nothing,
                    "group:withdraw_proposal",
                    withdraw_amendment,
                    said=("leader", "withdrawn_it"),
                ),
                "keep": Act(
                    Nothing, "group:consent", refuse_expulsion, said=("leader", "refused_it")
                ),
                "drop": Act(
                    Nothing,
                    "group:withdraw_proposal",
                    withdraw_expulsion,
                    said=("leader", "withdrawn_it"),
                ),
            }
        )

        def show(form: Form) -> Response:
            unit = db.session()
            row = groups.get_group(unit, group_id)
            proposed = groups.open_amendment(unit, row.id)
            return page(
                "leader/people.html",
                form=form,
                group=row,
                view=group_view(unit, row),
                opens=opens_profiles_of(row, facts),
                amendment=amendment_views(unit, row, [proposed])[0] if proposed else None,
                expulsions=expulsion_views(unit, row, groups.open_expulsions(unit, row.id)),
                candidates=may_be_asked(unit, row, facts),
                me=members.get_member_by_id(unit, me).public_id,
                may_invite=may("group:invite", facts),
                leads=may("group:fix_agreement", facts),
                is_fellow=may("group:vote", facts),
            )

        return respond(act, facts, show)


def _add_visits(pages: Room) -> None:
    @pages.route(_GROUP + "/visits", methods=["GET", "POST"])
    @requires("visit-round:read")
    @limited("heavy")
    def group_visits(group_id: str) -> Any:
        """Who visits whom in the group, and what came of it."""
        session = db.session()
        group, facts = led_group(session, group_id, "visit-round:read")

        def draw(data: dict[str, Any]) -> str:
            visits.draw_round(
                db.session(),
                group_id=groups.get_group(db.session(), group_id).id,
                purpose=data["purpose"],
                seed=secrets.randbelow(SEED_MAX) if data["seed"] is None else data["seed"],
                due_on=data["due_on"],
                **acting(),
            )
            return url_for("leader.group_visits", group_id=group_id)

        _, act = acts_for(
            {"draw": Act(VisitRoundInSchema, "visit-round:draw", draw, said=("leader", "drawn"))}
        )

        def show(form: Form) -> Response:
            unit = db.session()
            rounds = unit.scalars(
                visits.list_rounds(group.id).order_by(VisitRound.id.desc()).limit(ROUNDS_LISTED)
            ).all()
            return page(
                "leader/visits.html",
                form=form,
                group=group,
                rounds=[monitoring_views.round_view(unit, row) for row in rounds],
                may_draw=may("visit-round:draw", facts),
            )

        return respond(act, facts, show)


def _add_reports(pages: Room) -> None:
    @pages.route(_GROUP + "/report", methods=["GET", "POST"])
    @requires("peer-report:send")
    @unnamed
    def report(group_id: str) -> Any:
        """Say what you see of another member; whoever reports is named to the case's officer alone.

        The answer is the same for every report.
        """
        group = groups.get_group(db.session(), group_id)
        permit("group:read", group_facts(db.session(), group))
        community = communities.get_community_by_id(db.session(), group.community_id)
        permit("peer-report:send", community_facts(db.session(), community))
        me = caller().member_id

        def work(data: dict[str, Any]) -> None:
            row = groups.get_group(db.session(), group_id)
            reports.report(
                db.session(),
                community_id=row.community_id,
                reporter_id=me,
                member_id=members.get_member(db.session(), data["member"]).id,
                kind=RiskRule(data["kind"]),
                text=data["text"],
                on=today(),
                now=now(),
            )

        def show(form: Form) -> Response:
            row = groups.get_group(db.session(), group_id)
            places = groups.living_members(db.session(), row.id)
            names = members.names_of(
                db.session(), [place.member_id for place in places if place.member_id != me]
            )
            others = sorted((one.public_id, one.name) for one in names.values())
            return page("leader/report.html", form=form, group=row, others=others)

        if request.method != "POST":
            return show(Form())
        # Not by `answer`: the key that it keeps of a form would name who sent it.
        form, data = read(PeerReportInSchema())
        if not form.errors:
            try:
                in_transaction(work, data)
            except (NotFound, NotAllowed):
                raise
            except CommunityError as refusal:
                form.refuse(refusal)
            else:
                say("leader", "report_received")
                return redirect(url_for("leader.report", group_id=group_id), 303)
        shown = show(form)
        shown.status_code = form.status
        return shown
