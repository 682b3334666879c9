"""Amendments, expulsions, statements and warnings of groups as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.exposure.schemas import CapNoteSchema
from app.fields import Day, Instant, Money, PublicId, Schema, Text, YesNo
from app.members.schemas import NamedSchema
from community.groups.models import (
    AgreementBasis,
    AmendmentStatus,
    ExpulsionStatus,
    Settlement,
)
from community.groups.warnings import WarningKind
from community.guarantees.group_bonds import BondKind
from community.trust.group_suggestions import NotSuited

# The engine takes seconds, not minutes, for so many.
CANDIDATES_MAX = 200


class AmendmentInSchema(Schema):
    """Another cap, another end of the promises, members who join; and why."""

    pair_cap = Money()
    vouch_expires_on = Day()
    joining = ma.fields.List(
        PublicId("mem"), load_default=list, validate=ma.validate.Length(max=20)
    )
    reason = Text(500, load_default="")

    @ma.validates_schema
    def _changes_something(self, data: dict[str, Any], **_: Any) -> None:
        joining = data.get("joining", [])
        if len(joining) != len(set(joining)):
            raise ma.ValidationError("Name everybody once.", "joining")
        if not joining and "pair_cap" not in data and "vouch_expires_on" not in data:
            raise ma.ValidationError("Name what is to change.", "pair_cap")


class AmendmentSchema(Schema):
    """A proposal to an active group, and who has signed it."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    status = ma.fields.Enum(AmendmentStatus, by_value=ma.fields.String, required=True)
    version = ma.fields.Integer(required=True)
    pair_cap = Money(minor="pair_cap_minor", required=True)
    vouch_expires_on = Day(required=True)
    # What each would have to pay at most, in force and proposed.
    exposure_before = Money(minor="before_minor", required=True)
    exposure_after = Money(minor="after_minor", required=True)
    joining = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    agreement_hash = ma.fields.String(required=True)
    replaces = ma.fields.String(required=True)
    reason = ma.fields.String(required=True)
    proposed_by = ma.fields.Nested(NamedSchema, required=True)
    proposed_at = Instant(required=True)
    lapses_on = Day(required=True)
    cooling_off_until = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    signed = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    missing = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)


class AmendmentSignedSchema(AmendmentSchema):
    """A proposal after a signature, with what its giver should think of; only they are told."""

    warnings = ma.fields.List(ma.fields.Nested(CapNoteSchema), required=True)


class AmendmentFileSchema(AmendmentSchema):
    """A proposal with what it asks everybody to sign."""

    facts = ma.fields.Dict(required=True)
    text = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        required=True,
        metadata={"description": "By language: zh-CN and en."},
    )


class AgreementVersionSchema(Schema):
    """An agreement that is or was in force; the text of an old one is kept as it was."""

    version = ma.fields.Integer(required=True)
    basis = ma.fields.Enum(AgreementBasis, by_value=ma.fields.String, required=True)
    agreement_hash = ma.fields.String(required=True)
    bound_at = Instant(required=True)
    is_in_force = ma.fields.Boolean(required=True)


class AgreementFileSchema(AgreementVersionSchema):
    """An agreement with its facts and text, and who signed it."""

    facts = ma.fields.Dict(required=True)
    text = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)
    signed = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)


class ElsewhereSchema(Schema):
    """What somebody stands for besides, in one community."""

    community = ma.fields.String(required=True)
    personal = Money(minor="personal_minor", required=True)
    groups = Money(minor="groups_minor", required=True)


class StatementSchema(Schema):
    """What the caller stands for: under an agreement, elsewhere in its currency, and together.

    Amounts in other currencies are in the list only. `leaves` are the groups that the caller
    leaves the moment the agreement comes into force.
    """

    agreement_hash = ma.fields.String(required=True)
    here = Money(minor="here_minor", required=True)
    elsewhere = Money(minor="elsewhere_minor", required=True)
    together = Money(minor="together_minor", required=True)
    parts = ma.fields.List(ma.fields.Nested(ElsewhereSchema), required=True)
    leaves = ma.fields.List(ma.fields.String(), required=True)


class WarningSchema(Schema):
    """Something to think of before signing; it refuses nothing.

    `members` is empty, and names are left out of the text, where it is others' business who.
    """

    kind = ma.fields.Enum(WarningKind, by_value=ma.fields.String, required=True)
    members = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    count = ma.fields.Integer(required=True)
    rule = ma.fields.String(required=True)
    source = ma.fields.String(required=True)
    text = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String(), required=True)


class WarningsSchema(Schema):
    """All warnings on a group."""

    warnings = ma.fields.List(ma.fields.Nested(WarningSchema), required=True)


class BondSchema(Schema):
    """One thing that holds the caller in the group, and what helps."""

    kind = ma.fields.String(required=True, validate=ma.validate.OneOf([*BondKind]))
    id = ma.fields.String(required=True)
    amount = ma.fields.Dict(required=True)
    loans = ma.fields.List(ma.fields.String(), required=True)
    voucher = ma.fields.String(required=True, allow_none=True)
    borrower = ma.fields.String(required=True, allow_none=True)
    remedy = ma.fields.String(required=True)


class BondsSchema(Schema):
    """What would stop the caller's exit today."""

    bonds = ma.fields.List(ma.fields.Nested(BondSchema), required=True)
    hidden = ma.fields.Integer(required=True)


class SuggestionInSchema(Schema):
    """Out of whom to form groups; officers may leave it empty: all who stand in none."""

    candidates = ma.fields.List(
        PublicId("mem"), load_default=list, validate=ma.validate.Length(max=CANDIDATES_MAX)
    )

    @ma.validates_schema
    def _everybody_once(self, data: dict[str, Any], **_: Any) -> None:
        named = data.get("candidates", [])
        if len(named) != len(set(named)):
            raise ma.ValidationError("Name everybody once.", "candidates")


class WeakestSchema(Schema):
    """The pair in a group that has promised each other least."""

    members = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    trust = Money(minor="trust_minor", required=True)


class SuggestedGroupSchema(Schema):
    """People who would go together. Amounts are for those who look after the community."""

    members = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    trust = Money(minor="trust_minor", required=True, allow_none=True)
    weakest = ma.fields.Nested(WeakestSchema, required=True, allow_none=True)


class NotSuitedSchema(Schema):
    """Somebody who is put into no group; why is for those who look after the community."""

    member = ma.fields.Nested(NamedSchema, required=True)
    why = ma.fields.String(required=True, allow_none=True, validate=ma.validate.OneOf([*NotSuited]))


class SuggestionSchema(Schema):
    """Groups within the charter, with as much trust inside as can be, and who is left over.

    `because` counts those left over for size, household or risk; `is_best`: nothing better exists,
    else the trust of all groups is at most `bound`.
    """

    groups = ma.fields.List(ma.fields.Nested(SuggestedGroupSchema), required=True)
    left_over = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)
    because = ma.fields.Dict(required=True)
    not_suited = ma.fields.List(ma.fields.Nested(NotSuitedSchema), required=True)
    is_best = ma.fields.Boolean(required=True)
    trust = Money(minor="trust_minor", required=True, allow_none=True)
    bound = Money(minor="bound_minor", required=True, allow_none=True)
    size_min = ma.fields.Integer(required=True)
    size_max = ma.fields.Integer(required=True)
    charter_version = ma.fields.Integer(required=True)


class RecallSchema(Schema):
    """Whether the leader should go at once."""

    recall = YesNo(required=True)


class ExpulsionInSchema(Schema):
    """Who should go, why, and what becomes of what they owe."""

    member = PublicId("mem", required=True)
    settlement = ma.fields.Enum(Settlement, by_value=ma.fields.String, required=True)
    reason = Text(500, required=True)


class ConsentInSchema(Schema):
    """Consent; with `taken_over`, what one's own promise for the member covers today."""

    takes_over = Money(zero=True)


class ConsentSchema(Schema):
    """Who consented, and when."""

    member = ma.fields.Nested(NamedSchema, required=True)
    given_at = Instant(required=True)


class ExpulsionSchema(Schema):
    """A member whom others want to go; `my_part` is what the caller would take over."""

    id = ma.fields.String(required=True)
    group = ma.fields.String(required=True)
    member = ma.fields.Nested(NamedSchema, required=True)
    settlement = ma.fields.Enum(Settlement, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(ExpulsionStatus, by_value=ma.fields.String, required=True)
    reason = ma.fields.String(required=True)
    proposed_by = ma.fields.Nested(NamedSchema, required=True)
    proposed_at = Instant(required=True)
    lapses_on = Day(required=True)
    ended_at = Instant(required=True, allow_none=True)
    consents = ma.fields.List(ma.fields.Nested(ConsentSchema), required=True)
    needed = ma.fields.Integer(required=True)
    my_part = Money(minor="my_part_minor", required=True, allow_none=True)
