"""The books as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Money, Schema
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
