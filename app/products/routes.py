"""Loan products, their versions, and seasons."""

from types import SimpleNamespace
from typing import Any

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.marks import limited
from app.paging import Page, PageArgs, page_of, paginate, show_etag
from app.permissions import permit, requires
from app.products import permissions as _permissions  # noqa: F401  declares this room's actions
from app.products import views
from app.products.drafts import ProductDraftSchema, VersionPreviewSchema, preview_view
from app.products.facts import offer_facts
from app.products.schemas import (
    ProductInSchema,
    ProductSchema,
    ProductVersionInSchema,
    ProductVersionSchema,
    SeasonInSchema,
    SeasonSchema,
)
from app.transaction import transactional
from community.communities import queries as communities
from community.loans import drafts
from community.products import queries, service
from community.products.models import Product, ProductVersion, Season

blp = Blueprint("products", __name__, description="Loan products and crop seasons")


@blp.route("/communities/<pid(com):community_id>/products")
@requires("product:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(ProductSchema))
def list_products(args: dict[str, Any], community_id: str) -> Page:
    """What a community's members can borrow on: its own products and those from above it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("product:read", offer_facts(session, community))
    page = paginate(session, queries.list_products(community.path_ids), key=Product.id, args=args)
    return Page(views.product_views(session, page.items, today()), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/products", methods=["POST"])
@requires("product:write")
@blp.arguments(ProductInSchema)
@blp.response(201, ProductSchema)
@transactional
def create_product(data: dict[str, Any], community_id: str) -> SimpleNamespace:
    """Offer a new product; it lends once a version of its terms is in force."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("product:write", offer_facts(session, community))
    product = service.create_product(
        session, community_id=community.id, **data, now=now(), actor_id=caller().member_id
    )
    return views.product_views(session, [product], today())[0]


@blp.route("/products/<pid(prd):product_id>")
@requires("product:read")
@blp.response(200, ProductSchema)
def get_product(product_id: str) -> SimpleNamespace:
    """One product with the version in force today."""
    session = db.session()
    product = queries.get_product(session, product_id)
    community = communities.get_community_by_id(session, product.community_id)
    permit("product:read", offer_facts(session, community))
    return views.product_views(session, [product], today())[0]


@blp.route("/products/<pid(prd):product_id>/versions")
@requires("product:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(ProductVersionSchema))
def list_versions(args: dict[str, Any], product_id: str) -> Page:
    """All versions of a product, oldest first."""
    session = db.session()
    product = queries.get_product(session, product_id)
    community = communities.get_community_by_id(session, product.community_id)
    permit("product:read", offer_facts(session, community))
    page = paginate(session, queries.list_versions(product.id), key=ProductVersion.id, args=args)
    return Page([views.version_view(version) for version in page.items], page.next_cursor)


@blp.route("/products/<pid(prd):product_id>/versions", methods=["POST"])
@requires("product:write")
@blp.arguments(ProductVersionInSchema)
@blp.response(201, ProductVersionSchema)
@transactional
def publish_version(data: dict[str, Any], product_id: str) -> SimpleNamespace:
    """Publish terms that count from a day on; loans made before keep theirs."""
    session = db.session()
    product = queries.get_product(session, product_id)
    community = communities.get_community_by_id(session, product.community_id)
    permit("product:write", offer_facts(session, community))
    version = service.publish_version(
        session,
        product_id=product.id,
        terms_document=data["terms"],
        valid_from=data["valid_from"],
        source=data["source"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        follows=data["follows"],
    )
    return views.version_view(version)


@blp.route("/products/<pid(prd):product_id>/versions/preview", methods=["POST"])
@requires("product:write")
@limited("heavy")
@blp.arguments(ProductDraftSchema)
@blp.response(200, VersionPreviewSchema)
def preview_version(data: dict[str, Any], product_id: str) -> SimpleNamespace:
    """What a version would change, and what a loan then costs; nothing is published."""
    session = db.session()
    product = queries.get_product(session, product_id)
    community = communities.get_community_by_id(session, product.community_id)
    permit("product:write", offer_facts(session, community))
    asked = data["example"] or {}
    season = asked.get("season")
    found = drafts.preview_version(
        session,
        product_id=product.id,
        terms_document=data["terms"],
        valid_from=data["valid_from"],
        on=today(),
        follows=data["follows"],
        principal=asked.get("principal"),
        instalments=asked.get("instalments"),
        season_id=queries.get_season(session, season).id if season else None,
    )
    return preview_view(found)


@blp.route("/communities/<pid(com):community_id>/seasons")
@requires("season:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(SeasonSchema))
def list_seasons(args: dict[str, Any], community_id: str) -> Page:
    """The crop calendars that count in a community: its own and those from above it."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("season:read", offer_facts(session, community))
    page = paginate(session, queries.list_seasons(community.path_ids), key=Season.id, args=args)
    return Page(views.season_views(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/seasons", methods=["POST"])
@requires("season:write")
@blp.arguments(SeasonInSchema)
@blp.response(201, SeasonSchema)
@transactional
def add_season(data: dict[str, Any], community_id: str) -> SimpleNamespace:
    """Enter one crop's calendar of one year."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("season:write", offer_facts(session, community))
    season = service.add_season(
        session, community_id=community.id, **data, now=now(), actor_id=caller().member_id
    )
    return views.season_views(session, [season])[0]


@blp.route("/seasons/<pid(sea):season_id>")
@requires("season:read")
@blp.response(200, SeasonSchema)
def get_season(season_id: str) -> SimpleNamespace:
    """One season."""
    session = db.session()
    season = queries.get_season(session, season_id)
    community = communities.get_community_by_id(session, season.community_id)
    permit("season:read", offer_facts(session, community))
    show_etag(season.version)
    return views.season_views(session, [season])[0]
