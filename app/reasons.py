"""Why a step was taken, as it crosses the wire: a code, its facts, and words in both languages."""

from typing import Any

import marshmallow as ma

from app.fields import Schema
from community.money import format_minor
from community.reasons import REASONS, read_because


class BecauseSchema(Schema):
    """A reason of the platform's own: which, its facts, and what it says in each language."""

    code = ma.fields.String(required=True, validate=ma.validate.OneOf([*REASONS]))
    facts = ma.fields.Dict(required=True)
    text = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={"description": "By language: zh-CN and en."},
    )


def because_view(reason: str, currency: str = "") -> dict[str, Any] | None:
    """The reason of a step, if it is the platform's; None: somebody typed it, or there is none."""
    found = read_because(reason)
    if found is None:
        return None
    facts: dict[str, Any] = {}
    for name, value in found.facts.items():
        if name.endswith("_minor"):
            amount = format_minor(int(value), currency)
            facts[name.removesuffix("_minor")] = {"amount": amount, "currency": currency}
        else:
            facts[name] = value
    return {"code": found.code, "facts": facts, "text": found.words(currency)}
