"""Credit lines as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, Whole, YesNo
from app.members.schemas import NamedSchema
from community.lines.models import LineChangeKind, LineStatus, ReserveMoveKind
from community.loans.models import LoanStatus

_NO_NEW_DRAWS = {
    "description": "Below what is used: nobody draws until enough of it is repaid. Without it such "
    "a limit is refused."
}


class SubLimitInSchema(Schema):
    """A member's sub-limit on a new line."""

    member = PublicId("mem", required=True)
    limit = Money(required=True)


class LineInSchema(Schema):
    """A new line of a community or a group."""

    name = Text(120, required=True)
    product = PublicId(
        "prd",
        load_default=None,
        allow_none=True,
        metadata={"description": "Only loans of this product draw on it."},
    )
    limit = Money(required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)
    sub_limits = ma.fields.List(
        ma.fields.Nested(SubLimitInSchema),
        load_default=list,
        validate=ma.validate.Length(max=1000),
    )
    reason = Text(500, required=True)

    @ma.validates_schema
    def _one_each(self, data: dict[str, Any], **_: Any) -> None:
        named = [item["member"] for item in data.get("sub_limits", [])]
        if len(set(named)) < len(named):
            raise ma.ValidationError("Every member has one sub-limit.", "sub_limits")


class LineLimitInSchema(Schema):
    """Another limit, and why."""

    limit = Money(required=True)
    reason = Text(500, required=True)
    no_new_draws_until_below = YesNo(load_default=False, metadata=_NO_NEW_DRAWS)


class SubLimitChangeSchema(Schema):
    """A member's sub-limit, and why; 0 ends their draws."""

    limit = Money(required=True, zero=True)
    reason = Text(500, required=True)
    no_new_draws_until_below = YesNo(load_default=False, metadata=_NO_NEW_DRAWS)


class LineRaiseInSchema(Schema):
    """By how much the line, or one member's sub-limit, is raised until a day, and why."""

    by = Money(required=True)
    until_on = Day(required=True)
    member = PublicId("mem", load_default=None, allow_none=True)
    reason = Text(500, required=True)


class LineReasonSchema(Schema):
    """Why."""

    reason = Text(500, required=True)


class FacilitySchema(Schema):
    """A limit, what is used of it, and what is left today."""

    limit = Money(minor="limit_minor", required=True)
    limit_in_force = Money(
        minor="limit_in_force_minor",
        required=True,
        metadata={"description": "Today, a temporary raise included."},
    )
    raised_by = Money(minor="raised_minor", required=True, allow_none=True)
    raised_until_on = Day(required=True, allow_none=True)
    used = Money(minor="used_minor", required=True)
    over = Money(
        minor="over_minor",
        required=True,
        metadata={"description": "Used above the limit in force: nobody draws until it is repaid."},
    )
    headroom = Money(minor="headroom_minor", required=True)


class SubLimitSchema(FacilitySchema):
    """A member's sub-limit."""

    member = ma.fields.Nested(NamedSchema, required=True)


class LineSummarySchema(FacilitySchema):
    """A line in a list."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    group = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The group that holds it; null: the community does."},
    )
    product = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True)
    status = ma.fields.Enum(LineStatus, by_value=ma.fields.String, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)
    closed_on = Day(required=True, allow_none=True)
    reserve = Money(
        minor="reserve_minor",
        required=True,
        metadata={"description": "First-loss reserve: it pays before the community's."},
    )
    version = Whole(1, required=True)


class LineSchema(LineSummarySchema):
    """A line with those sub-limits that the caller may see: their own, or all."""

    sub_limits = ma.fields.List(ma.fields.Nested(SubLimitSchema), required=True)


class ReserveInSchema(Schema):
    """Money for a line's first-loss reserve."""

    amount = Money(required=True)
    member = PublicId(
        "mem",
        load_default=None,
        allow_none=True,
        metadata={"description": "Whose savings; the caller's if nobody is named."},
    )
    from_reserve_fund = YesNo(
        load_default=False,
        metadata={"description": "The community's own reserve fund pays in, not a member."},
    )

    @ma.validates_schema
    def _one_payer(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("member") and data.get("from_reserve_fund"):
            raise ma.ValidationError("A member pays in, or the reserve fund.", "member")


class PaidInSchema(Schema):
    """What one payer has put into a reserve."""

    member = ma.fields.Nested(
        NamedSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null: the community's reserve fund."},
    )
    amount = Money(minor="amount_minor", required=True)


class LineReserveSchema(Schema):
    """A line's first-loss reserve: what it holds, and who has paid in of those one may see."""

    line = ma.fields.String(required=True)
    held = Money(minor="held_minor", required=True)
    paid_in = ma.fields.List(ma.fields.Nested(PaidInSchema), required=True)


class ReserveMoveSchema(Schema):
    """Money into or out of a line's reserve."""

    kind = ma.fields.Enum(ReserveMoveKind, by_value=ma.fields.String, required=True)
    member = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    loan = ma.fields.String(required=True, allow_none=True)
    amount = Money(minor="amount_minor", required=True)
    on = Day(required=True)


class DrawSchema(Schema):
    """A loan that draws on the line, and what it takes of it now."""

    loan = ma.fields.String(required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    status = ma.fields.Enum(LoanStatus, by_value=ma.fields.String, required=True)
    principal = Money(minor="principal_minor", required=True)
    takes = Money(minor="takes_minor", required=True)
    disbursed_on = Day(required=True, allow_none=True)
    ended_on = Day(required=True, allow_none=True)


class LineChangeSchema(Schema):
    """Who changed what of a line, when and why."""

    number = Whole(1, required=True)
    kind = ma.fields.Enum(LineChangeKind, by_value=ma.fields.String, required=True)
    member = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    before = Money(minor="before_minor", required=True, allow_none=True)
    after = Money(minor="after_minor", required=True, allow_none=True)
    until_on = Day(required=True, allow_none=True)
    on = Day(required=True)
    reason = ma.fields.String(required=True)
    by = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    recorded_at = Instant(required=True)
