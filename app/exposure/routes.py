"""What somebody could owe for others; what a promise would add, shown before it is made."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import today
from app.communities.facts import community_facts, membership_facts
from app.exposure import permissions as _permissions  # noqa: F401  declares this room's actions
from app.exposure.schemas import ExposurePreviewSchema, ExposureRegisterSchema, VouchPreviewInSchema
from app.extensions import db
from app.groups.facts import group_facts
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.exposure import previews
from community.exposure.register import register_of
from community.groups import amendments
from community.groups import queries as groups
from community.members import queries as members
from community.trust import queries as trust
from community.trust.errors import VouchNotOpen
from community.trust.models import VouchKind, VouchStatus

blp = Blueprint("exposure", __name__, description="What members could owe for others")

_COMMUNITY = "/communities/<pid(com):community_id>"


@blp.route(_COMMUNITY + "/members/<pid(mem):member_id>/exposure-register")
@requires("exposure:read")
@blp.response(200, ExposureRegisterSchema)
def get_register(community_id: str, member_id: str) -> Any:
    """Promise by promise: signed, reserved, called, and what would fall on the member."""
    session = db.session()
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit("exposure:read", membership_facts(community, member))
    # Nobody stands for anything where they never were.
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    return register_of(session, community_id=community.id, member_id=member.id, on=today())


@blp.route(_COMMUNITY + "/vouch-previews", methods=["POST"])
@requires("exposure:preview")
@blp.arguments(VouchPreviewInSchema)
@blp.response(200, ExposurePreviewSchema)
def preview_vouch(data: dict[str, Any], community_id: str) -> Any:
    """What would I owe if I stood behind somebody? Nothing is written."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("exposure:preview", community_facts(session, community))
    borrower = members.get_member(session, data["borrower"])
    return previews.preview_offer(
        session,
        community_id=community.id,
        voucher_id=caller().member_id,
        borrower_id=borrower.id,
        limit=data["limit"],
        expires_on=data["expires_on"],
        on=today(),
    )


@blp.route("/vouches/<pid(vch):vouch_id>/preview")
@requires("vouch:preview")
@blp.response(200, ExposurePreviewSchema)
def preview_offered(vouch_id: str) -> Any:
    """What would I owe if this offer became a promise of mine? Of a live one: what do I owe?"""
    session = db.session()
    vouch = trust.get_vouch(session, vouch_id)
    community = communities.get_community_by_id(session, vouch.community_id)
    permit(
        "vouch:preview",
        Facts(
            path=community.path_ids,
            owner_ids=frozenset({vouch.voucher_id}),
            related_ids=frozenset({vouch.voucher_id, vouch.borrower_id}),
        ),
    )
    standing = vouch.status in (VouchStatus.OFFERED, VouchStatus.LIVE)
    if not standing or vouch.kind is not VouchKind.PERSONAL:
        raise VouchNotOpen(f"The vouch is {vouch.status.value}.", state=vouch.status.value)
    return previews.preview_vouch(
        session,
        community_id=vouch.community_id,
        voucher_id=vouch.voucher_id,
        borrower_id=vouch.borrower_id,
        limit_minor=vouch.limit_minor,
        expires_on=vouch.expires_on,
        on=today(),
    )


@blp.route("/groups/<pid(grp):group_id>/preview")
@requires("group:preview")
@blp.response(200, ExposurePreviewSchema)
def preview_agreement(group_id: str) -> Any:
    """What would I owe under this group's agreement, person by person?"""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group:preview", group_facts(session, group))
    return previews.preview_agreement(session, group, member_id=caller().member_id, on=today())


@blp.route("/amendments/<pid(gam):amendment_id>/preview")
@requires("group:preview_amendment")
@blp.response(200, ExposurePreviewSchema)
def preview_amendment(amendment_id: str) -> Any:
    """What would I owe once this amendment is in force, person by person?"""
    session = db.session()
    amendment = groups.get_amendment(session, amendment_id)
    group = groups.get_group_by_id(session, amendment.group_id)
    permit("group:preview_amendment", group_facts(session, group))
    amendments.require_signer(session, amendment, caller().member_id)
    return previews.preview_amendment(
        session, group, amendment, member_id=caller().member_id, on=today()
    )
