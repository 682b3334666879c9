"""Limits with their reasons, and the lender's money, as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole
from app.members.schemas import NamedSchema


class LimitArgs(Schema):
    """Further questions to a limit; all may be left out."""

    product = PublicId(
        "prd", load_default=None, metadata={"description": "Ask for a loan of this product."}
    )
    credit_line = PublicId(
        "cln", load_default=None, metadata={"description": "Ask for a draw on this shared line."}
    )
    raise_by = ma.fields.String(
        load_default=None,
        metadata={
            "description": "By how much (decimal units) one promise or standing is supposed to "
            "grow where the answer says what would raise the limit; the charter's first loan step "
            "if left out."
        },
    )
    what_if_voucher = PublicId(
        "mem", load_default=None, metadata={"description": "Suppose that this member vouched…"}
    )
    what_if_amount = ma.fields.String(
        load_default=None,
        metadata={"description": "…for this much: decimal units of the community's currency."},
    )
    ceiling = ma.fields.Boolean(
        load_default=False,
        metadata={"description": "Also say what the whole community could stand for."},
    )

    @ma.validates_schema
    def _supposed_in_full(self, data: dict[str, object], **_: object) -> None:
        if (data.get("what_if_voucher") is None) != (data.get("what_if_amount") is None):
            raise ma.ValidationError(
                "Give what_if_voucher and what_if_amount together.", "what_if_amount"
            )


class SourceSchema(Schema):
    """Where a rule is written."""

    kind = ma.fields.String(required=True)
    owner = ma.fields.String(required=True)
    version = Whole(1, required=True)


class ConstraintSchema(Schema):
    """One rule, and how much could still be borrowed if it were the only one.

    `detail` has the facts that it was worked out from; amounts there are in minor units.
    """

    name = ma.fields.String(required=True)
    value = Money(minor="value_minor", required=True)
    rule = ma.fields.String(required=True)
    source = ma.fields.Nested(SourceSchema, required=True)
    detail = ma.fields.Dict(keys=ma.fields.String(), required=True)


class PathSchema(Schema):
    """Whose standing covers how much, through whom, along which vouches (outermost first).

    A vouch is null where it is only supposed.
    """

    standing_of = ma.fields.Nested(NamedSchema, required=True)
    via = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    vouches = ma.fields.List(ma.fields.String(allow_none=True), required=True)
    amount = Money(minor="amount_minor", required=True)


class BottleneckSchema(Schema):
    """A standing or a promise that the limit runs into."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["standing", "promise"]))
    member = ma.fields.Nested(NamedSchema, required=True)
    towards = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    vouch = ma.fields.String(required=True, allow_none=True)
    room = Money(minor="room_minor", required=True)


class GrowthSchema(Schema):
    """By how much trust and the limit would rise if this one promise or standing grew."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["standing", "promise"]))
    member = ma.fields.Nested(NamedSchema, required=True)
    towards = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    vouch = ma.fields.String(required=True, allow_none=True)
    trust_gain = Money(minor="trust_gain_minor", required=True)
    limit_gain = Money(minor="limit_gain_minor", required=True)


class SupposedSchema(Schema):
    """A promise that is only supposed."""

    voucher = ma.fields.Nested(NamedSchema, required=True)
    amount = Money(minor="amount_minor", required=True)


class RecordBoundSchema(Schema):
    """What the voucher's record admits of a promise that is supposed, or supposed to grow."""

    member = ma.fields.Nested(NamedSchema, required=True)
    asked = Money(minor="asked_minor", required=True)
    admits = Money(minor="admits_minor", required=True)
    binds = ma.fields.Boolean(
        required=True, metadata={"description": "The record admits less than was asked about."}
    )
    rule = ma.fields.String(required=True)
    source = ma.fields.Nested(SourceSchema, required=True)


class NetworkSourceSchema(Schema):
    """Where the whole community's network was read: its rows, or a file and what was written since.

    Either way it is as the rows are now.
    """

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(["rows", "file"]))
    built_at = Instant(required=True, allow_none=True)
    read_again = Whole(
        0, required=True, metadata={"description": "Members whose rows were written since."}
    )


class LimitSchema(Schema):
    """What a member may still borrow, the rule that binds it, and everything it rests on."""

    community = ma.fields.String(required=True)
    member = ma.fields.Nested(NamedSchema, required=True)
    on = Day(required=True)
    amount = Money(minor="amount_minor", required=True)
    binding = ma.fields.Nested(ConstraintSchema, required=True)
    remedy = ma.fields.String(required=True)
    constraints = ma.fields.List(ma.fields.Nested(ConstraintSchema), required=True)
    charter = ma.fields.Nested(SourceSchema, required=True)
    product = ma.fields.Nested(SourceSchema, required=True, allow_none=True)
    owed = Money(minor="owed_minor", required=True)
    circle_of_trust = Whole(1, required=True)
    trust = Money(minor="flow_minor", required=True)
    own = Money(minor="own_minor", required=True)
    direct = Money(minor="direct_minor", required=True)
    second = Money(minor="second_minor", required=True)
    farther = Money(minor="farther_minor", required=True)
    paths = ma.fields.List(ma.fields.Nested(PathSchema), required=True)
    cut = ma.fields.List(ma.fields.Nested(BottleneckSchema), required=True)
    raise_by = Money(minor="raise_by_minor", required=True)
    raises = ma.fields.List(ma.fields.Nested(GrowthSchema), required=True)
    what_if = ma.fields.List(ma.fields.Nested(SupposedSchema), required=True)
    record_bounds = ma.fields.List(
        ma.fields.Nested(RecordBoundSchema),
        required=True,
        metadata={
            "description": "By the charter's rule voucher_bound_bps: what the records of those who "
            "are supposed to promise (more) admit of it. Empty if the charter has no such bound."
        },
    )
    ceiling = Money(minor="ceiling_minor", required=True, allow_none=True)
    ceiling_from = ma.fields.Nested(NetworkSourceSchema, required=True, allow_none=True)


class CoverPreviewArgs(Schema):
    """A loan that somebody thinks of asking for; the currency is the community's."""

    product = PublicId("prd", required=True)
    amount = ma.fields.String(
        required=True, metadata={"description": "Decimal units, such as 120.50"}
    )


class CoverPreviewSchema(Schema):
    """Who would be held for how much if the loan were approved today.

    `admitted`: the limit allows it as things stand. `short`: cover that is not there; then
    `paths` says what is.
    """

    principal = Money(minor="principal_minor", required=True)
    cover = Money(minor="cover_minor", required=True)
    short = Money(minor="short_minor", required=True)
    admitted = ma.fields.Boolean(required=True)
    paths = ma.fields.List(ma.fields.Nested(PathSchema), required=True)
    limit = ma.fields.Nested(LimitSchema, required=True)


class FundingInSchema(Schema):
    """The lender's money comes in; the reference is what a bank's slip says."""

    amount = Money(required=True)
    reference = Text(80, required=True)


class FundingSchema(Schema):
    """What was booked, and what the account holds after it."""

    account = ma.fields.String(required=True)
    amount = Money(required=True)
    balance = Money(required=True, zero=True)
    on = Day(required=True)
    reference = ma.fields.String(required=True)
