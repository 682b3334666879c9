"""Webhooks as they cross the wire."""

import marshmallow as ma

from app.fields import Instant, PublicId, Schema, Text
from app.paging import PageArgs
from community.webhooks.kinds import KINDS
from community.webhooks.models import DeliveryState, WebhookState

_ID = {"example": "whk_0123456789abcdef"}


class WebhookInSchema(Schema):
    """Whom to tell of what."""

    url = Text(
        500,
        required=True,
        metadata={
            "description": "Begins with https:// and names a host of the internet.",
            "example": "https://bank.example/hooks/lianbao",
        },
    )
    kinds = ma.fields.List(
        Text(60),
        required=True,
        validate=ma.validate.Length(min=1, max=len(KINDS)),
        metadata={
            "description": "Kinds of records, or families of them.",
            "example": ["loan.*", "case.opened"],
        },
    )
    community = PublicId(
        "com",
        load_default=None,
        allow_none=True,
        metadata={"description": "Of this community and those below it; null: of all."},
    )


class WebhookStateInSchema(Schema):
    """What a webhook is to be, and why."""

    state = ma.fields.Enum(WebhookState, by_value=ma.fields.String, required=True)
    reason = Text(500, load_default="asked for")


class WebhookSchema(Schema):
    """A webhook, without its secret."""

    id = ma.fields.String(required=True, metadata=_ID)
    url = ma.fields.String(required=True)
    kinds = ma.fields.List(ma.fields.String(), required=True)
    community = ma.fields.String(required=True, allow_none=True)
    state = ma.fields.Enum(WebhookState, by_value=ma.fields.String, required=True)
    reason = ma.fields.String(required=True)
    waiting = ma.fields.Integer(required=True)
    delivered = ma.fields.Integer(required=True)
    dead = ma.fields.Integer(required=True)
    created_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


class WebhookSecretSchema(WebhookSchema):
    """A webhook with its secret: shown this once."""

    secret = ma.fields.String(
        required=True,
        metadata={"description": "whsec_ and the key in base64; it signs every delivery."},
    )


class DeliveryArgs(PageArgs):
    """Which deliveries."""

    state = ma.fields.Enum(DeliveryState, by_value=ma.fields.String)


class DeliverySchema(Schema):
    """One record on its way to one receiver."""

    id = ma.fields.String(required=True, metadata={"example": "whd_0123456789abcdef"})
    kind = ma.fields.String(required=True)
    subject = ma.fields.String(required=True)
    seq = ma.fields.Integer(
        required=True, metadata={"description": "Its place in the community's book."}
    )
    recorded_at = Instant(required=True)
    state = ma.fields.Enum(DeliveryState, by_value=ma.fields.String, required=True)
    attempts = ma.fields.Integer(required=True)
    next_at = Instant(required=True, allow_none=True)
    last_status = ma.fields.Integer(required=True, allow_none=True)
    fault = ma.fields.String(required=True)
    settled_at = Instant(required=True, allow_none=True)
