"""The season calendar and declared events as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole
from app.paging import PageArgs
from app.products.schemas import CashFlowSchema, SellingWindowSchema, TrancheSchema
from community.arithmetic.events import FrozenInterest
from community.products.terms import PeriodUnit
from community.seasons.calendar import Dimension, Step
from community.seasons.effects import DAYS_MAX, PARTS_MAX
from community.seasons.models import EventKind, EventLoanStatus, EventStatus

# A longer calendar than a crop and the one after it have is not planned by.
CALENDAR_DAYS_MAX = 1100


class SeasonChangeSchema(Schema):
    """What is to be different about a season; what is left out stays."""

    crop = Text(120)
    year_label = Text(20, empty=True)
    sow_from = Day()
    sow_until = Day()
    harvest_from = Day()
    harvest_until = Day(allow_none=True)
    selling = ma.fields.List(
        ma.fields.Nested(SellingWindowSchema), validate=ma.validate.Length(min=1, max=60)
    )
    tranches = ma.fields.List(ma.fields.Nested(TrancheSchema), validate=ma.validate.Length(max=12))
    cash_flow = ma.fields.List(ma.fields.Nested(CashFlowSchema), validate=ma.validate.Length(max=4))
    notes = Text(500, lines=True, empty=True)
    source = Text(500, empty=True)

    @ma.validates_schema
    def _something(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ma.ValidationError("Say what is to be different.")


class _DaysArgs(Schema):
    """From one day to another, both counted."""

    from_on = Day(required=True, data_key="from")
    until_on = Day(required=True, data_key="until")

    @ma.validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if not 0 <= (data["until_on"] - data["from_on"]).days <= CALENDAR_DAYS_MAX:
            raise ma.ValidationError(
                f"It ends on the day it begins or later, after at most {CALENDAR_DAYS_MAX} days.",
                "until",
            )


class MemberCalendarArgs(_DaysArgs):
    """Which days of one's own calendar."""


class CalendarArgs(_DaysArgs):
    """Which days, apart by what, and of what."""

    by = ma.fields.String(
        load_default=Dimension.CROP.value,
        validate=ma.validate.Regexp("^(crop|region|product)(,(crop|region|product))*$"),
        metadata={"description": "crop, region and product, separated by commas."},
    )
    step = ma.fields.Enum(Step, by_value=ma.fields.String, load_default=Step.MONTH)
    crop = Text(120, load_default=None)
    product = PublicId("prd", load_default=None)


class CalendarLineSchema(Schema):
    """The dues of one crop, place and product in one piece of time."""

    crop = ma.fields.String(required=True, allow_none=True)
    region = ma.fields.String(required=True, allow_none=True)
    product = ma.fields.String(required=True, allow_none=True)
    from_on = Day(
        required=True, allow_none=True, metadata={"description": "Of the month or the week."}
    )
    window = ma.fields.String(required=True, allow_none=True)
    loans = Whole(required=True)
    members = Whole(required=True)
    principal = Money(minor="principal_minor", zero=True, required=True)
    interest = Money(minor="interest_minor", zero=True, required=True)
    fee = Money(minor="fee_minor", zero=True, required=True)
    penalty = Money(minor="penalty_minor", zero=True, required=True)
    paid = Money(minor="paid_minor", zero=True, required=True)
    due = Money(minor="due_minor", zero=True, required=True)


class PayoutLineSchema(Schema):
    """What is to go out on one day to loans of one season."""

    season = ma.fields.String(required=True)
    crop = ma.fields.String(required=True)
    pay_on = Day(required=True)
    loans = Whole(required=True)
    amount = Money(minor="amount_minor", required=True)


class CalendarSchema(Schema):
    """What falls due in a community and all that nest in it, and what is to be paid out."""

    community = ma.fields.String(required=True)
    dues = ma.fields.List(ma.fields.Nested(CalendarLineSchema), required=True)
    payouts = ma.fields.List(ma.fields.Nested(PayoutLineSchema), required=True)


class MemberDueSchema(Schema):
    """One due of one of the member's own loans."""

    loan = ma.fields.String(required=True)
    crop = ma.fields.String(required=True, allow_none=True)
    due_on = Day(required=True)
    principal = Money(minor="principal_minor", zero=True, required=True)
    interest = Money(minor="interest_minor", zero=True, required=True)
    fee = Money(minor="fee_minor", zero=True, required=True)
    penalty = Money(minor="penalty_minor", zero=True, required=True)
    paid = Money(minor="paid_minor", zero=True, required=True)
    due = Money(minor="due_minor", zero=True, required=True)


class MemberCalendarSchema(Schema):
    """A member's own dues, in the order of days."""

    items = ma.fields.List(ma.fields.Nested(MemberDueSchema), required=True)


class EffectSchema(Schema):
    """What the event does to dues: move (`days`), split (`parts`, `step_…`), freeze (`until`)."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["move", "split", "freeze"]))
    interest = ma.fields.Enum(
        FrozenInterest,
        by_value=ma.fields.String,
        required=True,
        metadata={"description": "Whether the longer time costs interest: see docs/seasons.md."},
    )
    days = Whole(1, DAYS_MAX)
    parts = Whole(2, PARTS_MAX)
    step_unit = ma.fields.Enum(PeriodUnit, by_value=ma.fields.String)
    step_length = Whole(1, DAYS_MAX)
    until = Day()


class DeclaredEventInSchema(Schema):
    """What happened to a crop, and what it does to the dues of a window of days."""

    kind = ma.fields.Enum(EventKind, by_value=ma.fields.String, required=True)
    crop = Text(
        120,
        load_default=None,
        allow_none=True,
        metadata={"description": "Left out: every crop that a loan follows."},
    )
    happened_on = Day(required=True)
    dues_from = Day(required=True)
    dues_until = Day(required=True)
    effect = ma.fields.Nested(EffectSchema, required=True)
    reason = Text(500, lines=True, required=True)


class ApplyEventSchema(Schema):
    """Why it is applied, where that is written down."""

    reason = Text(500, lines=True, load_default="")


class UndoEventSchema(Schema):
    """Why it is taken back."""

    reason = Text(500, lines=True, required=True)


class EventRefusalSchema(Schema):
    """How many loans are left alone, by reason."""

    reason = ma.fields.String(required=True)
    loans = Whole(required=True)


class EventMonthSchema(Schema):
    """What is unpaid in a month of all loans that the event changes."""

    month = ma.fields.String(required=True)
    before = Money(minor="before_minor", zero=True, required=True)
    after = Money(minor="after_minor", zero=True, required=True)


class EventPreviewSchema(Schema):
    """What the event does in all."""

    loans = Whole(required=True)
    members = Whole(required=True)
    refusals = ma.fields.List(ma.fields.Nested(EventRefusalSchema), required=True)
    months = ma.fields.List(ma.fields.Nested(EventMonthSchema), required=True)


class EventProgressSchema(Schema):
    """How many of the event's loans are in which state."""

    planned = Whole(required=True)
    refused = Whole(required=True)
    applied = Whole(required=True)
    undone = Whole(required=True)
    kept = Whole(required=True)


class EventStepSchema(Schema):
    """One step of the event's life."""

    status = ma.fields.Enum(EventStatus, by_value=ma.fields.String, required=True)
    on = Day(required=True)
    reason = ma.fields.String(required=True)
    by = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)


class DeclaredEventSummarySchema(DeclaredEventInSchema):
    """A declared event, and how far it is."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    declared_on = Day(required=True)
    status = ma.fields.Enum(EventStatus, by_value=ma.fields.String, required=True)
    progress = ma.fields.Nested(EventProgressSchema, required=True)


class DeclaredEventSchema(DeclaredEventSummarySchema):
    """A declared event with what its preview found and the steps of its life."""

    preview = ma.fields.Nested(EventPreviewSchema, required=True, allow_none=True)
    steps = ma.fields.List(ma.fields.Nested(EventStepSchema), required=True)


class EventListArgs(PageArgs):
    """Events in one status, or all."""

    status = ma.fields.Enum(EventStatus, by_value=ma.fields.String, load_default=None)


class EventLoanListArgs(PageArgs):
    """Loans of an event in one status, or all."""

    status = ma.fields.Enum(EventLoanStatus, by_value=ma.fields.String, load_default=None)


class PlanRowSchema(Schema):
    """One due of a plan."""

    due_on = Day(required=True)
    principal = Money(minor="principal_minor", zero=True, required=True)
    interest = Money(minor="interest_minor", zero=True, required=True)
    fee = Money(minor="fee_minor", zero=True, required=True)
    penalty = Money(minor="penalty_minor", zero=True, required=True)
    paid_principal = Money(minor="paid_principal_minor", zero=True, required=True)
    paid_interest = Money(minor="paid_interest_minor", zero=True, required=True)
    paid_fee = Money(minor="paid_fee_minor", zero=True, required=True)
    paid_penalty = Money(minor="paid_penalty_minor", zero=True, required=True)


class EventLoanSchema(Schema):
    """What the event does, or did, to one loan."""

    loan = ma.fields.String(required=True)
    borrower = ma.fields.String(required=True)
    status = ma.fields.Enum(EventLoanStatus, by_value=ma.fields.String, required=True)
    reason = ma.fields.String(
        required=True, metadata={"description": "Why it was refused, or keeps its plan."}
    )
    deferral_days = Whole(required=True)
    unpaid_before = Money(minor="before_minor", zero=True, required=True)
    unpaid_after = Money(minor="after_minor", zero=True, required=True)
    before = ma.fields.List(ma.fields.Nested(PlanRowSchema), required=True)
    after = ma.fields.List(ma.fields.Nested(PlanRowSchema), required=True)
