"""The risk desk: the map, a circle, what if, who would be called."""

from flask import Response, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Nothing, answer
from app.pages.layout import page
from app.pages.riskdesk.desk_room import WATCH, pages
from app.pages.riskdesk.places import place_for
from app.pages.riskdesk.supposing import call_lines, what_if_page
from app.pages.riskdesk.views import DRAWN, NAMED, WEEKS, circle_page, map_page, promises_within
from app.pages.words import Words
from app.permissions import Facts, may, permit, requires
from app.risk.routes import circle_asked_for, read_map
from app.risk.views import map_table
from app.sheets import sheet
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.money import format_minor
from community.risk import queries, service
from community.risk.errors import RiskRunNotFound
from community.risk.what_if import CallPlan
from community.risk.what_if import call_plan as plan_calls


def _words() -> Words:
    return Words("riskdesk", language())


@pages.listed("risk_map", kinds=WATCH, place="community")
@pages.get("/desk/map")
@requires("risk:read")
@limited("heavy")
def risk_map() -> Response:
    """The guarantee network of a community: its circles drawn, and as a table."""
    place = place_for("risk:read")
    community = place.community
    facts = Facts(path=community.path_ids)
    try:
        found, _ = read_map(community.public_id, limit=DRAWN, named=NAMED)
    except RiskRunNotFound:
        return page("riskdesk/map.html", place=place, view=None, may_run=may("risk:run", facts))
    version = queries.charter_version(db.session(), found.run)
    view = map_page(found, version, community, _words())
    return page("riskdesk/map.html", place=place, view=view, may_run=may("risk:run", facts))


@pages.get("/desk/<pid(com):community_id>/map.csv")
@requires("risk:read")
@limited("heavy")
def map_csv(community_id: str) -> Response:
    """The map as a table, a line a circle."""
    found, community = read_map(community_id, limit=DRAWN)
    return sheet("risk-map", *map_table(found, community.currency))


@pages.route("/desk/<pid(com):community_id>/search", methods=["GET", "POST"])
@requires("risk:run")
@limited("heavy")
def search(community_id: str) -> AnyResponse:
    """Look for circles as the rows are now."""
    community = _permitted("risk:run", community_id)

    def work(data: dict[str, object]) -> str:
        service.find_circles(
            db.session(),
            community_id=community.id,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("riskdesk.risk_map", community=community_id)

    return answer(
        Nothing,
        work,
        lambda form: page("riskdesk/search.html", form=form, community=community),
        said=("riskdesk", "searched"),
    )


@pages.get("/desk/circles/<pid(cir):circle_id>")
@requires("risk:read")
def circle(circle_id: str) -> Response:
    """A circle: its members, why it is one, how it changed, what would help."""
    name, community = circle_asked_for(circle_id)
    view = circle_page(db.session(), name, community, today(), _words())
    return page("riskdesk/circle.html", view=view)


@pages.get("/desk/circles/<pid(cir):circle_id>/history.csv")
@requires("risk:read")
def history_csv(circle_id: str) -> Response:
    """A circle by week as a table."""
    name, community = circle_asked_for(circle_id)
    rows = queries.history_of(db.session(), name, limit=WEEKS)
    columns = ["on", "rank", "members", "borrowers", "currency", "exposure"]
    columns += ["expected_pool", "expected_members", "worst_pool", "worst_members"]
    currency = community.currency
    return sheet(
        "circle-by-week",
        columns,
        (
            [
                run.on_day.isoformat(),
                seen.rank,
                seen.size,
                seen.borrowers,
                currency,
                format_minor(seen.exposure_minor, currency),
                *(format_minor(getattr(seen, f"{name}_minor"), currency) for name in columns[6:]),
            ]
            for run, seen in rows
        ),
    )


@pages.get("/desk/circles/<pid(cir):circle_id>/members.csv")
@requires("risk:read")
def members_csv(circle_id: str) -> Response:
    """The members of a circle as a table."""
    name, community = circle_asked_for(circle_id)
    file = queries.circle_file(db.session(), name)
    currency = community.currency
    return sheet(
        "circle-members",
        ["member", "name", "currency", "owed", "guaranteed", "contingent_bps", "worst_paid"],
        (
            [
                file.people[seat.member_id].public_id,
                file.people[seat.member_id].name,
                currency,
                format_minor(seat.owed_minor, currency),
                format_minor(seat.guaranteed_minor, currency),
                seat.contingent_bps,
                format_minor(seat.worst_paid_minor, currency),
            ]
            for seat in file.members
        ),
    )


@pages.get("/desk/circles/<pid(cir):circle_id>/promises.csv")
@requires("risk:read")
def promises_csv(circle_id: str) -> Response:
    """The promises within a circle as a table, all of them."""
    name, community = circle_asked_for(circle_id)
    file = queries.circle_file(db.session(), name)
    currency = community.currency
    return sheet(
        "circle-promises",
        ["voucher", "voucher_name", "borrower", "borrower_name", "currency", "limit", "in_use"],
        (
            [
                file.people[giver].public_id,
                file.people[giver].name,
                file.people[taker].public_id,
                file.people[taker].name,
                currency,
                format_minor(int(total), currency),
                format_minor(reserved, currency),
            ]
            for giver, taker, total, reserved in promises_within(
                db.session(), file, community, today()
            )
        ),
    )


@pages.get("/desk/circles/<pid(cir):circle_id>/what-if")
@requires("risk:read")
@limited("heavy")
def what_if_form(circle_id: str) -> Response:
    """What the circle would cost with other promises, and if somebody failed."""
    name, community = circle_asked_for(circle_id)
    view = what_if_page(db.session(), name, community, today(), _words())
    shown = page("riskdesk/what_if.html", view=view)
    shown.status_code = view.form.status
    return shown


@pages.get("/desk/<pid(com):community_id>/call-plan/<pid(mem):member_id>")
@requires("risk:read")
@limited("heavy")
def call_plan(community_id: str, member_id: str) -> Response:
    """Who would be called for how much, and when, if this member stopped paying."""
    community, member, plan = _plan(community_id, member_id)
    return page(
        "riskdesk/call_plan.html",
        community=community,
        member=member,
        plan=plan,
        calls=call_lines(plan, _words()),
    )


@pages.get("/desk/<pid(com):community_id>/call-plan/<pid(mem):member_id>.csv")
@requires("risk:read")
@limited("heavy")
def call_plan_csv(community_id: str, member_id: str) -> Response:
    """A call plan as a table."""
    community, _, plan = _plan(community_id, member_id)
    currency = community.currency
    return sheet(
        "call-plan",
        ["on", "deadline_on", "guarantor", "for", "ground", "currency", "amount", "paid"],
        (
            [
                call.on.isoformat(),
                call.deadline_on.isoformat(),
                call.guarantor,
                call.for_guarantor,
                call.ground,
                currency,
                format_minor(call.amount_minor, currency),
                format_minor(call.paid_minor, currency),
            ]
            for call in call_lines(plan, _words())
        ),
    )


def _plan(community_id: str, member_id: str) -> tuple[Community, Member, CallPlan]:
    community = _permitted("risk:read", community_id)
    session = db.session()
    member = members.get_member(session, member_id)
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    plan = plan_calls(session, community=community, member_id=member.id, on=today())
    return community, member, plan


def _permitted(action: str, community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit(action, Facts(path=community.path_ids))
    return community
