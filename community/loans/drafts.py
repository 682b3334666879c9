"""A product's next version before it is published: what it changes, and what a loan then costs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community
from community.communities.queries import CharterInForce
from community.errors import CommunityError
from community.loans.schedule import Cost
from community.loans.service import cost_under
from community.money import Money
from community.products import queries as products
from community.products.models import ProductVersion, Season
from community.products.service import check_version
from community.products.terms import Amortisation, ProductTerms

# Which seasons are looked through for one that the example can follow.
_SEASONS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class TermChange:
    """One term as it is and as it would be; None before a product's first version."""

    term: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Example:
    """One loan under the terms that count now and under those that are drafted."""

    principal_minor: int
    # None: its season says how many.
    instalments: int | None
    season: Season | None
    # Both are taken as paid out on the draft's first day.
    start_on: date
    # None: the present terms do not lend so.
    before: Cost | None
    after: Cost


@dataclass(frozen=True, slots=True)
class VersionPreview:
    """What publishing would do."""

    number: int
    last: ProductVersion | None
    terms: ProductTerms
    changes: tuple[TermChange, ...]
    # None: no season that the drafted terms could follow is known.
    example: Example | None
    charter: CharterInForce


def preview_version(
    session: Session,
    *,
    product_id: int,
    terms_document: Mapping[str, Any],
    valid_from: date,
    on: date,
    follows: int | None = None,
    principal: Money | None = None,
    instalments: int | None = None,
    season_id: int | None = None,
) -> VersionPreview:
    """What a version would change, and what an example would cost; nothing is published.

    Without an example of one's own the largest and longest loan is taken that both terms lend.
    Raises what `check_version` and, for an example that is asked for, `cost_under` raise.
    """
    checked = check_version(
        session,
        product_id=product_id,
        terms_document=terms_document,
        valid_from=valid_from,
        on=on,
        follows=follows,
    )
    present = None if checked.last is None else products.terms_of(checked.last)
    community = communities.get_community_by_id(session, checked.product.community_id)
    example: Example | None
    try:
        example = _example(
            session,
            community,
            present,
            checked.terms,
            on=valid_from,
            principal=principal,
            instalments=instalments,
            season_id=season_id,
        )
    except CommunityError:
        if principal is not None or instalments is not None or season_id is not None:
            raise
        example = None
    return VersionPreview(
        number=checked.number,
        last=checked.last,
        terms=checked.terms,
        changes=changed_terms(present, checked.terms),
        example=example,
        charter=checked.charter,
    )


def changed_terms(before: ProductTerms | None, after: ProductTerms) -> tuple[TermChange, ...]:
    """The terms that are not as before, in their order; all of them where nothing was before."""
    pairs = [
        (
            each.name,
            None if before is None else getattr(before, each.name),
            getattr(after, each.name),
        )
        for each in fields(ProductTerms)
    ]
    return tuple(TermChange(*pair) for pair in pairs if before is None or pair[1] != pair[2])


def _example(
    session: Session,
    community: Community,
    present: ProductTerms | None,
    drafted: ProductTerms,
    *,
    on: date,
    principal: Money | None,
    instalments: int | None,
    season_id: int | None,
) -> Example:
    sides = [drafted] if present is None else [drafted, present]
    if principal is None:
        amount = _most([(side.principal_minor_min, side.principal_minor_max) for side in sides])
        principal = Money(amount, drafted.currency)
    counted = [side for side in sides if side.amortisation is not Amortisation.SEASONAL]
    if instalments is None and counted:
        instalments = _most([(side.instalments_min, side.instalments_max) for side in counted])
    if season_id is None and len(counted) < len(sides):
        season_id = _season_for(session, community, sides, on)

    def cost(terms: ProductTerms) -> Cost:
        is_seasonal = terms.amortisation is Amortisation.SEASONAL
        _, found = cost_under(
            session,
            community=community,
            terms=terms,
            principal=principal,
            on=on,
            # What one side alone needs is not asked of the other; what neither does is refused.
            instalments=None if is_seasonal and counted else instalments,
            season_id=season_id if is_seasonal or len(counted) == len(sides) else None,
        )
        return found

    before = None
    if present is not None:
        try:
            before = cost(present)
        except CommunityError:
            before = None
    return Example(
        principal_minor=principal.amount_minor,
        instalments=None if drafted.amortisation is Amortisation.SEASONAL else instalments,
        season=products.get_season_by_id(session, season_id) if season_id is not None else None,
        start_on=on,
        before=before,
        after=cost(drafted),
    )


def _most(ranges: list[tuple[int, int]]) -> int:
    """The highest number within all ranges; where they do not meet, that of the first."""
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return high if low <= high else ranges[0][1]


def _season_for(
    session: Session, community: Community, sides: list[ProductTerms], on: date
) -> int | None:
    """The next harvest that seasonal terms could lend for on a day, best by all of them."""
    rows = session.scalars(
        products.list_seasons(community.path_ids)
        .where(Season.harvest_from > on)
        .order_by(Season.harvest_from, Season.id)
        .limit(_SEASONS_LOOKED_AT)
    ).all()
    seasonal = [side for side in sides if side.amortisation is Amortisation.SEASONAL]

    def misfits(row: Season) -> int:
        count = len(products.calendar_of(row).selling)
        return sum(not side.instalments_min <= count <= side.instalments_max for side in seasonal)

    return min(rows, key=misfits).id if rows else None
