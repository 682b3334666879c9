"""Themes: what is asked for, votes, decisions, and the versions that brought it."""

from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.feedback import views
from app.feedback.facts import theme_facts
from app.feedback.schemas import (
    DecisionSchema,
    PollInSchema,
    PollSchema,
    PollVotedSchema,
    PollVoteSchema,
    ShipmentSchema,
    ShippedArgs,
    ShippedThemesSchema,
    ThemeFileSchema,
    ThemeInSchema,
    ThemeListArgs,
    ThemeMergeSchema,
    ThemeSchema,
)
from app.paging import Page, page_of, paginate
from app.permissions import Facts, may, permit, requires
from app.products.facts import offer_facts
from app.transaction import transactional
from community.communities import queries as communities
from community.feedback import queries, subjects, themes
from community.feedback.errors import SubjectNotFound
from community.feedback.models import SubjectKind, Theme
from community.products import queries as products
from community.products.models import ProductVersion


def add_routes(blp: Blueprint) -> None:
    """Add them to the room's blueprint."""

    @blp.route("/communities/<pid(com):community_id>/themes")
    @requires("theme:read")
    @blp.arguments(ThemeListArgs, location="query")
    @blp.response(200, page_of(ThemeSchema))
    def list_themes(args: dict[str, Any], community_id: str) -> Page:
        """What are people asking for, and what became of it: newest first, counts and no names."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("theme:read", community_facts(session, community))
        query = themes.list_themes(community.id, args["status"])
        page = paginate(session, query, key=Theme.id, args=args, newest_first=True)
        files = queries.theme_files(session, page.items, today())
        return Page([views.theme_view(known) for known in files], page.next_cursor)

    @blp.route("/communities/<pid(com):community_id>/themes", methods=["POST"])
    @requires("theme:write")
    @blp.arguments(ThemeInSchema)
    @blp.response(201, ThemeFileSchema)
    @transactional
    def create_theme(data: dict[str, Any], community_id: str) -> dict[str, Any]:
        """Begin a theme; items are put into it one by one."""
        session = db.session()
        community = communities.get_community(session, community_id)
        permit("theme:write", community_facts(session, community))
        theme = themes.create(
            session,
            community_id=community.id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return _view(theme)

    @blp.route("/themes/<pid(thm):theme_id>")
    @requires("theme:read")
    @blp.response(200, ThemeFileSchema)
    def get_theme(theme_id: str) -> dict[str, Any]:
        """One theme: counts for every member, names for those who may see them."""
        return _view(_theme("theme:read", theme_id))

    @blp.route("/themes/<pid(thm):theme_id>/merging", methods=["POST"])
    @requires("theme:write")
    @blp.arguments(ThemeMergeSchema)
    @blp.response(201, ThemeFileSchema)
    @transactional
    def merge_theme(data: dict[str, Any], theme_id: str) -> dict[str, Any]:
        """Put all items of this theme into another one; both keep the trail."""
        session = db.session()
        theme = _theme("theme:write", theme_id)
        into = themes.merge(
            session,
            theme_id=theme.id,
            into=_theme("theme:write", data["into"]),
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return _view(into)

    @blp.route("/themes/<pid(thm):theme_id>/polls", methods=["POST"])
    @requires("theme:write")
    @blp.arguments(PollInSchema)
    @blp.response(201, PollSchema)
    @transactional
    def put_to_vote(data: dict[str, Any], theme_id: str) -> dict[str, Any]:
        """Put a theme to the vote of the community's members."""
        poll = themes.put_to_vote(
            db.session(),
            theme_id=_theme("theme:write", theme_id).id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return views.poll_view(poll)

    @blp.route("/themes/<pid(thm):theme_id>/votes", methods=["POST"])
    @requires("theme:vote")
    @blp.arguments(PollVoteSchema)
    @blp.response(201, PollVotedSchema)
    @transactional
    def vote_on_theme(data: dict[str, Any], theme_id: str) -> dict[str, Any]:
        """Cast one's vote; it is secret, and cannot be taken back."""
        themes.vote(
            db.session(),
            theme_id=_theme("theme:vote", theme_id).id,
            member_id=caller().member_id,
            choice=data["choice"],
            on=today(),
        )
        return {"status": "counted"}

    @blp.route("/themes/<pid(thm):theme_id>/decision", methods=["POST"])
    @requires("theme:write")
    @blp.arguments(DecisionSchema)
    @blp.response(201, ThemeFileSchema)
    @transactional
    def decide_theme(data: dict[str, Any], theme_id: str) -> dict[str, Any]:
        """Accept what a vote has carried, or decline; whoever asked is told why."""
        theme = themes.decide(
            db.session(),
            theme_id=_theme("theme:write", theme_id).id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return _view(theme)

    @blp.route("/themes/<pid(thm):theme_id>/shipment", methods=["POST"])
    @requires("theme:write")
    @blp.arguments(ShipmentSchema)
    @blp.response(201, ThemeFileSchema)
    @transactional
    def ship_theme(data: dict[str, Any], theme_id: str) -> dict[str, Any]:
        """Name the product version that brings it, and whose source names it; askers are told."""
        session = db.session()
        theme = _theme("theme:write", theme_id)
        version = subjects.find_thing(
            session, SubjectKind.PRODUCT, data["product"], on=today(), version=data["version"]
        )
        if not isinstance(version, ProductVersion):
            raise SubjectNotFound()
        theme = themes.ship(
            session,
            theme_id=theme.id,
            version=version,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return _view(theme)

    @blp.route("/products/<pid(prd):product_id>/themes")
    @requires("product:read")
    @blp.arguments(ShippedArgs, location="query")
    @blp.response(200, ShippedThemesSchema)
    def list_shipped_themes(args: dict[str, Any], product_id: str) -> dict[str, Any]:
        """Back from a product's versions to who asked for them: names only for who may see them."""
        session = db.session()
        product = products.get_product(session, product_id)
        community = communities.get_community_by_id(session, product.community_id)
        permit("product:read", offer_facts(session, community))
        wanted = args["version"]
        versions = session.scalars(products.list_versions(product.id)).all()
        found = themes.themes_shipped_in(
            session, [row.id for row in versions if wanted in (None, row.version)]
        )
        return {
            "items": [
                _view(theme) for theme in found if may("theme:read", theme_facts(session, theme))
            ]
        }


def _theme(action: str, theme_id: str) -> Theme:
    session = db.session()
    theme = themes.get_theme(session, theme_id)
    permit(action, theme_facts(session, theme))
    return theme


def _view(theme: Theme) -> dict[str, Any]:
    session = db.session()
    [known] = queries.theme_files(session, [theme], today())
    facts: Facts = theme_facts(session, theme)
    return views.theme_file_view(session, known, facts)
