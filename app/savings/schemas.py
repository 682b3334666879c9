"""Savings as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, Schema, Text
from community.savings.models import SavingsMovementKind


class SavingsMovementInSchema(Schema):
    """Money over the counter. A reference, such as a paper slip's number, is booked once only."""

    amount = Money(required=True)
    reference = Text(80, load_default=None, allow_none=True)


class SavingsMovementSchema(Schema):
    """A receipt: one movement of a member's savings."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    kind = ma.fields.Enum(SavingsMovementKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    on = Day(required=True)
    reference = ma.fields.String(required=True, allow_none=True)
    recorded_at = Instant(required=True)


class SavingsBalancesSchema(Schema):
    """A member's money in a community: free savings, and stake, which is locked.

    Of the free savings some may be on hold; what is available can be taken out.
    """

    community = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    free = Money(minor="free_minor", required=True)
    held = Money(minor="held_minor", required=True)
    available = Money(minor="available_minor", required=True)
    stake = Money(minor="stake_minor", required=True)
    total = Money(minor="total_minor", required=True)


class SavingsBalancesListSchema(Schema):
    """A member's money in each community that they are or were in."""

    items = ma.fields.List(ma.fields.Nested(SavingsBalancesSchema), required=True)
