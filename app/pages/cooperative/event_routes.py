"""What befell a crop: declared, previewed, applied with a reason, and taken back."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for

from app.auth import acting, caller
from app.clock import today
from app.extensions import db
from app.fields import Day, Schema, Text, Whole
from app.marks import limited
from app.pages.charts import Picture, bars, csv_answer
from app.pages.cooperative.views import crops_of
from app.pages.entry import language
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import money_text, page, say
from app.pages.lists import listed
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import Facts, may, permit, requires
from app.seasons.routes import REQUEST_SECONDS
from app.seasons.schemas import ApplyEventSchema, UndoEventSchema
from app.seasons.views import event_loan_view, event_summaries, event_view
from app.seasons.work import work_off
from community.arithmetic.events import FrozenInterest
from community.arithmetic.terms import PeriodUnit
from community.communities import queries as communities
from community.communities.models import Community
from community.errors import CommunityError, Invalid
from community.money import format_minor
from community.seasons import queries, service
from community.seasons.effects import DAYS_MAX, PARTS_MAX
from community.seasons.models import DeclaredEvent, DeclaredEventLoan, EventKind, EventStatus

_PLACE = "/cooperative/<pid(com):community_id>"
_EVENT = "/cooperative/events/<pid(dev):event_id>"
# So many months are drawn; the table and the file have all.
MONTHS_DRAWN = 12
# Which fields of the form an effect of each kind has.
_OF_KIND = {
    "move": ("days",),
    "split": ("parts", "step_unit", "step_length"),
    "freeze": ("until",),
}
_BEGIN: dict[str, Callable[..., Any]] = {
    "preview": service.preview,
    "apply": service.begin_applying,
    "undo": service.begin_undoing,
}


class EventForm(Schema):
    """What happened, and what it does to dues: the API's effect with its fields side by side."""

    kind = ma.fields.Enum(EventKind, by_value=ma.fields.String, required=True)
    crop = Text(120, load_default=None)
    happened_on = Day(required=True)
    dues_from = Day(required=True)
    dues_until = Day(required=True)
    effect = ma.fields.String(required=True, validate=ma.validate.OneOf(sorted(_OF_KIND)))
    interest = ma.fields.Enum(FrozenInterest, by_value=ma.fields.String, required=True)
    days = Whole(1, DAYS_MAX)
    parts = Whole(2, PARTS_MAX)
    step_unit = ma.fields.Enum(PeriodUnit, by_value=ma.fields.String)
    step_length = Whole(1, DAYS_MAX)
    until = Day()
    reason = Text(500, lines=True, required=True)

    @ma.validates_schema(skip_on_field_errors=False)
    def _has_what_it_needs(self, data: dict[str, Any], **_: Any) -> None:
        missing = [name for name in _OF_KIND.get(data.get("effect", ""), ()) if name not in data]
        if missing:
            raise ma.ValidationError(
                {name: ["Missing data for required field."] for name in missing}
            )


def effect_of(data: dict[str, Any]) -> dict[str, Any]:
    """Take the effect's fields out of the form's data, as the document that the service reads."""
    document: dict[str, Any] = {"kind": data.pop("effect"), "interest": data.pop("interest").value}
    for kind, names in _OF_KIND.items():
        for name in names:
            value = data.pop(name, None)
            if kind == document["kind"]:
                plain = value.isoformat() if name == "until" and value else value
                document[name] = getattr(plain, "value", plain)
    return document


def add_routes(pages: Room) -> None:
    """Add them to the cooperative's room."""

    @pages.get(_PLACE + "/events")
    @requires("declared-event:read")
    def events(community_id: str) -> Response:
        """Events declared for a community or for what nests in it, newest first."""
        session = db.session()
        community, facts = _community(community_id, "declared-event:read")
        found, older, first = listed(session, queries.list_events(community, ()), DeclaredEvent.id)
        return page(
            "cooperative/events.html",
            community=community,
            events=event_summaries(session, found.items),
            older=older,
            first=first,
            may_declare=may("declared-event:declare", facts),
        )

    @pages.route(_PLACE + "/events/new", methods=["GET", "POST"])
    @requires("declared-event:declare")
    def declare(community_id: str) -> Any:
        """Declare what befell a crop; nothing changes before it is previewed and applied."""
        community, _ = _community(community_id, "declared-event:declare")

        def work(data: dict[str, Any]) -> str:
            row, _ = _community(community_id, "declared-event:declare")
            effect = effect_of(data)
            step = acting()
            try:
                event = service.declare(
                    db.session(), community_id=row.id, effect_document=effect, **data, **step
                )
                service.preview(db.session(), event_id=event.id, **step)
            except CommunityError as refusal:
                if refusal.code == "deferral-too-long":
                    refusal.members["field"] = _OF_KIND[effect["kind"]][0]
                raise
            return url_for("cooperative.event", event_id=event.public_id)

        def show(form: Form) -> Response:
            known = crops_of(db.session(), communities.get_community(db.session(), community_id))
            return page("cooperative/declare.html", form=form, community=community, crops=known)

        start = {
            "kind": EventKind.FLOOD.value,
            "happened_on": today().isoformat(),
            "dues_from": today().isoformat(),
            "effect": "move",
            "interest": FrozenInterest.WAIVED.value,
            "step_unit": PeriodUnit.MONTH.value,
        }
        return answer(EventForm, work, show, start=start, said=("cooperative", "declared"))

    @pages.route(_EVENT, methods=["GET", "POST"])
    @requires("declared-event:read")
    @limited("heavy")
    def event(event_id: str) -> Any:
        """One declared event: what it does to which loans; preview, apply, undo."""
        row, facts = _event(event_id, "declared-event:read")
        here = url_for("cooperative.event", event_id=event_id)
        act = request.form.get("act", "") if request.method == "POST" else ""

        def show(form: Form) -> Response:
            return _event_page(event_id, form, facts)

        if not act:
            return show(Form())
        if act not in ("preview", "apply", "undo"):
            raise Invalid("There is no such button on this page.", field="act")
        permit(f"declared-event:{act}", facts)
        step = acting()

        def work(data: dict[str, Any]) -> str:
            found, _ = _event(event_id, f"declared-event:{act}")
            _BEGIN[act](db.session(), event_id=found.id, **data, **step)
            return here

        schema = {"preview": Nothing, "apply": ApplyEventSchema, "undo": UndoEventSchema}[act]
        answered = answer(schema, work, show)
        if answered.status_code != 303:
            return answered
        if act == "preview":
            say("cooperative", "previewed")
            return answered
        # Portions of loans, each committed; what is left the same button goes on with.
        deadline = time.monotonic() + REQUEST_SECONDS
        left = work_off(
            db.session(),
            service.apply_some if act == "apply" else service.undo_some,
            event_id=row.id,
            actor_id=caller().member_id,
            enough=lambda: time.monotonic() > deadline,
        )
        if left:
            say("cooperative", "some_left", loans=left)
        elif act == "apply":
            say("cooperative", "applied")
        else:
            say("cooperative", "undone")
        return answered

    @pages.get(_EVENT + "/dues.csv")
    @requires("declared-event:read")
    def event_csv(event_id: str) -> Response:
        """The unpaid dues by month before and after, as a file."""
        row, _ = _event(event_id, "declared-event:read")
        words = Words("cooperative", language())
        view = event_view(db.session(), row)
        return csv_answer(_months(words, view.preview or {"months": []}, ""), "event-dues")


def _community(public_id: str, action: str) -> tuple[Community, Facts]:
    community = communities.get_community(db.session(), public_id)
    facts = Facts(path=community.path_ids)
    permit(action, facts)
    return community, facts


def _event(public_id: str, action: str) -> tuple[DeclaredEvent, Facts]:
    row = queries.get_event(db.session(), public_id)
    community = communities.get_community_by_id(db.session(), row.community_id)
    facts = Facts(path=community.path_ids)
    permit(action, facts)
    return row, facts


def _event_page(public_id: str, form: Form, facts: Facts) -> Response:
    session = db.session()
    row = queries.get_event(session, public_id)
    found, older, first = listed(
        session,
        queries.loans_of(row.id),
        DeclaredEventLoan.id,
        newest_first=False,
    )
    view = event_view(session, row)
    words = Words("cooperative", language())
    chart = None
    if view.preview is not None and view.preview["months"]:
        chart = _months(words, view.preview, url_for("cooperative.event_csv", event_id=public_id))
    return page(
        "cooperative/event.html",
        form=form,
        view=view,
        community=communities.get_community_by_id(session, row.community_id),
        loans=[
            (borrower.name, loan.purpose, event_loan_view(record, loan, borrower))
            for record, loan, borrower in found.items
        ],
        older=older,
        first=first,
        chart=chart,
        may_apply=may("declared-event:apply", facts),
        can_apply=row.status in (EventStatus.PREVIEWED, EventStatus.APPLYING),
        can_preview=row.status in (EventStatus.DRAFT, EventStatus.PREVIEWED),
        can_undo=row.status in (EventStatus.APPLIED, EventStatus.UNDOING),
    )


def _months(words: Words, preview: dict[str, Any], csv_url: str) -> Picture:
    """What is unpaid in each month, before and after the event; the first months are drawn."""
    here = words.language
    months = preview["months"]
    drawn = []
    for line in months[:MONTHS_DRAWN]:
        for key, name in (("before_minor", words("before")), ("after_minor", words("after"))):
            amount = float(format_minor(line[key], line["currency"]))
            drawn.append((f"{line['month']} {name}", amount))
    chart = bars(
        words("dues_by_month"),
        drawn,
        columns=(words("month_of_year"), words("after")),
        caption=words("dues_by_month_help"),
    )
    return replace(
        chart,
        columns=((words("month_of_year"), ""), (words("before"), "n"), (words("after"), "n")),
        rows=tuple(
            (
                line["month"],
                money_text(here, line["before_minor"], line["currency"]),
                money_text(here, line["after_minor"], line["currency"]),
            )
            for line in months
        ),
        sheet_rows=tuple(
            (
                line["month"],
                format_minor(line["before_minor"], line["currency"]),
                format_minor(line["after_minor"], line["currency"]),
            )
            for line in months
        ),
        csv_url=csv_url,
    )
