"""What members ask for: feedback grouped into themes, put to the vote, decided, and brought."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth import acting, caller
from app.clock import today
from app.extensions import db
from app.feedback import views
from app.feedback.facts import item_facts, theme_facts
from app.feedback.schemas import (
    FeedbackListArgs,
    HideSchema,
    PollInSchema,
    ShipmentSchema,
    ThemeInSchema,
    ThemeListArgs,
    ThemeMergeSchema,
)
from app.fields import PublicId, Schema, Text
from app.pages.forms import Form, answer, read_query
from app.pages.lists import listed
from app.pages.office.room import can, enter, pages, show
from app.permissions import may, permit, requires
from community.communities import queries as communities
from community.communities.models import Community
from community.feedback import items as item_service
from community.feedback import queries, subjects
from community.feedback import themes as service
from community.feedback.errors import FeedbackNotFound, SubjectNotFound, ThemeNotFound, ThemeNotOpen
from community.feedback.models import (
    FeedbackItem,
    ItemKind,
    PollStatus,
    SubjectKind,
    Theme,
    ThemeStatus,
)
from community.products.models import ProductVersion

_ITEMS_SHOWN = 10
_THEMES_OFFERED = 50
_VERSIONS_OFFERED = 10


class Place(Schema):
    """Into which theme, and what goes along; or out of the one that it is in."""

    theme = PublicId("thm", load_default=None)
    also = ma.fields.List(
        PublicId("fbk"),
        load_default=list,
        validate=ma.validate.Length(max=item_service.ALIKE_MAX),
    )
    out = ma.fields.Boolean(load_default=False)

    @ma.validates_schema
    def _one_or_the_other(self, data: dict[str, Any], **_: Any) -> None:
        if (data["theme"] is None) != data["out"]:
            raise ma.ValidationError("Missing data for required field.", "theme")


class NewTheme(ThemeInSchema):
    """A theme, and the item that it begins with."""

    item = PublicId("fbk", load_default=None)


class Decision(Schema):
    """What was decided, and why; neither answer is chosen beforehand."""

    accepted = ma.fields.String(required=True, validate=ma.validate.OneOf(["yes", "no"]))
    reason = Text(500, lines=True, required=True)


def gathering(session: Session, community: Community) -> Sequence[Theme]:
    """The newest themes that an item can be put into."""
    query = service.list_gathering(community.id).order_by(Theme.id.desc())
    return session.scalars(query.limit(_THEMES_OFFERED)).all()


@pages.listed("themes")
@pages.get("/office/<pid(com):community_id>/themes")
@requires("theme:read")
def themes(community_id: str) -> Response:
    """What members ask for and what became of it, newest first; what waits to be grouped."""
    community = enter(community_id, "theme:read")
    session = db.session()
    _, args = read_query(ThemeListArgs())
    status = args.get("status")
    asked = {} if status is None else {"status": status.value}
    found, older, first = listed(
        session, service.list_themes(community.id, status), Theme.id, **asked
    )
    files = queries.theme_files(session, found.items, today())
    return show(
        "themes",
        community,
        state=status,
        statuses=list(ThemeStatus),
        themes=[views.theme_view(known) for known in files],
        ungrouped=count_ungrouped(session, community),
        may_write=can(community, "theme:write"),
        older=older,
        first=first,
    )


def count_ungrouped(session: Session, community: Community) -> int:
    """How many items wait to be put into a theme."""
    waiting = item_service.list_items(community.id, ungrouped=True).subquery()
    return session.scalar(select(func.count()).select_from(waiting)) or 0


@pages.route("/office/<pid(com):community_id>/themes/new", methods=["GET", "POST"])
@requires("theme:write")
def new_theme(community_id: str) -> Any:
    """Begin a theme, with the item that it was begun from if there is one."""
    community = enter(community_id, "theme:write")

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        place = enter(community_id, "theme:write")
        item = None if data["item"] is None else _item(place, data["item"], "feedback-item:place")
        made = service.create(
            session,
            community_id=place.id,
            title=data["title"],
            summary=data["summary"],
            **acting(),
        )
        if item is not None:
            _put(session, [item], made)
        return _theme_url(community_id, made.public_id)

    def again(form: Form) -> Response:
        named = form.value("item", request.args.get("item", ""))
        begun_with = None
        if named:
            item = _item(community, named, "feedback-item:place")
            [begun_with] = views.item_views(db.session(), [item], community.path_ids)
        return show("theme_new", community, form=form, item=begun_with)

    return answer(NewTheme, work, again, said=("office", "theme_begun"))


@pages.get("/office/<pid(com):community_id>/themes/<pid(thm):theme_id>")
@requires("theme:read")
def theme(community_id: str, theme_id: str) -> Response:
    """One theme: who asks, the votes, the decision, and what can be done next."""
    return _theme_page(*_own(community_id, theme_id), Form())


@pages.post("/office/<pid(com):community_id>/themes/<pid(thm):theme_id>/polls")
@requires("theme:write")
def put_to_vote(community_id: str, theme_id: str) -> Any:
    """Put the theme to the vote of the community's members."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, theme_id, "theme:write")[1]
        service.put_to_vote(db.session(), theme_id=found.id, **data, **acting())
        return _theme_url(community_id, theme_id)

    return _answered(
        PollInSchema, work, community_id, theme_id, said=("office", "theme_put_to_vote")
    )


@pages.post("/office/<pid(com):community_id>/themes/<pid(thm):theme_id>/decision")
@requires("theme:write")
def decide_theme(community_id: str, theme_id: str) -> Any:
    """Accept what a vote has carried, or decline; whoever asked is told why."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, theme_id, "theme:write")[1]
        service.decide(
            db.session(),
            theme_id=found.id,
            accepted=data["accepted"] == "yes",
            reason=data["reason"],
            **acting(),
        )
        return _theme_url(community_id, theme_id)

    return _answered(Decision, work, community_id, theme_id, said=("office", "theme_decided"))


@pages.post("/office/<pid(com):community_id>/themes/<pid(thm):theme_id>/merging")
@requires("theme:write")
def merge_theme(community_id: str, theme_id: str) -> Any:
    """Put all of it into another theme, which stands for both from here on."""

    def work(data: dict[str, Any]) -> str:
        found = _own(community_id, theme_id, "theme:write")[1]
        into = _own(community_id, data["into"], "theme:write")[1]
        service.merge(db.session(), theme_id=found.id, into=into, **acting())
        return _theme_url(community_id, data["into"])

    return _answered(
        ThemeMergeSchema, work, community_id, theme_id, said=("office", "theme_merged")
    )


@pages.post("/office/<pid(com):community_id>/themes/<pid(thm):theme_id>/shipment")
@requires("theme:write")
def ship_theme(community_id: str, theme_id: str) -> Any:
    """State which product version brought it; whoever asked is told."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = _own(community_id, theme_id, "theme:write")[1]
        version = subjects.find_thing(
            session, SubjectKind.PRODUCT, data["product"], on=today(), version=data["version"]
        )
        if not isinstance(version, ProductVersion):
            raise SubjectNotFound()
        service.ship(session, theme_id=found.id, version=version, **acting())
        return _theme_url(community_id, theme_id)

    return _answered(ShipmentSchema, work, community_id, theme_id, said=("office", "theme_brought"))


@pages.get("/office/<pid(com):community_id>/feedback")
@requires("feedback-item:list")
def feedback(community_id: str) -> Response:
    """What members said: what waits to be grouped, everything, or what is in one theme."""
    community = enter(community_id, "feedback-item:list")
    session = db.session()
    _, args = read_query(FeedbackListArgs())
    ungrouped = args.get("ungrouped", False)
    inside = None
    asked: dict[str, Any] = {"ungrouped": "true"} if ungrouped else {}
    if args.get("theme"):
        inside = _own(community_id, args["theme"])[1]
        asked["theme"] = inside.public_id
    query = item_service.list_items(
        community.id, ungrouped=ungrouped, theme_id=None if inside is None else inside.id
    )
    found, older, first = listed(session, query, FeedbackItem.id, **asked)
    return show(
        "feedback",
        community,
        ungrouped=ungrouped,
        inside=inside,
        items=views.item_views(session, found.items, community.path_ids),
        titles=_titles(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/office/<pid(com):community_id>/feedback/<pid(fbk):item_id>")
@requires("feedback-item:read")
def feedback_item(community_id: str, item_id: str) -> Response:
    """One thing that a member said: where it belongs, and what is like it."""
    community = enter(community_id)
    return _item_page(community, _item(community, item_id), Form())


@pages.post("/office/<pid(com):community_id>/feedback/<pid(fbk):item_id>/theme")
@requires("feedback-item:place")
def place_item(community_id: str, item_id: str) -> Any:
    """Put an item into a theme, and those like it that were ticked; or take it out."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        community = enter(community_id)
        item = _item(community, item_id, "feedback-item:place")
        also = [_item(community, one, "feedback-item:place") for one in data["also"]]
        if data["theme"] is None:
            _put(session, [item], None)
            return url_for("office.feedback_item", community_id=community_id, item_id=item_id)
        into = _own(community_id, data["theme"], "theme:write")[1]
        if any(one.theme_id is not None for one in also):
            raise ThemeNotOpen("Somebody else has just moved an item; look at it again.")
        _put(session, [item, *also], into)
        return _theme_url(community_id, into.public_id)

    return answer(Place, work, _item_again(community_id, item_id), said=("office", "item_placed"))


@pages.post("/office/<pid(com):community_id>/feedback/<pid(fbk):item_id>/hiding")
@requires("feedback-item:hide")
def hide_item(community_id: str, item_id: str) -> Any:
    """Hide a text, for a reason; its author and the auditors read it still."""

    def work(data: dict[str, Any]) -> str:
        item = _item(enter(community_id), item_id, "feedback-item:hide")
        item_service.hide(db.session(), item_id=item.id, reason=data["reason"], **acting())
        return url_for("office.feedback_item", community_id=community_id, item_id=item_id)

    return answer(
        HideSchema,
        work,
        _item_again(community_id, item_id, "feedback-item:hide"),
        said=("office", "item_hidden"),
    )


def _put(session: Session, found: Sequence[FeedbackItem], into: Theme | None) -> None:
    # The first one may leave another theme, so that both are locked; the others are in none.
    first, *others = found
    for item in [first, *sorted(set(others) - {first}, key=lambda row: row.id)]:
        service.place(session, item_id=item.id, theme=into, on=today(), actor_id=caller().member_id)


def _own(community_id: str, theme_id: str, action: str = "theme:read") -> tuple[Community, Theme]:
    community = enter(community_id)
    found = service.get_theme(db.session(), theme_id)
    if found.community_id != community.id:
        raise ThemeNotFound()
    permit(action, theme_facts(db.session(), found))
    return community, found


def _item(community: Community, item_id: str, action: str = "feedback-item:read") -> FeedbackItem:
    found = item_service.get_item(db.session(), item_id)
    if found.community_id != community.id:
        raise FeedbackNotFound()
    permit(action, item_facts(db.session(), found))
    return found


def _theme_url(community_id: str, theme_id: str) -> str:
    return url_for("office.theme", community_id=community_id, theme_id=theme_id)


def _answered(
    schema: type[Schema], work: Any, community_id: str, theme_id: str, *, said: tuple[str, str]
) -> Any:
    def again(form: Form) -> Response:
        return _theme_page(*_own(community_id, theme_id, "theme:write"), form)

    return answer(schema, work, again, said=said)


def _item_again(community_id: str, item_id: str, action: str = "feedback-item:place") -> Any:
    def again(form: Form) -> Response:
        community = enter(community_id)
        return _item_page(community, _item(community, item_id, action), form)

    return again


def _titles(session: Session, found: Sequence[FeedbackItem]) -> dict[str, str]:
    """The titles of the themes that items are in, by public id; one statement."""
    ids = {item.theme_id for item in found if item.theme_id is not None}
    rows = session.execute(select(Theme.public_id, Theme.title).where(Theme.id.in_(ids)))
    return dict(rows.all())


def _theme_page(community: Community, found: Theme, form: Form) -> Response:
    session = db.session()
    on = today()
    [known] = queries.theme_files(session, [found], on)
    last = known.polls[-1] if known.polls else None
    is_over = last is not None and last.status is PollStatus.OPEN and last.closes_on < on
    inside = item_service.list_items(community.id, theme_id=found.id)
    rows = session.scalars(inside.order_by(FeedbackItem.id.desc()).limit(_ITEMS_SHOWN)).all()
    counts = dict(
        session.execute(
            select(FeedbackItem.kind, func.count())
            .where(FeedbackItem.theme_id == found.id)
            .group_by(FeedbackItem.kind)
        ).all()
    )
    complaints = counts.pop(ItemKind.COMPLAINT, 0)
    writes = can(community, "theme:write")
    is_open = found.status is ThemeStatus.OPEN
    rules = communities.charter_on(session, community.id, on).rules
    others = [one for one in gathering(session, community) if one.status is ThemeStatus.OPEN]
    brings = found.status is ThemeStatus.ACCEPTED and writes
    return show(
        "theme",
        community,
        form=form,
        theme=views.theme_view(known),
        into=known.merged_into,
        merged=known.merged,
        items=views.item_views(session, rows, community.path_ids),
        items_count=sum(counts.values()),
        complaints=complaints,
        rules=rules,
        first_day=on,
        last_day=on + timedelta(days=rules.theme_poll_days_min - 1),
        may_vote_on=writes and is_open,
        may_decide=writes and (is_open or found.status is ThemeStatus.VOTED or is_over),
        may_accept=is_over or (last is not None and last.status is PollStatus.CARRIED),
        others=[one for one in others if one.id != found.id] if writes and is_open else [],
        may_ship=brings,
        versions=(
            service.versions_naming(session, found, most=_VERSIONS_OFFERED) if brings else []
        ),
    )


def _item_page(community: Community, found: FeedbackItem, form: Form) -> Response:
    session = db.session()
    facts = item_facts(session, found)
    permit("feedback-item:read", facts)
    is_hidden = found.hidden_on is not None
    is_settled = not service.takes_items(session, found.theme_id)
    may_place = may("feedback-item:place", facts) and not is_hidden and not is_settled
    alike = item_service.find_alike(session, found, today()) if may_place else []
    [shown] = views.item_views(session, [found], community.path_ids)
    return show(
        "feedback_item",
        community,
        form=form,
        item=shown,
        titles=_titles(session, [found, *(row for row, _ in alike)]),
        placements=service.placements_of(session, found.id),
        alike=list(
            zip(
                views.item_views(session, [row for row, _ in alike], community.path_ids),
                [score for _, score in alike],
                strict=True,
            )
        ),
        is_settled=is_settled,
        may_place=may_place,
        themes=gathering(session, community) if may_place else [],
        may_begin=may_place and can(community, "theme:write"),
        may_hide=not is_hidden and may("feedback-item:hide", facts),
    )
