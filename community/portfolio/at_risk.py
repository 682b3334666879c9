"""Portfolio at risk: the whole outstanding principal of loans with a payment too late.

The standard definition: everything that a loan has outstanding counts as soon as one payment is
more than so many days late, and so does everything of a restructured loan, late or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    SQLColumnExpression,
    Subquery,
    case,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community
from community.groups.models import Group
from community.loans.models import GroupLoan, Loan
from community.members.models import Member
from community.portfolio.errors import DayToCome
from community.portfolio.figures import IS_LIVE, IS_RESTRUCTURED, at_or_below, outstanding_at
from community.portfolio.measures import Part, part
from community.portfolio.models import LoanClass
from community.products.models import Product, ProductVersion, Season


class Grouping(StrEnum):
    """What a report is broken down by."""

    COMMUNITY = "community"
    GROUP = "group"
    PRODUCT = "product"
    OFFICER = "officer"  # who approved the loan
    CROP = "crop"


class Basis(StrEnum):
    """Where a report's figures come from."""

    # Of today: balances of this moment, lateness as loans were last classified.
    ROWS = "rows"
    # Of a day before: re-derived from schedules and receipts.
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class AtRisk:
    """What is out on loans that are more than `days` late, or restructured."""

    days: int
    out: Part


@dataclass(frozen=True, slots=True)
class RiskRow:
    """The loans of one community, group, product, officer or crop; no key: loans without one."""

    key: str | None
    name: str | None
    loans: int
    outstanding_minor: int
    restructured: Part
    at_risk: tuple[AtRisk, ...]


@dataclass(frozen=True, slots=True)
class RiskReport:
    """The whole, and its rows with the largest outstanding principal first."""

    on: date
    basis: Basis
    currency: str
    charter_version: int
    total: RiskRow
    by: Grouping | None
    rows: tuple[RiskRow, ...]


def portfolio_at_risk(
    session: Session, *, community: Community, on: date, today: date, by: Grouping | None = None
) -> RiskReport:
    """PAR on a day for a community and those inside it; the days are its charter's `par_days`.

    Three statements, whatever there is. Raises DayToCome, NoCharter.
    """
    if on > today:
        raise DayToCome(field="on", today=today.isoformat())
    charter = communities.charter_on(session, community.id, on)
    basis = Basis.ROWS if on == today else Basis.HISTORY
    here = at_or_below(community)
    out = _out_now(here) if basis is Basis.ROWS else outstanding_at(on, here)
    days = charter.rules.par_days
    found = session.execute(_grouped(out, on, days, by)).all()
    names = _names(session, by, [row.key for row in found]) if by is not None else {}
    rows = [_row(row, days, *names.get(row.key, (None, None))) for row in found]
    return RiskReport(
        on=on,
        basis=basis,
        currency=community.currency,
        charter_version=charter.version,
        total=_total(rows, days),
        by=by,
        rows=tuple(sorted(rows, key=lambda row: (-row.outstanding_minor, row.key or "")))
        if by is not None
        else (),
    )


def _out_now(here: ColumnElement[bool]) -> Subquery:
    return (
        select(
            Loan.id.label("loan_id"),
            Loan.outstanding_minor,
            LoanClass.overdue_since_on,
            IS_RESTRUCTURED.label("is_restructured"),
        )
        .outerjoin(LoanClass, LoanClass.loan_id == Loan.id)
        .where(IS_LIVE, here)
        .subquery("loans_out")
    )


def _grouped(
    out: Subquery, on: date, days: Sequence[int], by: Grouping | None
) -> Select[*tuple[Any, ...]]:
    def sums(name: str, condition: ColumnElement[bool]) -> list[ColumnElement[int]]:
        return [
            func.coalesce(func.sum(case((condition, 1), else_=0)), 0).label(f"{name}_loans"),
            func.coalesce(func.sum(case((condition, out.c.outstanding_minor), else_=0)), 0).label(
                f"{name}_minor"
            ),
        ]

    columns = [
        func.count().label("loans"),
        func.coalesce(func.sum(out.c.outstanding_minor), 0).label("outstanding_minor"),
        *sums("restructured", out.c.is_restructured),
    ]
    for number in days:
        late = out.c.overdue_since_on < on - timedelta(days=number)
        columns += sums(f"late_{number}", or_(late, out.c.is_restructured))
    if by is None:
        return select(null().label("key"), *columns).select_from(out)
    query = select(_KEYS[by].label("key"), *columns).join(Loan, Loan.id == out.c.loan_id)
    if by is Grouping.GROUP:
        query = query.outerjoin(GroupLoan, GroupLoan.id == Loan.group_loan_id)
    elif by is Grouping.PRODUCT:
        query = query.join(ProductVersion, ProductVersion.id == Loan.product_version_id)
    elif by is Grouping.CROP:
        query = query.outerjoin(Season, Season.id == Loan.season_id)
    return query.group_by(_KEYS[by])


_KEYS: dict[Grouping, SQLColumnExpression[Any]] = {
    Grouping.COMMUNITY: Loan.community_id,
    Grouping.GROUP: GroupLoan.group_id,
    Grouping.PRODUCT: ProductVersion.product_id,
    Grouping.OFFICER: Loan.approved_by_id,
    Grouping.CROP: Season.crop,
}


def _names(
    session: Session, by: Grouping, keys: Sequence[Any]
) -> dict[Any, tuple[str | None, str | None]]:
    """Public id and name of each key."""
    wanted = [key for key in keys if key is not None]
    if by is Grouping.CROP:
        return {crop: (crop, crop) for crop in wanted}
    models: dict[Grouping, type[Community] | type[Group] | type[Product] | type[Member]] = {
        Grouping.COMMUNITY: Community,
        Grouping.GROUP: Group,
        Grouping.PRODUCT: Product,
        Grouping.OFFICER: Member,
    }
    model = models[by]
    rows = session.execute(
        select(model.id, model.public_id, model.name).where(model.id.in_(wanted))
    )
    return {row_id: (public_id, name) for row_id, public_id, name in rows}


def _row(row: Row[Any], days: Sequence[int], key: str | None, name: str | None) -> RiskRow:
    values = row._mapping
    whole = int(values["outstanding_minor"])

    def some(what: str) -> Part:
        return part(int(values[f"{what}_loans"]), int(values[f"{what}_minor"]), whole)

    return RiskRow(
        key=key,
        name=name,
        loans=values["loans"],
        outstanding_minor=whole,
        restructured=some("restructured"),
        at_risk=tuple(AtRisk(number, some(f"late_{number}")) for number in days),
    )


def _total(rows: Sequence[RiskRow], days: Sequence[int]) -> RiskRow:
    whole = sum(row.outstanding_minor for row in rows)

    def together(parts: Sequence[Part]) -> Part:
        return part(
            sum(each.loans for each in parts), sum(each.amount_minor for each in parts), whole
        )

    return RiskRow(
        key=None,
        name=None,
        loans=sum(row.loans for row in rows),
        outstanding_minor=whole,
        restructured=together([row.restructured for row in rows]),
        at_risk=tuple(
            AtRisk(number, together([row.at_risk[place].out for row in rows]))
            for place, number in enumerate(days)
        ),
    )
