"""Profiles and records of vouchers as they cross the wire."""

import marshmallow as ma

from app.exposure.schemas import RuleSourceSchema
from app.fields import Day, Money, PublicId, Schema
from app.members.schemas import NamedSchema
from app.paging import PageArgs
from app.sheets import FormatField
from community.profiles.relations import Figure, Relation, Scope


class ProfileArgs(Schema):
    """In which community; from which day (left out: since the member joined)."""

    community = PublicId("com", required=True)
    since = Day(load_default=None)


class FigureSourceSchema(Schema):
    """Which rows a figure is worked out from, over which days, by which rules."""

    rows = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        metadata={"description": "Tables, and how many rows of each."},
    )
    from_on = Day(required=True, allow_none=True, metadata={"description": "null: all before."})
    until_on = Day(required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleSourceSchema), required=True)


class ProfileFigureSchema(Schema):
    """One figure. `scopes`: all of it, what belongs to a group, what rests on one's promise."""

    figure = ma.fields.Enum(Figure, by_value=ma.fields.String, required=True)
    scopes = ma.fields.List(ma.fields.Enum(Scope, by_value=ma.fields.String), required=True)
    values = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Raw(),
        required=True,
        metadata={"description": "Counts, shares in millionths (…_ppm), days, and money."},
    )
    source = ma.fields.Nested(FigureSourceSchema, required=True)


class ProfileSchema(Schema):
    """What the caller sees of a member in a community (会员画像), by what they are to them."""

    member = ma.fields.Nested(NamedSchema, required=True)
    community = ma.fields.String(required=True)
    on = Day(required=True)
    since_on = Day(required=True)
    relations = ma.fields.List(ma.fields.Enum(Relation, by_value=ma.fields.String), required=True)
    charter_version = ma.fields.Integer(required=True)
    figures = ma.fields.List(ma.fields.Nested(ProfileFigureSchema), required=True)


class VoucherRecordArgs(Schema):
    """In which community, as of which day (left out: today)."""

    community = PublicId("com", required=True)
    on = Day(load_default=None)


class VoucherLoanSchema(Schema):
    """What one loan says: the share of its cover that rested on this word, and what was paid."""

    loan = ma.fields.String(required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    share_ppm = ma.fields.Integer(required=True)
    came_due = Money(minor="came_due_minor", required=True)
    paid_by_borrower = Money(minor="paid_minor", required=True)
    good_cases = ma.fields.Float(required=True)
    bad_cases = ma.fields.Float(required=True)


class VoucherFiguresSchema(Schema):
    """Cases, and the share that is believed of them: the mean, and the interval's ends."""

    member = ma.fields.Nested(NamedSchema, required=True)
    good_cases = ma.fields.Float(required=True)
    bad_cases = ma.fields.Float(required=True)
    mean_ppm = ma.fields.Integer(required=True)
    lower_ppm = ma.fields.Integer(required=True)
    upper_ppm = ma.fields.Integer(required=True)
    loans_count = ma.fields.Integer(required=True)
    borrowers_count = ma.fields.Integer(required=True)


class VoucherRecordSchema(VoucherFiguresSchema):
    """A member's record as a voucher on a day, loan by loan, and what it lets them promise."""

    on = Day(required=True)
    base = Money(minor="base_minor", required=True)
    bound = Money(
        minor="bound_minor",
        required=True,
        allow_none=True,
        metadata={"description": "All promises together; null: the charter has no such bound."},
    )
    charter_version = ma.fields.Integer(required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleSourceSchema), required=True)
    loans = ma.fields.List(ma.fields.Nested(VoucherLoanSchema), required=True)


class VoucherRecordsArgs(PageArgs):
    """As of which day (left out: today); a page of JSON, or everybody as CSV."""

    on = Day(load_default=None)
    format = FormatField()
