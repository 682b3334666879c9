"""The risk desk as it crosses the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Whole
from community.risk.finding import CircleKind

CIRCLES_MAX = 200


class CirclesArgs(Schema):
    """From which rank on, and how many."""

    after_rank = Whole(0, 10_000_000, from_text=True, load_default=0)
    limit = Whole(1, CIRCLES_MAX, from_text=True, load_default=50)


class RiskRunSchema(Schema):
    """A search for circles: what it read and by which rules."""

    id = PublicId("rrn", required=True)
    number = ma.fields.Integer(required=True)
    on = Day(required=True)
    charter_version = ma.fields.Integer(required=True)
    network_version = ma.fields.String(required=True)
    members = ma.fields.Integer(required=True)
    vouches = ma.fields.Integer(required=True)
    outstanding = Money(positive=False, required=True)
    largest_component = ma.fields.Integer(required=True)
    is_complete = ma.fields.Boolean(required=True)
    circles = ma.fields.Integer(required=True)
    created_at = Instant(required=True)


class DeskWordsSchema(Schema):
    """A sentence in both languages."""

    zh = ma.fields.String(required=True, data_key="zh-CN")
    en = ma.fields.String(required=True)


class CircleLossSchema(Schema):
    """Expected and worst loss, to the pool and to members."""

    expected_pool = Money(positive=False, required=True)
    expected_members = Money(positive=False, required=True)
    worst_pool = Money(positive=False, required=True)
    worst_members = Money(positive=False, required=True)


class CircleSchema(Schema):
    """A circle in the list, most costly first."""

    id = PublicId("cir", required=True)
    number = ma.fields.Integer(required=True)
    rank = ma.fields.Integer(required=True)
    kind = ma.fields.Enum(CircleKind, by_value=True, required=True)
    size = ma.fields.Integer(required=True)
    borrowers = ma.fields.Integer(required=True)
    exposure = Money(positive=False, required=True)
    loss = ma.fields.Nested(CircleLossSchema, required=True)
    is_new = ma.fields.Boolean(required=True)


class CircleListSchema(Schema):
    """Circles of the last search; `next_rank` goes on where this answer ends."""

    run = ma.fields.Nested(RiskRunSchema, required=True)
    items = ma.fields.List(ma.fields.Nested(CircleSchema), required=True)
    next_rank = ma.fields.Integer(required=True, allow_none=True)
    ended = ma.fields.List(ma.fields.Integer(), required=True)


class DeskPersonSchema(Schema):
    """A member, by name."""

    id = PublicId("mem", required=True)
    name = ma.fields.String(required=True)


class CircleReasonSchema(Schema):
    """Why it is a circle."""

    code = ma.fields.String(required=True)
    words = ma.fields.Nested(DeskWordsSchema, required=True)


class CircleActionSchema(Schema):
    """A change that would shrink it, with its computed effect."""

    code = ma.fields.String(required=True)
    words = ma.fields.Nested(DeskWordsSchema, required=True)
    amount = Money(positive=False, required=True)
    vouch = PublicId("vch", required=True, allow_none=True)
    member = ma.fields.Nested(DeskPersonSchema, required=True, allow_none=True)
    pool_change_bps = ma.fields.Integer(required=True)
    expected_change_bps = ma.fields.Integer(required=True)
    worst_change_bps = ma.fields.Integer(required=True)
    moved = Money(positive=False, required=True)
    after = ma.fields.Nested(CircleLossSchema, required=True)


class CircleMemberSchema(DeskPersonSchema):
    """A member of a circle."""

    owed = Money(positive=False, required=True)
    guaranteed = Money(positive=False, required=True)
    contingent_bps = ma.fields.Integer(required=True, allow_none=True)
    core = ma.fields.Integer(required=True)
    is_articulation = ma.fields.Boolean(required=True)
    worst_paid = Money(positive=False, required=True)


class CircleChangeSchema(Schema):
    """What is different from a week before."""

    since_on = Day(required=True)
    was_there = ma.fields.Boolean(required=True)
    loss_before = ma.fields.Nested(CircleLossSchema, required=True, allow_none=True)
    joined = ma.fields.List(ma.fields.Nested(DeskPersonSchema), required=True)
    left = ma.fields.List(ma.fields.Nested(DeskPersonSchema), required=True)


class CircleFileSchema(CircleSchema):
    """One circle in full."""

    run = ma.fields.Nested(RiskRunSchema, required=True)
    reasons = ma.fields.List(ma.fields.Nested(CircleReasonSchema), required=True)
    actions = ma.fields.List(ma.fields.Nested(CircleActionSchema), required=True)
    members = ma.fields.List(ma.fields.Nested(CircleMemberSchema), required=True)
    change = ma.fields.Nested(CircleChangeSchema, required=True, allow_none=True)
