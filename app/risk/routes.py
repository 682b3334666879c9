"""The risk desk: guarantee circles, what they could cost, and what would shrink them."""

from dataclasses import replace
from typing import Any

from flask import Response, after_this_request

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.risk import permissions as _permissions  # noqa: F401  declares this room's actions
from app.risk import views
from app.risk.schemas import (
    CIRCLES_MAX,
    AlarmsSchema,
    CircleFileSchema,
    CircleListSchema,
    CirclesArgs,
    ConcentrationArgs,
    ConcentrationSchema,
    GateSchema,
    RiskRunSchema,
    StressAskSchema,
    StressCallsArgs,
    StressCallsSchema,
    StressMembersSchema,
    StressSchema,
)
from app.risk.work import desk_worker
from app.sheets import sheet
from app.transaction import transactional
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.risk import alarms, desk, queries, service, stress_service
from community.risk.alarms import Alarm
from community.risk.concentration import ConcentrationReport, concentration
from community.risk.models import StressTest
from community.risk.stress_service import Asked

blp = Blueprint("risk", __name__, description="The risk desk")

_TABLE = {"type": "string"}


@blp.route("/communities/<pid(com):community_id>/risk/circles", methods=["POST"])
@requires("risk:run")
@limited("heavy")
@blp.response(201, RiskRunSchema)
def search_circles(community_id: str) -> dict[str, Any]:
    """Look for guarantee circles as the rows are now; what the rules say of them becomes cases."""
    answer = _search(community_id)
    _tell(community_id)
    return answer


@transactional
def _search(community_id: str) -> dict[str, Any]:
    community = _permitted("risk:run", community_id)
    session = db.session()
    run = service.find_circles(
        session,
        community_id=community.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.run_view(run, queries.charter_version(session, run), community.currency)


@transactional
def _tell(community_id: str) -> None:
    """A unit of its own, as in the day: its locks come before the search's."""
    community = _permitted("risk:run", community_id)
    desk.watch_desk(db.session(), community_id=community.id, on=today(), now=now())


@blp.route("/communities/<pid(com):community_id>/risk/circles")
@requires("risk:read")
@blp.arguments(CirclesArgs, location="query")
@blp.response(200, CircleListSchema)
def list_circles(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """The circles of the last search, most costly first."""
    community = _permitted("risk:read", community_id)
    session = db.session()
    run = queries.get_last_run(session, community.id)
    found = queries.circles_of(session, run, least_rank=args["after_rank"], limit=args["limit"])
    last = found[-1][0].rank if found else 0
    return {
        "run": views.run_view(run, queries.charter_version(session, run), community.currency),
        "items": [views.circle_view(circle, name, community.currency) for circle, name in found],
        "next_rank": last if found and last < run.circles else None,
        "ended": [name.number for name in queries.ended_names(session, run)],
    }


@blp.route("/communities/<pid(com):community_id>/risk/circles.csv")
@requires("risk:read")
@blp.response(200, _TABLE, content_type="text/csv")
def list_circles_table(community_id: str) -> Response:
    """All circles of the last search as a table."""
    community = _permitted("risk:read", community_id)
    session = db.session()
    run = queries.get_last_run(session, community.id)
    found = queries.circles_of(session, run, limit=run.circles + 1)
    return sheet("circles", *views.circles_table(run, found, community.currency))


@blp.route("/risk/circles/<pid(cir):circle_id>")
@requires("risk:read")
@blp.response(200, CircleFileSchema)
def get_circle(circle_id: str) -> dict[str, Any]:
    """One circle as it was last seen: why it is one, what would shrink it, who is in it."""
    session = db.session()
    name = queries.get_name(session, circle_id)
    community = communities.get_community_by_id(session, name.community_id)
    permit("risk:read", Facts(path=community.path_ids))
    return views.file_view(queries.circle_file(session, name), community.currency)


def _permitted(action: str, community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit(action, Facts(path=community.path_ids))
    return community


@blp.route("/communities/<pid(com):community_id>/risk/stress-tests", methods=["POST"])
@requires("risk:run")
@limited("heavy")
@blp.arguments(StressAskSchema)
@blp.response(202, StressSchema)
@transactional
def ask_stress(data: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Ask for a stress test; it is worked off as a job, and read under the id of the answer."""
    community = _permitted("risk:run", community_id)
    session = db.session()
    draws, seed = data.pop("draws"), data.pop("seed")
    asked = Asked(
        kind=data.pop("shock"),
        members=tuple(dict.fromkeys(data.pop("members"))),
        **data,
    )
    test = stress_service.ask_stress(
        session,
        community_id=community.id,
        asked=asked,
        draws=draws,
        seed=seed,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    worker = desk_worker()

    @after_this_request
    def _begin(answer: Response) -> Response:
        # After the commit: the worker has to see it.
        worker.nudge()
        return answer

    return _stress_view(test, community)


@blp.route("/communities/<pid(com):community_id>/risk/stress-tests")
@requires("risk:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(StressSchema))
def list_stress(args: dict[str, Any], community_id: str) -> Page:
    """The community's stress tests, newest first."""
    community = _permitted("risk:read", community_id)
    page = paginate(
        db.session(),
        queries.stress_tests_of(community.id),
        key=StressTest.id,
        args=args,
        newest_first=True,
    )
    return replace(page, items=[_stress_view(test, community) for test in page.items])


@blp.route("/risk/stress-tests/<pid(str):stress_id>")
@requires("risk:read")
@blp.response(200, StressSchema)
def get_stress(stress_id: str) -> dict[str, Any]:
    """A stress test: how far it is, and what it came to."""
    test, community = _stress(stress_id)
    return _stress_view(test, community)


@blp.route("/risk/stress-tests/<pid(str):stress_id>/members")
@requires("risk:read")
@blp.response(200, StressMembersSchema)
def list_stress_members(stress_id: str) -> dict[str, Any]:
    """The members who would pay most, and in how many draws their stake would be gone."""
    test, community = _stress(stress_id)
    session = db.session()
    rows = queries.stress_members(session, test, limit=CIRCLES_MAX)
    return {"items": [views.stress_member_view(row, who, test, community) for row, who in rows]}


@blp.route("/risk/stress-tests/<pid(str):stress_id>/members.csv")
@requires("risk:read")
@blp.response(200, _TABLE, content_type="text/csv")
def list_stress_members_table(stress_id: str) -> Response:
    """Every member whom a stress test touches, as a table."""
    test, community = _stress(stress_id)
    rows = queries.stress_members(db.session(), test, limit=None)
    return sheet("stress-members", *views.stress_members_table(rows, test, community.currency))


@blp.route("/risk/stress-tests/<pid(str):stress_id>/draws.csv")
@requires("risk:read")
@blp.response(200, _TABLE, content_type="text/csv")
def list_stress_draws_table(stress_id: str) -> Response:
    """What every draw came to, as a table."""
    test, community = _stress(stress_id)
    rows = queries.stress_draws(db.session(), test)
    return sheet("stress-draws", *views.stress_draws_table(rows, community.currency))


@blp.route("/risk/stress-tests/<pid(str):stress_id>/calls")
@requires("risk:read")
@blp.arguments(StressCallsArgs, location="query")
@blp.response(200, StressCallsSchema)
def list_stress_calls(args: dict[str, Any], stress_id: str) -> dict[str, Any]:
    """The calls that the worst draw would make, in their order."""
    test, community = _stress(stress_id)
    rows, more = queries.stress_calls(db.session(), test, after=args["after"], limit=args["limit"])
    return views.stress_calls_view(rows, more, community.currency)


@blp.route("/communities/<pid(com):community_id>/risk/concentration")
@requires("risk:read")
@limited("heavy")
@blp.arguments(ConcentrationArgs, location="query")
@blp.response(200, ConcentrationSchema)
def get_concentration(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """How much of what is lent lies in one industry, region or crop."""
    return views.concentration_view(_concentration(args, community_id))


@blp.route("/communities/<pid(com):community_id>/risk/concentration.csv")
@requires("risk:read")
@limited("heavy")
@blp.arguments(ConcentrationArgs, location="query")
@blp.response(200, _TABLE, content_type="text/csv")
def get_concentration_table(args: dict[str, Any], community_id: str) -> Response:
    """Concentration as a table."""
    return sheet("concentration", *views.concentration_table(_concentration(args, community_id)))


@blp.route("/communities/<pid(com):community_id>/risk/alarms")
@requires("risk:read")
@limited("heavy")
@blp.response(200, AlarmsSchema)
def list_alarms(community_id: str) -> dict[str, Any]:
    """Invented members, self-dealing and pyramids of deposits, as the rows are now."""
    community, found, people = _alarms(community_id)
    return {
        "on": today(),
        "items": [views.alarm_view(alarm, people, community.currency) for alarm in found],
    }


@blp.route("/communities/<pid(com):community_id>/risk/alarms.csv")
@requires("risk:read")
@limited("heavy")
@blp.response(200, _TABLE, content_type="text/csv")
def list_alarms_table(community_id: str) -> Response:
    """Alarms as a table, a line a member."""
    community, found, people = _alarms(community_id)
    return sheet("alarms", *views.alarms_table(today(), found, people, community.currency))


@blp.route("/communities/<pid(com):community_id>/risk/newcomers/<pid(mem):member_id>")
@requires("risk:read")
@blp.response(200, GateSchema)
def get_gate(community_id: str, member_id: str) -> dict[str, Any]:
    """What to point out before a member is vouched for first, or admitted; a warning only."""
    community = _permitted("risk:read", community_id)
    session = db.session()
    member = members.get_member(session, member_id)
    alarm = alarms.gate(session, community_id=community.id, member_id=member.id, on=today())
    people = {member.id: member}
    return {
        "member": {"id": member.public_id, "name": member.name},
        "alarm": None if alarm is None else views.alarm_view(alarm, people, community.currency),
    }


def _alarms(community_id: str) -> tuple[Community, list[Alarm], dict[int, Member]]:
    community = _permitted("risk:read", community_id)
    session = db.session()
    found = alarms.find_alarms(session, community_id=community.id, on=today())
    who = {member for alarm in found for member in alarm.member_ids}
    return community, found, queries.people(session, who)


def _concentration(args: dict[str, Any], community_id: str) -> ConcentrationReport:
    community = _permitted("risk:read", community_id)
    return concentration(db.session(), community=community, on=today(), by=args["by"])


def _stress(stress_id: str) -> tuple[StressTest, Community]:
    session = db.session()
    test = stress_service.get_stress(session, stress_id)
    community = communities.get_community_by_id(session, test.community_id)
    permit("risk:read", Facts(path=community.path_ids))
    return test, community


def _stress_view(test: StressTest, community: Community) -> dict[str, Any]:
    version = queries.version_of(db.session(), test.charter_id)
    return views.stress_view(test, version, community.currency)
