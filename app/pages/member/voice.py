"""What I said, what became of it, what I was told; complaints; what people ask for."""

from collections.abc import Iterable
from typing import Any

from flask import Response, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import acting, caller
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.feedback import views
from app.feedback.facts import complaint_facts, item_facts, theme_facts
from app.feedback.schemas import (
    TEXT_MAX,
    ComplaintInSchema,
    ComplaintTextSchema,
    PollVoteSchema,
)
from app.fields import PublicId, Schema, Text
from app.marks import unnamed
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.permissions import Facts, may, permit, requires
from community.communities import queries as communities
from community.communities.charter import ComplaintKind
from community.communities.models import Community, MembershipStatus
from community.feedback import complaints, items, messages, queries, themes
from community.feedback.models import (
    Complaint,
    ComplaintOutcome,
    FeedbackItem,
    ItemKind,
    Message,
    PollChoice,
    PollStatus,
    Theme,
)
from community.locks import lock_one
from community.members import queries as members

_FIRST_ONES = 6


class SaySchema(Schema):
    """A suggestion, and where."""

    community = PublicId("com", required=True)
    text = Text(TEXT_MAX, lines=True, required=True)


class ComplainSchema(ComplaintInSchema):
    """A complaint, and where."""

    community = PublicId("com", required=True)


class WithdrawSchema(Schema):
    """Why a complaint is taken back."""

    text = Text(TEXT_MAX, lines=True, required=True)


@pages.listed("voice")
@pages.get("/me/voice")
@requires("own-feedback:read")
def voice() -> Response:
    """What I was told, what I said, what I complained of, and where to see what others ask for."""
    session, me = db.session(), caller().member_id
    mine = Facts(owner_ids=frozenset({me}))
    for action in ("own-feedback:read", "message:read", "own-complaint:read"):
        permit(action, mine)
    unread = session.scalars(
        messages.list_messages(me, unread=True).order_by(Message.id.desc()).limit(_FIRST_ONES)
    ).all()
    said = session.scalars(
        items.list_own_items(me).order_by(FeedbackItem.id.desc()).limit(_FIRST_ONES)
    ).all()
    complained = session.scalars(
        complaints.list_own_complaints(me).order_by(Complaint.id.desc()).limit(_FIRST_ONES)
    ).all()
    return page(
        "member/voice.html",
        messages=views.message_views(session, unread),
        mine=views.item_views(session, said, ()),
        states=_states(session, said),
        complaints=[views.complaint_summary(row) for row in complained],
        places=_places(session),
        form=Form(),
    )


@pages.get("/me/voice/messages")
@requires("message:read")
def my_messages() -> Response:
    """All that I was told, newest first."""
    session, me = db.session(), caller().member_id
    permit("message:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, messages.list_messages(me, unread=False), Message.id)
    return page(
        "member/messages.html",
        messages=views.message_views(session, found.items),
        older=older,
        first=first,
        form=Form(),
    )


@pages.post("/me/voice/messages/<pid(msg):message_id>/reading")
@requires("message:mark")
def read_message(message_id: str) -> Any:
    """Say that a message was read."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = messages.get_message(session, message_id)
        permit("message:mark", Facts(owner_ids=frozenset({found.member_id})))
        messages.mark(lock_one(session, Message, found.id), is_read=True, now=now())
        return url_for("member.voice")

    return answer(Nothing, work, lambda form: my_messages())


@pages.get("/me/voice/items")
@requires("own-feedback:read")
def my_items() -> Response:
    """All that I said, newest first."""
    session, me = db.session(), caller().member_id
    permit("own-feedback:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, items.list_own_items(me), FeedbackItem.id)
    return page(
        "member/items.html",
        mine=views.item_views(session, found.items, ()),
        states=_states(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/me/voice/items/<pid(fbk):item_id>")
@requires("feedback-item:read")
def my_item(item_id: str) -> Response:
    """One thing that was said, and its way: theme, vote, decision, version, message."""
    session = db.session()
    item = items.get_item(session, item_id)
    facts = item_facts(session, item)
    permit("feedback-item:read", facts)
    trail = views.trail_view(session, queries.trail_of(session, item, today()), facts.path)
    return page("member/item.html", item=trail)


@pages.route("/me/voice/say", methods=["GET", "POST"])
@requires("feedback:say")
def say() -> Any:
    """Suggest something."""
    session, me = db.session(), caller().member_id
    permit("feedback:say", Facts(member_ids=frozenset({me})))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        community = communities.get_community(session, data["community"])
        permit("feedback:say", community_facts(session, community))
        item = items.say(
            session,
            community_id=community.id,
            author_id=me,
            kind=ItemKind.SUGGESTION,
            text=data["text"],
            thing=None,
            on=today(),
        )
        return url_for("member.my_item", item_id=item.public_id)

    return answer(
        SaySchema,
        work,
        lambda form: page("member/say.html", form=form, places=_places(session)),
        said=("member", "said_said"),
    )


@pages.route("/me/voice/complain", methods=["GET", "POST"])
@requires("complaint:file")
@unnamed
def complain() -> Any:
    """Complain: it gets a number, an owner, and a day to be answered by."""
    session, me = db.session(), caller().member_id
    permit("complaint:file", Facts(member_ids=frozenset({me})))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        community = communities.get_community(session, data["community"])
        permit("complaint:file", community_facts(session, community))
        against = data["against"]
        made = complaints.file(
            session,
            community_id=community.id,
            complainant_id=me,
            against_id=None if against is None else members.get_member(session, against).id,
            kind=data["kind"],
            title=data["title"],
            text=data["text"],
            on=today(),
            now=now(),
        )
        return url_for("member.complaint", complaint_id=made.public_id)

    return answer(
        ComplainSchema,
        work,
        lambda form: page(
            "member/complain.html", form=form, places=_places(session), about=list(ComplaintKind)
        ),
        said=("member", "complained_said"),
    )


@pages.get("/me/voice/complaints")
@requires("own-complaint:read")
@unnamed
def my_complaints() -> Response:
    """All that I complained of, newest first."""
    session, me = db.session(), caller().member_id
    permit("own-complaint:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, complaints.list_own_complaints(me), Complaint.id)
    return page(
        "member/complaints.html",
        complaints=[views.complaint_summary(row) for row in found.items],
        older=older,
        first=first,
    )


@pages.get("/me/voice/complaints/<pid(cpl):complaint_id>")
@requires("complaint:read")
@unnamed
def complaint(complaint_id: str) -> Response:
    """One complaint and what happened to it."""
    return _complaint_page(complaint_id, Form())


@pages.post("/me/voice/complaints/<pid(cpl):complaint_id>/replies")
@requires("complaint:reply")
@unnamed
def reply_to_complaint(complaint_id: str) -> Any:
    """Write to the other side."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("complaint:reply", complaint_id)
        complaints.reply(db.session(), complaint_id=found.id, text=data["text"], **acting())
        return url_for("member.complaint", complaint_id=complaint_id)

    return answer(
        ComplaintTextSchema,
        work,
        lambda form: _complaint_page(complaint_id, form),
        said=("member", "replied_said"),
    )


@pages.post("/me/voice/complaints/<pid(cpl):complaint_id>/withdrawal")
@requires("complaint:close")
@unnamed
def withdraw_complaint(complaint_id: str) -> Any:
    """Take one's own complaint back."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("complaint:close", complaint_id)
        complaints.close(
            db.session(),
            complaint_id=found.id,
            outcome=ComplaintOutcome.WITHDRAWN,
            text=data["text"],
            **acting(),
        )
        return url_for("member.complaint", complaint_id=complaint_id)

    return answer(
        WithdrawSchema,
        work,
        lambda form: _complaint_page(complaint_id, form),
        said=("member", "complaint_withdrawn_said"),
    )


@pages.post("/me/voice/complaints/<pid(cpl):complaint_id>/reopening")
@requires("complaint:reopen")
@unnamed
def reopen_complaint(complaint_id: str) -> Any:
    """Have somebody else look at it again."""

    def work(data: dict[str, Any]) -> str:
        found = _permitted("complaint:reopen", complaint_id)
        complaints.reopen(db.session(), complaint_id=found.id, text=data["text"], **acting())
        return url_for("member.complaint", complaint_id=complaint_id)

    return answer(
        ComplaintTextSchema,
        work,
        lambda form: _complaint_page(complaint_id, form),
        said=("member", "reopened_said"),
    )


@pages.get("/me/voice/themes/in/<pid(com):community_id>")
@requires("theme:read")
def asked_themes(community_id: str) -> Response:
    """What people ask for, and what became of it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("theme:read", community_facts(session, community))
    found, older, first = listed(session, themes.list_themes(community.id, None), Theme.id)
    files = queries.theme_files(session, found.items, today())
    return page(
        "member/themes.html",
        community=community,
        themes=[views.theme_view(known) for known in files],
        older=older,
        first=first,
    )


@pages.get("/me/voice/themes/<pid(thm):theme_id>")
@requires("theme:read")
def asked_theme(theme_id: str) -> Response:
    """One theme: how many ask, the vote, the decision, what brought it."""
    return _theme_page(theme_id, Form())


@pages.post("/me/voice/themes/<pid(thm):theme_id>/votes")
@requires("theme:vote")
def vote_on_theme(theme_id: str) -> Any:
    """Cast one's vote; it is secret, and cannot be taken back."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        theme = themes.get_theme(session, theme_id)
        permit("theme:vote", theme_facts(session, theme))
        themes.vote(
            session,
            theme_id=theme.id,
            member_id=caller().member_id,
            choice=data["choice"],
            on=today(),
        )
        return url_for("member.asked_theme", theme_id=theme_id)

    return answer(
        PollVoteSchema,
        work,
        lambda form: _theme_page(theme_id, form),
        said=("member", "voted_said"),
    )


def _places(session: Session) -> list[Community]:
    return [
        community
        for membership, community in communities.memberships_of(session, caller().member_id)
        if membership.status is MembershipStatus.ACTIVE
    ]


def _states(session: Session, said: Iterable[FeedbackItem]) -> dict[str, Any]:
    """By the id of a theme: where it stands, for what the caller said."""
    ids = {item.theme_id for item in said if item.theme_id is not None}
    rows = session.execute(select(Theme.public_id, Theme.status).where(Theme.id.in_(ids)))
    return dict(rows.all())


def _permitted(action: str, complaint_id: str) -> Complaint:
    session = db.session()
    found = complaints.get_complaint(session, complaint_id)
    permit(action, complaint_facts(session, found))
    return found


def _complaint_page(complaint_id: str, form: Form) -> Response:
    found = _permitted("complaint:read", complaint_id)
    return page(
        "member/complaint.html",
        status=form.status,
        form=form,
        complaint=views.complaint_view(db.session(), found),
        is_mine=found.complainant_id == caller().member_id,
    )


def _theme_page(theme_id: str, form: Form) -> Response:
    session = db.session()
    theme = themes.get_theme(session, theme_id)
    facts = theme_facts(session, theme)
    permit("theme:read", facts)
    [known] = queries.theme_files(session, [theme], today())
    shown = views.theme_view(known)
    votes = [
        poll
        for poll in shown["polls"]
        if poll["status"] is PollStatus.OPEN and poll["opens_on"] <= today() <= poll["closes_on"]
    ]
    return page(
        "member/theme.html",
        status=form.status,
        form=form,
        theme=shown,
        community=communities.get_community_by_id(session, theme.community_id),
        poll=votes[0] if votes and may("theme:vote", facts) else None,
        choices=list(PollChoice),
    )
