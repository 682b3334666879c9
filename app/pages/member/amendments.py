"""What my group agreed: every version, other terms proposed, understood, signed, put into force."""

from datetime import date
from typing import Any

from flask import Response, request, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.grouplife.schemas import AmendmentInSchema
from app.grouplife.views import (
    agreement_file,
    agreement_versions,
    amendment_file,
    elsewhere_minor,
    found_warnings,
    may_be_asked,
    statement,
    viewer,
    warnings_kept,
)
from app.groups.facts import group_facts
from app.groups.views import group_view
from app.marks import limited
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.groups import SignSchema, ask_until_right, permitted, step_on
from app.pages.member.room import pages
from app.permissions import Facts, may, permit, requires
from community.communities import queries as communities
from community.errors import CommunityError
from community.exposure.previews import preview_amendment, ready_to_sign
from community.groups import amendments, queries
from community.groups.agreement import version_of
from community.groups.models import (
    AmendmentStatus,
    Group,
    GroupAgreement,
    GroupAmendment,
    GroupStatus,
)
from community.groups.proof import Answered, Questionnaire
from community.guarantees import group_life
from community.members import queries as members
from community.money import format_minor
from community.trust.queries import overdue_members
from community.vouching.records import figures_of

_GROUP = "/me/groups/<pid(grp):group_id>"
_AMENDMENT = "/me/amendments/<pid(gam):amendment_id>"
# Agreements follow each other by changes that everybody signs: no group has many.
VERSIONS_SHOWN = 40


@pages.get(_GROUP + "/agreement")
@requires("group:read")
def agreement(group_id: str) -> Response:
    """What is agreed now, what was before, and what was proposed."""
    session = db.session()
    found = permitted("group:read", group_id)
    facts = group_facts(session, found)
    versions = session.scalars(
        queries.list_agreements(found.id).order_by(GroupAgreement.id.desc()).limit(VERSIONS_SHOWN)
    ).all()
    proposed, older, first = listed(session, queries.list_amendments(found.id), GroupAmendment.id)
    return page(
        "member/agreement.html",
        group=group_view(session, found),
        versions=agreement_versions(found, versions),
        proposals=proposed.items,
        version_of=version_of,
        older=older,
        first=first,
        may_propose=may("group:propose", facts)
        and found.status is GroupStatus.ACTIVE
        and all(row.ended_at is not None for row in proposed.items),
    )


@pages.get(_GROUP + "/agreements/<int:version>")
@requires("group:read")
def agreement_version(group_id: str, version: int) -> Response:
    """One agreement as it was bound, and who signed it."""
    session = db.session()
    found = permitted("group:read", group_id)
    row = queries.get_agreement_version(session, group_id=found.id, version=version)
    return page(
        "member/agreement_version.html",
        group=group_view(session, found),
        file=agreement_file(session, found, row),
    )


@pages.route(_GROUP + "/amendments/new", methods=["GET", "POST"])
@requires("group:propose")
@limited("heavy")
def propose_amendment(group_id: str) -> Any:
    """Propose another cap, another end, or members who join; everybody signs again."""
    session = db.session()
    found = permitted("group:propose", group_id)
    currency = communities.get_community_by_id(session, found.community_id).currency

    def work(data: dict[str, Any]) -> str:
        unit = db.session()
        group = permitted("group:propose", group_id)
        joining = [members.get_member(unit, public_id).id for public_id in data["joining"]]
        living = [place.member_id for place in queries.living_members(unit, group.id)]
        everybody = sorted({*living, *joining})
        made = amendments.propose(
            unit,
            **step_on(group),
            proposer_id=caller().member_id,
            pair_cap=data.get("pair_cap"),
            vouch_expires_on=data.get("vouch_expires_on"),
            joining=joining,
            reason=data["reason"],
            overdue_ids=overdue_members(unit, everybody),
            warnings=warnings_kept(found_warnings(unit, group, everybody)),
        )
        return url_for("member.amendment", amendment_id=made.public_id)

    def show(form: Form) -> Response:
        group = queries.get_group(db.session(), group_id)
        return page(
            "member/amendment_new.html",
            form=form,
            group=group_view(db.session(), group),
            currency=currency,
            people=may_be_asked(db.session(), group, group_facts(db.session(), group)),
            chosen=request.form.getlist("joining"),
        )

    start = {
        "pair_cap": format_minor(found.pair_cap_minor, currency),
        "vouch_expires_on": found.vouch_expires_on.isoformat(),
    }
    return answer(
        AmendmentInSchema, work, show, start=start, said=("member", "amendment_proposed_said")
    )


@pages.get(_AMENDMENT)
@requires("group:read")
@limited("heavy")
def amendment(amendment_id: str) -> Response:
    """A proposal: what changes, what it would mean for me, who has signed, what I can do."""
    return _page(amendment_id, Form())


@pages.route(_AMENDMENT + "/understanding", methods=["GET", "POST"])
@requires("group:sign_amendment")
@limited("heavy")
def understand_amendment(amendment_id: str) -> Any:
    """The questions on what the proposal changes for me."""
    me = caller().member_id

    def read() -> tuple[Group, Questionnaire]:
        session = db.session()
        group, proposed = _permitted("group:sign_amendment", amendment_id)
        return group, amendments.questionnaire(
            session,
            amendment_id=proposed.id,
            member_id=me,
            elsewhere_minor=elsewhere_minor(session, group, me),
        )

    def take(answers: dict[str, Any]) -> Answered:
        session = db.session()
        group, proposed = _permitted("group:sign_amendment", amendment_id)
        return amendments.answer_questions(
            session,
            **_step(proposed),
            member_id=me,
            agreement_hash=answers.pop("agreement_hash"),
            answers=answers,
            elsewhere_minor=elsewhere_minor(session, group, me),
        )

    return ask_until_right(
        read,
        take,
        here=url_for("member.understand_amendment", amendment_id=amendment_id),
        done=url_for("member.amendment", amendment_id=amendment_id),
    )


@pages.post(_AMENDMENT + "/signature")
@requires("group:sign_amendment")
def sign_amendment(amendment_id: str) -> Any:
    """Sign, having shown to understand it; the last signature begins the cooling-off."""

    def work(data: dict[str, Any]) -> str:
        session, me = db.session(), caller().member_id
        group, proposed = _permitted("group:sign_amendment", amendment_id)
        amendments.require_signer(session, proposed, me)
        ready_to_sign(session, group, proposed, member_id=me, on=today())
        amendments.sign(
            session,
            **_step(proposed),
            member_id=me,
            agreement_hash=data["agreement_hash"],
            elsewhere_minor=elsewhere_minor(session, group, me),
        )
        return _here(amendment_id)

    return answer(
        SignSchema, work, lambda form: _page(amendment_id, form), said=("member", "signed_said")
    )


@pages.post(_AMENDMENT + "/refusal")
@requires("group:refuse_amendment")
def refuse_amendment(amendment_id: str) -> Any:
    """Say no: all stays as it was."""

    def work(data: dict[str, Any]) -> str:
        _, proposed = _permitted("group:refuse_amendment", amendment_id)
        amendments.refuse(db.session(), **_step(proposed), member_id=caller().member_id)
        return _here(amendment_id)

    return answer(
        Nothing, work, lambda form: _page(amendment_id, form), said=("member", "refused_said")
    )


@pages.post(_AMENDMENT + "/withdrawal")
@requires("group:withdraw_proposal")
def withdraw_amendment(amendment_id: str) -> Any:
    """Take it back: for whoever proposed it, or the leader."""

    def work(data: dict[str, Any]) -> str:
        _, proposed = _permitted("group:withdraw_proposal", amendment_id)
        amendments.withdraw(db.session(), **_step(proposed), member_id=caller().member_id)
        return _here(amendment_id)

    return answer(
        Nothing,
        work,
        lambda form: _page(amendment_id, form),
        said=("member", "proposal_withdrawn_said"),
    )


@pages.post(_AMENDMENT + "/activation")
@requires("group:put_into_force")
def put_into_force(amendment_id: str) -> Any:
    """Let the new agreement bind: promises are raised, lowered, extended, written in one step."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        group, proposed = _permitted("group:put_into_force", amendment_id)
        facts = group_facts(session, group)
        group_life.put_into_force(
            session, **_step(proposed), viewer=viewer(facts), records_of=figures_of
        )
        return url_for("member.agreement", group_id=group.public_id)

    return answer(
        Nothing, work, lambda form: _page(amendment_id, form), said=("member", "in_force_said")
    )


def _permitted(action: str, amendment_id: str) -> tuple[Group, GroupAmendment]:
    session = db.session()
    found = queries.get_amendment(session, amendment_id)
    group = queries.get_group_by_id(session, found.group_id)
    permit(action, group_facts(session, group))
    return group, found


def _step(proposed: GroupAmendment) -> dict[str, Any]:
    return {
        "amendment_id": proposed.id,
        "on": today(),
        "now": now(),
        "actor_id": caller().member_id,
    }


def _here(amendment_id: str) -> str:
    return url_for("member.amendment", amendment_id=amendment_id)


def _page(amendment_id: str, form: Form) -> Response:
    session, me = db.session(), caller().member_id
    group, proposed = _permitted("group:read", amendment_id)
    facts = group_facts(session, group)
    my_id = members.get_member_by_id(session, me).public_id
    file = amendment_file(session, group, proposed)
    is_open = proposed.ended_at is None
    signs = is_open and my_id in {one["id"] for one in proposed.document["members"]}
    mine = _mine(session, group, proposed, facts) if signs else {}
    has_signed = my_id in {one.public_id for one in file["signed"]}
    thinking = proposed.cooling_off_until is None or now() < proposed.cooling_off_until
    return page(
        "member/amendment.html",
        status=form.status,
        form=form,
        group=group_view(session, group),
        file=file,
        before_until=date.fromisoformat(file["facts"]["amends"]["vouch_expires_on"]),
        is_open=is_open,
        has_signed=has_signed,
        may_sign=signs
        and not has_signed
        and proposed.status is AmendmentStatus.SIGNING
        and may("group:sign_amendment", facts),
        may_refuse=signs and thinking and may("group:refuse_amendment", facts),
        may_withdraw=is_open
        and (proposed.proposed_by_id == me or queries.is_led_by(group, today()) == me)
        and may("group:withdraw_proposal", facts),
        may_bind=is_open
        and proposed.status is AmendmentStatus.COOLING_OFF
        and may("group:put_into_force", facts),
        thinking=thinking,
        **mine,
    )


def _mine(session: Session, group: Group, proposed: GroupAmendment, facts: Facts) -> dict[str, Any]:
    """What the proposal means for the caller, who is to sign it."""
    me = caller().member_id
    permit("group:read_own", facts)
    found: dict[str, Any] = {
        "stands": statement(session, group, amendments.paper_of(proposed), proposed)
    }
    if proposed.status is not AmendmentStatus.SIGNING:
        return found
    permit("group:preview_amendment", facts)
    try:
        found["preview"] = preview_amendment(session, group, proposed, member_id=me, on=today())
        found["passed"] = amendments.questionnaire(
            session,
            amendment_id=proposed.id,
            member_id=me,
            elsewhere_minor=elsewhere_minor(session, group, me),
        ).passed
    except CommunityError as refusal:
        found["reason"] = refusal
    return found
