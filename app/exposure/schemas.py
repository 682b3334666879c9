"""Registers and previews of what somebody could owe for others, as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Money, PublicId, Schema
from app.members.schemas import NamedSchema
from community.communities.charter import GuaranteeBase, LiabilityMode
from community.trust.guarantee_caps import CapKind
from community.trust.models import VouchKind, VouchStatus


class CapNoteSchema(Schema):
    """Something to think of before signing, or the reason why it cannot be signed."""

    kind = ma.fields.Enum(CapKind, by_value=ma.fields.String, required=True)
    rule = ma.fields.String(required=True)
    refuses = ma.fields.Boolean(required=True)
    text = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class RuleSourceSchema(Schema):
    """A rule of the charter, its value and where it is from."""

    rule = ma.fields.String(required=True)
    value = ma.fields.Raw(required=True)
    source = ma.fields.String(required=True)


class ExposureLoanSchema(Schema):
    """What of one loan rests on a promise; by `second_hop` it is behind whom the promise is for."""

    loan = ma.fields.String(required=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    second_hop = ma.fields.Boolean(required=True)
    liability_mode = ma.fields.Enum(
        LiabilityMode, by_value=ma.fields.String, attribute="mode", required=True
    )
    shared_line = ma.fields.String(required=True, allow_none=True)
    reserved = Money(minor="reserved_minor", required=True)
    called = Money(minor="called_minor", required=True)
    if_all_fail = Money(minor="if_all_fail_minor", required=True)
    if_at_risk_fail = Money(minor="if_at_risk_fail_minor", required=True)
    if_nobody_else_pays = Money(minor="if_nobody_else_pays_minor", required=True)


class ExposureRegisterLineSchema(Schema):
    """One promise: what was signed, what could still be asked on it, what rests on it."""

    vouch = ma.fields.String(required=True)
    kind = ma.fields.Enum(VouchKind, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(VouchStatus, by_value=ma.fields.String, required=True)
    group = ma.fields.Nested(NamedSchema, required=True, allow_none=True)
    borrower = ma.fields.Nested(NamedSchema, required=True)
    borrower_at_risk = ma.fields.Boolean(required=True)
    expires_on = Day(required=True)
    signed = Money(minor="signed_minor", required=True)
    paid = Money(minor="paid_minor", required=True)
    most = Money(minor="most_minor", required=True)
    reserved = Money(minor="reserved_minor", required=True)
    called = Money(minor="called_minor", required=True)
    if_all_fail = Money(minor="if_all_fail_minor", required=True)
    if_at_risk_fail = Money(minor="if_at_risk_fail_minor", required=True)
    if_nobody_else_pays = Money(minor="if_nobody_else_pays_minor", required=True)
    loans = ma.fields.List(ma.fields.Nested(ExposureLoanSchema), required=True)


class ExposureRegisterSchema(Schema):
    """If everyone I stand behind fails, I owe `if_all_fail`; if those at risk, `if_at_risk_fail`.

    `if_nobody_else_pays`: nobody else who is asked pays anything either. `most`: every promise is
    used in full.
    """

    on = Day(required=True)
    most = Money(minor="most_minor", required=True)
    reserved = Money(minor="reserved_minor", required=True)
    called = Money(minor="called_minor", required=True)
    if_all_fail = Money(minor="if_all_fail_minor", required=True)
    if_at_risk_fail = Money(minor="if_at_risk_fail_minor", required=True)
    if_nobody_else_pays = Money(minor="if_nobody_else_pays_minor", required=True)
    count = ma.fields.Integer(required=True)
    base_kind = ma.fields.Enum(GuaranteeBase, by_value=ma.fields.String, required=True)
    base = Money(minor="base_minor", required=True)
    ratio_bps = ma.fields.Integer(required=True, allow_none=True)
    allowed = Money(minor="allowed_minor", required=True, allow_none=True)
    charter_version = ma.fields.Integer(required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleSourceSchema), required=True)
    lines = ma.fields.List(ma.fields.Nested(ExposureRegisterLineSchema), required=True)


class VouchPreviewInSchema(Schema):
    """A promise that somebody thinks of giving."""

    borrower = PublicId("mem", required=True)
    limit = Money(required=True)
    expires_on = Day(required=True)


class ExposurePreviewLineSchema(Schema):
    """What could be asked for one person on this paper, before and after."""

    borrower = ma.fields.Nested(NamedSchema, required=True)
    before = Money(minor="before_minor", required=True)
    after = Money(minor="after_minor", required=True)
    expires_on = Day(required=True)


class ExposurePreviewSchema(Schema):
    """What I could owe for others before and after signing, and what speaks against it."""

    member = ma.fields.Nested(NamedSchema, required=True)
    on = Day(required=True)
    before = Money(minor="before_minor", required=True)
    after = Money(minor="after_minor", required=True)
    if_all_fail = Money(minor="if_all_fail_minor", required=True)
    count_before = ma.fields.Integer(required=True)
    count_after = ma.fields.Integer(required=True)
    count_max = ma.fields.Integer(required=True)
    base_kind = ma.fields.Enum(GuaranteeBase, by_value=ma.fields.String, required=True)
    base = Money(minor="base_minor", required=True)
    ratio_before_bps = ma.fields.Integer(required=True, allow_none=True)
    ratio_after_bps = ma.fields.Integer(required=True, allow_none=True)
    allowed = Money(minor="allowed_minor", required=True, allow_none=True)
    refused = ma.fields.Boolean(required=True)
    charter_version = ma.fields.Integer(required=True)
    rules = ma.fields.List(ma.fields.Nested(RuleSourceSchema), required=True)
    lines = ma.fields.List(ma.fields.Nested(ExposurePreviewLineSchema), required=True)
    warnings = ma.fields.List(ma.fields.Nested(CapNoteSchema), attribute="notes", required=True)
    text = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={"description": "By language: zh-CN and en."},
    )
