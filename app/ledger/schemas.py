"""The books as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, Schema
from community.ledger.chart import AccountClass, Side
from community.ledger.models import AccountKind


class LegSchema(Schema):
    """One leg: debits are positive, credits negative."""

    account = ma.fields.Enum(AccountKind, by_value=ma.fields.String, required=True)
    owner = ma.fields.String(required=True, allow_none=True)
    amount = Money(minor="amount_minor", positive=False, required=True)


class EntrySchema(Schema):
    """A journal entry with its place in the chain."""

    number = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    business_on = Day(required=True)
    value_on = Day(required=True)
    recorded_at = Instant(required=True)
    reference = ma.fields.String(required=True)
    reverses = ma.fields.Integer(required=True, allow_none=True)
    prev_hash = ma.fields.String(required=True)
    hash = ma.fields.String(required=True)
    legs = ma.fields.List(ma.fields.Nested(LegSchema), required=True)


class EventSchema(Schema):
    """Something of consequence that happened, with its place in the chain."""

    number = ma.fields.Integer(required=True)
    kind = ma.fields.String(required=True)
    subject = ma.fields.String(required=True)
    recorded_at = Instant(required=True)
    actor = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Null: the platform itself."}
    )
    facts = ma.fields.Dict(required=True)
    prev_hash = ma.fields.String(required=True)
    hash = ma.fields.String(required=True)


class BreachSchema(Schema):
    """A law of the books that a row breaks."""

    law = ma.fields.Integer(required=True)
    table = ma.fields.String(required=True)
    row = ma.fields.String(required=True)
    what = ma.fields.String(required=True)


class VerificationSchema(Schema):
    """What was looked at, and what was found broken: at most a hundred breaches."""

    holds = ma.fields.Boolean(required=True)
    entries = ma.fields.Integer(required=True)
    postings = ma.fields.Integer(required=True)
    events = ma.fields.Integer(required=True)
    breaches = ma.fields.List(ma.fields.Nested(BreachSchema), required=True)


class BalanceSchema(Schema):
    """What all accounts of one kind hold together, positive on the kind's normal side."""

    account = ma.fields.Enum(AccountKind, by_value=ma.fields.String, required=True)
    amount = Money(minor="amount_minor", positive=False, required=True)


class BalancesSchema(Schema):
    """A community's balances by kind of account."""

    closed_through = Day(required=True, allow_none=True)
    records = ma.fields.Integer(required=True)
    head_hash = ma.fields.String(required=True)
    balances = ma.fields.List(ma.fields.Nested(BalanceSchema), required=True)


class ChartLineSchema(Schema):
    """One kind of account: what it is, on which side it grows, for whom."""

    code = ma.fields.String(required=True)
    account = ma.fields.Enum(
        AccountKind, by_value=ma.fields.String, attribute="kind", required=True
    )
    account_class = ma.fields.Enum(
        AccountClass, by_value=ma.fields.String, data_key="class", required=True
    )
    side = ma.fields.Enum(Side, by_value=ma.fields.String, required=True)
    owned = ma.fields.Boolean(required=True)
    name_en = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)
    purpose = ma.fields.String(required=True)


class ChartSchema(Schema):
    """The chart of accounts, by code."""

    items = ma.fields.List(ma.fields.Nested(ChartLineSchema), required=True)


class TrialColumnsSchema(Schema):
    """Opening, movements and closing, debits beside credits; none is below zero."""

    opening_debit = Money(minor="opening_debit_minor", required=True)
    opening_credit = Money(minor="opening_credit_minor", required=True)
    debit = Money(minor="debit_minor", required=True)
    credit = Money(minor="credit_minor", required=True)
    closing_debit = Money(minor="closing_debit_minor", required=True)
    closing_credit = Money(minor="closing_credit_minor", required=True)


class TrialLineSchema(TrialColumnsSchema):
    """One kind of account over the period."""

    code = ma.fields.String(required=True)
    account = ma.fields.Enum(AccountKind, by_value=ma.fields.String, required=True)
    name_en = ma.fields.String(required=True)
    name_zh = ma.fields.String(required=True)


class TrialTotalsSchema(TrialColumnsSchema):
    """The columns' sums in one currency, and whether each pair is equal."""

    balances = ma.fields.Boolean(required=True)


class TrialBalanceSchema(Schema):
    """A community's accounts over a period, added up from its postings."""

    community = ma.fields.String(required=True)
    from_on = Day(data_key="from", required=True)
    to_on = Day(data_key="to", required=True)
    closed_through = Day(required=True, allow_none=True)
    lines = ma.fields.List(ma.fields.Nested(TrialLineSchema), required=True)
    totals = ma.fields.List(ma.fields.Nested(TrialTotalsSchema), required=True)


class AccountLineSchema(Schema):
    """One leg; the amount is positive where the account grows."""

    number = ma.fields.Integer(required=True)
    on = Day(required=True)
    value_on = Day(required=True)
    kind = ma.fields.String(required=True)
    reference = ma.fields.String(required=True)
    member = ma.fields.String(required=True, allow_none=True)
    loan = ma.fields.String(required=True, allow_none=True)
    amount = Money(minor="amount_minor", positive=False, required=True)
    balance = Money(minor="balance_minor", positive=False, required=True)


class AccountStatementSchema(Schema):
    """A page of what moved on all accounts of a kind; `opening` and `closing` are the period's."""

    community = ma.fields.String(required=True)
    account = ma.fields.Enum(AccountKind, by_value=ma.fields.String, required=True)
    from_on = Day(data_key="from", required=True)
    to_on = Day(data_key="to", required=True)
    opening = Money(minor="opening_minor", positive=False, required=True)
    closing = Money(minor="closing_minor", positive=False, required=True)
    items = ma.fields.List(ma.fields.Nested(AccountLineSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)


class SectionSchema(Schema):
    """Savings, stake, overpayments or one loan: what it held, what came and what went.

    A loan's `interest` was paid beside its balance: interest, and recoveries after a write-off.
    """

    section = ma.fields.String(attribute="key", required=True)
    purpose = ma.fields.String(required=True)
    opening = Money(minor="opening_minor", positive=False, required=True)
    added = Money(minor="added_minor", required=True)
    taken = Money(minor="taken_minor", required=True)
    interest = Money(minor="beside_minor", positive=False, required=True)
    closing = Money(minor="closing_minor", positive=False, required=True)


class PaidStraightSchema(Schema):
    """A part of a loan that went straight to a payee."""

    payee_name = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", required=True)


class MemberLineSchema(Schema):
    """One movement of a section, with its receipt."""

    section = ma.fields.String(required=True)
    on = Day(required=True)
    value_on = Day(required=True)
    kind = ma.fields.String(required=True)
    receipt = ma.fields.String(required=True)
    amount = Money(minor="amount_minor", positive=False, required=True)
    interest = Money(minor="beside_minor", positive=False, required=True)
    balance = Money(minor="balance_minor", positive=False, required=True)
    payees = ma.fields.List(
        ma.fields.Nested(PaidStraightSchema),
        required=True,
        metadata={"description": "Of a loan that was paid out: who was paid straight."},
    )


class MemberStatementSchema(Schema):
    """A page of all that moved for a member in a community; sections are the whole period's."""

    community = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    from_on = Day(data_key="from", required=True)
    to_on = Day(data_key="to", required=True)
    sections = ma.fields.List(ma.fields.Nested(SectionSchema), required=True)
    items = ma.fields.List(ma.fields.Nested(MemberLineSchema), required=True)
    next_cursor = ma.fields.String(required=True, allow_none=True)
