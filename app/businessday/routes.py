"""Where a community's business days are, and what they did."""

from typing import Any

from app.blueprint import Blueprint
from app.businessday import permissions as _permissions  # noqa: F401  declares this room's actions
from app.businessday.schemas import DaySchema
from app.businessday.views import day_views
from app.extensions import db
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from community.businessday.models import DayRun
from community.businessday.queries import runs_of
from community.communities import queries as communities

blp = Blueprint("businessday", __name__, description="Business days")


@blp.route("/communities/<pid(com):community_id>/business-days")
@requires("day:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(DaySchema))
def list_days(args: dict[str, Any], community_id: str) -> Page:
    """A community's business days, newest first: their steps, how far each is, what it counted."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("day:read", Facts(path=community.path_ids))
    page = paginate(session, runs_of(community.id), key=DayRun.id, args=args, newest_first=True)
    return Page(day_views(session, page.items), page.next_cursor)
