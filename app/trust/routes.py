"""Vouches, what somebody stands for, stakes and assessments."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts, membership_facts
from app.extensions import db
from app.idempotency import money_moving
from app.paging import Page, PageArgs, check_etag, page_of, paginate, show_etag
from app.permissions import permit, requires
from app.risk.gate import through_the_gate
from app.transaction import transactional
from app.trust import permissions as _permissions  # noqa: F401  declares this room's actions
from app.trust import promising, views
from app.trust.facts import vouch_facts
from app.trust.schemas import (
    AssessmentInSchema,
    AssessmentSchema,
    ExposureSchema,
    LowerSchema,
    OfferSchema,
    StakeInSchema,
    StakeMovementSchema,
    StandingSchema,
    VouchListArgs,
    VouchMadeSchema,
    VouchSchema,
)
from community.communities import queries as communities
from community.communities.models import Community
from community.members import queries as members
from community.members.models import Member
from community.risk.errors import FirstVouchHeld
from community.trust import queries, service
from community.trust.guarantee_caps import CapNote
from community.trust.models import Assessment, Vouch, VouchSide

blp = Blueprint("trust", __name__, description="Vouches, stakes and assessments")

_PLACE = "/communities/<pid(com):community_id>/members/<pid(mem):member_id>"


@blp.route("/communities/<pid(com):community_id>/vouches", methods=["POST"])
@requires("vouch:offer")
@blp.arguments(OfferSchema)
@blp.response(201, VouchMadeSchema)
def offer_vouch(data: dict[str, Any], community_id: str) -> Any:
    """Offer to stand behind somebody, or ask somebody to; meeting their offer accepts it."""
    return through_the_gate(_offer, data, community_id, refusal=FirstVouchHeld)


def _offer(data: dict[str, Any], community_id: str) -> Any:
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("vouch:offer", community_facts(session, community))
    other = members.get_member(session, data["other"]).id
    notes = (
        views.notes_for(
            session,
            community.id,
            caller().member_id,
            other,
            data["limit"].amount_minor,
            data["expires_on"],
        )
        if data["side"] is VouchSide.VOUCHER
        else ()
    )
    return _made(promising.offer(data, community_id), notes)


@blp.route("/vouches/<pid(vch):vouch_id>")
@requires("vouch:read")
@blp.response(200, VouchSchema)
def get_vouch(vouch_id: str) -> Any:
    """One vouch, with its ETag."""
    session = db.session()
    vouch = queries.get_vouch(session, vouch_id)
    permit("vouch:read", vouch_facts(session, vouch))
    return _shown(vouch)


@blp.route("/vouches/<pid(vch):vouch_id>", methods=["PATCH"])
@requires("vouch:change")
@blp.arguments(LowerSchema)
@blp.response(200, VouchSchema)
@transactional
def lower_vouch(data: dict[str, Any], vouch_id: str) -> Any:
    """Promise less from now on, never less than what loans rest on."""
    session = db.session()
    vouch = queries.get_vouch_for_update(session, vouch_id)
    permit("vouch:change", vouch_facts(session, vouch))
    check_etag(vouch.version)
    service.lower_vouch(
        session, vouch_id=vouch.id, limit=data["limit"], now=now(), actor_id=caller().member_id
    )
    return _shown(vouch)


@blp.route("/vouches/<pid(vch):vouch_id>/acceptance", methods=["POST"])
@requires("vouch:answer")
@blp.response(200, VouchMadeSchema)
def accept_vouch(vouch_id: str) -> Any:
    """Say yes to an offer; the answer is the promise that is live now."""
    return through_the_gate(_accept, vouch_id, refusal=FirstVouchHeld)


def _accept(vouch_id: str) -> Any:
    vouch = _permitted("vouch:answer", vouch_id)
    notes = (
        views.notes_for(
            db.session(),
            vouch.community_id,
            vouch.voucher_id,
            vouch.borrower_id,
            vouch.limit_minor,
            vouch.expires_on,
        )
        if vouch.voucher_id == caller().member_id
        else ()
    )
    return _made(promising.accept(vouch_id), notes)


@blp.route("/vouches/<pid(vch):vouch_id>/refusal", methods=["POST"])
@requires("vouch:answer")
@blp.response(200, VouchSchema)
@transactional
def decline_vouch(vouch_id: str) -> Any:
    """Say no to an offer."""
    vouch = _permitted("vouch:answer", vouch_id)
    service.decline_vouch(db.session(), vouch_id=vouch.id, now=now(), actor_id=caller().member_id)
    return _shown(vouch)


@blp.route("/vouches/<pid(vch):vouch_id>/withdrawal", methods=["POST"])
@requires("vouch:change")
@blp.response(200, VouchSchema)
@transactional
def withdraw_vouch(vouch_id: str) -> Any:
    """Take back one's own offer."""
    vouch = _permitted("vouch:change", vouch_id)
    service.withdraw_vouch(db.session(), vouch_id=vouch.id, now=now(), actor_id=caller().member_id)
    return _shown(vouch)


@blp.route("/vouches/<pid(vch):vouch_id>/revocation", methods=["POST"])
@requires("vouch:change")
@blp.response(200, VouchSchema)
@transactional
def revoke_vouch(vouch_id: str) -> Any:
    """Back nothing new any more; what loans rest on runs on."""
    vouch = _permitted("vouch:change", vouch_id)
    service.revoke_vouch(db.session(), vouch_id=vouch.id, now=now(), actor_id=caller().member_id)
    return _shown(vouch)


@blp.route(_PLACE + "/vouches")
@requires("standing:read")
@blp.arguments(VouchListArgs, location="query")
@blp.response(200, page_of(VouchSchema))
def list_vouches(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """The vouches that a member gave and received in a community, oldest first."""
    session = db.session()
    community, member = _opened(session, "standing:read", community_id, member_id)
    statement = queries.list_vouches(
        community_id=community.id,
        member_id=member.id,
        direction=args["direction"],
        status=args["status"],
    )
    page = paginate(session, statement, key=Vouch.id, args=args)
    return Page(queries.view_vouches(session, page.items, today()), page.next_cursor)


@blp.route(_PLACE + "/exposure")
@requires("standing:read")
@blp.response(200, ExposureSchema)
def get_exposure(community_id: str, member_id: str) -> Any:
    """If everyone the member stands behind fails: what they owe, person by person."""
    session = db.session()
    community, member = _opened(session, "standing:read", community_id, member_id)
    return queries.exposure_of(
        session,
        community_id=community.id,
        member_id=member.id,
        currency=community.currency,
        on=today(),
    )


@blp.route(_PLACE + "/standing")
@requires("standing:read")
@blp.response(200, StandingSchema)
def get_standing(community_id: str, member_id: str) -> Any:
    """What a member can be made to pay in a community, and what of it is free."""
    session = db.session()
    community, member = _opened(session, "standing:read", community_id, member_id)
    return queries.standing_of(
        session,
        community_id=community.id,
        member_id=member.id,
        currency=community.currency,
        on=today(),
    )


@blp.route(_PLACE + "/stake-locks", methods=["POST"])
@requires("stake:move")
@blp.arguments(StakeInSchema)
@money_moving(StakeMovementSchema)
def lock_stake(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Lock free savings as stake."""
    session = db.session()
    community, member = _opened(session, "stake:move", community_id, member_id)
    movement = service.lock_stake(
        session,
        community_id=community.id,
        member_id=member.id,
        amount=data["amount"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.stake_view(session, community, member, movement)


@blp.route(_PLACE + "/stake-releases", methods=["POST"])
@requires("stake:move")
@blp.arguments(StakeInSchema)
@money_moving(StakeMovementSchema)
def release_stake(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Make stake on which nothing rests free savings again."""
    session = db.session()
    community, member = _opened(session, "stake:move", community_id, member_id)
    movement = service.release_stake(
        session,
        community_id=community.id,
        member_id=member.id,
        amount=data["amount"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.stake_view(session, community, member, movement)


@blp.route(_PLACE + "/assessments")
@requires("assessment:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(AssessmentSchema))
def list_assessments(args: dict[str, Any], community_id: str, member_id: str) -> Page:
    """What was granted to a member in a community, newest first, also what ended."""
    session = db.session()
    community, member = _opened(session, "assessment:read", community_id, member_id)
    statement = queries.list_assessments(community_id=community.id, member_id=member.id)
    page = paginate(session, statement, key=Assessment.id, args=args, newest_first=True)
    return Page(views.assessment_views(session, community, member, page.items), page.next_cursor)


@blp.route(_PLACE + "/assessments", methods=["POST"])
@requires("assessment:grant")
@blp.arguments(AssessmentInSchema)
@blp.response(201, AssessmentSchema)
@transactional
def grant_assessment(data: dict[str, Any], community_id: str, member_id: str) -> Any:
    """Grant standing or repayment capacity on evidence; it replaces an earlier grant."""
    session = db.session()
    community, member = _opened(session, "assessment:grant", community_id, member_id)
    grant = service.grant_assessment(
        session,
        community_id=community.id,
        member_id=member.id,
        **data,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.assessment_views(session, community, member, [grant])[0]


@blp.route("/assessments/<pid(ass):assessment_id>/end", methods=["POST"])
@requires("assessment:end")
@blp.response(200, AssessmentSchema)
@transactional
def end_assessment(assessment_id: str) -> Any:
    """Let a grant back nothing new; for loans that rest on it, it stays until they are repaid."""
    session = db.session()
    grant = queries.get_assessment(session, assessment_id)
    community = communities.get_community_by_id(session, grant.community_id)
    member = members.get_member_by_id(session, grant.member_id)
    permit("assessment:end", membership_facts(community, member))
    service.end_assessment(
        session, assessment_id=grant.id, on=today(), now=now(), actor_id=caller().member_id
    )
    return views.assessment_views(session, community, member, [grant])[0]


def _opened(
    session: Session, action: str, community_id: str, member_id: str
) -> tuple[Community, Member]:
    """A member's place in a community, if the caller may do this with it."""
    community = communities.get_community(session, community_id)
    member = members.get_member(session, member_id)
    permit(action, membership_facts(community, member))
    # Nobody stands for anything where they never were.
    communities.get_membership(session, community_id=community.id, member_id=member.id)
    return community, member


def _permitted(action: str, vouch_id: str) -> Vouch:
    session = db.session()
    vouch = queries.get_vouch(session, vouch_id)
    permit(action, vouch_facts(session, vouch))
    return vouch


def _made(vouch: Vouch, notes: Sequence[CapNote]) -> Any:
    show_etag(vouch.version)
    return views.made_view(db.session(), vouch, notes)


def _shown(vouch: Vouch) -> Any:
    show_etag(vouch.version)
    return views.vouch_view(db.session(), vouch)
