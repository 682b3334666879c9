"""Rows of this room with what they point at, for dumping."""

from collections.abc import Iterable
from datetime import date
from types import SimpleNamespace

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.loans import queries as loans
from community.products import queries
from community.products.models import Product, ProductVersion, Season


def version_view(version: ProductVersion) -> SimpleNamespace:
    """A version with its terms as typed values."""
    return SimpleNamespace(
        version=version.version,
        valid_from=version.valid_from,
        terms=queries.terms_of(version),
        source=version.source,
        created_at=version.created_at,
    )


def product_views(session: Session, products: Iterable[Product], on: date) -> list[SimpleNamespace]:
    """Products with their versions in force on a day; two statements for all of them."""
    listed = list(products)
    versions = queries.versions_on(session, [product.id for product in listed], on)
    places = communities.get_communities_by_id(session, [p.community_id for p in listed])
    return [
        SimpleNamespace(
            id=product.public_id,
            community=places[product.community_id].public_id,
            code=product.code,
            name=product.name,
            version=version_view(versions[product.id]) if product.id in versions else None,
        )
        for product in listed
    ]


def season_views(session: Session, seasons: Iterable[Season]) -> list[SimpleNamespace]:
    """Seasons with their windows in the order of their days; two statements for all of them."""
    listed = list(seasons)
    used = loans.seasons_in_use(session, [season.id for season in listed])
    places = communities.get_communities_by_id(session, [s.community_id for s in listed])
    return [
        SimpleNamespace(
            id=season.public_id,
            community=places[season.community_id].public_id,
            code=season.code,
            crop=season.crop,
            year_label=season.year_label,
            sow_from=season.sow_from,
            sow_until=season.sow_until,
            harvest_from=season.harvest_from,
            harvest_until=season.harvest_until,
            selling=calendar.selling,
            tranches=calendar.tranches,
            cash_flow=calendar.cash_flow,
            notes=season.notes,
            source=season.source,
            windows=[
                SimpleNamespace(window=window, from_on=first, until_on=last)
                for window, (first, last) in calendar.windows().items()
            ],
            in_use=season.id in used,
        )
        for season in listed
        for calendar in [queries.calendar_of(season)]
    ]
