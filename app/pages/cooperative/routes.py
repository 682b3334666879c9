"""A cooperative's pages: the season calendar, what falls due, declared events, village reviews."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response, url_for

from app.clock import today
from app.extensions import db
from app.fields import Day, Schema, Text
from app.marks import limited
from app.pages.charts import Picture, csv_answer
from app.pages.cooperative import campaign_routes, campaign_steps, event_routes
from app.pages.cooperative.seasons_picture import add_months, season_picture
from app.pages.cooperative.views import (
    MONTHS,
    CropDues,
    dues_by_crop,
    first_month,
    looked_after,
    seasons_in,
)
from app.pages.entry import language
from app.pages.forms import read_query
from app.pages.layout import page
from app.pages.room import Room
from app.pages.words import Words
from app.permissions import Facts, permit, requires
from app.seasons.views import calendar_csv
from app.sheets import sheet
from community.communities import queries as communities
from community.communities.models import Community
from community.seasons import calendar

pages = Room("cooperative", __name__)
event_routes.add_routes(pages)
campaign_routes.add_routes(pages)
campaign_steps.add_routes(pages)

_PLACE = "/cooperative/<pid(com):community_id>"


class CalendarAsked(Schema):
    """From which month on, and of which crop."""

    start = Day(load_default=None)
    crop = Text(120, load_default=None)


@dataclass(frozen=True, slots=True)
class CalendarPage:
    """A community's year."""

    community: Community
    seasons: Picture | None
    dues: list[CropDues]
    not_drawn: int
    from_on: date
    until_on: date
    earlier: str
    later: str


@pages.listed("communities")
@pages.get("/cooperative")
@requires("page:read")
@limited("heavy")
def home() -> Response:
    """The communities that the caller looks after; if it is one, its calendar."""
    permit("page:read")
    places = looked_after(db.session())
    if len(places) == 1:
        permit("season-calendar:read", Facts(path=places[0].path_ids))
        return page("cooperative/calendar.html", view=_calendar(places[0]))
    return page("cooperative/places.html", places=places)


@pages.get(_PLACE)
@requires("season-calendar:read")
@limited("heavy")
def season_calendar(community_id: str) -> Response:
    """The seasons as a picture, and what falls due of each crop."""
    return page("cooperative/calendar.html", view=_calendar(_permitted(community_id)))


@pages.get(_PLACE + "/seasons.csv")
@requires("season-calendar:read")
@limited("heavy")
def seasons_csv(community_id: str) -> Response:
    """The seasons of the picture as a file."""
    picture = _seasons(_permitted(community_id), _from_on())
    if picture is None:
        return sheet("seasons", [], [])
    return csv_answer(picture, "seasons")


@pages.get(_PLACE + "/dues.csv")
@requires("season-calendar:read")
@limited("heavy")
def dues_csv(community_id: str) -> Response:
    """What falls due and what goes out, by month and crop, as a file."""
    community = _permitted(community_id)
    _, asked = read_query(CalendarAsked())
    from_on = _from_on()
    span: dict[str, Any] = {
        "community": community,
        "from_on": from_on,
        "until_on": add_months(from_on, MONTHS) - timedelta(days=1),
        "crop": asked.get("crop"),
    }
    dues = calendar.dues_calendar(db.session(), **span)
    text = calendar_csv(dues, calendar.payout_calendar(db.session(), **span))
    answer = Response(text, mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="dues.csv"'
    return answer


def _permitted(community_id: str) -> Community:
    community = communities.get_community(db.session(), community_id)
    permit("season-calendar:read", Facts(path=community.path_ids))
    return community


def _from_on() -> date:
    _, asked = read_query(CalendarAsked())
    start: date | None = asked.get("start")
    return first_month(today()) if start is None else start.replace(day=1)


def _seasons(community: Community, from_on: date) -> Picture | None:
    until_on = add_months(from_on, MONTHS) - timedelta(days=1)
    rows = seasons_in(db.session(), community, from_on, until_on)
    if not rows:
        return None
    url = url_for(
        "cooperative.seasons_csv", community_id=community.public_id, start=from_on.isoformat()
    )
    return season_picture(
        Words("cooperative", language()),
        rows,
        from_on=from_on,
        months=MONTHS,
        today=today(),
        csv_url=url,
    )


def _calendar(community: Community) -> CalendarPage:
    from_on = _from_on()
    words = Words("cooperative", language())
    dues, not_drawn = dues_by_crop(db.session(), words, community, from_on)

    def at(months: int) -> str:
        start = add_months(from_on, months).isoformat()
        return url_for("cooperative.season_calendar", community_id=community.public_id, start=start)

    return CalendarPage(
        community=community,
        seasons=_seasons(community, from_on),
        dues=dues,
        not_drawn=not_drawn,
        from_on=from_on,
        until_on=add_months(from_on, MONTHS) - timedelta(days=1),
        earlier=at(-6),
        later=at(6),
    )
