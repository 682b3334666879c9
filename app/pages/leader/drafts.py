"""A group's collection sheets under whatever names: opened, corrected, emptied, posted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Schema, Whole
from app.groups.facts import group_facts
from app.pages.forms import Form, answer
from app.pages.layout import page, say
from app.pages.leader.meeting_routes import pressed
from app.pages.leader.sheet import Amount, attendance_names, sheet_name
from app.pages.leader.views import led_group
from app.pages.lists import listed
from app.pages.room import Room
from app.permissions import Facts, may, permit, requires
from app.problems import PreconditionFailed
from app.receiving import views as receiving_views
from community.communities import queries as communities
from community.errors import CommunityError
from community.groups import queries as groups
from community.groups.models import Group
from community.locks import lock_one
from community.members import queries as members
from community.money import Money, format_minor
from community.monitoring import meetings
from community.receiving import collecting
from community.receiving import queries as receiving
from community.receiving.collecting import Entry
from community.receiving.models import Collection, CollectionLine, CollectionStatus


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet with its group, and what the caller may do with it."""

    row: Collection
    group: Group
    facts: Facts

    @property
    def is_own_name(self) -> bool:
        """Whether it is the sheet of its day, which has a page with everybody on it."""
        return self.row.client_id == sheet_name(self.group, self.row.collected_on)

    @property
    def may_write(self) -> bool:
        return self.row.status is CollectionStatus.DRAFT and may("collection:post", self.facts)


def add_routes(pages: Room) -> None:
    """Add them to the leader's room."""

    @pages.get("/lead/groups/<pid(grp):group_id>/sheets")
    @requires("collection:review")
    def sheets(group_id: str) -> Response:
        """A group's sheets, newest first, drafts too."""
        session = db.session()
        group, _ = led_group(session, group_id, "collection:review")
        found, older, first = listed(session, receiving.list_collections(group.id), Collection.id)
        return page(
            "leader/sheets.html",
            group=group,
            sheets=found.items,
            own_name=sheet_name,
            older=older,
            first=first,
        )

    @pages.route("/lead/sheets/<pid(col):collection_id>", methods=["GET", "POST"])
    @requires("collection:read")
    def paper(collection_id: str) -> Any:
        """A sheet as it stands: a draft to correct, empty or post; posted, a paper to print.

        A plain member sees their own lines.
        """
        session = db.session()
        found = _found(session, collection_id, "collection:read")
        if request.method == "POST":
            permit("collection:post", found.facts)
        act = pressed({"keep", "post", "empty"})
        lines = collecting.lines_of(session, found.row.id)

        def work(data: dict[str, Any]) -> str:
            unit = db.session()
            sheet = _found(unit, collection_id, "collection:post")
            _write(unit, sheet, act, data)
            if act == "empty":
                say("leader", "draft_emptied")
                return url_for("leader.sheets", group_id=sheet.group.public_id)
            say("leader", "sheet_posted" if act == "post" else "sheet_kept")
            return url_for("leader.paper", collection_id=collection_id)

        return answer(
            _schema(lines, found.row.currency),
            work,
            lambda form: _show(collection_id, form),
            start=_start(lines, found.row.currency),
        )


def _found(session: Session, collection_id: str, action: str) -> _Sheet:
    row = receiving.get_collection(session, collection_id)
    group = groups.get_group_by_id(session, row.group_id)
    facts = group_facts(session, group)
    permit(action, facts)
    return _Sheet(row, group, facts)


def _schema(lines: list[CollectionLine], currency: str) -> ma.Schema:
    fields: dict[str, Any] = {"version": Whole(1, from_text=True, required=True)}
    for line in lines:
        fields[f"line_{line.number}"] = Amount(currency)
    return Schema.from_dict(fields, name="DraftForm")()


def _start(lines: list[CollectionLine], currency: str) -> dict[str, str]:
    return {
        f"line_{line.number}": format_minor(line.amount_minor, currency)
        if line.amount_minor
        else ""
        for line in lines
    }


def _write(session: Session, sheet: _Sheet, act: str, data: dict[str, Any]) -> None:
    row = lock_one(session, Collection, sheet.row.id)
    if act == "post" and row.status is CollectionStatus.POSTED:
        # Sent twice: it is posted, and stays as it is.
        return
    if data["version"] != row.version:
        raise PreconditionFailed("Somebody else has written on this sheet; open it again.")
    lines = collecting.lines_of(session, row.id)
    entries, places = [], []
    for line in [] if act == "empty" else lines:
        typed = data[f"line_{line.number}"]
        amount = Money(0, row.currency) if typed is None else typed
        if not amount.is_positive and not (line.loan_id and (line.absent or line.note)):
            continue
        places.append(f"line_{line.number}")
        entries.append(
            Entry(
                member_id=line.member_id,
                loan_id=line.loan_id,
                amount=amount,
                payer_id=line.payer_id if amount.is_positive else None,
                absent=line.absent,
                note=line.note,
            )
        )
    try:
        row = collecting.change(
            session,
            collection=row,
            entries=entries,
            collected_on=row.collected_on,
            on=today(),
        )
        if act == "post":
            collecting.post(
                session,
                collection_id=row.id,
                on=today(),
                now=now(),
                actor_id=caller().member_id,
            )
    except CommunityError as refusal:
        number = refusal.members.get("line")
        if isinstance(number, int) and 1 <= number <= len(places):
            refusal.members["field"] = places[number - 1]
        raise


def _show(collection_id: str, form: Form) -> Response:
    session = db.session()
    # A rolled back unit of work has dropped what was read.
    sheet = _found(session, collection_id, "collection:read")
    sees_all = may("collection:review", sheet.facts)
    row = sheet.row
    view = receiving_views.collection_view(session, row, None if sees_all else caller().member_id)
    meeting = meetings.meeting_of_sheet(session, row.id)
    me = members.get_member_by_id(session, caller().member_id).public_id
    return page(
        "leader/paper.html",
        form=form,
        view=view,
        version=row.version,
        group=sheet.group,
        community=communities.get_community_by_id(session, sheet.group.community_id),
        # Receipts of others are theirs and the office's; the sheet has their numbers.
        readable={
            line["receipt"]
            for line in view["lines"]
            if line["receipt"]
            and (may("receipt:read", Facts(path=sheet.facts.path)) or me in _people_of(line))
        },
        meeting=meeting if sees_all else None,
        attendance=attendance_names(session, meeting) if sees_all and meeting else [],
        sees_all=sees_all,
        may_write=sheet.may_write,
        is_own_name=sheet.is_own_name,
    )


def _people_of(line: Mapping[str, Any]) -> set[str]:
    return {who["id"] for who in (line["member"], line["payer"]) if who is not None}
