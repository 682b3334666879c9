"""What a cooperative's officers see: seasons, what falls due, declared events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import url_for
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.pages.charts import Picture, columns_
from app.pages.cooperative.seasons_picture import add_months, month_text
from app.pages.layout import money_text, unit_text
from app.pages.words import Words
from community.communities.models import Community
from community.members.principal import Role
from community.money import format_minor
from community.products.models import Season
from community.seasons import calendar
from community.seasons.calendar import CalendarLine, Dimension, Step

MONTHS = 12
PLACES_SHOWN = 30
SEASONS_SHOWN = 30
# A picture for each of the crops of which the most falls due; the CSV has all.
CROPS_DRAWN = 6
CROPS_LISTED = 100
_WINDOW_ROLES = (Role.OFFICER, Role.OPERATOR, Role.AUDITOR)


@dataclass(frozen=True, slots=True)
class CropDues:
    """What falls due of one crop, month by month."""

    crop: str
    currency: str
    due_minor: int
    picture: Picture


def looked_after(session: Session) -> Sequence[Community]:
    """The communities for which the caller holds a role; an operator sees the topmost ones."""
    grants = [grant for grant in caller().grants if grant.role in _WINDOW_ROLES]
    ids = {grant.community_id for grant in grants if grant.community_id is not None}
    reach: ColumnElement[bool] = Community.id.in_(ids)
    if any(grant.community_id is None for grant in grants):
        reach = or_(reach, Community.parent_id.is_(None))
    return session.scalars(
        select(Community).where(reach).order_by(Community.name, Community.id).limit(PLACES_SHOWN)
    ).all()


def seasons_in(
    session: Session, community: Community, from_on: date, until_on: date
) -> list[tuple[Season, Community]]:
    """The seasons that reach into a time: the community's own, above it, and inside it."""
    inside = Community.path.startswith(community.path, autoescape=True)
    rows = session.execute(
        select(Season, Community)
        .join(Community, Community.id == Season.community_id)
        .where(
            or_(inside, Community.id.in_(community.path_ids)),
            Season.sow_from <= until_on,
            # Selling follows the harvest by less than a year.
            Season.sell_from >= from_on - timedelta(days=366),
        )
        .order_by(Season.crop, Season.sow_from, Season.id)
        .limit(SEASONS_SHOWN * 2)
    ).all()
    found = [
        (season, place)
        for season, place in rows
        if max(str(window["due_on"]) for window in season.selling) >= from_on.isoformat()
    ]
    return found[:SEASONS_SHOWN]


def crops_of(session: Session, community: Community) -> Sequence[str]:
    """The crops of which a season is entered in a community, above it or inside it."""
    inside = Community.path.startswith(community.path, autoescape=True)
    return session.scalars(
        select(Season.crop)
        .join(Community, Community.id == Season.community_id)
        .where(or_(inside, Community.id.in_(community.path_ids)))
        .distinct()
        .order_by(Season.crop)
        .limit(CROPS_LISTED)
    ).all()


def first_month(on: date) -> date:
    """Where a calendar begins: two months before today's."""
    return add_months(on, -2)


def dues_by_crop(
    session: Session, words: Words, community: Community, from_on: date
) -> tuple[list[CropDues], int]:
    """For each crop what falls due in each month, the largest first; and how many are not drawn."""
    lines = calendar.dues_calendar(
        session,
        community=community,
        from_on=from_on,
        until_on=add_months(from_on, MONTHS) - timedelta(days=1),
        by=(Dimension.CROP,),
        step=Step.MONTH,
    )
    by_crop: dict[tuple[str, str], list[CalendarLine]] = {}
    for line in lines:
        by_crop.setdefault((line.crop or "", line.currency), []).append(line)
    ranked = sorted(
        by_crop.items(), key=lambda item: (-sum(line.due_minor for line in item[1]), item[0])
    )
    months = [add_months(from_on, number) for number in range(MONTHS)]
    drawn = [
        _crop_dues(words, community, months, crop, currency, found)
        for (crop, currency), found in ranked[:CROPS_DRAWN]
    ]
    return drawn, max(0, len(ranked) - CROPS_DRAWN)


def _crop_dues(
    words: Words,
    community: Community,
    months: Sequence[date],
    crop: str,
    currency: str,
    lines: Sequence[CalendarLine],
) -> CropDues:
    found = {line.from_on: line for line in lines}
    name = crop or words("no_season")
    here = words.language

    def owed(month: date) -> int:
        return found[month].due_minor if month in found else 0

    chart = columns_(
        words("dues_of", crop=name),
        [
            (month_text(words, month), float(format_minor(owed(month), currency)))
            for month in months
        ],
        columns=(words("month_of_year"), words("still_due")),
        caption=words("dues_caption", crop=name, currency=unit_text(words.language, currency)),
    )
    rows, plain = [], []
    for month in months:
        line = found.get(month)
        if line is None:
            continue
        all_minor = line.principal_minor + line.interest_minor + line.fee_minor + line.penalty_minor
        rows.append(
            (
                f"{month:%Y-%m}",
                str(line.loans),
                money_text(here, all_minor, currency),
                money_text(here, line.paid_minor, currency),
                money_text(here, line.due_minor, currency),
            )
        )
        amounts = (all_minor, line.paid_minor, line.due_minor)
        plain.append(
            (
                f"{month:%Y-%m}",
                str(line.loans),
                *(format_minor(minor, currency) for minor in amounts),
            )
        )
    picture = replace(
        chart,
        columns=(
            (words("month_of_year"), ""),
            (words("loans"), "n"),
            (words("falls_due"), "n"),
            (words("paid"), "n"),
            (words("still_due"), "n"),
        ),
        rows=tuple(rows),
        sheet_rows=tuple(plain),
        csv_url=url_for(
            "cooperative.dues_csv",
            community_id=community.public_id,
            start=months[0].isoformat(),
            crop=crop or None,
        ),
    )
    return CropDues(name, currency, sum(owed(month) for month in months), picture)
