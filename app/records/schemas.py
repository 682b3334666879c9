"""Consents and records as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Day, Instant, Money, PublicId, Schema, Text, YesNo
from app.members.schemas import NamedSchema
from community.records.signing import TEXT_MAX
from community.records.statement import RecordField, RecordPurpose
from community.records.verifying import Fault

_SIGNED = {"description": "A compact JWS (RFC 7515) with EdDSA."}


def _choices(enum: Any) -> ma.fields.List:
    return ma.fields.List(
        ma.fields.Enum(enum, by_value=ma.fields.String),
        required=True,
        validate=ma.validate.Length(min=1, max=len(enum)),
    )


class RecordConsentInSchema(Schema):
    """To whom a member lets out what of their record, for what, until when."""

    recipient = Text(
        120,
        required=True,
        metadata={"description": "A community's id, or the name that a bank goes by."},
    )
    recipient_subject = Text(
        120,
        load_default=None,
        allow_none=True,
        metadata={"description": "Under which the recipient knows the member."},
    )
    purposes = _choices(RecordPurpose)
    fields_ = ma.fields.List(
        ma.fields.Enum(RecordField, by_value=ma.fields.String),
        required=True,
        data_key="fields",
        validate=ma.validate.Length(min=1, max=len(RecordField)),
    )
    until_on = Day(required=True)

    @ma.validates_schema
    def _once_each(self, data: dict[str, Any], **_: Any) -> None:
        for name in ("purposes", "fields_"):
            if len(set(data.get(name, []))) < len(data.get(name, [])):
                raise ma.ValidationError("Name each once.", name.rstrip("_"))


class RecordReasonSchema(Schema):
    """Why."""

    reason = Text(500, load_default="no longer wanted")


class RecordConsentSchema(Schema):
    """A consent, and whether records can be issued under it today."""

    id = ma.fields.String(required=True)
    community = ma.fields.String(required=True)
    member = ma.fields.Nested(NamedSchema, required=True)
    recipient = ma.fields.String(required=True)
    recipient_subject = ma.fields.String(required=True, allow_none=True)
    purposes = ma.fields.List(ma.fields.String(), required=True)
    fields_ = ma.fields.List(ma.fields.String(), required=True, data_key="fields")
    given_on = Day(required=True)
    until_on = Day(required=True)
    withdrawn_on = Day(required=True, allow_none=True)
    is_live = YesNo(required=True)
    created_at = Instant(required=True)


class RecordSummarySchema(Schema):
    """A record that was issued, without what it says."""

    id = ma.fields.String(required=True)
    consent = ma.fields.String(required=True)
    issued_on = Day(required=True)
    expires_on = Day(required=True)
    revoked_on = Day(required=True, allow_none=True)
    created_at = Instant(required=True)


class RecordSchema(RecordSummarySchema):
    """A record with its signed text."""

    text = ma.fields.String(required=True, metadata=_SIGNED)


class RecordKeySchema(Schema):
    """A public key as a JWK (RFC 8037), and the days on which it signed."""

    kty = ma.fields.String(required=True)
    crv = ma.fields.String(required=True)
    x = ma.fields.String(required=True)
    kid = ma.fields.String(required=True, metadata={"description": "Its RFC 7638 thumbprint."})
    alg = ma.fields.String(required=True)
    use = ma.fields.String(required=True)
    from_on = ma.fields.String(required=True, allow_none=True)
    until_on = ma.fields.String(required=True, allow_none=True)
    revoked_on = ma.fields.String(required=True, allow_none=True)


class RecordKeysSchema(Schema):
    """A JWK set: every key that ever signed a record here."""

    keys = ma.fields.List(ma.fields.Nested(RecordKeySchema), required=True)


class RevocationsSchema(Schema):
    """The signed list of revoked records."""

    revocations = ma.fields.String(required=True, metadata=_SIGNED)


class RecordVerifyInSchema(Schema):
    """A record, and by what it is to be checked; what is left out is the platform's own."""

    record = Text(TEXT_MAX, required=True)
    keys = ma.fields.Dict(keys=ma.fields.String(), load_default=None, allow_none=True)
    revocations = Text(TEXT_MAX, load_default=None, allow_none=True)
    audience = Text(120, load_default=None, allow_none=True)
    on = Day(load_default=None, allow_none=True)


class RecordFailureSchema(Schema):
    """One thing that fails."""

    fault = ma.fields.Enum(Fault, by_value=ma.fields.String, required=True)
    detail = ma.fields.String(required=True)
    field = ma.fields.String(required=True, allow_none=True)


class RecordVerdictSchema(Schema):
    """Whether a record holds, and all that fails; what it says only if its signature holds."""

    holds = YesNo(required=True)
    failures = ma.fields.List(ma.fields.Nested(RecordFailureSchema), required=True)
    kid = ma.fields.String(required=True, allow_none=True)
    revocations_on = Day(required=True, allow_none=True)
    payload = ma.fields.Dict(required=True, allow_none=True)


class RecordImportInSchema(Schema):
    """A record, and the list of revocations of an issuer elsewhere."""

    record = Text(TEXT_MAX, required=True)
    revocations = Text(TEXT_MAX, load_default=None, allow_none=True)


class RecordImportSchema(Schema):
    """A record that was taken in, and the standing that it gave."""

    community = ma.fields.String(required=True)
    member = PublicId("mem", required=True)
    issuer = ma.fields.String(required=True)
    record = ma.fields.String(required=True)
    kid = ma.fields.String(required=True)
    digest = ma.fields.String(required=True)
    issued_on = Day(required=True)
    revocations_on = Day(required=True)
    assessed_there = Money(minor="assessed_there_minor", required=True)
    share_bps = ma.fields.Integer(required=True)
    amount = Money(minor="amount_minor", required=True)
    assessment = ma.fields.String(required=True)
    expires_on = Day(required=True)
    taken_on = Day(required=True)
