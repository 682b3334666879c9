"""Offering loan products, publishing their versions, and keeping the calendar of crops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import LiabilityMode
from community.communities.queries import CharterInForce
from community.errors import CurrencyMismatch
from community.ledger.events import record_event
from community.products import queries
from community.products.caps import check_liability_mode, check_rate
from community.products.costs import dearest_rate
from community.products.errors import (
    ProductExists,
    SeasonExists,
    TermsInvalid,
    VersionMovedOn,
    VersionOutOfOrder,
)
from community.products.models import Product, ProductVersion, Season
from community.products.terms import ProductTerms, SeasonCalendar, read_season, read_terms


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


@dataclass(frozen=True, slots=True)
class NextVersion:
    """Terms that may follow on a product's last version, and what allows them."""

    product: Product
    terms: ProductTerms
    # The version that they follow on; None: there is none yet.
    last: ProductVersion | None
    charter: CharterInForce

    @property
    def number(self) -> int:
        return 1 if self.last is None else self.last.version + 1


def check_version(
    session: Session,
    *,
    product_id: int,
    terms_document: Mapping[str, Any],
    valid_from: date,
    on: date,
    follows: int | None = None,
) -> NextVersion:
    """Whether these terms could be published today, to count from `valid_from` on.

    Checked against the charter that is in force on that day: the liability mode, and the rate
    against the cap, by `dearest_rate`. (Each application is checked again, by its own cash flows.)
    `follows` is the version that the draft was compared with, 0 for none. Raises TermsInvalid,
    CurrencyMismatch, RateAboveCap, LiabilityModeNotAllowed, VersionOutOfOrder, VersionMovedOn.
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
    if terms.liability_mode is LiabilityMode.NONE and terms.cover_ratio_bps:
        # Not a matter of reading terms: versions of long ago stay readable.
        told = "Under individual liability nobody stands behind a loan, so its cover ratio is 0."
        raise TermsInvalid(told, errors={"cover_ratio_bps": told})
    charter = communities.charter_on(session, product.community_id, valid_from)
    check_liability_mode(terms, charter.rules)
    check_rate(
        dearest_rate(terms, valid_from),
        charter.rules,
        charter_version=charter.version,
        field="yearly_rate_ppm",
    )
    last = queries.last_version(session, product_id)
    present = 0 if last is None else last.version
    if follows is not None and follows != present:
        raise VersionMovedOn(
            f"The draft follows version {follows}, the last one is {present}: "
            "look at what it changes once more.",
            field="follows",
            follows=follows,
            last_version=present,
        )
    if valid_from < on or (last is not None and valid_from <= last.valid_from):
        raise VersionOutOfOrder(
            f"A version starts today ({on}) at the earliest, and after the one before it.",
            field="valid_from",
        )
    return NextVersion(product, terms, last, charter)


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
    follows: int | None = None,
) -> ProductVersion:
    """The product has these terms from `valid_from` on; loans made before keep theirs.

    Raises what `check_version` raises.
    """
    checked = check_version(
        session,
        product_id=product_id,
        terms_document=terms_document,
        valid_from=valid_from,
        on=on,
        follows=follows,
    )
    terms, product = checked.terms, checked.product
    version = ProductVersion(
        product_id=product_id,
        version=checked.number,
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
            "charter_version": checked.charter.version,
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
    harvest_until: date | None = None,
    tranches: Sequence[Mapping[str, Any]] = (),
    cash_flow: Sequence[Mapping[str, Any]] = (),
    year_label: str = "",
    notes: str = "",
    source: str = "",
) -> Season:
    """Enter one crop's calendar of one year for a community and what nests in it.

    `selling` lists `{"due_on": day, "weight": n}`: when the crop is sold and how much of it;
    `tranches` `{"pay_on": day, "weight": n}`: when loans for it go out; `cash_flow` `{"window":
    "sow", "spend_weight": n, "earn_weight": n}`: what households expect.
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
            "harvest_until": harvest_until,
            "tranches": tranches,
            "cash_flow": cash_flow,
        }
    )
    if session.scalar(
        select(Season.id).where(Season.community_id == community.id, Season.code == code)
    ):
        raise SeasonExists(f"Code {code!r} is taken.", field="code")
    season = Season(
        community_id=community.id,
        code=code,
        year_label=year_label,
        notes=notes,
        source=source,
        created_at=now,
    )
    _set_calendar(season, calendar)
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


def change_season(
    session: Session,
    *,
    season: Season,
    changes: Mapping[str, Any],
    now: datetime,
    actor_id: int | None,
) -> Season:
    """A season (locked) gets other dates or words; `changes` are arguments of `add_season`.

    Whether a loan rests on it is for the rooms above to ask first. Raises SeasonInvalid.
    """
    calendar = read_season({**queries.calendar_of(season).to_document(), **changes})
    _set_calendar(season, calendar)
    for name in ("year_label", "notes", "source"):
        if name in changes:
            setattr(season, name, changes[name])
    season.version += 1
    record_event(
        session,
        community_id=season.community_id,
        kind="season.changed",
        subject=season.public_id,
        actor_id=actor_id,
        now=now,
        facts={"code": season.code} | calendar.to_document(),
    )
    return season


def _set_calendar(season: Season, calendar: SeasonCalendar) -> None:
    season.crop = calendar.crop
    season.sow_from, season.sow_until = calendar.sow_from, calendar.sow_until
    season.harvest_from, season.harvest_until = calendar.harvest_from, calendar.harvest_until
    season.selling = calendar.selling_document()
    season.sell_from = calendar.selling[0].due_on
    season.tranches = calendar.tranches_document()
    season.cash_flow = calendar.cash_flow_document()
