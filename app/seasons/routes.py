"""The season calendar, and declared events from draft to undone."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from flask import Response

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.members.facts import member_facts
from app.paging import Page, check_etag, page_of, paginate, show_etag
from app.permissions import Facts, permit, requires
from app.products.facts import offer_facts
from app.products.schemas import SeasonSchema
from app.products.views import season_views
from app.seasons import permissions as _permissions  # noqa: F401  declares this room's actions
from app.seasons import views
from app.seasons.schemas import (
    ApplyEventSchema,
    CalendarArgs,
    CalendarSchema,
    DeclaredEventInSchema,
    DeclaredEventSchema,
    DeclaredEventSummarySchema,
    EventListArgs,
    EventLoanListArgs,
    EventLoanSchema,
    MemberCalendarArgs,
    MemberCalendarSchema,
    SeasonChangeSchema,
    UndoEventSchema,
)
from app.seasons.work import work_off
from app.transaction import in_transaction, transactional
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.products import queries as products
from community.products.models import Season
from community.seasons import calendar, queries, service
from community.seasons.calendar import CalendarLine, Dimension, PayoutLine
from community.seasons.models import DeclaredEvent, DeclaredEventLoan

blp = Blueprint("seasons", __name__, description="The season calendar and declared events")

# A request works for about so long; what is left then is done by the next one, or by the command.
REQUEST_SECONDS = 5.0


@blp.route("/seasons/<pid(sea):season_id>", methods=["PATCH"])
@requires("season:write")
@blp.arguments(SeasonChangeSchema)
@blp.response(200, SeasonSchema)
@transactional
def change_season(data: dict[str, Any], season_id: str) -> SimpleNamespace:
    """Change a season on which no loan rests yet."""
    session = db.session()
    season = products.get_season(session, season_id)
    community = communities.get_community_by_id(session, season.community_id)
    permit("season:write", offer_facts(session, community))

    def check(locked: Season) -> None:
        check_etag(locked.version)

    changed = service.change_season(
        session,
        season_id=season.id,
        changes=data,
        now=now(),
        actor_id=caller().member_id,
        check=check,
    )
    show_etag(changed.version)
    return season_views(session, [changed])[0]


@blp.route("/communities/<pid(com):community_id>/season-calendar")
@requires("season-calendar:read")
@blp.arguments(CalendarArgs, location="query")
@blp.response(200, CalendarSchema)
def get_calendar(args: dict[str, Any], community_id: str) -> SimpleNamespace:
    """What falls due and what goes out, in a community and all that nest in it."""
    community, dues, payouts = _calendar(args, community_id)
    return SimpleNamespace(
        community=community.public_id,
        dues=[views.line_view(line) for line in dues],
        payouts=[views.payout_view(line) for line in payouts],
    )


@blp.route("/communities/<pid(com):community_id>/season-calendar.csv")
@requires("season-calendar:read")
@blp.arguments(CalendarArgs, location="query")
@blp.response(200, {"type": "string"}, content_type="text/csv")
def get_calendar_sheet(args: dict[str, Any], community_id: str) -> Response:
    """The same calendar as a sheet."""
    _, dues, payouts = _calendar(args, community_id)
    return Response(views.calendar_csv(dues, payouts), mimetype="text/csv")


@blp.route("/members/<pid(mem):member_id>/calendar")
@requires("own-calendar:read")
@blp.arguments(MemberCalendarArgs, location="query")
@blp.response(200, MemberCalendarSchema)
def get_member_calendar(args: dict[str, Any], member_id: str) -> SimpleNamespace:
    """One's own dues, loan by loan, in the order of days."""
    session = db.session()
    member = members.get_member(session, member_id)
    permit("own-calendar:read", member_facts(session, member))
    dues = calendar.member_calendar(session, member_id=member.id, **args)
    return SimpleNamespace(items=[views.due_view(due) for due in dues])


@blp.route("/communities/<pid(com):community_id>/declared-events")
@requires("declared-event:read")
@blp.arguments(EventListArgs, location="query")
@blp.response(200, page_of(DeclaredEventSummarySchema))
def list_events(args: dict[str, Any], community_id: str) -> Page:
    """Events declared for a community or for what nests in it, newest first."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("declared-event:read", Facts(path=community.path_ids))
    statement = queries.list_events(community, [args["status"]] if args["status"] else ())
    page = paginate(session, statement, key=DeclaredEvent.id, args=args, newest_first=True)
    return Page(views.event_summaries(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/declared-events", methods=["POST"])
@requires("declared-event:declare")
@blp.arguments(DeclaredEventInSchema)
@blp.response(201, DeclaredEventSchema)
@transactional
def declare(data: dict[str, Any], community_id: str) -> SimpleNamespace:
    """Declare what befell a crop; nothing changes before it is previewed and applied."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("declared-event:declare", Facts(path=community.path_ids))
    effect = data.pop("effect")
    event = service.declare(
        session,
        community_id=community.id,
        effect_document=effect,
        **data,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.event_view(session, event)


@blp.route("/declared-events/<pid(dev):event_id>")
@requires("declared-event:read")
@blp.response(200, DeclaredEventSchema)
def get_event(event_id: str) -> SimpleNamespace:
    """One declared event: what it does, how far it is, who did what."""
    return views.event_view(db.session(), _permitted("declared-event:read", event_id))


@blp.route("/declared-events/<pid(dev):event_id>/loans")
@requires("declared-event:read")
@blp.arguments(EventLoanListArgs, location="query")
@blp.response(200, page_of(EventLoanSchema))
def list_event_loans(args: dict[str, Any], event_id: str) -> Page:
    """What the event does to each loan: its plan before and after, or why it is left alone."""
    session = db.session()
    event = _permitted("declared-event:read", event_id)
    statement = queries.loans_of(event.id, [args["status"]] if args["status"] else ())
    page = paginate(session, statement, key=DeclaredEventLoan.id, args=args)
    return Page([views.event_loan_view(*row) for row in page.items], page.next_cursor)


@blp.route("/declared-events/<pid(dev):event_id>/preview", methods=["POST"])
@requires("declared-event:preview")
@limited("heavy")
@blp.response(200, DeclaredEventSchema)
@transactional
def preview(event_id: str) -> SimpleNamespace:
    """Work out what the event would do to every loan; no loan changes."""
    session = db.session()
    event = _permitted("declared-event:preview", event_id)
    service.preview(session, event_id=event.id, on=today(), now=now(), actor_id=caller().member_id)
    return views.event_view(session, event)


@blp.route("/declared-events/<pid(dev):event_id>/apply", methods=["POST"])
@requires("declared-event:apply")
@limited("heavy")
@blp.arguments(ApplyEventSchema)
@blp.response(200, DeclaredEventSchema)
@blp.alt_response(202, schema=DeclaredEventSchema, description="Some loans are left: ask again.")
def apply(data: dict[str, Any], event_id: str) -> tuple[SimpleNamespace, int]:
    """Apply the event as it was previewed; 202 while loans are left, then ask again."""
    return _work("declared-event:apply", event_id, service.begin_applying, service.apply_some, data)


@blp.route("/declared-events/<pid(dev):event_id>/undo", methods=["POST"])
@requires("declared-event:undo")
@limited("heavy")
@blp.arguments(UndoEventSchema)
@blp.response(200, DeclaredEventSchema)
@blp.alt_response(202, schema=DeclaredEventSchema, description="Some loans are left: ask again.")
def undo(data: dict[str, Any], event_id: str) -> tuple[SimpleNamespace, int]:
    """Put every loan's plan back as if the event had not been; 202 while loans are left."""
    return _work("declared-event:undo", event_id, service.begin_undoing, service.undo_some, data)


def _work(
    action: str,
    event_id: str,
    begin: Callable[..., DeclaredEvent],
    portion: Callable[..., int],
    data: dict[str, Any],
) -> tuple[SimpleNamespace, int]:
    session = db.session()
    me = caller().member_id

    def first() -> int:
        event = _permitted(action, event_id)
        begin(session, event_id=event.id, on=today(), now=now(), actor_id=me, **data)
        return event.id

    row_id = in_transaction(first)
    deadline = time.monotonic() + REQUEST_SECONDS
    left = work_off(
        session,
        portion,
        event_id=row_id,
        actor_id=me,
        enough=lambda: time.monotonic() > deadline,
    )
    view = views.event_view(session, queries.get_event(session, event_id))
    return view, 202 if left else 200


def _permitted(action: str, event_id: str) -> DeclaredEvent:
    session = db.session()
    event = queries.get_event(session, event_id)
    community = communities.get_community_by_id(session, event.community_id)
    permit(action, Facts(path=community.path_ids))
    return event


def _calendar(
    args: dict[str, Any], community_id: str
) -> tuple[Community, list[CalendarLine], list[PayoutLine]]:
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("season-calendar:read", Facts(path=community.path_ids))
    product = args["product"]
    asked = {
        "community": community,
        "from_on": args["from_on"],
        "until_on": args["until_on"],
        "crop": args["crop"],
        "product_id": products.get_product(session, product).id if product else None,
    }
    by = [Dimension(name) for name in args["by"].split(",")]
    dues = calendar.dues_calendar(session, **asked, by=by, step=args["step"])
    return community, dues, calendar.payout_calendar(session, **asked)
