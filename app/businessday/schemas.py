"""Business days as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Schema, Whole
from community.businessday.models import DayState


class DayStepSchema(Schema):
    """One step of a day, and what it counted."""

    name = ma.fields.String(required=True)
    is_done = ma.fields.Boolean(required=True)
    is_begun = ma.fields.Boolean(required=True)
    after_id = Whole(
        required=True, metadata={"description": "The last row that it has dealt with."}
    )
    counts = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)


class DaySchema(Schema):
    """One business day: where it is, and what it did."""

    on = Day(required=True)
    state = ma.fields.Enum(DayState, by_value=ma.fields.String, required=True)
    started_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)
    steps = ma.fields.List(ma.fields.Nested(DayStepSchema), required=True)
