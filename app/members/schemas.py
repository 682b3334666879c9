"""Members, households, roles and tokens as they cross the wire."""

from typing import Any

import marshmallow as ma

from app.fields import Instant, PublicId, Schema, Text, Whole
from community.communities.models import CommunityKind, MembershipStatus
from community.members.models import MemberKind
from community.members.principal import Role
from community.members.service import SCOPES


class NamedSchema(Schema):
    """Somebody by id and name."""

    id = ma.fields.String(required=True, attribute="public_id")
    name = ma.fields.String(required=True)


class MemberSchema(NamedSchema):
    """A member. Fellow members of a group see the id, the kind and the name."""

    kind = ma.fields.Enum(MemberKind, by_value=ma.fields.String, required=True)
    reference = ma.fields.String(allow_none=True)
    household = ma.fields.String(allow_none=True)
    birth_year = ma.fields.Integer(allow_none=True)
    created_at = Instant()


class RegistrationSchema(Schema):
    """A new member. With a community, they have applied to it at once."""

    kind = ma.fields.Enum(MemberKind, by_value=ma.fields.String, load_default=MemberKind.PERSON)
    name = Text(120, required=True)
    reference = Text(64, load_default=None, allow_none=True)
    household = PublicId("hh", load_default=None, allow_none=True)
    birth_year = Whole(1800, 2200, load_default=None, allow_none=True)
    community = PublicId("com", load_default=None, allow_none=True)


class MemberChangeSchema(Schema):
    """A corrected name, another household (null: none), or both."""

    name = Text(120)
    household = PublicId("hh", allow_none=True)

    @ma.validates_schema
    def _something_changes(self, data: dict[str, Any], **_: Any) -> None:
        if not data:
            raise ma.ValidationError("Name what is to change.", "name")


class RoleSchema(Schema):
    """A role that a member holds; without a community it counts everywhere."""

    id = ma.fields.String(required=True)
    role = ma.fields.Enum(Role, by_value=ma.fields.String, required=True)
    community = ma.fields.String(required=True, allow_none=True)
    granted_at = Instant(required=True)


class RoleListSchema(Schema):
    """The roles of a member; there are never many."""

    items = ma.fields.List(ma.fields.Nested(RoleSchema), required=True)


class RoleGrantSchema(Schema):
    """A role to be given; without a community it counts everywhere."""

    role = ma.fields.Enum(Role, by_value=ma.fields.String, required=True)
    community = PublicId("com", load_default=None, allow_none=True)


class MeMembershipSchema(Schema):
    """A place in a community."""

    community = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.Enum(CommunityKind, by_value=ma.fields.String, required=True)
    status = ma.fields.Enum(MembershipStatus, by_value=ma.fields.String, required=True)


class MeSchema(MemberSchema):
    """The caller: who they are, where they belong, what they may do."""

    memberships = ma.fields.List(ma.fields.Nested(MeMembershipSchema), required=True)
    roles = ma.fields.List(ma.fields.Nested(RoleSchema), required=True)
    scopes = ma.fields.List(ma.fields.String(), required=True)


class HouseholdInSchema(Schema):
    """A new household."""

    reference = Text(64, required=True)


class HouseholdSchema(Schema):
    """A household and who lives in it."""

    id = ma.fields.String(required=True, attribute="public_id")
    reference = ma.fields.String(required=True)
    members = ma.fields.List(ma.fields.Nested(NamedSchema), required=True)


class TokenInSchema(Schema):
    """What a new token is for, and for how long."""

    label = Text(120, required=True)
    lifetime_days = Whole(1, 3650, load_default=90)
    scopes = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf(sorted(SCOPES))),
        load_default=lambda: sorted(SCOPES),
        validate=ma.validate.Length(1, len(SCOPES)),
    )


class TokenSchema(Schema):
    """A bearer token, without its secret."""

    id = ma.fields.String(required=True, attribute="public_id")
    label = ma.fields.String(required=True)
    scopes = ma.fields.List(ma.fields.String(), required=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    revoked_at = Instant(required=True, allow_none=True)


class NewTokenSchema(TokenSchema):
    """A new token, with its secret: it is shown this once only."""

    token = ma.fields.String(required=True)


class CredentialsInSchema(Schema):
    """A login name (or a telephone number) and a password for the pages."""

    login_name = Text(64, required=True)
    password = Text(200, required=True, load_only=True)


class CredentialsSchema(Schema):
    """By which name a member signs in, and since when."""

    login_name = ma.fields.String(required=True)
    changed_at = Instant(required=True)


class EnrolmentCodeSchema(Schema):
    """A code with which the member sets login name and password; it is shown this once only."""

    code = ma.fields.String(required=True)
    expires_at = Instant(required=True)
