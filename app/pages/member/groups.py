"""The groups that I am in or invited to: answer, elect, understand, sign, think again."""

from collections.abc import Callable
from typing import Any

import marshmallow as ma
from flask import Response, redirect, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Money, PublicId, Schema, Text
from app.grouplife.views import (
    elsewhere_minor,
    found_warnings,
    may_be_asked,
    statement,
    viewer,
    warning_views,
)
from app.groups.facts import group_facts
from app.groups.views import group_summaries, group_view
from app.loans.facts import group_facts as loan_facts_of
from app.marks import limited
from app.pages.entry import language
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page, say
from app.pages.lists import listed
from app.pages.member.room import pages
from app.permissions import Facts, may, permit, requires
from app.profiles.facts import opens_profiles_of
from community.communities import queries as communities
from community.errors import CommunityError
from community.exposure.previews import preview_agreement, ready_to_sign
from community.groups import queries, service
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.groups.proof import Questionnaire
from community.groups.service import Answered
from community.groups.understanding import CHOICES, QuestionKind
from community.members import queries as members

_BOUND = (GroupStatus.ACTIVE, GroupStatus.DISSOLVED)
_SIGNS = (GroupStatus.SIGNING, GroupStatus.COOLING_OFF)


class VoteSchema(Schema):
    """Whom to vote for."""

    candidate = PublicId("mem", required=True)


class SignSchema(Schema):
    """The agreement that was read, and that it was."""

    agreement_hash = Text(64, required=True)


@pages.listed("groups")
@pages.get("/me/groups")
@requires("group:list_mine")
def groups() -> Response:
    """Groups that I am in, and those that invite me."""
    session, me = db.session(), caller().member_id
    permit("group:list_mine", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, queries.groups_of(me), Group.id)
    rows = session.execute(
        select(GroupMember.group_id, GroupMember.status).where(
            GroupMember.member_id == me,
            GroupMember.group_id.in_([group.id for group in found.items]),
        )
    )
    states = dict(rows.all())
    return page(
        "member/groups.html",
        groups=group_summaries(session, found.items),
        states=[states[group.id] for group in found.items],
        older=older,
        first=first,
    )


@pages.get("/me/groups/<pid(grp):group_id>")
@requires("group:read")
@limited("heavy")
def group(group_id: str) -> Response:
    """One group: who is in it, what it promises, and what I can do now."""
    return group_page(group_id, Form())


@pages.post("/me/groups/<pid(grp):group_id>/acceptance")
@requires("group:answer_invitation")
def accept_invitation(group_id: str) -> Any:
    """Join."""
    return _answer_invitation(group_id, accept=True, said=("member", "joined_said"))


@pages.post("/me/groups/<pid(grp):group_id>/refusal")
@requires("group:answer_invitation")
def decline_invitation(group_id: str) -> Any:
    """Say no, thank you."""
    return _answer_invitation(group_id, accept=False, said=("member", "not_joined_said"))


@pages.post("/me/groups/<pid(grp):group_id>/vote")
@requires("group:vote")
def vote_leader(group_id: str) -> Any:
    """Vote for a leader."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = permitted("group:vote", group_id)
        candidate = members.get_member(session, data["candidate"])
        service.vote_leader(
            session, **step_on(found), voter_id=caller().member_id, candidate_id=candidate.id
        )
        return url_for("member.group", group_id=group_id)

    return answer(
        VoteSchema,
        work,
        lambda form: group_page(group_id, form),
        said=("member", "voted_leader_said"),
    )


@pages.route("/me/groups/<pid(grp):group_id>/understanding", methods=["GET", "POST"])
@requires("group:understand")
@limited("heavy")
def understand(group_id: str) -> Any:
    """The questions on my own exposure; whoever gets one wrong is shown why and asked again."""
    me = caller().member_id

    def read() -> tuple[Group, Questionnaire]:
        found = permitted("group:understand", group_id)
        return found, _questions(db.session(), found)

    def take(answers: dict[str, Any]) -> Answered:
        session = db.session()
        found = permitted("group:understand", group_id)
        return service.answer_questions(
            session,
            group_id=found.id,
            member_id=me,
            agreement_hash=answers.pop("agreement_hash"),
            answers=answers,
            elsewhere_minor=elsewhere_minor(session, found, me),
            now=now(),
            actor_id=me,
        )

    return ask_until_right(
        read,
        take,
        here=url_for("member.understand", group_id=group_id),
        done=url_for("member.group", group_id=group_id),
    )


def ask_until_right(
    read: Callable[[], tuple[Group, Questionnaire]],
    take: Callable[[dict[str, Any]], Answered],
    *,
    here: str,
    done: str,
) -> Any:
    """Ask the questions on a paper; a wrong answer is explained, and asked again.

    Who has answered all of them right goes on to `done`.
    """
    found, asked = read()
    currency = communities.get_community_by_id(db.session(), found.community_id).currency
    tried: list[Answered] = []

    def work(data: dict[str, Any]) -> str:
        tried.append(take(data))
        return done if tried[-1].passed else here

    def show(form: Form, questions: Questionnaire = asked, wrong: Any = ()) -> Response:
        return page(
            "member/understand.html",
            status=form.status,
            form=form,
            group=found,
            asked=questions,
            currency=currency,
            wrong=wrong,
            back=done,
        )

    if asked.passed and not tried:
        # Nothing is left to be asked.
        return redirect(done, 303)
    answered = answer(_schema(asked), work, show)
    if not tried:
        return answered
    last = tried[-1]
    if last.passed:
        say("member", "understood_said")
        return answered
    assert last.again is not None  # who has not passed is asked again
    wrong = [verdict.question for verdict in last.verdicts if not verdict.right]
    return show(Form(), last.again, wrong)


@pages.post("/me/groups/<pid(grp):group_id>/signature")
@requires("group:sign")
def sign_agreement(group_id: str) -> Any:
    """Sign, having shown to understand it."""

    def work(data: dict[str, Any]) -> str:
        session, me = db.session(), caller().member_id
        found = permitted("group:sign", group_id)
        ready_to_sign(session, found, None, member_id=me, on=today())
        service.sign(
            session,
            **step_on(found),
            member_id=me,
            agreement_hash=data["agreement_hash"],
            elsewhere_minor=elsewhere_minor(session, found, me),
        )
        return url_for("member.group", group_id=group_id)

    return answer(
        SignSchema, work, lambda form: group_page(group_id, form), said=("member", "signed_said")
    )


@pages.post("/me/groups/<pid(grp):group_id>/step-back")
@requires("group:step_back")
def step_back(group_id: str) -> Any:
    """Leave a group that does not bind yet."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = permitted("group:step_back", group_id)
        service.step_back(session, **step_on(found), member_id=caller().member_id)
        return url_for("member.groups")

    return answer(
        Nothing, work, lambda form: group_page(group_id, form), said=("member", "stepped_back_said")
    )


def _answer_invitation(group_id: str, *, accept: bool, said: tuple[str, str]) -> Any:
    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = permitted("group:answer_invitation", group_id)
        service.answer_invitation(
            session, **step_on(found), member_id=caller().member_id, accept=accept
        )
        if accept:
            return url_for("member.group", group_id=group_id)
        return url_for("member.groups")

    return answer(Nothing, work, lambda form: group_page(group_id, form), said=said)


def permitted(action: str, group_id: str) -> Group:
    """A group, if the caller may do this with it."""
    session = db.session()
    found = queries.get_group(session, group_id)
    permit(action, group_facts(session, found))
    return found


def step_on(found: Group) -> dict[str, Any]:
    """Which group, when it is, and who does it."""
    return {
        "group_id": found.id,
        "on": today(),
        "now": now(),
        "actor_id": caller().member_id,
    }


def _questions(session: Session, found: Group) -> Questionnaire:
    me = caller().member_id
    return service.questionnaire(
        session,
        group_id=found.id,
        member_id=me,
        elsewhere_minor=elsewhere_minor(session, found, me),
    )


def _schema(asked: Questionnaire) -> ma.Schema:
    fields: dict[str, Any] = {"agreement_hash": Text(64, required=True)}
    for question in asked.questions:
        fields[question.id] = (
            Money(zero=True, required=True)
            if question.kind is QuestionKind.MONEY
            else ma.fields.String(required=True, validate=ma.validate.OneOf(CHOICES))
        )
    return Schema.from_dict(fields, name="Understanding")()


def group_page(group_id: str, form: Form) -> Response:
    """One group, and what the caller can do with it now."""
    session, me = db.session(), caller().member_id
    found = queries.get_group(session, group_id)
    facts = group_facts(session, found)
    permit("group:read", facts)
    shown = group_view(session, found)
    mine = next((m for m in shown["members"] if m["member"].id == me), None)
    forming = found.status is GroupStatus.FORMING
    preview, paper, stands, passed, reason = None, None, None, False, None
    if mine is not None and found.agreement_hash is not None and may("group:understand", facts):
        paper = service.agreement_of(found)
        permit("group:read_own", facts)
        stands = statement(session, found, service.paper_of(found))
        if found.status in _SIGNS:
            permit("group:preview", facts)
            try:
                preview = preview_agreement(session, found, member_id=me, on=today())
                passed = _questions(session, found).passed
            except CommunityError as refusal:
                reason = refusal
    lent = loan_facts_of(session, found)
    warnings = warning_views(
        session,
        found_warnings(session, found, queries.concerned_ids(session, found)),
        sees_all=viewer(facts).sees_all,
    )["warnings"]
    return page(
        "member/group.html",
        status=form.status,
        form=form,
        group=shown,
        community=communities.get_community_by_id(session, found.community_id),
        mine=mine,
        opens=opens_profiles_of(found, facts),
        is_invited=mine is not None and mine["status"] is GroupMemberStatus.INVITED,
        living=[one for one in shown["members"] if one["status"] in queries.LIVING],
        may_vote=may("group:vote", facts) and forming,
        may_invite=may("group:invite", facts) and forming,
        people=may_be_asked(session, found, facts) if forming else [],
        steps={
            "terms": may("group:change", facts) and forming,
            "fix": may("group:fix_agreement", facts) and forming,
            "reopen": may("group:reopen", facts) and found.status in _SIGNS,
            "activate": may("group:activate", facts) and found.status is GroupStatus.COOLING_OFF,
            "dissolve": may("group:dissolve", facts)
            and (found.status in (GroupStatus.FORMING, *_SIGNS) or may("group:end", facts))
            and found.status is not GroupStatus.DISSOLVED,
        },
        ready=found.cooling_off_until is not None and now() >= found.cooling_off_until,
        may_step_back=may("group:step_back", facts)
        and found.status in (GroupStatus.FORMING, *_SIGNS),
        preview=preview,
        paper=paper,
        stands=stands,
        passed=passed,
        reason=reason,
        warnings=warnings,
        loans={"applies": may("group-loan:apply", lent) and found.status is GroupStatus.ACTIVE}
        if found.status in _BOUND and may("group-loan:read", lent)
        else None,
        here=language(),
    )
