"""The access log, the export and the erasure of a member's data as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, Schema, Text, YesNo
from app.members.schemas import NamedSchema
from community.personal.models import ErasureState, ReaderRole


class AccessNoteSchema(Schema):
    """Somebody in office looked at it, in this hour."""

    reader = ma.fields.Nested(NamedSchema, required=True)
    role = ma.fields.Enum(ReaderRole, by_value=ma.fields.String, required=True)
    action = ma.fields.String(required=True)
    hour_at = Instant(required=True)


class OwnDataSchema(Schema):
    """Everything that is held about a member: rows by table, as docs/personal-data.md says."""

    format = ma.fields.String(required=True)
    member = ma.fields.String(required=True)
    exported_at = ma.fields.String(required=True)
    household = ma.fields.Dict(keys=ma.fields.String(), required=True, allow_none=True)
    data = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.List(ma.fields.Dict()), required=True
    )
    named_elsewhere = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Integer(), required=True
    )
    withheld = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class PurposeSchema(Schema):
    """What consent is asked for: the text in force, by language."""

    purpose = ma.fields.String(required=True)
    text_version = ma.fields.String(required=True)
    texts = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class PurposeConsentSchema(Schema):
    """A consent, as it was given and perhaps withdrawn."""

    purpose = ma.fields.String(required=True)
    text_version = ma.fields.String(required=True)
    given_at = Instant(required=True)
    withdrawn_at = Instant(required=True, allow_none=True)


class ConsentsSchema(Schema):
    """What a member may consent to, and what they did."""

    purposes = ma.fields.List(ma.fields.Nested(PurposeSchema), required=True)
    consents = ma.fields.List(ma.fields.Nested(PurposeConsentSchema), required=True)


class PurposeConsentInSchema(Schema):
    """The version of the text that the member has read."""

    text_version = Text(20, required=True)


class KeptSchema(Schema):
    """A table of which rows stay, under no name, and why."""

    table = ma.fields.String(required=True)
    why = ma.fields.String(required=True)


class ErasureSchema(Schema):
    """What was deleted and emptied, and what stays."""

    erased_at = Instant(required=True)
    removed = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    emptied = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    kept = ma.fields.List(ma.fields.Nested(KeptSchema), required=True)


class ErasureRequestInSchema(Schema):
    """That it cannot be undone was read and understood: only `true` counts."""

    understood = YesNo(
        required=True,
        validate=ma.validate.Equal(True, error="Say that you have understood it."),
        metadata={"example": True},
    )


class ErasureRefusalInSchema(Schema):
    """Why it cannot be now, for the member to read."""

    reason = Text(500, required=True)


class ErasureRequestSchema(Schema):
    """A member's wish to be erased, and what became of it."""

    state = ma.fields.Enum(ErasureState, by_value=ma.fields.String, required=True)
    asked_at = Instant(required=True)
    due_on = Day(required=True, metadata={"description": "By when the office answers."})
    settled_at = Instant(required=True, allow_none=True)
    reason = ma.fields.String(required=True)


class RetentionRuleSchema(Schema):
    """How long one kind is kept, and who says so."""

    days = ma.fields.Integer(required=True)
    source = ma.fields.String(required=True)


class RetentionRunSchema(Schema):
    """One day's taking away of what had run out."""

    on = Day(required=True)
    rules = ma.fields.Dict(
        keys=ma.fields.String(), values=ma.fields.Nested(RetentionRuleSchema), required=True
    )
    counts = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.Integer(),
        required=True,
        metadata={"description": "What was taken away so far, by kind."},
    )
    started_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)


class WaitingErasureSchema(ErasureRequestSchema):
    """A wish that waits for the office's answer, and whose it is."""

    member = ma.fields.Nested(NamedSchema, required=True)


class ErasureOutlookSchema(Schema):
    """What erasure would take, what it would leave and why, and what has to end before."""

    live = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.Integer(), required=True)
    removed = ma.fields.List(ma.fields.String(), required=True)
    emptied = ma.fields.List(ma.fields.String(), required=True)
    kept = ma.fields.List(ma.fields.Nested(KeptSchema), required=True)
    answer_days = ma.fields.Integer(required=True)
    answer_source = ma.fields.String(required=True)
    request = ma.fields.Nested(ErasureRequestSchema, required=True, allow_none=True)
