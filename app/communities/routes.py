"""Communities, their dated charters, and memberships."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities import permissions as _permissions  # noqa: F401  declares this room's actions
from app.communities.admitting import ask_the_gate
from app.communities.bonds import bonds_of
from app.communities.facts import community_facts, membership_facts
from app.communities.schemas import (
    AdmissionSchema,
    CharterInSchema,
    CharterSchema,
    CommunityChangeSchema,
    CommunityInSchema,
    CommunitySchema,
    MembershipApplicationSchema,
    MembershipArgs,
    MembershipDecisionSchema,
    MembershipReasonSchema,
    MembershipSchema,
    OnArgs,
    PreviewSchema,
    TemplateNamesSchema,
    TemplateSchema,
)
from app.communities.views import (
    charter_view,
    community_view,
    community_views,
    membership_view,
)
from app.extensions import db
from app.members.facts import member_facts
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import permit, requires
from app.risk.gate import through_the_gate, warning_of
from app.transaction import transactional
from community.communities import queries, service, templates
from community.communities.errors import NoCharter
from community.communities.models import Charter, Community, Membership
from community.members import queries as members
from community.members.models import Member
from community.members.principal import Role
from community.risk.errors import AdmissionHeld

blp = Blueprint("communities", __name__, description="Communities, charters and memberships")


@blp.route("/communities")
@requires("community:list")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CommunitySchema))
def list_communities(args: dict[str, Any]) -> Page:
    """The communities that the caller is in, looks after, or audits."""
    permit("community:list")
    session = db.session()
    principal = caller()
    statement = queries.list_communities(
        member_id=principal.member_id,
        below={
            grant.community_id
            for grant in principal.grants
            if grant.role in (Role.OFFICER, Role.AUDITOR) and grant.community_id is not None
        },
        everywhere=principal.holds(Role.OFFICER, Role.OPERATOR, Role.AUDITOR),
    )
    page = paginate(session, statement, key=Community.id, args=args)
    return Page(community_views(session, page.items), page.next_cursor)


@blp.route("/communities", methods=["POST"])
@requires("community:create")
@blp.arguments(CommunityInSchema)
@blp.response(201, CommunitySchema)
@transactional
def create_community(data: dict[str, Any]) -> Any:
    """Found a community, alone or inside another one."""
    permit("community:create")
    session = db.session()
    parent = data["parent"]
    community = service.create_community(
        session,
        kind=data["kind"],
        name=data["name"],
        reference=data["reference"],
        currency=data["currency"],
        parent_id=None if parent is None else queries.get_community(session, parent).id,
        now=now(),
        actor_id=caller().member_id,
    )
    show_etag(community.version)
    return community_view(session, community)


@blp.route("/communities/<pid(com):community_id>")
@requires("community:read")
@blp.response(200, CommunitySchema)
def get_community(community_id: str) -> Any:
    """A community."""
    session = db.session()
    community = _readable(session, community_id)
    show_etag(community.version)
    return community_view(session, community)


@blp.route("/communities/<pid(com):community_id>", methods=["PATCH"])
@requires("community:update")
@blp.arguments(CommunityChangeSchema)
@blp.response(200, CommunitySchema)
@transactional
def rename_community(data: dict[str, Any], community_id: str) -> Any:
    """Give a community another name."""
    session = db.session()
    community = queries.get_community_for_update(session, community_id)
    permit("community:update", community_facts(session, community))
    check_etag(community.version)
    service.rename_community(
        session,
        community_id=community.id,
        name=data["name"],
        now=now(),
        actor_id=caller().member_id,
    )
    show_etag(community.version)
    return community_view(session, community)


@blp.route("/communities/<pid(com):community_id>/charter")
@requires("community:read")
@blp.arguments(OnArgs, location="query")
@blp.response(200, CharterSchema)
def get_charter(args: dict[str, Any], community_id: str) -> Any:
    """The charter in force on a day: the community's own, else that of the nearest one above."""
    session = db.session()
    community = _readable(session, community_id)
    on = args["on"] or today()
    charter = queries.find_charter(session, community.id, on)
    if charter is None:
        raise NoCharter(f"No charter is in force on {on}.", on=on.isoformat())
    return charter_view(session, charter)


@blp.route("/communities/<pid(com):community_id>/charters")
@requires("community:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CharterSchema))
def list_charters(args: dict[str, Any], community_id: str) -> Page:
    """All versions of a community's own charter, newest first."""
    session = db.session()
    community = _readable(session, community_id)
    statement = queries.list_charters(community.id)
    page = paginate(session, statement, key=Charter.id, args=args, newest_first=True)
    return Page([charter_view(session, row) for row in page.items], page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/charters", methods=["POST"])
@requires("community:adopt_charter")
@blp.arguments(CharterInSchema)
@blp.response(201, CharterSchema)
@transactional
def adopt_charter(data: dict[str, Any], community_id: str) -> Any:
    """Adopt a charter's new version, from a day on."""
    session = db.session()
    community = queries.get_community(session, community_id)
    permit("community:adopt_charter", community_facts(session, community))
    charter = service.adopt_charter(
        session,
        community_id=community.id,
        rules_document=_draft(session, community, data),
        valid_from=data["valid_from"],
        source=data["source"],
        now=now(),
        on=today(),
        actor_id=caller().member_id,
    )
    return charter_view(session, charter)


@blp.route("/communities/<pid(com):community_id>/charters/preview", methods=["POST"])
@requires("community:adopt_charter")
@blp.arguments(CharterInSchema)
@blp.response(200, PreviewSchema)
def preview_charter(data: dict[str, Any], community_id: str) -> Any:
    """What a charter would change, rule by rule; nothing is adopted."""
    session = db.session()
    community = queries.get_community(session, community_id)
    permit("community:adopt_charter", community_facts(session, community))
    changes = service.preview_charter(
        session,
        community_id=community.id,
        rules_document=_draft(session, community, data),
        on=data["valid_from"],
    )
    return {"differences": changes}


@blp.route("/charter-templates")
@requires("community:templates")
@blp.response(200, TemplateNamesSchema)
def list_templates() -> Any:
    """The names of the charter templates."""
    permit("community:templates")
    return {"items": templates.names()}


@blp.route("/charter-templates/<name>")
@requires("community:templates")
@blp.response(200, TemplateSchema)
def get_template(name: str) -> Any:
    """A charter template with the source of every rule."""
    permit("community:templates")
    return templates.load(name)


@blp.route("/communities/<pid(com):community_id>/members")
@requires("community:list_members")
@blp.arguments(MembershipArgs, location="query")
@blp.response(200, page_of(MembershipSchema))
def list_members(args: dict[str, Any], community_id: str) -> Page:
    """A community's members, for those who look after it."""
    session = db.session()
    community = queries.get_community(session, community_id)
    permit("community:list_members", community_facts(session, community))
    statement = queries.list_memberships(community.id, args["status"])
    page = paginate(session, statement, key=Membership.id, args=args)
    views = [membership_view(community, member, place) for place, member in page.items]
    return Page(views, page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/members", methods=["POST"])
@requires("membership:apply")
@blp.arguments(MembershipApplicationSchema)
@blp.response(201, MembershipSchema)
@transactional
def apply_for_membership(data: dict[str, Any], community_id: str) -> Any:
    """Apply to a community, or enter the application of a member in one's care."""
    session = db.session()
    community = queries.get_community(session, community_id)
    if data["member"] is None:
        member = members.get_member_by_id(session, caller().member_id)
    else:
        member = members.get_member(session, data["member"])
        permit("member:read", member_facts(session, member))
    permit("membership:apply", membership_facts(community, member))
    membership = service.apply_for_membership(
        session,
        community_id=community.id,
        member_id=member.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        reason=data["reason"],
    )
    return _with_history(session, community, member, membership)


@blp.route("/communities/<pid(com):community_id>/members/<pid(mem):member_id>")
@requires("membership:read")
@blp.response(200, MembershipSchema)
def get_membership(community_id: str, member_id: str) -> Any:
    """A member's place in a community, with its dates and reasons."""
    session = db.session()
    community, member = _place(session, community_id, member_id)
    permit("membership:read", membership_facts(community, member))
    membership = queries.get_membership(session, community_id=community.id, member_id=member.id)
    show_etag(membership.version)
    return _with_history(session, community, member, membership)


@blp.route(
    "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/activation",
    methods=["POST"],
)
@requires("membership:decide")
@blp.arguments(MembershipDecisionSchema)
@blp.response(200, AdmissionSchema)
def activate_membership(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Take an applicant in; the answer has what the newcomer gate points out, if it does."""
    return through_the_gate(_admit, data, community_id, member_id, refusal=AdmissionHeld)


def _admit(data: dict[str, Any], community_id: str, member_id: str) -> dict[str, Any]:
    session = db.session()
    community, member = _place(session, community_id, member_id)
    permit("membership:decide", membership_facts(community, member))
    found = ask_the_gate(community.id, member.id)
    answer = _decide(service.activate_membership, data, community_id, member_id)
    return answer | {"warning": warning_of(found)}


@blp.route(
    "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/suspension",
    methods=["POST"],
)
@requires("membership:decide")
@blp.arguments(MembershipReasonSchema)
@blp.response(200, MembershipSchema)
@transactional
def suspend_membership(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Bar a member from new promises and loans, with a reason."""
    return _decide(service.suspend_membership, data, community_id, member_id)


@blp.route(
    "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/resumption",
    methods=["POST"],
)
@requires("membership:decide")
@blp.arguments(MembershipReasonSchema)
@blp.response(200, MembershipSchema)
@transactional
def resume_membership(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """End a suspension."""
    return _decide(service.resume_membership, data, community_id, member_id)


@blp.route(
    "/communities/<pid(com):community_id>/members/<pid(mem):member_id>/departure",
    methods=["POST"],
)
@requires("membership:leave")
@blp.arguments(MembershipReasonSchema)
@blp.response(200, MembershipSchema)
@transactional
def leave_community(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Leave a community, once nothing binds the member to it any more."""
    session = db.session()
    community, member = _place(session, community_id, member_id)
    permit("membership:leave", membership_facts(community, member))
    membership = service.leave_community(
        session,
        community_id=community.id,
        member_id=member.id,
        on=today(),
        reason=data["reason"],
        now=now(),
        actor_id=caller().member_id,
        still_bound=bonds_of(session, community, member.id, today()),
    )
    return _with_history(session, community, member, membership)


def _decide(
    step: Callable[..., Membership], data: dict[str, Any], community_id: str, member_id: str
) -> dict[str, Any]:
    session = db.session()
    community, member = _place(session, community_id, member_id)
    permit("membership:decide", membership_facts(community, member))
    membership = step(
        session,
        community_id=community.id,
        member_id=member.id,
        on=today(),
        reason=data["reason"],
        now=now(),
        actor_id=caller().member_id,
    )
    return _with_history(session, community, member, membership)


def _readable(session: Session, community_id: str) -> Community:
    community = queries.get_community(session, community_id)
    permit("community:read", community_facts(session, community))
    return community


def _place(session: Session, community_id: str, member_id: str) -> tuple[Community, Member]:
    community = queries.get_community(session, community_id)
    return community, members.get_member(session, member_id)


def _draft(session: Session, community: Community, data: dict[str, Any]) -> dict[str, Any]:
    return service.draft_rules(
        session,
        community_id=community.id,
        begin_from=data["begin_from"],
        changes=data["rules"],
        on=data["valid_from"],
    )


def _with_history(
    session: Session, community: Community, member: Member, membership: Membership
) -> dict[str, Any]:
    session.flush()  # the step just taken is part of the history
    changes = queries.list_changes(session, membership.id)
    return membership_view(community, member, membership, changes)
