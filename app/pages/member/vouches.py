"""Promises to stand behind somebody: asked, given, received, lowered, ended."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import marshmallow as ma
from flask import Response, request, url_for
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.fields import Day, Money, PublicId, Schema
from app.marks import limited
from app.pages.forms import Form, Nothing, answer, read_query
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.changes import changes_to_answer
from app.pages.member.limits import neighbours
from app.pages.member.room import pages
from app.permissions import Facts, may, permit, requires
from app.profiles.facts import viewed
from app.trust import promising
from app.trust.schemas import LowerSchema
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.errors import CommunityError
from community.exposure import previews
from community.exposure.previews import Preview
from community.groups.models import GroupMember, GroupMemberStatus
from community.members import queries as members
from community.members.models import Member
from community.members.queries import Named
from community.risk.errors import FirstVouchHeld
from community.trust import queries, service
from community.trust.models import Vouch, VouchKind, VouchSide, VouchStatus
from community.trust.queries import VouchView

# Of each kind on one page; the charter admits fewer promises than this, the rest is paged.
_MOST_SHOWN = 60


class OfferArgs(Schema):
    """A promise that is thought of, or asked for."""

    community = PublicId("com", required=True)
    side = ma.fields.Enum(VouchSide, by_value=ma.fields.String, required=True)
    other = PublicId("mem", required=True)
    limit = Money(required=True)
    expires_on = Day(required=True)


@dataclass(frozen=True, slots=True)
class VouchPage:
    """One promise, what the caller can do with it, and what it means for them."""

    vouch: VouchView
    community: Community
    i_am_voucher: bool
    preview: Preview | None
    reason: CommunityError | None

    @property
    def i_answer(self) -> bool:
        """Whether it is the caller's turn to say yes or no."""
        mine = VouchSide.VOUCHER if self.i_am_voucher else VouchSide.BORROWER
        return self.vouch.status is VouchStatus.OFFERED and self.vouch.offered_by is not mine

    @property
    def i_withdraw(self) -> bool:
        """Whether it is the caller's own offer."""
        mine = VouchSide.VOUCHER if self.i_am_voucher else VouchSide.BORROWER
        return self.vouch.status is VouchStatus.OFFERED and self.vouch.offered_by is mine

    @property
    def i_change(self) -> bool:
        """Whether the caller may promise less, or end it."""
        return (
            self.i_am_voucher
            and self.vouch.status is VouchStatus.LIVE
            and self.vouch.kind is VouchKind.PERSONAL
        )


@pages.listed("vouches")
@pages.get("/me/vouches")
@requires("standing:read")
def vouches() -> Response:
    """What waits for my answer, whom I stand behind, who stands behind me."""
    session, me = db.session(), caller().member_id
    permit("standing:read", Facts(owner_ids=frozenset({me})))
    live = [VouchStatus.LIVE, VouchStatus.OFFERED]
    rows = session.scalars(
        _mine(me).where(Vouch.status.in_(live)).order_by(Vouch.id.desc()).limit(3 * _MOST_SHOWN)
    ).all()
    shown = queries.view_vouches(session, rows, today())
    answer_: list[VouchView] = []
    waits: list[VouchView] = []
    given: list[VouchView] = []
    received: list[VouchView] = []
    for row, view in zip(rows, shown, strict=True):
        mine = VouchSide.VOUCHER if row.voucher_id == me else VouchSide.BORROWER
        if row.status is VouchStatus.OFFERED:
            (waits if row.offered_by is mine else answer_).append(view)
        else:
            (given if row.voucher_id == me else received).append(view)
    return page(
        "member/vouches.html",
        to_answer=answer_,
        changes_to_answer=changes_to_answer(session, me),
        waits=waits,
        given=given[:_MOST_SHOWN],
        received=received[:_MOST_SHOWN],
        my_id=members.get_member_by_id(session, me).public_id,
        me=me,
    )


@pages.get("/me/vouches/ended")
@requires("standing:read")
def ended_vouches() -> Response:
    """Promises and offers that are over, newest first."""
    session, me = db.session(), caller().member_id
    permit("standing:read", Facts(owner_ids=frozenset({me})))
    over = _mine(me).where(Vouch.status.not_in([VouchStatus.LIVE, VouchStatus.OFFERED]))
    found, older, first = listed(session, over, Vouch.id)
    return page(
        "member/vouches_ended.html",
        vouches=queries.view_vouches(session, found.items, today()),
        older=older,
        first=first,
        me=me,
    )


@pages.get("/me/vouches/<pid(vch):vouch_id>")
@requires("vouch:read")
@limited("heavy")
def vouch(vouch_id: str) -> Response:
    """One promise: what I would owe, what speaks against it, and what I can do."""
    return _page(vouch_id, Form())


@pages.route("/me/vouches/new", methods=["GET", "POST"])
@requires("vouch:offer")
@limited("heavy")
def offer_vouch() -> Any:
    """Offer to stand behind somebody, or ask somebody to: first what it means, then yes."""
    session, me = db.session(), caller().member_id
    places = [
        community
        for membership, community in communities.memberships_of(session, me)
        if membership.status is MembershipStatus.ACTIVE
    ]
    permit("vouch:offer", Facts(member_ids=frozenset({me})))

    def work(data: dict[str, Any]) -> str:
        made = promising.offer(data, data["community"])
        return url_for("member.vouch", vouch_id=made.public_id)

    def show(form: Form) -> Any:
        preview, checked = None, False
        # A link may name who it is about; the form itself always sends an amount, if empty.
        if request.method == "GET" and "limit" in request.args:
            form, preview, checked = _thought_of(session)
        return page(
            "member/vouch_new.html",
            status=form.status,
            form=form,
            preview=preview,
            checked=checked or request.method == "POST",
            places=places,
            people=known_people(session, places, members.get_member_by_id(session, me)),
            my_id=members.get_member_by_id(session, me).public_id,
        )

    start = {"expires_on": (today() + timedelta(days=365)).isoformat()}
    start |= {
        name: request.args[name] for name in ("community", "side", "other") if name in request.args
    }
    return answer(
        OfferArgs, work, show, start=start, said=("member", "vouch_offered"), gate=FirstVouchHeld
    )


@pages.post("/me/vouches/<pid(vch):vouch_id>/acceptance")
@requires("vouch:answer")
def accept_vouch(vouch_id: str) -> Any:
    """Say yes."""

    def work(data: dict[str, Any]) -> str:
        live = promising.accept(vouch_id)
        return url_for("member.vouch", vouch_id=live.public_id)

    return answer(
        Nothing,
        work,
        lambda form: _page(vouch_id, form),
        said=("member", "vouch_accepted"),
        gate=FirstVouchHeld,
    )


@pages.post("/me/vouches/<pid(vch):vouch_id>/refusal")
@requires("vouch:answer")
def decline_vouch(vouch_id: str) -> Any:
    """Say no."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("vouch:answer", vouch_id)
        service.decline_vouch(
            db.session(), vouch_id=found.id, now=now(), actor_id=caller().member_id
        )
        return url_for("member.vouches")

    return answer(
        Nothing, work, lambda form: _page(vouch_id, form), said=("member", "vouch_declined")
    )


@pages.post("/me/vouches/<pid(vch):vouch_id>/withdrawal")
@requires("vouch:change")
def withdraw_vouch(vouch_id: str) -> Any:
    """Take one's own offer back."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("vouch:change", vouch_id)
        service.withdraw_vouch(
            db.session(), vouch_id=found.id, now=now(), actor_id=caller().member_id
        )
        return url_for("member.vouches")

    return answer(
        Nothing, work, lambda form: _page(vouch_id, form), said=("member", "vouch_withdrawn")
    )


@pages.post("/me/vouches/<pid(vch):vouch_id>/revocation")
@requires("vouch:change")
def revoke_vouch(vouch_id: str) -> Any:
    """Back nothing new any more; what loans rest on runs on."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("vouch:change", vouch_id)
        service.revoke_vouch(
            db.session(), vouch_id=found.id, now=now(), actor_id=caller().member_id
        )
        return url_for("member.vouch", vouch_id=vouch_id)

    return answer(
        Nothing, work, lambda form: _page(vouch_id, form), said=("member", "vouch_revoked")
    )


@pages.post("/me/vouches/<pid(vch):vouch_id>/limit")
@requires("vouch:change")
def lower_vouch(vouch_id: str) -> Any:
    """Promise less from now on."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("vouch:change", vouch_id)
        service.lower_vouch(
            db.session(),
            vouch_id=found.id,
            limit=data["limit"],
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.vouch", vouch_id=vouch_id)

    return answer(
        LowerSchema, work, lambda form: _page(vouch_id, form), said=("member", "vouch_lowered")
    )


def _mine(member_id: int) -> Select[Vouch]:
    return select(Vouch).where(or_(Vouch.voucher_id == member_id, Vouch.borrower_id == member_id))


def _facts(session: Session, found: Vouch) -> Facts:
    community = communities.get_community_by_id(session, found.community_id)
    return Facts(
        path=community.path_ids,
        owner_ids=frozenset({found.voucher_id}),
        related_ids=frozenset({found.voucher_id, found.borrower_id}),
    )


def _permitted(action: str, vouch_id: str) -> Vouch:
    session = db.session()
    found = queries.get_vouch(session, vouch_id)
    permit(action, _facts(session, found))
    return found


def _page(vouch_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    found = _permitted("vouch:read", vouch_id)
    preview, reason = None, None
    open_ = found.status in (VouchStatus.OFFERED, VouchStatus.LIVE)
    if found.voucher_id == me and open_ and found.kind is VouchKind.PERSONAL:
        permit("vouch:preview", _facts(session, found))
        try:
            preview = previews.preview_vouch(
                session,
                community_id=found.community_id,
                voucher_id=found.voucher_id,
                borrower_id=found.borrower_id,
                limit_minor=found.limit_minor,
                expires_on=found.expires_on,
                on=today(),
            )
        except CommunityError as refusal:
            reason = refusal
    view = VouchPage(
        vouch=queries.view_vouches(session, [found], today())[0],
        community=communities.get_community_by_id(session, found.community_id),
        i_am_voucher=found.voucher_id == me,
        preview=preview,
        reason=reason,
    )
    other = found.borrower_id if found.voucher_id == me else found.voucher_id
    person = members.get_member_by_id(session, other)
    return page(
        "member/vouch.html",
        status=form.status,
        view=view,
        form=form,
        other=person,
        opens=may("profile:read", viewed(session, view.community, person).facts),
    )


def _thought_of(session: Session) -> tuple[Form, Preview | None, bool]:
    """What a promise would mean for the caller, before anything is offered."""
    form, data = read_query(OfferArgs())
    if form.errors:
        return form, None, False
    try:
        community = communities.get_community(session, data["community"])
        permit("vouch:offer", community_facts(session, community))
        other = members.get_member(session, data["other"]).id
        if data["side"] is VouchSide.BORROWER:
            service.check_offer(
                session,
                community_id=community.id,
                voucher_id=other,
                borrower_id=caller().member_id,
                limit=data["limit"],
                expires_on=data["expires_on"],
                on=today(),
            )
            return form, None, True
        preview = previews.preview_offer(
            session,
            community_id=community.id,
            voucher_id=caller().member_id,
            borrower_id=other,
            limit=data["limit"],
            expires_on=data["expires_on"],
            on=today(),
        )
    except CommunityError as refusal:
        form.refuse(refusal)
        return form, None, False
    return form, preview, True


def known_people(session: Session, places: Iterable[Community], member: Member) -> list[Named]:
    """People whom the caller knows here: of one group, or with a promise between them."""
    ids = {one.member_id for place in places for one in neighbours(session, place, member)}
    mine = select(GroupMember.group_id).where(
        GroupMember.member_id == member.id, GroupMember.status == GroupMemberStatus.SIGNED
    )
    ids |= set(
        session.scalars(
            select(GroupMember.member_id)
            .where(GroupMember.group_id.in_(mine), GroupMember.status == GroupMemberStatus.SIGNED)
            .limit(_MOST_SHOWN)
        )
    )
    named = members.names_of(session, ids - {member.id})
    return sorted(named.values(), key=lambda one: (one.name, one.public_id))
