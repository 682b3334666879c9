"""Members, households, roles and tokens. There is no list of members: communities have theirs."""

from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.members.facts import household_facts, member_facts
from app.members.passwords import hasher
from app.members.schemas import (
    CredentialsInSchema,
    CredentialsSchema,
    EnrolmentCodeSchema,
    HouseholdInSchema,
    HouseholdSchema,
    MemberChangeSchema,
    MemberSchema,
    MeSchema,
    NewTokenSchema,
    RegistrationSchema,
    RoleGrantSchema,
    RoleListSchema,
    RoleSchema,
    TokenInSchema,
    TokenSchema,
)
from app.members.views import household_view, me_view, member_view, new_token_view, roles_view
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import mark_permitted, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.communities import service as community_service
from community.groups import service as groups
from community.members import queries, service, signin
from community.members.models import ApiToken
from community.reasons import because

blp = Blueprint("members", __name__, description="Members, households, roles and tokens")


@blp.route("/me")
@requires("member:read")
@blp.response(200, MeSchema)
def get_me() -> Any:
    """Who the caller is, where they belong, and which roles they hold."""
    session = db.session()
    member = queries.get_member_by_id(session, caller().member_id)
    facts = member_facts(session, member)
    permit("member:read", facts)
    show_etag(member.version)
    return me_view(session, member, facts, caller())


@blp.route("/members", methods=["POST"])
@requires("member:register")
@blp.arguments(RegistrationSchema)
@blp.response(201, MemberSchema)
@transactional
def register_member(data: dict[str, Any]) -> Any:
    """Register a person or an enterprise; officers do so for a community of theirs."""
    session = db.session()
    community = None
    if data["community"] is None:
        permit("member:register")
    else:
        community = communities.get_community(session, data["community"])
        permit("community:register_member", community_facts(session, community))
        mark_permitted("member:register")
    member = service.register_member(
        session,
        kind=data["kind"],
        name=data["name"],
        reference=data["reference"],
        household_id=_household_id(session, data["household"]),
        birth_year=data["birth_year"],
        now=now(),
        actor_id=caller().member_id,
    )
    if community is not None:
        community_service.apply_for_membership(
            session,
            community_id=community.id,
            member_id=member.id,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            reason=because("registered"),
        )
    show_etag(member.version)
    return member_view(session, member, member_facts(session, member))


@blp.route("/members/<pid(mem):member_id>")
@requires("member:read")
@blp.response(200, MemberSchema)
def get_member(member_id: str) -> Any:
    """A member: oneself, fellow members of one's group, and those in an officer's care."""
    session = db.session()
    member = queries.get_member(session, member_id)
    facts = member_facts(session, member)
    permit("member:read", facts)
    show_etag(member.version)
    return member_view(session, member, facts)


@blp.route("/members/<pid(mem):member_id>", methods=["PATCH"])
@requires("member:update")
@blp.arguments(MemberChangeSchema)
@blp.response(200, MemberSchema)
@transactional
def change_member(data: dict[str, Any], member_id: str) -> Any:
    """Correct a member's name or household."""
    session = db.session()
    member = queries.get_member_for_update(session, member_id)
    facts = member_facts(session, member)
    permit("member:update", facts)
    check_etag(member.version)
    step: dict[str, Any] = {"member_id": member.id, "now": now(), "actor_id": caller().member_id}
    if "name" in data:
        service.rename_member(session, name=data["name"], **step)
    if "household" in data:
        groups.require_no_group(session, member_id=member.id)
        home = _household_id(session, data["household"])
        service.move_to_household(session, household_id=home, **step)
    show_etag(member.version)
    return member_view(session, member, facts)


@blp.route("/households", methods=["POST"])
@requires("household:create")
@blp.arguments(HouseholdInSchema)
@blp.response(201, HouseholdSchema)
@transactional
def create_household(data: dict[str, Any]) -> Any:
    """Enter a household, before its members."""
    permit("household:create")
    session = db.session()
    household = service.create_household(
        session, reference=data["reference"], now=now(), actor_id=caller().member_id
    )
    return household_view(session, household)


@blp.route("/households/<pid(hh):household_id>")
@requires("household:read")
@blp.response(200, HouseholdSchema)
def get_household(household_id: str) -> Any:
    """A household and who lives in it."""
    session = db.session()
    household = queries.get_household(session, household_id)
    permit("household:read", household_facts(session, household))
    return household_view(session, household)


@blp.route("/members/<pid(mem):member_id>/roles")
@requires("member:read_roles")
@blp.response(200, RoleListSchema)
def list_roles(member_id: str) -> Any:
    """The roles that a member holds."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:read_roles", member_facts(session, member))
    return {"items": roles_view(session, queries.live_grants(session, member.id))}


@blp.route("/members/<pid(mem):member_id>/roles", methods=["POST"])
@requires("member:grant_role")
@blp.arguments(RoleGrantSchema)
@blp.response(201, RoleSchema)
@transactional
def grant_role(data: dict[str, Any], member_id: str) -> Any:
    """Give a member a role in a community and those inside it, or everywhere."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:grant_role", member_facts(session, member))
    place = data["community"]
    community_id = None if place is None else communities.get_community(session, place).id
    grant = service.grant_role(
        session,
        member_id=member.id,
        role=data["role"],
        community_id=community_id,
        now=now(),
        actor_id=caller().member_id,
    )
    return roles_view(session, [grant])[0]


@blp.route("/members/<pid(mem):member_id>/roles/<pid(rol):grant_id>", methods=["DELETE"])
@requires("member:revoke_role")
@blp.response(204)
@transactional
def revoke_role(member_id: str, grant_id: str) -> None:
    """Take a role back; it counts from the next request."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:revoke_role", member_facts(session, member))
    grant = queries.get_grant(session, member_id=member.id, public_id=grant_id)
    service.revoke_role(session, grant=grant, now=now(), actor_id=caller().member_id)


@blp.route("/members/<pid(mem):member_id>/tokens")
@requires("member:read_tokens")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(TokenSchema))
def list_tokens(args: dict[str, Any], member_id: str) -> Page:
    """A member's tokens, newest first, without their secrets."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:read_tokens", member_facts(session, member))
    statement = queries.list_tokens(member.id)
    return paginate(session, statement, key=ApiToken.id, args=args, newest_first=True)


@blp.route("/members/<pid(mem):member_id>/tokens", methods=["POST"])
@requires("member:issue_token")
@blp.arguments(TokenInSchema)
@blp.response(201, NewTokenSchema)
@transactional
def issue_token(data: dict[str, Any], member_id: str) -> Any:
    """Make a bearer token for oneself, or hand one to a member; the secret is shown once."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:issue_token", member_facts(session, member))
    token, secret = service.issue_token(
        session,
        member_id=member.id,
        label=data["label"],
        lifetime=timedelta(days=data["lifetime_days"]),
        lifetime_max=timedelta(days=current_app.extensions["settings"].token_lifetime_days_max),
        scopes=frozenset(data["scopes"]),
        now=now(),
        actor_id=caller().member_id,
    )
    return new_token_view(token, secret)


@blp.route("/members/<pid(mem):member_id>/tokens/<pid(tok):token_id>", methods=["DELETE"])
@requires("member:revoke_token")
@blp.response(204)
@transactional
def revoke_token(member_id: str, token_id: str) -> None:
    """Make a token worthless at once."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:revoke_token", member_facts(session, member))
    token = queries.get_token(session, member_id=member.id, public_id=token_id)
    service.revoke_token(session, token=token, now=now(), actor_id=caller().member_id)


@blp.route("/members/<pid(mem):member_id>/credentials", methods=["PUT"])
@requires("member:set_credentials")
@blp.arguments(CredentialsInSchema)
@blp.response(200, CredentialsSchema)
@transactional
def set_credentials(data: dict[str, Any], member_id: str) -> Any:
    """Set one's login name and password for the pages; sessions opened before end."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:set_credentials", member_facts(session, member))
    return signin.set_credentials(
        session,
        member_id=member.id,
        login_name=data["login_name"],
        password=data["password"],
        characters_min=current_app.extensions["settings"].password_characters_min,
        hasher=hasher(),
        now=now(),
        actor_id=caller().member_id,
    )


@blp.route("/members/<pid(mem):member_id>/enrolment-codes", methods=["POST"])
@requires("member:enrol")
@blp.response(201, EnrolmentCodeSchema)
@transactional
def issue_enrolment_code(member_id: str) -> Any:
    """Hand a member a code, good once, to set login name and password with; older ones end."""
    session = db.session()
    member = queries.get_member(session, member_id)
    permit("member:enrol", member_facts(session, member))
    code, secret = signin.issue_enrolment_code(
        session,
        member_id=member.id,
        lifetime=timedelta(days=current_app.extensions["settings"].enrolment_code_days),
        now=now(),
        actor_id=caller().member_id,
    )
    return {"code": secret, "expires_at": code.expires_at}


def _household_id(session: Session, public_id: str | None) -> int | None:
    if public_id is None:
        return None
    household = queries.get_household(session, public_id)
    permit("household:read", household_facts(session, household))
    return household.id
