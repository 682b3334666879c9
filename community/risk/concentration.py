"""How much of what is lent lies together: Herfindahl's index by industry, region and crop.

    index = sum over parts of (share of outstanding principal)^2, of 10,000

One part has 10,000; n equal parts have 10,000 / n. Worked out from exact amounts and rounded once,
halves to the even neighbour. Loans of no crop are one part: they do not depend on one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from sqlalchemy import func, join, select
from sqlalchemy.orm import Session

from community.communities.charter import LentBy
from community.communities.models import (
    Community,
    CommunityKind,
    Membership,
    MembershipStatus,
)
from community.loans.models import Loan
from community.loans.states import LIVE
from community.money import round_half_even
from community.portfolio.figures import at_or_below, outstanding_at
from community.portfolio.measures import share_bps
from community.products.models import Season

# By what loans are put together: the community that lent, the industry community that the borrower
# is in, or the crop.
Concentration = LentBy


@dataclass(frozen=True, slots=True)
class ConcentrationRow:
    """One part; no key: loans without one."""

    key: str | None
    name: str | None
    loans: int
    outstanding_minor: int
    share_bps: int


@dataclass(frozen=True, slots=True)
class ConcentrationReport:
    """All parts, the largest first, and the index."""

    on: date
    currency: str
    by: Concentration
    outstanding_minor: int
    hhi: int
    # How many equal parts have the same index, in thousandths; 0 where nothing is lent.
    effective_thousandths: int
    rows: tuple[ConcentrationRow, ...]


def herfindahl(amounts: Sequence[int]) -> tuple[int, int]:
    """The index of 10,000, and the number of equal parts with the same one, in thousandths."""
    whole = sum(amounts)
    if not whole:
        return 0, 0
    index = Fraction(sum(amount * amount for amount in amounts), whole * whole)
    return round_half_even(10_000 * index), round_half_even(1_000 / index)


def concentration(
    session: Session, *, community: Community, on: date, by: Concentration, past: bool = False
) -> ConcentrationReport:
    """How what a community and those inside it have lent lies together, now or on a past day.

    A borrower in several industries counts in the one joined first, then of the lowest id: every
    loan is in one part.
    """
    lent: Any = Loan
    here: tuple[Any, ...] = (
        Loan.status.in_(LIVE),
        Loan.outstanding_minor > 0,
        at_or_below(community),
    )
    sums = (func.count(), func.sum(Loan.outstanding_minor))
    if past:
        then = outstanding_at(on, at_or_below(community))
        lent = join(Loan, then, then.c.loan_id == Loan.id)
        here = (then.c.outstanding_minor > 0,)
        sums = (func.count(), func.sum(then.c.outstanding_minor))
    if by is Concentration.CROP:
        found = session.execute(
            select(Season.crop, Season.crop, *sums)
            .select_from(lent)
            .outerjoin(Season, Season.id == Loan.season_id)
            .where(*here)
            .group_by(Season.crop)
        )
    elif by is Concentration.REGION:
        found = session.execute(
            select(Community.public_id, Community.name, *sums)
            .select_from(lent)
            .join(Community, Community.id == Loan.community_id)
            .where(*here)
            .group_by(Community.public_id, Community.name)
        )
    else:
        first = (
            select(
                Membership.member_id,
                Membership.community_id,
                func.row_number()
                .over(
                    partition_by=Membership.member_id,
                    order_by=(Membership.since_on, Membership.community_id),
                )
                .label("place"),
            )
            .join(Community, Community.id == Membership.community_id)
            .where(
                Community.kind == CommunityKind.INDUSTRY,
                Membership.status == MembershipStatus.ACTIVE,
            )
            .subquery()
        )
        found = session.execute(
            select(Community.public_id, Community.name, *sums)
            .select_from(lent)
            .outerjoin(first, (first.c.member_id == Loan.borrower_id) & (first.c.place == 1))
            .outerjoin(Community, Community.id == first.c.community_id)
            .where(*here)
            .group_by(Community.public_id, Community.name)
        )
    rows = [(key, name, loans, int(amount)) for key, name, loans, amount in found]
    whole = sum(amount for *_, amount in rows)
    hhi, effective = herfindahl([amount for *_, amount in rows])
    return ConcentrationReport(
        on=on,
        currency=community.currency,
        by=by,
        outstanding_minor=whole,
        hhi=hhi,
        effective_thousandths=effective,
        rows=tuple(
            ConcentrationRow(key, name, loans, amount, share_bps(amount, whole))
            for key, name, loans, amount in sorted(
                rows, key=lambda row: (-row[3], row[0] is None, row[0] or "")
            )
        ),
    )
