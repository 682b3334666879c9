"""Ratings, comments and suggestions, and a member's messages."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.feedback import complaint_routes, theme_routes, views
from app.feedback import permissions as _permissions  # noqa: F401  declares this room's actions
from app.feedback.facts import item_facts, thing_facts
from app.feedback.schemas import (
    AlikeListSchema,
    FeedbackInSchema,
    FeedbackListArgs,
    FeedbackSchema,
    HideSchema,
    ItemPlaceSchema,
    MeansSchema,
    MessageListArgs,
    MessageMarkSchema,
    MessageSchema,
    RatingInSchema,
    RatingSchema,
    SubjectArgs,
    TrailSchema,
)
from app.marks import unnamed
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.feedback import items, messages, queries, ratings, subjects, themes
from community.feedback.errors import ThemeNotFound
from community.feedback.models import FeedbackItem, ItemKind, Message
from community.feedback.subjects import Thing
from community.locks import lock_one

blp = Blueprint("feedback", __name__, description="What members say, and what became of it")
complaint_routes.add_routes(blp)
theme_routes.add_routes(blp)


@blp.route("/ratings", methods=["POST"])
@requires("rating:give")
@unnamed
@blp.arguments(RatingInSchema)
@blp.response(201, RatingSchema)
@transactional
def rate(data: dict[str, Any]) -> dict[str, Any]:
    """Rate what concerns the caller, or change one's mind."""
    session = db.session()
    thing = _thing(data["subject"])
    permit("rating:give", thing_facts(session, thing))
    rating = ratings.rate(
        session, thing=thing, member_id=caller().member_id, stars=data["stars"], on=today()
    )
    return views.rating_view(session, rating)


@blp.route("/ratings")
@requires("rating:read")
@blp.arguments(SubjectArgs, location="query")
@blp.response(200, MeansSchema)
def get_ratings(args: dict[str, Any]) -> dict[str, Any]:
    """What is published of a subject's ratings, and the caller's own."""
    session = db.session()
    thing = _thing(args)
    permit("rating:read", thing_facts(session, thing))
    return views.means_view(session, thing)


@blp.route("/communities/<pid(com):community_id>/feedback-items", methods=["POST"])
@requires("feedback:say")
@blp.arguments(FeedbackInSchema)
@blp.response(201, FeedbackSchema)
@transactional
def say(data: dict[str, Any], community_id: str) -> dict[str, Any]:
    """Comment on what concerns the caller, or suggest something."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("feedback:say", community_facts(session, community))
    item = items.say(
        session,
        community_id=community.id,
        author_id=caller().member_id,
        kind=ItemKind(data["kind"]),
        text=data["text"],
        thing=None if data["subject"] is None else _thing(data["subject"]),
        on=today(),
    )
    return views.item_views(session, [item], community.path_ids)[0]


@blp.route("/communities/<pid(com):community_id>/feedback-items")
@requires("feedback-item:list")
@blp.arguments(FeedbackListArgs, location="query")
@blp.response(200, page_of(FeedbackSchema))
def list_items(args: dict[str, Any], community_id: str) -> Page:
    """What members said, newest first, for those who look after the community or audit it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("feedback-item:list", Facts(path=community.path_ids))
    theme = None if args["theme"] is None else themes.get_theme(session, args["theme"])
    if theme is not None and theme.community_id != community.id:
        raise ThemeNotFound()
    query = items.list_items(
        community.id,
        ungrouped=args["ungrouped"],
        theme_id=None if theme is None else theme.id,
    )
    page = paginate(session, query, key=FeedbackItem.id, args=args, newest_first=True)
    return Page(views.item_views(session, page.items, community.path_ids), page.next_cursor)


@blp.route("/me/feedback-items")
@requires("own-feedback:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(FeedbackSchema))
def list_my_items(args: dict[str, Any]) -> Page:
    """What the caller said, newest first."""
    session = db.session()
    me = caller().member_id
    permit("own-feedback:read", Facts(owner_ids=frozenset({me})))
    query = items.list_own_items(me)
    page = paginate(session, query, key=FeedbackItem.id, args=args, newest_first=True)
    return Page(views.item_views(session, page.items, ()), page.next_cursor)


@blp.route("/feedback-items/<pid(fbk):item_id>")
@requires("feedback-item:read")
@blp.response(200, TrailSchema)
def get_item(item_id: str) -> dict[str, Any]:
    """One item and what came of it: theme, vote, decision, version, what its author was told."""
    session = db.session()
    item, facts = _item("feedback-item:read", item_id)
    return views.trail_view(session, queries.trail_of(session, item, today()), facts.path)


@blp.route("/feedback-items/<pid(fbk):item_id>/alike")
@requires("feedback-item:place")
@blp.response(200, AlikeListSchema)
def list_alike(item_id: str) -> dict[str, Any]:
    """Items that may belong with this one, by their wording; whether they do, an officer says."""
    session = db.session()
    item, facts = _item("feedback-item:place", item_id)
    found = items.find_alike(session, item, today())
    shown = views.item_views(session, [row for row, _ in found], facts.path)
    return {
        "items": [
            {"item": one, "alike_bps": score} for one, (_, score) in zip(shown, found, strict=True)
        ]
    }


@blp.route("/feedback-items/<pid(fbk):item_id>/theme", methods=["PUT"])
@requires("feedback-item:place")
@blp.arguments(ItemPlaceSchema)
@blp.response(200, FeedbackSchema)
@transactional
def place_item(data: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Put an item into a theme, or take it out; where it was stays on record."""
    session = db.session()
    item, facts = _item("feedback-item:place", item_id)
    theme = None if data["theme"] is None else themes.get_theme(session, data["theme"])
    item = themes.place(
        session, item_id=item.id, theme=theme, on=today(), actor_id=caller().member_id
    )
    return views.item_views(session, [item], facts.path)[0]


@blp.route("/feedback-items/<pid(fbk):item_id>/hiding", methods=["POST"])
@requires("feedback-item:hide")
@blp.arguments(HideSchema)
@blp.response(201, FeedbackSchema)
@transactional
def hide_item(data: dict[str, Any], item_id: str) -> dict[str, Any]:
    """Hide a text, for a reason; the auditors read it still."""
    session = db.session()
    item, facts = _item("feedback-item:hide", item_id)
    item = items.hide(
        session,
        item_id=item.id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.item_views(session, [item], facts.path)[0]


@blp.route("/me/messages")
@requires("message:read")
@blp.arguments(MessageListArgs, location="query")
@blp.response(200, page_of(MessageSchema))
def list_messages(args: dict[str, Any]) -> Page:
    """What the caller was told, newest first."""
    session = db.session()
    me = caller().member_id
    permit("message:read", Facts(owner_ids=frozenset({me})))
    query = messages.list_messages(me, unread=args["unread"])
    page = paginate(session, query, key=Message.id, args=args, newest_first=True)
    return Page(views.message_views(session, page.items), page.next_cursor)


@blp.route("/messages/<pid(msg):message_id>/reading", methods=["PUT"])
@requires("message:mark")
@blp.arguments(MessageMarkSchema)
@blp.response(200, MessageSchema)
@transactional
def mark_message(data: dict[str, Any], message_id: str) -> dict[str, Any]:
    """Say that a message was read, or that it is to be read again."""
    session = db.session()
    message = messages.get_message(session, message_id)
    permit("message:mark", Facts(owner_ids=frozenset({message.member_id})))
    message = lock_one(session, Message, message.id)
    messages.mark(message, is_read=data["is_read"], now=now())
    return views.message_views(session, [message])[0]


def _thing(named: dict[str, Any]) -> Thing:
    return subjects.find_thing(
        db.session(), named["kind"], named["id"], on=today(), version=named["version"]
    )


def _item(action: str, item_id: str) -> tuple[FeedbackItem, Facts]:
    session = db.session()
    item = items.get_item(session, item_id)
    facts = item_facts(session, item)
    permit(action, facts)
    return item, facts
