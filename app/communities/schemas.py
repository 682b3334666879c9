"""Communities, charters and memberships as they cross the wire."""

import marshmallow as ma

from app.fields import Day, Instant, PublicId, Schema, Text
from app.members.schemas import NamedSchema
from app.paging import PageArgs
from app.reasons import BecauseSchema
from community.communities.models import CommunityKind, MembershipStatus
from community.money import CURRENCY_EXPONENTS
from community.reasons import because


class CommunitySchema(Schema):
    """A community; `parent` is the one that it is inside of."""

    id = ma.fields.String(required=True)
    kind = ma.fields.Enum(CommunityKind, by_value=ma.fields.String, required=True)
    name = ma.fields.String(required=True)
    reference = ma.fields.String(required=True)
    currency = ma.fields.String(required=True)
    parent = ma.fields.String(required=True, allow_none=True)
    created_at = Instant(required=True)


class CommunityInSchema(Schema):
    """A new community."""

    kind = ma.fields.Enum(CommunityKind, by_value=ma.fields.String, required=True)
    name = Text(120, required=True)
    reference = Text(64, required=True)
    currency = ma.fields.String(
        required=True, validate=ma.validate.OneOf(sorted(CURRENCY_EXPONENTS))
    )
    parent = PublicId("com", load_default=None, allow_none=True)


class CommunityChangeSchema(Schema):
    """Another name."""

    name = Text(120, required=True)


class OnArgs(Schema):
    """`?on=2026-11-23`; today if it is left out."""

    on = Day(load_default=None)


class CharterInSchema(Schema):
    """Rules, each as `{"value": …, "source": "…"}`, on top of what to begin from.

    `begin_from` is `nothing` (then all rules have to be given), `present` (the charter in force)
    or a template's name.
    """

    valid_from = Day(required=True)
    source = Text(500, required=True)
    begin_from = Text(60, load_default="nothing")
    rules = ma.fields.Dict(
        keys=Text(60),
        values=ma.fields.Dict(keys=ma.fields.String()),
        load_default=dict,
        # More than there are rules: each name is looked at by the charter itself.
        validate=ma.validate.Length(max=500),
    )


class CharterSchema(Schema):
    """A charter with all its rules and their sources."""

    # Whose charter it is: this community's or that of the nearest one above it.
    community = ma.fields.String(required=True)
    version = ma.fields.Integer(required=True)
    valid_from = Day(required=True)
    source = ma.fields.String(required=True)
    rules = ma.fields.Dict(required=True)
    created_at = Instant(required=True)


class RuleChangeSchema(Schema):
    """A rule as it is and as it would be."""

    rule = ma.fields.String(required=True)
    before = ma.fields.Raw(required=True, allow_none=True)
    after = ma.fields.Raw(required=True, allow_none=True)
    source = ma.fields.String(required=True)


class PreviewSchema(Schema):
    """What a charter would change; nothing is adopted."""

    differences = ma.fields.List(ma.fields.Nested(RuleChangeSchema), required=True)


class TemplateNamesSchema(Schema):
    """The templates that there are."""

    items = ma.fields.List(ma.fields.String(), required=True)


class TemplateSchema(Schema):
    """A rule set to begin from."""

    kind = ma.fields.String(required=True)
    currency = ma.fields.String(required=True)
    about = ma.fields.String(required=True)
    rules = ma.fields.Dict(required=True)


class MembershipApplicationSchema(Schema):
    """Who applies (the caller if nobody is named), and why."""

    member = PublicId("mem", load_default=None, allow_none=True)
    reason = Text(500, load_default=because("applied"))


class MembershipReasonSchema(Schema):
    """Why a step is taken."""

    reason = Text(500, required=True)


class MembershipDecisionSchema(Schema):
    """Why somebody is taken in."""

    reason = Text(500, load_default=because("taken_in"))


class MembershipChangeSchema(Schema):
    """A step of a membership."""

    status = ma.fields.Enum(MembershipStatus, by_value=ma.fields.String, required=True)
    on = Day(required=True)
    reason = ma.fields.String(required=True)
    # The same where it is the platform's; null: somebody typed it.
    because = ma.fields.Nested(BecauseSchema, required=True, allow_none=True)


class MembershipSchema(Schema):
    """A member's place in a community, with the way there."""

    community = ma.fields.String(required=True)
    member = ma.fields.Nested(NamedSchema, required=True)
    status = ma.fields.Enum(MembershipStatus, by_value=ma.fields.String, required=True)
    since_on = Day(required=True)
    changes = ma.fields.List(ma.fields.Nested(MembershipChangeSchema))


class GateWarningSchema(Schema):
    """What an officer has to know of somebody whom they take in."""

    case = ma.fields.String(required=True, allow_none=True)
    words = ma.fields.Dict(required=True, keys=ma.fields.String(), values=ma.fields.String())
    facts = ma.fields.Dict(required=True)


class AdmissionSchema(MembershipSchema):
    """A membership that was decided on, with what the newcomer gate says to the officer."""

    warning = ma.fields.Nested(GateWarningSchema, required=True, allow_none=True)


class MembershipArgs(PageArgs):
    """A page of memberships, of all states or one."""

    status = ma.fields.Enum(MembershipStatus, by_value=ma.fields.String, load_default=None)
