"""A member's own pages."""

from flask import Response

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.marks import limited
from app.pages.charts import csv_answer
from app.pages.entry import language
from app.pages.layout import page
from app.pages.member import (  # noqa: F401  their views are this room's
    amendments,
    apply,
    calls,
    covers,
    exposure,
    founding,
    group_loans,
    groups,
    leadership,
    leaving,
    limits,
    loans,
    mydata,
    profile,
    ratings,
    visits,
    voice,
    vouches,
)
from app.pages.member.room import pages
from app.pages.member.views import member_page
from app.pages.words import Words
from app.permissions import requires
from community.errors import NotFound

__all__ = ["pages"]

# The order of the navigation; the first is where "Mine" leads.
ORDER = ("home", "loans", "vouches", "calls", "groups", "visits", "voice", "profile")


@pages.listed("home")
@pages.get("/me")
@requires("loan:read")
@limited("heavy")
def home() -> Response:
    """What I may borrow and why, who stands behind me, what is due next."""
    words = Words("member", language())
    view = member_page(db.session(), caller().member_id, today(), words)
    return page("member/home.html", view=view)


@pages.get("/me/behind-me/<pid(com):community_id>.csv")
@requires("loan:read")
@limited("heavy")
def behind_me_csv(community_id: str) -> Response:
    """The numbers of the drawing of who stands behind me."""
    words = Words("member", language())
    view = member_page(db.session(), caller().member_id, today(), words)
    for place in view.places:
        if place.community.public_id == community_id and place.picture is not None:
            return csv_answer(place.picture, "behind-me")
    raise NotFound()


pages.entries.sort(key=lambda entry: ORDER.index(entry.word))
