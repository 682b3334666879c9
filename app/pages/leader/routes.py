"""A leader's pages: the group at a glance, the meeting sheet, meetings and votes."""

from datetime import date
from typing import Any

import marshmallow as ma
from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.fields import Day, Schema
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, answer, read_query
from app.pages.layout import page, say
from app.pages.leader import drafts, meeting_routes, sheet
from app.pages.leader.views import group_page, led_group, led_groups
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import Facts, may, permit, requires
from app.profiles.facts import opens_profiles_of
from app.receiving import views as receiving_views
from community.communities import queries as communities
from community.groups import queries as groups
from community.groups.models import Group
from community.importing.sheets import write_sheet
from community.money import format_minor
from community.receiving.models import CollectionStatus

pages = Room("leader", __name__)
meeting_routes.add_routes(pages)
drafts.add_routes(pages)

_GROUP = "/lead/groups/<pid(grp):group_id>"


class SheetArgs(Schema):
    """Of which day the sheet is, and whether it begins with everything paid."""

    on = Day(load_default=None)
    fill = ma.fields.Boolean(load_default=False)


@pages.listed("my_groups")
@pages.get("/lead")
@requires("group:list_mine")
@limited("heavy")
def home() -> Response:
    """The group that the caller leads; if there are several, all of them."""
    permit("group:list_mine", Facts(owner_ids=frozenset({caller().member_id})))
    session = db.session()
    led = led_groups(session)
    if len(led) == 1:
        group, facts = led_group(session, led[0].public_id, "collection:review")
        return _glance(session, group, facts)
    return page("leader/groups.html", groups=led)


@pages.get(_GROUP)
@requires("collection:review")
@limited("heavy")
def group(group_id: str) -> Response:
    """A group at a glance: who is in it, what each has to pay, when they meet."""
    session = db.session()
    found, facts = led_group(session, group_id, "collection:review")
    return _glance(session, found, facts)


@pages.route(_GROUP + "/sheet", methods=["GET", "POST"])
@requires("collection:review")
@limited("heavy")
def meeting_sheet(group_id: str) -> Any:
    """The sheet of a meeting: who came, who paid what; kept as a draft, posted once."""
    session = db.session()
    found, facts = led_group(session, group_id, "collection:review")
    if request.method == "POST":
        permit("collection:post", facts)
    _, asked = read_query(SheetArgs())
    on: date = asked.get("on") or today()
    draft = sheet.read_draft(session, found, on)
    if draft.is_posted and request.method == "GET":
        assert draft.collection is not None
        return redirect(url_for("leader.paper", collection_id=draft.collection.public_id), 303)

    def work(data: dict[str, Any]) -> str:
        # The unit of work reads anew: what was read before it may be old.
        group, _ = led_group(db.session(), group_id, "collection:post")
        kept = sheet.write(db.session(), group, on, data)
        if kept is not None and kept.status is CollectionStatus.POSTED:
            say("leader", "sheet_posted")
            return url_for("leader.paper", collection_id=kept.public_id)
        say("leader", "sheet_kept")
        return url_for("leader.meeting_sheet", group_id=group_id, on=on.isoformat())

    def show(form: Form) -> Response:
        community = communities.get_community_by_id(session, found.community_id)
        # A rolled back unit of work has dropped what was read.
        fresh = sheet.read_draft(session, groups.get_group(session, group_id), on)
        return page(
            "leader/sheet.html",
            form=form,
            draft=fresh,
            group=found,
            on=on,
            community=community,
            may_write=may("collection:post", facts),
            plain=format_minor,
            exponent=sheet.decimals(fresh.sheet.currency),
        )

    start = sheet.filled_in(session, draft, fill=asked.get("fill", False))
    return answer(sheet.schema_of(draft), work, show, start=start)


@pages.get(_GROUP + "/sheet.csv")
@requires("collection:review")
@limited("heavy")
def sheet_csv(group_id: str) -> Response:
    """The sheet as a file, to be filled in without a connection."""
    session = db.session()
    found, _ = led_group(session, group_id, "collection:review")
    _, asked = read_query(SheetArgs())
    draft = sheet.read_draft(session, found, asked.get("on") or today())
    text = write_sheet(receiving_views.sheet_rows(draft.sheet))
    response = Response(text, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{draft.name}.csv"'
    return response


def _glance(session: Session, group: Group, facts: Facts) -> Response:
    return page(
        "leader/group.html",
        view=group_page(session, group, facts),
        desk=Words("riskdesk", language()),
        opens=opens_profiles_of(group, facts),
    )
