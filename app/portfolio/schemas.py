"""Portfolio figures as they cross the wire. Shares are ten-thousandths of the whole's amount."""

import marshmallow as ma

from app.fields import Day, Money, Schema, Whole
from community.communities.charter import RiskClass
from community.portfolio.at_risk import Basis, Grouping
from community.portfolio.rolls import FROM_STATES, TO_STATES

MONTHS_MAX = 60
MONTH_PATTERN = r"^[0-9]{4}-[0-9]{2}$"


def _tier(name: str, *, allow_none: bool = False) -> ma.fields.Enum:
    return ma.fields.Enum(
        RiskClass,
        by_value=ma.fields.String,
        required=True,
        allow_none=allow_none,
        data_key=name,
    )


class ParArgs(Schema):
    """On which day, and by what."""

    on = Day(load_default=None, metadata={"description": "Today, if left out."})
    by = ma.fields.Enum(Grouping, by_value=ma.fields.String, load_default=None)


class VintageArgs(Schema):
    """Until which day, and how many months before that day's month."""

    until = Day(load_default=None, metadata={"description": "Today, if left out."})
    months = Whole(0, MONTHS_MAX, from_text=True, load_default=12)


class RollArgs(Schema):
    """Which month."""

    month = ma.fields.String(
        load_default=None,
        validate=ma.validate.Regexp(MONTH_PATTERN, error="A month is written as 2027-03."),
        metadata={"description": "A month that has ended, 2027-03; the last one if left out."},
    )


class PartSchema(Schema):
    """Some of the loans."""

    loans = Whole(required=True)
    amount = Money(required=True, zero=True)
    share_bps = Whole(required=True)


class AtRiskSchema(PartSchema):
    """Loans more than so many days late, and restructured ones, with all that is out on them."""

    days = Whole(1, required=True)


class RiskRowSchema(Schema):
    """The loans of one thing that the report is broken down by; without a key: those of none."""

    key = ma.fields.String(required=True, allow_none=True)
    name = ma.fields.String(required=True, allow_none=True)
    loans = Whole(required=True)
    outstanding = Money(required=True, zero=True)
    restructured = ma.fields.Nested(PartSchema, required=True)
    at_risk = ma.fields.List(ma.fields.Nested(AtRiskSchema), required=True)


class RiskReportSchema(Schema):
    """Portfolio at risk on a day; `basis` says whether of today's rows or re-derived."""

    on = Day(required=True)
    basis = ma.fields.Enum(Basis, by_value=ma.fields.String, required=True)
    charter_version = Whole(1, required=True)
    total = ma.fields.Nested(RiskRowSchema, required=True)
    by = ma.fields.Enum(Grouping, by_value=ma.fields.String, required=True, allow_none=True)
    items = ma.fields.List(ma.fields.Nested(RiskRowSchema), required=True)


class VintageAgeSchema(Schema):
    """A cohort at an age, in months after the month of its loans."""

    months_on_book = Whole(required=True)
    ever_late = ma.fields.List(
        ma.fields.Nested(AtRiskSchema),
        required=True,
        metadata={"description": "Amounts are the principal paid out on these loans."},
    )
    written_off = ma.fields.Nested(PartSchema, required=True)


class CohortSchema(Schema):
    """The loans paid out in one month."""

    month = ma.fields.String(required=True)
    loans = Whole(required=True)
    disbursed = Money(required=True, zero=True)
    ages = ma.fields.List(ma.fields.Nested(VintageAgeSchema), required=True)


class VintageReportSchema(Schema):
    """Cohorts by month, oldest first."""

    until = Day(required=True)
    charter_version = Whole(1, required=True)
    items = ma.fields.List(ma.fields.Nested(CohortSchema), required=True)


class RollSchema(PartSchema):
    """Loans that came from one class to another within the month."""

    from_state = ma.fields.String(
        required=True, validate=ma.validate.OneOf(FROM_STATES), data_key="from"
    )
    to_state = ma.fields.String(required=True, validate=ma.validate.OneOf(TO_STATES), data_key="to")


class RollReportSchema(Schema):
    """The moves of a month, from one month's end to the next; only those that happened."""

    from_on = Day(required=True)
    to_on = Day(required=True)
    items = ma.fields.List(ma.fields.Nested(RollSchema), required=True)


class ClassTotalSchema(PartSchema):
    """The loans of one class and what is set aside for them."""

    tier = _tier("class")
    provision = Money(required=True, zero=True)


class ClassReportSchema(Schema):
    """A community's loans by class, best first."""

    items = ma.fields.List(ma.fields.Nested(ClassTotalSchema), required=True)
    unclassified = ma.fields.Nested(
        PartSchema,
        required=True,
        metadata={"description": "Paid out since the last business day."},
    )
    loans = Whole(required=True)
    outstanding = Money(required=True, zero=True)
    provision = Money(required=True, zero=True)
    non_performing = ma.fields.Nested(PartSchema, required=True)
    coverage_bps = Whole(
        required=True,
        metadata={"description": "What is set aside as a share of what does not perform."},
    )


class ClassReasonSchema(Schema):
    """A rule that was looked at, the class that it leads to, and the facts that it has."""

    rule = ma.fields.String(required=True)
    tier = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(tuple(RiskClass)),
        data_key="class",
        attribute="class",
    )
    days_overdue = Whole()
    seasons_missed = Whole()
    loan = ma.fields.String()
    clean_since = ma.fields.String()
    until = ma.fields.String()


class ClassChangeSchema(Schema):
    """A loan came from one class to another."""

    from_class = _tier("from")
    to_class = _tier("to")
    changed_on = Day(required=True, data_key="on")
    reasons = ma.fields.List(ma.fields.Nested(ClassReasonSchema), required=True)
    charter_version = Whole(1, required=True)


class LoanClassSchema(Schema):
    """The class of one loan; null before it was first classified."""

    loan = ma.fields.String(required=True)
    risk_class = _tier("class", allow_none=True)
    own_class = ma.fields.Enum(
        RiskClass,
        by_value=ma.fields.String,
        required=True,
        allow_none=True,
        metadata={"description": "By the loan's own facts, without the member's other loans."},
    )
    since_on = Day(required=True, allow_none=True)
    days_overdue = Whole(required=True)
    clean_since_on = Day(required=True, allow_none=True)
    left_on = Day(required=True, allow_none=True)
    provision = Money(
        required=True,
        zero=True,
        allow_none=True,
        metadata={"description": "Null for those who may not see the portfolio."},
    )
    reasons = ma.fields.List(
        ma.fields.Nested(ClassReasonSchema),
        required=True,
        metadata={"description": "The deciding one first."},
    )
    history = ma.fields.List(
        ma.fields.Nested(ClassChangeSchema),
        required=True,
        metadata={"description": "Newest first."},
    )
