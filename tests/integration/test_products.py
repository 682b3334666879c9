"""Products and seasons on real databases."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from community.errors import CurrencyMismatch
from community.products import queries
from community.products.checks import check_products
from community.products.errors import (
    LiabilityModeNotAllowed,
    ProductExists,
    ProductNotFound,
    ProductNotInForce,
    RateAboveCap,
    SeasonExists,
    SeasonInvalid,
    SeasonNotFound,
    TermsInvalid,
    VersionOutOfOrder,
)
from community.products.models import Product
from community.products.service import add_season, create_product, publish_version
from tests.lending import MONTHLY, NOW, SEASONAL, SELLING, TODAY, Village, make_village, offer


@pytest.fixture
def village(db_session: Session) -> Village:
    return make_village(db_session)


def publish(village: Village, product: Product, valid_from: date, **terms: Any) -> Any:
    return publish_version(
        village.session,
        product_id=product.id,
        terms_document=MONTHLY | terms,
        valid_from=valid_from,
        source="the lending committee",
        on=TODAY,
        now=NOW,
        actor_id=None,
    )


def test_the_version_in_force_is_the_last_one_that_began(village: Village) -> None:
    session, product = village.session, village.monthly
    later = publish(village, product, TODAY + timedelta(days=30), yearly_rate_ppm=90_000)
    assert later.version == 2
    assert queries.version_on(session, product.id, TODAY).version == 1
    assert queries.version_on(session, product.id, TODAY + timedelta(days=29)).version == 1
    assert queries.version_on(session, product.id, TODAY + timedelta(days=30)).version == 2
    with pytest.raises(ProductNotInForce):
        queries.version_on(session, product.id, TODAY - timedelta(days=1))
    found = queries.versions_on(session, [product.id, village.seasonal.id], TODAY)
    assert {key: version.version for key, version in found.items()} == {
        product.id: 1,
        village.seasonal.id: 1,
    }


def test_versions_start_in_order_and_not_in_the_past(village: Village) -> None:
    for day in (TODAY, TODAY - timedelta(days=1)):
        with pytest.raises(VersionOutOfOrder):
            publish(village, village.monthly, day)
    publish(village, village.monthly, TODAY + timedelta(days=10))
    with pytest.raises(VersionOutOfOrder):
        publish(village, village.monthly, TODAY + timedelta(days=9))


def test_a_version_above_the_legal_cap_is_refused_with_the_caps_basis(village: Village) -> None:
    # Twelve per cent paid monthly is 12.68 % a year: the cap of 12 % counts cash flows.
    with pytest.raises(RateAboveCap) as refusal:
        publish(village, village.monthly, TODAY + timedelta(days=1), yearly_rate_ppm=120_000)
    assert refusal.value.members["yearly_rate_ppm"] > 120_000
    assert refusal.value.members["rate_cap_basis"] == "4 x one-year LPR at the contract date"


def test_flat_interest_below_the_cap_in_name_only_is_refused(village: Village) -> None:
    with pytest.raises(RateAboveCap):
        publish(
            village,
            village.monthly,
            TODAY + timedelta(days=1),
            rate_method="flat",
            yearly_rate_ppm=80_000,
        )


def test_terms_the_charter_or_the_community_cannot_have_are_refused(db_session: Session) -> None:
    village = make_village(db_session, {"liability_modes": ["several"]})
    tomorrow = TODAY + timedelta(days=1)
    with pytest.raises(LiabilityModeNotAllowed):
        publish(village, village.monthly, tomorrow, liability_mode="pledge_only")
    with pytest.raises(CurrencyMismatch):
        publish(village, village.monthly, tomorrow, currency="USD")
    with pytest.raises(TermsInvalid):
        publish(village, village.monthly, tomorrow, yearly_rate_ppm=-1)
    with pytest.raises(TermsInvalid) as refusal:
        publish(village, village.monthly, tomorrow, liability_mode="none")
    assert set(refusal.value.members["errors"]) == {"cover_ratio_bps"}


def test_codes_are_taken_once_per_community(village: Village) -> None:
    facts = {"code": "monthly", "name": "Again", "now": NOW, "actor_id": None}
    with pytest.raises(ProductExists):
        create_product(village.session, community_id=village.township.id, **facts)
    create_product(village.session, community_id=village.village.id, **facts)
    season = {
        "community_id": village.township.id,
        "crop": "rice",
        "sow_from": date(2027, 3, 20),
        "sow_until": date(2027, 5, 10),
        "harvest_from": date(2027, 9, 20),
        "selling": SELLING,
        "now": NOW,
        "actor_id": None,
    }
    with pytest.raises(SeasonExists):
        add_season(village.session, code="rice-2027", **season)
    with pytest.raises(SeasonInvalid):
        add_season(village.session, code="late", **season | {"harvest_from": date(2027, 11, 1)})


def test_what_does_not_exist_is_not_found(village: Village) -> None:
    with pytest.raises(ProductNotFound):
        queries.get_product(village.session, "prd_0000000000000000")
    with pytest.raises(SeasonNotFound):
        queries.get_season(village.session, "sea_0000000000000000")
    assert queries.get_product(village.session, village.monthly.public_id) is village.monthly


def test_terms_changed_behind_the_services_are_found(village: Village) -> None:
    session = village.session
    assert list(check_products(session)) == []
    version = queries.version_on(session, village.seasonal.id, TODAY)
    version.terms = {**SEASONAL, "rate_method": "flat"}
    village.rice.selling = []
    second = publish(village, village.monthly, TODAY + timedelta(days=1))
    second.version = 3
    session.flush()
    assert [(b.law, b.table, b.row) for b in check_products(session)] == [
        (7, "product_versions", str(version.id)),
        (7, "product_versions", str(second.id)),
        (7, "seasons", str(village.rice.id)),
    ]


def test_products_of_a_path_are_listed(village: Village) -> None:
    own = offer(village.session, village.village, "own", MONTHLY)
    listed = village.session.scalars(queries.list_products(village.village.path_ids)).all()
    assert {product.id for product in listed} == {own.id, village.monthly.id, village.seasonal.id}
    above = village.session.scalars(queries.list_products(village.township.path_ids)).all()
    assert own not in above
    assert village.session.scalars(queries.list_seasons(village.village.path_ids)).all() == [
        village.rice
    ]
