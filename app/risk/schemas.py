"""The risk desk as it crosses the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole
from community.communities.charter import LiabilityMode
from community.guarantees.models import CallGround
from community.risk.alarms import AlarmKind
from community.risk.concentration import Concentration
from community.risk.finding import CircleKind
from community.risk.models import ShockKind, StressStatus

CIRCLES_MAX = 200
# A worker is at so many for some minutes on a large community.
DRAWS_MAX = 10_000


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


class MapArgs(Schema):
    """How many circles stand on the map by themselves."""

    limit = Whole(1, CIRCLES_MAX, from_text=True, load_default=60)


class MapCircleSchema(CircleSchema):
    """A circle on the map: its level, what is different from a week before, what would help."""

    level = ma.fields.Integer(required=True, validate=ma.validate.Range(0, 4))
    reasons = ma.fields.List(ma.fields.Nested(CircleReasonSchema), required=True)
    actions = ma.fields.List(ma.fields.Nested(CircleActionSchema), required=True)
    since_on = Day(required=True, allow_none=True)
    loss_before = ma.fields.Nested(CircleLossSchema, required=True, allow_none=True)


class MapTieSchema(Schema):
    """Promises from one place to another: a circle's id, `outside`, or `others`."""

    source = ma.fields.String(required=True)
    target = ma.fields.String(required=True)
    vouches = ma.fields.Integer(required=True)
    amount = Money(positive=False, required=True)
    in_use = Money(positive=False, required=True)


class RiskMapSchema(Schema):
    """The network of promises: the most costly circles, what ties them, the rest put together."""

    run = ma.fields.Nested(RiskRunSchema, required=True)
    circles = ma.fields.List(ma.fields.Nested(MapCircleSchema), required=True)
    steps = ma.fields.List(
        Money(positive=False),
        required=True,
        metadata={"description": "Above which expected loss levels 2, 3 and 4 begin."},
    )
    ties = ma.fields.List(ma.fields.Nested(MapTieSchema), required=True)
    other_circles = ma.fields.Integer(required=True)
    other_expected = Money(positive=False, required=True)
    other_worst = Money(positive=False, required=True)
    outside_members = ma.fields.Integer(required=True)


class CircleWeekSchema(Schema):
    """A circle as the last search of a week saw it."""

    on = Day(required=True)
    rank = ma.fields.Integer(required=True)
    size = ma.fields.Integer(required=True)
    borrowers = ma.fields.Integer(required=True)
    exposure = Money(positive=False, required=True)
    loss = ma.fields.Nested(CircleLossSchema, required=True)


class CircleHistorySchema(Schema):
    """A circle by week, newest first."""

    items = ma.fields.List(ma.fields.Nested(CircleWeekSchema), required=True)


class HistoryArgs(Schema):
    """How many weeks."""

    weeks = Whole(1, 260, from_text=True, load_default=52)


class LimitChangeSchema(Schema):
    """What a promise would stand for at most."""

    vouch = PublicId("vch", required=True)
    amount = Money(zero=True, required=True)


class LockChangeSchema(Schema):
    """What a member would lock of what was assessed of them."""

    member = PublicId("mem", required=True)
    amount = Money(zero=True, required=True)


class WhatIfAskSchema(Schema):
    """What is supposed of a circle; nothing of it is done."""

    limits = ma.fields.List(
        ma.fields.Nested(LimitChangeSchema), load_default=list, validate=ma.validate.Length(max=50)
    )
    replaced = ma.fields.List(
        PublicId("vch"), load_default=list, validate=ma.validate.Length(max=50)
    )
    locked = ma.fields.List(
        ma.fields.Nested(LockChangeSchema), load_default=list, validate=ma.validate.Length(max=50)
    )
    fails = ma.fields.List(PublicId("mem"), load_default=list, validate=ma.validate.Length(max=50))


class PlannedCallSchema(Schema):
    """A call that would be made. No guarantor's id: somebody from outside who stands in."""

    loan = PublicId("lon", required=True)
    guarantor = ma.fields.Nested(DeskPersonSchema, required=True, allow_none=True)
    for_guarantor = ma.fields.Nested(DeskPersonSchema, required=True, allow_none=True)
    ground = ma.fields.Enum(CallGround, by_value=True, required=True)
    amount = Money(positive=False, required=True)
    paid = Money(positive=False, required=True)
    on = Day(required=True)
    deadline_on = Day(required=True)


class CallPlanSchema(Schema):
    """Who would be called if a payment due today were not made, and what would be left unpaid."""

    on = Day(required=True)
    owed = Money(positive=False, required=True)
    own_paid = Money(positive=False, required=True)
    members_paid = Money(positive=False, required=True)
    lost = Money(positive=False, required=True)
    ruined = ma.fields.Integer(required=True)
    calls = ma.fields.List(ma.fields.Nested(PlannedCallSchema), required=True)


class WhatIfSchema(Schema):
    """What a circle costs as it is, and as it would be."""

    on = Day(required=True)
    before = ma.fields.Nested(CircleLossSchema, required=True)
    after = ma.fields.Nested(CircleLossSchema, required=True)
    moved = Money(positive=False, required=True)
    expected_change_bps = ma.fields.Integer(required=True)
    worst_change_bps = ma.fields.Integer(required=True)
    plan_before = ma.fields.Nested(CallPlanSchema, required=True, allow_none=True)
    plan_after = ma.fields.Nested(CallPlanSchema, required=True, allow_none=True)


class StressAskSchema(Schema):
    """What a stress test supposes; each kind of shock takes its own."""

    shock = ma.fields.Enum(ShockKind, by_value=True, required=True)
    members = ma.fields.List(
        PublicId("mem"), load_default=list, validate=ma.validate.Length(max=1_000)
    )
    village = PublicId("com", load_default=None)
    crop = Text(120, load_default=None)
    fall_bps = Whole(1, 10_000, load_default=None)
    severity_bps = Whole(0, 10_000, load_default=10_000)
    background = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    mode = ma.fields.Enum(LiabilityMode, by_value=True, load_default=None)
    spread = ma.fields.Boolean(load_default=False, truthy={True}, falsy={False})
    draws = Whole(1, DRAWS_MAX, load_default=1_000)
    seed = Whole(0, 2**31 - 1, load_default=1)


class StressFigureSchema(Schema):
    """One distribution over all draws."""

    mean = Money(positive=False, required=True)
    median = Money(positive=False, required=True)
    worst = Money(positive=False, required=True)
    shortfall = Money(positive=False, required=True)


class StressResultSchema(Schema):
    """What all draws come to; the shortfall is the mean of the worst `tail_draws` of them."""

    tail_draws = ma.fields.Integer(required=True)
    pool = ma.fields.Nested(StressFigureSchema, required=True)
    reserve = ma.fields.Nested(StressFigureSchema, required=True)
    lost = ma.fields.Nested(StressFigureSchema, required=True)
    members = ma.fields.Nested(StressFigureSchema, required=True)
    ruined_mean_thousandths = ma.fields.Integer(required=True)
    calls_mean_thousandths = ma.fields.Integer(required=True)
    worst_draw = ma.fields.Integer(required=True)


class StressSchema(Schema):
    """A stress test, how far it is, and what it came to."""

    id = PublicId("str", required=True)
    shock = ma.fields.Enum(ShockKind, by_value=True, required=True)
    mode = ma.fields.Enum(LiabilityMode, by_value=True, required=True, allow_none=True)
    spread = ma.fields.Boolean(required=True)
    background = ma.fields.Boolean(required=True)
    severity_bps = ma.fields.Integer(required=True)
    crop = ma.fields.String(required=True, allow_none=True)
    fall_bps = ma.fields.Integer(required=True, allow_none=True)
    members_hit = ma.fields.Integer(required=True, allow_none=True)
    draws = ma.fields.Integer(required=True)
    done_draws = ma.fields.Integer(required=True)
    restarts = ma.fields.Integer(required=True)
    seed = ma.fields.Integer(required=True)
    on = Day(required=True)
    status = ma.fields.Enum(StressStatus, by_value=True, required=True)
    charter_version = ma.fields.Integer(required=True)
    network_version = ma.fields.String(required=True, allow_none=True)
    failure = ma.fields.String(required=True, allow_none=True)
    result = ma.fields.Nested(StressResultSchema, required=True, allow_none=True)
    created_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)


class StressMemberSchema(DeskPersonSchema):
    """What a stress test came to for one member."""

    failed_draws = ma.fields.Integer(required=True)
    called_draws = ma.fields.Integer(required=True)
    ruined_draws = ma.fields.Integer(required=True)
    paid_mean = Money(positive=False, required=True)
    paid_worst = Money(positive=False, required=True)


class StressMembersSchema(Schema):
    """Members whom a stress test touches, those who would pay most first."""

    items = ma.fields.List(ma.fields.Nested(StressMemberSchema), required=True)


class StressCallSchema(Schema):
    """A call that the worst draw would make."""

    loan = PublicId("lon", required=True)
    guarantor = ma.fields.Nested(DeskPersonSchema, required=True)
    for_guarantor = ma.fields.Nested(DeskPersonSchema, required=True, allow_none=True)
    ground = ma.fields.Enum(CallGround, by_value=True, required=True)
    amount = Money(positive=False, required=True)
    paid = Money(positive=False, required=True)


class StressCallsSchema(Schema):
    """The calls of the worst draw, in their order; `next_number` goes on."""

    items = ma.fields.List(ma.fields.Nested(StressCallSchema), required=True)
    next_number = ma.fields.Integer(required=True, allow_none=True)


class StressCallsArgs(Schema):
    """From which call on, and how many."""

    after = Whole(0, 2**31 - 1, from_text=True, load_default=0)
    limit = Whole(1, CIRCLES_MAX, from_text=True, load_default=100)


class ConcentrationArgs(Schema):
    """By what."""

    by = ma.fields.Enum(Concentration, by_value=True, load_default=Concentration.CROP)


class ConcentrationRowSchema(Schema):
    """The loans of one region, industry or crop; no key: loans without one."""

    key = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True, allow_none=True)
    loans = ma.fields.Integer(required=True)
    outstanding = Money(positive=False, required=True)
    share_bps = ma.fields.Integer(required=True)


class ConcentrationSchema(Schema):
    """How much of what is lent lies together: Herfindahl's index, 10,000 if all of it does."""

    on = Day(required=True)
    by = ma.fields.Enum(Concentration, by_value=True, required=True)
    outstanding = Money(positive=False, required=True)
    hhi = ma.fields.Integer(required=True)
    # What as many equal parts as this would have the same index.
    effective_thousandths = ma.fields.Integer(required=True)
    items = ma.fields.List(ma.fields.Nested(ConcentrationRowSchema), required=True)


class AlarmSchema(Schema):
    """Something that wants a look, whom it is about, and the facts that say so."""

    kind = ma.fields.Enum(AlarmKind, by_value=True, required=True)
    words = ma.fields.Nested(DeskWordsSchema, required=True)
    members = ma.fields.List(ma.fields.Nested(DeskPersonSchema), required=True)
    facts = ma.fields.Dict(keys=ma.fields.String(), required=True)


class AlarmsSchema(Schema):
    """All alarms of a community on a day."""

    on = Day(required=True)
    items = ma.fields.List(ma.fields.Nested(AlarmSchema), required=True)


class GateSchema(Schema):
    """What to point out before a member is vouched for first, or admitted."""

    member = ma.fields.Nested(DeskPersonSchema, required=True)
    alarm = ma.fields.Nested(AlarmSchema, required=True, allow_none=True)
