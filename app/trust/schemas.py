"""Vouches, standings, stakes and assessments as they cross the wire."""

import marshmallow as ma

from app.exposure.schemas import CapNoteSchema
from app.fields import Day, Instant, Money, PublicId, Schema, Text
from app.members.schemas import NamedSchema
from app.paging import PageArgs
from community.savings.models import SavingsMovementKind
from community.trust.models import AssessmentKind, VouchKind, VouchSide, VouchStatus
from community.trust.queries import Direction


class OfferSchema(Schema):
    """One side speaks: `side` is the caller's, `other` the member on the other side."""

    side = ma.fields.Enum(VouchSide, by_value=ma.fields.String, required=True)
    other = PublicId("mem", required=True)
    limit = Money(required=True)
    expires_on = Day(required=True)


class LowerSchema(Schema):
    """A smaller promise."""

    limit = Money(required=True)


class VouchSchema(Schema):
    """`voucher` stands behind `borrower` up to a limit, once both sides have accepted."""

    id = ma.fields.String(attribute="public_id", required=True)
    community = ma.fields.String(required=True)
    kind = ma.fields.Enum(VouchKind, by_value=ma.fields.String, required=True)
    voucher = ma.fields.Nested(NamedSchema, required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    offered_by = ma.fields.Enum(VouchSide, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(VouchStatus, by_value=ma.fields.String, required=True)
    limit = Money(minor="limit_minor", required=True)
    reserved = Money(minor="reserved_minor", required=True)
    spent = Money(minor="spent_minor", required=True)
    room = Money(minor="room_minor", required=True)
    offered_at = Instant(required=True)
    accepted_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    expires_on = Day(required=True)


class VouchMadeSchema(VouchSchema):
    """A vouch, with what its voucher should think of; only the voucher is told."""

    warnings = ma.fields.List(ma.fields.Nested(CapNoteSchema), required=True)


class VouchListArgs(PageArgs):
    """Which of a member's vouches: given or received, in which state; all if left out."""

    direction = ma.fields.Enum(Direction, by_value=ma.fields.String, load_default=None)
    status = ma.fields.Enum(VouchStatus, by_value=ma.fields.String, load_default=None)


class ExposureLineSchema(Schema):
    """One member behind whom somebody stands: now, and at the very most."""

    vouch = ma.fields.String(required=True)
    kind = ma.fields.Enum(VouchKind, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(VouchStatus, by_value=ma.fields.String, required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    now = Money(minor="now_minor", required=True)
    most = Money(minor="most_minor", required=True)
    paid = Money(minor="paid_minor", required=True)
    expires_on = Day(required=True)


class ExposureSchema(Schema):
    """If everyone I stand behind fails, I owe `now`; with every promise used in full, `most`."""

    now = Money(minor="now_minor", required=True)
    most = Money(minor="most_minor", required=True)
    lines = ma.fields.List(ma.fields.Nested(ExposureLineSchema), required=True)


class StandingSchema(Schema):
    """What a member can be made to pay in a community, and what of it is still free."""

    stake = Money(minor="stake_minor", required=True)
    assessed = Money(minor="assessed_minor", required=True)
    assessed_until_on = Day(required=True, allow_none=True)
    reserved = Money(minor="reserved_minor", required=True)
    free = Money(minor="free_minor", required=True)
    stake_free = Money(minor="stake_free_minor", required=True)
    overdue_since_on = Day(required=True, allow_none=True)


class StakeInSchema(Schema):
    """How much savings become stake, or stake becomes free."""

    amount = Money(required=True)


class StakeMovementSchema(Schema):
    """A receipt, and the standing after it."""

    id = ma.fields.String(required=True)
    kind = ma.fields.Enum(SavingsMovementKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    on = Day(required=True)
    standing = ma.fields.Nested(StandingSchema, required=True)


class AssessmentInSchema(Schema):
    """A grant: how much, on which evidence, until when."""

    kind = ma.fields.Enum(AssessmentKind, by_value=ma.fields.String, required=True)
    amount = Money(required=True)
    evidence = Text(500, required=True, lines=True)
    expires_on = Day(required=True)


class AssessmentSchema(Schema):
    """An amount granted to a member, with its evidence and its last day."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    kind = ma.fields.Enum(AssessmentKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    used = Money(minor="used_minor", required=True)
    evidence = ma.fields.String(required=True)
    granted_by = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    granted_at = Instant(required=True)
    expires_on = Day(required=True)
    ended_at = Instant(required=True, allow_none=True)
