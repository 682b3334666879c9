"""Holds as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, Schema, Text
from app.paging import PageArgs
from app.savings.schemas import SavingsMovementSchema
from community.ledger.models import HoldState


class HoldInSchema(Schema):
    """Money to be set aside until it is posted, voided, or its last day is over."""

    amount = Money(required=True)
    expires_on = Day(required=True)
    reason = Text(500, required=True)
    reference = Text(80, load_default=None, allow_none=True)


class HoldPostingInSchema(Schema):
    """What of it is paid out: all if no amount is given. The rest is free again."""

    amount = Money(load_default=None, allow_none=True)


class HoldVoidInSchema(Schema):
    """Why it is let go."""

    reason = Text(500, required=True)


class HoldListArgs(PageArgs):
    """Holds in one state, or all."""

    state = ma.fields.Enum(HoldState, by_value=ma.fields.String, load_default=None)


class HoldSchema(Schema):
    """A hold on a member's savings."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)
    posted = Money(minor="posted_minor", required=True)
    state = ma.fields.Enum(HoldState, by_value=ma.fields.String, required=True)
    reason = ma.fields.String(required=True)
    reference = ma.fields.String(required=True, allow_none=True)
    placed_on = Day(required=True)
    expires_on = Day(required=True)
    placed_at = Instant(required=True)
    ended_on = Day(required=True, allow_none=True)
    end_reason = ma.fields.String(required=True)


class HoldPostingSchema(Schema):
    """The hold as it ended, and the receipt of what was paid out."""

    hold = ma.fields.Nested(HoldSchema, required=True)
    receipt = ma.fields.Nested(SavingsMovementSchema, required=True)
