"""Offering loan products, publishing their versions, and keeping the calendar of crops."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.errors import CurrencyMismatch
from community.ledger.events import record_event
from community.products import queries
from community.products.caps import check_liability_mode, check_rate
from community.products.costs import dearest_rate
from community.products.errors import ProductExists, SeasonExists, VersionOutOfOrder
from community.products.models import Product, ProductVersion, Season
from community.products.terms import read_season, read_terms


def create_product(
    session: Session,
    *,
    community_id: int,
    code: str,
    name: str,
    now: datetime,
    actor_id: int | None,
) -> Product:
    """A community offers a product, to itself and what nests in it; its terms come as a version."""
    community = communities.get_community_by_id(session, community_id)
    if session.scalar(
        select(Product.id).where(Product.community_id == community.id, Product.code == code)
    ):
        raise ProductExists(f"Code {code!r} is taken.", field="code")
    product = Product(community_id=community.id, code=code, name=name, created_at=now)
    session.add(product)
    session.flush()  # versions point at it
    record_event(
        session,
        community_id=community.id,
        kind="product.created",
        subject=product.public_id,
        actor_id=actor_id,
        now=now,
        facts={"code": code},
    )
    return product


def publish_version(
    session: Session,
    *,
    product_id: int,
    terms_document: Mapping[str, Any],
    valid_from: date,
    source: str,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> ProductVersion:
    """The product has these terms from `valid_from` on; loans made before keep theirs.

    Checked against the charter that is in force on that day: the liability mode, and the rate
    against the cap, by `dearest_rate`. (Each application is checked again, by its own cash flows.)
    Raises TermsInvalid, CurrencyMismatch, RateAboveCap, LiabilityModeNotAllowed,
    VersionOutOfOrder.
    """
    product = queries.get_product_by_id(session, product_id)
    terms = read_terms(terms_document)
    community = communities.get_community_by_id(session, product.community_id)
    if terms.currency != community.currency:
        raise CurrencyMismatch(
            f"The community counts in {community.currency}.",
            expected=community.currency,
            given=terms.currency,
            field="currency",
        )
    charter = communities.charter_on(session, product.community_id, valid_from)
    check_liability_mode(terms, charter.rules)
    check_rate(dearest_rate(terms, valid_from), charter.rules, charter_version=charter.version)
    last = queries.last_version(session, product_id)
    if valid_from < on or (last is not None and valid_from <= last.valid_from):
        raise VersionOutOfOrder(
            f"A version starts today ({on}) at the earliest, and after the one before it.",
            field="valid_from",
        )
    version = ProductVersion(
        product_id=product_id,
        version=1 if last is None else last.version + 1,
        valid_from=valid_from,
        terms=terms.to_document(),
        source=source,
        created_by_id=actor_id,
        created_at=now,
    )
    session.add(version)
    session.flush()  # two at once meet the unique number here
    record_event(
        session,
        community_id=product.community_id,
        kind="product.version_published",
        subject=product.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "version": version.version,
            "valid_from": valid_from.isoformat(),
            "terms": terms.to_document(),
            "charter_version": charter.version,
        },
    )
    return version


def add_season(
    session: Session,
    *,
    community_id: int,
    code: str,
    crop: str,
    sow_from: date,
    sow_until: date,
    harvest_from: date,
    selling: Sequence[Mapping[str, Any]],
    now: datetime,
    actor_id: int | None,
) -> Season:
    """Enter one crop's calendar of one year for a community and what nests in it.

    `selling` lists `{"due_on": day, "weight": n}`: when the crop is sold and how much of it.
    Raises SeasonInvalid, SeasonExists.
    """
    community = communities.get_community_by_id(session, community_id)
    calendar = read_season(
        {
            "crop": crop,
            "sow_from": sow_from,
            "sow_until": sow_until,
            "harvest_from": harvest_from,
            "selling": selling,
        }
    )
    if session.scalar(
        select(Season.id).where(Season.community_id == community.id, Season.code == code)
    ):
        raise SeasonExists(f"Code {code!r} is taken.", field="code")
    season = Season(
        community_id=community.id,
        code=code,
        crop=crop,
        sow_from=sow_from,
        sow_until=sow_until,
        harvest_from=harvest_from,
        selling=calendar.selling_document(),
        created_at=now,
    )
    session.add(season)
    session.flush()  # two at once meet the unique code here
    record_event(
        session,
        community_id=community.id,
        kind="season.added",
        subject=season.public_id,
        actor_id=actor_id,
        now=now,
        facts={"code": code} | calendar.to_document(),
    )
    return season
