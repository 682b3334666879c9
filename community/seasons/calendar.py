"""What falls due when: for a cooperative by crop, place, product and time; for a member one by one.

All sums are the database's, in a fixed number of statements, whatever the number of loans. A loan
is on the calendar while it runs by its schedule and when it was paid by it; what was written off
or became due as a whole is not: its day has passed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, String, case, func, literal, null, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from community.communities.models import Community
from community.loans.models import Instalment, Loan, LoanStatus
from community.loans.states import LIVE
from community.products.models import Product, ProductVersion, Season
from community.products.queries import calendar_of
from community.products.schedule import tranches
from community.products.terms import Window
from community.seasons.errors import CalendarTooWide

LINES_MAX = 5_000
# A loan that runs by its schedule, or was paid by it.
ON_THE_CALENDAR = (*sorted(LIVE), LoanStatus.CLOSED)
# What still waits for money: not paid out, or not to its end and not called.
PAID_OUT_FURTHER = (LoanStatus.CURRENT, LoanStatus.RESTRUCTURED, LoanStatus.OVERDUE)
BEFORE_SOWING = "before"


class Dimension(StrEnum):
    """What the lines of a calendar are apart by, besides the time."""

    CROP = "crop"
    REGION = "region"
    PRODUCT = "product"


class Step(StrEnum):
    """The pieces of time of a calendar."""

    MONTH = "month"
    WEEK = "week"  # from Monday on
    WINDOW = "window"  # of the season that the loan follows


@dataclass(frozen=True, slots=True)
class CalendarLine:
    """The dues of one crop, place and product in one piece of time; None: all of them, or none."""

    crop: str | None
    region: Community | None
    product: Product | None
    currency: str
    # The first day of the month or week; None where the lines are by window.
    from_on: date | None
    # The window of the season; None for loans that follow no season.
    window: str | None
    loans: int
    members: int
    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    paid_minor: int
    due_minor: int


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """What is to go out on one day to approved and running loans of one season."""

    season: Season
    pay_on: date
    currency: str
    loans: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class MemberDue:
    """One due of one of a member's own loans."""

    loan: Loan
    currency: str
    crop: str | None
    due_on: date
    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    paid_minor: int
    due_minor: int


class _BeginningOfMonth(FunctionElement[date]):
    """The first day of a day's month, on either database."""

    type = Date()
    inherit_cache = True


class _BeginningOfWeek(FunctionElement[date]):
    """The Monday of a day's week, on either database."""

    type = Date()
    inherit_cache = True


@compiles(_BeginningOfMonth, "postgresql")
def _month_postgresql(element: FunctionElement[date], compiler: Any, **kwargs: Any) -> str:
    return f"CAST(date_trunc('month', {compiler.process(element.clauses, **kwargs)}) AS DATE)"


@compiles(_BeginningOfMonth, "sqlite")
def _month_sqlite(element: FunctionElement[date], compiler: Any, **kwargs: Any) -> str:
    return f"date({compiler.process(element.clauses, **kwargs)}, 'start of month')"


@compiles(_BeginningOfWeek, "postgresql")
def _week_postgresql(element: FunctionElement[date], compiler: Any, **kwargs: Any) -> str:
    return f"CAST(date_trunc('week', {compiler.process(element.clauses, **kwargs)}) AS DATE)"


@compiles(_BeginningOfWeek, "sqlite")
def _week_sqlite(element: FunctionElement[date], compiler: Any, **kwargs: Any) -> str:
    # On to the Sunday of the week, and back to its Monday.
    return f"date({compiler.process(element.clauses, **kwargs)}, 'weekday 0', '-6 days')"


def dues_calendar(
    session: Session,
    *,
    community: Community,
    from_on: date,
    until_on: date,
    by: Collection[Dimension] = (Dimension.CROP,),
    step: Step = Step.MONTH,
    crop: str | None = None,
    product_id: int | None = None,
) -> list[CalendarLine]:
    """What falls due from one day to another in a community and all that nest in it.

    Lines in the order of time, crop, place and product. A loan with two dues in one line counts
    once in it. Raises CalendarTooWide beyond `LINES_MAX` lines.
    """
    time = _time_of(step)
    none = null()
    crop_of = Season.crop if Dimension.CROP in by else none
    region_of = Loan.community_id if Dimension.REGION in by else none
    product_of = ProductVersion.product_id if Dimension.PRODUCT in by else none
    keys: list[Any] = [key for key in (crop_of, region_of, product_of) if key is not none]
    unpaid = Instalment.due_minor - Instalment.paid_minor
    owed = case((Loan.status == LoanStatus.CLOSED, 0), else_=unpaid)
    query = (
        select(
            crop_of.label("crop"),
            region_of.label("region_id"),
            product_of.label("product_id"),
            Community.currency,
            time.label("time"),
            func.count(Loan.id.distinct()),
            func.count(Loan.borrower_id.distinct()),
            func.sum(Instalment.principal_minor),
            func.sum(Instalment.interest_minor),
            func.sum(Instalment.fee_minor),
            func.sum(Instalment.penalty_minor),
            func.sum(Instalment.paid_minor),
            func.sum(owed),
        )
        .select_from(Loan)
        .join(Instalment, Instalment.loan_id == Loan.id)
        .join(Community, Community.id == Loan.community_id)
        .join(ProductVersion, ProductVersion.id == Loan.product_version_id)
        .outerjoin(Season, Season.id == Loan.season_id)
        .where(
            Loan.status.in_(ON_THE_CALENDAR),
            Loan.accelerated_on.is_(None),
            Loan.community_id.in_(_inside(community)),
            Instalment.due_on >= from_on,
            Instalment.due_on <= until_on,
        )
        .group_by(*keys, Community.currency, time)
        # The databases do not agree where what is absent stands.
        .order_by(*(key.asc().nulls_first() for key in (time, *keys)), Community.currency)
        .limit(LINES_MAX + 1)
    )
    if crop is not None:
        query = query.where(Season.crop == crop)
    if product_id is not None:
        query = query.where(ProductVersion.product_id == product_id)
    rows = session.execute(query).all()
    if len(rows) > LINES_MAX:
        raise CalendarTooWide(f"The calendar would have more than {LINES_MAX} lines.")
    places = _by_id(session, Community, {row.region_id for row in rows})
    offered = _by_id(session, Product, {row.product_id for row in rows})
    windows = step is Step.WINDOW
    return [
        CalendarLine(
            crop=row[0],
            region=places.get(row.region_id),
            product=offered.get(row.product_id),
            currency=row[3],
            from_on=None if windows else row[4],
            window=row[4] if windows else None,
            loans=row[5],
            members=row[6],
            principal_minor=int(row[7]),
            interest_minor=int(row[8]),
            fee_minor=int(row[9]),
            penalty_minor=int(row[10]),
            paid_minor=int(row[11]),
            due_minor=int(row[12]),
        )
        for row in rows
    ]


def payout_calendar(
    session: Session,
    *,
    community: Community,
    from_on: date,
    until_on: date,
    crop: str | None = None,
    product_id: int | None = None,
) -> list[PayoutLine]:
    """What is to be paid out to loans that follow a season, by season and day.

    That is all of approved loans, and of running ones the tranches that did not go out yet. Each
    loan's tranches are worked out exactly; loans that are alike are worked out once. A season
    on which loans rest does not change, so its tranches are theirs.
    """
    # What went out is what the first tranches sum to, and the first day decides which those are.
    alike = (
        Loan.season_id,
        Community.currency,
        Loan.principal_minor,
        Loan.disbursed_on,
        Loan.disbursed_minor,
    )
    query = (
        select(*alike, func.count(Loan.id))
        .select_from(Loan)
        .join(Community, Community.id == Loan.community_id)
        .join(Season, Season.id == Loan.season_id)
        .where(
            or_(
                Loan.status == LoanStatus.APPROVED,
                Loan.status.in_(PAID_OUT_FURTHER) & (Loan.disbursed_minor < Loan.principal_minor),
            ),
            Loan.community_id.in_(_inside(community)),
        )
        .group_by(*alike)
    )
    if crop is not None:
        query = query.where(Season.crop == crop)
    if product_id is not None:
        query = query.join(ProductVersion, ProductVersion.id == Loan.product_version_id).where(
            ProductVersion.product_id == product_id
        )
    rows = session.execute(query).all()
    seasons = _by_id(session, Season, {row.season_id for row in rows})
    calendars = {season_id: calendar_of(season) for season_id, season in seasons.items()}
    sums: dict[tuple[int, date, str], list[int]] = {}
    for season_id, currency, principal_minor, first_on, gone_minor, count in rows:
        assert season_id is not None  # joined by it
        planned = 0
        for pay_on, amount in tranches(principal_minor, calendars[season_id], first_on):
            planned += amount
            if planned > gone_minor and from_on <= pay_on <= until_on:
                line = sums.setdefault((season_id, pay_on, currency), [0, 0])
                line[0] += count
                line[1] += amount * count
    return [
        PayoutLine(seasons[season_id], pay_on, currency, count, amount)
        for (season_id, pay_on, currency), (count, amount) in sorted(
            sums.items(), key=lambda item: (item[0][1], item[0][0], item[0][2])
        )
    ]


def member_calendar(
    session: Session, *, member_id: int, from_on: date, until_on: date
) -> list[MemberDue]:
    """A member's own dues from one day to another, in the order of days; one statement."""
    rows = session.execute(
        select(Instalment, Loan, Season.crop, Community.currency)
        .join(Loan, Loan.id == Instalment.loan_id)
        .join(Community, Community.id == Loan.community_id)
        .outerjoin(Season, Season.id == Loan.season_id)
        .where(
            Loan.borrower_id == member_id,
            Loan.status.in_(ON_THE_CALENDAR),
            Loan.accelerated_on.is_(None),
            Instalment.due_on >= from_on,
            Instalment.due_on <= until_on,
        )
        .order_by(Instalment.due_on, Loan.id, Instalment.number)
        .limit(LINES_MAX + 1)
    ).all()
    if len(rows) > LINES_MAX:
        raise CalendarTooWide(f"The calendar would have more than {LINES_MAX} lines.")
    dues = []
    for row, loan, crop, currency in rows:
        dues.append(
            MemberDue(
                loan=loan,
                currency=currency,
                crop=crop,
                due_on=row.due_on,
                principal_minor=row.principal_minor,
                interest_minor=row.interest_minor,
                fee_minor=row.fee_minor,
                penalty_minor=row.penalty_minor,
                paid_minor=row.paid_minor,
                due_minor=0 if loan.status is LoanStatus.CLOSED else row.due_minor - row.paid_minor,
            )
        )
    return dues


def _time_of(step: Step) -> ColumnElement[Any]:
    if step is Step.MONTH:
        return _BeginningOfMonth(Instalment.due_on)
    if step is Step.WEEK:
        return _BeginningOfWeek(Instalment.due_on)
    return case(
        (Season.id.is_(None), None),
        (Instalment.due_on < Season.sow_from, literal(BEFORE_SOWING, String)),
        (Instalment.due_on <= Season.sow_until, literal(Window.SOW.value, String)),
        (Instalment.due_on < Season.harvest_from, literal(Window.GROW.value, String)),
        (Instalment.due_on < Season.sell_from, literal(Window.HARVEST.value, String)),
        else_=literal(Window.SELL.value, String),
    )


def _inside(community: Community) -> Select[int]:
    return select(Community.id).where(Community.path.startswith(community.path, autoescape=True))


def _by_id(session: Session, model: Any, ids: set[int | None]) -> dict[int | None, Any]:
    wanted = {row_id for row_id in ids if row_id is not None}
    if not wanted:
        return {}
    return {row.id: row for row in session.scalars(select(model).where(model.id.in_(wanted)))}
