"""Proving products: every version can still be read, and versions follow each other."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from community.errors import CommunityError
from community.ledger.checks import Breach
from community.products.models import ProductVersion, Season
from community.products.queries import calendar_of, terms_of


def check_products(session: Session) -> Iterator[Breach]:
    """Law 7: the terms and calendars that loans rest on are whole; versions count up by days."""
    place = func.row_number().over(
        partition_by=ProductVersion.product_id, order_by=ProductVersion.valid_from
    )
    versions = session.execute(
        select(ProductVersion, place).order_by(ProductVersion.id).execution_options(yield_per=500)
    )
    for version, expected in versions:
        if version.version != expected:
            what = f"is version {version.version} but the {expected}. by its day"
            yield Breach(7, "product_versions", str(version.id), what)
        try:
            terms_of(version)
        except CommunityError as error:
            yield Breach(7, "product_versions", str(version.id), error.detail)
    seasons = session.scalars(select(Season).order_by(Season.id).execution_options(yield_per=500))
    for season in seasons:
        try:
            sold_from = calendar_of(season).selling[0].due_on
            if season.sell_from != sold_from:
                what = f"says it is sold from {season.sell_from}, its windows say {sold_from}"
                yield Breach(7, "seasons", str(season.id), what)
        except CommunityError as error:
            yield Breach(7, "seasons", str(season.id), error.detail)
