"""Reading products, their versions, and seasons."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from community.products.errors import ProductNotFound, ProductNotInForce, SeasonNotFound
from community.products.models import Product, ProductVersion, Season
from community.products.terms import ProductTerms, SeasonCalendar, read_season, read_terms


def get_product(session: Session, public_id: str) -> Product:
    """A product by the id that the outside knows. Raises ProductNotFound."""
    product = session.scalar(select(Product).where(Product.public_id == public_id))
    if product is None:
        raise ProductNotFound()
    return product


def get_product_by_id(session: Session, product_id: int) -> Product:
    """A product by its inner id. Raises ProductNotFound."""
    product = session.get(Product, product_id)
    if product is None:
        raise ProductNotFound()
    return product


def list_products(community_ids: Collection[int]) -> Select[Product]:
    """Products of these communities; page by Product.id.

    The path of a community names all that it may use.
    """
    return select(Product).where(Product.community_id.in_(community_ids))


def find_version_on(session: Session, product_id: int, on: date) -> ProductVersion | None:
    """The version in force on a day: the last one that started by then."""
    return session.scalar(
        select(ProductVersion)
        .where(ProductVersion.product_id == product_id, ProductVersion.valid_from <= on)
        .order_by(ProductVersion.valid_from.desc())
        .limit(1)
    )


def version_on(session: Session, product_id: int, on: date) -> ProductVersion:
    """The version in force on a day. Raises ProductNotInForce."""
    version = find_version_on(session, product_id, on)
    if version is None:
        raise ProductNotInForce(f"No version is in force on {on}.", on=on.isoformat())
    return version


def versions_on(
    session: Session, product_ids: Collection[int], on: date
) -> dict[int, ProductVersion]:
    """The version in force on a day of each of these products, by product id; one statement."""
    last = (
        select(ProductVersion.product_id, func.max(ProductVersion.valid_from).label("valid_from"))
        .where(ProductVersion.product_id.in_(product_ids), ProductVersion.valid_from <= on)
        .group_by(ProductVersion.product_id)
        .subquery()
    )
    rows = session.scalars(
        select(ProductVersion).join(
            last,
            (last.c.product_id == ProductVersion.product_id)
            & (last.c.valid_from == ProductVersion.valid_from),
        )
    )
    return {version.product_id: version for version in rows}


def versions_to_come(
    session: Session, product_ids: Collection[int], on: date
) -> dict[int, ProductVersion]:
    """The next version of each of these products that is not in force yet; one statement."""
    rows = session.scalars(
        select(ProductVersion)
        .where(ProductVersion.product_id.in_(product_ids), ProductVersion.valid_from > on)
        .order_by(ProductVersion.valid_from.desc())
    )
    return {version.product_id: version for version in rows}


def get_version(session: Session, version_id: int) -> ProductVersion:
    """A version by its inner id. Raises ProductNotFound."""
    version = session.get(ProductVersion, version_id)
    if version is None:
        raise ProductNotFound()
    return version


def list_versions(product_id: int) -> Select[ProductVersion]:
    """All versions of a product; page by ProductVersion.id, which is also their order."""
    return select(ProductVersion).where(ProductVersion.product_id == product_id)


def last_version(session: Session, product_id: int) -> ProductVersion | None:
    """The newest version of a product, in force or to come."""
    return session.scalar(
        list_versions(product_id).order_by(ProductVersion.version.desc()).limit(1)
    )


def terms_of(version: ProductVersion) -> ProductTerms:
    """A version's terms as typed values."""
    return read_terms(version.terms)


def get_season(session: Session, public_id: str) -> Season:
    """A season by the id that the outside knows. Raises SeasonNotFound."""
    season = session.scalar(select(Season).where(Season.public_id == public_id))
    if season is None:
        raise SeasonNotFound()
    return season


def get_season_by_id(session: Session, season_id: int) -> Season:
    """A season by its inner id. Raises SeasonNotFound."""
    season = session.get(Season, season_id)
    if season is None:
        raise SeasonNotFound()
    return season


def list_seasons(community_ids: Collection[int]) -> Select[Season]:
    """Seasons of these communities; page by Season.id."""
    return select(Season).where(Season.community_id.in_(community_ids))


def calendar_of(season: Season) -> SeasonCalendar:
    """A season's dates and selling windows as typed values."""
    return read_season(
        {
            "crop": season.crop,
            "sow_from": season.sow_from,
            "sow_until": season.sow_until,
            "harvest_from": season.harvest_from,
            "selling": season.selling,
            "harvest_until": season.harvest_until,
            "tranches": season.tranches,
            "cash_flow": season.cash_flow,
        }
    )
