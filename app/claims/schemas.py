"""Claims, their settlements and statements as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Money, Schema, Text
from app.ledger.periods import PeriodArgs
from app.paging import PageArgs
from community.guarantees.models import ClaimGround, MovementKind, PaidAs, SettlementStatus
from community.guarantees.statements import Side


class ClaimArgs(PageArgs):
    """Which claims: those the member has, those on them, or both."""

    side = ma.fields.Enum(Side, by_value=ma.fields.String, load_default=None)


class RecourseArgs(PeriodArgs):
    """Whose side of which days."""

    side = ma.fields.Enum(Side, by_value=ma.fields.String, load_default=Side.CLAIMED)


class ClaimSchema(Schema):
    """What somebody who paid may claim back, and from whom (追偿权).

    `settled` was paid by this debtor; `relieved` fell away as another debtor of the same money
    paid; `left` is what is open, with `interest` booked up to `interest_through_on`.
    """

    id = ma.fields.String(required=True)
    loan = ma.fields.String(required=True)
    payment = ma.fields.String(required=True)
    claimant = ma.fields.String(required=True, allow_none=True)
    debtor = ma.fields.String(required=True)
    ground = ma.fields.Enum(ClaimGround, by_value=ma.fields.String, required=True)
    paid_as = ma.fields.Enum(PaidAs, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    settled = Money(minor="all_settled_minor", required=True)
    relieved = Money(minor="all_relieved_minor", required=True)
    waived = Money(minor="all_waived_minor", required=True)
    left = Money(minor="open_minor", required=True)
    left_principal = Money(minor="principal_open_minor", required=True)
    yearly_rate_ppm = ma.fields.Integer(attribute="rate_ppm", required=True)
    year_days = ma.fields.Integer(required=True)
    interest_first = ma.fields.Boolean(required=True)
    interest_through_on = Day(required=True)
    created_on = Day(required=True)


class ClaimMovementSchema(Schema):
    """One change of what is open on a claim, up positive."""

    kind = ma.fields.Enum(MovementKind, by_value=ma.fields.String, required=True)
    principal = Money(minor="principal_minor", positive=False, required=True)
    interest = Money(minor="interest_minor", positive=False, required=True)
    moved_on = Day(required=True)
    settlement = ma.fields.String(required=True, allow_none=True)
    reason = ma.fields.String(required=True)


class ClaimSettlementSchema(Schema):
    """Money that a debtor gave a claimant outside the loan, as both say."""

    id = ma.fields.String(required=True)
    claim = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)
    principal = Money(minor="principal_minor", required=True)
    interest = Money(minor="interest_minor", required=True)
    status = ma.fields.Enum(SettlementStatus, by_value=ma.fields.String, required=True)
    stated_by = ma.fields.String(required=True)
    paid_on = Day(required=True)
    stated_on = Day(required=True)
    answered_on = Day(required=True, allow_none=True)
    reversed_on = Day(required=True, allow_none=True)
    reason = ma.fields.String(required=True)
    left = Money(minor="left_minor", required=True)


class ClaimDetailSchema(ClaimSchema):
    """A claim with its history, and what is owed on it today."""

    due_today = Money(minor="due_today_minor", required=True)
    history = ma.fields.List(ma.fields.Nested(ClaimMovementSchema), required=True)
    settlements = ma.fields.List(ma.fields.Nested(ClaimSettlementSchema), required=True)


class ClaimSettlementInSchema(Schema):
    """What was given, and on which day: today if it is left out."""

    amount = Money(required=True)
    paid_on = Day(load_default=None, allow_none=True)


class ClaimWaiverSchema(Schema):
    """How much is let go, all that is left if no amount is given; and why."""

    amount = Money(load_default=None, allow_none=True)
    reason = Text(500, required=True)


class ClaimReasonSchema(Schema):
    """A reason in words."""

    reason = Text(500, required=True)


class ClaimStatementLineSchema(Schema):
    """One movement of a statement, with the balance after it."""

    moved_on = Day(required=True)
    claim = ma.fields.String(required=True)
    other = ma.fields.String(required=True, allow_none=True)
    kind = ma.fields.Enum(MovementKind, by_value=ma.fields.String, required=True)
    principal = Money(minor="principal_minor", positive=False, required=True)
    interest = Money(minor="interest_minor", positive=False, required=True)
    balance = Money(minor="balance_minor", positive=False, required=True)


class ClaimStatementSchema(Schema):
    """What a member had to get (or to pay) at the beginning of a period, what moved, what is left.

    `running_interest` has grown up to today and is not booked yet; null if the period is over.
    """

    side = ma.fields.Enum(Side, by_value=ma.fields.String, required=True)
    member = ma.fields.String(required=True)
    from_on = Day(data_key="from", required=True)
    to_on = Day(data_key="to", required=True)
    opening = Money(minor="opening_minor", positive=False, required=True)
    lines = ma.fields.List(ma.fields.Nested(ClaimStatementLineSchema), required=True)
    closing = Money(minor="closing_minor", positive=False, required=True)
    running_interest = Money(required=True, allow_none=True)
