"""Products, their terms, and seasons as they cross the wire."""

from enum import StrEnum
from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, Schema, Text, Whole
from community.communities.charter import LiabilityMode
from community.products.terms import (
    Amortisation,
    Component,
    DayCount,
    EarlyMoney,
    FeeMoment,
    FutureRule,
    MonthEnd,
    PenaltyBase,
    PeriodUnit,
    Processing,
    RateMethod,
    Recalculation,
    Window,
)


def _about(description: str) -> dict[str, str]:
    return {"description": description}


def _choice(kind: type[StrEnum], default: StrEnum, description: str) -> ma.fields.Enum[Any]:
    return ma.fields.Enum(
        kind, by_value=ma.fields.String, load_default=default, metadata=_about(description)
    )


class FeeSchema(Schema):
    """A fee: an amount, a part of principal (the loan's or the instalment's), or both."""

    name = Text(80, required=True)
    moment = ma.fields.Enum(FeeMoment, by_value=ma.fields.String, required=True)
    amount_minor = Whole(
        0, 10**15, load_default=0, metadata=_about("In minor units of the product's currency.")
    )
    share_bps = Whole(0, 10_000, load_default=0)


class ProductTermsSchema(Schema):
    """The terms of a product. Rates are parts per million a year, ratios ten-thousandths."""

    principal_min = Money(minor="principal_minor_min", required=True)
    principal_max = Money(minor="principal_minor_max", required=True)
    rate_method = ma.fields.Enum(RateMethod, by_value=ma.fields.String, required=True)
    amortisation = ma.fields.Enum(Amortisation, by_value=ma.fields.String, required=True)
    yearly_rate_ppm = Whole(0, 10_000_000, required=True)
    day_count = ma.fields.Enum(DayCount, by_value=ma.fields.String, required=True)
    period_unit = ma.fields.Enum(PeriodUnit, by_value=ma.fields.String, required=True)
    period_length = Whole(1, 366, required=True)
    instalments_min = Whole(1, 600, required=True)
    instalments_max = Whole(1, 600, required=True)
    instalment_multiple = Money(
        minor="instalment_multiple_minor",
        load_default=None,
        allow_none=True,
        metadata={"description": "Instalments are multiples of it, the last takes the rest."},
    )
    allocation_order = ma.fields.List(
        ma.fields.Enum(Component, by_value=ma.fields.String),
        required=True,
        validate=ma.validate.Length(min=2, max=len(Component)),
        metadata={"description": "What is not named comes first: penalty, fee."},
    )
    cover_ratio_bps = Whole(0, 100_000, required=True)
    liability_mode = ma.fields.Enum(LiabilityMode, by_value=ma.fields.String, required=True)
    month_end = _choice(
        MonthEnd, MonthEnd.CLAMP, "When a month lacks the day: its last, or the 1st of the next."
    )
    grace_principal = Whole(0, 599, load_default=0, metadata=_about("Periods without principal."))
    grace_interest = Whole(
        0, 599, load_default=0, metadata=_about("Periods whose interest is collected after them.")
    )
    principal_share_bps = Whole(
        0, 10_000, load_default=0, metadata=_about("Balloon: what each instalment repays.")
    )
    processing = _choice(
        Processing, Processing.HORIZONTAL, "One instalment after the other, or one component."
    )
    future_rule = _choice(
        FutureRule, FutureRule.NEXT, "Which instalment that is not due yet takes money first."
    )
    recalculation = _choice(
        Recalculation, Recalculation.NONE, "Whether the days of real payments change the interest."
    )
    early_money = _choice(
        EarlyMoney, EarlyMoney.ADJUST_LAST, "What early principal shortens, under recalculation."
    )
    penalty_yearly_rate_ppm = Whole(
        0, 10_000_000, load_default=0, metadata=_about("A year, on what is overdue, day by day.")
    )
    penalty_grace_days = Whole(0, 366, load_default=0)
    penalty_base = _choice(PenaltyBase, PenaltyBase.PRINCIPAL, "What the penalty is on.")
    fees = ma.fields.List(
        ma.fields.Nested(FeeSchema), load_default=list, validate=ma.validate.Length(max=10)
    )

    @ma.validates_schema
    def _one_currency(self, data: dict[str, Any], **_: Any) -> None:
        currency = data["principal_min"].currency
        for name in ("principal_max", "instalment_multiple"):
            if data[name] is not None and data[name].currency != currency:
                raise ma.ValidationError(f"All amounts are in {currency}.", name)

    @ma.post_load
    def _as_document(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        low, high = data.pop("principal_min"), data.pop("principal_max")
        multiple = data.pop("instalment_multiple")
        return data | {
            "currency": low.currency,
            "principal_minor_min": low.amount_minor,
            "principal_minor_max": high.amount_minor,
            "instalment_multiple_minor": 1 if multiple is None else multiple.amount_minor,
        }


class ProductVersionInSchema(Schema):
    """Terms that count from a day on."""

    terms = ma.fields.Nested(ProductTermsSchema, required=True)
    valid_from = Day(required=True)
    source = Text(500, required=True, metadata={"description": "Who decided it, and where."})
    follows = Whole(
        0,
        load_default=None,
        allow_none=True,
        metadata={
            "description": "The version that was looked at, 0 for none: if another came since, "
            "nothing is published. Left out: whatever the last one is."
        },
    )


class ProductVersionSchema(Schema):
    """A version of a product."""

    version = Whole(1, required=True)
    valid_from = Day(required=True)
    terms = ma.fields.Nested(ProductTermsSchema, required=True)
    source = ma.fields.String(required=True)
    created_at = Instant(required=True)


class ProductInSchema(Schema):
    """A product before it has terms."""

    code = Text(40, required=True)
    name = Text(120, required=True)


class ProductSchema(Schema):
    """A product with the version in force today, if there is one."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    code = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    version = ma.fields.Nested(ProductVersionSchema, required=True, allow_none=True)


class SellingWindowSchema(Schema):
    """A day on which part of the crop has been sold."""

    due_on = Day(required=True)
    weight = Whole(1, 1_000_000, required=True)


class TrancheSchema(Schema):
    """A day on which part of a loan goes out."""

    pay_on = Day(required=True)
    weight = Whole(1, 1_000_000, required=True)


class CashFlowSchema(Schema):
    """What households expect to spend and to earn in one window, as relative weights."""

    window = ma.fields.Enum(Window, by_value=ma.fields.String, required=True)
    spend_weight = Whole(0, 1_000_000, required=True)
    earn_weight = Whole(0, 1_000_000, required=True)


class SeasonInSchema(Schema):
    """A crop's calendar."""

    code = Text(40, required=True)
    crop = Text(120, required=True)
    year_label = Text(20, load_default="", metadata={"description": "Such as 2027 or 2027/28."})
    sow_from = Day(required=True)
    sow_until = Day(required=True)
    harvest_from = Day(required=True)
    harvest_until = Day(
        load_default=None,
        allow_none=True,
        metadata={"description": "Left out: until the crop is first sold."},
    )
    selling = ma.fields.List(
        ma.fields.Nested(SellingWindowSchema),
        required=True,
        validate=ma.validate.Length(min=1, max=60),
    )
    tranches = ma.fields.List(
        ma.fields.Nested(TrancheSchema),
        load_default=(),
        validate=ma.validate.Length(max=12),
        metadata={"description": "When loans for the crop go out; empty: in one sum."},
    )
    cash_flow = ma.fields.List(
        ma.fields.Nested(CashFlowSchema), load_default=(), validate=ma.validate.Length(max=4)
    )
    notes = Text(500, lines=True, load_default="")
    source = Text(500, load_default="", metadata={"description": "Who says so, and where."})


class SeasonWindowSchema(Schema):
    """A part of the crop's year. Harvest and selling may overlap."""

    window = ma.fields.Enum(Window, by_value=ma.fields.String, required=True)
    from_on = Day(required=True)
    until_on = Day(required=True)


class SeasonSchema(SeasonInSchema):
    """A season (农时)."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    windows = ma.fields.List(ma.fields.Nested(SeasonWindowSchema), required=True)
    in_use = ma.fields.Boolean(
        required=True, metadata={"description": "A loan rests on it, so it stays as it is."}
    )
